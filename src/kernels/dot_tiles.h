/* dot_tiles.h - groups of panels against activations by vpdpbusd, and with that all their tiles.
 * Layer: kernels. Not a header: avxvnni_quant.c includes it once, after the vectors, and so do the
 * files of AVX-512 by way of avx512_tiles.h.
 *
 * Codes lie in the panel as code + 128, unsigned; a sum begins at -128 * sum(activations), which
 * takes the 128 off exactly and costs nothing. It begins at the bits of 1.5 * 2^23 as well: then it
 * is a float as it stands, and one fused multiply-add scales it and takes that off again, rounding
 * once: no conversion. So 8 vpdpbusd, one multiply-add for the scale and one for the activations'
 * bound it: 8/10 of the peak; a minimum or a second scale (which still converts) makes it 8/11 or
 * 8/12. Where conversions are free beside multiplies every sum is converted (CONVERTS), to the same
 * bits.
 *
 * What the files define before, besides what panel_tiles.h wants (a form is n_sub and has_min):
 *   i_add_dot                 sum + the products of unsigned and signed bytes by fours
 *   ALTERNATE                 whether the steps of two halves of a group do
 *   PEAK_SUMS                 that peak_i8 adds to in turn */
#include "kernels/panel_tiles.h"

/* Adds the products of step k: the vectors' codes at p, activations x. */
INLINE void add_step(const int rv, const int n, const int k, const uint8_t *p, size_t next,
                     const act_group *x, codes a[2][TILE_MOST])
{
    codes w[2];
    UNROLL
    for (int v = 0; v < rv; v++) w[v] = i_load(p + (size_t)v * next + 64 * k);
    UNROLL
    for (int j = 0; j < n; j++) {
        codes xb = broadcast4(x[j].q + 4 * k);
        UNROLL
        for (int v = 0; v < rv; v++) a[v][j] = i_add_dot(a[v][j], w[v], xb);
    }
}

INLINE void start_at(const int rv, const int n, const act_group *x, const size_t field,
                     codes a[2][TILE_MOST])
{
    UNROLL
    for (int j = 0; j < n; j++) {
        a[0][j] = broadcast4((const uint8_t *)&x[j] + field);
        if (rv == 2) a[1][j] = a[0][j];
    }
}

/* Two things keep the multipliers busy: the steps of two halves alternate, since a sum waits 5
 * clocks for its last product, and the scales are ready before the last step, since what comes later waits behind its products. */
INLINE void add_group(const tile_form f, const bool exact, const int rv, const int n,
                      const uint8_t *p, size_t next, const act_group *x, floats acc[2][TILE_MOST])
{
    const int n_sub = f.n_sub;
    const int n_step = QT_GROUP / 4 / n_sub, last = n_step - 1; /* of a sum */
    const bool by_turns = n_sub == 2 && ALTERNATE;
    const size_t all = exact ? offsetof(act_group, start_all) : offsetof(act_group, magic_all);
    const size_t second = offsetof(act_group, start) + sizeof x->start[0];
    const size_t half = exact ? offsetof(act_group, start) : offsetof(act_group, magic_0);
    const uint8_t *at[2] = { p + CODES, p + next + CODES }; /* scales, then minimums */
    codes a[2][TILE_MOST], b[2][TILE_MOST];
    floats d[2], dm[2], u[2][TILE_MOST];
    start_at(rv, n, x, n_sub == 1 ? all : half, a);
    if (by_turns) start_at(rv, n, x, second, b);
    UNROLL
    for (int k = 0; k < last; k++) {
        add_step(rv, n, k, p, next, x, a);
        if (by_turns) add_step(rv, n, n_step + k, p, next, x, b);
    }
    UNROLL
    for (int v = 0; v < rv; v++) {
        d[v] = f_load(at[v]);
        dm[v] = f_mul(d[v], f_set(-ACT_MAGIC));
    }
    add_step(rv, n, last, p, next, x, a);
    if (by_turns) add_step(rv, n, n_step + last, p, next, x, b);
    UNROLL
    for (int j = 0; j < n; j++) {
        UNROLL
        for (int v = 0; v < rv; v++)
            u[v][j] = exact ? f_mul(d[v], f_of(a[v][j])) : f_fma(d[v], f_bits(a[v][j]), dm[v]);
    }
    if (n_sub == 2 && !by_turns) {
        start_at(rv, n, x, second, b);
        UNROLL
        for (int k = 0; k < n_step; k++) add_step(rv, n, n_step + k, p, next, x, b);
    }
    UNROLL
    for (int j = 0; j < n && n_sub == 2; j++) {
        UNROLL
        for (int v = 0; v < rv; v++)
            u[v][j] = f_fma(f_load(at[v] + FLOATS), f_of(b[v][j]), u[v][j]);
    }
    add_scaled(f, rv, n, p, next, x, u, acc);
}

/* By n_sub and has_min. */
static int form_of(qtype type)
{
    return 2 * (qtypes[type].n_sub - 1) + qtypes[type].has_min;
}

static uint8_t panel_zero(qtype type)
{
    (void)type;
    return 128;
}

/* ---- peak ---------------------------------------------------------------------------------- */

static double peak_i8(int64_t n)
{
    codes a[PEAK_SUMS], w = i_set8(1), x = i_set8(1);
    UNROLL
    for (int i = 0; i < PEAK_SUMS; i++) {
        a[i] = i_set32(0);
        __asm__("" : "+v"(a[i])); /* sums the compiler can't see to be one */
    }
    for (int64_t r = 0; r < n; r++) {
        UNROLL
        for (int i = 0; i < PEAK_SUMS; i++) a[i] = i_add_dot(a[i], w, x);
        __asm__ volatile("" : "+v"(w), "+v"(x));
    }
    UNROLL
    for (int i = 0; i < PEAK_SUMS; i++) __asm__ volatile("" ::"v"(a[i]));
    return (double)n * PEAK_SUMS * sizeof(codes);
}

/* Of the table. */
#define TILE_SLOTS .panel_zero = panel_zero, .gemm_i8 = gemm_i8, .peak_i8 = peak_i8
