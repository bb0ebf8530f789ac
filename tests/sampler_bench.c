/* sampler_bench.c - see sampler_bench.h. */
#include "sampler_bench.h"
#include <stdlib.h>

bench *bench_new(int n)
{
    bench *b = calloc(1, sizeof *b);
    b->params = (lory_sampler_params){ .temp = 1.0f,
                                       .top_p = 1.0f,
                                       .typical = 1.0f,
                                       .repeat_penalty = 1.0f,
                                       .dynatemp_exponent = 1.0f };
    b->draw = (sample_draw){ .params = &b->params,
                             .history = b->history,
                             .count = b->count,
                             .z = b->z,
                             .c = { n, b->id, b->logit, b->p, b->key } };
    for (int i = 0; i < n; i++) b->id[i] = i;
    return b;
}
