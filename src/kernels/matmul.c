/* matmul.c - one product on one thread, by the best way for its shape.
 * Layer: kernels. Allocates nothing; what it writes besides the output is the caller's scratch.
 *
 * Few tokens: 16 rows at a time are read as they lie, by the type's gemv (one token), or packed a
 * little at a time into the first level cache and spent at once. 16 rows are 16 streams, which
 * prefetchers follow badly (56 to 80 % of the bandwidth): so what comes 72 KB later is asked for in
 * address order meanwhile (ahead.h), and the memory sees one stream. Many tokens: a group of panels
 * that fits half the second level cache is packed into the scratch and spent on all tokens;
 * meanwhile the next group's rows are prefetched in address order. A long row is cut into slices of
 * k, whose partial sums wait in the output: the additions and their order are the same. */
#include "kernels/ahead.h"
#include "kernels/generic.h"

enum {
    SCRATCH_BYTES = 448 << 10, /* of it, for panels of codes */
    FEW_TOK = 8,      /* up to here a stream through the first level cache beats panels */
    SLICE_GROUPS = 8, /* slices of k are whole blocks of 256 weights, */
    MOST_GROUPS = 64, /* and no longer: more rows can share each read of the activations */
    TOK_STEP = 4 * ACT_TILE,
};

size_t matmul_scratch_bytes(void)
{
    return MATMUL_SCRATCH_BYTES;
}

/* How a product is cut: `slice` groups of 32 along k, panels of `rows` rows at once. */
typedef struct {
    int n_group, slice, rows;
} cut;

static cut cut_for(const matmul_args *a)
{
    const size_t group_bytes = panel_group_bytes(a->type);
    cut c = { .n_group = a->k / QT_GROUP };
    int n_slice = (c.n_group + MOST_GROUPS - 1) / MOST_GROUPS;
    c.slice = (c.n_group + n_slice - 1) / n_slice;
    c.slice = (c.slice + SLICE_GROUPS - 1) / SLICE_GROUPS * SLICE_GROUPS;
    if (c.slice > c.n_group) c.slice = c.n_group;
    c.rows = (int)(SCRATCH_BYTES / ((size_t)c.slice * group_bytes)) * PANEL_ROWS;
    c.rows -= c.rows % (2 * PANEL_ROWS); /* the fast tiles take two panels */
    return c;
}

/* Groups [ig0, ig1) of n_rows rows from ir on, into the scratch. */
static void pack_rows(const lory_kernels *kn, const matmul_args *a, int ir, int n_rows, int ig0,
                      int ig1)
{
    pack_args p = { .type = a->type,
                    .zero = kn->panel_zero(a->type),
                    .ig0 = ig0,
                    .ig1 = ig1,
                    .w = (const char *)a->w + (size_t)ir * a->row_bytes,
                    .row_bytes = a->row_bytes,
                    .panel = a->scratch };
    for (; n_rows > 0; n_rows -= PANEL_ROWS) {
        p.n_rows = n_rows < PANEL_ROWS ? n_rows : PANEL_ROWS;
        (p.n_rows < PANEL_ROWS ? &kernels_generic_quant : kn)->pack[a->type](&p);
        p.w = (const char *)p.w + PANEL_ROWS * a->row_bytes;
        p.panel = (char *)p.panel + (size_t)(ig1 - ig0) * panel_group_bytes(a->type);
    }
}

/* The weights of the next panels, asked for a little with every step of tokens. */
typedef struct {
    const char *next;
    size_t left, step; /* bytes */
} next_panels;

static void prefetch_step(next_panels *p)
{
    size_t n = p->left < p->step ? p->left : p->step;
    for (size_t i = 0; i < n; i += AHEAD_LINE) __builtin_prefetch(p->next + i, 0, 2);
    if (n == 0) return; /* `next` may be NULL */
    p->next += n;
    p->left -= n;
}

/* The packed panels (g: all but tokens) against all tokens, a few tiles at a time. After the last
 * of them the first come again, for the next panels. */
static void spend_panels(const lory_kernels *kn, const matmul_args *a, gemm_args g,
                         next_panels *p)
{
    float *out = g.out;
    for (int it = 0; it < a->n_tok; it += TOK_STEP) {
        g.n_tok = a->n_tok - it < TOK_STEP ? a->n_tok - it : TOK_STEP;
        g.act = a->act + (size_t)it * (size_t)g.n_group;
        g.next = it + TOK_STEP < a->n_tok ? g.act + (size_t)TOK_STEP * (size_t)g.n_group : a->act;
        g.out = out + (size_t)it * a->ld_out;
        kn->gemm_i8(&g);
        prefetch_step(p);
    }
}

static void by_panels(const lory_kernels *kn, const matmul_args *a)
{
    const cut c = cut_for(a);
    const int n_call = (a->n_tok + TOK_STEP - 1) / TOK_STEP * ((c.n_group + c.slice - 1) / c.slice);
    gemm_args g = {
        .type = a->type, .n_group = c.n_group, .panels = a->scratch, .ld_out = a->ld_out
    };
    for (int ir = 0; ir < a->n_rows; ir += c.rows) {
        const int left = a->n_rows - ir, after = left - c.rows;
        next_panels p = { 0 };
        if (after > 0) {
            p.next = (const char *)a->w + (size_t)(ir + c.rows) * a->row_bytes;
            p.left = (size_t)(after < c.rows ? after : c.rows) * a->row_bytes;
            p.step = (p.left / (size_t)n_call / AHEAD_LINE + 1) * AHEAD_LINE;
        }
        g.n_rows = left < c.rows ? left : c.rows;
        g.out = a->out + ir;
        for (g.ig0 = 0; g.ig0 < c.n_group; g.ig0 = g.ig1) {
            g.ig1 = c.n_group - g.ig0 < c.slice ? c.n_group : g.ig0 + c.slice;
            pack_rows(kn, a, ir, g.n_rows, g.ig0, g.ig1);
            spend_panels(kn, a, g, &p);
        }
    }
}

/* One panel and one slice at a time through the first level cache; n_rows a multiple of 16. */
static void by_stream(const lory_kernels *kn, const matmul_args *a)
{
    const int n_group = a->k / QT_GROUP, n_slice = (n_group + SLICE_GROUPS - 1) / SLICE_GROUPS;
    const size_t each = PANEL_ROWS * a->row_bytes / (size_t)n_slice;
    pack_args p = { .type = a->type,
                    .zero = kn->panel_zero(a->type),
                    .n_rows = PANEL_ROWS,
                    .row_bytes = a->row_bytes,
                    .panel = a->scratch };
    gemm_args g = { .type = a->type,
                    .n_rows = PANEL_ROWS,
                    .n_tok = a->n_tok,
                    .n_group = n_group,
                    .panels = a->scratch,
                    .act = a->act,
                    .ld_out = a->ld_out };
    for (int ir = 0; ir < a->n_rows; ir += PANEL_ROWS) {
        p.w = (const char *)a->w + (size_t)ir * a->row_bytes;
        g.out = a->out + ir;
        const ahead later = ahead_of(a, ir, PANEL_ROWS);
        size_t at = 0; /* of the panel's bytes */
        for (int ig = 0; ig < n_group; ig += SLICE_GROUPS, at += each) {
            p.ig0 = g.ig0 = ig;
            p.ig1 = g.ig1 = n_group - ig < SLICE_GROUPS ? n_group : ig + SLICE_GROUPS;
            prefetch(&later, at, each / 2);
            kn->pack[a->type](&p);
            prefetch(&later, at + each / 2, each - each / 2);
            kn->gemm_i8(&g);
        }
    }
}

/* Whole panels of rows, or fewer rows than one panel. */
static void quantised(const lory_kernels *kn, const matmul_args *a)
{
    if (a->n_tok > FEW_TOK || a->n_rows < PANEL_ROWS)
        by_panels(kn, a);
    else if (kn->gemv[a->type] && a->n_tok == 1)
        kn->gemv[a->type](a);
    else
        by_stream(kn, a);
}

void matmul(const lory_kernels *kn, const matmul_args *a)
{
    if (qtypes[a->type].n_sub == 0) {
        kn->gemm_f[a->type](a);
        return;
    }
    const int over = a->n_rows % PANEL_ROWS, whole = a->n_rows - over;
    matmul_args part = *a;
    part.n_rows = whole > 0 ? whole : over;
    quantised(kn, &part);
    if (over == 0 || whole == 0) return;
    /* The last rows once more as a full panel: the kernels want 16, and the bits are the same. */
    const int ir = a->n_rows - PANEL_ROWS;
    part.n_rows = PANEL_ROWS;
    part.w = (const char *)a->w + (size_t)ir * a->row_bytes;
    part.out = a->out + ir;
    quantised(kn, &part);
}
