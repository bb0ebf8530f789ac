/* tok_gemma4.c - BPE over characters with byte fallback (tokenizer.ggml.model "gemma4"): the blank
 * is U+2581, runs of newlines stand apart, and of the adjacent pairs the one first in the list of
 * merges is joined first.
 * Layer: token. Source: the tokenizer.json of Gemma 4.
 *
 * A character that is no piece becomes its bytes, which merge with nothing. */
#include "base/err.h"
#include "base/utf8.h"
#include "token/kind.h"
#include "token/merge.h"
#include "token/pair_table.h"
#include "token/sp.h"
#include "token/word_cache.h"

typedef struct {
    sp_base base;
    str_map map; /* pieces that text can become */
    pair_table pairs;
} gemma4;

typedef struct {
    word_scratch w;
    merge_scratch merge;
    buf text; /* with blanks for U+2581, where it has some */
} gemma4_scratch;

static bool init(tokenizer *t, lory_err *err)
{
    gemma4 *m = mem_new(1, sizeof *m);
    if (!m) return err_set(err, LORY_E_MEMORY, "%s: no memory for the tokenizer", t->v.path);
    t->state = m;
    if (!sp_init(&m->base, t, err) || !str_map_init(&m->map, &t->piece, err)) return false;
    for (size_t i = 0; i < t->v.n; i++)
        if (sp_is_matched(&t->v, i) && !str_map_add(&m->map, i, err)) return false;
    return pair_table_init(&m->pairs, &t->v, &m->map, sp_put_plain, err);
}

static void gemma4_free(void *state)
{
    gemma4 *m = state;
    sp_free(&m->base);
    str_map_free(&m->map);
    pair_table_free(&m->pairs);
    mem_free(m);
}

static bool pair(void *user, const merge_symbol *l, const merge_symbol *r, uint32_t *priority,
                 int32_t *id)
{
    const gemma4_scratch *x = user;
    const gemma4 *m = x->w.t->state;
    return pair_find(&m->pairs, l->id, r->id, priority, id);
}

static bool put_symbols(gemma4_scratch *x, const char *s, size_t n)
{
    const gemma4 *m = x->w.t->state;
    merge_clear(&x->merge);
    for (size_t i = 0, len; i < n; i += len) {
        uint32_t cp;
        len = utf8_decode(s + i, n - i, &cp);
        int32_t id = str_map_find(&m->map, s + i, len);
        if (!merge_put(&x->merge, (merge_symbol){ (uint32_t)i, (uint32_t)len, id, id < 0 }))
            return false;
    }
    return true;
}

static bool merge_word(void *scratch, const char *s, size_t n)
{
    gemma4_scratch *x = scratch;
    bool last_is_unknown = false;
    if (!put_symbols(x, s, n) || !merge_run(&x->merge, pair, x))
        return err_set(x->w.err, LORY_E_MEMORY, "text: no memory to encode a word of %zu bytes", n);
    for (size_t i = 0; i < x->merge.n; i++) {
        const merge_symbol *symbol = &x->merge.symbols[i];
        bool ok = symbol->id >= 0 ? tokens_put(x->w.out, symbol->id, x->w.err)
                                  : sp_put_unknown(x->w.t, s + symbol->start, symbol->len,
                                                   &last_is_unknown, x->w.out, x->w.err);
        if (!ok) return false;
        last_is_unknown = last_is_unknown && symbol->id < 0;
    }
    return true;
}

/* [^\n]+|[\n]+ at s[0]: its length. */
static size_t line_end(const char *s, size_t n)
{
    size_t i = 0;
    if (s[0] == '\n') {
        while (i < n && s[i] == '\n') i++;
        return i;
    }
    const char *newline = memchr(s, '\n', n);
    return newline ? (size_t)(newline - s) : n;
}

static bool encode(const tokenizer *t, void *scratch, const char *s, size_t n, lory_tokens *out,
                   lory_err *err)
{
    const gemma4 *m = t->state;
    gemma4_scratch *x = scratch;
    x->w.out = out;
    x->w.err = err;
    if (memmem(s, n, "\xE2\x96\x81", 3)) {
        buf_clear(&x->text);
        if (!sp_put_plain(&x->text, s, n))
            return err_set(err, LORY_E_MEMORY, "text: no memory to encode %zu bytes", n);
        s = x->text.data;
        n = x->text.len;
    }
    for (size_t at = 0, end = 0, len; at < n; at += len) {
        if (at == end) end += line_end(s + at, n - at);
        len = sp_word_end(&m->base, s + at, end - at);
        if (!word_scratch_encode(&x->w, s + at, len, merge_word)) return false;
    }
    return true;
}

static void scratch_free(void *scratch)
{
    gemma4_scratch *x = scratch;
    buf_free(&x->text);
    merge_free(&x->merge);
    word_scratch_free(&x->w);
}

static void *scratch_new(const tokenizer *t, size_t n)
{
    return word_scratch_new(sizeof(gemma4_scratch), t, n);
}

const tokenizer_kind kind_gemma4 = {
    .name = "gemma4",
    .defaults = { .bos = -1,
                  .eos = -1,
                  .unk = -1,
                  .sep = -1,
                  .pad = -1,
                  .mask = -1,
                  .add_bos = true,
                  .escape_whitespaces = true },
    .flags = KIND_CUTS_USER_DEFINED | KIND_NEEDS_MERGES | KIND_ALWAYS_BOS,
    .put_piece = sp_put_piece,
    .init = init,
    .free = gemma4_free,
    .scratch_new = scratch_new,
    .scratch_free = scratch_free,
    .encode = encode,
};
