/* q_float.h - half floats and bfloat16, one at a time.
 * Layer: quant. Pure functions. */
#ifndef LORY_QUANT_Q_FLOAT_H
#define LORY_QUANT_Q_FLOAT_H

#include <stdint.h>

/* Exact; to 16 bits rounds to nearest even, NaN stays NaN. */
float f16_to_f32(uint16_t h);
uint16_t f32_to_f16(float f);
float bf16_to_f32(uint16_t h);
uint16_t f32_to_bf16(float f);

#endif
