/* float_tiles.h - the float matmul: weights become floats in registers, as they lie in the file;
 * tokens are copied, a block of them at a time, to where they stay in the second level cache.
 * Layer: kernels. Not a header by itself, see float_lanes.h for v16 and F_ROWS x F_TOK.
 *
 * A tile's sums stay in registers from the first weight of its rows to the last: an output's 16
 * lanes are 64 bytes, which between slices of a row go through the caches. The copy lies in the
 * order of reading: as they lie, tokens a power of two apart share the sets of the caches and push
 * each other out. */
#ifndef LORY_KERNELS_FLOAT_TILES_H
#define LORY_KERNELS_FLOAT_TILES_H

#include "kernels/ahead.h"
#include "kernels/float_lanes.h"

enum {
    BLOCK_BYTES = 384 << 10, /* of a block's copy: all rows pass while it stays, */
    MOST_TOKENS = 48,        /* so the more tokens, the fewer passes; */
    LEAST_TOKENS = 12,       /* of long rows these, as far as the scratch goes */
    STEPS = 4,               /* of 16 weights, per round of the loop */
    PAGE_BYTES = 4096,       /* rows as long as that, read once, are better left to the hardware */
    NEAR_K = 2048            /* so many of a token's values stay near while rows pass */
};
_Static_assert((int)BLOCK_BYTES <= (int)MATMUL_SCRATCH_BYTES, "a block fits the scratch");

typedef struct {
    const uint8_t *w; /* the first row */
    size_t row_bytes;
    const float *x; /* [step][n][16], zeros past k; one token as it lies */
    int n, k;
    float *out;
    size_t ld_out;
    const uint8_t *next; /* later weights: `ask` bytes a round are asked for */
    size_t ask;
} float_tile;

INLINE size_t weight_bytes(const qtype type)
{
    return type == QT_F32 ? 4 : 2;
}

INLINE v16 load_w(const qtype type, const uint8_t *row, int k)
{
    if (type == QT_F16) return v_load_f16(row + 2 * (size_t)k);
    if (type == QT_BF16) return v_load_bf16(row + 2 * (size_t)k);
    return v_load(row + 4 * (size_t)k);
}

/* The last n < 16 weights of a row. */
INLINE v16 load_w_tail(const qtype type, const uint8_t *row, int k, int n)
{
    float tail[16] = { 0 };
    qtypes[type].to_f32(n, row + (size_t)k * weight_bytes(type), tail);
    return v_load(tail);
}

/* y[i] = fold of v[i], four at once as far as they go. */
INLINE void fold_all(const int n, const v16 *v, float *y)
{
    UNROLL
    for (int i = 0; i < n / 4 * 4; i += 4) v_fold4(v + i, y + i);
    for (int i = n / 4 * 4; i < n; i++) y[i] = v_fold(v[i]);
}

/* 16 weights of each row times those of n tokens: all there, or `part` of them. */
INLINE void add_step(const int rows, const int n, const v16 *w, const float *x, int part, v16 *sum)
{
    UNROLL
    for (int j = 0; j < n; j++) {
        v16 xv = n == 1 ? load_part(x, part) : v_load(x + 16 * j);
        UNROLL
        for (int i = 0; i < rows; i++) sum[rows * j + i] = v_fma(w[i], xv, sum[rows * j + i]);
    }
}

INLINE void add_whole_step(const qtype type, const int rows, const int n, const float_tile *t,
                           int k, v16 *sum)
{
    v16 w[F_ROWS];
    UNROLL
    for (int i = 0; i < rows; i++) w[i] = load_w(type, t->w + (size_t)i * t->row_bytes, k);
    add_step(rows, n, w, t->x + (size_t)k * (size_t)n, 16, sum);
}

INLINE void add_last_step(const qtype type, const int rows, const int n, const float_tile *t,
                          int k, v16 *sum)
{
    v16 w[F_ROWS];
    for (int i = 0; i < rows; i++)
        w[i] = load_w_tail(type, t->w + (size_t)i * t->row_bytes, k, t->k - k);
    add_step(rows, n, w, t->x + (size_t)k * (size_t)n, t->k - k, sum);
}

/* sum[n][rows]: all of the tile's steps, next asked for meanwhile. */
INLINE void sum_float_tile(const qtype type, const int rows, const int n, const float_tile *t,
                           v16 *sum)
{
    UNROLL
    for (int j = 0; j < n; j++)
        UNROLL
        for (int i = 0; i < rows; i++) sum[rows * j + i] = v_zero();
    const uint8_t *next = t->next;
    int k = 0;
    for (; k + 16 * STEPS <= t->k; k += 16 * STEPS, next += t->ask) {
        for (size_t i = 0; i < t->ask; i += AHEAD_LINE) __builtin_prefetch(next + i, 0, 2);
        UNROLL
        for (int s = 0; s < STEPS; s++) add_whole_step(type, rows, n, t, k + 16 * s, sum);
    }
    for (; k + 16 <= t->k; k += 16) add_whole_step(type, rows, n, t, k, sum);
    if (k < t->k) add_last_step(type, rows, n, t, k, sum);
}

INLINE void run_float_tile(const qtype type, const int rows, const int n, const float_tile *t)
{
    v16 sum[F_ROWS * F_TOK];
    sum_float_tile(type, rows, n, t, sum);
    float y[F_ROWS * F_TOK];
    fold_all(rows * n, sum, y);
    UNROLL
    for (int j = 0; j < n; j++)
        memcpy(t->out + (size_t)j * t->ld_out, y + rows * j, (size_t)rows * sizeof *y);
}

#define TILE_OF(tokens)                                                                            \
    case tokens:                                                                                   \
        if (tokens <= F_TOK) run_float_tile(type, rows, tokens <= F_TOK ? tokens : 1, t);          \
        break;
INLINE void any_float_tile(const qtype type, const int rows, const float_tile *t)
{
    switch (t->n) {
        TILE_OF(1)
        TILE_OF(2)
        TILE_OF(3)
        TILE_OF(4)
        TILE_OF(5)
        TILE_OF(6)
    default: break;
    }
}
#undef TILE_OF

/* Tokens [it, it + n_tok) of the product; x: as tiles take them, one tile after the other. */
typedef struct {
    int it, n_tok;
    const float *x;
} float_block;

/* Tiles as even as can be: the width of the first of them, when n tokens are left. */
static int tile_width(int n)
{
    int n_tile = (n + F_TOK - 1) / F_TOK;
    return (n + n_tile - 1) / n_tile;
}

static size_t whole_steps(int k)
{
    return (size_t)(k + 15) / 16 * 16;
}

/* `rows` rows from ir on against the block. */
INLINE void spend_rows(const qtype type, const int rows, const matmul_args *a,
                       const float_block *b, int ir)
{
    const size_t n_tile = (size_t)(b->n_tok + F_TOK - 1) / F_TOK, round = 16 * STEPS;
    const size_t each = (size_t)rows * a->row_bytes / n_tile;
    const ahead later = ahead_of(a, ir, rows);
    float_tile t = { .w = (const uint8_t *)a->w + (size_t)ir * a->row_bytes,
                     .row_bytes = a->row_bytes,
                     .x = b->x,
                     .k = a->k,
                     .out = a->out + (size_t)b->it * a->ld_out + ir,
                     .ld_out = a->ld_out };
    if (n_tile > 1 || a->row_bytes < PAGE_BYTES)
        t.ask = (each * round / whole_steps(a->k) + AHEAD_LINE - 1) / AHEAD_LINE * AHEAD_LINE;
    size_t from = 0;
    for (int left = b->n_tok; left > 0; left -= t.n, from += each) {
        t.n = tile_width(left);
        t.next = from < later.split ? later.at + from : later.then + (from - later.split);
        any_float_tile(type, rows, &t);
        t.x += (size_t)t.n * whole_steps(a->k);
        t.out += (size_t)t.n * t.ld_out;
    }
}

static void pack_tokens(const matmul_args *a, const float_block *b, float *to)
{
    const float *x = a->x + (size_t)b->it * a->ld_x;
    for (int left = b->n_tok, n; left > 0; left -= n, x += (size_t)n * a->ld_x) {
        n = tile_width(left);
        for (int k = 0; k < a->k; k += 16)
            for (int j = 0; j < n; j++, to += 16)
                v_store(to, load_part(x + (size_t)j * a->ld_x + k, a->k - k));
    }
}

INLINE v16 row_sum(const qtype type, const uint8_t *row, const float *x, int k)
{
    v16 sum;
    sum_float_tile(type, 1, 1, &(float_tile){ .w = row, .x = x, .k = k }, &sum);
    return sum;
}

/* One token, rows one after the other: the hardware's prefetcher follows a single ascending stream
 * best, and one sum at a time (16 weights in 4 clocks) keeps up with memory. */
INLINE void by_row(const qtype type, const matmul_args *a)
{
    const uint8_t *row = a->w;
    int ir = 0;
    for (; ir + 4 <= a->n_rows; ir += 4) {
        v16 sum[4];
        for (int i = 0; i < 4; i++, row += a->row_bytes) sum[i] = row_sum(type, row, a->x, a->k);
        v_fold4(sum, a->out + ir);
    }
    for (; ir < a->n_rows; ir++, row += a->row_bytes)
        a->out[ir] = v_fold(row_sum(type, row, a->x, a->k));
}

INLINE void gemm_float_block(const qtype type, const matmul_args *a, float_block b)
{
    int ir = 0;
    if (b.n_tok == 1) {
        b.x = a->x + (size_t)b.it * a->ld_x;
    } else {
        pack_tokens(a, &b, a->scratch);
        b.x = a->scratch;
    }
    for (; ir + F_ROWS <= a->n_rows; ir += F_ROWS) spend_rows(type, F_ROWS, a, &b, ir);
    for (; ir < a->n_rows; ir++) spend_rows(type, 1, a, &b, ir);
}

static int block_tokens(int k)
{
    const size_t each = whole_steps(k) * sizeof(float);
    const size_t n = BLOCK_BYTES / each, fit = MATMUL_SCRATCH_BYTES / each;
    if (n >= LEAST_TOKENS) return n < MOST_TOKENS ? (int)n : MOST_TOKENS;
    return fit < LEAST_TOKENS ? (int)fit + (fit == 0) : LEAST_TOKENS;
}

INLINE void gemm_float(const qtype type, const matmul_args *a)
{
    const int most = block_tokens(a->k), n_block = (a->n_tok + most - 1) / most;
    const weight_stretch again = { a->w, (size_t)a->n_rows * a->row_bytes };
    matmul_args part = *a;
    float_block b = { 0 };
    if (a->n_tok == 1 && a->row_bytes >= PAGE_BYTES && a->k <= NEAR_K) {
        by_row(type, a);
        return;
    }
    part.next = &again, part.n_next = 1;
    for (int i = 0; i < n_block; i++, b.it += b.n_tok) {
        if (i == n_block - 1) part.next = a->next, part.n_next = a->n_next;
        b.n_tok = (a->n_tok - b.it + n_block - i - 1) / (n_block - i);
        gemm_float_block(type, &part, b);
    }
}

#endif
