/* batch_request.c - see batch_request.h. */
#include "cli/batch_request.h"
#include "base/err.h"
#include "base/rng.h"

/* Streams of seeds, kept apart; 53 bits, so that JSON numbers carry them. */
enum { STREAM_LINE = 0x6c696e65, STREAM_CHOICE = 0x63686f69, SEED_SHIFT = 11 };

uint64_t batch_line_seed(uint64_t seed, uint64_t line)
{
    return rng_at(seed, line, STREAM_LINE) >> SEED_SHIFT;
}

uint64_t batch_request_seed(const batch_request *r, int i)
{
    uint64_t seed = r->sampler.seed;
    return i == 0 ? seed : rng_at(seed, (uint64_t)i, STREAM_CHOICE) >> SEED_SHIFT;
}

int batch_n_choices(const batch_request *r)
{
    return (int)r->n_prompt * r->n;
}

const lory_tokens *batch_prompt_of(const batch_request *r, int i_choice)
{
    return &r->prompt[i_choice / r->n];
}

bool batch_request_prompts(batch_request *r, size_t n, lory_err *err)
{
    r->prompt = mem_new(n, sizeof *r->prompt);
    if (!r->prompt) return err_set(err, LORY_E_MEMORY, "no memory for the line");
    r->n_prompt = n;
    return true;
}

size_t batch_n_prompt_tokens(const batch_request *r)
{
    size_t n = 0;
    for (size_t i = 0; i < r->n_prompt; i++) n += r->prompt[i].n;
    return n;
}

void batch_request_free(batch_request *r)
{
    buf_free(&r->id);
    buf_free(&r->model);
    buf_free(&r->prompt_end);
    buf_free(&r->tools.before);
    buf_free(&r->tools.after);
    batch_toolset_give(r->tools.set);
    for (size_t i = 0; i < r->n_prompt; i++) lory_tokens_free(&r->prompt[i]);
    mem_free(r->prompt);
    lory_grammar_free(r->grammar);
    arena_free(&r->arena);
    *r = (batch_request){ 0 };
}
