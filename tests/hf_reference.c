/* hf_reference.c - see hf_reference.h: the layers and the model. Short and slow: nothing here, nor
 * in the files beside it, is shared with the library. */
#include "hf_reference_parts.h"
#include <math.h>
#include <stdlib.h>

/* ---- for ways to mix tokens that are elsewhere ----------------------------------------------- */

const double *ref_tensor_of(ref *r, const char *pattern, const char *end, int il, int slices,
                            int rows, int cols)
{
    char fmt[96];
    snprintf(fmt, sizeof fmt, "%s%s", pattern, end);
    return ref_get(r, slices, rows, cols, fmt, il);
}

void ref_multiply(ref *r, const char *pattern, int il, int rows, int cols, const double *x,
                  double *y)
{
    ref_linear(r, pattern, il, false, rows, cols, x, y);
}

/* ---- the model --------------------------------------------------------------------------- */

static void add(const ref *r, double *x, const double *y)
{
    for (int i = 0; i < E; i++) x[i] += y[i] * (r->s->residual_scale ? r->s->residual_scale : 1.0);
}

/* What the layer has of attention. */
static void attend(ref *r, int il, double (*h)[E], double (*out)[E])
{
    const ref_spec *s = r->s;
    if (s->recurs && s->recurs[il]) {
        s->mix(r, il, r->n, h, out);
        return;
    }
    if (ref_n_head(s, il) > 0 && ref_n_kv(s, il) > 0) {
        static double more[MAX_TOKENS][E];
        (s->kv_a ? ref_latent_attention : ref_attention)(r, il, h, out);
        if (!s->beside_attention) return;
        s->beside_attention(r, il, r->n, h, more);
        for (int i = 0; i < r->n * E; i++) out[i / E][i % E] += more[i / E][i % E];
        return;
    }
    memset(out, 0, sizeof *out * (size_t)r->n);
    for (int t = 0; t < r->n && ref_n_head(s, il) > 0; t++)
        ref_linear(r, s->in_place, il, false, E, E, h[t], out[t]);
}

static void layer(ref *r, int il)
{
    const ref_spec *s = r->s;
    static double h[MAX_TOKENS][E], a[MAX_TOKENS][E], before[MAX_TOKENS][E];
    double f[E];
    memcpy(before, r->x, sizeof before);
    memcpy(h, r->x, sizeof h);
    for (int t = 0; t < r->n && s->early_router; t++)
        ref_linear(r, s->router, il, false, REF_EXPERTS, E, h[t], r->score[t]);
    for (int t = 0; t < r->n && s->attn_norm && ref_n_head(s, il); t++)
        ref_normalise(r, s->attn_norm, il, h[t]);
    attend(r, il, h, a);
    for (int t = 0; t < r->n; t++) {
        if (s->attn_post_norm)
            ref_post_normalise(r, s->attn_post_norm, il, s->attn_post_plus, a[t]);
        add(r, r->x[t], a[t]);
        if (ref_n_ff(s, il) == 0) continue;
        if (!s->parallel) memcpy(h[t], r->x[t], sizeof h[t]);
        if (s->ffn_norm) ref_normalise(r, s->ffn_norm, il, h[t]);
        if (s->input_norm) {
            ref_dense(r, il, h[t], f);
            add(r, r->x[t], f);
            memcpy(h[t], before[t], sizeof h[t]);
            ref_normalise(r, s->input_norm, il, h[t]);
        }
        if (s->router_scale) ref_both(r, il, t, r->x[t], h[t], f);
        else ref_feed_forward(r, il, t, h[t], f);
        if (s->ffn_post_norm) ref_post_normalise(r, s->ffn_post_norm, il, s->ffn_post_plus, f);
        add(r, r->x[t], f);
        if (s->layer_embd) ref_add_own(r, il, t);
        for (int i = 0; i < E && s->layer_scale; i++)
            r->x[t][i] *= ref_of_layer(r, s->layer_scale, "", il, 0, 1)[0];
    }
}

static void predict(ref *r, const double *x, double *logits)
{
    const ref_spec *s = r->s;
    double h[E];
    memcpy(h, x, sizeof h);
    ref_normalise_by(r, s->out_norm, 0, s->out_norm_plain ? REF_RMS : s->norm, 0.0, h);
    const double *w = ref_of_layer(r, s->head ? s->head : s->embd, ".weight", 0, V, E);
    for (int k = 0; k < E && s->unit_columns; k++) {
        double sum = 0.0;
        for (int i = 0; i < V; i++) sum += w[i * E + k] * w[i * E + k];
        h[k] /= sqrt(sum) + 1e-7;
    }
    const double *bias = s->head_bias ? ref_of_layer(r, s->head, ".bias", 0, 0, V) : NULL;
    ref_product(w, bias, V, E, h, logits);
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
    const double *embd = ref_get(r, 0, V, E, "%s.weight", s->embd);
    for (int t = 0; t < n; t++)
        for (int i = 0; i < E; i++)
            r->x[t][i] = embd[ids[t] * E + i] * (s->embd_scale ? s->embd_scale : 1.0);
    const double *positions =
        s->positions ? ref_get(r, 0, REF_CTX + s->n_unused, E, "%s.weight", s->positions) : NULL;
    for (int i = 0; positions && i < n * E; i++)
        r->x[i / E][i % E] += positions[s->n_unused * E + i];
    for (int t = 0; t < n && s->normed_embd; t++) ref_normalise_to_unit(s, 1, E, r->x[t]);
    for (int t = 0; t < n && s->layer_embd; t++) ref_make_own(r, ids[t], t);
    for (int i = 0; i < (s->n_loop ? s->n_loop : 1) && !s->altup; i++) {
        for (int t = 0; t < n && i > 0 && s->loop_norm; t++)
            ref_normalise(r, s->out_norm, 0, r->x[t]);
        for (int il = 0; il < REF_LAYER; il++) layer(r, il);
    }
    if (s->altup) ref_run_streams(r);
    for (int t = 0; t < n; t++) predict(r, r->x[t], logits + t * V);
    hf_json(&f, "config.json", s->config);
    ref_write_folder(r, &f);
    for (int i = 0; i < r->n_tensors; i++) free(r->t[i].v);
    free(r);
    return f;
}
