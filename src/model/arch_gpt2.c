/* arch_gpt2.c - GPT-2 (Radford et al. 2019) and what came of it: learned positions, layer norms,
 * biases. StarCoder: arXiv:2305.06161, StarCoder2, with rotary positions: arXiv:2402.19173. */
#include "model/arch.h"

static const lory_step block_gpt2[] = {
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

static const lory_step block_starcoder2[] = {
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
    { OP_GELU,       U, U, W_NONE,      0 },
    { OP_MATMUL,     F, U, W_FFN_DOWN,  0 },
    { OP_ADD,        X, F, W_NONE,      0 }, END };

const lory_arch arch_gpt2 = { "gpt2", embed_positions, block_gpt2, head_layer, false,
                              NULL, NULL, NULL };
const lory_arch arch_starcoder = { "starcoder", embed_positions, block_gpt2, head_layer, false,
                                   NULL, NULL, NULL };
const lory_arch arch_starcoder2 = { "starcoder2", embed_tokens, block_starcoder2, head_layer, true,
                                    NULL, NULL, NULL };
