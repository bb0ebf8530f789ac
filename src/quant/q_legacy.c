/* q_legacy.c - Q4_0 Q4_1 Q5_0 Q5_1 Q8_0: 32 weights, one half-float scale, plain integers.
 * Layer: quant. Layouts: block.h. */
#include "quant/bits.h"
#include "quant/block.h"
#include "quant/fit.h"
#include "quant/format.h"
#include "quant/qtype.h"
#include <math.h>
#include <string.h>

void q4_0_unpack(int64_t n, const void *row, int8_t *codes, float *scales, float *mins)
{
    (void)mins;
    const block_q4_0 *b = row;
    for (int64_t ib = 0; ib < n / QB_SMALL; ib++, codes += QB_SMALL) {
        scales[ib] = f16_to_f32(b[ib].d);
        nibbles_get(16, b[ib].q, 8, codes);
    }
}

void q4_1_unpack(int64_t n, const void *row, int8_t *codes, float *scales, float *mins)
{
    const block_q4_1 *b = row;
    for (int64_t ib = 0; ib < n / QB_SMALL; ib++, codes += QB_SMALL) {
        scales[ib] = f16_to_f32(b[ib].d);
        mins[ib] = -f16_to_f32(b[ib].m);
        nibbles_get(16, b[ib].q, 0, codes);
    }
}

/* The 32 five-bit codes of Q5_0 and Q5_1, less `offset`. */
static void unpack_5_bits(const uint8_t *q, uint32_t qh, int offset, int8_t *codes)
{
    for (int i = 0; i < 16; i++) {
        codes[i] = (int8_t)(((q[i] & 15) | (qh >> i & 1) << 4) - offset);
        codes[i + 16] = (int8_t)((q[i] >> 4 | (qh >> (i + 16) & 1) << 4) - offset);
    }
}

void q5_0_unpack(int64_t n, const void *row, int8_t *codes, float *scales, float *mins)
{
    (void)mins;
    const block_q5_0 *b = row;
    for (int64_t ib = 0; ib < n / QB_SMALL; ib++) {
        scales[ib] = f16_to_f32(b[ib].d);
        unpack_5_bits(b[ib].q, b[ib].qh, 16, codes + ib * QB_SMALL);
    }
}

void q5_1_unpack(int64_t n, const void *row, int8_t *codes, float *scales, float *mins)
{
    const block_q5_1 *b = row;
    for (int64_t ib = 0; ib < n / QB_SMALL; ib++) {
        scales[ib] = f16_to_f32(b[ib].d);
        mins[ib] = -f16_to_f32(b[ib].m);
        unpack_5_bits(b[ib].q, b[ib].qh, 0, codes + ib * QB_SMALL);
    }
}

void q8_0_unpack(int64_t n, const void *row, int8_t *codes, float *scales, float *mins)
{
    (void)mins;
    const block_q8_0 *b = row;
    for (int64_t ib = 0; ib < n / QB_SMALL; ib++) {
        scales[ib] = f16_to_f32(b[ib].d);
        memcpy(codes + ib * QB_SMALL, b[ib].q, QB_SMALL);
    }
}

/* Codes 0..15 to nibbles; codes 0..31 to nibbles and their fifth bits. */
static void pack_nibbles(const uint8_t *codes, uint8_t *q)
{
    for (int i = 0; i < 16; i++) q[i] = (uint8_t)((codes[i] & 15) | (codes[i + 16] & 15) << 4);
}

static uint32_t pack_bit_4(const uint8_t *codes)
{
    uint32_t qh = 0;
    for (int i = 0; i < 32; i++) qh |= (uint32_t)(codes[i] >> 4) << i;
    return qh;
}

/* Scale for codes -half .. half - 1, and the codes plus half. Returns the scale's half float. */
static uint16_t code_symmetric(const float *x, int half, uint8_t *codes)
{
    uint16_t d = fit_half(fit_scale(QB_SMALL, x, -half, half - 1));
    float per_step = fit_inverse(f16_to_f32(d));
    for (int i = 0; i < QB_SMALL; i++)
        codes[i] = (uint8_t)(fit_code(x[i] * per_step, -half, half - 1) + half);
    return d;
}

/* Scale *d and offset *m for codes 0 .. hi, and the codes. */
static void code_line(const float *x, int hi, uint8_t *codes, uint16_t *d, uint16_t *m)
{
    fit_line line = fit_scale_min(QB_SMALL, x, hi);
    *d = fit_half(line.scale);
    *m = fit_half(-line.min);
    float per_step = fit_inverse(f16_to_f32(*d)), offset = f16_to_f32(*m);
    for (int i = 0; i < QB_SMALL; i++)
        codes[i] = (uint8_t)fit_code((x[i] - offset) * per_step, 0, hi);
}

void q4_0_write(int64_t n, const float *in, void *row)
{
    block_q4_0 *b = row;
    uint8_t codes[QB_SMALL];
    for (int64_t ib = 0; ib < n / QB_SMALL; ib++) {
        b[ib].d = code_symmetric(in + ib * QB_SMALL, 8, codes);
        pack_nibbles(codes, b[ib].q);
    }
}

void q5_0_write(int64_t n, const float *in, void *row)
{
    block_q5_0 *b = row;
    uint8_t codes[QB_SMALL];
    for (int64_t ib = 0; ib < n / QB_SMALL; ib++) {
        b[ib].d = code_symmetric(in + ib * QB_SMALL, 16, codes);
        b[ib].qh = pack_bit_4(codes);
        pack_nibbles(codes, b[ib].q);
    }
}

void q4_1_write(int64_t n, const float *in, void *row)
{
    block_q4_1 *b = row;
    uint8_t codes[QB_SMALL];
    uint16_t d, m;
    for (int64_t ib = 0; ib < n / QB_SMALL; ib++) {
        code_line(in + ib * QB_SMALL, 15, codes, &d, &m);
        b[ib].d = d;
        b[ib].m = m;
        pack_nibbles(codes, b[ib].q);
    }
}

void q5_1_write(int64_t n, const float *in, void *row)
{
    block_q5_1 *b = row;
    uint8_t codes[QB_SMALL];
    uint16_t d, m;
    for (int64_t ib = 0; ib < n / QB_SMALL; ib++) {
        code_line(in + ib * QB_SMALL, 31, codes, &d, &m);
        b[ib].d = d;
        b[ib].m = m;
        b[ib].qh = pack_bit_4(codes);
        pack_nibbles(codes, b[ib].q);
    }
}

/* 8 bits leave nothing to search for: the largest magnitude becomes 127. */
void q8_0_write(int64_t n, const float *in, void *row)
{
    block_q8_0 *b = row;
    for (int64_t ib = 0; ib < n / QB_SMALL; ib++, in += QB_SMALL) {
        b[ib].d = fit_half(fabsf(fit_peak(QB_SMALL, in)) / 127.0f);
        float per_step = fit_inverse(f16_to_f32(b[ib].d));
        for (int i = 0; i < QB_SMALL; i++)
            b[ib].q[i] = (int8_t)fit_code(in[i] * per_step, -127, 127);
    }
}
