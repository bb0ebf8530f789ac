/* arch_gpt_oss.c - gpt-oss (OpenAI 2025, arXiv:2508.10925): experts everywhere with a clipped
 * SwiGLU, a sink for every attention head, a window in every second layer. */
#include "model/arch.h"

static const lory_step block[] = {
    { OP_RMS_NORM,    H,  X,  W_ATTN_NORM,      0   },
    { OP_MATMUL,      Q,  H,  W_ATTN_Q,         0   },
    { OP_MATMUL,      K,  H,  W_ATTN_K,         0   },
    { OP_MATMUL,      V,  H,  W_ATTN_V,         0   },
    { OP_ROPE,        Q,  Q,  W_NONE,           0   },
    { OP_ROPE,        K,  K,  W_NONE,           0   },
    { OP_ATTEND,      A,  Q,  W_SINKS,          0   },
    { OP_MATMUL,      H,  A,  W_ATTN_OUT,       0   },
    { OP_ADD,         X,  H,  W_NONE,           0   },
    { OP_RMS_NORM,    H,  X,  W_ATTN_POST_NORM, 0   },
    { OP_MATMUL,      RT, H,  W_ROUTER,         MOE },
    { OP_ROUTE,       RT, RT, W_NONE,           MOE },
    { OP_EXPERTS,     EG, H,  W_EXP_GATE,       MOE },
    { OP_EXPERTS,     EU, H,  W_EXP_UP,         MOE },
    { OP_CLIP_SWIGLU, EG, EU, W_NONE,           MOE },
    { OP_EXPERTS,     ED, EG, W_EXP_DOWN,       MOE },
    { OP_EXPERT_SUM,  F,  ED, W_NONE,           MOE },
    { OP_ADD,         X,  F,  W_NONE,           0   }, END };

static void preset(hparams *hp)
{
    hparams_set_full(hp, 1, 2);
    hp->expert_gating = GATING_SOFTMAX_CHOSEN;
    hp->yarn_exact = true;
}

const lory_arch arch_gpt_oss = {
    "gpt-oss", embed_tokens, block, head_rms, true, preset, NULL, NULL
};
