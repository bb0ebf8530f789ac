/* arch_chatglm1.c - ChatGLM-6B (GLM: Du et al. 2022, arXiv:2103.10360): a prefix whose tokens see
 * each other, positions in two dimensions, sub-layers that replace the residual stream by their
 * normed input times alpha (Wang et al. 2022, arXiv:2203.00555). */
#include "base/err.h"
#include "model/arch.h"
#include <limits.h>
#include <math.h>

static const lory_step block[] = {
    { OP_LAYER_NORM, H, X, W_ATTN_NORM, 0 },
    { OP_MATMUL,     Q, H, W_ATTN_Q,    0 },
    { OP_MATMUL,     K, H, W_ATTN_K,    0 },
    { OP_MATMUL,     V, H, W_ATTN_V,    0 },
    { OP_ROPE,       Q, Q, W_NONE,      0 },
    { OP_ROPE,       K, K, W_NONE,      0 },
    { OP_ATTEND,     A, Q, W_NONE,      0 },
    { OP_RESTART,    X, H, W_NONE,      0 },
    { OP_MATMUL,     F, A, W_ATTN_OUT,  0 },
    { OP_ADD,        X, F, W_NONE,      0 },
    { OP_LAYER_NORM, H, X, W_FFN_NORM,  0 },
    { OP_MATMUL,     U, H, W_FFN_UP,    0 },
    { OP_GELU,       U, U, W_NONE,      0 },
    { OP_RESTART,    X, H, W_NONE,      0 },
    { OP_MATMUL,     F, U, W_FFN_DOWN,  0 },
    { OP_ADD,        X, F, W_NONE,      0 }, END };

static bool read_token(const gguf *g, const char *key, int *id, lory_err *err)
{
    uint64_t value = 0;
    if (!gguf_find(g, key))
        return err_set(err, LORY_E_FORMAT, "%s: %s is missing", gguf_path(g), key);
    if (!gguf_get_uint(g, key, INT_MAX, &value, err)) return false;
    *id = (int)value;
    return true;
}

/* The first half of a head is rotated by the position, the second by the position in the answer;
 * the frequencies are those of the checkpoint, which has them in 16 bits. */
static bool adapt(hparams *hp, const gguf *g, lory_err *err)
{
    if (hp->head_dim % 4 != 0)
        return err_set(err, LORY_E_FORMAT, "%s: heads of %d values are not two rotated halves",
                       gguf_path(g), hp->head_dim);
    hp->n_rot = hp->head_dim / 2;
    hp->rope_2d = hp->rope_half = hp->has_prefix = true;
    hp->restart_scale = (float)sqrt(2.0 * hp->n_layer);
    return read_token(g, "chatglm1.bos_token_id", &hp->prefix_end_id, err)
           && read_token(g, "chatglm1.gmask_token_id", &hp->gmask_id, err)
           && read_token(g, "chatglm1.mask_token_id", &hp->mask_id, err);
}

const lory_arch arch_chatglm1 = { "chatglm1", embed_tokens, block, head_layer, true,
                                  NULL, adapt, NULL };
