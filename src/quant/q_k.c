/* q_k.c - Q2_K Q3_K Q4_K Q5_K Q6_K: 256 weights in sub-blocks of 16 or 32, whose scales (and
 * minima) are themselves small integers times one or two half floats.
 * Layer: quant. Layouts: block.h. */
#include "quant/bits.h"
#include "quant/block.h"
#include "quant/fit.h"
#include "quant/format.h"
#include "quant/q_float.h"
#include <math.h>
#include <string.h>

/* ---- the packed scales ---------------------------------------------------------------------- */

/* Q3_K: 16 scales of 6 bits, -32..31. */
static void scales_16_get(const uint8_t *packed, int8_t scale[16])
{
    nibbles_get(8, packed, 0, scale);
    for (int s = 0; s < 16; s++)
        scale[s] = (int8_t)((scale[s] | (packed[8 + s % 4] >> 2 * (s / 4) & 3) << 4) - 32);
}

static void scales_16_put(const int8_t scale[16], uint8_t *packed)
{
    nibbles_put(8, scale, 32, packed);
    for (int s = 0; s < 4; s++) packed[8 + s] = 0;
    for (int s = 0; s < 16; s++)
        packed[8 + s % 4] |= (uint8_t)((scale[s] + 32) >> 4 << 2 * (s / 4));
}

/* Q4_K, Q5_K: 8 scales and 8 minima of 6 bits. */
static void scales_8_get(const uint8_t *packed, int8_t scale[8], int8_t min[8])
{
    for (int s = 0; s < 4; s++) {
        scale[s] = packed[s] & 63;
        min[s] = packed[s + 4] & 63;
        scale[s + 4] = (int8_t)((packed[s + 8] & 15) | packed[s] >> 6 << 4);
        min[s + 4] = (int8_t)(packed[s + 8] >> 4 | packed[s + 4] >> 6 << 4);
    }
}

static void scales_8_put(const int8_t scale[8], const int8_t min[8], uint8_t *packed)
{
    for (int s = 0; s < 4; s++) {
        packed[s] = (uint8_t)(scale[s] | scale[s + 4] >> 4 << 6);
        packed[s + 4] = (uint8_t)(min[s] | min[s + 4] >> 4 << 6);
        packed[s + 8] = (uint8_t)((scale[s + 4] & 15) | (min[s + 4] & 15) << 4);
    }
}

/* ---- reading -------------------------------------------------------------------------------- */

void q2_k_unpack(int64_t n, const void *row, int8_t *codes, float *scales, float *mins)
{
    const block_q2_k *b = row, *end = b + n / QB_SUPER;
    for (; b < end; b++, codes += QB_SUPER, scales += 16, mins += 16) {
        float d = f16_to_f32(b->d), dmin = f16_to_f32(b->dmin);
        for (int s = 0; s < 16; s++) {
            scales[s] = d * (float)(b->scale[s] & 15);
            mins[s] = dmin * (float)(b->scale[s] >> 4);
        }
        pairs_get(b->q, 0, codes);
        pairs_get(b->q + 32, 0, codes + 128);
    }
}

void q3_k_unpack(int64_t n, const void *row, int8_t *codes, float *scales, float *mins)
{
    (void)mins;
    const block_q3_k *b = row, *end = b + n / QB_SUPER;
    int8_t scale[16];
    for (; b < end; b++, codes += QB_SUPER, scales += 16) {
        float d = f16_to_f32(b->d);
        scales_16_get(b->scale, scale);
        for (int s = 0; s < 16; s++) scales[s] = d * (float)scale[s];
        pairs_get(b->q, 4, codes);
        pairs_get(b->q + 32, 4, codes + 128);
        planes_get(b->qh, 2, codes);
    }
}

/* The scales and minima of Q4_K and Q5_K, eight of each. */
static void scale_8(float d, float dmin, const uint8_t *packed, float *scales, float *mins)
{
    int8_t scale[8], min[8];
    scales_8_get(packed, scale, min);
    for (int s = 0; s < 8; s++) {
        scales[s] = d * (float)scale[s];
        mins[s] = dmin * (float)min[s];
    }
}

void q4_k_unpack(int64_t n, const void *row, int8_t *codes, float *scales, float *mins)
{
    const block_q4_k *b = row, *end = b + n / QB_SUPER;
    for (; b < end; b++, codes += QB_SUPER, scales += 8, mins += 8) {
        scale_8(f16_to_f32(b->d), f16_to_f32(b->dmin), b->scale, scales, mins);
        for (int h = 0; h < 4; h++) nibbles_get(32, b->q + 32 * h, 0, codes + 64 * h);
    }
}

void q5_k_unpack(int64_t n, const void *row, int8_t *codes, float *scales, float *mins)
{
    const block_q5_k *b = row, *end = b + n / QB_SUPER;
    for (; b < end; b++, codes += QB_SUPER, scales += 8, mins += 8) {
        scale_8(f16_to_f32(b->d), f16_to_f32(b->dmin), b->scale, scales, mins);
        for (int h = 0; h < 4; h++) nibbles_get(32, b->q + 32 * h, 0, codes + 64 * h);
        planes_get(b->qh, 4, codes);
    }
}

void q6_k_unpack(int64_t n, const void *row, int8_t *codes, float *scales, float *mins)
{
    (void)mins;
    const block_q6_k *b = row, *end = b + n / QB_SUPER;
    int8_t high[QB_SUPER];
    for (; b < end; b++, codes += QB_SUPER, scales += 16) {
        float d = f16_to_f32(b->d);
        for (int s = 0; s < 16; s++) scales[s] = d * (float)b->scale[s];
        for (int h = 0; h < 2; h++) {
            nibbles_get(64, b->q + 64 * h, 32, codes + 128 * h);
            pairs_get(b->qh + 32 * h, 0, high + 128 * h);
        }
        for (int i = 0; i < QB_SUPER; i++) codes[i] = (int8_t)(codes[i] + (high[i] << 4));
    }
}

/* ---- writing -------------------------------------------------------------------------------- */

/* A super-block in integers: weight = d * scale * code - dmin * min. */
typedef struct {
    uint16_t d, dmin;
    int8_t scale[16], min[16]; /* of the sub-blocks */
    int8_t code[QB_SUPER];
} k_codes;

static int min_int(int a, int b)
{
    return a < b ? a : b;
}

static int max_int(int a, int b)
{
    return a > b ? a : b;
}

/* The scales, or the minima, of the sub-blocks, and what the squared error of each counts. */
typedef struct {
    float x[16], count[16];
} k_values;

/* n of them as integers lo..hi of one half float, which is returned: the one with the least squared
 * error, or the one by which the peak becomes the integer that is furthest from 0. */
static uint16_t share_scale(int n, const k_values *v, bool by_error, int lo, int hi, int8_t *codes)
{
    const float by_peak = fit_peak(n, v->x) / (float)(lo < 0 ? lo : hi);
    const float shared = by_error ? fit_scale((fit_data){ n, v->x, v->count }, lo, hi) : by_peak;
    const uint16_t d = fit_half_near(shared);
    fit_codes(n, v->x, (fit_line){ f16_to_f32(d), 0.0f }, lo, hi, codes);
    return d;
}

/* The scale of sub-block s with the least error, which is returned: the integer it was rounded to,
 * or a neighbour; or one of the other sign, where the codes or the integers reach one step
 * further. */
static float settle_scale(fit_data f, int scale_half, int half, k_codes *k, int s)
{
    const float d = f16_to_f32(k->d);
    const int scale = k->scale[s];
    float best = INFINITY;
    for (int i = 0; i < 6; i++) {
        int near = scale + i % 3 - 1;
        int tried = max_int(min_int(i < 3 ? near : -near, scale_half - 1), -scale_half);
        float err = fit_error(f, (fit_line){ d * (float)tried, 0.0f }, -half, half - 1);
        if (!(err < best)) continue;
        best = err;
        k->scale[s] = (int8_t)tried;
    }
    return best;
}

/* The scales of all sub-blocks; returns the error. */
static float settle_scales(fit_data f, const k_values *scales, bool by_error, int scale_half,
                           int half, k_codes *k)
{
    float err = 0.0f;
    k->d = share_scale(16, scales, by_error, -scale_half, scale_half - 1, k->scale);
    for (int s = 0; s < 16; s++)
        err += settle_scale(fit_part(f, 16 * s, 16), scale_half, half, k, s);
    return err;
}

/* Sub-blocks of 16 without minima; scales and codes are symmetric: -scale_half ..
 * scale_half - 1. */
static void code_scales(fit_data f, int scale_half, int half, k_codes *k)
{
    k_values scales;
    k_codes other = { 0 };
    for (int s = 0; s < 16; s++) {
        const fit_data part = fit_part(f, 16 * s, 16);
        const fit_line line = { fit_scale(part, -half, half - 1), 0.0f };
        scales.x[s] = line.scale;
        scales.count[s] = fit_counts(part, line, -half, half - 1).scale;
    }
    const float err = settle_scales(f, &scales, false, scale_half, half, k);
    if (settle_scales(f, &scales, true, scale_half, half, &other) < err) *k = other;
    const float d = f16_to_f32(k->d);
    for (int s = 0; s < 16; s++)
        fit_codes(16, f.x + 16 * s, (fit_line){ d * (float)k->scale[s], 0.0f }, -half, half - 1,
                  k->code + 16 * s);
}

/* How a format divides a super-block into sub-blocks with minima. */
typedef struct {
    int n;         /* weights of a sub-block */
    int scale_max; /* scales and minima are 0..scale_max, */
    int hi;        /* codes 0..hi */
} k_form;

/* Rounding the scale and the minimum of sub-block s each for itself misses the best pair of
 * integers: takes the one with the least error, which is returned, among their neighbours. */
static float settle_line(fit_data f, k_form form, k_codes *k, int s)
{
    const float d = f16_to_f32(k->d), dmin = f16_to_f32(k->dmin);
    const int scale = k->scale[s], min = k->min[s], most = form.scale_max;
    float best = INFINITY;
    for (int i = max_int(scale - 1, 0); i <= min_int(scale + 1, most); i++) {
        for (int j = max_int(min - 2, 0); j <= min_int(min + 2, most); j++) {
            float err = fit_error(f, (fit_line){ d * (float)i, dmin * (float)j }, 0, form.hi);
            if (!(err < best)) continue;
            best = err;
            k->scale[s] = (int8_t)i, k->min[s] = (int8_t)j;
        }
    }
    return best;
}

/* The scales and minima of all sub-blocks; returns the error. */
static float settle_lines(fit_data f, k_form form, const k_values *scales, const k_values *mins,
                          bool by_error, k_codes *k)
{
    const int n_sub = QB_SUPER / form.n;
    float err = 0.0f;
    k->d = share_scale(n_sub, scales, by_error, 0, form.scale_max, k->scale);
    k->dmin = share_scale(n_sub, mins, by_error, 0, form.scale_max, k->min);
    for (int s = 0; s < n_sub; s++)
        err += settle_line(fit_part(f, form.n * s, form.n), form, k, s);
    return err;
}

/* Sub-blocks with minima. */
static void code_lines(fit_data f, k_form form, k_codes *k)
{
    const int n = form.n, n_sub = QB_SUPER / n;
    k_values scales = { 0 }, mins = { 0 };
    k_codes other = { 0 };
    for (int s = 0; s < n_sub; s++) {
        const fit_data part = fit_part(f, n * s, n);
        const fit_line line = fit_scale_min(part, form.hi, true);
        const fit_line counts = fit_counts(part, line, 0, form.hi);
        scales.x[s] = line.scale, scales.count[s] = counts.scale;
        mins.x[s] = line.min, mins.count[s] = counts.min;
    }
    const float err = settle_lines(f, form, &scales, &mins, false, k);
    if (settle_lines(f, form, &scales, &mins, true, &other) < err) *k = other;
    const float d = f16_to_f32(k->d), dmin = f16_to_f32(k->dmin);
    for (int s = 0; s < n_sub; s++)
        fit_codes(n, f.x + n * s, (fit_line){ d * (float)k->scale[s], dmin * (float)k->min[s] }, 0,
                  form.hi, k->code + n * s);
}

void q2_k_write(int64_t n, const float *in, const float *importance, void *row)
{
    block_q2_k *b = row;
    k_codes k;
    for (int64_t i = 0; i < n; i += QB_SUPER, b++) {
        code_lines(fit_data_at(QB_SUPER, in, importance, i), (k_form){ 16, 15, 3 }, &k);
        b->d = k.d;
        b->dmin = k.dmin;
        for (int s = 0; s < 16; s++) b->scale[s] = (uint8_t)(k.scale[s] | k.min[s] << 4);
        for (int h = 0; h < 2; h++) pairs_put(k.code + 128 * h, 0, 0, b->q + 32 * h);
    }
}

void q3_k_write(int64_t n, const float *in, const float *importance, void *row)
{
    block_q3_k *b = row;
    k_codes k;
    for (int64_t i = 0; i < n; i += QB_SUPER, b++) {
        code_scales(fit_data_at(QB_SUPER, in, importance, i), 32, 4, &k);
        b->d = k.d;
        scales_16_put(k.scale, b->scale);
        for (int h = 0; h < 2; h++) pairs_put(k.code + 128 * h, 4, 0, b->q + 32 * h);
        planes_put(k.code, 4, 2, b->qh);
    }
}

void q4_k_write(int64_t n, const float *in, const float *importance, void *row)
{
    block_q4_k *b = row;
    k_codes k;
    for (int64_t i = 0; i < n; i += QB_SUPER, b++) {
        code_lines(fit_data_at(QB_SUPER, in, importance, i), (k_form){ 32, 63, 15 }, &k);
        b->d = k.d;
        b->dmin = k.dmin;
        scales_8_put(k.scale, k.min, b->scale);
        for (int h = 0; h < 4; h++) nibbles_put(32, k.code + 64 * h, 0, b->q + 32 * h);
    }
}

void q5_k_write(int64_t n, const float *in, const float *importance, void *row)
{
    block_q5_k *b = row;
    k_codes k;
    for (int64_t i = 0; i < n; i += QB_SUPER, b++) {
        code_lines(fit_data_at(QB_SUPER, in, importance, i), (k_form){ 32, 63, 31 }, &k);
        b->d = k.d;
        b->dmin = k.dmin;
        scales_8_put(k.scale, k.min, b->scale);
        for (int h = 0; h < 4; h++) nibbles_put(32, k.code + 64 * h, 0, b->q + 32 * h);
        planes_put(k.code, 0, 4, b->qh);
    }
}

void q6_k_write(int64_t n, const float *in, const float *importance, void *row)
{
    block_q6_k *b = row;
    k_codes k;
    for (int64_t i = 0; i < n; i += QB_SUPER, b++) {
        code_scales(fit_data_at(QB_SUPER, in, importance, i), 128, 32, &k);
        b->d = k.d;
        memcpy(b->scale, k.scale, sizeof b->scale);
        for (int h = 0; h < 2; h++) {
            nibbles_put(64, k.code + 128 * h, 32, b->q + 64 * h);
            pairs_put(k.code + 128 * h, 32, 4, b->qh + 32 * h);
        }
    }
}
