/* bits.h - how formats lay out small integers in bytes, both directions.
 * Layer: quant, private to it. A stored integer is code + offset. */
#ifndef LORY_QUANT_BITS_H
#define LORY_QUANT_BITS_H

#include <stdint.h>

/* Arithmetic on the eight bytes of a word at once: the byte b in each of them. */
#define EACH_BYTE(b) (0x0101010101010101u * (uint64_t)(b))

/* Bit j of eight as byte j, 0 or 1, the lowest byte first. */
static inline uint64_t bits_to_bytes(unsigned bits)
{
    uint64_t in_place = EACH_BYTE(bits) & 0x8040201008040201; /* bit j of byte j */
    return (in_place + EACH_BYTE(0x7f)) >> 7 & EACH_BYTE(1);
}

/* n bytes of two integers: byte i has code i in its low four bits, code i + n in its high four. */
static inline void nibbles_get(int n, const uint8_t *restrict q, int offset, int8_t *restrict codes)
{
    for (int i = 0; i < n; i++) {
        codes[i] = (int8_t)((q[i] & 15) - offset);
        codes[i + n] = (int8_t)((q[i] >> 4) - offset);
    }
}

/* Only the low four bits of code + offset are written. */
static inline void nibbles_put(int n, const int8_t *restrict codes, int offset, uint8_t *restrict q)
{
    for (int i = 0; i < n; i++)
        q[i] = (uint8_t)(((codes[i] + offset) & 15) | ((codes[i + n] + offset) & 15) << 4);
}

/* 32 bytes of four integers of 128: bits 2k, 2k+1 of byte i are code 32k + i. */
static inline void pairs_get(const uint8_t *restrict q, int offset, int8_t *restrict codes)
{
    for (int k = 0; k < 4; k++)
        for (int i = 0; i < 32; i++) codes[32 * k + i] = (int8_t)((q[i] >> 2 * k & 3) - offset);
}

/* Only the low two bits of (code + offset) >> shift are written. */
static inline void pairs_put(const int8_t *restrict codes, int offset, int shift,
                             uint8_t *restrict q)
{
    for (int i = 0; i < 32; i++) {
        int byte = 0;
        for (int k = 0; k < 4; k++) byte |= ((codes[32 * k + i] + offset) >> shift & 3) << 2 * k;
        q[i] = (uint8_t)byte;
    }
}

/* 32 bytes of one bit for each of 256 codes: bit k of byte i is bit `bit` of code 32k + i, to which
 * planes_get adds it. */
static inline void planes_get(const uint8_t *restrict q, int bit, int8_t *restrict codes)
{
    for (int k = 0; k < 8; k++)
        for (int i = 0; i < 32; i++)
            codes[32 * k + i] = (int8_t)(codes[32 * k + i] + ((q[i] >> k & 1) << bit));
}

static inline void planes_put(const int8_t *restrict codes, int offset, int bit,
                              uint8_t *restrict q)
{
    for (int i = 0; i < 32; i++) {
        int byte = 0;
        for (int k = 0; k < 8; k++) byte |= ((codes[32 * k + i] + offset) >> bit & 1) << k;
        q[i] = (uint8_t)byte;
    }
}

#endif
