/* test_pieces.c - files of other times, which have one tensor in several: each expert by itself,
 * the keys and values of latents apart. Made here from files that have them whole; the logits must
 * not change, of experts not by a bit. */
#include "gguf/gguf_write.h"
#include "base/buf.h"
#include "base/mem.h"
#include "lory.h"
#include "test.h"
#include <math.h>
#include <stdlib.h>

enum { N = 12, MAX_VOCAB = 1024 };

typedef struct {
    float *at;
    int n_vocab;
} rows;

static bool on_logits(void *user, size_t pos, const float *logits)
{
    rows *r = user;
    memcpy(r->at + pos * (size_t)r->n_vocab, logits, (size_t)r->n_vocab * sizeof *logits);
    return true;
}

/* logits [N, MAX_VOCAB]; the size of the vocabulary. */
static int run(const char *path, float *logits)
{
    lory_err err = { 0 };
    lory_model_info info;
    lory_token ids[N];
    lory_model *m = lory_model_open(path, &err);
    if (!m) test_fail(__FILE__, __LINE__, "%s", err.text);
    if (!m) return 0;
    lory_model_get_info(m, &info);
    for (int i = 0; i < N; i++) ids[i] = (lory_token)(i * 37 % info.n_vocab);
    lory_session *s = lory_session_new(
        m, &(lory_session_params){ .n_ctx = 64, .n_threads = 2, .cache_type = LORY_CACHE_F32 },
        &err);
    CHECK(s && lory_session_eval_all(s, ids, N, on_logits, &(rows){ logits, info.n_vocab }, &err),
          "%s", err.text);
    lory_session_free(s);
    lory_model_close(m);
    return info.n_vocab;
}

/* ---- a file in pieces ------------------------------------------------------------------------ */

typedef struct {
    char name[64];
    qtype type;
    int n_dims;
    int64_t ne[4];
    void *data; /* malloc'ed */
    size_t n_bytes;
} piece;

typedef struct {
    piece p[400];
    int n;
} pieces;

static piece *add(pieces *all, const char *name, qtype type, int n_dims, const int64_t *ne,
                  const void *data)
{
    piece *p = &all->p[all->n++];
    int64_t n_rows = 1;
    *p = (piece){ .type = type, .n_dims = n_dims };
    for (int i = 0; i < n_dims; i++) p->ne[i] = ne[i], n_rows *= i ? ne[i] : 1;
    snprintf(p->name, sizeof p->name, "%s", name);
    p->n_bytes = qtype_row_bytes(type, ne[0]) * (size_t)n_rows;
    p->data = calloc(1, p->n_bytes);
    if (data) memcpy(p->data, data, p->n_bytes);
    return p;
}

/* blk.0.ffn_gate_exps -> blk.0.ffn_gate.0, .1, .. */
static bool split_experts(pieces *all, const gguf_tensor *t)
{
    char name[64], one[64];
    snprintf(name, sizeof name, "%.*s", (int)t->name.n, t->name.s);
    char *end = strstr(name, "_exps.weight");
    if (!end) return false;
    *end = '\0';
    for (int64_t e = 0; e < t->ne[2]; e++) {
        snprintf(one, sizeof one, "%.40s.%d.weight", name, (int)e);
        size_t n = qtype_row_bytes(t->type, t->ne[0]) * (size_t)t->ne[1];
        add(all, one, t->type, 2, t->ne, (const char *)t->data + (size_t)e * n);
    }
    return true;
}

enum { N_ROT = 16, N_VALUE = 32, RANK = 32 }; /* of golden/deepseek-v2 */

/* blk.0.attn_kv_b -> attn_k_b, transposed, and attn_v_b. */
static bool split_kv_b(pieces *all, const gguf_tensor *t, int n_head)
{
    char name[64];
    int il, rank = (int)t->ne[0], n_k = (int)(t->ne[1] / n_head) - N_VALUE;
    float row[1024];
    snprintf(name, sizeof name, "%.*s", (int)t->name.n, t->name.s);
    if (sscanf(name, "blk.%d.attn_kv_b.weight", &il) != 1 || !strstr(name, "attn_kv_b"))
        return false;
    snprintf(name, sizeof name, "blk.%d.attn_k_b.weight", il);
    float *k = add(all, name, QT_F32, 3, (const int64_t[]){ n_k, rank, n_head }, NULL)->data;
    snprintf(name, sizeof name, "blk.%d.attn_v_b.weight", il);
    float *v = add(all, name, QT_F32, 3, (const int64_t[]){ rank, N_VALUE, n_head }, NULL)->data;
    for (int r = 0; r < t->ne[1]; r++) {
        int ih = r / (n_k + N_VALUE), j = r % (n_k + N_VALUE);
        qtypes[t->type].to_f32(
            rank, (const char *)t->data + (size_t)r * qtype_row_bytes(t->type, rank), row);
        for (int c = 0; c < rank; c++)
            if (j < n_k)
                k[(ih * rank + c) * n_k + j] = row[c];
            else
                v[(ih * N_VALUE + j - n_k) * rank + c] = row[c];
    }
    return true;
}

/* Floats become blocks of another type. */
static void store_as(piece *p, qtype type)
{
    size_t n_rows = (size_t)(p->ne[1] * p->ne[2]), n = qtype_row_bytes(type, p->ne[0]);
    char *blocks = calloc(n_rows, n);
    for (size_t r = 0; r < n_rows; r++)
        qtypes[type].from_f32(p->ne[0], (const float *)p->data + r * (size_t)p->ne[0], NULL,
                              blocks + r * n);
    free(p->data);
    p->data = blocks;
    p->type = type;
    p->n_bytes = n_rows * n;
}

static void put_keys(gguf_writer *w, const gguf *g, bool is_mla)
{
    static const char *const replaced[] = { "deepseek2.attention.key_length",
                                            "deepseek2.attention.value_length",
                                            "deepseek2.attention.head_count_kv" };
    for (size_t i = 0; i < g->n_kv; i++) {
        bool is_replaced = false;
        for (int k = 0; k < 3; k++) is_replaced |= is_mla && gguf_str_is(g->kv[i].key, replaced[k]);
        if (!is_replaced) gguf_put_kv(w, &g->kv[i]);
    }
}

static void write_file(const char *path, const gguf *g, const pieces *all, bool is_mla, int n_key)
{
    gguf_writer w;
    lory_err err = { 0 };
    REQUIRE(gguf_create(&w, path, &err), "%s", err.text);
    put_keys(&w, g, is_mla);
    if (is_mla) {
        uint64_t rank = 0;
        gguf_get_uint(g, "deepseek2.attention.kv_lora_rank", 1024, &rank, &err);
        gguf_put_u32(&w, "deepseek2.attention.key_length", (uint32_t)rank + N_ROT);
        gguf_put_u32(&w, "deepseek2.attention.value_length", (uint32_t)rank);
        gguf_put_u32(&w, "deepseek2.attention.head_count_kv", 1);
        gguf_put_u32(&w, "deepseek2.attention.key_length_mla", (uint32_t)n_key);
        gguf_put_u32(&w, "deepseek2.attention.value_length_mla", N_VALUE);
    }
    for (int i = 0; i < all->n; i++)
        gguf_add_tensor(&w, (gguf_str){ all->p[i].name, strlen(all->p[i].name) }, all->p[i].type,
                        all->p[i].n_dims, all->p[i].ne);
    bool ok = gguf_begin_data(&w, &err);
    for (int i = 0; ok && i < all->n; i++)
        ok = gguf_write_data(&w, all->p[i].data, all->p[i].n_bytes, &err);
    REQUIRE(ok && gguf_commit(&w, &err), "%s", err.text);
}

/* Over latents sums go in another order. */
static void check_near(const float *got, const float *want, int n)
{
    float low = want[0], high = want[0], diff = 0.0f;
    for (int i = 0; i < n; i++) {
        low = fminf(low, want[i]);
        high = fmaxf(high, want[i]);
        diff = fmaxf(diff, fabsf(got[i] - want[i]));
    }
    CHECK(diff < 2e-6f * (high - low), "differs by %g of %g", (double)diff, (double)(high - low));
}

/* pieces.gguf of a golden file; the latents' products of a type. */
/* change: NULL, or what is done to the pieces. */
static void make_file(const char *vector, bool is_mla, qtype type, void (*change)(pieces *))
{
    pieces *all = calloc(1, sizeof *all);
    gguf g;
    lory_err err = { 0 };
    uint64_t n_head = 1, n_key = 0;
    const char *path = test_vector(vector);
    REQUIRE(path && gguf_open(&g, path, &err), "%s", err.text);
    gguf_get_uint(&g, "deepseek2.attention.head_count", 64, &n_head, &err);
    gguf_get_uint(&g, "deepseek2.attention.key_length", 64, &n_key, &err);
    for (size_t i = 0; i < g.n_tensors; i++) {
        const gguf_tensor *t = &g.tensors[i];
        char name[64];
        snprintf(name, sizeof name, "%.*s", (int)t->name.n, t->name.s);
        if (is_mla ? !split_kv_b(all, t, (int)n_head) : !split_experts(all, t))
            add(all, name, t->type, t->n_dims, t->ne, t->data);
    }
    for (int i = 0; i < all->n; i++)
        if (strstr(all->p[i].name, "attn_k_b") || strstr(all->p[i].name, "attn_v_b"))
            store_as(&all->p[i], type);
    CHECK(all->n > (int)g.n_tensors);
    if (change) change(all);
    write_file(test_temp("pieces.gguf"), &g, all, is_mla, (int)n_key);
    for (int i = 0; i < all->n; i++) free(all->p[i].data);
    free(all);
    gguf_close(&g);
}

static void check(const char *vector, bool is_mla)
{
    static float whole[N * MAX_VOCAB], in_pieces[N * MAX_VOCAB];
    make_file(vector, is_mla, QT_F32, NULL);
    int n = run(test_vector(vector), whole);
    CHECK(n > 0 && n <= MAX_VOCAB && run(test_temp("pieces.gguf"), in_pieces) == n);
    if (!is_mla) CHECK_SAME(in_pieces, whole, (size_t)(N * n) * sizeof *whole, "%s", vector);
    check_near(in_pieces, whole, N * n);
}

TEST(experts_in_tensors_of_their_own_give_the_same_bits)
{
    check("golden/mixtral/model-q4_0.gguf", false);
}

static piece *find(pieces *all, const char *name)
{
    for (int i = 0; i < all->n; i++)
        if (strcmp(all->p[i].name, name) == 0) return &all->p[i];
    abort();
}

static void lose_one(pieces *all)
{
    piece *p = find(all, "blk.0.ffn_up.2.weight"), lost = *p;
    *p = all->p[--all->n];
    free(lost.data);
}

static void number_one_too_high(pieces *all)
{
    snprintf(find(all, "blk.0.ffn_up.3.weight")->name, 64, "blk.0.ffn_up.4.weight");
}

static void retype_one(pieces *all)
{
    piece *p = find(all, "blk.0.ffn_up.3.weight"), old = *p;
    *p = all->p[--all->n];
    add(all, old.name, QT_F32, old.n_dims, old.ne, NULL);
    free(old.data);
}

static void add_whole(pieces *all)
{
    const piece *p = find(all, "blk.0.ffn_up.0.weight");
    int64_t ne[] = { p->ne[0], p->ne[1], 4 };
    add(all, "blk.0.ffn_up_exps.weight", p->type, 3, ne, NULL);
}

TEST(experts_that_are_not_all_there_are_refused)
{
    static const struct {
        void (*change)(pieces *);
        const char *line;
    } bad[] = {
        { lose_one, "layer 0 lacks expert 2 of ffn_up_exps" },
        { number_one_too_high, "tensor blk.0.ffn_up.4.weight is of no expert of 4" },
        { retype_one, "tensor blk.0.ffn_up.3.weight has not the type of its like" },
        { add_whole, "blk.0.ffn_up_exps.weight is there whole and in pieces" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        lory_err err = { 0 };
        make_file("golden/mixtral/model-q4_0.gguf", false, QT_F32, bad[i].change);
        lory_model *m = lory_model_open(test_temp("pieces.gguf"), &err);
        const char *line = strstr(err.text, "pieces.gguf: ");
        CHECK(!m, "opened: %s", bad[i].line);
        CHECK_STR(line ? line + 13 : err.text, bad[i].line);
        lory_model_close(m);
    }
}

TEST(attention_over_latents_gives_what_it_gives_over_keys_and_values)
{
    check("golden/deepseek-v2/model-bf16.gguf", true);
}

/* ---- latents, however they are run ---------------------------------------------------------- */

enum { N_LONG = 560, N_PROMPT = 540 }; /* so many that one token's heads are cut */

static void ignore_input(void *user, const lory_matmul_input *in, int ith, int nth)
{
    (void)user, (void)in, (void)ith, (void)nth;
}

/* The last logits of N_LONG tokens, `by` at a time behind the prompt. */
static void run_long(lory_model *m, lory_session_params params, int by, float *logits)
{
    lory_err err = { 0 };
    lory_model_info info;
    lory_token ids[N_LONG];
    lory_model_get_info(m, &info);
    for (int i = 0; i < N_LONG; i++) ids[i] = (lory_token)(i * 37 % info.n_vocab);
    params.n_ctx = 576;
    lory_session *s = lory_session_new(m, &params, &err);
    REQUIRE(s, "%s", err.text);
    for (int i = 0, n; i < N_LONG; i += n) {
        n = i < N_PROMPT ? N_PROMPT : by;
        CHECK(lory_session_eval(s, ids + i, (size_t)n, &err), "%s", err.text);
    }
    memcpy(logits, lory_session_logits(s), (size_t)info.n_vocab * sizeof *logits);
    lory_session_free(s);
}

static void check_ways(qtype type, lory_cache_type cache)
{
    static const lory_session_params ways[] = {
        { .n_threads = 1 },
        { .n_threads = 3 },
        { .n_threads = 2, .n_batch = 48 },
        { .n_threads = 2, .on_input = ignore_input },
    };
    static const int by[] = { 1, 1, 20, 4 };
    static float want[MAX_VOCAB], got[MAX_VOCAB];
    lory_err err = { 0 };
    lory_model_info info;
    make_file("golden/deepseek-v2/model-bf16.gguf", true, type, NULL);
    lory_model *m = lory_model_open(test_temp("pieces.gguf"), &err);
    REQUIRE(m, "%s", err.text);
    lory_model_get_info(m, &info);
    for (int i = 0; i < 4; i++) {
        lory_session_params p = ways[i];
        p.cache_type = cache;
        run_long(m, p, by[i], i ? got : want);
        if (i) CHECK_SAME(got, want, (size_t)info.n_vocab * sizeof *got, "way %d", i);
    }
    lory_model_close(m);
}

TEST(attention_over_latents_has_the_same_bits_however_it_is_run)
{
    check_ways(QT_F32, LORY_CACHE_F16);
    check_ways(QT_Q8_0, LORY_CACHE_F32);
}

static bool keep_bytes(void *user, const void *bytes, size_t n)
{
    buf_put(user, bytes, n);
    return true;
}

TEST(saved_latents_are_read_back)
{
    static const lory_token ids[] = { 5, 9, 2, 7, 1, 30, 12, 8 };
    static float want[MAX_VOCAB];
    lory_err err = { 0 };
    lory_model_info info;
    buf bytes = { 0 };
    make_file("golden/deepseek-v2/model-bf16.gguf", true, QT_F32, NULL);
    lory_model *m = lory_model_open(test_temp("pieces.gguf"), &err);
    REQUIRE(m, "%s", err.text);
    lory_model_get_info(m, &info);
    for (int i = 0; i < 2; i++) {
        lory_session *s =
            lory_session_new(m, &(lory_session_params){ .n_ctx = 64, .n_threads = 1 }, &err);
        REQUIRE(s, "%s", err.text);
        CHECK(i ? lory_session_read_state(s, bytes.data, bytes.len, &err)
                : lory_session_eval(s, ids, 7, &err),
              "%s", err.text);
        if (i == 0) CHECK(lory_session_write_state(s, 7, keep_bytes, &bytes, &err), "%s", err.text);
        CHECK(lory_session_eval(s, ids + 7, 1, &err), "%s", err.text);
        if (i == 0) memcpy(want, lory_session_logits(s), (size_t)info.n_vocab * sizeof *want);
        CHECK_SAME(lory_session_logits(s), want, (size_t)info.n_vocab * sizeof *want, "state");
        lory_session_free(s);
    }
    buf_free(&bytes);
    lory_model_close(m);
}

/* A key of 576 numbers, say, and not 128 keys of 192 with as many values. */
TEST(latents_are_all_that_is_cached)
{
    lory_err err = { 0 };
    lory_memory_plan whole, latent;
    lory_session_params p = { .n_ctx = 256, .cache_type = LORY_CACHE_F32 };
    make_file("golden/deepseek-v2/model-bf16.gguf", true, QT_F32, NULL);
    lory_model *a = lory_model_open(test_vector("golden/deepseek-v2/model-bf16.gguf"), &err);
    lory_model *b = lory_model_open(test_temp("pieces.gguf"), &err);
    REQUIRE(a && b, "%s", err.text);
    REQUIRE(lory_plan_memory(a, &p, &whole, &err) && lory_plan_memory(b, &p, &latent, &err), "%s",
            err.text);
    lory_model_info info;
    lory_model_get_info(b, &info);
    CHECK(latent.kv_bytes == 256 * 4 * (uint64_t)(RANK + N_ROT) * (uint64_t)info.n_layer,
          "%llu bytes", (unsigned long long)latent.kv_bytes);
    CHECK(whole.kv_bytes > 2 * latent.kv_bytes);
    lory_model_close(a);
    lory_model_close(b);
}
