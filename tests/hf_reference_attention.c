/* hf_reference_attention.c - see hf_reference.h: attention, over keys and values or latents. */
#include "hf_reference_parts.h"
#include <math.h>

static bool rotates(const ref_spec *s, int il)
{
    if (s->dense_rotates && il < s->n_dense) return true;
    if (s->rotation == REF_NOT_FOURTH) return (il + 1) % 4 != 0;
    return s->rotation == REF_ROTATES || (s->rotation == REF_WINDOWS_ONLY && ref_has_window(s, il));
}

/* Q, K and V of one token, from one tensor or three. */
static void project(ref *r, int il, const double *h, double *q, double *k, double *v)
{
    const ref_spec *s = r->s;
    ref_heads hs = ref_heads_of(s, il);
    int n_head = hs.n_head, n_kv_head = hs.n_kv, per = n_head / n_kv_head;
    int n_q = n_head * hs.dim, n_kv = n_kv_head * hs.dim, n_v = n_kv_head * hs.value;
    double all[3 * Q_MAX];
    if (s->qkv == REF_SEPARATE) {
        ref_linear(r, s->q, il, s->qkv_bias, n_q, E, h, q);
        if (hs.from != il) return;
        ref_linear(r, s->k, il, s->qkv_bias, n_kv, E, h, k);
        if (s->full_k_is_v && !ref_has_window(s, il)) memcpy(v, k, (size_t)n_kv * sizeof *v);
        else ref_linear(r, s->v, il, s->qkv_bias, n_v, E, h, v);
        return;
    }
    if (s->qkv == REF_KV_FUSED) {
        ref_linear(r, s->q, il, s->qkv_bias, n_q, E, h, q);
        ref_linear(r, s->k, il, s->qkv_bias, 2 * n_kv, E, h, all);
        memcpy(k, all, (size_t)n_kv * sizeof *k);
        memcpy(v, all + n_kv, (size_t)n_kv * sizeof *v);
        return;
    }
    ref_linear(r, s->q, il, s->qkv_bias, n_q + 2 * n_kv, E, h, all);
    for (int i = 0; i < n_q + 2 * n_kv && s->clip > 0.0; i++)
        all[i] = fmax(fmin(all[i], s->clip), -s->clip);
    for (int ih = 0; ih < n_head + 2 * n_kv_head; ih++) {
        int group = ih / (per + 2), in = ih % (per + 2);
        double *to = ih < n_head               ? q + ih * REF_DIM
                     : ih < n_head + n_kv_head ? k + (ih - n_head) * REF_DIM
                                               : v + (ih - n_head - n_kv_head) * REF_DIM;
        if (s->qkv == REF_QUARTERS)
            to = (ih % 3 == 0 ? q : ih % 3 == 1 ? v : k) + ih / 3 * REF_DIM;
        else if (s->qkv == REF_GROUPED)
            to = in < per    ? q + (group * per + in) * REF_DIM
                 : in == per ? k + group * REF_DIM
                             : v + group * REF_DIM;
        memcpy(to, all + ih * REF_DIM, REF_DIM * sizeof *to);
    }
}

static void norm_heads(ref *r, const char *pattern, int il, int n_head, int dim, double *x)
{
    bool is_all = r->s->qk_norm == REF_ALL;
    int n = is_all ? n_head * dim : dim;
    const double *w = ref_of_layer(r, pattern, ".weight", il, 0, n);
    for (int i = 0; i < (is_all ? 1 : n_head); i++) ref_rms(r->s, w, n, x + i * dim);
}

void ref_normalise_to_unit(const ref_spec *s, int n_head, int dim, double *x)
{
    double ones[Q_MAX];
    for (int i = 0; i < dim; i++) ones[i] = 1.0 - (s->norm == REF_RMS_1P);
    for (int ih = 0; ih < n_head; ih++) ref_rms(s, ones, dim, x + ih * dim);
}

/* Mean and variance of a head; a weight and a bias of its own. */
static void layer_norm_heads(ref *r, const char *pattern, int il, int n_head, double *x)
{
    const double *w = ref_of_layer(r, pattern, ".weight", il, n_head, REF_DIM);
    const double *b = ref_of_layer(r, pattern, ".bias", il, n_head, REF_DIM);
    for (int ih = 0; ih < n_head; ih++, w += REF_DIM, b += REF_DIM, x += REF_DIM) {
        double mean = 0.0, var = 0.0;
        for (int i = 0; i < REF_DIM; i++) mean += x[i] / REF_DIM;
        for (int i = 0; i < REF_DIM; i++) var += (x[i] - mean) * (x[i] - mean) / REF_DIM;
        for (int i = 0; i < REF_DIM; i++) x[i] = (x[i] - mean) / sqrt(var + 1e-5) * w[i] + b[i];
    }
}

static void rms_heads_by_row(ref *r, const char *name, int il, int n_head, double *x)
{
    const double *w = ref_of_layer(r, name, "", il, n_head, REF_DIM);
    for (int ih = 0; ih < n_head; ih++, w += REF_DIM, x += REF_DIM) {
        double square = 0.0;
        for (int i = 0; i < REF_DIM; i++) square += x[i] * x[i] / REF_DIM;
        for (int i = 0; i < REF_DIM; i++) x[i] *= w[i] / sqrt(square + ref_eps(r->s));
    }
}

static void finish_heads(ref *r, const char *pattern, int il, int pos, int n_head, double *x)
{
    const ref_spec *s = r->s;
    ref_heads h = ref_heads_of(s, il);
    ref_qk_norm kind = s->qk_norm;
    bool spread = s->proportional && !ref_has_window(s, il);
    if (kind == REF_HEADS || kind == REF_ALL) norm_heads(r, pattern, il, n_head, h.dim, x);
    if (kind == REF_HEAD_LAYERS) layer_norm_heads(r, pattern, il, n_head, x);
    if (kind == REF_HEAD_ROWS) rms_heads_by_row(r, pattern, il, n_head, x);
    for (int ih = 0; ih < n_head && rotates(s, il); ih++)
        ref_rotate(s, il, pos, h.n_rot, h.dim, spread, x + ih * h.dim);
    if (kind == REF_HEADS_LATE) norm_heads(r, pattern, il, n_head, h.dim, x);
    if (kind == REF_UNIT_LATE && rotates(s, il)) ref_normalise_to_unit(s, n_head, h.dim, x);
}

/* What a query at pos is multiplied by. */
static double temperature(const ref_spec *s, int il, int pos)
{
    if (s->temp_scale == 0.0 || (s->temp_still && rotates(s, il))) return 1.0;
    return 1.0 + s->temp_scale * log(1.0 + floor((pos + s->temp_offset) / s->temp_length));
}

static int first_seen(const ref_spec *s, int il, int t)
{
    if (!ref_has_window(s, il)) return 0;
    return s->chunks ? t / s->window * s->window : t >= s->window ? t - s->window + 1 : 0;
}

/* One head of one query over the keys and values from `first` to `last`, further ones counting less
 * by the slope; e^sink is in the sum beside theirs. */
static void attend_head(const ref_spec *s, const ref_heads *hs, const double *q, double scale,
                        double slope, const double *sink, double (*k)[Q_MAX], double (*v)[Q_MAX],
                        int ikv, int first, int last, double *out)
{
    double p[MAX_TOKENS], sum = sink ? exp(*sink) : 0.0;
    for (int t = first; t <= last; t++) {
        double dot = 0.0;
        for (int i = 0; i < hs->dim; i++) dot += q[i] * k[t][ikv * hs->dim + i];
        dot *= scale;
        if (s->attn_cap > 0.0) dot = s->attn_cap * tanh(dot / s->attn_cap);
        p[t] = exp(dot + slope * (t - last));
        sum += p[t];
    }
    for (int i = 0; i < hs->value; i++) {
        out[i] = 0.0;
        for (int t = first; t <= last; t++) out[i] += p[t] / sum * v[t][ikv * hs->value + i];
    }
}

/* Each head of a times its gate, out of what attention read. */
static void gate_heads(ref *r, int il, const ref_heads *hs, const double *h, double *a)
{
    double gate[Q_MAX];
    int n = hs->n_head * hs->value, together = r->s->gates_values ? 1 : hs->value;
    ref_linear(r, r->s->attn_gate, il, false, n / together, E, h, gate);
    for (int i = 0; i < n; i++) {
        double g = gate[i / together];
        a[i] *= r->s->softplus_gate ? log(1.0 + exp(g)) : ref_sigmoid(g);
    }
}

/* out [n, E] of h [n, E]. */
void ref_attention(ref *r, int il, double (*h)[E], double (*out)[E])
{
    const ref_spec *s = r->s;
    ref_heads hs = ref_heads_of(s, il);
    double (*k)[Q_MAX] = r->k[hs.from], (*v)[Q_MAX] = r->v[hs.from];
    double scale = s->attn_scale ? s->attn_scale : 1.0 / sqrt((double)hs.dim);
    const double *slopes = s->slopes ? ref_get(r, 0, 0, REF_HEAD, "%s", s->slopes) : NULL;
    const double *sinks =
        s->sinks && (ref_has_window(s, il) || s->sinks_everywhere)
            ? ref_of_layer(r, s->sinks, "", il, 0, hs.n_head)
            : NULL;
    for (int t = 0; t < r->n; t++) {
        double q[Q_MAX], a[Q_MAX];
        project(r, il, h[t], q, k[t], v[t]);
        if (s->q_scale != 0.0) {
            ref_normalise_to_unit(s, hs.n_head, hs.dim, q);
            for (int i = 0; i < hs.n_head * hs.dim; i++) q[i] *= s->q_scale;
            ref_normalise_to_unit(s, hs.n_kv, hs.dim, k[t]);
        }
        finish_heads(r, s->q_norm, il, t, hs.n_head, q);
        if (hs.from == il) finish_heads(r, s->k_norm, il, t, hs.n_kv, k[t]);
        if (hs.from == il && s->unit_values) ref_normalise_to_unit(s, hs.n_kv, hs.dim, v[t]);
        for (int i = 0; i < hs.n_kv * hs.value && s->value_scale != 0.0; i++)
            v[t][i] *= s->value_scale;
        for (int ih = 0; ih < hs.n_head; ih++) {
            double slope = s->alibi ? pow(2.0, -8.0 * (ih + 1) / REF_HEAD) : 0.0;
            if (slopes) slope = slopes[ih];
            int kv = s->tiled ? ih % hs.n_kv : ih / (hs.n_head / hs.n_kv);
            attend_head(s, &hs, q + ih * hs.dim, scale * temperature(s, il, t), slope,
                        sinks ? &sinks[ih] : NULL, k, v, kv, first_seen(s, il, t), t,
                        a + ih * hs.value);
        }
        if (s->attn_gate) gate_heads(r, il, &hs, h[t], a);
        if (s->attn_sub_norm)
            ref_rms(s, ref_of_layer(r, s->attn_sub_norm, ".weight", il, 0, E), E, a);
        ref_linear(r, s->o, il, s->o_bias, E, hs.n_head * hs.value, a, out[t]);
    }
}

/* DeepSeek's: queries out of one latent, keys and values out of another; the end of a key is
 * rotated and the same for all heads. */
void ref_latent_attention(ref *r, int il, double (*h)[E], double (*out)[E])
{
    enum { KEY = REF_NOPE + REF_ROPE, KV = REF_NOPE + REF_DIM };
    const ref_spec *s = r->s;
    static double key[MAX_TOKENS][REF_HEAD][KEY], value[MAX_TOKENS][REF_HEAD][REF_DIM];
    double scale = s->attn_scale ? s->attn_scale : 1.0 / sqrt((double)KEY);
    for (int t = 0; t < r->n; t++) {
        double qa[REF_Q_RANK], q[REF_HEAD * KEY], kv[REF_KV_RANK + REF_ROPE], both[REF_HEAD * KV];
        double a[REF_HEAD * REF_DIM], p[MAX_TOKENS];
        if (s->q_a) {
            ref_linear(r, s->q_a, il, false, REF_Q_RANK, E, h[t], qa);
            ref_rms(s, ref_of_layer(r, s->q_a_norm, ".weight", il, 0, REF_Q_RANK), REF_Q_RANK, qa);
            ref_linear(r, s->q_b, il, false, REF_HEAD * KEY, REF_Q_RANK, qa, q);
        } else {
            ref_linear(r, s->q, il, false, REF_HEAD * KEY, E, h[t], q);
        }
        ref_linear(r, s->kv_a, il, false, REF_KV_RANK + REF_ROPE, E, h[t], kv);
        ref_rms(s, ref_of_layer(r, s->kv_a_norm, ".weight", il, 0, REF_KV_RANK), REF_KV_RANK, kv);
        ref_linear(r, s->kv_b, il, false, REF_HEAD * KV, REF_KV_RANK, kv, both);
        ref_rotate(s, il, t, REF_ROPE, 0, false, kv + REF_KV_RANK);
        for (int ih = 0; ih < REF_HEAD; ih++) {
            double sum = 0.0;
            memcpy(key[t][ih], both + ih * KV, REF_NOPE * sizeof *both);
            memcpy(key[t][ih] + REF_NOPE, kv + REF_KV_RANK, REF_ROPE * sizeof *kv);
            memcpy(value[t][ih], both + ih * KV + REF_NOPE, REF_DIM * sizeof *both);
            ref_rotate(s, il, t, REF_ROPE, 0, false, q + ih * KEY + REF_NOPE);
            for (int u = 0; u <= t; u++) {
                double dot = 0.0;
                for (int i = 0; i < KEY; i++) dot += q[ih * KEY + i] * key[u][ih][i];
                sum += p[u] = exp(dot * scale * temperature(s, il, t));
            }
            for (int i = 0; i < REF_DIM; i++) {
                a[ih * REF_DIM + i] = 0.0;
                for (int u = 0; u <= t; u++) a[ih * REF_DIM + i] += p[u] / sum * value[u][ih][i];
            }
        }
        ref_linear(r, s->o, il, s->o_bias, E, REF_HEAD * REF_DIM, a, out[t]);
    }
}
