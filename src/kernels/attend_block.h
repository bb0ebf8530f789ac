/* attend_block.h - attention of many queries to a chunk: queries in lanes.
 * Layer: kernels. Not a header by itself, see float_lanes.h for v16 and the tiles.
 *
 * A score is a dot product in 16 lanes, folded. When each lane of a vector is a query, the lanes of
 * the dot are vectors one after the other, and folding them is adding vectors, as are the sums of
 * the softmax: nothing is shuffled. Queries come packed for it (once for all chunks), in the order
 * in which lanes fold, so that few sums wait; keys as they lie, each element broadcast. */
#ifndef LORY_KERNELS_ATTEND_BLOCK_H
#define LORY_KERNELS_ATTEND_BLOCK_H

#include "kernels/attend_merge.h"

enum {
    BLOCK_VECTORS = 4,            /* of 16 queries */
    BLOCK_Q = 16 * BLOCK_VECTORS, /* their weights are half of a first level cache */
    BLOCK_MIN = 9,                /* fewer queries are cheaper in lanes of dimensions */
};
_Static_assert(ATTEND_SCRATCH(0) == BLOCK_Q * KV_CHUNK + 16 * 16, "weights, lanes of their sums");

/* Lane i of vector e: query at + 16 e + i of the call, if i0 <= 16 e + i < i1. */
typedef struct {
    const attend_args *a;
    int at, i0, i1;
    int first, last;     /* keys that any of them sees */
    float *s;            /* [BLOCK_VECTORS][KV_CHUNK][16]: scores, then weights */
    float *lanes;        /* [16][16] */
    float ends[BLOCK_Q]; /* where each query's keys end; 0 of none */
    merge_by by[BLOCK_Q];
} attend_block;

static void pack_queries(int n, int head_dim, const float *q, size_t ld_q, float *packed)
{
    static const int order[] = { 0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15 };
    for (; n > 0; n -= 16, q += 16 * ld_q) {
        int32_t at[16];
        for (int i = 0; i < 16; i++) at[i] = (int32_t)ld_q * (i < n ? i : n - 1);
        for (int l = 0; l < 16; l++)
            for (int d = order[l]; d < head_dim; d += 16, packed += 16)
                v_store(packed, v_gather(q + d, at));
    }
}

/* ---- scores -------------------------------------------------------------------------------- */

/* One element of nv vectors of queries, q, by that of S_KEYS keys, k: operands in memory, for a
 * broadcast of its own takes the place of an addition. */
INLINE void score_products(const bool is_first, const int nv, const int dim, const float *q,
                           const float *k, v16 *sum)
{
    v16 qv[S_VECTORS];
    UNROLL
    for (int e = 0; e < nv; e++) qv[e] = v_load(q + e * 16 * dim);
    UNROLL
    for (int j = 0; j < S_KEYS; j++) {
        UNROLL
        for (int e = 0; e < nv; e++) {
            v16 *to = &sum[S_KEYS * e + j];
            *to = is_first ? v_mul_each(qv[e], k + j * dim) : v_fma_each(qv[e], k + j * dim, *to);
        }
    }
}

/* One lane of the dots. It begins with a product, not with an fma on +0: what differs is the sign
 * of a zero, which no weight sees. */
INLINE void lane_of_scores(const int nv, const int dim, const float *q, const float *k, v16 *sum)
{
    score_products(true, nv, dim, q, k, sum);
    UNROLL_SOME
    for (int d = 16; d < dim; d += 16) score_products(false, nv, dim, q + d, k + d, sum);
}

INLINE void add_to(const int n, v16 *sum, const v16 *x)
{
    UNROLL
    for (int i = 0; i < n; i++) sum[i] = v_add(sum[i], x[i]);
}

/* Lanes l, l + 8, l + 4 and l + 12, folded: k from element l on. */
INLINE void quarter_of_scores(const int nv, const int dim, const float *q, const float *k, v16 *sum)
{
    v16 b[S_VECTORS * S_KEYS], c[S_VECTORS * S_KEYS];
    lane_of_scores(nv, dim, q, k, sum);
    lane_of_scores(nv, dim, q + dim, k + 8, b);
    add_to(nv * S_KEYS, sum, b);
    lane_of_scores(nv, dim, q + 2 * dim, k + 4, b);
    lane_of_scores(nv, dim, q + 3 * dim, k + 12, c);
    add_to(nv * S_KEYS, b, c);
    add_to(nv * S_KEYS, sum, b);
}

INLINE void score_block_tile(const int nv, const int dim, float scale, const float *q,
                             const float *k, float *s)
{
    static const int order[] = { 0, 2, 1, 3 };
    float part[4][S_VECTORS * S_KEYS * 16] __attribute__((aligned(64)));
    for (int i = 0; i < 4; i++) {
        v16 sum[S_VECTORS * S_KEYS];
        quarter_of_scores(nv, dim, q + 4 * i * dim, k + order[i], sum);
        UNROLL
        for (int j = 0; j < nv * S_KEYS; j++) v_store(part[i] + 16 * j, sum[j]);
    }
    UNROLL
    for (int e = 0; e < nv; e++) {
        UNROLL
        for (int j = 0; j < S_KEYS; j++) {
            const int at = 16 * (S_KEYS * e + j);
            v16 even = v_add(v_load(part[0] + at), v_load(part[1] + at));
            v16 odd = v_add(v_load(part[2] + at), v_load(part[3] + at));
            v_store(s + (e * KV_CHUNK + j) * 16, v_mul(v_set(scale), v_add(even, odd)));
        }
    }
}

INLINE void score_vectors(const int nv, const int dim, const attend_block *b, int e)
{
    const attend_args *a = b->a;
    const float *q = a->packed_q + (size_t)(a->packed_at + b->at + 16 * e) * (size_t)dim;
    for (int j = b->first / S_KEYS * S_KEYS; j < b->last; j += S_KEYS)
        score_block_tile(nv, dim, a->scale, q, (const float *)a->k + j * dim,
                         b->s + (e * KV_CHUNK + j) * 16);
}

INLINE void score_block(const int dim, const attend_block *b)
{
    int e = 0, n = (b->i1 + 15) / 16;
    for (; e + S_VECTORS <= n; e += S_VECTORS) score_vectors(S_VECTORS, dim, b, e);
    for (; e < n; e++) score_vectors(1, dim, b, e);
}
static void score_block_64(const attend_block *b)
{
    score_block(64, b);
}
static void score_block_128(const attend_block *b)
{
    score_block(128, b);
}
static void score_block_any(const attend_block *b)
{
    score_block(b->a->head_dim, b);
}

/* ---- weights ------------------------------------------------------------------------------- */

/* What a score becomes before its softmax. */
static void bend_scores(const attend_block *b, int e)
{
    const attend_args *a = b->a;
    for (int j = b->first; j < b->last; j++) {
        float *s = b->s + (e * KV_CHUNK + j) * 16;
        if (a->cap > 0) v_store(s, v_mul(v_set(a->cap), v_tanh(v_div(v_load(s), v_set(a->cap)))));
        for (int i = 16 * e; a->slope && i < 16 * e + 16; i++, s++)
            if (i >= b->i0 && i < b->i1)
                *s = fmaf(a->slope[b->at + i], (float)(j - a->pos[b->at + i]), *s);
    }
}

/* Scores of vector e with the keys [first, last) to weights, 0 past a query's end; top = the
 * greatest scores. Returns the weights' sums. */
INLINE v16 weigh_keys(const bool has_ends, const int first, const int last, const attend_block *b,
                      int e, v16 *top)
{
    const v16 end = v_load(b->ends + 16 * e), least = v_set(-INFINITY);
    float *s = b->s + e * KV_CHUNK * 16;
    v16 m[4] = { least, least, least, least };
    for (int j = first; j < last; j += 4) {
        UNROLL
        for (int i = 0; i < 4; i++) {
            if (j + i >= last) break;
            v16 x = v_load(s + 16 * (j + i));
            if (has_ends) x = v_less_or(v_set((float)(j + i)), end, x, least);
            m[i] = v_max(x, m[i]);
        }
    }
    *top = v_add(v_max(v_max(m[0], m[1]), v_max(m[2], m[3])), v_zero()); /* 0 for -0 */
    for (int l = 0; l < 16; l++) {
        v16 sum = v_zero();
        UNROLL_SOME
        for (int j = first; j < last; j += 16) {
            if (j + l >= last) break;
            v16 p = v_exp(v_sub(v_load(s + 16 * (j + l)), *top));
            if (has_ends) p = v_less_or(v_set((float)(j + l)), end, p, v_zero());
            v_store(s + 16 * (j + l), p);
            sum = v_add(sum, p);
        }
        v_store(b->lanes + 16 * l, sum);
    }
    for (int w = 8; w > 0; w /= 2)
        for (float *l = b->lanes; l < b->lanes + 16 * w; l += 16)
            v_store(l, v_add(v_load(l), v_load(l + 16 * w)));
    return v_load(b->lanes);
}
static v16 weigh_all(const attend_block *b, int e, v16 *top)
{
    return weigh_keys(false, 0, KV_CHUNK, b, e, top);
}
static v16 weigh_some(const attend_block *b, int e, v16 *top)
{
    return weigh_keys(true, b->first, b->last, b, e, top);
}

/* Merges the chunk into the states of vector e's queries, as merge_states. */
static void merge_vector(attend_block *b, int e, v16 top, v16 sum)
{
    float max[16], sums[16], old[16], now[16];
    const int i0 = b->i0 > 16 * e ? b->i0 : 16 * e;
    const int i1 = b->i1 < 16 * e + 16 ? b->i1 : 16 * e + 16;
    v_store(max, v_zero()), v_store(sums, v_zero());
    for (int i = i0; i < i1; i++) {
        max[i % 16] = b->a->state[b->at + i].max;
        sums[i % 16] = b->a->state[b->at + i].sum;
    }
    const v16 had = v_load(max), m = v_max(top, had);
    const v16 by_old = v_exp(v_sub(had, m)), by_now = v_exp(v_sub(top, m));
    const v16 both = v_fma(v_load(sums), by_old, v_mul(sum, by_now));
    v_store(old, by_old), v_store(now, by_now);
    v_store(sums, v_less_or(v_set(-INFINITY), had, both, sum));
    for (int i = i0; i < i1; i++)
        b->by[i] = (merge_by){ max[i % 16] == -INFINITY, old[i % 16], now[i % 16] };
    v_store(max, m);
    for (int i = i0; i < i1; i++)
        b->a->state[b->at + i] = (attend_state){ max[i % 16], sums[i % 16] };
}

static void weigh_block(attend_block *b)
{
    bool is_whole = b->first == 0 && b->last == KV_CHUNK;
    for (int i = b->i0; i < b->i1; i++) is_whole &= b->ends[i] == KV_CHUNK;
    for (int e = 0; 16 * e < b->i1; e++) {
        v16 top, sum;
        if (b->a->cap > 0 || b->a->slope) bend_scores(b, e);
        sum = is_whole ? weigh_all(b, e, &top) : weigh_some(b, e, &top);
        merge_vector(b, e, top, sum);
    }
}

/* ---- values -------------------------------------------------------------------------------- */

/* sum += the key's nv vectors of value elements at v, weighted by p, for queries i0 to i1 */
INLINE void value_step(const int i0, const int i1, const int nv, const uint8_t *v, const float *p,
                       v16 *sum)
{
    v16 vv[D_TILE];
    UNROLL
    for (int e = 0; e < nv; e++) vv[e] = v_load(v + 64 * e);
    UNROLL
    for (int i = i0; i < i1; i++) {
        v16 w = v_set(p[i]);
        UNROLL
        for (int e = 0; e < nv; e++) sum[nv * i + e] = v_fma(w, vv[e], sum[nv * i + e]);
    }
}

/* nv vectors of value elements from d on, weighted for queries i to i + nq of the block. */
INLINE void value_block_tile(const int nq, const int nv, const attend_block *b, int i, int d)
{
    const attend_args *a = b->a;
    const int16_t *last = a->last + (b->at + i);
    const float *p = b->s + (i / 16 * KV_CHUNK + b->first) * 16 + i % 16;
    const uint8_t *v = (const uint8_t *)a->v + (size_t)b->first * a->row_bytes + 4 * (size_t)d;
    float *o = a->o + (size_t)(b->at + i) * a->ld_o + d;
    v16 sum[Q_TILE * D_TILE];
    int j = b->first, all = last[0]; /* keys up to here are for all queries */
    for (int iq = 1; iq < nq; iq++) all = last[iq] < all ? last[iq] : all;
    UNROLL
    for (int x = 0; x < nq * nv; x++) sum[x] = v_zero();
    for (; j < all; j++, v += a->row_bytes, p += 16) value_step(0, nq, nv, v, p, sum);
    UNROLL
    for (int iq = 0; iq < nq; iq++, o += a->ld_o) {
        for (int x = 0; j + x < last[iq]; x++)
            value_step(iq, iq + 1, nv, v + (size_t)x * a->row_bytes, p + 16 * x, sum);
        const merge_by by = b->by[i + iq];
        UNROLL
        for (int e = 0; e < nv; e++) {
            v16 y = sum[nv * iq + e];
            v_store(o + 16 * e, by.is_first ? y : merge_values(v_load(o + 16 * e), y, by));
        }
    }
}

INLINE void value_queries(const int nq, const attend_block *b, int i)
{
    int d = 0, dim = b->a->head_dim;
    for (; d + 16 * D_TILE <= dim; d += 16 * D_TILE) value_block_tile(nq, D_TILE, b, i, d);
    for (; d < dim; d += 16) value_block_tile(nq, 1, b, i, d);
}

static void value_block(const attend_block *b)
{
    int i = b->i0;
    for (; i < b->i1 && i % Q_TILE != 0; i++) value_queries(1, b, i);
    for (; i + Q_TILE <= b->i1; i += Q_TILE) value_queries(Q_TILE, b, i);
    for (; i < b->i1; i++) value_queries(1, b, i);
}

/* ---- the block ----------------------------------------------------------------------------- */

static void attend_in_block(attend_block *b)
{
    for (int i = 0; i < BLOCK_Q; i++)
        b->ends[i] = i >= b->i0 && i < b->i1 ? b->a->last[b->at + i] : 0;
    if (b->a->head_dim == 64)
        score_block_64(b);
    else if (b->a->head_dim == 128)
        score_block_128(b);
    else
        score_block_any(b);
    weigh_block(b);
    value_block(b);
}

/* Takes queries from i on that begin at the same key, as many as a block has; 0 when they are too
 * few for it to pay, or not in its form. */
static int try_block(const attend_args *a, int i)
{
    const int lane = (a->packed_at + i) % 16;
    attend_block b = { .a = a, .at = i - lane, .i0 = lane, .i1 = lane, .first = a->first[i],
                       .s = a->scratch, .lanes = a->scratch + BLOCK_Q * KV_CHUNK };
    if (!a->packed_q || a->type != QT_F32 || a->n_base > 0 || a->head_dim % 16 != 0
        || a->row_bytes != (size_t)a->head_dim * sizeof(float))
        return 0;
    for (; b.i1 < BLOCK_Q && b.at + b.i1 < a->n_q; b.i1++) {
        const int last = a->last[b.at + b.i1];
        if (a->first[b.at + b.i1] != b.first || last <= b.first) break;
        if (last > b.last) b.last = last;
    }
    if (b.i1 - b.i0 < BLOCK_MIN) return 0;
    attend_in_block(&b);
    return b.i1 - b.i0;
}

#endif
