/* left_recursion.c - left recursion becomes loops; see pda_draft.h.
 * Layer: sample.
 *
 * A rule calls another on its left when it does so before it has read a byte. Where rules call each
 * other on the left in a circle, a text of rule A is read from its innermost left corner outwards:
 * first some rule M of the circle that does not begin with one of the circle (its base), then, each
 * time that M has been read, the rest of a rule P behind its left call of M, after which P has been
 * read; until that is A. So A becomes
 *     start --call base of M--> read M,  for each M of the circle
 *     read M --call rest of P--> read P, for each left call of M in a rule P
 *     read A --> end
 * The base of P is a new start with those edges of P's beginning that read a byte or call a rule
 * outside of the circle; the rest of P is P entered behind the call. (The left-corner transform of
 * Rosenkrantz and Lewis, 1970, with automata in place of right-hand sides.) */
#include "sample/pda_draft.h"
#include <string.h>

/* One rule's left calls: those of the states that its start reaches without a byte. */
typedef struct {
    pda_draft *d;
    draft_index by_from;
    uint32_t *seen; /* [n_states] the last walk that met it */
    uint32_t n_walks;
    uint32_t *stack; /* [n_states] of a walk */
} walker;

typedef void (*on_edge)(void *user, const draft_edge *e);

/* Calls fn for the edges that read or call, of every state that `start` reaches without a byte. */
static void walk(walker *w, uint32_t start, on_edge fn, void *user)
{
    uint32_t n = 0, walk_id = ++w->n_walks;
    w->stack[n++] = start;
    w->seen[start] = walk_id;
    while (n > 0) {
        uint32_t s = w->stack[--n];
        for (uint32_t i = w->by_from.first[s]; i < w->by_from.first[s + 1]; i++) {
            draft_edge e = w->d->edge[w->by_from.item[i]];
            if (e.e.kind != PDA_EMPTY)
                fn(user, &e);
            else if (w->seen[e.e.to] != walk_id) {
                w->seen[e.e.to] = walk_id;
                w->stack[n++] = e.e.to;
            }
        }
    }
}

/* ---- circles -------------------------------------------------------------------------------- */

typedef struct {
    uint32_t from, rule, to; /* rule `from` calls `rule` on its left and goes on at state `to` */
} left_call;

typedef struct {
    left_call *call; /* [n] in the order of `from` */
    size_t n, cap;
    uint32_t from;   /* the rule at hand */
    uint32_t *first; /* [n_rules + 1] */
    bool failed;
} left_calls;

static void note_call(void *user, const draft_edge *e)
{
    left_calls *l = user;
    if (e->e.kind != PDA_CALL) return;
    if (l->n == l->cap) {
        left_call *more = mem_resize(l->call, l->n, l->cap * 2 + 64, sizeof *more);
        if (!more) {
            l->failed = true;
            return;
        }
        l->call = more;
        l->cap = l->cap * 2 + 64;
    }
    l->call[l->n++] = (left_call){ l->from, e->e.rule, e->e.to };
}

static bool find_left_calls(walker *w, left_calls *l)
{
    size_t n_rules = w->d->n_rules;
    if (!(l->first = mem_new(n_rules + 1, sizeof *l->first))) return false;
    for (uint32_t r = 0; r < n_rules; r++) {
        l->from = r;
        l->first[r] = (uint32_t)l->n;
        walk(w, w->d->rule[r].start, note_call, l);
    }
    l->first[n_rules] = (uint32_t)l->n;
    return !l->failed;
}

/* The strongly connected components of the left calls (Tarjan 1972, without recursion): a rule's
 * component has a higher number than those it calls into. */
typedef struct {
    const left_calls *l;
    uint32_t *component; /* [n_rules] from 1; 0: not yet known */
    uint32_t *order;     /* [n_rules] when it was met, from 1 */
    uint32_t *low;
    uint32_t *next; /* its call to be followed next */
    uint32_t *open; /* [n_open] met, component not yet known */
    uint32_t *path; /* [n_path] from the root of the search to here */
    uint32_t n_open, n_path, n_met, n_components;
} circles;

static void enter(circles *c, uint32_t r)
{
    c->order[r] = c->low[r] = ++c->n_met;
    c->next[r] = c->l->first[r];
    c->open[c->n_open++] = r;
    c->path[c->n_path++] = r;
}

static void leave(circles *c, uint32_t r)
{
    c->n_path--;
    if (c->n_path > 0) {
        uint32_t *low = &c->low[c->path[c->n_path - 1]];
        if (c->low[r] < *low) *low = c->low[r];
    }
    if (c->low[r] != c->order[r]) return;
    c->n_components++;
    while (c->component[r] == 0) c->component[c->open[--c->n_open]] = c->n_components;
}

static void search(circles *c, uint32_t root)
{
    enter(c, root);
    while (c->n_path > 0) {
        uint32_t r = c->path[c->n_path - 1];
        if (c->next[r] == c->l->first[r + 1]) {
            leave(c, r);
            continue;
        }
        uint32_t to = c->l->call[c->next[r]++].rule;
        if (c->order[to] == 0)
            enter(c, to);
        else if (c->component[to] == 0 && c->order[to] < c->low[r])
            c->low[r] = c->order[to];
    }
}

static bool find_circles(circles *c, size_t n_rules)
{
    c->component = mem_new(n_rules, sizeof *c->component);
    c->order = mem_new(n_rules, sizeof *c->order);
    c->low = mem_new(n_rules, sizeof *c->low);
    c->next = mem_new(n_rules, sizeof *c->next);
    c->open = mem_new(n_rules, sizeof *c->open);
    c->path = mem_new(n_rules, sizeof *c->path);
    if (!c->component || !c->order || !c->low || !c->next || !c->open || !c->path) return false;
    for (uint32_t r = 0; r < n_rules; r++)
        if (c->order[r] == 0) search(c, r);
    return true;
}

static void free_circles(circles *c)
{
    mem_free(c->component);
    mem_free(c->order);
    mem_free(c->low);
    mem_free(c->next);
    mem_free(c->open);
    mem_free(c->path);
}

/* ---- the transform -------------------------------------------------------------------------- */

typedef struct {
    walker w;
    left_calls l;
    circles c;
    const uint8_t *is_empty; /* [states before] */
    uint32_t *base;          /* [n_rules] a rule; PDA_NONE when it is in no circle */
    uint32_t *read;          /* [n_rules] "read M" of the rule at hand */
    uint32_t *rest;          /* [n left calls] a rule */
} unwinding;

static bool is_in_circle(const unwinding *u, const left_call *l)
{
    return u->c.component[l->from] == u->c.component[l->rule];
}

/* A beginning of its own for a rule, from which its end can't be reached without a byte. */
typedef struct {
    unwinding *u;
    uint32_t start;
    uint32_t without; /* the component whose calls it has not; 0: has all */
} beginning;

static void put_first_edge(void *user, const draft_edge *e)
{
    beginning *b = user;
    if (e->e.kind == PDA_CALL && b->u->c.component[e->e.rule] == b->without) return;
    draft_put(b->u->w.d, b->start, e->e);
}

static uint32_t begin_at(unwinding *u, uint32_t state, uint32_t without)
{
    beginning b = { u, draft_add_state(u->w.d, 0), without };
    if (!u->w.d->failed) walk(&u->w, state, put_first_edge, &b);
    return b.start;
}

static uint32_t without_empty(unwinding *u, uint32_t state)
{
    return u->is_empty[state] ? begin_at(u, state, 0) : state;
}

/* Ranks: what a base calls on its left is of a lower component; a rest never is. */
static void make_parts(unwinding *u, size_t n_rules)
{
    pda_draft *d = u->w.d;
    for (size_t i = 0; i < u->l.n; i++) {
        const left_call *l = &u->l.call[i];
        if (!is_in_circle(u, l)) continue;
        u->rest[i] = draft_add_rule(d, without_empty(u, l->to), NULL);
        u->base[l->from] = 0; /* is made below */
    }
    for (uint32_t r = 0; r < n_rules && !d->failed; r++) {
        uint32_t c = u->c.component[r];
        if (u->base[r] == PDA_NONE) continue;
        u->base[r] = draft_add_rule(d, begin_at(u, d->rule[r].start, c), NULL);
        if (!d->failed) d->rule[u->base[r]].rank = 2 * (u->c.n_components - c) + 2;
    }
}

/* Rule `a` of a circle whose rules are member[0..n). */
static void rewrite(unwinding *u, uint32_t a, const uint32_t *member, size_t n)
{
    pda_draft *d = u->w.d;
    uint32_t start = draft_add_state(d, 0), end = draft_add_state(d, PDA_FINAL);
    if (d->failed) return;
    for (size_t i = 0; i < n; i++) {
        uint32_t m = member[i];
        u->read[m] = draft_add_state(d, 0);
        draft_put_call(d, start, u->base[m], u->read[m]);
    }
    for (size_t i = 0; i < n; i++)
        for (uint32_t k = u->l.first[member[i]]; k < u->l.first[member[i] + 1]; k++) {
            const left_call *l = &u->l.call[k];
            if (!is_in_circle(u, l) || d->failed) continue;
            draft_put_call(d, u->read[l->rule], u->rest[k], u->read[l->from]);
            if (u->is_empty[l->to]) draft_put_empty(d, u->read[l->rule], u->read[l->from]);
        }
    draft_put_empty(d, u->read[a], end);
    d->rule[a].start = start;
}

/* Lists the rules by component: circles are small, rules may be many. */
static bool rewrite_all(unwinding *u, size_t n_rules)
{
    uint32_t n_components = u->c.n_components;
    uint32_t *first = mem_new(n_components + 3, sizeof *first);
    uint32_t *member = mem_new(n_rules, sizeof *member);
    bool ok = first && member;
    for (uint32_t r = 0; ok && r < n_rules; r++) first[u->c.component[r] + 2]++;
    for (uint32_t c = 2; ok && c < n_components + 3; c++) first[c] += first[c - 1];
    for (uint32_t r = 0; ok && r < n_rules; r++) member[first[u->c.component[r] + 1]++] = r;
    for (uint32_t r = 0; ok && r < n_rules && !u->w.d->failed; r++) {
        uint32_t c = u->c.component[r];
        if (u->base[r] != PDA_NONE)
            rewrite(u, r, member + first[c], first[c + 1] - first[c]);
        else
            u->w.d->rule[r].start = without_empty(u, u->w.d->rule[r].start);
        u->w.d->rule[r].rank = 2 * (u->c.n_components - c) + 1;
    }
    mem_free(first);
    mem_free(member);
    return ok;
}

bool draft_unwind_left_recursion(pda_draft *d, const uint8_t *is_empty)
{
    size_t n_rules = d->n_rules;
    unwinding u = { .w = { .d = d }, .is_empty = is_empty };
    u.c.l = &u.l;
    u.w.seen = mem_new(d->n_states, sizeof *u.w.seen);
    u.w.stack = mem_new(d->n_states, sizeof *u.w.stack);
    u.base = mem_new(n_rules, sizeof *u.base);
    u.read = mem_new(n_rules, sizeof *u.read);
    bool ok = u.w.seen && u.w.stack && u.base && u.read && draft_index_new(&u.w.by_from, d, BY_FROM)
              && find_left_calls(&u.w, &u.l) && find_circles(&u.c, n_rules)
              && (u.rest = mem_new(u.l.n, sizeof *u.rest)) != NULL;
    if (ok) {
        memset(u.base, 0xFF, n_rules * sizeof *u.base);
        make_parts(&u, n_rules);
        ok = !d->failed && rewrite_all(&u, n_rules) && !d->failed;
    }
    free_circles(&u.c);
    draft_index_free(&u.w.by_from);
    mem_free(u.l.call);
    mem_free(u.l.first);
    mem_free(u.w.seen);
    mem_free(u.w.stack);
    mem_free(u.base);
    mem_free(u.read);
    mem_free(u.rest);
    return ok;
}
