/* family_rows_gpt.c - see family_rows.h: tensors of models from before LLaMA, and of those that
 * took their names. GPT-2's come with and without "transformer." before them.
 * Sources: the modeling files of the transformers library for the left sides, gguf-py's tensor
 * names for the right ones. */
#include "convert/family_rows.h"

/* clang-format off */
#define H "h.%d."

const hf_row rows_gpt2[] = {
    ROW("wte", "token_embd"),
    { .from = "wte", .to = "output", .flags = HF_IF_TIED },
    ROW("wpe", "position_embd"),
    ROW("ln_f", "output_norm"),
    ROW("lm_head", "output"),
    ROW(H "ln_1", BLK "attn_norm"),
    { .from = H "attn.c_attn", .to = BLK "attn_qkv", .change = HF_TRANSPOSE },
    { .from = H "attn.c_proj", .to = BLK "attn_output", .change = HF_TRANSPOSE },
    ROW(H "ln_2", BLK "ffn_norm"),
    { .from = H "mlp.c_fc", .to = BLK "ffn_up", .change = HF_TRANSPOSE },
    { .from = H "mlp.c_proj", .to = BLK "ffn_down", .change = HF_TRANSPOSE },
    NOT_NEEDED(H "attn.bias"), /* the causal mask */
    NOT_NEEDED(H "attn.masked_bias"),
    END };

const hf_row rows_jais[] = {
    { .from = "wte", .to = "token_embd", .change = HF_SCALED },
    { .from = "wte", .to = "output", .change = HF_SCALED, .flags = HF_IF_TIED },
    ROW("ln_f", "output_norm"),
    { .from = "lm_head", .to = "output", .change = HF_SCALED },
    ROW(H "ln_1", BLK "attn_norm"),
    { .from = H "attn.c_attn", .to = BLK "attn_qkv", .change = HF_TRANSPOSE },
    { .from = H "attn.c_proj", .to = BLK "attn_output", .change = HF_TRANSPOSE },
    ROW(H "ln_2", BLK "ffn_norm"),
    { .from = H "mlp.c_fc", .to = BLK "ffn_up", .change = HF_TRANSPOSE },
    { .from = H "mlp.c_fc2", .to = BLK "ffn_gate", .change = HF_TRANSPOSE },
    { .from = H "mlp.c_proj", .to = BLK "ffn_down", .change = HF_TRANSPOSE },
    KEY("relative_pe.slopes"),
    NOT_NEEDED(H "attn.bias"),
    NOT_NEEDED(H "attn.masked_bias"),
    END };

const hf_row rows_refact[] = {
    ROW("wte", "token_embd"),
    ROW("ln_f", "output_norm"),
    ROW("lm_head", "output"),
    ROW(H "ln_1", BLK "attn_norm"),
    ROW(H "attn.q", BLK "attn_q"),
    { H "attn.kv", BLK "attn_k", .part = 0, .n_parts = 2 },
    { H "attn.kv", BLK "attn_v", .part = 1, .n_parts = 2 },
    ROW(H "attn.c_proj", BLK "attn_output"),
    ROW(H "ln_2", BLK "ffn_norm"),
    { H "mlp.gate_up_proj", BLK "ffn_gate", .part = 0, .n_parts = 2 },
    { H "mlp.gate_up_proj", BLK "ffn_up", .part = 1, .n_parts = 2 },
    ROW(H "mlp.c_proj", BLK "ffn_down"),
    END };

const hf_row rows_openai_gpt[] = { /* norms stand behind the sums */
    ROW("tokens_embed", "token_embd"),
    ROW("positions_embed", "position_embd"),
    ROW("lm_head", "output"),
    { .from = H "attn.c_attn", .to = BLK "attn_qkv", .change = HF_TRANSPOSE },
    { .from = H "attn.c_proj", .to = BLK "attn_output", .change = HF_TRANSPOSE },
    ROW(H "ln_1", BLK "attn_norm"),
    { .from = H "mlp.c_fc", .to = BLK "ffn_up", .change = HF_TRANSPOSE },
    { .from = H "mlp.c_proj", .to = BLK "ffn_down", .change = HF_TRANSPOSE },
    ROW(H "ln_2", BLK "ffn_norm"),
    NOT_NEEDED(H "attn.bias"),
    END };

const hf_row rows_qwen[] = {
    ROW("wte", "token_embd"),
    ROW("ln_f", "output_norm"),
    ROW("lm_head", "output"),
    ROW(H "ln_1", BLK "attn_norm"),
    ROW(H "attn.c_attn", BLK "attn_qkv"),
    ROW(H "attn.c_proj", BLK "attn_output"),
    ROW(H "ln_2", BLK "ffn_norm"),
    ROW(H "mlp.w2", BLK "ffn_gate"),
    ROW(H "mlp.w1", BLK "ffn_up"),
    ROW(H "mlp.c_proj", BLK "ffn_down"),
    NOT_NEEDED(H "attn.rotary_emb.inv_freq"),
    NOT_NEEDED("rotary_emb.inv_freq"),
    END };

const hf_row rows_exaone[] = {
    ROW("wte", "token_embd"),
    ROW("ln_f", "output_norm"),
    ROW("lm_head", "output"),
    ROW(H "ln_1", BLK "attn_norm"),
    ROW(H "attn.attention.q_proj", BLK "attn_q"),
    ROW(H "attn.attention.k_proj", BLK "attn_k"),
    ROW(H "attn.attention.v_proj", BLK "attn_v"),
    ROW(H "attn.attention.out_proj", BLK "attn_output"),
    ROW(H "ln_2", BLK "ffn_norm"),
    ROW(H "mlp.c_fc_0", BLK "ffn_gate"),
    ROW(H "mlp.c_fc_1", BLK "ffn_up"),
    ROW(H "mlp.c_proj", BLK "ffn_down"),
    NOT_NEEDED(H "attn.attention.rotary.inv_freq"),
    END };

const hf_row rows_gpt_bigcode[] = {
    ROW("wte", "token_embd"),
    ROW("wpe", "position_embd"),
    ROW("ln_f", "output_norm"),
    ROW("lm_head", "output"),
    ROW(H "ln_1", BLK "attn_norm"),
    ROW(H "attn.c_attn", BLK "attn_qkv"),
    ROW(H "attn.c_proj", BLK "attn_output"),
    ROW(H "ln_2", BLK "ffn_norm"),
    ROW(H "mlp.c_fc", BLK "ffn_up"),
    ROW(H "mlp.c_proj", BLK "ffn_down"),
    NOT_NEEDED(H "attn.bias"),
    NOT_NEEDED(H "attn.masked_bias"),
    END };

const hf_row rows_gptj[] = {
    ROW("wte", "token_embd"),
    ROW("ln_f", "output_norm"),
    ROW("lm_head", "output"),
    ROW(H "ln_1", BLK "attn_norm"),
    ROW(H "attn.q_proj", BLK "attn_q"),
    ROW(H "attn.k_proj", BLK "attn_k"),
    ROW(H "attn.v_proj", BLK "attn_v"),
    ROW(H "attn.out_proj", BLK "attn_output"),
    ROW(H "mlp.fc_in", BLK "ffn_up"),
    ROW(H "mlp.fc_out", BLK "ffn_down"),
    NOT_NEEDED(H "attn.bias"),
    NOT_NEEDED(H "attn.masked_bias"),
    END };

const hf_row rows_gpt_neo[] = {
    ROW("wte", "token_embd"),
    ROW("wpe", "position_embd"),
    ROW("ln_f", "output_norm"),
    ROW("lm_head", "output"),
    ROW(H "ln_1", BLK "attn_norm"),
    ROW(H "attn.attention.q_proj", BLK "attn_q"),
    ROW(H "attn.attention.k_proj", BLK "attn_k"),
    ROW(H "attn.attention.v_proj", BLK "attn_v"),
    ROW(H "attn.attention.out_proj", BLK "attn_output"),
    ROW(H "ln_2", BLK "ffn_norm"),
    ROW(H "mlp.c_fc", BLK "ffn_up"),
    ROW(H "mlp.c_proj", BLK "ffn_down"),
    NOT_NEEDED(H "attn.attention.bias"),
    NOT_NEEDED(H "attn.attention.masked_bias"),
    END };

const hf_row rows_codegen[] = { /* the rest as GPT-J */
    { .from = H "attn.qkv_proj", .to = BLK "attn_q", .change = HF_QUARTER_Q },
    { .from = H "attn.qkv_proj", .to = BLK "attn_k", .change = HF_QUARTER_K },
    { .from = H "attn.qkv_proj", .to = BLK "attn_v", .change = HF_QUARTER_V },
    NOT_NEEDED(H "attn.causal_mask"),
    END };

#define OPT "decoder.layers.%d."

const hf_row rows_opt[] = {
    ROW("decoder.embed_tokens", "token_embd"),
    { .from = "decoder.embed_positions", .to = "position_embd", .change = HF_PAST_TWO },
    ROW("decoder.final_layer_norm", "output_norm"),
    ROW("lm_head", "output"),
    ROW(OPT "self_attn_layer_norm", BLK "attn_norm"),
    ROW(OPT "self_attn.q_proj", BLK "attn_q"),
    ROW(OPT "self_attn.k_proj", BLK "attn_k"),
    ROW(OPT "self_attn.v_proj", BLK "attn_v"),
    ROW(OPT "self_attn.out_proj", BLK "attn_output"),
    ROW(OPT "final_layer_norm", BLK "ffn_norm"),
    ROW(OPT "fc1", BLK "ffn_up"),
    ROW(OPT "fc2", BLK "ffn_down"),
    END };

#define NEOX "gpt_neox.layers.%d."

const hf_row rows_gptneox[] = {
    ROW("gpt_neox.embed_in", "token_embd"),
    ROW("gpt_neox.final_layer_norm", "output_norm"),
    ROW("embed_out", "output"),
    ROW(NEOX "input_layernorm", BLK "attn_norm"),
    { .from = NEOX "attention.query_key_value", .to = BLK "attn_qkv", .change = HF_BY_HEAD },
    ROW(NEOX "attention.dense", BLK "attn_output"),
    ROW(NEOX "post_attention_layernorm", BLK "ffn_norm"),
    ROW(NEOX "mlp.dense_h_to_4h", BLK "ffn_up"),
    ROW(NEOX "mlp.dense_4h_to_h", BLK "ffn_down"),
    NOT_NEEDED(NEOX "attention.bias"),
    NOT_NEEDED(NEOX "attention.masked_bias"),
    NOT_NEEDED(NEOX "attention.rotary_emb.inv_freq"),
    END };

const hf_row rows_bloom[] = {
    ROW("word_embeddings", "token_embd"),
    { .from = "word_embeddings", .to = "output", .flags = HF_IF_TIED },
    ROW("word_embeddings_layernorm", "token_embd_norm"),
    ROW("ln_f", "output_norm"),
    ROW("lm_head", "output"),
    ROW(H "input_layernorm", BLK "attn_norm"),
    { .from = H "self_attention.query_key_value", .to = BLK "attn_qkv", .change = HF_BY_HEAD },
    ROW(H "self_attention.dense", BLK "attn_output"),
    ROW(H "post_attention_layernorm", BLK "ffn_norm"),
    ROW(H "mlp.dense_h_to_4h", BLK "ffn_up"),
    ROW(H "mlp.dense_4h_to_h", BLK "ffn_down"),
    END };

const hf_row rows_falcon[] = {
    ROW("word_embeddings", "token_embd"),
    ROW("ln_f", "output_norm"),
    ROW("lm_head", "output"),
    ROW(H "input_layernorm", BLK "attn_norm"),
    ROW(H "ln_attn", BLK "attn_norm_2"),
    ROW(H "ln_mlp", BLK "attn_norm"),
    { .from = H "self_attention.query_key_value", .to = BLK "attn_qkv", .change = HF_GROUPED },
    ROW(H "self_attention.dense", BLK "attn_output"),
    ROW(H "post_attention_layernorm", BLK "ffn_norm"),
    ROW(H "mlp.dense_h_to_4h", BLK "ffn_up"),
    ROW(H "mlp.dense_4h_to_h", BLK "ffn_down"),
    END };

const hf_row rows_mpt[] = {
    ROW("wte", "token_embd"),
    ROW("wpe", "position_embd"),
    ROW("norm_f", "output_norm"),
    ROW("lm_head", "output"),
    ROW("blocks.%d.norm_1", BLK "attn_norm"),
    ROW("blocks.%d.attn.Wqkv", BLK "attn_qkv"),
    ROW("blocks.%d.attn.q_ln", BLK "attn_q_norm"),
    ROW("blocks.%d.attn.k_ln", BLK "attn_k_norm"),
    ROW("blocks.%d.attn.out_proj", BLK "attn_output"),
    ROW("blocks.%d.norm_2", BLK "ffn_norm"),
    ROW("blocks.%d.ffn.up_proj", BLK "ffn_up"),
    ROW("blocks.%d.ffn.down_proj", BLK "ffn_down"),
    END };

#define GLM "encoder.layers.%d."

const hf_row rows_chatglm[] = { /* ChatGLM 2 and 3, GLM-4 */
    ROW("embedding.word_embeddings", "token_embd"),
    ROW("encoder.final_layernorm", "output_norm"),
    ROW("output_layer", "output"),
    ROW(GLM "input_layernorm", BLK "attn_norm"),
    ROW(GLM "self_attention.query_key_value", BLK "attn_qkv"),
    ROW(GLM "self_attention.dense", BLK "attn_output"),
    ROW(GLM "post_attention_layernorm", BLK "ffn_norm"),
    ROW(GLM "mlp.dense_h_to_4h", BLK "ffn_up"),
    ROW(GLM "mlp.dense_4h_to_h", BLK "ffn_down"),
    NOT_NEEDED("rotary_pos_emb.inv_freq"),
    END };

const hf_row rows_chatglm1[] = {
    ROW("word_embeddings", "token_embd"),
    ROW("final_layernorm", "output_norm"),
    ROW("lm_head", "output"),
    ROW("layers.%d.input_layernorm", BLK "attn_norm"),
    { .from = "layers.%d.attention.query_key_value", .to = BLK "attn_qkv", .change = HF_BY_HEAD },
    ROW("layers.%d.attention.dense", BLK "attn_output"),
    ROW("layers.%d.post_attention_layernorm", BLK "ffn_norm"),
    ROW("layers.%d.mlp.dense_h_to_4h", BLK "ffn_up"),
    ROW("layers.%d.mlp.dense_4h_to_h", BLK "ffn_down"),
    NOT_NEEDED("layers.%d.attention.rotary_emb.inv_freq"),
    END };
