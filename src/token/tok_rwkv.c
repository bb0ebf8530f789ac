/* tok_rwkv.c - the RWKV World tokenizer (tokenizer.ggml.model "rwkv"): at each byte the longest
 * token that the text goes on with.
 * Layer: token. Source: RWKV rwkv_tokenizer.py. Tokens are byte strings, written in the file as
 * Python writes them: \n, \\, \x00. The text of the end token, 0, is of the file's own making:
 * it is not read. */
#include "base/err.h"
#include "base/mem.h"
#include "text/digit.h"
#include "token/kind.h"

typedef struct {
    trie tokens;
} rwkv;

/* The escape at s[0] == '\\': its length and the byte; 0 when it is none. */
static size_t unescape(const char *s, size_t n, char *byte)
{
    static const char names[] = "ntr\\'\"", values[] = "\n\t\r\\'\"";
    if (n < 2) return 0;
    if (s[1] == 'x' && n >= 4 && digit_value(s[2]) < 16 && digit_value(s[3]) < 16) {
        *byte = (char)(digit_value(s[2]) * 16 + digit_value(s[3]));
        return 4;
    }
    const char *p = s[1] ? strchr(names, s[1]) : NULL;
    if (!p) return 0;
    *byte = values[p - names];
    return 2;
}

static bool put_piece(const vocab *v, int32_t id, buf *out)
{
    gguf_str s = v->text[id];
    char byte = 0;
    for (size_t i = 0, len; i < s.n; i += len) {
        len = s.s[i] == '\\' ? unescape(s.s + i, s.n - i, &byte) : 0;
        buf_putc(out, len ? byte : s.s[i]);
        if (len == 0) len = 1;
    }
    return !out->failed;
}

static bool init(tokenizer *t, lory_err *err)
{
    rwkv *m = mem_new(1, sizeof *m);
    if (!m) return err_set(err, LORY_E_MEMORY, "%s: no memory for the tokenizer", t->v.path);
    t->state = m;
    if (!trie_init(&m->tokens, err)) return false;
    for (size_t i = 0; i < t->v.n; i++) {
        size_t n;
        const char *s = str_at(&t->piece, i, &n);
        if (t->v.type[i] != TOKEN_NORMAL || n == 0) continue;
        if (!trie_add(&m->tokens, s, n, (int32_t)i, err)) return false;
    }
    return trie_freeze(&m->tokens, err);
}

static void rwkv_free(void *state)
{
    rwkv *m = state;
    trie_free(&m->tokens);
    mem_free(m);
}

/* A byte that no token begins with, which World vocabularies do not have, is unknown. */
static bool encode(const tokenizer *t, void *scratch, const char *s, size_t n, lory_tokens *out,
                   lory_err *err)
{
    const rwkv *m = t->state;
    (void)scratch;
    for (size_t i = 0, len; i < n; i += len) {
        int32_t id = t->v.unk;
        len = trie_longest(&m->tokens, s + i, n - i, &id);
        if (len == 0) len = 1;
        if (id >= 0 && !tokens_put(out, id, err)) return false;
    }
    return true;
}

static void *scratch_new(const tokenizer *t, size_t n)
{
    (void)t;
    (void)n;
    return mem_new(1, 1);
}

const tokenizer_kind kind_rwkv = {
    .name = "rwkv",
    .defaults = { .bos = -1, .eos = -1, .unk = -1, .sep = -1, .pad = -1, .mask = -1 },
    .flags = KIND_CUTS_USER_DEFINED | KIND_NO_SPECIAL,
    .put_piece = put_piece,
    .init = init,
    .free = rwkv_free,
    .scratch_new = scratch_new,
    .scratch_free = mem_free,
    .encode = encode,
};
