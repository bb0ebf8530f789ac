/* llama_file.h - what a LLaMA-shaped model is in a GGUF file: its keys, and its tensors in order.
 * Part of tools/train and tools/make_model. */
#ifndef LORY_TOOLS_COMMON_LLAMA_FILE_H
#define LORY_TOOLS_COMMON_LLAMA_FILE_H

#include "gguf/gguf_write.h"

typedef struct {
    int n_embd, n_layer, n_head, n_kv_head, n_ff, n_vocab, n_ctx;
    float rope_theta, norm_eps;
} llama_shape;

void llama_put_keys(gguf_writer *w, const llama_shape *s);

typedef struct {
    char name[48];
    int n_rows, n_cols; /* n_rows 0: a vector of n_cols */
    size_t n;           /* elements */
} llama_tensor;

/* The tensors: the embedding, those of each layer as below, the last norm; the output is the
 * embedding. False when there is no tensor i. */
enum {
    LLAMA_ATTN_NORM,
    LLAMA_Q,
    LLAMA_K,
    LLAMA_V,
    LLAMA_OUT,
    LLAMA_FFN_NORM,
    LLAMA_GATE,
    LLAMA_UP,
    LLAMA_DOWN,
    LLAMA_A_LAYER,
};
bool llama_tensor_at(const llama_shape *s, int i, llama_tensor *t);
void llama_add_tensor(gguf_writer *w, const llama_tensor *t, qtype type);

#endif
