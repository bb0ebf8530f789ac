/* avx512_gemv_rare.c - AVX-512 with VNNI: one token straight from the rows of the rarer types, 16
 * at a time. The formats: gemv_rows.h.
 * Layer: kernels. */
#include "kernels/avx512_vec.h"

enum { LEVEL_ZERO = 128, LEVEL_SHIFT = 0 };

INLINE codes i_load(const void *p)
{
    return _mm512_loadu_si512(p);
}
INLINE floats f_load(const void *p)
{
    return _mm512_load_ps(p);
}
INLINE codes i_lanes_at(const int8_t *const p[4])
{
    __m512i z = _mm512_castsi128_si512(load16(p[0]));
    z = _mm512_mask_broadcast_i32x4(z, 0x00f0, load16(p[1]));
    z = _mm512_mask_broadcast_i32x4(z, 0x0f00, load16(p[2]));
    return _mm512_mask_broadcast_i32x4(z, 0xf000, load16(p[3]));
}
INLINE codes i_dot(codes c, codes x)
{
    return _mm512_dpbusd_epi32(_mm512_setzero_si512(), c, x);
}
INLINE codes i_dot_2(codes c, codes x, codes d, codes y)
{
    return _mm512_dpbusd_epi32(i_dot(c, x), d, y);
}
INLINE codes i_dot_levels_2(codes c, codes x, codes d, codes y)
{
    return i_dot_2(c, x, d, y);
}
INLINE codes i_signed(codes x, const uint8_t *signs)
{
    uint64_t m;
    memcpy(&m, signs, sizeof m);
    return _mm512_mask_sub_epi8(x, m, _mm512_setzero_si512(), x);
}
INLINE codes i_set_where(codes c, codes bits, codes which, const int add)
{
    return _mm512_mask_add_epi8(c, _mm512_test_epi8_mask(bits, which), c,
                                _mm512_set1_epi8((char)add));
}
INLINE codes i_upper_shr4(const uint8_t *p, const int l)
{
    const __m256i v = _mm256_loadu_si256((const void *)p);
    (void)l;
    return _mm512_inserti64x4(_mm512_castsi256_si512(v), _mm256_srli_epi16(v, 4), 1);
}
INLINE codes i_trits(codes q)
{
    const __m512i one = _mm512_set1_epi8(1);
    __m512i d = _mm512_maskz_mov_epi8(_mm512_cmpge_epu8_mask(q, _mm512_set1_epi8(86)), one);
    return _mm512_mask_add_epi8(d, _mm512_cmpge_epu8_mask(q, _mm512_set1_epi8((char)171)), d, one);
}
INLINE codes i_join(const __m256i *f, const int j)
{
    return _mm512_inserti64x4(_mm512_castsi256_si512(f[2 * j]), f[2 * j + 1], 1);
}

#include "kernels/gemv_rows.h"

const lory_kernels kernels_avx512_gemv_rare = { .gemv = GEMV_SLOTS };
