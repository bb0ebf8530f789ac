/* cmd_batch.c - lory batch: answers every line of a JSONL file, many at once, in order.
 * Layer: cli.
 *
 * batch_in is the file that lines come from; batch_request reads one, batch_answer writes one,
 * batch_window keeps those between, batch_out is the file they go to, and batch_state what it
 * belongs to. batch_run takes the lines from one to the other; here is what opens all of it. */
#include "base/err.h"
#include "base/mem.h"
#include "cli/batch_run.h"
#include "cli/chat_templates.h"
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- options ----------------------------------------------------------------------------- */

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

static int check_opts(batch_run *r)
{
    const batch_opts *o = r->o;
    if (!read_shard(o->shard, &r->shard, &r->n_shards))
        return cli_usage(
            "--shard: not one of N stretches (found \"%.40s\", expected K/N with K from 1 to N)",
            o->shard);
    int status = cli_check_stops(&o->stop);
    return status ? status : check_files(o);
}

/* ---- opening and closing ----------------------------------------------------------------- */

static bool open_model(batch_run *r, lory_err *err)
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
static bool open_template(batch_run *r, lory_err *err)
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
static bool check_sampling(batch_run *r, lory_err *err)
{
    uint64_t seed;
    if (!cli_open_grammar(&r->o->constraint, &r->grammar, &r->status, err)) return false;
    lory_sampler *s = cli_open_sampler(r->m, &r->o->sampling, r->grammar.g, &seed, err);
    lory_sampler_free(s);
    return s != NULL;
}

static bool set_sampler(batch_run *r, lory_err *err)
{
    if (!cli_sampler_params(r->m, &r->o->sampling, &r->d.sampler, &r->bias, err)) return false;
    r->d.sampler.grammar = r->grammar.g;
    r->grammars = batch_grammars();
    r->toolsets = batch_toolsets();
    r->d.grammars = &r->grammars;
    r->d.toolsets = &r->toolsets;
    return true;
}

static bool choose_lines(batch_run *r, lory_err *err)
{
    if (!batch_in_choose(&r->in, r->shard, r->n_shards, err)) return false;
    r->state.input = r->in.all;
    return true;
}

static bool open_run(batch_run *r, lory_err *err)
{
    r->status = EXIT_FAILED;
    return batch_in_open(&r->in, r->o->in, err) && open_model(r, err) && open_template(r, err)
           && check_sampling(r, err) && set_sampler(r, err) && choose_lines(r, err)
           && batch_describe_settings(r, err)
           && batch_window_open(&r->window, &r->d, r->batch, r->o->n_parallel, err)
           && batch_open_output(r, err) && batch_in_begin(&r->in, r->n_old, err);
}

static void close_run(batch_run *r)
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

/* ---- the command ------------------------------------------------------------------------- */

int cmd_batch(int argc, char **argv)
{
    batch_opts o = { .session = SESSION_DEFAULTS,
                     .sampling = SAMPLING_DEFAULTS,
                     .in = "-",
                     .out = "-",
                     .n_predict = -1,
                     .n_parallel = 32 };
    o.sampling.seed = 0;
    batch_run r = { .o = &o, .out = { .fd = -1 } };
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
            status = batch_run_lines(&r);
            if (o.stats) batch_print_stats(&r);
        }
        close_run(&r);
    }
    opts_free(&page, &o);
    return status;
}
