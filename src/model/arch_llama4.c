/* arch_llama4.c - Llama 4's text part (Scout, Maverick): three of four layers rotate and see the
 * chunk of the text that they are in; the fourth sees all of it, without rotation, its queries
 * growing with the position. Experts take their input times the router's sigmoid. */
#include "model/arch.h"

static const lory_step block[] = {
    { OP_RMS_NORM,      H,  X,  W_ATTN_NORM, 0      },
    { OP_MATMUL,        Q,  H,  W_ATTN_Q,    0      },
    { OP_MATMUL,        K,  H,  W_ATTN_K,    0      },
    { OP_MATMUL,        V,  H,  W_ATTN_V,    0      },
    { OP_ROPE,          Q,  Q,  W_NONE,      0      },
    { OP_ROPE,          K,  K,  W_NONE,      0      },
    { OP_HEAD_NORM,     Q,  Q,  W_ONES,      TURNS  },
    { OP_HEAD_NORM,     K,  K,  W_ONES,      TURNS  },
    { OP_TEMPERATURE,   Q,  Q,  W_NONE,      STILL  },
    { OP_ATTEND,        A,  Q,  W_NONE,      0      },
    { OP_MATMUL,        H,  A,  W_ATTN_OUT,  0      },
    { OP_ADD,           X,  H,  W_NONE,      0      },
    { OP_RMS_NORM,      H,  X,  W_FFN_NORM,  0      },
    { OP_MATMUL,        G,  H,  W_FFN_GATE,  DENSE  },
    { OP_MATMUL,        U,  H,  W_FFN_UP,    DENSE  },
    { OP_SILU_MUL,      G,  U,  W_NONE,      DENSE  },
    { OP_MATMUL,        F,  G,  W_FFN_DOWN,  DENSE  },
    { OP_MATMUL,        RT, H,  W_ROUTER,    MOE    },
    { OP_ROUTE,         RT, RT, W_NONE,      MOE    },
    { OP_EXPERT_WEIGH,  EX, H,  W_NONE,      MOE    },
    { OP_EXPERTS,       EG, EX, W_EXP_GATE,  MOE    },
    { OP_EXPERTS,       EU, EX, W_EXP_UP,    MOE    },
    { OP_SILU_MUL,      EG, EU, W_NONE,      MOE    },
    { OP_EXPERTS,       ED, EG, W_EXP_DOWN,  MOE    },
    { OP_EXPERT_SUM,    F,  ED, W_NONE,      MOE    },
    { OP_MATMUL,        SG, H,  W_SH_GATE,   SHARED },
    { OP_MATMUL,        SU, H,  W_SH_UP,     SHARED },
    { OP_SILU_MUL,      SG, SU, W_NONE,      SHARED },
    { OP_MATMUL,        H2, SG, W_SH_DOWN,   SHARED },
    { OP_ADD,           F,  H2, W_NONE,      SHARED },
    { OP_ADD,           X,  F,  W_NONE,      0      }, END };

static void preset(hparams *hp)
{
    hparams_set_full(hp, 3, 4);
    hp->window = 8192;
    hp->window_is_chunk = true;
    hp->temp_scale = 0.1f;
    hp->temp_offset = 1.0f;
    hp->temp_length = 8192;
    hp->expert_gating = GATING_SIGMOID;
}

/* Files say little: the shared expert is as wide as the others, and Maverick, which has 128 of
 * them, does not norm its heads. A window of 0 is a model that rotates everywhere. */
static bool adapt(hparams *hp, const gguf *g, lory_err *err)
{
    uint64_t length = (uint64_t)hp->temp_length;
    if (!gguf_get_f32(g, "llama4.attention.temperature_scale", &hp->temp_scale, err)
        || !gguf_get_uint(g, "llama4.attention.temperature_length", 1 << 30, &length, err))
        return false;
    if (length > 0) hp->temp_length = (int)length;
    if (hp->n_ff_shexp == 0) hp->n_ff_shexp = hp->n_ff_exp;
    hp->has_unit_heads = hp->n_expert != 128;
    hparams_nope_if_full(hp);
    return true;
}

const lory_arch arch_llama4 = {
    "llama4", embed_tokens, block, head_rms, false, preset, adapt, NULL
};
