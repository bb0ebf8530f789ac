/* avx512_quant.c - AVX-512 with VNNI: the integer matmul.
 * Layer: kernels.
 *
 * A panel's step is one vector: 4 codes of 16 rows. vpdpbusd multiplies it with 4 activations
 * broadcast to all rows, so sums stay in their rows and nothing is added across. Codes lie in the
 * panel as code + 128, unsigned; a sum begins at -128 * sum(activations), which takes the 128 off
 * exactly and costs nothing. A tile is 32 rows x 6 tokens (4 with two scales a group: registers).
 * A sum begins at the bits of 1.5 * 2^23 as well: then it is a float as it stands, and one fused
 * multiply-add scales it and takes that off again, rounding once: no conversion. So 8 vpdpbusd, one
 * multiply-add for the scale and one for the activations' bound it: 8/10 of the peak; a minimum or
 * a second scale (which still converts) makes it 8/11 or 8/12. */
#include "kernels/ahead.h"
#include "kernels/avx512_vec.h"
#include <immintrin.h>

enum {
    TILE_1 = 6,
    TILE_2 = 4,
    TILE_NARROW = 8 /* tokens: one scale, two; 16 rows */
};

/* ---- activations ---------------------------------------------------------------------------- */

/* 16 groups at once: what is across a group (the greatest, the sums, the fields) is then vectors of
 * 16 groups after a network of shuffles, 25 operations a group instead of 65. */
enum { ACT_RUN = 16 };
typedef struct {
    const float *x[ACT_RUN];
    act_group *g[ACT_RUN];
    int n; /* groups that are there */
} act_run;

INLINE __m512i unpack_max(__m512i a, __m512i b)
{
    return _mm512_max_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
}

/* max|x| of 4 groups in the dwords of each 128 bits, still to be joined. As integers, the bits of
 * |x| are in order, NaN above everything. */
INLINE __m512i max_of_4(const float *const *x)
{
    const __m512i magnitude = _mm512_set1_epi32(INT32_MAX);
    __m512i m[4];
    UNROLL
    for (int i = 0; i < 4; i++)
        m[i] = _mm512_max_epi32(_mm512_and_si512(_mm512_loadu_si512(x[i]), magnitude),
                                _mm512_and_si512(_mm512_loadu_si512(x[i] + 16), magnitude));
    __m512i ab = unpack_max(m[0], m[1]), cd = unpack_max(m[2], m[3]);
    return _mm512_max_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
}

INLINE __m512 max_of_16(const float *const *x)
{
    __m512i m[4];
    UNROLL
    for (int i = 0; i < 4; i++) m[i] = max_of_4(x + 4 * i);
    transpose_lanes(m);
    return _mm512_castsi512_ps(
        _mm512_max_epi32(_mm512_max_epi32(m[0], m[1]), _mm512_max_epi32(m[2], m[3])));
}

INLINE __m512i codes16(const float *x, float to_code)
{
    return _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(x), _mm512_set1_ps(to_code)));
}

/* Codes of two groups: packing saturates to -128 .. 127, where only NaN gives -128. */
INLINE __m512i codes_of_2(const float *const *x, const float *to_code)
{
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    __m512i a = _mm512_packs_epi32(codes16(x[0], to_code[0]), codes16(x[0] + 16, to_code[0]));
    __m512i b = _mm512_packs_epi32(codes16(x[1], to_code[1]), codes16(x[1] + 16, to_code[1]));
    __m512i q = _mm512_max_epi8(_mm512_packs_epi16(a, b), _mm512_set1_epi8(-127));
    return _mm512_permutexvar_epi32(order, q);
}

/* Codes of 8 groups, stored; returns the sums of the even ones' first halves, of their second, of
 * the odd ones' first and second. */
INLINE __m512i codes_of_8(const float *const *x, const float *to_code, act_group *const *g)
{
    __m512i sum[4];
    UNROLL
    for (int i = 0; i < 4; i++) {
        __m512i q = codes_of_2(x + 2 * i, to_code + 2 * i);
        _mm256_store_si256((__m256i *)(void *)g[2 * i]->q, _mm512_castsi512_si256(q));
        _mm256_store_si256((__m256i *)(void *)g[2 * i + 1]->q, _mm512_extracti64x4_epi64(q, 1));
        sum[i] = _mm512_dpbusd_epi32(_mm512_setzero_si512(), _mm512_set1_epi8(1), q);
    }
    return net_32_bits(sum[0], sum[1], sum[2], sum[3]);
}

/* f[field][group] to the groups' second halves. */
INLINE void store_fields(__m512i f[8], act_group *const *g)
{
    const __m512i low = _mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11);
    const __m512i high = _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15);
    transpose_dwords(f), transpose_dwords(f + 4); /* 128 bits l of f[i]: group 4l + i */
    UNROLL
    for (int i = 0; i < 4; i++) {
        __m512i a = _mm512_permutex2var_epi64(f[i], low, f[i + 4]);
        __m512i b = _mm512_permutex2var_epi64(f[i], high, f[i + 4]);
        _mm256_store_si256((__m256i *)(void *)&g[i]->dx, _mm512_castsi512_si256(a));
        _mm256_store_si256((__m256i *)(void *)&g[i + 4]->dx, _mm512_extracti64x4_epi64(a, 1));
        _mm256_store_si256((__m256i *)(void *)&g[i + 8]->dx, _mm512_castsi512_si256(b));
        _mm256_store_si256((__m256i *)(void *)&g[i + 12]->dx, _mm512_extracti64x4_epi64(b, 1));
    }
}

/* All 16 groups; a run that is shorter repeats its first one. */
static void quant_run(act_run *r)
{
    for (int i = r->n; i < ACT_RUN; i++) r->x[i] = r->x[0], r->g[i] = r->g[0];
    const __m512 m = max_of_16(r->x);
    const __mmask16 some = _mm512_cmp_ps_mask(m, _mm512_set1_ps(0x1p-100f), _CMP_NLT_UQ);
    float to_code[ACT_RUN];
    _mm512_storeu_ps(to_code, _mm512_maskz_div_ps(some, _mm512_set1_ps(127.0f), m));
    const __m512i even = codes_of_8(r->x, to_code, r->g);
    const __m512i odd = codes_of_8(r->x + 8, to_code + 8, r->g + 8);
    const __m512i first =
        _mm512_setr_epi32(0, 8, 1, 9, 2, 10, 3, 11, 16, 24, 17, 25, 18, 26, 19, 27);
    const __m512i zero = _mm512_setzero_si512(), magic = _mm512_set1_epi32(ACT_MAGIC_BITS);
    __m512i s0 = _mm512_permutex2var_epi32(even, first, odd);
    __m512i s1 =
        _mm512_permutex2var_epi32(even, _mm512_add_epi32(first, _mm512_set1_epi32(4)), odd);
    __m512i all = _mm512_add_epi32(s0, s1);
    __m512i f[8] = {
        _mm512_castps_si512(_mm512_maskz_div_ps(some, m, _mm512_set1_ps(127.0f))),
        _mm512_castps_si512(_mm512_cvtepi32_ps(all)),
        _mm512_castps_si512(_mm512_cvtepi32_ps(s0)),
        _mm512_sub_epi32(zero, _mm512_slli_epi32(all, 7)),
        _mm512_sub_epi32(zero, _mm512_slli_epi32(s0, 7)),
        _mm512_sub_epi32(zero, _mm512_slli_epi32(s1, 7)),
        _mm512_maskz_sub_epi32(some, magic, _mm512_slli_epi32(all, 7)),
        _mm512_maskz_sub_epi32(some, magic, _mm512_slli_epi32(s0, 7)),
    };
    store_fields(f, r->g);
}

static void quant_act(const act_args *a)
{
    act_run r = { .n = 0 };
    for (int it = a->it0; it < a->it1; it++) {
        const size_t first = act_index(it, 0, a->n_tok, a->n_group);
        const size_t step = a->n_group > 1 ? act_index(it, 1, a->n_tok, a->n_group) - first : 0;
        for (int ig = a->ig0; ig < a->ig1; ig++) {
            r.x[r.n] = a->x + (size_t)it * a->ld_x + (size_t)ig * QT_GROUP;
            r.g[r.n] = a->act + first + (size_t)ig * step;
            if (++r.n < ACT_RUN) continue;
            quant_run(&r);
            r.n = 0;
        }
    }
    if (r.n > 0) quant_run(&r);
}

/* ---- one tile ------------------------------------------------------------------------------ */

/* Panels side by side against some tokens of one tile of activations. */
typedef struct {
    const uint8_t *panel; /* the first one, at its first group */
    size_t panel_bytes;   /* from panel to panel */
    const act_group *x;   /* the first token, at the first group */
    size_t width;         /* tokens of the tile: from group to group */
    const uint8_t *ahead;   /* asked for: a line with each group, */
    size_t step;            /* or as many as lie in so many bytes */
    int n_group;
    bool is_first;  /* else out holds the sums so far */
    __mmask16 last; /* rows of the last panel that are there */
    float *out;
    size_t ld_out;
} tile_args;

INLINE __m512i broadcast4(const int8_t *q)
{
    int32_t v;
    memcpy(&v, q, sizeof v);
    return _mm512_set1_epi32(v);
}

/* Adds the products of step k: the panels' codes at p, activations x. */
INLINE void add_step(const int rv, const int n, const int k, const uint8_t *p, size_t panel_bytes,
                     const act_group *x, __m512i a[2][TILE_NARROW])
{
    __m512i w[2];
    UNROLL
    for (int v = 0; v < rv; v++) w[v] = _mm512_load_si512(p + (size_t)v * panel_bytes + 64 * k);
    UNROLL
    for (int j = 0; j < n; j++) {
        __m512i xb = broadcast4(x[j].q + 4 * k);
        UNROLL
        for (int v = 0; v < rv; v++) a[v][j] = _mm512_dpbusd_epi32(a[v][j], w[v], xb);
    }
}

INLINE void start_at(const int rv, const int n, const act_group *x, const size_t field,
                     __m512i a[2][TILE_NARROW])
{
    UNROLL
    for (int j = 0; j < n; j++) {
        a[0][j] = broadcast4((const int8_t *)&x[j] + field);
        if (rv == 2) a[1][j] = a[0][j];
    }
}

/* One group: acc[v][j] += its scaled sums. exact: see tile(). Two things keep the multipliers busy:
 * the steps of two halves alternate, since a sum waits 5 clocks for its last product, and the
 * scales are ready before the last step, since what comes later waits behind its products. */
INLINE void group(const int n_sub, const bool has_min, const bool exact, const int rv, const int n,
                  const uint8_t *p, size_t panel_bytes, const act_group *x,
                  __m512 acc[2][TILE_NARROW])
{
    enum { Q = QT_GROUP * PANEL_ROWS };
    const int n_step = QT_GROUP / 4 / n_sub, last = n_step - 1; /* of a sum */
    const size_t all = exact ? offsetof(act_group, start_all) : offsetof(act_group, magic_all);
    const size_t half = exact ? offsetof(act_group, start) : offsetof(act_group, magic_0);
    const uint8_t *at[2] = { p + Q, p + panel_bytes + Q }; /* scales, then minimums */
    __m512i a[2][TILE_NARROW], b[2][TILE_NARROW];
    __m512 d[2], dm[2], u[2][TILE_NARROW];
    start_at(rv, n, x, n_sub == 1 ? all : half, a);
    if (n_sub == 2) start_at(rv, n, x, offsetof(act_group, start) + sizeof x->start[0], b);
    UNROLL
    for (int k = 0; k < last; k++) {
        add_step(rv, n, k, p, panel_bytes, x, a);
        if (n_sub == 2) add_step(rv, n, n_step + k, p, panel_bytes, x, b);
    }
    UNROLL
    for (int v = 0; v < rv; v++) {
        d[v] = _mm512_load_ps(at[v]);
        dm[v] = _mm512_mul_ps(d[v], _mm512_set1_ps(-ACT_MAGIC));
    }
    add_step(rv, n, last, p, panel_bytes, x, a);
    if (n_sub == 2) add_step(rv, n, n_step + last, p, panel_bytes, x, b);
    UNROLL
    for (int j = 0; j < n; j++) {
        UNROLL
        for (int v = 0; v < rv; v++)
            u[v][j] = exact ? _mm512_mul_ps(d[v], _mm512_cvtepi32_ps(a[v][j]))
                            : _mm512_fmadd_ps(d[v], _mm512_castsi512_ps(a[v][j]), dm[v]);
        UNROLL
        for (int v = 0; v < rv && n_sub == 2; v++)
            u[v][j] =
                _mm512_fmadd_ps(_mm512_load_ps(at[v] + 64), _mm512_cvtepi32_ps(b[v][j]), u[v][j]);
    }
    UNROLL
    for (int j = 0; j < n && has_min; j++) {
        UNROLL
        for (int s = 0; s < n_sub; s++) {
            const float xsum = n_sub == 1 ? x[j].sum_all : act_half_sum(&x[j], s);
            UNROLL
            for (int v = 0; v < rv; v++)
                u[v][j] = _mm512_fnmadd_ps(_mm512_load_ps(at[v] + 64 * (n_sub + s)),
                                           _mm512_set1_ps(xsum), u[v][j]);
        }
    }
    UNROLL
    for (int j = 0; j < n; j++) {
        UNROLL
        for (int v = 0; v < rv; v++)
            acc[v][j] = _mm512_fmadd_ps(_mm512_set1_ps(x[j].dx), u[v][j], acc[v][j]);
    }
}

/* rv panels x n tokens, in registers: rv * n sums twice (thrice for two scales). False, and
 * nothing written, when not exact and a result may differ: fma(d, 1.5 * 2^23 + isum, -1.5 * 2^23 d)
 * is d * isum rounded once, since the last product is exact (scales have fewer than 23 bits);
 * only an infinite or overflowing one gives a NaN, and a zero may have lost its sign. */
INLINE bool tile(const int n_sub, const bool has_min, const bool exact, const int rv, const int n,
                 const tile_args *t)
{
    const size_t group_bytes =
        QT_GROUP * PANEL_ROWS + (size_t)(n_sub * (has_min ? 2 : 1)) * PANEL_ROWS * sizeof(float);
    const uint8_t *p = t->panel;
    const act_group *x = t->x;
    const uint8_t *line = t->ahead;
    __mmask16 fine[2] = { rv == 1 ? t->last : 0xffff, t->last };
    __m512 acc[2][TILE_NARROW];
    UNROLL
    for (int v = 0; v < rv; v++) {
        UNROLL
        for (int j = 0; j < n; j++) {
            acc[v][j] = _mm512_setzero_ps();
            if (!t->is_first)
                acc[v][j] = _mm512_maskz_loadu_ps(fine[v], t->out + (size_t)j * t->ld_out + 16 * v);
        }
    }
    for (int ig = 0; ig < t->n_group; ig++, x += t->width, p += group_bytes) {
        __builtin_prefetch(line, 0, 2);
        for (size_t i = AHEAD_LINE; i < t->step; i += AHEAD_LINE)
            __builtin_prefetch(line + i, 0, 2);
        line += t->step;
        group(n_sub, has_min, exact, rv, n, p, t->panel_bytes, x, acc);
    }
    __mmask16 sure[2] = { fine[0], fine[1] };
    UNROLL
    for (int v = 0; v < rv && !exact; v++) {
        UNROLL
        for (int j = 0; j < n; j++)
            sure[v] = _mm512_mask_cmp_ps_mask(sure[v], acc[v][j], _mm512_setzero_ps(),
                                              _CMP_NEQ_OQ);
    }
    if (sure[0] != fine[0] || (rv == 2 && sure[1] != fine[1])) return false;
    UNROLL
    for (int v = 0; v < rv; v++) {
        UNROLL
        for (int j = 0; j < n; j++)
            _mm512_mask_storeu_ps(t->out + (size_t)j * t->ld_out + 16 * v, fine[v], acc[v][j]);
    }
    return true;
}

typedef bool tile_fn(const tile_args *t);
#define TILE(s, m, rv, n)                                                                          \
    static bool tile_##s##_##m##_##rv##_##n(const tile_args *t)                                    \
    {                                                                                              \
        return tile(s, m, false, rv, n, t);                                                        \
    }
#define TILES_4(s, m, rv) TILE(s, m, rv, 1) TILE(s, m, rv, 2) TILE(s, m, rv, 3) TILE(s, m, rv, 4)
#define TILES_6(s, m, rv) TILES_4(s, m, rv) TILE(s, m, rv, 5) TILE(s, m, rv, 6)
#define TILES_8(s, m, rv) TILES_6(s, m, rv) TILE(s, m, rv, 7) TILE(s, m, rv, 8)
#define EXACT(s, m)                                                                                \
    static bool exact_##s##_##m(const tile_args *t)                                                \
    {                                                                                              \
        return tile(s, m, true, 1, 1, t);                                                          \
    }
TILES_8(1, 0, 1)
TILES_6(1, 0, 2)
TILES_8(1, 1, 1)
TILES_6(1, 1, 2)
TILES_8(2, 0, 1)
TILES_4(2, 0, 2)
TILES_8(2, 1, 1)
TILES_4(2, 1, 2)
EXACT(1, 0)
EXACT(1, 1)
EXACT(2, 0)
EXACT(2, 1)
#define ROW_4(s, m, rv)                                                                            \
    tile_##s##_##m##_##rv##_1, tile_##s##_##m##_##rv##_2, tile_##s##_##m##_##rv##_3,               \
        tile_##s##_##m##_##rv##_4
#define ROW_6(s, m, rv) ROW_4(s, m, rv), tile_##s##_##m##_##rv##_5, tile_##s##_##m##_##rv##_6
#define ROW_8(s, m, rv) ROW_6(s, m, rv), tile_##s##_##m##_##rv##_7, tile_##s##_##m##_##rv##_8

/* [n_sub - 1][has_min][panels - 1][tokens - 1] */
static tile_fn *const tiles[2][2][2][TILE_NARROW] = {
    { { { ROW_8(1, 0, 1) }, { ROW_6(1, 0, 2) } }, { { ROW_8(1, 1, 1) }, { ROW_6(1, 1, 2) } } },
    { { { ROW_8(2, 0, 1) }, { ROW_4(2, 0, 2) } }, { { ROW_8(2, 1, 1) }, { ROW_4(2, 1, 2) } } },
};
static tile_fn *const exact_tiles[2][2] = { { exact_1_0, exact_1_1 }, { exact_2_0, exact_2_1 } };

/* ---- all tiles ----------------------------------------------------------------------------- */

static uint8_t panel_zero(qtype type)
{
    (void)type;
    return 128;
}

/* The same tile one panel and one token at a time, without the trick. */
static void tile_exactly(const qtype_row *type, int rv, int n, tile_args t)
{
    tile_fn *fn = exact_tiles[type->n_sub - 1][type->has_min];
    const __mmask16 last = t.last;
    for (int v = 0; v < rv; v++, t.panel += t.panel_bytes) {
        t.last = v == rv - 1 ? last : 0xffff;
        for (int j = 0; j < n; j++) {
            tile_args one = t;
            one.x += j;
            one.out += (size_t)j * t.ld_out + (size_t)v * PANEL_ROWS;
            fn(&one);
        }
    }
}

/* Bytes to be asked for: `each` with each group of each run of a tile, until none is left. */
typedef struct {
    const uint8_t *at;
    size_t left, each;
} soon;

static int n_tokens_max(const qtype_row *type, int rv)
{
    return rv == 1 ? TILE_NARROW : type->n_sub == 1 ? TILE_1 : TILE_2;
}

/* Runs of at most n_max (4 at least) tokens that a tile's width is cut into: without a division,
 * which takes as long as a third of a group. */
static int n_runs(int width, int n_max)
{
    return (width > 0) + (width > n_max) + (width > 2 * n_max);
}
/* Tokens of the next of n runs, nearly equal, of which n_tok are left. */
static int run_tokens(int n_tok, int n)
{
    return n == 1 ? n_tok : n == 2 ? (n_tok + 1) / 2 : (n_tok + 2) / 3;
}
_Static_assert(ACT_TILE <= 3 * TILE_2, "three runs at most");

/* a->ahead, spread evenly over the runs of all tiles. */
static soon soon_of(const gemm_args *a)
{
    const int n_max = n_tokens_max(&qtypes[a->type], a->n_rows > PANEL_ROWS ? 2 : 1);
    const int n_run = a->n_tok / ACT_TILE * n_runs(ACT_TILE, n_max)
                      + n_runs(a->n_tok % ACT_TILE, n_max);
    const int n = (a->n_rows + 2 * PANEL_ROWS - 1) / (2 * PANEL_ROWS) * n_run * (a->ig1 - a->ig0);
    const int n_line = (int)(a->n_ahead / AHEAD_LINE) / n + 1;
    return (soon){ a->ahead, a->n_ahead, (size_t)n_line * AHEAD_LINE };
}

/* A run's part; when none is left, what the run has at hand. */
static void take_soon(soon *s, tile_args *t)
{
    const size_t n = s->each * (size_t)t->n_group;
    t->ahead = (const uint8_t *)t->x;
    t->step = 0;
    if (s->left == 0) return;
    t->ahead = s->at;
    t->step = s->each;
    s->at += n;
    s->left -= s->left < n ? s->left : n;
}

/* rv panels from row ir on, groups [ig0, ig1), against all tokens. Meanwhile each run of a tile
 * asks for its part of what lies there for the tokens that come next, 12 runs for all of it, or of
 * what is read soon. */
static void panels_x_tokens(const gemm_args *a, int ir, int rv, int ig0, int ig1, soon *later)
{
    const qtype_row *type = &qtypes[a->type];
    const size_t group_bytes = panel_group_bytes(a->type);
    const int n_max = n_tokens_max(type, rv);
    const int rows = a->n_rows - ir - PANEL_ROWS * (rv - 1);
    tile_fn *const *fn = tiles[type->n_sub - 1][type->has_min][rv - 1];
    tile_args t = { .panel_bytes = (size_t)(a->ig1 - a->ig0) * group_bytes,
                    .width = ACT_TILE,
                    .n_group = ig1 - ig0,
                    .is_first = ig0 == 0,
                    .last = rows >= PANEL_ROWS ? 0xffff : (__mmask16)((1u << rows) - 1),
                    .ld_out = a->ld_out };
    t.panel = (const uint8_t *)a->panels + (size_t)(ir / PANEL_ROWS) * t.panel_bytes
              + (size_t)(ig0 - a->ig0) * group_bytes;
    for (int first = 0; first < a->n_tok; first += ACT_TILE) {
        if (a->n_tok - first < ACT_TILE) t.width = (size_t)(a->n_tok - first);
        const size_t at = act_index(first, ig0, a->n_tok, a->n_group);
        const act_group *x = a->act + at;
        const int width = (int)t.width;
        int n_left = n_runs(width, n_max);
        int run = a->next ? ir / (2 * PANEL_ROWS) * n_left : ACT_TILE;
        for (int it = 0, n; it < width; it += n, n_left--, run++) {
            n = run_tokens(width - it, n_left);
            t.x = x + it;
            if (run < ACT_TILE) {
                t.ahead = (const uint8_t *)(a->next + at + run * t.n_group);
                t.step = sizeof *a->next;
            } else {
                take_soon(later, &t);
            }
            t.out = a->out + (size_t)(first + it) * a->ld_out + ir;
            if (!fn[n - 1](&t)) tile_exactly(type, rv, n, t);
        }
    }
}

static void gemm_i8(const gemm_args *a)
{
    soon later = soon_of(a);
    for (int ig0 = a->ig0, ig1; ig0 < a->ig1; ig0 = ig1) {
        ig1 = gemm_slice_end(a, ig0);
        for (int ir = 0, rv; ir < a->n_rows; ir += rv * PANEL_ROWS) {
            rv = a->n_rows - ir > PANEL_ROWS ? 2 : 1;
            panels_x_tokens(a, ir, rv, ig0, ig1, &later);
        }
    }
}

/* ---- peak ---------------------------------------------------------------------------------- */

static double peak_i8(int64_t n)
{
    enum { CHAINS = 16, MACS = 64 };
    __m512i a[CHAINS], w = _mm512_set1_epi8(1), x = _mm512_set1_epi8(1);
    UNROLL
    for (int i = 0; i < CHAINS; i++) {
        a[i] = _mm512_setzero_si512();
        __asm__("" : "+v"(a[i])); /* chains the compiler can't see to be one */
    }
    for (int64_t r = 0; r < n; r++) {
        UNROLL
        for (int i = 0; i < CHAINS; i++) a[i] = _mm512_dpbusd_epi32(a[i], w, x);
        __asm__ volatile("" : "+v"(w), "+v"(x));
    }
    UNROLL
    for (int i = 0; i < CHAINS; i++) __asm__ volatile("" ::"v"(a[i]));
    return (double)n * CHAINS * MACS;
}

const lory_kernels kernels_avx512_quant = {
    .quant_act = quant_act,
    .panel_zero = panel_zero,
    .gemm_i8 = gemm_i8,
    .peak_i8 = peak_i8,
};
