/* family_rows.c - see family_rows.h: tensors of dense models since LLaMA.
 * Sources: the modeling files of the transformers library for the left sides, gguf-py's tensor
 * names for the right ones. */
#include "convert/family_rows.h"

/* clang-format off */
const hf_row rows_common[] = {
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

const hf_row rows_llama[] = { /* and Mixtral, and Granite with experts */
    ROPED_QK,
    ROW(LAYER "block_sparse_moe.gate", BLK "ffn_gate_inp"),
    MIXTRAL_EXPERTS,
    GRANITE_EXPERTS,
    END };

const hf_row rows_granite_swa[] = {
    ROPED_QK,
    WHOLE(LAYER "self_attn.sinks", BLK "attn_sinks.weight"),
    ROW(LAYER "block_sparse_moe.router.layer", BLK "ffn_gate_inp"),
    ROW(LAYER "block_sparse_moe.input_linear", BLK "ffn_gate_up_exps"),
    ROW(LAYER "block_sparse_moe.output_linear", BLK "ffn_down_exps"),
    ROW(LAYER "shared_mlp.input_linear", BLK "ffn_up_shexp"), /* gate, then up */
    ROW(LAYER "shared_mlp.output_linear", BLK "ffn_down_shexp"),
    END };

const hf_row rows_kormo[] = { /* and Qwen2, which has none of these names */
    ROW(LAYER "pre_attention_layernorm", BLK "attn_norm"),
    ROW(LAYER "pre_mlp_layernorm", BLK "ffn_norm"),
    END };

const hf_row rows_apertus[] = {
    ROW(LAYER "attention_layernorm", BLK "attn_norm"),
    ROW(LAYER "feedforward_layernorm", BLK "ffn_norm"),
    KEY(LAYER "mlp.act_fn.alpha_n"),
    KEY(LAYER "mlp.act_fn.alpha_p"),
    KEY(LAYER "mlp.act_fn.beta"),
    KEY(LAYER "mlp.act_fn.eps"),
    END };

const hf_row rows_gemma[] = { NORMS_PLUS_ONE, END }; /* and Nemotron */

const hf_row rows_gemma2[] = { /* and Gemma 3 */
    PLUS_ONE("model.norm", "output_norm"),
    PLUS_ONE(LAYER "input_layernorm", BLK "attn_norm"),
    PLUS_ONE(LAYER "post_attention_layernorm", BLK "post_attention_norm"),
    PLUS_ONE(LAYER "pre_feedforward_layernorm", BLK "ffn_norm"),
    PLUS_ONE(LAYER "post_feedforward_layernorm", BLK "post_ffw_norm"),
    HEAD_NORMS_PLUS_ONE,
    END };

#define SOME(a, b)  { .from = (a), .to = (b), .flags = HF_SOME }

const hf_row rows_gemma4[] = {
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

const hf_row rows_gemma3n[] = {
    SOME(LAYER "self_attn.k_proj", BLK "attn_k"),
    SOME(LAYER "self_attn.v_proj", BLK "attn_v"),
    SOME(LAYER "self_attn.k_norm", BLK "attn_k_norm"),
    ROW(LAYER "post_attention_layernorm", BLK "post_attention_norm"),
    ROW(LAYER "pre_feedforward_layernorm", BLK "ffn_norm"),
    ROW(LAYER "post_feedforward_layernorm", BLK "post_ffw_norm"),
    { .from = "model.embed_tokens_per_layer", .to = "per_layer_token_embd", .change = HF_PADDED },
    ROW("model.per_layer_model_projection", "per_layer_model_proj"),
    ROW("model.per_layer_projection_norm", "per_layer_proj_norm"),
    ROW("model.altup_projections.%e", "altup_proj"),
    ROW("model.altup_unembed_projections.%e", "altup_unembd_proj"),
    ROW(LAYER "altup.router_norm", BLK "altup_router_norm"),
    ROW(LAYER "altup.modality_router", BLK "altup_router"),
    ROW(LAYER "altup.prediction_coefs", BLK "altup_predict_coef"),
    ROW(LAYER "altup.correction_coefs", BLK "altup_correct_coef"),
    WHOLE(LAYER "altup.correct_output_scale", BLK "altup_correct_scale.weight"),
    ROW(LAYER "laurel.linear_left", BLK "laurel_l"),
    ROW(LAYER "laurel.linear_right", BLK "laurel_r"),
    ROW(LAYER "laurel.post_laurel_norm", BLK "laurel_post_norm"),
    ROW(LAYER "per_layer_input_gate", BLK "inp_gate"),
    ROW(LAYER "per_layer_projection", BLK "proj"),
    ROW(LAYER "post_per_layer_input_norm", BLK "post_norm"),
    END };

const hf_row rows_muse_glimmer[] = { /* the rest as most have it */
    ROPED_QK,
    ROW(LAYER "self_attn.gate_proj", BLK "attn_gate"),
    PLUS_ONE(LAYER "input_layernorm", BLK "attn_norm"),
    PLUS_ONE(LAYER "post_attention_layernorm", BLK "post_attention_norm"),
    PLUS_ONE(LAYER "pre_feedforward_layernorm", BLK "ffn_norm"),
    PLUS_ONE(LAYER "post_feedforward_layernorm", BLK "post_ffw_norm"),
    END };

const hf_row rows_granite4[] = { /* without recurrent layers and experts */
    ROPED_QK,
    GRANITE_DENSE,
    END };

const hf_row rows_olmo[] = { ROPED_QK, END };

const hf_row rows_hunyuan[] = {
    ROW(LAYER "self_attn.query_layernorm", BLK "attn_q_norm"),
    ROW(LAYER "self_attn.key_layernorm", BLK "attn_k_norm"),
    END };

const hf_row rows_internlm2[] = {
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

const hf_row rows_olmo2[] = {
    ROW(LAYER "post_attention_layernorm", BLK "post_attention_norm"),
    ROW(LAYER "post_feedforward_layernorm", BLK "post_ffw_norm"),
    END };

#define TERNARY(a, b) { .from = LAYER a, .to = BLK b, .change = HF_TERNARY }

const hf_row rows_bitnet[] = {
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

const hf_row rows_glm4[] = {
    ROW(LAYER "post_self_attn_layernorm", BLK "post_attention_norm"),
    ROW(LAYER "post_mlp_layernorm", BLK "post_ffw_norm"),
    END };

const hf_row rows_stablelm[] = {
    ROW(LAYER "self_attn.q_layernorm.norms.%e", BLK "attn_q_norm"),
    ROW(LAYER "self_attn.k_layernorm.norms.%e", BLK "attn_k_norm"),
    END };

const hf_row rows_phi2[] = {
    ROW(LAYER "mlp.fc1", BLK "ffn_up"),
    ROW(LAYER "mlp.fc2", BLK "ffn_down"),
    END };

const hf_row rows_starcoder2[] = {
    ROW(LAYER "mlp.c_fc", BLK "ffn_up"),
    ROW(LAYER "mlp.c_proj", BLK "ffn_down"),
    END };

/* Q, K and V in one matrix, one after the other. */
#define W_PACK                                                                                     \
    { LAYER "self_attn.W_pack", BLK "attn_q", HF_ROPE_Q, .part = 0, .n_parts = 3 },                \
    { LAYER "self_attn.W_pack", BLK "attn_k", HF_ROPE_K, .part = 1, .n_parts = 3 },                \
    { LAYER "self_attn.W_pack", BLK "attn_v", HF_SAME, .part = 2, .n_parts = 3 }

const hf_row rows_baichuan[] = { W_PACK, END };

const hf_row rows_baichuan2[] = { /* the output matrix is normalised whenever it is used */
    { .from = "lm_head", .to = "output", .change = HF_UNIT_ROWS },
    W_PACK,
    END };

#define ELM "transformer.layers.%d."

const hf_row rows_openelm[] = {
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

const hf_row rows_deci[] = { /* the rest as llama */
    ROW(LAYER "self_attn.linear_attn", BLK "attn_output"),
    ROPED_QK,
    END };

const hf_row rows_plamo[] = {
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

#define PLAMO3 "model.layers.layers.%d."
const hf_row rows_plamo3[] = {
    PLUS_ONE("model.norm", "output_norm"),
    ROW(PLAMO3 "mixer.qkv_proj", BLK "attn_qkv"),
    ROW(PLAMO3 "mixer.o_proj", BLK "attn_output"),
    PLUS_ONE(PLAMO3 "mixer.q_norm", BLK "attn_q_norm"),
    PLUS_ONE(PLAMO3 "mixer.k_norm", BLK "attn_k_norm"),
    PLUS_ONE(PLAMO3 "pre_mixer_norm", BLK "attn_norm"),
    { .from = PLAMO3 "post_mixer_norm", .to = BLK "post_attention_norm", .change = HF_PLUS_FIFTH },
    PLUS_ONE(PLAMO3 "pre_mlp_norm", BLK "ffn_norm"),
    { .from = PLAMO3 "post_mlp_norm", .to = BLK "post_ffw_norm", .change = HF_PLUS_LESS },
    ROW(PLAMO3 "mlp.gate_up_proj", BLK "ffn_up"),
    ROW(PLAMO3 "mlp.down_proj", BLK "ffn_down"),
    END };

const hf_row rows_chameleon[] = { /* the rest as llama */
    { .from = LAYER "self_attn.q_norm", .to = BLK "attn_q_norm", .change = HF_ROPE_HEADS },
    { .from = LAYER "self_attn.k_norm", .to = BLK "attn_k_norm", .change = HF_ROPE_HEADS },
    ROPED_QK,
    END };

const hf_row rows_none[] = { END };
