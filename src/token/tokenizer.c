/* tokenizer.c - see tokenizer.h. */
#include "token/tokenizer.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "text/unicode.h"
#include "token/kind.h"
#include "token/tokens.h"
#include <stdio.h>

enum { MAX_TEXT_BYTES = 1 << 30 };

/* ---- the table: a tokenizer.ggml.model is a row --------------------------------------------- */

static const tokenizer_kind *const kinds[] = {
    &kind_spm,     /* llama: SentencePiece BPE */
    &kind_bpe,     /* gpt2: byte-level BPE */
    &kind_unigram, /* t5: SentencePiece unigram */
    &kind_wpm,     /* bert: WordPiece */
    &kind_rwkv,    /* rwkv: longest match */
    &kind_gpt1,    /* openai-gpt: BPE of marked words */
    &kind_gemma4,  /* gemma4: BPE of characters */
    &kind_plamo2,  /* plamo2: best sum of whole scores */
    &kind_none,    /* no_vocab: ids without text */
};
enum { N_KINDS = sizeof kinds / sizeof kinds[0] };

/* The name of the row that a file means: some write Gemma 4's as byte-level BPE with a rule of
 * its own, and a missing vocabulary has two names. */
static gguf_str kind_name(gguf_str model, gguf_str pre)
{
    if (gguf_str_is(model, "gpt2") && gguf_str_is(pre, "gemma4")) return pre;
    return gguf_str_is(model, "none") ? (gguf_str){ "no_vocab", 8 } : model;
}

static bool find_kind(tokenizer *t, const gguf *g, lory_err *err)
{
    gguf_str model = { 0 }, pre = { 0 };
    char known[128] = "";
    size_t at = 0;
    if (!gguf_get_str(g, "tokenizer.ggml.model", &model, err)
        || !gguf_get_str(g, "tokenizer.ggml.pre", &pre, err))
        return false;
    if (!model.s)
        return err_set(err, LORY_E_FORMAT,
                       "%s: no tokenizer (the key tokenizer.ggml.model is "
                       "absent)",
                       gguf_path(g));
    for (size_t i = 0; i < N_KINDS; i++) {
        if (gguf_str_is(kind_name(model, pre), kinds[i]->name)) {
            t->kind = kinds[i];
            return true;
        }
        at += (size_t)snprintf(known + at, sizeof known - at, "%s%s", i ? " " : "", kinds[i]->name);
    }
    return err_set(err, LORY_E_UNSUPPORTED,
                   "%s: unknown tokenizer \"%.*s\" (tokenizer.ggml.model; known: %s)", gguf_path(g),
                   model.n < 64 ? (int)model.n : 64, model.s, known);
}

/* ---- building ---------------------------------------------------------------------------- */

static bool no_memory(const tokenizer *t, lory_err *err)
{
    return err_set(err, LORY_E_MEMORY, "%s: no memory for the tokenizer", t->v.path);
}

static bool check_arrays(const tokenizer *t, lory_err *err)
{
    const char *key = NULL;
    if (t->kind->flags & KIND_NEEDS_SCORES && !t->v.score) key = "scores";
    if (t->kind->flags & KIND_NEEDS_MERGES && !t->v.merges) key = "merges";
    return !key
           || err_set(err, LORY_E_FORMAT,
                      "%s: tokenizer \"%s\" needs the key "
                      "tokenizer.ggml.%s",
                      t->v.path, t->kind->name, key);
}

static bool is_special(const tokenizer *t, int32_t id)
{
    return t->v.type[id] == TOKEN_CONTROL || t->v.type[id] == TOKEN_UNKNOWN;
}

static bool put_piece(const tokenizer *t, int32_t id, buf *out)
{
    bool is_shown = t->kind->flags & KIND_SHOWS_UNKNOWN && t->v.type[id] == TOKEN_UNKNOWN;
    if (is_special(t, id) && !is_shown) return true;
    if (t->kind->put_piece) return t->kind->put_piece(&t->v, id, out);
    return buf_put(out, t->v.text[id].s, t->v.text[id].n);
}

static bool build_pieces(tokenizer *t, lory_err *err)
{
    t->piece_start = mem_new(t->v.n + 1, sizeof *t->piece_start);
    if (!t->piece_start) return no_memory(t, err);
    for (size_t i = 0; i < t->v.n; i++) {
        if (!put_piece(t, (int32_t)i, &t->piece_bytes)) return no_memory(t, err);
        if (t->piece_bytes.len > UINT32_MAX)
            return err_set(err, LORY_E_UNSUPPORTED, "%s: the tokens have more than 4 GiB",
                           t->v.path);
        t->piece_start[i + 1] = (uint32_t)t->piece_bytes.len;
    }
    t->piece = (str_table){ t->piece_bytes.data, t->piece_start, t->v.n };
    return true;
}

/* Whether text is cut at this token before the algorithm sees it. */
static bool is_cut_out(const tokenizer *t, int32_t id)
{
    if (is_special(t, id)) return !(t->kind->flags & KIND_NO_SPECIAL);
    return t->v.type[id] == TOKEN_USER_DEFINED && t->kind->flags & KIND_CUTS_USER_DEFINED;
}

static bool build_special(tokenizer *t, lory_err *err)
{
    if (!trie_init(&t->special, err)) return false;
    for (size_t i = 0; i < t->v.n; i++) {
        gguf_str s = t->v.text[i];
        if (s.n == 0 || !is_cut_out(t, (int32_t)i)) continue;
        if (!trie_add(&t->special, s.s, s.n, (int32_t)i, err)) return false;
        t->special_first[(unsigned char)s.s[0]] = true;
    }
    return trie_freeze(&t->special, err);
}

bool tokenizer_init(tokenizer *t, const gguf *g, lory_err *err)
{
    *t = (tokenizer){ 0 };
    if (!find_kind(t, g, err)) return false;
    vocab_defaults defaults = t->kind->defaults;
    if ((!t->kind->adjust || t->kind->adjust(g, &defaults, err))
        && vocab_read(&t->v, g, &defaults, err) && check_arrays(t, err) && build_pieces(t, err)
        && build_special(t, err) && t->kind->init(t, err)) {
        if (t->kind->flags & KIND_ALWAYS_BOS) t->v.add_bos = true;
        return true;
    }
    tokenizer_free(t);
    return false;
}

void tokenizer_free(tokenizer *t)
{
    if (t->state) t->kind->free(t->state);
    trie_free(&t->special);
    buf_free(&t->piece_bytes);
    mem_free(t->piece_start);
    vocab_free(&t->v);
    *t = (tokenizer){ 0 };
}

/* ---- encoding ---------------------------------------------------------------------------- */

typedef struct {
    const tokenizer *t;
    const tokenizer_text *text;
    size_t i_plain; /* the first plain range that does not end before here */
} special_search;

/* The end of what a control token that starts at `at` may cover; `at` = none may start here. */
static size_t control_limit(special_search *f, size_t at)
{
    const tokenizer_text *x = f->text;
    if (!(x->flags & LORY_PARSE_SPECIAL)) return at;
    while (f->i_plain < x->n_plain && x->plain[f->i_plain].end <= at) f->i_plain++;
    if (f->i_plain == x->n_plain || x->plain[f->i_plain].start >= x->n) return x->n;
    return x->plain[f->i_plain].start > at ? x->plain[f->i_plain].start : at;
}

/* The longest special token that starts at `at` and may be read there: its length, or 0. */
static size_t match_special(special_search *f, size_t at, int32_t *id)
{
    const trie *tr = &f->t->special;
    const char *s = f->text->s;
    size_t limit = control_limit(f, at), len = 0;
    uint32_t node = TRIE_ROOT;
    for (size_t i = at; i < f->text->n && (node = trie_step(tr, node, (unsigned char)s[i])); i++) {
        int32_t value = tr->cells[node].value;
        if (value < 0 || (is_special(f->t, value) && i + 1 > limit)) continue;
        len = i + 1 - at;
        *id = value;
    }
    return len;
}

static bool find_special(special_search *f, size_t from, size_t *at, size_t *len, int32_t *id)
{
    const char *s = f->text->s;
    for (*at = from; *at < f->text->n; ++*at) {
        if (!f->t->special_first[(unsigned char)s[*at]]) continue;
        *len = match_special(f, *at, id);
        if (*len > 0) return true;
    }
    return false;
}

static bool put_if(bool wanted, lory_token id, lory_tokens *out, lory_err *err)
{
    return !wanted || id < 0 || tokens_put(out, id, err);
}

/* Where the text goes on behind a special token that ends at `at`. */
static size_t skip_stripped(const tokenizer *t, const tokenizer_text *x, size_t at, int32_t id)
{
    static const char *const keep[] = { "<unk>", "<s>", "<|endoftext|>" };
    uint32_t cp;
    if (!t->v.strips_after) return at;
    for (size_t i = 0; i < sizeof keep / sizeof keep[0]; i++)
        if (gguf_str_is(t->v.text[id], keep[i])) return at;
    for (size_t n; at < x->n; at += n) {
        n = utf8_decode(x->s + at, x->n - at, &cp);
        if (!(unicode_bits(cp) & UNICODE_SPACE)) break;
    }
    return at;
}

static bool encode_between(const tokenizer *t, void *scratch, const tokenizer_text *x,
                           lory_tokens *out, lory_err *err)
{
    special_search f = { t, x, 0 };
    size_t from = 0, at, len;
    int32_t id = -1;
    while (find_special(&f, from, &at, &len, &id)) {
        if (at > from && !t->kind->encode(t, scratch, x->s + from, at - from, out, err))
            return false;
        if (!tokens_put(out, id, err)) return false;
        from = skip_stripped(t, x, at + len, id);
    }
    return from == x->n || t->kind->encode(t, scratch, x->s + from, x->n - from, out, err);
}

bool tokenizer_encode(const tokenizer *t, const tokenizer_text *x, lory_tokens *out, lory_err *err)
{
    bool adds = x->flags & LORY_ADD_SPECIAL;
    size_t n_before = out->n;
    if (x->n > MAX_TEXT_BYTES)
        return err_set(err, LORY_E_ARGUMENT, "text: %zu bytes, expected at most %d", x->n,
                       MAX_TEXT_BYTES);
    void *scratch = t->kind->scratch_new(t, x->n);
    if (!scratch) return err_set(err, LORY_E_MEMORY, "text: no memory to encode %zu bytes", x->n);
    bool ok = put_if(adds && t->v.add_bos, t->v.bos, out, err)
              && encode_between(t, scratch, x, out, err)
              && put_if(adds && t->v.add_sep, t->v.sep, out, err)
              && put_if(adds && t->v.add_eos, t->v.eos, out, err);
    t->kind->scratch_free(scratch);
    if (!ok) out->n = n_before;
    return ok;
}

/* ---- tokens ------------------------------------------------------------------------------ */

static bool is_token(const tokenizer *t, lory_token id)
{
    return id >= 0 && (size_t)id < t->v.n;
}

const char *tokenizer_piece(const tokenizer *t, lory_token id, size_t *n)
{
    *n = 0;
    return is_token(t, id) ? str_at(&t->piece, (size_t)id, n) : "";
}

size_t tokenizer_n_vocab(const tokenizer *t)
{
    return t->v.n;
}

bool tokenizer_is_end(const tokenizer *t, lory_token id)
{
    return is_token(t, id) && t->v.is_end[id];
}

/* Whether the piece begins with a blank that the start of a text lacks: the one encoding puts
 * there, or where it trims. */
static bool has_first_blank(const tokenizer *t, lory_token id, gguf_str s)
{
    return s.n > 0 && s.s[0] == ' ' && (t->v.add_space_prefix || t->v.remove_extra_whitespaces)
           && t->kind->flags & KIND_STRIPS_FIRST_BLANK
           && !(t->v.has_glm_text && t->v.type[id] == TOKEN_USER_DEFINED);
}

bool tokenizer_is_text(const tokenizer *t, lory_token id)
{
    return is_token(t, id) && !is_special(t, id) && t->v.type[id] != TOKEN_UNUSED
           && !t->v.is_end[id];
}

bool tokenizer_drops_first_blank(const tokenizer *t, lory_token id)
{
    gguf_str s;
    s.s = tokenizer_piece(t, id, &s.n);
    return has_first_blank(t, id, s);
}

bool tokenizer_ends_start(const tokenizer *t, lory_token id, size_t n)
{
    size_t n_piece;
    tokenizer_piece(t, id, &n_piece);
    return n > 0 || (n_piece > 0 && !t->v.remove_extra_whitespaces);
}

bool tokenizer_holds_last_blank(const tokenizer *t)
{
    return t->kind->flags & KIND_HOLDS_LAST_BLANK;
}

lory_token tokenizer_bos(const tokenizer *t)
{
    return t->v.bos;
}

lory_token tokenizer_eos(const tokenizer *t)
{
    return t->v.eos;
}

/* ---- detokenizer ------------------------------------------------------------------------- */

/* Whether these bytes of a token end with a blank that only shows when another token follows. */
static bool ends_with_held(const tokenizer *t, gguf_str s)
{
    return s.n > 0 && s.s[s.n - 1] == ' ' && t->kind->flags & KIND_HOLDS_LAST_BLANK;
}

void detok_init(detok *d, const tokenizer *t, unsigned flags, bool continues)
{
    *d = (detok){ .t = t, .flags = flags, .at_start = !continues };
}

void detok_follow(detok *d, lory_token id)
{
    gguf_str s;
    s.s = tokenizer_piece(d->t, id, &s.n);
    d->holds_blank = ends_with_held(d->t, s);
}

void detok_free(detok *d)
{
    buf_free(&d->text);
    *d = (detok){ 0 };
}

/* Forgets what the last call handed out; what it held back moves to the front. */
static void drop_handed(detok *d)
{
    if (d->n_handed == 0) return;
    d->text.len -= d->n_handed;
    memmove(d->text.data, d->text.data + d->n_handed, d->text.len);
    d->n_handed = 0;
}

static void hand_out(detok *d, size_t n, const char **text, size_t *n_text)
{
    d->n_handed = n;
    *text = n ? d->text.data : "";
    *n_text = n;
}

/* The bytes that token `id` adds to the text, where one is at its start or not. */
static gguf_str text_of(const detok *d, lory_token id)
{
    const tokenizer *t = d->t;
    gguf_str s;
    s.s = str_at(&t->piece, (size_t)id, &s.n);
    if (is_special(t, id)) return s.n == 0 && d->flags & LORY_SHOW_SPECIAL ? t->v.text[id] : s;
    if (d->at_start && has_first_blank(t, id, s)) return (gguf_str){ s.s + 1, s.n - 1 };
    return s;
}

/* Whether a blank that belongs between two tokens goes before this one. */
static bool takes_blank(const detok *d, lory_token id)
{
    return d->holds_blank
           || (d->t->kind->flags & KIND_SPACES_SPECIAL && is_special(d->t, id) && !d->at_start);
}

bool detok_put(detok *d, lory_token id, const char **text, size_t *n_text, lory_err *err)
{
    drop_handed(d);
    hand_out(d, 0, text, n_text);
    if (!is_token(d->t, id))
        return err_set(err, LORY_E_ARGUMENT, "token %d: the vocabulary has %zu", id, d->t->v.n);
    gguf_str s = text_of(d, id);
    bool blank = takes_blank(d, id);
    d->at_start = d->at_start && !tokenizer_ends_start(d->t, id, s.n);
    if (s.n == 0) return true;
    d->holds_blank = ends_with_held(d->t, s);
    if (blank) buf_putc(&d->text, ' ');
    if (!buf_put(&d->text, s.s, s.n - d->holds_blank)) {
        d->text.failed = false;
        return err_set(err, LORY_E_MEMORY, "no memory to decode token %d", id);
    }
    hand_out(d, d->text.len - utf8_incomplete_tail(d->text.data, d->text.len), text, n_text);
    return true;
}

void detok_flush(detok *d, const char **text, size_t *n_text)
{
    drop_handed(d);
    hand_out(d, d->text.len, text, n_text);
}
