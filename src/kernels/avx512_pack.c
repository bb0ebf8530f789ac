/* avx512_pack.c - AVX-512: 16 rows of every quantised type to panel form.
 * Layer: kernels. Layouts of the blocks: quant/block.h.
 *
 * The same bytes of 16 rows are read by 16-byte loads and transposed to vectors of 4 bytes a row
 * (rows16), which is how panels lie; the codes are then taken out of 16 rows at once. Formats
 * with codebooks are unpacked row by row and transposed from there (pack_by_rows). */
#include "kernels/kernel.h"
#include "kernels/x86.h"
#include "quant/block.h"
#include <immintrin.h>

/* ---- 16 rows at once ------------------------------------------------------------------------ */

INLINE __m128i load16(const uint8_t *p)
{
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}

/* Bytes p[0..15] of 16 rows, rb apart: o[i] holds bytes 4i..4i+3 of row after row. */
INLINE void rows16(const uint8_t *p, size_t rb, __m512i o[4])
{
    __m512i z[4];
    UNROLL
    for (size_t i = 0; i < 4; i++) {
        z[i] = _mm512_castsi128_si512(load16(p + i * rb));
        z[i] = _mm512_mask_broadcast_i32x4(z[i], 0x00f0, load16(p + (i + 4) * rb));
        z[i] = _mm512_mask_broadcast_i32x4(z[i], 0x0f00, load16(p + (i + 8) * rb));
        z[i] = _mm512_mask_broadcast_i32x4(z[i], 0xf000, load16(p + (i + 12) * rb));
    }
    __m512i a = _mm512_unpacklo_epi32(z[0], z[1]), b = _mm512_unpackhi_epi32(z[0], z[1]);
    __m512i c = _mm512_unpacklo_epi32(z[2], z[3]), d = _mm512_unpackhi_epi32(z[2], z[3]);
    o[0] = _mm512_unpacklo_epi64(a, c), o[1] = _mm512_unpackhi_epi64(a, c);
    o[2] = _mm512_unpacklo_epi64(b, d), o[3] = _mm512_unpackhi_epi64(b, d);
}

/* Bytes p[0..31] of 16 rows. */
INLINE void rows32(const uint8_t *p, size_t rb, __m512i o[8])
{
    rows16(p, rb, o);
    rows16(p + 16, rb, o + 4);
}

INLINE int load_u16(const uint8_t *p)
{
    uint16_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

/* The half floats at p of 16 rows. Inserting words beats a gather and masked broadcasts. */
INLINE __m512 halves16(const uint8_t *p, size_t rb)
{
    __m128i lo = _mm_cvtsi32_si128(load_u16(p)), hi = _mm_cvtsi32_si128(load_u16(p + 8 * rb));
#define ROW(i)                                                                                     \
    lo = _mm_insert_epi16(lo, load_u16(p + i * rb), i);                                            \
    hi = _mm_insert_epi16(hi, load_u16(p + (8 + i) * rb), i);
    ROW(1)
    ROW(2)
    ROW(3)
    ROW(4) ROW(5) ROW(6) ROW(7)
#undef ROW
        return _mm512_cvtph_ps(_mm256_set_m128i(hi, lo));
}

/* The dwords at p of 16 rows. */
INLINE __m512i dwords16(const uint8_t *p, size_t rb)
{
    __m128i v[4];
    UNROLL
    for (size_t i = 0; i < 4; i++) {
        __m128i a = _mm_loadu_si32(p + 4 * i * rb), b = _mm_loadu_si32(p + (4 * i + 1) * rb);
        __m128i c = _mm_loadu_si32(p + (4 * i + 2) * rb), d = _mm_loadu_si32(p + (4 * i + 3) * rb);
        v[i] = _mm_unpacklo_epi64(_mm_unpacklo_epi32(a, b), _mm_unpacklo_epi32(c, d));
    }
    return _mm512_inserti64x4(_mm512_castsi256_si512(_mm256_set_m128i(v[1], v[0])),
                              _mm256_set_m128i(v[3], v[2]), 1);
}

/* The halves in the low 16 bits of 16 dwords. */
INLINE __m512 low_halves(__m512i v)
{
    return _mm512_cvtph_ps(_mm512_cvtepi32_epi16(v));
}

/* Byte i of each dword, as a float. */
INLINE __m512 byte_f32(__m512i v, int i)
{
    return _mm512_cvtepi32_ps(
        _mm512_and_si512(_mm512_srli_epi32(v, (unsigned)(8 * i)), _mm512_set1_epi32(255)));
}
INLINE __m512 signed_byte_f32(__m512i v, int i)
{
    return _mm512_cvtepi32_ps(_mm512_srai_epi32(_mm512_slli_epi32(v, (unsigned)(24 - 8 * i)), 24));
}

/* ---- into the panel ------------------------------------------------------------------------- */

enum { CODES = QT_GROUP * PANEL_ROWS, FLOATS = PANEL_ROWS * (int)sizeof(float) };

INLINE void put(uint8_t *to, __m512i v)
{
    _mm512_store_si512(to, v);
}
INLINE void put_f32(uint8_t *to, __m512 v)
{
    _mm512_store_ps(to, v);
}
/* codes + off at step j */
INLINE void put_codes(uint8_t *to, int j, __m512i codes, __m512i off)
{
    put(to + 64 * j, _mm512_add_epi8(codes, off));
}

INLINE __m512i low4(__m512i v)
{
    return _mm512_and_si512(v, _mm512_set1_epi8(15));
}
INLINE __m512i high4(__m512i v)
{
    return low4(_mm512_srli_epi16(v, 4));
}
/* Bits s, s+1 of every byte. */
INLINE __m512i pair(__m512i v, int s)
{
    return _mm512_and_si512(_mm512_srli_epi16(v, (unsigned)s), _mm512_set1_epi8(3));
}
/* Bit s of every byte, moved to bit `to`. */
INLINE __m512i bit(__m512i v, int s, int to)
{
    __m512i moved = s < to ? _mm512_slli_epi16(v, (unsigned)(to - s))
                           : _mm512_srli_epi16(v, (unsigned)(s - to));
    return _mm512_and_si512(moved, _mm512_set1_epi8((char)(1 << to)));
}

/* The place of a pack's first block, and what it adds to codes that are `zero` too great. */
INLINE const uint8_t *first_block(const pack_args *a)
{
    const qtype_row *t = &qtypes[a->type];
    return (const uint8_t *)a->w
           + (size_t)(a->ig0 / (t->block_elems / QT_GROUP)) * (size_t)t->block_bytes;
}
INLINE __m512i offset(const pack_args *a, int zero)
{
    return _mm512_set1_epi8((char)(a->zero - zero));
}

/* ---- blocks of 32 ----------------------------------------------------------------------------- */

static void pack_q4_0(const pack_args *a)
{
    const uint8_t *p = first_block(a);
    const size_t rb = a->row_bytes;
    const __m512i off = offset(a, 8);
    uint8_t *to = a->panel;
    for (int ig = a->ig0; ig < a->ig1; ig++, p += sizeof(block_q4_0), to += CODES + FLOATS) {
        __m512i o[4];
        rows16(p + 2, rb, o);
        UNROLL
        for (int i = 0; i < 4; i++) {
            put_codes(to, i, low4(o[i]), off);
            put_codes(to, i + 4, high4(o[i]), off);
        }
        put_f32(to + CODES, halves16(p, rb));
    }
}

static void pack_q4_1(const pack_args *a)
{
    const uint8_t *p = first_block(a);
    const size_t rb = a->row_bytes;
    const __m512i off = offset(a, 0), sign = _mm512_set1_epi32(INT32_MIN);
    uint8_t *to = a->panel;
    for (int ig = a->ig0; ig < a->ig1; ig++, p += sizeof(block_q4_1), to += CODES + 2 * FLOATS) {
        __m512i o[4], dm = dwords16(p, rb);
        rows16(p + 4, rb, o);
        UNROLL
        for (int i = 0; i < 4; i++) {
            put_codes(to, i, low4(o[i]), off);
            put_codes(to, i + 4, high4(o[i]), off);
        }
        __m512 m = low_halves(_mm512_srli_epi32(dm, 16));
        put_f32(to + CODES, low_halves(dm));
        put(to + CODES + FLOATS, _mm512_xor_si512(_mm512_castps_si512(m), sign));
    }
}

/* 16 where the bits 4j..4j+3 of each row's dword say so. */
INLINE __m512i fifth_bits(__m512i qh, int j)
{
    const __m512i rep = _mm512_set_epi64(0x0c0c0c0c08080808, 0x0404040400000000, 0x0c0c0c0c08080808,
                                         0x0404040400000000, 0x0c0c0c0c08080808, 0x0404040400000000,
                                         0x0c0c0c0c08080808, 0x0404040400000000);
    __m512i at = _mm512_add_epi8(rep, _mm512_set1_epi8((char)(j / 2)));
    __m512i which = _mm512_set1_epi32(j % 2 ? (int)0x80402010 : 0x08040201);
    __mmask64 m = _mm512_test_epi8_mask(_mm512_shuffle_epi8(qh, at), which);
    return _mm512_maskz_mov_epi8(m, _mm512_set1_epi8(16));
}

INLINE void put_5_bits(uint8_t *to, const uint8_t *p, size_t rb, __m512i off)
{
    __m512i o[4], qh = dwords16(p, rb);
    rows16(p + 4, rb, o);
    UNROLL
    for (int i = 0; i < 4; i++) {
        put_codes(to, i, _mm512_or_si512(low4(o[i]), fifth_bits(qh, i)), off);
        put_codes(to, i + 4, _mm512_or_si512(high4(o[i]), fifth_bits(qh, i + 4)), off);
    }
}

static void pack_q5_0(const pack_args *a)
{
    const uint8_t *p = first_block(a);
    uint8_t *to = a->panel;
    for (int ig = a->ig0; ig < a->ig1; ig++, p += sizeof(block_q5_0), to += CODES + FLOATS) {
        put_5_bits(to, p + 2, a->row_bytes, offset(a, 16));
        put_f32(to + CODES, halves16(p, a->row_bytes));
    }
}

static void pack_q5_1(const pack_args *a)
{
    const uint8_t *p = first_block(a);
    const __m512i sign = _mm512_set1_epi32(INT32_MIN);
    uint8_t *to = a->panel;
    for (int ig = a->ig0; ig < a->ig1; ig++, p += sizeof(block_q5_1), to += CODES + 2 * FLOATS) {
        __m512i dm = dwords16(p, a->row_bytes);
        put_5_bits(to, p + 4, a->row_bytes, offset(a, 0));
        __m512 m = low_halves(_mm512_srli_epi32(dm, 16));
        put_f32(to + CODES, low_halves(dm));
        put(to + CODES + FLOATS, _mm512_xor_si512(_mm512_castps_si512(m), sign));
    }
}

static void pack_q8_0(const pack_args *a)
{
    const uint8_t *p = first_block(a);
    const __m512i off = offset(a, 0);
    uint8_t *to = a->panel;
    for (int ig = a->ig0; ig < a->ig1; ig++, p += sizeof(block_q8_0), to += CODES + FLOATS) {
        __m512i o[8];
        rows32(p + 2, a->row_bytes, o);
        UNROLL
        for (int i = 0; i < 8; i++) put_codes(to, i, o[i], off);
        put_f32(to + CODES, halves16(p, a->row_bytes));
    }
}

/* Nibbles that index a table of 16 codes. */
INLINE void put_levels(uint8_t *to, const uint8_t *q, size_t rb, __m512i table)
{
    __m512i o[4];
    rows16(q, rb, o);
    UNROLL
    for (int i = 0; i < 4; i++) {
        put(to + 64 * i, _mm512_shuffle_epi8(table, low4(o[i])));
        put(to + 64 * (i + 4), _mm512_shuffle_epi8(table, high4(o[i])));
    }
}

INLINE __m512i iq4_table(const pack_args *a)
{
    const __m128i level =
        _mm_setr_epi8(-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113);
    return _mm512_add_epi8(_mm512_broadcast_i32x4(level), offset(a, 0));
}

static void pack_iq4_nl(const pack_args *a)
{
    const uint8_t *p = first_block(a);
    const __m512i table = iq4_table(a);
    uint8_t *to = a->panel;
    for (int ig = a->ig0; ig < a->ig1; ig++, p += sizeof(block_iq4_nl), to += CODES + FLOATS) {
        put_levels(to, p + 2, a->row_bytes, table);
        put_f32(to + CODES, halves16(p, a->row_bytes));
    }
}

/* 2^(e - 128) of 16 rows, exact where it is subnormal. */
INLINE __m512 power16(const uint8_t *p, size_t rb)
{
    int32_t e[PANEL_ROWS];
    for (size_t r = 0; r < PANEL_ROWS; r++) e[r] = p[r * rb];
    __m512i v = _mm512_loadu_si512(e), one = _mm512_set1_epi32(1);
    __m512i normal = _mm512_slli_epi32(_mm512_sub_epi32(v, one), 23);
    __m512i small = _mm512_sllv_epi32(_mm512_set1_epi32(0x00200000), v);
    __mmask16 is_small = _mm512_cmple_epi32_mask(v, one);
    return _mm512_castsi512_ps(_mm512_mask_mov_epi32(normal, is_small, small));
}

static void pack_mxfp4(const pack_args *a)
{
    const uint8_t *p = first_block(a);
    const __m128i level = _mm_setr_epi8(0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12);
    const __m512i table = _mm512_add_epi8(_mm512_broadcast_i32x4(level), offset(a, 0));
    uint8_t *to = a->panel;
    for (int ig = a->ig0; ig < a->ig1; ig++, p += sizeof(block_mxfp4), to += CODES + FLOATS) {
        put_levels(to, p + 1, a->row_bytes, table);
        put_f32(to + CODES, power16(p, a->row_bytes));
    }
}

/* ---- super-blocks of 256 ------------------------------------------------------------------------ */

enum { GROUPS = QB_SUPER / QT_GROUP };

/* The scales and minima of Q4_K and Q5_K: their first 16 bytes are d, dmin and 12 scale bytes. */
INLINE void put_k_scales(uint8_t *to, size_t stride, const uint8_t *p, size_t rb)
{
    const __m512i six = _mm512_set1_epi8(63), top = _mm512_set1_epi8(48);
    __m512i h[4];
    rows16(p, rb, h);
    __m512 d = low_halves(h[0]), dmin = low_halves(_mm512_srli_epi32(h[0], 16));
    __m512i sc[2] = { _mm512_and_si512(h[1], six),
                      _mm512_or_si512(low4(h[3]),
                                      _mm512_and_si512(_mm512_srli_epi16(h[1], 2), top)) };
    __m512i mn[2] = { _mm512_and_si512(h[2], six),
                      _mm512_or_si512(high4(h[3]),
                                      _mm512_and_si512(_mm512_srli_epi16(h[2], 2), top)) };
    UNROLL
    for (int s = 0; s < GROUPS; s++, to += stride) {
        put_f32(to + CODES, _mm512_mul_ps(d, byte_f32(sc[s / 4], s % 4)));
        put_f32(to + CODES + FLOATS, _mm512_mul_ps(dmin, byte_f32(mn[s / 4], s % 4)));
    }
}

static void pack_q4_k(const pack_args *a)
{
    enum { STRIDE = CODES + 2 * FLOATS };
    const uint8_t *p = first_block(a);
    const size_t rb = a->row_bytes;
    const __m512i off = offset(a, 0);
    uint8_t *to = a->panel;
    for (int ig = a->ig0; ig < a->ig1; ig += GROUPS, p += sizeof(block_q4_k)) {
        put_k_scales(to, STRIDE, p, rb);
        for (int h = 0; h < 4; h++, to += 2 * STRIDE) UNROLL
        for (int half = 0; half < 2; half++) {
            __m512i o[4];
            rows16(p + 16 + 32 * h + 16 * half, rb, o);
            UNROLL
            for (int i = 0; i < 4; i++) {
                put_codes(to, 4 * half + i, low4(o[i]), off);
                put_codes(to + STRIDE, 4 * half + i, high4(o[i]), off);
            }
        }
    }
}

static void pack_q5_k(const pack_args *a)
{
    enum { STRIDE = CODES + 2 * FLOATS };
    const uint8_t *p = first_block(a);
    const size_t rb = a->row_bytes;
    const __m512i off = offset(a, 0);
    uint8_t *to = a->panel;
    for (int ig = a->ig0; ig < a->ig1; ig += GROUPS, p += sizeof(block_q5_k)) {
        put_k_scales(to, STRIDE, p, rb);
        for (int half = 0; half < 2; half++) {
            __m512i qh[4];
            rows16(p + 16 + 16 * half, rb, qh);
            UNROLL
            for (int h = 0; h < 4; h++) {
                __m512i o[4];
                uint8_t *t = to + 2 * h * STRIDE;
                rows16(p + 48 + 32 * h + 16 * half, rb, o);
                UNROLL
                for (int i = 0; i < 4; i++) {
                    __m512i lo = _mm512_or_si512(low4(o[i]), bit(qh[i], 2 * h, 4));
                    __m512i hi = _mm512_or_si512(high4(o[i]), bit(qh[i], 2 * h + 1, 4));
                    put_codes(t, 4 * half + i, lo, off);
                    put_codes(t + STRIDE, 4 * half + i, hi, off);
                }
            }
        }
        to += GROUPS * STRIDE;
    }
}

static void pack_q6_k(const pack_args *a)
{
    enum { STRIDE = CODES + 2 * FLOATS };
    const uint8_t *p = first_block(a);
    const size_t rb = a->row_bytes;
    const __m512i off = offset(a, 32), top = _mm512_set1_epi8(48);
    uint8_t *to = a->panel;
    for (int ig = a->ig0; ig < a->ig1;
         ig += GROUPS, p += sizeof(block_q6_k), to += GROUPS * STRIDE) {
        for (int e = 0; e < 4; e++) { /* e: 128 weights, and which 16 of 32 */
            const int h = e / 2, half = e % 2;
            const uint8_t *q = p + 64 * h + 16 * half;
            uint8_t *t = to + 4 * h * STRIDE + 256 * half;
            __m512i lo[4], hi[4], qh[4];
            rows16(q, rb, lo);
            rows16(q + 32, rb, hi);
            rows16(p + 128 + 32 * h + 16 * half, rb, qh);
            UNROLL
            for (int i = 0; i < 4; i++) {
                __m512i b0 = _mm512_and_si512(_mm512_slli_epi16(qh[i], 4), top);
                __m512i b1 = _mm512_and_si512(_mm512_slli_epi16(qh[i], 2), top);
                __m512i b2 = _mm512_and_si512(qh[i], top);
                __m512i b3 = _mm512_and_si512(_mm512_srli_epi16(qh[i], 2), top);
                put_codes(t, i, _mm512_or_si512(low4(lo[i]), b0), off);
                put_codes(t + STRIDE, i, _mm512_or_si512(low4(hi[i]), b1), off);
                put_codes(t + 2 * STRIDE, i, _mm512_or_si512(high4(lo[i]), b2), off);
                put_codes(t + 3 * STRIDE, i, _mm512_or_si512(high4(hi[i]), b3), off);
            }
        }
        __m512i s[4];
        __m512 d = halves16(p + 208, rb);
        rows16(p + 192, rb, s);
        UNROLL
        for (int i = 0; i < 16; i++)
            put_f32(to + i / 2 * STRIDE + CODES + i % 2 * FLOATS,
                    _mm512_mul_ps(d, signed_byte_f32(s[i / 4], i % 4)));
    }
}

static void pack_q2_k(const pack_args *a)
{
    enum { STRIDE = CODES + 4 * FLOATS };
    const uint8_t *p = first_block(a);
    const size_t rb = a->row_bytes;
    const __m512i off = offset(a, 0);
    uint8_t *to = a->panel;
    for (int ig = a->ig0; ig < a->ig1;
         ig += GROUPS, p += sizeof(block_q2_k), to += GROUPS * STRIDE) {
        __m512i s[4], dm = dwords16(p + 80, rb);
        __m512 d = low_halves(dm), dmin = low_halves(_mm512_srli_epi32(dm, 16));
        for (int e = 0; e < 4; e++) {
            __m512i o[4];
            rows16(p + 16 + 16 * e, rb, o);
            UNROLL
            for (int i = 0; i < 4; i++) UNROLL
            for (int g = 0; g < 4; g++)
                put_codes(to + (4 * (e / 2) + g) * STRIDE, 4 * (e % 2) + i, pair(o[i], 2 * g), off);
        }
        rows16(p, rb, s);
        UNROLL
        for (int i = 0; i < 16; i++) {
            uint8_t *t = to + i / 2 * STRIDE + CODES + i % 2 * FLOATS;
            put_f32(t, _mm512_mul_ps(d, byte_f32(low4(s[i / 4]), i % 4)));
            put_f32(t + 2 * FLOATS, _mm512_mul_ps(dmin, byte_f32(high4(s[i / 4]), i % 4)));
        }
    }
}

static void pack_q3_k(const pack_args *a)
{
    enum { STRIDE = CODES + 2 * FLOATS };
    const uint8_t *p = first_block(a);
    const size_t rb = a->row_bytes;
    const __m512i off = offset(a, 4);
    uint8_t *to = a->panel;
    for (int ig = a->ig0; ig < a->ig1;
         ig += GROUPS, p += sizeof(block_q3_k), to += GROUPS * STRIDE) {
        for (int half = 0; half < 2; half++) {
            __m512i qh[4];
            rows16(p + 16 * half, rb, qh);
            for (int h = 0; h < 2; h++) {
                __m512i o[4];
                rows16(p + 32 + 32 * h + 16 * half, rb, o);
                UNROLL
                for (int i = 0; i < 4; i++) {
                    __m512i third = h ? _mm512_srli_epi16(qh[i], 4) : qh[i];
                    UNROLL
                    for (int g = 0; g < 4; g++)
                        put_codes(to + (4 * h + g) * STRIDE, 4 * half + i,
                                  _mm512_or_si512(pair(o[i], 2 * g), bit(third, g, 2)), off);
                }
            }
        }
        __m512i b[4], s[4]; /* the last 14 bytes and 2 before: 12 of scales, then d */
        rows16(p + 94, rb, b);
        __m512 d = low_halves(_mm512_srli_epi32(b[3], 16));
        UNROLL
        for (int i = 0; i < 3; i++) /* the three dwords, two bytes further on */
            b[i] = _mm512_or_si512(_mm512_srli_epi32(b[i], 16), _mm512_slli_epi32(b[i + 1], 16));
        UNROLL
        for (int i = 0; i < 4; i++) {
            __m512i low = i < 2 ? low4(b[i]) : high4(b[i - 2]);
            s[i] = _mm512_or_si512(low, _mm512_slli_epi16(pair(b[2], 2 * i), 4));
        }
        UNROLL
        for (int i = 0; i < 16; i++) {
            __m512 f = _mm512_sub_ps(byte_f32(s[i / 4], i % 4), _mm512_set1_ps(32.0f));
            put_f32(to + i / 2 * STRIDE + CODES + i % 2 * FLOATS, _mm512_mul_ps(d, f));
        }
    }
}

static void pack_iq4_xs(const pack_args *a)
{
    enum { STRIDE = CODES + FLOATS };
    const uint8_t *p = first_block(a);
    const size_t rb = a->row_bytes;
    const __m512i table = iq4_table(a);
    uint8_t *to = a->panel;
    for (int ig = a->ig0; ig < a->ig1; ig += GROUPS, p += sizeof(block_iq4_xs)) {
        __m512i h[4];
        rows16(p, rb, h); /* d and scale_h, scale_l */
        __m512 d = low_halves(h[0]);
        UNROLL
        for (int s = 0; s < GROUPS; s++, to += STRIDE) {
            put_levels(to, p + 8 + 16 * s, rb, table);
            __m512i lo =
                _mm512_and_si512(_mm512_srli_epi32(h[1], (unsigned)(4 * s)), _mm512_set1_epi32(15));
            __m512i hi = _mm512_and_si512(_mm512_srli_epi32(h[0], (unsigned)(16 + 2 * s)),
                                          _mm512_set1_epi32(3));
            __m512i sc = _mm512_or_si512(lo, _mm512_slli_epi32(hi, 4));
            sc = _mm512_sub_epi32(sc, _mm512_set1_epi32(32));
            put_f32(to + CODES, _mm512_mul_ps(d, _mm512_cvtepi32_ps(sc)));
        }
    }
}

static void pack_tq2_0(const pack_args *a)
{
    enum { STRIDE = CODES + FLOATS };
    const uint8_t *p = first_block(a);
    const size_t rb = a->row_bytes;
    const __m512i off = offset(a, 1);
    uint8_t *to = a->panel;
    for (int ig = a->ig0; ig < a->ig1;
         ig += GROUPS, p += sizeof(block_tq2_0), to += GROUPS * STRIDE) {
        __m512 d = halves16(p + 64, rb);
        for (int e = 0; e < 4; e++) {
            __m512i o[4];
            rows16(p + 16 * e, rb, o);
            UNROLL
            for (int i = 0; i < 4; i++) UNROLL
            for (int g = 0; g < 4; g++)
                put_codes(to + (4 * (e / 2) + g) * STRIDE, 4 * (e % 2) + i, pair(o[i], 2 * g), off);
        }
        UNROLL
        for (int s = 0; s < GROUPS; s++) put_f32(to + s * STRIDE + CODES, d);
    }
}

/* ---- any format: row by row, then transposed ---------------------------------------------------- */

/* Floats [16 rows][n] to [n][16 rows] of the panel's groups: n_sub a group. */
static void put_columns(float (*rows)[2 * GROUPS], int n_group, int n_sub, uint8_t *to,
                        size_t stride)
{
    const __m512i at =
        _mm512_mullo_epi32(_mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
                           _mm512_set1_epi32(2 * GROUPS));
    for (int i = 0; i < n_group * n_sub; i++)
        put_f32(to + (size_t)(i / n_sub) * stride + (size_t)(i % n_sub) * FLOATS,
                _mm512_i32gather_ps(at, &rows[0][i], 4));
}

static void pack_by_rows(const pack_args *a)
{
    const qtype_row *t = &qtypes[a->type];
    const int n_group = t->block_elems / QT_GROUP;
    const size_t stride = panel_group_bytes(a->type);
    const uint8_t *p = first_block(a);
    const __m512i off = offset(a, 0);
    uint8_t *to = a->panel;
    int8_t codes[PANEL_ROWS][QB_SUPER];
    float scale[PANEL_ROWS][2 * GROUPS], min[PANEL_ROWS][2 * GROUPS];
    for (int ig = a->ig0; ig < a->ig1; ig += n_group, p += t->block_bytes) {
        for (int r = 0; r < PANEL_ROWS; r++)
            t->unpack(t->block_elems, p + (size_t)r * a->row_bytes, codes[r], scale[r], min[r]);
        uint8_t *floats = to + CODES;
        put_columns(scale, n_group, t->n_sub, floats, stride);
        if (t->has_min) put_columns(min, n_group, t->n_sub, floats + t->n_sub * FLOATS, stride);
        for (int g = 0; g < n_group; g++, to += stride) {
            __m512i o[8];
            rows32((const uint8_t *)codes[0] + QT_GROUP * g, QB_SUPER, o);
            UNROLL
            for (int i = 0; i < 8; i++) put_codes(to, i, o[i], off);
        }
    }
}

const lory_kernels kernels_avx512_pack = {
    .pack = { [QT_Q4_0] = pack_q4_0,       [QT_Q4_1] = pack_q4_1,      [QT_Q5_0] = pack_q5_0,
              [QT_Q5_1] = pack_q5_1,       [QT_Q8_0] = pack_q8_0,      [QT_Q2_K] = pack_q2_k,
              [QT_Q3_K] = pack_q3_k,       [QT_Q4_K] = pack_q4_k,      [QT_Q5_K] = pack_q5_k,
              [QT_Q6_K] = pack_q6_k,       [QT_IQ1_S] = pack_by_rows,  [QT_IQ1_M] = pack_by_rows,
              [QT_IQ2_XXS] = pack_by_rows, [QT_IQ2_XS] = pack_by_rows, [QT_IQ2_S] = pack_by_rows,
              [QT_IQ3_XXS] = pack_by_rows, [QT_IQ3_S] = pack_by_rows,  [QT_IQ4_NL] = pack_iq4_nl,
              [QT_IQ4_XS] = pack_iq4_xs,   [QT_TQ1_0] = pack_by_rows,  [QT_TQ2_0] = pack_tq2_0,
              [QT_MXFP4] = pack_mxfp4 },
};
