/* hash.h - XXH64 (Yann Collet's xxHash, github.com/Cyan4973/xxHash/doc/xxhash_spec.md), as a
 * stream: several bytes a cycle, to tell files apart; not against an adversary. `xxhsum -H64` gives
 * the same. Layer: base. No state but the caller's. */
#ifndef LORY_BASE_HASH_H
#define LORY_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint64_t lane[4], seed;
    uint64_t n_bytes;
    unsigned char held[32]; /* [n_bytes % 32] not yet taken in */
} hash64;

void hash64_begin(hash64 *h, uint64_t seed);
void hash64_put(hash64 *h, const void *bytes, size_t n);
uint64_t hash64_end(const hash64 *h); /* of what was put so far; more may follow */

uint64_t hash64_of(const void *bytes, size_t n, uint64_t seed);

/* A hash as text: 16 digits, as xxhsum prints it. */
typedef struct {
    char text[17];
} hash64_text;
hash64_text hash64_digits(uint64_t hash);

#endif
