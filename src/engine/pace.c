/* pace.c - see pace.h. */
#include "engine/pace.h"
#include <stdbool.h>

static const double window_s = 0.025;  /* several time slices of the usual schedulers */
static const double least_pause_s = 0.2, most_pause_s = 3.0;
static const double gain = 0.94;       /* a window's time by the best one's, to be better */
static const double lost_per_s = 120.0; /* others want the cores; 40 on a quiet machine */

void pace_init(pace *p, int n_max, int n_core)
{
    *p = (pace){ .n_max = n_max, .n_core = n_core, .n = n_max, .n_best = n_max,
                 .pause = least_pause_s };
}

/* A window of a trial: the better one stays. */
static void judge(pace *p, double each)
{
    if (each < gain * p->best) {
        p->n_best = p->n;
        p->best = each;
        p->pause = least_pause_s;
        p->rest = 0.0;
        return;
    }
    p->pause = p->pause * 2.0 < most_pause_s ? p->pause * 2.0 : most_pause_s;
    p->rest = p->pause;
}

/* What the next window is for: one thread fewer while cores are lost (or as many as there are
 * cores, if there are more), all of them again in turn with that or when none are, or no trial. */
static int choose(pace *p, double lost_rate)
{
    bool is_crowded = lost_rate >= lost_per_s, may_grow = p->n_best < p->n_max;
    if (p->rest > 0.0 || (!is_crowded && !may_grow)) return p->n_best;
    bool is_up = may_grow && (!is_crowded || p->n_best == 1 || p->n_trial % 2 == 1);
    p->n_trial++;
    if (is_up) return p->n_max;
    if (p->n_best > p->n_core) return p->n_core;
    return p->n_best > 1 ? p->n_best - 1 : 1;
}

void pace_record(pace *p, double seconds, int n_tok, int64_t n_lost)
{
    p->seconds += seconds;
    p->n_tok += n_tok;
    p->n_lost += n_lost;
    if (p->seconds < window_s) return;
    double each = p->seconds / (double)p->n_tok, lost_rate = (double)p->n_lost / p->seconds;
    if (p->n == p->n_best) {
        p->best = each;
        p->rest -= p->seconds;
    } else
        judge(p, each);
    p->n = choose(p, lost_rate);
    p->seconds = 0.0;
    p->n_tok = p->n_lost = 0;
}
