/* test_quantize.c - mixes, importance matrices, and quantising whole files. */
#include "base/mem.h"
#include "gguf/convert.h"
#include "test.h"
#include <math.h>
#include <stdlib.h>

enum { WIDE = 256 };

static gguf_str str(const char *s)
{
    return (gguf_str){ s, strlen(s) };
}

/* ---- mixes ---------------------------------------------------------------------------------- */

/* A model of n layers, as the rules see it: names, shapes and the keys they look at. */
typedef struct {
    const char *arch;
    int n_layer;
    uint32_t n_head, n_kv_head, n_expert;
    bool is_tied, is_fused; /* no output matrix; attn_qkv instead of three */
    int64_t width;
} shape;

static void add(gguf_writer *w, const char *name, int il, int64_t width, int64_t n_matrices)
{
    char text[64];
    int64_t ne[] = { width, 2, n_matrices };
    snprintf(text, sizeof text, name, il);
    gguf_add_tensor(w, str(text), QT_F32, n_matrices > 1 ? 3 : 2, ne);
}

static void add_layer(gguf_writer *w, const shape *s, int il)
{
    static const char *const apart[] = { "blk.%d.attn_q.weight", "blk.%d.attn_k.weight",
                                         "blk.%d.attn_v.weight" };
    static const char *const ffn[] = { "blk.%d.ffn_gate%s.weight", "blk.%d.ffn_up%s.weight",
                                       "blk.%d.ffn_down%s.weight" };
    char name[64];
    int64_t norm[] = { s->width };
    if (s->is_fused) add(w, "blk.%d.attn_qkv.weight", il, s->width, 1);
    for (int i = 0; !s->is_fused && i < 3; i++) add(w, apart[i], il, s->width, 1);
    add(w, "blk.%d.attn_output.weight", il, s->width, 1);
    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof name, ffn[i], il, s->n_expert ? "_exps" : "");
        add(w, name, 0, s->width, s->n_expert ? s->n_expert : 1);
    }
    if (s->n_expert) add(w, "blk.%d.ffn_gate_inp.weight", il, s->width, 1);
    snprintf(name, sizeof name, "blk.%d.attn_norm.weight", il);
    gguf_add_tensor(w, str(name), QT_F32, 1, norm);
}

static bool fill_zeros(gguf_writer *w, lory_err *err)
{
    static const char zeros[4096];
    while (w->i_tensor < w->n_tensors)
        if (!gguf_write_data(w, zeros, w->n_left < 4096 ? (size_t)w->n_left : 4096, err))
            return false;
    return true;
}

static bool open_shape(gguf *g, const shape *s)
{
    gguf_writer w;
    lory_err err;
    char key[64];
    const char *path = test_temp("shape.gguf");
    if (!gguf_create(&w, path, &err)) return false;
    gguf_put_str(&w, "general.architecture", s->arch);
    snprintf(key, sizeof key, "%s.attention.head_count", s->arch);
    gguf_put_u32(&w, key, s->n_head);
    snprintf(key, sizeof key, "%s.attention.head_count_kv", s->arch);
    gguf_put_u32(&w, key, s->n_kv_head);
    snprintf(key, sizeof key, "%s.expert_count", s->arch);
    gguf_put_u32(&w, key, s->n_expert);
    add(&w, "token_embd.weight", 0, s->width, 1);
    for (int il = 0; il < s->n_layer; il++) add_layer(&w, s, il);
    if (!s->is_tied) add(&w, "output.weight", 0, s->width, 1);
    bool ok = gguf_begin_data(&w, &err) && fill_zeros(&w, &err) && gguf_commit(&w, &err)
              && gguf_open(g, path, &err);
    CHECK(ok, "%s", err.text);
    return ok;
}

/* "q6_k*1 q4_k*3 ...": the types of the tensors whose name has this part, in file order. */
static void types_of(const gguf *g, const qtype *types, const char *part, buf *out)
{
    size_t n = 0;
    buf_clear(out);
    for (size_t i = 0; i <= g->n_tensors; i++) {
        static qtype last;
        char name[64] = "";
        if (i < g->n_tensors)
            snprintf(name, sizeof name, "%.*s", (int)g->tensors[i].name.n, g->tensors[i].name.s);
        if (i < g->n_tensors && !strstr(name, part)) continue;
        if (n > 0 && (i == g->n_tensors || types[i] != last)) {
            buf_printf(out, "%s%s*%zu", out->len ? " " : "", qtypes[last].name, n);
            n = 0;
        }
        if (i < g->n_tensors) last = types[i], n++;
    }
    buf_puts(out, "");
}

static const shape llama32 = { "llama", 32, 32, 32, 0, false, false, WIDE };
static const shape llama32_gqa = { "llama", 32, 32, 8, 0, true, false, WIDE };
static const shape llama80 = { "llama", 80, 64, 8, 0, false, false, WIDE };
static const shape mixtral = { "llama", 32, 32, 8, 8, false, false, WIDE };
static const shape falcon = { "falcon", 32, 71, 1, 0, false, true, WIDE };
static const shape phi = { "phi2", 24, 32, 32, 0, false, true, WIDE };
static const shape narrow = { "llama", 8, 6, 2, 0, true, false, 192 };
static const shape odd = { "llama", 8, 6, 2, 0, true, false, 48 };

/* What llama.cpp's llama_tensor_get_type gives, worked out by hand from its source. */
static const struct {
    const char *mix;
    const shape *shape;
    bool has_importance;
    const char *part, *want;
} rules[] = {
    { "q4_k_m", &llama32, false, "output.weight", "q4_k*32 q6_k*1" },
    { "q4_k_m", &llama32, false, "token_embd", "q4_k*1" },
    { "q4_k_m", &llama32, false, "attn_v",
      "q6_k*4 q4_k*2 q6_k*1 q4_k*2 q6_k*1 q4_k*2 q6_k*1 q4_k*2 q6_k*1 q4_k*2 q6_k*1 q4_k*2 q6_k*1 "
      "q4_k*2 q6_k*1 q4_k*2 q6_k*5" },
    { "Q4_K", &llama32_gqa, false, "token_embd", "q6_k*1" },
    { "q4_k_m", &llama32, false, "attn_q", "q4_k*32" },
    { "q2_0", &llama32, false, "token_embd", "q4_k*1" },
    { "q2_0", &llama32, false, "attn_v", "q2_0*32" },
    { "q1_0", &narrow, false, "attn_q", "q4_0*8" },
    { "nvfp4", &narrow, false, "attn_q", "nvfp4*8" },
    { "q4_k_m", &llama32, false, "attn_norm", "f32*32" },
    { "q4_k_s", &llama32, false, "attn_v", "q5_k*4 q4_k*28" },
    { "q4_k_s", &llama32, false, "ffn_down", "q5_k*4 q4_k*28" },
    { "q3_k_m", &llama32, false, "attn_v", "q5_k*2 q4_k*30" },
    { "q3_k_m", &llama32, false, "ffn_down", "q5_k*2 q4_k*30" },
    { "q3_k_m", &llama32, false, "attn_output", "q4_k*32" },
    { "q3_k_l", &llama32, false, "ffn_down", "q5_k*32" },
    { "q3_k_s", &llama32, false, "ffn_down", "q3_k*32" },
    { "q2_k", &llama32, false, "attn_v", "q3_k*32" },
    { "q2_k", &llama32_gqa, false, "attn_v", "q4_k*32" },
    { "q2_k_s", &llama32, true, "ffn_down", "q4_k*4 q2_k*28" },
    { "q4_0", &llama32, false, "ffn_down", "q4_0*32" },
    { "q4_0", &llama32, true, "ffn_down", "q4_1*4 q4_0*28" },
    { "q8_0", &llama32, false, "output.weight", "q8_0*33" },
    { "iq3_xxs", &llama32, false, "ffn_down", "q4_k*4 q3_k*28" },
    { "iq3_xxs", &llama32, true, "ffn_down", "iq3_xxs*32" },
    { "iq3_xxs", &llama32, true, "attn_q", "iq2_s*32" },
    { "iq3_xs", &llama32, true, "ffn_up", "iq3_s*4 iq3_xxs*24 iq3_s*4" },
    { "iq2_m", &llama32, true, "ffn_down", "iq3_s*4 iq2_s*28" },
    { "iq2_s", &llama32, true, "ffn_up", "iq2_xs*32" },
    { "iq1_s", &llama32, true, "attn_output", "iq2_xxs*32" },
    { "iq2_xxs", &llama32, true, "token_embd", "q2_k*1" },
    { "tq1_0", &llama32, false, "token_embd", "q4_k*1" },
    { "iq4_xs", &llama32_gqa, false, "attn_v", "q5_k*32" },
    { "q4_k_s", &llama80, false, "attn_v", "q5_k*80" },
    { "q3_k_s", &llama80, false, "attn_v", "q5_k*80" },
    { "q4_k_m", &mixtral, false, "attn_k", "q8_0*32" },
    { "q4_k_m", &mixtral, false, "attn_output", "q5_k*32" },
    { "q4_k_m", &mixtral, false, "ffn_gate_inp", "f32*32" },
    { "mxfp4_moe", &mixtral, false, "ffn_up_exps", "mxfp4*32" },
    { "mxfp4_moe", &mixtral, false, "attn_q", "q8_0*32" },
    { "q4_k_m", &falcon, false, "output.weight", "q4_k*32 q8_0*1" },
    { "q3_k_m", &falcon, false, "attn_output", "q3_k*32" },
    { "q5_k_m", &phi, false, "attn_qkv", "q6_k*24" },
    { "q4_k_m", &narrow, false, "attn_q", "q5_0*8" },
    { "q4_k_m", &narrow, false, "token_embd", "q8_0*1" },
    { "q6_k", &narrow, false, "ffn_up", "q8_0*8" },
    { "iq2_xs", &narrow, false, "attn_q", "iq4_nl*8" },
    { "q4_0", &odd, false, "attn_q", "f16*8" },
    { "q4_k_m", &odd, false, "attn_q", "f16*8" },
    { "bf16", &odd, false, "ffn_up", "bf16*8" },
    { "f32", &llama32, false, "output.weight", "f32*33" },
};

TEST(mixes_choose_as_llama_cpp_does)
{
    buf got = { 0 };
    lory_err err;
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        gguf g;
        REQUIRE(open_shape(&g, rules[i].shape));
        qtype *types = calloc(g.n_tensors, sizeof *types);
        mix_params p = { .mix = mix_find(rules[i].mix), .has_importance = rules[i].has_importance };
        REQUIRE(types && p.mix);
        CHECK(mix_choose(&p, &g, types, &err), "%s", err.text);
        types_of(&g, types, rules[i].part, &got);
        CHECK(strcmp(got.data, rules[i].want) == 0, "%s of %s, %d layers: %s is %s, want %s",
              rules[i].mix, rules[i].shape->arch, rules[i].shape->n_layer, rules[i].part, got.data,
              rules[i].want);
        free(types);
        gguf_close(&g);
    }
    buf_free(&got);
}

TEST(a_pure_mix_has_one_type)
{
    gguf g;
    lory_err err;
    REQUIRE(open_shape(&g, &mixtral));
    qtype *types = calloc(g.n_tensors, sizeof *types);
    mix_params p = { .mix = mix_find("q3_k_l"), .is_pure = true };
    REQUIRE(types && mix_choose(&p, &g, types, &err));
    for (size_t i = 0; i < g.n_tensors; i++) {
        bool is_float =
            g.tensors[i].n_dims == 1
            || memcmp(g.tensors[i].name.s + g.tensors[i].name.n - 10, "inp.weight", 10) == 0;
        CHECK(types[i] == (is_float ? QT_F32 : QT_Q3_K), "tensor %zu", i);
    }
    free(types);
    gguf_close(&g);
}

TEST(every_type_has_a_mix_and_names_are_found_in_any_case)
{
    for (int t = 0; t < QT_COUNT; t++) {
        bool has = false;
        for (int i = 0; i < MIX_COUNT; i++) has |= mixes[i].type == (qtype)t;
        CHECK(has, "%s", qtypes[t].name);
    }
    for (int i = 0; i < MIX_COUNT; i++) CHECK(mix_find(mixes[i].name) == &mixes[i], "row %d", i);
    CHECK(mix_find("Q4_K_M") == mix_find("q4_k") && !mix_find("q4_k_") && !mix_find(""));
}

/* ---- whole files ---------------------------------------------------------------------------- */

static float value(int i)
{
    unsigned x = (unsigned)i * 2654435761u;
    x ^= x >> 15;
    x *= 2246822519u;
    return (float)(int)((x >> 8) % 2001) / 1000.0f - 1.0f;
}

/* Three matrices [WIDE, 24], one of them of 4 experts, and a vector. */
static const char *make_model(void)
{
    static float x[WIDE * 24];
    const char *path = test_temp("model.gguf");
    gguf_writer w;
    lory_err err;
    for (int i = 0; i < WIDE * 24; i++) x[i] = value(i);
    if (!gguf_create(&w, path, &err)) return path;
    gguf_put_str(&w, "general.architecture", "llama");
    gguf_add_tensor(&w, str("token_embd.weight"), QT_F32, 2, (int64_t[]){ WIDE, 24 });
    gguf_add_tensor(&w, str("blk.0.attn_q.weight"), QT_F32, 2, (int64_t[]){ WIDE, 24 });
    gguf_add_tensor(&w, str("blk.0.ffn_up_exps.weight"), QT_F32, 3, (int64_t[]){ WIDE, 6, 4 });
    gguf_add_tensor(&w, str("blk.0.attn_norm.weight"), QT_F32, 1, (int64_t[]){ WIDE });
    bool ok = gguf_begin_data(&w, &err);
    for (int i = 0; i < 4; i++)
        ok = ok && gguf_write_data(&w, x, (i < 3 ? 24 : 1) * WIDE * sizeof *x, &err);
    CHECK(ok && gguf_commit(&w, &err), "%s", err.text);
    return path;
}

/* Importance of the model's matrices: the column's number, in each expert from another start. */
static const char *make_imatrix(const char *name, int64_t n_cols)
{
    static double sums[4 * WIDE], counts[4] = { 7, 7, 0, 7 };
    const char *path = test_temp(name);
    lory_err err;
    for (int i = 0; i < 4 * WIDE; i++) sums[i] = i / WIDE == 2 ? 0 : (i * 31 + i / WIDE) % WIDE;
    const imatrix_sums all[] = {
        { str("blk.0.attn_q.weight"), n_cols, 1, sums, counts },
        { str("blk.0.ffn_up_exps.weight"), n_cols, 4, sums, counts },
        { str("blk.0.never.weight"), n_cols, 1, sums, counts + 2 },
    };
    imatrix_origin from = { "text.txt", 3, 512 };
    CHECK(imatrix_write(path, all, 3, &from, &err), "%s", err.text);
    return path;
}

static bool quantize(const char *in, const char *out, const char *mix, const imatrix *m,
                     int n_threads)
{
    lory_err err;
    mix_params p = { .mix = mix_find(mix), .is_pure = true, .has_importance = m != NULL };
    convert_params c = { .out = out, .mix = &p, .importance = m, .n_threads = n_threads };
    bool ok = convert_file(in, &c, &err);
    CHECK(ok, "%s: %s", mix, err.text);
    return ok;
}

TEST(threads_do_not_change_a_byte)
{
    char in[512], one[512], many[512], im[512];
    lory_err err;
    imatrix m;
    snprintf(in, sizeof in, "%s", make_model());
    snprintf(im, sizeof im, "%s", make_imatrix("m.imatrix", WIDE));
    snprintf(one, sizeof one, "%s", test_temp("one.gguf"));
    snprintf(many, sizeof many, "%s", test_temp("many.gguf"));
    REQUIRE(imatrix_read(&m, im, &err), "%s", err.text);
    for (int i = 0; i < MIX_COUNT; i += test_stride(5)) {
        REQUIRE(quantize(in, one, mixes[i].name, &m, 1));
        for (int n = 2; n <= 7; n += 5) {
            file_map a, b;
            REQUIRE(quantize(in, many, mixes[i].name, &m, n));
            REQUIRE(file_map_open(&a, one, &err) && file_map_open(&b, many, &err));
            CHECK(a.size == b.size);
            if (a.size == b.size)
                CHECK_SAME(b.data, a.data, a.size, "%s, %d threads", mixes[i].name, n);
            file_map_close(&a);
            file_map_close(&b);
        }
    }
    imatrix_free(&m);
}

/* Each expert's rows are written with its own importance. */
TEST(importance_reaches_the_columns_of_its_matrix)
{
    char in[512], out[512];
    static unsigned char want[24][4 * WIDE];
    static float x[WIDE];
    gguf g;
    lory_err err;
    imatrix m;
    const float *w;
    snprintf(in, sizeof in, "%s", make_model());
    snprintf(out, sizeof out, "%s", test_temp("out.gguf"));
    REQUIRE(imatrix_read(&m, make_imatrix("m.imatrix", WIDE), &err), "%s", err.text);
    REQUIRE(quantize(in, out, "q4_k_s", &m, 3) && gguf_open(&g, out, &err), "%s", err.text);
    const gguf_tensor *t = gguf_find_tensor(&g, "blk.0.ffn_up_exps.weight");
    size_t n = qtype_row_bytes(QT_Q4_K, WIDE);
    REQUIRE(t && imatrix_find(&m, t, &w, &err) && w);
    for (int r = 0; r < 24; r++) {
        for (int i = 0; i < WIDE; i++) x[i] = value(r * WIDE + i);
        qtypes[QT_Q4_K].from_f32(WIDE, x, w + r / 6 * WIDE, want[r]);
        CHECK_SAME((const char *)t->data + (size_t)r * n, want[r], n, "row %d", r);
    }
    uint64_t n_entries = 0, file_type = 0;
    CHECK(gguf_get_uint(&g, "quantize.imatrix.entries_count", 9, &n_entries, &err)
          && n_entries == 2);
    CHECK(gguf_get_uint(&g, "general.file_type", 99, &file_type, &err) && file_type == 14);
    gguf_close(&g);
    imatrix_free(&m);
}

/* ---- importance matrices -------------------------------------------------------------------- */

static void check_values(const imatrix *m)
{
    lory_err err;
    const float *w = NULL;
    gguf_tensor t = { .name = str("blk.0.ffn_up_exps.weight"), .ne = { WIDE, 6, 4, 1 } };
    REQUIRE(imatrix_find(m, &t, &w, &err) && w, "%s", err.text);
    for (int k = 0; k < 4; k++) {
        double sum = 0;
        for (int i = 0; i < WIDE; i++) {
            CHECK(w[k * WIDE + i] > 0.0f);
            sum += (double)w[k * WIDE + i];
        }
        CHECK(fabs(sum / WIDE - 1.0) < 1e-4, "expert %d: %g", k, sum / WIDE);
    }
    CHECK(w[2 * WIDE] == 1.0f && w[2 * WIDE + 9] == 1.0f); /* the expert nobody chose */
    CHECK(fabsf(w[2] / w[1] - 2.0f) < 1e-5f);              /* 62 and 31 */
    t.name = str("token_embd.weight");
    CHECK(imatrix_find(m, &t, &w, &err) && !w);
    t = (gguf_tensor){ .name = str("blk.0.attn_q.weight"), .ne = { 2 * WIDE, 6, 1, 1 } };
    CHECK(!imatrix_find(m, &t, &w, &err)
              && strstr(err.text,
                        "another model: 'blk.0.attn_q.weight' has 256 values (expected 512)"),
          "%s", err.text);
}

TEST(imatrix_is_read_as_it_was_written)
{
    imatrix m;
    lory_err err;
    REQUIRE(imatrix_read(&m, make_imatrix("m.imatrix", WIDE), &err), "%s", err.text);
    CHECK(m.n == 2 && m.n_chunks == 3 && gguf_str_is(m.dataset, "text.txt"));
    check_values(&m);
    imatrix_free(&m);
}

static void put_i32(buf *b, int32_t v)
{
    buf_put(b, &v, sizeof v);
}

static void put_dat_entry(buf *b, const char *name, int n, float scale)
{
    put_i32(b, (int32_t)strlen(name));
    buf_puts(b, name);
    put_i32(b, 5);
    put_i32(b, n);
    for (int i = 0; i < n; i++) buf_put(b, &(float){ scale * (float)(i % 7) }, sizeof(float));
}

static const char *write_bytes(const char *data, size_t n)
{
    const char *path = test_temp("old.dat");
    FILE *f = fopen(path, "wb");
    if (f) fwrite(data, 1, n, f), fclose(f);
    return path;
}

/* Whole it is read; cut anywhere it is an error, or still whole but for what stands at the end. */
TEST(the_older_format_is_read_and_checked)
{
    buf b = { 0 };
    imatrix m;
    lory_err err;
    put_i32(&b, 2);
    put_dat_entry(&b, "blk.1.attn_q.weight", 8, 2.0f);
    put_dat_entry(&b, "blk.0.attn_q.weight", 16, 3.0f);
    size_t n_needed = b.len;
    put_i32(&b, 123);
    put_i32(&b, 5);
    buf_puts(&b, "a.txt");
    REQUIRE(imatrix_read(&m, write_bytes(b.data, b.len), &err), "%s", err.text);
    gguf_tensor t = { .name = str("blk.0.attn_q.weight"), .ne = { 16, 4, 1, 1 } };
    const float *w;
    CHECK(m.n == 2 && m.n_chunks == 123 && gguf_str_is(m.dataset, "a.txt"));
    CHECK(imatrix_find(&m, &t, &w, &err) && w && fabsf(w[2] / w[1] - 2.0f) < 1e-6f && w[0] > 0.0f);
    imatrix_free(&m);
    for (size_t n = 1; n < b.len; n++) {
        bool ok = imatrix_read(&m, write_bytes(b.data, n), &err);
        CHECK(ok == (n >= n_needed), "cut at %zu", n);
        if (!ok) CHECK(strstr(err.text, "is no importance matrix"), "%s", err.text);
        imatrix_free(&m);
    }
    memcpy(b.data + n_needed - 4, &(float){ NAN }, 4);
    CHECK(!imatrix_read(&m, write_bytes(b.data, b.len), &err)
          && strstr(err.text, "as a sum of squares"));
    buf_free(&b);
}

TEST(any_byte_of_an_older_file_changed_is_read_or_refused)
{
    buf b = { 0 };
    imatrix m;
    lory_err err;
    put_i32(&b, 2);
    put_dat_entry(&b, "ab", 4, 1.0f);
    put_dat_entry(&b, "cd", 4, 1.0f);
    size_t live = mem_live_bytes();
    for (size_t i = 0; i < b.len; i++) {
        static const unsigned char values[] = { 0, 1, 2, 0x7f, 0x80, 0xff };
        char was = b.data[i];
        for (size_t k = 0; k < sizeof values; k++) {
            b.data[i] = (char)values[k];
            if (imatrix_read(&m, write_bytes(b.data, b.len), &err)) imatrix_free(&m);
        }
        b.data[i] = was;
    }
    CHECK(mem_live_bytes() == live);
    buf_free(&b);
}

TEST(an_imatrix_of_another_model_is_refused_and_nothing_is_left)
{
    char in[512];
    buf b = { 0 };
    imatrix m;
    lory_err err;
    snprintf(in, sizeof in, "%s", make_model());
    const char *out = test_temp("out.gguf");
    mix_params p = { .mix = mix_find("q4_0") };
    convert_params c = { .out = out, .mix = &p, .importance = &m };
    REQUIRE(imatrix_read(&m, make_imatrix("half.imatrix", WIDE / 2), &err), "%s", err.text);
    CHECK(!convert_file(in, &c, &err) && !file_exists(out), "%s", err.text);
    CHECK(strncmp(err.text, m.path, strlen(m.path)) == 0, "%s", err.text);
    imatrix_free(&m);
    put_i32(&b, 1);
    put_dat_entry(&b, "blk.0.attn_qkv.weight", WIDE, 1.0f);
    REQUIRE(imatrix_read(&m, write_bytes(b.data, b.len), &err), "%s", err.text);
    buf_free(&b);
    CHECK(!convert_file(in, &c, &err) && !file_exists(out)
              && strstr(err.text, ": is of another model: has none of its matrices"),
          "%s", err.text);
    imatrix_free(&m);
}

TEST(a_file_that_is_no_imatrix_is_refused)
{
    imatrix m;
    lory_err err;
    CHECK(!imatrix_read(&m, make_model(), &err)
              && strstr(err.text, "has no importance matrix in it"),
          "%s", err.text);
    CHECK(!imatrix_read(&m, write_bytes("GGUF", 4), &err));
}

/* The mix that llama.cpp made of the same model. */
TEST(q4_k_m_has_llama_cpps_types)
{
    gguf want, got;
    lory_err err;
    const char *file = test_shared("golden/llama-k256/model-bf16.gguf");
    if (!file) test_skip("../shared is not there");
    const char *out = test_temp("mix.gguf");
    mix_params p = { .mix = mix_find("q4_k_m") };
    convert_params c = { .out = out, .mix = &p, .n_threads = 2 };
    REQUIRE(convert_file(file, &c, &err) && gguf_open(&got, out, &err), "%s", err.text);
    REQUIRE(gguf_open(&want, test_shared("golden/llama-k256/model-q4_k_m-mix.gguf"), &err));
    for (size_t i = 0; i < got.n_tensors; i++) {
        char name[64];
        snprintf(name, sizeof name, "%.*s", (int)got.tensors[i].name.n, got.tensors[i].name.s);
        const gguf_tensor *t = gguf_find_tensor(&want, name);
        CHECK(t && (t->type == got.tensors[i].type || t->n_dims == 1), "%s: %s", name,
              qtypes[got.tensors[i].type].name);
    }
    gguf_close(&got);
    gguf_close(&want);
}
