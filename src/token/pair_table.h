/* pair_table.h - the merges of byte-pair encoding: (left id, right id) -> rank and result.
 * Layer: token. Built once, then immutable. */
#ifndef LORY_TOKEN_PAIR_TABLE_H
#define LORY_TOKEN_PAIR_TABLE_H

#include "token/lookup.h"
#include "token/tokenizer.h"

typedef struct {
    uint32_t left, right; /* ids + 1; 0 = empty */
    uint32_t rank;        /* place in the list of merges */
    int32_t id;           /* of the result */
} pair_slot;

typedef struct {
    pair_slot *slots; /* [mask + 1], open addressing, at most two thirds full */
    size_t mask;
} pair_table;

/* Turns a part of a merge, as the file writes it, into the bytes that `map` knows it by. */
typedef bool (*pair_bytes_fn)(buf *out, const char *s, size_t n);

/* Reads the merges "left right" of the vocabulary: both parts and what they make together must be
 * in the map. Of the same pair twice the first counts. */
bool pair_table_init(pair_table *p, const vocab *v, const str_map *map, pair_bytes_fn put_bytes,
                     lory_err *err);
void pair_table_free(pair_table *p);

static inline size_t pair_hash(uint32_t left, uint32_t right)
{
    return (size_t)(hash_mix((uint64_t)left << 32 | right) >> 8);
}

static inline bool pair_find(const pair_table *p, int32_t left, int32_t right, uint32_t *rank,
                             int32_t *id)
{
    uint32_t l = (uint32_t)left + 1, r = (uint32_t)right + 1;
    for (size_t i = pair_hash(l, r) & p->mask;; i = (i + 1) & p->mask) {
        const pair_slot *slot = &p->slots[i];
        if (slot->left == 0) return false;
        if (slot->left != l || slot->right != r) continue;
        *rank = slot->rank;
        *id = slot->id;
        return true;
    }
}

#endif
