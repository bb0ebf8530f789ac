/* tok_spm.c - SentencePiece BPE (tokenizer.ggml.model "llama"): the adjacent pair whose
 * concatenation is the piece of the highest score merges first, the leftmost of equals.
 * Layer: token. Source: Kudo and Richardson 2018; sentencepiece bpe_model.cc for what the paper
 * leaves open.
 *
 * User-defined pieces are matched longest first and never split; control, unknown and byte pieces
 * never come out of text; a character that is no piece becomes its bytes, or the unknown token. */
#include "base/bytes.h"
#include "base/err.h"
#include "base/utf8.h"
#include "token/kind.h"
#include "token/merge.h"
#include "token/sp.h"
#include "token/word_cache.h"

typedef struct {
    sp_base base;
    str_map map; /* pieces that text can become */
    bool has_unused;
    size_t max_piece; /* bytes of the longest */
} spm;

typedef struct {
    word_scratch w;
    buf text; /* normalised */
    merge_scratch merge;
    const char *word;       /* the word being merged */
    uint32_t *unused_split; /* [n_vocab] bytes of the left half an unused piece was made of */
    bool last_is_unknown;
} spm_scratch;

/* ---- building ---------------------------------------------------------------------------- */

static bool add_piece(spm *m, const tokenizer *t, size_t i, lory_err *err)
{
    size_t n;
    str_at(&t->piece, i, &n);
    if (n > m->max_piece) m->max_piece = n;
    if (t->v.type[i] == TOKEN_UNUSED) m->has_unused = true;
    return str_map_add(&m->map, i, err);
}

static bool init(tokenizer *t, lory_err *err)
{
    spm *m = mem_new(1, sizeof *m);
    if (!m) return err_set(err, LORY_E_MEMORY, "%s: no memory for the tokenizer", t->v.path);
    t->state = m;
    if (!sp_init(&m->base, t, err) || !str_map_init(&m->map, &t->piece, err)) return false;
    for (size_t i = 0; i < t->v.n; i++)
        if (sp_is_matched(&t->v, i) && !add_piece(m, t, i, err)) return false;
    return true;
}

static void spm_free(void *state)
{
    spm *m = state;
    sp_free(&m->base);
    str_map_free(&m->map);
    mem_free(m);
}

/* ---- one word ---------------------------------------------------------------------------- */

/* Smaller for higher scores: the order of floats as unsigned integers, turned around. */
static uint32_t priority_of(float score)
{
    uint32_t bits = f32_bits(score + 0.0f); /* -0 is 0 */
    return bits >> 31 ? bits : ~bits & 0x7FFFFFFF;
}

static bool pair(void *user, const merge_symbol *l, const merge_symbol *r, uint32_t *priority,
                 int32_t *id)
{
    spm_scratch *x = user;
    const spm *m = x->w.t->state;
    if (l->len + r->len > m->max_piece) return false;
    *id = str_map_find(&m->map, x->word + l->start, l->len + r->len);
    if (*id < 0) return false;
    *priority = priority_of(x->w.t->v.score[*id]);
    if (x->unused_split && x->w.t->v.type[*id] == TOKEN_UNUSED) x->unused_split[*id] = l->len;
    return true;
}

static bool put_symbols(spm_scratch *x, const char *s, size_t n)
{
    const spm *m = x->w.t->state;
    merge_clear(&x->merge);
    for (size_t i = 0, len; i < n; i += len) {
        merge_symbol symbol = { .start = (uint32_t)i, .id = -1 };
        uint32_t cp;
        len = m->base.has_user ? trie_longest(&m->base.user, s + i, n - i, &symbol.id) : 0;
        symbol.is_frozen = len > 0;
        if (len == 0) len = utf8_decode(s + i, n - i, &cp);
        symbol.len = (uint32_t)len;
        if (!merge_put(&x->merge, symbol)) return false;
    }
    return true;
}

/* An unused piece serves to merge but is not put out: the halves it was made of are. Halves are
 * shorter, so the depth is bounded by the longest piece; real ones nest a few levels. */
static bool put_symbol(spm_scratch *x, const char *s, size_t n)
{
    const word_scratch *w = &x->w;
    const spm *m = w->t->state;
    for (;;) {
        int32_t id = n <= m->max_piece ? str_map_find(&m->map, s, n) : -1;
        if (id < 0)
            return sp_put_unknown(w->t, s, n, &x->last_is_unknown, w->out, w->err);
        size_t left = w->t->v.type[id] == TOKEN_UNUSED ? x->unused_split[id] : 0;
        if (left == 0 || left >= n) {
            x->last_is_unknown = false;
            return tokens_put(w->out, id, w->err);
        }
        if (!put_symbol(x, s, left)) return false;
        s += left;
        n -= left;
    }
}

static bool merge_word(void *scratch, const char *s, size_t n)
{
    spm_scratch *x = scratch;
    const word_scratch *w = &x->w;
    x->word = s;
    if (!put_symbols(x, s, n) || !merge_run(&x->merge, pair, x))
        return err_set(w->err, LORY_E_MEMORY, "text: no memory to encode a word of %zu bytes", n);
    for (size_t i = 0; i < x->merge.n; i++) {
        merge_symbol *symbol = &x->merge.symbols[i];
        bool is_done = symbol->id >= 0 && w->t->v.type[symbol->id] != TOKEN_UNUSED;
        if (is_done) x->last_is_unknown = false;
        if (is_done ? !tokens_put(w->out, symbol->id, w->err)
                    : !put_symbol(x, s + symbol->start, symbol->len))
            return false;
    }
    return true;
}

/* An unknown token stands for a run of unknown characters, over words too:
 * no word is known alone. */
static bool encode_word(spm_scratch *x, const char *s, size_t n)
{
    const spm *m = x->w.t->state;
    return m->base.has_bytes ? word_scratch_encode(&x->w, s, n, merge_word) : merge_word(x, s, n);
}

/* ---- text -------------------------------------------------------------------------------- */

static bool encode(const tokenizer *t, void *scratch, const char *s, size_t n, lory_tokens *out,
                   lory_err *err)
{
    const spm *m = t->state;
    spm_scratch *x = scratch;
    x->w.out = out;
    x->w.err = err;
    buf_clear(&x->text);
    x->last_is_unknown = false;
    if (!sp_normalize(&m->base, &t->v, s, n, &x->text))
        return err_set(err, LORY_E_MEMORY, "text: no memory to encode %zu bytes", n);
    for (size_t at = 0, len; at < x->text.len; at += len) {
        len = sp_word_end(&m->base, x->text.data + at, x->text.len - at);
        if (!encode_word(x, x->text.data + at, len)) return false;
    }
    return true;
}

static void scratch_free(void *scratch)
{
    spm_scratch *x = scratch;
    buf_free(&x->text);
    merge_free(&x->merge);
    mem_free(x->unused_split);
    word_scratch_free(&x->w);
}

static void *scratch_new(const tokenizer *t, size_t n)
{
    const spm *m = t->state;
    spm_scratch *x = word_scratch_new(sizeof *x, t, n);
    if (!x) return NULL;
    if (m->has_unused) x->unused_split = mem_new(t->v.n, sizeof *x->unused_split);
    if (buf_reserve(&x->text, n + 1) && (x->unused_split || !m->has_unused)) return x;
    scratch_free(x);
    return NULL;
}

const tokenizer_kind kind_spm = {
    .name = "llama",
    .defaults = { .bos = 1,
                  .eos = 2,
                  .unk = 0,
                  .sep = -1,
                  .pad = -1,
                  .mask = -1,
                  .add_bos = true,
                  .add_space_prefix = true,
                  .escape_whitespaces = true },
    .flags = KIND_NEEDS_SCORES | KIND_STRIPS_FIRST_BLANK | KIND_SHOWS_UNKNOWN,
    .put_piece = sp_put_piece,
    .init = init,
    .free = spm_free,
    .scratch_new = scratch_new,
    .scratch_free = scratch_free,
    .encode = encode,
};
