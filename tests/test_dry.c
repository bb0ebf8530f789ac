/* test_dry.c - DRY against its definition, written down again without care for time, and its
 * breakers in whichever tokens their bytes lie. */
#include "base/mem.h"
#include "sample/chain.h"
#include "sample/stage.h"
#include "test.h"
#include "tiny_vocab.h"
#include <float.h>
#include <math.h>

enum { N_VOCAB = 268, MAX_HISTORY = 200 };

typedef struct {
    lory_sampler_params params;
    sample_draw draw;
    float logit[N_VOCAB];
    uint32_t count[N_VOCAB], z[MAX_HISTORY];
} bench;

/* History and breakers are the caller's; all logits are 0. */
static void bench_set(bench *b, const lory_token *history, size_t n, const dry_breakers *breakers)
{
    *b = (bench){ .params = { .dry_multiplier = 3.0f,
                              .dry_base = 2.0f,
                              .dry_allowed_length = 2,
                              .dry_penalty_last_n = -1 } };
    b->draw = (sample_draw){ .params = &b->params,
                             .history = history,
                             .n_history = n,
                             .count = b->count,
                             .z = b->z,
                             .breakers = breakers,
                             .c = { .n = N_VOCAB, .logit = b->logit } };
}

static void check_logit(const bench *b, lory_token id, float want)
{
    CHECK(b->logit[id] == want, "%d: %g, want %g", id, (double)b->logit[id], (double)want);
}

static const dry_breakers no_breakers = { 0 };

TEST(what_goes_on_with_a_repetition_costs_more_the_longer_that_is)
{
    /* "1 2" came before 3 and before 4, "9 1 2" before 4 only */
    static const lory_token history[] = { 1, 2, 3, 9, 1, 2, 4, 9, 1, 2 };
    bench b;
    bench_set(&b, history, 10, &no_breakers);
    stage_dry(&b.draw);
    check_logit(&b, 3, -3.0f);
    check_logit(&b, 4, -6.0f);
    for (int i = 0; i < N_VOCAB; i++) {
        CHECK(b.count[i] == 0);
        if (i != 3 && i != 4) check_logit(&b, i, 0.0f);
    }
    bench_set(&b, history, 10, &no_breakers);
    b.params.dry_penalty_last_n = 6; /* 1 2 4 9 1 2: less of it is known */
    stage_dry(&b.draw);
    check_logit(&b, 3, 0.0f);
    check_logit(&b, 4, -3.0f);
    bench_set(&b, history, 10, &no_breakers);
    b.params.dry_allowed_length = 3;
    stage_dry(&b.draw);
    check_logit(&b, 3, 0.0f);
    check_logit(&b, 4, -3.0f);
}

TEST(a_run_of_one_token_matches_itself_and_no_logit_becomes_infinite)
{
    lory_token history[MAX_HISTORY] = { 0 };
    bench b;
    bench_set(&b, history, 5, &no_breakers);
    b.logit[0] = 1.0f;
    stage_dry(&b.draw);
    check_logit(&b, 0, 1.0f - 3.0f * 4.0f); /* 4 of 5 */
    bench_set(&b, history, MAX_HISTORY, &no_breakers);
    b.params.dry_base = 1e9f;
    stage_dry(&b.draw);
    check_logit(&b, 0, -FLT_MAX);
    bench_set(&b, history, 5, &no_breakers);
    b.logit[0] = -INFINITY; /* forbidden stays so */
    stage_dry(&b.draw);
    check_logit(&b, 0, -INFINITY);
    bench_set(&b, history, 1, &no_breakers);
    stage_dry(&b.draw);
    bench_set(&b, history, 0, &no_breakers);
    stage_dry(&b.draw);
    check_logit(&b, 0, 0.0f);
}

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* The definition, in time of n^2: what a token loses. */
static double cost_of(const bench *b, lory_token id, size_t unbroken)
{
    const lory_sampler_params *p = &b->params;
    const lory_token *h = b->draw.history;
    size_t n = b->draw.n_history, first = 0, longest = 0;
    bool is_one = false;
    if (p->dry_penalty_last_n >= 0 && n > (size_t)p->dry_penalty_last_n)
        first = n - (size_t)p->dry_penalty_last_n;
    for (size_t at = first + 1; at < n; at++) { /* h[at] came after h[first .. at - 1] */
        size_t k = 0;
        if (h[at] != id) continue;
        while (k < at - first && k < unbroken && h[at - 1 - k] == h[n - 1 - k]) k++;
        if (k < (size_t)p->dry_allowed_length) continue;
        longest = !is_one || k > longest ? k : longest;
        is_one = true;
    }
    double power = (double)longest - p->dry_allowed_length;
    return is_one ? (double)p->dry_multiplier * pow((double)p->dry_base, power) : 0.0;
}

TEST(dry_is_what_its_definition_says)
{
    uint32_t state = 1;
    lory_token history[MAX_HISTORY];
    bench b;
    for (int round = 0; round < 400; round++) {
        size_t n = next_random(&state) % MAX_HISTORY;
        uint32_t n_ids = 1 + next_random(&state) % 4;
        for (size_t i = 0; i < n; i++) history[i] = (lory_token)(next_random(&state) % n_ids);
        bench_set(&b, history, n, &no_breakers);
        b.params.dry_multiplier = 0.1f + (float)(next_random(&state) % 10);
        b.params.dry_base = 1.0f + (float)(next_random(&state) % 100) * 0.001f;
        b.params.dry_allowed_length = (int)(next_random(&state) % 5);
        b.params.dry_penalty_last_n = (int)(next_random(&state) % 220) - 1;
        stage_dry(&b.draw);
        for (lory_token id = 0; id < 5; id++) {
            double want = -cost_of(&b, id, n), got = (double)b.logit[id];
            CHECK(fabs(got - want) <= 1e-6 * fabs(want), "round %d, token %d: %.9g, want %.9g",
                  round, id, got, want);
        }
    }
}

/* ---- breakers ---------------------------------------------------------------------------- */

/* Tokens 0 to 255 are the bytes, then 256 he, 257 ll, 258 hell, 259 hello, 260 " w", 261 lo. */
static size_t unbroken(const tiny_vocab *v, const char *const *texts, size_t n_texts,
                       const lory_token *id, size_t n)
{
    dry_breakers b;
    lory_err err;
    CHECK(dry_breakers_copy(&b, texts, n_texts, &err));
    b.t = &v->t;
    size_t got = dry_count_unbroken(&b, id, n);
    dry_breakers_free(&b);
    return got;
}

TEST(breakers_are_found_in_whichever_tokens_they_lie)
{
    tiny_vocab v;
    lory_err err;
    static const lory_token text[] = { 'a', 256, 257, 'o', 260, 'x', 'y' }; /* a he ll o _w x y */
    static const char *const one[] = { "o" }, *const across[] = { "hello w" },
                             *const cut[] = { "ell" }, *const two[] = { "a", "lo" },
                             *const inside[] = { "e" },
                             *const none[] = { "xyz" }, *const last[] = { "q", "xy" },
                             *const over[] = { "o", "o wx" };
    REQUIRE(tiny_vocab_open(&v, TINY_BPE, &err), "%s", err.text);
    CHECK(unbroken(&v, one, 1, text, 7) == 3);
    CHECK(unbroken(&v, across, 1, text, 7) == 2);
    CHECK(unbroken(&v, cut, 1, text, 7) == 4);
    CHECK(unbroken(&v, two, 2, text, 7) == 3);
    CHECK(unbroken(&v, inside, 1, text, 7) == 5);
    CHECK(unbroken(&v, none, 1, text, 7) == 7);
    CHECK(unbroken(&v, last, 2, text, 7) == 0);
    CHECK(unbroken(&v, over, 2, text, 7) == 1); /* of two that begin there the longer */
    CHECK(unbroken(&v, NULL, 0, text, 7) == 7);
    CHECK(unbroken(&v, one, 1, (lory_token[]){ 100000, 'o', 99999 }, 3) == 1); /* no such tokens */
    tiny_vocab_close(&v);
}

TEST(nothing_is_a_repetition_across_a_breaker)
{
    tiny_vocab v;
    lory_err err;
    static const char *const texts[] = { "\n", "--" };
    static const lory_token history[] = { 'b', '\n', 'x', 'y', 'c', 'b', '\n', 'x', 'y' };
    dry_breakers breakers;
    bench b;
    REQUIRE(tiny_vocab_open(&v, TINY_BPE, &err), "%s", err.text);
    REQUIRE(dry_breakers_copy(&breakers, texts, 2, &err));
    breakers.t = &v.t;
    bench_set(&b, history, 9, &breakers);
    stage_dry(&b.draw);
    check_logit(&b, 'c', -3.0f); /* "x y" only, not "b \n x y" */
    bench_set(&b, history, 7, &breakers);
    stage_dry(&b.draw); /* a breaker is the last: nothing is behind it */
    check_logit(&b, 'x', 0.0f);
    static const lory_token again[] = { 'x', 'y', '\n', 'a', 'x', 'y' };
    bench_set(&b, again, 6, &breakers);
    stage_dry(&b.draw); /* a breaker itself may always come */
    check_logit(&b, '\n', 0.0f);
    CHECK(dry_is_breaker(&breakers, '\n') && !dry_is_breaker(&breakers, '-'));
    dry_breakers_free(&breakers);
    tiny_vocab_close(&v);
}

/* ---- the chain --------------------------------------------------------------------------- */

TEST(a_chain_takes_dry_with_its_breakers)
{
    tiny_vocab v;
    lory_err err = { 0 };
    lory_sampler_params p;
    lory_token id, history[MAX_HISTORY];
    float logits[N_VOCAB] = { 0 };
    REQUIRE(tiny_vocab_open(&v, TINY_BPE, &err), "%s", err.text);
    for (size_t i = 0; i < MAX_HISTORY; i++) history[i] = "ab:cab;c"[i % 8];
    chain_input in = { .logits = logits, .history = history, .n_history = 6 }; /* ab:cab, then : */
    logits[':'] = 2.0f;
    logits['x'] = 1.0f;
    chain_defaults(&p);
    CHECK(p.dry_multiplier == 0.0f && p.n_dry_breakers == 4);
    p.temp = 0;
    p.dry_multiplier = 3.0f;
    for (int i = 0; i < 3; i++) {
        if (i == 1) p.n_dry_breakers = 0;
        if (i == 2) p.dry_base = 0.5f; /* off */
        chain *c = chain_new(N_VOCAB, &p, &err);
        REQUIRE(c, "%s", err.text);
        chain_read_breakers(c, &v.t);
        CHECK(chain_draw(c, &in, &id, &err), "%s", err.text);
        CHECK(id == (i == 1 ? 'x' : ':'), "%d: drew %d", i, id);
        in.n_history = MAX_HISTORY; /* room is made */
        CHECK(chain_draw(c, &in, &id, &err), "%s", err.text);
        in.n_history = 6;
        chain_free(c);
    }
    static const char *const empty[] = { "x", "" };
    p.dry_breakers = empty;
    p.n_dry_breakers = 2;
    CHECK(!chain_new(N_VOCAB, &p, &err));
    CHECK_STR(err.text, "dry_sequence_breaker: the text is empty");
    tiny_vocab_close(&v);
}
