/* x86.h - what the x86 kernel files share.
 * Layer: kernels. */
#ifndef LORY_KERNELS_X86_H
#define LORY_KERNELS_X86_H

#include "kernels/kernel.h"
#include <string.h>

/* Kernels are written once with constant parameters and unrolled into registers. */
#define INLINE static inline __attribute__((always_inline))
#if defined(UNROLL) /* as nothing, by the sanitizer builds: instrumented and unrolled takes minutes */
#elif defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

extern const lory_kernels kernels_avx2;         /* avx2.c */
extern const lory_kernels kernels_avx512;       /* avx512.c */
extern const lory_kernels kernels_avx512_pack;  /* avx512_pack.c */
extern const lory_kernels kernels_avx512_quant; /* avx512_quant.c */

#endif
