/* plan.h - a model's recipes lowered to one flat array of steps, and the sizes they need.
 * Layer: engine. Immutable once made; belongs to the exec that runs it.
 *
 * Lowering drops the optional steps whose weights the file lacks, replaces patterns (plan.c's
 * passes) and says after which steps the team must meet. Fused or not, the bits are the same. */
#ifndef LORY_ENGINE_PLAN_H
#define LORY_ENGINE_PLAN_H

#include "model/lora.h"

typedef enum {
    SYNC_NONE, /* the next step reads only what the same thread wrote */
    SYNC_MANY, /* so when the batch is one row; with more the team meets */
    SYNC_HEADS, /* as SYNC_MANY, but it also meets when the heads' attention is cut (exec.is_cut) */
    SYNC_ALL,  /* the team meets */
} plan_sync;

enum { PLAN_MAX_FUSED = 4, PLAN_MAX_WEIGHTS = 6 }; /* matmuls in one step; weights of any */

/* An adapter's part of one product: y += b t, where t = scale * (a x) is made by the step before
 * the product, but of an embedding by itself. */
typedef struct plan_lora {
    const lora_pair *pair;
    float scale;  /* the pair's times what the user gave */
    int at;       /* t's place in a row of slot LR or ELR */
    bool is_made; /* the same t is another part's, of an earlier product of the step */
    const struct plan_lora *next;
} plan_lora;

typedef struct {
    uint8_t op;      /* lory_op */
    uint8_t sync;    /* plan_sync, after the step */
    uint8_t src;     /* lory_slot */
    uint8_t dst[PLAN_MAX_FUSED];
    uint8_t n_matmul; /* OP_MATMUL: products of the same input, w[i] -> dst[i] */
    int16_t il;      /* -1: of no layer */
    int src_width, dst_width; /* floats of a row of src and of dst[0], in this layer */
    bool prepared;  /* OP_MATMUL: reads what OP_INPUT prepared, else slot src */
    uint8_t then;   /* OP_MATMUL: then this activation of dst[0] (with dst[1]), or OP_END */
    uint8_t norm;   /* OP_INPUT: after this norm of src, or OP_END */
    float norm_eps; /* of a norm */
    bool add;       /* OP_MATMUL: then slot X += dst[0], times the residual scale */
    bool want_f32;  /* OP_INPUT, OP_EXPERT_INPUT: prepares f32 rows */
    bool want_i8;   /* OP_INPUT, OP_EXPERT_INPUT: prepares int8 activations */
    bool want_tiles; /* OP_INPUT: prepares tiles of floats, in a batch of many tokens; in one of
                        few f32 rows, unless they are in the slot as they are */
    const weight *w[PLAN_MAX_WEIGHTS]; /* OP_INPUT: w[0] is the norm's weight */
    const plan_lora *lora[PLAN_MAX_FUSED]; /* beside w[i], in the adapters' order; NULL = none */
} plan_step;

typedef struct {
    plan_step *step; /* [n_step] */
    int n_step;
    int n_body;      /* steps before the head, which runs on the picked rows only */
    int width[SLOT_COUNT]; /* floats of the longest row of each slot; 0 = not used */
    int max_input;   /* the widest prepared input, floats */
    int max_tiles;   /* the widest one in tiles */
    int max_pair_input; /* the widest prepared input of a (token, expert) pair, floats */
    plan_lora *lora; /* [n_lora] */
    int n_lora;
} plan;

/* What to lower. */
typedef struct {
    bool fuse; /* false leaves every step of the recipes on its own: for tests */
    const lory_lora_use *lora; /* [n_lora] adapters; those of scale 0 are left out */
    size_t n_lora;
} plan_params;

/* LORY_E_MEMORY. */
bool plan_make(plan *p, const model *m, const plan_params *par, lory_err *err);
void plan_free(plan *p); /* accepts a zeroed one */

/* Floats that a step reads of its source's row. */
int plan_input_width(const plan_step *s);

static inline bool plan_is_expert_slot(int slot)
{
    return (slot >= EX && slot <= CU) || slot == ELR;
}

/* OP_HEAD_MATMUL: by streams, and not by heads. */
static inline bool plan_has_streams(const plan_step *s)
{
    return s->dst[0] == XS || s->dst[0] == XO;
}

const char *plan_op_name(lory_op op);
const char *plan_slot_name(lory_slot slot);

#endif
