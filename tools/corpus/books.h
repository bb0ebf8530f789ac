/* books.h - books, one paragraph a line, as documents of a page or so.
 * Part of tools/make_corpus. */
#ifndef LORY_TOOLS_CORPUS_BOOKS_H
#define LORY_TOOLS_CORPUS_BOOKS_H

#include "docs.h"

/* Appends the documents of the books in s[0..n), between which stands a line DOCUMENT_END. One
 * ends at a heading, or at the end of a paragraph once it is long enough. Titles, contents,
 * prefaces, notes, illustrations and verse are left out. */
void books_read(docs *out, const char *s, size_t n);

#endif
