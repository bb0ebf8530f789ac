/* test_kernels_attend.c - attention of one and of many queries: the same bits on every instruction
 * set and however it is cut, near the exact one. */
#include "base/mem.h"
#include "kernel_inputs.h"
#include "quant/block.h"
#include "test.h"
#include <math.h>
#include <stdlib.h>

enum { N_Q = 45, CHUNKS = 3, DIM_MAX = 160 };

typedef struct {
    int dim;
    qtype type;
    size_t row_bytes;
    float q[N_Q * DIM_MAX], k[CHUNKS * KV_CHUNK * DIM_MAX], v[CHUNKS * KV_CHUNK * DIM_MAX];
    uint8_t k_rows[CHUNKS * KV_CHUNK * DIM_MAX * 4], v_rows[CHUNKS * KV_CHUNK * DIM_MAX * 4];
    int first[N_Q], last[N_Q]; /* positions over all chunks */
    float slope[N_Q], cap, scale;
    bool has_slope, is_latent; /* values are the keys */
    const uint8_t *k_base, *v_base; /* where the first n_base rows of each chunk lie */
    int n_base;
} attend_case;

static const uint8_t *values_of(const attend_case *c)
{
    return c->is_latent ? c->k_rows : c->v_rows;
}

static int clamp_chunk(int pos, int chunk)
{
    int at = pos - chunk * KV_CHUNK;
    return at < 0 ? 0 : at > KV_CHUNK ? KV_CHUNK : at;
}

/* The queries as attention over codes takes them. */
typedef struct {
    int16_t codes[N_Q * DIM_MAX];
    float scales[N_Q * DIM_MAX / QT_GROUP];
} query_codes;

static void quant_queries(const lory_kernels *kn, const attend_case *c, query_codes *q)
{
    if (c->type == QT_Q8_0)
        kn->quant_queries(N_Q, c->dim, c->q, (size_t)c->dim, q->codes, q->scales);
}

static void run_attend(const lory_kernels *kn, const attend_case *c, float *o, attend_state *state)
{
    static float scratch[ATTEND_SCRATCH(DIM_MAX)];
    static query_codes codes;
    quant_queries(kn, c, &codes);
    for (int i = 0; i < N_Q; i++) state[i] = (attend_state){ -INFINITY, 0 };
    for (int ic = 0; ic < CHUNKS; ic++) {
        int16_t first[N_Q], last[N_Q];
        int32_t pos[N_Q];
        for (int i = 0; i < N_Q; i++) {
            first[i] = (int16_t)clamp_chunk(c->first[i], ic);
            last[i] = (int16_t)clamp_chunk(c->last[i], ic);
            pos[i] = c->last[i] - 1 - ic * KV_CHUNK;
        }
        const size_t chunk = (size_t)ic * KV_CHUNK * c->row_bytes;
        attend_args a = { .q = c->type == QT_Q8_0 ? NULL : c->q,
                          .ld_q = (size_t)c->dim,
                          .q_codes = codes.codes,
                          .q_scales = codes.scales,
                          .type = c->type,
                          .row_bytes = c->row_bytes,
                          .k = c->k_rows + chunk,
                          .v = values_of(c) + chunk,
                          .base_k = c->n_base > 0 ? c->k_base + chunk : NULL,
                          .base_v = c->n_base > 0 ? c->v_base + chunk : NULL,
                          .n_base = c->n_base,
                          .next_from = c->n_base,
                          .next_k = ic % 2 ? c->k_rows : NULL,
                          .next_v = ic % 2 ? c->v_rows : NULL,
                          .o = o,
                          .ld_o = (size_t)c->dim + 1,
                          .state = state,
                          .first = first,
                          .last = last,
                          .slope = c->has_slope ? c->slope : NULL,
                          .pos = pos,
                          .n_q = N_Q,
                          .head_dim = c->dim,
                          .scale = c->scale,
                          .cap = c->cap,
                          .scratch = scratch };
        kn->attend(&a);
    }
}

static void exact_attend(const attend_case *c, int i, double *o)
{
    double p[CHUNKS * KV_CHUNK], sum = 0, max = -INFINITY;
    for (int j = c->first[i]; j < c->last[i]; j++) {
        double s = 0;
        for (int d = 0; d < c->dim; d++) s += (double)c->q[i * c->dim + d] * c->k[j * c->dim + d];
        s *= c->scale;
        if (c->cap > 0) s = c->cap * tanh(s / c->cap);
        if (c->has_slope) s += c->slope[i] * (j - (c->last[i] - 1));
        p[j] = s;
        max = s > max ? s : max;
    }
    for (int d = 0; d < c->dim; d++) o[d] = 0;
    for (int j = c->first[i]; j < c->last[i]; j++) {
        double e = exp(p[j] - max);
        sum += e;
        for (int d = 0; d < c->dim; d++) o[d] += e * c->v[j * c->dim + d];
    }
    for (int d = 0; d < c->dim; d++) o[d] /= sum;
}

/* How far a result may lie off, since codes are multiplied with what is rounded to 16 bits: scores
 * by the steps of the query, weights by that and by their own. */
static double rounding_of(const attend_case *c, int i)
{
    double score = 0, value = 0;
    for (int j = c->first[i]; j < c->last[i]; j++) {
        double sum = 0, top = 0;
        for (int d = 0; d < c->dim; d++) {
            const int at = i * c->dim + d / QT_GROUP * QT_GROUP;
            for (int e = 0; d % QT_GROUP == 0 && e < QT_GROUP; e++)
                top = fmax(e > 0 ? top : 0, fabs((double)c->q[at + e]));
            sum += top * fabs((double)c->k[j * c->dim + d]);
            value = fmax(value, fabs((double)c->v[j * c->dim + d]));
        }
        score = fmax(score, sum * c->scale);
    }
    return (2 * score + 1) * value / 65534;
}

/* Random rows in the case's type, and what they stand for. */
static void fill_rows(const attend_case *c, float *x, uint8_t *rows)
{
    fill(CHUNKS * KV_CHUNK * DIM_MAX, x);
    for (int j = 0; j < CHUNKS * KV_CHUNK; j++, x += c->dim, rows += c->row_bytes) {
        qtypes[c->type].from_f32(c->dim, x, NULL, rows);
        qtypes[c->type].to_f32(c->dim, rows, x);
    }
}

/* Nonsense in rows [from, to). */
static void spoil_rows(attend_case *c, int from, int to)
{
    const size_t at = (size_t)from * c->row_bytes, n = (size_t)(to - from) * c->row_bytes;
    memset(c->k_rows + at, 0xff, n), memset(c->v_rows + at, 0xff, n);
}

static void new_attend_case(attend_case *c, int round)
{
    static const int dims[] = { 64, 128, 8, 80, 33, 160, 16, 1, 96, 100, 32 };
    static const qtype types[] = { QT_F32, QT_F16, QT_Q8_0 };
    const int begin = round % 4 == 3 ? 20 + rnd_below(60) : 0; /* nobody sees what is before */
    int end = 0;
    c->type = types[round % 3];
    c->dim = dims[round / 3 % 11];
    if (c->type == QT_Q8_0 && c->dim % 32) c->type = QT_F16;
    c->row_bytes = qtype_row_bytes(c->type, c->dim);
    c->has_slope = round % 7 == 1;
    c->cap = round % 4 == 2 ? 5.0f : 0.0f;
    c->scale = 1 / sqrtf((float)c->dim);
    fill(N_Q * DIM_MAX, c->q);
    for (int d = 0; d < 32; d++) c->q[d] *= round % 2 ? 0.0f : 0x1p-120f; /* codes of nothing */
    fill_rows(c, c->k, c->k_rows), fill_rows(c, c->v, c->v_rows);
    c->is_latent = round % 5 == 2;
    if (c->is_latent) memcpy(c->v, c->k, sizeof c->v);
    for (int i = 0; i < N_Q; i++) {
        c->last[i] = begin + 1 + rnd_below(CHUNKS * KV_CHUNK - begin);
        c->first[i] = i % 2 ? begin + rnd_below(c->last[i] - begin) : begin;
        if (i > 0 && i % 5 < round % 5) { /* neighbours that see the same: tiles of each size */
            c->first[i] = c->first[i - 1];
            c->last[i] = c->last[i - 1];
        }
        c->slope[i] = (float)rnd_below(100) * 0.001f;
        if (c->last[i] > end) end = c->last[i];
    }
    spoil_rows(c, 0, begin), spoil_rows(c, end, CHUNKS * KV_CHUNK);
}

/* The same with some of each chunk's rows elsewhere, and nonsense in their place. */
static void move_rows(const attend_case *c, attend_case *moved)
{
    *moved = *c;
    moved->k_base = c->k_rows, moved->v_base = values_of(c);
    moved->n_base = 1 + rnd_below(KV_CHUNK);
    for (int ic = 0; ic < CHUNKS; ic++)
        spoil_rows(moved, ic * KV_CHUNK, ic * KV_CHUNK + moved->n_base);
}

TEST(attention_is_the_same_on_every_isa_and_near_the_exact_one)
{
    static attend_case c, moved;
    static float want[N_Q * (DIM_MAX + 1)], got[N_Q * (DIM_MAX + 1)];
    attend_state state[N_Q], want_state[N_Q];
    isa list[8];
    int n_list = usable_isas(list);
    for (int round = 0; round < 66; round++) {
        new_attend_case(&c, round);
        memset(want, 0, sizeof want);
        run_attend(generic(), &c, want, want_state);
        for (int i = 0; i < N_Q; i++) {
            const double most = 2e-4 + (c.type == QT_Q8_0 ? rounding_of(&c, i) : 0);
            double exact[DIM_MAX];
            exact_attend(&c, i, exact);
            for (int d = 0; d < c.dim; d++) {
                double y = want[i * (c.dim + 1) + d] / want_state[i].sum;
                CHECK(fabs(y - exact[d]) <= most, "dim %d: %g for %g", c.dim, y, exact[d]);
            }
        }
        for (int l = 0; l < n_list; l++) {
            memset(got, 0, sizeof got);
            run_attend(&list[l].kn, &c, got, state);
            CHECK_SAME(got, want, sizeof got, "isa %s, dim %d", list[l].name, c.dim);
            CHECK_SAME(state, want_state, sizeof state, "isa %s", list[l].name);
            move_rows(&c, &moved);
            memset(got, 0, sizeof got);
            run_attend(&list[l].kn, &moved, got, state);
            CHECK_SAME(got, want, sizeof got, "isa %s, %d rows in a base", list[l].name,
                       moved.n_base);
            CHECK_SAME(state, want_state, sizeof state, "isa %s", list[l].name);
        }
    }
}

/* A batch of queries, one after the other and packed, over two chunks of keys. */
enum { MANY_Q = 83, MANY_DIM = 160 };
typedef struct {
    int dim, at, n; /* queries [at, at + n) of MANY_Q are asked */
    float q[MANY_Q * MANY_DIM], packed[96 * MANY_DIM];
    float k[2][KV_CHUNK * MANY_DIM], v[2][KV_CHUNK * MANY_DIM];
    int16_t first[2][MANY_Q], last[2][MANY_Q];
    int32_t pos[MANY_Q];
    float slope[MANY_Q], cap;
    bool has_slope;
} many_case;

static void new_many_case(many_case *c, int round)
{
    static const int dims[] = { 64, 128, 16, 80, 160, 40 };
    c->dim = dims[round % 6];
    c->at = round % 3 ? rnd_below(30) : 0;
    c->n = round % 5 ? 1 + rnd_below(MANY_Q - c->at) : MANY_Q - c->at;
    c->cap = round % 4 == 2 ? 5.0f : 0.0f;
    c->has_slope = round % 7 == 1;
    fill(MANY_Q * MANY_DIM, c->q);
    for (int ic = 0; ic < 2; ic++) {
        int group = 1 + rnd_below(6), last = rnd_below(KV_CHUNK), first = 0;
        fill(KV_CHUNK * MANY_DIM, c->k[ic]), fill(KV_CHUNK * MANY_DIM, c->v[ic]);
        for (int i = 0; i < MANY_Q; i++) {
            if (round % 8 == 3 && i % 20 == 19) first = rnd_below(KV_CHUNK);
            if (i % group == 0) last++;
            c->first[ic][i] = (int16_t)first;
            c->last[ic][i] = (int16_t)(round % 2 || last > KV_CHUNK ? KV_CHUNK : last);
            c->pos[i] = last;
            c->slope[i] = (float)rnd_below(100) * 0.001f;
        }
    }
}

static void run_many(const lory_kernels *kn, const many_case *c, float *o, attend_state *state)
{
    static float scratch[ATTEND_SCRATCH(MANY_DIM)];
    const size_t dim = (size_t)c->dim;
    for (int i = 0; i < MANY_Q; i++) state[i] = (attend_state){ -INFINITY, 0 };
    for (int ic = 0; ic < 2; ic++)
        kn->attend(&(attend_args){
            .q = c->q + (size_t)c->at * dim, .ld_q = dim,
            .packed_q = c->dim % 16 == 0 ? c->packed : NULL, .packed_at = c->at, .type = QT_F32,
            .row_bytes = dim * sizeof(float), .k = c->k[ic], .v = c->v[ic],
            .o = o + (size_t)c->at * dim, .ld_o = dim, .state = state + c->at,
            .first = c->first[ic] + c->at, .last = c->last[ic] + c->at,
            .slope = c->has_slope ? c->slope + c->at : NULL, .pos = c->pos + c->at, .n_q = c->n,
            .head_dim = c->dim, .scale = 0.2f, .cap = c->cap, .scratch = scratch });
}

TEST(attention_of_many_packed_queries_is_the_same_on_every_isa)
{
    static many_case c;
    static float want[MANY_Q * MANY_DIM], got[MANY_Q * MANY_DIM];
    static attend_state state[MANY_Q], want_state[MANY_Q];
    isa list[8];
    int n_list = usable_isas(list);
    for (int round = 0; round < 60; round++) {
        new_many_case(&c, round);
        memset(want, 0, sizeof want);
        run_many(generic(), &c, want, want_state);
        for (int l = 0; l < n_list; l++) {
            memset(got, 0, sizeof got);
            memset(c.packed, 0xff, sizeof c.packed); /* NaN where no query is */
            if (c.dim % 16 == 0)
                list[l].kn.pack_queries(MANY_Q, c.dim, c.q, (size_t)c.dim, c.packed);
            run_many(&list[l].kn, &c, got, state);
            CHECK_SAME(got, want, sizeof got, "isa %s, round %d", list[l].name, round);
            CHECK_SAME(state, want_state, sizeof state, "isa %s, round %d", list[l].name, round);
        }
    }
}

TEST(chunks_merge_outside_as_in_attention)
{
    static attend_case c;
    static float want[N_Q * (DIM_MAX + 1)], got[DIM_MAX];
    attend_state want_state[N_Q];
    isa list[8];
    int n_list = usable_isas(list);
    for (int round = 0; round < 10; round++) {
        new_attend_case(&c, round);
        run_attend(generic(), &c, want, want_state);
        for (int l = 0; l < n_list; l++) {
            attend_state st = { -INFINITY, 0 }, chunk[CHUNKS];
            static query_codes codes;
            float part[CHUNKS][DIM_MAX], scratch[ATTEND_SCRATCH(DIM_MAX)];
            int n_part = 0;
            quant_queries(&list[l].kn, &c, &codes);
            for (int ic = 0; ic < CHUNKS; ic++) {
                int16_t first = (int16_t)clamp_chunk(c.first[0], ic);
                int16_t last = (int16_t)clamp_chunk(c.last[0], ic);
                int32_t pos = c.last[0] - 1 - ic * KV_CHUNK;
                if (first >= last) continue;
                chunk[n_part] = (attend_state){ -INFINITY, 0 };
                list[l].kn.attend(&(attend_args){
                    .q = c.q, .q_codes = codes.codes, .q_scales = codes.scales, .type = c.type,
                    .row_bytes = c.row_bytes,
                    .k = c.k_rows + (size_t)ic * KV_CHUNK * c.row_bytes,
                    .v = values_of(&c) + (size_t)ic * KV_CHUNK * c.row_bytes,
                    .o = part[n_part], .state = &chunk[n_part], .first = &first,
                    .last = &last, .slope = c.has_slope ? c.slope : NULL, .pos = &pos, .n_q = 1,
                    .head_dim = c.dim, .scale = c.scale, .cap = c.cap, .scratch = scratch });
                n_part++;
            }
            list[l].kn.attend_merge(&(merge_args){ .n = c.dim, .n_part = n_part, .chunk = chunk,
                                                   .ld_chunk = 1, .part = part[0],
                                                   .ld_part = DIM_MAX, .state = &st, .o = got });
            CHECK_SAME(got, want, (size_t)c.dim * sizeof *got, "isa %s", list[l].name);
            CHECK_SAME(&st, &want_state[0], sizeof st, "isa %s", list[l].name);
        }
    }
}

/* However many parts there are, and however many at a time. */
TEST(parts_merge_alike_on_every_isa)
{
    enum { PARTS = 150, LD = 164, LD_CHUNK = 3 };
    static const int dims[] = { 64, 160, 7, 80, 100 };
    static float part[PARTS * LD], want[LD], got[LD];
    static attend_state chunk[PARTS * LD_CHUNK];
    isa list[8];
    int n_list = usable_isas(list);
    fill(PARTS * LD, part);
    for (int i = 0; i < PARTS * LD_CHUNK; i++)
        chunk[i] = (attend_state){ (float)rnd_below(2000) * 0.01f - 10,
                                   1 + (float)rnd_below(6000) * 0.01f };
    for (int round = 0; round < 20; round++) {
        attend_state want_state = { -INFINITY, 0 };
        merge_args a = { .n = dims[round % 5], .n_part = 1 + rnd_below(PARTS), .chunk = chunk,
                         .ld_chunk = LD_CHUNK, .part = part, .ld_part = LD,
                         .state = &want_state, .o = want };
        generic()->attend_merge(&a);
        for (int l = 0; l < n_list; l++) {
            attend_state state = { -INFINITY, 0 };
            merge_args b = a;
            b.state = &state, b.o = got;
            for (int i = 0, n; i < a.n_part; i += n) {
                n = 1 + rnd_below(a.n_part - i);
                b.n_part = n, b.chunk = chunk + i * LD_CHUNK, b.part = part + i * LD;
                list[l].kn.attend_merge(&b);
            }
            CHECK_SAME(got, want, (size_t)a.n * sizeof *got, "isa %s", list[l].name);
            CHECK_SAME(&state, &want_state, sizeof state, "isa %s", list[l].name);
        }
    }
}

/* What is not finite is seen in the results that it is part of, and in no other. */
TEST(attention_over_codes_keeps_what_is_not_finite)
{
    enum { QUERY = 3, ROW = 70 };
    static attend_case c;
    static float clean[N_Q * (DIM_MAX + 1)], got[N_Q * (DIM_MAX + 1)];
    attend_state state[N_Q];
    isa list[8];
    int n_list = usable_isas(list);
    static const uint8_t infinite[] = { 0x00, 0x7c };
    for (int l = 0; l < n_list; l++) {
        new_attend_case(&c, 35); /* q8_0, 64 elements */
        REQUIRE(c.type == QT_Q8_0 && c.dim == 64 && !c.is_latent);
        fill_rows(&c, c.k, c.k_rows), fill_rows(&c, c.v, c.v_rows);
        for (int i = 0; i < N_Q; i++) c.first[i] = i % 2 ? 90 : 10, c.last[i] = 150;
        run_attend(&list[l].kn, &c, clean, state);
        memcpy(c.v_rows + ROW * c.row_bytes + sizeof(block_q8_0), infinite, sizeof infinite);
        c.q[QUERY * c.dim + 40] = -INFINITY;
        run_attend(&list[l].kn, &c, got, state);
        for (int i = 0; i < N_Q; i++)
            for (int d = 0; d < c.dim; d++) {
                const int at = i * (c.dim + 1) + d;
                const bool is_seen = i == QUERY || (c.first[i] <= ROW && d >= 32);
                const bool is_nan = isnan(got[at] / state[i].sum);
                CHECK(is_seen ? is_nan : got[at] == clean[at], "isa %s, query %d, element %d: %g",
                      list[l].name, i, d, (double)got[at]);
            }
    }
}
