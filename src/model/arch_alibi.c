/* arch_alibi.c - families with linear attention biases instead of positions: BLOOM
 * (arXiv:2211.05100) and MPT (MosaicML 2023). */
#include "model/arch.h"

static const lory_step embed_bloom[] = {
    { OP_EMBED,      X, X, W_TOK_EMBD,  0 },
    { OP_LAYER_NORM, X, X, W_EMBD_NORM, 0 }, END };

static const lory_step block_bloom[] = {
    { OP_LAYER_NORM, H, X, W_ATTN_NORM, 0 },
    { OP_MATMUL,     Q, H, W_ATTN_Q,    0 },
    { OP_MATMUL,     K, H, W_ATTN_K,    0 },
    { OP_MATMUL,     V, H, W_ATTN_V,    0 },
    { OP_ATTEND,     A, Q, W_NONE,      0 },
    { OP_MATMUL,     H, A, W_ATTN_OUT,  0 },
    { OP_ADD,        X, H, W_NONE,      0 },
    { OP_LAYER_NORM, H, X, W_FFN_NORM,  0 },
    { OP_MATMUL,     U, H, W_FFN_UP,    0 },
    { OP_GELU,       U, U, W_NONE,      0 },
    { OP_MATMUL,     F, U, W_FFN_DOWN,  0 },
    { OP_ADD,        X, F, W_NONE,      0 }, END };

static const lory_step block_mpt[] = {
    { OP_LAYER_NORM, H, X, W_ATTN_NORM,  0   },
    { OP_MATMUL,     Q, H, W_ATTN_Q,     0   },
    { OP_MATMUL,     K, H, W_ATTN_K,     0   },
    { OP_MATMUL,     V, H, W_ATTN_V,     0   },
    { OP_CLAMP,      Q, Q, W_NONE,       0   },
    { OP_CLAMP,      K, K, W_NONE,       0   },
    { OP_CLAMP,      V, V, W_NONE,       0   },
    { OP_LAYER_NORM, Q, Q, W_Q_NORM_ALL, OPT },
    { OP_LAYER_NORM, K, K, W_K_NORM_ALL, OPT },
    { OP_ATTEND,     A, Q, W_NONE,       0   },
    { OP_MATMUL,     H, A, W_ATTN_OUT,   0   },
    { OP_ADD,        X, H, W_NONE,       0   },
    { OP_LAYER_NORM, H, X, W_FFN_NORM,   0   },
    { OP_MATMUL,     U, H, W_FFN_UP,     0   },
    { OP_GELU_ERF,   U, U, W_NONE,       0   },
    { OP_MATMUL,     F, U, W_FFN_DOWN,   0   },
    { OP_ADD,        X, F, W_NONE,       0   }, END };

/* Without ALiBi there are learned positions. */
static const lory_step embed_mpt[] = {
    { OP_EMBED,    X, X, W_TOK_EMBD, 0   },
    { OP_POSITION, X, X, W_POS_EMBD, OPT }, END };

static void preset_bloom(hparams *hp)
{
    hp->max_alibi_bias = 8.0f;
}

const lory_arch arch_bloom = { "bloom", embed_bloom, block_bloom, head_layer, false,
                               preset_bloom, NULL, NULL };
const lory_arch arch_mpt = { "mpt", embed_mpt, block_mpt, head_layer, false, NULL, NULL, NULL };
