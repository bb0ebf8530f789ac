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

/* 0.02 * N(0, 1) as the figures below were measured: splitmix64, Box-Muller. */
static double uniform(uint64_t *state)
{
    uint64_t z = *state += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return (double)((z ^ z >> 31) >> 11) * 0x1p-53 + 0x1p-54;
}

static float *new_gaussian(int64_t n, uint64_t seed)
{
    float *x = malloc((size_t)n * sizeof *x);
    for (int64_t i = 0; x && i < n; i++) {
        double a = uniform(&seed), b = uniform(&seed);
        x[i] = (float)(0.02 * sqrt(-2.0 * log(a)) * cos(6.283185307179586 * b));
    }
    return x;
}

/* sqrt(sum (back - x)^2 / sum x^2) after writing and reading x. */
static double relative_rmse(qtype t, int64_t n, const float *x)
{
    void *row = malloc(qtype_row_bytes(t, n));
    float *back = malloc((size_t)n * sizeof *back);
    double err = 0, power = 0;
    if (row && back) {
        qtypes[t].from_f32(n, x, NULL, row);
        qtypes[t].to_f32(n, row, back);
        for (int64_t i = 0; i < n; i++) {
            err += ((double)back[i] - x[i]) * ((double)back[i] - x[i]);
            power += (double)x[i] * x[i];
        }
    }
    free(row), free(back);
    return sqrt(err / power);
}

/* Relative error of ggml's quantisers on 1,048,576 such values; the first 65,536 of them differ
 * from that by under 0.5 %, which matters to the formats where both sides do the same. */
static const struct {
    qtype type;
    double ggml_rmse;
} quality[] = {
    { QT_F16, 0.00021 },    { QT_BF16, 0.00166 },   { QT_Q4_0, 0.08578 },  { QT_Q4_1, 0.07814 },
    { QT_Q5_0, 0.04265 },   { QT_Q5_1, 0.03784 },   { QT_Q8_0, 0.00535 },  { QT_Q2_K, 0.29513 },
    { QT_Q3_K, 0.15082 },   { QT_Q4_K, 0.07126 },   { QT_Q5_K, 0.03610 },  { QT_Q6_K, 0.01774 },
    { QT_IQ4_NL, 0.07610 }, { QT_IQ4_XS, 0.07669 }, { QT_TQ1_0, 0.80672 }, { QT_TQ2_0, 0.80672 },
    { QT_MXFP4, 0.11404 },
};

TEST(quantisers_are_no_worse_than_ggml_on_gaussian_weights)
{
    const int64_t n = 65536;
    float *x = new_gaussian(n, 12345);
    REQUIRE(x);
    CHECK(fabsf(x[0] - 0.0112508703f) < 1e-9f && fabsf(x[3] + 0.0372310802f) < 1e-9f);
    for (size_t i = 0; i < sizeof quality / sizeof *quality; i++) {
        double rmse = relative_rmse(quality[i].type, n, x);
        CHECK(rmse <= quality[i].ggml_rmse * 1.005, "%s: %.5f, ggml %.5f",
              qtypes[quality[i].type].name, rmse, quality[i].ggml_rmse);
    }
    free(x);
}

TEST(rows_of_zeros_are_written_and_read_as_zeros)
{
    float x[512] = { 0 }, back[512];
    uint8_t row[512 * sizeof(float)];
    for (int t = 0; t < QT_COUNT; t++) {
        if (!qtypes[t].from_f32) continue;
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
        if (!qtypes[t].from_f32) continue;
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
    const qtype types[] = { QT_TQ1_0, QT_TQ2_0 };
    float x[512], back[512];
    uint8_t row[512];
    for (int i = 0; i < 512; i++) x[i] = (i < 256 ? 0.0625f : 3.5f) * (float)(i * i % 3 - i % 2);
    for (int t = 0; t < 2; t++) {
        qtypes[types[t]].from_f32(512, x, NULL, row);
        qtypes[types[t]].to_f32(512, row, back);
        for (int i = 0; i < 512; i++)
            CHECK(back[i] == x[i], "%s: %g became %g", qtypes[types[t]].name, x[i], back[i]);
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

/* The hash of the blocks of 4096 weights: a change here is a change of every file lory writes. */
static const struct {
    qtype type;
    uint64_t hash;
} written[] = {
    { QT_F16, 0xb404cb1596de5d72 },    { QT_BF16, 0xf3b470e8ad1a34ff },
    { QT_Q4_0, 0x86aaff702485240c },   { QT_Q4_1, 0xe9402592ec9d2ffb },
    { QT_Q5_0, 0xb6cce2d86e6c606a },   { QT_Q5_1, 0xd2b36a69708e089d },
    { QT_Q8_0, 0x1ca82021bc8dbec3 },   { QT_Q2_K, 0x23179a07f33a11e4 },
    { QT_Q3_K, 0xbde664c6577b9f4e },   { QT_Q4_K, 0xea93645a22c66471 },
    { QT_Q5_K, 0xf6f9abd2b49c6463 },   { QT_Q6_K, 0xd2e59da851ccd1bc },
    { QT_IQ4_NL, 0x6399700944296a64 }, { QT_IQ4_XS, 0xd8708f00eeb2677e },
    { QT_TQ1_0, 0x5e03acf0e44bb097 },  { QT_TQ2_0, 0xd281ac6ec1621c56 },
    { QT_MXFP4, 0xe3ed0e7ed2d6dc9e },
};

TEST(written_blocks_are_the_same_bits_on_every_machine)
{
    static float x[4096];
    static uint8_t row[sizeof x];
    fill_exact(x, 4096);
    for (size_t i = 0; i < sizeof written / sizeof *written; i++) {
        const qtype_row *r = &qtypes[written[i].type];
        r->from_f32(4096, x, NULL, row);
        uint64_t hash = fnv1a(row, qtype_row_bytes(written[i].type, 4096));
        CHECK(hash == written[i].hash, "%s: 0x%016" PRIx64, r->name, hash);
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
