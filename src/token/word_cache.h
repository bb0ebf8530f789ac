/* word_cache.h - the ids of the words that one call of encode has met: ordinary text repeats its
 * words, and looking one up is many times faster than merging it again.
 * Layer: token. Scratch of one call; direct-mapped, so it never grows and never fails.
 *
 * word_scratch is the scratch of a tokenizer that works by words, or the first member of it. */
#ifndef LORY_TOKEN_WORD_CACHE_H
#define LORY_TOKEN_WORD_CACHE_H

#include "base/mem.h"
#include "token/lookup.h"
#include "token/tokenizer.h"
#include "token/tokens.h"

enum { WORD_CACHE_MAX_BYTES = 21 }; /* of a word that is kept: an entry is 32 bytes */

typedef struct {
    uint32_t tag;   /* upper half of the hash */
    uint32_t first; /* where the ids lie in the tokens of this call */
    uint16_t n_ids;
    uint8_t n_bytes; /* 0 = empty */
    char word[WORD_CACHE_MAX_BYTES];
} word_entry;

typedef struct {
    word_entry *entries; /* [mask + 1] */
    size_t mask;
} word_cache;

/* Sized for a text of n bytes. */
static inline bool word_cache_init(word_cache *c, size_t n)
{
    size_t n_entries = 32;
    while (n_entries < n / 16 && n_entries < 1 << 15) n_entries *= 2;
    c->mask = n_entries - 1;
    c->entries = mem_new(n_entries, sizeof *c->entries);
    return c->entries;
}

/* The entry of a word of 1..WORD_CACHE_MAX_BYTES bytes; *is_hit when it is this word's. */
static inline word_entry *word_cache_find(const word_cache *c, const char *s, size_t n,
                                          uint64_t hash, bool *is_hit)
{
    word_entry *e = &c->entries[hash & c->mask];
    *is_hit = e->tag == (uint32_t)(hash >> 32) && e->n_bytes == n && memcmp(e->word, s, n) == 0;
    return e;
}

/* Puts the ids of the word out again. */
static inline bool word_cache_repeat(const word_entry *e, lory_tokens *out, lory_err *err)
{
    for (size_t i = 0; i < e->n_ids; i++)
        if (!tokens_put(out, out->id[e->first + i], err)) return false;
    return true;
}

/* Makes the entry the word's, with the n_ids tokens from `first` on; false when they are too many
 * to say so. */
static inline bool word_cache_put(word_entry *e, const char *s, size_t n, uint64_t hash,
                                  size_t first, size_t n_ids)
{
    if (first > UINT32_MAX || n_ids > UINT16_MAX) return false;
    e->tag = (uint32_t)(hash >> 32);
    e->first = (uint32_t)first;
    e->n_ids = (uint16_t)n_ids;
    e->n_bytes = (uint8_t)n;
    memcpy(e->word, s, n);
    return true;
}

typedef struct {
    const tokenizer *t;
    lory_tokens *out; /* where the tokens of a call go */
    lory_err *err;
    word_cache cache;
} word_scratch;

/* A scratch of `size` bytes, zeros behind the word_scratch that it begins with, for a text of n
 * bytes; NULL when there is no memory. */
static inline void *word_scratch_new(size_t size, const tokenizer *t, size_t n)
{
    word_scratch *w = mem_new(1, size);
    if (!w) return NULL;
    w->t = t;
    if (word_cache_init(&w->cache, n)) return w;
    mem_free(w);
    return NULL;
}

static inline void word_scratch_free(word_scratch *w)
{
    mem_free(w->cache.entries);
    mem_free(w);
}

/* Encodes a word by `encode`, or puts out again what it gave before. */
static inline bool word_scratch_encode(word_scratch *w, const char *s, size_t n,
                                       bool (*encode)(void *scratch, const char *s, size_t n))
{
    if (n > WORD_CACHE_MAX_BYTES) return encode(w, s, n);
    uint64_t hash = hash_bytes(s, n);
    bool is_hit;
    word_entry *e = word_cache_find(&w->cache, s, n, hash, &is_hit);
    size_t first = w->out->n;
    if (is_hit) return word_cache_repeat(e, w->out, w->err);
    if (!encode(w, s, n)) return false;
    word_cache_put(e, s, n, hash, first, w->out->n - first);
    return true;
}

#endif
