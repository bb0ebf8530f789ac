/* arch_gpt2.c - GPT (Radford et al. 2018), GPT-2 (2019) and what came of it: learned positions,
 * layer norms, biases. GPT-Neo: Black et al. 2021, StarCoder: arXiv:2305.06161, StarCoder2, with
 * rotary positions: arXiv:2402.19173; OPT: Zhang et al. 2022, arXiv:2205.01068. */
#include "model/arch.h"

/* GPT: the norms come after the sums. */
static const lory_step block_gpt[] = {
    { OP_MATMUL,     Q, X, W_ATTN_Q,    0 },
    { OP_MATMUL,     K, X, W_ATTN_K,    0 },
    { OP_MATMUL,     V, X, W_ATTN_V,    0 },
    { OP_ATTEND,     A, Q, W_NONE,      0 },
    { OP_MATMUL,     H, A, W_ATTN_OUT,  0 },
    { OP_ADD,        X, H, W_NONE,      0 },
    { OP_LAYER_NORM, X, X, W_ATTN_NORM, 0 },
    { OP_MATMUL,     U, X, W_FFN_UP,    0 },
    { OP_GELU,       U, U, W_NONE,      0 },
    { OP_MATMUL,     F, U, W_FFN_DOWN,  0 },
    { OP_ADD,        X, F, W_NONE,      0 },
    { OP_LAYER_NORM, X, X, W_FFN_NORM,  0 }, END };

static const lory_step head_gpt[] = {
    { OP_MATMUL, LOGITS, X, W_OUTPUT, 0 }, END };

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

static const lory_step block_opt[] = {
    { OP_LAYER_NORM, H, X, W_ATTN_NORM, 0 },
    { OP_MATMUL,     Q, H, W_ATTN_Q,    0 },
    { OP_MATMUL,     K, H, W_ATTN_K,    0 },
    { OP_MATMUL,     V, H, W_ATTN_V,    0 },
    { OP_ATTEND,     A, Q, W_NONE,      0 },
    { OP_MATMUL,     H, A, W_ATTN_OUT,  0 },
    { OP_ADD,        X, H, W_NONE,      0 },
    { OP_LAYER_NORM, H, X, W_FFN_NORM,  0 },
    { OP_MATMUL,     U, H, W_FFN_UP,    0 },
    { OP_RELU,       U, U, W_NONE,      0 },
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

/* GPT-Neo does not scale its scores; every second layer, from the second on, has a window. */
static void preset_gptneo(hparams *hp)
{
    hparams_set_full(hp, 0, 2);
}

static bool adapt_gptneo(hparams *hp, const gguf *g, lory_err *err)
{
    (void)err;
    if (!gguf_find(g, "gptneo.attention.scale")) hp->attn_scale = 1.0f;
    return true;
}

const lory_arch arch_codeshell = { "codeshell", embed_tokens, block_starcoder2, head_layer, true,
                                   NULL, NULL, NULL };
const lory_arch arch_gpt = { "openai-gpt", embed_positions, block_gpt, head_gpt, false,
                             NULL, NULL, NULL };
const lory_arch arch_gptneo = { "gptneo", embed_positions, block_gpt2, head_layer, false,
                                preset_gptneo, adapt_gptneo, NULL };
const lory_arch arch_gpt2 = { "gpt2", embed_positions, block_gpt2, head_layer, false,
                              NULL, NULL, NULL };
const lory_arch arch_opt = { "opt", embed_positions, block_opt, head_layer, false,
                             NULL, NULL, NULL };
const lory_arch arch_starcoder = { "starcoder", embed_positions, block_gpt2, head_layer, false,
                                   NULL, NULL, NULL };
const lory_arch arch_starcoder2 = { "starcoder2", embed_tokens, block_starcoder2, head_layer, true,
                                    NULL, NULL, NULL };
