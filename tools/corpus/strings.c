/* strings.c - see strings.h. */
#include "strings.h"
#include "base/mem.h"
#include "token/lookup.h"
#include <string.h>

gguf_str strings_at(const strings *t, size_t i)
{
    return (gguf_str){ t->bytes.data + t->start[i], t->start[i + 1] - t->start[i] };
}

/* The slot of that string, or the empty one where it belongs. */
static uint32_t *string_slot(const strings *t, const char *s, size_t n)
{
    for (size_t i = hash_bytes(s, n) & (t->n_slots - 1);; i = (i + 1) & (t->n_slots - 1)) {
        if (t->slot[i] == 0) return &t->slot[i];
        gguf_str other = strings_at(t, t->slot[i] - 1);
        if (other.n == n && memcmp(other.s, s, n) == 0) return &t->slot[i];
    }
}

static bool strings_grow(strings *t)
{
    size_t cap = t->cap ? 2 * t->cap : 1024;
    size_t *start = mem_resize(t->start, t->cap ? t->cap + 1 : 0, cap + 1, sizeof *start);
    if (start) t->start = start, t->start[0] = 0;
    uint32_t *slot = start ? mem_new(2 * cap, sizeof *slot) : NULL;
    if (!slot) return false;
    mem_free(t->slot);
    t->slot = slot;
    t->cap = cap;
    t->n_slots = 2 * cap;
    for (size_t i = 0; i < t->n; i++) {
        gguf_str s = strings_at(t, i);
        *string_slot(t, s.s, s.n) = (uint32_t)i + 1;
    }
    return true;
}

int64_t strings_put(strings *t, const char *s, size_t n)
{
    if (t->n == t->cap && (t->n >= UINT32_MAX / 4 || !strings_grow(t))) return -1;
    uint32_t *slot = string_slot(t, s, n);
    if (*slot) return *slot - 1;
    if (!buf_put(&t->bytes, s, n)) return -1;
    t->start[t->n + 1] = t->bytes.len;
    *slot = (uint32_t)++t->n;
    return (int64_t)t->n - 1;
}

int64_t strings_find(const strings *t, const char *s, size_t n)
{
    return t->n_slots ? (int64_t)*string_slot(t, s, n) - 1 : -1;
}

void strings_free(strings *t)
{
    buf_free(&t->bytes);
    mem_free(t->start);
    mem_free(t->slot);
    *t = (strings){ 0 };
}

bool array_grow(void *array, size_t n, size_t *cap, size_t size)
{
    void **p = array;
    if (n < *cap) return true;
    size_t more = *cap ? 2 * *cap : 16;
    void *q = mem_resize(*p, *cap, more, size);
    if (!q) return false;
    *p = q;
    *cap = more;
    return true;
}
