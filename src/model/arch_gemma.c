/* arch_gemma.c - Gemma: arXiv:2403.08295, Gemma 2: arXiv:2408.00118, Gemma 3: arXiv:2503.19786.
 * The file's norm weights have the 1 added that the papers add. */
#include "model/arch.h"
#include <math.h>

static const lory_step block_gemma[] = {
    { OP_RMS_NORM,  H, X, W_ATTN_NORM,      0   },
    { OP_MATMUL,    Q, H, W_ATTN_Q,         0   },
    { OP_MATMUL,    K, H, W_ATTN_K,         0   },
    { OP_MATMUL,    V, H, W_ATTN_V,         0   },
    { OP_HEAD_NORM, Q, Q, W_Q_NORM,         OPT },
    { OP_HEAD_NORM, K, K, W_K_NORM,         OPT },
    { OP_ROPE,      Q, Q, W_NONE,           0   },
    { OP_ROPE,      K, K, W_NONE,           0   },
    { OP_ATTEND,    A, Q, W_NONE,           0   },
    { OP_MATMUL,    H, A, W_ATTN_OUT,       0   },
    { OP_RMS_NORM,  H, H, W_ATTN_POST_NORM, OPT },
    { OP_ADD,       X, H, W_NONE,           0   },
    { OP_RMS_NORM,  H, X, W_FFN_NORM,       0   },
    { OP_MATMUL,    G, H, W_FFN_GATE,       0   },
    { OP_MATMUL,    U, H, W_FFN_UP,         0   },
    { OP_GELU_MUL,  G, U, W_NONE,           0   },
    { OP_MATMUL,    F, G, W_FFN_DOWN,       0   },
    { OP_RMS_NORM,  F, F, W_FFN_POST_NORM,  OPT },
    { OP_ADD,       X, F, W_NONE,           0   }, END };

static bool scale_embedding(hparams *hp, const gguf *g, lory_err *err)
{
    (void)g, (void)err;
    hp->embd_scale = (float)sqrt((double)hp->n_embd);
    return true;
}

/* The largest model of a generation scales queries by n_embd / n_head, not by head_dim, and files
 * do not say so. */
static bool adapt_depth(hparams *hp, const gguf *g, int deepest, const char *key, lory_err *err)
{
    if (hp->n_layer == deepest && !gguf_find(g, key))
        hp->attn_scale = (float)(1.0 / sqrt((double)hp->n_embd / hp->n_head));
    return scale_embedding(hp, g, err);
}

static void preset_2(hparams *hp)
{
    hparams_set_full(hp, 1, 2);
}

static bool adapt_2(hparams *hp, const gguf *g, lory_err *err)
{
    return adapt_depth(hp, g, 46, "gemma2.attention.scale", err);
}

static void preset_3(hparams *hp)
{
    hparams_set_full(hp, 5, 6);
    hp->rope_theta = 1e6f;
    hp->rope_theta_local = 1e4f;
}

static bool adapt_3(hparams *hp, const gguf *g, lory_err *err)
{
    return adapt_depth(hp, g, 62, "gemma3.attention.scale", err);
}

const lory_arch arch_gemma = { "gemma", embed_tokens, block_gemma, head_rms, true,
                               NULL, scale_embedding, NULL };
const lory_arch arch_gemma2 = { "gemma2", embed_tokens, block_gemma, head_rms, true,
                                preset_2, adapt_2, NULL };
const lory_arch arch_gemma3 = { "gemma3", embed_tokens, block_gemma, head_rms, true,
                                preset_3, adapt_3, NULL };
