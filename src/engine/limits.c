/* limits.c - see limits.h. Each limit is the best of several rounds, all threads at once: a limit
 * is what the machine can do, not what it did while something else ran. */
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
    LINE = 64,
    ROUNDS = 5,
    PEAK_ROUNDS = 1 << 15,  /* of the register loops: a fraction of a millisecond */
    PEAK_TRIES = 60,
};

/* How a thread goes through its share: so many streams side by side, what lies `ahead` bytes
 * further on in each asked for meanwhile (0: nothing). Which is fastest depends on the machine's
 * prefetchers and on what else runs, and the limit is the fastest. */
typedef struct {
    int n_stream, ahead;
} read_shape;

static const read_shape shapes[] = {
    { 1, 0 }, { 1, 4 << 10 }, { 1, 16 << 10 }, { 1, 72 << 10 }, { 4, 0 }, { 4, 4 << 10 },
};
enum { N_SHAPE = sizeof shapes / sizeof *shapes };

typedef struct {
    const unsigned char *bytes;
    const lory_kernels *kn;
    double (*peak)(int64_t n_rounds);
    read_shape shape;
    double rate[TEAM_MAX]; /* multiply-adds a second of each thread at its best */
    uint64_t sink[TEAM_MAX];
} job;

static void add_line(const unsigned char *at, uint64_t sum[8])
{
    uint64_t word[8];
    memcpy(word, at, sizeof word);
    for (int l = 0; l < 8; l++) sum[l] += word[l];
}

/* Four lines a turn; the compiler turns the sums into the widest loads of the baseline, which
 * memory does not wait for. */
static void read_share(void *arg, int ith, int nth)
{
    job *j = arg;
    const read_shape s = j->shape;
    size_t n = READ_BYTES / (size_t)nth / (size_t)s.n_stream / (4 * LINE) * (4 * LINE);
    const unsigned char *first = j->bytes + (size_t)ith * n * (size_t)s.n_stream;
    uint64_t sum[8] = { 0 };
    for (size_t i = 0; i < n; i += 4 * LINE) {
        for (int k = 0; k < s.n_stream; k++) {
            const unsigned char *at = first + (size_t)k * n + i;
            for (int l = 0; s.ahead && l < 4; l++)
                __builtin_prefetch(at + s.ahead + l * LINE, 0, 2); /* never faults */
            for (int l = 0; l < 4; l++) add_line(at + l * LINE, sum);
        }
    }
    for (int l = 0; l < 8; l++) j->sink[ith] += sum[l];
}

/* Each thread's best of short rounds: what others take from a core is not its limit. */
static void multiply_share(void *arg, int ith, int nth)
{
    job *j = arg;
    (void)nth;
    for (int i = 0; i < PEAK_TRIES; i++) {
        double begin = timer_now(), work = j->peak(PEAK_ROUNDS);
        double rate = work / (timer_now() - begin);
        if (rate > j->rate[ith]) j->rate[ith] = rate;
    }
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
    memset(j->rate, 0, sizeof j->rate);
    team_run(t, multiply_share, j);
    for (int i = 0; i < team_size(t); i++) total += j->rate[i];
    return total;
}

static double best_read_rate(team *t, job *j)
{
    double best = 1e30;
    for (int i = 0; i < N_SHAPE; i++) {
        j->shape = shapes[i];
        double seconds = best_seconds(t, read_share, j);
        if (seconds < best) best = seconds;
    }
    return READ_BYTES / best;
}

bool limits_measure(int n_threads, lory_machine_limits *limits, lory_err *err)
{
    *limits = (lory_machine_limits){ .isa = kernels_isa(err) };
    limits->n_threads = n_threads > 0 ? n_threads : cpu_usable_cores();
    team *t = limits->isa ? team_new(limits->n_threads, err) : NULL;
    if (!t) return false;
    job *j = mem_new(1, sizeof *j);
    unsigned char *bytes = mem_new(READ_BYTES, 1);
    if (j && bytes) {
        *j = (job){ .bytes = bytes, .kn = kernels() };
        memset(bytes, 1, READ_BYTES);
        limits->read_bytes_per_s = best_read_rate(t, j);
        limits->i8_macs_per_s = best_rate(t, j, j->kn->peak_i8);
        limits->f32_macs_per_s = best_rate(t, j, j->kn->peak_f32);
    }
    bool ok = j && bytes;
    mem_free(bytes);
    mem_free(j);
    team_free(t);
    return ok || err_set(err, LORY_E_MEMORY, "no memory to measure the machine's limits");
}
