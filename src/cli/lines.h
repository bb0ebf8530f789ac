/* lines.h - the lines of a file or pipe as they come, each of bounded length.
 * Layer: cli. Memory: the longest line, at most `max`. The descriptor stays the caller's. */
#ifndef LORY_CLI_LINES_H
#define LORY_CLI_LINES_H

#include "base/buf.h"
#include "lory.h"

typedef struct {
    int fd;
    const char *name;  /* for errors */
    size_t max;        /* bytes of a line */
    uint64_t limit;    /* bytes to read, what comes behind them is not there; 0 = all */
    uint64_t n_read;   /* bytes read so far */
    uint64_t n_line;   /* lines read so far */
    buf held;          /* what was read; from `at` on it is not handed out yet */
    size_t at, n_seen; /* of held; bytes after `at` known to have no newline */
    uint64_t n_dropped; /* bytes of the line at hand that were too much to hold */
    bool at_end;
} lines; /* set fd, name, max and limit, zero the rest; free with lines_close */

typedef enum {
    LINES_LINE,
    LINES_TOO_LONG, /* a line above max; its text is not given */
    LINES_NOT_YET,  /* only when not waiting: nothing is there to read */
    LINES_END,
    LINES_FAILED,
} lines_result;

/* The next line, without its newline, valid until the next call. A last line may lack the newline.
 * waits = false: returns instead of waiting for a slow pipe. LORY_E_INTERRUPTED after a SIGINT. */
lines_result lines_next(lines *l, bool waits, const char **text, size_t *n, lory_err *err);
void lines_close(lines *l);

/* What a file is, from where its descriptor stands, which is where it stands afterwards. */
typedef struct {
    uint64_t n_bytes, n_lines;
    uint64_t hash; /* XXH64 of the bytes */
} lines_summary;
/* Of n_max bytes at most; UINT64_MAX = all. */
bool lines_measure(int fd, const char *name, uint64_t n_max, lines_summary *s, lory_err *err);

/* Moves a file's descriptor over n lines; fewer, LORY_E_FORMAT. */
bool lines_skip(int fd, const char *name, uint64_t n, lory_err *err);

#endif
