/* q_iq.c - the IQ formats: runs of weights taken from codebooks (IQ1, IQ2, IQ3), and 4-bit codes
 * that stand for sixteen uneven levels (IQ4).
 * Layer: quant. Layouts: block.h. Reads all of them and writes IQ4;
 * q_iq_write.c writes the rest. */
#include "quant/block.h"
#include "quant/fit.h"
#include "quant/format.h"
#include "quant/iq_grid.h"
#include "quant/q_float.h"
#include <string.h>

enum { N_SUB = QB_SUPER / 32 }; /* sub-blocks of 32; each is four runs of eight weights */

/* ---- runs of eight weights ------------------------------------------------------------------ */

/* Eight signs from seven: the eighth makes the number of negative weights even. */
static unsigned signs_of_7(uint32_t bits)
{
    unsigned s = bits & 127, parity = s ^ s >> 4;
    parity ^= parity >> 2;
    parity ^= parity >> 1;
    return s | (parity & 1) << 7;
}

static void put_8(uint64_t bytes, int8_t codes[8])
{
    memcpy(codes, &bytes, sizeof bytes);
}

/* ---- two bits ------------------------------------------------------------------------------- */

void iq2_xxs_unpack(int64_t n, const void *row, int8_t *codes, float *scales, float *mins)
{
    (void)mins;
    const block_iq2_xxs *b = row, *end = b + n / QB_SUPER;
    for (; b < end; b++) {
        float d = f16_to_f32(b->d);
        for (int s = 0; s < N_SUB; s++) {
            uint32_t sign = b->sub[s].sign;
            *scales++ = d * (0.5f + (float)(sign >> 28)) * 0.25f;
            for (int l = 0; l < 4; l++, codes += 8) {
                uint64_t grid = iq2_expand(iq2_xxs_grid[b->sub[s].index[l]]);
                put_8(apply_signs(grid, signs_of_7(sign >> 7 * l)), codes);
            }
        }
    }
}

/* The 16 scales of IQ2_XS and IQ2_S, one per 16 weights. */
static void iq2_scales(float d, const uint8_t scale[8], float *scales)
{
    for (int s = 0; s < N_SUB; s++) {
        scales[2 * s] = d * (0.5f + (float)(scale[s] & 15)) * 0.25f;
        scales[2 * s + 1] = d * (0.5f + (float)(scale[s] >> 4)) * 0.25f;
    }
}

void iq2_xs_unpack(int64_t n, const void *row, int8_t *codes, float *scales, float *mins)
{
    (void)mins;
    const block_iq2_xs *b = row, *end = b + n / QB_SUPER;
    for (; b < end; b++, scales += 16) {
        iq2_scales(f16_to_f32(b->d), b->scale, scales);
        for (int i = 0; i < 32; i++, codes += 8) {
            uint64_t grid = iq2_expand(iq2_xs_grid[b->q[i] & 511]);
            put_8(apply_signs(grid, signs_of_7(b->q[i] >> 9)), codes);
        }
    }
}

void iq2_s_unpack(int64_t n, const void *row, int8_t *codes, float *scales, float *mins)
{
    (void)mins;
    const block_iq2_s *b = row, *end = b + n / QB_SUPER;
    for (; b < end; b++, scales += 16) {
        iq2_scales(f16_to_f32(b->d), b->scale, scales);
        for (int i = 0; i < 32; i++, codes += 8) {
            int high = b->index_h[i / 4] >> 2 * (i % 4) & 3;
            uint64_t grid = iq2_expand(iq2_s_grid[b->index[i] | high << 8]);
            put_8(apply_signs(grid, b->sign[i]), codes);
        }
    }
}

/* ---- three bits ----------------------------------------------------------------------------- */

void iq3_xxs_unpack(int64_t n, const void *row, int8_t *codes, float *scales, float *mins)
{
    (void)mins;
    const block_iq3_xxs *b = row, *end = b + n / QB_SUPER;
    for (; b < end; b++) {
        float d = f16_to_f32(b->d);
        for (int i = 0; i < 32; i++, codes += 8) {
            uint32_t sign = b->sign[i / 4];
            if (i % 4 == 0) *scales++ = d * (0.5f + (float)(sign >> 28)) * 0.5f;
            uint64_t first = iq3_xxs_expand(iq3_xxs_grid[b->index[2 * i]]);
            uint64_t last = iq3_xxs_expand(iq3_xxs_grid[b->index[2 * i + 1]]);
            put_8(apply_signs(first | last << 32, signs_of_7(sign >> 7 * (i % 4))), codes);
        }
    }
}

void iq3_s_unpack(int64_t n, const void *row, int8_t *codes, float *scales, float *mins)
{
    (void)mins;
    const block_iq3_s *b = row, *end = b + n / QB_SUPER;
    for (; b < end; b++) {
        float d = f16_to_f32(b->d);
        for (int s = 0; s < N_SUB; s++)
            *scales++ = d * (float)(2 * (b->scale[s / 2] >> 4 * (s % 2) & 15) + 1);
        for (int i = 0; i < 32; i++, codes += 8) {
            int high = b->index_h[i / 4] >> 2 * (i % 4);
            uint64_t first = iq3_s_expand(iq3_s_grid[b->index[2 * i] | (high & 1) << 8]);
            uint64_t last = iq3_s_expand(iq3_s_grid[b->index[2 * i + 1] | (high & 2) << 7]);
            put_8(apply_signs(first | last << 32, b->sign[i]), codes);
        }
    }
}

/* ---- one bit: codes are 8 * (grid + delta), the scale is divided by 8 instead -------------- */

void iq1_s_unpack(int64_t n, const void *row, int8_t *codes, float *scales, float *mins)
{
    (void)mins;
    const block_iq1_s *b = row, *end = b + n / QB_SUPER;
    for (; b < end; b++) {
        float d = f16_to_f32(b->d);
        for (int s = 0; s < N_SUB; s++) {
            int head = b->head[s];
            *scales++ = d * (float)(2 * (head >> 12 & 7) + 1) * 0.125f;
            for (int l = 0; l < 4; l++, codes += 8) {
                int index = b->index[4 * s + l] | (head >> 3 * l & 7) << 8;
                put_8(iq1_expand(iq1_grid[index], head >> 15), codes);
            }
        }
    }
}

void iq1_m_unpack(int64_t n, const void *row, int8_t *codes, float *scales, float *mins)
{
    (void)mins;
    const block_iq1_m *b = row, *end = b + n / QB_SUPER;
    for (; b < end; b++) {
        int half = 0;
        for (int k = 0; k < 4; k++) half |= b->scale[k] >> 12 << 4 * k;
        float d = f16_to_f32((uint16_t)half);
        for (int s = 0; s < 16; s++)
            *scales++ = d * (float)(2 * (b->scale[s / 4] >> 3 * (s % 4) & 7) + 1) * 0.125f;
        for (int i = 0; i < 32; i++, codes += 8) {
            int head = b->head[i / 2] >> 4 * (i % 2);
            int index = b->index[i] | (head & 7) << 8;
            put_8(iq1_expand(iq1_grid[index], head >> 3 & 1), codes);
        }
    }
}

/* ---- four bits, sixteen levels -------------------------------------------------------------- */

/* Denser near zero, like weights. The format's own figures. */
static const int8_t iq4_level[16] = { -127, -104, -83, -65, -49, -35, -22, -10,
                                      1,    13,   25,  38,  53,  69,  89,  113 };

/* Sixteen bytes to 32 codes. */
static void iq4_get(const uint8_t q[16], int8_t codes[32])
{
    for (int i = 0; i < 16; i++) {
        codes[i] = iq4_level[q[i] & 15];
        codes[i + 16] = iq4_level[q[i] >> 4];
    }
}

void iq4_nl_unpack(int64_t n, const void *row, int8_t *codes, float *scales, float *mins)
{
    (void)mins;
    const block_iq4_nl *b = row, *end = b + n / QB_SMALL;
    for (; b < end; b++, codes += QB_SMALL) {
        *scales++ = f16_to_f32(b->d);
        iq4_get(b->q, codes);
    }
}

void iq4_xs_unpack(int64_t n, const void *row, int8_t *codes, float *scales, float *mins)
{
    (void)mins;
    const block_iq4_xs *b = row, *end = b + n / QB_SUPER;
    for (; b < end; b++) {
        float d = f16_to_f32(b->d);
        for (int s = 0; s < N_SUB; s++, codes += 32) {
            int low = b->scale_l[s / 2] >> 4 * (s % 2) & 15, high = b->scale_h >> 2 * s & 3;
            *scales++ = d * (float)((low | high << 4) - 32);
            iq4_get(b->q + 16 * s, codes);
        }
    }
}

/* ---- writing the four-bit ones -------------------------------------------------------------- */

/* The levels nearest to x * per_step. Adding up the steps between levels, rather than searching,
 * leaves the compiler a loop without branches. */
static void iq4_nearest(const float *restrict x, float per_step, float *restrict nearest)
{
    for (int i = 0; i < 32; i++) nearest[i] = (float)iq4_level[0];
    for (int k = 0; k < 15; k++) {
        float middle = 0.5f * (float)(iq4_level[k] + iq4_level[k + 1]);
        float step = (float)(iq4_level[k + 1] - iq4_level[k]);
        for (int i = 0; i < 32; i++) nearest[i] += x[i] * per_step > middle ? step : 0.0f;
    }
}

/* Takes the scale that the levels for per_step ask for, if it takes more off the squared error. */
static void iq4_try(fit_data f, float per_step, float *scale, float *best)
{
    float code[32], sum_xc = 0.0f, sum_cc = 0.0f;
    iq4_nearest(f.x, per_step, code);
    for (int i = 0; i < 32; i++) {
        float counted = f.w[i] * code[i];
        sum_xc += counted * f.x[i];
        sum_cc += counted * code[i];
    }
    if (sum_xc * sum_xc / sum_cc > *best) *scale = sum_xc / sum_cc, *best = *scale * sum_xc;
}

/* The scale with the least squared error among those around the two that span the data, as
 * fit_scale does it for even levels: the peak may become the first level or the last. Every other
 * try finds all but what every one does. */
static float iq4_scale(fit_data f)
{
    float peak = fit_peak(32, f.x), scale = peak / (float)iq4_level[0], best = 0.0f;
    if (peak == 0.0f) return 0.0f;
    for (int level = 0; level < 16; level += 15)
        for (int itry = 0; itry < FIT_TRIES; itry += 2)
            iq4_try(f, (float)iq4_level[level] / peak * fit_try(itry), &scale, &best);
    return scale;
}

static void iq4_put(const float *x, float scale, uint8_t q[16])
{
    float per_step = scale != 0.0f ? 1.0f / scale : 0.0f;
    for (int i = 0; i < 16; i++) {
        int low = fit_level(x[i] * per_step, 16, iq4_level);
        int high = fit_level(x[i + 16] * per_step, 16, iq4_level);
        q[i] = (uint8_t)(low | high << 4);
    }
}

void iq4_nl_write(int64_t n, const float *in, const float *importance, void *row)
{
    block_iq4_nl *b = row;
    for (int64_t i = 0; i < n; i += QB_SMALL, b++) {
        b->d = fit_half(iq4_scale(fit_data_at(QB_SMALL, in, importance, i)));
        iq4_put(in + i, f16_to_f32(b->d), b->q);
    }
}

void iq4_xs_write(int64_t n, const float *in, const float *importance, void *row)
{
    block_iq4_xs *b = row;
    float scales[N_SUB];
    int8_t scale[N_SUB];
    for (int64_t at = 0; at < n; at += QB_SUPER, b++) {
        fit_data f = fit_data_at(QB_SUPER, in, importance, at);
        for (int s = 0; s < N_SUB; s++) scales[s] = iq4_scale(fit_part(f, 32 * s, 32));
        b->d = fit_half_near(fit_peak(N_SUB, scales) / -32.0f);
        fit_codes(N_SUB, scales, (fit_line){ f16_to_f32(b->d), 0.0f }, -32, 31, scale);
        int high = 0;
        for (int s = 0; s < N_SUB; s++) {
            high |= (scale[s] + 32) >> 4 << 2 * s;
            iq4_put(f.x + 32 * s, f16_to_f32(b->d) * (float)scale[s], b->q + 16 * s);
        }
        b->scale_h = (uint16_t)high;
        for (int i = 0; i < N_SUB / 2; i++)
            b->scale_l[i] = (uint8_t)((scale[2 * i] & 15) | (scale[2 * i + 1] & 15) << 4);
    }
}
