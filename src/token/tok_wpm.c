/* tok_wpm.c - WordPiece (tokenizer.ggml.model "bert"): each word is cut greedily into the longest
 * pieces there are, and is unknown as a whole when that fails.
 * Layer: token. Source: Wu et al. 2016; Devlin et al. 2018.
 *
 * In the file U+2581 begins the pieces that begin a word; the others go on with one. Pieces in
 * brackets ("[unused1]") have no mark and stand for whole words. */
#include "base/err.h"
#include "base/mem.h"
#include "text/utf8.h"
#include "token/bert_words.h"
#include "token/kind.h"
#include "token/word_cache.h"

#define BLANK "\xE2\x96\x81" /* U+2581 */
enum { BLANK_BYTES = 3, MAX_WORD_CHARS = 100 };

typedef struct {
    trie first, other; /* pieces that begin a word, and that go on with one */
} wpm;

typedef struct {
    const tokenizer *t;
    lory_tokens *out;
    lory_err *err;
    bert_words words;
    word_cache cache;
} wpm_scratch;

static bool begins_word(gguf_str s)
{
    return s.n > BLANK_BYTES && memcmp(s.s, BLANK, BLANK_BYTES) == 0;
}

static bool is_bracketed(gguf_str s)
{
    return s.n > 2 && s.s[0] == '[' && s.s[s.n - 1] == ']';
}

static bool put_piece(const vocab *v, int32_t id, buf *out)
{
    gguf_str s = v->text[id];
    size_t skip = begins_word(s) ? BLANK_BYTES : 0;
    if (skip || is_bracketed(s)) buf_putc(out, ' ');
    return buf_put(out, s.s + skip, s.n - skip);
}

static bool init(tokenizer *t, lory_err *err)
{
    wpm *m = mem_new(1, sizeof *m);
    if (!m) return err_set(err, LORY_E_MEMORY, "%s: no memory for the tokenizer", t->v.path);
    t->state = m;
    if (!trie_init(&m->first, err) || !trie_init(&m->other, err)) return false;
    for (size_t i = 0; i < t->v.n; i++) {
        gguf_str s = t->v.text[i];
        size_t skip = begins_word(s) ? BLANK_BYTES : 0;
        if (t->v.type[i] != TOKEN_NORMAL || s.n == 0 || is_bracketed(s)) continue;
        if (!trie_add(skip ? &m->first : &m->other, s.s + skip, s.n - skip, (int32_t)i, err))
            return false;
    }
    return trie_freeze(&m->first, err) && trie_freeze(&m->other, err);
}

static void wpm_free(void *state)
{
    wpm *m = state;
    trie_free(&m->first);
    trie_free(&m->other);
    mem_free(m);
}

/* Appends the pieces of a word; false when it has none. */
static bool put_pieces(const wpm_scratch *x, const char *s, size_t n, bool *is_put)
{
    const wpm *m = x->t->state;
    size_t n_before = x->out->n;
    int32_t id = -1;
    *is_put = false;
    for (size_t i = 0, len; i < n; i += len) {
        len = trie_longest(i ? &m->other : &m->first, s + i, n - i, &id);
        if (len == 0) {
            x->out->n = n_before;
            return true;
        }
        if (!tokens_put(x->out, id, x->err)) return false;
    }
    *is_put = true;
    return true;
}

static bool cut_word(void *user, const char *s, size_t n)
{
    const wpm_scratch *x = user;
    bool is_put = false;
    if (n <= MAX_WORD_CHARS * UTF8_MAX_BYTES && utf8_count(s, n) <= MAX_WORD_CHARS
        && !put_pieces(x, s, n, &is_put))
        return false;
    return is_put || x->t->v.unk < 0 || tokens_put(x->out, x->t->v.unk, x->err);
}

static bool encode_word(void *user, const char *s, size_t n)
{
    wpm_scratch *x = user;
    return word_cache_encode(&x->cache, &(word_sink){ x->out, x->err, cut_word, x }, s, n);
}

static bool encode(const tokenizer *t, void *scratch, const char *s, size_t n, lory_tokens *out,
                   lory_err *err)
{
    wpm_scratch *x = scratch;
    (void)t;
    x->out = out;
    x->err = err;
    if (bert_words_split(&x->words, s, n, encode_word, x)) return true;
    if (bert_words_failed(&x->words))
        err_set(err, LORY_E_MEMORY, "text: no memory to encode %zu bytes", n);
    return false;
}

static void scratch_free(void *scratch)
{
    wpm_scratch *x = scratch;
    bert_words_free(&x->words);
    mem_free(x->cache.entries);
    mem_free(x);
}

static void *scratch_new(const tokenizer *t, size_t n)
{
    wpm_scratch *x = mem_new(1, sizeof *x);
    if (!x) return NULL;
    x->t = t;
    bert_words_init(&x->words);
    if (word_cache_init(&x->cache, n)) return x;
    scratch_free(x);
    return NULL;
}

const tokenizer_kind kind_wpm = {
    .name = "bert",
    .defaults = { .bos = 101,
                  .eos = -1,
                  .unk = 100,
                  .sep = 102,
                  .pad = 0,
                  .mask = 103,
                  .add_bos = true,
                  .add_sep = true,
                  .add_space_prefix = true },
    .flags = KIND_STRIPS_FIRST_BLANK | KIND_SPACES_SPECIAL,
    .put_piece = put_piece,
    .init = init,
    .free = wpm_free,
    .scratch_new = scratch_new,
    .scratch_free = scratch_free,
    .encode = encode,
};
