/* mix.h - quantisation mixes: a name such as q4_k_m, and which type each tensor of a model gets.
 * Layer: gguf. Constant data and pure functions.
 *
 * The mixes are those of llama.cpp (llama-quant.cpp), with the same names, rules and numbers: most
 * matrices get the mix's own type, those that the output depends on most get more bits. */
#ifndef LORY_GGUF_MIX_H
#define LORY_GGUF_MIX_H

#include "gguf/gguf.h"

typedef struct {
    const char *name;
    qtype type;            /* of most matrices */
    int file_type;         /* general.file_type */
    bool wants_importance; /* without an importance matrix the result is poor */
} mix_row;

enum { MIX_COUNT = 37 };
extern const mix_row mixes[MIX_COUNT];

/* The mix of that name (any case; q3_k, q4_k and q5_k are their _m), or NULL. */
const mix_row *mix_find(const char *name);

typedef struct {
    const mix_row *mix;
    bool is_pure;        /* every matrix gets the mix's own type */
    bool has_importance; /* of which some rules make a difference */
} mix_params;

/* The types of the model's tensors, types [g->n_tensors]: see retype.h. Vectors, biases and the
 * few matrices that engines use as floats keep theirs. Where a row is no whole number of blocks,
 * the next type with smaller blocks is taken, and f16 where even 32 does not divide it. Fails when
 * the keys that the rules look at are wrong. */
bool mix_choose(const mix_params *p, const gguf *g, qtype *types, lory_err *err);

#endif
