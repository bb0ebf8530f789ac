/* vec.h - the arithmetic of training: everything that loops over floats, written once in vec_body.h
 * and compiled for each instruction set.
 * No state. Sums run in an order that depends on the width of a vector, so one seed gives the same
 * weights on every machine with the same instruction set, at any number of threads. */
#ifndef LORY_TRAINER_VEC_H
#define LORY_TRAINER_VEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    VEC_STEP = 32, /* every m and n, and every stretch of parameters, is a multiple of it */
    VEC_SCRATCH = 96 << 10, /* floats that a product needs */
};

/* A matrix [m, n] of the caller's: element (i, j) is x[i * row + j * col]. Rows lie as they are,
 * col = 1, but for the operands a and b of a product. */
typedef struct {
    float *x;
    int m, n;
    ptrdiff_t row, col;
} mat;

static inline float *mat_row(mat a, int i)
{
    return a.x + i * a.row;
}
/* Rows [i, i + m) of columns [j, j + n). */
static inline mat mat_part(mat a, int i, int m, int j, int n)
{
    return (mat){ a.x + i * a.row + j * a.col, m, n, a.row, a.col };
}
static inline mat mat_transposed(mat a)
{
    return (mat){ a.x, a.n, a.m, a.col, a.row };
}

/* A step of AdamW (Loshchilov, Hutter 2019): arrays of all parameters, and its constants. */
typedef struct {
    float *g, *w, *m, *v, *average; /* gradient; weights, moments, average of the weights */
    size_t n_decayed;               /* parameters, the first ones */
    float lr, beta1, beta2, eps;
    float bias1, bias2; /* 1 / (1 - beta^step) */
    float decay;
    float scale;        /* of gradients: 1 / norm when they are clipped, and 1 / targets */
    float average_keep; /* average = keep * average + (1 - keep) * w */
} vec_adam;

typedef struct {
    /* c = or += a b; each sum takes the columns of a ascending. scratch is aligned to 64 bytes. */
    void (*product)(mat c, mat a, mat b, bool add, float *scratch);
    /* y = x * w * r by rows, r[m] = 1 / rms(x); and its gradient, added to dx, and to dw[n] */
    void (*norm)(mat x, const float *w, float eps, mat y, float *r);
    void (*norm_back)(mat x, const float *w, const float *r, mat dy, mat dx, float *dw);
    /* y = silu(gate) * up, which are the halves of gu; and its gradient */
    void (*swiglu)(mat gu, mat y);
    void (*swiglu_back)(mat gu, mat dy, mat dgu);
    /* Rows of s become the softmax of s * scale; lse[m] = the log of their sums of exponentials.
     * The same again, from lse. And its gradient where y = s v, in place of ds. */
    void (*softmax)(mat s, float scale, float *lse);
    void (*softmax_again)(mat s, float scale, const float *lse);
    void (*softmax_back)(mat s, mat y, mat dy, float scale, mat ds);
    double (*sum_squares)(size_t n, const float *x);
    void (*adam)(const vec_adam *s, size_t from, size_t to);
} vec_table;

extern const vec_table vec_baseline, vec_avx2, vec_avx512; /* the latter two on x86-64 */

/* The table of an instruction set of the engine's kernels; the baseline for those without one. */
const vec_table *vec_for(const char *isa);

#endif
