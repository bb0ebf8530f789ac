/* automaton.h - a compiled grammar made deterministic, state by state, as texts are read.
 * Layer: sample. Belongs to one thread at a time; the pushdown is the caller's and outlives it.
 *
 * A state is all the places at which the grammar can be after some text: pairs of a pushdown state
 * and a stack. Stacks share their lower parts: a stack is a node, the calls that are open at one
 * point of the text are one node however many ways lead there (Tomita's graph-structured stack),
 * and equal nodes and equal states are the same node and state. So a byte costs a look into a
 * table when the same state has seen it before; and a text of n bytes at most O(n^3), O(n) for
 * grammars without ambiguity, however it was written. A call at the end of a rule replaces the
 * caller on the stack, so that lists written by right recursion need no deep one. */
#ifndef LORY_SAMPLE_AUTOMATON_H
#define LORY_SAMPLE_AUTOMATON_H

#include "sample/pushdown.h"

enum {
    AUTOMATON_DEAD = 0,            /* the state of texts that no text of the grammar begins with */
    AUTOMATON_MAX_DEPTH = 1 << 16, /* of a stack */
    AUTOMATON_MAX_WAYS = 1 << 18,  /* pairs that are met when one byte is read */
    AUTOMATON_MAX_BYTES = 256 << 20,
};

typedef struct {
    size_t first;  /* of its items */
    uint32_t n;    /* items */
    uint32_t next; /* the row of its known successors, from 1; 0: none yet */
    bool accepts;  /* the text is in the language */
} automaton_state;

typedef struct {
    size_t first; /* of its edges */
    uint32_t n;   /* edges */
    uint32_t depth;
} automaton_node;

/* A set of 64-bit numbers that forgets all at once. */
typedef struct {
    uint64_t *key;
    uint32_t *round; /* a key counts when it was put in this round */
    size_t n, n_slots;
    uint32_t now;
} pair_set;

/* What waits while a byte is read: a call that is to be made. */
typedef struct {
    uint32_t rank, rule;
    uint64_t edge;
} automaton_call;

typedef struct {
    const pushdown *p;
    uint32_t start;         /* the state of the empty text */
    uint32_t n_collected;   /* times that states got new numbers */
    automaton_state *state; /* [n_states] */
    automaton_node *node;   /* [n_nodes] node 0: below it is nothing */
    uint64_t *item; /* [n_items] of states: pushdown state << 32 | node, ascending in each */
    uint64_t *edge; /* [n_edges] of nodes: where to go on << 32 | the node below, ascending */
    uint32_t *next; /* [n_rows, n_classes] state + 1; 0: not known yet */
    uint32_t *state_slot, *node_slot; /* open addressing: index + 1; 0: free */
    size_t n_states, cap_states, n_nodes, cap_nodes, n_items, cap_items, n_edges, cap_edges;
    size_t n_rows, cap_next, n_state_slots, n_node_slots;
    /* of the byte at hand */
    pair_set met;
    uint64_t *todo;       /* [n_todo] pairs */
    uint64_t *found;      /* [n_found] the items of the new state, later the edges of a new node */
    automaton_call *call; /* [n_calls] a heap, lowest rank first */
    size_t n_todo, cap_todo, n_found, cap_found, n_calls, cap_calls;
} automaton;

bool automaton_init(automaton *a, const pushdown *p, lory_err *err);
void automaton_free(automaton *a);

/* The state after one more byte. LORY_E_UNSUPPORTED: one of the limits above; LORY_E_FULL: too
 * many states are known, see automaton_collect; LORY_E_MEMORY. */
bool automaton_step(automaton *a, uint32_t from, uint8_t byte, uint32_t *to, lory_err *err);

/* The same when it is known already, else UINT32_MAX. */
static inline uint32_t automaton_known(const automaton *a, uint32_t from, uint8_t byte)
{
    const automaton_state *s = &a->state[from];
    if (s->next == 0) return UINT32_MAX;
    return a->next[(size_t)(s->next - 1) * (size_t)a->p->n_classes + a->p->class_of[byte]] - 1;
}

/* The state after any of the texts of two. Fails as automaton_step does. */
bool automaton_join(automaton *a, uint32_t x, uint32_t y, uint32_t *to, lory_err *err);

size_t automaton_bytes(const automaton *a);

/* Forgets all states but keep[0..n), which get new numbers, and the start. */
bool automaton_collect(automaton *a, uint32_t *keep, size_t n, lory_err *err);

#endif
