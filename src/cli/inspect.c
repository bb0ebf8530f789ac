/* inspect.c - what both forms of lory inspect ask of a file; see inspect.h. */
#include "cli/inspect.h"
#include <stdio.h>

gguf_str inspect_str(const gguf *g, const char *key)
{
    gguf_str s = { "", 0 };
    gguf_get_str(g, key, &s, NULL);
    return s;
}

gguf_str inspect_token(const gguf *g, uint64_t id)
{
    const gguf_kv *kv;
    gguf_str s;
    if (!gguf_get_array(g, "tokenizer.ggml.tokens", GGUF_STR, &kv, NULL) || !kv)
        return (gguf_str){ "", 0 };
    gguf_str_iter it = gguf_strings(kv);
    for (uint64_t i = 0; gguf_next(&it, &s); i++)
        if (i == id) return s;
    return (gguf_str){ "", 0 };
}

static const char *arch_key(const gguf *g, const char *suffix, char key[128])
{
    gguf_str arch = inspect_str(g, "general.architecture");
    snprintf(key, 128, "%.*s.%s", arch.n < 64 ? (int)arch.n : 64, arch.s, suffix);
    return key;
}

bool inspect_arch_uint(const gguf *g, const char *suffix, uint64_t *value)
{
    char key[128];
    return gguf_find(g, arch_key(g, suffix, key)) && gguf_get_uint(g, key, UINT64_MAX, value, NULL);
}

bool inspect_arch_range(const gguf *g, const char *suffix, uint64_t *least, uint64_t *most)
{
    char key[128];
    const gguf_kv *kv = gguf_find(g, arch_key(g, suffix, key));
    if (!kv || kv->type != GGUF_ARR) {
        bool is_there = inspect_arch_uint(g, suffix, least);
        *most = *least;
        return is_there;
    }
    if (!gguf_get_array(g, key, GGUF_I32, &kv, NULL) || kv->n == 0) return false;
    *least = UINT64_MAX;
    *most = 0;
    for (uint64_t i = 0; i < kv->n; i++) {
        int64_t v = gguf_int_at(kv, i);
        if (v < 0) return false;
        if ((uint64_t)v < *least) *least = (uint64_t)v;
        if ((uint64_t)v > *most) *most = (uint64_t)v;
    }
    return true;
}

double inspect_arch_number(const gguf *g, const char *suffix, double otherwise)
{
    char key[128];
    float v = (float)otherwise;
    return gguf_get_f32(g, arch_key(g, suffix, key), &v, NULL) ? (double)v : otherwise;
}

gguf_str inspect_arch_str(const gguf *g, const char *suffix)
{
    char key[128];
    return inspect_str(g, arch_key(g, suffix, key));
}

const char *inspect_type_name(const gguf_tensor *t, char text[32])
{
    if (t->type != QT_COUNT) return qtypes[t->type].name;
    snprintf(text, 32, "type %u", (unsigned)t->type_id);
    return text;
}

const char *inspect_scaled(double v, const char *unit, char text[32])
{
    static const char prefixes[] = " KMGTP";
    int i = 0;
    while (v >= 999.5 && i < 5) v /= 1000, i++;
    if (i == 0)
        snprintf(text, 32, "%.0f%s%s", v, *unit ? " " : "", unit);
    else
        snprintf(text, 32, "%.*f %c%s", v < 9.995 ? 2 : v < 99.95 ? 1 : 0, v, prefixes[i], unit);
    return text;
}
