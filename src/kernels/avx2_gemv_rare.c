/* avx2_gemv_rare.c - AVX2: one token straight from the rows of the less common types, 8 at a time.
 * The formats: gemv_rows.h.
 * Layer: kernels. */
#include "kernels/avx2_vec.h"

enum { LEVEL_ZERO = 0, LEVEL_SHIFT = -1 };

INLINE codes i_load(const void *p)
{
    return load32(p);
}
INLINE floats f_load(const void *p)
{
    return _mm256_load_ps(p);
}
INLINE codes i_lanes_at(const int8_t *const p[2])
{
    return _mm256_set_m128i(load16(p[1]), load16(p[0]));
}
/* Sums of two products fit 16 bits: of 63 * 127. */
INLINE codes i_dot(codes c, codes x)
{
    return add_pairs(_mm256_maddubs_epi16(c, x));
}
/* Of 31 * 127, so that two such sums fit too. */
INLINE codes i_dot_2(codes c, codes x, codes d, codes y)
{
    return add_pairs(_mm256_add_epi16(_mm256_maddubs_epi16(c, x), _mm256_maddubs_epi16(d, y)));
}
/* maddubs wants unsigned x signed: the codes' signs move to x. */
INLINE codes dot_signed(codes c, codes x)
{
    return i_dot(_mm256_abs_epi8(c), _mm256_sign_epi8(x, c));
}
INLINE codes i_dot_levels_2(codes c, codes x, codes d, codes y)
{
    return _mm256_add_epi32(dot_signed(c, x), dot_signed(d, y));
}
/* In all bytes: where `bits` has the one bit of `which`. */
INLINE codes has_bit(codes bits, codes which)
{
    return _mm256_cmpeq_epi8(_mm256_and_si256(bits, which), which);
}
INLINE codes i_signed(codes x, const uint8_t *signs)
{
    const __m256i byte = _mm256_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2,
                                          2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3);
    const __m256i which = _mm256_set1_epi64x((long long)0x8040201008040201);
    __m256i m = has_bit(_mm256_shuffle_epi8(_mm256_set1_epi32(load_i32(signs)), byte), which);
    return _mm256_sub_epi8(_mm256_xor_si256(x, m), m);
}
INLINE codes i_set_where(codes c, codes bits, codes which, const int add)
{
    return _mm256_add_epi8(c, _mm256_and_si256(has_bit(bits, which), i_set8((char)add)));
}
INLINE codes i_upper_shr4(const uint8_t *p, const int l)
{
    return l ? _mm256_srli_epi16(load32(p), 4) : load32(p);
}
/* floor(3 q / 256) */
INLINE codes i_trits(codes q)
{
    const __m256i less = _mm256_subs_epu8(q, i_set8(1));
    const __m256i half = _mm256_avg_epu8(less, _mm256_setzero_si256());
    return _mm256_and_si256(_mm256_srli_epi16(_mm256_avg_epu8(less, half), 6), i_set8(3));
}
INLINE codes i_join(const __m256i *f, const int j)
{
    return f[j];
}

#include "kernels/gemv_rows.h"

const lory_kernels kernels_avx2_gemv_rare = { .gemv = GEMV_SLOTS };
