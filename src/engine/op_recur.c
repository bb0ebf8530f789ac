/* op_recur.c - ops of recurrent layers, which go from token to token with a state (recur.h).
 * Layer: engine.
 *
 * A thread has some channels or heads of all tokens of the batch and takes these one after the
 * other, as generation does: so the bits do not depend on how a text is cut, and sequences of a
 * batch may come in any mixture. (The chunked forms of the papers, which turn prompts into
 * products, sum in another order for each cut. What they would spare is little here: a token costs
 * a recurrent layer's products many times what its state does.) */
#include "engine/ops.h"
#include <string.h>

/* The part of a layer's state that is a thread's: columns [c0, c1) of rows of ld floats, from `at`
 * on. */
typedef struct {
    size_t at, n_row, ld, c0, c1;
} state_part;

/* The part of the state of the token's sequence: zeros before its first token; copied before the
 * token where it is to be kept. */
static float *begin_token(const op_ctx *c, const plan_step *s, int it, const state_part *p)
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
static void share_channels(const op_ctx *c, int n, int *c0, int *c1)
{
    enum { UNIT = 16 };
    op_share(c, (n + UNIT - 1) / UNIT, c0, c1);
    *c0 *= UNIT;
    *c1 = *c1 * UNIT < n ? *c1 * UNIT : n;
}

void op_short_conv(const op_ctx *c, const plan_step *s)
{
    exec *e = c->e;
    const hparams *hp = &e->m->hp;
    const size_t ld = (size_t)hp->n_conv;
    int c0, c1;
    share_channels(c, hp->n_conv, &c0, &c1);
    const state_part part = { 0, (size_t)hp->n_tap - 1, ld, (size_t)c0, (size_t)c1 };
    const int n = c1 - c0;
    for (int it = 0; n > 0 && it < e->n_row; it++) {
        float *state = begin_token(c, s, it, &part) + c0;
        float *b = op_row(e, s->src, it) + c0, *gate = b + ld, *x = gate + ld;
        float *y = op_row(e, s->dst[0], it) + c0;
        e->kn->mul(n, b, x);
        e->kn->conv(&(conv_args){ n, hp->n_tap, (const float *)s->w[0]->data + c0, ld, x, state,
                                  ld, y });
        e->kn->mul(n, gate, y);
    }
}
