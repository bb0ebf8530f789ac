/* family_rows_moe.c - see family_rows.h: tensors of models with experts.
 * Sources: the modeling files of the transformers library for the left sides, gguf-py's tensor
 * names for the right ones. */
#include "convert/family_rows.h"

/* clang-format off */
#define EXPERTS                                                                                    \
    ROW(LAYER "mlp.experts.%e.gate_proj", BLK "ffn_gate_exps"),                                    \
    ROW(LAYER "mlp.experts.%e.up_proj", BLK "ffn_up_exps"),                                        \
    ROW(LAYER "mlp.experts.%e.down_proj", BLK "ffn_down_exps")

/* Experts that every token takes. */
#define SHARED(a)                                                                                  \
    ROW(LAYER a "gate_proj", BLK "ffn_gate_shexp"), ROW(LAYER a "up_proj", BLK "ffn_up_shexp"),    \
    ROW(LAYER a "down_proj", BLK "ffn_down_shexp")

/* Added to what the router says of an expert before the best are taken. */
#define PROBS(a) { .from = LAYER a, .to = BLK "exp_probs_b.bias", .flags = HF_WHOLE_NAME }

/* Attention over latents, as DeepSeek has it. */
#define LATENTS                                                                                    \
    ROW(LAYER "self_attn.q_a_proj", BLK "attn_q_a"),                                               \
    ROW(LAYER "self_attn.q_a_layernorm", BLK "attn_q_a_norm"),                                     \
    ROW(LAYER "self_attn.q_b_proj", BLK "attn_q_b"),                                               \
    ROW(LAYER "self_attn.kv_a_proj_with_mqa", BLK "attn_kv_a_mqa"),                                \
    ROW(LAYER "self_attn.kv_a_layernorm", BLK "attn_kv_a_norm"),                                   \
    ROW(LAYER "self_attn.kv_b_proj", BLK "attn_kv_b")

const hf_row rows_moe[] = { /* Qwen2-MoE, Qwen3-MoE, DeepSeek, Mistral 4 */
    ROW(LAYER "mlp.gate", BLK "ffn_gate_inp"),
    EXPERTS,
    WHOLE(LAYER "mlp.experts.gate_up_proj", BLK "ffn_gate_up_exps.weight"),
    WHOLE(LAYER "mlp.experts.down_proj", BLK "ffn_down_exps.weight"),
    SHARED("mlp.shared_expert."),
    ROW(LAYER "mlp.shared_expert_gate", BLK "ffn_gate_inp_shexp"),
    SHARED("mlp.shared_experts."),
    PROBS("mlp.gate.e_score_correction_bias"),
    LATENTS,
    END };

const hf_row rows_grovemoe[] = {
    ROW(LAYER "mlp.gate", BLK "ffn_gate_inp"),
    EXPERTS,
    ROW(LAYER "mlp.chunk_experts.%e.gate_proj", BLK "ffn_gate_chexps"),
    ROW(LAYER "mlp.chunk_experts.%e.up_proj", BLK "ffn_up_chexps"),
    ROW(LAYER "mlp.chunk_experts.%e.down_proj", BLK "ffn_down_chexps"),
    NOT_NEEDED(LAYER "mlp.expert_bias"), /* which its code does not read */
    END };

/* Experts that are one tensor, transposed: gate and up, then down. */
#define STACKED(a)                                                                                 \
    { LAYER a "gate_up_proj", BLK "ffn_gate_exps.weight", HF_TRANSPOSE, .part = 0, .n_parts = 2,   \
      .flags = HF_WHOLE_NAME },                                                                    \
    { LAYER a "gate_up_proj", BLK "ffn_up_exps.weight", HF_TRANSPOSE, .part = 1, .n_parts = 2,     \
      .flags = HF_WHOLE_NAME },                                                                    \
    { LAYER a "down_proj", BLK "ffn_down_exps.weight", HF_TRANSPOSE, .flags = HF_WHOLE_NAME }

const hf_row rows_qwen3vlmoe[] = {
    ROW(LAYER "mlp.gate", BLK "ffn_gate_inp"),
    STACKED("mlp.experts."),
    EXPERTS, /* of Qwen3-Omni */
    END };

const hf_row rows_llama4[] = {
    ROW(LAYER "feed_forward.router", BLK "ffn_gate_inp"),
    STACKED("feed_forward.experts."),
    SHARED("feed_forward.shared_expert."),
    ROW(LAYER "feed_forward.gate_proj", BLK "ffn_gate"),
    ROW(LAYER "feed_forward.up_proj", BLK "ffn_up"),
    ROW(LAYER "feed_forward.down_proj", BLK "ffn_down"),
    END };

const hf_row rows_ernie_moe[] = {
    ROW(LAYER "mlp.gate", BLK "ffn_gate_inp"),
    PROBS("mlp.moe_statics.e_score_correction_bias"),
    EXPERTS,
    SHARED("mlp.shared_experts."),
    END };

const hf_row rows_hunyuan_moe[] = {
    ROW(LAYER "self_attn.query_layernorm", BLK "attn_q_norm"),
    ROW(LAYER "self_attn.key_layernorm", BLK "attn_k_norm"),
    ROW(LAYER "mlp.gate.wg", BLK "ffn_gate_inp"),
    EXPERTS,
    SHARED("mlp.shared_mlp."),
    END };

#define BAILING                                                                                    \
    ROW("model.word_embeddings", "token_embd"),                                                    \
    { .from = LAYER "attention.query_key_value", .to = BLK "attn_q", .change = HF_CAT_Q },         \
    { .from = LAYER "attention.query_key_value", .to = BLK "attn_k", .change = HF_CAT_K },         \
    { .from = LAYER "attention.query_key_value", .to = BLK "attn_v", .change = HF_CAT_V },         \
    ROW(LAYER "attention.dense", BLK "attn_output"),                                               \
    ROW(LAYER "mlp.gate", BLK "ffn_gate_inp"),                                                     \
    EXPERTS, SHARED("mlp.shared_experts.")

const hf_row rows_bailing[] = { BAILING, END };

const hf_row rows_bailing_normed[] = { /* the output matrix is normalised */
    { .from = "lm_head", .to = "output", .change = HF_UNIT_COLUMNS },
    BAILING,
    END };

const hf_row rows_bailing2[] = {
    ROW("model.word_embeddings", "token_embd"),
    ROW(LAYER "attention.query_key_value", BLK "attn_qkv"),
    ROW(LAYER "attention.query_layernorm", BLK "attn_q_norm"),
    ROW(LAYER "attention.key_layernorm", BLK "attn_k_norm"),
    ROW(LAYER "attention.dense", BLK "attn_output"),
    ROW(LAYER "mlp.gate", BLK "ffn_gate_inp"),
    PROBS("mlp.gate.expert_bias"),
    EXPERTS,
    SHARED("mlp.shared_experts."),
    NOT_NEEDED(LAYER "eh_proj.weight"), /* of the layers that predict further tokens */
    NOT_NEEDED(LAYER "enorm.weight"),
    NOT_NEEDED(LAYER "hnorm.weight"),
    NOT_NEEDED(LAYER "final_layernorm.weight"),
    END };

const hf_row rows_sparse_moe[] = { /* Phi-3.5-MoE, MiniMax-M2 */
    ROW(LAYER "block_sparse_moe.gate", BLK "ffn_gate_inp"),
    PROBS("block_sparse_moe.e_score_correction_bias"),
    MIXTRAL_EXPERTS,
    END };

const hf_row rows_smallthinker[] = {
    ROW(LAYER "block_sparse_moe.primary_router", BLK "ffn_gate_inp"),
    ROW(LAYER "block_sparse_moe.experts.%e.gate", BLK "ffn_gate_exps"),
    ROW(LAYER "block_sparse_moe.experts.%e.up", BLK "ffn_up_exps"),
    ROW(LAYER "block_sparse_moe.experts.%e.down", BLK "ffn_down_exps"),
    END };

const hf_row rows_windows[] = { /* MiMo-V2, Laguna, Mellum, Cohere 2 with experts */
    { .from = LAYER "self_attn.attention_sink_bias", .to = BLK "attn_sinks.weight",
      .flags = HF_WHOLE_NAME | HF_SOME },
    { .from = LAYER "self_attn.sinks", .to = BLK "attn_sinks.weight",
      .flags = HF_WHOLE_NAME | HF_SOME },
    ROW(LAYER "self_attn.g_proj", BLK "attn_gate"),
    WHOLE(LAYER "mlp.experts.e_score_correction_bias", BLK "exp_probs_b.bias"),
    ROW("model.embed_tokens", "token_embd"),
    ROW("model.norm", "output_norm"),
    ROW("lm_head", "output"),
    ROW(LAYER "input_layernorm", BLK "attn_norm"),
    ROW(LAYER "self_attn.q_proj", BLK "attn_q"),
    ROW(LAYER "self_attn.k_proj", BLK "attn_k"),
    ROW(LAYER "self_attn.v_proj", BLK "attn_v"),
    ROW(LAYER "self_attn.o_proj", BLK "attn_output"),
    ROW(LAYER "self_attn.q_norm", BLK "attn_q_norm"),
    ROW(LAYER "self_attn.k_norm", BLK "attn_k_norm"),
    ROW(LAYER "post_attention_layernorm", BLK "ffn_norm"),
    ROW(LAYER "mlp.gate_proj", BLK "ffn_gate"),
    ROW(LAYER "mlp.up_proj", BLK "ffn_up"),
    ROW(LAYER "mlp.down_proj", BLK "ffn_down"),
    END };

const hf_row rows_step35[] = {
    NORMS_PLUS_ONE,
    HEAD_NORMS_PLUS_ONE,
    ROW(LAYER "self_attn.g_proj", BLK "attn_gate"),
    ROW(LAYER "moe.gate", BLK "ffn_gate_inp"),
    WHOLE(LAYER "moe.router_bias", BLK "exp_probs_b.bias"),
    ROW(LAYER "moe.gate_proj", BLK "ffn_gate_exps"),
    ROW(LAYER "moe.up_proj", BLK "ffn_up_exps"),
    ROW(LAYER "moe.down_proj", BLK "ffn_down_exps"),
    SHARED("share_expert."),
    END };

const hf_row rows_deepseek[] = { /* the first, without latents; then `moe` */
    ROPED_QK,
    ROW(LAYER "mlp.gate", BLK "ffn_gate_inp"),
    EXPERTS,
    SHARED("mlp.shared_experts."),
    END };

/* Of the layers that predict further tokens. */
#define PREDICTORS                                                                                 \
    NOT_NEEDED(LAYER "eh_proj.weight"), NOT_NEEDED(LAYER "enorm.weight"),                          \
    NOT_NEEDED(LAYER "hnorm.weight"), NOT_NEEDED(LAYER "embed_tokens.weight"),                     \
    NOT_NEEDED(LAYER "shared_head.head.weight"), NOT_NEEDED(LAYER "shared_head.norm.weight")

const hf_row rows_glm4moe[] = { /* and `moe` */
    ROW(LAYER "post_attention_layernorm", BLK "post_attention_norm"),
    ROW(LAYER "mlp.gate", BLK "ffn_gate_inp"),
    EXPERTS,
    SHARED("mlp.shared_experts."),
    PROBS("mlp.gate.e_score_correction_bias"),
    PREDICTORS,
    END };

const hf_row rows_gpt_oss[] = { /* gate and up rows alternate */
    ROW(LAYER "post_attention_layernorm", BLK "post_attention_norm"),
    { .from = LAYER "self_attn.sinks", .to = BLK "attn_sinks.weight", .flags = HF_WHOLE_NAME },
    ROW(LAYER "mlp.router", BLK "ffn_gate_inp"),
    { LAYER "mlp.experts.gate_up_proj_blocks", BLK "ffn_gate_exps.weight", HF_MXFP4, .part = 0,
      .every = 2, .flags = HF_WHOLE_NAME },
    { LAYER "mlp.experts.gate_up_proj_blocks", BLK "ffn_up_exps.weight", HF_MXFP4, .part = 1,
      .every = 2, .flags = HF_WHOLE_NAME },
    { LAYER "mlp.experts.down_proj_blocks", BLK "ffn_down_exps.weight", HF_MXFP4,
      .flags = HF_WHOLE_NAME },
    { LAYER "mlp.experts.gate_up_proj", BLK "ffn_gate_exps.weight", HF_TRANSPOSE, .part = 0,
      .every = 2, .flags = HF_WHOLE_NAME },
    { LAYER "mlp.experts.gate_up_proj", BLK "ffn_up_exps.weight", HF_TRANSPOSE, .part = 1,
      .every = 2, .flags = HF_WHOLE_NAME },
    { LAYER "mlp.experts.down_proj", BLK "ffn_down_exps.weight", HF_TRANSPOSE,
      .flags = HF_WHOLE_NAME },
    { LAYER "mlp.experts.gate_up_proj_bias", BLK "ffn_gate_exps.bias", HF_SAME, .part = 0,
      .every = 2, .flags = HF_WHOLE_NAME },
    { LAYER "mlp.experts.gate_up_proj_bias", BLK "ffn_up_exps.bias", HF_SAME, .part = 1,
      .every = 2, .flags = HF_WHOLE_NAME },
    { LAYER "mlp.experts.down_proj_bias", BLK "ffn_down_exps.bias", HF_SAME,
      .flags = HF_WHOLE_NAME },
    END };

const hf_row rows_glm_dsa[] = { /* the rest as most have it */
    ROW(LAYER "mlp.gate", BLK "ffn_gate_inp"),
    EXPERTS,
    SHARED("mlp.shared_experts."),
    PROBS("mlp.gate.e_score_correction_bias"),
    LATENTS,
    NOT_NEEDED(LAYER "self_attn.indexer.wq_b.weight"),
    NOT_NEEDED(LAYER "self_attn.indexer.wk.weight"),
    NOT_NEEDED(LAYER "self_attn.indexer.k_norm.weight"),
    NOT_NEEDED(LAYER "self_attn.indexer.k_norm.bias"),
    NOT_NEEDED(LAYER "self_attn.indexer.weights_proj.weight"),
    PREDICTORS,
    END };

const hf_row rows_minimax3[] = { /* the rest as most have it */
    NORMS_PLUS_ONE,
    HEAD_NORMS_PLUS_ONE,
    NOT_NEEDED(LAYER "self_attn.index_q_proj.weight"),
    NOT_NEEDED(LAYER "self_attn.index_k_proj.weight"),
    NOT_NEEDED(LAYER "self_attn.index_q_norm.weight"),
    NOT_NEEDED(LAYER "self_attn.index_k_norm.weight"),
    ROW(LAYER "block_sparse_moe.gate", BLK "ffn_gate_inp"),
    PROBS("block_sparse_moe.e_score_correction_bias"),
    MIXTRAL_EXPERTS,
    SHARED("block_sparse_moe.shared_experts."),
    END };

#define DBRX "transformer.blocks.%d."

const hf_row rows_dbrx[] = {
    ROW("transformer.wte", "token_embd"),
    ROW("transformer.norm_f", "output_norm"),
    ROW("lm_head", "output"),
    ROW(DBRX "norm_attn_norm.norm_1", BLK "attn_norm"),
    ROW(DBRX "norm_attn_norm.attn.Wqkv", BLK "attn_qkv"),
    ROW(DBRX "norm_attn_norm.attn.out_proj", BLK "attn_output"),
    ROW(DBRX "norm_attn_norm.norm_2", BLK "attn_output_norm"),
    ROW(DBRX "ffn.router.layer", BLK "ffn_gate_inp"),
    { .from = DBRX "ffn.experts.mlp.w1", .to = BLK "ffn_gate_exps.weight",
      .flags = HF_WHOLE_NAME | HF_EXPERT_ROWS },
    { .from = DBRX "ffn.experts.mlp.v1", .to = BLK "ffn_up_exps.weight",
      .flags = HF_WHOLE_NAME | HF_EXPERT_ROWS },
    { .from = DBRX "ffn.experts.mlp.w2", .to = BLK "ffn_down_exps.weight",
      .change = HF_TRANSPOSE, .flags = HF_WHOLE_NAME | HF_EXPERT_ROWS },
    END };

#define GROK "transformer.decoder_layer.%d."

const hf_row rows_grok[] = {
    ROW("transformer.in_out_embed", "token_embd"),
    ROW("transformer.rms_norm", "output_norm"),
    ROW("lm_head", "output"),
    ROW(GROK "rms_norm", BLK "attn_norm"),
    ROW(GROK "multi_head_attention.query", BLK "attn_q"),
    ROW(GROK "multi_head_attention.key", BLK "attn_k"),
    ROW(GROK "multi_head_attention.value", BLK "attn_v"),
    ROW(GROK "multi_head_attention.linear", BLK "attn_output"),
    ROW(GROK "rms_norm_1", BLK "attn_output_norm"),
    ROW(GROK "rms_norm_2", BLK "ffn_norm"),
    ROW(GROK "router", BLK "ffn_gate_inp"),
    ROW(GROK "moe.%e.linear", BLK "ffn_gate_exps"),
    ROW(GROK "moe.%e.linear_v", BLK "ffn_up_exps"),
    ROW(GROK "moe.%e.linear_1", BLK "ffn_down_exps"),
    ROW(GROK "rms_norm_3", BLK "layer_output_norm"),
    END };

const hf_row rows_grok2[] = { /* the rest as most have it */
    ROW(LAYER "pre_attn_norm", BLK "attn_norm"),
    ROW(LAYER "post_attn_norm", BLK "attn_output_norm"),
    ROW(LAYER "pre_moe_norm", BLK "ffn_norm"),
    ROW(LAYER "post_moe_norm", BLK "layer_output_norm"),
    ROW(LAYER "block_sparse_moe.gate", BLK "ffn_gate_inp"),
    MIXTRAL_EXPERTS,
    END };

const hf_row rows_exaone_moe[] = { /* the rest as most have it */
    ROW(LAYER "mlp.gate", BLK "ffn_gate_inp"),
    EXPERTS,
    WHOLE(LAYER "mlp.experts.gate_up_proj", BLK "ffn_gate_up_exps.weight"),
    WHOLE(LAYER "mlp.experts.down_proj", BLK "ffn_down_exps.weight"),
    SHARED("mlp.shared_experts."),
    PROBS("mlp.gate.e_score_correction_bias"),
    PROBS("mlp.e_score_correction_bias"),
    END };

const hf_row rows_hy_v3[] = { /* the rest as most have it */
    ROW(LAYER "mlp.gate", BLK "ffn_gate_inp"),
    ROW(LAYER "mlp.router.gate", BLK "ffn_gate_inp"),
    EXPERTS,
    WHOLE(LAYER "mlp.experts.gate_up_proj", BLK "ffn_gate_up_exps.weight"),
    WHOLE(LAYER "mlp.experts.down_proj", BLK "ffn_down_exps.weight"),
    SHARED("mlp.shared_experts."),
    SHARED("mlp.shared_mlp."),
    PROBS("mlp.e_score_correction_bias"),
    PROBS("mlp.expert_bias"),
    END };

const hf_row rows_afmoe[] = { /* the rest as most have it */
    ROW(LAYER "self_attn.gate_proj", BLK "attn_gate"),
    ROW(LAYER "post_attention_layernorm", BLK "post_attention_norm"),
    ROW(LAYER "pre_mlp_layernorm", BLK "ffn_norm"),
    ROW(LAYER "post_mlp_layernorm", BLK "post_ffw_norm"),
    ROW(LAYER "mlp.router.gate", BLK "ffn_gate_inp"),
    PROBS("mlp.expert_bias"),
    EXPERTS,
    SHARED("mlp.shared_experts."),
    END };

const hf_row rows_arctic[] = { /* the rest as llama */
    ROW(LAYER "residual_layernorm", BLK "ffn_norm"),
    ROW(LAYER "post_attention_layernorm", BLK "ffn_norm_exps"),
    ROW(LAYER "residual_mlp.w1", BLK "ffn_gate"),
    ROW(LAYER "residual_mlp.w2", BLK "ffn_down"),
    ROW(LAYER "residual_mlp.w3", BLK "ffn_up"),
    ROPED_QK,
    ROW(LAYER "block_sparse_moe.gate", BLK "ffn_gate_inp"),
    MIXTRAL_EXPERTS,
    END };
