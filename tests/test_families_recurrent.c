/* test_families_recurrent.c - as test_families.c, of families with recurrent layers. Their states
 * too: a session that is cut back or saved, and sequences that begin alike, give the bits of a text
 * that is read in one go. */
#include "family_check.h"
#include "states_check.h"
#include <math.h>

enum { E = REF_EMBD };

/* ---- LFM2 ------------------------------------------------------------------------------------ */

/* A kernel for each channel over what b * x was and is, times c. */
static void short_conv(ref *r, int il, int n, double (*h)[E], double (*out)[E])
{
    enum { TAPS = 3 };
    static double bcx[FAMILY_N][3 * E];
    const double *w = ref_tensor_of(r, L "conv.conv", ".weight", il, E, 1, TAPS);
    for (int t = 0; t < n; t++) {
        double y[E];
        ref_multiply(r, L "conv.in_proj", il, 3 * E, E, h[t], bcx[t]);
        for (int i = 0; i < E; i++) {
            y[i] = 0.0;
            for (int j = 0; j < TAPS && t - j >= 0; j++)
                y[i] += w[i * TAPS + TAPS - 1 - j] * bcx[t - j][i] * bcx[t - j][2 * E + i];
            y[i] *= bcx[t][E + i];
        }
        ref_multiply(r, L "conv.out_proj", il, E, E, y, out[t]);
    }
}

static const bool lfm2_recurs[] = { true, true, false, true };

#define LFM2                                                                                       \
    "'hidden_size':32,'num_hidden_layers':4,'num_attention_heads':4,'num_key_value_heads':2,"      \
    "'max_position_embeddings':64,'norm_eps':1e-5,'conv_L_cache':3,'conv_bias':false,"
#define LFM2_TYPES "'layer_types':['conv','conv','full_attention','conv'],"
#define LFM2_NAMES                                                                                 \
    .embd = "model.embed_tokens", .out_norm = "model.embedding_norm",                              \
    .attn_norm = L "operator_norm", QKV, .o = L "self_attn.out_proj", .qk_norm = REF_HEADS,        \
    .q_norm = L "self_attn.q_layernorm", .k_norm = L "self_attn.k_layernorm",                      \
    .ffn_norm = L "ffn_norm", .gate = L "feed_forward.w1", .up = L "feed_forward.w3",              \
    .down = L "feed_forward.w2", .recurs = lfm2_recurs, .mix = short_conv
#define LFM2_MOE                                                                                   \
    CONFIG(                                                                                        \
        "Lfm2MoeForCausalLM", LFM2 LFM2_TYPES                                                      \
        "'rope_parameters':{'rope_theta':5000.0,'rope_type':'default'},'intermediate_size':48,"    \
        "'moe_intermediate_size':24,'num_experts':4,'num_experts_per_tok':2,'num_dense_layers':1," \
        "'norm_topk_prob':true,'routed_scaling_factor':1.5,'use_expert_bias':true")
#define LFM2_ROUTED                                                                                \
    LFM2_NAMES, .router = L "feed_forward.gate", .router_bias = L "feed_forward.expert_bias",      \
                .n_dense = 1, .sigmoid = true, .normalises = true, .expert_scale = 1.5,            \
                .theta = 5000.0

static const ref_spec lfm2 = {
    .config = CONFIG("Lfm2ForCausalLM", LFM2 LFM2_TYPES
                     "'rope_theta':1000000.0,'block_ff_dim':72,'block_multiple_of':16,"
                     "'block_ffn_dim_multiplier':1.0,'block_auto_adjust_ff_dim':true"),
    LFM2_NAMES,
    .theta = 1e6,
};

TEST(lfm2_gives_the_reference_logits)
{
    family_check(&lfm2, "lfm2");
}

TEST(lfm2_whose_config_lists_attention_gives_the_reference_logits)
{
    ref_spec s = lfm2;
    s.config = CONFIG("Lfm2ForCausalLM",
                      LFM2 "'full_attn_idxs':[2],'rope_theta':1000000.0,'intermediate_size':48,"
                           "'block_auto_adjust_ff_dim':false");
    family_check(&s, "lfm2");
}

TEST(lfm2_with_experts_gives_the_reference_logits)
{
    family_check(
        &(ref_spec){
            .config = LFM2_MOE,
            LFM2_ROUTED,
            .exp_gate = L "feed_forward.experts.%d.w1.weight",
            .exp_up = L "feed_forward.experts.%d.w3.weight",
            .exp_down = L "feed_forward.experts.%d.w2.weight",
        },
        "lfm2moe");
    family_check(
        &(ref_spec){
            .config = LFM2_MOE,
            LFM2_ROUTED,
            .exp_in = L "feed_forward.experts.gate_up_proj",
            .exp_out = L "feed_forward.experts.down_proj",
        },
        "lfm2moe");
}

/* ---- the delta rule -------------------------------------------------------------------------- */

enum { N_KEY = 2, N_VALUE = 4, DK = 8, DV = 16, TAPS = 4 };
enum {
    KEYS = N_KEY * DK,
    VALUES = N_VALUE * DV,
    CONV = 2 * KEYS + VALUES,
    PER = N_VALUE / N_KEY,
    HD = REF_DIM
};

typedef struct {
    double qkv[CONV], z[VALUES], b[N_VALUE], a[N_VALUE]; /* heads of values by groups */
} delta_in;

/* From one matrix that has them group by group, or from four. */
static void read_delta(ref *r, int il, bool is_next, const double *h, delta_in *in)
{
    enum { GROUP = 2 * DK + 2 * PER * DV };
    double all[N_KEY * GROUP], ba[2 * N_VALUE];
    if (!is_next) {
        ref_multiply(r, TL "linear_attn.in_proj_qkv", il, CONV, E, h, in->qkv);
        ref_multiply(r, TL "linear_attn.in_proj_z", il, VALUES, E, h, in->z);
        ref_multiply(r, TL "linear_attn.in_proj_b", il, N_VALUE, E, h, in->b);
        ref_multiply(r, TL "linear_attn.in_proj_a", il, N_VALUE, E, h, in->a);
        return;
    }
    ref_multiply(r, L "linear_attn.in_proj_qkvz", il, N_KEY * GROUP, E, h, all);
    ref_multiply(r, L "linear_attn.in_proj_ba", il, 2 * N_VALUE, E, h, ba);
    for (int g = 0; g < N_KEY; g++) {
        const double *from = all + g * GROUP;
        memcpy(in->qkv + g * DK, from, DK * sizeof *from);
        memcpy(in->qkv + KEYS + g * DK, from + DK, DK * sizeof *from);
        memcpy(in->qkv + 2 * KEYS + g * PER * DV, from + 2 * DK, PER * DV * sizeof *from);
        memcpy(in->z + g * PER * DV, from + 2 * DK + PER * DV, PER * DV * sizeof *from);
        memcpy(in->b + g * PER, ba + g * 2 * PER, PER * sizeof *from);
        memcpy(in->a + g * PER, ba + g * 2 * PER + PER, PER * sizeof *from);
    }
}

/* What the kernels make of tokens 0 .. t. */
static void convolve(const double *w, const delta_in *in, int t, double *y)
{
    for (int i = 0; i < CONV; i++) {
        double sum = 0.0;
        for (int j = 0; j < TAPS && t - j >= 0; j++)
            sum += w[i * TAPS + TAPS - 1 - j] * in[t - j].qkv[i];
        y[i] = sum * ref_sigmoid(sum);
    }
}

static void to_unit(const double *x, double scale, double *y)
{
    double sum = 0.0;
    for (int i = 0; i < DK; i++) sum += x[i] * x[i];
    for (int i = 0; i < DK; i++) y[i] = x[i] / sqrt(sum + 1e-6) * scale;
}

/* One token of one head. */
static void delta_token(double (*s)[DV], const double *q_, const double *k_, const double *v,
                        double decay, double beta, double *y)
{
    double q[DK], k[DK];
    to_unit(q_, 1.0 / sqrt((double)DK), q);
    to_unit(k_, 1.0, k);
    for (int j = 0; j < DV; j++) {
        double m = 0.0;
        for (int i = 0; i < DK; i++) m += (s[i][j] *= decay) * k[i];
        y[j] = 0.0;
        for (int i = 0; i < DK; i++) {
            s[i][j] += k[i] * (v[j] - m) * beta;
            y[j] += s[i][j] * q[i];
        }
    }
}

static void linear_attention(ref *r, int il, bool is_next, int n, double (*h)[E], double (*out)[E])
{
    static delta_in in[FAMILY_N];
    static double state[N_VALUE][DK][DV];
    const char *at = is_next ? L "linear_attn." : TL "linear_attn.";
    const double *w = ref_tensor_of(r, at, "conv1d.weight", il, CONV, 1, TAPS);
    const double *dt = ref_tensor_of(r, at, "dt_bias", il, 0, 0, N_VALUE);
    const double *log_a = ref_tensor_of(r, at, "A_log", il, 0, 0, N_VALUE);
    const double *norm = ref_tensor_of(r, at, "norm.weight", il, 0, 0, DV);
    memset(state, 0, sizeof state);
    for (int t = 0; t < n; t++) {
        double x[CONV], y[VALUES];
        read_delta(r, il, is_next, h[t], &in[t]);
        convolve(w, in, t, x);
        for (int v = 0; v < N_VALUE; v++) {
            double *out_v = y + v * DV, square = 0.0;
            double decay = exp(-exp(log_a[v]) * log(1.0 + exp(in[t].a[v] + dt[v])));
            delta_token(state[v], x + v / PER * DK, x + KEYS + v / PER * DK, x + 2 * KEYS + v * DV,
                        decay, ref_sigmoid(in[t].b[v]), out_v);
            for (int i = 0; i < DV; i++) square += out_v[i] * out_v[i];
            for (int i = 0; i < DV; i++) {
                double z = in[t].z[v * DV + i];
                out_v[i] *= norm[i] / sqrt(square / DV + 1e-5) * z * ref_sigmoid(z);
            }
        }
        ref_multiply(r, is_next ? L "linear_attn.out_proj" : TL "linear_attn.out_proj", il, E,
                     VALUES, y, out[t]);
    }
}

/* Norm and rotation of one head: the first quarter of it. */
static void finish_head(const double *w, int pos, double *x)
{
    double square = 0.0, a, b, angle = pos; /* the one frequency is 1 */
    for (int i = 0; i < HD; i++) square += x[i] * x[i];
    for (int i = 0; i < HD; i++) x[i] *= (1.0 + w[i]) / sqrt(square / HD + 1e-5);
    a = x[0], b = x[1];
    x[0] = a * cos(angle) - b * sin(angle);
    x[1] = b * cos(angle) + a * sin(angle);
}

static void gated_attention(ref *r, int il, bool is_next, int n, double (*h)[E], double (*out)[E])
{
    enum { NH = REF_HEAD, NKV = REF_KV };
    static double k[FAMILY_N][NKV * HD], v[FAMILY_N][NKV * HD];
    const char *at = is_next ? L "self_attn." : TL "self_attn.";
    const double *qn = ref_tensor_of(r, at, "q_norm.weight", il, 0, 0, HD);
    const double *kn = ref_tensor_of(r, at, "k_norm.weight", il, 0, 0, HD);
    for (int t = 0; t < n; t++) {
        double qg[NH * 2 * HD], y[NH * HD];
        ref_multiply(r, is_next ? L "self_attn.q_proj" : TL "self_attn.q_proj", il, NH * 2 * HD, E,
                     h[t], qg);
        ref_multiply(r, is_next ? L "self_attn.k_proj" : TL "self_attn.k_proj", il, NKV * HD, E,
                     h[t], k[t]);
        ref_multiply(r, is_next ? L "self_attn.v_proj" : TL "self_attn.v_proj", il, NKV * HD, E,
                     h[t], v[t]);
        for (int i = 0; i < NKV; i++) finish_head(kn, t, k[t] + i * HD);
        for (int i = 0; i < NH; i++) {
            double *q = qg + i * 2 * HD, sum = 0.0, p[FAMILY_N];
            int kv = i / (NH / NKV) * HD;
            finish_head(qn, t, q);
            for (int u = 0; u <= t; u++) {
                double dot = 0.0;
                for (int d = 0; d < HD; d++) dot += q[d] * k[u][kv + d];
                sum += p[u] = exp(dot / sqrt((double)HD));
            }
            for (int d = 0; d < HD; d++) {
                double *to = &y[i * HD + d];
                *to = 0.0;
                for (int u = 0; u <= t; u++) *to += p[u] / sum * v[u][kv + d];
                *to *= ref_sigmoid(q[HD + d]);
            }
        }
        ref_multiply(r, is_next ? L "self_attn.o_proj" : TL "self_attn.o_proj", il, E, NH * HD, y,
                     out[t]);
    }
}

static void mix_next(ref *r, int il, int n, double (*h)[E], double (*out)[E])
{
    (il == 3 ? gated_attention : linear_attention)(r, il, true, n, h, out);
}

static void mix_35(ref *r, int il, int n, double (*h)[E], double (*out)[E])
{
    (il == 3 ? gated_attention : linear_attention)(r, il, false, n, h, out);
}

static const bool all_layers[] = { true, true, true, true };

#define DELTA                                                                                      \
    "'hidden_size':32,'num_hidden_layers':4,'num_attention_heads':4,'head_dim':8,"                 \
    "'num_key_value_heads':2,'max_position_embeddings':64,'rms_norm_eps':1e-5,"                    \
    "'linear_num_key_heads':2,'linear_num_value_heads':4,'linear_key_head_dim':8,"                 \
    "'linear_value_head_dim':16,'linear_conv_kernel_dim':4,'full_attention_interval':4,"           \
    "'hidden_act':'silu',"
#define DELTA_EXPERTS                                                                              \
    "'num_experts':4,'num_experts_per_tok':2,'moe_intermediate_size':24,"                          \
    "'shared_expert_intermediate_size':24,'norm_topk_prob':true"
#define DELTA_NAMES(l)                                                                             \
    .attn_norm = l "input_layernorm", .ffn_norm = l "post_attention_layernorm",                    \
    .norm = REF_RMS_1P, .recurs = all_layers, UNTIED
#define DELTA_ROUTED(l)                                                                            \
    .router = l "mlp.gate", .sh_router = l "mlp.shared_expert_gate", .n_shared = 1,                \
    .sh_gate = l "mlp.shared_expert.gate_proj", .sh_up = l "mlp.shared_expert.up_proj",            \
    .sh_down = l "mlp.shared_expert.down_proj", .normalises = true

static const ref_spec qwen35 = {
    .config =
        "{'architectures':['Qwen3_5ForConditionalGeneration'],"
        "'text_config':{'model_type':'qwen3_5_text','vocab_size':40," DELTA
        "'intermediate_size':48,'rope_parameters':{'rope_type':'default','rope_theta':10000000,"
        "'partial_rotary_factor':0.25,'mrope_section':[1,0,0],'mrope_interleaved':true},"
        "'layer_types':['linear_attention','linear_attention','linear_attention',"
        "'full_attention']}}",
    DELTA_NAMES(TL),
    .embd = "model.language_model.embed_tokens",
    .out_norm = "model.language_model.norm",
    .gate = TL "mlp.gate_proj",
    .up = TL "mlp.up_proj",
    .down = TL "mlp.down_proj",
    .mix = mix_35,
};

TEST(qwen_3_5_gives_the_reference_logits)
{
    family_check(&qwen35, "qwen35");
}

TEST(qwen_3_5_with_experts_gives_the_reference_logits)
{
    family_check(
        &(ref_spec){
            .config = "{'architectures':['Qwen3_5MoeForConditionalGeneration'],"
                      "'text_config':{'vocab_size':40," DELTA DELTA_EXPERTS
                      ",'rope_parameters':{'rope_theta':10000000,'rope_type':'default'}}}",
            DELTA_NAMES(TL),
            DELTA_ROUTED(TL),
            .embd = "model.language_model.embed_tokens",
            .out_norm = "model.language_model.norm",
            .exp_in = TL "mlp.experts.gate_up_proj",
            .exp_out = TL "mlp.experts.down_proj",
            .mix = mix_35,
        },
        "qwen35moe");
}

static const ref_spec qwen3next = {
    .config = CONFIG("Qwen3NextForCausalLM", DELTA DELTA_EXPERTS
                     ",'intermediate_size':48,'rope_theta':10000000,'partial_rotary_factor':0.25"),
    DELTA_NAMES(L),
    DELTA_ROUTED(L),
    .embd = "model.embed_tokens",
    .out_norm = "model.norm",
    .exp_gate = L "mlp.experts.%d.gate_proj.weight",
    .exp_up = L "mlp.experts.%d.up_proj.weight",
    .exp_down = L "mlp.experts.%d.down_proj.weight",
    .mix = mix_next,
};

TEST(qwen_3_next_gives_the_reference_logits)
{
    family_check(&qwen3next, "qwen3next");
}

/* ---- states ---------------------------------------------------------------------------------- */

TEST(states_of_short_convolutions_give_the_bits_of_texts_read_in_one_go)
{
    states_check(&lfm2, "lfm2-long", 3 * 2 * E * sizeof(float));
}

TEST(states_of_the_delta_rule_give_the_bits_of_texts_read_in_one_go)
{
    const size_t floats = (TAPS - 1) * CONV + N_VALUE * DK * DV;
    states_check(&qwen35, "qwen35-long", 3 * floats * sizeof(float));
}
