/* tok_gpt1.c - the BPE of GPT-1 (tokenizer.ggml.model "openai-gpt"): words prepared as BERT's, cut
 * into characters, the last one of a word marked with "</w>", merged by rank.
 * Layer: token. Source: Radford et al. 2018; Hugging Face's OpenAIGPTTokenizerFast. */
#include "base/err.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "token/bert_words.h"
#include "token/kind.h"
#include "token/merge.h"
#include "token/pair_table.h"

#define WORD_END "</w>"
enum { WORD_END_BYTES = 4 };

typedef struct {
    str_map map; /* normal tokens as the file writes them */
    pair_table pairs;
    buf texts; /* what the map points into: the pieces have lost their marks */
    uint32_t *start;
} gpt1;

typedef struct {
    bert_scratch b;
    merge_scratch merge;
} gpt1_scratch;

static bool ends_word(gguf_str s)
{
    return s.n > WORD_END_BYTES && memcmp(s.s + s.n - WORD_END_BYTES, WORD_END, 4) == 0;
}

/* The mark is a blank in running text. */
static bool put_piece(const vocab *v, int32_t id, buf *out)
{
    gguf_str s = v->text[id];
    if (!ends_word(s)) return buf_put(out, s.s, s.n);
    return buf_put(out, s.s, s.n - WORD_END_BYTES) && buf_putc(out, ' ');
}

static bool put_as_is(buf *out, const char *s, size_t n)
{
    return buf_put(out, s, n);
}

static bool build_map(gpt1 *m, const vocab *v, lory_err *err)
{
    m->start = mem_new(v->n + 1, sizeof *m->start);
    for (size_t i = 0; i < v->n && m->start; i++) {
        buf_put(&m->texts, v->text[i].s, v->text[i].n);
        m->start[i + 1] = (uint32_t)m->texts.len;
    }
    if (!m->start || m->texts.failed || m->texts.len > UINT32_MAX)
        return err_set(err, LORY_E_MEMORY, "%s: no memory for the tokenizer", v->path);
    str_table table = { m->texts.data, m->start, v->n };
    if (!str_map_init(&m->map, &table, err)) return false;
    for (size_t i = 0; i < v->n; i++)
        if (v->type[i] == TOKEN_NORMAL && !str_map_add(&m->map, i, err)) return false;
    return true;
}

static bool init(tokenizer *t, lory_err *err)
{
    gpt1 *m = mem_new(1, sizeof *m);
    if (!m) return err_set(err, LORY_E_MEMORY, "%s: no memory for the tokenizer", t->v.path);
    t->state = m;
    return build_map(m, &t->v, err) && pair_table_init(&m->pairs, &t->v, &m->map, put_as_is, err);
}

static void gpt1_free(void *state)
{
    gpt1 *m = state;
    str_map_free(&m->map);
    pair_table_free(&m->pairs);
    buf_free(&m->texts);
    mem_free(m->start);
    mem_free(m);
}

static bool pair(void *user, const merge_symbol *l, const merge_symbol *r, uint32_t *priority,
                 int32_t *id)
{
    const gpt1_scratch *x = user;
    const gpt1 *m = x->b.w.t->state;
    return pair_find(&m->pairs, l->id, r->id, priority, id);
}

/* The token of one character of a word, or the unknown token. */
static int32_t char_id(const gpt1_scratch *x, const char *s, size_t n, bool is_last)
{
    const gpt1 *m = x->b.w.t->state;
    char text[UTF8_MAX_BYTES + WORD_END_BYTES];
    memcpy(text, s, n);
    memcpy(text + n, WORD_END, WORD_END_BYTES);
    int32_t id = str_map_find(&m->map, text, n + (is_last ? WORD_END_BYTES : 0));
    return id >= 0 ? id : x->b.w.t->v.unk;
}

static bool merge_word(void *user, const char *s, size_t n)
{
    gpt1_scratch *x = user;
    uint32_t cp;
    merge_clear(&x->merge);
    for (size_t i = 0, len; i < n; i += len) {
        len = utf8_decode(s + i, n - i, &cp);
        int32_t id = char_id(x, s + i, len, i + len == n);
        merge_symbol symbol = { (uint32_t)i, (uint32_t)len, id, id == x->b.w.t->v.unk };
        if (id >= 0 && !merge_put(&x->merge, symbol)) goto no_memory;
    }
    if (!merge_run(&x->merge, pair, x)) goto no_memory;
    for (size_t i = 0; i < x->merge.n; i++)
        if (!tokens_put(x->b.w.out, x->merge.symbols[i].id, x->b.w.err)) return false;
    return true;
no_memory:
    return err_set(x->b.w.err, LORY_E_MEMORY, "text: no memory to encode a word of %zu bytes", n);
}

static bool encode_word(void *scratch, const char *s, size_t n)
{
    return word_scratch_encode(scratch, s, n, merge_word);
}

static bool encode(const tokenizer *t, void *scratch, const char *s, size_t n, lory_tokens *out,
                   lory_err *err)
{
    (void)t;
    return bert_encode(scratch, s, n, encode_word, out, err);
}

static void scratch_free(void *scratch)
{
    gpt1_scratch *x = scratch;
    merge_free(&x->merge);
    bert_scratch_free(&x->b);
}

static void *scratch_new(const tokenizer *t, size_t n)
{
    return bert_scratch_new(sizeof(gpt1_scratch), t, n);
}

const tokenizer_kind kind_gpt1 = {
    .name = "openai-gpt",
    .defaults = { .bos = -1, .eos = -1, .unk = 0, .sep = -1, .pad = -1, .mask = -1 },
    .flags = KIND_NEEDS_MERGES | KIND_HOLDS_LAST_BLANK,
    .put_piece = put_piece,
    .init = init,
    .free = gpt1_free,
    .scratch_new = scratch_new,
    .scratch_free = scratch_free,
    .encode = encode,
};
