/* avx2_attend.h - AVX2: products of keys and values of q8_0 in integers of 16 bits.
 * Layer: kernels. Not a header by itself: avx2.c includes it once; see attend_codes.h. */
#include "quant/block.h"

enum { VALUE_QUERIES = 4 };

/* Lane j: key j of each eight. Of four elements the even two in one vector, then the odd two. */
typedef struct {
    __m256i pair[2][16];
} key_codes;

INLINE __m256i load_codes(const uint8_t *block)
{
    return _mm256_loadu_si256((const void *)(block + offsetof(block_q8_0, q)));
}

/* In each 128 bits: the dwords of four vectors turned. */
INLINE void turn_dwords(__m256i v[4])
{
    const __m256i a = _mm256_unpacklo_epi32(v[0], v[1]), b = _mm256_unpackhi_epi32(v[0], v[1]);
    const __m256i c = _mm256_unpacklo_epi32(v[2], v[3]), d = _mm256_unpackhi_epi32(v[2], v[3]);
    v[0] = _mm256_unpacklo_epi64(a, c), v[1] = _mm256_unpackhi_epi64(a, c);
    v[2] = _mm256_unpacklo_epi64(b, d), v[3] = _mm256_unpackhi_epi64(b, d);
}

INLINE void load_eight_keys(const uint8_t *rows, size_t row_bytes, __m256i pair[16])
{
    __m256i a[4], b[4];
    UNROLL
    for (size_t j = 0; j < 4; j++) {
        a[j] = load_codes(rows + j * row_bytes);
        b[j] = load_codes(rows + (j + 4) * row_bytes);
    }
    turn_dwords(a), turn_dwords(b);
    UNROLL
    for (int i = 0; i < 8; i++) {
        __m256i four = i < 4 ? _mm256_permute2x128_si256(a[i], b[i], 0x20)
                             : _mm256_permute2x128_si256(a[i - 4], b[i - 4], 0x31);
        pair[2 * i] = _mm256_srai_epi16(_mm256_slli_epi16(four, 8), 8);
        pair[2 * i + 1] = _mm256_srai_epi16(four, 8);
    }
}

INLINE key_codes load_keys(const uint8_t *rows, size_t row_bytes)
{
    key_codes k;
    load_eight_keys(rows, row_bytes, k.pair[0]);
    load_eight_keys(rows + 8 * row_bytes, row_bytes, k.pair[1]);
    return k;
}

INLINE __m256i set_two_words(const int16_t *p)
{
    int32_t two;
    memcpy(&two, p, sizeof two);
    return _mm256_set1_epi32(two);
}
INLINE __m256i add_pairs(__m256i sum, __m256i a, __m256i b)
{
    return _mm256_add_epi32(sum, _mm256_madd_epi16(a, b));
}

INLINE void dot_keys(const int nq, const key_codes *k, const int16_t *q, size_t ld_q, v16 *dot)
{
    __m256i a[4], b[4];
    UNROLL
    for (int i = 0; i < nq; i++) a[i] = b[i] = _mm256_setzero_si256();
    for (int m = 0; m < 16; m++) {
        UNROLL
        for (int i = 0; i < nq; i++) {
            const __m256i by = set_two_words(q + (size_t)i * ld_q + 2 * m);
            a[i] = add_pairs(a[i], k->pair[0][m], by);
            b[i] = add_pairs(b[i], k->pair[1][m], by);
        }
    }
    UNROLL
    for (int i = 0; i < nq; i++)
        dot[i] = (v16){ _mm256_cvtepi32_ps(a[i]), _mm256_cvtepi32_ps(b[i]) };
}

/* In 128 bits l of sixteen elements: 8 l to 8 l + 3; the four after them. */
typedef struct {
    __m256i a[2], b[2];
} value_sums;

INLINE __m256i load_16_codes(const uint8_t *block, int i)
{
    return _mm256_cvtepi8_epi16(load_8_words(block + offsetof(block_q8_0, q) + i));
}

INLINE void add_values(const int nq, const uint8_t *rows, size_t row_bytes, const int16_t *w,
                       size_t ld_w, value_sums *sum)
{
    UNROLL
    for (int e = 0; e < 2; e++)
        for (size_t j = 0; j < 16; j += 2) {
            const __m256i x = load_16_codes(rows + j * row_bytes, 16 * e);
            const __m256i y = load_16_codes(rows + (j + 1) * row_bytes, 16 * e);
            const __m256i lo = _mm256_unpacklo_epi16(x, y), hi = _mm256_unpackhi_epi16(x, y);
            UNROLL
            for (int i = 0; i < nq; i++) {
                const __m256i by = set_two_words(w + (size_t)i * ld_w + j);
                sum[i].a[e] = add_pairs(sum[i].a[e], lo, by);
                sum[i].b[e] = add_pairs(sum[i].b[e], hi, by);
            }
        }
}

INLINE void value_floats(const value_sums *s, v16 *o)
{
    UNROLL
    for (int e = 0; e < 2; e++)
        o[e] = (v16){
            _mm256_cvtepi32_ps(_mm256_permute2x128_si256(s->a[e], s->b[e], 0x20)),
            _mm256_cvtepi32_ps(_mm256_permute2x128_si256(s->a[e], s->b[e], 0x31)),
        };
}

INLINE __m256i to_words(v16 x)
{
    const __m256i v = _mm256_packs_epi32(_mm256_cvtps_epi32(x.a), _mm256_cvtps_epi32(x.b));
    return _mm256_permute4x64_epi64(v, 0xd8);
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
