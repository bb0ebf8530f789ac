/* width.h - how many columns of a terminal a character takes.
 * Layer: text. Pure. */
#ifndef LORY_TEXT_WIDTH_H
#define LORY_TEXT_WIDTH_H

#include <stddef.h>
#include <stdint.h>

/* 0 for combining and other invisible characters, 2 for East Asian wide ones and emoji, else 1.
 * Control characters are the caller's affair: they count 0. */
int width_of(uint32_t cp);

/* The length in bytes of what one cursor step goes over at s[0..n), n > 0: a character with what
 * combines with it (marks, variation selectors, joined emoji). */
size_t width_step(const char *s, size_t n);

#endif
