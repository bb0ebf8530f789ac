/* avx512_gemv_codes.c - AVX-512 with VNNI: one token straight from the rows of the codebook types,
 * 16 at a time.
 * Layer: kernels.
 *
 * Codebooks of up to 512 points, 16 bits each, lie in registers: 32 points of a row are looked up
 * at once. They are not expanded to a byte a weight: field f of all points is shifted to the bottom
 * of their bytes and indexes the levels, and the activations lie in the order that this asks for.
 * So a dword of every product belongs to the same 16 weights (8 of the points of four weights), the
 * products of all fields go into one sum, and 16 rows are a transpose. Larger codebooks are looked
 * up in memory: 1024 points in registers take longer (32 instructions that wait for one port). */
#include "kernels/avx512_vec.h"

INLINE codes i_join(const __m256i *f, const int j)
{
    return _mm512_inserti64x4(_mm512_castsi256_si512(f[2 * j]), f[2 * j + 1], 1);
}
INLINE codes negate_where(codes x, __mmask64 k)
{
    return _mm512_mask_sub_epi8(x, k, _mm512_setzero_si512(), x);
}
INLINE codes i_signed(codes x, const uint8_t *signs)
{
    uint64_t m;
    memcpy(&m, signs, sizeof m);
    return negate_where(x, m);
}

#include "kernels/gemv_codes.h"

/* ---- rows ------------------------------------------------------------------------------------ */

/* The same bytes in each lane; the same bytes of each lane, -1: zero. */
INLINE __m512i lanes(__m128i v)
{
    return _mm512_broadcast_i32x4(v);
}
INLINE __m512i bytes_of(__m512i v, __m128i at)
{
    return _mm512_shuffle_epi8(v, lanes(at));
}

/* A row's sums: a dword for each sixteenth of the block. */
typedef codes dwords_fn(const void *grid, const uint8_t *block, const codes x[N_VEC]);

INLINE void dword_sums(dwords_fn *row, const rows_args *r, const uint8_t *p, const size_t bytes,
                       const codes x[N_VEC], codes sum[N_VEC * LANES])
{
    const size_t at = (size_t)(p - r->w) * ROWS;
    for (size_t g = 0; g < LANES; g++) { /* four rows; some lines before each */
        codes v[4];
        UNROLL
        for (size_t i = 0; i < 4; i++) {
            prefetch(&r->ahead, at + (4 * g + i) * bytes, bytes);
            v[i] = row(r->grid, p + (4 * g + i) * r->rb, x);
        }
        transpose_dwords(v);
        UNROLL
        for (int j = 0; j < 4; j++) sum[LANES * j + (int)g] = v[j];
    }
    for (int j = 0; j < N_VEC; j++) transpose_lanes(sum + LANES * j);
}

/* ---- signs ----------------------------------------------------------------------------------- */

/* Four times seven signs in a dword of each qword; `at`: that dword's place in the lanes' bytes, by
 * the bits 0, 7, 14 and 21. To words: the eight signs from bit 4 up, else zeros. */
INLINE __m512i signs_of_28(__m512i v, __m128i at)
{
    return _mm512_srlv_epi16(bytes_of(v, at), _mm512_set1_epi64(0x0001000200030004));
}
/* Words with seven signs from bit 4 up: the eighth too, since the number of negative weights is
 * even; nothing else. */
INLINE __m512i with_eighth(__m512i s)
{
    const __m512i odd = lanes(_mm_setr_epi8(0, 8, 8, 0, 8, 0, 0, 8, 8, 0, 0, 8, 0, 8, 8, 0));
    s = _mm512_and_si512(s, _mm512_set1_epi16(0x07f0));
    __m512i both = _mm512_xor_si512(s, _mm512_slli_epi16(s, 4)); /* nibbles, in the upper byte */
    return _mm512_or_si512(s, _mm512_shuffle_epi8(odd, both));
}

/* ---- points of eight weights ----------------------------------------------------------------- */

/* x[f]: weights f and f + 4 of every point. */
INLINE void acts_by_8(const act_group *g, codes x[N_VEC])
{
    const __m128i order = _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    UNROLL
    for (int v = 0; v < N_VEC; v++) {
        const int8_t *at[LANES];
        UNROLL
        for (int l = 0; l < LANES; l++) at[l] = g[2 * l + v / 2].q + 16 * (v % 2);
        x[v] = bytes_of(i_lanes_at(at), order);
    }
    transpose_dwords(x);
}

/* Points: words of eight fields of two bits. Signs: words, from bit 4 up. */
INLINE codes dot_by_8(__m512i point, __m512i sign, const codes x[N_VEC])
{
    const __m512i level = lanes(load16(iq2_level));
    codes sum = _mm512_setzero_si512();
    UNROLL
    for (int f = 0; f < N_VEC; f++) {
        __m512i at = _mm512_and_si512(_mm512_srli_epi16(point, 2 * f), _mm512_set1_epi8(3));
        __mmask64 k = _mm512_test_epi8_mask(sign, _mm512_set1_epi16((short)(0x0110 << f)));
        sum = _mm512_dpbusd_epi32(sum, _mm512_shuffle_epi8(level, at), negate_where(x[f], k));
    }
    return sum;
}

INLINE codes iq2_xxs_row(const void *grid, const uint8_t *b, const codes x[N_VEC])
{
    const __m512i sub = _mm512_loadu_si512(b + 2); /* a qword: four indices, their signs */
    const __m512i index =
        bytes_of(sub, _mm_setr_epi8(0, -1, 1, -1, 2, -1, 3, -1, 8, -1, 9, -1, 10, -1, 11, -1));
    const __m512i sign =
        signs_of_28(sub, _mm_setr_epi8(-1, 4, 4, 5, 5, 6, 6, 7, -1, 12, 12, 13, 13, 14, 14, 15));
    __m512i point = of_256(iq2_xxs_grid, index, has_16(index, 64), has_16(index, 128));
    (void)grid;
    return dot_by_8(point, with_eighth(sign), x);
}

INLINE codes iq2_xs_row(const void *grid, const uint8_t *b, const codes x[N_VEC])
{
    const __m512i q = _mm512_loadu_si512(b + 2);
    __m512i point = of_512(iq2_xs_grid, q, has_16(q, 256));
    (void)grid;
    return dot_by_8(point, with_eighth(_mm512_srli_epi16(q, 5)), x);
}

/* ---- points of four weights ------------------------------------------------------------------ */

/* Here a point is four nibbles, and the first and the second 16 weights of every group have
 * vectors of their own: x[2h] weights 0 and 2 of the points of half h, x[2h + 1] weights 1, 3. */
INLINE void acts_by_4(const act_group *g, codes x[N_VEC])
{
    const __m128i order = _mm_setr_epi8(0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15);
    UNROLL
    for (int h = 0; h < 2; h++) {
        codes v[2];
        UNROLL
        for (int i = 0; i < 2; i++) {
            const int8_t *at[LANES];
            UNROLL
            for (int l = 0; l < LANES; l++) at[l] = g[2 * l + i].q + 16 * h;
            v[i] = bytes_of(i_lanes_at(at), order);
        }
        x[2 * h] = _mm512_unpacklo_epi64(v[0], v[1]);
        x[2 * h + 1] = _mm512_unpackhi_epi64(v[0], v[1]);
    }
}

/* Points of half h; no nibble has its top bit, so that no index does. Signs: words, bits 6 - 9. */
INLINE codes dot_by_4(codes sum, __m512i level, __m512i point, __m512i sign, const codes x[2])
{
    __mmask64 even = _mm512_test_epi8_mask(sign, _mm512_set1_epi16(0x0140));
    __mmask64 odd = _mm512_test_epi8_mask(sign, _mm512_set1_epi16(0x0280));
    __m512i upper = _mm512_shuffle_epi8(level, _mm512_srli_epi16(point, 4));
    sum = _mm512_dpbusd_epi32(sum, _mm512_shuffle_epi8(level, point), negate_where(x[0], even));
    return _mm512_dpbusd_epi32(sum, upper, negate_where(x[1], odd));
}

/* The four indices of half h of every group, as words. */
INLINE __m512i half_index(__m512i index, const int h)
{
    return h ? bytes_of(index,
                        _mm_setr_epi8(4, -1, 5, -1, 6, -1, 7, -1, 12, -1, 13, -1, 14, -1, 15, -1))
             : bytes_of(index,
                        _mm_setr_epi8(0, -1, 1, -1, 2, -1, 3, -1, 8, -1, 9, -1, 10, -1, 11, -1));
}
/* The dword of each group, in a qword. */
INLINE __m512i group_dwords(const uint8_t *p)
{
    return _mm512_cvtepu32_epi64(_mm256_loadu_si256((const void *)p));
}

INLINE codes iq3_xxs_row(const void *grid, const uint8_t *b, const codes x[N_VEC])
{
    const __m512i level = lanes(load16(iq3_xxs_level));
    const __m512i low_high = _mm512_set1_epi32(4 << 16); /* nibbles of the signs of eight weights */
    const __m512i q = _mm512_loadu_si512(b + 2);
    __m512i signs = signs_of_28(group_dwords(b + 66),
                                _mm_setr_epi8(-1, 0, 0, 1, 1, 2, 2, 3, -1, 8, 8, 9, 9, 10, 10, 11));
    codes sum = _mm512_setzero_si512();
    signs = _mm512_slli_epi16(with_eighth(signs), 2);
    UNROLL
    for (int h = 0; h < 2; h++) {
        const __m512i index = half_index(q, h);
        __m512i point = of_256(grid, index, has_16(index, 64), has_16(index, 128));
        __m512i sign = bytes_of(
            signs, h ? _mm_setr_epi8(4, 5, 4, 5, 6, 7, 6, 7, 12, 13, 12, 13, 14, 15, 14, 15)
                     : _mm_setr_epi8(0, 1, 0, 1, 2, 3, 2, 3, 8, 9, 8, 9, 10, 11, 10, 11));
        sum = dot_by_4(sum, level, point, _mm512_srlv_epi16(sign, low_high), x + 2 * h);
    }
    return sum;
}

INLINE codes iq3_s_row(const void *grid, const uint8_t *b, const codes x[N_VEC])
{
    const __m512i level = lanes(load16(iq3_s_level));
    const __m512i low_high = _mm512_set1_epi32(6 << 16 | 2);
    const __m512i q = _mm512_loadu_si512(b + 2), signs = group_dwords(b + 74);
    const __m512i high =
        _mm512_shuffle_epi8(/* a group's byte all over its qword */
                            lanes(_mm_loadl_epi64((const void *)(b + 66))),
                            _mm512_setr_epi64(0, 0x0101010101010101, 0x0202020202020202,
                                              0x0303030303030303, 0x0404040404040404,
                                              0x0505050505050505, 0x0606060606060606,
                                              0x0707070707070707));
    codes sum = _mm512_setzero_si512();
    UNROLL
    for (int h = 0; h < 2; h++) {
        const __m512i which = _mm512_set1_epi64(h ? 0x0080004000200010 : 0x0008000400020001);
        __m512i point = of_512(grid, half_index(q, h), _mm512_test_epi16_mask(high, which));
        __m512i sign = bytes_of(
            signs, h ? _mm_setr_epi8(-1, 2, -1, 2, -1, 3, -1, 3, -1, 10, -1, 10, -1, 11, -1, 11)
                     : _mm_setr_epi8(-1, 0, -1, 0, -1, 1, -1, 1, -1, 8, -1, 8, -1, 9, -1, 9));
        sum = dot_by_4(sum, level, point, _mm512_srlv_epi16(sign, low_high), x + 2 * h);
    }
    return sum;
}

/* ---- the slots ------------------------------------------------------------------------------- */

/* Points of four fields of three bits as four nibbles. */
INLINE void put_nibbles(uint16_t *to, const uint16_t *grid, int n)
{
    for (int i = 0; i < n; i += 32) {
        const __m512i v = _mm512_loadu_si512(grid + i);
        __m512i to_4 = _mm512_and_si512(v, _mm512_set1_epi16(7));
        UNROLL
        for (int f = 1; f < 4; f++) {
            __m512i field = _mm512_and_si512(v, _mm512_set1_epi16((short)(7 << 3 * f)));
            to_4 = _mm512_or_si512(to_4, _mm512_slli_epi16(field, (unsigned)f));
        }
        _mm512_store_si512(to + i, to_4);
    }
}
INLINE void iq3_xxs_points(void *grid)
{
    put_nibbles(grid, iq3_xxs_grid, sizeof iq3_xxs_grid / 2);
}
INLINE void iq3_s_points(void *grid)
{
    put_nibbles(grid, iq3_s_grid, sizeof iq3_s_grid / 2);
}

#define TYPE(type, sub, acts, points)                                                              \
    static void type##_sums(const rows_args *r, const uint8_t *p, const act_group *x,              \
                            codes sum[N_VEC * LANES])                                              \
    {                                                                                              \
        codes ordered[N_VEC];                                                                      \
        acts(x, ordered);                                                                          \
        dword_sums(type##_row, r, p, sizeof(block_##type), ordered, sum);                          \
    }                                                                                              \
    static const super_type type = { .bytes = sizeof(block_##type),                                \
                                     .shift = NO_ZERO,                                             \
                                     .n_sub = sub,                                                 \
                                     .order = DWORDS,                                              \
                                     .scales = scales_##type,                                      \
                                     .sums = type##_sums };                                        \
    GEMV(type, super_rows, points)
TYPE(iq2_xxs, 1, acts_by_8, no_points)
TYPE(iq2_xs, 2, acts_by_8, no_points)
TYPE(iq3_xxs, 1, acts_by_4, iq3_xxs_points)
TYPE(iq3_s, 1, acts_by_4, iq3_s_points)
#undef TYPE

const lory_kernels kernels_avx512_gemv_codes = {
    .gemv = { [QT_IQ2_XXS] = gemv_iq2_xxs,
              [QT_IQ2_XS] = gemv_iq2_xs,
              [QT_IQ2_S] = gemv_iq2_s,
              [QT_IQ3_XXS] = gemv_iq3_xxs,
              [QT_IQ3_S] = gemv_iq3_s,
              [QT_IQ1_S] = gemv_iq1_s,
              [QT_IQ1_M] = gemv_iq1_m },
};
