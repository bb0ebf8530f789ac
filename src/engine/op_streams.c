/* op_streams.c - ops of models whose residual stream is several (Gemma 3n): X is the first, slot XS
 * has the others, one after the other. Their sums are plain C, and so the same on every machine.
 * Layer: engine. */
#include "base/fmath.h"
#include "engine/ops.h"
#include <math.h>

enum { LANES = 16, MAX_STREAM = HPARAMS_MAX_STREAM };

/* ---- sums of a row ------------------------------------------------------------------------- */

static double fold(double lane[LANES])
{
    for (int step = LANES / 2; step > 0; step /= 2)
        for (int j = 0; j < step; j++) lane[j] += lane[j + step];
    return lane[0];
}

static double mean_of(int n, const float *x)
{
    double lane[LANES] = { 0.0 };
    for (int i = 0; i < n; i += LANES)
        for (int j = 0; j < LANES && i + j < n; j++) lane[j] += (double)x[i + j];
    return fold(lane) / n;
}

/* The root of the mean of (x - from)^2. */
static double spread_of(int n, const float *x, double from)
{
    double lane[LANES] = { 0.0 };
    for (int i = 0; i < n; i += LANES)
        for (int j = 0; j < LANES && i + j < n; j++)
            lane[j] += ((double)x[i + j] - from) * ((double)x[i + j] - from);
    return sqrt(fold(lane) / n);
}

void op_sparsify(const op_ctx *c, const plan_step *s)
{
    exec *e = c->e;
    const double cut = (double)e->m->hp.layer[s->il].cut;
    int first, last, n = s->dst_width;
    op_share(c, e->n_row, &first, &last);
    for (int it = first; it < last; it++) {
        float *row = op_row(e, s->dst[0], it);
        double mean = mean_of(n, row);
        float least = (float)(mean + cut * spread_of(n, row, mean));
        for (int i = 0; i < n; i++) {
            float more = row[i] - least;
            row[i] = more < 0.0f ? 0.0f : more; /* NaN stays */
        }
    }
}

void op_weigh(const op_ctx *c, const plan_step *s)
{
    exec *e = c->e;
    const float *w = s->w[0]->data;
    int first, last;
    op_share(c, e->n_row, &first, &last);
    for (int it = first; it < last; it++) {
        const float *src = op_row(e, s->src, it);
        float *dst = op_row(e, s->dst[0], it);
        for (int i = 0; i < s->dst_width; i++) dst[i] = src[i] * w[i];
    }
}

/* ---- streams ------------------------------------------------------------------------------- */

static float *stream(const exec *e, int slot, int it, int i)
{
    return op_row(e, slot, it) + (size_t)i * (size_t)e->m->hp.n_embd;
}

/* The streams of a token: X, then those of XS. */
static void find_streams(const exec *e, int it, float *x[MAX_STREAM])
{
    x[0] = op_row(e, X, it);
    for (int i = 1; i < e->m->hp.n_stream; i++) x[i] = stream(e, XS, it, i - 1);
}

/* What the weight makes of tanh(src / n_embd): n_rows of them. Every thread does, of a few. */
static void coefficients(const exec *e, const plan_step *s, int it, float *out)
{
    const hparams *hp = &e->m->hp;
    const weight *w = s->w[0];
    const float *raw = op_row(e, s->src, it), *rows = w->data;
    float in[MAX_STREAM];
    for (int i = 0; i < hp->n_stream; i++) in[i] = math_tanhf(raw[i] / (float)hp->n_embd);
    for (int r = 0; r < w->n_rows; r++, rows += w->k) {
        out[r] = 0.0f;
        for (int i = 0; i < w->k; i++) out[r] += rows[i] * in[i];
    }
}

/* Columns [first, last) of all streams: x_i += sum over j of by[i][j] x_j. */
static void mix(float *const x[MAX_STREAM], int n, const float *by, int first, int last)
{
    for (int k = first; k < last; k++) {
        float old[MAX_STREAM];
        for (int i = 0; i < n; i++) old[i] = x[i][k];
        for (int i = 0; i < n; i++) {
            float sum = old[i];
            for (int j = 0; j < n; j++) sum += by[i * n + j] * old[j];
            x[i][k] = sum;
        }
    }
}

void op_predict(const op_ctx *c, const plan_step *s)
{
    exec *e = c->e;
    float *x[MAX_STREAM], by[MAX_STREAM * MAX_STREAM];
    int first, last;
    op_share(c, e->m->hp.n_embd, &first, &last);
    for (int it = 0; it < e->n_row; it++) {
        coefficients(e, s, it, by);
        find_streams(e, it, x);
        mix(x, e->m->hp.n_stream, by, first, last);
    }
}

void op_correct(const op_ctx *c, const plan_step *s)
{
    exec *e = c->e;
    float *x[MAX_STREAM], by[MAX_STREAM];
    int first, last, n = e->m->hp.n_stream;
    op_share(c, e->m->hp.n_embd, &first, &last);
    for (int it = 0; it < e->n_row; it++) {
        const float *made = op_row(e, XA, it);
        coefficients(e, s, it, by);
        find_streams(e, it, x);
        for (int k = first; k < last; k++) {
            float news = made[k] - x[0][k];
            for (int i = 0; i < n; i++) x[i][k] += (1.0f + by[i]) * news;
        }
    }
}

void op_spread(const op_ctx *c, const plan_step *s)
{
    exec *e = c->e;
    int first, last;
    op_share(c, e->n_row, &first, &last);
    for (int it = first; it < last; it++)
        for (int i = 0; i < e->m->hp.n_stream - 1; i++)
            e->kn->add(s->src_width, op_row(e, s->src, it), stream(e, s->dst[0], it, i));
}

void op_level(const op_ctx *c, const plan_step *s)
{
    exec *e = c->e;
    const double least = sqrt(1e-5);
    int first, last, n = s->src_width;
    op_share(c, e->n_row, &first, &last);
    for (int it = first; it < last; it++) {
        double want = spread_of(n, op_row(e, s->src, it), 0.0);
        for (int i = 0; i < e->m->hp.n_stream - 1; i++) {
            float *x = stream(e, s->dst[0], it, i);
            double size = spread_of(n, x, 0.0);
            e->kn->scale(n, (float)(want / (size > least ? size : least)), x);
        }
    }
}

void op_merge(const op_ctx *c, const plan_step *s)
{
    exec *e = c->e;
    const int n_stream = e->m->hp.n_stream;
    int first, last, n = s->dst_width;
    op_share(c, e->n_row, &first, &last);
    for (int it = first; it < last; it++) {
        float *dst = op_row(e, s->dst[0], it);
        for (int i = 0; i < n_stream - 1; i++) e->kn->add(n, stream(e, s->src, it, i), dst);
        e->kn->scale(n, 1.0f / (float)n_stream, dst);
    }
}
