/* batch_messages.c - see batch_messages.h. */
#include "cli/batch_messages.h"
#include "base/err.h"
#include "cli/chat_templates.h"
#include "cli/cli.h"
#include <string.h>

static bool no_memory(lory_err *err)
{
    return err_set(err, LORY_E_MEMORY, "no memory for the line");
}

/* ---- what the template sees -------------------------------------------------------------- */

static bool put_parts(json_writer *w, const json *parts, size_t i, lory_err *err)
{
    buf text = { 0 };
    for (const json *p = parts->first; p; p = p->next) {
        const char *s;
        size_t n;
        if (!json_str_is(json_get(p, "type"), "text")
            || !json_get_str(json_get(p, "text"), &s, &n)) {
            buf_free(&text);
            return err_set(err, LORY_E_UNSUPPORTED,
                           "\"messages\": the content of message %zu has a part that is no text",
                           i);
        }
        if (p != parts->first) buf_puts(&text, "\n");
        buf_put(&text, s, n);
    }
    json_put_bytes(w, text.len ? text.data : "", text.len);
    bool ok = !text.failed;
    buf_free(&text);
    return ok || no_memory(err);
}

static bool put_message(json_writer *w, const json *message, size_t i, lory_err *err)
{
    const json *role = json_get(message, "role"), *content = json_get(message, "content");
    if (!role || role->type != JSON_STRING)
        return err_set(err, LORY_E_ARGUMENT, "\"messages\": message %zu has no \"role\"", i);
    if (content && content->type != JSON_STRING && content->type != JSON_ARRAY
        && content->type != JSON_NULL)
        return err_set(err, LORY_E_ARGUMENT,
                       "\"messages\": the content of message %zu is not a text", i);
    json_begin_object(w);
    for (const json *member = message->first; member; member = member->next) {
        json_put_key_bytes(w, member->key, member->n_key);
        if (member != content || content->type != JSON_ARRAY)
            json_put_value(w, member);
        else if (!put_parts(w, content, i, err))
            return false;
    }
    json_end_object(w);
    return true;
}

static bool put_variables(json_writer *w, const json *messages, const json *extra, lory_err *err)
{
    size_t i = 1;
    json_begin_object(w);
    json_put_key(w, "messages");
    json_begin_array(w);
    for (const json *m = messages->first; m; m = m->next)
        if (!put_message(w, m, i++, err)) return false;
    json_end_array(w);
    json_put_key(w, "add_generation_prompt");
    json_put_bool(w, true);
    for (const json *v = extra ? extra->first : NULL; v; v = v->next) {
        json_put_key_bytes(w, v->key, v->n_key);
        json_put_value(w, v);
    }
    json_end_object(w);
    return !w->out->failed || no_memory(err);
}

/* ---- the prompt -------------------------------------------------------------------------- */

static bool add_stop(batch_request *r, const char *text, lory_err *err)
{
    lory_generate_params *g = &r->generate;
    if (!text) return true;
    const char **stop = arena_new(&r->arena, g->n_stop + 1, sizeof *stop);
    if (!stop) return no_memory(err);
    if (g->n_stop) memcpy(stop, g->stop, g->n_stop * sizeof *stop);
    stop[g->n_stop++] = text;
    g->stop = stop;
    return true;
}

static bool encode(batch_request *r, const batch_defaults *d, const buf *variables, lory_err *err)
{
    lory_prompt p = { 0 };
    if (!batch_request_prompts(r, 1, err)) return false;
    lory_tokens *ids = &r->prompt[0];
    bool ok =
        lory_render_template(d->m, &d->tmpl, variables->data, variables->len, &p, err)
        && lory_tokenize_prompt(d->m, &p, ids, err)
        && (ids->n > 0
            || err_set(err, LORY_E_FORMAT, "\"messages\": the template gives an empty prompt"))
        && cli_fits("\"messages\"", ids->n, d->n_ctx, err);
    lory_prompt_free(&p);
    return ok;
}

bool batch_read_messages(batch_request *r, const batch_defaults *d, const json *messages,
                         const json *body, lory_err *err)
{
    const json *extra = json_get(body, "chat_template_kwargs");
    buf variables = { 0 };
    if (!messages || messages->type != JSON_ARRAY || messages->n == 0)
        return err_set(err, LORY_E_ARGUMENT, "\"messages\" is not an array of messages");
    if (extra && extra->type != JSON_OBJECT && extra->type != JSON_NULL)
        return err_set(err, LORY_E_ARGUMENT, "\"chat_template_kwargs\" is not an object");
    if (!d->tmpl.text) return chat_no_template("\"messages\"", err);
    bool ok = put_variables(&(json_writer){ &variables, false }, messages, extra, err)
              && encode(r, d, &variables, err) && add_stop(r, d->template_stop, err);
    buf_free(&variables);
    return ok;
}
