/* weights.h - binds the tensors of a file to the roles of a recipe, shapes checked.
 * Layer: model. Weights point into the mapped file; only vectors that are not stored as f32 are
 * converted, into the arena. Immutable after weights_bind. */
#ifndef LORY_MODEL_WEIGHTS_H
#define LORY_MODEL_WEIGHTS_H

#include "base/mem.h"
#include "model/hparams.h"
#include "model/recipe.h"

typedef struct {
    const void *data;  /* [n_rows, k] of `type`; a vector is [1, k] of f32; NULL = not in the file */
    const float *bias; /* [n_rows], of a vector [k]; or NULL */
    qtype type;
    int n_rows, k;
    size_t row_bytes;
} weight;

typedef struct {
    weight *layer;                           /* [n_layer][W_LAYER_COUNT] */
    weight global[W_COUNT - W_LAYER_COUNT];
    mem_arena arena;
} weights;

/* Finds every role that the file has, under the names of weights.c's table. Fails when a tensor of
 * the file has no role (it would be left out of the sum in silence), when a shape is not what the
 * hyper-parameters say, or when memory can't be had. A role that the file lacks stays absent:
 * whether it may is the recipe's to say. Without output.weight the token embedding serves. */
bool weights_bind(weights *w, const gguf *g, const hparams *hp, lory_err *err);
void weights_free(weights *w);

/* il is ignored for roles of the whole model. */
const weight *weights_get(const weights *w, int il, lory_role role);
/* The tensor name of a role, "blk.3.attn_q.weight", into name; returns name. */
const char *weights_name(lory_role role, int il, char *name, size_t cap);

#endif
