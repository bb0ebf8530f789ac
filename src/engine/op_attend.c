/* op_attend.c - the cache's new rows, and causal attention over it.
 * Layer: engine.
 *
 * The unit of work is one key/value head for a block of neighbouring tokens of the batch: its
 * queries (tokens times the heads of the group) are gathered, run over their sequences' chunks in
 * ascending order, and divided by their sums at the end. Neighbours that have a chunk in one page,
 * because they are of one sequence or of sequences that share it, take it together: it is read, and
 * converted when it is stored as f16, once for all their queries.
 *
 * One token over a long context, sooner where heads do not go evenly into the threads: chunks of
 * heads are shared instead, and taken by threads that are done. Each chunk's result waits in a
 * place of its own, and who has the head merges them in ascending order: the same operations. */
#include "engine/ops.h"
#include "base/fmath.h"
#include "base/mem.h"
#include <limits.h>
#include <math.h>
#include <string.h>

static const hparams_layer *layer_of(const exec *e, const plan_step *s)
{
    return &e->m->hp.layer[s->il];
}

void op_store(const op_ctx *c, const plan_step *s)
{
    exec *e = c->e;
    const hparams_layer *l = layer_of(e, s);
    int first = 0, last = 1, head = c->ith, stride = c->nth;
    if (e->n_row > 1) {
        op_share(c, e->n_row, &first, &last);
        head = 0;
        stride = 1;
    }
    for (int it = first; it < last; it++)
        for (int ih = head; ih < l->n_kv_head; ih += stride) {
            kv_place at = { s->il, e->batch.seq[it], e->batch.pos[it], ih };
            kv_store(e->kv, e->kn, at, op_row(e, K, it) + ih * l->kv_dim,
                     op_row(e, V, it) + ih * l->value_dim);
        }
}

enum {
    UNIT_QUERIES = 64,  /* aim: enough to pay for a chunk's conversion, few enough for L1/L2 */
    DIRECT_QUERIES = 8, /* up to here each conversion is made where it is used, often twice */
};

static int tokens_per_unit(const hparams_layer *l)
{
    int group = l->n_head / l->n_kv_head;
    return group >= UNIT_QUERIES ? 1 : UNIT_QUERIES / group;
}

/* Queries of a unit. */
static size_t queries_per_unit(const hparams_layer *l)
{
    return (size_t)tokens_per_unit(l) * (size_t)(l->n_head / l->n_kv_head);
}

/* The thread's scratch: n_q queries at most. */
typedef struct {
    float *q, *o;        /* [n_q, head_dim] */
    float *packed_q;     /* the queries by pack_queries */
    int16_t *q_codes;    /* [n_q, head_dim] by quant_queries */
    float *q_scales;     /* [n_q, head_dim / 32] */
    float *kv;           /* [2][KV_CHUNK, head_dim] */
    float *kernel;       /* [ATTEND_SCRATCH(head_dim)] */
    attend_state *state; /* [n_q] */
    int16_t *first, *last; /* [n_q] */
    float *slope;          /* [n_q] */
    int32_t *pos;          /* [n_q] */
} attend_scratch;

/* Lays the scratch of a layer out from `at` and returns its bytes; at == NULL measures. */
static size_t lay_out(attend_scratch *a, const hparams_layer *l, void *at)
{
    mem_carver c = { at, 0 };
    size_t n_q = queries_per_unit(l), dim = (size_t)l->kv_dim;
    a->q = mem_carve(&c, n_q * dim, sizeof(float));
    a->o = mem_carve(&c, n_q * dim, sizeof(float));
    a->kv = mem_carve(&c, 2 * KV_CHUNK * dim, sizeof(float));
    a->packed_q = mem_carve(&c, (n_q + 15) / 16 * 16 * dim, sizeof(float));
    a->q_codes = mem_carve(&c, n_q * dim, sizeof(int16_t));
    a->q_scales = mem_carve(&c, n_q * dim / QT_GROUP, sizeof(float));
    a->kernel = mem_carve(&c, ATTEND_SCRATCH(dim), sizeof(float));
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
    size_t most = 0;
    for (int il = 0; il < hp->n_layer; il++) {
        if (hp->layer[il].n_kv_head == 0) continue;
        size_t n = lay_out(&a, &hp->layer[il], NULL);
        if (n > most) most = n;
    }
    return most;
}

/* Query heads go in groups that read the same keys together. Where all share one key/value head, a
 * token alone has smaller groups, so that each of several threads has some. */
static int n_groups(const exec *e, const plan_step *s)
{
    enum { FEW_HEADS = 4 };
    const hparams_layer *l = layer_of(e, s);
    int n = l->n_head;
    if (!e->m->hp.is_latent || e->n_row > 1 || e->is_cut || e->n_used == 1) return l->n_kv_head;
    while (n % 2 == 0 && l->n_head / n < FEW_HEADS) n /= 2;
    return n;
}

static int group_of(const exec *e, const plan_step *s)
{
    return layer_of(e, s)->n_head / n_groups(e, s);
}

/* A unit: group ih of the query heads for tokens [it, it + n_tok) of the batch. */
typedef struct {
    int it, n_tok, ih;
} attend_unit;

static void gather_queries(const exec *e, const plan_step *s, attend_unit u,
                           const attend_scratch *a)
{
    int group = group_of(e, s), dim = layer_of(e, s)->kv_dim, n_q = u.n_tok * group;
    size_t n = (size_t)(group * dim);
    for (int i = 0; i < u.n_tok; i++)
        memcpy(a->q + (size_t)i * n, op_row(e, s->src, u.it + i) + (size_t)u.ih * n,
               n * sizeof(float));
    if (e->kv->shape.type == QT_Q8_0)
        e->kn->quant_queries(n_q, dim, a->q, (size_t)dim, a->q_codes, a->q_scales);
    else if (n_q > DIRECT_QUERIES && dim % 16 == 0)
        e->kn->pack_queries(n_q, dim, a->q, (size_t)dim, a->packed_q);
    for (int i = 0; e->m->alibi_slope && i < n_q; i++)
        a->slope[i] = e->m->alibi_slope[u.ih * group + i % group];
}

static void reset_states(int n, attend_state *state)
{
    for (int i = 0; i < n; i++) state[i] = (attend_state){ -INFINITY, 0.0f };
}

static attend_args args_of(const exec *e, const plan_step *s, const attend_scratch *a)
{
    const hparams *hp = &e->m->hp;
    size_t dim = (size_t)layer_of(e, s)->kv_dim;
    return (attend_args){ .q = a->q, .ld_q = dim, .o = a->o, .ld_o = dim, .state = a->state,
                          .first = a->first, .last = a->last, .head_dim = (int)dim,
                          .slope = e->m->alibi_slope ? a->slope : NULL, .pos = a->pos,
                          .scale = hp->attn_scale, .cap = hp->attn_cap, .scratch = a->kernel };
}

/* The scale of values, over the sum of a finished query; a sink's weight is in that: a score that
 * has no value. */
static float share_of(const exec *e, attend_state st, const weight *sinks, int ih)
{
    float scale = e->m->hp.value_scale;
    if (!sinks || !sinks->data) return scale / st.sum;
    float sink = ((const float *)sinks->data)[ih], top = sink > st.max ? sink : st.max;
    float grown = math_expf(st.max - top);
    return scale * grown / fmaf(st.sum, grown, math_expf(sink - top));
}

/* o / sum into the output's heads. */
static void scatter(const exec *e, const plan_step *s, attend_unit u, const attend_scratch *a)
{
    const hparams_layer *l = layer_of(e, s);
    int group = group_of(e, s), n = l->kv_value_dim;
    for (int i = 0; i < u.n_tok * group; i++) {
        float *o = a->o + (size_t)i * (size_t)l->kv_dim;
        int ih = u.ih * group + i % group;
        e->kn->scale(n, share_of(e, a->state[i], s->w[0], ih), o);
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

/* Chunks of keys that the query at pos sees: from *first on, positions up to *end. */
static void chunks_of(const exec *e, int pos, int window, int *first, int *end)
{
    *first = hparams_first_seen(&e->m->hp, window, pos) / KV_CHUNK * KV_CHUNK;
    *end = keys_end(e, pos);
}

/* Which keys of the chunk from position `chunk` on the query at pos sees: queries [iq,
 * iq + n_q). */
static void find_keys(const exec *e, const plan_step *s, int pos, int chunk, int iq,
                      const attend_scratch *a)
{
    int group = group_of(e, s);
    int first = hparams_first_seen(&e->m->hp, hparams_window(&e->m->hp, s->il), pos);
    for (int i = iq; i < iq + group; i++) {
        a->pos[i] = pos - chunk;
        a->first[i] = (int16_t)within_chunk(first - chunk);
        a->last[i] = (int16_t)within_chunk(keys_end(e, pos) - chunk);
    }
}

/* The page of the chunk, when the token sees any of it; else -1. */
static int page_of(const exec *e, int it, int chunk, int window)
{
    int first, end;
    chunks_of(e, e->batch.pos[it], window, &first, &end);
    if (chunk < first || chunk >= end) return -1;
    return e->kv->seq[e->batch.seq[it]].page[chunk / KV_CHUNK];
}

/* Tokens from the i-th of the unit on that have the chunk in one page. */
static int n_together(const exec *e, attend_unit u, int i, int chunk, int window)
{
    int page = page_of(e, u.it + i, chunk, window), n = 1;
    while (i + n < u.n_tok && page_of(e, u.it + i + n, chunk, window) == page) n++;
    return n;
}

/* The chunk from position `chunk` on for n tokens of the unit, from the i-th on, which have it in
 * one page. */
typedef struct {
    attend_unit u;
    int i, n, chunk;
} attend_piece;

/* Where the chunk that the i-th token of the unit has lies in the cache. */
static kv_place place_of(const exec *e, const plan_step *s, attend_unit u, int i, int chunk)
{
    int head = u.ih * layer_of(e, s)->n_kv_head / n_groups(e, s);
    return (kv_place){ s->il, e->batch.seq[u.it + i], chunk, head };
}

/* What the unit reads after the part is asked for meanwhile: the chunk in another page, else the
 * next chunk. */
static void find_next(const exec *e, const plan_step *s, attend_piece p, attend_args *args)
{
    int window = hparams_window(&e->m->hp, s->il), i = p.i + p.n, chunk = p.chunk;
    for (int n = 0; n < 2; n++, i = 0, chunk += KV_CHUNK)
        for (; i < p.u.n_tok; i++)
            if (page_of(e, p.u.it + i, chunk, window) >= 0) {
                kv_place at = place_of(e, s, p.u, i, chunk);
                const unsigned char *keys = kv_chunk(e->kv, at);
                args->next_k = keys;
                args->next_v = keys + e->kv->layer[s->il].value_at;
                kv_base(e->kv, at, &args->next_from); /* that is near already */
                return;
            }
}

/* n_key keys and values of the part for args->n_q queries: those of f16 converted first when there
 * are many, else as they lie, with what is read next asked for meanwhile. */
static void set_rows(const exec *e, const plan_step *s, attend_piece p, int n_key,
                     const attend_scratch *a, attend_args *args)
{
    const kv_cache *kv = e->kv;
    const kv_layer *l = &kv->layer[s->il];
    const kv_place at = place_of(e, s, p.u, p.i, p.chunk);
    args->type = kv->shape.type;
    if (args->type == QT_F16 && args->n_q > DIRECT_QUERIES) {
        size_t n = (size_t)l->head_dim;
        kv_to_f32(kv, e->kn, at, n_key, a->kv);
        /* Rows up to a multiple of 4 are read, though not used; as they are, they may be slow. */
        for (int j = n_key; j % 4 != 0; j++) memset(a->kv + (size_t)j * n, 0, n * sizeof(float));
        args->type = QT_F32;
        args->row_bytes = n * sizeof(float);
        args->k = a->kv;
        args->v = l->value_at > 0 ? a->kv + KV_CHUNK * n : a->kv;
        return;
    }
    args->row_bytes = l->row_bytes;
    const unsigned char *keys = kv_chunk(kv, at), *base = kv_base(kv, at, &args->n_base);
    args->k = keys;
    args->v = keys + l->value_at;
    if (base) args->base_k = base, args->base_v = base + l->value_at;
    find_next(e, s, p, args);
}

static void attend_chunk(const exec *e, const plan_step *s, attend_piece p,
                         const attend_scratch *a)
{
    attend_args args = args_of(e, s, a);
    int group = group_of(e, s), iq = p.i * group, n_key = 0;
    for (int j = p.i; j < p.i + p.n; j++) {
        int pos = e->batch.pos[p.u.it + j], last = within_chunk(keys_end(e, pos) - p.chunk);
        find_keys(e, s, pos, p.chunk, j * group, a);
        if (last > n_key) n_key = last;
    }
    args.n_q = p.n * group;
    set_rows(e, s, p, n_key, a, &args);
    if (args.n_q > DIRECT_QUERIES && args.type == QT_F32) args.packed_q = a->packed_q;
    args.packed_at = iq;
    args.q += (size_t)iq * args.ld_q;
    args.q_codes = a->q_codes + (size_t)iq * args.ld_q;
    args.q_scales = a->q_scales + (size_t)iq * args.ld_q / QT_GROUP;
    args.o += (size_t)iq * args.ld_o;
    args.state += iq;
    args.first += iq;
    args.last += iq;
    args.pos += iq;
    if (args.slope) args.slope += iq;
    e->kn->attend(&args);
}

static void attend_one(const op_ctx *c, const plan_step *s, attend_unit u, const attend_scratch *a)
{
    exec *e = c->e;
    const hparams *hp = &e->m->hp;
    int window = hparams_window(hp, s->il);
    int begin = INT_MAX, end = 0;
    gather_queries(e, s, u, a);
    reset_states(u.n_tok * group_of(e, s), a->state);
    for (int i = 0; i < u.n_tok; i++) {
        int from, to;
        chunks_of(e, e->batch.pos[u.it + i], window, &from, &to);
        if (from < begin) begin = from;
        if (to > end) end = to;
    }
    for (int chunk = begin; chunk < end; chunk += KV_CHUNK)
        for (int i = 0, n; i < u.n_tok; i += n) {
            n = n_together(e, u, i, chunk, window);
            if (page_of(e, u.it + i, chunk, window) >= 0)
                attend_chunk(e, s, (attend_piece){ u, i, n, chunk }, a);
        }
    scatter(e, s, u, a);
}

/* Blocks of nearly equal size: more than fit a unit take when there would not be enough units for
 * all threads. */
static int tokens_per_block(const exec *e, const plan_step *s, int nth)
{
    enum { UNITS_PER_THREAD = 3 };
    const hparams_layer *l = layer_of(e, s);
    int most = tokens_per_unit(l), n_block = (e->n_row + most - 1) / most;
    while (n_block < e->n_row && n_block * l->n_kv_head < UNITS_PER_THREAD * nth) n_block++;
    return (e->n_row + n_block - 1) / n_block;
}

/* ---- one token, its heads cut ---------------------------------------------------------------- */

enum {
    CUT_CHUNKS = 64,    /* chunks of each head whose results wait at a time */
    MIN_CUT_CHUNKS = 8, /* fewer are read before threads have met twice more */
    CHUNKS_AT_ONCE = 4, /* a thread takes at least */
};

/* What the team shares: results [CUT_CHUNKS][n_head], and the heads' running ones. Layers use of it
 * what they need of the longest heads' room. */
typedef struct {
    float *o;            /* [CUT_CHUNKS][n_head][head_dim] */
    attend_state *state; /* [CUT_CHUNKS][n_head] */
    attend_state *total; /* [n_head]; their vectors are the output's */
} attend_parts;

static size_t lay_out_parts(attend_parts *p, const hparams *hp, void *at)
{
    mem_carver c = { at, 0 };
    size_t n = (size_t)hp->n_head;
    p->o = mem_carve(&c, CUT_CHUNKS * n * (size_t)hp->kv_dim, sizeof(float));
    p->state = mem_carve(&c, CUT_CHUNKS * n, sizeof(attend_state));
    p->total = mem_carve(&c, n, sizeof(attend_state));
    return c.used;
}

size_t op_attend_parts_bytes(const exec *e)
{
    attend_parts p;
    if (e->par.n_threads == 1) return 0;
    return lay_out_parts(&p, &e->m->hp, NULL);
}

/* Whether in every layer the heads go evenly into n threads. */
static bool go_evenly(const hparams *hp, int n)
{
    for (int il = 0; il < hp->n_layer; il++)
        if (hp->layer[il].n_kv_head % n != 0) return false;
    return true;
}

/* Bytes of a chunk's keys and values, all heads, in the layer that has most. */
static size_t widest_chunk(const exec *e)
{
    size_t most = 0;
    for (int il = 0; il < e->m->hp.n_layer; il++) {
        const kv_layer *l = &e->kv->layer[il];
        size_t n = (size_t)l->n_kv_head * (l->value_at > 0 ? 2 : 1) * l->chunk_bytes;
        if (n > most) most = n;
    }
    return most;
}

bool op_attend_is_cut(const exec *e)
{
    if (e->n_row != 1 || e->n_used == 1) return false;
    int n_chunk = keys_end(e, e->batch.pos[0]) / KV_CHUNK;
    if (!go_evenly(&e->m->hp, e->n_used)) return n_chunk >= MIN_CUT_CHUNKS;
    return (size_t)n_chunk * widest_chunk(e) / (size_t)e->n_used >= PARTS_LEAST_SHARE;
}

/* The chunks that this thread takes of those from position `begin` on, `n` of each head. */
static void attend_parts_of(const op_ctx *c, const plan_step *s, int begin, int n,
                            const attend_scratch *a, const attend_parts *p)
{
    const hparams_layer *l = layer_of(c->e, s);
    int group = group_of(c->e, s), first, last, had = -1;
    size_t dim = (size_t)l->kv_dim;
    parts_taker by = { .ith = c->ith, .nth = c->nth, .least = CHUNKS_AT_ONCE,
                       .parts = PARTS_STREAM };
    op_share(c, l->n_kv_head * n, &first, &last);
    parts_offer(op_left(c, s), c->ith, first, last);
    while (parts_take(op_left(c, s), &by))
        for (int i = by.first; i < by.last; i++) {
            attend_unit u = { 0, 1, i / n };
            size_t at = (size_t)(i % n) * (size_t)l->n_head + (size_t)(u.ih * group);
            attend_scratch to = *a;
            to.o = p->o + at * dim;
            to.state = p->state + at;
            if (u.ih != had) gather_queries(c->e, s, u, a);
            had = u.ih;
            reset_states(group, to.state);
            attend_chunk(c->e, s, (attend_piece){ u, 0, 1, begin + i % n * KV_CHUNK }, &to);
        }
}

/* Merges n chunks' results of this thread's heads into the output. */
static void merge_parts(const op_ctx *c, const plan_step *s, int n, const attend_parts *p)
{
    const exec *e = c->e;
    const hparams_layer *l = layer_of(e, s);
    int first, last;
    op_share(c, l->n_head, &first, &last);
    for (int ih = first; ih < last; ih++)
        e->kn->attend_merge(&(merge_args){
            .n = l->kv_value_dim, .n_part = n, .chunk = p->state + ih,
            .ld_chunk = (size_t)l->n_head, .part = p->o + (size_t)ih * (size_t)l->kv_dim,
            .ld_part = (size_t)l->n_head * (size_t)l->kv_dim, .state = &p->total[ih],
            .o = op_row(e, s->dst[0], 0) + ih * l->kv_value_dim });
}

static void attend_cut(const op_ctx *c, const plan_step *s, const attend_scratch *a)
{
    const exec *e = c->e;
    const hparams_layer *l = layer_of(e, s);
    int begin, end, first, last;
    attend_parts p;
    lay_out_parts(&p, &e->m->hp, e->attend_parts);
    op_share(c, l->n_head, &first, &last);
    reset_states(last - first, p.total + first);
    chunks_of(e, e->batch.pos[0], hparams_window(&e->m->hp, s->il), &begin, &end);
    for (int n; begin < end; begin += n * KV_CHUNK) {
        n = (end - begin + KV_CHUNK - 1) / KV_CHUNK;
        if (n > CUT_CHUNKS) n = CUT_CHUNKS;
        attend_parts_of(c, s, begin, n, a, &p);
        team_barrier(e->team);
        merge_parts(c, s, n, &p);
        if (begin + n * KV_CHUNK < end) team_barrier(e->team);
    }
    for (int ih = first; ih < last; ih++)
        e->kn->scale(l->kv_value_dim, share_of(e, p.total[ih], s->w[0], ih),
                     op_row(e, s->dst[0], 0) + ih * l->kv_value_dim);
}

/* ---- the step -------------------------------------------------------------------------------- */

/* The heads of one token go as in op_store, round robin. */
static void attend_lone(const op_ctx *c, const plan_step *s, const attend_scratch *a)
{
    for (int ih = c->ith; ih < n_groups(c->e, s); ih += c->nth)
        attend_one(c, s, (attend_unit){ 0, 1, ih }, a);
}

/* Units in the order block of tokens, head: later blocks may see more keys. */
static void attend_many(const op_ctx *c, const plan_step *s, const attend_scratch *a)
{
    exec *e = c->e;
    int n_tok = tokens_per_block(e, s, c->nth), n_group = n_groups(e, s);
    parts_left *left = op_left(c, s);
    parts_deal(left, c->ith, c->nth, (e->n_row + n_tok - 1) / n_tok * n_group);
    for (int i; parts_take_one(left, c->ith, c->nth, &i);) {
        int it = i / n_group * n_tok, n = e->n_row - it < n_tok ? e->n_row - it : n_tok;
        attend_one(c, s, (attend_unit){ it, n, i % n_group }, a);
    }
}

void op_attend(const op_ctx *c, const plan_step *s)
{
    attend_scratch a;
    lay_out(&a, layer_of(c->e, s), op_scratch(c));
    if (c->e->is_cut) attend_cut(c, s, &a);
    else if (c->e->n_row == 1) attend_lone(c, s, &a);
    else attend_many(c, s, &a);
}
