/* grammar.c - see grammar.h. */
#include "sample/grammar.h"
#include "base/err.h"
#include "base/lock.h"
#include "base/mem.h"
#include "sample/automaton.h"
#include "sample/gbnf.h"
#include "sample/schema.h"
#include "sample/token_mask.h"
#include <stdatomic.h>

enum { COLLECT_BYTES = 16 << 20 }; /* states beyond this are forgotten now and then */

struct lory_grammar {
    atomic_uint n_keepers;
    pushdown p;
    lock lock; /* guards what follows */
    automaton a;
    size_t collect_at; /* bytes of states */
    token_mask mask;   /* zeroed until it is bound */
    grammar_reader *readers;
};

/* ---- life ----------------------------------------------------------------------------------- */

static grammar *open_grammar(const syntax *s, const char *name, lory_err *err)
{
    grammar *g = mem_new(1, sizeof *g);
    if (!g || !lock_init(&g->lock)) {
        mem_free(g);
        err_set(err, LORY_E_MEMORY, "%s: no memory for the grammar", name);
        return NULL;
    }
    atomic_init(&g->n_keepers, 1);
    g->collect_at = COLLECT_BYTES;
    if (pushdown_compile(&g->p, s, name, err) && automaton_init(&g->a, &g->p, err)) return g;
    grammar_give(g);
    return NULL;
}

grammar *grammar_from_gbnf(const char *text, size_t n, const char *name, lory_err *err)
{
    syntax s = { 0 };
    grammar *g = gbnf_read(&s, text, n, name, err) ? open_grammar(&s, name, err) : NULL;
    syntax_free(&s);
    return g;
}

bool grammar_bind(grammar *g, const token_trie *t, lory_err *err)
{
    lock_take(&g->lock);
    bool ok = g->mask.t == t || (!g->mask.t && token_mask_init(&g->mask, &g->a, t, err));
    bool is_other = !ok && g->mask.t;
    lock_give(&g->lock);
    if (is_other) err_set(err, LORY_E_ARGUMENT, "grammar: it is in use with another model");
    return ok;
}

grammar *grammar_from_schema(const char *text, size_t n, const char *name, lory_err *err)
{
    syntax s = { 0 };
    grammar *g = schema_read(&s, text, n, name, err) ? open_grammar(&s, name, err) : NULL;
    syntax_free(&s);
    return g;
}

grammar *grammar_keep(grammar *g)
{
    atomic_fetch_add(&g->n_keepers, 1);
    return g;
}

void grammar_give(grammar *g)
{
    if (!g || atomic_fetch_sub(&g->n_keepers, 1) > 1) return;
    token_mask_free(&g->mask);
    automaton_free(&g->a);
    pushdown_free(&g->p);
    lock_free(&g->lock);
    mem_free(g);
}

/* ---- readers -------------------------------------------------------------------------------- */

void grammar_open(grammar_reader *r, grammar *g)
{
    *r = (grammar_reader){ .g = grammar_keep(g) };
    lock_take(&g->lock);
    r->state = g->a.start;
    r->next = g->readers;
    if (r->next) r->next->before = r;
    g->readers = r;
    lock_give(&g->lock);
}

void grammar_close(grammar_reader *r)
{
    grammar *g = r->g;
    if (!g) return;
    lock_take(&g->lock);
    if (r->next) r->next->before = r->before;
    if (r->before)
        r->before->next = r->next;
    else
        g->readers = r->next;
    lock_give(&g->lock);
    grammar_give(g);
    *r = (grammar_reader){ 0 };
}

void grammar_rewind(grammar_reader *r)
{
    lock_take(&r->g->lock);
    r->state = r->g->a.start;
    lock_give(&r->g->lock);
}

/* Forgets all states but those at which readers are. */
static bool collect(grammar *g, lory_err *err)
{
    size_t n = 0;
    for (const grammar_reader *r = g->readers; r; r = r->next) n++;
    uint32_t *keep = mem_new(n, sizeof *keep);
    if (!keep) return err_set(err, LORY_E_MEMORY, "grammar: no memory for %zu readers", n);
    n = 0;
    for (const grammar_reader *r = g->readers; r; r = r->next) keep[n++] = r->state;
    bool ok = automaton_collect(&g->a, keep, n, err);
    n = 0;
    for (grammar_reader *r = g->readers; ok && r; r = r->next) r->state = keep[n++];
    mem_free(keep);
    g->collect_at = COLLECT_BYTES;
    if (automaton_bytes(&g->a) > COLLECT_BYTES / 2) g->collect_at = 2 * automaton_bytes(&g->a);
    return ok;
}

bool grammar_read(grammar_reader *r, const char *bytes, size_t n, size_t *n_read, lory_err *err)
{
    grammar *g = r->g;
    bool ok = true;
    uint32_t to;
    lock_take(&g->lock);
    for (*n_read = 0; ok && *n_read < n; ++*n_read) {
        if (automaton_bytes(&g->a) > g->collect_at) ok = collect(g, err);
        ok = ok && automaton_step(&g->a, r->state, (uint8_t)bytes[*n_read], &to, err);
        if (!ok || to == AUTOMATON_DEAD) break;
        r->state = to;
    }
    lock_give(&g->lock);
    return ok;
}

bool grammar_accepts(const grammar_reader *r)
{
    lock_take(&r->g->lock);
    bool accepts = r->g->a.state[r->state].accepts;
    lock_give(&r->g->lock);
    return accepts;
}

bool grammar_allowed(grammar_reader *r, bool at_start, uint64_t *mask, lory_err *err)
{
    grammar *g = r->g;
    lory_err why = { 0 };
    lock_take(&g->lock);
    bool ok = (automaton_bytes(&g->a) <= g->collect_at || collect(g, &why))
              && token_mask_fill(&g->mask, r->state, at_start, mask, &why);
    if (why.code == LORY_E_FULL) /* what other readers learnt may take the room */
        ok = collect(g, &why) && token_mask_fill(&g->mask, r->state, at_start, mask, &why);
    lock_give(&g->lock);
    return ok || err_set(err, why.code, "%s", why.text);
}
