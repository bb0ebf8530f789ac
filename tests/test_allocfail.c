/* test_allocfail.c - the whole way from a file to generated text, with an allocator that gives out
 * after n blocks, or denies the n-th, for every n until nothing fails: each time one clean error
 * and nothing kept. */
#include "base/mem.h"
#include "cli/batch_window.h"
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

static void fail_each_allocation(const char *path, void (*fail)(uint64_t n))
{
    lory_err err;
    for (uint64_t n = 1; n < MAX_ALLOCATIONS; n++) {
        job j = { 0 };
        size_t live = mem_live_bytes();
        err = (lory_err){ 0 };
        fail(n);
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
    fail_each_allocation(path, mem_fail_at);
    fail_each_allocation(path, mem_fail_once);
}

TEST(running_out_of_memory_is_one_clean_error_with_sentencepiece_bpe)
{
    fail_each_allocation("models/tales-tiny-q8_0.gguf", mem_fail_at);
    fail_each_allocation("models/tales-tiny-q8_0.gguf", mem_fail_once);
}

TEST(a_prompt_is_rendered_whole_or_not_at_all)
{
    static const char text[] = "{{ bos_token }}{{ messages[0].content }}{{ eos_token }}",
                      variables[] = "{\"messages\": [{\"role\": \"user\", \"content\": \"Hi\"}]}";
    lory_template t = { .text = text, .n = strlen(text) };
    lory_err err;
    lory_model *m = lory_model_open("models/tales-tiny-q8_0.gguf", &err);
    REQUIRE(m, "%s", err.text);
    bool ok = false;
    for (uint64_t n = 1; !ok && n < MAX_ALLOCATIONS; n++) {
        lory_prompt p;
        mem_fail_once(n);
        ok = lory_render_template(m, &t, variables, strlen(variables), &p, &err);
        mem_fail_at(0);
        if (ok) CHECK_STR(p.text, "<s>Hi</s>");
        else CHECK(err.code == LORY_E_MEMORY, "allocation %d: %s", (int)n, err.text);
        if (ok) lory_prompt_free(&p);
    }
    CHECK(ok);
    lory_model_close(m);
}

/* Puts a line that cannot be answered, and takes the answer. */
static bool answer_wrong_line(const batch_defaults *d, buf *answer, lory_err *err)
{
    static const char line[] = "{\"id\": 7, \"prompt\": true}";
    batch_window w;
    uint64_t n_lines;
    bool ok = batch_window_open(&w, d, NULL, 1, err)
              && batch_window_put(&w, 1, line, strlen(line), false, err)
              && batch_window_take(&w, answer, &n_lines, err);
    batch_window_close(&w);
    return ok;
}

TEST(what_is_wrong_with_a_line_of_a_batch_is_told_or_ends_the_run)
{
    static const char want[] =
        "{\"id\":7,\"error\":{\"line\":1,\"message\":\"\\\"prompt\\\" is not a text, an array of "
        "token ids, or an array of these\"}}\n";
    lory_err err;
    lory_model *m = lory_model_open("models/tales-tiny-q8_0.gguf", &err);
    REQUIRE(m, "%s", err.text);
    batch_defaults d = { .m = m, .n_ctx = 64 };
    size_t live = mem_live_bytes();
    bool ok = false;
    for (uint64_t n = 1; !ok && n < MAX_ALLOCATIONS; n++) {
        buf answer = { 0 };
        mem_fail_once(n);
        ok = answer_wrong_line(&d, &answer, &err);
        mem_fail_at(0);
        if (ok) CHECK_STR(answer.data, want);
        else CHECK(err.code == LORY_E_MEMORY, "allocation %d: %s", (int)n, err.text);
        buf_free(&answer);
        CHECK(mem_live_bytes() == live, "allocation %d", (int)n);
    }
    CHECK(ok);
    lory_model_close(m);
}
