/* neon_gemv.c - NEON with sdot (ARMv8.2 dot product): one token straight from the rows, 4 at once.
 * Layer: kernels. The shape is that of avx512_gemv.c: see there. sdot multiplies signed by signed,
 * so codes are taken as they are, and adds up four products: a row's vector has four sums, which
 * pairwise additions gather into a vector of four rows. */
#include "kernels/neon_vec.h"

enum { LEVEL_ZERO = 0, LEVEL_SHIFT = -1 };

INLINE codes dot_on(codes sum, codes c, codes x)
{
    return vreinterpretq_u8_s32(
        vdotq_s32(vreinterpretq_s32_u8(sum), vreinterpretq_s8_u8(c), vreinterpretq_s8_u8(x)));
}
/* Each dword the sum of four codes times x. */
INLINE codes i_dot(codes c, codes x)
{
    return dot_on(i_set32(0), c, x);
}
INLINE codes i_dot_2(codes c, codes x, codes d, codes y)
{
    return dot_on(i_dot(c, x), d, y);
}
INLINE codes i_dot_levels_2(codes c, codes x, codes d, codes y)
{
    return i_dot_2(c, x, d, y);
}

/* The sums of a's, b's, c's and d's four dwords. */
INLINE codes net_32_bits(codes a, codes b, codes c, codes d)
{
    return FROM32(vpaddq_u32(vpaddq_u32(AS32(a), AS32(b)), vpaddq_u32(AS32(c), AS32(d))));
}
INLINE codes net_16_bits(codes a, codes b, codes c, codes d)
{
    return net_32_bits(a, b, c, d);
}

INLINE codes i_load(const void *p)
{
    return vld1q_u8(p);
}
/* A vector is one lane of 16 bytes. */
INLINE codes i_lanes16(const void *p, size_t step)
{
    (void)step;
    return vld1q_u8(p);
}
INLINE codes i_lanes_at(const int8_t *const p[1])
{
    return i_repeat(p[0]);
}
INLINE void transpose_lanes(codes v[1])
{
    (void)v;
}
INLINE codes i_set_where(codes c, codes bits, codes which, const int add)
{
    return vaddq_u8(c, vandq_u8(vtstq_u8(bits, which), i_set8((char)add)));
}

#include "kernels/gemv_small.h"

/* ---- blocks of 32 ---------------------------------------------------------------------------- */

INLINE codes q4_0_dots(const uint8_t *block, size_t step, codes lo, codes hi)
{
    const codes q = i_lanes16(block + 2, step);
    return i_dot_2(low4(q), lo, high4(q), hi);
}
INLINE codes q8_0_dots(const uint8_t *block, size_t step, codes lo, codes hi)
{
    return i_dot_2(i_lanes16(block + 2, step), lo, i_lanes16(block + 18, step), hi);
}

static const small_type q4_0 = { sizeof(block_q4_0), ZERO_8, false, q4_0_dots, f_halves };
static const small_type q8_0 = { sizeof(block_q8_0), NO_ZERO, false, q8_0_dots, f_halves };

GEMV(q4_0, small_rows, no_points)
GEMV(q8_0, small_rows, no_points)

/* ---- super-blocks ---------------------------------------------------------------------------- */

/* Half s of the activations of a group. */
INLINE codes acts(const act_group *x, int s)
{
    return i_repeat(x->q + 16 * s);
}

/* The sums of a part of a row's super-block, no more than fit the registers with those of three
 * other rows; they go to sum[n_sum * part], ..., which is where lane_of looks for them. */
typedef struct {
    int bytes, n_part, n_sum;
    void (*dots)(const uint8_t *b, const act_group *x, const int part, codes *v);
} in_parts;

INLINE void sums_in_parts(const in_parts t, const rows_args *r, const uint8_t *p,
                          const act_group *x, codes *sum)
{
    const size_t each = (size_t)(t.bytes * ROWS / t.n_part), at = (size_t)(p - r->w) * ROWS;
    UNROLL
    for (int part = 0; part < t.n_part; part++) {
        codes v[ROWS][GROUPS];
        prefetch(&r->ahead, at + (size_t)part * each, each);
        UNROLL
        for (size_t i = 0; i < ROWS; i++) t.dots(p + i * r->rb, x, part, v[i]);
        UNROLL
        for (int s = 0; s < t.n_sum; s++)
            sum[t.n_sum * part + s] = net_32_bits(v[0][s], v[1][s], v[2][s], v[3][s]);
    }
}

/* The slot of such a type: its sums, then its scales. */
#define IN_PARTS(type, n_part, n_sum, ...)                                                         \
    INLINE void type##_sums(const rows_args *r, const uint8_t *p, const act_group *x, codes *sum)  \
    {                                                                                              \
        const in_parts t = { sizeof(block_##type), n_part, n_sum, type##_dots };                   \
        sums_in_parts(t, r, p, x, sum);                                                            \
    }                                                                                              \
    static const super_type type = { .bytes = sizeof(block_##type),                                \
                                     .sums = type##_sums,                                          \
                                     __VA_ARGS__ };                                                \
    GEMV(type, super_rows, no_points)

/* Q4_K, Q5_K: 32 bytes of nibbles at q, two groups; their fifth bits at qh. */
INLINE void k_dots(const uint8_t *q, const uint8_t *qh, const act_group *x, const int part,
                   codes v[2])
{
    UNROLL
    for (int g = 0; g < 2; g++) {
        codes c[2]; /* the halves of the group */
        UNROLL
        for (int s = 0; s < 2; s++) {
            const codes b = i_load(q + 32 * part + 16 * s);
            c[s] = g ? high4(b) : low4(b);
            if (qh) c[s] = i_or(c[s], bit(i_load(qh + 16 * s), 2 * part + g, 4));
        }
        const act_group *xg = x + 2 * part + g;
        v[g] = i_dot_2(c[0], acts(xg, 0), c[1], acts(xg, 1));
    }
}
INLINE void q4_k_dots(const uint8_t *b, const act_group *x, const int part, codes *v)
{
    k_dots(b + 16, NULL, x, part, v);
}
INLINE void q5_k_dots(const uint8_t *b, const act_group *x, const int part, codes *v)
{
    k_dots(b + 48, b + 16, x, part, v);
}
IN_PARTS(q4_k, 4, 2, .shift = NO_ZERO, .n_sub = 1, .has_min = true, .order = BY_GROUP,
         .scales = scales_q4_k)
IN_PARTS(q5_k, 4, 2, .shift = NO_ZERO, .n_sub = 1, .has_min = true, .order = BY_GROUP,
         .scales = scales_q4_k)

/* Bits s, s + 1 of every byte, moved to bits 4 and 5. */
INLINE codes fifth_and_sixth(codes v, const int s)
{
    return i_and(s < 4 ? i_shl16(v, 4 - s) : i_shr16(v, s - 4), i_set8(48));
}
/* Halves `part % 2` of four groups: 128 weights are 64 bytes of nibbles, low and high, and 32. */
INLINE void q6_k_dots(const uint8_t *b, const act_group *x, const int part, codes *v)
{
    const uint8_t *q = b + 64 * (part / 2) + 16 * (part % 2);
    const codes h = i_load(b + 128 + 16 * part);
    UNROLL
    for (int g = 0; g < 4; g++) {
        const codes nibbles = i_load(q + 32 * (g % 2));
        const codes c = i_or(g < 2 ? low4(nibbles) : high4(nibbles), fifth_and_sixth(h, 2 * g));
        v[g] = i_dot(c, acts(x + 4 * (part / 2) + g, part % 2));
    }
}
IN_PARTS(q6_k, 4, 4, .shift = ZERO_32, .n_sub = 2, .order = CRUMBS, .scales = scales_q6_k)

/* Sixteen bytes of a 2-bit array: halves of four groups. */
INLINE codes crumb_acts(const act_group *x, const int part, const int g)
{
    return acts(x + 4 * (part / 2) + g, part % 2);
}
INLINE codes crumbs(codes v, const int g)
{
    return g == 3 ? i_shr8(v, 6) : pair(v, 2 * g);
}
INLINE void q2_k_dots(const uint8_t *b, const act_group *x, const int part, codes *v)
{
    const codes q = i_load(b + 16 + 16 * part);
    UNROLL
    for (int g = 0; g < 4; g++) v[g] = i_dot(crumbs(q, g), crumb_acts(x, part, g));
}
INLINE void q3_k_dots(const uint8_t *b, const act_group *x, const int part, codes *v)
{
    const codes q = i_load(b + 32 + 16 * part), third = i_load(b + 16 * (part % 2));
    UNROLL
    for (int g = 0; g < 4; g++)
        v[g] = i_dot(i_or(crumbs(q, g), bit(third, 4 * (part / 2) + g, 2)), crumb_acts(x, part, g));
}
IN_PARTS(q2_k, 4, 4, .shift = NO_ZERO, .n_sub = 2, .has_min = true, .order = CRUMBS,
         .scales = scales_q2_k)
IN_PARTS(q3_k, 4, 4, .shift = ZERO_4, .n_sub = 2, .order = CRUMBS, .scales = scales_q3_k)

/* Both halves of four groups. */
INLINE void tq2_0_dots(const uint8_t *b, const act_group *x, const int part, codes *v)
{
    const codes q[2] = { i_load(b + 32 * part), i_load(b + 32 * part + 16) };
    UNROLL
    for (int g = 0; g < 4; g++) {
        const act_group *xg = x + 4 * part + g;
        v[g] = i_dot_2(crumbs(q[0], g), acts(xg, 0), crumbs(q[1], g), acts(xg, 1));
    }
}
IN_PARTS(tq2_0, 2, 4, .shift = ZERO_1, .n_sub = 1, .order = BY_GROUP, .scales = scales_tq2_0)

/* Fractions in base 3: how many thirds of 256 they are, then three times as much. */
INLINE codes trits(codes f)
{
    return vsubq_u8(i_set8(0), vaddq_u8(vcgtq_u8(f, i_set8(85)), vcgtq_u8(f, i_set8((char)170))));
}
INLINE codes times_3(codes f)
{
    return i_add8(i_add8(f, f), f);
}
/* A digit of 32 bytes is a group, of the next 16 a half; the last four bytes have four digits. */
INLINE void tq1_0_dots(const uint8_t *b, const act_group *x, const int part, codes *v)
{
    static const uint8_t power[16] = { 1, 1, 1, 1, 3, 3, 3, 3, 9, 9, 9, 9, 27, 27, 27, 27 };
    codes f[3] = { i_load(b), i_load(b + 16), i_load(b + 32) }, d[6];
    uint32_t last;
    (void)part;
    UNROLL
    for (int t = 0; t < 5; t++) {
        v[t] = i_dot_2(trits(f[0]), acts(x + t, 0), trits(f[1]), acts(x + t, 1));
        d[t] = trits(f[2]);
        f[0] = times_3(f[0]), f[1] = times_3(f[1]), f[2] = times_3(f[2]);
    }
    memcpy(&last, b + 48, sizeof last);
    d[5] = trits(vmulq_u8(i_set32((int)last), vld1q_u8(power)));
    UNROLL
    for (int g = 0; g < 3; g++)
        v[5 + g] = i_dot_2(d[2 * g], acts(x + 5 + g, 0), d[2 * g + 1], acts(x + 5 + g, 1));
}
IN_PARTS(tq1_0, 1, 8, .shift = ZERO_1, .n_sub = 1, .order = BY_GROUP, .scales = scales_tq1_0)

/* 16 bytes of nibbles are a group. */
INLINE void iq4_xs_dots(const uint8_t *b, const act_group *x, const int part, codes *v)
{
    const codes level = iq4_levels(0);
    UNROLL
    for (int g = 0; g < 2; g++) {
        const codes q = i_load(b + 8 + 32 * part + 16 * g);
        const act_group *xg = x + 2 * part + g;
        v[g] = i_dot_2(i_table(level, low4(q)), acts(xg, 0), i_table(level, high4(q)), acts(xg, 1));
    }
}
IN_PARTS(iq4_xs, 4, 2, .shift = NO_ZERO, .n_sub = 1, .order = BY_GROUP, .scales = scales_iq4_xs)

const lory_kernels kernels_neon_gemv = {
    .gemv = { SMALL_SLOTS, [QT_Q4_0] = gemv_q4_0, [QT_Q8_0] = gemv_q8_0, [QT_Q2_K] = gemv_q2_k,
              [QT_Q3_K] = gemv_q3_k, [QT_Q4_K] = gemv_q4_k, [QT_Q5_K] = gemv_q5_k,
              [QT_Q6_K] = gemv_q6_k, [QT_IQ4_XS] = gemv_iq4_xs, [QT_TQ1_0] = gemv_tq1_0,
              [QT_TQ2_0] = gemv_tq2_0 },
};
