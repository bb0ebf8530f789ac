/* parts.h - which rows of the plan's products a thread has, and what it reads after them.
 * Layer: engine. Depends on the plan and the number of threads only, so it is worked out once, and
 * again when that number changes: by the thread itself, whose own it is. */
#ifndef LORY_ENGINE_PARTS_H
#define LORY_ENGINE_PARTS_H

#include "base/mem.h"
#include "engine/plan.h"
#include "kernels/kernel.h"

/* Rows [r0, r1) of product i of a step. */
typedef struct {
    int i, r0, r1;
    bool was_read; /* before: its pages are in the address space */
} rows_part;

enum { PARTS_AHEAD = 12 }; /* parts of the next token that are known at the end of one */

typedef struct {
    int nth;       /* made for this many threads; 0 = not made */
    int *first;    /* [n_step + 1] by step: its first part */
    int *n_known;  /* [n_step] by step: how many of `bytes` are known when it runs */
    rows_part *part;       /* [first[n_step]] in the order of reading */
    weight_stretch *bytes; /* [first[n_step] + PARTS_AHEAD] theirs, then the first ones' again */
} thread_parts;

/* Carves the arrays, for any number of threads. */
void parts_carve(thread_parts *t, const plan *p, mem_carver *c);

/* Fills them for thread ith of nth. */
void parts_make(thread_parts *t, const plan *p, int ith, int nth);

/* Thread ith's share [first, last) of n things. */
static inline void parts_share(int ith, int nth, int n, int *first, int *last)
{
    *first = (int)((int64_t)n * ith / nth);
    *last = (int)((int64_t)n * (ith + 1) / nth);
}

/* Gate and up go together, row by row. */
static inline bool parts_is_pair(const plan_step *s)
{
    return s->then && s->n_matmul == 2;
}

#endif
