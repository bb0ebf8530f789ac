/* avxvnni_quant.c - AVX-VNNI: the integer matmul. The tiles: dot_tiles.h, a panel x 6 tokens.
 * Layer: kernels. */
#include "kernels/avxvnni_vec.h"

enum { TILE_1 = 4, TILE_2 = 4, TILE_NARROW = 8, PEAK_SUMS = 12, ALTERNATE = 0, CONVERTS = 0 };

typedef unsigned row_bits;

INLINE row_bits first_rows(int n)
{
    return (1u << n) - 1;
}
INLINE __m256i below(int n)
{
    return _mm256_cmpgt_epi32(i_set32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
INLINE floats f_load_n(const float *p, int n)
{
    return n == ROWS ? _mm256_loadu_ps(p) : _mm256_maskload_ps(p, below(n));
}
INLINE void f_store_n(float *p, int n, floats v)
{
    if (n == ROWS)
        _mm256_storeu_ps(p, v);
    else
        _mm256_maskstore_ps(p, below(n), v);
}
INLINE row_bits doubtful(floats v)
{
    const floats w = f_fma(v, f_set(0), v); /* a NaN of an infinity */
    return (row_bits)_mm256_movemask_ps(_mm256_cmp_ps(w, f_set(0), _CMP_EQ_UQ));
}

#include "kernels/dot_tiles.h"

const lory_kernels AVXVNNI(quant) = { TILE_SLOTS };
