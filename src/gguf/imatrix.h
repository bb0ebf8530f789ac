/* imatrix.h - importance matrices: for each weight matrix, the mean square of what every column is
 * multiplied with. A large one makes the errors of its weights count.
 * Layer: gguf. Reads llama.cpp's two formats and writes the newer, which is a GGUF file: tensors
 * NAME.in_sum2 [n_cols, n_matrices] and NAME.counts [1, n_matrices], keys imatrix.*. The older one
 * (.dat) is a number of entries, each a name, a count and the sums. */
#ifndef LORY_GGUF_IMATRIX_H
#define LORY_GGUF_IMATRIX_H

#include "base/mem.h"
#include "gguf/gguf.h"

typedef struct {
    gguf_str name;    /* of the tensor */
    int64_t n_values; /* columns of all its matrices, one after another */
    float *values;    /* [n_values] mean squares; after imatrix_read finite, each > 0, and of each
                           matrix 1 in the mean */
} imatrix_entry;

typedef struct {
    size_t n;
    imatrix_entry *entry; /* [n] by name */
    uint64_t n_chunks;    /* of text it was made from; 0 when not known */
    gguf_str dataset;     /* name of the text; "" when not known */
    const char *path;     /* the file it was read from */
    mem_arena arena;      /* owns the rest */
} imatrix;

/* Either format. On failure *m is freed and err names the file. */
bool imatrix_read(imatrix *m, const char *path, lory_err *err);
void imatrix_free(imatrix *m); /* accepts a zeroed one */

/* The values for a tensor, [ne[2], ne[0]], in *values; NULL when it has none. LORY_E_ARGUMENT when
 * those of that name are for another shape. */
bool imatrix_find(const imatrix *m, const gguf_tensor *t, const float **values, lory_err *err);

/* What was measured of one tensor. */
typedef struct {
    gguf_str name;
    int64_t n_cols, n_matrices;
    double *sums;   /* [n_matrices, n_cols] of squares */
    double *counts; /* [n_matrices] rows */
} imatrix_sums;

typedef struct {
    const char *dataset;           /* the text's name */
    uint32_t n_chunks, chunk_size; /* pieces of text, and tokens of each */
} imatrix_origin;

/* Tensors without rows are left out. LORY_E_FORMAT when a sum is not finite. */
bool imatrix_write(const char *path, const imatrix_sums *sums, size_t n, const imatrix_origin *from,
                   lory_err *err);

#endif
