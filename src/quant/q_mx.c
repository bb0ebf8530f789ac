/* q_mx.c - MXFP4 NVFP4: weights of 4 bits floating point, with a power of two as the scale of 32,
 * or a float of 8 bits as that of 16.
 * Layer: quant. Layouts: block.h. Source: OCP Microscaling Formats specification 1.0. */
#include "quant/block.h"
#include "quant/fit.h"
#include "quant/format.h"
#include <math.h>
#include <stdbool.h>
#include <string.h>

/* The values of E2M1 times two, which makes them integers; the scale is halved instead. */
static const int8_t level[16] = { 0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12 };

void mxfp4_unpack(int64_t n, const void *row, int8_t *codes, float *scales, float *mins)
{
    (void)mins;
    const block_mxfp4 *b = row, *end = b + n / QB_SMALL;
    for (; b < end; b++, codes += QB_SMALL) {
        *scales++ = ldexpf(1.0f, b->e - 128);
        for (int i = 0; i < 16; i++) {
            codes[i] = level[b->q[i] & 15];
            codes[i + 16] = level[b->q[i] >> 4];
        }
    }
}

/* The scale that a code of NVFP4 stands for, halved as well. */
static float scale_of(int e4m3)
{
    int exp = e4m3 >> 3 & 15, mantissa = e4m3 & 7;
    if (e4m3 == 127) return 0.0f;
    return exp ? ldexpf((float)(8 + mantissa), exp - 11) : ldexpf((float)mantissa, -10);
}

void nvfp4_unpack(int64_t n, const void *row, int8_t *codes, float *scales, float *mins)
{
    (void)mins;
    const block_nvfp4 *b = row, *end = b + n / QB_NVFP4;
    for (; b < end; b++)
        for (int s = 0; s < 4; s++, codes += 16) {
            *scales++ = scale_of(b->scale[s]);
            for (int i = 0; i < 8; i++) {
                codes[i] = level[b->q[8 * s + i] & 15];
                codes[i + 8] = level[b->q[8 * s + i] >> 4];
            }
        }
}

/* Four-bit codes of n weights with half of their scale; returns the squared error. */
static float code_e2m1(fit_data f, float scale, uint8_t *q)
{
    const int half = f.n / 2;
    float err = 0.0f;
    for (int i = 0; i < half; i++) q[i] = 0;
    for (int i = 0; i < f.n; i++) {
        int code = scale > 0.0f ? fit_level(fabsf(f.x[i]) / scale, 8, level) : 0;
        float diff = scale * (float)level[code] - fabsf(f.x[i]);
        err += f.w[i] * diff * diff;
        if (f.x[i] < 0.0f && code > 0) code += 8;
        q[i % half] |= (uint8_t)(code << (i < half ? 0 : 4));
    }
    return err;
}

/* The largest magnitude is 1 to 2 times a power of two: it becomes 4..8, where 6 is the largest
 * code, as the specification has it, or half or, where others count more, twice that, whichever
 * errs least. */
static void code_mxfp4(fit_data f, uint8_t *e, uint8_t *q)
{
    static const int steps[] = { 0, 1, -1 };
    const float peak = fit_peak(f.n, f.x);
    const bool is_plain = isfinite(peak) && peak != 0.0f;
    const int exp = is_plain ? ilogbf(peak) - 2 : -127;
    float best = INFINITY;
    uint8_t tried[16];
    for (int i = 0; i < 3; i++) {
        const int held = exp + steps[i] < -127 ? -127 : exp + steps[i];
        float err = code_e2m1(f, ldexpf(1.0f, held - 1), tried);
        if (i > 0 && !(err < best)) continue;
        best = err;
        *e = (uint8_t)(held + 127);
        memcpy(q, tried, sizeof tried);
    }
}

void mxfp4_write(int64_t n, const float *in, const float *importance, void *row)
{
    block_mxfp4 *b = row;
    for (int64_t i = 0; i < n; i += QB_SMALL, b++)
        code_mxfp4(fit_data_at(QB_SMALL, in, importance, i), &b->e, b->q);
}

/* The code of the largest scale that is not above `scale`, which is halved. */
static int e4m3_below(float scale)
{
    int low = 0, high = 126;
    while (low < high) {
        int middle = (low + high + 1) / 2;
        if (scale_of(middle) <= scale) low = middle;
        else high = middle - 1;
    }
    return low;
}

/* The scales around the one that makes the peak 6, down to where it is cut to a half, up to where
 * it becomes 2, since levels up to there are evenly apart: the one that errs least. */
static void code_nvfp4(fit_data f, uint8_t *scale, uint8_t *q)
{
    float best = INFINITY, step = fabsf(fit_peak(f.n, f.x)) / 12.0f;
    uint8_t tried[8];
    int end = e4m3_below(3.0f * step) + 1;
    *scale = 0;
    memset(q, 0, sizeof tried);
    for (int i = e4m3_below(0.5f * step); i <= end && i <= 126; i++) {
        float err = code_e2m1(f, scale_of(i), tried);
        if (!(err < best)) continue;
        best = err;
        *scale = (uint8_t)i;
        memcpy(q, tried, sizeof tried);
    }
}

void nvfp4_write(int64_t n, const float *in, const float *importance, void *row)
{
    block_nvfp4 *b = row;
    for (int64_t i = 0; i < n; i += QB_NVFP4, b++)
        for (int s = 0; s < 4; s++)
            code_nvfp4(fit_data_at(16, in, importance, i + 16 * s), &b->scale[s], b->q + 8 * s);
}
