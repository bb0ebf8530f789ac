/* arch_phimoe.c - Phi-3.5-MoE (arXiv:2404.14219): layer norms, and two experts for each token, of
 * which each counts whole unless others come near it. */
#include "model/arch.h"

static const lory_step block[] = {
    { OP_LAYER_NORM, H,  X,  W_ATTN_NORM, 0   },
    { OP_MATMUL,     Q,  H,  W_ATTN_Q,    0   },
    { OP_MATMUL,     K,  H,  W_ATTN_K,    0   },
    { OP_MATMUL,     V,  H,  W_ATTN_V,    0   },
    { OP_ROPE,       Q,  Q,  W_NONE,      0   },
    { OP_ROPE,       K,  K,  W_NONE,      0   },
    { OP_ATTEND,     A,  Q,  W_NONE,      0   },
    { OP_MATMUL,     H,  A,  W_ATTN_OUT,  0   },
    { OP_ADD,        X,  H,  W_NONE,      0   },
    { OP_LAYER_NORM, H,  X,  W_FFN_NORM,  0   },
    { OP_MATMUL,     RT, H,  W_ROUTER,    MOE },
    { OP_ROUTE,      RT, RT, W_NONE,      MOE },
    { OP_EXPERTS,    EG, H,  W_EXP_GATE,  MOE },
    { OP_EXPERTS,    EU, H,  W_EXP_UP,    MOE },
    { OP_SILU_MUL,   EG, EU, W_NONE,      MOE },
    { OP_EXPERTS,    ED, EG, W_EXP_DOWN,  MOE },
    { OP_EXPERT_SUM, F,  ED, W_NONE,      MOE },
    { OP_ADD,        X,  F,  W_NONE,      0   }, END };

static void preset(hparams *hp)
{
    hp->expert_gating = GATING_SPARSE_MIXER;
}

const lory_arch arch_phimoe = {
    "phimoe", embed_tokens, block, head_layer, true, preset, NULL, NULL
};
