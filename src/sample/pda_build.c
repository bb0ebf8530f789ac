/* pda_build.c - expressions as edges; see pda_draft.h.
 * Layer: sample.
 *
 * An expression is written between two states that are there: it may use any edges out of `from`
 * and into `to`, but never into `from` or out of `to`. So alternatives share their ends. */
#include "base/utf8.h"
#include "sample/pda_draft.h"
#include "sample/vec.h"
#include <string.h>

/* ---- the draft ------------------------------------------------------------------------------ */

void draft_free(pda_draft *d)
{
    mem_free(d->edge);
    mem_free(d->flags);
    mem_free(d->rule);
    *d = (pda_draft){ 0 };
}

uint32_t draft_add_state(pda_draft *d, uint8_t flags)
{
    uint8_t *all = NULL;
    if (d->n_states >= PDA_MAX_STATES)
        d->too_large = true;
    else
        all = vec_room(d->flags, d->n_states, &d->cap_states, 1, 1);
    if (!all) {
        d->failed = true;
        return 0;
    }
    d->flags = all;
    d->flags[d->n_states] = flags;
    return (uint32_t)d->n_states++;
}

uint32_t draft_add_rule(pda_draft *d, uint32_t start, const expr *e)
{
    draft_rule *all = vec_room(d->rule, d->n_rules, &d->cap_rules, 1, sizeof *all);
    if (!all) {
        d->failed = true;
        return 0;
    }
    d->rule = all;
    d->rule[d->n_rules] = (draft_rule){ .start = start, .e = e };
    return (uint32_t)d->n_rules++;
}

void draft_put(pda_draft *d, uint32_t from, pda_edge e)
{
    draft_edge *all = NULL;
    if (d->n_edges >= PDA_MAX_EDGES)
        d->too_large = true;
    else
        all = vec_room(d->edge, d->n_edges, &d->cap_edges, 1, sizeof *all);
    if (!all) {
        d->failed = true;
        return;
    }
    d->edge = all;
    d->edge[d->n_edges++] = (draft_edge){ e, from };
}

void draft_put_empty(pda_draft *d, uint32_t from, uint32_t to)
{
    draft_put(d, from, (pda_edge){ .kind = PDA_EMPTY, .to = to });
}

void draft_put_call(pda_draft *d, uint32_t from, uint32_t rule, uint32_t to)
{
    draft_put(d, from, (pda_edge){ .kind = PDA_CALL, .to = to, .rule = rule });
}

static void put_bytes(pda_draft *d, uint32_t from, uint8_t lo, uint8_t hi, uint32_t to)
{
    draft_put(d, from, (pda_edge){ .kind = PDA_BYTES, .to = to, .lo = lo, .hi = hi });
}

/* ---- characters ----------------------------------------------------------------------------- */

/* Where the ranges of one class end: tail[n] takes any n continuation bytes, shared by all. */
typedef struct {
    pda_draft *d;
    uint32_t tail[UTF8_MAX_BYTES]; /* tail[0] is the end; PDA_NONE: not there yet */
} class_end;

static uint32_t tail_of(class_end *c, int n)
{
    for (int i = 1; i <= n; i++) {
        if (c->tail[i] != PDA_NONE) continue;
        c->tail[i] = draft_add_state(c->d, 0);
        put_bytes(c->d, c->tail[i], 0x80, 0xBF, c->tail[i - 1]);
    }
    return c->tail[n];
}

static bool is_all(const uint8_t *bytes, int n, uint8_t value)
{
    for (int i = 0; i < n; i++)
        if (bytes[i] != value) return false;
    return true;
}

/* The characters from lo to hi, which both have n bytes: at most two splits a byte, since only the
 * first and the last value of a byte restrict those after it. */
static void put_utf8(class_end *c, uint32_t from, const uint8_t *lo, const uint8_t *hi, int n)
{
    static const uint8_t least[] = { 0x80, 0x80, 0x80 }, most[] = { 0xBF, 0xBF, 0xBF };
    int first = lo[0], last = hi[0];
    bool lo_is_free = is_all(lo + 1, n - 1, 0x80), hi_is_free = is_all(hi + 1, n - 1, 0xBF);
    if (first == last && !(lo_is_free && hi_is_free)) {
        uint32_t s = draft_add_state(c->d, 0);
        put_bytes(c->d, from, (uint8_t)first, (uint8_t)first, s);
        put_utf8(c, s, lo + 1, hi + 1, n - 1);
        return;
    }
    if (!lo_is_free) {
        uint32_t s = draft_add_state(c->d, 0);
        put_bytes(c->d, from, (uint8_t)first, (uint8_t)first, s);
        put_utf8(c, s, lo + 1, most, n - 1);
        first++;
    }
    if (!hi_is_free) {
        uint32_t s = draft_add_state(c->d, 0);
        put_bytes(c->d, from, (uint8_t)last, (uint8_t)last, s);
        put_utf8(c, s, least, hi + 1, n - 1);
        last--;
    }
    if (first <= last) put_bytes(c->d, from, (uint8_t)first, (uint8_t)last, tail_of(c, n - 1));
}

static void put_class(pda_draft *d, const expr *e, uint32_t from, uint32_t to)
{
    /* Characters of 1, 2, 3 (around the surrogates) and 4 bytes. */
    static const char_range part[] = { { 0, 0x7F },
                                       { 0x80, 0x7FF },
                                       { 0x800, 0xD7FF },
                                       { 0xE000, 0xFFFF },
                                       { 0x10000, SYNTAX_MAX_CHAR } };
    class_end c = { d, { to, PDA_NONE, PDA_NONE, PDA_NONE } };
    for (size_t i = 0; i < e->n; i++)
        for (size_t k = 0; k < sizeof part / sizeof part[0]; k++) {
            char lo[UTF8_MAX_BYTES], hi[UTF8_MAX_BYTES];
            char_range r = e->range[i];
            if (r.lo < part[k].lo) r.lo = part[k].lo;
            if (r.hi > part[k].hi) r.hi = part[k].hi;
            if (r.lo > r.hi) continue;
            int n = (int)utf8_encode(r.lo, lo);
            utf8_encode(r.hi, hi);
            put_utf8(&c, from, (const uint8_t *)lo, (const uint8_t *)hi, n);
        }
}

static void put_text(pda_draft *d, const expr *e, uint32_t from, uint32_t to)
{
    if (e->n == 0) draft_put_empty(d, from, to);
    for (size_t i = 0; i < e->n && !d->failed; i++) {
        uint32_t next = i + 1 == e->n ? to : draft_add_state(d, 0);
        put_bytes(d, from, (uint8_t)e->text[i], (uint8_t)e->text[i], next);
        from = next;
    }
}

/* ---- the others ----------------------------------------------------------------------------- */

/* About how many edges the expression takes, counted up to `limit` and not beyond. */
static size_t size_of(const expr *e, size_t limit)
{
    size_t n = 1;
    if (e->kind == EXPR_TEXT) n += e->n;
    if (e->kind == EXPR_CHARS) n += e->n;
    if (e->kind == EXPR_SEQ || e->kind == EXPR_ALT || e->kind == EXPR_REPEAT)
        for (size_t i = 0; i < e->n && n <= limit; i++) n += size_of(e->item[i], limit - n);
    if (e->kind == EXPR_REPEAT) n *= (e->max == SYNTAX_MANY ? e->min : e->max) + 1u;
    return n;
}

static void put_expr(pda_draft *d, const expr *e, uint32_t from, uint32_t to);

/* One of the times that an item is repeated: the item itself, or a call where it is large. */
typedef struct {
    const expr *item;
    uint32_t rule; /* PDA_NONE: write the item out */
} repeated;

static void put_once(pda_draft *d, repeated r, uint32_t from, uint32_t to)
{
    if (r.rule == PDA_NONE)
        put_expr(d, r.item, from, to);
    else
        draft_put_call(d, from, r.rule, to);
}

static void put_repeat(pda_draft *d, const expr *e, uint32_t from, uint32_t to)
{
    enum { MAX_INLINE = 8 };
    bool is_open = e->max == SYNTAX_MANY;
    uint32_t n_written = is_open ? e->min + !e->min : e->max;
    repeated r = { e->item[0], PDA_NONE };
    if (n_written > 1 && size_of(e->item[0], MAX_INLINE) > MAX_INLINE)
        r.rule = draft_add_rule(d, draft_add_state(d, 0), e->item[0]);
    uint32_t at = draft_add_state(d, 0), loop = at;
    draft_put_empty(d, from, at);
    for (uint32_t i = 0; i < n_written && !d->failed; i++) {
        uint32_t next = draft_add_state(d, 0);
        put_once(d, r, at, next);
        if (i >= e->min && !is_open) draft_put_empty(d, at, to);
        loop = at;
        at = next;
    }
    if (is_open && e->min == 0) draft_put_empty(d, loop, to);
    if (is_open) draft_put_empty(d, at, loop);
    draft_put_empty(d, at, to);
}

static void put_expr(pda_draft *d, const expr *e, uint32_t from, uint32_t to)
{
    if (d->failed) return;
    switch (e->kind) {
    case EXPR_TEXT: put_text(d, e, from, to); return;
    case EXPR_CHARS: put_class(d, e, from, to); return;
    case EXPR_RULE: draft_put_call(d, from, e->rule, to); return;
    case EXPR_REPEAT: put_repeat(d, e, from, to); return;
    case EXPR_ALT:
        for (size_t i = 0; i < e->n; i++) put_expr(d, e->item[i], from, to);
        return;
    case EXPR_SEQ:
        if (e->n == 0) draft_put_empty(d, from, to);
        for (size_t i = 0; i < e->n && !d->failed; i++) {
            uint32_t next = i + 1 == e->n ? to : draft_add_state(d, 0);
            put_expr(d, e->item[i], from, next);
            from = next;
        }
    }
}

void draft_build(pda_draft *d, const syntax *s)
{
    for (size_t i = 0; i < s->n_rules && !d->failed; i++)
        draft_add_rule(d, draft_add_state(d, 0), s->rule[i]);
    /* More rules come while these are written: large items that are repeated. */
    for (size_t i = 0; i < d->n_rules && !d->failed; i++) {
        uint32_t end = draft_add_state(d, PDA_FINAL);
        put_expr(d, d->rule[i].e, d->rule[i].start, end);
    }
}

/* ---- index ---------------------------------------------------------------------------------- */

static uint32_t key_of(const draft_edge *e, draft_key key)
{
    if (key == BY_RULE) return e->e.kind == PDA_CALL ? e->e.rule : PDA_NONE;
    return key == BY_FROM ? e->from : e->e.to;
}

bool draft_index_new(draft_index *x, const pda_draft *d, draft_key key)
{
    size_t n_keys = key == BY_RULE ? d->n_rules : d->n_states;
    x->first = mem_new(n_keys + 2, sizeof *x->first);
    x->item = mem_new(d->n_edges + 1, sizeof *x->item);
    if (!x->first || !x->item) return false;
    for (size_t i = 0; i < d->n_edges; i++) {
        uint32_t k = key_of(&d->edge[i], key);
        if (k != PDA_NONE) x->first[k + 2]++;
    }
    for (size_t k = 2; k < n_keys + 2; k++) x->first[k] += x->first[k - 1];
    for (size_t i = 0; i < d->n_edges; i++) {
        uint32_t k = key_of(&d->edge[i], key);
        if (k != PDA_NONE) x->item[x->first[k + 1]++] = (uint32_t)i;
    }
    return true;
}

void draft_index_free(draft_index *x)
{
    mem_free(x->first);
    mem_free(x->item);
    *x = (draft_index){ 0 };
}
