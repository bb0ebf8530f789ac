/* limits.c - see limits.h. Each limit is the best of a few rounds, all threads at once: a limit is
 * what the machine can do, not what it did while something else ran. */
#include "engine/limits.h"
#include "base/cpu.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/team.h"
#include "base/timer.h"
#include "kernels/kernel.h"
#include <string.h>

enum {
    READ_BYTES = 256 << 20, /* several times any last-level cache's share of this machine */
    ROUNDS = 5,
    PEAK_ROUNDS = 1 << 19,  /* of the register loops: a few milliseconds */
};

typedef struct {
    const unsigned char *bytes;
    const lory_kernels *kn;
    double (*peak)(int64_t n_rounds);
    double work[TEAM_MAX]; /* multiply-adds that each thread did */
    uint64_t sink[TEAM_MAX];
} job;

/* Eight sums, which the compiler turns into the widest loads of the baseline; bound by memory. */
static void read_share(void *arg, int ith, int nth)
{
    job *j = arg;
    size_t n = READ_BYTES / (size_t)nth / 64 * 64;
    const unsigned char *at = j->bytes + (size_t)ith * n;
    uint64_t sum[8] = { 0 }, word[8];
    for (size_t i = 0; i < n; i += sizeof word) {
        memcpy(word, at + i, sizeof word);
        for (int l = 0; l < 8; l++) sum[l] += word[l];
    }
    for (int l = 0; l < 8; l++) j->sink[ith] += sum[l];
}

static void multiply_share(void *arg, int ith, int nth)
{
    job *j = arg;
    (void)nth;
    j->work[ith] = j->peak(PEAK_ROUNDS);
}

static double best_seconds(team *t, team_fn fn, job *j)
{
    double best = 1e30;
    for (int i = 0; i < ROUNDS; i++) {
        double begin = timer_now();
        team_run(t, fn, j);
        double seconds = timer_now() - begin;
        if (seconds < best) best = seconds;
    }
    return best;
}

static double best_rate(team *t, job *j, double (*peak)(int64_t))
{
    double total = 0.0;
    j->peak = peak;
    double seconds = best_seconds(t, multiply_share, j);
    for (int i = 0; i < team_size(t); i++) total += j->work[i];
    return total / seconds;
}

bool limits_measure(int n_threads, lory_machine_limits *limits, lory_err *err)
{
    *limits = (lory_machine_limits){ .isa = kernels_isa() };
    limits->n_threads = n_threads > 0 ? n_threads : cpu_usable_cores();
    team *t = team_new(limits->n_threads, err);
    if (!t) return false;
    job *j = mem_new(1, sizeof *j);
    unsigned char *bytes = mem_new(READ_BYTES, 1);
    if (j && bytes) {
        *j = (job){ .bytes = bytes, .kn = kernels() };
        memset(bytes, 1, READ_BYTES);
        limits->read_bytes_per_s = READ_BYTES / best_seconds(t, read_share, j);
        limits->i8_macs_per_s = best_rate(t, j, j->kn->peak_i8);
        limits->f32_macs_per_s = best_rate(t, j, j->kn->peak_f32);
    }
    bool ok = j && bytes;
    mem_free(bytes);
    mem_free(j);
    team_free(t);
    return ok || err_set(err, LORY_E_MEMORY, "no memory to measure the machine's limits");
}
