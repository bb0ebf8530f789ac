/* family_check.c - see family_check.h. */
#include "family_check.h"
#include "lory.h"
#include "model/model.h"
#include <math.h>

const int family_text[FAMILY_N] = { 3, 17, 4, 4, 31, 0, 22, 39, 8 };

typedef struct {
    const double *want;
    double max_diff;
    int n_rows;
    float logits[FAMILY_N * REF_VOCAB];
} comparison;

static bool on_logits(void *user, size_t pos, const float *logits)
{
    comparison *c = user;
    for (int i = 0; i < REF_VOCAB; i++)
        c->max_diff =
            fmax(c->max_diff, fabs(c->want[pos * REF_VOCAB + (size_t)i] - (double)logits[i]));
    memcpy(c->logits + pos * REF_VOCAB, logits, REF_VOCAB * sizeof *logits);
    c->n_rows++;
    return true;
}

static double range_of(const double *v, int n)
{
    double low = v[0], high = v[0];
    for (int i = 1; i < n; i++) low = fmin(low, v[i]), high = fmax(high, v[i]);
    return high - low;
}

static void ignore_input(void *user, const lory_matmul_input *in, int ith, int nth)
{
    (void)user, (void)in, (void)ith, (void)nth;
}

/* `near`: a share of the range of what is wanted. */
static void run_near(const char *path, const char *arch, const double *want, double near)
{
    static const struct {
        int by, n_threads; /* tokens at a time */
        bool is_fused;
    } ways[] = { { FAMILY_N, 1, true },
                 { 1, 1, true },
                 { 1, 3, true },
                 { 4, 2, true },
                 { FAMILY_N, 2, false } };
    static comparison first;
    lory_err err = { 0 };
    lory_token ids[FAMILY_N];
    for (int i = 0; i < FAMILY_N; i++) ids[i] = family_text[i];
    lory_model *m = lory_model_open(path, &err);
    REQUIRE(m, "%s: %s", arch, err.text);
    for (size_t w = 0; w < sizeof ways / sizeof ways[0]; w++) {
        lory_session_params params = { .n_ctx = 64,
                                       .cache_type = LORY_CACHE_F32,
                                       .n_threads = ways[w].n_threads,
                                       .on_input = ways[w].is_fused ? NULL : ignore_input };
        comparison c = { .want = want };
        lory_session *s = lory_session_new(m, &params, &err);
        REQUIRE(s, "%s: %s", arch, err.text);
        for (int i = 0; i < FAMILY_N; i += ways[w].by) {
            int n = FAMILY_N - i < ways[w].by ? FAMILY_N - i : ways[w].by;
            CHECK(lory_session_eval_all(s, ids + i, (size_t)n, on_logits, &c, &err), "%s: %s", arch,
                  err.text);
        }
        if (w == 0) first = c;
        CHECK(c.n_rows == FAMILY_N && c.max_diff < near * range_of(want, FAMILY_N * REF_VOCAB),
              "%s, %d at a time: differs by %g of %g", arch, ways[w].by, c.max_diff,
              range_of(want, FAMILY_N * REF_VOCAB));
        CHECK_SAME(c.logits, first.logits, sizeof c.logits, "%s, %d at a time, %d threads", arch,
                   ways[w].by, ways[w].n_threads);
        lory_session_free(s);
    }
    lory_model_close(m);
}

void family_run(const char *path, const char *arch, const double *want)
{
    run_near(path, arch, want, 2e-6);
}

/* Rounding may choose other experts. */
void family_run_rounded(const char *path, const char *arch, const double *want)
{
    run_near(path, arch, want, 1.0);
}

/* As another type of weights. */
static void check_type(const hf_test *f, qtype type, const char *arch, const double *want)
{
    char out[500];
    gguf g;
    buf notes = { 0 };
    lory_err err = { 0 };
    REQUIRE(hf_make(f, type, &g, &notes, &err), "%s: %s", arch, err.text);
    gguf_close(&g);
    buf_free(&notes);
    snprintf(out, sizeof out, "%s.gguf", f->path);
    family_run_rounded(out, arch, want);
}

void family_check(const ref_spec *s, const char *arch)
{
    static double want[FAMILY_N * REF_VOCAB];
    char out[500];
    gguf g;
    buf notes = { 0 };
    lory_err err = { 0 };
    gguf_str name = { "", 0 };
    hf_test f = ref_run(s, arch, family_text, FAMILY_N, want);
    REQUIRE(hf_make(&f, RETYPE_KEEP, &g, &notes, &err), "%s: %s", arch, err.text);
    CHECK(gguf_get_str(&g, "general.architecture", &name, &err) && gguf_str_is(name, arch));
    bool has_unused = notes.data && strstr(notes.data, "not used");
    CHECK(has_unused == (s->beside[0] != NULL), "%s: %s", arch, notes.data);
    gguf_close(&g);
    buf_free(&notes);
    snprintf(out, sizeof out, "%s.gguf", f.path);
    family_run(out, arch, want);
    check_type(&f, QT_Q8_0, arch, want);
}

void family_check_rewritten(const ref_spec *s, const char *arch,
                            void (*rewrite)(const gguf *g, const char *path))
{
    static double want[FAMILY_N * REF_VOCAB];
    char out[500];
    gguf g;
    buf notes = { 0 };
    lory_err err = { 0 };
    hf_test f = ref_run(s, arch, family_text, FAMILY_N, want);
    REQUIRE(hf_make(&f, RETYPE_KEEP, &g, &notes, &err), "%s: %s", arch, err.text);
    snprintf(out, sizeof out, "%s/rewritten.gguf", f.path);
    rewrite(&g, out);
    gguf_close(&g);
    buf_free(&notes);
    family_run(out, arch, want);
}

void family_put_tensors(gguf_writer *w, const gguf *g)
{
    lory_err err;
    for (size_t i = 0; i < g->n_tensors; i++) {
        const gguf_tensor *t = &g->tensors[i];
        gguf_add_tensor(w, t->name, t->type, t->n_dims, t->ne);
    }
    REQUIRE(gguf_begin_data(w, &err), "%s", err.text);
    for (size_t i = 0; i < g->n_tensors; i++)
        CHECK(gguf_write_data(w, g->tensors[i].data, g->tensors[i].n_bytes, &err), "%s", err.text);
    REQUIRE(gguf_commit(w, &err), "%s", err.text);
}

void family_refuses(const ref_spec *s, const char *key, uint32_t value, const char *want)
{
    static double unused[FAMILY_N * REF_VOCAB];
    char out[500];
    gguf g;
    gguf_writer w;
    buf notes = { 0 };
    lory_err err = { 0 };
    hf_test f = ref_run(s, "hostile", family_text, FAMILY_N, unused);
    REQUIRE(hf_make(&f, RETYPE_KEEP, &g, &notes, &err), "%s", err.text);
    snprintf(out, sizeof out, "%s/hostile.gguf", f.path);
    REQUIRE(gguf_create(&w, out, &err), "%s", err.text);
    for (size_t i = 0; i < g.n_kv; i++)
        if (!gguf_str_is(g.kv[i].key, key)) gguf_put_kv(&w, &g.kv[i]);
    if (value > 0) gguf_put_u32(&w, key, value);
    family_put_tensors(&w, &g);
    gguf_close(&g);
    buf_free(&notes);
    lory_model *m = lory_model_open(out, &err);
    CHECK(!m && strstr(err.text, want), "got \"%s\", want \"%s\"", err.text, want);
    lory_model_close(m);
}

static void write_wrong(const char *from, const char *to, const family_wrong *c)
{
    lory_err err = { 0 };
    gguf g;
    gguf_writer w;
    bool ok = gguf_open(&g, from, &err) && gguf_create(&w, to, &err);
    REQUIRE(ok, "%s", err.text);
    for (size_t i = 0; i < g.n_kv; i++)
        if (!c->key || !gguf_str_is(g.kv[i].key, c->key)) gguf_put_kv(&w, &g.kv[i]);
    if (c->key && c->value >= 0) gguf_put_u32(&w, c->key, (uint32_t)c->value);
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; ok && i < g.n_tensors; i++) {
            const gguf_tensor *t = &g.tensors[i];
            bool turns = c->turned && gguf_str_is(t->name, c->turned);
            int64_t ne[] = { t->ne[turns], t->ne[!turns], t->ne[2], t->ne[3] };
            if (c->lost && gguf_str_is(t->name, c->lost)) continue;
            if (pass == 0)
                gguf_add_tensor(&w, t->name, t->type, turns ? 2 : t->n_dims, ne);
            else
                ok = gguf_write_data(&w, t->data, t->n_bytes, &err);
        }
        if (pass == 0) ok = gguf_begin_data(&w, &err);
    }
    REQUIRE(ok && gguf_commit(&w, &err), "%s", err.text);
    gguf_close(&g);
}

void family_check_wrong(const ref_spec *s, const char *name, const family_wrong *c, size_t n)
{
    model m;
    char from[500], to[500], want[700];
    double logits[REF_VOCAB];
    gguf g;
    buf notes = { 0 };
    lory_err first = { 0 };
    hf_test f = ref_run(s, name, family_text, 1, logits);
    REQUIRE(hf_make(&f, RETYPE_KEEP, &g, &notes, &first), "%s", first.text);
    gguf_close(&g);
    buf_free(&notes);
    snprintf(from, sizeof from, "%s.gguf", f.path);
    for (size_t i = 0; i < n; i++) {
        lory_err err = { 0 };
        snprintf(to, sizeof to, "%s", test_temp("wrong.gguf"));
        write_wrong(from, to, &c[i]);
        snprintf(want, sizeof want, "%s: %s", to, c[i].want);
        CHECK(!model_open(&m, to, NULL, &err), "case %zu of %s", i, name);
        CHECK_STR(err.text, want);
    }
}
