/* test_families_moe.c - as test_families.c, of families with experts that a router chooses, and
 * none that every token takes. */
#include "family_check.h"

#define SPARSE_MOE                                                                                 \
    .router = L "block_sparse_moe.gate", .exp_gate = L "block_sparse_moe.experts.%d.w1.weight",    \
    .exp_up = L "block_sparse_moe.experts.%d.w3.weight",                                           \
    .exp_down = L "block_sparse_moe.experts.%d.w2.weight"

TEST(arctic_gives_the_reference_logits)
{
    family_check(
        &(ref_spec){
            .config =
                CONFIG("ArcticForCausalLM", NARROW_SIZES
                       ",'num_local_experts':4,'num_experts_per_tok':2,'moe_layer_frequency':1,"
                       "'parallel_attn_mlp_res':true"),
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
    const char *sizes = NARROW_SIZES ",'num_local_experts':4,'num_experts_per_tok':2";
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

TEST(minimax_m2_gives_the_reference_logits)
{
    family_check(
        &(ref_spec){
            .config =
                CONFIG("MiniMaxM2ForCausalLM", NARROW_SIZES THETA
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

TEST(olmoe_gives_the_reference_logits)
{
    family_check(
        &(ref_spec){
            .config = CONFIG("OlmoeForCausalLM", NARROW_SIZES
                             ",'num_experts':4,'num_experts_per_tok':2,'norm_topk_prob':false"),
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

TEST(phimoe_gives_the_reference_logits)
{
    static const double factors[] = { 1.0, 1.5, 2.0, 4.0 };
    family_check(
        &(ref_spec){
            .config = CONFIG(
                "PhiMoEForCausalLM", NARROW_SIZES THETA
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
