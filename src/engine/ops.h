/* ops.h - what the steps of a plan do: one function an op, called on every thread of the team.
 * Layer: engine. The table of them is in exec.c. */
#ifndef LORY_ENGINE_OPS_H
#define LORY_ENGINE_OPS_H

#include "engine/exec.h"

typedef struct {
    exec *e;
    int ith, nth;
} op_ctx;

typedef void op_fn(const op_ctx *c, const plan_step *s);

op_fn op_embed, op_position, op_pick, op_norm;                                  /* op_rows.c */
op_fn op_head_norm, op_head_layer_norm, op_copy_heads, op_split_heads;          /* op_rows.c */
op_fn op_layer_mix, op_layer_scale, op_gate_heads, op_gate_values;              /* op_rows.c */
op_fn op_clamp, op_rope, op_mla_kv, op_add, op_restart, op_gate;                /* op_rows.c */
op_fn op_scale, op_soft_cap, op_hide, op_temperature, op_mla_latent;            /* op_rows.c */
op_fn op_weigh, op_sparsify, op_predict, op_correct;                            /* op_streams.c */
op_fn op_spread, op_level, op_merge;                                            /* op_streams.c */
op_fn op_input, op_matmul, op_activate, op_head_matmul;                         /* op_matmul.c */
op_fn op_store, op_attend;                                                      /* op_attend.c */
op_fn op_short_conv, op_conv, op_decay, op_delta, op_norm_gate;                 /* op_recur.c */
op_fn op_scan, op_scan_channels, op_split_inner, op_gate_norm;                  /* op_recur.c */
op_fn op_conv_of, op_softplus, op_bias, op_kda, op_norm_sigmoid;                /* op_kda.c */
op_fn op_token_mix, op_token_mix_by, op_tanh, op_sigmoid;                       /* op_rwkv.c */
op_fn op_first_values, op_value_mix, op_wkv6, op_gla, op_wkv7;                  /* op_rwkv.c */
op_fn op_lora, op_expert_lora;                                                  /* op_lora.c */
op_fn op_route, op_group, op_expert_weigh, op_expert_input;                     /* op_experts.c */
op_fn op_experts, op_expert_sum;                                                /* op_experts.c */

/* Shows the step's input to the observer, if it is a product (observe.c). */
void op_show_input(const op_ctx *c, const plan_step *s);

/* Rows [r0, r1) of an adapted product, whose own part stands in out: out += b t of each adapter. */
typedef struct {
    const plan_lora *lora; /* may be NULL */
    size_t i_matrix;       /* the expert; else 0 */
    const float *t;        /* [n_tok, ld_t] rows of slot LR or ELR */
    size_t ld_t;
    int n_tok, r0, r1;
    float *out;            /* [n_tok, ld_out] from column r0 on */
    size_t ld_out;
} lora_args;
/* At the end of the thread's scratch, where there are adapters: b t of some rows and tokens, and a
 * row of t. The products in between use the beginning. */
enum {
    LORA_TILE_ROWS = 256,
    LORA_TILE_TOKENS = 64,
    LORA_TILE = LORA_TILE_ROWS * LORA_TILE_TOKENS,
    OP_LORA_SCRATCH_BYTES = (LORA_TILE + LORA_MAX_RANK) * (int)sizeof(float)
};
void op_add_lora(const op_ctx *c, const lora_args *a);
/* dst += what adapters make of token id's embedding. */
void op_embed_lora(const op_ctx *c, const plan_lora *l, lory_token id, float *dst);

/* Thread ith's share [first, last) of n things. */
static inline void op_share(const op_ctx *c, int n, int *first, int *last)
{
    parts_share(c->ith, c->nth, n, first, last);
}

/* Thread ith's tokens of a batch whose products' input is prepared. */
static inline void op_share_inputs(const op_ctx *c, int *first, int *last)
{
    const int n_row = c->e->n_row;
    op_share(c, (n_row + X_QUAD - 1) / X_QUAD, first, last);
    *first *= X_QUAD;
    *last = *last * X_QUAD < n_row ? *last * X_QUAD : n_row;
    if (*first > n_row) *first = n_row;
}

/* What threads have left of a step. Two neighbours have their own: threads need not meet between
 * them. */
static inline parts_left *op_left(const op_ctx *c, const plan_step *s)
{
    return c->e->left + (s - c->e->plan.step) % 2 * c->e->par.n_threads;
}

static inline float *op_row(const exec *e, int slot, int it)
{
    return e->slot[slot] + (size_t)it * e->ld[slot];
}

/* The prepared f32 row `it`. One row: every thread prepares it for itself, which costs less than
 * meeting. */
static inline float *op_input_row(const op_ctx *c, int it)
{
    return c->e->input_f32 + (size_t)(c->e->n_row == 1 ? c->ith : it) * c->e->ld_input;
}

/* The f32 rows that a product reads. */
static inline const float *op_product_input(const op_ctx *c, const plan_step *s, size_t *ld)
{
    *ld = s->prepared ? c->e->ld_input : c->e->ld[s->src];
    return s->prepared ? op_input_row(c, 0) : op_row(c->e, s->src, 0);
}

static inline void *op_scratch(const op_ctx *c)
{
    return c->e->thread_scratch + (size_t)c->ith * c->e->thread_bytes;
}

/* The norm `op` of n = w->k values. */
void op_norm_row(const exec *e, const plan_step *s, int op, const float *x, float *y);

/* Bytes of the thread's scratch that attention and the choice of experts need. */
size_t op_attend_scratch_bytes(const hparams *hp);
size_t op_route_scratch_bytes(const hparams *hp);
/* And products; one by heads has its input behind the product's own part. */
size_t op_matmul_scratch_bytes(const hparams *hp);
/* Bytes that the team shares: 0 when no attention is ever cut. */
size_t op_attend_parts_bytes(const exec *e);
/* Whether the batch at hand is one token whose heads the team should cut. */
bool op_attend_is_cut(const exec *e);

#endif
