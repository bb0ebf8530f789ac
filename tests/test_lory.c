/* test_lory.c - what the functions of lory.h say to arguments that are impossible: one sentence,
 * and nothing else happens. */
#include "lory.h"
#include "base/mem.h"
#include "test.h"
#include <limits.h>
#include <math.h>

static lory_err err;

/* The call fails with this sentence. */
#define REFUSED(call, why)                                                                         \
    do {                                                                                           \
        CHECK(!(call));                                                                            \
        CHECK_STR(err.text, why);                                                                  \
    } while (0)

static lory_model *open_model(void)
{
    lory_model *m = lory_model_open("models/tales-tiny-q8_0.gguf", &err);
    CHECK(m, "%s", err.text);
    return m;
}

TEST(tokens_out_of_the_vocabulary_are_refused)
{
    lory_model *m = open_model();
    lory_tokens ids = { 0 };
    lory_detok *d = lory_detok_new(m, 0, false);
    const char *text;
    size_t n;
    CHECK(lory_tokenize(m, NULL, 0, 0, &ids, &err) && ids.n == 0);
    CHECK(!lory_token_is_end(m, -1) && !lory_token_is_end(m, INT_MAX));
    REFUSED(lory_detok_put(d, -1, &text, &n, &err), "token -1: the vocabulary has 512");
    REFUSED(lory_detok_put(d, 512, &text, &n, &err), "token 512: the vocabulary has 512");
    lory_detok_free(d);
    lory_model_close(m);
    lory_tokens_free(&ids);
    CHECK(mem_live_bytes() == 0);
}

static void refuse_sessions(lory_model *m)
{
    static const struct {
        lory_session_params p;
        const char *why;
    } wrong[] = {
        { { .n_ctx = -1 }, "context size: -1 is not within 0 to 1073741824" },
        { { .n_threads = -1 }, "threads: -1 is not within 1 to 1024" },
        { { .n_threads = 100000 }, "threads: 100000 is not within 1 to 1024" },
        { { .n_batch = -1 }, "batch size: -1 is not within 1 to 8192" },
        { { .n_draft = 32 }, "draft: 32 is not within 0 to 31" },
        { { .n_draft = -1 }, "draft: -1 is not within 0 to 31" },
        { { .cache_type = (lory_cache_type)99 }, "cache type: 99 is not one" },
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        REFUSED(lory_session_new(m, &wrong[i].p, &err), wrong[i].why);
}

static void refuse_evaluations(lory_session *s, lory_sampler *sampler)
{
    const lory_token below[] = { 1, -1 }, above[] = { INT_MAX };
    lory_generate_params p = { .n_predict = 1 };
    REFUSED(lory_generate(s, sampler, &p, NULL, NULL, NULL, &err),
            "session: nothing has been evaluated to go on from");
    REFUSED(lory_session_eval(s, below, 2, &err), "tokens: number 1 is -1 (expected 0 to 511)");
    REFUSED(lory_session_eval(s, above, 1, &err),
            "tokens: number 0 is 2147483647 (expected 0 to 511)");
    REFUSED(lory_session_set(s, NULL, 0, &err), "a session can't be set to no tokens");
    REFUSED(lory_session_read_state(s, NULL, 0, &err), "KV cache: cut short (found 0 bytes)");
    CHECK(lory_session_eval(s, NULL, 0, &err) && !lory_session_logits(s));
}

TEST(sessions_that_cannot_be_and_tokens_that_are_none_are_refused)
{
    lory_model *m = open_model();
    lory_session *s = lory_session_new(m, NULL, &err);
    lory_sampler_params p;
    lory_sampler_defaults(m, &p);
    lory_sampler *sampler = lory_sampler_new(m, &p, &err);
    const lory_token ids[] = { 1, 300 };
    lory_generate_params g = { .n_predict = 2, .n_stop = 1, .stop = (const char *const[]){ "" } };
    REQUIRE(s && sampler, "%s", err.text);
    refuse_sessions(m);
    refuse_evaluations(s, sampler);
    CHECK(lory_session_eval(s, ids, 2, &err));
    REFUSED(lory_generate(s, sampler, &g, NULL, NULL, NULL, &err), "stop text: it is empty");
    g.n_stop = 0;
    CHECK(lory_generate(s, sampler, &g, NULL, NULL, NULL, &err), "%s", err.text);
    lory_sampler_free(sampler);
    lory_session_free(s);
    lory_model_close(m);
    CHECK(mem_live_bytes() == 0);
}

static const lory_request *of_tokens(lory_request *r, const lory_token *ids, size_t n)
{
    r->ids = ids;
    r->n = n;
    return r;
}

TEST(batches_that_cannot_be_and_requests_that_do_not_fit_are_refused)
{
    static const lory_token many[1000];
    lory_model *m = open_model();
    lory_sampler_params sampler;
    lory_generate_params g = { .n_predict = 1 };
    lory_sampler_defaults(m, &sampler);
    lory_request r = { .sampler = &sampler, .generate = &g };
    const lory_token below[] = { -4, 5 };
    REFUSED(lory_batch_new(m, &(lory_batch_params){ .n_parallel = -1 }, &err),
            "sequences at once: -1 is not within 1 to 4096");
    REFUSED(lory_batch_new(m, &(lory_batch_params){ .n_kv = 3 }, &err),
            "KV cache: 3 tokens do not hold one context of 512 tokens");
    lory_batch *b = lory_batch_new(m, NULL, &err);
    REQUIRE(b, "%s", err.text);
    REFUSED(lory_batch_add(b, of_tokens(&r, many, 0), &err), "a sequence needs at least one token");
    REFUSED(lory_batch_add(b, of_tokens(&r, below, 2), &err), "token 0: -4 is not within 0 to 511");
    REFUSED(lory_batch_add(b, of_tokens(&r, many, 1000), &err),
            "1000 tokens do not fit the context of 512");
    sampler.top_p = NAN;
    REFUSED(lory_batch_add(b, of_tokens(&r, many, 2), &err), "top_p: is nan (expected 0 to 1)");
    CHECK(lory_batch_active(b) == 0 && lory_batch_step(b, &err));
    lory_batch_free(b);
    lory_model_close(m);
    CHECK(mem_live_bytes() == 0);
}

TEST(numbers_that_make_no_sense_are_refused_or_counted_with)
{
    lory_model *m = open_model();
    lory_work work;
    REFUSED(lory_meter_new(-1, &err), "threads: -1 (expected 1 to 1024)");
    lory_model_work(m, NULL, INT_MAX, 0, &work);
    CHECK(work.read_bytes > 0.0 && work.i8_macs > (double)INT_MAX, "%g", work.i8_macs);
    lory_model_work(m, NULL, -1, 0, &work);
    CHECK(work.read_bytes == 0.0);
    lory_model_close(m);
}

TEST(nothing_is_freed_of_what_is_not_there)
{
    lory_model_close(NULL);
    lory_session_free(NULL);
    lory_sampler_free(NULL);
    lory_grammar_free(NULL);
    lory_detok_free(NULL);
    lory_batch_free(NULL);
    lory_meter_free(NULL);
    lory_tokens_free(&(lory_tokens){ 0 });
    lory_prompt_free(&(lory_prompt){ 0 });
    CHECK(mem_live_bytes() == 0);
}
