/* vocab.h - the vocabulary of a GGUF file: tokens, scores, kinds, merges, special ids and flags
 * (keys tokenizer.ggml.*), all checked.
 * Layer: token. Texts point into the mapping of the gguf, which must outlive the vocab. Immutable
 * once read. */
#ifndef LORY_TOKEN_VOCAB_H
#define LORY_TOKEN_VOCAB_H

#include "gguf/gguf.h"
#include "lory.h"

enum { VOCAB_MAX_TOKEN_BYTES = 65535 };

typedef enum { /* numbers of tokenizer.ggml.token_type */
               TOKEN_NORMAL = 1,
               TOKEN_UNKNOWN = 2,
               TOKEN_CONTROL = 3,
               TOKEN_USER_DEFINED = 4, /* matched in text as a whole, before anything else */
               TOKEN_UNUSED = 5,
               TOKEN_BYTE = 6, /* "<0x41>" */
} token_type;

/* What holds when the file does not say. Ids are -1 where there is no default. */
typedef struct {
    int32_t bos, eos, unk, sep, pad, mask;
    bool add_bos, add_eos, add_sep;
    bool add_space_prefix; /* a blank is put before the text */
    bool remove_extra_whitespaces;
    bool escape_whitespaces; /* blanks are U+2581 in the pieces */
} vocab_defaults;

typedef struct {
    const char *path;        /* of the file: the subject of errors */
    size_t n;                /* tokens, 1 .. INT32_MAX */
    gguf_str *text;          /* [n] as in the file */
    float *score;            /* [n], or NULL when the file has none */
    uint8_t *type;           /* [n] token_type */
    size_t n_byte;           /* tokens of type TOKEN_BYTE */
    bool *is_end;            /* [n] ends a generation */
    const gguf_kv *merges;   /* "left right" strings, or NULL */
    const gguf_kv *charsmap; /* bytes of tokenizer.ggml.precompiled_charsmap, or NULL */
    gguf_str model, pre;     /* tokenizer.ggml.model, .pre ("" when absent) */
    int32_t bos, eos, unk, sep, pad, mask; /* -1 = none */
    int32_t eot, eom, fim_pad, fim_rep, fim_sep;
    bool add_bos, add_eos, add_sep;
    bool add_space_prefix, remove_extra_whitespaces, escape_whitespaces;
    bool has_glm_text; /* the model is ChatGLM-6B: see glm_text.h */
    bool strips_after; /* Phi-3: white space behind a special token is dropped */
} vocab;

/* On failure *v is freed and err names file, key and what was found. */
bool vocab_read(vocab *v, const gguf *g, const vocab_defaults *defaults, lory_err *err);
void vocab_free(vocab *v);

/* Whether text is "<0xHH>": the byte, or -1. */
int vocab_byte_of(gguf_str text);

#endif
