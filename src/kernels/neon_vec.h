/* neon_vec.h - NEON: the vectors that pack_rows.h and the gemv headers are written over.
 * Layer: kernels, private to the files of aarch64. */
#ifndef LORY_KERNELS_NEON_VEC_H
#define LORY_KERNELS_NEON_VEC_H

#include "kernels/neon.h"
#include "quant/iq_grid.h"
#include <arm_neon.h>

typedef uint8x16_t codes;
typedef float32x4_t floats;
enum { ROWS = 4 };

/* The same bits as words and dwords; shifts by a variable, which constants make immediate. */
#define AS16(v)   vreinterpretq_u16_u8(v)
#define AS32(v)   vreinterpretq_u32_u8(v)
#define FROM16(v) vreinterpretq_u8_u16(v)
#define FROM32(v) vreinterpretq_u8_u32(v)

INLINE codes i_set8(char v)
{
    return vdupq_n_u8((uint8_t)v);
}
INLINE codes i_set32(int v)
{
    return FROM32(vdupq_n_u32((uint32_t)v));
}
INLINE codes i_repeat(const int8_t *p)
{
    return vreinterpretq_u8_s8(vld1q_s8(p));
}
INLINE codes i_and(codes a, codes b)
{
    return vandq_u8(a, b);
}
INLINE codes i_or(codes a, codes b)
{
    return vorrq_u8(a, b);
}
INLINE codes i_xor(codes a, codes b)
{
    return veorq_u8(a, b);
}
INLINE codes i_sub8(codes a, codes b)
{
    return vsubq_u8(a, b);
}
INLINE codes i_ge8(codes a, codes b)
{
    return vcgeq_u8(a, b);
}
INLINE codes i_negate_where(codes a, codes bits, codes which)
{
    codes m = vtstq_u8(bits, which);
    return vsubq_u8(veorq_u8(a, m), m);
}
INLINE void i_points(const uint16_t *grid, const int n, codes at, codes o[2])
{
    uint32_t v[ROWS], w[ROWS];
    (void)n;
    vst1q_u32(v, AS32(at));
    for (int r = 0; r < ROWS; r++) w[r] = grid[v[r] >> 16], v[r] = grid[v[r] & 0xffff];
    o[0] = FROM32(vld1q_u32(v)), o[1] = FROM32(vld1q_u32(w));
}
INLINE codes i_add8(codes a, codes b)
{
    return vaddq_u8(a, b);
}
INLINE codes i_add32(codes a, codes b)
{
    return FROM32(vaddq_u32(AS32(a), AS32(b)));
}
INLINE codes i_sub32(codes a, codes b)
{
    return FROM32(vsubq_u32(AS32(a), AS32(b)));
}
INLINE codes i_eq8(codes a, codes b)
{
    return vceqq_u8(a, b);
}
INLINE codes i_shl16(codes a, int n)
{
    return FROM16(vshlq_u16(AS16(a), vdupq_n_s16((int16_t)n)));
}
INLINE codes i_shr16(codes a, int n)
{
    return FROM16(vshlq_u16(AS16(a), vdupq_n_s16((int16_t)-n)));
}
INLINE codes i_shr8(codes a, int n)
{
    return vshlq_u8(a, vdupq_n_s8((int8_t)-n));
}
INLINE codes i_shl32(codes a, int n)
{
    return FROM32(vshlq_u32(AS32(a), vdupq_n_s32(n)));
}
INLINE codes i_shr32(codes a, int n)
{
    return FROM32(vshlq_u32(AS32(a), vdupq_n_s32(-n)));
}
INLINE codes i_sra32(codes a, int n)
{
    return vreinterpretq_u8_s32(vshlq_s32(vreinterpretq_s32_u8(a), vdupq_n_s32(-n)));
}
INLINE codes i_table(codes table, codes at)
{
    return vqtbl1q_u8(table, at);
}
INLINE floats f_of(codes a)
{
    return vcvtq_f32_s32(vreinterpretq_s32_u8(a));
}
INLINE floats f_bits(codes a)
{
    return vreinterpretq_f32_u8(a);
}
INLINE floats f_set(float a)
{
    return vdupq_n_f32(a);
}
INLINE floats f_mul(floats a, floats b)
{
    return vmulq_f32(a, b);
}
INLINE floats f_fma(floats a, floats b, floats c)
{
    return vfmaq_f32(c, a, b);
}
INLINE floats f_fnma(floats a, floats b, floats c)
{
    return vfmsq_f32(c, a, b);
}
INLINE floats f_add(floats a, floats b)
{
    return vaddq_f32(a, b);
}
INLINE floats f_sub(floats a, floats b)
{
    return vsubq_f32(a, b);
}
INLINE floats f_load(const void *p)
{
    return vld1q_f32(p);
}
INLINE void f_store(float *to, floats v)
{
    vst1q_f32(to, v);
}
INLINE void put(uint8_t *to, codes v)
{
    vst1q_u8(to, v);
}
INLINE void put_f32(uint8_t *to, floats v)
{
    vst1q_u8(to, vreinterpretq_u8_f32(v));
}

/* Bytes p[0..15] of 4 rows, rb apart: o[i] holds bytes 4i..4i+3 of row after row. */
INLINE void i_rows16(const uint8_t *p, size_t rb, codes o[4])
{
    uint32x4_t r0 = AS32(vld1q_u8(p)), r1 = AS32(vld1q_u8(p + rb));
    uint32x4_t r2 = AS32(vld1q_u8(p + 2 * rb)), r3 = AS32(vld1q_u8(p + 3 * rb));
    uint64x2_t a = vreinterpretq_u64_u32(vzip1q_u32(r0, r1));
    uint64x2_t b = vreinterpretq_u64_u32(vzip2q_u32(r0, r1));
    uint64x2_t c = vreinterpretq_u64_u32(vzip1q_u32(r2, r3));
    uint64x2_t d = vreinterpretq_u64_u32(vzip2q_u32(r2, r3));
    o[0] = vreinterpretq_u8_u64(vzip1q_u64(a, c)), o[1] = vreinterpretq_u8_u64(vzip2q_u64(a, c));
    o[2] = vreinterpretq_u8_u64(vzip1q_u64(b, d)), o[3] = vreinterpretq_u8_u64(vzip2q_u64(b, d));
}

INLINE codes i_dwords(const uint8_t *p, size_t rb)
{
    uint32_t v[ROWS];
    UNROLL
    for (size_t r = 0; r < ROWS; r++) memcpy(&v[r], p + r * rb, sizeof *v);
    uint32x4_t d = vdupq_n_u32(v[0]);
    d = vsetq_lane_u32(v[1], d, 1), d = vsetq_lane_u32(v[2], d, 2);
    return FROM32(vsetq_lane_u32(v[3], d, 3));
}
INLINE floats f_halves(const uint8_t *p, size_t rb)
{
    uint16_t v[ROWS];
    UNROLL
    for (size_t r = 0; r < ROWS; r++) memcpy(&v[r], p + r * rb, sizeof *v);
    uint16x4_t h = vdup_n_u16(v[0]);
    h = vset_lane_u16(v[1], h, 1), h = vset_lane_u16(v[2], h, 2);
    return vcvt_f32_f16(vreinterpret_f16_u16(vset_lane_u16(v[3], h, 3)));
}
INLINE floats f_low_halves(codes v)
{
    return vcvt_f32_f16(vreinterpret_f16_u16(vmovn_u32(AS32(v))));
}

#endif
