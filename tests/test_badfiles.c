/* test_badfiles.c - hundreds of wrong files, each one change away from a good one: every one is
 * refused in one line that names the file, or opens and is whole (fuzz_gguf reads all of it and
 * checks the line). None crashes, hangs or takes memory that the file does not justify.
 *
 * The good file is a small model with a vocabulary. Its fields are found by walking it here,
 * independently of the reader. */
#include "base/buf.h"
#include "base/bytes.h"
#include "base/mem.h"
#include "fuzz/fuzz.h"
#include "gguf/gguf_write.h"
#include "test.h"
#include <stdlib.h>
#include <time.h>

typedef enum {
    F_COUNT,
    F_LENGTH,
    F_TYPE,
    F_ELEM,
    F_NE,
    F_NDIMS,
    F_QTYPE,
    F_OFFSET,
    F_VALUE
} field_kind;

typedef struct {
    field_kind kind;
    size_t at; /* byte in the file */
    int width; /* 4 or 8 */
} field;

enum { MAX_FIELDS = 2048, N_TOKENS = 40 };

typedef struct {
    unsigned char *bytes; /* [n] */
    size_t n, n_meta;     /* all; before the tensor data */
    field fields[MAX_FIELDS];
    int n_fields;
} good_file;

/* ---- the good file ----------------------------------------------------------------------- */

static gguf_str str(const char *s)
{
    return (gguf_str){ s, strlen(s) };
}

static void put_keys(gguf_writer *w)
{
    static char text[N_TOKENS][16];
    gguf_str tokens[N_TOKENS];
    float scores[N_TOKENS];
    int32_t types[N_TOKENS];
    for (int i = 0; i < N_TOKENS; i++) {
        snprintf(text[i], sizeof text[i], "t%d", i);
        tokens[i] = str(i == 0 ? "<unk>" : i == 1 ? "<s>" : i == 2 ? "</s>" : text[i]);
        scores[i] = (float)-i;
        types[i] = i == 0 ? 2 : i < 3 ? 3 : 1;
    }
    gguf_put_str(w, "general.architecture", "llama");
    gguf_put_u32(w, "general.alignment", 32);
    gguf_put_u32(w, "llama.context_length", 32);
    gguf_put_u32(w, "llama.embedding_length", 32);
    gguf_put_u32(w, "llama.block_count", 1);
    gguf_put_u32(w, "llama.feed_forward_length", 64);
    gguf_put_u32(w, "llama.attention.head_count", 2);
    gguf_put_f32(w, "llama.attention.layer_norm_rms_epsilon", 1e-5f);
    gguf_put_str(w, "tokenizer.ggml.model", "llama");
    gguf_put_strs(w, "tokenizer.ggml.tokens", tokens, N_TOKENS);
    gguf_put_f32s(w, "tokenizer.ggml.scores", scores, N_TOKENS);
    gguf_put_i32s(w, "tokenizer.ggml.token_type", types, N_TOKENS);
    gguf_put_bool(w, "tokenizer.ggml.add_bos_token", true);
}

static const struct {
    const char *name;
    qtype type;
    int64_t ne[2];
} tensors[] = {
    { "token_embd.weight", QT_F16, { 32, N_TOKENS } },
    { "output_norm.weight", QT_F32, { 32, 1 } },
    { "blk.0.attn_norm.weight", QT_F32, { 32, 1 } },
    { "blk.0.attn_q.weight", QT_Q8_0, { 32, 32 } },
    { "blk.0.attn_k.weight", QT_Q8_0, { 32, 32 } },
    { "blk.0.attn_v.weight", QT_Q4_0, { 32, 32 } },
    { "blk.0.attn_output.weight", QT_F32, { 32, 32 } },
    { "blk.0.ffn_norm.weight", QT_F32, { 32, 1 } },
    { "blk.0.ffn_gate.weight", QT_Q8_0, { 32, 64 } },
    { "blk.0.ffn_up.weight", QT_Q8_0, { 32, 64 } },
    { "blk.0.ffn_down.weight", QT_Q8_0, { 64, 32 } },
};
enum { N_TENSORS = sizeof tensors / sizeof tensors[0] };

static bool write_good(const char *path, lory_err *err)
{
    static const unsigned char zeros[1 << 14];
    gguf_writer w;
    if (!gguf_create(&w, path, err)) return false;
    put_keys(&w);
    for (int i = 0; i < N_TENSORS; i++)
        gguf_add_tensor(&w, str(tensors[i].name), tensors[i].type, tensors[i].ne[1] > 1 ? 2 : 1,
                        tensors[i].ne);
    bool ok = gguf_begin_data(&w, err);
    for (int i = 0; ok && i < N_TENSORS; i++) {
        size_t n_bytes =
            qtype_row_bytes(tensors[i].type, tensors[i].ne[0]) * (size_t)tensors[i].ne[1];
        ok = gguf_write_data(&w, zeros, n_bytes, err);
    }
    if (ok) return gguf_commit(&w, err);
    gguf_abandon(&w);
    return false;
}

/* ---- its fields -------------------------------------------------------------------------- */

static uint64_t take(good_file *f, size_t *at, field_kind kind, int width)
{
    if (f->n_fields < MAX_FIELDS) f->fields[f->n_fields++] = (field){ kind, *at, width };
    uint64_t v = width == 4 ? bytes_u32(f->bytes + *at) : bytes_u64(f->bytes + *at);
    *at += (size_t)width;
    return v;
}

static void walk_string(good_file *f, size_t *at)
{
    *at += take(f, at, F_LENGTH, 8);
}

static void walk_value(good_file *f, size_t *at, uint64_t type)
{
    if (type == GGUF_STR)
        walk_string(f, at);
    else if (type == GGUF_BOOL)
        *at += 1;
    else
        take(f, at, F_VALUE, 4); /* the good file has no wider numbers */
}

static void walk_kv(good_file *f, size_t *at)
{
    walk_string(f, at);
    uint64_t type = take(f, at, F_TYPE, 4), n = 1;
    if (type == GGUF_ARR) {
        type = take(f, at, F_ELEM, 4);
        n = take(f, at, F_COUNT, 8);
    }
    for (uint64_t i = 0; i < n; i++) walk_value(f, at, type);
}

static void walk_tensor(good_file *f, size_t *at)
{
    walk_string(f, at);
    uint64_t n_dims = take(f, at, F_NDIMS, 4);
    for (uint64_t i = 0; i < n_dims; i++) take(f, at, F_NE, 8);
    take(f, at, F_QTYPE, 4);
    take(f, at, F_OFFSET, 8);
}

static bool make_good(good_file *f)
{
    lory_err err;
    buf b = { 0 };
    const char *path = test_temp("good.gguf");
    size_t at = 4;
    *f = (good_file){ 0 };
    if (!write_good(path, &err) || !file_read(path, 1 << 20, &b, &err)) {
        test_fail(__FILE__, __LINE__, "%s", err.text);
        return false;
    }
    f->n = b.len;
    f->bytes = malloc(b.len);
    memcpy(f->bytes, b.data, b.len);
    buf_free(&b);
    take(f, &at, F_COUNT, 4);
    uint64_t n_tensors = take(f, &at, F_COUNT, 8), n_kv = take(f, &at, F_COUNT, 8);
    for (uint64_t i = 0; i < n_kv; i++) walk_kv(f, &at);
    for (uint64_t i = 0; i < n_tensors; i++) walk_tensor(f, &at);
    f->n_meta = at;
    CHECK(n_tensors == N_TENSORS && f->n_fields < MAX_FIELDS && at < f->n);
    return true;
}

/* ---- trying a wrong one ------------------------------------------------------------------ */

static struct {
    int n_tried, n_refused;
} total;

/* n bytes, in a block of exactly that size, so that a sanitizer sees any step beyond it. */
static void try(const unsigned char *bytes, size_t n)
{
    gguf g;
    lory_err err = { 0 };
    unsigned char *copy = malloc(n + !n);
    if (n) memcpy(copy, bytes, n);
    size_t live = mem_live_bytes();
    fuzz_gguf(copy, n);
    total.n_tried++;
    if (gguf_open_bytes(&g, copy, n, "bad.gguf", &err)) {
        CHECK(mem_live_bytes() - live < 16 * n + 65536, "%zu bytes taken", mem_live_bytes() - live);
        gguf_close(&g);
    } else
        total.n_refused++;
    CHECK(mem_live_bytes() == live, "leak after: %s", err.text);
    free(copy);
}

static bool is_refused(const unsigned char *bytes, size_t n, lory_err *err)
{
    gguf g;
    *err = (lory_err){ 0 };
    if (!gguf_open_bytes(&g, bytes, n, "bad.gguf", err)) return true;
    gguf_close(&g);
    return false;
}

static void put(unsigned char *bytes, field f, uint64_t v)
{
    if (f.width == 4)
        bytes_put_u32(bytes + f.at, (uint32_t)v);
    else
        bytes_put_u64(bytes + f.at, v);
}

static uint64_t get(const unsigned char *bytes, field f)
{
    return f.width == 4 ? bytes_u32(bytes + f.at) : bytes_u64(bytes + f.at);
}

/* At least that many were tried, in less time than would hint at a hang. */
static void check_total(int n_least, clock_t begin)
{
    CHECK(total.n_tried >= n_least, "only %d files tried", total.n_tried);
    CHECK(total.n_refused > 0 && clock() - begin < 60 * CLOCKS_PER_SEC);
}

TEST(badfiles_the_good_one_opens)
{
    good_file f;
    lory_err err;
    REQUIRE(make_good(&f));
    CHECK(!is_refused(f.bytes, f.n, &err), "%s", err.text);
    CHECK(f.n_fields > 200);
    free(f.bytes);
}

TEST(badfiles_cut_anywhere_are_refused)
{
    good_file f;
    lory_err err;
    REQUIRE(make_good(&f));
    for (size_t n = 1; n < f.n; n += n < f.n_meta ? 1 : 61) {
        CHECK(is_refused(f.bytes, n, &err), "cut at %zu: opened", n);
        CHECK(strncmp(err.text, "bad.gguf: ", 10) == 0, "cut at %zu: %s", n, err.text);
        if (n > 24)
            CHECK(strstr(err.text, "cut short") || strstr(err.text, "larger than the file")
                      || strstr(err.text, "the header claims"),
                  "cut at %zu: %s", n, err.text);
        try(f.bytes, n);
    }
    CHECK(total.n_refused == total.n_tried);
    free(f.bytes);
}

TEST(badfiles_with_any_field_at_any_limit)
{
    static const uint64_t limits[] = { 0,           1,          2,
                                       3,           7,          8,
                                       9,           12,         13,
                                       31,          32,         33,
                                       0x7f,        0x80,       0xff,
                                       0xffff,      0x10000,    0x7fffffff,
                                       0x80000000,  0xfffffffe, 0xffffffff,
                                       0x100000000, 1ull << 58, 1ull << 61,
                                       INT64_MAX,   1ull << 63, UINT64_MAX - 7,
                                       UINT64_MAX };
    good_file f;
    clock_t begin = clock();
    REQUIRE(make_good(&f));
    for (int i = 0; i < f.n_fields; i++) {
        uint64_t old = get(f.bytes, f.fields[i]);
        uint64_t near[] = { old - 1,
                            old + 1,
                            2 * old,
                            old / 2,
                            old ^ 1,
                            f.n,
                            f.n - f.fields[i].at,
                            f.n - f.fields[i].at - 8,
                            f.n - f.n_meta };
        for (size_t k = 0; k < sizeof limits / sizeof limits[0]; k++) {
            put(f.bytes, f.fields[i], limits[k]);
            try(f.bytes, f.n);
        }
        for (size_t k = 0; k < sizeof near / sizeof near[0]; k++) {
            put(f.bytes, f.fields[i], near[k]);
            try(f.bytes, f.n);
        }
        put(f.bytes, f.fields[i], old);
    }
    check_total(5000, begin);
    free(f.bytes);
}

TEST(badfiles_with_counts_and_sizes_at_their_maximum_are_refused)
{
    good_file f;
    lory_err err;
    REQUIRE(make_good(&f));
    for (int i = 0; i < f.n_fields; i++) {
        field_kind k = f.fields[i].kind;
        uint64_t old = get(f.bytes, f.fields[i]);
        if (k == F_VALUE) continue;
        put(f.bytes, f.fields[i], UINT64_MAX);
        CHECK(is_refused(f.bytes, f.n, &err), "field %d of kind %d at byte %zu", i, k,
              f.fields[i].at);
        put(f.bytes, f.fields[i], old);
    }
    free(f.bytes);
}

TEST(badfiles_with_any_byte_changed)
{
    static const unsigned char masks[] = { 0x01, 0x80, 0xff };
    good_file f;
    clock_t begin = clock();
    REQUIRE(make_good(&f));
    for (size_t at = 0; at < f.n_meta; at++)
        for (int k = 0; k < 3; k++) {
            f.bytes[at] ^= masks[k];
            try(f.bytes, f.n);
            f.bytes[at] ^= masks[k];
        }
    check_total(3000, begin);
    free(f.bytes);
}

TEST(badfiles_with_bytes_missing_or_inserted)
{
    good_file f;
    clock_t begin = clock();
    REQUIRE(make_good(&f));
    unsigned char *b = malloc(f.n + 8);
    for (size_t at = 0; at < f.n_meta; at += 3)
        for (size_t n = 1; n <= 8; n *= 2) {
            memcpy(b, f.bytes, at);
            memcpy(b + at, f.bytes + at + n, f.n - at - n);
            try(b, f.n - n);
            memset(b + at, 0, n);
            memcpy(b + at + n, f.bytes + at, f.n - at);
            try(b, f.n + n);
        }
    check_total(1000, begin);
    free(b);
    free(f.bytes);
}

TEST(badfiles_with_fields_of_one_kind_swapped)
{
    good_file f;
    clock_t begin = clock();
    REQUIRE(make_good(&f));
    for (int i = 0; i < f.n_fields; i++)
        for (int k = i + 1; k < f.n_fields && k < i + 30; k++) {
            if (f.fields[i].kind != f.fields[k].kind || f.fields[i].width != f.fields[k].width)
                continue;
            uint64_t a = get(f.bytes, f.fields[i]), b = get(f.bytes, f.fields[k]);
            put(f.bytes, f.fields[i], b), put(f.bytes, f.fields[k], a);
            if (a != b) try(f.bytes, f.n);
            put(f.bytes, f.fields[i], a), put(f.bytes, f.fields[k], b);
        }
    check_total(500, begin);
    free(f.bytes);
}

/* Where that text stands in the metadata. */
static unsigned char *find(const good_file *f, const char *text)
{
    return memmem(f->bytes, f->n_meta, text, strlen(text));
}

TEST(badfiles_with_a_name_twice_are_refused)
{
    good_file f;
    lory_err err;
    REQUIRE(make_good(&f));
    unsigned char *q = find(&f, "blk.0.attn_q.weight"), *k = find(&f, "blk.0.attn_k.weight");
    REQUIRE(q && k);
    memcpy(k, "blk.0.attn_q.weight", 19);
    CHECK(is_refused(f.bytes, f.n, &err));
    CHECK_STR(err.text, "bad.gguf: tensor 'blk.0.attn_q.weight' is there twice");
    memcpy(k, "blk.0.attn_k.weight", 19);
    unsigned char *scores = find(&f, "tokenizer.ggml.scores");
    REQUIRE(scores && find(&f, "tokenizer.ggml.tokens"));
    memcpy(scores, "tokenizer.ggml.tokens", 21);
    CHECK(is_refused(f.bytes, f.n, &err));
    CHECK_STR(err.text, "bad.gguf: key 'tokenizer.ggml.tokens' is there twice");
    free(f.bytes);
}

TEST(badfiles_with_tensors_over_each_other_are_refused)
{
    good_file f;
    lory_err err;
    int last = -1;
    REQUIRE(make_good(&f));
    for (int i = 0; i < f.n_fields; i++) {
        if (f.fields[i].kind != F_OFFSET) continue;
        if (last >= 0) {
            uint64_t old = get(f.bytes, f.fields[i]);
            put(f.bytes, f.fields[i], get(f.bytes, f.fields[last]));
            CHECK(is_refused(f.bytes, f.n, &err) && strstr(err.text, "overlaps tensor '"), "%s",
                  err.text);
            put(f.bytes, f.fields[i], old);
        }
        last = i;
    }
    free(f.bytes);
}

TEST(badfiles_with_names_that_fall_into_one_chain_cost_no_more)
{
    enum { N = 50000 };
    buf b = { 0 };
    unsigned char head[24] = "GGUF\3";
    bytes_put_u64(head + 16, N);
    buf_put(&b, head, sizeof head);
    for (uint32_t i = 0; i < N; i++) { /* names of one length, equal but for a few bits */
        unsigned char kv[8 + 32 + 4 + 1];
        memset(kv, 'a', sizeof kv);
        bytes_put_u64(kv, 32);
        for (int k = 0; k < 16; k++) kv[8 + 2 * k] = (unsigned char)('a' + (i >> k & 1));
        bytes_put_u32(kv + 40, GGUF_U8);
        buf_put(&b, kv, sizeof kv);
    }
    clock_t begin = clock();
    gguf g;
    lory_err err;
    REQUIRE(gguf_open_bytes(&g, b.data, b.len, "chain.gguf", &err), "%s", err.text);
    CHECK(clock() - begin < 2 * CLOCKS_PER_SEC);
    gguf_close(&g);
    buf_free(&b);
}

/* ---- the whole engine on them ------------------------------------------------------------ */

static struct {
    int n_opened, n_ran;
} engine;

/* The same bytes as a file, through the public interface: an error names the file; what opens
 * tokenizes, and a session on it evaluates or says why it can't. */
static void try_engine(const char *path, const unsigned char *bytes, size_t n)
{
    lory_err err = { 0 };
    lory_tokens ids = { 0 };
    lory_session_params params = { .n_ctx = 8, .n_batch = 4, .n_threads = 1 };
    const lory_token run[] = { 1, 3, 4 };
    /* Written over: file systems flush a file that was cut to nothing and filled again. */
    FILE *f = fopen(path, file_exists(path) ? "r+b" : "wb");
    bool ok = f && fwrite(bytes, 1, n, f) == n;
    if (!f || fclose(f) != 0 || !ok) return;
    total.n_tried++;
    lory_model *m = lory_model_open(path, &err);
    if (!m) {
        total.n_refused++;
        CHECK(strncmp(err.text, path, strlen(path)) == 0 && !strchr(err.text, '\n'), "%s",
              err.text);
        return;
    }
    engine.n_opened++;
    if (!lory_tokenize(m, "t1 t2", 5, LORY_ADD_SPECIAL, &ids, &err))
        CHECK(err.text[0], "no reason given");
    lory_session *s = lory_session_new(m, &params, &err);
    if (s && lory_session_eval(s, run, 3, &err))
        engine.n_ran++;
    else
        CHECK(err.text[0], "no reason given");
    lory_session_free(s);
    lory_tokens_free(&ids);
    lory_model_close(m);
}

TEST(badfiles_never_break_the_engine)
{
    static const uint64_t limits[] = { 0,          1,          2,          3,          7,
                                       33,         64,         4095,       0x7fffffff, 0x80000000,
                                       0x7fc00000, 0xffffffff, 1ull << 40, UINT64_MAX };
    good_file f;
    char path[512];
    REQUIRE(make_good(&f));
    snprintf(path, sizeof path, "%s", test_temp("bad.gguf"));
    try_engine(path, f.bytes, f.n);
    CHECK(engine.n_ran == 1, "the good file does not run");
    size_t live = mem_live_bytes();
    for (int i = 0, n_values = 0; i < f.n_fields; i++) {
        uint64_t old = get(f.bytes, f.fields[i]);
        bool is_repeat = f.fields[i].kind == F_VALUE && ++n_values > 12 && n_values % 16;
        for (size_t k = 0; !is_repeat && k < sizeof limits / sizeof limits[0]; k++) {
            put(f.bytes, f.fields[i], limits[k]);
            try_engine(path, f.bytes, f.n);
        }
        put(f.bytes, f.fields[i], old);
    }
    CHECK(mem_live_bytes() == live, "%zu bytes leaked", mem_live_bytes() - live);
    CHECK(total.n_tried > 1000 && total.n_refused > 500 && engine.n_ran > 100,
          "%d tried, %d refused, %d ran", total.n_tried, total.n_refused, engine.n_ran);
    free(f.bytes);
}
