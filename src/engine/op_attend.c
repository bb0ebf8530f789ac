/* op_attend.c - the cache's new rows, and causal attention over it.
 * Layer: engine.
 *
 * The unit of work is one key/value head for a block of neighbouring tokens: its queries (tokens
 * times the heads of the group) are gathered, run over the sequence's chunks in ascending order,
 * and divided by their sums at the end. A chunk that is not stored as f32 is converted once for all
 * the queries of the unit. */
#include "engine/ops.h"
#include "base/fmath.h"
#include "base/mem.h"
#include <math.h>
#include <string.h>

void op_store(const op_ctx *c, const plan_step *s)
{
    exec *e = c->e;
    const hparams *hp = &e->m->hp;
    int first = 0, last = 1, head = c->ith, stride = c->nth;
    if (e->n_row > 1) {
        op_share(c, e->n_row, &first, &last);
        head = 0;
        stride = 1;
    }
    for (int it = first; it < last; it++)
        for (int ih = head; ih < hp->n_kv_head; ih += stride) {
            kv_place at = { s->il, e->batch.seq[it], e->batch.pos[it], ih };
            kv_store(e->kv, e->kn, at, op_row(e, K, it) + ih * hp->head_dim,
                     op_row(e, V, it) + ih * hp->head_dim);
        }
}

enum { UNIT_QUERIES = 64 }; /* aim: enough to pay for a chunk's conversion, few enough for L1/L2 */

static int tokens_per_unit(const hparams *hp)
{
    int group = hp->n_head / hp->n_kv_head;
    return group >= UNIT_QUERIES ? 1 : UNIT_QUERIES / group;
}

/* The thread's scratch: n_q queries at most. */
typedef struct {
    float *q, *o;        /* [n_q, head_dim] */
    float *kv;           /* [2][KV_CHUNK, head_dim] */
    float *kernel;       /* [KV_CHUNK + head_dim] */
    attend_state *state; /* [n_q] */
    int16_t *first, *last; /* [n_q] */
    float *slope;          /* [n_q] */
    int32_t *pos;          /* [n_q] */
} attend_scratch;

/* Lays the scratch out from `at` and returns its bytes; at == NULL measures. */
static size_t lay_out(attend_scratch *a, const hparams *hp, void *at)
{
    mem_carver c = { at, 0 };
    size_t n_q = (size_t)tokens_per_unit(hp) * (size_t)(hp->n_head / hp->n_kv_head);
    size_t dim = (size_t)hp->head_dim;
    a->q = mem_carve(&c, n_q * dim, sizeof(float));
    a->o = mem_carve(&c, n_q * dim, sizeof(float));
    a->kv = mem_carve(&c, 2 * KV_CHUNK * dim, sizeof(float));
    a->kernel = mem_carve(&c, KV_CHUNK + dim, sizeof(float));
    a->state = mem_carve(&c, n_q, sizeof(attend_state));
    a->first = mem_carve(&c, n_q, sizeof(int16_t));
    a->last = mem_carve(&c, n_q, sizeof(int16_t));
    a->slope = mem_carve(&c, n_q, sizeof(float));
    a->pos = mem_carve(&c, n_q, sizeof(int32_t));
    return c.used;
}

size_t op_attend_scratch_bytes(const hparams *hp)
{
    attend_scratch a;
    return lay_out(&a, hp, NULL);
}

/* A unit: key/value head ih for tokens [it, it + n_tok) of the batch. */
typedef struct {
    const exec_run *run;
    int it, n_tok, ih;
} attend_unit;

static void gather(const exec *e, const plan_step *s, attend_unit u, const attend_scratch *a)
{
    const hparams *hp = &e->m->hp;
    int group = hp->n_head / hp->n_kv_head, dim = hp->head_dim;
    size_t n = (size_t)(group * dim);
    for (int i = 0; i < u.n_tok; i++)
        memcpy(a->q + (size_t)i * n, op_row(e, s->src, u.it + i) + (size_t)u.ih * n,
               n * sizeof(float));
    for (int i = 0; i < u.n_tok * group; i++) a->state[i] = (attend_state){ -INFINITY, 0.0f };
}

/* 1 / sum of a finished query, a sink's weight in the sum: a score that has no value. */
static float share_of(attend_state st, const weight *sinks, int ih)
{
    if (!sinks) return 1.0f / st.sum;
    float sink = ((const float *)sinks->data)[ih], top = sink > st.max ? sink : st.max;
    float grown = math_expf(st.max - top);
    return grown / fmaf(st.sum, grown, math_expf(sink - top));
}

/* o / sum into the output's heads. */
static void scatter(const exec *e, const plan_step *s, attend_unit u, const attend_scratch *a)
{
    const hparams *hp = &e->m->hp;
    int group = hp->n_head / hp->n_kv_head, n = hp->value_dim;
    for (int i = 0; i < u.n_tok * group; i++) {
        float *o = a->o + (size_t)i * (size_t)hp->head_dim;
        int ih = u.ih * group + i % group;
        e->kn->scale(n, share_of(a->state[i], s->w[0], ih), o);
        memcpy(op_row(e, s->dst[0], u.it + i / group) + ih * n, o, (size_t)n * sizeof(float));
    }
}

static int within_chunk(int i)
{
    return i < 0 ? 0 : i < KV_CHUNK ? i : KV_CHUNK;
}

/* Keys from 0 on that the query at pos sees: up to its own, in the prefix all of that. */
static int keys_end(const exec *e, int pos)
{
    return pos < e->batch.prefix.n ? e->batch.prefix.n : pos + 1;
}

/* Which keys of the chunk from position `chunk` on the unit's queries see, from position pos on. */
static void find_keys(const exec *e, attend_unit u, int pos, int chunk, int window,
                      const attend_scratch *a)
{
    int group = e->m->hp.n_head / e->m->hp.n_kv_head;
    for (int i = 0; i < u.n_tok * group; i++) {
        int n = keys_end(e, pos + i / group) - chunk;
        a->pos[i] = pos + i / group - chunk;
        a->first[i] = (int16_t)(window ? within_chunk(n - window) : 0);
        a->last[i] = (int16_t)within_chunk(n);
    }
}

static void attend_one(const op_ctx *c, const plan_step *s, attend_unit u, const attend_scratch *a)
{
    exec *e = c->e;
    const hparams *hp = &e->m->hp;
    int group = hp->n_head / hp->n_kv_head, window = hparams_window(hp, s->il);
    int pos = u.run->pos + (u.it - u.run->first), end = keys_end(e, pos + u.n_tok - 1);
    int begin = window && pos + 1 > window ? (pos + 1 - window) / KV_CHUNK * KV_CHUNK : 0;
    attend_args args = { .q = a->q, .ld_q = (size_t)hp->head_dim, .o = a->o,
                         .ld_o = (size_t)hp->head_dim, .state = a->state, .first = a->first,
                         .last = a->last, .n_q = u.n_tok * group, .head_dim = hp->head_dim,
                         .slope = e->m->alibi_slope ? a->slope : NULL, .pos = a->pos,
                         .scale = hp->attn_scale, .cap = hp->attn_cap, .scratch = a->kernel };
    gather(e, s, u, a);
    for (int i = 0; args.slope && i < args.n_q; i++)
        a->slope[i] = e->m->alibi_slope[u.ih * group + i % group];
    for (int chunk = begin; chunk < end; chunk += KV_CHUNK) {
        int n_key = end - chunk < KV_CHUNK ? end - chunk : KV_CHUNK;
        kv_place at = { s->il, u.run->seq, chunk, u.ih };
        kv_load(e->kv, e->kn, at, n_key, a->kv, &args.k, &args.v);
        find_keys(e, u, pos, chunk, window, a);
        e->kn->attend(&args);
    }
    scatter(e, s, u, a);
}

/* Units in the order run, block of tokens, head are dealt round robin: later blocks, which see
 * more keys, spread evenly; the heads of one token go as in for_heads. */
void op_attend(const op_ctx *c, const plan_step *s)
{
    exec *e = c->e;
    const hparams *hp = &e->m->hp;
    int n_block = tokens_per_unit(hp), i = 0;
    attend_scratch a;
    lay_out(&a, hp, op_scratch(c));
    for (int ir = 0; ir < e->n_run; ir++) {
        const exec_run *run = &e->runs[ir];
        for (int t = 0; t < run->n_tok; t += n_block)
            for (int ih = 0; ih < hp->n_kv_head; ih++)
                if (i++ % c->nth == c->ith) {
                    int n_tok = run->n_tok - t < n_block ? run->n_tok - t : n_block;
                    attend_one(c, s, (attend_unit){ run, run->first + t, n_tok, ih }, &a);
                }
    }
}
