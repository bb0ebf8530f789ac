/* hf_reference_streams.c - see hf_reference.h: embeddings for each layer (Gemma 3n, Gemma 4), and
 * several residual streams (Gemma 3n). */
#include "hf_reference_parts.h"
#include <math.h>

/* ---- what layers get of a token by themselves ---------------------------------------------- */

void ref_make_own(ref *r, int id, int t)
{
    enum { N = REF_LAYER_EMBD };
    const ref_spec *s = r->s;
    double made[REF_LAYER * N];
    int n_rows = s->altup ? REF_LAYER_VOCAB : V;
    const double *embd = ref_get(r, 0, n_rows, REF_LAYER * N, "%s.weight", s->layer_embd);
    if (id >= n_rows) id = 0; /* tokens of images and sounds */
    ref_linear(r, s->layer_proj, 0, false, REF_LAYER * N, E, r->x[t], made);
    for (int il = 0; il < REF_LAYER; il++) {
        for (int i = 0; i < N; i++) made[il * N + i] *= pow(E, -0.5);
        ref_rms(s, ref_get(r, 0, 0, N, "%s.weight", s->layer_proj_norm), N, made + il * N);
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
    ref_linear(r, s->layer_gate, il, false, REF_LAYER_EMBD, E, x, g);
    for (int i = 0; i < REF_LAYER_EMBD; i++) g[i] = ref_gelu(g[i]) * r->own[t][il][i];
    ref_linear(r, s->layer_out, il, false, E, REF_LAYER_EMBD, g, out);
    ref_normalise(r, s->layer_post_norm, il, out);
}

void ref_add_own(ref *r, int il, int t)
{
    double out[E];
    project_own(r, il, t, r->x[t], out);
    for (int i = 0; i < E; i++) r->x[t][i] += out[i];
}

/* ---- streams ------------------------------------------------------------------------------- */

/* The projection of x, or of each stream but the first, made as long as the first. */
static void project_streams(ref *r, const char *name, int t, const double *x)
{
    double size = 0.0, out[E];
    for (int i = 0; i < E; i++) size += r->streams[t][0][i] * r->streams[t][0][i] / E;
    for (int k = 1; k < REF_STREAMS; k++) {
        double own = 0.0;
        ref_linear(r, name, k - 1, false, E, E, x ? x : r->streams[t][k], out);
        for (int i = 0; i < E; i++) own += out[i] * out[i] / E;
        for (int i = 0; i < E; i++)
            r->streams[t][k][i] = out[i] * sqrt(size) / sqrt(fmax(own, 1e-5));
    }
}

/* n coefficients out of x by the router and the tensor `name`. */
static void modalities(ref *r, const char *name, int il, const double *x, int n, double *out)
{
    char full[96];
    double in[E], routed[REF_STREAMS];
    memcpy(in, x, sizeof in);
    snprintf(full, sizeof full, "%srouter_norm", r->s->altup);
    ref_normalise(r, full, il, in);
    for (int i = 0; i < E; i++) in[i] /= E;
    snprintf(full, sizeof full, "%smodality_router", r->s->altup);
    ref_linear(r, full, il, false, REF_STREAMS, E, in, routed);
    for (int i = 0; i < REF_STREAMS; i++) routed[i] = tanh(routed[i]);
    snprintf(full, sizeof full, "%s%s", r->s->altup, name);
    ref_linear(r, full, il, false, n, REF_STREAMS, routed, out);
}

static void predict_streams(ref *r, int il, int t)
{
    enum { N = REF_STREAMS };
    double by[N * N], old[N][E];
    memcpy(old, r->streams[t], sizeof old);
    modalities(r, "prediction_coefs", il, old[0], N * N, by);
    for (int to = 0; to < N; to++)
        for (int from = 0; from < N; from++)
            for (int i = 0; i < E; i++) r->streams[t][to][i] += by[to * N + from] * old[from][i];
}

/* By what the layer made; then what it gets of the token goes to all streams but the first. */
static void correct_streams(ref *r, int il, int t, const double *made)
{
    double by[REF_STREAMS], news[E], first[E], out[E];
    const double *scale = ref_of_layer(r, r->s->altup, "correct_output_scale", il, 0, E);
    modalities(r, "correction_coefs", il, made, REF_STREAMS, by);
    for (int i = 0; i < E; i++) news[i] = made[i] - r->streams[t][0][i];
    for (int k = 0; k < REF_STREAMS; k++)
        for (int i = 0; i < E; i++) r->streams[t][k][i] += news[i] * (by[k] + 1.0);
    for (int i = 0; i < E; i++) first[i] = r->streams[t][0][i] * scale[i];
    project_own(r, il, t, first, out);
    for (int k = 1; k < REF_STREAMS; k++)
        for (int i = 0; i < E; i++) r->streams[t][k][i] += out[i];
}

/* LAuReL: h with what a low rank makes of it. */
static void go_round(ref *r, int il, const double *h, double *out)
{
    char name[96];
    double low[REF_LAUREL];
    snprintf(name, sizeof name, "%slinear_left", r->s->laurel);
    ref_linear(r, name, il, false, REF_LAUREL, E, h, low);
    snprintf(name, sizeof name, "%slinear_right", r->s->laurel);
    ref_linear(r, name, il, false, E, REF_LAUREL, low, out);
    snprintf(name, sizeof name, "%spost_laurel_norm", r->s->laurel);
    ref_normalise(r, name, il, out);
    for (int i = 0; i < E; i++) out[i] += h[i];
}

static void stream_layer(ref *r, int il)
{
    const ref_spec *s = r->s;
    static double h[MAX_TOKENS][E], a[MAX_TOKENS][E];
    for (int t = 0; t < r->n; t++) {
        predict_streams(r, il, t);
        memcpy(h[t], r->streams[t][0], sizeof h[t]);
        ref_normalise(r, s->attn_norm, il, h[t]);
    }
    ref_attention(r, il, h, a);
    for (int t = 0; t < r->n; t++) {
        double round[E], x[E], f[E];
        go_round(r, il, h[t], round);
        ref_normalise(r, s->attn_post_norm, il, a[t]);
        for (int i = 0; i < E; i++) x[i] = (r->streams[t][0][i] + a[t][i] + round[i]) / sqrt(2.0);
        memcpy(h[t], x, sizeof x);
        ref_normalise(r, s->ffn_norm, il, h[t]);
        ref_dense(r, il, h[t], f);
        ref_normalise(r, s->ffn_post_norm, il, f);
        for (int i = 0; i < E; i++) x[i] += f[i];
        correct_streams(r, il, t, x);
    }
}

void ref_run_streams(ref *r)
{
    for (int t = 0; t < r->n; t++) {
        memcpy(r->streams[t][0], r->x[t], sizeof r->x[t]);
        project_streams(r, r->s->streams_in, t, r->x[t]);
    }
    for (int il = 0; il < REF_LAYER; il++) stream_layer(r, il);
    for (int t = 0; t < r->n; t++) {
        project_streams(r, r->s->streams_out, t, NULL);
        for (int i = 0; i < E; i++) {
            r->x[t][i] = 0.0;
            for (int k = 0; k < REF_STREAMS; k++) r->x[t][i] += r->streams[t][k][i] / REF_STREAMS;
        }
    }
}
