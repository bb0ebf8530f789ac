/* test_families_kimi.c - as test_families_recurrent.c, of Kimi-Linear and Ling 3: Kimi Delta
 * Attention, and latent attention without rotation, or with gates. */
#include "family_check.h"
#include "gguf/gguf_write.h"
#include "lory.h"
#include "states_check.h"
#include <math.h>

enum { E = REF_EMBD, NH = REF_HEAD, HD = REF_DIM, INNER = NH * HD, TAPS = 4 };

typedef double rows[FAMILY_N][INNER];

/* silu of each channel's kernel over the tokens so far. */
static void convolve(ref *r, const char *name, int il, int n, rows x)
{
    static rows y;
    const double *w = ref_tensor_of(r, name, ".weight", il, INNER, 1, TAPS);
    for (int t = 0; t < n; t++)
        for (int i = 0; i < INNER; i++) {
            double sum = 0.0;
            for (int j = 0; j < TAPS && t - j >= 0; j++)
                sum += w[i * TAPS + TAPS - 1 - j] * x[t - j][i];
            y[t][i] = sum * ref_sigmoid(sum);
        }
    memcpy(x, y, sizeof y);
}

/* A row of each token, convolved. */
static void project(ref *r, const char *name, const char *conv, int il, int n, double (*h)[E],
                    rows out)
{
    for (int t = 0; t < n; t++) ref_multiply(r, name, il, INNER, E, h[t], out[t]);
    convolve(r, conv, il, n, out);
}

static void to_unit(double scale, const double *x, double *y)
{
    double sum = 1e-6;
    for (int i = 0; i < HD; i++) sum += x[i] * x[i];
    for (int i = 0; i < HD; i++) y[i] = x[i] / sqrt(sum) * scale;
}

/* One token of one head: what each channel forgets of it is its own. */
static void kda_token(double (*s)[HD], const double *decay, double beta, const double *q_,
                      const double *k_, const double *v, double *y)
{
    double q[HD], k[HD];
    to_unit(1.0 / sqrt((double)HD), q_, q);
    to_unit(1.0, k_, k);
    for (int j = 0; j < HD; j++) {
        double m = 0.0;
        for (int i = 0; i < HD; i++) m += k[i] * (s[i][j] *= decay[i]);
        y[j] = 0.0;
        for (int i = 0; i < HD; i++) y[j] += q[i] * (s[i][j] += k[i] * beta * (v[j] - m));
    }
}

static void kda(ref *r, int il, int n, double (*h)[E], double (*out)[E])
{
    static rows q, k, v;
    static double state[NH][HD][HD];
    const double *a_log = ref_tensor_of(r, L "self_attn.A_log", "", il, 1, NH, 1);
    const double *dt = ref_tensor_of(r, L "self_attn.dt_bias", "", il, 0, 0, INNER);
    const double *norm = ref_tensor_of(r, L "self_attn.o_norm", ".weight", il, 0, 0, HD);
    memset(state, 0, sizeof state);
    project(r, L "self_attn.q_proj", L "self_attn.q_conv1d", il, n, h, q);
    project(r, L "self_attn.k_proj", L "self_attn.k_conv1d", il, n, h, k);
    project(r, L "self_attn.v_proj", L "self_attn.v_conv1d", il, n, h, v);
    for (int t = 0; t < n; t++) {
        double f[HD], g[HD], decay[INNER], gate[INNER], b[NH], y[INNER];
        ref_multiply(r, L "self_attn.f_a_proj", il, HD, E, h[t], f);
        ref_multiply(r, L "self_attn.f_b_proj", il, INNER, HD, f, decay);
        ref_multiply(r, L "self_attn.g_a_proj", il, HD, E, h[t], g);
        ref_multiply(r, L "self_attn.g_b_proj", il, INNER, HD, g, gate);
        ref_multiply(r, L "self_attn.b_proj", il, NH, E, h[t], b);
        for (int i = 0; i < INNER; i++)
            decay[i] = exp(-exp(a_log[i / HD]) * log(1.0 + exp(decay[i] + dt[i])));
        for (int i = 0; i < NH; i++) {
            double *o = y + i * HD;
            kda_token(state[i], decay + i * HD, ref_sigmoid(b[i]), q[t] + i * HD, k[t] + i * HD,
                      v[t] + i * HD, o);
            ref_rms_norm(norm, 1e-5, HD, o);
            for (int d = 0; d < HD; d++) o[d] *= ref_sigmoid(gate[i * HD + d]);
        }
        ref_multiply(r, L "self_attn.o_proj", il, E, INNER, y, out[t]);
    }
}

enum { RANK = REF_KV_RANK, NOPE = REF_NOPE, PE = REF_ROPE, KEY = NOPE + PE };

/* Keys and values of all heads come out of a latent; a part of the keys is the same in all. */
static void latent_attention(ref *r, int il, int n, double (*h)[E], double (*out)[E])
{
    static double kv[FAMILY_N][NH * (NOPE + HD)], a[FAMILY_N][RANK + PE];
    const double *norm = ref_tensor_of(r, L "self_attn.kv_a_layernorm", ".weight", il, 0, 0, RANK);
    for (int t = 0; t < n; t++) {
        double q[NH * KEY], y[INNER], latent[RANK], square = 0.0;
        ref_multiply(r, L "self_attn.q_proj", il, NH * KEY, E, h[t], q);
        ref_multiply(r, L "self_attn.kv_a_proj_with_mqa", il, RANK + PE, E, h[t], a[t]);
        for (int i = 0; i < RANK; i++) square += a[t][i] * a[t][i];
        for (int i = 0; i < RANK; i++) latent[i] = a[t][i] * norm[i] / sqrt(square / RANK + 1e-5);
        ref_multiply(r, L "self_attn.kv_b_proj", il, NH * (NOPE + HD), RANK, latent, kv[t]);
        for (int i = 0; i < NH; i++) {
            double p[FAMILY_N], sum = 0.0;
            for (int u = 0; u <= t; u++) {
                double dot = 0.0;
                for (int d = 0; d < NOPE; d++) dot += q[i * KEY + d] * kv[u][i * (NOPE + HD) + d];
                for (int d = 0; d < PE; d++) dot += q[i * KEY + NOPE + d] * a[u][RANK + d];
                sum += p[u] = exp(dot / sqrt((double)KEY));
            }
            for (int d = 0; d < HD; d++) {
                y[i * HD + d] = 0.0;
                for (int u = 0; u <= t; u++)
                    y[i * HD + d] += p[u] / sum * kv[u][i * (NOPE + HD) + NOPE + d];
            }
        }
        ref_multiply(r, L "self_attn.o_proj", il, E, INNER, y, out[t]);
    }
}

static void mix(ref *r, int il, int n, double (*h)[E], double (*out)[E])
{
    (il == 2 ? latent_attention : kda)(r, il, n, h, out);
}

static const bool all_layers[] = { true, true, true, true };

#define KIMI_CONFIG(more)                                                                          \
    CONFIG("KimiLinearForCausalLM",                                                                \
           "'hidden_size':32,'num_hidden_layers':4,'num_attention_heads':4,'head_dim':8,"          \
           "'num_key_value_heads':4,'intermediate_size':48,'model_max_length':64,"                 \
           "'rms_norm_eps':1e-5,'kv_lora_rank':16,'q_lora_rank':null,'qk_nope_head_dim':8,"        \
           "'qk_rope_head_dim':4,'v_head_dim':8,'num_experts':4,'num_experts_per_token':2,"        \
           "'moe_intermediate_size':24,'num_shared_experts':1,'first_k_dense_replace':1,"          \
           "'moe_renormalize':true,'moe_router_activation_func':'sigmoid',"                        \
           "'routed_scaling_factor':2.446,'num_expert_group':1,'topk_group':1,"                    \
           "'linear_attn_config':{'full_attn_layers':[3],'kda_layers':[1,2,4],'head_dim':8,"       \
           "'num_heads':4,'short_conv_kernel_size':4")                                             \
    more "}"

static const ref_spec kimi = {
    .config = KIMI_CONFIG(",'mla_use_nope':true"),
    .embd = "model.embed_tokens",
    .out_norm = "model.norm",
    UNTIED,
    PRE_NORMS,
    .gate = L "mlp.gate_proj",
    .up = L "mlp.up_proj",
    .down = L "mlp.down_proj",
    .router = L "block_sparse_moe.gate",
    .router_bias = L "block_sparse_moe.gate.e_score_correction_bias",
    .exp_gate = L "block_sparse_moe.experts.%d.w1.weight",
    .exp_up = L "block_sparse_moe.experts.%d.w3.weight",
    .exp_down = L "block_sparse_moe.experts.%d.w2.weight",
    .sh_gate = L "block_sparse_moe.shared_experts.gate_proj",
    .sh_up = L "block_sparse_moe.shared_experts.up_proj",
    .sh_down = L "block_sparse_moe.shared_experts.down_proj",
    .n_dense = 1,
    .n_shared = 1,
    .sigmoid = true,
    .normalises = true,
    .expert_scale = 2.446,
    .recurs = all_layers,
    .mix = mix,
};

TEST(kimi_linear_gives_the_reference_logits)
{
    family_check(&kimi, "kimi-linear");
}

/* ---- Ling 3 ---------------------------------------------------------------------------------- */

#define LA L "attention."

/* What a channel forgets lies between 1 and e^-5; nothing is of low rank. */
static void ling_kda(ref *r, int il, int n, double (*h)[E], double (*out)[E])
{
    static rows q, k, v;
    static double state[NH][HD][HD];
    const double *a_log = ref_tensor_of(r, LA "A_log", "", il, 0, 0, NH);
    const double *dt = ref_tensor_of(r, LA "dt_bias", "", il, 0, 0, INNER);
    const double *norm = ref_tensor_of(r, LA "o_norm", ".weight", il, 0, 0, HD);
    memset(state, 0, sizeof state);
    project(r, LA "q_proj", LA "q_conv1d", il, n, h, q);
    project(r, LA "k_proj", LA "k_conv1d", il, n, h, k);
    project(r, LA "v_proj", LA "v_conv1d", il, n, h, v);
    for (int t = 0; t < n; t++) {
        double decay[INNER], gate[INNER], b[NH], y[INNER];
        ref_multiply(r, LA "f_proj", il, INNER, E, h[t], decay);
        ref_multiply(r, LA "g_proj", il, INNER, E, h[t], gate);
        ref_multiply(r, LA "b_proj", il, NH, E, h[t], b);
        for (int i = 0; i < INNER; i++)
            decay[i] = exp(-5.0 * ref_sigmoid(exp(a_log[i / HD]) * (decay[i] + dt[i])));
        for (int i = 0; i < NH; i++) {
            double *o = y + i * HD;
            kda_token(state[i], decay + i * HD, ref_sigmoid(b[i]), q[t] + i * HD, k[t] + i * HD,
                      v[t] + i * HD, o);
            ref_rms_norm(norm, 1e-5, HD, o);
            for (int d = 0; d < HD; d++) o[d] *= ref_sigmoid(gate[i * HD + d]);
        }
        ref_multiply(r, LA "o_proj", il, E, INNER, y, out[t]);
    }
}

/* Neighbours rotate. */
static void rotate_pairs(int pos, double *x)
{
    for (int i = 0; i < PE / 2; i++) {
        double angle = pos * pow(10000.0, -2.0 * i / PE), a = x[2 * i], b = x[2 * i + 1];
        x[2 * i] = a * cos(angle) - b * sin(angle);
        x[2 * i + 1] = b * cos(angle) + a * sin(angle);
    }
}

/* Queries come out of a latent too; each head has a gate. */
static void ling_attention(ref *r, int il, int n, double (*h)[E], double (*out)[E])
{
    enum { QR = REF_Q_RANK };
    static double kv[FAMILY_N][NH * (NOPE + HD)], a[FAMILY_N][RANK + PE];
    const double *kv_norm = ref_tensor_of(r, LA "kv_a_layernorm", ".weight", il, 0, 0, RANK);
    const double *q_norm = ref_tensor_of(r, LA "q_a_layernorm", ".weight", il, 0, 0, QR);
    for (int t = 0; t < n; t++) {
        double q[NH * KEY], qa[QR], y[INNER], gate[NH];
        ref_multiply(r, LA "q_a_proj", il, QR, E, h[t], qa);
        ref_rms_norm(q_norm, 1e-5, QR, qa);
        ref_multiply(r, LA "q_b_proj", il, NH * KEY, QR, qa, q);
        ref_multiply(r, LA "kv_a_proj_with_mqa", il, RANK + PE, E, h[t], a[t]);
        ref_rms_norm(kv_norm, 1e-5, RANK, a[t]);
        rotate_pairs(t, a[t] + RANK);
        ref_multiply(r, LA "kv_b_proj", il, NH * (NOPE + HD), RANK, a[t], kv[t]);
        ref_multiply(r, LA "g_proj", il, NH, E, h[t], gate);
        for (int i = 0; i < NH; i++) {
            double p[FAMILY_N], sum = 0.0;
            rotate_pairs(t, q + i * KEY + NOPE);
            for (int u = 0; u <= t; u++) {
                double dot = 0.0;
                for (int d = 0; d < NOPE; d++) dot += q[i * KEY + d] * kv[u][i * (NOPE + HD) + d];
                for (int d = 0; d < PE; d++) dot += q[i * KEY + NOPE + d] * a[u][RANK + d];
                sum += p[u] = exp(dot / sqrt((double)KEY));
            }
            for (int d = 0; d < HD; d++) {
                y[i * HD + d] = 0.0;
                for (int u = 0; u <= t; u++)
                    y[i * HD + d] += p[u] / sum * kv[u][i * (NOPE + HD) + NOPE + d];
                y[i * HD + d] *= ref_sigmoid(gate[i]);
            }
        }
        ref_multiply(r, LA "dense", il, E, INNER, y, out[t]);
    }
}

static void mix_ling(ref *r, int il, int n, double (*h)[E], double (*out)[E])
{
    (il == 2 || il == 3 ? ling_attention : ling_kda)(r, il, n, h, out);
}

static const ref_spec ling3 = {
    .config = CONFIG(
        "BailingMoeV3ForCausalLM", SIZES EXPERTS
        ",'num_experts':4,'head_dim':8,'layer_group_size':3,'first_k_dense_replace':1,"
        "'kv_lora_rank':16,'q_lora_rank':12,'qk_nope_head_dim':8,'qk_rope_head_dim':4,"
        "'v_head_dim':8,'short_conv_kernel_size':4,'kda_lower_bound':-5.0,'kda_safe_gate':true,"
        "'no_kda_lora':true,'num_shared_experts':1,"
        "'gated_attention_proj_granularity_type':'head_wise','n_group':2,'topk_group':1,"
        "'moe_shared_expert_intermediate_size':24,'routed_scaling_factor':2.5,"
        "'norm_topk_prob':true,'expert_swiglu_limit_list':[null,null,0.4,0.2],"
        "'share_expert_swiglu_limit_list':[null,null,null,0.3]"),
    .embd = "model.word_embeddings",
    .out_norm = "model.norm",
    UNTIED,
    PRE_NORMS,
    .gate = L "mlp.gate_proj",
    .up = L "mlp.up_proj",
    .down = L "mlp.down_proj",
    ROUTED,
    SHARED_EXPERTS,
    .router_bias = L "mlp.gate.expert_bias",
    .clips = (const double[]){ 0.0, 0.0, 0.4, 0.2 },
    .shared_clips = (const double[]){ 0.0, 0.0, 0.0, 0.3 },
    .n_dense = 1,
    .n_shared = 1,
    .n_group = 2,
    .n_group_used = 1,
    .sigmoid = true,
    .normalises = true,
    .expert_scale = 2.5,
    .recurs = all_layers,
    .mix = mix_ling,
};

TEST(ling_3_gives_the_reference_logits)
{
    family_check(&ling3, "bailingmoe3");
}

/* ---- as others write files ------------------------------------------------------------------- */

enum { N_KB = NOPE * RANK * NH, N_VB = RANK * HD * NH, AT = NOPE + HD };

/* The latents' product by head: keys' turned, values' as it is. */
static void split_latents(const float *kv, float *kb, float *vb)
{
    for (int i = 0; i < NH; i++)
        for (int j = 0; j < RANK; j++) {
            for (int d = 0; d < NOPE; d++)
                kb[(i * RANK + j) * NOPE + d] = kv[(i * AT + d) * RANK + j];
            for (int d = 0; d < HD; d++)
                vb[(i * HD + d) * RANK + j] = kv[(i * AT + NOPE + d) * RANK + j];
        }
}

/* "blk.2.attn_kv_b.weight" with another letter for "kv". */
static gguf_str part_name(const char *name, const char *letter, char out[64])
{
    const char *at = strstr(name, "kv_b");
    snprintf(out, 64, "%.*s%s%s", (int)(at - name), name, letter, at + 2);
    return (gguf_str){ out, strlen(out) };
}

static void add_tensor(gguf_writer *w, const gguf_tensor *t)
{
    static const int64_t kb[] = { NOPE, RANK, NH }, vb[] = { RANK, HD, NH };
    char name[64], part[64];
    snprintf(name, sizeof name, "%.*s", (int)t->name.n, t->name.s);
    if (strstr(name, "attn_kv_b")) {
        gguf_add_tensor(w, part_name(name, "k", part), QT_F32, 3, kb);
        gguf_add_tensor(w, part_name(name, "v", part), QT_F32, 3, vb);
    } else if (strstr(name, "ssm_conv1d")) {
        gguf_add_tensor(w, t->name, t->type, 4, (const int64_t[]){ t->ne[0], 1, t->ne[1], 1 });
    } else {
        gguf_add_tensor(w, t->name, t->type, t->n_dims, t->ne);
    }
}

static bool is_joined(const gguf_tensor *t)
{
    static const char end[] = "attn_kv_b.weight";
    size_t n = sizeof end - 1;
    return t->name.n > n && memcmp(t->name.s + t->name.n - n, end, n) == 0;
}

/* One head of keys, which has the latent; kernels of four dimensions. */
static void write_as_others(const gguf *g, const char *arch, const int32_t *n_kv, const char *path)
{
    static const char *const ends[] = { "attention.head_count_kv", "attention.key_length",
                                        "attention.value_length" };
    static float kb[N_KB], vb[N_VB];
    char own[3][64];
    gguf_writer w;
    lory_err err;
    REQUIRE(gguf_create(&w, path, &err), "%s", err.text);
    for (int j = 0; j < 3; j++) snprintf(own[j], sizeof own[j], "%s.%s", arch, ends[j]);
    for (size_t i = 0; i < g->n_kv; i++) {
        bool is_own = false;
        for (int j = 0; j < 3; j++) is_own |= gguf_str_is(g->kv[i].key, own[j]);
        if (!is_own) gguf_put_kv(&w, &g->kv[i]);
    }
    gguf_put_i32s(&w, own[0], n_kv, REF_LAYER);
    gguf_put_u32(&w, own[1], RANK + PE);
    gguf_put_u32(&w, own[2], RANK);
    for (size_t i = 0; i < g->n_tensors; i++) add_tensor(&w, &g->tensors[i]);
    CHECK(gguf_begin_data(&w, &err), "%s", err.text);
    for (size_t i = 0; i < g->n_tensors; i++) {
        const gguf_tensor *t = &g->tensors[i];
        if (!is_joined(t)) {
            CHECK(gguf_write_data(&w, t->data, t->n_bytes, &err), "%s", err.text);
            continue;
        }
        split_latents(t->data, kb, vb);
        CHECK(gguf_write_data(&w, kb, sizeof kb, &err), "%s", err.text);
        CHECK(gguf_write_data(&w, vb, sizeof vb, &err), "%s", err.text);
    }
    CHECK(gguf_commit(&w, &err), "%s", err.text);
}

static void check_others(const ref_spec *s, const char *arch, const int32_t *n_kv)
{
    static double want[FAMILY_N * REF_VOCAB];
    char out[500];
    gguf g;
    buf notes = { 0 };
    lory_err err = { 0 };
    hf_test f = ref_run(s, arch, family_text, FAMILY_N, want);
    REQUIRE(hf_make(&f, RETYPE_KEEP, &g, &notes, &err), "%s", err.text);
    snprintf(out, sizeof out, "%s/others.gguf", f.path);
    write_as_others(&g, arch, n_kv, out);
    gguf_close(&g);
    buf_free(&notes);
    family_run(out, arch, want);
}

TEST(kimi_linear_files_of_others_give_the_reference_logits)
{
    check_others(&kimi, "kimi-linear", (const int32_t[]){ 0, 0, 1, 0 });
}

TEST(ling_3_files_of_others_give_the_reference_logits)
{
    check_others(&ling3, "bailingmoe3", (const int32_t[]){ 0, 0, 1, 1 });
}

/* ---- what is refused ------------------------------------------------------------------------- */

static void refused(const char *config, const char *want)
{
    static double unused[FAMILY_N * REF_VOCAB];
    ref_spec s = kimi;
    s.config = config;
    hf_test f = ref_run(&s, "refused", family_text, FAMILY_N, unused);
    hf_refused(&f, want);
}

TEST(kimi_linear_as_it_is_not_known_is_refused)
{
    refused(KIMI_CONFIG(""), ": latent attention that rotates (mla_use_nope false) is not known of "
                             "kimi-linear");
    refused(KIMI_CONFIG(",'mla_use_nope':true,'attn_res_block_size':4"),
            ": gated outputs, residuals by attention, groups of experts and layers between them "
            "are not known of kimi-linear");
    refused(CONFIG("KimiLinearForCausalLM", SIZES ",'num_experts':4"),
            ": config.json has no \"linear_attn_config\"");
}

static void refuses_key(const char *key, uint32_t value, const char *want)
{
    family_refuses(&kimi, key, value, want);
}

TEST(kimi_linear_files_of_hostile_sizes_are_refused)
{
    refuses_key("kimi-linear.kda.head_dim", 0, "kimi-linear.kda.head_dim is missing");
    refuses_key("kimi-linear.kda.head_dim", 513, "kimi-linear.kda.head_dim' is out of range");
    refuses_key("kimi-linear.kda.head_dim", 7, "has shape [");
    refuses_key("kimi-linear.ssm.conv_kernel", 1, "kimi-linear.ssm.conv_kernel is 1");
    refuses_key("kimi-linear.ssm.conv_kernel", 5, "has shape [4, 32, 1, 1]");
    refuses_key("kimi-linear.attention.kv_lora_rank", 0, "attention.kv_lora_rank is missing");
    refuses_key("kimi-linear.attention.head_count", 3, "has shape [");
}

TEST(ling_3_files_of_hostile_sizes_are_refused)
{
#define KEY(name) "bailingmoe3." name
    family_refuses(&ling3, KEY("kda.gate_lower_bound"), 0,
                   "gate_lower_bound is 0 (expected a number below 0)");
    family_refuses(&ling3, KEY("kda.gate_lower_bound"), 5, "kda.gate_lower_bound");
    family_refuses(&ling3, KEY("kda.head_dim"), 0, "bailingmoe3.kda.head_dim is missing");
    family_refuses(&ling3, KEY("kda.head_dim"), 7, "has shape [");
    family_refuses(&ling3, KEY("attention.kv_lora_rank"), 0, "attention.kv_lora_rank is missing");
    family_refuses(&ling3, KEY("nextn_predict_layers"), 4, "out of range");
    family_refuses(&ling3, KEY("block_count"), 5, "has 4 values for 5 layers");
#undef KEY
}

/* ---- states ---------------------------------------------------------------------------------- */

TEST(states_of_kimi_delta_attention_give_the_bits_of_texts_read_in_one_go)
{
    const size_t floats = 3 * (TAPS - 1) * INNER + NH * HD * HD;
    states_check(&kimi, "kimi-long", 3 * floats * sizeof(float));
}

TEST(states_of_bounded_delta_attention_give_the_bits_of_texts_read_in_one_go)
{
    const size_t floats = 3 * (TAPS - 1) * INNER + NH * HD * HD;
    states_check(&ling3, "ling-long", 2 * floats * sizeof(float));
}
