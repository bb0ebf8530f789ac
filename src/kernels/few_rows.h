/* few_rows.h - 2 to MATMUL_FEW_TOK tokens straight from the rows of the commonest types, for one
 * instruction set, written over vectors of ROWS rows.
 * Layer: kernels. Not a header: the files *_few.c of instruction sets include it once, after
 * pack_rows.h.
 *
 * Rows become panels as for many tokens, by the same functions, but a block of ROWS rows at a time,
 * which is spent on all tokens at once while their sums stay in registers over the whole row. A
 * block of 32 is not even stored: the vectors that pack makes are the operands of the products.
 *
 * What the files define before: ZERO_8, the zero of signed codes of 8 bits; RUN_4, RUN_5, RUN_6;
 * TWICE_TOK, up to how many tokens 2 * ROWS rows go at once, so that activations are read once for
 * more rows; SUPER_MOST, the most tokens of the commonest super-blocks. */
#include "kernels/ahead.h"

/* The most tokens of a type: the less common ones are spared half of the code. */
enum { FEW_MOST = MATMUL_FEW_TOK, FEW_RARE = 4 };
/* Vectors of sums: of every token one of ROWS rows, or two. */
enum { FEW_SUMS = 2 * TWICE_TOK > MATMUL_FEW_TOK ? 2 * TWICE_TOK : MATMUL_FEW_TOK };

INLINE int few_vectors(const int n_tok)
{
    return TWICE_TOK > 0 && n_tok <= TWICE_TOK ? 2 : 1;
}

/* What is particular about a type; the code is made once for each. */
typedef struct {
    void (*pack)(const pack_args *a, const uint8_t *p, size_t rb, uint8_t *to);
    int bytes, groups; /* of a block */
    int n_sub;
    bool has_min;
    int zero; /* added to codes by pack: 0 or a power of two */
    int most; /* tokens: FEW_MOST or FEW_RARE */
    int run;  /* RUN_4 .. RUN_6 of codes of so many bits, which few_steps may want to know */
} few_type;

/* What the files define: sum[m * j + i] += the products of half s (n_sub 1: of all) of the group at
 * p of a panel, vector i of m, and that of token j of n. */
INLINE void few_steps(const few_type t, const int s, const int m, const int n, const uint8_t *p,
                      const act_group *x, codes *sum);

/* Where a sum begins: at -zero * xsum; start: -128 * xsum. */
INLINE codes few_start(const int zero, int32_t start)
{
    if (zero == 0) return i_set32(0);
    return zero == 128 ? i_set32(start)
                       : i_sra32(i_set32(start), __builtin_ctz(128u / (unsigned)zero));
}

/* acc[m * j + i] += vector i of the group at p of a panel times that of token j. */
INLINE void few_group(const few_type t, const int m, const int n, const uint8_t *p,
                      const act_group *x, floats *acc)
{
    const int n_min = t.has_min ? t.n_sub : 0;
    floats u[FEW_SUMS];
    UNROLL
    for (int s = 0; s < t.n_sub; s++) {
        codes sum[FEW_SUMS];
        floats d[2];
        UNROLL
        for (int i = 0; i < m; i++) d[i] = f_load(p + CODES + s * FLOATS + i * 4 * ROWS);
        UNROLL
        for (int k = 0; k < m * n; k++) {
            const act_group *xj = x + k / m;
            sum[k] = few_start(t.zero, t.n_sub == 1 ? xj->start_all : xj->start[s]);
        }
        few_steps(t, s, m, n, p, x, sum);
        UNROLL
        for (int k = 0; k < m * n; k++) {
            const floats f = f_of(sum[k]);
            u[k] = s == 0 ? f_mul(d[k % m], f) : f_fma(d[k % m], f, u[k]);
        }
    }
    UNROLL
    for (int s = 0; s < n_min; s++) {
        floats min[2];
        UNROLL
        for (int i = 0; i < m; i++)
            min[i] = f_load(p + CODES + (t.n_sub + s) * FLOATS + i * 4 * ROWS);
        UNROLL
        for (int k = 0; k < m * n; k++) {
            const act_group *xj = x + k / m;
            const float xsum = t.n_sub == 2 ? act_half_sum(xj, s) : xj->sum_all;
            u[k] = f_fnma(min[k % m], f_set(xsum), u[k]);
        }
    }
    UNROLL
    for (int k = 0; k < m * n; k++) acc[k] = f_fma(f_set(x[k / m].dx), u[k], acc[k]);
}

/* m * ROWS rows and all tokens. */
typedef struct {
    const matmul_args *m;
    const uint8_t *w; /* the first of the rows */
    float *out;
    ahead ahead;
} few_args;

INLINE void few_rows(const few_type t, const int n, const few_args *r)
{
    const size_t group_bytes = (size_t)(CODES + t.n_sub * (t.has_min ? 2 : 1) * FLOATS);
    const int n_group = r->m->k / QT_GROUP, m = few_vectors(n);
    const size_t bytes = (size_t)(t.bytes * m * ROWS / t.groups); /* of a group of the rows */
    const pack_args block = { .zero = (uint8_t)t.zero, .ig1 = t.groups };
    const act_group *x = r->m->act;
    const uint8_t *p = r->w;
    floats acc[FEW_SUMS];
    size_t at = 0;
    UNROLL
    for (int k = 0; k < m * n; k++) acc[k] = f_set(0);
    for (int ig = 0; ig < n_group; ig += t.groups, p += t.bytes) {
        _Alignas(64) uint8_t panel[GROUPS * (CODES + 4 * FLOATS)];
        __asm__("" : "+r"(p)); /* or gcc steps a pointer for each row */
        UNROLL
        for (int i = 0; i < m; i++) {
            const size_t rb = r->m->row_bytes;
            t.pack(&block, p + (size_t)(i * ROWS) * rb, rb, panel + i * 4 * ROWS);
        }
        for (int g = 0; g < t.groups; g++, at += bytes, x += n) {
            prefetch(&r->ahead, at, bytes);
            few_group(t, m, n, panel + (size_t)g * group_bytes, x, acc);
        }
    }
    UNROLL
    for (int k = 0; k < m * n; k++)
        f_store(r->out + (size_t)(k / m) * r->m->ld_out + k % m * ROWS, acc[k]);
}

INLINE void few_tokens(const few_type t, const few_args *r)
{
    switch (r->m->n_tok) {
    case 2: few_rows(t, 2, r); return;
    case 3: few_rows(t, 3, r); return;
    case 4: few_rows(t, 4, r); return;
    default: break;
    }
    if (t.most == FEW_RARE) return;
    switch (r->m->n_tok) {
    case 5: few_rows(t, 5, r); return;
    case 6: few_rows(t, 6, r); return;
    case 7: few_rows(t, 7, r); return;
    default: few_rows(t, 8, r); return;
    }
}

/* n_rows is a multiple of 16, n_tok 2 .. the type's most. */
INLINE void few_all(const matmul_args *a, void (*run)(const few_args *r))
{
    const int n = few_vectors(a->n_tok) * ROWS;
    few_args r = { .m = a, .w = a->w };
    for (int ir = 0; ir < a->n_rows; ir += n, r.w += (size_t)n * a->row_bytes) {
        r.ahead = ahead_of(a, ir, n);
        r.out = a->out + ir;
        run(&r);
    }
}

/* ---- the slots ------------------------------------------------------------------------------- */

/* A super-block passes through the first level cache, so that one copy of pack serves any number
 * of tokens. */
#define BLOCK(type, zero_of)                                                                       \
    static __attribute__((noinline)) void type##_block(const pack_args *a, const uint8_t *p,       \
                                                       size_t rb, uint8_t *to)                     \
    {                                                                                              \
        const pack_args block = { .zero = (zero_of), .ig1 = GROUPS };                              \
        (void)a;                                                                                   \
        pack_##type(&block, p, rb, to);                                                            \
    }
BLOCK(q2_k, 0)
BLOCK(q3_k, 4)
BLOCK(q4_k, 0)
BLOCK(q5_k, 0)
BLOCK(q6_k, 32)
BLOCK(iq4_xs, ZERO_8)

#define FEW(type, pack, groups, n_sub, has_min, zero, most, run)                                   \
    static const few_type type = { pack, sizeof(block_##type), groups, n_sub, has_min, zero, most, \
                                   run };                                                          \
    static void type##_rows(const few_args *r)                                                     \
    {                                                                                              \
        few_tokens(type, r);                                                                       \
    }                                                                                              \
    static void few_##type(const matmul_args *a)                                                   \
    {                                                                                              \
        few_all(a, type##_rows);                                                                   \
    }
FEW(q4_0, pack_q4_0, 1, 1, false, 8, FEW_MOST, RUN_4)
FEW(q4_1, pack_q4_1, 1, 1, true, 0, FEW_RARE, RUN_4)
FEW(q5_0, pack_q5_0, 1, 1, false, 16, FEW_RARE, RUN_5)
FEW(q5_1, pack_q5_1, 1, 1, true, 0, FEW_RARE, RUN_5)
FEW(q8_0, pack_q8_0, 1, 1, false, ZERO_8, FEW_MOST, 0)
FEW(iq4_nl, pack_iq4_nl, 1, 1, false, ZERO_8, FEW_RARE, 0)
FEW(mxfp4, pack_mxfp4, 1, 1, false, 16, FEW_RARE, RUN_5)
FEW(q2_k, q2_k_block, GROUPS, 2, true, 0, FEW_RARE, RUN_5)
FEW(q3_k, q3_k_block, GROUPS, 2, false, 4, FEW_RARE, RUN_5)
FEW(q4_k, q4_k_block, GROUPS, 1, true, 0, SUPER_MOST, RUN_4)
FEW(q5_k, q5_k_block, GROUPS, 1, true, 0, SUPER_MOST, RUN_5)
FEW(q6_k, q6_k_block, GROUPS, 2, false, 32, SUPER_MOST, RUN_6)
FEW(iq4_xs, iq4_xs_block, GROUPS, 1, false, ZERO_8, FEW_RARE, 0)

static int few_most(qtype type)
{
    switch (type) {
    case QT_Q4_0:
    case QT_Q8_0: return FEW_MOST;
    case QT_Q4_K:
    case QT_Q5_K:
    case QT_Q6_K: return SUPER_MOST;
    case QT_Q4_1:
    case QT_Q5_0:
    case QT_Q5_1:
    case QT_IQ4_NL:
    case QT_MXFP4:
    case QT_Q2_K:
    case QT_Q3_K:
    case QT_IQ4_XS: return FEW_RARE;
    default: return 0;
    }
}

/* Of the table. */
#define FEW_SLOTS                                                                                  \
    .few_most = few_most,                                                                          \
    .few = { [QT_Q4_0] = few_q4_0,  [QT_Q4_1] = few_q4_1,     [QT_Q5_0] = few_q5_0,                \
             [QT_Q5_1] = few_q5_1,  [QT_Q8_0] = few_q8_0,     [QT_Q2_K] = few_q2_k,                \
             [QT_Q3_K] = few_q3_k,  [QT_Q4_K] = few_q4_k,     [QT_Q5_K] = few_q5_k,                \
             [QT_Q6_K] = few_q6_k,  [QT_IQ4_NL] = few_iq4_nl, [QT_IQ4_XS] = few_iq4_xs,            \
             [QT_MXFP4] = few_mxfp4 }
