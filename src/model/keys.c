/* keys.c - see keys.h. Source of the names: the GGUF keys of gguf-py and llama.cpp. */
#include "model/keys.h"
#include "base/err.h"
#include <string.h>

/* What a key means to a model that nothing reads it for. */
typedef enum { INFORMS, CHANGES } meaning;

typedef struct {
    const char *name; /* behind "ARCH."; with '.' at its end all that begin so */
    meaning is;
    double neutral; /* CHANGES: the value, of an array all values, with which nothing changes */
} key_row;

static const key_row rows[] = {
    { "vocab_size", INFORMS, 0 },
    { "tensor_data_layout", INFORMS, 0 },
    { "rope.scaling.finetuned", INFORMS, 0 },
    { "decoder_start_token_id", INFORMS, 0 },
    { "attention.causal", CHANGES, 1 },
    { "attention.group_norm_groups", CHANGES, 0 },
    { "attention.output_scale", CHANGES, 1 },
    { "attention.relative_buckets_count", CHANGES, 0 },
    { "attention.temperature_length", CHANGES, 0 },
    { "attention.temperature_scale", CHANGES, 0 },
    { "attention.value_length_mla", CHANGES, 0 },
    { "attention.value_scale", CHANGES, 1 },
    { "attention.indexer.", CHANGES, 0 },
    { "rope.dimension_sections", CHANGES, 0 },
    { "rope.dimension_count_swa", CHANGES, 0 },
    { "rope.scaling.yarn_ext_factor", CHANGES, 1 },
    { "rope.scaling.alpha", CHANGES, 0 },
    { "router_logit_softcapping", CHANGES, 0 },
    { "expert_group_scale", CHANGES, 1 },
    { "expert_chunk_feed_forward_length", CHANGES, 0 },
    { "interleave_moe_layer_step", CHANGES, 1 },
    { "moe_every_n_layers", CHANGES, 1 },
    { "nextn_predict_layers", CHANGES, 0 },
    { "n_deepstack_layers", CHANGES, 0 },
    { "pooling_type", CHANGES, 0 },
    { "rescale_every_n_layers", CHANGES, 0 },
    { "swin_norm", CHANGES, 0 },
    { "swiglu_clamp_exp", CHANGES, 0 },
    { "swiglu_clamp_shexp", CHANGES, 0 },
    { "token_shift_count", CHANGES, 0 },
    { "use_alibi", CHANGES, 0 },
    { "altup.", CHANGES, 0 },
    { "convnext.", CHANGES, 0 },
    { "posnet.", CHANGES, 0 },
    { "shortconv.", CHANGES, 0 },
    { "ssm.", CHANGES, 0 },
    { "kda.", CHANGES, 0 },
    { "wkv.", CHANGES, 0 },
};
enum { N_ROWS = sizeof rows / sizeof rows[0] };

/* What follows "ARCH."; n 0: the key is of something else. */
static gguf_str name_of(const gguf_kv *kv, const char *arch)
{
    size_t n = strlen(arch);
    if (kv->key.n <= n + 1 || memcmp(kv->key.s, arch, n) != 0 || kv->key.s[n] != '.')
        return (gguf_str){ "", 0 };
    return (gguf_str){ kv->key.s + n + 1, kv->key.n - n - 1 };
}

static const key_row *find_row(gguf_str name)
{
    for (int i = 0; i < N_ROWS; i++) {
        size_t n = strlen(rows[i].name);
        bool is_group = rows[i].name[n - 1] == '.';
        if (is_group ? name.n > n && memcmp(name.s, rows[i].name, n) == 0
                     : gguf_str_is(name, rows[i].name))
            return &rows[i];
    }
    return NULL;
}

static bool is_neutral(const gguf_kv *kv, double neutral)
{
    bool is_float = kv->elem == GGUF_F32 || kv->elem == GGUF_F64;
    if (kv->elem == GGUF_STR) return false;
    for (uint64_t i = 0; i < kv->n; i++)
        if ((is_float ? gguf_float_at(kv, i) : (double)gguf_int_at(kv, i)) != neutral) return false;
    return true;
}

const gguf_kv *keys_next_unused(const gguf *g, const char *arch, size_t *i)
{
    while (*i < g->n_kv) {
        const gguf_kv *kv = &g->kv[*i];
        gguf_str name = name_of(kv, arch);
        const key_row *row = name.n ? find_row(name) : NULL;
        if (!gguf_was_read(g, (*i)++) && name.n && (!row || row->is != INFORMS)) return kv;
    }
    return NULL;
}

bool keys_check(const gguf *g, const char *arch, lory_err *err)
{
    size_t i = 0;
    for (const gguf_kv *kv; (kv = keys_next_unused(g, arch, &i)) != NULL;) {
        const key_row *row = find_row(name_of(kv, arch));
        if (row && !is_neutral(kv, row->neutral))
            return err_set(err, LORY_E_UNSUPPORTED,
                           "%s: %.*s is not known of this architecture (only the value %g, which "
                           "changes nothing)", gguf_path(g), kv->key.n < 100 ? (int)kv->key.n : 100,
                           kv->key.s, row->neutral);
    }
    return true;
}
