/* attend_merge.h - what attention of few and of many queries share: where rows of a chunk lie, how
 * its result joins what the query has.
 * Layer: kernels. Not a header by itself, see float_lanes.h for v16. */
#ifndef LORY_KERNELS_ATTEND_MERGE_H
#define LORY_KERNELS_ATTEND_MERGE_H

#include "kernels/float_lanes.h"

/* Where row j lies, and the end of those that follow it there, up to `last`. */
INLINE const uint8_t *rows_from(const attend_args *a, const void *rows, const void *base, int j,
                                int last, int *end)
{
    const bool is_base = j < a->n_base;
    *end = is_base && a->n_base < last ? a->n_base : last;
    return (const uint8_t *)(is_base ? base : rows) + (size_t)j * a->row_bytes;
}

/* How a chunk's values merge into what the query has: o = o * old + chunk * now. */
typedef struct {
    bool is_first;
    float old, now;
} merge_by;

enum { MERGE_MOST = 8 }; /* queries at a time */

/* Merges the chunk into the states of n queries. */
INLINE void merge_states(const int n, const attend_state *chunk, attend_state *st, merge_by *by)
{
    float grown[2 * MERGE_MOST]; /* e^(max - greater max) of what was and of the chunk */
    for (int i = 0; i < n; i++) {
        float top = chunk[i].max > st[i].max ? chunk[i].max : st[i].max;
        grown[2 * i] = st[i].max - top;
        grown[2 * i + 1] = chunk[i].max - top;
    }
    store_part(grown, 2 * n, v_exp(load_part(grown, 2 * n)));
    for (int i = 0; i < n; i++) {
        by[i] = (merge_by){ st[i].max == -INFINITY, grown[2 * i], grown[2 * i + 1] };
        if (by[i].is_first) {
            st[i] = chunk[i];
            continue;
        }
        st[i].sum = fmaf(st[i].sum, by[i].old, chunk[i].sum * by[i].now);
        if (chunk[i].max > st[i].max) st[i].max = chunk[i].max;
    }
}

INLINE v16 merge_values(v16 o, v16 chunk, merge_by by)
{
    return v_fma(o, v_set(by.old), v_mul(chunk, v_set(by.now)));
}

static void attend_merge(int n, attend_state chunk, const float *part, attend_state *st, float *o)
{
    merge_by by;
    merge_states(1, &chunk, st, &by);
    for (int d = 0; d < n; d += 16) {
        v16 y = load_part(part + d, n - d);
        store_part(o + d, n - d, by.is_first ? y : merge_values(load_part(o + d, n - d), y, by));
    }
}

#endif
