/* fit.c - see fit.h.
 * Both searches try a row of step sizes around the one that spans the data. For each, the codes
 * are the nearest ones and the line through (code, weight) is the least-squares one; the best try
 * wins. */
#include "quant/fit.h"
#include "quant/qtype.h"
#include <math.h>

enum { N_TRIES = 20 };

static const float too_small = 1e-12f; /* far below what a half float's scale can express */

int fit_code(float v, int lo, int hi)
{
    const float magic = 12582912.0f; /* 1.5 * 2^23: above it a float has no fraction bits */
    if (!(v > (float)lo)) return lo;
    if (v >= (float)hi) return hi;
    return (int)((v + magic) - magic);
}

float fit_inverse(float scale)
{
    return scale != 0.0f ? 1.0f / scale : 0.0f;
}

uint16_t fit_half(float f)
{
    const float max_half = 65504.0f;
    return f32_to_f16(f > max_half ? max_half : f < -max_half ? -max_half : f);
}

float fit_peak(int n, const float *x)
{
    float peak = 0.0f;
    for (int i = 0; i < n; i++)
        if (fabsf(x[i]) > fabsf(peak)) peak = x[i];
    return peak;
}

float fit_scale(int n, const float *x, int lo, int hi)
{
    float peak = fit_peak(n, x);
    if (fabsf(peak) < too_small) return 0.0f;
    float scale = peak / (float)lo, best = 0.0f;
    for (int itry = 0; itry < N_TRIES; itry++) {
        float per_step = ((float)lo + 0.1f * (float)(itry - N_TRIES / 2)) / peak;
        float sum_xc = 0.0f;
        int sum_cc = 0;
        for (int i = 0; i < n; i++) {
            int c = fit_code(x[i] * per_step, lo, hi);
            sum_xc += x[i] * (float)c;
            sum_cc += c * c;
        }
        /* With scale = sum_xc / sum_cc the squared error falls by scale * sum_xc. */
        float s = sum_xc / (float)sum_cc;
        if (sum_cc > 0 && s * sum_xc > best) scale = s, best = s * sum_xc;
    }
    return scale;
}

fit_line fit_scale_min(int n, const float *x, int hi)
{
    float lowest = x[0], highest = x[0], sum_x = 0.0f;
    for (int i = 0; i < n; i++) {
        lowest = x[i] < lowest ? x[i] : lowest;
        highest = x[i] > highest ? x[i] : highest;
        sum_x += x[i];
    }
    float span = highest - lowest;
    if (!(span > too_small)) return (fit_line){ 0.0f, -lowest };
    fit_line line = { span / (float)hi, -lowest };
    float best = -INFINITY;
    for (int itry = 0; itry < N_TRIES; itry++) {
        float per_step = ((float)hi + 0.1f * (float)(itry - N_TRIES / 2)) / span;
        float sum_xc = 0.0f;
        int sum_c = 0, sum_cc = 0;
        for (int i = 0; i < n; i++) {
            int c = fit_code((x[i] - lowest) * per_step, 0, hi);
            sum_xc += x[i] * (float)c;
            sum_c += c;
            sum_cc += c * c;
        }
        float det = (float)(n * sum_cc - sum_c * sum_c);
        if (!(det > 0.0f)) continue;
        float s = ((float)n * sum_xc - sum_x * (float)sum_c) / det;
        float gain = s * ((float)n * sum_xc - sum_x * (float)sum_c);
        if (s > 0.0f && gain > best) {
            best = gain;
            line = (fit_line){ s, (s * (float)sum_c - sum_x) / (float)n };
        }
    }
    return line;
}
