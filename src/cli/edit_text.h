/* edit_text.h - the line being edited: what each key does to it, history and search included, and
 * how it looks.
 * Layer: cli. Pure: bytes in, bytes out, no terminal. Memory: the text, what was cut last, and the
 * history, all freed by edit_text_free; a zeroed one is empty. */
#ifndef LORY_CLI_EDIT_TEXT_H
#define LORY_CLI_EDIT_TEXT_H

#include "base/buf.h"
#include "cli/edit_keys.h"
#include "cli/history.h"

typedef struct {
    buf text;         /* may hold newlines */
    size_t at;        /* the cursor: a byte of text where a step begins */
    buf cut;          /* what Ctrl-K and its like removed last */
    bool was_cut;     /* by the key before: then more is added to `cut` */
    history *history; /* NULL: none */
    size_t i_entry;   /* shown now; history->n = the text that is being written */
    buf written;      /* that text, while an entry is shown */
    bool is_searching, has_found;
    buf query;
    size_t i_found; /* entry that the search is at */
} edit_text;

typedef enum {
    EDIT_MORE,
    EDIT_LINE,    /* text is what was entered */
    EDIT_CANCEL,  /* Ctrl-C: the text was given up */
    EDIT_END,     /* Ctrl-D on an empty text */
    EDIT_CLEAR,   /* the screen is to be cleared; the text stays */
    EDIT_SUSPEND, /* Ctrl-Z */
} edit_result;

/* An empty text, to be edited; the history and what was cut stay. */
void edit_text_begin(edit_text *t);
edit_result edit_text_key(edit_text *t, const edit_event *e);
void edit_text_free(edit_text *t);

/* How the text looks: rows that the caller separates by CR LF, so that a terminal never wraps by
 * itself. Tabs show as blanks, other control characters are not in a text. */
typedef struct {
    const char *prompt;    /* before the first row; may have escape sequences */
    int n_prompt_columns;  /* and is so wide; rows after a newline are indented alike */
    int n_columns, n_rows; /* of the terminal */
} edit_frame;

typedef struct {
    int n_rows, row, column; /* rows shown; where the cursor is in them */
    buf row_columns;         /* unsigned short [n_rows]: how wide each is */
} edit_shown;                /* zeroed = nothing */

/* Appends what turns the screen from *shown, with the cursor where it says, into the text as it is
 * now, and sets *shown to it. When there are more rows than the terminal has, those around the
 * cursor are shown. */
void edit_draw(const edit_text *t, const edit_frame *f, edit_shown *shown, buf *out);
/* The rows above the cursor once a terminal of n_columns has wrapped what was shown. */
int edit_rows_above(const edit_shown *shown, int n_columns);

#endif
