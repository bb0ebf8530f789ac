/* grammar.c - see grammar.h. */
#include "sample/grammar.h"
#include "base/err.h"
#include "base/lock.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "sample/automaton.h"
#include "sample/gbnf.h"
#include "sample/named_tokens.h"
#include "sample/schema.h"
#include "sample/token_mask.h"
#include <stdatomic.h>

enum { COLLECT_BYTES = 16 << 20 }; /* states beyond this are forgotten now and then */

struct lory_grammar {
    atomic_uint n_keepers;
    pushdown p;
    lock lock; /* guards what follows */
    automaton a;
    size_t collect_at;  /* bytes of states */
    token_mask mask;    /* zeroed until it is bound */
    named_tokens named; /* likewise their ids */
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
    if (named_tokens_copy(&g->named, s, err) && pushdown_compile(&g->p, s, name, err)
        && automaton_init(&g->a, &g->p, err))
        return g;
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
    bool is_other = g->mask.t && g->mask.t != t;
    bool ok = g->mask.t == t
              || (!is_other && named_tokens_bind(&g->named, t, err)
                  && token_mask_init(&g->mask, &g->a, t, err));
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
    named_tokens_free(&g->named);
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
        if ((uint8_t)bytes[*n_read] == TOKEN_MARK) break; /* no character has this byte */
        if (automaton_bytes(&g->a) > g->collect_at) ok = collect(g, err);
        ok = ok && automaton_step(&g->a, r->state, (uint8_t)bytes[*n_read], &to, err);
        if (!ok || to == AUTOMATON_DEAD) break;
        r->state = to;
    }
    lock_give(&g->lock);
    return ok;
}

/* ---- tokens --------------------------------------------------------------------------------- */

static bool step_token(automaton *a, uint32_t from, uint32_t number, uint32_t *to, lory_err *err)
{
    char bytes[1 + UTF8_MAX_BYTES] = { (char)TOKEN_MARK };
    size_t n = 1 + utf8_encode(number, bytes + 1);
    *to = from;
    for (size_t i = 0; i < n && *to != AUTOMATON_DEAD; i++)
        if (!automaton_step(a, *to, (uint8_t)bytes[i], to, err)) return false;
    return true;
}

/* Another reader where r is. */
static void open_beside(grammar_reader *beside, const grammar_reader *r)
{
    grammar_open(beside, r->g);
    lock_take(&r->g->lock);
    beside->state = r->state;
    lock_give(&r->g->lock);
}

/* Moves a reader by the token of that number; *fits: it may follow. */
static bool move_by_token(grammar_reader *r, uint32_t number, bool *fits, lory_err *err)
{
    uint32_t to;
    lock_take(&r->g->lock);
    bool ok = step_token(&r->g->a, r->state, number, &to, err);
    *fits = ok && to != AUTOMATON_DEAD;
    if (*fits) r->state = to;
    lock_give(&r->g->lock);
    return ok;
}

/* r goes to where `other` is, or (joined) to where both are. */
static bool move_to(grammar_reader *r, const grammar_reader *other, bool joined, lory_err *err)
{
    lock_take(&r->g->lock);
    uint32_t to = other->state;
    bool ok = !joined || automaton_join(&r->g->a, r->state, other->state, &to, err);
    if (ok) r->state = to;
    lock_give(&r->g->lock);
    return ok;
}

/* As the token of that number, and as its text. */
static bool read_both_ways(grammar_reader *r, uint32_t number, const char *bytes, size_t n,
                           size_t *n_read, bool *fits, lory_err *err)
{
    grammar_reader as_token;
    bool is_token;
    open_beside(&as_token, r);
    bool ok = move_by_token(&as_token, number, &is_token, err)
              && grammar_read(r, bytes, n, n_read, err);
    bool is_text = ok && n > 0 && *n_read == n;
    *fits = is_token || is_text;
    if (ok && is_token) ok = move_to(r, &as_token, is_text, err);
    grammar_close(&as_token);
    return ok;
}

bool grammar_read_token(grammar_reader *r, lory_token id, const char *bytes, size_t n, bool *fits,
                        lory_err *err)
{
    size_t n_read;
    if (r->g->named.n > 0)
        return read_both_ways(r, named_tokens_number(&r->g->named, id), bytes, n, &n_read, fits,
                              err);
    bool ok = grammar_read(r, bytes, n, &n_read, err);
    *fits = ok && n_read == n;
    return ok;
}

bool grammar_read_text(grammar_reader *r, const char *text, size_t n, size_t *n_read,
                       lory_err *err)
{
    const named_tokens *named = &r->g->named;
    bool ok = true, fits = true;
    if (named->n == 0) return grammar_read(r, text, n, n_read, err);
    for (*n_read = 0; ok && fits && *n_read < n;) {
        const char *at = text + *n_read;
        uint32_t number = OTHER_TOKEN, cp;
        size_t n_at, n_here = 0;
        if (named_tokens_find(named, at, n - *n_read, &number, &n_at))
            ok = move_by_token(r, number, &fits, err);
        else {
            n_at = utf8_decode(at, n - *n_read, &cp);
            ok = read_both_ways(r, number, at, n_at, &n_here, &fits, err);
        }
        *n_read += fits ? n_at : n_here;
    }
    return ok;
}

bool grammar_accepts(const grammar_reader *r)
{
    lock_take(&r->g->lock);
    bool accepts = r->g->a.state[r->state].accepts;
    lock_give(&r->g->lock);
    return accepts;
}

/* The tokens that may follow as tokens. */
static bool allow_named(grammar *g, uint32_t state, uint64_t *mask, lory_err *err)
{
    const token_trie *t = g->mask.t;
    uint32_t to = AUTOMATON_DEAD;
    for (uint32_t i = 0; i < g->named.n; i++) {
        lory_token id = g->named.at[i].id;
        if (!step_token(&g->a, state, i, &to, err)) return false;
        if (to != AUTOMATON_DEAD && !tokenizer_is_end(t->t, id)) mask_put(mask, id);
    }
    if (g->named.n > 0 && !step_token(&g->a, state, OTHER_TOKEN, &to, err)) return false;
    for (size_t i = 0; g->named.n > 0 && to != AUTOMATON_DEAD && i < t->n_words; i++)
        mask[i] |= g->named.others[i];
    return true;
}

static bool fill_mask(grammar *g, uint32_t state, bool at_start, uint64_t *mask, lory_err *err)
{
    return token_mask_fill(&g->mask, state, at_start, mask, err)
           && allow_named(g, state, mask, err);
}

bool grammar_allowed(grammar_reader *r, bool at_start, uint64_t *mask, lory_err *err)
{
    grammar *g = r->g;
    lory_err why = { 0 };
    lock_take(&g->lock);
    bool ok = (automaton_bytes(&g->a) <= g->collect_at || collect(g, &why))
              && fill_mask(g, r->state, at_start, mask, &why);
    if (why.code == LORY_E_FULL) /* what other readers learnt may take the room */
        ok = collect(g, &why) && fill_mask(g, r->state, at_start, mask, &why);
    lock_give(&g->lock);
    return ok || err_set(err, why.code, "%s", why.text);
}
