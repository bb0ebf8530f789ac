/* qtype.h - the table of tensor types: one row per storage format of GGUF tensors.
 * Layer: quant. Constant data and pure functions; thread-safe. */
#ifndef LORY_QUANT_QTYPE_H
#define LORY_QUANT_QTYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Dense numbers for tables; GGUF's own numbers are in qtype_row.gguf_id. */
typedef enum {
    QT_F32, QT_F16, QT_BF16,
    QT_Q4_0, QT_Q4_1, QT_Q5_0, QT_Q5_1, QT_Q8_0,
    QT_Q2_K, QT_Q3_K, QT_Q4_K, QT_Q5_K, QT_Q6_K,
    QT_IQ1_S, QT_IQ1_M, QT_IQ2_XXS, QT_IQ2_XS, QT_IQ2_S, QT_IQ3_XXS, QT_IQ3_S, QT_IQ4_NL, QT_IQ4_XS,
    QT_TQ1_0, QT_TQ2_0, QT_MXFP4, QT_NVFP4, QT_Q1_0, QT_Q2_0,
    QT_COUNT
} qtype;

enum { QT_GROUP = 32 }; /* weights per group of the integer matmul, whatever the format */

/* The panel form, which the integer matmul takes: every quantised format is groups of 32 int8
 * codes with n_sub scales (n_sub = 1 or 2, sub-blocks of 32 or 16) and, where has_min, n_sub
 * minima; a weight is scale * code - min. Scales and minima are products rounded once to f32. */
typedef struct {
    const char *name;  /* "q4_K" as users write it, lower case: "q4_k", "f16" */
    uint32_t gguf_id;  /* number in GGUF's tensor infos */
    int block_elems;   /* weights per block; a row is a whole number of blocks */
    int block_bytes;
    int n_sub;         /* scales per group of 32; 0 for f32, f16, bf16 (no panel form) */
    bool has_min;
    /* n weights (a multiple of block_elems) to f32, bit-exact to ggml's reference. */
    void (*to_f32)(int64_t n, const void *row, float *out);
    /* n floats to blocks, with a small squared error; deterministic, the same bits on every
     * machine. importance [n], each finite and > 0, is what the squared error of each counts; NULL:
     * all the same. */
    void (*from_f32)(int64_t n, const float *in, const float *importance, void *row);
    /* One row to panel form: codes [n], scales [n/32][n_sub], mins [n/32][n_sub] (not touched
     * unless has_min). NULL when n_sub is 0. */
    void (*unpack)(int64_t n, const void *row, int8_t *codes, float *scales, float *mins);
} qtype_row;

extern const qtype_row qtypes[QT_COUNT];

/* The type with that GGUF number, or QT_COUNT. */
qtype qtype_from_gguf(uint32_t gguf_id);
/* The type of that name (any case), or QT_COUNT. */
qtype qtype_from_name(const char *name);
/* The name of a GGUF number that lory has no row for ("q8_1", "i32"), or NULL: for errors. */
const char *qtype_foreign_name(uint32_t gguf_id);
/* Bytes of a row of n weights; n must be a multiple of block_elems, n >= 0, no overflow check. */
size_t qtype_row_bytes(qtype t, int64_t n);

#endif
