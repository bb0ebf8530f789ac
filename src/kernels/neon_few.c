/* neon_few.c - NEON with sdot: a few tokens straight from rows. The shape: few_rows.h.
 * Layer: kernels. A product is of four codes of four rows and an element of the activations: four
 * tokens of eight rows leave registers for the codes. */
#include "kernels/neon_vec.h"

#include "kernels/pack_rows.h"

enum { ZERO_8 = 0, RUN_4 = 0, RUN_5 = 0, RUN_6 = 0 };
enum { TWICE_TOK = 4, SUPER_MOST = 4 };

#include "kernels/few_rows.h"

INLINE void few_steps(const few_type t, const int s, const int m, const int n, const uint8_t *p,
                      const act_group *x, codes *sum)
{
    const int n_half = 2 / t.n_sub;
    UNROLL
    for (int h = s * n_half; h < (s + 1) * n_half; h++) {
        int8x16_t xh[MATMUL_FEW_TOK];
        UNROLL
        for (int j = 0; j < n; j++) xh[j] = vld1q_s8(x[j].q + 16 * h);
#define STEP(k)                                                                                    \
    UNROLL                                                                                         \
    for (int i = 0; i < m; i++) {                                                                  \
        const codes c = vld1q_u8(p + 64 * (4 * h + k) + 16 * i);                                   \
        UNROLL                                                                                     \
        for (int j = 0; j < n; j++) {                                                              \
            const int32x4_t y = vreinterpretq_s32_u8(sum[m * j + i]);                              \
            sum[m * j + i] =                                                                       \
                vreinterpretq_u8_s32(vdotq_laneq_s32(y, vreinterpretq_s8_u8(c), xh[j], k));        \
        }                                                                                          \
    }
        STEP(0)
        STEP(1)
        STEP(2)
        STEP(3)
#undef STEP
    }
}

const lory_kernels kernels_neon_few = { FEW_SLOTS };
