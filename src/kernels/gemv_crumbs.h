/* gemv_crumbs.h - one token straight from rows of 2-bit arrays, Q2_K, Q3_K and TQ2_0, for one
 * instruction set of x86, written over vectors of ROWS rows' dwords.
 * Layer: kernels. Not a header: avx2_gemv_rare.c, avxvnni_gemv.c and avx512_gemv_rare.c include it
 * once, after the vectors; AVX-512 has Q2_K and Q3_K in avx512_gemv.c. Layouts of the blocks:
 * quant/block.h.
 *
 * A row is a lane. Bytes are transposed as they lie, four codes each, and the sums of products need
 * no network. Codes 1 and 3 of a byte stay two bits too high, and a sum is multiplied by its scale
 * as an integer, 256 times too great: d makes both good. d * (scale * sum) is rounded once as
 * (d * scale) * sum is, since both products in parentheses are exact. What is multiplied
 * fits 16 bits: pairs of Q3_K are 8 * 28 * 127 at most, whole sums, less 4 a code, 16 * 16 * 127.
 *
 * What those files define besides:
 *   i_add_dot                 sum + products of unsigned codes and x: of four in each dword, or,
 *                             where they are IN_PAIRS, of two in each word
 *   i_dot_16                  products of words of a and b, two added in each dword */
#include "kernels/gemv_super.h"

/* The scales and minima of ROWS rows: byte j % 4 of each dword of vector j / 4 for sixteenth j. */
typedef struct {
    codes scale[4], min[4]; /* signed bytes; unsigned ones */
    floats d, dmin;
} crumb_scales;

typedef struct {
    int bytes, q;   /* of a block; where its 2-bit array is */
    bool has_third; /* bits of codes: bit g of the block's byte i is that of weight 32 g + i */
    bool has_min;
    int n_sub;
    int shift; /* ZERO_1, ZERO_4 or NO_ZERO */
    void (*scales)(const uint8_t *p, size_t rb, crumb_scales *s);
} crumb_type;

/* v[c] += field c of four bytes of each row, with the third bits in `high` from bit `first` on,
 * times the activations from the i-th on of group c. */
INLINE void add_fields(const crumb_type t, codes q, codes high, const int first,
                       const act_group x[4], const int i, codes v[4])
{
    UNROLL
    for (int c = 0; c < 4; c++) {
        const int up = 2 * (c % 2);
        codes field = i_and(c < 2 ? q : i_shr16(q, 4), i_set8((char)(3 << up)));
        if (t.has_third) field = i_or(field, bit(high, first + c, 2 + up));
        v[c] = i_add_dot(v[c], field, i_set32(load_i32((const uint8_t *)x[c].q + i)));
    }
}

/* Byte k of each dword as the upper byte of its words that hold sums: of both, or of the lower. */
INLINE codes scale_words(codes scales, const int k)
{
    enum { SECOND = IN_PAIRS ? 0 : -128 }; /* less than 0: no byte */
#define UPPER(k) -1, k, -1, k + SECOND
#define ROW(k)   { UPPER(k), UPPER(k + 4), UPPER(k + 8), UPPER(k + 12) }
    static const int8_t at[4][16] = { ROW(0), ROW(1), ROW(2), ROW(3) };
#undef ROW
#undef UPPER
    return i_table(scales, i_repeat(at[k]));
}

/* Where the sums of half s begin: at -zero * xsum, four times that in odd groups. */
INLINE codes half_start(const crumb_type t, const act_group *x, const int s, const int odd)
{
    const int shift = t.shift - 2 * odd;
    if (t.shift == NO_ZERO) return i_set32(0);
    if (!IN_PAIRS) return i_sra32(i_set32(x->start[s]), shift);
    codes start = i_set32(load_i32((const void *)x->pairs_0)); /* ACT_PAIR_ZERO is 128 >> 2 */
    if (s == 1) start = i_sub16(i_set32(load_i32((const void *)x->pairs_all)), start);
    return i_sra16(start, shift - 2);
}

/* sum[j] = 256 * scale * the sum of sixteenth j, four times that in odd groups. */
INLINE void crumb_sums(const crumb_type t, const rows_args *r, const uint8_t *p, const act_group *x,
                       const codes scale[4], codes sum[2 * GROUPS])
{
    const codes one = i_set32(IN_PAIRS ? 0x01000100 : 0x0100);
    const size_t each = (size_t)t.bytes * ROWS / 4, at = (size_t)(p - r->w) * ROWS;
    UNROLL
    for (int s = 0; s < 2; s++) {
        codes high[4] = { 0 };
        if (t.has_third) i_rows16(p + 16 * s, r->rb, high);
        UNROLL
        for (int g = 0; g < GROUPS; g += 4) {
            codes q[4], v[4];
            prefetch(&r->ahead, at + (size_t)(2 * s + g / 4) * each, each);
            i_rows16(p + t.q + 8 * g + 16 * s, r->rb, q);
            UNROLL
            for (int c = 0; c < 4; c++) v[c] = half_start(t, x + g + c, s, c % 2);
            UNROLL
            for (int i = 0; i < 4; i++)
                add_fields(t, q[i], high[i], g, x + g, 16 * s + 4 * i, v);
            UNROLL
            for (int c = 0; c < 4; c++) {
                const int j = 2 * (g + c) + s;
                sum[j] = i_dot_16(v[c], t.n_sub == 2 ? scale_words(scale[j / 4], j % 4) : one);
            }
        }
    }
}

INLINE floats crumb_group(const crumb_type t, floats acc, const codes sum[2], floats d,
                          const crumb_scales *sc, const int g, const act_group *x)
{
    const int n_min = t.has_min ? 2 : 0;
    floats u;
    if (t.n_sub == 1)
        u = f_mul(d, f_of(i_add32(sum[0], sum[1])));
    else
        u = f_fma(d, f_of(sum[1]), f_mul(d, f_of(sum[0])));
    UNROLL
    for (int s = 0; s < n_min; s++) {
        const floats min = f_mul(sc->dmin, byte_f32(sc->min[g / 2], 2 * (g % 2) + s));
        u = f_fnma(min, f_set(act_half_sum(x, s)), u);
    }
    return f_fma(f_set(x->dx), u, acc);
}

INLINE floats crumb_rows(const crumb_type t, const rows_args *r)
{
    const uint8_t *p = r->w;
    floats acc = f_set(0);
    for (int ig = 0; ig < r->n_group; ig += GROUPS, p += t.bytes) {
        const act_group *x = r->x + ig;
        crumb_scales s;
        codes sum[2 * GROUPS];
        t.scales(p, r->rb, &s);
        crumb_sums(t, r, p, x, s.scale, sum);
        const floats d[2] = { f_mul(s.d, f_set(0x1p-8f)), f_mul(s.d, f_set(0x1p-10f)) };
        UNROLL
        for (int g = 0; g < GROUPS; g++)
            acc = crumb_group(t, acc, sum + 2 * g, d[g % 2], &s, g, x + g);
    }
    return acc;
}

INLINE void q2_k_crumb_scales(const uint8_t *p, size_t rb, crumb_scales *s)
{
    const codes dm = i_dwords(p + 80, rb);
    codes b[4];
    i_rows16(p, rb, b);
    UNROLL
    for (int i = 0; i < 4; i++) s->scale[i] = low4(b[i]), s->min[i] = high4(b[i]);
    s->d = f_low_halves(dm), s->dmin = f_low_halves(i_shr32(dm, 16));
}

INLINE void q3_k_crumb_scales(const uint8_t *p, size_t rb, crumb_scales *s)
{
    s->d = q3_k_scale_bytes(p, rb, s->scale);
    UNROLL
    for (int i = 0; i < 4; i++) s->scale[i] = i_sub8(s->scale[i], i_set8(32));
}

INLINE void tq2_0_crumb_scales(const uint8_t *p, size_t rb, crumb_scales *s)
{
    s->d = f_halves(p + 64, rb);
}

static const crumb_type q2_k = { .bytes = sizeof(block_q2_k),
                                 .q = 16,
                                 .has_min = true,
                                 .n_sub = 2,
                                 .shift = NO_ZERO,
                                 .scales = q2_k_crumb_scales };
static const crumb_type q3_k = { .bytes = sizeof(block_q3_k),
                                 .q = 32,
                                 .has_third = true,
                                 .n_sub = 2,
                                 .shift = ZERO_4,
                                 .scales = q3_k_crumb_scales };
static const crumb_type tq2_0 = { .bytes = sizeof(block_tq2_0),
                                  .n_sub = 1,
                                  .shift = ZERO_1,
                                  .scales = tq2_0_crumb_scales };
