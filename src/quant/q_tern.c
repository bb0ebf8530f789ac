/* q_tern.c - TQ1_0 TQ2_0: 256 weights -1, 0 or 1 times one half float; Q1_0: 128 weights -1 or 1;
 * Q2_0: 64 weights -1, 0, 1 or 2.
 * Layer: quant. Layouts: block.h. */
#include "quant/bits.h"
#include "quant/block.h"
#include "quant/fit.h"
#include "quant/format.h"
#include "quant/q_float.h"
#include <math.h>
#include <stdlib.h>

/* ---- reading -------------------------------------------------------------------------------- */

/* Digit t (0 = the most significant) of n bytes, less 1. A byte is ceil(256 * 0.t0t1t2t3t4), in
 * base 3: multiplying by 3^t modulo 256 drops the digits above t, and by 3 brings t above 256. */
static void trits_get(int n, const uint8_t *q, int t, int8_t *codes)
{
    static const uint8_t power[5] = { 1, 3, 9, 27, 81 };
    for (int i = 0; i < n; i++) codes[i] = (int8_t)(((uint8_t)(q[i] * power[t]) * 3 >> 8) - 1);
}

void tq1_0_unpack(int64_t n, const void *row, int8_t *codes, float *scales, float *mins)
{
    (void)mins;
    const block_tq1_0 *b = row, *end = b + n / QB_SUPER;
    for (; b < end; b++, codes += QB_SUPER, scales += 8) {
        for (int s = 0; s < 8; s++) scales[s] = f16_to_f32(b->d);
        for (int t = 0; t < 5; t++) trits_get(32, b->q, t, codes + 32 * t);
        for (int t = 0; t < 5; t++) trits_get(16, b->q + 32, t, codes + 160 + 16 * t);
        for (int t = 0; t < 4; t++) trits_get(4, b->qh, t, codes + 240 + 4 * t);
    }
}

void tq2_0_unpack(int64_t n, const void *row, int8_t *codes, float *scales, float *mins)
{
    (void)mins;
    const block_tq2_0 *b = row, *end = b + n / QB_SUPER;
    for (; b < end; b++, codes += QB_SUPER, scales += 8) {
        for (int s = 0; s < 8; s++) scales[s] = f16_to_f32(b->d);
        pairs_get(b->q, 1, codes);
        pairs_get(b->q + 32, 1, codes + 128);
    }
}

void q1_0_unpack(int64_t n, const void *row, int8_t *codes, float *scales, float *mins)
{
    (void)mins;
    const block_q1_0 *b = row, *end = b + n / QB_Q1_0;
    for (; b < end; b++, codes += QB_Q1_0) {
        for (int s = 0; s < 4; s++) *scales++ = f16_to_f32(b->d);
        for (int i = 0; i < QB_Q1_0; i++) codes[i] = (int8_t)(2 * (b->q[i / 8] >> i % 8 & 1) - 1);
    }
}

void q2_0_unpack(int64_t n, const void *row, int8_t *codes, float *scales, float *mins)
{
    (void)mins;
    const block_q2_0 *b = row, *end = b + n / QB_Q2_0;
    for (; b < end; b++, codes += QB_Q2_0) {
        for (int s = 0; s < 2; s++) *scales++ = f16_to_f32(b->d);
        for (int i = 0; i < QB_Q2_0; i++) codes[i] = (int8_t)((b->q[i / 4] >> 2 * (i % 4) & 3) - 1);
    }
}

/* ---- writing -------------------------------------------------------------------------------- */

typedef struct {
    float a, w; /* a magnitude, and what it counts */
} counted;

static int descending(const void *a, const void *b)
{
    const counted *x = a, *y = b;
    if (x->a == y->a) return (x->w < y->w) - (x->w > y->w); /* qsort keeps no order of its own */
    return (x->a < y->a) - (x->a > y->a);
}

/* The best scale, exactly: if the k largest magnitudes become +-1, their mean is the scale with the
 * least squared error, sum(x^2) - sum(those)^2 / k, k counted by importance. Weights that are
 * ternary keep their value. */
static uint16_t code_ternary(fit_data f, int8_t *codes)
{
    counted c[QB_SUPER];
    double sum = 0.0, n = 0.0, best = 0.0, scale = 0.0;
    for (int i = 0; i < f.n; i++)
        c[i] = (counted){ isnan(f.x[i]) ? 0.0f : fabsf(f.x[i]), f.w[i] };
    qsort(c, (size_t)f.n, sizeof *c, descending);
    for (int k = 0; k < f.n; k++) {
        sum += (double)c[k].w * (double)c[k].a;
        n += (double)c[k].w;
        if (sum * sum / n > best) best = sum * sum / n, scale = sum / n;
    }
    uint16_t d = fit_half((float)scale);
    fit_codes(f.n, f.x, (fit_line){ f16_to_f32(d), 0.0f }, -1, 1, codes);
    return d;
}

/* Byte i of n gets the n_digit codes i, i + n, ... as the digits of a fraction in base 3. */
static void trits_put(int n, int n_digit, const int8_t *codes, uint8_t *q)
{
    for (int i = 0; i < n; i++) {
        int v = 0;
        for (int t = 0; t < 5; t++) v = 3 * v + (t < n_digit ? codes[i + n * t] + 1 : 0);
        q[i] = (uint8_t)((256 * v + 242) / 243);
    }
}

void tq1_0_write(int64_t n, const float *in, const float *importance, void *row)
{
    block_tq1_0 *b = row;
    int8_t codes[QB_SUPER];
    for (int64_t i = 0; i < n; i += QB_SUPER, b++) {
        b->d = code_ternary(fit_data_at(QB_SUPER, in, importance, i), codes);
        trits_put(32, 5, codes, b->q);
        trits_put(16, 5, codes + 160, b->q + 32);
        trits_put(4, 4, codes + 240, b->qh);
    }
}

void tq2_0_write(int64_t n, const float *in, const float *importance, void *row)
{
    block_tq2_0 *b = row;
    int8_t codes[QB_SUPER];
    for (int64_t i = 0; i < n; i += QB_SUPER, b++) {
        b->d = code_ternary(fit_data_at(QB_SUPER, in, importance, i), codes);
        for (int h = 0; h < 2; h++) pairs_put(codes + 128 * h, 1, 0, b->q + 32 * h);
    }
}

/* The mean magnitude is the scale with the least squared error. */
void q1_0_write(int64_t n, const float *in, const float *importance, void *row)
{
    block_q1_0 *b = row;
    for (int64_t i = 0; i < n; i += QB_Q1_0, b++) {
        fit_data f = fit_data_at(QB_Q1_0, in, importance, i);
        float sum = 0.0f, count = 0.0f;
        *b = (block_q1_0){ 0 };
        for (int j = 0; j < QB_Q1_0; j++) {
            sum += f.w[j] * fabsf(f.x[j]);
            count += f.w[j];
            b->q[j / 8] |= (uint8_t)((f.x[j] >= 0.0f) << j % 8);
        }
        b->d = fit_half(sum / count);
    }
}

/* Of the codes -1, 0, 1 and of all four, which are not symmetric, whichever errs less. */
void q2_0_write(int64_t n, const float *in, const float *importance, void *row)
{
    block_q2_0 *b = row;
    int8_t codes[QB_Q2_0];
    for (int64_t i = 0; i < n; i += QB_Q2_0, b++) {
        fit_data f = fit_data_at(QB_Q2_0, in, importance, i);
        *b = (block_q2_0){ .d = code_ternary(f, codes) };
        uint16_t d = fit_half(-fit_scale(f, -2, 1)); /* of codes of the other sign */
        fit_line three = { f16_to_f32(b->d), 0.0f }, four = { f16_to_f32(d), 0.0f };
        if (fit_error(f, four, -1, 2) < fit_error(f, three, -1, 1)) {
            b->d = d;
            fit_codes(QB_Q2_0, f.x, four, -1, 2, codes);
        }
        for (int j = 0; j < QB_Q2_0; j++)
            b->q[j / 4] |= (uint8_t)((codes[j] + 1) << 2 * (j % 4));
    }
}
