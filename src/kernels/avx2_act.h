/* avx2_act.h - activations to int8, for AVX2 and AVX-VNNI.
 * Layer: kernels, private to the files compiled for AVX2. */
#ifndef LORY_KERNELS_AVX2_ACT_H
#define LORY_KERNELS_AVX2_ACT_H

#include "kernels/avx2_vec.h"

INLINE __m256i abs_bits(__m256 x)
{
    return _mm256_and_si256(_mm256_castps_si256(x), _mm256_set1_epi32(INT32_MAX));
}

/* 8 codes of x; NaN gives -127. */
INLINE __m256i codes8(__m256 x, __m256 to_code)
{
    __m256 v = _mm256_max_ps(_mm256_mul_ps(x, to_code), _mm256_set1_ps(-127.0f));
    return _mm256_cvtps_epi32(_mm256_min_ps(v, _mm256_set1_ps(127.0f)));
}

/* Codes in the order of their elements, of four times 8. */
INLINE __m256i join_codes(const __m256i q[4])
{
    /* 16 and then 8 bits; packing works in 128-bit halves, the permute puts dwords in order */
    __m256i b = _mm256_packs_epi16(_mm256_packs_epi32(q[0], q[1]), _mm256_packs_epi32(q[2], q[3]));
    return _mm256_permutevar8x32_epi32(b, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
}

/* In each 128 bits the words of every dword: the sums of elements 4i, 4i + 1 and of the others. */
INLINE __m256i sums_of_pairs(__m256i q)
{
    __m256i s = _mm256_maddubs_epi16(_mm256_set1_epi8(1), q);
    s = _mm256_add_epi16(s, _mm256_shuffle_epi32(s, 0x4e));
    return _mm256_add_epi16(s, _mm256_shuffle_epi32(s, 0xb1));
}

/* A group; in_pairs: with the starts of sums of 16 bits, else with those of floats. */
INLINE void quant_group(const float *x, act_group *g, const bool in_pairs)
{
    __m256 v[4];
    __m256i q[4], top = _mm256_setzero_si256();
    for (int i = 0; i < 4; i++) {
        v[i] = _mm256_loadu_ps(x + 8 * i);
        top = _mm256_max_epi32(top, abs_bits(v[i]));
    }
    __m128i t = _mm_max_epi32(_mm256_castsi256_si128(top), _mm256_extracti128_si256(top, 1));
    t = _mm_max_epi32(t, _mm_shuffle_epi32(t, 0x4e));
    t = _mm_max_epi32(t, _mm_shuffle_epi32(t, 0xb1));
    float m = _mm_cvtss_f32(_mm_castsi128_ps(t));
    memset(g, 0, sizeof *g);
    if (m < 0x1p-100f) return;
    __m256 to_code = _mm256_set1_ps(127.0f / m);
    for (int i = 0; i < 4; i++) q[i] = codes8(v[i], to_code);
    const __m256i b = join_codes(q), pairs = sums_of_pairs(b), sums = add_pairs(pairs);
    _mm256_store_si256((__m256i *)(void *)g->q, b);
    g->dx = m / 127.0f;
    act_set_sums(g, _mm_cvtsi128_si32(_mm256_castsi256_si128(sums)),
                 _mm_cvtsi128_si32(_mm256_extracti128_si256(sums, 1)));
    if (!in_pairs) return;
    const __m256i start = _mm256_mullo_epi16(pairs, _mm256_set1_epi16(-ACT_PAIR_ZERO));
    const __m128i first = _mm256_castsi256_si128(start);
    const __m128i all = _mm_add_epi16(first, _mm256_extracti128_si256(start, 1));
    _mm_storeu_si64(&g->pairs_all, _mm_unpacklo_epi32(all, first));
}

INLINE void quantise(const act_args *a, const bool in_pairs)
{
    for (int it = a->it0; it < a->it1; it++)
        for (int ig = a->ig0; ig < a->ig1; ig++)
            quant_group(a->x + (size_t)it * a->ld_x + (size_t)ig * QT_GROUP,
                        &a->act[act_index(it, ig, a->n_tok, a->n_group)], in_pairs);
}

#endif
