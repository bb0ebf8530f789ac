/* neon_attend.h - NEON: products of keys and values of q8_0 in integers of 16 bits.
 * Layer: kernels. Not a header by itself: neon.c includes it once; see attend_codes.h. */
#include "quant/block.h"

enum { VALUE_QUERIES = 2 };

INLINE void load_codes(const uint8_t *block, int16x8_t v[4])
{
    const int8_t *p = (const int8_t *)block + offsetof(block_q8_0, q);
    UNROLL
    for (int i = 0; i < 4; i += 2) {
        const int8x16_t c = vld1q_s8(p + 8 * i);
        v[i] = vmovl_s8(vget_low_s8(c)), v[i + 1] = vmovl_s8(vget_high_s8(c));
    }
}

/* Keys as they lie: what folds four of them takes three operations. */
typedef struct {
    const uint8_t *rows;
    size_t row_bytes;
} key_codes;

INLINE key_codes load_keys(const uint8_t *rows, size_t row_bytes)
{
    return (key_codes){ rows, row_bytes };
}

INLINE int32x4_t dot_32(const int16x8_t a[4], const int16_t *b)
{
    int16x8_t q = vld1q_s16(b);
    int32x4_t sum = vmull_s16(vget_low_s16(a[0]), vget_low_s16(q));
    sum = vmlal_s16(sum, vget_high_s16(a[0]), vget_high_s16(q));
    UNROLL
    for (int i = 1; i < 4; i++) {
        q = vld1q_s16(b + 8 * i);
        sum = vmlal_s16(sum, vget_low_s16(a[i]), vget_low_s16(q));
        sum = vmlal_s16(sum, vget_high_s16(a[i]), vget_high_s16(q));
    }
    return sum;
}

INLINE void dot_keys(const int nq, const key_codes *k, const int16_t *q, size_t ld_q, v16 *dot)
{
    const uint8_t *row = k->rows;
    UNROLL
    for (int j = 0; j < 16; j += 4) {
        int32x4_t sum[4][4];
        UNROLL
        for (int e = 0; e < 4; e++, row += k->row_bytes) {
            int16x8_t key[4];
            load_codes(row, key);
            UNROLL
            for (int i = 0; i < nq; i++) sum[i][e] = dot_32(key, q + (size_t)i * ld_q);
        }
        UNROLL
        for (int i = 0; i < nq; i++)
            dot[i].q[j / 4] = vcvtq_f32_s32(vpaddq_s32(vpaddq_s32(sum[i][0], sum[i][1]),
                                                       vpaddq_s32(sum[i][2], sum[i][3])));
    }
}

typedef struct {
    int32x4_t q[8];
} value_sums;

INLINE void add_values(const int nq, const uint8_t *rows, size_t row_bytes, const int16_t *w,
                       size_t ld_w, value_sums *sum)
{
    for (size_t j = 0; j < 16; j++, rows += row_bytes) {
        int16x8_t v[4];
        load_codes(rows, v);
        UNROLL
        for (int i = 0; i < nq; i++) {
            const int16_t by = w[(size_t)i * ld_w + j];
            UNROLL
            for (int e = 0; e < 4; e++) {
                int32x4_t *to = &sum[i].q[2 * e];
                to[0] = vmlal_n_s16(to[0], vget_low_s16(v[e]), by);
                to[1] = vmlal_n_s16(to[1], vget_high_s16(v[e]), by);
            }
        }
    }
}

INLINE void value_floats(const value_sums *s, v16 *o)
{
    UNROLL
    for (int i = 0; i < 8; i++) o[i / 4].q[i % 4] = vcvtq_f32_s32(s->q[i]);
}

INLINE int16x4_t to_4_words(float32x4_t x)
{
    return vmovn_s32(vcvtnq_s32_f32(x));
}
INLINE void store_words(int16_t *to, v16 x)
{
    UNROLL
    for (int i = 0; i < 4; i++) vst1_s16(to + 4 * i, to_4_words(x.q[i]));
}
INLINE void store_query(int16_t *to, v16 x)
{
    store_words(to, x);
}
