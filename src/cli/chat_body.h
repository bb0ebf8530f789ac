/* chat_body.h - a talk as a JSON object, the second line of its file; see chat.h.
 * Layer: cli. */
#ifndef LORY_CLI_CHAT_BODY_H
#define LORY_CLI_CHAT_BODY_H

#include "cli/chat.h"

void chat_put_body(const chat *c, buf *out);
/* Replaces the talk and its settings by what j says; on failure nothing changed. `path` begins the
 * messages. */
bool chat_take_body(chat *c, const char *path, const json *j, lory_err *err);

#endif
