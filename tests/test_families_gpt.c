/* test_families_gpt.c - as test_families.c, of families from GPT-Neo to Jais: learned positions or
 * ALiBi, two matrices in a feed-forward layer, names of their own: some or all of these. */
#include "family_check.h"

TEST(codeshell_gives_the_reference_logits)
{
    family_check(
        &(ref_spec){
            .config = CONFIG(
                "CodeShellForCausalLM",
                "'n_embd':32,'n_layer':4,'n_head':4,'num_query_groups':2,'n_inner':48,"
                "'n_positions':64,'layer_norm_epsilon':1e-5,"
                "'activation_function':'gelu_pytorch_tanh','position_embedding_type':'rope'"),
            .embd = "transformer.wte",
            .out_norm = "transformer.ln_f",
            .head = "lm_head",
            .attn_norm = T "ln_1",
            .q = T "attn.c_attn",
            .qkv = REF_FUSED,
            .o = T "attn.c_proj",
            .ffn_norm = T "ln_2",
            .up = T "mlp.c_fc",
            .down = T "mlp.c_proj",
            .norm = REF_LAYER_NORM,
            .norm_bias = true,
            .qkv_bias = true,
            .o_bias = true,
            .ffn_bias = true,
            .act = REF_GELU,
        },
        "codeshell");
}

TEST(gpt_neo_gives_the_reference_logits)
{
    family_check(
        &(ref_spec){
            .config =
                CONFIG("GPTNeoForCausalLM",
                       "'hidden_size':32,'num_layers':4,'num_heads':4,'intermediate_size':48,"
                       "'max_position_embeddings':64,'window_size':3,'attention_types':[[['global',"
                       "'local'],2]],'layer_norm_epsilon':1e-5"),
            .embd = "transformer.wte",
            .positions = "transformer.wpe",
            .out_norm = "transformer.ln_f",
            .attn_norm = T "ln_1",
            .q = T "attn.attention.q_proj",
            .k = T "attn.attention.k_proj",
            .v = T "attn.attention.v_proj",
            .o = T "attn.attention.out_proj",
            .ffn_norm = T "ln_2",
            .up = T "mlp.c_fc",
            .down = T "mlp.c_proj",
            .kv = 4,
            .norm = REF_LAYER_NORM,
            .norm_bias = true,
            .o_bias = true,
            .ffn_bias = true,
            .act = REF_GELU,
            .rotation = REF_NEVER,
            .window = 3,
            .alternates = true,
            .attn_scale = 1.0,
        },
        "gptneo");
}

#define O "model.decoder.layers.%d."

TEST(opt_gives_the_reference_logits)
{
    family_check(
        &(ref_spec){
            .config = CONFIG(
                "OPTForCausalLM",
                "'hidden_size':32,'ffn_dim':48,'num_hidden_layers':4,'num_attention_heads':4,"
                "'max_position_embeddings':64,'word_embed_proj_dim':32,"
                "'do_layer_norm_before':true"),
            .embd = "model.decoder.embed_tokens",
            .positions = "model.decoder.embed_positions",
            .n_unused = 2,
            .out_norm = "model.decoder.final_layer_norm",
            .attn_norm = O "self_attn_layer_norm",
            .q = O "self_attn.q_proj",
            .k = O "self_attn.k_proj",
            .v = O "self_attn.v_proj",
            .o = O "self_attn.out_proj",
            .ffn_norm = O "final_layer_norm",
            .up = O "fc1",
            .down = O "fc2",
            .kv = 4,
            LAYER_NORMS,
            .qkv_bias = true,
            .o_bias = true,
            .ffn_bias = true,
            .act = REF_RELU1,
            .rotation = REF_NEVER,
        },
        "opt");
}

TEST(codegen_gives_the_reference_logits)
{
    family_check(
        &(ref_spec){
            .config = CONFIG(
                "CodeGenForCausalLM",
                "'n_embd':32,'n_layer':4,'n_head':4,'n_inner':48,'n_positions':64,'rotary_dim':4,"
                "'layer_norm_epsilon':1e-5"),
            .embd = "transformer.wte",
            .out_norm = "transformer.ln_f",
            UNTIED,
            .attn_norm = T "ln_1",
            .q = T "attn.qkv_proj",
            .qkv = REF_QUARTERS,
            .o = T "attn.out_proj",
            .up = T "mlp.fc_in",
            .down = T "mlp.fc_out",
            .kv = 4,
            LAYER_NORMS,
            .ffn_bias = true,
            .head_bias = true,
            .act = REF_GELU,
            .n_rot = 4,
            .pairs = true,
            .parallel = true,
        },
        "gptj");
}

TEST(refact_gives_the_reference_logits)
{
    family_check(
        &(ref_spec){
            .config = CONFIG(
                "GPTRefactForCausalLM",
                "'n_embd':32,'n_layer':4,'n_head':4,'n_positions':64,'layer_norm_epsilon':1e-5,"
                "'multi_query':true"),
            .embd = "transformer.wte",
            .out_norm = "transformer.ln_f",
            .head = "lm_head",
            .attn_norm = T "ln_1",
            .q = T "attn.q",
            .k = T "attn.kv",
            .qkv = REF_KV_FUSED,
            .o = T "attn.c_proj",
            .ffn_norm = T "ln_2",
            .gate = T "mlp.gate_up_proj",
            .gate_up = true,
            .down = T "mlp.c_proj",
            .kv = 1,
            .alibi = true,
            .rotation = REF_NEVER,
        },
        "refact");
}

TEST(jais_gives_the_reference_logits)
{
    for (int is_tied = 0; is_tied < 2; is_tied++)
        family_check(
            &(ref_spec){
                .config = CONFIG(
                    "JAISLMHeadModel",
                    "'n_embd':32,'n_layer':4,'n_head':4,'n_inner':48,'n_positions':64,"
                    "'layer_norm_epsilon':1e-5,'activation_function':'swiglu',"
                    "'position_embedding_type':'alibi','mup_embeddings_scale':3.0,"
                    "'mup_output_alpha':2.0,'mup_width_scale':0.125,'mup_scale_qk_dot_by_d':true"),
                .embd = "transformer.wte",
                .out_norm = "transformer.ln_f",
                .head = is_tied ? NULL : "lm_head",
                .attn_norm = T "ln_1",
                .q = T "attn.c_attn",
                .qkv = REF_FUSED,
                .o = T "attn.c_proj",
                .ffn_norm = T "ln_2",
                .gate = T "mlp.c_fc2",
                .up = T "mlp.c_fc",
                .down = T "mlp.c_proj",
                .slopes = "transformer.relative_pe.slopes",
                LAYER_NORMS,
                .kv = 4,
                .transposes = true,
                .qkv_bias = true,
                .o_bias = true,
                .ffn_bias = true,
                .rotation = REF_NEVER,
                .embd_scale = 3.0,
                .logit_scale = 0.25,
                .attn_scale = 0.125,
            },
            "jais");
}
