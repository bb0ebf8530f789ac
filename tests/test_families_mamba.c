/* test_families_mamba.c - as test_families_recurrent.c, of families whose recurrent layers scan
 * each channel by itself (Mamba), and of files of them that are wrong. */
#include "family_check.h"
#include "states_check.h"
#include <math.h>

enum { E = REF_EMBD };

#define ML "backbone.layers.%d."

enum { M_INNER = 64, M_STATE = 5, M_RANK = 3, M_TAPS = 4 };

/* One token of one channel, whose time step is a bias and a product of low rank. */
static double scan_channel(double *s, double x, const double *b, const double *c, double dt,
                           const double *log_a)
{
    double y = 0.0;
    for (int i = 0; i < M_STATE; i++) {
        s[i] = s[i] * exp(-exp(log_a[i]) * dt) + dt * b[i] * x;
        y += s[i] * c[i];
    }
    return y;
}

typedef enum { PLAIN, FALCON_MAMBA, JAMBA } channels_kind;

/* Time steps, B and C: normed by weights, without, or not at all. */
static void norm_steps(ref *r, channels_kind kind, int il, double *dbc)
{
    static const char *const names[] = { "dt_layernorm.weight", "b_layernorm.weight",
                                         "c_layernorm.weight" };
    static const int sizes[] = { M_RANK, M_STATE, M_STATE };
    for (int i = 0; kind != PLAIN && i < 3; dbc += sizes[i++])
        if (kind == JAMBA)
            ref_rms_norm(ref_tensor_of(r, L "mamba.", names[i], il, 0, 0, sizes[i]), 1e-5,
                         sizes[i], dbc);
        else
            ref_rms_norm(NULL, 1e-6, sizes[i], dbc);
}

static void mamba(ref *r, channels_kind kind, int il, int n, double (*h)[E], double (*out)[E])
{
    static double xz[FAMILY_N][2 * M_INNER], state[M_INNER][M_STATE];
    const char *at = kind == JAMBA ? L "mamba." : ML "mixer.";
    char in[64], x_in[64], step[64], last[64];
    snprintf(in, sizeof in, "%sin_proj", at), snprintf(x_in, sizeof x_in, "%sx_proj", at);
    snprintf(step, sizeof step, "%sdt_proj", at), snprintf(last, sizeof last, "%sout_proj", at);
    const double *w = ref_tensor_of(r, at, "conv1d.weight", il, M_INNER, 1, M_TAPS);
    const double *bias = ref_tensor_of(r, at, "conv1d.bias", il, 0, 0, M_INNER);
    const double *log_a = ref_tensor_of(r, at, "A_log", il, 0, M_INNER, M_STATE);
    const double *skip = ref_tensor_of(r, at, "D", il, 0, 0, M_INNER);
    const double *dt_bias = ref_tensor_of(r, at, "dt_proj.bias", il, 0, 0, M_INNER);
    memset(state, 0, sizeof state);
    for (int t = 0; t < n; t++) {
        double x[M_INNER], dbc[M_RANK + 2 * M_STATE], dt[M_INNER], y[M_INNER];
        ref_multiply(r, in, il, 2 * M_INNER, E, h[t], xz[t]);
        for (int i = 0; i < M_INNER; i++) {
            double sum = bias[i];
            for (int j = 0; j < M_TAPS && t - j >= 0; j++)
                sum += w[i * M_TAPS + M_TAPS - 1 - j] * xz[t - j][i];
            x[i] = sum * ref_sigmoid(sum);
        }
        ref_multiply(r, x_in, il, M_RANK + 2 * M_STATE, M_INNER, x, dbc);
        norm_steps(r, kind, il, dbc);
        ref_multiply(r, step, il, M_INNER, M_RANK, dbc, dt);
        for (int i = 0; i < M_INNER; i++) {
            double z = xz[t][M_INNER + i], size = log(1.0 + exp(dt[i] + dt_bias[i]));
            y[i] = scan_channel(state[i], x[i], dbc + M_RANK, dbc + M_RANK + M_STATE, size,
                                log_a + i * M_STATE);
            y[i] = (y[i] + skip[i] * x[i]) * z * ref_sigmoid(z);
        }
        ref_multiply(r, last, il, E, M_INNER, y, out[t]);
    }
}

static void mix_mamba(ref *r, int il, int n, double (*h)[E], double (*out)[E])
{
    mamba(r, PLAIN, il, n, h, out);
}

static void mix_falcon_mamba(ref *r, int il, int n, double (*h)[E], double (*out)[E])
{
    mamba(r, FALCON_MAMBA, il, n, h, out);
}

static void mix_jamba(ref *r, int il, int n, double (*h)[E], double (*out)[E])
{
    mamba(r, JAMBA, il, n, h, out);
}

#define MAMBA                                                                                      \
    "'hidden_size':32,'num_hidden_layers':4,'intermediate_size':64,'state_size':5,"                \
    "'conv_kernel':4,'time_step_rank':3,'layer_norm_epsilon':1e-5,'use_conv_bias':true"
#define MAMBA_NAMES                                                                                \
    .embd = "backbone.embeddings", .out_norm = "backbone.norm_f", .attn_norm = ML "norm",          \
    .recurs = (const bool[]){ true, true, true, true }, .widths = (const int[]){ 0, 0, 0, 0 }

static const ref_spec mamba_alone = {
    .config = CONFIG("MambaForCausalLM", MAMBA),
    MAMBA_NAMES,
    .mix = mix_mamba,
};

TEST(mamba_gives_the_reference_logits)
{
    family_check(&mamba_alone, "mamba");
}

TEST(falcon_mamba_gives_the_reference_logits)
{
    family_check(
        &(ref_spec){
            .config = CONFIG("FalconMambaForCausalLM",
                             MAMBA ",'model_type':'falcon_mamba','mixer_rms_eps':1e-06"),
            MAMBA_NAMES,
            UNTIED,
            .mix = mix_falcon_mamba,
        },
        "mamba");
}

/* ---- Jamba ----------------------------------------------------------------------------------- */

static const bool jamba_recurs[] = { true, true, false, true };
static const int jamba_widths[] = { 24, 24, 24, 24 };

#define JAMBA_CONFIG                                                                               \
    CLASS("JambaForCausalLM")                                                                      \
    NARROW_SIZES                                                                                   \
    ",'attn_layer_offset':2,'attn_layer_period':3,'mamba_d_state':5,'mamba_d_conv':4,"             \
    "'mamba_dt_rank':3,'expert_layer_offset':1,'expert_layer_period':2,"
#define JAMBA_NAMES                                                                                \
    .embd = "model.embed_tokens", .out_norm = "model.final_layernorm", UNTIED,                     \
    .attn_norm = L "input_layernorm", QKV, .o = L "self_attn.o_proj",                              \
    .ffn_norm = L "pre_ff_layernorm", .gate = L "feed_forward.gate_proj",                          \
    .up = L "feed_forward.up_proj", .down = L "feed_forward.down_proj", .recurs = jamba_recurs,    \
    .mix = mix_jamba, .rotation = REF_NEVER, .widths = jamba_widths

static const ref_spec jamba = {
    .config = JAMBA_CONFIG "'mamba_expand':2,'num_experts':4,'num_experts_per_tok':2}",
    JAMBA_NAMES,
    .router = L "feed_forward.router",
    .exp_gate = L "feed_forward.experts.%d.gate_proj.weight",
    .exp_up = L "feed_forward.experts.%d.up_proj.weight",
    .exp_down = L "feed_forward.experts.%d.down_proj.weight",
    .moe_step = 2,
};

TEST(jamba_gives_the_reference_logits)
{
    family_check(&jamba, "jamba");
}

TEST(jamba_of_one_expert_has_no_router_and_gives_the_reference_logits)
{
    family_check(
        &(ref_spec){
            .config = JAMBA_CONFIG "'mamba_expand':2,'num_experts':1,'num_experts_per_tok':1}",
            JAMBA_NAMES,
        },
        "jamba");
}

/* ---- states ---------------------------------------------------------------------------------- */

TEST(states_of_channels_give_the_bits_of_texts_read_in_one_go)
{
    const size_t floats = (M_TAPS - 1) * M_INNER + M_INNER * M_STATE;
    states_check(&mamba_alone, "mamba-long", states_bytes(REF_LAYER, floats));
}

TEST(states_of_channels_between_attention_give_the_bits_of_texts_read_in_one_go)
{
    const size_t floats = (M_TAPS - 1) * M_INNER + M_INNER * M_STATE;
    states_check(&jamba, "jamba-long", states_bytes(3, floats));
}

/* ---- files that are wrong -------------------------------------------------------------------- */

TEST(files_of_mamba_that_are_wrong_are_refused_in_a_line)
{
    static const family_wrong cases[] = {
        { "mamba.ssm.time_step_rank", 4,
          .want = "tensor blk.0.ssm_x.weight has shape [64, 13, 1, 1] (expected [64, 5, 1])" },
        { "mamba.ssm.inner_size", 0, .want = "mamba.ssm.inner_size is 0 (expected 1 to 1048576)" },
        { "mamba.ssm.state_size", -1,
          .want = "mamba.ssm.state_size is missing (expected 1 to 1024)" },
        { .lost = "blk.1.ssm_x.weight", .want = "tensor blk.1.ssm_x.weight is missing" },
        { .lost = "blk.1.ssm_a", .want = "tensor blk.1.ssm_a is missing" },
        { .lost = "blk.1.ssm_d", .want = "tensor blk.1.ssm_d is missing" },
        { .lost = "blk.1.ssm_dt.weight", .want = "tensor blk.1.ssm_dt.weight is missing" },
        { .turned = "blk.2.ssm_a",
          .want = "tensor blk.2.ssm_a has shape [64, 5, 1, 1] (expected [5, 64, 1])" },
    };
    family_check_wrong(&mamba_alone, "mamba-wrong", cases, sizeof cases / sizeof *cases);
}

TEST(files_of_jamba_that_are_wrong_are_refused_in_a_line)
{
    static const family_wrong cases[] = {
        { "jamba.ssm.inner_size", 0, .want = "jamba.ssm.inner_size is 0 (expected 1 to 1048576)" },
        { "jamba.attention.head_count", 0,
          .want = "jamba.attention.head_count is 0 (expected 1 to 4096)" },
        { "jamba.expert_count", 5,
          .want =
              "tensor blk.1.ffn_gate_inp.weight has shape [32, 4, 1, 1] (expected [32, 5, 1])" },
        { "jamba.expert_used_count", 5,
          .want = "key 'jamba.expert_used_count' is out of range (found 5, expected 0 to 4)" },
        { .lost = "blk.1.ssm_dt_norm.weight",
          .want = "tensor blk.1.ssm_dt_norm.weight is missing" },
        { .lost = "blk.3.ssm_c_norm.weight", .want = "tensor blk.3.ssm_c_norm.weight is missing" },
        { .lost = "blk.1.ffn_gate_inp.weight", .want = "tensor blk.1.ffn_gate.weight is missing" },
        { .lost = "blk.2.attn_q.weight", .want = "tensor blk.2.attn_q.weight is missing" },
    };
    family_check_wrong(&jamba, "jamba-wrong", cases, sizeof cases / sizeof *cases);
}
