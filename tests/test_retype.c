/* test_retype.c - tensors in other types, and GGUF to GGUF. */
#include "base/mem.h"
#include "gguf/convert.h"
#include "lory.h"
#include "test.h"
#include <math.h>

enum { N_WIDE = 256, N_ODD = 12, N_ROWS = 3 };

static gguf_str str(const char *s)
{
    return (gguf_str){ s, strlen(s) };
}

static float value(int i)
{
    return (float)(i * 37 % 255 - 127);
}

/* Five tensors of one kind each, f32, with keys that a conversion keeps, changes and drops. */
static const char *make_source(bool is_split)
{
    static const struct {
        const char *name;
        int n_dims;
        int64_t ne[2];
    } rows[] = {
        { "token_embd.weight", 2, { N_WIDE, N_ROWS } },
        { "blk.0.attn_norm.weight", 1, { N_WIDE, 1 } },
        { "blk.0.ffn_down.weight", 2, { N_ODD, N_ROWS } },
        { "blk.0.ffn_gate_inp.weight", 2, { N_WIDE, 2 } },
        { "one_row.weight", 2, { N_WIDE, 1 } },
    };
    static float x[N_WIDE * N_ROWS];
    gguf_writer w;
    lory_err err;
    const char *path = test_temp("src.gguf");
    for (int i = 0; i < N_WIDE * N_ROWS; i++) x[i] = value(i);
    if (!gguf_create(&w, path, &err)) return path;
    gguf_put_str(&w, "general.architecture", "llama");
    gguf_put_u32(&w, "general.file_type", 0);
    gguf_put_u32(&w, "general.alignment", 32);
    gguf_put_strs(&w, "tokenizer.ggml.tokens", (const gguf_str[]){ { "a", 1 }, { "", 0 } }, 2);
    if (is_split) gguf_put_u32(&w, "split.no", 1), gguf_put_u32(&w, "split.count", 4);
    for (int i = 0; i < 5; i++)
        gguf_add_tensor(&w, str(rows[i].name), QT_F32, rows[i].n_dims, rows[i].ne);
    bool ok = gguf_begin_data(&w, &err);
    for (int i = 0; i < 5; i++)
        ok = ok && gguf_write_data(&w, x, (size_t)(rows[i].ne[0] * rows[i].ne[1]) * 4, &err);
    CHECK(ok && gguf_commit(&w, &err), "%s", err.text);
    return path;
}

static bool convert(gguf *g, const char *src, qtype type)
{
    lory_err err;
    const char *out = test_temp("out.gguf");
    bool ok = convert_file(src, &(convert_params){ .out = out, .type = type }, &err)
              && gguf_open(g, out, &err);
    CHECK(ok, "%s", err.text);
    return ok;
}

static qtype type_of(const gguf *g, const char *name)
{
    const gguf_tensor *t = gguf_find_tensor(g, name);
    return t ? t->type : QT_COUNT;
}

TEST(retype_writes_each_kind_of_tensor_as_it_should)
{
    gguf g;
    lory_err err;
    uint64_t file_type = 99, version = 0;
    REQUIRE(convert(&g, make_source(false), QT_Q8_0));
    CHECK(type_of(&g, "token_embd.weight") == QT_Q8_0);
    CHECK(type_of(&g, "blk.0.attn_norm.weight") == QT_F32);
    CHECK(type_of(&g, "blk.0.ffn_down.weight") == QT_F16);
    CHECK(type_of(&g, "blk.0.ffn_gate_inp.weight") == QT_F32);
    CHECK(type_of(&g, "one_row.weight") == QT_Q8_0);
    CHECK(gguf_get_uint(&g, "general.file_type", 99, &file_type, &err) && file_type == 7);
    CHECK(gguf_get_uint(&g, "general.quantization_version", 9, &version, &err) && version == 2);
    CHECK(gguf_find(&g, "tokenizer.ggml.tokens") && !gguf_find(&g, "general.alignment"));
    gguf_close(&g);
}

static qtype choice(const char *name, qtype from, qtype to)
{
    gguf_tensor t = { .name = str(name), .n_dims = 2, .ne = { 256, 4, 1, 1 }, .type = from };
    return retype_choice(&t, to);
}

TEST(what_engines_use_as_floats_is_never_quantised)
{
    static const char *const names[] = { "blk.7.ffn_gate_inp.weight", "altup_proj.weight",
                                         "blk.0.time_mix_w1.weight", "blk.3.ssm_conv1d.weight" };
    for (int i = 0; i < 4; i++) {
        CHECK(choice(names[i], QT_F32, QT_Q4_0) == QT_F32, "%s", names[i]);
        CHECK(choice(names[i], QT_F16, QT_Q4_0) == QT_F16, "%s", names[i]);
        CHECK(choice(names[i], QT_Q8_0, QT_Q4_0) == QT_F32, "%s", names[i]);
        CHECK(choice(names[i], QT_F32, QT_BF16) == QT_BF16, "%s", names[i]);
    }
}

TEST(retype_gives_the_bytes_of_the_type_table)
{
    static float row[N_WIDE];
    static unsigned char want[N_WIDE * 4];
    char src[512]; /* a copy: test_temp's lasts for 8 calls */
    snprintf(src, sizeof src, "%s", make_source(false));
    for (int type = 0; type < QT_COUNT; type++) {
        gguf g;
        REQUIRE(convert(&g, src, (qtype)type));
        const gguf_tensor *t = gguf_find_tensor(&g, "token_embd.weight");
        size_t n = qtype_row_bytes((qtype)type, N_WIDE);
        REQUIRE(t && t->type == (qtype)type && t->n_bytes == n * N_ROWS);
        for (int i = 0; i < N_ROWS; i++) {
            for (int k = 0; k < N_WIDE; k++) row[k] = value(i * N_WIDE + k);
            qtypes[type].from_f32(N_WIDE, row, NULL, want);
            CHECK_SAME((const char *)t->data + (size_t)i * n, want, n, "%s row %d",
                       qtypes[type].name, i);
        }
        gguf_close(&g);
    }
}

TEST(retype_and_back_gives_the_dequantised_weights)
{
    static float want[N_WIDE * N_ROWS];
    gguf q, f;
    lory_err err;
    REQUIRE(convert(&q, make_source(false), QT_Q8_0));
    const char *out = test_temp("f32.gguf");
    REQUIRE(convert_file(gguf_path(&q), &(convert_params){ .out = out, .type = QT_F32 }, &err),
            "%s", err.text);
    REQUIRE(gguf_open(&f, out, &err), "%s", err.text);
    const gguf_tensor *a = gguf_find_tensor(&q, "token_embd.weight");
    const gguf_tensor *b = gguf_find_tensor(&f, "token_embd.weight");
    REQUIRE(a && b && b->n_bytes == sizeof want);
    qtypes[QT_Q8_0].to_f32(N_WIDE * N_ROWS, a->data, want);
    CHECK_SAME(b->data, want, sizeof want, "token_embd");
    CHECK(gguf_find(&f, "general.quantization_version") == NULL);
    gguf_close(&q);
    gguf_close(&f);
}

TEST(retype_keep_copies_everything)
{
    gguf g, ref;
    lory_err err;
    const char *src = make_source(false);
    REQUIRE(convert(&g, src, RETYPE_KEEP) && gguf_open(&ref, src, &err));
    REQUIRE(g.n_tensors == ref.n_tensors);
    for (size_t i = 0; i < g.n_tensors; i++) {
        REQUIRE(g.tensors[i].n_bytes == ref.tensors[i].n_bytes && g.tensors[i].type == QT_F32);
        CHECK_SAME(g.tensors[i].data, ref.tensors[i].data, g.tensors[i].n_bytes, "tensor %zu", i);
    }
    CHECK(gguf_find(&g, "general.file_type") != NULL);
    gguf_close(&g);
    gguf_close(&ref);
}

static bool stop_at_half(void *user, uint64_t done, uint64_t total)
{
    *(int *)user += 1;
    return done < total / 2;
}

TEST(convert_stops_when_progress_says_so_and_leaves_nothing)
{
    lory_err err;
    int n_calls = 0;
    const char *out = test_temp("out.gguf");
    convert_params p = { .out = out, .type = QT_F16, .progress = stop_at_half, .user = &n_calls };
    size_t live = mem_live_bytes();
    CHECK(!convert_file(make_source(false), &p, &err) && err.code == LORY_E_INTERRUPTED);
    CHECK(n_calls == 1 && !file_exists(out) && mem_live_bytes() == live);
}

TEST(convert_refuses_part_of_a_split_model)
{
    lory_err err;
    convert_params p = { .out = test_temp("out.gguf"), .type = QT_F16 };
    CHECK(!convert_file(make_source(true), &p, &err));
    CHECK(strstr(err.text, ": is part 2 of a model split into 4 files (expected the first, "), "%s",
          err.text);
}

TEST(part_of_a_split_model_is_not_run)
{
    lory_err err;
    lory_model *m = lory_model_open(make_source(true), &err); /* the first may have a vocabulary */
    REQUIRE(m, "%s", err.text);
    CHECK(!lory_session_new(m, NULL, &err) && err.code == LORY_E_UNSUPPORTED);
    CHECK(strstr(err.text, ": is part 2 of a model split into 4 files (expected the first, "), "%s",
          err.text);
    lory_model_close(m);
}

/* A file with one f32 matrix of N_ROWS rows, in which one value is as given. */
static const char *make_matrix_with(float odd, int at)
{
    static float x[N_WIDE * N_ROWS];
    const int64_t ne[2] = { N_WIDE, N_ROWS };
    gguf_writer w;
    lory_err err;
    const char *path = test_temp("odd.gguf");
    for (int i = 0; i < N_WIDE * N_ROWS; i++) x[i] = value(i);
    x[at] = odd;
    if (!gguf_create(&w, path, &err)) return path;
    gguf_put_str(&w, "general.architecture", "llama");
    gguf_add_tensor(&w, str("token_embd.weight"), QT_F32, 2, ne);
    bool ok = gguf_begin_data(&w, &err) && gguf_write_data(&w, x, sizeof x, &err)
              && gguf_commit(&w, &err);
    CHECK(ok, "%s", err.text);
    return path;
}

TEST(retype_names_the_value_that_is_no_number_or_too_large)
{
    static const struct {
        float odd;
        qtype to;
        const char *want; /* NULL: fine */
    } cases[] = {
        { NAN, QT_Q4_0, "is nan (expected a number that q4_0 holds)" },
        { INFINITY, QT_BF16, "is inf (expected a number that bf16 holds)" },
        { -INFINITY, QT_Q4_K, "is -inf (expected a number that q4_k holds)" },
        { 65536.0f, QT_F16, "is 65536 (expected a number that f16 holds)" },
        { -65519.0f, QT_F16, NULL },
        { 1e30f, QT_BF16, NULL },
        { 3.39e38f, QT_BF16, NULL },
        { -3.4e38f, QT_BF16, "is -3.4e+38 (expected a number that bf16 holds)" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        lory_err err = { 0 };
        convert_params p = { .out = test_temp("o.gguf"), .type = cases[i].to };
        bool ok = convert_file(make_matrix_with(cases[i].odd, 2 * N_WIDE + 7), &p, &err);
        CHECK(ok == !cases[i].want, "case %zu: %s", i, err.text);
        if (ok || !cases[i].want) continue;
        CHECK(strstr(err.text, "token_embd.weight: row 2, column 7 ") != NULL, "%s", err.text);
        CHECK(strstr(err.text, cases[i].want) != NULL, "%s", err.text);
    }
}
