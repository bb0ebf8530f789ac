/* kernel_inputs.c - what the tests of the kernels share. */
#include "kernel_inputs.h"
#include "base/mem.h"
#include "quant/q_float.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- random inputs -------------------------------------------------------------------------- */

static uint64_t rng_state = 88172645463325252u;

uint32_t rnd(void)
{
    rng_state ^= rng_state << 13, rng_state ^= rng_state >> 7, rng_state ^= rng_state << 17;
    return (uint32_t)(rng_state >> 16);
}

int rnd_below(int n)
{
    return (int)(rnd() % (uint32_t)n);
}

float rnd_float(void)
{
    float s = 0;
    for (int i = 0; i < 4; i++) s += (float)(rnd() & 0xffff) * 0x1p-16f - 0.5f;
    return rnd() % 50 ? 2 * s : 40 * s;
}

void fill(int n, float *x)
{
    for (int i = 0; i < n; i++) x[i] = rnd_float();
}

void fill_special(int n, float *x)
{
    static const float special[] = { 0.0f,     -0.0f,  1e-45f, -1e-40f,  0x1p-126f, 0x1p-101f,
                                     -3.0e38f, 1e38f,  1e-20f, 88.7f,    -103.9f,   0.5f,
                                     127.0f,   -65504, 1.0f,   0x1p-100f };
    for (int i = 0; i < n; i++) x[i] = rnd() % 3 ? rnd_float() : special[rnd() % 16];
}

float *floats(size_t n)
{
    float *x = mem_new(n + 1, sizeof *x);
    fill((int)n, x);
    return x;
}

const int half_at[QT_COUNT][2] = {
    [QT_Q4_0] = { 0, -1 },    [QT_Q4_1] = { 0, 2 },    [QT_Q5_0] = { 0, -1 },
    [QT_Q5_1] = { 0, 2 },     [QT_Q8_0] = { 0, -1 },   [QT_Q2_K] = { 80, 82 },
    [QT_Q3_K] = { 108, -1 },  [QT_Q4_K] = { 0, 2 },    [QT_Q5_K] = { 0, 2 },
    [QT_Q6_K] = { 208, -1 },  [QT_IQ1_S] = { 0, -1 },  [QT_IQ1_M] = { -1, -1 },
    [QT_IQ2_XXS] = { 0, -1 }, [QT_IQ2_XS] = { 0, -1 }, [QT_IQ2_S] = { 0, -1 },
    [QT_IQ3_XXS] = { 0, -1 }, [QT_IQ3_S] = { 0, -1 },  [QT_IQ4_NL] = { 0, -1 },
    [QT_IQ4_XS] = { 0, -1 },  [QT_TQ1_0] = { 52, -1 }, [QT_TQ2_0] = { 64, -1 },
    [QT_MXFP4] = { -1, -1 },  [QT_NVFP4] = { -1, -1 }, [QT_Q1_0] = { 0, -1 },
    [QT_Q2_0] = { 0, -1 },
};

/* A half float of 2^-6 .. 2^-2, either sign. */
static uint16_t rnd_half(void)
{
    return (uint16_t)((rnd() & 0x8000) | (0x2400 + (rnd() & 0x0fff)));
}

void fill_block(qtype t, uint8_t *block)
{
    for (int i = 0; i < qtypes[t].block_bytes; i++) block[i] = (uint8_t)rnd();
    for (int s = 0; s < 2 && qtypes[t].n_sub; s++) {
        uint16_t h = rnd_half();
        if (half_at[t][s] >= 0) memcpy(block + half_at[t][s], &h, sizeof h);
    }
    if (t == QT_MXFP4) block[0] = (uint8_t)(115 + rnd_below(16));
    if (t == QT_IQ1_M) block[55] = (uint8_t)(0x20 | (block[55] & 0x8f)); /* the top of d */
    if (t == QT_F16 || t == QT_BF16) {
        uint16_t h = t == QT_F16 ? f32_to_f16(rnd_float()) : f32_to_bf16(rnd_float());
        memcpy(block, &h, sizeof h);
    }
    if (t == QT_F32) {
        float f = rnd_float();
        memcpy(block, &f, sizeof f);
    }
}

uint8_t *weights(qtype t, int n_rows, int k, size_t row_bytes)
{
    size_t used = (size_t)(n_rows - 1) * row_bytes + qtype_row_bytes(t, k);
    uint8_t *w = malloc(used);
    for (int ir = 0; ir < n_rows; ir++)
        for (size_t at = 0; at < qtype_row_bytes(t, k); at += (size_t)qtypes[t].block_bytes)
            fill_block(t, w + (size_t)ir * row_bytes + at);
    return w;
}

/* ---- the instruction sets of this machine ---------------------------------------------------- */

int usable_isas(isa out[8])
{
    int n = 0;
    for (int i = 0; i < n_isa; i++) {
        if (n && strcmp(out[n - 1].name, isas[i].name) == 0) continue;
        out[n].name = isas[i].name;
        if (kernels_for(isas[i].name, &out[n].kn)) n++;
    }
    return n;
}

const lory_kernels *generic(void)
{
    static lory_kernels kn;
    if (!kernels_for("generic", &kn)) abort();
    return &kn;
}

float lanes_dot(int n, const float *a, const float *b)
{
    float lane[16] = { 0 };
    for (int i = 0; i < (n + 15) / 16 * 16; i++)
        lane[i % 16] = fmaf(i < n ? a[i] : 0, i < n ? b[i] : 0, lane[i % 16]);
    for (int half = 8; half; half /= 2)
        for (int j = 0; j < half; j++) lane[j] += lane[j + half];
    return lane[0];
}
