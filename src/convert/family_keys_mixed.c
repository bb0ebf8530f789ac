/* family_keys_mixed.c - see families.h: the same as family_keys.c, of families whose layers have
 * heads of different numbers and lengths, by whether they see a window. */
#include "base/fmath.h"
#include "convert/families.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static const double PI = 3.14159265358979323846;

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
    if (types && (types->type != JSON_ARRAY || (int64_t)types->n < s->n_layer))
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

/* By a list of 0 and 1; absent: by "layer_types". */
static layer_kinds kinds_by(config *c, const hf_shape *s, const char *name, int64_t period)
{
    const json *list = config_find(c, name), *j = list ? list->first : NULL;
    if (!list) return kinds_of(c, s, period);
    layer_kinds k = { .n = check_count(c, s) ? s->n_layer : 0 };
    if (list->type != JSON_ARRAY || (int64_t)list->n < s->n_layer)
        config_wrong(c, LORY_E_FORMAT, "config.json has not one of %s for each layer", name);
    for (int64_t il = 0; il < k.n && j; il++, j = j->next) k.is_local[il] = j->i == 1;
    return k;
}

static bool has_windows(const layer_kinds *k)
{
    for (int64_t il = 0; il < k->n; il++)
        if (k->is_local[il]) return true;
    return false;
}

static void put_windows(config *c, const layer_kinds *k, int64_t window)
{
    if (!has_windows(k)) return;
    config_put_int(c, "attention.sliding_window", window);
    put_kinds(c, k);
}

/* How many first layers have no experts, by "mlp_layer_types"; absent: `otherwise`. */
static int64_t count_dense(config *c, int64_t otherwise)
{
    const json *types = config_find(c, "mlp_layer_types");
    int64_t n = 0, il = 0;
    if (!types) return otherwise;
    for (const json *t = types->first; t; t = t->next, il++) {
        bool is_dense = json_str_is(t, "dense");
        if (is_dense && n == il) n++;
        else if (is_dense)
            config_wrong(c, LORY_E_UNSUPPORTED,
                         "layers without experts behind such with them are not known of %s",
                         c->arch);
    }
    return n;
}

/* What is said about the rotation of one kind of layers. What is said about all of them at once can
 * only be that it is the usual one. */
static config rope_of(config *c, const char *kind)
{
    config rope = keys_rope_part(c);
    bool is_usual = !config_find(&rope, "rope_type type") || keys_rope_is(&rope, "default");
    if (rope.root && !keys_rope_is_by_kind(&rope)
        && (!is_usual || config_find(&rope, "rope_theta factor")))
        config_wrong(c, LORY_E_UNSUPPORTED, "RoPE parameters that are not those of kinds of layers "
                                            "are not known of %s", c->arch);
    return rope.root ? keys_part_of(&rope, kind) : rope;
}

/* What a kind of layers has when its part of the config is silent. */
typedef struct {
    double theta, share; /* of a head's values rotates */
} rope_usual;

/* The part under `kind` in keys that end with `end`. */
static void put_rope(config *c, const char *kind, const char *end, int64_t head_dim, rope_usual u)
{
    config rope = rope_of(c, kind);
    char key[64];
    double theta = rope.root ? config_num(&rope, "rope_theta", u.theta) : u.theta;
    double share = rope.root ? config_num(&rope, "partial_rotary_factor", u.share) : u.share;
    snprintf(key, sizeof key, "rope.dimension_count%s", end);
    config_put_int(c, key, (int64_t)(share * (double)head_dim));
    snprintf(key, sizeof key, "rope.freq_base%s", end);
    config_put_num(c, key, theta);
    if (*end && rope.root)
        config_one_of(&rope, "RoPE scaling of windows", "rope_type", "default", "default");
    if (!*end) keys_put_scaling_of(c, &rope);
    keys_join(c, &rope);
}

/* Sizes of what the families below have in common. */
static void put_common(config *c, const hf_shape *s)
{
    keys_put_activation(c, "silu", "silu");
    keys_put_sizes(c, s);
    config_copy_num(c, "attention.layer_norm_rms_epsilon", "rms_norm_eps layernorm_epsilon", 1e-6);
    config_put_int(c, "expert_count", s->n_expert);
    config_copy_int(c, "expert_used_count", "num_experts_per_tok moe_top_k", CONFIG_NEEDED);
}

/* ---- Cohere 2 with experts, Mellum 2 --------------------------------------------------------- */

void keys_cohere2_moe(config *c, const hf_shape *s)
{
    layer_kinds k = kinds_of(c, s, 4);
    int64_t n_ff = config_int(c, "intermediate_size", CONFIG_NEEDED);
    int64_t n_dense = count_dense(c, config_int(c, "first_k_dense_replace", 0));
    bool is_softmax = json_str_is(config_find(c, "expert_selection_fn"), "softmax");
    put_common(c, s);
    if (!config_find(c, "rms_norm_eps") || config_int(c, "num_shared_experts", 0) > 0
        || (n_dense > 0 && config_int(c, "prefix_dense_sliding_window_pattern", 1) != 1))
        config_wrong(c, LORY_E_UNSUPPORTED,
                     "layer norms, shared experts, and first layers that don't rotate are not "
                     "known of cohere2_moe");
    config_put_int(c, "attention.head_count_kv", s->n_kv_head);
    keys_put_head_dim(c);
    config_copy_int(c, "feed_forward_length", "prefix_dense_intermediate_size", n_ff);
    config_put_int(c, "expert_feed_forward_length", n_ff);
    config_put_int(c, "leading_dense_block_count", n_dense);
    config_put_int(c, "expert_gating_func", is_softmax ? KEYS_SOFTMAX_CHOSEN : KEYS_SIGMOID);
    config_copy_bool(c, "expert_weights_norm", "norm_topk_prob", false);
    config_copy_num(c, "logit_scale", "logit_scale", 0.0625);
    config_put_int(c, "rope.dimension_count", keys_head_dim(c, s));
    config_put_num(c, "rope.freq_base", keys_rope_theta(c, 10000.0));
    keys_put_rope_scaling(c);
    put_windows(c, &k, config_int(c, "sliding_window", 4096));
}

void keys_mellum(config *c, const hf_shape *s)
{
    layer_kinds k = kinds_of(c, s, 1);
    int64_t head_dim = config_int(c, "head_dim", 128);
    put_common(c, s);
    if (count_dense(c, 0) > 0)
        config_wrong(c, LORY_E_UNSUPPORTED, "layers without experts are not known of mellum");
    config_put_int(c, "attention.head_count_kv", s->n_kv_head);
    config_put_int(c, "attention.key_length", head_dim);
    config_put_int(c, "attention.value_length", head_dim);
    config_copy_int(c, "feed_forward_length", "intermediate_size", CONFIG_NEEDED);
    config_copy_int(c, "expert_feed_forward_length", "moe_intermediate_size", CONFIG_NEEDED);
    config_copy_bool(c, "expert_weights_norm", "norm_topk_prob", true);
    put_rope(c, "full_attention", "", head_dim, (rope_usual){ 500000.0, 1.0 });
    if (has_windows(&k))
        put_rope(c, "sliding_attention", "_swa", head_dim, (rope_usual){ 10000.0, 1.0 });
    put_windows(c, &k, config_int(c, "sliding_window", 1024));
}

/* ---- Laguna ---------------------------------------------------------------------------------- */

static void put_laguna_heads(config *c, const hf_shape *s)
{
    int32_t heads[CONFIG_MAX_LAYER];
    const json *list = config_find(c, "num_attention_heads_per_layer");
    int64_t il = 0;
    char key[96];
    if (!list) return; /* as put_common has it */
    if (list->type != JSON_ARRAY || (int64_t)list->n != s->n_layer || !check_count(c, s)) {
        config_wrong(c, LORY_E_FORMAT, "config.json has not a number of heads for each layer");
        return;
    }
    for (const json *j = list->first; j; j = j->next)
        heads[il++] = j->i > 0 && j->i < INT32_MAX ? (int32_t)j->i : 0;
    snprintf(key, sizeof key, "%s.attention.head_count", c->arch);
    gguf_put_i32s(c->w, key, heads, (size_t)il);
}

void keys_laguna(config *c, const hf_shape *s)
{
    layer_kinds k = kinds_of(c, s, 1);
    int64_t head_dim = config_int(c, "head_dim", 128);
    bool has_heads = config_find(c, "num_attention_heads_per_layer") != NULL;
    keys_put_activation(c, "silu", "silu");
    config_put_int(c, "block_count", s->n_layer);
    config_copy_int(c, "context_length", "max_position_embeddings", CONFIG_NEEDED);
    config_put_int(c, "embedding_length", keys_n_embd(c));
    config_copy_num(c, "attention.layer_norm_rms_epsilon", "rms_norm_eps", 1e-6);
    if (!has_heads) config_put_int(c, "attention.head_count", s->n_head);
    put_laguna_heads(c, s);
    if (config_bool(c, "moe_apply_router_weight_on_input", false)
        || config_num(c, "moe_router_logit_softcapping", 0.0) != 0.0)
        config_wrong(c, LORY_E_UNSUPPORTED,
                     "routing by the input's weight, or capped, is not known of laguna");
    config_put_int(c, "attention.head_count_kv", s->n_kv_head);
    config_put_int(c, "attention.key_length", head_dim);
    config_put_int(c, "attention.value_length", head_dim);
    config_copy_int(c, "feed_forward_length", "intermediate_size", CONFIG_NEEDED);
    config_put_int(c, "expert_count", s->n_expert);
    config_copy_int(c, "expert_used_count", "num_experts_per_tok", CONFIG_NEEDED);
    config_copy_int(c, "expert_feed_forward_length", "moe_intermediate_size", CONFIG_NEEDED);
    config_copy_int(c, "expert_shared_feed_forward_length", "shared_expert_intermediate_size", 0);
    config_copy_num(c, "expert_weights_scale", "moe_routed_scaling_factor", 1.0);
    config_put_bool(c, "expert_weights_norm", true);
    config_put_int(c, "expert_gating_func", KEYS_SIGMOID);
    config_put_int(c, "leading_dense_block_count", count_dense(c, 1));
    put_rope(c, "full_attention", "", head_dim, (rope_usual){ 500000.0, 0.5 });
    if (has_windows(&k))
        put_rope(c, "sliding_attention", "_swa", head_dim, (rope_usual){ 10000.0, 1.0 });
    put_windows(c, &k, config_int(c, "sliding_window", 512));
}

/* ---- MiMo-V2 --------------------------------------------------------------------------------- */

static void put_mimo2_heads(config *c, const hf_shape *s, const layer_kinds *k)
{
    int64_t head_dim = config_int(c, "head_dim", 192), value_dim = config_int(c, "v_head_dim", 128);
    if (config_int(c, "swa_head_dim", head_dim) != head_dim
        || config_int(c, "swa_v_head_dim", value_dim) != value_dim
        || config_int(c, "swa_num_attention_heads", s->n_head) != s->n_head
        || config_bool(c, "add_full_attention_sink_bias", false))
        config_wrong(c, LORY_E_UNSUPPORTED,
                     "queries or heads that differ in windows, and sinks elsewhere, are not known "
                     "of mimo2");
    config_put_int(c, "attention.key_length", head_dim);
    config_put_int(c, "attention.value_length", value_dim);
    put_by_kind(c, "attention.head_count_kv", k,
                config_int(c, "swa_num_key_value_heads", 2 * s->n_kv_head), s->n_kv_head);
}

/* The first layers without experts must be those that the file shows to be so. */
static void check_mimo2_experts(config *c)
{
    const json *list = config_find(c, "moe_layer_freq");
    bool had = false;
    count_dense(c, 1);
    for (const json *j = list && list->type == JSON_ARRAY ? list->first : NULL; j; j = j->next) {
        if (had && j->i == 0)
            config_wrong(c, LORY_E_UNSUPPORTED,
                         "layers without experts behind such with them are not known of mimo2");
        had |= j->i != 0;
    }
}

void keys_mimo2(config *c, const hf_shape *s)
{
    layer_kinds k = kinds_by(c, s, "hybrid_layer_pattern", 6);
    if (!config_find(c, "hybrid_layer_pattern layer_types")) k.is_local[0] = false;
    int64_t head_dim = config_int(c, "head_dim", 192);
    double share = config_num(c, "partial_rotary_factor", 0.334);
    put_common(c, s);
    put_mimo2_heads(c, s, &k);
    check_mimo2_experts(c);
    config_copy_int(c, "feed_forward_length", "intermediate_size", CONFIG_NEEDED);
    config_copy_int(c, "expert_feed_forward_length", "moe_intermediate_size", CONFIG_NEEDED);
    config_copy_bool(c, "expert_weights_norm", "norm_topk_prob", true);
    config_copy_num(c, "expert_weights_scale", "routed_scaling_factor", 1.0);
    if (config_int(c, "n_group", 1) > 1)
        config_wrong(c, LORY_E_UNSUPPORTED, "groups of experts are not known of mimo2");
    config_copy_given_num(c, "attention.value_scale", "attention_value_scale");
    put_rope(c, "full_attention", "", head_dim,
             (rope_usual){ config_num(c, "rope_theta", 5e6), share });
    put_rope(c, "sliding_attention", "_swa", head_dim,
             (rope_usual){ config_num(c, "swa_rope_theta", 1e4), share });
    put_windows(c, &k, config_int(c, "sliding_window sliding_window_size", 128));
}

/* ---- Step 3.5 -------------------------------------------------------------------------------- */

void shape_step35(config *c, hf_shape *s)
{
    s->n_kv_head = config_int(c, "num_attention_groups", s->n_head);
    s->n_expert = config_int(c, "moe_num_experts", CONFIG_NEEDED);
}

/* The smallest number of a list in a string, "3,4,5": the first layer with experts. */
static int64_t first_of(config *c, const char *name)
{
    const json *j = config_find(c, name);
    int64_t least = -1, n = 0;
    bool in_number = false;
    for (const char *s = j && j->type == JSON_STRING ? j->str : "";; s++) {
        bool is_digit = *s >= '0' && *s <= '9';
        if (is_digit && n < 100000) n = 10 * n + (*s - '0');
        if (!is_digit && in_number && (least < 0 || n < least)) least = n;
        if (!is_digit) n = 0;
        in_number = is_digit;
        if (!*s) break;
    }
    return least < 0 ? 0 : least;
}

void keys_put_clips(config *c, const hf_shape *s, const char *name, const char *to)
{
    float limits[CONFIG_MAX_LAYER];
    const json *list = config_find(c, name), *j = list ? list->first : NULL;
    char key[96];
    if (!list || !check_count(c, s)) return;
    for (int64_t il = 0; il < s->n_layer; il++, j = j ? j->next : NULL)
        limits[il] = j && j->type == JSON_NUMBER ? (float)j->num : 0.0f;
    snprintf(key, sizeof key, "%s.%s", c->arch, to);
    gguf_put_f32s(c->w, key, limits, (size_t)s->n_layer);
}

static void put_step35_experts(config *c, const hf_shape *s)
{
    config_copy_int(c, "expert_feed_forward_length", "moe_intermediate_size", CONFIG_NEEDED);
    config_copy_int(c, "expert_shared_feed_forward_length", "share_expert_dim", CONFIG_NEEDED);
    config_copy_num(c, "expert_weights_scale", "moe_router_scaling_factor", 1.0);
    config_copy_bool(c, "expert_weights_norm", "norm_expert_weight", true);
    config_put_int(c, "expert_gating_func", KEYS_SIGMOID);
    config_put_int(c, "leading_dense_block_count", first_of(c, "moe_layers_enum"));
    if (config_int(c, "moe_every_n_layer", 1) != 1)
        config_wrong(c, LORY_E_UNSUPPORTED, "moe_every_n_layer is not known of step35");
    keys_put_clips(c, s, "swiglu_limits", "swiglu_clamp_exp");
    keys_put_clips(c, s, "swiglu_limits_shared", "swiglu_clamp_shexp");
}

/* Whole heads rotate in windows, the first halves elsewhere. */
static void check_step35_rotation(config *c, const layer_kinds *k)
{
    const json *list = config_find(c, "partial_rotary_factors"), *j = list ? list->first : NULL;
    config rope = keys_rope_part(c);
    bool is_known = true;
    for (int64_t il = 0; il < k->n && j; il++, j = j->next)
        is_known &= j->num == (k->is_local[il] ? 1.0 : 0.5);
    if (!is_known)
        config_wrong(c, LORY_E_UNSUPPORTED,
                     "partial_rotary_factors other than 1 in windows and 0.5 elsewhere are not "
                     "known of step35");
    if (rope.root)
        config_one_of(&rope, "RoPE scaling of step35", "rope_type type", "default", "default");
    keys_join(c, &rope);
}

/* The bases of rotation: one, or that of each layer. */
static void put_step35_bases(config *c, const layer_kinds *k)
{
    const json *list = config_find(c, "rope_theta"), *j = NULL;
    double full = 10000.0, local = 0.0;
    if (!list || list->type != JSON_ARRAY) {
        config_copy_num(c, "rope.freq_base", "rope_theta", 10000.0);
        return;
    }
    j = list->first;
    for (int64_t il = 0; il < k->n && j; il++, j = j->next)
        *(k->is_local[il] ? &local : &full) = j->num;
    config_put_num(c, "rope.freq_base", full);
    if (local > 0.0) config_put_num(c, "rope.freq_base_swa", local);
}

void keys_step35(config *c, const hf_shape *s)
{
    layer_kinds k = kinds_of(c, s, 1);
    config other = keys_part_of(c, "attention_other_setting");
    int64_t head_dim = keys_head_dim(c, s);
    int64_t n_head = other.root ? config_int(&other, "num_attention_heads", s->n_head) : s->n_head;
    int64_t n_kv = other.root ? config_int(&other, "num_attention_groups", s->n_kv_head)
                              : s->n_kv_head;
    keys_join(c, &other);
    keys_put_activation(c, "silu", "silu");
    config_put_int(c, "block_count", s->n_layer);
    config_copy_int(c, "context_length", "max_position_embeddings", CONFIG_NEEDED);
    config_put_int(c, "embedding_length", keys_n_embd(c));
    config_copy_int(c, "feed_forward_length", "intermediate_size", CONFIG_NEEDED);
    config_copy_num(c, "attention.layer_norm_rms_epsilon", "rms_norm_eps", 1e-5);
    put_by_kind(c, "attention.head_count", &k, n_head, s->n_head);
    put_by_kind(c, "attention.head_count_kv", &k, n_kv, s->n_kv_head);
    config_put_int(c, "attention.key_length", head_dim);
    config_put_int(c, "attention.value_length", head_dim);
    config_put_int(c, "rope.dimension_count", head_dim);
    config_put_int(c, "expert_count", s->n_expert);
    config_copy_int(c, "expert_used_count", "moe_top_k", CONFIG_NEEDED);
    put_step35_experts(c, s);
    check_step35_rotation(c, &k);
    put_step35_bases(c, &k);
    put_windows(c, &k, config_int(c, "sliding_window", CONFIG_NEEDED));
}

/* ---- Gemma 4 --------------------------------------------------------------------------------- */

enum { GEMMA4_HEAD_DIM = 256, GEMMA4_FULL_DIM = 512, GEMMA4_LAYER_EMBD = 256 };

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
    config_copy_int(c, "expert_count", "num_experts", CONFIG_NEEDED);
    config_copy_int(c, "expert_used_count", "top_k_experts", CONFIG_NEEDED);
    config_copy_int(c, "expert_feed_forward_length",
                    "moe_intermediate_size expert_intermediate_size", CONFIG_NEEDED);
}

void keys_gemma4(config *c, const hf_shape *s)
{
    layer_kinds k = kinds_of(c, s, 6);
    int64_t head_dim = config_int(c, "head_dim", GEMMA4_HEAD_DIM);
    int64_t full_dim = config_int(c, "global_head_dim", GEMMA4_FULL_DIM);
    int64_t n_sharing = config_int(c, "num_kv_shared_layers", 0);
    bool is_joined = config_bool(c, "attention_k_eq_v", false);
    keys_put_activation(c, "gelu_pytorch_tanh", "gelu_pytorch_tanh");
    keys_put_sizes(c, s);
    config_copy_num(c, "attention.layer_norm_rms_epsilon", "rms_norm_eps", 1e-6);
    config_copy_int(c, "attention.sliding_window", "sliding_window", 512);
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
    config_copy_int(c, "embedding_length_per_layer_input",
                    "hidden_size_per_layer_input", GEMMA4_LAYER_EMBD);
    config_copy_num(c, "final_logit_softcapping", "final_logit_softcapping", 0.0);
    put_gemma4_ropes(c, head_dim, full_dim);
    put_gemma4_experts(c);
}

/* ---- Gemma 3n -------------------------------------------------------------------------------- */

/* When the config is silent so many first layers are sparse. */
enum { GEMMA3N_SPARSE = 10 };
#define GEMMA3N_SHARE 0.95

/* The share of a normal distribution below x: 1/2 + its density times x + x^3/3 + x^5/15 + .. */
static double share_below(double x)
{
    double term = x, sum = x;
    for (int n = 1; n < 200; n++) sum += term *= x * x / (2 * n + 1);
    return 0.5 + math_exp(-x * x / 2.0) / sqrt(2.0 * PI) * sum;
}

/* The x of a share. */
static double quantile(double share)
{
    double low = -8.0, high = 8.0;
    while (high - low > 1e-12) {
        double x = (low + high) / 2.0;
        if (share_below(x) < share) low = x;
        else high = x;
    }
    return low;
}

/* Which share of a layer's gates becomes 0: as many deviations above their mean. */
static void put_gemma3n_sparsity(config *c, const hf_shape *s)
{
    float cuts[CONFIG_MAX_LAYER];
    const json *list = config_find(c, "activation_sparsity_pattern");
    bool is_list = list && list->type == JSON_ARRAY;
    const json *j = is_list ? list->first : NULL;
    if (!check_count(c, s)) return;
    if (list && (!is_list || (int64_t)list->n != s->n_layer))
        config_wrong(c, LORY_E_FORMAT,
                     "config.json has not one of activation_sparsity_pattern for each layer");
    for (int64_t il = 0; il < s->n_layer; il++, j = j ? j->next : NULL) {
        bool is_sparse = s->n_layer > GEMMA3N_SPARSE && il < GEMMA3N_SPARSE;
        double share = j ? j->num : is_sparse ? GEMMA3N_SHARE : 0.0;
        if (!(share >= 0.0 && share < 1.0))
            config_wrong(c, LORY_E_FORMAT, "config.json has a sparsity of %g", share);
        cuts[il] = share > 0.0 ? (float)quantile((double)(float)share) : -INFINITY;
    }
    gguf_put_f32s(c->w, "gemma3n.activation_sparsity_scale", cuts, (size_t)s->n_layer);
}

/* Of each layer, or of all. */
static void put_gemma3n_ff(config *c, const hf_shape *s)
{
    int32_t widths[CONFIG_MAX_LAYER];
    const json *list = config_find(c, "intermediate_size"), *j = list ? list->first : NULL;
    if (!list || list->type != JSON_ARRAY) {
        config_copy_int(c, "feed_forward_length", "intermediate_size", CONFIG_NEEDED);
        return;
    }
    if (!check_count(c, s)) return;
    if ((int64_t)list->n != s->n_layer)
        config_wrong(c, LORY_E_FORMAT,
                     "config.json has not one of intermediate_size for each layer");
    for (int64_t il = 0; il < s->n_layer; il++, j = j ? j->next : NULL)
        widths[il] = j && j->i > 0 && j->i < INT32_MAX ? (int32_t)j->i : 0;
    gguf_put_i32s(c->w, "gemma3n.feed_forward_length", widths, (size_t)s->n_layer);
}

static void put_gemma3n_ropes(config *c)
{
    config full = rope_of(c, "full_attention"), local = rope_of(c, "sliding_attention");
    double theta = config_num(c, "rope_theta", 1e6);
    double theta_local = config_num(c, "rope_local_base_freq", 1e4);
    config_put_num(c, "rope.freq_base",
                   full.root ? config_num(&full, "rope_theta", theta) : theta);
    config_put_num(c, "rope.freq_base_swa",
                   local.root ? config_num(&local, "rope_theta", theta_local) : theta_local);
    if (full.root)
        config_one_of(&full, "RoPE scaling of gemma3n", "rope_type", "default", "default");
    if (local.root)
        config_one_of(&local, "RoPE scaling of gemma3n", "rope_type", "default", "default");
    keys_join(c, &full);
    keys_join(c, &local);
}

void keys_gemma3n(config *c, const hf_shape *s)
{
    layer_kinds k = kinds_of(c, s, 5);
    int64_t head_dim = config_int(c, "head_dim", 256);
    keys_put_activation(c, "gelu_pytorch_tanh", "gelu_pytorch_tanh");
    if (!config_bool(c, "altup_correct_scale", true))
        config_wrong(c, LORY_E_UNSUPPORTED, "altup_correct_scale false is not known of gemma3n");
    keys_put_sizes(c, s);
    config_put_int(c, "attention.head_count_kv", s->n_kv_head);
    config_put_int(c, "attention.key_length", head_dim);
    config_put_int(c, "attention.value_length", head_dim);
    config_copy_num(c, "attention.layer_norm_rms_epsilon", "rms_norm_eps", 1e-6);
    config_copy_int(c, "attention.sliding_window", "sliding_window", 512);
    put_kinds(c, &k);
    config_copy_int(c, "attention.shared_kv_layers", "num_kv_shared_layers", 15);
    config_copy_int(c, "embedding_length_per_layer_input", "hidden_size_per_layer_input", 256);
    config_copy_int(c, "altup.num_inputs", "altup_num_inputs", 4);
    config_copy_int(c, "altup.active_idx", "altup_active_idx", 0);
    config_copy_num(c, "final_logit_softcapping", "final_logit_softcapping", 30.0);
    put_gemma3n_ff(c, s);
    put_gemma3n_ropes(c);
    put_gemma3n_sparsity(c, s);
}

/* ---- Muse Glimmer ---------------------------------------------------------------------------- */

void keys_muse_glimmer(config *c, const hf_shape *s)
{
    layer_kinds k = kinds_of(c, s, 4);
    int64_t head_dim = config_int(c, "head_dim", 128), il = 0;
    config rope = keys_rope_part(c);
    const json *thetas = config_find(c, "layer_rope_theta");
    double theta = keys_rope_theta(c, 500000.0);
    bool is_known = true;
    for (const json *j = thetas ? thetas->first : NULL; j && il < k.n; j = j->next, il++)
        is_known &= j->num == (k.is_local[il] ? theta : 0.0);
    if (!is_known || fabs(config_num(c, "post_norm_eps", 1e-8) - 1e-8) > 1e-12)
        config_wrong(c, LORY_E_UNSUPPORTED, "layer_rope_theta other than one base in windows and 0 "
                                            "elsewhere, and post_norm_eps other than 1e-8, are not "
                                            "known of muse-glimmer");
    if (rope.root)
        config_one_of(&rope, "RoPE scaling of muse-glimmer", "rope_type type", "default",
                      "default");
    keys_join(c, &rope);
    keys_put_activation(c, "silu", "silu");
    keys_put_sizes(c, s);
    config_copy_int(c, "feed_forward_length", "intermediate_size", CONFIG_NEEDED);
    config_put_int(c, "attention.head_count_kv", s->n_kv_head);
    config_put_int(c, "attention.key_length", head_dim);
    config_put_int(c, "attention.value_length", head_dim);
    config_put_int(c, "rope.dimension_count", head_dim);
    config_put_num(c, "rope.freq_base", theta);
    config_copy_num(c, "attention.layer_norm_rms_epsilon", "rms_norm_eps", 1e-5);
    config_copy_num(c, "final_logit_softcapping", "final_logit_softcapping", 20.0);
    config_copy_num(c, "logit_scale", "output_multiplier", 0.19611613513818404);
    put_windows(c, &k, config_int(c, "sliding_window", 2048));
}

/* ---- Granite 4.5 ----------------------------------------------------------------------------- */

/* A base of 0 is of a layer that does not rotate; the others must have one base together. */
static void put_rotating(config *c, const hf_shape *s)
{
    bool rotates[CONFIG_MAX_LAYER];
    const json *list = config_find(c, "layer_rope_theta"), *j = list ? list->first : NULL;
    double theta = 0.0;
    char key[64];
    if (list && (!check_count(c, s) || (int64_t)list->n != s->n_layer)) {
        config_wrong(c, LORY_E_FORMAT,
                     "config.json has not one of layer_rope_theta for each layer");
        return;
    }
    for (int64_t il = 0; j; il++, j = j->next) {
        double own = 0.0;
        json_get_num(j, &own);
        rotates[il] = own != 0.0;
        if (rotates[il] && theta != 0.0 && own != theta)
            config_wrong(c, LORY_E_UNSUPPORTED, "layers of several bases of rotation "
                                                "(layer_rope_theta) are not known of %s", c->arch);
        if (rotates[il]) theta = own;
    }
    config_put_num(c, "rope.freq_base", theta != 0.0 ? theta : keys_rope_theta(c, 10000.0));
    snprintf(key, sizeof key, "%s.attention.rope_pattern", c->arch);
    if (list) gguf_put_bools(c->w, key, rotates, (size_t)s->n_layer);
}

void keys_granite_swa(config *c, const hf_shape *s)
{
    layer_kinds k = kinds_of(c, s, 4);
    if (!config_find(c, "layer_types"))
        config_wrong(c, LORY_E_FORMAT, "config.json has no layer_types");
    keys_put_activation(c, "silu", "silu");
    keys_put_sizes(c, s);
    config_copy_int(c, "feed_forward_length", "intermediate_size", CONFIG_NEEDED);
    config_put_int(c, "attention.head_count_kv", s->n_kv_head);
    keys_put_eps(c);
    keys_put_rope_scaling(c);
    put_rotating(c, s);
    put_windows(c, &k, config_int(c, "sliding_window", CONFIG_NEEDED));
    keys_put_granite_scales(c, s);
    if (s->n_expert == 0) return;
    config_put_int(c, "expert_count", s->n_expert);
    config_copy_int(c, "expert_used_count", "num_experts_per_tok", CONFIG_NEEDED);
    if (config_int(c, "shared_intermediate_size", 0) > 0)
        config_copy_int(c, "expert_shared_feed_forward_length", "shared_intermediate_size", 0);
}
