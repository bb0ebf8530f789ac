/* test_families_rwkv.c - RWKV-7, of files as others write them, held against a decoder in doubles
 * that is written as the authors' one reads. */
#include "base/err.h"
#include "family_check.h"
#include "gguf/gguf_write.h"
#include "lory.h"
#include "states_check.h"
#include <math.h>
#include <stdlib.h>

enum { E = 32, HD = 8, NH = E / HD, FF = 48, NL = 3, V = REF_VOCAB, N = FAMILY_N };
enum { RW = 6, RA = 5, RV = 4, RG = 7 }; /* ranks */
enum { MOST_TENSORS = 128 };

typedef struct {
    char name[48];
    int rows, cols; /* rows 0: a vector */
    double *v;
} tensor;

typedef struct {
    tensor t[MOST_TENSORS];
    int n;
    uint32_t seed;
} maker;

static double rnd(maker *m)
{
    m->seed = m->seed * 1664525u + 1013904223u;
    return (double)(int32_t)m->seed / 2147483648.0;
}

/* Made up when it is first asked for. A vector of a norm's is about 1. */
static const double *get(maker *m, int rows, int cols, double about, const char *fmt, int il)
{
    char name[48];
    snprintf(name, sizeof name, fmt, il);
    for (int i = 0; i < m->n; i++)
        if (strcmp(m->t[i].name, name) == 0) return m->t[i].v;
    tensor *t = &m->t[m->n++];
    const int n = (rows ? rows : 1) * cols;
    const double size = rows && about == 0.0 ? 1.7 / sqrt((double)cols) : 0.4;
    *t = (tensor){ .rows = rows, .cols = cols, .v = malloc((size_t)n * sizeof *t->v) };
    snprintf(t->name, sizeof t->name, "%s", name);
    for (int i = 0; i < n; i++) t->v[i] = (double)(float)(about + size * rnd(m));
    return t->v;
}

static void product(maker *m, int rows, int cols, const char *fmt, int il, const double *x,
                    double *y)
{
    const double *w = get(m, rows, cols, 0.0, fmt, il);
    for (int r = 0; r < rows; r++) {
        y[r] = 0.0;
        for (int i = 0; i < cols; i++) y[r] += w[r * cols + i] * x[i];
    }
}

static void norm(maker *m, int n, double eps, const double *w, const double *b, const double *x,
                 double *y)
{
    double mean = 0.0, square = 0.0;
    (void)m;
    for (int i = 0; i < n; i++) mean += x[i] / n;
    for (int i = 0; i < n; i++) square += (x[i] - mean) * (x[i] - mean) / n;
    for (int i = 0; i < n; i++) y[i] = (x[i] - mean) / sqrt(square + eps) * w[i] + b[i];
}

static void named_norm(maker *m, const char *name, int il, const double *x, double *y)
{
    char w[64], b[64];
    snprintf(w, sizeof w, "%s.weight", name);
    snprintf(b, sizeof b, "%s.bias", name);
    const double *weight = get(m, 0, E, 1.0, w, il);
    norm(m, E, 1e-5, weight, get(m, 0, E, 0.0, b, il), x, y);
}

#define B "blk.%d."

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

static void time_mix(maker *m, int il, layer_state *st, const double *x, double *v_first,
                     double *out)
{
    const double *lerp = get(m, 6, E, 0.5, B "time_mix_lerp_fused.weight", il);
    double in[6][E], r[E], w[E], k[E], v[E], a[E], g[E], low[8], kk[E], y[E], normed[E];
    for (int i = 0; i < 6; i++) mix_with(x, st->before[0], lerp + i * E, in[i]);
    product(m, E, E, B "time_mix_receptance.weight", il, in[0], r);
    product(m, RW, E, B "time_mix_w1.weight", il, in[1], low);
    for (int i = 0; i < RW; i++) low[i] = tanh(low[i]);
    product(m, E, RW, B "time_mix_w2.weight", il, low, w);
    const double *w0 = get(m, 0, E, 0.0, B "time_mix_w0.weight", il);
    for (int i = 0; i < E; i++) w[i] = exp(-exp(-0.5) * ref_sigmoid(w0[i] + w[i]));
    product(m, E, E, B "time_mix_key.weight", il, in[2], k);
    product(m, E, E, B "time_mix_value.weight", il, in[3], v);
    if (il == 0) {
        memcpy(v_first, v, sizeof v);
        for (int i = 0; i < 3; i++) /* which nothing uses */
            get(m, i ? (i == 1 ? RA : E) : 0, i == 2 ? RA : E, 0.0,
                i == 0 ? B "time_mix_v0.weight" : i == 1 ? B "time_mix_v1.weight"
                                                         : B "time_mix_v2.weight", il);
    } else {
        double share[E];
        product(m, RV, E, B "time_mix_v1.weight", il, in[3], low);
        product(m, E, RV, B "time_mix_v2.weight", il, low, share);
        const double *v0 = get(m, 0, E, 0.0, B "time_mix_v0.weight", il);
        for (int i = 0; i < E; i++) v[i] += (v_first[i] - v[i]) * ref_sigmoid(v0[i] + share[i]);
    }
    product(m, RA, E, B "time_mix_a1.weight", il, in[4], low);
    product(m, E, RA, B "time_mix_a2.weight", il, low, a);
    const double *a0 = get(m, 0, E, 0.0, B "time_mix_a0.weight", il);
    for (int i = 0; i < E; i++) a[i] = ref_sigmoid(a0[i] + a[i]);
    product(m, RG, E, B "time_mix_g1.weight", il, in[5], low);
    for (int i = 0; i < RG; i++) low[i] = ref_sigmoid(low[i]);
    product(m, E, RG, B "time_mix_g2.weight", il, low, g);
    const double *k_k = get(m, 0, E, 1.0, B "time_mix_k_k.weight", il);
    const double *k_a = get(m, 0, E, 1.0, B "time_mix_k_a.weight", il);
    const double *r_k = get(m, 0, E, 0.0, B "time_mix_r_k.weight", il);
    const double *ln = get(m, 0, E, 1.0, B "time_mix_ln.weight", il);
    const double *ln_b = get(m, 0, E, 0.0, B "time_mix_ln.bias", il);
    for (int h = 0; h < E; h += HD) {
        double length = 0.0, through = 0.0;
        for (int i = h; i < h + HD; i++) length += k[i] * k_k[i] * k[i] * k_k[i];
        for (int i = h; i < h + HD; i++) {
            kk[i] = k[i] * k_k[i] / sqrt(length);
            k[i] *= 1.0 + (a[i] - 1.0) * k_a[i];
        }
        wkv7(st->s[h / HD], r + h, w + h, k + h, v + h, kk + h, a + h, y + h);
        norm(m, HD, HD * 1e-5, ln + h, ln_b + h, y + h, normed + h);
        for (int i = h; i < h + HD; i++) through += r[i] * k[i] * r_k[i];
        for (int i = h; i < h + HD; i++) normed[i] = (normed[i] + through * v[i]) * g[i];
    }
    product(m, E, E, B "time_mix_output.weight", il, normed, out);
    memcpy(st->before[0], x, sizeof st->before[0]);
}

static void channel_mix(maker *m, int il, layer_state *st, const double *x, double *out)
{
    double in[E], u[FF];
    mix_with(x, st->before[1], get(m, 0, E, 0.5, B "channel_mix_lerp_k.weight", il), in);
    product(m, FF, E, B "channel_mix_key.weight", il, in, u);
    for (int i = 0; i < FF; i++) u[i] = u[i] > 0.0 ? u[i] * u[i] : 0.0;
    product(m, E, FF, B "channel_mix_value.weight", il, u, out);
    memcpy(st->before[1], x, sizeof st->before[1]);
}

static void run(maker *m, double *logits)
{
    static layer_state st[NL];
    memset(st, 0, sizeof st);
    for (int t = 0; t < N; t++) {
        const double *table = get(m, V, E, 0.0, "token_embd.weight", 0);
        double x[E], h[E], y[E], v_first[E];
        named_norm(m, "token_embd_norm", 0, table + family_text[t] * E, x);
        for (int il = 0; il < NL; il++) {
            named_norm(m, B "attn_norm", il, x, h);
            time_mix(m, il, &st[il], h, v_first, y);
            for (int i = 0; i < E; i++) x[i] += y[i];
            named_norm(m, B "attn_norm_2", il, x, h);
            channel_mix(m, il, &st[il], h, y);
            for (int i = 0; i < E; i++) x[i] += y[i];
        }
        named_norm(m, "output_norm", 0, x, h);
        product(m, V, E, "output.weight", 0, h, logits + t * V);
    }
}

static void put_tensor_info(gguf_writer *w, const tensor *t)
{
    const bool is_lerp = strstr(t->name, "lerp") != NULL;
    const int64_t ne[] = { t->cols, is_lerp ? 1 : t->rows, 1, t->rows };
    const int n_dims = !is_lerp ? 1 + (t->rows > 0) : t->rows > 0 ? 4 : 3;
    gguf_add_tensor(w, (gguf_str){ t->name, strlen(t->name) }, QT_F32, n_dims, ne);
}

/* `key` has another value, none if that is 0. */
static void write_file(const maker *m, const char *path, const char *key, uint32_t value)
{
    static const struct {
        const char *key;
        uint32_t value;
    } keys[] = { { "rwkv7.context_length", 1 << 20 },
                 { "rwkv7.embedding_length", E },
                 { "rwkv7.block_count", NL },
                 { "rwkv7.feed_forward_length", FF },
                 { "rwkv7.attention.head_count", 0 },
                 { "rwkv7.wkv.head_size", HD },
                 { "rwkv7.attention.decay_lora_rank", RW },
                 { "rwkv7.attention.iclr_lora_rank", RA },
                 { "rwkv7.attention.value_residual_mix_lora_rank", RV },
                 { "rwkv7.attention.gate_lora_rank", RG } };
    gguf_writer w;
    lory_err err;
    REQUIRE(gguf_create(&w, path, &err), "%s", err.text);
    gguf_put_str(&w, "general.architecture", "rwkv7");
    gguf_put_f32(&w, "rwkv7.attention.layer_norm_epsilon", 1e-5f);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (!key || strcmp(keys[i].key, key) != 0) gguf_put_u32(&w, keys[i].key, keys[i].value);
    if (key && value) gguf_put_u32(&w, key, value);
    for (int i = 0; i < m->n; i++) put_tensor_info(&w, &m->t[i]);
    CHECK(gguf_begin_data(&w, &err), "%s", err.text);
    for (int i = 0; i < m->n; i++) {
        const tensor *t = &m->t[i];
        for (int j = 0; j < (t->rows ? t->rows : 1) * t->cols; j++) {
            float v = (float)t->v[j];
            CHECK(gguf_write_data(&w, &v, sizeof v, &err), "%s", err.text);
        }
    }
    CHECK(gguf_commit(&w, &err), "%s", err.text);
}

static void free_maker(maker *m)
{
    for (int i = 0; i < m->n; i++) free(m->t[i].v);
}

TEST(rwkv_7_gives_the_reference_logits)
{
    static maker m = { .seed = 7 };
    static double want[N * V];
    char path[400];
    run(&m, want);
    snprintf(path, sizeof path, "%s", test_temp("rwkv7.gguf"));
    write_file(&m, path, NULL, 0);
    family_run(path, "rwkv7", want);
    free_maker(&m);
}

TEST(states_of_rwkv_7_give_the_bits_of_texts_read_in_one_go)
{
    static maker m = { .seed = 8 };
    static double unused[N * V];
    char path[400];
    run(&m, unused);
    snprintf(path, sizeof path, "%s", test_temp("rwkv7.gguf"));
    write_file(&m, path, NULL, 0);
    states_check_file(path, NL * (2 * E + NH * HD * HD) * sizeof(float));
    free_maker(&m);
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

static void put_fla(hf_test *f, const tensor *t)
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
    static maker m = { .seed = 11 };
    static double want[N * V];
    char out[500];
    gguf g;
    buf notes = { 0 };
    lory_err err = { 0 };
    hf_test f = hf_begin("rwkv7-folder");
    run(&m, want);
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
    free_maker(&m);
}

static void refuses(const maker *m, const char *key, uint32_t value, const char *want)
{
    char path[400];
    lory_err err = { 0 };
    snprintf(path, sizeof path, "%s", test_temp("hostile.gguf"));
    write_file(m, path, key, value);
    lory_model *opened = lory_model_open(path, &err);
    CHECK(!opened && strstr(err.text, want), "got \"%s\", want \"%s\"", err.text, want);
    lory_model_close(opened);
}

TEST(rwkv_7_files_of_hostile_sizes_are_refused)
{
    static maker m = { .seed = 9 };
    static double unused[N * V];
    run(&m, unused);
    refuses(&m, "rwkv7.wkv.head_size", 0, "rwkv7.wkv.head_size is missing");
    refuses(&m, "rwkv7.wkv.head_size", 513, "out of range");
    refuses(&m, "rwkv7.wkv.head_size", 5, "heads of length 5 do not go into 32 channels");
    refuses(&m, "rwkv7.attention.gate_lora_rank", 0, "gate_lora_rank is missing");
    refuses(&m, "rwkv7.attention.decay_lora_rank", 9, "has shape [32, 6, 1, 1]");
    refuses(&m, "rwkv7.token_shift_count", 1, "token_shift_count is 1");
    refuses(&m, "rwkv7.embedding_length", 64, "has shape [");
    refuses(&m, "rwkv7.block_count", 4, "tensor blk.3.attn_norm.weight is missing");
    free_maker(&m);
}
