/* vec_avx2.c - the arithmetic of training for AVX2. */
#define VEC_WIDTH 8
#define TILE_ROWS 6
#define EDGE_ROWS 2
#define VEC_TABLE vec_avx2
#define VEC_NAME  "avx2"
#include "vec_body.h"
