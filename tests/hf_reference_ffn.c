/* hf_reference_ffn.c - see hf_reference.h: one network for all tokens, or experts. */
#include "hf_reference_parts.h"
#include <math.h>

double ref_gelu(double x)
{
    return 0.5 * x * (1.0 + tanh(0.79788456080286535588 * (x + 0.044715 * x * x * x)));
}

static double gate_of(const ref_spec *s, double x)
{
    double relu = fmax(x, 0.0);
    if (s->act == REF_GELU_GATE) return ref_gelu(x);
    return s->act == REF_RELU ? relu : s->act == REF_RELU2_GATE ? relu * relu : ref_silu(x);
}

/* Gate times up; limit 0: none. */
static double gate_up(const ref_spec *s, double gate, double up, double limit)
{
    if (limit != 0.0) return fmin(gate_of(s, gate), limit) * fmax(fmin(up, limit), -limit);
    if (s->act != REF_CLIPPED) return gate_of(s, gate) * up;
    gate = fmin(gate, 7.0);
    return gate / (1.0 + exp(-1.702 * gate)) * (fmax(fmin(up, 7.0), -7.0) + 1.0);
}

static void gated(const ref_spec *s, const double *gate, const double *up, const double *down,
                  int n_ff, double limit, const double *x, double *out)
{
    double g[2 * REF_FF], u[2 * REF_FF];
    ref_product(gate, NULL, n_ff, E, x, g);
    ref_product(up, NULL, n_ff, E, x, u);
    for (int i = 0; i < n_ff; i++) g[i] = gate_up(s, g[i], u[i], limit);
    ref_product(down, NULL, E, n_ff, g, out);
}

/* Squared ReLU, no gate. */
static void ungated(const double *up, const double *down, int n_ff, const double *x, double *out)
{
    double u[2 * REF_FF];
    ref_product(up, NULL, n_ff, E, x, u);
    for (int i = 0; i < n_ff; i++) u[i] = u[i] > 0.0 ? u[i] * u[i] : 0.0;
    ref_product(down, NULL, E, n_ff, u, out);
}

/* Gaussian top-k: what is not so many deviations above the mean becomes 0. */
static void cut_gates(double deviations, int n, double *g)
{
    double mean = 0.0, var = 0.0;
    for (int i = 0; i < n; i++) mean += g[i] / n;
    for (int i = 0; i < n; i++) var += (g[i] - mean) * (g[i] - mean) / n;
    for (int i = 0; i < n; i++) g[i] = fmax(g[i] - (mean + deviations * sqrt(var)), 0.0);
}

/* A layer's own, with biases where it has some. */
static void dense_gated(ref *r, int il, const double *x, double *out)
{
    const ref_spec *s = r->s;
    double g[2 * REF_FF_MAX], u[REF_FF_MAX];
    int n = ref_n_ff(s, il);
    if (s->gate_up) {
        ref_linear(r, s->gate, il, s->ffn_bias, 2 * n, E, x, g);
        memcpy(u, g + n, (size_t)n * sizeof *u);
    } else {
        ref_linear(r, s->gate, il, s->ffn_bias, n, E, x, g);
        ref_linear(r, s->up, il, s->ffn_bias, n, E, x, u);
    }
    for (int i = 0; i < n && s->gate_scale != 0.0; i++) g[i] *= s->gate_scale;
    if (s->cuts && !isnan(s->cuts[il])) cut_gates(s->cuts[il], n, g);
    for (int i = 0; i < n; i++) g[i] = gate_up(s, g[i], u[i], 0.0);
    if (s->ffn_sub_norm) ref_rms(s, ref_of_layer(r, s->ffn_sub_norm, ".weight", il, 0, n), n, g);
    ref_linear(r, s->down, il, s->ffn_bias, E, n, g, out);
    for (int i = 0; i < E && s->down_scale != 0.0; i++) out[i] *= s->down_scale;
}

static double soft_plus(double x)
{
    return log(1.0 + exp(x));
}

static double xielu(ref *r, int il, double x)
{
    const char *name = r->s->xielu;
    double alpha_p = soft_plus(ref_of_layer(r, name, "alpha_p", il, 0, 1)[0]);
    double beta = ref_of_layer(r, name, "beta", il, 0, 1)[0];
    double alpha_n = beta + soft_plus(ref_of_layer(r, name, "alpha_n", il, 0, 1)[0]);
    double eps = ref_of_layer(r, name, "eps", il, 0, 1)[0];
    return x > 0.0 ? alpha_p * x * x + beta * x : (expm1(fmin(x, eps)) - x) * alpha_n + beta * x;
}

void ref_dense(ref *r, int il, const double *x, double *out)
{
    const ref_spec *s = r->s;
    double u[REF_FF];
    if (s->act <= REF_CLIPPED) {
        dense_gated(r, il, x, out);
        return;
    }
    ref_linear(r, s->up, il, s->ffn_bias, REF_FF, E, x, u);
    for (int i = 0; i < REF_FF; i++) {
        double relu = fmax(u[i], 0.0);
        if (s->act == REF_XIELU)
            u[i] = xielu(r, il, u[i]);
        else
            u[i] = s->act == REF_GELU ? ref_gelu(u[i]) : s->act == REF_RELU1 ? relu : relu * relu;
    }
    ref_linear(r, s->down, il, s->ffn_bias, E, REF_FF, u, out);
}

/* SparseMixer without its training: the best of those left, by its part of a softmax over those
 * near it, twice. */
static void route_sparse(const double *score, double *weight)
{
    bool out[REF_EXPERTS] = { false };
    memset(weight, 0, REF_EXPERTS * sizeof *weight);
    for (int i = 0; i < REF_USED; i++) {
        int best = -1;
        double sum = 0.0;
        for (int e = 0; e < REF_EXPERTS; e++)
            if (!out[e] && (best < 0 || score[e] > score[best])) best = e;
        for (int e = 0; e < REF_EXPERTS; e++) {
            double factor = fmax(fabs(score[e]), score[best]);
            if (!out[e] && !((score[best] - score[e]) / factor > 0.02))
                sum += exp(score[e] - score[best]);
        }
        weight[best] = 1.0 / sum;
        out[best] = true;
    }
}

/* Groups of experts whose best two together are not among the best groups' are out. */
static void limit_groups(const ref_spec *s, const double *score, bool *out)
{
    int n = s->n_group ? REF_EXPERTS / s->n_group : REF_EXPERTS;
    double sum[REF_EXPERTS];
    for (int g = 0; g < s->n_group; g++) {
        double best = -1e9, second = -1e9;
        for (int e = g * n; e < (g + 1) * n; e++) {
            second = fmax(second, fmin(best, score[e]));
            best = fmax(best, score[e]);
        }
        sum[g] = best + second;
    }
    for (int g = 0; g < s->n_group; g++) {
        int n_better = 0;
        for (int k = 0; k < s->n_group; k++) n_better += sum[k] > sum[g];
        for (int e = g * n; e < (g + 1) * n; e++) out[e] = n_better >= s->n_group_used;
    }
}

/* The weights of the experts that a token goes to, by the router's scores; 0 for the others. */
static void route(ref *r, int il, double *score, double *weight)
{
    const ref_spec *s = r->s;
    double sum = 0.0, biased[REF_EXPERTS];
    bool out[REF_EXPERTS] = { false };
    if (s->sparse) {
        route_sparse(score, weight);
        return;
    }
    for (int e = 0; e < REF_EXPERTS; e++)
        score[e] = s->sigmoid ? ref_sigmoid(score[e]) : exp(score[e]);
    for (int e = 0; e < REF_EXPERTS; e++) sum += score[e];
    for (int e = 0; e < REF_EXPERTS && !s->sigmoid; e++) score[e] /= sum;
    int rows = s->router_bias_is_row ? 1 : 0;
    const double *bias =
        s->router_bias ? ref_of_layer(r, s->router_bias, "", il, rows, REF_EXPERTS) : NULL;
    for (int e = 0; e < REF_EXPERTS; e++) {
        weight[e] = 0.0;
        biased[e] = score[e] + (bias ? bias[e] : 0.0);
    }
    limit_groups(s, biased, out);
    sum = 0.0;
    for (int i = 0; i < REF_USED; i++) {
        int best = -1;
        for (int e = 0; e < REF_EXPERTS; e++)
            if (!out[e] && weight[e] == 0.0 && (best < 0 || biased[e] > biased[best])) best = e;
        weight[best] = score[best];
        sum += score[best];
    }
    for (int e = 0; e < REF_EXPERTS; e++) {
        if (s->normalises) weight[e] /= sum;
        weight[e] *= s->expert_scale ? s->expert_scale : 1.0;
        if (s->expert_scales)
            weight[e] *= ref_of_layer(r, s->expert_scales, "", il, 0, REF_EXPERTS)[e];
    }
}

static void expert(ref *r, int il, int e, const double *x, double *out)
{
    const ref_spec *s = r->s;
    const int n_ff = REF_FF_EXP;
    double limit = s->clips ? s->clips[il] : 0.0;
    if (!s->exp_gate && s->exp_up) {
        ungated(ref_get(r, 0, n_ff, E, s->exp_up, il, e),
                ref_get(r, 0, E, n_ff, s->exp_down, il, e), n_ff, x, out);
        return;
    }
    if (s->exp_stacked) { /* [experts, out, in] of each */
        gated(s, ref_get(r, REF_EXPERTS, n_ff, E, s->exp_gate, il) + e * n_ff * E,
              ref_get(r, REF_EXPERTS, n_ff, E, s->exp_up, il) + e * n_ff * E,
              ref_get(r, REF_EXPERTS, E, n_ff, s->exp_down, il) + e * n_ff * E, n_ff, limit, x,
              out);
        return;
    }
    if (s->exp_in && s->exp_transposes) {
        const double *in = ref_get(r, REF_EXPERTS, E, 2 * n_ff, s->exp_in, il);
        const double *down = ref_get(r, REF_EXPERTS, n_ff, E, s->exp_out, il);
        static double in_t[2 * REF_FF_EXP * E], down_t[E * REF_FF_EXP];
        for (int i = 0; i < 2 * n_ff * E; i++)
            in_t[i] = in[e * 2 * n_ff * E + i % E * 2 * n_ff + i / E];
        for (int i = 0; i < E * n_ff; i++) down_t[i] = down[e * E * n_ff + i % n_ff * E + i / n_ff];
        gated(s, in_t, in_t + n_ff * E, down_t, n_ff, limit, x, out);
        return;
    }
    if (s->exp_in) {
        const double *in = ref_get(r, REF_EXPERTS, 2 * n_ff, E, s->exp_in, il);
        const double *down = ref_get(r, REF_EXPERTS, E, n_ff, s->exp_out, il);
        in += e * 2 * n_ff * E;
        gated(s, in, in + n_ff * E, down + e * E * n_ff, n_ff, limit, x, out);
        return;
    }
    if (s->exp_flat) {
        const double *down = ref_get(r, 0, REF_EXPERTS * n_ff, E, s->exp_down, il) + e * n_ff * E;
        static double down_t[E * REF_FF_EXP];
        for (int i = 0; i < E * n_ff; i++) down_t[i] = down[i % n_ff * E + i / n_ff];
        gated(s, ref_get(r, 0, REF_EXPERTS * n_ff, E, s->exp_gate, il) + e * n_ff * E,
              ref_get(r, 0, REF_EXPERTS * n_ff, E, s->exp_up, il) + e * n_ff * E, down_t, n_ff,
              limit, x, out);
        return;
    }
    gated(s, ref_get(r, 0, n_ff, E, s->exp_gate, il, e), ref_get(r, 0, n_ff, E, s->exp_up, il, e),
          ref_get(r, 0, E, n_ff, s->exp_down, il, e), n_ff, limit, x, out);
}

static void chunk(ref *r, int il, int i, const double *x, double *out)
{
    gated(r->s, ref_get(r, 0, REF_DIM, E, r->s->chunk_gate, il, i),
          ref_get(r, 0, REF_DIM, E, r->s->chunk_up, il, i),
          ref_get(r, 0, E, REF_DIM, r->s->chunk_down, il, i), REF_DIM, 0.0, x, out);
}

static void shared(ref *r, int il, const double *x, double *out)
{
    const ref_spec *s = r->s;
    int n_ff = s->n_shared * REF_FF_EXP;
    if (!s->sh_gate && !s->sh_in) {
        ungated(ref_of_layer(r, s->sh_up, ".weight", il, n_ff, E),
                ref_of_layer(r, s->sh_down, ".weight", il, E, n_ff), n_ff, x, out);
        return;
    }
    const double *in = s->sh_in ? ref_of_layer(r, s->sh_in, ".weight", il, 2 * n_ff, E) : NULL;
    gated(s, in ? in : ref_of_layer(r, s->sh_gate, ".weight", il, n_ff, E),
          in ? in + n_ff * E : ref_of_layer(r, s->sh_up, ".weight", il, n_ff, E),
          ref_of_layer(r, s->sh_down, ".weight", il, E, n_ff), n_ff,
          s->shared_clips ? s->shared_clips[il] : 0.0, x, out);
    for (int i = 0; s->sh_router && i < E; i++) {
        double share = 0.0;
        const double *w = ref_of_layer(r, s->sh_router, ".weight", il, 1, E);
        for (int k = 0; k < E; k++) share += w[k] * x[k];
        out[i] *= ref_sigmoid(share);
    }
}

static bool has_experts(const ref_spec *s, int il)
{
    return s->router && il >= s->n_dense && (il + 1) % (s->moe_step ? s->moe_step : 1) == 0;
}

void ref_feed_forward(ref *r, int il, int t, const double *x, double *out)
{
    const ref_spec *s = r->s;
    double weight[REF_EXPERTS], one[E], in[E];
    if (!has_experts(s, il)) {
        ref_dense(r, il, x, out);
        return;
    }
    memset(out, 0, E * sizeof *out);
    if (!s->early_router && !s->router_scale)
        ref_linear(r, s->router, il, false, REF_EXPERTS, E, x, r->score[t]);
    for (int e = 0; e < REF_EXPERTS && s->router_cap > 0.0; e++)
        r->score[t][e] = s->router_cap * tanh(r->score[t][e] / s->router_cap);
    route(r, il, r->score[t], weight);
    for (int e = 0; e < REF_EXPERTS; e++) {
        for (int i = 0; i < E; i++) in[i] = x[i] * (s->weighs_input ? weight[e] : 1.0);
        expert(r, il, e, in, one); /* every one: the folder must hold them all */
        for (int i = 0; i < E; i++) out[i] += (s->weighs_input ? 1.0 : weight[e]) * one[i];
        if (!s->chunk_gate) continue;
        chunk(r, il, e / 2, x, one);
        for (int i = 0; i < E; i++) out[i] += 0.05 * weight[e] * one[i];
    }
    if (s->dense_beside) {
        ref_dense(r, il, x, one);
        for (int i = 0; i < E; i++) out[i] = (out[i] + one[i]) * sqrt(0.5);
    }
    if (!s->n_shared) return;
    shared(r, il, x, one);
    for (int i = 0; i < E; i++) out[i] += one[i];
}

/* Gemma 4's: experts beside the dense network, each with norms of its own; x is the residual
 * stream, h what the dense network reads. */
void ref_both(ref *r, int il, int t, const double *x, const double *h, double *out)
{
    const ref_spec *s = r->s;
    const double *scale = ref_of_layer(r, s->router_scale, "", il, 0, E);
    double to_router[E], in[E], mixed[E];
    ref_dense(r, il, h, out);
    ref_normalise(r, s->dense_post_norm, il, out);
    memcpy(to_router, x, sizeof to_router);
    ref_normalise_to_unit(s, 1, E, to_router);
    for (int i = 0; i < E; i++) to_router[i] *= scale[i] * pow(E, -0.5);
    ref_linear(r, s->router, il, false, REF_EXPERTS, E, to_router, r->score[t]);
    memcpy(in, x, sizeof in);
    ref_normalise(r, s->exp_norm, il, in);
    ref_feed_forward(r, il, t, in, mixed);
    ref_normalise(r, s->exp_post_norm, il, mixed);
    for (int i = 0; i < E; i++) out[i] += mixed[i];
}
