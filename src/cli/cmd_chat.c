/* cmd_chat.c - lory chat: options, opening and closing, and the loop of turns; see chat.h.
 * Layer: cli. */
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "cli/chat.h"
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#define AT(field) offsetof(chat_opts, field)

static const opt_row rows[] = {
    { 0, "Talk", OPT_HEAD, .help = NULL },
    { 0, "system", OPT_STR, AT(system), "TEXT|@FILE", .help = "what the model is told first" },
    { 0, "template", OPT_STR, AT(template), "NAME|FILE", .shown = "the model's own",
      .help = "chat template (Jinja): " CHAT_BUILTINS ", or a file" },
    { 0, "tools", OPT_STR, AT(tools), "FILE", .help = "tools that the model may call (JSON)" },
    { 0, "load", OPT_STR, AT(load), "FILE",
      .help = "go on with a talk that was kept, with its settings" },
    { 0, "save", OPT_STR, AT(save), "FILE",
      .help = "keep the talk in a file after each turn, with the KV cache at the end" },
    { 0, "no-kv", OPT_BOOL, AT(no_kv),
      .help = "keep no KV cache in files: smaller, read again when loaded" },
    { 0, "stop", OPT_LIST, AT(stop), "TEXT",
      .help = "an answer ends at this text, which is not printed (repeatable)" },
    { 0, "ignore-eos", OPT_BOOL, AT(ignore_eos), .help = "an answer goes on past its end" },
    { 0, NULL, OPT_GROUP, AT(constraint), .rows = constraint_rows },
    { 0, "no-history", OPT_BOOL, AT(no_history), .help = "keep no history of what is entered" },
    { 0, "stats", OPT_MAYBE, AT(stats), "json", .choices = cli_stats_forms,
      .help = "print timings of all answers and the seed on standard error at the end" },
    { 0, "Model", OPT_HEAD, .help = NULL },
    { 0, NULL, OPT_GROUP, AT(model), .rows = model_rows },
    { 0, NULL, OPT_GROUP, AT(session), .rows = session_rows },
    { 0, NULL, OPT_GROUP, AT(session), .rows = draft_rows },
    { 0, "Answers", OPT_HEAD, .help = NULL },
    { 0, NULL, OPT_GROUP, AT(settings), .rows = chat_setting_rows },
    { 0, "Other", OPT_HEAD, .help = NULL },
    { 'v', "verbose", OPT_BOOL, AT(verbose),
      .help = "tell the progress of a long prompt on standard error" },
    { .kind = OPT_END },
};

static const opts_page page = {
    .name = "lory chat",
    .usage = "[--system TEXT|@FILE] [options] [< TURNS]",
    .about = "Talks with a model. /help lists the commands; Ctrl-C stops an answer, Ctrl-D leaves. "
             "From a pipe each line that is not blank is a turn, commands work too, and only the "
             "answers go to standard output.",
    .rows = rows,
    .notes = "Examples:\n"
             "  lory chat -m model.gguf\n"
             "  lory chat -m model.gguf --system \"Answer briefly.\" --save talk.json\n"
             "  lory chat -m model.gguf --load talk.json < questions.txt\n",
};

/* ---- opening ----------------------------------------------------------------------------- */

static bool find_template(chat *c, lory_err *err)
{
    talk *t = &c->talk;
    const chat_builtin *builtin;
    bool is_fixed;
    t->template_name = c->o->template ? c->o->template : "chat template";
    return chat_read_template(c, c->o->tools != NULL, &t->template_text, &builtin, err)
           && chat_set_stops(c, &c->o->stop, builtin, err) && chat_clock(&t->now, &is_fixed, err);
}

static bool read_tools(chat *c, lory_err *err)
{
    const talk *t = &c->talk;
    const lory_template tmpl = { .text = t->template_text.data,
                                 .n = t->template_text.len,
                                 .name = t->template_name,
                                 .now = t->now };
    buf text = { 0 };
    if (!c->o->tools) return true;
    bool ok = file_read(c->o->tools, 1 << 24, &text, err)
              && chat_tools_read(&c->tools, text.len ? text.data : "", text.len, c->o->tools, err)
              && chat_tools_fit(&c->tools, "--tools", c->m, &tmpl, err);
    buf_free(&text);
    return ok;
}

static bool read_system(chat *c, lory_err *err)
{
    if (!c->o->system) return true;
    c->talk.has_system = true;
    return chat_read_system("--system", c->o->system, &c->talk.system, err);
}

/* 0 or the exit status, after the error line. */
static int open_sampling(chat *c)
{
    lory_err err;
    int status = EXIT_FAILED;
    uint64_t seed;
    lory_sampler *s = NULL;
    if (cli_open_grammar(&c->o->constraint, &c->grammar, &status, &err))
        s = cli_open_sampler(c->m, &c->o->settings.sampling, c->grammar.g, &seed, &err);
    if (!s) return status == EXIT_USAGE ? cli_usage("%s", err.text) : cli_fail(&err);
    lory_sampler_free(s);
    c->o->settings.sampling.seed = (int64_t)seed;
    return 0;
}

static void open_history(chat *c)
{
    char path[PATH_MAX];
    lory_err err;
    if (c->o->no_history || !history_default_path(path, sizeof path)) return;
    if (!history_open(&c->history, path, &err)) cli_fail(&err); /* goes on without */
}

/* What the command line says counts, also where the file says otherwise. */
static bool load(chat *c, const chat_settings *given, lory_err *err)
{
    chat_settings *s = &c->o->settings;
    if (!chat_load(c, c->o->load, err)) return false;
    if (given->n_predict != -1) s->n_predict = given->n_predict;
    if (given->sampling.seed != -1) s->sampling.seed = given->sampling.seed;
    for (const opt_row *r = sampling_rows; r->kind != OPT_END; r++) {
        const void *x = cli_sampling_number(&given->sampling, r);
        size_t n_bytes = r->kind == OPT_INT ? sizeof(int) : sizeof(float);
        if (x) memcpy((char *)&s->sampling + r->at, x, n_bytes);
    }
    return true;
}

static int open_chat(chat *c)
{
    lory_err err;
    const chat_settings given = c->o->settings;
    double start_ms = cli_now_ms();
    if (!(c->m = cli_open_model(&c->o->model, &err))) return cli_fail(&err);
    c->talk.m = c->m;
    c->talk.tools = &c->tools;
    if (!find_template(c, &err) || !read_tools(c, &err) || !read_system(c, &err))
        return cli_fail(&err);
    int status = open_sampling(c);
    if (status) return status;
    if (!(c->s = cli_open_session(c->m, &c->o->session, &err))
        || !cli_open_drafter(&c->o->session, c->s, &c->drafter, &err))
        return cli_fail(&err);
    c->total.load_ms = cli_now_ms() - start_ms;
    if (c->o->load && !load(c, &given, &err)) return cli_fail(&err);
    c->is_open = true;
    cli_catch_interrupt(c->s); /* from here on the terminal has to be given back */
    edit_open(&c->edit, &c->history);
    c->is_interactive = in_is_terminal();
    if (c->edit.is_terminal) open_history(c);
    if (c->o->load) chat_tell_loaded(c, c->o->load);
    return 0;
}

static void close_chat(chat *c)
{
    edit_close(&c->edit);
    history_close(&c->history);
    talk_free(&c->talk);
    talk_input_free(&c->replies);
    chat_tools_free(&c->tools);
    mem_free(c->stop);
    arena_free(&c->texts);
    lory_grammar_free(c->grammar.g);
    lory_session_free(c->s);
    cli_close_drafter(&c->drafter);
    lory_model_close(c->m);
}

/* ---- the loop ---------------------------------------------------------------------------- */

/* The name of the tool that should reply, for a person; it is the model's, so may be anything. */
static const char *awaited_name(const chat *c)
{
    const tool_calls *calls = talk_awaits(&c->talk);
    const char *name = calls ? calls->call[c->replies.n].name.data : "";
    static const char shown[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
    size_t n = strspn(name, shown);
    return n < 40 && !name[n] ? name : "tool";
}

/* The gauge of the context, the tool that should reply, then a mark. */
static edit_result ask(chat *c, buf *line)
{
    char left[64], prompt[96];
    size_t n_used = chat_used(c), n_ctx = (size_t)lory_session_n_ctx(c->s);
    const char *name = awaited_name(c);
    snprintf(left, sizeof left, "%zu%%%s%s", n_used * 100 / n_ctx, *name ? " " : "", name);
    snprintf(prompt, sizeof prompt, out_is_styled() ? "\033[2m%s\033[22m > " : "%s > ", left);
    return edit_read(&c->edit, prompt, (int)strlen(left) + 3, line);
}

static bool is_blank(const buf *b)
{
    return b->len == 0 || b->data[strspn(b->data, " \t\n")] == 0;
}

/* At the end with the KV cache, which would take long after each turn: whoever kills the program
 * lets it be worked out again. */
static bool keep(chat *c, bool has_kv)
{
    lory_err err;
    c->was_kept = !c->o->save || chat_save(c, c->o->save, has_kv && !c->o->no_kv, &err);
    if (!c->was_kept) cli_fail(&err);
    return c->was_kept;
}

/* Names the line of a pipe that failed. */
static int fail_at(chat *c, const lory_err *err)
{
    lory_err at;
    if (!out_flush()) return EXIT_FAILED; /* what stdout says is told at the end */
    if (c->is_interactive) return cli_fail(err);
    err_set(&at, err->code, "stdin: line %" PRIu64 ": %s", c->edit.in.n_line, err->text);
    return cli_fail(&at);
}

/* Adds the text of a line; {"tool_reply": TEXT} is a reply of any bytes, as one line. */
static bool add_reply(chat *c, const char *text, lory_err *err)
{
    json_doc d;
    const char *s;
    size_t n;
    c->replies.is_reply = true;
    if (!json_read(&d, text, strlen(text), "", NULL))
        return talk_input_add(&c->replies, text, strlen(text), err);
    bool is_framed = json_get_str(json_get(d.root, "tool_reply"), &s, &n) && d.root->n == 1;
    bool ok = is_framed ? talk_input_add(&c->replies, s, n, err)
                        : talk_input_add(&c->replies, text, strlen(text), err);
    json_close(&d);
    return ok;
}

/* What a line that is no command says: a turn, or a reply to a call. */
static bool take_text(chat *c, const char *text, lory_err *err)
{
    const tool_calls *calls = talk_awaits(&c->talk);
    talk_input in = { 0 };
    bool ok = calls ? add_reply(c, text, err) : talk_input_add(&in, text, strlen(text), err);
    if (ok && calls && c->replies.n < calls->n) return true;
    ok = ok && chat_answer(c, calls ? &c->replies : &in, 0, err);
    if (!ok && c->replies.n > 0) buf_free(&c->replies.text[--c->replies.n]); /* ask for it again */
    talk_input_free(&in);
    return ok;
}

/* One text or command. CHAT_FAILED ends a talk that comes from a pipe. */
static chat_outcome take_line(chat *c, const buf *line)
{
    lory_err err;
    const char *text = line->data;
    chat_outcome outcome = chat_command(c, text);
    if (outcome == CHAT_DONE && !keep(c, false)) return CHAT_FAILED;
    if (outcome != CHAT_NO_COMMAND) return outcome;
    if (text[0] == '/' && text[1] == '/') text++;
    if (take_text(c, text, &err)) return keep(c, false) ? CHAT_DONE : CHAT_FAILED;
    if (err.code == LORY_E_INTERRUPTED)
        cli_note("stopped before the answer began: the text was taken back");
    else
        fail_at(c, &err);
    return CHAT_FAILED;
}

static void remember(chat *c, const buf *line)
{
    lory_err err;
    if (!c->edit.is_terminal || history_add(&c->history, line->data, line->len, &err)) return;
    cli_fail(&err);
}

static int talk_loop(chat *c)
{
    buf line = { 0 };
    int status = EXIT_OK;
    while (status == EXIT_OK) {
        if (c->is_interactive) cli_take_interrupt(); /* of the answer before */
        edit_result r = ask(c, &line);
        if (r == EDIT_CANCEL) continue;
        if (r != EDIT_LINE) break;
        if (is_blank(&line)) continue;
        remember(c, &line);
        chat_outcome outcome = take_line(c, &line);
        if (outcome == CHAT_EXIT) break;
        if (!out_flush() || (outcome == CHAT_FAILED && !c->is_interactive)) status = EXIT_FAILED;
        if (cli_interrupted() && !c->is_interactive) break;
    }
    buf_free(&line);
    if (c->edit.err.code != LORY_OK && !cli_interrupted()) status = cli_fail(&c->edit.err);
    bool is_told = !c->was_kept && !c->is_interactive; /* that it cannot be */
    if (c->talk.n > 0 && !is_told && !keep(c, true)) status = EXIT_FAILED;
    return cli_interrupted() && !c->is_interactive ? EXIT_INTERRUPTED : status;
}

static int check_opts(const chat_opts *o)
{
    if (o->load && o->system)
        return cli_usage("--system: cannot go with --load, which brings its own (/system sets it)");
    if (o->load && o->tools)
        return cli_usage("--tools: cannot go with --load, which brings its own");
    if (cli_check_stops(&o->stop)) return EXIT_USAGE;
    lory_err err;
    return !o->save || chat_may_save(o, "--save", o->save, &err) ? 0 : cli_fail(&err);
}

int cmd_chat(int argc, char **argv)
{
    chat_opts o = { .session = GENERATION_DEFAULTS,
                    .settings = { .sampling = SAMPLING_DEFAULTS, .n_predict = -1 } };
    chat c = { .o = &o, .was_kept = true };
    int status;
    if (!cli_parse(&page, &o, argc, argv, &status)) return status;
    status = check_opts(&o);
    if (!status) status = open_chat(&c);
    if (!status) {
        if (c.is_interactive) {
            cli_keep_on_interrupt();
            cli_note("/help lists the commands, Ctrl-C stops an answer, Ctrl-D leaves");
        }
        status = talk_loop(&c);
        cli_catch_interrupt(NULL);
        c.total.seed = (uint64_t)o.settings.sampling.seed;
        c.total.has_seed = true;
        cli_print_stats(o.stats, &c.total);
    }
    close_chat(&c);
    opts_free(&page, &o);
    return status;
}
