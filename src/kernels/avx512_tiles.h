/* avx512_tiles.h - the tiles of dot_tiles.h as AVX-512 has them: 32 rows x 6 tokens, 4 with two
 * scales a group (registers).
 * Layer: kernels. Not a header by itself: a file includes it once, after the vectors and CONVERTS.
 */
enum { N_FORM = 4, TILE_MOST = 8, PEAK_SUMS = 16, ALTERNATE = 1 };
#define FORMS(F) F(0, 1, 0, 0, 8, 6) F(1, 1, 1, 0, 8, 6) F(2, 2, 0, 0, 8, 4) F(3, 2, 1, 0, 8, 4)

typedef __mmask16 row_bits;

INLINE row_bits first_rows(int n)
{
    return (row_bits)((1u << n) - 1);
}
INLINE floats f_load_n(const float *p, int n)
{
    return _mm512_maskz_loadu_ps(first_rows(n), p);
}
INLINE void f_store_n(float *p, int n, floats v)
{
    _mm512_mask_storeu_ps(p, first_rows(n), v);
}
INLINE row_bits doubtful(floats v)
{
    enum { QNAN = 1, ZERO = 2, MINUS_ZERO = 4, INF = 8, MINUS_INF = 16, SNAN = 128 };
    return _mm512_fpclass_ps_mask(v, QNAN | ZERO | MINUS_ZERO | INF | MINUS_INF | SNAN);
}

#include "kernels/dot_tiles.h"
