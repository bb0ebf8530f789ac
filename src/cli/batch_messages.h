/* batch_messages.h - the prompt of a `lory batch` line that is a conversation.
 * Layer: cli. */
#ifndef LORY_CLI_BATCH_MESSAGES_H
#define LORY_CLI_BATCH_MESSAGES_H

#include "cli/batch_request.h"
#include "text/json.h"

/* Renders the messages ({"role", "content"} each, as the OpenAI API has them) by the chat template
 * into r->ids, and adds what ends an answer to the stop texts. A content may be an array of text
 * parts, which are put together with newlines; "tool_calls" take the form that the template wants,
 * and a developer is system where it knows none; other members (name ...) go to the template as
 * they are, and so do body's "reasoning_effort", "add_generation_prompt" and
 * "continue_final_message", and the members of its "chat_template_kwargs". The body's "tools" are
 * read too. */
bool batch_read_messages(batch_request *r, const batch_defaults *d, const json *messages,
                         const json *body, lory_err *err);

#endif
