/* test_families_moe.c - as test_families.c, families with experts that are not all of one kind. */
#include "family_check.h"
#include "lory.h"
#include <math.h>

#define LL "language_model.model.layers.%d."
#define SPARSE_MOE                                                                                 \
    .router = L "block_sparse_moe.gate", .exp_gate = L "block_sparse_moe.experts.%d.w1.weight",    \
    .exp_up = L "block_sparse_moe.experts.%d.w3.weight",                                           \
    .exp_down = L "block_sparse_moe.experts.%d.w2.weight"
#define EXP_SIZES                                                                                  \
    "'hidden_size':32,'num_hidden_layers':4,'num_attention_heads':4,'num_key_value_heads':2,"      \
    "'intermediate_size':24,'max_position_embeddings':64,'rms_norm_eps':1e-5,"                     \
    "'rope_theta':10000.0"

/* Chunk size and temperature are as the config says, or as all of the family have them. */
#define LLAMA4(chunk, temperature)                                                                 \
    {                                                                                              \
        .config =                                                                                  \
            "{'architectures':['Llama4ForConditionalGeneration'],"                                 \
            "'text_config':{'model_type':'llama4_text','vocab_size':40,'head_dim':8," EXP_SIZES    \
            ",'intermediate_size_mlp':48,'num_local_experts':4,'num_experts_per_tok':2,"           \
            "'interleave_moe_layer_step':2,'use_qk_norm':true,'no_rope_layers':[1,1,1,"            \
            "0]," temperature "'attention_chunk_size':" chunk "}}",                                \
        .embd = "language_model.model.embed_tokens", .out_norm = "language_model.model.norm",      \
        .head = "language_model.lm_head", .attn_norm = LL "input_layernorm",                       \
        .ffn_norm = LL "post_attention_layernorm", .q = LL "self_attn.q_proj",                     \
        .k = LL "self_attn.k_proj", .v = LL "self_attn.v_proj", .o = LL "self_attn.o_proj",        \
        .gate = LL "feed_forward.gate_proj", .up = LL "feed_forward.up_proj",                      \
        .down = LL "feed_forward.down_proj", .router = LL "feed_forward.router",                   \
        .exp_in = LL "feed_forward.experts.gate_up_proj",                                          \
        .exp_out = LL "feed_forward.experts.down_proj",                                            \
        .sh_gate = LL "feed_forward.shared_expert.gate_proj",                                      \
        .sh_up = LL "feed_forward.shared_expert.up_proj",                                          \
        .sh_down = LL "feed_forward.shared_expert.down_proj", .n_shared = 1, .moe_step = 2,        \
        .exp_transposes = true, .weighs_input = true, .sigmoid = true, .pairs = true,              \
        .rotation = REF_NOT_FOURTH, .qk_norm = REF_UNIT_LATE, .chunks = true, .temp_still = true,  \
        .temp_offset = 1.0                                                                         \
    }

TEST(llama4_gives_the_reference_logits)
{
    ref_spec s = LLAMA4("4", "'attn_temperature_tuning':4,'floor_scale':2,'attn_scale':0.3,");
    s.window = 4;
    s.temp_scale = 0.3;
    s.temp_length = 2;
    family_check(&s, "llama4");
}

/* A session keeps the window of a layer and a batch; chunks of the text must not need more. */
TEST(chunks_of_the_text_fit_a_ring)
{
    enum { N_LONG = 500, CHUNK = 150 };
    static float logits[2][REF_VOCAB];
    static double want[FAMILY_N * REF_VOCAB];
    lory_token ids[N_LONG];
    char path[500];
    lory_err err = { 0 };
    gguf g;
    buf notes = { 0 };
    ref_spec s = LLAMA4("150", "");
    hf_test f = ref_run(&s, "ring", family_text, FAMILY_N, want);
    REQUIRE(hf_make(&f, RETYPE_KEEP, &g, &notes, &err), "%s", err.text);
    gguf_close(&g);
    buf_free(&notes);
    snprintf(path, sizeof path, "%s.gguf", f.path);
    lory_model *m = lory_model_open(path, &err);
    REQUIRE(m, "%s", err.text);
    for (int i = 0; i < N_LONG; i++) ids[i] = family_text[i * i % FAMILY_N];
    for (int i = 0; i < 2; i++) {
        lory_session_params params = { .n_ctx = 512, .n_batch = i ? 16 : 512, .n_threads = 1 };
        lory_session *session = lory_session_new(m, &params, &err);
        REQUIRE(session, "%s", err.text);
        CHECK(lory_session_eval(session, ids, N_LONG, &err), "%s", err.text);
        memcpy(logits[i], lory_session_logits(session), sizeof logits[i]);
        lory_session_free(session);
    }
    CHECK_SAME(logits[0], logits[1], sizeof logits[0], "a ring of %d", CHUNK);
    lory_model_close(m);
}

TEST(ernie4_5_with_experts_gives_the_reference_logits)
{
    family_check(
        &(ref_spec){
            .config = CONFIG(
                "Ernie4_5_MoeForCausalLM",
                SIZES ",'head_dim':8,'moe_num_experts':4,'moe_k':2,'moe_intermediate_size':24,"
                      "'moe_num_shared_experts':2,'moe_layer_interval':2,'moe_layer_start_index':1,"
                      "'moe_layer_end_index':3"),
            COMMON,
            UNTIED,
            PRE_NORMS,
            ROUTED,
            SHARED_EXPERTS,
            .pairs = true,
            .n_dense = 1,
            .moe_step = 2,
            .n_shared = 2,
            .normalises = true,
            .router_bias = L "mlp.moe_statics.e_score_correction_bias",
            .router_bias_is_row = true,
        },
        "ernie4_5-moe");
}

#define BAILING                                                                                    \
    .embd = "model.word_embeddings", .out_norm = "model.norm", .head = "lm_head",                  \
    .q = L "attention.query_key_value", .qkv = REF_FUSED, .o = L "attention.dense",                \
    .gate = L "mlp.gate_proj", .up = L "mlp.up_proj", .down = L "mlp.down_proj", PRE_NORMS,        \
    ROUTED, SHARED_EXPERTS

TEST(bailing_gives_the_reference_logits)
{
    family_check(
        &(ref_spec){
            .config = CONFIG(
                "BailingMoeForCausalLM", SIZES
                ",'head_dim':8,'num_experts':4,'num_experts_per_tok':2,'moe_intermediate_size':24,"
                "'num_shared_experts':2,'first_k_dense_replace':0,'norm_topk_prob':true,"
                "'norm_head':true"),
            BAILING,
            .n_shared = 2,
            .normalises = true,
            .unit_columns = true,
        },
        "bailingmoe");
}

TEST(bailing2_gives_the_reference_logits)
{
    family_check(
        &(ref_spec){
            .config = CONFIG(
                "BailingMoeV2ForCausalLM", SIZES
                ",'head_dim':8,'num_experts':4,'num_experts_per_tok':2,'moe_intermediate_size':24,"
                "'num_shared_experts':1,'n_group':2,'topk_group':1,'routed_scaling_factor':2.5,"
                "'norm_topk_prob':true,'score_function':'sigmoid','first_k_dense_replace':1,"
                "'partial_rotary_factor':0.5,'use_qk_norm':true"),
            BAILING,
            .qk_norm = REF_HEADS,
            .q_norm = L "attention.query_layernorm",
            .k_norm = L "attention.key_layernorm",
            .n_dense = 1,
            .n_shared = 1,
            .n_rot = 4,
            .n_group = 2,
            .n_group_used = 1,
            .sigmoid = true,
            .normalises = true,
            .expert_scale = 2.5,
            .router_bias = L "mlp.gate.expert_bias",
        },
        "bailingmoe2");
}

TEST(hunyuan_with_experts_gives_the_reference_logits)
{
    family_check(
        &(ref_spec){
            .config = CONFIG(
                "HunYuanMoEV1ForCausalLM", SIZES
                ",'head_dim':8,'num_experts':4,'moe_topk':[2,2,2,2],'moe_intermediate_size':[24,24,"
                "24,24],'num_shared_expert':[1,1,1,1],'use_qk_norm':true,'use_cla':false,"
                "'rope_scaling':{'type':'dynamic','alpha':4.0,'factor':1.0}"),
            COMMON,
            UNTIED,
            PRE_NORMS,
            .qk_norm = REF_HEADS_LATE,
            .q_norm = L "self_attn.query_layernorm",
            .k_norm = L "self_attn.key_layernorm",
            .router = L "mlp.gate.wg",
            .exp_gate = L "mlp.experts.%d.gate_proj.weight",
            .exp_up = L "mlp.experts.%d.up_proj.weight",
            .exp_down = L "mlp.experts.%d.down_proj.weight",
            .sh_gate = L "mlp.shared_mlp.gate_proj",
            .sh_up = L "mlp.shared_mlp.up_proj",
            .sh_down = L "mlp.shared_mlp.down_proj",
            .n_shared = 2, /* one of twice the length */
            .normalises = true,
            .theta = 10000.0 * pow(4.0, 8.0 / 6.0),
        },
        "hunyuan-moe");
}

TEST(minimax_m2_gives_the_reference_logits)
{
    family_check(
        &(ref_spec){
            .config =
                CONFIG("MiniMaxM2ForCausalLM", EXP_SIZES
                       ",'head_dim':8,'rotary_dim':4,'num_local_experts':4,'num_experts_per_tok':2,"
                       "'scoring_func':'sigmoid','qk_norm_type':'per_layer','use_qk_norm':true"),
            COMMON,
            UNTIED,
            PRE_NORMS,
            SPARSE_MOE,
            .qk_norm = REF_ALL,
            .q_norm = L "self_attn.q_norm",
            .k_norm = L "self_attn.k_norm",
            .n_rot = 4,
            .sigmoid = true,
            .normalises = true,
            .router_bias = L "block_sparse_moe.e_score_correction_bias",
        },
        "minimax-m2");
}

TEST(phimoe_gives_the_reference_logits)
{
    static const double factors[] = { 1.0, 1.5, 2.0, 4.0 };
    family_check(
        &(ref_spec){
            .config = CONFIG(
                "PhiMoEForCausalLM", EXP_SIZES
                ",'num_local_experts':4,'num_experts_per_tok':2,'attention_bias':true,"
                "'lm_head_bias':true,'router_jitter_noise':0.01,'rope_scaling':{'type':'longrope',"
                "'short_factor':[1.0,1.5,2.0,4.0],'long_factor':[9,9,9,9],'short_mscale':1.25,"
                "'long_mscale':1.25,'original_max_position_embeddings':64}"),
            COMMON,
            UNTIED,
            PRE_NORMS,
            SPARSE_MOE,
            LAYER_NORMS,
            .qkv_bias = true,
            .o_bias = true,
            .head_bias = true,
            .sparse = true,
            .factors = factors,
            .magnitude = 1.25,
        },
        "phimoe");
}

TEST(smallthinker_gives_the_reference_logits)
{
    static const char *const layouts[] = {
        "'sliding_window_layout':[0,0,0,0],'rope_layout':[1,1,1,1]}",
        "'sliding_window_layout':[0,1,1,1],'rope_layout':[0,1,1,1]}"
    };
    for (int i = 0; i < 2; i++) {
        char config[800];
        snprintf(config, sizeof config,
                 CLASS("SmallThinkerForCausalLM") SIZES
                 ",'head_dim':8,'moe_num_primary_experts':4,'moe_num_active_primary_experts':2,"
                 "'moe_ffn_hidden_size':24,'moe_primary_router_apply_softmax':false,"
                 "'sliding_window_size':3,%s",
                 layouts[i]);
        family_check(
            &(ref_spec){
                .config = config,
                COMMON,
                UNTIED,
                PRE_NORMS,
                .router = L "block_sparse_moe.primary_router",
                .exp_gate = L "block_sparse_moe.experts.%d.gate.weight",
                .exp_up = L "block_sparse_moe.experts.%d.up.weight",
                .exp_down = L "block_sparse_moe.experts.%d.down.weight",
                .early_router = true,
                .act = REF_RELU,
                .sigmoid = true,
                .normalises = true,
                .first_full = true,
                .window = i ? 3 : 0,
                .rotation = i ? REF_WINDOWS_ONLY : REF_ROTATES,
            },
            "smallthinker");
    }
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

#define DBRX "transformer.blocks.%d."

TEST(dbrx_gives_the_reference_logits)
{
    family_check(
        &(ref_spec){
            .config = CONFIG("DbrxForCausalLM",
                             "'d_model':32,'n_layers':4,'n_heads':4,'max_seq_len':64,"
                             "'attn_config':{'clip_qkv':0.6,'kv_n_heads':2,'rope_theta':500000.0},"
                             "'ffn_config':{'ffn_act_fn':{'name':'silu'},'ffn_hidden_size':24,"
                             "'moe_num_experts':4,'moe_top_k':2,'moe_normalize_expert_weights':1}"),
            .embd = "transformer.wte",
            .out_norm = "transformer.norm_f",
            UNTIED,
            .norm = REF_LAYER_NORM,
            .attn_norm = DBRX "norm_attn_norm.norm_1",
            .q = DBRX "norm_attn_norm.attn.Wqkv",
            .qkv = REF_FUSED,
            .clip = 0.6,
            .o = DBRX "norm_attn_norm.attn.out_proj",
            .ffn_norm = DBRX "norm_attn_norm.norm_2",
            .router = DBRX "ffn.router.layer",
            .exp_gate = DBRX "ffn.experts.mlp.w1",
            .exp_up = DBRX "ffn.experts.mlp.v1",
            .exp_down = DBRX "ffn.experts.mlp.w2",
            .exp_flat = true,
            .normalises = true,
            .theta = 500000.0,
        },
        "dbrx");
}

#define GROK "transformer.decoder_layer.%d."
#define GROK_1                                                                                     \
    .embd = "transformer.in_out_embed", .out_norm = "transformer.rms_norm", UNTIED,                \
    .attn_norm = GROK "rms_norm", .q = GROK "multi_head_attention.query",                          \
    .k = GROK "multi_head_attention.key", .v = GROK "multi_head_attention.value",                  \
    .o = GROK "multi_head_attention.linear", .attn_post_norm = GROK "rms_norm_1",                  \
    .ffn_norm = GROK "rms_norm_2", .router = GROK "router",                                        \
    .exp_gate = GROK "moe.%d.linear.weight", .exp_up = GROK "moe.%d.linear_v.weight",              \
    .exp_down = GROK "moe.%d.linear_1.weight", .ffn_post_norm = GROK "rms_norm_3",                 \
    .act = REF_GELU_GATE

/* Its numbers are the family's; then a config that has others. */
TEST(grok_1_gives_the_reference_logits)
{
    const char *sizes =
        "'hidden_size':32,'num_hidden_layers':4,'num_attention_heads':4,'num_key_value_heads':2,"
        "'intermediate_size':24,'max_position_embeddings':64,'rms_norm_eps':1e-5,"
        "'num_local_experts':4,'num_experts_per_tok':2";
    char config[800];
    snprintf(config, sizeof config, CONFIG("GrokForCausalLM", "%s"), sizes);
    family_check(
        &(ref_spec){
            .config = config,
            GROK_1,
            .attn_scale = 0.08838834764831845,
            .attn_cap = 30.0,
            .embd_scale = 78.38367176906169,
            .logit_scale = 0.5773502691896257,
        },
        "grok");
    snprintf(
        config, sizeof config,
        CONFIG(
            "GrokForCausalLM",
            "%s,'attn_output_multiplier':0.9,'max_attn_value':0.7,'router_logit_softcapping':0.4,"
            "'embedding_multiplier_scale':1.5,'output_multiplier_scale':0.25"),
        sizes);
    family_check(
        &(ref_spec){
            .config = config,
            GROK_1,
            .attn_scale = 0.9,
            .attn_cap = 0.7,
            .router_cap = 0.4,
            .embd_scale = 1.5,
            .logit_scale = 0.25,
        },
        "grok");
}

TEST(arctic_gives_the_reference_logits)
{
    family_check(
        &(ref_spec){
            .config = CONFIG(
                "ArcticForCausalLM",
                "'hidden_size':32,'num_hidden_layers':4,'num_attention_heads':4,"
                "'num_key_value_heads':2,'intermediate_size':24,'max_position_embeddings':64,"
                "'rms_norm_eps':1e-5,'num_local_experts':4,'num_experts_per_tok':2,"
                "'moe_layer_frequency':1,'parallel_attn_mlp_res':true"),
            .embd = "model.embed_tokens",
            .out_norm = "model.norm",
            UNTIED,
            QKV,
            .o = L "self_attn.o_proj",
            .gate = L "residual_mlp.w1",
            .up = L "residual_mlp.w3",
            .down = L "residual_mlp.w2",
            .widths = (const int[]){ 32, 32, 32, 32 },
            .attn_norm = L "input_layernorm",
            .ffn_norm = L "residual_layernorm",
            .input_norm = L "post_attention_layernorm",
            .router = L "block_sparse_moe.gate",
            .exp_gate = L "block_sparse_moe.experts.%d.w1.weight",
            .exp_up = L "block_sparse_moe.experts.%d.w3.weight",
            .exp_down = L "block_sparse_moe.experts.%d.w2.weight",
            .normalises = true,
        },
        "arctic");
}

/* Its indexer, which full attention does without, is in the folder and not in the file. */
static const ref_spec glm_5 = {
    .config = CONFIG(
        "GlmMoeDsaForCausalLM",
        "'hidden_size':32,'num_hidden_layers':4,'num_attention_heads':4,'num_key_value_heads':4,"
        "'intermediate_size':48,'max_position_embeddings':4096,'rms_norm_eps':1e-5,"
        "'q_lora_rank':12,'kv_lora_rank':16,'qk_nope_head_dim':8,'qk_rope_head_dim':4,"
        "'v_head_dim':8,'index_topk':64,'scoring_func':'sigmoid','norm_topk_prob':true,"
        "'routed_scaling_factor':2.5,'n_shared_experts':1,'first_k_dense_replace':1,"
        "'rope_parameters':{'rope_type':'default','rope_theta':1000.0}" EXPERTS),
    MOST,
    UNTIED,
    PRE_NORMS,
    ROUTED,
    SHARED_EXPERTS,
    .kv = 4,
    .q_a = L "self_attn.q_a_proj",
    .q_a_norm = L "self_attn.q_a_layernorm",
    .q_b = L "self_attn.q_b_proj",
    .kv_a = L "self_attn.kv_a_proj_with_mqa",
    .kv_a_norm = L "self_attn.kv_a_layernorm",
    .kv_b = L "self_attn.kv_b_proj",
    .beside = { "model.layers.0.self_attn.indexer.wk.weight", "model.layers.4.eh_proj.weight" },
    .pairs = true,
    .theta = 1000.0,
    .n_dense = 1,
    .n_shared = 1,
    .sigmoid = true,
    .normalises = true,
    .expert_scale = 2.5,
    .router_bias = L "mlp.gate.e_score_correction_bias",
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

TEST(text_of_minimax_m3_gives_the_reference_logits)
{
    family_check(
        &(ref_spec){
            .config =
                "{'architectures':['MiniMaxM3SparseForConditionalGeneration'],"
                "'text_config':{'vocab_size':40,'hidden_size':32,'num_hidden_layers':4,"
                "'num_attention_heads':4,'num_key_value_heads':2,'head_dim':8,'rotary_dim':4,"
                "'intermediate_size':24,'dense_intermediate_size':48,'shared_intermediate_size':24,"
                "'max_position_embeddings':64,'rms_norm_eps':1e-5,'hidden_act':'swigluoai',"
                "'num_local_experts':4,'num_experts_per_tok':2,'n_shared_experts':1,"
                "'routed_scaling_factor':2.0,'moe_layer_freq':[0,1,1,1],"
                "'sparse_attention_config':{'sparse_topk_blocks':16,'sparse_block_size':128}}}",
            .embd = "language_model.model.embed_tokens",
            .out_norm = "language_model.model.norm",
            .head = "language_model.lm_head",
            .attn_norm = LL "input_layernorm",
            .ffn_norm = LL "post_attention_layernorm",
            .q = LL "self_attn.q_proj",
            .k = LL "self_attn.k_proj",
            .v = LL "self_attn.v_proj",
            .o = LL "self_attn.o_proj",
            .qk_norm = REF_HEADS,
            .q_norm = LL "self_attn.q_norm",
            .k_norm = LL "self_attn.k_norm",
            .gate = LL "mlp.gate_proj",
            .up = LL "mlp.up_proj",
            .down = LL "mlp.down_proj",
            .router = LL "block_sparse_moe.gate",
            .exp_gate = LL "block_sparse_moe.experts.%d.w1.weight",
            .exp_up = LL "block_sparse_moe.experts.%d.w3.weight",
            .exp_down = LL "block_sparse_moe.experts.%d.w2.weight",
            .router_bias = LL "block_sparse_moe.e_score_correction_bias",
            .sh_gate = LL "block_sparse_moe.shared_experts.gate_proj",
            .sh_up = LL "block_sparse_moe.shared_experts.up_proj",
            .sh_down = LL "block_sparse_moe.shared_experts.down_proj",
            .beside = { "language_model.model.layers.1.self_attn.index_q_proj.weight",
                        "patch_merge_mlp.0.weight" },
            .norm = REF_RMS_1P,
            .act = REF_CLIPPED,
            .n_rot = 4,
            .n_dense = 1,
            .n_shared = 1,
            .sigmoid = true,
            .normalises = true,
            .expert_scale = 2.0,
        },
        "minimax-m3");
}

/* ---- GroveMoE -------------------------------------------------------------------------------- */

static const ref_spec grove = {
    .config =
        CONFIG("GroveMoeForCausalLM", SIZES
               ",'head_dim':8,'moe_intermediate_size':24,'num_experts':4,'num_experts_per_tok':2,"
               "'norm_topk_prob':true"),
    COMMON,
    UNTIED,
    PRE_NORMS,
    HEAD_NORMS,
    ROUTED,
    .chunk_gate = L "mlp.chunk_experts.%d.gate_proj.weight",
    .chunk_up = L "mlp.chunk_experts.%d.up_proj.weight",
    .chunk_down = L "mlp.chunk_experts.%d.down_proj.weight",
    .normalises = true,
};

TEST(grovemoe_gives_the_reference_logits)
{
    family_check(&grove, "grovemoe");
}

TEST(grovemoe_files_of_hostile_sizes_are_refused)
{
    family_refuses(&grove, "grovemoe.experts_per_group", 0, "do not go into groups of 0");
    family_refuses(&grove, "grovemoe.experts_per_group", 3, "do not go into groups of 3");
    family_refuses(&grove, "grovemoe.experts_per_group", 1, "has shape [");
    family_refuses(&grove, "grovemoe.experts_per_group", 1 << 30, "out of range");
    family_refuses(&grove, "grovemoe.expert_chunk_feed_forward_length", 0, "networks of width 0");
    family_refuses(&grove, "grovemoe.expert_chunk_feed_forward_length", 7, "has shape [");
    family_refuses(&grove, "grovemoe.expert_count", 0, "0 experts do not go into groups");
    family_refuses(&grove, "grovemoe.expert_count", 8, "has shape [");
    family_refuses(&grove, "grovemoe.block_count", 5, "blk.4.attn_norm.weight is missing");
}
