/* avx2_gemv_rare.c - AVX2: one token straight from the rows of the less common types, 8 at a time.
 * The formats: gemv_rows.h.
 * Layer: kernels. */
#include "kernels/avx2_vec.h"

enum { LEVEL_ZERO = 0, LEVEL_SHIFT = -1 };

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
INLINE codes i_set_where(codes c, codes bits, codes which, const int add)
{
    return _mm256_add_epi8(c, _mm256_and_si256(has_bit(bits, which), i_set8((char)add)));
}
INLINE codes i_upper_shr4(const uint8_t *p, const int l)
{
    return l ? _mm256_srli_epi16(load32(p), 4) : load32(p);
}
INLINE codes i_trits(codes q)
{
    const __m256i one = _mm256_cmpgt_epi8(q, i_set8(85 - 128));
    return _mm256_abs_epi8(_mm256_add_epi8(one, _mm256_cmpgt_epi8(q, i_set8(170 - 128))));
}
INLINE codes i_repeat32(const int8_t *p)
{
    return load32(p);
}
INLINE codes i_halves_at(const uint8_t *p, size_t step)
{
    (void)step;
    return load32(p);
}
INLINE codes i_lanes_dword(const uint8_t *p, size_t step)
{
    return _mm256_set_m128i(_mm_set1_epi32(load_i32(p + step)), _mm_set1_epi32(load_i32(p)));
}
INLINE codes i_add_halves(codes a, codes b)
{
    return _mm256_add_epi32(_mm256_permute2x128_si256(a, b, 0x20),
                            _mm256_permute2x128_si256(a, b, 0x31));
}

#include "kernels/gemv_rows.h"

const lory_kernels kernels_avx2_gemv_rare = { .gemv = { ROW_SLOTS } };
