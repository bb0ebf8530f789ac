/* family_check.h - what tests of families share: names and numbers of made-up folders, and holding
 * a converted folder against the decoder in doubles (hf_reference.h). */
#ifndef LORY_TESTS_FAMILY_CHECK_H
#define LORY_TESTS_FAMILY_CHECK_H

#include "gguf/gguf_write.h"
#include "hf_reference.h"

enum { FAMILY_N = 9 };
extern const int family_text[FAMILY_N];

/* Runs a file of architecture `arch` on that text: it must come near want [FAMILY_N, REF_VOCAB],
 * and give the same bits by any number of threads and tokens at a time, fused or not. */
void family_run(const char *path, const char *arch, const double *want);

/* The same of weights that are rounded: only the bits tell. */
void family_run_rounded(const char *path, const char *arch, const double *want);

/* The folder of a model is converted, and run. */
void family_check(const ref_spec *s, const char *arch);

/* The same with its file written anew at `path` by `rewrite`, as others write it. */
void family_check_rewritten(const ref_spec *s, const char *arch,
                            void (*rewrite)(const gguf *g, const char *path));

/* Its file with that value of a key, 0: without the key, must be refused with a line that has
 * `want`. */
void family_refuses(const ref_spec *s, const char *key, uint32_t value, const char *want);

/* What is changed of a file: a key's value (-1: the key goes), or a tensor: it goes, or its sizes
 * change places. */
typedef struct {
    const char *key;
    int64_t value;
    const char *lost, *turned;
    const char *want; /* what is said behind "PATH: " */
} family_wrong;
/* Its file with each of those changes must be refused. */
void family_check_wrong(const ref_spec *s, const char *name, const family_wrong *c, size_t n);

/* Ends a file that is written with the tensors of g as they are. */
void family_put_tensors(gguf_writer *w, const gguf *g);

/* ---- names and numbers that many share ------------------------------------------------------- */

#define L                      "model.layers.%d."
#define T                      "transformer.h.%d."
#define CLASS(name)            "{'architectures':['" name "'],'vocab_size':40,"
#define CONFIG(class, members) CLASS(class) members "}"
#define SIZES_OF(n_kv, n_ff)                                                                       \
    "'hidden_size':32,'num_hidden_layers':4,'num_attention_heads':4,'num_key_value_heads':" n_kv   \
    ",'intermediate_size':" n_ff ",'max_position_embeddings':64,'rms_norm_eps':1e-5"
#define BASE_SIZES   SIZES_OF("2", "48")
#define NARROW_SIZES SIZES_OF("2", "24") /* networks as wide as an expert */
#define THETA        ",'rope_theta':10000.0"
#define SIZES        BASE_SIZES THETA
#define EXPERTS ",'moe_intermediate_size':24,'n_routed_experts':4,'num_experts_per_tok':2"
#define WINDOWS                                                                                    \
    ",'sliding_window':3,'layer_types':['sliding_attention','sliding_attention',"                  \
    "'sliding_attention','full_attention']"
#define QKV .q = L "self_attn.q_proj", .k = L "self_attn.k_proj", .v = L "self_attn.v_proj"
#define MOST                                                                                       \
    .embd = "model.embed_tokens", .out_norm = "model.norm", .o = L "self_attn.o_proj",             \
    .gate = L "mlp.gate_proj", .up = L "mlp.up_proj", .down = L "mlp.down_proj"
#define UNTIED    .head = "lm_head"
#define COMMON    MOST, QKV
#define PRE_NORMS .attn_norm = L "input_layernorm", .ffn_norm = L "post_attention_layernorm"
#define HEAD_NORMS                                                                                 \
    .qk_norm = REF_HEADS, .q_norm = L "self_attn.q_norm", .k_norm = L "self_attn.k_norm"
#define ROUTED                                                                                     \
    .router = L "mlp.gate", .exp_gate = L "mlp.experts.%d.gate_proj.weight",                       \
    .exp_up = L "mlp.experts.%d.up_proj.weight", .exp_down = L "mlp.experts.%d.down_proj.weight"
#define SHARED_EXPERTS                                                                             \
    .sh_gate = L "mlp.shared_experts.gate_proj", .sh_up = L "mlp.shared_experts.up_proj",          \
    .sh_down = L "mlp.shared_experts.down_proj"
#define LAYER_NORMS .norm = REF_LAYER_NORM, .norm_bias = true
#define TL          "model.language_model.layers.%d."

#endif
