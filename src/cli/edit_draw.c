/* edit_draw.c - how an edited text looks; see edit_text.h. */
#include "base/utf8.h"
#include "cli/edit_text.h"
#include "text/width.h"
#include <string.h>

enum { TAB_COLUMNS = 4 };

/* The rows of a text, one after another; where the cursor falls among them. */
typedef struct {
    const edit_frame *f;
    buf bytes;   /* of all rows */
    buf starts;  /* size_t [n_rows]: where each begins in bytes */
    buf columns; /* unsigned short [n_rows]: how wide each is */
    int n_rows, column;
    int cursor_row, cursor_column;
} layout;

static void end_row(layout *l)
{
    unsigned short width = (unsigned short)l->column;
    buf_put(&l->columns, &width, sizeof width);
}

static void begin_row(layout *l, int n_indent)
{
    size_t start = l->bytes.len;
    if (l->n_rows > 0) end_row(l);
    buf_put(&l->starts, &start, sizeof start);
    l->n_rows++;
    l->column = n_indent;
    for (int i = 0; i < n_indent; i++) buf_putc(&l->bytes, ' ');
}

/* The indent of rows after the first, unless the terminal is too narrow for one. */
static int indent(const layout *l)
{
    return l->f->n_prompt_columns * 3 < l->f->n_columns ? l->f->n_prompt_columns : 0;
}

static void put_char(layout *l, const char *s, size_t n, uint32_t cp)
{
    int width = cp == '\t' ? TAB_COLUMNS : width_of(cp);
    if (cp == '\n') {
        begin_row(l, indent(l));
        return;
    }
    if (l->column + width > l->f->n_columns) begin_row(l, 0);
    if (cp == '\t')
        buf_put(&l->bytes, "    ", TAB_COLUMNS);
    else if (!utf8_is_control(cp))
        buf_put(&l->bytes, s, n);
    l->column += width;
}

static void note_cursor(layout *l)
{
    /* behind a full row it stands at the start of the next */
    if (l->column >= l->f->n_columns) begin_row(l, 0);
    l->cursor_row = l->n_rows - 1;
    l->cursor_column = l->column;
}

static void put_text(layout *l, const char *s, size_t n, size_t cursor)
{
    for (size_t i = 0; i < n;) {
        uint32_t cp;
        size_t n_char = utf8_decode(s + i, n - i, &cp);
        if (i == cursor) {
            int width = cp == '\n' ? 1 : cp == '\t' ? TAB_COLUMNS : width_of(cp);
            if (l->column + width > l->f->n_columns) begin_row(l, 0);
            note_cursor(l);
        }
        put_char(l, s + i, n_char, cp);
        i += n_char;
    }
    if (cursor == n) note_cursor(l);
}

static void lay_out_search(layout *l, const edit_text *t)
{
    const char *found = t->has_found ? t->history->entry[t->i_found] : "";
    buf b = { 0 };
    buf_puts(&b, t->has_found || t->query.len == 0 ? "(search) " : "(search: none) ");
    buf_put(&b, t->query.data, t->query.len);
    size_t cursor = b.len;
    buf_puts(&b, t->has_found ? "  > " : "");
    buf_puts(&b, found);
    begin_row(l, 0);
    put_text(l, b.data, b.len, cursor);
    end_row(l);
    buf_free(&b);
}

static void lay_out(layout *l, const edit_text *t)
{
    if (t->is_searching) {
        lay_out_search(l, t);
        return;
    }
    begin_row(l, 0);
    if (l->f->n_prompt_columns < l->f->n_columns) { /* else there is no room for it */
        buf_puts(&l->bytes, l->f->prompt);
        l->column = l->f->n_prompt_columns;
    }
    put_text(l, t->text.data, t->text.len, t->at);
    end_row(l);
}

static void put_move(buf *out, int n, char to)
{
    if (n > 0) buf_printf(out, "\033[%d%c", n, to);
}

void edit_draw(const edit_text *t, const edit_frame *f, edit_shown *shown, buf *out)
{
    layout l = { .f = f };
    lay_out(&l, t);
    if (!l.bytes.failed && !l.starts.failed && !l.columns.failed) {
        int n = l.n_rows < f->n_rows ? l.n_rows : f->n_rows;
        int first = l.cursor_row < n ? 0 : l.cursor_row - n + 1;
        put_move(out, shown->row, 'A');
        buf_puts(out, "\r\033[J");
        for (int i = first; i < first + n; i++) {
            size_t start, end = l.bytes.len;
            memcpy(&start, l.starts.data + (size_t)i * sizeof start, sizeof start);
            if (i + 1 < l.n_rows)
                memcpy(&end, l.starts.data + (size_t)(i + 1) * sizeof end, sizeof end);
            if (i > first) buf_puts(out, "\r\n");
            if (end > start) buf_put(out, l.bytes.data + start, end - start);
        }
        shown->n_rows = n;
        shown->row = l.cursor_row - first;
        shown->column = l.cursor_column;
        buf_clear(&shown->row_columns);
        buf_put(&shown->row_columns, l.columns.data + (size_t)first * sizeof(unsigned short),
                (size_t)n * sizeof(unsigned short));
        put_move(out, n - 1 - shown->row, 'A');
        buf_puts(out, "\r");
        put_move(out, shown->column, 'C');
    }
    buf_free(&l.bytes);
    buf_free(&l.starts);
    buf_free(&l.columns);
}

int edit_rows_above(const edit_shown *shown, int n_columns)
{
    int n = shown->column / n_columns;
    for (int i = 0; i < shown->row; i++) {
        unsigned short width;
        if (shown->row_columns.failed) return shown->row;
        memcpy(&width, shown->row_columns.data + (size_t)i * sizeof width, sizeof width);
        n += width > n_columns ? (width + n_columns - 1) / n_columns : 1;
    }
    return n;
}
