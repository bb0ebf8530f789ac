/* arch_glm4.c - GLM-4-0414, PLaMo 3: the LLaMA recipe with a norm after each sub-layer too. GLM-4.5
 * (arXiv:2508.06471) and Seed-OSS: the feed-forward layer's norm has the name of attention's. */
#include "model/arch.h"

static const lory_step block[] = {
    { OP_RMS_NORM, H, X, W_ATTN_NORM,      0 },
    { OP_MATMUL,   Q, H, W_ATTN_Q,         0 },
    { OP_MATMUL,   K, H, W_ATTN_K,         0 },
    { OP_MATMUL,   V, H, W_ATTN_V,         0 },
    { OP_HEAD_NORM, Q, Q, W_Q_NORM,      OPT },
    { OP_HEAD_NORM, K, K, W_K_NORM,      OPT },
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

static const lory_step block_glm4moe[] = {
    { OP_RMS_NORM,   H,  X,  W_ATTN_NORM,      0          },
    { OP_MATMUL,     Q,  H,  W_ATTN_Q,         0          },
    { OP_MATMUL,     K,  H,  W_ATTN_K,         0          },
    { OP_MATMUL,     V,  H,  W_ATTN_V,         0          },
    { OP_HEAD_NORM,  Q,  Q,  W_Q_NORM,         OPT        },
    { OP_HEAD_NORM,  K,  K,  W_K_NORM,         OPT        },
    { OP_ROPE,       Q,  Q,  W_NONE,           0          },
    { OP_ROPE,       K,  K,  W_NONE,           0          },
    { OP_ATTEND,     A,  Q,  W_NONE,           0          },
    { OP_MATMUL,     H,  A,  W_ATTN_OUT,       0          },
    { OP_ADD,        X,  H,  W_NONE,           0          },
    { OP_RMS_NORM,   H,  X,  W_ATTN_POST_NORM, 0          },
    { OP_MATMUL,     G,  H,  W_FFN_GATE,       DENSE      },
    { OP_MATMUL,     U,  H,  W_FFN_UP,         DENSE      },
    { OP_SILU_MUL,   G,  U,  W_NONE,           DENSE      },
    { OP_MATMUL,     F,  G,  W_FFN_DOWN,       DENSE      },
    { OP_MATMUL,     RT, H,  W_ROUTER,         MOE        },
    { OP_ROUTE,      RT, RT, W_EXP_PROBS,      MOE | BARE },
    { OP_EXPERTS,    EG, H,  W_EXP_GATE,       MOE        },
    { OP_EXPERTS,    EU, H,  W_EXP_UP,         MOE        },
    { OP_SILU_MUL,   EG, EU, W_NONE,           MOE        },
    { OP_EXPERTS,    ED, EG, W_EXP_DOWN,       MOE        },
    { OP_EXPERT_SUM, F,  ED, W_NONE,           MOE        },
    { OP_MATMUL,     SG, H,  W_SH_GATE,        SHARED     },
    { OP_MATMUL,     SU, H,  W_SH_UP,          SHARED     },
    { OP_SILU_MUL,   SG, SU, W_NONE,           SHARED     },
    { OP_MATMUL,     H2, SG, W_SH_DOWN,        SHARED     },
    { OP_ADD,        F,  H2, W_NONE,           SHARED     },
    { OP_ADD,        X,  F,  W_NONE,           0          }, END };

static void preset_glm4moe(hparams *hp)
{
    hp->expert_gating = GATING_SIGMOID;
}

/* The text parts of GLM-4V and GLM-OCR: positions have three dimensions, which are one in text, and
 * rows of queries and keys lie so that halves of a head rotate. */
static void adapt_to_sections(hparams *hp, const gguf *g, const char *key)
{
    const gguf_kv *kv = gguf_find(g, key);
    if (kv && kv->type == GGUF_ARR && kv->elem == GGUF_I32 && kv->n >= 2)
        hp->rope_neox |= gguf_int_at(kv, 0) > 0 && gguf_int_at(kv, 1) > 0;
}

static bool adapt_glm4(hparams *hp, const gguf *g, lory_err *err)
{
    adapt_to_sections(hp, g, "glm4.rope.dimension_sections");
    return hparams_leave_predictors(hp, g, "glm4.nextn_predict_layers", err);
}

static bool adapt_glm4moe(hparams *hp, const gguf *g, lory_err *err)
{
    adapt_to_sections(hp, g, "glm4moe.rope.dimension_sections");
    return hparams_leave_predictors(hp, g, "glm4moe.nextn_predict_layers", err);
}

const lory_arch arch_glm4moe = { "glm4moe", embed_tokens, block_glm4moe, head_rms, true,
                                 preset_glm4moe, adapt_glm4moe, NULL };
const lory_arch arch_seed_oss = { "seed_oss", embed_tokens, block_glm4moe, head_rms, true,
                                  NULL, NULL, NULL };
const lory_arch arch_glm4 = { "glm4", embed_tokens, block, head_rms, false,
                              NULL, adapt_glm4, NULL };

/* PLaMo 3: files say which layers see a window, if any do; those rotate by another base. */
static void preset_plamo3(hparams *hp)
{
    hparams_set_full(hp, 7, 8);
}

const lory_arch arch_plamo3 = { "plamo3", embed_tokens, block, head_rms, true,
                                preset_plamo3, NULL, NULL };
