/* attend_codes.h - attention over keys and values of q8_0, any number of queries: in integers.
 * Layer: kernels. Not a header by itself, see float_lanes.h for v16.
 *
 * Sixteen keys are loaded once for all queries (on x86 turned, so that each lane is a key and
 * nothing is folded); of values two keys lie side by side, where products are summed by pairs.
 *
 * What an instruction set defines beside v16:
 *   key_codes; load_keys(rows, row_bytes): a block of 16 keys; dot_keys(nq, keys, q, ld_q, dot):
 *     dot[i] = the exact sums of products with nq queries' codes, to the nearest float
 *   value_sums, zeros at first; add_values(nq, rows, row_bytes, w, ld_w, sum): adds a block of 16
 *     values, the codes weighted by w of each query; value_floats(sum, o): o[2] = its elements
 *   store_words(to, x): 16 lanes to nearest-even integers of 16 bits; store_query(to, x): the same,
 *     in the order in which dot_keys reads them
 *   VALUE_QUERIES: how many at a time, as registers allow; of keys it is FEW_QUERIES. */
#ifndef LORY_KERNELS_ATTEND_CODES_H
#define LORY_KERNELS_ATTEND_CODES_H

#include "kernels/attend_few.h"

enum {
    TILE_QUERIES = 32,
    TILE_KEYS = 16,
    N_TILE = KV_CHUNK / TILE_KEYS,
    LD_S = KV_CHUNK + 16, /* a softmax pads up to 15 floats */
};

_Static_assert(TILE_QUERIES * LD_S + TILE_QUERIES * KV_CHUNK / 2 <= ATTEND_SCRATCH(0),
               "scores, and weights of 16 bits");
_Static_assert(2 * TILE_KEYS * sizeof(block_q8_0)
                   <= (ATTEND_SCRATCH(32) - ATTEND_SCRATCH(0)) * sizeof(float),
               "a tile of keys and one of values, put together");

typedef struct {
    const attend_args *a;
    int at, nq;      /* queries of the call */
    int first, last; /* keys that any of them sees */
    const uint8_t *k[N_TILE], *v[N_TILE]; /* rows from each sixteenth on, up to the last */
    const uint8_t *next_k, *next_v;       /* what is read next is asked for meanwhile; or NULL */
    float *s;   /* [nq][LD_S] scores, then weights: 0 of keys out of sight */
    int16_t *w; /* [nq][KV_CHUNK] weights of one block of values */
    merge_by by[TILE_QUERIES];
} codes_tile;

INLINE bool sees_any(const codes_tile *c, int i)
{
    return c->a->last[c->at + i] > c->a->first[c->at + i];
}

/* Asks for as much of rows that are read next as a block of tile t has. */
INLINE void ask_for_block(const codes_tile *c, const uint8_t *next, int t, int b)
{
    enum { BYTES = TILE_KEYS * sizeof(block_q8_0) };
    if (next && TILE_KEYS * (t + 1) > c->a->next_from)
        ask_for(1, next + (size_t)t * TILE_KEYS * c->a->row_bytes + (size_t)b * BYTES, BYTES);
}

/* ---- 16 bits ------------------------------------------------------------------------------- */

/* 0, or NaN when a lane is not finite. */
INLINE float not_finite(v16 x)
{
    return v_fold(v_sub(x, x));
}

/* What floats whose greatest is m are multiplied with to be codes. Adds to *scale, 0 or NaN, what
 * leads back. */
INLINE float scale_words(float m, float *scale)
{
    *scale += m < 0x1p-100f ? 0.0f : m / 32767.0f;
    return m < 0x1p-100f ? 0.0f : 32767.0f / m;
}

static void quant_queries(int n, int head_dim, const float *q, size_t ld_q, int16_t *words,
                          float *scales)
{
    for (int i = 0; i < n; i++, q += ld_q)
        for (int d = 0; d < head_dim; d += 32, words += 32, scales++) {
            v16 x = v_load(q + d), y = v_load(q + d + 16);
            *scales = not_finite(x) + not_finite(y);
            const float by = scale_words(v_top(v_max(v_abs(x), v_abs(y))), scales);
            store_query(words, v_mul(x, v_set(by)));
            store_query(words + 16, v_mul(y, v_set(by)));
        }
}

/* ---- scores -------------------------------------------------------------------------------- */

/* Block b of nq queries from i on against keys, whose scales are dk: into their scores at s, which
 * begin with a product (see score_dots). */
INLINE void score_queries(const int nq, const codes_tile *c, const key_codes *keys, v16 dk, int b,
                          int i, float *s)
{
    const attend_args *a = c->a;
    const size_t dim = (size_t)a->head_dim, n_block = dim / 32, at = (size_t)(c->at + i);
    const float *dq = a->q_scales + at * n_block + b;
    v16 dot[FEW_QUERIES];
    dot_keys(nq, keys, a->q_codes + at * dim + 32 * b, dim, dot);
    s += i * LD_S;
    UNROLL
    for (int l = 0; l < nq; l++, s += LD_S) {
        v16 by = v_mul_each(dk, dq + (size_t)l * n_block);
        v16 sum = b == 0 ? v_mul(dot[l], by) : v_fma(dot[l], by, v_load(s));
        v_store(s, b + 1 == (int)n_block ? v_mul(sum, v_set(a->scale)) : sum);
    }
}

/* Scores of 16 keys with all nq queries; for nq = 0 with any number, those that see any of them. */
INLINE void score_keys(const int nq, const codes_tile *c, int t)
{
    const attend_args *a = c->a;
    const int n_block = a->head_dim / 32;
    const uint8_t *at = c->k[t];
    float *s = c->s + TILE_KEYS * t;
    int from = 0;
    while (nq == 0 && from < c->nq && a->last[c->at + from] <= TILE_KEYS * t) from++;
    for (int b = 0; b < n_block; b++, at += sizeof(block_q8_0)) {
        const key_codes keys = load_keys(at, a->row_bytes);
        const v16 dk = v_load_f16_apart(at, a->row_bytes);
        int i = from;
        ask_for_block(c, c->next_k, t, b);
        if (nq > 0) score_queries(nq, c, &keys, dk, b, 0, s);
        for (; nq == 0 && i + FEW_QUERIES <= c->nq; i += FEW_QUERIES)
            score_queries(FEW_QUERIES, c, &keys, dk, b, i, s);
        for (; nq == 0 && i < c->nq; i++) score_queries(1, c, &keys, dk, b, i, s);
    }
}
static void score_tile(const codes_tile *c, int t)
{
    switch (c->nq) {
    case 1: score_keys(1, c, t); break;
    case 2: score_keys(2, c, t); break;
    case 3: score_keys(3, c, t); break;
    default: score_keys(0, c, t); break;
    }
}

/* ---- weights ------------------------------------------------------------------------------- */

/* What a query's scores become before their softmax. */
static void bend_query(const codes_tile *c, int i)
{
    const attend_args *a = c->a;
    const int at = c->at + i, first = a->first[at], n = a->last[at] - first;
    float *s = c->s + i * LD_S + first;
    for (int j = 0; a->cap > 0 && j < n; j += 16)
        v_store(s + j, v_mul(v_set(a->cap), v_tanh(v_div(v_load(s + j), v_set(a->cap)))));
    for (int j = 0; a->slope && j < n; j++)
        s[j] = fmaf(a->slope[at], (float)(first + j - a->pos[at]), s[j]);
}

/* The n scores of nq queries, from s on, to weights. Side by side: each step of one waits for the
 * step before. */
INLINE void weigh_rows(const int nq, int n, float *s, attend_state *chunk)
{
    v16 top[FEW_QUERIES], sum[FEW_QUERIES];
    UNROLL
    for (int i = 0; i < nq; i++) {
        for (int j = n; j % 16 != 0; j++) s[i * LD_S + j] = -INFINITY; /* weighs 0 */
        top[i] = v_set(-INFINITY), sum[i] = v_zero();
    }
    for (int j = 0; j < n; j += 16) {
        UNROLL
        for (int i = 0; i < nq; i++) top[i] = v_max(v_load(s + i * LD_S + j), top[i]);
    }
    UNROLL
    for (int i = 0; i < nq; i++) chunk[i].max = v_top(top[i]) + 0.0f; /* 0 for -0 */
    for (int j = 0; j < n; j += 16) {
        UNROLL
        for (int i = 0; i < nq; i++) {
            v16 p = v_exp(v_sub(v_load(s + i * LD_S + j), v_set(chunk[i].max)));
            v_store(s + i * LD_S + j, p);
            sum[i] = v_add(sum[i], p);
        }
    }
    UNROLL
    for (int i = 0; i < nq; i++) chunk[i].sum = v_fold(sum[i]);
}

/* Scores of queries [i, i + n), which see the same keys, to weights. */
static void weigh_queries(const codes_tile *c, int i, int n, attend_state *chunk)
{
    const attend_args *a = c->a;
    const int first = a->first[c->at + i], last = a->last[c->at + i];
    float *s = c->s + i * LD_S;
    for (int l = 0; l < n && (a->cap > 0 || a->slope); l++) bend_query(c, i + l);
    switch (n) {
    case 1: weigh_rows(1, last - first, s + first, chunk); break;
    case 2: weigh_rows(2, last - first, s + first, chunk); break;
    case 3: weigh_rows(3, last - first, s + first, chunk); break;
    default: weigh_rows(4, last - first, s + first, chunk); break;
    }
    for (int l = 0; l < n; l++, s += LD_S) {
        for (int j = 0; j < first; j++) s[j] = 0;
        for (int j = last; j < KV_CHUNK; j++) s[j] = 0;
    }
}

/* All scores to weights, and the chunk into the queries' states. */
static void weigh_tile(codes_tile *c)
{
    const int16_t *first = c->a->first + c->at, *last = c->a->last + c->at;
    attend_state chunk[TILE_QUERIES];
    for (int i = 0, n; i < c->nq; i += n) {
        for (n = 1; n < FEW_QUERIES && i + n < c->nq && first[i + n] == first[i]
                    && last[i + n] == last[i];)
            n++;
        if (sees_any(c, i))
            weigh_queries(c, i, n, &chunk[i]);
        else
            memset(c->s + i * LD_S, 0, (size_t)n * LD_S * sizeof *c->s);
    }
    for (int i = 0, n; i < c->nq; i += n > 0 ? n : 1) {
        for (n = 0; n < MERGE_MOST && i + n < c->nq && sees_any(c, i + n);) n++;
        if (n > 0) merge_states(n, &chunk[i], &c->a->state[c->at + i], &c->by[i]);
    }
}

/* ---- values -------------------------------------------------------------------------------- */

/* The scales of a block of values; returns whether those in sight are finite. */
static bool load_scales(const codes_tile *c, int b, float *dv)
{
    const int begin = c->first / TILE_KEYS, end = (c->last + TILE_KEYS - 1) / TILE_KEYS;
    const size_t at = (size_t)b * sizeof(block_q8_0);
    v16 rest = v_zero();
    for (int t = begin; t < end; t++)
        v_store(dv + TILE_KEYS * t, v_load_f16_apart(c->v[t] + at, c->a->row_bytes));
    for (int j = TILE_KEYS * begin; j < c->first; j++) dv[j] = 0; /* nobody has written there */
    for (int j = c->last; j < TILE_KEYS * end; j++) dv[j] = 0;
    for (int t = begin; t < end; t++) {
        v16 d = v_load(dv + TILE_KEYS * t);
        rest = v_add(rest, v_sub(d, d));
    }
    return v_fold(rest) == 0.0f;
}

/* Weights of nq queries, from the i-th on, in tiles [begin, end) times the scales: as codes. */
INLINE void quant_rows(const int nq, const int begin, const int end, const codes_tile *c, int i,
                       const float *dv, float *scale)
{
    const float *s = c->s + i * LD_S;
    int16_t *w = c->w + i * KV_CHUNK;
    v16 top[FEW_QUERIES];
    float by[FEW_QUERIES];
    UNROLL
    for (int l = 0; l < nq; l++) top[l] = v_zero();
    UNROLL_SOME
    for (int j = TILE_KEYS * begin; j < TILE_KEYS * end; j += TILE_KEYS) {
        UNROLL
        for (int l = 0; l < nq; l++)
            top[l] = v_max(v_abs(v_mul(v_load(s + l * LD_S + j), v_load(dv + j))), top[l]);
    }
    UNROLL
    for (int l = 0; l < nq; l++) by[l] = scale_words(v_top(top[l]), &scale[i + l]);
    UNROLL_SOME
    for (int j = TILE_KEYS * begin; j < TILE_KEYS * end; j += TILE_KEYS) {
        UNROLL
        for (int l = 0; l < nq; l++) {
            v16 x = v_mul(v_load(s + l * LD_S + j), v_load(dv + j));
            store_words(w + l * KV_CHUNK + j, v_mul(x, v_set(by[l])));
        }
    }
}

/* Takes what is not finite out of the scales: NaN in its place for who sees it, a weight of 0 for
 * the others. */
static void drop_not_finite(const codes_tile *c, float *dv, float *scale)
{
    const int16_t *first = c->a->first + c->at, *last = c->a->last + c->at;
    for (int j = c->first; j < c->last; j++) {
        const float lost = dv[j] - dv[j];
        for (int i = 0; i < c->nq; i++)
            if (j >= first[i] && j < last[i]) scale[i] += lost;
        if (lost != 0.0f) dv[j] = 0;
    }
}

/* The weights of a block of values for all queries. */
static void quant_weights(const codes_tile *c, int b, float *scale)
{
    const int begin = c->first / TILE_KEYS, end = (c->last + TILE_KEYS - 1) / TILE_KEYS;
    float dv[KV_CHUNK];
    int i = 0;
    for (int l = 0; l < c->nq; l++) scale[l] = 0;
    if (!load_scales(c, b, dv)) drop_not_finite(c, dv, scale);
    if (begin == 0 && end == N_TILE) {
        for (; i + FEW_QUERIES <= c->nq; i += FEW_QUERIES)
            quant_rows(FEW_QUERIES, 0, N_TILE, c, i, dv, scale);
        for (; i + 2 <= c->nq; i += 2) quant_rows(2, 0, N_TILE, c, i, dv, scale);
    }
    for (; i < c->nq; i++) quant_rows(1, begin, end, c, i, dv, scale);
}

/* Block b of the values for nq queries from i on, into their output. */
INLINE void value_queries_of(const int nq, const codes_tile *c, const float *scale, int b, int i)
{
    const attend_args *a = c->a;
    const int16_t *w = c->w + i * KV_CHUNK;
    const size_t at = (size_t)b * sizeof(block_q8_0);
    value_sums sum[VALUE_QUERIES];
    float *o = a->o + (size_t)(c->at + i) * a->ld_o + 32 * b;
    UNROLL
    for (int l = 0; l < nq; l++) sum[l] = (value_sums){ 0 };
    for (int t = c->first / TILE_KEYS; TILE_KEYS * t < c->last; t++) {
        if (i == 0) ask_for_block(c, c->next_v, t, b);
        add_values(nq, c->v[t] + at, a->row_bytes, w + TILE_KEYS * t, KV_CHUNK, sum);
    }
    UNROLL
    for (int l = 0; l < nq; l++, o += a->ld_o) {
        const merge_by by = c->by[i + l];
        v16 y[2];
        if (!sees_any(c, i + l)) continue;
        value_floats(&sum[l], y);
        for (int e = 0; e < 2; e++) {
            y[e] = v_mul(y[e], v_set(scale[i + l]));
            v_store(o + 16 * e,
                    by.is_first ? y[e] : merge_values(v_load(o + 16 * e), y[e], by));
        }
    }
}

static void value_blocks(const codes_tile *c)
{
    float scale[TILE_QUERIES];
    for (int b = 0; b < c->a->head_dim / 32; b++) {
        int i = 0;
        quant_weights(c, b, scale);
        for (; i + VALUE_QUERIES <= c->nq; i += VALUE_QUERIES)
            value_queries_of(VALUE_QUERIES, c, scale, b, i);
        for (; VALUE_QUERIES > 4 && i + 4 <= c->nq; i += 4) value_queries_of(4, c, scale, b, i);
        for (; VALUE_QUERIES > 2 && i + 2 <= c->nq; i += 2) value_queries_of(2, c, scale, b, i);
        for (; i < c->nq; i++) value_queries_of(1, c, scale, b, i);
    }
}

/* ---- the tile ------------------------------------------------------------------------------ */

/* Where each sixteen of the rows lie; those that lie in two places are put together in `copy`. */
static void find_tiles(const codes_tile *c, const void *rows, const void *base, uint8_t *copy,
                       const uint8_t **tile)
{
    const size_t row_bytes = c->a->row_bytes;
    for (int t = c->first / TILE_KEYS; TILE_KEYS * t < c->last; t++) {
        const int j = TILE_KEYS * t, n_base = c->a->n_base - j;
        const size_t at = (size_t)j * row_bytes, shared = (size_t)n_base * row_bytes;
        tile[t] = (const uint8_t *)(n_base > 0 ? base : rows) + at;
        if (n_base <= 0 || n_base >= TILE_KEYS) continue;
        memcpy(copy, (const uint8_t *)base + at, shared);
        memcpy(copy + shared, (const uint8_t *)rows + at + shared, TILE_KEYS * row_bytes - shared);
        tile[t] = copy;
    }
}

/* Queries [i, i + n), n <= TILE_QUERIES. */
static void attend_tile(const attend_args *a, int i, int n)
{
    float *const s = a->scratch, *const w = s + TILE_QUERIES * LD_S;
    uint8_t *const copies = (uint8_t *)(w + TILE_QUERIES * KV_CHUNK / 2);
    codes_tile c; /* most of it is filled later: clearing it takes as long as many a step */
    c.a = a, c.at = i, c.nq = n, c.first = KV_CHUNK, c.last = 0;
    c.s = s, c.w = (int16_t *)w;
    for (int l = 0; l < n; l++) {
        if (!sees_any(&c, l)) continue;
        if (a->first[i + l] < c.first) c.first = a->first[i + l];
        if (a->last[i + l] > c.last) c.last = a->last[i + l];
    }
    if (c.last == 0) return;
    c.next_k = i == 0 ? a->next_k : NULL, c.next_v = i == 0 ? a->next_v : NULL;
    find_tiles(&c, a->k, a->base_k, copies, c.k);
    find_tiles(&c, a->v, a->base_v, copies + TILE_KEYS * a->row_bytes, c.v);
    for (int t = c.first / TILE_KEYS; TILE_KEYS * t < c.last; t++) score_tile(&c, t);
    weigh_tile(&c);
    value_blocks(&c);
}

static void attend_codes(const attend_args *a)
{
    for (int i = 0; i < a->n_q; i += TILE_QUERIES)
        attend_tile(a, i, a->n_q - i < TILE_QUERIES ? a->n_q - i : TILE_QUERIES);
}

#endif
