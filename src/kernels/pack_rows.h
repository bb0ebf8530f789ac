/* pack_rows.h - rows of every quantised type to panel form, for one instruction set, written over
 * vectors of ROWS rows.
 * Layer: kernels. Layouts of the blocks: quant/block.h. Not a header: a file includes it once,
 * after it has defined the vectors and their operations; pack_slots.h makes the table's functions.
 *
 * The same 16 bytes of ROWS rows are read and transposed to vectors of 4 bytes a row (i_rows16),
 * which is how panels lie; the codes are then taken out of all rows at once. Codebooks are looked
 * up for all rows at once too: a point is 16 bits, expanded by arithmetic on all bytes.
 *
 * What the files define, with quant/iq_grid.h: ROWS (16, 8 or 4); `codes`, 4 bytes of each row, and
 * `floats`, one of each row; i_rows16, i_dwords (the dword at p of each row), f_halves (the half
 * float at p), f_low_halves (that in the low 16 bits of each dword); i_set8 i_set32 i_repeat (16
 * bytes in every 128 bits) i_and i_or i_xor i_add8 i_sub8 i_sub32 i_eq8 i_ge8 (unsigned) i_shl16
 * i_shr16 i_shl32 i_shr32 i_sra32 i_table (16 bytes of table by index) i_negate_where (bytes where
 * `bits` has the one bit of `which`) i_points (of a grid of n, by the indices in the low, then in
 * the high words), f_of (from int32) f_bits f_set
 * f_mul f_add f_sub, put, put_f32 (aligned). */
#include "kernels/scale_rows.h"

/* Bytes p[0..31] of the rows. */
INLINE void i_rows32(const uint8_t *p, size_t rb, codes o[8])
{
    i_rows16(p, rb, o);
    i_rows16(p + 16, rb, o + 4);
}

/* c + off at step j */
INLINE void put_codes(uint8_t *to, int j, codes c, codes off)
{
    put(to + 64 * j, i_add8(c, off));
}

/* What to add to codes that are `zero` too great. */
INLINE codes offset(const pack_args *a, int zero)
{
    return i_set8((char)(a->zero - zero));
}

/* ---- blocks of 32 -------------------------------------------------------------------------- */

INLINE void pack_q4_0(const pack_args *a, const uint8_t *p, size_t rb, uint8_t *to)
{
    const codes off = offset(a, 8);
    for (int ig = a->ig0; ig < a->ig1; ig++, p += sizeof(block_q4_0), to += CODES + FLOATS) {
        codes o[4];
        i_rows16(p + 2, rb, o);
        UNROLL
        for (int i = 0; i < 4; i++) {
            put_codes(to, i, low4(o[i]), off);
            put_codes(to, i + 4, high4(o[i]), off);
        }
        put_f32(to + CODES, f_halves(p, rb));
    }
}

INLINE void pack_q4_1(const pack_args *a, const uint8_t *p, size_t rb, uint8_t *to)
{
    const codes off = offset(a, 0);
    for (int ig = a->ig0; ig < a->ig1; ig++, p += sizeof(block_q4_1), to += CODES + 2 * FLOATS) {
        codes o[4], dm = i_dwords(p, rb);
        i_rows16(p + 4, rb, o);
        UNROLL
        for (int i = 0; i < 4; i++) {
            put_codes(to, i, low4(o[i]), off);
            put_codes(to, i + 4, high4(o[i]), off);
        }
        floats m = f_low_halves(i_shr32(dm, 16));
        put_f32(to + CODES, f_low_halves(dm));
        put_f32(to + CODES + FLOATS, f_sub(f_set(-0.0f), m));
    }
}

/* 16 where the bits 4j..4j+3 of each row's dword say so. */
INLINE codes fifth_bits(codes qh, int j)
{
    static const int8_t first[16] = { 0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12 };
    codes spread = i_table(qh, i_add8(i_repeat(first), i_set8((char)(j / 2))));
    codes which = i_set32(j % 2 ? (int)0x80402010 : 0x08040201);
    return i_and(i_eq8(i_and(spread, which), which), i_set8(16));
}

INLINE void put_5_bits(uint8_t *to, const uint8_t *p, size_t rb, codes off)
{
    codes o[4], qh = i_dwords(p, rb);
    i_rows16(p + 4, rb, o);
    UNROLL
    for (int i = 0; i < 4; i++) {
        put_codes(to, i, i_or(low4(o[i]), fifth_bits(qh, i)), off);
        put_codes(to, i + 4, i_or(high4(o[i]), fifth_bits(qh, i + 4)), off);
    }
}

INLINE void pack_q5_0(const pack_args *a, const uint8_t *p, size_t rb, uint8_t *to)
{
    for (int ig = a->ig0; ig < a->ig1; ig++, p += sizeof(block_q5_0), to += CODES + FLOATS) {
        put_5_bits(to, p + 2, rb, offset(a, 16));
        put_f32(to + CODES, f_halves(p, rb));
    }
}

INLINE void pack_q5_1(const pack_args *a, const uint8_t *p, size_t rb, uint8_t *to)
{
    for (int ig = a->ig0; ig < a->ig1; ig++, p += sizeof(block_q5_1), to += CODES + 2 * FLOATS) {
        codes dm = i_dwords(p, rb);
        put_5_bits(to, p + 4, rb, offset(a, 0));
        floats m = f_low_halves(i_shr32(dm, 16));
        put_f32(to + CODES, f_low_halves(dm));
        put_f32(to + CODES + FLOATS, f_sub(f_set(-0.0f), m));
    }
}

INLINE void pack_q8_0(const pack_args *a, const uint8_t *p, size_t rb, uint8_t *to)
{
    const codes off = offset(a, 0);
    for (int ig = a->ig0; ig < a->ig1; ig++, p += sizeof(block_q8_0), to += CODES + FLOATS) {
        codes o[8];
        i_rows32(p + 2, rb, o);
        UNROLL
        for (int i = 0; i < 8; i++) put_codes(to, i, o[i], off);
        put_f32(to + CODES, f_halves(p, rb));
    }
}

/* Nibbles that index a table of 16 codes. */
INLINE void put_levels(uint8_t *to, const uint8_t *q, size_t rb, codes table)
{
    codes o[4];
    i_rows16(q, rb, o);
    UNROLL
    for (int i = 0; i < 4; i++) {
        put(to + 64 * i, i_table(table, low4(o[i])));
        put(to + 64 * (i + 4), i_table(table, high4(o[i])));
    }
}

INLINE void pack_iq4_nl(const pack_args *a, const uint8_t *p, size_t rb, uint8_t *to)
{
    const codes table = iq4_levels(a->zero);
    for (int ig = a->ig0; ig < a->ig1; ig++, p += sizeof(block_iq4_nl), to += CODES + FLOATS) {
        put_levels(to, p + 2, rb, table);
        put_f32(to + CODES, f_halves(p, rb));
    }
}

INLINE void pack_mxfp4(const pack_args *a, const uint8_t *p, size_t rb, uint8_t *to)
{
    const codes table = mxfp4_levels(a->zero);
    for (int ig = a->ig0; ig < a->ig1; ig++, p += sizeof(block_mxfp4), to += CODES + FLOATS) {
        put_levels(to, p + 1, rb, table);
        put_f32(to + CODES, powers(p, rb));
    }
}

/* ---- blocks of 64 and 128 ------------------------------------------------------------------- */

/* The float that byte s of each dword stands for, halved. As the top of a float it is smaller by
 * 2^119; 127 is 0. */
INLINE floats e4m3_scale(codes bytes, int s)
{
    codes x = i_and(i_shr32(bytes, 8 * s), i_set32(255)), most = i_set32(127);
    x = i_xor(i_and(x, most), i_and(i_eq8(x, most), most));
    return f_mul(f_bits(i_shl32(x, 20)), f_set(0x1p119f));
}

INLINE void pack_nvfp4(const pack_args *a, const uint8_t *p, size_t rb, uint8_t *to)
{
    enum { STRIDE = CODES + 2 * FLOATS };
    const codes table = mxfp4_levels(a->zero);
    for (int ig = a->ig0; ig < a->ig1; ig += 2, p += sizeof(block_nvfp4), to += 2 * STRIDE) {
        codes o[8], scales = i_dwords(p, rb);
        i_rows32(p + 4, rb, o);
        UNROLL
        for (int s = 0; s < 4; s++) {
            uint8_t *half = to + s / 2 * STRIDE + 256 * (s % 2);
            for (int i = 0; i < 2; i++) {
                put(half + 64 * i, i_table(table, low4(o[2 * s + i])));
                put(half + 64 * (i + 2), i_table(table, high4(o[2 * s + i])));
            }
            put_f32(to + s / 2 * STRIDE + CODES + s % 2 * FLOATS, e4m3_scale(scales, s));
        }
    }
}

INLINE void pack_q1_0(const pack_args *a, const uint8_t *p, size_t rb, uint8_t *to)
{
    const codes off = offset(a, 1);
    for (int ig = a->ig0; ig < a->ig1; ig += 4, p += sizeof(block_q1_0)) {
        codes o[4];
        floats d = f_halves(p, rb);
        i_rows16(p + 2, rb, o);
        UNROLL
        for (int g = 0; g < 4; g++, to += CODES + FLOATS) {
            for (int j = 0; j < 8; j++)
                put_codes(to, j, i_shr32(fifth_bits(o[g], j), 3), off); /* 16 -> 2 */
            put_f32(to + CODES, d);
        }
    }
}

/* The four pairs of bits of the lowest byte, a byte each. */
INLINE codes four_pairs(codes c)
{
    c = i_and(c, i_set32(255));
    codes low = i_or(c, i_shl32(c, 6)), high = i_or(i_shl32(c, 12), i_shl32(c, 18));
    return i_and(i_or(low, high), i_set8(3));
}

INLINE void pack_q2_0(const pack_args *a, const uint8_t *p, size_t rb, uint8_t *to)
{
    const codes off = offset(a, 1);
    for (int ig = a->ig0; ig < a->ig1; ig += 2, p += sizeof(block_q2_0)) {
        codes o[4];
        floats d = f_halves(p, rb);
        i_rows16(p + 2, rb, o);
        UNROLL
        for (int g = 0; g < 2; g++, to += CODES + FLOATS) {
            for (int j = 0; j < 8; j++)
                put_codes(to, j, four_pairs(i_shr32(o[2 * g + j / 4], 8 * (j % 4))), off);
            put_f32(to + CODES, d);
        }
    }
}

/* ---- super-blocks of 256 ------------------------------------------------------------------- */

INLINE void pack_q4_k(const pack_args *a, const uint8_t *p, size_t rb, uint8_t *to)
{
    enum { STRIDE = CODES + 2 * FLOATS };
    const codes off = offset(a, 0);
    for (int ig = a->ig0; ig < a->ig1; ig += GROUPS, p += sizeof(block_q4_k)) {
        scales_q4_k(to + CODES, STRIDE, p, rb);
        for (int h = 0; h < 4; h++, to += 2 * STRIDE) {
            UNROLL
            for (int half = 0; half < 2; half++) {
                codes o[4];
                i_rows16(p + 16 + 32 * h + 16 * half, rb, o);
                UNROLL
                for (int i = 0; i < 4; i++) {
                    put_codes(to, 4 * half + i, low4(o[i]), off);
                    put_codes(to + STRIDE, 4 * half + i, high4(o[i]), off);
                }
            }
        }
    }
}

INLINE void pack_q5_k(const pack_args *a, const uint8_t *p, size_t rb, uint8_t *to)
{
    enum { STRIDE = CODES + 2 * FLOATS };
    const codes off = offset(a, 0);
    for (int ig = a->ig0; ig < a->ig1; ig += GROUPS, p += sizeof(block_q5_k)) {
        scales_q4_k(to + CODES, STRIDE, p, rb);
        for (int half = 0; half < 2; half++) {
            codes qh[4];
            i_rows16(p + 16 + 16 * half, rb, qh);
            UNROLL
            for (int h = 0; h < 4; h++) {
                codes o[4];
                uint8_t *t = to + 2 * h * STRIDE;
                i_rows16(p + 48 + 32 * h + 16 * half, rb, o);
                UNROLL
                for (int i = 0; i < 4; i++) {
                    codes lo = i_or(low4(o[i]), bit(qh[i], 2 * h, 4));
                    codes hi = i_or(high4(o[i]), bit(qh[i], 2 * h + 1, 4));
                    put_codes(t, 4 * half + i, lo, off);
                    put_codes(t + STRIDE, 4 * half + i, hi, off);
                }
            }
        }
        to += GROUPS * STRIDE;
    }
}

INLINE void pack_q6_k(const pack_args *a, const uint8_t *p, size_t rb, uint8_t *to)
{
    enum { STRIDE = CODES + 2 * FLOATS };
    const codes off = offset(a, 32), top = i_set8(48);
    for (int ig = a->ig0; ig < a->ig1;
         ig += GROUPS, p += sizeof(block_q6_k), to += GROUPS * STRIDE) {
        for (int e = 0; e < 4; e++) { /* e: 128 weights, and which 16 of 32 */
            const int h = e / 2, half = e % 2;
            const uint8_t *q = p + 64 * h + 16 * half;
            uint8_t *t = to + 4 * h * STRIDE + 256 * half;
            codes lo[4], hi[4], qh[4];
            i_rows16(q, rb, lo);
            i_rows16(q + 32, rb, hi);
            i_rows16(p + 128 + 32 * h + 16 * half, rb, qh);
            UNROLL
            for (int i = 0; i < 4; i++) {
                codes b0 = i_and(i_shl16(qh[i], 4), top);
                codes b1 = i_and(i_shl16(qh[i], 2), top);
                codes b2 = i_and(qh[i], top);
                codes b3 = i_and(i_shr16(qh[i], 2), top);
                put_codes(t, i, i_or(low4(lo[i]), b0), off);
                put_codes(t + STRIDE, i, i_or(low4(hi[i]), b1), off);
                put_codes(t + 2 * STRIDE, i, i_or(high4(lo[i]), b2), off);
                put_codes(t + 3 * STRIDE, i, i_or(high4(hi[i]), b3), off);
            }
        }
        scales_q6_k(to + CODES, STRIDE, p, rb);
    }
}

INLINE void pack_q2_k(const pack_args *a, const uint8_t *p, size_t rb, uint8_t *to)
{
    enum { STRIDE = CODES + 4 * FLOATS };
    const codes off = offset(a, 0);
    for (int ig = a->ig0; ig < a->ig1;
         ig += GROUPS, p += sizeof(block_q2_k), to += GROUPS * STRIDE) {
        scales_q2_k(to + CODES, STRIDE, p, rb);
        for (int e = 0; e < 4; e++) {
            codes o[4];
            i_rows16(p + 16 + 16 * e, rb, o);
            UNROLL
            for (int i = 0; i < 4; i++) {
                UNROLL
                for (int g = 0; g < 4; g++)
                    put_codes(to + (4 * (e / 2) + g) * STRIDE, 4 * (e % 2) + i, pair(o[i], 2 * g),
                              off);
            }
        }
    }
}

INLINE void pack_q3_k(const pack_args *a, const uint8_t *p, size_t rb, uint8_t *to)
{
    enum { STRIDE = CODES + 2 * FLOATS };
    const codes off = offset(a, 4);
    for (int ig = a->ig0; ig < a->ig1;
         ig += GROUPS, p += sizeof(block_q3_k), to += GROUPS * STRIDE) {
        for (int half = 0; half < 2; half++) {
            codes qh[4];
            i_rows16(p + 16 * half, rb, qh);
            for (int h = 0; h < 2; h++) {
                codes o[4];
                i_rows16(p + 32 + 32 * h + 16 * half, rb, o);
                UNROLL
                for (int i = 0; i < 4; i++) {
                    codes third = h ? i_shr16(qh[i], 4) : qh[i];
                    UNROLL
                    for (int g = 0; g < 4; g++)
                        put_codes(to + (4 * h + g) * STRIDE, 4 * half + i,
                                  i_or(pair(o[i], 2 * g), bit(third, g, 2)), off);
                }
            }
        }
        scales_q3_k(to + CODES, STRIDE, p, rb);
    }
}

INLINE void pack_iq4_xs(const pack_args *a, const uint8_t *p, size_t rb, uint8_t *to)
{
    enum { STRIDE = CODES + FLOATS };
    const codes table = iq4_levels(a->zero);
    for (int ig = a->ig0; ig < a->ig1; ig += GROUPS, p += sizeof(block_iq4_xs)) {
        scales_iq4_xs(to + CODES, STRIDE, p, rb);
        UNROLL
        for (int g = 0; g < GROUPS; g++, to += STRIDE) put_levels(to, p + 8 + 16 * g, rb, table);
    }
}

INLINE void pack_tq2_0(const pack_args *a, const uint8_t *p, size_t rb, uint8_t *to)
{
    enum { STRIDE = CODES + FLOATS };
    const codes off = offset(a, 1);
    for (int ig = a->ig0; ig < a->ig1;
         ig += GROUPS, p += sizeof(block_tq2_0), to += GROUPS * STRIDE) {
        scales_tq2_0(to + CODES, STRIDE, p, rb);
        for (int e = 0; e < 4; e++) {
            codes o[4];
            i_rows16(p + 16 * e, rb, o);
            UNROLL
            for (int i = 0; i < 4; i++) {
                UNROLL
                for (int g = 0; g < 4; g++)
                    put_codes(to + (4 * (e / 2) + g) * STRIDE, 4 * (e % 2) + i, pair(o[i], 2 * g),
                              off);
            }
        }
    }
}

/* ---- ternary ------------------------------------------------------------------------------- */

/* The first digits in base 3 of bytes that are fractions, less 1; off: that too. */
INLINE void put_trit(uint8_t *to, int j, codes q, codes off)
{
    codes minus = i_add8(i_ge8(q, i_set8(86)), i_ge8(q, i_set8((char)171))); /* 256 / 3, 512 / 3 */
    put(to + 64 * j, i_sub8(off, minus));
}
/* The fractions without their first digits. */
INLINE codes next_trit(codes q)
{
    return i_add8(i_add8(q, q), q);
}

INLINE void pack_tq1_0(const pack_args *a, const uint8_t *p, size_t rb, uint8_t *to)
{
    enum { STRIDE = CODES + FLOATS };
    const codes off = offset(a, 1);
    for (int ig = a->ig0; ig < a->ig1;
         ig += GROUPS, p += sizeof(block_tq1_0), to += GROUPS * STRIDE) {
        codes o[4], last = i_dwords(p + 48, rb);
        for (int half = 0; half < 2; half++) {
            i_rows16(p + 16 * half, rb, o);
            for (int t = 0; t < 5; t++) {
                UNROLL
                for (int i = 0; i < 4; i++) {
                    put_trit(to + t * STRIDE, 4 * half + i, o[i], off);
                    o[i] = next_trit(o[i]);
                }
            }
        }
        i_rows16(p + 32, rb, o);
        for (int t = 0; t < 5; t++) {
            UNROLL
            for (int i = 0; i < 4; i++) {
                put_trit(to + (5 + t / 2) * STRIDE, 4 * (t % 2) + i, o[i], off);
                o[i] = next_trit(o[i]);
            }
        }
        for (int t = 0; t < 4; t++, last = next_trit(last))
            put_trit(to + 7 * STRIDE, 4 + t, last, off);
        scales_tq1_0(to + CODES, STRIDE, p, rb);
    }
}

/* ---- codebooks: points of 8 or 4 weights, looked up for all rows at once ------------------- */

/* The four fields of two bits in the low byte of each dword, a byte each. */
INLINE codes spread_2(codes point)
{
    codes v = i_and(i_or(point, i_shl32(point, 12)), i_set32(0x000f000f));
    return i_and(i_or(v, i_shl32(v, 6)), i_set8(3));
}
/* The four fields of three bits in the low 12 bits. */
INLINE codes spread_3(codes point)
{
    codes v = i_and(i_or(point, i_shl32(point, 10)), i_set32(0x003f003f));
    return i_and(i_or(v, i_shl32(v, 5)), i_set8(7));
}

/* The eighth sign of each byte of seven: the number of negative weights is even. */
INLINE codes with_parity(codes s)
{
    codes p = i_xor(s, i_shr16(s, 4));
    p = i_xor(p, i_shr16(p, 2));
    p = i_xor(p, i_shr16(p, 1));
    return i_or(s, i_shl16(i_and(p, i_set8(1)), 7));
}
/* Four fields of seven signs in the low 28 bits, to bytes. */
INLINE codes signs_of_28(codes v)
{
    codes a = i_or(i_and(v, i_set32(0x7f)), i_and(i_shl32(v, 1), i_set32(0x7f00)));
    codes b =
        i_or(i_and(i_shl32(v, 2), i_set32(0x7f0000)), i_and(i_shl32(v, 3), i_set32(0x7f000000)));
    return with_parity(i_or(a, b));
}

/* Step j of a group: levels of the weights 4j .. 4j + 3, bit i of the signs' bytes for weight i. */
INLINE void put_signed(uint8_t *to, int j, codes levels, codes signs, codes off)
{
    static const int8_t first[16] = { 0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12 };
    codes mine = i_table(signs, i_add8(i_repeat(first), i_set8((char)(j / 2))));
    codes which = i_set32(j % 2 ? (int)0x80402010 : 0x08040201);
    put_codes(to, j, i_negate_where(levels, mine, which), off);
}

/* Run l of eight weights from a codebook of two bits a weight. */
INLINE void put_iq2(uint8_t *to, int l, codes point, codes signs, codes off)
{
    static const int8_t level[16] = { 8, 25, 43, 60 };
    const codes table = i_repeat(level);
    put_signed(to, 2 * l, i_table(table, spread_2(point)), signs, off);
    put_signed(to, 2 * l + 1, i_table(table, spread_2(i_shr32(point, 8))), signs, off);
}

/* Bytes i and i + 2 of each dword, as words. */
INLINE codes two_bytes(codes v, int i)
{
    return i_and(i_shr32(v, 8 * i), i_set32(0x00ff00ff));
}

INLINE void pack_iq2_xxs(const pack_args *a, const uint8_t *p, size_t rb, uint8_t *to)
{
    enum { STRIDE = CODES + FLOATS };
    const codes off = offset(a, 0);
    for (int ig = a->ig0; ig < a->ig1; ig += GROUPS, p += sizeof(block_iq2_xxs)) {
        const floats d = f_halves(p, rb);
        for (int i = 0; i < 4; i++) { /* two sub-blocks: index, sign, index, sign */
            codes o[4];
            i_rows16(p + 2 + 16 * i, rb, o);
            for (int h = 0; h < 2; h++, to += STRIDE) {
                const codes index = h ? o[2] : o[0], sign = h ? o[3] : o[1];
                const codes signs = signs_of_28(sign);
                UNROLL
                for (int l = 0; l < 2; l++) {
                    codes point[2];
                    i_points(iq2_xxs_grid, 256, two_bytes(index, l), point);
                    put_iq2(to, l, point[0], signs, off);
                    put_iq2(to, l + 2, point[1], signs, off);
                }
                put_f32(to + CODES, half_scale(d, i_shr32(sign, 28), 0.25f));
            }
        }
    }
}

INLINE void pack_iq2_xs(const pack_args *a, const uint8_t *p, size_t rb, uint8_t *to)
{
    enum { STRIDE = CODES + 2 * FLOATS };
    const codes off = offset(a, 0);
    for (int ig = a->ig0; ig < a->ig1; ig += GROUPS, p += sizeof(block_iq2_xs)) {
        codes o[4];
        scales_iq2_xs(to + CODES, STRIDE, p, rb);
        for (int i = 0; i < 4; i++) { /* two sub-blocks of four words */
            i_rows16(p + 2 + 16 * i, rb, o);
            for (int h = 0; h < 2; h++, to += STRIDE) {
                const codes q[2] = { h ? o[2] : o[0], h ? o[3] : o[1] };
                codes low = i_or(i_and(i_shr32(q[0], 9), i_set32(0x7f)),
                                 i_and(i_shr32(q[0], 17), i_set32(0x7f00)));
                codes high = i_or(i_and(i_shl32(q[1], 7), i_set32(0x7f0000)),
                                  i_and(i_shr32(q[1], 1), i_set32(0x7f000000)));
                const codes signs = with_parity(i_or(low, high));
                UNROLL
                for (int l = 0; l < 4; l += 2) {
                    codes point[2];
                    i_points(iq2_xs_grid, 512, i_and(q[l / 2], i_set32(0x01ff01ff)), point);
                    put_iq2(to, l, point[0], signs, off);
                    put_iq2(to, l + 1, point[1], signs, off);
                }
            }
        }
    }
}

/* Bytes i and i + 2 of each dword, with n bits of `high` from bits s and t on above them. */
INLINE codes two_indices(codes low, int i, codes high, int s, int t, int n)
{
    codes first = i_shl32(bits_at(high, s, n), 8), second = i_shl32(bits_at(high, t, n), 24);
    return i_or(two_bytes(low, i), i_or(first, second));
}

INLINE void pack_iq2_s(const pack_args *a, const uint8_t *p, size_t rb, uint8_t *to)
{
    enum { STRIDE = CODES + 2 * FLOATS };
    const codes off = offset(a, 0);
    for (int ig = a->ig0; ig < a->ig1; ig += GROUPS, p += sizeof(block_iq2_s)) {
        codes tail[4]; /* high bits of the indices, scales */
        i_rows16(p + 66, rb, tail);
        put_iq2_scales(to + CODES, STRIDE, f_halves(p, rb), tail + 2);
        for (int i = 0; i < 2; i++) {
            codes index[4], sign[4];
            i_rows16(p + 2 + 16 * i, rb, index);
            i_rows16(p + 34 + 16 * i, rb, sign);
            UNROLL
            for (int s = 0; s < 4; s++, to += STRIDE) {
                UNROLL
                for (int l = 0; l < 2; l++) {
                    const int bit = 8 * s + 2 * l;
                    codes point[2];
                    i_points(iq2_s_grid, 1024, two_indices(index[s], l, tail[i], bit, bit + 4, 2),
                             point);
                    put_iq2(to, l, point[0], sign[s], off);
                    put_iq2(to, l + 2, point[1], sign[s], off);
                }
            }
        }
    }
}

INLINE void pack_iq3_xxs(const pack_args *a, const uint8_t *p, size_t rb, uint8_t *to)
{
    enum { STRIDE = CODES + FLOATS };
    static const int8_t level[16] = { 4, 12, 20, 28, 36, 44, 52, 62 };
    const codes off = offset(a, 0), table = i_repeat(level);
    for (int ig = a->ig0; ig < a->ig1; ig += GROUPS, p += sizeof(block_iq3_xxs)) {
        scales_iq3_xxs(to + CODES, STRIDE, p, rb);
        for (int s = 0; s < GROUPS; s++, to += STRIDE) {
            const codes signs = signs_of_28(i_dwords(p + 66 + 4 * s, rb));
            const codes index[2] = { i_dwords(p + 2 + 8 * s, rb), i_dwords(p + 6 + 8 * s, rb) };
            UNROLL
            for (int i = 0; i < 4; i++) {
                const int j = 4 * (i / 2) + i % 2;
                codes point[2];
                i_points(iq3_xxs_grid, 256, two_bytes(index[i / 2], i % 2), point);
                put_signed(to, j, i_table(table, spread_3(point[0])), signs, off);
                put_signed(to, j + 2, i_table(table, spread_3(point[1])), signs, off);
            }
        }
    }
}

INLINE void pack_iq3_s(const pack_args *a, const uint8_t *p, size_t rb, uint8_t *to)
{
    enum { STRIDE = CODES + FLOATS };
    const codes off = offset(a, 0), one = i_set8(1);
    for (int ig = a->ig0; ig < a->ig1; ig += GROUPS, p += sizeof(block_iq3_s)) {
        codes high[4];
        scales_iq3_s(to + CODES, STRIDE, p, rb);
        i_rows16(p + 66, rb, high);
        UNROLL
        for (int s = 0; s < GROUPS; s++, to += STRIDE) {
            const codes signs = i_dwords(p + 74 + 4 * s, rb);
            const codes index[2] = { i_dwords(p + 2 + 8 * s, rb), i_dwords(p + 6 + 8 * s, rb) };
            UNROLL
            for (int i = 0; i < 4; i++) {
                const int j = 4 * (i / 2) + i % 2, bit = 8 * (s % 4) + j;
                codes k[2];
                i_points(iq3_s_grid, 512,
                         two_indices(index[i / 2], i % 2, high[s / 4], bit, bit + 2, 1), k);
                UNROLL
                for (int h = 0; h < 2; h++) {
                    k[h] = spread_3(k[h]);
                    put_signed(to, j + 2 * h, i_add8(i_add8(k[h], k[h]), one), signs, off);
                }
            }
        }
    }
}

/* Run l of eight weights 8 * (g + delta); delta: the bit of the head's dword that makes it -1/8. */
INLINE void put_iq1(uint8_t *to, int l, codes point, codes head, int delta, codes off)
{
    static const int8_t level[16] = { -7, 1, 9, 17 };
    const codes table = i_repeat(level);
    codes less = i_and(i_sra32(i_shl32(head, 31 - delta), 31), i_set8(-2));
    off = i_add8(off, less);
    put_codes(to, 2 * l, i_table(table, spread_2(point)), off);
    put_codes(to, 2 * l + 1, i_table(table, spread_2(i_shr32(point, 8))), off);
}

INLINE void pack_iq1_s(const pack_args *a, const uint8_t *p, size_t rb, uint8_t *to)
{
    enum { STRIDE = CODES + FLOATS };
    const codes off = offset(a, 0);
    for (int ig = a->ig0; ig < a->ig1; ig += GROUPS, p += sizeof(block_iq1_s)) {
        codes head[4];
        i_rows16(p + 34, rb, head);
        scales_iq1_s(to + CODES, STRIDE, p, rb);
        UNROLL
        for (int s = 0; s < GROUPS; s++, to += STRIDE) {
            const codes index = i_dwords(p + 2 + 4 * s, rb), h = head[s / 2];
            const int word = 16 * (s % 2);
            UNROLL
            for (int l = 0; l < 2; l++) {
                const int bit = word + 3 * l;
                codes point[2];
                i_points(iq1_grid, 2048, two_indices(index, l, h, bit, bit + 6, 3), point);
                put_iq1(to, l, point[0], h, word + 15, off);
                put_iq1(to, l + 2, point[1], h, word + 15, off);
            }
        }
    }
}

INLINE void pack_iq1_m(const pack_args *a, const uint8_t *p, size_t rb, uint8_t *to)
{
    enum { STRIDE = CODES + 2 * FLOATS };
    const codes off = offset(a, 0);
    for (int ig = a->ig0; ig < a->ig1; ig += GROUPS, p += sizeof(block_iq1_m)) {
        codes head[4];
        i_rows16(p + 32, rb, head);
        scales_iq1_m(to + CODES, STRIDE, p, rb);
        UNROLL
        for (int s = 0; s < GROUPS; s++, to += STRIDE) {
            const codes index = i_dwords(p + 4 * s, rb), h = head[s / 2];
            UNROLL
            for (int l = 0; l < 2; l++) {
                const int nibble = 16 * (s % 2) + 4 * l;
                codes point[2];
                i_points(iq1_grid, 2048, two_indices(index, l, h, nibble, nibble + 8, 3), point);
                put_iq1(to, l, point[0], h, nibble + 3, off);
                put_iq1(to, l + 2, point[1], h, nibble + 11, off);
            }
        }
    }
}
