/* sp.c - see sp.h. */
#include "token/sp.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "token/glm_text.h"
#include "token/tokens.h"

#define BLANK "\xE2\x96\x81" /* U+2581 */
enum { BLANK_BYTES = 3, N_BYTES = 256 };

/* ---- pieces ------------------------------------------------------------------------------ */

bool sp_put_plain(buf *out, const char *s, size_t n)
{
    const char *p;
    while (n >= BLANK_BYTES && (p = memmem(s, n, BLANK, BLANK_BYTES))) {
        buf_put(out, s, (size_t)(p - s));
        buf_putc(out, ' ');
        n -= (size_t)(p - s) + BLANK_BYTES;
        s = p + BLANK_BYTES;
    }
    return buf_put(out, s, n);
}

bool sp_put_piece(const vocab *v, int32_t id, buf *out)
{
    int byte = v->type[id] == TOKEN_BYTE ? vocab_byte_of(v->text[id]) : -1;
    if (byte >= 0) return buf_putc(out, (char)byte);
    if (v->type[id] == TOKEN_UNKNOWN) /* where text can be unknown: " ?? " as one character */
        return v->n_byte >= N_BYTES || buf_puts(out, " \xE2\x81\x87 ");
    if (v->has_glm_text && v->type[id] == TOKEN_USER_DEFINED)
        return glm_text_put_piece(out, v->text[id].s, v->text[id].n);
    return sp_put_plain(out, v->text[id].s, v->text[id].n);
}

/* A plain blank in a SentencePiece model never matches, because text has U+2581 in its place. GGUF
 * writers turn the U+2581 of user-defined pieces into blanks, so the two look alike here; models
 * whose pieces were added by hand (baichuan-m1) have U+2581 at the front and plain blanks behind
 * the newlines and tabs of indented lines. */
static bool has_plain_blank(gguf_str s)
{
    for (size_t i = 1; i < s.n; i++)
        if (s.s[i] == ' ' && memchr("\n\r\t", s.s[i - 1], 3)) return true;
    return false;
}

bool sp_is_matched(const vocab *v, size_t id)
{
    uint8_t type = v->type[id];
    if (v->text[id].n == 0) return false;
    return type == TOKEN_NORMAL || type == TOKEN_UNUSED
           || (type == TOKEN_USER_DEFINED && !has_plain_blank(v->text[id]));
}

const char *sp_match_text(const tokenizer *t, size_t id, size_t *n)
{
    if (!t->v.has_glm_text || t->v.type[id] != TOKEN_USER_DEFINED) return str_at(&t->piece, id, n);
    *n = t->v.text[id].n;
    return t->v.text[id].s;
}

static void find_bytes(sp_base *b, const vocab *v)
{
    int n_found = 0;
    memset(b->byte_id, -1, sizeof b->byte_id);
    for (size_t i = 0; i < v->n; i++) {
        int byte = v->type[i] == TOKEN_BYTE ? vocab_byte_of(v->text[i]) : -1;
        if (byte < 0 || b->byte_id[byte] >= 0) continue;
        b->byte_id[byte] = (int32_t)i;
        n_found++;
    }
    b->has_bytes = n_found == N_BYTES;
}

/* ---- charsmap: bytes of the double array, the array, the strings ---------------------------- */

static bool read_charsmap(sp_base *b, const vocab *v, lory_err *err)
{
    uint32_t n_bytes = 0;
    if (!v->charsmap) return true;
    const char *data = v->charsmap->data;
    size_t n = (size_t)v->charsmap->n;
    for (int i = 3; i >= 0 && n >= 4; i--) n_bytes = n_bytes << 8 | (unsigned char)data[i];
    if (n < 4 || n_bytes % 4 || n_bytes == 0 || n_bytes > n - 4 || data[n - 1] != '\0')
        return err_set(err, LORY_E_FORMAT,
                       "%s: tokenizer.ggml.precompiled_charsmap is damaged "
                       "(%zu bytes, a trie of %u)",
                       v->path, n, n_bytes);
    b->n_units = n_bytes / 4;
    b->units = mem_new(b->n_units, sizeof *b->units);
    if (!b->units) return err_set(err, LORY_E_MEMORY, "%s: no memory for the charsmap", v->path);
    for (size_t i = 0; i < b->n_units; i++)
        for (int k = 3; k >= 0; k--)
            b->units[i] = b->units[i] << 8 | (unsigned char)data[4 + i * 4 + (size_t)k];
    b->strings = data + 4 + n_bytes;
    b->n_strings = n - 4 - n_bytes;
    return true;
}

/* Fields of a unit of a Darts-clone double array. */
static uint32_t unit_offset(uint32_t u)
{
    return u >> 10 << ((u & 1u << 9) >> 6);
}

static uint32_t unit_label(uint32_t u)
{
    return u & (1u << 31 | 0xFF);
}

/* The longest prefix of s[0..n) that the charsmap maps: its length and what to; 0 when none. */
static size_t map_prefix(const sp_base *b, const char *s, size_t n, const char **to)
{
    size_t len = 0, at = b->n_units ? unit_offset(b->units[0]) : 0;
    for (size_t i = 0; i < n && b->n_units; i++) {
        unsigned char c = (unsigned char)s[i];
        at ^= c;
        if (at >= b->n_units || unit_label(b->units[at]) != c) break;
        uint32_t u = b->units[at];
        at ^= unit_offset(u);
        if (!(u >> 8 & 1)) continue;
        uint32_t value = at < b->n_units ? b->units[at] & 0x7FFFFFFF : UINT32_MAX;
        if (value >= b->n_strings) break;
        len = i + 1;
        *to = b->strings + value;
    }
    return len;
}

/* ---- normalisation ----------------------------------------------------------------------- */

/* One step: the prefix of s that is taken as a whole, and what it becomes. User-defined pieces
 * stay as they are. */
static size_t next_part(const sp_base *b, const char *s, size_t n, const char **to, size_t *n_to)
{
    int32_t id;
    uint32_t cp;
    size_t len = b->has_user ? trie_longest(&b->user, s, n, &id) : 0;
    if (len == 0 && (len = map_prefix(b, s, n, to)) > 0) {
        *n_to = strlen(*to);
        return len;
    }
    if (len == 0) len = utf8_decode(s, n, &cp);
    *to = s;
    *n_to = len;
    return len;
}

static bool is_blank(const char *s, size_t n)
{
    return n == 1 && s[0] == ' ';
}

/* The bytes at the start of s that stay as they are. */
static size_t calm_run(const sp_base *b, const char *s, size_t n)
{
    size_t i = 0;
    while (i < n && b->is_calm[(unsigned char)s[i]]) i++;
    return i > 0 && i < n && (unsigned char)s[i] >= 0x80 ? i - 1 : i;
}

static bool normalize(const sp_base *b, const vocab *v, const char *s, size_t n, buf *out)
{
    bool trims = v->remove_extra_whitespaces, after_blank = trims;
    const char *to;
    size_t n_to, len, at = 0, start = out->len;
    while (trims && at < n && (len = next_part(b, s + at, n - at, &to, &n_to), is_blank(to, n_to)))
        at += len;
    if (at == n) return true;
    if (v->add_space_prefix) buf_putc(out, ' ');
    for (; at < n; at += len) {
        if ((len = calm_run(b, s + at, n - at)) > 0) {
            buf_put(out, s + at, len);
            after_blank = false;
            continue;
        }
        len = next_part(b, s + at, n - at, &to, &n_to);
        while (after_blank && n_to > 0 && to[0] == ' ') to++, n_to--;
        if (n_to > 0) after_blank = trims && to[n_to - 1] == ' ';
        sp_put_plain(out, to, n_to);
    }
    while (trims && out->len > start && out->data[out->len - 1] == ' ') out->len--;
    return !out->failed;
}

bool sp_normalize(const sp_base *b, const vocab *v, const char *s, size_t n, buf *out)
{
    if (b->units || v->remove_extra_whitespaces) return normalize(b, v, s, n, out);
    if (v->add_space_prefix) buf_putc(out, ' ');
    return sp_put_plain(out, s, n);
}

/* ---- words ------------------------------------------------------------------------------- */

enum { JOIN_BITS = 20, ASCII_JOINS = 1 << 14 };

/* Bigrams of ASCII characters have a bit of their own, others share theirs by chance, which makes
 * some words longer than they need be. */
static size_t join_bit(uint32_t a, uint32_t b)
{
    if ((a | b) < 0x80) return a << 7 | b;
    return hash_mix((uint64_t)a << 32 | b) >> (64 - JOIN_BITS) | ASCII_JOINS;
}

static bool is_joined(const sp_base *b, uint32_t left, uint32_t right)
{
    size_t bit = join_bit(left, right);
    return b->joins[bit / 64] >> bit % 64 & 1;
}

size_t sp_word_end(const sp_base *b, const char *s, size_t n)
{
    uint32_t left, right;
    size_t i = utf8_decode(s, n, &left);
    for (size_t len; i < n; i += len, left = right) {
        len = utf8_decode(s + i, n - i, &right);
        if (!is_joined(b, left, right)) return i;
    }
    return n;
}

/* ---- building ---------------------------------------------------------------------------- */

static void add_joins(sp_base *b, const char *s, size_t n)
{
    uint32_t left, right;
    for (size_t i = utf8_decode(s, n, &left), len; i < n; i += len, left = right) {
        len = utf8_decode(s + i, n - i, &right);
        size_t bit = join_bit(left, right);
        b->joins[bit / 64] |= (uint64_t)1 << bit % 64;
    }
}

static bool add_pieces(sp_base *b, const tokenizer *t, lory_err *err)
{
    b->joins = mem_new(((size_t)1 << JOIN_BITS) / 64, sizeof *b->joins);
    if (!b->joins) return err_set(err, LORY_E_MEMORY, "%s: no memory for the tokenizer", t->v.path);
    for (size_t i = 0; i < t->v.n; i++) {
        size_t n;
        const char *s = sp_match_text(t, i, &n);
        if (!sp_is_matched(&t->v, i)) continue;
        if (n > 0) add_joins(b, s, n);
        if (t->v.type[i] != TOKEN_USER_DEFINED) continue;
        b->has_user = true;
        if (!trie_add(&b->user, s, n, (int32_t)i, err)) return false;
    }
    return true;
}

/* ASCII characters other than blanks that no user-defined piece and no rule of the charsmap begin
 * with; rules that need a character beyond ASCII behind (a letter and its accent) don't count. */
static void find_calm(sp_base *b)
{
    const char *to;
    for (int c = 0; c < 0x80; c++) {
        bool is_calm = c != ' ' && !trie_step(&b->user, TRIE_ROOT, (unsigned char)c);
        for (int next = 0; next < 0x80 && is_calm; next++)
            is_calm = map_prefix(b, (char[]){ (char)c, (char)next, '\0' }, 2, &to) == 0;
        b->is_calm[c] = is_calm;
    }
}

bool sp_init(sp_base *b, const tokenizer *t, lory_err *err)
{
    find_bytes(b, &t->v);
    if (!trie_init(&b->user, err) || !read_charsmap(b, &t->v, err) || !add_pieces(b, t, err)
        || !trie_freeze(&b->user, err))
        return false;
    find_calm(b);
    return true;
}

void sp_free(sp_base *b)
{
    trie_free(&b->user);
    mem_free(b->units);
    mem_free(b->joins);
    *b = (sp_base){ 0 };
}

bool sp_put_unknown(const tokenizer *t, const char *s, size_t n, bool *last_is_unknown,
                    lory_tokens *out, lory_err *err)
{
    const sp_base *b = t->state;
    if (b->has_bytes) {
        for (size_t i = 0; i < n; i++)
            if (!tokens_put(out, b->byte_id[(unsigned char)s[i]], err)) return false;
        return true;
    }
    bool repeats = *last_is_unknown;
    *last_is_unknown = true;
    return repeats || t->v.unk < 0 || tokens_put(out, t->v.unk, err);
}
