/* team.h - a team of threads that runs one function at a time, all of them together.
 * Layer: base. A team belongs to the thread that made it: only that thread calls team_run and
 * team_free. POSIX threads by default; with -DLORY_OPENMP the threads are of one OpenMP region that
 * lasts as long as the team: they wait in the same way, since the barriers of its runtimes spin.
 *
 * Who waits (for work, at a barrier) polls for up to 200 microseconds, less on a crowded machine or
 * when polling was often in vain, and then sleeps in the kernel: an idle team takes no processor
 * time (src/engine/README.md). */
#ifndef LORY_BASE_TEAM_H
#define LORY_BASE_TEAM_H

#include "lory.h"

enum { TEAM_MAX = 1024 }; /* threads */

typedef struct team team;
/* Called on every thread in use, ith = 0 .. nth-1; ith 0 is the caller of team_run. */
typedef void (*team_fn)(void *arg, int ith, int nth);

/* n_threads = 1 .. TEAM_MAX, the caller counted. The other threads block every signal but those
 * of a thread's own fault, so that Ctrl-C interrupts the caller. NULL with *err on failure.
 * With OpenMP the runtime may give fewer threads: nth says how many there are. */
team *team_new(int n_threads, lory_err *err);
void team_free(team *t); /* NULL is accepted */

/* Runs fn(arg, ith, nth) on the threads in use and returns when all have returned. What the caller
 * wrote before is seen by all, what they wrote is seen by the caller. Not from inside fn. */
void team_run(team *t, team_fn fn, void *arg);

/* Only from inside fn, and by every thread that runs it: returns when all have called it. What
 * each wrote before it is seen by all after it. */
void team_barrier(team *t);

int team_size(const team *t);

/* From the next team_run on, the first n (1 .. team_size) threads take part; the others sleep. */
void team_use(team *t, int n);

#endif
