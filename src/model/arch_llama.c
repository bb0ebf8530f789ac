/* arch_llama.c - the LLaMA recipe: Touvron et al. 2023, arXiv:2302.13971. Grouped queries, tied
 * output, biases and scaled rope need no word here: they are in the file or they are not. */
#include "model/arch.h"

static const lory_step embed[] = {
    { OP_EMBED,     X, X, W_TOK_EMBD,  0   }, END };

static const lory_step block[] = {
    { OP_RMS_NORM,  H, X, W_ATTN_NORM, 0   },
    { OP_MATMUL,    Q, H, W_ATTN_Q,    0   },
    { OP_MATMUL,    K, H, W_ATTN_K,    0   },
    { OP_MATMUL,    V, H, W_ATTN_V,    0   },
    { OP_HEAD_NORM, Q, Q, W_Q_NORM,    OPT },
    { OP_HEAD_NORM, K, K, W_K_NORM,    OPT },
    { OP_ROPE,      Q, Q, W_NONE,      0   },
    { OP_ROPE,      K, K, W_NONE,      0   },
    { OP_ATTEND,    A, Q, W_NONE,      0   },
    { OP_MATMUL,    H, A, W_ATTN_OUT,  0   },
    { OP_ADD,       X, H, W_NONE,      0   },
    { OP_RMS_NORM,  H, X, W_FFN_NORM,  0   },
    { OP_MATMUL,    G, H, W_FFN_GATE,  0   },
    { OP_MATMUL,    U, H, W_FFN_UP,    0   },
    { OP_SILU_MUL,  G, U, W_NONE,      0   },
    { OP_MATMUL,    F, G, W_FFN_DOWN,  0   },
    { OP_ADD,       X, F, W_NONE,      0   }, END };

static const lory_step head[] = {
    { OP_RMS_NORM,  H,      X, W_OUT_NORM, 0 },
    { OP_MATMUL,    LOGITS, H, W_OUTPUT,   0 }, END };

const lory_arch arch_llama = { "llama", embed, block, head, false };
const lory_arch arch_qwen2 = { "qwen2", embed, block, head, true  };
const lory_arch arch_qwen3 = { "qwen3", embed, block, head, true  };
