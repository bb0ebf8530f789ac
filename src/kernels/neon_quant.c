/* neon_quant.c - NEON of every aarch64: activations to int8, and the integer matmul by widening
 * multiplies, for processors without sdot.
 * Layer: kernels. */
#include "kernels/neon.h"
#include <arm_neon.h>

/* ---- activations --------------------------------------------------------------------------- */

/* 4 codes of x; NaN gives -127. */
INLINE int32x4_t codes4(float32x4_t x, float to_code)
{
    const float32x4_t lo = vdupq_n_f32(-127.0f), hi = vdupq_n_f32(127.0f);
    float32x4_t v = vmulq_n_f32(x, to_code);
    v = vbslq_f32(vcgtq_f32(v, lo), v, lo);
    return vcvtnq_s32_f32(vbslq_f32(vcltq_f32(v, hi), v, hi));
}

static void quant_group(const float *x, act_group *g)
{
    float32x4_t v[8];
    uint32x4_t top = vdupq_n_u32(0);
    for (int i = 0; i < 8; i++) {
        v[i] = vld1q_f32(x + 4 * i);
        top = vmaxq_u32(top, vreinterpretq_u32_f32(vabsq_f32(v[i])));
    }
    uint32_t bits = vmaxvq_u32(top);
    float m;
    memcpy(&m, &bits, sizeof m);
    memset(g, 0, sizeof *g);
    if (m < 0x1p-100f) return;
    const float to_code = 127.0f / m;
    int sum[2];
    for (int s = 0; s < 2; s++) {
        int16x8_t a = vcombine_s16(vmovn_s32(codes4(v[4 * s], to_code)),
                                   vmovn_s32(codes4(v[4 * s + 1], to_code)));
        int16x8_t b = vcombine_s16(vmovn_s32(codes4(v[4 * s + 2], to_code)),
                                   vmovn_s32(codes4(v[4 * s + 3], to_code)));
        vst1q_s8(g->q + 16 * s, vcombine_s8(vmovn_s16(a), vmovn_s16(b)));
        sum[s] = vaddlvq_s16(vaddq_s16(a, b));
    }
    g->dx = m / 127.0f;
    act_set_sums(g, sum[0], sum[1]);
}

static void quant_act(const act_args *a)
{
    for (int it = a->it0; it < a->it1; it++)
        for (int ig = a->ig0; ig < a->ig1; ig++)
            quant_group(a->x + (size_t)it * a->ld_x + (size_t)ig * QT_GROUP,
                        &a->act[act_index(it, ig, a->n_tok, a->n_group)]);
}

/* ---- the step: 8 x 8 -> 16 bits, pairs added to 32 ----------------------------------------- */

typedef struct {
    int32x4_t lo, hi; /* rows 0 0 1 1 and 2 2 3 3 */
} isum;

INLINE isum isum_zero(void)
{
    return (isum){ vdupq_n_s32(0), vdupq_n_s32(0) };
}
INLINE int32x4_t sums_of(isum s)
{
    return vpaddq_s32(s.lo, s.hi);
}
INLINE isum add_products(isum s, int8x16_t w, int8x16_t x4)
{
    s.lo = vpadalq_s16(s.lo, vmull_s8(vget_low_s8(w), vget_low_s8(x4)));
    s.hi = vpadalq_s16(s.hi, vmull_high_s8(w, x4));
    return s;
}
#define ADD_STEP(s, w, x, k)                                                                       \
    add_products(s, w, vreinterpretq_s8_s32(vdupq_laneq_s32(vreinterpretq_s32_s8(x), k)))
#define HIDE(s) __asm__ volatile("" : "+w"((s).lo), "+w"((s).hi))

#include "kernels/neon_tiles.h"

const lory_kernels kernels_neon_quant = {
    .quant_act = quant_act, .panel_zero = panel_zero, .gemm_i8 = gemm_i8, .peak_i8 = peak_i8
};
