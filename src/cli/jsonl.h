/* jsonl.h - one JSON value a line, from stdin or a file, as it comes.
 * Layer: cli. Memory: the longest line, at most CLI_MAX_TEXT_BYTES. */
#ifndef LORY_CLI_JSONL_H
#define LORY_CLI_JSONL_H

#include "cli/lines.h"
#include "text/json.h"

/* The lines of a descriptor, which stays the caller's, and is called `name` in errors. Free with
 * lines_close. */
lines jsonl_of(int fd, const char *name);

typedef enum { JSONL_VALUE, JSONL_END, JSONL_FAILED } jsonl_result;

/* Reads the next line that is not blank. JSONL_VALUE: close *d with json_close. JSONL_FAILED: *err
 * is "NAME: line N, ...". */
jsonl_result jsonl_next(lines *l, json_doc *d, lory_err *err);
/* err_set with the place in front: "NAME: line N: ..." */
bool jsonl_wrong(const lines *l, lory_err *err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
