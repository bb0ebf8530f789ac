/* iq_grid.h - the codebooks of the IQ formats: which runs of 8 (or 4) weights they can express.
 * Layer: quant, private to it and to the kernels that unpack. Constant data.
 *
 * A point is packed into 16 bits, weight j in two bits from 2j up (three bits from 3j up in the
 * grids of four weights): 9 KB of tables instead of 35. It is expanded by arithmetic on all bytes
 * of a word at once; byte j, the lowest first, is weight j. No byte carries into its neighbour. */
#ifndef LORY_QUANT_IQ_GRID_H
#define LORY_QUANT_IQ_GRID_H

#include "quant/bits.h"
#include <stdbool.h>
#include <stdint.h>

extern const uint16_t iq2_xxs_grid[256], iq2_xs_grid[512], iq2_s_grid[1024]; /* iq2_expand */
extern const uint16_t iq3_xxs_grid[256];                                     /* iq3_xxs_expand */
extern const uint16_t iq3_s_grid[512];                                       /* iq3_s_expand */
extern const uint16_t iq1_grid[2048];                                        /* iq1_expand */

/* Two bits into each of eight bytes. */
static inline uint64_t spread_2_bits(uint64_t point)
{
    point = (point | point << 24) & 0x000000ff000000ff;
    point = (point | point << 12) & 0x000f000f000f000f;
    return (point | point << 6) & EACH_BYTE(3);
}

/* Three bits into each of four bytes. */
static inline uint32_t spread_3_bits(uint32_t point)
{
    point = (point | point << 10) & 0x003f003f;
    return (point | point << 5) & 0x07070707;
}

/* Eight magnitudes: 0, 1, 2 become 8, 25, 43. */
static inline uint64_t iq2_expand(uint16_t point)
{
    uint64_t k = spread_2_bits(point);
    return EACH_BYTE(8) + 17 * k + (k >> 1 & EACH_BYTE(1));
}

/* Four magnitudes: 0, 1, .. 6, 7 become 4, 12, .. 52, 62. */
static inline uint32_t iq3_xxs_expand(uint16_t point)
{
    uint32_t k = spread_3_bits(point), is_7 = k & k >> 1 & k >> 2 & 0x01010101;
    return 0x04040404 + 8 * k + 2 * is_7;
}

/* Four magnitudes: k becomes 2k + 1. */
static inline uint32_t iq3_s_expand(uint16_t point)
{
    return 2 * spread_3_bits(point) + 0x01010101;
}

/* Eight values 8 * (g + delta), g = -1, 0, 1 stored as 0, 1, 2, delta = +-1/8. */
static inline uint64_t iq1_expand(uint16_t point, bool delta_is_negative)
{
    uint64_t minus = EACH_BYTE(7) + EACH_BYTE(2 * delta_is_negative);
    /* The top bit lends to its byte, so that none borrows from the next. */
    return ((8 * spread_2_bits(point) | EACH_BYTE(0x80)) - minus) ^ EACH_BYTE(0x80);
}

/* Negates byte j (1..127) of eight where bit j of signs is set. */
static inline uint64_t apply_signs(uint64_t bytes, unsigned signs)
{
    uint64_t one = bits_to_bytes(signs);
    return (bytes ^ one * 0xff) + one;
}

#endif
