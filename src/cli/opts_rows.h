/* opts_rows.h - the rows of a table of options one after the other, groups flattened: what parsing
 * and the help page share.
 * Layer: cli. */
#ifndef LORY_CLI_OPTS_ROWS_H
#define LORY_CLI_OPTS_ROWS_H

#include "cli/opts.h"

enum { ROWS_DEEP = 4 }; /* groups in groups */

/* Walks a table and the groups in it; a zeroed one with .row[0] set is at the start. */
typedef struct {
    const opt_row *row[ROWS_DEEP];
    size_t base[ROWS_DEEP]; /* what offsets count from */
    int depth;
} row_walk;

/* The next row that is not a group or an end, or NULL;
 * *at gets its offset in the options struct. */
static inline const opt_row *next_row(row_walk *w, size_t *at)
{
    for (;;) {
        const opt_row *r = w->row[w->depth];
        if (r->kind == OPT_END) {
            if (w->depth == 0) return NULL;
            w->depth--;
            continue;
        }
        w->row[w->depth]++;
        *at = w->base[w->depth] + r->at;
        if (r->kind != OPT_GROUP) return r;
        w->depth++;
        w->row[w->depth] = r->rows;
        w->base[w->depth] = *at;
    }
}

#endif
