/* kernel_inputs.h - what the tests of the kernels share: random inputs, the instruction sets of
 * this machine, the dot product of the numeric contract. */
#ifndef KERNEL_INPUTS_H
#define KERNEL_INPUTS_H

#include "kernels/kernel.h"

uint32_t rnd(void);
int rnd_below(int n);  /* 0 .. n-1 */
float rnd_float(void); /* about normal, sometimes large */

void fill(int n, float *x);
/* The same with zeros of both signs, the smallest and the largest finite numbers in it. */
void fill_special(int n, float *x);
/* n of them in new memory, the caller's to mem_free. */
float *floats(size_t n);

/* Where the half floats of a block are, -1 for none. */
extern const int half_at[QT_COUNT][2];
/* Random bits but for the scales, which stay sane: one block of the type. */
void fill_block(qtype t, uint8_t *block);
/* n_rows rows of k weights, row_bytes apart, ending where the block of memory does, so that a
 * sanitizer sees a read past the last row. The caller frees them. */
uint8_t *weights(qtype t, int n_rows, int k, size_t row_bytes);

typedef struct {
    const char *name;
    lory_kernels kn;
} isa;

/* The usable ones by name, the generic one last; returns how many. */
int usable_isas(isa out[8]);
const lory_kernels *generic(void);

/* 16 lanes over k, then the fold. */
float lanes_dot(int n, const float *a, const float *b);

#endif
