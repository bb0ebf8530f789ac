/* q_mx.c - MXFP4: 32 weights of 4 bits floating point with a power of two as their scale.
 * Layer: quant. Layouts: block.h. Source: OCP Microscaling Formats specification 1.0. */
#include "quant/block.h"
#include "quant/fit.h"
#include "quant/format.h"
#include "quant/qtype.h"
#include <math.h>

/* The values of E2M1 times two, which makes them integers; the scale is halved instead. */
static const int8_t level[16] = { 0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12 };

void mxfp4_unpack(int64_t n, const void *row, int8_t *codes, float *scales, float *mins)
{
    (void)mins;
    const block_mxfp4 *b = row, *end = b + n / QB_SMALL;
    for (; b < end; b++, codes += QB_SMALL) {
        *scales++ = ldexpf(1.0f, b->e - 128);
        for (int i = 0; i < 16; i++) {
            codes[i] = level[b->q[i] & 15];
            codes[i + 16] = level[b->q[i] >> 4];
        }
    }
}
