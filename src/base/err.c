/* err.c - see err.h. */
#include "base/err.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Makes one clean line of a cut or hostile text: no control bytes, no half character at the end. */
static void clean(char *s)
{
    size_t n = strlen(s);
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f) s[i] = '?';
    if (n + 1 < LORY_ERR_MAX) return;
    size_t start = n; /* of the last character */
    while (start > 0 && ((unsigned char)s[start - 1] & 0xC0) == 0x80) start--;
    if (start > 0 && (unsigned char)s[start - 1] >= 0xC0) s[start - 1] = '\0';
}

bool err_set(lory_err *err, lory_status code, const char *fmt, ...)
{
    va_list ap;
    if (!err) return false;
    err->code = code;
    va_start(ap, fmt);
    vsnprintf(err->text, sizeof err->text, fmt, ap);
    va_end(ap);
    clean(err->text);
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
