/* float_panels.h - the float matmul of many tokens: rows in lanes.
 * Layer: kernels. Not a header by itself, see float_lanes.h for v16 and P_VECTORS x P_TOK.
 *
 * An output is 16 sums, of the elements k = j mod 16, which fold at the end. When each lane of a
 * vector is a row, the 16 sums are vectors that come one after the other, and folding them is
 * adding vectors. So a product is 16 products of the plain kind, each k / 16 long: a vector of
 * weights of 16 rows times a token's element, broadcast. A multiply-add then reads a third of what
 * it reads in tiles of dots (float_tiles.h), and from the first level cache: the weights of a sum
 * stay there while a block of tokens passes. Rows are turned into lanes once for all tokens, tokens
 * into tiles once for all products. */
#ifndef LORY_KERNELS_FLOAT_PANELS_H
#define LORY_KERNELS_FLOAT_PANELS_H

#include "kernels/ahead.h"
#include "kernels/float_tiles.h"

enum {
    SUM_STEPS = 128,       /* of 16 elements: two panels of one sum are 16 KB */
    BLOCK_TILES = 4,       /* of tokens, while these panels stay in the first level cache */
    SET_ROWS = 32,         /* whose panels stay in the second one while all tokens pass; */
    SET_BYTES = 384 << 10, /* if they are more, they come in two parts; if a part is more, */
    LONG_ROWS = 64,        /* so many rows in four, which share each read of the tokens, */
    MOST_BYTES = 720 << 10, /* unless a part is more than that */
    LATE_TOK = 11 * BLOCK_TILES * X_TILE, /* whose third parts can wait for the fourth */
    SUM_LEVELS = 5,        /* what waits: sums of 1, 2, 4 and 8 of the 16, and the one begun */
    ROW_FLOATS = 16 * P_VECTORS,
    SUM_FLOATS = ROW_FLOATS * X_TILE, /* of a tile */
    SET_FLOATS = SUM_LEVELS * BLOCK_TILES * X_TILE * LONG_ROWS,
    LATE_FLOATS = LATE_TOK * LONG_ROWS
};
_Static_assert((int)MOST_BYTES + (SET_FLOATS + LATE_FLOATS) * (int)sizeof(float)
                   <= (int)MATMUL_SCRATCH_BYTES,
               "a set and what waits fit the scratch");

/* The order in which lanes fold: whatever is complete is added at once. */
static const uint8_t fold_order[16] = { 0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15 };

/* ---- tokens -------------------------------------------------------------------------------- */

static void tile_x(const x_args *a)
{
    const size_t n_step = x_steps(a->k), ld = x_sum_floats(a->n_tok, a->k);
    for (int it = a->it0; it < a->it1; it += X_QUAD) {
        const int first = it / X_TILE * X_TILE, width = x_tile_width(a->n_tok - first);
        const float *x = a->x + (size_t)(it - a->it0) * a->ld_x;
        float *to = a->tiles + (size_t)first * n_step + (it - first);
        for (int k = 0; k < a->k; k += 16, to += width) {
            v16 v[X_QUAD];
            for (int i = 0; i < X_QUAD; i++)
                v[i] = it + i < a->it1 ? load_part(x + (size_t)i * a->ld_x + k, a->k - k)
                                       : v_zero();
            v_store_across(v, to, ld);
        }
    }
}

/* ---- weights ------------------------------------------------------------------------------- */

/* A set of rows; of long rows one of two or four parts of the 16 sums, which are neighbours in
 * fold_order: the lanes of a part have the same remainder by n_part.
 * panels: [P_VECTORS panels][sum][step][16 * panels], from sum to sum X_PAD floats more. */
typedef struct {
    const matmul_args *a;
    size_t n_step;
    int n_part, part;
    int ir, n_rows;
    float *panels, *sums;
    float *late; /* [LATE_TOK][LONG_ROWS] the third part of four */
} row_set;

static size_t sum_floats(size_t n_step, int nv)
{
    return n_step * (size_t)(16 * nv) + X_PAD;
}

static float *panels_at(const row_set *s, int i)
{
    return s->panels
           + (size_t)(i / ROW_FLOATS) * (16 / (size_t)s->n_part) * sum_floats(s->n_step, P_VECTORS);
}

/* How many panels stand side by side from row i of the set on. */
static int panels_beside(const row_set *s, int i)
{
    const int n = (s->n_rows - i + PANEL_ROWS - 1) / PANEL_ROWS;
    return n < P_VECTORS ? n : P_VECTORS;
}

/* 16 elements from k on of 16 rows from ir on. */
INLINE void load_rows(const qtype type, const matmul_args *a, int ir, int k, v16 v[16])
{
    const uint8_t *row = (const uint8_t *)a->w + (size_t)ir * a->row_bytes;
    if (ir + 16 <= a->n_rows && k + 16 <= a->k) {
        UNROLL
        for (int i = 0; i < 16; i++) v[i] = load_w(type, row + (size_t)i * a->row_bytes, k);
        return;
    }
    for (int i = 0; i < 16; i++, row += a->row_bytes) {
        if (ir + i >= a->n_rows) v[i] = v_zero();
        else if (k + 16 <= a->k) v[i] = load_w(type, row, k);
        else v[i] = load_w_tail(type, row, k, a->k - k);
    }
}

/* The nv panels from row i of the set on; some steps of all rows at a time, whose lines stay. */
INLINE void pack_panels(const qtype type, const int n_part, const int first, const row_set *s,
                        int i)
{
    enum { STRETCH = 64 };
    const int nv = panels_beside(s, i), n_k = s->a->k;
    const size_t ld = sum_floats(s->n_step, nv);
    float *to = panels_at(s, i);
    for (int k0 = 0; k0 < n_k; k0 += STRETCH)
        for (int e = 0; e < 16 * nv; e += 16)
            for (int k = k0; k < k0 + STRETCH && k < n_k; k += 16) {
                v16 v[16];
                load_rows(type, s->a, s->ir + i + e, k, v);
                v_store_turned(first, n_part, v, to + k * nv + e, ld);
            }
}

INLINE void pack_set(const qtype type, const row_set *s)
{
    for (int i = 0; i < s->n_rows; i += ROW_FLOATS) {
        switch (s->n_part + s->part) {
        case 1: pack_panels(type, 1, 0, s, i); break;
        case 2: pack_panels(type, 2, 0, s, i); break;
        case 3: pack_panels(type, 2, 1, s, i); break;
        case 4: pack_panels(type, 4, 0, s, i); break;
        case 5: pack_panels(type, 4, 2, s, i); break;
        case 6: pack_panels(type, 4, 1, s, i); break;
        default: pack_panels(type, 4, 3, s, i); break;
        }
    }
}

/* ---- products ------------------------------------------------------------------------------ */

/* A stretch of one of the 16 sums, of a tile. */
typedef struct {
    const float *w, *x; /* [n_step][16 * nv], [n_step][width] */
    size_t n_step;
    const float *next_x; /* which are asked for meanwhile, as are bytes from here on, */
    const uint8_t *ahead;
    size_t each; /* so many in STEPS steps: in a burst they keep others from the caches */
    bool is_begun;
    int n_fold;  /* sums that wait for this one; -1: it is not complete */
    float *sums; /* [SUM_LEVELS][SUM_FLOATS] */
} panel_tile;

enum { BEGUN = SUM_LEVELS - 1 };

/* A step: weights of 16 * nv rows times n tokens' elements. The vectors of P_DIRECT tokens take the
 * element from memory themselves: an instruction less, and a load more. */
INLINE void add_panel_step(const int nv, const int n, const float *w, const float *x, v16 *sum)
{
    v16 wv[P_VECTORS];
    UNROLL
    for (int e = 0; e < nv; e++) wv[e] = v_load(w + 16 * e);
    UNROLL
    for (int i = 0; i < n; i++) {
        if (i % 2 && i < 2 * P_DIRECT) {
            UNROLL
            for (int e = 0; e < nv; e++)
                sum[nv * i + e] = v_fma_each(wv[e], x + i, sum[nv * i + e]);
            continue;
        }
        v16 xv = v_set(x[i]);
        UNROLL
        for (int e = 0; e < nv; e++) sum[nv * i + e] = v_fma(wv[e], xv, sum[nv * i + e]);
    }
}

/* n tokens from the j-th on of `width`. */
INLINE void run_panel_tile(const int nv, const int n, const int width, const panel_tile *t, int j)
{
    v16 sum[P_VECTORS * P_TOK];
    const float *w = t->w, *x = t->x + j;
    float *sums = t->sums + 16 * nv * j, *begun = sums + BEGUN * SUM_FLOATS;
    UNROLL
    for (int i = 0; i < n; i++)
        UNROLL
        for (int e = 0; e < nv; e++)
            sum[nv * i + e] = t->is_begun ? v_load(begun + 16 * (nv * i + e)) : v_zero();
    const float *next = t->next_x;
    const uint8_t *later = t->ahead;
    size_t left = t->n_step;
    for (; left >= STEPS; left -= STEPS) {
        if (j == 0) {
            for (int i = 0; i < STEPS * width; i += 16) __builtin_prefetch(next + i, 0, 2);
            __builtin_prefetch(later, 0, 2);
            next += STEPS * width, later += t->each;
        }
        UNROLL
        for (int s = 0; s < STEPS; s++, w += 16 * nv, x += width) add_panel_step(nv, n, w, x, sum);
    }
    for (; left > 0; left--, w += 16 * nv, x += width) add_panel_step(nv, n, w, x, sum);
    float *wait = sums;
    for (int l = 0; l < t->n_fold; l++, wait += SUM_FLOATS)
        UNROLL
        for (int i = 0; i < n; i++)
            UNROLL
            for (int e = 0; e < nv; e++)
                sum[nv * i + e] = v_add(v_load(wait + 16 * (nv * i + e)), sum[nv * i + e]);
    float *to = t->n_fold < 0 ? begun : wait;
    UNROLL
    for (int i = 0; i < n; i++)
        UNROLL
        for (int e = 0; e < nv; e++) v_store(to + 16 * (nv * i + e), sum[nv * i + e]);
}

/* As many tokens at once as registers allow. */
INLINE void run_width(const int nv, const int width, const panel_tile *t)
{
    const int n = width <= P_TOK ? width : width / 2;
    for (int j = 0; j < width; j += n) run_panel_tile(nv, n, width, t, j);
}

static void any_panel_tile(int nv, int width, const panel_tile *t)
{
    const bool is_wide = nv == P_VECTORS;
    switch (width) {
    case 4: is_wide ? run_width(P_VECTORS, 4, t) : run_width(1, 4, t); break;
    case 8: is_wide ? run_width(P_VECTORS, 8, t) : run_width(1, 8, t); break;
    default: is_wide ? run_width(P_VECTORS, X_TILE, t) : run_width(1, X_TILE, t); break;
    }
}

/* Tokens [it, it + n_tok) of the product: BLOCK_TILES tiles, or the last ones. */
typedef struct {
    int it, n_tok;
} tok_block;

static float *sums_at(const row_set *s, int i, int j)
{
    return s->sums
           + (size_t)(i / ROW_FLOATS * BLOCK_TILES + j / X_TILE) * (SUM_LEVELS * SUM_FLOATS);
}

/* Steps [s0, s0 + n) of sum `at` of those in the set. */
typedef struct {
    int at;
    size_t s0, n;
} stretch;

static size_t lane_of(const row_set *s, int at)
{
    return fold_order[at + s->part * (16 / s->n_part)];
}

/* The block's tokens of a sum, all steps. */
static const float *x_of(const row_set *s, tok_block b, int at)
{
    const matmul_args *a = s->a;
    return a->x_tiles + lane_of(s, at) * x_sum_floats(a->n_tok, a->k) + (size_t)b.it * s->n_step;
}

/* All panels of the set and tiles of the block; next_x is read afterwards. */
static void add_stretch(const row_set *s, tok_block b, stretch p, panel_tile t, const float *next_x,
                        ahead_parts *later)
{
    const size_t lane = lane_of(s, p.at), to_next = s->n_step * X_TILE;
    const float *x = x_of(s, b, p.at);
    for (int i = 0; i < s->n_rows; i += ROW_FLOATS) {
        const int nv = panels_beside(s, i);
        t.w = panels_at(s, i) + lane / (size_t)s->n_part * sum_floats(s->n_step, nv)
              + p.s0 * (size_t)(16 * nv);
        for (int j = 0; j < b.n_tok; j += X_TILE) {
            size_t n_ahead;
            const int width = x_tile_width(b.n_tok - j);
            t.x = x + (size_t)j * s->n_step + p.s0 * (size_t)width;
            t.next_x = j + X_TILE < b.n_tok ? t.x + to_next : next_x;
            t.ahead = take_part(later, &n_ahead);
            t.sums = sums_at(s, i, j);
            any_panel_tile(nv, width, &t);
        }
    }
}

/* Part `at` of n of the block's outputs, which are written soon. */
static void ask_outputs(const row_set *s, tok_block b, int at, int n)
{
    const matmul_args *a = s->a;
    for (int j = b.n_tok * at / n; j < b.n_tok * (at + 1) / n; j++)
        for (int i = 0; i < s->n_rows; i += PANEL_ROWS)
            __builtin_prefetch(a->out + (size_t)(b.it + j) * a->ld_out + s->ir + i, 1);
}

/* A part's sums are added to those before: 0 + 1, then 2 + 3, which waits apart from the output. */
INLINE void store_sums(const row_set *s, v16 v, float *late, float *out, int n)
{
    if (s->part == 2) {
        v_store(late, v);
        return;
    }
    if (s->part == 3) v = v_add(v_load(late), v);
    if (s->part > 0) v = v_add(load_part(out, n), v);
    store_part(out, n, v);
}

static void store_outputs(const row_set *s, tok_block b)
{
    const matmul_args *a = s->a;
    const int level = s->n_part == 1 ? 4 : s->n_part == 2 ? 3 : 2;
    for (int i = 0; i < s->n_rows; i += PANEL_ROWS) {
        const int first = i / ROW_FLOATS * ROW_FLOATS, nv = panels_beside(s, first);
        const int n = s->n_rows - i;
        for (int j = 0; j < b.n_tok; j++) {
            const float *sum = sums_at(s, i, j) + level * SUM_FLOATS + j % X_TILE * 16 * nv;
            float *out = a->out + (size_t)(b.it + j) * a->ld_out + s->ir + i;
            float *late = s->late + (size_t)(b.it % LATE_TOK + j) * LONG_ROWS + i;
            store_sums(s, v_load(sum + (i - first)), late, out, n);
        }
    }
}

static int trailing_ones(int i)
{
    int n = 0;
    for (; i & 1; i >>= 1) n++;
    return n;
}

/* Stretches are as even as can be. */
static stretch first_stretch(const row_set *s)
{
    const size_t n_stretch = (s->n_step + SUM_STEPS - 1) / SUM_STEPS;
    return (stretch){ .n = (s->n_step + n_stretch - 1) / n_stretch };
}

static stretch stretch_after(const row_set *s, stretch p, size_t each)
{
    p.s0 += p.n;
    if (p.s0 == s->n_step) p.s0 = 0, p.at++;
    p.n = s->n_step - p.s0 < each ? s->n_step - p.s0 : each;
    return p;
}

/* The block that begins with token `it`; after the last one the first comes again. */
static tok_block block_at(const row_set *s, int it)
{
    const int left = s->a->n_tok - it, most = BLOCK_TILES * X_TILE;
    if (left <= 0) return block_at(s, 0);
    return (tok_block){ it, left < most ? left : most };
}

static void spend_block(const row_set *s, tok_block b, ahead_parts *later)
{
    const int n_sum = 16 / s->n_part;
    const stretch first = first_stretch(s);
    const float *then = x_of(s, block_at(s, b.it + b.n_tok), 0);
    const size_t each = later->each * STEPS / first.n;
    for (stretch p = first, after; p.at < n_sum; p = after) {
        const bool is_last = p.s0 + p.n == s->n_step;
        const panel_tile t = { .n_step = p.n, .each = each, .is_begun = p.s0 > 0,
                               .n_fold = is_last ? trailing_ones(p.at) : -1 };
        after = stretch_after(s, p, first.n);
        if (is_last) ask_outputs(s, b, p.at, n_sum);
        const float *next = after.at < n_sum ? x_of(s, b, after.at) + after.s0 * X_TILE : then;
        add_stretch(s, b, p, t, next, later);
    }
    store_outputs(s, b);
}

/* Tokens [it, end); it and end are multiples of a block's, or the last. */
static void spend_set(const row_set *s, int it, int end, ahead_parts *later)
{
    for (; it < end; it += BLOCK_TILES * X_TILE) spend_block(s, block_at(s, it), later);
}

/* What to ask for while the set's rows are multiplied: the next set, or the next product's. */
static ahead_parts later_of(const row_set *s)
{
    const matmul_args *a = s->a;
    const int after = a->n_rows - s->ir - s->n_rows, n_tile = (a->n_tok + X_TILE - 1) / X_TILE;
    const int n_call = 16 * n_tile * ((s->n_rows + ROW_FLOATS - 1) / ROW_FLOATS)
                       * (int)((s->n_step + SUM_STEPS - 1) / SUM_STEPS);
    const size_t set_bytes = (size_t)s->n_rows * a->row_bytes;
    weight_stretch next = { (const uint8_t *)a->w + (size_t)(s->ir + s->n_rows) * a->row_bytes,
                            (size_t)(after < s->n_rows ? after : s->n_rows) * a->row_bytes };
    if (after == 0 && a->n_next > 0) next = a->next[0];
    return ahead_in_parts(next.w, next.n_bytes < set_bytes ? next.n_bytes : set_bytes, n_call);
}

static size_t part_bytes(size_t n_step, int n_rows, int n_part)
{
    const int nv = n_rows < ROW_FLOATS ? 1 : P_VECTORS;
    const size_t n = (size_t)(n_rows / (16 * nv)) * sum_floats(n_step, nv);
    return n * (16 / (size_t)n_part) * sizeof(float);
}

/* How many rows make a set, and its parts. */
static int cut_set(row_set *s)
{
    for (s->n_part = 1; s->n_part <= 2; s->n_part++)
        if (part_bytes(s->n_step, SET_ROWS, s->n_part) <= SET_BYTES) return SET_ROWS;
    s->n_part = 4;
    return part_bytes(s->n_step, LONG_ROWS, 4) <= MOST_BYTES ? LONG_ROWS : SET_ROWS;
}

INLINE void gemm_panels(const qtype type, const matmul_args *a)
{
    row_set s = { .a = a, .n_step = x_steps(a->k), .sums = a->scratch };
    const int most = cut_set(&s), tok = s.n_part == 4 ? LATE_TOK : a->n_tok;
    s.late = s.sums + SET_FLOATS;
    s.panels = s.late + LATE_FLOATS;
    for (; s.ir < a->n_rows; s.ir += s.n_rows) {
        s.n_rows = a->n_rows - s.ir < most ? a->n_rows - s.ir : most;
        ahead_parts later = later_of(&s);
        for (int it = 0; it < a->n_tok; it += tok)
            for (s.part = 0; s.part < s.n_part; s.part++) {
                pack_set(type, &s);
                spend_set(&s, it, a->n_tok - it < tok ? a->n_tok : it + tok, &later);
            }
    }
}

#endif
