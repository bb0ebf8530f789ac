/* test_families_more.c - as test_families.c, of families of 2025 and 2026. */
#include "family_check.h"
#include "gguf/gguf_write.h"
#include "lory.h"

#define OLD_SIZES                                                                                  \
    "'hidden_size':32,'num_hidden_layers':4,'num_attention_heads':4,"                              \
    "'max_position_embeddings':64,'rms_norm_eps':1e-5,"
#define TYPES                                                                                      \
    ",'sliding_window':3,'layer_types':['sliding_attention','sliding_attention',"                  \
    "'sliding_attention','full_attention']"
#define LATENT_SIZES                                                                               \
    "'num_key_value_heads':4,'intermediate_size':48,'q_lora_rank':12,'kv_lora_rank':16,"           \
    "'qk_nope_head_dim':8,'qk_rope_head_dim':4,'v_head_dim':8,'n_shared_experts':1,"               \
    "'first_k_dense_replace':1,'norm_topk_prob':true,'routed_scaling_factor':1.8" EXPERTS
#define LATENT                                                                                     \
    MOST, UNTIED, PRE_NORMS, ROUTED, SHARED_EXPERTS,                                               \
        .kv = 4, .q_a = L "self_attn.q_a_proj", .q_a_norm = L "self_attn.q_a_layernorm",           \
        .q_b = L "self_attn.q_b_proj", .kv_a = L "self_attn.kv_a_proj_with_mqa",                   \
        .kv_a_norm = L "self_attn.kv_a_layernorm", .kv_b = L "self_attn.kv_b_proj", .pairs = true, \
        .n_dense = 1, .n_shared = 1, .sigmoid = true, .normalises = true, .expert_scale = 1.8,     \
        .router_bias = L "mlp.gate.e_score_correction_bias"

/* Groups of experts, and YaRN whose scores grow, are V3's. */
TEST(deepseek_v3_2_gives_the_reference_logits)
{
    family_check(
        &(ref_spec){
            .config = CONFIG(
                "DeepseekV32ForCausalLM", OLD_SIZES LATENT_SIZES
                ",'index_topk':64,'scoring_func':'sigmoid','n_group':2,'topk_group':1,"
                "'rope_theta':10000.0,'rope_scaling':{'type':'yarn','factor':4.0,'mscale':1.0,"
                "'mscale_all_dim':1.0,'original_max_position_embeddings':4}"),
            LATENT,
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
            .config =
                CONFIG("Glm4MoeLiteForCausalLM", OLD_SIZES LATENT_SIZES ",'rope_theta':1000.0"),
            LATENT,
            .theta = 1000.0,
        },
        "deepseek2");
}

/* What sees has its text within. */
TEST(text_of_kimi_gives_the_reference_logits)
{
    family_check(
        &(ref_spec){
            .config =
                "{'architectures':['KimiVLForConditionalGeneration'],"
                "'text_config':{'model_type':'deepseek_v3','vocab_size':40," OLD_SIZES LATENT_SIZES
                ",'scoring_func':'sigmoid','rope_theta':1000.0}}",
            LATENT,
            .beside = { "vision_tower.encoder.blocks.0.wo.weight" },
            .theta = 1000.0,
        },
        "deepseek2");
}

/* The folder of a model is converted, its file written anew at `path` by `rewrite`, as others write
 * it, and that run. */
static void check_rewritten(const ref_spec *spec, const char *arch,
                            void (*rewrite)(const gguf *g, const char *path))
{
    static double want[FAMILY_N * REF_VOCAB];
    char out[500];
    gguf g;
    buf notes = { 0 };
    lory_err err = { 0 };
    hf_test f = ref_run(spec, arch, family_text, FAMILY_N, want);
    REQUIRE(hf_make(&f, RETYPE_KEEP, &g, &notes, &err), "%s", err.text);
    snprintf(out, sizeof out, "%s/rewritten.gguf", f.path);
    rewrite(&g, out);
    gguf_close(&g);
    buf_free(&notes);
    family_run(out, arch, want);
}

static const ref_spec k_exaone = {
    .config =
        CONFIG("ExaoneMoEForCausalLM", SIZES
               ",'head_dim':8,'moe_intermediate_size':24,'num_experts':4,'num_experts_per_tok':2,"
               "'num_shared_experts':1,'first_k_dense_replace':1,'routed_scaling_factor':2.5,"
               "'sliding_window_pattern':'LLLG'" TYPES),
    COMMON,
    UNTIED,
    PRE_NORMS,
    HEAD_NORMS,
    ROUTED,
    SHARED_EXPERTS,
    .router_bias = L "mlp.gate.e_score_correction_bias",
    .beside = { "mtp.fc.weight" },
    .n_dense = 1,
    .n_shared = 1,
    .window = 3,
    .rotation = REF_WINDOWS_ONLY,
    .sigmoid = true,
    .normalises = true,
    .expert_scale = 2.5,
};

TEST(k_exaone_gives_the_reference_logits)
{
    family_check(&k_exaone, "exaone-moe");
}

/* The same file, with a layer more that predicts further tokens. */
static void write_predictor(const gguf *g, const char *path)
{
    gguf_writer w;
    lory_err err;
    REQUIRE(gguf_create(&w, path, &err), "%s", err.text);
    for (size_t i = 0; i < g->n_kv; i++)
        if (!gguf_str_is(g->kv[i].key, "exaone-moe.block_count")) gguf_put_kv(&w, &g->kv[i]);
    gguf_put_u32(&w, "exaone-moe.block_count", 5);
    gguf_put_u32(&w, "exaone-moe.nextn_predict_layers", 1);
    gguf_put_bools(&w, "exaone-moe.attention.sliding_window_pattern",
                   (const bool[]){ true, true, true, false }, 4);
    family_put_tensors(&w, g);
}

TEST(windows_may_be_listed_without_layers_that_predict_further_tokens)
{
    check_rewritten(&k_exaone, "exaone-moe", write_predictor);
}

TEST(afmoe_gives_the_reference_logits)
{
    family_check(
        &(ref_spec){
            .config = CONFIG(
                "AfmoeForCausalLM", SIZES
                ",'head_dim':8,'moe_intermediate_size':24,'num_experts':4,'num_experts_per_tok':2,"
                "'num_shared_experts':1,'num_dense_layers':1,'route_scale':2.826,'route_norm':true,"
                "'score_func':'sigmoid','mup_enabled':true,'global_attn_every_n_layers':4" TYPES),
            COMMON,
            UNTIED,
            HEAD_NORMS,
            SHARED_EXPERTS,
            .attn_norm = L "input_layernorm",
            .attn_post_norm = L "post_attention_layernorm",
            .ffn_norm = L "pre_mlp_layernorm",
            .ffn_post_norm = L "post_mlp_layernorm",
            .attn_gate = L "self_attn.gate_proj",
            .gates_values = true,
            .router = L "mlp.router.gate",
            .router_bias = L "mlp.expert_bias",
            .exp_gate = L "mlp.experts.%d.gate_proj.weight",
            .exp_up = L "mlp.experts.%d.up_proj.weight",
            .exp_down = L "mlp.experts.%d.down_proj.weight",
            .embd_scale = 5.65685424949238019521,
            .n_dense = 1,
            .n_shared = 1,
            .window = 3,
            .rotation = REF_WINDOWS_ONLY,
            .sigmoid = true,
            .normalises = true,
            .expert_scale = 2.826,
        },
        "afmoe");
}

TEST(solar_open_gives_the_reference_logits)
{
    family_check(
        &(ref_spec){
            .config = CONFIG("SolarOpenForCausalLM", SIZES EXPERTS
                             ",'head_dim':8,'n_shared_experts':1,'first_k_dense_replace':0,"
                             "'norm_topk_prob':true,'routed_scaling_factor':1.5"),
            COMMON,
            UNTIED,
            PRE_NORMS,
            ROUTED,
            SHARED_EXPERTS,
            .router_bias = L "mlp.gate.e_score_correction_bias",
            .n_shared = 1,
            .sigmoid = true,
            .normalises = true,
            .expert_scale = 1.5,
        },
        "glm4moe");
}

TEST(grok_2_gives_the_reference_logits)
{
    family_check(
        &(ref_spec){
            .config =
                CONFIG("Grok1ForCausalLM", SIZES
                       ",'head_dim':8,'moe_intermediate_size':24,'num_local_experts':4,"
                       "'num_experts_per_tok':2,'residual_moe':true,'attn_output_multiplier':0.9,"
                       "'attn_logit_softcapping':0.7,'router_logit_softcapping':0.4,"
                       "'final_logit_softcapping':2.0,'embedding_multiplier_scale':1.5,"
                       "'output_multiplier_scale':0.25,'attn_temperature_len':64"),
            COMMON,
            UNTIED,
            .attn_norm = L "pre_attn_norm",
            .attn_post_norm = L "post_attn_norm",
            .ffn_norm = L "pre_moe_norm",
            .ffn_post_norm = L "post_moe_norm",
            .router = L "block_sparse_moe.gate",
            .exp_gate = L "block_sparse_moe.experts.%d.w1.weight",
            .exp_up = L "block_sparse_moe.experts.%d.w3.weight",
            .exp_down = L "block_sparse_moe.experts.%d.w2.weight",
            .act = REF_GELU_GATE,
            .dense_beside = true,
            .attn_scale = 0.9,
            .attn_cap = 0.7,
            .router_cap = 0.4,
            .logit_cap = 2.0,
            .embd_scale = 1.5,
            .logit_scale = 0.25,
        },
        "grok");
}

TEST(hunyuan_3_gives_the_reference_logits)
{
    family_check(
        &(ref_spec){
            .config = CONFIG(
                "HYV3ForCausalLM", SIZES
                ",'head_dim':8,'moe_intermediate_size':24,'num_experts':4,'num_experts_per_tok':2,"
                "'num_shared_experts':1,'router_scaling_factor':2.826,'mlp_layer_types':['dense',"
                "'sparse','sparse','sparse']"),
            COMMON,
            UNTIED,
            PRE_NORMS,
            HEAD_NORMS,
            SHARED_EXPERTS,
            .router = L "mlp.gate",
            .router_bias = L "mlp.e_score_correction_bias",
            .exp_in = L "mlp.experts.gate_up_proj",
            .exp_out = L "mlp.experts.down_proj",
            .n_dense = 1,
            .n_shared = 1,
            .sigmoid = true,
            .normalises = true,
            .expert_scale = 2.826,
        },
        "hy_v3");
}

TEST(jais_2_gives_the_reference_logits)
{
    family_check(
        &(ref_spec){
            .config = CONFIG(
                "Jais2ForCausalLM", OLD_SIZES
                "'num_key_value_heads':2,'intermediate_size':48,'head_dim':8,'layer_norm_eps':1e-5,"
                "'hidden_act':'relu2','rope_theta':500000.0"),
            COMMON,
            UNTIED,
            PRE_NORMS,
            LAYER_NORMS,
            .qkv_bias = true,
            .o_bias = true,
            .ffn_bias = true,
            .act = REF_RELU2,
            .theta = 500000.0,
        },
        "jais2");
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

TEST(granite_4_without_recurrent_layers_gives_the_reference_logits)
{
    family_check(
        &(ref_spec){
            .config = CONFIG(
                "GraniteMoeHybridForCausalLM", OLD_SIZES
                "'num_key_value_heads':2,'intermediate_size':64,'shared_intermediate_size':256,"
                "'num_local_experts':0,'num_experts_per_tok':0,'position_embedding_type':'rope',"
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

#define MUSE "model.language_model."

TEST(text_of_muse_glimmer_gives_the_reference_logits)
{
    family_check(
        &(ref_spec){
            .config = "{'architectures':['MuseGlimmerForConditionalGeneration'],"
                      "'text_config':{'model_type':'muse_glimmer_text','vocab_size':40," SIZES
                      ",'head_dim':8,'hidden_activation':'silu','final_logit_softcapping':3.0,"
                      "'qk_scale_factor':2.5,'output_multiplier':0.3,'post_norm_eps':1e-8,"
                      "'layer_rope_theta':[10000.0,10000.0,10000.0,0]" TYPES "}}",
            .embd = MUSE "embed_tokens",
            .out_norm = MUSE "norm",
            .out_norm_plain = true,
            UNTIED,
            .norm = REF_RMS_1P,
            .post_eps = 1e-8,
            .attn_norm = MUSE "layers.%d.input_layernorm",
            .attn_post_norm = MUSE "layers.%d.post_attention_layernorm",
            .ffn_norm = MUSE "layers.%d.pre_feedforward_layernorm",
            .ffn_post_norm = MUSE "layers.%d.post_feedforward_layernorm",
            .q = MUSE "layers.%d.self_attn.q_proj",
            .k = MUSE "layers.%d.self_attn.k_proj",
            .v = MUSE "layers.%d.self_attn.v_proj",
            .o = MUSE "layers.%d.self_attn.o_proj",
            .attn_gate = MUSE "layers.%d.self_attn.gate_proj",
            .gate = MUSE "layers.%d.mlp.gate_proj",
            .up = MUSE "layers.%d.mlp.up_proj",
            .down = MUSE "layers.%d.mlp.down_proj",
            .beside = { "model.vision_tower.ln_pre.weight", "model.vision_projection.weight" },
            .normed_embd = true,
            .gates_values = true,
            .q_scale = 2.5,
            .logit_scale = 0.3,
            .logit_cap = 3.0,
            .window = 3,
            .rotation = REF_WINDOWS_ONLY,
        },
        "muse-glimmer");
}

static const ref_spec glm4 = {
    .config = CONFIG("Glm4ForCausalLM", SIZES ",'head_dim':8,'attention_bias':true"),
    QKV,
    UNTIED,
    .embd = "model.embed_tokens",
    .out_norm = "model.norm",
    .o = L "self_attn.o_proj",
    .attn_norm = L "input_layernorm",
    .attn_post_norm = L "post_self_attn_layernorm",
    .ffn_norm = L "post_attention_layernorm",
    .ffn_post_norm = L "post_mlp_layernorm",
    .gate = L "mlp.gate_up_proj",
    .down = L "mlp.down_proj",
    .gate_up = true,
    .widths = (const int[]){ REF_FF, REF_FF, REF_FF, REF_FF },
    .qkv_bias = true,
    .n_rot = 4,
    .pairs = true,
};

TEST(glm4_gives_the_reference_logits)
{
    family_check(&glm4, "glm4");
}

/* Its folders nest the share of a head that rotates as the transformers library does since 5. */
TEST(text_of_glm_4v_gives_the_reference_logits)
{
    ref_spec s = glm4;
    s.config = "{'architectures':['Glm4vForConditionalGeneration'],"
               "'text_config':{'model_type':'glm4v_text','vocab_size':40," SIZES
               ",'head_dim':8,'attention_bias':true,'rope_parameters':{'rope_type':'default',"
               "'partial_rotary_factor':0.5,'rope_theta':10000.0,'mrope_section':[1,1,0]}}}";
    family_check(&s, "glm4");
}

/* Rows of what a head rotates: of pairs (2i, 2i + 1), those of (i, i + n/2). */
static void write_halves(gguf_writer *w, const gguf_tensor *t, lory_err *err)
{
    size_t n = (size_t)(t->n_dims > 1 ? t->ne[1] : t->ne[0]), row = t->n_bytes / n;
    for (size_t i = 0; i < n; i++) {
        size_t at = i % REF_DIM, from = at < 2 ? 2 * at : at < 4 ? 2 * at - 3 : at;
        CHECK(gguf_write_data(w, (const char *)t->data + (i - at + from) * row, row, err), "%s",
              err->text);
    }
}

/* The same file as other converters write that of a model that sees. */
static void write_seeing(const gguf *g, const char *path)
{
    gguf_writer w;
    lory_err err;
    REQUIRE(gguf_create(&w, path, &err), "%s", err.text);
    for (size_t i = 0; i < g->n_kv; i++) gguf_put_kv(&w, &g->kv[i]);
    gguf_put_i32s(&w, "glm4.rope.dimension_sections", (const int32_t[]){ 1, 1, 0, 0 }, 4);
    for (size_t i = 0; i < g->n_tensors; i++)
        gguf_add_tensor(&w, g->tensors[i].name, g->tensors[i].type, g->tensors[i].n_dims,
                        g->tensors[i].ne);
    CHECK(gguf_begin_data(&w, &err), "%s", err.text);
    for (size_t i = 0; i < g->n_tensors; i++) {
        const gguf_tensor *t = &g->tensors[i];
        bool is_layer = t->name.n > 13 && memcmp(t->name.s, "blk.", 4) == 0;
        if (is_layer
            && (!memcmp(t->name.s + 5, ".attn_q.", 8) || !memcmp(t->name.s + 5, ".attn_k.", 8)))
            write_halves(&w, t, &err);
        else
            CHECK(gguf_write_data(&w, t->data, t->n_bytes, &err), "%s", err.text);
    }
    CHECK(gguf_commit(&w, &err), "%s", err.text);
}

TEST(glm4_of_files_with_sections_rotates_halves)
{
    check_rewritten(&glm4, "glm4", write_seeing);
}
