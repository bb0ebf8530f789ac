/* hf_reference_parts.h - what the files of hf_reference.h share: tensors by name, arithmetic,
 * and what each of the others gives. */
#ifndef LORY_TESTS_HF_REFERENCE_PARTS_H
#define LORY_TESTS_HF_REFERENCE_PARTS_H

#include "hf_reference.h"

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

/* The attention of a layer. */
typedef struct {
    int n_head, n_kv, dim, value, n_rot;
    int from; /* whose keys and values it reads */
} ref_heads;

int ref_n_head(const ref_spec *s, int il);
int ref_n_kv(const ref_spec *s, int il);
int ref_n_ff(const ref_spec *s, int il);
bool ref_has_window(const ref_spec *s, int il);
ref_heads ref_heads_of(const ref_spec *s, int il);

/* ---- tensors (hf_reference_parts.c) -------------------------------------------------------- */

/* The tensor of that name; slices, rows 0: it has none. */
const double *ref_get(ref *r, int slices, int rows, int cols, const char *fmt, ...);
const double *ref_of_layer(ref *r, const char *pattern, const char *end, int il, int rows,
                           int cols);
void ref_write_folder(const ref *r, hf_test *f);

/* ---- arithmetic (hf_reference_parts.c) ----------------------------------------------------- */

void ref_product(const double *w, const double *bias, int rows, int cols, const double *x,
                 double *y);
void ref_linear(ref *r, const char *pattern, int il, bool has_bias, int rows, int cols,
                const double *x, double *y);
double ref_eps(const ref_spec *s);
void ref_rms(const ref_spec *s, const double *w, int n, double *x);
void ref_normalise(ref *r, const char *pattern, int il, double *x);
void ref_normalise_by(ref *r, const char *pattern, int il, ref_norm kind, double eps, double *x);
void ref_post_normalise(ref *r, const char *pattern, int il, double plus, double *x);
void ref_rotate(const ref_spec *s, int il, int pos, int n, int dim, bool spread, double *head);
double ref_silu(double x);

/* ---- attention (hf_reference_attention.c) -------------------------------------------------- */

void ref_normalise_to_unit(const ref_spec *s, int n_head, int dim, double *x);
void ref_attention(ref *r, int il, double (*h)[E], double (*out)[E]);
void ref_latent_attention(ref *r, int il, double (*h)[E], double (*out)[E]);

/* ---- feed-forward (hf_reference_ffn.c) ----------------------------------------------------- */

double ref_gelu(double x);
void ref_dense(ref *r, int il, const double *x, double *out);
void ref_feed_forward(ref *r, int il, int t, const double *x, double *out);
void ref_both(ref *r, int il, int t, const double *x, const double *h, double *out);

/* ---- embeddings for each layer, streams (hf_reference_streams.c) --------------------------- */

void ref_make_own(ref *r, int id, int t);
void ref_add_own(ref *r, int il, int t);
void ref_run_streams(ref *r);

#endif
