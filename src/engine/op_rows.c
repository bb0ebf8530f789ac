/* op_rows.c - ops on rows: embedding, norms, rotary positions, sums.
 * Layer: engine. */
#include "engine/ops.h"
#include "model/rope.h"
#include <string.h>

/* dst = the embedding of each token; the rotations of its position are made beside it. */
void op_embed(const op_ctx *c, const plan_step *s)
{
    exec *e = c->e;
    const weight *w = s->w[0];
    const model *m = e->m;
    int first, last;
    op_share(c, e->n_row, &first, &last);
    for (int it = first; it < last; it++) {
        const unsigned char *row = w->data;
        e->kn->to_f32[w->type](w->k, row + (size_t)e->batch.id[it] * w->row_bytes,
                               op_row(e, s->dst[0], it));
        rope_cos_sin(m->hp.n_rot, m->inv_freq, m->rope_magnitude, e->batch.pos[it],
                     e->rope_cs + (size_t)it * (size_t)m->hp.n_rot);
    }
}

void op_pick(const op_ctx *c, const plan_step *s)
{
    exec *e = c->e;
    int first, last;
    op_share(c, e->n_row, &first, &last);
    for (int i = first; i < last; i++)
        memcpy(op_row(e, s->dst[0], i), op_row(e, s->src, e->pick[i]),
               (size_t)e->plan.width[s->src] * sizeof(float));
}

void op_rms_norm(const op_ctx *c, const plan_step *s)
{
    exec *e = c->e;
    int first, last;
    op_share(c, e->n_row, &first, &last);
    for (int it = first; it < last; it++)
        e->kn->rms_norm(e->plan.width[s->src], op_row(e, s->src, it), s->w[0]->data,
                        e->m->hp.norm_eps, op_row(e, s->dst[0], it));
}

void op_add(const op_ctx *c, const plan_step *s)
{
    exec *e = c->e;
    int first, last;
    op_share(c, e->n_row, &first, &last);
    for (int it = first; it < last; it++)
        e->kn->add(e->plan.width[s->src], op_row(e, s->src, it), op_row(e, s->dst[0], it));
}

/* Ops on heads take the tokens' rows in turn when there are many. With one token a thread takes
 * the key/value heads ith, ith + nth, ... and the query heads of their groups, so that one thread
 * carries a head from here through attention and no barrier is needed between. */
typedef void head_fn(const exec *e, const plan_step *s, int it, float *head);

static void for_heads(const op_ctx *c, const plan_step *s, head_fn *fn)
{
    exec *e = c->e;
    const hparams *hp = &e->m->hp;
    int n_head = s->dst[0] == K ? hp->n_kv_head : hp->n_head;
    int group = n_head / hp->n_kv_head; /* heads of this slot per key/value head */
    int first, last;
    op_share(c, e->n_row, &first, &last);
    if (e->n_row > 1) {
        for (int it = first; it < last; it++)
            for (int ih = 0; ih < n_head; ih++)
                fn(e, s, it, op_row(e, s->dst[0], it) + ih * hp->head_dim);
        return;
    }
    for (int ig = c->ith; ig < hp->n_kv_head; ig += c->nth)
        for (int ih = ig * group; ih < (ig + 1) * group; ih++)
            fn(e, s, 0, op_row(e, s->dst[0], 0) + ih * hp->head_dim);
}

static void norm_head(const exec *e, const plan_step *s, int it, float *head)
{
    (void)it;
    e->kn->rms_norm(e->m->hp.head_dim, head, s->w[0]->data, e->m->hp.norm_eps, head);
}

static void rotate_head(const exec *e, const plan_step *s, int it, float *head)
{
    const hparams *hp = &e->m->hp;
    (void)s;
    e->kn->rope(1, hp->head_dim, hp->n_rot, e->m->arch->rope_neox,
                e->rope_cs + (size_t)it * (size_t)hp->n_rot, head);
}

void op_head_norm(const op_ctx *c, const plan_step *s)
{
    for_heads(c, s, norm_head);
}

void op_rope(const op_ctx *c, const plan_step *s)
{
    for_heads(c, s, rotate_head);
}
