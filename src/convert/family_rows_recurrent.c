/* family_rows_recurrent.c - see family_rows.h: tensors of models with recurrent layers.
 * Sources: the modeling files of the transformers library for the left sides, gguf-py's tensor
 * names for the right ones. */
#include "convert/family_rows.h"

/* clang-format off */
const hf_row rows_lfm2[] = {
    ROW("model.embed_tokens", "token_embd"),
    ROW("model.embedding_norm", "token_embd_norm"), /* which is the last norm, in all files */
    ROW("lm_head", "output"),
    ROW(LAYER "operator_norm", BLK "attn_norm"),
    ROW(LAYER "conv.in_proj", BLK "shortconv.in_proj"),
    { .from = LAYER "conv.conv", .to = BLK "shortconv.conv", .change = HF_FLATTEN },
    ROW(LAYER "conv.out_proj", BLK "shortconv.out_proj"),
    ROW(LAYER "self_attn.q_proj", BLK "attn_q"),
    ROW(LAYER "self_attn.k_proj", BLK "attn_k"),
    ROW(LAYER "self_attn.v_proj", BLK "attn_v"),
    ROW(LAYER "self_attn.out_proj", BLK "attn_output"),
    ROW(LAYER "self_attn.q_layernorm", BLK "attn_q_norm"),
    ROW(LAYER "self_attn.k_layernorm", BLK "attn_k_norm"),
    ROW(LAYER "ffn_norm", BLK "ffn_norm"),
    ROW(LAYER "feed_forward.w1", BLK "ffn_gate"),
    ROW(LAYER "feed_forward.w3", BLK "ffn_up"),
    ROW(LAYER "feed_forward.w2", BLK "ffn_down"),
    ROW(LAYER "feed_forward.gate", BLK "ffn_gate_inp"),
    WHOLE(LAYER "feed_forward.expert_bias", BLK "exp_probs_b.bias"),
    ROW(LAYER "feed_forward.experts.%e.w1", BLK "ffn_gate_exps"),
    ROW(LAYER "feed_forward.experts.%e.w3", BLK "ffn_up_exps"),
    ROW(LAYER "feed_forward.experts.%e.w2", BLK "ffn_down_exps"),
    { LAYER "feed_forward.experts.gate_up_proj", BLK "ffn_gate_exps.weight", .part = 0,
      .n_parts = 2, .flags = HF_WHOLE_NAME },
    { LAYER "feed_forward.experts.gate_up_proj", BLK "ffn_up_exps.weight", .part = 1,
      .n_parts = 2, .flags = HF_WHOLE_NAME },
    WHOLE(LAYER "feed_forward.experts.down_proj", BLK "ffn_down_exps.weight"),
    END };
/* What both of the delta rule have, their own rows before it. */
#define DELTA                                                                                      \
    ROW("model.embed_tokens", "token_embd"),                                                       \
    PLUS_ONE("model.norm", "output_norm"),                                                         \
    ROW("lm_head", "output"),                                                                      \
    PLUS_ONE(LAYER "input_layernorm", BLK "attn_norm"),                                            \
    PLUS_ONE(LAYER "post_attention_layernorm", BLK "post_attention_norm"),                         \
    HEAD_NORMS_PLUS_ONE,                                                                           \
    ROW(LAYER "self_attn.q_proj", BLK "attn_q"), /* with gates */                                  \
    ROW(LAYER "self_attn.k_proj", BLK "attn_k"),                                                   \
    ROW(LAYER "self_attn.v_proj", BLK "attn_v"),                                                   \
    ROW(LAYER "self_attn.o_proj", BLK "attn_output"),                                              \
    ROW(LAYER "linear_attn.norm", BLK "ssm_norm")
#define LINEAR LAYER "linear_attn."
#define CHANGED(a, b, c) { .from = LINEAR a, .to = BLK b, .change = c }
#define CHANGED_WHOLE(a, b, c)                                                                     \
    { .from = LINEAR a, .to = BLK b, .change = c, .flags = HF_WHOLE_NAME }

const hf_row rows_qwen3next[] = {
    DELTA,
    CHANGED("in_proj_qkvz", "attn_qkv", HF_DELTA_QKV),
    CHANGED("in_proj_qkvz", "attn_gate", HF_DELTA_GATE),
    ROW(LINEAR "in_proj_ba", BLK "ssm_ba"),
    CHANGED("conv1d", "ssm_conv1d", HF_FLATTEN),
    WHOLE(LINEAR "dt_bias", BLK "ssm_dt.bias"),
    CHANGED_WHOLE("A_log", "ssm_a", HF_DELTA_A),
    ROW(LINEAR "out_proj", BLK "ssm_out"),
    END };

const hf_row rows_qwen35[] = {
    DELTA,
    CHANGED("in_proj_qkv", "attn_qkv", HF_TILED_QKV),
    CHANGED("in_proj_z", "attn_gate", HF_TILED_VALUES),
    CHANGED("in_proj_b", "ssm_beta", HF_TILED_HEADS),
    CHANGED("in_proj_a", "ssm_alpha", HF_TILED_HEADS),
    CHANGED("conv1d", "ssm_conv1d", HF_TILED_CONV),
    CHANGED_WHOLE("dt_bias", "ssm_dt.bias", HF_TILED_HEADS),
    CHANGED_WHOLE("A_log", "ssm_a", HF_TILED_A),
    CHANGED("out_proj", "ssm_out", HF_TILED_INNER),
    ROW(LAYER "mlp.gate_proj", BLK "ffn_gate"),
    ROW(LAYER "mlp.up_proj", BLK "ffn_up"),
    ROW(LAYER "mlp.down_proj", BLK "ffn_down"),
    END };

#define SELF LAYER "self_attn."
const hf_row rows_kimi_linear[] = {
    { .from = SELF "q_conv1d", .to = BLK "ssm_conv1d_q", .change = HF_FLATTEN },
    { .from = SELF "k_conv1d", .to = BLK "ssm_conv1d_k", .change = HF_FLATTEN },
    { .from = SELF "v_conv1d", .to = BLK "ssm_conv1d_v", .change = HF_FLATTEN },
    { .from = SELF "A_log", .to = BLK "ssm_a", .change = HF_RATES, .flags = HF_WHOLE_NAME },
    WHOLE(SELF "dt_bias", BLK "ssm_dt.bias"),
    ROW(SELF "f_a_proj", BLK "ssm_f_a"),
    ROW(SELF "f_b_proj", BLK "ssm_f_b"),
    ROW(SELF "b_proj", BLK "ssm_beta"),
    ROW(SELF "g_a_proj", BLK "ssm_g_a"),
    ROW(SELF "g_b_proj", BLK "ssm_g_b"),
    ROW(SELF "o_norm", BLK "ssm_norm"),
    ROW(LAYER "block_sparse_moe.gate", BLK "ffn_gate_inp"),
    WHOLE(LAYER "block_sparse_moe.gate.e_score_correction_bias", BLK "exp_probs_b.bias"),
    MIXTRAL_EXPERTS,
    ROW(LAYER "block_sparse_moe.shared_experts.gate_proj", BLK "ffn_gate_shexp"),
    ROW(LAYER "block_sparse_moe.shared_experts.up_proj", BLK "ffn_up_shexp"),
    ROW(LAYER "block_sparse_moe.shared_experts.down_proj", BLK "ffn_down_shexp"),
    ROW(SELF "q_a_proj", BLK "attn_q_a"),
    ROW(SELF "q_a_layernorm", BLK "attn_q_a_norm"),
    ROW(SELF "q_b_proj", BLK "attn_q_b"),
    ROW(SELF "kv_a_proj_with_mqa", BLK "attn_kv_a_mqa"),
    ROW(SELF "kv_a_layernorm", BLK "attn_kv_a_norm"),
    ROW(SELF "kv_b_proj", BLK "attn_kv_b"),
    END };

#define LING LAYER "attention."
const hf_row rows_bailing3[] = { /* the rest as Ling 2 */
    ROW("model.norm", "output_norm"),
    ROW("lm_head", "output"),
    ROW(LAYER "input_layernorm", BLK "attn_norm"),
    ROW(LAYER "post_attention_layernorm", BLK "ffn_norm"),
    ROW(LAYER "mlp.gate_proj", BLK "ffn_gate"),
    ROW(LAYER "mlp.up_proj", BLK "ffn_up"),
    ROW(LAYER "mlp.down_proj", BLK "ffn_down"),
    ROW(LING "q_proj", BLK "attn_q"),
    ROW(LING "k_proj", BLK "attn_k"),
    ROW(LING "v_proj", BLK "attn_v"),
    ROW(LING "o_proj", BLK "attn_output"),
    { .from = LING "q_conv1d", .to = BLK "ssm_conv1d_q", .change = HF_FLATTEN },
    { .from = LING "k_conv1d", .to = BLK "ssm_conv1d_k", .change = HF_FLATTEN },
    { .from = LING "v_conv1d", .to = BLK "ssm_conv1d_v", .change = HF_FLATTEN },
    { .from = LING "A_log", .to = BLK "ssm_a", .change = HF_POWERS, .flags = HF_WHOLE_NAME },
    WHOLE(LING "dt_bias", BLK "ssm_dt.bias"),
    ROW(LING "f_proj", BLK "ssm_f_a"),
    ROW(LING "b_proj", BLK "ssm_beta"),
    { .from = LING "g_proj", .to = BLK "attn_gate", .flags = HF_PER_HEAD },
    { .from = LING "g_proj", .to = BLK "ssm_g_a", .flags = HF_PER_VALUE },
    ROW(LING "o_norm", BLK "ssm_norm"),
    ROW(LING "q_a_proj", BLK "attn_q_a"),
    ROW(LING "q_a_layernorm", BLK "attn_q_a_norm"),
    ROW(LING "q_b_proj", BLK "attn_q_b"),
    ROW(LING "kv_a_proj_with_mqa", BLK "attn_kv_a_mqa"),
    ROW(LING "kv_a_layernorm", BLK "attn_kv_a_norm"),
    ROW(LING "kv_b_proj", BLK "attn_kv_b"),
    END };

/* Mamba-2's, by the name of the layer: within its products, and all. */
#define MAMBA2_CORE(mixer)                                                                         \
    { .from = mixer "conv1d", .to = BLK "ssm_conv1d", .change = HF_FLATTEN },                      \
    WHOLE(mixer "dt_bias", BLK "ssm_dt.bias"),                                                     \
    { .from = mixer "A_log", .to = BLK "ssm_a", .change = HF_RATES, .flags = HF_WHOLE_NAME },      \
    { .from = mixer "D", .to = BLK "ssm_d", .change = HF_COLUMN, .flags = HF_WHOLE_NAME },         \
    { .from = mixer "norm", .to = BLK "ssm_norm", .change = HF_BY_GROUP }
#define MAMBA2(mixer)                                                                              \
    ROW(mixer "in_proj", BLK "ssm_in"),                                                            \
    MAMBA2_CORE(mixer),                                                                            \
    ROW(mixer "out_proj", BLK "ssm_out")

#define FEED_FORWARD                                                                               \
    ROW(LAYER "pre_ff_layernorm", BLK "ffn_norm"),                                                 \
    ROW(LAYER "feed_forward.gate_proj", BLK "ffn_gate"),                                           \
    ROW(LAYER "feed_forward.up_proj", BLK "ffn_up"),                                               \
    ROW(LAYER "feed_forward.down_proj", BLK "ffn_down")

const hf_row rows_bamba[] = { MAMBA2(LAYER "mamba."), ROPED_QK, FEED_FORWARD, END };
const hf_row rows_granite4_hybrid[] = { MAMBA2(LAYER "mamba."), ROPED_QK, GRANITE_DENSE, END };
const hf_row rows_granite4_moe[] = { MAMBA2(LAYER "mamba."), ROPED_QK, GRANITE_EXPERTS, END };

#define SCALED(a, b, factor) { .from = LAYER a, .to = BLK b, .change = HF_SCALED, .by = factor }

const hf_row rows_falcon_h1[] = {
    { .from = "model.embed_tokens", .to = "token_embd", .change = HF_SCALED },
    { .from = "model.embed_tokens", .to = "output", .change = HF_SCALED, .flags = HF_IF_TIED },
    { .from = "lm_head", .to = "output", .change = HF_SCALED },
    SCALED("mamba.in_proj", "ssm_in", HF_F_IN),
    MAMBA2_CORE(LAYER "mamba."),
    SCALED("mamba.out_proj", "ssm_out", HF_F_SSM_OUT),
    SCALED("self_attn.q_proj", "attn_q", HF_F_Q),
    SCALED("self_attn.k_proj", "attn_k", HF_F_K),
    SCALED("self_attn.v_proj", "attn_v", HF_F_V),
    SCALED("self_attn.o_proj", "attn_output", HF_F_OUT),
    ROW("model.final_layernorm", "output_norm"),
    ROW(LAYER "pre_ff_layernorm", BLK "ffn_norm"),
    SCALED("feed_forward.gate_proj", "ffn_gate", HF_F_GATE),
    ROW(LAYER "feed_forward.up_proj", BLK "ffn_up"),
    SCALED("feed_forward.down_proj", "ffn_down", HF_F_DOWN),
    END };

#define NEMOTRON(top)                                                                              \
    ROW(top "embeddings", "token_embd"),                                                           \
    ROW(top "embed_tokens", "token_embd"),                                                         \
    ROW(top "norm_f", "output_norm"),                                                              \
    ROW(top "layers.%d.norm", BLK "attn_norm"),                                                    \
    MAMBA2(top "layers.%d.mixer."),                                                                \
    ROW(top "layers.%d.mixer.q_proj", BLK "attn_q"),                                               \
    ROW(top "layers.%d.mixer.k_proj", BLK "attn_k"),                                               \
    ROW(top "layers.%d.mixer.v_proj", BLK "attn_v"),                                               \
    ROW(top "layers.%d.mixer.o_proj", BLK "attn_output"),                                          \
    ROW(top "layers.%d.mixer.up_proj", BLK "ffn_up"),                                              \
    ROW(top "layers.%d.mixer.down_proj", BLK "ffn_down"),                                          \
    ROW(top "layers.%d.mixer.gate", BLK "ffn_gate_inp"),                                           \
    WHOLE(top "layers.%d.mixer.gate.e_score_correction_bias", BLK "exp_probs_b.bias"),             \
    ROW(top "layers.%d.mixer.experts.%e.up_proj", BLK "ffn_up_exps"),                              \
    ROW(top "layers.%d.mixer.experts.%e.down_proj", BLK "ffn_down_exps"),                          \
    WHOLE(top "layers.%d.mixer.experts.up_proj", BLK "ffn_up_exps.weight"),                        \
    WHOLE(top "layers.%d.mixer.experts.down_proj", BLK "ffn_down_exps.weight"),                    \
    ROW(top "layers.%d.mixer.shared_experts.up_proj", BLK "ffn_up_shexp"),                         \
    ROW(top "layers.%d.mixer.shared_experts.down_proj", BLK "ffn_down_shexp")

const hf_row rows_nemotron_h[] = {
    NEMOTRON("backbone."),
    NEMOTRON("model."),
    ROW("lm_head", "output"),
    END };

/* RWKV-6. Products of low rank lie turned. */
#define FINCH "rwkv.blocks.%d."
#define TURNED(a, b)                                                                               \
    { .from = FINCH "attention." a, .to = BLK b ".weight", .change = HF_TRANSPOSE,                 \
      .flags = HF_WHOLE_NAME }
#define ONE_ROW(a, b) { .from = a, .to = BLK b, .change = HF_ONE_ROW, .flags = HF_WHOLE_NAME }

const hf_row rows_rwkv6[] = {
    ROW("rwkv.embeddings", "token_embd"),
    ROW("rwkv.blocks.0.pre_ln", "token_embd_norm"),
    ROW("rwkv.ln_out", "output_norm"),
    ROW("head", "output"),
    ROW(FINCH "ln1", BLK "attn_norm"),
    ROW(FINCH "ln2", BLK "attn_norm_2"),
    ONE_ROW(FINCH "attention.time_maa_x", "time_mix_lerp_x.weight"),
    TURNED("time_maa_w1", "time_mix_w1"),
    TURNED("time_maa_w2", "time_mix_w2"),
    { .from = FINCH "attention.time_maa_%e", .to = BLK "time_mix_lerp_fused.weight",
      .flags = HF_WHOLE_NAME, .letters = "wkvrg" },
    ONE_ROW(FINCH "attention.time_decay", "time_mix_decay.weight"),
    TURNED("time_decay_w1", "time_mix_decay_w1"),
    TURNED("time_decay_w2", "time_mix_decay_w2"),
    WHOLE(FINCH "attention.time_faaaa", BLK "time_mix_first.weight"),
    ROW(FINCH "attention.key", BLK "time_mix_key"),
    ROW(FINCH "attention.value", BLK "time_mix_value"),
    ROW(FINCH "attention.receptance", BLK "time_mix_receptance"),
    ROW(FINCH "attention.gate", BLK "time_mix_gate"),
    ROW(FINCH "attention.output", BLK "time_mix_output"),
    ROW(FINCH "attention.ln_x", BLK "time_mix_ln"),
    ONE_ROW(FINCH "feed_forward.time_maa_k", "channel_mix_lerp_k.weight"),
    ONE_ROW(FINCH "feed_forward.time_maa_r", "channel_mix_lerp_r.weight"),
    ROW(FINCH "feed_forward.key", BLK "channel_mix_key"),
    ROW(FINCH "feed_forward.value", BLK "channel_mix_value"),
    ROW(FINCH "feed_forward.receptance", BLK "channel_mix_receptance"),
    END };

/* RWKV-7, as fla has it. The first layer mixes no values; what stands for the products of that in
 * all files is of no use. */
#define RWKV LAYER "attn."
#define AGAIN(part, n)                                                                             \
    WHOLE("model.layers.0.attn.a_lora.lora." part, "blk.0.time_mix_a" n ".weight"),                \
    WHOLE("model.layers.0.attn.a_lora.lora." part, "blk.0.time_mix_v" n ".weight")
#define LOW_RANK(letter)                                                                           \
    WHOLE(RWKV letter "_lora.lora.2.bias", BLK "time_mix_" letter "0.weight"),                     \
    ROW(RWKV letter "_lora.lora.0", BLK "time_mix_" letter "1"),                                   \
    ROW(RWKV letter "_lora.lora.2", BLK "time_mix_" letter "2")

const hf_row rows_rwkv7[] = {
    ROW("model.embeddings", "token_embd"),
    ROW("model.layers.0.pre_norm", "token_embd_norm"),
    ROW("model.norm", "output_norm"),
    ROW("lm_head", "output"),
    ROW(LAYER "attn_norm", BLK "attn_norm"),
    ROW(LAYER "ffn_norm", BLK "attn_norm_2"),
    { .from = RWKV "x_%e", .to = BLK "time_mix_lerp_fused.weight", .flags = HF_WHOLE_NAME,
      .letters = "rwkvag" },
    AGAIN("2.bias", "0"),
    AGAIN("0.weight", "1"),
    AGAIN("2.weight", "2"),
    LOW_RANK("w"),
    LOW_RANK("a"),
    LOW_RANK("v"),
    LOW_RANK("g"),
    ONE_ROW(RWKV "k_k", "time_mix_k_k.weight"),
    ONE_ROW(RWKV "k_a", "time_mix_k_a.weight"),
    ONE_ROW(RWKV "r_k", "time_mix_r_k.weight"),
    ROW(RWKV "r_proj", BLK "time_mix_receptance"),
    ROW(RWKV "k_proj", BLK "time_mix_key"),
    ROW(RWKV "v_proj", BLK "time_mix_value"),
    ROW(RWKV "o_proj", BLK "time_mix_output"),
    ROW(RWKV "g_norm", BLK "time_mix_ln"),
    ONE_ROW(LAYER "ffn.x_k", "channel_mix_lerp_k.weight"),
    ROW(LAYER "ffn.key", BLK "channel_mix_key"),
    ROW(LAYER "ffn.value", BLK "channel_mix_value"),
    END };

#define MAMBA(top)                                                                                 \
    ROW(top "embeddings", "token_embd"),                                                           \
    ROW(top "norm_f", "output_norm"),                                                              \
    ROW(top "layers.%d.norm", BLK "attn_norm")

#define CHANNELS(mixer)                                                                            \
    ROW(mixer "in_proj", BLK "ssm_in"),                                                            \
    { .from = mixer "conv1d", .to = BLK "ssm_conv1d", .change = HF_FLATTEN },                      \
    ROW(mixer "x_proj", BLK "ssm_x"),                                                              \
    ROW(mixer "dt_proj", BLK "ssm_dt"),                                                            \
    { .from = mixer "A_log", .to = BLK "ssm_a", .change = HF_RATE_ROWS, .flags = HF_WHOLE_NAME },  \
    WHOLE(mixer "D", BLK "ssm_d"),                                                                 \
    ROW(mixer "out_proj", BLK "ssm_out")

const hf_row rows_mamba[] = { /* and Falcon Mamba */
    MAMBA("backbone."),
    CHANNELS("backbone.layers.%d.mixer."),
    ROW("lm_head", "output"),
    END };

const hf_row rows_jamba[] = {
    CHANNELS(LAYER "mamba."),
    ROW(LAYER "mamba.dt_layernorm", BLK "ssm_dt_norm"),
    ROW(LAYER "mamba.b_layernorm", BLK "ssm_b_norm"),
    ROW(LAYER "mamba.c_layernorm", BLK "ssm_c_norm"),
    FEED_FORWARD,
    ROW(LAYER "feed_forward.router", BLK "ffn_gate_inp"),
    ROW(LAYER "feed_forward.experts.%e.gate_proj", BLK "ffn_gate_exps"),
    ROW(LAYER "feed_forward.experts.%e.up_proj", BLK "ffn_up_exps"),
    ROW(LAYER "feed_forward.experts.%e.down_proj", BLK "ffn_down_exps"),
    END };

#define PLAMO2 "model.layers.layers.%d."
const hf_row rows_plamo2[] = { /* the rest as PLaMo 3 */
    ROW(PLAMO2 "mixer.in_proj", BLK "ssm_in"),
    { .from = PLAMO2 "mixer.conv1d", .to = BLK "ssm_conv1d", .change = HF_FLATTEN },
    ROW(PLAMO2 "mixer.bcdt_proj", BLK "ssm_x"),
    ROW(PLAMO2 "mixer.dt_proj", BLK "ssm_dt"),
    WHOLE(PLAMO2 "mixer.dt_bias", BLK "ssm_dt.bias"),
    { .from = PLAMO2 "mixer.A_log", .to = BLK "ssm_a", .change = HF_DELTA_A,
      .flags = HF_WHOLE_NAME },
    WHOLE(PLAMO2 "mixer.D", BLK "ssm_d"),
    WHOLE(PLAMO2 "mixer.dt_norm_weight", BLK "ssm_dt_norm.weight"),
    WHOLE(PLAMO2 "mixer.B_norm_weight", BLK "ssm_b_norm.weight"),
    WHOLE(PLAMO2 "mixer.C_norm_weight", BLK "ssm_c_norm.weight"),
    ROW(PLAMO2 "mixer.out_proj", BLK "ssm_out"),
    WHOLE(PLAMO2 "mixer.q_weight", BLK "attn_q_norm.weight"),
    WHOLE(PLAMO2 "mixer.k_weight", BLK "attn_k_norm.weight"),
    ROW("model.embed_tokens", "token_embd"),
    ROW("lm_head", "output"),
    END };

const hf_row rows_mamba2[] = {
    MAMBA("backbone."),
    MAMBA2("backbone.layers.%d.mixer."),
    MAMBA("model.backbone."), /* Mamba-Codestral */
    MAMBA2("model.backbone.layers.%d.mixer."),
    ROW("lm_head", "output"),
    ROW("model.lm_head", "output"),
    END };
/* clang-format on */
