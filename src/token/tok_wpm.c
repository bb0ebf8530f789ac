/* tok_wpm.c - WordPiece (tokenizer.ggml.model "bert"): each word is cut greedily into the longest
 * pieces there are, and is unknown as a whole when that fails.
 * Layer: token. Source: Wu et al. 2016; Devlin et al. 2018.
 *
 * In the file U+2581 begins the pieces that begin a word; the others go on with one. Pieces in
 * brackets ("[unused1]") have no mark and stand for whole words. */
#include "base/err.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "token/bert_words.h"
#include "token/kind.h"

#define BLANK "\xE2\x96\x81" /* U+2581 */
enum { BLANK_BYTES = 3, MAX_WORD_CHARS = 100 };

typedef struct {
    trie first, other; /* pieces that begin a word, and that go on with one */
} wpm;

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
static bool put_pieces(const word_scratch *w, const char *s, size_t n, bool *is_put)
{
    const wpm *m = w->t->state;
    size_t n_before = w->out->n;
    int32_t id = -1;
    *is_put = false;
    for (size_t i = 0, len; i < n; i += len) {
        len = trie_longest(i ? &m->other : &m->first, s + i, n - i, &id);
        if (len == 0) {
            w->out->n = n_before;
            return true;
        }
        if (!tokens_put(w->out, id, w->err)) return false;
    }
    *is_put = true;
    return true;
}

static bool cut_word(void *scratch, const char *s, size_t n)
{
    const word_scratch *w = scratch;
    bool is_put = false;
    if (n <= MAX_WORD_CHARS * UTF8_MAX_BYTES && utf8_count(s, n) <= MAX_WORD_CHARS
        && !put_pieces(w, s, n, &is_put))
        return false;
    return is_put || w->t->v.unk < 0 || tokens_put(w->out, w->t->v.unk, w->err);
}

static bool encode_word(void *scratch, const char *s, size_t n)
{
    return word_scratch_encode(scratch, s, n, cut_word);
}

static bool encode(const tokenizer *t, void *scratch, const char *s, size_t n, lory_tokens *out,
                   lory_err *err)
{
    (void)t;
    return bert_encode(scratch, s, n, encode_word, out, err);
}

static void scratch_free(void *scratch)
{
    bert_scratch_free(scratch);
}

static void *scratch_new(const tokenizer *t, size_t n)
{
    return bert_scratch_new(sizeof(bert_scratch), t, n);
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
