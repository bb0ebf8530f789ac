/* name_table.h - finds an item by its name: a hash table over an array that lies elsewhere.
 * Layer: gguf. The items are structs whose first member is their gguf_str name; the table holds
 * their indices only. Keyed hashing, so that a file can't be made to fill one chain. */
#ifndef LORY_GGUF_NAME_TABLE_H
#define LORY_GGUF_NAME_TABLE_H

#include "gguf/gguf.h"

typedef struct {
    const void *items; /* [..] of `stride` bytes each */
    size_t stride;
    uint32_t *slots;          /* [n_slots] index + 1, 0 = empty; at most half are in use */
    size_t n_slots;           /* a power of two, or 0: nothing is found */
    const uint64_t *hash_key; /* [2] */
} name_table;

/* Slots for n items, zeroed (free with mem_free); NULL when memory can't be had. */
uint32_t *name_table_new(size_t n, size_t *n_slots);

/* The slot that holds the item of that name, or the empty one where it belongs. */
uint32_t *name_table_slot(const name_table *t, gguf_str name);

/* The item of that name, or NULL. */
const void *name_table_find(const name_table *t, gguf_str name);

#endif
