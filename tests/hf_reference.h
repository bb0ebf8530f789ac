/* hf_reference.h - a decoder in doubles, written as its modeling file in the transformers library
 * reads and by the names of its tensors there: what a converted folder must give. It makes up a
 * tensor when it first asks for it, so that a folder holds what the model uses and nothing else. */
#ifndef LORY_TESTS_HF_REFERENCE_H
#define LORY_TESTS_HF_REFERENCE_H

#include "hf_folder.h"

enum { REF_EMBD = 32, REF_HEAD = 4, REF_KV = 2, REF_DIM = 8, REF_FF = 48, REF_VOCAB = 40 };
enum { REF_LAYER = 4, REF_CTX = 64, REF_EXPERTS = 4, REF_USED = 2, REF_FF_EXP = 24 };

typedef enum { REF_RMS, REF_LAYER_NORM, REF_LAYER_NORM_1P } ref_norm; /* 1P: weights count + 1 */
typedef enum { REF_NO_NORM, REF_HEADS, REF_HEADS_LATE, REF_ALL } ref_qk_norm; /* LATE: after RoPE */
typedef enum { REF_SEPARATE, REF_FUSED, REF_GROUPED } ref_qkv;
typedef enum { REF_SILU, REF_GELU, REF_RELU2 } ref_act; /* the first with a gate */
typedef enum { REF_ROTATES, REF_NOT_FOURTH, REF_WINDOWS_ONLY, REF_NEVER } ref_rotation;

/* Names of a layer have one %d, of experts a second one; NULL: there is none. */
typedef struct {
    const char *config;                 /* the whole config.json */
    const char *embd, *out_norm, *head; /* head NULL: tied */
    const char *positions;              /* learned; NULL: none */
    const char *beside[2];              /* tensors of no use to the text */
    const char *attn_norm, *q, *k, *v, *o, *q_norm, *k_norm, *attn_post_norm;
    const char *ffn_norm, *gate, *up, *down, *ffn_post_norm;
    const char *router, *router_bias, *exp_gate, *exp_up, *exp_down;
    const char *exp_in, *exp_out; /* all experts in one: gate and up, then down */
    const char *sh_gate, *sh_up, *sh_down, *sh_in;
    int n_dense;  /* first layers without experts */
    int n_shared; /* shared experts */
    int kv;       /* heads of K and V; 0: REF_KV */
    int n_rot;    /* 0: all of a head */
    int window;   /* of layers (il + 1) % 4 != 0; 0: none */
    double theta, embd_scale, residual_scale, logit_scale, attn_scale, expert_scale; /* 0: usual */
    ref_norm norm;
    ref_qk_norm qk_norm;
    ref_qkv qkv; /* FUSED and GROUPED: the tensor is named by q */
    ref_act act;
    ref_rotation rotation;
    bool pairs;      /* RoPE of (2i, 2i + 1), else of (i, i + n/2) */
    bool alternates; /* the window is in layers 1, 3, .. instead */
    bool parallel;   /* attention and feed-forward from one norm */
    bool norm_bias, qkv_bias, o_bias, ffn_bias;
    bool sigmoid, normalises; /* how the router's scores become weights */
} ref_spec;

/* Fills logits [n, REF_VOCAB] and makes the folder of that model. */
hf_test ref_run(const ref_spec *s, const char *name, const int *ids, int n, double *logits);

#endif
