/* strings.h - distinct strings, numbered as they come.
 * Part of tools/train_tokenizer. A zeroed table is empty. */
#ifndef LORY_TOOLS_CORPUS_STRINGS_H
#define LORY_TOOLS_CORPUS_STRINGS_H

#include "base/buf.h"
#include "gguf/gguf.h"

typedef struct {
    buf bytes;
    size_t *start;  /* [n + 1] string i is bytes[start[i] .. start[i + 1]) */
    uint32_t *slot; /* [n_slots] number + 1, 0 = empty; at most half are in use */
    size_t n, cap, n_slots;
} strings;

gguf_str strings_at(const strings *t, size_t i);
/* The number of a string, a new one when it was not there; -1 when memory can't be had. */
int64_t strings_put(strings *t, const char *s, size_t n);
int64_t strings_find(const strings *t, const char *s, size_t n); /* -1: not there */
void strings_free(strings *t);

/* Makes room for one more element of the array that *array points to, `size` bytes each: when it
 * is full it doubles. */
bool array_grow(void *array, size_t n, size_t *cap, size_t size);

#endif
