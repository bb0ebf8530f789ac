/* hparams.c - see hparams.h. The bounds are generous multiples of what exists; what they guard is
 * the arithmetic after them: any one value fits an int, any product of two fits 64 bits. */
#include "model/hparams.h"
#include "base/err.h"
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum {
    MAX_EMBD = 1 << 20,
    MAX_FF = 1 << 22,
    MAX_LAYER = HPARAMS_MAX_LAYER,
    MAX_HEAD = 1 << 12,
    MAX_HEAD_DIM = 1024,
    MAX_CTX = 1 << 30,
    MAX_VOCAB = 1 << 26,
    MAX_EXPERT = 4096,
    MAX_TAP = 64,
    MAX_INNER = 1 << 20,
};

const hparams hparams_default = {
    .embd_scale = 1.0f,
    .residual_scale = 1.0f,
    .logit_scale = 1.0f,
    .alibi_scale = 1.0f,
    .value_scale = 1.0f,
    .n_expert_group = 1,
    .n_moe_step = 1,
    .n_loop = 1,
    .expert_gating = GATING_SOFTMAX,
    .expert_weights_scale = 1.0f,
    .router_scale = 1.0f,
    .rope_theta = 10000.0f,
    .rope_attn_factor = 1.0f,
    .yarn_beta_fast = 32.0f,
    .yarn_beta_slow = 1.0f,
};

/* ---- keys ------------------------------------------------------------------------------------ */

typedef struct {
    const gguf *g;
    const char *arch;
    char key[128];
    lory_err *err;
} reader;

static const char *key_of(reader *r, const char *name)
{
    snprintf(r->key, sizeof r->key, "%s.%s", r->arch, name);
    return r->key;
}

static bool is_uniform(const gguf_kv *kv)
{
    for (uint64_t i = 1; i < kv->n; i++)
        if (gguf_int_at(kv, i) != gguf_int_at(kv, 0)) return false;
    return true;
}

/* A key that may be an array of one value a layer: a uniform array counts as its value. */
static bool read_uniform(reader *r, const char *key, uint64_t max, uint64_t *value)
{
    const gguf_kv *kv = gguf_find(r->g, key);
    if (!kv || kv->type != GGUF_ARR) return gguf_get_uint(r->g, key, max, value, r->err);
    if (!gguf_get_array(r->g, key, GGUF_I32, &kv, r->err)) return false;
    int64_t first = kv->n ? gguf_int_at(kv, 0) : 0;
    if (!is_uniform(kv))
        return err_set(r->err, LORY_E_UNSUPPORTED, "%s: %s differs from layer to layer",
                       gguf_path(r->g), key);
    if (first < 0 || (uint64_t)first > max)
        return err_set(r->err, LORY_E_FORMAT, "%s: %s is %lld (expected 1 to %llu)",
                       gguf_path(r->g), key, (long long)first, (unsigned long long)max);
    *value = (uint64_t)first;
    return true;
}

/* An integer of 1 .. max; when the key is missing `absent`, or an error if that is 0. */
static bool read_int(reader *r, const char *name, int max, int absent, int *out)
{
    const char *key = key_of(r, name);
    uint64_t value = (uint64_t)absent;
    if (!read_uniform(r, key, (uint64_t)max, &value)) return false;
    if (value == 0)
        return err_set(r->err, LORY_E_FORMAT, "%s: %s is %s (expected 1 to %d)", gguf_path(r->g),
                       key, gguf_find(r->g, key) ? "0" : "missing", max);
    *out = (int)value;
    return true;
}

/* An integer of 0 .. max; *out stays when the key is missing. */
static bool read_count(reader *r, const char *name, int max, int *out)
{
    uint64_t value = (uint64_t)*out;
    if (!read_uniform(r, key_of(r, name), (uint64_t)max, &value)) return false;
    *out = (int)value;
    return true;
}

/* A number of 0 (where it may be) or more; *out stays when the key is missing. */
static bool read_number(reader *r, const char *name, bool may_be_0, float *out)
{
    const char *key = key_of(r, name);
    if (!gguf_get_f32(r->g, key, out, r->err)) return false;
    if ((*out > 0.0f && *out < 1e30f) || (*out == 0.0f && may_be_0)) return true;
    return err_set(r->err, LORY_E_FORMAT, "%s: %s is %g (expected a positive number)",
                   gguf_path(r->g), key, (double)*out);
}

static bool read_float(reader *r, const char *name, float *out)
{
    return read_number(r, name, false, out);
}

static bool read_float_or_0(reader *r, const char *name, float *out)
{
    return read_number(r, name, true, out);
}

static bool read_bool(reader *r, const char *name, bool *out)
{
    return gguf_get_bool(r->g, key_of(r, name), out, r->err);
}

static int *int_of(hparams *hp, int il, size_t at)
{
    return (int *)(void *)((char *)&hp->layer[il] + at);
}

typedef struct {
    const char *name;
    int max, absent;
    size_t at; /* bytes into a layer: where its value goes */
} layer_key;

/* As read_int, or an array of a value for each layer, which are put into each if they differ: then
 * *out is the most. */
static bool read_by_layer(reader *r, hparams *hp, layer_key k, int *out)
{
    const char *key = key_of(r, k.name);
    const gguf_kv *kv = gguf_find(r->g, key);
    if (!kv || kv->type != GGUF_ARR) return read_int(r, k.name, k.max, k.absent, out);
    if (!gguf_get_array(r->g, key, GGUF_I32, &kv, r->err)) return false;
    if (is_uniform(kv)) return read_int(r, k.name, k.max, k.absent, out);
    if (kv->n != (uint64_t)hp->n_layer)
        return err_set(r->err, LORY_E_FORMAT, "%s: %s has %llu values for %d layers",
                       gguf_path(r->g), key, (unsigned long long)kv->n, hp->n_layer);
    *out = 0;
    for (int il = 0; il < hp->n_layer; il++) {
        int64_t value = gguf_int_at(kv, (uint64_t)il);
        if (value < 0 || value > k.max)
            return err_set(r->err, LORY_E_FORMAT, "%s: %s is %lld in layer %d (expected 0 to %d)",
                           gguf_path(r->g), key, (long long)value, il, k.max);
        *int_of(hp, il, k.at) = value == 0 ? HPARAMS_NO : (int)value;
        if (value > *out) *out = (int)value;
    }
    return true;
}

/* How many last layers read keys and values of others; files of Gemma 3n have it as a float. */
static bool read_sharing(reader *r, int most, int *n)
{
    const char *key = key_of(r, "attention.shared_kv_layers");
    const gguf_kv *kv = gguf_find(r->g, key);
    float value = 0.0f;
    if (!kv || kv->type != GGUF_F32) return read_count(r, "attention.shared_kv_layers", most, n);
    if (!gguf_get_f32(r->g, key, &value, r->err)) return false;
    if (!(value >= 0.0f && value <= (float)most && value == floorf(value)))
        return err_set(r->err, LORY_E_FORMAT, "%s: %s is %g (expected 0 to %d)", gguf_path(r->g),
                       key, (double)value, most);
    *n = (int)value;
    return true;
}

/* Counts a key as read (keys.c) that says nothing of this model. */
static void pass_over(reader *r, const char *name)
{
    (void)gguf_find(r->g, key_of(r, name));
}

/* ---- sizes and heads ------------------------------------------------------------------------- */

static bool read_widths(reader *r, hparams *hp)
{
    layer_key n_ff = { "feed_forward_length", MAX_FF, hp->n_ff, offsetof(hparams_layer, n_ff) };
    if (!hp->is_feedless) return read_by_layer(r, hp, n_ff, &hp->n_ff);
    pass_over(r, "feed_forward_length");
    for (int il = 0; il < hp->n_layer; il++) hp->layer[il].n_ff = HPARAMS_NO;
    return true;
}

static void set_headless(reader *r, hparams *hp)
{
    pass_over(r, "attention.head_count");
    pass_over(r, "attention.head_count_kv");
    hp->n_head = hp->n_kv_head = 1; /* until it is settled */
    hp->n_kv_layer = hp->n_layer;
    for (int il = 0; il < hp->n_layer; il++)
        hp->layer[il].n_head = hp->layer[il].n_kv_head = HPARAMS_NO;
}

static bool read_head_counts(reader *r, hparams *hp)
{
    bool has_kv = gguf_find(r->g, key_of(r, "attention.head_count_kv"));
    int n_sharing = 0;
    layer_key n_head = { "attention.head_count", MAX_HEAD, 0, offsetof(hparams_layer, n_head) };
    layer_key n_kv_head = { "attention.head_count_kv", MAX_HEAD, 0,
                            offsetof(hparams_layer, n_kv_head) };
    if (!read_by_layer(r, hp, n_head, &hp->n_head)) return false;
    n_kv_head.absent = hp->n_head;
    if (!read_by_layer(r, hp, n_kv_head, &hp->n_kv_head)
        || !read_sharing(r, hp->n_layer - 1, &n_sharing))
        return false;
    hp->n_kv_layer = hp->n_layer - n_sharing;
    for (int il = 0; !has_kv && il < hp->n_layer; il++)
        hp->layer[il].n_kv_head = hp->layer[il].n_head;
    return true;
}

static bool read_layers(reader *r, hparams *hp)
{
    if (!read_widths(r, hp)) return false;
    if (!hp->is_headless) return read_head_counts(r, hp);
    set_headless(r, hp);
    return true;
}

static bool read_sizes(reader *r, hparams *hp)
{
    const gguf_tensor *embd = gguf_find_tensor(r->g, "token_embd.weight");
    if (!embd)
        return err_set(r->err, LORY_E_FORMAT, "%s: tensor token_embd.weight is missing",
                       gguf_path(r->g));
    if (embd->ne[1] > MAX_VOCAB)
        return err_set(r->err, LORY_E_FORMAT, "%s: token_embd.weight has %lld rows (at most %d)",
                       gguf_path(r->g), (long long)embd->ne[1], MAX_VOCAB);
    hp->n_vocab = (int)embd->ne[1];
    return read_int(r, "context_length", MAX_CTX, 0, &hp->n_ctx_train)
           && read_int(r, "embedding_length", MAX_EMBD, 0, &hp->n_embd)
           && read_int(r, "block_count", MAX_LAYER, 0, &hp->n_layer)
           && read_layers(r, hp)
           && read_count(r, "embedding_length_per_layer_input", MAX_EMBD / HPARAMS_MAX_LAYER,
                         &hp->n_embd_layer)
           && read_count(r, "attention.q_lora_rank", MAX_EMBD, &hp->q_lora_rank)
           && read_count(r, "attention.kv_lora_rank", MAX_EMBD, &hp->kv_lora_rank);
}

/* Files that are made for attention over the latents themselves have the lengths of those under the
 * usual keys, and one head of keys; the heads' own lengths have keys of their own. */
static bool read_heads(reader *r, hparams *hp)
{
    if (hp->is_headless) {
        hp->head_dim = hp->value_dim = 1;
        hp->attn_scale = 1.0f;
        return true;
    }
    int derived = hp->n_embd % hp->n_head == 0 ? hp->n_embd / hp->n_head : 0;
    bool is_mla = gguf_find(r->g, key_of(r, "attention.key_length_mla")) != NULL;
    if (is_mla) hp->n_kv_head = hp->n_head;
    if (derived > MAX_HEAD_DIM) derived = 0;
    if (!read_int(r, is_mla ? "attention.key_length_mla" : "attention.key_length", MAX_HEAD_DIM,
                  derived, &hp->head_dim)
        || !read_int(r, is_mla ? "attention.value_length_mla" : "attention.value_length",
                     MAX_HEAD_DIM, hp->head_dim, &hp->value_dim)
        || !read_int(r, "rope.dimension_count", MAX_HEAD_DIM, hp->head_dim, &hp->n_rot))
        return false;
    if (hp->n_rot % 2 != 0 || hp->n_rot > hp->head_dim)
        return err_set(r->err, LORY_E_FORMAT,
                       "%s: %s.rope.dimension_count is %d (expected an even number up to %d)",
                       gguf_path(r->g), r->arch, hp->n_rot, hp->head_dim);
    hp->attn_scale = (float)(1.0 / sqrt((double)hp->head_dim));
    return true;
}

/* Latent attention makes keys and values for every head, and each key has a part that is rotated
 * and a part that is not. */
static bool check_latent(reader *r, const hparams *hp)
{
    if (hp->kv_lora_rank == 0) return true;
    if (hp->n_kv_head != hp->n_head)
        return err_set(r->err, LORY_E_FORMAT, "%s: %s is %d (expected %d)", gguf_path(r->g),
                       key_of(r, "attention.head_count_kv"), hp->n_kv_head, hp->n_head);
    if (hp->n_rot >= hp->head_dim || hp->value_dim > hp->head_dim)
        return err_set(r->err, LORY_E_UNSUPPORTED,
                       "%s: latent attention with keys of length %d (%d of it rotated) and values "
                       "of length %d is not known",
                       gguf_path(r->g), hp->head_dim, hp->n_rot, hp->value_dim);
    return true;
}

/* ---- scales, windows, experts, rotation ------------------------------------------------------ */

static bool read_scales(reader *r, hparams *hp)
{
    return read_float(r, "embedding_scale", &hp->embd_scale)
           && read_float(r, "residual_scale", &hp->residual_scale)
           && read_float(r, "logit_scale", &hp->logit_scale)
           && read_float_or_0(r, "final_logit_softcapping", &hp->logit_cap)
           && read_float(r, "attention.scale", &hp->attn_scale)
           && read_float_or_0(r, "attn_logit_softcapping", &hp->attn_cap)
           && read_float_or_0(r, "attention.clamp_kqv", &hp->clamp_kqv)
           && read_float_or_0(r, "attention.max_alibi_bias", &hp->max_alibi_bias)
           && read_bool(r, "use_parallel_residual", &hp->is_parallel);
}

/* Layers at the end that predict further tokens, if the family knows of such: of them lists may
 * say nothing. Looking does not count as reading. */
static uint64_t n_predictors(reader *r)
{
    const char *key = key_of(r, "nextn_predict_layers");
    for (size_t i = 0; i < r->g->n_kv; i++)
        if (gguf_str_is(r->g->kv[i].key, key) && r->g->kv[i].type == GGUF_U32)
            return (uint64_t)gguf_int_at(&r->g->kv[i], 0);
    return 0;
}

/* The pattern is a period p, layers p - 1, 2p - 1, ... having no window, or says of each layer
 * whether it has one. */
static bool read_window_pattern(reader *r, hparams *hp)
{
    uint64_t n_more = n_predictors(r);
    const char *key = key_of(r, "attention.sliding_window_pattern");
    const gguf_kv *kv = gguf_find(r->g, key);
    int period = 0;
    if (!kv || kv->type != GGUF_ARR) {
        if (!read_count(r, "attention.sliding_window_pattern", MAX_LAYER, &period)) return false;
        if (period > 0) hparams_set_full(hp, period - 1, period);
        return true;
    }
    gguf_type elem = kv->elem == GGUF_BOOL ? GGUF_BOOL : GGUF_I32;
    if (!gguf_get_array(r->g, key, elem, &kv, r->err)) return false;
    if (kv->n != (uint64_t)hp->n_layer && kv->n + n_more != (uint64_t)hp->n_layer)
        return err_set(r->err, LORY_E_FORMAT, "%s: %s has %llu values for %d layers",
                       gguf_path(r->g), key, (unsigned long long)kv->n, hp->n_layer);
    for (uint64_t il = 0; il < kv->n; il++)
        hparams_set_full_layer(hp, (int)il, !gguf_int_at(kv, il));
    return true;
}

/* Layers with a window may have heads of another length. */
static bool read_local_heads(reader *r, hparams *hp)
{
    int head_dim, value_dim;
    if (!read_int(r, "attention.key_length_swa", MAX_HEAD_DIM, hp->head_dim, &head_dim)
        || !read_int(r, "attention.value_length_swa", MAX_HEAD_DIM, hp->value_dim, &value_dim)
        || !read_count(r, "rope.dimension_count_swa", MAX_HEAD_DIM, &hp->n_rot_local))
        return false;
    if (hp->n_rot_local % 2 != 0 || hp->n_rot_local > head_dim)
        return err_set(r->err, LORY_E_FORMAT, "%s: %s is %d (expected an even number up to %d)",
                       gguf_path(r->g), r->key, hp->n_rot_local, head_dim);
    for (int il = 0; il < hp->n_layer; il++)
        if (hparams_window(hp, il) > 0 && head_dim != hp->head_dim) {
            hp->layer[il].head_dim = head_dim;
            hp->layer[il].value_dim = value_dim;
        }
    return true;
}

static bool read_window(reader *r, hparams *hp)
{
    if (!read_count(r, "attention.sliding_window", MAX_CTX, &hp->window)) return false;
    return hp->window == 0 || (read_window_pattern(r, hp) && read_local_heads(r, hp));
}

static bool read_gating(reader *r, hparams *hp)
{
    int func = 0;
    if (!gguf_find(r->g, key_of(r, "expert_gating_func"))) return true;
    if (!read_int(r, "expert_gating_func", 1 << 30, 0, &func)) return false;
    hp->expert_gating = (expert_gating)func;
    if (func <= GATING_SOFTMAX_CHOSEN) return true;
    return err_set(r->err, LORY_E_UNSUPPORTED, "%s: %s is %d (expected 1 to 3)", gguf_path(r->g),
                   r->key, func);
}

static bool read_experts(reader *r, hparams *hp)
{
    if (!read_count(r, "expert_count", MAX_EXPERT, &hp->n_expert)) return false;
    if (hp->n_expert == 0) return true;
    if (!read_int(r, "expert_used_count", hp->n_expert, 0, &hp->n_expert_used)
        || !read_int(r, "expert_feed_forward_length", MAX_FF, hp->n_ff, &hp->n_ff_exp)
        || !read_count(r, "expert_shared_count", MAX_EXPERT, &hp->n_expert_shared))
        return false;
    int64_t shared = (int64_t)hp->n_expert_shared * hp->n_ff_exp;
    if ((int64_t)hp->n_expert * hp->n_ff_exp > 1 << 30
        || (int64_t)hp->n_expert * hp->n_embd > 1 << 30 || shared > MAX_FF)
        return err_set(r->err, LORY_E_FORMAT, "%s: %d experts of length %d are too many",
                       gguf_path(r->g), hp->n_expert, hp->n_ff_exp);
    hp->n_ff_shexp = (int)shared;
    if (!read_count(r, "expert_shared_feed_forward_length", MAX_FF, &hp->n_ff_shexp)
        || !read_count(r, "leading_dense_block_count", MAX_LAYER, &hp->n_dense_lead)
        || !read_int(r, "interleave_moe_layer_step", MAX_LAYER, hp->n_moe_step, &hp->n_moe_step)
        || !read_int(r, "expert_group_count", hp->n_expert, hp->n_expert_group, &hp->n_expert_group)
        || !read_int(r, "expert_group_used_count", hp->n_expert_group, hp->n_expert_group,
                     &hp->n_group_used)
        || !read_bool(r, "expert_weights_norm", &hp->expert_weights_norm)
        || !read_float_or_0(r, "expert_weights_scale", &hp->expert_weights_scale))
        return false;
    if (hp->expert_weights_scale == 0.0f) hp->expert_weights_scale = 1.0f; /* old files: none */
    int group = hp->n_expert / hp->n_expert_group;
    if (hp->n_expert % hp->n_expert_group != 0 || hp->n_expert_used > group * hp->n_group_used)
        return err_set(r->err, LORY_E_FORMAT,
                       "%s: %d of %d experts can't be chosen from %d of %d groups",
                       gguf_path(r->g), hp->n_expert_used, hp->n_expert, hp->n_group_used,
                       hp->n_expert_group);
    return read_gating(r, hp);
}

static bool read_rope_kind(reader *r, hparams *hp)
{
    gguf_str kind = { "none", 4 };
    if (!gguf_get_str(r->g, key_of(r, "rope.scaling.type"), &kind, r->err)) return false;
    if (gguf_str_is(kind, "none")) hp->rope_scaling = ROPE_SCALE_NONE;
    else if (gguf_str_is(kind, "linear")) hp->rope_scaling = ROPE_SCALE_LINEAR;
    else if (gguf_str_is(kind, "yarn")) hp->rope_scaling = ROPE_SCALE_YARN;
    else if (gguf_str_is(kind, "longrope")) hp->rope_scaling = ROPE_SCALE_NONE; /* all in tensors */
    else
        return err_set(
            r->err, LORY_E_UNSUPPORTED,
            "%s: rope scaling \"%.*s\" is not known (expected none, linear, yarn or longrope)",
            gguf_path(r->g), kind.n > 40 ? 40 : (int)kind.n, kind.s);
    return true;
}

static bool read_rope(reader *r, hparams *hp)
{
    float old_linear = 1.0f;
    if (!read_rope_kind(r, hp)
        || !read_float(r, "rope.freq_base", &hp->rope_theta)
        || !read_float_or_0(r, "rope.freq_base_swa", &hp->rope_theta_local)
        || !read_float(r, "rope.scale_linear", &old_linear))
        return false;
    hp->rope_factor = old_linear;
    if (!read_float(r, "rope.scaling.factor", &hp->rope_factor)
        || !read_int(r, "rope.scaling.original_context_length", MAX_CTX, hp->n_ctx_train,
                     &hp->rope_n_ctx_orig)
        || !read_float(r, "rope.scaling.attn_factor", &hp->rope_attn_factor)
        || !read_float(r, "rope.scaling.yarn_beta_fast", &hp->yarn_beta_fast)
        || !read_float(r, "rope.scaling.yarn_beta_slow", &hp->yarn_beta_slow)
        || !read_float_or_0(r, "rope.scaling.yarn_log_multiplier", &hp->yarn_log_mul))
        return false;
    if (hp->rope_scaling == ROPE_SCALE_NONE && old_linear != 1.0f)
        hp->rope_scaling = ROPE_SCALE_LINEAR; /* files of before scaling.type existed */
    return true;
}

static bool read_norm_eps(reader *r, hparams *hp)
{
    const char *rms = "attention.layer_norm_rms_epsilon", *layer = "attention.layer_norm_epsilon";
    bool has_rms = gguf_find(r->g, key_of(r, rms)) != NULL;
    if (!has_rms && !gguf_find(r->g, key_of(r, layer)))
        return err_set(r->err, LORY_E_FORMAT, "%s: %s is missing", gguf_path(r->g), key_of(r, rms));
    return read_float(r, has_rms ? rms : layer, &hp->norm_eps);
}

bool hparams_read(hparams *hp, const gguf *g, const char *arch, lory_err *err)
{
    reader r = { .g = g, .arch = arch, .err = err };
    return read_sizes(&r, hp) && read_heads(&r, hp) && check_latent(&r, hp) && read_scales(&r, hp)
           && read_window(&r, hp) && read_experts(&r, hp) && read_rope(&r, hp)
           && read_norm_eps(&r, hp);
}

/* ---- for adapt ------------------------------------------------------------------------------- */

void hparams_use_latents(hparams *hp, const gguf *g)
{
    int n_key = hp->kv_lora_rank + hp->n_rot, il = 0;
    char name[64];
    while (il + 1 < hp->n_layer && hp->layer[il].n_state > 0) il++;
    snprintf(name, sizeof name, "blk.%d.attn_k_b.weight", il);
    if (n_key > MAX_HEAD_DIM || !gguf_find_tensor(g, name)) return;
    hp->is_latent = true;
    hp->n_kv_head = 1;
    hp->kv_dim = n_key;
    hp->kv_value_dim = hp->kv_lora_rank;
}

bool hparams_read_taps(hparams *hp, const gguf *g, const char *key, lory_err *err)
{
    uint64_t n = 0;
    if (!gguf_get_uint(g, key, MAX_TAP, &n, err)) return false;
    hp->n_tap = (int)n;
    return n >= 2 || err_set(err, LORY_E_FORMAT, "%s: %s is %d (expected 2 to %d)", gguf_path(g),
                             key, hp->n_tap, MAX_TAP);
}

bool hparams_read_heads_of_states(hparams *hp, const gguf *g, const char *arch, lory_err *err)
{
    reader r = { .g = g, .arch = arch, .err = err };
    if (!hparams_read_taps(hp, g, key_of(&r, "ssm.conv_kernel"), err)
        || !read_int(&r, "ssm.group_count", MAX_HEAD, 0, &hp->n_key_head)
        || !read_int(&r, "ssm.time_step_rank", MAX_HEAD, 0, &hp->n_value_head)
        || !read_int(&r, "ssm.state_size", MAX_HEAD_DIM, 0, &hp->delta_key_dim)
        || !read_int(&r, "ssm.inner_size", MAX_INNER, 0, &hp->n_inner))
        return false;
    hp->delta_value_dim = hp->n_inner / hp->n_value_head;
    return (hp->n_value_head % hp->n_key_head == 0 && hp->n_inner % hp->n_value_head == 0)
           || err_set(err, LORY_E_FORMAT,
                      "%s: %d values of %d heads do not go with %d heads of keys", gguf_path(g),
                      hp->n_inner, hp->n_value_head, hp->n_key_head);
}

bool hparams_read_channels_of_states(hparams *hp, const gguf *g, const char *arch, lory_err *err)
{
    reader r = { .g = g, .arch = arch, .err = err };
    return hparams_read_taps(hp, g, key_of(&r, "ssm.conv_kernel"), err)
           && read_int(&r, "ssm.time_step_rank", MAX_EMBD, 0, &hp->rank_decay)
           && read_int(&r, "ssm.state_size", MAX_HEAD_DIM, 0, &hp->delta_key_dim)
           && read_int(&r, "ssm.inner_size", MAX_INNER, 0, &hp->n_inner);
}

bool hparams_read_clips(hparams *hp, const gguf *g, const char *key, bool is_shared, lory_err *err)
{
    const gguf_kv *kv;
    if (!gguf_get_array(g, key, GGUF_F32, &kv, err)) return false;
    if (!kv) return true;
    if (kv->n < (uint64_t)hp->n_layer)
        return err_set(err, LORY_E_FORMAT, "%s: %s has %llu values for %d layers", gguf_path(g),
                       key, (unsigned long long)kv->n, hp->n_layer);
    for (int il = 0; il < hp->n_layer; il++) {
        float *to = is_shared ? &hp->layer[il].clip_shared : &hp->layer[il].clip;
        *to = (float)gguf_float_at(kv, (uint64_t)il);
        if (!(*to >= 0.0f))
            return err_set(err, LORY_E_FORMAT, "%s: %s is %g in layer %d (expected 0 or more)",
                           gguf_path(g), key, (double)*to, il);
    }
    return true;
}

void hparams_limit_context(hparams *hp, int most)
{
    hp->ctx_is_limit = true;
    if (hp->n_ctx_train > most) hp->n_ctx_train = most;
}

bool hparams_leave_predictors(hparams *hp, const gguf *g, const char *key, lory_err *err)
{
    uint64_t n = 0;
    if (!gguf_get_uint(g, key, (uint64_t)hp->n_layer - 1, &n, err)) return false;
    hp->n_layer_more = (int)n;
    hp->n_layer -= (int)n;
    return true;
}
