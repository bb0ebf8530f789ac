/* avx512_few.c - AVX-512 with VNNI: a few tokens straight from rows. The shape: few_rows.h.
 * Layer: kernels. */
#include "kernels/avx512_vec.h"

#include "kernels/pack_rows.h"

enum { ZERO_8 = 128, RUN_4 = 0, RUN_5 = 0, RUN_6 = 0 };
enum { TWICE_TOK = 0, SUPER_MOST = MATMUL_FEW_TOK };

#include "kernels/few_rows.h"

/* Four codes of 16 rows times four activations of one token, which compilers would broadcast by an
 * instruction of its own. */
INLINE codes add_dot(codes sum, codes c, const int8_t *x)
{
    const int32_t *four = (const void *)x;
    __asm__("vpdpbusd %2%{1to16%}, %1, %0" : "+v"(sum) : "v"(c), "m"(*four));
    return sum;
}

INLINE void few_steps(const few_type t, const int s, const int m, const int n, const uint8_t *p,
                      const act_group *x, codes *sum)
{
    const int n_step = QT_GROUP / 4 / t.n_sub;
    (void)m; /* 1 */
    UNROLL
    for (int k = s * n_step; k < (s + 1) * n_step; k++) {
        const codes c = _mm512_load_si512(p + 64 * k);
        UNROLL
        for (int j = 0; j < n; j++) sum[j] = add_dot(sum[j], c, x[j].q + 4 * k);
    }
}

const lory_kernels kernels_avx512_few = { FEW_SLOTS };
