/* test_families_text.c - as test_families.c, of the text models within those that also see or hear,
 * under each of the names that folders have them by. */
#include "family_check.h"
#include "lory.h"
#include <float.h>

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

#define VL(l) l "layers.%d."
#define BLOCK(l)                                                                                   \
    .attn_norm = VL(l) "input_layernorm", .ffn_norm = VL(l) "post_attention_layernorm",            \
    .q = VL(l) "self_attn.q_proj", .k = VL(l) "self_attn.k_proj", .v = VL(l) "self_attn.v_proj",   \
    .o = VL(l) "self_attn.o_proj"
#define NAMES(l)                                                                                   \
    .embd = l "embed_tokens", .out_norm = l "norm", BLOCK(l), .gate = VL(l) "mlp.gate_proj",       \
    .up = VL(l) "mlp.up_proj", .down = VL(l) "mlp.down_proj"
#define VOCAB "'vocab_size':40,"

TEST(text_of_internvl_gives_the_reference_logits)
{
    family_check(
        &(ref_spec){
            .config = "{'architectures':['InternVLChatModel'],"
                      "'llm_config':{'architectures':['Qwen3ForCausalLM'],'head_dim':8," VOCAB SIZES
                      "},'vision_config':{'hidden_size':64}}",
            NAMES("language_model.model."),
            .head = "language_model.lm_head",
            .qk_norm = REF_HEADS,
            .q_norm = VL("language_model.model.") "self_attn.q_norm",
            .k_norm = VL("language_model.model.") "self_attn.k_norm",
            .beside = { "vision_model.embeddings.class_embedding", "mlp1.0.weight" },
        },
        "qwen3");
}

TEST(text_of_smolvlm_gives_the_reference_logits)
{
    family_check(
        &(ref_spec){
            .config = "{'architectures':['SmolVLMForConditionalGeneration'],"
                      "'text_config':{'model_type':'llama'," VOCAB SIZES "}}",
            NAMES("model.text_model."),
            UNTIED,
            .beside = { "model.vision_model.embeddings.patch_embedding.weight",
                        "model.connector.modality_projection.proj.weight" },
        },
        "llama");
}

TEST(text_of_deepseek_vl_gives_the_reference_logits)
{
    family_check(
        &(ref_spec){
            .config = "{'architectures':['DeepseekVLV2ForCausalLM'],"
                      "'language_config':{'architectures':['LlamaForCausalLM']," VOCAB SIZES "}}",
            NAMES("language.model."),
            .head = "language.lm_head",
            .beside = { "projector.layers.0.weight", "image_newline" },
        },
        "llama");
}

#define SECTIONS ",'rope_scaling':{'rope_type':'default','mrope_section':[2,1,1]}"

TEST(text_of_qwen_omni_gives_the_reference_logits)
{
    family_check(
        &(ref_spec){
            .config =
                "{'architectures':['Qwen2_5OmniModel'],"
                "'thinker_config':{'text_config':{'model_type':'qwen2_5_omni_text'," VOCAB SIZES
                    SECTIONS "}}}",
            NAMES("thinker.model."),
            .head = "thinker.lm_head",
            .qkv_bias = true,
            .beside = { "thinker.visual.blocks.0.norm1.weight", "talker.codec_head.weight" },
        },
        "qwen2vl");
    family_check(
        &(ref_spec){
            .config = "{'architectures':['Qwen3OmniMoeForConditionalGeneration'],"
                      "'thinker_config':{'text_config':{'model_type':'qwen3_omni_moe_text',"
                      "'head_dim':8," VOCAB SIZES SECTIONS
                      ",'num_experts':4,'num_experts_per_tok':2,'moe_intermediate_size':24}}}",
            .embd = "thinker.model.embed_tokens",
            .out_norm = "thinker.model.norm",
            BLOCK("thinker.model."),
            .head = "thinker.lm_head",
            .qk_norm = REF_HEADS,
            .q_norm = VL("thinker.model.") "self_attn.q_norm",
            .k_norm = VL("thinker.model.") "self_attn.k_norm",
            .router = VL("thinker.model.") "mlp.gate",
            .exp_gate = VL("thinker.model.") "mlp.experts.%d.gate_proj.weight",
            .exp_up = VL("thinker.model.") "mlp.experts.%d.up_proj.weight",
            .exp_down = VL("thinker.model.") "mlp.experts.%d.down_proj.weight",
            .normalises = true,
            .beside = { "thinker.audio_tower.conv2d1.weight", "code2wav.norm.weight" },
        },
        "qwen3vlmoe");
}

TEST(text_of_exaone_4_5_gives_the_reference_logits)
{
    family_check(
        &(ref_spec){
            .config = "{'architectures':['Exaone4_5_ForConditionalGeneration'],"
                      "'text_config':{'model_type':'exaone4_5_text','head_dim':8," VOCAB SIZES
                      ",'sliding_window':3,'sliding_window_pattern':'LLLG'}}",
            .embd = "model.language_model.embed_tokens",
            .out_norm = "model.language_model.norm",
            .head = "lm_head",
            .q = TL "self_attn.q_proj",
            .k = TL "self_attn.k_proj",
            .v = TL "self_attn.v_proj",
            .o = TL "self_attn.o_proj",
            .qk_norm = REF_HEADS,
            .q_norm = TL "self_attn.q_norm",
            .k_norm = TL "self_attn.k_norm",
            .attn_post_norm = TL "post_attention_layernorm",
            .gate = TL "mlp.gate_proj",
            .up = TL "mlp.up_proj",
            .down = TL "mlp.down_proj",
            .ffn_post_norm = TL "post_feedforward_layernorm",
            .window = 3,
            .rotation = REF_WINDOWS_ONLY,
            .beside = { "model.visual.patch_embed.proj.weight", "mtp.fc.weight" },
        },
        "exaone4");
}

/* A model of documents, whose text is Qwen2 in a flat config. */
TEST(text_of_dots_ocr_gives_the_reference_logits)
{
    family_check(
        &(ref_spec){
            .config = CONFIG("DotsOCRForCausalLM", SIZES),
            COMMON,
            UNTIED,
            PRE_NORMS,
            .qkv_bias = true,
            .beside = { "vision_tower.blocks.0.attn.qkv.weight" },
        },
        "qwen2");
}

TEST(text_of_phi_3_v_gives_the_reference_logits)
{
    family_check(
        &(ref_spec){
            .config = CONFIG(
                "Phi3VForCausalLM",
                "'hidden_size':32,'num_hidden_layers':4,'num_attention_heads':4,"
                "'num_key_value_heads':2,'intermediate_size':256,'max_position_embeddings':64,"
                "'original_max_position_embeddings':64,'rms_norm_eps':1e-5"),
            .embd = "model.embed_tokens",
            .out_norm = "model.norm",
            UNTIED,
            PRE_NORMS,
            .q = L "self_attn.qkv_proj",
            .qkv = REF_FUSED,
            .o = L "self_attn.o_proj",
            .down = L "mlp.down_proj",
            .gate_up = true,
            .gate = L "mlp.gate_up_proj",
            .beside = { "model.vision_embed_tokens.glb_GN" },
        },
        "phi3");
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

TEST(text_of_qwen3_vl_with_experts_gives_the_reference_logits)
{
    family_check(
        &(ref_spec){
            .config = "{'architectures':['Qwen3VLMoeForConditionalGeneration'],"
                      "'text_config':{'model_type':'qwen3_vl_moe_text','vocab_size':40,"
                      "'head_dim':8," SIZES
                      ",'num_experts':4,'num_experts_per_tok':2,'moe_intermediate_size':24,"
                      "'rope_scaling':{'rope_type':'default','mrope_section':[2,1,1]}}}",
            .embd = "model.language_model.embed_tokens",
            .out_norm = "model.language_model.norm",
            .head = "lm_head",
            .attn_norm = TL "input_layernorm",
            .ffn_norm = TL "post_attention_layernorm",
            .q = TL "self_attn.q_proj",
            .k = TL "self_attn.k_proj",
            .v = TL "self_attn.v_proj",
            .o = TL "self_attn.o_proj",
            .qk_norm = REF_HEADS,
            .q_norm = TL "self_attn.q_norm",
            .k_norm = TL "self_attn.k_norm",
            .router = TL "mlp.gate",
            .exp_in = TL "mlp.experts.gate_up_proj",
            .exp_out = TL "mlp.experts.down_proj",
            .exp_transposes = true,
            .normalises = true,
        },
        "qwen3vlmoe");
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
                      "'layer_rope_theta':[10000.0,10000.0,10000.0,0]" WINDOWS "}}",
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
