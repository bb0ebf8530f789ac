/* avx512_attend.h - AVX-512: products of keys and values of q8_0 in integers of 16 bits.
 * Layer: kernels. Not a header by itself: avx512.c includes it once; see attend_codes.h. */
#include "kernels/avx512_vec.h"
#include "quant/block.h"

enum { VALUE_QUERIES = 8 };

/* Lane j: key j. Of four elements the even two in one vector, then the odd two. */
typedef struct {
    __m512i pair[16];
} key_codes;

INLINE __m512i load_two_blocks(const uint8_t *a, const uint8_t *b)
{
    const size_t at = offsetof(block_q8_0, q);
    __m512i x = _mm512_castsi256_si512(_mm256_loadu_si256((const void *)(a + at)));
    return _mm512_inserti64x4(x, _mm256_loadu_si256((const void *)(b + at)), 1);
}

INLINE key_codes load_keys(const uint8_t *rows, size_t row_bytes)
{
    __m512i a[4], b[4];
    key_codes k;
    UNROLL
    for (size_t j = 0; j < 4; j++) {
        a[j] = load_two_blocks(rows + j * row_bytes, rows + (j + 4) * row_bytes);
        b[j] = load_two_blocks(rows + (j + 8) * row_bytes, rows + (j + 12) * row_bytes);
    }
    transpose_dwords(a), transpose_dwords(b);
    UNROLL
    for (int i = 0; i < 8; i++) {
        __m512i four = i < 4 ? _mm512_shuffle_i32x4(a[i], b[i], 0x88)
                             : _mm512_shuffle_i32x4(a[i - 4], b[i - 4], 0xdd);
        k.pair[2 * i] = _mm512_srai_epi16(_mm512_slli_epi16(four, 8), 8);
        k.pair[2 * i + 1] = _mm512_srai_epi16(four, 8);
    }
    return k;
}

/* sum + the products of a's pairs and the two words at p; see v_fma_each. */
INLINE __m512i add_pairs(__m512i sum, __m512i a, const int16_t *p)
{
    __asm__("vpdpwssd %2%{1to16%}, %1, %0" : "+v"(sum) : "v"(a), "m"(*(const int16_t(*)[2])p));
    return sum;
}

INLINE void dot_keys(const int nq, const key_codes *k, const int16_t *q, size_t ld_q, v16 *dot)
{
    __m512i sum[4];
    UNROLL
    for (int i = 0; i < nq; i++) sum[i] = _mm512_setzero_si512();
    UNROLL
    for (int m = 0; m < 16; m++) {
        UNROLL
        for (int i = 0; i < nq; i++)
            sum[i] = add_pairs(sum[i], k->pair[m], q + (size_t)i * ld_q + 2 * m);
    }
    UNROLL
    for (int i = 0; i < nq; i++) dot[i] = _mm512_cvtepi32_ps(sum[i]);
}

/* In 128 bits l: elements 8 l to 8 l + 3; the four after them. */
typedef struct {
    __m512i a, b;
} value_sums;

INLINE __m512i load_32_codes(const uint8_t *block)
{
    return _mm512_cvtepi8_epi16(
        _mm256_loadu_si256((const void *)(block + offsetof(block_q8_0, q))));
}

INLINE void add_values(const int nq, const uint8_t *rows, size_t row_bytes, const int16_t *w,
                       size_t ld_w, value_sums *sum)
{
    UNROLL
    for (size_t j = 0; j < 16; j += 2) {
        const __m512i x = load_32_codes(rows + j * row_bytes);
        const __m512i y = load_32_codes(rows + (j + 1) * row_bytes);
        const __m512i lo = _mm512_unpacklo_epi16(x, y), hi = _mm512_unpackhi_epi16(x, y);
        UNROLL
        for (int i = 0; i < nq; i++) {
            sum[i].a = add_pairs(sum[i].a, lo, w + (size_t)i * ld_w + j);
            sum[i].b = add_pairs(sum[i].b, hi, w + (size_t)i * ld_w + j);
        }
    }
}

INLINE void value_floats(const value_sums *s, v16 *o)
{
    const __m512i first = _mm512_setr_epi32(0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
    const __m512i second = _mm512_add_epi32(first, _mm512_set1_epi32(8));
    o[0] = _mm512_cvtepi32_ps(_mm512_permutex2var_epi32(s->a, first, s->b));
    o[1] = _mm512_cvtepi32_ps(_mm512_permutex2var_epi32(s->a, second, s->b));
}

INLINE __m256i to_words(v16 x)
{
    return _mm512_cvtepi32_epi16(_mm512_cvtps_epi32(x));
}
INLINE void store_words(int16_t *to, v16 x)
{
    _mm256_storeu_si256((void *)to, to_words(x));
}
INLINE void store_query(int16_t *to, v16 x)
{
    const __m256i lo = _mm256_shufflelo_epi16(to_words(x), 0xd8);
    _mm256_storeu_si256((void *)to, _mm256_shufflehi_epi16(lo, 0xd8));
}
