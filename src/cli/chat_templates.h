/* chat_templates.h - templates that come with the program, for models that have none.
 * Layer: cli. */
#ifndef LORY_CLI_CHAT_TEMPLATES_H
#define LORY_CLI_CHAT_TEMPLATES_H

#include <stddef.h>

typedef struct {
    const char *name;
    const char *text; /* Jinja */
    const char *stop; /* what ends an answer in models that have no token for it */
} chat_builtin;

extern const chat_builtin chat_builtins[];
extern const char chat_builtin_names[]; /* "chatml, gemma, ..." */

const chat_builtin *chat_find_builtin(const char *name); /* NULL: there is none of that name */

#endif
