/* net_work.h - what one thread works with: shared by the parts of the net.
 * Rows are padded so that a column of them does not fall into few sets of the cache. */
#ifndef LORY_TRAINER_NET_WORK_H
#define LORY_TRAINER_NET_WORK_H

#include "net.h"

enum { QUERY_BLOCK = 96, HEAD_BLOCK = 96 }; /* rows of attention scores, of logits, at once */

/* Floats from row to row: an odd number of cache lines. n is a multiple of 32. */
static inline ptrdiff_t row_of(int n)
{
    return n + 16;
}

typedef struct {
    float *x;              /* [n_ctx, n_embd] what enters */
    float *qkv;            /* [n_ctx, n_q + 2 n_kv] rotated */
    float *a;              /* [n_ctx, n_q] of attention */
    float *lse;            /* [n_head, n_ctx] log of the sums of the softmax */
    float *mid;            /* [n_ctx, n_embd] after attention */
    float *gu;             /* [n_ctx, 2 n_ff] gate, up */
    float *r_attn, *r_ffn; /* [n_ctx] 1 / rms of x and mid */
} layer_work;

struct net_work {
    void *block;           /* all of the below */
    layer_work *layer;     /* [n_layer]; without gradient they share one memory */
    float *x;              /* [n_ctx, n_embd] after the last layer */
    float *h;              /* [n_ctx, n_embd] after a norm */
    float *y;              /* [n_ctx, n_embd] what a layer adds */
    float *s;              /* [n_ctx, n_ff] after SwiGLU */
    float *r_out;          /* [n_ctx] */
    float *logits;         /* [HEAD_BLOCK, n_vocab] */
    float *kt, *vt;        /* [head_dim, n_ctx] of one head, transposed */
    float *score, *dscore; /* [QUERY_BLOCK, n_ctx] */
    float *dx, *dh;        /* [n_ctx, n_embd] */
    float *dqkv, *dgu, *ds;
    net_speed speed;
    float spun; /* of measuring it */
};

void work_product(const net *n, net_work *k, const vec_product *p);
void attend(const net *n, net_work *k, layer_work *l, const int *start);
/* From k->dh, the gradient of l->a, to k->dqkv. */
void attend_back(const net *n, net_work *k, const layer_work *l, const int *start);

#endif
