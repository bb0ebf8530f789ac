/* arch_nemotron.c - feed-forward layers of two matrices with an activation between that grows like
 * a square: Nemotron (arXiv:2402.16819), whose layer norms have the 1 added in the file, Jais 2,
 * and AFM of Arcee; Apertus (arXiv:2509.14233) by xIELU. */
#include "model/arch.h"

static const lory_step block_nemotron[] = {
    { OP_LAYER_NORM, H, X, W_ATTN_NORM, 0 },
    { OP_MATMUL,     Q, H, W_ATTN_Q,    0 },
    { OP_MATMUL,     K, H, W_ATTN_K,    0 },
    { OP_MATMUL,     V, H, W_ATTN_V,    0 },
    { OP_ROPE,       Q, Q, W_NONE,      0 },
    { OP_ROPE,       K, K, W_NONE,      0 },
    { OP_ATTEND,     A, Q, W_NONE,      0 },
    { OP_MATMUL,     H, A, W_ATTN_OUT,  0 },
    { OP_ADD,        X, H, W_NONE,      0 },
    { OP_LAYER_NORM, H, X, W_FFN_NORM,  0 },
    { OP_MATMUL,     U, H, W_FFN_UP,    0 },
    { OP_RELU_SQR,   U, U, W_NONE,      0 },
    { OP_MATMUL,     F, U, W_FFN_DOWN,  0 },
    { OP_ADD,        X, F, W_NONE,      0 }, END };

static const lory_step block_arcee[] = {
    { OP_RMS_NORM, H, X, W_ATTN_NORM, 0 },
    { OP_MATMUL,   Q, H, W_ATTN_Q,    0 },
    { OP_MATMUL,   K, H, W_ATTN_K,    0 },
    { OP_MATMUL,   V, H, W_ATTN_V,    0 },
    { OP_ROPE,     Q, Q, W_NONE,      0 },
    { OP_ROPE,     K, K, W_NONE,      0 },
    { OP_ATTEND,   A, Q, W_NONE,      0 },
    { OP_MATMUL,   H, A, W_ATTN_OUT,  0 },
    { OP_ADD,      X, H, W_NONE,      0 },
    { OP_RMS_NORM, H, X, W_FFN_NORM,  0 },
    { OP_MATMUL,   U, H, W_FFN_UP,    0 },
    { OP_RELU_SQR, U, U, W_NONE,      0 },
    { OP_MATMUL,   F, U, W_FFN_DOWN,  0 },
    { OP_ADD,      X, F, W_NONE,      0 }, END };

static const lory_step block_apertus[] = {
    { OP_RMS_NORM,  H, X, W_ATTN_NORM, 0 },
    { OP_MATMUL,    Q, H, W_ATTN_Q,    0 },
    { OP_MATMUL,    K, H, W_ATTN_K,    0 },
    { OP_MATMUL,    V, H, W_ATTN_V,    0 },
    { OP_HEAD_NORM, Q, Q, W_Q_NORM,    0 },
    { OP_HEAD_NORM, K, K, W_K_NORM,    0 },
    { OP_ROPE,      Q, Q, W_NONE,      0 },
    { OP_ROPE,      K, K, W_NONE,      0 },
    { OP_ATTEND,    A, Q, W_NONE,      0 },
    { OP_MATMUL,    H, A, W_ATTN_OUT,  0 },
    { OP_ADD,       X, H, W_NONE,      0 },
    { OP_RMS_NORM,  H, X, W_FFN_NORM,  0 },
    { OP_MATMUL,    U, H, W_FFN_UP,    0 },
    { OP_XIELU,     U, U, W_NONE,      0 },
    { OP_MATMUL,    F, U, W_FFN_DOWN,  0 },
    { OP_ADD,       X, F, W_NONE,      0 }, END };

const lory_arch arch_apertus = { "apertus", embed_tokens, block_apertus, head_rms, true,
                                 NULL, NULL, NULL };
const lory_arch arch_jais2 = { "jais2", embed_tokens, block_nemotron, head_layer, true,
                               NULL, NULL, NULL };
const lory_arch arch_nemotron = { "nemotron", embed_tokens, block_nemotron, head_layer, true,
                                  NULL, NULL, NULL };
const lory_arch arch_arcee = { "arcee", embed_tokens, block_arcee, head_rms, false,
                               NULL, NULL, NULL };
