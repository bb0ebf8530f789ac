/* vocab_bpe.c - reads vocab.json with merges.txt, and the ranks of tiktoken; see vocab_forms.h. */
#include "base/err.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "convert/byte_chars.h"
#include "convert/vocab_forms.h"
#include "gguf/name_table.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- lines --------------------------------------------------------------------------------- */

typedef struct {
    const char *at, *end;
} lines;

static bool next_line(lines *l, gguf_str *line)
{
    if (l->at == l->end) return false;
    const char *nl = memchr(l->at, '\n', (size_t)(l->end - l->at));
    const char *end = nl ? nl : l->end;
    *line = (gguf_str){ l->at, (size_t)(end - l->at) };
    if (line->n && line->s[line->n - 1] == '\r') line->n--;
    l->at = nl ? nl + 1 : l->end;
    return true;
}

static size_t count_lines(const buf *text)
{
    size_t n = 1;
    for (size_t i = 0; i < text->len; i++) n += text->data[i] == '\n';
    return n;
}

static lines lines_of(const buf *text)
{
    const char *s = text->data ? text->data : "";
    return (lines){ s, s + text->len };
}

/* ---- vocab.json and merges.txt -------------------------------------------------------------- */

static bool is_merge(gguf_str line)
{
    const char *blank = memchr(line.s, ' ', line.n);
    return blank && blank > line.s && blank + 1 < line.s + line.n
           && !memchr(blank + 1, ' ', line.n - (size_t)(blank + 1 - line.s));
}

static bool read_merge_lines(hf_vocab *v, const buf *text, const char *path, lory_err *err)
{
    lines l = lines_of(text);
    gguf_str line;
    v->merges = arena_new(&v->arena, count_lines(text), sizeof *v->merges);
    if (!v->merges) return hf_vocab_no_memory(v, err);
    for (size_t i = 1; next_line(&l, &line); i++) {
        if (line.n == 0 || (i == 1 && line.s[0] == '#')) continue;
        if (!is_merge(line) || !utf8_is_valid(line.s, line.n))
            return err_set(err, LORY_E_FORMAT, "%s: line %zu is no pair of tokens", path, i);
        gguf_str *m = &v->merges[v->n_merges++];
        *m = (gguf_str){ arena_strndup(&v->arena, line.s, line.n), line.n };
        if (!m->s) return hf_vocab_no_memory(v, err);
    }
    return true;
}

/* The rule by which text is cut is in the code of a class only. */
static const struct {
    const char *class_name, *pre;
} classes[] = {
    { "GPT2Tokenizer", "gpt-2" },           { "GPT2TokenizerFast", "gpt-2" },
    { "CodeGenTokenizer", "gpt-2" },        { "CodeGenTokenizerFast", "gpt-2" },
    { "Qwen2Tokenizer", "qwen2" },          { "Qwen2TokenizerFast", "qwen2" },
    { "OpenAIGPTTokenizer", "openai-gpt" },
};

static bool find_class(hf_vocab *v, const hf_folder *f, const char *arch, lory_err *err)
{
    const json *j = json_get(f->tok_config.root, "tokenizer_class");
    const char *name = j && j->type == JSON_STRING       ? j->str
                       : strcmp(arch, "openai-gpt") == 0 ? "OpenAIGPTTokenizer"
                       : strncmp(arch, "qwen", 4) == 0   ? "Qwen2Tokenizer"
                                                         : "GPT2Tokenizer";
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++)
        if (strcmp(classes[i].class_name, name) == 0) v->pre = classes[i].pre;
    if (!v->pre)
        return err_set(err, LORY_E_UNSUPPORTED,
                       "%s: how the tokenizer_class '%.64s' cuts text is not known without a "
                       "tokenizer.json",
                       f->path, name);
    v->model = strcmp(v->pre, "openai-gpt") == 0 ? v->pre : "gpt2";
    return true;
}

/* What tokenizer_config.json or special_tokens_map.json calls the end of text and the like. */
static void mark_special(hf_vocab *v, const json *config)
{
    for (const json *j = config ? config->first : NULL; j; j = j->next) {
        const json *text = j->type == JSON_OBJECT ? json_get(j, "content") : j;
        size_t n = j->n_key;
        if (n < 6 || strcmp(j->key + n - 6, "_token") != 0 || !text || text->type != JSON_STRING)
            continue;
        for (size_t i = 0; i < v->n; i++)
            if (v->texts[i].s && v->texts[i].n == text->n
                && memcmp(v->texts[i].s, text->str, text->n) == 0)
                v->types[i] = strcmp(j->key, "unk_token") == 0 && text->n == 5 ? TOKEN_UNKNOWN
                                                                               : TOKEN_CONTROL;
    }
}

static bool read_map_and_merges(hf_vocab *v, const hf_folder *f, const json *map, lory_err *err)
{
    buf text = { 0 };
    json_doc special;
    char *path = folder_file(f, "merges.txt");
    bool ok = path ? folder_text(f, "merges.txt", &text, err) : hf_vocab_no_memory(v, err);
    ok = ok && hf_vocab_map(v, map, f->path, err) && read_merge_lines(v, &text, path, err)
         && folder_json(f, "special_tokens_map.json", &special, err);
    if (ok) {
        mark_special(v, f->tok_config.root);
        mark_special(v, special.root);
        json_close(&special);
    }
    buf_free(&text);
    mem_free(path);
    return ok;
}

bool read_bpe_files(hf_vocab *v, const hf_folder *f, const char *arch, lory_err *err)
{
    json_doc map;
    if (!find_class(v, f, arch, err) || !folder_json(f, "vocab.json", &map, err)) return false;
    bool ok = read_map_and_merges(v, f, map.root, err);
    json_close(&map);
    return ok;
}

/* ---- tiktoken: lines "BASE64 RANK" ----------------------------------------------------------- */

static bool split_line(gguf_str line, gguf_str *text, int64_t *rank)
{
    const char *blank = memchr(line.s, ' ', line.n);
    char digits[16];
    if (!blank || blank == line.s) return false;
    size_t n = line.n - (size_t)(blank + 1 - line.s);
    if (n == 0 || n >= sizeof digits) return false;
    memcpy(digits, blank + 1, n);
    digits[n] = '\0';
    char *end;
    *text = (gguf_str){ line.s, (size_t)(blank - line.s) };
    *rank = strtoll(digits, &end, 10);
    return !*end && digits[0] >= '0' && digits[0] <= '9';
}

bool is_tiktoken(const buf *bytes)
{
    lines l = lines_of(bytes);
    gguf_str line, text;
    int64_t rank;
    return next_line(&l, &line) && line.n < 64 && split_line(line, &text, &rank)
           && base64_decode(text.s, text.n, NULL);
}

typedef struct {
    gguf_str text; /* first: see name_table.h; raw bytes */
    int64_t rank;
} ranked;

typedef struct {
    hf_vocab *v;
    ranked *tokens; /* [n] */
    size_t n;
    name_table by_text;
    const char *path;
    lory_err *err;
} ranks;

static bool read_rank(ranks *r, gguf_str line, buf *bytes)
{
    gguf_str text;
    ranked *t = &r->tokens[r->n];
    buf_clear(bytes);
    if (!split_line(line, &text, &t->rank) || !base64_decode(text.s, text.n, bytes)
        || bytes->len == 0)
        return bytes->failed ? hf_vocab_no_memory(r->v, r->err)
                             : err_set(r->err, LORY_E_FORMAT,
                                       "%s: line %zu is no token with its rank", r->path, r->n + 1);
    t->text = (gguf_str){ arena_strndup(&r->v->arena, bytes->data, bytes->len), bytes->len };
    r->n++;
    return t->text.s || hf_vocab_no_memory(r->v, r->err);
}

static bool read_ranks(ranks *r, const buf *text)
{
    lines l = lines_of(text);
    gguf_str line;
    buf bytes = { 0 };
    bool ok = true;
    r->tokens = arena_new(&r->v->arena, count_lines(text), sizeof *r->tokens);
    r->by_text.slots = name_table_new(count_lines(text), &r->by_text.n_slots);
    if (!r->tokens || !r->by_text.slots) return hf_vocab_no_memory(r->v, r->err);
    r->by_text.items = r->tokens;
    r->by_text.stride = sizeof *r->tokens;
    while (ok && next_line(&l, &line)) {
        if (line.n == 0) continue;
        ok = read_rank(r, line, &bytes);
        if (ok) *name_table_slot(&r->by_text, r->tokens[r->n - 1].text) = (uint32_t)r->n;
    }
    buf_free(&bytes);
    return ok;
}

static void put_byte(buf *out, unsigned char b)
{
    char text[UTF8_MAX_BYTES];
    buf_put(out, text, utf8_encode(char_of_byte(b), text));
}

static void put_bytes(buf *out, const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++) put_byte(out, (unsigned char)s[i]);
}

static int64_t rank_of(const ranks *r, const char *s, size_t n)
{
    const ranked *t = name_table_find(&r->by_text, (gguf_str){ s, n });
    return t ? t->rank : INT64_MAX;
}

enum { MAX_PARTS = 512 };

/* The two tokens that a token is merged from: what encoding it with the ranks below its own leaves.
 * Returns the length of the first, or 0 when there are not two. */
static size_t split_token(const ranks *r, const ranked *t)
{
    size_t start[MAX_PARTS + 1], n = t->text.n;
    if (n > MAX_PARTS || n < 2) return 0;
    for (size_t i = 0; i <= n; i++) start[i] = i;
    for (;;) {
        int64_t best = t->rank;
        size_t at = n;
        for (size_t i = 0; i + 1 < n; i++) {
            int64_t rank = rank_of(r, t->text.s + start[i], start[i + 2] - start[i]);
            if (rank < best) best = rank, at = i;
        }
        if (at == n) return n == 2 ? start[1] : 0;
        memmove(&start[at + 1], &start[at + 2], (n - at - 1) * sizeof *start);
        n--;
    }
}

static int by_rank(const void *a_, const void *b_)
{
    const ranked *a = a_, *b = b_;
    return a->rank < b->rank ? -1 : a->rank > b->rank;
}

static bool add_token(ranks *r, const ranked *t, buf *text)
{
    buf_clear(text);
    put_bytes(text, t->text.s, t->text.n);
    return (!text->failed || hf_vocab_no_memory(r->v, r->err))
           && hf_vocab_set(r->v, t->rank, (gguf_str){ text->data, text->len }, TOKEN_NORMAL, 0.0f,
                           r->err);
}

static bool add_merge(ranks *r, const ranked *t, buf *text)
{
    size_t n = split_token(r, t);
    if (n == 0) return true;
    buf_clear(text);
    put_bytes(text, t->text.s, n);
    buf_putc(text, ' ');
    put_bytes(text, t->text.s + n, t->text.n - n);
    gguf_str *m = &r->v->merges[r->v->n_merges++];
    *m = (gguf_str){ text->failed ? NULL : arena_strndup(&r->v->arena, text->data, text->len),
                     text->len };
    return m->s || hf_vocab_no_memory(r->v, r->err);
}

/* Merges go by rank: of the tokens in that order, whatever the order of the lines. */
static bool add_all(ranks *r)
{
    buf text = { 0 };
    bool ok = true;
    ranked *sorted = mem_new(r->n, sizeof *sorted);
    r->v->merges = arena_new(&r->v->arena, r->n, sizeof *r->v->merges);
    if (!sorted || !r->v->merges) ok = hf_vocab_no_memory(r->v, r->err);
    if (ok && r->n) {
        memcpy(sorted, r->tokens, r->n * sizeof *sorted);
        qsort(sorted, r->n, sizeof *sorted, by_rank);
    }
    for (size_t i = 0; ok && i < r->n; i++)
        ok = add_token(r, &sorted[i], &text) && add_merge(r, &sorted[i], &text);
    buf_free(&text);
    mem_free(sorted);
    return ok;
}

/* The first Qwen's special tokens stand in its Python code only: they follow the ranks. */
static bool add_qwen_specials(ranks *r)
{
    static const char *const first[] = { "<|endoftext|>", "<|im_start|>", "<|im_end|>" };
    enum { N_EXTRA = 205 };
    int64_t id = 0;
    for (size_t i = 0; i < r->n; i++)
        if (r->tokens[i].rank >= id) id = r->tokens[i].rank + 1;
    for (int i = 0; i < 3 + N_EXTRA; i++, id++) {
        char text[24];
        if (i < 3)
            snprintf(text, sizeof text, "%s", first[i]);
        else
            snprintf(text, sizeof text, "<|extra_%d|>", i - 3);
        if (!hf_vocab_set(r->v, id, (gguf_str){ text, strlen(text) }, TOKEN_CONTROL, 0.0f, r->err))
            return false;
    }
    return true;
}

bool read_tiktoken(hf_vocab *v, const buf *bytes, const char *path, const char *arch, lory_err *err)
{
    const uint64_t key[2] = { (uint64_t)(uintptr_t)bytes->data, (uint64_t)(uintptr_t)v };
    ranks r = { .v = v, .path = path, .err = err, .by_text.hash_key = key };
    v->model = "gpt2";
    v->pre = strncmp(arch, "qwen", 4) == 0                               ? "qwen2"
             : strcmp(arch, "chatglm") == 0 || strcmp(arch, "glm4") == 0 ? "chatglm-bpe"
             : strcmp(arch, "llama") == 0                                ? "llama-bpe"
                                                                         : "dbrx";
    bool ok = read_ranks(&r, bytes) && add_all(&r);
    if (ok && strcmp(arch, "qwen") == 0) ok = add_qwen_specials(&r);
    mem_free(r.by_text.slots);
    return ok;
}
