/* names.h - first names that stories use, those of girls and those of boys.
 * Part of tools/make_corpus. */
#ifndef LORY_TOOLS_CORPUS_NAMES_H
#define LORY_TOOLS_CORPUS_NAMES_H

#include <stddef.h>

typedef enum { GIRLS, BOYS, N_SEXES } sex;
extern const char *const names_of[N_SEXES][64]; /* NULL at the end */

size_t names_count(sex x);
/* The place of s[0..n) among the names, and whose it is; -1 when it is none. */
int name_find(const char *s, size_t n, sex *whose);

#endif
