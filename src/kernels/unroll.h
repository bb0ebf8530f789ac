/* unroll.h - the words that kernels written once and inlined many times need.
 * Layer: kernels. */
#ifndef LORY_KERNELS_UNROLL_H
#define LORY_KERNELS_UNROLL_H

/* A function whose constant parameters become constants of the code. */
#define INLINE static inline __attribute__((always_inline))
/* The loop that follows has a constant count and its arrays live in registers; builds that look
 * for bugs define it as nothing, and so does one without optimization, where gcc warns. */
#if !defined(UNROLL) && !defined(__OPTIMIZE__)
#define UNROLL
#elif !defined(UNROLL) && defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#elif !defined(UNROLL)
#define UNROLL _Pragma("GCC unroll 16")
#endif
/* The same of a loop whose count is known only as it runs; clang, which takes it for an error when
 * it can't unroll one, does as it likes. */
#if defined(__clang__)
#define UNROLL_SOME
#else
#define UNROLL_SOME UNROLL
#endif

#endif
