/* named_tokens.h - the tokens that a grammar asks for as tokens, not as text: <think>, <[1000]>.
 * Layer: sample.
 *
 * Where a grammar has such a token its automaton reads TOKEN_MARK, a byte that no text has, and a
 * character: the number of the token among those that are named, or OTHER_TOKEN. So ! before a
 * token is a class of characters, and nothing else of a grammar knows that there are tokens. */
#ifndef LORY_SAMPLE_NAMED_TOKENS_H
#define LORY_SAMPLE_NAMED_TOKENS_H

#include "sample/syntax.h"
#include "sample/token_trie.h"

typedef struct {
    syntax_token name;
    lory_token id; /* once it is bound */
} named_token;

typedef struct {
    named_token *at; /* [n] */
    size_t n;
    mem_arena names;
    uint64_t *others; /* [n_words] bits: the tokens that may be OTHER_TOKEN, once it is bound */
} named_tokens;       /* zeroed = none */

bool named_tokens_copy(named_tokens *l, const syntax *s, lory_err *err);
void named_tokens_free(named_tokens *l);

/* Finds them in a vocabulary. LORY_E_ARGUMENT names one that is not there, is more than one token,
 * ends a generation or is another one once more; LORY_E_MEMORY. */
bool named_tokens_bind(named_tokens *l, const token_trie *t, lory_err *err);

/* The number of a token of the vocabulary. */
uint32_t named_tokens_number(const named_tokens *l, lory_token id);

/* Whether a text begins with a token as grammars write them: one of the list, or any <[N]>. *n gets
 * its bytes. */
bool named_tokens_find(const named_tokens *l, const char *text, size_t n_text, uint32_t *number,
                       size_t *n);

#endif
