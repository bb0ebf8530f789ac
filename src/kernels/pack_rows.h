/* pack_rows.h - rows of every quantised type to panel form, for one instruction set, written over
 * vectors of ROWS rows.
 * Layer: kernels. Layouts of the blocks: quant/block.h. Not a header: avx2_pack.c, avx512_pack.c
 * and neon_pack.c include it once, after they have defined the vectors and their operations.
 *
 * The same 16 bytes of ROWS rows are read and transposed to vectors of 4 bytes a row (i_rows16),
 * which is how panels lie; the codes are then taken out of all rows at once. Formats with
 * codebooks are unpacked row by row and transposed from there (pack_by_rows).
 *
 * What the files define: ROWS (16, 8 or 4); `codes`, 4 bytes of each row, and `floats`, one of
 * each row; i_rows16, i_dwords (the dword at p of each row), f_halves (the half float at p),
 * f_low_halves (that in the low 16 bits of each dword); i_set8 i_set32 i_repeat (16 bytes in every
 * 128 bits) i_and i_or i_add8 i_sub32 i_eq8 i_shl16 i_shr16 i_shl32 i_shr32 i_sra32 i_table (16
 * bytes of table by index), f_of (from int32) f_bits f_set f_mul f_sub, put, put_f32 (aligned). */
#include "quant/block.h"

enum { CODES = QT_GROUP * PANEL_ROWS, FLOATS = PANEL_ROWS * (int)sizeof(float) }; /* bytes */

/* Bytes p[0..31] of the rows. */
INLINE void i_rows32(const uint8_t *p, size_t rb, codes o[8])
{
    i_rows16(p, rb, o);
    i_rows16(p + 16, rb, o + 4);
}

/* Byte i of each dword, as a float. */
INLINE floats byte_f32(codes v, int i)
{
    return f_of(i_and(i_shr32(v, 8 * i), i_set32(255)));
}
INLINE floats signed_byte_f32(codes v, int i)
{
    return f_of(i_sra32(i_shl32(v, 24 - 8 * i), 24));
}

/* c + off at step j */
INLINE void put_codes(uint8_t *to, int j, codes c, codes off)
{
    put(to + 64 * j, i_add8(c, off));
}

INLINE codes low4(codes v)
{
    return i_and(v, i_set8(15));
}
INLINE codes high4(codes v)
{
    return low4(i_shr16(v, 4));
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

/* What to add to codes that are `zero` too great. */
INLINE codes offset(const pack_args *a, int zero)
{
    return i_set8((char)(a->zero - zero));
}

/* ---- blocks of 32 ----------------------------------------------------------------------------- */

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

INLINE codes iq4_table(const pack_args *a)
{
    static const int8_t level[16] = { -127, -104, -83, -65, -49, -35, -22, -10,
                                      1,    13,   25,  38,  53,  69,  89,  113 };
    return i_add8(i_repeat(level), offset(a, 0));
}

INLINE void pack_iq4_nl(const pack_args *a, const uint8_t *p, size_t rb, uint8_t *to)
{
    const codes table = iq4_table(a);
    for (int ig = a->ig0; ig < a->ig1; ig++, p += sizeof(block_iq4_nl), to += CODES + FLOATS) {
        put_levels(to, p + 2, rb, table);
        put_f32(to + CODES, f_halves(p, rb));
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

INLINE void pack_mxfp4(const pack_args *a, const uint8_t *p, size_t rb, uint8_t *to)
{
    static const int8_t level[16] = { 0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12 };
    const codes table = i_add8(i_repeat(level), offset(a, 0));
    for (int ig = a->ig0; ig < a->ig1; ig++, p += sizeof(block_mxfp4), to += CODES + FLOATS) {
        put_levels(to, p + 1, rb, table);
        put_f32(to + CODES, powers(p, rb));
    }
}

/* ---- super-blocks of 256 ------------------------------------------------------------------------ */

enum { GROUPS = QB_SUPER / QT_GROUP };

/* The scales and minima of Q4_K and Q5_K: their first 16 bytes are d, dmin and 12 scale bytes. */
INLINE void put_k_scales(uint8_t *to, size_t stride, const uint8_t *p, size_t rb)
{
    const codes six = i_set8(63), top = i_set8(48);
    codes h[4];
    i_rows16(p, rb, h);
    floats d = f_low_halves(h[0]), dmin = f_low_halves(i_shr32(h[0], 16));
    codes sc[2] = { i_and(h[1], six), i_or(low4(h[3]), i_and(i_shr16(h[1], 2), top)) };
    codes mn[2] = { i_and(h[2], six), i_or(high4(h[3]), i_and(i_shr16(h[2], 2), top)) };
    UNROLL
    for (int s = 0; s < GROUPS; s++, to += stride) {
        put_f32(to + CODES, f_mul(d, byte_f32(sc[s / 4], s % 4)));
        put_f32(to + CODES + FLOATS, f_mul(dmin, byte_f32(mn[s / 4], s % 4)));
    }
}

INLINE void pack_q4_k(const pack_args *a, const uint8_t *p, size_t rb, uint8_t *to)
{
    enum { STRIDE = CODES + 2 * FLOATS };
    const codes off = offset(a, 0);
    for (int ig = a->ig0; ig < a->ig1; ig += GROUPS, p += sizeof(block_q4_k)) {
        put_k_scales(to, STRIDE, p, rb);
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
        put_k_scales(to, STRIDE, p, rb);
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
        codes s[4];
        floats d = f_halves(p + 208, rb);
        i_rows16(p + 192, rb, s);
        UNROLL
        for (int i = 0; i < 16; i++)
            put_f32(to + i / 2 * STRIDE + CODES + i % 2 * FLOATS,
                    f_mul(d, signed_byte_f32(s[i / 4], i % 4)));
    }
}

INLINE void pack_q2_k(const pack_args *a, const uint8_t *p, size_t rb, uint8_t *to)
{
    enum { STRIDE = CODES + 4 * FLOATS };
    const codes off = offset(a, 0);
    for (int ig = a->ig0; ig < a->ig1;
         ig += GROUPS, p += sizeof(block_q2_k), to += GROUPS * STRIDE) {
        codes s[4], dm = i_dwords(p + 80, rb);
        floats d = f_low_halves(dm), dmin = f_low_halves(i_shr32(dm, 16));
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
        i_rows16(p, rb, s);
        UNROLL
        for (int i = 0; i < 16; i++) {
            uint8_t *t = to + i / 2 * STRIDE + CODES + i % 2 * FLOATS;
            put_f32(t, f_mul(d, byte_f32(low4(s[i / 4]), i % 4)));
            put_f32(t + 2 * FLOATS, f_mul(dmin, byte_f32(high4(s[i / 4]), i % 4)));
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
        codes b[4], s[4]; /* the last 14 bytes and 2 before: 12 of scales, then d */
        i_rows16(p + 94, rb, b);
        floats d = f_low_halves(i_shr32(b[3], 16));
        UNROLL
        for (int i = 0; i < 3; i++) /* the three dwords, two bytes further on */
            b[i] = i_or(i_shr32(b[i], 16), i_shl32(b[i + 1], 16));
        UNROLL
        for (int i = 0; i < 4; i++) {
            codes low = i < 2 ? low4(b[i]) : high4(b[i - 2]);
            s[i] = i_or(low, i_shl16(pair(b[2], 2 * i), 4));
        }
        UNROLL
        for (int i = 0; i < 16; i++) {
            floats f = f_sub(byte_f32(s[i / 4], i % 4), f_set(32.0f));
            put_f32(to + i / 2 * STRIDE + CODES + i % 2 * FLOATS, f_mul(d, f));
        }
    }
}

INLINE void pack_iq4_xs(const pack_args *a, const uint8_t *p, size_t rb, uint8_t *to)
{
    enum { STRIDE = CODES + FLOATS };
    const codes table = iq4_table(a);
    for (int ig = a->ig0; ig < a->ig1; ig += GROUPS, p += sizeof(block_iq4_xs)) {
        codes h[4];
        i_rows16(p, rb, h); /* d and scale_h, scale_l */
        floats d = f_low_halves(h[0]);
        UNROLL
        for (int s = 0; s < GROUPS; s++, to += STRIDE) {
            put_levels(to, p + 8 + 16 * s, rb, table);
            codes lo = i_and(i_shr32(h[1], (4 * s)), i_set32(15));
            codes hi = i_and(i_shr32(h[0], (16 + 2 * s)), i_set32(3));
            codes sc = i_or(lo, i_shl32(hi, 4));
            sc = i_sub32(sc, i_set32(32));
            put_f32(to + CODES, f_mul(d, f_of(sc)));
        }
    }
}

INLINE void pack_tq2_0(const pack_args *a, const uint8_t *p, size_t rb, uint8_t *to)
{
    enum { STRIDE = CODES + FLOATS };
    const codes off = offset(a, 1);
    for (int ig = a->ig0; ig < a->ig1;
         ig += GROUPS, p += sizeof(block_tq2_0), to += GROUPS * STRIDE) {
        floats d = f_halves(p + 64, rb);
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
        UNROLL
        for (int s = 0; s < GROUPS; s++) put_f32(to + s * STRIDE + CODES, d);
    }
}

/* ---- any format: row by row, then transposed ---------------------------------------------------- */

/* Floats [ROWS][n] of the rows to the panel's groups, n_sub a group. */
INLINE void put_columns(float (*rows)[2 * GROUPS], int n, int n_sub, uint8_t *to, size_t stride)
{
    for (int i = 0; i < n; i++) {
        float f[ROWS];
        for (int r = 0; r < ROWS; r++) f[r] = rows[r][i];
        memcpy(to + (size_t)(i / n_sub) * stride + (size_t)(i % n_sub) * FLOATS, f, sizeof f);
    }
}

INLINE void pack_by_rows(const pack_args *a, const uint8_t *p, size_t rb, uint8_t *to)
{
    const qtype_row *t = &qtypes[a->type];
    const int n_group = t->block_elems / QT_GROUP, n = n_group * t->n_sub;
    const size_t stride = panel_group_bytes(a->type);
    const codes off = offset(a, 0);
    int8_t q[ROWS][QB_SUPER];
    float scale[ROWS][2 * GROUPS], min[ROWS][2 * GROUPS];
    for (int ig = a->ig0; ig < a->ig1; ig += n_group, p += t->block_bytes) {
        for (int r = 0; r < ROWS; r++)
            t->unpack(t->block_elems, p + (size_t)r * rb, q[r], scale[r], min[r]);
        put_columns(scale, n, t->n_sub, to + CODES, stride);
        if (t->has_min) put_columns(min, n, t->n_sub, to + CODES + t->n_sub * FLOATS, stride);
        for (int g = 0; g < n_group; g++, to += stride) {
            codes o[8];
            i_rows32((const uint8_t *)q[0] + QT_GROUP * g, QB_SUPER, o);
            UNROLL
            for (int i = 0; i < 8; i++) put_codes(to, i, o[i], off);
        }
    }
}

/* ---- the slots: a panel is 16 / ROWS times ROWS rows ---------------------------------------------- */

#define PACK(fn)                                                                                   \
    static void fn##_panel(const pack_args *a)                                                     \
    {                                                                                              \
        const qtype_row *t = &qtypes[a->type];                                                     \
        size_t ib = (size_t)(a->ig0 / (t->block_elems / QT_GROUP));                                \
        const uint8_t *p = (const uint8_t *)a->w + ib * (size_t)t->block_bytes;                    \
        uint8_t *to = a->panel;                                                                    \
        for (size_t r = 0; r < PANEL_ROWS; r += ROWS)                                              \
            fn(a, p + r * a->row_bytes, a->row_bytes, to + 4 * r);                                 \
    }
PACK(pack_q4_0)
PACK(pack_q4_1)
PACK(pack_q5_0)
PACK(pack_q5_1)
PACK(pack_q8_0)
PACK(pack_iq4_nl)
PACK(pack_mxfp4)
PACK(pack_q2_k)
PACK(pack_q3_k)
PACK(pack_q4_k)
PACK(pack_q5_k)
PACK(pack_q6_k)
PACK(pack_iq4_xs)
PACK(pack_tq2_0)
PACK(pack_by_rows)
#undef PACK

#define PACK_SLOTS                                                                                 \
    {                                                                                              \
        [QT_Q4_0] = pack_q4_0_panel, [QT_Q4_1] = pack_q4_1_panel, [QT_Q5_0] = pack_q5_0_panel,     \
        [QT_Q5_1] = pack_q5_1_panel, [QT_Q8_0] = pack_q8_0_panel, [QT_Q2_K] = pack_q2_k_panel,     \
        [QT_Q3_K] = pack_q3_k_panel, [QT_Q4_K] = pack_q4_k_panel, [QT_Q5_K] = pack_q5_k_panel,     \
        [QT_Q6_K] = pack_q6_k_panel, [QT_IQ1_S] = pack_by_rows_panel,                              \
        [QT_IQ1_M] = pack_by_rows_panel, [QT_IQ2_XXS] = pack_by_rows_panel,                        \
        [QT_IQ2_XS] = pack_by_rows_panel, [QT_IQ2_S] = pack_by_rows_panel,                         \
        [QT_IQ3_XXS] = pack_by_rows_panel, [QT_IQ3_S] = pack_by_rows_panel,                        \
        [QT_IQ4_NL] = pack_iq4_nl_panel, [QT_IQ4_XS] = pack_iq4_xs_panel,                          \
        [QT_TQ1_0] = pack_by_rows_panel, [QT_TQ2_0] = pack_tq2_0_panel,                            \
        [QT_MXFP4] = pack_mxfp4_panel                                                              \
    }
