/* made_model.c - see made_model.h. */
#include "made_model.h"
#include "base/err.h"
#include "gguf/gguf_write.h"
#include "hf_reference.h"
#include "lory.h"
#include <math.h>
#include <stdlib.h>

static double rnd(made_model *m)
{
    m->seed = m->seed * 1664525u + 1013904223u;
    return (double)(int32_t)m->seed / 2147483648.0;
}

const double *made_get(made_model *m, int rows, int cols, double about, const char *fmt, int il)
{
    char name[48];
    snprintf(name, sizeof name, fmt, il);
    for (int i = 0; i < m->n; i++)
        if (strcmp(m->t[i].name, name) == 0) return m->t[i].v;
    made_tensor *t = &m->t[m->n++];
    const int n = (rows ? rows : 1) * cols;
    const double size = rows && about == 0.0 ? 1.7 / sqrt((double)cols) : 0.4;
    *t = (made_tensor){ .rows = rows, .cols = cols, .v = malloc((size_t)n * sizeof *t->v) };
    snprintf(t->name, sizeof t->name, "%s", name);
    for (int i = 0; i < n; i++) t->v[i] = (double)(float)(about + size * rnd(m));
    return t->v;
}

void made_product(made_model *m, int rows, int cols, const char *fmt, int il, const double *x,
                  double *y)
{
    const double *w = made_get(m, rows, cols, 0.0, fmt, il);
    for (int r = 0; r < rows; r++) {
        y[r] = 0.0;
        for (int i = 0; i < cols; i++) y[r] += w[r * cols + i] * x[i];
    }
}

void made_leave_out(made_model *m, const char *name)
{
    int i = 0;
    while (i < m->n && strcmp(m->t[i].name, name) != 0) i++;
    REQUIRE(i < m->n, "no tensor %s", name);
    m->t[i].name[0] = '\0';
}

void made_free(made_model *m)
{
    for (int i = 0; i < m->n; i++) free(m->t[i].v);
    m->n = 0;
}

void made_layer_norm(int n, double eps, const double *w, const double *b, const double *x,
                     double *y)
{
    double mean = 0.0, square = 0.0;
    for (int i = 0; i < n; i++) mean += x[i] / n;
    for (int i = 0; i < n; i++) square += (x[i] - mean) * (x[i] - mean) / n;
    for (int i = 0; i < n; i++) y[i] = (x[i] - mean) / sqrt(square + eps) * w[i] + b[i];
}

static const double *norm_weight(made_model *m, int n, const char *name, int il)
{
    char weight[64];
    snprintf(weight, sizeof weight, "%s.weight", name);
    return made_get(m, 0, n, 1.0, weight, il);
}

void made_layer_norm_of(made_model *m, int n, double eps, const char *name, int il, const double *x,
                        double *y)
{
    char bias[64];
    snprintf(bias, sizeof bias, "%s.bias", name);
    const double *w = norm_weight(m, n, name, il);
    made_layer_norm(n, eps, w, made_get(m, 0, n, 0.0, bias, il), x, y);
}

void made_rms_norm_of(made_model *m, int n, double eps, const char *name, int il, const double *x,
                      double *y)
{
    memcpy(y, x, (size_t)n * sizeof *y);
    ref_rms_norm(norm_weight(m, n, name, il), eps, n, y);
}

void made_feed_forward(made_model *m, int n, int n_ff, int il, const double *x, double *y)
{
    double gate[MADE_MOST_FF], up[MADE_MOST_FF];
    made_product(m, n_ff, n, "blk.%d.ffn_gate.weight", il, x, gate);
    made_product(m, n_ff, n, "blk.%d.ffn_up.weight", il, x, up);
    for (int i = 0; i < n_ff; i++) up[i] *= gate[i] * ref_sigmoid(gate[i]);
    made_product(m, n, n_ff, "blk.%d.ffn_down.weight", il, up, y);
}

static void put_tensor_info(gguf_writer *w, const made_tensor *t)
{
    const bool is_lerp = strstr(t->name, "lerp") != NULL;
    const int slices = t->slices ? t->slices : 1;
    const int64_t ne[] = { t->cols, is_lerp ? 1 : t->rows / slices, slices, t->rows };
    const int n_dims = is_lerp ? 3 + (t->rows > 0) : 1 + (t->rows > 0) + (slices > 1);
    gguf_add_tensor(w, (gguf_str){ t->name, strlen(t->name) }, QT_F32, n_dims, ne);
}

static void put_keys(gguf_writer *w, const made_file *f, const char *key, uint32_t value)
{
    char name[96];
    gguf_put_str(w, "general.architecture", f->arch);
    snprintf(name, sizeof name, "%s.%s", f->arch, f->eps_key);
    gguf_put_f32(w, name, f->eps);
    for (const made_key *k = f->keys; k->name; k++) {
        snprintf(name, sizeof name, "%s.%s", f->arch, k->name);
        if (!key || strcmp(k->name, key) != 0) gguf_put_u32(w, name, k->value);
    }
    snprintf(name, sizeof name, "%s.%s", f->arch, key ? key : "");
    if (key && value) gguf_put_u32(w, name, value);
}

void made_write(const made_model *m, const made_file *f, const char *path, const char *key,
                uint32_t value)
{
    gguf_writer w;
    lory_err err;
    REQUIRE(gguf_create(&w, path, &err), "%s", err.text);
    put_keys(&w, f, key, value);
    for (int i = 0; i < m->n; i++)
        if (m->t[i].name[0]) put_tensor_info(&w, &m->t[i]);
    CHECK(gguf_begin_data(&w, &err), "%s", err.text);
    for (int i = 0; i < m->n; i++) {
        const made_tensor *t = &m->t[i];
        for (int j = 0; t->name[0] && j < (t->rows ? t->rows : 1) * t->cols; j++) {
            float v = (float)t->v[j];
            CHECK(gguf_write_data(&w, &v, sizeof v, &err), "%s", err.text);
        }
    }
    CHECK(gguf_commit(&w, &err), "%s", err.text);
}

void made_refuses(const made_model *m, const made_file *f, const char *key, uint32_t value,
                  const char *want)
{
    char path[400];
    lory_err err = { 0 };
    snprintf(path, sizeof path, "%s", test_temp("hostile.gguf"));
    made_write(m, f, path, key, value);
    lory_model *opened = lory_model_open(path, &err);
    CHECK(!opened && strstr(err.text, want), "got \"%s\", want \"%s\"", err.text, want);
    lory_model_close(opened);
}
