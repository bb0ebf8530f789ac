/* test_families_latent.c - as test_families.c, of families whose keys and values are made of one
 * short vector a token (multi-head latent attention). */
#include "family_check.h"
#include "lory.h"

#define OWN_KEYS_SIZES SIZES_OF("4", "48") /* each head of Q has its own */
#define LATENT_SIZES                                                                               \
    OWN_KEYS_SIZES                                                                                 \
    ",'q_lora_rank':12,'kv_lora_rank':16,'qk_nope_head_dim':8,'qk_rope_head_dim':4,"               \
    "'v_head_dim':8"
#define SOME_EXPERTS EXPERTS ",'n_shared_experts':1,'first_k_dense_replace':1,'norm_topk_prob':true"
#define LATENT_Q                                                                                   \
    .q_a = L "self_attn.q_a_proj", .q_a_norm = L "self_attn.q_a_layernorm",                        \
    .q_b = L "self_attn.q_b_proj"
#define LATENT_KV                                                                                  \
    .kv = 4, .kv_a = L "self_attn.kv_a_proj_with_mqa", .kv_a_norm = L "self_attn.kv_a_layernorm",  \
    .kv_b = L "self_attn.kv_b_proj"
#define LATENT MOST, PRE_NORMS, LATENT_Q, LATENT_KV
#define SOME_ROUTED                                                                                \
    ROUTED, SHARED_EXPERTS, .n_dense = 1, .n_shared = 1, .sigmoid = true, .normalises = true,      \
                            .router_bias = L "mlp.gate.e_score_correction_bias"

TEST(minicpm3_gives_the_reference_logits)
{
    static const double factors[] = { 1.0, 2.5 };
    family_check(
        &(ref_spec){
            .config = CONFIG(
                "MiniCPM3ForCausalLM", OWN_KEYS_SIZES
                ",'q_lora_rank':12,'kv_lora_rank':16,'qk_nope_head_dim':8,'qk_rope_head_dim':4,"
                "'scale_emb':12,'scale_depth':1.4,'dim_model_base':256,"
                "'rope_scaling':{'type':'longrope','short_factor':[1.0,2.5],'long_factor':[9,9],"
                "'original_max_position_embeddings':64}"),
            LATENT,
            .factors = factors,
            .embd_scale = 12.0,
            .residual_scale = 0.7,
            .logit_scale = 8.0,
        },
        "minicpm3");
}

TEST(plm_gives_the_reference_logits)
{
    family_check(
        &(ref_spec){
            .config = CONFIG(
                "PLMForCausalLM", OWN_KEYS_SIZES
                ",'hidden_act':'relu2','kv_lora_rank':16,'qk_nope_head_dim':8,'qk_rope_head_dim':4,"
                "'v_head_dim':8"),
            MOST,
            PRE_NORMS,
            LATENT_KV,
            .q = L "self_attn.q_proj",
            .pairs = true,
            .act = REF_RELU2,
        },
        "plm");
}

TEST(youtu_gives_the_reference_logits)
{
    family_check(
        &(ref_spec){
            .config = CONFIG("YoutuForCausalLM",
                             LATENT_SIZES ",'rope_theta':1000.0,'rope_interleave':true"),
            LATENT,
            UNTIED,
            .pairs = true,
            .theta = 1000.0,
        },
        "deepseek2");
}

/* Groups of experts, and YaRN whose scores grow, are V3's. */
TEST(deepseek_v3_2_gives_the_reference_logits)
{
    family_check(
        &(ref_spec){
            .config = CONFIG(
                "DeepseekV32ForCausalLM", LATENT_SIZES SOME_EXPERTS
                ",'routed_scaling_factor':1.8,'index_topk':64,'scoring_func':'sigmoid','n_group':2,"
                "'topk_group':1,'rope_theta':10000.0,'rope_scaling':{'type':'yarn','factor':4.0,"
                "'mscale':1.0,'mscale_all_dim':1.0,'original_max_position_embeddings':4}"),
            LATENT,
            UNTIED,
            SOME_ROUTED,
            .pairs = true,
            .expert_scale = 1.8,
            .beside = { "model.layers.0.self_attn.indexer.wk.weight",
                        "model.layers.4.eh_proj.weight" },
            .n_group = 2,
            .n_group_used = 1,
            .yarn_factor = 4.0,
            .yarn_original = 4.0,
            /* (1 + 0.1 ln 4)^2 / sqrt(12) */
            .attn_scale = 1.2964769927807063 * 0.28867513459481288225,
        },
        "deepseek32");
}

TEST(glm_4_7_flash_gives_the_reference_logits)
{
    family_check(
        &(ref_spec){
            .config = CONFIG("Glm4MoeLiteForCausalLM", LATENT_SIZES SOME_EXPERTS
                             ",'routed_scaling_factor':1.8,'rope_theta':1000.0"),
            LATENT,
            UNTIED,
            SOME_ROUTED,
            .pairs = true,
            .expert_scale = 1.8,
            .theta = 1000.0,
        },
        "deepseek2");
}

/* What sees has its text within. */
TEST(text_of_kimi_gives_the_reference_logits)
{
    family_check(
        &(ref_spec){
            .config = "{'architectures':['KimiVLForConditionalGeneration'],"
                      "'text_config':{'model_type':'deepseek_v3','vocab_size':40," LATENT_SIZES
                          SOME_EXPERTS
                      ",'routed_scaling_factor':1.8,'scoring_func':'sigmoid','rope_theta':1000.0}}",
            LATENT,
            UNTIED,
            SOME_ROUTED,
            .pairs = true,
            .expert_scale = 1.8,
            .beside = { "vision_tower.encoder.blocks.0.wo.weight" },
            .theta = 1000.0,
        },
        "deepseek2");
}

/* Its indexer, which full attention does without, is in the folder and not in the file. */
static const ref_spec glm_5 = {
    .config = CONFIG(
        "GlmMoeDsaForCausalLM",
        "'hidden_size':32,'num_hidden_layers':4,'num_attention_heads':4,'num_key_value_heads':4,"
        "'intermediate_size':48,'max_position_embeddings':4096,'rms_norm_eps':1e-5,"
        "'q_lora_rank':12,'kv_lora_rank':16,'qk_nope_head_dim':8,'qk_rope_head_dim':4,"
        "'v_head_dim':8,'index_topk':64,'scoring_func':'sigmoid','routed_scaling_factor':2.5,"
        "'rope_parameters':{'rope_type':'default','rope_theta':1000.0}" SOME_EXPERTS),
    LATENT,
    UNTIED,
    SOME_ROUTED,
    .beside = { "model.layers.0.self_attn.indexer.wk.weight", "model.layers.4.eh_proj.weight" },
    .pairs = true,
    .theta = 1000.0,
    .expert_scale = 2.5,
};

TEST(glm_5_gives_the_reference_logits)
{
    family_check(&glm_5, "glm-dsa");
}

/* Longer ones would need the indexer's choice. */
TEST(glm_5_has_as_many_positions_as_attention_sees)
{
    static double unused[FAMILY_N * REF_VOCAB];
    char out[500], want[600];
    gguf g;
    buf notes = { 0 };
    lory_err err = { 0 };
    lory_memory_plan plan;
    hf_test f = ref_run(&glm_5, "glm-dsa", family_text, FAMILY_N, unused);
    REQUIRE(hf_make(&f, RETYPE_KEEP, &g, &notes, &err), "%s", err.text);
    gguf_close(&g);
    buf_free(&notes);
    snprintf(out, sizeof out, "%s.gguf", f.path);
    lory_model *m = lory_model_open(out, &err);
    REQUIRE(m, "%s", err.text);
    CHECK(lory_plan_memory(m, NULL, &plan, &err) && plan.n_ctx == 64, "%s", err.text);
    CHECK(!lory_session_new(m, &(lory_session_params){ .n_ctx = 65 }, &err)
          && err.code == LORY_E_ARGUMENT);
    snprintf(want, sizeof want, "context size: 65 is more than the model's 64 positions");
    CHECK_STR(err.text, want);
    lory_model_close(m);
}

TEST(mistral_4_gives_the_reference_logits)
{
    family_check(
        &(ref_spec){
            .config =
                CONFIG("Mistral4ForCausalLM", LATENT_SIZES SOME_EXPERTS
                       ",'routed_scaling_factor':1.5,'rope_parameters':{'rope_type':'yarn',"
                       "'rope_theta':10000.0,'factor':4.0,'original_max_position_embeddings':4,"
                       "'mscale':1.0,'mscale_all_dim':1.0,'llama_4_scaling_beta':0.3}"),
            LATENT,
            UNTIED,
            SHARED_EXPERTS,
            .router = L "mlp.gate",
            .exp_in = L "mlp.experts.gate_up_proj",
            .exp_out = L "mlp.experts.down_proj",
            .n_dense = 1,
            .n_shared = 1,
            .pairs = true,
            .normalises = true,
            .expert_scale = 1.5,
            .yarn_factor = 4.0,
            .yarn_original = 4.0,
            /* (1 + 0.1 ln 4)^2 / sqrt(12) */
            .attn_scale = 1.2964769927807063 * 0.28867513459481288225,
            .temp_scale = 0.3,
            .temp_length = 4,
        },
        "mistral4");
}
