/* scale_rows.h - the scales and minima of a super-block of ROWS rows, for one instruction set; and
 * the fields of bits that rows are taken apart by.
 * Layer: kernels. Not a header by itself: pack_rows.h and gemv.h include it, after the vectors
 * that pack_rows.h names. Layouts of the blocks: quant/block.h. */
#ifndef LORY_KERNELS_SCALE_ROWS_H
#define LORY_KERNELS_SCALE_ROWS_H

#include "quant/block.h"

enum {
    CODES = QT_GROUP * PANEL_ROWS,            /* bytes of a panel's group: codes */
    FLOATS = PANEL_ROWS * (int)sizeof(float), /* one scale of the rows */
    GROUPS = QB_SUPER / QT_GROUP
};

/* Byte i of each dword, as a float. */
INLINE floats byte_f32(codes v, int i)
{
    return f_of(i_and(i_shr32(v, 8 * i), i_set32(255)));
}
INLINE floats signed_byte_f32(codes v, int i)
{
    return f_of(i_sra32(i_shl32(v, 24 - 8 * i), 24));
}

INLINE codes low4(codes v)
{
    return i_and(v, i_set8(15));
}
INLINE codes high4(codes v)
{
    return i_shr8(v, 4);
}
/* Bits s, s+1 of every byte. */
INLINE codes pair(codes v, int s)
{
    return i_and(i_shr16(v, s), i_set8(3));
}
/* Bit s of every byte, moved to bit `to`. */
INLINE codes bit(codes v, int s, int to)
{
    return i_and(s < to ? i_shl16(v, to - s) : i_shr16(v, s - to), i_set8((char)(1 << to)));
}

/* Bits s .. s + n - 1 of each dword. */
INLINE codes bits_at(codes v, int s, int n)
{
    return i_and(i_shr32(v, s), i_set32((1 << n) - 1));
}

/* The codes that nibbles stand for, + zero. */
INLINE codes iq4_levels(int zero)
{
    static const int8_t level[16] = { -127, -104, -83, -65, -49, -35, -22, -10,
                                      1,    13,   25,  38,  53,  69,  89,  113 };
    return i_add8(i_repeat(level), i_set8((char)zero));
}
INLINE codes mxfp4_levels(int zero)
{
    static const int8_t level[16] = { 0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12 };
    return i_add8(i_repeat(level), i_set8((char)zero));
}

/* ---- scales of a block of ROWS rows, rb apart ------------------------------------------------ */

/* Those of group g go to `to + g * stride`, aligned, as a panel has them. */

/* The scales and minima of Q4_K and Q5_K: their first 16 bytes are d, dmin and 12 scale bytes. */
INLINE void scales_q4_k(uint8_t *to, size_t stride, const uint8_t *p, size_t rb)
{
    const codes six = i_set8(63), top = i_set8(48);
    codes h[4];
    i_rows16(p, rb, h);
    floats d = f_low_halves(h[0]), dmin = f_low_halves(i_shr32(h[0], 16));
    codes sc[2] = { i_and(h[1], six), i_or(low4(h[3]), i_and(i_shr16(h[1], 2), top)) };
    codes mn[2] = { i_and(h[2], six), i_or(high4(h[3]), i_and(i_shr16(h[2], 2), top)) };
    UNROLL
    for (int s = 0; s < GROUPS; s++, to += stride) {
        put_f32(to, f_mul(d, byte_f32(sc[s / 4], s % 4)));
        put_f32(to + FLOATS, f_mul(dmin, byte_f32(mn[s / 4], s % 4)));
    }
}

INLINE void scales_q6_k(uint8_t *to, size_t stride, const uint8_t *p, size_t rb)
{
    codes s[4];
    floats d = f_halves(p + 208, rb);
    i_rows16(p + 192, rb, s);
    UNROLL
    for (int i = 0; i < 16; i++)
        put_f32(to + (size_t)(i / 2) * stride + i % 2 * FLOATS,
                f_mul(d, signed_byte_f32(s[i / 4], i % 4)));
}

INLINE void scales_q2_k(uint8_t *to, size_t stride, const uint8_t *p, size_t rb)
{
    codes s[4], dm = i_dwords(p + 80, rb);
    floats d = f_low_halves(dm), dmin = f_low_halves(i_shr32(dm, 16));
    i_rows16(p, rb, s);
    UNROLL
    for (int i = 0; i < 16; i++) {
        uint8_t *t = to + (size_t)(i / 2) * stride + i % 2 * FLOATS;
        put_f32(t, f_mul(d, byte_f32(low4(s[i / 4]), i % 4)));
        put_f32(t + 2 * FLOATS, f_mul(dmin, byte_f32(high4(s[i / 4]), i % 4)));
    }
}

/* Scale j of Q3_K, 32 too great, is byte j % 4 of each dword of s[j / 4]. Returns d. */
INLINE floats q3_k_scale_bytes(const uint8_t *p, size_t rb, codes s[4])
{
    codes b[4]; /* the last 14 bytes and 2 before: 12 of scales, then d */
    i_rows16(p + 94, rb, b);
    const floats d = f_low_halves(i_shr32(b[3], 16));
    UNROLL
    for (int i = 0; i < 3; i++) /* the three dwords, two bytes further on */
        b[i] = i_or(i_shr32(b[i], 16), i_shl32(b[i + 1], 16));
    UNROLL
    for (int i = 0; i < 4; i++) {
        codes low = i < 2 ? low4(b[i]) : high4(b[i - 2]);
        s[i] = i_or(low, i_shl16(pair(b[2], 2 * i), 4));
    }
    return d;
}

INLINE void scales_q3_k(uint8_t *to, size_t stride, const uint8_t *p, size_t rb)
{
    codes s[4];
    const floats d = q3_k_scale_bytes(p, rb, s);
    UNROLL
    for (int i = 0; i < 16; i++) {
        floats f = f_sub(byte_f32(s[i / 4], i % 4), f_set(32.0f));
        put_f32(to + (size_t)(i / 2) * stride + i % 2 * FLOATS, f_mul(d, f));
    }
}

INLINE void scales_iq4_xs(uint8_t *to, size_t stride, const uint8_t *p, size_t rb)
{
    codes h[4];
    i_rows16(p, rb, h); /* d and scale_h, scale_l */
    floats d = f_low_halves(h[0]);
    UNROLL
    for (int s = 0; s < GROUPS; s++, to += stride) {
        codes lo = i_and(i_shr32(h[1], (4 * s)), i_set32(15));
        codes hi = i_and(i_shr32(h[0], (16 + 2 * s)), i_set32(3));
        codes sc = i_or(lo, i_shl32(hi, 4));
        sc = i_sub32(sc, i_set32(32));
        put_f32(to, f_mul(d, f_of(sc)));
    }
}

/* One scale for all. */
INLINE void scales_half(uint8_t *to, size_t stride, floats d)
{
    UNROLL
    for (int s = 0; s < GROUPS; s++, to += stride) put_f32(to, d);
}
INLINE void scales_tq2_0(uint8_t *to, size_t stride, const uint8_t *p, size_t rb)
{
    scales_half(to, stride, f_halves(p + 64, rb));
}
INLINE void scales_tq1_0(uint8_t *to, size_t stride, const uint8_t *p, size_t rb)
{
    scales_half(to, stride, f_halves(p + 52, rb));
}

/* d * (n + 1/2) * unit */
INLINE floats half_scale(floats d, codes n, float unit)
{
    return f_mul(f_mul(d, f_add(f_of(n), f_set(0.5f))), f_set(unit));
}

/* The top four bits of eight dwords of signs, 4 in each of two times 16 bytes. */
INLINE void scales_iq3_xxs(uint8_t *to, size_t stride, const uint8_t *p, size_t rb)
{
    const floats d = f_halves(p, rb);
    for (int s = 0; s < GROUPS; s += 4) {
        codes sign[4];
        i_rows16(p + 66 + 4 * s, rb, sign);
        UNROLL
        for (int i = 0; i < 4; i++, to += stride)
            put_f32(to, half_scale(d, i_shr32(sign[i], 28), 0.5f));
    }
}

/* The same with four bytes of indices before each. */
INLINE void scales_iq2_xxs(uint8_t *to, size_t stride, const uint8_t *p, size_t rb)
{
    const floats d = f_halves(p, rb);
    for (int s = 0; s < GROUPS; s += 2, to += 2 * stride) {
        codes o[4];
        i_rows16(p + 2 + 8 * s, rb, o);
        put_f32(to, half_scale(d, i_shr32(o[1], 28), 0.25f));
        put_f32(to + stride, half_scale(d, i_shr32(o[3], 28), 0.25f));
    }
}

/* The two scales of each sub-block of IQ2_XS and IQ2_S from their eight bytes. */
INLINE void put_iq2_scales(uint8_t *to, size_t stride, floats d, const codes bytes[2])
{
    UNROLL
    for (int s = 0; s < GROUPS; s++, to += stride) {
        put_f32(to, half_scale(d, bits_at(bytes[s / 4], 8 * (s % 4), 4), 0.25f));
        put_f32(to + FLOATS, half_scale(d, bits_at(bytes[s / 4], 8 * (s % 4) + 4, 4), 0.25f));
    }
}

INLINE void scales_iq2_xs(uint8_t *to, size_t stride, const uint8_t *p, size_t rb)
{
    codes o[4];
    i_rows16(p + 58, rb, o); /* the last words and the scales */
    put_iq2_scales(to, stride, f_halves(p, rb), o + 2);
}
INLINE void scales_iq2_s(uint8_t *to, size_t stride, const uint8_t *p, size_t rb)
{
    codes o[4];
    i_rows16(p + 66, rb, o); /* high bits of the indices and the scales */
    put_iq2_scales(to, stride, f_halves(p, rb), o + 2);
}

INLINE void scales_iq3_s(uint8_t *to, size_t stride, const uint8_t *p, size_t rb)
{
    const floats d = f_halves(p, rb);
    const codes scale = i_dwords(p + 106, rb);
    UNROLL
    for (int s = 0; s < GROUPS; s++, to += stride) {
        codes n = bits_at(scale, 4 * s, 4);
        put_f32(to, f_mul(d, f_of(i_or(i_shl32(n, 1), i_set32(1)))));
    }
}

/* d * (2 n + 1) / 8 */
INLINE floats iq1_scale(floats d, codes n)
{
    return f_mul(f_mul(d, f_of(i_or(i_shl32(n, 1), i_set32(1)))), f_set(0.125f));
}

INLINE void scales_iq1_s(uint8_t *to, size_t stride, const uint8_t *p, size_t rb)
{
    const floats d = f_halves(p, rb);
    codes head[4];
    i_rows16(p + 34, rb, head);
    UNROLL
    for (int s = 0; s < GROUPS; s++, to += stride)
        put_f32(to, iq1_scale(d, bits_at(head[s / 2], 16 * (s % 2) + 12, 3)));
}

INLINE void scales_iq1_m(uint8_t *to, size_t stride, const uint8_t *p, size_t rb)
{
    codes o[4];
    i_rows16(p + 40, rb, o);
    const codes scale[2] = { o[2], o[3] }; /* four words, whose top nibbles are d */
    codes low = i_or(bits_at(o[2], 12, 4), i_and(i_shr32(o[2], 24), i_set32(0xf0)));
    codes high =
        i_or(i_and(i_shr32(o[3], 4), i_set32(0xf00)), i_and(i_shr32(o[3], 16), i_set32(0xf000)));
    const floats d = f_low_halves(i_or(low, high));
    UNROLL
    for (int s = 0; s < GROUPS; s++, to += stride) {
        const int first = 16 * (s / 2 % 2) + 6 * (s % 2);
        put_f32(to, iq1_scale(d, bits_at(scale[s / 4], first, 3)));
        put_f32(to + FLOATS, iq1_scale(d, bits_at(scale[s / 4], first + 3, 3)));
    }
}

/* 2^(n - 64) of each row, n of 0 .. 190. */
INLINE floats power(codes n)
{
    return f_bits(i_shl32(i_sub32(n, i_set32(64 - 127)), 23));
}
/* 2^(e - 128) of each row, in two factors: exact where it is subnormal. */
INLINE floats powers(const uint8_t *p, size_t rb)
{
    codes e = i_and(i_dwords(p, rb), i_set32(255)), half = i_shr32(e, 1);
    return f_mul(power(half), power(i_sub32(e, half)));
}

#endif
