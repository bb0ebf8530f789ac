/* weights.h - binds the tensors of a file to the roles of a recipe, shapes checked.
 * Layer: model. Weights point into the mapped file; only vectors that are not stored as f32 are
 * converted, into the arena. Immutable after weights_bind. */
#ifndef LORY_MODEL_WEIGHTS_H
#define LORY_MODEL_WEIGHTS_H

#include "base/mem.h"
#include "model/roles.h"

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

/* Finds every role of `wanted` that the file has, under the names of roles.c's table; tensors
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
/* The role that `one` of w has in its layer or in the model. */
lory_role weights_role_of(const weights *w, int n_layer, const weight *one);

#endif
