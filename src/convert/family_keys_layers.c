/* family_keys_layers.c - see families.h: the same as family_keys.c, of families whose layers are
 * not all of one size. */
#include "convert/families.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* A number for each layer, as many as there are. */
typedef struct {
    int32_t v[CONFIG_MAX_LAYER];
} by_layer;

static bool has_room(config *c, const hf_shape *s)
{
    if (s->n_layer <= CONFIG_MAX_LAYER) return true;
    config_wrong(c, LORY_E_UNSUPPORTED, "more than %d layers", CONFIG_MAX_LAYER);
    return false;
}

static void put_layers(config *c, const hf_shape *s, const char *key, const by_layer *values)
{
    char name[128];
    snprintf(name, sizeof name, "%s.%s", c->arch, key);
    gguf_put_i32s(c->w, name, values->v, (size_t)s->n_layer);
}

/* The list under `name`, of a number (0 .. INT32_MAX) for each layer. */
static void read_list(config *c, const hf_shape *s, const char *name, by_layer *out)
{
    const json *list = config_find(c, name);
    int64_t il = 0;
    if (!list || list->type != JSON_ARRAY || (int64_t)list->n != s->n_layer) {
        config_wrong(c, LORY_E_FORMAT,
                     "config.json has no list \"%s\" with a number for each "
                     "layer",
                     name);
        return;
    }
    for (const json *j = list->first; j; j = j->next, il++) {
        int64_t n = 0;
        if (!json_get_int(j, &n) || n < 0 || n > INT32_MAX)
            config_wrong(c, LORY_E_FORMAT,
                         "config.json has a \"%s\" that is no whole number of "
                         "use",
                         name);
        else
            out->v[il] = (int32_t)n;
    }
}

/* A width that can be no more than INT32_MAX. */
static int32_t width_of(config *c, double n)
{
    if (n >= 0.0 && n < 1e9) return (int32_t)n;
    config_wrong(c, LORY_E_FORMAT,
                 "config.json has a multiplier of the feed-forward network that "
                 "is of no use");
    return 0;
}

/* ---- OpenELM --------------------------------------------------------------------------------- */

void shape_openelm(config *c, hf_shape *s)
{
    s->head_dim = config_int(c, "head_dim", CONFIG_NEEDED);
}

/* The nearest multiple of `unit`, at least one, and not below nine tenths of what was wanted. */
static int32_t make_divisible(config *c, double wanted, int64_t unit)
{
    double n = floor((wanted + floor((double)unit / 2.0)) / (double)unit) * (double)unit;
    if (n < (double)unit) n = (double)unit;
    return width_of(c, n < 0.9 * wanted ? n + (double)unit : n);
}

static void put_openelm_widths(config *c, const hf_shape *s)
{
    const json *list = config_find(c, "ffn_multipliers");
    int64_t unit = config_int(c, "ffn_dim_divisor", 256), n_embd = keys_n_embd(c), il = 0;
    by_layer n_ff = { { 0 } };
    if (!list || list->type != JSON_ARRAY || (int64_t)list->n != s->n_layer || unit < 1) {
        config_wrong(c, LORY_E_FORMAT,
                     "config.json has no \"ffn_multipliers\" for each layer, or "
                     "a bad \"ffn_dim_divisor\"");
        return;
    }
    for (const json *j = list->first; j; j = j->next, il++)
        n_ff.v[il] = make_divisible(c, j->num * (double)n_embd, unit);
    put_layers(c, s, "feed_forward_length", &n_ff);
}

void keys_openelm(config *c, const hf_shape *s)
{
    by_layer n_head = { { 0 } }, n_kv_head = { { 0 } };
    if (!has_room(c, s)) return;
    config_one_of(c, "activation", "activation_fn_name", "swish", "swish silu");
    config_one_of(c, "norm", "normalization_layer_name", "rms_norm", "rms_norm");
    if (!config_bool(c, "ffn_with_glu", true))
        config_wrong(c, LORY_E_UNSUPPORTED,
                     "a network without a gate (ffn_with_glu) is not known "
                     "of openelm");
    read_list(c, s, "num_query_heads", &n_head);
    read_list(c, s, "num_kv_heads", &n_kv_head);
    config_put_int(c, "block_count", s->n_layer);
    config_copy_int(c, "context_length", "max_context_length", 2048);
    config_put_int(c, "embedding_length", keys_n_embd(c));
    put_openelm_widths(c, s);
    put_layers(c, s, "attention.head_count", &n_head);
    put_layers(c, s, "attention.head_count_kv", &n_kv_head);
    config_copy_num(c, "rope.freq_base", "rope_freq_constant", 10000.0);
    config_put_num(c, "attention.layer_norm_rms_epsilon", 1e-6); /* not in config.json */
    config_put_int(c, "rope.dimension_count", s->head_dim);
    config_put_int(c, "attention.key_length", s->head_dim);
    config_put_int(c, "attention.value_length", s->head_dim);
}

/* ---- DeciLM, Llama-Nemotron ------------------------------------------------------------------ */

void shape_deci(config *c, hf_shape *s)
{
    s->head_dim = keys_head_dim(c, s);
    s->lacks_parts = config_find(c, "block_configs") != NULL;
}

typedef struct {
    by_layer n_head, n_kv_head, n_ff;
} deci_layers;

/* What is neither null nor false in a part of the config changes the layer in an unknown way. */
static void refuse_options(config *part)
{
    static const char *const names[] = { "window_length", "sparsify", "num_sink_tokens",
                                         "use_prefill_window_in_sink_attention", "unshifted_sink" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const json *j = config_find(part, names[i]);
        bool is_on = j != NULL;
        json_get_bool(j, &is_on);
        if (is_on)
            config_wrong(part, LORY_E_UNSUPPORTED, "\"%s\" of a layer is not known of deci",
                         names[i]);
    }
}

static void read_deci_attention(config *c, const hf_shape *s, const json *block, int64_t il,
                                deci_layers *l)
{
    config part = *c;
    part.root = json_get(block, "attention");
    int64_t group = config_int(&part, "n_heads_in_group", 0);
    bool is_linear = config_bool(&part, "replace_with_linear", false);
    if (part.root) refuse_options(&part);
    if (group > 0 && s->n_head % group != 0)
        config_wrong(&part, LORY_E_FORMAT,
                     "config.json has an \"n_heads_in_group\" that %d heads "
                     "do not go into",
                     (int)s->n_head);
    if (config_bool(&part, "no_op", false)) group = 0;
    l->n_head.v[il] = group > 0 || is_linear ? (int32_t)s->n_head : 0;
    l->n_kv_head.v[il] = group > 0 && !is_linear ? (int32_t)(s->n_head / group) : 0;
    keys_join(c, &part);
}

static void read_deci_network(config *c, const json *block, int64_t il, deci_layers *l)
{
    config part = *c;
    part.root = json_get(block, "ffn");
    double multiplier = config_num(&part, "ffn_mult", 0.0);
    if (config_bool(&part, "replace_with_linear", false))
        config_wrong(&part, LORY_E_UNSUPPORTED,
                     "a product in place of the network "
                     "(replace_with_linear) is not known of deci");
    if (config_bool(&part, "no_op", false)) multiplier = 0.0;
    double n = floor(2.0 * multiplier * (double)keys_n_embd(c) / 3.0);
    l->n_ff.v[il] = width_of(&part, ceil(n / 256.0) * 256.0);
    keys_join(c, &part);
}

static void put_blocks(config *c, const hf_shape *s, const json *blocks)
{
    deci_layers l = { .n_ff = { { 0 } } };
    int64_t il = 0;
    if (blocks->type != JSON_ARRAY || (int64_t)blocks->n != s->n_layer) {
        config_wrong(c, LORY_E_FORMAT, "config.json has no \"block_configs\" for each layer");
        return;
    }
    for (const json *b = blocks->first; b; b = b->next, il++) {
        read_deci_attention(c, s, b, il, &l);
        read_deci_network(c, b, il, &l);
    }
    put_layers(c, s, "attention.head_count", &l.n_head);
    put_layers(c, s, "attention.head_count_kv", &l.n_kv_head);
    put_layers(c, s, "feed_forward_length", &l.n_ff);
}

/* Where only the heads of keys and values differ between the layers. */
static void put_deci_lists(config *c, const hf_shape *s)
{
    by_layer n_kv_head = { { 0 } };
    config_put_int(c, "attention.head_count", s->n_head);
    config_copy_int(c, "feed_forward_length", "intermediate_size", CONFIG_NEEDED);
    read_list(c, s, "num_key_value_heads_per_layer", &n_kv_head);
    put_layers(c, s, "attention.head_count_kv", &n_kv_head);
}

void keys_deci(config *c, const hf_shape *s)
{
    const json *blocks = config_find(c, "block_configs");
    if (!has_room(c, s)) return;
    keys_put_activation(c, "silu", "silu swish");
    config_put_int(c, "block_count", s->n_layer);
    config_copy_int(c, "context_length", "max_position_embeddings", CONFIG_NEEDED);
    config_put_int(c, "embedding_length", keys_n_embd(c));
    if (blocks) put_blocks(c, s, blocks);
    else put_deci_lists(c, s);
    config_put_num(c, "rope.freq_base", keys_rope_theta(c, 10000.0));
    keys_put_eps(c);
    config_copy_int(c, "vocab_size", "vocab_size", CONFIG_NEEDED);
    config_put_int(c, "rope.dimension_count", s->head_dim);
    config_put_int(c, "attention.key_length", s->head_dim);
    config_put_int(c, "attention.value_length", s->head_dim);
    keys_put_rope_scaling(c);
}
