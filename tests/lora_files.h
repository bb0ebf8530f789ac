/* lora_files.h - adapters with random values for a model file, that file with them merged into its
 * weights in double precision, and the logits of both, for tests. */
#ifndef LORY_TESTS_LORA_FILES_H
#define LORY_TESTS_LORA_FILES_H

#include "engine/session.h"
#include "gguf/gguf_write.h"

typedef struct {
    uint32_t seed;
    int rank;
    float alpha; /* 0: the key is left out */
    qtype type;
} adapter;

/* From -1 to 1. */
float lora_random(uint32_t *x);

void lora_write(const gguf *base, const adapter *a, const char *path);

/* A base tensor with n adapters merged, as f32. n 0: as it is. */
void lora_write_merged(gguf_writer *w, const gguf_tensor *t, const adapter *a, const float *scale,
                       int n);
/* The base in f32 with n adapters merged. An output tied to the embedding stays as it was. */
void lora_write_model(const gguf *base, const adapter *a, const float *scale, int n,
                      const char *path);

/* ---- logits, to compare -------------------------------------------------------------------- */

enum { LORA_N_TOK = 90 };

extern const lory_session_params lora_plain;

/* All logits [LORA_N_TOK, n_vocab] of the test's tokens, in pieces of `cut`; kn NULL: this
 * machine's kernels. To be freed. */
float *lora_logits(const model *m, const lory_session_params *p, size_t cut,
                   const lory_kernels *kn);
/* The greatest difference over the range of the logits. */
double lora_distance(const model *m, const float *a, const float *b);

#endif
