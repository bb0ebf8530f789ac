/* jsonl.h - one JSON value a line, from stdin or a file, as it comes.
 * Layer: cli. Memory: the longest line. A zeroed reader with `f` and `name` set is at the start;
 * the stream stays the caller's. */
#ifndef LORY_CLI_JSONL_H
#define LORY_CLI_JSONL_H

#include "text/json.h"
#include <stdio.h>

typedef struct {
    FILE *f;
    const char *name; /* for errors: "stdin", the file */
    size_t line;      /* number of the last line read, from 1 */
    char *text;       /* the line */
    size_t cap;
} jsonl;

typedef enum { JSONL_VALUE, JSONL_END, JSONL_FAILED } jsonl_result;

/* Reads the next line that is not blank. JSONL_VALUE: close *d with json_close. JSONL_FAILED: *err
 * is "NAME: line N, ...". */
jsonl_result jsonl_next(jsonl *j, json_doc *d, lory_err *err);
/* err_set with the place in front: "NAME: line N: ..." */
bool jsonl_wrong(const jsonl *j, lory_err *err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void jsonl_close(jsonl *j);

#endif
