/* fit.c - see fit.h.
 * Both searches try a row of step sizes around the one that spans the data. Each gives the weights
 * their nearest codes, and the codes the least-squares line through (code, weight); the best of
 * these lines is kept and polished by doing the same again from it. */
#include "quant/fit.h"
#include "quant/q_float.h"
#include <math.h>

enum { N_POLISH = 4, LANES = 4 };

/* The part of a gain that may be rounding: of what gains as much, what was tried first stays, so
 * that sub-blocks of the same few values get the same scale. */
#define NOISE 5e-7f

static float round_clamped(float v, float lo, float hi)
{
    const float magic = 12582912.0f; /* 1.5 * 2^23: up there a float has no fraction bits */
    v = v > lo ? v : lo;
    v = v < hi ? v : hi;
    return (v + magic) - magic;
}

int fit_code(float v, int lo, int hi)
{
    return (int)round_clamped(v, (float)lo, (float)hi);
}

static float inverse(float scale)
{
    return scale != 0.0f ? 1.0f / scale : 0.0f;
}

void fit_codes(int n, const float *x, fit_line line, int lo, int hi, int8_t *codes)
{
    float per_step = inverse(line.scale);
    for (int i = 0; i < n; i++) codes[i] = (int8_t)fit_code((x[i] + line.min) * per_step, lo, hi);
}

uint16_t fit_half(float f)
{
    const float max_half = 65504.0f;
    return f32_to_f16(f > max_half ? max_half : f < -max_half ? -max_half : f);
}

/* The nearest whose magnitude is not smaller. */
static uint16_t half_above(float f)
{
    uint16_t h = fit_half(f);
    bool is_below = fabsf(f16_to_f32(h)) < fabsf(f);
    return (uint16_t)(h + (is_below && (h & 0x7fff) < 0x7bff));
}

uint16_t fit_half_near(float f)
{
    uint16_t h = fit_half(f);
    return (h & 0x7fff) < 0x0400 ? half_above(f) : h;
}

int fit_level(float v, int n, const int8_t *level)
{
    int at = 0;
    for (int step = n / 2; step > 0; step /= 2) {
        int k = at + step - 1;
        at += v > 0.5f * (float)(level[k] + level[k + 1]) ? step : 0;
    }
    return at;
}

float fit_peak(int n, const float *x)
{
    float peak = 0.0f;
    for (int i = 0; i < n; i++)
        if (fabsf(x[i]) > fabsf(peak)) peak = x[i];
    return peak;
}

/* What every weight counts where nothing else is said. */
static const float ones[] = {
#define ONES_16 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1
    ONES_16, ONES_16, ONES_16, ONES_16, ONES_16, ONES_16, ONES_16, ONES_16,
    ONES_16, ONES_16, ONES_16, ONES_16, ONES_16, ONES_16, ONES_16, ONES_16,
#undef ONES_16
};

fit_data fit_data_at(int n, const float *x, const float *importance, int64_t at)
{
    return (fit_data){ n, x + at, importance ? importance + at : ones };
}

static float fold(const float lane[LANES])
{
    return (lane[0] + lane[2]) + (lane[1] + lane[3]);
}

float fit_error(fit_data f, fit_line line, int lo, int hi)
{
    float err[LANES] = { 0 }, per_step = inverse(line.scale);
    for (int i = 0; i < f.n; i += LANES) {
        for (int j = 0; j < LANES; j++) {
            float x = f.x[i + j];
            float code = round_clamped((x + line.min) * per_step, (float)lo, (float)hi);
            float diff = line.scale * code - line.min - x;
            err[j] += f.w[i + j] * diff * diff;
        }
    }
    return fold(err);
}

/* Sums over the weights x, each counted w times, and their codes c = round(x * per_step + offset)
 * in [lo, hi]. */
typedef struct {
    float c, cc, xc;
} sums;

static sums sums_of_codes(fit_data f, float per_step, float offset, float lo, float hi)
{
    float c[LANES] = { 0 }, cc[LANES] = { 0 }, xc[LANES] = { 0 };
    for (int i = 0; i < f.n; i += LANES) {
        for (int j = 0; j < LANES; j++) {
            float code = round_clamped(f.x[i + j] * per_step + offset, lo, hi);
            float counted = f.w[i + j] * code;
            c[j] += counted;
            cc[j] += counted * code;
            xc[j] += counted * f.x[i + j];
        }
    }
    return (sums){ fold(c), fold(cc), fold(xc) };
}

float fit_try(int itry)
{
    return 0.8f + 0.02f * (float)itry;
}

/* Takes the scale that the codes for per_step ask for, if that is better: scale = xc / cc is the
 * least-squares one, and takes scale * xc off the squared error. */
static void scale_try(fit_data f, float per_step, float lo, float hi, float *scale, float *best)
{
    sums s = sums_of_codes(f, per_step, 0.0f, lo, hi);
    if (!(s.cc > 0.0f && s.xc * s.xc / s.cc * (1.0f - NOISE) > *best)) return;
    *scale = s.xc / s.cc;
    *best = *scale * s.xc;
}

fit_line fit_counts(fit_data f, fit_line line, int lo, int hi)
{
    const float per_step = inverse(line.scale);
    fit_line counts = { 0.0f, 0.0f };
    counts.scale = sums_of_codes(f, per_step, line.min * per_step, (float)lo, (float)hi).cc;
    for (int i = 0; i < f.n; i++) counts.min += f.w[i];
    return counts;
}

/* The peak may become lo, or, of the other sign, hi. */
float fit_scale(fit_data f, int lo, int hi)
{
    enum { N_TRIES = 31, N_AGAIN = 2 };
    const float step = (1.2f - 0.8f) / (float)(N_TRIES - 1);
    const int most = lo < 0 ? lo : -hi;
    float peak = fit_peak(f.n, f.x), scale = peak / (float)most, best = 0.0f;
    if (peak == 0.0f) return 0.0f;
    for (int sign = 1; sign >= -1; sign -= 2) {
        float per_step = (float)(sign * most) / peak;
        for (int itry = 0; itry < N_TRIES; itry++)
            scale_try(f, per_step * (0.8f + step * (float)itry), (float)lo, (float)hi, &scale,
                      &best);
    }
    for (int i = 0; i < N_AGAIN; i++)
        scale_try(f, 1.0f / scale, (float)lo, (float)hi, &scale, &best);
    return scale;
}

/* A search for the best line, so far. */
typedef struct {
    fit_data f;
    float sum_w, sum_x; /* of the weights' counts, of the weights as often as they count */
    float hi;
    bool min_is_positive;
    fit_line line;
    float gain;
} line_search;

/* A line, what it takes off the squared error of a constant, and how much of that may be
 * rounding. */
typedef struct {
    fit_line line;
    float gain, noise;
} line_gain;

/* The least-squares line through codes and weights. Through 0 where a minimum below 0 is not
 * allowed, and where all codes are the same: det is then 0 but for rounding. */
static line_gain line_of(const line_search *l, sums s)
{
    float n = l->sum_w, det = n * s.cc - s.c * s.c, cov = n * s.xc - l->sum_x * s.c;
    line_gain g = { { cov / det, 0.0f }, -INFINITY, 0.0f };
    bool is_level = !(det > 1e-5f * n * s.cc);
    g.line.min = (g.line.scale * s.c - l->sum_x) / n;
    if (is_level || (l->min_is_positive && g.line.min < 0.0f)) {
        g.line = (fit_line){ s.xc / s.cc, 0.0f };
        g.gain = g.line.scale * s.xc - l->sum_x * l->sum_x / n;
        g.noise = NOISE * g.line.scale * s.xc;
    } else {
        g.gain = g.line.scale * cov / n;
        g.noise = NOISE * g.gain;
    }
    return g;
}

/* Takes the line that the codes for (per_step, offset) ask for, if that is better. */
static void line_try(line_search *l, float per_step, float offset)
{
    line_gain g = line_of(l, sums_of_codes(l->f, per_step, offset, 0.0f, l->hi));
    if (g.line.scale > 0.0f && g.gain - g.noise > l->gain) l->line = g.line, l->gain = g.gain;
}

fit_line fit_scale_min(fit_data f, int hi, bool min_is_positive)
{
    float lowest = min_is_positive ? 0.0f : f.x[0], highest = f.x[0], sum_w = 0.0f, sum_x = 0.0f;
    for (int i = 0; i < f.n; i++) {
        lowest = f.x[i] < lowest ? f.x[i] : lowest;
        highest = f.x[i] > highest ? f.x[i] : highest;
        sum_w += f.w[i];
        sum_x += f.w[i] * f.x[i];
    }
    float span = highest - lowest;
    if (!(span > 0.0f)) return (fit_line){ 0.0f, -lowest };
    line_search l = { .f = f,
                      .sum_w = sum_w,
                      .sum_x = sum_x,
                      .hi = (float)hi,
                      .min_is_positive = min_is_positive,
                      .line = { span / (float)hi, -lowest },
                      .gain = -INFINITY };
    for (int itry = 0; itry < FIT_TRIES; itry++) {
        float per_step = (float)hi / span * fit_try(itry);
        line_try(&l, per_step, -lowest * per_step);
    }
    for (int i = 0; i < N_POLISH; i++) line_try(&l, 1.0f / l.line.scale, l.line.min / l.line.scale);
    return l.line;
}
