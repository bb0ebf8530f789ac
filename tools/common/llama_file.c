/* llama_file.c - see llama_file.h. */
#include "llama_file.h"
#include <stdio.h>
#include <string.h>

void llama_put_keys(gguf_writer *w, const llama_shape *s)
{
    gguf_put_u32(w, "llama.context_length", (uint32_t)s->n_ctx);
    gguf_put_u32(w, "llama.embedding_length", (uint32_t)s->n_embd);
    gguf_put_u32(w, "llama.block_count", (uint32_t)s->n_layer);
    gguf_put_u32(w, "llama.feed_forward_length", (uint32_t)s->n_ff);
    gguf_put_u32(w, "llama.attention.head_count", (uint32_t)s->n_head);
    gguf_put_u32(w, "llama.attention.head_count_kv", (uint32_t)s->n_kv_head);
    gguf_put_f32(w, "llama.attention.layer_norm_rms_epsilon", s->norm_eps);
    gguf_put_u32(w, "llama.rope.dimension_count", (uint32_t)(s->n_embd / s->n_head));
    gguf_put_f32(w, "llama.rope.freq_base", s->rope_theta);
    gguf_put_u32(w, "llama.vocab_size", (uint32_t)s->n_vocab);
}

bool llama_tensor_at(const llama_shape *s, int i, llama_tensor *t)
{
    int d = s->n_embd, n_kv = d / s->n_head * s->n_kv_head,
        n_in_layers = s->n_layer * LLAMA_A_LAYER;
    const struct {
        const char *name;
        int n_rows, n_cols;
    } of_layer[LLAMA_A_LAYER] = {
        [LLAMA_ATTN_NORM] = { "attn_norm", 0, d }, [LLAMA_Q] = { "attn_q", d, d },
        [LLAMA_K] = { "attn_k", n_kv, d },         [LLAMA_V] = { "attn_v", n_kv, d },
        [LLAMA_OUT] = { "attn_output", d, d },     [LLAMA_FFN_NORM] = { "ffn_norm", 0, d },
        [LLAMA_GATE] = { "ffn_gate", s->n_ff, d }, [LLAMA_UP] = { "ffn_up", s->n_ff, d },
        [LLAMA_DOWN] = { "ffn_down", d, s->n_ff },
    }, *part = &of_layer[i > 0 ? (i - 1) % LLAMA_A_LAYER : 0];
    if (i < 0 || i > n_in_layers + 1) return false;
    if (i == 0) {
        *t = (llama_tensor){ "token_embd.weight", s->n_vocab, d, 0 };
    } else if (i > n_in_layers) {
        *t = (llama_tensor){ "output_norm.weight", 0, d, 0 };
    } else {
        *t = (llama_tensor){ .n_rows = part->n_rows, .n_cols = part->n_cols };
        snprintf(t->name, sizeof t->name, "blk.%d.%s.weight", (i - 1) / LLAMA_A_LAYER, part->name);
    }
    t->n = (size_t)t->n_cols * (size_t)(t->n_rows ? t->n_rows : 1);
    return true;
}

void llama_add_tensor(gguf_writer *w, const llama_tensor *t, qtype type)
{
    const int64_t ne[2] = { t->n_cols, t->n_rows };
    gguf_add_tensor(w, (gguf_str){ t->name, strlen(t->name) }, type, t->n_rows ? 2 : 1, ne);
}
