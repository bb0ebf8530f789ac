/* timer.c - see timer.h. */
#include "base/timer.h"
#include <time.h>

static double seconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

double timer_now(void)
{
    return seconds(CLOCK_MONOTONIC);
}

double timer_thread(void)
{
    return seconds(CLOCK_THREAD_CPUTIME_ID);
}
