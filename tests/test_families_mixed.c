/* test_families_mixed.c - as test_families.c, of families whose layers differ: in the number and the
 * length of their heads, in whose keys and values they read. Their caches too: rings, shared
 * beginnings, states. */
#include "engine/session.h"
#include "engine/session_state.h"
#include "family_check.h"
#include "model/model.h"
#include <stdlib.h>

/* ---- families -------------------------------------------------------------------------------- */

#define GEMMA4                                                                                     \
    "\"hidden_size\":32,\"num_hidden_layers\":4,\"num_attention_heads\":4,\"head_dim\":8,"          \
    "\"intermediate_size\":48,\"max_position_embeddings\":64,\"rms_norm_eps\":1e-5,"              \
    "\"sliding_window\":3,\"global_head_dim\":16,\"final_logit_softcapping\":3.0,"                \
    "\"num_key_value_heads\":2,"                                                                   \
    "\"layer_types\":[\"sliding_attention\",\"full_attention\",\"sliding_attention\","             \
    "\"full_attention\"],\"rope_parameters\":{\"full_attention\":{\"rope_type\":\"proportional\","  \
    "\"partial_rotary_factor\":0.25,\"rope_theta\":100.0},"                                        \
    "\"sliding_attention\":{\"rope_type\":\"default\",\"rope_theta\":50.0}}"
#define GEMMA4_NAMES(l)                                                                            \
    .attn_norm = l "input_layernorm", .q = l "self_attn.q_proj", .k = l "self_attn.k_proj",        \
    .v = l "self_attn.v_proj", .o = l "self_attn.o_proj", .q_norm = l "self_attn.q_norm",          \
    .k_norm = l "self_attn.k_norm", .attn_post_norm = l "post_attention_layernorm",                \
    .ffn_norm = l "pre_feedforward_layernorm", .gate = l "mlp.gate_proj", .up = l "mlp.up_proj",   \
    .down = l "mlp.down_proj", .ffn_post_norm = l "post_feedforward_layernorm",                    \
    .layer_scale = l "layer_scalar"
#define GEMMA4_NUMBERS                                                                             \
    .qk_norm = REF_HEADS, .act = REF_GELU_GATE, .window = 3, .even_windows = true, .full_dim = 16, \
    .full_rot = 4, .proportional = true, .unit_values = true, .theta = 100.0, .local_theta = 50.0, \
    .embd_scale = 5.65685424949238019521, .attn_scale = 1.0, .logit_cap = 3.0

static const int dense_widths[] = { 48, 48, 96, 96 };
static const ref_spec gemma4_dense = {
    .config = CLASS("Gemma4ForCausalLM") GEMMA4
    ",\"num_kv_shared_layers\":2,\"hidden_size_per_layer_input\":6,"
    "\"use_double_wide_mlp\":true}",
    GEMMA4_NAMES(L),
    GEMMA4_NUMBERS,
    .embd = "model.embed_tokens",
    .out_norm = "model.norm",
    .n_sharing = 2,
    .widths = dense_widths,
    .layer_embd = "model.embed_tokens_per_layer",
    .layer_proj = "model.per_layer_model_projection",
    .layer_proj_norm = "model.per_layer_projection_norm",
    .layer_gate = L "per_layer_input_gate",
    .layer_out = L "per_layer_projection",
    .layer_post_norm = L "post_per_layer_input_norm",
};

TEST(gemma_4_with_layer_embeddings_and_shared_keys_gives_the_reference_logits)
{
    family_check(&gemma4_dense, "gemma4");
}

TEST(gemma_4_with_experts_gives_the_reference_logits)
{
    family_check(
        &(ref_spec){
            .config = "{\"architectures\":[\"Gemma4ForConditionalGeneration\"],\"text_config\":{"
                      "\"model_type\":\"gemma4_text\",\"vocab_size\":40," GEMMA4
                      ",\"hidden_size_per_layer_input\":0,\"attention_k_eq_v\":true,"
                      "\"num_global_key_value_heads\":1,\"enable_moe_block\":true,"
                      "\"num_experts\":4,\"top_k_experts\":2,\"moe_intermediate_size\":24}}",
            GEMMA4_NAMES(TL),
            GEMMA4_NUMBERS,
            .embd = "model.language_model.embed_tokens",
            .out_norm = "model.language_model.norm",
            .kvs = (const int[]){ 2, 1, 2, 1 },
            .full_k_is_v = true,
            .router = TL "router.proj",
            .router_scale = TL "router.scale",
            .expert_scales = TL "router.per_expert_scale",
            .exp_in = TL "experts.gate_up_proj",
            .exp_out = TL "experts.down_proj",
            .exp_norm = TL "pre_feedforward_layernorm_2",
            .dense_post_norm = TL "post_feedforward_layernorm_1",
            .exp_post_norm = TL "post_feedforward_layernorm_2",
            .normalises = true },
        "gemma4");
}

/* ---- their caches ---------------------------------------------------------------------------- */

enum { LONG = 300, RING_BATCH = 40, SAVED = 170, N_COMMON = 150 };

/* Converts the made-up folder and opens the file. */
static void open_model(model *m, const ref_spec *s, const char *arch)
{
    static double unused[FAMILY_N * REF_VOCAB];
    char out[500];
    gguf g;
    buf notes = { 0 };
    lory_err err = { 0 };
    hf_test f = ref_run(s, arch, family_text, FAMILY_N, unused);
    REQUIRE(hf_make(&f, RETYPE_KEEP, &g, &notes, &err), "%s: %s", arch, err.text);
    gguf_close(&g);
    buf_free(&notes);
    snprintf(out, sizeof out, "%s.gguf", f.path);
    REQUIRE(model_open(m, out, NULL, &err), "%s", err.text);
}

static void fill_ids(lory_token *ids, uint32_t seed)
{
    for (int i = 0; i < LONG; i++) {
        seed = seed * 1664525u + 1013904223u;
        ids[i] = (lory_token)((seed >> 8) % REF_VOCAB);
    }
}

static kv_shape whole_shape(const model *m, int n_seq)
{
    return (kv_shape){ .n_layer = m->hp.n_layer, .n_kv_head = m->hp.n_kv_head,
                       .head_dim = m->hp.kv_dim, .n_ctx = 3 * LONG, .n_seq = n_seq, .type = QT_F16,
                       .hp = &m->hp };
}

/* The last logits of n tokens that run at once, over a cache that keeps everything. */
static void whole_logits(const model *m, const lory_token *ids, int n, float *out)
{
    lory_err err;
    kv_cache kv;
    exec e;
    size_t ld;
    int pos[LONG], seq[LONG] = { 0 };
    kv_shape shape = whole_shape(m, 1);
    exec_params par = { .n_batch = n, .n_out = 1, .n_threads = 2 };
    REQUIRE(kv_open(&kv, &shape, &err) && exec_open(&e, m, &kv, &par, &err), "%s", err.text);
    for (int i = 0; i < n; i++) pos[i] = i;
    REQUIRE(kv_reserve(&kv, 0, n, &err) == 0);
    CHECK(exec_body(&e, &(exec_batch){ n, ids, pos, seq, { 0 } }, &err), "%s", err.text);
    memcpy(out, exec_head(&e, &(int){ n - 1 }, 1, &ld), REF_VOCAB * sizeof *out);
    exec_close(&e);
    kv_close(&kv);
}

static bool keep_bytes(void *user, const void *bytes, size_t n)
{
    buf_put(user, bytes, n);
    return true;
}

/* In steps, over rings, through a saved state: the bits of all at once. */
static void check_session(model *m)
{
    lory_err err;
    lory_token ids[LONG];
    float want[REF_VOCAB];
    buf state = { 0 };
    session a, b;
    lory_session_params p = { .n_ctx = LONG, .n_batch = RING_BATCH, .n_threads = 3 };
    lory_memory_plan mp;
    fill_ids(ids, 3);
    whole_logits(m, ids, LONG, want);
    REQUIRE(session_open(&a, m, &p, &err) && session_open(&b, m, &p, &err), "%s", err.text);
    CHECK(session_plan(m, &p, &mp, &err) && mp.kv_bytes == a.kv.data_bytes);
    CHECK(session_eval(&a, ids, SAVED, NULL, NULL, &err), "%s", err.text);
    CHECK(session_state_write(&a, SAVED, 1, keep_bytes, &state, &err), "%s", err.text);
    CHECK(state.len == session_state_bytes(&a, SAVED), "%zu bytes", state.len);
    for (int i = SAVED; i < LONG; i++)
        CHECK(session_eval(&a, ids + i, 1, NULL, NULL, &err), "%s", err.text);
    CHECK_SAME(a.logits, want, sizeof want, "token by token");
    REQUIRE(session_state_read(&b, state.data, state.len, 1, &err), "%s", err.text);
    CHECK(session_eval(&b, ids + SAVED, LONG - SAVED, NULL, NULL, &err), "%s", err.text);
    CHECK_SAME(b.logits, want, sizeof want, "from a saved state");
    session_close(&a);
    session_close(&b);
    buf_free(&state);
}

/* Two texts with a common beginning, of which the second takes it from the first. */
static void check_sharing(const model *m)
{
    lory_err err;
    kv_cache kv;
    exec e;
    size_t ld;
    lory_token ids[2][LONG];
    float want[REF_VOCAB];
    int pos[2 * LONG], seq[2 * LONG] = { 0 };
    kv_shape shape = whole_shape(m, 2);
    exec_params par = { .n_batch = 2 * LONG, .n_out = 2, .n_threads = 2 };
    fill_ids(ids[0], 3);
    fill_ids(ids[1], 4);
    memcpy(ids[1], ids[0], N_COMMON * sizeof ids[0][0]);
    REQUIRE(kv_open(&kv, &shape, &err) && exec_open(&e, m, &kv, &par, &err), "%s", err.text);
    for (int i = 0; i < N_COMMON; i++) pos[i] = i;
    REQUIRE(kv_reserve(&kv, 0, N_COMMON, &err) == 0);
    CHECK(exec_body(&e, &(exec_batch){ N_COMMON, ids[0], pos, seq, { 0 } }, &err), "%s", err.text);
    kv_share(&kv, 0, 1, N_COMMON);
    int n = LONG - N_COMMON;
    lory_token both[2 * LONG];
    for (int k = 0; k < 2; k++) {
        REQUIRE(kv_reserve(&kv, k, n, &err) == N_COMMON);
        memcpy(both + k * n, ids[k] + N_COMMON, (size_t)n * sizeof *both);
        for (int i = 0; i < n; i++) pos[k * n + i] = N_COMMON + i, seq[k * n + i] = k;
    }
    CHECK(exec_body(&e, &(exec_batch){ 2 * n, both, pos, seq, { 0 } }, &err), "%s", err.text);
    const float *logits = exec_head(&e, (int[]){ n - 1, 2 * n - 1 }, 2, &ld);
    for (int k = 0; k < 2; k++) {
        float got[REF_VOCAB];
        memcpy(got, logits + (size_t)k * ld, sizeof got);
        whole_logits(m, ids[k], LONG, want);
        CHECK_SAME(got, want, sizeof want, "text %d", k);
    }
    exec_close(&e);
    kv_close(&kv);
}

TEST(layers_that_share_keys_keep_none_and_give_the_bits_of_a_whole_cache)
{
    model m;
    open_model(&m, &gemma4_dense, "gemma4-long");
    kv_cache kv;
    lory_err err;
    kv_shape shape = whole_shape(&m, 1);
    REQUIRE(kv_open(&kv, &shape, &err), "%s", err.text);
    CHECK(kv_heads(&kv, 1) == 2 && kv_heads(&kv, 2) == 0 && kv_heads(&kv, 3) == 0);
    CHECK(kv.layer[2].at == kv.layer[0].at && kv.layer[3].at == kv.layer[1].at);
    CHECK(kv.data_bytes == (size_t)15 * KV_CHUNK * 2 * 2 * 2 * (8 + 16), "%zu", kv.data_bytes);
    kv_close(&kv);
    check_session(&m);
    check_sharing(&m);
    model_close(&m);
}
