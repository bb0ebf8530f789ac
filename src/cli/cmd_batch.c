/* cmd_batch.c - lory batch: answers every line of a JSONL file, many at once, in order.
 * Layer: cli.
 *
 * batch_in is the file that lines come from; batch_request reads one, batch_answer writes one,
 * batch_window keeps those between, batch_out is the file they go to, and batch_state what it
 * belongs to. */
#include "base/cpu.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/mem.h"
#include "cli/batch_in.h"
#include "cli/batch_out.h"
#include "cli/batch_state.h"
#include "cli/batch_window.h"
#include "cli/chat_templates.h"
#include "cli/cli.h"
#include "cli/progress.h"
#include "text/json.h"
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct {
    model_opts model;
    session_opts session;
    sampling_opts sampling;
    constraint_opts constraint;
    const char *in, *out, *shard, *template;
    const char *stats; /* NULL: none, "": a line of text, "json" */
    opt_list stop;
    int n_predict, n_parallel, n_kv;
    bool resume, special, ignore_eos, verbose;
} batch_opts;

#define AT(field) offsetof(batch_opts, field)

static const opt_row rows[] = {
    { 'i', "input", OPT_STR, AT(in), "FILE",
      .help = "the requests, a JSON object a line; - is standard input" },
    { 'o', "output", OPT_STR, AT(out), "FILE",
      .help = "the answers, in the same order; - is standard output" },
    { 0, "parallel", OPT_INT, AT(n_parallel), "N", .min = 1, .max = 4096,
      .help = "sequences at once" },
    { 0, "resume", OPT_BOOL, AT(resume),
      .help = "go on with an output that a run with the same input, model and settings began" },
    { 0, "shard", OPT_STR, AT(shard), "K/N", .shown = "",
      .help = "answer only the K-th of N equal stretches of lines" },
    { 0, "kv-size", OPT_INT, AT(n_kv), "N", .max = INT_MAX - 64,
      .help = "tokens in the KV cache of all sequences together",
      .shown = "0, N sequences of the context length, lowered to fit memory" },
    { 0, "stats", OPT_MAYBE, AT(stats), "json", .choices = cli_stats_forms,
      .help = "print timings on standard error at the end" },
    { 'v', "verbose", OPT_BOOL, AT(verbose), .help = "tell the progress on standard error" },
    { 0, "For lines that do not say it themselves", OPT_HEAD, .help = NULL },
    { 'n', "predict", OPT_INT, AT(n_predict), "N", .min = -1, .max = INT_MAX,
      .also = "n-predict max-tokens max-new-tokens num-predict",
      .help = "most tokens to generate; -1 = until the end or the context is full" },
    { 0, "stop", OPT_LIST, AT(stop), "TEXT", .help = "stop at this text (repeatable)" },
    { 0, NULL, OPT_GROUP, AT(constraint), .rows = constraint_rows },
    { 0, "ignore-eos", OPT_BOOL, AT(ignore_eos), .help = "go on past the end-of-text token" },
    { 0, "template", OPT_STR, AT(template), "NAME|FILE", .shown = "the model's own",
      .help = "chat template (Jinja) of lines with messages: " CHAT_BUILTINS ", or a file" },
    { 0, "special", OPT_BOOL, AT(special),
      .help = "read control-token text in prompts as control tokens" },
    { 0, "Model", OPT_HEAD, .help = NULL },
    { 0, NULL, OPT_GROUP, AT(model), .rows = model_rows },
    { 0, NULL, OPT_GROUP, AT(session), .rows = session_rows },
    { 0, NULL, OPT_GROUP, AT(sampling), .rows = sampling_rows },
    { .kind = OPT_END },
};

static const opts_page page = {
    .name = "lory batch",
    .usage = "-i IN.jsonl -o OUT.jsonl [--parallel N] [--resume] [options]",
    .about = "Answers every line of a JSONL file: one output line per input line, in the same "
             "order. A line is {\"id\", \"prompt\"} or {\"id\", \"messages\"} with optional fields "
             "named as in the OpenAI API (max_tokens, temperature, seed, stop, n, logprobs, "
             "tools ...), "
             "or a request of the OpenAI Batch API. A line that cannot be answered gives a line "
             "with \"error\", and the exit status is 1 in the end.",
    .rows = rows,
    .notes = "The bytes of the output depend on input, model and settings alone: not on -t,\n"
             "-b or --parallel, nor on being killed and resumed, or made in shards and\n"
             "concatenated. A line without a seed gets one from --seed and its number.\n\n"
             "Examples:\n"
             "  lory batch -m model.gguf -i in.jsonl -o out.jsonl --parallel 32\n"
             "  lory batch -m model.gguf -i in.jsonl -o out.jsonl --resume\n"
             "  lory batch -m model.gguf -i in.jsonl -o out-3 --shard 3/8\n",
    .loose = "-i",
};

/* One run of the command; what it opens, close_run closes. */
typedef struct {
    batch_opts *o;
    uint64_t shard, n_shards;
    batch_in in;
    lory_model *m;
    lory_batch *batch;
    batch_defaults d;
    lory_logit_bias *bias;
    cli_grammar grammar;     /* of lines without one of their own */
    kept grammars, toolsets; /* of those with one; of those with tools */
    buf template_text;
    batch_state state;
    batch_out out;
    uint64_t n_old; /* lines that were there already */
    batch_window window;
    buf text;
    progress progress;
    uint64_t n_errors; /* of an earlier run */
    double load_ms, start_ms, elapsed_ms;
    int status; /* of an open_run that failed */
} run;

/* ---- settings -------------------------------------------------------------------------------- */

static void put_int_setting(json_writer *w, const char *name, int64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, value);
    json_member_str(w, name, text);
}

/* In the fewest digits that are the same float. */
static void put_float_setting(json_writer *w, const char *name, float value)
{
    buf text = { 0 };
    json_put_f32(&(json_writer){ &text, false }, value);
    json_member_str(w, name, text.data ? text.data : "");
    if (text.failed) w->out->failed = true;
    buf_free(&text);
}

static void put_sampling(json_writer *w, const run *r)
{
    const sampling_opts all = cli_sampling_in_effect(r->m, &r->o->sampling);
    for (const opt_row *row = sampling_rows; row->kind != OPT_END; row++) {
        const void *x = cli_sampling_number(&all, row);
        if (x && row->kind == OPT_INT) put_int_setting(w, row->name, *(const int *)x);
        if (x && row->kind == OPT_FLOAT) put_float_setting(w, row->name, *(const float *)x);
    }
}

/* A setting that is JSON itself, as text. */
static void put_list(json_writer *w, const char *name, buf *list)
{
    json_member_bytes(w, name, list->data, list->len);
    if (list->failed) w->out->failed = true;
    buf_free(list);
}

static void put_lists(json_writer *w, const run *r)
{
    buf text = { 0 };
    json_writer inner = { &text, false };
    json_begin_array(&inner);
    for (size_t i = 0; i < r->o->stop.n; i++) json_put_str(&inner, r->o->stop.item[i]);
    json_end_array(&inner);
    put_list(w, "stop", &text);
    inner = (json_writer){ &text, false };
    json_begin_array(&inner);
    for (size_t i = 0; i < r->d.sampler.n_dry_breakers; i++)
        json_put_str(&inner, r->d.sampler.dry_breakers[i]);
    json_end_array(&inner);
    put_list(w, "dry-sequence-breaker", &text);
    inner = (json_writer){ &text, false };
    json_begin_array(&inner);
    for (size_t i = 0; i < r->d.sampler.n_logit_bias; i++) {
        json_put_int(&inner, r->d.sampler.logit_bias[i].id);
        json_put_f32(&inner, r->d.sampler.logit_bias[i].bias);
    }
    json_end_array(&inner);
    put_list(w, "logit-bias", &text);
}

static void put_template(json_writer *w, const run *r)
{
    const lory_template *t = &r->d.tmpl;
    put_int_setting(w, "template", t->text ? (int64_t)hash64_of(t->text, t->n, 0) : 0);
    put_int_setting(w, "SOURCE_DATE_EPOCH", t->now);
}

/* All that the bytes of the output depend on, besides input and model, by the options' names. */
static bool describe_settings(run *r, lory_err *err)
{
    char shard[48];
    json_writer w = { &r->state.settings, false };
    json_begin_object(&w);
    put_int_setting(&w, "seed", (int64_t)r->d.sampler.seed);
    put_sampling(&w, r);
    put_int_setting(&w, "predict", r->o->n_predict);
    put_int_setting(&w, "ignore-eos", r->o->ignore_eos);
    put_int_setting(&w, "special", r->o->special);
    put_int_setting(&w, "ctx-size", (int64_t)r->d.n_ctx);
    json_member_str(&w, "cache-type", cli_cache_types[r->o->session.cache_type]);
    put_template(&w, r);
    if (r->grammar.g) put_int_setting(&w, "grammar", (int64_t)(r->grammar.hash >> 1));
    put_lists(&w, r);
    snprintf(shard, sizeof shard, "%" PRIu64 "/%" PRIu64, r->shard, r->n_shards);
    json_member_str(&w, "shard", shard);
    json_end_object(&w);
    return !r->state.settings.failed || err_set(err, LORY_E_MEMORY, "no memory for the settings");
}

/* ---- output ---------------------------------------------------------------------------------- */

/* Begins an output anew. Its bytes go before it is said what it belongs to: an output that is empty
 * belongs to any run. */
static bool begin_output(run *r, lory_err *err)
{
    file_new state = { 0 };
    if (!r->out.is_file) return true;
    if (r->in.is_file && !batch_state_prepare(&r->state, r->o->out, &state, err)) return false;
    if (!batch_out_clear(&r->out, err)) {
        file_abandon(&state);
        return false;
    }
    if (r->in.is_file) return file_commit(&state, err);
    batch_state_remove(r->o->out);
    return true;
}

/* Goes on behind the lines that are there. */
static bool resume_output(run *r, lory_err *err)
{
    if (!batch_state_check(&r->state, r->o->out, err)
        || !batch_out_repair(&r->out, &r->n_old, &r->n_errors, err))
        return false;
    if (r->n_old > r->in.end - r->in.first)
        return err_set(err, LORY_E_FORMAT,
                       "%s: has more lines than there are to answer (found %" PRIu64
                       ", expected at most %" PRIu64 ")",
                       r->o->out, r->n_old, r->in.end - r->in.first);
    return true;
}

/* Whether the output or its sidecar is that file; path may be NULL, or name none. */
static bool is_written(const run *r, const char *path)
{
    struct stat st;
    return path && (cli_is_read(path, r->o->out)
                    || (stat(path, &st) == 0 && batch_state_is(r->o->out, &st)));
}

static bool is_written_lora(const run *r, const char *given)
{
    buf path = { 0 };
    float scale;
    cli_split_lora(given, &path, &scale);
    bool is = !path.failed && is_written(r, path.data);
    buf_free(&path);
    return is;
}

/* No file that the run reads may be lost. That the output is not the input batch_out_open knows. */
static bool check_written(const run *r, lory_err *err)
{
    char bundled[BUNDLED_PATH_MAX];
    const batch_opts *o = r->o;
    const char *const read[] = { cli_model_path(&o->model, bundled, NULL), o->template,
                                 o->constraint.grammar, o->constraint.schema };
    const char *name = NULL;
    if (!r->out.is_file) return true;
    if (batch_state_is(o->out, &r->in.stat)) name = r->in.name;
    for (size_t i = 0; i < sizeof read / sizeof read[0]; i++)
        if (is_written(r, read[i])) name = read[i];
    for (size_t i = 0; i < o->session.lora.given.n; i++)
        if (is_written_lora(r, o->session.lora.given.item[i])) name = o->session.lora.given.item[i];
    return !name
           || err_set(err, LORY_E_ARGUMENT, "-o: %s, or %s.resume, is %s, which is read", o->out,
                      o->out, name);
}

static bool open_output(run *r, lory_err *err)
{
    struct stat st;
    if (!batch_out_open(&r->out, r->o->out, r->in.lines.fd, err) || !check_written(r, err))
        return false;
    if (!r->o->resume || fstat(r->out.fd, &st) != 0 || st.st_size == 0) return begin_output(r, err);
    return resume_output(r, err);
}

/* Writes the lines that are done. */
static bool write_done(run *r, lory_err *err)
{
    uint64_t n_lines;
    buf_clear(&r->text);
    if (!batch_window_take(&r->window, &r->text, &n_lines, err)) return false;
    if (n_lines == 0) return true;
    if (r->out.fd == STDOUT_FILENO && out_is_terminal()) progress_end(&r->progress);
    return batch_out_write(&r->out, &r->text, n_lines, err);
}

/* ---- the run --------------------------------------------------------------------------------- */

/* Reads lines while there is room for them, without waiting when there is other work. */
static bool read_lines(run *r, lory_err *err)
{
    while (r->in.line < r->in.end && batch_window_has_room(&r->window)) {
        const char *text;
        size_t n;
        uint64_t line = r->in.line;
        lines_result got = batch_in_next(&r->in, r->window.n == 0, &text, &n, err);
        if (got == LINES_FAILED) return false;
        if (got == LINES_NOT_YET || got == LINES_END) return true;
        if (!batch_window_put(&r->window, line, text, n, got == LINES_TOO_LONG, err)) return false;
    }
    return true;
}

static void tell_progress(run *r)
{
    double ms = cli_now_ms() - r->start_ms;
    lory_batch_stats s;
    lory_batch_get_stats(r->batch, &s);
    snprintf(r->progress.note, sizeof r->progress.note, ", %.4g prompt + %.4g tok/s",
             cli_per_second(s.n_evaluated + s.n_shared - s.n_generated, ms),
             cli_per_second(s.n_generated, ms));
    progress_at(&r->progress, r->n_old + r->out.n_lines);
}

static bool answer_lines(run *r, lory_err *err)
{
    while (r->in.line < r->in.end || r->window.n > 0) {
        if (cli_interrupted()) return err_set(err, LORY_E_INTERRUPTED, "interrupted");
        if (!read_lines(r, err) || !batch_window_begin(&r->window, err)
            || !lory_batch_step(r->batch, err) || !write_done(r, err))
            return false;
        tell_progress(r);
    }
    return true;
}

/* Tells, with the error or after an interrupt, how far it came; the exit status. */
static int fail_lines(const run *r, const lory_err *err)
{
    uint64_t n = r->n_old + r->out.n_lines;
    const char *hint = r->out.is_file && r->in.is_file ? "; --resume goes on from there" : "";
    char done[128];
    lory_err all;
    if (r->in.is_file)
        snprintf(done, sizeof done, "%" PRIu64 " of %" PRIu64 " lines are complete%s", n,
                 r->in.end - r->in.first, hint);
    else
        snprintf(done, sizeof done, "%" PRIu64 " %s complete", n, n == 1 ? "line is" : "lines are");
    if (err->code == LORY_E_INTERRUPTED)
        cli_note("%s: %s", r->out.name, done);
    else
        err_set(&all, err->code, "%s; %s", err->text, done), err = &all;
    return cli_fail(err);
}

/* Answers, and writes what is done whatever happens. */
static int run_lines(run *r)
{
    lory_err err, late;
    progress_begin(&r->progress, "batch", "lines", r->in.is_file ? r->in.end - r->in.first : 0,
                   r->o->verbose);
    r->progress.first = r->n_old;
    r->start_ms = cli_now_ms();
    bool ok = answer_lines(r, &err);
    progress_end(&r->progress);
    r->elapsed_ms = cli_now_ms() - r->start_ms;
    if (!ok && err.code != LORY_E_IO && err.code != LORY_E_MEMORY) write_done(r, &late);
    if (r->out.is_closed_pipe) return EXIT_FAILED; /* its reader went away: nobody asks why */
    bool is_closed = batch_out_close(&r->out, ok ? &err : &late);
    if (!ok || !is_closed) return fail_lines(r, &err);
    if (!batch_in_check(&r->in, &err)) return cli_fail(&err);
    uint64_t n_errors = r->n_errors + r->window.n_errors;
    if (n_errors > 0)
        cli_note("%s: %" PRIu64 " of %" PRIu64 " lines could not be answered", r->in.name, n_errors,
                 r->n_old + r->out.n_lines);
    return n_errors > 0 ? EXIT_FAILED : EXIT_OK;
}

/* ---- what it prints at the end ------------------------------------------------------------- */

static void print_stats_json(const run *r, const lory_batch_stats *s)
{
    const batch_window *wi = &r->window;
    buf b = { 0 };
    json_writer w = { &b, false };
    json_begin_object(&w);
    cli_put_rounded(&w, "load_ms", r->load_ms);
    json_member_int(&w, "lines", r->out.n_lines);
    json_member_int(&w, "errors", wi->n_errors);
    json_member_int(&w, "resumed_lines", r->n_old);
    json_member_int(&w, "prompt_tokens", wi->n_prompt_tokens);
    json_member_int(&w, "shared_tokens", s->n_shared);
    json_member_int(&w, "evaluated_tokens", s->n_evaluated);
    json_member_int(&w, "generated_tokens", wi->n_generated_tokens);
    cli_put_rounded(&w, "elapsed_ms", r->elapsed_ms);
    cli_put_rounded(&w, "prompt_tokens_per_s", cli_per_second(wi->n_prompt_tokens, r->elapsed_ms));
    cli_put_rounded(&w, "generated_tokens_per_s",
                    cli_per_second(wi->n_generated_tokens, r->elapsed_ms));
    json_member_int(&w, "steps", s->n_steps);
    json_member_int(&w, "preempted", s->n_preempted);
    json_member_int(&w, "peak_memory_bytes", cpu_memory_peak_bytes());
    json_member_int(&w, "seed", r->d.sampler.seed);
    json_end_object(&w);
    if (!b.failed) fprintf(stderr, "%s\n", b.data);
    buf_free(&b);
}

static void print_stats(const run *r)
{
    lory_batch_stats s;
    const batch_window *w = &r->window;
    lory_batch_get_stats(r->batch, &s);
    if (*r->o->stats) {
        print_stats_json(r, &s);
        return;
    }
    cli_note("load %.1f ms, %" PRIu64 " lines in %.1f s, prompt %" PRIu64 " tokens (%" PRIu64
             " shared) %.1f tok/s, generated %" PRIu64 " tokens %.1f tok/s, peak memory %.1f MB",
             r->load_ms, r->out.n_lines, r->elapsed_ms / 1e3, w->n_prompt_tokens, s.n_shared,
             cli_per_second(w->n_prompt_tokens, r->elapsed_ms), w->n_generated_tokens,
             cli_per_second(w->n_generated_tokens, r->elapsed_ms),
             (double)cpu_memory_peak_bytes() / 1e6);
}

/* ---- the command ----------------------------------------------------------------------------- */

static bool open_model(run *r, lory_err *err)
{
    session_opts *o = &r->o->session;
    lory_batch_params p = { .n_parallel = r->o->n_parallel, .n_kv = r->o->n_kv };
    lory_memory_plan plan;
    lory_model_info info;
    double start_ms = cli_now_ms();
    if (!(r->m = cli_open_model(&r->o->model, err)) || !cli_open_loras(r->m, &o->lora, err))
        return false;
    p.session = cli_session_params(o);
    if (!lory_plan_batch_memory(r->m, &p, &plan, NULL, err)
        || !(r->batch = lory_batch_new(r->m, &p, err)))
        return false;
    r->load_ms = cli_now_ms() - start_ms;
    lory_model_get_info(r->m, &info);
    cli_tell_context(r->m, &plan, lory_batch_n_ctx(r->batch));
    r->state.model = lory_fingerprint(r->m, o->lora.use, o->lora.n);
    r->d = (batch_defaults){ .m = r->m,
                             .model_name = *info.name ? info.name : "lory",
                             .n_ctx = (size_t)lory_batch_n_ctx(r->batch),
                             .special = r->o->special,
                             .generate = { .n_predict = r->o->n_predict,
                                           .ignore_end = r->o->ignore_eos,
                                           .stop = r->o->stop.item,
                                           .n_stop = r->o->stop.n } };
    return true;
}

/* The model's own template or the one that is named; a model without one answers prompts alone. A
 * clock that runs would change the bytes, so without SOURCE_DATE_EPOCH it stands still. */
static bool open_template(run *r, lory_err *err)
{
    lory_template *t = &r->d.tmpl;
    const chat_builtin *builtin = NULL;
    size_t n;
    bool is_fixed;
    if (!chat_clock(&t->now, &is_fixed, err)) return false;
    if (!is_fixed) t->now = 0;
    if (!r->o->template && !lory_model_chat_template(r->m, NULL, &n)) return true;
    if (!chat_open_template(r->m, "batch", r->o->template, &r->template_text, &builtin, err))
        return false;
    t->text = r->template_text.data ? r->template_text.data : "";
    t->n = r->template_text.len;
    t->name = r->o->template;
    r->d.template_stop = builtin ? builtin->stop : NULL;
    r->d.tool_tmpl.text = r->o->template ? NULL : lory_model_chat_template(r->m, "tool_use", &n);
    if (r->d.tool_tmpl.text)
        r->d.tool_tmpl = (lory_template){ r->d.tool_tmpl.text, n, NULL, t->now };
    if (!is_fixed && strstr(t->text, "strftime_now"))
        cli_note("the chat template asks for the date and is told 1 January 1970, so that the same "
                 "lines give the same bytes (SOURCE_DATE_EPOCH sets it)");
    return true;
}

/* What is wrong with the sampling options should be said once, not for every line. */
static bool check_sampling(run *r, lory_err *err)
{
    uint64_t seed;
    if (!cli_open_grammar(&r->o->constraint, &r->grammar, &r->status, err)) return false;
    lory_sampler *s = cli_open_sampler(r->m, &r->o->sampling, r->grammar.g, &seed, err);
    lory_sampler_free(s);
    return s != NULL;
}

static bool set_sampler(run *r, lory_err *err)
{
    if (!cli_sampler_params(r->m, &r->o->sampling, &r->d.sampler, &r->bias, err)) return false;
    r->d.sampler.grammar = r->grammar.g;
    r->grammars = batch_grammars();
    r->toolsets = batch_toolsets();
    r->d.grammars = &r->grammars;
    r->d.toolsets = &r->toolsets;
    return true;
}

static bool choose_lines(run *r, lory_err *err)
{
    if (!batch_in_choose(&r->in, r->shard, r->n_shards, err)) return false;
    r->state.input = r->in.all;
    return true;
}

static bool open_run(run *r, lory_err *err)
{
    r->status = EXIT_FAILED;
    return batch_in_open(&r->in, r->o->in, err) && open_model(r, err) && open_template(r, err)
           && check_sampling(r, err) && set_sampler(r, err) && choose_lines(r, err)
           && describe_settings(r, err)
           && batch_window_open(&r->window, &r->d, r->batch, r->o->n_parallel, err)
           && open_output(r, err) && batch_in_begin(&r->in, r->n_old, err);
}

static void close_run(run *r)
{
    lory_err err;
    cli_catch_batch_interrupt(NULL);
    batch_out_close(&r->out, &err);
    lory_batch_free(r->batch); /* before the requests that it writes to */
    batch_window_close(&r->window);
    batch_state_free(&r->state);
    batch_in_close(&r->in);
    lory_grammar_free(r->grammar.g);
    kept_free(&r->grammars);
    kept_free(&r->toolsets);
    mem_free(r->bias);
    buf_free(&r->text);
    buf_free(&r->template_text);
    lory_model_close(r->m);
}

/* "3/8" */
static bool read_shard(const char *text, uint64_t *k, uint64_t *n)
{
    int end = 0;
    *k = *n = 1;
    if (!text) return true;
    if (strspn(text, "0123456789/") != strlen(text) || strlen(text) > 19) return false;
    return sscanf(text, "%" SCNu64 "/%" SCNu64 "%n", k, n, &end) == 2 && !text[end] && *k >= 1
           && *k <= *n;
}

/* Whether it is there and neither file nor folder; "-" is stdin. Asked before it is opened: of a
 * named pipe that waits for the other end. */
static bool is_stream(const char *path)
{
    struct stat st;
    bool is_stdin = strcmp(path, "-") == 0;
    bool is_there = is_stdin ? fstat(STDIN_FILENO, &st) == 0 : stat(path, &st) == 0;
    return is_there && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode);
}

static int check_files(const batch_opts *o)
{
    const char *option = o->shard ? "--shard" : o->resume ? "--resume" : NULL;
    if (option && is_stream(o->in))
        return cli_usage("%s: needs an input that is a file, not a pipe", option);
    if (o->resume && (batch_out_is_stdout(o->out) || is_stream(o->out)))
        return cli_usage("--resume: needs an output that is a file (-o FILE)");
    return 0;
}

static int check_opts(run *r)
{
    const batch_opts *o = r->o;
    if (!read_shard(o->shard, &r->shard, &r->n_shards))
        return cli_usage(
            "--shard: not one of N stretches (found \"%.40s\", expected K/N with K from 1 to N)",
            o->shard);
    int status = cli_check_stops(&o->stop);
    return status ? status : check_files(o);
}

int cmd_batch(int argc, char **argv)
{
    batch_opts o = { .session = SESSION_DEFAULTS,
                     .sampling = SAMPLING_DEFAULTS,
                     .in = "-",
                     .out = "-",
                     .n_predict = -1,
                     .n_parallel = 32 };
    o.sampling.seed = 0;
    run r = { .o = &o, .out = { .fd = -1 } };
    lory_err err;
    int status;
    if (!cli_parse(&page, &o, argc, argv, &status)) return status;
    status = check_opts(&r);
    if (!status) {
        cli_catch_batch_interrupt(NULL);
        if (!open_run(&r, &err))
            status = r.status == EXIT_USAGE ? cli_usage("%s", err.text) : cli_fail(&err);
        else {
            cli_catch_batch_interrupt(r.batch);
            status = run_lines(&r);
            if (o.stats) print_stats(&r);
        }
        close_run(&r);
    }
    opts_free(&page, &o);
    return status;
}
