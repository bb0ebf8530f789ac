/* arch_sparse.c - experts in layers of an order of their own: DBRX (Databricks 2024), whose second
 * norm is named after attention; Grok-1 (xAI 2024), whose sub-layers' outputs are normed too, and
 * Grok-2 with a dense network beside the experts;
 * Arctic (Snowflake 2024), whose experts read what attention reads, beside a dense network;
 * MiniMax-M3 (2026), as LLaMA with clipped gates; GroveMoE, whose groups of experts have a network
 * too. */
#include "base/err.h"
#include "model/arch.h"
#include <math.h>

static const lory_step block_dbrx[] = {
    { OP_LAYER_NORM, H,  X,  W_ATTN_NORM,     0 },
    { OP_MATMUL,     Q,  H,  W_ATTN_Q,        0 },
    { OP_MATMUL,     K,  H,  W_ATTN_K,        0 },
    { OP_MATMUL,     V,  H,  W_ATTN_V,        0 },
    { OP_CLAMP,      Q,  Q,  W_NONE,          0 },
    { OP_CLAMP,      K,  K,  W_NONE,          0 },
    { OP_CLAMP,      V,  V,  W_NONE,          0 },
    { OP_ROPE,       Q,  Q,  W_NONE,          0 },
    { OP_ROPE,       K,  K,  W_NONE,          0 },
    { OP_ATTEND,     A,  Q,  W_NONE,          0 },
    { OP_MATMUL,     H,  A,  W_ATTN_OUT,      0 },
    { OP_ADD,        X,  H,  W_NONE,          0 },
    { OP_LAYER_NORM, H,  X,  W_ATTN_OUT_NORM, 0 },
    { OP_MATMUL,     RT, H,  W_ROUTER,        0 },
    { OP_ROUTE,      RT, RT, W_NONE,          0 },
    { OP_EXPERTS,    EG, H,  W_EXP_GATE,      0 },
    { OP_EXPERTS,    EU, H,  W_EXP_UP,        0 },
    { OP_SILU_MUL,   EG, EU, W_NONE,          0 },
    { OP_EXPERTS,    ED, EG, W_EXP_DOWN,      0 },
    { OP_EXPERT_SUM, F,  ED, W_NONE,          0 },
    { OP_ADD,        X,  F,  W_NONE,          0 }, END };

static const lory_step block_grok[] = {
    { OP_RMS_NORM,    H,  X,  W_ATTN_NORM,      0             },
    { OP_MATMUL,      Q,  H,  W_ATTN_Q,         0             },
    { OP_MATMUL,      K,  H,  W_ATTN_K,         0             },
    { OP_MATMUL,      V,  H,  W_ATTN_V,         0             },
    { OP_ROPE,        Q,  Q,  W_NONE,           0             },
    { OP_ROPE,        K,  K,  W_NONE,           0             },
    { OP_ATTEND,      A,  Q,  W_NONE,           0             },
    { OP_MATMUL,      H,  A,  W_ATTN_OUT,       0             },
    { OP_RMS_NORM,    H,  H,  W_ATTN_OUT_NORM,  0             },
    { OP_ADD,         X,  H,  W_NONE,           0             },
    { OP_RMS_NORM,    H,  X,  W_FFN_NORM,       0             },
    { OP_MATMUL,      RT, H,  W_ROUTER,         0             },
    { OP_SOFT_CAP,    RT, RT, W_NONE,           0             },
    { OP_ROUTE,       RT, RT, W_NONE,           0             },
    { OP_EXPERTS,     EG, H,  W_EXP_GATE,       0             },
    { OP_EXPERTS,     EU, H,  W_EXP_UP,         0             },
    { OP_GELU_MUL,    EG, EU, W_NONE,           0             },
    { OP_EXPERTS,     ED, EG, W_EXP_DOWN,       0             },
    { OP_EXPERT_SUM,  F,  ED, W_NONE,           0             },
    { OP_MATMUL,      G,  H,  W_FFN_GATE,       OPT           },
    { OP_MATMUL,      U,  H,  W_FFN_UP,         OPT           },
    { OP_GELU_MUL,    G,  U,  W_FFN_UP,         OPT           },
    { OP_MATMUL,      H2, G,  W_FFN_DOWN,       OPT           },
    { OP_ADD,         H2, F,  W_FFN_DOWN,       OPT           },
    { OP_RESTART,     F,  H2, W_FFN_DOWN,       OPT           },
    { OP_RMS_NORM,    F,  F,  W_LAYER_OUT_NORM, OPT           },
    { OP_RMS_NORM,    F,  F,  W_FFN_POST_NORM,  OPT           },
    { OP_ADD,         X,  F,  W_NONE,           0             }, END };

static const lory_step block_arctic[] = {
    { OP_RMS_NORM,   H,  X,  W_ATTN_NORM,  0 },
    { OP_MATMUL,     Q,  H,  W_ATTN_Q,     0 },
    { OP_MATMUL,     K,  H,  W_ATTN_K,     0 },
    { OP_MATMUL,     V,  H,  W_ATTN_V,     0 },
    { OP_ROPE,       Q,  Q,  W_NONE,       0 },
    { OP_ROPE,       K,  K,  W_NONE,       0 },
    { OP_ATTEND,     A,  Q,  W_NONE,       0 },
    { OP_RMS_NORM,   H2, X,  W_EXP_NORM,   0 },
    { OP_MATMUL,     H,  A,  W_ATTN_OUT,   0 },
    { OP_ADD,        X,  H,  W_NONE,       0 },
    { OP_RMS_NORM,   H,  X,  W_FFN_NORM,   0 },
    { OP_MATMUL,     G,  H,  W_FFN_GATE,   0 },
    { OP_MATMUL,     U,  H,  W_FFN_UP,     0 },
    { OP_SILU_MUL,   G,  U,  W_NONE,       0 },
    { OP_MATMUL,     F,  G,  W_FFN_DOWN,   0 },
    { OP_ADD,        X,  F,  W_NONE,       0 },
    { OP_MATMUL,     RT, H2, W_ROUTER,     0 },
    { OP_ROUTE,      RT, RT, W_NONE,       0 },
    { OP_EXPERTS,    EG, H2, W_EXP_GATE,   0 },
    { OP_EXPERTS,    EU, H2, W_EXP_UP,     0 },
    { OP_SILU_MUL,   EG, EU, W_NONE,       0 },
    { OP_EXPERTS,    ED, EG, W_EXP_DOWN,   0 },
    { OP_EXPERT_SUM, F,  ED, W_NONE,       0 },
    { OP_ADD,        X,  F,  W_NONE,       0 }, END };

static const lory_step block_minimaxm3[] = {
    { OP_RMS_NORM,    H,  X,  W_ATTN_NORM, 0          },
    { OP_MATMUL,      Q,  H,  W_ATTN_Q,    0          },
    { OP_MATMUL,      K,  H,  W_ATTN_K,    0          },
    { OP_MATMUL,      V,  H,  W_ATTN_V,    0          },
    { OP_HEAD_NORM,   Q,  Q,  W_Q_NORM,    0          },
    { OP_HEAD_NORM,   K,  K,  W_K_NORM,    0          },
    { OP_ROPE,        Q,  Q,  W_NONE,      0          },
    { OP_ROPE,        K,  K,  W_NONE,      0          },
    { OP_ATTEND,      A,  Q,  W_NONE,      0          },
    { OP_MATMUL,      H,  A,  W_ATTN_OUT,  0          },
    { OP_ADD,         X,  H,  W_NONE,      0          },
    { OP_RMS_NORM,    H,  X,  W_FFN_NORM,  0          },
    { OP_MATMUL,      G,  H,  W_FFN_GATE,  DENSE      },
    { OP_MATMUL,      U,  H,  W_FFN_UP,    DENSE      },
    { OP_CLIP_SWIGLU, G,  U,  W_NONE,      DENSE      },
    { OP_MATMUL,      F,  G,  W_FFN_DOWN,  DENSE      },
    { OP_MATMUL,      RT, H,  W_ROUTER,    MOE        },
    { OP_ROUTE,       RT, RT, W_EXP_PROBS, MOE | BARE },
    { OP_EXPERTS,     EG, H,  W_EXP_GATE,  MOE        },
    { OP_EXPERTS,     EU, H,  W_EXP_UP,    MOE        },
    { OP_CLIP_SWIGLU, EG, EU, W_NONE,      MOE        },
    { OP_EXPERTS,     ED, EG, W_EXP_DOWN,  MOE        },
    { OP_EXPERT_SUM,  F,  ED, W_NONE,      MOE        },
    { OP_MATMUL,      SG, H,  W_SH_GATE,   SHARED     },
    { OP_MATMUL,      SU, H,  W_SH_UP,     SHARED     },
    { OP_CLIP_SWIGLU, SG, SU, W_NONE,      SHARED     },
    { OP_MATMUL,      H2, SG, W_SH_DOWN,   SHARED     },
    { OP_ADD,         F,  H2, W_NONE,      SHARED     },
    { OP_ADD,         X,  F,  W_NONE,      0          }, END };

/* Beyond 16 blocks of 128 positions an index, which files leave out, chooses the blocks seen. */
static bool adapt_minimaxm3(hparams *hp, const gguf *g, lory_err *err)
{
    (void)g, (void)err;
    hparams_limit_context(hp, 16 * 128);
    return true;
}

/* The numbers of Grok-1, which its files do not have. Of its chosen experts the weights stay as
 * softmax over all gives them. */
static void preset_grok(hparams *hp)
{
    hp->embd_scale = 78.38367176906169f;
    hp->logit_scale = 0.5773502691896257f;
    hp->attn_cap = 30.0f;
    hp->yarn_beta_fast = 8.0f;
}

static bool needs_experts(const hparams *hp, const gguf *g, lory_err *err)
{
    return hp->n_expert > 0
           || err_set(err, LORY_E_FORMAT, "%s: has no experts (expert_count)", gguf_path(g));
}

static bool adapt_dbrx(hparams *hp, const gguf *g, lory_err *err)
{
    return needs_experts(hp, g, err);
}

static bool read_positive(const gguf *g, const char *key, float *out, lory_err *err)
{
    if (!gguf_get_f32(g, key, out, err)) return false;
    return (*out >= 0.0f && *out < 1e30f)
           || err_set(err, LORY_E_FORMAT, "%s: %s is %g (expected a positive number)",
                      gguf_path(g), key, (double)*out);
}

static bool adapt_grok(hparams *hp, const gguf *g, lory_err *err)
{
    uint64_t length = 0; /* beyond so many positions scores grow after they are capped: Grok-2 */
    hp->attn_scale = 0.08838834764831845f; /* 1 / sqrt(128) */
    hp->restart_scale = (float)sqrt(0.5);
    if (!gguf_get_uint(g, "grok.attention.temperature_length", INT32_MAX, &length, err)
        || !read_positive(g, "grok.rope.scaling.yarn_attn_factor", &hp->rope_attn_factor, err))
        return false;
    if (length > 0) hparams_limit_context(hp, (int)length);
    if (!gguf_find_tensor(g, "blk.0.layer_output_norm.weight")
        && !gguf_find_tensor(g, "blk.0.post_ffw_norm.weight"))
        return err_set(err, LORY_E_FORMAT, "%s: tensor blk.0.layer_output_norm.weight is missing",
                       gguf_path(g));
    return needs_experts(hp, g, err)
           && read_positive(g, "grok.attention.output_scale", &hp->attn_scale, err)
           && read_positive(g, "grok.router_logit_softcapping", &hp->router_cap, err);
}

/* The length that files have is that of the experts; the dense network is as wide as X. */
static bool adapt_arctic(hparams *hp, const gguf *g, lory_err *err)
{
    hp->n_ff = hp->n_embd;
    return needs_experts(hp, g, err);
}

/* GroveMoE (arXiv:2508.07785): Qwen3's, but groups of experts have a small network together, which
 * is run with each of them and counts a little. */
static const lory_step block_grove[] = {
    { OP_RMS_NORM,   H,  X,  W_ATTN_NORM,  0 },
    { OP_MATMUL,     Q,  H,  W_ATTN_Q,     0 },
    { OP_MATMUL,     K,  H,  W_ATTN_K,     0 },
    { OP_MATMUL,     V,  H,  W_ATTN_V,     0 },
    { OP_HEAD_NORM,  Q,  Q,  W_Q_NORM,     0 },
    { OP_HEAD_NORM,  K,  K,  W_K_NORM,     0 },
    { OP_ROPE,       Q,  Q,  W_NONE,       0 },
    { OP_ROPE,       K,  K,  W_NONE,       0 },
    { OP_ATTEND,     A,  Q,  W_NONE,       0 },
    { OP_MATMUL,     H,  A,  W_ATTN_OUT,   0 },
    { OP_ADD,        X,  H,  W_NONE,       0 },
    { OP_RMS_NORM,   H,  X,  W_FFN_NORM,   0 },
    { OP_MATMUL,     RT, H,  W_ROUTER,     0 },
    { OP_ROUTE,      RT, RT, W_NONE,       0 },
    { OP_EXPERTS,    EG, H,  W_EXP_GATE,   0 },
    { OP_EXPERTS,    EU, H,  W_EXP_UP,     0 },
    { OP_SILU_MUL,   EG, EU, W_NONE,       0 },
    { OP_EXPERTS,    ED, EG, W_EXP_DOWN,   0 },
    { OP_EXPERT_SUM, F,  ED, W_NONE,       0 },
    { OP_EXPERTS,    CG, H,  W_CHUNK_GATE, 0 },
    { OP_EXPERTS,    CU, H,  W_CHUNK_UP,   0 },
    { OP_SILU_MUL,   CG, CU, W_NONE,       0 },
    { OP_EXPERTS,    ED, CG, W_CHUNK_DOWN, 0 },
    { OP_EXPERT_SUM, H2, ED, W_NONE,       0 },
    { OP_RESTART,    H,  H2, W_NONE,       0 },
    { OP_ADD,        F,  H,  W_NONE,       0 },
    { OP_ADD,        X,  F,  W_NONE,       0 }, END };

static bool adapt_grove(hparams *hp, const gguf *g, lory_err *err)
{
    enum { MAX_WIDTH = 1 << 20 };
    uint64_t n_ff = 0, n_together = 0;
    hp->restart_scale = 1.0f;
    if (!gguf_get_uint(g, "grovemoe.expert_chunk_feed_forward_length", MAX_WIDTH, &n_ff, err)
        || !gguf_get_uint(g, "grovemoe.experts_per_group", MAX_WIDTH, &n_together, err)
        || !gguf_get_f32(g, "grovemoe.expert_group_scale", &hp->restart_scale, err))
        return false;
    if (n_ff == 0 || n_together == 0 || hp->n_expert == 0
        || (uint64_t)hp->n_expert % n_together != 0 || !isfinite(hp->restart_scale))
        return err_set(err, LORY_E_FORMAT,
                       "%s: %d experts do not go into groups of %d with networks of width %d",
                       gguf_path(g), hp->n_expert, (int)n_together, (int)n_ff);
    hp->n_ff_chunk = (int)n_ff;
    hp->n_chunk = hp->n_expert / (int)n_together;
    return true;
}

const lory_arch arch_grovemoe = { "grovemoe", embed_tokens, block_grove, head_rms, true,
                                  preset_normalised, adapt_grove, NULL };
const lory_arch arch_dbrx = { "dbrx", embed_tokens, block_dbrx, head_layer, true,
                              preset_normalised, adapt_dbrx, NULL };
const lory_arch arch_grok = { "grok", embed_tokens, block_grok, head_rms, true,
                              preset_grok, adapt_grok, NULL };
const lory_arch arch_arctic = { "arctic", embed_tokens, block_arctic, head_rms, false,
                                preset_normalised, adapt_arctic, NULL };
const lory_arch arch_minimaxm3 = { "minimax-m3", embed_tokens, block_minimaxm3, head_rms, true,
                                   preset_sigmoid, adapt_minimaxm3, NULL };
