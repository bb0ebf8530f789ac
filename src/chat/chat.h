/* chat.h - a conversation as the prompt that its model's template makes of it.
 * Layer: chat. No state. */
#ifndef LORY_CHAT_CHAT_H
#define LORY_CHAT_CHAT_H

#include "chat/jinja_eval.h"

typedef struct {
    const char *name; /* of the template: begins every message about it */
    const char *text; /* [n] the template */
    size_t n;
    const char *bos_token, *eos_token; /* texts of the model's tokens; NULL = it has none */
    int64_t now; /* seconds since 1970, UTC: the clock that the template sees */
} chat_template;

/* Renders `vars`, an object: "messages", "tools", "add_generation_prompt" and any other variable.
 * As Hugging Face has it, tools and documents are None and add_generation_prompt is false when
 * they are not there, and "continue_final_message" is no variable: when true, the text ends within
 * the last message. The names of roles and the special tokens are the template's own text,
 * everything else of vars is plain: see jinja_output. Fails as jinja_parse and jinja_render. */
bool chat_render(const chat_template *t, const json *vars, jinja_output *out, lory_err *err);

#endif
