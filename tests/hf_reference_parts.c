/* hf_reference_parts.c - see hf_reference_parts.h. */
#include "hf_reference_parts.h"
#include "base/hash.h"
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>

/* ---- sizes ------------------------------------------------------------------------------- */

int ref_n_head(const ref_spec *s, int il)
{
    return s->heads ? s->heads[il] : REF_HEAD;
}

int ref_n_kv(const ref_spec *s, int il)
{
    return s->kvs ? s->kvs[il] : s->kv ? s->kv : REF_KV;
}

int ref_n_ff(const ref_spec *s, int il)
{
    return s->widths ? s->widths[il] : s->gate_up ? REF_FF_ROUNDED : REF_FF;
}

bool ref_has_window(const ref_spec *s, int il)
{
    if (s->window == 0) return false;
    if (s->first_full) return il % 4 != 0;
    if (s->even_windows) return il % 2 == 0;
    return s->alternates ? il % 2 != 0 : (il + 1) % 4 != 0;
}

ref_heads ref_heads_of(const ref_spec *s, int il)
{
    bool is_full = s->window > 0 && !ref_has_window(s, il);
    ref_heads h = { ref_n_head(s, il), ref_n_kv(s, il), REF_DIM, 0, s->n_rot, il };
    if (is_full && s->full_dim) h.dim = s->full_dim;
    if (is_full && s->full_rot) h.n_rot = s->full_rot;
    if (h.n_rot == 0) h.n_rot = h.dim;
    h.value = s->value_dim ? s->value_dim : h.dim;
    if (il < REF_LAYER - s->n_sharing) return h;
    h.from = REF_LAYER - s->n_sharing - 1;
    while (ref_has_window(s, h.from) != ref_has_window(s, il)) h.from--;
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

const double *ref_get(ref *r, int slices, int rows, int cols, const char *fmt, ...)
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

const double *ref_of_layer(ref *r, const char *pattern, const char *end, int il, int rows,
                           int cols)
{
    char fmt[96];
    snprintf(fmt, sizeof fmt, "%s%s", pattern, end);
    return ref_get(r, 0, rows, cols, fmt, il);
}

void ref_write_folder(const ref *r, hf_test *f)
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

void ref_product(const double *w, const double *bias, int rows, int cols, const double *x,
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

void ref_linear(ref *r, const char *pattern, int il, bool has_bias, int rows, int cols,
                const double *x, double *y)
{
    const double *bias = has_bias ? ref_of_layer(r, pattern, ".bias", il, 0, rows) : NULL;
    if (r->s->ternary) {
        multiply_ternary(ref_of_layer(r, pattern, ".weight", il, rows, cols), rows, cols, x, y);
        return;
    }
    if (!r->s->transposes) {
        ref_product(ref_of_layer(r, pattern, ".weight", il, rows, cols), bias, rows, cols, x, y);
        return;
    }
    const double *w = ref_of_layer(r, pattern, ".weight", il, cols, rows);
    for (int i = 0; i < rows; i++) {
        y[i] = bias ? bias[i] : 0.0;
        for (int k = 0; k < cols; k++) y[i] += w[k * rows + i] * x[k];
    }
}

double ref_eps(const ref_spec *s)
{
    return s->norm_eps ? s->norm_eps : 1e-5;
}

void ref_rms(const ref_spec *s, const double *w, int n, double *x)
{
    double sum = 0.0;
    for (int i = 0; i < n; i++) sum += x[i] * x[i];
    double one = s->plus != 0.0 ? s->plus : s->norm == REF_RMS_1P ? 1.0 : 0.0;
    for (int i = 0; i < n; i++) x[i] *= (w[i] + one) / sqrt(sum / n + ref_eps(s));
}

void ref_normalise(ref *r, const char *pattern, int il, double *x)
{
    const ref_spec *s = r->s;
    const double *w = ref_of_layer(r, pattern, ".weight", il, 0, E);
    const double *b = s->norm_bias ? ref_of_layer(r, pattern, ".bias", il, 0, E) : NULL;
    if (s->norm == REF_RMS || s->norm == REF_RMS_1P) {
        ref_rms(s, w, E, x);
        return;
    }
    double mean = 0.0, var = 0.0;
    for (int i = 0; i < E; i++) mean += x[i] / E;
    for (int i = 0; i < E; i++) var += (x[i] - mean) * (x[i] - mean) / E;
    for (int i = 0; i < E; i++) {
        double weight = w[i] + is_plus_one(s);
        x[i] = (x[i] - mean) / sqrt(var + ref_eps(s)) * weight + (b ? b[i] : 0.0);
    }
}

/* By another kind and epsilon (0: the usual one) than the others. */
void ref_normalise_by(ref *r, const char *pattern, int il, ref_norm kind, double eps, double *x)
{
    const ref_spec *s = r->s;
    ref_spec other = *s;
    other.norm = kind;
    if (eps != 0.0) other.norm_eps = eps;
    r->s = &other;
    ref_normalise(r, pattern, il, x);
    r->s = s;
}

/* Behind a sub-layer; its weight counts `plus` more (0: as others' do). */
void ref_post_normalise(ref *r, const char *pattern, int il, double plus, double *x)
{
    const ref_spec *s = r->s;
    ref_spec other = *s;
    other.plus = plus;
    r->s = &other;
    ref_normalise_by(r, pattern, il, s->norm, s->post_eps, x);
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
    if (s->local_theta != 0.0 && ref_has_window(s, il)) theta = s->local_theta;
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
void ref_rotate(const ref_spec *s, int il, int pos, int n, int dim, bool spread, double *head)
{
    bool is_scaled = !s->plain_windows || !ref_has_window(s, il);
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

void ref_rms_norm(const double *w, double eps, int n, double *x)
{
    double square = 0.0;
    for (int i = 0; i < n; i++) square += x[i] * x[i];
    for (int i = 0; i < n; i++) x[i] *= (w ? w[i] : 1.0) / sqrt(square / n + eps);
}

double ref_sigmoid(double x)
{
    return 1.0 / (1.0 + exp(-x));
}

double ref_silu(double x)
{
    return x * ref_sigmoid(x);
}
