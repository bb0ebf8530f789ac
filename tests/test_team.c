/* test_team.c - every thread once, barriers that part, idle threads that cost nothing. */
#include "base/mem.h"
#include "base/team.h"
#include "test.h"
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { N_MAX = 8 };

typedef struct {
    team *t;
    int n_rounds, n_used;
    int sums[N_MAX][16]; /* a line each */
    atomic_int n_bad;
} shared;

static void count_self(void *arg, int ith, int nth)
{
    shared *s = arg;
    if (nth != (s->n_used ? s->n_used : team_size(s->t)) || ith < 0 || ith >= nth)
        atomic_fetch_add(&s->n_bad, 1);
    else
        s->sums[ith][0]++;
}

TEST(team_runs_every_thread_once_a_run)
{
    enum { N_RUNS = 300 };
    for (int n = 1; n <= N_MAX; n++) {
        shared s = { .t = team_new(n, NULL) };
        REQUIRE(s.t && team_size(s.t) == n);
        for (int i = 0; i < N_RUNS; i++) team_run(s.t, count_self, &s);
        CHECK(s.n_bad == 0);
        for (int i = 0; i < N_MAX; i++) CHECK(s.sums[i][0] == (i < n ? N_RUNS : 0));
        team_free(s.t);
    }
    CHECK(mem_live_bytes() == 0);
}

TEST(team_uses_as_many_threads_as_it_is_told)
{
    enum { N_RUNS = 2000 };
    shared s = { .t = team_new(N_MAX, NULL) };
    int n_runs[N_MAX] = { 0 };
    REQUIRE(s.t);
    uint32_t x = 1;
    for (int i = 0; i < N_RUNS; i++) {
        x = x * 1664525u + 1013904223u;
        int n = 1 + (int)(x >> 24) % N_MAX;
        if (x >> 23 & 1) team_use(s.t, N_MAX); /* and then otherwise, before anyone could look */
        team_use(s.t, n);
        s.n_used = n;
        team_run(s.t, count_self, &s);
        for (int j = 0; j < n; j++) n_runs[j]++;
    }
    CHECK(s.n_bad == 0);
    for (int i = 0; i < N_MAX; i++) CHECK(s.sums[i][0] == n_runs[i], "thread %d", i);
    team_use(s.t, 2); /* most are asleep when it ends */
    s.n_used = 2;
    team_run(s.t, count_self, &s);
    team_free(s.t);
    CHECK(mem_live_bytes() == 0);
}

static void caller_is_first(void *arg, int ith, int nth)
{
    pthread_t *caller = arg;
    (void)nth;
    if (pthread_equal(*caller, pthread_self()) != (ith == 0)) abort();
}

TEST(team_caller_is_thread_0)
{
    pthread_t self = pthread_self();
    team *t = team_new(4, NULL);
    REQUIRE(t);
    team_run(t, caller_is_first, &self);
    team_free(t);
}

/* Each writes its place, and after the barrier must find the round's number in all others. The
 * places are plain memory: a barrier that does not order them is a race. */
static void write_then_read(void *arg, int ith, int nth)
{
    shared *s = arg;
    for (int round = 1; round <= s->n_rounds; round++) {
        s->sums[ith][0] = round;
        team_barrier(s->t);
        for (int i = 0; i < nth; i++)
            if (s->sums[i][0] != round) atomic_fetch_add(&s->n_bad, 1);
        team_barrier(s->t);
    }
}

static void check_barrier(int n_threads, int n_rounds)
{
    shared s = { .t = team_new(n_threads, NULL), .n_rounds = n_rounds };
    REQUIRE(s.t);
    for (int run = 0; run < 3; run++) team_run(s.t, write_then_read, &s);
    CHECK(s.n_bad == 0, "%d threads: %d stale reads", n_threads, s.n_bad);
    team_free(s.t);
}

TEST(team_barrier_parts_what_is_before_from_what_is_after)
{
    for (int n = 1; n <= 4; n++) check_barrier(n, 2000);
}

TEST(team_barrier_goes_on_with_more_threads_than_cores)
{
    alarm(60);
    check_barrier(N_MAX, 300);
}

static void wait_late(void *arg, int ith, int nth)
{
    shared *s = arg;
    struct timespec nap = { .tv_nsec = 3000000 }; /* longer than any wait spins */
    for (int round = 1; round <= s->n_rounds; round++) {
        if (ith == round % nth) nanosleep(&nap, NULL);
        s->sums[ith][0] = round;
        team_barrier(s->t);
        for (int i = 0; i < nth; i++)
            if (s->sums[i][0] != round) atomic_fetch_add(&s->n_bad, 1);
        team_barrier(s->t);
    }
}

TEST(team_wakes_those_asleep)
{
    shared s = { .t = team_new(4, NULL), .n_rounds = 20 };
    struct timespec nap = { .tv_nsec = 5000000 };
    REQUIRE(s.t);
    for (int run = 0; run < 5; run++) {
        nanosleep(&nap, NULL);
        team_run(s.t, wait_late, &s);
    }
    CHECK(s.n_bad == 0);
    nanosleep(&nap, NULL);
    team_free(s.t);
}

static double cpu_seconds(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec)
           + 1e-6 * (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

TEST(team_idle_threads_use_no_processor_time)
{
    shared s = { .t = team_new(4, NULL) };
    struct timespec settle = { .tv_nsec = 100000000 }, idle = { .tv_nsec = 200000000 };
    REQUIRE(s.t);
    team_run(s.t, count_self, &s);
    nanosleep(&settle, NULL);
    double start = cpu_seconds();
    nanosleep(&idle, NULL);
    double used = cpu_seconds() - start;
    CHECK(used < 0.02, "%g s in 0.2 s", used);
    team_free(s.t);
}

static void look_at_mask(void *arg, int ith, int nth)
{
    shared *s = arg;
    sigset_t mask;
    (void)nth;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    bool blocks = sigismember(&mask, SIGINT) == 1 && sigismember(&mask, SIGTERM) == 1
                  && sigismember(&mask, SIGWINCH) == 1;
    if (blocks != (ith > 0)) atomic_fetch_add(&s->n_bad, 1);
}

TEST(team_leaves_signals_to_the_caller)
{
    shared s = { .t = team_new(4, NULL) };
    REQUIRE(s.t);
    team_run(s.t, look_at_mask, &s);
    CHECK(s.n_bad == 0);
    team_free(s.t);
}

TEST(team_new_refuses_impossible_sizes)
{
    lory_err err = { 0 };
    CHECK(!team_new(0, &err) && err.code == LORY_E_ARGUMENT);
    CHECK_STR(err.text, "threads: 0 (expected 1 to 1024)");
    CHECK(!team_new(-1, NULL) && !team_new(TEAM_MAX + 1, NULL));
    team_free(NULL);
}

TEST(team_new_says_when_memory_is_out)
{
    lory_err err = { 0 };
    team *t = NULL;
    for (uint64_t n = 1; !t; n++) {
        mem_fail_at(n);
        t = team_new(3, &err);
        CHECK(t || err.code == LORY_E_MEMORY);
    }
    mem_fail_at(0);
    team_free(t);
    CHECK(mem_live_bytes() == 0);
}

#ifndef LORY_OPENMP
/* A stack needs addresses: a limit on them makes some thread the first that cannot start. */
TEST(team_new_says_which_thread_cannot_start)
{
    lory_err err = { 0 };
    test_limit_addresses(256 << 20);
    CHECK(!team_new(TEAM_MAX, &err));
    CHECK(err.code == LORY_E_MEMORY && strstr(err.text, "of 1024"), "%s", err.text);
    CHECK(mem_live_bytes() == 0);
    shared s = { .t = team_new(2, &err) }; /* what had started is gone */
    REQUIRE(s.t);
    team_run(s.t, count_self, &s);
    CHECK(s.sums[0][0] == 1 && s.sums[1][0] == 1);
    team_free(s.t);
}
#endif
