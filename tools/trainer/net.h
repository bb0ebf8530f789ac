/* net.h - a LLaMA-shaped decoder and its gradient: RMSNorm, RoPE (neighbouring pairs), grouped
 * queries, SwiGLU, embeddings shared with the head.
 *
 * A net is the layout of the parameters, read by any number of threads. A net_work is the memory
 * that one thread needs for one window of n_ctx tokens. Windows hold several texts: a token attends
 * to those of its own text only. */
#ifndef LORY_TRAINER_NET_H
#define LORY_TRAINER_NET_H

#include "../common/llama_file.h"
#include "vec.h"

enum { NET_MAX_LAYER = 64, NET_MAX_TENSOR = NET_MAX_LAYER * LLAMA_A_LAYER + 2 };

/* Widths, n_vocab and n_ctx must be multiples of VEC_STEP, the width of a head too. */
bool net_shape_check(const llama_shape *s, lory_err *err);

typedef struct {
    llama_shape s;
    const vec_table *v;
    int head_dim, n_kv; /* rows of K, or of V */
    float scale;        /* of attention scores */
    int n_tensor;
    llama_tensor tensor[NET_MAX_TENSOR];
    size_t at[NET_MAX_TENSOR]; /* of a tensor's first element among the parameters: Q, K and V of a
                                  layer, and gate and up, one after another */
    size_t n_params;           /* floats; every tensor begins at a multiple of VEC_STEP */
    size_t n_in_matrices;      /* of them, which come first; then the norms */
    float *w;                  /* [n_params] the caller's */
    float *cos_sin;            /* [n_ctx, head_dim / 2, 2] */
} net;

bool net_init(net *n, const llama_shape *s, const vec_table *v, lory_err *err);
void net_free(net *n);
/* Random weights: normal, standard deviation 0.5 / sqrt(inputs), less where a layer adds to the
 * residual; norms are 1. */
void net_init_weights(const net *n, uint64_t seed, float *w);

/* ---- one window --------------------------------------------------------------------------- */

typedef struct {
    lory_token token;
    lory_token target; /* the token to predict; -1 = none */
    int start;         /* where the text of the token begins; ascending */
} net_place;

typedef struct {
    float rate; /* share of each layer's output that is dropped; 0 = none */
    uint64_t seed;
    uint64_t position; /* of the window among all: what the draws depend on */
} net_dropout;

/* Multiply-adds of products and the processor seconds they took; beside them, in between,
 * those of a loop in registers that shows what the processor could do just then. */
typedef struct {
    double n_macs, seconds, peak_macs, peak_seconds;
} net_speed;

typedef struct net_work net_work;
net_work *net_work_new(const net *n, lory_err *err);
void net_work_free(net_work *k);
void net_take_speed(net_work *k, net_speed *sum); /* adds what it was since this was called */

/* Sum of -log p(target), and the number of targets. */
typedef struct {
    double loss;
    int64_t n_targets;
} net_loss;

/* The loss of a window [n_ctx] and, unless grad is NULL, its gradient, added to grad [n_params]. */
net_loss net_run(net_work *k, const net_place *win, const net_dropout *drop, float *grad);

#endif
