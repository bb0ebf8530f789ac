/* avx2_gemv_rare.c - AVX2: one token straight from the rows of the less common types, 8 at a time.
 * The formats: gemv_crumbs.h, gemv_rows.h.
 * Layer: kernels. */
#include "kernels/avx2_vec.h"
#include "kernels/gemv_crumbs.h"
#include "kernels/gemv_rows.h"

GEMV(q2_k, crumb_rows, no_points)
GEMV(q3_k, crumb_rows, no_points)
GEMV(tq2_0, crumb_rows, no_points)

const lory_kernels kernels_avx2_gemv_rare = {
    .gemv = { ROW_SLOTS, [QT_Q2_K] = gemv_q2_k, [QT_Q3_K] = gemv_q3_k, [QT_TQ2_0] = gemv_tq2_0 },
};
