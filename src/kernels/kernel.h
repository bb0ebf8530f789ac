/* kernel.h - the slots every instruction set may fill, and what each one computes.
 * Layer: kernels; no .c of its own: generic.c is the meaning, the ISA files give the same bits.
 *
 * Contracts that hold for all: any n that a slot's line allows works; pointers to floats need no
 * alignment; inputs and outputs do not overlap unless said; a slot left NULL is filled from the
 * next usable row of isas[]. "lanes" = 16 partial sums: lane j takes the elements k = j mod 16
 * ascending by fused multiply-add from +0 (past the end as zeros), then lanes fold 8-4-2-1
 * (lane j += lane j + 8, ...). */
#ifndef LORY_KERNELS_KERNEL_H
#define LORY_KERNELS_KERNEL_H

#include "quant/qtype.h"

/* ---- activations for the integer matmul --------------------------------------------------- */

enum { ACT_TILE = 12 }; /* tokens per tile of quantised activations */

/* 32 activations of one token: x ~ dx * q. dx = max|x| / 127, q = nearest-even(x * (127/max|x|)),
 * both 0 when max|x| is 0. xsum[s] = the exact sum of the codes of half s. */
typedef struct {
    float dx;
    int16_t xsum[2];
    int8_t q[QT_GROUP];
} act_group;

/* Quantised activations of n_tok tokens of k values lie tile by tile: group ig of token it is
 * act[((it / ACT_TILE) * (k / 32) + ig) * ACT_TILE + it % ACT_TILE]. */
static inline size_t act_index(int it, int ig, int n_group)
{
    return ((size_t)(it / ACT_TILE) * (size_t)n_group + (size_t)ig) * ACT_TILE
           + (size_t)(it % ACT_TILE);
}
static inline size_t act_bytes(int n_tok, int k)
{
    return (size_t)((n_tok + ACT_TILE - 1) / ACT_TILE) * ACT_TILE * (size_t)(k / QT_GROUP)
           * sizeof(act_group);
}

/* ---- panels of weights for the integer matmul --------------------------------------------- */

enum { PANEL_ROWS = 16 };

/* One group (32 weights) of 16 rows, rows interleaved by 4 bytes: q[4 * (16 * j + r) .. + 3] holds
 * the codes 4j .. 4j+3 of row r; scales and minima of sub-block s (halves when n_sub is 2). */
typedef struct {
    int8_t q[QT_GROUP * PANEL_ROWS];
    float scale[2][PANEL_ROWS];
    float min[2][PANEL_ROWS];
} panel_group;

/* ---- matmul -------------------------------------------------------------------------------- */

/* out[it * ld_out + ir] = sum_k w[ir][k] * x[it][k] for rows ir in [0, n_rows), tokens [0, n_tok).
 *
 * Quantised weights (a type with a panel form), per output one accumulator from +0, groups
 * ascending: u = scale_0 * f(isum_0); u = fmaf(scale_1, f(isum_1), u) when n_sub is 2; then
 * u = fmaf(-min_s, f(xsum_s), u) for s ascending when has_min (n_sub 1: the sum of both halves);
 * acc = fmaf(dx, u, acc). isum is the exact int32 sum of code * q.
 * F32, F16, BF16 weights: lanes over k, weights converted to f32 exactly. */
typedef struct {
    const void *w;        /* first row of the weights, as in the file */
    size_t row_bytes;     /* from row to row */
    qtype type;
    int n_rows, k;        /* k: a multiple of the type's block_elems */
    const act_group *act; /* quantised types: all tokens, tiled; else NULL */
    const float *x;       /* float types: [n_tok, k]; else NULL */
    int n_tok;
    float *out;           /* [n_tok, ld_out] */
    size_t ld_out;        /* floats */
    void *scratch;        /* the calling thread's own, matmul_scratch_bytes() of it, aligned 64 */
} matmul_args;

/* ---- attention ------------------------------------------------------------------------------ */

enum { KV_CHUNK = 64 }; /* positions per chunk, cut at multiples of it by absolute position */

/* One query head's running result over the chunks it has seen: out of order it has no meaning. */
typedef struct {
    float max; /* of the scores so far; -INFINITY before the first */
    float sum; /* of exp(score - max) */
} attend_state;

/* One chunk of keys and values against n_q queries of one KV head, queries in any order of head
 * and token. For query i and the keys j in [first[i], last[i]) of the chunk (none: nothing is
 * done):
 *   s_j = scale * dot(q_i, k_j)                      dot in lanes
 *   s_j = cap * tanh(s_j / cap)                      when cap > 0
 *   s_j = fmaf(slope_i, (float)(j - pos_i), s_j)     when slope is given
 *   m = max_j s_j;  p_j = exp(s_j - m);  l = sum p_j in lanes over j - first[i] (from +0)
 *   o_d = sum_j p_j * v_j[d], j ascending by fused multiply-add from +0
 * and the chunk merges into the state of query i: the first one is taken as it is; later
 *   M = max(max, m); a = exp(max - M); b = exp(m - M);
 *   sum = fmaf(sum, a, l * b); o_i[d] = fmaf(o_i[d], a, o_d * b); max = M. */
typedef struct {
    const float *q;          /* [n_q, head_dim], stride ld_q */
    size_t ld_q;             /* floats */
    const float *k, *v;      /* [KV_CHUNK, head_dim] */
    float *o;                /* [n_q, head_dim], stride ld_o: the states' vectors */
    size_t ld_o;
    attend_state *state;     /* [n_q] */
    const int16_t *first, *last; /* [n_q] */
    const float *slope;      /* [n_q] ALiBi, or NULL */
    const int32_t *pos;      /* [n_q] the query's position relative to the chunk's first; for slope */
    int n_q, head_dim;
    float scale, cap;
    float *scratch;          /* [KV_CHUNK + head_dim] of the calling thread */
} attend_args;

/* ---- the table ------------------------------------------------------------------------------ */

typedef struct lory_kernels {
    /* Quantises tokens [it0, it1) of x [n_tok, k] (rows ld_x floats apart) into their places in
     * act (the array of all tokens); k % 32 == 0. */
    void (*quant_act)(int it0, int it1, int k, const float *x, size_t ld_x, act_group *act);

    /* 16 (or fewer, the rest zeros) rows' groups [0, n_group) of one type to panel form. */
    void (*pack[QT_COUNT])(int n_rows, int n_group, const void *w, size_t row_bytes,
                           panel_group *out);
    /* Panels [n_panel][n_group] (rows of the output ascending) against every token. */
    void (*gemm_i8)(qtype type, int n_rows, int n_group, const panel_group *panels,
                    const act_group *act, int n_tok, float *out, size_t ld_out);
    /* Straight from the file's rows, for few tokens; NULL where no ISA has one: pack + gemm_i8. */
    void (*gemv[QT_COUNT])(const matmul_args *a);
    /* F32, F16, BF16: straight from the file's rows, any number of tokens. */
    void (*gemm_f[QT_BF16 + 1])(const matmul_args *a);

    void (*to_f32[QT_COUNT])(int64_t n, const void *row, float *out); /* as qtype_row.to_f32 */
    void (*f32_to_f16)(int64_t n, const float *in, uint16_t *out);

    float (*dot)(int n, const float *a, const float *b); /* lanes */
    /* y[i] = (x[i] * r) * w[i], r = 1 / sqrt(sum(x*x in lanes) / n + eps); y may be x. */
    void (*rms_norm)(int n, const float *x, const float *w, float eps, float *y);
    /* mean = sum (lanes) / n; d = x - mean; y = (d * r) * w + b (two roundings; b may be NULL),
     * r = 1 / sqrt(sum(d*d in lanes) / n + eps); y may be x. */
    void (*layer_norm)(int n, const float *x, const float *w, const float *b, float eps, float *y);
    /* Rotates pairs in place: (x0, x1) -> (x0*c - x1*s, x0*s + x1*c), each product and sum
     * rounded. NeoX pairs are (i, i + n_rot/2), else (2i, 2i+1), within the first n_rot of each
     * of n_head heads of head_dim. cs: [n_rot/2] cosines, then [n_rot/2] sines. */
    void (*rope)(int n_head, int head_dim, int n_rot, bool neox, const float *cs, float *x);
    void (*add)(int n, const float *a, float *x);                  /* x += a */
    void (*mul)(int n, const float *a, float *x);                  /* x *= a */
    void (*scale)(int n, float a, float *x);                       /* x *= a */
    void (*silu_mul)(int n, const float *u, float *g);             /* g = silu(g) * u */
    void (*gelu)(int n, float *x);      /* tanh form: x/2 * (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) */
    void (*gelu_erf)(int n, float *x);  /* x/2 * (1 + erf(x / sqrt 2)) */
    void (*gelu_mul)(int n, const float *u, float *g);             /* g = gelu(g) * u */
    void (*softmax)(int n, float *x); /* max, exp(x - max), sum in lanes, times 1/sum */
    void (*attend)(const attend_args *a);

    /* Arithmetic in registers for `lory bench`: n rounds, returns multiply-accumulates done. */
    double (*peak_i8)(int64_t n);
    double (*peak_f32)(int64_t n);
} lory_kernels;

/* ---- selection (select.c) -------------------------------------------------------------------- */

typedef struct {
    const char *name;         /* "avx512", ... the name LORY_ISA takes */
    unsigned cpu;             /* CPU_* features it needs, all of them */
    const lory_kernels *table;
} isa_row;

extern const isa_row isas[]; /* best first, one row per kernel file, ends with the generic one */
extern const int n_isa;

/* The merged table for this CPU, made once (thread-safe): each slot from the first usable row
 * that fills it. LORY_ISA=NAME leaves out the rows above the first of that name. */
const lory_kernels *kernels(void);
/* The name of the best row in use. */
const char *kernels_isa(void);
/* The merged table as if `name` were the best ISA, for tests; false when the CPU lacks it. */
bool kernels_for(const char *name, lory_kernels *out);
/* How many of a type's matmul tokens are better served by gemv than by pack + gemm_i8. */
enum { GEMV_MAX_TOK = 4 };
/* One product, by the best way for its shape: gemm_f, gemv, or pack + gemm_i8 through scratch. */
void matmul(const lory_kernels *kn, const matmul_args *a);
size_t matmul_scratch_bytes(void);

#endif
