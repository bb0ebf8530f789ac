/* token_trie.h - the tokens of a vocabulary by their bytes, in the order in which a grammar tries
 * them.
 * Layer: sample. Immutable once built; owned by the model.
 *
 * Only tokens that are text are in it: no control tokens, none without bytes, none that ends a
 * generation. There are two tries, one behind the other: short tokens of plain ASCII (no quote, no
 * backslash), which inside most texts are all allowed or nearly so, then the others. */
#ifndef LORY_SAMPLE_TOKEN_TRIE_H
#define LORY_SAMPLE_TOKEN_TRIE_H

#include "token/tokenizer.h"

/* A set of bytes. */
typedef struct {
    uint64_t bits[4];
} byte_set;

typedef struct {
    uint32_t end;    /* the node behind all that lie below this one; they follow it */
    uint32_t first;  /* its own tokens are token[first] up to the next node's first */
    uint32_t set;    /* of the bytes below it, sets[set - 1]; 0: too few nodes to have one */
    uint16_t depth;  /* bytes from the root, whose depth is 0 */
    uint16_t height; /* most bytes below it */
    uint8_t byte;
} trie_node;

typedef struct {
    const tokenizer *t; /* outlives it */
    trie_node *node;    /* [n_nodes] and one behind them; the two roots are node 0 and root[1] */
    uint32_t n_nodes, root[2];
    lory_token *token; /* [n_tokens] those of a node and all below it lie together */
    uint32_t n_tokens;
    byte_set *sets;
    size_t n_sets;
    uint64_t *plain;    /* [n_words] bits: the tokens of the first trie */
    uint64_t *no_blank; /* [n_words] bits: tokens that lose a blank at the start of a text */
    bool drops_blank;   /* there are such */
    lory_token *end;    /* [n_ends] tokens that end a generation */
    uint32_t n_ends;
    size_t n_words; /* of a mask, a bit for each of the n_vocab tokens */
    int n_vocab;    /* of the logits */
    int max_depth;
} token_trie;

/* LORY_E_UNSUPPORTED: a vocabulary whose text can't be told token by token. */
token_trie *token_trie_new(const tokenizer *t, int n_vocab, lory_err *err);
void token_trie_free(token_trie *t); /* accepts NULL */

/* The bytes of a token, none when it is no text, in the running text or (at_start) at the beginning
 * of one. */
const char *token_trie_text(const token_trie *tt, lory_token id, bool at_start, size_t *n);

static inline bool mask_has(const uint64_t *mask, lory_token id)
{
    return mask[id / 64] >> (id % 64) & 1;
}

static inline void mask_put(uint64_t *mask, lory_token id)
{
    mask[id / 64] |= (uint64_t)1 << (id % 64);
}

#endif
