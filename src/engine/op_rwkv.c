/* op_rwkv.c - ops of RWKV-7 (Peng et al. 2025, arXiv:2503.14456): tokens mixed with the one before,
 * and a state of each head whose transition is a diagonal plus a product of two vectors.
 * Layer: engine.
 *
 * A layer's state has the token before as its two halves saw it, then the heads' matrices. */
#include "base/fmath.h"
#include "engine/op_state.h"

void op_token_mix(const op_ctx *c, const plan_step *s)
{
    exec *e = c->e;
    const size_t n_embd = (size_t)e->m->hp.n_embd;
    const bool is_time = s->dst[0] == XR; /* else the second half */
    const int n_way = s->w[0]->n_rows;
    int c0, c1;
    share_channels(c, (int)n_embd, &c0, &c1);
    const state_part part = { is_time ? 0 : n_embd, 1, n_embd, (size_t)c0, (size_t)c1 };
    for (int it = 0; c0 < c1 && it < e->n_row; it++) {
        float *before = begin_token(c, s, it, &part), *x = op_row(e, s->src, it);
        for (int i = c0; i < c1; i++) before[i] -= x[i];
        for (int j = 0; j < n_way; j++) {
            const float *w = (const float *)s->w[0]->data + (size_t)j * n_embd;
            float *y = op_row(e, s->dst[0] + j, it);
            for (int i = c0; i < c1; i++) y[i] = fmaf(before[i], w[i], x[i]);
        }
        memcpy(before + c0, x + c0, (size_t)(c1 - c0) * sizeof *x);
    }
}

static void for_channels(const op_ctx *c, const plan_step *s, float (*fn)(float))
{
    int c0, c1;
    share_channels(c, s->dst_width, &c0, &c1);
    for (int it = 0; it < c->e->n_row; it++) {
        float *x = op_row(c->e, s->dst[0], it);
        for (int i = c0; i < c1; i++) x[i] = fn(x[i]);
    }
}

void op_tanh(const op_ctx *c, const plan_step *s)
{
    for_channels(c, s, math_tanhf);
}

void op_sigmoid(const op_ctx *c, const plan_step *s)
{
    for_channels(c, s, math_sigmoidf);
}

void op_first_values(const op_ctx *c, const plan_step *s)
{
    int first, last;
    op_share(c, c->e->n_row, &first, &last);
    for (int it = first; it < last; it++)
        memcpy(op_row(c->e, s->dst[0], it), op_row(c->e, s->src, it),
               (size_t)s->dst_width * sizeof(float));
}

void op_value_mix(const op_ctx *c, const plan_step *s)
{
    const float *w = s->w[0]->data;
    int c0, c1;
    share_channels(c, s->dst_width, &c0, &c1);
    for (int it = 0; it < c->e->n_row; it++) {
        const float *share = op_row(c->e, s->src, it), *first = op_row(c->e, VF, it);
        float *v = op_row(c->e, s->dst[0], it);
        for (int i = c0; i < c1; i++)
            v[i] = fmaf(first[i] - v[i], math_sigmoidf(share[i] + w[i]), v[i]);
    }
}

enum { MAX_DIM = 512 }; /* arch_rwkv.c refuses more */

/* What one head needs besides its state, [n] each. */
typedef struct {
    float w[MAX_DIM], a[MAX_DIM], b[MAX_DIM], k[MAX_DIM];
} head_input;

/* The step's weights, which arch_rwkv.c lists behind that of the norm. */
enum { W0 = 1, A0, KK, KA, RK };

static const float *weight_of(const plan_step *s, int i, size_t at)
{
    return (const float *)s->w[i]->data + at;
}

/* w = exp(-e^-1/2 sigmoid(decay)); kk, the key times its own weight, at unit length, is what is
 * taken out; how much of it, the rate, is also how much of the key is put in. */
static void prepare_head(exec *e, const plan_step *s, int it, size_t at, head_input *in)
{
    const int n = e->m->hp.delta_key_dim;
    const float *w0 = weight_of(s, W0, at), *a0 = weight_of(s, A0, at);
    const float *kk = weight_of(s, KK, at), *ka = weight_of(s, KA, at);
    const float *decay = op_row(e, MD, it) + at, *rate = op_row(e, MR, it) + at;
    const float *k = op_row(e, MK, it) + at;
    for (int i = 0; i < n; i++) in->a[i] = k[i] * kk[i];
    const float length = sqrtf(e->kn->dot(n, in->a, in->a));
    const float unit = 1.0f / (length > 1e-12f ? length : 1e-12f);
    for (int i = 0; i < n; i++) {
        const float r = math_sigmoidf(rate[i] + a0[i]), out = in->a[i] * unit;
        in->w[i] = math_expf(-0.60653065971263342f * math_sigmoidf(decay[i] + w0[i]));
        in->a[i] = -out;
        in->b[i] = out * r;
        in->k[i] = k[i] * fmaf(r - 1.0f, ka[i], 1.0f);
    }
}

/* The head's norm, what the token's own key and query let through of its value, the gate. */
static void finish_head(exec *e, const plan_step *s, int it, size_t at, const head_input *in)
{
    const int n = e->m->hp.delta_key_dim;
    const float *w = weight_of(s, 0, at), *rk = weight_of(s, RK, at);
    const float *r = op_row(e, s->src, it) + at, *v = op_row(e, MV, it) + at;
    const float *gate = op_row(e, MZ, it) + at, *bias = s->w[0]->bias;
    float *y = op_row(e, s->dst[0], it) + at, own[MAX_DIM];
    e->kn->layer_norm(n, y, w, bias ? bias + at : NULL, (float)n * e->m->hp.norm_eps, y);
    for (int i = 0; i < n; i++) own[i] = in->k[i] * rk[i];
    const float through = e->kn->dot(n, own, r);
    for (int i = 0; i < n; i++) y[i] = fmaf(through, v[i], y[i]) * gate[i];
}

/* All tokens of one head, so that its state stays in a near cache. */
static void wkv7_head(const op_ctx *c, const plan_step *s, int ih)
{
    exec *e = c->e;
    const int n = e->m->hp.delta_key_dim;
    const size_t at = (size_t)ih * (size_t)n, size = (size_t)n * (size_t)n;
    const state_part part = part_of_head(2 * (size_t)e->m->hp.n_embd, ih, size);
    head_input in;
    for (int it = 0; it < e->n_row; it++) {
        float *state = begin_token(c, s, it, &part);
        prepare_head(e, s, it, at, &in);
        e->kn->dplr(&(dplr_args){ n, n, in.w, in.a, in.b, in.k, op_row(e, s->src, it) + at,
                                  op_row(e, MV, it) + at, state, (size_t)n,
                                  op_row(e, s->dst[0], it) + at });
        finish_head(e, s, it, at, &in);
    }
}

void op_wkv7(const op_ctx *c, const plan_step *s)
{
    int first, last;
    op_share(c, c->e->m->hp.n_value_head, &first, &last);
    for (int ih = first; ih < last; ih++) wkv7_head(c, s, ih);
}
