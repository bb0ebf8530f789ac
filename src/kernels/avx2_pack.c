/* avx2_pack.c - AVX2: 8 rows at once to panel form. The formats: pack_rows.h.
 * Layer: kernels. */
#include "kernels/avx2_vec.h"
#include "kernels/pack_rows.h"
#include "kernels/pack_slots.h"

const lory_kernels kernels_avx2_pack = { .pack = PACK_SLOTS };
