/* attend.c - attention of a window and its gradient, head by head, QUERY_BLOCK queries at once.
 * Scores are not kept: the way back makes them again from the log of their sums. */
#include "net.h"
#include <math.h>
#include <string.h>

/* Queries [i0, i1) of a head, the keys [lo, hi) that any of them attends to, and where the rows of
 * the head begin in those of l->qkv. */
typedef struct {
    int i0, i1, lo, hi;
    int q, k, v;
    ptrdiff_t row; /* of l->qkv */
    float scale;
} block;

static block block_at(const net *n, const int *start, int ih, int i0)
{
    int i1 = i0 + QUERY_BLOCK < n->s.n_ctx ? i0 + QUERY_BLOCK : n->s.n_ctx;
    int k = n->n_q + ih / (n->s.n_head / n->s.n_kv_head) * n->head_dim;
    return (block){ i0,
                    i1,
                    start[i0] / VEC_PANEL * VEC_PANEL,
                    i1,
                    ih * n->head_dim,
                    k,
                    k + n->n_kv,
                    row_of(n->n_q + 2 * n->n_kv),
                    1.0f / sqrtf((float)n->head_dim) };
}

/* Whether this is the first of the heads that share their keys and values. */
static bool begins_group(const net *n, int ih)
{
    return ih % (n->s.n_head / n->s.n_kv_head) == 0;
}

/* t = x^T, for the n_ctx rows of a head. */
static void transpose(const net *n, const float *x, ptrdiff_t row, float *t)
{
    for (int i = 0; i < n->s.n_ctx; i++)
        for (int j = 0; j < n->head_dim; j++) t[j * row_of(n->s.n_ctx) + i] = x[i * row + j];
}

/* Sets what query i0 + i may not see in its row of keys [lo, hi). */
static void mask(const net *n, const block *b, const int *start, float *s, float value)
{
    for (int i = b->i0; i < b->i1; i++, s += row_of(n->s.n_ctx)) {
        for (int j = b->lo; j < start[i]; j++) s[j - b->lo] = value;
        for (int j = i + 1; j < b->hi; j++) s[j - b->lo] = value;
    }
}

/* s = x[i0 .. i1) t[.., lo .. hi): scores, or their gradient */
static void scores(net_work *k, const block *b, vec_rows x, const float *t, float *s)
{
    int m = b->i1 - b->i0, n = b->hi - b->lo;
    ptrdiff_t row = row_of(k->n->s.n_ctx);
    const vec_panels keys = { t + b->lo, VEC_PANEL, row };
    x.x += b->i0 * x.row;
    net_product(k, &(vec_product){ m, n, k->n->head_dim, x, keys, s, row, false });
}

/* y[i0 .. i1) = s x[lo .. hi): what queries take from values, or from keys on the way back */
static void take(net_work *k, const block *b, const float *s, const float *x, float *y,
                 ptrdiff_t y_row)
{
    int m = b->i1 - b->i0, depth = b->hi - b->lo;
    const vec_rows a = { s, row_of(k->n->s.n_ctx), 1 };
    const vec_panels values = { x + b->lo * b->row, VEC_PANEL, b->row };
    y += b->i0 * y_row;
    net_product(k, &(vec_product){ m, k->n->head_dim, depth, a, values, y, y_row, false });
}

/* dx[lo .. hi) += s^T y[i0 .. i1): what keys, or values, get from queries */
static void give(net_work *k, const block *b, const float *s, vec_panels y, float *dx)
{
    int m = b->hi - b->lo, depth = b->i1 - b->i0;
    const vec_rows a = { s, 1, row_of(k->n->s.n_ctx) };
    y.x += b->i0 * y.row;
    dx += b->lo * b->row;
    net_product(k, &(vec_product){ m, k->n->head_dim, depth, a, y, dx, b->row, true });
}

void net_attend(net_work *k, net_layer_work *l)
{
    const net *n = k->n;
    const int *start = k->win->start;
    for (int ih = 0; ih < n->s.n_head; ih++)
        for (int i0 = 0; i0 < n->s.n_ctx; i0 += QUERY_BLOCK) {
            block b = block_at(n, start, ih, i0);
            if (i0 == 0 && begins_group(n, ih)) transpose(n, l->qkv + b.k, b.row, k->kt);
            scores(k, &b, (vec_rows){ l->qkv + b.q, b.row, 1 }, k->kt, k->score);
            mask(n, &b, start, k->score, -INFINITY);
            for (int i = b.i0; i < b.i1; i++)
                l->lse[ih * n->s.n_ctx + i] =
                    n->v->softmax(b.hi - b.lo, k->score + (i - b.i0) * row_of(n->s.n_ctx), b.scale);
            take(k, &b, k->score, l->qkv + b.v, l->a + b.q, row_of(n->n_q));
        }
}

static void block_back(net_work *k, const net_layer_work *l, int ih, int i0)
{
    const net *n = k->n;
    const int *start = k->win->start;
    block b = block_at(n, start, ih, i0);
    ptrdiff_t s_row = row_of(n->s.n_ctx), a_row = row_of(n->n_q);
    const float *da = k->dh + b.q, *a = l->a + b.q;
    if (i0 == 0 && begins_group(n, ih)) {
        transpose(n, l->qkv + b.k, b.row, k->kt);
        transpose(n, l->qkv + b.v, b.row, k->vt);
    }
    scores(k, &b, (vec_rows){ l->qkv + b.q, b.row, 1 }, k->kt, k->score);
    for (int i = b.i0; i < b.i1; i++)
        n->v->exp_minus(b.hi - b.lo, k->score + (i - b.i0) * s_row, b.scale,
                        l->lse[ih * n->s.n_ctx + i]);
    mask(n, &b, start, k->score, 0.0f);
    give(k, &b, k->score, (vec_panels){ da, VEC_PANEL, a_row }, k->dqkv + b.v);
    scores(k, &b, (vec_rows){ da, a_row, 1 }, k->vt, k->dscore);
    for (int i = b.i0; i < b.i1; i++)
        n->v->softmax_back(b.hi - b.lo, k->score + (i - b.i0) * s_row,
                           n->v->dot(n->head_dim, da + i * a_row, a + i * a_row), b.scale,
                           k->dscore + (i - b.i0) * s_row);
    take(k, &b, k->dscore, l->qkv + b.k, k->dqkv + b.q, b.row);
    give(k, &b, k->dscore, (vec_panels){ l->qkv + b.q, VEC_PANEL, b.row }, k->dqkv + b.k);
}

void net_attend_back(net_work *k, const net_layer_work *l)
{
    const net *n = k->n;
    ptrdiff_t row = row_of(n->n_q + 2 * n->n_kv);
    memset(k->dqkv, 0, (size_t)(n->s.n_ctx * row) * sizeof *k->dqkv);
    for (int ih = 0; ih < n->s.n_head; ih++)
        for (int i0 = 0; i0 < n->s.n_ctx; i0 += QUERY_BLOCK) block_back(k, l, ih, i0);
}
