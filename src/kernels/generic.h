/* generic.h - the two tables of portable kernels, and the parts of them that select.c and
 * matmul.c use by name.
 * Layer: kernels. */
#ifndef LORY_KERNELS_GENERIC_H
#define LORY_KERNELS_GENERIC_H

#include "kernels/kernel.h"

extern const lory_kernels kernels_generic;       /* floats: generic.c */
extern const lory_kernels kernels_generic_quant; /* integer matmul, conversions: generic_quant.c */

#endif
