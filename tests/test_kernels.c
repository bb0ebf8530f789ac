/* test_kernels.c - every slot of every instruction set gives the bits of the generic kernels, and
 * those are what kernel.h says. */
#include "base/mem.h"
#include "kernels/kernel.h"
#include "test.h"
#include <math.h>
#include <stdlib.h>

/* ---- random inputs -------------------------------------------------------------------------- */

static uint64_t rng_state = 88172645463325252u;

static uint32_t rnd(void)
{
    rng_state ^= rng_state << 13, rng_state ^= rng_state >> 7, rng_state ^= rng_state << 17;
    return (uint32_t)(rng_state >> 16);
}

static int rnd_below(int n)
{
    return (int)(rnd() % (uint32_t)n);
}

/* About normal, sometimes large. */
static float rnd_float(void)
{
    float s = 0;
    for (int i = 0; i < 4; i++) s += (float)(rnd() & 0xffff) * 0x1p-16f - 0.5f;
    return rnd() % 50 ? 2 * s : 40 * s;
}

static void fill(int n, float *x)
{
    for (int i = 0; i < n; i++) x[i] = rnd_float();
}

/* The same with zeros of both signs, the smallest and the largest finite numbers in it. */
static void fill_special(int n, float *x)
{
    static const float special[] = { 0.0f,     -0.0f,  1e-45f, -1e-40f,  0x1p-126f, 0x1p-101f,
                                     -3.0e38f, 1e38f,  1e-20f, 88.7f,    -103.9f,   0.5f,
                                     127.0f,   -65504, 1.0f,   0x1p-100f };
    for (int i = 0; i < n; i++) x[i] = rnd() % 3 ? rnd_float() : special[rnd() % 16];
}

static float *floats(size_t n)
{
    float *x = mem_new(n + 1, sizeof *x);
    fill((int)n, x);
    return x;
}

/* Where the half floats of a block are, -1 for none. */
static const int half_at[QT_COUNT][2] = {
    [QT_Q4_0] = { 0, -1 },    [QT_Q4_1] = { 0, 2 },    [QT_Q5_0] = { 0, -1 },
    [QT_Q5_1] = { 0, 2 },     [QT_Q8_0] = { 0, -1 },   [QT_Q2_K] = { 80, 82 },
    [QT_Q3_K] = { 108, -1 },  [QT_Q4_K] = { 0, 2 },    [QT_Q5_K] = { 0, 2 },
    [QT_Q6_K] = { 208, -1 },  [QT_IQ1_S] = { 0, -1 },  [QT_IQ1_M] = { -1, -1 },
    [QT_IQ2_XXS] = { 0, -1 }, [QT_IQ2_XS] = { 0, -1 }, [QT_IQ2_S] = { 0, -1 },
    [QT_IQ3_XXS] = { 0, -1 }, [QT_IQ3_S] = { 0, -1 },  [QT_IQ4_NL] = { 0, -1 },
    [QT_IQ4_XS] = { 0, -1 },  [QT_TQ1_0] = { 52, -1 }, [QT_TQ2_0] = { 64, -1 },
    [QT_MXFP4] = { -1, -1 },
};

/* A half float of 2^-6 .. 2^-2, either sign. */
static uint16_t rnd_half(void)
{
    return (uint16_t)((rnd() & 0x8000) | (0x2400 + (rnd() & 0x0fff)));
}

/* Random bits but for the scales, which stay sane. */
static void fill_block(qtype t, uint8_t *block)
{
    for (int i = 0; i < qtypes[t].block_bytes; i++) block[i] = (uint8_t)rnd();
    for (int s = 0; s < 2 && qtypes[t].n_sub; s++) {
        uint16_t h = rnd_half();
        if (half_at[t][s] >= 0) memcpy(block + half_at[t][s], &h, sizeof h);
    }
    if (t == QT_MXFP4) block[0] = (uint8_t)(115 + rnd_below(16));
    if (t == QT_IQ1_M) block[55] = (uint8_t)(0x20 | (block[55] & 0x8f)); /* the top of d */
    if (t == QT_F16 || t == QT_BF16) {
        uint16_t h = t == QT_F16 ? f32_to_f16(rnd_float()) : f32_to_bf16(rnd_float());
        memcpy(block, &h, sizeof h);
    }
    if (t == QT_F32) {
        float f = rnd_float();
        memcpy(block, &f, sizeof f);
    }
}

/* n_rows rows of k weights, row_bytes apart, ending where the block of memory does, so that a
 * sanitizer sees a read past the last row. */
static uint8_t *weights(qtype t, int n_rows, int k, size_t row_bytes)
{
    size_t used = (size_t)(n_rows - 1) * row_bytes + qtype_row_bytes(t, k);
    uint8_t *w = malloc(used);
    for (int ir = 0; ir < n_rows; ir++)
        for (size_t at = 0; at < qtype_row_bytes(t, k); at += (size_t)qtypes[t].block_bytes)
            fill_block(t, w + (size_t)ir * row_bytes + at);
    return w;
}

/* ---- the instruction sets of this machine ---------------------------------------------------- */

typedef struct {
    const char *name;
    lory_kernels kn;
} isa;

/* The usable ones by name, the generic one last. */
static int usable_isas(isa out[8])
{
    int n = 0;
    for (int i = 0; i < n_isa; i++) {
        if (n && strcmp(out[n - 1].name, isas[i].name) == 0) continue;
        out[n].name = isas[i].name;
        if (kernels_for(isas[i].name, &out[n].kn)) n++;
    }
    return n;
}

static const lory_kernels *generic(void)
{
    static lory_kernels kn;
    if (!kernels_for("generic", &kn)) abort();
    return &kn;
}

TEST(selection_gives_a_full_table_whose_gemm_knows_its_panels)
{
    isa list[8];
    int n = usable_isas(list);
    CHECK(n > 0 && strcmp(list[n - 1].name, "generic") == 0);
    lory_kernels none;
    CHECK(!kernels_for("no-such-isa", &none));
    for (int i = 0; i < n_isa; i++)
        CHECK(!isas[i].table->gemm_i8 == !isas[i].table->panel_zero, "row %d", i);
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
            CHECK_SAME(got, want, act_bytes(n_tok, k), "isa %s", list[i].name);
            mem_free(x), mem_free(want), mem_free(got);
        }
}

static void check_as_generic(act_group *g, const float *x)
{
    act_group *want = quantise(generic(), 1, QT_GROUP, x, QT_GROUP);
    CHECK_SAME(g, want, sizeof *g, "a group that is not finite");
    mem_free(g), mem_free(want);
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
            act_group *g = quantise(&list[i].kn, 1, QT_GROUP, x, QT_GROUP);
            CHECK(isnan(g->dx), "isa %s", list[i].name);
            check_as_generic(g, x);
            x[at] = -INFINITY;
            g = quantise(&list[i].kn, 1, QT_GROUP, x, QT_GROUP);
            CHECK(isinf(g->dx), "isa %s", list[i].name);
            check_as_generic(g, x);
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

/* 16 lanes over k, then the fold. */
static float lanes_dot(int n, const float *a, const float *b)
{
    float lane[16] = { 0 };
    for (int i = 0; i < (n + 15) / 16 * 16; i++)
        lane[i % 16] = fmaf(i < n ? a[i] : 0, i < n ? b[i] : 0, lane[i % 16]);
    for (int half = 8; half; half /= 2)
        for (int j = 0; j < half; j++) lane[j] += lane[j + half];
    return lane[0];
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

/* pack and gemm_i8 alone, k in two parts where it has two blocks. */
static void run_panels(const lory_kernels *kn, const matmul_args *a)
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
        kn->gemm_i8(&g);
        mem_free(panels);
    }
}

static void check_all_ways(const problem *p)
{
    isa list[8];
    int n = usable_isas(list);
    for (int i = 0; i < n; i++) {
        check_product(p, &list[i], "matmul", matmul);
        if (qtypes[p->type].n_sub == 0 || p->n_rows % PANEL_ROWS) continue;
        check_product(p, &list[i], "panels", run_panels);
        if (list[i].kn.gemv[p->type] && p->n_tok == 1) check_product(p, &list[i], "gemv", run_gemv);
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

/* All bits alike in the codes, activations at their limits: the greatest sums there are. */
TEST(products_of_extreme_codes_do_not_overflow)
{
    static const uint8_t fillers[] = { 0x00, 0xff, 0x0f, 0xf0, 0x80, 0x7f, 0x81, 0x55 };
    for (int t = 0; t < QT_COUNT; t++)
        for (int f = 0; f < 16 && qtypes[t].n_sub; f++) {
            const int k = 256;
            problem p = { .type = (qtype)t,
                          .n_rows = 16,
                          .n_tok = 4,
                          .k = k,
                          .ld_x = k,
                          .ld_out = 16,
                          .row_bytes = qtype_row_bytes((qtype)t, k) };
            p.w = weights((qtype)t, 16, k, p.row_bytes);
            for (size_t at = 0; at < 16 * p.row_bytes; at += (size_t)qtypes[t].block_bytes) {
                uint8_t keep[512];
                memcpy(keep, p.w + at, (size_t)qtypes[t].block_bytes);
                memset(p.w + at, fillers[f / 2], (size_t)qtypes[t].block_bytes);
                for (int s = 0; s < 2; s++)
                    if (half_at[t][s] >= 0)
                        memcpy(p.w + at + half_at[t][s], keep + half_at[t][s], 2);
                if (t == QT_MXFP4) p.w[at] = keep[0];
                if (t == QT_IQ1_M) p.w[at + 55] = 0x2f;
            }
            p.x = floats((size_t)(4 * k));
            for (int i = 0; i < 4 * k; i++) p.x[i] = f % 2 ? 1.0f : (i / 2) % 2 ? -3.0f : 3.0f;
            p.want = floats(4 * 16);
            for (int i = 0; i < 4 * 16; i++)
                p.want[i] =
                    product((qtype)t, k, p.w + (size_t)(i % 16) * p.row_bytes, p.x + i / 16 * k);
            check_all_ways(&p);
            p.n_tok = 1;
            check_all_ways(&p);
            free(p.w), mem_free(p.x), mem_free(p.want);
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
        uint8_t *scale = p.w + 21 * p.row_bytes + (t == 2 ? 0 : half_at[p.type][0]);
        if (t == 2) scale[0] = 254;
        else if (t < 2) scale[0] = 0, scale[1] = 0x7c;
        memset(p.w + 5 * p.row_bytes, 0, p.row_bytes);
        for (int i = 0; i < p.k; i++) p.x[3 * p.ld_x + (size_t)i] = i % 2 ? -0.0f : 0.0f;
        for (int i = 0; i < p.n_tok * p.n_rows; i++) {
            size_t it = (size_t)(i / p.n_rows), ir = (size_t)(i % p.n_rows);
            p.want[it * p.ld_out + ir] =
                product(p.type, p.k, p.w + ir * p.row_bytes, p.x + it * p.ld_x);
        }
        CHECK(t > 2 || isinf(p.want[21]), "%s", type->name);
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

/* ---- floats -------------------------------------------------------------------------------- */

static void check_floats(const isa *is, const char *slot, int n, const float *got,
                         const float *want)
{
    CHECK_SAME(got, want, (size_t)n * sizeof *got, "%s of isa %s, n %d", slot, is->name, n);
}

/* Runs one slot of both tables on copies of the same inputs. */
typedef void (*float_slot)(const lory_kernels *kn, int n, const float *a, float *x);

static void slot_add(const lory_kernels *kn, int n, const float *a, float *x)
{
    kn->add(n, a, x);
}
static void slot_mul(const lory_kernels *kn, int n, const float *a, float *x)
{
    kn->mul(n, a, x);
}
static void slot_scale(const lory_kernels *kn, int n, const float *a, float *x)
{
    kn->scale(n, a[0], x);
}
static void slot_silu_mul(const lory_kernels *kn, int n, const float *a, float *x)
{
    kn->silu_mul(n, a, x);
}
static void slot_gelu(const lory_kernels *kn, int n, const float *a, float *x)
{
    (void)a;
    kn->gelu(n, x);
}
static void slot_gelu_erf(const lory_kernels *kn, int n, const float *a, float *x)
{
    (void)a;
    kn->gelu_erf(n, x);
}
static void slot_gelu_mul(const lory_kernels *kn, int n, const float *a, float *x)
{
    kn->gelu_mul(n, a, x);
}
static void slot_clip_swiglu(const lory_kernels *kn, int n, const float *a, float *x)
{
    kn->scale(n, 4.0f, x); /* past the limits too */
    kn->clip_swiglu(n, a, x);
}
static void slot_clamp(const lory_kernels *kn, int n, const float *a, float *x)
{
    (void)a;
    kn->clamp(n, 0.75f, x);
}
static void slot_soft_cap(const lory_kernels *kn, int n, const float *a, float *x)
{
    (void)a;
    kn->soft_cap(n, 30.0f, x);
}
static void slot_softmax(const lory_kernels *kn, int n, const float *a, float *x)
{
    (void)a;
    if (n) kn->softmax(n, x);
}
static void slot_dot(const lory_kernels *kn, int n, const float *a, float *x)
{
    x[n] = kn->dot(n, a, x);
}
static void slot_rms_norm(const lory_kernels *kn, int n, const float *a, float *x)
{
    if (n) kn->rms_norm(n, x, a, 1e-5f, x);
}
static void slot_layer_norm(const lory_kernels *kn, int n, const float *a, float *x)
{
    if (n) kn->layer_norm(n, x, a, n % 2 ? a : NULL, 1e-5f, x);
}

static const struct {
    const char *name;
    float_slot run;
} float_slots[] = { { "add", slot_add },
                    { "mul", slot_mul },
                    { "scale", slot_scale },
                    { "silu_mul", slot_silu_mul },
                    { "gelu", slot_gelu },
                    { "gelu_erf", slot_gelu_erf },
                    { "gelu_mul", slot_gelu_mul },
                    { "clip_swiglu", slot_clip_swiglu },
                    { "clamp", slot_clamp },
                    { "soft_cap", slot_soft_cap },
                    { "softmax", slot_softmax },
                    { "dot", slot_dot },
                    { "rms_norm", slot_rms_norm },
                    { "layer_norm", slot_layer_norm } };
enum { N_FLOAT_SLOT = sizeof float_slots / sizeof *float_slots };

TEST(float_slots_are_the_same_on_every_isa)
{
    isa list[8];
    int n_list = usable_isas(list);
    for (int i = 0; i < n_list; i++)
        for (int s = 0; s < N_FLOAT_SLOT; s++)
            for (int n = 0; n < 200; n += n < 70 ? 1 : 17) {
                float *a = floats((size_t)n), *want = floats((size_t)n);
                if (n % 5 == 4) fill_special(n, want);
                float *got = floats((size_t)n);
                memcpy(got, want, ((size_t)n + 1) * sizeof *got);
                float_slots[s].run(generic(), n, a, want);
                float_slots[s].run(&list[i].kn, n, a, got);
                check_floats(&list[i], float_slots[s].name, n + 1, got, want);
                mem_free(a), mem_free(want), mem_free(got);
            }
}

TEST(float_slots_survive_what_is_not_finite)
{
    isa list[8];
    int n_list = usable_isas(list);
    for (int i = 0; i < n_list; i++)
        for (int s = 0; s < N_FLOAT_SLOT; s++)
            for (int kind = 0; kind < 3; kind++) {
                float a[41], x[41];
                fill(40, a), fill(40, x);
                x[rnd_below(40)] = kind == 0 ? NAN : kind == 1 ? INFINITY : -INFINITY;
                float_slots[s].run(&list[i].kn, 40, a, x);
            }
}

static double exact_gelu(double x)
{
    return 0.5 * x * (1 + tanh(sqrt(2 / acos(-1)) * (x + 0.044715 * x * x * x)));
}

TEST(float_slots_are_near_the_exact_functions)
{
    enum { N = 500 };
    float u[N], x[N], y[N];
    fill(N, u), fill(N, x);
    for (int i = 0; i < N; i++) x[i] *= 0.2f;
    const lory_kernels *kn = generic();
#define NEAR(slot, call, exact)                                                                    \
    memcpy(y, x, sizeof y);                                                                        \
    call;                                                                                          \
    for (int i = 0; i < N; i++) {                                                                  \
        double e = (exact);                                                                        \
        CHECK(fabs(y[i] - e) <= 3e-6 * (1 + fabs(e)), slot ": %g for %g", y[i], e);                \
    }
    NEAR("silu_mul", kn->silu_mul(N, u, y), (double)x[i] / (1 + exp(-(double)x[i])) * u[i])
    NEAR("gelu", kn->gelu(N, y), exact_gelu(x[i]))
    NEAR("gelu_mul", kn->gelu_mul(N, u, y), exact_gelu(x[i]) * u[i])
    NEAR("gelu_erf", kn->gelu_erf(N, y), 0.5 * x[i] * (1 + erf(x[i] * sqrt(0.5))))
    double sum = 0, square = 0, var = 0, mean = 0;
    for (int i = 0; i < N; i++)
        sum += exp((double)x[i]), square += (double)x[i] * x[i], mean += (double)x[i] / N;
    for (int i = 0; i < N; i++) var += (x[i] - mean) * (x[i] - mean) / N;
    NEAR("softmax", kn->softmax(N, y), exp((double)x[i]) / sum)
    NEAR("rms_norm", kn->rms_norm(N, x, u, 1e-5f, y), x[i] * u[i] / sqrt(square / N + 1e-5))
    NEAR("layer_norm", kn->layer_norm(N, x, u, u, 1e-5f, y),
         (x[i] - mean) / sqrt(var + 1e-5) * u[i] + u[i])
#undef NEAR
    CHECK(kn->dot(N, x, u) == lanes_dot(N, x, u));
}

TEST(rope_is_the_same_on_every_isa_and_turns_pairs)
{
    isa list[8];
    int n_list = usable_isas(list);
    for (int i = 0; i < n_list; i++)
        for (int round = 0; round < 200; round++) {
            int n_head = 1 + rnd_below(4), half = rnd_below(40), dim = 2 * half + rnd_below(5);
            bool neox = round % 2;
            float *x = floats((size_t)(n_head * dim)), *got = floats((size_t)(n_head * dim));
            float *want = floats((size_t)(n_head * dim)), *cs = floats((size_t)(2 * half));
            size_t bytes = (size_t)(n_head * dim) * sizeof *x;
            memcpy(got, x, bytes), memcpy(want, x, bytes);
            for (int ih = 0; ih < n_head; ih++)
                for (int j = 0; j < half; j++) {
                    int i0 = ih * dim + (neox ? j : 2 * j), i1 = neox ? i0 + half : i0 + 1;
                    float c = cs[j], s = cs[half + j];
                    want[i0] = x[i0] * c - x[i1] * s;
                    want[i1] = x[i0] * s + x[i1] * c;
                }
            list[i].kn.rope(n_head, dim, 2 * half, neox, cs, got);
            CHECK_SAME(got, want, bytes, "isa %s, dim %d, rot %d, neox %d", list[i].name, dim,
                       2 * half, neox);
            mem_free(x), mem_free(got), mem_free(want), mem_free(cs);
        }
}

TEST(conversions_are_the_same_on_every_isa)
{
    isa list[8];
    int n_list = usable_isas(list);
    for (int i = 0; i < n_list; i++) {
        for (int t = 0; t < QT_COUNT; t++)
            for (int round = 0; round < 8; round++) {
                int k = qtypes[t].block_elems * (1 + rnd_below(40));
                uint8_t *row = weights((qtype)t, 1, k, qtype_row_bytes((qtype)t, k));
                float *got = floats((size_t)k), *want = floats((size_t)k);
                list[i].kn.to_f32[t](k, row, got);
                qtypes[t].to_f32(k, row, want);
                CHECK_SAME(got, want, (size_t)k * sizeof *got, "%s to f32 of isa %s",
                           qtypes[t].name, list[i].name);
                free(row), mem_free(got), mem_free(want);
            }
        for (uint32_t h = 0; h < 0x10000; h++) {
            uint16_t half = (uint16_t)h;
            float got, want;
            list[i].kn.to_f32[QT_F16](1, &half, &got);
            qtypes[QT_F16].to_f32(1, &half, &want);
            CHECK_SAME(&got, &want, sizeof got, "f16 %04x", h);
        }
        for (int round = 0; round < 200; round++) {
            float x[77];
            uint16_t got[77], want[77];
            for (int j = 0; j < 77; j++) {
                uint32_t bits = round % 2 ? rnd() : 0x30000000 + rnd() % 0x18000000;
                memcpy(&x[j], &bits, sizeof bits);
            }
            int n = rnd_below(78);
            memset(got, 0, sizeof got), memset(want, 0, sizeof want);
            list[i].kn.f32_to_f16(n, x, got);
            for (int j = 0; j < n; j++) want[j] = f32_to_f16(x[j]);
            CHECK_SAME(got, want, sizeof got, "f32 to f16 of isa %s", list[i].name);
        }
    }
}

/* ---- attention ----------------------------------------------------------------------------- */

enum { N_Q = 13, CHUNKS = 3, DIM_MAX = 160 };

typedef struct {
    int dim;
    qtype type;
    size_t row_bytes;
    float q[N_Q * DIM_MAX], k[CHUNKS * KV_CHUNK * DIM_MAX], v[CHUNKS * KV_CHUNK * DIM_MAX];
    uint8_t k_rows[CHUNKS * KV_CHUNK * DIM_MAX * 4], v_rows[CHUNKS * KV_CHUNK * DIM_MAX * 4];
    int first[N_Q], last[N_Q]; /* positions over all chunks */
    float slope[N_Q], cap, scale;
    bool has_slope;
} attend_case;

static int clamp_chunk(int pos, int chunk)
{
    int at = pos - chunk * KV_CHUNK;
    return at < 0 ? 0 : at > KV_CHUNK ? KV_CHUNK : at;
}

static void run_attend(const lory_kernels *kn, const attend_case *c, float *o, attend_state *state)
{
    static float scratch[ATTEND_SCRATCH + 2 * DIM_MAX];
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
        attend_args a = { .q = c->q,
                          .ld_q = (size_t)c->dim,
                          .type = c->type,
                          .row_bytes = c->row_bytes,
                          .k = c->k_rows + chunk,
                          .v = c->v_rows + chunk,
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

/* Random rows in the case's type, and what they stand for. */
static void fill_rows(const attend_case *c, float *x, uint8_t *rows)
{
    fill(CHUNKS * KV_CHUNK * DIM_MAX, x);
    for (int j = 0; j < CHUNKS * KV_CHUNK; j++, x += c->dim, rows += c->row_bytes) {
        qtypes[c->type].from_f32(c->dim, x, NULL, rows);
        qtypes[c->type].to_f32(c->dim, rows, x);
    }
}

static void new_attend_case(attend_case *c, int round)
{
    static const int dims[] = { 64, 128, 8, 80, 33, 160, 16, 1, 96, 100 };
    static const qtype types[] = { QT_F32, QT_F16, QT_Q8_0 };
    c->type = types[round % 3];
    c->dim = dims[round % 10];
    if (c->type == QT_Q8_0 && c->dim % 32) c->type = QT_F16;
    c->row_bytes = qtype_row_bytes(c->type, c->dim);
    c->has_slope = round % 7 == 1;
    c->cap = round % 4 == 2 ? 5.0f : 0.0f;
    c->scale = 1 / sqrtf((float)c->dim);
    fill(N_Q * DIM_MAX, c->q);
    fill_rows(c, c->k, c->k_rows), fill_rows(c, c->v, c->v_rows);
    for (int i = 0; i < N_Q; i++) {
        c->last[i] = 1 + rnd_below(CHUNKS * KV_CHUNK);
        c->first[i] = i % 2 ? rnd_below(c->last[i]) : 0;
        if (i > 0 && i % 5 < round % 5) { /* neighbours that see the same: tiles of each size */
            c->first[i] = c->first[i - 1];
            c->last[i] = c->last[i - 1];
        }
        c->slope[i] = (float)rnd_below(100) * 0.001f;
    }
}

TEST(attention_is_the_same_on_every_isa_and_near_the_exact_one)
{
    static attend_case c;
    static float want[N_Q * (DIM_MAX + 1)], got[N_Q * (DIM_MAX + 1)];
    attend_state state[N_Q], want_state[N_Q];
    isa list[8];
    int n_list = usable_isas(list);
    for (int round = 0; round < 30; round++) {
        new_attend_case(&c, round);
        memset(want, 0, sizeof want);
        run_attend(generic(), &c, want, want_state);
        for (int i = 0; i < N_Q; i++) {
            double exact[DIM_MAX];
            exact_attend(&c, i, exact);
            for (int d = 0; d < c.dim; d++) {
                double y = want[i * (c.dim + 1) + d] / want_state[i].sum;
                CHECK(fabs(y - exact[d]) <= 2e-4, "dim %d: %g for %g", c.dim, y, exact[d]);
            }
        }
        for (int l = 0; l < n_list; l++) {
            memset(got, 0, sizeof got);
            run_attend(&list[l].kn, &c, got, state);
            CHECK_SAME(got, want, sizeof got, "isa %s, dim %d", list[l].name, c.dim);
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
    static float scratch[ATTEND_SCRATCH + 2 * MANY_DIM];
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
            attend_state st = { -INFINITY, 0 };
            for (int ic = 0; ic < CHUNKS; ic++) {
                float part[DIM_MAX], scratch[ATTEND_SCRATCH + 2 * DIM_MAX];
                int16_t first = (int16_t)clamp_chunk(c.first[0], ic);
                int16_t last = (int16_t)clamp_chunk(c.last[0], ic);
                int32_t pos = c.last[0] - 1 - ic * KV_CHUNK;
                attend_state chunk = { -INFINITY, 0 };
                if (first >= last) continue;
                list[l].kn.attend(&(attend_args){
                    .q = c.q, .type = c.type, .row_bytes = c.row_bytes,
                    .k = c.k_rows + (size_t)ic * KV_CHUNK * c.row_bytes,
                    .v = c.v_rows + (size_t)ic * KV_CHUNK * c.row_bytes,
                    .o = part, .state = &chunk, .first = &first, .last = &last,
                    .slope = c.has_slope ? c.slope : NULL, .pos = &pos, .n_q = 1,
                    .head_dim = c.dim, .scale = c.scale, .cap = c.cap, .scratch = scratch });
                list[l].kn.attend_merge(c.dim, chunk, part, &st, got);
            }
            CHECK_SAME(got, want, (size_t)c.dim * sizeof *got, "isa %s", list[l].name);
            CHECK_SAME(&st, &want_state[0], sizeof st, "isa %s", list[l].name);
        }
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
