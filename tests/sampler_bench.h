/* sampler_bench.h - a draw laid out for tests of single stages. */
#ifndef LORY_TESTS_SAMPLER_BENCH_H
#define LORY_TESTS_SAMPLER_BENCH_H

#include "sample/stage.h"

enum { BENCH_MAX_N = 10000 };

/* One draw's view of n logits, with defaults that switch every stage off. */
typedef struct {
    lory_sampler_params params;
    sample_draw draw;
    lory_token id[BENCH_MAX_N], history[256];
    float logit[BENCH_MAX_N];
    double p[BENCH_MAX_N];
    uint32_t key[BENCH_MAX_N], count[BENCH_MAX_N], z[256];
} bench;

/* All logits 0; free() it. */
bench *bench_new(int n);

#endif
