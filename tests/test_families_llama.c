/* test_families_llama.c - as test_families.c, of families whose layers are those of LLaMA, but for
 * their names, a factor or a bias. */
#include "family_check.h"
#include "lory.h"
#include <math.h>

TEST(arcee_gives_the_reference_logits)
{
    family_check(
        &(ref_spec){
            .config = CONFIG("ArceeForCausalLM", SIZES ",'hidden_act':'relu2'"),
            COMMON,
            UNTIED,
            PRE_NORMS,
            .act = REF_RELU2,
        },
        "arcee");
}

/* Its layers are those of the first Baichuan, which there are files of; the output is not. */
TEST(baichuan_2_has_an_output_of_unit_rows)
{
    static double want[FAMILY_N * REF_VOCAB];
    gguf g;
    buf notes = { 0 };
    lory_err err = { 0 };
    hf_test f = ref_run(
        &(ref_spec){
            .config =
                "{'architectures':['BaichuanForCausalLM'],'vocab_size':125696,'hidden_size':32,"
                "'num_hidden_layers':4,'num_attention_heads':4,'intermediate_size':48,"
                "'model_max_length':64,'rms_norm_eps':1e-5}",
            MOST,
            UNTIED,
            PRE_NORMS,
            .kv = 4,
            .q = L "self_attn.W_pack",
            .qkv = REF_FUSED,
        },
        "baichuan2", family_text, FAMILY_N, want);
    REQUIRE(hf_make(&f, RETYPE_KEEP, &g, &notes, &err), "%s", err.text);
    for (int row = 0; row < REF_VOCAB; row++) {
        double sum = 0.0;
        for (int i = 0; i < REF_EMBD; i++)
            sum += pow((double)hf_at(&g, "output.weight", row * REF_EMBD + i), 2.0);
        CHECK(fabs(sum - 1.0) < 1e-6, "row %d: %g", row, sum);
    }
    gguf_close(&g);
    buf_free(&notes);
}

TEST(ernie4_5_gives_the_reference_logits)
{
    family_check(
        &(ref_spec){
            .config =
                CONFIG("Ernie4_5ForCausalLM", SIZES ",'head_dim':8,'tie_word_embeddings':true"),
            COMMON,
            PRE_NORMS,
            .pairs = true,
        },
        "ernie4_5");
}

TEST(exaone_gives_the_reference_logits)
{
    family_check(
        &(ref_spec){
            .config = CONFIG(
                "ExaoneForCausalLM",
                "'hidden_size':32,'num_layers':4,'num_attention_heads':4,'num_key_value_heads':2,"
                "'intermediate_size':48,'max_position_embeddings':64,'layer_norm_epsilon':1e-5,"
                "'rope_theta':500.0,'activation_function':'silu'"),
            .embd = "transformer.wte",
            .out_norm = "transformer.ln_f",
            .head = "lm_head",
            .attn_norm = T "ln_1",
            .ffn_norm = T "ln_2",
            .q = T "attn.attention.q_proj",
            .k = T "attn.attention.k_proj",
            .v = T "attn.attention.v_proj",
            .o = T "attn.attention.out_proj",
            .gate = T "mlp.c_fc_0",
            .up = T "mlp.c_fc_1",
            .down = T "mlp.c_proj",
            .theta = 500.0,
        },
        "exaone");
}

TEST(granite_4_without_recurrent_layers_gives_the_reference_logits)
{
    family_check(
        &(ref_spec){
            .config = CONFIG(
                "GraniteMoeHybridForCausalLM",
                "'hidden_size':32,'num_hidden_layers':4,'num_attention_heads':4,"
                "'num_key_value_heads':2,'intermediate_size':64,'max_position_embeddings':64,"
                "'rms_norm_eps':1e-5,'shared_intermediate_size':256,'num_local_experts':0,"
                "'num_experts_per_tok':0,'position_embedding_type':'rope',"
                "'layer_types':['attention','attention','attention','attention'],"
                "'attention_multiplier':0.4,'embedding_multiplier':3.0,'residual_multiplier':0.3,"
                "'logits_scaling':4.0,'rope_theta':10000.0"),
            QKV,
            PRE_NORMS,
            .embd = "model.embed_tokens",
            .out_norm = "model.norm",
            .o = L "self_attn.o_proj",
            .gate = L "shared_mlp.input_linear",
            .down = L "shared_mlp.output_linear",
            .gate_up = true,
            .attn_scale = 0.4,
            .embd_scale = 3.0,
            .residual_scale = 0.3,
            .logit_scale = 0.25,
        },
        "granite");
}

TEST(hunyuan_gives_the_reference_logits)
{
    static const char *const scaling[] = {
        "", ",'rope_scaling':{'type':'dynamic','alpha':4.0,'factor':1.0}"
    };
    for (int i = 0; i < 2; i++) {
        char config[600];
        snprintf(config, sizeof config,
                 CONFIG("HunYuanDenseV1ForCausalLM",
                        SIZES ",'head_dim':8,'use_qk_norm':true,'tie_word_embeddings':true%s"),
                 scaling[i]);
        family_check(
            &(ref_spec){
                .config = config,
                COMMON,
                PRE_NORMS,
                .qk_norm = REF_HEADS_LATE,
                .q_norm = L "self_attn.query_layernorm",
                .k_norm = L "self_attn.key_layernorm",
                .theta = i ? 10000.0 * pow(4.0, 8.0 / 6.0) : 10000.0,
            },
            "hunyuan-dense");
    }
}

TEST(internlm2_gives_the_reference_logits)
{
    family_check(
        &(ref_spec){
            .config = CONFIG("InternLM2ForCausalLM",
                             SIZES ",'bias':false,'rope_scaling':{'type':'dynamic','factor':2.0}"),
            .embd = "model.tok_embeddings",
            .out_norm = "model.norm",
            .head = "output",
            .attn_norm = L "attention_norm",
            .q = L "attention.wqkv",
            .qkv = REF_GROUPED,
            .o = L "attention.wo",
            .ffn_norm = L "ffn_norm",
            .gate = L "feed_forward.w1",
            .up = L "feed_forward.w3",
            .down = L "feed_forward.w2",
        },
        "internlm2");
}

TEST(internlm3_gives_the_reference_logits)
{
    family_check(
        &(ref_spec){
            .config = CONFIG(
                "InternLM3ForCausalLM", SIZES
                ",'head_dim':8,'qkv_bias':true,'bias':false,'rope_scaling':{'rope_type':'dynamic',"
                "'factor':6.0}"),
            COMMON,
            UNTIED,
            PRE_NORMS,
            .qkv_bias = true,
        },
        "llama");
}

TEST(iquest_coder_gives_the_reference_logits)
{
    family_check(
        &(ref_spec){
            .config = CONFIG(
                "IQuestCoderForCausalLM", SIZES
                ",'head_dim':8,'clip_qkv':null,'use_sliding_window':false,'sliding_window':3"),
            COMMON,
            UNTIED,
            PRE_NORMS,
        },
        "llama");
}

TEST(bounds_of_queries_are_not_known_of_llama)
{
    double logits[REF_VOCAB];
    hf_test f = ref_run(
        &(ref_spec){
            .config = CONFIG("IQuestCoderForCausalLM", SIZES ",'clip_qkv':8.0"),
            COMMON,
            UNTIED,
            PRE_NORMS,
        },
        "clipped", family_text, 1, logits);
    hf_refused(&f, ": bounds of queries, keys and values (clip_qkv) are not known of llama");
}

TEST(kormo_gives_the_reference_logits)
{
    family_check(
        &(ref_spec){
            .config = CONFIG("KORMoForCausalLM", SIZES),
            COMMON,
            UNTIED,
            .attn_norm = L "pre_attention_layernorm",
            .ffn_norm = L "pre_mlp_layernorm",
        },
        "qwen2");
}

TEST(maincoder_gives_the_reference_logits)
{
    family_check(
        &(ref_spec){
            .config =
                CONFIG("MaincoderForCausalLM", SIZES ",'head_dim':8,'tie_word_embeddings':true"),
            COMMON,
            PRE_NORMS,
            .qk_norm = REF_HEADS_LATE,
            .q_norm = L "self_attn.q_norm",
            .k_norm = L "self_attn.k_norm",
            .pairs = true,
        },
        "maincoder");
}

TEST(mimo_7b_gives_the_reference_logits)
{
    family_check(
        &(ref_spec){
            .config = CONFIG("MiMoForCausalLM", SIZES),
            COMMON,
            UNTIED,
            PRE_NORMS,
            .qkv_bias = true,
            .beside = { "model.mtp_layers.0.input_proj.weight" },
        },
        "qwen2");
}

TEST(minicpm_gives_the_reference_logits)
{
    family_check(
        &(ref_spec){
            .config = CONFIG("MiniCPMForCausalLM",
                             SIZES ",'scale_emb':12,'scale_depth':1.4,'dim_model_base':8"),
            COMMON,
            PRE_NORMS,
            .embd_scale = 12.0,
            .residual_scale = 0.7,
            .logit_scale = 0.25,
        },
        "minicpm");
}

TEST(ministral3_gives_the_reference_logits)
{
    family_check(
        &(ref_spec){
            .config =
                CONFIG("Ministral3ForCausalLM", SIZES
                       ",'head_dim':8,'rope_parameters':{'rope_type':'yarn','factor':16.0,"
                       "'original_max_position_embeddings':4,'mscale':1.0,'mscale_all_dim':1.0,"
                       "'llama_4_scaling_beta':0.3}"),
            COMMON,
            UNTIED,
            PRE_NORMS,
            .yarn_factor = 16.0,
            .yarn_original = 4.0,
            .temp_scale = 0.3,
            .temp_length = 4,
        },
        "mistral3");
}

TEST(nanbeige_gives_the_reference_logits)
{
    ref_spec s = {
        .config = CONFIG("NanbeigeForCausalLM",
                         SIZES ",'head_dim':8,'num_loops':3,'skip_loop_final_norm':false"),
        COMMON,
        UNTIED,
        PRE_NORMS,
        .n_loop = 3,
        .loop_norm = true,
    };
    family_check(&s, "nanbeige");
    s.config = CONFIG("NanbeigeForCausalLM",
                      SIZES ",'head_dim':8,'num_loops':2,'skip_loop_final_norm':true");
    s.n_loop = 2;
    s.loop_norm = false;
    family_check(&s, "nanbeige");
}

TEST(nanbeige_with_more_layers_than_there_can_be_is_refused)
{
    double logits[REF_VOCAB];
    char out[500];
    gguf g;
    buf notes = { 0 };
    lory_err err = { 0 };
    hf_test f = ref_run(
        &(ref_spec){
            .config = CONFIG("NanbeigeForCausalLM", SIZES ",'head_dim':8,'num_loops':257"),
            COMMON,
            UNTIED,
            PRE_NORMS,
        },
        "loops", family_text, 1, logits);
    REQUIRE(hf_make(&f, RETYPE_KEEP, &g, &notes, &err), "%s", err.text);
    gguf_close(&g);
    buf_free(&notes);
    snprintf(out, sizeof out, "%s.gguf", f.path);
    lory_model *m = lory_model_open(out, &err);
    CHECK(!m && strstr(err.text, "nanbeige.num_loops is 257 (expected 1 to 256)"), "%s", err.text);
    lory_model_close(m);
}

TEST(pangu_gives_the_reference_logits)
{
    family_check(
        &(ref_spec){
            .config = CONFIG("PanguEmbeddedForCausalLM", SIZES ",'bias':true"),
            COMMON,
            UNTIED,
            PRE_NORMS,
            .qkv_bias = true,
            .o_bias = true,
        },
        "pangu-embedded");
}

TEST(qwen_gives_the_reference_logits)
{
    family_check(
        &(ref_spec){
            .config = CONFIG(
                "QWenLMHeadModel",
                "'hidden_size':32,'num_hidden_layers':4,'num_attention_heads':4,'kv_channels':8,"
                "'intermediate_size':96,'seq_length':64,'layer_norm_epsilon':1e-5,"
                "'rotary_emb_base':10000,'no_bias':true"),
            .embd = "transformer.wte",
            .out_norm = "transformer.ln_f",
            .head = "lm_head",
            .attn_norm = T "ln_1",
            .q = T "attn.c_attn",
            .qkv = REF_FUSED,
            .qkv_bias = true,
            .o = T "attn.c_proj",
            .ffn_norm = T "ln_2",
            .gate = T "mlp.w2",
            .up = T "mlp.w1",
            .down = T "mlp.c_proj",
            .kv = 4,
        },
        "qwen");
}

TEST(seed_oss_gives_the_reference_logits)
{
    family_check(
        &(ref_spec){
            .config = CONFIG("SeedOssForCausalLM", SIZES ",'head_dim':8,'attention_bias':true"),
            COMMON,
            UNTIED,
            PRE_NORMS,
            .qkv_bias = true,
        },
        "seed_oss");
}

TEST(smollm3_gives_the_reference_logits)
{
    family_check(
        &(ref_spec){
            .config = CONFIG("SmolLM3ForCausalLM",
                             SIZES ",'tie_word_embeddings':true,'no_rope_layers':[1,1,1,0]"),
            COMMON,
            PRE_NORMS,
            .rotation = REF_NOT_FOURTH,
        },
        "smollm3");
}

TEST(xverse_gives_the_reference_logits)
{
    family_check(
        &(ref_spec){ .config = CONFIG("XverseForCausalLM", SIZES), COMMON, UNTIED, PRE_NORMS },
        "xverse");
}
