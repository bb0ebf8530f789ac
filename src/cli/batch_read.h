/* batch_read.h - a line of `lory batch` is read.
 * Layer: cli.
 *
 * Two shapes: plain {"id", "prompt" or "messages", OpenAI-named fields}, and the OpenAI Batch API's
 * {"custom_id", "method", "url", "body"} (platform.openai.com/docs/api-reference/batch). */
#ifndef LORY_CLI_BATCH_READ_H
#define LORY_CLI_BATCH_READ_H

#include "cli/batch_request.h"

/* Reads text[0..n), the line of that number. On failure *err is for the line's answer; `id` and
 * `shape` are what could be made out. Either way free r with batch_request_free. */
bool batch_read_line(batch_request *r, const batch_defaults *d, uint64_t line, const char *text,
                     size_t n, lory_err *err);

#endif
