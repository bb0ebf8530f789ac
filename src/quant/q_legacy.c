/* q_legacy.c - Q4_0 Q4_1 Q5_0 Q5_1 Q8_0: 32 weights, one half-float scale, plain integers.
 * Layer: quant. Layouts: block.h. */
#include "quant/bits.h"
#include "quant/block.h"
#include "quant/fit.h"
#include "quant/format.h"
#include "quant/q_float.h"
#include <math.h>
#include <string.h>

/* ---- reading -------------------------------------------------------------------------------- */

void q4_0_unpack(int64_t n, const void *row, int8_t *codes, float *scales, float *mins)
{
    (void)mins;
    const block_q4_0 *b = row, *end = b + n / QB_SMALL;
    for (; b < end; b++, codes += QB_SMALL) {
        *scales++ = f16_to_f32(b->d);
        nibbles_get(16, b->q, 8, codes);
    }
}

void q4_1_unpack(int64_t n, const void *row, int8_t *codes, float *scales, float *mins)
{
    const block_q4_1 *b = row, *end = b + n / QB_SMALL;
    for (; b < end; b++, codes += QB_SMALL) {
        *scales++ = f16_to_f32(b->d);
        *mins++ = -f16_to_f32(b->m);
        nibbles_get(16, b->q, 0, codes);
    }
}

/* The 32 five-bit codes of Q5_0 and Q5_1, less `offset`. */
static void unpack_5_bits(const uint8_t *q, uint32_t qh, int offset, int8_t *codes)
{
    uint64_t eight;
    nibbles_get(16, q, 0, codes);
    for (int i = 0; i < 32; i += 8) {
        memcpy(&eight, codes + i, sizeof eight);
        eight |= bits_to_bytes(qh >> i & 255) << 4;
        memcpy(codes + i, &eight, sizeof eight);
    }
    for (int i = 0; i < 32; i++) codes[i] = (int8_t)(codes[i] - offset);
}

void q5_0_unpack(int64_t n, const void *row, int8_t *codes, float *scales, float *mins)
{
    (void)mins;
    const block_q5_0 *b = row, *end = b + n / QB_SMALL;
    for (; b < end; b++, codes += QB_SMALL) {
        *scales++ = f16_to_f32(b->d);
        unpack_5_bits(b->q, b->qh, 16, codes);
    }
}

void q5_1_unpack(int64_t n, const void *row, int8_t *codes, float *scales, float *mins)
{
    const block_q5_1 *b = row, *end = b + n / QB_SMALL;
    for (; b < end; b++, codes += QB_SMALL) {
        *scales++ = f16_to_f32(b->d);
        *mins++ = -f16_to_f32(b->m);
        unpack_5_bits(b->q, b->qh, 0, codes);
    }
}

void q8_0_unpack(int64_t n, const void *row, int8_t *codes, float *scales, float *mins)
{
    (void)mins;
    const block_q8_0 *b = row, *end = b + n / QB_SMALL;
    for (; b < end; b++, codes += QB_SMALL) {
        *scales++ = f16_to_f32(b->d);
        memcpy(codes, b->q, QB_SMALL);
    }
}

/* ---- writing -------------------------------------------------------------------------------- */

static uint32_t bit_4_of(const int8_t *codes, int offset)
{
    uint32_t qh = 0;
    for (int i = 0; i < 32; i++) qh |= (uint32_t)((codes[i] + offset) >> 4 & 1) << i;
    return qh;
}

/* Codes lo .. hi of 32 weights; returns their scale's half float. */
static uint16_t code_scale(fit_data f, int lo, int hi, int8_t *codes)
{
    uint16_t d = fit_half(fit_scale(f, lo, hi));
    fit_codes(QB_SMALL, f.x, (fit_line){ f16_to_f32(d), 0.0f }, lo, hi, codes);
    return d;
}

/* Codes 0 .. hi of 32 weights; scale and offset go to *d and *m. */
static void code_line(fit_data f, int hi, int8_t *codes, uint16_t *d, uint16_t *m)
{
    fit_line line = fit_scale_min(f, hi, false);
    *d = fit_half(line.scale);
    *m = fit_half(-line.min);
    fit_codes(QB_SMALL, f.x, (fit_line){ f16_to_f32(*d), -f16_to_f32(*m) }, 0, hi, codes);
}

void q4_0_write(int64_t n, const float *in, const float *importance, void *row)
{
    block_q4_0 *b = row;
    int8_t codes[QB_SMALL];
    for (int64_t i = 0; i < n; i += QB_SMALL, b++) {
        b->d = code_scale(fit_data_at(QB_SMALL, in, importance, i), -8, 7, codes);
        nibbles_put(16, codes, 8, b->q);
    }
}

void q4_1_write(int64_t n, const float *in, const float *importance, void *row)
{
    block_q4_1 *b = row;
    int8_t codes[QB_SMALL];
    uint16_t d, m;
    for (int64_t i = 0; i < n; i += QB_SMALL, b++) {
        code_line(fit_data_at(QB_SMALL, in, importance, i), 15, codes, &d, &m);
        b->d = d;
        b->m = m;
        nibbles_put(16, codes, 0, b->q);
    }
}

void q5_0_write(int64_t n, const float *in, const float *importance, void *row)
{
    block_q5_0 *b = row;
    int8_t codes[QB_SMALL];
    for (int64_t i = 0; i < n; i += QB_SMALL, b++) {
        b->d = code_scale(fit_data_at(QB_SMALL, in, importance, i), -16, 15, codes);
        b->qh = bit_4_of(codes, 16);
        nibbles_put(16, codes, 16, b->q);
    }
}

void q5_1_write(int64_t n, const float *in, const float *importance, void *row)
{
    block_q5_1 *b = row;
    int8_t codes[QB_SMALL];
    uint16_t d, m;
    for (int64_t i = 0; i < n; i += QB_SMALL, b++) {
        code_line(fit_data_at(QB_SMALL, in, importance, i), 31, codes, &d, &m);
        b->d = d;
        b->m = m;
        b->qh = bit_4_of(codes, 0);
        nibbles_put(16, codes, 0, b->q);
    }
}

/* 8 bits leave nothing to search for: the largest magnitude becomes 127. (ggml takes the codes by
 * the scale before it is rounded: some differ by one, and the error is as small.) */
void q8_0_write(int64_t n, const float *in, const float *importance, void *row)
{
    (void)importance;
    block_q8_0 *b = row, *end = b + n / QB_SMALL;
    for (; b < end; b++, in += QB_SMALL) {
        b->d = fit_half_near(fabsf(fit_peak(QB_SMALL, in)) / 127.0f);
        fit_codes(QB_SMALL, in, (fit_line){ f16_to_f32(b->d), 0.0f }, -127, 127, b->q);
    }
}
