/* batch_in.h - the input of `lory batch`: a stretch of the lines of a file, which must stay what it
 * was in the beginning, or those of a pipe as they come.
 * Layer: cli. One thread. */
#ifndef LORY_CLI_BATCH_IN_H
#define LORY_CLI_BATCH_IN_H

#include "cli/lines.h"
#include "lory.h"
#include <sys/stat.h>

typedef struct {
    const char *name;
    bool is_file;       /* it can be read twice: */
    struct stat stat;   /* what it was before that */
    off_t start;        /* where its lines begin, */
    lines_summary all;  /* and what they are */
    uint64_t first;     /* the stretch's first line */
    uint64_t line, end; /* the next line's number, one behind the last (UINT64_MAX: unknown) */
    lines lines;
} batch_in; /* close with batch_in_close, after a failure too */

/* "-" is stdin. */
bool batch_in_open(batch_in *in, const char *path, lory_err *err);
/* Measures a file and chooses the k-th of n equal stretches of its lines. Of a pipe it is all. */
bool batch_in_choose(batch_in *in, uint64_t k, uint64_t n, lory_err *err);
/* Passes over the first n_old lines of the stretch. What was measured is what is read from then on,
 * whatever is written behind it meanwhile. */
bool batch_in_begin(batch_in *in, uint64_t n_old, lory_err *err);
/* As lines_next; the end of a file before that of the stretch is a failure. */
lines_result batch_in_next(batch_in *in, bool waits, const char **text, size_t *n, lory_err *err);
/* Whether what was read are the lines that were measured; says when there are more of them now. */
bool batch_in_check(const batch_in *in, lory_err *err);
void batch_in_close(batch_in *in);

#endif
