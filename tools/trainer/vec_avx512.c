/* vec_avx512.c - the arithmetic of training for AVX-512. */
#define VEC_WIDTH 16
#define VEC_TABLE vec_avx512
#include "vec_body.h"
