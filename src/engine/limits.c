/* limits.c - see limits.h. All threads at once. The best of several rounds is what the machine can
 * do, their mean what it does now, with all that others take from it. */
#include "engine/limits.h"
#include "base/cpu.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/team.h"
#include "base/timer.h"
#include "kernels/kernel.h"
#include <stdatomic.h>
#include <string.h>

enum {
    READ_BYTES = 256 << 20, /* several times any last-level cache's share of this machine */
    PIECE_BYTES = 1 << 20,  /* taken at once: not every core reads equally fast */
    LINE = 64,
    ROUNDS = 5,
    ROUNDS_NOW = 3,
    PEAK_ROUNDS = 1 << 15, /* of the register loops: a fraction of a millisecond */
    PEAK_TRIES = 60,
    PEAK_ROUNDS_NOW = 20 * PEAK_ROUNDS,
};

/* How a thread goes through a piece: so many streams side by side, what lies `ahead` bytes
 * further on in each asked for meanwhile (0: nothing). Which is fastest depends on the machine's
 * prefetchers and on what else runs, and the limit is the fastest. */
typedef struct {
    int n_stream, ahead;
} read_shape;

static const read_shape shapes[] = {
    { 1, 0 }, { 1, 4 << 10 }, { 1, 16 << 10 }, { 1, 72 << 10 }, { 4, 0 }, { 4, 4 << 10 },
};
enum { N_SHAPE = sizeof shapes / sizeof *shapes };

struct lory_meter {
    team *team;
    unsigned char *bytes; /* [READ_BYTES] */
    const lory_kernels *kn;
    lory_machine_limits best;
    read_shape shape;   /* the fastest, once it is known */
    atomic_int i_piece; /* the next one */
    double (*peak)(int64_t n_rounds);
    int n_rounds, n_tries; /* of that */
    double rate[TEAM_MAX]; /* multiply-adds a second of each thread at its best */
    uint64_t sink[TEAM_MAX];
};

static void add_line(const unsigned char *at, uint64_t sum[8])
{
    uint64_t word[8];
    memcpy(word, at, sizeof word);
    for (int l = 0; l < 8; l++) sum[l] += word[l];
}

/* Four lines a turn; the compiler turns the sums into the widest loads of the baseline, which
 * memory does not wait for. */
static void read_piece(const unsigned char *piece, read_shape s, uint64_t sum[8])
{
    size_t n = PIECE_BYTES / (size_t)s.n_stream;
    for (size_t i = 0; i < n; i += 4 * LINE) {
        for (int k = 0; k < s.n_stream; k++) {
            const unsigned char *at = piece + (size_t)k * n + i;
            for (int l = 0; s.ahead && l < 4; l++)
                __builtin_prefetch(at + s.ahead + l * LINE, 0, 2); /* never faults */
            for (int l = 0; l < 4; l++) add_line(at + l * LINE, sum);
        }
    }
}

static void read_pieces(void *arg, int ith, int nth)
{
    lory_meter *m = arg;
    uint64_t sum[8] = { 0 };
    (void)nth;
    for (int i; (i = atomic_fetch_add(&m->i_piece, 1)) < READ_BYTES / PIECE_BYTES;)
        read_piece(m->bytes + (size_t)i * PIECE_BYTES, m->shape, sum);
    for (int l = 0; l < 8; l++) m->sink[ith] += sum[l];
}

static double read_seconds(lory_meter *m)
{
    double begin = timer_now();
    atomic_store(&m->i_piece, 0);
    team_run(m->team, read_pieces, m);
    return timer_now() - begin;
}

static void multiply(void *arg, int ith, int nth)
{
    lory_meter *m = arg;
    (void)nth;
    for (int i = 0; i < m->n_tries; i++) {
        double begin = timer_now(), work = m->peak(m->n_rounds);
        double rate = work / (timer_now() - begin);
        if (rate > m->rate[ith]) m->rate[ith] = rate;
    }
}

/* Each thread's best try. */
static double multiply_rate(lory_meter *m, double (*peak)(int64_t), int n_rounds, int n_tries)
{
    double total = 0.0;
    m->peak = peak;
    m->n_rounds = n_rounds;
    m->n_tries = n_tries;
    memset(m->rate, 0, sizeof m->rate);
    team_run(m->team, multiply, m);
    for (int i = 0; i < team_size(m->team); i++) total += m->rate[i];
    return total;
}

static void find_best(lory_meter *m)
{
    read_shape fastest = shapes[0];
    double least = 1e30;
    for (int i = 0; i < N_SHAPE * ROUNDS; i++) {
        m->shape = shapes[i / ROUNDS];
        double seconds = read_seconds(m);
        if (seconds >= least) continue;
        least = seconds;
        fastest = m->shape;
    }
    m->shape = fastest;
    m->best.read_bytes_per_s = READ_BYTES / least;
    m->best.i8_macs_per_s = multiply_rate(m, m->kn->peak_i8, PEAK_ROUNDS, PEAK_TRIES);
    m->best.f32_macs_per_s = multiply_rate(m, m->kn->peak_f32, PEAK_ROUNDS, PEAK_TRIES);
}

lory_meter *limits_open(int n_threads, lory_err *err)
{
    const char *isa = kernels_isa(err);
    if (!isa) return NULL;
    if (n_threads == 0) n_threads = cpu_usable_cores();
    lory_meter *m = mem_new(1, sizeof *m);
    if (m) m->bytes = mem_new(READ_BYTES, 1);
    if (!m || !m->bytes)
        err_set(err, LORY_E_MEMORY, "no memory to measure the machine's limits");
    else if ((m->team = team_new(n_threads, err))) {
        m->kn = kernels();
        m->best.isa = isa;
        m->best.n_threads = team_size(m->team);
        memset(m->bytes, 1, READ_BYTES);
        find_best(m);
        return m;
    }
    limits_close(m);
    return NULL;
}

void limits_close(lory_meter *m)
{
    if (!m) return;
    team_free(m->team);
    mem_free(m->bytes);
    mem_free(m);
}

lory_machine_limits limits_best(const lory_meter *m)
{
    return m->best;
}

lory_machine_limits limits_now(lory_meter *m)
{
    lory_machine_limits now = m->best;
    double seconds = 0.0;
    for (int i = 0; i < ROUNDS_NOW; i++) seconds += read_seconds(m);
    now.read_bytes_per_s = READ_BYTES / (seconds / ROUNDS_NOW);
    now.i8_macs_per_s = multiply_rate(m, m->kn->peak_i8, PEAK_ROUNDS_NOW, 1);
    now.f32_macs_per_s = multiply_rate(m, m->kn->peak_f32, PEAK_ROUNDS_NOW, 1);
    return now;
}
