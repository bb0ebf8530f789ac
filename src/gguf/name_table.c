/* name_table.c - see name_table.h. The hash is SipHash-1-3 (Aumasson and Bernstein, 2012). */
#include "gguf/name_table.h"
#include "base/mem.h"
#include <string.h>

static uint64_t rotate(uint64_t x, int n)
{
    return x << n | x >> (64 - n);
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1], v[2] += v[3];
    v[1] = rotate(v[1], 13) ^ v[0], v[3] = rotate(v[3], 16) ^ v[2];
    v[0] = rotate(v[0], 32);
    v[2] += v[1], v[0] += v[3];
    v[1] = rotate(v[1], 17) ^ v[2], v[3] = rotate(v[3], 21) ^ v[0];
    v[2] = rotate(v[2], 32);
}

static uint64_t hash(const uint64_t key[2], gguf_str s)
{
    uint64_t v[4] = { key[0] ^ 0x736f6d6570736575u, key[1] ^ 0x646f72616e646f6du,
                      key[0] ^ 0x6c7967656e657261u, key[1] ^ 0x7465646279746573u };
    for (size_t i = 0;; i += 8) {
        bool is_last = s.n - i < 8;
        uint64_t word = 0;
        memcpy(&word, s.s + i, is_last ? s.n - i : 8);
        if (is_last) word |= (uint64_t)s.n << 56;
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
        if (is_last) break;
    }
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++) sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint32_t *name_table_new(size_t n, size_t *n_slots)
{
    size_t n_new = 8;
    while (n_new / 2 < n) n_new *= 2;
    uint32_t *slots = mem_new(n_new, sizeof *slots);
    *n_slots = slots ? n_new : 0;
    return slots;
}

static const gguf_str *name_of(const name_table *t, uint32_t slot)
{
    return (const void *)((const char *)t->items + (slot - 1) * t->stride);
}

uint32_t *name_table_slot(const name_table *t, gguf_str name)
{
    size_t i = hash(t->hash_key, name) & (t->n_slots - 1);
    for (;; i = (i + 1) & (t->n_slots - 1)) {
        if (t->slots[i] == 0) return &t->slots[i];
        const gguf_str *other = name_of(t, t->slots[i]);
        if (other->n == name.n && memcmp(other->s, name.s, name.n) == 0) return &t->slots[i];
    }
}

const void *name_table_find(const name_table *t, gguf_str name)
{
    if (t->n_slots == 0) return NULL;
    uint32_t slot = *name_table_slot(t, name);
    return slot ? name_of(t, slot) : NULL;
}
