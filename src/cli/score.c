/* score.c - see score.h. */
#include "cli/score.h"
#include "base/err.h"
#include "base/fmath.h"
#include <math.h>

int score_best(const float *logits, int n)
{
    int best = 0;
    for (int i = 1; i < n; i++)
        if (logits[i] > logits[best]) best = i;
    return best;
}

bool score_log_sum(const float *logits, int n, double *log_sum, lory_err *err)
{
    double max = logits[score_best(logits, n)], sum = 0.0;
    for (int i = 0; i < n; i++) sum += math_exp(logits[i] - max);
    *log_sum = max + math_log(sum);
    if (isfinite(*log_sum)) return true;
    return err_set(err, LORY_E_NAN,
                   "logits: no probabilities come of them (found NaN, +inf, or "
                   "-inf only; expected numbers)");
}

double score_divergence(const float *p, double p_log_sum, const float *q, double q_log_sum, int n)
{
    double sum = 0.0;
    for (int i = 0; i < n; i++) {
        double ln_p = p[i] - p_log_sum, prob = math_exp(ln_p);
        if (prob > 0.0) sum += prob * (ln_p - (q[i] - q_log_sum));
    }
    return sum > 0.0 ? sum : 0.0; /* rounding may take 0 a little below */
}

void score_add(score_mean *m, double x)
{
    m->sum += x;
    m->sum_of_squares += x * x;
    m->n++;
}

double score_mean_of(const score_mean *m)
{
    return m->n ? m->sum / (double)m->n : 0.0;
}

double score_error_of(const score_mean *m)
{
    if (m->n < 2) return 0.0;
    double n = (double)m->n, mean = m->sum / n;
    double variance = m->sum_of_squares / n - mean * mean;
    return variance > 0.0 ? sqrt(variance / (n - 1.0)) : 0.0;
}
