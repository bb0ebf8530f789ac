/* test_sampler.c - each stage does what its formula says, and a draw is what its contract says. */
#include "base/mem.h"
#include "base/rng.h"
#include "sample/candidates.h"
#include "sample/chain.h"
#include "sampler_bench.h"
#include "test.h"
#include <limits.h>
#include <math.h>
#include <stdlib.h>

static bench *bench_of(int n, const float *logits)
{
    bench *b = bench_new(n);
    memcpy(b->logit, logits, (size_t)n * sizeof *logits);
    return b;
}

/* Logits that give these probabilities. */
static bench *bench_of_p(int n, const double *p)
{
    bench *b = bench_new(n);
    for (int i = 0; i < n; i++) b->logit[i] = (float)log(p[i]);
    return b;
}

static void check_ids(bench *b, int n, const lory_token *want, const char *what)
{
    CHECK(b->draw.c.n == n, "%s: %d candidates left, want %d", what, b->draw.c.n, n);
    for (int i = 0; i < n && i < b->draw.c.n; i++)
        CHECK(b->id[i] == want[i], "%s: candidate %d is %d, want %d", what, i, b->id[i], want[i]);
    free(b);
}

#define CHECK_IDS(b, what, ...)                                                                    \
    check_ids(b, sizeof((lory_token[]){ __VA_ARGS__ }) / sizeof(lory_token),                       \
              (lory_token[]){ __VA_ARGS__ }, what)

/* ---- single stages ------------------------------------------------------------------------- */

static bench *with_top_k(int k, int n, const float *logits)
{
    bench *b = bench_of(n, logits);
    b->params.top_k = k;
    stage_top_k(&b->draw);
    return b;
}

TEST(top_k_keeps_the_k_largest_and_of_equals_the_lower_ids)
{
    static const float l[] = { 1, -3, 7, 7, 0, 7, -0.0f, 2 };
    CHECK_IDS(with_top_k(1, 8, l), "k 1", 2);
    CHECK_IDS(with_top_k(2, 8, l), "k 2", 2, 3);
    CHECK_IDS(with_top_k(4, 8, l), "k 4", 2, 3, 5, 7);
    CHECK_IDS(with_top_k(6, 8, l), "k 6, 0 and -0 are equal", 0, 2, 3, 4, 5, 7);
    CHECK_IDS(with_top_k(7, 8, l), "k 7", 0, 2, 3, 4, 5, 6, 7);
    CHECK_IDS(with_top_k(99, 8, l), "k 99", 0, 1, 2, 3, 4, 5, 6, 7);
}

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

static const float *sort_logits;
static int best_first(const void *a_, const void *b_)
{
    lory_token a = *(const lory_token *)a_, b = *(const lory_token *)b_;
    if (sort_logits[a] != sort_logits[b]) return sort_logits[a] > sort_logits[b] ? -1 : 1;
    return a - b;
}

static int by_id(const void *a, const void *b)
{
    return *(const lory_token *)a - *(const lory_token *)b;
}

/* Logits of many shapes: spread, nearly equal, a few values only, huge, with -inf. */
static void fill_shape(float *l, int n, int shape, uint32_t *state)
{
    for (int i = 0; i < n; i++) {
        float x = (float)next_random(state) / (1 << 24) - 0.5f;
        l[i] = shape == 0   ? 20 * x
               : shape == 1 ? 5 + x * 1e-5f
               : shape == 2 ? floorf(4 * x)
               : shape == 3 ? (float)(x * 6e38)
               : x < 0      ? -INFINITY
                            : x;
    }
}

TEST(top_k_and_top_p_agree_with_a_full_sort)
{
    uint32_t state = 7;
    for (int trial = 0; trial < 300; trial++) {
        uint32_t max_n = trial % 4 ? 1000 : BENCH_MAX_N; /* large ones are thinned out before */
        int n = 1 + (int)(next_random(&state) % max_n), k = 1 + (int)(next_random(&state) % 1000);
        static float logits[BENCH_MAX_N];
        static lory_token order[BENCH_MAX_N];
        fill_shape(logits, n, trial % 5, &state);
        if (logits[0] == -INFINITY) logits[0] = 1;
        for (int i = 0; i < n; i++) order[i] = i;
        sort_logits = logits;
        qsort(order, (size_t)n, sizeof order[0], best_first);

        bench *b = bench_of(n, logits); /* top-p first: its size depends on the order */
        b->params.top_p = (float)(k % 100) / 100;
        double mass = 0, target = (k % 100) / 100.0 * candidates_softmax(&b->draw.c).sum;
        int n_p = 0;
        do mass += b->p[order[n_p++]];
        while (mass < target * (1 - 1e-12) && n_p < n);
        stage_top_p(&b->draw);
        qsort(order, (size_t)n_p, sizeof order[0], by_id);
        check_ids(b, n_p, order, "top-p");

        for (int i = 0; i < n; i++) order[i] = i;
        qsort(order, (size_t)n, sizeof order[0], best_first);
        if (k > n) k = n;
        qsort(order, (size_t)k, sizeof order[0], by_id);
        check_ids(with_top_k(k, n, logits), k, order, "top-k");
        if (test_failed()) return;
    }
}

static bench *with_top_p(float top_p, int n, const double *p)
{
    bench *b = bench_of_p(n, p);
    b->params.top_p = top_p;
    stage_top_p(&b->draw);
    return b;
}

TEST(top_p_keeps_the_fewest_that_reach_p)
{
    static const double p[] = { 0.1, 0.4, 0.2, 0.3 };
    CHECK_IDS(with_top_p(0.0f, 4, p), "p 0 keeps one", 1);
    CHECK_IDS(with_top_p(0.39f, 4, p), "p 0.39", 1);
    CHECK_IDS(with_top_p(0.41f, 4, p), "p 0.41", 1, 3);
    CHECK_IDS(with_top_p(0.75f, 4, p), "p 0.75", 1, 2, 3);
    CHECK_IDS(with_top_p(0.95f, 4, p), "p 0.95", 0, 1, 2, 3);
    static const double same[] = { 0.25, 0.25, 0.25, 0.25 };
    CHECK_IDS(with_top_p(0.5f, 4, same), "reached exactly, lower ids first", 0, 1);
    static const double tenths[] = { 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1 };
    CHECK_IDS(with_top_p(0.3f, 10, tenths), "0.3f is 0.3", 0, 1, 2);
}

static bench *with_min_p(float min_p, int n, const double *p)
{
    bench *b = bench_of_p(n, p);
    b->params.min_p = min_p;
    stage_min_p(&b->draw);
    return b;
}

TEST(min_p_is_relative_to_the_most_probable)
{
    static const double p[] = { 0.1, 0.2, 0.3, 0.4 };
    CHECK_IDS(with_min_p(0.24f, 4, p), "0.24", 0, 1, 2, 3);
    CHECK_IDS(with_min_p(0.26f, 4, p), "0.26", 1, 2, 3);
    CHECK_IDS(with_min_p(0.51f, 4, p), "0.51", 2, 3);
    CHECK_IDS(with_min_p(1.0f, 4, p), "1", 3);
}

static bench *with_typical(float typical, int n, const double *p)
{
    bench *b = bench_of_p(n, p);
    b->params.typical = typical;
    stage_typical(&b->draw);
    return b;
}

TEST(typical_keeps_what_is_nearest_to_the_entropy)
{
    /* H = 1.3322: -ln 0.2 = 1.609 is nearer to it than -ln 0.4 = 0.916 */
    static const double p[] = { 0.4, 0.2, 0.2, 0.2 };
    CHECK_IDS(with_typical(0.0f, 4, p), "0 keeps one", 1);
    CHECK_IDS(with_typical(0.3f, 4, p), "0.3", 1, 2);
    CHECK_IDS(with_typical(0.5f, 4, p), "0.5", 1, 2, 3);
    CHECK_IDS(with_typical(0.7f, 4, p), "0.7", 0, 1, 2, 3);
    static const double even[] = { 0.5, 0.5 };
    CHECK_IDS(with_typical(0.5f, 2, even), "the sum must get above, not just reach", 0, 1);
}

TEST(top_n_sigma_counts_finite_logits_only)
{
    static const float l[] = { 0, 4, -INFINITY, 2, 2 }; /* mean 2, sigma sqrt(2) */
    bench *b = bench_of(5, l);
    b->params.top_n_sigma = 1.0f;
    stage_top_n_sigma(&b->draw);
    CHECK_IDS(b, "1 sigma", 1);
    b = bench_of(5, l);
    b->params.top_n_sigma = 1.5f;
    stage_top_n_sigma(&b->draw);
    CHECK_IDS(b, "1.5 sigma", 1, 3, 4);
}

static bench *with_xtc(double u, float threshold)
{
    static const double p[] = { 0.4, 0.3, 0.2, 0.1 };
    bench *b = bench_of_p(4, p);
    b->params.xtc_probability = 0.5f;
    b->params.xtc_threshold = threshold;
    b->draw.u_xtc = u;
    stage_xtc(&b->draw);
    return b;
}

TEST(xtc_leaves_the_least_probable_top_choice)
{
    CHECK_IDS(with_xtc(0.2, 0.09f), "all are top choices", 3);
    CHECK_IDS(with_xtc(0.2, 0.19f), "three are", 2, 3);
    CHECK_IDS(with_xtc(0.2, 0.35f), "one is", 0, 1, 2, 3);
    CHECK_IDS(with_xtc(0.2, 0.45f), "none is", 0, 1, 2, 3);
    CHECK_IDS(with_xtc(0.6, 0.09f), "not this time", 0, 1, 2, 3);
}

static void check_logits(bench *b, const float *want)
{
    for (int i = 0; i < b->draw.c.n; i++)
        CHECK(b->logit[i] == want[i], "logit %d is %g, want %g", i, (double)b->logit[i],
              (double)want[i]);
}

TEST(penalties_count_tokens_within_the_window)
{
    static const float l[] = { 4, -4, 0, 2 };
    static const lory_token history[] = { 3, 0, 0, 1 };
    bench *b = bench_of(4, l);
    memcpy(b->history, history, sizeof history);
    b->draw.n_history = 4;
    b->params.repeat_last_n = 3; /* the 3 is too long ago */
    b->params.repeat_penalty = 2.0f;
    b->params.frequency_penalty = 0.5f;
    b->params.presence_penalty = 0.25f;
    stage_penalties(&b->draw);
    check_logits(b, (const float[]){ 2 - 1.0f - 0.25f, -8 - 0.5f - 0.25f, 0, 2 });
    for (int i = 0; i < 4; i++) CHECK(b->count[i] == 0);
    b->params.repeat_last_n = -1;
    b->params.repeat_penalty = 1.0f;
    memcpy(b->logit, l, sizeof l);
    stage_penalties(&b->draw);
    check_logits(b, (const float[]){ 4 - 1.25f, -4 - 0.75f, 0, 2 - 0.75f });
    free(b);
}

TEST(adjusted_logits_never_become_infinite_upwards)
{
    static const float l[] = { 3e38f, -3e38f, -INFINITY };
    static const lory_logit_bias bias[] = { { 0, 3e38f }, { 1, -3e38f }, { 2, 1e38f } };
    bench *b = bench_of(3, l);
    b->params.logit_bias = bias;
    b->params.n_logit_bias = 3;
    stage_logit_bias(&b->draw);
    CHECK(isfinite(b->logit[0]) && b->logit[1] == -INFINITY && b->logit[2] == -INFINITY);
    b->params.temp = 1e-30f;
    stage_temperature(&b->draw);
    stage_draw(&b->draw);
    CHECK_IDS(b, "the only one with p > 0", 0);
}

TEST(temperature_divides_and_zero_takes_the_first_maximum)
{
    static const float l[] = { 1, 3, 2, 3 };
    bench *b = bench_of(4, l);
    b->params.temp = 0.5f;
    stage_temperature(&b->draw);
    check_logits(b, (const float[]){ -4, 0, -2, 0 });
    b->params.temp = 0.0f;
    stage_temperature(&b->draw);
    CHECK_IDS(b, "greedy", 1);
}

/* ---- the chain ----------------------------------------------------------------------------- */

static lory_sampler_params plain(void)
{
    return (lory_sampler_params){ .temp = 1.0f,
                                  .top_p = 1.0f,
                                  .typical = 1.0f,
                                  .repeat_penalty = 1.0f,
                                  .dynatemp_exponent = 1.0f };
}

static lory_token draw_at(chain *s, const float *logits, size_t pos)
{
    lory_err err = { 0 };
    lory_token id = -1;
    chain_input in = { .logits = logits, .pos = pos };
    CHECK(chain_draw(s, &in, &id, &err), "%s", err.text);
    return id;
}

TEST(draws_follow_the_distribution)
{
    enum { N = 6, N_DRAW = 60000 };
    static const double p[N] = { 0.4, 0.01, 0.25, 0.04, 0.2, 0.1 };
    float logits[N];
    int n_drawn[N] = { 0 };
    for (int i = 0; i < N; i++) logits[i] = (float)log(p[i]) + 3;
    lory_sampler_params params = plain();
    params.seed = 12345;
    chain *s = chain_new(N, &params, NULL);
    REQUIRE(s);
    for (size_t pos = 0; pos < N_DRAW; pos++) n_drawn[draw_at(s, logits, pos)]++;
    double chi2 = 0;
    for (int i = 0; i < N; i++) {
        double want = p[i] * N_DRAW;
        chi2 += (n_drawn[i] - want) * (n_drawn[i] - want) / want;
    }
    CHECK(chi2 < 20.5, "chi^2 of 5 degrees is %.2f (0.1 %% are above 20.5)", chi2);
    chain_free(s);
}

TEST(a_draw_depends_on_seed_and_position_only)
{
    enum { N = 50, N_POS = 200 };
    float logits[N];
    lory_token first[N_POS];
    for (int i = 0; i < N; i++) logits[i] = (float)sin(i);
    lory_sampler_params params = plain();
    params.seed = 1;
    params.xtc_probability = 0.5f;
    params.xtc_threshold = 0.03f;
    chain *a = chain_new(N, &params, NULL), *b = chain_new(N, &params, NULL);
    params.seed = 2;
    chain *other = chain_new(N, &params, NULL);
    REQUIRE(a && b && other);
    int n_differ = 0;
    for (size_t pos = 0; pos < N_POS; pos++) first[pos] = draw_at(a, logits, pos);
    for (size_t pos = N_POS; pos-- > 0;) {
        CHECK(draw_at(b, logits, pos) == first[pos], "backwards, position %zu", pos);
        CHECK(draw_at(a, logits, pos) == first[pos], "again, position %zu", pos);
        n_differ += draw_at(other, logits, pos) != first[pos];
    }
    CHECK(n_differ > N_POS / 2, "another seed gives other tokens: %d of %d", n_differ, N_POS);
    chain_free(a), chain_free(b), chain_free(other);
}

TEST(greedy_takes_the_first_maximum_whatever_else_is_on)
{
    float logits[300];
    for (int i = 0; i < 300; i++) logits[i] = (float)(i * 7919 % 100);
    lory_sampler_params params;
    chain_defaults(&params);
    params.temp = 0.0f;
    chain *s = chain_new(300, &params, NULL);
    REQUIRE(s);
    lory_token id = draw_at(s, logits, 3);
    CHECK(logits[id] == 99 && id < 100, "drew %d", id);
    chain_free(s);
    params.typical = 0.1f; /* may drop the maximum: then the best of what it leaves */
    s = chain_new(3, &params, NULL);
    REQUIRE(s);
    static const float l[] = { -0.92f, -1.61f, -1.60f };
    CHECK(draw_at(s, l, 0) == 2, "drew %d", draw_at(s, l, 0));
    chain_free(s);
}

TEST(minus_infinity_is_never_drawn)
{
    static const float logits[] = { -INFINITY, 0, -INFINITY, 0, -INFINITY };
    lory_sampler_params params = plain();
    for (int top_k = 0; top_k < 6; top_k++) {
        params.top_k = top_k;
        chain *s = chain_new(5, &params, NULL);
        REQUIRE(s);
        for (size_t pos = 0; pos < 500; pos++) {
            lory_token id = draw_at(s, logits, pos);
            CHECK(id == 1 || id == 3, "drew %d", id);
        }
        chain_free(s);
    }
}

static void check_refused(chain *s, const chain_input *in, lory_status code, const char *text)
{
    lory_err err = { 0 };
    lory_token id = -1;
    CHECK(!chain_draw(s, in, &id, &err) && id == -1);
    CHECK(err.code == code, "code %d, want %d", err.code, code);
    CHECK_STR(err.text, text);
}

TEST(logits_without_a_softmax_are_an_error_that_says_so)
{
    float l[4] = { 0, NAN, 1, NAN };
    lory_token banned[] = { 0, 1, 2, 3 };
    lory_sampler_params params = plain();
    for (int greedy = 0; greedy < 2; greedy++) {
        params.temp = greedy ? 0.0f : 1.0f;
        chain *s = chain_new(4, &params, NULL);
        REQUIRE(s);
        l[1] = l[3] = NAN;
        check_refused(s, &(chain_input){ .logits = l }, LORY_E_NAN,
                      "logits: 2 of 4 are NaN or +inf, the first is NaN at token 1"
                      " (expected numbers)");
        l[1] = 0, l[3] = INFINITY;
        check_refused(s, &(chain_input){ .logits = l }, LORY_E_NAN,
                      "logits: 1 of 4 are NaN or +inf, the first is +inf at token 3"
                      " (expected numbers)");
        l[3] = 0;
        check_refused(s, &(chain_input){ .logits = l, .banned = banned, .n_banned = 4 },
                      LORY_E_ARGUMENT, "sampler: bias and bans leave no token to draw");
        static const float none[] = { -INFINITY, -INFINITY, -INFINITY, -INFINITY };
        check_refused(s, &(chain_input){ .logits = none }, LORY_E_NAN,
                      "logits: all 4 are -inf (expected numbers)");
        chain_free(s);
    }
}

TEST(ids_outside_the_vocabulary_are_refused)
{
    static const float l[4] = { 0 };
    static const lory_token bad[] = { 1, 4 };
    lory_sampler_params params = plain();
    params.repeat_last_n = -1;
    params.presence_penalty = 1.0f;
    chain *s = chain_new(4, &params, NULL);
    REQUIRE(s);
    check_refused(s, &(chain_input){ .logits = l, .history = bad, .n_history = 2 }, LORY_E_ARGUMENT,
                  "history: there is no token 4 (expected 0 to 3)");
    check_refused(s, &(chain_input){ .logits = l, .banned = bad, .n_banned = 2 }, LORY_E_ARGUMENT,
                  "banned token 1: there is no token 4 (expected 0 to 3)");
    chain_free(s);
}

TEST(a_banned_token_is_not_drawn)
{
    static const float l[4] = { 9, 8, 1, 0 };
    static const lory_token banned[] = { 1, 0 };
    lory_sampler_params params = plain();
    params.temp = 0.0f;
    chain *s = chain_new(4, &params, NULL);
    lory_token id = -1;
    REQUIRE(s);
    CHECK(chain_draw(s, &(chain_input){ .logits = l, .banned = banned, .n_banned = 2 }, &id, NULL));
    CHECK(id == 2, "drew %d", id);
    CHECK(draw_at(s, l, 0) == 0, "a ban is for one draw");
    chain_free(s);
}

/* The same draw by the stages one after the other, over all candidates. */
static lory_token draw_by_stages(const lory_sampler_params *p, const chain_input *in, int n)
{
    bench *b = bench_of(n, in->logits);
    b->params = *p;
    for (size_t i = 0; i < in->n_banned; i++) b->logit[in->banned[i]] = -INFINITY;
    b->draw.u_draw = rng_uniform_at(p->seed, in->pos, 0);
    if (p->top_k > 0) stage_top_k(&b->draw);
    if (p->min_p > 0.0f) stage_min_p(&b->draw);
    stage_temperature(&b->draw);
    if (p->temp > 0.0f) stage_draw(&b->draw);
    lory_token id = b->id[0];
    free(b);
    return id;
}

/* Some logits are none; the others of few values, so that many are equal, or of many; some so large
 * that floats are far apart. */
static void fill_logits(int n, int draw, float *logits)
{
    float scale = draw % 5 == 0 ? 1e6f : 0.25f;
    for (int j = 0; j < n; j++) {
        double u = rng_uniform_at(7, (uint64_t)draw, (uint64_t)j), x = u * 60.0 - 40.0;
        logits[j] = u < 0.05 && j > 0 ? -INFINITY : scale * (float)(draw % 2 ? floor(x) : x);
    }
}

TEST(a_first_stage_is_spared_only_what_it_drops)
{
    static const int sizes[] = { 1, 63, 64, 65, 1000, 5003 };
    static const struct { float temp, min_p; int top_k; } kinds[] = {
        { 0.0f, 0.0f, 0 }, { 9.0f, 0.0f, 3 }, { 9.0f, 0.0f, 40 }, { 2.0f, 0.1f, 0 }
    };
    static float logits[BENCH_MAX_N];
    for (int i = 0; i < 6 * 4 * 25; i++) {
        int n = sizes[i % 6], kind = i / 6 % 4;
        lory_sampler_params p = plain();
        p.temp = kinds[kind].temp;
        p.min_p = kinds[kind].min_p;
        p.top_k = kinds[kind].top_k;
        fill_logits(n, i / 24, logits);
        lory_token banned[] = { n / 2, n - 1 }, id;
        chain_input in = { .logits = logits, .pos = (size_t)i, .banned = banned,
                           .n_banned = n > 2 && i % 7 == 0 ? 2 : 0 };
        chain *s = chain_new(n, &p, NULL);
        lory_err err;
        REQUIRE(s && chain_draw(s, &in, &id, &err));
        lory_token want = draw_by_stages(&p, &in, n);
        CHECK(id == want, "%d logits, kind %d: drew %d, want %d", n, kind, id, want);
        chain_free(s);
    }
}

TEST(the_chain_runs_bias_before_truncation)
{
    static const float l[4] = { 9, 8, 1, 0 };
    static const lory_logit_bias bias[] = { { 3, 100 }, { 0, -INFINITY } };
    lory_sampler_params params = plain();
    params.top_k = 2;
    params.logit_bias = bias;
    params.n_logit_bias = 2;
    chain *s = chain_new(4, &params, NULL);
    REQUIRE(s);
    for (size_t pos = 0; pos < 100; pos++) CHECK(draw_at(s, l, pos) == 3);
    chain_free(s);
}

static void check_params_refused(const lory_sampler_params *p, const char *text)
{
    lory_err err = { 0 };
    chain *s = chain_new(10, p, &err);
    CHECK(!s);
    CHECK(err.code == LORY_E_ARGUMENT);
    CHECK_STR(err.text, text);
    chain_free(s);
}

TEST(parameters_out_of_range_are_named)
{
    lory_sampler_params p = plain();
    p.temp = -1;
    check_params_refused(&p, "temp: is -1 (expected 0 or more)");
    p.temp = NAN;
    check_params_refused(&p, "temp: is nan (expected 0 or more)");
    p = plain(), p.top_p = 1.5f;
    check_params_refused(&p, "top_p: is 1.5 (expected 0 to 1)");
    p = plain(), p.top_k = -7;
    check_params_refused(&p, "top_k: is -7 (expected -1 or more)");
    p = plain(), p.repeat_penalty = 0;
    check_params_refused(&p, "repeat_penalty: is 0 (expected above 0)");
    p = plain(), p.presence_penalty = INFINITY;
    check_params_refused(&p, "presence_penalty: is inf (expected a number)");
    lory_logit_bias bias = { 10, 1 };
    p = plain(), p.logit_bias = &bias, p.n_logit_bias = 1;
    check_params_refused(&p, "logit_bias: there is no token 10 (expected 0 to 9)");
    bias = (lory_logit_bias){ 9, NAN };
    check_params_refused(&p, "logit_bias: the bias of token 9 is nan (expected a number or -inf)");
}

TEST(whole_numbers_may_be_as_large_as_they_can_be)
{
    lory_sampler_params p = plain();
    lory_err err;
    p.top_k = p.repeat_last_n = p.dry_allowed_length = p.dry_penalty_last_n = INT_MAX;
    chain *s = chain_new(10, &p, &err);
    REQUIRE(s, "%s", err.text);
    chain_free(s);
}

TEST(metadata_sets_fields_within_their_range)
{
    lory_sampler_params p;
    chain_defaults(&p);
    CHECK(p.temp == 0.8f && p.top_k == 40 && p.top_p == 0.95f && p.min_p == 0.05f);
    CHECK(p.typical == 1 && p.repeat_penalty == 1 && p.repeat_last_n == 64 && p.seed == 0);
    int n_keys = 0;
    for (int i = 0; i < n_chain_fields; i++) {
        const chain_field *f = &chain_fields[i];
        CHECK(chain_field_set(&p, f, f->value), "%s: its default is in its range", f->name);
        CHECK(!chain_field_set(&p, f, NAN) && !chain_field_set(&p, f, INFINITY), "%s", f->name);
        if (f->key && strcmp(f->key, "general.sampling.top_k") == 0) {
            CHECK(chain_field_set(&p, f, 7.0) && p.top_k == 7);
            CHECK(!chain_field_set(&p, f, 1e10) && p.top_k == 7);
        }
        n_keys += f->key != NULL;
    }
    CHECK(n_keys == 11, "%d keys", n_keys);
}

TEST(failing_memory_is_an_error)
{
    lory_sampler_params p = plain();
    for (uint64_t n = 1; n <= 7; n++) {
        lory_err err = { 0 };
        mem_fail_at(n);
        chain *s = chain_new(100, &p, &err);
        mem_fail_at(0);
        CHECK(!s && err.code == LORY_E_MEMORY, "allocation %d", (int)n);
        CHECK(mem_live_bytes() == 0);
    }
}
