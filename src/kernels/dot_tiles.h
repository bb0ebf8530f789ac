/* dot_tiles.h - panels against activations by vpdpbusd, for one instruction set, written over
 * vectors of ROWS rows.
 * Layer: kernels. Not a header: avxvnni_quant.c includes it once, after the vectors, and so do the
 * files of AVX-512 by way of avx512_tiles.h.
 *
 * A panel's step is one vector (or two): 4 codes of 16 rows. vpdpbusd multiplies it with 4
 * activations broadcast to all rows, so sums stay in their rows and nothing is added across. Codes
 * lie in the panel as code + 128, unsigned; a sum begins at -128 * sum(activations), which takes
 * the 128 off exactly and costs nothing. A tile is two vectors of rows x some tokens. A sum begins
 * at the bits of 1.5 * 2^23 as well: then it is a float as it stands, and one fused multiply-add
 * scales it and takes that off again, rounding once: no conversion. So 8 vpdpbusd, one multiply-add
 * for the scale and one for the activations' bound it: 8/10 of the peak; a minimum or a second
 * scale (which still converts) makes it 8/11 or 8/12. Where conversions are free beside multiplies
 * every sum is converted (CONVERTS), to the same bits.
 *
 * What the files define before, with the vectors and i_add_dot (sum + the products of unsigned
 * and signed bytes by fours):
 *   TILE_1, TILE_2            tokens of a tile of two vectors, one scale and two: 4 at least
 *   TILE_NARROW               of a tile of one vector
 *   PEAK_SUMS                 that peak_i8 adds to in turn
 *   ALTERNATE                 whether the steps of two halves of a group do
 *   CONVERTS                  whether every sum is converted
 *   f_load_n, f_store_n       the first n floats, n <= ROWS; zeros for the others
 *   row_bits, first_rows      a bit a row; those of the first n
 *   doubtful                  of the floats that are a zero, infinite or a NaN */
#include "kernels/ahead.h"
#include "kernels/scale_rows.h"

/* ---- one tile ------------------------------------------------------------------------------ */

/* Vectors of rows side by side against some tokens of one tile of activations. */
typedef struct {
    const uint8_t *panel; /* where the first vector lies, at its first group */
    size_t panel_bytes;   /* from panel to panel */
    const act_group *x;   /* the first token, at the first group */
    size_t width;         /* tokens of the tile: from group to group */
    const uint8_t *ahead;   /* asked for: a line with each group, */
    size_t step;            /* or as many as lie in so many bytes */
    int n_group;
    bool is_first; /* else out holds the sums so far */
    int n_last;    /* rows of the last vector that are there */
    float *out;
    size_t ld_out;
} tile_args;

/* From the first vector to the second: the next panel, or the panel's other half. */
INLINE size_t vector_step(const tile_args *t)
{
    return (int)ROWS < PANEL_ROWS ? 4 * ROWS : t->panel_bytes;
}

INLINE codes broadcast4(const void *p)
{
    return i_set32(load_i32(p));
}

/* Adds the products of step k: the vectors' codes at p, activations x. */
INLINE void add_step(const int rv, const int n, const int k, const uint8_t *p, size_t next,
                     const act_group *x, codes a[2][TILE_NARROW])
{
    codes w[2];
    UNROLL
    for (int v = 0; v < rv; v++) w[v] = i_load(p + (size_t)v * next + 64 * k);
    UNROLL
    for (int j = 0; j < n; j++) {
        codes xb = broadcast4(x[j].q + 4 * k);
        UNROLL
        for (int v = 0; v < rv; v++) a[v][j] = i_add_dot(a[v][j], w[v], xb);
    }
}

INLINE void start_at(const int rv, const int n, const act_group *x, const size_t field,
                     codes a[2][TILE_NARROW])
{
    UNROLL
    for (int j = 0; j < n; j++) {
        a[0][j] = broadcast4((const uint8_t *)&x[j] + field);
        if (rv == 2) a[1][j] = a[0][j];
    }
}

/* One group: acc[v][j] += its scaled sums. exact: see tile(). Two things keep the multipliers busy:
 * the steps of two halves alternate, since a sum waits 5 clocks for its last product, and the
 * scales are ready before the last step, since what comes later waits behind its products. */
INLINE void group(const int n_sub, const bool has_min, const bool exact, const int rv, const int n,
                  const uint8_t *p, size_t next, const act_group *x,
                  floats acc[2][TILE_NARROW])
{
    const int n_step = QT_GROUP / 4 / n_sub, last = n_step - 1; /* of a sum */
    const bool by_turns = n_sub == 2 && ALTERNATE;
    const size_t all = exact ? offsetof(act_group, start_all) : offsetof(act_group, magic_all);
    const size_t second = offsetof(act_group, start) + sizeof x->start[0];
    const size_t half = exact ? offsetof(act_group, start) : offsetof(act_group, magic_0);
    const uint8_t *at[2] = { p + CODES, p + next + CODES }; /* scales, then minimums */
    codes a[2][TILE_NARROW], b[2][TILE_NARROW];
    floats d[2], dm[2], u[2][TILE_NARROW];
    start_at(rv, n, x, n_sub == 1 ? all : half, a);
    if (by_turns) start_at(rv, n, x, second, b);
    UNROLL
    for (int k = 0; k < last; k++) {
        add_step(rv, n, k, p, next, x, a);
        if (by_turns) add_step(rv, n, n_step + k, p, next, x, b);
    }
    UNROLL
    for (int v = 0; v < rv; v++) {
        d[v] = f_load(at[v]);
        dm[v] = f_mul(d[v], f_set(-ACT_MAGIC));
    }
    add_step(rv, n, last, p, next, x, a);
    if (by_turns) add_step(rv, n, n_step + last, p, next, x, b);
    UNROLL
    for (int j = 0; j < n; j++) {
        UNROLL
        for (int v = 0; v < rv; v++)
            u[v][j] = exact ? f_mul(d[v], f_of(a[v][j])) : f_fma(d[v], f_bits(a[v][j]), dm[v]);
    }
    if (n_sub == 2 && !by_turns) {
        start_at(rv, n, x, second, b);
        UNROLL
        for (int k = 0; k < n_step; k++) add_step(rv, n, n_step + k, p, next, x, b);
    }
    UNROLL
    for (int j = 0; j < n && n_sub == 2; j++) {
        UNROLL
        for (int v = 0; v < rv; v++)
            u[v][j] = f_fma(f_load(at[v] + FLOATS), f_of(b[v][j]), u[v][j]);
    }
    UNROLL
    for (int j = 0; j < n && has_min; j++) {
        UNROLL
        for (int s = 0; s < n_sub; s++) {
            const float xsum = n_sub == 1 ? x[j].sum_all : act_half_sum(&x[j], s);
            UNROLL
            for (int v = 0; v < rv; v++)
                u[v][j] = f_fnma(f_load(at[v] + FLOATS * (n_sub + s)), f_set(xsum), u[v][j]);
        }
    }
    UNROLL
    for (int j = 0; j < n; j++) {
        UNROLL
        for (int v = 0; v < rv; v++) acc[v][j] = f_fma(f_set(x[j].dx), u[v][j], acc[v][j]);
    }
}

/* rv vectors x n tokens, in registers: rv * n sums twice (thrice for two scales). What will be
 * written is asked for at the beginning: stores wait for their lines in turn. False, and nothing
 * written, when not exact and a result may differ: fma(d, 1.5 * 2^23 + isum, -1.5 * 2^23 d)
 * is d * isum rounded once, since the last product is exact (scales have fewer than 23 bits);
 * only an infinite or overflowing one gives a NaN or an infinity, and a zero may have lost its
 * sign. */
INLINE bool tile(const int n_sub, const bool has_min, const bool exact, const int rv, const int n,
                 const tile_args *t)
{
    const size_t group_bytes = (size_t)(CODES + n_sub * (has_min ? 2 : 1) * FLOATS);
    const size_t next = vector_step(t);
    const uint8_t *p = t->panel;
    const act_group *x = t->x;
    const uint8_t *line = t->ahead;
    float *const out = t->out; /* what is stored might be *t to a compiler */
    const size_t ld_out = t->ld_out;
    const int n_rows[2] = { rv == 1 ? t->n_last : ROWS, t->n_last };
    floats acc[2][TILE_NARROW];
    UNROLL
    for (int v = 0; v < rv; v++) {
        UNROLL
        for (int j = 0; j < n; j++) {
            float *at = out + (size_t)j * ld_out + ROWS * v;
            if (t->is_first) __builtin_prefetch(at, 1, 3);
            acc[v][j] = t->is_first ? f_set(0) : f_load_n(at, n_rows[v]);
        }
    }
    for (int ig = 0; ig < t->n_group; ig++, x += t->width, p += group_bytes) {
        __builtin_prefetch(line, 0, 2);
        for (size_t i = AHEAD_LINE; i < t->step; i += AHEAD_LINE)
            __builtin_prefetch(line + i, 0, 2);
        line += t->step;
        group(n_sub, has_min, exact, rv, n, p, next, x, acc);
    }
    row_bits doubt[2] = { 0, 0 };
    UNROLL
    for (int v = 0; v < rv && !exact; v++) {
        UNROLL
        for (int j = 0; j < n; j += 2) /* of two is neither if they are not */
            doubt[v] |= doubtful(j + 1 < n ? f_mul(acc[v][j], acc[v][j + 1]) : acc[v][j]);
    }
    if ((doubt[0] & first_rows(n_rows[0])) | (doubt[1] & first_rows(n_rows[1]))) return false;
    UNROLL
    for (int v = 0; v < rv; v++) {
        UNROLL
        for (int j = 0; j < n; j++)
            f_store_n(out + (size_t)j * ld_out + ROWS * v, n_rows[v], acc[v][j]);
    }
    return true;
}

typedef bool tile_fn(const tile_args *t);
#define TILE(s, m, rv, n)                                                                          \
    static bool tile_##s##_##m##_##rv##_##n(const tile_args *t)                                    \
    {                                                                                              \
        return tile(s, m, CONVERTS, rv, n, t);                                                     \
    }
#define TILES_4(s, m, rv) TILE(s, m, rv, 1) TILE(s, m, rv, 2) TILE(s, m, rv, 3) TILE(s, m, rv, 4)
#define TILES_6(s, m, rv) TILES_4(s, m, rv) TILE(s, m, rv, 5) TILE(s, m, rv, 6)
#define TILES_8(s, m, rv) TILES_6(s, m, rv) TILE(s, m, rv, 7) TILE(s, m, rv, 8)
#define EXACT(s, m)                                                                                \
    static bool exact_##s##_##m(const tile_args *t)                                                \
    {                                                                                              \
        return tile(s, m, true, 1, 1, t);                                                          \
    }
TILES_8(1, 0, 1)
TILES_6(1, 0, 2)
TILES_8(1, 1, 1)
TILES_6(1, 1, 2)
TILES_8(2, 0, 1)
TILES_4(2, 0, 2)
TILES_8(2, 1, 1)
TILES_4(2, 1, 2)
EXACT(1, 0)
EXACT(1, 1)
EXACT(2, 0)
EXACT(2, 1)
#define ROW_4(s, m, rv)                                                                            \
    tile_##s##_##m##_##rv##_1, tile_##s##_##m##_##rv##_2, tile_##s##_##m##_##rv##_3,               \
        tile_##s##_##m##_##rv##_4
#define ROW_6(s, m, rv) ROW_4(s, m, rv), tile_##s##_##m##_##rv##_5, tile_##s##_##m##_##rv##_6
#define ROW_8(s, m, rv) ROW_6(s, m, rv), tile_##s##_##m##_##rv##_7, tile_##s##_##m##_##rv##_8

/* [n_sub - 1][has_min][vectors - 1][tokens - 1] */
static tile_fn *const tiles[2][2][2][TILE_NARROW] = {
    { { { ROW_8(1, 0, 1) }, { ROW_6(1, 0, 2) } }, { { ROW_8(1, 1, 1) }, { ROW_6(1, 1, 2) } } },
    { { { ROW_8(2, 0, 1) }, { ROW_4(2, 0, 2) } }, { { ROW_8(2, 1, 1) }, { ROW_4(2, 1, 2) } } },
};
static tile_fn *const exact_tiles[2][2] = { { exact_1_0, exact_1_1 }, { exact_2_0, exact_2_1 } };

/* ---- all tiles ----------------------------------------------------------------------------- */

static uint8_t panel_zero(qtype type)
{
    (void)type;
    return 128;
}

/* The same tile one vector and one token at a time, without the trick. */
static void tile_exactly(const qtype_row *type, int rv, int n, tile_args t)
{
    tile_fn *fn = exact_tiles[type->n_sub - 1][type->has_min];
    const int n_last = t.n_last;
    for (int v = 0; v < rv; v++, t.panel += vector_step(&t)) {
        t.n_last = v == rv - 1 ? n_last : ROWS;
        for (int j = 0; j < n; j++) {
            tile_args one = t;
            one.x += j;
            one.out += (size_t)j * t.ld_out + (size_t)v * ROWS;
            fn(&one);
        }
    }
}

/* Bytes to be asked for: `each` with each group of each run of a tile, until none is left. */
typedef struct {
    const uint8_t *at;
    size_t left, each;
} soon;

static int n_tokens_max(const qtype_row *type, int rv)
{
    return rv == 1 ? TILE_NARROW : type->n_sub == 1 ? TILE_1 : TILE_2;
}

/* Runs of at most n_max (4 at least) tokens that a tile's width is cut into: without a division,
 * which takes as long as a third of a group. */
static int n_runs(int width, int n_max)
{
    return (width > 0) + (width > n_max) + (width > 2 * n_max) + (width > 3 * n_max);
}
/* Tokens of the next of n runs, nearly equal, of which n_tok are left. */
static int run_tokens(int n_tok, int n)
{
    return n == 1 ? n_tok : n == 2 ? (n_tok + 1) / 2 : n == 3 ? (n_tok + 2) / 3 : (n_tok + 3) / 4;
}
_Static_assert(ACT_TILE <= 4 * TILE_2, "four runs at most");

/* Pairs of vectors of rows. */
static int n_pairs(const gemm_args *a)
{
    return (a->n_rows + 2 * ROWS - 1) / (2 * ROWS);
}

/* a->ahead, spread evenly over the runs of all tiles. */
static soon soon_of(const gemm_args *a)
{
    const int n_max = n_tokens_max(&qtypes[a->type], a->n_rows > ROWS ? 2 : 1);
    const int n_run = a->n_tok / ACT_TILE * n_runs(ACT_TILE, n_max)
                      + n_runs(a->n_tok % ACT_TILE, n_max);
    const int n = n_pairs(a) * n_run * (a->ig1 - a->ig0);
    const int n_line = (int)(a->n_ahead / AHEAD_LINE) / n + 1;
    return (soon){ a->ahead, a->n_ahead, (size_t)n_line * AHEAD_LINE };
}

/* A run's part; when none is left, what the run has at hand. */
static void take_soon(soon *s, tile_args *t)
{
    const size_t n = s->each * (size_t)t->n_group;
    t->ahead = (const uint8_t *)t->x;
    t->step = 0;
    if (s->left == 0) return;
    t->ahead = s->at;
    t->step = s->each;
    s->at += n;
    s->left -= s->left < n ? s->left : n;
}

/* Lines to ask for with each group of a run, so that n_run runs ask for width lines a group. */
static int lines_each(int width, int n_run)
{
    return n_run >= width ? 1 : 2 * n_run >= width ? 2 : 3 * n_run >= width ? 3 : 6;
}
_Static_assert(ACT_TILE <= 12, "two runs a tile at least");

/* rv vectors from row ir on, groups [ig0, ig1), against all tokens. Meanwhile each run of a tile
 * asks for its part of what lies there for the tokens that come next, until all of it is asked
 * for, or of what is read soon. */
static void rows_x_tokens(const gemm_args *a, int ir, int rv, int ig0, int ig1, soon *later)
{
    const qtype_row *type = &qtypes[a->type];
    const size_t group_bytes = panel_group_bytes(a->type);
    const int n_max = n_tokens_max(type, rv);
    const int n_pair = n_pairs(a);
    const int n_last = a->n_rows - ir - ROWS * (rv - 1);
    tile_fn *const *fn = tiles[type->n_sub - 1][type->has_min][rv - 1];
    tile_args t = { .panel_bytes = (size_t)(a->ig1 - a->ig0) * group_bytes,
                    .width = ACT_TILE,
                    .n_group = ig1 - ig0,
                    .is_first = ig0 == 0,
                    .n_last = n_last < ROWS ? n_last : ROWS,
                    .ld_out = a->ld_out };
    t.panel = (const uint8_t *)a->panels + (size_t)(ir / PANEL_ROWS) * t.panel_bytes
              + (size_t)(ig0 - a->ig0) * group_bytes + (size_t)(ir % PANEL_ROWS) * 4;
    for (int first = 0; first < a->n_tok; first += ACT_TILE) {
        if (a->n_tok - first < ACT_TILE) t.width = (size_t)(a->n_tok - first);
        const size_t at = act_index(first, ig0, a->n_tok, a->n_group);
        const act_group *x = a->act + at;
        const int width = (int)t.width;
        int n_left = n_runs(width, n_max);
        const int each = lines_each(width, n_pair * n_left);
        int run = a->next ? ir / (2 * ROWS) * n_left * each : ACT_TILE;
        for (int it = 0, n; it < width; it += n, n_left--, run += each) {
            n = run_tokens(width - it, n_left);
            t.x = x + it;
            if (run < ACT_TILE) {
                t.ahead = (const uint8_t *)(a->next + at + run * t.n_group);
                t.step = (size_t)each * sizeof *a->next;
            } else {
                take_soon(later, &t);
            }
            t.out = a->out + (size_t)(first + it) * a->ld_out + ir;
            if (!fn[n - 1](&t) && !CONVERTS) tile_exactly(type, rv, n, t);
        }
    }
}

static void gemm_i8(const gemm_args *a)
{
    soon later = soon_of(a);
    for (int ig0 = a->ig0, ig1; ig0 < a->ig1; ig0 = ig1) {
        ig1 = gemm_slice_end(a, ig0);
        for (int ir = 0, rv; ir < a->n_rows; ir += rv * ROWS) {
            rv = a->n_rows - ir > ROWS ? 2 : 1;
            rows_x_tokens(a, ir, rv, ig0, ig1, &later);
        }
    }
}

/* ---- peak ---------------------------------------------------------------------------------- */

static double peak_i8(int64_t n)
{
    codes a[PEAK_SUMS], w = i_set8(1), x = i_set8(1);
    UNROLL
    for (int i = 0; i < PEAK_SUMS; i++) {
        a[i] = i_set32(0);
        __asm__("" : "+v"(a[i])); /* sums the compiler can't see to be one */
    }
    for (int64_t r = 0; r < n; r++) {
        UNROLL
        for (int i = 0; i < PEAK_SUMS; i++) a[i] = i_add_dot(a[i], w, x);
        __asm__ volatile("" : "+v"(w), "+v"(x));
    }
    UNROLL
    for (int i = 0; i < PEAK_SUMS; i++) __asm__ volatile("" ::"v"(a[i]));
    return (double)n * PEAK_SUMS * sizeof(codes);
}

/* Of the table. */
#define TILE_SLOTS .panel_zero = panel_zero, .gemm_i8 = gemm_i8, .peak_i8 = peak_i8
