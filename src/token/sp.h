/* sp.h - what the SentencePiece algorithms and their like share: how pieces are written,
 * user-defined and byte pieces, where words end, and the normalisation of text.
 * Layer: token, private to tok_*.c. Source: sentencepiece normalizer.cc.
 *
 * Blanks are U+2581 in the file and plain blanks here, in pieces and in text. */
#ifndef LORY_TOKEN_SP_H
#define LORY_TOKEN_SP_H

#include "token/tokenizer.h"

/* What the state of each of them begins with. */
typedef struct {
    trie user; /* user-defined pieces */
    bool has_user;
    bool has_bytes; /* all 256 byte pieces: unknown characters become bytes */
    int32_t byte_id[256];
    uint32_t *units; /* [n_units] the charsmap's double array; NULL = none */
    size_t n_units;
    uint64_t *joins;     /* bits, by bigram of characters: some piece has them side by side */
    bool is_calm[256];   /* stays as it is before an ASCII byte and at the end of the text */
    const char *strings; /* [n_strings] what it maps to, each ended by a NUL; in the gguf */
    size_t n_strings;
} sp_base;

bool sp_put_piece(const vocab *v, int32_t id, buf *out); /* tokenizer_kind.put_piece */
bool sp_put_plain(buf *out, const char *s, size_t n);    /* every U+2581 becomes a blank */

/* Whether text can become this token: a normal, user-defined or unused piece. */
bool sp_is_matched(const vocab *v, size_t id);

/* What a token is matched by: its piece, or in ChatGLM-6B the name that prepared text has. */
const char *sp_match_text(const tokenizer *t, size_t id, size_t *n);

bool sp_init(sp_base *b, const tokenizer *t, lory_err *err); /* sp_free also after a failure */
void sp_free(sp_base *b);

/* Appends the text as the model sees it: mapped by the charsmap, blanks trimmed, one put before,
 * as the vocabulary says. False when memory can't be had. */
bool sp_normalize(const sp_base *b, const vocab *v, const char *s, size_t n, buf *out);

/* Where the word that starts at s[0] ends: between two characters that no piece has side by side,
 * such as a letter and a blank. No merge reaches over that place, so that words can be cut into
 * pieces one by one. */
size_t sp_word_end(const sp_base *b, const char *s, size_t n);

/* Puts what stands for a character that is no piece: its bytes, or the unknown token, which is not
 * repeated: *last_is_unknown says that the last token was it. */
bool sp_put_unknown(const tokenizer *t, const char *s, size_t n, bool *last_is_unknown,
                    lory_tokens *out, lory_err *err);

#endif
