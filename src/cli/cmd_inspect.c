/* cmd_inspect.c - lory inspect: what is in a weight file, and the memory that running it takes.
 * Layer: cli, a file command. The forms of output are in inspect_text.c and inspect_json.c. */
#include "cli/cli.h"
#include "cli/inspect.h"

typedef struct {
    const char *path;
    session_opts session;
    bool json, tensors;
} inspect_opts;

#define AT(field) offsetof(inspect_opts, field)

static const opt_row rows[] = {
    { 0, "FILE", OPT_ARG, AT(path), .help = "a GGUF file" },
    { 'm', "model", OPT_REFUSED, 0, "FILE", .help = "the file stands alone: lory inspect FILE" },
    { 0, "json", OPT_BOOL, AT(json), .help = "print one JSON object" },
    { 0, "tensors", OPT_BOOL, AT(tensors), .help = "list the tensors too" },
    { 0, "Memory plan", OPT_HEAD, .help = NULL },
    { 0, NULL, OPT_GROUP, AT(session), .rows = session_rows },
    { .kind = OPT_END },
};

static const opts_page page = {
    .name = "lory inspect",
    .usage = "FILE [--json] [--tensors] [-c N]",
    .about =
        "Prints what a GGUF file has: its model, tokenizer, types of weights and metadata; the "
        "steps of the plan that lory runs, or what it does not know of the file; and the memory "
        "that a session with these options would take.",
    .rows = rows,
    .notes = "Examples:\n"
             "  lory inspect model.gguf\n"
             "  lory inspect model.gguf -c 8192 --cache-type q8_0\n"
             "  lory inspect model.gguf --json --tensors\n",
};

/* The plan needs the model that lory would run; without one the rest is still worth showing. */
static void plan(inspection *x, session_opts *o)
{
    lory_model *m = lory_model_open(x->path, &x->plan_err);
    bool ok = m && cli_open_loras(m, &o->lora, &x->plan_err);
    lory_session_params p = cli_session_params(o);
    ok = ok && inspect_plan(x, m, &p, &x->plan_err);
    x->has_plan = ok && lory_plan_memory(m, &p, &x->plan, &x->plan_err);
    lory_model_close(m);
}

static int inspect(inspect_opts *o)
{
    lory_err err;
    inspection x = { .path = o->path,
                     .with_tensors = o->tensors,
                     .cache_type = cli_cache_types[o->session.cache_type] };
    buf out = { 0 };
    if (!gguf_open_any(&x.g, o->path, &err)) return cli_fail(&err);
    lory_err alone; /* a part by itself is shown as what it is, and why it can't be run */
    (void)gguf_join(&x.g, &alone);
    if (!inspect_survey(&x, &err)) {
        inspect_free(&x);
        return cli_fail(&err);
    }
    gguf_count_types(&x.g, x.use);
    for (int i = 0; i < QT_COUNT; i++) x.n_params += x.use[i].n_elems;
    plan(&x, &o->session);
    if (o->json)
        inspect_json(&x, &out);
    else
        inspect_text(&x, out_is_styled(), &out);
    inspect_free(&x);
    return out_last(&out) ? EXIT_OK : EXIT_FAILED;
}

int cmd_inspect(int argc, char **argv)
{
    inspect_opts o = { .session = GENERATION_DEFAULTS };
    int status;
    if (!cli_parse(&page, &o, argc, argv, &status)) return status;
    status = inspect(&o);
    opts_free(&page, &o);
    return status;
}
