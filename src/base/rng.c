/* rng.c - see rng.h. For a seed and a stream, the numbers at position 0, 1, 2 ... are a SplitMix64
 * sequence (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", OOPSLA 2014),
 * whose state is a counter, so any place of it can be computed alone. */
#include "base/rng.h"

#define GOLDEN_GAMMA 0x9e3779b97f4a7c15u /* 2^64 / golden ratio, odd: the step of the counter */

/* Stafford's variant 13 of the MurmurHash3 finaliser: a bijection. */
static uint64_t mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

uint64_t rng_at(uint64_t seed, uint64_t position, uint64_t stream)
{
    uint64_t start = mix(mix(seed + GOLDEN_GAMMA) + (stream + 1) * GOLDEN_GAMMA);
    return mix(start + (position + 1) * GOLDEN_GAMMA);
}

double rng_uniform_at(uint64_t seed, uint64_t position, uint64_t stream)
{
    return (double)(rng_at(seed, position, stream) >> 11) * 0x1p-53;
}
