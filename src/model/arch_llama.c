/* arch_llama.c - the LLaMA recipe: Touvron et al. 2023, arXiv:2302.13971, and the families that
 * differ from it by numbers only. Grouped queries, tied output, biases, scaled rope and windows
 * need no word here: they are in the file or they are not. Experts: Jiang et al. 2024,
 * arXiv:2401.04088. */
#include "model/arch.h"
#include "base/err.h"
#include "base/fmath.h"
#include <math.h>

const lory_step block_llama[] = {
    { OP_RMS_NORM,   H,  X,  W_ATTN_NORM, 0            },
    { OP_MATMUL,     Q,  H,  W_ATTN_Q,    0            },
    { OP_MATMUL,     K,  H,  W_ATTN_K,    0            },
    { OP_MATMUL,     V,  H,  W_ATTN_V,    0            },
    { OP_HEAD_NORM,  Q,  Q,  W_Q_NORM,    OPT          },
    { OP_HEAD_NORM,  K,  K,  W_K_NORM,    OPT          },
    { OP_ROPE,       Q,  Q,  W_NONE,      0            },
    { OP_ROPE,       K,  K,  W_NONE,      0            },
    { OP_TEMPERATURE, Q, Q,  W_NONE,      0            },
    { OP_ATTEND,     A,  Q,  W_NONE,      0            },
    { OP_MATMUL,     H,  A,  W_ATTN_OUT,  0            },
    { OP_ADD,        X,  H,  W_NONE,      0            },
    { OP_RMS_NORM,   H,  X,  W_FFN_NORM,  0            },
    { OP_MATMUL,     G,  H,  W_FFN_GATE,  DENSE        },
    { OP_MATMUL,     U,  H,  W_FFN_UP,    DENSE        },
    { OP_SILU_MUL,   G,  U,  W_NONE,      DENSE        },
    { OP_MATMUL,     F,  G,  W_FFN_DOWN,  DENSE        },
    { OP_MATMUL,     RT, H,  W_ROUTER,    MOE          },
    { OP_ROUTE,      RT, RT, W_EXP_PROBS, MOE | BARE   },
    { OP_EXPERTS,    EG, H,  W_EXP_GATE,  MOE          },
    { OP_EXPERTS,    EU, H,  W_EXP_UP,    MOE          },
    { OP_SILU_MUL,   EG, EU, W_NONE,      MOE          },
    { OP_EXPERTS,    ED, EG, W_EXP_DOWN,  MOE          },
    { OP_EXPERT_SUM, F,  ED, W_NONE,      MOE          },
    { OP_MATMUL,     SG, H,  W_SH_GATE,   SHARED       },
    { OP_MATMUL,     SU, H,  W_SH_UP,     SHARED       },
    { OP_SILU_MUL,   SG, SU, W_NONE,      SHARED       },
    { OP_MATMUL,     H2, SG, W_SH_DOWN,   SHARED       },
    { OP_MATMUL,     SS, H,  W_SH_ROUTER, SHARED | OPT },
    { OP_GATE,       H2, SS, W_SH_ROUTER, SHARED | OPT },
    { OP_ADD,        F,  H2, W_NONE,      SHARED       },
    { OP_ADD,        X,  F,  W_NONE,      0            }, END };

/* Nanbeige 4.2: the same layers, each time with keys and values of their own. */
static const lory_step block_nanbeige[] = {
    { OP_RMS_NORM, H, X, W_ATTN_NORM, 0     },
    { OP_MATMUL,   Q, H, W_ATTN_Q,    0     },
    { OP_MATMUL,   K, H, W_ATTN_K,    0     },
    { OP_MATMUL,   V, H, W_ATTN_V,    0     },
    { OP_ROPE,     Q, Q, W_NONE,      0     },
    { OP_ROPE,     K, K, W_NONE,      0     },
    { OP_ATTEND,   A, Q, W_NONE,      0     },
    { OP_MATMUL,   H, A, W_ATTN_OUT,  0     },
    { OP_ADD,      X, H, W_NONE,      0     },
    { OP_RMS_NORM, H, X, W_FFN_NORM,  0     },
    { OP_MATMUL,   G, H, W_FFN_GATE,  0     },
    { OP_MATMUL,   U, H, W_FFN_UP,    0     },
    { OP_SILU_MUL, G, U, W_NONE,      0     },
    { OP_MATMUL,   F, G, W_FFN_DOWN,  0     },
    { OP_ADD,      X, F, W_NONE,      0     },
    { OP_RMS_NORM, X, X, W_OUT_NORM,  LOOPS }, END };

/* OLMoE (arXiv:2409.02060), MiniMax-M2: norms over all heads of Q and of K. */
static const lory_step block_olmoe[] = {
    { OP_RMS_NORM,   H,  X,  W_ATTN_NORM,  0          },
    { OP_MATMUL,     Q,  H,  W_ATTN_Q,     0          },
    { OP_MATMUL,     K,  H,  W_ATTN_K,     0          },
    { OP_MATMUL,     V,  H,  W_ATTN_V,     0          },
    { OP_RMS_NORM,   Q,  Q,  W_Q_NORM_ALL, 0          },
    { OP_RMS_NORM,   K,  K,  W_K_NORM_ALL, 0          },
    { OP_CLAMP,      Q,  Q,  W_NONE,       0          },
    { OP_CLAMP,      K,  K,  W_NONE,       0          },
    { OP_CLAMP,      V,  V,  W_NONE,       0          },
    { OP_ROPE,       Q,  Q,  W_NONE,       0          },
    { OP_ROPE,       K,  K,  W_NONE,       0          },
    { OP_ATTEND,     A,  Q,  W_NONE,       0          },
    { OP_MATMUL,     H,  A,  W_ATTN_OUT,   0          },
    { OP_ADD,        X,  H,  W_NONE,       0          },
    { OP_RMS_NORM,   H,  X,  W_FFN_NORM,   0          },
    { OP_MATMUL,     RT, H,  W_ROUTER,     MOE        },
    { OP_ROUTE,      RT, RT, W_EXP_PROBS,  MOE | BARE },
    { OP_EXPERTS,    EG, H,  W_EXP_GATE,   MOE        },
    { OP_EXPERTS,    EU, H,  W_EXP_UP,     MOE        },
    { OP_SILU_MUL,   EG, EU, W_NONE,       MOE        },
    { OP_EXPERTS,    ED, EG, W_EXP_DOWN,   MOE        },
    { OP_EXPERT_SUM, F,  ED, W_NONE,       MOE        },
    { OP_ADD,        X,  F,  W_NONE,       0          }, END };

/* Hunyuan, Maincoder: the heads are normed after they are rotated. */
static const lory_step block_hunyuan[] = {
    { OP_RMS_NORM,   H,  X,  W_ATTN_NORM, 0      },
    { OP_MATMUL,     Q,  H,  W_ATTN_Q,    0      },
    { OP_MATMUL,     K,  H,  W_ATTN_K,    0      },
    { OP_MATMUL,     V,  H,  W_ATTN_V,    0      },
    { OP_ROPE,       Q,  Q,  W_NONE,      0      },
    { OP_ROPE,       K,  K,  W_NONE,      0      },
    { OP_HEAD_NORM,  Q,  Q,  W_Q_NORM,    OPT    },
    { OP_HEAD_NORM,  K,  K,  W_K_NORM,    OPT    },
    { OP_ATTEND,     A,  Q,  W_NONE,      0      },
    { OP_MATMUL,     H,  A,  W_ATTN_OUT,  0      },
    { OP_ADD,        X,  H,  W_NONE,      0      },
    { OP_RMS_NORM,   H,  X,  W_FFN_NORM,  0      },
    { OP_MATMUL,     G,  H,  W_FFN_GATE,  DENSE  },
    { OP_MATMUL,     U,  H,  W_FFN_UP,    DENSE  },
    { OP_SILU_MUL,   G,  U,  W_NONE,      DENSE  },
    { OP_MATMUL,     F,  G,  W_FFN_DOWN,  DENSE  },
    { OP_MATMUL,     RT, H,  W_ROUTER,    MOE    },
    { OP_ROUTE,      RT, RT, W_NONE,      MOE    },
    { OP_EXPERTS,    EG, H,  W_EXP_GATE,  MOE    },
    { OP_EXPERTS,    EU, H,  W_EXP_UP,    MOE    },
    { OP_SILU_MUL,   EG, EU, W_NONE,      MOE    },
    { OP_EXPERTS,    ED, EG, W_EXP_DOWN,  MOE    },
    { OP_EXPERT_SUM, F,  ED, W_NONE,      MOE    },
    { OP_MATMUL,     SG, H,  W_SH_GATE,   SHARED },
    { OP_MATMUL,     SU, H,  W_SH_UP,     SHARED },
    { OP_SILU_MUL,   SG, SU, W_NONE,      SHARED },
    { OP_MATMUL,     H2, SG, W_SH_DOWN,   SHARED },
    { OP_ADD,        F,  H2, W_NONE,      SHARED },
    { OP_ADD,        X,  F,  W_NONE,      0      }, END };

/* SmolLM3 rotates in three of four layers. */
static void preset_smollm3(hparams *hp)
{
    hparams_set_nope(hp, 3, 4);
}

/* The text parts of models that see: positions have three dimensions, which are one in text, and
 * what images add to the first layers is nothing there. So these keys count as read. */
static bool adapt_qwen_vl(hparams *hp, const gguf *g, lory_err *err)
{
    static const char *const keys[] = { "qwen2vl.rope.dimension_sections",
                                        "qwen3vl.rope.dimension_sections",
                                        "qwen3vl.n_deepstack_layers",
                                        "qwen3vlmoe.rope.dimension_sections",
                                        "qwen3vlmoe.n_deepstack_layers" };
    (void)hp, (void)err;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) (void)gguf_find(g, keys[i]);
    return true;
}

/* The key counts gate and up together. */
static bool adapt_qwen(hparams *hp, const gguf *g, lory_err *err)
{
    if (hp->n_ff % 2 != 0)
        return err_set(err, LORY_E_FORMAT, "%s: qwen.feed_forward_length is %d (expected an even "
                       "number)", gguf_path(g), hp->n_ff);
    hp->n_ff /= 2;
    return true;
}

static bool adapt_nanbeige(hparams *hp, const gguf *g, lory_err *err)
{
    uint64_t n_loop = 1;
    bool skips = false;
    const int n_layer = hp->n_layer;
    if (!gguf_get_uint(g, "nanbeige.num_loops", HPARAMS_MAX_LAYER, &n_loop, err)
        || !gguf_get_bool(g, "nanbeige.skip_loop_final_norm", &skips, err))
        return false;
    if (n_loop < 1 || (int64_t)n_loop * n_layer > HPARAMS_MAX_LAYER)
        return err_set(err, LORY_E_FORMAT, "%s: nanbeige.num_loops is %d (expected 1 to %d)",
                       gguf_path(g), (int)n_loop, HPARAMS_MAX_LAYER / n_layer);
    hp->n_loop = (int)n_loop;
    hp->has_loop_norm = !skips;
    hp->n_layer = hp->n_kv_layer = n_layer * (int)n_loop;
    for (int il = n_layer; il < hp->n_layer; il++) hp->layer[il] = hp->layer[il - n_layer];
    return true;
}

/* The key holds what the logits are divided by. */
static bool granite_adapt(hparams *hp, const gguf *g, lory_err *err)
{
    (void)g, (void)err;
    hp->logit_scale = 1.0f / hp->logit_scale;
    return true;
}

/* Files of before the keys are of the first models, whose numbers they do not hold. */
static bool minicpm_adapt(hparams *hp, const gguf *g, lory_err *err)
{
    if (!gguf_find(g, "minicpm.embedding_scale")) hp->embd_scale = 12.0f;
    if (!gguf_find(g, "minicpm.residual_scale"))
        hp->residual_scale = (float)(1.4 / sqrt((double)hp->n_layer));
    if (!gguf_find(g, "minicpm.logit_scale")) hp->logit_scale = (float)(hp->n_embd / 256.0);
    return granite_adapt(hp, g, err);
}

/* Ministral 3: YaRN without its magnitude; queries grow with the multiples of the original context
 * that a position has behind it. */
static bool mistral3_adapt(hparams *hp, const gguf *g, lory_err *err)
{
    float log_mul = 0.0f; /* was for the magnitude, which with it is 1 */
    hp->temp_length = hp->rope_n_ctx_orig;
    if (hp->rope_scaling == ROPE_SCALE_YARN)
        hp->rope_attn_factor = (float)(1.0 / (1.0 + 0.1 * math_log((double)hp->rope_factor)));
    return gguf_get_f32(g, "mistral3.attention.temperature_scale", &hp->temp_scale, err)
           && gguf_get_f32(g, "mistral3.rope.scaling.yarn_log_multiplier", &log_mul, err);
}

/* ALiBi, which files are silent about. */
static bool refact_adapt(hparams *hp, const gguf *g, lory_err *err)
{
    (void)g, (void)err;
    hp->max_alibi_bias = 8.0f;
    hp->n_rot = 0;
    return true;
}

static bool bailingmoe2_adapt(hparams *hp, const gguf *g, lory_err *err)
{
    return hparams_leave_predictors(hp, g, "bailingmoe2.nextn_predict_layers", err);
}

/* The 7B model rotates, the 13B one has ALiBi. A file that does not say which has one of their
 * depths. */
static bool baichuan_adapt(hparams *hp, const gguf *g, lory_err *err)
{
    bool has_key = gguf_find(g, "baichuan.attention.max_alibi_bias") != NULL;
    if (!has_key && hp->n_layer != 32 && hp->n_layer != 40)
        return err_set(err, LORY_E_UNSUPPORTED,
                       "%s: baichuan.attention.max_alibi_bias is missing, and %d layers (expected "
                       "32 or 40) don't tell ALiBi from rotary positions",
                       gguf_path(g), hp->n_layer);
    if (!has_key && hp->n_layer == 40) hp->max_alibi_bias = 8.0f;
    if (hp->max_alibi_bias > 0.0f) hp->n_rot = 0;
    return true;
}

/* Hunyuan 3. A file that does not say how many first layers have no experts has one such. */
static bool adapt_hy_v3(hparams *hp, const gguf *g, lory_err *err)
{
    if (!gguf_find(g, "hy_v3.leading_dense_block_count")) hp->n_dense_lead = 1;
    return hparams_leave_predictors(hp, g, "hy_v3.nextn_predict_layers", err);
}

const lory_arch arch_llama = { "llama", embed_tokens, block_llama, head_rms, false,
                               preset_normalised, NULL, NULL };
const lory_arch arch_qwen2 = { "qwen2", embed_tokens, block_llama, head_rms, true,
                               NULL, NULL, NULL };
const lory_arch arch_qwen3 = { "qwen3", embed_tokens, block_llama, head_rms, true,
                               NULL, NULL, NULL };
const lory_arch arch_qwen2vl = { "qwen2vl", embed_tokens, block_llama, head_rms, true,
                                 NULL, adapt_qwen_vl, NULL };
const lory_arch arch_qwen3vl = { "qwen3vl", embed_tokens, block_llama, head_rms, true,
                                 NULL, adapt_qwen_vl, NULL };
const lory_arch arch_qwen2moe = { "qwen2moe", embed_tokens, block_llama, head_rms, true,
                                  NULL, NULL, NULL };
const lory_arch arch_qwen3moe = { "qwen3moe", embed_tokens, block_llama, head_rms, true,
                                  preset_normalised, NULL, NULL };
const lory_arch arch_nanbeige = { "nanbeige", embed_tokens, block_nanbeige, head_rms, false,
                                  NULL, adapt_nanbeige, NULL };
const lory_arch arch_granite = { "granite", embed_tokens, block_llama, head_rms, false,
                                 NULL, granite_adapt, NULL };
const lory_arch arch_granitemoe = { "granitemoe", embed_tokens, block_llama, head_rms, false,
                                    preset_normalised, granite_adapt, NULL };
const lory_arch arch_baichuan = { "baichuan", embed_tokens, block_llama, head_rms, false,
                                  NULL, baichuan_adapt, NULL };
const lory_arch arch_mistral3 = { "mistral3", embed_tokens, block_llama, head_rms, false,
                                  NULL, mistral3_adapt, NULL };
const lory_arch arch_qwen3vlmoe = { "qwen3vlmoe", embed_tokens, block_llama, head_rms, true,
                                    preset_normalised, adapt_qwen_vl, NULL };
const lory_arch arch_refact = { "refact", embed_tokens, block_llama, head_rms, false,
                                NULL, refact_adapt, NULL };
const lory_arch arch_ernie4_5moe = { "ernie4_5-moe", embed_tokens, block_llama, head_rms, false,
                                     preset_normalised, NULL, NULL };
const lory_arch arch_bailingmoe = { "bailingmoe", embed_tokens, block_llama, head_rms, false,
                                    NULL, NULL, NULL };
const lory_arch arch_bailingmoe2 = { "bailingmoe2", embed_tokens, block_llama, head_rms, true,
                                     NULL, bailingmoe2_adapt, NULL };
const lory_arch arch_hy_v3 = { "hy_v3", embed_tokens, block_llama, head_rms, true,
                               preset_sigmoid, adapt_hy_v3, NULL };
const lory_arch arch_maincoder = { "maincoder", embed_tokens, block_hunyuan, head_rms, false,
                                   NULL, NULL, NULL };
const lory_arch arch_hunyuanmoe = { "hunyuan-moe", embed_tokens, block_hunyuan, head_rms, true,
                                    preset_normalised, NULL, NULL };
const lory_arch arch_pangu = { "pangu-embedded", embed_tokens, block_llama, head_rms, true,
                               NULL, NULL, NULL };
const lory_arch arch_minimaxm2 = { "minimax-m2", embed_tokens, block_olmoe, head_rms, true,
                                   preset_normalised, NULL, NULL };
const lory_arch arch_minicpm = { "minicpm", embed_tokens, block_llama, head_rms, false,
                                 NULL, minicpm_adapt, NULL };
const lory_arch arch_deepseek = { "deepseek", embed_tokens, block_llama, head_rms, false,
                                  NULL, NULL, NULL };
const lory_arch arch_dots1 = { "dots1", embed_tokens, block_llama, head_rms, true,
                               NULL, NULL, NULL };
const lory_arch arch_ernie4_5 = { "ernie4_5", embed_tokens, block_llama, head_rms, false,
                                  NULL, NULL, NULL };
const lory_arch arch_exaone = { "exaone", embed_tokens, block_llama, head_rms, true,
                                NULL, NULL, NULL };
const lory_arch arch_hunyuan = { "hunyuan-dense", embed_tokens, block_hunyuan, head_rms, true,
                                 NULL, NULL, NULL };
const lory_arch arch_internlm2 = { "internlm2", embed_tokens, block_llama, head_rms, false,
                                   NULL, NULL, NULL };
const lory_arch arch_olmoe = { "olmoe", embed_tokens, block_olmoe, head_rms, true,
                               NULL, NULL, NULL };
const lory_arch arch_qwen = { "qwen", embed_tokens, block_llama, head_rms, true,
                              NULL, adapt_qwen, NULL };
const lory_arch arch_smollm3 = { "smollm3", embed_tokens, block_llama, head_rms, false,
                                 preset_smollm3, NULL, NULL };
const lory_arch arch_xverse = { "xverse", embed_tokens, block_llama, head_rms, false,
                                NULL, NULL, NULL };
/* One tensor holds Q, K and V, another gate and up; both are bound as views. */
const lory_arch arch_phi3 = { "phi3", embed_tokens, block_llama, head_rms, true,
                              NULL, NULL, NULL };
const lory_arch arch_chatglm = { "chatglm", embed_tokens, block_llama, head_rms, false,
                                 NULL, NULL, NULL };
