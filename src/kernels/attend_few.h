/* attend_few.h - attention of up to four queries to a chunk: dimensions in lanes.
 * Layer: kernels. Not a header by itself, see float_lanes.h for v16 and FEW_SUMS.
 *
 * A key or value is converted in registers, once for all queries. Scores are made 16 at a time:
 * their sums meet in one vector, that of key j and query i in lane s j + i (s = 1, 2 or 4 slots of
 * queries), so that one softmax serves all, and so that nothing but sums of vectors is folded. */
#ifndef LORY_KERNELS_ATTEND_FEW_H
#define LORY_KERNELS_ATTEND_FEW_H

#include "kernels/attend_merge.h"
#include "kernels/float_tiles.h"

enum { FEW_QUERIES = 4 };

typedef struct {
    const attend_args *a;
    const float *q;             /* [ceil(head_dim / 16)][nq][16], zeros past the end */
    float *o;                   /* [nq, head_dim], stride ld_o */
    int first, last;            /* rows */
    bool has_next;              /* what is read next is asked for meanwhile */
    float *s;                   /* [KV_CHUNK][slots] and 16 more: scores, then weights */
} few;

/* Three queries lie as four. */
INLINE int slots_of(const int nq)
{
    return nq == 3 ? 4 : nq;
}

/* Bytes before element d of a row. */
INLINE size_t bytes_to(const qtype type, int d)
{
    return (type == QT_F32 ? 4 : 2) * (size_t)d;
}

/* 16 elements from d on. */
INLINE v16 load_kv(const qtype type, const uint8_t *at, const int d)
{
    return type == QT_F32 ? v_load(at + 4 * d) : v_load_f16(at + 2 * d);
}
/* The same, n of them there. */
static v16 load_part_of_kv(qtype type, const uint8_t *at, int d, int n)
{
    if (type == QT_F32) return load_part((const float *)(const void *)at + d, n);
    return n >= 16 ? v_load_f16(at + 2 * d) : load_w_tail(type, at, d, n);
}

/* Asks for n bytes from `at` on, `lines` lines at a time. A prefetch never faults, wherever it
 * points. */
INLINE void ask_for(const int lines, const uint8_t *at, size_t n)
{
    for (const uint8_t *end = at + n; at < end; at += 64 * lines) {
        UNROLL
        for (int i = 0; i < lines; i++) __builtin_prefetch(at + 64 * i, 0, 2);
    }
}

/* ---- scores -------------------------------------------------------------------------------- */

/* Queries and keys from one element on. */
typedef struct {
    const float *q;
    const uint8_t *k, *next;
    size_t row_bytes;
} few_at;

/* Adds the products of 16 elements from d on. */
INLINE void score_step(const bool is_first, const int nq, const int nk, const qtype type, few_at at,
                       const int d, v16 *sum)
{
    const int slots = slots_of(nq);
    v16 qv[FEW_QUERIES];
    UNROLL
    for (int i = 0; i < nq; i++) qv[i] = v_load(at.q + nq * d + 16 * i);
    UNROLL
    for (int j = 0; j < nk; j++) {
        v16 kv = load_kv(type, at.k + (size_t)j * at.row_bytes, d);
        UNROLL
        for (int i = 0; i < nq; i++) {
            v16 *to = &sum[slots * j + i];
            *to = is_first ? v_mul(qv[i], kv) : v_fma(qv[i], kv, *to);
        }
    }
}

/* The same of the last n < 32 elements, once for all numbers of queries. */
static void score_rest(int nq, int nk, qtype type, few_at at, int n, v16 *sum)
{
    for (int d = 0; d < n; d += 16)
        for (int j = 0; j < nk; j++) {
            v16 kv = load_part_of_kv(type, at.k + (size_t)j * at.row_bytes, d, n - d);
            for (int i = 0; i < nq; i++) {
                v16 *to = &sum[slots_of(nq) * j + i];
                *to = v_fma(v_load(at.q + nq * d + 16 * i), kv, *to);
            }
        }
}

/* sum[slots j + i] = the lanes of q_i . k_j. They begin with a product, not with an fma on +0: what
 * differs is the sign of a zero, which no weight sees. */
INLINE void score_dots(const int nq, const int nk, const qtype type, const int dim, few_at at,
                       v16 *sum)
{
    const int n_sum = slots_of(nq) * nk;
    const size_t ask = (size_t)nk * bytes_to(type, 32); /* what a turn reads */
    int d = 32;
    if (nq == 3 || dim < 32) {
        UNROLL
        for (int i = 0; i < n_sum; i++) sum[i] = v_zero();
    }
    if (dim >= 32) {
        if (at.next) ask_for(4, at.next, ask);
        score_step(true, nq, nk, type, at, 0, sum);
        score_step(false, nq, nk, type, at, 16, sum);
    }
    for (; d + 32 <= dim; d += 32) {
        at.q += 32 * nq, at.k += bytes_to(type, 32);
        if (at.next) ask_for(4, at.next += ask, ask);
        score_step(false, nq, nk, type, at, 0, sum);
        score_step(false, nq, nk, type, at, 16, sum);
    }
    if (dim % 32 == 0) return;
    v16 all[FEW_SUMS];
    if (dim >= 32) at.q += 32 * nq, at.k += bytes_to(type, 32);
    UNROLL
    for (int i = 0; i < n_sum; i++) all[i] = sum[i];
    score_rest(nq, nk, type, at, dim % 32, all);
    UNROLL
    for (int i = 0; i < n_sum; i++) sum[i] = all[i];
}

/* Scores of the keys of tiles from row j on, up to `end`, which lie at k. */
INLINE void score_tiles(const int nq, const qtype type, const few *f, const uint8_t *k, int j,
                        int end)
{
    const int slots = slots_of(nq), nk = FEW_SUMS / slots, dim = f->a->head_dim;
    const size_t row_bytes = f->a->row_bytes, from = (size_t)j * row_bytes;
    const uint8_t *next = f->has_next ? (const uint8_t *)f->a->next_k + from : NULL;
    const v16 by = v_set(f->a->scale);
    few_at at = { f->q, k + from, NULL, row_bytes };
    for (; j < end; j += 16 / slots) {
        v16 sum[16];
        at.next = j >= f->a->next_from ? next : NULL;
        for (int i = 0; i < 16; i += FEW_SUMS) {
            v16 part[FEW_SUMS];
            score_dots(nq, nk, type, dim, at, part);
            UNROLL
            for (int l = 0; l < FEW_SUMS; l++) sum[i + l] = part[l];
            at.k += (size_t)nk * row_bytes;
            if (at.next) at.next += (size_t)nk * row_bytes;
        }
        if (next) next += (size_t)(16 / slots) * row_bytes;
        v_store(f->s + slots * j, v_mul(v_fold16(sum), by));
    }
}

/* Tiles are cut at multiples of their size, so that they end where chunks do; scores of keys that
 * no query sees are not used. The one whose rows lie in two places is made twice. */
INLINE void score_rows(const int nq, const qtype type, const few *f)
{
    const attend_args *a = f->a;
    const int slots = slots_of(nq), nk = 16 / slots, n_base = a->n_base;
    int j = f->first / nk * nk;
    for (int turn = j < n_base ? 0 : 1; turn < 2; turn++) {
        const bool is_base = turn == 0;
        float kept[16], *s = f->s + slots * j;
        size_t n_kept = !is_base && j < n_base ? (size_t)(slots * (n_base - j)) : 0;
        memcpy(kept, s, n_kept * sizeof *kept);
        score_tiles(nq, type, f, is_base ? a->base_k : a->k, j,
                    is_base && n_base < f->last ? n_base : f->last);
        memcpy(s, kept, n_kept * sizeof *kept);
        if (n_base >= f->last) break;
        j = n_base / nk * nk;
    }
}

/* ---- weights ------------------------------------------------------------------------------- */

/* What scores, from s on, become before their softmax; i: the first query. */
static void bend_few(int nq, const few *f, int i, float *s)
{
    const attend_args *a = f->a;
    const int slots = slots_of(nq), n = f->last - f->first;
    for (int j = 0; a->cap > 0 && j < slots * n; j += 16)
        v_store(s + j, v_mul(v_set(a->cap), v_tanh(v_div(v_load(s + j), v_set(a->cap)))));
    for (int iq = 0; a->slope && iq < nq; iq++)
        for (int j = 0; j < n; j++) {
            float *at = s + slots * j + iq;
            *at = fmaf(a->slope[i + iq], (float)(f->first + j - a->pos[i + iq]), *at);
        }
}

/* n scores to weights; the chunk's greatest score and the weights' sum of each query, in lanes. */
INLINE void weigh_slots(const int slots, int n, float *s, float *tops, float *sums)
{
    v16 top = v_set(-INFINITY), sum[FEW_QUERIES];
    for (int j = n; j % 16 != 0; j++) s[j] = -INFINITY; /* weighs 0 */
    for (int j = 0; j < n; j += 16) top = v_max(v_load(s + j), top);
    top = v_max(top, v_turn(top, 8));
    top = v_max(top, v_turn(top, 4));
    if (slots <= 2) top = v_max(top, v_turn(top, 2));
    if (slots == 1) top = v_max(top, v_turn(top, 1));
    top = v_add(top, v_zero()); /* 0 for -0 */
    UNROLL
    for (int l = 0; l < slots; l++) sum[l] = v_zero();
    for (int j = 0; j < n; j += 16 * slots) {
        UNROLL
        for (int l = 0; l < slots; l++) {
            if (j + 16 * l < n) {
                v16 p = v_exp(v_sub(v_load(s + j + 16 * l), top));
                v_store(s + j + 16 * l, p);
                sum[l] = v_add(sum[l], p);
            }
        }
    }
    if (slots == 4) sum[0] = v_add(sum[0], sum[2]), sum[1] = v_add(sum[1], sum[3]);
    if (slots >= 2) sum[0] = v_add(sum[0], sum[1]);
    sum[0] = v_add(sum[0], v_turn(sum[0], 8));
    sum[0] = v_add(sum[0], v_turn(sum[0], 4));
    if (slots <= 2) sum[0] = v_add(sum[0], v_turn(sum[0], 2));
    if (slots == 1) sum[0] = v_add(sum[0], v_turn(sum[0], 1));
    v_store(tops, top), v_store(sums, sum[0]);
}

/* The same of n keys for nq queries. */
static void weigh_few(int nq, int n, float *s, attend_state *chunk)
{
    const int slots = slots_of(nq);
    float tops[16], sums[16];
    switch (slots) {
    case 1: weigh_slots(1, slots * n, s, tops, sums); break;
    case 2: weigh_slots(2, slots * n, s, tops, sums); break;
    default: weigh_slots(4, slots * n, s, tops, sums); break;
    }
    for (int i = 0; i < nq; i++) chunk[i] = (attend_state){ tops[i], sums[i] };
}

/* ---- values -------------------------------------------------------------------------------- */

/* nv vectors of 16 elements of each query from d on, into the output. */
static void merge_few(int nq, int nv, const few *f, const merge_by *by, int d, const v16 *sum)
{
    float *o = f->o + d;
    for (int i = 0; i < nq; i++, o += f->a->ld_o)
        for (int e = 0; e < nv; e++) {
            v16 y = *sum++;
            v_store(o + 16 * e, by[i].is_first ? y : merge_values(v_load(o + 16 * e), y, by[i]));
        }
}

/* nv vectors of 16 value elements from d on, weighted. As much of what is read next is asked for as
 * is read. */
INLINE void value_tile(const int nq, const int nv, const qtype type, const few *f,
                       const merge_by *by, int d)
{
    const attend_args *a = f->a;
    const int most = (type == QT_F32 ? 16 : 32) / nv, turn = most < 8 ? most : 8;
    const size_t row_bytes = a->row_bytes, before = bytes_to(type, d);
    const size_t ask = (size_t)turn * bytes_to(type, 32 * nv) / 2;
    const size_t from = (size_t)a->next_from * row_bytes;
    const size_t slice = (size_t)(f->last - f->first) * before;
    const uint8_t *next = f->has_next ? (const uint8_t *)a->next_v + from + slice : NULL;
    const float *p = f->s + slots_of(nq) * f->first;
    v16 sum[16], all[16];
    UNROLL
    for (int i = 0; i < nq * nv; i++) sum[i] = v_zero();
    for (int j = f->first, part; j < f->last;) {
        const uint8_t *v = rows_from(a, a->v, a->base_v, j, f->last, &part) + before;
        while (j < part) {
            const int end = j + turn < part ? j + turn : part;
            if (next && j >= a->next_from) {
                ask_for(4, next, ask);
                next += ask;
            }
            for (; j < end; j++, v += row_bytes, p += slots_of(nq)) {
                v16 vv[8];
                UNROLL
                for (int e = 0; e < nv; e++) vv[e] = load_kv(type, v, 16 * e);
                UNROLL
                for (int i = 0; i < nq; i++) {
                    v16 pv = v_set(p[i]);
                    UNROLL
                    for (int e = 0; e < nv; e++)
                        sum[nv * i + e] = v_fma(pv, vv[e], sum[nv * i + e]);
                }
            }
        }
    }
    UNROLL
    for (int i = 0; i < nq * nv; i++) all[i] = sum[i];
    merge_few(nq, nv, f, by, d, all);
}

/* The last elements from d on; rarely needed, so once for all. */
static void value_tail(int nq, const few *f, const merge_by *by, int d)
{
    const attend_args *a = f->a;
    const int n = a->head_dim - d, slots = slots_of(nq);
    for (int i = 0; i < nq; i++) {
        float *to = f->o + (size_t)i * a->ld_o + d;
        v16 y = v_zero();
        for (int j = f->first, end; j < f->last;) {
            const uint8_t *v = rows_from(a, a->v, a->base_v, j, f->last, &end);
            for (; j < end; j++, v += a->row_bytes)
                y = v_fma(v_set(f->s[slots * j + i]), load_part_of_kv(a->type, v, d, n), y);
        }
        if (!by[i].is_first) y = merge_values(v_load_n(to, n), y, by[i]);
        v_store_n(to, n, y);
    }
}

INLINE void value_rows(const int nq, const qtype type, const few *f, const merge_by *by)
{
    const int dim = f->a->head_dim,
              widest = FEW_SUMS / slots_of(nq) < 8 ? FEW_SUMS / slots_of(nq) : 8;
    int d = 0;
    if (widest >= 8)
        for (; d + 128 <= dim; d += 128) value_tile(nq, 8, type, f, by, d);
    if (widest >= 4)
        for (; d + 64 <= dim; d += 64) value_tile(nq, 4, type, f, by, d);
    if (widest >= 2 && nq <= 2)
        for (; d + 32 <= dim; d += 32) value_tile(nq, 2, type, f, by, d);
    for (; d + 16 <= dim; d += 16) value_tile(nq, 1, type, f, by, d);
    if (d < dim) value_tail(nq, f, by, d);
}

/* ---- the tile ------------------------------------------------------------------------------ */

static void pack_few(int nq, int dim, const float *q, size_t ld_q, float *packed)
{
    for (int d = 0; d < dim; d += 16)
        for (int i = 0; i < nq; i++, packed += 16)
            v_store(packed, load_part(q + (size_t)i * ld_q + d, dim - d));
}

/* nq queries from i on, which see the same keys of the chunk. */
INLINE void attend_few(const int nq, const qtype type, const attend_args *a, int i)
{
    merge_by by[FEW_QUERIES];
    attend_state chunk[FEW_QUERIES];
    const int first = a->first[i], last = a->last[i];
    float *packed = a->scratch + FEW_QUERIES * KV_CHUNK + 16;
    const few f = { .a = a,
                    .q = packed,
                    .o = a->o + (size_t)i * a->ld_o,
                    .first = first,
                    .last = last,
                    .has_next = i == 0 && a->next_k,
                    .s = a->scratch };
    float *s = f.s + slots_of(nq) * first;
    pack_few(nq, a->head_dim, a->q + (size_t)i * a->ld_q, a->ld_q, packed);
    score_rows(nq, type, &f);
    if (a->cap > 0 || a->slope) bend_few(nq, &f, i, s);
    weigh_few(nq, last - first, s, chunk);
    merge_states(nq, chunk, &a->state[i], by);
    value_rows(nq, type, &f, by);
}

#endif
