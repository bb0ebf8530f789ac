/* made_model.h - models for tests of families whose tensors are made up when a decoder in doubles
 * first asks for them, and then written as a GGUF file. */
#ifndef LORY_TESTS_MADE_MODEL_H
#define LORY_TESTS_MADE_MODEL_H

#include "test.h"
#include <stdint.h>

enum { MADE_MOST = 160, MADE_MOST_FF = 256 };

typedef struct {
    char name[48];  /* "": it is left out of files */
    int rows, cols; /* rows 0: a vector */
    int slices;     /* the rows are those of so many matrices, one after the other; 0: of one */
    double *v;
} made_tensor;

typedef struct {
    made_tensor t[MADE_MOST];
    int n;
    uint32_t seed;
} made_model;

/* The numbers of a tensor, whose name is fmt with the layer's number. Vectors lie around `about`,
 * as do matrices if that is not 0. */
const double *made_get(made_model *m, int rows, int cols, double about, const char *fmt, int il);
/* y [rows] = the matrix of that name times x [cols]. */
void made_product(made_model *m, int rows, int cols, const char *fmt, int il, const double *x,
                  double *y);
/* Files lack the tensor of that name. */
void made_leave_out(made_model *m, const char *name);
void made_free(made_model *m);

/* Norms of n values, all but the first by the tensors `name`.weight and, of layer norms, .bias. */
void made_layer_norm(int n, double eps, const double *w, const double *b, const double *x,
                     double *y);
void made_layer_norm_of(made_model *m, int n, double eps, const char *name, int il, const double *x,
                        double *y);
void made_rms_norm_of(made_model *m, int n, double eps, const char *name, int il, const double *x,
                      double *y);
/* Qwen2's feed-forward network; n_ff up to MADE_MOST_FF. */
void made_feed_forward(made_model *m, int n, int n_ff, int il, const double *x, double *y);

/* What a file says besides: keys behind "ARCH.", the last of which is { 0 }. */
typedef struct {
    const char *name;
    uint32_t value;
} made_key;

typedef struct {
    const char *arch, *eps_key;
    float eps;
    const made_key *keys;
} made_file;

/* Key `key` (NULL: none) has another value, 0: there is no such key. Rows of lerps are written with
 * dimensions of 1 between. */
void made_write(const made_model *m, const made_file *f, const char *path, const char *key,
                uint32_t value);
/* Such a file does not open, and the line says `want`. */
void made_refuses(const made_model *m, const made_file *f, const char *key, uint32_t value,
                  const char *want);

#endif
