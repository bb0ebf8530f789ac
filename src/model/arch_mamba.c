/* arch_mamba.c - selective state spaces (Mamba-2: Dao & Gu 2024, arXiv:2405.21060), which keep a
 * state of each head instead of keys and values, and models that have attention besides: Jamba,
 * PLaMo 2, Granite 4 and Bamba, Falcon-H1, Nemotron-H. */
#include "base/err.h"
#include "model/arch.h"
#include <stdio.h>

/* From H, whose product is MI, to `out`. */
#define MAMBA2(out, norm_flags)                                                                    \
    { OP_CONV,       MI,  MI, W_SSM_CONV,  RECURS              },                                  \
    { OP_SCAN,       MO,  MI, W_SSM_DT,    RECURS              },                                  \
    { OP_ALSO,       MO,  MI, W_RATES,     RECURS              },                                  \
    { OP_ALSO,       MO,  MI, W_SCAN_D,    RECURS              },                                  \
    { OP_GATE_NORM,  MO,  MI, W_SCAN_NORM, RECURS | norm_flags },                                  \
    { OP_MATMUL,     out, MO, W_SSM_OUT,   RECURS              }

/* Gu & Dao 2023, arXiv:2312.00752: each channel by itself. Norms: Falcon Mamba's and Jamba's. */
#define MAMBA(norm_flags)                                                                          \
    { OP_RMS_NORM,      H,  X,  W_ATTN_NORM,     0                   },                            \
    { OP_MATMUL,        MI, H,  W_SSM_IN,        RECURS              },                            \
    { OP_CONV,          MV, MI, W_SSM_CONV,      RECURS              },                            \
    { OP_MATMUL,        MF, MV, W_STEP_IN,       RECURS              },                            \
    { OP_MATMUL,        MK, MV, W_B_IN,          RECURS              },                            \
    { OP_MATMUL,        MQ, MV, W_C_IN,          RECURS              },                            \
    { OP_RMS_NORM,      MK, MK, W_B_NORM,        RECURS | norm_flags },                            \
    { OP_RMS_NORM,      MQ, MQ, W_C_NORM,        RECURS | norm_flags },                            \
    { OP_RMS_NORM,      MF, MF, W_STEP_NORM,     RECURS | norm_flags },                            \
    { OP_MATMUL,        MD, MF, W_STEP,          RECURS              },                            \
    { OP_SOFTPLUS,      MD, MD, W_NONE,          RECURS              },                            \
    { OP_SCAN_CHANNELS, MO, MV, W_CHANNEL_RATES, RECURS              },                            \
    { OP_ALSO,          MO, MV, W_CHANNEL_D,     RECURS              },                            \
    { OP_GATE_NORM,     MO, MI, W_NONE,          RECURS              },                            \
    { OP_MATMUL,        H,  MO, W_SSM_OUT,       RECURS              }

/* From what mixes tokens, in H, to what a network, which may be of experts, adds: in F. */
#define FEED_FORWARD                                                                               \
    { OP_ADD,        X,  H,  W_NONE,      0       },                                               \
    { OP_RMS_NORM,   H,  X,  W_FFN_NORM,  0       },                                               \
    { OP_MATMUL,     G,  H,  W_FFN_GATE,  DENSE   },                                               \
    { OP_MATMUL,     U,  H,  W_FFN_UP,    DENSE   },                                               \
    { OP_SILU_MUL,   G,  U,  W_NONE,      DENSE   },                                               \
    { OP_MATMUL,     F,  G,  W_FFN_DOWN,  DENSE   },                                               \
    { OP_MATMUL,     RT, H,  W_ROUTER,    MOE     },                                               \
    { OP_ROUTE,      RT, RT, W_NONE,      MOE     },                                               \
    { OP_EXPERTS,    EG, H,  W_EXP_GATE,  MOE     },                                               \
    { OP_EXPERTS,    EU, H,  W_EXP_UP,    MOE     },                                               \
    { OP_SILU_MUL,   EG, EU, W_NONE,      MOE     },                                               \
    { OP_EXPERTS,    ED, EG, W_EXP_DOWN,  MOE     },                                               \
    { OP_EXPERT_SUM, F,  ED, W_NONE,      MOE     }

static const lory_step block_mamba[] = {
    MAMBA(OPT),
    { OP_ADD,        X,  H,  W_NONE,     0       }, END };

/* Jamba (arXiv:2403.19887): attention that does not rotate in a few layers, experts in some. */
static const lory_step block_jamba[] = {
    MAMBA(0),
    { OP_MATMUL,     Q,  H,  W_ATTN_Q,   ATTENDS },
    { OP_MATMUL,     K,  H,  W_ATTN_K,   ATTENDS },
    { OP_MATMUL,     V,  H,  W_ATTN_V,   ATTENDS },
    { OP_ATTEND,     A,  Q,  W_NONE,     ATTENDS },
    { OP_MATMUL,     H,  A,  W_ATTN_OUT, ATTENDS },
    FEED_FORWARD,
    { OP_ADD,        X,  F,  W_NONE,     0       }, END };

static const lory_step block_mamba2[] = {
    { OP_RMS_NORM,   H,  X,  W_ATTN_NORM, 0      },
    { OP_MATMUL,     MI, H,  W_SSM_IN,    RECURS },
    MAMBA2(H, 0),
    { OP_ADD,        X,  H,  W_NONE,      0      }, END };

static const lory_step block_granite[] = {
    { OP_RMS_NORM,   H,  X,  W_ATTN_NORM, 0       },
    { OP_MATMUL,     MI, H,  W_SSM_IN,    RECURS  },
    MAMBA2(H, 0),
    { OP_MATMUL,     Q,  H,  W_ATTN_Q,    ATTENDS },
    { OP_MATMUL,     K,  H,  W_ATTN_K,    ATTENDS },
    { OP_MATMUL,     V,  H,  W_ATTN_V,    ATTENDS },
    { OP_ROPE,       Q,  Q,  W_NONE,      ATTENDS },
    { OP_ROPE,       K,  K,  W_NONE,      ATTENDS },
    { OP_ATTEND,     A,  Q,  W_NONE,      ATTENDS },
    { OP_MATMUL,     H,  A,  W_ATTN_OUT,  ATTENDS },
    FEED_FORWARD,
    { OP_MATMUL,     SG, H,  W_SH_GATE,   SHARED  },
    { OP_MATMUL,     SU, H,  W_SH_UP,     SHARED  },
    { OP_SILU_MUL,   SG, SU, W_NONE,      SHARED  },
    { OP_MATMUL,     H2, SG, W_SH_DOWN,   SHARED  },
    { OP_ADD,        F,  H2, W_NONE,      SHARED  },
    { OP_ADD,        X,  F,  W_NONE,      0       }, END };

/* Falcon-H1 (arXiv:2507.22448): both side by side in every layer. Its multipliers are in the
 * weights of files. */
static const lory_step block_falcon[] = {
    { OP_RMS_NORM,   H,  X,  W_ATTN_NORM, 0 },
    { OP_MATMUL,     MI, H,  W_SSM_IN,    0 },
    { OP_MATMUL,     Q,  H,  W_ATTN_Q,    0 },
    { OP_MATMUL,     K,  H,  W_ATTN_K,    0 },
    { OP_MATMUL,     V,  H,  W_ATTN_V,    0 },
    MAMBA2(H2, BARE),
    { OP_ROPE,       Q,  Q,  W_NONE,      0 },
    { OP_ROPE,       K,  K,  W_NONE,      0 },
    { OP_ATTEND,     A,  Q,  W_NONE,      0 },
    { OP_MATMUL,     H,  A,  W_ATTN_OUT,  0 },
    { OP_ADD,        H,  H2, W_NONE,      0 },
    { OP_ADD,        X,  H,  W_NONE,      0 },
    { OP_RMS_NORM,   H,  X,  W_FFN_NORM,  0 },
    { OP_MATMUL,     G,  H,  W_FFN_GATE,  0 },
    { OP_MATMUL,     U,  H,  W_FFN_UP,    0 },
    { OP_SILU_MUL,   G,  U,  W_NONE,      0 },
    { OP_MATMUL,     F,  G,  W_FFN_DOWN,  0 },
    { OP_ADD,        X,  F,  W_NONE,      0 }, END };

/* Nemotron-H (arXiv:2504.03624): a layer is a state space, attention that does not rotate, or a
 * feed-forward network. */
static const lory_step block_nemotron[] = {
    { OP_RMS_NORM,   H,  X,  W_ATTN_NORM, 0                  },
    { OP_MATMUL,     MI, H,  W_SSM_IN,    RECURS             },
    MAMBA2(H, 0),
    { OP_MATMUL,     Q,  H,  W_ATTN_Q,    ATTENDS            },
    { OP_MATMUL,     K,  H,  W_ATTN_K,    ATTENDS            },
    { OP_MATMUL,     V,  H,  W_ATTN_V,    ATTENDS            },
    { OP_ATTEND,     A,  Q,  W_NONE,      ATTENDS            },
    { OP_MATMUL,     H,  A,  W_ATTN_OUT,  ATTENDS            },
    { OP_MATMUL,     U,  H,  W_FFN_UP,    FEEDS | DENSE      },
    { OP_RELU_SQR,   U,  U,  W_NONE,      FEEDS | DENSE      },
    { OP_MATMUL,     H,  U,  W_FFN_DOWN,  FEEDS | DENSE      },
    { OP_MATMUL,     SU, H,  W_SH_UP,     FEEDS | SHARED     },
    { OP_RELU_SQR,   SU, SU, W_NONE,      FEEDS | SHARED     },
    { OP_MATMUL,     H2, SU, W_SH_DOWN,   FEEDS | SHARED     },
    { OP_MATMUL,     RT, H,  W_ROUTER,    FEEDS | MOE        },
    { OP_ROUTE,      RT, RT, W_EXP_PROBS, FEEDS | MOE | BARE },
    { OP_EXPERTS,    EU, H,  W_EXP_UP,    FEEDS | MOE        },
    { OP_RELU_SQR,   EU, EU, W_NONE,      FEEDS | MOE        },
    { OP_EXPERTS,    ED, EU, W_EXP_DOWN,  FEEDS | MOE        },
    { OP_EXPERT_SUM, H,  ED, W_NONE,      FEEDS | MOE        },
    { OP_ADD,        H,  H2, W_NONE,      FEEDS | SHARED     },
    { OP_ADD,        X,  H,  W_NONE,      0                  }, END };

/* PLaMo 2 (Preferred Networks 2025, arXiv:2509.04897): heads as Mamba-2's, whose time steps, B and
 * C are made as Mamba's; gates and values lie head by head. Norms behind sub-layers too. */
static const lory_step block_plamo2[] = {
    { OP_RMS_NORM,    H,  X,  W_ATTN_NORM,      0       },
    { OP_MATMUL,      MI, H,  W_SSM_IN,         RECURS  },
    { OP_SPLIT_INNER, MZ, MI, W_NONE,           RECURS  },
    { OP_CONV,        MV, MV, W_SSM_CONV,       RECURS  },
    { OP_MATMUL,      MK, MV, W_B_IN,           RECURS  },
    { OP_MATMUL,      MQ, MV, W_C_IN,           RECURS  },
    { OP_MATMUL,      MF, MV, W_STEP_LAST,      RECURS  },
    { OP_RMS_NORM,    MK, MK, W_B_NORM,         RECURS  },
    { OP_RMS_NORM,    MQ, MQ, W_C_NORM,         RECURS  },
    { OP_RMS_NORM,    MF, MF, W_STEP_NORM,      RECURS  },
    { OP_MATMUL,      MA, MF, W_HEAD_STEP,      RECURS  },
    { OP_SOFTPLUS,    MA, MA, W_NONE,           RECURS  },
    { OP_SCAN_OF,     MO, MV, W_SSM_A,          RECURS  },
    { OP_ALSO,        MO, MV, W_HEAD_D,         RECURS  },
    { OP_GATE_NORM,   MO, MZ, W_NONE,           RECURS  },
    { OP_MATMUL,      H,  MO, W_SSM_OUT,        RECURS  },
    { OP_MATMUL,      Q,  H,  W_ATTN_Q,         ATTENDS },
    { OP_MATMUL,      K,  H,  W_ATTN_K,         ATTENDS },
    { OP_MATMUL,      V,  H,  W_ATTN_V,         ATTENDS },
    { OP_HEAD_NORM,   Q,  Q,  W_Q_NORM_HEADS,   ATTENDS },
    { OP_HEAD_NORM,   K,  K,  W_K_NORM_HEADS,   ATTENDS },
    { OP_ROPE,        Q,  Q,  W_NONE,           ATTENDS },
    { OP_ROPE,        K,  K,  W_NONE,           ATTENDS },
    { OP_ATTEND,      A,  Q,  W_NONE,           ATTENDS },
    { OP_MATMUL,      H,  A,  W_ATTN_OUT,       ATTENDS },
    { OP_RMS_NORM,    H,  H,  W_ATTN_POST_NORM, 0       },
    { OP_ADD,         X,  H,  W_NONE,           0       },
    { OP_RMS_NORM,    H,  X,  W_FFN_NORM,       0       },
    { OP_MATMUL,      G,  H,  W_FFN_GATE,       0       },
    { OP_MATMUL,      U,  H,  W_FFN_UP,         0       },
    { OP_SILU_MUL,    G,  U,  W_NONE,           0       },
    { OP_MATMUL,      F,  G,  W_FFN_DOWN,       0       },
    { OP_RMS_NORM,    F,  F,  W_FFN_POST_NORM,  0       },
    { OP_ADD,         X,  F,  W_NONE,           0       }, END };

/* What the product of H has: gates, x of all heads, B and C of all groups, time steps. */
static bool read_mamba2(hparams *hp, const gguf *g, const char *arch, lory_err *err)
{
    if (!hparams_read_heads_of_states(hp, g, arch, err)) return false;
    hp->is_grouped = true;
    hp->n_conv = hp->n_inner + 2 * hp->n_key_head * hp->delta_key_dim;
    hp->conv_at = hp->n_inner;
    hp->n_mix_in = hp->n_inner + hp->n_conv + hp->n_value_head;
    return true;
}

/* Floats of a layer's state. */
static int state_of(const hparams *hp)
{
    return (hp->n_tap - 1) * hp->n_conv + hp->n_inner * hp->delta_key_dim;
}

static void preset_mamba(hparams *hp)
{
    hp->is_headless = hp->is_feedless = true;
}

static bool read_mamba(hparams *hp, const gguf *g, const char *arch, lory_err *err)
{
    if (!hparams_read_channels_of_states(hp, g, arch, err)) return false;
    hp->n_key_head = hp->n_value_head = 1;
    hp->n_conv = hp->gate_at = hp->n_inner;
    hp->n_mix_in = 2 * hp->n_inner;
    return true;
}

/* Falcon Mamba (arXiv:2410.05355) norms time steps, B and C, without weights, and by an epsilon
 * that files don't have. */
static bool adapt_mamba(hparams *hp, const gguf *g, lory_err *err)
{
    if (!read_mamba(hp, g, "mamba", err)
        || !gguf_get_bool(g, "mamba.ssm.dt_b_c_rms", &hp->has_unit_steps, err))
        return false;
    if (hp->has_unit_steps) hp->norm_eps_post = 1e-6f;
    for (int il = 0; il < hp->n_layer; il++) hparams_set_recurrent(hp, il, state_of(hp));
    return true;
}

/* Layers without heads of keys are recurrent, those without a router have no experts. */
static bool adapt_jamba(hparams *hp, const gguf *g, lory_err *err)
{
    char name[64];
    if (!read_mamba(hp, g, "jamba", err)) return false;
    for (int il = 0; il < hp->n_layer; il++) {
        hparams_layer *l = &hp->layer[il];
        snprintf(name, sizeof name, "blk.%d.ffn_gate_inp.weight", il);
        l->is_dense = !gguf_find_tensor(g, name);
        if (l->n_kv_head == HPARAMS_NO) hparams_set_recurrent(hp, il, state_of(hp));
    }
    return true;
}

/* What files call the rank of time steps is the number of heads. */
static bool adapt_plamo2(hparams *hp, const gguf *g, lory_err *err)
{
    if (!hparams_read_channels_of_states(hp, g, "plamo2", err)) return false;
    hp->n_key_head = 1;
    hp->n_value_head = hp->rank_decay;
    hp->rank_decay = hp->n_embd / 16 > 64 ? hp->n_embd / 16 : 64;
    hp->delta_value_dim = hp->n_inner / hp->n_value_head;
    hp->n_conv = hp->n_inner;
    hp->n_mix_in = 2 * hp->n_inner;
    if (hp->n_inner % hp->n_value_head != 0)
        return err_set(err, LORY_E_FORMAT, "%s: %d values do not go into %d heads", gguf_path(g),
                       hp->n_inner, hp->n_value_head);
    for (int il = 0; il < hp->n_layer; il++)
        if (hp->layer[il].n_kv_head == HPARAMS_NO) hparams_set_recurrent(hp, il, state_of(hp));
    return true;
}

static bool adapt_mamba2(hparams *hp, const gguf *g, lory_err *err)
{
    if (!read_mamba2(hp, g, "mamba2", err)) return false;
    for (int il = 0; il < hp->n_layer; il++) hparams_set_recurrent(hp, il, state_of(hp));
    return true;
}

/* Layers without heads of keys are recurrent; the others rotate, or not, as the file says. */
static bool adapt_granite(hparams *hp, const gguf *g, lory_err *err)
{
    bool rotates = true;
    if (!read_mamba2(hp, g, "granitehybrid", err)
        || !gguf_get_bool(g, "granitehybrid.rope.scaling.finetuned", &rotates, err))
        return false;
    hp->logit_scale = 1.0f / hp->logit_scale;
    if (!rotates) hparams_set_nope(hp, 0, 1);
    for (int il = 0; il < hp->n_layer; il++)
        if (hp->layer[il].n_kv_head == HPARAMS_NO) hparams_set_recurrent(hp, il, state_of(hp));
    return true;
}

static bool adapt_falcon(hparams *hp, const gguf *g, lory_err *err)
{
    if (!read_mamba2(hp, g, "falcon-h1", err)) return false;
    for (int il = 0; il < hp->n_layer; il++) hp->layer[il].n_state = state_of(hp);
    return true;
}

/* Layers without heads of keys have a feed-forward network or are recurrent. */
static bool adapt_nemotron(hparams *hp, const gguf *g, const char *arch, lory_err *err)
{
    if (!read_mamba2(hp, g, arch, err)) return false;
    for (int il = 0; il < hp->n_layer; il++) {
        hparams_layer *l = &hp->layer[il];
        bool attends = l->n_kv_head != HPARAMS_NO, feeds = l->n_ff != HPARAMS_NO;
        if (attends && feeds)
            return err_set(err, LORY_E_UNSUPPORTED,
                           "%s: layer %d has attention and a feed-forward network, which is not "
                           "known of %s", gguf_path(g), il, arch);
        if (!attends && !feeds) hparams_set_recurrent(hp, il, state_of(hp));
        if (feeds) l->n_head = HPARAMS_NO;
    }
    return true;
}

static bool adapt_nemotron_h(hparams *hp, const gguf *g, lory_err *err)
{
    return adapt_nemotron(hp, g, "nemotron_h", err);
}

static bool adapt_nemotron_h_moe(hparams *hp, const gguf *g, lory_err *err)
{
    return adapt_nemotron(hp, g, "nemotron_h_moe", err);
}

const lory_arch arch_mamba = { "mamba", embed_tokens, block_mamba, head_rms, false,
                               preset_mamba, adapt_mamba, NULL };
const lory_arch arch_jamba = { "jamba", embed_tokens, block_jamba, head_rms, false, NULL,
                               adapt_jamba, NULL };
const lory_arch arch_plamo2 = { "plamo2", embed_tokens, block_plamo2, head_rms, true, NULL,
                                adapt_plamo2, NULL };
const lory_arch arch_mamba2 = { "mamba2", embed_tokens, block_mamba2, head_rms, false,
                                preset_mamba, adapt_mamba2, NULL };
const lory_arch arch_granitehybrid = { "granitehybrid", embed_tokens, block_granite, head_rms,
                                       false, preset_normalised, adapt_granite, NULL };
const lory_arch arch_falcon_h1 = { "falcon-h1", embed_tokens, block_falcon, head_rms, true, NULL,
                                   adapt_falcon, NULL };
const lory_arch arch_nemotron_h = { "nemotron_h", embed_tokens, block_nemotron, head_rms, false,
                                    NULL, adapt_nemotron_h, NULL };
const lory_arch arch_nemotron_h_moe = { "nemotron_h_moe", embed_tokens, block_nemotron, head_rms,
                                        false, preset_sigmoid, adapt_nemotron_h_moe, NULL };
