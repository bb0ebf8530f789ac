/* avx2_few.c - AVX2: a few tokens straight from rows. The shape: few_rows.h.
 * Layer: kernels. Codes and runs of steps are those of avx2_quant.c: see there. */
#include "kernels/avx2_vec.h"

#include "kernels/pack_rows.h"

enum { ZERO_8 = 0, RUN_4 = 8, RUN_5 = 4, RUN_6 = 2 }; /* of 8 bits: signed, run 0 */
enum { TWICE_TOK = 0, SUPER_MOST = MATMUL_FEW_TOK };

#include "kernels/few_rows.h"

INLINE void few_steps(const few_type t, const int s, const int m, const int n, const uint8_t *p,
                      const act_group *x, codes *sum)
{
    const int n_step = QT_GROUP / 4 / t.n_sub, run = t.run ? t.run : 1;
    codes part[MATMUL_FEW_TOK];
    (void)m; /* 1 */
    UNROLL
    for (int k = s * n_step; k < (s + 1) * n_step; k++) {
        const codes c = load32(p + 64 * k), size = t.run ? c : _mm256_abs_epi8(c);
        UNROLL
        for (int j = 0; j < n; j++) {
            codes four = i_set32(load_i32((const uint8_t *)x[j].q + 4 * k));
            if (!t.run) four = _mm256_sign_epi8(four, c);
            const codes y = _mm256_maddubs_epi16(size, four);
            part[j] = k % run ? _mm256_add_epi16(part[j], y) : y;
            if ((k + 1) % run == 0) sum[j] = i_add32(sum[j], add_pairs(part[j]));
        }
    }
}

const lory_kernels kernels_avx2_few = { FEW_SLOTS };
