/* hf_reference.c - see hf_reference.h. Short and slow: nothing here is shared with the library. */
#include "hf_reference.h"
#include "base/hash.h"
#include <math.h>
#include <stdarg.h>

enum { MAX_TENSORS = 400, MAX_TOKENS = 16, E = REF_EMBD, V = REF_VOCAB };

typedef struct {
    char name[96];
    int n[3], n_dims; /* slowest first */
    double *v;
} ref_tensor;

typedef struct {
    const ref_spec *s;
    ref_tensor t[MAX_TENSORS];
    int n_tensors;
    double x[MAX_TOKENS][E]; /* the residual stream */
    int n;                   /* tokens */
} ref;

static int n_kv_of(const ref_spec *s)
{
    return s->kv ? s->kv : REF_KV;
}

/* ---- tensors ----------------------------------------------------------------------------- */

/* Of -1 .. 1, by the name and the place. */
static double noise(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (double)(*state >> 33) / (double)(1u << 30) - 1.0;
}

static void fill(const ref *r, ref_tensor *t)
{
    uint64_t state = hash64_of(t->name, strlen(t->name), 0);
    int count = t->n[0] * (t->n_dims > 1 ? t->n[1] : 1) * (t->n_dims > 2 ? t->n[2] : 1);
    bool is_bias = strstr(t->name, "bias"), is_vector = t->n_dims == 1;
    double center = is_vector && !is_bias && r->s->norm != REF_LAYER_NORM_1P ? 1.0 : 0.0;
    double size = is_vector ? 0.3 : 1.8 / sqrt((double)t->n[t->n_dims - 1]);
    t->v = malloc((size_t)count * sizeof *t->v);
    for (int i = 0; i < count; i++) t->v[i] = (double)(float)(center + size * noise(&state));
}

/* The tensor of that name; slices, rows 0: it has none. */
static const double *get(ref *r, int slices, int rows, int cols, const char *fmt, ...)
{
    char name[96];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(name, sizeof name, fmt, ap);
    va_end(ap);
    for (int i = 0; i < r->n_tensors; i++)
        if (strcmp(r->t[i].name, name) == 0) return r->t[i].v;
    ref_tensor *t = &r->t[r->n_tensors++];
    int n[] = { slices, rows, cols }, n_dims = 1 + (rows > 0) + (slices > 0);
    snprintf(t->name, sizeof t->name, "%s", name);
    t->n_dims = n_dims;
    memcpy(t->n, n + 3 - n_dims, (size_t)n_dims * sizeof *n);
    fill(r, t);
    return t->v;
}

static const double *of_layer(ref *r, const char *pattern, const char *end, int il, int rows,
                              int cols)
{
    char fmt[96];
    snprintf(fmt, sizeof fmt, "%s%s", pattern, end);
    return get(r, 0, rows, cols, fmt, il);
}

static void write_folder(const ref *r, hf_test *f)
{
    for (int i = 0; i < r->n_tensors; i++) {
        const ref_tensor *t = &r->t[i];
        char shape[48];
        int count = 1;
        for (int k = 0; k < t->n_dims; k++) count *= t->n[k];
        float *v = malloc((size_t)count * sizeof *v);
        for (int k = 0; k < count; k++) v[k] = (float)t->v[k];
        snprintf(shape, sizeof shape,
                 t->n_dims == 1   ? "[%d]"
                 : t->n_dims == 2 ? "[%d,%d]"
                                  : "[%d,%d,%d]",
                 t->n[0], t->n[1], t->n[2]);
        hf_tensor_bytes(f, t->name, "F32", shape, v, (size_t)count * sizeof *v);
        free(v);
    }
    for (int i = 0; i < 2 && r->s->beside[i]; i++) hf_add(f, r->s->beside[i], 2, 3, 0.0f);
    hf_weights(f, "model.safetensors");
}

/* ---- arithmetic -------------------------------------------------------------------------- */

static void multiply(const double *w, const double *bias, int rows, int cols, const double *x,
                     double *y)
{
    for (int i = 0; i < rows; i++) {
        y[i] = bias ? bias[i] : 0.0;
        for (int k = 0; k < cols; k++) y[i] += w[i * cols + k] * x[k];
    }
}

static void linear(ref *r, const char *pattern, int il, bool has_bias, int rows, int cols,
                   const double *x, double *y)
{
    multiply(of_layer(r, pattern, ".weight", il, rows, cols),
             has_bias ? of_layer(r, pattern, ".bias", il, 0, rows) : NULL, rows, cols, x, y);
}

static void rms(const double *w, int n, double *x)
{
    double sum = 0.0;
    for (int i = 0; i < n; i++) sum += x[i] * x[i];
    for (int i = 0; i < n; i++) x[i] *= w[i] / sqrt(sum / n + 1e-5);
}

static void norm(ref *r, const char *pattern, int il, double *x)
{
    const ref_spec *s = r->s;
    const double *w = of_layer(r, pattern, ".weight", il, 0, E);
    const double *b = s->norm_bias ? of_layer(r, pattern, ".bias", il, 0, E) : NULL;
    if (s->norm == REF_RMS) {
        double sum = 0.0;
        for (int i = 0; i < E; i++) sum += x[i] * x[i];
        for (int i = 0; i < E; i++) x[i] = x[i] / sqrt(sum / E + 1e-5) * w[i];
        return;
    }
    double mean = 0.0, var = 0.0;
    for (int i = 0; i < E; i++) mean += x[i] / E;
    for (int i = 0; i < E; i++) var += (x[i] - mean) * (x[i] - mean) / E;
    for (int i = 0; i < E; i++) {
        double weight = w[i] + (s->norm == REF_LAYER_NORM_1P);
        x[i] = (x[i] - mean) / sqrt(var + 1e-5) * weight + (b ? b[i] : 0.0);
    }
}

static void rotate(const ref_spec *s, int pos, double *head)
{
    int n = s->n_rot ? s->n_rot : REF_DIM;
    for (int i = 0; i < n / 2; i++) {
        double angle = pos * pow(s->theta ? s->theta : 10000.0, -2.0 * i / n);
        double *a = &head[s->pairs ? 2 * i : i], *b = &head[s->pairs ? 2 * i + 1 : i + n / 2];
        double x = *a, y = *b;
        *a = x * cos(angle) - y * sin(angle);
        *b = y * cos(angle) + x * sin(angle);
    }
}

static double silu(double x)
{
    return x / (1.0 + exp(-x));
}

/* ---- attention --------------------------------------------------------------------------- */

static bool has_window(const ref_spec *s, int il)
{
    return s->window > 0 && (s->alternates ? il % 2 != 0 : (il + 1) % 4 != 0);
}

static bool rotates(const ref_spec *s, int il)
{
    if (s->rotation == REF_NOT_FOURTH) return (il + 1) % 4 != 0;
    return s->rotation == REF_ROTATES || (s->rotation == REF_WINDOWS_ONLY && has_window(s, il));
}

/* Q, K and V of one token, from one tensor or three. */
static void project(ref *r, int il, const double *h, double *q, double *k, double *v)
{
    const ref_spec *s = r->s;
    int n_q = REF_HEAD * REF_DIM, n_kv = n_kv_of(s) * REF_DIM, per = REF_HEAD / n_kv_of(s);
    double all[3 * REF_HEAD * REF_DIM];
    if (s->qkv == REF_SEPARATE) {
        linear(r, s->q, il, s->qkv_bias, n_q, E, h, q);
        linear(r, s->k, il, s->qkv_bias, n_kv, E, h, k);
        linear(r, s->v, il, s->qkv_bias, n_kv, E, h, v);
        return;
    }
    linear(r, s->q, il, s->qkv_bias, n_q + 2 * n_kv, E, h, all);
    for (int ih = 0; ih < REF_HEAD + 2 * n_kv_of(s); ih++) {
        int group = ih / (per + 2), in = ih % (per + 2);
        double *to = ih < REF_HEAD                ? q + ih * REF_DIM
                     : ih < REF_HEAD + n_kv_of(s) ? k + (ih - REF_HEAD) * REF_DIM
                                                  : v + (ih - REF_HEAD - n_kv_of(s)) * REF_DIM;
        if (s->qkv == REF_GROUPED)
            to = in < per    ? q + (group * per + in) * REF_DIM
                 : in == per ? k + group * REF_DIM
                             : v + group * REF_DIM;
        memcpy(to, all + ih * REF_DIM, REF_DIM * sizeof *to);
    }
}

static void norm_heads(ref *r, const char *pattern, int il, int n_head, double *x)
{
    bool is_all = r->s->qk_norm == REF_ALL;
    int n = is_all ? n_head * REF_DIM : REF_DIM;
    const double *w = of_layer(r, pattern, ".weight", il, 0, n);
    for (int i = 0; i < (is_all ? 1 : n_head); i++) rms(w, n, x + i * REF_DIM);
}

static void finish_heads(ref *r, const char *pattern, int il, int pos, int n_head, double *x)
{
    ref_qk_norm kind = r->s->qk_norm;
    if (kind == REF_HEADS || kind == REF_ALL) norm_heads(r, pattern, il, n_head, x);
    for (int ih = 0; ih < n_head && rotates(r->s, il); ih++) rotate(r->s, pos, x + ih * REF_DIM);
    if (kind == REF_HEADS_LATE) norm_heads(r, pattern, il, n_head, x);
}

/* One head of one query over the keys and values from `first` to `last`. */
static void attend_head(const double *q, double scale, double (*k)[REF_HEAD * REF_DIM],
                        double (*v)[REF_HEAD * REF_DIM], int offset, int first, int last,
                        double *out)
{
    double p[MAX_TOKENS], sum = 0.0;
    for (int t = first; t <= last; t++) {
        double dot = 0.0;
        for (int i = 0; i < REF_DIM; i++) dot += q[i] * k[t][offset + i];
        p[t] = exp(dot * scale);
        sum += p[t];
    }
    for (int i = 0; i < REF_DIM; i++) {
        out[i] = 0.0;
        for (int t = first; t <= last; t++) out[i] += p[t] / sum * v[t][offset + i];
    }
}

/* out [n, E] of h [n, E]. */
static void attention(ref *r, int il, double (*h)[E], double (*out)[E])
{
    const ref_spec *s = r->s;
    static double q[MAX_TOKENS][REF_HEAD * REF_DIM], k[MAX_TOKENS][REF_HEAD * REF_DIM];
    static double v[MAX_TOKENS][REF_HEAD * REF_DIM];
    double scale = s->attn_scale ? s->attn_scale : 1.0 / sqrt((double)REF_DIM);
    for (int t = 0; t < r->n; t++) {
        double a[REF_HEAD * REF_DIM];
        project(r, il, h[t], q[t], k[t], v[t]);
        finish_heads(r, s->q_norm, il, t, REF_HEAD, q[t]);
        finish_heads(r, s->k_norm, il, t, n_kv_of(s), k[t]);
        int first = has_window(s, il) && t >= s->window ? t - s->window + 1 : 0;
        for (int ih = 0; ih < REF_HEAD; ih++)
            attend_head(q[t] + ih * REF_DIM, scale, k, v, ih / (REF_HEAD / n_kv_of(s)) * REF_DIM,
                        first, t, a + ih * REF_DIM);
        linear(r, s->o, il, s->o_bias, E, REF_HEAD * REF_DIM, a, out[t]);
    }
}

/* ---- feed-forward ------------------------------------------------------------------------ */

static void gated(const double *gate, const double *up, const double *down, int n_ff,
                  const double *x, double *out)
{
    double g[2 * REF_FF], u[2 * REF_FF];
    multiply(gate, NULL, n_ff, E, x, g);
    multiply(up, NULL, n_ff, E, x, u);
    for (int i = 0; i < n_ff; i++) g[i] = silu(g[i]) * u[i];
    multiply(down, NULL, E, n_ff, g, out);
}

static void dense(ref *r, int il, const double *x, double *out)
{
    const ref_spec *s = r->s;
    double u[REF_FF];
    if (s->act == REF_SILU) {
        gated(of_layer(r, s->gate, ".weight", il, REF_FF, E),
              of_layer(r, s->up, ".weight", il, REF_FF, E),
              of_layer(r, s->down, ".weight", il, E, REF_FF), REF_FF, x, out);
        return;
    }
    linear(r, s->up, il, s->ffn_bias, REF_FF, E, x, u);
    for (int i = 0; i < REF_FF; i++) {
        double cube = u[i] + 0.044715 * u[i] * u[i] * u[i];
        double gelu = 0.5 * u[i] * (1.0 + tanh(0.79788456080286535588 * cube));
        u[i] = s->act == REF_GELU ? gelu : u[i] > 0.0 ? u[i] * u[i] : 0.0;
    }
    linear(r, s->down, il, s->ffn_bias, E, REF_FF, u, out);
}

/* The weights of the experts that a token goes to; 0 for the others. */
static void route(ref *r, int il, const double *x, double *weight)
{
    const ref_spec *s = r->s;
    double score[REF_EXPERTS], sum = 0.0;
    linear(r, s->router, il, false, REF_EXPERTS, E, x, score);
    for (int e = 0; e < REF_EXPERTS; e++)
        score[e] = s->sigmoid ? 1.0 / (1.0 + exp(-score[e])) : exp(score[e]);
    for (int e = 0; e < REF_EXPERTS; e++) sum += score[e];
    for (int e = 0; e < REF_EXPERTS && !s->sigmoid; e++) score[e] /= sum;
    const double *bias =
        s->router_bias ? of_layer(r, s->router_bias, "", il, 0, REF_EXPERTS) : NULL;
    for (int e = 0; e < REF_EXPERTS; e++) weight[e] = 0.0;
    sum = 0.0;
    for (int i = 0; i < REF_USED; i++) {
        int best = -1;
        for (int e = 0; e < REF_EXPERTS; e++)
            if (weight[e] == 0.0
                && (best < 0
                    || score[e] + (bias ? bias[e] : 0.0) > score[best] + (bias ? bias[best] : 0.0)))
                best = e;
        weight[best] = score[best];
        sum += score[best];
    }
    for (int e = 0; e < REF_EXPERTS; e++) {
        if (s->normalises) weight[e] /= sum;
        weight[e] *= s->expert_scale ? s->expert_scale : 1.0;
    }
}

static void expert(ref *r, int il, int e, const double *x, double *out)
{
    const ref_spec *s = r->s;
    const int n_ff = REF_FF_EXP;
    if (s->exp_in) {
        const double *in = get(r, REF_EXPERTS, 2 * n_ff, E, s->exp_in, il);
        const double *down = get(r, REF_EXPERTS, E, n_ff, s->exp_out, il);
        in += e * 2 * n_ff * E;
        gated(in, in + n_ff * E, down + e * E * n_ff, n_ff, x, out);
        return;
    }
    gated(get(r, 0, n_ff, E, s->exp_gate, il, e), get(r, 0, n_ff, E, s->exp_up, il, e),
          get(r, 0, E, n_ff, s->exp_down, il, e), n_ff, x, out);
}

static void shared(ref *r, int il, const double *x, double *out)
{
    const ref_spec *s = r->s;
    int n_ff = s->n_shared * REF_FF_EXP;
    const double *in = s->sh_in ? of_layer(r, s->sh_in, ".weight", il, 2 * n_ff, E) : NULL;
    gated(in ? in : of_layer(r, s->sh_gate, ".weight", il, n_ff, E),
          in ? in + n_ff * E : of_layer(r, s->sh_up, ".weight", il, n_ff, E),
          of_layer(r, s->sh_down, ".weight", il, E, n_ff), n_ff, x, out);
}

static void feed_forward(ref *r, int il, const double *x, double *out)
{
    const ref_spec *s = r->s;
    double weight[REF_EXPERTS], one[E];
    if (!s->router || il < s->n_dense) {
        dense(r, il, x, out);
        return;
    }
    memset(out, 0, E * sizeof *out);
    route(r, il, x, weight);
    for (int e = 0; e < REF_EXPERTS; e++) {
        expert(r, il, e, x, one); /* every one: the folder must hold them all */
        for (int i = 0; i < E; i++) out[i] += weight[e] * one[i];
    }
    if (!s->n_shared) return;
    shared(r, il, x, one);
    for (int i = 0; i < E; i++) out[i] += one[i];
}

/* ---- the model --------------------------------------------------------------------------- */

static void add(const ref *r, double *x, const double *y)
{
    for (int i = 0; i < E; i++) x[i] += y[i] * (r->s->residual_scale ? r->s->residual_scale : 1.0);
}

static void layer(ref *r, int il)
{
    const ref_spec *s = r->s;
    static double h[MAX_TOKENS][E], a[MAX_TOKENS][E];
    double f[E];
    memcpy(h, r->x, sizeof h);
    for (int t = 0; t < r->n && s->attn_norm; t++) norm(r, s->attn_norm, il, h[t]);
    attention(r, il, h, a);
    for (int t = 0; t < r->n; t++) {
        if (s->attn_post_norm) norm(r, s->attn_post_norm, il, a[t]);
        add(r, r->x[t], a[t]);
        if (!s->parallel) memcpy(h[t], r->x[t], sizeof h[t]);
        if (s->ffn_norm) norm(r, s->ffn_norm, il, h[t]);
        feed_forward(r, il, h[t], f);
        if (s->ffn_post_norm) norm(r, s->ffn_post_norm, il, f);
        add(r, r->x[t], f);
    }
}

static void predict(ref *r, const double *x, double *logits)
{
    const ref_spec *s = r->s;
    double h[E];
    memcpy(h, x, sizeof h);
    norm(r, s->out_norm, 0, h);
    const double *w = of_layer(r, s->head ? s->head : s->embd, ".weight", 0, V, E);
    multiply(w, NULL, V, E, h, logits);
    for (int i = 0; i < V && s->logit_scale != 0.0; i++) logits[i] *= s->logit_scale;
}

hf_test ref_run(const ref_spec *s, const char *name, const int *ids, int n, double *logits)
{
    ref *r = calloc(1, sizeof *r);
    hf_test f = hf_begin(name);
    r->s = s;
    r->n = n;
    const double *embd = get(r, 0, V, E, "%s.weight", s->embd);
    for (int t = 0; t < n; t++)
        for (int i = 0; i < E; i++)
            r->x[t][i] = embd[ids[t] * E + i] * (s->embd_scale ? s->embd_scale : 1.0);
    const double *positions =
        s->positions ? get(r, 0, REF_CTX, E, "%s.weight", s->positions) : NULL;
    for (int i = 0; positions && i < n * E; i++) r->x[i / E][i % E] += positions[i];
    for (int il = 0; il < REF_LAYER; il++) layer(r, il);
    for (int t = 0; t < n; t++) predict(r, r->x[t], logits + t * V);
    hf_text(&f, "config.json", s->config);
    write_folder(r, &f);
    for (int i = 0; i < r->n_tensors; i++) free(r->t[i].v);
    free(r);
    return f;
}
