/* weights.c - see weights.h. Names: GGUF's standard tensor names. */
#include "model/weights.h"
#include "base/err.h"
#include <stdio.h>
#include <string.h>

/* Sizes by name, so that the table reads as shapes. */
typedef enum {
    D_ONE, D_EMBD, D_Q, D_K, D_V, D_ATTN, D_HEADS, D_KV_HEADS, D_HEAD, D_FF, D_VOCAB, D_CTX,
    D_HALF_ROT, D_NOPE, D_VALUE, D_Q_LORA, D_KV_LORA, D_KV_A, D_KV_B, D_EXPERTS, D_FF_EXP,
    D_FF_SHARED, D_LAYER_EMBD, D_LAYERS_EMBD, D_STREAMS, D_STREAMS_SQR, D_MORE_STREAMS, D_LAUREL,
    D_CONV, D_TAPS, D_MIX_IN, D_INNER, D_QG, D_VALUE_HEADS, D_BA, D_DELTA_VALUE, D_GROUPS,
    D_GROUP, D_RANK_DECAY, D_RANK_RATE, D_RANK_VALUE, D_RANK_GATE, D_LERPS, D_DELTA_KEY,
    D_CHUNKS, D_FF_CHUNK,
} dim;

typedef struct {
    const char *name; /* a layer's: what follows "blk.N." */
    dim rows, k;      /* rows D_ONE: a vector [k] */
    dim slices;       /* D_EXPERTS: [n_expert, rows, k] */
    bool is_f32;      /* its rows serve as f32, like a vector */
    bool is_turned;   /* and as columns: [k, rows] */
    bool is_bare;     /* the name has no ".weight" behind it */
    bool is_bias;     /* the file has a bias of that name, and no weight */
} role_row;

static const role_row roles[W_COUNT] = {
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
    [W_TM_K]           = { "time_mix_key",        .rows = D_INNER, .k = D_EMBD },
    [W_TM_V]           = { "time_mix_value",      .rows = D_INNER, .k = D_EMBD },
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

/* Tensors that hold the rows of several roles, one role after the other. */
typedef struct {
    const char *name;
    int n_parts;
    lory_role part[WEIGHTS_MAX_PARTS];
} fused_row;

static const fused_row fused[] = {
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

/* A size in layer il; of those of the whole model il is any. What recurrent layers have under the
 * names of attention is of their own length. */
static int64_t dim_of(const hparams *hp, int il, dim d)
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
    case D_LERPS: return 6;
    case D_CHUNKS: return hp->n_chunk;
    case D_FF_CHUNK: return hp->n_ff_chunk;
    }
    return 0;
}

const char *weights_name(lory_role role, int il, char *name, size_t cap)
{
    const char *end = roles[role].is_bare ? "" : roles[role].is_bias ? ".bias" : ".weight";
    if (role < W_LAYER_COUNT) snprintf(name, cap, "blk.%d.%s%s", il, roles[role].name, end);
    else snprintf(name, cap, "%s%s", roles[role].name, end);
    return name;
}

static size_t index_of(int il, lory_role role)
{
    return (size_t)il * W_LAYER_COUNT + role;
}

const weight *weights_get(const weights *w, int il, lory_role role)
{
    return role < W_LAYER_COUNT ? &w->layer[index_of(il % w->n_layer, role)]
                                : &w->global[role - W_LAYER_COUNT];
}

bool weights_has(const weights *w, int il, lory_role role)
{
    const weight *one = weights_get(w, il, role);
    return roles[role].is_bias ? one->bias != NULL : one->data != NULL;
}

lory_role weights_role_of(const weights *w, int n_layer, const weight *one)
{
    bool is_layers = one >= w->layer && one < w->layer + index_of(n_layer, (lory_role)0);
    return (lory_role)(is_layers ? (one - w->layer) % W_LAYER_COUNT
                                 : one - w->global + W_LAYER_COUNT);
}

/* What a tensor's name says. */
typedef struct {
    gguf_str base;  /* without "blk.N." and ".weight" or ".bias" */
    lory_role role; /* W_NONE: no wanted role has this name */
    int il;         /* -1: not a layer's */
    bool is_bias, is_ignored;
    const fused_row *fused; /* several roles in one, by bind_one; or NULL */
    int expert;             /* of a role in pieces, by bind_tensor */
} place;

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

static place place_of(gguf_str name, role_set wanted)
{
    place p = { .role = W_NONE };
    p.is_bias = strip(&name, ".bias");
    if (!p.is_bias) strip(&name, ".weight");
    p.il = take_layer(&name);
    p.base = name;
    for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++)
        if (gguf_str_is(name, ignored[i])) p.is_ignored = true;
    int first = p.il >= 0 ? 0 : W_LAYER_COUNT, end = p.il >= 0 ? W_LAYER_COUNT : W_COUNT;
    for (int role = first; role < end; role++)
        if (role_in(wanted, role) && gguf_str_is(name, roles[role].name)) p.role = (lory_role)role;
    return p;
}

/* Of what chooses the positions that attention sees in longer texts than are run. */
static bool is_index(const hparams *hp, const place *p)
{
    static const char start[] = "indexer.";
    return hp->ctx_is_limit && p->base.n >= sizeof start
           && memcmp(p->base.s, start, sizeof start - 1) == 0;
}

/* slices 1: a matrix. */
static bool check_shape(const gguf *g, const gguf_tensor *t, int64_t k, int64_t n_rows,
                        int64_t slices, lory_err *err)
{
    if (t->ne[0] == k && t->ne[1] == n_rows && t->ne[2] == slices && t->ne[3] == 1) return true;
    return err_set(err, LORY_E_FORMAT,
                   "%s: tensor %.*s has shape [%lld, %lld, %lld, %lld] "
                   "(expected [%lld, %lld, %lld])",
                   gguf_path(g), (int)t->name.n, t->name.s, (long long)t->ne[0],
                   (long long)t->ne[1], (long long)t->ne[2], (long long)t->ne[3], (long long)k,
                   (long long)n_rows, (long long)slices);
}

/* Rows of floats may have dimensions of 1 before them: [k, 1, n_rows]. */
static bool is_spread(const gguf_tensor *t, const role_row *row, const weight *w)
{
    int last = t->ne[3] > 1 ? 3 : t->ne[2] > 1 ? 2 : 1;
    for (int i = 1; i < last; i++)
        if (t->ne[i] != 1) return false;
    return row->is_f32 && t->ne[0] == w->k && t->ne[last] == w->n_rows;
}

/* The tensor's values as f32: in place, or converted into the arena. */
static const float *floats_of(weights *w, const gguf *g, const gguf_tensor *t, lory_err *err)
{
    if (t->type == QT_F32) return t->data;
    /* as many as the file holds: no overflow */
    int64_t n = t->ne[0] * t->ne[1] * t->ne[2] * t->ne[3];
    float *v = arena_new(&w->arena, (size_t)n, sizeof *v);
    if (v) qtypes[t->type].to_f32(n, t->data, v);
    else err_set(err, LORY_E_MEMORY, "%s: no memory for tensor %.*s", gguf_path(g),
                 (int)t->name.n, t->name.s);
    return v;
}

/* Rows of f32 as columns, in the arena. */
static const float *turned(weights *w, const gguf *g, const weight *rows, lory_err *err)
{
    size_t n_rows = (size_t)rows->n_rows, k = (size_t)rows->k;
    const float *from = rows->data;
    float *v = from ? arena_new(&w->arena, n_rows * k, sizeof *v) : NULL;
    if (from && !v) err_set(err, LORY_E_MEMORY, "%s: no memory", gguf_path(g));
    for (size_t i = 0; v && i < n_rows * k; i++) v[i % k * n_rows + i / k] = from[i];
    return v;
}

static weight *slot_of(weights *w, int il, lory_role role)
{
    return role < W_LAYER_COUNT ? &w->layer[index_of(il, role)] : &w->global[role - W_LAYER_COUNT];
}

static void set_shape(weight *to, const hparams *hp, int il, lory_role role)
{
    to->n_rows = (int)dim_of(hp, il, roles[role].rows);
    to->k = (int)dim_of(hp, il, roles[role].k);
}

/* The fused row of that name and length in rows, or NULL. */
static const fused_row *find_fused(const hparams *hp, const place *p, int64_t n_rows,
                                   role_set wanted)
{
    for (int i = 0; i < N_FUSED && p->il >= 0; i++) {
        int64_t n_all = 0;
        bool all = true;
        for (int j = 0; j < fused[i].n_parts; j++) {
            n_all += dim_of(hp, p->il, roles[fused[i].part[j]].rows);
            all &= role_in(wanted, fused[i].part[j]);
        }
        if (all && gguf_str_is(p->base, fused[i].name) && n_all == n_rows) return &fused[i];
    }
    return NULL;
}

int weights_roles(const hparams *hp, role_set wanted, gguf_str name, int64_t n_rows, int *il,
                  lory_role part[WEIGHTS_MAX_PARTS])
{
    place p = place_of(name, wanted);
    *il = p.il < 0 ? 0 : p.il;
    if (p.is_bias || p.is_ignored || p.il >= hp->n_layer) return 0;
    const fused_row *parts = find_fused(hp, &p, n_rows, wanted);
    part[0] = p.role;
    if (parts) memcpy(part, parts->part, sizeof parts->part);
    return parts ? parts->n_parts : p.role != W_NONE;
}

bool weights_has_role(const hparams *hp, role_set wanted, const gguf_tensor *t)
{
    place p = place_of(t->name, wanted);
    if (p.is_ignored || (hp && is_index(hp, &p))) return true;
    if (hp && p.il >= hp->n_layer) return false;
    bool is_fused = hp && find_fused(hp, &p, t->ne[p.is_bias ? 0 : 1], wanted);
    for (int i = 0; !hp && i < N_FUSED; i++) is_fused |= gguf_str_is(p.base, fused[i].name);
    return is_fused || p.role != W_NONE;
}

/* Where each expert's rows are, `at` bytes into what the tensor has of it. */
static bool slice_experts(weights *w, const gguf *g, weight *to, const gguf_tensor *t, size_t at,
                          lory_err *err)
{
    size_t n = (size_t)t->ne[2], expert_bytes = t->n_bytes / n;
    const void **slice = arena_new(&w->arena, n, sizeof *slice);
    if (!slice) return err_set(err, LORY_E_MEMORY, "%s: no memory", gguf_path(g));
    for (size_t i = 0; i < n; i++)
        slice[i] = (const unsigned char *)t->data + i * expert_bytes + at;
    to->slice = slice;
    to->data = slice[0];
    return true;
}

/* Each expert's rows are those of its group. */
static bool slice_chunks(weights *w, const gguf *g, const hparams *hp, weight *to,
                         const gguf_tensor *t, lory_err *err)
{
    size_t n = (size_t)hp->n_expert, chunk_bytes = t->n_bytes / (size_t)hp->n_chunk;
    const void **slice = arena_new(&w->arena, n, sizeof *slice);
    if (!slice) return err_set(err, LORY_E_MEMORY, "%s: no memory", gguf_path(g));
    for (size_t i = 0; i < n; i++)
        slice[i] = (const unsigned char *)t->data + i * (size_t)hp->n_chunk / n * chunk_bytes;
    to->slice = slice;
    return true;
}

/* Each part is a view of its rows, of every expert. */
static bool bind_fused(weights *w, const gguf *g, const hparams *hp, const place *p,
                       const gguf_tensor *t, lory_err *err)
{
    const fused_row *row = p->fused;
    const float *bias = p->is_bias ? floats_of(w, g, t, err) : NULL;
    int64_t k = p->is_bias ? 1 : dim_of(hp, p->il, roles[row->part[0]].k);
    int64_t slices = dim_of(hp, p->il, roles[row->part[0]].slices);
    if (p->is_bias ? !bias || !check_shape(g, t, t->ne[0], 1, 1, err)
                   : !check_shape(g, t, k, t->ne[1], slices, err))
        return false;
    size_t at = 0;
    for (int i = 0; i < row->n_parts; i++) {
        weight *to = slot_of(w, p->il, row->part[i]);
        set_shape(to, hp, p->il, row->part[i]);
        if (p->is_bias) {
            to->bias = bias;
            bias += to->n_rows;
            continue;
        }
        to->type = t->type;
        to->row_bytes = qtype_row_bytes(t->type, to->k);
        to->data = (const unsigned char *)t->data + at;
        if (slices > 1 && !slice_experts(w, g, to, t, at, err)) return false;
        at += (size_t)to->n_rows * to->row_bytes;
    }
    return true;
}

/* Files may hold keys' and values' products of layers that don't use theirs. */
static bool is_unused_kv(const hparams *hp, const place *p)
{
    if (p->il < 0 || p->il >= hp->n_layer || hp->layer[p->il].kv_layer == p->il) return false;
    return p->role == W_ATTN_K || p->role == W_ATTN_V || p->role == W_K_NORM;
}

/* Files may hold what the first layer would mix its values by, with others' sizes. */
static bool is_unused_mix(const place *p)
{
    return p->il == 0 && p->role >= W_TM_V0 && p->role <= W_TM_V2;
}

static bool bind_one(weights *w, const gguf *g, const hparams *hp, role_set wanted,
                     const gguf_tensor *t, lory_err *err)
{
    place p = place_of(t->name, wanted);
    bool is_more = p.il >= hp->n_layer && p.il < hp->n_layer + hp->n_layer_more;
    if (p.is_ignored || is_more || is_unused_kv(hp, &p) || is_unused_mix(&p)
        || is_index(hp, &p))
        return true;
    int64_t n_rows = t->ne[p.is_bias ? 0 : 1];
    if (p.il < hp->n_layer) p.fused = find_fused(hp, &p, n_rows, wanted);
    if (p.fused) return bind_fused(w, g, hp, &p, t, err);
    if (p.role == W_NONE || p.il >= hp->n_layer || (roles[p.role].is_bias && !p.is_bias))
        return err_set(err, LORY_E_UNSUPPORTED,
                       "%s: tensor %.*s is not part of this architecture as lory knows it",
                       gguf_path(g), (int)t->name.n, t->name.s);
    const role_row *row = &roles[p.role];
    weight *to = slot_of(w, p.il, p.role);
    bool is_vector = row->rows == D_ONE;
    int64_t slices = dim_of(hp, p.il, row->slices);
    if (to->slice)
        return err_set(err, LORY_E_FORMAT, "%s: %.*s is there whole and in pieces",
                       gguf_path(g), (int)t->name.n, t->name.s);
    set_shape(to, hp, p.il, p.role);
    if (p.is_bias && row->is_f32 && !row->is_turned)
        return check_shape(g, t, to->k, to->n_rows, 1, err)
               && (to->bias = floats_of(w, g, t, err)) != NULL;
    if (p.is_bias)
        return check_shape(g, t, is_vector ? to->k : to->n_rows, slices, 1, err)
               && (to->bias = floats_of(w, g, t, err)) != NULL;
    if (!is_spread(t, row, to) && !check_shape(g, t, to->k, to->n_rows, slices, err))
        return false;
    bool is_f32 = is_vector || row->is_f32;
    to->type = is_f32 ? QT_F32 : t->type;
    to->row_bytes = qtype_row_bytes(to->type, to->k);
    to->data = is_f32 ? (const void *)floats_of(w, g, t, err) : t->data;
    if (row->is_turned) to->data = turned(w, g, to, err);
    if (row->slices == D_CHUNKS && !slice_chunks(w, g, hp, to, t, err)) return false;
    return to->data != NULL;
}

/* ---- tensors in pieces ----------------------------------------------------------------------- */

/* Files of the first Mixtral have a tensor for each expert: "blk.0.ffn_gate.7.weight". The role,
 * and the expert's number; W_NONE: the name is not of that kind. */
static lory_role role_of_expert(gguf_str base, role_set wanted, int *expert)
{
    static const struct {
        const char *start;
        lory_role role;
    } rows[] = {
        { "ffn_gate.", W_EXP_GATE }, { "ffn_up.", W_EXP_UP }, { "ffn_down.", W_EXP_DOWN },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t n = strlen(rows[i].start);
        if (base.n <= n || base.n > n + 4 || memcmp(base.s, rows[i].start, n) != 0
            || !role_in(wanted, rows[i].role))
            continue;
        for (*expert = 0; n < base.n && base.s[n] >= '0' && base.s[n] <= '9'; n++)
            *expert = *expert * 10 + (base.s[n] - '0');
        if (n == base.n) return rows[i].role;
    }
    return W_NONE;
}

static bool bind_expert(weights *w, const gguf *g, const hparams *hp, const place *p,
                        const gguf_tensor *t, lory_err *err)
{
    weight *to = slot_of(w, p->il, p->role);
    if (p->expert >= hp->n_expert || p->is_bias || (to->data && !to->slice))
        return err_set(err, LORY_E_FORMAT, "%s: tensor %.*s is of no expert of %d",
                       gguf_path(g), (int)t->name.n, t->name.s, hp->n_expert);
    set_shape(to, hp, p->il, p->role);
    if (!check_shape(g, t, to->k, to->n_rows, 1, err)) return false;
    if (to->slice && to->type != t->type)
        return err_set(err, LORY_E_UNSUPPORTED, "%s: tensor %.*s has not the type of its like",
                       gguf_path(g), (int)t->name.n, t->name.s);
    const void **slices = to->slice ? (const void **)to->slice
                                    : arena_new(&w->arena, (size_t)hp->n_expert, sizeof *slices);
    if (!slices) return err_set(err, LORY_E_MEMORY, "%s: no memory", gguf_path(g));
    slices[p->expert] = t->data;
    to->slice = slices;
    to->type = t->type;
    to->row_bytes = qtype_row_bytes(t->type, to->k);
    to->data = t->data;
    return true;
}

static bool check_experts(const weights *w, const gguf *g, const hparams *hp, lory_err *err)
{
    for (int il = 0; il < hp->n_layer; il++)
        for (int role = W_EXP_GATE; role <= W_EXP_DOWN; role++) {
            const weight *x = weights_get(w, il, (lory_role)role);
            for (int i = 0; x->slice && i < hp->n_expert; i++)
                if (!x->slice[i])
                    return err_set(err, LORY_E_FORMAT, "%s: layer %d lacks expert %d of %s",
                                   gguf_path(g), il, i, roles[role].name);
        }
    return true;
}

/* ---- all ------------------------------------------------------------------------------------- */

static bool bind_tensor(weights *w, const gguf *g, const hparams *hp, role_set wanted,
                        const gguf_tensor *t, lory_err *err)
{
    place p = place_of(t->name, wanted);
    if (p.il >= w->n_layer && p.il < hp->n_layer)
        return err_set(err, LORY_E_FORMAT, "%s: tensor %.*s is of a layer beyond the %d of a loop",
                       gguf_path(g), (int)t->name.n, t->name.s, w->n_layer);
    if (p.role == W_NONE && p.il >= 0 && p.il < hp->n_layer) {
        p.role = role_of_expert(p.base, wanted, &p.expert);
        if (p.role != W_NONE) return bind_expert(w, g, hp, &p, t, err);
    }
    return bind_one(w, g, hp, wanted, t, err);
}

/* The norms of what a scan reads, where all count 1. */
static void use_ones(weights *w, const hparams *hp, const float *ones)
{
    for (int il = 0; il < w->n_layer; il++)
        for (int role = W_STEP_NORM; role <= W_C_NORM; role++) {
            weight *to = slot_of(w, il, (lory_role)role);
            if (to->data) continue;
            set_shape(to, hp, il, (lory_role)role);
            to->data = ones;
        }
}

static bool make_ones(weights *w, const hparams *hp, const gguf *g, lory_err *err)
{
    weight *ones = slot_of(w, 0, W_ONES);
    int n = hp->n_embd > hp->head_dim ? hp->n_embd : hp->head_dim;
    if (hp->has_unit_steps && n < hp->rank_decay) n = hp->rank_decay;
    if (hp->has_unit_steps && n < hp->delta_key_dim) n = hp->delta_key_dim;
    float *v = arena_new(&w->arena, (size_t)n, sizeof *v);
    if (!v) return err_set(err, LORY_E_MEMORY, "%s: no memory", gguf_path(g));
    for (int i = 0; i < n; i++) v[i] = 1.0f;
    set_shape(ones, hp, 0, W_ONES);
    ones->data = v;
    if (hp->has_unit_steps) use_ones(w, hp, v);
    return true;
}

bool weights_bind(weights *w, const gguf *g, const hparams *hp, role_set wanted, lory_err *err)
{
    *w = (weights){ .n_layer = hp->n_layer / hp->n_loop };
    w->layer = mem_new(index_of(w->n_layer, 0), sizeof *w->layer);
    bool ok = w->layer || err_set(err, LORY_E_MEMORY, "%s: no memory for %d layers", gguf_path(g),
                                  w->n_layer);
    for (size_t i = 0; ok && i < g->n_tensors; i++)
        ok = bind_tensor(w, g, hp, wanted, &g->tensors[i], err);
    if (ok) ok = check_experts(w, g, hp, err);
    if (ok && (role_in(wanted, W_ONES) || hp->has_unit_steps)) ok = make_ones(w, hp, g, err);
    if (!ok) {
        weights_free(w);
        return false;
    }
    weight *output = slot_of(w, 0, W_OUTPUT);
    if (!output->data) { /* tied to the token embedding */
        const float *bias = output->bias;
        *output = *slot_of(w, 0, W_TOK_EMBD);
        output->bias = bias;
    }
    return true;
}

void weights_free(weights *w)
{
    mem_free(w->layer);
    arena_free(&w->arena);
    *w = (weights){ 0 };
}
