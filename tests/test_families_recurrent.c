/* test_families_recurrent.c - as test_families.c, of families with recurrent layers. Their states
 * too: a session that is cut back or saved, and sequences that begin alike, give the bits of a text
 * that is read in one go. */
#include "base/mem.h"
#include "engine/batch.h"
#include "engine/session.h"
#include "engine/session_state.h"
#include "family_check.h"
#include "model/model.h"
#include <math.h>
#include <stdlib.h>

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
    "\"hidden_size\":32,\"num_hidden_layers\":4,\"num_attention_heads\":4,"                        \
    "\"num_key_value_heads\":2,\"max_position_embeddings\":64,\"norm_eps\":1e-5,"                  \
    "\"conv_L_cache\":3,\"conv_bias\":false,"
#define LFM2_TYPES "\"layer_types\":[\"conv\",\"conv\",\"full_attention\",\"conv\"],"
#define LFM2_NAMES                                                                                 \
    .embd = "model.embed_tokens", .out_norm = "model.embedding_norm",                              \
    .attn_norm = L "operator_norm", QKV, .o = L "self_attn.out_proj", .qk_norm = REF_HEADS,        \
    .q_norm = L "self_attn.q_layernorm", .k_norm = L "self_attn.k_layernorm",                      \
    .ffn_norm = L "ffn_norm", .gate = L "feed_forward.w1", .up = L "feed_forward.w3",              \
    .down = L "feed_forward.w2", .recurs = lfm2_recurs, .mix = short_conv
#define LFM2_MOE                                                                                   \
    CLASS("Lfm2MoeForCausalLM") LFM2 LFM2_TYPES                                                    \
    "\"rope_parameters\":{\"rope_theta\":5000.0,\"rope_type\":\"default\"},"                       \
    "\"intermediate_size\":48,\"moe_intermediate_size\":24,\"num_experts\":4,"                     \
    "\"num_experts_per_tok\":2,\"num_dense_layers\":1,\"norm_topk_prob\":true,"                    \
    "\"routed_scaling_factor\":1.5,\"use_expert_bias\":true}"
#define LFM2_ROUTED                                                                                \
    LFM2_NAMES, .router = L "feed_forward.gate", .router_bias = L "feed_forward.expert_bias",      \
    .n_dense = 1, .sigmoid = true, .normalises = true, .expert_scale = 1.5, .theta = 5000.0

static const ref_spec lfm2 = {
    .config = CLASS("Lfm2ForCausalLM") LFM2 LFM2_TYPES
    "\"rope_theta\":1000000.0,\"block_ff_dim\":72,\"block_multiple_of\":16,"
    "\"block_ffn_dim_multiplier\":1.0,\"block_auto_adjust_ff_dim\":true}",
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
    s.config = CLASS("Lfm2ForCausalLM") LFM2
        "\"full_attn_idxs\":[2],\"rope_theta\":1000000.0,\"intermediate_size\":48,"
        "\"block_auto_adjust_ff_dim\":false}";
    family_check(&s, "lfm2");
}

TEST(lfm2_with_experts_gives_the_reference_logits)
{
    family_check(&(ref_spec){ .config = LFM2_MOE,
                              LFM2_ROUTED,
                              .exp_gate = L "feed_forward.experts.%d.w1.weight",
                              .exp_up = L "feed_forward.experts.%d.w3.weight",
                              .exp_down = L "feed_forward.experts.%d.w2.weight" },
                 "lfm2moe");
    family_check(&(ref_spec){ .config = LFM2_MOE,
                              LFM2_ROUTED,
                              .exp_in = L "feed_forward.experts.gate_up_proj",
                              .exp_out = L "feed_forward.experts.down_proj" },
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

static double logistic(double x)
{
    return 1.0 / (1.0 + exp(-x));
}

/* What the kernels make of tokens 0 .. t. */
static void convolve(const double *w, const delta_in *in, int t, double *y)
{
    for (int i = 0; i < CONV; i++) {
        double sum = 0.0;
        for (int j = 0; j < TAPS && t - j >= 0; j++)
            sum += w[i * TAPS + TAPS - 1 - j] * in[t - j].qkv[i];
        y[i] = sum * logistic(sum);
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
                        decay, logistic(in[t].b[v]), out_v);
            for (int i = 0; i < DV; i++) square += out_v[i] * out_v[i];
            for (int i = 0; i < DV; i++) {
                double z = in[t].z[v * DV + i];
                out_v[i] *= norm[i] / sqrt(square / DV + 1e-5) * z * logistic(z);
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
                *to *= logistic(q[HD + d]);
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
    "\"hidden_size\":32,\"num_hidden_layers\":4,\"num_attention_heads\":4,"                        \
    "\"head_dim\":8,"                                                                              \
    "\"num_key_value_heads\":2,\"max_position_embeddings\":64,\"rms_norm_eps\":1e-5,"              \
    "\"linear_num_key_heads\":2,\"linear_num_value_heads\":4,\"linear_key_head_dim\":8,"           \
    "\"linear_value_head_dim\":16,\"linear_conv_kernel_dim\":4,"                                   \
    "\"full_attention_interval\":4,\"hidden_act\":\"silu\","
#define DELTA_EXPERTS                                                                              \
    "\"num_experts\":4,\"num_experts_per_tok\":2,\"moe_intermediate_size\":24,"                    \
    "\"shared_expert_intermediate_size\":24,\"norm_topk_prob\":true"
#define DELTA_NAMES(l)                                                                             \
    .attn_norm = l "input_layernorm", .ffn_norm = l "post_attention_layernorm",                    \
    .norm = REF_RMS_1P, .recurs = all_layers, UNTIED
#define DELTA_ROUTED(l)                                                                            \
    .router = l "mlp.gate", .sh_router = l "mlp.shared_expert_gate", .n_shared = 1,                \
    .sh_gate = l "mlp.shared_expert.gate_proj", .sh_up = l "mlp.shared_expert.up_proj",            \
    .sh_down = l "mlp.shared_expert.down_proj", .normalises = true

static const ref_spec qwen35 = {
    .config = "{\"architectures\":[\"Qwen3_5ForConditionalGeneration\"],\"text_config\":{"
              "\"model_type\":\"qwen3_5_text\",\"vocab_size\":40," DELTA
              "\"intermediate_size\":48,\"rope_parameters\":{\"rope_type\":\"default\","
              "\"rope_theta\":10000000,\"partial_rotary_factor\":0.25,"
              "\"mrope_section\":[1,0,0],\"mrope_interleaved\":true},"
              "\"layer_types\":[\"linear_attention\",\"linear_attention\",\"linear_attention\","
              "\"full_attention\"]}}",
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
        &(ref_spec){ .config = "{\"architectures\":[\"Qwen3_5MoeForConditionalGeneration\"],"
                               "\"text_config\":{\"vocab_size\":40," DELTA DELTA_EXPERTS
                               ",\"rope_parameters\":{\"rope_theta\":10000000,"
                               "\"rope_type\":\"default\"}}}",
                     DELTA_NAMES(TL),
                     DELTA_ROUTED(TL),
                     .embd = "model.language_model.embed_tokens",
                     .out_norm = "model.language_model.norm",
                     .exp_in = TL "mlp.experts.gate_up_proj",
                     .exp_out = TL "mlp.experts.down_proj",
                     .mix = mix_35 },
        "qwen35moe");
}

static const ref_spec qwen3next = {
    .config = CLASS("Qwen3NextForCausalLM") DELTA DELTA_EXPERTS
    ",\"intermediate_size\":48,\"rope_theta\":10000000,\"partial_rotary_factor\":0.25}",
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

enum { LONG = 150, CTX = 192 };

static void open_model(model *m, const ref_spec *s, const char *name)
{
    double logits[REF_VOCAB];
    char out[500];
    gguf g;
    buf notes = { 0 };
    lory_err err = { 0 };
    hf_test f = ref_run(s, name, family_text, 1, logits);
    REQUIRE(hf_make(&f, RETYPE_KEEP, &g, &notes, &err), "%s", err.text);
    gguf_close(&g);
    buf_free(&notes);
    snprintf(out, sizeof out, "%s.gguf", f.path);
    REQUIRE(model_open(m, out, NULL, &err), "%s", err.text);
}

static void fill_ids(lory_token *ids, int n, uint32_t seed)
{
    for (int i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        ids[i] = (lory_token)((seed >> 8) % REF_VOCAB);
    }
}

static void open_session(session *s, const model *m, int n_batch, int n_threads)
{
    lory_err err;
    lory_session_params p = { .n_ctx = CTX, .n_batch = n_batch, .n_threads = n_threads };
    REQUIRE(session_open(s, m, &p, &err), "%s", err.text);
}

/* The last logits of n tokens that a session of its own reads one by one. */
static void alone(const model *m, const lory_token *ids, int n, float *out)
{
    lory_err err;
    session s;
    open_session(&s, m, 1, 1);
    for (int i = 0; i < n; i++)
        REQUIRE(session_eval(&s, ids + i, 1, NULL, NULL, &err), "%s", err.text);
    memcpy(out, s.logits, REF_VOCAB * sizeof *out);
    session_close(&s);
}

/* Cut back to any length, a session goes on with the bits of one that read just that. */
static void check_rewinds(const model *m)
{
    static const int ends[] = { 149, 148, 133, 100, 64, 63, 17, 16, 15, 1, 0, 77 };
    lory_err err;
    lory_token ids[LONG], other[LONG];
    float want[REF_VOCAB];
    session s;
    open_session(&s, m, 32, 3);
    fill_ids(ids, LONG, 3);
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        int n = ends[i], n_new = (int)i % 3 == 0 ? 1 : 20 + (int)i % 30;
        if (n + n_new > CTX) n_new = CTX - n;
        memcpy(other, ids, (size_t)n * sizeof *ids);
        fill_ids(other + n, LONG - n, (uint32_t)i + 50);
        REQUIRE(session_set(&s, ids, LONG, &err), "%s", err.text);
        session_truncate(&s, (size_t)n);
        int n_all = n + n_new < LONG ? n + n_new : LONG;
        REQUIRE(session_eval(&s, other + n, (size_t)(n_all - n), NULL, NULL, &err), "%s", err.text);
        alone(m, other, n_all, want);
        CHECK_SAME(s.logits, want, sizeof want, "cut to %d, then up to %d", n, n_all);
    }
    session_close(&s);
}

/* What an interrupted run leaves is not gone on with. */
static void check_interrupted(const model *m)
{
    lory_err err;
    lory_token ids[LONG];
    float want[REF_VOCAB];
    int pos[8], seq[8] = { 0 };
    session s;
    open_session(&s, m, 32, 2);
    fill_ids(ids, LONG, 7);
    REQUIRE(session_eval(&s, ids, 100, NULL, NULL, &err), "%s", err.text);
    REQUIRE(kv_reserve(&s.kv, 0, 8, &err) == 100);
    for (int i = 0; i < 8; i++) pos[i] = 100 + i;
    REQUIRE(exec_body(&s.e, &(exec_batch){ 8, ids, pos, seq, { 0 } }, &err), "%s", err.text);
    kv_truncate(&s.kv, 0, 100);
    REQUIRE(session_eval(&s, ids + 100, LONG - 100, NULL, NULL, &err), "%s", err.text);
    alone(m, ids, LONG, want);
    CHECK_SAME(s.logits, want, sizeof want, "after an interrupted run");
    session_close(&s);
}

/* A prompt whose answer is thrown away is not read again but for its last token. */
static void check_again(const model *m)
{
    lory_err err;
    lory_token ids[LONG];
    session s;
    open_session(&s, m, 32, 2);
    fill_ids(ids, LONG, 9);
    for (int turn = 1; turn <= 3; turn++) {
        int n = 40 * turn;
        REQUIRE(session_set(&s, ids, (size_t)n, &err), "%s", err.text);
        for (int i = 0; i < 9; i++)
            REQUIRE(session_eval(&s, ids + n + i, 1, NULL, NULL, &err), "%s", err.text);
        session_truncate(&s, (size_t)n - 1);
        CHECK(s.kv.seq[0].n_tok == n - 1, "%d of %d", s.kv.seq[0].n_tok, n - 1);
        session_truncate(&s, (size_t)n - 3);
        CHECK(s.kv.seq[0].n_tok >= n - 1 - 32, "%d of %d", s.kv.seq[0].n_tok, n - 3);
    }
    session_close(&s);
}

static bool keep_bytes(void *user, const void *bytes, size_t n)
{
    return buf_put(user, bytes, n);
}

static void check_saved(const model *m)
{
    lory_err err;
    lory_token ids[LONG];
    float want[REF_VOCAB];
    fill_ids(ids, LONG, 11);
    alone(m, ids, LONG, want);
    for (int n = 99; n <= 100; n++) { /* where a state was kept, and at the end */
        session a, b;
        buf state = { 0 };
        open_session(&a, m, 32, 3);
        open_session(&b, m, 16, 1);
        REQUIRE(session_eval(&a, ids, 100, NULL, NULL, &err), "%s", err.text);
        CHECK(session_state_bytes(&a, 98) == 0);
        REQUIRE(session_state_write(&a, (size_t)n, 1, keep_bytes, &state, &err), "%s", err.text);
        CHECK(state.len == session_state_bytes(&a, (size_t)n), "%zu bytes", state.len);
        REQUIRE(session_eval(&b, ids + 5, 60, NULL, NULL, &err), "%s", err.text);
        REQUIRE(session_state_read(&b, state.data, state.len, 1, &err), "%s", err.text);
        REQUIRE(session_eval(&b, ids + n, (size_t)(LONG - n), NULL, NULL, &err), "%s", err.text);
        CHECK_SAME(b.logits, want, sizeof want, "from %d tokens", n);
        state.data[state.len / 2] ^= 1;
        CHECK(!session_state_read(&b, state.data, state.len, 1, &err));
        session_close(&a);
        session_close(&b);
        buf_free(&state);
    }
}

static void check_plan(const model *m, size_t cell_bytes)
{
    lory_err err;
    lory_memory_plan mp;
    session s;
    lory_session_params p = { .n_ctx = CTX };
    REQUIRE(session_plan(m, &p, &mp, &err), "%s", err.text);
    open_session(&s, m, 0, 1);
    CHECK(s.kv.states.cell_bytes == cell_bytes, "%zu bytes", s.kv.states.cell_bytes);
    CHECK(mp.state_bytes == s.kv.states.data_bytes && mp.state_bytes >= 3 * cell_bytes);
    CHECK(mp.total_bytes > mp.state_bytes + mp.kv_bytes + mp.scratch_bytes);
    session_close(&s);
}

/* ---- many at once ---------------------------------------------------------------------------- */

enum { N_TEXT = 14, N_NEW = 6 };

typedef struct {
    lory_token id[LONG + N_NEW];
    int n, n_prompt, slot; /* slot -1: not yet, -2: done */
    float last[REF_VOCAB];
} text;

/* Texts that begin alike in several ways. */
static void make_texts(text *t)
{
    for (int i = 0; i < N_TEXT; i++) {
        t[i] = (text){ .slot = -1, .n = 30 + 7 * i };
        fill_ids(t[i].id, t[i].n, (uint32_t)i + 100);
        if (i % 4 > 0) memcpy(t[i].id, t[0].id, 25 * sizeof t->id[0]);
        if (i % 4 > 1) fill_ids(t[i].id + 25, t[i].n - 33, 5);
        if (i == 9) t[i] = t[5];
        t[i].n_prompt = t[i].n;
    }
}

static lory_token best(const float *logits)
{
    int top = 0;
    for (int i = 1; i < REF_VOCAB; i++)
        if (logits[i] > logits[top]) top = i;
    return (lory_token)top;
}

typedef struct {
    batch *b;
    text *t;
} many;

static bool on_ready(void *user, const batch_ready *r, lory_err *err)
{
    many *all = user;
    (void)err;
    for (int i = 0; i < r->n; i++) {
        text *t = all->t;
        while (t->slot != r->slot[i]) t++;
        const float *logits = r->logits + (size_t)i * r->ld;
        t->id[t->n++] = best(logits);
        if (t->n < t->n_prompt + N_NEW) {
            batch_put(all->b, t->slot, t->id[t->n - 1]);
            continue;
        }
        memcpy(t->last, logits, sizeof t->last);
        batch_end(all->b, t->slot);
        t->slot = -2;
    }
    return true;
}

typedef struct {
    int n_parallel, n_kv;
    bool interrupts;
} way;

/* Runs all texts, so many at once. */
static void run_many(const model *m, text *t, way w, uint64_t *n_shared)
{
    lory_err err;
    batch b;
    lory_batch_params p = { .session = { .n_ctx = CTX, .n_batch = 24, .n_threads = 3 },
                            .n_parallel = w.n_parallel, .n_kv = w.n_kv };
    REQUIRE(batch_open(&b, m, &p, &err), "%s", err.text);
    many all = { &b, t };
    for (int n_done = 0, i = 0, step = 0; n_done < N_TEXT; step++) {
        while (i < N_TEXT && b.n_live < w.n_parallel) {
            t[i].slot = batch_add(&b, t[i].id, (size_t)t[i].n, &err);
            REQUIRE(t[i++].slot >= 0, "%s", err.text);
        }
        if (w.interrupts && step < 60 && step % 12 == 5) { /* as a run that ends early leaves it */
            for (int k = 0; k < b.n_live; k++)
                kv_truncate(&b.kv, b.queue[k], b.kv.seq[b.queue[k]].n_tok - 1);
        }
        REQUIRE(batch_step(&b, on_ready, &all, &err), "%s", err.text);
        for (n_done = 0; n_done < N_TEXT && t[n_done].slot == -2;) n_done++;
        REQUIRE(step < 10000);
    }
    *n_shared = b.stats.n_shared;
    batch_close(&b);
}

static void check_batch(const model *m)
{
    static text want[N_TEXT], got[N_TEXT];
    static const way ways[] = { { 1, 0, false }, { 2, 0, false }, { 14, 0, false }, { 14, 0, true },
                 { 14, 5 * KV_CHUNK, false }, { 3, 4 * KV_CHUNK, true } };
    make_texts(want);
    for (int i = 0; i < N_TEXT; i++)
        for (int k = 0; k < N_NEW; k++) {
            alone(m, want[i].id, want[i].n, want[i].last);
            want[i].id[want[i].n++] = best(want[i].last);
        }
    for (size_t w = 0; w < sizeof ways / sizeof ways[0]; w++) {
        make_texts(got);
        uint64_t n = 0;
        run_many(m, got, ways[w], &n);
        CHECK(n > 0, "way %zu: nothing was shared", w);
        for (int i = 0; i < N_TEXT; i++) {
            CHECK_SAME(got[i].id, want[i].id, sizeof want[i].id, "way %zu, text %d", w, i);
            CHECK_SAME(got[i].last, want[i].last, sizeof want[i].last, "way %zu, text %d", w, i);
        }
    }
}

static void check_states(const ref_spec *s, const char *name, size_t cell_bytes)
{
    model m;
    open_model(&m, s, name);
    check_plan(&m, cell_bytes);
    check_rewinds(&m);
    check_interrupted(&m);
    check_again(&m);
    check_saved(&m);
    check_batch(&m);
    model_close(&m);
}

TEST(states_of_short_convolutions_give_the_bits_of_texts_read_in_one_go)
{
    check_states(&lfm2, "lfm2-long", 3 * 2 * E * sizeof(float));
}

TEST(states_of_the_delta_rule_give_the_bits_of_texts_read_in_one_go)
{
    const size_t floats = (TAPS - 1) * CONV + N_VALUE * DK * DV;
    check_states(&qwen35, "qwen35-long", 3 * floats * sizeof(float));
}
