/* err.c - see err.h. */
#include "base/err.h"
#include "base/utf8.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Makes one clean line of a cut or hostile text: characters alone, none that controls, and no half
 * of one at the end. */
static void clean(char *s)
{
    size_t n = strlen(s), n_bytes; /* of a character */
    if (n + 1 == LORY_ERR_MAX) n -= utf8_incomplete_tail(s, n);
    s[n] = '\0';
    for (size_t i = 0; i < n; i += n_bytes) {
        uint32_t cp;
        n_bytes = utf8_decode(s + i, n - i, &cp);
        if (cp == UTF8_BAD || utf8_is_control(cp)) memset(s + i, '?', n_bytes);
    }
}

bool err_set(lory_err *err, lory_status code, const char *fmt, ...)
{
    char text[LORY_ERR_MAX]; /* apart: err->text may be one of the arguments */
    va_list ap;
    if (!err) return false;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    clean(text);
    err->code = code;
    strcpy(err->text, text);
    return false;
}

bool err_set_errno(lory_err *err, lory_status code, const char *fmt, ...)
{
    int saved = errno;
    char text[LORY_ERR_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return err_set(err, code, "%s: %s", text, strerror(saved));
}
