/* iq_grid.h - the codebooks of the IQ formats: which runs of 8 (or 4) weights they can express.
 * Layer: quant, private to it. Constant data.
 *
 * A point is packed into 16 bits, weight j in two bits from 2j up (three bits from 3j up in the
 * grids of four weights), and expanded on the way out: 9 KB of tables instead of 35. */
#ifndef LORY_QUANT_IQ_GRID_H
#define LORY_QUANT_IQ_GRID_H

#include <stdint.h>

extern const uint16_t iq2_xxs_grid[256], iq2_xs_grid[512], iq2_s_grid[1024]; /* iq2_expand */
extern const uint16_t iq3_xxs_grid[256];                                     /* iq3_xxs_expand */
extern const uint16_t iq3_s_grid[512];                                       /* iq3_s_expand */
extern const uint16_t iq1_grid[2048];                                        /* iq1_expand */

/* Magnitudes of eight weights. */
static inline void iq2_expand(uint16_t point, int8_t out[8])
{
    static const int8_t level[4] = { 8, 25, 43 };
    for (int j = 0; j < 8; j++) out[j] = level[point >> 2 * j & 3];
}

/* Magnitudes of four weights. */
static inline void iq3_xxs_expand(uint16_t point, int8_t out[4])
{
    static const int8_t level[8] = { 4, 12, 20, 28, 36, 44, 52, 62 };
    for (int j = 0; j < 4; j++) out[j] = level[point >> 3 * j & 7];
}

static inline void iq3_s_expand(uint16_t point, int8_t out[4])
{
    for (int j = 0; j < 4; j++) out[j] = (int8_t)(2 * (point >> 3 * j & 7) + 1);
}

/* Eight weights -1, 0, 1. */
static inline void iq1_expand(uint16_t point, int8_t out[8])
{
    for (int j = 0; j < 8; j++) out[j] = (int8_t)((point >> 2 * j & 3) - 1);
}

#endif
