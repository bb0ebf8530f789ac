/* gemv_rows.h - one token straight from the rows of the less common types, for one instruction set,
 * written over vectors of ROWS rows' dwords.
 * Layer: kernels. Not a header: avx2_gemv_rare.c and avx512_gemv_rare.c include it once. The shape
 * is that of avx512_gemv.c: see there. Layouts of the blocks: quant/block.h.
 *
 * What they define besides the vectors of avx2_vec.h or avx512_vec.h:
 *   LEVEL_ZERO, LEVEL_SHIFT   what is added to codes of -127 .. 127, log2(128 / that)
 *   i_load, f_load            (f_load aligned)
 *   i_lanes_at                16 bytes at each pointer
 *   i_dot                     each dword the sum of four unsigned codes, at most 63, times x
 *   i_dot_2                   two of them added, of codes up to 31
 *   i_dot_levels_2            the same of codes -127 .. 127 + LEVEL_ZERO
 *   i_signed                  x with byte i negated where bit i from `signs` on is set
 *   i_set_where               `add` added in the bytes where `bits` has the one bit of `which`
 *   i_upper_shr4              64 bytes, of which this is vector l: p's 32, and they shifted by 4
 *   i_trits                   the first digits in base 3 of fractions
 *   i_join                    vector j of an array of 32 bytes each */
#include "kernels/gemv.h"

enum {
    VB = 4 * ROWS,    /* bytes of a vector */
    LANES = ROWS / 4, /* of 16 bytes */
    N_VEC = QB_SUPER / VB,
    NO_ZERO = -1
};

/* log2(128 / zero) of codes that are stored zero too great; LEVEL_SHIFT is the file's. */
enum { ZERO_16 = 3, ZERO_4 = 5, ZERO_1 = 7 };

/* start_all and start of the activations say -128 * sum: -zero * sum. */
INLINE codes less_zero(codes sums, int start, const int shift)
{
    return shift == NO_ZERO ? sums : i_add32(sums, i_set32(start >> shift));
}

/* ---- blocks of 32: one block of ROWS rows at a time, a row a lane ---------------------------- */

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

/* ---- super-blocks ---------------------------------------------------------------------------- */

/* Which 16 weights of a super-block lie in a lane of a vector of codes: as they are numbered; as
 * the 2-bit arrays have them; the low, then the high nibbles of each vector of bytes, which are
 * halves of one group and are added before the network. */
typedef enum { IN_ORDER, CRUMBS, NIBBLES } code_order;

/* The sixteenth in lane l of vector v. */
INLINE int sixteenth_at(code_order o, int v, int l)
{
    const int at = LANES * (v / 4) + l; /* of a 2-bit array's 64 bytes */
    switch (o) {
    case CRUMBS: return 2 * (4 * (at / 2) + v % 4) + at % 2;
    case NIBBLES: return 2 * (LANES * (v / 2) + l) + v % 2;
    default: return LANES * v + l;
    }
}
/* Where the sum of sixteenth i is, counted in lanes; NIBBLES: of group i. */
INLINE int lane_of(code_order o, int i)
{
    const int at = 2 * (i / 8) + i % 2; /* of a 2-bit array's 64 bytes */
    return o == CRUMBS ? LANES * (4 * (at / LANES) + i / 2 % 4) + at % LANES : i;
}

/* The points of a row's block in its codebook, and a bit of each weight: it is negative. */
typedef struct {
    _Alignas(32) uint16_t at[QB_SUPER / 4];
    uint8_t signs[QB_SUPER / 8];
} lookups;

typedef struct {
    int bytes, shift, n_sub;
    bool has_min;
    bool fits_16; /* the sums of eight products */
    code_order order;
    /* The sums of four products of a row, from the vectors of activations in that order. */
    void (*dots)(const uint8_t *block, const codes x[N_VEC], codes v[N_VEC]);
    void (*scales)(uint8_t *to, size_t stride, const uint8_t *p, size_t rb);
    /* Codebooks, in place of dots: which points; then their sums. */
    void (*lookups)(const uint8_t *block, lookups *l);
    void (*look_up)(const void *grid, const lookups *l, const codes x[N_VEC], codes v[N_VEC]);
} super_type;

INLINE void super_acts(const super_type t, const act_group *x, codes xs[N_VEC])
{
    UNROLL
    for (int v = 0; v < N_VEC; v++) {
        const int8_t *at[LANES];
        UNROLL
        for (int l = 0; l < LANES; l++) {
            const int i = sixteenth_at(t.order, v, l);
            at[l] = x[i / 2].q + 16 * (i % 2);
        }
        xs[v] = i_lanes_at(at);
    }
}

/* The sums of ROWS rows, by lane_of; at: how far the block is in the bytes of these rows. */
INLINE void super_sums(const super_type t, const rows_args *r, const uint8_t *p, const act_group *x,
                       codes sum[N_VEC * LANES])
{
    const int n_vec = t.order == NIBBLES ? N_VEC / 2 : N_VEC;
    const size_t at = (size_t)(p - r->w) * ROWS;
    codes xs[N_VEC];
    lookups l[ROWS]; /* made before they are used: a row's would wait for each other */
    if (t.lookups)
        for (size_t i = 0; i < ROWS; i++) t.lookups(p + i * r->rb, l + i);
    super_acts(t, x, xs);
    for (size_t g = 0; g < LANES; g++) { /* four rows; some lines before each */
        codes v[4][N_VEC];
        UNROLL
        for (size_t i = 0; i < 4; i++) {
            prefetch(&r->ahead, at + (4 * g + i) * (size_t)t.bytes, t.bytes);
            if (t.lookups)
                t.look_up(r->grid, l + 4 * g + i, xs, v[i]);
            else
                t.dots(p + (4 * g + i) * r->rb, xs, v[i]);
        }
        UNROLL
        for (int j = 0; j < n_vec; j++)
            sum[LANES * j + (int)g] = t.fits_16 ? net_16_bits(v[0][j], v[1][j], v[2][j], v[3][j])
                                                : net_32_bits(v[0][j], v[1][j], v[2][j], v[3][j]);
    }
    for (int j = 0; j < n_vec; j++) transpose_lanes(sum + LANES * j);
}

/* scale * (the sum of half s, or of both when there is one scale); sc: the scales of the group. */
INLINE floats super_term(const super_type t, const codes *sum, int g, const act_group *x, int s)
{
    if (t.n_sub == 2)
        return f_of(less_zero(sum[lane_of(t.order, 2 * g + s)], x->start[s], t.shift));
    if (t.order == NIBBLES) return f_of(less_zero(sum[g], x->start_all, t.shift));
    codes both = i_add32(sum[lane_of(t.order, 2 * g)], sum[lane_of(t.order, 2 * g + 1)]);
    return f_of(less_zero(both, x->start_all, t.shift));
}

INLINE floats super_rows(const super_type t, const rows_args *r)
{
    enum { MOST = 4 * GROUPS };
    const size_t stride = (size_t)(t.n_sub * (t.has_min ? 2 : 1) * FLOATS);
    const uint8_t *p = r->w;
    floats acc = f_set(0);
    for (int ig = 0; ig < r->n_group; ig += GROUPS, p += t.bytes) {
        _Alignas(64) uint8_t scale[MOST * FLOATS];
        codes sum[N_VEC * LANES];
        t.scales(scale, stride, p, r->rb);
        super_sums(t, r, p, r->x + ig, sum);
        for (int g = 0; g < GROUPS; g++) {
            const act_group *x = r->x + ig + g;
            const uint8_t *sc = scale + (size_t)g * stride;
            floats u = f_mul(f_load(sc), super_term(t, sum, g, x, 0));
            if (t.n_sub == 2) u = f_fma(f_load(sc + FLOATS), super_term(t, sum, g, x, 1), u);
            if (t.has_min)
                for (int s = 0; s < t.n_sub; s++)
                    u = f_fnma(f_load(sc + (t.n_sub + s) * FLOATS), f_set(act_half_sum(x, s)), u);
            acc = f_fma(f_set(x->dx), u, acc);
        }
    }
    return acc;
}

/* ---- two and three bits, ternary, four bits -------------------------------------------------- */

/* The 2-bit array at q. */
INLINE void crumb_dots(const uint8_t *q, const codes x[N_VEC], codes v[N_VEC])
{
    UNROLL
    for (int j = 0; j < N_VEC; j++) v[j] = i_dot(pair(i_load(q + VB * (j / 4)), 2 * (j % 4)), x[j]);
}

INLINE void q2_k_dots(const uint8_t *b, const codes x[N_VEC], codes v[N_VEC])
{
    crumb_dots(b + 16, x, v);
}
INLINE void tq2_0_dots(const uint8_t *b, const codes x[N_VEC], codes v[N_VEC])
{
    crumb_dots(b, x, v);
}
INLINE void q3_k_dots(const uint8_t *b, const codes x[N_VEC], codes v[N_VEC])
{
    UNROLL
    for (int j = 0; j < N_VEC; j++) {
        const codes third = i_upper_shr4(b, j / 4), q = i_load(b + 32 + VB * (j / 4));
        v[j] = i_dot(i_or(pair(q, 2 * (j % 4)), bit(third, j % 4, 2)), x[j]);
    }
}

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

/* 3 times each byte; 9 times. */
INLINE __m256i thrice(__m256i v)
{
    return _mm256_add_epi8(_mm256_add_epi8(v, v), v);
}
INLINE __m256i by_9(__m256i v)
{
    return thrice(thrice(v));
}

/* The fractions of a block whose first digits are the codes of group g: f[g]. */
INLINE void tq1_0_fractions(const uint8_t *b, __m256i f[GROUPS])
{
    const __m128i q = load16(b + 32), last = _mm_set1_epi32(load_i32(b + 48));
    f[0] = _mm256_loadu_si256((const void *)b);
    UNROLL
    for (int g = 1; g < 5; g++) f[g] = thrice(f[g - 1]);
    f[5] = _mm256_set_m128i(_mm_add_epi8(_mm_add_epi8(q, q), q), q);
    f[6] = by_9(f[5]), f[7] = by_9(f[6]);
    /* four bytes times 1, 3, 9, 27 */
    __m128i w = _mm_blend_epi32(last, _mm_add_epi8(_mm_add_epi8(last, last), last), 10);
    __m128i w9 = _mm256_castsi256_si128(by_9(_mm256_castsi128_si256(w)));
    f[7] = _mm256_inserti128_si256(f[7], _mm_blend_epi32(w, w9, 12), 1);
}

INLINE void tq1_0_dots(const uint8_t *b, const codes x[N_VEC], codes v[N_VEC])
{
    __m256i f[GROUPS];
    tq1_0_fractions(b, f);
    UNROLL
    for (int j = 0; j < N_VEC; j++) v[j] = i_dot(i_trits(i_join(f, j)), x[j]);
}

static const super_type q2_k = { sizeof(block_q2_k), NO_ZERO,     2,    true, true, CRUMBS,
                                 q2_k_dots,          scales_q2_k, NULL, NULL };
static const super_type q3_k = { sizeof(block_q3_k), ZERO_4,      2,    false, true, CRUMBS,
                                 q3_k_dots,          scales_q3_k, NULL, NULL };
static const super_type iq4_xs = { sizeof(block_iq4_xs), LEVEL_SHIFT,   1,    false, false, NIBBLES,
                                   iq4_xs_dots,          scales_iq4_xs, NULL, NULL };
static const super_type tq2_0 = { sizeof(block_tq2_0), ZERO_1,       1,    false, true, CRUMBS,
                                  tq2_0_dots,          scales_tq2_0, NULL, NULL };
static const super_type tq1_0 = { sizeof(block_tq1_0), ZERO_1,       1,    false, true, IN_ORDER,
                                  tq1_0_dots,          scales_tq1_0, NULL, NULL };

/* ---- codebooks ------------------------------------------------------------------------------- */

/* The points of the codebook, expanded to a byte a weight, lie in the thread's scratch. Gathers
 * took longer than loads one by one (10.6 against 3 ns for 64 weights, Cascade Lake). */

/* Four points of eight weights, eight of four. Loads that broadcast and blends take any port, where
 * insertions wait for one. */
INLINE __m256i points_8(const uint64_t *grid, const uint16_t *at)
{
    __m256i v = _mm256_set1_epi64x((long long)grid[at[0]]);
    v = _mm256_blend_epi32(v, _mm256_set1_epi64x((long long)grid[at[1]]), 0x0c);
    v = _mm256_blend_epi32(v, _mm256_set1_epi64x((long long)grid[at[2]]), 0x30);
    return _mm256_blend_epi32(v, _mm256_set1_epi64x((long long)grid[at[3]]), 0xc0);
}
INLINE __m256i points_4(const uint32_t *grid, const uint16_t *at)
{
    __m256i v = _mm256_set1_epi32((int)grid[at[0]]);
    v = _mm256_blend_epi32(v, _mm256_set1_epi32((int)grid[at[1]]), 1 << 1);
    v = _mm256_blend_epi32(v, _mm256_set1_epi32((int)grid[at[2]]), 1 << 2);
    v = _mm256_blend_epi32(v, _mm256_set1_epi32((int)grid[at[3]]), 1 << 3);
    v = _mm256_blend_epi32(v, _mm256_set1_epi32((int)grid[at[4]]), 1 << 4);
    v = _mm256_blend_epi32(v, _mm256_set1_epi32((int)grid[at[5]]), 1 << 5);
    v = _mm256_blend_epi32(v, _mm256_set1_epi32((int)grid[at[6]]), 1 << 6);
    return _mm256_blend_epi32(v, _mm256_set1_epi32((int)grid[at[7]]), 1 << 7);
}

/* Vector j of the codes of a row. */
INLINE codes codes_8(const uint64_t *grid, const lookups *l, const int j)
{
    __m256i f[VB / 32];
    UNROLL
    for (int i = 0; i < VB / 32; i++) f[i] = points_8(grid, l->at + VB / 8 * j + 4 * i);
    return i_join(f, 0);
}
INLINE codes codes_4(const uint32_t *grid, const lookups *l, const int j)
{
    __m256i f[VB / 32];
    UNROLL
    for (int i = 0; i < VB / 32; i++) f[i] = points_4(grid, l->at + VB / 4 * j + 8 * i);
    return i_join(f, 0);
}

/* The signs of weights go to the activations. */
INLINE void signed_8_dots(const void *grid, const lookups *l, const codes x[N_VEC], codes v[N_VEC])
{
    UNROLL
    for (int j = 0; j < N_VEC; j++)
        v[j] = i_dot(codes_8(grid, l, j), i_signed(x[j], l->signs + VB / 8 * j));
}
INLINE void signed_4_dots(const void *grid, const lookups *l, const codes x[N_VEC], codes v[N_VEC])
{
    UNROLL
    for (int j = 0; j < N_VEC; j++)
        v[j] = i_dot(codes_4(grid, l, j), i_signed(x[j], l->signs + VB / 8 * j));
}
INLINE void plain_8_dots(const void *grid, const lookups *l, const codes x[N_VEC], codes v[N_VEC])
{
    UNROLL
    for (int j = 0; j < N_VEC; j++) v[j] = i_dot(codes_8(grid, l, j), x[j]);
}

/* Points of two bits a weight from n packed ones, by the level of each code; more: added to all. */
INLINE void expand_8(uint64_t *to, const uint16_t *grid, int n, const int8_t levels[16], int more)
{
    const __m256i level =
        _mm256_add_epi8(_mm256_broadcastsi128_si256(load16(levels)), _mm256_set1_epi8((char)more));
    for (int i = 0; i < n; i += 4) {
        __m256i v = _mm256_cvtepu16_epi64(_mm_loadl_epi64((const void *)(grid + i)));
        v = _mm256_or_si256(v, _mm256_slli_epi64(v, 24));
        v = _mm256_and_si256(v, _mm256_set1_epi64x(0x000000ff000000ff));
        v = _mm256_or_si256(v, _mm256_slli_epi64(v, 12));
        v = _mm256_and_si256(v, _mm256_set1_epi32(0x000f000f));
        v = _mm256_or_si256(v, _mm256_slli_epi64(v, 6));
        v = _mm256_and_si256(v, _mm256_set1_epi8(3));
        _mm256_store_si256((void *)(to + i), _mm256_shuffle_epi8(level, v));
    }
}
/* Three bits a weight. */
INLINE void expand_4(uint32_t *to, const uint16_t *grid, int n, const int8_t levels[16])
{
    const __m256i level = _mm256_broadcastsi128_si256(load16(levels));
    for (int i = 0; i < n; i += 8) {
        __m256i v = _mm256_cvtepu16_epi32(load16(grid + i));
        v = _mm256_or_si256(v, _mm256_slli_epi32(v, 10));
        v = _mm256_and_si256(v, _mm256_set1_epi32(0x003f003f));
        v = _mm256_or_si256(v, _mm256_slli_epi32(v, 5));
        v = _mm256_and_si256(v, _mm256_set1_epi8(7));
        _mm256_store_si256((void *)(to + i), _mm256_shuffle_epi8(level, v));
    }
}

INLINE __m256i and_16(__m256i v, int bits)
{
    return _mm256_and_si256(v, _mm256_set1_epi16((short)bits));
}
/* 16 bytes as words. */
INLINE __m256i words_of(const uint8_t *p)
{
    return _mm256_cvtepu8_epi16(load16(p));
}
/* The eight bytes at p in both lanes, by `order`. */
INLINE __m256i spread(const uint8_t *p, __m256i order)
{
    return _mm256_shuffle_epi8(_mm256_broadcastq_epi64(_mm_loadl_epi64((const void *)p)), order);
}
INLINE void put_at(uint16_t *at, __m256i index)
{
    _mm256_store_si256((void *)at, index);
}

INLINE void copy_signs(lookups *l, const uint8_t *from)
{
    _mm256_store_si256((void *)l->signs, _mm256_loadu_si256((const void *)from));
}

/* 32 times seven signs, each byte with the eighth: the number of negative weights is even. */
INLINE void put_signs(uint8_t to[32], __m256i s)
{
    const __m256i odd = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(0, -128, -128, 0, -128, 0, 0, -128, -128, 0, 0, -128, 0, -128, -128, 0));
    __m256i low =
        _mm256_and_si256(_mm256_xor_si256(s, _mm256_srli_epi16(s, 4)), _mm256_set1_epi8(15));
    _mm256_store_si256((void *)to, _mm256_or_si256(s, _mm256_shuffle_epi8(odd, low)));
}
/* Eight dwords of four times seven signs. */
INLINE void put_signs_of_28(uint8_t to[32], __m256i v)
{
    __m256i s = _mm256_and_si256(v, _mm256_set1_epi32(0x7f));
    UNROLL
    for (int i = 1; i < 4; i++)
        s = _mm256_or_si256(
            s, _mm256_and_si256(_mm256_slli_epi32(v, i), _mm256_set1_epi32(0x7f << 8 * i)));
    put_signs(to, s);
}

/* The first, or the second, dwords of eight pairs. */
INLINE __m256i dwords_of_pairs(const uint8_t *p, const int which)
{
    const __m256 a = _mm256_loadu_ps((const void *)p), b = _mm256_loadu_ps((const void *)(p + 32));
    __m256 v = which ? _mm256_shuffle_ps(a, b, 0xdd) : _mm256_shuffle_ps(a, b, 0x88);
    return _mm256_permute4x64_epi64(_mm256_castps_si256(v), 0xd8);
}

INLINE void iq2_xxs_lookups(const uint8_t *b, lookups *l)
{
    const __m256i index = dwords_of_pairs(b + 2, 0);
    put_at(l->at, _mm256_cvtepu8_epi16(_mm256_castsi256_si128(index)));
    put_at(l->at + 16, _mm256_cvtepu8_epi16(_mm256_extracti128_si256(index, 1)));
    put_signs_of_28(l->signs, dwords_of_pairs(b + 2, 1));
}

INLINE void iq2_xs_lookups(const uint8_t *b, lookups *l)
{
    const __m256i lo = _mm256_loadu_si256((const void *)(b + 2));
    const __m256i hi = _mm256_loadu_si256((const void *)(b + 34));
    put_at(l->at, and_16(lo, 511)), put_at(l->at + 16, and_16(hi, 511));
    __m256i s = _mm256_packus_epi16(_mm256_srli_epi16(lo, 9), _mm256_srli_epi16(hi, 9));
    put_signs(l->signs, _mm256_permute4x64_epi64(s, 0xd8));
}

/* Each of four bytes in four words. */
INLINE __m256i each_four_times(const uint8_t *p)
{
    return _mm256_shuffle_epi8(_mm256_set1_epi32(load_i32(p)),
                               _mm256_setr_epi8(0, -1, 0, -1, 0, -1, 0, -1, 1, -1, 1, -1, 1, -1, 1,
                                                -1, 2, -1, 2, -1, 2, -1, 2, -1, 3, -1, 3, -1, 3, -1,
                                                3, -1));
}

INLINE void iq2_s_lookups(const uint8_t *b, lookups *l)
{
    const __m256i up = _mm256_set1_epi64x(0x0004001000400100); /* bits 2l, 2l + 1 to bits 8, 9 */
    UNROLL
    for (int h = 0; h < 2; h++) {
        __m256i high = _mm256_mullo_epi16(each_four_times(b + 66 + 4 * h), up);
        put_at(l->at + 16 * h, _mm256_or_si256(words_of(b + 2 + 16 * h), and_16(high, 0x300)));
    }
    copy_signs(l, b + 34);
}

INLINE void iq3_xxs_lookups(const uint8_t *b, lookups *l)
{
    UNROLL
    for (int h = 0; h < 4; h++) put_at(l->at + 16 * h, words_of(b + 2 + 16 * h));
    put_signs_of_28(l->signs, _mm256_loadu_si256((const void *)(b + 66)));
}

INLINE void iq3_s_lookups(const uint8_t *b, lookups *l)
{
    const __m256i bits =
        _mm256_setr_epi16(1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128);
    const __m256i each = _mm256_setr_epi8(0, -1, 0, -1, 0, -1, 0, -1, 0, -1, 0, -1, 0, -1, 0, -1, 1,
                                          -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1);
    UNROLL
    for (int h = 0; h < 4; h++) {
        __m256i high =
            _mm256_shuffle_epi8(_mm256_set1_epi16((short)load_u16(b + 66 + 2 * h)), each);
        high = _mm256_cmpeq_epi16(_mm256_and_si256(high, bits), bits);
        put_at(l->at + 16 * h, _mm256_or_si256(words_of(b + 2 + 16 * h), and_16(high, 0x100)));
    }
    copy_signs(l, b + 74);
}

/* Bit 11 of an index of IQ1 says that delta is negative: the second half of the points. */
INLINE void iq1_s_lookups(const uint8_t *b, lookups *l)
{
    const __m256i each = _mm256_setr_epi8(0, 1, 0, 1, 0, 1, 0, 1, 2, 3, 2, 3, 2, 3, 2, 3, 4, 5, 4,
                                          5, 4, 5, 4, 5, 6, 7, 6, 7, 6, 7, 6, 7);
    const __m256i up = _mm256_set1_epi64x(0x0000000400200100); /* bits 3l.. to 8.. for l < 3 */
    const __m256i fourth = _mm256_set1_epi64x(0x0700000000000000);
    UNROLL
    for (int h = 0; h < 2; h++) {
        const __m256i head = spread(b + 34 + 8 * h, each);
        __m256i high = and_16(_mm256_mullo_epi16(head, up), 0x700);
        high = _mm256_or_si256(high, _mm256_and_si256(_mm256_srli_epi16(head, 1), fourth));
        high = _mm256_or_si256(high, and_16(_mm256_srli_epi16(head, 4), 0x800));
        put_at(l->at + 16 * h, _mm256_or_si256(words_of(b + 2 + 16 * h), high));
    }
}

INLINE void iq1_m_lookups(const uint8_t *b, lookups *l)
{
    const __m256i each = _mm256_setr_epi8(0, -1, 0, -1, 1, -1, 1, -1, 2, -1, 2, -1, 3, -1, 3, -1, 4,
                                          -1, 4, -1, 5, -1, 5, -1, 6, -1, 6, -1, 7, -1, 7, -1);
    const __m256i up = _mm256_set1_epi32(0x00100100); /* the low, the high nibble to bits 8 - 11 */
    UNROLL
    for (int h = 0; h < 2; h++) {
        __m256i high = _mm256_mullo_epi16(spread(b + 32 + 8 * h, each), up);
        put_at(l->at + 16 * h, _mm256_or_si256(words_of(b + 16 * h), and_16(high, 0xf00)));
    }
}

static const super_type iq2_xxs = {
    sizeof(block_iq2_xxs), NO_ZERO,      1, false, false, IN_ORDER, NULL, scales_iq2_xxs,
    iq2_xxs_lookups,       signed_8_dots
};
static const super_type iq2_xs = {
    sizeof(block_iq2_xs), NO_ZERO,      2, false, false, IN_ORDER, NULL, scales_iq2_xs,
    iq2_xs_lookups,       signed_8_dots
};
static const super_type iq2_s = {
    sizeof(block_iq2_s), NO_ZERO,      2, false, false, IN_ORDER, NULL, scales_iq2_s,
    iq2_s_lookups,       signed_8_dots
};
static const super_type iq3_xxs = {
    sizeof(block_iq3_xxs), NO_ZERO,      1, false, false, IN_ORDER, NULL, scales_iq3_xxs,
    iq3_xxs_lookups,       signed_4_dots
};
static const super_type iq3_s = {
    sizeof(block_iq3_s), NO_ZERO,      1, false, true, IN_ORDER, NULL, scales_iq3_s,
    iq3_s_lookups,       signed_4_dots
};
static const super_type iq1_s = {
    sizeof(block_iq1_s), ZERO_16,       1,           false, true, IN_ORDER, NULL,
    scales_iq1_s,        iq1_s_lookups, plain_8_dots
};
static const super_type iq1_m = {
    sizeof(block_iq1_m), ZERO_16,       2,           false, true, IN_ORDER, NULL,
    scales_iq1_m,        iq1_m_lookups, plain_8_dots
};

/* ---- the slots ------------------------------------------------------------------------------- */

static const int8_t iq2_level[16] = { 8, 25, 43 }, iq1_level[16] = { 9, 17, 25 }; /* + 16 */
static const int8_t iq3_xxs_level[16] = { 4, 12, 20, 28, 36, 44, 52, 62 };
static const int8_t iq3_s_level[16] = { 1, 3, 5, 7, 9, 11, 13, 15 };

enum { N_IQ1 = sizeof iq1_grid / sizeof *iq1_grid };
_Static_assert(2 * N_IQ1 * sizeof(uint64_t) <= MATMUL_SCRATCH_BYTES, "the points fit the scratch");

/* What a codebook's type does first. */
INLINE void no_points(void *grid)
{
    (void)grid;
}
INLINE void iq2_xxs_points(void *grid)
{
    expand_8(grid, iq2_xxs_grid, sizeof iq2_xxs_grid / 2, iq2_level, 0);
}
INLINE void iq2_xs_points(void *grid)
{
    expand_8(grid, iq2_xs_grid, sizeof iq2_xs_grid / 2, iq2_level, 0);
}
INLINE void iq2_s_points(void *grid)
{
    expand_8(grid, iq2_s_grid, sizeof iq2_s_grid / 2, iq2_level, 0);
}
INLINE void iq3_xxs_points(void *grid)
{
    expand_4(grid, iq3_xxs_grid, sizeof iq3_xxs_grid / 2, iq3_xxs_level);
}
INLINE void iq3_s_points(void *grid)
{
    expand_4(grid, iq3_s_grid, sizeof iq3_s_grid / 2, iq3_s_level);
}
INLINE void iq1_points(void *grid)
{
    expand_8(grid, iq1_grid, N_IQ1, iq1_level, 0);
    expand_8((uint64_t *)grid + N_IQ1, iq1_grid, N_IQ1, iq1_level, -2);
}

#define GEMV(type, rows, points)                                                                   \
    static floats type##_rows(const rows_args *r)                                                  \
    {                                                                                              \
        return rows(type, r);                                                                      \
    }                                                                                              \
    static void gemv_##type(const matmul_args *a)                                                  \
    {                                                                                              \
        points(a->scratch);                                                                        \
        all_rows(a, type##_rows);                                                                  \
    }
GEMV(q4_1, small_rows, no_points)
GEMV(q5_0, small_rows, no_points)
GEMV(q5_1, small_rows, no_points)
GEMV(iq4_nl, small_rows, no_points)
GEMV(mxfp4, small_rows, no_points)
GEMV(q2_k, super_rows, no_points)
GEMV(q3_k, super_rows, no_points)
GEMV(iq4_xs, super_rows, no_points)
GEMV(tq2_0, super_rows, no_points)
GEMV(tq1_0, super_rows, no_points)
GEMV(iq2_xxs, super_rows, iq2_xxs_points)
GEMV(iq2_xs, super_rows, iq2_xs_points)
GEMV(iq2_s, super_rows, iq2_s_points)
GEMV(iq3_xxs, super_rows, iq3_xxs_points)
GEMV(iq3_s, super_rows, iq3_s_points)
GEMV(iq1_s, super_rows, iq1_points)
GEMV(iq1_m, super_rows, iq1_points)
#undef GEMV

#define GEMV_SLOTS                                                                                 \
    {                                                                                              \
        [QT_Q4_1] = gemv_q4_1, [QT_Q5_0] = gemv_q5_0, [QT_Q5_1] = gemv_q5_1,                       \
        [QT_IQ4_NL] = gemv_iq4_nl, [QT_MXFP4] = gemv_mxfp4, [QT_Q2_K] = gemv_q2_k,                 \
        [QT_Q3_K] = gemv_q3_k, [QT_IQ4_XS] = gemv_iq4_xs, [QT_TQ2_0] = gemv_tq2_0,                 \
        [QT_TQ1_0] = gemv_tq1_0, [QT_IQ2_XXS] = gemv_iq2_xxs, [QT_IQ2_XS] = gemv_iq2_xs,           \
        [QT_IQ2_S] = gemv_iq2_s, [QT_IQ3_XXS] = gemv_iq3_xxs, [QT_IQ3_S] = gemv_iq3_s,             \
        [QT_IQ1_S] = gemv_iq1_s, [QT_IQ1_M] = gemv_iq1_m                                           \
    }
