/* kind.h - what a tokenizer algorithm must provide: one file tok_*.c, one row in tokenizer.c.
 * Layer: token, private to it. */
#ifndef LORY_TOKEN_KIND_H
#define LORY_TOKEN_KIND_H

#include "token/tokenizer.h"
#include "token/tokens.h"

enum {
    KIND_CUTS_USER_DEFINED = 1, /* text is cut at user-defined tokens before the algorithm */
    KIND_NEEDS_SCORES = 2,
    KIND_NEEDS_MERGES = 4,
    KIND_STRIPS_FIRST_BLANK = 8, /* a decoded text loses the blank that encoding put before it */
    KIND_HOLDS_LAST_BLANK = 16,  /* and the one behind its last word */
    KIND_SPACES_SPECIAL = 32,    /* a control token that is shown has a blank before it */
    KIND_SHOWS_UNKNOWN = 64,     /* put_piece is asked for unknown tokens too */
    KIND_NO_SPECIAL = 128,       /* control tokens are never read from text */
    KIND_ALWAYS_BOS = 256,       /* whatever the file says: those files say it wrongly */
};

struct tokenizer_kind {
    const char *name; /* tokenizer.ggml.model */
    vocab_defaults defaults;
    unsigned flags;
    /* Changes the defaults by what the file says, or refuses it. NULL: nothing to change. */
    bool (*adjust)(const gguf *g, vocab_defaults *d, lory_err *err);
    /* Appends the bytes of a token in running text. Called for each token at init, before
     * `init`; never for control tokens. NULL: the bytes of the file. */
    bool (*put_piece)(const vocab *v, int32_t id, buf *out);
    /* Builds t->state from t->v and t->piece. On failure `free` is called. */
    bool (*init)(tokenizer *t, lory_err *err);
    void (*free)(void *state); /* NULL when there is no state */
    /* Scratch of one call of tokenizer_encode. n = bytes of the whole text. NULL = no memory. */
    void *(*scratch_new)(const tokenizer *t, size_t n);
    void (*scratch_free)(void *scratch);
    /* Appends the tokens of s[0..n), n > 0, which lies between special tokens. */
    bool (*encode)(const tokenizer *t, void *scratch, const char *s, size_t n, lory_tokens *out,
                   lory_err *err);
};

extern const tokenizer_kind kind_spm, kind_bpe, kind_unigram, kind_wpm, kind_rwkv, kind_gpt1,
    kind_gemma4, kind_plamo2, kind_none;

#endif
