/* test_allocfail.c - the whole way from a file to generated text, with an allocator that gives out
 * after n blocks, for every n until nothing fails: each time one clean error and nothing kept. */
#include "base/mem.h"
#include "lory.h"
#include "test.h"

enum { MAX_ALLOCATIONS = 20000 };

typedef struct {
    lory_model *model;
    lory_session *session;
    lory_sampler *sampler;
    lory_tokens ids;
} job;

static bool count_piece(void *n_pieces, const lory_piece *piece)
{
    (void)piece;
    ++*(int *)n_pieces;
    return true;
}

/* Opens, tokenizes, evaluates and generates 4 tokens; what it made is left in *j. */
static bool run_job(job *j, const char *path, lory_err *err)
{
    static const char text[] = "The cat sat on the mat.";
    lory_session_params session = { .n_ctx = 64, .n_batch = 8, .n_threads = 2 };
    lory_generate_params generate = { .n_predict = 4, .ignore_end = true };
    lory_generate_result result;
    lory_sampler_params sampler;
    int n_pieces = 0;
    if (!(j->model = lory_model_open(path, err))) return false;
    lory_sampler_defaults(j->model, &sampler);
    sampler.repeat_penalty = 1.1f;
    return lory_tokenize(j->model, text, strlen(text), LORY_ADD_SPECIAL, &j->ids, err)
           && (j->session = lory_session_new(j->model, &session, err))
           && (j->sampler = lory_sampler_new(j->model, &sampler, err))
           && lory_session_eval(j->session, j->ids.id, j->ids.n, err)
           && lory_generate(j->session, j->sampler, &generate, count_piece, &n_pieces, &result,
                            err);
}

static void end_job(job *j)
{
    lory_tokens_free(&j->ids);
    lory_sampler_free(j->sampler);
    lory_session_free(j->session);
    lory_model_close(j->model);
}

static void fail_each_allocation(const char *path)
{
    lory_err err;
    for (uint64_t n = 1; n < MAX_ALLOCATIONS; n++) {
        job j = { 0 };
        size_t live = mem_live_bytes();
        err = (lory_err){ 0 };
        mem_fail_at(n);
        bool ok = run_job(&j, path, &err);
        mem_fail_at(0);
        end_job(&j);
        CHECK(mem_live_bytes() == live, "allocation %d: %zu bytes were live, now %zu", (int)n, live,
              mem_live_bytes());
        if (ok) {
            CHECK(n > 10, "only %d allocations in all", (int)n - 1);
            return;
        }
        CHECK(err.code == LORY_E_MEMORY, "allocation %d: code %d, %s", (int)n, err.code, err.text);
        CHECK(err.text[0] != '\0', "allocation %d: no text", (int)n);
    }
    CHECK(false, "more than %d allocations", MAX_ALLOCATIONS);
}

TEST(running_out_of_memory_is_one_clean_error_with_byte_level_bpe)
{
    const char *path = test_vector("golden/qwen3/model-bf16.gguf");
    REQUIRE(path);
    fail_each_allocation(path);
}

TEST(running_out_of_memory_is_one_clean_error_with_sentencepiece_bpe)
{
    fail_each_allocation("models/tales-tiny-q8_0.gguf");
}
