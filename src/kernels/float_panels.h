/* float_panels.h - the float matmul for many tokens: rows are converted once to panels of floats in
 * the scratch, which stay in the second level cache while tokens pass.
 * Layer: kernels. Not a header: float_lanes.h includes it, see there for v16 and F_ROWS x F_TOK.
 *
 * A tile reads its F_ROWS rows and F_TOK tokens from two contiguous stretches, step by step of 16.
 * As they lie, rows and tokens a power of two apart fall into the same sets of the caches, push
 * each other out, and come from the third level again and again: 3 times slower at k = 2048.
 * Every output needs its 16 lanes until its row ends (64 bytes), so short rows go through at once,
 * and of long ones a chunk at a time, with the lanes of some tokens waiting in the scratch. */

enum {
    PANEL_F_ROWS = 64,
    SHORT_K = 2048,       /* whole rows up to here, */
    LONG_CHUNK = 1024,    /* else that much of them, */
    LONG_TOKENS = 96,     /* for that many tokens */
    X_SLICE = 512,        /* of F_TOK tokens: in the first level cache */
    PANELS_MIN_TOKENS = 48 /* below, packing costs more than it saves */
};
_Static_assert(PANEL_F_ROWS % F_ROWS == 0, "whole tiles");
_Static_assert((PANEL_F_ROWS * (SHORT_K + 16 * F_TOK) + F_TOK * X_SLICE) * 4
                       <= MATMUL_SCRATCH_BYTES
                   && (PANEL_F_ROWS * (LONG_CHUNK + 16 * LONG_TOKENS) + F_TOK * X_SLICE) * 4
                          <= MATMUL_SCRATCH_BYTES,
               "panels, tokens and lanes fit the scratch");

/* The scratch, and where in the product. */
typedef struct {
    float *w;    /* [tile of rows][step][F_ROWS][16], zeros past the rows and past k */
    float *x;    /* [step][n][16] */
    float *sums; /* [tile of tokens][tile of rows][n][F_ROWS][16] */
    int ir, n_rows, it, n_tok, k0, k1; /* the block and the chunk, k1 <= k */
} float_job;

static int steps_of(int n)
{
    return (n + 15) / 16;
}

INLINE void pack_floats(const qtype type, const matmul_args *a, const float_job *b)
{
    const int n_step = steps_of(b->k1 - b->k0);
    for (int r = 0; r < (b->n_rows + F_ROWS - 1) / F_ROWS * F_ROWS; r++) {
        const uint8_t *row = (const uint8_t *)a->w + (size_t)(b->ir + r) * a->row_bytes;
        float *to = b->w + (size_t)(r / F_ROWS * n_step * F_ROWS + r % F_ROWS) * 16;
        for (int k = b->k0; k < b->k1; k += 16, to += F_ROWS * 16)
            v_store(to, r >= b->n_rows      ? v_zero()
                        : a->k - k >= 16 ? load_w(type, row, k)
                                         : load_w_tail(type, row, k, a->k - k));
    }
}

/* Tokens x, k in [k0, k1), n of them. */
static void pack_tokens(const matmul_args *a, const float *x, int n, int k0, int k1, float *to)
{
    for (int j = 0; j < n; j++, x += a->ld_x)
        for (int k = k0; k < k1; k += 16)
            v_store(to + ((size_t)((k - k0) / 16 * n + j)) * 16, load_part(x + k, a->k - k));
}

typedef struct {
    const float *w, *x;
    float *sums; /* in and out, unless first or last */
    int n_step, rows, n;
    bool is_first, is_last;
    float *out;
    size_t ld_out;
} panel_tile;

INLINE void run_panel_tile(const int n, const panel_tile *t)
{
    v16 sum[F_ROWS * F_TOK]; /* [n][F_ROWS] */
    UNROLL
    for (int i = 0; i < F_ROWS * n; i++) sum[i] = t->is_first ? v_zero() : v_load(t->sums + 16 * i);
    const float *w = t->w, *x = t->x;
    for (int s = 0; s < t->n_step; s++, w += 16 * F_ROWS, x += 16 * n) {
        v16 wv[F_ROWS];
        UNROLL
        for (int i = 0; i < F_ROWS; i++) wv[i] = v_load(w + 16 * i);
        UNROLL
        for (int j = 0; j < n; j++) {
            v16 xv = v_load(x + 16 * j);
            UNROLL
            for (int i = 0; i < F_ROWS; i++)
                sum[F_ROWS * j + i] = v_fma(wv[i], xv, sum[F_ROWS * j + i]);
        }
    }
    if (!t->is_last) {
        UNROLL
        for (int i = 0; i < F_ROWS * n; i++) v_store(t->sums + 16 * i, sum[i]);
        return;
    }
    float y[F_ROWS * F_TOK];
    fold_all(F_ROWS * n, sum, y);
    for (int j = 0; j < n; j++)
        memcpy(t->out + (size_t)j * t->ld_out, y + F_ROWS * j, (size_t)t->rows * sizeof *y);
}

#define TILE_OF(tokens)                                                                            \
    case tokens:                                                                                   \
        if (tokens <= F_TOK) run_panel_tile(tokens <= F_TOK ? tokens : 1, t);                      \
        break;
static void any_panel_tile(const panel_tile *t)
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

/* All rows of the chunk against one tile of tokens. The next tokens' slice is asked for meanwhile,
 * a little with each tile of rows. */
static void spend_on_tile(const matmul_args *a, const float_job *b, panel_tile t, int it,
                          float *sums)
{
    const float *x = a->x + (size_t)it * a->ld_x;
    const int n_tile = (b->n_rows + F_ROWS - 1) / F_ROWS, n_step = steps_of(b->k1 - b->k0);
    for (int k0 = b->k0, k1; k0 < b->k1; k0 = k1) {
        k1 = b->k1 - k0 < X_SLICE ? b->k1 : k0 + X_SLICE;
        pack_tokens(a, x, t.n, k0, k1, b->x);
        const float *next = k1 < b->k1 ? x + k1 : x + (size_t)t.n * a->ld_x + b->k0;
        t.x = b->x, t.n_step = steps_of(k1 - k0);
        t.is_first = k0 == 0, t.is_last = k1 == a->k;
        for (int i = 0; i < n_tile; i++) {
            t.w = b->w + (size_t)(i * n_step + (k0 - b->k0) / 16) * F_ROWS * 16;
            t.sums = sums + (size_t)(i * t.n * F_ROWS) * 16;
            t.rows = b->n_rows - i * F_ROWS < F_ROWS ? b->n_rows - i * F_ROWS : F_ROWS;
            t.out = a->out + (size_t)it * a->ld_out + b->ir + i * F_ROWS;
            for (int j = 0; j < t.n; j++)
                for (int c = i; c < X_SLICE / 16; c += n_tile)
                    __builtin_prefetch(next + (size_t)j * a->ld_x + 16 * c, 0, 2);
            any_panel_tile(&t);
        }
    }
}

static void spend_floats(const matmul_args *a, const float_job *b, bool keeps_lanes)
{
    const int n_part = (b->n_tok + F_TOK - 1) / F_TOK;
    float *sums = b->sums;
    panel_tile t = { .ld_out = a->ld_out };
    for (int part = 0, done = 0; part < n_part; part++, done += t.n) {
        t.n = (b->n_tok - done + n_part - part - 1) / (n_part - part);
        spend_on_tile(a, b, t, b->it + done, sums);
        if (keeps_lanes) sums += (size_t)t.n * PANEL_F_ROWS * 16;
    }
}

INLINE void gemm_float_panels(const qtype type, const matmul_args *a)
{
    const bool is_long = a->k > SHORT_K;
    const int chunk = is_long ? LONG_CHUNK : a->k, n_tok = is_long ? LONG_TOKENS : a->n_tok;
    float_job b = { .w = a->scratch };
    b.x = b.w + (size_t)PANEL_F_ROWS * (is_long ? LONG_CHUNK : SHORT_K);
    b.sums = b.x + F_TOK * X_SLICE;
    for (b.ir = 0; b.ir < a->n_rows; b.ir += PANEL_F_ROWS) {
        b.n_rows = a->n_rows - b.ir < PANEL_F_ROWS ? a->n_rows - b.ir : PANEL_F_ROWS;
        for (b.it = 0; b.it < a->n_tok; b.it += n_tok) {
            b.n_tok = a->n_tok - b.it < n_tok ? a->n_tok - b.it : n_tok;
            for (b.k0 = 0; b.k0 < a->k; b.k0 = b.k1) {
                b.k1 = a->k - b.k0 < chunk ? a->k : b.k0 + chunk;
                pack_floats(type, a, &b);
                spend_floats(a, &b, is_long);
            }
        }
    }
}
