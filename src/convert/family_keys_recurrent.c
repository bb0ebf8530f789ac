/* family_keys_recurrent.c - see families.h: the same as family_keys.c, of families with recurrent
 * layers. */
#include "convert/families.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static bool has_number(const json *list, int64_t n)
{
    for (const json *j = list ? list->first : NULL; j; j = j->next)
        if (j->i == n) return true;
    return false;
}

/* ---- LFM2 ------------------------------------------------------------------------------------ */

void shape_lfm2(config *c, hf_shape *s)
{
    (void)c;
    s->lacks_parts = true;
}

/* A number for each layer: n where it has that type, of those that the config may list. */
static void put_by_type(config *c, const char *key, const char *type, int64_t n,
                        const char *others)
{
    const json *types = config_find(c, "layer_types layers_block_type");
    const json *j = types ? types->first : NULL;
    int64_t n_layer = config_int(c, "num_hidden_layers", CONFIG_NEEDED);
    int32_t values[CONFIG_MAX_LAYER];
    char name[64];
    if (n_layer > CONFIG_MAX_LAYER || !types || (int64_t)types->n != n_layer) {
        config_wrong(c, LORY_E_FORMAT, "config.json has no \"layer_types\" for each layer");
        return;
    }
    for (int64_t il = 0; il < n_layer; il++, j = j->next) {
        values[il] = json_str_is(j, type) ? (int32_t)n : 0;
        if (!json_str_is(j, type) && !json_str_is(j, others))
            config_wrong(c, LORY_E_UNSUPPORTED, "a layer type that is neither %s nor %s is not "
                                                "known of %s", others, type, c->arch);
    }
    snprintf(name, sizeof name, "%s.%s", c->arch, key);
    gguf_put_i32s(c->w, name, values, (size_t)n_layer);
}

/* Layers that are convolutions have no heads of keys. Which attend is said layer by layer, or in a
 * list of their numbers. */
static void put_lfm2_heads(config *c, const hf_shape *s)
{
    const json *attending = config_find(c, "full_attn_idxs");
    int32_t n_kv_head[CONFIG_MAX_LAYER];
    char key[64];
    if (config_find(c, "layer_types")) {
        put_by_type(c, "attention.head_count_kv", "full_attention", s->n_kv_head, "conv");
        return;
    }
    if (s->n_layer > CONFIG_MAX_LAYER) {
        config_wrong(c, LORY_E_FORMAT, "config.json has too many layers");
        return;
    }
    for (int64_t il = 0; il < s->n_layer; il++)
        n_kv_head[il] = !attending || has_number(attending, il) ? (int32_t)s->n_kv_head : 0;
    snprintf(key, sizeof key, "%s.attention.head_count_kv", c->arch);
    gguf_put_i32s(c->w, key, n_kv_head, (size_t)s->n_layer);
}

/* What the number of the config comes to, by rules that it names. */
static int64_t lfm2_width(config *c)
{
    int64_t n = config_int(c, "block_ff_dim intermediate_size", CONFIG_NEEDED);
    int64_t unit = config_int(c, "block_multiple_of", 256);
    double factor = config_num(c, "block_ffn_dim_multiplier", 1.0);
    if (!config_bool(c, "block_auto_adjust_ff_dim", true)) return n;
    if (!(factor > 0.0 && factor < 1e3) || unit < 1) {
        config_wrong(c, LORY_E_FORMAT, "config.json has a block_ffn_dim_multiplier or "
                                       "block_multiple_of of no use");
        return 0;
    }
    n = (int64_t)(factor * (double)(2 * n / 3));
    return (n + unit - 1) / unit * unit;
}

/* What both kinds have; intermediate_size is put by each. */
static void put_lfm2(config *c, const hf_shape *s)
{
    config_one_of(c, "activation", "hidden_act", "silu", "silu");
    if (config_bool(c, "conv_bias", false))
        config_wrong(c, LORY_E_UNSUPPORTED,
                     "biases of convolutions (conv_bias) are not known of %s", c->arch);
    keys_put_sizes(c, s);
    put_lfm2_heads(c, s);
    config_put_num(c, "rope.freq_base", keys_rope_theta(c, config_num(c, "theta", 1e6)));
    config_copy_num(c, "attention.layer_norm_rms_epsilon", "norm_eps", 1e-5);
    config_copy_int(c, "vocab_size", "vocab_size", CONFIG_NEEDED);
    config_copy_int(c, "shortconv.l_cache", "conv_L_cache", 3);
    keys_put_head_dim(c);
    keys_put_rope_scaling(c);
}

void keys_lfm2(config *c, const hf_shape *s)
{
    put_lfm2(c, s);
    config_put_int(c, "feed_forward_length", lfm2_width(c));
}

void keys_lfm2moe(config *c, const hf_shape *s)
{
    double scale = config_num(c, "routed_scaling_factor", 1.0);
    put_lfm2(c, s);
    config_copy_int(c, "feed_forward_length", "intermediate_size", CONFIG_NEEDED);
    config_put_int(c, "expert_count", s->n_expert);
    config_copy_int(c, "expert_used_count", "num_experts_per_tok", CONFIG_NEEDED);
    config_copy_int(c, "expert_feed_forward_length", "moe_intermediate_size", CONFIG_NEEDED);
    config_copy_int(c, "leading_dense_block_count", "num_dense_layers", 0);
    config_put_int(c, "expert_gating_func", KEYS_SIGMOID);
    if (!config_bool(c, "norm_topk_prob", true)) config_put_bool(c, "expert_weights_norm", false);
    if (scale != 1.0) config_put_num(c, "expert_weights_scale", scale);
}

/* ---- Qwen3-Next, Qwen3.5 --------------------------------------------------------------------- */

void shape_qwen35(config *c, hf_shape *s)
{
    s->lacks_parts = true;
    s->n_key_head = config_int(c, "linear_num_key_heads", CONFIG_NEEDED);
    s->n_value_head = config_int(c, "linear_num_value_heads", CONFIG_NEEDED);
    s->key_dim = config_int(c, "linear_key_head_dim", CONFIG_NEEDED);
    s->value_dim = config_int(c, "linear_value_head_dim", CONFIG_NEEDED);
    if (s->n_key_head > 4096 || s->n_value_head > 4096 || s->key_dim > 4096 || s->value_dim > 4096
        || s->n_key_head < 1 || s->n_value_head % s->n_key_head != 0) {
        config_wrong(c, LORY_E_FORMAT, "config.json has heads of linear attention that don't go "
                                       "together");
        s->n_key_head = s->n_value_head = 1;
    }
}

/* Rotation is of a quarter of a head unless something else is said, here or in its own part. */
static double share_rotated(config *c)
{
    config rope = keys_rope_part(c);
    double share = config_num(&rope, "partial_rotary_factor", 0.25);
    keys_join(c, &rope);
    return config_num(c, "partial_rotary_factor", share);
}

static void put_delta(config *c, const hf_shape *s)
{
    int64_t period = config_int(c, "full_attention_interval", 4);
    int64_t head_dim = config_int(c, "head_dim", 256);
    if (!keys_follow_pattern(c, "linear_attention", period < 1 ? 1 : period))
        config_wrong(c, LORY_E_UNSUPPORTED,
                     "layer_types that do not follow full_attention_interval are not known of %s",
                     c->arch);
    if (!config_bool(c, "attn_output_gate", true) || config_bool(c, "attention_bias", false))
        config_wrong(c, LORY_E_UNSUPPORTED, "attention without gates, or with biases, is not known "
                                            "of %s", c->arch);
    keys_put_activation(c, "silu", "silu");
    config_put_int(c, "attention.key_length", head_dim);
    config_put_int(c, "attention.value_length", head_dim);
    config_put_int(c, "rope.dimension_count", (int64_t)((double)head_dim * share_rotated(c)));
    config_copy_int(c, "ssm.conv_kernel", "linear_conv_kernel_dim", 4);
    config_put_int(c, "ssm.state_size", s->key_dim);
    config_put_int(c, "ssm.group_count", s->n_key_head);
    config_put_int(c, "ssm.time_step_rank", s->n_value_head);
    config_put_int(c, "ssm.inner_size", s->n_value_head * s->value_dim);
    config_put_int(c, "full_attention_interval", period);
}

static void put_experts(config *c)
{
    const json *dense = config_find(c, "mlp_only_layers");
    if (config_int(c, "decoder_sparse_step", 1) != 1 || (dense && dense->n))
        config_wrong(c, LORY_E_UNSUPPORTED, "layers without experts (mlp_only_layers, "
                                            "decoder_sparse_step) are not known of %s", c->arch);
    if (!config_bool(c, "norm_topk_prob", true)) config_put_bool(c, "expert_weights_norm", false);
    config_copy_int(c, "expert_feed_forward_length", "moe_intermediate_size", CONFIG_NEEDED);
    config_copy_int(c, "expert_shared_feed_forward_length",
                    "shared_expert_intermediate_size", CONFIG_NEEDED);
}

/* As keys_put_base, but that experts alone have no width of a dense network. */
static void put_base(config *c, const hf_shape *s)
{
    keys_put_sizes(c, s);
    config_copy_given_int(c, "feed_forward_length", "intermediate_size");
    config_put_int(c, "attention.head_count_kv", s->n_kv_head);
    config_put_num(c, "rope.freq_base", keys_rope_theta(c, 10000.0));
    keys_put_eps(c);
    if (s->n_expert) config_put_int(c, "expert_count", s->n_expert);
    if (s->n_expert)
        config_copy_int(c, "expert_used_count", "num_experts_per_tok", CONFIG_NEEDED);
    keys_put_rope_scaling(c);
    put_delta(c, s);
    if (s->n_expert) put_experts(c);
}

void keys_qwen3next(config *c, const hf_shape *s)
{
    put_base(c, s);
}

void keys_qwen35(config *c, const hf_shape *s)
{
    config rope = keys_rope_part(c);
    put_base(c, s);
    if (config_find(&rope, "mrope_section")) keys_put_sections(c);
}

/* ---- Kimi-Linear ----------------------------------------------------------------------------- */

void shape_kimi_linear(config *c, hf_shape *s)
{
    (void)c;
    s->lacks_parts = true;
}

/* Heads of keys where a layer attends, which are listed from 1 on. */
static void put_kimi_heads(config *c, const hf_shape *s, const config *linear)
{
    const json *full = config_find(linear, "full_attn_layers");
    int32_t n_kv_head[CONFIG_MAX_LAYER];
    if (!full || full->type != JSON_ARRAY || s->n_layer > CONFIG_MAX_LAYER) {
        config_wrong(c, LORY_E_FORMAT, "config.json has no full_attn_layers of use");
        return;
    }
    for (int64_t il = 0; il < s->n_layer; il++)
        n_kv_head[il] = has_number(full, il + 1) ? (int32_t)s->n_head : 0;
    gguf_put_i32s(c->w, "kimi-linear.attention.head_count_kv", n_kv_head, (size_t)s->n_layer);
}

static void check_kimi(config *c, const hf_shape *s, config *linear)
{
    if (!config_bool(c, "mla_use_nope", false))
        config_wrong(c, LORY_E_UNSUPPORTED, "latent attention that rotates (mla_use_nope false) is "
                                            "not known of kimi-linear");
    if (config_bool(c, "mla_use_output_gate", false) || config_int(c, "attn_res_block_size", 0) > 0
        || config_int(c, "num_expert_group", 1) > 1 || config_int(c, "moe_layer_freq", 1) != 1)
        config_wrong(c, LORY_E_UNSUPPORTED, "gated outputs, residuals by attention, groups of "
                                            "experts and layers between them are not known of "
                                            "kimi-linear");
    if (config_int(linear, "num_heads", s->n_head) != s->n_head)
        config_wrong(c, LORY_E_UNSUPPORTED, "recurrent layers with another number of heads are not "
                                            "known of kimi-linear");
    config_one_of(c, "router", "moe_router_activation_func", "sigmoid", "sigmoid");
}

static void put_latents_by_head(config *c)
{
    keys_put_latents(c);
    config_put_int(c, "attention.key_length_mla",
                   config_int(c, "qk_nope_head_dim", 0) + config_int(c, "qk_rope_head_dim", 0));
    config_copy_int(c, "attention.value_length_mla", "v_head_dim", 0);
}

void keys_kimi_linear(config *c, const hf_shape *s)
{
    config linear = keys_part_of(c, "linear_attn_config");
    if (!linear.root) {
        config_wrong(c, LORY_E_FORMAT, "config.json has no \"linear_attn_config\"");
        return;
    }
    keys_put_activation(c, "silu", "silu");
    check_kimi(c, s, &linear);
    put_kimi_heads(c, s, &linear);
    config_put_int(c, "block_count", s->n_layer);
    config_copy_int(c, "context_length", "model_max_length max_position_embeddings", CONFIG_NEEDED);
    config_put_int(c, "embedding_length", keys_n_embd(c));
    config_copy_int(c, "feed_forward_length", "intermediate_size", CONFIG_NEEDED);
    config_put_int(c, "attention.head_count", s->n_head);
    config_copy_int(c, "vocab_size", "vocab_size", CONFIG_NEEDED);
    keys_put_eps(c);
    config_put_num(c, "rope.freq_base", keys_rope_theta(c, 10000.0));
    config_put_int(c, "ssm.conv_kernel", config_int(&linear, "short_conv_kernel_size", 4));
    config_put_int(c, "kda.head_dim", config_int(&linear, "head_dim", CONFIG_NEEDED));
    config_copy_given_int(c, "attention.q_lora_rank", "q_lora_rank");
    put_latents_by_head(c);
    config_put_int(c, "expert_count", s->n_expert);
    config_copy_int(c, "expert_used_count",
                    "num_experts_per_token num_experts_per_tok", CONFIG_NEEDED);
    config_copy_int(c, "expert_feed_forward_length", "moe_intermediate_size", CONFIG_NEEDED);
    config_copy_int(c, "expert_shared_count", "num_shared_experts", 0);
    config_copy_int(c, "leading_dense_block_count", "first_k_dense_replace", 0);
    config_copy_num(c, "expert_weights_scale", "routed_scaling_factor", 1.0);
    config_copy_bool(c, "expert_weights_norm", "moe_renormalize", true);
    config_put_int(c, "expert_gating_func", KEYS_SIGMOID);
    keys_join(c, &linear);
}

/* ---- RWKV-7 ---------------------------------------------------------------------------------- */

void shape_rwkv7(config *c, hf_shape *s)
{
    (void)c;
    s->lacks_parts = true; /* the first layer mixes no values */
}

/* Upstream's context, since no number is the model's. */
void keys_rwkv7(config *c, const hf_shape *s)
{
    int64_t n_embd = keys_n_embd(c);
    config_one_of(c, "activation", "hidden_act", "sqrelu", "sqrelu relu2");
    if (config_find(c, "attn") || !config_bool(c, "norm_first", true))
        config_wrong(c, LORY_E_UNSUPPORTED, "layers of attention (attn), or without a norm of the "
                                            "embeddings (norm_first), are not known of rwkv7");
    config_put_int(c, "block_count", s->n_layer);
    config_put_int(c, "context_length", 1 << 20);
    config_put_int(c, "embedding_length", n_embd);
    config_put_int(c, "attention.head_count", 0);
    config_copy_num(c, "attention.layer_norm_epsilon", "norm_eps", 1e-5);
    config_copy_int(c, "wkv.head_size", "head_dim", 64);
    config_copy_int(c, "attention.decay_lora_rank", "decay_low_rank_dim", CONFIG_NEEDED);
    config_copy_int(c, "attention.iclr_lora_rank", "a_low_rank_dim", CONFIG_NEEDED);
    config_copy_int(c, "attention.value_residual_mix_lora_rank", "v_low_rank_dim", CONFIG_NEEDED);
    config_copy_int(c, "attention.gate_lora_rank", "gate_low_rank_dim", CONFIG_NEEDED);
    config_copy_int(c, "feed_forward_length", "intermediate_size", 4 * n_embd);
    config_copy_int(c, "vocab_size", "vocab_size", CONFIG_NEEDED);
}

/* ---- Ling 3 ---------------------------------------------------------------------------------- */

static void check_bailing3(config *c)
{
    if (!config_bool(c, "no_kda_lora", false) || !config_bool(c, "kda_safe_gate", false)
        || !config_bool(c, "rope_interleave", true) || config_bool(c, "use_qkv_bias", false)
        || !json_str_is(config_find(c, "gated_attention_proj_granularity_type"), "head_wise"))
        config_wrong(c, LORY_E_UNSUPPORTED,
                     "delta rules with products of low rank or unbounded gates (no_kda_lora, "
                     "kda_safe_gate), other gates than of heads, biases and halves that rotate are "
                     "not known of bailingmoe3");
    config_one_of(c, "score_function", "score_function", "sigmoid", "sigmoid");
    keys_put_activation(c, "silu", "silu");
}

static void put_bailing3_experts(config *c, const hf_shape *s)
{
    int64_t n_ff = config_int(c, "moe_intermediate_size", CONFIG_NEEDED);
    int64_t n_shared = config_int(c, "num_shared_experts", 1);
    config_put_int(c, "expert_count", s->n_expert);
    config_copy_int(c, "expert_used_count", "num_experts_per_tok", CONFIG_NEEDED);
    config_put_int(c, "expert_feed_forward_length", n_ff);
    config_copy_int(c, "expert_shared_feed_forward_length",
                    "moe_shared_expert_intermediate_size", n_shared * n_ff);
    config_put_int(c, "expert_shared_count", n_shared);
    config_copy_int(c, "leading_dense_block_count", "first_k_dense_replace", 0);
    config_copy_num(c, "expert_weights_scale", "routed_scaling_factor", 1.0);
    config_copy_bool(c, "expert_weights_norm", "norm_topk_prob", true);
    config_copy_int(c, "expert_group_count", "n_group", 1);
    config_copy_int(c, "expert_group_used_count", "topk_group", 1);
    config_put_int(c, "expert_gating_func", KEYS_SIGMOID);
    keys_put_clips(c, s, "expert_swiglu_limit_list", "swiglu_clamp_exp");
    keys_put_clips(c, s, "share_expert_swiglu_limit_list", "swiglu_clamp_shexp");
}

/* The last layer of each group attends, and those that are left over. */
void keys_bailing3(config *c, const hf_shape *s)
{
    int64_t group = config_int(c, "layer_group_size", CONFIG_NEEDED);
    int32_t n_kv_head[CONFIG_MAX_LAYER];
    if (group < 1 || s->n_layer > CONFIG_MAX_LAYER) {
        config_wrong(c, LORY_E_FORMAT, "config.json has layers or a layer_group_size of no use");
        return;
    }
    for (int64_t il = 0; il < s->n_layer; il++) {
        bool attends = (il + 1) % group == 0 || il >= s->n_layer / group * group;
        n_kv_head[il] = attends ? (int32_t)s->n_head : 0;
    }
    check_bailing3(c);
    keys_put_sizes(c, s);
    config_copy_int(c, "feed_forward_length", "intermediate_size", CONFIG_NEEDED);
    gguf_put_i32s(c->w, "bailingmoe3.attention.head_count_kv", n_kv_head, (size_t)s->n_layer);
    config_put_num(c, "rope.freq_base", keys_rope_theta(c, 10000.0));
    keys_put_rope_scaling(c);
    keys_put_eps(c);
    config_copy_int(c, "vocab_size", "vocab_size", CONFIG_NEEDED);
    config_copy_int(c, "ssm.conv_kernel", "short_conv_kernel_size", 4);
    config_copy_int(c, "kda.head_dim", "head_dim", CONFIG_NEEDED);
    config_put_bool(c, "kda.safe_gate", true);
    config_copy_num(c, "kda.gate_lower_bound", "kda_lower_bound", (double)NAN);
    config_copy_given_int(c, "attention.q_lora_rank", "q_lora_rank");
    put_latents_by_head(c);
    put_bailing3_experts(c, s);
}

/* ---- Mamba-2 --------------------------------------------------------------------------------- */

static void check_states(config *c, hf_shape *s)
{
    s->lacks_parts = true;
    if (s->n_key_head < 1 || s->n_value_head < 1 || s->n_value_head % s->n_key_head != 0
        || s->n_value_head > 4096 || s->key_dim > 4096 || s->value_dim > 4096) {
        config_wrong(c, LORY_E_FORMAT, "config.json has heads of state spaces that don't go "
                                       "together");
        s->n_key_head = s->n_value_head = 1;
    }
}

/* Time steps may be limited; no model of use does. */
static void check_time_steps(config *c)
{
    const json *limit = config_find(c, "time_step_limit");
    double low = 0.0, high = 0.0;
    if (!limit || !limit->first) return;
    json_get_num(limit->first, &low);
    if (limit->n == 2 && low == 0.0 && !json_get_num(limit->first->next, &high)) return;
    config_wrong(c, LORY_E_UNSUPPORTED, "limits of time steps (time_step_limit) are not known of "
                                        "%s", c->arch);
}

static void put_states(config *c, const hf_shape *s, const char *taps)
{
    check_time_steps(c);
    keys_put_activation(c, "silu", "silu swish");
    config_put_int(c, "ssm.conv_kernel", config_int(c, taps, 4));
    config_put_int(c, "ssm.state_size", s->key_dim);
    config_put_int(c, "ssm.group_count", s->n_key_head);
    config_put_int(c, "ssm.time_step_rank", s->n_value_head);
    config_put_int(c, "ssm.inner_size", s->n_value_head * s->value_dim);
}

void shape_mamba2(config *c, hf_shape *s)
{
    s->n_key_head = config_int(c, "n_groups", 1);
    s->value_dim = config_int(c, "head_dim", 64);
    s->n_value_head = config_int(c, "num_heads", config_int(c, "expand", 2) * keys_n_embd(c)
                                                 / (s->value_dim > 0 ? s->value_dim : 1));
    s->key_dim = config_int(c, "state_size", 128);
    check_states(c, s);
}

/* What models without attention have; upstream's context, since no number is the model's. */
static void put_mamba(config *c, const hf_shape *s)
{
    config_put_int(c, "block_count", s->n_layer);
    config_put_int(c, "context_length", 1 << 20);
    config_put_int(c, "embedding_length", keys_n_embd(c));
    config_put_int(c, "feed_forward_length", 0);
    config_put_int(c, "attention.head_count", 0);
    config_copy_num(c, "attention.layer_norm_rms_epsilon", "layer_norm_epsilon rms_norm_eps", 1e-5);
    config_copy_int(c, "vocab_size", "vocab_size", CONFIG_NEEDED);
}

void keys_mamba2(config *c, const hf_shape *s)
{
    if (!config_bool(c, "rms_norm", true))
        config_wrong(c, LORY_E_UNSUPPORTED, "gates without norms (rms_norm) are not known of "
                                            "mamba2");
    put_mamba(c, s);
    put_states(c, s, "conv_kernel");
}

/* The rank may be "auto": a sixteenth. */
static void put_channels(config *c, int64_t n_inner, const char *taps, const char *state,
                         const char *rank)
{
    const json *j = config_find(c, rank);
    int64_t n_rank = (keys_n_embd(c) + 15) / 16;
    if (j && j->type != JSON_STRING) n_rank = config_int(c, rank, 0);
    keys_put_activation(c, "silu", "silu swish");
    config_put_int(c, "ssm.conv_kernel", config_int(c, taps, 4));
    config_put_int(c, "ssm.inner_size", n_inner);
    config_put_int(c, "ssm.state_size", config_int(c, state, 16));
    config_put_int(c, "ssm.time_step_rank", n_rank);
}

/* Falcon Mamba's norms of time steps, B and C have an epsilon of their own, but no key. */
void keys_mamba(config *c, const hf_shape *s)
{
    bool has_norms = json_str_is(config_find(c, "model_type"), "falcon_mamba");
    int64_t n_inner = config_int(c, "expand", 2) * keys_n_embd(c);
    if (has_norms && config_num(c, "mixer_rms_eps", 1e-6) != 1e-6)
        config_wrong(c, LORY_E_UNSUPPORTED, "a mixer_rms_eps other than 1e-6 is not known "
                                            "of mamba");
    put_mamba(c, s);
    put_channels(c, config_int(c, "intermediate_size", n_inner), "conv_kernel", "state_size",
                 "time_step_rank");
    config_put_bool(c, "ssm.dt_b_c_rms", has_norms);
}

/* ---- Jamba ----------------------------------------------------------------------------------- */

void shape_jamba(config *c, hf_shape *s)
{
    (void)c;
    s->lacks_parts = true;
}

void keys_jamba(config *c, const hf_shape *s)
{
    int64_t first = config_int(c, "attn_layer_offset", 4);
    int64_t period = config_int(c, "attn_layer_period", 8);
    int32_t n_kv_head[CONFIG_MAX_LAYER];
    if (s->n_layer > CONFIG_MAX_LAYER || period < 1) {
        config_wrong(c, LORY_E_FORMAT, "config.json has layers or an attn_layer_period of no use");
        return;
    }
    for (int64_t il = 0; il < s->n_layer; il++)
        n_kv_head[il] = il % period == first ? (int32_t)s->n_kv_head : 0;
    keys_put_sizes(c, s);
    config_copy_int(c, "feed_forward_length", "intermediate_size", CONFIG_NEEDED);
    gguf_put_i32s(c->w, "jamba.attention.head_count_kv", n_kv_head, (size_t)s->n_layer);
    put_channels(c, config_int(c, "mamba_expand", 2) * keys_n_embd(c), "mamba_d_conv",
                 "mamba_d_state", "mamba_dt_rank");
    config_copy_num(c, "attention.layer_norm_rms_epsilon", "rms_norm_eps", 1e-6);
    config_put_int(c, "expert_count", s->n_expert);
    config_copy_int(c, "expert_used_count", "num_experts_per_tok", CONFIG_NEEDED);
    config_copy_int(c, "vocab_size", "vocab_size", CONFIG_NEEDED);
}

/* ---- PLaMo 2 --------------------------------------------------------------------------------- */

void shape_plamo2(config *c, hf_shape *s)
{
    s->lacks_parts = true;
    s->n_value_head = config_int(c, "mamba_num_heads", 64);
}

/* One layer of each mamba_step attends, the one in the middle, or the last of so few that there is
 * none. */
static bool plamo2_attends(const hf_shape *s, int64_t step, int64_t il)
{
    return s->n_layer <= step / 2 ? il == s->n_layer - 1 : il % step == step / 2;
}

void keys_plamo2(config *c, const hf_shape *s)
{
    int64_t step = config_int(c, "mamba_step", 2), dim = config_int(c, "hidden_size_per_head", 128);
    int32_t n_head[CONFIG_MAX_LAYER], n_kv_head[CONFIG_MAX_LAYER];
    if (s->n_layer > CONFIG_MAX_LAYER || step < 2 || !config_bool(c, "mamba_enabled", true)) {
        config_wrong(c, LORY_E_UNSUPPORTED, "layers without states (mamba_enabled, mamba_step) are "
                                            "not known of plamo2");
        return;
    }
    for (int64_t il = 0; il < s->n_layer; il++) {
        bool attends = plamo2_attends(s, step, il);
        n_head[il] = attends ? (int32_t)s->n_head : 0;
        n_kv_head[il] = attends ? (int32_t)s->n_kv_head : 0;
    }
    gguf_put_i32s(c->w, "plamo2.attention.head_count", n_head, (size_t)s->n_layer);
    gguf_put_i32s(c->w, "plamo2.attention.head_count_kv", n_kv_head, (size_t)s->n_layer);
    config_put_int(c, "block_count", s->n_layer);
    config_copy_int(c, "context_length", "max_position_embeddings", 2048);
    config_put_int(c, "embedding_length", keys_n_embd(c));
    config_copy_int(c, "feed_forward_length", "intermediate_size", CONFIG_NEEDED);
    config_put_int(c, "attention.key_length", dim);
    config_put_int(c, "attention.value_length", dim);
    config_copy_num(c, "attention.layer_norm_rms_epsilon", "rms_norm_eps", 1e-6);
    config_put_num(c, "rope.freq_base", keys_rope_theta(c, 10000.0));
    config_copy_int(c, "vocab_size", "vocab_size", CONFIG_NEEDED);
    config_copy_int(c, "ssm.conv_kernel", "mamba_d_conv", 4);
    config_copy_int(c, "ssm.state_size", "mamba_d_state", 64);
    config_put_int(c, "ssm.time_step_rank", s->n_value_head);
    config_put_int(c, "ssm.inner_size", s->n_value_head * dim);
    config_put_int(c, "ssm.group_count", 0);
}

/* ---- Granite 4 ------------------------------------------------------------------------------- */

void shape_granite4(config *c, hf_shape *s)
{
    int64_t n_inner = config_int(c, "mamba_expand", 2) * keys_n_embd(c);
    s->n_key_head = config_int(c, "mamba_n_groups", 1);
    s->n_value_head = config_int(c, "mamba_n_heads", 128);
    s->key_dim = config_int(c, "mamba_d_state", 256);
    /* the length may be "auto" */
    s->value_dim = n_inner / (s->n_value_head > 0 ? s->n_value_head : 1);
    check_states(c, s);
}

void keys_granite4_hybrid(config *c, const hf_shape *s)
{
    keys_put_sizes(c, s);
    config_put_int(c, "feed_forward_length",
                   config_int(c, s->n_expert ? "intermediate_size" : "shared_intermediate_size",
                              CONFIG_NEEDED));
    put_by_type(c, "attention.head_count_kv", "attention", s->n_kv_head, "mamba");
    config_put_num(c, "rope.freq_base", keys_rope_theta(c, 10000.0));
    config_put_bool(c, "rope.scaling.finetuned",
                    json_str_is(config_find(c, "position_embedding_type"), "rope"));
    keys_put_eps(c);
    keys_put_rope_scaling(c);
    keys_put_granite_scales(c, s);
    put_states(c, s, "mamba_d_conv");
    if (s->n_expert == 0) return;
    config_put_int(c, "expert_count", s->n_expert);
    config_copy_int(c, "expert_used_count", "num_experts_per_tok", CONFIG_NEEDED);
    config_copy_int(c, "expert_shared_feed_forward_length",
                    "shared_intermediate_size", CONFIG_NEEDED);
}

/* ---- Bamba ----------------------------------------------------------------------------------- */

/* Its norms are of all groups together, GGUF's of each: there is one. */
void shape_bamba(config *c, hf_shape *s)
{
    shape_granite4(c, s);
    s->n_rot = config_int(c, "attn_rotary_emb", keys_n_rot_or(c, s, 0.5));
    if (s->n_rot % 2 != 0 || s->n_rot > keys_head_dim(c, s))
        config_wrong(c, LORY_E_FORMAT, "config.json has an attn_rotary_emb of no use");
    if (s->n_key_head != 1)
        config_wrong(c, LORY_E_UNSUPPORTED, "several groups of state spaces (mamba_n_groups) are "
                                            "not known of Bamba");
}

void keys_bamba(config *c, const hf_shape *s)
{
    const json *attending = config_find(c, "attn_layer_indices");
    int32_t n_kv_head[CONFIG_MAX_LAYER];
    if (s->n_layer > CONFIG_MAX_LAYER) {
        config_wrong(c, LORY_E_FORMAT, "config.json has too many layers");
        return;
    }
    for (int64_t il = 0; il < s->n_layer; il++)
        n_kv_head[il] = has_number(attending, il) ? (int32_t)s->n_kv_head : 0;
    gguf_put_i32s(c->w, "granitehybrid.attention.head_count_kv", n_kv_head, (size_t)s->n_layer);
    keys_put_sizes(c, s);
    config_copy_int(c, "feed_forward_length", "intermediate_size", CONFIG_NEEDED);
    config_put_num(c, "rope.freq_base", keys_rope_theta(c, 10000.0));
    config_put_int(c, "rope.dimension_count", s->n_rot);
    config_put_bool(c, "rope.scaling.finetuned", true);
    config_copy_int(c, "vocab_size", "vocab_size", CONFIG_NEEDED);
    keys_put_eps(c);
    keys_put_rope_scaling(c);
    put_states(c, s, "mamba_d_conv");
}

/* ---- Falcon-H1 ------------------------------------------------------------------------------- */

/* Number i of a list of so many, 1 where there is no list. */
static double number_of(config *c, const char *name, size_t n, size_t i)
{
    const json *list = config_find(c, name), *j = list ? list->first : NULL;
    double v = 1.0;
    if (!list) return v;
    for (size_t k = 0; j && k < i; k++) j = j->next;
    if (list->type != JSON_ARRAY || list->n != n || !json_get_num(j, &v))
        config_wrong(c, LORY_E_FORMAT, "config.json has a \"%s\" that is no list of %zu numbers",
                     name, n);
    return v;
}

static double multiplier(config *c, const char *name)
{
    return config_num(c, name, 1.0);
}

void shape_falcon_h1(config *c, hf_shape *s)
{
    double in = multiplier(c, "attention_in_multiplier"), ssm = multiplier(c, "ssm_in_multiplier");
    int64_t n_inner = config_int(c, "mamba_d_ssm", config_int(c, "mamba_expand", 2)
                                                       * keys_n_embd(c));
    s->n_key_head = config_int(c, "mamba_n_groups", 1);
    s->n_value_head = config_int(c, "mamba_n_heads", 128);
    s->key_dim = config_int(c, "mamba_d_state", 256);
    s->value_dim = n_inner / (s->n_value_head > 0 ? s->n_value_head : 1);
    s->embd_scale = (float)multiplier(c, "embedding_multiplier");
    s->output_scale = (float)multiplier(c, "lm_head_multiplier");
    s->factor[HF_F_Q] = s->factor[HF_F_V] = (float)in;
    s->factor[HF_F_K] = (float)(in * multiplier(c, "key_multiplier"));
    s->factor[HF_F_OUT] = (float)multiplier(c, "attention_out_multiplier");
    s->factor[HF_F_GATE] = (float)number_of(c, "mlp_multipliers", 2, 0);
    s->factor[HF_F_DOWN] = (float)number_of(c, "mlp_multipliers", 2, 1);
    s->factor[HF_F_SSM_OUT] = (float)multiplier(c, "ssm_out_multiplier");
    for (size_t i = 0; i < 5; i++)
        s->factor[HF_F_IN + i] = (float)(ssm * number_of(c, "ssm_multipliers", 5, i));
    check_states(c, s);
}

void keys_falcon_h1(config *c, const hf_shape *s)
{
    if (config_bool(c, "attention_bias", false) || config_bool(c, "mlp_bias", false)
        || config_bool(c, "mamba_proj_bias", false) || config_bool(c, "projectors_bias", false))
        config_wrong(c, LORY_E_UNSUPPORTED, "biases of products are not known of falcon-h1");
    if (config_bool(c, "mamba_rms_norm", false) && config_bool(c, "mamba_norm_before_gate", true))
        config_wrong(c, LORY_E_UNSUPPORTED, "norms before gates (mamba_norm_before_gate) are not "
                                            "known of falcon-h1");
    put_states(c, s, "mamba_d_conv");
    keys_put_base(c, s);
    keys_put_head_dim(c);
    config_copy_int(c, "vocab_size", "vocab_size", CONFIG_NEEDED);
}

/* ---- Nemotron-H ------------------------------------------------------------------------------ */

void shape_nemotron_h(config *c, hf_shape *s)
{
    if (strcmp(c->arch, "nemotron_h") == 0) s->n_expert = 0; /* of which configs may speak */
    s->n_key_head = config_int(c, "n_groups mamba_n_groups", 8);
    s->n_value_head = config_int(c, "mamba_num_heads", 128);
    s->key_dim = config_int(c, "ssm_state_size", 128);
    s->value_dim = config_int(c, "mamba_head_dim", 64);
    check_states(c, s);
}

/* What layer il is: M a state space, * attention, - a feed-forward network, E experts; 0: it is
 * not said. */
static char kind_of_layer(const config *c, size_t il)
{
    static const char *const words[] = { "Mmamba", "Mlinear_attention", "*attention",
                                         "*full_attention", "-mlp", "Emoe" };
    const json *pattern = config_find(c, "hybrid_override_pattern");
    const json *list = config_find(c, "layers_block_type"), *j = list ? list->first : NULL;
    if (pattern && pattern->type == JSON_STRING)
        return il < pattern->n && strchr("M*-E", pattern->str[il]) ? pattern->str[il] : '\0';
    for (size_t i = 0; j && i < il; i++) j = j->next;
    for (size_t i = 0; j && i < sizeof words / sizeof words[0]; i++)
        if (json_str_is(j, words[i] + 1)) return words[i][0];
    return '\0';
}

static void put_nemotron_layers(config *c, const hf_shape *s, int64_t n_ff)
{
    int32_t n_kv_head[CONFIG_MAX_LAYER], widths[CONFIG_MAX_LAYER];
    char key[64], feeds = s->n_expert ? 'E' : '-';
    for (int64_t il = 0; il < s->n_layer; il++) {
        char kind = il < CONFIG_MAX_LAYER ? kind_of_layer(c, (size_t)il) : '\0';
        if (kind != 'M' && kind != '*' && kind != feeds) {
            config_wrong(c, LORY_E_UNSUPPORTED, "layer %d is of no kind that is known of %s "
                         "(hybrid_override_pattern, layers_block_type)", (int)il, c->arch);
            return;
        }
        n_kv_head[il] = kind == '*' ? (int32_t)s->n_kv_head : 0;
        widths[il] = kind == feeds ? (int32_t)n_ff : 0;
    }
    snprintf(key, sizeof key, "%s.attention.head_count_kv", c->arch);
    gguf_put_i32s(c->w, key, n_kv_head, (size_t)s->n_layer);
    snprintf(key, sizeof key, "%s.feed_forward_length", c->arch);
    gguf_put_i32s(c->w, key, widths, (size_t)s->n_layer);
}

static void put_nemotron_experts(config *c, const hf_shape *s)
{
    config_put_int(c, "expert_count", s->n_expert);
    config_copy_int(c, "expert_used_count", "num_experts_per_tok", CONFIG_NEEDED);
    config_copy_int(c, "expert_feed_forward_length", "moe_intermediate_size", CONFIG_NEEDED);
    config_copy_int(c, "expert_shared_count", "n_shared_experts", 1);
    config_copy_int(c, "expert_shared_feed_forward_length",
                    "moe_shared_expert_intermediate_size", CONFIG_NEEDED);
    config_copy_int(c, "expert_group_count", "n_group", 1);
    config_copy_int(c, "expert_group_used_count", "topk_group", 1);
    config_copy_bool(c, "expert_weights_norm", "norm_topk_prob", true);
    config_copy_num(c, "expert_weights_scale", "routed_scaling_factor", 1.0);
    config_put_int(c, "expert_gating_func", KEYS_SIGMOID);
}

void keys_nemotron_h(config *c, const hf_shape *s)
{
    const char *n_ff = s->n_expert ? "moe_intermediate_size" : "intermediate_size";
    config_one_of(c, "activation", "mlp_hidden_act", "relu2", "relu2");
    config_one_of(c, "activation", "mamba_hidden_act", "silu", "silu");
    if (config_find(c, "moe_latent_size"))
        config_wrong(c, LORY_E_UNSUPPORTED, "experts over latents (moe_latent_size) are not known "
                                            "of %s", c->arch);
    keys_put_sizes(c, s);
    put_nemotron_layers(c, s, config_int(c, n_ff, CONFIG_NEEDED));
    config_copy_int(c, "attention.key_length", "head_dim attention_head_dim", 128);
    config_copy_int(c, "attention.value_length", "head_dim attention_head_dim", 128);
    config_copy_num(c, "attention.layer_norm_rms_epsilon", "layer_norm_epsilon rms_norm_eps", 1e-5);
    config_copy_int(c, "vocab_size", "vocab_size", CONFIG_NEEDED);
    put_states(c, s, "conv_kernel mamba_d_conv");
    if (s->n_expert) put_nemotron_experts(c, s);
}
