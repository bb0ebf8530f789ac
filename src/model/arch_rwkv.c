/* arch_rwkv.c - RWKV: no attention; heads with states, and tokens mixed with the one before.
 * RWKV-6 (Peng et al. 2024, arXiv:2404.05892): states that forget by the token, which also says how
 * it is mixed. RWKV6-Qwen2: so too in place of Qwen2's attention, but gated linear attention.
 * RWKV-7 (Peng et al. 2025, arXiv:2503.14456): states that forget and learn by the token. ARWKV-7
 * (Lin et al. 2025, arXiv:2501.15570): these in place of Qwen2's attention. */
#include "base/err.h"
#include "model/arch.h"
#include <stdio.h>

static const lory_step embed[] = {
    { OP_EMBED,      X, X, W_TOK_EMBD,  0 },
    { OP_LAYER_NORM, X, X, W_EMBD_NORM, 0 }, END };

/* Qwen2's, from X to X. */
#define FEED_FORWARD                                                                               \
    { OP_RMS_NORM,     H,   X,   W_FFN_NORM,   0            },                                     \
    { OP_MATMUL,       G,   H,   W_FFN_GATE,   0            },                                     \
    { OP_MATMUL,       U,   H,   W_FFN_UP,     0            },                                     \
    { OP_SILU_MUL,     G,   U,   W_NONE,       0            },                                     \
    { OP_MATMUL,       F,   G,   W_FFN_DOWN,   0            },                                     \
    { OP_ADD,          X,   F,   W_NONE,       0            }

/* From H to what RWKV-6's heads read. XR is on the way to how H is mixed; XI is for queries. Files
 * have the constants of XW to XG in one tensor, or, the first ones, in five. */
#define MIXED_BY_TOKEN                                                                             \
    { OP_TOKEN_MIX,    XD,  H,   W_TM_LERP_X,  RECURS       },                                     \
    { OP_MATMUL,       MLR, XR,  W_TM_LERP_1,  RECURS       },                                     \
    { OP_TANH,         MLR, MLR, W_NONE,       RECURS       },                                     \
    { OP_HEAD_MATMUL,  ML,  MLR, W_TM_LERP_2,  RECURS       },                                     \
    { OP_TOKEN_MIX_BY, XW,  ML,  W_TM_LERP,    RECURS | OPT },                                     \
    { OP_TOKEN_MIX_BY, XW,  ML,  W_TM_LERP_W,  RECURS | OPT },                                     \
    { OP_TOKEN_MIX_BY, XK,  ML,  W_TM_LERP_K,  RECURS | OPT },                                     \
    { OP_TOKEN_MIX_BY, XV,  ML,  W_TM_LERP_V,  RECURS | OPT },                                     \
    { OP_TOKEN_MIX_BY, XI,  ML,  W_TM_LERP_R,  RECURS | OPT },                                     \
    { OP_TOKEN_MIX_BY, XG,  ML,  W_TM_LERP_G,  RECURS | OPT },                                     \
    { OP_MATMUL,       MF,  XW,  W_TM_DECAY_1, RECURS       },                                     \
    { OP_TANH,         MF,  MF,  W_NONE,       RECURS       },                                     \
    { OP_MATMUL,       MD,  MF,  W_TM_DECAY_2, RECURS       },                                     \
    { OP_MATMUL,       MK,  XK,  W_TM_K,       RECURS       },                                     \
    { OP_MATMUL,       MV,  XV,  W_TM_V,       RECURS       },                                     \
    { OP_MATMUL,       MQ,  XI,  W_TM_R,       RECURS       },                                     \
    { OP_MATMUL,       MZ,  XG,  W_TM_GATE,    RECURS       }

static const lory_step block_6[] = {
    { OP_LAYER_NORM,   H,   X,   W_ATTN_NORM,   0        },
    MIXED_BY_TOKEN,
    { OP_WKV6,         MO,  MQ,  W_TM_LN,       RECURS   },
    { OP_ALSO,         MO,  MQ,  W_TM_DECAY,    RECURS   },
    { OP_ALSO,         MO,  MQ,  W_TM_FIRST,    RECURS   },
    { OP_SILU_MUL,     MZ,  MO,  W_NONE,        RECURS   },
    { OP_MATMUL,       H,   MZ,  W_TM_OUT,      RECURS   },
    { OP_ADD,          X,   H,   W_NONE,        0        },
    { OP_LAYER_NORM,   H,   X,   W_ATTN_NORM_2, 0        },
    { OP_TOKEN_MIX,    XK,  H,   W_CM_LERP,     RECURS   },
    { OP_ALSO,         XV,  H,   W_CM_LERP_R,   RECURS   },
    { OP_MATMUL,       U,   XK,  W_CM_K,        RECURS   },
    { OP_RELU_SQR,     U,   U,   W_NONE,        RECURS   },
    { OP_MATMUL,       F,   U,   W_CM_V,        RECURS   },
    { OP_MATMUL,       H,   XV,  W_CM_R,        RECURS   },
    { OP_GATE_VALUES,  F,   H,   W_NONE,        RECURS   },
    { OP_ADD,          X,   F,   W_NONE,        0        },
    { OP_RESTART,      X,   X,   W_NONE,        RESTARTS }, END };

static const lory_step block_6_qwen2[] = {
    { OP_RMS_NORM,     H,   X,   W_ATTN_NORM,   0      },
    MIXED_BY_TOKEN,
    { OP_GLA,          MO,  MQ,  W_TM_DECAY,    RECURS },
    { OP_GATE_VALUES,  MO,  MZ,  W_NONE,        RECURS },
    { OP_MATMUL,       H,   MO,  W_TM_OUT,      RECURS },
    { OP_ADD,          X,   H,   W_NONE,        0      },
    FEED_FORWARD, END };

/* From H to what RWKV-7's layers add to X. XI is for how much is learned. */
#define TIME_MIX_7(norm_flags)                                                                     \
    { OP_TOKEN_MIX,    XR,  H,   W_TM_LERP,     RECURS              },                             \
    { OP_MATMUL,       MQ,  XR,  W_TM_R,        RECURS              },                             \
    { OP_MATMUL,       MF,  XW,  W_TM_W1,       RECURS              },                             \
    { OP_TANH,         MF,  MF,  W_NONE,        RECURS              },                             \
    { OP_MATMUL,       MD,  MF,  W_TM_W2,       RECURS              },                             \
    { OP_MATMUL,       MK,  XK,  W_TM_K,        RECURS              },                             \
    { OP_MATMUL,       MV,  XV,  W_TM_V,        RECURS              },                             \
    { OP_MATMUL,       MSR, XV,  W_TM_V1,       RECURS | NOT_FIRST  },                             \
    { OP_FIRST_VALUES, VF,  MV,  W_NONE,        RECURS | FIRST      },                             \
    { OP_MATMUL,       MS,  MSR, W_TM_V2,       RECURS | NOT_FIRST  },                             \
    { OP_VALUE_MIX,    MV,  MS,  W_TM_V0,       RECURS | NOT_FIRST  },                             \
    { OP_MATMUL,       MRR, XI,  W_TM_A1,       RECURS              },                             \
    { OP_MATMUL,       MR,  MRR, W_TM_A2,       RECURS              },                             \
    { OP_MATMUL,       MG,  XG,  W_TM_G1,       RECURS | GATED      },                             \
    { OP_SIGMOID,      MG,  MG,  W_NONE,        RECURS | GATED      },                             \
    { OP_MATMUL,       MZ,  MG,  W_TM_G2,       RECURS | GATED      },                             \
    { OP_WKV7,         MO,  MQ,  W_TM_LN,       RECURS | norm_flags },                             \
    { OP_ALSO,         MO,  MQ,  W_TM_W0,       RECURS              },                             \
    { OP_ALSO,         MO,  MQ,  W_TM_A0,       RECURS              },                             \
    { OP_ALSO,         MO,  MQ,  W_TM_KK,       RECURS              },                             \
    { OP_ALSO,         MO,  MQ,  W_TM_KA,       RECURS              },                             \
    { OP_ALSO,         MO,  MQ,  W_TM_RK,       RECURS              },                             \
    { OP_MATMUL,       H,   MO,  W_TM_OUT,      RECURS              },                             \
    { OP_ADD,          X,   H,   W_NONE,        0                   }

static const lory_step block_7[] = {
    { OP_LAYER_NORM,   H,   X,   W_ATTN_NORM,   0      },
    TIME_MIX_7(0),
    { OP_LAYER_NORM,   H,   X,   W_ATTN_NORM_2, 0      },
    { OP_TOKEN_MIX,    XK,  H,   W_CM_LERP,     RECURS },
    { OP_MATMUL,       U,   XK,  W_CM_K,        RECURS },
    { OP_RELU_SQR,     U,   U,   W_NONE,        RECURS },
    { OP_MATMUL,       F,   U,   W_CM_V,        RECURS },
    { OP_ADD,          X,   F,   W_NONE,        0      }, END };

static const lory_step block_7_qwen2[] = {
    { OP_RMS_NORM,     H,   X,   W_ATTN_NORM,   0      },
    TIME_MIX_7(BARE),
    FEED_FORWARD, END };

/* ---- numbers --------------------------------------------------------------------------------- */

enum { MAX_DIM = 512, MAX_RANK = 1 << 16 };

typedef struct {
    const gguf *g;
    const char *arch;
    lory_err *err;
} reader;

/* ARCH.name, a number of 0 .. max; absent: *out as it is. */
static bool read_given(const reader *r, const char *name, int max, int *out)
{
    char key[96];
    uint64_t n = (uint64_t)*out;
    snprintf(key, sizeof key, "%s.%s", r->arch, name);
    if (!gguf_get_uint(r->g, key, (uint64_t)max, &n, r->err)) return false;
    *out = (int)n;
    return true;
}

/* A number of 1 .. max that there must be. */
static bool read_int(const reader *r, const char *name, int max, int *out)
{
    char key[96];
    *out = 0;
    if (!read_given(r, name, max, out)) return false;
    snprintf(key, sizeof key, "%s.%s", r->arch, name);
    return *out > 0
           || err_set(r->err, LORY_E_FORMAT, "%s: %s is %s (expected 1 to %d)", gguf_path(r->g),
                      key, gguf_find(r->g, key) ? "0" : "missing", max);
}

/* Heads, and states of n_shift inputs besides them. */
static bool read_heads(const reader *r, hparams *hp, int n_shift)
{
    hp->n_shift = n_shift;
    if (!read_given(r, "token_shift_count", INT32_MAX, &hp->n_shift)
        || !read_int(r, "wkv.head_size", MAX_DIM, &hp->delta_key_dim))
        return false;
    if (hp->n_shift != n_shift)
        return err_set(r->err, LORY_E_UNSUPPORTED, "%s: %s.token_shift_count is %d (expected %d)",
                       gguf_path(r->g), r->arch, hp->n_shift, n_shift);
    const int n = hp->delta_value_dim = hp->delta_key_dim;
    if (hp->n_embd % n != 0)
        return err_set(r->err, LORY_E_FORMAT, "%s: heads of length %d do not go into %d channels",
                       gguf_path(r->g), n, hp->n_embd);
    hp->n_inner = hp->n_embd;
    hp->n_key_head = hp->n_value_head = hp->n_embd / n;
    for (int il = 0; il < hp->n_layer; il++)
        hparams_set_recurrent(hp, il, hp->n_embd * (n_shift + n)); /* 2^30 and a little at most */
    return true;
}

static bool read_7(const reader *r, hparams *hp, int n_shift)
{
    hp->n_lerp = 6;
    return read_heads(r, hp, n_shift)
           && read_int(r, "attention.decay_lora_rank", MAX_RANK, &hp->rank_decay)
           && read_int(r, "attention.iclr_lora_rank", MAX_RANK, &hp->rank_rate)
           && read_int(r, "attention.value_residual_mix_lora_rank", MAX_RANK, &hp->rank_value);
}

static bool adapt_7(hparams *hp, const gguf *g, lory_err *err)
{
    const reader r = { g, "rwkv7", err };
    return read_7(&r, hp, 2) && read_int(&r, "attention.gate_lora_rank", MAX_RANK, &hp->rank_gate);
}

/* It may have no gates. */
static bool adapt_7_qwen2(hparams *hp, const gguf *g, lory_err *err)
{
    const reader r = { g, "arwkv7", err };
    if (!read_7(&r, hp, 1)
        || !read_given(&r, "attention.gate_lora_rank", MAX_RANK, &hp->rank_gate))
        return false;
    if (hp->rank_gate == 0) hp->n_lerp--;
    return true;
}

static bool read_6(const reader *r, hparams *hp, int n_shift)
{
    hp->n_lerp = 5;
    return read_heads(r, hp, n_shift)
           && read_int(r, "time_mix_extra_dim", MAX_RANK, &hp->rank_lerp)
           && read_int(r, "time_decay_extra_dim", MAX_RANK, &hp->rank_decay);
}

/* Converters halve outputs of later layers, and say behind which the stream has to follow. */
static bool adapt_6(hparams *hp, const gguf *g, lory_err *err)
{
    const reader r = { g, "rwkv6", err };
    hp->restart_scale = 0.5f;
    return read_6(&r, hp, 2)
           && read_given(&r, "rescale_every_n_layers", INT32_MAX, &hp->n_restart_step);
}

static bool adapt_6_qwen2(hparams *hp, const gguf *g, lory_err *err)
{
    const reader r = { g, "rwkv6qwen2", err };
    int n_key_head = 0;
    if (!read_6(&r, hp, 1)
        || !read_given(&r, "attention.head_count_kv", INT32_MAX, &n_key_head))
        return false;
    if (n_key_head > 0) hp->n_key_head = n_key_head;
    return hp->n_value_head % hp->n_key_head == 0
           || err_set(err, LORY_E_FORMAT, "%s: %d heads do not go into %d groups", gguf_path(g),
                      hp->n_value_head, hp->n_key_head);
}

static void preset(hparams *hp)
{
    hp->is_headless = true;
}

const lory_arch arch_rwkv6 = { "rwkv6", embed, block_6, head_layer, false, preset, adapt_6, NULL };
const lory_arch arch_rwkv6qwen2 = { "rwkv6qwen2", embed_tokens, block_6_qwen2, head_rms, false,
                                    preset, adapt_6_qwen2, NULL };
const lory_arch arch_rwkv7 = { "rwkv7", embed, block_7, head_layer, false, preset, adapt_7, NULL };
const lory_arch arch_arwkv7 = { "arwkv7", embed_tokens, block_7_qwen2, head_rms, false,
                                preset, adapt_7_qwen2, NULL };
