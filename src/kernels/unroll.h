/* unroll.h - the two words that kernels written once and inlined many times need.
 * Layer: kernels. */
#ifndef LORY_KERNELS_UNROLL_H
#define LORY_KERNELS_UNROLL_H

/* A function whose constant parameters become constants of the code. */
#define INLINE static inline __attribute__((always_inline))
/* The loop that follows has a constant count and its arrays live in registers; builds that look
 * for bugs define it as nothing. */
#if !defined(UNROLL) && defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#elif !defined(UNROLL)
#define UNROLL _Pragma("GCC unroll 16")
#endif

#endif
