/* recipe.h - the vocabulary in which an architecture is written: ops, slots, weight roles, steps.
 * Layer: model. Data only. A recipe is a list of steps that ends with END; engine/plan lowers it.
 *
 * A slot is an array of one row per token of the batch. Widths come from the hyper-parameters. */
#ifndef LORY_MODEL_RECIPE_H
#define LORY_MODEL_RECIPE_H

#include <stdint.h>

typedef enum {
    OP_END,
    /* what recipes are made of: dst = op(src, weight) */
    OP_EMBED,     /* dst = the weight's row of each token */
    OP_RMS_NORM,  /* Zhang & Sennrich 2019, arXiv:1910.07467 */
    OP_HEAD_NORM, /* in place: RMS norm of each head's head_dim values, one weight for all heads */
    OP_MATMUL,    /* dst = src . weight^T, plus the bias if the file has one */
    OP_ROPE,      /* in place: rotary positions; Su et al. 2021, arXiv:2104.09864 */
    OP_ATTEND,    /* stores K and V in the cache; dst = causal attention of src over the cache */
    OP_ADD,       /* dst += src */
    OP_SILU_MUL,  /* dst = silu(dst) * src; Shazeer 2020, arXiv:2002.05202 */
    /* what only lowering makes */
    OP_PICK,      /* dst = the rows of src whose logits are wanted */
    OP_INPUT,     /* src, after an optional norm, in the forms that the next matmul reads */
    OP_STORE,     /* K and V into the cache */
    OP_COUNT
} lory_op;

typedef enum {
    X,      /* [n_embd] the residual stream */
    H,      /* [n_embd] input or output of a sub-layer */
    Q,      /* [n_head * head_dim] */
    K,      /* [n_kv_head * head_dim] */
    V,      /* [n_kv_head * head_dim] */
    A,      /* [n_head * head_dim] attention's output */
    G,      /* [n_ff] gate */
    U,      /* [n_ff] up */
    F,      /* [n_embd] output of the feed-forward layer */
    LOGITS, /* [n_vocab] */
    PICKED, /* [n_embd] X of the rows whose logits are wanted; only lowering uses it */
    SLOT_COUNT
} lory_slot;

/* Roles of weights: tensor names and shapes are one row each in weights.c. The layers' roles come
 * first, then those of the whole model. */
typedef enum {
    W_ATTN_NORM, W_ATTN_Q, W_ATTN_K, W_ATTN_V, W_Q_NORM, W_K_NORM, W_ATTN_OUT,
    W_FFN_NORM, W_FFN_GATE, W_FFN_UP, W_FFN_DOWN,
    W_LAYER_COUNT,
    W_TOK_EMBD = W_LAYER_COUNT, W_OUT_NORM, W_OUTPUT, W_ROPE_FREQS,
    W_COUNT,
    W_NONE = W_COUNT
} lory_role;

enum { OPT = 1 }; /* the step is dropped when the file has no such weight */

typedef struct {
    uint8_t op, dst, src, role, flags;
} lory_step;

#define END { OP_END, 0, 0, W_NONE, 0 }

#endif
