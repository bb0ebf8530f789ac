/* weights.h - binds the tensors of a file to the roles of a recipe, shapes checked.
 * Layer: model. Weights point into the mapped file; only vectors that are not stored as f32 are
 * converted, into the arena. Immutable after weights_bind. */
#ifndef LORY_MODEL_WEIGHTS_H
#define LORY_MODEL_WEIGHTS_H

#include "base/mem.h"
#include "model/hparams.h"
#include "model/recipe.h"

typedef struct {
    const void *data;  /* [n_rows, k] of `type`; of experts, or by head, so many times; a vector is
                          [1, k] of f32; NULL = not in the file */
    const void *const *slice; /* [n_expert] where each expert's rows are, in files that have a
                                 tensor for each; else NULL */
    const float *bias; /* [n_rows], of experts [n_expert, n_rows], of a vector [k], of rows
                        that serve as f32 [n_rows, k]; or NULL */
    qtype type;
    int n_rows, k;
    size_t row_bytes;
} weight;

typedef struct {
    weight *layer;                           /* [n_layer][W_LAYER_COUNT] */
    int n_layer;                             /* that the file has: those of one loop */
    weight global[W_COUNT - W_LAYER_COUNT];
    mem_arena arena;
} weights;

typedef struct {
    uint64_t bits[(W_COUNT + 63) / 64]; /* role r: bit r % 64 of word r / 64 */
} role_set;

static inline bool role_in(role_set set, int role)
{
    return set.bits[role / 64] >> role % 64 & 1;
}

static inline void role_add(role_set *set, int role)
{
    set->bits[role / 64] |= (uint64_t)1 << role % 64;
}

/* Finds every role of `wanted` that the file has, under the names of weights.c's table; tensors
 * that hold several roles (attn_qkv) are bound as views. Fails when a tensor of the file has no
 * such role (it would be left out of the sum in silence), when a shape is not what the
 * hyper-parameters say, or when memory can't be had. A role that the file lacks stays absent:
 * whether it may is the recipe's to say. Without output.weight the token embedding serves. */
bool weights_bind(weights *w, const gguf *g, const hparams *hp, role_set wanted, lory_err *err);
void weights_free(weights *w);

/* il is ignored for roles of the whole model. */
const weight *weights_get(const weights *w, int il, lory_role role);
/* Whether the file has it: its values, or the bias where there is nothing else. */
bool weights_has(const weights *w, int il, lory_role role);
/* The roles among `wanted` whose rows a tensor of this name and number of rows holds, one after the
 * other: as a rule one, of "blk.3.attn_qkv.weight" three; 0 when there is none.
 * Their layer in *il. */
enum { WEIGHTS_MAX_PARTS = 3 };
int weights_roles(const hparams *hp, role_set wanted, gguf_str name, int64_t n_rows, int *il,
                  lory_role part[WEIGHTS_MAX_PARTS]);
/* Whether a tensor, or bias, is of one of the `wanted` roles, or one that is passed over. hp NULL:
 * in a layer of any number, of any shape. */
bool weights_has_role(const hparams *hp, role_set wanted, const gguf_tensor *t);
/* The role that `one` of w has in its layer or in the model. */
lory_role weights_role_of(const weights *w, int n_layer, const weight *one);
/* The tensor name of a role, "blk.3.attn_q.weight", into name; returns name. */
const char *weights_name(lory_role role, int il, char *name, size_t cap);

#endif
