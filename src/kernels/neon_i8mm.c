/* neon_i8mm.c - the integer matmul of several tokens with smmla (ARMv8.6 i8mm), 32 products an
 * instruction.
 * Layer: kernels.
 *
 * smmla takes 8 codes of two tokens and of two rows and adds to their four sums. Rows lie so after
 * pair_rows; tokens are copied so, some at a time, once for all rows. Sums and results stay in that
 * order, lanes (t0 r0) (t0 r1) (t1 r0) (t1 r1), through all groups: of two rows' scales two copies
 * side by side serve, and only results are sorted into rows. A tile is 8 rows x 6 tokens, 12
 * registers of sums and 12 of results; with two scales a group 8 x 4.
 *
 * A sum begins at the bits of the float 1.5 * 2^23 (see act_group): it then ends as those of
 * 1.5 * 2^23 + isum, and one subtraction, which is exact, makes the float: Neoverse cores issue a
 * conversion of four as two operations of half of their pipes. */
#include "kernels/ahead.h"
#include "kernels/neon.h"
#include <arm_neon.h>

enum {
    TILE_ROWS = 8,
    TILE_1 = 3, /* pairs of tokens: one scale a group, two */
    TILE_2 = 2,
    BLOCK_TOK = 2 * ACT_TILE, /* tokens copied at a time */
    BLOCK_PAIRS = BLOCK_TOK / 2,
    ROW_PAIRS = TILE_ROWS / 2
};
_Static_assert(BLOCK_PAIRS % TILE_1 == 0 && BLOCK_PAIRS % TILE_2 == 0, "whole tiles");

/* A group of n pairs of tokens (an odd last one is its own neighbour), n * PAIR_VECTORS vectors:
 *   int8_t q[4][n][2][8]
 *   float dx[n][4]         t0 t0 t1 t1
 *   float sum[2][n][4]     what minimums take, likewise: of all codes, or of both halves */
typedef int8x16_t pairs;
enum { PAIR_DX = 4, PAIR_SUM = 5, PAIR_VECTORS = 7 };

/* ---- rows and tokens side by side ------------------------------------------------------------ */

static void pair_rows(qtype type, int n_group, void *panel)
{
    const size_t group_bytes = panel_group_bytes(type);
    uint8_t *p = panel;
    for (int ig = 0; ig < n_group; ig++, p += group_bytes) {
        for (uint8_t *q = p; q < p + QT_GROUP * PANEL_ROWS; q += 8 * PANEL_ROWS) {
            uint32x4_t w[8];
            UNROLL
            for (int i = 0; i < 8; i++) w[i] = vreinterpretq_u32_u8(vld1q_u8(q + 16 * i));
            UNROLL
            for (int i = 0; i < 4; i++) {
                vst1q_u8(q + 32 * i, vreinterpretq_u8_u32(vzip1q_u32(w[i], w[4 + i])));
                vst1q_u8(q + 32 * i + 16, vreinterpretq_u8_u32(vzip2q_u32(w[i], w[4 + i])));
            }
        }
    }
}

INLINE pairs pair_up(float a, float b)
{
    return vreinterpretq_s8_f32(vcombine_f32(vdup_n_f32(a), vdup_n_f32(b)));
}

/* As pair `to` of n; n_min: the sums wanted. */
INLINE void pair_group(const int n_min, const act_group *a, const act_group *b, int n, pairs *to)
{
    UNROLL
    for (int j = 0; j < 2; j++) {
        int64x2_t x = vreinterpretq_s64_s8(vld1q_s8(a->q + 16 * j));
        int64x2_t y = vreinterpretq_s64_s8(vld1q_s8(b->q + 16 * j));
        to[2 * j * n] = vreinterpretq_s8_s64(vzip1q_s64(x, y));
        to[(2 * j + 1) * n] = vreinterpretq_s8_s64(vzip2q_s64(x, y));
    }
    to[PAIR_DX * n] = pair_up(a->dx, b->dx);
    if (n_min == 1) to[PAIR_SUM * n] = pair_up(a->sum_all, b->sum_all);
    UNROLL
    for (int s = 0; s < n_min && n_min == 2; s++)
        to[(PAIR_SUM + s) * n] = pair_up(act_half_sum(a, s), act_half_sum(b, s));
}

/* Some tokens of a block, all groups of a slice. */
typedef struct {
    pairs *x;
    int it, n_tok; /* which, how many */
} token_run;

typedef struct {
    pairs *x; /* room for GEMM_MOST groups of BLOCK_PAIRS */
    int n_run;
    token_run run[BLOCK_PAIRS];
} token_block;

INLINE void pair_run(const int n_min, const gemm_args *a, int ig0, int ig1, const token_run *r)
{
    const int n_pair = (r->n_tok + 1) / 2;
    for (int j = 0; j < n_pair; j++) {
        const int it = r->it + 2 * j, left = a->n_tok - it / ACT_TILE * ACT_TILE;
        const act_group *x = a->act + act_index(it, ig0, a->n_tok, a->n_group);
        const act_group *y = 2 * j + 1 < r->n_tok ? x + 1 : x;
        const int width = left < ACT_TILE ? left : ACT_TILE;
        pairs *to = r->x + j;
        for (int ig = ig0; ig < ig1; ig++, x += width, y += width, to += PAIR_VECTORS * n_pair)
            pair_group(n_min, x, y, n_pair, to);
    }
}

/* Tokens from `it` on, groups [ig0, ig1), in nearly equal runs of at most a tile's. */
static void pair_block(const gemm_args *a, int it, int ig0, int ig1, token_block *b)
{
    const qtype_row *type = &qtypes[a->type];
    const int most = type->n_sub == 1 ? TILE_1 : TILE_2;
    const int end = a->n_tok - it < BLOCK_TOK ? a->n_tok : it + BLOCK_TOK;
    const int n_pair = (end - it + 1) / 2;
    pairs *x = b->x;
    b->n_run = (n_pair + most - 1) / most;
    for (int i = 0, first = 0; i < b->n_run; i++) {
        const int last = n_pair * (i + 1) / b->n_run, n = 2 * (last - first);
        token_run *r = &b->run[i];
        *r = (token_run){ x, it, end - it < n ? end - it : n };
        if (!type->has_min)
            pair_run(0, a, ig0, ig1, r);
        else if (type->n_sub == 1)
            pair_run(1, a, ig0, ig1, r);
        else
            pair_run(2, a, ig0, ig1, r);
        x += (last - first) * (ig1 - ig0) * PAIR_VECTORS;
        it += n, first = last;
    }
}

/* ---- one tile -------------------------------------------------------------------------------- */

typedef struct {
    const uint8_t *q; /* the codes of its 8 rows, at the first group */
    const float *d;   /* their scales, then minimums, PANEL_ROWS apart */
    size_t group_bytes;
    const pairs *x; /* of its groups */
    int n_group, n_tok;
    bool is_first; /* else out holds the sums so far */
    float *out;
    size_t ld_out;
} tile_args;

INLINE float32x4_t low_pairs(float32x4_t a, float32x4_t b)
{
    return vreinterpretq_f32_f64(vzip1q_f64(vreinterpretq_f64_f32(a), vreinterpretq_f64_f32(b)));
}
INLINE float32x4_t high_pairs(float32x4_t a, float32x4_t b)
{
    return vreinterpretq_f32_f64(vzip2q_f64(vreinterpretq_f64_f32(a), vreinterpretq_f64_f32(b)));
}

/* Of 8 numbers of rows, those of each two twice. */
INLINE void row_pairs(const float *p, float32x4_t v[ROW_PAIRS])
{
    UNROLL
    for (int i = 0; i < ROW_PAIRS; i += 2) {
        v[i + 1] = vld1q_f32(p + 2 * i);
        v[i] = low_pairs(v[i + 1], v[i + 1]);
        v[i + 1] = high_pairs(v[i + 1], v[i + 1]);
    }
}

/* Loaded here, side by side: put off to their first use, loads are not joined in pairs. */
INLINE void keep(const int n, int8x16_t *v)
{
    if (n == 2) __asm__ volatile("" : "+w"(v[0]), "+w"(v[1]));
    if (n == 3) __asm__ volatile("" : "+w"(v[0]), "+w"(v[1]), "+w"(v[2]));
    if (n == 4) __asm__ volatile("" : "+w"(v[0]), "+w"(v[1]), "+w"(v[2]), "+w"(v[3]));
}

/* The sums of steps [k0, k1) of a group, as floats. */
INLINE void add_steps(const int k0, const int k1, const int n, const uint8_t *q, const pairs *x,
                      float32x4_t u[ROW_PAIRS][TILE_1])
{
    float32x4_t magic = vdupq_n_f32(ACT_MAGIC);
    __asm__("" : "+w"(magic)); /* one register for both of its uses */
    int32x4_t s[ROW_PAIRS][TILE_1];
    UNROLL
    for (int j = 0; j < n; j++) {
        UNROLL
        for (int i = 0; i < ROW_PAIRS; i++) s[i][j] = vreinterpretq_s32_f32(magic);
    }
    UNROLL
    for (int k = k0; k < k1; k++) {
        int8x16_t w[ROW_PAIRS], xv[TILE_1];
        UNROLL
        for (int i = 0; i < ROW_PAIRS; i++)
            w[i] = vreinterpretq_s8_u8(vld1q_u8(q + 8 * PANEL_ROWS * k + 16 * i));
        UNROLL
        for (int j = 0; j < n; j++) xv[j] = x[k * n + j];
        keep(ROW_PAIRS, w), keep(n, xv);
        UNROLL
        for (int j = 0; j < n; j++) {
            UNROLL
            for (int i = 0; i < ROW_PAIRS; i++) s[i][j] = vmmlaq_s32(s[i][j], xv[j], w[i]);
        }
    }
    UNROLL
    for (int j = 0; j < n; j++) {
        UNROLL
        for (int i = 0; i < ROW_PAIRS; i++)
            u[i][j] = vsubq_f32(vreinterpretq_f32_s32(s[i][j]), magic);
    }
}

/* acc += one group of n pairs of tokens. */
INLINE void group(const int n_sub, const bool has_min, const int n, const uint8_t *q,
                  const float *scale, const pairs *x, float32x4_t acc[ROW_PAIRS][TILE_1])
{
    const float *min = scale + n_sub * PANEL_ROWS;
    float32x4_t u[ROW_PAIRS][TILE_1], f[ROW_PAIRS][TILE_1], d[ROW_PAIRS];
    UNROLL
    for (int s = 0; s < n_sub; s++) {
        add_steps(s * 2, n_sub == 1 ? 4 : s * 2 + 2, n, q, x, f);
        row_pairs(scale + s * PANEL_ROWS, d);
        UNROLL
        for (int j = 0; j < n; j++) {
            UNROLL
            for (int i = 0; i < ROW_PAIRS; i++)
                u[i][j] = s == 0 ? vmulq_f32(d[i], f[i][j]) : vfmaq_f32(u[i][j], d[i], f[i][j]);
        }
    }
    UNROLL
    for (int s = 0; s < n_sub && has_min; s++) {
        row_pairs(min + s * PANEL_ROWS, d);
        UNROLL
        for (int j = 0; j < n; j++) {
            const float32x4_t sum = vreinterpretq_f32_s8(x[(PAIR_SUM + s) * n + j]);
            UNROLL
            for (int i = 0; i < ROW_PAIRS; i++) u[i][j] = vfmsq_f32(u[i][j], d[i], sum);
        }
    }
    UNROLL
    for (int j = 0; j < n; j++) {
        const float32x4_t dx = vreinterpretq_f32_s8(x[PAIR_DX * n + j]);
        UNROLL
        for (int i = 0; i < ROW_PAIRS; i++) acc[i][j] = vfmaq_f32(acc[i][j], dx, u[i][j]);
    }
}

INLINE void tile(const int n_sub, const bool has_min, const int n, const tile_args *t)
{
    const uint8_t *q = t->q;
    const float *d = t->d;
    const pairs *x = t->x;
    float32x4_t acc[ROW_PAIRS][TILE_1];
    UNROLL
    for (int j = 0; j < n; j++) {
        const float *a = t->out + (size_t)(2 * j) * t->ld_out;
        const float *b = 2 * j + 1 < t->n_tok ? a + t->ld_out : a;
        UNROLL
        for (int i = 0; i < ROW_PAIRS; i += 2) {
            const float32x4_t zero = vdupq_n_f32(0.0f);
            const float32x4_t va = t->is_first ? zero : vld1q_f32(a + 2 * i);
            const float32x4_t vb = t->is_first ? zero : vld1q_f32(b + 2 * i);
            acc[i][j] = low_pairs(va, vb), acc[i + 1][j] = high_pairs(va, vb);
        }
    }
    for (int ig = 0; ig < t->n_group; ig++) {
        group(n_sub, has_min, n, q, d, x, acc);
        q += t->group_bytes, d += t->group_bytes / sizeof *d, x += PAIR_VECTORS * n;
    }
    UNROLL
    for (int j = 0; j < n; j++) {
        float *a = t->out + (size_t)(2 * j) * t->ld_out;
        float *b = 2 * j + 1 < t->n_tok ? a + t->ld_out : a;
        UNROLL
        for (int i = 0; i < ROW_PAIRS; i += 2) {
            vst1q_f32(a + 2 * i, low_pairs(acc[i][j], acc[i + 1][j]));
            vst1q_f32(b + 2 * i, high_pairs(acc[i][j], acc[i + 1][j]));
        }
    }
}

typedef void tile_fn(const tile_args *t);
#define TILE(s, m, n)                                                                              \
    static void tile_##s##_##m##_##n(const tile_args *t)                                           \
    {                                                                                              \
        tile(s, m, n, t);                                                                          \
    }
TILE(1, 0, 1)
TILE(1, 0, 2)
TILE(1, 0, 3)
TILE(1, 1, 1)
TILE(1, 1, 2)
TILE(1, 1, 3)
TILE(2, 0, 1)
TILE(2, 0, 2)
TILE(2, 1, 1)
TILE(2, 1, 2)

/* [n_sub - 1][has_min][pairs - 1] */
static tile_fn *const tiles[2][2][TILE_1] = {
    { { tile_1_0_1, tile_1_0_2, tile_1_0_3 }, { tile_1_1_1, tile_1_1_2, tile_1_1_3 } },
    { { tile_2_0_1, tile_2_0_2 }, { tile_2_1_1, tile_2_1_2 } },
};

/* A tile of which only n_rows rows are there: by way of one that has all. */
static void tile_of_some(tile_fn *fn, int n_rows, const tile_args *t)
{
    float rows[2 * TILE_1 * TILE_ROWS] = { 0 };
    tile_args all = *t;
    all.out = rows, all.ld_out = TILE_ROWS;
    for (int j = 0; j < t->n_tok && !t->is_first; j++)
        memcpy(rows + TILE_ROWS * j, t->out + (size_t)j * t->ld_out, (size_t)n_rows * sizeof *rows);
    fn(&all);
    for (int j = 0; j < t->n_tok; j++)
        memcpy(t->out + (size_t)j * t->ld_out, rows + TILE_ROWS * j, (size_t)n_rows * sizeof *rows);
}

/* ---- all tiles ------------------------------------------------------------------------------- */

/* Rows from `ir` on, groups [ig0, ig1), against a block; a part of what comes is asked for with
 * each tile. */
static void rows_x_block(const gemm_args *a, int ir, int ig0, int ig1, const token_block *b,
                         ahead_parts *later)
{
    const qtype_row *type = &qtypes[a->type];
    const int n_rows = a->n_rows - ir;
    const size_t half = (size_t)(ir % PANEL_ROWS);
    tile_args t = { .group_bytes = panel_group_bytes(a->type),
                    .n_group = ig1 - ig0,
                    .is_first = ig0 == 0,
                    .ld_out = a->ld_out };
    t.q = (const uint8_t *)a->panels
          + ((size_t)(ir / PANEL_ROWS) * (size_t)(a->ig1 - a->ig0) + (size_t)(ig0 - a->ig0))
                * t.group_bytes;
    t.d = (const float *)(const void *)(t.q + QT_GROUP * PANEL_ROWS) + half;
    t.q += half * 8;
    for (const token_run *r = b->run; r < b->run + b->n_run; r++) {
        tile_fn *fn = tiles[type->n_sub - 1][type->has_min][(r->n_tok - 1) / 2];
        t.x = r->x, t.n_tok = r->n_tok;
        t.out = a->out + (size_t)r->it * a->ld_out + ir;
        if (n_rows < TILE_ROWS)
            tile_of_some(fn, n_rows, &t);
        else
            fn(&t);
        prefetch_part(later);
    }
}

static void gemm_pairs(const gemm_args *a)
{
    const int most = qtypes[a->type].n_sub == 1 ? 2 * TILE_1 : 2 * TILE_2;
    const int n_slice = (a->ig1 - a->ig0 + GEMM_SLICE - 1) / GEMM_SLICE;
    const int n_tile = (a->n_rows + TILE_ROWS - 1) / TILE_ROWS * ((a->n_tok + most - 1) / most);
    ahead_parts later = ahead_in_parts(a->ahead, a->n_ahead, n_tile * n_slice);
    pairs x[GEMM_MOST * BLOCK_PAIRS * PAIR_VECTORS];
    token_block b = { .x = x };
    for (int ig0 = a->ig0, ig1; ig0 < a->ig1; ig0 = ig1) {
        ig1 = gemm_slice_end(a, ig0);
        for (int it = 0; it < a->n_tok; it += BLOCK_TOK) {
            pair_block(a, it, ig0, ig1, &b);
            for (int ir = 0; ir < a->n_rows; ir += TILE_ROWS)
                rows_x_block(a, ir, ig0, ig1, &b, &later);
        }
    }
}

/* Arithmetic of the tiles' own kind. */
static double peak_i8(int64_t n)
{
    enum { CHAINS = 16, MACS = 32 };
    int32x4_t a[CHAINS];
    int8x16_t w = vdupq_n_s8(1), x = vdupq_n_s8(1);
    UNROLL
    for (int i = 0; i < CHAINS; i++) {
        a[i] = vdupq_n_s32(0);
        __asm__("" : "+w"(a[i])); /* chains the compiler can't see to be one */
    }
    for (int64_t r = 0; r < n; r++) {
        UNROLL
        for (int i = 0; i < CHAINS; i++) a[i] = vmmlaq_s32(a[i], w, x);
        __asm__ volatile("" : "+w"(w), "+w"(x));
    }
    UNROLL
    for (int i = 0; i < CHAINS; i++) __asm__ volatile("" ::"w"(a[i]));
    return (double)n * CHAINS * MACS;
}

const lory_kernels kernels_neon_i8mm = { .pair_rows = pair_rows,
                                         .gemm_pairs = gemm_pairs,
                                         .peak_i8 = peak_i8 };
