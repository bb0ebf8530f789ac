/* pushdown.c - see pushdown.h: the passes in their order. */
#include "sample/pushdown.h"
#include "base/err.h"
#include "sample/pda_draft.h"
#include <string.h>

/* ---- what reaches the end ------------------------------------------------------------------- */

/* Backwards from the ends of the rules. */
typedef struct {
    const pda_draft *d;
    draft_index by_to, by_rule;
    uint32_t *rule_at; /* [n_states] the rule that starts there + 1, or 0 */
    uint32_t *stack;
    uint32_t n;
    uint8_t *reaches; /* [n_states] the end */
} reach;

static void reach_from(reach *x, uint32_t s)
{
    if (x->reaches[s]) return;
    x->reaches[s] = 1;
    x->stack[x->n++] = s;
}

static void follow_back(reach *x, uint32_t s, bool by_bytes)
{
    for (uint32_t i = x->by_to.first[s]; i < x->by_to.first[s + 1]; i++) {
        const draft_edge *e = &x->d->edge[x->by_to.item[i]];
        if (e->e.kind == PDA_BYTES && !by_bytes) continue;
        if (e->e.kind == PDA_CALL && !x->reaches[x->d->rule[e->e.rule].start]) continue;
        reach_from(x, e->from);
    }
    if (!x->rule_at[s]) return;
    uint32_t r = x->rule_at[s] - 1; /* it can be read: its calls are open */
    for (uint32_t i = x->by_rule.first[r]; i < x->by_rule.first[r + 1]; i++) {
        const draft_edge *e = &x->d->edge[x->by_rule.item[i]];
        if (x->reaches[e->e.to]) reach_from(x, e->from);
    }
}

/* reaches[i]: from state i the end of its rule can be reached; with no bytes, or with any. The
 * caller frees it; NULL when memory can't be had. */
static uint8_t *find_reach(const pda_draft *d, bool by_bytes)
{
    reach x = { .d = d };
    x.rule_at = mem_new(d->n_states, sizeof *x.rule_at);
    x.stack = mem_new(d->n_states, sizeof *x.stack);
    x.reaches = mem_new(d->n_states, 1);
    bool ok = x.rule_at && x.stack && x.reaches && draft_index_new(&x.by_to, d, BY_TO)
              && draft_index_new(&x.by_rule, d, BY_RULE);
    for (uint32_t r = 0; ok && r < d->n_rules; r++) x.rule_at[d->rule[r].start] = r + 1;
    for (uint32_t s = 0; ok && s < d->n_states; s++)
        if (d->flags[s] & PDA_FINAL) reach_from(&x, s);
    while (ok && x.n > 0) follow_back(&x, x.stack[--x.n], by_bytes);
    draft_index_free(&x.by_to);
    draft_index_free(&x.by_rule);
    mem_free(x.rule_at);
    mem_free(x.stack);
    if (ok) return x.reaches;
    mem_free(x.reaches);
    return NULL;
}

/* Drops the edges from which no text can come to its end. */
static bool drop_dead_ends(pda_draft *d, uint32_t root, const char *name, lory_err *err)
{
    uint8_t *reaches = find_reach(d, true);
    size_t n = 0;
    if (!reaches) return err_set(err, LORY_E_MEMORY, "%s: no memory for the grammar", name);
    for (size_t i = 0; i < d->n_edges; i++) {
        const draft_edge *e = &d->edge[i];
        if (!reaches[e->e.to]) continue;
        if (e->e.kind == PDA_CALL && !reaches[d->rule[e->e.rule].start]) continue;
        d->edge[n++] = *e;
    }
    d->n_edges = n;
    bool has_text = reaches[d->rule[root].start];
    mem_free(reaches);
    return has_text || err_set(err, LORY_E_FORMAT, "%s: no text at all matches the grammar", name);
}

/* Puts an edge for nothing beside each call that could stand for the empty text. */
static uint8_t *open_empty_calls(pda_draft *d)
{
    uint8_t *is_empty = find_reach(d, false);
    size_t n = d->n_edges;
    for (size_t i = 0; is_empty && i < n && !d->failed; i++) {
        draft_edge e = d->edge[i];
        if (e.e.kind == PDA_CALL && is_empty[d->rule[e.e.rule].start])
            draft_put_empty(d, e.from, e.e.to);
    }
    return is_empty;
}

/* ---- the finished automaton ----------------------------------------------------------------- */

/* Sets PDA_READS and PDA_TAIL: a tail is a state that reaches none without bytes that reads or
 * calls. */
static bool find_tails(pda_draft *d)
{
    draft_index by_to = { 0 };
    uint32_t n = 0, *stack = mem_new(d->n_states, sizeof *stack);
    bool ok = stack && draft_index_new(&by_to, d, BY_TO);
    for (uint32_t s = 0; ok && s < d->n_states; s++) d->flags[s] |= PDA_TAIL;
    for (size_t i = 0; ok && i < d->n_edges; i++) {
        const draft_edge *e = &d->edge[i];
        if (e->e.kind == PDA_BYTES) d->flags[e->from] |= PDA_READS;
        if (e->e.kind == PDA_EMPTY || !(d->flags[e->from] & PDA_TAIL)) continue;
        d->flags[e->from] &= (uint8_t)~PDA_TAIL;
        stack[n++] = e->from;
    }
    while (n > 0) {
        uint32_t s = stack[--n];
        for (uint32_t i = by_to.first[s]; i < by_to.first[s + 1]; i++) {
            const draft_edge *e = &d->edge[by_to.item[i]];
            if (e->e.kind != PDA_EMPTY || !(d->flags[e->from] & PDA_TAIL)) continue;
            d->flags[e->from] &= (uint8_t)~PDA_TAIL;
            stack[n++] = e->from;
        }
    }
    draft_index_free(&by_to);
    mem_free(stack);
    return ok;
}

/* Two bytes are of one class when every edge takes both or none. */
static void find_classes(pushdown *p)
{
    bool begins[257] = { true };
    for (uint32_t i = 0; i < p->first[p->n_states]; i++) {
        if (p->edge[i].kind != PDA_BYTES) continue;
        begins[p->edge[i].lo] = true;
        begins[p->edge[i].hi + 1] = true;
    }
    for (int b = 0; b < 256; b++) {
        if (begins[b]) p->byte_of[p->n_classes++] = (uint8_t)b;
        p->class_of[b] = (uint8_t)(p->n_classes - 1);
    }
}

static bool finish(pushdown *p, const pda_draft *d, uint32_t root)
{
    draft_index by_from;
    bool ok = draft_index_new(&by_from, d, BY_FROM);
    p->n_states = (uint32_t)d->n_states;
    p->n_rules = (uint32_t)d->n_rules;
    p->root = root;
    p->edge = mem_new(d->n_edges, sizeof *p->edge);
    p->flags = mem_new(d->n_states, 1);
    p->start = mem_new(d->n_rules, sizeof *p->start);
    p->rank = mem_new(d->n_rules, sizeof *p->rank);
    if (ok && p->edge && p->flags && p->start && p->rank) {
        for (size_t i = 0; i < d->n_edges; i++) p->edge[i] = d->edge[by_from.item[i]].e;
        memcpy(p->flags, d->flags, d->n_states);
        for (size_t r = 0; r < d->n_rules; r++) {
            p->start[r] = d->rule[r].start;
            p->rank[r] = d->rule[r].rank;
        }
        p->first = by_from.first;
        by_from.first = NULL;
        find_classes(p);
    } else
        ok = false;
    draft_index_free(&by_from);
    return ok;
}

static bool run_passes(pushdown *p, pda_draft *d, const syntax *s, const char *name, lory_err *err)
{
    draft_build(d, s);
    if (!d->failed && !drop_dead_ends(d, s->root, name, err)) return false;
    uint8_t *is_empty = d->failed ? NULL : open_empty_calls(d);
    p->root_is_empty = is_empty && is_empty[d->rule[s->root].start];
    bool ok = is_empty && !d->failed && draft_unwind_left_recursion(d, is_empty) && find_tails(d)
              && finish(p, d, s->root);
    mem_free(is_empty);
    if (ok) return true;
    if (d->too_large)
        return err_set(err, LORY_E_UNSUPPORTED,
                       "%s: the grammar is too large (expected at most %d states and %d edges)",
                       name, PDA_MAX_STATES, PDA_MAX_EDGES);
    return err_set(err, LORY_E_MEMORY, "%s: no memory for the grammar", name);
}

bool pushdown_compile(pushdown *p, const syntax *s, const char *name, lory_err *err)
{
    pda_draft d = { 0 };
    *p = (pushdown){ 0 };
    bool ok = run_passes(p, &d, s, name, err);
    draft_free(&d);
    if (!ok) pushdown_free(p);
    return ok;
}

void pushdown_free(pushdown *p)
{
    mem_free(p->first);
    mem_free(p->edge);
    mem_free(p->flags);
    mem_free(p->start);
    mem_free(p->rank);
    *p = (pushdown){ 0 };
}
