/* trie.h - the prefixes of a text that are tokens: a trie as a double array, so that a step costs
 * one load whatever the fan-out.
 * Layer: token. Strings are added, then trie_freeze makes it ready; from then on immutable, and
 * any number of threads may read. Source: Aoe 1989, with XOR for the sum as in Darts-clone. */
#ifndef LORY_TOKEN_TRIE_H
#define LORY_TOKEN_TRIE_H

#include "lory.h"
#include <stddef.h>
#include <stdint.h>

/* A node is a cell. Its child by byte c lies at base ^ c, if that cell says so. */
typedef struct {
    uint32_t base;
    uint32_t parent; /* TRIE_FREE = no node */
    int32_t value;   /* -1 = no token ends here */
} trie_cell;

typedef struct trie_edges trie_edges;
typedef struct {
    trie_cell *cells;  /* [a multiple of 256]; NULL before trie_freeze */
    trie_edges *edges; /* what was added; NULL after it */
} trie;

enum { TRIE_ROOT = 0, TRIE_MAX_NODES = (1 << 24) - 1 };
#define TRIE_FREE UINT32_MAX

bool trie_init(trie *t, lory_err *err);
/* Adds a string, which must not be empty; of equal strings the first stays. */
bool trie_add(trie *t, const char *s, size_t n, int32_t value, lory_err *err);
bool trie_freeze(trie *t, lory_err *err);
void trie_free(trie *t);

/* The node below `node` by byte c; 0 when there is none. */
static inline uint32_t trie_step(const trie *t, uint32_t node, unsigned char c)
{
    uint32_t next = t->cells[node].base ^ c;
    return t->cells[next].parent == node ? next : 0;
}

/* The longest string of the trie that s[0..n) starts with: its length and *value; 0 when none. */
static inline size_t trie_longest(const trie *t, const char *s, size_t n, int32_t *value)
{
    uint32_t node = TRIE_ROOT;
    size_t len = 0;
    for (size_t i = 0; i < n && (node = trie_step(t, node, (unsigned char)s[i])); i++) {
        if (t->cells[node].value < 0) continue;
        len = i + 1;
        *value = t->cells[node].value;
    }
    return len;
}

#endif
