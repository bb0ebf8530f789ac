/* family_keys_gpt.c - see families.h: the same as family_keys.c, of families from GPT to Falcon,
 * which have two matrices in a feed-forward layer and names of numbers of their own. */
#include "base/fmath.h"
#include "convert/families.h"
#include <math.h>

/* ---- sizes ------------------------------------------------------------------------------- */

void shape_bigcode(config *c, hf_shape *s)
{
    s->n_kv_head = 1;
    if (!config_bool(c, "multi_query", true))
        config_wrong(c, LORY_E_UNSUPPORTED, "GPT-BigCode without multi_query is not known");
}

void shape_falcon(config *c, hf_shape *s)
{
    bool is_new = config_bool(c, "new_decoder_architecture", false);
    bool is_multi_query = config_bool(c, "multi_query", true);
    if (!is_new) s->n_kv_head = is_multi_query ? 1 : s->n_head;
}

/* Its embedding and output are scaled, which GGUF has in the tensors. */
void shape_jais(config *c, hf_shape *s)
{
    double alpha = config_num(c, "mup_output_alpha", 0.0);
    s->embd_scale = (float)config_num(c, "mup_embeddings_scale embeddings_scale", (double)NAN);
    s->output_scale = (float)(alpha != 0.0 ? alpha * config_num(c, "mup_width_scale", (double)NAN)
                                           : config_num(c, "width_scale", (double)NAN));
}

void shape_mpt(config *c, hf_shape *s)
{
    config attn = keys_part_of(c, "attn_config");
    s->n_kv_head = config_int(&attn, "kv_n_heads", s->n_head);
    keys_join(c, &attn);
}

void shape_codeshell(config *c, hf_shape *s)
{
    s->n_kv_head = config_bool(c, "group_query_attention", true)
                       ? config_int(c, "num_query_groups", s->n_head)
                       : s->n_head;
}

/* ---- keys -------------------------------------------------------------------------------- */

static void put_gpt(config *c, const hf_shape *s, const char *eps)
{
    int64_t n_embd = keys_n_embd(c);
    keys_put_sizes(c, s);
    config_copy_int(c, "feed_forward_length",
                    "n_inner intermediate_size ffn_hidden_size", 4 * n_embd);
    config_put_num(c, "attention.layer_norm_epsilon", config_num(c, eps, 1e-5));
}

void keys_gpt2(config *c, const hf_shape *s)
{
    keys_put_activation(c, "gelu_new", KEYS_GELUS);
    put_gpt(c, s, "layer_norm_epsilon");
    if (!config_bool(c, "scale_attn_weights", true)
        || config_bool(c, "scale_attn_by_inverse_layer_idx", false))
        config_wrong(c, LORY_E_UNSUPPORTED,
                     "scale_attn_weights false and scale_attn_by_inverse_"
                     "layer_idx are not known of gpt2");
}

void keys_openai_gpt(config *c, const hf_shape *s)
{
    config_one_of(c, "activation", "afn", "gelu", KEYS_GELUS);
    put_gpt(c, s, "layer_norm_epsilon");
}

/* LLaMA's feed-forward layers in GPT-BigCode, their length rounded up to 256. */
void keys_refact(config *c, const hf_shape *s)
{
    int64_t n_embd = keys_n_embd(c), n_ff = 2 * (4 * n_embd) / 3;
    keys_put_activation(c, "silu", "silu");
    keys_put_sizes(c, s);
    config_put_int(c, "feed_forward_length", (n_ff + 255) / 256 * 256);
    config_put_int(c, "attention.head_count_kv", 1);
    config_copy_num(c, "attention.layer_norm_rms_epsilon", "layer_norm_epsilon", 1e-5);
    if (!config_bool(c, "multi_query", true))
        config_wrong(c, LORY_E_UNSUPPORTED, "Refact without multi_query is not known");
}

/* The first slope of 2^k heads is 2^(-bias / 2^k). */
void keys_jais(config *c, const hf_shape *s)
{
    double slope = (double)config_tensor(c, "transformer.relative_pe.slopes", NAN);
    int64_t n = 1;
    while (2 * n <= s->n_head) n *= 2;
    keys_put_activation(c, "swiglu", "swiglu");
    put_gpt(c, s, "layer_norm_epsilon");
    config_one_of(c, "position_embedding_type", "position_embedding_type", "alibi", "alibi");
    config_put_num(c, "attention.max_alibi_bias",
                   slope > 0.0 ? -round(math_log(slope) / math_log(2.0) * (double)n) : 8.0);
    if (!config_bool(c, "mup_scale_qk_dot_by_d scale_qk_dot_by_d", true)
        || config_find(c, "alibi_scaling"))
        config_wrong(c, LORY_E_UNSUPPORTED,
                     "scores divided by the root of the heads' length, and "
                     "alibi_scaling, are not known of jais");
}

void keys_bigcode(config *c, const hf_shape *s)
{
    keys_put_activation(c, "gelu_pytorch_tanh", KEYS_GELUS);
    put_gpt(c, s, "layer_norm_epsilon");
    config_put_int(c, "attention.head_count_kv", s->n_kv_head);
}

void keys_gptj(config *c, const hf_shape *s)
{
    keys_put_activation(c, "gelu_new", KEYS_GELUS);
    put_gpt(c, s, "layer_norm_epsilon");
    config_copy_int(c, "rope.dimension_count", "rotary_dim", CONFIG_NEEDED);
}

void keys_opt(config *c, const hf_shape *s)
{
    keys_put_activation(c, "relu", "relu");
    keys_put_sizes(c, s);
    config_copy_int(c, "feed_forward_length", "ffn_dim", CONFIG_NEEDED);
    config_put_num(c, "attention.layer_norm_epsilon", 1e-5);
    if (!config_bool(c, "do_layer_norm_before", true)
        || config_bool(c, "_remove_final_layer_norm", false)
        || !config_bool(c, "layer_norm_elementwise_affine", true)
        || config_int(c, "word_embed_proj_dim", keys_n_embd(c)) != keys_n_embd(c))
        config_wrong(c, LORY_E_UNSUPPORTED,
                     "norms after the sums, norms without weights, and embeddings of another "
                     "length (OPT-350M) are not known of opt");
}

void keys_codeshell(config *c, const hf_shape *s)
{
    keys_put_activation(c, "gelu_pytorch_tanh", KEYS_GELUS);
    put_gpt(c, s, "layer_norm_epsilon");
    config_put_int(c, "attention.head_count_kv", s->n_kv_head);
    config_put_num(c, "rope.freq_base", keys_rope_theta(c, 10000.0));
    config_put_int(c, "rope.dimension_count", keys_head_dim(c, s));
    config_one_of(c, "position_embedding_type", "position_embedding_type", "rope", "rope");
    keys_put_rope_scaling(c);
}

/* Layers alternate as "attention_types" says: [[["global", "local"], 12]]. */
static bool alternates(const json *types)
{
    const json *pair = types ? types->first : NULL, *kinds = pair ? pair->first : NULL;
    const json *global = kinds ? kinds->first : NULL;
    return types && types->n == 1 && kinds && kinds->n == 2 && json_str_is(global, "global")
           && json_str_is(global->next, "local");
}

void keys_gpt_neo(config *c, const hf_shape *s)
{
    keys_put_activation(c, "gelu_new", KEYS_GELUS);
    put_gpt(c, s, "layer_norm_epsilon");
    config_copy_int(c, "attention.sliding_window", "window_size", 256);
    if (!alternates(config_find(c, "attention_types")))
        config_wrong(c, LORY_E_UNSUPPORTED,
                     "attention_types that do not alternate global and local "
                     "are not known of gptneo");
}

void keys_gptneox(config *c, const hf_shape *s)
{
    keys_put_activation(c, "gelu", KEYS_GELUS);
    put_gpt(c, s, "layer_norm_eps");
    config_put_int(c, "rope.dimension_count", keys_n_rot_or(c, s, 0.25));
    if (keys_rope_theta(c, 10000.0) != 10000.0)
        config_put_num(c, "rope.freq_base", keys_rope_theta(c, 10000.0));
    config_copy_bool(c, "use_parallel_residual", "use_parallel_residual", true);
    keys_put_rope_scaling(c);
}

void keys_bloom(config *c, const hf_shape *s)
{
    int64_t n_embd = keys_n_embd(c);
    config_copy_int(c, "context_length", "seq_length", 2048); /* ALiBi has no bound */
    config_put_int(c, "embedding_length", n_embd);
    config_put_int(c, "feed_forward_length", 4 * n_embd);
    config_put_int(c, "block_count", s->n_layer);
    config_put_int(c, "attention.head_count", s->n_head);
    config_put_int(c, "attention.head_count_kv", s->n_head);
    config_copy_num(c, "attention.layer_norm_epsilon", "layer_norm_epsilon", 1e-5);
    if (config_bool(c, "apply_residual_connection_post_layernorm", false))
        config_wrong(c, LORY_E_UNSUPPORTED,
                     "apply_residual_connection_post_layernorm is not known of bloom");
}

void keys_falcon(config *c, const hf_shape *s)
{
    int64_t n_embd = keys_n_embd(c);
    bool is_parallel = config_bool(c, "parallel_attn", true);
    keys_put_activation(c, "gelu", KEYS_GELUS);
    config_put_str(c, "tensor_data_layout", "jploski"); /* Q, K, V apart */
    config_put_int(c, "context_length", 2048);          /* not in config.json */
    config_put_int(c, "embedding_length", n_embd);
    config_copy_int(c, "feed_forward_length", "ffn_hidden_size", 4 * n_embd);
    config_put_int(c, "block_count", s->n_layer);
    config_put_int(c, "attention.head_count", s->n_head);
    config_put_int(c, "attention.head_count_kv", s->n_kv_head);
    config_copy_num(c, "attention.layer_norm_epsilon", "layer_norm_epsilon", 1e-5);
    if (keys_rope_theta(c, 10000.0) != 10000.0)
        config_put_num(c, "rope.freq_base", keys_rope_theta(c, 10000.0));
    if (config_bool(c, "alibi", false)) config_put_num(c, "attention.max_alibi_bias", 8.0);
    if (!is_parallel) config_put_bool(c, "use_parallel_residual", false);
    keys_put_rope_scaling(c);
}

void keys_mpt(config *c, const hf_shape *s)
{
    int64_t n_embd = keys_n_embd(c);
    config attn = keys_part_of(c, "attn_config");
    bool has_alibi = config_bool(&attn, "alibi", true);
    if (config_find(&attn, "softmax_scale") || config_bool(&attn, "rope", false)
        || config_bool(&attn, "prefix_lm", false))
        config_wrong(&attn, LORY_E_UNSUPPORTED,
                     "softmax_scale, rope and prefix_lm are not known of mpt");
    config_copy_int(c, "context_length", "max_seq_len", CONFIG_NEEDED);
    config_put_int(c, "embedding_length", n_embd);
    config_put_int(c, "block_count", s->n_layer);
    config_put_int(c, "feed_forward_length",
                   n_embd * (int64_t)config_num(c, "expansion_ratio", 4.0));
    config_put_int(c, "attention.head_count", s->n_head);
    if (s->n_kv_head != s->n_head) config_put_int(c, "attention.head_count_kv", s->n_kv_head);
    config_copy_num(c, "attention.layer_norm_epsilon", "layer_norm_epsilon", 1e-5);
    if (config_find(&attn, "clip_qkv"))
        config_put_num(c, "attention.clamp_kqv", config_num(&attn, "clip_qkv", 0.0));
    config_put_num(c, "attention.max_alibi_bias",
                   has_alibi ? config_num(&attn, "alibi_bias_max", 8.0) : 0.0);
    keys_join(c, &attn);
}
