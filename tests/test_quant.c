/* Tests of src/quant/q_*.c: every format against blocks that ggml decoded, and the quantisers
 * against the error ggml's make. Vectors of a type: 64 blocks of random bits and 64 that ggml's
 * quantiser wrote (F16, BF16: 32 elements as a block). */
#include "quant/fit.h"
#include "quant/qtype.h"
#include "test.h"
#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N_BLOCKS = 128 };

/* A type's vectors; path says where to look: "quants/NAME.blocks.bin", NAME upper case. */
typedef struct {
    const qtype_row *row;
    int64_t n;    /* weights */
    char *blocks; /* one byte before it belongs to us, to test odd addresses */
    float *want;  /* [n] */
} vectors;

static char *read_all(const qtype_row *row, const char *suffix, size_t n_bytes)
{
    char name[64] = "quants/";
    size_t at = strlen(name);
    for (const char *s = row->name; *s; s++) name[at++] = (char)toupper((unsigned char)*s);
    snprintf(name + at, sizeof name - at, "%s", suffix);
    const char *path = test_vector(name);
    FILE *f = path ? fopen(path, "rb") : NULL;
    char *data = malloc(n_bytes + 1);
    bool ok = f && data && fread(data, 1, n_bytes + 1, f) == n_bytes;
    if (f) fclose(f);
    if (ok) return data;
    free(data);
    test_fail(__FILE__, __LINE__, "%s: not %zu bytes", name, n_bytes);
    return NULL;
}

static bool vectors_open(vectors *v, qtype t)
{
    const qtype_row *row = &qtypes[t];
    *v = (vectors){ .row = row };
    v->n = (int64_t)N_BLOCKS * (row->block_elems == 1 ? 32 : row->block_elems);
    v->blocks = read_all(row, ".blocks.bin", qtype_row_bytes(t, v->n));
    v->want = (float *)read_all(row, ".deq.f32", (size_t)v->n * sizeof(float));
    return v->blocks && v->want;
}

static void vectors_close(vectors *v)
{
    free(v->blocks);
    free(v->want);
}

TEST(every_format_is_read_bit_exactly)
{
    for (int t = QT_F16; t < QT_COUNT; t++) {
        vectors v;
        REQUIRE(vectors_open(&v, (qtype)t));
        size_t n_bytes = qtype_row_bytes((qtype)t, v.n);
        float *got = malloc((size_t)v.n * sizeof *got);
        char *odd = malloc(n_bytes + 1);
        REQUIRE(got && odd);
        v.row->to_f32(v.n, v.blocks, got);
        CHECK_SAME(got, v.want, (size_t)v.n * sizeof *got, "%s", v.row->name);

        memcpy(odd + 1, v.blocks, n_bytes);
        memset(got, 0, (size_t)v.n * sizeof *got);
        v.row->to_f32(v.n, odd + 1, got);
        CHECK_SAME(got, v.want, (size_t)v.n * sizeof *got, "%s at an odd address", v.row->name);
        free(got), free(odd);
        vectors_close(&v);
    }
}

TEST(a_panel_multiplies_out_to_the_same_weights)
{
    for (int t = 0; t < QT_COUNT; t++) {
        vectors v;
        if (!qtypes[t].unpack) continue;
        REQUIRE(vectors_open(&v, (qtype)t));
        size_t n = (size_t)v.n, n_scale = n / QT_GROUP * (size_t)v.row->n_sub;
        int8_t *codes = malloc(n);
        float *scales = malloc(n_scale * sizeof *scales), *mins = malloc(n_scale * sizeof *mins);
        float *got = malloc(n * sizeof *got);
        REQUIRE(codes && scales && mins && got);
        for (size_t i = 0; i < n_scale; i++) mins[i] = 0.0f;
        v.row->unpack(v.n, v.blocks, codes, scales, v.row->has_min ? mins : NULL);
        for (size_t i = 0; i < n; i++) {
            size_t s = i * (size_t)v.row->n_sub / QT_GROUP;
            got[i] = scales[s] * (float)codes[i] - mins[s];
        }
        CHECK_SAME(got, v.want, n * sizeof *got, "%s", v.row->name);
        free(codes), free(scales), free(mins), free(got);
        vectors_close(&v);
    }
}

TEST(float_rows_may_have_any_length)
{
    for (int t = QT_F32; t <= QT_BF16; t++) {
        const qtype_row *r = &qtypes[t];
        for (int n = 0; n <= 40; n++) {
            float x[41], back[41];
            uint8_t row[41 * sizeof(float)];
            for (int i = 0; i <= 40; i++) x[i] = (float)(i - 20) / 64, back[i] = -1.0f;
            r->from_f32(n, x, NULL, row);
            r->to_f32(n, row, back);
            CHECK_SAME(back, x, (size_t)n * sizeof *x, "%s, n %d", r->name, n);
            CHECK(back[n] == -1.0f, "%s wrote past n %d", r->name, n);
        }
    }
}

/* ---- writing -------------------------------------------------------------------------------- */

enum { N_QUALITY = 32768, N_COLUMNS = 1024 };

/* Weights and importance as the figures below were measured: splitmix64, Box-Muller. */
static double uniform(uint64_t *state)
{
    uint64_t z = *state += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return (double)((z ^ z >> 31) >> 11) * 0x1p-53 + 0x1p-54;
}

static double gaussian(uint64_t *state)
{
    double a = uniform(state), b = uniform(state);
    return sqrt(-2.0 * log(a)) * cos(6.283185307179586 * b);
}

/* 0.02 * N(0, 1), or 0.02 * t with four degrees of freedom, whose tails are heavy. */
static void fill(float *x, bool is_t4)
{
    uint64_t state = is_t4 ? 54321 : 12345;
    for (int i = 0; i < N_QUALITY; i++) {
        double g = gaussian(&state), squares = is_t4 ? 0.0 : 4.0;
        for (int k = 0; is_t4 && k < 4; k++) {
            double h = gaussian(&state);
            squares += h * h;
        }
        x[i] = (float)(0.02 * g / sqrt(squares / 4.0));
    }
}

static void fill_importance(float *w)
{
    uint64_t state = 777;
    for (int i = 0; i < N_COLUMNS; i++) w[i] = (float)exp(1.5 * gaussian(&state));
}

/* sqrt(sum w (back - x)^2 / sum w x^2) after writing and reading x in rows; w NULL: all 1. */
static double relative_rmse(qtype t, const float *x, const float *w)
{
    static float back[N_QUALITY];
    static uint8_t row[N_COLUMNS * sizeof(float)];
    double err = 0, power = 0;
    for (int at = 0; at < N_QUALITY; at += N_COLUMNS) {
        qtypes[t].from_f32(N_COLUMNS, x + at, w, row);
        qtypes[t].to_f32(N_COLUMNS, row, back + at);
    }
    for (int i = 0; i < N_QUALITY; i++) {
        double diff = (double)back[i] - x[i], count = w ? w[i % N_COLUMNS] : 1.0;
        err += count * diff * diff;
        power += count * x[i] * x[i];
    }
    return sqrt(err / power);
}

/* Relative error of ggml's quantisers on 1,048,576 such values: Gaussian, t4, and both with
 * importance. Of the values the first 32,768 are taken, which moves the figures by up to 1 %
 * (Gaussian) and 3 %: that matters to the formats where both sides do the same. */
static const struct {
    qtype type;
    double ggml_rmse[4];
} quality[] = {
    { QT_F16, { 0.00021, 0.00021, 0.00021, 0.00021 } },
    { QT_BF16, { 0.00166, 0.00166, 0.00165, 0.00164 } },
    { QT_Q4_0, { 0.08578, 0.11582, 0.07200, 0.10230 } },
    { QT_Q4_1, { 0.07814, 0.09348, 0.05623, 0.06834 } },
    { QT_Q5_0, { 0.04265, 0.05810, 0.03569, 0.05151 } },
    { QT_Q5_1, { 0.03784, 0.04525, 0.02726, 0.03318 } },
    { QT_Q8_0, { 0.00535, 0.00732, 0.00536, 0.00724 } },
    { QT_Q2_K, { 0.29513, 0.33978, 0.20311, 0.23275 } },
    { QT_Q3_K, { 0.15082, 0.18324, 0.12193, 0.15263 } },
    { QT_Q4_K, { 0.07126, 0.08661, 0.05739, 0.07080 } },
    { QT_Q5_K, { 0.03610, 0.04380, 0.02980, 0.03749 } },
    { QT_Q6_K, { 0.01774, 0.02287, 0.01480, 0.02001 } },
    { QT_IQ1_S, { 0.48538, 0.58029, 0.39634, 0.46316 } },
    { QT_IQ1_M, { 0.58191, 0.59758, 0.33774, 0.37779 } },
    { QT_IQ2_XXS, { 0.34354, 0.41601, 0.25970, 0.32889 } },
    { QT_IQ2_XS, { 0.29960, 0.34710, 0.22455, 0.27492 } },
    { QT_IQ2_S, { 0.26479, 0.34012, 0.20243, 0.25630 } },
    { QT_IQ3_XXS, { 0.21302, 0.25511, 0.12896, 0.15408 } },
    { QT_IQ3_S, { 0.16588, 0.19730, 0.10529, 0.13408 } },
    { QT_IQ4_NL, { 0.07610, 0.09348, 0.06424, 0.08018 } },
    { QT_IQ4_XS, { 0.07669, 0.09441, 0.06514, 0.08187 } },
    { QT_TQ1_0, { 0.80672, 0.84278, 0.80629, 0.84606 } },
    { QT_TQ2_0, { 0.80672, 0.84278, 0.80629, 0.84606 } },
    { QT_MXFP4, { 0.11404, 0.13130, 0.11368, 0.13086 } },
    { QT_NVFP4, { 0.10312, 0.09605, 0.10359, 0.09631 } },
    { QT_Q1_0, { 0.60019, 0.70398, 0.60068, 0.70296 } },
    { QT_Q2_0, { 0.71672, 0.73074, 0.71677, 0.73206 } },
};

TEST(quantisers_are_no_worse_than_ggml)
{
    static float x[2][N_QUALITY], w[N_COLUMNS];
    fill(x[0], false), fill(x[1], true), fill_importance(w);
    CHECK(fabsf(x[0][0] - 0.0112508703f) < 1e-9f && fabsf(x[0][3] + 0.0372310802f) < 1e-9f);
    CHECK(fabsf(x[1][1] + 0.0292955153f) < 1e-9f && fabsf(w[1] - 0.101542808f) < 1e-8f);
    for (size_t i = 0; i < sizeof quality / sizeof *quality; i++) {
        qtype t = quality[i].type;
        bool is_same = t == QT_F16 || t == QT_BF16 || t == QT_Q8_0 || t == QT_Q1_0;
        for (int k = 0; k < 4; k++) {
            double rmse = relative_rmse(t, x[k % 2], k < 2 ? NULL : w);
            CHECK(rmse <= quality[i].ggml_rmse[k] * (is_same ? 1.05 : 1.0), "%s: %.5f, ggml %.5f",
                  qtypes[t].name, rmse, quality[i].ggml_rmse[k]);
        }
    }
}

/* A few columns of a model carry most: here one of 64 has weights 30 times and activations 10 times
 * as large as the others. What a whole block shares must then suit those. ggml's errors on the same
 * weights. */
TEST(quantisers_are_no_worse_than_ggml_where_a_few_columns_count_most)
{
    static const struct {
        qtype type;
        double ggml_rmse;
    } outliers[] = { { QT_Q8_0, 0.00126 }, { QT_Q2_K, 0.02723 }, { QT_Q3_K, 0.01639 },
                     { QT_Q4_K, 0.00961 }, { QT_Q5_K, 0.00600 }, { QT_Q6_K, 0.00495 } };
    static float x[N_QUALITY], w[N_COLUMNS];
    fill(x, false), fill_importance(w);
    for (int i = 5; i < N_QUALITY; i += 64) x[i] *= 30.0f;
    for (int i = 5; i < N_COLUMNS; i += 64) w[i] *= 100.0f;
    for (size_t i = 0; i < sizeof outliers / sizeof *outliers; i++) {
        double rmse = relative_rmse(outliers[i].type, x, w);
        CHECK(rmse <= outliers[i].ggml_rmse * 1.005, "%s: %.5f, ggml %.5f",
              qtypes[outliers[i].type].name, rmse, outliers[i].ggml_rmse);
    }
}

/* Formats whose writing is defined, not searched for: what ggml's quantiser made of the weights in
 * the larger set of vectors is the second half of the blocks. */
TEST(formats_without_a_choice_are_ggmls_bytes)
{
    static const qtype types[] = { QT_F16, QT_BF16, QT_Q1_0 };
    for (int i = 0; i < 3; i++) {
        vectors v;
        char name[64];
        snprintf(name, sizeof name, "golden/quants/%s.src.f32",
                 (const char *[]){ "F16", "BF16", "Q1_0" }[i]);
        const char *path = test_shared(name);
        if (!path) test_skip("needs ../shared");
        REQUIRE(vectors_open(&v, types[i]));
        size_t n = (size_t)v.n / 2, n_bytes = qtype_row_bytes(types[i], v.n) / 2;
        float *x = malloc(n * sizeof *x);
        char *got = malloc(n_bytes);
        FILE *f = fopen(path, "rb");
        REQUIRE(x && got && f && fread(x, sizeof *x, n, f) == n);
        v.row->from_f32((int64_t)n, x, NULL, got);
        CHECK_SAME(got, v.blocks + n_bytes, n_bytes, "%s", v.row->name);
        fclose(f), free(x), free(got);
        vectors_close(&v);
    }
}

/* The squared error of n weights in E2M1 of that scale. */
static double e2m1_error(const float *x, const float *w, int n, double scale)
{
    static const double level[] = { 0, 0.5, 1, 1.5, 2, 3, 4, 6 };
    double err = 0;
    for (int i = 0; i < n; i++) {
        double best = INFINITY;
        for (int k = 0; k < 8; k++) best = fmin(best, fabs(fabs((double)x[i]) - scale * level[k]));
        err += (double)w[i] * best * best;
    }
    return err;
}

/* The least there is for blocks of one scale each, by trying all scales. */
static double least_e2m1_error(qtype t, const float *x, const float *w, int n)
{
    const int len = t == QT_MXFP4 ? 32 : 16;
    double sum = 0;
    for (int at = 0; at < n; at += len) {
        double best = INFINITY;
        for (int c = 1; c < 127; c++) {
            double mx = ldexp(1.0, c - 64), nv = c < 8 ? c / 512.0 : ldexp(8 + c % 8, c / 8 - 10);
            best = fmin(best, e2m1_error(x + at, w + at, len, t == QT_MXFP4 ? mx : nv));
        }
        sum += best;
    }
    return sum;
}

TEST(scales_of_e2m1_are_near_the_best_there_are)
{
    static const qtype types[] = { QT_MXFP4, QT_NVFP4 };
    static float x[N_COLUMNS], w[N_COLUMNS], back[N_COLUMNS];
    uint8_t row[N_COLUMNS];
    uint64_t state = 9;
    for (int k = 0; k < 4; k++) {
        fill_importance(w);
        for (int i = 0; i < N_COLUMNS; i++) {
            x[i] = (float)(k < 2 ? uniform(&state) - 0.5 : gaussian(&state));
            if (k % 2) w[i] = 1.0f;
        }
        for (int t = 0; t < 2; t++) {
            double err = 0, least = least_e2m1_error(types[t], x, w, N_COLUMNS);
            qtypes[types[t]].from_f32(N_COLUMNS, x, k % 2 ? NULL : w, row);
            qtypes[types[t]].to_f32(N_COLUMNS, row, back);
            for (int i = 0; i < N_COLUMNS; i++)
                err += (double)w[i] * (back[i] - x[i]) * (back[i] - x[i]);
            CHECK(err <= 1.03 * least, "%s %d: %g, the least is %g", qtypes[types[t]].name, k, err,
                  least);
        }
    }
}

/* Whose codes all gain the same: scales of sub-blocks that differ would not fit one integer each.
 * Half the weights have the largest magnitude, of either sign. */
TEST(weights_of_few_values_keep_them_in_the_k_formats)
{
    static const float kinds[][4] = { { 0.37f, 0.37f, 0.37f, 0.37f },
                                      { -0.37f, -0.37f, -0.37f, -0.37f },
                                      { 0.37f, -0.37f, -0.37f, 0.37f },
                                      { 0.37f, -0.37f, 0.0f, 0.0f } };
    float x[256], w[256], back[256];
    uint8_t row[256];
    uint64_t state = 5;
    for (int i = 0; i < 256; i++) w[i] = (float)(0.1 + uniform(&state));
    for (int t = QT_Q2_K; t <= QT_Q6_K; t++)
        for (int k = 0; k < 8; k++) {
            for (int i = 0; i < 256; i++) x[i] = kinds[k / 2][(int)(4 * uniform(&state))];
            qtypes[t].from_f32(256, x, k % 2 ? w : NULL, row);
            qtypes[t].to_f32(256, row, back);
            for (int i = 0; i < 256; i++)
                CHECK(fabsf(back[i] - x[i]) < 0.006f, "%s %d: %g became %g", qtypes[t].name, k,
                      x[i], back[i]);
        }
}

/* Levels are not alike on both sides of 0: the peak may be the first or the last of them. */
TEST(the_levels_of_iq4_are_kept_whichever_end_is_the_peak)
{
    enum { N = 32 };
    static const float level[] = { 1, 13, 25, 38, 53, 69, 89, 113, -10, -22, -35, -49, -65, -83 };
    float x[N], y[N];
    uint8_t row[64];
    for (int sign = -1; sign <= 1; sign += 2) {
        for (int i = 0; i < N; i++) x[i] = (float)sign * level[i % 14];
        qtypes[QT_IQ4_NL].from_f32(N, x, NULL, row);
        qtypes[QT_IQ4_NL].to_f32(N, row, y);
        for (int i = 0; i < N; i++) CHECK(x[i] == y[i], "%g became %g", (double)x[i], (double)y[i]);
    }
}

TEST(what_counts_more_errs_less)
{
    static float x[N_QUALITY], w[N_COLUMNS];
    fill(x, false), fill_importance(w);
    for (int t = QT_Q4_0; t < QT_COUNT; t++) {
        if (t == QT_Q8_0) continue; /* has nothing to choose */
        static float back[N_COLUMNS];
        static uint8_t row[N_COLUMNS * sizeof(float)];
        double err[2] = { 0 };
        for (int k = 0; k < 2; k++) {
            qtypes[t].from_f32(N_COLUMNS, x, k ? w : NULL, row);
            qtypes[t].to_f32(N_COLUMNS, row, back);
            for (int i = 0; i < N_COLUMNS; i++)
                err[k] += (double)w[i] * (back[i] - x[i]) * (back[i] - x[i]);
        }
        CHECK(err[1] < err[0], "%s: %g with importance, %g without", qtypes[t].name, err[1],
              err[0]);
    }
}

TEST(rows_of_zeros_are_written_and_read_as_zeros)
{
    float x[512] = { 0 }, back[512];
    uint8_t row[512 * sizeof(float)];
    for (int t = 0; t < QT_COUNT; t++) {
        qtypes[t].from_f32(512, x, NULL, row);
        qtypes[t].to_f32(512, row, back);
        for (int i = 0; i < 512; i++) CHECK(back[i] == 0.0f, "%s: %g", qtypes[t].name, back[i]);
    }
}

/* Finite in, finite out, near where the format can express it; not finite: no undefined step. */
TEST(extreme_weights_are_written_safely)
{
    const float extreme[] = { 1e-45f, 1e-30f, 1e-7f, 6e4f, 1e6f, 1e20f, 3.4e38f, INFINITY, NAN };
    float x[256], back[256];
    uint8_t row[256 * sizeof(float)];
    for (int t = 0; t < QT_COUNT; t++) {
        for (size_t e = 0; e < sizeof extreme / sizeof *extreme; e++) {
            for (int i = 0; i < 256; i++) x[i] = extreme[e] * (float)(i % 7 - 3) / 3.0f;
            qtypes[t].from_f32(256, x, NULL, row);
            qtypes[t].to_f32(256, row, back);
            for (int i = 0; i < 256 && t > QT_BF16 && isfinite(extreme[e]); i++)
                CHECK(isfinite(back[i]), "%s: %g became %g", qtypes[t].name, x[i], back[i]);
        }
    }
}

/* Magnitudes of a model trained ternary: any other scale than theirs would be a loss. */
TEST(ternary_weights_keep_their_values)
{
    const qtype types[] = { QT_TQ1_0, QT_TQ2_0, QT_Q2_0 };
    float x[512], back[512];
    uint8_t row[512];
    for (int i = 0; i < 512; i++) x[i] = (i < 256 ? 0.0625f : 3.5f) * (float)(i * i % 3 - i % 2);
    for (int t = 0; t < 3; t++) {
        qtypes[types[t]].from_f32(512, x, NULL, row);
        qtypes[types[t]].to_f32(512, row, back);
        for (int i = 0; i < 512; i++)
            CHECK(back[i] == x[i], "%s: %g became %g", qtypes[types[t]].name, x[i], back[i]);
    }
}

/* The scale is a half float: the nearest, which is off by 2^-11 of itself at most. */
TEST(the_peak_of_q8_0_is_kept_as_well_as_a_half_float_can)
{
    float x[32], back[32];
    uint8_t row[34];
    for (int k = 0; k < 500; k++) {
        const float peak = 0.01f + 0.003f * (float)k;
        for (int i = 0; i < 32; i++) x[i] = peak * (float)(i % 3 - 1);
        qtypes[QT_Q8_0].from_f32(32, x, NULL, row);
        qtypes[QT_Q8_0].to_f32(32, row, back);
        for (int i = 0; i < 32; i++)
            CHECK(fabsf(back[i] - x[i]) <= 0x1.001p-11f * peak, "%g became %g", (double)x[i],
                  (double)back[i]);
    }
}

/* Weights made without the C library's functions, roughly normal: sums of four uniform numbers. */
static void fill_exact(float *x, int n)
{
    uint64_t state = 1;
    for (int i = 0; i < n; i++) {
        int sum = 0;
        for (int k = 0; k < 4; k++) sum += (int)(uniform(&state) * 4096) - 2048;
        x[i] = (float)sum * 0x1p-17f;
    }
}

static uint64_t fnv1a(const uint8_t *bytes, size_t n)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < n; i++) hash = (hash ^ bytes[i]) * 0x100000001b3u;
    return hash;
}

/* The hashes of the blocks of 4096 weights, without and with importance: a change here is a change
 * of every file lory writes. */
static const struct {
    qtype type;
    uint64_t hash[2];
} written[] = {
    { QT_F16, { 0xb404cb1596de5d72, 0xb404cb1596de5d72 } },
    { QT_BF16, { 0xf3b470e8ad1a34ff, 0xf3b470e8ad1a34ff } },
    { QT_Q4_0, { 0x0233ba32286c306b, 0x6f47757dd9357be4 } },
    { QT_Q4_1, { 0xe9402592ec9d2ffb, 0x431245ac90e58ba0 } },
    { QT_Q5_0, { 0xd43ffe021c54d58b, 0xc60ed8c996a84722 } },
    { QT_Q5_1, { 0xd2b36a69708e089d, 0xbef5c99810a27def } },
    { QT_Q8_0, { 0x02a3480c6c770d41, 0x02a3480c6c770d41 } },
    { QT_Q2_K, { 0xa27216f76a17037e, 0x2b26bb406faca004 } },
    { QT_Q3_K, { 0x3ced46768b5d3866, 0x18abee1e99e24a45 } },
    { QT_Q4_K, { 0x0b0e6b070e502fac, 0xe5302ab30f0a9aa8 } },
    { QT_Q5_K, { 0x14493c83303f9dd9, 0xb1df86b9a24732fe } },
    { QT_Q6_K, { 0x3f7627cf11a4d6f4, 0xdd190033a95abdc7 } },
    { QT_IQ1_S, { 0x9971e6e796719bc8, 0x2f6e2886b9070c27 } },
    { QT_IQ1_M, { 0x8c5382e95ce7da5f, 0xdd8ca8b83610e8bb } },
    { QT_IQ2_XXS, { 0x87a8b69af7064f98, 0x5e25c1ce57575d31 } },
    { QT_IQ2_XS, { 0x43d0f83271e63b97, 0xc0ac62891f65c716 } },
    { QT_IQ2_S, { 0xe09bea6346d788b1, 0x0aae47d90f1fca68 } },
    { QT_IQ3_XXS, { 0x302ced2008c4df96, 0x2195b6eda4b7201f } },
    { QT_IQ3_S, { 0xc3b4a41c84e2f76d, 0x677e486e7a471426 } },
    { QT_IQ4_NL, { 0x0d6fe150492ec656, 0x3e159dc9372c08e8 } },
    { QT_IQ4_XS, { 0xfe2d3b05ea747696, 0xc7a7501aad2ddc16 } },
    { QT_TQ1_0, { 0x5e03acf0e44bb097, 0x13953ff6e5d18b43 } },
    { QT_TQ2_0, { 0xd281ac6ec1621c56, 0x4cc409626099b07f } },
    { QT_MXFP4, { 0xe3ed0e7ed2d6dc9e, 0xe3ed0e7ed2d6dc9e } },
    { QT_NVFP4, { 0xa263f40ccd78e61e, 0x3712b019b26e78ed } },
    { QT_Q1_0, { 0xf1bf2c94c0d34a7b, 0x502ccec59f20bc49 } },
    { QT_Q2_0, { 0xc3c9105b15cbb980, 0x874194d8da1a1c42 } },
};

TEST(written_blocks_are_the_same_bits_on_every_machine)
{
    static float x[4096], w[4096];
    static uint8_t row[sizeof x];
    fill_exact(x, 4096);
    for (int i = 0; i < 4096; i++) w[i] = 0.125f + fabsf(x[4095 - i]) * 64.0f;
    for (size_t i = 0; i < sizeof written / sizeof *written; i++) {
        const qtype_row *r = &qtypes[written[i].type];
        for (int k = 0; k < 2; k++) {
            r->from_f32(4096, x, k ? w : NULL, row);
            uint64_t hash = fnv1a(row, qtype_row_bytes(written[i].type, 4096));
            CHECK(hash == written[i].hash[k], "%s: 0x%016" PRIx64, r->name, hash);
        }
    }
}

TEST(rounding_is_to_nearest_even_and_clamped)
{
    CHECK(fit_code(0.5f, -8, 7) == 0);
    CHECK(fit_code(1.5f, -8, 7) == 2);
    CHECK(fit_code(-2.5f, -8, 7) == -2);
    CHECK(fit_code(-3.4f, -8, 7) == -3);
    CHECK(fit_code(6.6f, -8, 7) == 7);
    CHECK(fit_code(1e30f, -8, 7) == 7);
    CHECK(fit_code(-INFINITY, -8, 7) == -8);
    CHECK(fit_code(NAN, -8, 7) == -8);
}
