/* log.c - see log.h. */
#include "base/log.h"
#include <stdarg.h>
#include <stdio.h>

static log_fn callback;
static void *callback_user;

void log_set(log_fn fn, void *user)
{
    callback = fn;
    callback_user = user;
}

void log_text(log_level level, const char *fmt, ...)
{
    char text[LORY_ERR_MAX];
    va_list ap;
    if (!callback) return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    callback(callback_user, level, text);
}
