/* fuzz_gguf.c - any bytes as a weight file: refused in one line that names it, or everything it
 * then points to can be read. */
#include "fuzz.h"
#include "gguf/gguf.h"
#include <string.h>

static unsigned sum; /* so that reads are not optimised away */

static void touch(const void *p, size_t n)
{
    const unsigned char *b = p;
    for (size_t i = 0; i < n; i++) sum += b[i];
}

static void touch_values(const gguf_kv *kv)
{
    gguf_str s;
    size_t n = 0;
    for (gguf_str_iter it = gguf_strings(kv); gguf_next(&it, &s); n += 8 + s.n) touch(s.s, s.n);
    if (kv->elem == GGUF_STR) MUST(n == kv->n_bytes);
    for (uint64_t i = 0; kv->elem != GGUF_STR && i < kv->n; i++)
        sum += (unsigned)gguf_int_at(kv, i) + (gguf_float_at(kv, i) > 0.5);
}

/* The getters must accept or refuse any key, and say so. */
static void get_all(const gguf *g, const gguf_kv *kv)
{
    lory_err err = { 0 };
    uint64_t u = 0;
    float f = 0;
    bool yes = false;
    gguf_str s = { 0 };
    const gguf_kv *array;
    char key[64] = "";
    if (kv->key.n >= sizeof key || memchr(kv->key.s, 0, kv->key.n)) return;
    memcpy(key, kv->key.s, kv->key.n);
    MUST(gguf_find(g, key) == kv);
    if (gguf_get_uint(g, key, 1000, &u, &err)) MUST(u <= 1000);
    if (gguf_get_f32(g, key, &f, &err)) MUST(f - f == 0);
    if (gguf_get_bool(g, key, &yes, &err)) sum += yes;
    if (gguf_get_str(g, key, &s, &err)) touch(s.s, s.n);
    if (gguf_get_array(g, key, GGUF_I32, &array, &err)) MUST(array == kv);
}

static void check_open(const gguf *g, const uint8_t *data, size_t n)
{
    for (size_t i = 0; i < g->n_kv; i++) {
        touch_values(&g->kv[i]);
        get_all(g, &g->kv[i]);
    }
    for (size_t i = 0; i < g->n_tensors; i++) {
        const gguf_tensor *t = &g->tensors[i];
        MUST((const uint8_t *)t->data >= data && t->n_bytes <= n);
        touch(t->data, t->n_bytes);
    }
    MUST(g->tensor_bytes <= n);
}

int fuzz_gguf(const uint8_t *data, size_t n)
{
    gguf g;
    lory_err err = { 0 };
    if (gguf_open_bytes(&g, data, n, "fuzz.gguf", &err))
        check_open(&g, data, n);
    else
        MUST(fuzz_names(&err, "fuzz.gguf: "));
    gguf_close(&g);
    return 0;
}

#ifdef LORY_FUZZ
FUZZ_MAIN(fuzz_gguf)
#endif
