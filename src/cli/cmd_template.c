/* cmd_template.c - lory template: a conversation as the prompt that a chat template makes of it.
 * Layer: cli. */
#include "base/err.h"
#include "cli/chat_templates.h"
#include "text/json.h"
#include "cli/cli.h"

typedef struct {
    model_opts model;
    const char *file; /* of the template, or the name of one built in; NULL: the model's own */
    const char *name; /* of one of the model's templates; NULL: the main one */
} template_opts;

#define AT(field) offsetof(template_opts, field)

static const opt_row rows[] = {
    { 0, "template", OPT_STR, AT(file), "NAME|FILE", .shown = "the model's own",
      .help = "chat template (Jinja): " CHAT_BUILTINS ", or a file" },
    { 0, "template-name", OPT_STR, AT(name), "NAME",
      .help = "one of the model's other templates, as tool_use" },
    { 0, NULL, OPT_GROUP, AT(model), .rows = model_rows },
    { .kind = OPT_END },
};

static const opts_page page = {
    .name = "lory template",
    .usage = "[-m FILE | --template FILE] < CASE.json",
    .about = "Renders a chat template (Jinja, as Hugging Face sets it up) over the JSON object on "
             "standard input, and prints the text.",
    .rows = rows,
    .notes = "The object has \"messages\", and optionally \"tools\",\n"
             "\"add_generation_prompt\" and any other variable of the template. With\n"
             "\"continue_final_message\": true the text ends within the last message.\n"
             "bos_token and eos_token are the model's unless it has them.\n"
             "SOURCE_DATE_EPOCH (seconds, UTC) fixes the clock that templates see.\n\n"
             "Example:\n"
             "  echo '{\"messages\": [{\"role\": \"user\", \"content\": \"Hi\"}],\n"
             "         \"add_generation_prompt\": true}' | lory template -m model.gguf\n",
};

/* The template's text, and what messages call it. */
static bool find_template(const lory_model *m, const template_opts *o, buf *text, lory_template *t,
                          lory_err *err)
{
    const chat_builtin *builtin;
    if (o->name) {
        t->text = lory_model_chat_template(m, o->name, &t->n);
        return t->text
               || err_set(err, LORY_E_ARGUMENT,
                          "--template-name: the model has no chat template of that name (found "
                          "\"%.48s\")",
                          o->name);
    }
    if (!chat_open_template(m, "-m", o->file, text, &builtin, err)) return false;
    t->text = text->data ? text->data : "";
    t->n = text->len;
    t->name = o->file;
    return true;
}

/* So that an error names the input, which the library does not know. */
static bool check_json(const buf *vars, lory_err *err)
{
    json_doc d;
    if (!json_read(&d, vars->data ? vars->data : "", vars->len, "stdin", err)) return false;
    bool is_object = d.root->type == JSON_OBJECT;
    json_close(&d);
    return is_object || err_set(err, LORY_E_FORMAT, "stdin: is not a JSON object");
}

static int render(const lory_model *m, const template_opts *o)
{
    buf text = { 0 }, vars = { 0 };
    lory_template t = { 0 };
    lory_prompt prompt = { 0 };
    lory_err err;
    bool is_fixed;
    bool ok = chat_clock(&t.now, &is_fixed, &err) && find_template(m, o, &text, &t, &err)
              && cli_read_text(NULL, "the JSON object", &vars, &err)
              && check_json(&vars, &err)
              && lory_render_template(m, &t, vars.data ? vars.data : "", vars.len, &prompt, &err);
    int status = !ok ? cli_fail(&err) : out_put(prompt.text, prompt.n) ? EXIT_OK : EXIT_FAILED;
    if (ok && out_is_terminal()) out_put("\n", 1);
    lory_prompt_free(&prompt);
    buf_free(&vars);
    buf_free(&text);
    return status;
}

int cmd_template(int argc, char **argv)
{
    template_opts o = { 0 };
    lory_model *m = NULL;
    lory_err err;
    int status;
    if (!cli_parse(&page, &o, argc, argv, &status)) return status;
    if (o.file && o.name) return cli_usage("--template-name: cannot go with --template");
    /* A template of its own needs no model, but takes one's special tokens. */
    if ((!o.file || o.model.path) && !(m = cli_open_model(&o.model, &err))) return cli_fail(&err);
    status = render(m, &o);
    lory_model_close(m);
    return status;
}
