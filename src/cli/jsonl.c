/* jsonl.c - see jsonl.h. */
#include "cli/jsonl.h"
#include "base/err.h"
#include "cli/cli.h"
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

/* The JSON reader sees one line and calls it line 1. */
static void number_line(const jsonl *j, lory_err *err)
{
    lory_err inner = *err;
    size_t n = strlen(j->name);
    static const char first[] = ": line 1, ";
    if (strncmp(inner.text, j->name, n) != 0) return;
    if (strncmp(inner.text + n, first, sizeof first - 1) != 0) return;
    err_set(err, inner.code, "%s: line %zu, %s", j->name, j->line,
            inner.text + n + sizeof first - 1);
}

static bool is_blank(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (s[i] != ' ' && s[i] != '\t' && s[i] != '\r' && s[i] != '\n') return false;
    return true;
}

jsonl_result jsonl_next(jsonl *j, json_doc *d, lory_err *err)
{
    ssize_t n;
    do {
        errno = 0;
        n = getline(&j->text, &j->cap, j->f);
        if (cli_interrupted()) { /* what was read may be part of a line */
            err_set(err, LORY_E_INTERRUPTED, "interrupted");
            return JSONL_FAILED;
        }
        if (n < 0 && (ferror(j->f) || errno)) {
            err_set_errno(err, LORY_E_IO, "%s: line %zu: cannot read", j->name, j->line + 1);
            return JSONL_FAILED;
        }
        if (n < 0) return JSONL_END;
        j->line++;
    } while (is_blank(j->text, (size_t)n));
    if (n > 0 && j->text[n - 1] == '\n') n--;
    if (json_read(d, j->text, (size_t)n, j->name, err)) return JSONL_VALUE;
    number_line(j, err);
    return JSONL_FAILED;
}

bool jsonl_wrong(const jsonl *j, lory_err *err, const char *fmt, ...)
{
    char text[LORY_ERR_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return err_set(err, LORY_E_FORMAT, "%s: line %zu: %s", j->name, j->line, text);
}

void jsonl_close(jsonl *j)
{
    free(j->text); /* getline's */
    *j = (jsonl){ 0 };
}
