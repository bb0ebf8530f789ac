/* hash.c - see hash.h. */
#include "base/hash.h"
#include "base/bytes.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PRIME_1 0x9e3779b185ebca87u
#define PRIME_2 0xc2b2ae3d27d4eb4fu
#define PRIME_3 0x165667b19e3779f9u
#define PRIME_4 0x85ebca77c2b2ae63u
#define PRIME_5 0x27d4eb2f165667c5u

enum { STRIPE = 32 }; /* bytes: one number for each lane */

static uint64_t rotate(uint64_t x, int n)
{
    return x << n | x >> (64 - n);
}

static uint64_t round_of(uint64_t lane, uint64_t x)
{
    return rotate(lane + x * PRIME_2, 31) * PRIME_1;
}

static void take_stripe(hash64 *h, const unsigned char *p)
{
    for (int i = 0; i < 4; i++) h->lane[i] = round_of(h->lane[i], bytes_u64(p + 8 * i));
}

void hash64_begin(hash64 *h, uint64_t seed)
{
    *h = (hash64){ .lane = { seed + PRIME_1 + PRIME_2, seed + PRIME_2, seed, seed - PRIME_1 },
                   .seed = seed };
}

void hash64_put(hash64 *h, const void *bytes, size_t n)
{
    const unsigned char *p = bytes;
    size_t n_held = h->n_bytes % STRIPE;
    h->n_bytes += n;
    if (n_held) {
        size_t n_more = n < STRIPE - n_held ? n : STRIPE - n_held;
        memcpy(h->held + n_held, p, n_more);
        p += n_more;
        n -= n_more;
        if (n_held + n_more < STRIPE) return;
        take_stripe(h, h->held);
    }
    for (; n >= STRIPE; p += STRIPE, n -= STRIPE) take_stripe(h, p);
    if (n) memcpy(h->held, p, n);
}

static uint64_t merge_lanes(const uint64_t lane[4])
{
    uint64_t x =
        rotate(lane[0], 1) + rotate(lane[1], 7) + rotate(lane[2], 12) + rotate(lane[3], 18);
    for (int i = 0; i < 4; i++) x = (x ^ round_of(0, lane[i])) * PRIME_1 + PRIME_4;
    return x;
}

uint64_t hash64_end(const hash64 *h)
{
    const unsigned char *p = h->held;
    size_t n = h->n_bytes % STRIPE;
    uint64_t x = h->n_bytes < STRIPE ? h->seed + PRIME_5 : merge_lanes(h->lane);
    x += h->n_bytes;
    for (; n >= 8; p += 8, n -= 8)
        x = rotate(x ^ round_of(0, bytes_u64(p)), 27) * PRIME_1 + PRIME_4;
    if (n >= 4) {
        x = rotate(x ^ bytes_u32(p) * PRIME_1, 23) * PRIME_2 + PRIME_3;
        p += 4;
        n -= 4;
    }
    for (; n > 0; p++, n--) x = rotate(x ^ *p * PRIME_5, 11) * PRIME_1;
    x = (x ^ x >> 33) * PRIME_2;
    x = (x ^ x >> 29) * PRIME_3;
    return x ^ x >> 32;
}

uint64_t hash64_of(const void *bytes, size_t n, uint64_t seed)
{
    hash64 h;
    hash64_begin(&h, seed);
    hash64_put(&h, bytes, n);
    return hash64_end(&h);
}

hash64_text hash64_digits(uint64_t hash)
{
    hash64_text t;
    snprintf(t.text, sizeof t.text, "%016" PRIx64, hash);
    return t;
}
