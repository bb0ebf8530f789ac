/* parts.c - see parts.h. */
#include "engine/parts.h"

enum { UNIT = PANEL_ROWS }; /* rows that stay on one thread: a panel, a cache line of output */

void parts_carve(thread_parts *t, const plan *p, mem_carver *c)
{
    size_t n_step = (size_t)p->n_step, n_part = 0;
    for (int i = 0; i < p->n_step; i++)
        if (p->step[i].op == OP_MATMUL) n_part += p->step[i].n_matmul;
    t->first = mem_carve(c, n_step + 1, sizeof *t->first);
    t->n_known = mem_carve(c, n_step, sizeof *t->n_known);
    t->part = mem_carve(c, n_part, sizeof *t->part);
    t->bytes = mem_carve(c, n_part + PARTS_AHEAD, sizeof *t->bytes);
}

/* What thread ith has of the step, in the order of reading: the products' rows, one after the other
 * in units, are cut into nth equal stretches. */
static int parts_of(const plan_step *s, int ith, int nth, rows_part part[PLAN_MAX_FUSED])
{
    int n_products = parts_is_pair(s) ? 1 : s->n_matmul, n_part = 0;
    int n_unit = 0, first, last;
    for (int i = 0; i < n_products; i++) n_unit += (s->w[i]->n_rows + UNIT - 1) / UNIT;
    parts_share(ith, nth, n_unit, &first, &last);
    for (int i = 0, base = 0; i < n_products && base < last; i++) {
        int n_rows = s->w[i]->n_rows, n = (n_rows + UNIT - 1) / UNIT;
        int u0 = first > base ? first - base : 0, u1 = last - base < n ? last - base : n;
        base += n;
        if (u0 < u1)
            part[n_part++] =
                (rows_part){ i, u0 * UNIT, u1 * UNIT < n_rows ? u1 * UNIT : n_rows, false };
    }
    if (!parts_is_pair(s) || n_part == 0) return n_part;
    part[1] = (rows_part){ 1, part[0].r0, part[0].r1, false };
    return 2;
}

static weight_stretch bytes_of(const weight *w, rows_part p)
{
    return (weight_stretch){ (const unsigned char *)w->data + (size_t)p.r0 * w->row_bytes,
                             (size_t)(p.r1 - p.r0) * w->row_bytes };
}

/* Ends where experts, which are not known yet, come. After the last step is the first one. */
static void find_known(thread_parts *t, const plan *p)
{
    int n = t->first[p->n_step], n_known = 0, i = 0;
    while (i < p->n_step && p->step[i].op != OP_EXPERTS) i++;
    while (n_known < t->first[i] && n_known < PARTS_AHEAD) {
        t->bytes[n + n_known] = t->bytes[n_known];
        n_known++;
    }
    n_known += n;
    for (i = p->n_step - 1; i >= 0; i--) {
        t->n_known[i] = n_known;
        if (p->step[i].op == OP_EXPERTS) n_known = t->first[i];
    }
}

void parts_make(thread_parts *t, const plan *p, int ith, int nth)
{
    int n = 0;
    for (int i = 0; i < p->n_step; i++) {
        const plan_step *s = &p->step[i];
        t->first[i] = n;
        if (s->op != OP_MATMUL) continue;
        int end = n + parts_of(s, ith, nth, t->part + n);
        for (; n < end; n++) t->bytes[n] = bytes_of(s->w[t->part[n].i], t->part[n]);
    }
    t->first[p->n_step] = n;
    find_known(t, p);
    t->nth = nth;
}
