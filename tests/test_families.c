/* test_families.c - families that no reference file is here for: a made-up folder, as the
 * transformers library would write it, is converted and run, and held against a decoder in doubles
 * that goes by the names and the layout of the folder (hf_reference.c). Here those with norms,
 * positions or matrices that LLaMA does not have; test_families_*.c have the others. */
#include "family_check.h"

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
    family_check_rewritten(&glm4, "glm4", write_seeing);
}

TEST(jais_2_gives_the_reference_logits)
{
    family_check(
        &(ref_spec){
            .config = CONFIG(
                "Jais2ForCausalLM", BASE_SIZES
                ",'head_dim':8,'layer_norm_eps':1e-5,'hidden_act':'relu2','rope_theta':500000.0"),
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

#define P3 "model.layers.layers.%d."

/* Norms after sub-layers count 1/5 and 1/5^1.5 more than their weights, the others 1. */
TEST(plamo_3_gives_the_reference_logits)
{
    family_check(
        &(ref_spec){
            .config =
                CONFIG("Plamo3ForCausalLM",
                       "'hidden_size':32,'num_hidden_layers':4,'num_attention_heads':4,"
                       "'num_key_value_heads':2,'head_dim':8,'intermediate_size':256,"
                       "'max_position_embeddings':64,'rms_norm_eps':1e-5,'window_size':3,"
                       "'sliding_window_pattern':4,'rope_theta':1000.0,'rope_local_theta':100.0,"
                       "'hidden_activation':'swiglu','rope_scaling_factor':1"),
            .embd = "model.embed_tokens",
            .out_norm = "model.norm",
            .norm = REF_RMS_1P,
            .attn_norm = P3 "pre_mixer_norm",
            .q = P3 "mixer.qkv_proj",
            .qkv = REF_FUSED,
            .qk_norm = REF_HEADS,
            .q_norm = P3 "mixer.q_norm",
            .k_norm = P3 "mixer.k_norm",
            .o = P3 "mixer.o_proj",
            .attn_post_norm = P3 "post_mixer_norm",
            .attn_post_plus = 0.2,
            .ffn_norm = P3 "pre_mlp_norm",
            .gate = P3 "mlp.gate_up_proj",
            .gate_up = true,
            .down = P3 "mlp.down_proj",
            .ffn_post_norm = P3 "post_mlp_norm",
            .ffn_post_plus = 0.08944271909999159,
            .window = 3,
            .theta = 1000.0,
            .local_theta = 100.0,
        },
        "plamo3");
}
