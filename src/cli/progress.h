/* progress.h - how far long work is, on stderr: a line in place on a terminal, else with -v a line
 * every ten seconds; nothing for work that is soon done, and nothing in place with NO_COLOR.
 *
 *     progress p;
 *     progress_begin(&p, "eval", "tokens", n_tokens, o.verbose);
 *     for (...) progress_at(&p, n_done);
 *     progress_end(&p);      // before anything else is printed, also on failure
 *
 * Layer: cli. */
#ifndef LORY_CLI_PROGRESS_H
#define LORY_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    const char *what, *unit; /* "eval", "tokens"; unit "bytes" is shown in MB */
    uint64_t total; /* 0: nobody knows */
    uint64_t first; /* done before it began: set after progress_begin */
    char note[48];  /* shown at the end of the line, "": nothing */
    double start_ms, next_ms, wait_ms; /* when to show next, how long between */
    bool in_place, is_silent, is_shown;
} progress;

void progress_begin(progress *p, const char *what, const char *unit, uint64_t total, bool verbose);
void progress_at(progress *p, uint64_t n_done); /* cheap: looks at the clock */
/* Takes the line off a terminal; the next progress_at may show it again. */
void progress_end(progress *p);

/* The same for library functions that call back with bytes done and in all: begun by the first
 * call. The callback returns false once the user has interrupted. */
typedef struct {
    const char *what;
    bool verbose, is_begun;
    progress bar;
} progress_bytes;

bool progress_on_bytes(void *p, uint64_t n_done, uint64_t n_total); /* p is a progress_bytes */
void progress_end_bytes(progress_bytes *p);

#endif
