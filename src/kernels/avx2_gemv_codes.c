/* avx2_gemv_codes.c - AVX2: one token straight from the rows of the codebook types, 8 at a time.
 * Layer: kernels. */
#include "kernels/avx2_vec.h"

INLINE codes i_signed(codes x, const uint8_t *signs)
{
    const __m256i byte = _mm256_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2,
                                          2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3);
    const __m256i which = _mm256_set1_epi64x((long long)0x8040201008040201);
    __m256i m = has_bit(_mm256_shuffle_epi8(_mm256_set1_epi32(load_i32(signs)), byte), which);
    return _mm256_sub_epi8(_mm256_xor_si256(x, m), m);
}
INLINE codes i_join(const __m256i *f, const int j)
{
    return f[j];
}

#include "kernels/gemv_codes.h"

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

INLINE codes codes_4(const uint32_t *grid, const lookups *l, const int j)
{
    __m256i f[VB / 32];
    UNROLL
    for (int i = 0; i < VB / 32; i++) f[i] = points_4(grid, l->at + VB / 4 * j + 8 * i);
    return i_join(f, 0);
}

INLINE void signed_4_dots(const void *grid, const lookups *l, const codes x[N_VEC], codes v[N_VEC])
{
    UNROLL
    for (int j = 0; j < N_VEC; j++)
        v[j] = i_dot(codes_4(grid, l, j), i_signed(x[j], l->signs + VB / 8 * j));
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

static const super_type iq2_xxs = { .bytes = sizeof(block_iq2_xxs),
                                    .shift = NO_ZERO,
                                    .n_sub = 1,
                                    .order = IN_ORDER,
                                    .scales = scales_iq2_xxs,
                                    .lookups = iq2_xxs_lookups,
                                    .look_up = signed_8_dots };
static const super_type iq2_xs = { .bytes = sizeof(block_iq2_xs),
                                   .shift = NO_ZERO,
                                   .n_sub = 2,
                                   .order = IN_ORDER,
                                   .scales = scales_iq2_xs,
                                   .lookups = iq2_xs_lookups,
                                   .look_up = signed_8_dots };
static const super_type iq3_xxs = { .bytes = sizeof(block_iq3_xxs),
                                    .shift = NO_ZERO,
                                    .n_sub = 1,
                                    .order = IN_ORDER,
                                    .scales = scales_iq3_xxs,
                                    .lookups = iq3_xxs_lookups,
                                    .look_up = signed_4_dots };
static const super_type iq3_s = { .bytes = sizeof(block_iq3_s),
                                  .shift = NO_ZERO,
                                  .n_sub = 1,
                                  .fits_16 = true,
                                  .order = IN_ORDER,
                                  .scales = scales_iq3_s,
                                  .lookups = iq3_s_lookups,
                                  .look_up = signed_4_dots };

/* ---- the slots ------------------------------------------------------------------------------- */

INLINE void iq2_xxs_points(void *grid)
{
    expand_8(grid, iq2_xxs_grid, sizeof iq2_xxs_grid / 2, iq2_level, 0);
}
INLINE void iq2_xs_points(void *grid)
{
    expand_8(grid, iq2_xs_grid, sizeof iq2_xs_grid / 2, iq2_level, 0);
}
INLINE void iq3_xxs_points(void *grid)
{
    expand_4(grid, iq3_xxs_grid, sizeof iq3_xxs_grid / 2, iq3_xxs_level);
}
INLINE void iq3_s_points(void *grid)
{
    expand_4(grid, iq3_s_grid, sizeof iq3_s_grid / 2, iq3_s_level);
}

GEMV(iq2_xxs, super_rows, iq2_xxs_points)
GEMV(iq2_xs, super_rows, iq2_xs_points)
GEMV(iq3_xxs, super_rows, iq3_xxs_points)
GEMV(iq3_s, super_rows, iq3_s_points)

const lory_kernels kernels_avx2_gemv_codes = {
    .gemv = { [QT_IQ2_XXS] = gemv_iq2_xxs,
              [QT_IQ2_XS] = gemv_iq2_xs,
              [QT_IQ2_S] = gemv_iq2_s,
              [QT_IQ3_XXS] = gemv_iq3_xxs,
              [QT_IQ3_S] = gemv_iq3_s,
              [QT_IQ1_S] = gemv_iq1_s,
              [QT_IQ1_M] = gemv_iq1_m },
};
