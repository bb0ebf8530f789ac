/* stats.c - time, speeds and entropy for the commands; see cli.h. */
#include "base/cpu.h"
#include "cli/cli.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

double cli_now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

double cli_per_second(uint64_t n, double ms)
{
    return ms > 0 ? (double)n * 1e3 / ms : 0;
}

void cli_put_rounded(json_writer *w, const char *key, double value)
{
    json_member_f64(w, key, round(value * 1e3) / 1e3);
}

/* ---- what a run took --------------------------------------------------------------------- */

const char *const cli_stats_forms[] = { "json", NULL };

/* Its words stay as they are for any number: scripts read it. */
static void print_text(const cli_stats *s)
{
    char seed[32] = "";
    if (s->has_seed) snprintf(seed, sizeof seed, ", seed %" PRIu64, s->seed);
    cli_note("load %.1f ms, prompt %" PRIu64 " tokens %.1f tok/s, generated %" PRIu64
             " tokens %.1f tok/s, peak memory %.1f MB%s",
             s->load_ms, s->n_prompt, cli_per_second(s->n_prompt, s->prompt_ms), s->n_generated,
             cli_per_second(s->n_generated, s->generate_ms), (double)cpu_memory_peak_bytes() / 1e6,
             seed);
}

static void print_json(const cli_stats *s)
{
    buf b = { 0 };
    json_writer w = { &b, false };
    json_begin_object(&w);
    cli_put_rounded(&w, "load_ms", s->load_ms);
    json_member_int(&w, "prompt_tokens", s->n_prompt);
    cli_put_rounded(&w, "prompt_ms", s->prompt_ms);
    cli_put_rounded(&w, "prompt_tokens_per_s", cli_per_second(s->n_prompt, s->prompt_ms));
    json_member_int(&w, "generated_tokens", s->n_generated);
    cli_put_rounded(&w, "generated_ms", s->generate_ms);
    cli_put_rounded(&w, "generated_tokens_per_s", cli_per_second(s->n_generated, s->generate_ms));
    json_member_int(&w, "drafted_tokens", s->n_drafted);
    json_member_int(&w, "accepted_tokens", s->n_accepted);
    json_member_int(&w, "peak_memory_bytes", cpu_memory_peak_bytes());
    if (s->has_seed) json_member_int(&w, "seed", s->seed);
    json_end_object(&w);
    if (!b.failed) fprintf(stderr, "%s\n", b.data);
    buf_free(&b);
}

void cli_print_stats(const char *form, const cli_stats *s)
{
    if (form) *form ? print_json(s) : print_text(s);
}

/* ---- seeds ------------------------------------------------------------------------------- */

uint64_t cli_entropy_seed(void)
{
    uint64_t seed;
    if (getentropy(&seed, sizeof seed) != 0) { /* an old kernel: the clock is all there is */
        struct timespec t;
        clock_gettime(CLOCK_REALTIME, &t);
        seed = (uint64_t)t.tv_sec * 1000000007u ^ (uint64_t)t.tv_nsec << 20 ^ (uint64_t)getpid();
    }
    return seed >> 11;
}
