/* vec_avx2.c - the arithmetic of training for AVX2. */
#define VEC_WIDTH 8
#define VEC_TABLE vec_avx2
#include "vec_body.h"
