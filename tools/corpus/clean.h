/* clean.h - text from anywhere as the plain ASCII that a small model should learn.
 * Part of tools/make_corpus. No state. */
#ifndef LORY_TOOLS_CORPUS_CLEAN_H
#define LORY_TOOLS_CORPUS_CLEAN_H

#include "base/buf.h"

/* Appends s[0..n) to *out: accents are dropped, quotes become " and ', dashes " - ", runs of
 * blanks one; lines are trimmed and empty ones dropped. False when the text has malformed bytes or
 * characters that are no English text. */
bool clean_text(buf *out, const char *s, size_t n);

/* Removes what only a printed page needs: [notes], (1), emphasis marks; WORDS in capitals become
 * small. In place. */
void clean_print(buf *text);

bool is_letter(char c);                        /* ASCII */
bool is_sentence_end(const char *s, size_t n); /* of the whole text: . ! ? and quotes after it */

#endif
