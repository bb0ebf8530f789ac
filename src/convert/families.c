/* families.c - see family.h: the names of tensors, family by family, and the table.
 * Sources: the modeling files of the transformers library for the left sides, gguf-py's tensor
 * names for the right ones. */
#include "convert/families.h"
#include "base/err.h"
#include <string.h>

/* clang-format off */
#define END          { .from = NULL }
#define ROW(a, b)    { .from = (a), .to = (b) }
#define LAYER        "model.layers.%d."
#define BLK          "blk.%d."
#define NOT_NEEDED(a) { .from = (a), .flags = HF_WHOLE_NAME }
#define WHOLE(a, b)  { .from = (a), .to = (b), .flags = HF_WHOLE_NAME }

/* What most have in common since LLaMA. */
static const hf_row common[] = {
    ROW("model.embed_tokens", "token_embd"),
    ROW("model.norm", "output_norm"),
    ROW("model.final_layernorm", "output_norm"),
    ROW("lm_head", "output"),
    ROW(LAYER "input_layernorm", BLK "attn_norm"),
    ROW(LAYER "self_attn.q_proj", BLK "attn_q"),
    ROW(LAYER "self_attn.k_proj", BLK "attn_k"),
    ROW(LAYER "self_attn.v_proj", BLK "attn_v"),
    ROW(LAYER "self_attn.qkv_proj", BLK "attn_qkv"),
    ROW(LAYER "self_attn.o_proj", BLK "attn_output"),
    ROW(LAYER "self_attn.dense", BLK "attn_output"),
    ROW(LAYER "self_attn.q_norm", BLK "attn_q_norm"),
    ROW(LAYER "self_attn.k_norm", BLK "attn_k_norm"),
    ROW(LAYER "post_attention_layernorm", BLK "ffn_norm"),
    ROW(LAYER "mlp.gate_proj", BLK "ffn_gate"),
    ROW(LAYER "mlp.up_proj", BLK "ffn_up"),
    ROW(LAYER "mlp.gate_up_proj", BLK "ffn_up"), /* gate, then up */
    ROW(LAYER "mlp.down_proj", BLK "ffn_down"),
    NOT_NEEDED(LAYER "self_attn.rotary_emb.inv_freq"),
    NOT_NEEDED("model.rotary_emb.inv_freq"),
    END };

static const hf_row llama[] = { /* and Mixtral, and Granite with experts */
    { .from = LAYER "self_attn.q_proj", .to = BLK "attn_q", .change = HF_ROPE_Q },
    { .from = LAYER "self_attn.k_proj", .to = BLK "attn_k", .change = HF_ROPE_K },
    ROW(LAYER "block_sparse_moe.gate", BLK "ffn_gate_inp"),
    ROW(LAYER "block_sparse_moe.experts.%e.w1", BLK "ffn_gate_exps"),
    ROW(LAYER "block_sparse_moe.experts.%e.w2", BLK "ffn_down_exps"),
    ROW(LAYER "block_sparse_moe.experts.%e.w3", BLK "ffn_up_exps"),
    ROW(LAYER "block_sparse_moe.router.layer", BLK "ffn_gate_inp"),
    { LAYER "block_sparse_moe.input_linear", BLK "ffn_gate_exps", .part = 0, .n_parts = 2 },
    { LAYER "block_sparse_moe.input_linear", BLK "ffn_up_exps", .part = 1, .n_parts = 2 },
    ROW(LAYER "block_sparse_moe.output_linear", BLK "ffn_down_exps"),
    { LAYER "shared_mlp.input_linear", BLK "ffn_gate_shexp", .part = 0, .n_parts = 2 },
    { LAYER "shared_mlp.input_linear", BLK "ffn_up_shexp", .part = 1, .n_parts = 2 },
    ROW(LAYER "shared_mlp.output_linear", BLK "ffn_down_shexp"),
    END };

static const hf_row moe[] = { /* Qwen2-MoE, Qwen3-MoE, DeepSeek, Mistral 4 */
    ROW(LAYER "mlp.gate", BLK "ffn_gate_inp"),
    ROW(LAYER "mlp.experts.%e.gate_proj", BLK "ffn_gate_exps"),
    ROW(LAYER "mlp.experts.%e.up_proj", BLK "ffn_up_exps"),
    ROW(LAYER "mlp.experts.%e.down_proj", BLK "ffn_down_exps"),
    WHOLE(LAYER "mlp.experts.gate_up_proj", BLK "ffn_gate_up_exps.weight"),
    WHOLE(LAYER "mlp.experts.down_proj", BLK "ffn_down_exps.weight"),
    ROW(LAYER "mlp.shared_expert.gate_proj", BLK "ffn_gate_shexp"),
    ROW(LAYER "mlp.shared_expert.up_proj", BLK "ffn_up_shexp"),
    ROW(LAYER "mlp.shared_expert.down_proj", BLK "ffn_down_shexp"),
    ROW(LAYER "mlp.shared_expert_gate", BLK "ffn_gate_inp_shexp"),
    ROW(LAYER "mlp.shared_experts.gate_proj", BLK "ffn_gate_shexp"),
    ROW(LAYER "mlp.shared_experts.up_proj", BLK "ffn_up_shexp"),
    ROW(LAYER "mlp.shared_experts.down_proj", BLK "ffn_down_shexp"),
    { .from = LAYER "mlp.gate.e_score_correction_bias", .to = BLK "exp_probs_b.bias",
      .flags = HF_WHOLE_NAME },
    ROW(LAYER "self_attn.q_a_proj", BLK "attn_q_a"),
    ROW(LAYER "self_attn.q_a_layernorm", BLK "attn_q_a_norm"),
    ROW(LAYER "self_attn.q_b_proj", BLK "attn_q_b"),
    ROW(LAYER "self_attn.kv_a_proj_with_mqa", BLK "attn_kv_a_mqa"),
    ROW(LAYER "self_attn.kv_a_layernorm", BLK "attn_kv_a_norm"),
    ROW(LAYER "self_attn.kv_b_proj", BLK "attn_kv_b"),
    END };

/* Experts that are one tensor, transposed: gate and up, then down. */
#define STACKED(a)                                                                                 \
    { LAYER a "gate_up_proj", BLK "ffn_gate_exps.weight", HF_TRANSPOSE, .part = 0, .n_parts = 2,   \
      .flags = HF_WHOLE_NAME },                                                                    \
    { LAYER a "gate_up_proj", BLK "ffn_up_exps.weight", HF_TRANSPOSE, .part = 1, .n_parts = 2,     \
      .flags = HF_WHOLE_NAME },                                                                    \
    { LAYER a "down_proj", BLK "ffn_down_exps.weight", HF_TRANSPOSE, .flags = HF_WHOLE_NAME }

static const hf_row qwen3vlmoe[] = {
    ROW(LAYER "mlp.gate", BLK "ffn_gate_inp"),
    STACKED("mlp.experts."),
    END };

static const hf_row llama4[] = {
    ROW(LAYER "feed_forward.router", BLK "ffn_gate_inp"),
    STACKED("feed_forward.experts."),
    ROW(LAYER "feed_forward.shared_expert.gate_proj", BLK "ffn_gate_shexp"),
    ROW(LAYER "feed_forward.shared_expert.up_proj", BLK "ffn_up_shexp"),
    ROW(LAYER "feed_forward.shared_expert.down_proj", BLK "ffn_down_shexp"),
    ROW(LAYER "feed_forward.gate_proj", BLK "ffn_gate"),
    ROW(LAYER "feed_forward.up_proj", BLK "ffn_up"),
    ROW(LAYER "feed_forward.down_proj", BLK "ffn_down"),
    END };

#define EXPERTS                                                                                    \
    ROW(LAYER "mlp.experts.%e.gate_proj", BLK "ffn_gate_exps"),                                    \
    ROW(LAYER "mlp.experts.%e.up_proj", BLK "ffn_up_exps"),                                        \
    ROW(LAYER "mlp.experts.%e.down_proj", BLK "ffn_down_exps")
#define SHARED(a)                                                                                  \
    ROW(LAYER a "gate_proj", BLK "ffn_gate_shexp"), ROW(LAYER a "up_proj", BLK "ffn_up_shexp"),    \
    ROW(LAYER a "down_proj", BLK "ffn_down_shexp")
#define PROBS(a) { .from = LAYER a, .to = BLK "exp_probs_b.bias", .flags = HF_WHOLE_NAME }

static const hf_row ernie_moe[] = {
    ROW(LAYER "mlp.gate", BLK "ffn_gate_inp"),
    PROBS("mlp.moe_statics.e_score_correction_bias"),
    EXPERTS,
    SHARED("mlp.shared_experts."),
    END };

static const hf_row hunyuan_moe[] = {
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

static const hf_row bailing[] = { BAILING, END };

static const hf_row bailing_normed[] = { /* the output matrix is normalised */
    { .from = "lm_head", .to = "output", .change = HF_UNIT_COLUMNS },
    BAILING,
    END };

static const hf_row bailing2[] = {
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

static const hf_row sparse_moe[] = { /* Phi-3.5-MoE, MiniMax-M2 */
    ROW(LAYER "block_sparse_moe.gate", BLK "ffn_gate_inp"),
    PROBS("block_sparse_moe.e_score_correction_bias"),
    ROW(LAYER "block_sparse_moe.experts.%e.w1", BLK "ffn_gate_exps"),
    ROW(LAYER "block_sparse_moe.experts.%e.w2", BLK "ffn_down_exps"),
    ROW(LAYER "block_sparse_moe.experts.%e.w3", BLK "ffn_up_exps"),
    END };

static const hf_row smallthinker[] = {
    ROW(LAYER "block_sparse_moe.primary_router", BLK "ffn_gate_inp"),
    ROW(LAYER "block_sparse_moe.experts.%e.gate", BLK "ffn_gate_exps"),
    ROW(LAYER "block_sparse_moe.experts.%e.up", BLK "ffn_up_exps"),
    ROW(LAYER "block_sparse_moe.experts.%e.down", BLK "ffn_down_exps"),
    END };

#define KEY(a) { .from = (a), .flags = HF_WHOLE_NAME | HF_AS_KEY }

static const hf_row apertus[] = {
    ROW(LAYER "attention_layernorm", BLK "attn_norm"),
    ROW(LAYER "feedforward_layernorm", BLK "ffn_norm"),
    KEY(LAYER "mlp.act_fn.alpha_n"),
    KEY(LAYER "mlp.act_fn.alpha_p"),
    KEY(LAYER "mlp.act_fn.beta"),
    KEY(LAYER "mlp.act_fn.eps"),
    END };

#define PLUS_ONE(a, b) { .from = (a), .to = (b), .change = HF_PLUS_ONE }

static const hf_row gemma[] = {
    PLUS_ONE("model.norm", "output_norm"),
    PLUS_ONE(LAYER "input_layernorm", BLK "attn_norm"),
    PLUS_ONE(LAYER "post_attention_layernorm", BLK "ffn_norm"),
    END };

static const hf_row gemma2[] = { /* and Gemma 3 */
    PLUS_ONE("model.norm", "output_norm"),
    PLUS_ONE(LAYER "input_layernorm", BLK "attn_norm"),
    PLUS_ONE(LAYER "post_attention_layernorm", BLK "post_attention_norm"),
    PLUS_ONE(LAYER "pre_feedforward_layernorm", BLK "ffn_norm"),
    PLUS_ONE(LAYER "post_feedforward_layernorm", BLK "post_ffw_norm"),
    PLUS_ONE(LAYER "self_attn.q_norm", BLK "attn_q_norm"),
    PLUS_ONE(LAYER "self_attn.k_norm", BLK "attn_k_norm"),
    END };

#define SOME(a, b)  { .from = (a), .to = (b), .flags = HF_SOME }

static const hf_row gemma4[] = {
    SOME(LAYER "self_attn.k_proj", BLK "attn_k"),
    SOME(LAYER "self_attn.v_proj", BLK "attn_v"),
    SOME(LAYER "self_attn.k_norm", BLK "attn_k_norm"),
    ROW(LAYER "post_attention_layernorm", BLK "post_attention_norm"),
    ROW(LAYER "pre_feedforward_layernorm", BLK "ffn_norm"),
    ROW(LAYER "post_feedforward_layernorm", BLK "post_ffw_norm"),
    WHOLE(LAYER "layer_scalar", BLK "layer_output_scale.weight"),
    ROW("model.embed_tokens_per_layer", "per_layer_token_embd"),
    ROW("model.per_layer_model_projection", "per_layer_model_proj"),
    ROW("model.per_layer_projection_norm", "per_layer_proj_norm"),
    ROW(LAYER "per_layer_input_gate", BLK "inp_gate"),
    ROW(LAYER "per_layer_projection", BLK "proj"),
    ROW(LAYER "post_per_layer_input_norm", BLK "post_norm"),
    ROW(LAYER "router.proj", BLK "ffn_gate_inp"),
    WHOLE(LAYER "router.scale", BLK "ffn_gate_inp.scale"),
    WHOLE(LAYER "router.per_expert_scale", BLK "ffn_down_exps.scale"),
    WHOLE(LAYER "experts.gate_up_proj", BLK "ffn_gate_up_exps.weight"),
    WHOLE(LAYER "experts.down_proj", BLK "ffn_down_exps.weight"),
    ROW(LAYER "pre_feedforward_layernorm_2", BLK "pre_ffw_norm_2"),
    ROW(LAYER "post_feedforward_layernorm_1", BLK "post_ffw_norm_1"),
    ROW(LAYER "post_feedforward_layernorm_2", BLK "post_ffw_norm_2"),
    END };

static const hf_row windows[] = { /* MiMo-V2, Laguna, Mellum, Cohere 2 with experts */
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

static const hf_row step35[] = {
    PLUS_ONE("model.norm", "output_norm"),
    PLUS_ONE(LAYER "input_layernorm", BLK "attn_norm"),
    PLUS_ONE(LAYER "post_attention_layernorm", BLK "ffn_norm"),
    PLUS_ONE(LAYER "self_attn.q_norm", BLK "attn_q_norm"),
    PLUS_ONE(LAYER "self_attn.k_norm", BLK "attn_k_norm"),
    ROW(LAYER "self_attn.g_proj", BLK "attn_gate"),
    ROW(LAYER "moe.gate", BLK "ffn_gate_inp"),
    WHOLE(LAYER "moe.router_bias", BLK "exp_probs_b.bias"),
    ROW(LAYER "moe.gate_proj", BLK "ffn_gate_exps"),
    ROW(LAYER "moe.up_proj", BLK "ffn_up_exps"),
    ROW(LAYER "moe.down_proj", BLK "ffn_down_exps"),
    ROW(LAYER "share_expert.gate_proj", BLK "ffn_gate_shexp"),
    ROW(LAYER "share_expert.up_proj", BLK "ffn_up_shexp"),
    ROW(LAYER "share_expert.down_proj", BLK "ffn_down_shexp"),
    END };

static const hf_row olmo[] = {
    { .from = LAYER "self_attn.q_proj", .to = BLK "attn_q", .change = HF_ROPE_Q },
    { .from = LAYER "self_attn.k_proj", .to = BLK "attn_k", .change = HF_ROPE_K },
    END };

static const hf_row deepseek[] = { /* the first, without latents; then `moe` */
    { .from = LAYER "self_attn.q_proj", .to = BLK "attn_q", .change = HF_ROPE_Q },
    { .from = LAYER "self_attn.k_proj", .to = BLK "attn_k", .change = HF_ROPE_K },
    ROW(LAYER "mlp.gate", BLK "ffn_gate_inp"),
    ROW(LAYER "mlp.experts.%e.gate_proj", BLK "ffn_gate_exps"),
    ROW(LAYER "mlp.experts.%e.up_proj", BLK "ffn_up_exps"),
    ROW(LAYER "mlp.experts.%e.down_proj", BLK "ffn_down_exps"),
    ROW(LAYER "mlp.shared_experts.gate_proj", BLK "ffn_gate_shexp"),
    ROW(LAYER "mlp.shared_experts.up_proj", BLK "ffn_up_shexp"),
    ROW(LAYER "mlp.shared_experts.down_proj", BLK "ffn_down_shexp"),
    END };

/* Of the layers that predict further tokens. */
#define PREDICTORS                                                                                 \
    NOT_NEEDED(LAYER "eh_proj.weight"), NOT_NEEDED(LAYER "enorm.weight"),                          \
    NOT_NEEDED(LAYER "hnorm.weight"), NOT_NEEDED(LAYER "embed_tokens.weight"),                     \
    NOT_NEEDED(LAYER "shared_head.head.weight"), NOT_NEEDED(LAYER "shared_head.norm.weight")

static const hf_row glm4moe[] = { /* and `moe` */
    ROW(LAYER "post_attention_layernorm", BLK "post_attention_norm"),
    ROW(LAYER "mlp.gate", BLK "ffn_gate_inp"),
    ROW(LAYER "mlp.experts.%e.gate_proj", BLK "ffn_gate_exps"),
    ROW(LAYER "mlp.experts.%e.up_proj", BLK "ffn_up_exps"),
    ROW(LAYER "mlp.experts.%e.down_proj", BLK "ffn_down_exps"),
    ROW(LAYER "mlp.shared_experts.gate_proj", BLK "ffn_gate_shexp"),
    ROW(LAYER "mlp.shared_experts.up_proj", BLK "ffn_up_shexp"),
    ROW(LAYER "mlp.shared_experts.down_proj", BLK "ffn_down_shexp"),
    { .from = LAYER "mlp.gate.e_score_correction_bias", .to = BLK "exp_probs_b.bias",
      .flags = HF_WHOLE_NAME },
    PREDICTORS,
    END };

static const hf_row hunyuan[] = {
    ROW(LAYER "self_attn.query_layernorm", BLK "attn_q_norm"),
    ROW(LAYER "self_attn.key_layernorm", BLK "attn_k_norm"),
    END };

static const hf_row internlm2[] = {
    ROW("model.tok_embeddings", "token_embd"),
    ROW("model.norm", "output_norm"),
    ROW("output", "output"),
    ROW(LAYER "attention_norm", BLK "attn_norm"),
    { .from = LAYER "attention.wqkv", .to = BLK "attn_q", .change = HF_GROUP_Q },
    { .from = LAYER "attention.wqkv", .to = BLK "attn_k", .change = HF_GROUP_K },
    { .from = LAYER "attention.wqkv", .to = BLK "attn_v", .change = HF_GROUP_V },
    ROW(LAYER "attention.wo", BLK "attn_output"),
    ROW(LAYER "ffn_norm", BLK "ffn_norm"),
    ROW(LAYER "feed_forward.w1", BLK "ffn_gate"),
    ROW(LAYER "feed_forward.w3", BLK "ffn_up"),
    ROW(LAYER "feed_forward.w2", BLK "ffn_down"),
    NOT_NEEDED(LAYER "attention.rotary_emb.inv_freq"),
    END };

static const hf_row olmo2[] = {
    ROW(LAYER "post_attention_layernorm", BLK "post_attention_norm"),
    ROW(LAYER "post_feedforward_layernorm", BLK "post_ffw_norm"),
    END };

#define TERNARY(a, b) { .from = LAYER a, .to = BLK b, .change = HF_TERNARY }

static const hf_row bitnet[] = {
    TERNARY("self_attn.q_proj", "attn_q"),
    TERNARY("self_attn.k_proj", "attn_k"),
    TERNARY("self_attn.v_proj", "attn_v"),
    TERNARY("self_attn.o_proj", "attn_output"),
    TERNARY("mlp.gate_proj", "ffn_gate"),
    TERNARY("mlp.up_proj", "ffn_up"),
    TERNARY("mlp.down_proj", "ffn_down"),
    ROW(LAYER "self_attn.inner_attn_ln", BLK "attn_sub_norm"),
    ROW(LAYER "self_attn.attn_sub_norm", BLK "attn_sub_norm"),
    ROW(LAYER "mlp.ffn_layernorm", BLK "ffn_sub_norm"),
    ROW(LAYER "mlp.ffn_sub_norm", BLK "ffn_sub_norm"),
    END };

static const hf_row glm4[] = {
    ROW(LAYER "post_self_attn_layernorm", BLK "post_attention_norm"),
    ROW(LAYER "post_mlp_layernorm", BLK "post_ffw_norm"),
    END };

static const hf_row stablelm[] = {
    ROW(LAYER "self_attn.q_layernorm.norms.%e", BLK "attn_q_norm"),
    ROW(LAYER "self_attn.k_layernorm.norms.%e", BLK "attn_k_norm"),
    END };

static const hf_row phi2[] = {
    ROW(LAYER "mlp.fc1", BLK "ffn_up"),
    ROW(LAYER "mlp.fc2", BLK "ffn_down"),
    END };

static const hf_row nemotron[] = { /* and Gemma's, without norms of Q and K */
    PLUS_ONE("model.norm", "output_norm"),
    PLUS_ONE(LAYER "input_layernorm", BLK "attn_norm"),
    PLUS_ONE(LAYER "post_attention_layernorm", BLK "ffn_norm"),
    END };

static const hf_row starcoder2[] = {
    ROW(LAYER "mlp.c_fc", BLK "ffn_up"),
    ROW(LAYER "mlp.c_proj", BLK "ffn_down"),
    END };

static const hf_row baichuan[] = {
    { LAYER "self_attn.W_pack", BLK "attn_q", HF_ROPE_Q, .part = 0, .n_parts = 3 },
    { LAYER "self_attn.W_pack", BLK "attn_k", HF_ROPE_K, .part = 1, .n_parts = 3 },
    { LAYER "self_attn.W_pack", BLK "attn_v", HF_SAME, .part = 2, .n_parts = 3 },
    END };

static const hf_row baichuan2[] = { /* the output matrix is normalised whenever it is used */
    { .from = "lm_head", .to = "output", .change = HF_UNIT_ROWS },
    { LAYER "self_attn.W_pack", BLK "attn_q", HF_ROPE_Q, .part = 0, .n_parts = 3 },
    { LAYER "self_attn.W_pack", BLK "attn_k", HF_ROPE_K, .part = 1, .n_parts = 3 },
    { LAYER "self_attn.W_pack", BLK "attn_v", HF_SAME, .part = 2, .n_parts = 3 },
    END };

static const hf_row gpt_oss[] = { /* gate and up rows alternate */
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

/* Those of before LLaMA; the heads of GPT-2's kind may come with or without "transformer.". */
#define H "h.%d."

static const hf_row gpt2[] = {
    ROW("wte", "token_embd"),
    { .from = "wte", .to = "output", .flags = HF_IF_TIED },
    ROW("wpe", "position_embd"),
    ROW("ln_f", "output_norm"),
    ROW("lm_head", "output"),
    ROW(H "ln_1", BLK "attn_norm"),
    { .from = H "attn.c_attn", .to = BLK "attn_qkv", .change = HF_TRANSPOSE },
    { .from = H "attn.c_proj", .to = BLK "attn_output", .change = HF_TRANSPOSE },
    ROW(H "ln_2", BLK "ffn_norm"),
    { .from = H "mlp.c_fc", .to = BLK "ffn_up", .change = HF_TRANSPOSE },
    { .from = H "mlp.c_proj", .to = BLK "ffn_down", .change = HF_TRANSPOSE },
    NOT_NEEDED(H "attn.bias"), /* the causal mask */
    NOT_NEEDED(H "attn.masked_bias"),
    END };

static const hf_row jais[] = {
    { .from = "wte", .to = "token_embd", .change = HF_SCALED },
    { .from = "wte", .to = "output", .change = HF_SCALED, .flags = HF_IF_TIED },
    ROW("ln_f", "output_norm"),
    { .from = "lm_head", .to = "output", .change = HF_SCALED },
    ROW(H "ln_1", BLK "attn_norm"),
    { .from = H "attn.c_attn", .to = BLK "attn_qkv", .change = HF_TRANSPOSE },
    { .from = H "attn.c_proj", .to = BLK "attn_output", .change = HF_TRANSPOSE },
    ROW(H "ln_2", BLK "ffn_norm"),
    { .from = H "mlp.c_fc", .to = BLK "ffn_up", .change = HF_TRANSPOSE },
    { .from = H "mlp.c_fc2", .to = BLK "ffn_gate", .change = HF_TRANSPOSE },
    { .from = H "mlp.c_proj", .to = BLK "ffn_down", .change = HF_TRANSPOSE },
    KEY("relative_pe.slopes"),
    NOT_NEEDED(H "attn.bias"),
    NOT_NEEDED(H "attn.masked_bias"),
    END };

static const hf_row refact[] = {
    ROW("wte", "token_embd"),
    ROW("ln_f", "output_norm"),
    ROW("lm_head", "output"),
    ROW(H "ln_1", BLK "attn_norm"),
    ROW(H "attn.q", BLK "attn_q"),
    { H "attn.kv", BLK "attn_k", .part = 0, .n_parts = 2 },
    { H "attn.kv", BLK "attn_v", .part = 1, .n_parts = 2 },
    ROW(H "attn.c_proj", BLK "attn_output"),
    ROW(H "ln_2", BLK "ffn_norm"),
    { H "mlp.gate_up_proj", BLK "ffn_gate", .part = 0, .n_parts = 2 },
    { H "mlp.gate_up_proj", BLK "ffn_up", .part = 1, .n_parts = 2 },
    ROW(H "mlp.c_proj", BLK "ffn_down"),
    END };

static const hf_row openai_gpt[] = { /* norms stand behind the sums */
    ROW("tokens_embed", "token_embd"),
    ROW("positions_embed", "position_embd"),
    ROW("lm_head", "output"),
    { .from = H "attn.c_attn", .to = BLK "attn_qkv", .change = HF_TRANSPOSE },
    { .from = H "attn.c_proj", .to = BLK "attn_output", .change = HF_TRANSPOSE },
    ROW(H "ln_1", BLK "attn_norm"),
    { .from = H "mlp.c_fc", .to = BLK "ffn_up", .change = HF_TRANSPOSE },
    { .from = H "mlp.c_proj", .to = BLK "ffn_down", .change = HF_TRANSPOSE },
    ROW(H "ln_2", BLK "ffn_norm"),
    NOT_NEEDED(H "attn.bias"),
    END };

static const hf_row qwen[] = {
    ROW("wte", "token_embd"),
    ROW("ln_f", "output_norm"),
    ROW("lm_head", "output"),
    ROW(H "ln_1", BLK "attn_norm"),
    ROW(H "attn.c_attn", BLK "attn_qkv"),
    ROW(H "attn.c_proj", BLK "attn_output"),
    ROW(H "ln_2", BLK "ffn_norm"),
    ROW(H "mlp.w2", BLK "ffn_gate"),
    ROW(H "mlp.w1", BLK "ffn_up"),
    ROW(H "mlp.c_proj", BLK "ffn_down"),
    NOT_NEEDED(H "attn.rotary_emb.inv_freq"),
    NOT_NEEDED("rotary_emb.inv_freq"),
    END };

static const hf_row exaone[] = {
    ROW("wte", "token_embd"),
    ROW("ln_f", "output_norm"),
    ROW("lm_head", "output"),
    ROW(H "ln_1", BLK "attn_norm"),
    ROW(H "attn.attention.q_proj", BLK "attn_q"),
    ROW(H "attn.attention.k_proj", BLK "attn_k"),
    ROW(H "attn.attention.v_proj", BLK "attn_v"),
    ROW(H "attn.attention.out_proj", BLK "attn_output"),
    ROW(H "ln_2", BLK "ffn_norm"),
    ROW(H "mlp.c_fc_0", BLK "ffn_gate"),
    ROW(H "mlp.c_fc_1", BLK "ffn_up"),
    ROW(H "mlp.c_proj", BLK "ffn_down"),
    NOT_NEEDED(H "attn.attention.rotary.inv_freq"),
    END };

static const hf_row gpt_bigcode[] = {
    ROW("wte", "token_embd"),
    ROW("wpe", "position_embd"),
    ROW("ln_f", "output_norm"),
    ROW("lm_head", "output"),
    ROW(H "ln_1", BLK "attn_norm"),
    ROW(H "attn.c_attn", BLK "attn_qkv"),
    ROW(H "attn.c_proj", BLK "attn_output"),
    ROW(H "ln_2", BLK "ffn_norm"),
    ROW(H "mlp.c_fc", BLK "ffn_up"),
    ROW(H "mlp.c_proj", BLK "ffn_down"),
    NOT_NEEDED(H "attn.bias"),
    NOT_NEEDED(H "attn.masked_bias"),
    END };

static const hf_row gptj[] = {
    ROW("wte", "token_embd"),
    ROW("ln_f", "output_norm"),
    ROW("lm_head", "output"),
    ROW(H "ln_1", BLK "attn_norm"),
    ROW(H "attn.q_proj", BLK "attn_q"),
    ROW(H "attn.k_proj", BLK "attn_k"),
    ROW(H "attn.v_proj", BLK "attn_v"),
    ROW(H "attn.out_proj", BLK "attn_output"),
    ROW(H "mlp.fc_in", BLK "ffn_up"),
    ROW(H "mlp.fc_out", BLK "ffn_down"),
    NOT_NEEDED(H "attn.bias"),
    NOT_NEEDED(H "attn.masked_bias"),
    END };

static const hf_row gpt_neo[] = {
    ROW("wte", "token_embd"),
    ROW("wpe", "position_embd"),
    ROW("ln_f", "output_norm"),
    ROW("lm_head", "output"),
    ROW(H "ln_1", BLK "attn_norm"),
    ROW(H "attn.attention.q_proj", BLK "attn_q"),
    ROW(H "attn.attention.k_proj", BLK "attn_k"),
    ROW(H "attn.attention.v_proj", BLK "attn_v"),
    ROW(H "attn.attention.out_proj", BLK "attn_output"),
    ROW(H "ln_2", BLK "ffn_norm"),
    ROW(H "mlp.c_fc", BLK "ffn_up"),
    ROW(H "mlp.c_proj", BLK "ffn_down"),
    NOT_NEEDED(H "attn.attention.bias"),
    NOT_NEEDED(H "attn.attention.masked_bias"),
    END };

static const hf_row codegen[] = { /* the rest as GPT-J */
    { .from = H "attn.qkv_proj", .to = BLK "attn_q", .change = HF_QUARTER_Q },
    { .from = H "attn.qkv_proj", .to = BLK "attn_k", .change = HF_QUARTER_K },
    { .from = H "attn.qkv_proj", .to = BLK "attn_v", .change = HF_QUARTER_V },
    NOT_NEEDED(H "attn.causal_mask"),
    END };

#define OPT "decoder.layers.%d."

static const hf_row opt[] = {
    ROW("decoder.embed_tokens", "token_embd"),
    { .from = "decoder.embed_positions", .to = "position_embd", .change = HF_PAST_TWO },
    ROW("decoder.final_layer_norm", "output_norm"),
    ROW("lm_head", "output"),
    ROW(OPT "self_attn_layer_norm", BLK "attn_norm"),
    ROW(OPT "self_attn.q_proj", BLK "attn_q"),
    ROW(OPT "self_attn.k_proj", BLK "attn_k"),
    ROW(OPT "self_attn.v_proj", BLK "attn_v"),
    ROW(OPT "self_attn.out_proj", BLK "attn_output"),
    ROW(OPT "final_layer_norm", BLK "ffn_norm"),
    ROW(OPT "fc1", BLK "ffn_up"),
    ROW(OPT "fc2", BLK "ffn_down"),
    END };

#define NEOX "gpt_neox.layers.%d."

static const hf_row gptneox[] = {
    ROW("gpt_neox.embed_in", "token_embd"),
    ROW("gpt_neox.final_layer_norm", "output_norm"),
    ROW("embed_out", "output"),
    ROW(NEOX "input_layernorm", BLK "attn_norm"),
    { .from = NEOX "attention.query_key_value", .to = BLK "attn_qkv", .change = HF_BY_HEAD },
    ROW(NEOX "attention.dense", BLK "attn_output"),
    ROW(NEOX "post_attention_layernorm", BLK "ffn_norm"),
    ROW(NEOX "mlp.dense_h_to_4h", BLK "ffn_up"),
    ROW(NEOX "mlp.dense_4h_to_h", BLK "ffn_down"),
    NOT_NEEDED(NEOX "attention.bias"),
    NOT_NEEDED(NEOX "attention.masked_bias"),
    NOT_NEEDED(NEOX "attention.rotary_emb.inv_freq"),
    END };

static const hf_row bloom[] = {
    ROW("word_embeddings", "token_embd"),
    { .from = "word_embeddings", .to = "output", .flags = HF_IF_TIED },
    ROW("word_embeddings_layernorm", "token_embd_norm"),
    ROW("ln_f", "output_norm"),
    ROW("lm_head", "output"),
    ROW(H "input_layernorm", BLK "attn_norm"),
    { .from = H "self_attention.query_key_value", .to = BLK "attn_qkv", .change = HF_BY_HEAD },
    ROW(H "self_attention.dense", BLK "attn_output"),
    ROW(H "post_attention_layernorm", BLK "ffn_norm"),
    ROW(H "mlp.dense_h_to_4h", BLK "ffn_up"),
    ROW(H "mlp.dense_4h_to_h", BLK "ffn_down"),
    END };

static const hf_row falcon[] = {
    ROW("word_embeddings", "token_embd"),
    ROW("ln_f", "output_norm"),
    ROW("lm_head", "output"),
    ROW(H "input_layernorm", BLK "attn_norm"),
    ROW(H "ln_attn", BLK "attn_norm_2"),
    ROW(H "ln_mlp", BLK "attn_norm"),
    { .from = H "self_attention.query_key_value", .to = BLK "attn_qkv", .change = HF_GROUPED },
    ROW(H "self_attention.dense", BLK "attn_output"),
    ROW(H "post_attention_layernorm", BLK "ffn_norm"),
    ROW(H "mlp.dense_h_to_4h", BLK "ffn_up"),
    ROW(H "mlp.dense_4h_to_h", BLK "ffn_down"),
    END };

static const hf_row mpt[] = {
    ROW("wte", "token_embd"),
    ROW("wpe", "position_embd"),
    ROW("norm_f", "output_norm"),
    ROW("lm_head", "output"),
    ROW("blocks.%d.norm_1", BLK "attn_norm"),
    ROW("blocks.%d.attn.Wqkv", BLK "attn_qkv"),
    ROW("blocks.%d.attn.q_ln", BLK "attn_q_norm"),
    ROW("blocks.%d.attn.k_ln", BLK "attn_k_norm"),
    ROW("blocks.%d.attn.out_proj", BLK "attn_output"),
    ROW("blocks.%d.norm_2", BLK "ffn_norm"),
    ROW("blocks.%d.ffn.up_proj", BLK "ffn_up"),
    ROW("blocks.%d.ffn.down_proj", BLK "ffn_down"),
    END };

#define GLM "encoder.layers.%d."

static const hf_row chatglm[] = { /* ChatGLM 2 and 3, GLM-4 */
    ROW("embedding.word_embeddings", "token_embd"),
    ROW("encoder.final_layernorm", "output_norm"),
    ROW("output_layer", "output"),
    ROW(GLM "input_layernorm", BLK "attn_norm"),
    ROW(GLM "self_attention.query_key_value", BLK "attn_qkv"),
    ROW(GLM "self_attention.dense", BLK "attn_output"),
    ROW(GLM "post_attention_layernorm", BLK "ffn_norm"),
    ROW(GLM "mlp.dense_h_to_4h", BLK "ffn_up"),
    ROW(GLM "mlp.dense_4h_to_h", BLK "ffn_down"),
    NOT_NEEDED("rotary_pos_emb.inv_freq"),
    END };

static const hf_row chatglm1[] = {
    ROW("word_embeddings", "token_embd"),
    ROW("final_layernorm", "output_norm"),
    ROW("lm_head", "output"),
    ROW("layers.%d.input_layernorm", BLK "attn_norm"),
    { .from = "layers.%d.attention.query_key_value", .to = BLK "attn_qkv", .change = HF_BY_HEAD },
    ROW("layers.%d.attention.dense", BLK "attn_output"),
    ROW("layers.%d.post_attention_layernorm", BLK "ffn_norm"),
    ROW("layers.%d.mlp.dense_h_to_4h", BLK "ffn_up"),
    ROW("layers.%d.mlp.dense_4h_to_h", BLK "ffn_down"),
    NOT_NEEDED("layers.%d.attention.rotary_emb.inv_freq"),
    END };

static const hf_row none[] = { END };

/* ---- the table: a family is a row ---------------------------------------------------------- */

#define ELM "transformer.layers.%d."

static const hf_row openelm[] = {
    ROW("transformer.token_embeddings", "token_embd"),
    ROW("transformer.norm", "output_norm"),
    ROW("lm_head", "output"),
    ROW(ELM "attn_norm", BLK "attn_norm"),
    ROW(ELM "attn.qkv_proj", BLK "attn_qkv"),
    ROW(ELM "attn.q_norm", BLK "attn_q_norm"),
    ROW(ELM "attn.k_norm", BLK "attn_k_norm"),
    ROW(ELM "attn.out_proj", BLK "attn_output"),
    ROW(ELM "ffn_norm", BLK "ffn_norm"),
    { ELM "ffn.proj_1", BLK "ffn_gate", .part = 0, .n_parts = 2 },
    { ELM "ffn.proj_1", BLK "ffn_up", .part = 1, .n_parts = 2 },
    ROW(ELM "ffn.proj_2", BLK "ffn_down"),
    END };

static const hf_row deci[] = { /* the rest as llama */
    ROW(LAYER "self_attn.linear_attn", BLK "attn_output"),
    { .from = LAYER "self_attn.q_proj", .to = BLK "attn_q", .change = HF_ROPE_Q },
    { .from = LAYER "self_attn.k_proj", .to = BLK "attn_k", .change = HF_ROPE_K },
    END };

static const hf_row plamo[] = {
    { .from = "model.layers.layers.%d.self_attn.q_proj", .to = BLK "attn_q",
      .change = HF_TILED_Q },
    ROW("model.layers.layers.%d.self_attn.k_proj", BLK "attn_k"),
    ROW("model.layers.layers.%d.self_attn.v_proj", BLK "attn_v"),
    { .from = "model.layers.layers.%d.self_attn.o_proj", .to = BLK "attn_output",
      .change = HF_TILED_OUT },
    ROW("model.layers.layers.%d.norm", BLK "attn_norm"),
    ROW("model.layers.layers.%d.mlp.gate_proj", BLK "ffn_gate"),
    ROW("model.layers.layers.%d.mlp.up_proj", BLK "ffn_up"),
    ROW("model.layers.layers.%d.mlp.down_proj", BLK "ffn_down"),
    NOT_NEEDED("model.layers.layers.%d.self_attn.rotary_emb.inv_freq"),
    END };

static const hf_row chameleon[] = { /* the rest as llama */
    { .from = LAYER "self_attn.q_norm", .to = BLK "attn_q_norm", .change = HF_ROPE_HEADS },
    { .from = LAYER "self_attn.k_norm", .to = BLK "attn_k_norm", .change = HF_ROPE_HEADS },
    { .from = LAYER "self_attn.q_proj", .to = BLK "attn_q", .change = HF_ROPE_Q },
    { .from = LAYER "self_attn.k_proj", .to = BLK "attn_k", .change = HF_ROPE_K },
    END };

static const hf_row glm_dsa[] = { /* the rest as most have it */
    ROW(LAYER "mlp.gate", BLK "ffn_gate_inp"),
    EXPERTS,
    SHARED("mlp.shared_experts."),
    PROBS("mlp.gate.e_score_correction_bias"),
    ROW(LAYER "self_attn.q_a_proj", BLK "attn_q_a"),
    ROW(LAYER "self_attn.q_a_layernorm", BLK "attn_q_a_norm"),
    ROW(LAYER "self_attn.q_b_proj", BLK "attn_q_b"),
    ROW(LAYER "self_attn.kv_a_proj_with_mqa", BLK "attn_kv_a_mqa"),
    ROW(LAYER "self_attn.kv_a_layernorm", BLK "attn_kv_a_norm"),
    ROW(LAYER "self_attn.kv_b_proj", BLK "attn_kv_b"),
    NOT_NEEDED(LAYER "self_attn.indexer.wq_b.weight"),
    NOT_NEEDED(LAYER "self_attn.indexer.wk.weight"),
    NOT_NEEDED(LAYER "self_attn.indexer.k_norm.weight"),
    NOT_NEEDED(LAYER "self_attn.indexer.k_norm.bias"),
    NOT_NEEDED(LAYER "self_attn.indexer.weights_proj.weight"),
    PREDICTORS,
    END };

#define NORM_1P(a, b) { .from = (a), .to = (b), .change = HF_PLUS_ONE }

static const hf_row minimax3[] = { /* the rest as most have it */
    NORM_1P("model.norm", "output_norm"),
    NORM_1P(LAYER "input_layernorm", BLK "attn_norm"),
    NORM_1P(LAYER "post_attention_layernorm", BLK "ffn_norm"),
    NORM_1P(LAYER "self_attn.q_norm", BLK "attn_q_norm"),
    NORM_1P(LAYER "self_attn.k_norm", BLK "attn_k_norm"),
    NOT_NEEDED(LAYER "self_attn.index_q_proj.weight"),
    NOT_NEEDED(LAYER "self_attn.index_k_proj.weight"),
    NOT_NEEDED(LAYER "self_attn.index_q_norm.weight"),
    NOT_NEEDED(LAYER "self_attn.index_k_norm.weight"),
    ROW(LAYER "block_sparse_moe.gate", BLK "ffn_gate_inp"),
    PROBS("block_sparse_moe.e_score_correction_bias"),
    ROW(LAYER "block_sparse_moe.experts.%e.w1", BLK "ffn_gate_exps"),
    ROW(LAYER "block_sparse_moe.experts.%e.w2", BLK "ffn_down_exps"),
    ROW(LAYER "block_sparse_moe.experts.%e.w3", BLK "ffn_up_exps"),
    SHARED("block_sparse_moe.shared_experts."),
    END };

#define DBRX "transformer.blocks.%d."

static const hf_row dbrx[] = {
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

static const hf_row grok[] = {
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

static const hf_row arctic[] = { /* the rest as llama */
    ROW(LAYER "residual_layernorm", BLK "ffn_norm"),
    ROW(LAYER "post_attention_layernorm", BLK "ffn_norm_exps"),
    ROW(LAYER "residual_mlp.w1", BLK "ffn_gate"),
    ROW(LAYER "residual_mlp.w2", BLK "ffn_down"),
    ROW(LAYER "residual_mlp.w3", BLK "ffn_up"),
    { .from = LAYER "self_attn.q_proj", .to = BLK "attn_q", .change = HF_ROPE_Q },
    { .from = LAYER "self_attn.k_proj", .to = BLK "attn_k", .change = HF_ROPE_K },
    ROW(LAYER "block_sparse_moe.gate", BLK "ffn_gate_inp"),
    ROW(LAYER "block_sparse_moe.experts.%e.w1", BLK "ffn_gate_exps"),
    ROW(LAYER "block_sparse_moe.experts.%e.w2", BLK "ffn_down_exps"),
    ROW(LAYER "block_sparse_moe.experts.%e.w3", BLK "ffn_up_exps"),
    END };

static const hf_family families[] = {
    /* architectures                GGUF         tensors              numbers */
    { "LlamaForCausalLM LLaMAForCausalLM MistralForCausalLM MixtralForCausalLM",
                                    "llama",     llama, common,       NULL, keys_llama },
    { "Qwen2ForCausalLM",           "qwen2",     none, common,        NULL, keys_qwen2 },
    { "Qwen3ForCausalLM",           "qwen3",     none, common,        NULL, keys_qwen2 },
    { "Qwen2VLForConditionalGeneration Qwen2_5_VLForConditionalGeneration",
                                    "qwen2vl",   none, common,        NULL, keys_qwen_vl },
    { "Qwen3VLForConditionalGeneration",
                                    "qwen3vl",   none, common,        NULL, keys_qwen_vl },
    { "Qwen2MoeForCausalLM",        "qwen2moe",  moe, common,         NULL, keys_qwen_moe },
    { "Qwen3MoeForCausalLM",        "qwen3moe",  moe, common,         NULL, keys_qwen_moe },
    { "DeepseekV2ForCausalLM DeepseekV3ForCausalLM",
                                    "deepseek2", moe, common,         NULL, keys_deepseek2 },
    { "GemmaForCausalLM",           "gemma",     gemma, common,       NULL, keys_gemma },
    { "Gemma2ForCausalLM",          "gemma2",    gemma2, common,      NULL, keys_gemma },
    { "Gemma3ForCausalLM Gemma3TextModel",
                                    "gemma3",    gemma2, common,      NULL, keys_gemma },
    { "Gemma4ForCausalLM Gemma4ForConditionalGeneration Gemma4TextModel",
                                    "gemma4",    gemma4, common,      NULL, keys_gemma4 },
    { "Mistral4ForCausalLM",        "mistral4",  moe, common,         NULL, keys_mistral4 },
    { "Cohere2MoeForCausalLM",      "cohere2_moe", windows, moe,      NULL, keys_cohere2_moe },
    { "MellumForCausalLM",          "mellum",    windows, moe,        NULL, keys_mellum },
    { "LagunaForCausalLM",          "laguna",    windows, moe,        NULL, keys_laguna },
    { "MiMoV2FlashForCausalLM",     "mimo2",     windows, moe,        NULL, keys_mimo2 },
    { "Step3p5ForCausalLM",         "step35",    step35, common,      shape_step35, keys_step35 },
    { "ArceeForCausalLM",           "arcee",     llama, common,       NULL, keys_arcee },
    { "Cohere2ForCausalLM",         "cohere2",   none, common,        NULL, keys_cohere2 },
    { "DeepseekForCausalLM",        "deepseek",  deepseek, common,    NULL, keys_deepseek },
    { "Dots1ForCausalLM",           "dots1",     moe, common,         NULL, keys_dots1 },
    { "Ernie4_5ForCausalLM Ernie4_5_ForCausalLM",
                                    "ernie4_5",  none, common,        NULL, keys_base },
    { "ExaoneForCausalLM",          "exaone",    exaone, none,        NULL, keys_exaone },
    { "Exaone4ForCausalLM",         "exaone4",   olmo2, common,       NULL, keys_exaone4 },
    { "Glm4MoeForCausalLM",         "glm4moe",   glm4moe, common,     NULL, keys_glm4moe },
    { "HunYuanDenseV1ForCausalLM",  "hunyuan-dense", hunyuan, common, NULL, keys_hunyuan },
    { "InternLM2ForCausalLM",       "internlm2", internlm2, none,     NULL, keys_internlm2 },
    { "MiniCPMForCausalLM",         "minicpm",   llama, common,       NULL, keys_minicpm },
    { "NemotronForCausalLM",        "nemotron",  nemotron, common,    NULL, keys_nemotron },
    { "OlmoeForCausalLM",           "olmoe",     moe, common,         NULL, keys_olmoe },
    { "QWenLMHeadModel",            "qwen",      qwen, none,          NULL, keys_qwen },
    { "SeedOssForCausalLM",         "seed_oss",  glm4moe, common,     NULL, keys_base },
    { "SmolLM3ForCausalLM",         "smollm3",   llama, common,       NULL, keys_smollm3 },
    { "XverseForCausalLM",          "xverse",    llama, common,       NULL, keys_base },
    { "CodeShellForCausalLM",       "codeshell", gpt_bigcode, none,
                                    shape_codeshell, keys_codeshell },
    { "OpenELMForCausalLM",         "openelm",   openelm, none,
                                    shape_openelm, keys_openelm },
    { "DeciLMForCausalLM",          "deci",      deci, common,        shape_deci, keys_deci },
    { "PlamoForCausalLM",           "plamo",     plamo, common,       shape_plamo, keys_plamo },
    { "ChameleonForCausalLM ChameleonForConditionalGeneration",
                                    "chameleon", chameleon, common,   NULL, keys_chameleon },
    { "DbrxForCausalLM",            "dbrx",      dbrx, none,          shape_dbrx, keys_dbrx },
    { "GrokForCausalLM",            "grok",      grok, none,          NULL, keys_grok },
    { "GlmMoeDsaForCausalLM",       "glm-dsa",   glm_dsa, common,     NULL, keys_glm_dsa },
    { "MiniMaxM3SparseForConditionalGeneration MiniMaxM3SparseForCausalLM",
                                    "minimax-m3", minimax3, common,   NULL, keys_minimax3 },
    { "ArcticForCausalLM",          "arctic",    arctic, common,      NULL, keys_arctic },
    { "Llama4ForCausalLM Llama4ForConditionalGeneration",
                                    "llama4",    llama4, common,      NULL, keys_llama4 },
    { "Ministral3ForCausalLM",      "mistral3",  llama, common,       NULL, keys_ministral3 },
    { "Qwen3VLMoeForConditionalGeneration",
                                    "qwen3vlmoe", qwen3vlmoe, common, NULL, keys_qwen_vl_moe },
    { "Ernie4_5_MoeForCausalLM",    "ernie4_5-moe", ernie_moe, common, NULL, keys_ernie_moe },
    { "BailingMoeForCausalLM",      "bailingmoe", bailing, common,    NULL, keys_bailing },
    { "BailingMoeForCausalLM",      "bailingmoe", bailing_normed, common,
                                                                      NULL, keys_bailing },
    { "BailingMoeV2ForCausalLM",    "bailingmoe2", bailing2, common,  NULL, keys_bailing2 },
    { "HunYuanMoEV1ForCausalLM",    "hunyuan-moe", hunyuan_moe, common,
                                                                      NULL, keys_hunyuan_moe },
    { "MiniMaxM2ForCausalLM",       "minimax-m2", sparse_moe, common, NULL, keys_minimax },
    { "PhiMoEForCausalLM PhimoeForCausalLM",
                                    "phimoe",    sparse_moe, common,  NULL, keys_phimoe },
    { "SmallThinkerForCausalLM",    "smallthinker", smallthinker, common,
                                                                      NULL, keys_smallthinker },
    { "MiniCPM3ForCausalLM",        "minicpm3",  moe, common,         NULL, keys_minicpm3 },
    { "PLMForCausalLM",             "plm",       moe, common,         NULL, keys_plm },
    { "PanguEmbeddedForCausalLM",   "pangu-embedded", none, common,   NULL, keys_pangu },
    { "ApertusForCausalLM",         "apertus",   apertus, common,     NULL, keys_apertus },
    { "OrionForCausalLM",           "orion",     none, common,        NULL, keys_orion },
    { "GPTRefactForCausalLM",       "refact",    refact, none,        NULL, keys_refact },
    { "JAISLMHeadModel",            "jais",      jais, none,          shape_jais, keys_jais },
    { "BitnetForCausalLM",          "bitnet",    bitnet, common,      NULL, keys_bitnet },
    { "BitNetForCausalLM",          "bitnet-b1.58", bitnet, common,   NULL, keys_bitnet },
    { "PhiForCausalLM",             "phi2",      phi2, common,        NULL, keys_phi2 },
    { "Phi3ForCausalLM",            "phi3",      none, common,        NULL, keys_phi3 },
    { "CohereForCausalLM",          "command-r", none, common,        NULL, keys_cohere },
    { "GraniteForCausalLM",         "granite",   llama, common,       NULL, keys_granite },
    { "GraniteMoeForCausalLM GraniteMoeSharedForCausalLM",
                                    "granitemoe", llama, common,      NULL, keys_granite },
    { "OlmoForCausalLM",            "olmo",      olmo, common,        NULL, keys_olmo },
    { "Olmo2ForCausalLM",           "olmo2",     olmo2, common,       NULL, keys_base },
    { "Olmo3ForCausalLM",           "olmo2",     olmo2, common,       NULL, keys_olmo3 },
    { "StableLmForCausalLM StableLMEpochForCausalLM",
                                    "stablelm",  stablelm, common,    NULL, keys_stablelm },
    { "Starcoder2ForCausalLM",      "starcoder2", starcoder2, common, NULL, keys_starcoder2 },
    { "BaichuanForCausalLM BaiChuanForCausalLM",
                                    "baichuan",  baichuan, common,    NULL, keys_baichuan },
    { "BaichuanForCausalLM",        "baichuan",  baichuan2, common,   NULL, keys_baichuan },
    { "GlmForCausalLM",             "chatglm",   none, common,        NULL, keys_chatglm },
    { "Glm4ForCausalLM",            "glm4",      glm4, common,        NULL, keys_glm4 },
    { "GptOssForCausalLM",          "gpt-oss",   gpt_oss, common,     NULL, keys_gpt_oss },
    { "GPT2LMHeadModel GPT2Model",  "gpt2",      gpt2, none,          NULL, keys_gpt2 },
    { "OpenAIGPTLMHeadModel OpenAIGPTModel",
                                    "openai-gpt", openai_gpt, none,   NULL, keys_openai_gpt },
    { "GPTBigCodeForCausalLM",      "starcoder", gpt_bigcode, none,   shape_bigcode, keys_bigcode },
    { "GPTJForCausalLM",            "gptj",      gptj, none,          NULL, keys_gptj },
    { "CodeGenForCausalLM",         "gptj",      codegen, gptj,       NULL, keys_gptj },
    { "OPTForCausalLM",             "opt",       opt, none,           NULL, keys_opt },
    { "GPTNeoForCausalLM",          "gptneo",    gpt_neo, none,       NULL, keys_gpt_neo },
    { "GPTNeoXForCausalLM",         "gptneox",   gptneox, none,       NULL, keys_gptneox },
    { "BloomForCausalLM BloomModel",
                                    "bloom",     bloom, none,         NULL, keys_bloom },
    { "FalconForCausalLM RWForCausalLM",
                                    "falcon",    falcon, none,        shape_falcon, keys_falcon },
    { "MPTForCausalLM MptForCausalLM",
                                    "mpt",       mpt, none,           shape_mpt, keys_mpt },
    { "ChatGLMModel ChatGLMForConditionalGeneration",
                                    "chatglm",   chatglm, none,       NULL, keys_chatglm },
    { "ChatGLMModel ChatGLMForConditionalGeneration",
                                    "chatglm1",  chatglm1, none,      NULL, keys_chatglm1 },
};
/* clang-format on */
enum { N_FAMILIES = sizeof families / sizeof families[0] };

static bool has_word(const char *words, const char *word)
{
    size_t n = strlen(word);
    for (const char *at = words; n && (at = strstr(at, word)); at += n)
        if ((at == words || at[-1] == ' ') && (at[n] == ' ' || at[n] == '\0')) return true;
    return false;
}

/* ChatGLM-6B has the class names of its successors; its positions are 2-D. Baichuan 2 has those of
 * the first one, and another vocabulary. */
static bool fits(const hf_family *f, const json *root, const char *class_name)
{
    const json *n_vocab = json_get(root, "vocab_size");
    bool is_second = n_vocab && n_vocab->type == JSON_NUMBER && n_vocab->i == 125696;
    if (!has_word(f->classes, class_name)) return false;
    if (f->put_keys == keys_baichuan) return (f->rows == baichuan2) == is_second;
    if (f->put_keys == keys_bailing) {
        bool is_normed = false;
        json_get_bool(json_get(root, "norm_head"), &is_normed);
        return (f->rows == bailing_normed) == is_normed;
    }
    bool is_first = json_get(root, "position_encoding_2d") || json_get(root, "inner_hidden_size");
    if (f->rows == chatglm) return !is_first;
    return f->rows != chatglm1 || is_first;
}

const hf_family *family_of_arch(gguf_str arch, const hf_family *last)
{
    const hf_family *f = last ? last + 1 : families;
    while (f < families + N_FAMILIES && !gguf_str_is(arch, f->arch)) f++;
    return f < families + N_FAMILIES ? f : NULL;
}

static const char *class_of(const json *root)
{
    const json *classes = json_get(root, "architectures");
    const json *c = classes && classes->type == JSON_ARRAY ? classes->first : NULL;
    return c && c->type == JSON_STRING ? c->str : "";
}

/* The class of the text model within another one: named, or by its type. */
static const char *text_class_of(const json *text)
{
    static const char *const types[][2] = {
        { "gemma3_text", "Gemma3ForCausalLM" }, { "gemma4_text", "Gemma4ForCausalLM" },
        { "llama", "LlamaForCausalLM" },
        { "mistral", "MistralForCausalLM" },    { "qwen2", "Qwen2ForCausalLM" },
        { "qwen3", "Qwen3ForCausalLM" },        { "qwen3_moe", "Qwen3MoeForCausalLM" },
        { "gemma", "GemmaForCausalLM" },        { "gemma2", "Gemma2ForCausalLM" },
        { "cohere2", "Cohere2ForCausalLM" },    { "smollm3", "SmolLM3ForCausalLM" },
        { "ministral3", "Ministral3ForCausalLM" }, { "mistral4", "Mistral4ForCausalLM" },
    };
    if (*class_of(text)) return class_of(text);
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (json_str_is(json_get(text, "model_type"), types[i][0])) return types[i][1];
    return "";
}

const hf_family *family_find(const json *root, const char *path, lory_err *err)
{
    const json *type = json_get(root, "model_type"), *text = json_get(root, "text_config");
    const char *name = class_of(root), *within = text ? text_class_of(text) : "";
    for (int i = 0; i < N_FAMILIES; i++)
        if (fits(&families[i], root, name)) return &families[i];
    for (int i = 0; i < N_FAMILIES; i++)
        if (text && fits(&families[i], text, within)) return &families[i];
    err_set(err, LORY_E_UNSUPPORTED,
            "%s: models of architecture '%.64s' (model_type '%.64s') are not "
            "known to convert",
            path, name[0] ? name : "none named",
            type && type->type == JSON_STRING ? type->str : "");
    return NULL;
}
