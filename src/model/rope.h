/* rope.h - rotation frequencies of rotary positions, scaling included.
 * Layer: model. Pure functions; the same bits on every machine (base/fmath). */
#ifndef LORY_MODEL_ROPE_H
#define LORY_MODEL_ROPE_H

#include "model/hparams.h"

/* How a layer's heads rotate. */
typedef struct {
    int n_rot;        /* values of a head that rotate */
    double *inv_freq; /* [n_rot / 2] radians per position; NULL: no such table */
    float magnitude;  /* multiplies cosine and sine */
} rope_table;

/* Fills t->inv_freq, which the caller gives, n_rot and magnitude. factors [n_rot / 2] divide the
 * frequencies (LLaMA 3's rope_freqs.weight); NULL = none.
 *   plain: inv_freq_i = theta ^ (-2 i / n_rot)
 *   linear: all divided by the factor
 *   YaRN: between the two, by a ramp over i from beta_fast to beta_slow rotations within the
 *   original context; magnitude = attn_factor * (1 + 0.1 ln factor)
 * Layers that see a window only may have a plain theta of their own: rope_local_frequencies. */
void rope_frequencies(const hparams *hp, const float *factors, rope_table *t);
void rope_local_frequencies(const hparams *hp, rope_table *t);

/* cs = [n_rot / 2] cosines, then [n_rot / 2] sines, of position pos: the first-th up to the
 * last-th of each. */
void rope_cos_sin(const rope_table *t, int pos, int first, int last, float *cs);

#endif
