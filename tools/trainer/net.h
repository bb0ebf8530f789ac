/* net.h - a LLaMA-shaped decoder and its gradient: RMSNorm, RoPE (neighbouring pairs), grouped
 * queries, SwiGLU, embeddings shared with the head.
 *
 * A net is the layout of the parameters and copies of the matrices packed for products, read by any
 * number of threads. A net_work is the memory that one thread needs for one window of n_ctx tokens.
 * Windows hold several texts: a token attends to those of its own text only. */
#ifndef LORY_TRAINER_NET_H
#define LORY_TRAINER_NET_H

#include "lory.h"
#include "vec.h"

/* ---- layout ------------------------------------------------------------------------------- */

enum { NET_MAX_LAYER = 64 };

typedef struct {
    int n_embd, n_layer, n_head, n_kv_head, n_ff, n_vocab, n_ctx;
    float rope_theta, norm_eps;
} net_shape;

/* Widths and n_vocab must be multiples of 32, heads too. */
bool net_shape_check(const net_shape *s, lory_err *err);

typedef struct {
    size_t at;          /* of its first element among the parameters */
    int n_rows, n_cols; /* outputs, inputs */
} net_matrix;

/* The matrices of a layer: Q, K, V one after another; of attention; gate, then up; down. */
enum { NET_QKV, NET_OUT, NET_GATE_UP, NET_DOWN, NET_A_LAYER };

typedef struct {
    net_shape s;
    const vec_table *v;
    int head_dim, n_q, n_kv; /* rows of Q, and of K or V */
    size_t n_params;         /* floats; every tensor begins at a multiple of 32 */
    size_t n_in_matrices;    /* of them, which come first; then the norms, n_embd each */
    net_matrix embd, layer[NET_MAX_LAYER][NET_A_LAYER];
    const float *w;        /* [n_params] the caller's; net_pack follows a change */
    float *by_out, *by_in; /* [n_in_matrices] panels of outputs, for x W^T; of inputs, for dy W */
    float *cos_sin;        /* [n_ctx, head_dim / 2, 2] */
} net;

bool net_init(net *n, const net_shape *s, const vec_table *v, lory_err *err);
void net_free(net *n);
/* Random weights: normal, standard deviation 0.5 / sqrt(inputs), less where a layer adds to the
 * residual; norms are 1. */
void net_init_weights(const net *n, uint64_t seed, float *w);
/* Packs n->w, whenever it has changed; thread ith of nth does its share. */
void net_pack(const net *n, int ith, int nth);

/* A tensor as the file has it, i = 0, 1 ...; false at the end. */
typedef struct {
    char name[64];
    size_t at, n;       /* floats */
    int n_rows, n_cols; /* n_rows 0: a vector of n_cols */
} net_tensor;
bool net_tensor_at(const net *n, int i, net_tensor *t);

/* ---- one window --------------------------------------------------------------------------- */

typedef struct {
    lory_token *token;  /* [n_ctx] */
    lory_token *target; /* [n_ctx] the token to predict; -1 = none */
    int *start;         /* [n_ctx] where the text of each token begins; ascending */
} net_window;

typedef struct {
    float rate; /* share of each layer's output that is dropped; 0 = none */
    uint64_t seed;
    uint64_t position; /* of the window among all: what the draws depend on */
} net_dropout;

/* Multiply-adds of products so far and the processor seconds they took; beside them, in between,
 * those of a loop in registers that shows what the processor could do just then. */
typedef struct {
    double n_macs, seconds, peak_macs, peak_seconds;
} net_speed;

enum { QUERY_BLOCK = 96, HEAD_BLOCK = 96 }; /* rows of attention scores, of logits, at once */

typedef struct {
    float *x;              /* [n_ctx, n_embd] what enters */
    float *qkv;            /* [n_ctx, n_q + 2 n_kv] rotated */
    float *a;              /* [n_ctx, n_q] of attention */
    float *lse;            /* [n_head, n_ctx] log of the sums of the softmax */
    float *mid;            /* [n_ctx, n_embd] after attention */
    float *gu;             /* [n_ctx, 2 n_ff] gate, up */
    float *r_attn, *r_ffn; /* [n_ctx] 1 / rms of x and mid */
} net_layer_work;

typedef struct {
    const net *n;
    const net_window *win; /* the one at hand, */
    const net_dropout *drop;
    float *grad;                      /* [n_params] what the way back adds to; NULL = no way back */
    bool is_first;                    /* nothing is there yet: it is written */
    void *block;                      /* all of the below; rows are row_of(n) floats apart */
    net_layer_work *layer;            /* [n_layer] */
    float *x;                         /* [n_ctx, n_embd] after the last layer */
    float *h;                         /* [n_ctx, n_embd] after a norm */
    float *y;                         /* [n_ctx, n_embd] what a layer adds */
    float *s;                         /* [n_ctx, n_ff] after SwiGLU */
    float *r_out;                     /* [n_ctx] 1 / rms of x */
    float *logits;                    /* [HEAD_BLOCK, n_vocab] */
    float *kt, *vt;                   /* [head_dim, n_ctx] of one head, transposed */
    float *score, *dscore;            /* [QUERY_BLOCK, n_ctx] */
    float *dx, *dh, *dqkv, *dgu, *ds; /* gradients of x, h, qkv, gu, s */
    net_speed speed;
    float spun; /* of measuring it */
} net_work;

/* Floats from row to row: an odd number of cache lines, so that a column does not fall into few
 * sets of the cache. n is a multiple of 32. */
static inline ptrdiff_t row_of(int n)
{
    return n + 16;
}

net_work *net_work_new(const net *n, lory_err *err);
void net_work_free(net_work *k);

/* Sum of -log p(target), and the number of targets. */
typedef struct {
    double loss;
    int64_t n_targets;
} net_loss;

/* The loss of a window and, unless grad is NULL, its gradient: is_first = grad [n_params] is
 * written, else added to. */
net_loss net_run(net_work *k, const net_window *win, const net_dropout *drop, float *grad,
                 bool is_first);

/* ---- attention, in attend.c --------------------------------------------------------------- */

void net_product(net_work *k, const vec_product *p); /* and its time */
void net_attend(net_work *k, net_layer_work *l);
void net_attend_back(net_work *k, const net_layer_work *l); /* from k->dh to k->dqkv */

#endif
