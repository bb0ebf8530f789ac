/* gemv_rows.h - one token straight from the rows of the less common types, for one instruction set
 * of x86, written over vectors of ROWS rows' dwords.
 * Layer: kernels. Not a header: avx2_gemv_rare.c, avxvnni_gemv.c and avx512_gemv_rare.c include it
 * once. The shape is that of avx512_gemv.c: see there. Layouts of the blocks: quant/block.h.
 *
 * What they define besides the vectors of avx2_vec.h or avx512_vec.h and what gemv_small.h wants:
 *   i_repeat32                32 bytes, as often as they fit
 *   i_trits                   0, 1, 2: how many thirds of 256 a byte + 128 has
 *   i_halves_at               32 bytes at p and, where they fit, at p + step
 *   i_lanes_dword             the dword at p, four times; that at p + step, ...
 *   i_add_halves              of such halves of a, then of b: the sums of two lanes */
#include "kernels/gemv_small.h"
#include "kernels/gemv_super.h"

/* ---- four bits, ternary ------------------------------------------------------------ */

INLINE void iq4_xs_dots(const uint8_t *b, const codes x[N_VEC], codes v[N_VEC])
{
    const codes level = iq4_levels(LEVEL_ZERO);
    UNROLL
    for (int j = 0; j < N_VEC / 2; j++) {
        const codes q = i_load(b + 8 + VB * j);
        v[j] = i_dot_levels_2(i_table(level, low4(q)), x[2 * j], i_table(level, high4(q)),
                              x[2 * j + 1]);
    }
}

/* Fractions in base 3, less 128: a signed byte. */
INLINE codes first_trits(codes q)
{
    return i_xor(q, i_set8((char)128));
}
/* Fractions without their first digits: 3 (f - 128) is 3 f - 128, modulo 256. */
INLINE codes next_trits(codes f)
{
    return i_add8(i_add8(f, f), f);
}
INLINE codes next_trits_where(codes f, codes mask)
{
    return i_add8(f, i_and(i_add8(f, f), mask));
}

/* The first five groups: 32 bytes of two rows, or of one, in a vector. v[t][i]: the sums of group t
 * in row first + i, and four rows on. */
INLINE void tq1_0_bytes(const uint8_t *p, size_t rb, const codes x[5], codes v[5][4])
{
    UNROLL
    for (size_t i = 0; i < 4; i++) {
        codes f = first_trits(i_halves_at(p + i * rb, 4 * rb));
        UNROLL
        for (int t = 0; t < 5; t++) {
            v[t][i] = i_dot(i_trits(f), x[t]);
            if (t < 4) f = next_trits(f);
        }
    }
}

/* The last three: 16 bytes and 4 of LANES rows, a row a lane. */
INLINE void tq1_0_rest(const uint8_t *p, size_t step, const codes x[6], codes v[3])
{
    static const int32_t odd[4] = { 0, -1, 0, -1 }, upper[4] = { 0, 0, -1, -1 };
    codes f = first_trits(i_lanes16(p + 32, step));
    codes last = first_trits(i_lanes_dword(p + 48, step));
    UNROLL
    for (int t = 0; t < 5; t++, f = next_trits(f)) {
        codes d = i_dot(i_trits(f), x[t]);
        v[t / 2] = t % 2 ? i_add32(v[t / 2], d) : d;
    }
    last = next_trits_where(last, i_repeat((const void *)odd));
    last = next_trits_where(last, i_repeat((const void *)upper));
    last = next_trits_where(last, i_repeat((const void *)upper));
    v[2] = i_add32(v[2], i_dot(i_trits(last), x[5]));
}

INLINE void tq1_0_sums(const rows_args *r, const uint8_t *p, const act_group *x,
                       codes sum[N_VEC * LANES])
{
    enum { BYTES = sizeof(block_tq1_0), HALF = ROWS / 2 };
    const size_t at = (size_t)(p - r->w) * ROWS, rb = r->rb;
    codes x32[5], x16[6], v[5][4], n[5][2], w[4][3];
    UNROLL
    for (int t = 0; t < 5; t++) x32[t] = i_repeat32(x[t].q);
    UNROLL
    for (int t = 0; t < 6; t++) x16[t] = i_repeat(x[5 + t / 2].q + 16 * (t % 2));
    UNROLL
    for (size_t h = 0; h < 2; h++) {
        prefetch(&r->ahead, at + h * HALF * BYTES, HALF * BYTES);
        tq1_0_bytes(p + h * HALF * rb, rb, x32, v);
        UNROLL
        for (int t = 0; t < 5; t++) n[t][h] = net_16_bits(v[t][0], v[t][1], v[t][2], v[t][3]);
    }
    UNROLL
    for (int t = 0; t < 5; t++) sum[t] = i_add_halves(n[t][0], n[t][1]);
    UNROLL
    for (size_t i = 0; i < 4; i++) tq1_0_rest(p + i * rb, 4 * rb, x16, w[i]);
    UNROLL
    for (int t = 0; t < 3; t++) sum[5 + t] = net_16_bits(w[0][t], w[1][t], w[2][t], w[3][t]);
}

static const super_type iq4_xs = { .bytes = sizeof(block_iq4_xs),
                                   .shift = LEVEL_SHIFT,
                                   .n_sub = 1,
                                   .order = NIBBLES,
                                   .dots = iq4_xs_dots,
                                   .scales = scales_iq4_xs };
static const super_type tq1_0 = { .bytes = sizeof(block_tq1_0),
                                  .shift = ZERO_1,
                                  .n_sub = 1,
                                  .order = BY_GROUP,
                                  .scales = scales_tq1_0,
                                  .sums = tq1_0_sums };

/* ---- the slots ------------------------------------------------------------------------------- */

GEMV(iq4_xs, super_rows, no_points)
GEMV(tq1_0, super_rows, no_points)

/* Of the table's gemv. */
#define ROW_SLOTS                                                                                  \
    SMALL_SLOTS, [QT_IQ4_XS] = gemv_iq4_xs, [QT_TQ1_0] = gemv_tq1_0
