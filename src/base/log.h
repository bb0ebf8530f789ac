/* log.h - messages for the people who watch: one callback, none by default.
 * Layer: base. The callback is one per process: set it before other threads use the library. */
#ifndef LORY_BASE_LOG_H
#define LORY_BASE_LOG_H

#include "base/err.h"

typedef enum { LOG_DEBUG, LOG_INFO, LOG_WARN } log_level;

/* text is one line without newline, valid during the call. */
typedef void (*log_fn)(void *user, log_level level, const char *text);

void log_set(log_fn fn, void *user); /* NULL: messages are dropped, and not even formatted */
void log_text(log_level level, const char *fmt, ...) ERR_PRINTF(2, 3);

#endif
