/* test_families_rwkv.c - RWKV-7 and ARWKV-7, of files as others write them, held against a decoder
 * in doubles that is written as the authors' one reads. */
#include "base/err.h"
#include "family_check.h"
#include "lory.h"
#include "made_model.h"
#include "states_check.h"
#include <math.h>

enum { E = 32, HD = 8, NH = E / HD, FF = 48, NL = 3, V = REF_VOCAB, N = FAMILY_N };
enum { RW = 6, RA = 5, RV = 4, RG = 7 }; /* ranks */

#define B "blk.%d."

/* RWKV-7, or ARWKV-7: norms and feed-forward networks of Qwen2, and maybe neither gates nor norms
 * of heads. */
typedef struct {
    bool is_qwen2, is_bare;
} variant;

/* One head of one token: S [HD values][HD keys], as the authors write it. */
static void wkv7(double (*s)[HD], const double *r, const double *w, const double *k,
                 const double *v, const double *kk, const double *a, double *y)
{
    for (int i = 0; i < HD; i++) {
        double out = 0.0;
        for (int j = 0; j < HD; j++) out += s[i][j] * kk[j];
        y[i] = 0.0;
        for (int j = 0; j < HD; j++) {
            s[i][j] = s[i][j] * w[j] - out * kk[j] * a[j] + v[i] * k[j];
            y[i] += s[i][j] * r[j];
        }
    }
}

typedef struct {
    double before[2][E], s[NH][HD][HD];
} layer_state;

static void mix_with(const double *x, const double *before, const double *w, double *y)
{
    for (int i = 0; i < E; i++) y[i] = x[i] + (before[i] - x[i]) * w[i];
}

static void heads_norm(made_model *m, int il, const double *y, double *normed)
{
    const double *ln = made_get(m, 0, E, 1.0, B "time_mix_ln.weight", il);
    const double *ln_b = made_get(m, 0, E, 0.0, B "time_mix_ln.bias", il);
    for (int h = 0; h < E; h += HD)
        made_layer_norm(HD, HD * 1e-5, ln + h, ln_b + h, y + h, normed + h);
}

static void make_gate(made_model *m, int il, const double *x, double *g)
{
    double low[RG];
    made_product(m, RG, E, B "time_mix_g1.weight", il, x, low);
    for (int i = 0; i < RG; i++) low[i] = ref_sigmoid(low[i]);
    made_product(m, E, RG, B "time_mix_g2.weight", il, low, g);
}

static void time_mix(made_model *m, variant as, int il, layer_state *st, const double *x,
                     double *v_first, double *out)
{
    const int n_lerp = as.is_bare ? 5 : 6;
    const double *lerp = made_get(m, n_lerp, E, 0.5, B "time_mix_lerp_fused.weight", il);
    double in[6][E], r[E], w[E], k[E], v[E], a[E], g[E], low[8], kk[E], y[E], normed[E];
    for (int i = 0; i < n_lerp; i++) mix_with(x, st->before[0], lerp + i * E, in[i]);
    made_product(m, E, E, B "time_mix_receptance.weight", il, in[0], r);
    made_product(m, RW, E, B "time_mix_w1.weight", il, in[1], low);
    for (int i = 0; i < RW; i++) low[i] = tanh(low[i]);
    made_product(m, E, RW, B "time_mix_w2.weight", il, low, w);
    const double *w0 = made_get(m, 0, E, 0.0, B "time_mix_w0.weight", il);
    for (int i = 0; i < E; i++) w[i] = exp(-exp(-0.5) * ref_sigmoid(w0[i] + w[i]));
    made_product(m, E, E, B "time_mix_key.weight", il, in[2], k);
    made_product(m, E, E, B "time_mix_value.weight", il, in[3], v);
    if (il == 0) {
        memcpy(v_first, v, sizeof v);
        for (int i = 0; i < 3; i++) /* which nothing uses */
            made_get(m, i ? (i == 1 ? RA : E) : 0, i == 2 ? RA : E, 0.0,
                     i == 0 ? B "time_mix_v0.weight" : i == 1 ? B "time_mix_v1.weight"
                                                              : B "time_mix_v2.weight", il);
    } else {
        double share[E];
        made_product(m, RV, E, B "time_mix_v1.weight", il, in[3], low);
        made_product(m, E, RV, B "time_mix_v2.weight", il, low, share);
        const double *v0 = made_get(m, 0, E, 0.0, B "time_mix_v0.weight", il);
        for (int i = 0; i < E; i++) v[i] += (v_first[i] - v[i]) * ref_sigmoid(v0[i] + share[i]);
    }
    made_product(m, RA, E, B "time_mix_a1.weight", il, in[4], low);
    made_product(m, E, RA, B "time_mix_a2.weight", il, low, a);
    const double *a0 = made_get(m, 0, E, 0.0, B "time_mix_a0.weight", il);
    for (int i = 0; i < E; i++) a[i] = ref_sigmoid(a0[i] + a[i]);
    const double *k_k = made_get(m, 0, E, 1.0, B "time_mix_k_k.weight", il);
    const double *k_a = made_get(m, 0, E, 1.0, B "time_mix_k_a.weight", il);
    const double *r_k = made_get(m, 0, E, 0.0, B "time_mix_r_k.weight", il);
    for (int h = 0; h < E; h += HD) {
        double length = 0.0;
        for (int i = h; i < h + HD; i++) length += k[i] * k_k[i] * k[i] * k_k[i];
        for (int i = h; i < h + HD; i++) {
            kk[i] = k[i] * k_k[i] / sqrt(length);
            k[i] *= 1.0 + (a[i] - 1.0) * k_a[i];
        }
        wkv7(st->s[h / HD], r + h, w + h, k + h, v + h, kk + h, a + h, y + h);
    }
    memcpy(normed, y, sizeof normed);
    if (!as.is_bare) heads_norm(m, il, y, normed);
    for (int h = 0; h < E; h += HD) {
        double through = 0.0;
        for (int i = h; i < h + HD; i++) through += r[i] * k[i] * r_k[i];
        for (int i = h; i < h + HD; i++) normed[i] += through * v[i];
    }
    if (!as.is_bare) make_gate(m, il, in[5], g);
    for (int i = 0; i < E && !as.is_bare; i++) normed[i] *= g[i];
    made_product(m, E, E, B "time_mix_output.weight", il, normed, out);
    memcpy(st->before[0], x, sizeof st->before[0]);
}

static void channel_mix(made_model *m, int il, layer_state *st, const double *x, double *out)
{
    double in[E], u[FF];
    mix_with(x, st->before[1], made_get(m, 0, E, 0.5, B "channel_mix_lerp_k.weight", il), in);
    made_product(m, FF, E, B "channel_mix_key.weight", il, in, u);
    for (int i = 0; i < FF; i++) u[i] = u[i] > 0.0 ? u[i] * u[i] : 0.0;
    made_product(m, E, FF, B "channel_mix_value.weight", il, u, out);
    memcpy(st->before[1], x, sizeof st->before[1]);
}

static void norm(made_model *m, variant as, const char *name, int il, const double *x, double *y)
{
    (as.is_qwen2 ? made_rms_norm_of : made_layer_norm_of)(m, E, 1e-5, name, il, x, y);
}

static void run(made_model *m, variant as, double *logits)
{
    static layer_state st[NL];
    memset(st, 0, sizeof st);
    for (int t = 0; t < N; t++) {
        const double *table = made_get(m, V, E, 0.0, "token_embd.weight", 0);
        double x[E], h[E], y[E], v_first[E];
        memcpy(x, table + family_text[t] * E, sizeof x);
        if (!as.is_qwen2) norm(m, as, "token_embd_norm", 0, table + family_text[t] * E, x);
        for (int il = 0; il < NL; il++) {
            norm(m, as, B "attn_norm", il, x, h);
            time_mix(m, as, il, &st[il], h, v_first, y);
            for (int i = 0; i < E; i++) x[i] += y[i];
            norm(m, as, as.is_qwen2 ? B "ffn_norm" : B "attn_norm_2", il, x, h);
            if (as.is_qwen2) made_feed_forward(m, E, FF, il, h, y);
            else channel_mix(m, il, &st[il], h, y);
            for (int i = 0; i < E; i++) x[i] += y[i];
        }
        norm(m, as, "output_norm", 0, x, h);
        made_product(m, V, E, "output.weight", 0, h, logits + t * V);
    }
}

static const made_key keys[] = { { "context_length", 1 << 20 },
                                 { "embedding_length", E },
                                 { "block_count", NL },
                                 { "feed_forward_length", FF },
                                 { "attention.head_count", 0 },
                                 { "wkv.head_size", HD },
                                 { "attention.decay_lora_rank", RW },
                                 { "attention.iclr_lora_rank", RA },
                                 { "attention.value_residual_mix_lora_rank", RV },
                                 { "attention.gate_lora_rank", RG },
                                 { 0 } };
static const variant rwkv7 = { 0 };
static const made_file file = { "rwkv7", "attention.layer_norm_epsilon", 1e-5f, keys };

TEST(rwkv_7_gives_the_reference_logits)
{
    static made_model m = { .seed = 7 };
    static double want[N * V];
    char path[400];
    run(&m, rwkv7, want);
    snprintf(path, sizeof path, "%s", test_temp("rwkv7.gguf"));
    made_write(&m, &file, path, NULL, 0);
    family_run(path, "rwkv7", want);
    made_free(&m);
}

TEST(states_of_rwkv_7_give_the_bits_of_texts_read_in_one_go)
{
    static made_model m = { .seed = 8 };
    static double unused[N * V];
    char path[400];
    run(&m, rwkv7, unused);
    snprintf(path, sizeof path, "%s", test_temp("rwkv7.gguf"));
    made_write(&m, &file, path, NULL, 0);
    states_check_file(path, NL * (2 * E + NH * HD * HD) * sizeof(float));
    made_free(&m);
}

/* Keys of a converter's file, which says 0 where there are no gates. */
static made_file arwkv7_file(variant as, made_key *list)
{
    size_t n = sizeof keys / sizeof keys[0];
    memcpy(list, keys, sizeof keys);
    if (as.is_bare) list[n - 2].value = 0;
    list[n - 1] = (made_key){ "token_shift_count", 1 };
    list[n] = (made_key){ 0 };
    return (made_file){ "arwkv7", "attention.layer_norm_rms_epsilon", 1e-5f, list };
}

TEST(arwkv_7_gives_the_reference_logits_with_gates_and_without)
{
    static double want[N * V];
    char path[400];
    for (int is_bare = 0; is_bare < 2; is_bare++) {
        static made_model m;
        const variant as = { true, is_bare };
        made_key list[16];
        const made_file of = arwkv7_file(as, list);
        m.seed = 22;
        run(&m, as, want);
        snprintf(path, sizeof path, "%s", test_temp("arwkv7.gguf"));
        made_write(&m, &of, path, NULL, 0);
        family_run(path, "arwkv7", want);
        states_check_file(path, NL * (E + NH * HD * HD) * sizeof(float));
        made_refuses(&m, &of, "attention.gate_lora_rank", is_bare ? RG : 0,
                     is_bare ? "time_mix_lerp_fused.weight has shape [32, 1, 1, 5]"
                             : "time_mix_lerp_fused.weight has shape [32, 1, 1, 6]");
        made_free(&m);
    }
}

/* The name that fla has for a tensor of layer il, which has a bias or is one; NULL: it has none. */
static const char *fla_name(const char *name, int *il)
{
    static const char *const names[][2] = {
        { "token_embd.weight", "model.embeddings.weight" },
        { "token_embd_norm.weight", "model.layers.0.pre_norm.weight" },
        { "token_embd_norm.bias", "model.layers.0.pre_norm.bias" },
        { "output_norm.weight", "model.norm.weight" },
        { "output_norm.bias", "model.norm.bias" },
        { "output.weight", "lm_head.weight" },
        { "attn_norm.weight", "attn_norm.weight" },
        { "attn_norm.bias", "attn_norm.bias" },
        { "attn_norm_2.weight", "ffn_norm.weight" },
        { "attn_norm_2.bias", "ffn_norm.bias" },
        { "time_mix_receptance.weight", "attn.r_proj.weight" },
        { "time_mix_key.weight", "attn.k_proj.weight" },
        { "time_mix_value.weight", "attn.v_proj.weight" },
        { "time_mix_output.weight", "attn.o_proj.weight" },
        { "time_mix_ln.weight", "attn.g_norm.weight" },
        { "time_mix_ln.bias", "attn.g_norm.bias" },
        { "time_mix_k_k.weight", "attn.k_k" },
        { "time_mix_k_a.weight", "attn.k_a" },
        { "time_mix_r_k.weight", "attn.r_k" },
        { "channel_mix_lerp_k.weight", "ffn.x_k" },
        { "channel_mix_key.weight", "ffn.key.weight" },
        { "channel_mix_value.weight", "ffn.value.weight" },
    };
    static const char *const ends[] = { "2.bias", "0.weight", "2.weight" };
    static char low[64];
    char letter;
    int i, n = 0;
    *il = -1;
    if (sscanf(name, "blk.%d.%n", il, &n) == 1 && n > 0) name += n;
    if (sscanf(name, "time_mix_%c%d.weight%n", &letter, &i, &n) == 2
        && (*il > 0 || letter != 'v')) {
        snprintf(low, sizeof low, "attn.%c_lora.lora.%s", letter, ends[i]);
        return low;
    }
    for (size_t k = 0; k < sizeof names / sizeof names[0]; k++)
        if (strcmp(name, names[k][0]) == 0) return names[k][1];
    return NULL;
}

static void put_hf(hf_test *f, const char *name, const char *shape, const double *v, int n)
{
    float x[FF * E];
    for (int i = 0; i < n; i++) x[i] = (float)v[i];
    hf_tensor_bytes(f, name, "F32", shape, x, (size_t)n * sizeof *x);
}

static void put_fla(hf_test *f, const made_tensor *t)
{
    char full[96], shape[48];
    int il;
    const char *name = fla_name(t->name, &il);
    const bool is_lerp = strstr(t->name, "lerp_fused") != NULL;
    for (int i = 0; is_lerp && i < 6; i++) {
        snprintf(full, sizeof full, "model.layers.%d.attn.x_%c", il, "rwkvag"[i]);
        put_hf(f, full, "[1,1,32]", t->v + i * E, E);
    }
    if (!name) return;
    if (il < 0) snprintf(full, sizeof full, "%s", name);
    else snprintf(full, sizeof full, "model.layers.%d.%s", il, name);
    if (strstr(full, "r_k")) snprintf(shape, sizeof shape, "[%d,%d]", NH, HD);
    else if (t->rows) snprintf(shape, sizeof shape, "[%d,%d]", t->rows, t->cols);
    else snprintf(shape, sizeof shape, "[%d]", t->cols);
    put_hf(f, full, shape, t->v, (t->rows ? t->rows : 1) * t->cols);
}

TEST(rwkv_7_of_a_folder_gives_the_reference_logits)
{
    static made_model m = { .seed = 11 };
    static double want[N * V];
    char out[500];
    gguf g;
    buf notes = { 0 };
    lory_err err = { 0 };
    hf_test f = hf_begin("rwkv7-folder");
    run(&m, rwkv7, want);
    for (int i = 0; i < m.n; i++) put_fla(&f, &m.t[i]);
    hf_weights(&f, "model.safetensors");
    hf_json(&f, "config.json",
            "{'architectures':['RWKV7ForCausalLM'],'vocab_size':40,'hidden_size':32,"
            "'num_hidden_layers':3,'head_dim':8,'num_heads':null,'intermediate_size':48,"
            "'norm_eps':1e-5,'hidden_act':'sqrelu','attn':null,'norm_first':true,"
            "'decay_low_rank_dim':6,'a_low_rank_dim':5,'v_low_rank_dim':4,'gate_low_rank_dim':7}");
    REQUIRE(hf_make(&f, RETYPE_KEEP, &g, &notes, &err), "%s", err.text);
    CHECK(!notes.data || !strstr(notes.data, "not used"), "%s", notes.data);
    CHECK(gguf_find_tensor(&g, "blk.0.time_mix_v2.weight"), "others look for it there");
    gguf_close(&g);
    buf_free(&notes);
    snprintf(out, sizeof out, "%s.gguf", f.path);
    family_run(out, "rwkv7", want);
    made_free(&m);
}

TEST(rwkv_7_files_of_hostile_sizes_are_refused)
{
    static made_model m = { .seed = 9 };
    static double unused[N * V];
    run(&m, rwkv7, unused);
    made_refuses(&m, &file, "wkv.head_size", 0, "rwkv7.wkv.head_size is missing");
    made_refuses(&m, &file, "wkv.head_size", 513, "out of range");
    made_refuses(&m, &file, "wkv.head_size", 5, "heads of length 5 do not go into 32 channels");
    made_refuses(&m, &file, "attention.gate_lora_rank", 0, "gate_lora_rank is missing");
    made_refuses(&m, &file, "attention.decay_lora_rank", 9, "has shape [32, 6, 1, 1]");
    made_refuses(&m, &file, "token_shift_count", 1, "token_shift_count is 1");
    made_refuses(&m, &file, "embedding_length", 64, "has shape [");
    made_refuses(&m, &file, "block_count", 4, "tensor blk.3.attn_norm.weight is missing");
    made_free(&m);
}
