/* rope.c - see rope.h. */
#include "model/rope.h"
#include "base/fmath.h"
#include <math.h>

static const double PI = 3.14159265358979323846;

/* The index i (not yet whole) whose wave makes n_rotations in the original context. */
static double yarn_index(const hparams *hp, double n_rotations)
{
    return hp->n_rot * math_log(hp->rope_n_ctx_orig / (n_rotations * 2.0 * PI))
           / (2.0 * math_log((double)hp->rope_theta));
}

/* 0 below `low` (keep the frequency), 1 above `high` (divide it), a line between. */
static double yarn_ramp(const hparams *hp, int i)
{
    double low = floor(yarn_index(hp, hp->yarn_beta_fast));
    double high = ceil(yarn_index(hp, hp->yarn_beta_slow));
    if (low < 0.0) low = 0.0;
    if (high > hp->n_rot - 1) high = hp->n_rot - 1;
    if (high - low < 0.001) high = low + 0.001;
    double t = (i - low) / (high - low);
    return t < 0.0 ? 0.0 : t > 1.0 ? 1.0 : t;
}

void rope_frequencies(const hparams *hp, const float *factors, double *inv_freq, float *magnitude)
{
    bool is_yarn = hp->rope_scaling == ROPE_SCALE_YARN;
    double factor = hp->rope_scaling == ROPE_SCALE_NONE ? 1.0 : (double)hp->rope_factor;
    for (int i = 0; i < hp->n_rot / 2; i++) {
        double plain = math_pow((double)hp->rope_theta, -2.0 * i / hp->n_rot);
        if (factors) plain /= (double)factors[i];
        double ramp = is_yarn ? yarn_ramp(hp, i) : 1.0;
        inv_freq[i] = plain / factor * ramp + plain * (1.0 - ramp);
    }
    *magnitude = is_yarn ? (float)(hp->yarn_attn_factor * (1.0 + 0.1 * math_log(factor))) : 1.0f;
}

void rope_cos_sin(int n_rot, const double *inv_freq, float magnitude, int pos, float *cs)
{
    int n = n_rot / 2;
    for (int i = 0; i < n; i++) {
        double angle = pos * inv_freq[i];
        cs[i] = (float)math_cos(angle) * magnitude;
        cs[n + i] = (float)math_sin(angle) * magnitude;
    }
}
