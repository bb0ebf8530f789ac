/* gemv_super.h - one token straight from rows of super-blocks, for one instruction set, written
 * over vectors of ROWS rows' dwords: what a type's sums of products and its scales become.
 * Layer: kernels. Not a header by itself: gemv_small.h and gemv_codes.h include it, after the
 * vectors. The shape is that of avx512_gemv.c: see there. */
#ifndef LORY_KERNELS_GEMV_SUPER_H
#define LORY_KERNELS_GEMV_SUPER_H

#include "kernels/gemv.h"

enum {
    VB = 4 * ROWS,    /* bytes of a vector */
    LANES = ROWS / 4, /* of 16 bytes */
    N_VEC = QB_SUPER / VB,
    NO_ZERO = -1
};

/* log2(128 / zero) of codes that are stored zero too great; LEVEL_SHIFT is the file's. */
enum { ZERO_32 = 2, ZERO_16 = 3, ZERO_8 = 4, ZERO_4 = 5, ZERO_1 = 7 };

/* start_all and start of the activations say -128 * sum: -zero * sum. */
INLINE codes less_zero(codes sums, int start, const int shift)
{
    return shift == NO_ZERO ? sums : i_add32(sums, i_set32(start >> shift));
}

/* ---- super-blocks ---------------------------------------------------------------------------- */

/* Which 16 weights of a super-block lie in a lane of a vector of codes: as they are numbered; as
 * the 2-bit arrays have them; the low, then the high nibbles of each vector of bytes, which are
 * halves of one group and are added before the network. Or whose sums a type's own function leaves
 * where: each sixteenth's in a dword of a row until these are transposed; each group's. */
typedef enum { IN_ORDER, CRUMBS, NIBBLES, DWORDS, BY_GROUP } code_order;

/* The sixteenth in lane l of vector v. */
INLINE int sixteenth_at(code_order o, int v, int l)
{
    return o == NIBBLES ? 2 * (LANES * (v / 2) + l) + v % 2 : LANES * v + l;
}
/* Where the sum of sixteenth i is, counted in lanes; NIBBLES, BY_GROUP: of group i. */
INLINE int lane_of(code_order o, int i)
{
    const int at = 2 * (i / 8) + i % 2; /* of a 2-bit array's 64 bytes */
    switch (o) {
    case CRUMBS: return LANES * (4 * (at / LANES) + i / 2 % 4) + at % LANES;
    case DWORDS: return LANES * (i % 4) + i / 4;
    default: return i;
    }
}

/* The points of a row's block in its codebook, and a bit of each weight: it is negative. */
typedef struct {
    _Alignas(32) uint16_t at[QB_SUPER / 4];
    uint8_t signs[QB_SUPER / 8];
} lookups;

typedef struct {
    int bytes, shift, n_sub;
    bool has_min;
    bool fits_16; /* the sums of eight products */
    code_order order;
    /* The sums of four products of a row, from the vectors of activations in that order. */
    void (*dots)(const uint8_t *block, const codes x[N_VEC], codes v[N_VEC]);
    void (*scales)(uint8_t *to, size_t stride, const uint8_t *p, size_t rb);
    /* Codebooks, in place of dots: which points; then their sums. */
    void (*lookups)(const uint8_t *block, lookups *l);
    void (*look_up)(const void *grid, const lookups *l, const codes x[N_VEC], codes v[N_VEC]);
    /* In place of them: the sums of ROWS rows, where lane_of says. */
    void (*sums)(const rows_args *r, const uint8_t *p, const act_group *x,
                 codes sum[N_VEC * LANES]);
} super_type;

INLINE void super_acts(const super_type t, const act_group *x, codes xs[N_VEC])
{
    UNROLL
    for (int v = 0; v < N_VEC; v++) {
        const int8_t *at[LANES];
        UNROLL
        for (int l = 0; l < LANES; l++) {
            const int i = sixteenth_at(t.order, v, l);
            at[l] = x[i / 2].q + 16 * (i % 2);
        }
        xs[v] = i_lanes_at(at);
    }
}

/* The sums of ROWS rows, by lane_of; at: how far the block is in the bytes of these rows. */
INLINE void super_sums(const super_type t, const rows_args *r, const uint8_t *p, const act_group *x,
                       codes sum[N_VEC * LANES])
{
    const int n_vec = t.order == NIBBLES ? N_VEC / 2 : N_VEC;
    const size_t at = (size_t)(p - r->w) * ROWS;
    codes xs[N_VEC];
    lookups l[ROWS]; /* made before they are used: a row's would wait for each other */
    if (t.lookups)
        for (size_t i = 0; i < ROWS; i++) t.lookups(p + i * r->rb, l + i);
    super_acts(t, x, xs);
    for (size_t g = 0; g < LANES; g++) { /* four rows; some lines before each */
        codes v[4][N_VEC];
        UNROLL
        for (size_t i = 0; i < 4; i++) {
            prefetch(&r->ahead, at + (4 * g + i) * (size_t)t.bytes, t.bytes);
            if (t.lookups)
                t.look_up(r->grid, l + 4 * g + i, xs, v[i]);
            else
                t.dots(p + (4 * g + i) * r->rb, xs, v[i]);
        }
        UNROLL
        for (int j = 0; j < n_vec; j++)
            sum[LANES * j + (int)g] = t.fits_16 ? net_16_bits(v[0][j], v[1][j], v[2][j], v[3][j])
                                                : net_32_bits(v[0][j], v[1][j], v[2][j], v[3][j]);
    }
    for (int j = 0; j < n_vec; j++) transpose_lanes(sum + LANES * j);
}

/* scale * (the sum of half s, or of both when there is one scale); sc: the scales of the group. */
INLINE floats super_term(const super_type t, const codes *sum, int g, const act_group *x, int s)
{
    if (t.n_sub == 2)
        return f_of(less_zero(sum[lane_of(t.order, 2 * g + s)], x->start[s], t.shift));
    if (t.order == NIBBLES || t.order == BY_GROUP)
        return f_of(less_zero(sum[g], x->start_all, t.shift));
    codes both = i_add32(sum[lane_of(t.order, 2 * g)], sum[lane_of(t.order, 2 * g + 1)]);
    return f_of(less_zero(both, x->start_all, t.shift));
}

INLINE floats super_rows(const super_type t, const rows_args *r)
{
    enum { MOST = 4 * GROUPS };
    const size_t stride = (size_t)(t.n_sub * (t.has_min ? 2 : 1) * FLOATS);
    const uint8_t *p = r->w;
    floats acc = f_set(0);
    for (int ig = 0; ig < r->n_group; ig += GROUPS, p += t.bytes) {
        _Alignas(64) uint8_t scale[MOST * FLOATS];
        codes sum[N_VEC * LANES];
        if (t.sums)
            t.sums(r, p, r->x + ig, sum);
        else
            super_sums(t, r, p, r->x + ig, sum);
        t.scales(scale, stride, p, r->rb); /* after them: see README, "One ascending stream" */
        for (int g = 0; g < GROUPS; g++) {
            const act_group *x = r->x + ig + g;
            const uint8_t *sc = scale + (size_t)g * stride;
            floats u = f_mul(f_load(sc), super_term(t, sum, g, x, 0));
            if (t.n_sub == 2) u = f_fma(f_load(sc + FLOATS), super_term(t, sum, g, x, 1), u);
            if (t.has_min)
                for (int s = 0; s < t.n_sub; s++) {
                    const float xsum = t.n_sub == 2 ? act_half_sum(x, s) : x->sum_all;
                    u = f_fnma(f_load(sc + (t.n_sub + s) * FLOATS), f_set(xsum), u);
                }
            acc = f_fma(f_set(x->dx), u, acc);
        }
    }
    return acc;
}

/* ---- the slots ------------------------------------------------------------------------------- */

/* What a type without a codebook puts into the scratch first. */
INLINE void no_points(void *grid)
{
    (void)grid;
}

#define GEMV(type, rows, points)                                                                   \
    static floats type##_rows(const rows_args *r)                                                  \
    {                                                                                              \
        return rows(type, r);                                                                      \
    }                                                                                              \
    static void gemv_##type(const matmul_args *a)                                                  \
    {                                                                                              \
        points(a->scratch);                                                                        \
        all_rows(a, type##_rows);                                                                  \
    }

#endif
