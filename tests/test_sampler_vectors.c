/* test_sampler_vectors.c - the stages give what the reference vectors of ../shared have. */
#include "base/buf.h"
#include "base/file.h"
#include "sample/candidates.h"
#include "sampler_bench.h"
#include "test.h"
#include "text/json.h"
#include "tiny_vocab.h"
#include <math.h>
#include <stdlib.h>

static double num(const json *j, const char *key, double otherwise)
{
    double x = otherwise;
    json_get_num(json_get(j, key), &x);
    return x;
}

/* What a sampler of the file is here; its parameters are named differently there. */
typedef struct {
    const char *name;
    stage_fn apply;
} vector_row;

static const vector_row vector_rows[] = {
    { "temp", stage_temperature },
    { "temp_ext", stage_temperature },
    { "top_k", stage_top_k },
    { "top_p", stage_top_p },
    { "min_p", stage_min_p },
    { "typical", stage_typical },
    { "xtc", stage_xtc },
    { "penalties", stage_penalties },
    { "dry", stage_dry },
    { "top_n_sigma", stage_top_n_sigma },
};

static stage_fn find_stage(const json *vector)
{
    for (size_t i = 0; i < sizeof vector_rows / sizeof vector_rows[0]; i++)
        if (json_str_is(json_get(vector, "sampler"), vector_rows[i].name))
            return vector_rows[i].apply;
    return NULL;
}

static void read_params(bench *b, const json *vector)
{
    const json *from = json_get(vector, "params");
    lory_sampler_params *p = &b->params;
    p->temp = (float)num(from, "temp", 1);
    p->dynatemp_range = (float)num(from, "delta", 0);
    p->dynatemp_exponent = (float)num(from, "exponent", 1);
    p->top_k = (int)num(from, "k", 0);
    p->top_p = p->min_p = p->typical = (float)num(from, "p", 0);
    p->top_n_sigma = (float)num(from, "n", 0);
    p->xtc_probability = (float)num(from, "probability", 0);
    p->xtc_threshold = (float)num(from, "threshold", 0);
    b->draw.u_xtc = num(from, "chance", 0);
    p->repeat_penalty = (float)num(from, "repeat", 1);
    p->frequency_penalty = (float)num(from, "freq", 0);
    p->presence_penalty = (float)num(from, "present", 0);
    p->repeat_last_n = (int)num(from, "last_n", -1);
    p->dry_multiplier = (float)num(from, "multiplier", 0);
    p->dry_base = (float)num(from, "base", 0);
    p->dry_allowed_length = (int)num(from, "allowed_length", 0);
    p->dry_penalty_last_n = (int)num(from, "penalty_last_n", 0);
    const json *tokens = json_get(vector, "last_tokens");
    for (const json *t = tokens ? tokens->first : NULL; t; t = t->next)
        b->history[b->draw.n_history++] = (lory_token)t->i;
}

/* What the chain would do: leave a stage out where its parameter says off. */
static bool is_off(stage_fn f, const lory_sampler_params *p)
{
    return (f == stage_top_k && p->top_k <= 0) || (f == stage_top_p && p->top_p >= 1)
           || (f == stage_min_p && p->min_p <= 0) || (f == stage_typical && p->typical >= 1)
           || (f == stage_top_n_sigma && p->top_n_sigma <= 0)
           || (f == stage_dry && p->dry_multiplier <= 0)
           || (f == stage_xtc && (p->xtc_probability <= 0 || p->xtc_threshold > 0.5f));
}

/* The vectors' breakers are lists of tokens: here the texts of a vocabulary whose first tokens are
 * the bytes. */
static void apply_dry(bench *b, const json *vector)
{
    tiny_vocab v;
    lory_err err;
    dry_breakers breakers;
    char text[4][8];
    const char *texts[4];
    size_t n = 0;
    const json *lists = json_get(json_get(vector, "params"), "breakers");
    for (const json *l = lists->first; l; l = l->next) {
        size_t n_bytes = 0;
        for (const json *t = l->first; t; t = t->next) text[n][n_bytes++] = (char)t->i;
        text[n][n_bytes] = 0;
        texts[n] = text[n];
        n++;
    }
    REQUIRE(tiny_vocab_open(&v, TINY_BPE, &err) && dry_breakers_copy(&breakers, texts, n, &err));
    breakers.t = &v.t;
    b->draw.breakers = &breakers;
    stage_dry(&b->draw);
    dry_breakers_free(&breakers);
    tiny_vocab_close(&v);
}

static bench *run_vector(const json *vector, const json *values, bool are_probs)
{
    stage_fn apply = find_stage(vector);
    if (!apply) return NULL;
    bench *b = bench_new((int)values->n);
    int n = 0;
    for (const json *v = values->first; v; v = v->next)
        b->logit[n++] = (float)(are_probs ? log(v->num) : v->num);
    read_params(b, vector);
    if (!is_off(apply, &b->params) && apply == stage_dry) apply_dry(b, vector);
    else if (!is_off(apply, &b->params)) apply(&b->draw);
    return b;
}

static double p_of(const bench *b, softmax_sum s, lory_token id)
{
    for (int i = 0; i < b->draw.c.n; i++)
        if (b->id[i] == id) return b->p[i] / s.sum;
    return 0;
}

static bool read_vectors(json_doc *doc)
{
    buf text = { 0 };
    lory_err err = { 0 };
    const char *path = test_shared("templates/samplers.json");
    if (!path) {
        test_skip("../shared/templates/samplers.json is not there");
        return false;
    }
    bool ok =
        file_read(path, 1 << 24, &text, &err) && json_read(doc, text.data, text.len, path, &err);
    CHECK(ok, "%s", err.text);
    buf_free(&text);
    return ok;
}

/* expected_probs[i] belongs to expected_ids[i]; after xtc and typical they are the original
 * probabilities, so both are scaled to sum 1. */
static void check_probs(bench *b, const json *vector)
{
    const json *probs = json_get(vector, "expected_probs");
    const json *ids = json_get(vector, "expected_ids");
    double total = 0;
    softmax_sum s = candidates_softmax(&b->draw.c);
    for (const json *p = probs->first; p; p = p->next) total += p->num;
    for (const json *p = probs->first, *id = ids->first; p; p = p->next, id = id->next) {
        double got = p_of(b, s, (lory_token)id->i), want = p->num / total;
        CHECK(fabs(got - want) < 2e-5, "%s: p of %d is %g, want %g",
              json_get(vector, "sampler")->str, (int)id->i, got, want);
    }
}

TEST(llama_cpp_vectors_are_reproduced)
{
    json_doc doc;
    int n_checked = 0;
    if (!read_vectors(&doc)) return;
    for (const json *v = json_get(doc.root, "llama_cpp")->first; v; v = v->next) {
        bench *b = run_vector(v, json_get(v, "probs"), true);
        if (!b) continue;
        check_probs(b, v);
        free(b);
        n_checked++;
    }
    CHECK(n_checked == 24, "%d checked", n_checked);
    json_close(&doc);
}

static void check_top(bench *b, const json *vector)
{
    int64_t n_finite = -1;
    int n = 0;
    softmax_sum s = candidates_softmax(&b->draw.c);
    for (int i = 0; i < b->draw.c.n; i++) n += b->logit[i] > -INFINITY;
    json_get_int(json_get(vector, "expected_count_finite"), &n_finite);
    CHECK(n == n_finite, "%s: %d left, want %d", json_get(vector, "sampler")->str, n,
          (int)n_finite);
    for (const json *pair = json_get(vector, "expected_top")->first; pair; pair = pair->next) {
        lory_token id = (lory_token)pair->first->i;
        double got = p_of(b, s, id), want = pair->first->next->num;
        CHECK(fabs(got - want) < 3e-6, "%s: p of %d is %.7f, want %.7f",
              json_get(vector, "sampler")->str, id, got, want);
    }
}

TEST(generated_vectors_are_reproduced)
{
    json_doc doc;
    int n_checked = 0;
    if (!read_vectors(&doc)) return;
    for (const json *v = json_get(doc.root, "generated")->first; v; v = v->next) {
        bench *b = run_vector(v, json_get(v, "logits"), false);
        if (!b) continue;
        check_top(b, v);
        free(b);
        n_checked++;
    }
    CHECK(n_checked == 240, "%d checked", n_checked);
    json_close(&doc);
}

static void run_queue(bench *b, const char *letters)
{
    for (const char *c = letters; *c; c++) {
        stage_fn f = *c == 'k' ? stage_top_k : *c == 'p' ? stage_top_p : stage_min_p;
        if (!is_off(f, &b->params)) f(&b->draw);
    }
}

TEST(queue_vectors_are_reproduced)
{
    json_doc doc;
    int n_checked = 0;
    if (!read_vectors(&doc)) return;
    for (const json *v = json_get(doc.root, "queue")->first; v; v = v->next, n_checked++) {
        int n = (int)num(v, "n_vocab", 0);
        REQUIRE(n == BENCH_MAX_N);
        bench *b = bench_new(n);
        for (int i = 0; i < n; i++) b->logit[i] = logf((float)i);
        b->params.top_k = (int)num(v, "top_k", 0);
        b->params.top_p = (float)num(v, "top_p", 1);
        b->params.min_p = (float)num(v, "min_p", 0);
        const char *letters = json_get(v, "samplers")->str;
        run_queue(b, letters);
        int last = b->draw.c.n - 1;
        CHECK(b->draw.c.n == (int)num(v, "expected_size", 0), "%s: %d left", letters, last + 1);
        CHECK(b->id[0] == (int)num(v, "expected_min_id", 0), "%s: from %d", letters, b->id[0]);
        CHECK(b->id[last] == (int)num(v, "expected_max_id", 0), "%s: to %d", letters, b->id[last]);
        free(b);
    }
    CHECK(n_checked == 15);
    json_close(&doc);
}
