/* lookup.c - see lookup.h. */
#include "token/lookup.h"
#include "base/err.h"
#include "base/mem.h"

/* ---- map --------------------------------------------------------------------------------- */

bool str_map_init(str_map *m, const str_table *table, lory_err *err)
{
    size_t n_slots = 16;
    while (n_slots < table->n + table->n / 2) n_slots *= 2;
    *m = (str_map){ .table = *table, .mask = n_slots - 1 };
    m->slots = mem_new(n_slots, sizeof *m->slots);
    return m->slots || err_set(err, LORY_E_MEMORY, "tokenizer: no memory for %zu slots", n_slots);
}

bool str_map_add(str_map *m, size_t index, lory_err *err)
{
    size_t n, n_other;
    const char *s = str_at(&m->table, index, &n);
    uint64_t hash = hash_bytes(s, n);
    uint32_t tag = (uint32_t)(hash >> 32);
    for (size_t i = hash & m->mask, probes = 0;; i = (i + 1) & m->mask, probes++) {
        str_slot *slot = &m->slots[i];
        if (probes == LOOKUP_MAX_PROBES)
            return err_set(err, LORY_E_FORMAT,
                           "tokenizer: token %zu is one of too many that "
                           "were made to collide",
                           index);
        if (slot->index == 0) {
            *slot = (str_slot){ tag, (uint32_t)index + 1 };
            return true;
        }
        if (slot->tag != tag) continue;
        const char *other = str_at(&m->table, slot->index - 1, &n_other);
        if (n_other == n && memcmp(other, s, n) == 0) return true;
    }
}

void str_map_free(str_map *m)
{
    mem_free(m->slots);
    *m = (str_map){ 0 };
}

int32_t str_map_find_hashed(const str_map *m, uint64_t hash, const char *s, size_t n)
{
    uint32_t tag = (uint32_t)(hash >> 32);
    size_t n_other;
    for (size_t i = hash & m->mask;; i = (i + 1) & m->mask) {
        const str_slot *slot = &m->slots[i];
        if (slot->index == 0) return -1;
        if (slot->tag != tag) continue;
        const char *other = str_at(&m->table, slot->index - 1, &n_other);
        if (n_other == n && memcmp(other, s, n) == 0) return (int32_t)slot->index - 1;
    }
}
