/* avx512_pack.c - AVX-512: 16 rows at once to panel form. The formats: pack_rows.h.
 * Layer: kernels. */
#include "kernels/avx512_vec.h"
#include "kernels/pack_rows.h"
#include "kernels/pack_slots.h"

const lory_kernels kernels_avx512_pack = { .pack = PACK_SLOTS };
