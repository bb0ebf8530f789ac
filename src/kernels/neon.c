/* neon.c - NEON of every aarch64: the float kernels. A v16 is four registers; the kernels:
 * float_slots.h.
 * Layer: kernels. */
#include "kernels/neon.h"
#include <arm_neon.h>

typedef struct {
    float32x4_t q[4];
} v16;

enum { F_ROWS = 2, F_TOK = 2, Q_TILE = 2, D_TILE = 2 };
enum { S_VECTORS = 1, S_KEYS = 2, P_VECTORS = 1, P_TOK = 6, P_DIRECT = 0, FEW_SUMS = 4 };

#define EACH(expr)                                                                                 \
    v16 y;                                                                                         \
    UNROLL                                                                                         \
    for (int i = 0; i < 4; i++) y.q[i] = expr;                                                     \
    return y

INLINE v16 v_set(float a)
{
    EACH(vdupq_n_f32(a));
}
INLINE v16 v_zero(void)
{
    return v_set(0.0f);
}
INLINE v16 v_load(const void *p)
{
    EACH(vld1q_f32((const float *)p + 4 * i));
}
INLINE void v_store(float *p, v16 v)
{
    UNROLL
    for (int i = 0; i < 4; i++) vst1q_f32(p + 4 * i, v.q[i]);
}
INLINE v16 v_load_n(const float *p, int n)
{
    float part[16] = { 0 };
    memcpy(part, p, (size_t)n * sizeof *p);
    return v_load(part);
}
INLINE void v_store_n(float *p, int n, v16 v)
{
    float part[16];
    v_store(part, v);
    memcpy(p, part, (size_t)n * sizeof *p);
}
INLINE v16 v_gather(const float *p, const int32_t *at)
{
    float v[16];
    for (int i = 0; i < 16; i++) v[i] = p[at[i]];
    return v_load(v);
}
INLINE v16 v_add(v16 a, v16 b)
{
    EACH(vaddq_f32(a.q[i], b.q[i]));
}
INLINE v16 v_sub(v16 a, v16 b)
{
    EACH(vsubq_f32(a.q[i], b.q[i]));
}
INLINE v16 v_mul(v16 a, v16 b)
{
    EACH(vmulq_f32(a.q[i], b.q[i]));
}
INLINE v16 v_div(v16 a, v16 b)
{
    EACH(vdivq_f32(a.q[i], b.q[i]));
}
INLINE v16 v_fma(v16 a, v16 b, v16 c)
{
    EACH(vfmaq_f32(c.q[i], a.q[i], b.q[i]));
}
INLINE v16 v_fma_each(v16 a, const float *b, v16 c)
{
    return v_fma(a, v_set(*b), c);
}
INLINE v16 v_mul_each(v16 a, const float *b)
{
    return v_mul(a, v_set(*b));
}
/* Not vmaxq: that gives NaN where either is. */
INLINE v16 v_max(v16 a, v16 b)
{
    EACH(vbslq_f32(vcgtq_f32(a.q[i], b.q[i]), a.q[i], b.q[i]));
}
INLINE v16 v_min(v16 a, v16 b)
{
    EACH(vbslq_f32(vcltq_f32(a.q[i], b.q[i]), a.q[i], b.q[i]));
}
INLINE v16 v_less_or(v16 a, v16 b, v16 x, v16 y_)
{
    EACH(vbslq_f32(vcltq_f32(a.q[i], b.q[i]), x.q[i], y_.q[i]));
}
INLINE v16 v_abs(v16 a)
{
    EACH(vabsq_f32(a.q[i]));
}
INLINE v16 v_twice(const float *p)
{
    EACH(vcombine_f32(vdup_n_f32(p[2 * i]), vdup_n_f32(p[2 * i + 1])));
}
INLINE v16 v_swap(v16 a)
{
    EACH(vrev64q_f32(a.q[i]));
}
INLINE v16 v_sub_add(v16 a, v16 b)
{
    EACH(vtrn1q_f32(vsubq_f32(a.q[i], b.q[i]), vrev64q_f32(vaddq_f32(a.q[i], b.q[i]))));
}
INLINE v16 v_copysign(v16 a, v16 sign)
{
    EACH(vbslq_f32(vdupq_n_u32(0x80000000), sign.q[i], a.q[i]));
}
INLINE v16 v_shl23(v16 a)
{
    EACH(vreinterpretq_f32_u32(vshlq_n_u32(vreinterpretq_u32_f32(a.q[i]), 23)));
}
INLINE uint16x4_t load_4_words(const void *p)
{
    return vreinterpret_u16_u8(vld1_u8(p));
}
INLINE v16 v_load_f16(const void *p)
{
    EACH(vcvt_f32_f16(vreinterpret_f16_u16(load_4_words((const char *)p + 8 * i))));
}
INLINE v16 v_load_f16_apart(const uint8_t *p, size_t step)
{
    uint16_t h[16];
    UNROLL
    for (size_t i = 0; i < 16; i++) memcpy(h + i, p + i * step, sizeof *h);
    return v_load_f16(h);
}
INLINE v16 v_load_bf16(const void *p)
{
    EACH(vreinterpretq_f32_u32(vshll_n_u16(load_4_words((const char *)p + 8 * i), 16)));
}
INLINE v16 v_set_f16(const void *p)
{
    uint16_t h;
    memcpy(&h, p, sizeof h);
    return v_set(vgetq_lane_f32(vcvt_f32_f16(vreinterpret_f16_u16(vdup_n_u16(h))), 0));
}
INLINE v16 v_load_i8(const void *p)
{
    int8x16_t q = vld1q_s8(p);
    int16x8_t w[2] = { vmovl_s8(vget_low_s8(q)), vmovl_s8(vget_high_s8(q)) };
    EACH(vcvtq_f32_s32(
        vmovl_s16(i % 2 == 0 ? vget_low_s16(w[i / 2]) : vget_high_s16(w[i / 2]))));
}
INLINE void v_store_f16(uint16_t *p, v16 a)
{
    UNROLL
    for (int i = 0; i < 4; i++) vst1_u16(p + 4 * i, vreinterpret_u16_f16(vcvt_f16_f32(a.q[i])));
}

INLINE float32x4_t fold_to_4(v16 a)
{
    return vaddq_f32(vaddq_f32(a.q[0], a.q[2]), vaddq_f32(a.q[1], a.q[3]));
}
INLINE float v_fold(v16 a)
{
    float32x4_t b = fold_to_4(a);
    return vpadds_f32(vadd_f32(vget_low_f32(b), vget_high_f32(b)));
}
INLINE void v_fold4(const v16 *v, float *out)
{
    float32x4_t a = fold_to_4(v[0]), b = fold_to_4(v[1]), c = fold_to_4(v[2]), d = fold_to_4(v[3]);
    float32x4_t ab = vcombine_f32(vadd_f32(vget_low_f32(a), vget_high_f32(a)),
                                  vadd_f32(vget_low_f32(b), vget_high_f32(b)));
    float32x4_t cd = vcombine_f32(vadd_f32(vget_low_f32(c), vget_high_f32(c)),
                                  vadd_f32(vget_low_f32(d), vget_high_f32(d)));
    vst1q_f32(out, vpaddq_f32(ab, cd));
}
INLINE void store_some(const int first, const int every, const v16 *v, float *to, size_t ld)
{
    UNROLL
    for (int q = 0; q < 4; q++) {
        const float32x4x2_t ac = vzipq_f32(v[0].q[q], v[2].q[q]);
        const float32x4x2_t bd = vzipq_f32(v[1].q[q], v[3].q[q]);
        const float32x4x2_t low = vzipq_f32(ac.val[0], bd.val[0]);
        const float32x4x2_t high = vzipq_f32(ac.val[1], bd.val[1]);
        const float32x4_t lane[4] = { low.val[0], low.val[1], high.val[0], high.val[1] };
        UNROLL
        for (int i = first; i < 4; i += every)
            vst1q_f32(to + (size_t)((4 * q + i) / every) * ld, lane[i]);
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
/* Two vectors of 4 sums folded to 2, side by side. */
INLINE float32x4_t fold_to_2(v16 a, v16 b)
{
    float32x4_t p = fold_to_4(a), q = fold_to_4(b);
    return vaddq_f32(vzip1q_f32(p, q), vzip2q_f32(p, q));
}
INLINE v16 v_fold16(const v16 *v)
{
    v16 y;
    UNROLL
    for (int i = 0; i < 4; i++) {
        float32x4_t p = fold_to_2(v[4 * i], v[4 * i + 1]);
        float32x4_t q = fold_to_2(v[4 * i + 2], v[4 * i + 3]);
        y.q[i] = vaddq_f32(vcombine_f32(vget_low_f32(p), vget_low_f32(q)),
                           vcombine_f32(vget_high_f32(p), vget_high_f32(q)));
    }
    return y;
}
INLINE v16 v_turn(v16 a, const int k)
{
    switch (k) {
    case 1: {
        EACH(vrev64q_f32(a.q[i]));
    }
    case 2: {
        EACH(vextq_f32(a.q[i], a.q[i], 2));
    }
    case 4: {
        EACH(a.q[i ^ 1]);
    }
    default: {
        EACH(a.q[i ^ 2]);
    }
    }
}
/* The lanes hold no NaN: v_max has passed over them. */
INLINE float v_top(v16 a)
{
    return vmaxvq_f32(vmaxq_f32(vmaxq_f32(a.q[0], a.q[1]), vmaxq_f32(a.q[2], a.q[3])));
}
#undef EACH

#include "kernels/neon_attend.h"

#include "kernels/float_slots.h"

static double peak_f32(int64_t n)
{
    enum { CHAINS = 16 };
    float32x4_t a[CHAINS], w = vdupq_n_f32(0.0f), x = vdupq_n_f32(1.0f);
    UNROLL
    for (int i = 0; i < CHAINS; i++) {
        a[i] = vdupq_n_f32(0.0f);
        __asm__("" : "+w"(a[i])); /* chains the compiler can't see to be one */
    }
    for (int64_t r = 0; r < n; r++) {
        UNROLL
        for (int i = 0; i < CHAINS; i++) a[i] = vfmaq_f32(a[i], w, x);
        __asm__ volatile("" : "+w"(w), "+w"(x));
    }
    UNROLL
    for (int i = 0; i < CHAINS; i++) __asm__ volatile("" ::"w"(a[i]));
    return (double)n * CHAINS * 4;
}

const lory_kernels kernels_neon = { FLOAT_SLOTS, .peak_f32 = peak_f32 };
