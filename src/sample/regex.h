/* regex.h - regular expressions of JSON Schema (ECMA-262) as expressions of a grammar.
 * Layer: sample.
 *
 * What they know: characters and . [...] [^...], \d \D \w \W \s \S, escapes \n \r \t \f \v \0 \xNN
 * \uNNNN \u{N} and of punctuation, groups (...) and (?:...), |, and * + ? {m} {m,} {m,n}, lazy too;
 * ^ at the beginning and $ at the end of the whole or of one of its outermost alternatives. What is
 * not anchored may have any characters before or behind it. */
#ifndef LORY_SAMPLE_REGEX_H
#define LORY_SAMPLE_REGEX_H

#include "sample/syntax.h"

/* How one character of the ranges is written, in a JSON text for example. */
typedef const expr *(*regex_chars)(syntax *s, const char_range *range, size_t n, bool negated);

/* NULL on failure; *err is then "SUBJECT: what is wrong", LORY_E_FORMAT, or LORY_E_UNSUPPORTED for
 * what can't be written as a grammar (look-around, back-references, \b). */
const expr *regex_read(syntax *s, const char *text, size_t n, regex_chars chars,
                       const char *subject, lory_err *err);

#endif
