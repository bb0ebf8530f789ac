/* jsonl.c - see jsonl.h. */
#include "cli/jsonl.h"
#include "base/err.h"
#include "cli/cli.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

lines jsonl_of(int fd, const char *name)
{
    return (lines){ .fd = fd, .name = name, .max = CLI_MAX_TEXT_BYTES };
}

/* The JSON reader sees one line and calls it line 1. */
static void number_line(const lines *l, lory_err *err)
{
    lory_err inner = *err;
    size_t n = strlen(l->name);
    static const char first[] = ": line 1, ";
    if (strncmp(inner.text, l->name, n) != 0) return;
    if (strncmp(inner.text + n, first, sizeof first - 1) != 0) return;
    err_set(err, inner.code, "%s: line %" PRIu64 ", %s", l->name, l->n_line,
            inner.text + n + sizeof first - 1);
}

static bool is_blank(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (s[i] != ' ' && s[i] != '\t' && s[i] != '\r') return false;
    return true;
}

jsonl_result jsonl_next(lines *l, json_doc *d, lory_err *err)
{
    const char *text;
    size_t n;
    lines_result r;
    do {
        if (cli_interrupted()) { /* also between lines that were read at once */
            err_set(err, LORY_E_INTERRUPTED, "interrupted");
            return JSONL_FAILED;
        }
        r = lines_next(l, true, &text, &n, err);
    } while (r == LINES_LINE && is_blank(text, n));
    if (r == LINES_END) return JSONL_END;
    if (r == LINES_TOO_LONG) jsonl_wrong(l, err, "more than %d bytes", CLI_MAX_TEXT_BYTES);
    if (r != LINES_LINE) return JSONL_FAILED;
    if (json_read(d, text, n, l->name, err)) return JSONL_VALUE;
    number_line(l, err);
    return JSONL_FAILED;
}

bool jsonl_wrong(const lines *l, lory_err *err, const char *fmt, ...)
{
    char text[LORY_ERR_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return err_set(err, LORY_E_FORMAT, "%s: line %" PRIu64 ": %s", l->name, l->n_line, text);
}
