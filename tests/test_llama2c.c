/* test_llama2c.c - llama2.c checkpoints and tokenizers, made here in all three versions and wrong
 * in many ways, and the real ones of the shared data. */
#include "base/buf.h"
#include "base/bytes.h"
#include "base/mem.h"
#include "gguf/convert.h"
#include "gguf/llama2c.h"
#include "test.h"

/* ---- a checkpoint under construction ----------------------------------------------------- */

enum {
    DIM = 8,
    HIDDEN = 12,
    LAYERS = 2,
    HEADS = 2,
    KV_HEADS = 1,
    VOCAB = 6,
    SEQ = 4,
    KV_DIM = 4,
    GROUP = 8
};
static const int32_t good_header[7] = { DIM, HIDDEN, LAYERS, HEADS, KV_HEADS, VOCAB, SEQ };

static void u32(buf *b, uint32_t v)
{
    unsigned char p[4];
    bytes_put_u32(p, v);
    buf_put(b, p, 4);
}

static void f32(buf *b, float v)
{
    uint32_t u;
    memcpy(&u, &v, 4);
    u32(b, u);
}

/* Element i of the tensor with that number: small integers, so that int8 has them exactly. */
static float value(int tensor, int i)
{
    return (float)((tensor * 7 + i * 5) % 101 - 50);
}

enum {
    T_EMBD = 1,
    T_ATTN_NORM,
    T_Q,
    T_K,
    T_V,
    T_OUT,
    T_FFN_NORM,
    T_W1,
    T_W2,
    T_W3,
    T_FINAL,
    T_WCLS
};

static void floats(buf *b, int tensor, int il, int n)
{
    for (int i = 0; i < n; i++) f32(b, value(tensor + 16 * il, i));
}

/* A matrix of version 2: codes, then a scale of 0.5 or 0.25 a group in turn. */
static void codes(buf *b, int tensor, int il, int n)
{
    for (int i = 0; i < n; i++) buf_putc(b, (char)(int8_t)value(tensor + 16 * il, i));
    for (int i = 0; i < n / GROUP; i++) f32(b, i % 2 ? 0.25f : 0.5f);
}

static void layers(buf *b, void (*put)(buf *, int, int, int), int tensor, int n)
{
    for (int il = 0; il < LAYERS; il++) put(b, tensor, il, n);
}

static buf make_v0(bool has_output)
{
    buf b = { 0 };
    for (int i = 0; i < 7; i++) u32(&b, (uint32_t)(i == 5 && has_output ? -VOCAB : good_header[i]));
    floats(&b, T_EMBD, 0, VOCAB * DIM);
    layers(&b, floats, T_ATTN_NORM, DIM), layers(&b, floats, T_Q, DIM * DIM);
    layers(&b, floats, T_K, DIM * KV_DIM), layers(&b, floats, T_V, DIM * KV_DIM);
    layers(&b, floats, T_OUT, DIM * DIM), layers(&b, floats, T_FFN_NORM, DIM);
    layers(&b, floats, T_W1, DIM * HIDDEN), layers(&b, floats, T_W2, DIM * HIDDEN);
    layers(&b, floats, T_W3, DIM * HIDDEN);
    floats(&b, T_FINAL, 0, DIM);
    for (int i = 0; i < SEQ * DIM / HEADS; i++) f32(&b, 1e9f); /* RoPE tables, not used */
    if (has_output) floats(&b, T_WCLS, 0, VOCAB * DIM);
    return b;
}

static buf make_v12(uint32_t version, bool has_output)
{
    void (*matrix)(buf *, int, int, int) = version == 2 ? codes : floats;
    buf b = { 0 };
    buf_puts(&b, "24ka");
    u32(&b, version);
    for (int i = 0; i < 7; i++) u32(&b, (uint32_t)good_header[i]);
    buf_putc(&b, !has_output);
    u32(&b, version == 2 ? GROUP : 0);
    while (b.len < 256) buf_putc(&b, 0);
    layers(&b, floats, T_ATTN_NORM, DIM), layers(&b, floats, T_FFN_NORM, DIM);
    floats(&b, T_FINAL, 0, DIM);
    matrix(&b, T_EMBD, 0, VOCAB * DIM);
    layers(&b, matrix, T_Q, DIM * DIM), layers(&b, matrix, T_K, DIM * KV_DIM);
    layers(&b, matrix, T_V, DIM * KV_DIM), layers(&b, matrix, T_OUT, DIM * DIM);
    layers(&b, matrix, T_W1, DIM * HIDDEN), layers(&b, matrix, T_W2, DIM * HIDDEN);
    layers(&b, matrix, T_W3, DIM * HIDDEN);
    if (has_output) matrix(&b, T_WCLS, 0, VOCAB * DIM);
    return b;
}

static buf make_tokenizer(int n, const char *last)
{
    static const char *const texts[] = { "<unk>", "\n<s>\n", "\n</s>\n", "<0x0A>", " a b" };
    buf b = { 0 };
    u32(&b, 8);
    for (int i = 0; i < n; i++) {
        const char *s = i < 5 ? texts[i] : last;
        f32(&b, (float)-i), u32(&b, (uint32_t)strlen(s)), buf_puts(&b, s);
    }
    return b;
}

static const char *save(const char *name, buf *b)
{
    const char *path = test_temp(name);
    FILE *f = fopen(path, "wb");
    if (f) {
        fwrite(b->data, 1, b->len, f);
        fclose(f);
    }
    buf_free(b);
    return path;
}

/* ---- what good ones become --------------------------------------------------------------- */

static void check_tensor(const gguf *g, const char *name, int tensor, int64_t ne0, int64_t ne1,
                         bool is_v2)
{
    const gguf_tensor *t = gguf_find_tensor(g, name);
    if (!t) {
        test_fail(__FILE__, __LINE__, "no tensor %s", name);
        return;
    }
    CHECK(t->type == QT_F32 && t->ne[0] == ne0 && t->ne[1] == ne1, "%s", name);
    CHECK(t->n_dims == (ne1 > 1 ? 2 : 1), "%s", name);
    for (int i = 0; i < ne0 * ne1; i++) {
        float scale = !is_v2 || ne1 == 1 ? 1.0f : i / GROUP % 2 ? 0.25f : 0.5f;
        float got = bytes_f32((const char *)t->data + 4 * i), want = scale * value(tensor, i);
        if (got != want) {
            test_fail(__FILE__, __LINE__, "%s[%d]: got %g, want %g", name, i, (double)got,
                      (double)want);
            return;
        }
    }
}

static void check_model(const gguf *g, bool has_output, bool is_v2)
{
    CHECK((int)g->n_tensors == 2 + 9 * LAYERS + has_output);
    check_tensor(g, "token_embd.weight", T_EMBD, DIM, VOCAB, is_v2);
    check_tensor(g, "output_norm.weight", T_FINAL, DIM, 1, is_v2);
    check_tensor(g, "blk.0.attn_norm.weight", T_ATTN_NORM, DIM, 1, is_v2);
    check_tensor(g, "blk.1.attn_q.weight", 16 + T_Q, DIM, DIM, is_v2);
    check_tensor(g, "blk.1.attn_k.weight", 16 + T_K, DIM, KV_DIM, is_v2);
    check_tensor(g, "blk.0.attn_v.weight", T_V, DIM, KV_DIM, is_v2);
    check_tensor(g, "blk.1.attn_output.weight", 16 + T_OUT, DIM, DIM, is_v2);
    check_tensor(g, "blk.1.ffn_norm.weight", 16 + T_FFN_NORM, DIM, 1, is_v2);
    check_tensor(g, "blk.1.ffn_gate.weight", 16 + T_W1, DIM, HIDDEN, is_v2);
    check_tensor(g, "blk.0.ffn_down.weight", T_W2, HIDDEN, DIM, is_v2); /* groups cross its rows */
    check_tensor(g, "blk.1.ffn_up.weight", 16 + T_W3, DIM, HIDDEN, is_v2);
    if (has_output)
        check_tensor(g, "output.weight", T_WCLS, DIM, VOCAB, is_v2);
    else
        CHECK(gguf_find_tensor(g, "output.weight") == NULL);
}

static void check_uint(const gguf *g, const char *key, uint64_t want)
{
    uint64_t v = UINT64_MAX;
    lory_err err;
    CHECK(gguf_get_uint(g, key, UINT32_MAX, &v, &err) && v == want, "%s: %d", key, (int)v);
}

static void check_keys(const gguf *g)
{
    lory_err err;
    gguf_str name = { 0 };
    float eps = 0, base = 0;
    check_uint(g, "llama.context_length", SEQ), check_uint(g, "llama.embedding_length", DIM);
    check_uint(g, "llama.block_count", LAYERS), check_uint(g, "llama.feed_forward_length", HIDDEN);
    check_uint(g, "llama.attention.head_count", HEADS);
    check_uint(g, "llama.attention.head_count_kv", KV_HEADS);
    check_uint(g, "llama.rope.dimension_count", DIM / HEADS),
        check_uint(g, "llama.vocab_size", VOCAB);
    check_uint(g, "tokenizer.ggml.bos_token_id", 1),
        check_uint(g, "tokenizer.ggml.eos_token_id", 2);
    check_uint(g, "general.file_type", 0);
    CHECK(gguf_get_str(g, "general.name", &name, &err) && gguf_str_is(name, "tiny"));
    CHECK(gguf_get_f32(g, "llama.attention.layer_norm_rms_epsilon", &eps, &err) && eps == 1e-5f);
    CHECK(gguf_get_f32(g, "llama.rope.freq_base", &base, &err) && base == 10000.0f);
}

TEST(llama2c_checkpoints_of_every_version_become_the_same_model)
{
    for (int i = 0; i < 6; i++) {
        gguf g;
        lory_err err;
        bool has_output = i % 2;
        buf b = i < 2 ? make_v0(has_output) : make_v12((uint32_t)i / 2, has_output);
        buf t = make_tokenizer(VOCAB, "x");
        const char *src = save("tiny.bin", &b), *out = test_temp("tiny.gguf");
        save("tokenizer.bin", &t);
        REQUIRE(convert_file(src, &(convert_params){ .out = out, .type = RETYPE_KEEP }, &err), "%s",
                err.text);
        REQUIRE(gguf_open(&g, out, &err), "%s", err.text);
        check_model(&g, has_output, i >= 4);
        check_keys(&g);
        gguf_close(&g);
    }
}

TEST(llama2c_tokens_get_their_spaces_kinds_and_markers_back)
{
    static const char *const texts[] = { "<unk>",
                                         "<s>",
                                         "</s>",
                                         "<0x0A>",
                                         "\xe2\x96\x81"
                                         "a\xe2\x96\x81"
                                         "b",
                                         "x" };
    static const int32_t types[] = { 2, 3, 3, 6, 1, 1 };
    llama2c_vocab v;
    lory_err err;
    buf t = make_tokenizer(VOCAB, "x");
    REQUIRE(llama2c_read_vocab(&v, save("tokenizer.bin", &t), VOCAB, &err), "%s", err.text);
    for (size_t i = 0; i < VOCAB; i++) {
        CHECK(gguf_str_is(v.texts[i], texts[i]), "token %zu: %.*s", i, (int)v.texts[i].n,
              v.texts[i].s);
        CHECK(v.types[i] == types[i] && v.scores[i] == -(float)i, "token %zu", i);
    }
    llama2c_free_vocab(&v);
}

/* ---- wrong ones -------------------------------------------------------------------------- */

static void refused_(int line, const char *path, const char *want)
{
    llama2c c;
    lory_err err = { 0 };
    size_t live = mem_live_bytes(), n_path = strlen(path);
    if (llama2c_open(&c, path, &err)) llama2c_close(&c);
    CHECK(mem_live_bytes() == live, "line %d: leaked", line);
    if (strncmp(err.text, path, n_path) != 0 || !strstr(err.text + n_path, want))
        test_fail(__FILE__, line, "got  \"%s\"\n     want \"%s\"", err.text, want);
}

/* A version 2 file with header field i set to v. */
static const char *with_field(int i, uint32_t v)
{
    buf b = make_v12(2, false);
    bytes_put_u32(b.data + (i < 7 ? 8 + 4 * i : 37), v);
    return save("bad.bin", &b);
}

TEST(llama2c_refuses_absurd_headers)
{
    refused_(__LINE__, with_field(0, 0), ": the llama2.c header has dim 0 (expected 1 to 1048576)");
    refused_(__LINE__, with_field(1, UINT32_MAX),
             ": the llama2.c header has hidden_dim -1 (expected 1 to");
    refused_(__LINE__, with_field(2, 1u << 30),
             ": the llama2.c header has n_layers 1073741824 (expected");
    refused_(__LINE__, with_field(3, 9), ": the llama2.c header has n_heads 9 (expected 1 to 8)");
    refused_(__LINE__, with_field(3, 8), "which do not divide each other into heads of even size");
    refused_(__LINE__, with_field(4, 3),
             ": the llama2.c header has n_kv_heads 3 (expected 1 to 2)");
    refused_(__LINE__, with_field(5, 0x80000000u),
             ": the llama2.c header has vocab_size -2147483648");
    refused_(__LINE__, with_field(6, 0),
             ": the llama2.c header has seq_len 0 (expected 1 to 1073741824)");
    refused_(__LINE__, with_field(7, 0),
             ": the llama2.c header has group_size 0 (expected 1 to 1048576)");
    refused_(__LINE__, with_field(7, 7),
             "has group_size 7, which does not divide a tensor of 8 x 6");
    refused_(__LINE__, with_field(5, 1u << 24), "asks for at least ");
    refused_(__LINE__, with_field(5, VOCAB - 1),
             ", but its llama2.c header (dim 8, hidden_dim 12, n_layers 2,");
}

TEST(llama2c_refuses_files_of_another_size_or_kind)
{
    buf cut = make_v0(false), longer = make_v0(false), v3 = make_v12(3, false), text = { 0 },
        zip = { 0 };
    cut.len -= 4;
    f32(&longer, 1);
    buf_puts(&text, "Once upon a time there was a little girl.");
    buf_puts(&zip, "PK\3\4 and more that is long enough for a header");
    refused_(__LINE__, save("cut.bin", &cut), ", but its llama2.c header");
    refused_(__LINE__, save("longer.bin", &longer), ", but its llama2.c header");
    refused_(__LINE__, save("v3.bin", &v3),
             ": is a llama2.c checkpoint of version 3 (lory reads 0, 1 and 2)");
    refused_(__LINE__, save("text.bin", &text),
             ": is neither a GGUF file nor a llama2.c checkpoint");
    refused_(__LINE__, save("zip.bin", &zip), ": is a ZIP archive");
    for (size_t n = 1; n < 256; n += 5) {
        buf b = make_v12(1, false);
        b.len = n;
        refused_(__LINE__, save("short.bin", &b), ": ");
    }
}

static void vocab_refused_(int line, buf b, const char *want)
{
    llama2c_vocab v;
    lory_err err = { 0 };
    size_t live = mem_live_bytes() - b.cap;
    if (llama2c_read_vocab(&v, save("bad-tok.bin", &b), VOCAB, &err)) llama2c_free_vocab(&v);
    CHECK(mem_live_bytes() == live, "line %d: leaked", line);
    if (!strstr(err.text, "bad-tok.bin: ") || !strstr(err.text, want))
        test_fail(__FILE__, line, "got  \"%s\"\n     want \"%s\"", err.text, want);
}

TEST(llama2c_refuses_tokenizers_that_do_not_fit)
{
    buf cut = make_tokenizer(VOCAB, "x"), nan = make_tokenizer(VOCAB, "x");
    cut.len -= 1;
    bytes_put_u32(nan.data + 4, 0x7fc00000);
    vocab_refused_(__LINE__, cut, "token 5 has a length of 1 (longest token 8, bytes left 0)");
    vocab_refused_(__LINE__, nan, "token 0 has a score that is no finite number");
    vocab_refused_(__LINE__, make_tokenizer(VOCAB - 1, "x"), "ends after 5 tokens (expected 6");
    vocab_refused_(__LINE__, make_tokenizer(VOCAB + 1, "x"), "goes on after 6 tokens");
    vocab_refused_(__LINE__, make_tokenizer(VOCAB, "123456789"),
                   "token 5 has a length of 9 (longest token 8");
    vocab_refused_(__LINE__, make_tokenizer(1, "x"),
                   "are too few for the 6 tokens of the checkpoint");
}

TEST(llama2c_conversion_needs_a_tokenizer)
{
    lory_err err;
    buf b = make_v0(false);
    const char *src = save("tiny.bin", &b), *out = test_temp("out.gguf");
    CHECK(!convert_file(src, &(convert_params){ .out = out, .type = RETYPE_KEEP }, &err));
    CHECK(strstr(err.text, "tiny.bin: has no tokenizer.bin beside it"), "%s", err.text);
    CHECK(!file_exists(out));
}

TEST(llama2c_conversion_survives_every_failing_allocation)
{
    lory_err err;
    buf b = make_v12(2, true), t = make_tokenizer(VOCAB, "x");
    const char *src = save("tiny.bin", &b), *out = test_temp("out.gguf");
    bool done = false;
    save("tokenizer.bin", &t);
    size_t live = mem_live_bytes();
    for (uint64_t n = 1; !done && n < 1000; n++) {
        mem_fail_at(n);
        done = convert_file(src, &(convert_params){ .out = out, .type = QT_F16 }, &err);
        mem_fail_at(0);
        CHECK(mem_live_bytes() == live);
        if (!done) CHECK(err.code == LORY_E_MEMORY && !file_exists(out), "%s", err.text);
    }
    CHECK(done);
}

static float sum;

/* Opens whatever it is, and reads all of it when it opens. */
static void try_checkpoint(const char *path, const buf *b)
{
    llama2c c;
    lory_err err = { 0 };
    float row[4 * HIDDEN * DIM];
    buf copy = { 0 };
    size_t live = mem_live_bytes();
    buf_put(&copy, b->data, b->len);
    save("mutant.bin", &copy);
    if (!llama2c_open(&c, path, &err)) {
        CHECK(strncmp(err.text, path, strlen(path)) == 0 && mem_live_bytes() == live, "%s",
              err.text);
        return;
    }
    for (size_t i = 0; i < c.n_tensors; i++)
        for (int64_t k = 0; c.tensors[i].ne[0] <= 4 * HIDDEN * DIM && k < c.tensors[i].ne[1]; k++) {
            llama2c_row(&c, &c.tensors[i], k, row);
            sum += row[0];
        }
    llama2c_close(&c);
}

TEST(llama2c_headers_with_any_byte_changed_open_or_are_refused)
{
    static const unsigned char masks[] = { 0x01, 0x02, 0x80, 0xff };
    char path[512];
    snprintf(path, sizeof path, "%s", test_temp("mutant.bin"));
    for (uint32_t version = 0; version <= 2; version++) {
        buf b = version ? make_v12(version, true) : make_v0(true);
        for (size_t at = 0; at < (version ? 44 : 28); at++)
            for (size_t k = 0; k < sizeof masks; k++) {
                b.data[at] = (char)(b.data[at] ^ masks[k]);
                try_checkpoint(path, &b);
                b.data[at] = (char)(b.data[at] ^ masks[k]);
            }
        buf_free(&b);
    }
}

TEST(llama2c_tokenizers_with_any_byte_changed_are_read_or_refused)
{
    for (size_t at = 0, n = 1; at < n; at++)
        for (int k = 0; k < 8; k++) {
            llama2c_vocab v;
            lory_err err = { 0 };
            buf b = make_tokenizer(VOCAB, "x");
            n = b.len;
            b.data[at] = (char)(b.data[at] ^ 1 << k);
            const char *path = save("tok.bin", &b);
            if (llama2c_read_vocab(&v, path, VOCAB, &err)) {
                CHECK(v.n == VOCAB);
                llama2c_free_vocab(&v);
            } else
                CHECK(strncmp(err.text, path, strlen(path)) == 0, "%s", err.text);
        }
}

/* ---- real ones --------------------------------------------------------------------------- */

/* Converts shared model files; false (test skipped) without them. */
static bool convert_shared(const char *src, const char *tokenizer, gguf *g)
{
    char path[512];
    lory_err err;
    const char *s = test_shared(src), *t = test_shared(tokenizer), *out = test_temp("out.gguf");
    if (!s || !t) return false;
    snprintf(path, sizeof path, "%s", t);
    bool ok = convert_file(
                  s, &(convert_params){ .out = out, .tokenizer = path, .type = RETYPE_KEEP }, &err)
              && gguf_open(g, out, &err);
    CHECK(ok, "%s", err.text);
    return ok;
}

static void same_array(const gguf *a, const gguf *b, const char *key)
{
    const gguf_kv *x = gguf_find(a, key), *y = gguf_find(b, key);
    REQUIRE(x && y && x->n == y->n && x->elem == y->elem && x->n_bytes == y->n_bytes);
    CHECK_SAME(x->data, y->data, x->n_bytes, "%s", key);
}

TEST(llama2c_stories3M_is_the_reference_gguf_bit_by_bit)
{
    static const char *const sources[] = { "models/stories3M-f32.bin", "models/stories3M-q80.bin" };
    const char *path = test_shared("models/stories3M-f32.gguf");
    gguf ref, g;
    lory_err err;
    if (!path) test_skip("no shared models");
    REQUIRE(gguf_open(&ref, path, &err), "%s", err.text);
    for (int i = 0; i < 2; i++) {
        REQUIRE(convert_shared(sources[i], "models/tok4096.bin", &g));
        CHECK(g.n_tensors == ref.n_tensors);
        for (size_t k = 0; k < ref.n_tensors; k++) {
            char name[64];
            snprintf(name, sizeof name, "%.*s", (int)ref.tensors[k].name.n, ref.tensors[k].name.s);
            const gguf_tensor *t = gguf_find_tensor(&g, name);
            REQUIRE(t && t->n_bytes == ref.tensors[k].n_bytes
                    && t->n_dims == ref.tensors[k].n_dims);
            CHECK_SAME(t->data, ref.tensors[k].data, t->n_bytes, "%s", name);
        }
        same_array(&g, &ref, "tokenizer.ggml.tokens");
        same_array(&g, &ref, "tokenizer.ggml.scores");
        same_array(&g, &ref, "tokenizer.ggml.token_type");
        gguf_close(&g);
    }
    gguf_close(&ref);
}

TEST(llama2c_stories260K_converts)
{
    gguf g;
    if (!test_shared("models/stories260K.bin")) test_skip("no shared models");
    REQUIRE(convert_shared("models/stories260K.bin", "models/tok512.bin", &g));
    CHECK(g.n_tensors == 2 + 9 * 5 && gguf_find_tensor(&g, "output.weight") == NULL);
    const gguf_tensor *t = gguf_find_tensor(&g, "blk.4.ffn_down.weight");
    CHECK(t && t->ne[0] == 172 && t->ne[1] == 64);
    gguf_close(&g);
}
