/* chat_templates.h - which chat template counts, and the clock that it sees; templates that come
 * with the program, for models that have none.
 * Layer: cli. */
#ifndef LORY_CLI_CHAT_TEMPLATES_H
#define LORY_CLI_CHAT_TEMPLATES_H

#include "base/buf.h"
#include "lory.h"

#define CHAT_BUILTINS "chatml, gemma, llama3, plain, zephyr" /* the names, for people */

typedef struct {
    const char *name;
    const char *text; /* Jinja */
    const char *stop; /* what ends an answer in models that have no token for it */
} chat_builtin;

/* The template that --template names, built in or a file, its text appended to *text; the model's
 * own when name is NULL. *builtin is NULL where it is none of those built in. An error that the
 * model has none begins with subject. */
bool chat_open_template(const lory_model *m, const char *subject, const char *name, buf *text,
                        const chat_builtin **builtin, lory_err *err);

bool chat_no_template(const char *subject, lory_err *err); /* that error; false */

/* SOURCE_DATE_EPOCH, when that is set (then *is_fixed), else the time. */
bool chat_clock(int64_t *now, bool *is_fixed, lory_err *err);

#endif
