/* tokenizer.h - text <-> token ids, by the rules of the model that a GGUF file holds.
 * Layer: token. A tokenizer is owned by its model; it points into the mapping of the gguf, which
 * must outlive it. Immutable after tokenizer_init: any number of threads may encode and decode.
 *
 * A text is first cut at special tokens (trie, leftmost longest); what lies between goes to the
 * algorithm of the vocabulary, a row of the table at the foot of tokenizer.c. */
#ifndef LORY_TOKEN_TOKENIZER_H
#define LORY_TOKEN_TOKENIZER_H

#include "gguf/gguf.h"
#include "lory.h"
#include "token/lookup.h"
#include "token/trie.h"
#include "token/vocab.h"

typedef struct tokenizer_kind tokenizer_kind;

typedef struct {
    vocab v;
    const tokenizer_kind *kind;
    str_table piece;       /* [v.n] bytes of each token in running text; "" for control tokens */
    buf piece_bytes;       /* what `piece` points into, and */
    uint32_t *piece_start; /* [v.n + 1] */
    trie special;          /* control, unknown and, where the kind wants it, user-defined tokens */
    bool special_first[256]; /* bytes that a special token begins with */
    void *state;             /* the kind's own */
} tokenizer;

/* LORY_E_UNSUPPORTED names an unknown tokenizer.ggml.model or .pre and those that are known. */
bool tokenizer_init(tokenizer *t, const gguf *g, lory_err *err);
void tokenizer_free(tokenizer *t);

/* Part [start, end) of a text. */
typedef struct {
    size_t start, end;
} text_range;

typedef struct {
    const char *s; /* [n] any bytes, at most 1 GiB */
    size_t n;
    unsigned flags;          /* LORY_ADD_SPECIAL, LORY_PARSE_SPECIAL */
    const text_range *plain; /* [n_plain] ascending and apart: what a user wrote; no special token
                                is read that touches one, whatever the flags say */
    size_t n_plain;
} tokenizer_text;

/* Appends the tokens to *out; on failure *out is as it was. */
bool tokenizer_encode(const tokenizer *t, const tokenizer_text *text, lory_tokens *out,
                      lory_err *err);

/* The bytes of one token in running text, owned by the tokenizer; "" for control tokens. */
const char *tokenizer_piece(const tokenizer *t, lory_token id, size_t *n);

size_t tokenizer_n_vocab(const tokenizer *t);
bool tokenizer_is_end(const tokenizer *t, lory_token id);
bool tokenizer_is_text(const tokenizer *t, lory_token id); /* no special, unused or end token */
/* Whether a decoded text that begins with the token lacks the token's leading blank. */
bool tokenizer_drops_first_blank(const tokenizer *t, lory_token id);
/* Whether the token, which added n bytes to the start of a decoded text, was the last to lack its
 * leading blank. Where encoding trims, as SentencePiece's may, pieces lack theirs until there is
 * some text. */
bool tokenizer_ends_start(const tokenizer *t, lory_token id, size_t n);
/* Whether a decoded text lacks the blank that its last word ends with. */
bool tokenizer_holds_last_blank(const tokenizer *t);
lory_token tokenizer_bos(const tokenizer *t); /* -1 = none */
lory_token tokenizer_eos(const tokenizer *t);

/* ---- streaming detokenizer: lory_detok of lory.h ------------------------------------------- */

typedef struct {
    const tokenizer *t;
    unsigned flags;   /* LORY_SHOW_SPECIAL: of the next token */
    bool at_start;    /* tokenizer_ends_start of no token yet: a leading blank may go */
    bool holds_blank; /* a blank goes before the next token, if there is one */
    buf text;         /* what the last call handed out, then what is held back */
    size_t n_handed;  /* bytes of `text` handed out */
} detok;

void detok_init(detok *d, const tokenizer *t, unsigned flags, bool continues);
/* What follows stands behind this token, of whose text only the last blank is not yet out. */
void detok_follow(detok *d, lory_token id);
void detok_free(detok *d);
bool detok_put(detok *d, lory_token id, const char **text, size_t *n, lory_err *err);
void detok_flush(detok *d, const char **text, size_t *n);

#endif
