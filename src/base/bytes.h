/* bytes.h - the bits of floats, and little-endian numbers at any address, on any machine.
 * Layer: base. The one place that knows the byte order of files. */
#ifndef LORY_BASE_BYTES_H
#define LORY_BASE_BYTES_H

#include <stdint.h>
#include <string.h>

static inline uint32_t f32_bits(float f)
{
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    return u;
}

static inline float f32_of_bits(uint32_t u)
{
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}

static inline uint64_t f64_bits(double d)
{
    uint64_t u;
    memcpy(&u, &d, sizeof u);
    return u;
}

static inline double f64_of_bits(uint64_t u)
{
    double d;
    memcpy(&d, &u, sizeof d);
    return d;
}

static inline uint16_t bytes_u16(const void *p)
{
    const unsigned char *b = p;
    return (uint16_t)(b[0] | b[1] << 8);
}

static inline uint32_t bytes_u32(const void *p)
{
    const unsigned char *b = p;
    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

static inline uint64_t bytes_u64(const void *p)
{
    return bytes_u32(p) | (uint64_t)bytes_u32((const unsigned char *)p + 4) << 32;
}

static inline float bytes_f32(const void *p)
{
    return f32_of_bits(bytes_u32(p));
}

static inline double bytes_f64(const void *p)
{
    return f64_of_bits(bytes_u64(p));
}

static inline void bytes_put_u32(void *p, uint32_t v)
{
    unsigned char *b = p;
    for (int i = 0; i < 4; i++) b[i] = (unsigned char)(v >> 8 * i);
}

static inline void bytes_put_u64(void *p, uint64_t v)
{
    bytes_put_u32(p, (uint32_t)v);
    bytes_put_u32((unsigned char *)p + 4, (uint32_t)(v >> 32));
}

#endif
