/* neon_pack.c - NEON: 4 rows at once to panel form. The formats: pack_rows.h.
 * Layer: kernels. */
#include "kernels/neon_vec.h"

#include "kernels/pack_rows.h"
#include "kernels/pack_slots.h"

const lory_kernels kernels_neon_pack = { .pack = PACK_SLOTS };
