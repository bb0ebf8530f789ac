/* pda_draft.h - a pushdown automaton while it is being compiled: edges in any order.
 * Layer: sample. Shared by the passes of pushdown_compile: pda_build.c writes expressions as edges,
 * left_recursion.c turns left recursion into loops, pushdown.c does the rest. */
#ifndef LORY_SAMPLE_PDA_DRAFT_H
#define LORY_SAMPLE_PDA_DRAFT_H

#include "sample/pushdown.h"

enum { PDA_MAX_EDGES = 8000000 };
#define PDA_NONE UINT32_MAX

typedef struct {
    pda_edge e;
    uint32_t from;
} draft_edge;

typedef struct {
    uint32_t start;
    uint32_t rank;
    const expr *e; /* NULL: made by a pass */
} draft_rule;

typedef struct {
    draft_edge *edge; /* [n_edges] */
    size_t n_edges, cap_edges;
    uint8_t *flags; /* [n_states] PDA_* */
    size_t n_states, cap_states;
    draft_rule *rule; /* [n_rules] */
    size_t n_rules, cap_rules;
    bool failed, too_large; /* memory could not be had; beyond the limits above */
} pda_draft;

void draft_free(pda_draft *d);
uint32_t draft_add_state(pda_draft *d, uint8_t flags);
uint32_t draft_add_rule(pda_draft *d, uint32_t start, const expr *e);
void draft_put(pda_draft *d, uint32_t from, pda_edge e);
void draft_put_empty(pda_draft *d, uint32_t from, uint32_t to);
void draft_put_call(pda_draft *d, uint32_t from, uint32_t rule, uint32_t to);

/* Every rule's expression as edges. */
void draft_build(pda_draft *d, const syntax *s);

/* Edges in the order of a key: those with key k are item[first[k]] to item[first[k + 1] - 1]. */
typedef struct {
    uint32_t *first; /* [n_keys + 1] */
    uint32_t *item;
} draft_index;
typedef enum { BY_FROM, BY_TO, BY_RULE } draft_key; /* BY_RULE: calls only */
bool draft_index_new(draft_index *x, const pda_draft *d, draft_key key);
void draft_index_free(draft_index *x);

/* is_empty[i]: state i reaches its rule's end without a byte. Needs the edges for nothing beside
 * calls that could be empty, and takes the empty text from every rule; sets the rules' ranks. */
bool draft_unwind_left_recursion(pda_draft *d, const uint8_t *is_empty);

#endif
