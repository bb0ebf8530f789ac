/* arch_lfm2.c - LFM2 (Liquid AI 2025, arXiv:2511.23404): short convolutions, gated before and after
 * by what a token is, in most layers, attention in some. With experts too. */
#include "base/err.h"
#include "model/arch.h"

static const lory_step block[] = {
    { OP_RMS_NORM,   H,  X,  W_ATTN_NORM, 0          },
    { OP_MATMUL,     MI, H,  W_CONV_IN,   RECURS     },
    { OP_SHORT_CONV, MO, MI, W_CONV,      RECURS     },
    { OP_MATMUL,     H,  MO, W_CONV_OUT,  RECURS     },
    { OP_MATMUL,     Q,  H,  W_ATTN_Q,    ATTENDS    },
    { OP_MATMUL,     K,  H,  W_ATTN_K,    ATTENDS    },
    { OP_MATMUL,     V,  H,  W_ATTN_V,    ATTENDS    },
    { OP_HEAD_NORM,  Q,  Q,  W_Q_NORM,    ATTENDS    },
    { OP_HEAD_NORM,  K,  K,  W_K_NORM,    ATTENDS    },
    { OP_ROPE,       Q,  Q,  W_NONE,      ATTENDS    },
    { OP_ROPE,       K,  K,  W_NONE,      ATTENDS    },
    { OP_ATTEND,     A,  Q,  W_NONE,      ATTENDS    },
    { OP_MATMUL,     H,  A,  W_ATTN_OUT,  ATTENDS    },
    { OP_ADD,        X,  H,  W_NONE,      0          },
    { OP_RMS_NORM,   H,  X,  W_FFN_NORM,  0          },
    { OP_MATMUL,     G,  H,  W_FFN_GATE,  DENSE      },
    { OP_MATMUL,     U,  H,  W_FFN_UP,    DENSE      },
    { OP_SILU_MUL,   G,  U,  W_NONE,      DENSE      },
    { OP_MATMUL,     F,  G,  W_FFN_DOWN,  DENSE      },
    { OP_MATMUL,     RT, H,  W_ROUTER,    MOE        },
    { OP_ROUTE,      RT, RT, W_EXP_PROBS, MOE | BARE },
    { OP_EXPERTS,    EG, H,  W_EXP_GATE,  MOE        },
    { OP_EXPERTS,    EU, H,  W_EXP_UP,    MOE        },
    { OP_SILU_MUL,   EG, EU, W_NONE,      MOE        },
    { OP_EXPERTS,    ED, EG, W_EXP_DOWN,  MOE        },
    { OP_EXPERT_SUM, F,  ED, W_NONE,      MOE        },
    { OP_ADD,        X,  F,  W_NONE,      0          }, END };

/* The last norm is named like one of embeddings in most files. */
static const lory_step head[] = {
    { OP_RMS_NORM, H,      X,      W_EMBD_NORM, OPT },
    { OP_RMS_NORM, H,      X,      W_OUT_NORM,  OPT },
    { OP_MATMUL,   LOGITS, H,      W_OUTPUT,    0   }, END };

/* Layers without heads of keys are convolutions, whose state is what they see besides a token. */
static bool adapt(hparams *hp, const gguf *g, const char *key, lory_err *err)
{
    if (!hparams_read_taps(hp, g, key, err)) return false;
    if (gguf_find_tensor(g, "token_embd_norm.weight") && gguf_find_tensor(g, "output_norm.weight"))
        return err_set(err, LORY_E_UNSUPPORTED, "%s: has two norms before the output",
                       gguf_path(g));
    hp->n_conv = hp->n_inner = hp->n_embd;
    hp->n_mix_in = 3 * hp->n_embd;
    for (int il = 0; il < hp->n_layer; il++)
        if (hp->layer[il].n_kv_head == HPARAMS_NO)
            hparams_set_recurrent(hp, il, (hp->n_tap - 1) * hp->n_conv);
    return true;
}

static bool adapt_lfm2(hparams *hp, const gguf *g, lory_err *err)
{
    return adapt(hp, g, "lfm2.shortconv.l_cache", err);
}

static bool adapt_lfm2moe(hparams *hp, const gguf *g, lory_err *err)
{
    return adapt(hp, g, "lfm2moe.shortconv.l_cache", err);
}

const lory_arch arch_lfm2 = { "lfm2", embed_tokens, block, head, true, NULL, adapt_lfm2, NULL };
const lory_arch arch_lfm2moe = { "lfm2moe", embed_tokens, block, head, true,
                                 preset_sigmoid, adapt_lfm2moe, NULL };
