/* kept.c - see kept.h. */
#include "cli/kept.h"
#include <string.h>

static void free_item(kept *k, size_t i)
{
    buf_free(&k->item[i].key);
    k->free_value(k->item[i].value);
}

void kept_free(kept *k)
{
    for (size_t i = 0; i < k->n; i++) free_item(k, i);
    k->n = 0;
}

void *kept_find(kept *k, const buf *key)
{
    for (size_t i = 0; i < k->n; i++) {
        const buf *have = &k->item[i].key;
        if (have->len != key->len || memcmp(have->data, key->data, key->len) != 0) continue;
        k->item[i].last_use = ++k->n_uses;
        return k->item[i].value;
    }
    return NULL;
}

/* A free place, or that of the one used longest ago. */
static size_t make_place(kept *k)
{
    size_t oldest = 0;
    if (k->n < KEPT_MAX) return k->n++;
    for (size_t i = 1; i < k->n; i++)
        if (k->item[i].last_use < k->item[oldest].last_use) oldest = i;
    free_item(k, oldest);
    return oldest;
}

void kept_put(kept *k, buf *key, void *value)
{
    size_t i = make_place(k);
    k->item[i].key = *key;
    k->item[i].value = value;
    k->item[i].last_use = ++k->n_uses;
    *key = (buf){ 0 };
}
