/* avxvnni_few.c - AVX-VNNI: a few tokens straight from rows. The shape: few_rows.h.
 * Layer: kernels. */
#include "kernels/avxvnni_vec.h"

#include "kernels/pack_rows.h"

enum { ZERO_8 = 128, RUN_4 = 0, RUN_5 = 0, RUN_6 = 0 };
enum { TWICE_TOK = 0, SUPER_MOST = MATMUL_FEW_TOK };

#include "kernels/few_rows.h"

/* A sum waits 5 clocks for its last product: those of few tokens are added in two parts. */
INLINE void few_steps(const few_type t, const int s, const int m, const int n, const uint8_t *p,
                      const act_group *x, codes *sum)
{
    const int n_step = QT_GROUP / 4 / t.n_sub, n_part = n < 4 ? 2 : 1;
    codes part[2][MATMUL_FEW_TOK];
    (void)m; /* 1 */
    UNROLL
    for (int j = 0; j < n; j++) part[0][j] = sum[j], part[1][j] = i_set32(0);
    UNROLL
    for (int k = s * n_step; k < (s + 1) * n_step; k++) {
        const codes c = i_load(p + 64 * k);
        codes *to = part[k % n_part];
        UNROLL
        for (int j = 0; j < n; j++)
            to[j] = i_add_dot(to[j], c, i_set32(load_i32((const uint8_t *)x[j].q + 4 * k)));
    }
    UNROLL
    for (int j = 0; j < n; j++) sum[j] = n_part == 2 ? i_add32(part[0][j], part[1][j]) : part[0][j];
}

const lory_kernels AVXVNNI(few) = { FEW_SLOTS };
