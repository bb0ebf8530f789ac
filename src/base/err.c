/* err.c - see err.h. */
#include "base/err.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* The bytes of the UTF-8 character at s, which a NUL ends; 0 where there is none. (text/utf8 tells
 * more of a text, but lies above.) */
static size_t char_bytes(const unsigned char *s)
{
    size_t n = s[0] < 0x80 ? 1 : s[0] < 0xC2 ? 0 : s[0] < 0xE0 ? 2 : s[0] < 0xF0 ? 3 : 4;
    if (s[0] > 0xF4 || (s[0] == 0xE0 && s[1] < 0xA0) || (s[0] == 0xED && s[1] >= 0xA0)
        || (s[0] == 0xF0 && s[1] < 0x90) || (s[0] == 0xF4 && s[1] >= 0x90))
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xC0) != 0x80) return 0;
    return n;
}

/* Some terminals obey U+0080 to U+009F too. */
static bool is_control(const unsigned char *s)
{
    return s[0] < 0x20 || s[0] == 0x7F || (s[0] == 0xC2 && s[1] < 0xA0);
}

/* Makes one clean line of a cut or hostile text: characters alone, none that controls, and no half
 * of one at the end. */
static void clean(char *s)
{
    size_t n = strlen(s), start = n; /* of the last character */
    while (start > 0 && ((unsigned char)s[start - 1] & 0xC0) == 0x80) start--;
    if (n + 1 == LORY_ERR_MAX && start > 0 && (unsigned char)s[start - 1] >= 0xC0)
        s[start - 1] = '\0';
    for (size_t n_bytes; *s; s += n_bytes) {
        const unsigned char *at = (unsigned char *)s;
        bool is_shown = (n_bytes = char_bytes(at)) > 0 && !is_control(at);
        if (n_bytes == 0) n_bytes = 1;
        if (!is_shown) memset(s, '?', n_bytes);
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
