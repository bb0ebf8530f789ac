/* avx512_gemv_rare.c - AVX-512 with VNNI: one token straight from the rows of the rarer types, 16
 * at a time. The formats: gemv_crumbs.h, gemv_rows.h.
 * Layer: kernels. */
#include "kernels/avx512_vec.h"

enum { LEVEL_ZERO = 128, LEVEL_SHIFT = 0, IN_PAIRS = 0 };

INLINE codes i_dot_2(codes c, codes x, codes d, codes y)
{
    return _mm512_dpbusd_epi32(i_dot(c, x), d, y);
}
INLINE codes i_dot_levels_2(codes c, codes x, codes d, codes y)
{
    return i_dot_2(c, x, d, y);
}
INLINE codes i_set_where(codes c, codes bits, codes which, const int add)
{
    return _mm512_mask_add_epi8(c, _mm512_test_epi8_mask(bits, which), c,
                                _mm512_set1_epi8((char)add));
}
INLINE codes i_trits(codes q)
{
    const __m512i one = _mm512_set1_epi8(1);
    __m512i d = _mm512_maskz_mov_epi8(_mm512_cmpgt_epi8_mask(q, _mm512_set1_epi8(85 - 128)), one);
    return _mm512_mask_add_epi8(d, _mm512_cmpgt_epi8_mask(q, _mm512_set1_epi8(170 - 128)), d, one);
}
INLINE codes i_repeat32(const int8_t *p)
{
    return _mm512_broadcast_i64x4(_mm256_loadu_si256((const void *)p));
}
INLINE codes i_halves_at(const uint8_t *p, size_t step)
{
    __m512i z = _mm512_castsi256_si512(_mm256_loadu_si256((const void *)p));
    return _mm512_mask_broadcast_i64x4(z, 0xf0, _mm256_loadu_si256((const void *)(p + step)));
}
INLINE codes i_lanes_dword(const uint8_t *p, size_t step)
{
    __m512i z = _mm512_castsi128_si512(_mm_set1_epi32(load_i32(p)));
    z = _mm512_mask_set1_epi32(z, 0x00f0, load_i32(p + step));
    z = _mm512_mask_set1_epi32(z, 0x0f00, load_i32(p + 2 * step));
    return _mm512_mask_set1_epi32(z, 0xf000, load_i32(p + 3 * step));
}
INLINE codes i_add_halves(codes a, codes b)
{
    return _mm512_add_epi32(_mm512_shuffle_i32x4(a, b, 0x88), _mm512_shuffle_i32x4(a, b, 0xdd));
}

#include "kernels/gemv_crumbs.h"
#include "kernels/gemv_rows.h"

GEMV(tq2_0, crumb_rows, no_points)

const lory_kernels kernels_avx512_gemv_rare = { .gemv = { ROW_SLOTS, [QT_TQ2_0] = gemv_tq2_0 } };
