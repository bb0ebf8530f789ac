/* tok_bpe.c - byte-level BPE (tokenizer.ggml.model "gpt2"): the text is cut into words
 * (pretok.h), a word into bytes, and of the adjacent pairs the one first in the list of merges
 * is joined first, the leftmost of equals.
 * Layer: token. Source: Sennrich et al. 2016; Radford et al. 2019 for the bytes.
 *
 * In the file a byte is a printable character ("\u0120" is a blank); here it is the byte. Long
 * words are cut where no token has the two bytes side by side: no merge reaches over that. */
#include "base/err.h"
#include "base/utf8.h"
#include "text/unicode.h"
#include "token/kind.h"
#include "token/merge.h"
#include "token/pair_table.h"
#include "token/pretok.h"
#include "token/word_cache.h"

/* What is known of two bytes side by side. Most pairs that are asked for are of single bytes, and
 * this is a small part of the table of pairs. */
typedef struct {
    uint32_t rank; /* of their merge */
    int32_t id;    /* of what they merge to; NOT_MERGED, or NOT_JOINED: no token has them so */
} byte_pair;
enum { NOT_JOINED = -2, NOT_MERGED = -1, N_BYTES = 256 };

typedef struct {
    pretok_cutter pre;
    str_map map;          /* normal tokens by their bytes */
    int32_t byte_id[256]; /* -1 = no token */
    pair_table pairs;
    byte_pair *byte_pairs; /* [256 * 256] */
} bpe;

typedef struct {
    word_scratch w;
    merge_scratch merge;
    const char *word; /* the one being merged */
    buf normal;       /* the text in normal form C, where that is another */
} bpe_scratch;

/* ---- bytes as characters ------------------------------------------------------------------ */

/* The byte that a character of the file stands for, or -1. GPT-2's bytes_to_unicode: bytes that
 * are printable in Latin-1 stand for themselves, the others follow from U+0100 on in order. */
static int byte_of_char(uint32_t cp)
{
    if ((cp >= '!' && cp <= '~') || (cp >= 0xA1 && cp <= 0xFF && cp != 0xAD)) return (int)cp;
    if (cp < 0x100 || cp > 0x143) return -1;
    uint32_t i = cp - 0x100;
    return (int)(i <= 32 ? i : i == 33 ? 0x7F : i <= 66 ? i + 0x80 - 34 : 0xAD);
}

/* Characters that stand for no byte stay as they are. */
static bool put_bytes(buf *out, const char *s, size_t n)
{
    uint32_t cp;
    if (!buf_reserve(out, n)) return false;
    char *to = out->data + out->len;
    for (size_t i = 0, len; i < n; i += len) {
        len = utf8_decode(s + i, n - i, &cp);
        int byte = byte_of_char(cp);
        if (byte >= 0)
            *to++ = (char)byte;
        else
            memcpy(to, s + i, len), to += len;
    }
    out->len = (size_t)(to - out->data);
    *to = '\0';
    return true;
}

static bool is_word_token(uint8_t type)
{
    return type == TOKEN_NORMAL || type == TOKEN_BYTE;
}

static bool put_piece(const vocab *v, int32_t id, buf *out)
{
    gguf_str s = v->text[id];
    return is_word_token(v->type[id]) ? put_bytes(out, s.s, s.n) : buf_put(out, s.s, s.n);
}

/* ---- building ---------------------------------------------------------------------------- */

/* A file without the key is of the time before it, when every reader guessed. */
static const pretok *pretok_of(const char *path, gguf_str pre, lory_err *err)
{
    const pretok *p = pre.n ? pretok_find(pre.s, pre.n) : NULL;
    if (!p) pretok_unknown(path, pre.s, pre.n, err);
    return p;
}

static bool adjust(const gguf *g, vocab_defaults *d, lory_err *err)
{
    gguf_str pre = { 0 };
    if (!gguf_get_str(g, "tokenizer.ggml.pre", &pre, err)) return false;
    const pretok *p = pretok_of(gguf_path(g), pre, err);
    if (!p) return false;
    d->add_bos = p->flags & PRETOK_ADD_BOS;
    d->add_sep = p->flags & PRETOK_ADD_SEP;
    return true;
}

static byte_pair *byte_pair_at(const bpe *m, const char *s)
{
    return &m->byte_pairs[(unsigned char)s[0] * N_BYTES + (unsigned char)s[1]];
}

static void find_byte_pairs(bpe *m, const tokenizer *t)
{
    for (size_t i = 0; i < N_BYTES * N_BYTES; i++) m->byte_pairs[i].id = NOT_JOINED;
    for (size_t i = 0, n; i < t->v.n; i++) {
        const char *s = str_at(&t->piece, i, &n);
        if (!is_word_token(t->v.type[i])) continue;
        for (size_t k = 1; k < n; k++) byte_pair_at(m, s + k - 1)->id = NOT_MERGED;
    }
    for (size_t i = 0; i < N_BYTES * N_BYTES; i++) {
        int32_t l = m->byte_id[i / N_BYTES], r = m->byte_id[i % N_BYTES];
        if (l >= 0 && r >= 0)
            pair_find(&m->pairs, l, r, &m->byte_pairs[i].rank, &m->byte_pairs[i].id);
    }
}

/* The token of a byte. One that has none is the unknown token, where a vocabulary has one of that
 * type, else -1. */
static int32_t find_byte(const bpe *m, const vocab *v, char c)
{
    int32_t id = str_map_find(&m->map, &c, 1);
    bool is_unknown = id < 0 && v->unk >= 0 && v->type[v->unk] == TOKEN_UNKNOWN;
    return is_unknown ? v->unk : id;
}

static bool init(tokenizer *t, lory_err *err)
{
    bpe *m = mem_new(1, sizeof *m);
    if (!m) return err_set(err, LORY_E_MEMORY, "%s: no memory for the tokenizer", t->v.path);
    t->state = m;
    const pretok *pre = pretok_of(t->v.path, t->v.pre, err);
    if (!pre || !str_map_init(&m->map, &t->piece, err)) return false;
    pretok_cutter_init(&m->pre, pre);
    for (size_t i = 0; i < t->v.n; i++)
        if (is_word_token(t->v.type[i]) && !str_map_add(&m->map, i, err)) return false;
    for (int c = 0; c < N_BYTES; c++) m->byte_id[c] = find_byte(m, &t->v, (char)c);
    if (!pair_table_init(&m->pairs, &t->v, &m->map, put_bytes, err)) return false;
    m->byte_pairs = mem_new(N_BYTES * N_BYTES, sizeof *m->byte_pairs);
    if (!m->byte_pairs)
        return err_set(err, LORY_E_MEMORY, "%s: no memory for the tokenizer", t->v.path);
    find_byte_pairs(m, t);
    return true;
}

static void bpe_free(void *state)
{
    bpe *m = state;
    str_map_free(&m->map);
    pair_table_free(&m->pairs);
    mem_free(m->byte_pairs);
    mem_free(m);
}

/* ---- one word ---------------------------------------------------------------------------- */

static bool pair(void *user, const merge_symbol *l, const merge_symbol *r, uint32_t *priority,
                 int32_t *id)
{
    const bpe_scratch *x = user;
    const bpe *m = x->w.t->state;
    if (l->len == 1 && r->len == 1) {
        const byte_pair *p = byte_pair_at(m, (char[]){ x->word[l->start], x->word[r->start] });
        *priority = p->rank;
        *id = p->id;
        return p->id >= 0;
    }
    return pair_find(&m->pairs, l->id, r->id, priority, id);
}

/* A byte without a token is left out, as every other implementation does: vocabularies that were
 * trained without the full alphabet lack bytes of rare scripts. */
static bool put_symbols(bpe_scratch *x, const char *s, size_t n)
{
    const bpe *m = x->w.t->state;
    merge_clear(&x->merge);
    for (size_t i = 0; i < n; i++) {
        merge_symbol symbol = { (uint32_t)i, 1, m->byte_id[(unsigned char)s[i]], false };
        if (symbol.id >= 0 && !merge_put(&x->merge, symbol)) return false;
    }
    return true;
}

static bool merge(void *scratch, const char *s, size_t n)
{
    bpe_scratch *x = scratch;
    x->word = s;
    if (!put_symbols(x, s, n) || !merge_run(&x->merge, pair, x))
        return err_set(x->w.err, LORY_E_MEMORY, "text: no memory to encode a word of %zu bytes", n);
    for (size_t i = 0; i < x->merge.n; i++)
        if (!tokens_put(x->w.out, x->merge.symbols[i].id, x->w.err)) return false;
    return true;
}

/* The parts of a long word. A byte that is no token is left out, and what is around it joined. */
static bool merge_parts(bpe_scratch *x, const char *s, size_t n)
{
    const bpe *m = x->w.t->state;
    for (size_t i = 1, start = 0; i <= n; i++) {
        if (i < n
            && (byte_pair_at(m, s + i - 1)->id != NOT_JOINED
                || m->byte_id[(unsigned char)s[i - 1]] < 0 || m->byte_id[(unsigned char)s[i]] < 0))
            continue;
        if (!word_scratch_encode(&x->w, s + start, i - start, merge)) return false;
        start = i;
    }
    return true;
}

static bool merge_word(void *scratch, const char *s, size_t n)
{
    bpe_scratch *x = scratch;
    const bpe *m = x->w.t->state;
    if (m->pre.rule->flags & PRETOK_IGNORE_MERGES) {
        int32_t id = str_map_find(&m->map, s, n);
        if (id >= 0) return tokens_put(x->w.out, id, x->w.err);
    } else if (n > WORD_CACHE_MAX_BYTES) {
        return merge_parts(x, s, n);
    }
    return merge(x, s, n);
}

static bool encode_word(void *scratch, const char *s, size_t n)
{
    return word_scratch_encode(scratch, s, n, merge_word);
}

/* ---- text -------------------------------------------------------------------------------- */

static bool encode(const tokenizer *t, void *scratch, const char *s, size_t n, lory_tokens *out,
                   lory_err *err)
{
    const bpe *m = t->state;
    bpe_scratch *x = scratch;
    x->w.out = out;
    x->w.err = err;
    if (m->pre.rule->flags & PRETOK_NFC && !unicode_is_surely_nfc(s, n)) {
        buf_clear(&x->normal);
        if (!unicode_nfc(&x->normal, s, n))
            return err_set(err, LORY_E_MEMORY, "text: no memory to normalise %zu bytes", n);
        s = x->normal.data;
        n = x->normal.len;
    }
    return pretok_split(&m->pre, s, n, encode_word, x);
}

static void scratch_free(void *scratch)
{
    bpe_scratch *x = scratch;
    buf_free(&x->normal);
    merge_free(&x->merge);
    word_scratch_free(&x->w);
}

static void *scratch_new(const tokenizer *t, size_t n)
{
    return word_scratch_new(sizeof(bpe_scratch), t, n);
}

const tokenizer_kind kind_bpe = {
    .name = "gpt2",
    .defaults = { .bos = -1, .eos = -1, .unk = -1, .sep = -1, .pad = -1, .mask = -1 },
    .flags = KIND_CUTS_USER_DEFINED | KIND_NEEDS_MERGES,
    .adjust = adjust,
    .put_piece = put_piece,
    .init = init,
    .free = bpe_free,
    .scratch_new = scratch_new,
    .scratch_free = scratch_free,
    .encode = encode,
};
