/* family_rows_recurrent.c - see family_rows.h: tensors of models with recurrent layers.
 * Sources: the modeling files of the transformers library for the left sides, gguf-py's tensor
 * names for the right ones. */
#include "convert/family_rows.h"

/* clang-format off */
const hf_row rows_lfm2[] = {
    ROW("model.embed_tokens", "token_embd"),
    ROW("model.embedding_norm", "token_embd_norm"), /* which is the last norm, in all files */
    ROW("lm_head", "output"),
    ROW(LAYER "operator_norm", BLK "attn_norm"),
    ROW(LAYER "conv.in_proj", BLK "shortconv.in_proj"),
    { .from = LAYER "conv.conv", .to = BLK "shortconv.conv", .change = HF_FLATTEN },
    ROW(LAYER "conv.out_proj", BLK "shortconv.out_proj"),
    ROW(LAYER "self_attn.q_proj", BLK "attn_q"),
    ROW(LAYER "self_attn.k_proj", BLK "attn_k"),
    ROW(LAYER "self_attn.v_proj", BLK "attn_v"),
    ROW(LAYER "self_attn.out_proj", BLK "attn_output"),
    ROW(LAYER "self_attn.q_layernorm", BLK "attn_q_norm"),
    ROW(LAYER "self_attn.k_layernorm", BLK "attn_k_norm"),
    ROW(LAYER "ffn_norm", BLK "ffn_norm"),
    ROW(LAYER "feed_forward.w1", BLK "ffn_gate"),
    ROW(LAYER "feed_forward.w3", BLK "ffn_up"),
    ROW(LAYER "feed_forward.w2", BLK "ffn_down"),
    ROW(LAYER "feed_forward.gate", BLK "ffn_gate_inp"),
    WHOLE(LAYER "feed_forward.expert_bias", BLK "exp_probs_b.bias"),
    ROW(LAYER "feed_forward.experts.%e.w1", BLK "ffn_gate_exps"),
    ROW(LAYER "feed_forward.experts.%e.w3", BLK "ffn_up_exps"),
    ROW(LAYER "feed_forward.experts.%e.w2", BLK "ffn_down_exps"),
    { LAYER "feed_forward.experts.gate_up_proj", BLK "ffn_gate_exps.weight", .part = 0,
      .n_parts = 2, .flags = HF_WHOLE_NAME },
    { LAYER "feed_forward.experts.gate_up_proj", BLK "ffn_up_exps.weight", .part = 1,
      .n_parts = 2, .flags = HF_WHOLE_NAME },
    WHOLE(LAYER "feed_forward.experts.down_proj", BLK "ffn_down_exps.weight"),
    END };
/* clang-format on */
