/* test_golden.c - logits against float64 references: tests/vectors/golden, and all of the LLaMA
 * family in ../shared/golden where that is there. */
#include "base/file.h"
#include "lory.h"
#include "test.h"
#include "text/json.h"
#include <dirent.h>
#include <math.h>
#include <stdlib.h>

typedef struct {
    const json *rows; /* position -> logits */
    const json *argmax, *nll;
    const lory_token *ids;
    int n_vocab, n_tok;
    double max_diff, sum_kl, nll_sum;
    int n_rows, n_argmax;
    bool is_finite;
} comparison;

static double log_sum_exp(const float *x, int n)
{
    double max = x[0], sum = 0.0;
    for (int i = 1; i < n; i++)
        if (x[i] > max) max = x[i];
    for (int i = 0; i < n; i++) sum += exp(x[i] - max);
    return max + log(sum);
}

/* KL(want || got), and the largest difference, of one row. */
static void compare_row(comparison *c, const json *row, const float *got)
{
    float *want = calloc((size_t)c->n_vocab, sizeof *want);
    const json *v = row->first;
    for (int i = 0; i < c->n_vocab && v; i++, v = v->next) {
        want[i] = (float)v->num;
        double diff = fabs((double)got[i] - v->num);
        if (!(diff <= c->max_diff)) c->max_diff = diff;
    }
    double lw = log_sum_exp(want, c->n_vocab), lg = log_sum_exp(got, c->n_vocab);
    for (int i = 0; i < c->n_vocab; i++)
        c->sum_kl += exp(want[i] - lw) * ((want[i] - lw) - (got[i] - lg));
    c->n_rows++;
    free(want);
}

static const json *at(const json *array, int i)
{
    const json *v = array->first;
    while (v && i-- > 0) v = v->next;
    return v;
}

static bool on_logits(void *user, size_t pos, const float *logits)
{
    comparison *c = user;
    char key[16];
    int best = 0;
    for (int i = 0; i < c->n_vocab; i++) {
        if (logits[i] > logits[best]) best = i;
        if (!isfinite(logits[i])) c->is_finite = false;
    }
    c->n_argmax += best == (int)at(c->argmax, (int)pos)->i;
    if ((int)pos + 1 < c->n_tok)
        c->nll_sum += log_sum_exp(logits, c->n_vocab) - logits[c->ids[pos + 1]];
    snprintf(key, sizeof key, "%zu", pos);
    const json *row = json_get(c->rows, key);
    if (row) compare_row(c, row, logits);
    return true;
}

/* max_diff 0 = quantised weights, where only the mean KL of all rows counts. */
static void check_case(lory_model *m, const json *g, const char *name, double max_diff,
                       comparison *total)
{
    lory_err err;
    lory_model_info info;
    int64_t n_tok = 0;
    double nll_sum = 0.0;
    lory_model_get_info(m, &info);
    REQUIRE(json_get_int(json_get(g, "n_tokens"), &n_tok) && n_tok > 0);
    lory_token *ids = calloc((size_t)n_tok, sizeof *ids);
    for (int i = 0; i < n_tok; i++) ids[i] = (lory_token)at(json_get(g, "tokens"), i)->i;
    comparison c = { .rows = json_get(g, "logits_rows"), .argmax = json_get(g, "argmax"),
                     .ids = ids, .n_vocab = info.n_vocab, .n_tok = (int)n_tok, .is_finite = true };
    lory_session *s = lory_session_new(
        m, &(lory_session_params){ .n_ctx = 300, .cache_type = LORY_CACHE_F32, .n_threads = 2 },
        &err);
    REQUIRE(s, "%s: %s", name, err.text);
    CHECK(lory_session_eval_all(s, ids, (size_t)n_tok, on_logits, &c, &err), "%s", err.text);
    CHECK(c.is_finite, "%s: logits are not finite", name);
    CHECK(c.n_rows > 0, "%s: no row was compared", name);
    if (getenv("VERBOSE"))
        fprintf(stderr, "%s %d: max diff %.2e, mean KL %.2e, argmax %d/%d\n", name, (int)n_tok,
                c.max_diff, c.sum_kl / c.n_rows, c.n_argmax, (int)n_tok);
    if (max_diff > 0) {
        CHECK(c.max_diff <= max_diff, "%s, %d tokens: max |diff| %g (at most %g)", name, (int)n_tok,
              c.max_diff, max_diff);
        CHECK(c.n_argmax == n_tok, "%s: argmax agrees in %d of %d", name, c.n_argmax, (int)n_tok);
        REQUIRE(json_get_num(json_get(g, "nll_sum"), &nll_sum));
        CHECK(fabs(c.nll_sum - nll_sum) < 1e-4 * (double)n_tok, "%s: nll %g, want %g", name,
              c.nll_sum, nll_sum);
    }
    total->sum_kl += c.sum_kl;
    total->n_rows += c.n_rows;
    lory_session_free(s);
    free(ids);
}

/* Greedy generation of 64 tokens, up to the first step whose margin is within the noise. */
static void check_greedy(lory_model *m, const json *g, const char *name)
{
    enum { N = 64 };
    lory_err err;
    lory_token ids[1024];
    int64_t n_tok = 0;
    const json *want = json_get(g, "greedy_continuation"), *margins = json_get(g, "greedy_margins");
    if (!want || !margins) return;
    json_get_int(json_get(g, "n_tokens"), &n_tok);
    for (int i = 0; i < n_tok; i++) ids[i] = (lory_token)at(json_get(g, "tokens"), i)->i;
    lory_session *s = lory_session_new(
        m, &(lory_session_params){ .n_ctx = 300, .cache_type = LORY_CACHE_F32, .n_threads = 1 },
        &err);
    REQUIRE(s, "%s: %s", name, err.text);
    CHECK(lory_session_eval(s, ids, (size_t)n_tok, &err));
    for (int i = 0; i < N && at(margins, i)->num > 1e-3; i++) {
        const float *logits = lory_session_logits(s);
        lory_model_info info;
        lory_token best = 0;
        lory_model_get_info(m, &info);
        for (int j = 1; j < info.n_vocab; j++)
            if (logits[j] > logits[best]) best = j;
        CHECK(best == at(want, i)->i, "%s: greedy token %d is %d, want %d", name, i, best,
              (int)at(want, i)->i);
        REQUIRE(lory_session_eval(s, &best, 1, &err), "%s", err.text);
    }
    lory_session_free(s);
}

/* folder/model-TYPE.gguf against folder/JSON; a bound of 0 is not asked. */
static void check_model(const char *folder, const char *type, const char *json_name,
                        double max_diff, double mean_kl)
{
    comparison total = { 0 };
    lory_err err;
    buf text = { 0 };
    json_doc d;
    char path[600];
    snprintf(path, sizeof path, "%s/%s", folder, json_name);
    REQUIRE(file_read(path, 1u << 28, &text, &err), "%s", err.text);
    REQUIRE(json_read(&d, text.data, text.len, path, &err), "%s", err.text);
    snprintf(path, sizeof path, "%s/model-%s.gguf", folder, type);
    lory_model *m = lory_model_open(path, &err);
    REQUIRE(m, "%s", err.text);
    for (const json *c = json_get(d.root, "cases")->first; c; c = c->next) {
        check_case(m, c, path, max_diff, &total);
        if (max_diff > 0) check_greedy(m, c, path);
    }
    if (mean_kl > 0)
        CHECK(total.sum_kl / total.n_rows <= mean_kl, "%s: mean KL %g (at most %g)", path,
              total.sum_kl / total.n_rows, mean_kl);
    lory_model_close(m);
    json_close(&d);
    buf_free(&text);
}

static const char *folder_of(const char *model)
{
    char name[64];
    snprintf(name, sizeof name, "golden/%s", model);
    return test_vector(name);
}

static void check_exact(const char *model, const char *type)
{
    check_model(folder_of(model), type, "golden.json", 1e-4, 0);
}

TEST(logits_of_plain_llama_models_match_float64)
{
    check_exact("llama-mha", "f32");
    check_exact("llama-gqa-tied", "bf16");
    check_exact("llama-bias", "bf16");
    check_exact("mistral-full", "bf16");
}

TEST(logits_with_scaled_rope_match_float64)
{
    check_exact("llama-linear", "bf16");
    check_exact("llama3-ropescale", "bf16");
    check_exact("qwen2-yarn", "bf16");
}

TEST(logits_of_qwen_models_match_float64)
{
    check_exact("qwen2", "bf16");
    check_exact("qwen3", "bf16");
}

TEST(logits_of_other_families_match_float64)
{
    check_exact("gemma3", "bf16");
    check_exact("phi3", "bf16");
    check_exact("phi3-longrope", "bf16");
    check_exact("bloom", "bf16");
    check_exact("falcon", "bf16");
    check_exact("granite", "bf16");
    check_exact("olmo2", "bf16");
    check_exact("deepseek-v2", "bf16");
    check_exact("qwen2-moe", "bf16");
}

/* Mean KL to the float64 logits of the same dequantised weights: what rounding activations to int8
 * costs. The bounds are llama.cpp's own figures (golden/README.md), which are means over all rows;
 * the vectors keep a handful of them, hence the slack. */
static const double slack = 1.25;

TEST(quantised_models_lose_no_more_than_llama_cpp)
{
    check_model(folder_of("llama-mha"), "q4_0", "golden_q4_0.json", 0, slack * 0.00166);
    check_model(folder_of("llama-mha"), "q8_0", "golden_q8_0.json", 0, slack * 0.00131);
    check_model(folder_of("llama-gqa-tied"), "q4_0", "golden_q4_0.json", 0, slack * 0.00418);
    check_model(folder_of("llama-gqa-tied"), "q8_0", "golden_q8_0.json", 0, slack * 0.00417);
}

/* The same against the logits of the unquantised weights, of which llama.cpp is as far. */
TEST(quantised_models_of_other_families_are_no_further_than_llama_cpps)
{
    check_model(folder_of("gemma2"), "q4_0", "golden.json", 0, slack * 0.4417);
    check_model(folder_of("gpt2"), "q8_0", "golden.json", 0, slack * 0.00339);
    check_model(folder_of("mixtral"), "q4_0", "golden.json", 0, slack * 0.3523);
    check_model(folder_of("chatglm1"), "q8_0", "golden.json", 0, 0.0015); /* llama.cpp has none */
}

/* Each type of llama-k256 with llama.cpp's mean KL. */
static const struct {
    const char *type;
    double mean_kl;
} k256[] = {
    { "iq1_m", 0.0022 },  { "iq1_s", 0.0022 },    { "iq2_s", 0.0025 },   { "iq2_xs", 0.0020 },
    { "iq2_xxs", 0.0021 }, { "iq3_s", 0.0023 },   { "iq3_xxs", 0.0021 }, { "iq4_nl", 0.00084 },
    { "iq4_xs", 0.0019 }, { "q2_k", 0.0021 },     { "q3_k", 0.0017 },    { "q4_0", 0.00096 },
    { "q4_1", 0.001 },    { "q4_k", 0.0022 },     { "q4_k_m-mix", 0.0023 }, { "q5_0", 0.00083 },
    { "q5_1", 0.00084 },  { "q5_k", 0.0021 },     { "q6_k", 0.0024 },    { "q8_0", 0.00083 },
    { "tq1_0", 0.0025 },  { "tq2_0", 0.0025 },
};

TEST(every_quantised_type_runs_within_llama_cpps_loss)
{
    const char *shared = test_shared("golden/llama-k256");
    int n_checked = 0;
    for (size_t i = 0; i < sizeof k256 / sizeof k256[0]; i++) {
        const char *folder = shared ? shared : folder_of("llama-k256");
        char json_name[64], path[600];
        snprintf(json_name, sizeof json_name, "golden_%s.json", k256[i].type);
        snprintf(path, sizeof path, "%s/%s", folder, json_name);
        if (!file_exists(path)) continue;
        check_model(folder, k256[i].type, json_name, 0, slack * k256[i].mean_kl);
        n_checked++;
    }
    CHECK(n_checked >= 5, "only %d types were there", n_checked);
}

/* Every folder of ../shared/golden that has a model in f32 or bf16. */
TEST(every_family_matches_float64)
{
    const char *root = test_shared("golden");
    if (!root) test_skip("../shared/golden is not there");
    DIR *dir = opendir(root);
    int n_checked = 0;
    REQUIRE(dir);
    for (struct dirent *d; (d = readdir(dir));) {
        static const char *const types[] = { "f32", "bf16" };
        char folder[300], path[400];
        snprintf(folder, sizeof folder, "%s/%.100s", root, d->d_name);
        for (int i = 0; i < 2; i++) {
            snprintf(path, sizeof path, "%s/model-%s.gguf", folder, types[i]);
            if (!file_exists(path)) continue;
            check_model(folder, types[i], "golden.json", 1e-4, 0);
            n_checked++;
        }
    }
    closedir(dir);
    CHECK(n_checked > 0);
}
