/* pace.h - how many threads the next run should use on a machine that others use too.
 * Layer: engine. No clock of its own: it is told what happened and says what to do.
 *
 * Threads that meet after every step wait for the slowest. Beside another program that takes a
 * whole core, a thread for every core means waiting for the one that shares it, and one thread
 * fewer is faster; beside one on every core it is not. So it is measured: when this process lost
 * cores to others, a window of runs tries one thread fewer, and later all of them again; what took
 * less time for a token stays. On a quiet machine nothing is tried. */
#ifndef LORY_ENGINE_PACE_H
#define LORY_ENGINE_PACE_H

#include <stdint.h>

typedef struct {
    int n_max, n_core;
    int n, n_best;     /* threads of the next run; those of the best window */
    double best;       /* seconds a token took with n_best, lately */
    /* the window at hand */
    double seconds;
    int64_t n_tok, n_lost;
    double pause;      /* seconds between trials; doubles with each that was of no use */
    double rest;       /* seconds until the next may be made */
    int n_trial;       /* trials so far: every second one goes up */
} pace;

/* Up to n_max threads, on n_core cores, each 1 or more. */
void pace_init(pace *p, int n_max, int n_core);

/* A run with p->n threads evaluated n_tok tokens and lost a core n_lost times. */
void pace_record(pace *p, double seconds, int n_tok, int64_t n_lost);

#endif
