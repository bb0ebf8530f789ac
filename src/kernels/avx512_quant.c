/* avx512_quant.c - AVX-512 with VNNI: the integer matmul.
 * Layer: kernels.
 * The tiles: avx512_tiles.h. */
#include "kernels/avx512_vec.h"

enum { CONVERTS = 0 };
#include "kernels/avx512_tiles.h"

/* ---- activations ---------------------------------------------------------------------------- */

/* 16 groups at once: what is across a group (the greatest, the sums, the fields) is then vectors of
 * 16 groups after a network of shuffles, 25 operations a group instead of 65. */
enum { ACT_RUN = 16 };
typedef struct {
    const float *x[ACT_RUN];
    act_group *g[ACT_RUN];
    int n; /* groups that are there */
} act_run;

INLINE __m512i unpack_max(__m512i a, __m512i b)
{
    return _mm512_max_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
}

/* max|x| of 4 groups in the dwords of each 128 bits, still to be joined. As integers, the bits of
 * |x| are in order, NaN above everything. */
INLINE __m512i max_of_4(const float *const *x)
{
    const __m512i magnitude = _mm512_set1_epi32(INT32_MAX);
    __m512i m[4];
    UNROLL
    for (int i = 0; i < 4; i++)
        m[i] = _mm512_max_epi32(_mm512_and_si512(_mm512_loadu_si512(x[i]), magnitude),
                                _mm512_and_si512(_mm512_loadu_si512(x[i] + 16), magnitude));
    __m512i ab = unpack_max(m[0], m[1]), cd = unpack_max(m[2], m[3]);
    return _mm512_max_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
}

INLINE __m512 max_of_16(const float *const *x)
{
    __m512i m[4];
    UNROLL
    for (int i = 0; i < 4; i++) m[i] = max_of_4(x + 4 * i);
    transpose_lanes(m);
    return _mm512_castsi512_ps(
        _mm512_max_epi32(_mm512_max_epi32(m[0], m[1]), _mm512_max_epi32(m[2], m[3])));
}

INLINE __m512i codes16(const float *x, float to_code)
{
    return _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(x), _mm512_set1_ps(to_code)));
}

/* Codes of two groups: packing saturates to -128 .. 127, where only NaN gives -128. */
INLINE __m512i codes_of_2(const float *const *x, const float *to_code)
{
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    __m512i a = _mm512_packs_epi32(codes16(x[0], to_code[0]), codes16(x[0] + 16, to_code[0]));
    __m512i b = _mm512_packs_epi32(codes16(x[1], to_code[1]), codes16(x[1] + 16, to_code[1]));
    __m512i q = _mm512_max_epi8(_mm512_packs_epi16(a, b), _mm512_set1_epi8(-127));
    return _mm512_permutexvar_epi32(order, q);
}

/* Codes of 8 groups, stored; returns the sums of the even ones' first halves, of their second, of
 * the odd ones' first and second. */
INLINE __m512i codes_of_8(const float *const *x, const float *to_code, act_group *const *g)
{
    __m512i sum[4];
    UNROLL
    for (int i = 0; i < 4; i++) {
        __m512i q = codes_of_2(x + 2 * i, to_code + 2 * i);
        _mm256_store_si256((__m256i *)(void *)g[2 * i]->q, _mm512_castsi512_si256(q));
        _mm256_store_si256((__m256i *)(void *)g[2 * i + 1]->q, _mm512_extracti64x4_epi64(q, 1));
        sum[i] = _mm512_dpbusd_epi32(_mm512_setzero_si512(), _mm512_set1_epi8(1), q);
    }
    return net_32_bits(sum[0], sum[1], sum[2], sum[3]);
}

/* f[field][group] to the groups' second halves. */
INLINE void store_fields(__m512i f[8], act_group *const *g)
{
    const __m512i low = _mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11);
    const __m512i high = _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15);
    transpose_dwords(f), transpose_dwords(f + 4); /* 128 bits l of f[i]: group 4l + i */
    UNROLL
    for (int i = 0; i < 4; i++) {
        __m512i a = _mm512_permutex2var_epi64(f[i], low, f[i + 4]);
        __m512i b = _mm512_permutex2var_epi64(f[i], high, f[i + 4]);
        _mm256_store_si256((__m256i *)(void *)&g[i]->dx, _mm512_castsi512_si256(a));
        _mm256_store_si256((__m256i *)(void *)&g[i + 4]->dx, _mm512_extracti64x4_epi64(a, 1));
        _mm256_store_si256((__m256i *)(void *)&g[i + 8]->dx, _mm512_castsi512_si256(b));
        _mm256_store_si256((__m256i *)(void *)&g[i + 12]->dx, _mm512_extracti64x4_epi64(b, 1));
    }
}

/* All 16 groups; a run that is shorter repeats its first one. */
static void quant_run(act_run *r)
{
    for (int i = r->n; i < ACT_RUN; i++) r->x[i] = r->x[0], r->g[i] = r->g[0];
    const __m512 m = max_of_16(r->x);
    const __mmask16 some = _mm512_cmp_ps_mask(m, _mm512_set1_ps(0x1p-100f), _CMP_NLT_UQ);
    float to_code[ACT_RUN];
    _mm512_storeu_ps(to_code, _mm512_maskz_div_ps(some, _mm512_set1_ps(127.0f), m));
    const __m512i even = codes_of_8(r->x, to_code, r->g);
    const __m512i odd = codes_of_8(r->x + 8, to_code + 8, r->g + 8);
    const __m512i first =
        _mm512_setr_epi32(0, 8, 1, 9, 2, 10, 3, 11, 16, 24, 17, 25, 18, 26, 19, 27);
    const __m512i zero = _mm512_setzero_si512(), magic = _mm512_set1_epi32(ACT_MAGIC_BITS);
    __m512i s0 = _mm512_permutex2var_epi32(even, first, odd);
    __m512i s1 =
        _mm512_permutex2var_epi32(even, _mm512_add_epi32(first, _mm512_set1_epi32(4)), odd);
    __m512i all = _mm512_add_epi32(s0, s1);
    __m512i f[8] = {
        _mm512_castps_si512(_mm512_maskz_div_ps(some, m, _mm512_set1_ps(127.0f))),
        _mm512_castps_si512(_mm512_cvtepi32_ps(all)),
        _mm512_castps_si512(_mm512_cvtepi32_ps(s0)),
        _mm512_sub_epi32(zero, _mm512_slli_epi32(all, 7)),
        _mm512_sub_epi32(zero, _mm512_slli_epi32(s0, 7)),
        _mm512_sub_epi32(zero, _mm512_slli_epi32(s1, 7)),
        _mm512_maskz_sub_epi32(some, magic, _mm512_slli_epi32(all, 7)),
        _mm512_maskz_sub_epi32(some, magic, _mm512_slli_epi32(s0, 7)),
    };
    store_fields(f, r->g);
}

static void quant_act(const act_args *a)
{
    act_run r = { .n = 0 };
    for (int it = a->it0; it < a->it1; it++) {
        const size_t first = act_index(it, 0, a->n_tok, a->n_group);
        const size_t step = a->n_group > 1 ? act_index(it, 1, a->n_tok, a->n_group) - first : 0;
        for (int ig = a->ig0; ig < a->ig1; ig++) {
            r.x[r.n] = a->x + (size_t)it * a->ld_x + (size_t)ig * QT_GROUP;
            r.g[r.n] = a->act + first + (size_t)ig * step;
            if (++r.n < ACT_RUN) continue;
            quant_run(&r);
            r.n = 0;
        }
    }
    if (r.n > 0) quant_run(&r);
}

const lory_kernels kernels_avx512_quant = { TILE_SLOTS, .quant_act = quant_act };
