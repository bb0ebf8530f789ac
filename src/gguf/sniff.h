/* sniff.h - says what a file is when it is not a GGUF file.
 * Layer: gguf. Pure functions. */
#ifndef LORY_GGUF_SNIFF_H
#define LORY_GGUF_SNIFF_H

#include <stddef.h>

/* What the first bytes of a file of n bytes show it to be, as the end of "FILE: is ..."
 * ("a safetensors file"), or NULL when they are nothing known. Reads at most 512 bytes. */
const char *sniff_format(const unsigned char *data, size_t n);

#endif
