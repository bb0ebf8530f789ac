/* recipients.h - answers of functionary 2 and 3.2, each part of which begins with whom it is for:
 * "all", or a tool, whose arguments it is then.
 *
 *     all⏎I look.>>>get_weather⏎{"city": "Paris"}           the prompt ends with >>>
 *     all⏎<|content|>I look.⏎<|from|>assistant⏎<|recipient|>get_weather⏎<|content|>{...}
 *                                                            the prompt ends with <|recipient|>
 * Layer: cli; no output. */
#ifndef LORY_CLI_RECIPIENTS_H
#define LORY_CLI_RECIPIENTS_H

#include "cli/calls.h"

typedef struct {
    const char *mark;    /* before a name; the prompt ends with the last n_prompt bytes of it */
    size_t n_prompt;
    const char *content; /* behind the name and a newline */
    const char *hint;    /* what else is in such a template */
} recipient_form;

/* The form of a template's answers; NULL: it has none of them. */
const recipient_form *recipients_of(const char *template_text, size_t n, const char *prompt,
                                    size_t n_prompt);

typedef enum { RECIPIENT_NONE, RECIPIENT_PERHAPS, RECIPIENT_ALL, RECIPIENT_TOOL } recipient_kind;

/* Whether a part begins at s[0..n), which is_first has no mark; PERHAPS: more must be seen. *n_head
 * gets the bytes before its content. */
recipient_kind recipient_at(const recipient_form *f, const char *s, size_t n, bool is_first,
                            size_t *n_head);

/* Appends the parts for all of an answer, one after the other. */
void recipients_put_text(const recipient_form *f, const char *s, size_t n, buf *out);
/* Reads the calls of the parts for tools, as calls_read does, into an empty list; s begins with a
 * mark or without. What is for all is left out. False with *out empty. */
bool recipients_read_calls(const recipient_form *f, const char *s, size_t n,
                           const calls_known *known, tool_calls *out, lory_err *err);

#endif
