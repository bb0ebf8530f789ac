/* test_families_text.c - as test_families.c, of text models within others, under each of the names
 * that folders have them by, and of families that are another one's under names of their own. */
#include "family_check.h"
#include "lory.h"

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

/* ---- other names ----------------------------------------------------------------------------- */

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

TEST(youtu_gives_the_reference_logits)
{
    family_check(
        &(ref_spec){
            .config = CONFIG(
                "YoutuForCausalLM",
                "'hidden_size':32,'num_hidden_layers':4,'num_attention_heads':4,"
                "'num_key_value_heads':4,'intermediate_size':48,'max_position_embeddings':64,"
                "'rms_norm_eps':1e-5,'q_lora_rank':12,'kv_lora_rank':16,'qk_nope_head_dim':8,"
                "'qk_rope_head_dim':4,'v_head_dim':8,'rope_theta':1000.0,'rope_interleave':true"),
            MOST,
            UNTIED,
            PRE_NORMS,
            .kv = 4,
            .q_a = L "self_attn.q_a_proj",
            .q_a_norm = L "self_attn.q_a_layernorm",
            .q_b = L "self_attn.q_b_proj",
            .kv_a = L "self_attn.kv_a_proj_with_mqa",
            .kv_a_norm = L "self_attn.kv_a_layernorm",
            .kv_b = L "self_attn.kv_b_proj",
            .pairs = true,
            .theta = 1000.0,
        },
        "deepseek2");
}

TEST(sarvam_gives_the_reference_logits)
{
    family_check(
        &(ref_spec){
            .config = CONFIG(
                "SarvamMoEForCausalLM", SIZES
                ",'head_dim':8,'num_experts':4,'num_experts_per_tok':2,'moe_intermediate_size':24,"
                "'num_shared_experts':1,'n_group':1,'topk_group':1,'routed_scaling_factor':2.5,"
                "'first_k_dense_replace':1,'use_qk_norm':true"),
            .embd = "model.word_embeddings",
            .out_norm = "model.norm",
            UNTIED,
            PRE_NORMS,
            .q = L "attention.query_key_value",
            .qkv = REF_FUSED,
            .o = L "attention.dense",
            .qk_norm = REF_HEADS,
            .q_norm = L "attention.query_layernorm",
            .k_norm = L "attention.key_layernorm",
            .gate = L "mlp.gate_proj",
            .up = L "mlp.up_proj",
            .down = L "mlp.down_proj",
            ROUTED,
            SHARED_EXPERTS,
            .router_bias = L "mlp.gate.expert_bias",
            .n_dense = 1,
            .n_shared = 1,
            .sigmoid = true,
            .normalises = true,
            .expert_scale = 2.5,
        },
        "bailingmoe2");
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
