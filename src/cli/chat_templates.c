/* chat_templates.c - see chat_templates.h. The forms are those that the models' own templates give
 * for plain turns. */
#include "cli/chat_templates.h"
#include "base/err.h"
#include "base/file.h"
#include "base/utf8.h"
#include "cli/opts.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MAX_TEMPLATE_BYTES = 1 << 24 };

static const chat_builtin builtins[] = {
    { "chatml",
      "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}"
      "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}",
      "<|im_end|>" },
    { "gemma",
      "{{ bos_token }}{% for m in messages %}{{ '<start_of_turn>' "
      "+ ('model' if m.role == 'assistant' else 'user') + '\\n' + m.content + '<end_of_turn>\\n' }}"
      "{% endfor %}{% if add_generation_prompt %}{{ '<start_of_turn>model\\n' }}{% endif %}",
      "<end_of_turn>" },
    { "llama3",
      "{{ bos_token }}{% for m in messages %}{{ '<|start_header_id|>' + m.role "
      "+ '<|end_header_id|>\\n\\n' + m.content + '<|eot_id|>' }}{% endfor %}"
      "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}"
      "{% endif %}",
      "<|eot_id|>" },
    { "plain",
      "{{ bos_token }}{% for m in messages %}{% if m.role == 'system' %}{{ m.content + '\\n\\n' }}"
      "{% elif m.role == 'user' %}{{ 'User: ' + m.content + '\\n' }}"
      "{% else %}{{ 'Bot:' + m.content + '\\n' }}{% endif %}{% endfor %}"
      "{% if add_generation_prompt %}{{ 'Bot:' }}{% endif %}",
      "\nUser:" },
    { "zephyr",
      "{% for m in messages %}{{ '<|' + m.role + '|>\\n' + m.content + eos_token + '\\n' }}"
      "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% endif %}",
      "<|user|>" },
};
enum { N_BUILTINS = sizeof builtins / sizeof builtins[0] };

static const chat_builtin *find_builtin(const char *name)
{
    for (int i = 0; i < N_BUILTINS; i++)
        if (strcmp(builtins[i].name, name) == 0) return &builtins[i];
    return NULL;
}

bool chat_no_template(const char *subject, lory_err *err)
{
    return err_set(err, LORY_E_UNSUPPORTED,
                   "%s: the model has no chat template (--template FILE or one of " CHAT_BUILTINS
                   " gives it one)",
                   subject);
}

/* Without a byte order mark, which would go into every prompt. */
static bool read_template(const char *path, buf *text, lory_err *err)
{
    buf raw = { 0 };
    bool ok = file_read(path, MAX_TEMPLATE_BYTES, &raw, err);
    const char *s = raw.data ? raw.data : "";
    size_t n_mark = ok ? utf8_mark(s, raw.len) : 0;
    if (ok && !buf_put(text, s + n_mark, raw.len - n_mark))
        ok = err_set(err, LORY_E_MEMORY, "%s: no memory for the chat template", path);
    buf_free(&raw);
    return ok;
}

bool chat_open_template(const lory_model *m, const char *subject, const char *name, buf *text,
                        const chat_builtin **builtin, lory_err *err)
{
    size_t n;
    const char *own = name ? NULL : lory_model_chat_template(m, NULL, &n);
    *builtin = name ? find_builtin(name) : NULL;
    if (name && !*builtin) return read_template(name, text, err);
    if (!name && !own)
        return chat_no_template(subject, err);
    if (name ? buf_puts(text, (*builtin)->text) : buf_put(text, own, n)) return true;
    return err_set(err, LORY_E_MEMORY, "no memory for the chat template");
}

bool chat_clock(int64_t *now, bool *is_fixed, lory_err *err)
{
    const char *epoch = getenv("SOURCE_DATE_EPOCH");
    *is_fixed = epoch && *epoch;
    *now = (int64_t)time(NULL);
    return !*is_fixed || opts_int("SOURCE_DATE_EPOCH", epoch, 0, INT64_C(1) << 40, now, NULL)
           || err_set(err, LORY_E_ARGUMENT,
                      "SOURCE_DATE_EPOCH: is no time (found \"%.40s\", expected whole seconds "
                      "since 1970, such as 1721995200)",
                      epoch);
}
