/* avxvnni_gemv.c - AVX-VNNI: one token straight from rows. The formats: gemv_256.h, gemv_crumbs.h,
 * gemv_rows.h.
 * Layer: kernels. */
#include "kernels/avxvnni_vec.h"
#include "kernels/gemv_256.h"
#include "kernels/gemv_crumbs.h"
#include "kernels/gemv_rows.h"

GEMV(q2_k, crumb_rows, no_points)
GEMV(q3_k, crumb_rows, no_points)
GEMV(tq2_0, crumb_rows, no_points)

const lory_kernels AVXVNNI(gemv) = {
    .gemv = { COMMON_SLOTS, ROW_SLOTS, [QT_Q2_K] = gemv_q2_k, [QT_Q3_K] = gemv_q3_k,
              [QT_TQ2_0] = gemv_tq2_0 },
};
