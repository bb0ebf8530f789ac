/* arch_bitnet.c - BitNet b1.58 (arXiv:2402.17764): LLaMA with weights of -1, 0 and 1 times a scale
 * of each matrix, and norms before the last product of each sub-layer; its 2B4T (arXiv:2504.12285)
 * by squared ReLU. */
#include "model/arch.h"

static const lory_step block_bitnet[] = {
    { OP_RMS_NORM, H, X, W_ATTN_NORM,     0 },
    { OP_MATMUL,   Q, H, W_ATTN_Q,        0 },
    { OP_MATMUL,   K, H, W_ATTN_K,        0 },
    { OP_MATMUL,   V, H, W_ATTN_V,        0 },
    { OP_ROPE,     Q, Q, W_NONE,          0 },
    { OP_ROPE,     K, K, W_NONE,          0 },
    { OP_ATTEND,   A, Q, W_NONE,          0 },
    { OP_RMS_NORM, A, A, W_ATTN_SUB_NORM, 0 },
    { OP_MATMUL,   H, A, W_ATTN_OUT,      0 },
    { OP_ADD,      X, H, W_NONE,          0 },
    { OP_RMS_NORM, H, X, W_FFN_NORM,      0 },
    { OP_MATMUL,   G, H, W_FFN_GATE,      0 },
    { OP_MATMUL,   U, H, W_FFN_UP,        0 },
    { OP_SILU_MUL, G, U, W_NONE,          0 },
    { OP_RMS_NORM, G, G, W_FFN_SUB_NORM,  0 },
    { OP_MATMUL,   F, G, W_FFN_DOWN,      0 },
    { OP_ADD,      X, F, W_NONE,          0 }, END };

static const lory_step block_bitnet_2b4t[] = {
    { OP_RMS_NORM, H, X, W_ATTN_NORM,     0 },
    { OP_MATMUL,   Q, H, W_ATTN_Q,        0 },
    { OP_MATMUL,   K, H, W_ATTN_K,        0 },
    { OP_MATMUL,   V, H, W_ATTN_V,        0 },
    { OP_ROPE,     Q, Q, W_NONE,          0 },
    { OP_ROPE,     K, K, W_NONE,          0 },
    { OP_ATTEND,   A, Q, W_NONE,          0 },
    { OP_RMS_NORM, A, A, W_ATTN_SUB_NORM, 0 },
    { OP_MATMUL,   H, A, W_ATTN_OUT,      0 },
    { OP_ADD,      X, H, W_NONE,          0 },
    { OP_RMS_NORM, H, X, W_FFN_NORM,      0 },
    { OP_MATMUL,   G, H, W_FFN_GATE,      0 },
    { OP_RELU_SQR, G, G, W_NONE,          0 },
    { OP_MATMUL,   U, H, W_FFN_UP,        0 },
    { OP_RELU_MUL, G, U, W_NONE,          0 }, /* of what is 0 or more: the product alone */
    { OP_RMS_NORM, G, G, W_FFN_SUB_NORM,  0 },
    { OP_MATMUL,   F, G, W_FFN_DOWN,      0 },
    { OP_ADD,      X, F, W_NONE,          0 }, END };

const lory_arch arch_bitnet = { "bitnet", embed_tokens, block_bitnet, head_rms, true,
                                NULL, NULL, NULL };
/* An early converter's name for the next. */
const lory_arch arch_bitnet_25 = { "bitnet-25", embed_tokens, block_bitnet_2b4t, head_rms, true,
                                   NULL, NULL, NULL };
const lory_arch arch_bitnet_2b4t = { "bitnet-b1.58", embed_tokens, block_bitnet_2b4t, head_rms,
                                     true, NULL, NULL, NULL };
