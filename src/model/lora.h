/* lora.h - a LoRA adapter: beside a weight W a pair of thin matrices, y = W x + scale * b (a x).
 * Hu et al. 2021, arXiv:2106.09685. The file is GGUF as llama.cpp's converter writes it:
 * general.type "adapter", adapter.type "lora", adapter.lora.alpha, and for each weight NAME the
 * tensors NAME.lora_a and NAME.lora_b.
 * Layer: model. Immutable once open; shared by any number of sessions of the model it was opened
 * for. Matrices of f32, f16 and bf16 stay in the mapped file, others become f32 in the arena. */
#ifndef LORY_MODEL_LORA_H
#define LORY_MODEL_LORA_H

#include "model/model.h"

enum { LORA_MAX_RANK = 8192 };

typedef struct {
    weight a; /* [rank, k]; of experts [n_expert, rank, k]; of the token embedding [n_vocab, rank];
                 data NULL = the adapter leaves this weight as it is */
    weight b; /* [n_rows, rank]; of experts so many times, each b_step rows after the last */
    int b_step;
    float scale; /* alpha / rank; 1 where the file has no alpha */
} lora_pair;

struct lory_lora {
    gguf file;
    const model *m;   /* that it was opened for */
    lora_pair *layer; /* [n_layer][W_LAYER_COUNT] */
    lora_pair global[W_COUNT - W_LAYER_COUNT];
    int n_pairs;
    uint64_t size_bytes; /* of the tensors, and of those that became f32 */
    mem_arena arena;
    lory_lora *next; /* of the adapters that one model owns */
};

/* LORY_E_FORMAT or _UNSUPPORTED name file, tensor and numbers: it is no LoRA adapter, of another
 * architecture, of another model's shapes, or changes what lory can't change. */
bool lora_open(lory_lora *l, const model *m, const char *path, lory_err *err);
void lora_close(lory_lora *l); /* accepts a zeroed one */

/* The pair beside `w`, one of the model's weights; NULL when there is none. */
const lora_pair *lora_find(const lory_lora *l, const weight *w);

#endif
