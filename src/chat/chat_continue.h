/* chat_continue.h - "continue_final_message": a prompt that ends within the last message, so that
 * the model goes on with it. As Hugging Face does it: a tag is put behind that message, and what is
 * rendered is cut where the tag comes out.
 * Layer: chat. No state. */
#ifndef LORY_CHAT_CHAT_CONTINUE_H
#define LORY_CHAT_CHAT_CONTINUE_H

#include "chat/jinja_eval.h"

/* Appends the variables without that of this name; with the tag, when it was true (*is_set). name
 * begins the message about what is wrong: no text to go on with, or a new answer asked for too. */
bool chat_continue_vars(const json *vars, const char *name, buf *out, bool *is_set, lory_err *err);
/* Cuts what was rendered over them. Fails when the template left the message out. */
bool chat_continue_cut(const char *name, jinja_output *out, lory_err *err);

#endif
