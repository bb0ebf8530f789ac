/* token_check.h - texts to ids and back, for tests of tokenizers. */
#ifndef LORY_TESTS_TOKEN_CHECK_H
#define LORY_TESTS_TOKEN_CHECK_H

#include "base/buf.h"
#include "tiny_vocab.h"

enum { ADD = LORY_ADD_SPECIAL, PARSE = LORY_PARSE_SPECIAL };

void token_open_tiny(tiny_vocab *v, tiny_kind kind);

/* Appends the ids of s[0..n). */
bool token_encode(const tokenizer *t, const char *s, size_t n, unsigned flags, lory_tokens *out);
/* The ids as "1 2 3". */
void token_put_ids(buf *out, const lory_tokens *ids);
/* continues: the ids go on with a text. */
void token_decode(const tokenizer *t, const lory_tokens *ids, unsigned flags, bool continues,
                  buf *out);

/* The ids of s are `want`; the text of ids, given as "1 2 3", is. */
void token_check_ids(int line, const tokenizer *t, const char *s, unsigned flags, const char *want);
void token_check_text(int line, const tokenizer *t, const char *ids_text, unsigned flags,
                      const char *want);
#define IDS(t, s, flags, want) token_check_ids(__LINE__, t, s, flags, want)
#define TEXT(t, ids, flags, want) token_check_text(__LINE__, t, ids, flags, want)

#endif
