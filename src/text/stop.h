/* stop.h - finds the first of some texts in a stream, showing nothing that may belong to one.
 * Layer: text. Owned by its caller; the texts stay the caller's. */
#ifndef LORY_TEXT_STOP_H
#define LORY_TEXT_STOP_H

#include "base/buf.h"

typedef struct {
    const char *const *text; /* [n] the texts looked for, none of them empty */
    size_t n;
    buf held;       /* what was put and not yet passed by */
    size_t n_shown; /* of held: handed out by the last call */
} stop_finder; /* set text and n, zero the rest; free with stop_free */

/* Adds bytes. *show gets *n_show bytes, valid until the next call, that belong to none of the
 * texts; true when one of them is complete: what came after it is dropped. When memory can't be
 * had f->held.failed is set. */
bool stop_put(stop_finder *f, const char *bytes, size_t n, const char **show, size_t *n_show);
/* What is still held back, when the stream has ended. */
void stop_flush(stop_finder *f, const char **show, size_t *n_show);
void stop_free(stop_finder *f);

#endif
