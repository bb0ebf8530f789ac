/* candidates.h - what several stages do with candidates: maximum, softmax, filter, select.
 * Layer: sample. One pass over the n candidates each, in id order; no allocation. */
#ifndef LORY_SAMPLE_CANDIDATES_H
#define LORY_SAMPLE_CANDIDATES_H

#include "sample/stage.h"

int candidates_best(const candidates *c); /* index of the largest logit, the first among equals */

/* Peaks: the largest logits of CANDIDATES_BLOCK neighbours each, found in one pass, as keys. k
 * peaks are k logits, so the k-th of them is a bound for the k-th logit; and where a peak is below
 * a bound there is nothing to look at. */
enum { CANDIDATES_BLOCK = 64 };
static inline int candidates_n_peaks(int n)
{
    return (n + CANDIDATES_BLOCK - 1) / CANDIDATES_BLOCK;
}
/* Fills peak [candidates_n_peaks(n)]; false when a logit is NaN or +inf. */
bool candidates_find_peaks(const float *logits, int n, uint32_t *peak);
/* The k-th largest of n peaks, -inf when there are fewer. */
float candidates_kth_peak(uint32_t *peak, int n, int k);
/* Makes the logits >= least candidates; key holds the peaks of all n. They may be those of *c. */
void candidates_load(candidates *c, const float *logits, int n, float least);

typedef struct {
    float max;  /* the largest logit */
    double sum; /* of p, 1 or more */
} softmax_sum;

/* Fills p[i] = exp(logit[i] - max); divide by .sum for probabilities. */
softmax_sum candidates_softmax(candidates *c);

/* H = -sum p ln p in nats, of the p that candidates_softmax has just filled. */
double candidates_entropy(const candidates *c, softmax_sum s);

void candidates_keep_only(candidates *c, int i);
void candidates_keep_above(candidates *c, double min_logit); /* logit >= min_logit */

/* key[i] = a number that grows with x, any float but NaN; -0 and 0 are the same. */
uint32_t candidates_key(float x);
void candidates_key_by_logit(candidates *c); /* fills key */

/* Keeps the fewest candidates, by falling key and then rising id, whose number (of p, when
 * by_mass) reaches `target`; at least one, and all when they do not reach it. */
void candidates_keep_best(candidates *c, bool by_mass, double target);

void candidates_keep_largest(candidates *c, int k); /* the k largest logits, ties by rising id */

#endif
