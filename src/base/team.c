/* team.c - see team.h. */
#include "base/team.h"
#include "base/cpu.h"
#include "base/err.h"
#include "base/mem.h"
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Of <linux/futex.h>, which not every C library finds. */
enum { FUTEX_WAIT_PRIVATE = 128, FUTEX_WAKE_PRIVATE = 129 };

/* Blocks every signal that is not the doing of a thread's own instruction (and a profiler's). */
static void block_signals(sigset_t *saved)
{
    static const int own[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS, SIGPROF };
    sigset_t all;
    sigfillset(&all);
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) sigdelset(&all, own[i]);
    pthread_sigmask(SIG_SETMASK, &all, saved);
}

static bool size_is_good(int n_threads, lory_err *err)
{
    if (n_threads >= 1 && n_threads <= TEAM_MAX) return true;
    return err_set(err, LORY_E_ARGUMENT, "threads: %d (expected 1 to %d)", n_threads, TEAM_MAX);
}

enum {
    USED_BITS = 11,  /* of start's turn: how many threads the run uses; 0 = the workers leave */
    LINE = 64,       /* bytes: what one thread writes and another polls has lines of its own */
    POLL_NS = 200000,     /* the longest a wait polls before it sleeps, on a machine with room; */
    CROWDED_SHARE = 4,    /* the part of it on a crowded one, */
    MIN_SHARE = 128,      /* and there when enough was in vain: */
    VAIN_SHARE = 16,      /* polling in vain may take this part of a core's time, */
    VAIN_BURST_NS = 16 * 1000000, /* and all of that of so long at once */
    LOST_NS = 8 * 1000000,        /* how long a lost core makes the machine a crowded one, */
    MOST_LOST_NS = 64 * 1000000,  /* and any number of them */
};

/* Opens again and again, each time with another turn; a thread waits for one that is not the one
 * that it has seen. The kernel is asked directly (futex(2)): a condition variable of glibc before
 * 2.41 may lose a wake-up (sourceware bug 25847), and then a team waits for ever. */
typedef struct {
    _Alignas(LINE) atomic_uint_least64_t turn;
    atomic_int n_asleep;
} gate;

typedef struct {
    team *team;
    int ith;
    pthread_t thread;
} worker;

struct team {
    int n_threads;   /* with the caller */
    int n_used;      /* that the next run uses */
    atomic_int n_now; /* that the run at hand has */
    int n_started;   /* workers that have a thread */
    int max_polls;   /* polls in POLL_NS */
    atomic_int_least64_t n_lost;  /* cores lost to others, when a wait last looked */
    atomic_int_least64_t crowded_until; /* ns */
    atomic_int_least64_t paid_at; /* until then polling in vain has used the time for it up, ns */
    worker *workers; /* [n_threads - 1] */
    team_fn fn;      /* written before `start` opens, like arg */
    void *arg;
    gate start;      /* its turn: the number of the run, then USED_BITS of threads */
    gate done, barrier;
    gate more;       /* opens when more threads come into use; the unused sleep before it */
    atomic_uint_least64_t last_run; /* start's turn then */
    _Alignas(LINE) atomic_int n_busy;    /* workers that have not returned from fn */
    _Alignas(LINE) atomic_int n_arrived; /* threads at the barrier */
    _Alignas(LINE) atomic_int n_polls;   /* polls before a wait sleeps, now; seldom written */
};

/* ---- waiting ------------------------------------------------------------------------------- */

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb"); /* yield returns at once on most cores */
#endif
}

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* How many polls take POLL_NS: one takes 5 to 50 ns, by processor. The least of some short runs,
 * since any may be interrupted. */
static int count_polls(void)
{
    enum { N_RUNS = 5, N_POLLS = 200 };
    atomic_uint_least64_t turn = 0;
    int64_t least = INT64_MAX;
    for (int run = 0; run < N_RUNS; run++) {
        int64_t start = now_ns();
        for (int i = 0; i < N_POLLS && atomic_load(&turn) == 0; i++) relax();
        int64_t took = now_ns() - start;
        if (took < least) least = took;
    }
    return (int)(POLL_NS * (int64_t)N_POLLS / (least > N_POLLS ? least : N_POLLS));
}

/* The lower half of a turn, which is what the kernel compares. */
static uint32_t *word_of(gate *g)
{
    uint32_t *half = (uint32_t *)(void *)&g->turn;
    return half + (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__);
}

/* The opener raises turn, then looks for sleepers; a sleeper counts itself, then looks at turn. In
 * the one order of these (all are seq_cst) at least one sees the other. */
static void gate_open(gate *g, uint64_t turn)
{
    atomic_store(&g->turn, turn);
    if (atomic_load(&g->n_asleep) > 0)
        syscall(SYS_futex, word_of(g), FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

static bool gate_poll(gate *g, uint64_t seen, int n_polls)
{
    for (int i = 0; i < n_polls; i++) {
        if (atomic_load_explicit(&g->turn, memory_order_acquire) != seen) return true;
        relax();
    }
    return false;
}

static void gate_sleep(gate *g, uint64_t seen)
{
    atomic_fetch_add(&g->n_asleep, 1);
    while (atomic_load(&g->turn) == seen) /* else the kernel returns at once */
        syscall(SYS_futex, word_of(g), FUTEX_WAIT_PRIVATE, (uint32_t)seen, NULL, NULL, 0);
    atomic_fetch_sub(&g->n_asleep, 1);
}

/* Polls that a wait may make now. */
static int polls_now(team *t)
{
    int n = atomic_load_explicit(&t->n_polls, memory_order_relaxed);
    if (n == t->max_polls) return n;
    int64_t now = now_ns();
    if (now < atomic_load_explicit(&t->paid_at, memory_order_relaxed)) return n;
    bool is_over = now >= atomic_load_explicit(&t->crowded_until, memory_order_relaxed);
    n = is_over ? t->max_polls : t->max_polls / CROWDED_SHARE;
    atomic_store_explicit(&t->n_polls, n, memory_order_relaxed);
    return n;
}

/* Whether this process has lost cores lately: one makes the machine a crowded one for a while, many
 * for a longer one. */
static bool is_crowded(team *t, int64_t now)
{
    int64_t n_lost = cpu_preemptions();
    int64_t n_new = n_lost - atomic_exchange_explicit(&t->n_lost, n_lost, memory_order_relaxed);
    int64_t until = atomic_load_explicit(&t->crowded_until, memory_order_relaxed);
    if (until < now) until = now;
    if (n_new > 0) until += (n_new < MOST_LOST_NS / LOST_NS ? n_new * LOST_NS : MOST_LOST_NS);
    if (until > now + MOST_LOST_NS) until = now + MOST_LOST_NS;
    atomic_store_explicit(&t->crowded_until, until, memory_order_relaxed);
    return until > now;
}

/* A wait made n polls, all that it might, in vain. Of threads that do so at once some may not
 * count. */
static void charge_polls(team *t, int n)
{
    int64_t now = now_ns(), paid = atomic_load_explicit(&t->paid_at, memory_order_relaxed);
    int left = is_crowded(t, now) ? t->max_polls / CROWDED_SHARE : t->max_polls;
    if (paid < now - VAIN_BURST_NS) paid = now - VAIN_BURST_NS;
    paid += VAIN_SHARE * (int64_t)POLL_NS * n / t->max_polls;
    atomic_store_explicit(&t->paid_at, paid, memory_order_relaxed);
    if (paid > now) left = t->max_polls / MIN_SHARE;
    atomic_store_explicit(&t->n_polls, left, memory_order_relaxed);
}

/* Polls, then sleeps. Where the others have no core to run on, polling only keeps them from one
 * (two threads of the team may sit on the same), so the time that the team may poll in vain is
 * bounded: when it is used up, waits sleep almost at once until more of it has come. Nothing else
 * ends that: sleeping makes the others' waits long too, so a team that grew patient again only with
 * waits that succeed would not on an idle machine either, once it had stumbled. How long the caller
 * leaves the team without work says nothing. */
static void wait_for(team *t, gate *g, uint64_t seen)
{
    int n = polls_now(t);
    if (gate_poll(g, seen, n)) return;
    gate_sleep(g, seen);
    if (n > t->max_polls / MIN_SHARE && g != &t->start) charge_polls(t, n);
}

/* ---- the workers --------------------------------------------------------------------------- */

/* A run that uses this thread cannot end without it, so the turn stays; one that does not may be
 * over when the thread looks. `more` is looked at first: once it has opened, last_run is a turn
 * before any run that uses the thread again. */
static void *work(void *arg)
{
    worker *w = arg;
    team *t = w->team;
    uint64_t seen = 0, more = 0;
    for (;;) {
        wait_for(t, &t->start, seen);
        seen = atomic_load(&t->start.turn);
        int n_used = (int)(seen & ((1u << USED_BITS) - 1));
        if (n_used == 0) return NULL;
        if (w->ith < n_used) {
            t->fn(t->arg, w->ith, n_used);
            if (atomic_fetch_sub(&t->n_busy, 1) == 1)
                gate_open(&t->done, atomic_load(&t->done.turn) + 1);
            continue;
        }
        gate_sleep(&t->more, more);
        more = atomic_load(&t->more.turn);
        seen = atomic_load(&t->last_run);
    }
}

/* Opens `start` for n threads. */
static void start_run(team *t, int n)
{
    uint64_t run = atomic_load(&t->start.turn) >> USED_BITS;
    gate_open(&t->start, (run + 1) << USED_BITS | (uint64_t)n);
}

#ifdef LORY_OPENMP

#include <omp.h>

/* The workers are the threads of one region, which lasts as long as the team. With a region for
 * each run they would wait at the runtime's barriers, which poll for milliseconds: on a machine
 * with a load of 16, prompts of 128 tokens took twice as long. */
static void *hold_region(void *arg)
{
    team *t = arg;
#pragma omp parallel num_threads(t->n_threads - 1)
    {
        worker w = { .team = t, .ith = omp_get_thread_num() + 1 };
#pragma omp master
        {
            t->n_started = omp_get_num_threads(); /* the runtime may have a limit */
            gate_open(&t->done, 1);
        }
        work(&w);
    }
    return NULL;
}

static int start_threads(team *t)
{
    int failure = pthread_create(&t->workers[0].thread, NULL, hold_region, t);
    if (failure != 0) return failure;
    gate_sleep(&t->done, 0);
    t->n_threads = t->n_used = t->n_started + 1;
    return 0;
}

static void join_threads(team *t)
{
    if (t->n_started > 0) pthread_join(t->workers[0].thread, NULL);
}

#else

static int start_threads(team *t)
{
    int failure = 0;
    while (t->n_started < t->n_threads - 1 && failure == 0) {
        worker *w = &t->workers[t->n_started];
        *w = (worker){ .team = t, .ith = t->n_started + 1 };
        failure = pthread_create(&w->thread, NULL, work, w);
        if (failure == 0) t->n_started++;
    }
    return failure;
}

static void join_threads(team *t)
{
    for (int i = 0; i < t->n_started; i++) pthread_join(t->workers[i].thread, NULL);
}

#endif

static bool start_workers(team *t, lory_err *err)
{
    sigset_t saved;
    block_signals(&saved);
    int failure = start_threads(t);
    pthread_sigmask(SIG_SETMASK, &saved, NULL);
    if (failure == 0) return true;
    return err_set(err, LORY_E_MEMORY, "threads: cannot start thread %d of %d: %s",
                   t->n_started + 2, t->n_threads, strerror(failure));
}

/* ---- the team ------------------------------------------------------------------------------- */

team *team_new(int n_threads, lory_err *err)
{
    if (!size_is_good(n_threads, err)) return NULL;
    team *t = mem_new(1, sizeof *t);
    if (!t) {
        err_set(err, LORY_E_MEMORY, "threads: out of memory");
        return NULL;
    }
    t->n_threads = t->n_used = n_threads;
    if (n_threads == 1) return t;
    t->max_polls = count_polls();
    atomic_init(&t->n_polls, t->max_polls);
    atomic_init(&t->n_lost, cpu_preemptions());
    t->workers = mem_new((size_t)n_threads - 1, sizeof(worker));
    if (!t->workers)
        err_set(err, LORY_E_MEMORY, "threads: out of memory");
    else if (start_workers(t, err))
        return t;
    team_free(t);
    return NULL;
}

void team_free(team *t)
{
    if (!t) return;
    team_use(t, t->n_threads);
    start_run(t, 0);
    join_threads(t);
    mem_free(t->workers);
    mem_free(t);
}

/* Who wakes late must not take the turn before for a new one: last_run is set first. */
void team_use(team *t, int n)
{
    bool is_more = n > t->n_used;
    t->n_used = n;
    if (!is_more) return;
    atomic_store(&t->last_run, atomic_load(&t->start.turn));
    gate_open(&t->more, atomic_load(&t->more.turn) + 1);
}

void team_run(team *t, team_fn fn, void *arg)
{
    atomic_store_explicit(&t->n_now, t->n_used, memory_order_relaxed);
    if (t->n_used == 1) {
        fn(arg, 0, 1);
        return;
    }
    uint64_t seen = atomic_load(&t->done.turn);
    t->fn = fn;
    t->arg = arg;
    atomic_store(&t->n_busy, t->n_used - 1);
    start_run(t, t->n_used);
    fn(arg, 0, t->n_used);
    wait_for(t, &t->done, seen);
}

/* With a line for each thread's arrival, which all poll, in place of the counter, three threads
 * meet in 0.17 us instead of 0.24: 1 % of a token of the smallest models, not worth its care. */
void team_barrier(team *t)
{
    int n = atomic_load_explicit(&t->n_now, memory_order_relaxed);
    if (n == 1) return;
    uint64_t seen = atomic_load(&t->barrier.turn); /* cannot move on before this thread arrives */
    if (atomic_fetch_add(&t->n_arrived, 1) + 1 < n) {
        wait_for(t, &t->barrier, seen);
        return;
    }
    atomic_store(&t->n_arrived, 0); /* before the gate: the next barrier counts from 0 */
    gate_open(&t->barrier, seen + 1);
}

int team_size(const team *t)
{
    return t->n_threads;
}
