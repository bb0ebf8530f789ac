/* avxvnni_gemv.c - AVX-VNNI: one token straight from rows. The formats: gemv_256.h, gemv_crumbs.h,
 * gemv_rows.h.
 * Layer: kernels. */
#include "kernels/avxvnni_vec.h"
#include "kernels/gemv_256.h"
#include "kernels/gemv_crumbs.h"

const lory_kernels AVXVNNI(gemv) = { .gemv = { COMMON_SLOTS, CRUMB_SLOTS, ROW_SLOTS } };
