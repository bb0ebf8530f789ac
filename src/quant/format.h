/* format.h - what the format files (q_*.c) give to the table of qtype.c.
 * Layer: quant, private to it. NAME_read, NAME_write and NAME_unpack have the meaning of the fields
 * to_f32, from_f32 and unpack of qtype_row. */
#ifndef LORY_QUANT_FORMAT_H
#define LORY_QUANT_FORMAT_H

#include <stdint.h>

typedef void quant_read(int64_t n, const void *row, float *out);
typedef void quant_unpack(int64_t n, const void *row, int8_t *codes, float *scales, float *mins);
typedef void quant_write(int64_t n, const float *in, const float *importance, void *row);

/* q_float.c */
quant_read f32_read, f16_read, bf16_read;
quant_write f32_write, f16_write, bf16_write;

/* q_legacy.c */
quant_unpack q4_0_unpack, q4_1_unpack, q5_0_unpack, q5_1_unpack, q8_0_unpack;
quant_write q4_0_write, q4_1_write, q5_0_write, q5_1_write, q8_0_write;

/* q_k.c */
quant_unpack q2_k_unpack, q3_k_unpack, q4_k_unpack, q5_k_unpack, q6_k_unpack;
quant_write q2_k_write, q3_k_write, q4_k_write, q5_k_write, q6_k_write;

/* q_iq.c */
quant_unpack iq1_s_unpack, iq1_m_unpack, iq2_xxs_unpack, iq2_xs_unpack, iq2_s_unpack;
quant_unpack iq3_xxs_unpack, iq3_s_unpack, iq4_nl_unpack, iq4_xs_unpack;
quant_write iq4_nl_write, iq4_xs_write;

/* q_iq_write.c */
quant_write iq1_s_write, iq1_m_write, iq2_xxs_write, iq2_xs_write, iq2_s_write, iq3_xxs_write;
quant_write iq3_s_write;

/* q_tern.c, q_mx.c */
quant_unpack tq1_0_unpack, tq2_0_unpack, q1_0_unpack, q2_0_unpack, mxfp4_unpack, nvfp4_unpack;
quant_write tq1_0_write, tq2_0_write, q1_0_write, q2_0_write, mxfp4_write, nvfp4_write;

#endif
