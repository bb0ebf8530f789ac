/* test_tokenizer_vectors.c - every row of the shared vectors of real vocabularies. */
#include "base/mem.h"
#include "base/utf8.h"
#include "gguf/gguf_write.h"
#include "test.h"
#include "text/json.h"
#include "token_check.h"
#include "token/tokens.h"
#include <dirent.h>
#include <stdlib.h>

/* Base64 into out, which has room for 3/4 of n. */
static size_t put_base64(const char *s, size_t n, char *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t bits = 0;
    int n_bits = 0;
    size_t n_out = 0;
    for (size_t i = 0; i < n; i++) {
        const char *p = s[i] ? strchr(digits, s[i]) : NULL;
        if (!p) continue;
        bits = bits << 6 | (uint32_t)(p - digits);
        n_bits += 6;
        if (n_bits < 8) continue;
        n_bits -= 8;
        out[n_out++] = (char)(bits >> n_bits);
    }
    return n_out;
}

typedef struct {
    const char *name;
    const tokenizer *t;
    int n_shown, n_rows, n_encoded, n_decodable, n_decoded;
    bool decodes;
} vector_run;

/* References show bytes that are no text as U+FFFD: one for each longest prefix of a character.
 * References of the Unigram files show the unknown token in two ways. */
static void put_shown(buf *out, const char *s, size_t n)
{
    uint32_t cp;
    for (size_t i = 0, len; i < n; i += len) {
        len = utf8_decode(s + i, n - i, &cp);
        if (cp != UTF8_BAD) {
            buf_put(out, s + i, len);
            continue;
        }
        for (size_t k = 4; k > 1; k--)
            if (i + k <= n && utf8_incomplete_tail(s + i, k) == k) {
                len = k;
                break;
            }
        buf_puts(out, "\xEF\xBF\xBD");
    }
}

static void replace(buf *b, const char *from, const char *to)
{
    buf out = { 0 };
    for (const char *p = b->data, *q; p; p = q ? q + strlen(from) : NULL) {
        q = strstr(p, from);
        buf_put(&out, p, q ? (size_t)(q - p) : strlen(p));
        if (q) buf_puts(&out, to);
    }
    buf_free(b);
    *b = out;
}

static bool same_text(const buf *b, const char *s, size_t n)
{
    return b->len == n && (n == 0 || memcmp(b->data, s, n) == 0);
}

/* What ids decode to must be the text, or what the reference made of them. */
static bool is_decoded(vector_run *r, const lory_tokens *ids, const json *row, const char *text,
                       size_t n)
{
    buf got = { 0 }, shown = { 0 };
    const char *want = text;
    size_t n_want = n;
    json_get_str(json_get(row, "decoded"), &want, &n_want);
    token_decode(r->t, ids, LORY_SHOW_SPECIAL, false, &got);
    put_shown(&shown, got.data ? got.data : "", got.len);
    bool ok = same_text(&got, text, n) || same_text(&got, want, n_want)
              || same_text(&shown, want, n_want);
    if (!ok && shown.data && !memchr(want, 0, n_want)) {
        replace(&shown, " \xE2\x81\x87 ", "<unk>");
        ok = same_text(&shown, want, n_want);
    }
    buf_free(&got);
    buf_free(&shown);
    return ok;
}

static bool same_ids(const lory_tokens *got, const json *ids)
{
    size_t i = 0;
    if (got->n != ids->n) return false;
    for (const json *j = ids->first; j; j = j->next, i++)
        if (j->i != got->id[i]) return false;
    return true;
}

static void fail_row(vector_run *r, const json *row, const char *what)
{
    const char *name = "?";
    size_t n;
    json_get_str(json_get(row, "name"), &name, &n);
    if (r->n_shown++ < 3)
        test_fail(__FILE__, __LINE__, "%s: row %s: wrong %s", r->name, name, what);
}

static void check_row(vector_run *r, const json *row)
{
    const char *text = NULL, *coded;
    char *decoded = NULL;
    size_t n = 0, n_coded;
    bool adds = false, parses = false, informative = false;
    lory_tokens ids = { 0 };
    if (!json_get_str(json_get(row, "text"), &text, &n)) {
        REQUIRE(json_get_str(json_get(row, "text_b64"), &coded, &n_coded));
        decoded = malloc(n_coded + 1);
        n = put_base64(coded, n_coded, decoded);
        text = decoded;
    }
    json_get_bool(json_get(row, "add_special"), &adds);
    json_get_bool(json_get(row, "parse_special"), &parses);
    json_get_bool(json_get(row, "informative"), &informative);
    token_encode(r->t, text, n, (adds ? ADD : 0u) | (parses ? PARSE : 0u), &ids);
    if (!informative) {
        bool ok = same_ids(&ids, json_get(row, "ids"));
        r->n_rows++;
        r->n_encoded += ok;
        if (!ok) fail_row(r, row, "ids");
        if (ok && r->decodes && !adds && n < 100000) {
            r->n_decodable++;
            ok = is_decoded(r, &ids, row, text, n);
            r->n_decoded += ok;
            if (!ok) fail_row(r, row, "text");
        }
    }
    mem_free(ids.id);
    free(decoded);
}

static void check_rows(vector_run *r, const char *path)
{
    buf file = { 0 };
    lory_err err = { 0 };
    REQUIRE(file_read(path, 1 << 28, &file, &err), "%s", err.text);
    for (char *line = file.data, *end; line < file.data + file.len; line = end + 1) {
        json_doc d;
        end = strchr(line, '\n');
        if (!end) end = file.data + file.len;
        if (end == line) continue;
        REQUIRE(json_read(&d, line, (size_t)(end - line), path, &err), "%s", err.text);
        check_row(r, d.root);
        json_close(&d);
    }
    buf_free(&file);
}

/* All rows of NAME.jsonl by the vocabulary in VOCAB.gguf. */
static void check_vectors(const char *vocab_name, const char *name, bool decodes)
{
    char file[128];
    gguf g;
    tokenizer t;
    lory_err err = { 0 };
    snprintf(file, sizeof file, "tokenizers/%s.gguf", vocab_name);
    const char *path = test_shared(file);
    if (!path) test_skip("no shared vocabulary");
    REQUIRE(gguf_open(&g, path, &err), "%s", err.text);
    REQUIRE(tokenizer_init(&t, &g, &err), "%s", err.text);
    vector_run r = { .name = name, .t = &t, .decodes = decodes };
    snprintf(file, sizeof file, "tokenizers/%s.jsonl", name);
    path = test_shared(file);
    REQUIRE(path);
    check_rows(&r, path);
    CHECK(r.n_rows > 0);
    if (r.n_shown)
        fprintf(stderr, "%s: ids %d/%d, text %d/%d\n", name, r.n_encoded, r.n_rows, r.n_decoded,
                r.n_decodable);
    tokenizer_free(&t);
    gguf_close(&g);
}

#define VECTORS(claim, name)                                                                       \
    TEST(tokenizer_vectors_of_##claim)                                                             \
    {                                                                                              \
        check_vectors(name, name, true);                                                           \
    }
VECTORS(baichuan_m1, "baichuan-m1")
VECTORS(bert_bge, "bert-bge")
VECTORS(chatglm_6b, "chatglm-6b")
VECTORS(cl100k, "cl100k")
VECTORS(deepseek_llm, "deepseek-llm")
VECTORS(falcon, "falcon")
VECTORS(gpt_1, "gpt-1")
VECTORS(gpt_2, "gpt-2")
VECTORS(gpt_neox, "gpt-neox")
VECTORS(internlm, "internlm")
VECTORS(llama_2, "llama-2")
VECTORS(llama_3, "llama-3")
VECTORS(llm_jp_2_1, "llm-jp-2.1")
VECTORS(pretok_bloom, "pretok-bloom")
VECTORS(pretok_deepseek_v3, "pretok-deepseek-v3")
VECTORS(pretok_exaone_moe, "pretok-exaone-moe")
VECTORS(pretok_gpt_4o, "pretok-gpt-4o")
VECTORS(pretok_qwen35, "pretok-qwen35")
VECTORS(pretok_seed_coder, "pretok-seed-coder")
VECTORS(pretok_tekken, "pretok-tekken")
VECTORS(qwen2, "qwen2")
VECTORS(rwkv_world, "rwkv-world")
VECTORS(sp_ja_8k, "sp-ja-8k")
VECTORS(starcoder, "starcoder")
VECTORS(t5_small, "t5-small")
VECTORS(tok512, "tok512")

/* The same vocabulary in a file that is of ChatGLM-6B: its text preparation comes before. */
TEST(tokenizer_vectors_of_chatglm_6b_with_its_text_preparation)
{
    const char *path = test_shared("tokenizers/chatglm-6b.gguf");
    gguf g;
    gguf_writer w;
    tokenizer t;
    lory_err err = { 0 };
    if (!path) test_skip("no shared vocabulary");
    REQUIRE(gguf_open(&g, path, &err) && gguf_create(&w, test_temp("glm.gguf"), &err));
    gguf_put_str(&w, "general.architecture", "chatglm");
    for (size_t i = 0; i < g.n_kv; i++)
        if (!gguf_str_is(g.kv[i].key, "general.architecture")) gguf_put_kv(&w, &g.kv[i]);
    REQUIRE(gguf_begin_data(&w, &err) && gguf_commit(&w, &err), "%s", err.text);
    gguf_close(&g);
    REQUIRE(gguf_open(&g, test_temp("glm.gguf"), &err) && tokenizer_init(&t, &g, &err));
    vector_run r = { .name = "chatglm-6b-preproc", .t = &t };
    check_rows(&r, test_shared("tokenizers/chatglm-6b-preproc.jsonl"));
    CHECK(r.n_rows > 0);
    TEXT(&t, "5 130009 4 130008 5 130010", 0, "  \n\t    ");
    tokenizer_free(&t);
    gguf_close(&g);
}

/* Files of pairs: texts separated by a line, and a line of ids for each. */
static void check_pairs(const char *vocab_name, const char *name)
{
    static const char separator[] = "\n__ggml_vocab_test__\n";
    char file[128];
    gguf g;
    tokenizer t;
    lory_err err = { 0 };
    buf texts = { 0 }, lines = { 0 };
    snprintf(file, sizeof file, "tokenizers/%s.gguf", vocab_name);
    REQUIRE(gguf_open(&g, test_shared(file), &err) && tokenizer_init(&t, &g, &err), "%s", err.text);
    snprintf(file, sizeof file, "tokenizers/llamacpp-vectors/%s.inp", name);
    REQUIRE(file_read(test_shared(file), 1 << 20, &texts, &err));
    snprintf(file, sizeof file, "tokenizers/llamacpp-vectors/%s.out", name);
    REQUIRE(file_read(test_shared(file), 1 << 20, &lines, &err));
    char *line = lines.data;
    int n_pairs = 0;
    for (const char *s = texts.data, *next; s; s = next ? next + sizeof separator - 1 : NULL) {
        lory_tokens ids = { 0 };
        buf got = { 0 };
        char *end = strchr(line, '\n');
        next = strstr(s, separator);
        if (!end) break;
        *end = '\0';
        buf_puts(&got, "");
        token_encode(&t, s, next ? (size_t)(next - s) : strlen(s), 0, &ids);
        token_put_ids(&got, &ids);
        while (*line == ' ') line++;
        for (char *e = end; e > line && e[-1] == ' ';) *--e = '\0';
        CHECK(strcmp(got.data, line) == 0, "%s %d: got %s, want %s", name, n_pairs, got.data, line);
        line = end + 1;
        n_pairs++;
        mem_free(ids.id);
        buf_free(&got);
    }
    CHECK(n_pairs >= 40, "%s: %d pairs", name, n_pairs);
    buf_free(&texts), buf_free(&lines);
    tokenizer_free(&t);
    gguf_close(&g);
}

TEST(tokenizer_agrees_with_the_vectors_of_llama_cpp)
{
    if (!test_shared("tokenizers/llamacpp-vectors/gpt-2.inp")) test_skip("no shared vectors");
    check_pairs("bert-bge", "bert-bge");
    check_pairs("deepseek-llm", "deepseek-llm");
    check_pairs("qwen2", "deepseek-r1-qwen");
    check_pairs("falcon", "falcon");
    check_pairs("gpt-2", "gpt-2");
    check_pairs("llama-3", "llama-bpe");
    check_pairs("llama-2", "llama-spm");
    check_pairs("qwen2", "qwen2");
    check_pairs("starcoder", "starcoder");
}

/* Whatever else lies in the folder opens too. */
TEST(tokenizer_opens_every_shared_vocabulary)
{
    const char *folder = test_shared("tokenizers");
    struct dirent *e;
    if (!folder) test_skip("no shared vocabularies");
    DIR *dir = opendir(folder);
    REQUIRE(dir);
    while ((e = readdir(dir))) {
        char path[600];
        gguf g;
        tokenizer t;
        lory_err err = { 0 };
        if (!strstr(e->d_name, ".gguf")) continue;
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        CHECK(gguf_open(&g, path, &err) && tokenizer_init(&t, &g, &err), "%s", err.text);
        tokenizer_free(&t);
        gguf_close(&g);
    }
    closedir(dir);
}
