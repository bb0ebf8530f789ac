/* arch_kimi.c - Kimi-Linear (Kimi Team 2025, arXiv:2510.26692): in most layers a delta rule whose
 * channels forget each by itself; in the others attention over latents that does not rotate.
 * Ling 3 (2026): the same, but how much is forgotten is bounded, and attention rotates and has a
 * gate for each head. */
#include "base/err.h"
#include "model/arch.h"

#define CONVOLVED                                                                                  \
    { OP_CONV_OF,      MQ,  MQ,  W_CONV_Q,    RECURS               },                              \
    { OP_CONV_OF,      MK,  MK,  W_CONV_K,    RECURS               },                              \
    { OP_CONV_OF,      MV,  MV,  W_CONV_V,    RECURS               }

/* What attention asks with; what it looks at: latents, joined to keys and values or not. */
#define QUERIES                                                                                    \
    { OP_MATMUL,       QA,  H,   W_Q_A,       ATTENDS | OPT        },                              \
    { OP_RMS_NORM,     QA,  QA,  W_Q_A_NORM,  ATTENDS | OPT        },                              \
    { OP_MATMUL,       Q,   QA,  W_Q_B,       ATTENDS | OPT        },                              \
    { OP_MATMUL,       Q,   H,   W_ATTN_Q,    ATTENDS | OPT        }

#define LATENTS                                                                                    \
    { OP_MATMUL,       KVA, H,   W_KV_A,      ATTENDS              },                              \
    { OP_RMS_NORM,     KVN, KVA, W_KV_A_NORM, ATTENDS              },                              \
    { OP_MATMUL,       KVB, KVN, W_KV_B,      ATTENDS | JOINED     },                              \
    { OP_MLA_KV,       K,   KVB, W_NONE,      ATTENDS | JOINED     },                              \
    { OP_MLA_LATENT,   K,   KVN, W_NONE,      ATTENDS | LATENT     }

/* From what mixes tokens, in H, to the end of the layer. */
#define FEED_FORWARD                                                                               \
    { OP_ADD,          X,   H,   W_NONE,      0                    },                              \
    { OP_RMS_NORM,     H,   X,   W_FFN_NORM,  0                    },                              \
    { OP_MATMUL,       G,   H,   W_FFN_GATE,  DENSE                },                              \
    { OP_MATMUL,       U,   H,   W_FFN_UP,    DENSE                },                              \
    { OP_SILU_MUL,     G,   U,   W_NONE,      DENSE                },                              \
    { OP_MATMUL,       F,   G,   W_FFN_DOWN,  DENSE                },                              \
    { OP_MATMUL,       RT,  H,   W_ROUTER,    MOE                  },                              \
    { OP_ROUTE,        RT,  RT,  W_EXP_PROBS, MOE | BARE           },                              \
    { OP_EXPERTS,      EG,  H,   W_EXP_GATE,  MOE                  },                              \
    { OP_EXPERTS,      EU,  H,   W_EXP_UP,    MOE                  },                              \
    { OP_SILU_MUL,     EG,  EU,  W_NONE,      MOE                  },                              \
    { OP_EXPERTS,      ED,  EG,  W_EXP_DOWN,  MOE                  },                              \
    { OP_EXPERT_SUM,   F,   ED,  W_NONE,      MOE                  },                              \
    { OP_MATMUL,       SG,  H,   W_SH_GATE,   SHARED               },                              \
    { OP_MATMUL,       SU,  H,   W_SH_UP,     SHARED               },                              \
    { OP_SILU_MUL,     SG,  SU,  W_NONE,      SHARED               },                              \
    { OP_MATMUL,       H2,  SG,  W_SH_DOWN,   SHARED               },                              \
    { OP_ADD,          F,   H2,  W_NONE,      SHARED               },                              \
    { OP_ADD,          X,   F,   W_NONE,      0                    }

static const lory_step block[] = {
    { OP_RMS_NORM,     H,   X,   W_ATTN_NORM, 0                    },
    { OP_MATMUL,       MQ,  H,   W_ATTN_Q,    RECURS               },
    { OP_MATMUL,       MK,  H,   W_ATTN_K,    RECURS               },
    { OP_MATMUL,       MV,  H,   W_ATTN_V,    RECURS               },
    { OP_MATMUL,       MB,  H,   W_SSM_BETA,  RECURS               },
    { OP_MATMUL,       MF,  H,   W_SSM_F_A,   RECURS               },
    { OP_MATMUL,       MG,  H,   W_SSM_G_A,   RECURS               },
    { OP_MATMUL,       MD,  MF,  W_SSM_F_B,   RECURS               },
    { OP_MATMUL,       MZ,  MG,  W_SSM_G_B,   RECURS               },
    CONVOLVED,
    { OP_SOFTPLUS,     MD,  MD,  W_KDA_DT,    RECURS | BARE        },
    { OP_KDA,          MO,  MQ,  W_RATES,     RECURS               },
    { OP_NORM_SIGMOID, MZ,  MO,  W_SSM_NORM,  RECURS               },
    { OP_MATMUL,       H,   MZ,  W_ATTN_OUT,  RECURS               },
    QUERIES,
    LATENTS,
    { OP_ROPE,         Q,   Q,   W_NONE,      ATTENDS              }, /* in no layer: n_rot is */
    { OP_ATTEND,       A,   Q,   W_NONE,      ATTENDS | JOINED     }, /* the length of the part */
    { OP_HEAD_MATMUL,  QL,  Q,   W_K_B,       ATTENDS | LATENT     }, /* that heads share */
    { OP_ATTEND,       AL,  QL,  W_NONE,      ATTENDS | LATENT     },
    { OP_HEAD_MATMUL,  A,   AL,  W_V_B,       ATTENDS | LATENT     },
    { OP_MATMUL,       H,   A,   W_ATTN_OUT,  ATTENDS              },
    FEED_FORWARD, END };

static const lory_step block_ling[] = {
    { OP_RMS_NORM,     H,   X,   W_ATTN_NORM, 0                },
    { OP_MATMUL,       MQ,  H,   W_ATTN_Q,    RECURS           },
    { OP_MATMUL,       MK,  H,   W_ATTN_K,    RECURS           },
    { OP_MATMUL,       MV,  H,   W_ATTN_V,    RECURS           },
    { OP_MATMUL,       MB,  H,   W_SSM_BETA,  RECURS           },
    { OP_MATMUL,       MD,  H,   W_KDA_F,     RECURS           },
    { OP_MATMUL,       MZ,  H,   W_KDA_G,     RECURS           },
    CONVOLVED,
    { OP_BIAS,         MD,  MD,  W_KDA_DT,    RECURS           },
    { OP_KDA,          MO,  MQ,  W_RATES,     RECURS           },
    { OP_NORM_SIGMOID, MZ,  MO,  W_SSM_NORM,  RECURS           },
    { OP_MATMUL,       H,   MZ,  W_ATTN_OUT,  RECURS           },
    QUERIES,
    { OP_MATMUL,       AG,  H,   W_ATTN_GATE, ATTENDS          },
    LATENTS,
    { OP_ROPE,         Q,   Q,   W_NONE,      ATTENDS          },
    { OP_ROPE,         K,   K,   W_NONE,      ATTENDS          },
    { OP_ATTEND,       A,   Q,   W_NONE,      ATTENDS | JOINED },
    { OP_HEAD_MATMUL,  QL,  Q,   W_K_B,       ATTENDS | LATENT },
    { OP_ATTEND,       AL,  QL,  W_NONE,      ATTENDS | LATENT },
    { OP_HEAD_MATMUL,  A,   AL,  W_V_B,       ATTENDS | LATENT },
    { OP_GATE_HEADS,   A,   AG,  W_NONE,      ATTENDS          },
    { OP_MATMUL,       H,   A,   W_ATTN_OUT,  ATTENDS          },
    FEED_FORWARD, END };

enum { MAX_DIM = 512 };

/* Layers are recurrent where they have no heads of keys; where they have some, by which number
 * depends on who wrote the file. */
static bool read_heads(hparams *hp, const gguf *g, const char *arch, lory_err *err)
{
    uint64_t dim = 0;
    char taps[64], length[64];
    snprintf(taps, sizeof taps, "%s.ssm.conv_kernel", arch);
    snprintf(length, sizeof length, "%s.kda.head_dim", arch);
    if (!hparams_read_taps(hp, g, taps, err) || !gguf_get_uint(g, length, MAX_DIM, &dim, err))
        return false;
    if (dim == 0)
        return err_set(err, LORY_E_FORMAT, "%s: %s is %s (expected 1 to %d)", gguf_path(g), length,
                       gguf_find(g, length) ? "0" : "missing", MAX_DIM);
    if (hp->kv_lora_rank == 0)
        return err_set(err, LORY_E_FORMAT, "%s: %s.attention.kv_lora_rank is missing", gguf_path(g),
                       arch);
    hp->delta_key_dim = hp->delta_value_dim = (int)dim;
    hp->rank_decay = hp->rank_gate = (int)dim;
    hp->n_key_head = hp->n_value_head = hp->n_head;
    hp->n_inner = hp->n_conv = hp->n_head * (int)dim; /* 2^21 at most */
    int64_t n_state = (3 * (int64_t)(hp->n_tap - 1) + (int64_t)dim) * hp->n_inner;
    if (n_state > INT32_MAX)
        return err_set(err, LORY_E_FORMAT, "%s: %d recurrent heads of length %d are too many",
                       gguf_path(g), hp->n_head, (int)dim);
    for (int il = 0; il < hp->n_layer; il++) {
        hparams_layer *l = &hp->layer[il];
        if (l->n_kv_head == HPARAMS_NO) hparams_set_recurrent(hp, il, (int)n_state);
        else l->n_kv_head = 0; /* as all */
    }
    hparams_use_latents(hp, g);
    return true;
}

static bool adapt(hparams *hp, const gguf *g, lory_err *err)
{
    hparams_set_nope(hp, 0, 1);
    return read_heads(hp, g, "kimi-linear", err);
}

static bool adapt_ling(hparams *hp, const gguf *g, lory_err *err)
{
    static const char bound[] = "bailingmoe3.kda.gate_lower_bound";
    bool is_bounded = true;
    if (!gguf_get_bool(g, "bailingmoe3.kda.safe_gate", &is_bounded, err)
        || !gguf_get_f32(g, bound, &hp->kda_bound, err)
        || !hparams_leave_predictors(hp, g, "bailingmoe3.nextn_predict_layers", err)
        || !hparams_read_clips(hp, g, "bailingmoe3.swiglu_clamp_exp", false, err)
        || !hparams_read_clips(hp, g, "bailingmoe3.swiglu_clamp_shexp", true, err))
        return false;
    if (!is_bounded)
        return err_set(err, LORY_E_UNSUPPORTED, "%s: bailingmoe3.kda.safe_gate false is not known",
                       gguf_path(g));
    if (!(hp->kda_bound < 0.0f && hp->kda_bound > -1e3f))
        return err_set(err, LORY_E_FORMAT, "%s: %s is %g (expected a number below 0)", gguf_path(g),
                       bound, (double)hp->kda_bound);
    return read_heads(hp, g, "bailingmoe3", err);
}

static void preset(hparams *hp)
{
    hp->expert_weights_norm = true;
    hp->expert_gating = GATING_SIGMOID;
}

const lory_arch arch_kimi_linear = { "kimi-linear", embed_tokens, block, head_rms, false, preset,
                                     adapt, NULL };
const lory_arch arch_bailingmoe3 = { "bailingmoe3", embed_tokens, block_ling, head_rms, false,
                                     preset, adapt_ling, NULL };
