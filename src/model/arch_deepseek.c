/* arch_deepseek.c - DeepSeek-V2 (arXiv:2405.04434), V3 (arXiv:2412.19437), V3.2 (arXiv:2512.02556),
 * GLM-4.7-Flash, GLM-5, Kimi-K2, MiniCPM3, PLM, Mistral Small 4: keys and values come out of one
 * latent per token, queries out of another one or not; experts after the first layers. Where a file
 * has the latents' products by head, they are moved to queries and outputs, so that attention is
 * over the latents themselves, and they alone are cached. */
#include "model/arch.h"
#include "base/err.h"
#include "base/fmath.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static const lory_step block[] = {
    { OP_RMS_NORM,   H,   X,   W_ATTN_NORM, 0          },
    { OP_MATMUL,     QA,  H,   W_Q_A,       OPT        },
    { OP_RMS_NORM,   QA,  QA,  W_Q_A_NORM,  OPT        },
    { OP_MATMUL,     Q,   QA,  W_Q_B,       OPT        },
    { OP_MATMUL,     Q,   H,   W_ATTN_Q,    OPT        },
    { OP_MATMUL,     KVA, H,   W_KV_A,      0          },
    { OP_RMS_NORM,   KVN, KVA, W_KV_A_NORM, 0          },
    { OP_MATMUL,     KVB, KVN, W_KV_B,      JOINED     },
    { OP_MLA_KV,     K,   KVB, W_NONE,      JOINED     },
    { OP_MLA_LATENT, K,   KVN, W_NONE,      LATENT     },
    { OP_ROPE,       Q,   Q,   W_NONE,      0          },
    { OP_ROPE,       K,   K,   W_NONE,      0          },
    { OP_TEMPERATURE, Q,  Q,   W_NONE,      0          },
    { OP_ATTEND,     A,   Q,   W_NONE,      JOINED     },
    { OP_HEAD_MATMUL, QL, Q,   W_K_B,       LATENT     },
    { OP_ATTEND,     AL,  QL,  W_NONE,      LATENT     },
    { OP_HEAD_MATMUL, A,  AL,  W_V_B,       LATENT     },
    { OP_MATMUL,     H,   A,   W_ATTN_OUT,  0          },
    { OP_ADD,        X,   H,   W_NONE,      0          },
    { OP_RMS_NORM,   H,   X,   W_FFN_NORM,  0          },
    { OP_MATMUL,     G,   H,   W_FFN_GATE,  DENSE      },
    { OP_MATMUL,     U,   H,   W_FFN_UP,    DENSE      },
    { OP_SILU_MUL,   G,   U,   W_NONE,      DENSE      },
    { OP_MATMUL,     F,   G,   W_FFN_DOWN,  DENSE      },
    { OP_MATMUL,     RT,  H,   W_ROUTER,    MOE        },
    { OP_ROUTE,      RT,  RT,  W_EXP_PROBS, MOE | BARE },
    { OP_EXPERTS,    EG,  H,   W_EXP_GATE,  MOE        },
    { OP_EXPERTS,    EU,  H,   W_EXP_UP,    MOE        },
    { OP_SILU_MUL,   EG,  EU,  W_NONE,      MOE        },
    { OP_EXPERTS,    ED,  EG,  W_EXP_DOWN,  MOE        },
    { OP_EXPERT_SUM, F,   ED,  W_NONE,      MOE        },
    { OP_MATMUL,     SG,  H,   W_SH_GATE,   SHARED     },
    { OP_MATMUL,     SU,  H,   W_SH_UP,     SHARED     },
    { OP_SILU_MUL,   SG,  SU,  W_NONE,      SHARED     },
    { OP_MATMUL,     H2,  SG,  W_SH_DOWN,   SHARED     },
    { OP_ADD,        F,   H2,  W_NONE,      SHARED     },
    { OP_ADD,        X,   F,   W_NONE,      0          }, END };

/* PLM (arXiv:2503.12167): a squared ReLU, as its small size has it. */
static const lory_step block_plm[] = {
    { OP_RMS_NORM, H,   X,   W_ATTN_NORM, 0 },
    { OP_MATMUL,   Q,   H,   W_ATTN_Q,    0 },
    { OP_MATMUL,   KVA, H,   W_KV_A,      0 },
    { OP_RMS_NORM, KVN, KVA, W_KV_A_NORM, 0 },
    { OP_MATMUL,   KVB, KVN, W_KV_B,      0 },
    { OP_MLA_KV,   K,   KVB, W_NONE,      0 },
    { OP_ROPE,     Q,   Q,   W_NONE,      0 },
    { OP_ROPE,     K,   K,   W_NONE,      0 },
    { OP_ATTEND,   A,   Q,   W_NONE,      0 },
    { OP_MATMUL,   H,   A,   W_ATTN_OUT,  0 },
    { OP_ADD,      X,   H,   W_NONE,      0 },
    { OP_RMS_NORM, H,   X,   W_FFN_NORM,  0 },
    { OP_MATMUL,   U,   H,   W_FFN_UP,    0 },
    { OP_RELU_SQR, U,   U,   W_NONE,      0 },
    { OP_MATMUL,   F,   U,   W_FFN_DOWN,  0 },
    { OP_ADD,      X,   F,   W_NONE,      0 }, END };

/* Mistral Large 3, which is of this architecture, and Mistral Small 4: queries grow with the
 * multiples of the original context that a position has behind it. */
static bool read_temperature(hparams *hp, const gguf *g, const char *arch, lory_err *err)
{
    char key[64];
    uint64_t length = (uint64_t)hp->rope_n_ctx_orig;
    snprintf(key, sizeof key, "%s.attention.temperature_scale", arch);
    if (!gguf_get_f32(g, key, &hp->temp_scale, err)) return false;
    snprintf(key, sizeof key, "%s.attention.temperature_length", arch);
    if (!gguf_get_uint(g, key, 1 << 30, &length, err)) return false;
    if (length > 0) hp->temp_length = (int)length;
    return true;
}

/* With YaRN the attention's scores grow, not the rotated values. */
static void adapt_yarn(hparams *hp, const gguf *g)
{
    hparams_use_latents(hp, g);
    if (hp->rope_scaling != ROPE_SCALE_YARN) return;
    double log_factor = math_log((double)hp->rope_factor);
    double growth = hp->rope_attn_factor * (1.0 + hp->yarn_log_mul * log_factor);
    hp->attn_scale = (float)(hp->attn_scale * growth * growth);
    hp->rope_attn_factor = (float)(1.0 / (1.0 + 0.1 * log_factor));
}

/* Whether some layer has a bias for the choice of experts, as only scores by sigmoid have. */
static bool has_choice_bias(const hparams *hp, const gguf *g)
{
    char name[64];
    snprintf(name, sizeof name, "blk.%d.exp_probs_b.bias", hp->n_dense_lead);
    return gguf_find_tensor(g, name) != NULL;
}

/* Files of GLM-4.7-Flash don't say how experts are scored. */
static bool adapt(hparams *hp, const gguf *g, lory_err *err)
{
    if (!gguf_find(g, "deepseek2.expert_gating_func") && has_choice_bias(hp, g))
        hp->expert_gating = GATING_SIGMOID;
    adapt_yarn(hp, g);
    return hparams_leave_predictors(hp, g, "deepseek2.nextn_predict_layers", err)
           && read_temperature(hp, g, "deepseek2", err);
}

static bool adapt_mistral4(hparams *hp, const gguf *g, lory_err *err)
{
    adapt_yarn(hp, g);
    return read_temperature(hp, g, "mistral4", err);
}

/* Files may leave out what its one size has. */
static void preset_mistral4(hparams *hp)
{
    hp->temp_scale = 0.1f;
    hp->expert_weights_norm = true;
}

/* Looks for all keys that begin so: they count as read. */
static void pass_over(const gguf *g, const char *start)
{
    size_t n = strlen(start);
    for (size_t i = 0; i < g->n_kv; i++) {
        gguf_str name = g->kv[i].key;
        char key[128];
        if (name.n < n || name.n >= sizeof key || memcmp(name.s, start, n) != 0) continue;
        memcpy(key, name.s, name.n);
        key[name.n] = '\0';
        (void)gguf_find(g, key);
    }
}

/* DeepSeek-V3.2, GLM-5: beyond so many positions an indexer chooses those that attention sees, up
 * to which it sees all. What the file has of it is passed over, and longer texts are refused. */
static bool adapt_indexed(hparams *hp, const gguf *g, const char *arch, lory_err *err)
{
    uint64_t most = 2048;
    char key[64];
    snprintf(key, sizeof key, "%s.attention.indexer.", arch);
    pass_over(g, key);
    snprintf(key, sizeof key, "%s.attention.indexer.top_k", arch);
    if (!gguf_get_uint(g, key, INT32_MAX, &most, err)) return false;
    if (most < 1) return err_set(err, LORY_E_FORMAT, "%s: %s is 0", gguf_path(g), key);
    hparams_limit_context(hp, (int)most);
    adapt_yarn(hp, g);
    snprintf(key, sizeof key, "%s.nextn_predict_layers", arch);
    return hparams_leave_predictors(hp, g, key, err);
}

static bool adapt_glm_dsa(hparams *hp, const gguf *g, lory_err *err)
{
    return adapt_indexed(hp, g, "glm-dsa", err);
}

static bool adapt_deepseek32(hparams *hp, const gguf *g, lory_err *err)
{
    return adapt_indexed(hp, g, "deepseek32", err);
}

/* MiniCPM3 scales as the first MiniCPM does, by numbers that files do not hold. Nor do they hold
 * its values' length, which is that of a head of n_embd. */
static bool adapt_minicpm3(hparams *hp, const gguf *g, lory_err *err)
{
    if (!gguf_find(g, "minicpm3.attention.value_length")) hp->value_dim = hp->n_embd / hp->n_head;
    if (hp->value_dim < 1 || hp->value_dim > hp->head_dim)
        return err_set(err, LORY_E_UNSUPPORTED,
                       "%s: minicpm3 with keys of length %d and values of length %d is not known",
                       gguf_path(g), hp->head_dim, hp->value_dim);
    if (!gguf_find(g, "minicpm3.embedding_scale")) hp->embd_scale = 12.0f;
    if (!gguf_find(g, "minicpm3.residual_scale"))
        hp->residual_scale = (float)(1.4 / sqrt((double)hp->n_layer));
    hp->logit_scale = gguf_find(g, "minicpm3.logit_scale") ? 1.0f / hp->logit_scale
                                                           : 256.0f / (float)hp->n_embd;
    return true;
}

const lory_arch arch_plm = { "plm", embed_tokens, block_plm, head_rms, false, NULL, NULL, NULL };
const lory_arch arch_minicpm3 = { "minicpm3", embed_tokens, block, head_rms, true,
                                  NULL, adapt_minicpm3, NULL };
const lory_arch arch_mistral4 = { "mistral4", embed_tokens, block, head_rms, false,
                                  preset_mistral4, adapt_mistral4, NULL };
const lory_arch arch_deepseek2 = { "deepseek2", embed_tokens, block, head_rms, false,
                                   NULL, adapt, NULL };
const lory_arch arch_deepseek32 = { "deepseek32", embed_tokens, block, head_rms, false,
                                    preset_sigmoid, adapt_deepseek32, NULL };
const lory_arch arch_glm_dsa = { "glm-dsa", embed_tokens, block, head_rms, false,
                                 preset_sigmoid, adapt_glm_dsa, NULL };
