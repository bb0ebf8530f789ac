/* iq_book.c - see iq_book.h. */
#include "quant/iq_book.h"
#include "quant/q_float.h"
#include <math.h>
#include <string.h>

enum { HALF_MAX = 256, SUB_MAX = 32, SUB_POINTS = SUB_MAX / 4, EIGHT = 8 };

void iq_book_open(iq_book *b, const uint16_t *point, int n_point, int bits)
{
    *b = (iq_book){ .point = point, .n_point = n_point, .bits = bits };
    b->n_dim = bits == 2 ? 8 : 4;
    b->half_bits = bits * b->n_dim / 2;
    for (int i = 0; i < n_point; i++) {
        b->low[i] = (uint8_t)(point[i] & ((1 << b->half_bits) - 1));
        uint16_t high = point[i] >> b->half_bits;
        if (b->n_run > 0 && b->high[b->n_run - 1] == high) continue;
        b->run_of[high] = (uint8_t)b->n_run;
        b->high[b->n_run] = high;
        b->first[b->n_run++] = (uint16_t)i;
    }
    b->first[b->n_run] = (uint16_t)n_point;
}

/* ---- one point ------------------------------------------------------------------------------ */

/* The functions below are written once for points of 8 weights with 4 codes (of which the last is
 * never used) and of 4 weights with 8 codes; inlined, their loops have constant ends. */

#define INLINE static inline __attribute__((always_inline))

/* sum[i + n_a * k] = a[i] + b[k] */
INLINE void add_all(int n_a, const float *restrict a, int n_b, const float *restrict b,
                    float *restrict sum)
{
    for (int k = 0; k < n_b; k++)
        for (int i = 0; i < n_a; i++) sum[n_a * k + i] = a[i] + b[k];
}

/* The error, less that of all zeros, of every half point: cost has a row of n_code a weight. */
INLINE void table_half(int n_code, const float *restrict cost, float *restrict table)
{
    float low[16], high[16];
    if (n_code == 8) {
        add_all(8, cost, 8, cost + 8, table);
        return;
    }
    add_all(4, cost, 4, cost + 4, low);
    add_all(4, cost + 8, 4, cost + 12, high);
    add_all(16, low, 16, high, table);
}

/* The least that a half point costs, added up as table_half does it; which one that is goes to
 * *half. */
INLINE float least_half(int n_code, const float *restrict cost, int *half)
{
    float sum[4] = { 0 };
    int bits = n_code == 4 ? 2 : 3;
    *half = 0;
    for (int j = 0; j < (n_code == 4 ? 4 : 2); j++) {
        const float *row = cost + n_code * j;
        float least = row[0];
        int code = 0;
        for (int c = 1; c < n_code; c++) {
            bool is_less = row[c] < least;
            code = is_less ? c : code;
            least = is_less ? row[c] : least;
        }
        sum[j] = least;
        *half |= code << bits * j;
    }
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

/* The point of run i with the least error, if that is below *best. */
INLINE void search_run(const iq_book *b, int i, const float *low, float high_cost, float *best,
                       int *index)
{
    for (int k = b->first[i]; k < b->first[i + 1]; k++) {
        float err = low[b->low[k]] + high_cost;
        if (err < *best) *best = err, *index = k;
    }
}

/* The index of the point with the least error; that, less that of all zeros, goes to *best. */
INLINE int nearest(const iq_book *b, int n_code, const float *cost, float *best)
{
    float low[HALF_MAX], high[HALF_MAX];
    int half, index = 0;
    const float *high_cost = cost + 16;
    float least = least_half(n_code, cost, &half);
    table_half(n_code, cost, low);
    table_half(n_code, high_cost, high);
    least_half(n_code, high_cost, &half);
    *best = INFINITY;
    search_run(b, b->run_of[half], low, high[b->high[b->run_of[half]]], best, &index);
    for (int i = 0; i < b->n_run; i++) {
        float cost_i = high[b->high[i]];
        if (cost_i + least < *best) search_run(b, i, low, cost_i, best, &index);
    }
    return index;
}

/* ---- a sub-block ---------------------------------------------------------------------------- */

/* The codes of a sub-block at some scale, and the sums that tell its error at any scale. */
typedef struct {
    uint16_t index[SUB_POINTS];
    uint8_t shift[SUB_MAX / EIGHT];
    float xp, pp; /* sums of w * x * level and of w * level^2 */
} sub_codes;

/* The point for the weights of f, of which a code has so many bits that there are 32 / f.n of them;
 * adds to the sums. */
INLINE float choose_point(const iq_book *b, const float *restrict level, fit_data f, float scale,
                          uint16_t *at, float sums[2])
{
    float cost[32], best;
    const int n_dim = f.n, n_code = 32 / n_dim;
    for (int j = 0; j < n_dim; j++) {
        float wx = -2.0f * f.w[j] * f.x[j] * scale, ww = f.w[j] * scale * scale;
        for (int c = 0; c < n_code; c++) cost[n_code * j + c] = level[c] * (level[c] * ww + wx);
    }
    *at = (uint16_t)nearest(b, n_code, cost, &best);
    for (int j = 0; j < n_dim; j++) {
        float v = level[b->point[*at] >> b->bits * j & (n_code - 1)], wv = f.w[j] * v;
        sums[0] += wv * f.x[j];
        sums[1] += wv * v;
    }
    return best;
}

/* The best codes at that scale with one set of levels for all n weights. */
static float choose_shifted(const iq_book *b, const float *level, fit_data f, float scale,
                            uint16_t *index, float sums[2])
{
    float err = 0.0f;
    sums[0] = sums[1] = 0.0f;
    if (b->bits == 2)
        for (int i = 0; i < f.n; i += 8)
            err += choose_point(b, level, fit_part(f, i, 8), scale, index++, sums);
    else
        for (int i = 0; i < f.n; i += 4)
            err += choose_point(b, level, fit_part(f, i, 4), scale, index++, sums);
    return err;
}

static void choose(const iq_book *b, const iq_form *form, fit_data f, float scale, sub_codes *s)
{
    uint16_t index[2][SUB_POINTS];
    float sums[2][2];
    *s = (sub_codes){ 0 };
    for (int i = 0; i < f.n; i += form->n_same_shift) {
        fit_data part = fit_part(f, i, form->n_same_shift);
        int shift = 0;
        float err = choose_shifted(b, form->level[0], part, scale, index[0], sums[0]);
        if (form->n_shift == 2)
            shift = choose_shifted(b, form->level[1], part, scale, index[1], sums[1]) < err;
        memcpy(s->index + i / b->n_dim, index[shift], (size_t)(part.n / b->n_dim) * sizeof **index);
        memset(s->shift + i / EIGHT, shift, (size_t)(part.n / EIGHT));
        s->xp += sums[shift][0];
        s->pp += sums[shift][1];
    }
}

/* The scale that suits a sub-block best, were it free. The first tries are about the one that gives
 * the levels the weights' mean square, each is corrected by least squares, and the best of them is
 * tried again. */
static float free_scale(const iq_book *b, const iq_form *form, fit_data f)
{
    static const float tries[] = { 0.7f, 1.0f, 1.3f };
    enum { N_TRIES = sizeof tries / sizeof *tries };
    float power = 0.0f, count = 0.0f, best = 0.0f, scale = 0.0f;
    sub_codes s;
    for (int i = 0; i < f.n; i++) {
        power += f.w[i] * f.x[i] * f.x[i];
        count += f.w[i];
    }
    if (!(power > 0.0f)) return 0.0f;
    float middle = sqrtf(power / count) / form->level_rms;
    for (int itry = 0; itry <= N_TRIES; itry++) {
        float at = itry < N_TRIES ? middle * tries[itry] : scale;
        choose(b, form, f, at, &s);
        if (s.xp > 0.0f && s.xp * s.xp > best * s.pp) scale = s.xp / s.pp, best = scale * s.xp;
    }
    return scale;
}

/* ---- a super-block -------------------------------------------------------------------------- */

/* Magnitudes and signs of 256 weights. Where the signs must be even, the weight that matters least
 * gets the wrong one, and is negative. */
static void take_signs(const iq_form *form, fit_data f, float *x, uint8_t *sign)
{
    for (int i = 0; i < f.n; i += EIGHT) {
        int bits = 0, n_minus = 0, least = 0;
        for (int j = 0; j < EIGHT; j++) {
            bool is_minus = f.x[i + j] < 0.0f;
            bits |= is_minus << j;
            n_minus += is_minus;
            x[i + j] = fabsf(f.x[i + j]);
            float cost = f.w[i + j] * x[i + j] * x[i + j];
            if (cost < f.w[i + least] * x[i + least] * x[i + least]) least = j;
        }
        if (form->even_signs && n_minus % 2) x[i + least] = -x[i + least], bits ^= 1 << least;
        sign[i / EIGHT] = (uint8_t)bits;
    }
}

/* The better of the two integer scales about the one wanted; returns it. */
static int fit_sub(const iq_book *b, const iq_form *form, fit_data f, float step, float wanted,
                   sub_codes *best)
{
    float least = INFINITY;
    int first = fit_code(0.5f * (wanted / step - 1.0f) - 0.5f, 0, form->n_scale - 2), at = first;
    for (int l = first; l <= first + 1; l++) {
        sub_codes s;
        float scale = step * (float)(2 * l + 1);
        choose(b, form, f, scale, &s);
        float err = scale * (scale * s.pp - 2.0f * s.xp);
        if (err < least) least = err, *best = s, at = l;
    }
    return at;
}

/* Scales and points of all sub-blocks for that d; returns the d that suits these best. */
static float fit_subs(const iq_book *b, const iq_form *form, fit_data f, float step,
                      const float *wanted, iq_codes *codes)
{
    int n = form->n_sub, n_point = n / b->n_dim;
    float xp = 0.0f, pp = 0.0f;
    for (int s = 0; s < QB_SUPER / n; s++) {
        sub_codes best = { 0 };
        int l = fit_sub(b, form, fit_part(f, n * s, n), step, wanted[s], &best);
        codes->scale[s] = (uint8_t)l;
        memcpy(codes->index + n_point * s, best.index, (size_t)n_point * sizeof *best.index);
        memcpy(codes->shift + n / EIGHT * s, best.shift, (size_t)(n / EIGHT));
        xp += best.xp * (float)(2 * l + 1);
        pp += best.pp * (float)((2 * l + 1) * (2 * l + 1));
    }
    return pp > 0.0f ? xp / pp / form->unit : 0.0f;
}

void iq_fit(const iq_book *b, const iq_form *form, fit_data f, iq_codes *codes)
{
    float x[QB_SUPER], wanted[QB_SUPER / 16];
    int n = form->n_sub, n_sub = QB_SUPER / n;
    *codes = (iq_codes){ 0 };
    if (form->has_signs) {
        take_signs(form, f, x, codes->sign);
        f.x = x;
    }
    for (int s = 0; s < n_sub; s++) wanted[s] = free_scale(b, form, fit_part(f, n * s, n));
    float top = fit_peak(n_sub, wanted) / (form->unit * (float)(2 * form->n_scale - 1));
    float d = f16_to_f32(fit_half(top));
    if (d > 0.0f) codes->d = fit_half(fit_subs(b, form, f, d * form->unit, wanted, codes));
}
