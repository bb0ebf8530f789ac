/* hf_reference.c - see hf_reference.h. Short and slow: nothing here is shared with the library. */
#include "hf_reference.h"
#include "base/hash.h"
#include <math.h>
#include <stdarg.h>

enum { MAX_TENSORS = 400, MAX_TOKENS = 16, E = REF_EMBD, V = REF_VOCAB };
enum { REF_FF_ROUNDED = 256 }; /* where it is rounded up to that */
enum { Q_MAX = REF_HEADS_MAX * 2 * REF_DIM }; /* values of all heads of a token */

typedef struct {
    char name[96];
    int n[3], n_dims; /* slowest first */
    double *v;
} ref_tensor;

struct ref {
    const ref_spec *s;
    ref_tensor t[MAX_TENSORS];
    int n_tensors;
    double x[MAX_TOKENS][E];               /* the residual stream */
    double score[MAX_TOKENS][REF_EXPERTS]; /* the router's */
    double own[MAX_TOKENS][REF_LAYER][REF_LAYER_EMBD]; /* what layers get of a token alone */
    double streams[MAX_TOKENS][REF_STREAMS][E];        /* the first of them is in x, too */
    double k[REF_LAYER][MAX_TOKENS][Q_MAX], v[REF_LAYER][MAX_TOKENS][Q_MAX];
    int n;                                 /* tokens */
};

static int n_head_of(const ref_spec *s, int il)
{
    return s->heads ? s->heads[il] : REF_HEAD;
}

static int n_kv_of(const ref_spec *s, int il)
{
    return s->kvs ? s->kvs[il] : s->kv ? s->kv : REF_KV;
}

static int n_ff_of(const ref_spec *s, int il)
{
    return s->widths ? s->widths[il] : s->gate_up ? REF_FF_ROUNDED : REF_FF;
}

static bool has_window(const ref_spec *s, int il)
{
    if (s->window == 0) return false;
    if (s->first_full) return il % 4 != 0;
    if (s->even_windows) return il % 2 == 0;
    return s->alternates ? il % 2 != 0 : (il + 1) % 4 != 0;
}

/* The attention of a layer. */
typedef struct {
    int n_head, n_kv, dim, value, n_rot;
    int from; /* whose keys and values it reads */
} ref_heads;

static ref_heads heads_of(const ref_spec *s, int il)
{
    bool is_full = s->window > 0 && !has_window(s, il);
    ref_heads h = { n_head_of(s, il), n_kv_of(s, il), REF_DIM, 0, s->n_rot, il };
    if (is_full && s->full_dim) h.dim = s->full_dim;
    if (is_full && s->full_rot) h.n_rot = s->full_rot;
    if (h.n_rot == 0) h.n_rot = h.dim;
    h.value = s->value_dim ? s->value_dim : h.dim;
    if (il < REF_LAYER - s->n_sharing) return h;
    h.from = REF_LAYER - s->n_sharing - 1;
    while (has_window(s, h.from) != has_window(s, il)) h.from--;
    return h;
}

/* ---- tensors ----------------------------------------------------------------------------- */

/* Of -1 .. 1, by the name and the place. */
static double noise(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (double)(*state >> 33) / (double)(1u << 30) - 1.0;
}

static bool is_plus_one(const ref_spec *s)
{
    return s->norm == REF_LAYER_NORM_1P || s->norm == REF_RMS_1P;
}

static void fill(const ref *r, ref_tensor *t)
{
    uint64_t state = hash64_of(t->name, strlen(t->name), 0);
    int count = t->n[0] * (t->n_dims > 1 ? t->n[1] : 1) * (t->n_dims > 2 ? t->n[2] : 1);
    bool is_bias = strstr(t->name, "bias"), is_vector = t->n_dims == 1;
    double center = is_vector && !is_bias && !is_plus_one(r->s) ? 1.0 : 0.0;
    double size = is_vector ? 0.3 : 1.8 / sqrt((double)t->n[t->n_dims - 1]);
    t->v = malloc((size_t)count * sizeof *t->v);
    if (strstr(t->name, ".eps")) center = -0.5; /* so that it shows */
    for (int i = 0; i < count; i++) t->v[i] = (double)(float)(center + size * noise(&state));
    for (int i = 0; i < count && strstr(t->name, "slopes"); i++)
        t->v[i] = pow(2.0, -8.0 * (i + 1) / REF_HEAD);
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

/* Each element of -1, 0 and 1 that is nearest, times the mean size of all. */
static void multiply_ternary(const double *w, int rows, int cols, const double *x, double *y)
{
    double scale = 0.0;
    for (int i = 0; i < rows * cols; i++) scale += fabs(w[i]) / (rows * cols);
    for (int i = 0; i < rows; i++) {
        y[i] = 0.0;
        for (int k = 0; k < cols; k++)
            y[i] += fmax(fmin(round(w[i * cols + k] / scale), 1.0), -1.0) * scale * x[k];
    }
}

static void linear(ref *r, const char *pattern, int il, bool has_bias, int rows, int cols,
                   const double *x, double *y)
{
    const double *bias = has_bias ? of_layer(r, pattern, ".bias", il, 0, rows) : NULL;
    if (r->s->ternary) {
        multiply_ternary(of_layer(r, pattern, ".weight", il, rows, cols), rows, cols, x, y);
        return;
    }
    if (!r->s->transposes) {
        multiply(of_layer(r, pattern, ".weight", il, rows, cols), bias, rows, cols, x, y);
        return;
    }
    const double *w = of_layer(r, pattern, ".weight", il, cols, rows);
    for (int i = 0; i < rows; i++) {
        y[i] = bias ? bias[i] : 0.0;
        for (int k = 0; k < cols; k++) y[i] += w[k * rows + i] * x[k];
    }
}

static double eps_of(const ref_spec *s)
{
    return s->norm_eps ? s->norm_eps : 1e-5;
}

static void rms(const ref_spec *s, const double *w, int n, double *x)
{
    double sum = 0.0;
    for (int i = 0; i < n; i++) sum += x[i] * x[i];
    double one = s->plus != 0.0 ? s->plus : s->norm == REF_RMS_1P ? 1.0 : 0.0;
    for (int i = 0; i < n; i++) x[i] *= (w[i] + one) / sqrt(sum / n + eps_of(s));
}

static void norm(ref *r, const char *pattern, int il, double *x)
{
    const ref_spec *s = r->s;
    const double *w = of_layer(r, pattern, ".weight", il, 0, E);
    const double *b = s->norm_bias ? of_layer(r, pattern, ".bias", il, 0, E) : NULL;
    if (s->norm == REF_RMS || s->norm == REF_RMS_1P) {
        rms(s, w, E, x);
        return;
    }
    double mean = 0.0, var = 0.0;
    for (int i = 0; i < E; i++) mean += x[i] / E;
    for (int i = 0; i < E; i++) var += (x[i] - mean) * (x[i] - mean) / E;
    for (int i = 0; i < E; i++) {
        double weight = w[i] + is_plus_one(s);
        x[i] = (x[i] - mean) / sqrt(var + eps_of(s)) * weight + (b ? b[i] : 0.0);
    }
}

/* By another kind and epsilon (0: the usual one) than the others. */
static void norm_by(ref *r, const char *pattern, int il, ref_norm kind, double eps, double *x)
{
    const ref_spec *s = r->s;
    ref_spec other = *s;
    other.norm = kind;
    if (eps != 0.0) other.norm_eps = eps;
    r->s = &other;
    norm(r, pattern, il, x);
    r->s = s;
}

/* Behind a sub-layer; its weight counts `plus` more (0: as others' do). */
static void post_norm(ref *r, const char *pattern, int il, double plus, double *x)
{
    const ref_spec *s = r->s;
    ref_spec other = *s;
    other.plus = plus;
    r->s = &other;
    norm_by(r, pattern, il, s->norm, s->post_eps, x);
    r->s = s;
}

/* The index whose wave turns so often in the original context. */
static double yarn_index(const ref_spec *s, double n, double theta, double turns)
{
    return n * log(s->yarn_original / (turns * 2.0 * acos(-1.0))) / (2.0 * log(theta));
}

static double frequency(const ref_spec *s, int il, int i, int n, bool is_scaled)
{
    double theta = s->theta ? s->theta : 10000.0;
    if (s->local_theta != 0.0 && has_window(s, il)) theta = s->local_theta;
    double freq = pow(theta, -2.0 * i / n);
    if (s->factors) freq /= s->factors[i];
    if (s->yarn_factor == 0.0 || !is_scaled) return freq;
    double low = fmax(floor(yarn_index(s, n, theta, 32.0)), 0.0);
    double high = fmin(ceil(yarn_index(s, n, theta, 1.0)), n - 1.0);
    double ramp = fmin(fmax((i - low) / fmax(high - low, 0.001), 0.0), 1.0);
    return freq / s->yarn_factor * ramp + freq * (1.0 - ramp);
}

/* The first n values of a head; `spread`: of each half of its `dim` values the first n / 2, by
 * frequencies of all. */
static void rotate(const ref_spec *s, int il, int pos, int n, int dim, bool spread, double *head)
{
    bool is_scaled = !s->plain_windows || !has_window(s, il);
    int half = spread ? dim / 2 : n / 2;
    double size = s->magnitude ? s->magnitude : 1.0;
    if (is_scaled && s->yarn_magnitude != 0.0) size = s->yarn_magnitude;
    for (int i = 0; i < n / 2; i++) {
        double angle = pos * frequency(s, il, i, spread ? dim : n, is_scaled);
        double *a = &head[s->pairs ? 2 * i : i], *b = &head[s->pairs ? 2 * i + 1 : i + half];
        double x = *a, y = *b;
        *a = (x * cos(angle) - y * sin(angle)) * size;
        *b = (y * cos(angle) + x * sin(angle)) * size;
    }
}

static double silu(double x)
{
    return x / (1.0 + exp(-x));
}

/* ---- attention --------------------------------------------------------------------------- */

static bool rotates(const ref_spec *s, int il)
{
    if (s->dense_rotates && il < s->n_dense) return true;
    if (s->rotation == REF_NOT_FOURTH) return (il + 1) % 4 != 0;
    return s->rotation == REF_ROTATES || (s->rotation == REF_WINDOWS_ONLY && has_window(s, il));
}

/* Q, K and V of one token, from one tensor or three. */
static void project(ref *r, int il, const double *h, double *q, double *k, double *v)
{
    const ref_spec *s = r->s;
    ref_heads hs = heads_of(s, il);
    int n_head = hs.n_head, n_kv_head = hs.n_kv, per = n_head / n_kv_head;
    int n_q = n_head * hs.dim, n_kv = n_kv_head * hs.dim, n_v = n_kv_head * hs.value;
    double all[3 * Q_MAX];
    if (s->qkv == REF_SEPARATE) {
        linear(r, s->q, il, s->qkv_bias, n_q, E, h, q);
        if (hs.from != il) return;
        linear(r, s->k, il, s->qkv_bias, n_kv, E, h, k);
        if (s->full_k_is_v && !has_window(s, il)) memcpy(v, k, (size_t)n_kv * sizeof *v);
        else linear(r, s->v, il, s->qkv_bias, n_v, E, h, v);
        return;
    }
    if (s->qkv == REF_KV_FUSED) {
        linear(r, s->q, il, s->qkv_bias, n_q, E, h, q);
        linear(r, s->k, il, s->qkv_bias, 2 * n_kv, E, h, all);
        memcpy(k, all, (size_t)n_kv * sizeof *k);
        memcpy(v, all + n_kv, (size_t)n_kv * sizeof *v);
        return;
    }
    linear(r, s->q, il, s->qkv_bias, n_q + 2 * n_kv, E, h, all);
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
    const double *w = of_layer(r, pattern, ".weight", il, 0, n);
    for (int i = 0; i < (is_all ? 1 : n_head); i++) rms(r->s, w, n, x + i * dim);
}

static void norm_to_unit(const ref_spec *s, int n_head, int dim, double *x)
{
    double ones[Q_MAX];
    for (int i = 0; i < dim; i++) ones[i] = 1.0 - (s->norm == REF_RMS_1P);
    for (int ih = 0; ih < n_head; ih++) rms(s, ones, dim, x + ih * dim);
}

/* Mean and variance of a head; a weight and a bias of its own. */
static void layer_norm_heads(ref *r, const char *pattern, int il, int n_head, double *x)
{
    const double *w = of_layer(r, pattern, ".weight", il, n_head, REF_DIM);
    const double *b = of_layer(r, pattern, ".bias", il, n_head, REF_DIM);
    for (int ih = 0; ih < n_head; ih++, w += REF_DIM, b += REF_DIM, x += REF_DIM) {
        double mean = 0.0, var = 0.0;
        for (int i = 0; i < REF_DIM; i++) mean += x[i] / REF_DIM;
        for (int i = 0; i < REF_DIM; i++) var += (x[i] - mean) * (x[i] - mean) / REF_DIM;
        for (int i = 0; i < REF_DIM; i++) x[i] = (x[i] - mean) / sqrt(var + 1e-5) * w[i] + b[i];
    }
}

static void rms_heads_by_row(ref *r, const char *name, int il, int n_head, double *x)
{
    const double *w = of_layer(r, name, "", il, n_head, REF_DIM);
    for (int ih = 0; ih < n_head; ih++, w += REF_DIM, x += REF_DIM) {
        double square = 0.0;
        for (int i = 0; i < REF_DIM; i++) square += x[i] * x[i] / REF_DIM;
        for (int i = 0; i < REF_DIM; i++) x[i] *= w[i] / sqrt(square + eps_of(r->s));
    }
}

static void finish_heads(ref *r, const char *pattern, int il, int pos, int n_head, double *x)
{
    const ref_spec *s = r->s;
    ref_heads h = heads_of(s, il);
    ref_qk_norm kind = s->qk_norm;
    bool spread = s->proportional && !has_window(s, il);
    if (kind == REF_HEADS || kind == REF_ALL) norm_heads(r, pattern, il, n_head, h.dim, x);
    if (kind == REF_HEAD_LAYERS) layer_norm_heads(r, pattern, il, n_head, x);
    if (kind == REF_HEAD_ROWS) rms_heads_by_row(r, pattern, il, n_head, x);
    for (int ih = 0; ih < n_head && rotates(s, il); ih++)
        rotate(s, il, pos, h.n_rot, h.dim, spread, x + ih * h.dim);
    if (kind == REF_HEADS_LATE) norm_heads(r, pattern, il, n_head, h.dim, x);
    if (kind == REF_UNIT_LATE && rotates(s, il)) norm_to_unit(s, n_head, h.dim, x);
}

/* What a query at pos is multiplied by. */
static double temperature(const ref_spec *s, int il, int pos)
{
    if (s->temp_scale == 0.0 || (s->temp_still && rotates(s, il))) return 1.0;
    return 1.0 + s->temp_scale * log(1.0 + floor((pos + s->temp_offset) / s->temp_length));
}

static int first_seen(const ref_spec *s, int il, int t)
{
    if (!has_window(s, il)) return 0;
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
    linear(r, r->s->attn_gate, il, false, n / together, E, h, gate);
    for (int i = 0; i < n; i++) {
        double g = gate[i / together];
        a[i] *= r->s->softplus_gate ? log(1.0 + exp(g)) : 1.0 / (1.0 + exp(-g));
    }
}

/* out [n, E] of h [n, E]. */
static void attention(ref *r, int il, double (*h)[E], double (*out)[E])
{
    const ref_spec *s = r->s;
    ref_heads hs = heads_of(s, il);
    double (*k)[Q_MAX] = r->k[hs.from], (*v)[Q_MAX] = r->v[hs.from];
    double scale = s->attn_scale ? s->attn_scale : 1.0 / sqrt((double)hs.dim);
    const double *slopes = s->slopes ? get(r, 0, 0, REF_HEAD, "%s", s->slopes) : NULL;
    const double *sinks =
        s->sinks && (has_window(s, il) || s->sinks_everywhere)
            ? of_layer(r, s->sinks, "", il, 0, hs.n_head)
            : NULL;
    for (int t = 0; t < r->n; t++) {
        double q[Q_MAX], a[Q_MAX];
        project(r, il, h[t], q, k[t], v[t]);
        if (s->q_scale != 0.0) {
            norm_to_unit(s, hs.n_head, hs.dim, q);
            for (int i = 0; i < hs.n_head * hs.dim; i++) q[i] *= s->q_scale;
            norm_to_unit(s, hs.n_kv, hs.dim, k[t]);
        }
        finish_heads(r, s->q_norm, il, t, hs.n_head, q);
        if (hs.from == il) finish_heads(r, s->k_norm, il, t, hs.n_kv, k[t]);
        if (hs.from == il && s->unit_values) norm_to_unit(s, hs.n_kv, hs.dim, v[t]);
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
        if (s->attn_sub_norm) rms(s, of_layer(r, s->attn_sub_norm, ".weight", il, 0, E), E, a);
        linear(r, s->o, il, s->o_bias, E, hs.n_head * hs.value, a, out[t]);
    }
}

/* DeepSeek's: queries out of one latent, keys and values out of another; the end of a key is
 * rotated and the same for all heads. */
static void latent_attention(ref *r, int il, double (*h)[E], double (*out)[E])
{
    enum { KEY = REF_NOPE + REF_ROPE, KV = REF_NOPE + REF_DIM };
    const ref_spec *s = r->s;
    static double key[MAX_TOKENS][REF_HEAD][KEY], value[MAX_TOKENS][REF_HEAD][REF_DIM];
    double scale = s->attn_scale ? s->attn_scale : 1.0 / sqrt((double)KEY);
    for (int t = 0; t < r->n; t++) {
        double qa[REF_Q_RANK], q[REF_HEAD * KEY], kv[REF_KV_RANK + REF_ROPE], both[REF_HEAD * KV];
        double a[REF_HEAD * REF_DIM], p[MAX_TOKENS];
        if (s->q_a) {
            linear(r, s->q_a, il, false, REF_Q_RANK, E, h[t], qa);
            rms(s, of_layer(r, s->q_a_norm, ".weight", il, 0, REF_Q_RANK), REF_Q_RANK, qa);
            linear(r, s->q_b, il, false, REF_HEAD * KEY, REF_Q_RANK, qa, q);
        } else {
            linear(r, s->q, il, false, REF_HEAD * KEY, E, h[t], q);
        }
        linear(r, s->kv_a, il, false, REF_KV_RANK + REF_ROPE, E, h[t], kv);
        rms(s, of_layer(r, s->kv_a_norm, ".weight", il, 0, REF_KV_RANK), REF_KV_RANK, kv);
        linear(r, s->kv_b, il, false, REF_HEAD * KV, REF_KV_RANK, kv, both);
        rotate(s, il, t, REF_ROPE, 0, false, kv + REF_KV_RANK);
        for (int ih = 0; ih < REF_HEAD; ih++) {
            double sum = 0.0;
            memcpy(key[t][ih], both + ih * KV, REF_NOPE * sizeof *both);
            memcpy(key[t][ih] + REF_NOPE, kv + REF_KV_RANK, REF_ROPE * sizeof *kv);
            memcpy(value[t][ih], both + ih * KV + REF_NOPE, REF_DIM * sizeof *both);
            rotate(s, il, t, REF_ROPE, 0, false, q + ih * KEY + REF_NOPE);
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
        linear(r, s->o, il, s->o_bias, E, REF_HEAD * REF_DIM, a, out[t]);
    }
}

/* ---- feed-forward ------------------------------------------------------------------------ */

static double gelu(double x)
{
    return 0.5 * x * (1.0 + tanh(0.79788456080286535588 * (x + 0.044715 * x * x * x)));
}

static double gate_of(const ref_spec *s, double x)
{
    double relu = fmax(x, 0.0);
    if (s->act == REF_GELU_GATE) return gelu(x);
    return s->act == REF_RELU ? relu : s->act == REF_RELU2_GATE ? relu * relu : silu(x);
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
    multiply(gate, NULL, n_ff, E, x, g);
    multiply(up, NULL, n_ff, E, x, u);
    for (int i = 0; i < n_ff; i++) g[i] = gate_up(s, g[i], u[i], limit);
    multiply(down, NULL, E, n_ff, g, out);
}

/* Squared ReLU, no gate. */
static void ungated(const double *up, const double *down, int n_ff, const double *x, double *out)
{
    double u[2 * REF_FF];
    multiply(up, NULL, n_ff, E, x, u);
    for (int i = 0; i < n_ff; i++) u[i] = u[i] > 0.0 ? u[i] * u[i] : 0.0;
    multiply(down, NULL, E, n_ff, u, out);
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
    int n = n_ff_of(s, il);
    if (s->gate_up) {
        linear(r, s->gate, il, s->ffn_bias, 2 * n, E, x, g);
        memcpy(u, g + n, (size_t)n * sizeof *u);
    } else {
        linear(r, s->gate, il, s->ffn_bias, n, E, x, g);
        linear(r, s->up, il, s->ffn_bias, n, E, x, u);
    }
    for (int i = 0; i < n && s->gate_scale != 0.0; i++) g[i] *= s->gate_scale;
    if (s->cuts && !isnan(s->cuts[il])) cut_gates(s->cuts[il], n, g);
    for (int i = 0; i < n; i++) g[i] = gate_up(s, g[i], u[i], 0.0);
    if (s->ffn_sub_norm) rms(s, of_layer(r, s->ffn_sub_norm, ".weight", il, 0, n), n, g);
    linear(r, s->down, il, s->ffn_bias, E, n, g, out);
    for (int i = 0; i < E && s->down_scale != 0.0; i++) out[i] *= s->down_scale;
}

static double soft_plus(double x)
{
    return log(1.0 + exp(x));
}

static double xielu(ref *r, int il, double x)
{
    const char *name = r->s->xielu;
    double alpha_p = soft_plus(of_layer(r, name, "alpha_p", il, 0, 1)[0]);
    double beta = of_layer(r, name, "beta", il, 0, 1)[0];
    double alpha_n = beta + soft_plus(of_layer(r, name, "alpha_n", il, 0, 1)[0]);
    double eps = of_layer(r, name, "eps", il, 0, 1)[0];
    return x > 0.0 ? alpha_p * x * x + beta * x : (expm1(fmin(x, eps)) - x) * alpha_n + beta * x;
}

static void dense(ref *r, int il, const double *x, double *out)
{
    const ref_spec *s = r->s;
    double u[REF_FF];
    if (s->act <= REF_CLIPPED) {
        dense_gated(r, il, x, out);
        return;
    }
    linear(r, s->up, il, s->ffn_bias, REF_FF, E, x, u);
    for (int i = 0; i < REF_FF; i++) {
        double relu = fmax(u[i], 0.0);
        if (s->act == REF_XIELU)
            u[i] = xielu(r, il, u[i]);
        else
            u[i] = s->act == REF_GELU ? gelu(u[i]) : s->act == REF_RELU1 ? relu : relu * relu;
    }
    linear(r, s->down, il, s->ffn_bias, E, REF_FF, u, out);
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
        score[e] = s->sigmoid ? 1.0 / (1.0 + exp(-score[e])) : exp(score[e]);
    for (int e = 0; e < REF_EXPERTS; e++) sum += score[e];
    for (int e = 0; e < REF_EXPERTS && !s->sigmoid; e++) score[e] /= sum;
    int rows = s->router_bias_is_row ? 1 : 0;
    const double *bias =
        s->router_bias ? of_layer(r, s->router_bias, "", il, rows, REF_EXPERTS) : NULL;
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
        if (s->expert_scales) weight[e] *= of_layer(r, s->expert_scales, "", il, 0, REF_EXPERTS)[e];
    }
}

static void expert(ref *r, int il, int e, const double *x, double *out)
{
    const ref_spec *s = r->s;
    const int n_ff = REF_FF_EXP;
    double limit = s->clips ? s->clips[il] : 0.0;
    if (!s->exp_gate && s->exp_up) {
        ungated(get(r, 0, n_ff, E, s->exp_up, il, e), get(r, 0, E, n_ff, s->exp_down, il, e), n_ff,
                x, out);
        return;
    }
    if (s->exp_stacked) { /* [experts, out, in] of each */
        gated(s, get(r, REF_EXPERTS, n_ff, E, s->exp_gate, il) + e * n_ff * E,
              get(r, REF_EXPERTS, n_ff, E, s->exp_up, il) + e * n_ff * E,
              get(r, REF_EXPERTS, E, n_ff, s->exp_down, il) + e * n_ff * E, n_ff, limit, x, out);
        return;
    }
    if (s->exp_in && s->exp_transposes) {
        const double *in = get(r, REF_EXPERTS, E, 2 * n_ff, s->exp_in, il);
        const double *down = get(r, REF_EXPERTS, n_ff, E, s->exp_out, il);
        static double in_t[2 * REF_FF_EXP * E], down_t[E * REF_FF_EXP];
        for (int i = 0; i < 2 * n_ff * E; i++)
            in_t[i] = in[e * 2 * n_ff * E + i % E * 2 * n_ff + i / E];
        for (int i = 0; i < E * n_ff; i++) down_t[i] = down[e * E * n_ff + i % n_ff * E + i / n_ff];
        gated(s, in_t, in_t + n_ff * E, down_t, n_ff, limit, x, out);
        return;
    }
    if (s->exp_in) {
        const double *in = get(r, REF_EXPERTS, 2 * n_ff, E, s->exp_in, il);
        const double *down = get(r, REF_EXPERTS, E, n_ff, s->exp_out, il);
        in += e * 2 * n_ff * E;
        gated(s, in, in + n_ff * E, down + e * E * n_ff, n_ff, limit, x, out);
        return;
    }
    if (s->exp_flat) {
        const double *down = get(r, 0, REF_EXPERTS * n_ff, E, s->exp_down, il) + e * n_ff * E;
        static double down_t[E * REF_FF_EXP];
        for (int i = 0; i < E * n_ff; i++) down_t[i] = down[i % n_ff * E + i / n_ff];
        gated(s, get(r, 0, REF_EXPERTS * n_ff, E, s->exp_gate, il) + e * n_ff * E,
              get(r, 0, REF_EXPERTS * n_ff, E, s->exp_up, il) + e * n_ff * E, down_t, n_ff, limit,
              x, out);
        return;
    }
    gated(s, get(r, 0, n_ff, E, s->exp_gate, il, e), get(r, 0, n_ff, E, s->exp_up, il, e),
          get(r, 0, E, n_ff, s->exp_down, il, e), n_ff, limit, x, out);
}

static void chunk(ref *r, int il, int i, const double *x, double *out)
{
    gated(r->s, get(r, 0, REF_DIM, E, r->s->chunk_gate, il, i),
          get(r, 0, REF_DIM, E, r->s->chunk_up, il, i),
          get(r, 0, E, REF_DIM, r->s->chunk_down, il, i), REF_DIM, 0.0, x, out);
}

static void shared(ref *r, int il, const double *x, double *out)
{
    const ref_spec *s = r->s;
    int n_ff = s->n_shared * REF_FF_EXP;
    if (!s->sh_gate && !s->sh_in) {
        ungated(of_layer(r, s->sh_up, ".weight", il, n_ff, E),
                of_layer(r, s->sh_down, ".weight", il, E, n_ff), n_ff, x, out);
        return;
    }
    const double *in = s->sh_in ? of_layer(r, s->sh_in, ".weight", il, 2 * n_ff, E) : NULL;
    gated(s, in ? in : of_layer(r, s->sh_gate, ".weight", il, n_ff, E),
          in ? in + n_ff * E : of_layer(r, s->sh_up, ".weight", il, n_ff, E),
          of_layer(r, s->sh_down, ".weight", il, E, n_ff), n_ff,
          s->shared_clips ? s->shared_clips[il] : 0.0, x, out);
    for (int i = 0; s->sh_router && i < E; i++) {
        double share = 0.0;
        const double *w = of_layer(r, s->sh_router, ".weight", il, 1, E);
        for (int k = 0; k < E; k++) share += w[k] * x[k];
        out[i] *= 1.0 / (1.0 + exp(-share));
    }
}

static bool has_experts(const ref_spec *s, int il)
{
    return s->router && il >= s->n_dense && (il + 1) % (s->moe_step ? s->moe_step : 1) == 0;
}

static void feed_forward(ref *r, int il, int t, const double *x, double *out)
{
    const ref_spec *s = r->s;
    double weight[REF_EXPERTS], one[E], in[E];
    if (!has_experts(s, il)) {
        dense(r, il, x, out);
        return;
    }
    memset(out, 0, E * sizeof *out);
    if (!s->early_router && !s->router_scale)
        linear(r, s->router, il, false, REF_EXPERTS, E, x, r->score[t]);
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
        dense(r, il, x, one);
        for (int i = 0; i < E; i++) out[i] = (out[i] + one[i]) * sqrt(0.5);
    }
    if (!s->n_shared) return;
    shared(r, il, x, one);
    for (int i = 0; i < E; i++) out[i] += one[i];
}

/* Gemma 4's: experts beside the dense network, each with norms of its own; x is the residual
 * stream, h what the dense network reads. */
static void both(ref *r, int il, int t, const double *x, const double *h, double *out)
{
    const ref_spec *s = r->s;
    const double *scale = of_layer(r, s->router_scale, "", il, 0, E);
    double to_router[E], in[E], mixed[E];
    dense(r, il, h, out);
    norm(r, s->dense_post_norm, il, out);
    memcpy(to_router, x, sizeof to_router);
    norm_to_unit(s, 1, E, to_router);
    for (int i = 0; i < E; i++) to_router[i] *= scale[i] * pow(E, -0.5);
    linear(r, s->router, il, false, REF_EXPERTS, E, to_router, r->score[t]);
    memcpy(in, x, sizeof in);
    norm(r, s->exp_norm, il, in);
    feed_forward(r, il, t, in, mixed);
    norm(r, s->exp_post_norm, il, mixed);
    for (int i = 0; i < E; i++) out[i] += mixed[i];
}

/* ---- what layers get of a token by themselves ---------------------------------------------- */

static void make_own(ref *r, int id, int t)
{
    enum { N = REF_LAYER_EMBD };
    const ref_spec *s = r->s;
    double made[REF_LAYER * N];
    int n_rows = s->altup ? REF_LAYER_VOCAB : V;
    const double *embd = get(r, 0, n_rows, REF_LAYER * N, "%s.weight", s->layer_embd);
    if (id >= n_rows) id = 0; /* tokens of images and sounds */
    linear(r, s->layer_proj, 0, false, REF_LAYER * N, E, r->x[t], made);
    for (int il = 0; il < REF_LAYER; il++) {
        for (int i = 0; i < N; i++) made[il * N + i] *= pow(E, -0.5);
        rms(s, get(r, 0, 0, N, "%s.weight", s->layer_proj_norm), N, made + il * N);
        for (int i = 0; i < N; i++)
            r->own[t][il][i] = (made[il * N + i]
                                + embd[(id * REF_LAYER + il) * N + i] * sqrt((double)N))
                               * pow(2.0, -0.5);
    }
}

static void project_own(ref *r, int il, int t, const double *x, double *out)
{
    const ref_spec *s = r->s;
    double g[REF_LAYER_EMBD];
    linear(r, s->layer_gate, il, false, REF_LAYER_EMBD, E, x, g);
    for (int i = 0; i < REF_LAYER_EMBD; i++) g[i] = gelu(g[i]) * r->own[t][il][i];
    linear(r, s->layer_out, il, false, E, REF_LAYER_EMBD, g, out);
    norm(r, s->layer_post_norm, il, out);
}

static void add_own(ref *r, int il, int t)
{
    double out[E];
    project_own(r, il, t, r->x[t], out);
    for (int i = 0; i < E; i++) r->x[t][i] += out[i];
}

/* ---- for ways to mix tokens that are elsewhere ----------------------------------------------- */

const double *ref_tensor_of(ref *r, const char *pattern, const char *end, int il, int slices,
                            int rows, int cols)
{
    char fmt[96];
    snprintf(fmt, sizeof fmt, "%s%s", pattern, end);
    return get(r, slices, rows, cols, fmt, il);
}

void ref_multiply(ref *r, const char *pattern, int il, int rows, int cols, const double *x,
                  double *y)
{
    linear(r, pattern, il, false, rows, cols, x, y);
}

/* ---- the model --------------------------------------------------------------------------- */

static void add(const ref *r, double *x, const double *y)
{
    for (int i = 0; i < E; i++) x[i] += y[i] * (r->s->residual_scale ? r->s->residual_scale : 1.0);
}

#include "hf_streams.h"

/* What the layer has of attention. */
static void attend(ref *r, int il, double (*h)[E], double (*out)[E])
{
    const ref_spec *s = r->s;
    if (s->recurs && s->recurs[il]) {
        s->mix(r, il, r->n, h, out);
        return;
    }
    if (n_head_of(s, il) > 0 && n_kv_of(s, il) > 0) {
        static double more[MAX_TOKENS][E];
        (s->kv_a ? latent_attention : attention)(r, il, h, out);
        if (!s->beside_attention) return;
        s->beside_attention(r, il, r->n, h, more);
        for (int i = 0; i < r->n * E; i++) out[i / E][i % E] += more[i / E][i % E];
        return;
    }
    memset(out, 0, sizeof *out * (size_t)r->n);
    for (int t = 0; t < r->n && n_head_of(s, il) > 0; t++)
        linear(r, s->in_place, il, false, E, E, h[t], out[t]);
}

static void layer(ref *r, int il)
{
    const ref_spec *s = r->s;
    static double h[MAX_TOKENS][E], a[MAX_TOKENS][E], before[MAX_TOKENS][E];
    double f[E];
    memcpy(before, r->x, sizeof before);
    memcpy(h, r->x, sizeof h);
    for (int t = 0; t < r->n && s->early_router; t++)
        linear(r, s->router, il, false, REF_EXPERTS, E, h[t], r->score[t]);
    for (int t = 0; t < r->n && s->attn_norm && n_head_of(s, il); t++)
        norm(r, s->attn_norm, il, h[t]);
    attend(r, il, h, a);
    for (int t = 0; t < r->n; t++) {
        if (s->attn_post_norm) post_norm(r, s->attn_post_norm, il, s->attn_post_plus, a[t]);
        add(r, r->x[t], a[t]);
        if (n_ff_of(s, il) == 0) continue;
        if (!s->parallel) memcpy(h[t], r->x[t], sizeof h[t]);
        if (s->ffn_norm) norm(r, s->ffn_norm, il, h[t]);
        if (s->input_norm) {
            dense(r, il, h[t], f);
            add(r, r->x[t], f);
            memcpy(h[t], before[t], sizeof h[t]);
            norm(r, s->input_norm, il, h[t]);
        }
        if (s->router_scale) both(r, il, t, r->x[t], h[t], f);
        else feed_forward(r, il, t, h[t], f);
        if (s->ffn_post_norm) post_norm(r, s->ffn_post_norm, il, s->ffn_post_plus, f);
        add(r, r->x[t], f);
        if (s->layer_embd) add_own(r, il, t);
        for (int i = 0; i < E && s->layer_scale; i++)
            r->x[t][i] *= of_layer(r, s->layer_scale, "", il, 0, 1)[0];
    }
}

static void predict(ref *r, const double *x, double *logits)
{
    const ref_spec *s = r->s;
    double h[E];
    memcpy(h, x, sizeof h);
    norm_by(r, s->out_norm, 0, s->out_norm_plain ? REF_RMS : s->norm, 0.0, h);
    const double *w = of_layer(r, s->head ? s->head : s->embd, ".weight", 0, V, E);
    for (int k = 0; k < E && s->unit_columns; k++) {
        double sum = 0.0;
        for (int i = 0; i < V; i++) sum += w[i * E + k] * w[i * E + k];
        h[k] /= sqrt(sum) + 1e-7;
    }
    multiply(w, s->head_bias ? of_layer(r, s->head, ".bias", 0, 0, V) : NULL, V, E, h, logits);
    for (int i = 0; i < V && s->logit_scale != 0.0; i++) logits[i] *= s->logit_scale;
    for (int i = 0; i < V && s->logit_cap != 0.0; i++)
        logits[i] = s->logit_cap * tanh(logits[i] / s->logit_cap);
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
        s->positions ? get(r, 0, REF_CTX + s->n_unused, E, "%s.weight", s->positions) : NULL;
    for (int i = 0; positions && i < n * E; i++)
        r->x[i / E][i % E] += positions[s->n_unused * E + i];
    for (int t = 0; t < n && s->normed_embd; t++) norm_to_unit(s, 1, E, r->x[t]);
    for (int t = 0; t < n && s->layer_embd; t++) make_own(r, ids[t], t);
    for (int i = 0; i < (s->n_loop ? s->n_loop : 1) && !s->altup; i++) {
        for (int t = 0; t < n && i > 0 && s->loop_norm; t++) norm(r, s->out_norm, 0, r->x[t]);
        for (int il = 0; il < REF_LAYER; il++) layer(r, il);
    }
    if (s->altup) run_streams(r);
    for (int t = 0; t < n; t++) predict(r, r->x[t], logits + t * V);
    hf_text(&f, "config.json", s->config);
    write_folder(r, &f);
    for (int i = 0; i < r->n_tensors; i++) free(r->t[i].v);
    free(r);
    return f;
}
