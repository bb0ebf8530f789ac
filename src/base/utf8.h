/* utf8.h - UTF-8: strict decoding and encoding, and where a cut text ends.
 * Layer: base. No state, no allocation.
 *
 * Strict (Unicode 15, table 3-7): overlong forms, surrogates, values above U+10FFFF, lone
 * continuation bytes and cut sequences are malformed. One rule covers them all: a byte that does
 * not start a well-formed character is malformed by itself, and reading goes on at the next. */
#ifndef LORY_BASE_UTF8_H
#define LORY_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    UTF8_MAX_BYTES = 4,        /* of one character */
    UTF8_MAX = 0x10FFFF,       /* the greatest code point */
    UTF8_REPLACEMENT = 0xFFFD, /* what stands for a malformed byte where text must be valid */
};
#define UTF8_BAD 0xFFFFFFFFu /* the code point of a malformed byte; no character has it */

/* The multi-byte part of utf8_decode. */
size_t utf8_decode_long(const char *s, size_t n, uint32_t *cp);

/* Decodes the character at s[0..n), n > 0: returns its length in bytes and *cp. A malformed byte
 * gives 1 and UTF8_BAD. Never reads past n. */
static inline size_t utf8_decode(const char *s, size_t n, uint32_t *cp)
{
    unsigned char c = (unsigned char)s[0];
    if (c < 0x80) {
        *cp = c;
        return 1;
    }
    return utf8_decode_long(s, n, cp);
}

/* The bytes of a byte order mark at the start of a text, which some programs put there: 3 or 0. */
size_t utf8_mark(const char *s, size_t n);

/* Writes cp as 1..4 bytes and returns their number; 0 when cp is a surrogate or above UTF8_MAX. */
size_t utf8_encode(uint32_t cp, char out[UTF8_MAX_BYTES]);

/* The length that a first byte announces, 1..4; 0 for a byte that starts no character. */
size_t utf8_lead_length(unsigned char c);

/* Whether a terminal may obey it instead of showing it: some do so with U+0080 to U+009F too. */
static inline bool utf8_is_control(uint32_t cp)
{
    return cp < 0x20 || (cp >= 0x7F && cp < 0xA0);
}

size_t utf8_count(const char *s, size_t n); /* characters; a malformed byte counts as one */
bool utf8_is_valid(const char *s, size_t n);

/* How many bytes at the end of s (0..3) begin a character that more bytes could still complete.
 * A streaming writer holds these back; whatever else is malformed never can become whole. */
size_t utf8_incomplete_tail(const char *s, size_t n);

/* How many of the first n bytes of s are shown when at most `max` may be: no half character. */
size_t utf8_cut(const char *s, size_t n, size_t max);

#endif
