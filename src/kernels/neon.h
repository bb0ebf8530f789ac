/* neon.h - what the aarch64 kernel files share.
 * Layer: kernels. */
#ifndef LORY_KERNELS_NEON_H
#define LORY_KERNELS_NEON_H

#include "kernels/kernel.h"
#include "kernels/unroll.h"
#include <string.h>

extern const lory_kernels kernels_neon;       /* neon.c */
extern const lory_kernels kernels_neon_pack;  /* neon_pack.c */
extern const lory_kernels kernels_neon_quant; /* neon_quant.c */
extern const lory_kernels kernels_neon_dot;   /* neon_dot.c */
extern const lory_kernels kernels_neon_few;   /* neon_few.c */
extern const lory_kernels kernels_neon_gemv;  /* neon_gemv.c */
extern const lory_kernels kernels_neon_i8mm;  /* neon_i8mm.c */

#endif
