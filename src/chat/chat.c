/* chat.c - see chat.h. */
#include "chat/chat.h"
#include "base/err.h"
#include "chat/chat_continue.h"
#include <string.h>

static bool is_word_of(const json *string, const char *const *words)
{
    for (; *words; words++)
        if (json_str_is(string, *words)) return true;
    return false;
}

static bool has_key(const json *j, const char *const *keys)
{
    for (; j->key && *keys; keys++)
        if (strcmp(j->key, *keys) == 0) return true;
    return false;
}

/* Templates build control tokens around the role ('<|' + role + '|>'), so its known names are
 * theirs; another role may hold anything. Special tokens are the caller's, at the top only. */
static bool is_own(const json *string, int depth)
{
    static const char *const roles[] = {
        "system",        "user",        "assistant", "tool",    "developer",   "function",
        "model",         "human",       "ipython",   "context", "observation", "documents",
        "tool_response", "tool_result", "tool_call", NULL,
    };
    static const char *const role_keys[] = { "role", NULL };
    static const char *const token_keys[] = { "bos_token", "eos_token", "unk_token",  "pad_token",
                                              "sep_token", "cls_token", "mask_token", NULL };
    if (depth == 0) return has_key(string, token_keys);
    return depth == 2 && has_key(string, role_keys) && is_word_of(string, roles);
}

static bool render(const chat_template *t, const json *vars, jinja_output *out, lory_err *err)
{
    jinja_own own[5] = { { "tools", JINJA_NONE, NULL },
                         { "documents", JINJA_NONE, NULL },
                         { "add_generation_prompt", JINJA_FALSE, NULL } };
    size_t n_own = 3;
    if (t->bos_token) own[n_own++] = (jinja_own){ "bos_token", JINJA_TEXT, t->bos_token };
    if (t->eos_token) own[n_own++] = (jinja_own){ "eos_token", JINJA_TEXT, t->eos_token };
    jinja *parsed = jinja_parse(t->text, t->n, t->name, err);
    jinja_input in = { .vars = vars, .own = own, .n_own = n_own, .is_own = is_own, .now = t->now };
    bool ok = parsed && jinja_render(parsed, &in, out, err);
    jinja_free(parsed);
    return ok;
}

static bool render_continued(const chat_template *t, const json *vars, jinja_output *out,
                             lory_err *err)
{
    buf text = { 0 };
    json_doc changed;
    bool is_set;
    bool ok = chat_continue_vars(vars, t->name, &text, &is_set, err)
              && json_read(&changed, text.data, text.len, t->name, err);
    buf_free(&text);
    if (!ok) return false;
    ok = render(t, changed.root, out, err);
    json_close(&changed);
    if (!ok || !is_set || chat_continue_cut(t->name, out, err)) return ok;
    jinja_output_free(out);
    return false;
}

bool chat_render(const chat_template *t, const json *vars, jinja_output *out, lory_err *err)
{
    *out = (jinja_output){ 0 };
    if (!vars || vars->type != JSON_OBJECT)
        return err_set(err, LORY_E_ARGUMENT, "%s: the variables are not a JSON object", t->name);
    return json_get(vars, "continue_final_message") ? render_continued(t, vars, out, err)
                                                    : render(t, vars, out, err);
}
