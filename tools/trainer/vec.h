/* vec.h - the arithmetic of training: everything that loops over floats, written once in vec_body.h
 * and compiled for each instruction set; vec_select takes the best that this CPU has.
 * No state. Sums run in an order that depends on the width of a vector, so one seed gives the same
 * weights on every machine with the same instruction set, at any number of threads. */
#ifndef LORY_TRAINER_VEC_H
#define LORY_TRAINER_VEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { VEC_PANEL = 32 }; /* columns of a packed panel; every n and row length is a multiple */

/* c[m, n] = or += a[m, k] b[k, n]. Element (i, l) of a is x[i * row + l * col], and one of the two
 * strides is 1. Columns of b come in panels of VEC_PANEL: (l, j) is
 * x[j / 32 * panel + l * row + j % 32]. Each sum takes l ascending. */
typedef struct {
    const float *x;
    ptrdiff_t row, col;
} vec_rows;
typedef struct {
    const float *x;
    ptrdiff_t panel, row;
} vec_panels;
typedef struct {
    int m, n, k;
    vec_rows a;
    vec_panels b;
    float *c;
    ptrdiff_t c_row;
    bool add; /* to what c holds */
} vec_product;

/* The constants of one step of AdamW (Loshchilov, Hutter 2019). */
typedef struct {
    float lr, beta1, beta2, eps;
    float bias1, bias2; /* 1 / (1 - beta^step) */
    float decay;        /* of matrices */
    float scale;        /* of gradients: 1 / norm when they are clipped, and 1 / targets */
    float average_keep; /* average = keep * average + (1 - keep) * w */
} vec_adam_step;

typedef struct {
    const char *name;
    void (*product)(const vec_product *p);
    /* Multiply-adds in registers, n rounds of them, as fast as this CPU can; returns how many,
     * and a value of no meaning so that they are done. */
    double (*spin)(int n, float *out);
    /* y[n] = x * w / rms(x); returns 1 / rms(x) */
    float (*rms_norm)(int n, const float *x, const float *w, float *y, float eps);
    /* dx[n] += of the above, dw[n] += ; r = 1 / rms(x) */
    void (*rms_norm_back)(int n, const float *x, const float *w, float r, const float *dy,
                          float *dx, float *dw);
    /* y[n] = silu(g) * u, and its gradient: dg, du may be dy's neighbours, not dy itself */
    void (*swiglu)(int n, const float *g, const float *u, float *y);
    void (*swiglu_back)(int n, const float *g, const float *u, const float *dy, float *dg,
                        float *du);
    /* s[n] = e^(s * scale - max); returns max + log(sum), with s as the softmax itself */
    float (*softmax)(int n, float *s, float scale);
    /* p[n] = e^(p * scale - lse) */
    void (*exp_minus)(int n, float *p, float scale, float lse);
    /* ds[n] = p * (ds - mean) * scale */
    void (*softmax_back)(int n, const float *p, float mean, float scale, float *ds);
    float (*dot)(int n, const float *a, const float *b);
    void (*add)(int n, const float *x, float *y); /* y += x */
    double (*sum_squares)(int n, const float *x);
    /* w, m, v, average [n]; decays when is_matrix */
    void (*adam)(int n, const vec_adam_step *s, bool is_matrix, const float *g, float *w, float *m,
                 float *v, float *average);
} vec_table;

extern const vec_table vec_baseline;
#if defined(__x86_64__)
extern const vec_table vec_avx2, vec_avx512;
#endif

/* The table for this CPU; LORY_ISA=generic takes the baseline, avx2 at most AVX2. */
const vec_table *vec_select(void);

#endif
