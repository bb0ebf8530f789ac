/* qtype.c - the table of tensor types, and to_f32 of all that have panels.
 * Layer: quant. Constant data and pure functions. To add a type: a row here, its block in
 * block.h, its functions in a q_*.c file. */
#include "quant/qtype.h"
#include "quant/block.h"
#include "quant/format.h"
#include <string.h>
#include <strings.h>

/* Weights converted at a time; in every format they have a scale in common. */
enum { STEP = 16, STEPS_MAX = QB_SUPER / STEP };

/* ---- formats with a panel form -------------------------------------------------------------- */

/* weight = scale * code - min. Scales are exact, and so is the product where there is a min: one
 * rounding in all, so these are the reference's bits, whether or not the operations are fused. */
static void panel_to_f32(qtype type, int64_t n, const void *row, float *out)
{
    const qtype_row *t = &qtypes[type];
    const char *block = row;
    int8_t codes[QB_SUPER];
    float scales[STEPS_MAX], mins[STEPS_MAX] = { 0 };
    for (; n > 0; n -= t->block_elems, block += t->block_bytes) {
        t->unpack(t->block_elems, block, codes, scales, mins);
        for (int i = 0; i < t->block_elems / STEP; i++, out += STEP) {
            int s = t->n_sub == 2 ? i : i / 2;
            for (int j = 0; j < STEP; j++)
                out[j] = scales[s] * (float)codes[STEP * i + j] - mins[s];
        }
    }
}

/* The table's functions do not get their type. */
#define TO_F32(name, type)                                                                         \
    static void name(int64_t n, const void *row, float *out)                                       \
    {                                                                                              \
        panel_to_f32(type, n, row, out);                                                           \
    }
TO_F32(q4_0_to_f32, QT_Q4_0)
TO_F32(q4_1_to_f32, QT_Q4_1)
TO_F32(q5_0_to_f32, QT_Q5_0)
TO_F32(q5_1_to_f32, QT_Q5_1)
TO_F32(q8_0_to_f32, QT_Q8_0)
TO_F32(q2_k_to_f32, QT_Q2_K)
TO_F32(q3_k_to_f32, QT_Q3_K)
TO_F32(q4_k_to_f32, QT_Q4_K)
TO_F32(q5_k_to_f32, QT_Q5_K)
TO_F32(q6_k_to_f32, QT_Q6_K)
TO_F32(iq1_s_to_f32, QT_IQ1_S)
TO_F32(iq1_m_to_f32, QT_IQ1_M)
TO_F32(iq2_xxs_to_f32, QT_IQ2_XXS)
TO_F32(iq2_xs_to_f32, QT_IQ2_XS)
TO_F32(iq2_s_to_f32, QT_IQ2_S)
TO_F32(iq3_xxs_to_f32, QT_IQ3_XXS)
TO_F32(iq3_s_to_f32, QT_IQ3_S)
TO_F32(iq4_nl_to_f32, QT_IQ4_NL)
TO_F32(iq4_xs_to_f32, QT_IQ4_XS)
TO_F32(tq1_0_to_f32, QT_TQ1_0)
TO_F32(tq2_0_to_f32, QT_TQ2_0)
TO_F32(mxfp4_to_f32, QT_MXFP4)
TO_F32(nvfp4_to_f32, QT_NVFP4)
TO_F32(q1_0_to_f32, QT_Q1_0)
TO_F32(q2_0_to_f32, QT_Q2_0)
#undef TO_F32

/* ---- the table ------------------------------------------------------------------------------ */

/* clang-format off */
const qtype_row qtypes[QT_COUNT] = {
    /* name, number in GGUF; a block: weights, bytes; scales of a group, minima;
     * to f32, from f32, to panels */
    [QT_F32]     = { "f32",      0,   1, 4,                      0, false,
                     f32_read, f32_write, NULL },
    [QT_F16]     = { "f16",      1,   1, 2,                      0, false,
                     f16_read, f16_write, NULL },
    [QT_BF16]    = { "bf16",    30,   1, 2,                      0, false,
                     bf16_read, bf16_write, NULL },
    [QT_Q4_0]    = { "q4_0",     2,  32, sizeof(block_q4_0),     1, false,
                     q4_0_to_f32, q4_0_write, q4_0_unpack },
    [QT_Q4_1]    = { "q4_1",     3,  32, sizeof(block_q4_1),     1, true,
                     q4_1_to_f32, q4_1_write, q4_1_unpack },
    [QT_Q5_0]    = { "q5_0",     6,  32, sizeof(block_q5_0),     1, false,
                     q5_0_to_f32, q5_0_write, q5_0_unpack },
    [QT_Q5_1]    = { "q5_1",     7,  32, sizeof(block_q5_1),     1, true,
                     q5_1_to_f32, q5_1_write, q5_1_unpack },
    [QT_Q8_0]    = { "q8_0",     8,  32, sizeof(block_q8_0),     1, false,
                     q8_0_to_f32, q8_0_write, q8_0_unpack },
    [QT_Q2_K]    = { "q2_k",    10, 256, sizeof(block_q2_k),     2, true,
                     q2_k_to_f32, q2_k_write, q2_k_unpack },
    [QT_Q3_K]    = { "q3_k",    11, 256, sizeof(block_q3_k),     2, false,
                     q3_k_to_f32, q3_k_write, q3_k_unpack },
    [QT_Q4_K]    = { "q4_k",    12, 256, sizeof(block_q4_k),     1, true,
                     q4_k_to_f32, q4_k_write, q4_k_unpack },
    [QT_Q5_K]    = { "q5_k",    13, 256, sizeof(block_q5_k),     1, true,
                     q5_k_to_f32, q5_k_write, q5_k_unpack },
    [QT_Q6_K]    = { "q6_k",    14, 256, sizeof(block_q6_k),     2, false,
                     q6_k_to_f32, q6_k_write, q6_k_unpack },
    [QT_IQ1_S]   = { "iq1_s",   19, 256, sizeof(block_iq1_s),    1, false,
                     iq1_s_to_f32, iq1_s_write, iq1_s_unpack },
    [QT_IQ1_M]   = { "iq1_m",   29, 256, sizeof(block_iq1_m),    2, false,
                     iq1_m_to_f32, iq1_m_write, iq1_m_unpack },
    [QT_IQ2_XXS] = { "iq2_xxs", 16, 256, sizeof(block_iq2_xxs),  1, false,
                     iq2_xxs_to_f32, iq2_xxs_write, iq2_xxs_unpack },
    [QT_IQ2_XS]  = { "iq2_xs",  17, 256, sizeof(block_iq2_xs),   2, false,
                     iq2_xs_to_f32, iq2_xs_write, iq2_xs_unpack },
    [QT_IQ2_S]   = { "iq2_s",   22, 256, sizeof(block_iq2_s),    2, false,
                     iq2_s_to_f32, iq2_s_write, iq2_s_unpack },
    [QT_IQ3_XXS] = { "iq3_xxs", 18, 256, sizeof(block_iq3_xxs),  1, false,
                     iq3_xxs_to_f32, iq3_xxs_write, iq3_xxs_unpack },
    [QT_IQ3_S]   = { "iq3_s",   21, 256, sizeof(block_iq3_s),    1, false,
                     iq3_s_to_f32, iq3_s_write, iq3_s_unpack },
    [QT_IQ4_NL]  = { "iq4_nl",  20,  32, sizeof(block_iq4_nl),   1, false,
                     iq4_nl_to_f32, iq4_nl_write, iq4_nl_unpack },
    [QT_IQ4_XS]  = { "iq4_xs",  23, 256, sizeof(block_iq4_xs),   1, false,
                     iq4_xs_to_f32, iq4_xs_write, iq4_xs_unpack },
    [QT_TQ1_0]   = { "tq1_0",   34, 256, sizeof(block_tq1_0),    1, false,
                     tq1_0_to_f32, tq1_0_write, tq1_0_unpack },
    [QT_TQ2_0]   = { "tq2_0",   35, 256, sizeof(block_tq2_0),    1, false,
                     tq2_0_to_f32, tq2_0_write, tq2_0_unpack },
    [QT_MXFP4]   = { "mxfp4",   39,  32, sizeof(block_mxfp4),    1, false,
                     mxfp4_to_f32, mxfp4_write, mxfp4_unpack },
    [QT_NVFP4]   = { "nvfp4",   40,  64, sizeof(block_nvfp4),    2, false,
                     nvfp4_to_f32, nvfp4_write, nvfp4_unpack },
    [QT_Q1_0]    = { "q1_0",    41, 128, sizeof(block_q1_0),     1, false,
                     q1_0_to_f32, q1_0_write, q1_0_unpack },
    [QT_Q2_0]    = { "q2_0",    42,  64, sizeof(block_q2_0),     1, false,
                     q2_0_to_f32, q2_0_write, q2_0_unpack },
};
/* clang-format on */

/* GGUF's numbers without a row above: integers, and formats withdrawn. */
static const struct {
    uint32_t gguf_id;
    const char *name;
} foreign[] = {
    { 4, "q4_2" },        { 5, "q4_3" },        { 9, "q8_1" },        { 15, "q8_k" },
    { 24, "i8" },         { 25, "i16" },        { 26, "i32" },        { 27, "i64" },
    { 28, "f64" },        { 31, "q4_0_4_4" },   { 32, "q4_0_4_8" },   { 33, "q4_0_8_8" },
    { 36, "iq4_nl_4_4" }, { 37, "iq4_nl_4_8" }, { 38, "iq4_nl_8_8" },
};

qtype qtype_from_gguf(uint32_t gguf_id)
{
    int t = 0;
    while (t < QT_COUNT && qtypes[t].gguf_id != gguf_id) t++;
    return (qtype)t;
}

qtype qtype_from_name(const char *name)
{
    int t = 0;
    while (t < QT_COUNT && strcasecmp(qtypes[t].name, name) != 0) t++;
    return (qtype)t;
}

const char *qtype_foreign_name(uint32_t gguf_id)
{
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++)
        if (foreign[i].gguf_id == gguf_id) return foreign[i].name;
    return NULL;
}

size_t qtype_row_bytes(qtype t, int64_t n)
{
    return (size_t)(n / qtypes[t].block_elems) * (size_t)qtypes[t].block_bytes;
}
