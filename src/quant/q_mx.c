/* q_mx.c - MXFP4: 32 weights of 4 bits floating point with a power of two as their scale.
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

/* Four-bit codes of 32 weights with the scale 2^exp; returns the squared error. */
static float code_e2m1(fit_data f, int exp, uint8_t q[16])
{
    float scale = ldexpf(1.0f, exp - 1), err = 0.0f;
    for (int i = 0; i < 16; i++) q[i] = 0;
    for (int i = 0; i < QB_SMALL; i++) {
        int code = fit_level(fabsf(f.x[i]) / scale, 8, level);
        float diff = scale * (float)level[code] - fabsf(f.x[i]);
        err += f.w[i] * diff * diff;
        if (f.x[i] < 0.0f && code > 0) code += 8;
        q[i % 16] |= (uint8_t)(code << (i < 16 ? 0 : 4));
    }
    return err;
}

/* The largest magnitude is 1 to 2 times a power of two: it becomes 4..8, where 6 is the largest
 * code, as the specification has it, or half of that, whichever errs less. */
void mxfp4_write(int64_t n, const float *in, const float *importance, void *row)
{
    block_mxfp4 *b = row;
    for (int64_t i = 0; i < n; i += QB_SMALL, b++) {
        fit_data f = fit_data_at(QB_SMALL, in, importance, i);
        int exp = -127;
        float peak = fit_peak(QB_SMALL, f.x);
        if (isfinite(peak) && peak != 0.0f) exp = ilogbf(peak) - 2;
        exp = exp < -127 ? -127 : exp;
        uint8_t wide[16];
        float err = code_e2m1(f, exp, b->q);
        bool is_wide = code_e2m1(f, exp + 1, wide) < err;
        if (is_wide) memcpy(b->q, wide, sizeof wide);
        b->e = (uint8_t)(exp + is_wide + 127);
    }
}
