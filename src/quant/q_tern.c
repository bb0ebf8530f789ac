/* q_tern.c - TQ1_0 TQ2_0: 256 weights -1, 0 or 1 times one half float.
 * Layer: quant. Layouts: block.h. */
#include "quant/bits.h"
#include "quant/block.h"
#include "quant/fit.h"
#include "quant/format.h"
#include "quant/qtype.h"

/* Digit t (0 = the most significant) of n bytes, less 1. A byte is ceil(256 * 0.t0t1t2t3t4), in
 * base 3: multiplying by 3^t modulo 256 drops the digits above t, and by 3 brings t above 256. */
static void trits_get(int n, const uint8_t *q, int t, int8_t *codes)
{
    static const uint8_t power[5] = { 1, 3, 9, 27, 81 };
    for (int i = 0; i < n; i++)
        codes[i] = (int8_t)(((uint8_t)(q[i] * power[t]) * 3 >> 8) - 1);
}

void tq1_0_unpack(int64_t n, const void *row, int8_t *codes, float *scales, float *mins)
{
    (void)mins;
    const block_tq1_0 *b = row, *end = b + n / QB_SUPER;
    for (; b < end; b++, codes += QB_SUPER, scales += 8) {
        for (int s = 0; s < 8; s++) scales[s] = f16_to_f32(b->d);
        for (int t = 0; t < 5; t++) trits_get(32, b->q, t, codes + 32 * t);
        for (int t = 0; t < 5; t++) trits_get(16, b->q + 32, t, codes + 160 + 16 * t);
        for (int t = 0; t < 4; t++) trits_get(4, b->qh, t, codes + 240 + 4 * t);
    }
}

void tq2_0_unpack(int64_t n, const void *row, int8_t *codes, float *scales, float *mins)
{
    (void)mins;
    const block_tq2_0 *b = row, *end = b + n / QB_SUPER;
    for (; b < end; b++, codes += QB_SUPER, scales += 8) {
        for (int s = 0; s < 8; s++) scales[s] = f16_to_f32(b->d);
        pairs_get(b->q, 1, codes);
        pairs_get(b->q + 32, 1, codes + 128);
    }
}
