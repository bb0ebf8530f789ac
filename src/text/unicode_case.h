/* unicode_case.h - full case mappings, and what a character is, as Python's str methods see them:
 * one character may become up to three, and a capital sigma at the end of a word its final form.
 * Layer: text. Pure functions over generated constant tables (tools/gen_unicode_case.py). */
#ifndef LORY_TEXT_UNICODE_CASE_H
#define LORY_TEXT_UNICODE_CASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { UNICODE_CASE_MAX = 3 }; /* characters that one becomes */

enum { /* bits of unicode_flags_of */
       UNICODE_IS_LOWER = 1,
       UNICODE_IS_UPPER = 2,
       UNICODE_IS_TITLE = 4,
       UNICODE_CASE_IGNORABLE = 8, /* what final sigma looks over */
       UNICODE_IS_DIGIT = 16,
       UNICODE_IS_NUMERIC = 32,
       UNICODE_ID_START = 64,
       UNICODE_ID_PART = 128, /* of a Python identifier */
       UNICODE_IS_CASED = 7,
};

/* Tables of unicode_case_tab.c, sorted by their first field. Titles are those that differ from the
 * upper case, folds those that differ from the lower case; zeros fill a short mapping. */
typedef struct {
    uint32_t cp, to[UNICODE_CASE_MAX];
} unicode_mapping;
typedef struct {
    uint32_t first, last, flags;
} unicode_flag_range;
extern const unicode_mapping unicode_upper[], unicode_title[], unicode_fold[];
extern const unicode_flag_range unicode_flags[];
extern const size_t unicode_n_upper, unicode_n_title, unicode_n_fold, unicode_n_flags;

/* Each writes what cp becomes and returns the number of characters, 1 to 3. */
size_t unicode_full_upper(uint32_t cp, uint32_t out[UNICODE_CASE_MAX]);
size_t unicode_full_title(uint32_t cp, uint32_t out[UNICODE_CASE_MAX]);
size_t unicode_full_fold(uint32_t cp, uint32_t out[UNICODE_CASE_MAX]);
/* Of the character at s[at]: the text around it decides about a final sigma. */
size_t unicode_full_lower(const char *s, size_t n, size_t at, uint32_t out[UNICODE_CASE_MAX]);

unsigned unicode_flags_of(uint32_t cp);

/* Python's str.isspace: White_Space and the four separators U+001C to U+001F. */
bool unicode_is_space(uint32_t cp);
/* Python's str.isprintable: neither Other nor Separator, but for the blank. */
bool unicode_is_printable(uint32_t cp);
bool unicode_is_alpha(uint32_t cp);   /* a letter, L* */
bool unicode_is_decimal(uint32_t cp); /* Nd */
bool unicode_is_alnum(uint32_t cp);

#endif
