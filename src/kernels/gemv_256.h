/* gemv_256.h - one token straight from the rows of the commonest types, 8 at a time, over the
 * vectors of avx2_vec.h.
 * Layer: kernels. Not a header: avx2_gemv.c and avxvnni_gemv.c include it once, after those. The
 * shape is that of avx512_gemv.c: see there. */
#include "kernels/gemv_super.h"

/* ---- Q4_0 ---------------------------------------------------------------------------------- */

static __m256 q4_0_rows(const rows_args *r)
{
    enum { BYTES = sizeof(block_q4_0) };
    const uint8_t *p = r->w;
    __m256 acc = _mm256_setzero_ps();
    for (int ig = 0; ig < r->n_group; ig++, p += BYTES) {
        const act_group *x = &r->x[ig];
        const __m256i lo = _mm256_broadcastsi128_si256(load16(x->q));
        const __m256i hi = _mm256_broadcastsi128_si256(load16(x->q + 16));
        __m256i v[4];
        prefetch(&r->ahead, (size_t)ig * BYTES * ROWS, BYTES * ROWS);
        UNROLL
        for (size_t i = 0; i < 4; i++) { /* rows i and i + 4 */
            __m256i q =
                _mm256_set_m128i(load16(p + 2 + (i + 4) * r->rb), load16(p + 2 + i * r->rb));
            v[i] = i_dot_2(low4(q), lo, high4(q), hi);
        }
        acc = add_group(acc, x, _mm256_cvtph_ps(words8(p, r->rb)),
                        net_16_bits(v[0], v[1], v[2], v[3]), 4);
    }
    return acc;
}

static void gemv_q4_0(const matmul_args *a)
{
    all_rows(a, q4_0_rows);
}

/* ---- Q8_0 ---------------------------------------------------------------------------------- */

static __m256 q8_0_rows(const rows_args *r)
{
    enum { BYTES = sizeof(block_q8_0) };
    const uint8_t *p = r->w;
    __m256 acc = _mm256_setzero_ps();
    for (int ig = 0; ig < r->n_group; ig++, p += BYTES) {
        const act_group *x = &r->x[ig];
        const __m256i xq = load32(x->q);
        __m256i v[ROWS];
        prefetch(&r->ahead, (size_t)ig * BYTES * ROWS, BYTES * ROWS);
        UNROLL
        for (size_t i = 0; i < ROWS; i++)
            v[i] = i_dot_levels(i_xor(load32(p + 2 + i * r->rb), i_set8((char)LEVEL_ZERO)), xq);
        __m256i a = _mm256_hadd_epi32(_mm256_hadd_epi32(v[0], v[1]), _mm256_hadd_epi32(v[2], v[3]));
        __m256i b = _mm256_hadd_epi32(_mm256_hadd_epi32(v[4], v[5]), _mm256_hadd_epi32(v[6], v[7]));
        __m256i sums = _mm256_add_epi32(_mm256_permute2x128_si256(a, b, 0x20),
                                        _mm256_permute2x128_si256(a, b, 0x31));
        sums = less_zero(sums, x->start_all, LEVEL_SHIFT);
        __m256 u = _mm256_mul_ps(_mm256_cvtph_ps(words8(p, r->rb)), _mm256_cvtepi32_ps(sums));
        acc = _mm256_fmadd_ps(_mm256_set1_ps(x->dx), u, acc);
    }
    return acc;
}

static void gemv_q8_0(const matmul_args *a)
{
    all_rows(a, q8_0_rows);
}

/* ---- Q4_K, Q5_K ---------------------------------------------------------------------------- */

/* Where the parts of a super-block are; qh: the fifth bits, bit s of byte i for weight 32s + i. */
typedef struct {
    int bytes, q, qh;
    bool has_fifth;
} k_layout;

static const k_layout q4_k = { sizeof(block_q4_k), 16, 0, false };
static const k_layout q5_k = { sizeof(block_q5_k), 48, 16, true };

/* 16 in the bytes where qh has bit s. */
INLINE __m256i fifth(__m256i qh, const int s)
{
    const __m256i which = _mm256_set1_epi8((char)(1 << s));
    __m256i is_set = _mm256_cmpeq_epi8(_mm256_and_si256(qh, which), which);
    return _mm256_and_si256(is_set, _mm256_set1_epi8(16));
}

/* The eight sums of a row's super-block. The greatest of 16 bits is 8 * 31 * 127. */
INLINE __m256i k_row(const k_layout l, const uint8_t *p, const act_group *x)
{
    const __m256i qh = l.has_fifth ? load32(p + l.qh) : _mm256_setzero_si256();
    __m256i t[GROUPS];
    UNROLL
    for (int h = 0; h < 4; h++) {
        __m256i q = load32(p + l.q + 32 * h), lo = low4(q), hi = high4(q);
        if (l.has_fifth) {
            lo = _mm256_or_si256(lo, fifth(qh, 2 * h));
            hi = _mm256_or_si256(hi, fifth(qh, 2 * h + 1));
        }
        t[2 * h] = i_dot(lo, load32(x[2 * h].q));
        t[2 * h + 1] = i_dot(hi, load32(x[2 * h + 1].q));
    }
    __m256i a = net_16_bits(t[0], t[1], t[2], t[3]), b = net_16_bits(t[4], t[5], t[6], t[7]);
    return _mm256_add_epi32(_mm256_permute2x128_si256(a, b, 0x20),
                            _mm256_permute2x128_si256(a, b, 0x31));
}

/* The super-block at p of 8 rows, its scales taken out of 8 transposed headers at once. */
INLINE __m256 k_block(const k_layout l, __m256 acc, const rows_args *r, const uint8_t *p,
                      const act_group *x)
{
    const __m256i six = _mm256_set1_epi8(63), top = _mm256_set1_epi8(48);
    __m256i row[ROWS], h[4];
    const size_t at = (size_t)(p - r->w) * ROWS;
    for (size_t i = 0; i < ROWS; i++) { /* some lines before every row */
        prefetch(&r->ahead, at + (size_t)l.bytes * i, l.bytes);
        row[i] = k_row(l, p + i * r->rb, x);
    }
    UNROLL
    for (size_t i = 0; i < 4; i++)
        h[i] = _mm256_set_m128i(load16(p + (i + 4) * r->rb), load16(p + i * r->rb));
    transpose_dwords(h); /* d and dmin; the 12 scale bytes */
    transpose_dwords(row), transpose_dwords(row + 4);
    const __m256 d = f_low_halves(h[0]), dmin = f_low_halves(_mm256_srli_epi32(h[0], 16));
    const __m256i high_sc = _mm256_and_si256(_mm256_srli_epi16(h[1], 2), top);
    const __m256i high_mn = _mm256_and_si256(_mm256_srli_epi16(h[2], 2), top);
    const __m256i sc[2] = { _mm256_and_si256(h[1], six), _mm256_or_si256(low4(h[3]), high_sc) };
    const __m256i mn[2] = { _mm256_and_si256(h[2], six), _mm256_or_si256(high4(h[3]), high_mn) };
    UNROLL
    for (int s = 0; s < GROUPS; s++) {
        /* rows 0-3 of sums s, s + 4 lie in row[s % 4], 4-7 in row[s % 4 + 4] */
        __m256i sum = s < 4 ? _mm256_permute2x128_si256(row[s], row[s + 4], 0x20)
                            : _mm256_permute2x128_si256(row[s - 4], row[s], 0x31);
        __m256 scale = _mm256_mul_ps(d, byte_f32(sc[s / 4], s % 4));
        __m256 min = _mm256_mul_ps(dmin, byte_f32(mn[s / 4], s % 4));
        __m256 u = _mm256_mul_ps(scale, _mm256_cvtepi32_ps(sum));
        u = _mm256_fnmadd_ps(min, _mm256_set1_ps(x[s].sum_all), u);
        acc = _mm256_fmadd_ps(_mm256_set1_ps(x[s].dx), u, acc);
    }
    return acc;
}

INLINE __m256 k_rows(const k_layout l, const rows_args *r)
{
    const uint8_t *p = r->w;
    __m256 acc = _mm256_setzero_ps();
    for (int ig = 0; ig < r->n_group; ig += GROUPS, p += l.bytes)
        acc = k_block(l, acc, r, p, r->x + ig);
    return acc;
}

static __m256 q4_k_rows(const rows_args *r)
{
    return k_rows(q4_k, r);
}
static __m256 q5_k_rows(const rows_args *r)
{
    return k_rows(q5_k, r);
}

static void gemv_q4_k(const matmul_args *a)
{
    all_rows(a, q4_k_rows);
}
static void gemv_q5_k(const matmul_args *a)
{
    all_rows(a, q5_k_rows);
}

/* ---- Q6_K ---------------------------------------------------------------------------------- */

/* In each 128 bits: the sums of four dwords of a, b, c, d; each dword fits 16 bits, pairs do not:
 * 4 * 63 * 127 = 32004. */
INLINE __m256i net_wide(__m256i a, __m256i b, __m256i c, __m256i d)
{
    return _mm256_hadd_epi32(add_pairs(_mm256_packs_epi32(a, b)),
                             add_pairs(_mm256_packs_epi32(c, d)));
}

/* 128 weights of a row, low bits at q, high at qh: t[g] = eight sums of four weights of group g. */
INLINE void q6_k_half(const uint8_t *q, const uint8_t *qh, const act_group *x, __m256i t[4])
{
    const __m256i top = _mm256_set1_epi8(48), h = load32(qh);
    const __m256i a = load32(q), b = load32(q + 32);
    const __m256i c[4] = {
        _mm256_or_si256(low4(a), _mm256_and_si256(_mm256_slli_epi16(h, 4), top)),
        _mm256_or_si256(low4(b), _mm256_and_si256(_mm256_slli_epi16(h, 2), top)),
        _mm256_or_si256(high4(a), _mm256_and_si256(h, top)),
        _mm256_or_si256(high4(b), _mm256_and_si256(_mm256_srli_epi16(h, 2), top)),
    };
    UNROLL
    for (int g = 0; g < 4; g++) t[g] = i_dot(c[g], load32(x[g].q));
}

/* acc and half a super-block: sums t of its four groups, their scales in sc[0] and sc[1]. */
INLINE __m256 q6_k_add(__m256 acc, __m256i t[4][ROWS], const __m256i sc[2], __m256 d,
                       const act_group *x)
{
    UNROLL
    for (int g = 0; g < 4; g++) {
        const __m256i a = net_wide(t[g][0], t[g][1], t[g][2], t[g][3]);
        const __m256i b = net_wide(t[g][4], t[g][5], t[g][6], t[g][7]);
        const __m256i sum[2] = { _mm256_permute2x128_si256(a, b, 0x20),
                                 _mm256_permute2x128_si256(a, b, 0x31) };
        __m256 u = _mm256_setzero_ps();
        UNROLL
        for (int s = 0; s < 2; s++) {
            const __m256i start = _mm256_set1_epi32(x[g].start[s] >> 2);
            __m256 f = _mm256_cvtepi32_ps(_mm256_add_epi32(sum[s], start));
            __m256 scale = _mm256_mul_ps(d, signed_byte_f32(sc[g / 2], 2 * (g % 2) + s));
            u = s == 0 ? _mm256_mul_ps(scale, f) : _mm256_fmadd_ps(scale, f, u);
        }
        acc = _mm256_fmadd_ps(_mm256_set1_ps(x[g].dx), u, acc);
    }
    return acc;
}

static __m256 q6_k_rows(const rows_args *r)
{
    enum { BYTES = sizeof(block_q6_k), HALF = 4 };
    const size_t rb = r->rb;
    const uint8_t *p = r->w;
    __m256 acc = _mm256_setzero_ps();
    for (int ig = 0; ig < r->n_group; ig += GROUPS, p += BYTES) {
        const __m256 d = _mm256_cvtph_ps(words8(p + 208, rb));
        __m256i sc[4]; /* sc[i]: scales 4i .. 4i + 3 of 8 rows */
        UNROLL
        for (size_t i = 0; i < 4; i++)
            sc[i] = _mm256_set_m128i(load16(p + 192 + (i + 4) * rb), load16(p + 192 + i * rb));
        transpose_dwords(sc);
        for (size_t h = 0; h < 2; h++) {
            const act_group *x = r->x + ig + HALF * (int)h;
            const size_t at = (size_t)(p - r->w) * ROWS + h * (BYTES / 2 * ROWS);
            __m256i t[HALF][ROWS];
            for (size_t i = 0; i < ROWS; i++) { /* some lines before every row */
                prefetch(&r->ahead, at + i * (BYTES / 2), BYTES / 2);
                __m256i row[HALF];
                q6_k_half(p + 64 * h + i * rb, p + 128 + 32 * h + i * rb, x, row);
                UNROLL
                for (int g = 0; g < HALF; g++) t[g][i] = row[g];
            }
            acc = q6_k_add(acc, t, sc + 2 * h, d, x);
        }
    }
    return acc;
}

static void gemv_q6_k(const matmul_args *a)
{
    all_rows(a, q6_k_rows);
}

/* Of the table's gemv. */
#define COMMON_SLOTS                                                                               \
    [QT_Q4_0] = gemv_q4_0, [QT_Q8_0] = gemv_q8_0, [QT_Q4_K] = gemv_q4_k, [QT_Q5_K] = gemv_q5_k,    \
    [QT_Q6_K] = gemv_q6_k
