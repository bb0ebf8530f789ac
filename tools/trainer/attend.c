/* attend.c - attention of a window and its gradient, head by head, QUERY_BLOCK queries at once.
 * Scores are not kept: the way back makes them again from the log of their sums. */
#include "net_work.h"
#include <math.h>
#include <string.h>

/* One head: where its rows begin, and how far apart they are. */
typedef struct {
    const float *q, *k, *v;
    ptrdiff_t row; /* of q, k, v */
    float scale;
} head;

static head head_of(const net *n, const layer_work *l, int ih)
{
    int ikv = ih / (n->s.n_head / n->s.n_kv_head);
    const float *k = l->qkv + n->n_q + ikv * n->head_dim;
    return (head){ l->qkv + ih * n->head_dim, k, k + n->n_kv, row_of(n->n_q + 2 * n->n_kv),
                   1.0f / sqrtf((float)n->head_dim) };
}

/* Queries [i0, i1), and the keys [lo, hi) that any of them attends to. */
typedef struct {
    int i0, i1, lo, hi;
} block;

static block block_at(const net *n, const int *start, int i0)
{
    int i1 = i0 + QUERY_BLOCK < n->s.n_ctx ? i0 + QUERY_BLOCK : n->s.n_ctx;
    return (block){ i0, i1, start[i0] / VEC_PANEL * VEC_PANEL, i1 };
}

static void transpose(int n_row, int n_col, const float *x, ptrdiff_t x_row, float *t,
                      ptrdiff_t t_row)
{
    for (int i = 0; i < n_row; i++)
        for (int j = 0; j < n_col; j++) t[j * t_row + i] = x[i * x_row + j];
}

static void fill(float *x, int n, float value)
{
    for (int i = 0; i < n; i++) x[i] = value;
}

/* Sets what query i0 + i may not see in its row of keys [lo, hi). */
static void mask(const block *b, const int *start, float *s, ptrdiff_t row, float value)
{
    for (int i = b->i0; i < b->i1; i++) {
        float *at = s + (i - b->i0) * row;
        fill(at, start[i] - b->lo, value);
        fill(at + (i + 1 - b->lo), b->hi - i - 1, value);
    }
}

/* k->score = x[i0 .. i1) t[.., lo .. hi) of one head */
static void scores(const net *n, net_work *k, const block *b, const float *x, ptrdiff_t x_row,
                   const float *t, float *out)
{
    work_product(n, k,
                 &(vec_product){ .m = b->i1 - b->i0,
                                 .n = b->hi - b->lo,
                                 .k = n->head_dim,
                                 .a = x + b->i0 * x_row,
                                 .a_row = x_row,
                                 .a_col = 1,
                                 .b = t + b->lo,
                                 .b_panel = VEC_PANEL,
                                 .b_row = row_of(n->s.n_ctx),
                                 .c = out,
                                 .c_row = row_of(n->s.n_ctx) });
}

void attend(const net *n, net_work *k, layer_work *l, const int *start)
{
    ptrdiff_t s_row = row_of(n->s.n_ctx), a_row = row_of(n->n_q);
    for (int ih = 0; ih < n->s.n_head; ih++) {
        head h = head_of(n, l, ih);
        if (ih % (n->s.n_head / n->s.n_kv_head) == 0)
            transpose(n->s.n_ctx, n->head_dim, h.k, h.row, k->kt, s_row);
        for (int i0 = 0; i0 < n->s.n_ctx; i0 += QUERY_BLOCK) {
            block b = block_at(n, start, i0);
            scores(n, k, &b, h.q, h.row, k->kt, k->score);
            mask(&b, start, k->score, s_row, -INFINITY);
            for (int i = b.i0; i < b.i1; i++)
                l->lse[ih * n->s.n_ctx + i] =
                    n->v->softmax(b.hi - b.lo, k->score + (i - b.i0) * s_row, h.scale);
            work_product(n, k,
                         &(vec_product){ .m = b.i1 - b.i0,
                                         .n = n->head_dim,
                                         .k = b.hi - b.lo,
                                         .a = k->score,
                                         .a_row = s_row,
                                         .a_col = 1,
                                         .b = h.v + b.lo * h.row,
                                         .b_panel = VEC_PANEL,
                                         .b_row = h.row,
                                         .c = l->a + b.i0 * a_row + ih * n->head_dim,
                                         .c_row = a_row });
        }
    }
}

/* dx[lo .. hi) += s^T y[i0 .. i1): what the keys, or values, get from a block of queries. */
static void give(const net *n, net_work *k, const block *b, const float *s, const float *y,
                 ptrdiff_t y_row, float *dx, ptrdiff_t dx_row)
{
    work_product(n, k,
                 &(vec_product){ .m = b->hi - b->lo,
                                 .n = n->head_dim,
                                 .k = b->i1 - b->i0,
                                 .a = s,
                                 .a_row = 1,
                                 .a_col = row_of(n->s.n_ctx),
                                 .b = y + b->i0 * y_row,
                                 .b_panel = VEC_PANEL,
                                 .b_row = y_row,
                                 .c = dx + b->lo * dx_row,
                                 .c_row = dx_row,
                                 .add = true });
}

static void back_block(const net *n, net_work *k, const layer_work *l, const int *start, int ih,
                       int i0)
{
    head h = head_of(n, l, ih);
    block b = block_at(n, start, i0);
    ptrdiff_t s_row = row_of(n->s.n_ctx), a_row = row_of(n->n_q);
    const float *da = k->dh + ih * n->head_dim, *a = l->a + ih * n->head_dim;
    float *dq = k->dqkv + (h.q - l->qkv), *dk = k->dqkv + (h.k - l->qkv), *dv = dk + n->n_kv;
    scores(n, k, &b, h.q, h.row, k->kt, k->score);
    for (int i = b.i0; i < b.i1; i++)
        n->v->exp_minus(b.hi - b.lo, k->score + (i - b.i0) * s_row, h.scale,
                        l->lse[ih * n->s.n_ctx + i]);
    mask(&b, start, k->score, s_row, 0.0f);
    give(n, k, &b, k->score, da, a_row, dv, h.row);
    scores(n, k, &b, da, a_row, k->vt, k->dscore);
    for (int i = b.i0; i < b.i1; i++)
        n->v->softmax_back(b.hi - b.lo, k->score + (i - b.i0) * s_row,
                           n->v->dot(n->head_dim, da + i * a_row, a + i * a_row), h.scale,
                           k->dscore + (i - b.i0) * s_row);
    work_product(n, k,
                 &(vec_product){ .m = b.i1 - b.i0,
                                 .n = n->head_dim,
                                 .k = b.hi - b.lo,
                                 .a = k->dscore,
                                 .a_row = s_row,
                                 .a_col = 1,
                                 .b = h.k + b.lo * h.row,
                                 .b_panel = VEC_PANEL,
                                 .b_row = h.row,
                                 .c = dq + b.i0 * h.row,
                                 .c_row = h.row });
    give(n, k, &b, k->dscore, h.q, h.row, dk, h.row);
}

void attend_back(const net *n, net_work *k, const layer_work *l, const int *start)
{
    ptrdiff_t row = row_of(n->n_q + 2 * n->n_kv), s_row = row_of(n->s.n_ctx);
    memset(k->dqkv, 0, (size_t)(n->s.n_ctx * row) * sizeof *k->dqkv);
    for (int ih = 0; ih < n->s.n_head; ih++) {
        head h = head_of(n, l, ih);
        if (ih % (n->s.n_head / n->s.n_kv_head) == 0) {
            transpose(n->s.n_ctx, n->head_dim, h.k, h.row, k->kt, s_row);
            transpose(n->s.n_ctx, n->head_dim, h.v, h.row, k->vt, s_row);
        }
        for (int i0 = 0; i0 < n->s.n_ctx; i0 += QUERY_BLOCK) back_block(n, k, l, start, ih, i0);
    }
}
