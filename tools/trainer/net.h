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
} net;

/* Widths, n_vocab and n_ctx must be multiples of VEC_STEP, the width of a head too. */
bool net_init(net *n, const llama_shape *s, const vec_table *v, lory_err *err);
/* Random weights: normal, standard deviation 0.5 / sqrt(inputs), less where a layer adds to the
 * residual; norms are 1. */
void net_init_weights(const net *n, uint64_t seed, float *w);

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

/* What windows add up to. */
typedef struct {
    double loss, n_targets; /* -log p(target) */
    double n_macs, seconds; /* multiply-adds of products, their processor time */
    double peak_macs,
        peak_seconds; /* of a loop in registers, in between: what could be just then */
} net_sums;
void net_add_sums(net_sums *to, const net_sums *from);

typedef struct net_work net_work;
net_work *net_work_new(const net *n, lory_err *err); /* one block, for mem_free */
/* The loss of a window [n_ctx] and, unless grad is NULL, its gradient, added to grad [n_params]. */
net_sums net_run(net_work *k, const net_place *win, const net_dropout *drop, float *grad);

#endif
