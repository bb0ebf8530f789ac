/* edit.h - asks a person for a text on a terminal; elsewhere reads lines.
 * Layer: cli; the only file that sets a terminal's modes. One at a time: it owns the terminal
 * between edit_open and edit_close, also through suspension, and gives it back as it was when the
 * program ends or is ended (SIGTERM, SIGHUP, a model file that is cut while it is mapped). */
#ifndef LORY_CLI_EDIT_H
#define LORY_CLI_EDIT_H

#include "cli/edit_text.h"
#include "cli/lines.h"

typedef struct {
    edit_text text;
    edit_shown shown;
    buf pending; /* bytes read, not yet taken */
    bool in_paste, is_terminal;
    lines in;     /* without a terminal */
    lory_err err; /* why EDIT_END came before the end; LORY_OK: it did not */
} editor;

/* Takes the terminal when both stdin and stdout are one that can move its cursor; between calls of
 * edit_read it neither echoes nor waits for whole lines, and Ctrl-C is a signal. h stays the
 * caller's, may be NULL. */
void edit_open(editor *e, history *h);
void edit_close(editor *e);

/* Lets a text be edited behind the prompt, which takes n_columns, and returns EDIT_LINE with the
 * text in *line, EDIT_CANCEL, or EDIT_END. Without such a terminal a line ends at its newline,
 * which is left out like a CR before it, malformed bytes and NUL become U+FFFD, and there is a
 * prompt, on stderr, only where a person types what is read and sees it. */
edit_result edit_read(editor *e, const char *prompt, int n_columns, buf *line);

#endif
