/* avx2_gemv_rare.c - AVX2: one token straight from the rows of the less common types, 8 at a time.
 * The formats: gemv_crumbs.h, gemv_rows.h.
 * Layer: kernels. */
#include "kernels/avx2_vec.h"
#include "kernels/gemv_crumbs.h"

const lory_kernels kernels_avx2_gemv_rare = { .gemv = { CRUMB_SLOTS, ROW_SLOTS } };
