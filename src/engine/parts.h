/* parts.h - which rows of the plan's products a thread has, and what it reads after them; which
 * units of a step, rows, experts' rows or chunks of attention, it takes of those that are left.
 * Layer: engine. Depends on the plan and the number of threads only, so it is worked out once, and
 * again when that number changes: by the thread itself, whose own it is. */
#ifndef LORY_ENGINE_PARTS_H
#define LORY_ENGINE_PARTS_H

#include "base/mem.h"
#include "engine/plan.h"
#include "kernels/kernel.h"
#include <stdatomic.h>

/* Rows [r0, r1) of product i of a step. */
typedef struct {
    int i, r0, r1;
    int end;       /* of rows taken: [r1, end) are the thread's next ones, until others take them */
    bool was_read; /* before: its pages are in the address space */
} rows_part;

enum {
    PARTS_AHEAD = 12, /* parts of the next token that are known at the end of one */
    PARTS_PAIR = 2,   /* units of rows, a panel each, that tiles take together */
};

typedef struct {
    int nth;       /* made for this many threads; 0 = not made */
    int *first;    /* [n_step + 1] by step: its first part */
    int *n_known;  /* [n_step] by step: how many of `bytes` are known when it runs */
    rows_part *part;       /* [first[n_step]] in the order of reading */
    weight_stretch *bytes; /* [first[n_step] + PARTS_AHEAD] theirs, then the first ones' again */
} thread_parts;

/* What a thread has left of the step at hand, in units; of rows, the units of the step's products
 * one after the other. A thread that is done takes of it. On a cache line of its own. */
typedef struct {
    _Alignas(64) atomic_uint_least64_t units; /* the first << 32 | their end */
} parts_left;

/* Who takes them, and what it has in hand. */
typedef struct {
    int ith, nth;
    int least;       /* a piece has so many units or a multiple of that, */
    int parts;       /* about one part in `parts` of what the thread has */
    int first, last; /* the piece; 0 before the first */
    int end;         /* [last, end) are the thread's next ones, until others take them */
    bool is_others;  /* they are not of its own share */
} parts_taker;

/* Carves the arrays, for any number of threads. */
void parts_carve(thread_parts *t, const plan *p, mem_carver *c);

/* Fills them for thread ith of nth. */
void parts_make(thread_parts *t, const plan *p, int ith, int nth);

/* Thread ith offers units [first, end): to itself, and to who is done before. Each does so between
 * the meetings before and after the step. */
void parts_offer(parts_left *left, int ith, int first, int end);

/* The next piece: of the thread's own in ascending order, then of the second half of what the one
 * has that has most left, and so on. False: none are left. */
bool parts_take(parts_left *left, parts_taker *by);

enum {
    /* Products with fewer tokens wait for memory, which is asked for in one stream. A thread that
     * takes rows of others leaves its stream: that pays where a thread has so many bytes at least,
     * and in small pieces (`parts`), so that nobody waits long for the last one. */
    PARTS_FEW_TOK = 8,
    PARTS_LEAST_SHARE = 512 << 10,
    PARTS_STREAM = 8,
    PARTS_PACKED = 12, /* units that are packed at once in prompts, where rows are long */
};

/* The same for the rows of a step, of one product each time. */
void parts_offer_rows(parts_left *left, const plan_step *s, int ith, int nth);
bool parts_take_rows(parts_left *left, const plan_step *s, parts_taker *by, rows_part *p);

/* How many units a piece of the step has at least in a prompt, where each reads all activations
 * again: an eighth of a share, but no more than are packed at once when rows are long. */
int parts_least(const plan_step *s, int nth);

/* Whether rows of the step can be taken so: they are whole units. */
bool parts_are_units(const plan_step *s);

/* n things that take unequal time, the later ones more, are dealt to the threads in turn; thread
 * ith offers its own. Then each takes the last one left of its own, and when those are gone, of
 * whoever has most left. False: none are left. Meetings as above. */
void parts_deal(parts_left *left, int ith, int nth, int n);
bool parts_take_one(parts_left *left, int ith, int nth, int *thing);

/* Thread ith's share [first, last) of n things. */
static inline void parts_share(int ith, int nth, int n, int *first, int *last)
{
    *first = (int)((int64_t)n * ith / nth);
    *last = (int)((int64_t)n * (ith + 1) / nth);
}

/* Units of a product's rows: panels, of which the last may have fewer. */
static inline int parts_units(const weight *w)
{
    return (w->n_rows + PANEL_ROWS - 1) / PANEL_ROWS;
}

/* Gate and up go together, row by row. */
static inline bool parts_is_pair(const plan_step *s)
{
    return s->then && s->n_matmul == 2;
}

#endif
