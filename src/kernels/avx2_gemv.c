/* avx2_gemv.c - AVX2: one token straight from the rows of the commonest types: gemv_256.h.
 * Layer: kernels. */
#include "kernels/avx2_vec.h"
#include "kernels/gemv_256.h"

const lory_kernels kernels_avx2_gemv = { .gemv = { COMMON_SLOTS } };
