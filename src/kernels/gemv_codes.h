/* gemv_codes.h - one token straight from rows whose codebook is looked up in memory, for one
 * instruction set, over the vectors of gemv_super.h.
 * Layer: kernels. Not a header: avx2_gemv_codes.c and avx512_gemv_codes.c include it once, after
 * the vectors, i_join (vector j of an array of 32 bytes each) and i_signed (x with byte i negated
 * where bit i from `signs` on is set). Layouts of the blocks: quant/block.h. */
#include "kernels/gemv_super.h"

/* The points of the codebook, expanded to a byte a weight, lie in the thread's scratch. Gathers
 * took longer than loads one by one (10.6 against 3 ns for 64 weights, Cascade Lake). */

/* What the codes of a point stand for; of IQ1, 16 more than that. */
static const int8_t iq2_level[16] = { 8, 25, 43 }, iq1_level[16] = { 9, 17, 25 };
static const int8_t iq3_xxs_level[16] = { 4, 12, 20, 28, 36, 44, 52, 62 };
static const int8_t iq3_s_level[16] = { 1, 3, 5, 7, 9, 11, 13, 15 };

/* Four points of eight weights. Loads that broadcast and blends take any port, where
 * insertions wait for one. */
INLINE __m256i four_points(const uint64_t *grid, const uint16_t *at)
{
    __m256i v = _mm256_set1_epi64x((long long)grid[at[0]]);
    v = _mm256_blend_epi32(v, _mm256_set1_epi64x((long long)grid[at[1]]), 0x0c);
    v = _mm256_blend_epi32(v, _mm256_set1_epi64x((long long)grid[at[2]]), 0x30);
    return _mm256_blend_epi32(v, _mm256_set1_epi64x((long long)grid[at[3]]), 0xc0);
}

/* Vector j of the codes of a row. */
INLINE codes codes_8(const uint64_t *grid, const lookups *l, const int j)
{
    __m256i f[VB / 32];
    UNROLL
    for (int i = 0; i < VB / 32; i++) f[i] = four_points(grid, l->at + VB / 8 * j + 4 * i);
    return i_join(f, 0);
}

/* The signs of weights go to the activations. */
INLINE void signed_8_dots(const void *grid, const lookups *l, const codes x[N_VEC], codes v[N_VEC])
{
    UNROLL
    for (int j = 0; j < N_VEC; j++)
        v[j] = i_dot(codes_8(grid, l, j), i_signed(x[j], l->signs + VB / 8 * j));
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

static const super_type iq2_s = { .bytes = sizeof(block_iq2_s),
                                  .shift = NO_ZERO,
                                  .n_sub = 2,
                                  .order = IN_ORDER,
                                  .scales = scales_iq2_s,
                                  .lookups = iq2_s_lookups,
                                  .look_up = signed_8_dots };
static const super_type iq1_s = { .bytes = sizeof(block_iq1_s),
                                  .shift = ZERO_16,
                                  .n_sub = 1,
                                  .fits_16 = true,
                                  .order = IN_ORDER,
                                  .scales = scales_iq1_s,
                                  .lookups = iq1_s_lookups,
                                  .look_up = plain_8_dots };
static const super_type iq1_m = { .bytes = sizeof(block_iq1_m),
                                  .shift = ZERO_16,
                                  .n_sub = 2,
                                  .fits_16 = true,
                                  .order = IN_ORDER,
                                  .scales = scales_iq1_m,
                                  .lookups = iq1_m_lookups,
                                  .look_up = plain_8_dots };

/* ---- the slots ------------------------------------------------------------------------------- */

enum { N_IQ1 = sizeof iq1_grid / sizeof *iq1_grid };
_Static_assert(2 * N_IQ1 * sizeof(uint64_t) <= MATMUL_SCRATCH_BYTES, "the points fit the scratch");

INLINE void iq2_s_points(void *grid)
{
    expand_8(grid, iq2_s_grid, sizeof iq2_s_grid / 2, iq2_level, 0);
}
INLINE void iq1_points(void *grid)
{
    expand_8(grid, iq1_grid, N_IQ1, iq1_level, 0);
    expand_8((uint64_t *)grid + N_IQ1, iq1_grid, N_IQ1, iq1_level, -2);
}

GEMV(iq2_s, super_rows, iq2_s_points)
GEMV(iq1_s, super_rows, iq1_points)
GEMV(iq1_m, super_rows, iq1_points)
