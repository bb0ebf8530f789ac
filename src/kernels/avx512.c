/* avx512.c - AVX-512: the float kernels. A v16 is one register; the kernels: float_slots.h.
 * Layer: kernels. */
#include "kernels/x86.h"
#include <immintrin.h>

typedef __m512 v16;

enum { F_ROWS = 4, F_TOK = 6, Q_TILE = 4, D_TILE = 4 };
enum { S_VECTORS = 2, S_KEYS = 4, P_VECTORS = 2, P_TOK = 12, P_DIRECT = 4, FEW_SUMS = 16 };

INLINE v16 v_zero(void)
{
    return _mm512_setzero_ps();
}
INLINE v16 v_set(float a)
{
    return _mm512_set1_ps(a);
}
INLINE v16 v_load(const void *p)
{
    return _mm512_loadu_ps(p);
}
INLINE void v_store(float *p, v16 v)
{
    _mm512_storeu_ps(p, v);
}
INLINE __mmask16 first_n(int n)
{
    return (__mmask16)((1u << n) - 1);
}
INLINE v16 v_load_n(const float *p, int n)
{
    return _mm512_maskz_loadu_ps(first_n(n), p);
}
INLINE void v_store_n(float *p, int n, v16 v)
{
    _mm512_mask_storeu_ps(p, first_n(n), v);
}
INLINE v16 v_gather(const float *p, const int32_t *at)
{
    return _mm512_i32gather_ps(_mm512_loadu_si512(at), p, 4);
}
INLINE v16 v_add(v16 a, v16 b)
{
    return _mm512_add_ps(a, b);
}
INLINE v16 v_sub(v16 a, v16 b)
{
    return _mm512_sub_ps(a, b);
}
INLINE v16 v_mul(v16 a, v16 b)
{
    return _mm512_mul_ps(a, b);
}
INLINE v16 v_div(v16 a, v16 b)
{
    return _mm512_div_ps(a, b);
}
INLINE v16 v_fma(v16 a, v16 b, v16 c)
{
    return _mm512_fmadd_ps(a, b, c);
}
/* a times the element, plus c; compilers would load it once for all that use it. */
INLINE v16 v_fma_each(v16 a, const float *b, v16 c)
{
    __asm__("vfmadd231ps %2%{1to16%}, %1, %0" : "+v"(c) : "v"(a), "m"(*b));
    return c;
}
/* Likewise: a register and an operation less. */
INLINE v16 v_mul_each(v16 a, const float *b)
{
    v16 y;
    __asm__("vmulps %2%{1to16%}, %1, %0" : "=v"(y) : "v"(a), "m"(*b));
    return y;
}
INLINE v16 v_max(v16 a, v16 b)
{
    return _mm512_max_ps(a, b);
}
INLINE v16 v_min(v16 a, v16 b)
{
    return _mm512_min_ps(a, b);
}
INLINE v16 v_less_or(v16 a, v16 b, v16 x, v16 y)
{
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), y, x);
}
INLINE v16 v_abs(v16 a)
{
    return _mm512_abs_ps(a);
}
INLINE v16 v_twice(const float *p)
{
    const __m512i at = _mm512_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
    return _mm512_permutexvar_ps(at, _mm512_castps256_ps512(_mm256_loadu_ps(p)));
}
INLINE v16 v_swap(v16 a)
{
    return _mm512_permute_ps(a, 0xb1);
}
INLINE v16 v_sub_add(v16 a, v16 b)
{
    return _mm512_mask_sub_ps(_mm512_add_ps(a, b), 0x5555, a, b);
}
INLINE v16 v_copysign(v16 a, v16 sign)
{
    const __m512 bit = _mm512_set1_ps(-0.0f);
    return _mm512_or_ps(_mm512_andnot_ps(bit, a), _mm512_and_ps(bit, sign));
}
INLINE v16 v_shl23(v16 a)
{
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_castps_si512(a), 23));
}
INLINE __m256i load_16_words(const void *p)
{
    return _mm256_loadu_si256(p);
}
INLINE v16 v_load_f16(const void *p)
{
    return _mm512_cvtph_ps(load_16_words(p));
}
INLINE v16 v_load_f16_apart(const uint8_t *p, size_t step)
{
    return _mm512_cvtph_ps(_mm256_set_m128i(words8(p + 8 * step, step), words8(p, step)));
}
INLINE v16 v_load_bf16(const void *p)
{
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(load_16_words(p)), 16));
}
INLINE v16 v_set_f16(const void *p)
{
    uint16_t h;
    memcpy(&h, p, sizeof h);
    return _mm512_broadcastss_ps(_mm_cvtph_ps(_mm_cvtsi32_si128(h)));
}
INLINE v16 v_load_i8(const void *p)
{
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(p)));
}
INLINE void v_store_f16(uint16_t *p, v16 a)
{
    _mm256_storeu_si256((void *)p, _mm512_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT));
}

INLINE float fold_8(__m256 b)
{
    __m128 c = _mm_add_ps(_mm256_castps256_ps128(b), _mm256_extractf128_ps(b, 1));
    c = _mm_add_ps(c, _mm_movehl_ps(c, c));
    return _mm_cvtss_f32(_mm_add_ss(c, _mm_movehdup_ps(c)));
}
INLINE float v_fold(v16 a)
{
    return fold_8(_mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1)));
}
INLINE void v_fold4(const v16 *a, float *out)
{
    /* 16 -> 8: a0 | a1 and a2 | a3; 8 -> 4: one lane of 128 bits each; then inside the lanes */
    __m512 p = _mm512_add_ps(_mm512_shuffle_f32x4(a[0], a[1], 0x44),
                             _mm512_shuffle_f32x4(a[0], a[1], 0xee));
    __m512 q = _mm512_add_ps(_mm512_shuffle_f32x4(a[2], a[3], 0x44),
                             _mm512_shuffle_f32x4(a[2], a[3], 0xee));
    __m512 r = _mm512_add_ps(_mm512_shuffle_f32x4(p, q, 0x88), _mm512_shuffle_f32x4(p, q, 0xdd));
    r = _mm512_add_ps(r, _mm512_permute_ps(r, 0x4e));
    r = _mm512_add_ps(r, _mm512_permute_ps(r, 0xb1));
    const __m512i lane = _mm512_setr_epi32(0, 4, 8, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    _mm_storeu_ps(out, _mm512_castps512_ps128(_mm512_permutexvar_ps(lane, r)));
}
/* In each 128 bits: the four lanes of four vectors turned. */
INLINE void turn_4(const v16 *v, __m512 out[4])
{
    const __m512 lo = _mm512_unpacklo_ps(v[0], v[1]), hi = _mm512_unpackhi_ps(v[0], v[1]);
    const __m512 lo2 = _mm512_unpacklo_ps(v[2], v[3]), hi2 = _mm512_unpackhi_ps(v[2], v[3]);
    out[0] = _mm512_shuffle_ps(lo, lo2, 0x44), out[1] = _mm512_shuffle_ps(lo, lo2, 0xee);
    out[2] = _mm512_shuffle_ps(hi, hi2, 0x44), out[3] = _mm512_shuffle_ps(hi, hi2, 0xee);
}
INLINE void v_store_across(const v16 *v, float *to, size_t ld)
{
    __m512 t[4];
    turn_4(v, t);
    UNROLL
    for (int i = 0; i < 4; i++, to += ld) {
        _mm_storeu_ps(to, _mm512_castps512_ps128(t[i]));
        _mm_storeu_ps(to + 4 * ld, _mm512_extractf32x4_ps(t[i], 1));
        _mm_storeu_ps(to + 8 * ld, _mm512_extractf32x4_ps(t[i], 2));
        _mm_storeu_ps(to + 12 * ld, _mm512_extractf32x4_ps(t[i], 3));
    }
}
INLINE void v_store_turned(const int first, const int every, const v16 *v, float *to, size_t ld)
{
    __m512 t[16];
    UNROLL
    for (int i = 0; i < 4; i++) turn_4(v + 4 * i, t + 4 * i);
    UNROLL
    for (int i = first; i < 4; i += every) {
        const __m512 a = _mm512_shuffle_f32x4(t[i], t[4 + i], 0x44);
        const __m512 b = _mm512_shuffle_f32x4(t[i], t[4 + i], 0xee);
        const __m512 c = _mm512_shuffle_f32x4(t[8 + i], t[12 + i], 0x44);
        const __m512 d = _mm512_shuffle_f32x4(t[8 + i], t[12 + i], 0xee);
        float *at = to + (size_t)(i / every) * ld;
        const size_t next = (size_t)(4 / every) * ld;
        v_store(at, _mm512_shuffle_f32x4(a, c, 0x88));
        v_store(at + next, _mm512_shuffle_f32x4(a, c, 0xdd));
        v_store(at + 2 * next, _mm512_shuffle_f32x4(b, d, 0x88));
        v_store(at + 3 * next, _mm512_shuffle_f32x4(b, d, 0xdd));
    }
}
/* 16 -> 8 lanes of two vectors. A blend in place of a second shuffle: more ports have it. */
INLINE v16 fold_halves(v16 a, v16 b)
{
    return _mm512_add_ps(_mm512_mask_blend_ps(0xff00, a, b), _mm512_shuffle_f32x4(a, b, 0x4e));
}
/* 16 -> 8 -> 4 lanes of four vectors, those of each in a lane of 128 bits. */
INLINE v16 fold_to_4(v16 a, v16 b, v16 c, v16 d)
{
    v16 p = fold_halves(a, b), q = fold_halves(c, d);
    return _mm512_add_ps(_mm512_shuffle_f32x4(p, q, 0x88), _mm512_shuffle_f32x4(p, q, 0xdd));
}
/* In each 128 bits: 4 -> 2 lanes of two vectors. */
INLINE v16 fold_to_2(v16 a, v16 b)
{
    return _mm512_add_ps(_mm512_mask_blend_ps(0xcccc, a, b), _mm512_shuffle_ps(a, b, 0x4e));
}
INLINE v16 v_fold16(const v16 *a)
{
    v16 v[4];
    UNROLL
    for (int i = 0; i < 4; i++) v[i] = fold_to_4(a[i], a[i + 4], a[i + 8], a[i + 12]);
    v16 p = fold_to_2(v[0], v[1]), q = fold_to_2(v[2], v[3]);
    return _mm512_add_ps(_mm512_shuffle_ps(p, q, 0x88), _mm512_shuffle_ps(p, q, 0xdd));
}
INLINE v16 v_turn(v16 a, const int k)
{
    switch (k) {
    case 1: return _mm512_permute_ps(a, 0xb1);
    case 2: return _mm512_permute_ps(a, 0x4e);
    case 4: return _mm512_shuffle_f32x4(a, a, 0xb1);
    default: return _mm512_shuffle_f32x4(a, a, 0x4e);
    }
}
INLINE float v_top(v16 a)
{
    __m256 b = _mm256_max_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
    __m128 c = _mm_max_ps(_mm256_castps256_ps128(b), _mm256_extractf128_ps(b, 1));
    c = _mm_max_ps(c, _mm_movehl_ps(c, c));
    return _mm_cvtss_f32(_mm_max_ss(c, _mm_movehdup_ps(c)));
}

#include "kernels/avx512_attend.h"

#include "kernels/float_slots.h"

static double peak_f32(int64_t n)
{
    enum { CHAINS = 16 };
    __m512 a[CHAINS], w = _mm512_set1_ps(0.0f), x = _mm512_set1_ps(1.0f);
    UNROLL
    for (int i = 0; i < CHAINS; i++) {
        a[i] = _mm512_setzero_ps();
        __asm__("" : "+v"(a[i])); /* chains the compiler can't see to be one */
    }
    for (int64_t r = 0; r < n; r++) {
        UNROLL
        for (int i = 0; i < CHAINS; i++) a[i] = _mm512_fmadd_ps(w, x, a[i]);
        __asm__ volatile("" : "+v"(w), "+v"(x));
    }
    UNROLL
    for (int i = 0; i < CHAINS; i++) __asm__ volatile("" ::"v"(a[i]));
    return (double)n * CHAINS * 16;
}

const lory_kernels kernels_avx512 = { FLOAT_SLOTS, .peak_f32 = peak_f32 };
