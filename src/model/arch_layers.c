/* arch_layers.c - families whose layers are not all of one size. OpenELM (Mehta et al. 2024,
 * arXiv:2404.14619): more heads and wider networks layer by layer. DeciLM and Llama-Nemotron
 * (Bercovich et al. 2024, arXiv:2411.19146), what a search left of LLaMA: layers without
 * attention, or one product in its place, or without a feed-forward network. */
#include "base/err.h"
#include "model/arch.h"

static const lory_step block_deci[] = {
    { OP_RMS_NORM, H,  X,  W_ATTN_NORM, ATTENDS },
    { OP_MATMUL,   Q,  H,  W_ATTN_Q,    ATTENDS },
    { OP_MATMUL,   K,  H,  W_ATTN_K,    ATTENDS },
    { OP_MATMUL,   V,  H,  W_ATTN_V,    ATTENDS },
    { OP_ROPE,     Q,  Q,  W_NONE,      ATTENDS },
    { OP_ROPE,     K,  K,  W_NONE,      ATTENDS },
    { OP_ATTEND,   A,  Q,  W_NONE,      ATTENDS },
    { OP_MATMUL,   H,  A,  W_ATTN_OUT,  ATTENDS },
    { OP_ADD,      X,  H,  W_NONE,      ATTENDS },
    { OP_RMS_NORM, H,  X,  W_ATTN_NORM, KEYLESS },
    { OP_MATMUL,   H2, H,  W_ATTN_OUT,  KEYLESS },
    { OP_ADD,      X,  H2, W_NONE,      KEYLESS },
    { OP_RMS_NORM, H,  X,  W_FFN_NORM,  FEEDS   },
    { OP_MATMUL,   G,  H,  W_FFN_GATE,  FEEDS   },
    { OP_MATMUL,   U,  H,  W_FFN_UP,    FEEDS   },
    { OP_SILU_MUL, G,  U,  W_NONE,      FEEDS   },
    { OP_MATMUL,   F,  G,  W_FFN_DOWN,  FEEDS   },
    { OP_ADD,      X,  F,  W_NONE,      FEEDS   }, END };

/* The product in place of attention reads what the attention's last product would, so it must be as
 * long as X. */
static bool adapt_deci(hparams *hp, const gguf *g, lory_err *err)
{
    for (int il = 0; il < hp->n_layer; il++) {
        const hparams_layer *l = &hp->layer[il];
        int n_head = l->n_head ? l->n_head : hp->n_head;
        if (l->n_kv_head == HPARAMS_NO && n_head > 0
            && (int64_t)n_head * hp->value_dim != hp->n_embd)
            return err_set(err, LORY_E_FORMAT,
                           "%s: layer %d has no keys, and %d heads of length %d beside an "
                           "embedding of length %d",
                           gguf_path(g), il, n_head, hp->value_dim, hp->n_embd);
    }
    return true;
}

const lory_arch arch_openelm = { "openelm", embed_tokens, block_llama, head_rms, true,
                                 NULL, NULL, NULL };
const lory_arch arch_deci = { "deci", embed_tokens, block_deci, head_rms, false,
                              NULL, adapt_deci, NULL };
