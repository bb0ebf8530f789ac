/* hparams.h - the hyper-parameters of a model, read from GGUF keys and checked once.
 * Layer: model. Plain data; immutable after hparams_read. */
#ifndef LORY_MODEL_HPARAMS_H
#define LORY_MODEL_HPARAMS_H

#include "gguf/gguf.h"

typedef enum { ROPE_SCALE_NONE, ROPE_SCALE_LINEAR, ROPE_SCALE_YARN } rope_scaling;

typedef struct {
    int n_vocab;      /* tokens: rows of token_embd.weight */
    int n_ctx_train;  /* tokens: ARCH.context_length */
    int n_embd;       /* ARCH.embedding_length */
    int n_layer;      /* ARCH.block_count */
    int n_head;       /* ARCH.attention.head_count */
    int n_kv_head;    /* ARCH.attention.head_count_kv, else n_head */
    int head_dim;     /* ARCH.attention.key_length, else n_embd / n_head */
    int n_ff;         /* ARCH.feed_forward_length */
    int n_rot;        /* ARCH.rope.dimension_count, else head_dim: rotated values of a head */
    float norm_eps;   /* ARCH.attention.layer_norm_rms_epsilon */
    float attn_scale; /* of q.k: 1 / sqrt(head_dim) */

    /* ARCH.rope.freq_base and ARCH.rope.scaling.*; YaRN: Peng et al. 2023, arXiv:2309.00071 */
    rope_scaling rope_scaling;
    float rope_theta;
    float rope_factor;      /* how many times longer than the original context */
    int rope_n_ctx_orig;    /* tokens */
    float yarn_attn_factor; /* multiplies the magnitude; 1 by default */
    float yarn_beta_fast, yarn_beta_slow; /* rotations where the ramp ends and begins */
} hparams;

/* Reads the keys of architecture `arch` (their prefix) in a file that has tensors. On failure err
 * names file and key: LORY_E_FORMAT (missing, wrong kind, out of range, inconsistent) or
 * LORY_E_UNSUPPORTED (values that differ from layer to layer, unknown rope scaling). */
bool hparams_read(hparams *hp, const gguf *g, const char *arch, lory_err *err);

#endif
