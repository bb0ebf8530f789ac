/* arch_gemma4.c - Gemma 4, the text part: the dense sizes, whose last layers attend to keys and
 * values of earlier ones and which get something of each token in every layer; those with experts
 * beside the dense network. Layers that see all have longer heads, and may have one product for
 * keys and values. */
#include "model/arch.h"
#include <math.h>

static const lory_step embed[] = {
    { OP_EMBED,       X,  X,  W_TOK_EMBD,       0        },
    { OP_EMBED,       LE, LE, W_LE_EMBD,        LAYER_IN },
    { OP_MATMUL,      LP, X,  W_LE_PROJ,        LAYER_IN },
    { OP_LAYER_MIX,   LE, LP, W_LE_PROJ_NORM,   LAYER_IN }, END };

static const lory_step block[] = {
    { OP_RMS_NORM,    H,  X,  W_ATTN_NORM,       0                },
    { OP_MATMUL,      Q,  H,  W_ATTN_Q,          0                },
    { OP_MATMUL,      K,  H,  W_ATTN_K,          OWN_KV           },
    { OP_MATMUL,      V,  H,  W_ATTN_V,          OWN_KV | OPT     },
    { OP_COPY_HEADS,  V,  K,  W_ATTN_V,          OWN_KV | WITHOUT },
    { OP_HEAD_NORM,   Q,  Q,  W_Q_NORM,          0                },
    { OP_HEAD_NORM,   K,  K,  W_K_NORM,          OWN_KV           },
    { OP_HEAD_NORM,   V,  V,  W_ONES,            OWN_KV           },
    { OP_ROPE,        Q,  Q,  W_NONE,            0                },
    { OP_ROPE,        K,  K,  W_NONE,            OWN_KV           },
    { OP_ATTEND,      A,  Q,  W_NONE,            0                },
    { OP_MATMUL,      H,  A,  W_ATTN_OUT,        0                },
    { OP_RMS_NORM,    H,  H,  W_ATTN_POST_NORM,  0                },
    { OP_ADD,         X,  H,  W_NONE,            0                },
    { OP_RMS_NORM,    H,  X,  W_FFN_NORM,        0                },
    { OP_MATMUL,      G,  H,  W_FFN_GATE,        0                },
    { OP_MATMUL,      U,  H,  W_FFN_UP,          0                },
    { OP_GELU_MUL,    G,  U,  W_NONE,            0                },
    { OP_MATMUL,      F,  G,  W_FFN_DOWN,        0                },
    { OP_RMS_NORM,    F,  F,  W_FFN_POST_NORM_1, MOE              },
    { OP_RMS_NORM,    H,  X,  W_ROUTER_NORM,     MOE              },
    { OP_MATMUL,      RT, H,  W_ROUTER,          MOE              },
    { OP_ROUTE,       RT, RT, W_EXP_SCALE,       MOE | BARE       },
    { OP_RMS_NORM,    H,  X,  W_FFN_NORM_2,      MOE              },
    { OP_EXPERTS,     EG, H,  W_EXP_GATE,        MOE              },
    { OP_EXPERTS,     EU, H,  W_EXP_UP,          MOE              },
    { OP_GELU_MUL,    EG, EU, W_NONE,            MOE              },
    { OP_EXPERTS,     ED, EG, W_EXP_DOWN,        MOE              },
    { OP_EXPERT_SUM,  H,  ED, W_NONE,            MOE              },
    { OP_RMS_NORM,    H,  H,  W_FFN_POST_NORM_2, MOE              },
    { OP_ADD,         F,  H,  W_NONE,            MOE              },
    { OP_RMS_NORM,    F,  F,  W_FFN_POST_NORM,   0                },
    { OP_ADD,         X,  F,  W_NONE,            0                },
    { OP_MATMUL,      LG, X,  W_LE_GATE,         LAYER_IN         },
    { OP_GELU_MUL,    LG, LE, W_NONE,            LAYER_IN         },
    { OP_MATMUL,      H,  LG, W_LE_OUT,          LAYER_IN         },
    { OP_RMS_NORM,    H,  H,  W_LE_POST_NORM,    LAYER_IN         },
    { OP_ADD,         X,  H,  W_NONE,            LAYER_IN         },
    { OP_LAYER_SCALE, X,  X,  W_LAYER_SCALE,     OPT              }, END };

static void preset(hparams *hp)
{
    hparams_set_full(hp, 5, 6);
    hp->rope_theta = 1e6f;
    hp->rope_theta_local = 1e4f;
    hp->logit_cap = 30.0f;
    hp->has_unit_heads = true;
    hp->expert_weights_norm = true;
}

static bool adapt(hparams *hp, const gguf *g, lory_err *err)
{
    (void)err;
    if (!gguf_find(g, "gemma4.attention.scale")) hp->attn_scale = 1.0f;
    hp->embd_scale = (float)sqrt((double)hp->n_embd);
    hp->router_scale = (float)(1.0 / sqrt((double)hp->n_embd));
    return true;
}

const lory_arch arch_gemma4 = { "gemma4", embed, block, head_rms, true, preset, adapt, NULL };
