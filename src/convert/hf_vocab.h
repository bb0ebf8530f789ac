/* hf_vocab.h - the vocabulary of a Hugging Face folder, in whichever of its forms, as GGUF's keys.
 * Layer: convert. Owned by one conversion. */
#ifndef LORY_CONVERT_HF_VOCAB_H
#define LORY_CONVERT_HF_VOCAB_H

#include "convert/folder.h"
#include "gguf/gguf_write.h"
#include "token/vocab.h"

enum { HF_BOS, HF_EOS, HF_UNK, HF_SEP, HF_PAD, HF_CLS, HF_MASK, HF_EOT, HF_EOM, HF_ID_COUNT };
enum { HF_UNSAID = -1 }; /* of a yes or no, or of an id */

typedef struct {
    const char *model; /* tokenizer.ggml.model; NULL: the folder has no tokenizer */
    const char *pre;   /* tokenizer.ggml.pre */
    size_t n;          /* tokens: rows of the embedding */
    gguf_str *texts;   /* [n] */
    float *scores;     /* [n] */
    int32_t *types;    /* [n] token_type */
    bool has_scores;
    gguf_str *merges; /* [n_merges] "left right" */
    size_t n_merges;
    int32_t ids[HF_ID_COUNT]; /* HF_UNSAID: none */
    int add_bos, add_eos;     /* 0, 1 or HF_UNSAID, like the next */
    int add_space_prefix, remove_extra_whitespaces;
    gguf_str charsmap; /* of SentencePiece's normaliser */
    size_t n_dropped;  /* tokens with ids that the embedding has no rows for */
    mem_arena arena;   /* owns the texts and arrays */
} hf_vocab;

/* n_rows of the embedding; `arch`: general.architecture. Tokens that the files do not name become
 * "[PAD7]", unused. A form that is not known is an error; a folder without any form is not.
 * On failure *v is freed. */
bool hf_vocab_read(hf_vocab *v, const hf_folder *f, int64_t n_rows, const char *arch,
                   lory_err *err);
void hf_vocab_put(const hf_vocab *v, gguf_writer *w);
void hf_vocab_free(hf_vocab *v);

/* ---- for the readers of the forms ---------------------------------------------------------- */

/* The text is copied. Later calls for the same id win. */
bool hf_vocab_set(hf_vocab *v, int64_t id, gguf_str text, token_type type, float score,
                  lory_err *err);
/* An entry of "added_tokens" or its like: type by `is_special` and by looks. */
bool hf_vocab_add(hf_vocab *v, int64_t id, gguf_str text, bool is_special, lory_err *err);
bool hf_vocab_no_memory(const hf_vocab *v, lory_err *err);

bool read_tokenizer_json(hf_vocab *v, const json *root, const char *path, const char *arch,
                         lory_err *err);
bool read_sentencepiece(hf_vocab *v, const buf *bytes, const char *path, lory_err *err);
bool read_bpe_files(hf_vocab *v, const hf_folder *f, const char *arch, lory_err *err);
bool read_tiktoken(hf_vocab *v, const buf *bytes, const char *path, const char *arch,
                   lory_err *err);
/* Appends what the text means to *out (NULL: looks only). False: it is no base64, or no memory. */
bool base64_decode(const char *s, size_t n, buf *out);
bool is_tiktoken(const buf *bytes);

/* The name of tokenizer.ggml.pre whose rule is that of a tokenizer.json; NULL with *err set,
 * naming what is not known. */
const char *pre_name(const json *root, const char *path, lory_err *err);

#endif
