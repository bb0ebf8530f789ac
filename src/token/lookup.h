/* lookup.h - finding tokens by their bytes: a table of strings and a hash map over it.
 * Layer: token. Built once, then immutable; any number of threads may read. */
#ifndef LORY_TOKEN_LOOKUP_H
#define LORY_TOKEN_LOOKUP_H

#include "lory.h"
#include <string.h>

/* ---- strings: one block of bytes and where each string starts ------------------------------ */

typedef struct {
    const char *bytes;
    const uint32_t *start; /* [n + 1]; string i is bytes[start[i] .. start[i + 1]) */
    size_t n;
} str_table;

static inline const char *str_at(const str_table *t, size_t i, size_t *n)
{
    *n = t->start[i + 1] - t->start[i];
    return t->bytes + t->start[i];
}

/* ---- map: bytes -> index of a string -------------------------------------------------------- */

enum { LOOKUP_MAX_PROBES = 4096 }; /* a file made to collide is refused, not suffered */

typedef struct {
    uint32_t tag;   /* upper half of the hash */
    uint32_t index; /* of the string + 1; 0 = empty */
} str_slot;

typedef struct {
    str_table table; /* what it points to is owned by whoever built it */
    str_slot *slots; /* [mask + 1], open addressing, at most two thirds full */
    size_t mask;
} str_map;

static inline uint64_t hash_mix(uint64_t h)
{
    h *= 0x9E3779B97F4A7C15u; /* 2^64 / golden ratio */
    return h ^ h >> 29;
}

static inline uint64_t hash_bytes(const char *s, size_t n)
{
    uint64_t h = hash_mix(n + 1), word = 0;
    for (; n >= 8; s += 8, n -= 8) {
        memcpy(&word, s, 8);
        h = hash_mix(h ^ word);
    }
    if (n >= 4) {
        uint32_t head, tail;
        memcpy(&head, s, 4);
        memcpy(&tail, s + n - 4, 4);
        return hash_mix(hash_mix(h ^ ((uint64_t)head << 32 | tail)));
    }
    word = n ? (uint64_t)(unsigned char)s[0] << 16 | (uint64_t)(unsigned char)s[n / 2] << 8
                   | (unsigned char)s[n - 1]
             : 0;
    return hash_mix(hash_mix(h ^ word));
}

bool str_map_init(str_map *m, const str_table *table, lory_err *err);
/* The first of equal strings stays. LORY_E_FORMAT when the map was made to collide. */
bool str_map_add(str_map *m, size_t index, lory_err *err);
void str_map_free(str_map *m);
int32_t str_map_find_hashed(const str_map *m, uint64_t hash, const char *s, size_t n);

/* Ask for the memory that finding a hash will read, one step after the other: for batches. */
static inline void str_map_prefetch_slot(const str_map *m, uint64_t hash)
{
    __builtin_prefetch(&m->slots[hash & m->mask]);
}
static inline void str_map_prefetch_start(const str_map *m, uint64_t hash)
{
    uint32_t index = m->slots[hash & m->mask].index;
    if (index) __builtin_prefetch(&m->table.start[index - 1]);
}
static inline void str_map_prefetch_bytes(const str_map *m, uint64_t hash)
{
    uint32_t index = m->slots[hash & m->mask].index;
    if (index) __builtin_prefetch(m->table.bytes + m->table.start[index - 1]);
}

/* The index of the string, or -1. */
static inline int32_t str_map_find(const str_map *m, const char *s, size_t n)
{
    return str_map_find_hashed(m, hash_bytes(s, n), s, n);
}

#endif
