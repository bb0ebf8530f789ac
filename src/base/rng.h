/* rng.h - random numbers by counter: the number at a place is a pure function of that place, so
 * a draw can be repeated, skipped or done in any order.
 * Layer: base. No state. */
#ifndef LORY_BASE_RNG_H
#define LORY_BASE_RNG_H

#include <stdint.h>

/* 64 random bits at (seed, position, stream). Streams keep uses at one position apart. */
uint64_t rng_at(uint64_t seed, uint64_t position, uint64_t stream);

/* The same as a number of [0, 1): one of the 2^53 multiples of 2^-53. */
double rng_uniform_at(uint64_t seed, uint64_t position, uint64_t stream);

#endif
