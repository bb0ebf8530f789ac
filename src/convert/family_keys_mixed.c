/* family_keys_mixed.c - see families.h: the same as family_keys.c, of families whose layers have
 * heads of different numbers and lengths, by whether they see a window. */
#include "convert/families.h"
#include <stdio.h>
#include <string.h>

/* Which layers see a window. */
typedef struct {
    bool is_local[CONFIG_MAX_LAYER];
    int64_t n;
} layer_kinds;

static bool check_count(config *c, const hf_shape *s)
{
    if (s->n_layer >= 1 && s->n_layer <= CONFIG_MAX_LAYER) return true;
    config_wrong(c, LORY_E_UNSUPPORTED, "%lld layers are not known of %s", (long long)s->n_layer,
                 c->arch);
    return false;
}

/* By "layer_types"; absent: every layer but each `period`-th. */
static layer_kinds kinds_of(config *c, const hf_shape *s, int64_t period)
{
    layer_kinds k = { .n = check_count(c, s) ? s->n_layer : 0 };
    const json *types = config_find(c, "layer_types"), *t = types ? types->first : NULL;
    if (types && (types->type != JSON_ARRAY || (int64_t)types->n != s->n_layer))
        config_wrong(c, LORY_E_FORMAT, "config.json has not one of layer_types for each layer");
    for (int64_t il = 0; il < k.n; il++, t = t ? t->next : NULL) {
        k.is_local[il] = t ? json_str_is(t, "sliding_attention") : (il + 1) % period != 0;
        if (t && !k.is_local[il] && !json_str_is(t, "full_attention"))
            config_wrong(c, LORY_E_UNSUPPORTED, "layers of another type than sliding_attention and "
                                                "full_attention are not known of %s", c->arch);
    }
    return k;
}

static void put_kinds(config *c, const layer_kinds *k)
{
    char key[96];
    snprintf(key, sizeof key, "%s.attention.sliding_window_pattern", c->arch);
    gguf_put_bools(c->w, key, k->is_local, (size_t)k->n);
}

/* A number of layers with a window, and one of the others: once, if they are the same. */
static void put_by_kind(config *c, const char *name, const layer_kinds *k, int64_t local,
                        int64_t full)
{
    int32_t values[CONFIG_MAX_LAYER];
    char key[96];
    if (local == full) {
        config_put_int(c, name, full);
        return;
    }
    for (int64_t il = 0; il < k->n; il++)
        values[il] = (int32_t)(k->is_local[il] ? local : full);
    snprintf(key, sizeof key, "%s.%s", c->arch, name);
    gguf_put_i32s(c->w, key, values, (size_t)k->n);
}

/* ---- Gemma 4 --------------------------------------------------------------------------------- */

enum { GEMMA4_HEAD_DIM = 256, GEMMA4_FULL_DIM = 512, GEMMA4_LAYER_EMBD = 256 };

/* What is said about the rotation of one kind of layers. */
static config rope_of(const config *c, const char *kind)
{
    config rope = keys_rope_part(c);
    if (!rope.root) return rope;
    config part = keys_part_of(&rope, kind);
    return part;
}

int keys_spread_factors(config *c, float *out, int cap)
{
    config rope = rope_of(c, "full_attention");
    int64_t dim = config_int(c, "global_head_dim", GEMMA4_FULL_DIM);
    double share = rope.root ? config_num(&rope, "partial_rotary_factor", 1.0) : 0.25;
    double factor = rope.root ? config_num(&rope, "factor", 1.0) : 1.0;
    if (rope.root)
        config_one_of(&rope, "RoPE scaling of full_attention", "rope_type", "proportional",
                      "proportional");
    keys_join(c, &rope);
    if (dim < 2 || dim / 2 > cap || !(share >= 0.0 && share <= 1.0) || !(factor > 0.0)) {
        config_wrong(c, LORY_E_FORMAT, "config.json has rope_parameters that make no sense");
        return 0;
    }
    for (int64_t i = 0; i < dim / 2; i++)
        out[i] = i < (int64_t)((double)dim * share / 2.0) ? (float)factor : 1e30f;
    return (int)(dim / 2);
}

static void put_gemma4_ropes(config *c, int64_t head_dim, int64_t full_dim)
{
    config full = rope_of(c, "full_attention"), local = rope_of(c, "sliding_attention");
    double share = local.root ? config_num(&local, "partial_rotary_factor", 1.0) : 1.0;
    if (local.root)
        config_one_of(&local, "RoPE scaling of sliding_attention", "rope_type", "default",
                      "default");
    config_put_int(c, "rope.dimension_count", full_dim);
    config_put_int(c, "rope.dimension_count_swa", (int64_t)(share * (double)head_dim));
    config_put_num(c, "rope.freq_base", full.root ? config_num(&full, "rope_theta", 1e6) : 1e6);
    config_put_num(c, "rope.freq_base_swa",
                   local.root ? config_num(&local, "rope_theta", 1e4) : 1e4);
    keys_join(c, &full);
    keys_join(c, &local);
}

/* The last layers, which attend to keys and values of earlier ones, may have networks of twice the
 * size. */
static void put_gemma4_ff(config *c, const layer_kinds *k, int64_t n_sharing)
{
    layer_kinds own = { .n = k->n };
    int64_t n_ff = config_int(c, "intermediate_size", CONFIG_NEEDED);
    bool is_wide = config_bool(c, "use_double_wide_mlp", false);
    for (int64_t il = 0; il < k->n - n_sharing; il++) own.is_local[il] = true;
    put_by_kind(c, "feed_forward_length", &own, n_ff, is_wide && n_sharing ? 2 * n_ff : n_ff);
}

static void put_gemma4_experts(config *c)
{
    if (!config_bool(c, "enable_moe_block", false)) return;
    config_put_int(c, "expert_count", config_int(c, "num_experts", CONFIG_NEEDED));
    config_put_int(c, "expert_used_count", config_int(c, "top_k_experts", CONFIG_NEEDED));
    config_put_int(c, "expert_feed_forward_length",
                   config_int(c, "moe_intermediate_size expert_intermediate_size", CONFIG_NEEDED));
}

void keys_gemma4(config *c, const hf_shape *s)
{
    layer_kinds k = kinds_of(c, s, 6);
    int64_t head_dim = config_int(c, "head_dim", GEMMA4_HEAD_DIM);
    int64_t full_dim = config_int(c, "global_head_dim", GEMMA4_FULL_DIM);
    int64_t n_sharing = config_int(c, "num_kv_shared_layers", 0);
    bool is_joined = config_bool(c, "attention_k_eq_v", false);
    keys_put_activation(c, "gelu_pytorch_tanh", "gelu_pytorch_tanh");
    if (json_str_is(config_find(c, "use_bidirectional_attention"), "all"))
        config_wrong(c, LORY_E_UNSUPPORTED, "attention in both directions is not known of gemma4");
    keys_put_sizes(c, s);
    config_put_num(c, "attention.layer_norm_rms_epsilon", config_num(c, "rms_norm_eps", 1e-6));
    config_put_int(c, "attention.sliding_window", config_int(c, "sliding_window", 512));
    put_kinds(c, &k);
    config_put_int(c, "attention.key_length", full_dim);
    config_put_int(c, "attention.value_length", full_dim);
    config_put_int(c, "attention.key_length_swa", head_dim);
    config_put_int(c, "attention.value_length_swa", head_dim);
    config_put_int(c, "attention.shared_kv_layers", n_sharing);
    put_by_kind(c, "attention.head_count_kv", &k, s->n_kv_head,
                is_joined ? config_int(c, "num_global_key_value_heads", s->n_kv_head)
                          : s->n_kv_head);
    put_gemma4_ff(c, &k, n_sharing);
    config_put_int(c, "embedding_length_per_layer_input",
                   config_int(c, "hidden_size_per_layer_input", GEMMA4_LAYER_EMBD));
    config_put_num(c, "final_logit_softcapping", config_num(c, "final_logit_softcapping", 0.0));
    put_gemma4_ropes(c, head_dim, full_dim);
    put_gemma4_experts(c);
}
