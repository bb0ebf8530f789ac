/* test_pace.c - how many threads a crowded machine is given, by a simulated one. */
#include "engine/pace.h"
#include "test.h"

/* A machine of n_core cores beside other programs that keep n_other of them busy; runs are of
 * `work` seconds on one core. */
typedef struct {
    int n_core, n_other;
    double work;
} machine;

static double free_cores(const machine *m)
{
    return m->n_core - m->n_other;
}

/* Threads that share cores with others get half of them, and all wait for the slowest. */
static double run_seconds(const machine *m, int n)
{
    return m->work / (n < m->n_core ? n : m->n_core) * (n > free_cores(m) ? 2.0 : 1.0);
}

/* Runs for a while; returns the mean threads by time. */
static double run(pace *p, const machine *m, double seconds)
{
    double at = 0.0, sum = 0.0;
    while (at < seconds) {
        double took = run_seconds(m, p->n);
        sum += p->n * took;
        at += took;
        pace_record(p, took, 1, p->n > free_cores(m) ? (int64_t)(took * 300.0 + 0.5) : 0);
    }
    return sum / at;
}

TEST(a_quiet_machine_is_used_whole_all_the_time)
{
    pace p;
    machine m = { 4, 0, 0.004 };
    pace_init(&p, 4, 4);
    CHECK(run(&p, &m, 60.0) == 4.0);
}

TEST(beside_one_busy_core_the_others_are_used)
{
    pace p;
    machine m = { 4, 1, 0.020 };
    pace_init(&p, 4, 4);
    run(&p, &m, 1.0);
    CHECK(p.n_best == 3);
    double mean = run(&p, &m, 60.0);
    CHECK(mean > 2.9 && mean < 3.1, "%g threads", mean);
    m.n_other = 0; /* and all again soon after it has gone */
    run(&p, &m, 4.0);
    CHECK(p.n_best == 4);
    CHECK(run(&p, &m, 60.0) == 4.0);
}

TEST(more_threads_than_cores_soon_become_as_many)
{
    pace p;
    machine m = { 4, 0, 0.020 };
    pace_init(&p, 16, 4);
    run(&p, &m, 0.5);
    CHECK(p.n_best == 4, "%d threads", p.n_best);
    double mean = run(&p, &m, 60.0);
    CHECK(mean > 3.9 && mean < 4.5, "%g threads", mean);
}

TEST(beside_as_many_busy_loops_as_cores_all_threads_stay)
{
    pace p;
    machine m = { 4, 4, 0.020 };
    pace_init(&p, 4, 4);
    double mean = run(&p, &m, 60.0);
    CHECK(p.n_best == 4 && mean > 3.9, "%g threads", mean);
}

TEST(one_thread_and_long_runs_have_a_pace_too)
{
    pace p;
    machine m = { 4, 1, 3.0 };
    pace_init(&p, 1, 4);
    CHECK(run(&p, &m, 30.0) == 1.0);
    pace_init(&p, 4, 4);
    run(&p, &m, 10.0);
    CHECK(p.n_best == 3);
}
