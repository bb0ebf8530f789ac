/* gemv.h - what the products of one token share: ROWS rows at a time, the stream of their bytes.
 * Layer: kernels. Not a header by itself: gemv files include it after the vectors, avx2_vec.h,
 * avx512_vec.h or neon_vec.h.
 *
 * Weights to come are asked for in the order of their addresses meanwhile (ahead.h). */
#ifndef LORY_KERNELS_GEMV_H
#define LORY_KERNELS_GEMV_H

#include "kernels/ahead.h"
#include "kernels/scale_rows.h"

typedef struct {
    const uint8_t *w; /* the first of ROWS rows */
    size_t rb;        /* bytes from row to row */
    const act_group *x;
    int n_group;
    ahead ahead;
    const void *grid; /* the codebook's points, of the types that have one */
} rows_args;

typedef floats rows_fn(const rows_args *r);

/* ROWS rows at a time; n_rows is a multiple of 16, n_tok 1. */
INLINE void all_rows(const matmul_args *a, rows_fn *run)
{
    const size_t bytes = ROWS * a->row_bytes;
    rows_args r = { .w = a->w, .rb = a->row_bytes, .x = a->act, .n_group = a->k / QT_GROUP,
                    .grid = a->scratch };
    for (int ir = 0; ir < a->n_rows; ir += ROWS, r.w += bytes) {
        r.ahead = ahead_of(a, ir, ROWS);
        f_store(a->out + ir, run(&r));
    }
}

/* acc + dx * (scale * (sums - zero * xsum)), where shift = log2(128 / zero). */
INLINE floats add_group(floats acc, const act_group *x, floats scale, codes sums, int shift)
{
    floats u = f_mul(scale, f_of(i_add32(sums, i_set32(x->start_all >> shift))));
    return f_fma(f_set(x->dx), u, acc);
}

#endif
