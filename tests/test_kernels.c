/* test_kernels.c - quantised activations and products: every slot of every instruction set gives
 * the bits of the generic kernels, and those are what kernel.h says. */
#include "base/mem.h"
#include "kernel_inputs.h"
#include "test.h"
#include <math.h>
#include <stdlib.h>

TEST(selection_gives_a_full_table_whose_gemm_knows_its_panels)
{
    isa list[8];
    int n = usable_isas(list);
    CHECK(n > 0 && strcmp(list[n - 1].name, "generic") == 0);
    lory_kernels none;
    CHECK(!kernels_for("no-such-isa", &none));
    for (int i = 0; i < n_isa; i++)
        CHECK(!isas[i].table->gemm_i8 == !isas[i].table->panel_zero
                  && !isas[i].table->gemm_pairs == !isas[i].table->pair_rows,
              "row %d", i);
    for (int i = 0; i < n; i++) {
        const lory_kernels *kn = &list[i].kn;
        CHECK(kn->quant_act && kn->gemm_i8 && kn->attend && kn->dot && kn->f32_to_f16);
        for (int t = 0; t < QT_COUNT; t++) {
            CHECK(kn->to_f32[t]);
            CHECK(qtypes[t].n_sub ? kn->pack[t] != NULL : kn->gemm_f[t] != NULL);
        }
    }
    CHECK(kernels() == kernels() && kernels_isa(NULL));
}

/* ---- activations ----------------------------------------------------------------------------- */

static act_group *quantise(const lory_kernels *kn, int n_tok, int k, const float *x, size_t ld_x)
{
    act_group *act = mem_new(1, act_bytes(n_tok, k));
    act_args a = { .x = x,
                   .ld_x = ld_x,
                   .n_tok = n_tok,
                   .n_group = k / QT_GROUP,
                   .it1 = n_tok,
                   .ig1 = k / QT_GROUP,
                   .act = act };
    kn->quant_act(&a);
    return act;
}

TEST(activation_groups_are_what_the_contract_says)
{
    float x[QT_GROUP];
    for (int round = 0; round < 2000; round++) {
        fill_special(QT_GROUP, x);
        act_group *g = quantise(generic(), 1, QT_GROUP, x, QT_GROUP);
        float m = 0;
        for (int i = 0; i < QT_GROUP; i++) m = fmaxf(m, fabsf(x[i]));
        bool none = m < 0x1p-100f;
        int sum[2] = { 0 };
        for (int i = 0; i < QT_GROUP; i++) {
            float v = none ? 0 : x[i] * (127.0f / m);
            v = v > 127 ? 127 : v < -127 ? -127 : v;
            CHECK(g->q[i] == (int)nearbyintf(v), "x %g of max %g", x[i], m);
            sum[i / 16] += g->q[i];
        }
        CHECK(g->dx == (none ? 0 : m / 127.0f));
        CHECK(g->sum_0 == sum[0] && act_half_sum(g, 1) == sum[1]
              && g->sum_all == sum[0] + sum[1]);
        CHECK(g->start[0] == -128 * sum[0] && g->start[1] == -128 * sum[1]
              && g->start_all == -128 * (sum[0] + sum[1]));
        CHECK(g->magic_all == (none ? 0 : g->start_all + ACT_MAGIC_BITS)
              && g->magic_0 == (none ? 0 : g->start[0] + ACT_MAGIC_BITS));
        mem_free(g);
    }
}

/* The starts of n groups of the generic kernels, as that instruction set has them. */
static void give_starts(const isa *as, size_t n, act_group *g)
{
    for (; strcmp(as->name, "avx2") == 0 && n > 0; n--, g++) {
        unsigned sum[2][2] = { { 0 } }; /* of all, of the first half */
        for (int i = 0; i < QT_GROUP; i++) {
            sum[0][i % 4 / 2] += (unsigned)g->q[i];
            if (i < QT_GROUP / 2) sum[1][i % 4 / 2] += (unsigned)g->q[i];
        }
        for (int i = 0; i < 2; i++) {
            g->pairs_all[i] = (int16_t)(-32 * sum[0][i]);
            g->pairs_0[i] = (int16_t)(-32 * sum[1][i]);
        }
    }
}

TEST(activations_are_the_same_on_every_isa_and_however_they_are_cut)
{
    isa list[8];
    int n = usable_isas(list);
    for (int i = 0; i < n; i++)
        for (int round = 0; round < 60; round++) {
            int n_tok = 1 + rnd_below(40), k = QT_GROUP * (1 + rnd_below(9)),
                n_group = k / QT_GROUP;
            size_t ld = (size_t)(k + rnd_below(3));
            float *x = floats((size_t)n_tok * ld);
            if (round % 2) fill_special((int)((size_t)n_tok * ld), x);
            act_group *want = quantise(generic(), n_tok, k, x, ld);
            act_group *got = mem_new(1, act_bytes(n_tok, k));
            int it = rnd_below(n_tok), ig = rnd_below(n_group);
            act_args a = { .x = x, .ld_x = ld, .n_tok = n_tok, .n_group = n_group, .act = got };
            const int part[4][4] = { { 0, it, 0, n_group },
                                     { it, n_tok, 0, ig },
                                     { it, n_tok, ig, n_group },
                                     { 0, 0, 0, 0 } };
            for (int p = 0; p < 4; p++) {
                a.it0 = part[p][0], a.it1 = part[p][1], a.ig0 = part[p][2], a.ig1 = part[p][3];
                list[i].kn.quant_act(&a);
            }
            give_starts(&list[i], (size_t)(n_tok * n_group), want);
            CHECK_SAME(got, want, act_bytes(n_tok, k), "isa %s", list[i].name);
            mem_free(x), mem_free(want), mem_free(got);
        }
}

/* x is quantised there as by the generic kernels; returns the scale. */
static float scale_as_generic(const isa *as, const float *x)
{
    act_group *got = quantise(&as->kn, 1, QT_GROUP, x, QT_GROUP);
    act_group *want = quantise(generic(), 1, QT_GROUP, x, QT_GROUP);
    give_starts(as, 1, want);
    CHECK_SAME(got, want, sizeof *got, "isa %s: a group that is not finite", as->name);
    const float dx = got->dx;
    mem_free(got), mem_free(want);
    return dx;
}

TEST(activations_that_are_not_finite_show_in_the_scale)
{
    isa list[8];
    int n = usable_isas(list);
    for (int i = 0; i < n; i++)
        for (int at = 0; at < QT_GROUP; at++) {
            float x[QT_GROUP];
            fill(QT_GROUP, x);
            x[at] = NAN;
            CHECK(isnan(scale_as_generic(&list[i], x)), "isa %s", list[i].name);
            x[at] = -INFINITY;
            CHECK(isinf(scale_as_generic(&list[i], x)), "isa %s", list[i].name);
        }
}

/* ---- integer matmul -------------------------------------------------------------------------- */

/* One output by the formula of kernel.h. */
static float product(qtype t, int k, const void *row, const float *x)
{
    const int n_sub = qtypes[t].n_sub, n_group = k / QT_GROUP, len = QT_GROUP / n_sub;
    int8_t *codes = malloc((size_t)k);
    float *scale = malloc((size_t)(n_group * n_sub) * sizeof *scale), acc = 0;
    float *min = malloc((size_t)(n_group * n_sub) * sizeof *min);
    act_group *act = quantise(generic(), 1, k, x, (size_t)k);
    qtypes[t].unpack(k, row, codes, scale, min);
    for (int ig = 0; ig < n_group; ig++) {
        float u = 0;
        for (int s = 0; s < n_sub; s++) {
            int isum = 0;
            for (int i = s * len; i < (s + 1) * len; i++)
                isum += codes[ig * QT_GROUP + i] * act[ig].q[i];
            float d = scale[ig * n_sub + s];
            u = s == 0 ? d * (float)isum : fmaf(d, (float)isum, u);
        }
        for (int s = 0; s < n_sub && qtypes[t].has_min; s++)
            u = fmaf(-min[ig * n_sub + s], n_sub == 2 ? act_half_sum(&act[ig], s) : act[ig].sum_all,
                     u);
        acc = fmaf(act[ig].dx, u, acc);
    }
    free(codes), free(scale), free(min), mem_free(act);
    return acc;
}

static float float_product(qtype t, int k, const void *row, const float *x)
{
    float *w = malloc((size_t)k * sizeof *w);
    qtypes[t].to_f32(k, row, w);
    float y = lanes_dot(k, w, x);
    free(w);
    return y;
}

typedef struct {
    qtype type;
    int n_rows, n_tok, k;
    size_t row_bytes, ld_x, ld_out;
    uint8_t *w;
    float *x, *want; /* [n_tok, ld_x], [n_tok, ld_out] */
} problem;

static problem new_problem(qtype t, int n_rows, int n_tok, int k)
{
    problem p = { .type = t, .n_rows = n_rows, .n_tok = n_tok, .k = k };
    p.row_bytes = qtype_row_bytes(t, k) + (size_t)(rnd_below(3) * qtypes[t].block_bytes);
    p.ld_x = (size_t)(k + rnd_below(5)), p.ld_out = (size_t)(n_rows + rnd_below(20));
    p.w = weights(t, n_rows, k, p.row_bytes);
    p.x = floats((size_t)n_tok * p.ld_x);
    p.want = malloc((size_t)n_tok * p.ld_out * sizeof *p.want);
    memset(p.want, 0x77, (size_t)n_tok * p.ld_out * sizeof *p.want);
    for (int it = 0; it < n_tok; it++)
        for (int ir = 0; ir < n_rows; ir++) {
            const void *row = p.w + (size_t)ir * p.row_bytes;
            const float *x = p.x + (size_t)it * p.ld_x;
            p.want[(size_t)it * p.ld_out + (size_t)ir] =
                qtypes[t].n_sub ? product(t, k, row, x) : float_product(t, k, row, x);
        }
    return p;
}

static void free_problem(problem *p)
{
    free(p->w), mem_free(p->x), free(p->want);
}

/* The product by `run` of one table, which must be p->want and touch nothing beside it. */
static void check_product(const problem *p, const isa *is, const char *how,
                          void (*run)(const lory_kernels *kn, const matmul_args *a))
{
    size_t n_out = (size_t)p->n_tok * p->ld_out;
    float *out = malloc(n_out * sizeof *out);
    memset(out, 0x77, n_out * sizeof *out);
    bool is_int = qtypes[p->type].n_sub > 0;
    act_group *act = is_int ? quantise(&is->kn, p->n_tok, p->k, p->x, p->ld_x) : NULL;
    void *scratch = mem_new(1, matmul_scratch_bytes());
    matmul_args a = { .w = p->w,
                      .row_bytes = p->row_bytes,
                      .type = p->type,
                      .n_rows = p->n_rows,
                      .k = p->k,
                      .act = act,
                      .x = is_int ? NULL : p->x,
                      .ld_x = p->ld_x,
                      .n_tok = p->n_tok,
                      .out = out,
                      .ld_out = p->ld_out,
                      .scratch = scratch };
    run(&is->kn, &a);
    CHECK_SAME(out, p->want, n_out * sizeof *out, "%s of isa %s: %s, %d rows, %d tokens, k %d", how,
               is->name, qtypes[p->type].name, p->n_rows, p->n_tok, p->k);
    free(out), mem_free(act), mem_free(scratch);
}

static void run_gemv(const lory_kernels *kn, const matmul_args *a)
{
    kn->gemv[a->type](a);
}

static void run_few(const lory_kernels *kn, const matmul_args *a)
{
    kn->few[a->type](a);
}

/* pack and gemm_i8 or gemm_pairs alone, k in two parts where it has two blocks. */
static void pack_and_spend(const lory_kernels *kn, const matmul_args *a, bool in_pairs)
{
    const int n_group = a->k / QT_GROUP, per_block = qtypes[a->type].block_elems / QT_GROUP;
    const int cut[3] = { 0, n_group / 2 / per_block * per_block, n_group };
    for (int part = 0; part < 2; part++) {
        int ig0 = cut[part], ig1 = cut[part + 1];
        if (ig0 == ig1) continue;
        size_t panel_bytes = (size_t)(ig1 - ig0) * panel_group_bytes(a->type);
        char *panels = mem_new((size_t)(a->n_rows / PANEL_ROWS), panel_bytes);
        for (int ir = 0; ir < a->n_rows; ir += PANEL_ROWS) {
            pack_args p = { .type = a->type,
                            .zero = kn->panel_zero(a->type),
                            .n_rows = PANEL_ROWS,
                            .ig0 = ig0,
                            .ig1 = ig1,
                            .w = (const char *)a->w + (size_t)ir * a->row_bytes,
                            .row_bytes = a->row_bytes,
                            .panel = panels + (size_t)(ir / PANEL_ROWS) * panel_bytes };
            kn->pack[a->type](&p);
            if (in_pairs) kn->pair_rows(a->type, ig1 - ig0, p.panel);
        }
        gemm_args g = { .type = a->type,
                        .n_rows = a->n_rows,
                        .n_tok = a->n_tok,
                        .n_group = n_group,
                        .ig0 = ig0,
                        .ig1 = ig1,
                        .panels = panels,
                        .act = a->act,
                        .out = a->out,
                        .ld_out = a->ld_out };
        (in_pairs ? kn->gemm_pairs : kn->gemm_i8)(&g);
        mem_free(panels);
    }
}

static void run_panels(const lory_kernels *kn, const matmul_args *a)
{
    pack_and_spend(kn, a, false);
}

static void run_pairs(const lory_kernels *kn, const matmul_args *a)
{
    pack_and_spend(kn, a, true);
}

/* Tokens in tiles, made in two parts. */
static void run_tiles(const lory_kernels *kn, const matmul_args *a)
{
    const int half = a->n_tok / 2 / X_QUAD * X_QUAD;
    x_args x = { .x = a->x, .ld_x = a->ld_x, .n_tok = a->n_tok, .k = a->k, .it1 = half };
    matmul_args tiled = *a;
    x.tiles = mem_new(16 * x_sum_floats(a->n_tok, a->k), sizeof *x.tiles);
    kn->tile_x(&x);
    x.x += (size_t)half * a->ld_x, x.it0 = half, x.it1 = a->n_tok;
    kn->tile_x(&x);
    tiled.x = NULL, tiled.x_tiles = x.tiles;
    matmul(kn, &tiled);
    mem_free(x.tiles);
}

static void check_all_ways(const problem *p)
{
    isa list[8];
    int n = usable_isas(list);
    for (int i = 0; i < n; i++) {
        check_product(p, &list[i], "matmul", matmul);
        if (qtypes[p->type].n_sub == 0 && p->k <= X_MOST_K && list[i].kn.gemm_tiles[p->type])
            check_product(p, &list[i], "tiles", run_tiles);
        if (qtypes[p->type].n_sub == 0 || p->n_rows % PANEL_ROWS) continue;
        check_product(p, &list[i], "panels", run_panels);
        if (list[i].kn.gemm_pairs) check_product(p, &list[i], "pairs", run_pairs);
        if (list[i].kn.gemv[p->type] && p->n_tok == 1) check_product(p, &list[i], "gemv", run_gemv);
        if (list[i].kn.few_most && p->n_tok > 1 && p->n_tok <= list[i].kn.few_most(p->type))
            check_product(p, &list[i], "few", run_few);
    }
}

TEST(products_of_every_type_are_the_formula_on_every_isa)
{
    static const int n_rows[] = { 16, 1, 17, 32, 48, 5, 80, 31, 16, 64 };
    for (int t = 0; t < QT_COUNT; t++)
        for (int i = 0; i < 10; i += test_stride(4)) {
            int block = qtypes[t].block_elems;
            int n_tok = i < 5 ? 1 + i : 1 + rnd_below(40), k = block * (1 + rnd_below(3));
            if (block == 1) k = 1 + rnd_below(300);
            problem p = new_problem((qtype)t, n_rows[i], n_tok, k);
            check_all_ways(&p);
            free_problem(&p);
        }
}

TEST(products_of_every_number_of_tokens_are_the_formula_on_every_isa)
{
    static const qtype types[] = { QT_Q4_0, QT_Q4_K, QT_Q6_K, QT_Q2_K, QT_F32, QT_F16, QT_BF16 };
    for (int t = 0; t < 7; t++)
        for (int n_tok = 1; n_tok <= 40; n_tok += test_stride(6)) {
            problem p = new_problem(types[t], n_tok % 3 ? 32 : 48, n_tok, 256);
            check_all_ways(&p);
            free_problem(&p);
        }
}

TEST(products_of_less_than_a_panel_of_rows_are_the_formula_for_several_tokens)
{
    static const qtype types[] = { QT_Q8_0, QT_Q4_K, QT_Q6_K, QT_Q2_K };
    static const int n_rows[] = { 1, 7, 8, 13 }, n_tok[] = { 6, 9, 25, 31 };
    for (int t = 0; t < 4; t++)
        for (int i = 0; i < 4; i++) {
            problem p = new_problem(types[t], n_rows[i], n_tok[(i + t) % 4], 256 * (1 + i));
            check_all_ways(&p);
            free_problem(&p);
        }
}

TEST(products_of_one_token_are_the_formula_for_every_row_length)
{
    for (int t = 0; t < QT_COUNT; t++)
        for (int n = 1; n <= (qtypes[t].block_elems == 256 ? 3 : 11); n++) {
            problem p = new_problem((qtype)t, 16 * (1 + n % 3), 1,
                                    n * (qtypes[t].n_sub ? qtypes[t].block_elems : 37));
            check_all_ways(&p);
            free_problem(&p);
        }
}

/* All bits alike in the codes of the rows; scales stay as they are. */
static void fill_codes(problem *p, uint8_t filler)
{
    const size_t n_block = (size_t)qtypes[p->type].block_bytes;
    for (size_t at = 0; at < (size_t)p->n_rows * p->row_bytes; at += n_block) {
        uint8_t keep[512], *block = p->w + at;
        memcpy(keep, block, n_block);
        memset(block, filler, n_block);
        for (int s = 0; s < 2; s++)
            if (half_at[p->type][s] >= 0)
                memcpy(block + half_at[p->type][s], keep + half_at[p->type][s], 2);
        if (p->type == QT_MXFP4) block[0] = keep[0];
        if (p->type == QT_IQ1_M) block[55] = 0x2f;
    }
}

/* Such codes and activations at their limits: the greatest sums there are. */
static void check_extremes(qtype type, uint8_t filler, bool alike)
{
    enum { ROWS = 16, TOKENS = 4, K = 256 };
    problem p = { .type = type,
                  .n_rows = ROWS,
                  .n_tok = TOKENS,
                  .k = K,
                  .ld_x = K,
                  .ld_out = ROWS,
                  .row_bytes = qtype_row_bytes(type, K) };
    p.w = weights(type, ROWS, K, p.row_bytes);
    fill_codes(&p, filler);
    p.x = floats(TOKENS * K);
    for (int i = 0; i < TOKENS * K; i++) p.x[i] = alike ? 1.0f : (i / 2) % 2 ? -3.0f : 3.0f;
    p.want = floats(TOKENS * ROWS);
    for (int i = 0; i < TOKENS * ROWS; i++)
        p.want[i] = product(type, K, p.w + (size_t)(i % ROWS) * p.row_bytes, p.x + i / ROWS * K);
    check_all_ways(&p);
    p.n_tok = 1;
    check_all_ways(&p);
    free(p.w), mem_free(p.x), mem_free(p.want);
}

TEST(products_of_extreme_codes_do_not_overflow)
{
    static const uint8_t fillers[] = { 0x00, 0xff, 0x0f, 0xf0, 0x80, 0x7f, 0x81, 0x55 };
    for (int t = 0; t < QT_COUNT; t++)
        for (int f = 0; f < 8 && qtypes[t].n_sub; f++) {
            check_extremes((qtype)t, fillers[f], false);
            check_extremes((qtype)t, fillers[f], true);
        }
}

/* A scale without end in one group of one row; a row and a token of nothing but zeros, whose sign
 * must not be lost: the places where the sums that need no conversion do not hold. */
TEST(products_with_infinite_scales_and_zeros_are_the_formula_on_every_isa)
{
    static const qtype types[] = { QT_Q4_0, QT_Q8_0, QT_MXFP4, QT_Q4_K, QT_Q6_K };
    for (int t = 0; t < 5; t++) {
        problem p = new_problem(types[t], 48, 14, 256);
        const qtype_row *type = &qtypes[p.type];
        uint8_t *scale = p.w + 37 * p.row_bytes + (t == 2 ? 0 : half_at[p.type][0]);
        if (t == 2) scale[0] = 254;
        else if (t < 2) scale[0] = 0, scale[1] = 0x7c;
        memset(p.w + 5 * p.row_bytes, 0, p.row_bytes);
        for (int i = 0; i < p.k; i++) p.x[3 * p.ld_x + (size_t)i] = i % 2 ? -0.0f : 0.0f;
        for (int i = 0; i < p.n_tok * p.n_rows; i++) {
            size_t it = (size_t)(i / p.n_rows), ir = (size_t)(i % p.n_rows);
            p.want[it * p.ld_out + ir] =
                product(p.type, p.k, p.w + ir * p.row_bytes, p.x + it * p.ld_x);
        }
        CHECK(t > 2 || isinf(p.want[37]), "%s", type->name);
        check_all_ways(&p);
        free_problem(&p);
    }
}

/* One token, where a scale meets a sum before d does: d without end on either side (codes and
 * scales that leave no NaN), scales of nothing, rows of nothing. */
TEST(one_token_of_16_weights_a_scale_is_the_formula_where_scales_have_no_end)
{
    static const struct {
        qtype type;
        int filler;
    } types[] = { { QT_Q6_K, 0x55 }, { QT_Q3_K, 0 }, { QT_Q2_K, 0x55 } };
    enum { K = 512, ROWS = 32 };
    for (int t = 0; t < 3; t++) {
        problem p = new_problem(types[t].type, ROWS, 1, K);
        const size_t block = (size_t)qtypes[p.type].block_bytes;
        for (int i = 0; i < K; i++) p.x[i] = i < K / 2 ? 1.0f : (float)(i % 7 - 3);
        for (int side = 0; side < 2; side++) {
            uint8_t *row = p.w + (size_t)(side ? 21 : 7) * p.row_bytes;
            memset(row, types[t].filler, block);
            row[half_at[p.type][0]] = 0, row[half_at[p.type][0] + 1] = side ? 0xfc : 0x7c;
        }
        memset(p.w + 3 * p.row_bytes, 0, p.row_bytes);
        for (size_t at = 12 * p.row_bytes; at < 13 * p.row_bytes; at += block)
            memset(p.w + at, 0, block), p.w[at + (size_t)half_at[p.type][0] + 1] = 0x3c; /* d = 1 */
        for (int i = 0; i < ROWS; i++)
            p.want[i] = product(p.type, K, p.w + (size_t)i * p.row_bytes, p.x);
        CHECK(isinf(p.want[7]) && isinf(p.want[21]) && p.want[7] == -p.want[21], "%s: %g %g",
              qtypes[p.type].name, (double)p.want[7], (double)p.want[21]);
        check_all_ways(&p);
        free_problem(&p);
    }
}

TEST(long_rows_are_cut_into_slices_with_the_same_bits)
{
    static const qtype types[] = { QT_Q4_0, QT_Q6_K, QT_Q2_K, QT_F32, QT_F16, QT_BF16 };
    for (int t = 0; t < 6; t++) {
        problem p = new_problem(types[t], t < 3 ? 48 : 39, 13, 256 * 70 + (t < 3 ? 0 : t));
        check_all_ways(&p);
        free_problem(&p);
    }
}

/* Rows so long that floats go by four parts of their sums: more rows than a set has, and more
 * tokens than can wait for the last part. */
TEST(long_rows_of_floats_are_cut_into_parts_with_the_same_bits)
{
    static const int shape[][2] = { { 71, 13 }, { 3, 541 }, { 65, 4 } }; /* rows, tokens */
    for (int t = QT_F32; t <= QT_BF16; t++)
        for (int i = 0; i < 3; i += test_stride(2)) {
            problem p = new_problem((qtype)t, shape[i][0], shape[i][1], 6003 + 16 * i);
            check_all_ways(&p);
            free_problem(&p);
        }
}

TEST(products_of_a_few_tokens_are_the_formula_for_any_number_of_them)
{
    static const int n_rows[] = { 16, 33, 48, 80 };
    for (int t = 0; t < QT_COUNT; t++)
        for (int n = 2; n <= MATMUL_FEW_TOK + 1 && qtypes[t].n_sub > 0; n += test_stride(3)) {
            const int n_block = qtypes[t].block_elems == QT_GROUP ? 1 + rnd_below(11) : 1 + n % 3;
            problem p = new_problem((qtype)t, n_rows[(n + t) % 4], n,
                                    qtypes[t].block_elems * n_block);
            check_all_ways(&p);
            free_problem(&p);
        }
}

/* Few tokens pass their weights through the first level cache, more share panels: rows of more
 * than one panel and a half, slices of unequal length. */
TEST(products_are_the_formula_on_both_sides_of_the_number_of_tokens_that_stream)
{
    static const struct {
        qtype type;
        int n_tok, k;
    } shapes[] = { { QT_Q8_0, 33, 32 * 18 },
                   { QT_Q5_1, 9, 32 * 37 },
                   { QT_Q4_K, 17, 256 * 9 },
                   { QT_Q4_0, MATMUL_STREAM_TOK + 1, 32 * 65 },
                   { QT_Q6_K, MATMUL_STREAM_TOK + 13, 256 * 9 } };
    for (int i = 0; i < 5; i++) {
        problem p = new_problem(shapes[i].type, 56, shapes[i].n_tok, shapes[i].k);
        check_all_ways(&p);
        free_problem(&p);
    }
}

TEST(float_products_pass_in_blocks_of_tokens_with_the_same_bits)
{
    /* many blocks; fewer tokens than usual in each; rows of which not even one token is copied */
    static const int n_tok[] = { 101, 25, 3 }, k[] = { 77, 4093, 200003 };
    for (int t = 0; t < QT_COUNT; t++)
        for (int i = 0; i < 3 && qtypes[t].n_sub == 0; i++) {
            problem p = new_problem((qtype)t, i < 2 ? 13 : 5, n_tok[i], k[i]);
            check_all_ways(&p);
            free_problem(&p);
        }
}

TEST(float_products_of_tiles_have_the_same_bits_for_every_cut_of_rows_and_steps)
{
    /* whole rows, even and odd sums, sets of 16 rows; more than a block of tokens, tiles of 4, 8 */
    static const struct {
        int n_rows, n_tok, k;
    } shapes[] = { { 70, 53, 100 }, { 45, 9, 2100 }, { 33, 6, 5000 }, { 21, 3, X_MOST_K } };
    for (int t = 0; t < QT_COUNT; t++)
        for (int i = 0; i < 4 && qtypes[t].n_sub == 0; i++) {
            problem p = new_problem((qtype)t, shapes[i].n_rows, shapes[i].n_tok, shapes[i].k);
            check_all_ways(&p);
            free_problem(&p);
        }
}

TEST(panels_are_the_formats_own_codes_with_any_offset)
{
    isa list[8];
    int n = usable_isas(list);
    static const uint8_t zeros[] = { 0, 128, 8, 77 };
    for (int i = 0; i < n; i++)
        for (int t = 0; t < QT_COUNT; t++)
            for (int z = 0; z < 4 && qtypes[t].n_sub; z++) {
                const int k = 3 * qtypes[t].block_elems, per_block = qtypes[t].block_elems / 32;
                size_t bytes = (size_t)(k / QT_GROUP) * panel_group_bytes((qtype)t);
                problem p = { .row_bytes = qtype_row_bytes((qtype)t, k) };
                p.w = weights((qtype)t, PANEL_ROWS, k, p.row_bytes);
                void *got = mem_new(1, bytes), *want = mem_new(1, bytes);
                pack_args a = { .type = (qtype)t,
                                .zero = zeros[z],
                                .n_rows = PANEL_ROWS,
                                .ig0 = z % 3 * per_block,
                                .ig1 = 3 * per_block,
                                .w = p.w,
                                .row_bytes = p.row_bytes,
                                .panel = got };
                list[i].kn.pack[t](&a);
                a.panel = want;
                generic()->pack[t](&a);
                CHECK_SAME(got, want, bytes, "isa %s, %s", list[i].name, qtypes[t].name);
                free(p.w), mem_free(got), mem_free(want);
            }
}

TEST(panels_of_mxfp4_have_every_power_of_two)
{
    isa list[8];
    int n = usable_isas(list);
    for (int i = 0; i < n; i++)
        for (int e = 0; e < 256; e += PANEL_ROWS) {
            uint8_t w[PANEL_ROWS][17];
            for (int r = 0; r < PANEL_ROWS; r++) {
                fill_block(QT_MXFP4, w[r]);
                w[r][0] = (uint8_t)(e + r);
            }
            size_t bytes = panel_group_bytes(QT_MXFP4);
            void *got = mem_new(1, bytes), *want = mem_new(1, bytes);
            pack_args a = { .type = QT_MXFP4,
                            .n_rows = PANEL_ROWS,
                            .ig1 = 1,
                            .w = w,
                            .row_bytes = 17,
                            .panel = got };
            list[i].kn.pack[QT_MXFP4](&a);
            a.panel = want;
            generic()->pack[QT_MXFP4](&a);
            CHECK_SAME(got, want, bytes, "isa %s, from 2^%d", list[i].name, e - 128);
            mem_free(got), mem_free(want);
        }
}

TEST(products_are_near_the_exact_ones)
{
    for (int t = 0; t < QT_COUNT; t++) {
        const int k = 1024;
        size_t row_bytes = qtype_row_bytes((qtype)t, k);
        uint8_t *row = weights((qtype)t, 1, k, row_bytes);
        float *x = floats((size_t)k), *w = floats((size_t)k);
        qtypes[t].to_f32(k, row, w);
        double exact = 0, size = 0;
        for (int i = 0; i < k; i++) {
            exact += (double)w[i] * (double)x[i];
            size += fabs((double)w[i] * (double)x[i]);
        }
        float y =
            qtypes[t].n_sub ? product((qtype)t, k, row, x) : float_product((qtype)t, k, row, x);
        double bound = qtypes[t].n_sub ? 0.02 : 1e-6;
        CHECK(fabs(y - exact) <= bound * size, "%s: %g for %g, of terms %g", qtypes[t].name, y,
              exact, size);
        free(row), mem_free(x), mem_free(w);
    }
}

/* ---- peaks --------------------------------------------------------------------------------- */

TEST(peaks_say_how_much_they_did)
{
    isa list[8];
    int n_list = usable_isas(list);
    for (int i = 0; i < n_list; i++) {
        CHECK(list[i].kn.peak_i8(1000) >= 1000);
        CHECK(list[i].kn.peak_f32(1000) >= 1000);
        CHECK(list[i].kn.peak_i8(2000) == 2 * list[i].kn.peak_i8(1000));
    }
}
