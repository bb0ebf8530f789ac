/* llama2c.h - reads checkpoints of karpathy/llama2.c (export.py) and their tokenizer.bin.
 * Layer: gguf. Everything a checkpoint points to lies in its mapping and is read-only.
 *
 * Version 0 has no magic: seven int32 (dim, hidden_dim, n_layers, n_heads, n_kv_heads, vocab_size,
 * seq_len; vocab_size < 0: the output matrix is not the embedding), then float32 tensors, among
 * them the unused tables of RoPE. Versions 1 (float32) and 2 (int8 in groups with a float32 scale)
 * have a header of 256 bytes: "ak42" as a number, version, the seven, a byte "shared", and in
 * version 2 the group size. Tensors of one role lie together, layer after layer. Query and key rows
 * are interleaved for RoPE as GGUF's llama has them. */
#ifndef LORY_GGUF_LLAMA2C_H
#define LORY_GGUF_LLAMA2C_H

#include "base/file.h"
#include "base/mem.h"
#include "gguf/gguf.h"

typedef struct {
    file_map map;
    int version; /* 0, 1, 2 */
    int n_embd, n_ff, n_layer, n_head, n_kv_head, n_vocab, n_ctx;
    int group_size;  /* weights that share a scale; 0 in versions 0 and 1 */
    bool has_output; /* an output matrix of its own */
    size_t n_tensors;
    gguf_tensor *tensors; /* [n_tensors] under GGUF's names, type f32; in version 2 the data of a
                             matrix is int8 [n] and then float32 scales [n / group_size] */
    char *names;          /* of the tensors */
} llama2c;

/* Every header field and the size of the file are checked. On failure *c is closed. */
bool llama2c_open(llama2c *c, const char *path, lory_err *err);
void llama2c_close(llama2c *c);

/* Row `row` of a tensor as ne[0] floats; `c` is a llama2c (a retype_row, see retype.h). */
void llama2c_row(const void *c, const gguf_tensor *t, int64_t row, float *out);

/* A tokenizer.bin as GGUF's SentencePiece vocabulary. */
typedef struct {
    size_t n;
    gguf_str *texts; /* [n] U+2581 for spaces; "<s>" and "</s>" for ids 1 and 2 */
    float *scores;   /* [n] */
    int32_t *types;  /* [n] 1 normal, 2 unknown, 3 control, 6 byte */
    mem_arena arena; /* owns all of it */
} llama2c_vocab;

/* The file must hold n_vocab tokens, no fewer and no more. On failure *v is freed. */
bool llama2c_read_vocab(llama2c_vocab *v, const char *path, int n_vocab, lory_err *err);
void llama2c_free_vocab(llama2c_vocab *v);

#endif
