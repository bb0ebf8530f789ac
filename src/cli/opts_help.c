/* opts_help.c - the help page that a table of options makes; see opts.h. */
#include "cli/opts_rows.h"
#include <stdio.h>
#include <string.h>

enum {
    WIDTH = 80,      /* columns of a help page */
    LEFT_MAX = 26,   /* widest left column; a wider row puts its text on the next line */
    LEFT_BYTES = 64, /* of any left column */
};

/* "-m, --model FILE" */
static void put_left(const opt_row *r, char text[LEFT_BYTES])
{
    char letter[6] = "    ";
    if (r->letter) snprintf(letter, sizeof letter, "-%c%s", r->letter, r->name ? ", " : "");
    if (r->kind == OPT_ARG || r->kind == OPT_ARGS) {
        snprintf(text, LEFT_BYTES, "%s%s", r->name, r->kind == OPT_ARGS ? " ..." : "");
        return;
    }
    snprintf(text, LEFT_BYTES, "%s%s%s%s%s%s", letter, r->name ? "--" : "", r->name ? r->name : "",
             !r->value              ? ""
             : r->kind == OPT_MAYBE ? "[="
                                    : " ",
             r->value ? r->value : "", r->value && r->kind == OPT_MAYBE ? "]" : "");
}

static void put_ints(const opt_ints *v, char *text, size_t cap)
{
    size_t n = 0;
    text[0] = '\0';
    for (int i = 0; i < v->n && n < cap; i++)
        n += (size_t)snprintf(text + n, cap - n, "%s%d", i ? "," : "", v->item[i]);
}

/* The default of a row as text; "" when there is nothing to say. */
static void put_default(const opt_row *r, const void *v, char text[96])
{
    text[0] = '\0';
    if (r->shown) {
        snprintf(text, 96, "%s", r->shown);
        return;
    }
    switch (r->kind) {
    case OPT_STR:
    case OPT_ARG: {
        const char *s = *(const char *const *)v;
        if (s) snprintf(text, 96, "%s", s);
        break;
    }
    case OPT_INT: snprintf(text, 96, "%d", *(const int *)v); break;
    case OPT_INT64: snprintf(text, 96, "%lld", (long long)*(const int64_t *)v); break;
    case OPT_FLOAT: snprintf(text, 96, "%g", (double)*(const float *)v); break;
    case OPT_CHOICE: snprintf(text, 96, "%s", r->choices[*(const int *)v]); break;
    case OPT_INTS: put_ints(v, text, 96); break;
    default: break;
    }
}

/* Appends text wrapped at WIDTH; the cursor is at `column`, later lines start at `indent`. */
static void put_wrapped(buf *out, const char *text, size_t column, size_t indent)
{
    bool at_start = true;
    while (*text) {
        size_t n = strcspn(text, " \n");
        if (!at_start && column + 1 + n > WIDTH) {
            buf_printf(out, "\n%*s", (int)indent, "");
            column = indent;
        } else if (!at_start) {
            buf_putc(out, ' ');
            column++;
        }
        buf_put(out, text, n);
        column += n;
        at_start = false;
        text += n;
        if (*text == '\n') {
            buf_printf(out, "\n%*s", (int)indent, "");
            column = indent;
            at_start = true;
        }
        if (*text) text++;
    }
    buf_putc(out, '\n');
}

static void put_row(buf *out, const opt_row *r, const void *v, size_t left_width, bool bold)
{
    char left[LEFT_BYTES], def[96];
    buf text = { 0 };
    put_left(r, left);
    put_default(r, v, def);
    buf_puts(&text, r->help ? r->help : "");
    if (def[0]) buf_printf(&text, " (default: %s)", def);
    size_t n = strlen(left);
    buf_printf(out, "  %s%s%s", bold ? "\033[1m" : "", left, bold ? "\033[0m" : "");
    if (n > left_width)
        buf_printf(out, "\n%*s", (int)(2 + left_width + 2), "");
    else
        buf_printf(out, "%*s", (int)(left_width - n + 2), "");
    put_wrapped(out, text.data ? text.data : "", 2 + left_width + 2, 2 + left_width + 2);
    out->failed |= text.failed;
    buf_free(&text);
}

/* The widest left column that is not an exception. */
static size_t left_width(const opts_page *page)
{
    row_walk w = { .row[0] = page->rows };
    const opt_row *r;
    size_t widest = strlen("-h, --help"), at;
    char left[LEFT_BYTES];
    while ((r = next_row(&w, &at))) {
        if (r->kind == OPT_HEAD || r->kind == OPT_REFUSED) continue;
        put_left(r, left);
        if (strlen(left) <= LEFT_MAX && strlen(left) > widest) widest = strlen(left);
    }
    return widest;
}

static void put_head(buf *out, const char *text, bool bold)
{
    buf_printf(out, "\n%s%s:%s\n", bold ? "\033[1m" : "", text, bold ? "\033[0m" : "");
}

void opts_help(const opts_page *page, const void *o, bool bold, buf *out)
{
    static const opt_row help = { 'h', "help", OPT_BOOL, .help = "print this page" };
    row_walk w = { .row[0] = page->rows };
    const opt_row *r;
    size_t width = left_width(page), at;
    bool has_head = false;
    buf_printf(out, "%sUsage:%s %s %s\n\n", bold ? "\033[1m" : "", bold ? "\033[0m" : "",
               page->name, page->usage);
    put_wrapped(out, page->about, 0, 0);
    while ((r = next_row(&w, &at))) {
        if (r->kind == OPT_REFUSED) continue;
        if (r->kind == OPT_HEAD)
            put_head(out, r->name, bold);
        else if (!has_head)
            put_head(out, "Options", bold);
        has_head = true;
        if (r->kind != OPT_HEAD) put_row(out, r, (const char *)o + at, width, bold);
    }
    put_row(out, &help, NULL, width, bold);
    if (page->notes) buf_printf(out, "\n%s", page->notes);
}
