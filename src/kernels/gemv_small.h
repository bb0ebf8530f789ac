/* gemv_small.h - one token straight from rows of blocks of 32, a block of ROWS rows at a time, for
 * one instruction set, written over vectors of ROWS rows' dwords.
 * Layer: kernels. Not a header: a file includes it once, after the vectors of avx2_vec.h,
 * avx512_vec.h or neon_vec.h. Layouts of the blocks: quant/block.h.
 *
 * What it defines besides:
 *   LEVEL_ZERO, LEVEL_SHIFT   what is added to codes of -127 .. 127, log2(128 / that)
 *   i_dot_2                   two of i_dot added, of codes up to 31
 *   i_dot_levels_2            the same of codes -127 .. 127 + LEVEL_ZERO
 *   i_set_where               `add` added in the bytes where `bits` has the one bit of `which` */
#include "kernels/gemv_super.h"

/* What is particular about such a type; the code is made once for each. */
typedef struct {
    int bytes, shift;
    bool has_min;
    codes (*dots)(const uint8_t *block, size_t step, codes lo, codes hi);
    floats (*scale)(const uint8_t *p, size_t rb);
} small_type;

INLINE floats small_block(const small_type t, floats acc, const uint8_t *p, size_t rb,
                          const act_group *x)
{
    const codes lo = i_repeat(x->q), hi = i_repeat(x->q + 16);
    codes v[4];
    UNROLL
    for (size_t i = 0; i < 4; i++) v[i] = t.dots(p + i * rb, 4 * rb, lo, hi);
    const codes sums = less_zero(net_32_bits(v[0], v[1], v[2], v[3]), x->start_all, t.shift);
    floats d, m = f_set(0);
    if (t.has_min) {
        const codes dm = i_dwords(p, rb);
        d = f_low_halves(dm), m = f_low_halves(i_shr32(dm, 16));
    } else {
        d = t.scale(p, rb);
    }
    floats u = f_mul(d, f_of(sums));
    if (t.has_min) u = f_fma(m, f_set(x->sum_all), u);
    return f_fma(f_set(x->dx), u, acc);
}

INLINE floats small_rows(const small_type t, const rows_args *r)
{
    const uint8_t *p = r->w;
    floats acc = f_set(0);
    for (int ig = 0; ig < r->n_group; ig++, p += t.bytes) {
        prefetch(&r->ahead, (size_t)(p - r->w) * ROWS, t.bytes * ROWS);
        acc = small_block(t, acc, p, r->rb, r->x + ig);
    }
    return acc;
}

INLINE codes q4_1_dots(const uint8_t *block, size_t step, codes lo, codes hi)
{
    const codes q = i_lanes16(block + 4, step);
    return i_dot_2(low4(q), lo, high4(q), hi);
}

/* Nibbles at q with fifth bits in the dword before them. */
INLINE codes fifth_dots(const uint8_t *qh, size_t step, codes lo, codes hi)
{
    static const int8_t first[16] = { 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1 };
    static const int8_t second[16] = { 2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3 };
    static const int8_t bits[16] = { 1, 2, 4, 8, 16, 32, 64, -128, 1, 2, 4, 8, 16, 32, 64, -128 };
    const codes q = i_lanes16(qh + 4, step), h = i_lanes16(qh, step), which = i_repeat(bits);
    const codes a = i_set_where(low4(q), i_table(h, i_repeat(first)), which, 16);
    const codes b = i_set_where(high4(q), i_table(h, i_repeat(second)), which, 16);
    return i_dot_2(a, lo, b, hi);
}
INLINE codes q5_0_dots(const uint8_t *block, size_t step, codes lo, codes hi)
{
    return fifth_dots(block + 2, step, lo, hi);
}
INLINE codes q5_1_dots(const uint8_t *block, size_t step, codes lo, codes hi)
{
    return fifth_dots(block + 4, step, lo, hi);
}

INLINE codes iq4_nl_dots(const uint8_t *block, size_t step, codes lo, codes hi)
{
    const codes q = i_lanes16(block + 2, step), level = iq4_levels(LEVEL_ZERO);
    return i_dot_levels_2(i_table(level, low4(q)), lo, i_table(level, high4(q)), hi);
}
INLINE codes mxfp4_dots(const uint8_t *block, size_t step, codes lo, codes hi)
{
    const codes q = i_lanes16(block + 1, step), level = mxfp4_levels(16);
    return i_dot_2(i_table(level, low4(q)), lo, i_table(level, high4(q)), hi);
}

static const small_type q4_1 = { sizeof(block_q4_1), NO_ZERO, true, q4_1_dots, NULL };
static const small_type q5_0 = { sizeof(block_q5_0), ZERO_16, false, q5_0_dots, f_halves };
static const small_type q5_1 = { sizeof(block_q5_1), NO_ZERO, true, q5_1_dots, NULL };
static const small_type iq4_nl = { sizeof(block_iq4_nl), LEVEL_SHIFT, false, iq4_nl_dots,
                                   f_halves };
static const small_type mxfp4 = { sizeof(block_mxfp4), ZERO_16, false, mxfp4_dots, powers };

GEMV(q4_1, small_rows, no_points)
GEMV(q5_0, small_rows, no_points)
GEMV(q5_1, small_rows, no_points)
GEMV(iq4_nl, small_rows, no_points)
GEMV(mxfp4, small_rows, no_points)

/* Of the table's gemv. */
#define SMALL_SLOTS                                                                                \
    [QT_Q4_1] = gemv_q4_1, [QT_Q5_0] = gemv_q5_0, [QT_Q5_1] = gemv_q5_1,                           \
    [QT_IQ4_NL] = gemv_iq4_nl, [QT_MXFP4] = gemv_mxfp4
