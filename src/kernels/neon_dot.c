/* neon_dot.c - the integer matmul with sdot (ARMv8.2 dot product), 16 products an instruction.
 * Layer: kernels. */
#include "kernels/neon.h"
#include <arm_neon.h>

typedef int32x4_t isum;

INLINE isum isum_zero(void)
{
    return vdupq_n_s32(0);
}
INLINE int32x4_t sums_of(isum s)
{
    return s;
}
#define ADD_STEP(s, w, x, k) vdotq_laneq_s32(s, w, x, k)
#define HIDE(s)              __asm__ volatile("" : "+w"(s))

#include "kernels/neon_tiles.h"

const lory_kernels kernels_neon_dot = { .panel_zero = panel_zero,
                                        .gemm_i8 = gemm_i8,
                                        .peak_i8 = peak_i8 };
