/* score.h - how well logits foretell a text: log-probabilities, perplexity, divergence. All in
 * double, through base/fmath, in a fixed order: the same bits on every machine.
 * Layer: cli. */
#ifndef LORY_CLI_SCORE_H
#define LORY_CLI_SCORE_H

#include "lory.h"

/* ln sum exp(logits), so that the log-probability of token t is logits[t] - log_sum. False, with
 * LORY_E_NAN, when they have no softmax: a NaN, +inf, or all -inf. */
bool score_log_sum(const float *logits, int n, double *log_sum, lory_err *err);

int score_best(const float *logits, int n); /* the first largest */

/* Kullback-Leibler divergence sum p (ln p - ln q) in nats, 0 or more; +inf when q gives 0 to what
 * p does not. The log sums are those of score_log_sum. */
double score_divergence(const float *p, double p_log_sum, const float *q, double q_log_sum, int n);

/* Mean and spread of a run of numbers. A zeroed one is empty. */
typedef struct {
    double sum, sum_of_squares;
    uint64_t n;
} score_mean;

void score_add(score_mean *m, double x);
double score_mean_of(const score_mean *m);  /* 0 when empty */
double score_error_of(const score_mean *m); /* standard error of the mean; 0 below two numbers */

#endif
