/* avx2.c - AVX2 with FMA and F16C: the float kernels. A v16 is two registers; the kernels:
 * float_slots.h.
 * Layer: kernels. */
#include "kernels/x86.h"
#include <immintrin.h>

typedef struct {
    __m256 a, b; /* lanes 0-7, 8-15 */
} v16;

enum { F_ROWS = 2, F_TOK = 3, Q_TILE = 2, D_TILE = 2 };
enum { S_VECTORS = 1, S_KEYS = 2, P_VECTORS = 1, P_TOK = 6, P_DIRECT = 0, FEW_SUMS = 4 };

#define BOTH(f, ...)                                                                               \
    (v16)                                                                                          \
    {                                                                                              \
        f(x.a, __VA_ARGS__), f(x.b, __VA_ARGS__)                                                   \
    }
#define PAIRED(f)                                                                                  \
    (v16)                                                                                          \
    {                                                                                              \
        f(x.a, y.a), f(x.b, y.b)                                                                   \
    }

INLINE v16 v_zero(void)
{
    return (v16){ _mm256_setzero_ps(), _mm256_setzero_ps() };
}
INLINE v16 v_set(float x)
{
    return (v16){ _mm256_set1_ps(x), _mm256_set1_ps(x) };
}
INLINE v16 v_load(const void *p)
{
    return (v16){ _mm256_loadu_ps(p), _mm256_loadu_ps((const float *)p + 8) };
}
INLINE void v_store(float *p, v16 x)
{
    _mm256_storeu_ps(p, x.a);
    _mm256_storeu_ps(p + 8, x.b);
}
/* All ones in the lanes from `lane` on that are below n. */
INLINE __m256i below(int n, int lane)
{
    static const int32_t ones[32] = {
        -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1
    };
    return _mm256_loadu_si256((const __m256i *)(const void *)(ones + 16 + lane - n));
}
INLINE v16 v_load_n(const float *p, int n)
{
    /* masked-out elements are not touched, but the address must not run past the array */
    return (v16){ _mm256_maskload_ps(p, below(n, 0)),
                  n > 8 ? _mm256_maskload_ps(p + 8, below(n, 8)) : _mm256_setzero_ps() };
}
INLINE void v_store_n(float *p, int n, v16 x)
{
    _mm256_maskstore_ps(p, below(n, 0), x.a);
    if (n > 8) _mm256_maskstore_ps(p + 8, below(n, 8), x.b);
}
INLINE __m256 gather8(const float *p, const int32_t *at)
{
    return _mm256_i32gather_ps(p, _mm256_loadu_si256((const __m256i *)(const void *)at), 4);
}
INLINE v16 v_gather(const float *p, const int32_t *at)
{
    return (v16){ gather8(p, at), gather8(p, at + 8) };
}
INLINE v16 v_add(v16 x, v16 y)
{
    return PAIRED(_mm256_add_ps);
}
INLINE v16 v_sub(v16 x, v16 y)
{
    return PAIRED(_mm256_sub_ps);
}
INLINE v16 v_mul(v16 x, v16 y)
{
    return PAIRED(_mm256_mul_ps);
}
INLINE v16 v_div(v16 x, v16 y)
{
    return PAIRED(_mm256_div_ps);
}
INLINE v16 v_max(v16 x, v16 y)
{
    return PAIRED(_mm256_max_ps);
}
INLINE v16 v_min(v16 x, v16 y)
{
    return PAIRED(_mm256_min_ps);
}
INLINE v16 v_less_or(v16 a, v16 b, v16 x, v16 y)
{
    return (v16){ _mm256_blendv_ps(y.a, x.a, _mm256_cmp_ps(a.a, b.a, _CMP_LT_OQ)),
                  _mm256_blendv_ps(y.b, x.b, _mm256_cmp_ps(a.b, b.b, _CMP_LT_OQ)) };
}
INLINE v16 v_fma(v16 x, v16 y, v16 z)
{
    return (v16){ _mm256_fmadd_ps(x.a, y.a, z.a), _mm256_fmadd_ps(x.b, y.b, z.b) };
}
INLINE v16 v_fma_each(v16 x, const float *y, v16 z)
{
    return v_fma(x, v_set(*y), z);
}
INLINE v16 v_mul_each(v16 a, const float *b)
{
    return v_mul(a, v_set(*b));
}
INLINE v16 v_and(v16 x, v16 y)
{
    return PAIRED(_mm256_and_ps);
}
INLINE v16 v_abs(v16 x)
{
    v16 y = v_set(-0.0f);
    return (v16){ _mm256_andnot_ps(y.a, x.a), _mm256_andnot_ps(y.b, x.b) };
}
INLINE __m256 twice4(const float *p)
{
    const __m256i at = _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3);
    return _mm256_permutevar8x32_ps(_mm256_castps128_ps256(_mm_loadu_ps(p)), at);
}
INLINE v16 v_twice(const float *p)
{
    return (v16){ twice4(p), twice4(p + 4) };
}
INLINE v16 v_swap(v16 x)
{
    return BOTH(_mm256_permute_ps, 0xb1);
}
INLINE v16 v_sub_add(v16 x, v16 y)
{
    return PAIRED(_mm256_addsub_ps);
}
INLINE v16 v_copysign(v16 to, v16 sign)
{
    v16 x = v_abs(to), y = v_and(sign, v_set(-0.0f));
    return PAIRED(_mm256_or_ps);
}
INLINE __m256 shl23(__m256 a, int n)
{
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(a), n));
}
INLINE v16 v_shl23(v16 x)
{
    return BOTH(shl23, 23);
}
INLINE __m128i load_8_words(const void *p)
{
    return _mm_loadu_si128(p);
}
INLINE v16 v_load_f16(const void *p)
{
    return (v16){ _mm256_cvtph_ps(load_8_words(p)),
                  _mm256_cvtph_ps(load_8_words((const char *)p + 16)) };
}
INLINE v16 v_load_f16_apart(const uint8_t *p, size_t step)
{
    return (v16){ _mm256_cvtph_ps(words8(p, step)), _mm256_cvtph_ps(words8(p + 8 * step, step)) };
}
INLINE __m256 bf16x8(__m128i h)
{
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(h), 16));
}
INLINE v16 v_load_bf16(const void *p)
{
    return (v16){ bf16x8(load_8_words(p)), bf16x8(load_8_words((const char *)p + 16)) };
}
INLINE v16 v_set_f16(const void *p)
{
    uint16_t h;
    memcpy(&h, p, sizeof h);
    __m256 x = _mm256_broadcastss_ps(_mm_cvtph_ps(_mm_cvtsi32_si128(h)));
    return (v16){ x, x };
}
INLINE __m256 i8x8(__m128i q)
{
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(q));
}
INLINE v16 v_load_i8(const void *p)
{
    __m128i q = load_8_words(p); /* 16 bytes */
    return (v16){ i8x8(q), i8x8(_mm_srli_si128(q, 8)) };
}
INLINE void v_store_f16(uint16_t *p, v16 x)
{
    _mm_storeu_si128((void *)p, _mm256_cvtps_ph(x.a, _MM_FROUND_TO_NEAREST_INT));
    _mm_storeu_si128((void *)(p + 8), _mm256_cvtps_ph(x.b, _MM_FROUND_TO_NEAREST_INT));
}
INLINE float v_fold(v16 x)
{
    __m256 b = _mm256_add_ps(x.a, x.b);
    __m128 c = _mm_add_ps(_mm256_castps256_ps128(b), _mm256_extractf128_ps(b, 1));
    c = _mm_add_ps(c, _mm_movehl_ps(c, c));
    return _mm_cvtss_f32(_mm_add_ss(c, _mm_movehdup_ps(c)));
}
/* Two vectors of 8 sums to lanes of 4: x | y. */
INLINE __m256 fold_to_4(v16 x, v16 y)
{
    __m256 p = _mm256_add_ps(x.a, x.b), q = _mm256_add_ps(y.a, y.b);
    return _mm256_add_ps(_mm256_permute2f128_ps(p, q, 0x20), _mm256_permute2f128_ps(p, q, 0x31));
}
INLINE void v_fold4(const v16 *v, float *out)
{
    __m256 p = fold_to_4(v[0], v[2]), q = fold_to_4(v[1], v[3]); /* 0 | 2, 1 | 3 */
    __m256d pd = _mm256_castps_pd(p), qd = _mm256_castps_pd(q);
    __m256 r = _mm256_add_ps(_mm256_castpd_ps(_mm256_unpacklo_pd(pd, qd)),
                             _mm256_castpd_ps(_mm256_unpackhi_pd(pd, qd)));
    r = _mm256_add_ps(r, _mm256_permute_ps(r, 0xb1)); /* 0 0 1 1 | 2 2 3 3 */
    _mm_storeu_ps(out,
                  _mm_shuffle_ps(_mm256_castps256_ps128(r), _mm256_extractf128_ps(r, 1), 0x88));
}
/* Of four halves: lanes i, and 4 + i of them, by i. */
INLINE void turn_4(__m256 a, __m256 b, __m256 c, __m256 d, __m256 out[4])
{
    const __m256 lo = _mm256_unpacklo_ps(a, b), hi = _mm256_unpackhi_ps(a, b);
    const __m256 lo2 = _mm256_unpacklo_ps(c, d), hi2 = _mm256_unpackhi_ps(c, d);
    out[0] = _mm256_shuffle_ps(lo, lo2, 0x44), out[1] = _mm256_shuffle_ps(lo, lo2, 0xee);
    out[2] = _mm256_shuffle_ps(hi, hi2, 0x44), out[3] = _mm256_shuffle_ps(hi, hi2, 0xee);
}
INLINE void store_some(const int first, const int every, const v16 *v, float *to, size_t ld)
{
    __m256 a[4], b[4];
    turn_4(v[0].a, v[1].a, v[2].a, v[3].a, a);
    turn_4(v[0].b, v[1].b, v[2].b, v[3].b, b);
    UNROLL
    for (int i = first; i < 4; i += every) {
        float *at = to + (size_t)(i / every) * ld;
        const size_t next = (size_t)(4 / every) * ld;
        _mm_storeu_ps(at, _mm256_castps256_ps128(a[i]));
        _mm_storeu_ps(at + next, _mm256_extractf128_ps(a[i], 1));
        _mm_storeu_ps(at + 2 * next, _mm256_castps256_ps128(b[i]));
        _mm_storeu_ps(at + 3 * next, _mm256_extractf128_ps(b[i], 1));
    }
}
INLINE void v_store_across(const v16 *v, float *to, size_t ld)
{
    store_some(0, 1, v, to, ld);
}
INLINE void v_store_turned(const int first, const int every, const v16 *v, float *to, size_t ld)
{
    UNROLL
    for (int i = 0; i < 16; i += 4) store_some(first, every, v + i, to + i, ld);
}
/* Eight vectors to one lane of 8 each. */
INLINE __m256 fold_8_of_16(const v16 *v)
{
    __m256 r[4];
    UNROLL
    for (int i = 0; i < 4; i++) r[i] = fold_to_4(v[i], v[i + 4]);
    __m256 p = _mm256_add_ps(_mm256_unpacklo_ps(r[0], r[1]), _mm256_unpackhi_ps(r[0], r[1]));
    __m256 q = _mm256_add_ps(_mm256_unpacklo_ps(r[2], r[3]), _mm256_unpackhi_ps(r[2], r[3]));
    return _mm256_add_ps(_mm256_shuffle_ps(p, q, 0x44), _mm256_shuffle_ps(p, q, 0xee));
}
INLINE v16 v_fold16(const v16 *v)
{
    return (v16){ fold_8_of_16(v), fold_8_of_16(v + 8) };
}
INLINE v16 v_turn(v16 x, const int k)
{
    switch (k) {
    case 1: return BOTH(_mm256_permute_ps, 0xb1);
    case 2: return BOTH(_mm256_permute_ps, 0x4e);
    case 4:
        return (v16){ _mm256_permute2f128_ps(x.a, x.a, 1), _mm256_permute2f128_ps(x.b, x.b, 1) };
    default: return (v16){ x.b, x.a };
    }
}
INLINE float v_top(v16 x)
{
    __m256 b = _mm256_max_ps(x.a, x.b);
    __m128 c = _mm_max_ps(_mm256_castps256_ps128(b), _mm256_extractf128_ps(b, 1));
    c = _mm_max_ps(c, _mm_movehl_ps(c, c));
    return _mm_cvtss_f32(_mm_max_ss(c, _mm_movehdup_ps(c)));
}

#include "kernels/avx2_attend.h"

#include "kernels/float_slots.h"

static double peak_f32(int64_t n)
{
    enum { CHAINS = 12 };
    __m256 a[CHAINS], w = _mm256_set1_ps(0.0f), x = _mm256_set1_ps(1.0f);
    UNROLL
    for (int i = 0; i < CHAINS; i++) {
        a[i] = _mm256_setzero_ps();
        __asm__("" : "+x"(a[i])); /* chains the compiler can't see to be one */
    }
    for (int64_t r = 0; r < n; r++) {
        UNROLL
        for (int i = 0; i < CHAINS; i++) a[i] = _mm256_fmadd_ps(w, x, a[i]);
        __asm__ volatile("" : "+x"(w), "+x"(x));
    }
    UNROLL
    for (int i = 0; i < CHAINS; i++) __asm__ volatile("" ::"x"(a[i]));
    return (double)n * CHAINS * 8;
}

const lory_kernels kernels_avx2 = { FLOAT_SLOTS, .peak_f32 = peak_f32 };
