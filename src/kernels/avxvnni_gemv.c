/* avxvnni_gemv.c - AVX-VNNI: one token straight from rows. The formats: gemv_256.h, gemv_rows.h.
 * Layer: kernels. */
#include "kernels/avxvnni_vec.h"
#include "kernels/gemv_256.h"
#include "kernels/gemv_rows.h"

const lory_kernels AVXVNNI(gemv) = { .gemv = { COMMON_SLOTS, ROW_SLOTS } };
