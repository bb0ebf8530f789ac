/* test_batch.c - many generations at once give what each gives alone: any number at once, any
 * threads, with and without common beginnings, when memory is short, when interrupted. */
#include "base/mem.h"
#include "engine/batch.h"
#include "engine/session.h"
#include "test.h"
#include <limits.h>

#define MODEL "models/tales-tiny-q8_0.gguf"
enum { N_REQUEST = 66, TEXT_MAX = 1200, N_CTX = 192 };

static const char shared_text[] =
    "Once upon a time, there was a little girl named Lily. She liked to play outside in the park. "
    "One day, she saw a big red ball near the old tree and she wanted to play with it. ";

/* One request and what came of it. */
typedef struct {
    lory_tokens ids;
    lory_sampler_params sampler;
    lory_generate_params generate;
    char text[TEXT_MAX];
    size_t n_text;
    lory_token id[N_CTX];
    size_t n_id;
    uint64_t logits; /* a hash of all the logits that tokens were drawn from */
    int n_vocab;
    bool is_done, failed;
    lory_generate_result result;
    lory_err err;
} job;

static bool on_piece(void *user, const lory_piece *p)
{
    job *j = user;
    if (j->n_text + p->n_text < TEXT_MAX) memcpy(j->text + j->n_text, p->text, p->n_text);
    j->n_text += p->n_text;
    if (p->id < 0) return true;
    j->id[j->n_id++ % N_CTX] = p->id;
    for (int i = 0; i < j->n_vocab; i++) {
        uint32_t bits;
        memcpy(&bits, &p->logits[i], sizeof bits);
        j->logits = (j->logits ^ bits) * 0x100000001b3u;
    }
    return true;
}

static void on_done(void *user, const lory_generate_result *result, const lory_err *err)
{
    job *j = user;
    CHECK(!j->is_done, "done twice");
    j->is_done = true;
    j->result = *result;
    j->failed = err != NULL;
    if (err) j->err = *err;
}

static const char *const stops[] = { "and", "Lily" };

/* Requests of many kinds: of every three, two begin alike; lengths, samplers and ends differ. */
static void make_jobs(lory_model *m, job *jobs)
{
    lory_err err;
    lory_model_info info;
    char text[600];
    lory_model_get_info(m, &info);
    for (int i = 0; i < N_REQUEST; i++) {
        job *j = &jobs[i];
        memset(j, 0, sizeof *j);
        snprintf(text, sizeof text, "%s%.*s number %d", i % 3 ? shared_text : "A", i * 3 % 90,
                 i % 3 == 1
                     ? "The dog ran. The cat ran. The bird sang. The sun was warm and bright."
                     : "Tom and Ben went to the shop. They bought milk. They came home.",
                 i);
        CHECK(lory_tokenize(m, text, strlen(text), LORY_ADD_SPECIAL, &j->ids, &err));
        lory_sampler_defaults(m, &j->sampler);
        j->sampler.seed = (uint64_t)i;
        if (i % 5 == 0) j->sampler.temp = 0;
        if (i % 7 == 0) j->sampler.repeat_penalty = 1.3f;
        j->generate.n_predict = i % 11 == 10 ? -1 : i * 5 % 20;
        if (i % 4 == 1) j->generate.stop = stops, j->generate.n_stop = 2;
        if (i % 13 == 0) j->generate.ignore_end = true;
        j->n_vocab = info.n_vocab;
    }
}

static void free_jobs(job *jobs)
{
    for (int i = 0; i < N_REQUEST; i++) lory_tokens_free(&jobs[i].ids);
}

/* Each alone, in a session of one thread. */
static void run_alone(lory_model *m, job *jobs, int n_jobs)
{
    lory_err err;
    lory_session_params p = { .n_ctx = N_CTX, .n_threads = 1 };
    lory_session *s = lory_session_new(m, &p, &err);
    REQUIRE(s, "%s", err.text);
    for (int i = 0; i < n_jobs; i++) {
        job *j = &jobs[i];
        lory_sampler *sampler = lory_sampler_new(m, &j->sampler, &err);
        lory_session_truncate(s, 0);
        CHECK(lory_session_eval(s, j->ids.id, j->ids.n, &err), "%s", err.text);
        CHECK(lory_generate(s, sampler, &j->generate, on_piece, j, &j->result, &err), "%s",
              err.text);
        lory_sampler_free(sampler);
    }
    lory_session_free(s);
}

static bool add(lory_batch *b, job *j, lory_err *err)
{
    lory_request r = { .ids = j->ids.id,
                       .n = j->ids.n,
                       .sampler = &j->sampler,
                       .generate = &j->generate,
                       .on_piece = on_piece,
                       .on_done = on_done,
                       .user = j };
    return lory_batch_add(b, &r, err);
}

static lory_batch_stats run_batch(lory_model *m, job *jobs, int n_jobs, const lory_batch_params *p)
{
    lory_err err;
    lory_batch_stats stats = { 0 };
    int n_added = 0;
    lory_batch *b = lory_batch_new(m, p, &err);
    if (!b) {
        test_fail(__FILE__, __LINE__, "%s", err.text);
        return stats;
    }
    while (n_added < n_jobs || lory_batch_active(b)) {
        while (n_added < n_jobs && lory_batch_room(b))
            CHECK(add(b, &jobs[n_added++], &err), "%s", err.text);
        if (!lory_batch_step(b, &err)) {
            test_fail(__FILE__, __LINE__, "%s", err.text);
            break;
        }
    }
    lory_batch_get_stats(b, &stats);
    lory_batch_free(b);
    return stats;
}

static void compare(const job *got, const job *want, int n_jobs, const lory_batch_params *p)
{
    for (int i = 0; i < n_jobs; i++) {
        const job *g = &got[i], *w = &want[i];
        bool same = g->is_done && !g->failed && g->n_id == w->n_id && g->logits == w->logits
                    && g->n_text == w->n_text && memcmp(g->text, w->text, w->n_text) == 0
                    && g->result.reason == w->result.reason
                    && g->result.n_tokens == w->result.n_tokens;
        CHECK(same,
              "request %d differs, %d at once, %d threads, %d kv: %zu tokens \"%.60s\", want %zu "
              "\"%.60s\"",
              i, p->n_parallel, p->session.n_threads, p->n_kv, g->n_id, g->text, w->n_id, w->text);
    }
}

TEST(each_request_of_a_batch_gives_the_bits_that_it_gives_alone)
{
    static const struct {
        int n_parallel, n_threads, n_batch, n_kv;
    } cases[] = {
        { 1, 1, 0, 0 },  { 3, 2, 7, 0 },           { 16, 4, 33, 0 },
        { 64, 3, 0, 0 }, { 16, 2, 0, 2 * N_CTX }, { 16, 3, 20, N_CTX },
    };
    static job want[N_REQUEST], got[N_REQUEST];
    lory_err err;
    lory_model *m = lory_model_open(MODEL, &err);
    REQUIRE(m, "%s", err.text);
    make_jobs(m, want);
    run_alone(m, want, N_REQUEST);
    CHECK(want[10].result.reason == LORY_STOP_CONTEXT || want[21].result.reason == LORY_STOP_CONTEXT
          || want[32].result.reason == LORY_STOP_CONTEXT, "none fills its context");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i += (size_t)test_stride(3)) {
        lory_batch_params p = { .session = { .n_ctx = N_CTX, .n_batch = cases[i].n_batch,
                                             .n_threads = cases[i].n_threads },
                                .n_parallel = cases[i].n_parallel, .n_kv = cases[i].n_kv };
        make_jobs(m, got);
        lory_batch_stats stats = run_batch(m, got, N_REQUEST, &p);
        compare(got, want, N_REQUEST, &p);
        CHECK(stats.n_shared > 1000, "only %llu tokens shared", (unsigned long long)stats.n_shared);
        free_jobs(got);
    }
    free_jobs(want);
    lory_model_close(m);
}

TEST(requests_that_gave_up_their_memory_give_the_same_bits)
{
    enum { N = 8 };
    static job want[N_REQUEST], got[N_REQUEST];
    lory_err err;
    lory_model *m = lory_model_open(MODEL, &err);
    lory_batch_params p = { .session = { .n_ctx = N_CTX, .n_threads = 2 }, .n_parallel = N,
                            .n_kv = 2 * N_CTX };
    REQUIRE(m, "%s", err.text);
    make_jobs(m, want), make_jobs(m, got);
    for (int i = 0; i < N; i++)
        want[i].generate = got[i].generate =
            (lory_generate_params){ .n_predict = -1, .ignore_end = true };
    run_alone(m, want, N);
    lory_batch_stats stats = run_batch(m, got, N, &p);
    compare(got, want, N, &p);
    CHECK(stats.n_preempted > 0);
    free_jobs(want), free_jobs(got);
    lory_model_close(m);
}

TEST(cache_types_of_a_batch_give_the_bits_of_a_session)
{
    static const lory_cache_type types[] = { LORY_CACHE_F32, LORY_CACHE_Q8_0 };
    lory_err err;
    lory_model *m = lory_model_open(MODEL, &err);
    lory_model_info info;
    REQUIRE(m, "%s", err.text);
    lory_model_get_info(m, &info);
    for (int i = 0; i < 2; i++) {
        static job alone, shared[2];
        lory_session_params p = { .n_ctx = N_CTX, .n_threads = 1, .cache_type = types[i] };
        lory_batch_params bp = { .session = p, .n_parallel = 2 };
        bp.session.n_threads = 3;
        lory_session *s = lory_session_new(m, &p, &err);
        lory_batch *b = lory_batch_new(m, &bp, &err);
        REQUIRE(s && b, "%s", err.text);
        memset(&alone, 0, sizeof alone);
        alone.generate.n_predict = 20;
        alone.n_vocab = info.n_vocab;
        lory_sampler_defaults(m, &alone.sampler);
        CHECK(
            lory_tokenize(m, shared_text, strlen(shared_text), LORY_ADD_SPECIAL, &alone.ids, &err));
        shared[0] = shared[1] = alone;
        lory_sampler *sampler = lory_sampler_new(m, &alone.sampler, &err);
        CHECK(lory_session_eval(s, alone.ids.id, alone.ids.n, &err)
              && lory_generate(s, sampler, &alone.generate, on_piece, &alone, &alone.result, &err));
        CHECK(add(b, &shared[0], &err) && add(b, &shared[1], &err));
        while (lory_batch_active(b)) REQUIRE(lory_batch_step(b, &err), "%s", err.text);
        for (int j = 0; j < 2; j++)
            CHECK(shared[j].logits == alone.logits && shared[j].n_id == alone.n_id, "type %d", i);
        lory_sampler_free(sampler);
        lory_session_free(s);
        lory_batch_free(b);
        lory_tokens_free(&alone.ids);
    }
    lory_model_close(m);
}

enum { N_GROW = 5, GROW_FROM = 90, GROW_TO = 112, N_ORIG = 100 };

typedef struct {
    batch *b;
    lory_token ids[N_GROW][GROW_TO];
    uint64_t hash[N_GROW][GROW_TO]; /* of the logits after so many tokens */
    int n_vocab;
} grow;

static uint64_t hash_logits(const float *logits, int n)
{
    uint64_t h = 1;
    for (int i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &logits[i], sizeof bits);
        h = (h ^ bits) * 0x100000001b3u;
    }
    return h;
}

static bool on_ready(void *user, const batch_ready *r, lory_err *err)
{
    grow *g = user;
    (void)err;
    for (int i = 0; i < r->n; i++) {
        int slot = r->slot[i], n = batch_n_seen(g->b, slot);
        g->hash[slot][n - 1] = hash_logits(r->logits + (size_t)i * r->ld, g->n_vocab);
        if (n == GROW_TO) batch_end(g->b, slot);
        else batch_put(g->b, slot, g->ids[slot][n]);
    }
    return true;
}

/* Sequences that begin alike and grow beside each other have the logits that each has alone. */
static void check_growing(const char *path, int n_orig)
{
    static grow g;
    static batch b;
    lory_err err;
    model m;
    session s;
    lory_batch_params p = { .session = { .n_ctx = 128, .n_threads = 2 }, .n_parallel = N_GROW };
    REQUIRE(model_open(&m, test_vector(path), NULL, &err), "%s", err.text);
    if (n_orig) m.hp.rope_n_ctx_orig = n_orig;
    memset(&g, 0, sizeof g);
    g.b = &b, g.n_vocab = m.hp.n_vocab;
    REQUIRE(batch_open(&b, &m, &p, &err) && session_open(&s, &m, &p.session, &err), "%s", err.text);
    for (int i = 0; i < N_GROW; i++) {
        for (int j = 0; j < GROW_TO; j++)
            g.ids[i][j] = (lory_token)((j < 60 ? j * 7 : j * (i + 5)) % 250);
        CHECK(batch_add(&b, g.ids[i], (size_t)(GROW_FROM + i * 4), &err) == i, "%s", err.text);
    }
    while (b.n_live > 0) REQUIRE(batch_step(&b, on_ready, &g, &err), "%s", err.text);
    CHECK(b.stats.n_shared > 0);
    for (int i = 0; i < N_GROW; i++) {
        session_truncate(&s, 0);
        for (int n = GROW_FROM + i * 4; n <= GROW_TO; n++) {
            CHECK(session_set(&s, g.ids[i], (size_t)n, &err), "%s", err.text);
            CHECK(hash_logits(s.logits, g.n_vocab) == g.hash[i][n - 1],
                  "%s: sequence %d, %d tokens", path, i, n);
        }
    }
    session_close(&s);
    batch_close(&b);
    model_close(&m);
}

TEST(sequences_on_both_sides_of_the_original_context_are_rotated_as_alone)
{
    check_growing("golden/phi3-longrope/model-bf16.gguf", N_ORIG); /* some begin beyond it */
}

TEST(families_give_in_a_batch_what_they_give_alone)
{
    static const char *const paths[] = {
        "golden/gemma2/model-q4_0.gguf",
        "golden/gemma3/model-bf16.gguf",
        "golden/bloom/model-bf16.gguf",
        "golden/qwen2-moe/model-bf16.gguf",
        "golden/mixtral/model-q4_0.gguf",
        "golden/gpt-oss/model-mxfp4.gguf",
        "golden/deepseek-v2/model-bf16.gguf",
        "golden/gpt2/model-q8_0.gguf",
        "golden/falcon/model-bf16.gguf",
    };
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) check_growing(paths[i], 0);
}

TEST(a_common_beginning_is_evaluated_once)
{
    static job jobs[N_REQUEST];
    lory_err err;
    lory_model *m = lory_model_open(MODEL, &err);
    REQUIRE(m, "%s", err.text);
    make_jobs(m, jobs);
    size_t n_all = 0;
    for (int i = 0; i < 16; i++) { /* the same text but for its last tokens */
        lory_tokens_free(&jobs[i].ids);
        char text[400];
        snprintf(text, sizeof text, "%s %c", shared_text, 'a' + i);
        CHECK(lory_tokenize(m, text, strlen(text), LORY_ADD_SPECIAL, &jobs[i].ids, &err));
        jobs[i].generate = (lory_generate_params){ .n_predict = 0 };
        n_all += jobs[i].ids.n;
    }
    for (int n_parallel = 1; n_parallel <= 16; n_parallel *= 4) {
        lory_batch_stats stats;
        lory_batch *b = lory_batch_new(m, &(lory_batch_params){ .session = { .n_ctx = N_CTX },
                                                                .n_parallel = n_parallel }, &err);
        REQUIRE(b, "%s", err.text);
        for (int i = 0; i < 16 || lory_batch_active(b);) {
            while (i < 16 && lory_batch_room(b)) jobs[i].is_done = false, add(b, &jobs[i++], &err);
            REQUIRE(lory_batch_step(b, &err), "%s", err.text);
        }
        lory_batch_get_stats(b, &stats);
        CHECK(stats.n_evaluated + stats.n_shared == n_all);
        CHECK(stats.n_evaluated <= jobs[0].ids.n + 15 * 3, "%llu tokens evaluated, %d at once",
              (unsigned long long)stats.n_evaluated, n_parallel);
        lory_batch_free(b);
    }
    free_jobs(jobs);
    lory_model_close(m);
}

TEST(a_batch_refuses_what_is_wrong_and_goes_on)
{
    static job a, b2;
    lory_err err;
    lory_model *m = lory_model_open(MODEL, &err);
    lory_model_info info;
    static lory_token many[N_CTX + 1];
    REQUIRE(m, "%s", err.text);
    lory_model_get_info(m, &info);
    lory_batch *b = lory_batch_new(m, &(lory_batch_params){ .session = { .n_ctx = N_CTX },
                                                            .n_parallel = 1 }, &err);
    REQUIRE(b, "%s", err.text);
    memset(&a, 0, sizeof a);
    lory_sampler_defaults(m, &a.sampler);
    a.n_vocab = info.n_vocab;
    CHECK(!add(b, &a, &err) && err.code == LORY_E_ARGUMENT, "no tokens");
    a.ids = (lory_tokens){ .id = many, .n = N_CTX + 1 };
    CHECK(!add(b, &a, &err) && err.code == LORY_E_FULL, "too many tokens");
    a.ids.n = 1;
    many[0] = info.n_vocab;
    CHECK(!add(b, &a, &err) && err.code == LORY_E_ARGUMENT, "no such token");
    many[0] = 1;
    a.sampler.temp = -1;
    CHECK(!add(b, &a, &err) && err.code == LORY_E_ARGUMENT && strstr(err.text, "temp"));
    a.sampler.temp = 0;
    a.generate.stop = &(const char *){ "" }, a.generate.n_stop = 1;
    CHECK(!add(b, &a, &err) && err.code == LORY_E_ARGUMENT, "an empty stop text");
    a.generate = (lory_generate_params){ .n_predict = 5, .ignore_end = true };
    CHECK(lory_batch_room(b) == 1 && lory_batch_active(b) == 0);
    b2 = a;
    CHECK(add(b, &a, &err) && lory_batch_room(b) == 0);
    CHECK(!add(b, &b2, &err) && err.code == LORY_E_FULL, "no room");
    lory_batch_interrupt(b);
    CHECK(!lory_batch_step(b, &err) && err.code == LORY_E_INTERRUPTED);
    while (lory_batch_active(b)) REQUIRE(lory_batch_step(b, &err), "%s", err.text);
    CHECK(a.is_done && a.result.n_tokens == 5 && a.result.reason == LORY_STOP_LENGTH);
    CHECK(add(b, &b2, &err), "%s", err.text);
    CHECK(lory_batch_step(b, &err));
    lory_batch_free(b); /* with a request in progress */
    CHECK(!b2.is_done);
    CHECK(!lory_batch_new(m, &(lory_batch_params){ .n_parallel = -1 }, &err)
              && !lory_batch_new(m, &(lory_batch_params){ .session = { .n_ctx = 64 }, .n_kv = 63 },
                                 &err)
              && strstr(err.text, "63"),
          "%s", err.text);
    lory_model_close(m);
}

TEST(a_batch_without_memory_says_so_and_gives_everything_back)
{
    lory_err err;
    lory_model *m = lory_model_open(MODEL, &err);
    static job j;
    lory_token ids[] = { 1, 300, 301 };
    REQUIRE(m, "%s", err.text);
    lory_model_info info;
    lory_model_get_info(m, &info);
    size_t live = mem_live_bytes();
    bool passed = false;
    for (uint64_t n = 1; !passed && n < 500; n++) {
        memset(&j, 0, sizeof j);
        lory_sampler_defaults(m, &j.sampler);
        j.ids = (lory_tokens){ .id = ids, .n = 3 };
        j.generate = (lory_generate_params){ .n_predict = 3, .stop = stops, .n_stop = 2 };
        j.n_vocab = info.n_vocab;
        lory_batch_params p = { .session = { .n_ctx = 64, .n_threads = 1 }, .n_parallel = 2 };
        mem_fail_at(n);
        lory_batch *b = lory_batch_new(m, &p, &err);
        bool ok = b && add(b, &j, &err);
        while (ok && lory_batch_active(b)) ok = lory_batch_step(b, &err);
        if (ok && j.failed) ok = false, err = j.err;
        mem_fail_at(0);
        passed = ok;
        CHECK(ok || err.code == LORY_E_MEMORY, "allocation %d: %s", (int)n, err.text);
        lory_batch_free(b);
        CHECK(mem_live_bytes() == live, "allocation %d: leaks", (int)n);
    }
    CHECK(passed);
    lory_model_close(m);
}

TEST(fingerprints_tell_models_apart)
{
    lory_err err;
    lory_model *a = lory_model_open(MODEL, &err), *b = lory_model_open(MODEL, &err);
    lory_model *c = lory_model_open(test_vector("golden/qwen3/model-bf16.gguf"), &err);
    REQUIRE(a && b && c);
    CHECK(lory_model_fingerprint(a) == lory_model_fingerprint(b));
    CHECK(lory_model_fingerprint(a) != lory_model_fingerprint(c));
    lory_model_close(a), lory_model_close(b), lory_model_close(c);
}
