/* test_families.c - families that no reference file is here for: a made-up folder, as the
 * transformers library would write it, is converted and run, and held against a decoder in doubles
 * that goes by the names and the layout of the folder (hf_reference.c). */
#include "family_check.h"
#include "base/file.h"
#include "lory.h"
#include "model/model.h"
#include <float.h>
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

TEST(cohere2_gives_the_reference_logits)
{
    family_check(
        &(ref_spec){
            .config = CONFIG("Cohere2ForCausalLM",
                             SIZES ",'layer_norm_eps':1e-5,'logit_scale':0.25,'sliding_window':3,"
                                   "'sliding_window_pattern':4"),
            COMMON,
            .attn_norm = L "input_layernorm",
            .norm = REF_LAYER_NORM,
            .parallel = true,
            .pairs = true,
            .logit_scale = 0.25,
            .window = 3,
            .rotation = REF_WINDOWS_ONLY,
        },
        "cohere2");
}

TEST(deepseek_gives_the_reference_logits)
{
    family_check(
        &(ref_spec){
            .config =
                CONFIG("DeepseekForCausalLM", SIZES EXPERTS
                       ",'n_shared_experts':2,'first_k_dense_replace':1,'norm_topk_prob':false,"
                       "'scoring_func':'softmax'"),
            COMMON,
            UNTIED,
            PRE_NORMS,
            ROUTED,
            SHARED_EXPERTS,
            .n_dense = 1,
            .n_shared = 2,
        },
        "deepseek");
}

TEST(dots1_gives_the_reference_logits)
{
    family_check(
        &(ref_spec){
            .config =
                CONFIG("Dots1ForCausalLM", SIZES EXPERTS
                       ",'n_shared_experts':1,'first_k_dense_replace':1,'norm_topk_prob':true,"
                       "'routed_scaling_factor':2.5,'head_dim':8"),
            COMMON,
            UNTIED,
            PRE_NORMS,
            HEAD_NORMS,
            ROUTED,
            SHARED_EXPERTS,
            .n_dense = 1,
            .n_shared = 1,
            .sigmoid = true,
            .normalises = true,
            .expert_scale = 2.5,
            .router_bias = L "mlp.gate.e_score_correction_bias",
        },
        "dots1");
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

TEST(exaone4_gives_the_reference_logits)
{
    static const char *const configs[] = {
        CONFIG("Exaone4ForCausalLM", SIZES ",'head_dim':8,'sliding_window':null"),
        CONFIG("Exaone4ForCausalLM",
               SIZES ",'head_dim':8,'sliding_window':3,'sliding_window_pattern':'LLLG',"
                     "'layer_types':['sliding_attention','sliding_attention','sliding_attention',"
                     "'full_attention']"),
    };
    for (int i = 0; i < 2; i++)
        family_check(
            &(ref_spec){
                .config = configs[i],
                COMMON,
                UNTIED,
                HEAD_NORMS,
                .attn_post_norm = L "post_attention_layernorm",
                .ffn_post_norm = L "post_feedforward_layernorm",
                .window = i ? 3 : 0,
                .rotation = i ? REF_WINDOWS_ONLY : REF_ROTATES,
            },
            "exaone4");
}

TEST(glm4moe_gives_the_reference_logits)
{
    family_check(
        &(ref_spec){
            .config = CONFIG(
                "Glm4MoeForCausalLM", SIZES EXPERTS
                ",'n_shared_experts':1,'first_k_dense_replace':1,'n_group':1,'norm_topk_prob':true,"
                "'routed_scaling_factor':1.5,'head_dim':8,'partial_rotary_factor':0.5,"
                "'use_qk_norm':true"),
            COMMON,
            UNTIED,
            PRE_NORMS,
            HEAD_NORMS,
            ROUTED,
            SHARED_EXPERTS,
            .qkv_bias = true,
            .n_dense = 1,
            .n_shared = 1,
            .n_rot = 4,
            .sigmoid = true,
            .normalises = true,
            .expert_scale = 1.5,
            .router_bias = L "mlp.gate.e_score_correction_bias",
        },
        "glm4moe");
}

TEST(bitnet_gives_the_reference_logits)
{
    family_check(
        &(ref_spec){
            .config = CONFIG("BitnetForCausalLM", SIZES),
            COMMON,
            PRE_NORMS,
            .attn_sub_norm = L "self_attn.inner_attn_ln",
            .ffn_sub_norm = L "mlp.ffn_layernorm",
            .ternary = true,
        },
        "bitnet");
}

TEST(bitnet_2b4t_gives_the_reference_logits)
{
    family_check(
        &(ref_spec){
            .config = CONFIG("BitNetForCausalLM", SIZES ",'hidden_act':'relu2'"),
            COMMON,
            PRE_NORMS,
            .attn_sub_norm = L "self_attn.attn_sub_norm",
            .ffn_sub_norm = L "mlp.ffn_sub_norm",
            .act = REF_RELU2_GATE,
            .ternary = true,
        },
        "bitnet-b1.58");
}

TEST(granite_with_shared_experts_gives_the_reference_logits)
{
    family_check(
        &(ref_spec){
            .config = CONFIG(
                "GraniteMoeSharedForCausalLM",
                "'hidden_size':32,'num_hidden_layers':4,'num_attention_heads':4,"
                "'num_key_value_heads':2,'intermediate_size':24,'shared_intermediate_size':48,"
                "'max_position_embeddings':64,'rms_norm_eps':1e-5,'num_local_experts':4,"
                "'num_experts_per_tok':2,'embedding_multiplier':3.0,'residual_multiplier':0.5,"
                "'logits_scaling':4.0,'attention_multiplier':0.25"),
            COMMON,
            UNTIED,
            PRE_NORMS,
            .router = L "block_sparse_moe.router.layer",
            .exp_in = L "block_sparse_moe.input_linear.weight",
            .exp_out = L "block_sparse_moe.output_linear.weight",
            .sh_in = L "shared_mlp.input_linear",
            .sh_down = L "shared_mlp.output_linear",
            .n_shared = 2,
            .normalises = true,
            .embd_scale = 3.0,
            .residual_scale = 0.5,
            .logit_scale = 0.25,
            .attn_scale = 0.25,
        },
        "granitemoe");
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

TEST(nemotron_gives_the_reference_logits)
{
    family_check(
        &(ref_spec){
            .config = CONFIG(
                "NemotronForCausalLM", SIZES
                ",'norm_eps':1e-5,'hidden_act':'relu2','head_dim':8,'partial_rotary_factor':0.5"),
            COMMON,
            UNTIED,
            PRE_NORMS,
            .norm = REF_LAYER_NORM_1P,
            .norm_bias = true,
            .act = REF_RELU2,
            .n_rot = 4,
        },
        "nemotron");
}

TEST(olmoe_gives_the_reference_logits)
{
    family_check(
        &(ref_spec){
            .config = CONFIG(
                "OlmoeForCausalLM",
                "'hidden_size':32,'num_hidden_layers':4,'num_attention_heads':4,"
                "'num_key_value_heads':2,'intermediate_size':24,'max_position_embeddings':64,"
                "'rms_norm_eps':1e-5,'num_experts':4,'num_experts_per_tok':2,"
                "'norm_topk_prob':false"),
            COMMON,
            UNTIED,
            PRE_NORMS,
            ROUTED,
            .qk_norm = REF_ALL,
            .q_norm = L "self_attn.q_norm",
            .k_norm = L "self_attn.k_norm",
        },
        "olmoe");
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

TEST(text_of_qwen2_vl_gives_the_reference_logits)
{
    family_check(
        &(ref_spec){
            .config = CONFIG("Qwen2_5_VLForConditionalGeneration",
                             SIZES ",'rope_scaling':{'type':'mrope','mrope_section':[1,1,2]}"),
            COMMON,
            UNTIED,
            PRE_NORMS,
            .qkv_bias = true,
        },
        "qwen2vl");
}

TEST(text_of_qwen3_vl_gives_the_reference_logits)
{
    family_check(
        &(ref_spec){
            .config =
                "{'architectures':['Qwen3VLForConditionalGeneration'],"
                "'text_config':{'model_type':'qwen3_vl_text','vocab_size':40,'head_dim':8," SIZES
                ",'rope_scaling':{'rope_type':'default','mrope_interleaved':true,"
                "'mrope_section':[2,1,1]}}}",
            .embd = "model.language_model.embed_tokens",
            .out_norm = "model.language_model.norm",
            .attn_norm = TL "input_layernorm",
            .ffn_norm = TL "post_attention_layernorm",
            .q = TL "self_attn.q_proj",
            .k = TL "self_attn.k_proj",
            .v = TL "self_attn.v_proj",
            .o = TL "self_attn.o_proj",
            .qk_norm = REF_HEADS,
            .q_norm = TL "self_attn.q_norm",
            .k_norm = TL "self_attn.k_norm",
            .gate = TL "mlp.gate_proj",
            .up = TL "mlp.up_proj",
            .down = TL "mlp.down_proj",
        },
        "qwen3vl");
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

TEST(olmo3_gives_the_reference_logits)
{
    family_check(
        &(ref_spec){
            .config =
                CONFIG("Olmo3ForCausalLM", SIZES
                       ",'sliding_window':3,'layer_types':['sliding_attention','sliding_attention',"
                       "'sliding_attention','full_attention'],'rope_scaling':{'rope_type':'yarn',"
                       "'factor':8.0,'attention_factor':1.2079441541679836,"
                       "'original_max_position_embeddings':8}"),
            COMMON,
            UNTIED,
            .qk_norm = REF_ALL,
            .q_norm = L "self_attn.q_norm",
            .k_norm = L "self_attn.k_norm",
            .attn_post_norm = L "post_attention_layernorm",
            .ffn_post_norm = L "post_feedforward_layernorm",
            .window = 3,
            .yarn_factor = 8.0,
            .yarn_original = 8.0,
            .yarn_magnitude = 1.2079441541679836,
            .plain_windows = true,
        },
        "olmo2");
}

TEST(minicpm3_gives_the_reference_logits)
{
    static const double factors[] = { 1.0, 2.5 };
    family_check(
        &(ref_spec){
            .config = CONFIG(
                "MiniCPM3ForCausalLM",
                "'hidden_size':32,'num_hidden_layers':4,'num_attention_heads':4,"
                "'num_key_value_heads':4,'intermediate_size':48,'max_position_embeddings':64,"
                "'rms_norm_eps':1e-5,'q_lora_rank':12,'kv_lora_rank':16,'qk_nope_head_dim':8,"
                "'qk_rope_head_dim':4,'scale_emb':12,'scale_depth':1.4,'dim_model_base':256,"
                "'rope_scaling':{'type':'longrope','short_factor':[1.0,2.5],'long_factor':[9,9],"
                "'original_max_position_embeddings':64}"),
            MOST,
            PRE_NORMS,
            .kv = 4,
            .q_a = L "self_attn.q_a_proj",
            .q_a_norm = L "self_attn.q_a_layernorm",
            .q_b = L "self_attn.q_b_proj",
            .kv_a = L "self_attn.kv_a_proj_with_mqa",
            .kv_a_norm = L "self_attn.kv_a_layernorm",
            .kv_b = L "self_attn.kv_b_proj",
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
                "PLMForCausalLM",
                "'hidden_size':32,'num_hidden_layers':4,'num_attention_heads':4,"
                "'intermediate_size':48,'max_position_embeddings':64,'rms_norm_eps':1e-5,"
                "'hidden_act':'relu2','kv_lora_rank':16,'qk_nope_head_dim':8,'qk_rope_head_dim':4,"
                "'v_head_dim':8,'num_key_value_heads':4"),
            MOST,
            PRE_NORMS,
            .kv = 4,
            .q = L "self_attn.q_proj",
            .kv_a = L "self_attn.kv_a_proj_with_mqa",
            .kv_a_norm = L "self_attn.kv_a_layernorm",
            .kv_b = L "self_attn.kv_b_proj",
            .pairs = true,
            .act = REF_RELU2,
        },
        "plm");
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

TEST(apertus_gives_the_reference_logits)
{
    family_check(
        &(ref_spec){
            .config = CONFIG("ApertusForCausalLM", SIZES ",'hidden_act':'xielu'"),
            COMMON,
            UNTIED,
            HEAD_NORMS,
            .attn_norm = L "attention_layernorm",
            .ffn_norm = L "feedforward_layernorm",
            .act = REF_XIELU,
            .xielu = L "mlp.act_fn.",
        },
        "apertus");
}

TEST(orion_gives_the_reference_logits)
{
    family_check(
        &(ref_spec){
            .config = CONFIG("OrionForCausalLM", SIZES),
            COMMON,
            UNTIED,
            PRE_NORMS,
            LAYER_NORMS,
        },
        "orion");
}

/* A text model within another: its config is a part, its names have more before them. */
TEST(the_text_part_of_a_model_that_sees_is_converted)
{
    static double want[FAMILY_N * REF_VOCAB];
    gguf g;
    buf notes = { 0 };
    char out[500];
    lory_err err = { 0 };
    hf_test f = ref_run(
        &(ref_spec){
            .config = "{'architectures':['SomeForConditionalGeneration'],"
                      "'text_config':{'model_type':'mistral','vocab_size':40," SIZES
                      "},'vision_config':{'hidden_size':64}}",
            .embd = "model.language_model.embed_tokens",
            .beside = { "model.vision_tower.patch.weight", "model.multi_modal_projector.weight" },
            .out_norm = "model.language_model.norm",
            .head = "lm_head",
            .attn_norm = TL "input_layernorm",
            .ffn_norm = TL "post_attention_layernorm",
            .q = TL "self_attn.q_proj",
            .k = TL "self_attn.k_proj",
            .v = TL "self_attn.v_proj",
            .o = TL "self_attn.o_proj",
            .gate = TL "mlp.gate_proj",
            .up = TL "mlp.up_proj",
            .down = TL "mlp.down_proj",
        },
        "seeing", family_text, FAMILY_N, want);
    REQUIRE(hf_make(&f, RETYPE_KEEP, &g, &notes, &err), "%s", err.text);
    CHECK(notes.data && strstr(notes.data, "not used: model.vision_tower.patch.weight\n")
              && strstr(notes.data, "not used: model.multi_modal_projector.weight\n"),
          "%s", notes.data);
    gguf_close(&g);
    buf_free(&notes);
    snprintf(out, sizeof out, "%s.gguf", f.path);
    family_run(out, "llama", want);
}

TEST(every_architecture_is_in_the_page_of_models)
{
    buf page = { 0 };
    lory_err err = { 0 };
    char name[64];
    REQUIRE(file_read("models/FORMATS.md", 1 << 20, &page, &err), "%s", err.text);
    for (int i = 0; archs[i]; i++) {
        snprintf(name, sizeof name, "`%s`", archs[i]->name);
        CHECK(strstr(page.data, name), "models/FORMATS.md lacks %s", name);
    }
    buf_free(&page);
}

#define P "model.layers.layers.%d."

TEST(plamo_gives_the_reference_logits)
{
    family_check(
        &(ref_spec){
            .config = CONFIG("PlamoForCausalLM",
                             "'hidden_size':32,'num_hidden_layers':4,'num_attention_heads':4,"
                             "'num_key_value_heads':4,'n_shared_head':2,'intermediate_size':48,"
                             "'max_position_embeddings':64,'rms_norm_eps':1e-6"),
            .embd = "model.embed_tokens",
            .out_norm = "model.norm",
            UNTIED,
            .attn_norm = P "norm",
            .q = P "self_attn.q_proj",
            .k = P "self_attn.k_proj",
            .v = P "self_attn.v_proj",
            .o = P "self_attn.o_proj",
            .gate = P "mlp.gate_proj",
            .up = P "mlp.up_proj",
            .down = P "mlp.down_proj",
            .norm_eps = 1e-6,
            .tiled = true,
            .parallel = true,
        },
        "plamo");
}

static const ref_spec chameleon = {
    .config = CONFIG("ChameleonForConditionalGeneration", SIZES ",'swin_norm':false"),
    COMMON,
    UNTIED,
    PRE_NORMS,
    .qk_norm = REF_HEAD_LAYERS,
    .q_norm = L "self_attn.q_norm",
    .k_norm = L "self_attn.k_norm",
};

TEST(text_of_chameleon_gives_the_reference_logits)
{
    family_check(&chameleon, "chameleon");
    family_check(
        &(ref_spec){
            .config = CONFIG("ChameleonForConditionalGeneration", SIZES ",'swin_norm':true"),
            COMMON,
            UNTIED,
            .attn_post_norm = L "input_layernorm",
            .ffn_post_norm = L "post_attention_layernorm",
            .qk_norm = REF_HEAD_LAYERS,
            .q_norm = L "self_attn.q_norm",
            .k_norm = L "self_attn.k_norm",
        },
        "chameleon");
}

/* Writes the file again with a list of tokens, of which [first, end) but `except` are images'. */
static void name_tokens(const gguf *g, const char *path, int first, int end, int except)
{
    gguf_str names[REF_VOCAB];
    gguf_writer w;
    lory_err err;
    REQUIRE(gguf_create(&w, path, &err), "%s", err.text);
    for (size_t i = 0; i < g->n_kv; i++) gguf_put_kv(&w, &g->kv[i]);
    for (int i = 0; i < REF_VOCAB; i++)
        names[i] = i >= first && i < end && i != except ? (gguf_str){ "IMGIMGABZ", 9 }
                                                        : (gguf_str){ "IMG", 3 };
    gguf_put_strs(&w, "tokenizer.ggml.tokens", names, REF_VOCAB);
    family_put_tensors(&w, g);
}

TEST(chameleon_does_not_predict_the_tokens_of_images)
{
    static double want[FAMILY_N * REF_VOCAB];
    char out[500];
    gguf g;
    buf notes = { 0 };
    lory_err err = { 0 };
    hf_test f = ref_run(&chameleon, "chameleon", family_text, FAMILY_N, want);
    REQUIRE(hf_make(&f, RETYPE_KEEP, &g, &notes, &err), "%s", err.text);
    snprintf(out, sizeof out, "%s-named.gguf", f.path);
    name_tokens(&g, out, 5, 31, -1);
    lory_model *m = lory_model_open(out, &err);
    REQUIRE(m, "%s", err.text);
    for (int n_threads = 1; n_threads <= 3; n_threads += 2) {
        lory_session_params p = { .n_ctx = 64, .n_threads = n_threads };
        lory_session *s = lory_session_new(m, &p, &err);
        REQUIRE(s && lory_session_eval(s, (lory_token[]){ 3, 17 }, 2, &err), "%s", err.text);
        for (int i = 0; i < REF_VOCAB; i++)
            CHECK((lory_session_logits(s)[i] == -FLT_MAX) == (i >= 5 && i < 31), "%d", i);
        lory_session_free(s);
    }
    lory_model_close(m);
    name_tokens(&g, out, 5, 31, 7);
    CHECK(!lory_model_open(out, &err) && err.code == LORY_E_UNSUPPORTED, "%s", err.text);
    gguf_close(&g);
    buf_free(&notes);
}
