/* test_families_shared_experts.c - as test_families.c, of families with experts that every token
 * takes, beside those that its router chooses. */
#include "family_check.h"
#include "lory.h"
#include <math.h>

TEST(afmoe_gives_the_reference_logits)
{
    family_check(
        &(ref_spec){
            .config = CONFIG(
                "AfmoeForCausalLM", SIZES
                ",'head_dim':8,'moe_intermediate_size':24,'num_experts':4,'num_experts_per_tok':2,"
                "'num_shared_experts':1,'num_dense_layers':1,'route_scale':2.826,'route_norm':true,"
                "'score_func':'sigmoid','mup_enabled':true,'global_attn_every_n_layers':4" WINDOWS),
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

static const ref_spec k_exaone = {
    .config =
        CONFIG("ExaoneMoEForCausalLM", SIZES
               ",'head_dim':8,'moe_intermediate_size':24,'num_experts':4,'num_experts_per_tok':2,"
               "'num_shared_experts':1,'first_k_dense_replace':1,'routed_scaling_factor':2.5,"
               "'sliding_window_pattern':'LLLG'" WINDOWS),
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
    family_check_rewritten(&k_exaone, "exaone-moe", write_predictor);
}

#define LL "language_model.model.layers.%d."

/* Chunk size and temperature are as the config says, or as all of the family have them. */
#define LLAMA4(chunk, temperature)                                                                 \
    {                                                                                              \
        .config =                                                                                  \
            "{'architectures':['Llama4ForConditionalGeneration'],"                                 \
            "'text_config':{'model_type':'llama4_text','vocab_size':40,'head_dim':8," NARROW_SIZES \
                THETA ",'intermediate_size_mlp':48,'num_local_experts':4,'num_experts_per_tok':2," \
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
