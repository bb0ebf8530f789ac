/* fit.h - from floats to codes: the scale (and minimum) with the least squared error.
 * Layer: quant, private to it. Pure functions of plain float arithmetic in a fixed order: the same
 * bits on every machine. Any input is safe; one that is not finite gives codes without meaning. */
#ifndef LORY_QUANT_FIT_H
#define LORY_QUANT_FIT_H

#include <stdbool.h>
#include <stdint.h>

/* n weights that share a scale, and what the squared error of each counts. */
typedef struct {
    int n;
    const float *x; /* [n] */
    const float *w; /* [n] > 0 */
} fit_data;

/* The n weights from `at` on, where importance may be NULL: all count the same. n <= 256. */
fit_data fit_data_at(int n, const float *x, const float *importance, int64_t at);
/* A part of them. */
static inline fit_data fit_part(fit_data f, int at, int n)
{
    return (fit_data){ n, f.x + at, f.w + at };
}

/* weight = scale * code - min. */
typedef struct {
    float scale, min;
} fit_line;

/* v rounded to the nearest integer, ties to even, held in [lo, hi] (within +-2^22);
 * NaN gives lo. */
int fit_code(float v, int lo, int hi);
/* The codes lo..hi of n weights; a scale of 0 gives the codes nearest to 0. */
void fit_codes(int n, const float *x, fit_line line, int lo, int hi, int8_t *codes);
/* The squared error of the weights coded so; n % 4 == 0 here and below. */
float fit_error(fit_data f, fit_line line, int lo, int hi);

/* By how much the squared error of the weights coded so grows with the square of what is added to
 * the scale, to the minimum. */
fit_line fit_counts(fit_data f, fit_line line, int lo, int hi);

/* The scale for codes lo..hi and no minimum: -lo >= hi, and it may be negative; or lo is 0. */
float fit_scale(fit_data f, int lo, int hi);
/* The scale >= 0 and minimum for codes 0..hi. */
fit_line fit_scale_min(fit_data f, int hi, bool min_is_positive);

/* The searches multiply the step that spans the data by fit_try(0), fit_try(1), ...: 0.8 to 1.2. */
enum { FIT_TRIES = 21 };
float fit_try(int itry);

/* The value of the largest magnitude, with its sign; 0 when n is 0. */
float fit_peak(int n, const float *x);
/* The index of the level nearest to v, ties to the lower one; n (a power of two) ascending. */
int fit_level(float v, int n, const int8_t *level);
/* The nearest finite half float, so that no finite weight is read back as infinite. */
uint16_t fit_half(float f);
/* The same, but of denormal ones, whose few bits could clip much, the nearest whose magnitude is
 * not smaller. */
uint16_t fit_half_near(float f);

#endif
