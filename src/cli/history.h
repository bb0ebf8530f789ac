/* history.h - what was entered before, in memory and kept in a file between runs.
 *
 * The file: a line "lory history 1", then one JSON string a line, oldest first. A line that was
 * not written to its end (a crash, a full disk) is dropped, as are the oldest of a file that grew
 * too long; anything else that does not fit is an error, and the file is left as it is.
 * Layer: cli. A zeroed one is empty and has no file. */
#ifndef LORY_CLI_HISTORY_H
#define LORY_CLI_HISTORY_H

#include "base/buf.h"
#include "lory.h"

enum { HISTORY_MAX = 1000 /* entries kept */, HISTORY_MAX_BYTES = 16 << 20 /* of the file */ };

typedef struct {
    char **entry; /* [n] */
    size_t n;
    char *path; /* NULL: not kept */
} history;

/* Reads the file, which need not be there yet, and keeps the path for history_add. On failure *h is
 * empty, without a file. */
bool history_open(history *h, const char *path, lory_err *err);
/* $XDG_STATE_HOME/lory/history, else ~/.local/state/lory/history, folders made (0700). False when
 * there is no such place: no error. */
bool history_default_path(char *path, size_t cap);

/* Reads the bytes of a file into *h. *is_long: there is a line without end,
 * or more than is kept. */
bool history_read(history *h, const buf *b, bool *is_long, lory_err *err);

/* Adds text[0..n) unless it is blank or what was added last; appends it to the file (0600). The
 * oldest goes when there are HISTORY_MAX. When the file cannot be written the text is there all the
 * same, and the file is not tried again. */
bool history_add(history *h, const char *text, size_t n, lory_err *err);
void history_close(history *h);

#endif
