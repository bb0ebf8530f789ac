/* rope.c - see rope.h. */
#include "model/rope.h"
#include "base/fmath.h"
#include "quant/q_float.h"
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
    double low = yarn_index(hp, hp->yarn_beta_fast);
    double high = yarn_index(hp, hp->yarn_beta_slow);
    if (!hp->yarn_exact) {
        low = floor(low);
        high = ceil(high);
    }
    if (low < 0.0) low = 0.0;
    if (high > hp->n_rot - 1) high = hp->n_rot - 1;
    if (high - low < 0.001) high = low + 0.001;
    double t = (i - low) / (high - low);
    return t < 0.0 ? 0.0 : t > 1.0 ? 1.0 : t;
}

static double plain_frequency(double theta, int i, int n_rot)
{
    return math_pow(theta, -2.0 * i / n_rot);
}

void rope_frequencies(const hparams *hp, const float *factors, rope_table *t)
{
    bool is_yarn = hp->rope_scaling == ROPE_SCALE_YARN;
    double factor = hp->rope_scaling == ROPE_SCALE_NONE ? 1.0 : (double)hp->rope_factor;
    for (int i = 0; i < hp->n_rot / 2; i++) {
        double plain = plain_frequency((double)hp->rope_theta, i, hp->n_rot);
        if (factors) plain /= (double)factors[i];
        double ramp = is_yarn ? yarn_ramp(hp, i) : 1.0;
        t->inv_freq[i] = plain / factor * ramp + plain * (1.0 - ramp);
        if (hp->rope_half) t->inv_freq[i] = (double)f16_to_f32(f32_to_f16((float)t->inv_freq[i]));
    }
    t->n_rot = hp->n_rot;
    t->magnitude = hp->rope_attn_factor;
    if (is_yarn) t->magnitude = (float)(hp->rope_attn_factor * (1.0 + 0.1 * math_log(factor)));
}

void rope_local_frequencies(const hparams *hp, rope_table *t)
{
    t->n_rot = hp->n_rot_local;
    for (int i = 0; i < t->n_rot / 2; i++)
        t->inv_freq[i] = plain_frequency((double)hp->rope_theta_local, i, t->n_rot);
    t->magnitude = 1.0f;
}

void rope_cos_sin(const rope_table *t, int pos, int first, int last, float *cs)
{
    int n = t->n_rot / 2;
    for (int i = first; i < last; i++) {
        double sine, cosine;
        math_sin_cos(pos * t->inv_freq[i], &sine, &cosine);
        cs[i] = (float)cosine * t->magnitude;
        cs[n + i] = (float)sine * t->magnitude;
    }
}
