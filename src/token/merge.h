/* merge.h - byte-pair merging: join the best adjacent pair until none is left.
 * Layer: token. Scratch of one call of encode; never shared.
 *
 * What a pair is worth is the caller's: merge ranks (BPE) or piece scores (SentencePiece). Of
 * equal worth the leftmost goes first. Short words are merged in a small array, long ones on a
 * linked list with a heap: O(n log n). */
#ifndef LORY_TOKEN_MERGE_H
#define LORY_TOKEN_MERGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint32_t start, len; /* bytes of the word */
    int32_t id;          /* of the token, or what the caller says, e.g. -1 = none */
    bool is_frozen;      /* takes no part in merges */
} merge_symbol;

/* Whether two neighbours merge: then *priority (smaller = earlier) and the id of the result. */
typedef bool (*merge_pair_fn)(void *user, const merge_symbol *left, const merge_symbol *right,
                              uint32_t *priority, int32_t *id);

typedef struct merge_entry merge_entry;
typedef struct {
    merge_symbol *symbols; /* [n]; merge_run leaves what remains of them in order */
    size_t n, cap;
    merge_entry *heap; /* [n_heap] */
    size_t n_heap, cap_heap;
    int32_t *prev, *next; /* [cap_links] neighbours; -1 = none */
    size_t cap_links;
} merge_scratch;

/* Symbols are put one by one, then merged. False when memory can't be had. */
static inline void merge_clear(merge_scratch *m)
{
    m->n = 0;
}
bool merge_put(merge_scratch *m, merge_symbol s);
bool merge_run(merge_scratch *m, merge_pair_fn pair, void *user);
void merge_free(merge_scratch *m);

#endif
