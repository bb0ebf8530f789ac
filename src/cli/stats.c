/* stats.c - time, speeds and entropy for the commands; see cli.h. */
#include "cli/cli.h"
#include <math.h>
#include <time.h>
#include <unistd.h>

double cli_now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

double cli_per_second(uint64_t n, double ms)
{
    return ms > 0 ? (double)n * 1e3 / ms : 0;
}

void cli_put_rounded(json_writer *w, const char *key, double value)
{
    json_member_f64(w, key, round(value * 1e3) / 1e3);
}

uint64_t cli_entropy_seed(void)
{
    uint64_t seed;
    if (getentropy(&seed, sizeof seed) != 0) { /* an old kernel: the clock is all there is */
        struct timespec t;
        clock_gettime(CLOCK_REALTIME, &t);
        seed = (uint64_t)t.tv_sec * 1000000007u ^ (uint64_t)t.tv_nsec << 20 ^ (uint64_t)getpid();
    }
    return seed >> 11;
}
