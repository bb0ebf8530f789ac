/* avx2_quant.c - AVX2: the integer matmul.
 * Layer: kernels.
 *
 * vpmaddubsw multiplies unsigned codes with signed activations and adds pairs to 16 bits, which
 * saturate; so sums of more products are added in 16 bits where what they come to fits, and only
 * then to 32: for 32 weights of 8 rows and a token, 8 multiplies, 8 additions and one to join.
 * Signed codes to 6 bits lie in the panel as code + 32: such pairs fit (2 * 63 * 127), their sums
 * may pass 2^16 and come back, since each begins at -32 times its own activations, and 16 products
 * of 5 bits, or 8 of 6, are 32512 at most. Codes with a minimum are unsigned; those to 15 fit, those
 * to 31 by fours. Wider codes stay signed, |w| times x with the sign of w, where 2 * 128 * 127 <
 * 2^15 and each step is added in 32 bits. */
#include "kernels/avx2_act.h"
#include "kernels/avx2_tiles.h"

/* ---- forms --------------------------------------------------------------------------------- */

/* run: the steps that are added in 16 bits; 0: signed codes. */
enum { N_FORM = 9, TILE_MOST = 4, CONVERTS = 1 };
#define FORMS(F)                                                                                   \
    F(0, 1, 0, 8, 4, 4)                                                                            \
    F(1, 1, 1, 8, 4, 4)                                                                            \
    F(2, 1, 1, 4, 4, 4)                                                                            \
    F(3, 2, 0, 4, 4, 4)                                                                            \
    F(4, 2, 1, 4, 4, 4)                                                                            \
    F(5, 1, 0, 0, 4, 4)                                                                            \
    F(6, 1, 1, 0, 4, 4)                                                                            \
    F(7, 2, 0, 0, 4, 4)                                                                            \
    F(8, 2, 1, 0, 4, 4)

#include "kernels/panel_tiles.h"

/* Bits of a code; 0: 8, signed. */
static const uint8_t code_bits[QT_COUNT] = {
    [QT_Q4_0] = 4,  [QT_Q4_1] = 4, [QT_Q5_0] = 5,  [QT_Q5_1] = 5,  [QT_Q2_K] = 2,
    [QT_Q3_K] = 3,  [QT_Q4_K] = 4, [QT_Q5_K] = 5,  [QT_Q6_K] = 6,  [QT_TQ1_0] = 2,
    [QT_TQ2_0] = 2, [QT_MXFP4] = 5, [QT_NVFP4] = 5, [QT_Q1_0] = 2, [QT_Q2_0] = 2,
};

static int form_of(qtype type)
{
    const bool has_min = qtypes[type].has_min;
    const int n_sub = qtypes[type].n_sub, bits = code_bits[type];
    if (bits == 0) return 5 + 2 * (n_sub - 1) + has_min;
    return n_sub == 2 ? 3 + has_min : has_min ? 1 + (bits > 4) : 0;
}

static uint8_t panel_zero(qtype type)
{
    return code_bits[type] && !qtypes[type].has_min ? ACT_PAIR_ZERO : 0;
}

/* ---- one group ----------------------------------------------------------------------------- */

/* Where the sums of half s (n_sub 1: of all) begin, for codes + 32. */
INLINE __m256i start_of(const tile_form f, const act_group *x, const int s)
{
    const __m256i all = broadcast4(x->pairs_all);
    if (f.n_sub == 1) return all;
    const __m256i first = broadcast4(x->pairs_0);
    return s == 0 ? first : _mm256_sub_epi16(all, first);
}

/* sum[v][j] = the products of half s (n_sub 1: of all). */
INLINE void sum_steps(const tile_form f, const int s, const int rv, const int n, const uint8_t *p,
                      size_t next, const act_group *x, __m256i sum[2][TILE_MOST])
{
    const int n_step = QT_GROUP / 4 / f.n_sub, run = f.run ? f.run : 1;
    const bool starts = f.run && !f.has_min;
    __m256i a[2][TILE_MOST];
    UNROLL
    for (int j = 0; j < n; j++)
        if (starts) a[0][j] = a[1][j] = start_of(f, &x[j], s);
    UNROLL
    for (int k = 0; k < n_step; k++) {
        __m256i w[2], size[2];
        UNROLL
        for (int v = 0; v < rv; v++) {
            w[v] = i_load(p + (size_t)v * next + 64 * (s * n_step + k));
            size[v] = f.run ? w[v] : _mm256_abs_epi8(w[v]);
        }
        UNROLL
        for (int j = 0; j < n; j++) {
            const __m256i xb = broadcast4(x[j].q + 4 * (s * n_step + k));
            UNROLL
            for (int v = 0; v < rv; v++) {
                __m256i y =
                    _mm256_maddubs_epi16(size[v], f.run ? xb : _mm256_sign_epi8(xb, w[v]));
                a[v][j] = starts || k % run ? _mm256_add_epi16(a[v][j], y) : y;
                __asm__("" : "+x"(a[v][j])); /* or gcc adds in trees, whose leaves it spills */
                if ((k + 1) % run) continue;
                y = add_pairs(a[v][j]);
                sum[v][j] = k < run ? y : i_add32(sum[v][j], y);
                __asm__("" : "+x"(sum[v][j]));
            }
        }
    }
}

INLINE void add_group(const tile_form f, const bool exact, const int rv, const int n,
                      const uint8_t *p, size_t next, const act_group *x, floats acc[2][TILE_MOST])
{
    floats u[2][TILE_MOST];
    (void)exact; /* always */
    UNROLL
    for (int s = 0; s < f.n_sub; s++) {
        __m256i sum[2][TILE_MOST];
        sum_steps(f, s, rv, n, p, next, x, sum);
        UNROLL
        for (int v = 0; v < rv; v++) {
            const floats d = f_load(p + (size_t)v * next + CODES + FLOATS * s);
            UNROLL
            for (int j = 0; j < n; j++)
                u[v][j] = s == 0 ? f_mul(d, f_of(sum[v][j])) : f_fma(d, f_of(sum[v][j]), u[v][j]);
        }
    }
    add_scaled(f, rv, n, p, next, x, u, acc);
}

static void quant_act(const act_args *a)
{
    quantise(a, true);
}

/* ---- peak ---------------------------------------------------------------------------------- */

/* The products of 8-bit codes need two instructions at least: multiply, and add in 16 bits. */
static double peak_i8(int64_t n)
{
    enum { CHAINS = 8, MACS = 32 };
    __m256i a[CHAINS], w = _mm256_set1_epi8(1), x = _mm256_set1_epi8(1);
    UNROLL
    for (int i = 0; i < CHAINS; i++) {
        a[i] = _mm256_setzero_si256();
        __asm__("" : "+x"(a[i])); /* chains the compiler can't see to be one */
    }
    for (int64_t r = 0; r < n; r++) {
        UNROLL
        for (int i = 0; i < CHAINS; i++) {
            __m256i y = _mm256_maddubs_epi16(w, x);
            __asm__("" : "+x"(w)); /* nor the products */
            a[i] = _mm256_add_epi16(a[i], y);
        }
        __asm__ volatile("" : "+x"(w), "+x"(x));
    }
    UNROLL
    for (int i = 0; i < CHAINS; i++) __asm__ volatile("" ::"x"(a[i]));
    return (double)n * CHAINS * MACS;
}

const lory_kernels kernels_avx2_quant = {
    .quant_act = quant_act,
    .panel_zero = panel_zero,
    .gemm_i8 = gemm_i8,
    .peak_i8 = peak_i8,
};
