/* avxvnni_quant.c - AVX-VNNI: the integer matmul. The tiles: dot_tiles.h, a panel x 4 tokens.
 * Layer: kernels. */
#include "kernels/avxvnni_vec.h"

enum { N_FORM = 4, TILE_MOST = 8, PEAK_SUMS = 12, ALTERNATE = 0, CONVERTS = 0 };
#define FORMS(F) F(0, 1, 0, 0, 8, 4) F(1, 1, 1, 0, 8, 4) F(2, 2, 0, 0, 8, 4) F(3, 2, 1, 0, 8, 4)

#include "kernels/avx2_act.h"
#include "kernels/avx2_tiles.h"

#include "kernels/dot_tiles.h"

static void quant_act(const act_args *a)
{
    quantise(a, false);
}

const lory_kernels AVXVNNI(quant) = { TILE_SLOTS, .quant_act = quant_act };
