/* op_state.h - what ops of recurrent layers share: a thread's part of a layer's state, as it is
 * before a token.
 * Layer: engine, private to op_recur.c, op_kda.c and op_rwkv.c. */
#ifndef LORY_ENGINE_OP_STATE_H
#define LORY_ENGINE_OP_STATE_H

#include "engine/ops.h"
#include <math.h>
#include <string.h>

/* The part of a layer's state that is a thread's: columns [c0, c1) of rows of ld floats, from `at`
 * on. */
typedef struct {
    size_t at, n_row, ld, c0, c1;
} state_part;

/* Where a layer's state goes on behind a convolution's: the last n_tap - 1 inputs of n_conv
 * channels. */
static inline size_t past_conv(const hparams *hp)
{
    return (size_t)(hp->n_tap - 1) * (size_t)hp->n_conv;
}

/* All of head ih, of those that lie one after the other from `first` on, `size` floats each. */
static inline state_part part_of_head(size_t first, int ih, size_t size)
{
    return (state_part){ first + (size_t)ih * size, 1, size, 0, size };
}

/* The part of the state of the token's sequence: zeros before its first token; copied before the
 * token where it is to be kept. */
static inline float *begin_token(const op_ctx *c, const plan_step *s, int it, const state_part *p)
{
    const recur *r = &c->e->kv->states;
    const int seq = c->e->batch.seq[it], pos = c->e->batch.pos[it];
    const size_t n_bytes = (p->c1 - p->c0) * sizeof(float);
    float *state = recur_state(r, seq, s->il) + p->at;
    float *kept = recur_to_keep(r, seq, pos, s->il);
    for (size_t i = p->c0; pos == 0 && i < p->n_row * p->ld; i += p->ld)
        memset(state + i, 0, n_bytes);
    for (size_t i = p->c0; kept && i < p->n_row * p->ld; i += p->ld)
        memcpy(kept + p->at + i, state + i, n_bytes);
    return state;
}

/* The thread's channels [*c0, *c1) of n, in whole vectors. */
static inline void share_channels(const op_ctx *c, int n, int *c0, int *c1)
{
    enum { UNIT = 16 };
    op_share(c, (n + UNIT - 1) / UNIT, c0, c1);
    *c0 *= UNIT;
    *c1 = *c1 * UNIT < n ? *c1 * UNIT : n;
}

/* y = x times `size` over its length. */
static inline void to_length(const exec *e, int n, float size, const float *x, float *y)
{
    memcpy(y, x, (size_t)n * sizeof *y);
    e->kn->scale(n, size / sqrtf(e->kn->dot(n, x, x) + 1e-6f), y);
}

#endif
