/* token_trie.c - see token_trie.h. Tokens are sorted by their bytes; a node is then a stretch of
 * them that begin alike. */
#include "sample/token_trie.h"
#include "base/err.h"
#include "sample/syntax.h"
#include "sample/vec.h"
#include <stdlib.h>
#include <string.h>

enum { MAX_PLAIN = 16, MIN_SET_NODES = 32 };

typedef struct {
    const char *s; /* [n] */
    size_t n;
    lory_token id;
    bool is_plain;
} entry;

static bool is_plain(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (s[i] < ' ' || s[i] > '~' || s[i] == '"' || s[i] == '\\') return false;
    return n <= MAX_PLAIN;
}

/* Plain ones first; equal bytes by id, so that the order is the same everywhere. */
static int by_bytes(const void *a_, const void *b_)
{
    const entry *a = a_, *b = b_;
    if (a->is_plain != b->is_plain) return b->is_plain - a->is_plain;
    int order = memcmp(a->s, b->s, a->n < b->n ? a->n : b->n);
    if (order) return order;
    if (a->n != b->n) return a->n < b->n ? -1 : 1;
    return a->id < b->id ? -1 : a->id > b->id;
}

/* The text tokens, sorted; the others that matter are noted. */
static entry *list_tokens(token_trie *tt, const tokenizer *t, uint32_t *n_entries)
{
    size_t n = tokenizer_n_vocab(t);
    if (n > (size_t)tt->n_vocab) n = (size_t)tt->n_vocab;
    entry *e = mem_new(n, sizeof *e);
    tt->end = mem_new(n, sizeof *tt->end);
    if (!e || !tt->end) {
        mem_free(e);
        return NULL;
    }
    *n_entries = 0;
    for (size_t i = 0; i < n; i++) {
        entry at = { .id = (lory_token)i };
        at.s = tokenizer_piece(t, at.id, &at.n);
        if (tokenizer_is_end(t, at.id)) tt->end[tt->n_ends++] = at.id;
        if (at.n == 0 || !tokenizer_is_text(t, at.id)) continue;
        if (memchr(at.s, TOKEN_MARK, at.n)) continue; /* in no text of a grammar */
        at.is_plain = is_plain(at.s, at.n);
        e[(*n_entries)++] = at;
        if (!tokenizer_drops_first_blank(t, at.id)) continue;
        tt->drops_blank = true;
        mask_put(tt->no_blank, at.id);
    }
    qsort(e, *n_entries, sizeof *e, by_bytes);
    return e;
}

/* ---- nodes ---------------------------------------------------------------------------------- */

typedef struct {
    token_trie *tt;
    size_t cap;
    uint32_t *open; /* [max_depth + 1] the nodes from the root to here */
    uint32_t n_open;
} builder;

static bool push(builder *b, uint8_t byte, uint32_t first)
{
    token_trie *tt = b->tt;
    trie_node *all = vec_room(tt->node, tt->n_nodes, &b->cap, 2, sizeof *all);
    if (!all) return false;
    tt->node = all;
    tt->node[tt->n_nodes] =
        (trie_node){ .first = first, .depth = (uint16_t)b->n_open, .byte = byte };
    b->open[b->n_open++] = tt->n_nodes++;
    return true;
}

/* Ends the nodes deeper than `depth`. */
static void pop_to(builder *b, uint32_t depth)
{
    trie_node *node = b->tt->node;
    while (b->n_open > depth) {
        trie_node *at = &node[b->open[--b->n_open]];
        at->end = b->tt->n_nodes;
        if (b->n_open == 0) continue;
        trie_node *above = &node[b->open[b->n_open - 1]];
        if (at->height + 1 > above->height) above->height = (uint16_t)(at->height + 1);
    }
}

static size_t common(const entry *a, const entry *b)
{
    size_t n = 0;
    while (n < a->n && n < b->n && a->s[n] == b->s[n]) n++;
    return n;
}

/* One root and what hangs from it: the entries from *i on of the one kind. */
static bool build_trie(builder *b, const entry *e, uint32_t n, uint32_t *i, bool plain)
{
    const entry *before = NULL;
    if (!push(b, 0, *i)) return false;
    for (; *i < n && e[*i].is_plain == plain; before = &e[(*i)++]) {
        size_t same = before ? common(before, &e[*i]) : 0;
        pop_to(b, (uint32_t)same + 1);
        for (size_t k = same; k < e[*i].n; k++)
            if (!push(b, (uint8_t)e[*i].s[k], *i)) return false;
        b->tt->token[*i] = e[*i].id;
        if (plain) mask_put(b->tt->plain, e[*i].id);
    }
    pop_to(b, 0);
    return true;
}

static bool build(token_trie *tt, const entry *e, uint32_t n)
{
    builder b = { .tt = tt };
    uint32_t i = 0;
    for (uint32_t k = 0; k < n; k++)
        if ((int)e[k].n > tt->max_depth) tt->max_depth = (int)e[k].n;
    tt->token = mem_new(n, sizeof *tt->token);
    b.open = mem_new((size_t)tt->max_depth + 1, sizeof *b.open);
    bool ok = tt->token && b.open && build_trie(&b, e, n, &i, true);
    tt->root[1] = tt->n_nodes;
    ok = ok && build_trie(&b, e, n, &i, false);
    tt->n_tokens = n;
    if (ok) tt->node[tt->n_nodes] = (trie_node){ .first = n };
    mem_free(b.open);
    return ok;
}

/* ---- sets ----------------------------------------------------------------------------------- */

static bool build_sets(token_trie *tt)
{
    size_t cap = 0;
    for (uint32_t i = 0; i < tt->n_nodes; i++) {
        trie_node *at = &tt->node[i];
        if (at->end - i < MIN_SET_NODES) continue;
        byte_set *all = vec_room(tt->sets, tt->n_sets, &cap, 1, sizeof *all), set = { { 0 } };
        if (!all) return false;
        for (uint32_t k = i + 1; k < at->end; k++)
            set.bits[tt->node[k].byte / 64] |= (uint64_t)1 << (tt->node[k].byte % 64);
        tt->sets = all;
        tt->sets[tt->n_sets++] = set;
        at->set = (uint32_t)tt->n_sets;
    }
    return true;
}

/* ---- life ----------------------------------------------------------------------------------- */

token_trie *token_trie_new(const tokenizer *t, int n_vocab, lory_err *err)
{
    token_trie *tt = mem_new(1, sizeof *tt);
    entry *e = NULL;
    uint32_t n = 0;
    bool ok = tt != NULL;
    if (tokenizer_holds_last_blank(t)) {
        mem_free(tt);
        err_set(err, LORY_E_UNSUPPORTED,
                "grammar: the vocabulary's words end with a blank that its text may lack");
        return NULL;
    }
    if (ok) {
        tt->t = t;
        tt->n_vocab = n_vocab;
        tt->n_words = (size_t)n_vocab / 64 + 1;
        tt->plain = mem_new(tt->n_words, sizeof *tt->plain);
        tt->no_blank = mem_new(tt->n_words, sizeof *tt->no_blank);
        ok = tt->plain && tt->no_blank && (e = list_tokens(tt, t, &n)) != NULL && build(tt, e, n)
             && build_sets(tt);
    }
    mem_free(e);
    if (ok) return tt;
    token_trie_free(tt);
    err_set(err, LORY_E_MEMORY, "grammar: no memory for a vocabulary of %d tokens", n_vocab);
    return NULL;
}

void token_trie_free(token_trie *t)
{
    if (!t) return;
    mem_free(t->node);
    mem_free(t->token);
    mem_free(t->sets);
    mem_free(t->plain);
    mem_free(t->no_blank);
    mem_free(t->end);
    mem_free(t);
}

const char *token_trie_text(const token_trie *tt, lory_token id, bool at_start, size_t *n)
{
    *n = 0;
    if (id < 0 || id >= tt->n_vocab || !tokenizer_is_text(tt->t, id)) return "";
    const char *s = tokenizer_piece(tt->t, id, n);
    bool drops = at_start && *n > 0 && mask_has(tt->no_blank, id);
    *n -= drops;
    return s + drops;
}
