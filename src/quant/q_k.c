/* q_k.c - Q2_K Q3_K Q4_K Q5_K Q6_K: 256 weights in sub-blocks of 16 or 32, whose scales (and
 * minima) are themselves small integers times one or two half floats.
 * Layer: quant. Layouts: block.h. */
#include "quant/bits.h"
#include "quant/block.h"
#include "quant/fit.h"
#include "quant/format.h"
#include "quant/qtype.h"

/* ---- the packed scales ---------------------------------------------------------------------- */

/* Q3_K: 16 scales of 6 bits, -32..31. */
static void scales_16_get(const uint8_t *packed, int8_t scale[16])
{
    nibbles_get(8, packed, 0, scale);
    for (int s = 0; s < 16; s++)
        scale[s] = (int8_t)((scale[s] | (packed[8 + s % 4] >> 2 * (s / 4) & 3) << 4) - 32);
}

/* Q4_K, Q5_K: 8 scales and 8 minima of 6 bits. */
static void scales_8_get(const uint8_t *packed, uint8_t scale[8], uint8_t min[8])
{
    for (int s = 0; s < 4; s++) {
        scale[s] = packed[s] & 63;
        min[s] = packed[s + 4] & 63;
        scale[s + 4] = (uint8_t)((packed[s + 8] & 15) | packed[s] >> 6 << 4);
        min[s + 4] = (uint8_t)(packed[s + 8] >> 4 | packed[s + 4] >> 6 << 4);
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
        for (int i = 0; i < QB_SUPER; i++)
            codes[i] = (int8_t)(codes[i] + ((b->qh[i % 32] >> i / 32 & 1) << 2));
    }
}

/* The scales and minima of Q4_K and Q5_K, eight of each. */
static void scale_8(float d, float dmin, const uint8_t *packed, float *scales, float *mins)
{
    uint8_t scale[8], min[8];
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
        for (int i = 0; i < QB_SUPER; i++)
            codes[i] = (int8_t)(codes[i] | (b->qh[i % 32] >> i / 32 & 1) << 4);
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
