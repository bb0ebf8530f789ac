/* buf.h - a growing string of bytes.
 * Layer: base. Owned by whoever declares it; a zeroed one is empty and valid; buf_free returns it
 * to that state. Appending to a buf whose growth failed does nothing and keeps `failed` set, so a
 * run of appends needs one check at its end. */
#ifndef LORY_BASE_BUF_H
#define LORY_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

typedef struct {
    char *data;  /* [len], followed by a NUL that len does not count; NULL while empty */
    size_t len;  /* bytes used */
    size_t cap;  /* bytes allocated */
    bool failed; /* an append could not get its memory */
} buf;

bool buf_put_growing(buf *b, const void *bytes, size_t n); /* buf_put where room may lack */
bool buf_puts(buf *b, const char *s);
bool buf_printf(buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool buf_reserve(buf *b, size_t n_more); /* so that n_more bytes can be put without growing */
void buf_clear(buf *b);                  /* keeps the memory */
void buf_free(buf *b);

static inline bool buf_put(buf *b, const void *bytes, size_t n)
{
    if (b->failed || n == 0 || b->cap - b->len <= n) return buf_put_growing(b, bytes, n);
    memcpy(b->data + b->len, bytes, n);
    b->len += n;
    b->data[b->len] = '\0';
    return true;
}

static inline bool buf_putc(buf *b, char c)
{
    return buf_put(b, &c, 1);
}

#endif
