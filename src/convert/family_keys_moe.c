/* family_keys_moe.c - see families.h: the same as family_keys.c, of families with experts. */
#include "convert/families.h"
#include <math.h>
#include <string.h>

/* A number that some configs have once, others for each layer; all the same. */
static int64_t one_of_all(config *c, const char *name)
{
    const json *list = config_find(c, name);
    if (!list || list->type != JSON_ARRAY) return config_int(c, name, CONFIG_NEEDED);
    for (const json *j = list->first; j; j = j->next)
        if (j->i != list->first->i)
            config_wrong(c, LORY_E_UNSUPPORTED,
                         "\"%s\" that differs from layer to layer is not "
                         "known of %s",
                         name, c->arch);
    return list->first && list->first->i > 0 ? list->first->i : 0;
}

/* Whether of a list with a number for each layer exactly every fourth one, from `first` on, is 0; a
 * list that is not there is as it should be. */
static bool zero_each_fourth(const config *c, const char *name, int64_t first)
{
    const json *list = config_find(c, name);
    int64_t il = 0;
    for (const json *j = list ? list->first : NULL; j; j = j->next, il++)
        if ((j->i == 0) != (il % 4 == first)) return false;
    return true;
}

/* ---- Qwen, DeepSeek, and what came of them --------------------------------------------------- */

void keys_qwen_moe(config *c, const hf_shape *s)
{
    const json *dense = config_find(c, "mlp_only_layers");
    bool is_normed = strncmp(c->arch, "qwen3", 5) == 0;
    keys_qwen2(c, s);
    if (config_int(c, "decoder_sparse_step", 1) != 1 || (dense && dense->n))
        config_wrong(c, LORY_E_UNSUPPORTED,
                     "layers without experts (mlp_only_layers, "
                     "decoder_sparse_step) are not known of %s",
                     c->arch);
    if (config_bool(c, "norm_topk_prob", is_normed) != is_normed)
        config_put_bool(c, "expert_weights_norm", !is_normed);
    config_copy_int(c, "expert_feed_forward_length", "moe_intermediate_size", CONFIG_NEEDED);
    config_copy_given_int(c, "expert_shared_feed_forward_length",
                          "shared_expert_intermediate_size");
}

/* What groups of experts have is of the modeling file, not of the config; so upstream has it. */
void keys_grovemoe(config *c, const hf_shape *s)
{
    const json *dense = config_find(c, "mlp_only_layers");
    keys_put_activation(c, "silu", "silu");
    if (config_int(c, "decoder_sparse_step", 1) != 1 || (dense && dense->n))
        config_wrong(c, LORY_E_UNSUPPORTED, "layers without experts (mlp_only_layers, "
                                            "decoder_sparse_step) are not known of grovemoe");
    keys_put_base(c, s);
    keys_put_head_dim(c);
    config_copy_int(c, "expert_feed_forward_length", "moe_intermediate_size", CONFIG_NEEDED);
    config_copy_int(c, "expert_chunk_feed_forward_length", "head_dim", 128);
    config_put_int(c, "experts_per_group", 2);
    config_put_num(c, "expert_group_scale", 0.05);
}

void keys_qwen_vl_moe(config *c, const hf_shape *s)
{
    keys_qwen_moe(c, s);
    keys_put_sections(c);
}

/* Experts as in the first DeepSeek model. */
void keys_deepseek(config *c, const hf_shape *s)
{
    keys_put_activation(c, "silu", "silu");
    keys_put_base(c, s);
    if (config_int(c, "moe_layer_freq", 1) != 1)
        config_wrong(c, LORY_E_UNSUPPORTED, "moe_layer_freq is not known of deepseek");
    config_one_of(c, "scoring_func", "scoring_func", "softmax", "softmax");
    config_copy_int(c, "vocab_size", "vocab_size", CONFIG_NEEDED);
    config_put_int(c, "rope.dimension_count", keys_head_dim(c, s));
    config_copy_int(c, "leading_dense_block_count", "first_k_dense_replace", 0);
    config_copy_int(c, "expert_feed_forward_length", "moe_intermediate_size", CONFIG_NEEDED);
    config_copy_int(c, "expert_shared_count", "n_shared_experts", 0);
    config_copy_num(c, "expert_weights_scale", "routed_scaling_factor", 1.0);
    if (config_bool(c, "norm_topk_prob", false)) config_put_bool(c, "expert_weights_norm", true);
}

void keys_dots1(config *c, const hf_shape *s)
{
    keys_base(c, s);
    keys_put_sigmoid_experts(c);
    if (!keys_follow_pattern(c, "full_attention", INT64_MAX))
        config_wrong(c, LORY_E_UNSUPPORTED, "layers with a window are not known of dots1");
}

void keys_glm4moe(config *c, const hf_shape *s)
{
    keys_base(c, s);
    config_put_int(c, "rope.dimension_count", keys_n_rot_or(c, s, 0.5));
    keys_put_sigmoid_experts(c);
}

/* Solar Open: GLM-4.5's layers, whose heads rotate whole. */
void keys_solar(config *c, const hf_shape *s)
{
    keys_base(c, s);
    config_put_int(c, "rope.dimension_count", keys_n_rot(c, s));
    keys_put_sigmoid_experts(c);
}

void keys_hy_v3(config *c, const hf_shape *s)
{
    const json *kinds = config_find(c, "mlp_layer_types");
    int64_t n_dense = config_int(c, "first_k_dense_replace", 1), n = 0, il = 0;
    for (const json *j = kinds ? kinds->first : NULL; j; j = j->next, il++)
        if (json_str_is(j, "dense") && n++ != il)
            config_wrong(c, LORY_E_UNSUPPORTED, "layers without experts behind such with them are "
                                                "not known of hy_v3");
    keys_base(c, s);
    if (!config_bool(c, "route_norm", true))
        config_wrong(c, LORY_E_UNSUPPORTED, "route_norm false is not known of hy_v3");
    config_put_int(c, "rope.dimension_count", keys_head_dim(c, s));
    config_put_int(c, "leading_dense_block_count", kinds ? n : n_dense);
    config_copy_int(c, "expert_feed_forward_length",
                    "moe_intermediate_size expert_hidden_dim", CONFIG_NEEDED);
    config_copy_int(c, "expert_shared_count", "num_shared_experts", 1);
    config_copy_num(c, "expert_weights_scale", "router_scaling_factor", 1.0);
    config_put_bool(c, "expert_weights_norm", true);
    config_put_int(c, "expert_gating_func", KEYS_SIGMOID);
}

void keys_exaone_moe(config *c, const hf_shape *s)
{
    const json *kinds = config_find(c, "mlp_layer_types");
    int64_t n_dense = config_int(c, "first_k_dense_replace", 1), il = 0;
    for (const json *j = kinds ? kinds->first : NULL; j; j = j->next, il++)
        if (json_str_is(j, "dense") != (il < n_dense))
            config_wrong(c, LORY_E_UNSUPPORTED, "mlp_layer_types other than first_k_dense_replace "
                                                "says are not known of exaone-moe");
    keys_exaone4(c, s);
    config_put_int(c, "leading_dense_block_count", n_dense);
    config_copy_int(c, "expert_feed_forward_length", "moe_intermediate_size", CONFIG_NEEDED);
    config_copy_int(c, "expert_shared_count", "num_shared_experts", 1);
    config_copy_num(c, "expert_weights_scale", "routed_scaling_factor", 2.5);
    config_copy_bool(c, "expert_weights_norm", "norm_topk_prob", true);
    config_put_int(c, "expert_gating_func", KEYS_SIGMOID);
    keys_put_expert_groups(c);
}

void keys_afmoe(config *c, const hf_shape *s)
{
    int64_t period = config_int(c, "global_attn_every_n_layers", 4);
    keys_base(c, s);
    config_one_of(c, "score_func", "score_func", "sigmoid", "sigmoid");
    if (!config_bool(c, "mup_enabled", true) || !config_bool(c, "route_norm", true)
        || config_int(c, "n_group", 1) > 1)
        config_wrong(c, LORY_E_UNSUPPORTED, "mup_enabled false, route_norm false and groups of "
                                            "experts are not known of afmoe");
    config_put_int(c, "rope.dimension_count", keys_head_dim(c, s));
    config_copy_int(c, "attention.sliding_window", "sliding_window", 1024);
    if (!keys_follow_pattern(c, "sliding_attention", period))
        config_wrong(c, LORY_E_UNSUPPORTED, "layer_types other than global_attn_every_n_layers "
                                            "says are not known of afmoe");
    if (period != 4) config_put_int(c, "attention.sliding_window_pattern", period);
    config_copy_int(c, "leading_dense_block_count", "num_dense_layers", 0);
    config_copy_int(c, "expert_feed_forward_length", "moe_intermediate_size", CONFIG_NEEDED);
    config_copy_int(c, "expert_shared_count", "num_shared_experts", 0);
    config_copy_num(c, "expert_weights_scale", "route_scale", 1.0);
    config_put_bool(c, "expert_weights_norm", true);
    config_put_int(c, "expert_gating_func", KEYS_SIGMOID);
}

void keys_olmoe(config *c, const hf_shape *s)
{
    keys_base(c, s);
    config_copy_bool(c, "expert_weights_norm", "norm_topk_prob", false);
    config_copy_given_num(c, "attention.clamp_kqv", "clip_qkv");
}

/* ---- Llama 4 --------------------------------------------------------------------------------- */

/* A number where it may stand for "yes". */
static bool is_on(config *c, const char *name)
{
    const json *j = config_find(c, name);
    return j && j->type == JSON_NUMBER ? j->i != 0 : config_bool(c, name, true);
}

/* How the queries of layers without rotation grow. What all models have is not in the file. */
static void put_temperature(config *c)
{
    double scale = is_on(c, "attn_temperature_tuning") ? config_num(c, "attn_scale", 0.1) : 0.0;
    int64_t length = config_int(c, "floor_scale", 8192);
    if (scale != 0.1) config_put_num(c, "attention.temperature_scale", scale);
    if (length != 8192) config_put_int(c, "attention.temperature_length", length);
}

static void check_llama4(config *c, const hf_shape *s, int64_t step)
{
    const json *with = config_find(c, "moe_layers");
    int64_t n = step;
    bool is_known = config_bool(c, "use_qk_norm", true) == (s->n_expert != 128);
    for (const json *j = with ? with->first : NULL; j; j = j->next, n += step)
        is_known = is_known && j->i == n - 1;
    if (!is_known || config_int(c, "no_rope_layer_interval", 4) != 4)
        config_wrong(c, LORY_E_UNSUPPORTED,
                     "other moe_layers than each %d., or a use_qk_norm and no_rope_layer_interval "
                     "that no Llama 4 has, are not known of llama4",
                     (int)step);
}

void keys_llama4(config *c, const hf_shape *s)
{
    int64_t step = config_int(c, "interleave_moe_layer_step", 1);
    int64_t chunk = config_int(c, "attention_chunk_size", 8192);
    const json *rotates = config_find(c, "no_rope_layers");
    bool turns_always = rotates && !keys_has_number(rotates, 0);
    keys_put_activation(c, "silu", "silu");
    keys_put_sizes(c, s);
    config_copy_int(c, "feed_forward_length", "intermediate_size_mlp", CONFIG_NEEDED);
    config_put_int(c, "attention.head_count_kv", s->n_kv_head);
    config_put_num(c, "rope.freq_base", keys_rope_theta(c, 500000.0));
    keys_put_eps(c);
    config_put_int(c, "expert_count", s->n_expert);
    config_copy_int(c, "expert_used_count", "num_experts_per_tok", 1);
    keys_put_rope_scaling(c);
    keys_put_head_dim(c);
    config_copy_int(c, "vocab_size", "vocab_size", CONFIG_NEEDED);
    config_put_int(c, "rope.dimension_count", keys_head_dim(c, s));
    config_put_int(c, "interleave_moe_layer_step", step > 0 ? step : 1);
    config_copy_int(c, "expert_feed_forward_length", "intermediate_size", CONFIG_NEEDED);
    if (turns_always)
        chunk = 0;
    else if (!zero_each_fourth(c, "no_rope_layers", 3))
        config_wrong(c, LORY_E_UNSUPPORTED,
                     "no_rope_layers other than each fourth are not known "
                     "of llama4");
    if (chunk != 8192) config_put_int(c, "attention.sliding_window", chunk);
    put_temperature(c);
    check_llama4(c, s, step);
}

/* ---- ERNIE, Ling, Hunyuan, MiniMax, Phi, SmallThinker ------------------------------------ */

void keys_ernie_moe(config *c, const hf_shape *s)
{
    int64_t n_ff = config_int(c, "moe_intermediate_size", CONFIG_NEEDED);
    int64_t n_shared = config_int(c, "moe_num_shared_experts", 0);
    keys_base(c, s);
    config_copy_int(c, "expert_used_count", "moe_k", CONFIG_NEEDED);
    config_copy_int(c, "interleave_moe_layer_step", "moe_layer_interval", 1);
    config_copy_int(c, "leading_dense_block_count", "moe_layer_start_index", 0);
    config_put_int(c, "expert_feed_forward_length", n_ff);
    config_put_int(c, "expert_shared_count", n_shared);
    if (n_shared) config_put_int(c, "expert_shared_feed_forward_length", n_shared * n_ff);
    if (config_int(c, "moe_layer_end_index", s->n_layer - 1) < s->n_layer - 1)
        config_wrong(c, LORY_E_UNSUPPORTED,
                     "last layers without experts (moe_layer_end_index) are "
                     "not known of ernie4_5-moe");
}

/* Ling and Ring, the first ones. */
void keys_bailing(config *c, const hf_shape *s)
{
    keys_base(c, s);
    config_put_int(c, "rope.dimension_count", keys_head_dim(c, s));
    config_copy_int(c, "leading_dense_block_count", "first_k_dense_replace", 0);
    config_copy_int(c, "vocab_size", "vocab_size", CONFIG_NEEDED);
    config_copy_int(c, "expert_feed_forward_length", "moe_intermediate_size", CONFIG_NEEDED);
    config_put_num(c, "expert_weights_scale", 1.0);
    config_copy_int(c, "expert_shared_count", "num_shared_experts", 0);
    config_copy_bool(c, "expert_weights_norm", "norm_topk_prob", true);
}

/* `share` of a head rotates if the config does not say. */
static void put_bailing2(config *c, const hf_shape *s, double share)
{
    bool is_sigmoid = !json_str_is(config_find(c, "score_function"), "softmax");
    int64_t n_ff = config_int(c, "moe_intermediate_size", CONFIG_NEEDED);
    int64_t n_shared = config_int(c, "num_shared_experts", 0);
    config_one_of(c, "score_function", "score_function", "sigmoid", "sigmoid softmax");
    keys_base(c, s);
    config_put_int(c, "rope.dimension_count", keys_n_rot_or(c, s, share));
    config_copy_int(c, "leading_dense_block_count", "first_k_dense_replace", 0);
    config_copy_int(c, "vocab_size", "vocab_size", CONFIG_NEEDED);
    config_put_int(c, "expert_feed_forward_length", n_ff);
    config_copy_int(c, "expert_shared_feed_forward_length",
                    "moe_shared_expert_intermediate_size", n_shared * n_ff);
    config_copy_num(c, "expert_weights_scale", "routed_scaling_factor", 1.0);
    config_put_int(c, "expert_shared_count", n_shared);
    config_copy_int(c, "expert_group_count", "n_group", 1);
    config_copy_int(c, "expert_group_used_count", "topk_group", 1);
    config_copy_bool(c, "expert_weights_norm", "norm_topk_prob", true);
    config_put_int(c, "expert_gating_func", is_sigmoid ? KEYS_SIGMOID : KEYS_SOFTMAX);
    if (!config_bool(c, "use_qk_norm", true))
        config_wrong(c, LORY_E_UNSUPPORTED,
                     "heads without norms (use_qk_norm false) are not known "
                     "of bailingmoe2");
}

void keys_bailing2(config *c, const hf_shape *s)
{
    put_bailing2(c, s, 0.5);
}

/* Its router's biases count less their mean, which changes no choice. */
void keys_sarvam(config *c, const hf_shape *s)
{
    put_bailing2(c, s, 1.0);
}

void keys_hunyuan_moe(config *c, const hf_shape *s)
{
    int64_t n_ff = config_int(c, "intermediate_size", CONFIG_NEEDED);
    keys_hunyuan(c, s);
    config_put_int(c, "expert_count", s->n_expert);
    config_put_int(c, "expert_used_count", one_of_all(c, "moe_topk"));
    config_put_int(c, "expert_feed_forward_length", one_of_all(c, "moe_intermediate_size"));
    config_put_int(c, "expert_shared_count", one_of_all(c, "num_shared_expert"));
    config_put_int(c, "expert_shared_feed_forward_length",
                   n_ff * one_of_all(c, "num_shared_expert"));
    if (config_bool(c, "use_cla", false) || config_int(c, "moe_layer_num_skipped", 0) > 0)
        config_wrong(c, LORY_E_UNSUPPORTED,
                     "keys and values shared by layers (use_cla), and first "
                     "layers without experts, are not known of hunyuan-moe");
}

void keys_minimax(config *c, const hf_shape *s)
{
    config_one_of(c, "scoring_func", "scoring_func", "sigmoid", "sigmoid");
    config_one_of(c, "qk_norm_type", "qk_norm_type", "per_layer", "per_layer");
    keys_base(c, s);
    config_copy_int(c, "rope.dimension_count", "rotary_dim", keys_n_rot(c, s));
    config_copy_int(c, "expert_feed_forward_length", "intermediate_size", CONFIG_NEEDED);
    config_put_int(c, "expert_gating_func", KEYS_SIGMOID);
}

/* The magnitude of the rotation is given, for long texts and short ones. */
void keys_phimoe(config *c, const hf_shape *s)
{
    config rope = keys_rope_part(c);
    double magnitude = rope.root ? config_num(&rope, "short_mscale", 1.0) : 1.0;
    keys_base(c, s);
    config_put_int(c, "rope.dimension_count", keys_head_dim(c, s));
    if (rope.root && keys_is_longrope(&rope)) {
        int64_t n_orig = config_int(c, "original_max_position_embeddings", 0);
        config_put_int(c, "rope.scaling.original_context_length",
                       config_int(&rope, "original_max_position_embeddings", n_orig));
        config_put_num(c, "rope.scaling.attn_factor", magnitude);
        if (config_num(&rope, "long_mscale", magnitude) != magnitude)
            config_wrong(c, LORY_E_UNSUPPORTED,
                         "a long_mscale that is not the short_mscale is not "
                         "known of phimoe");
    }
    keys_join(c, &rope);
    config_copy_given_int(c, "attention.sliding_window", "sliding_window");
    if (fabs(config_num(c, "router_jitter_noise", 0.01) - 0.01) > 1e-9)
        config_wrong(c, LORY_E_UNSUPPORTED,
                     "a router_jitter_noise other than 0.01 is not known of "
                     "phimoe");
}

void keys_smallthinker(config *c, const hf_shape *s)
{
    int64_t n_ff = config_int(c, "moe_ffn_hidden_size", CONFIG_NEEDED);
    bool is_softmax = config_bool(c, "moe_primary_router_apply_softmax", false);
    bool has_window = keys_has_number(config_find(c, "sliding_window_layout"), 1);
    keys_put_sizes(c, s);
    config_put_int(c, "feed_forward_length", n_ff);
    config_put_int(c, "attention.head_count_kv", s->n_kv_head);
    config_put_num(c, "rope.freq_base", keys_rope_theta(c, 10000.0));
    keys_put_eps(c);
    keys_put_head_dim(c);
    keys_put_rope_scaling(c);
    config_put_int(c, "expert_count", s->n_expert);
    config_copy_int(c, "expert_used_count", "moe_num_active_primary_experts", CONFIG_NEEDED);
    config_put_int(c, "expert_feed_forward_length", n_ff);
    config_put_int(c, "expert_gating_func", is_softmax ? KEYS_SOFTMAX : KEYS_SIGMOID);
    if (has_window)
        config_copy_int(c, "attention.sliding_window", "sliding_window_size", CONFIG_NEEDED);
    if (has_window ? !zero_each_fourth(c, "sliding_window_layout", 0)
                         || !zero_each_fourth(c, "rope_layout", 0)
                   : keys_has_number(config_find(c, "rope_layout"), 0))
        config_wrong(c, LORY_E_UNSUPPORTED,
                     "other layers without window and rotation than each "
                     "fourth are not known of smallthinker");
}

/* ---- MiniMax-M3 --------------------------------------------------------------------------- */

/* First layers without experts, by a list of 0 and 1, or of names; -1: others lack them too. */
static int64_t dense_lead(config *c, const hf_shape *s)
{
    const json *list = config_find(c, "moe_layer_freq mlp_layer_types");
    int64_t il = 0, n = 0;
    if (!list || list->type != JSON_ARRAY || (int64_t)list->n != s->n_layer) {
        config_wrong(c, LORY_E_FORMAT, "config.json has no \"moe_layer_freq\" for each layer");
        return -1;
    }
    for (const json *j = list->first; j; j = j->next, il++) {
        bool is_dense = j->type == JSON_STRING ? json_str_is(j, "dense") : j->i == 0;
        if (is_dense && n++ != il) return -1;
    }
    return n;
}

static void check_minimax3(config *c)
{
    config sparse = keys_part_of(c, "sparse_attention_config");
    int64_t n_seen = config_int(&sparse, "sparse_topk_blocks", 16)
                     * config_int(&sparse, "sparse_block_size", 128);
    config_one_of(c, "scoring_func", "scoring_func", "sigmoid", "sigmoid");
    config_one_of(c, "qk_norm_type", "qk_norm_type", "per_head", "per_head");
    if (n_seen != 16 * 128 || !config_bool(c, "use_gemma_norm", true)
        || config_bool(c, "attention_output_gate", false)
        || fabs(config_num(c, "swiglu_alpha", 1.702) - 1.702) > 1e-6
        || config_num(c, "swiglu_limit", 7.0) != 7.0 || config_num(c, "swiglu_beta", 1.0) != 1.0)
        config_wrong(c, LORY_E_UNSUPPORTED,
                     "a sparse_attention_config of other than 16 blocks of 128, use_gemma_norm "
                     "false, attention_output_gate, and other numbers of swiglu than M3's are not "
                     "known of minimax-m3");
    keys_join(c, &sparse);
}

void keys_minimax3(config *c, const hf_shape *s)
{
    int64_t n_ff = config_int(c, "intermediate_size", CONFIG_NEEDED), n_dense = dense_lead(c, s);
    keys_put_activation(c, "swigluoai", "swigluoai silu");
    check_minimax3(c);
    keys_put_sizes(c, s);
    config_copy_int(c, "feed_forward_length", "dense_intermediate_size", n_ff);
    config_put_int(c, "attention.head_count_kv", s->n_kv_head);
    keys_put_head_dim(c);
    keys_put_eps(c);
    config_put_num(c, "rope.freq_base", keys_rope_theta(c, 10000.0));
    config_copy_int(c, "rope.dimension_count", "rotary_dim", keys_n_rot(c, s));
    keys_put_rope_scaling(c);
    config_put_int(c, "leading_dense_block_count", n_dense < 0 ? 0 : n_dense);
    config_put_int(c, "expert_count", s->n_expert);
    config_copy_int(c, "expert_used_count", "num_experts_per_tok", CONFIG_NEEDED);
    config_put_int(c, "expert_feed_forward_length", n_ff);
    config_copy_int(c, "expert_shared_count", "n_shared_experts", 0);
    config_copy_num(c, "expert_weights_scale", "routed_scaling_factor", 1.0);
    config_put_bool(c, "expert_weights_norm", true);
    config_put_int(c, "expert_gating_func", KEYS_SIGMOID);
    if (n_dense < 0 || config_int(c, "shared_intermediate_size", n_ff) != n_ff)
        config_wrong(c, LORY_E_UNSUPPORTED,
                     "layers without experts behind others with, and shared experts of another "
                     "length, are not known of minimax-m3");
}

/* ---- DBRX, Grok-1, Arctic ---------------------------------------------------------------- */

void shape_dbrx(config *c, hf_shape *s)
{
    config attn = keys_part_of(c, "attn_config"), ffn = keys_part_of(c, "ffn_config");
    s->n_kv_head = config_int(&attn, "kv_n_heads", 1);
    s->n_expert = config_int(&ffn, "moe_num_experts", 4);
    keys_join(c, &attn);
    keys_join(c, &ffn);
}

static void put_dbrx_experts(config *c, const hf_shape *s)
{
    config ffn = keys_part_of(c, "ffn_config"), act = keys_part_of(&ffn, "ffn_act_fn");
    const json *norm = config_find(&ffn, "moe_normalize_expert_weights");
    config_one_of(&act, "activation", "name", "silu", "silu");
    config_put_int(c, "feed_forward_length", config_int(&ffn, "ffn_hidden_size", CONFIG_NEEDED));
    config_put_int(c, "expert_count", s->n_expert);
    config_put_int(c, "expert_used_count", config_int(&ffn, "moe_top_k", 1));
    config_put_bool(c, "expert_weights_norm", norm != NULL);
    if (norm && config_num(&ffn, "moe_normalize_expert_weights", 1.0) != 1.0)
        config_wrong(&ffn, LORY_E_UNSUPPORTED,
                     "a moe_normalize_expert_weights other than 1 is not known of dbrx");
    keys_join(c, &act);
    keys_join(c, &ffn);
}

void keys_dbrx(config *c, const hf_shape *s)
{
    config attn = keys_part_of(c, "attn_config");
    config_put_int(c, "block_count", s->n_layer);
    config_copy_int(c, "context_length", "max_seq_len", CONFIG_NEEDED);
    config_put_int(c, "embedding_length", keys_n_embd(c));
    config_put_int(c, "attention.head_count", s->n_head);
    config_put_int(c, "attention.head_count_kv", s->n_kv_head);
    config_put_num(c, "rope.freq_base", config_num(&attn, "rope_theta", 10000.0));
    if (config_find(&attn, "clip_qkv"))
        config_put_num(c, "attention.clamp_kqv", config_num(&attn, "clip_qkv", 0.0));
    config_put_num(c, "attention.layer_norm_epsilon", 1e-5); /* not in config.json */
    put_dbrx_experts(c, s);
    keys_join(c, &attn);
}

/* Grok-1; a model that says how its scores grow with the length of the text is a later one. */
void keys_grok(config *c, const hf_shape *s)
{
    keys_put_base(c, s);
    if (config_find(c, "rope_type"))
        config_one_of(c, "rope_type", "rope_type", "none", "none default");
    config_copy_given_int(c, "attention.temperature_length", "attn_temperature_len");
    config_copy_given_int(c, "expert_feed_forward_length", "moe_intermediate_size");
    config_copy_given_num(c, "final_logit_softcapping", "final_logit_softcapping");
    keys_put_head_dim(c);
    config_copy_given_num(c, "embedding_scale", "embedding_multiplier_scale");
    config_copy_given_num(c, "logit_scale", "output_multiplier_scale");
    config_copy_given_num(c, "attention.output_scale", "attn_output_multiplier");
    config_copy_given_num(c, "attn_logit_softcapping", "max_attn_value attn_logit_softcapping");
    config_copy_given_num(c, "router_logit_softcapping", "router_logit_softcapping");
}

void keys_arctic(config *c, const hf_shape *s)
{
    keys_base(c, s);
    config_copy_int(c, "vocab_size", "vocab_size", CONFIG_NEEDED);
    config_put_int(c, "rope.dimension_count", keys_head_dim(c, s));
    if (!config_bool(c, "parallel_attn_mlp_res", false)
        || config_int(c, "moe_layer_frequency", 2) != 1)
        config_wrong(c, LORY_E_UNSUPPORTED,
                     "layers without experts, or without a network beside them "
                     "(moe_layer_frequency, parallel_attn_mlp_res), are not known of arctic");
    if (config_int(c, "num_experts_per_tok", 1) < 2)
        config_wrong(c, LORY_E_UNSUPPORTED, "one expert for each token is not known of arctic");
}
