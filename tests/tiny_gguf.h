/* tiny_gguf.h - makes a GGUF image of keys only, in memory: small vocabularies for tests. */
#ifndef LORY_TESTS_TINY_GGUF_H
#define LORY_TESTS_TINY_GGUF_H

#include "base/buf.h"
#include "gguf/gguf.h"

typedef struct {
    buf keys;
    uint64_t n_keys;
    buf image; /* after tiny_finish; gguf_open_bytes borrows it */
} tiny_gguf;   /* zeroed = empty */

void tiny_put_str(tiny_gguf *g, const char *key, const char *value);
void tiny_put_u32(tiny_gguf *g, const char *key, uint32_t value);
void tiny_put_bool(tiny_gguf *g, const char *key, bool value);
void tiny_put_strs(tiny_gguf *g, const char *key, const char *const *values, size_t n);
void tiny_put_f32s(tiny_gguf *g, const char *key, const float *values, size_t n);
void tiny_put_i32s(tiny_gguf *g, const char *key, const int32_t *values, size_t n);
void tiny_put_u8s(tiny_gguf *g, const char *key, const uint8_t *values, size_t n);
void tiny_finish(tiny_gguf *g);
void tiny_free(tiny_gguf *g);

#endif
