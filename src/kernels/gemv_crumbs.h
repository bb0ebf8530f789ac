/* gemv_crumbs.h - one token straight from rows of Q2_K and Q3_K, for AVX2 and AVX-VNNI; AVX-512's
 * are in avx512_gemv.c.
 * Layer: kernels. Not a header: avx2_gemv_rare.c and avxvnni_gemv.c include it once, and by it
 * gemv_rows.h. Layouts of the blocks: quant/block.h.
 *
 * What they define besides what that wants:
 *   i_upper_shr4              64 bytes, of which this is vector l: p's 32, and they shifted by 4 */
#include "kernels/gemv_rows.h"

INLINE void q2_k_dots(const uint8_t *b, const codes x[N_VEC], codes v[N_VEC])
{
    crumb_dots(b + 16, x, v);
}
INLINE void q3_k_dots(const uint8_t *b, const codes x[N_VEC], codes v[N_VEC])
{
    UNROLL
    for (int j = 0; j < N_VEC; j++) {
        const codes third = i_upper_shr4(b, j / 4), q = i_load(b + 32 + VB * (j / 4));
        v[j] = i_dot(i_or(pair(q, 2 * (j % 4)), bit(third, j % 4, 2)), x[j]);
    }
}

static const super_type q2_k = { .bytes = sizeof(block_q2_k),
                                 .shift = NO_ZERO,
                                 .n_sub = 2,
                                 .has_min = true,
                                 .fits_16 = true,
                                 .order = CRUMBS,
                                 .dots = q2_k_dots,
                                 .scales = scales_q2_k };
static const super_type q3_k = { .bytes = sizeof(block_q3_k),
                                 .shift = ZERO_4,
                                 .n_sub = 2,
                                 .fits_16 = true,
                                 .order = CRUMBS,
                                 .dots = q3_k_dots,
                                 .scales = scales_q3_k };
GEMV(q2_k, super_rows, no_points)
GEMV(q3_k, super_rows, no_points)

/* Of the table's gemv. */
#define CRUMB_SLOTS [QT_Q2_K] = gemv_q2_k, [QT_Q3_K] = gemv_q3_k
