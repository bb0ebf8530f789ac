/* token_mask.h - which tokens a text may go on with: the trie of the vocabulary, walked together
 * with the automaton of a grammar.
 * Layer: sample. Belongs to one thread at a time, as its automaton does.
 *
 * What makes it cheap: a walk leaves a branch at the first byte that can't follow; where every byte
 * below a node leads from state to state in the same way, as inside a string, the whole branch is
 * allowed at once; and the masks of states where that still took long are kept. */
#ifndef LORY_SAMPLE_TOKEN_MASK_H
#define LORY_SAMPLE_TOKEN_MASK_H

#include "sample/automaton.h"
#include "sample/token_trie.h"

/* What most printable bytes do in a state: they lead to `to`; `bytes` are those that do. */
typedef struct {
    uint32_t to; /* state + 1; 0: not known yet */
    byte_set bytes;
} main_way;

typedef struct {
    automaton *a;
    const token_trie *t;
    uint32_t n_collected; /* of the automaton, when the below was true */
    main_way *way;        /* [n_ways] of the first states */
    size_t n_ways, cap_ways;
    uint32_t *slot;  /* [n_slots] open addressing: a kept mask + 1; 0: free */
    uint32_t *state; /* [n_kept] whose mask it is */
    uint64_t *kept;  /* [max_kept, n_words], lazily taken */
    size_t n_kept, max_kept, n_slots;
    uint32_t *stack; /* [max_depth + 1] the states along the branch at hand */
} token_mask;

bool token_mask_init(token_mask *m, automaton *a, const token_trie *t, lory_err *err);
void token_mask_free(token_mask *m);

/* The tokens that may follow in `state`, as bits of mask[n_words]; at_start: as the first of a
 * text. Fails as automaton_step does. */
bool token_mask_fill(token_mask *m, uint32_t state, bool at_start, uint64_t *mask, lory_err *err);

#endif
