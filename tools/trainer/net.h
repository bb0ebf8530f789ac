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

typedef struct {
    net_matrix qkv;     /* Q, K, V one after another */
    net_matrix out;     /* of attention */
    net_matrix gate_up; /* gate, then up */
    net_matrix down;
    size_t attn_norm, ffn_norm;
} net_layer;

typedef struct {
    net_shape s;
    const vec_table *v;
    int head_dim, n_q, n_kv; /* rows of Q, and of K or V */
    size_t n_params;         /* floats; every tensor begins at a multiple of 32 */
    size_t n_matrix;         /* of them in matrices, which come first; then the norms */
    net_matrix embd;
    net_layer layer[NET_MAX_LAYER];
    size_t out_norm;
    const float *w;        /* [n_params] the caller's; net_pack follows a change */
    float *by_out, *by_in; /* [n_matrix] panels of outputs, for x W^T; of inputs, for dy W */
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
    size_t at;
    int n_rows, n_cols; /* n_rows 0: a vector of n_cols */
} net_tensor;
bool net_tensor_at(const net *n, int i, net_tensor *t);

/* One window. */
typedef struct {
    const lory_token *token;  /* [n_ctx] */
    const lory_token *target; /* [n_ctx] the token to predict; -1 = none */
    const int *start;         /* [n_ctx] where the text of each token begins; ascending */
} net_window;

typedef struct {
    float rate;  /* share of each layer's output that is dropped; 0 = none */
    float token; /* share of the tokens that the model does not see */
    uint64_t seed;
    uint64_t position; /* of the window among all: what the draws depend on */
} net_dropout;

typedef struct net_work net_work;
net_work *net_work_new(const net *n, bool with_gradient, lory_err *err);
void net_work_free(net_work *k);
/* Multiply-adds of products so far and the processor seconds they took; beside them, in between,
 * those of a loop in registers that shows what the processor could do just then. */
typedef struct {
    double n_macs, seconds, peak_macs, peak_seconds;
} net_speed;
net_speed net_work_speed(const net_work *k);

/* Sum of -log p(target), and the number of targets. */
typedef struct {
    double loss;
    int64_t n_targets;
} net_loss;

net_loss net_forward(const net *n, net_work *k, const net_window *win, const net_dropout *drop);
/* The same, and the gradient of the loss: is_first = grad [n_params] is written, else added to. */
net_loss net_gradient(const net *n, net_work *k, const net_window *win, const net_dropout *drop,
                      float *grad, bool is_first);

#endif
