/* vec_baseline.c - the arithmetic of training for any CPU, and the choice between the sets. */
#define VEC_WIDTH 4
#define TILE_ROWS 4
#define VEC_TABLE vec_baseline
#define VEC_NAME  "generic"
#include "vec_body.h"

#include "base/cpu.h"
#include <stdlib.h>

const vec_table *vec_select(void)
{
#if defined(__x86_64__)
    const char *limit = getenv("LORY_ISA");
    bool none = limit && strcmp(limit, "generic") == 0,
         no_512 = limit && strcmp(limit, "avx2") == 0;
    unsigned has = none ? 0 : cpu_features();
    const unsigned all_512 = CPU_AVX512F | CPU_AVX512BW | CPU_AVX512VL | CPU_AVX512DQ;
    if (!no_512 && (has & all_512) == all_512) return &vec_avx512;
    if ((has & CPU_AVX2) && (has & CPU_FMA)) return &vec_avx2;
#endif
    return &vec_baseline;
}
