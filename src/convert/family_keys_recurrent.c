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

/* Layers that are convolutions have no heads of keys. Which attend is said layer by layer, or in a
 * list of their numbers. */
static void put_lfm2_heads(config *c, const hf_shape *s)
{
    const json *types = config_find(c, "layer_types"), *attending = config_find(c, "full_attn_idxs");
    const json *type = types ? types->first : NULL;
    int32_t n_kv_head[CONFIG_MAX_LAYER];
    char key[64];
    if (s->n_layer > CONFIG_MAX_LAYER || (types && (int64_t)types->n != s->n_layer)) {
        config_wrong(c, LORY_E_FORMAT, "config.json has no \"layer_types\" for each layer");
        return;
    }
    for (int64_t il = 0; il < s->n_layer; il++, type = type ? type->next : NULL) {
        bool attends = types ? json_str_is(type, "full_attention")
                             : !attending || has_number(attending, il);
        if (types && !attends && !json_str_is(type, "conv"))
            config_wrong(c, LORY_E_UNSUPPORTED, "a layer type that is neither conv nor "
                                                "full_attention is not known of %s", c->arch);
        n_kv_head[il] = attends ? (int32_t)s->n_kv_head : 0;
    }
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
    if (!(factor > 0.0 && factor < 1e3) || unit < 1)
        config_wrong(c, LORY_E_FORMAT, "config.json has a block_ffn_dim_multiplier or "
                                       "block_multiple_of of no use");
    n = (int64_t)(factor * (double)(2 * n / 3));
    return unit < 1 ? n : (n + unit - 1) / unit * unit;
}

/* What both kinds have; intermediate_size is put by each. */
static void put_lfm2(config *c, const hf_shape *s)
{
    config_one_of(c, "activation", "hidden_act", "silu", "silu");
    if (config_bool(c, "conv_bias", false))
        config_wrong(c, LORY_E_UNSUPPORTED, "biases of convolutions (conv_bias) are not known of %s",
                     c->arch);
    keys_put_sizes(c, s);
    put_lfm2_heads(c, s);
    config_put_num(c, "rope.freq_base", keys_rope_theta(c, config_num(c, "theta", 1e6)));
    config_put_num(c, "attention.layer_norm_rms_epsilon", config_num(c, "norm_eps", 1e-5));
    config_put_int(c, "vocab_size", config_int(c, "vocab_size", CONFIG_NEEDED));
    config_put_int(c, "shortconv.l_cache", config_int(c, "conv_L_cache", 3));
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
    config_put_int(c, "feed_forward_length", config_int(c, "intermediate_size", CONFIG_NEEDED));
    config_put_int(c, "expert_count", s->n_expert);
    config_put_int(c, "expert_used_count", config_int(c, "num_experts_per_tok", CONFIG_NEEDED));
    config_put_int(c, "expert_feed_forward_length",
                   config_int(c, "moe_intermediate_size", CONFIG_NEEDED));
    config_put_int(c, "leading_dense_block_count", config_int(c, "num_dense_layers", 0));
    config_put_int(c, "expert_gating_func", 2); /* sigmoid, by gguf-py's numbers */
    if (!config_bool(c, "norm_topk_prob", true)) config_put_bool(c, "expert_weights_norm", false);
    if (scale != 1.0) config_put_num(c, "expert_weights_scale", scale);
}
