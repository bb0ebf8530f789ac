/* pushdown.h - a compiled grammar: one automaton over bytes for each rule, with calls between them.
 * Layer: sample. Immutable once compiled: any number of threads may read it.
 *
 * An edge takes a byte, or nothing, or calls a rule and goes on at `to` when that rule has been
 * read. Characters are their UTF-8 bytes, so a text that ends inside a character is a state like
 * any other. What holds for every compiled grammar:
 *   - from each state the end of its rule can be reached, so no state is a dead end;
 *   - a rule never reads the empty text: beside a call that could is an edge for nothing;
 *   - no rule calls itself before it has read a byte: left recursion has become loops;
 *   - rules are ranked: what a rule calls before it has read a byte has a higher rank. */
#ifndef LORY_SAMPLE_PUSHDOWN_H
#define LORY_SAMPLE_PUSHDOWN_H

#include "sample/syntax.h"

enum { PDA_MAX_STATES = 2000000 };

typedef enum { PDA_BYTES, PDA_EMPTY, PDA_CALL } pda_kind;

typedef struct {
    uint32_t to;
    uint32_t rule;  /* of PDA_CALL */
    uint8_t kind;   /* a pda_kind */
    uint8_t lo, hi; /* of PDA_BYTES: any of these */
} pda_edge;

enum {
    PDA_FINAL = 1, /* the rule has been read */
    PDA_TAIL = 2,  /* nothing can follow but its end */
    PDA_READS = 4, /* has edges that take a byte */
};

typedef struct {
    uint32_t n_states, n_rules;
    uint32_t *first;    /* [n_states + 1] its edges are edge[first[i]] to edge[first[i + 1] - 1] */
    pda_edge *edge;     /* [first[n_states]] */
    uint8_t *flags;     /* [n_states] PDA_* */
    uint32_t *start;    /* [n_rules] a state */
    uint32_t *rank;     /* [n_rules] */
    uint32_t root;      /* a rule */
    bool root_is_empty; /* the empty text is one of the grammar's */
    uint8_t class_of[256]; /* bytes of one class have the same edges everywhere */
    uint8_t byte_of[256];  /* [n_classes] one byte of each */
    int n_classes;
} pushdown; /* zeroed = empty */

/* On failure *p is empty and *err is "NAME: ...": LORY_E_FORMAT when no text matches the grammar,
 * LORY_E_UNSUPPORTED when it is too large, LORY_E_MEMORY. Linear in the size of the grammar, its
 * repetitions written out (one that is large itself counts once), but for rules that begin with
 * each other in a circle. */
bool pushdown_compile(pushdown *p, const syntax *s, const char *name, lory_err *err);
void pushdown_free(pushdown *p);

#endif
