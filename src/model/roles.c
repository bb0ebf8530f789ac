/* roles.c - see roles.h. */
#include "model/roles.h"
#include <stdio.h>
#include <string.h>

const role_row role_table[W_COUNT] = {
    [W_ATTN_NORM]      = { "attn_norm",           .rows = D_ONE, .k = D_EMBD },
    [W_ATTN_NORM_2]    = { "attn_norm_2",         .rows = D_ONE, .k = D_EMBD },
    [W_ATTN_Q]         = { "attn_q",              .rows = D_Q, .k = D_EMBD },
    [W_ATTN_K]         = { "attn_k",              .rows = D_K, .k = D_EMBD },
    [W_ATTN_V]         = { "attn_v",              .rows = D_V, .k = D_EMBD },
    [W_Q_NORM]         = { "attn_q_norm",         .rows = D_ONE, .k = D_HEAD },
    [W_K_NORM]         = { "attn_k_norm",         .rows = D_ONE, .k = D_HEAD },
    [W_Q_NORM_ALL]     = { "attn_q_norm",         .rows = D_ONE, .k = D_Q },
    [W_K_NORM_ALL]     = { "attn_k_norm",         .rows = D_ONE, .k = D_K },
    [W_Q_NORM_HEADS]   = { "attn_q_norm",         .rows = D_HEADS, .k = D_HEAD, .is_f32 = true },
    [W_K_NORM_HEADS]   = { "attn_k_norm",         .rows = D_KV_HEADS, .k = D_HEAD, .is_f32 = true },
    [W_Q_A]            = { "attn_q_a",            .rows = D_Q_LORA, .k = D_EMBD },
    [W_Q_A_NORM]       = { "attn_q_a_norm",       .rows = D_ONE, .k = D_Q_LORA },
    [W_Q_B]            = { "attn_q_b",            .rows = D_Q, .k = D_Q_LORA },
    [W_KV_A]           = { "attn_kv_a_mqa",       .rows = D_KV_A, .k = D_EMBD },
    [W_KV_A_NORM]      = { "attn_kv_a_norm",      .rows = D_ONE, .k = D_KV_LORA },
    [W_KV_B]           = { "attn_kv_b",           .rows = D_KV_B, .k = D_KV_LORA },
    [W_K_B]            = { "attn_k_b", .rows = D_KV_LORA, .k = D_NOPE, .slices = D_HEADS },
    [W_V_B]            = { "attn_v_b", .rows = D_VALUE, .k = D_KV_LORA, .slices = D_HEADS },
    [W_CONV_IN]        = { "shortconv.in_proj",   .rows = D_MIX_IN, .k = D_EMBD },
    [W_CONV]           = { "shortconv.conv",      .rows = D_CONV, .k = D_TAPS, .is_f32 = true,
                           .is_turned = true },
    [W_CONV_OUT]       = { "shortconv.out_proj",  .rows = D_EMBD, .k = D_INNER },
    [W_ATTN_QG]        = { "attn_q",              .rows = D_QG, .k = D_EMBD },
    [W_MIX_IN]         = { "attn_qkv",            .rows = D_MIX_IN, .k = D_EMBD },
    [W_MIX_GATE]       = { "attn_gate",           .rows = D_INNER, .k = D_EMBD },
    [W_SSM_CONV]       = { "ssm_conv1d",          .rows = D_CONV, .k = D_TAPS, .is_f32 = true,
                           .is_turned = true },
    [W_SSM_DT]         = { "ssm_dt", .rows = D_ONE, .k = D_VALUE_HEADS, .is_bias = true },
    [W_SSM_A]          = { "ssm_a",  .rows = D_ONE, .k = D_VALUE_HEADS, .is_bare = true },
    [W_SSM_BETA]       = { "ssm_beta",            .rows = D_VALUE_HEADS, .k = D_EMBD },
    [W_SSM_ALPHA]      = { "ssm_alpha",           .rows = D_VALUE_HEADS, .k = D_EMBD },
    [W_SSM_BA]         = { "ssm_ba",              .rows = D_BA, .k = D_EMBD },
    [W_SSM_NORM]       = { "ssm_norm",            .rows = D_ONE, .k = D_DELTA_VALUE },
    [W_SSM_OUT]        = { "ssm_out",             .rows = D_EMBD, .k = D_INNER },
    [W_CONV_Q]         = { "ssm_conv1d_q",        .rows = D_CONV, .k = D_TAPS, .is_f32 = true,
                           .is_turned = true },
    [W_CONV_K]         = { "ssm_conv1d_k",        .rows = D_CONV, .k = D_TAPS, .is_f32 = true,
                           .is_turned = true },
    [W_CONV_V]         = { "ssm_conv1d_v",        .rows = D_CONV, .k = D_TAPS, .is_f32 = true,
                           .is_turned = true },
    [W_KDA_DT]         = { "ssm_dt", .rows = D_ONE, .k = D_INNER, .is_bias = true },
    [W_KDA_F]          = { "ssm_f_a",             .rows = D_INNER, .k = D_EMBD },
    [W_KDA_G]          = { "ssm_g_a",             .rows = D_INNER, .k = D_EMBD },
    [W_STEP_IN]        = { "ssm_x",               .rows = D_RANK_DECAY, .k = D_INNER },
    [W_B_IN]           = { "ssm_x",               .rows = D_DELTA_KEY, .k = D_INNER },
    [W_C_IN]           = { "ssm_x",               .rows = D_DELTA_KEY, .k = D_INNER },
    [W_STEP]           = { "ssm_dt",              .rows = D_INNER, .k = D_RANK_DECAY },
    [W_STEP_NORM]      = { "ssm_dt_norm",         .rows = D_ONE, .k = D_RANK_DECAY },
    [W_B_NORM]         = { "ssm_b_norm",          .rows = D_ONE, .k = D_DELTA_KEY },
    [W_C_NORM]         = { "ssm_c_norm",          .rows = D_ONE, .k = D_DELTA_KEY },
    [W_STEP_LAST]      = { "ssm_x",               .rows = D_RANK_DECAY, .k = D_INNER },
    [W_HEAD_STEP]      = { "ssm_dt",              .rows = D_VALUE_HEADS, .k = D_RANK_DECAY },
    [W_HEAD_D]         = { "ssm_d",  .rows = D_ONE, .k = D_VALUE_HEADS, .is_bare = true },
    [W_CHANNEL_RATES]  = { "ssm_a", .rows = D_INNER, .k = D_DELTA_KEY, .is_f32 = true,
                           .is_turned = true, .is_bare = true },
    [W_CHANNEL_D]      = { "ssm_d", .rows = D_ONE, .k = D_INNER, .is_bare = true },
    [W_RATES]          = { "ssm_a",  .rows = D_VALUE_HEADS, .k = D_ONE, .is_f32 = true,
                           .is_bare = true },
    [W_SSM_IN]         = { "ssm_in",              .rows = D_MIX_IN, .k = D_EMBD },
    [W_SCAN_D]         = { "ssm_d", .rows = D_VALUE_HEADS, .k = D_ONE, .is_f32 = true,
                           .is_bare = true },
    [W_SCAN_NORM]      = { "ssm_norm",            .rows = D_GROUPS, .k = D_GROUP, .is_f32 = true },
    [W_SSM_F_A]        = { "ssm_f_a",             .rows = D_RANK_DECAY, .k = D_EMBD },
    [W_SSM_F_B]        = { "ssm_f_b",             .rows = D_INNER, .k = D_RANK_DECAY },
    [W_SSM_G_A]        = { "ssm_g_a",             .rows = D_RANK_GATE, .k = D_EMBD },
    [W_SSM_G_B]        = { "ssm_g_b",             .rows = D_INNER, .k = D_RANK_GATE },
    [W_TM_LERP]        = { "time_mix_lerp_fused", .rows = D_LERPS, .k = D_EMBD, .is_f32 = true },
    [W_TM_R]           = { "time_mix_receptance", .rows = D_INNER, .k = D_EMBD },
    [W_TM_K]           = { "time_mix_key",        .rows = D_KEYS, .k = D_EMBD },
    [W_TM_V]           = { "time_mix_value",      .rows = D_KEYS, .k = D_EMBD },
    [W_TM_OUT]         = { "time_mix_output",     .rows = D_EMBD, .k = D_INNER },
    [W_TM_LN]          = { "time_mix_ln",         .rows = D_ONE, .k = D_INNER },
    [W_TM_W0]          = { "time_mix_w0",         .rows = D_ONE, .k = D_INNER },
    [W_TM_W1]          = { "time_mix_w1",         .rows = D_RANK_DECAY, .k = D_EMBD },
    [W_TM_W2]          = { "time_mix_w2",         .rows = D_INNER, .k = D_RANK_DECAY },
    [W_TM_A0]          = { "time_mix_a0",         .rows = D_ONE, .k = D_INNER },
    [W_TM_A1]          = { "time_mix_a1",         .rows = D_RANK_RATE, .k = D_EMBD },
    [W_TM_A2]          = { "time_mix_a2",         .rows = D_INNER, .k = D_RANK_RATE },
    [W_TM_V0]          = { "time_mix_v0",         .rows = D_ONE, .k = D_INNER },
    [W_TM_V1]          = { "time_mix_v1",         .rows = D_RANK_VALUE, .k = D_EMBD },
    [W_TM_V2]          = { "time_mix_v2",         .rows = D_INNER, .k = D_RANK_VALUE },
    [W_TM_G1]          = { "time_mix_g1",         .rows = D_RANK_GATE, .k = D_EMBD },
    [W_TM_G2]          = { "time_mix_g2",         .rows = D_INNER, .k = D_RANK_GATE },
    [W_TM_KK]          = { "time_mix_k_k",        .rows = D_ONE, .k = D_INNER },
    [W_TM_KA]          = { "time_mix_k_a",        .rows = D_ONE, .k = D_INNER },
    [W_TM_RK]          = { "time_mix_r_k",        .rows = D_ONE, .k = D_INNER },
    [W_CM_LERP]        = { "channel_mix_lerp_k",  .rows = D_ONE, .k = D_EMBD },
    [W_CM_K]           = { "channel_mix_key",     .rows = D_FF, .k = D_EMBD },
    [W_CM_V]           = { "channel_mix_value",   .rows = D_EMBD, .k = D_FF },
    [W_TM_LERP_X]      = { "time_mix_lerp_x",     .rows = D_ONE, .k = D_EMBD },
    [W_TM_LERP_1]      = { "time_mix_w1",         .rows = D_RANKS_LERP, .k = D_EMBD },
    [W_TM_LERP_2]      = { "time_mix_w2", .rows = D_EMBD, .k = D_RANK_LERP, .slices = D_LERPS },
    [W_TM_LERP_W]      = { "time_mix_lerp_w",     .rows = D_ONE, .k = D_EMBD },
    [W_TM_LERP_K]      = { "time_mix_lerp_k",     .rows = D_ONE, .k = D_EMBD },
    [W_TM_LERP_V]      = { "time_mix_lerp_v",     .rows = D_ONE, .k = D_EMBD },
    [W_TM_LERP_R]      = { "time_mix_lerp_r",     .rows = D_ONE, .k = D_EMBD },
    [W_TM_LERP_G]      = { "time_mix_lerp_g",     .rows = D_ONE, .k = D_EMBD },
    [W_TM_DECAY]       = { "time_mix_decay",      .rows = D_ONE, .k = D_INNER },
    [W_TM_DECAY_1]     = { "time_mix_decay_w1",   .rows = D_RANK_DECAY, .k = D_EMBD },
    [W_TM_DECAY_2]     = { "time_mix_decay_w2",   .rows = D_INNER, .k = D_RANK_DECAY },
    [W_TM_FIRST]       = { "time_mix_first", .rows = D_VALUE_HEADS, .k = D_DELTA_KEY,
                           .is_f32 = true },
    [W_TM_GATE]        = { "time_mix_gate",       .rows = D_INNER, .k = D_EMBD },
    [W_CM_LERP_R]      = { "channel_mix_lerp_r",  .rows = D_ONE, .k = D_EMBD },
    [W_CM_R]           = { "channel_mix_receptance", .rows = D_EMBD, .k = D_EMBD },
    [W_ATTN_GATE]      = { "attn_gate",           .rows = D_HEADS, .k = D_EMBD },
    [W_ATTN_GATE_ALL]  = { "attn_gate",           .rows = D_ATTN, .k = D_EMBD },
    [W_SINKS]          = { "attn_sinks",          .rows = D_ONE, .k = D_HEADS },
    [W_ATTN_SUB_NORM]  = { "attn_sub_norm",       .rows = D_ONE, .k = D_ATTN },
    [W_ATTN_OUT]       = { "attn_output",         .rows = D_EMBD, .k = D_ATTN },
    [W_ATTN_OUT_NORM]  = { "attn_output_norm",    .rows = D_ONE, .k = D_EMBD },
    [W_ATTN_POST_NORM] = { "post_attention_norm", .rows = D_ONE, .k = D_EMBD },
    [W_FFN_NORM]       = { "ffn_norm",            .rows = D_ONE, .k = D_EMBD },
    [W_FFN_GATE]       = { "ffn_gate",            .rows = D_FF, .k = D_EMBD },
    [W_FFN_UP]         = { "ffn_up",              .rows = D_FF, .k = D_EMBD },
    [W_FFN_SUB_NORM]   = { "ffn_sub_norm",        .rows = D_ONE, .k = D_FF },
    [W_FFN_DOWN]       = { "ffn_down",            .rows = D_EMBD, .k = D_FF },
    [W_FFN_POST_NORM]  = { "post_ffw_norm",       .rows = D_ONE, .k = D_EMBD },
    [W_LAYER_OUT_NORM] = { "layer_output_norm",   .rows = D_ONE, .k = D_EMBD },
    [W_FFN_NORM_2]     = { "pre_ffw_norm_2",      .rows = D_ONE, .k = D_EMBD },
    [W_FFN_POST_NORM_1] = { "post_ffw_norm_1",    .rows = D_ONE, .k = D_EMBD },
    [W_FFN_POST_NORM_2] = { "post_ffw_norm_2",    .rows = D_ONE, .k = D_EMBD },
    [W_EXP_NORM]       = { "ffn_norm_exps",       .rows = D_ONE, .k = D_EMBD },
    [W_ROUTER]         = { "ffn_gate_inp",        .rows = D_EXPERTS, .k = D_EMBD },
    [W_ROUTER_NORM]    = { "ffn_gate_inp.scale",  .rows = D_ONE, .k = D_EMBD, .is_bare = true },
    [W_EXP_PROBS]      = { "exp_probs_b", .rows = D_ONE, .k = D_EXPERTS, .is_bias = true },
    [W_EXP_SCALE]      = { "ffn_down_exps.scale", .rows = D_ONE, .k = D_EXPERTS, .is_bare = true },
    [W_EXP_GATE]       = { "ffn_gate_exps",      .rows = D_FF_EXP, .k = D_EMBD,
                           .slices = D_EXPERTS },
    [W_EXP_UP]         = { "ffn_up_exps",        .rows = D_FF_EXP, .k = D_EMBD,
                           .slices = D_EXPERTS },
    [W_EXP_DOWN]       = { "ffn_down_exps",      .rows = D_EMBD, .k = D_FF_EXP,
                           .slices = D_EXPERTS },
    [W_CHUNK_GATE]     = { "ffn_gate_chexps",    .rows = D_FF_CHUNK, .k = D_EMBD,
                           .slices = D_CHUNKS },
    [W_CHUNK_UP]       = { "ffn_up_chexps",      .rows = D_FF_CHUNK, .k = D_EMBD,
                           .slices = D_CHUNKS },
    [W_CHUNK_DOWN]     = { "ffn_down_chexps",    .rows = D_EMBD, .k = D_FF_CHUNK,
                           .slices = D_CHUNKS },
    [W_SH_ROUTER]      = { "ffn_gate_inp_shexp",  .rows = D_ONE, .k = D_EMBD },
    [W_SH_GATE]        = { "ffn_gate_shexp",      .rows = D_FF_SHARED, .k = D_EMBD },
    [W_SH_UP]          = { "ffn_up_shexp",        .rows = D_FF_SHARED, .k = D_EMBD },
    [W_SH_DOWN]        = { "ffn_down_shexp",      .rows = D_EMBD, .k = D_FF_SHARED },
    [W_LE_GATE]        = { "inp_gate",            .rows = D_LAYER_EMBD, .k = D_EMBD },
    [W_LE_OUT]         = { "proj",                .rows = D_EMBD, .k = D_LAYER_EMBD },
    [W_LE_POST_NORM]   = { "post_norm",           .rows = D_ONE, .k = D_EMBD },
    [W_LAYER_SCALE]    = { "layer_output_scale",  .rows = D_ONE, .k = D_ONE },
    [W_STREAM_NORM]    = { "altup_router_norm",   .rows = D_ONE, .k = D_EMBD },
    [W_STREAM_ROUTER]  = { "altup_router",        .rows = D_STREAMS, .k = D_EMBD },
    [W_STREAM_PREDICT] = { "altup_predict_coef", .rows = D_STREAMS_SQR, .k = D_STREAMS,
                           .is_f32 = true },
    [W_STREAM_CORRECT] = { "altup_correct_coef", .rows = D_STREAMS, .k = D_STREAMS,
                           .is_f32 = true },
    [W_STREAM_SCALE]   = { "altup_correct_scale", .rows = D_ONE, .k = D_EMBD },
    [W_LAUREL_IN]      = { "laurel_l",            .rows = D_LAUREL, .k = D_EMBD },
    [W_LAUREL_OUT]     = { "laurel_r",            .rows = D_EMBD, .k = D_LAUREL },
    [W_LAUREL_NORM]    = { "laurel_post_norm",    .rows = D_ONE, .k = D_EMBD },
    [W_TOK_EMBD]       = { "token_embd",          .rows = D_VOCAB, .k = D_EMBD },
    [W_LE_EMBD]        = { "per_layer_token_embd", .rows = D_VOCAB, .k = D_LAYERS_EMBD },
    [W_LE_PROJ]        = { "per_layer_model_proj", .rows = D_LAYERS_EMBD, .k = D_EMBD },
    [W_LE_PROJ_NORM]   = { "per_layer_proj_norm", .rows = D_ONE, .k = D_LAYER_EMBD },
    [W_STREAM_IN]      = { "altup_proj",        .rows = D_EMBD, .k = D_EMBD,
                           .slices = D_MORE_STREAMS },
    [W_STREAM_OUT]     = { "altup_unembd_proj", .rows = D_EMBD, .k = D_EMBD,
                           .slices = D_MORE_STREAMS },
    [W_POS_EMBD]       = { "position_embd",       .rows = D_CTX, .k = D_EMBD, .is_f32 = true },
    [W_EMBD_NORM]      = { "token_embd_norm",     .rows = D_ONE, .k = D_EMBD },
    [W_OUT_NORM]       = { "output_norm",         .rows = D_ONE, .k = D_EMBD },
    [W_OUTPUT]         = { "output",              .rows = D_VOCAB, .k = D_EMBD },
    [W_ROPE_FREQS]     = { "rope_freqs",          .rows = D_ONE, .k = D_HALF_ROT },
    [W_ROPE_LONG]      = { "rope_factors_long",   .rows = D_ONE, .k = D_HALF_ROT },
    [W_ROPE_SHORT]     = { "rope_factors_short",  .rows = D_ONE, .k = D_HALF_ROT },
    [W_ONES]           = { "", .rows = D_ONE, .k = D_EMBD },
};

static const fused_roles fused[] = {
    { "attn_qkv", 3, { W_ATTN_Q, W_ATTN_K, W_ATTN_V } },
    { "ffn_up", 2, { W_FFN_GATE, W_FFN_UP } }, /* where it is as long as both */
    { "ssm_x", 3, { W_STEP_IN, W_B_IN, W_C_IN } },
    { "ssm_x", 3, { W_B_IN, W_C_IN, W_STEP_LAST } },
    { "ffn_up_shexp", 2, { W_SH_GATE, W_SH_UP } }, /* likewise */
    { "ffn_gate_up_exps", 2, { W_EXP_GATE, W_EXP_UP } }, /* of each expert */
};
enum { N_FUSED = sizeof fused / sizeof fused[0] };

/* Tensors that old converters wrote and nothing reads. */
static const char *const ignored[] = { "attn_rot_embd", "attn.rotary_emb.inv_freq" };

/* What recurrent layers have under the names of attention is of their own length. */
int64_t role_size(const hparams *hp, int il, role_dim d)
{
    const hparams_layer *l = &hp->layer[il < 0 ? 0 : il];
    bool is_attention = d == D_Q || d == D_K || d == D_V || d == D_ATTN;
    if (is_attention && l->n_state > 0 && l->n_head == 0) return hp->n_inner;
    switch (d) {
    case D_ONE: return 1;
    case D_EMBD: return hp->n_embd;
    case D_Q: return (int64_t)l->n_head * l->head_dim;
    case D_K: return (int64_t)l->n_kv_head * l->head_dim;
    case D_V: return (int64_t)l->n_kv_head * l->value_dim;
    case D_ATTN: return (int64_t)l->n_head * l->value_dim;
    case D_HEADS: return l->n_head;
    case D_KV_HEADS: return l->n_kv_head;
    case D_HEAD: return l->head_dim;
    case D_FF: return l->n_ff;
    case D_VOCAB: return hp->n_vocab;
    case D_CTX: return hp->n_ctx_train;
    case D_HALF_ROT: return (hp->n_rot > hp->n_rot_local ? hp->n_rot : hp->n_rot_local) / 2;
    case D_NOPE: return l->head_dim - hp->n_rot;
    case D_VALUE: return l->value_dim;
    case D_Q_LORA: return hp->q_lora_rank;
    case D_KV_LORA: return hp->kv_lora_rank;
    case D_KV_A: return hp->kv_lora_rank + hp->n_rot;
    case D_KV_B: return (int64_t)l->n_head * (l->head_dim - hp->n_rot + l->value_dim);
    case D_EXPERTS: return hp->n_expert;
    case D_FF_EXP: return hp->n_ff_exp;
    case D_FF_SHARED: return hp->n_ff_shexp;
    case D_LAYER_EMBD: return hp->n_embd_layer;
    case D_LAYERS_EMBD: return (int64_t)hp->n_layer * hp->n_embd_layer;
    case D_STREAMS: return hp->n_stream;
    case D_STREAMS_SQR: return (int64_t)hp->n_stream * hp->n_stream;
    case D_MORE_STREAMS: return hp->n_stream - 1;
    case D_LAUREL: return hp->laurel_rank;
    case D_CONV: return hp->n_conv;
    case D_TAPS: return hp->n_tap;
    case D_MIX_IN: return hp->n_mix_in;
    case D_INNER: return hp->n_inner;
    case D_QG: return (int64_t)l->n_head * 2 * l->head_dim;
    case D_VALUE_HEADS: return hp->n_value_head;
    case D_BA: return 2 * (int64_t)hp->n_value_head;
    case D_DELTA_VALUE: return hp->delta_value_dim;
    case D_DELTA_KEY: return hp->delta_key_dim;
    case D_GROUPS: return hp->n_key_head;
    case D_GROUP: return hp->n_inner / hp->n_key_head;
    case D_RANK_DECAY: return hp->rank_decay;
    case D_RANK_RATE: return hp->rank_rate;
    case D_RANK_VALUE: return hp->rank_value;
    case D_RANK_GATE: return hp->rank_gate;
    case D_KEYS: return (int64_t)hp->n_key_head * hp->delta_key_dim;
    case D_LERPS: return hp->n_lerp;
    case D_RANK_LERP: return hp->rank_lerp;
    case D_RANKS_LERP: return (int64_t)hp->n_lerp * hp->rank_lerp;
    case D_CHUNKS: return hp->n_chunk;
    case D_FF_CHUNK: return hp->n_ff_chunk;
    }
    return 0;
}

const char *role_name(lory_role role, int il, char *name, size_t cap)
{
    const role_row *row = &role_table[role];
    const char *end = row->is_bare ? "" : row->is_bias ? ".bias" : ".weight";
    if (role < W_LAYER_COUNT) snprintf(name, cap, "blk.%d.%s%s", il, row->name, end);
    else snprintf(name, cap, "%s%s", row->name, end);
    return name;
}

static bool strip(gguf_str *s, const char *end)
{
    size_t n = strlen(end);
    if (s->n < n || memcmp(s->s + s->n - n, end, n) != 0) return false;
    s->n -= n;
    return true;
}

/* Takes "blk.12." off the front and returns 12, else -1. */
static int take_layer(gguf_str *s)
{
    int il = 0;
    size_t i = 4;
    if (s->n < 6 || memcmp(s->s, "blk.", 4) != 0) return -1;
    while (i < s->n && s->s[i] >= '0' && s->s[i] <= '9' && il < 100000)
        il = il * 10 + (s->s[i++] - '0');
    if (i == 4 || i == s->n || s->s[i] != '.') return -1;
    s->s += i + 1;
    s->n -= i + 1;
    return il;
}

tensor_place roles_place(gguf_str name, role_set wanted)
{
    tensor_place p = { .role = W_NONE };
    p.is_bias = strip(&name, ".bias");
    if (!p.is_bias) strip(&name, ".weight");
    p.il = take_layer(&name);
    p.base = name;
    for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++)
        if (gguf_str_is(name, ignored[i])) p.is_ignored = true;
    int first = p.il >= 0 ? 0 : W_LAYER_COUNT, end = p.il >= 0 ? W_LAYER_COUNT : W_COUNT;
    for (int role = first; role < end; role++)
        if (role_in(wanted, role) && gguf_str_is(name, role_table[role].name))
            p.role = (lory_role)role;
    return p;
}

bool roles_is_index(const hparams *hp, const tensor_place *p)
{
    static const char start[] = "indexer.";
    return hp->ctx_is_limit && p->base.n >= sizeof start
           && memcmp(p->base.s, start, sizeof start - 1) == 0;
}

const fused_roles *roles_find_fused(const hparams *hp, const tensor_place *p, int64_t n_rows,
                                    role_set wanted)
{
    for (int i = 0; i < N_FUSED && p->il >= 0; i++) {
        int64_t n_all = 0;
        bool all = true;
        for (int j = 0; j < fused[i].n_parts; j++) {
            n_all += role_size(hp, p->il, role_table[fused[i].part[j]].rows);
            all &= role_in(wanted, fused[i].part[j]);
        }
        if (all && gguf_str_is(p->base, fused[i].name) && n_all == n_rows) return &fused[i];
    }
    return NULL;
}

int roles_of_tensor(const hparams *hp, role_set wanted, gguf_str name, int64_t n_rows, int *il,
                    lory_role part[ROLES_MAX_PARTS])
{
    tensor_place p = roles_place(name, wanted);
    *il = p.il < 0 ? 0 : p.il;
    if (p.is_bias || p.is_ignored || p.il >= hp->n_layer) return 0;
    const fused_roles *parts = roles_find_fused(hp, &p, n_rows, wanted);
    part[0] = p.role;
    if (parts) memcpy(part, parts->part, sizeof parts->part);
    return parts ? parts->n_parts : p.role != W_NONE;
}

bool roles_know(const hparams *hp, role_set wanted, const gguf_tensor *t)
{
    tensor_place p = roles_place(t->name, wanted);
    if (p.is_ignored || (hp && roles_is_index(hp, &p))) return true;
    if (hp && p.il >= hp->n_layer) return false;
    bool is_fused = hp && roles_find_fused(hp, &p, t->ne[p.is_bias ? 0 : 1], wanted);
    for (int i = 0; !hp && i < N_FUSED; i++) is_fused |= gguf_str_is(p.base, fused[i].name);
    return is_fused || p.role != W_NONE;
}
