/* bench_kernels.c - how fast the matmul kernels are on one thread, as shares of what this core can
 * do: for the developers of kernels.
 *
 *     build/release/tools/bench_kernels [gemm|gemv|attend] [TYPE ...]
 *
 * gemm: products of 512 (and fewer) tokens with K = N = 2048, activations quantised and panels
 * packed inside, as a share of the register peak. gemv: one token against weights that fit in no
 * cache, as a share of a plain read loop over the same bytes. attend: one token against keys and
 * values of 8 heads that fit in no cache, alike, with 1, 3, 4 and 8 queries a head. What is
 * compared runs in turn in this process and the median of the ratios counts: other load hits both.
 * LORY_ISA as usual. */
#include "base/mem.h"
#include "base/timer.h"
#include "kernels/kernel.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { K = 2048, N = 2048, TOKENS = 512, REPEATS = 9, REPEATS_SMALL = 41, SAMPLE = 1 << 14 };
enum { GEMV_BYTES = 96 << 20, PEAK_ROUNDS = 40000 };

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *v, int n)
{
    qsort(v, (size_t)n, sizeof *v, ascending);
    return v[n / 2];
}

static uint32_t rnd(void)
{
    static uint64_t s = 88172645463325252u;
    s ^= s << 13, s ^= s >> 7, s ^= s << 17;
    return (uint32_t)(s >> 16);
}

static void *must(void *p)
{
    if (!p) {
        fprintf(stderr, "bench_kernels: out of memory\n");
        exit(1);
    }
    return p;
}

/* Uniform weights in that type: SAMPLE elements of it over and over, so that codes are as frequent
 * as in files. n_bytes holds whole blocks. */
static void *random_weights(qtype t, size_t n_bytes)
{
    static float x[SAMPLE];
    const size_t each = qtype_row_bytes(t, SAMPLE);
    uint8_t *w = must(mem_new(n_bytes > each ? n_bytes : each, 1));
    for (int i = 0; i < SAMPLE; i++) x[i] = (float)(int32_t)rnd() * 0x1p-31f;
    qtypes[t].from_f32(SAMPLE, x, NULL, w);
    for (size_t at = each; at < n_bytes; at += each)
        memcpy(w + at, w, n_bytes - at < each ? n_bytes - at : each);
    return w;
}

/* ---- one product --------------------------------------------------------------------------- */

typedef struct {
    matmul_args m;
    act_args q;
    x_args x;
} product;

static product new_product(const lory_kernels *kn, qtype t, int n_rows, int n_tok)
{
    product p = { 0 };
    size_t row_bytes = qtype_row_bytes(t, K);
    float *x = must(mem_new((size_t)n_tok * K, sizeof *x));
    act_group *act = must(mem_new(1, act_bytes(n_tok, K)));
    for (int i = 0; i < n_tok * K; i++) x[i] = (float)(int32_t)rnd() * 0x1p-31f;
    p.q = (act_args){ .x = x,
                      .ld_x = K,
                      .n_tok = n_tok,
                      .n_group = K / QT_GROUP,
                      .it1 = n_tok,
                      .ig1 = K / QT_GROUP,
                      .act = act };
    p.m = (matmul_args){ .w = random_weights(t, (size_t)n_rows * row_bytes),
                         .row_bytes = row_bytes,
                         .type = t,
                         .n_rows = n_rows,
                         .k = K,
                         .act = act,
                         .x = x,
                         .ld_x = K,
                         .n_tok = n_tok,
                         .out = must(mem_new((size_t)n_tok * (size_t)n_rows, sizeof(float))),
                         .ld_out = (size_t)n_rows,
                         .scratch = must(mem_new(1, matmul_scratch_bytes())) };
    p.x = (x_args){ .x = x, .ld_x = K, .n_tok = n_tok, .k = K, .it1 = n_tok };
    if (matmul_takes_tiles(kn, t, K, n_tok)) {
        p.x.tiles = must(mem_new(16 * x_sum_floats(n_tok, K), sizeof(float)));
        p.m.x_tiles = p.x.tiles;
    }
    return p;
}

static void free_product(product *p)
{
    mem_free((void *)(uintptr_t)p->m.w), mem_free(p->m.out), mem_free(p->m.scratch);
    mem_free((void *)(uintptr_t)p->q.x), mem_free(p->q.act), mem_free(p->x.tiles);
}

static void run(const lory_kernels *kn, const product *p)
{
    if (qtypes[p->m.type].n_sub) kn->quant_act(&p->q);
    if (p->x.tiles) kn->tile_x(&p->x);
    matmul(kn, &p->m);
}

/* ---- prompts ------------------------------------------------------------------------------- */

/* GMAC/s of the peak that bounds the type. */
static double peak(const lory_kernels *kn, qtype t)
{
    double t0 = timer_thread();
    double n = qtypes[t].n_sub ? kn->peak_i8(PEAK_ROUNDS) : kn->peak_f32(PEAK_ROUNDS);
    return n / (timer_thread() - t0) * 1e-9;
}

static void bench_gemm(const lory_kernels *kn, qtype t)
{
    static const int tokens[] = { 1, 2, 4, 8, 16, 32, 128, TOKENS };
    printf("%-8s", qtypes[t].name);
    double rate = 0;
    for (int i = 0; i < 8; i++) {
        product p = new_product(kn, t, N, tokens[i]);
        double share[REPEATS_SMALL], speed[REPEATS_SMALL];
        int n = tokens[i] < 128 ? REPEATS_SMALL : REPEATS;
        for (int r = 0; r < n; r++) {
            double limit = peak(kn, t), t0 = timer_thread();
            run(kn, &p);
            speed[r] = (double)K * N * tokens[i] / (timer_thread() - t0) * 1e-9;
            share[r] = speed[r] / limit;
        }
        rate = median(speed, n);
        printf(" %6.1f", 100 * median(share, n));
        fflush(stdout);
        free_product(&p);
    }
    printf("   %7.1f\n", rate);
}

/* ---- generation ---------------------------------------------------------------------------- */

static volatile uint64_t read_result;

static void read_all(const void *bytes, size_t n)
{
    const uint64_t *p = bytes;
    uint64_t s[8] = { 0 };
    for (size_t i = 0; i + 8 <= n / 8; i += 8)
        for (int j = 0; j < 8; j++) s[j] += p[i + (size_t)j];
    for (int j = 0; j < 8; j++) read_result += s[j];
}

static void bench_gemv(const lory_kernels *kn, qtype t)
{
    size_t row_bytes = qtype_row_bytes(t, K);
    int n_rows = (int)(GEMV_BYTES / row_bytes) / 16 * 16;
    product p = new_product(kn, t, n_rows, 1);
    size_t n_bytes = (size_t)n_rows * row_bytes;
    double share[REPEATS], speed[REPEATS], hot[REPEATS_SMALL];
    for (int r = 0; r < REPEATS; r++) {
        double t0 = timer_thread();
        read_all(p.m.w, n_bytes);
        double t1 = timer_thread();
        run(kn, &p);
        double t2 = timer_thread();
        speed[r] = (double)n_bytes / (t2 - t1) * 1e-9;
        share[r] = (t1 - t0) / (t2 - t1);
    }
    p.m.n_rows =
        (int)((256 << 10) / row_bytes) / 16 * 16; /* these stay in the second level cache */
    for (int r = 0; r < REPEATS_SMALL; r++) {
        double t0 = timer_thread();
        matmul(kn, &p.m);
        hot[r] = (double)((size_t)p.m.n_rows * row_bytes) / (timer_thread() - t0) * 1e-9;
    }
    printf("%-8s %7.2f GB/s %6.1f %% of reading; from cache %7.2f GB/s\n", qtypes[t].name,
           median(speed, REPEATS), 100 * median(share, REPEATS), median(hot, REPEATS_SMALL));
    free_product(&p);
}

static bool is_wanted(qtype t, int n, char **names)
{
    for (int i = 0; i < n; i++)
        if (strcmp(names[i], qtypes[t].name) == 0) return true;
    return n == 0;
}

/* ---- attention ------------------------------------------------------------------------------ */

enum { N_KV_HEAD = 8, HEAD_DIM = 64, MOST_GROUP = 8 };

/* The cache of one layer, as the engine lays it out: [n_page][N_KV_HEAD][key, value][KV_CHUNK]. */
typedef struct {
    attend_args a;
    size_t chunk_bytes;
    int n_page;
    uint8_t *data;
} attention;

/* Chunk `page` of head ih, and the one that follows asked for. */
static void attend_page(const lory_kernels *kn, const attention *t, int ih, int page)
{
    attend_args a = t->a;
    size_t pair = 2 * t->chunk_bytes;
    a.k = t->data + ((size_t)page * N_KV_HEAD + (size_t)ih) * pair;
    a.v = (const uint8_t *)a.k + t->chunk_bytes;
    if (page + 1 < t->n_page) {
        a.next_k = (const uint8_t *)a.k + N_KV_HEAD * pair;
        a.next_v = (const uint8_t *)a.next_k + t->chunk_bytes;
    }
    kn->attend(&a);
}

static attention new_attention(qtype t, int group)
{
    static int16_t first[MOST_GROUP], last[MOST_GROUP];
    static attend_state state[MOST_GROUP];
    static float q[MOST_GROUP * HEAD_DIM], o[MOST_GROUP * HEAD_DIM];
    static float scratch[ATTEND_SCRATCH(HEAD_DIM)];
    size_t row_bytes = qtype_row_bytes(t, HEAD_DIM);
    attention x = { .chunk_bytes = KV_CHUNK * row_bytes };
    x.n_page = (int)(GEMV_BYTES / (2 * N_KV_HEAD * x.chunk_bytes));
    size_t n_bytes = (size_t)x.n_page * N_KV_HEAD * 2 * x.chunk_bytes;
    x.data = random_weights(t, n_bytes);
    for (int i = 0; i < MOST_GROUP; i++) {
        last[i] = KV_CHUNK;
        state[i] = (attend_state){ -1e30f, 0 };
    }
    for (int i = 0; i < MOST_GROUP * HEAD_DIM; i++) q[i] = (float)(int32_t)rnd() * 0x1p-31f;
    x.a = (attend_args){ .q = q, .ld_q = HEAD_DIM, .type = t, .row_bytes = row_bytes, .o = o,
                         .ld_o = HEAD_DIM, .state = state, .first = first, .last = last,
                         .n_q = group, .head_dim = HEAD_DIM, .scale = 0.125f,
                         .scratch = scratch };
    return x;
}

/* GB/s of keys and values over and over from the second level cache. */
static double attend_hot(const lory_kernels *kn, attention x)
{
    enum { HOT_BYTES = 256 << 10, ROUNDS = 20 };
    double rate[REPEATS_SMALL];
    x.n_page = (int)(HOT_BYTES / (2 * N_KV_HEAD * x.chunk_bytes));
    for (int r = 0; r < REPEATS_SMALL; r++) {
        double t0 = timer_thread();
        for (int i = 0; i < ROUNDS * x.n_page * N_KV_HEAD; i++)
            attend_page(kn, &x, i / x.n_page % N_KV_HEAD, i % x.n_page);
        double n = (double)ROUNDS * x.n_page * N_KV_HEAD * 2 * (double)x.chunk_bytes;
        rate[r] = n / (timer_thread() - t0) * 1e-9;
    }
    return median(rate, REPEATS_SMALL);
}

static void bench_attend(const lory_kernels *kn, qtype t, int group)
{
    attention x = new_attention(t, group);
    size_t n_bytes = (size_t)x.n_page * N_KV_HEAD * 2 * x.chunk_bytes;
    double share[REPEATS], speed[REPEATS];
    for (int r = 0; r < REPEATS; r++) {
        double t0 = timer_thread();
        read_all(x.data, n_bytes);
        double t1 = timer_thread();
        for (int i = 0; i < x.n_page * N_KV_HEAD; i++)
            attend_page(kn, &x, i / x.n_page, i % x.n_page);
        double t2 = timer_thread();
        speed[r] = (double)n_bytes / (t2 - t1) * 1e-9;
        share[r] = (t1 - t0) / (t2 - t1);
    }
    printf("%-5s %d queries %7.2f GB/s %6.1f %% of reading; from cache %7.2f GB/s\n",
           qtypes[t].name, group, median(speed, REPEATS), 100 * median(share, REPEATS),
           attend_hot(kn, x));
    mem_free(x.data);
}

static void bench_attention(const lory_kernels *kn, int n_name, char **names)
{
    static const qtype types[] = { QT_F32, QT_F16, QT_Q8_0 };
    static const int groups[] = { 1, 3, 4, 8 };
    for (int t = 0; t < 3; t++)
        for (int g = 0; g < 4; g++)
            if (is_wanted(types[t], n_name, names)) bench_attend(kn, types[t], groups[g]);
}

int main(int argc, char **argv)
{
    static const char *const kinds[] = { "gemm", "gemv", "attend" };
    lory_err err;
    const lory_kernels *kn = kernels();
    const char *isa = kernels_isa(&err);
    int only = -1;
    for (int i = 0; i < 3; i++)
        if (argc > 1 && strcmp(argv[1], kinds[i]) == 0) only = i;
    int skip = 1 + (only >= 0), n_name = argc > skip ? argc - skip : 0;
    char **names = argv + skip;
    if (!isa) return fprintf(stderr, "%s\n", err.text), 2;
    printf("isa %s, K = N = %d\n", isa, K);
    if (only < 0 || only == 0) {
        printf(
            "%% of the register peak at tokens   1      2      4      8     16     32    128    512"
            "   GMAC/s at 512\n");
        for (int t = 0; t < QT_COUNT; t++)
            if (is_wanted((qtype)t, n_name, names)) bench_gemm(kn, (qtype)t);
    }
    if (only < 0 || only == 1)
        for (int t = 0; t < QT_COUNT; t++)
            if (is_wanted((qtype)t, n_name, names)) bench_gemv(kn, (qtype)t);
    if (only < 0 || only == 2) bench_attention(kn, n_name, names);
    return 0;
}
