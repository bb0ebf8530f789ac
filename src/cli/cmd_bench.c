/* cmd_bench.c - lory bench: prompt and generation speed beside what bounds them on this machine.
 *
 * A prompt row evaluates -p tokens at once after -d others; its limit is the multiply-accumulate
 * rate. A generation row evaluates -n tokens one by one; its limit is the rate at which memory is
 * read. With --parallel N the steps of a generation row evaluate a token of each of N sequences
 * that have nothing in common; either limit may bind. The limits are measured with the same threads
 * before and after every run, since on a shared machine they change from second to second; a share
 * is the median of the runs' own. Weights that stay in the caches are read faster than memory: a
 * share above 1 is no mistake.
 * Layer: cli. */
#include "base/err.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "text/json.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct {
    model_opts model;
    int n_prompt, n_gen, n_runs, n_batch, cache_type;
    opt_ints depth;    /* none: 0 */
    opt_ints threads;  /* none: the default */
    opt_ints parallel; /* none: 1 */
    bool json;
    lora_opts lora;
} bench_opts;

#define AT(field) offsetof(bench_opts, field)

static const opt_row rows[] = {
    { 'p', "prompt", OPT_INT, AT(n_prompt), "N", .max = INT_MAX,
      .help = "tokens of the prompt; 0 = no prompt row" },
    { 'n', "predict", OPT_INT, AT(n_gen), "N", .max = INT_MAX,
      .help = "tokens to generate; 0 = no generation row" },
    { 'd', "depth", OPT_INTS, AT(depth), "N,N,...", .max = INT_MAX,
      .help = "tokens in the context before either begins, rows for each", .shown = "0" },
    { 't', "threads", OPT_INTS, AT(threads), "N,N,...", .min = 1, .max = 1024,
      .help = "threads, one pair of rows for each",
      .shown = "physical cores this process may use" },
    { 'r', "repeat", OPT_INT, AT(n_runs), "N", .min = 1, .max = 1000, .help = "runs of each row" },
    { 0, "parallel", OPT_INTS, AT(parallel), "N,N,...", .min = 1, .max = 4096,
      .help = "sequences at once; above 1 a generation row alone", .shown = "1" },
    { 0, "json", OPT_BOOL, AT(json), .help = "print one JSON object a row" },
    { 0, NULL, OPT_GROUP, AT(model), .rows = model_rows },
    { 'b', "batch-size", OPT_INT, AT(n_batch), "N", .min = 1, .max = INT_MAX,
      .help = "tokens per prompt-processing step" },
    { 0, "cache-type", OPT_CHOICE, AT(cache_type), "f32|f16|q8_0", .choices = cli_cache_types,
      .help = "KV cache element type" },
    { 0, NULL, OPT_GROUP, AT(lora), .rows = lora_rows },
    { .kind = OPT_END },
};

static const opts_page page = {
    .name = "lory bench",
    .usage = "[-m FILE] [-p N] [-n N] [-t N,N,...] [options]",
    .about = "Measures the speed of prompts and of generation: the median, least and most tokens a "
             "second of -r runs, and the median share of this machine's limit, which is measured "
             "before and after each run; of generation after -d tokens also the share of the limit "
             "at which attention reads them. Their keys and values are made up.",
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
    lory_meter *meter;
    lory_machine_limits now; /* measured last */
    lory_token *ids; /* [max(depth, n_prompt)] */
    int n_vocab, n_ctx_train;
    double *speeds;    /* [n_runs] tokens a second; sorted, like what follows */
    double *shares;    /* [n_runs] of the limit, */
    double *attention; /* [n_runs] and attention's of reads; 0 when it is not known */
    int depth;
    double attend_s; /* seconds of attention in the run at hand */
    lory_batch *batch;
    int n_pieces; /* tokens that the batch has drawn */
    bool is_over; /* its sequences are to end */
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
    int n_parallel;
    bool (*run)(bench *b, lory_err *err);
} bench_row;

static int by_value(const void *a_, const void *b_)
{
    double a = *(const double *)a_, b = *(const double *)b_;
    return (a > b) - (a < b);
}

static double median(const double *sorted, int n)
{
    return n % 2 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}

/* ---- shares -------------------------------------------------------------------------------- */

/* Tokens a second that a machine with such limits could do at most. */
static double limit_of(const bench *b, const bench_row *row, const lory_machine_limits *l)
{
    lory_work work;
    if (row->n_prompt > 0) {
        lory_model_work(b->m, &b->session, row->n_prompt, b->depth, &work);
        return row->n_prompt
               / (work.i8_macs / l->i8_macs_per_s + work.f32_macs / l->f32_macs_per_s);
    }
    lory_model_work(b->m, &b->session, 1, b->depth + row->n_gen / 2, &work);
    if (row->n_parallel == 1) return l->read_bytes_per_s / work.read_bytes;
    lory_work alone;
    lory_model_work(b->m, &b->session, 1, 0, &alone);
    double n = row->n_parallel, kv_bytes = work.read_bytes - alone.read_bytes;
    double read_s = (alone.read_bytes + n * kv_bytes) / l->read_bytes_per_s;
    double compute_s = n * (work.i8_macs / l->i8_macs_per_s + work.f32_macs / l->f32_macs_per_s);
    return n / (read_s > compute_s ? read_s : compute_s);
}

/* The share of the read limit at which the cache is read while attention runs; 0 when it is not
 * known. */
static double attention_share(const bench *b, const bench_row *row, const lory_machine_limits *l)
{
    lory_work work, alone;
    if (b->depth == 0 || row->n_gen == 0 || row->n_parallel > 1 || b->attend_s <= 0) return 0;
    lory_model_work(b->m, &b->session, 1, b->depth + row->n_gen / 2, &work);
    lory_model_work(b->m, &b->session, 1, 0, &alone);
    return (work.read_bytes - alone.read_bytes) * row->n_gen / b->attend_s / l->read_bytes_per_s;
}

/* Run i took that long; the machine's limits around it are the means of before and after. */
static void record(bench *b, const bench_row *row, int i, double seconds)
{
    const lory_machine_limits was = b->now;
    b->now = lory_meter_now(b->meter);
    lory_machine_limits mean = b->now;
    mean.read_bytes_per_s = (was.read_bytes_per_s + b->now.read_bytes_per_s) / 2;
    mean.i8_macs_per_s = (was.i8_macs_per_s + b->now.i8_macs_per_s) / 2;
    mean.f32_macs_per_s = (was.f32_macs_per_s + b->now.f32_macs_per_s) / 2;
    int n_tok = row->n_parallel > 1 ? b->n_pieces : row->n_prompt + row->n_gen;
    b->speeds[i] = n_tok / (seconds > 0 ? seconds : 1e-9);
    b->shares[i] = b->speeds[i] / limit_of(b, row, &mean);
    b->attention[i] = attention_share(b, row, &mean);
}

/* The tokens before a row's; those of a model that reads its prefix at once are evaluated. */
static bool fill(bench *b, size_t depth, lory_err *err)
{
    if (lory_session_make_up(b->s, depth, err)) return true;
    return err->code == LORY_E_UNSUPPORTED && lory_session_eval(b->s, b->ids, depth, err);
}

static void sort_runs(bench *b)
{
    double *all[] = { b->speeds, b->shares, b->attention };
    for (int i = 0; i < 3; i++) qsort(all[i], (size_t)b->o->n_runs, sizeof **all, by_value);
}

/* A token that is not counted brings back to the caches what they can hold of the weights. */
static bool settle(bench *b, lory_err *err)
{
    if (!lory_session_eval(b->s, b->ids, 1, err)) return false;
    lory_session_truncate(b->s, (size_t)b->depth);
    return true;
}

/* One run that is not counted touches every page and wakes the threads; then n_runs. */
static bool measure(bench *b, const bench_row *row, lory_err *err)
{
    size_t depth = (size_t)b->depth;
    /* Where a table of rotations (LongRoPE) ends between one token more and a prompt more, all
     * would be evaluated anew, and a prompt gains little by what is in the caches. */
    bool is_near = row->n_gen > 0 || depth == 0;
    lory_session_truncate(b->s, 0);
    if (depth > 0 && !fill(b, depth, err)) return false;
    for (int i = -1; i < b->o->n_runs; i++) {
        lory_session_truncate(b->s, depth);
        if (i >= 0 && is_near && !settle(b, err)) return false;
        b->attend_s = 0;
        double start_ms = cli_now_ms();
        if (!row->run(b, err)) return false;
        double seconds = (cli_now_ms() - start_ms) / 1e3;
        if (i < 0) b->now = lory_meter_now(b->meter);
        else record(b, row, i, seconds);
    }
    sort_runs(b);
    return true;
}

/* ---- several sequences at once --------------------------------------------------------------- */

static bool on_piece(void *user, const lory_piece *piece)
{
    bench *b = user;
    (void)piece;
    b->n_pieces++;
    return !b->is_over;
}

static void on_done(void *user, const lory_generate_result *result, const lory_err *err)
{
    (void)user;
    (void)result;
    (void)err;
}

/* Begins n sequences of depth + 1 tokens, each with a first token of its own. */
static bool begin_sequences(bench *b, int n, lory_err *err)
{
    lory_sampler_params greedy;
    lory_generate_params endless = { .n_predict = -1, .ignore_end = true };
    lory_sampler_defaults(b->m, &greedy);
    greedy.temp = 0;
    for (int i = 0; i < n; i++) {
        lory_request r = { .ids = b->ids,
                           .n = (size_t)b->depth + 1,
                           .sampler = &greedy,
                           .generate = &endless,
                           .on_piece = on_piece,
                           .on_done = on_done,
                           .user = b };
        b->ids[0] = (lory_token)((i + 1) % b->n_vocab);
        if (!lory_batch_add(b->batch, &r, err)) return false;
    }
    return true;
}

/* Steps in which n sequences are evaluated up to their first token. */
static int steps_before(const bench *b, int n)
{
    int64_t n_tokens = (int64_t)n * (b->depth + 1), n_free = b->session.n_batch - n;
    return (int)(2 + n_tokens / (n_free > 0 ? n_free : 1));
}

static bool take_steps(bench *b, int n, lory_err *err)
{
    for (int i = 0; i < n; i++) {
        if (cli_interrupted()) return err_set(err, LORY_E_INTERRUPTED, "interrupted");
        if (!lory_batch_step(b->batch, err)) return false;
    }
    return true;
}

/* The sequences' own tokens go first, step by step; then n_gen steps of all of them count. */
static bool run_together(bench *b, const bench_row *row, double *seconds, lory_err *err)
{
    int n = row->n_parallel, n_steps = steps_before(b, n);
    b->is_over = false;
    if (!begin_sequences(b, n, err) || !take_steps(b, n_steps, err)) return false;
    b->n_pieces = 0;
    double start_ms = cli_now_ms();
    if (!take_steps(b, row->n_gen, err)) return false;
    *seconds = (cli_now_ms() - start_ms) / 1e3;
    int n_pieces = b->n_pieces;
    b->is_over = true;
    while (lory_batch_active(b->batch) > 0)
        if (!take_steps(b, 1, err)) return false;
    b->n_pieces = n_pieces;
    return true;
}

/* ---- printing ------------------------------------------------------------------------------ */

static void put_json(const bench *b, const bench_row *row, double share, double attention, buf *out)
{
    json_writer w = { out, false };
    json_begin_object(&w);
    json_member_int(&w, "n_prompt", row->n_prompt);
    json_member_int(&w, "n_gen", row->n_gen);
    json_member_int(&w, "depth", b->depth);
    json_member_int(&w, "parallel", row->n_parallel);
    json_member_int(&w, "threads", b->session.n_threads);
    json_member_f64(&w, "tokens_per_s_median", median(b->speeds, b->o->n_runs));
    json_member_f64(&w, "tokens_per_s_min", b->speeds[0]);
    json_member_f64(&w, "tokens_per_s_max", b->speeds[b->o->n_runs - 1]);
    json_member_f64(&w, "limit_share", share);
    if (attention > 0) json_member_f64(&w, "attention_share", attention);
    json_end_object(&w);
    buf_putc(out, '\n');
}

static void put_text(const bench *b, const bench_row *row, double share, double attention, buf *out)
{
    char name[24] = "generation";
    if (row->n_prompt) snprintf(name, sizeof name, "prompt");
    if (row->n_parallel > 1) snprintf(name, sizeof name, "%d at once", row->n_parallel);
    buf_printf(out, "%-10s %6d %6d %7d %11.1f %11.1f %11.1f %8.1f %%", name,
               row->n_prompt + row->n_gen, b->depth, b->session.n_threads,
               median(b->speeds, b->o->n_runs), b->speeds[0], b->speeds[b->o->n_runs - 1],
               100 * share);
    if (attention > 0) buf_printf(out, " %8.1f %%", 100 * attention);
    buf_putc(out, '\n');
}

static bool print_row(const bench *b, const bench_row *row)
{
    buf out = { 0 };
    double share = median(b->shares, b->o->n_runs);
    double attention = median(b->attention, b->o->n_runs);
    if (b->o->json)
        put_json(b, row, share, attention, &out);
    else
        put_text(b, row, share, attention, &out);
    return out_last(&out) && out_flush();
}

static int deepest(const bench_opts *o)
{
    int most = 0;
    for (int i = 0; i < o->depth.n; i++)
        if (o->depth.item[i] > most) most = o->depth.item[i];
    return most;
}

static bool print_head(const bench *b)
{
    lory_model_info info;
    buf out = { 0 };
    lory_model_get_info(b->m, &info);
    buf_printf(&out, "model   %s, %.1f M weights in %.1f MB\n", info.arch,
               (double)info.n_params / 1e6, (double)info.size_bytes / 1e6);
    return out_last(&out);
}

/* And the head of the rows. */
static bool print_limits(const bench *b)
{
    buf out = { 0 };
    const lory_machine_limits l = lory_meter_best(b->meter);
    buf_printf(
        &out, "limits  %d thread%s, %s: reads %.1f GB/s, multiply-adds/s int8 %.0f G, f32 %.0f G\n",
        l.n_threads, plural((uint64_t)l.n_threads), l.isa, l.read_bytes_per_s / 1e9,
        l.i8_macs_per_s / 1e9, l.f32_macs_per_s / 1e9);
    buf_printf(&out,
               "\nrow        tokens  depth threads    tokens/s       least        most   of limit"
               "%s\n",
               deepest(b->o) > 0 ? "  attention" : "");
    return out_last(&out);
}

/* ---- the command --------------------------------------------------------------------------- */

static int bench_alone(bench *b)
{
    const bench_opts *o = b->o;
    const bench_row both[] = { { o->n_prompt, 0, 1, run_prompt },
                               { 0, o->n_gen, 1, run_generation } };
    lory_err err;
    int status = EXIT_OK;
    b->s = lory_session_new(b->m, &b->session, &err);
    if (!b->s) return cli_fail(&err);
    cli_catch_interrupt(b->s);
    if (b->depth > 0) lory_session_time_attention(b->s, &b->attend_s);
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

static bool measure_together(bench *b, const bench_row *row, lory_err *err)
{
    lory_batch_params p = { .session = b->session, .n_parallel = row->n_parallel };
    int64_t n_ctx = (int64_t)b->depth + 2 + steps_before(b, row->n_parallel) + row->n_gen;
    double seconds;
    if (n_ctx > b->n_ctx_train)
        return err_set(
            err, LORY_E_ARGUMENT,
            "--parallel: %d sequences need a context of %lld tokens (the model was trained "
            "for %d; -n or -b change it)",
            row->n_parallel, (long long)n_ctx, b->n_ctx_train);
    p.session.n_ctx = (int)n_ctx;
    if (!(b->batch = lory_batch_new(b->m, &p, err))) return false;
    cli_catch_batch_interrupt(b->batch);
    bool ok = run_together(b, row, &seconds, err);
    if (ok) b->now = lory_meter_now(b->meter);
    for (int i = 0; i < b->o->n_runs && ok; i++)
        if ((ok = run_together(b, row, &seconds, err))) record(b, row, i, seconds);
    cli_catch_batch_interrupt(NULL);
    lory_batch_free(b->batch);
    if (ok) sort_runs(b);
    return ok;
}

static int bench_together(bench *b, int n_parallel)
{
    const bench_row row = { 0, b->o->n_gen, n_parallel, NULL };
    lory_err err;
    if (n_parallel == 1) return bench_alone(b);
    if (row.n_gen == 0) return EXIT_OK;
    if (!measure_together(b, &row, &err)) return cli_fail(&err);
    return print_row(b, &row) ? EXIT_OK : EXIT_FAILED;
}

static int bench_depth(bench *b, int depth)
{
    const opt_ints *parallel = &b->o->parallel;
    int status = EXIT_OK;
    b->depth = depth;
    if (parallel->n == 0) return bench_alone(b);
    for (int i = 0; i < parallel->n && status == EXIT_OK; i++)
        status = bench_together(b, parallel->item[i]);
    return status;
}

static int bench_depths(bench *b)
{
    const opt_ints *depth = &b->o->depth;
    int status = EXIT_OK;
    if (!b->o->json && !print_limits(b)) return EXIT_FAILED;
    if (depth->n == 0) return bench_depth(b, 0);
    for (int i = 0; i < depth->n && status == EXIT_OK; i++) status = bench_depth(b, depth->item[i]);
    return status;
}

/* All rows with n_threads. Returns the exit status. */
static int bench_threads(bench *b, int n_threads)
{
    lory_err err;
    b->session.n_threads = n_threads;
    b->meter = lory_meter_new(n_threads, &err);
    if (!b->meter) return cli_fail(&err);
    int status = bench_depths(b);
    lory_meter_free(b->meter);
    return status;
}

/* Makes room for the longest row; a model trained on a shorter context gets a shorter prompt. */
static bool fit_context(bench *b, bench_opts *o, const lory_model_info *info, lory_err *err)
{
    const int depth = deepest(o);
    int64_t room = (int64_t)info->n_ctx_train - depth;
    if (room < 1)
        return err_set(err, LORY_E_ARGUMENT,
                       "-d: leaves no room in the context (found %d, expected below %d)", depth,
                       info->n_ctx_train);
    if (o->n_prompt > room || o->n_gen > room)
        cli_note("rows are cut to the %d tokens that the model was trained for", info->n_ctx_train);
    if (o->n_prompt > room) o->n_prompt = (int)room;
    if (o->n_gen > room) o->n_gen = (int)room;
    b->session = (lory_session_params){
        .n_ctx = depth + (o->n_prompt > o->n_gen ? o->n_prompt : o->n_gen),
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
    lory_memory_plan plan; /* of a file that cannot be run this says why */
    if (!lory_plan_memory(b->m, &(lory_session_params){ .n_ctx = 1 }, &plan, err)
        || !fit_context(b, o, &info, err))
        return false;
    size_t n_ids = (size_t)b->session.n_ctx + 1;
    b->n_vocab = info.n_vocab;
    b->n_ctx_train = info.n_ctx_train;
    b->ids = mem_new(n_ids, sizeof *b->ids);
    b->speeds = mem_new((size_t)o->n_runs * 3, sizeof *b->speeds);
    if (!b->ids || !b->speeds) return err_set(err, LORY_E_MEMORY, "bench: no memory");
    b->shares = b->speeds + o->n_runs;
    b->attention = b->shares + o->n_runs;
    for (size_t i = 0; i < n_ids; i++) b->ids[i] = (lory_token)(i * 7919 % (size_t)b->n_vocab);
    return true;
}

static int run_bench(bench *b)
{
    const bench_opts *o = b->o;
    int status = EXIT_OK;
    if (!o->json && !print_head(b)) return EXIT_FAILED;
    if (o->threads.n == 0) return bench_threads(b, lory_default_threads());
    for (int i = 0; i < o->threads.n && status == EXIT_OK; i++) {
        if (i > 0 && !o->json) out_put("\n", 1);
        status = bench_threads(b, o->threads.item[i]);
    }
    return status;
}

int cmd_bench(int argc, char **argv)
{
    bench_opts o = { .n_prompt = 512, .n_gen = 128, .n_runs = 5, .n_batch = 512 };
    lory_err err;
    int status;
    if (!cli_parse(&page, &o, argc, argv, &status)) return status;
    if (o.n_prompt == 0 && o.n_gen == 0)
        return cli_usage("-n: 0 and -p 0 leave nothing to measure");
    bench b = { .o = &o };
    status = open_bench(&b, &o, &err) ? run_bench(&b) : cli_fail(&err);
    mem_free(b.ids);
    mem_free(b.speeds);
    lory_model_close(b.m);
    opts_free(&page, &o);
    return status;
}
