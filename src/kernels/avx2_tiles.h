/* avx2_tiles.h - the first of 8 floats, for the tiles of AVX2 and AVX-VNNI.
 * Layer: kernels, private to the files compiled for AVX2. */
#ifndef LORY_KERNELS_AVX2_TILES_H
#define LORY_KERNELS_AVX2_TILES_H

#include "kernels/avx2_vec.h"

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

#endif
