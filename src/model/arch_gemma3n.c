/* arch_gemma3n.c - Gemma 3n, the text part: several residual streams of which layers run one, and
 * correct all by it (AltUp; Baykal et al. 2023, arXiv:2301.13310); a low-rank way round each layer
 * (LAuReL; Menghani et al. 2024, arXiv:2411.07501); gates of which the first layers keep the few
 * largest; what each layer gets of a token by itself, and keys and values that the last layers
 * share, as Gemma 4 has them. */
#include "base/err.h"
#include "model/arch.h"
#include <math.h>

static const lory_step embed[] = {
    { OP_EMBED,       X,  X,  W_TOK_EMBD,       0                },
    { OP_EMBED,       LE, LE, W_LE_EMBD,        0                },
    { OP_MATMUL,      LP, X,  W_LE_PROJ,        0                },
    { OP_LAYER_MIX,   LE, LP, W_LE_PROJ_NORM,   0                },
    { OP_HEAD_MATMUL, XS, X,  W_STREAM_IN,      0                },
    { OP_LEVEL,       XS, X,  W_NONE,           0                }, END };

static const lory_step block[] = {
    { OP_RMS_NORM,    H,  X,  W_STREAM_NORM,    0                },
    { OP_MATMUL,      SM, H,  W_STREAM_ROUTER,  0                },
    { OP_PREDICT,     X,  SM, W_STREAM_PREDICT, 0                },
    { OP_RMS_NORM,    H,  X,  W_ATTN_NORM,      0                },
    { OP_MATMUL,      LL, H,  W_LAUREL_IN,      0                },
    { OP_MATMUL,      H2, LL, W_LAUREL_OUT,     0                },
    { OP_RMS_NORM,    H2, H2, W_LAUREL_NORM,    0                },
    { OP_ADD,         H2, H,  W_NONE,           0                },
    { OP_MATMUL,      Q,  H,  W_ATTN_Q,         0                },
    { OP_MATMUL,      K,  H,  W_ATTN_K,         OWN_KV           },
    { OP_MATMUL,      V,  H,  W_ATTN_V,         OWN_KV           },
    { OP_HEAD_NORM,   Q,  Q,  W_Q_NORM,         0                },
    { OP_HEAD_NORM,   K,  K,  W_K_NORM,         OWN_KV           },
    { OP_HEAD_NORM,   V,  V,  W_ONES,           OWN_KV           },
    { OP_ROPE,        Q,  Q,  W_NONE,           0                },
    { OP_ROPE,        K,  K,  W_NONE,           OWN_KV           },
    { OP_ATTEND,      A,  Q,  W_NONE,           0                },
    { OP_MATMUL,      H,  A,  W_ATTN_OUT,       0                },
    { OP_RMS_NORM,    H,  H,  W_ATTN_POST_NORM, 0                },
    { OP_ADD,         H2, H,  W_NONE,           0                },
    { OP_ADD,         H2, X,  W_NONE,           0                },
    { OP_RESTART,     XA, H2, W_NONE,           0                },
    { OP_RMS_NORM,    H,  XA, W_FFN_NORM,       0                },
    { OP_MATMUL,      G,  H,  W_FFN_GATE,       0                },
    { OP_MATMUL,      U,  H,  W_FFN_UP,         0                },
    { OP_SPARSIFY,    G,  G,  W_NONE,           0                },
    { OP_GELU_MUL,    G,  U,  W_NONE,           0                },
    { OP_MATMUL,      F,  G,  W_FFN_DOWN,       0                },
    { OP_RMS_NORM,    F,  F,  W_FFN_POST_NORM,  0                },
    { OP_ADD,         XA, F,  W_NONE,           0                },
    { OP_RMS_NORM,    H,  XA, W_STREAM_NORM,    0                },
    { OP_MATMUL,      SM, H,  W_STREAM_ROUTER,  0                },
    { OP_CORRECT,     X,  SM, W_STREAM_CORRECT, 0                },
    { OP_WEIGH,       H,  X,  W_STREAM_SCALE,   0                },
    { OP_MATMUL,      LG, H,  W_LE_GATE,        0                },
    { OP_GELU_MUL,    LG, LE, W_NONE,           0                },
    { OP_MATMUL,      H,  LG, W_LE_OUT,         0                },
    { OP_RMS_NORM,    H,  H,  W_LE_POST_NORM,   0                },
    { OP_SPREAD,      XS, H,  W_NONE,           0                },
    { OP_HEAD_MATMUL, XO, XS, W_STREAM_OUT,     LAST             },
    { OP_LEVEL,       XO, X,  W_NONE,           LAST             },
    { OP_MERGE,       X,  XO, W_NONE,           LAST             }, END };

static void preset(hparams *hp)
{
    hparams_set_full(hp, 4, 5);
    hp->rope_theta = 1e6f;
    hp->rope_theta_local = 1e4f;
    hp->logit_cap = 30.0f;
    hp->has_unit_heads = true;
}

/* Of each layer; minus infinity: all gates are kept. */
static bool read_cuts(hparams *hp, const gguf *g, lory_err *err)
{
    static const char key[] = "gemma3n.activation_sparsity_scale";
    const gguf_kv *kv;
    if (!gguf_get_array(g, key, GGUF_F32, &kv, err)) return false;
    if (!kv || kv->n != (uint64_t)hp->n_layer)
        return err_set(err, LORY_E_FORMAT, "%s: %s has %llu values for %d layers", gguf_path(g),
                       key, (unsigned long long)(kv ? kv->n : 0), hp->n_layer);
    for (int il = 0; il < hp->n_layer; il++) {
        double cut = gguf_float_at(kv, (uint64_t)il);
        hp->layer[il].is_sparse = isfinite(cut);
        hp->layer[il].cut = isfinite(cut) ? (float)cut : 0.0f;
    }
    return true;
}

/* Keys of files that Ollama makes. */
static bool read_others(hparams *hp, const gguf *g, lory_err *err)
{
    bool is_scaled = true;
    (void)gguf_find(g, "gemma3n.altup.lr_multiplier"); /* of training */
    if (!gguf_get_f32(g, "gemma3n.rope.freq_base_local", &hp->rope_theta_local, err)
        || !gguf_get_bool(g, "gemma3n.altup.correct_scale", &is_scaled, err))
        return false;
    if (is_scaled && hp->rope_theta_local > 0.0f && hp->rope_theta_local < 1e30f) return true;
    return err_set(err, LORY_E_UNSUPPORTED, "%s: gemma3n.altup.correct_scale or "
                   "gemma3n.rope.freq_base_local is not one that is known", gguf_path(g));
}

/* The rank has no key, but a tensor. */
static bool read_streams(hparams *hp, const gguf *g, lory_err *err)
{
    uint64_t n = 4, active = 0;
    const gguf_tensor *laurel = gguf_find_tensor(g, "blk.0.laurel_l.weight");
    if (!gguf_get_uint(g, "gemma3n.altup.num_inputs", HPARAMS_MAX_STREAM, &n, err)
        || !gguf_get_uint(g, "gemma3n.altup.active_idx", HPARAMS_MAX_STREAM, &active, err))
        return false;
    if (n < 2 || active != 0)
        return err_set(err, LORY_E_UNSUPPORTED, "%s: %llu streams, of which layers run number %llu "
                       "(expected 2 to %d, and 0)", gguf_path(g), (unsigned long long)n,
                       (unsigned long long)active, HPARAMS_MAX_STREAM);
    hp->n_stream = (int)n;
    if (!laurel || laurel->ne[1] > hp->n_embd || hp->n_embd_layer == 0)
        return err_set(err, LORY_E_FORMAT, "%s: %s", gguf_path(g),
                       hp->n_embd_layer ? "tensor blk.0.laurel_l.weight is missing, or too large"
                                        : "gemma3n.embedding_length_per_layer_input is missing");
    hp->laurel_rank = (int)laurel->ne[1];
    return true;
}

static bool adapt(hparams *hp, const gguf *g, lory_err *err)
{
    if (!gguf_find(g, "gemma3n.attention.scale")) hp->attn_scale = 1.0f;
    hp->embd_scale = (float)sqrt((double)hp->n_embd);
    hp->restart_scale = (float)sqrt(0.5);
    return read_cuts(hp, g, err) && read_streams(hp, g, err) && read_others(hp, g, err);
}

const lory_arch arch_gemma3n = { "gemma3n", embed, block, head_rms, true, preset, adapt, NULL };
