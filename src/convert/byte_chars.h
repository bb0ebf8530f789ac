/* byte_chars.h - GPT-2's alphabet: each byte as a printable character, as vocabularies of bytes are
 * written.
 * Layer: convert. Pure functions. */
#ifndef LORY_CONVERT_BYTE_CHARS_H
#define LORY_CONVERT_BYTE_CHARS_H

#include "gguf/gguf.h"

uint32_t char_of_byte(unsigned char b);
/* The byte that a text stands for; -1: it is no single character of the alphabet. */
int byte_of_text(gguf_str text);

#endif
