/* err.c - see err.h. */
#include "base/err.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* U+0080 to U+009F, which some terminals obey too. */
static bool is_c1(const unsigned char *s)
{
    return s[0] == 0xC2 && s[1] >= 0x80 && s[1] < 0xA0;
}

/* Makes one clean line of a cut or hostile text: no control characters, no half character at the
 * end. */
static void clean(char *s)
{
    size_t n = strlen(s);
    for (size_t i = 0; i < n; i++) {
        if (is_c1((unsigned char *)s + i)) s[i] = s[i + 1] = '?';
        if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f) s[i] = '?';
    }
    if (n + 1 < LORY_ERR_MAX) return;
    size_t start = n; /* of the last character */
    while (start > 0 && ((unsigned char)s[start - 1] & 0xC0) == 0x80) start--;
    if (start > 0 && (unsigned char)s[start - 1] >= 0xC0) s[start - 1] = '\0';
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
