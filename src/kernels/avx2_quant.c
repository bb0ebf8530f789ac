/* avx2_quant.c - AVX2: the integer matmul.
 * Layer: kernels.
 *
 * vpmaddubsw multiplies unsigned codes with signed activations and adds pairs to 16 bits, which
 * saturate: so codes lie in the panel as code + zero, as small as the format allows, and as many
 * steps are added in 16 bits as fit: 8 steps * 2 * 15 * 127 < 2^15 for codes to 15, 4 steps for
 * codes to 31, 2 for codes to 63. Wider codes stay signed: |w| times x with the sign of w, where
 * 2 * 128 * 127 < 2^15. A sum begins at -zero * sum(activations). */
#include "kernels/ahead.h"
#include "kernels/x86.h"

enum { TOKENS = 4 }; /* of a tile */

/* ---- how codes lie ------------------------------------------------------------------------- */

typedef struct {
    uint8_t zero; /* a power of two; 0 for codes with a minimum, and signed ones */
    uint8_t run;  /* steps that fit 16 bits; 0: signed codes */
} code_form;

static const code_form forms[QT_COUNT] = {
    [QT_Q4_0] = { 8, 8 },  [QT_Q4_1] = { 0, 8 },  [QT_Q5_0] = { 16, 4 }, [QT_Q5_1] = { 0, 4 },
    [QT_Q2_K] = { 0, 4 },  [QT_Q3_K] = { 4, 4 },  [QT_Q4_K] = { 0, 8 },  [QT_Q5_K] = { 0, 4 },
    [QT_Q6_K] = { 32, 2 }, [QT_TQ1_0] = { 1, 8 }, [QT_TQ2_0] = { 1, 8 }, [QT_MXFP4] = { 16, 4 },
    [QT_NVFP4] = { 16, 4 }, [QT_Q1_0] = { 1, 8 }, [QT_Q2_0] = { 1, 8 },
};

static uint8_t panel_zero(qtype type)
{
    return forms[type].zero;
}

/* ---- activations --------------------------------------------------------------------------- */

INLINE __m256i abs_bits(__m256 x)
{
    return _mm256_and_si256(_mm256_castps_si256(x), _mm256_set1_epi32(INT32_MAX));
}

/* 8 codes of x; NaN gives -127. */
INLINE __m256i codes8(__m256 x, __m256 to_code)
{
    __m256 v = _mm256_max_ps(_mm256_mul_ps(x, to_code), _mm256_set1_ps(-127.0f));
    return _mm256_cvtps_epi32(_mm256_min_ps(v, _mm256_set1_ps(127.0f)));
}

INLINE int sum_i32(__m256i v)
{
    __m128i s = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4e));
    return _mm_cvtsi128_si32(_mm_add_epi32(s, _mm_shuffle_epi32(s, 0xb1)));
}

static void quant_group(const float *x, act_group *g)
{
    __m256 v[4];
    __m256i q[4], top = _mm256_setzero_si256();
    for (int i = 0; i < 4; i++) {
        v[i] = _mm256_loadu_ps(x + 8 * i);
        top = _mm256_max_epi32(top, abs_bits(v[i]));
    }
    __m128i t = _mm_max_epi32(_mm256_castsi256_si128(top), _mm256_extracti128_si256(top, 1));
    t = _mm_max_epi32(t, _mm_shuffle_epi32(t, 0x4e));
    t = _mm_max_epi32(t, _mm_shuffle_epi32(t, 0xb1));
    float m = _mm_cvtss_f32(_mm_castsi128_ps(t));
    memset(g, 0, sizeof *g);
    if (m < 0x1p-100f) return;
    __m256 to_code = _mm256_set1_ps(127.0f / m);
    for (int i = 0; i < 4; i++) q[i] = codes8(v[i], to_code);
    /* 16 and then 8 bits; packing works in 128-bit halves, the permute puts dwords in order */
    __m256i b = _mm256_packs_epi16(_mm256_packs_epi32(q[0], q[1]), _mm256_packs_epi32(q[2], q[3]));
    b = _mm256_permutevar8x32_epi32(b, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
    _mm256_store_si256((__m256i *)(void *)g->q, b);
    int s0 = sum_i32(_mm256_add_epi32(q[0], q[1])), s1 = sum_i32(_mm256_add_epi32(q[2], q[3]));
    g->dx = m / 127.0f;
    act_set_sums(g, s0, s1);
}

static void quant_act(const act_args *a)
{
    for (int it = a->it0; it < a->it1; it++)
        for (int ig = a->ig0; ig < a->ig1; ig++)
            quant_group(a->x + (size_t)it * a->ld_x + (size_t)ig * QT_GROUP,
                        &a->act[act_index(it, ig, a->n_tok, a->n_group)]);
}

/* ---- one tile: 8 rows x some tokens -------------------------------------------------------- */

typedef struct {
    const uint8_t *panel; /* 8 rows of it, at the first group */
    const act_group *x;   /* the first token, at the first group */
    size_t width;         /* tokens of the tile: from group to group */
    int n_group, n;       /* n: tokens */
    int zero_shift;       /* start >> this is -zero * sum */
    bool is_first;        /* else out holds the sums so far */
    int n_rows;           /* that are there, 1..8 */
    float *out;
    size_t ld_out;
} tile_args;

INLINE __m256i broadcast4(const int8_t *q)
{
    int32_t v;
    memcpy(&v, q, sizeof v);
    return _mm256_set1_epi32(v);
}

/* sum[j] += the products of `steps` steps with token j. */
INLINE void add_steps(const int run, const int steps, const int n, const uint8_t *p,
                      const act_group *x, const int iq, __m256i *sum)
{
    const __m256i one = _mm256_set1_epi16(1);
    __m256i t[TOKENS];
    UNROLL
    for (int k = 0; k < steps; k++) {
        __m256i w = _mm256_load_si256((const __m256i *)(const void *)(p + 64 * k));
        __m256i size = run ? w : _mm256_abs_epi8(w);
        UNROLL
        for (int j = 0; j < n; j++) {
            __m256i xb = broadcast4(x[j].q + iq + 4 * k);
            if (!run) xb = _mm256_sign_epi8(xb, w);
            __m256i y = _mm256_maddubs_epi16(size, xb);
            t[j] = k % (run ? run : 1) ? _mm256_add_epi16(t[j], y) : y;
            __asm__("" : "+x"(t[j])); /* or gcc adds in trees, whose leaves it spills */
            if ((k + 1) % (run ? run : 1) == 0)
                sum[j] = _mm256_add_epi32(sum[j], _mm256_madd_epi16(t[j], one));
        }
    }
}

INLINE __m256i rows_mask(int n_rows)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n_rows), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

INLINE void tile(const int n_sub, const bool has_min, const int run, const int n,
                 const tile_args *t)
{
    const size_t group_bytes = 512 + (size_t)(n_sub * (has_min ? 2 : 1)) * 64;
    const __m256i mask = rows_mask(t->n_rows);
    const __m128i shift = _mm_cvtsi32_si128(t->zero_shift);
    const uint8_t *p = t->panel;
    const act_group *x = t->x;
    __m256 acc[TOKENS];
    UNROLL
    for (int j = 0; j < n; j++)
        acc[j] = t->is_first ? _mm256_setzero_ps()
                             : _mm256_maskload_ps(t->out + (size_t)j * t->ld_out, mask);
    for (int ig = 0; ig < t->n_group; ig++, x += t->width, p += group_bytes) {
        __m256 u[TOKENS];
        UNROLL
        for (int s = 0; s < n_sub; s++) {
            __m256i sum[TOKENS];
            UNROLL
            for (int j = 0; j < n; j++) {
                int32_t start = n_sub == 1 ? x[j].start_all : x[j].start[s];
                sum[j] = run && !has_min ? _mm256_sra_epi32(_mm256_set1_epi32(start), shift)
                                         : _mm256_setzero_si256();
            }
            if (n_sub == 2) {
                add_steps(run, 4, n, p + 256 * s, x, 16 * s, sum);
            } else {
                add_steps(run, 8, n, p, x, 0, sum);
            }
            __m256 d = _mm256_load_ps((const float *)(const void *)(p + 512 + 64 * s));
            UNROLL
            for (int j = 0; j < n; j++) {
                __m256 f = _mm256_cvtepi32_ps(sum[j]);
                u[j] = s == 0 ? _mm256_mul_ps(d, f) : _mm256_fmadd_ps(d, f, u[j]);
            }
        }
        UNROLL
        for (int s = 0; s < n_sub && has_min; s++) {
            __m256 m = _mm256_load_ps((const float *)(const void *)(p + 512 + 64 * (n_sub + s)));
            UNROLL
            for (int j = 0; j < n; j++) {
                float xsum = n_sub == 1 ? x[j].sum_all : act_half_sum(&x[j], s);
                u[j] = _mm256_fnmadd_ps(m, _mm256_set1_ps(xsum), u[j]);
            }
        }
        UNROLL
        for (int j = 0; j < n; j++) acc[j] = _mm256_fmadd_ps(_mm256_set1_ps(x[j].dx), u[j], acc[j]);
    }
    UNROLL
    for (int j = 0; j < n; j++) _mm256_maskstore_ps(t->out + (size_t)j * t->ld_out, mask, acc[j]);
}

typedef void tile_fn(const tile_args *t);
#define TILE(s, m, run)                                                                            \
    static void tile_##s##_##m##_##run(const tile_args *t)                                         \
    {                                                                                              \
        switch (t->n) {                                                                            \
        case 1: tile(s, m, run, 1, t); break;                                                      \
        case 2: tile(s, m, run, 2, t); break;                                                      \
        case 3: tile(s, m, run, 3, t); break;                                                      \
        default: tile(s, m, run, 4, t); break;                                                     \
        }                                                                                          \
    }
TILE(1, 0, 8)
TILE(1, 1, 8)
TILE(1, 0, 4)
TILE(1, 1, 4)
TILE(2, 0, 4)
TILE(2, 1, 4)
TILE(2, 0, 2)
TILE(1, 0, 0)
TILE(1, 1, 0)
TILE(2, 0, 0)
TILE(2, 1, 0)
#undef TILE

static tile_fn *tile_for(qtype type)
{
    const int run = forms[type].run, n_sub = qtypes[type].n_sub;
    const bool has_min = qtypes[type].has_min;
    if (run == 8) return has_min ? tile_1_1_8 : tile_1_0_8;
    if (run == 4 && n_sub == 1) return has_min ? tile_1_1_4 : tile_1_0_4;
    if (run == 4) return has_min ? tile_2_1_4 : tile_2_0_4;
    if (run == 2) return tile_2_0_2;
    if (n_sub == 1) return has_min ? tile_1_1_0 : tile_1_0_0;
    return has_min ? tile_2_1_0 : tile_2_0_0;
}

/* ---- all tiles ----------------------------------------------------------------------------- */

/* 8 rows from ir on, groups [ig0, ig1), against all tokens; a part of what comes is asked for with
 * each tile. */
static void rows_x_tokens(const gemm_args *a, int ir, int ig0, int ig1, ahead_parts *later)
{
    const size_t group_bytes = panel_group_bytes(a->type);
    const size_t panel_bytes = (size_t)(a->ig1 - a->ig0) * group_bytes;
    const int zero = forms[a->type].zero;
    tile_fn *fn = tile_for(a->type);
    tile_args t = { .n_group = ig1 - ig0,
                    .is_first = ig0 == 0,
                    .n_rows = a->n_rows - ir < 8 ? a->n_rows - ir : 8,
                    .ld_out = a->ld_out };
    for (int bit = 0; bit < 8; bit++)
        if (zero == 128 >> bit) t.zero_shift = bit;
    t.panel = (const uint8_t *)a->panels + (size_t)(ir / PANEL_ROWS) * panel_bytes
              + (size_t)(ig0 - a->ig0) * group_bytes + (size_t)(ir % PANEL_ROWS) * 4;
    for (int first = 0; first < a->n_tok; first += ACT_TILE) {
        int width = a->n_tok - first < ACT_TILE ? a->n_tok - first : ACT_TILE;
        const act_group *x = a->act + act_index(first, ig0, a->n_tok, a->n_group);
        t.width = (size_t)width;
        for (int it = 0; it < width; it += TOKENS) {
            t.n = width - it < TOKENS ? width - it : TOKENS;
            t.x = x + it;
            t.out = a->out + (size_t)(first + it) * a->ld_out + ir;
            fn(&t);
            prefetch_part(later);
        }
    }
}

static void gemm_i8(const gemm_args *a)
{
    const int n_slice = (a->ig1 - a->ig0 + GEMM_SLICE - 1) / GEMM_SLICE;
    const int n_tile = (a->n_rows + 7) / 8 * ((a->n_tok + TOKENS - 1) / TOKENS) * n_slice;
    ahead_parts later = ahead_in_parts(a->ahead, a->n_ahead, n_tile);
    for (int ig0 = a->ig0, ig1; ig0 < a->ig1; ig0 = ig1) {
        ig1 = gemm_slice_end(a, ig0);
        for (int ir = 0; ir < a->n_rows; ir += 8) rows_x_tokens(a, ir, ig0, ig1, &later);
    }
}

/* ---- peak ---------------------------------------------------------------------------------- */

/* The products of 8-bit codes need two instructions at least: multiply, and add in 16 bits. */
static double peak_i8(int64_t n)
{
    enum { CHAINS = 8, MACS = 32 };
    __m256i a[CHAINS], w = _mm256_set1_epi8(1), x = _mm256_set1_epi8(1);
    UNROLL
    for (int i = 0; i < CHAINS; i++) {
        a[i] = _mm256_setzero_si256();
        __asm__("" : "+x"(a[i])); /* chains the compiler can't see to be one */
    }
    for (int64_t r = 0; r < n; r++) {
        UNROLL
        for (int i = 0; i < CHAINS; i++) {
            __m256i y = _mm256_maddubs_epi16(w, x);
            __asm__("" : "+x"(y)); /* nor the products */
            a[i] = _mm256_add_epi16(a[i], y);
        }
        __asm__ volatile("" : "+x"(w), "+x"(x));
    }
    UNROLL
    for (int i = 0; i < CHAINS; i++) __asm__ volatile("" ::"x"(a[i]));
    return (double)n * CHAINS * MACS;
}

const lory_kernels kernels_avx2_quant = {
    .quant_act = quant_act,
    .panel_zero = panel_zero,
    .gemm_i8 = gemm_i8,
    .peak_i8 = peak_i8,
};
