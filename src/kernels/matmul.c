/* matmul.c - one product on one thread, by the best way for its shape.
 * Layer: kernels. Allocates nothing; what it writes besides the output is the caller's scratch.
 *
 * One token: 16 rows at a time are read as they lie, by the type's gemv. Up to MATMUL_FEW_TOK of
 * the commoner types: rows are unpacked block by block, which is spent at once and not kept (2 to 8
 * tokens 0.6 to 0.9 of the time of what follows). Up to MATMUL_STREAM_TOK: 32 rows are packed a
 * little at a time into the first level cache and spent at once. 16 rows are 16 streams, which
 * prefetchers follow badly (56 to 80 % of the bandwidth): so what comes 72 KB later is asked for in
 * address order meanwhile (ahead.h), and the memory sees one stream. Many tokens: a group of panels
 * that fits half the second level cache is packed into the scratch and spent on all tokens;
 * meanwhile the next group's rows are asked for in address order, and once more, row after row,
 * while the rows before them are packed: by then many have left the cache again. A long row is cut
 * into slices of k, whose partial sums wait in the output: the additions and their order are the
 * same. Where the table has gemm_pairs and tokens are several, panels are turned into pairs of rows
 * once packed. */
#include "kernels/ahead.h"
#include "kernels/generic.h"

enum {
    SCRATCH_BYTES = 480 << 10, /* of it, for panels of codes */
    SLICE_GROUPS = 8, /* slices of k are whole blocks of 256 weights, */
    MOST_GROUPS = 64, /* and no longer: more rows can share each read of the activations */
    STREAM_ROWS = 2 * PANEL_ROWS,
    TOK_STEP = 2 * ACT_TILE,
    TILES_TOK = 128, /* from here on turning rows into lanes is worth it */
    PAIRS_TOK = 6,   /* and turning rows into pairs */
};

size_t matmul_scratch_bytes(void)
{
    return MATMUL_SCRATCH_BYTES;
}

bool matmul_takes_tiles(const lory_kernels *kn, qtype type, int k, int n_tok)
{
    return n_tok >= TILES_TOK && k <= X_MOST_K && qtypes[type].n_sub == 0
           && kn->gemm_tiles[type];
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

/* The kernel that spends the panels of a product. */
typedef void gemm_fn(const gemm_args *a);
static gemm_fn *gemm_for(const lory_kernels *kn, int n_tok)
{
    return n_tok >= PAIRS_TOK && kn->gemm_pairs ? kn->gemm_pairs : kn->gemm_i8;
}

/* Asks for groups [ig0, ig1) of n rows of p from the ir-th on, row after row. */
static void ask_for_rows(const pack_args *p, int ir, int n, int ig0, int ig1)
{
    const size_t first = qtype_row_bytes(p->type, ig0 * QT_GROUP);
    const size_t n_bytes = qtype_row_bytes(p->type, (ig1 - ig0) * QT_GROUP);
    const char *at = (const char *)p->w + (size_t)ir * p->row_bytes + first;
    for (; n > 0; n--, at += p->row_bytes) prefetch_bytes(at, n_bytes);
}

/* A panel, SLICE_GROUPS at a time; the n_after rows after it are asked for meanwhile. */
static void pack_panel(const lory_kernels *kn, pack_args p, int n_after)
{
    const int ig0 = p.ig0, ig1 = p.ig1;
    int n_step = (ig1 - ig0 + SLICE_GROUPS - 1) / SLICE_GROUPS;
    for (int ir = p.n_rows, left = n_after; n_step > 0; n_step--, p.ig0 = p.ig1) {
        const int n = left / n_step;
        ask_for_rows(&p, ir, n, ig0, ig1);
        ir += n, left -= n;
        p.ig1 = n_step == 1 ? ig1 : p.ig0 + SLICE_GROUPS;
        kn->pack[p.type](&p);
        p.panel = (char *)p.panel + (size_t)(p.ig1 - p.ig0) * panel_group_bytes(p.type);
    }
}

/* Groups [ig0, ig1) of n_rows rows from ir on, into the scratch, as that kernel wants them. */
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
    if (n_rows > STREAM_ROWS) ask_for_rows(&p, 0, PANEL_ROWS, ig0, ig1);
    for (int left = n_rows; left > 0; left -= p.n_rows) {
        p.n_rows = left < PANEL_ROWS ? left : PANEL_ROWS;
        const int n_after = n_rows <= STREAM_ROWS ? 0 : left - p.n_rows;
        pack_panel(p.n_rows < PANEL_ROWS ? &kernels_generic_quant : kn, p,
                   n_after < PANEL_ROWS ? n_after : PANEL_ROWS);
        if (gemm_for(kn, a->n_tok) != kn->gemm_i8) kn->pair_rows(a->type, ig1 - ig0, p.panel);
        p.w = (const char *)p.w + PANEL_ROWS * a->row_bytes;
        p.panel = (char *)p.panel + (size_t)(ig1 - ig0) * panel_group_bytes(a->type);
    }
}

static gemm_args gemm_of(const matmul_args *a)
{
    return (gemm_args){ .type = a->type, .n_tok = a->n_tok, .n_group = a->k / QT_GROUP,
                        .panels = a->scratch, .act = a->act, .ld_out = a->ld_out };
}

/* The packed panels (g: all but tokens) against all tokens, a few tiles at a time, with a part of
 * the next panels asked for each time. After the last tokens the first come again, for those. */
static void spend_panels(const lory_kernels *kn, const matmul_args *a, gemm_args g,
                         ahead_parts *later)
{
    gemm_fn *gemm = gemm_for(kn, a->n_tok);
    float *out = g.out;
    for (int it = 0; it < a->n_tok; it += TOK_STEP) {
        g.n_tok = a->n_tok - it < TOK_STEP ? a->n_tok - it : TOK_STEP;
        g.act = a->act + (size_t)it * (size_t)g.n_group;
        g.next = it + TOK_STEP < a->n_tok ? g.act + (size_t)TOK_STEP * (size_t)g.n_group : a->act;
        g.out = out + (size_t)it * a->ld_out;
        g.ahead = take_part(later, &g.n_ahead);
        gemm(&g);
    }
}

static void by_panels(const lory_kernels *kn, const matmul_args *a)
{
    const cut c = cut_for(a);
    const int n_call = (a->n_tok + TOK_STEP - 1) / TOK_STEP * ((c.n_group + c.slice - 1) / c.slice);
    gemm_args g = gemm_of(a);
    for (int ir = 0; ir < a->n_rows; ir += c.rows) {
        const int left = a->n_rows - ir, after = left - c.rows;
        ahead_parts later = { 0 };
        if (after > 0)
            later = ahead_in_parts((const char *)a->w + (size_t)(ir + c.rows) * a->row_bytes,
                                   (size_t)(after < c.rows ? after : c.rows) * a->row_bytes,
                                   n_call);
        g.n_rows = left < c.rows ? left : c.rows;
        g.out = a->out + ir;
        for (g.ig0 = 0; g.ig0 < c.n_group; g.ig0 = g.ig1) {
            g.ig1 = c.n_group - g.ig0 < c.slice ? c.n_group : g.ig0 + c.slice;
            pack_rows(kn, a, ir, g.n_rows, g.ig0, g.ig1);
            spend_panels(kn, a, g, &later);
        }
    }
}

/* Groups of a slice that goes through the first level cache: whole blocks, nearly equal slices. */
static int stream_slice(const matmul_args *a)
{
    const int n_group = a->k / QT_GROUP, block = qtypes[a->type].block_elems / QT_GROUP;
    const int most = GEMM_MOST / block * block, n_slice = (n_group + most - 1) / most;
    return ((n_group + n_slice - 1) / n_slice + block - 1) / block * block;
}

/* Two panels and one slice at a time through the first level cache; n_rows a multiple of 16. */
static void by_stream(const lory_kernels *kn, const matmul_args *a)
{
    const int slice = stream_slice(a);
    gemm_args g = gemm_of(a);
    for (int ir = 0; ir < a->n_rows; ir += STREAM_ROWS) {
        g.n_rows = a->n_rows - ir < STREAM_ROWS ? a->n_rows - ir : STREAM_ROWS;
        g.out = a->out + ir;
        const ahead later = ahead_of(a, ir, g.n_rows);
        const size_t group_bytes = (size_t)g.n_rows * a->row_bytes / (size_t)g.n_group;
        for (g.ig0 = 0; g.ig0 < g.n_group; g.ig0 = g.ig1) {
            g.ig1 = g.n_group - g.ig0 < slice ? g.n_group : g.ig0 + slice;
            g.ahead = ahead_at(&later, (size_t)g.ig0 * group_bytes);
            g.n_ahead = (size_t)(g.ig1 - g.ig0) * group_bytes;
            pack_rows(kn, a, ir, g.n_rows, g.ig0, g.ig1);
            gemm_for(kn, a->n_tok)(&g);
        }
    }
}

/* Whole panels of rows, or fewer rows than one panel. */
static void quantised(const lory_kernels *kn, const matmul_args *a)
{
    if (a->n_tok > MATMUL_STREAM_TOK || a->n_rows < PANEL_ROWS)
        by_panels(kn, a);
    else if (kn->gemv[a->type] && a->n_tok == 1)
        kn->gemv[a->type](a);
    else if (kn->few_most && a->n_tok > 1 && a->n_tok <= kn->few_most(a->type))
        kn->few[a->type](a);
    else
        by_stream(kn, a);
}

void matmul(const lory_kernels *kn, const matmul_args *a)
{
    if (qtypes[a->type].n_sub == 0) {
        (a->x_tiles ? kn->gemm_tiles : kn->gemm_f)[a->type](a);
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
