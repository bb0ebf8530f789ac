/* docs.h - lists of documents, what was dropped on the way to them, and the files they go to.
 * Part of tools/make_corpus. A zeroed list is empty; docs_free returns it to that. */
#ifndef LORY_TOOLS_CORPUS_DOCS_H
#define LORY_TOOLS_CORPUS_DOCS_H

#include "base/buf.h"
#include "lory.h"
#include <stdio.h>

#define DOCUMENT_END "<|endoftext|>"

typedef enum {
    DROP_SHORT,       /* fewer characters than a document should have */
    DROP_CUT,         /* ends in the middle of a sentence */
    DROP_DUPLICATE,   /* the same, or nearly, was there before */
    DROP_BROKEN,      /* malformed, or characters that are no English text */
    DROP_PLACEHOLDER, /* "[name]" and other marks of a form */
    DROP_MATTER,      /* titles, contents, prefaces, notes, verse (lines of books) */
    DROP_HARD,        /* too many words that no story has */
    N_DROPS
} drop_reason;

typedef struct {
    const char *s;
    size_t n;
} text_view;

typedef struct {
    buf bytes;     /* the texts, one after the other */
    size_t *start; /* [n + 1] text i is bytes[start[i] .. start[i + 1]) */
    size_t n, cap;
    size_t n_dropped[N_DROPS];
    bool failed; /* an addition could not get its memory; later ones do nothing */
} docs;

void docs_put(docs *d, const char *s, size_t n);
text_view docs_at(const docs *d, size_t i);
/* Drops documents that were there before, in this list or in `before` (which may be NULL): more
 * than `percent` of their runs of words were. Linear in the text. */
void docs_dedupe(docs *d, const docs *before, int percent);
/* Drops documents of whose words fewer than `percent` are in `known`. */
void docs_keep_plain(docs *d, const docs *known, int percent);
void docs_free(docs *d);

/* Writes DIR/NAME; with DOCUMENT_END between documents, or each followed by a line break. */
bool docs_write(const docs *d, bool is_text, const char *dir, const char *name, lory_err *err);
/* A line about what is there and what was dropped. */
void docs_report(const docs *d, const char *name, FILE *to);

#endif
