/* avx2_vec.h - AVX2: the vectors that pack_rows.h and the gemv headers are written over.
 * Layer: kernels, private to the files compiled for AVX2. */
#ifndef LORY_KERNELS_AVX2_VEC_H
#define LORY_KERNELS_AVX2_VEC_H

#include "kernels/x86.h"
#include "quant/iq_grid.h"

typedef __m256i codes;
typedef __m256 floats;
enum { ROWS = 8 };

INLINE codes i_set8(char v)
{
    return _mm256_set1_epi8(v);
}
INLINE codes i_set32(int v)
{
    return _mm256_set1_epi32(v);
}
INLINE codes i_repeat(const int8_t *p)
{
    return _mm256_broadcastsi128_si256(load16(p));
}
INLINE codes i_and(codes a, codes b)
{
    return _mm256_and_si256(a, b);
}
INLINE codes i_or(codes a, codes b)
{
    return _mm256_or_si256(a, b);
}
INLINE codes i_xor(codes a, codes b)
{
    return _mm256_xor_si256(a, b);
}
INLINE codes i_sub8(codes a, codes b)
{
    return _mm256_sub_epi8(a, b);
}
INLINE codes i_ge8(codes a, codes b)
{
    return _mm256_cmpeq_epi8(_mm256_max_epu8(a, b), a);
}
INLINE codes i_negate_where(codes a, codes bits, codes which)
{
    __m256i m = _mm256_cmpeq_epi8(_mm256_and_si256(bits, which), which);
    return _mm256_sub_epi8(_mm256_xor_si256(a, m), m);
}
INLINE codes i_add8(codes a, codes b)
{
    return _mm256_add_epi8(a, b);
}
INLINE codes i_add32(codes a, codes b)
{
    return _mm256_add_epi32(a, b);
}
INLINE codes i_sub32(codes a, codes b)
{
    return _mm256_sub_epi32(a, b);
}
INLINE codes i_sub16(codes a, codes b)
{
    return _mm256_sub_epi16(a, b);
}
INLINE codes i_dot_16(codes a, codes b)
{
    return _mm256_madd_epi16(a, b);
}
INLINE codes i_eq8(codes a, codes b)
{
    return _mm256_cmpeq_epi8(a, b);
}
INLINE codes i_shl16(codes a, int n)
{
    return _mm256_slli_epi16(a, n);
}
INLINE codes i_shr16(codes a, int n)
{
    return _mm256_srli_epi16(a, n);
}
INLINE codes i_shr8(codes a, int n)
{
    return i_and(i_shr16(a, n), i_set8((char)(255 >> n)));
}
INLINE codes i_shl32(codes a, int n)
{
    return _mm256_slli_epi32(a, n);
}
INLINE codes i_shr32(codes a, int n)
{
    return _mm256_srli_epi32(a, n);
}
INLINE codes i_sra32(codes a, int n)
{
    return _mm256_srai_epi32(a, n);
}
INLINE codes i_sra16(codes a, int n)
{
    return _mm256_srai_epi16(a, n);
}
INLINE codes i_table(codes table, codes at)
{
    return _mm256_shuffle_epi8(table, at);
}
INLINE floats f_of(codes a)
{
    return _mm256_cvtepi32_ps(a);
}
INLINE floats f_bits(codes a)
{
    return _mm256_castsi256_ps(a);
}
INLINE floats f_set(float a)
{
    return _mm256_set1_ps(a);
}
INLINE floats f_mul(floats a, floats b)
{
    return _mm256_mul_ps(a, b);
}
INLINE floats f_fma(floats a, floats b, floats c)
{
    return _mm256_fmadd_ps(a, b, c);
}
INLINE floats f_fnma(floats a, floats b, floats c)
{
    return _mm256_fnmadd_ps(a, b, c);
}
INLINE floats f_add(floats a, floats b)
{
    return _mm256_add_ps(a, b);
}
INLINE floats f_sub(floats a, floats b)
{
    return _mm256_sub_ps(a, b);
}
INLINE codes load32(const void *p)
{
    return _mm256_loadu_si256(p);
}
INLINE codes i_load(const void *p)
{
    return load32(p);
}
INLINE floats f_load(const void *p) /* aligned */
{
    return _mm256_load_ps(p);
}
INLINE void f_store(float *to, floats v)
{
    _mm256_storeu_ps(to, v);
}
INLINE void put(uint8_t *to, codes v)
{
    _mm256_store_si256((__m256i *)(void *)to, v);
}
INLINE void put_f32(uint8_t *to, floats v)
{
    _mm256_store_ps((float *)(void *)to, v);
}

/* 16 bytes at each of p, p + step. */
INLINE codes i_lanes16(const void *at, size_t step)
{
    const uint8_t *p = at;
    return _mm256_set_m128i(load16(p + step), load16(p));
}

/* Transposes: 2 x 2 lanes of 128 bits; the 4 x 4 dwords in each. */
INLINE void transpose_lanes(codes v[2])
{
    __m256i a = _mm256_permute2x128_si256(v[0], v[1], 0x20);
    v[1] = _mm256_permute2x128_si256(v[0], v[1], 0x31);
    v[0] = a;
}
INLINE void transpose_dwords(codes v[4])
{
    __m256i a = _mm256_unpacklo_epi32(v[0], v[1]), b = _mm256_unpackhi_epi32(v[0], v[1]);
    __m256i c = _mm256_unpacklo_epi32(v[2], v[3]), d = _mm256_unpackhi_epi32(v[2], v[3]);
    v[0] = _mm256_unpacklo_epi64(a, c), v[1] = _mm256_unpackhi_epi64(a, c);
    v[2] = _mm256_unpacklo_epi64(b, d), v[3] = _mm256_unpackhi_epi64(b, d);
}

/* Bytes p[0..15] of 8 rows, rb apart: o[i] holds bytes 4i..4i+3 of row after row. */
INLINE void i_rows16(const uint8_t *p, size_t rb, codes o[4])
{
    UNROLL
    for (size_t i = 0; i < 4; i++) o[i] = i_lanes16(p + i * rb, 4 * rb);
    transpose_dwords(o);
}

/* 16 bytes at each of two pointers. */
INLINE codes i_lanes_at(const int8_t *const p[2])
{
    return _mm256_set_m128i(load16(p[1]), load16(p[0]));
}

INLINE codes i_dwords(const uint8_t *p, size_t rb)
{
    return _mm256_set_m128i(dwords4(p + 4 * rb, rb), dwords4(p, rb));
}
INLINE floats f_halves(const uint8_t *p, size_t rb)
{
    return _mm256_cvtph_ps(words8(p, rb));
}
INLINE floats f_low_halves(codes v)
{
    const __m256i low = _mm256_setr_epi8(0, 1, 4, 5, 8, 9, 12, 13, -1, -1, -1, -1, -1, -1, -1, -1,
                                         0, 1, 4, 5, 8, 9, 12, 13, -1, -1, -1, -1, -1, -1, -1, -1);
    __m256i w = _mm256_permute4x64_epi64(_mm256_shuffle_epi8(v, low), 0x08);
    return _mm256_cvtph_ps(_mm256_castsi256_si128(w));
}

/* The points of a codebook of n at the indices in the low, o[0], and in the high words. */
INLINE void i_points(const uint16_t *grid, const int n, codes at, codes o[2])
{
    _Alignas(32) uint16_t index[2 * ROWS];
    (void)n;
    _mm256_store_si256((void *)index, at);
    const codes v = points_16(grid, index);
    o[0] = i_and(v, i_set32(0xffff)), o[1] = i_shr32(v, 16);
}

/* ---- sums ------------------------------------------------------------------------------------ */

/* Pairs of 16 bits added to 32. */
INLINE __m256i add_pairs(__m256i v)
{
    return _mm256_madd_epi16(v, _mm256_set1_epi16(1));
}
/* In each 128 bits: the sums of a's, b's, c's and d's four dwords; pairs of them fit 16 bits. */
INLINE __m256i net_16_bits(__m256i a, __m256i b, __m256i c, __m256i d)
{
    __m256i ab = add_pairs(_mm256_packs_epi32(a, b)), cd = add_pairs(_mm256_packs_epi32(c, d));
    return add_pairs(_mm256_packs_epi32(ab, cd));
}

/* The same of any dwords. */
INLINE __m256i net_32_bits(__m256i a, __m256i b, __m256i c, __m256i d)
{
    return _mm256_hadd_epi32(_mm256_hadd_epi32(a, b), _mm256_hadd_epi32(c, d));
}

/* i_dot gives each dword the sum of four unsigned codes times x, i_dot_levels of codes -127 .. 127,
 * which are stored LEVEL_ZERO too great (LEVEL_SHIFT: log2(128 / that)); the others add two such
 * sums. i_add_dot adds products of unsigned codes to sums, by fours in dwords, or, where these are
 * IN_PAIRS, by twos in words. Without vpdpbusd unsigned codes have six bits at most, those of
 * i_dot_2 five, so that what is added fits 16 bits. */
#if defined(VPDPBUSD) /* avxvnni_vec.h */
enum { LEVEL_ZERO = 128, LEVEL_SHIFT = 0, IN_PAIRS = 0 };

INLINE codes i_add_dot(codes sum, codes c, codes x)
{
    __asm__(VPDPBUSD " %2, %1, %0" : "+x"(sum) : "x"(c), "xm"(x));
    return sum;
}
INLINE codes i_dot(codes c, codes x)
{
    return i_add_dot(i_set32(0), c, x);
}
INLINE codes i_dot_2(codes c, codes x, codes d, codes y)
{
    return i_add_dot(i_dot(c, x), d, y);
}
INLINE codes i_dot_levels(codes c, codes x)
{
    return i_dot(c, x);
}
INLINE codes i_dot_levels_2(codes c, codes x, codes d, codes y)
{
    return i_dot_2(c, x, d, y);
}
#else
enum { LEVEL_ZERO = 0, LEVEL_SHIFT = -1, IN_PAIRS = 1 };

INLINE codes i_add_dot(codes sum, codes c, codes x)
{
    return _mm256_add_epi16(sum, _mm256_maddubs_epi16(c, x));
}
INLINE codes i_dot(codes c, codes x)
{
    return add_pairs(_mm256_maddubs_epi16(c, x));
}
INLINE codes i_dot_2(codes c, codes x, codes d, codes y)
{
    return add_pairs(_mm256_add_epi16(_mm256_maddubs_epi16(c, x), _mm256_maddubs_epi16(d, y)));
}
/* The codes' signs move to x: 2 * 128 * 127 fits 16 bits. */
INLINE codes i_dot_levels(codes c, codes x)
{
    return i_dot(_mm256_abs_epi8(c), _mm256_sign_epi8(x, c));
}
INLINE codes i_dot_levels_2(codes c, codes x, codes d, codes y)
{
    return i_add32(i_dot_levels(c, x), i_dot_levels(d, y));
}
#endif

/* In all bytes: where `bits` has the one bit of `which`. */
INLINE codes has_bit(codes bits, codes which)
{
    return _mm256_cmpeq_epi8(_mm256_and_si256(bits, which), which);
}

/* ---- what gemv_rows.h wants besides ---------------------------------------------------------- */

INLINE codes i_set_where(codes c, codes bits, codes which, const int add)
{
    return _mm256_add_epi8(c, _mm256_and_si256(has_bit(bits, which), i_set8((char)add)));
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

#endif
