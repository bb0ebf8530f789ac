/* batch_state.h - the sidecar of a `lory batch` output: what the output belongs to, so that
 * --resume goes on with the same or not at all.
 * Layer: cli. One thread.
 *
 * OUT.resume is one JSON object (documented in lory.1):
 *     {"lory_batch_resume": 1, "lory": "0.1.0",
 *      "input": {"bytes", "lines", "xxh64"}, "model": {"fingerprint"},
 *      "settings": {"NAME": "VALUE", ...}}
 * It is written whole or not at all, before the first line of output, and never changed. */
#ifndef LORY_CLI_BATCH_STATE_H
#define LORY_CLI_BATCH_STATE_H

#include "base/file.h"
#include "cli/lines.h"
#include "lory.h"
#include <sys/stat.h>

enum { BATCH_STATE_VERSION = 1, BATCH_STATE_MAX_BYTES = 64 << 20 };

typedef struct {
    lines_summary input;
    uint64_t model; /* lory_fingerprint */
    buf settings;   /* a JSON object of texts: all that the output's bytes depend on */
} batch_state; /* free with batch_state_free */

void batch_state_free(batch_state *s);

/* Makes out_path's sidecar, which file_commit then puts in its place: what can fail should do so
 * before the output is cut. */
bool batch_state_prepare(const batch_state *s, const char *out_path, file_new *f, lory_err *err);
/* Whether it is the file that is described. */
bool batch_state_is(const char *out_path, const struct stat *file);
/* Removes it: the output cannot be gone on with. */
void batch_state_remove(const char *out_path);

/* Whether the output at out_path belongs to *s. LORY_E_ARGUMENT says to which other input, model
 * or settings it belongs; LORY_E_FORMAT, LORY_E_IO: the sidecar is damaged or missing. */
bool batch_state_check(const batch_state *s, const char *out_path, lory_err *err);

#endif
