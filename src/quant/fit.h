/* fit.h - from floats to codes: the scale (and minimum) with the least squared error.
 * Layer: quant, private to it. Pure functions of plain float arithmetic in a fixed order: the same
 * bits on every machine. Any input is safe; one that is not finite gives codes without meaning. */
#ifndef LORY_QUANT_FIT_H
#define LORY_QUANT_FIT_H

#include <stdint.h>

/* v rounded to the nearest integer, ties to even, held in [lo, hi] (within +-2^22); NaN gives lo. */
int fit_code(float v, int lo, int hi);
/* 1 / scale, or 0 for a scale of 0: weights of such a block are all 0. */
float fit_inverse(float scale);
/* The nearest finite half float, so that no finite weight is read back as infinite. */
uint16_t fit_half(float f);

/* The value of the largest magnitude, with its sign; 0 when n is 0. */
float fit_peak(int n, const float *x);
/* The scale for weight = scale * code, codes lo..hi, lo <= -1, |lo| >= hi; may be negative. */
float fit_scale(int n, const float *x, int lo, int hi);
/* The scale >= 0 and minimum for weight = scale * code - min, codes 0..hi. */
typedef struct {
    float scale, min;
} fit_line;
fit_line fit_scale_min(int n, const float *x, int hi);

#endif
