/* hparams.c - see hparams.h. The bounds are generous multiples of what exists; what they guard is
 * the arithmetic after them: any one value fits an int, any product of two fits 64 bits. */
#include "model/hparams.h"
#include "base/err.h"
#include <math.h>
#include <stdio.h>

enum {
    MAX_EMBD = 1 << 20,
    MAX_FF = 1 << 22,
    MAX_LAYER = 4096,
    MAX_HEAD = 1 << 12,
    MAX_HEAD_DIM = 1024,
    MAX_CTX = 1 << 30,
    MAX_VOCAB = 1 << 26,
};

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

/* A key that may be an array of one value a layer: a uniform array counts as its value. */
static bool read_uniform(reader *r, const char *key, uint64_t max, uint64_t *value)
{
    const gguf_kv *kv = gguf_find(r->g, key);
    if (!kv || kv->type != GGUF_ARR) return gguf_get_uint(r->g, key, max, value, r->err);
    if (!gguf_get_array(r->g, key, GGUF_I32, &kv, r->err)) return false;
    int64_t first = kv->n ? gguf_int_at(kv, 0) : 0;
    for (uint64_t i = 1; i < kv->n; i++)
        if (gguf_int_at(kv, i) != first)
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

static bool read_float(reader *r, const char *name, float absent, float *out)
{
    const char *key = key_of(r, name);
    *out = absent;
    if (!gguf_get_f32(r->g, key, out, r->err)) return false;
    if (*out > 0.0f && *out < 1e30f) return true;
    return err_set(r->err, LORY_E_FORMAT, "%s: %s is %g (expected a positive number)",
                   gguf_path(r->g), key, (double)*out);
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
           && read_int(r, "feed_forward_length", MAX_FF, 0, &hp->n_ff)
           && read_int(r, "attention.head_count", MAX_HEAD, 0, &hp->n_head)
           && read_int(r, "attention.head_count_kv", MAX_HEAD, hp->n_head, &hp->n_kv_head);
}

static bool read_heads(reader *r, hparams *hp)
{
    int derived = hp->n_embd % hp->n_head == 0 ? hp->n_embd / hp->n_head : 0;
    int value_dim;
    if (hp->n_head % hp->n_kv_head != 0)
        return err_set(r->err, LORY_E_FORMAT,
                       "%s: %d attention heads are not a multiple of %d key/value heads",
                       gguf_path(r->g), hp->n_head, hp->n_kv_head);
    if (derived > MAX_HEAD_DIM) derived = 0;
    if (!read_int(r, "attention.key_length", MAX_HEAD_DIM, derived, &hp->head_dim)
        || !read_int(r, "attention.value_length", MAX_HEAD_DIM, hp->head_dim, &value_dim)
        || !read_int(r, "rope.dimension_count", MAX_HEAD_DIM, hp->head_dim, &hp->n_rot))
        return false;
    if (value_dim != hp->head_dim)
        return err_set(r->err, LORY_E_UNSUPPORTED,
                       "%s: %s with values of length %d beside keys of length %d is not known",
                       gguf_path(r->g), r->arch, value_dim, hp->head_dim);
    if (hp->n_rot % 2 != 0 || hp->n_rot > hp->head_dim)
        return err_set(r->err, LORY_E_FORMAT,
                       "%s: %s.rope.dimension_count is %d (expected an even number up to %d)",
                       gguf_path(r->g), r->arch, hp->n_rot, hp->head_dim);
    hp->attn_scale = (float)(1.0 / sqrt((double)hp->head_dim));
    return true;
}

static bool read_rope_kind(reader *r, hparams *hp)
{
    gguf_str kind = { "none", 4 };
    if (!gguf_get_str(r->g, key_of(r, "rope.scaling.type"), &kind, r->err)) return false;
    if (gguf_str_is(kind, "none")) hp->rope_scaling = ROPE_SCALE_NONE;
    else if (gguf_str_is(kind, "linear")) hp->rope_scaling = ROPE_SCALE_LINEAR;
    else if (gguf_str_is(kind, "yarn")) hp->rope_scaling = ROPE_SCALE_YARN;
    else
        return err_set(r->err, LORY_E_UNSUPPORTED,
                       "%s: rope scaling \"%.*s\" is not known (expected none, linear or yarn)",
                       gguf_path(r->g), kind.n > 40 ? 40 : (int)kind.n, kind.s);
    return true;
}

static bool read_rope(reader *r, hparams *hp)
{
    float old_linear;
    if (!read_rope_kind(r, hp)
        || !read_float(r, "rope.freq_base", 10000.0f, &hp->rope_theta)
        || !read_float(r, "rope.scale_linear", 1.0f, &old_linear)
        || !read_float(r, "rope.scaling.factor", old_linear, &hp->rope_factor)
        || !read_int(r, "rope.scaling.original_context_length", MAX_CTX, hp->n_ctx_train,
                     &hp->rope_n_ctx_orig)
        || !read_float(r, "rope.scaling.attn_factor", 1.0f, &hp->yarn_attn_factor)
        || !read_float(r, "rope.scaling.yarn_beta_fast", 32.0f, &hp->yarn_beta_fast)
        || !read_float(r, "rope.scaling.yarn_beta_slow", 1.0f, &hp->yarn_beta_slow))
        return false;
    if (hp->rope_scaling == ROPE_SCALE_NONE && old_linear != 1.0f)
        hp->rope_scaling = ROPE_SCALE_LINEAR; /* files of before scaling.type existed */
    return true;
}

bool hparams_read(hparams *hp, const gguf *g, const char *arch, lory_err *err)
{
    reader r = { .g = g, .arch = arch, .err = err };
    *hp = (hparams){ 0 };
    return read_sizes(&r, hp) && read_heads(&r, hp) && read_rope(&r, hp)
           && read_float(&r, "attention.layer_norm_rms_epsilon", 0.0f, &hp->norm_eps);
}
