/* hf_reference.h - a decoder in doubles, written as its modeling file in the transformers library
 * reads and by the names of its tensors there: what a converted folder must give. It makes up a
 * tensor when it first asks for it, so that a folder holds what the model uses and nothing else. */
#ifndef LORY_TESTS_HF_REFERENCE_H
#define LORY_TESTS_HF_REFERENCE_H

#include "hf_folder.h"

enum { REF_EMBD = 32, REF_HEAD = 4, REF_KV = 2, REF_DIM = 8, REF_FF = 48, REF_VOCAB = 40 };
enum { REF_HEADS_MAX = 6, REF_FF_MAX = 512 }; /* of any layer */
enum { REF_LAYER = 4, REF_CTX = 64, REF_EXPERTS = 4, REF_USED = 2, REF_FF_EXP = 24 };

/* 1P: weights count + 1 */
typedef enum { REF_RMS, REF_RMS_1P, REF_LAYER_NORM, REF_LAYER_NORM_1P } ref_norm;
/* LATE: after RoPE; UNIT_LATE: without a weight, in layers that rotate; HEAD_LAYERS: layer norms,
 * a weight and a bias for each head; HEAD_ROWS: RMS norms, a row of what has that
 * whole name for each head. */
typedef enum {
    REF_NO_NORM, REF_HEADS, REF_HEADS_LATE, REF_ALL, REF_UNIT_LATE, REF_HEAD_LAYERS, REF_HEAD_ROWS,
} ref_qk_norm;
/* QUARTERS: (q, v, k) of each quarter of the heads. */
typedef enum { REF_SEPARATE, REF_FUSED, REF_GROUPED, REF_KV_FUSED, REF_QUARTERS } ref_qkv;
/* The first five have a gate; CLIPPED: both are, and up counts + 1. */
typedef enum {
    REF_SILU, REF_RELU, REF_RELU2_GATE, REF_GELU_GATE, REF_CLIPPED,
    REF_GELU, REF_RELU1, REF_RELU2, REF_XIELU,
} ref_act;
typedef enum { REF_ROTATES, REF_NOT_FOURTH, REF_WINDOWS_ONLY, REF_NEVER } ref_rotation;

/* Of what layers get of a token by themselves. */
enum { REF_LAYER_EMBD = 6, REF_LAYER_VOCAB = 36, REF_STREAMS = 4, REF_LAUREL = 5 };

/* Lengths of latent attention. */
enum { REF_Q_RANK = 12, REF_KV_RANK = 16, REF_NOPE = 8, REF_ROPE = 4 };

typedef struct ref ref; /* the tensors of a model that is being made */

/* A model. Names of a layer have one %d, of experts a second one; NULL: there is none. What is 0,
 * false or NULL is as in LLaMA. */
typedef struct {
    const char *config;    /* the whole config.json, as hf_json has it */
    const char *beside[2]; /* tensors of no use to the text */

    /* embedding and output */
    const char *embd, *out_norm, *head; /* head NULL: tied */
    const char *positions;              /* learned; NULL: none */
    int n_unused;                       /* its first rows, of no position */
    double embd_scale, logit_scale;     /* 0: 1 */
    double logit_cap;                   /* 0: none */
    bool normed_embd;                   /* without a weight */
    bool out_norm_plain;                /* its weight counts as it is, whatever others do */
    bool unit_columns;                  /* of the output matrix */
    bool head_bias;

    /* layers */
    int n_loop;            /* how often all are gone through; 0: once */
    bool loop_norm;        /* and normed as before the output in between */
    double residual_scale; /* 0: 1 */
    bool parallel;         /* attention and feed-forward from one norm */
    bool transposes;       /* weights are [in, out] */
    bool ternary;          /* the matrices are -1, 0, 1 times a scale */

    /* norms */
    const char *attn_norm, *attn_post_norm, *ffn_norm, *ffn_post_norm;
    const char *attn_sub_norm, *ffn_sub_norm; /* before the last products */
    ref_norm norm;
    bool norm_bias;
    double norm_eps;                            /* 0: 1e-5 */
    double post_eps;                            /* of norms behind sub-layers; 0: as of others */
    double plus, attn_post_plus, ffn_post_plus; /* what weights count more; 0: by `norm` */

    /* attention */
    const char *q, *k, *v, *o, *q_norm, *k_norm;
    ref_qkv qkv; /* FUSED and GROUPED: the tensor is named by q */
    ref_qk_norm qk_norm;
    bool qkv_bias, o_bias;
    int kv; /* heads of K and V; 0: REF_KV */
    /* [REF_LAYER] of each layer, up to REF_HEADS_MAX; NULL: as all. No heads: no attention; none of
     * K and V: the product `in_place`. */
    const int *heads, *kvs;
    const char *in_place;
    int value_dim;      /* 0: as keys */
    int n_sharing;      /* last layers, which read keys and values of earlier ones */
    bool tiled;         /* heads of Q that share keys are n_kv apart */
    bool unit_values;   /* heads of V are normed, without a weight */
    double q_scale;     /* heads of Q and K are normed without a weight, and Q times this; 0: no */
    double attn_scale;  /* of scores; 0: 1 / sqrt(length of a head) */
    double value_scale; /* 0: 1 */
    double clip, attn_cap; /* of Q, K and V; of scores; 0: none */
    const char *sinks;     /* in layers with a window, */
    bool sinks_everywhere; /* or in all */
    const char *attn_gate; /* of each head's output, by sigmoid */
    bool softplus_gate;    /* by softplus */
    bool gates_values;     /* a gate for each value of attention's output */
    /* latent attention; `o` too */
    const char *q_a, *q_a_norm, *q_b, *kv_a, *kv_a_norm, *kv_b;

    /* which positions a layer sees */
    int window;             /* in layers (il + 1) % 4 != 0; 0: none */
    bool first_full;        /* it is in layers il % 4 != 0 instead */
    bool alternates;        /* in layers 1, 3, .. */
    bool even_windows;      /* in layers 0, 2, .. */
    bool chunks;            /* it is a chunk of the text */
    int full_dim, full_rot; /* of a head in layers without one; 0: as in others */
    bool full_k_is_v;       /* those layers have one product for keys and values */

    /* positions */
    ref_rotation rotation;
    bool dense_rotates; /* layers without experts rotate, whatever they see */
    bool pairs;         /* RoPE of (2i, 2i + 1), else of (i, i + n/2) */
    bool proportional;  /* what does not rotate in full layers is the end of each half */
    int n_rot;          /* 0: all of a head */
    double theta;       /* 0: 10000 */
    double local_theta; /* of layers with a window; 0: as in others */
    double yarn_factor, yarn_original; /* YaRN of the usual ramp; 0: none */
    double yarn_magnitude;             /* 0: 1 */
    bool plain_windows;                /* YaRN in layers without a window only */
    const double *factors;             /* frequencies are divided by them; NULL: by 1 */
    double magnitude;                  /* of rotated values; 0: 1 */
    double temp_scale, temp_offset; /* queries grow with each temp_length tokens; 0: they don't */
    int temp_length;
    bool temp_still; /* in layers that don't rotate only */
    bool alibi;
    const char *slopes; /* ALiBi's, as a tensor */

    /* feed-forward */
    const char *gate, *up, *down;
    bool gate_up;      /* one tensor, named by gate */
    const int *widths; /* [REF_LAYER] up to REF_FF_MAX; NULL: as all; 0: no network */
    ref_act act;
    const char *xielu; /* behind it "alpha_n", "alpha_p", "beta", "eps" */
    bool ffn_bias;
    double gate_scale, down_scale;      /* 0: 1 */
    const double *clips, *shared_clips; /* [REF_LAYER] of gates; NULL: none */
    const double *cuts; /* [REF_LAYER] of gates, in deviations above the mean; NAN: none */

    /* experts */
    const char *router, *router_bias, *exp_gate, *exp_up, *exp_down;
    const char *exp_in, *exp_out; /* all experts in one: gate and up, then down */
    int n_dense;                  /* first layers without experts */
    int moe_step;                 /* layers (il + 1) % moe_step == 0 have them; 0: all */
    int n_group, n_group_used;    /* 0: one */
    bool sigmoid, normalises;     /* how the router's scores become weights */
    bool sparse;                  /* routing by SparseMixer */
    bool early_router;            /* it reads the residual stream before attention */
    bool router_bias_is_row;      /* [1, n] */
    double router_cap;            /* of scores; 0: none */
    double expert_scale;          /* 0: 1 */
    bool weighs_input;            /* experts' inputs, not outputs, times the weights */
    bool exp_transposes;          /* weights of all experts in one are [in, out] */
    bool exp_stacked;             /* gate, up and down of all experts in one each */
    bool exp_flat;                /* they are one matrix each, down transposed */
    const char *chunk_gate, *chunk_up, *chunk_down; /* each for two experts; counts 1/20 */
    const char *sh_gate, *sh_up, *sh_down, *sh_in;
    const char *sh_router; /* how much of the shared experts: the sigmoid of its product */
    int n_shared;
    /* experts beside the dense network, whose input the router norms by itself */
    const char *router_scale, *expert_scales, *exp_norm, *dense_post_norm, *exp_post_norm;
    const char *input_norm; /* they read the layer's input by it */
    bool dense_beside;      /* they and the dense network, halved by the root of 2 */

    /* of each token for each layer */
    const char *layer_embd, *layer_proj, *layer_proj_norm;
    const char *layer_gate, *layer_out, *layer_post_norm, *layer_scale;
    /* Gemma 3n's streams: of the layers, the names behind "altup." and "laurel."; of the model with
     * the number of a stream. Per-layer embeddings have REF_LAYER_VOCAB rows then. */
    const char *altup, *laurel, *streams_in, *streams_out;

    /* [REF_LAYER] layers without heads that mix tokens by another way: out [n, REF_EMBD] of h */
    const bool *recurs;
    void (*mix)(ref *r, int il, int n, double (*h)[REF_EMBD], double (*out)[REF_EMBD]);
    /* what mixes tokens beside attention: what it makes is added to attention's */
    void (*beside_attention)(ref *r, int il, int n, double (*h)[REF_EMBD], double (*out)[REF_EMBD]);
} ref_spec;

/* For `mix`: a tensor of the layer, "PATTERN" and its end; slices, rows 0: it has none. */
const double *ref_tensor_of(ref *r, const char *pattern, const char *end, int il, int slices,
                            int rows, int cols);
/* y [rows] = the matrix "PATTERN.weight" times x [cols]. */
void ref_multiply(ref *r, const char *pattern, int il, int rows, int cols, const double *x,
                  double *y);

double ref_sigmoid(double x);
/* In place; w NULL: without a weight. */
void ref_rms_norm(const double *w, double eps, int n, double *x);

/* Fills logits [n, REF_VOCAB] and makes the folder of that model. */
hf_test ref_run(const ref_spec *s, const char *name, const int *ids, int n, double *logits);

#endif
