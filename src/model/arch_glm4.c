/* arch_glm4.c - GLM-4-0414: the LLaMA recipe with a norm after each sub-layer too. */
#include "model/arch.h"

static const lory_step block[] = {
    { OP_RMS_NORM, H, X, W_ATTN_NORM,      0 },
    { OP_MATMUL,   Q, H, W_ATTN_Q,         0 },
    { OP_MATMUL,   K, H, W_ATTN_K,         0 },
    { OP_MATMUL,   V, H, W_ATTN_V,         0 },
    { OP_ROPE,     Q, Q, W_NONE,           0 },
    { OP_ROPE,     K, K, W_NONE,           0 },
    { OP_ATTEND,   A, Q, W_NONE,           0 },
    { OP_MATMUL,   H, A, W_ATTN_OUT,       0 },
    { OP_RMS_NORM, H, H, W_ATTN_POST_NORM, 0 },
    { OP_ADD,      X, H, W_NONE,           0 },
    { OP_RMS_NORM, H, X, W_FFN_NORM,       0 },
    { OP_MATMUL,   G, H, W_FFN_GATE,       0 },
    { OP_MATMUL,   U, H, W_FFN_UP,         0 },
    { OP_SILU_MUL, G, U, W_NONE,           0 },
    { OP_MATMUL,   F, G, W_FFN_DOWN,       0 },
    { OP_RMS_NORM, F, F, W_FFN_POST_NORM,  0 },
    { OP_ADD,      X, F, W_NONE,           0 }, END };

const lory_arch arch_glm4 = { "glm4", embed_tokens, block, head_rms, false, NULL, NULL, NULL };
