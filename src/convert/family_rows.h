/* family_rows.h - the names of tensors, family by family: lists of rows for the table in
 * families.c, each ended by END. The first row that fits counts, and tensors are written in the
 * order of their rows.
 * Layer: convert, private to families.c and family_rows*.c. Constant data. */
#ifndef LORY_CONVERT_FAMILY_ROWS_H
#define LORY_CONVERT_FAMILY_ROWS_H

#include "convert/family.h"

/* Dense models since LLaMA: family_rows.c. */
extern const hf_row rows_none[];
extern const hf_row rows_common[]; /* what most have in common since LLaMA */
extern const hf_row rows_llama[], rows_granite_swa[], rows_kormo[], rows_apertus[], rows_gemma[],
    rows_gemma2[], rows_gemma4[], rows_gemma3n[], rows_granite4[], rows_muse_glimmer[], rows_olmo[],
    rows_hunyuan[], rows_internlm2[], rows_olmo2[], rows_bitnet[], rows_glm4[],
    rows_stablelm[], rows_phi2[], rows_starcoder2[], rows_baichuan[], rows_baichuan2[],
    rows_openelm[], rows_deci[], rows_plamo[], rows_plamo3[], rows_chameleon[];

/* Models from before LLaMA, and those that took their names: family_rows_gpt.c. */
extern const hf_row rows_gpt2[], rows_jais[], rows_refact[], rows_openai_gpt[], rows_qwen[],
    rows_exaone[], rows_gpt_bigcode[], rows_gptj[], rows_gpt_neo[], rows_codegen[], rows_opt[],
    rows_gptneox[], rows_bloom[], rows_falcon[], rows_mpt[], rows_chatglm[], rows_chatglm1[];

/* Models with experts: family_rows_moe.c. */
extern const hf_row rows_moe[], rows_grovemoe[], rows_qwen3vlmoe[], rows_llama4[], rows_ernie_moe[],
    rows_hunyuan_moe[], rows_bailing[], rows_bailing_normed[], rows_bailing2[], rows_sparse_moe[],
    rows_smallthinker[], rows_windows[], rows_step35[], rows_deepseek[], rows_glm4moe[],
    rows_gpt_oss[], rows_glm_dsa[], rows_minimax3[], rows_dbrx[], rows_grok[], rows_grok2[],
    rows_arctic[], rows_exaone_moe[], rows_afmoe[], rows_hy_v3[];

/* Models with recurrent layers: family_rows_recurrent.c. */
extern const hf_row rows_lfm2[], rows_qwen3next[], rows_qwen35[], rows_kimi_linear[],
    rows_granite4_hybrid[], rows_granite4_moe[], rows_falcon_h1[],
    rows_nemotron_h[], rows_mamba[], rows_mamba2[], rows_jamba[],
    rows_bamba[], rows_plamo2[], rows_rwkv6[], rows_rwkv7[], rows_bailing3[];

/* ---- how rows are written -------------------------------------------------------------------- */

/* clang-format off */
#define END           { .from = NULL }
#define ROW(a, b)     { .from = (a), .to = (b) }
#define WHOLE(a, b)   { .from = (a), .to = (b), .flags = HF_WHOLE_NAME }
#define NOT_NEEDED(a) { .from = (a), .flags = HF_WHOLE_NAME }
#define KEY(a)        { .from = (a), .flags = HF_WHOLE_NAME | HF_AS_KEY }
#define PLUS_ONE(a, b) { .from = (a), .to = (b), .change = HF_PLUS_ONE }

#define LAYER "model.layers.%d."
#define BLK   "blk.%d."

#define ROPED_QK                                                                                   \
    { .from = LAYER "self_attn.q_proj", .to = BLK "attn_q", .change = HF_ROPE_Q },                 \
    { .from = LAYER "self_attn.k_proj", .to = BLK "attn_k", .change = HF_ROPE_K }

#define NORMS_PLUS_ONE                                                                             \
    PLUS_ONE("model.norm", "output_norm"),                                                         \
    PLUS_ONE(LAYER "input_layernorm", BLK "attn_norm"),                                            \
    PLUS_ONE(LAYER "post_attention_layernorm", BLK "ffn_norm")

#define HEAD_NORMS_PLUS_ONE                                                                        \
    PLUS_ONE(LAYER "self_attn.q_norm", BLK "attn_q_norm"),                                         \
    PLUS_ONE(LAYER "self_attn.k_norm", BLK "attn_k_norm")

#define MIXTRAL_EXPERTS                                                                            \
    ROW(LAYER "block_sparse_moe.experts.%e.w1", BLK "ffn_gate_exps"),                              \
    ROW(LAYER "block_sparse_moe.experts.%e.w2", BLK "ffn_down_exps"),                              \
    ROW(LAYER "block_sparse_moe.experts.%e.w3", BLK "ffn_up_exps")

#define GRANITE_EXPERTS                                                                            \
    ROW(LAYER "block_sparse_moe.router.layer", BLK "ffn_gate_inp"),                                \
    { LAYER "block_sparse_moe.input_linear", BLK "ffn_gate_exps", .part = 0, .n_parts = 2 },       \
    { LAYER "block_sparse_moe.input_linear", BLK "ffn_up_exps", .part = 1, .n_parts = 2 },         \
    ROW(LAYER "block_sparse_moe.output_linear", BLK "ffn_down_exps"),                              \
    { LAYER "shared_mlp.input_linear", BLK "ffn_gate_shexp", .part = 0, .n_parts = 2 },            \
    { LAYER "shared_mlp.input_linear", BLK "ffn_up_shexp", .part = 1, .n_parts = 2 },              \
    ROW(LAYER "shared_mlp.output_linear", BLK "ffn_down_shexp")

#define GRANITE_DENSE                                                                              \
    { LAYER "shared_mlp.input_linear", BLK "ffn_gate", .part = 0, .n_parts = 2 },                  \
    { LAYER "shared_mlp.input_linear", BLK "ffn_up", .part = 1, .n_parts = 2 },                    \
    ROW(LAYER "shared_mlp.output_linear", BLK "ffn_down")
/* clang-format on */

#endif
