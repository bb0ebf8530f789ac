/* parts.c - see parts.h. */
#include "engine/parts.h"

enum {
    UNIT = PANEL_ROWS, /* rows that stay on one thread: a panel, a cache line of output */
};

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

/* Products whose rows are shared; of gate and up the second goes with the first. */
static int n_shared(const plan_step *s)
{
    return parts_is_pair(s) ? 1 : s->n_matmul;
}

static void share_units(const plan_step *s, int ith, int nth, int *first, int *last)
{
    int n = 0;
    for (int i = 0; i < n_shared(s); i++) n += parts_units(s->w[i]);
    parts_share(ith, nth, n, first, last);
}

/* What thread ith has of the step, in the order of reading: the products' rows, one after the other
 * in units, are cut into nth equal stretches. */
static int parts_of(const plan_step *s, int ith, int nth, rows_part part[PLAN_MAX_FUSED])
{
    int n_part = 0, first, last;
    share_units(s, ith, nth, &first, &last);
    for (int i = 0, base = 0; i < n_shared(s) && base < last; i++) {
        int n_rows = s->w[i]->n_rows, n = parts_units(s->w[i]);
        int u0 = first > base ? first - base : 0, u1 = last - base < n ? last - base : n;
        base += n;
        if (u0 < u1)
            part[n_part++] =
                (rows_part){ .i = i, .r0 = u0 * UNIT,
                             .r1 = u1 * UNIT < n_rows ? u1 * UNIT : n_rows };
    }
    if (!parts_is_pair(s) || n_part == 0) return n_part;
    part[1] = (rows_part){ .i = 1, .r0 = part[0].r0, .r1 = part[0].r1 };
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

/* Made for another number of threads before, rows have been read by whichever thread, all but few
 * of them; the rest come when they are touched. */
void parts_make(thread_parts *t, const plan *p, int ith, int nth)
{
    const bool was_read = t->nth > 0;
    int n = 0;
    for (int i = 0; i < p->n_step; i++) {
        const plan_step *s = &p->step[i];
        t->first[i] = n;
        if (s->op != OP_MATMUL) continue;
        int end = n + parts_of(s, ith, nth, t->part + n);
        for (; n < end; n++) {
            t->part[n].was_read = was_read;
            t->bytes[n] = bytes_of(s->w[t->part[n].i], t->part[n]);
        }
    }
    t->first[p->n_step] = n;
    find_known(t, p);
    t->nth = nth;
}

/* ---- units taken as threads come to them ----------------------------------------------------- */

bool parts_are_units(const plan_step *s)
{
    for (int i = 0; i < s->n_matmul; i++)
        if (s->w[i]->n_rows % UNIT != 0) return false;
    return true;
}

static uint64_t units_from(int first, int end)
{
    return (uint64_t)(uint32_t)first << 32 | (uint32_t)end;
}

void parts_offer(parts_left *left, int ith, int first, int end)
{
    atomic_store_explicit(&left[ith].units, units_from(first, end), memory_order_relaxed);
}

void parts_offer_rows(parts_left *left, const plan_step *s, int ith, int nth)
{
    int first, last;
    share_units(s, ith, nth, &first, &last);
    parts_offer(left, ith, first, last);
}

/* One part in `parts` of n units, in whole steps of `least`, and that at least. */
static int piece_of(int n, int parts, int least)
{
    int piece = n / (parts * least) * least;
    if (piece < least) piece = least;
    return piece < n ? piece : n;
}

/* A piece from the front of what the thread has. False when it has none. */
static bool take_front(parts_left *left, parts_taker *by)
{
    uint64_t had = atomic_load_explicit(&left->units, memory_order_relaxed);
    do {
        by->first = (int)(had >> 32), by->end = (int)(had & UINT32_MAX);
        if (by->first >= by->end) return false;
        by->last = by->first + piece_of(by->end - by->first, by->parts, by->least);
    } while (!atomic_compare_exchange_weak_explicit(&left->units, &had,
                                                    units_from(by->last, by->end),
                                                    memory_order_relaxed, memory_order_relaxed));
    return true;
}

/* The second half of what thread i has becomes that of a thread that has none, a piece of it in
 * hand. False when thread i has none either. Who still holds an old value of that one's may take of
 * the new: it is the same units. */
static bool take_half(parts_left *left, int i, parts_taker *by)
{
    uint64_t had = atomic_load_explicit(&left[i].units, memory_order_relaxed);
    int first, middle, end;
    do {
        first = (int)(had >> 32), end = (int)(had & UINT32_MAX);
        if (first >= end) return false;
        middle = end - piece_of(end - first, 2, by->least);
    } while (!atomic_compare_exchange_weak_explicit(&left[i].units, &had,
                                                    units_from(first, middle),
                                                    memory_order_relaxed, memory_order_relaxed));
    by->first = middle, by->end = end;
    by->last = middle + piece_of(end - middle, by->parts, by->least);
    by->is_others = true;
    parts_offer(left, by->ith, by->last, end);
    return true;
}

/* The thread that has most left; -1 when none has any. */
static int find_slowest(parts_left *left, int nth)
{
    int slowest = -1, most = 0;
    for (int i = 0; i < nth; i++) {
        uint64_t has = atomic_load_explicit(&left[i].units, memory_order_relaxed);
        int n = (int)(has & UINT32_MAX) - (int)(has >> 32);
        if (n > most) most = n, slowest = i;
    }
    return slowest;
}

bool parts_take(parts_left *left, parts_taker *by)
{
    if (take_front(&left[by->ith], by)) return true;
    for (int i; (i = find_slowest(left, by->nth)) >= 0;)
        if (take_half(left, i, by)) return true;
    return false;
}

int parts_least(const plan_step *s, int nth)
{
    enum { PIECES = 8 };
    int first, last;
    share_units(s, 0, nth, &first, &last);
    int n = (last - first) / PIECES / PARTS_PAIR * PARTS_PAIR;
    return n < PARTS_PAIR ? PARTS_PAIR : n < PARTS_PACKED ? n : PARTS_PACKED;
}

/* The product that has a unit; *base is its first one. */
static int product_of(const plan_step *s, int unit, int *base)
{
    int i = 0;
    for (*base = 0; unit >= *base + parts_units(s->w[i]); i++) *base += parts_units(s->w[i]);
    return i;
}

bool parts_take_rows(parts_left *left, const plan_step *s, parts_taker *by, rows_part *p)
{
    int base;
    if (by->first == by->last && !parts_take(left, by)) return false;
    *p = (rows_part){ .i = product_of(s, by->first, &base), .was_read = true };
    int end = base + parts_units(s->w[p->i]), last = by->last < end ? by->last : end;
    p->r0 = (by->first - base) * UNIT;
    p->r1 = (last - base) * UNIT;
    p->end = ((by->end < end ? by->end : end) - base) * UNIT;
    by->first = last;
    return true;
}

/* ---- things taken one by one ----------------------------------------------------------------- */

void parts_deal(parts_left *left, int ith, int nth, int n)
{
    int n_own = (n - ith + nth - 1) / nth;
    parts_offer(left, ith, 0, n_own > 0 ? n_own : 0);
}

/* The last of thread i's: false when it has none left. */
static bool take_last(parts_left *left, int i, int nth, int *thing)
{
    uint64_t had = atomic_load_explicit(&left[i].units, memory_order_relaxed);
    int n;
    do {
        n = (int)(had & UINT32_MAX);
        if (n == 0) return false;
    } while (!atomic_compare_exchange_weak_explicit(&left[i].units, &had, units_from(0, n - 1),
                                                    memory_order_relaxed, memory_order_relaxed));
    *thing = (n - 1) * nth + i;
    return true;
}

bool parts_take_one(parts_left *left, int ith, int nth, int *thing)
{
    if (take_last(left, ith, nth, thing)) return true;
    for (int i; (i = find_slowest(left, nth)) >= 0;)
        if (take_last(left, i, nth, thing)) return true;
    return false;
}
