/* tensors.h - the tensors of a GGUF file made of those of a Hugging Face folder: which becomes
 * which, and their rows on demand, whatever has to be permuted, stacked or unpacked on the way.
 * Layer: convert. Immutable once planned; memory is a few words a tensor. */
#ifndef LORY_CONVERT_TENSORS_H
#define LORY_CONVERT_TENSORS_H

#include "convert/family.h"
#include "convert/folder.h"

typedef struct hf_output hf_output;

typedef struct {
    size_t n, cap;
    gguf_tensor *infos; /* [n] name, shape and the type in which it will be written */
    hf_output *outputs; /* [n] what it is made of */
    qtype type;         /* of most matrices */
    bool has_mxfp4;
    buf unused; /* names of the source's tensors that nothing is made of, a line each, with
                           '*' for numbers and "(N)" behind those that stand for several */
    const hf_folder *folder; /* the source */
    mem_arena arena;
} hf_tensors;

/* Of the config's folder. `wanted`: a type, or QT_COUNT: as most of the source is. A tensor that
 * the family does not know, or one that is missing in a layer, is an error. On failure *t is
 * freed. */
bool tensors_plan(hf_tensors *t, const hf_family *family, config *c, const hf_shape *shape,
                  qtype wanted, lory_err *err);
void tensors_free(hf_tensors *t);
/* Room for n_more; false: no memory. */
bool tensors_reserve(hf_tensors *t, size_t n_more);

/* A retype_row and a retype_bytes (see retype.h); `source` is a hf_tensors. */
void tensors_row(const void *source, const gguf_tensor *t, int64_t row, float *out);
bool tensors_bytes(const void *source, const gguf_tensor *t, int64_t row, void *out);
void tensors_done(const void *source, const gguf_tensor *t); /* a retype_done */

/* Weights of the tensors, counted as models are named: all; and of one expert of each. */
typedef struct {
    uint64_t n_total, n_shared, n_expert; /* of tensors that are not experts; of one expert each */
} tensors_count;
tensors_count tensors_weights(const hf_tensors *t);

#endif
