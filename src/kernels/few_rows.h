/* few_rows.h - 2 to MATMUL_FEW_TOK tokens straight from the rows of the commonest types, for one
 * instruction set, written over vectors of ROWS rows.
 * Layer: kernels. Not a header: avx2_few.c and avx512_few.c include it once, after pack_rows.h.
 *
 * Rows become panels as for many tokens, by the same functions, but a block of ROWS rows at a time,
 * which is spent on all tokens at once while their sums stay in registers over the whole row. A
 * block of 32 is not even stored: the vectors that pack makes are the operands of the products.
 *
 * What the files define before: ZERO_8, the zero of signed codes of 8 bits; RUN_4, RUN_5, RUN_6. */
#include "kernels/ahead.h"

/* The most tokens of a type: the less common ones are spared half of the code. */
enum { FEW_MOST = MATMUL_FEW_TOK, FEW_RARE = 4 };

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

/* What the files define: sum[j] += the products of half s (n_sub 1: of all) of the group at p of a
 * panel and that of token j of n. */
INLINE void few_steps(const few_type t, const int s, const int n, const uint8_t *p,
                      const act_group *x, codes *sum);

/* Where a sum begins: at -zero * xsum; start: -128 * xsum. */
INLINE codes few_start(const int zero, int32_t start)
{
    if (zero == 0) return i_set32(0);
    return zero == 128 ? i_set32(start)
                       : i_sra32(i_set32(start), __builtin_ctz(128u / (unsigned)zero));
}

/* acc[j] += the group at p of a panel times that of token j. */
INLINE void few_group(const few_type t, const int n, const uint8_t *p, const act_group *x,
                      floats *acc)
{
    const int n_min = t.has_min ? t.n_sub : 0;
    floats u[MATMUL_FEW_TOK];
    UNROLL
    for (int s = 0; s < t.n_sub; s++) {
        const floats d = f_load(p + CODES + s * FLOATS);
        codes sum[MATMUL_FEW_TOK];
        UNROLL
        for (int j = 0; j < n; j++)
            sum[j] = few_start(t.zero, t.n_sub == 1 ? x[j].start_all : x[j].start[s]);
        few_steps(t, s, n, p, x, sum);
        UNROLL
        for (int j = 0; j < n; j++)
            u[j] = s == 0 ? f_mul(d, f_of(sum[j])) : f_fma(d, f_of(sum[j]), u[j]);
    }
    UNROLL
    for (int s = 0; s < n_min; s++) {
        const floats m = f_load(p + CODES + (t.n_sub + s) * FLOATS);
        UNROLL
        for (int j = 0; j < n; j++) {
            const float xsum = t.n_sub == 2 ? act_half_sum(x + j, s) : x[j].sum_all;
            u[j] = f_fnma(m, f_set(xsum), u[j]);
        }
    }
    UNROLL
    for (int j = 0; j < n; j++) acc[j] = f_fma(f_set(x[j].dx), u[j], acc[j]);
}

/* ROWS rows and all tokens. */
typedef struct {
    const matmul_args *m;
    const uint8_t *w; /* the first of the rows */
    float *out;
    ahead ahead;
} few_args;

INLINE void few_rows(const few_type t, const int n, const few_args *r)
{
    const size_t group_bytes = (size_t)(CODES + t.n_sub * (t.has_min ? 2 : 1) * FLOATS);
    const size_t bytes = (size_t)(t.bytes * ROWS / t.groups); /* of a group of the rows */
    const pack_args block = { .zero = (uint8_t)t.zero, .ig1 = t.groups };
    const int n_group = r->m->k / QT_GROUP;
    const act_group *x = r->m->act;
    const uint8_t *p = r->w;
    floats acc[MATMUL_FEW_TOK];
    size_t at = 0;
    UNROLL
    for (int j = 0; j < n; j++) acc[j] = f_set(0);
    for (int ig = 0; ig < n_group; ig += t.groups, p += t.bytes) {
        _Alignas(64) uint8_t panel[GROUPS * (CODES + 4 * FLOATS)];
        __asm__("" : "+r"(p)); /* or gcc steps a pointer for each row */
        t.pack(&block, p, r->m->row_bytes, panel);
        for (int g = 0; g < t.groups; g++, at += bytes, x += n) {
            prefetch(&r->ahead, at, bytes);
            few_group(t, n, panel + (size_t)g * group_bytes, x, acc);
        }
    }
    UNROLL
    for (int j = 0; j < n; j++) f_store(r->out + (size_t)j * r->m->ld_out, acc[j]);
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
    few_args r = { .m = a, .w = a->w };
    for (int ir = 0; ir < a->n_rows; ir += ROWS, r.w += ROWS * a->row_bytes) {
        r.ahead = ahead_of(a, ir, ROWS);
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
FEW(q4_k, q4_k_block, GROUPS, 1, true, 0, FEW_MOST, RUN_4)
FEW(q5_k, q5_k_block, GROUPS, 1, true, 0, FEW_MOST, RUN_5)
FEW(q6_k, q6_k_block, GROUPS, 2, false, 32, FEW_MOST, RUN_6)
FEW(iq4_xs, iq4_xs_block, GROUPS, 1, false, ZERO_8, FEW_RARE, 0)

static int few_most(qtype type)
{
    switch (type) {
    case QT_Q4_0:
    case QT_Q8_0:
    case QT_Q4_K:
    case QT_Q5_K:
    case QT_Q6_K: return FEW_MOST;
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
