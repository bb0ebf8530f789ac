/* vocab_tokens.h - the tokens of a vocabulary on its way to GGUF, as the readers of its forms fill
 * them in.
 * Layer: convert. Owned by one conversion. */
#ifndef LORY_CONVERT_VOCAB_TOKENS_H
#define LORY_CONVERT_VOCAB_TOKENS_H

#include "base/mem.h"
#include "gguf/gguf.h"
#include "text/json.h"
#include "token/vocab.h"

enum { HF_BOS, HF_EOS, HF_UNK, HF_SEP, HF_PAD, HF_CLS, HF_MASK, HF_EOT, HF_EOM, HF_ID_COUNT };
enum { HF_UNSAID = -1 }; /* of a yes or no, or of an id */

typedef struct { /* tokens that a text has before or behind its own */
    size_t n;
    int64_t id; /* of the first; HF_UNSAID: it is not said */
} hf_around;

typedef struct {
    const char *model; /* tokenizer.ggml.model; NULL: the folder has no tokenizer */
    const char *pre;   /* tokenizer.ggml.pre */
    size_t n;          /* tokens: rows of the embedding */
    gguf_str *texts;   /* [n] */
    float *scores;     /* [n] */
    int32_t *types;    /* [n] token_type */
    bool has_scores;
    gguf_str *merges; /* [n_merges] "left right"; unless there are scores, which then say it all */
    size_t n_merges;
    int32_t ids[HF_ID_COUNT]; /* HF_UNSAID: none */
    int add_bos, add_eos, add_sep; /* 0, 1 or HF_UNSAID, like the next */
    int add_space_prefix, remove_extra_whitespaces;
    bool is_json;    /* read from a tokenizer.json, which says what it does itself */
    bool has_around; /* a tokenizer.json says what stands around a text: */
    hf_around before, behind;
    gguf_str charsmap; /* of SentencePiece's normaliser */
    size_t n_dropped;  /* tokens with ids that the embedding has no rows for */
    size_t n_spaced;   /* tokens that take white space along, or are found as whole words only */
    bool lacks_nfc;    /* no name in GGUF says that the text is brought to normal form C */
    mem_arena arena;   /* owns the texts and arrays */
} hf_vocab;

/* The text is copied. Later calls for the same id win. */
bool hf_vocab_set(hf_vocab *v, int64_t id, gguf_str text, token_type type, float score,
                  lory_err *err);
/* {"token": id, ..} */
bool hf_vocab_map(hf_vocab *v, const json *map, const char *path, lory_err *err);
/* An entry of "added_tokens" or its like: type by `is_special` and by looks. */
bool hf_vocab_add(hf_vocab *v, int64_t id, gguf_str text, bool is_special, lory_err *err);
/* Counts what GGUF can't say of an entry of "added_tokens" or its like. */
void hf_vocab_count_spaced(hf_vocab *v, const json *token);
bool hf_vocab_no_memory(const hf_vocab *v, lory_err *err);

void hf_vocab_free(hf_vocab *v);

#endif
