/* cmd_bench.c - lory bench: prompt and generation speed beside what bounds them on this machine.
 *
 * A prompt row evaluates -p tokens at once after -d others; its limit is the multiply-accumulate
 * rate. A generation row evaluates -n tokens one by one; its limit is the rate at which memory is
 * read. Both limits are measured in the same run with the same threads. Weights that stay in the
 * caches are read faster than memory: a share above 1 is no mistake.
 * Layer: cli. */
#include "base/err.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "text/json.h"
#include <limits.h>
#include <stdlib.h>

typedef struct {
    model_opts model;
    int n_prompt, n_gen, depth, n_runs, n_batch, cache_type;
    opt_ints threads; /* none: the default */
    const char *parallel;
    bool json;
    lora_opts lora;
} bench_opts;

#define AT(field) offsetof(bench_opts, field)

/* In the order of lory_cache_type. */
static const char *const cache_types[] = { "f16", "f32", "q8_0", NULL };

static const opt_row rows[] = {
    { 'p', "prompt", OPT_INT, AT(n_prompt), "N", .max = INT_MAX,
      .help = "tokens of the prompt; 0 = no prompt row" },
    { 'n', "predict", OPT_INT, AT(n_gen), "N", .max = INT_MAX,
      .help = "tokens to generate; 0 = no generation row" },
    { 'd', "depth", OPT_INT, AT(depth), "N", .max = INT_MAX,
      .help = "tokens in the context before either begins" },
    { 't', "threads", OPT_INTS, AT(threads), "N,N,...", .min = 1, .max = 1024,
      .help = "threads, one pair of rows for each",
      .shown = "physical cores this process may use" },
    { 'r', "repeat", OPT_INT, AT(n_runs), "N", .min = 1, .max = 1000, .help = "runs of each row" },
    { 0, "parallel", OPT_STR, AT(parallel), "N,N,...", .help = "sequences at once", .shown = "1" },
    { 0, "json", OPT_BOOL, AT(json), .help = "print one JSON object a row" },
    { 0, NULL, OPT_GROUP, AT(model), .rows = model_rows },
    { 'b', "batch-size", OPT_INT, AT(n_batch), "N", .min = 1, .max = INT_MAX,
      .help = "tokens per prompt-processing step" },
    { 0, "cache-type", OPT_CHOICE, AT(cache_type), "f32|f16|q8_0", .choices = cache_types,
      .help = "KV cache element type" },
    { 0, NULL, OPT_GROUP, AT(lora), .rows = lora_rows },
    { .kind = OPT_END },
};

static const opts_page page = {
    .name = "bench",
    .usage = "[-m FILE] [-p N] [-n N] [-t N,N,...] [options]",
    .about = "Measures the speed of prompts and of generation: the median, least and most tokens a "
             "second of -r runs, and the share of this machine's limit that the median reaches.",
    .rows = rows,
    .notes = "Example:\n  lory bench -m model.gguf -p 512 -n 128 -t 1,2,4 -d 1024\n",
    .loose = "-m",
};

/* One pair of rows. */
typedef struct {
    const bench_opts *o;
    lory_model *m;
    lory_session *s;
    lory_session_params session;
    lory_machine_limits limits;
    lory_token *ids; /* [max(depth, n_prompt)] */
    int n_vocab;
    double *speeds; /* [n_runs] tokens a second */
} bench;

/* ---- measuring ----------------------------------------------------------------------------- */

static bool run_prompt(bench *b, lory_err *err)
{
    return lory_session_eval(b->s, b->ids, (size_t)b->o->n_prompt, err);
}

static bool run_generation(bench *b, lory_err *err)
{
    for (int i = 0; i < b->o->n_gen; i++) {
        lory_token id = (i + 1) % b->n_vocab;
        if (!lory_session_eval(b->s, &id, 1, err)) return false;
    }
    return true;
}

typedef struct {
    int n_prompt, n_gen; /* one of them is 0 */
    bool (*run)(bench *b, lory_err *err);
} bench_row;

static int by_value(const void *a_, const void *b_)
{
    double a = *(const double *)a_, b = *(const double *)b_;
    return (a > b) - (a < b);
}

/* One run that is not counted touches every page and wakes the threads; then n_runs, sorted. */
static bool measure(bench *b, const bench_row *row, lory_err *err)
{
    size_t depth = (size_t)b->o->depth;
    lory_session_truncate(b->s, 0);
    if (depth > 0 && !lory_session_eval(b->s, b->ids, depth, err)) return false;
    for (int i = -1; i < b->o->n_runs; i++) {
        lory_session_truncate(b->s, depth);
        double start_ms = cli_now_ms();
        if (!row->run(b, err)) return false;
        double seconds = (cli_now_ms() - start_ms) / 1e3;
        if (i >= 0) b->speeds[i] = (row->n_prompt + row->n_gen) / (seconds > 0 ? seconds : 1e-9);
    }
    qsort(b->speeds, (size_t)b->o->n_runs, sizeof b->speeds[0], by_value);
    return true;
}

static double median(const double *sorted, int n)
{
    return n % 2 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}

/* Tokens a second that the machine could do at most. */
static double limit_of(const bench *b, const bench_row *row)
{
    lory_work work;
    if (row->n_prompt > 0) {
        lory_model_work(b->m, &b->session, row->n_prompt, b->o->depth, &work);
        return row->n_prompt
               / (work.i8_macs / b->limits.i8_macs_per_s
                  + work.f32_macs / b->limits.f32_macs_per_s);
    }
    lory_model_work(b->m, &b->session, 1, b->o->depth + row->n_gen / 2, &work);
    return b->limits.read_bytes_per_s / work.read_bytes;
}

/* ---- printing ------------------------------------------------------------------------------ */

static void put_json(const bench *b, const bench_row *row, double share, buf *out)
{
    json_writer w = { out, false };
    const struct {
        const char *key;
        int value;
    } counts[] = { { "n_prompt", row->n_prompt },
                   { "n_gen", row->n_gen },
                   { "depth", b->o->depth },
                   { "parallel", 1 },
                   { "threads", b->session.n_threads } };
    json_begin_object(&w);
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        json_put_key(&w, counts[i].key);
        json_put_int(&w, counts[i].value);
    }
    json_put_key(&w, "tokens_per_s_median");
    json_put_f64(&w, median(b->speeds, b->o->n_runs));
    json_put_key(&w, "tokens_per_s_min");
    json_put_f64(&w, b->speeds[0]);
    json_put_key(&w, "tokens_per_s_max");
    json_put_f64(&w, b->speeds[b->o->n_runs - 1]);
    json_put_key(&w, "limit_share");
    json_put_f64(&w, share);
    json_end_object(&w);
    buf_putc(out, '\n');
}

static void put_text(const bench *b, const bench_row *row, double share, buf *out)
{
    buf_printf(out, "%-10s %6d %6d %7d %11.1f %11.1f %11.1f %8.1f %%\n",
               row->n_prompt ? "prompt" : "generation", row->n_prompt + row->n_gen, b->o->depth,
               b->session.n_threads, median(b->speeds, b->o->n_runs), b->speeds[0],
               b->speeds[b->o->n_runs - 1], 100 * share);
}

static bool print_row(const bench *b, const bench_row *row)
{
    buf out = { 0 };
    double share = median(b->speeds, b->o->n_runs) / limit_of(b, row);
    if (b->o->json)
        put_json(b, row, share, &out);
    else
        put_text(b, row, share, &out);
    bool ok = out_buf(&out) && out_flush();
    buf_free(&out);
    return ok;
}

static bool print_head(const bench *b)
{
    lory_model_info info;
    buf out = { 0 };
    lory_model_get_info(b->m, &info);
    buf_printf(&out, "model   %s, %.1f M weights in %.1f MB\n\n", info.arch,
               (double)info.n_params / 1e6, (double)info.size_bytes / 1e6);
    buf_puts(&out, "row        tokens  depth threads    tokens/s       least        most "
                   "  of limit\n");
    bool ok = out_buf(&out);
    buf_free(&out);
    return ok;
}

static bool print_limits(const bench *b)
{
    buf out = { 0 };
    const lory_machine_limits *l = &b->limits;
    buf_printf(&out,
               "limits of %d thread%s, %s: reads %.1f GB/s, int8 %.1f G and f32 %.1f G "
               "multiply-adds/s\n",
               l->n_threads, l->n_threads == 1 ? "" : "s", l->isa, l->read_bytes_per_s / 1e9,
               l->i8_macs_per_s / 1e9, l->f32_macs_per_s / 1e9);
    bool ok = out_buf(&out);
    buf_free(&out);
    return ok;
}

/* ---- the command --------------------------------------------------------------------------- */

/* Both rows with n_threads. Returns the exit status. */
static int bench_threads(bench *b, int n_threads)
{
    const bench_opts *o = b->o;
    const bench_row both[] = { { o->n_prompt, 0, run_prompt }, { 0, o->n_gen, run_generation } };
    lory_err err;
    int status = EXIT_OK;
    b->session.n_threads = n_threads;
    if (!lory_measure_limits(n_threads, &b->limits, &err)) return cli_fail(&err);
    if (!o->json && !print_limits(b)) return EXIT_FAILED;
    b->s = lory_session_new(b->m, &b->session, &err);
    if (!b->s) return cli_fail(&err);
    cli_catch_interrupt(b->s);
    for (int i = 0; i < 2 && status == EXIT_OK; i++) {
        if (both[i].n_prompt + both[i].n_gen == 0) continue;
        if (!measure(b, &both[i], &err))
            status = cli_fail(&err);
        else if (!print_row(b, &both[i]))
            status = EXIT_FAILED;
    }
    cli_catch_interrupt(NULL);
    lory_session_free(b->s);
    return status;
}

/* Makes room for the longest row; a model trained on a shorter context gets a shorter prompt. */
static bool fit_context(bench *b, bench_opts *o, const lory_model_info *info, lory_err *err)
{
    int64_t room = (int64_t)info->n_ctx_train - o->depth;
    if (room < 1)
        return err_set(err, LORY_E_ARGUMENT,
                       "-d: leaves no room in the context (found %d, expected below %d)", o->depth,
                       info->n_ctx_train);
    if (o->n_prompt > room || o->n_gen > room)
        cli_note("rows are cut to the %d tokens that the model was trained for", info->n_ctx_train);
    if (o->n_prompt > room) o->n_prompt = (int)room;
    if (o->n_gen > room) o->n_gen = (int)room;
    b->session = (lory_session_params){
        .n_ctx = o->depth + (o->n_prompt > o->n_gen ? o->n_prompt : o->n_gen),
        .n_batch = o->n_batch,
        .cache_type = (lory_cache_type)o->cache_type,
        .lora = o->lora.use,
        .n_lora = o->lora.n,
    };
    return true;
}

static bool open_bench(bench *b, bench_opts *o, lory_err *err)
{
    lory_model_info info;
    b->m = cli_open_model(&o->model, err);
    if (!b->m || !cli_open_loras(b->m, &o->lora, err)) return false;
    lory_model_get_info(b->m, &info);
    if (!fit_context(b, o, &info, err)) return false;
    size_t n_ids = (size_t)b->session.n_ctx;
    b->n_vocab = info.n_vocab;
    b->ids = mem_new(n_ids, sizeof *b->ids);
    b->speeds = mem_new((size_t)o->n_runs, sizeof *b->speeds);
    if (!b->ids || !b->speeds) return err_set(err, LORY_E_MEMORY, "bench: no memory");
    for (size_t i = 0; i < n_ids; i++) b->ids[i] = (lory_token)(i * 7919 % (size_t)b->n_vocab);
    return true;
}

static int run_bench(bench *b)
{
    const bench_opts *o = b->o;
    int status = EXIT_OK;
    if (!o->json && !print_head(b)) return EXIT_FAILED;
    if (o->threads.n == 0) return bench_threads(b, lory_default_threads());
    for (int i = 0; i < o->threads.n && status == EXIT_OK; i++)
        status = bench_threads(b, o->threads.item[i]);
    return status;
}

int cmd_bench(int argc, char **argv)
{
    bench_opts o = { .n_prompt = 512, .n_gen = 128, .n_runs = 5, .n_batch = 512 };
    lory_err err;
    int status;
    if (!cli_parse(&page, &o, argc, argv, &status)) return status;
    if (o.parallel) return cli_usage("--parallel: several sequences at once are not there yet");
    bench b = { .o = &o };
    status = open_bench(&b, &o, &err) ? run_bench(&b) : cli_fail(&err);
    mem_free(b.ids);
    mem_free(b.speeds);
    lory_model_close(b.m);
    opts_free(&page, &o);
    return status;
}
