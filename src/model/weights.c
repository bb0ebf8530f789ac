/* weights.c - see weights.h. Names: GGUF's standard tensor names. */
#include "model/weights.h"
#include "base/err.h"
#include <stdio.h>
#include <string.h>

/* Sizes by name, so that the table reads as shapes. */
typedef enum { D_ONE, D_EMBD, D_Q, D_KV, D_HEAD, D_FF, D_VOCAB, D_HALF_ROT } dim;

typedef struct {
    const char *name; /* a layer's: what follows "blk.N." */
    dim rows, k;      /* rows D_ONE: a vector [k] */
} role_row;

static const role_row roles[W_COUNT] = {
    [W_ATTN_NORM]  = { "attn_norm",   D_ONE,   D_EMBD     },
    [W_ATTN_Q]     = { "attn_q",      D_Q,     D_EMBD     },
    [W_ATTN_K]     = { "attn_k",      D_KV,    D_EMBD     },
    [W_ATTN_V]     = { "attn_v",      D_KV,    D_EMBD     },
    [W_Q_NORM]     = { "attn_q_norm", D_ONE,   D_HEAD     },
    [W_K_NORM]     = { "attn_k_norm", D_ONE,   D_HEAD     },
    [W_ATTN_OUT]   = { "attn_output", D_EMBD,  D_Q        },
    [W_FFN_NORM]   = { "ffn_norm",    D_ONE,   D_EMBD     },
    [W_FFN_GATE]   = { "ffn_gate",    D_FF,    D_EMBD     },
    [W_FFN_UP]     = { "ffn_up",      D_FF,    D_EMBD     },
    [W_FFN_DOWN]   = { "ffn_down",    D_EMBD,  D_FF       },
    [W_TOK_EMBD]   = { "token_embd",  D_VOCAB, D_EMBD     },
    [W_OUT_NORM]   = { "output_norm", D_ONE,   D_EMBD     },
    [W_OUTPUT]     = { "output",      D_VOCAB, D_EMBD     },
    [W_ROPE_FREQS] = { "rope_freqs",  D_ONE,   D_HALF_ROT },
};

/* Tensors that old converters wrote and nothing reads. */
static const char *const ignored[] = { "attn_rot_embd", "attn.rotary_emb.inv_freq" };

static int64_t dim_of(const hparams *hp, dim d)
{
    switch (d) {
    case D_ONE: return 1;
    case D_EMBD: return hp->n_embd;
    case D_Q: return (int64_t)hp->n_head * hp->head_dim;
    case D_KV: return (int64_t)hp->n_kv_head * hp->head_dim;
    case D_HEAD: return hp->head_dim;
    case D_FF: return hp->n_ff;
    case D_VOCAB: return hp->n_vocab;
    case D_HALF_ROT: return hp->n_rot / 2;
    }
    return 0;
}

const char *weights_name(lory_role role, int il, char *name, size_t cap)
{
    if (role < W_LAYER_COUNT) snprintf(name, cap, "blk.%d.%s.weight", il, roles[role].name);
    else snprintf(name, cap, "%s.weight", roles[role].name);
    return name;
}

static size_t index_of(int il, lory_role role)
{
    return (size_t)il * W_LAYER_COUNT + role;
}

const weight *weights_get(const weights *w, int il, lory_role role)
{
    return role < W_LAYER_COUNT ? &w->layer[index_of(il, role)] : &w->global[role - W_LAYER_COUNT];
}

/* What a tensor's name says. */
typedef struct {
    lory_role role; /* W_NONE: no role has this name */
    int il;         /* -1: not a layer's */
    bool is_bias, is_ignored;
} place;

static bool strip(gguf_str *s, const char *end)
{
    size_t n = strlen(end);
    if (s->n < n || memcmp(s->s + s->n - n, end, n) != 0) return false;
    s->n -= n;
    return true;
}

/* Takes "blk.12." off the front and returns 12, else -1. */
static int take_layer(gguf_str *s)
{
    int il = 0;
    size_t i = 4;
    if (s->n < 6 || memcmp(s->s, "blk.", 4) != 0) return -1;
    while (i < s->n && s->s[i] >= '0' && s->s[i] <= '9' && il < 100000)
        il = il * 10 + (s->s[i++] - '0');
    if (i == 4 || i == s->n || s->s[i] != '.') return -1;
    s->s += i + 1;
    s->n -= i + 1;
    return il;
}

static place place_of(gguf_str name)
{
    place p = { .role = W_NONE };
    p.is_bias = strip(&name, ".bias");
    if (!p.is_bias) strip(&name, ".weight");
    p.il = take_layer(&name);
    for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++)
        if (gguf_str_is(name, ignored[i])) p.is_ignored = true;
    int first = p.il >= 0 ? 0 : W_LAYER_COUNT, end = p.il >= 0 ? W_LAYER_COUNT : W_COUNT;
    for (int role = first; role < end; role++)
        if (gguf_str_is(name, roles[role].name)) p.role = (lory_role)role;
    return p;
}

static bool check_shape(const gguf *g, const gguf_tensor *t, int64_t k, int64_t n_rows,
                        lory_err *err)
{
    if (t->ne[0] == k && t->ne[1] == n_rows && t->ne[2] == 1 && t->ne[3] == 1) return true;
    return err_set(err, LORY_E_FORMAT,
                   "%s: tensor %.*s has shape [%lld, %lld, %lld, %lld] (expected [%lld, %lld])",
                   gguf_path(g), (int)t->name.n, t->name.s, (long long)t->ne[0],
                   (long long)t->ne[1], (long long)t->ne[2], (long long)t->ne[3], (long long)k,
                   (long long)n_rows);
}

/* Vectors serve as f32: in place, or converted into the arena. */
static const float *vector_of(weights *w, const gguf *g, const gguf_tensor *t, lory_err *err)
{
    if (t->type == QT_F32) return t->data;
    float *v = arena_new(&w->arena, (size_t)t->ne[0], sizeof *v);
    if (v) qtypes[t->type].to_f32(t->ne[0], t->data, v);
    else err_set(err, LORY_E_MEMORY, "%s: no memory for tensor %.*s", gguf_path(g),
                 (int)t->name.n, t->name.s);
    return v;
}

static bool bind_one(weights *w, const gguf *g, const hparams *hp, const gguf_tensor *t,
                     lory_err *err)
{
    place p = place_of(t->name);
    if (p.is_ignored) return true;
    if (p.role == W_NONE || p.il >= hp->n_layer)
        return err_set(err, LORY_E_UNSUPPORTED,
                       "%s: tensor %.*s is not part of this architecture as lory knows it",
                       gguf_path(g), (int)t->name.n, t->name.s);
    weight *to = p.role < W_LAYER_COUNT ? &w->layer[index_of(p.il, p.role)]
                                        : &w->global[p.role - W_LAYER_COUNT];
    bool is_vector = roles[p.role].rows == D_ONE;
    to->n_rows = (int)dim_of(hp, roles[p.role].rows);
    to->k = (int)dim_of(hp, roles[p.role].k);
    if (p.is_bias)
        return check_shape(g, t, is_vector ? to->k : to->n_rows, 1, err)
               && (to->bias = vector_of(w, g, t, err)) != NULL;
    if (!check_shape(g, t, to->k, to->n_rows, err)) return false;
    to->type = is_vector ? QT_F32 : t->type;
    to->row_bytes = qtype_row_bytes(to->type, to->k);
    to->data = is_vector ? vector_of(w, g, t, err) : t->data;
    return to->data != NULL;
}

bool weights_bind(weights *w, const gguf *g, const hparams *hp, lory_err *err)
{
    *w = (weights){ 0 };
    w->layer = mem_new(index_of(hp->n_layer, 0), sizeof *w->layer);
    bool ok = w->layer || err_set(err, LORY_E_MEMORY, "%s: no memory for %d layers", gguf_path(g),
                                  hp->n_layer);
    for (size_t i = 0; ok && i < g->n_tensors; i++) ok = bind_one(w, g, hp, &g->tensors[i], err);
    if (!ok) {
        weights_free(w);
        return false;
    }
    weight *output = &w->global[W_OUTPUT - W_LAYER_COUNT];
    if (!output->data) { /* tied to the token embedding */
        const float *bias = output->bias;
        *output = w->global[W_TOK_EMBD - W_LAYER_COUNT];
        output->bias = bias;
    }
    return true;
}

void weights_free(weights *w)
{
    mem_free(w->layer);
    arena_free(&w->arena);
    *w = (weights){ 0 };
}
