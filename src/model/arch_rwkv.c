/* arch_rwkv.c - RWKV-7 (Peng et al. 2025, arXiv:2503.14456): no attention; heads with states that
 * forget and learn by the token, and tokens mixed with the one before. */
#include "base/err.h"
#include "model/arch.h"

static const lory_step embed[] = {
    { OP_EMBED,      X, X, W_TOK_EMBD,  0 },
    { OP_LAYER_NORM, X, X, W_EMBD_NORM, 0 }, END };

static const lory_step block[] = {
    { OP_LAYER_NORM,   H,   X,   W_ATTN_NORM,   0                  },
    { OP_TOKEN_MIX,    XR,  H,   W_TM_LERP,     RECURS             },
    { OP_MATMUL,       MQ,  XR,  W_TM_R,        RECURS             },
    { OP_MATMUL,       MF,  XW,  W_TM_W1,       RECURS             },
    { OP_TANH,         MF,  MF,  W_NONE,        RECURS             },
    { OP_MATMUL,       MD,  MF,  W_TM_W2,       RECURS             },
    { OP_MATMUL,       MK,  XK,  W_TM_K,        RECURS             },
    { OP_MATMUL,       MV,  XV,  W_TM_V,        RECURS             },
    { OP_MATMUL,       MSR, XV,  W_TM_V1,       RECURS | NOT_FIRST },
    { OP_FIRST_VALUES, VF,  MV,  W_NONE,        RECURS | FIRST     },
    { OP_MATMUL,       MS,  MSR, W_TM_V2,       RECURS | NOT_FIRST },
    { OP_VALUE_MIX,    MV,  MS,  W_TM_V0,       RECURS | NOT_FIRST },
    { OP_MATMUL,       MRR, XI,  W_TM_A1,       RECURS             },
    { OP_MATMUL,       MR,  MRR, W_TM_A2,       RECURS             },
    { OP_MATMUL,       MG,  XG,  W_TM_G1,       RECURS             },
    { OP_SIGMOID,      MG,  MG,  W_NONE,        RECURS             },
    { OP_MATMUL,       MZ,  MG,  W_TM_G2,       RECURS             },
    { OP_WKV7,         MO,  MQ,  W_TM_LN,       RECURS             },
    { OP_ALSO,         MO,  MQ,  W_TM_W0,       RECURS             },
    { OP_ALSO,         MO,  MQ,  W_TM_A0,       RECURS             },
    { OP_ALSO,         MO,  MQ,  W_TM_KK,       RECURS             },
    { OP_ALSO,         MO,  MQ,  W_TM_KA,       RECURS             },
    { OP_ALSO,         MO,  MQ,  W_TM_RK,       RECURS             },
    { OP_MATMUL,       H,   MO,  W_TM_OUT,      RECURS             },
    { OP_ADD,          X,   H,   W_NONE,        0                  },
    { OP_LAYER_NORM,   H,   X,   W_ATTN_NORM_2, 0                  },
    { OP_TOKEN_MIX,    XK,  H,   W_CM_LERP,     RECURS             },
    { OP_MATMUL,       U,   XK,  W_CM_K,        RECURS             },
    { OP_RELU_SQR,     U,   U,   W_NONE,        RECURS             },
    { OP_MATMUL,       F,   U,   W_CM_V,        RECURS             },
    { OP_ADD,          X,   F,   W_NONE,        0                  }, END };

enum { MAX_DIM = 512, MAX_RANK = 1 << 16 };

/* A number of 1 .. max that there must be. */
static bool read_int(const gguf *g, const char *key, int max, int *out, lory_err *err)
{
    uint64_t n = 0;
    if (!gguf_get_uint(g, key, (uint64_t)max, &n, err)) return false;
    *out = (int)n;
    return n > 0 || err_set(err, LORY_E_FORMAT, "%s: %s is %s (expected 1 to %d)", gguf_path(g),
                            key, gguf_find(g, key) ? "0" : "missing", max);
}

static bool adapt(hparams *hp, const gguf *g, lory_err *err)
{
    uint64_t n_shift = 2;
    if (!gguf_get_uint(g, "rwkv7.token_shift_count", INT32_MAX, &n_shift, err)
        || !read_int(g, "rwkv7.wkv.head_size", MAX_DIM, &hp->delta_key_dim, err)
        || !read_int(g, "rwkv7.attention.decay_lora_rank", MAX_RANK, &hp->rank_decay, err)
        || !read_int(g, "rwkv7.attention.iclr_lora_rank", MAX_RANK, &hp->rank_rate, err)
        || !read_int(g, "rwkv7.attention.value_residual_mix_lora_rank", MAX_RANK, &hp->rank_value,
                     err)
        || !read_int(g, "rwkv7.attention.gate_lora_rank", MAX_RANK, &hp->rank_gate, err))
        return false;
    if (n_shift != 2)
        return err_set(err, LORY_E_UNSUPPORTED, "%s: rwkv7.token_shift_count is %d (expected 2)",
                       gguf_path(g), (int)n_shift);
    const int n = hp->delta_value_dim = hp->delta_key_dim;
    if (hp->n_embd % n != 0)
        return err_set(err, LORY_E_FORMAT, "%s: heads of length %d do not go into %d channels",
                       gguf_path(g), n, hp->n_embd);
    hp->n_inner = hp->n_embd;
    hp->n_key_head = hp->n_value_head = hp->n_embd / n;
    for (int il = 0; il < hp->n_layer; il++)
        hparams_set_recurrent(hp, il, hp->n_embd * (2 + n)); /* 2^30 and a little at most */
    return true;
}

static void preset(hparams *hp)
{
    hp->is_headless = true;
}

const lory_arch arch_rwkv7 = { "rwkv7", embed, block, head_layer, false, preset, adapt, NULL };
