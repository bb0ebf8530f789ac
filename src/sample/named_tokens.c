/* named_tokens.c - see named_tokens.h. */
#include "sample/named_tokens.h"
#include "base/err.h"
#include <string.h>

bool named_tokens_copy(named_tokens *l, const syntax *s, lory_err *err)
{
    l->at = mem_new(s->n_tokens, sizeof *l->at);
    bool ok = l->at != NULL;
    for (size_t i = 0; ok && i < s->n_tokens; i++) {
        named_token *x = &l->at[l->n++];
        *x = (named_token){ s->token[i], -1 };
        x->name.text = arena_strndup(&l->names, s->token[i].text, s->token[i].n);
        ok = x->name.text != NULL;
    }
    return ok || err_set(err, LORY_E_MEMORY, "grammar: no memory for its tokens");
}

void named_tokens_free(named_tokens *l)
{
    mem_free(l->at);
    mem_free(l->others);
    arena_free(&l->names);
    *l = (named_tokens){ 0 };
}

/* ---- in a vocabulary ------------------------------------------------------------------------ */

static size_t n_ids(const token_trie *t)
{
    size_t n = tokenizer_n_vocab(t->t);
    return n < (size_t)t->n_vocab ? n : (size_t)t->n_vocab;
}

static bool find_id(named_token *x, const token_trie *t, lory_err *err)
{
    lory_tokens ids = { 0 };
    const tokenizer_text text = { x->name.text, x->name.n, LORY_PARSE_SPECIAL, NULL, 0 };
    x->id = x->name.id;
    if (x->id >= 0 && (size_t)x->id >= n_ids(t))
        return err_set(err, LORY_E_ARGUMENT, "grammar: there is no token %s (expected 0 to %zu)",
                       x->name.text, n_ids(t) - 1);
    if (x->id >= 0) return true;
    bool ok = tokenizer_encode(t->t, &text, &ids, err);
    size_t n = ids.n;
    if (ok && n == 1) x->id = ids.id[0];
    mem_free(ids.id);
    if (!ok || n == 1) return ok;
    return err_set(err, LORY_E_ARGUMENT,
                   "grammar: %s is %zu tokens of the vocabulary (expected one)", x->name.text, n);
}

static bool check(const named_tokens *l, size_t i, const token_trie *t, lory_err *err)
{
    const named_token *x = &l->at[i];
    if (x->name.is_wanted && tokenizer_is_end(t->t, x->id))
        return err_set(err, LORY_E_ARGUMENT,
                       "grammar: %s ends a generation, so it can't be part of a text",
                       x->name.text);
    for (size_t k = 0; k < i; k++)
        if (l->at[k].id == x->id)
            return err_set(err, LORY_E_ARGUMENT, "grammar: %s and %s are the same token",
                           l->at[k].name.text, x->name.text);
    return true;
}

/* Text and control tokens that have no name here. */
static bool is_other(const named_tokens *l, const token_trie *t, lory_token id)
{
    return named_tokens_number(l, id) == OTHER_TOKEN && !tokenizer_is_end(t->t, id)
           && t->t->v.type[id] != TOKEN_UNUSED;
}

bool named_tokens_bind(named_tokens *l, const token_trie *t, lory_err *err)
{
    if (l->n == 0) return true;
    for (size_t i = 0; i < l->n; i++)
        if (!find_id(&l->at[i], t, err) || !check(l, i, t, err)) return false;
    mem_free(l->others);
    l->others = mem_new(t->n_words, sizeof *l->others);
    if (!l->others) return err_set(err, LORY_E_MEMORY, "grammar: no memory for its tokens");
    for (lory_token id = 0; (size_t)id < n_ids(t); id++)
        if (is_other(l, t, id)) mask_put(l->others, id);
    return true;
}

uint32_t named_tokens_number(const named_tokens *l, lory_token id)
{
    for (size_t i = 0; i < l->n; i++)
        if (l->at[i].id == id) return (uint32_t)i;
    return OTHER_TOKEN;
}

/* ---- in texts ------------------------------------------------------------------------------- */

bool named_tokens_find(const named_tokens *l, const char *text, size_t n_text, uint32_t *number,
                       size_t *n)
{
    int32_t id;
    *n = syntax_token_id(text, n_text, &id);
    *number = OTHER_TOKEN;
    for (size_t i = 0; i < l->n; i++) {
        const syntax_token *x = &l->at[i].name;
        bool is_it = *n > 0 ? x->id == id
                            : x->id < 0 && x->n <= n_text && memcmp(x->text, text, x->n) == 0;
        if (!is_it) continue;
        *number = (uint32_t)i;
        if (*n == 0) *n = x->n;
        return true;
    }
    return *n > 0;
}
