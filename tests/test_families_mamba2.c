/* test_families_mamba2.c - as test_families_recurrent.c, of families whose recurrent layers scan
 * the channels of a head together (Mamba-2), and of files of them that are wrong. */
#include "family_check.h"
#include "states_check.h"
#include <math.h>

enum { E = REF_EMBD };

/* ---- Mamba-2 --------------------------------------------------------------------------------- */

enum { S_GROUP = 2, S_HEAD = 4, S_STATE = 6, S_DIM = 16, S_TAPS = 3 };
enum {
    S_INNER = S_HEAD * S_DIM,
    S_CONV = S_INNER + 2 * S_GROUP * S_STATE,
    S_ALL = S_INNER + S_CONV + S_HEAD
};

typedef struct {
    const char *mixer;    /* names begin so */
    const double *scales; /* [S_ALL] of what comes in; NULL: 1 */
    int n_norm;           /* values that are normed together; 0: none are */
    int n_group;          /* 0: S_GROUP */
} ssm_kind;

static int channels_of(const ssm_kind *k)
{
    return S_INNER + 2 * (k->n_group ? k->n_group : S_GROUP) * S_STATE;
}

/* The channels after the convolution of tokens 0 .. t. */
static void convolve_ssm(const double *w, const double *bias, double (*in)[S_ALL], int n, int t,
                         double *y)
{
    for (int i = 0; i < n; i++) {
        double sum = bias[i];
        for (int j = 0; j < S_TAPS && t - j >= 0; j++)
            sum += w[i * S_TAPS + S_TAPS - 1 - j] * in[t - j][S_INNER + i];
        y[i] = sum * ref_sigmoid(sum);
    }
}

/* One token of one head: its state forgets by e^(a dt) and takes in dt B x^T. */
static void scan_token(int n, double (*s)[S_STATE], const double *x, const double *b,
                       const double *c, double dt, double a, double skip, double *y)
{
    for (int j = 0; j < n; j++) {
        y[j] = skip * x[j];
        for (int i = 0; i < S_STATE; i++) {
            s[j][i] = s[j][i] * exp(dt * a) + dt * b[i] * x[j];
            y[j] += s[j][i] * c[i];
        }
    }
}

static void gate_and_norm(const double *z, const double *w, int n_norm, double *y)
{
    for (int i = 0; i < S_INNER; i++) y[i] *= z[i] * ref_sigmoid(z[i]);
    for (int at = 0; n_norm && at < S_INNER; at += n_norm) {
        double square = 0.0;
        for (int i = at; i < at + n_norm; i++) square += y[i] * y[i];
        for (int i = at; i < at + n_norm; i++) y[i] *= w[i] / sqrt(square / n_norm + 1e-5);
    }
}

static void mamba2(ref *r, const ssm_kind *k, int il, int n, double (*h)[E], double (*out)[E])
{
    static double in[FAMILY_N][S_ALL], state[S_HEAD][S_DIM][S_STATE];
    char name[96];
    const int n_group = k->n_group ? k->n_group : S_GROUP, n_conv = channels_of(k);
    const int n_all = S_INNER + n_conv + S_HEAD;
    const double *w = ref_tensor_of(r, k->mixer, "conv1d.weight", il, n_conv, 1, S_TAPS);
    const double *bias = ref_tensor_of(r, k->mixer, "conv1d.bias", il, 0, 0, n_conv);
    const double *dt_bias = ref_tensor_of(r, k->mixer, "dt_bias", il, 0, 0, S_HEAD);
    const double *log_a = ref_tensor_of(r, k->mixer, "A_log", il, 0, 0, S_HEAD);
    const double *skip = ref_tensor_of(r, k->mixer, "D", il, 0, 0, S_HEAD);
    const double *norm =
        k->n_norm ? ref_tensor_of(r, k->mixer, "norm.weight", il, 0, 0, S_INNER) : NULL;
    memset(state, 0, sizeof state);
    for (int t = 0; t < n; t++) {
        double x[S_CONV], y[S_INNER];
        snprintf(name, sizeof name, "%sin_proj", k->mixer);
        ref_multiply(r, name, il, n_all, E, h[t], in[t]);
        for (int i = 0; i < n_all && k->scales; i++) in[t][i] *= k->scales[i];
        convolve_ssm(w, bias, in, n_conv, t, x);
        for (int v = 0; v < S_HEAD; v++) {
            const double *b = x + S_INNER + v / (S_HEAD / n_group) * S_STATE;
            double dt = log(1.0 + exp(in[t][S_INNER + n_conv + v] + dt_bias[v]));
            scan_token(S_DIM, state[v], x + v * S_DIM, b, b + n_group * S_STATE, dt, -exp(log_a[v]),
                       skip[v], y + v * S_DIM);
        }
        gate_and_norm(in[t], norm, k->n_norm, y);
        snprintf(name, sizeof name, "%sout_proj", k->mixer);
        ref_multiply(r, name, il, E, S_INNER, y, out[t]);
    }
}

#define ML "backbone.layers.%d."

static void mix_mamba2(ref *r, int il, int n, double (*h)[E], double (*out)[E])
{
    mamba2(r, &(ssm_kind){ .mixer = ML "mixer.", .n_norm = S_INNER / S_GROUP }, il, n, h, out);
}

static const ref_spec mamba2_alone = {
    .config =
        CONFIG("Mamba2ForCausalLM",
               "'hidden_size':32,'num_hidden_layers':4,'num_heads':4,'head_dim':16,'n_groups':2,"
               "'state_size':6,'conv_kernel':3,'expand':2,'layer_norm_epsilon':1e-5,"
               "'time_step_limit':[0.0,Infinity],'use_conv_bias':true"),
    .embd = "backbone.embeddings",
    .out_norm = "backbone.norm_f",
    .attn_norm = ML "norm",
    .recurs = (const bool[]){ true, true, true, true },
    .widths = (const int[]){ 0, 0, 0, 0 },
    .mix = mix_mamba2,
};

TEST(mamba_2_gives_the_reference_logits)
{
    family_check(&mamba2_alone, "mamba2");
}

/* ---- PLaMo 2 --------------------------------------------------------------------------------- */

enum { P_HEAD = 4, P_DIM = REF_DIM, P_INNER = P_HEAD * P_DIM, P_STATE = S_STATE, P_RANK = 64 };
#define PL "model.layers.layers.%d."
#define PM PL "mixer."

/* Gates and values lie head by head. */
static void read_plamo2(ref *r, int il, const double *h, double *z, double *x)
{
    double both[2 * P_INNER];
    ref_multiply(r, PM "in_proj", il, 2 * P_INNER, E, h, both);
    for (int i = 0; i < P_INNER; i++) {
        z[i] = both[i / P_DIM * 2 * P_DIM + i % P_DIM];
        x[i] = both[(i / P_DIM * 2 + 1) * P_DIM + i % P_DIM];
    }
}

static void mix_plamo2(ref *r, int il, int n, double (*h)[E], double (*out)[E])
{
    static double in[FAMILY_N][P_INNER], state[P_HEAD][P_DIM][P_STATE];
    const double *w = ref_tensor_of(r, PM "conv1d", ".weight", il, P_INNER, 1, S_TAPS);
    const double *dt_bias = ref_tensor_of(r, PM "dt_bias", "", il, 0, 0, P_HEAD);
    const double *log_a = ref_tensor_of(r, PM "A_log", "", il, 0, 0, P_HEAD);
    const double *skip = ref_tensor_of(r, PM "D", "", il, 0, 0, P_HEAD);
    memset(state, 0, sizeof state);
    for (int t = 0; t < n; t++) {
        double z[P_INNER], x[P_INNER], y[P_INNER], bcd[2 * P_STATE + P_RANK], dt[P_HEAD];
        double *b = bcd, *c = b + P_STATE, *low = c + P_STATE;
        read_plamo2(r, il, h[t], z, in[t]);
        for (int i = 0; i < P_INNER; i++) {
            double sum = 0.0;
            for (int j = 0; j < S_TAPS && t - j >= 0; j++)
                sum += w[i * S_TAPS + S_TAPS - 1 - j] * in[t - j][i];
            x[i] = sum * ref_sigmoid(sum);
        }
        ref_multiply(r, PM "bcdt_proj", il, 2 * P_STATE + P_RANK, P_INNER, x, bcd);
        ref_rms_norm(ref_tensor_of(r, PM "B_norm_weight", "", il, 0, 0, P_STATE), 1e-5, P_STATE, b);
        ref_rms_norm(ref_tensor_of(r, PM "C_norm_weight", "", il, 0, 0, P_STATE), 1e-5, P_STATE, c);
        ref_rms_norm(ref_tensor_of(r, PM "dt_norm_weight", "", il, 0, 0, P_RANK), 1e-5, P_RANK,
                     low);
        ref_multiply(r, PM "dt_proj", il, P_HEAD, P_RANK, low, dt);
        for (int v = 0; v < P_HEAD; v++)
            scan_token(P_DIM, state[v], x + v * P_DIM, b, c, log(1.0 + exp(dt[v] + dt_bias[v])),
                       -exp(log_a[v]), skip[v], y + v * P_DIM);
        for (int i = 0; i < P_INNER; i++) y[i] *= z[i] * ref_sigmoid(z[i]);
        ref_multiply(r, PM "out_proj", il, E, P_INNER, y, out[t]);
    }
}

/* Norms count 1, 1/5 and 1/5^1.5 more than their weights. */
static const ref_spec plamo2 = {
    .config = CONFIG(
        "Plamo2ForCausalLM",
        "'hidden_size':32,'num_hidden_layers':4,'num_attention_heads':4,'num_key_value_heads':2,"
        "'hidden_size_per_head':8,'intermediate_size':256,'max_position_embeddings':64,"
        "'rms_norm_eps':1e-5,'mamba_d_state':6,'mamba_d_conv':3,'mamba_num_heads':4,'mamba_step':4,"
        "'mamba_enabled':true"),
    .embd = "model.embed_tokens",
    .out_norm = "model.norm",
    .norm = REF_RMS_1P,
    .attn_norm = PL "pre_mixer_norm",
    .q = PM "qkv_proj",
    .qkv = REF_FUSED,
    .qk_norm = REF_HEAD_ROWS,
    .q_norm = PM "q_weight",
    .k_norm = PM "k_weight",
    .o = PM "o_proj",
    .attn_post_norm = PL "post_mixer_norm",
    .attn_post_plus = 0.2,
    .ffn_norm = PL "pre_mlp_norm",
    .gate = PL "mlp.gate_up_proj",
    .gate_up = true,
    .down = PL "mlp.down_proj",
    .ffn_post_norm = PL "post_mlp_norm",
    .ffn_post_plus = 0.08944271909999159,
    .recurs = (const bool[]){ true, true, false, true },
    .mix = mix_plamo2,
};

TEST(plamo_2_gives_the_reference_logits)
{
    family_check(&plamo2, "plamo2");
}

/* ---- Granite 4 ------------------------------------------------------------------------------- */

static void mix_granite(ref *r, int il, int n, double (*h)[E], double (*out)[E])
{
    mamba2(r, &(ssm_kind){ .mixer = L "mamba.", .n_norm = S_INNER / S_GROUP }, il, n, h, out);
}

static const bool granite_recurs[] = { true, true, false, true };

#define GRANITE(layers)                                                                            \
    CLASS("GraniteMoeHybridForCausalLM")                                                           \
    "'hidden_size':32,'num_hidden_layers':4,'num_attention_heads':4,'num_key_value_heads':2,"      \
    "'max_position_embeddings':64,'rms_norm_eps':1e-5,'" layers                                    \
    "':['mamba','mamba','attention','mamba'],'mamba_n_heads':4,'mamba_n_groups':2,"                \
    "'mamba_d_state':6,'mamba_d_head':'auto','mamba_d_conv':3,'mamba_expand':2,"                   \
    "'mamba_conv_bias':true,'time_step_limit':[0.0,Infinity],'attention_multiplier':0.4,"          \
    "'embedding_multiplier':3.0,'residual_multiplier':0.3,'logits_scaling':4.0,"
#define GRANITE_NAMES                                                                              \
    .embd = "model.embed_tokens", .out_norm = "model.norm", QKV, PRE_NORMS,                        \
    .o = L "self_attn.o_proj", .recurs = granite_recurs, .mix = mix_granite, .attn_scale = 0.4,    \
    .embd_scale = 3.0, .residual_scale = 0.3, .logit_scale = 0.25

static const ref_spec granite4 = {
    .config =
        GRANITE("layer_types") "'position_embedding_type':'nope','shared_intermediate_size':256,"
                               "'intermediate_size':99,'num_local_experts':0}",
    GRANITE_NAMES,
    .gate = L "shared_mlp.input_linear",
    .down = L "shared_mlp.output_linear",
    .gate_up = true,
    .rotation = REF_NEVER,
};

TEST(granite_4_with_recurrent_layers_gives_the_reference_logits)
{
    family_check(&granite4, "granitehybrid");
}

TEST(granite_4_with_recurrent_layers_and_experts_gives_the_reference_logits)
{
    family_check(
        &(ref_spec){
            .config =
                GRANITE("layers_block_type") "'position_embedding_type':'rope','rope_theta':10000,"
                                             "'intermediate_size':24,'shared_intermediate_size':48,"
                                             "'num_local_experts':4,'num_experts_per_tok':2}",
            GRANITE_NAMES,
            .router = L "block_sparse_moe.router.layer",
            .exp_in = L "block_sparse_moe.input_linear.weight",
            .exp_out = L "block_sparse_moe.output_linear.weight",
            .sh_in = L "shared_mlp.input_linear",
            .sh_down = L "shared_mlp.output_linear",
            .n_shared = 2,
            .normalises = true,
        },
        "granitehybrid");
}

/* ---- Bamba ----------------------------------------------------------------------------------- */

static void mix_bamba(ref *r, int il, int n, double (*h)[E], double (*out)[E])
{
    mamba2(r, &(ssm_kind){ .mixer = L "mamba.", .n_norm = S_INNER, .n_group = 1 }, il, n, h, out);
}

TEST(bamba_gives_the_reference_logits)
{
    family_check(
        &(ref_spec){
            .config =
                CONFIG("BambaForCausalLM", SIZES
                       ",'attn_layer_indices':[2],'attn_rotary_emb':4,'mamba_n_heads':4,"
                       "'mamba_n_groups':1,'mamba_d_state':6,'mamba_d_head':16,'mamba_d_conv':3,"
                       "'mamba_expand':2"),
            .embd = "model.embed_tokens",
            .out_norm = "model.final_layernorm",
            UNTIED,
            QKV,
            .o = L "self_attn.o_proj",
            .attn_norm = L "input_layernorm",
            .ffn_norm = L "pre_ff_layernorm",
            .gate = L "feed_forward.gate_proj",
            .up = L "feed_forward.up_proj",
            .down = L "feed_forward.down_proj",
            .recurs = granite_recurs,
            .mix = mix_bamba,
            .n_rot = 4,
        },
        "granitehybrid");
}

/* ---- Falcon-H1 ------------------------------------------------------------------------------- */

/* By the scales of what comes in, and of what goes out. */
static void mix_falcon(ref *r, int il, int n, double (*h)[E], double (*out)[E], int n_norm)
{
    static const double each[] = { 0.5, 1.7, 0.9, 1.1, 0.6 };
    static const int ends[] = { S_INNER, 2 * S_INNER, 2 * S_INNER + S_GROUP * S_STATE,
                                S_INNER + S_CONV, S_ALL };
    double scales[S_ALL];
    for (int i = 0, k = 0; i < S_ALL; i++) {
        while (i >= ends[k]) k++;
        scales[i] = 1.25 * each[k];
    }
    mamba2(r, &(ssm_kind){ L "mamba.", scales, n_norm, 0 }, il, n, h, out);
    for (int i = 0; i < n * E; i++) out[i / E][i % E] *= 0.7;
}

static void mix_falcon_plain(ref *r, int il, int n, double (*h)[E], double (*out)[E])
{
    mix_falcon(r, il, n, h, out, 0);
}

static void mix_falcon_normed(ref *r, int il, int n, double (*h)[E], double (*out)[E])
{
    mix_falcon(r, il, n, h, out, S_INNER / S_GROUP);
}

#define FALCON                                                                                     \
    CLASS("FalconH1ForCausalLM")                                                                   \
    SIZES                                                                                          \
    ",'head_dim':8,'mamba_d_ssm':64,'mamba_n_heads':4,'mamba_n_groups':2,'mamba_d_state':6,"       \
    "'mamba_d_head':16,'mamba_d_conv':3,'mamba_conv_bias':true,'embedding_multiplier':3.0,"        \
    "'lm_head_multiplier':0.25,'attention_in_multiplier':1.5,'attention_out_multiplier':0.75,"     \
    "'key_multiplier':0.4,'ssm_in_multiplier':1.25,'ssm_out_multiplier':0.7,"                      \
    "'mlp_multipliers':[0.8,1.3],'ssm_multipliers':[0.5,1.7,0.9,1.1,0.6],"                         \
    "'mamba_norm_before_gate':false,"
#define FALCON_NAMES                                                                               \
    .embd = "model.embed_tokens", .out_norm = "model.final_layernorm", QKV,                        \
    .o = L "self_attn.o_proj", .attn_norm = L "input_layernorm", .ffn_norm = L "pre_ff_layernorm", \
    .gate = L "feed_forward.gate_proj", .up = L "feed_forward.up_proj",                            \
    .down = L "feed_forward.down_proj", .embd_scale = 3.0, .logit_scale = 0.25,                    \
    .attn_scale = 1.5 * 1.5 * 0.4 / 2.8284271247461901, .value_scale = 1.5 * 0.75,                 \
    .gate_scale = 0.8, .down_scale = 1.3

static const ref_spec falcon_h1 = {
    .config = FALCON "'mamba_rms_norm':false}",
    FALCON_NAMES,
    UNTIED,
    .beside_attention = mix_falcon_plain,
};

TEST(falcon_h1_gives_the_reference_logits)
{
    family_check(&falcon_h1, "falcon-h1");
}

TEST(falcon_h1_with_norms_and_tied_outputs_gives_the_reference_logits)
{
    family_check(
        &(ref_spec){
            .config = FALCON "'mamba_rms_norm':true}",
            FALCON_NAMES,
            .beside_attention = mix_falcon_normed,
        },
        "falcon-h1");
}

/* ---- Nemotron-H ------------------------------------------------------------------------------ */

#define NL "backbone.layers.%d."

static void mix_nemotron(ref *r, int il, int n, double (*h)[E], double (*out)[E])
{
    mamba2(r, &(ssm_kind){ .mixer = NL "mixer.", .n_norm = S_INNER / S_GROUP }, il, n, h, out);
}

static const bool nemotron_recurs[] = { true, false, false, true };
static const int nemotron_heads[] = { REF_HEAD, 0, REF_HEAD, REF_HEAD };
static const int nemotron_widths[] = { 0, REF_FF, 0, 0 };

#define NEMOTRON                                                                                   \
    CLASS("NemotronHForCausalLM")                                                                  \
    "'hidden_size':32,'num_hidden_layers':4,'num_attention_heads':4,'num_key_value_heads':2,"      \
    "'head_dim':8,'intermediate_size':48,'max_position_embeddings':64,"                            \
    "'layer_norm_epsilon':1e-5,'mlp_hidden_act':'relu2','mamba_num_heads':4,"                      \
    "'mamba_head_dim':16,'n_groups':2,'ssm_state_size':6,'conv_kernel':3,'use_conv_bias':true,"    \
    "'time_step_limit':[0.0,Infinity],"
#define NEMOTRON_NAMES                                                                             \
    .embd = "backbone.embeddings", .out_norm = "backbone.norm_f", UNTIED, .attn_norm = NL "norm",  \
    .ffn_norm = NL "norm", .q = NL "mixer.q_proj", .k = NL "mixer.k_proj", .v = NL "mixer.v_proj", \
    .o = NL "mixer.o_proj", .heads = nemotron_heads, .widths = nemotron_widths,                    \
    .recurs = nemotron_recurs, .mix = mix_nemotron, .rotation = REF_NEVER

static const ref_spec nemotron_h = {
    .config = NEMOTRON "'hybrid_override_pattern':'M-*M'}",
    NEMOTRON_NAMES,
    .up = NL "mixer.up_proj",
    .down = NL "mixer.down_proj",
    .act = REF_RELU2,
};

TEST(nemotron_h_gives_the_reference_logits)
{
    family_check(&nemotron_h, "nemotron_h");
}

static const ref_spec nemotron_h_moe = {
    .config = NEMOTRON
    "'layers_block_type':['mamba','moe','attention','mamba'],'n_routed_experts':4,"
    "'num_experts_per_tok':2,'moe_intermediate_size':24,"
    "'moe_shared_expert_intermediate_size':48,'n_shared_experts':1,'norm_topk_prob':true,"
    "'routed_scaling_factor':2.5,'n_group':1,'topk_group':1}",
    NEMOTRON_NAMES,
    .router = NL "mixer.gate",
    .router_bias = NL "mixer.gate.e_score_correction_bias",
    .exp_up = NL "mixer.experts.%d.up_proj.weight",
    .exp_down = NL "mixer.experts.%d.down_proj.weight",
    .sh_up = NL "mixer.shared_experts.up_proj",
    .sh_down = NL "mixer.shared_experts.down_proj",
    .n_shared = 2,
    .sigmoid = true,
    .normalises = true,
    .expert_scale = 2.5,
};

TEST(nemotron_h_with_experts_gives_the_reference_logits)
{
    family_check(&nemotron_h_moe, "nemotron_h_moe");
}

/* ---- states ---------------------------------------------------------------------------------- */

/* Floats of a layer. */
enum { S_FLOATS = (S_TAPS - 1) * S_CONV + S_INNER * S_STATE };

TEST(states_of_selective_scans_give_the_bits_of_texts_read_in_one_go)
{
    states_check(&granite4, "granitehybrid-long", states_bytes(3, S_FLOATS));
}

TEST(states_beside_attention_give_the_bits_of_texts_read_in_one_go)
{
    states_check(&falcon_h1, "falcon-h1-long", states_bytes(REF_LAYER, S_FLOATS));
}

TEST(states_between_layers_of_experts_give_the_bits_of_texts_read_in_one_go)
{
    states_check(&nemotron_h_moe, "nemotron-h-long", states_bytes(2, S_FLOATS));
}

TEST(states_alone_give_the_bits_of_texts_read_in_one_go)
{
    states_check(&mamba2_alone, "mamba2-long", states_bytes(REF_LAYER, S_FLOATS));
}

TEST(states_of_plamo_2_give_the_bits_of_texts_read_in_one_go)
{
    const size_t floats = (S_TAPS - 1) * P_INNER + P_INNER * P_STATE;
    states_check(&plamo2, "plamo2-long", states_bytes(3, floats));
}

/* ---- files that are wrong -------------------------------------------------------------------- */

TEST(files_of_granite_4_that_are_wrong_are_refused_in_a_line)
{
#define KEY(name) "granitehybrid.ssm." name
    static const family_wrong cases[] = {
        { KEY("state_size"), 0, .want = KEY("state_size") " is 0 (expected 1 to 1024)" },
        { KEY("state_size"), 1 << 30,
          .want = "key '" KEY("state_size") "' is out of range (found 1073741824, expected 0 to "
                                            "1024)" },
        { KEY("state_size"), -1, .want = KEY("state_size") " is missing (expected 1 to 1024)" },
        { KEY("state_size"), 7,
          .want = "tensor blk.0.ssm_in.weight has shape [32, 156, 1, 1] (expected [32, 160, 1])" },
        { KEY("group_count"), 3, .want = "64 values of 4 heads do not go with 3 heads of keys" },
        { KEY("time_step_rank"), 5, .want = "64 values of 5 heads do not go with 2 heads of keys" },
        { KEY("inner_size"), 0xffffffff,
          .want = "key '" KEY("inner_size") "' is out of range (found 4294967295, expected 0 to "
                                            "1048576)" },
        { KEY("conv_kernel"), 1, .want = KEY("conv_kernel") " is 1 (expected 2 to 64)" },
        { .lost = "blk.1.ssm_a", .want = "tensor blk.1.ssm_a is missing" },
        { .lost = "blk.1.ssm_d", .want = "tensor blk.1.ssm_d is missing" },
        { .lost = "blk.1.ssm_dt.bias", .want = "tensor blk.1.ssm_dt.bias is missing" },
        { .lost = "blk.1.ssm_norm.weight", .want = "tensor blk.1.ssm_norm.weight is missing" },
        { .lost = "blk.1.ssm_conv1d.weight", .want = "tensor blk.1.ssm_conv1d.weight is missing" },
        { .lost = "blk.1.ssm_in.weight", .want = "tensor blk.1.ssm_in.weight is missing" },
        { .lost = "blk.2.attn_k.weight", .want = "tensor blk.2.attn_k.weight is missing" },
        { .turned = "blk.3.ssm_a",
          .want = "tensor blk.3.ssm_a has shape [4, 1, 1, 1] (expected [1, 4, 1])" },
        { .turned = "blk.3.ssm_norm.weight",
          .want = "tensor blk.3.ssm_norm.weight has shape [2, 32, 1, 1] (expected [32, 2, 1])" },
        { .turned = "blk.3.ssm_conv1d.bias",
          .want = "tensor blk.3.ssm_conv1d.bias has shape [1, 88, 1, 1] (expected [88, 1, 1])" },
    };
#undef KEY
    family_check_wrong(&granite4, "granitehybrid-wrong", cases, sizeof cases / sizeof *cases);
}

TEST(files_of_falcon_h1_that_are_wrong_are_refused_in_a_line)
{
    static const family_wrong cases[] = {
        { "falcon-h1.ssm.group_count", 0,
          .want = "falcon-h1.ssm.group_count is 0 (expected 1 to 4096)" },
        { "falcon-h1.attention.head_count_kv", 0,
          .want = "falcon-h1.attention.head_count_kv is 0 (expected 1 to 4096)" },
        { .lost = "blk.1.ssm_out.weight", .want = "tensor blk.1.ssm_out.weight is missing" },
        { .lost = "blk.1.attn_v.weight", .want = "tensor blk.1.attn_v.weight is missing" },
        { .lost = "blk.1.ssm_dt.bias", .want = "tensor blk.1.ssm_dt.bias is missing" },
        { .turned = "blk.2.ssm_in.weight",
          .want = "tensor blk.2.ssm_in.weight has shape [156, 32, 1, 1] (expected [32, 156, 1])" },
    };
    family_check_wrong(&falcon_h1, "falcon-h1-wrong", cases, sizeof cases / sizeof *cases);
}

TEST(files_of_nemotron_h_that_are_wrong_are_refused_in_a_line)
{
    static const family_wrong cases[] = {
        { "nemotron_h.ssm.inner_size", 63,
          .want = "63 values of 4 heads do not go with 2 heads of keys" },
        { "nemotron_h.attention.head_count_kv", 2,
          .want = "layer 1 has attention and a feed-forward network, which is not known of "
                  "nemotron_h" },
        { "nemotron_h.feed_forward_length", 48,
          .want = "layer 2 has attention and a feed-forward network, which is not known of "
                  "nemotron_h" },
        { .lost = "blk.1.ffn_up.weight", .want = "tensor blk.1.ffn_up.weight is missing" },
        { .lost = "blk.3.ssm_d", .want = "tensor blk.3.ssm_d is missing" },
        { .lost = "blk.2.attn_norm.weight", .want = "tensor blk.2.attn_norm.weight is missing" },
    };
    family_check_wrong(&nemotron_h, "nemotron-h-wrong", cases, sizeof cases / sizeof *cases);
}

TEST(files_of_mamba_2_that_are_wrong_are_refused_in_a_line)
{
    static const family_wrong cases[] = {
        { "mamba2.ssm.group_count", 3,
          .want = "64 values of 4 heads do not go with 3 heads of keys" },
        { "mamba2.ssm.time_step_rank", 0,
          .want = "mamba2.ssm.time_step_rank is 0 (expected 1 to 4096)" },
        { "mamba2.block_count", 5, .want = "tensor blk.4.attn_norm.weight is missing" },
        { "mamba2.block_count", 3,
          .want =
              "tensor blk.3.attn_norm.weight is not part of this architecture as lory knows it" },
        { .turned = "blk.0.ssm_d",
          .want = "tensor blk.0.ssm_d has shape [4, 1, 1, 1] (expected "
                  "[1, 4, 1])" },
    };
    family_check_wrong(&mamba2_alone, "mamba2-wrong", cases, sizeof cases / sizeof *cases);
}

TEST(files_of_plamo_2_that_are_wrong_are_refused_in_a_line)
{
    static const family_wrong cases[] = {
        { "plamo2.ssm.time_step_rank", 5, .want = "32 values do not go into 5 heads" },
        { "plamo2.ssm.time_step_rank", 0,
          .want = "plamo2.ssm.time_step_rank is 0 (expected 1 to 1048576)" },
        { "plamo2.ssm.group_count", 2,
          .want = "plamo2.ssm.group_count is not known of this architecture (only the value 0, "
                  "which changes nothing)" },
        { "plamo2.ssm.state_size", 1025,
          .want = "key 'plamo2.ssm.state_size' is out of range (found 1025, expected 0 to 1024)" },
        { "plamo2.attention.head_count", 0,
          .want = "plamo2.attention.head_count is 0 (expected 1 to 4096)" },
        { .lost = "blk.0.ssm_x.weight", .want = "tensor blk.0.ssm_x.weight is missing" },
        { .lost = "blk.0.ssm_dt.weight", .want = "tensor blk.0.ssm_dt.weight is missing" },
        { .lost = "blk.1.ssm_d", .want = "tensor blk.1.ssm_d is missing" },
        { .lost = "blk.2.attn_q_norm.weight",
          .want = "tensor blk.2.attn_q_norm.weight is missing" },
        { .turned = "blk.0.ssm_in.weight",
          .want = "tensor blk.0.ssm_in.weight has shape [64, 32, 1, 1] (expected [32, 64, 1])" },
    };
    family_check_wrong(&plamo2, "plamo2-wrong", cases, sizeof cases / sizeof *cases);
}
