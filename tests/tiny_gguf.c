/* tiny_gguf.c - see tiny_gguf.h. */
#include "tiny_gguf.h"
#include <string.h>

static void put_number(buf *b, uint64_t value, int n_bytes)
{
    for (int i = 0; i < n_bytes; i++) buf_putc(b, (char)(value >> (8 * i) & 0xFF));
}

static void put_text(buf *b, const char *s)
{
    put_number(b, strlen(s), 8);
    buf_puts(b, s);
}

static void put_key(tiny_gguf *g, const char *key, gguf_type type)
{
    g->n_keys++;
    put_text(&g->keys, key);
    put_number(&g->keys, type, 4);
}

static void put_array(tiny_gguf *g, const char *key, gguf_type elem, size_t n)
{
    put_key(g, key, GGUF_ARR);
    put_number(&g->keys, elem, 4);
    put_number(&g->keys, n, 8);
}

void tiny_put_str(tiny_gguf *g, const char *key, const char *value)
{
    put_key(g, key, GGUF_STR);
    put_text(&g->keys, value);
}

void tiny_put_u32(tiny_gguf *g, const char *key, uint32_t value)
{
    put_key(g, key, GGUF_U32);
    put_number(&g->keys, value, 4);
}

void tiny_put_bool(tiny_gguf *g, const char *key, bool value)
{
    put_key(g, key, GGUF_BOOL);
    put_number(&g->keys, value, 1);
}

void tiny_put_strs(tiny_gguf *g, const char *key, const char *const *values, size_t n)
{
    put_array(g, key, GGUF_STR, n);
    for (size_t i = 0; i < n; i++) put_text(&g->keys, values[i]);
}

void tiny_put_f32s(tiny_gguf *g, const char *key, const float *values, size_t n)
{
    put_array(g, key, GGUF_F32, n);
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        put_number(&g->keys, bits, 4);
    }
}

void tiny_put_i32s(tiny_gguf *g, const char *key, const int32_t *values, size_t n)
{
    put_array(g, key, GGUF_I32, n);
    for (size_t i = 0; i < n; i++) put_number(&g->keys, (uint32_t)values[i], 4);
}

void tiny_put_u8s(tiny_gguf *g, const char *key, const uint8_t *values, size_t n)
{
    put_array(g, key, GGUF_U8, n);
    buf_put(&g->keys, values, n);
}

void tiny_finish(tiny_gguf *g)
{
    buf_puts(&g->image, "GGUF");
    put_number(&g->image, 3, 4); /* version */
    put_number(&g->image, 0, 8); /* tensors */
    put_number(&g->image, g->n_keys, 8);
    buf_put(&g->image, g->keys.data, g->keys.len);
    while (g->image.len % GGUF_ALIGNMENT) buf_putc(&g->image, 0);
}

void tiny_free(tiny_gguf *g)
{
    buf_free(&g->keys);
    buf_free(&g->image);
}
