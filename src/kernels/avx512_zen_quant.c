/* avx512_zen_quant.c - the integer matmul on AMD's processors with AVX-512, which convert integers
 * to floats beside their multiplies.
 * Layer: kernels. */
#include "kernels/avx512_vec.h"

enum { CONVERTS = 1 };
#include "kernels/avx512_tiles.h"

const lory_kernels kernels_avx512_zen_quant = { TILE_SLOTS };
