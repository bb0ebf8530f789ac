/* q_float.c - see q_float.h: f32, f16 and bf16. */
#include "quant/q_float.h"
#include "base/bytes.h"
#include "quant/format.h"
#include <string.h>

enum { STEP = 16 }; /* half floats converted at a time */

/* As processors convert: a signalling NaN becomes quiet and keeps its payload. */
static inline float half_value(uint16_t h)
{
    uint32_t a = h & 0x7fffu, normal = (a << 13) + ((127 - 15) << 23);
    /* A subnormal half is a * 2^-24: written below the 1 of 0.5, which is then taken away. */
    uint32_t subnormal = f32_bits(f32_of_bits(f32_bits(0.5f) | a) - 0.5f);
    uint32_t choice = a < 0x0400 ? UINT32_MAX : 0; /* a mask, as branches stop the vectoriser */
    uint32_t u = (subnormal & choice) | (normal & ~choice);
    u |= a >= 0x7c00 ? 0xffu << 23 : 0;
    u |= a > 0x7c00 ? 1u << 22 : 0;
    return f32_of_bits((uint32_t)(h & 0x8000u) << 16 | u);
}

float f16_to_f32(uint16_t h)
{
    return half_value(h);
}

uint16_t f32_to_f16(float f)
{
    const uint32_t inf = 0xffu << 23, too_big = f32_bits(65520.0f), normal = f32_bits(0x1p-14f);
    uint32_t u = f32_bits(f), sign = u >> 16 & 0x8000, a = u & 0x7fffffff;
    if (a > inf) return (uint16_t)(sign | 0x7e00 | (a >> 13 & 0x01ff));
    if (a >= too_big) return (uint16_t)(sign | 0x7c00);
    if (a < normal) /* adding 0.5 leaves a multiple of 2^-24, rounded to nearest even */
        return (uint16_t)(sign | (f32_bits(f32_of_bits(a) + 0.5f) - f32_bits(0.5f)));
    uint32_t odd = a >> 13 & 1;
    return (uint16_t)(sign | (a + 0xfff + odd - ((127 - 15) << 23)) >> 13);
}

float bf16_to_f32(uint16_t h)
{
    return f32_of_bits((uint32_t)h << 16);
}

uint16_t f32_to_bf16(float f)
{
    uint32_t u = f32_bits(f), odd = u >> 16 & 1;
    if ((u & 0x7fffffff) > 0xffu << 23) return (uint16_t)(u >> 16 | 0x40); /* quiet NaN */
    return (uint16_t)((u + 0x7fff + odd) >> 16);
}

/* ---- rows ------------------------------------------------------------------------------------ */

/* Rows in a file may start at any byte: 16-bit elements are read and written with memcpy. */

void f32_read(int64_t n, const void *row, float *out)
{
    if (n > 0) memcpy(out, row, (size_t)n * sizeof *out);
}

void f32_write(int64_t n, const float *in, const float *importance, void *row)
{
    (void)importance;
    if (n > 0) memcpy(row, in, (size_t)n * sizeof *in);
}

void f16_read(int64_t n, const void *row, float *out)
{
    const char *at = row;
    uint16_t h[STEP];
    for (; n >= STEP; n -= STEP, at += sizeof h, out += STEP) { /* a loop that is vectorised */
        memcpy(h, at, sizeof h);
        for (int j = 0; j < STEP; j++) out[j] = half_value(h[j]);
    }
    for (; n > 0; n--, at += sizeof *h) {
        memcpy(h, at, sizeof *h);
        *out++ = half_value(*h);
    }
}

void f16_write(int64_t n, const float *in, const float *importance, void *row)
{
    (void)importance;
    for (int64_t i = 0; i < n; i++) {
        uint16_t h = f32_to_f16(in[i]);
        memcpy((char *)row + 2 * i, &h, sizeof h);
    }
}

void bf16_read(int64_t n, const void *row, float *out)
{
    uint16_t h;
    for (int64_t i = 0; i < n; i++) {
        memcpy(&h, (const char *)row + 2 * i, sizeof h);
        out[i] = bf16_to_f32(h);
    }
}

void bf16_write(int64_t n, const float *in, const float *importance, void *row)
{
    (void)importance;
    for (int64_t i = 0; i < n; i++) {
        uint16_t h = f32_to_bf16(in[i]);
        memcpy((char *)row + 2 * i, &h, sizeof h);
    }
}
