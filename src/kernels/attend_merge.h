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

enum {
    MERGE_MOST = 8,   /* queries at a time */
    MERGE_PARTS = 64, /* chunks of one */
};

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

/* What chunks are merged by, up to MERGE_PARTS of them: known before any vector is read. */
typedef struct {
    float old[MERGE_PARTS], now[MERGE_PARTS];
} merge_run;

static void plan_merge(int n, const attend_state *chunk, size_t ld, attend_state *st, merge_run *r)
{
    float top = st->max;
    for (int i = 0; i < n; i++) {
        const float m = chunk[(size_t)i * ld].max, was = top;
        top = m > top ? m : top;
        r->old[i] = was - top;
        r->now[i] = m - top;
    }
    st->max = top;
    for (int i = 0; i < n; i += 16) {
        store_part(r->old + i, n - i, v_exp(load_part(r->old + i, n - i)));
        store_part(r->now + i, n - i, v_exp(load_part(r->now + i, n - i)));
    }
    for (int i = 0; i < n; i++)
        st->sum = fmaf(st->sum, r->old[i], chunk[(size_t)i * ld].sum * r->now[i]);
}

/* nv vectors of 16 elements of n parts. */
INLINE void merge_vectors(const int nv, int n, const float *part, size_t ld, const merge_run *r,
                          float *o)
{
    v16 y[4];
    UNROLL
    for (int e = 0; e < nv; e++) y[e] = v_load(o + 16 * e);
    for (int i = 0; i < n; i++, part += ld) {
        const merge_by by = { false, r->old[i], r->now[i] };
        UNROLL
        for (int e = 0; e < nv; e++) y[e] = merge_values(y[e], v_load(part + 16 * e), by);
    }
    UNROLL
    for (int e = 0; e < nv; e++) v_store(o + 16 * e, y[e]);
}

/* The last elements, fewer than 16. */
static void merge_tail(int n_elem, int n, const float *part, size_t ld, const merge_run *r,
                       float *o)
{
    v16 y = v_load_n(o, n_elem);
    for (int i = 0; i < n; i++, part += ld)
        y = merge_values(y, v_load_n(part, n_elem), (merge_by){ false, r->old[i], r->now[i] });
    v_store_n(o, n_elem, y);
}

static void attend_merge(const merge_args *a)
{
    int i = 0;
    for (; i < a->n_part && a->state->max == -INFINITY; i++) { /* the first: as it is */
        *a->state = a->chunk[(size_t)i * a->ld_chunk];
        memcpy(a->o, a->part + (size_t)i * a->ld_part, (size_t)a->n * sizeof *a->o);
    }
    for (int n; i < a->n_part; i += n) {
        const float *part = a->part + (size_t)i * a->ld_part;
        merge_run r;
        int d = 0;
        n = a->n_part - i < MERGE_PARTS ? a->n_part - i : MERGE_PARTS;
        plan_merge(n, a->chunk + (size_t)i * a->ld_chunk, a->ld_chunk, a->state, &r);
        for (; d + 64 <= a->n; d += 64) merge_vectors(4, n, part + d, a->ld_part, &r, a->o + d);
        for (; d + 16 <= a->n; d += 16) merge_vectors(1, n, part + d, a->ld_part, &r, a->o + d);
        if (d < a->n) merge_tail(a->n - d, n, part + d, a->ld_part, &r, a->o + d);
    }
}

#endif
