/* fit.h - from floats to codes: the scale (and minimum) with the least squared error.
 * Layer: quant, private to it. Pure functions of plain float arithmetic in a fixed order: the same
 * bits on every machine. Any input is safe; one that is not finite gives codes without meaning. */
#ifndef LORY_QUANT_FIT_H
#define LORY_QUANT_FIT_H

#include <stdbool.h>
#include <stdint.h>

/* v rounded to the nearest integer, ties to even, held in [lo, hi] (within +-2^22); NaN gives lo. */
int fit_code(float v, int lo, int hi);
/* The codes of n weights for weight = scale * code - min. A scale of 0 gives codes nearest to 0. */
void fit_codes(int n, const float *x, float scale, float min, int lo, int hi, int8_t *codes);
/* The nearest finite half float, so that no finite weight is read back as infinite. */
uint16_t fit_half(float f);
/* The nearest whose magnitude is not smaller: a scale that clips nothing. */
uint16_t fit_half_above(float f);
/* The index of the level nearest to v, ties to the even index; n (a power of two) ascending. */
int fit_level(float v, int n, const int8_t *level);

/* The value of the largest magnitude, with its sign; 0 when n is 0. */
float fit_peak(int n, const float *x);

/* The scale for weight = scale * code, codes lo..hi, where -lo >= hi; it may be negative.
 * n % 4 == 0 here and below. */
float fit_scale(int n, const float *x, int lo, int hi);

/* The scale >= 0 and minimum for weight = scale * code - min, codes 0..hi. */
typedef struct {
    float scale, min;
} fit_line;
fit_line fit_scale_min(int n, const float *x, int hi, bool min_is_positive);

#endif
