/* arch_chameleon.c - Chameleon (Meta 2024, arXiv:2405.09818), its text: LLaMA with layer norms on
 * the heads of Q and K; in the larger model the other norms come after the sub-layers. The tokens
 * that stand for images are not predicted. */
#include "base/err.h"
#include "model/arch.h"
#include <math.h>
#include <string.h>

static const lory_step block_chameleon[] = {
    { OP_RMS_NORM,        H, X, W_ATTN_NORM,    0 },
    { OP_MATMUL,          Q, H, W_ATTN_Q,       0 },
    { OP_MATMUL,          K, H, W_ATTN_K,       0 },
    { OP_MATMUL,          V, H, W_ATTN_V,       0 },
    { OP_HEAD_LAYER_NORM, Q, Q, W_Q_NORM_HEADS, 0 },
    { OP_HEAD_LAYER_NORM, K, K, W_K_NORM_HEADS, 0 },
    { OP_ROPE,            Q, Q, W_NONE,         0 },
    { OP_ROPE,            K, K, W_NONE,         0 },
    { OP_ATTEND,          A, Q, W_NONE,         0 },
    { OP_MATMUL,          H, A, W_ATTN_OUT,     0 },
    { OP_ADD,             X, H, W_NONE,         0 },
    { OP_RMS_NORM,        H, X, W_FFN_NORM,     0 },
    { OP_MATMUL,          G, H, W_FFN_GATE,     0 },
    { OP_MATMUL,          U, H, W_FFN_UP,       0 },
    { OP_SILU_MUL,        G, U, W_NONE,         0 },
    { OP_MATMUL,          F, G, W_FFN_DOWN,     0 },
    { OP_ADD,             X, F, W_NONE,         0 }, END };

static const lory_step block_swin[] = {
    { OP_MATMUL,          Q, X, W_ATTN_Q,       0 },
    { OP_MATMUL,          K, X, W_ATTN_K,       0 },
    { OP_MATMUL,          V, X, W_ATTN_V,       0 },
    { OP_HEAD_LAYER_NORM, Q, Q, W_Q_NORM_HEADS, 0 },
    { OP_HEAD_LAYER_NORM, K, K, W_K_NORM_HEADS, 0 },
    { OP_ROPE,            Q, Q, W_NONE,         0 },
    { OP_ROPE,            K, K, W_NONE,         0 },
    { OP_ATTEND,          A, Q, W_NONE,         0 },
    { OP_MATMUL,          H, A, W_ATTN_OUT,     0 },
    { OP_RMS_NORM,        H, H, W_ATTN_NORM,    0 },
    { OP_ADD,             X, H, W_NONE,         0 },
    { OP_MATMUL,          G, X, W_FFN_GATE,     0 },
    { OP_MATMUL,          U, X, W_FFN_UP,       0 },
    { OP_SILU_MUL,        G, U, W_NONE,         0 },
    { OP_MATMUL,          F, G, W_FFN_DOWN,     0 },
    { OP_RMS_NORM,        F, F, W_FFN_NORM,     0 },
    { OP_ADD,             X, F, W_NONE,         0 }, END };

static const lory_step head_hiding[] = {
    { OP_RMS_NORM, H,      X,      W_OUT_NORM, 0 },
    { OP_MATMUL,   LOGITS, H,      W_OUTPUT,   0 },
    { OP_HIDE,     LOGITS, LOGITS, W_NONE,     0 }, END };

/* Parts of images are the tokens "IMGIMG...", which follow each other. */
static bool find_images(hparams *hp, const gguf *g, lory_err *err)
{
    static const char start[] = "IMGIMG";
    const size_t n = sizeof start - 1;
    const gguf_kv *tokens;
    gguf_str s;
    int id = 0, first = 0, end = 0, n_found = 0;
    if (!gguf_get_array(g, "tokenizer.ggml.tokens", GGUF_STR, &tokens, err)) return false;
    if (!tokens || tokens->n > (uint64_t)hp->n_vocab) return true; /* refused elsewhere */
    for (gguf_str_iter it = gguf_strings(tokens); gguf_next(&it, &s); id++) {
        if (s.n < n || memcmp(s.s, start, n) != 0) continue;
        if (n_found++ == 0) first = id;
        end = id + 1;
    }
    if (end - first != n_found)
        return err_set(err, LORY_E_UNSUPPORTED,
                       "%s: tokens of images that do not follow each other are not known",
                       gguf_path(g));
    hp->hidden_first = first;
    hp->hidden_end = end;
    return true;
}

/* The heads' norms have an epsilon of their own. */
static bool adapt_chameleon(hparams *hp, const gguf *g, lory_err *err)
{
    if (fabs((double)hp->norm_eps - 1e-5) > 1e-9)
        return err_set(err, LORY_E_UNSUPPORTED,
                       "%s: norms with an epsilon of %g are not known of chameleon", gguf_path(g),
                       (double)hp->norm_eps);
    return gguf_get_bool(g, "chameleon.swin_norm", &hp->is_parallel, err)
           && find_images(hp, g, err);
}

const lory_arch arch_chameleon = { "chameleon", embed_tokens, block_chameleon, head_hiding, false,
                                   NULL, adapt_chameleon, block_swin };
