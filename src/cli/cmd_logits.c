/* cmd_logits.c - lory logits: what the model says after given tokens, number by number.
 * Layer: cli. */
#include "base/err.h"
#include "cli/cli.h"
#include "text/json.h"
#include <string.h>

typedef struct {
    model_opts model;
    session_opts session;
    const char *ids;
    const char *stats; /* NULL: none, "": a line of text, "json" */
    bool all;
} logits_opts;

#define AT(field) offsetof(logits_opts, field)

static const opt_row rows[] = {
    { 0, "ids", OPT_STR, AT(ids), "N,N,...", .help = "the token ids (lory tokenize makes them)" },
    { 0, "all", OPT_BOOL, AT(all), .help = "the logits at every position, not just the last" },
    { 0, "stats", OPT_MAYBE, AT(stats), "json", .choices = cli_stats_forms,
      .help = "print timings on standard error at the end" },
    { 0, NULL, OPT_GROUP, AT(model), .rows = model_rows },
    { 0, NULL, OPT_GROUP, AT(session), .rows = session_rows },
    { .kind = OPT_END },
};

static const opts_page page = {
    .name = "lory logits",
    .usage = "--ids N,N,... [options]",
    .about =
        "Prints one JSON object {\"pos\": i, \"logits\": [...]} a line: the logits of every token "
        "of the vocabulary after position i, in the fewest digits that read back exactly.",
    .rows = rows,
    .notes = "Example:\n  lory logits --ids 1,403,2501\n",
    .loose = "--ids",
};

typedef struct {
    int n_vocab;
    buf line;
} printer;

static bool print_logits(void *user, size_t pos, const float *logits)
{
    printer *p = user;
    json_writer w = { &p->line, false };
    json_begin_object(&w);
    json_member_int(&w, "pos", (int64_t)pos);
    json_open_array(&w, "logits");
    for (int i = 0; i < p->n_vocab; i++) json_put_f32(&w, logits[i]);
    json_end_array(&w);
    json_end_object(&w);
    buf_putc(&p->line, '\n');
    return out_buf(&p->line);
}

static int eval(lory_session *s, const logits_opts *o, const lory_tokens *ids, printer *p)
{
    lory_err err;
    size_t n_ctx = (size_t)lory_session_n_ctx(s);
    if (ids->n == 0) return cli_usage("--ids: no ids");
    if (ids->n > n_ctx) {
        err_set(&err, LORY_E_FULL,
                "--ids: more than the context holds (found %zu, expected at most %zu)", ids->n,
                n_ctx);
        return cli_fail(&err);
    }
    if (o->all) {
        if (lory_session_eval_all(s, ids->id, ids->n, print_logits, p, &err)) return EXIT_OK;
        return cli_fail(&err);
    }
    if (!lory_session_eval(s, ids->id, ids->n, &err)) return cli_fail(&err);
    return print_logits(p, ids->n - 1, lory_session_logits(s)) ? EXIT_OK : EXIT_FAILED;
}

/* The session first: of a file that can't run, that is to be said, not which ids it has. */
static int logits(lory_model *m, logits_opts *o, cli_stats *stats)
{
    lory_model_info info;
    lory_tokens ids = { 0 };
    lory_err err;
    int status;
    double start_ms = cli_now_ms();
    lory_session *s = cli_open_session(m, &o->session, &err);
    if (!s) return cli_fail(&err);
    stats->load_ms += cli_now_ms() - start_ms;
    lory_model_get_info(m, &info);
    start_ms = cli_now_ms();
    printer p = { .n_vocab = info.n_vocab };
    if (cli_read_ids("--ids", o->ids, strlen(o->ids), info.n_vocab, &ids, &err))
        status = eval(s, o, &ids, &p);
    else
        status = cli_fail(&err);
    stats->n_prompt = ids.n;
    stats->prompt_ms = cli_now_ms() - start_ms;
    lory_session_free(s);
    buf_free(&p.line);
    lory_tokens_free(&ids);
    return status;
}

int cmd_logits(int argc, char **argv)
{
    logits_opts o = { .session = SESSION_DEFAULTS };
    lory_err err;
    int status;
    if (!cli_parse(&page, &o, argc, argv, &status)) return status;
    if (!o.ids) return cli_usage("--ids: missing (expected --ids N,N,...; lory logits --help)");
    cli_stats stats = { 0 };
    double start_ms = cli_now_ms();
    lory_model *m = cli_open_model(&o.model, &err);
    stats.load_ms = cli_now_ms() - start_ms;
    status = m ? logits(m, &o, &stats) : cli_fail(&err);
    if (status == EXIT_OK) cli_print_stats(o.stats, &stats);
    lory_model_close(m);
    opts_free(&page, &o);
    return status;
}
