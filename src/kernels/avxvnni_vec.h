/* avxvnni_vec.h - AVX-VNNI: the vectors of AVX2, and vpdpbusd.
 * Layer: kernels, private to the files avxvnni_*.c, which are compiled for AVX2: the instruction
 * is written out, so that no compiler need know it and nothing else can get in.
 *
 * Its VEX encoding is AVX-VNNI's. The EVEX encoding of AVX-512 does the same, and is what the tests
 * and tools run where a processor has AVX-512 alone: the same files once more, with LORY_EVEX,
 * differ from what is shipped in that one word. */
#ifndef LORY_KERNELS_AVXVNNI_VEC_H
#define LORY_KERNELS_AVXVNNI_VEC_H

#if defined(LORY_EVEX)
#define VPDPBUSD      "%{evex%} vpdpbusd"
#define AVXVNNI(part) kernels_avxvnni_##part##_evex
#else
#define VPDPBUSD      "%{vex%} vpdpbusd"
#define AVXVNNI(part) kernels_avxvnni_##part
#endif

#include "kernels/avx2_vec.h"

#endif
