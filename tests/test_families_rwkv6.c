/* test_families_rwkv6.c - RWKV-6 and RWKV6-Qwen2, of files as others write them, held against a
 * decoder in doubles that is written as the authors' ones read. */
#include "base/err.h"
#include "family_check.h"
#include "gguf/convert.h"
#include "lory.h"
#include "made_model.h"
#include "states_check.h"
#include <math.h>

enum { E = 32, HD = 8, NH = E / HD, FF = 64, NL = 3, V = REF_VOCAB, N = FAMILY_N };
enum { RL = 32, RD = 64 }; /* ranks, which converters know by the width */
enum { N_LERP = 5 };

/* What a decoder goes by. */
typedef struct {
    bool is_qwen2;
    bool is_old;        /* how tokens are mixed is in five tensors */
    int n_restart_step; /* the stream is halved behind every so many layers; 0: never */
    int n_key_head;
} variant;

typedef struct {
    double before[2][E], s[NH][HD][HD]; /* of a head: [keys][values] */
} layer_state;

#define B "blk.%d."

static const double *lerp_of(made_model *m, variant as, int il, int i)
{
    static const char *const names[] = { B "time_mix_lerp_w.weight", B "time_mix_lerp_k.weight",
                                         B "time_mix_lerp_v.weight", B "time_mix_lerp_r.weight",
                                         B "time_mix_lerp_g.weight" };
    if (as.is_old) return made_get(m, 0, E, 0.5, names[i], il);
    return made_get(m, N_LERP, E, 0.5, B "time_mix_lerp_fused.weight", il) + i * E;
}

/* The inputs of decay, key, value, receptance and gate. */
static void mix_tokens(made_model *m, variant as, int il, const double *x, const double *sx,
                       double (*in)[E])
{
    const double *maa_x = made_get(m, 0, E, 0.5, B "time_mix_lerp_x.weight", il);
    double xxx[E], low[N_LERP * RL];
    for (int i = 0; i < E; i++) xxx[i] = x[i] + sx[i] * maa_x[i];
    made_product(m, N_LERP * RL, E, B "time_mix_w1.weight", il, xxx, low);
    const double *w2 = made_get(m, N_LERP * E, RL, 0.0, B "time_mix_w2.weight", il);
    for (int j = 0; j < N_LERP; j++) {
        const double *maa = lerp_of(m, as, il, j);
        for (int i = 0; i < E; i++) {
            double by = maa[i];
            for (int k = 0; k < RL; k++)
                by += w2[(j * E + i) * RL + k] * tanh(low[j * RL + k]);
            in[j][i] = x[i] + sx[i] * by;
        }
    }
}

/* Files have the second matrix of how tokens are mixed as five. */
static void mark_slices(made_model *m)
{
    for (int i = 0; i < m->n; i++)
        if (strstr(m->t[i].name, "time_mix_w2")) m->t[i].slices = N_LERP;
}

static void decays(made_model *m, int il, const double *x, double *w)
{
    const double *base = made_get(m, 0, E, -0.5, B "time_mix_decay.weight", il);
    double low[RD];
    made_product(m, RD, E, B "time_mix_decay_w1.weight", il, x, low);
    for (int i = 0; i < RD; i++) low[i] = tanh(low[i]);
    made_product(m, E, RD, B "time_mix_decay_w2.weight", il, low, w);
    for (int i = 0; i < E; i++) w[i] = exp(-exp(base[i] + w[i]));
}

static void biased(made_model *m, int rows, const char *name, int il, const double *x, double *y)
{
    char part[64];
    snprintf(part, sizeof part, "%s.weight", name);
    made_product(m, rows, E, part, il, x, y);
    snprintf(part, sizeof part, "%s.bias", name);
    const double *bias = made_get(m, 0, rows, 0.0, part, il);
    for (int i = 0; i < rows; i++) y[i] += bias[i];
}

/* One token of all heads: what is in their states, and u of the token itself, by the receptance;
 * then the norm of each. */
static void wkv6(made_model *m, int il, layer_state *st, const double *in[4], double *y)
{
    const double *r = in[0], *w = in[1], *k = in[2], *v = in[3];
    const double *u = made_get(m, NH, HD, 0.5, B "time_mix_first.weight", il);
    const double *ln = made_get(m, 0, E, 1.0, B "time_mix_ln.weight", il);
    const double *ln_b = made_get(m, 0, E, 0.0, B "time_mix_ln.bias", il);
    for (int h = 0; h < NH; h++) {
        double out[HD] = { 0 };
        for (int i = 0; i < HD; i++)
            for (int j = 0; j < HD; j++) {
                const int c = h * HD + i;
                const double a = k[c] * v[h * HD + j];
                out[j] += r[c] * (u[c] * a + st->s[h][i][j]);
                st->s[h][i][j] = a + w[c] * st->s[h][i][j];
            }
        made_layer_norm(HD, 64e-5, ln + h * HD, ln_b + h * HD, out, y + h * HD);
    }
}

/* Gated linear attention: keys count by what they make forget, and groups of heads share them. */
static void gla(variant as, layer_state *st, const double *in[4], double *y)
{
    const double *r = in[0], *w = in[1], *k = in[2], *v = in[3];
    for (int h = 0; h < NH; h++) {
        const int kv = h / (NH / as.n_key_head) * HD;
        for (int j = 0; j < HD; j++) y[h * HD + j] = 0.0;
        for (int i = 0; i < HD; i++)
            for (int j = 0; j < HD; j++) {
                const int c = h * HD + i;
                double *s = &st->s[h][i][j];
                *s = *s * w[c] + k[kv + i] * (1.0 - w[c]) * v[kv + j];
                y[h * HD + j] += *s * r[c] / sqrt(HD);
            }
    }
}

static void time_mix(made_model *m, variant as, int il, layer_state *st, const double *x,
                     double *out)
{
    const int n_key = as.n_key_head * HD;
    double sx[E], in[N_LERP][E], r[E], w[E], k[E], v[E], g[E], y[E];
    for (int i = 0; i < E; i++) sx[i] = st->before[0][i] - x[i];
    memcpy(st->before[0], x, sizeof st->before[0]);
    mix_tokens(m, as, il, x, sx, in);
    decays(m, il, in[0], w);
    if (as.is_qwen2) {
        biased(m, n_key, B "time_mix_key", il, in[1], k);
        biased(m, n_key, B "time_mix_value", il, in[2], v);
        biased(m, E, B "time_mix_receptance", il, in[3], r);
    } else {
        made_product(m, E, E, B "time_mix_key.weight", il, in[1], k);
        made_product(m, E, E, B "time_mix_value.weight", il, in[2], v);
        made_product(m, E, E, B "time_mix_receptance.weight", il, in[3], r);
    }
    made_product(m, E, E, B "time_mix_gate.weight", il, in[4], g);
    const double *all[] = { r, w, k, v };
    if (as.is_qwen2) gla(as, st, all, y);
    else wkv6(m, il, st, all, y);
    for (int i = 0; i < E; i++) y[i] *= ref_sigmoid(g[i]) * (as.is_qwen2 ? 1.0 : g[i]);
    made_product(m, E, E, B "time_mix_output.weight", il, y, out);
}

static void channel_mix(made_model *m, int il, layer_state *st, const double *x, double *out)
{
    const double *maa_k = made_get(m, 0, E, 0.5, B "channel_mix_lerp_k.weight", il);
    const double *maa_r = made_get(m, 0, E, 0.5, B "channel_mix_lerp_r.weight", il);
    double xk[E], xr[E], k[FF], r[E];
    for (int i = 0; i < E; i++) {
        const double sx = st->before[1][i] - x[i];
        xk[i] = x[i] + sx * maa_k[i];
        xr[i] = x[i] + sx * maa_r[i];
    }
    memcpy(st->before[1], x, sizeof st->before[1]);
    made_product(m, E, E, B "channel_mix_receptance.weight", il, xr, r);
    made_product(m, FF, E, B "channel_mix_key.weight", il, xk, k);
    for (int i = 0; i < FF; i++) k[i] = k[i] > 0.0 ? k[i] * k[i] : 0.0;
    made_product(m, E, FF, B "channel_mix_value.weight", il, k, out);
    for (int i = 0; i < E; i++) out[i] *= ref_sigmoid(r[i]);
}

static void norm(made_model *m, variant as, const char *name, int il, const double *x, double *y)
{
    (as.is_qwen2 ? made_rms_norm_of : made_layer_norm_of)(m, E, 1e-5, name, il, x, y);
}

static void layer(made_model *m, variant as, int il, layer_state *st, double *x)
{
    double h[E], y[E];
    norm(m, as, B "attn_norm", il, x, h);
    time_mix(m, as, il, st, h, y);
    for (int i = 0; i < E; i++) x[i] += y[i];
    norm(m, as, as.is_qwen2 ? B "ffn_norm" : B "attn_norm_2", il, x, h);
    if (as.is_qwen2) made_feed_forward(m, E, FF, il, h, y);
    else channel_mix(m, il, st, h, y);
    for (int i = 0; i < E; i++) x[i] += y[i];
    for (int i = 0; i < E && as.n_restart_step && (il + 1) % as.n_restart_step == 0; i++) x[i] /= 2;
}

static void run(made_model *m, variant as, double *logits)
{
    static layer_state st[NL];
    memset(st, 0, sizeof st);
    for (int t = 0; t < N; t++) {
        const double *table = made_get(m, V, E, 0.0, "token_embd.weight", 0);
        double x[E], h[E];
        memcpy(x, table + family_text[t] * E, sizeof x);
        if (!as.is_qwen2) norm(m, as, "token_embd_norm", 0, table + family_text[t] * E, x);
        for (int il = 0; il < NL; il++) layer(m, as, il, &st[il], x);
        norm(m, as, "output_norm", 0, x, h);
        made_product(m, V, E, "output.weight", 0, h, logits + t * V);
    }
    mark_slices(m);
}

static const made_key keys[] = { { "context_length", 1 << 20 }, { "embedding_length", E },
                                 { "block_count", NL },         { "feed_forward_length", FF },
                                 { "attention.head_count", 0 }, { "wkv.head_size", HD },
                                 { "time_mix_extra_dim", RL },  { "time_decay_extra_dim", RD },
                                 { "rescale_every_n_layers", 2 }, { 0 } };
static const made_key keys_qwen2[] = { { "context_length", 1 << 20 }, { "embedding_length", E },
                                       { "block_count", NL },         { "feed_forward_length", FF },
                                       { "attention.head_count", 0 }, { "wkv.head_size", HD },
                                       { "time_mix_extra_dim", RL },
                                       { "time_decay_extra_dim", RD },
                                       { "attention.head_count_kv", 2 },
                                       { "token_shift_count", 1 },    { 0 } };
static const made_file file = { "rwkv6", "attention.layer_norm_epsilon", 1e-5f, keys };
static const made_file file_qwen2 = { "rwkv6qwen2", "attention.layer_norm_rms_epsilon", 1e-5f,
                                      keys_qwen2 };
static const variant rwkv6 = { .n_restart_step = 2, .n_key_head = NH };
static const variant qwen2 = { .is_qwen2 = true, .n_key_head = 2 };

/* Also where they have dimensions of 1 behind them, and so look like matrices. */
static void check_lerps_are_floats(const char *path)
{
    lory_err err;
    gguf g;
    REQUIRE(gguf_open(&g, path, &err), "%s", err.text);
    for (size_t i = 0; i < g.n_tensors; i++)
        if (memmem(g.tensors[i].name.s, g.tensors[i].name.n, "_lerp_", 6))
            CHECK(g.tensors[i].type == QT_F32);
    gguf_close(&g);
}

/* Near the reference, the same bits by any way to read a text, and of 8-bit weights too. */
static void check_variant(variant as, const made_file *f, const char *rescaling)
{
    static made_model m;
    static double want[N * V];
    char path[400], rounded[400];
    lory_err err = { 0 };
    m.seed = 6;
    run(&m, as, want);
    snprintf(path, sizeof path, "%s", test_temp("rwkv6.gguf"));
    snprintf(rounded, sizeof rounded, "%s", test_temp("rwkv6-q8_0.gguf"));
    made_write(&m, f, path, rescaling, (uint32_t)as.n_restart_step);
    family_run(path, f->arch, want);
    REQUIRE(convert_file(path, &(convert_params){ .out = rounded, .type = QT_Q8_0 }, &err), "%s",
            err.text);
    check_lerps_are_floats(rounded);
    family_run_rounded(rounded, f->arch, want);
    made_free(&m);
}

TEST(rwkv_6_gives_the_reference_logits)
{
    check_variant(rwkv6, &file, NULL);
    check_variant((variant){ .n_restart_step = 0, .n_key_head = NH }, &file,
                  "rescale_every_n_layers");
}

TEST(rwkv_6_runs_of_old_files_where_tokens_are_mixed_by_five_tensors)
{
    variant as = rwkv6;
    as.is_old = true;
    check_variant(as, &file, NULL);
}

TEST(rwkv6_qwen2_gives_the_reference_logits)
{
    check_variant(qwen2, &file_qwen2, NULL);
}

TEST(states_of_rwkv_6_give_the_bits_of_texts_read_in_one_go)
{
    for (int is_qwen2 = 0; is_qwen2 < 2; is_qwen2++) {
        static made_model m;
        static double unused[N * V];
        char path[400];
        m.seed = 8;
        run(&m, is_qwen2 ? qwen2 : rwkv6, unused);
        snprintf(path, sizeof path, "%s", test_temp("rwkv6.gguf"));
        made_write(&m, is_qwen2 ? &file_qwen2 : &file, path, NULL, 0);
        states_check_file(path, NL * ((is_qwen2 ? 1 : 2) * E + NH * HD * HD) * sizeof(float));
        made_free(&m);
    }
}

TEST(rwkv_6_files_of_hostile_sizes_or_without_tensors_are_refused)
{
    static made_model m;
    static double unused[N * V];
    m.seed = 9;
    run(&m, rwkv6, unused);
    made_refuses(&m, &file, "wkv.head_size", 0, "rwkv6.wkv.head_size is missing");
    made_refuses(&m, &file, "wkv.head_size", 513, "out of range");
    made_refuses(&m, &file, "wkv.head_size", 5, "heads of length 5 do not go into 32 channels");
    made_refuses(&m, &file, "wkv.head_size", 16, "time_mix_first.weight has shape [8, 4, 1, 1]");
    made_refuses(&m, &file, "time_mix_extra_dim", 0, "rwkv6.time_mix_extra_dim is missing");
    made_refuses(&m, &file, "time_mix_extra_dim", 16, "mix_w1.weight has shape [32, 160, 1, 1]");
    made_refuses(&m, &file, "time_decay_extra_dim", 65537, "out of range");
    made_refuses(&m, &file, "time_decay_extra_dim", 32, "decay_w1.weight has shape [32, 64, 1, 1]");
    made_refuses(&m, &file, "token_shift_count", 1, "token_shift_count is 1 (expected 2)");
    made_refuses(&m, &file, "attention.clamp_kqv", 1, "clamp_kqv");
    made_leave_out(&m, "blk.1.time_mix_first.weight");
    made_refuses(&m, &file, NULL, 0, "tensor blk.1.time_mix_first.weight is missing");
    made_leave_out(&m, "blk.0.time_mix_lerp_fused.weight");
    made_refuses(&m, &file, NULL, 0, "tensor blk.0.time_mix_lerp_fused.weight is missing");
    made_free(&m);
}

TEST(rwkv6_qwen2_files_of_hostile_sizes_or_old_ones_without_a_tensor_are_refused)
{
    static made_model m;
    static double unused[N * V];
    variant as = qwen2;
    as.is_old = true;
    m.seed = 10;
    run(&m, as, unused);
    made_refuses(&m, &file_qwen2, "attention.head_count_kv", 3, "4 heads do not go into 3 groups");
    made_refuses(&m, &file_qwen2, "attention.head_count_kv", 1, "key.weight has shape [32, 16,");
    made_refuses(&m, &file_qwen2, "token_shift_count", 2, "token_shift_count is 2 (expected 1)");
    made_refuses(&m, &file_qwen2, "rescale_every_n_layers", 2, "every_n_layers is not known");
    made_leave_out(&m, "blk.2.time_mix_lerp_v.weight");
    made_refuses(&m, &file_qwen2, NULL, 0, "tensor blk.2.time_mix_lerp_v.weight is missing");
    made_free(&m);
}

/* ---- a folder -------------------------------------------------------------------------------- */

/* Where the folder's layers have a tensor, and how it lies there. */
typedef enum { SAME, TURNED, SPREAD } layout; /* .. [columns, rows]; [1, 1, n] */
static const struct {
    const char *gguf, *hf;
    layout as;
} names[] = {
    { "attn_norm.weight", "ln1.weight", SAME },
    { "attn_norm.bias", "ln1.bias", SAME },
    { "attn_norm_2.weight", "ln2.weight", SAME },
    { "attn_norm_2.bias", "ln2.bias", SAME },
    { "time_mix_lerp_x.weight", "attention.time_maa_x", SPREAD },
    { "time_mix_lerp_w.weight", "attention.time_maa_w", SPREAD },
    { "time_mix_lerp_k.weight", "attention.time_maa_k", SPREAD },
    { "time_mix_lerp_v.weight", "attention.time_maa_v", SPREAD },
    { "time_mix_lerp_r.weight", "attention.time_maa_r", SPREAD },
    { "time_mix_lerp_g.weight", "attention.time_maa_g", SPREAD },
    { "time_mix_w1.weight", "attention.time_maa_w1", TURNED },
    { "time_mix_w2.weight", "attention.time_maa_w2", TURNED },
    { "time_mix_decay.weight", "attention.time_decay", SPREAD },
    { "time_mix_decay_w1.weight", "attention.time_decay_w1", TURNED },
    { "time_mix_decay_w2.weight", "attention.time_decay_w2", TURNED },
    { "time_mix_first.weight", "attention.time_faaaa", SAME },
    { "time_mix_key.weight", "attention.key.weight", SAME },
    { "time_mix_value.weight", "attention.value.weight", SAME },
    { "time_mix_receptance.weight", "attention.receptance.weight", SAME },
    { "time_mix_gate.weight", "attention.gate.weight", SAME },
    { "time_mix_output.weight", "attention.output.weight", SAME },
    { "time_mix_ln.weight", "attention.ln_x.weight", SAME },
    { "time_mix_ln.bias", "attention.ln_x.bias", SAME },
    { "channel_mix_lerp_k.weight", "feed_forward.time_maa_k", SPREAD },
    { "channel_mix_lerp_r.weight", "feed_forward.time_maa_r", SPREAD },
    { "channel_mix_key.weight", "feed_forward.key.weight", SAME },
    { "channel_mix_value.weight", "feed_forward.value.weight", SAME },
    { "channel_mix_receptance.weight", "feed_forward.receptance.weight", SAME },
};

static void put_hf(hf_test *f, const made_tensor *t, const char *name, layout as)
{
    static float x[N_LERP * E * RD];
    const int slices = t->slices ? t->slices : 1, rows = t->rows / slices, cols = t->cols;
    const int size = (rows ? rows : 1) * cols, n = slices * size;
    char shape[48];
    for (int i = 0; i < n; i++) {
        const int at = i % size;
        x[as == TURNED ? i - at + at % cols * rows + at / cols : i] = (float)t->v[i];
    }
    if (as == SPREAD) snprintf(shape, sizeof shape, "[1,1,%d]", cols);
    else if (as == TURNED && slices > 1)
        snprintf(shape, sizeof shape, "[%d,%d,%d]", slices, cols, rows);
    else if (as == TURNED) snprintf(shape, sizeof shape, "[%d,%d]", cols, rows);
    else if (rows) snprintf(shape, sizeof shape, "[%d,%d]", rows, cols);
    else snprintf(shape, sizeof shape, "[%d]", cols);
    hf_tensor_bytes(f, name, "F32", shape, x, (size_t)n * sizeof *x);
}

static void put_tensor(hf_test *f, const made_tensor *t)
{
    static const char *const whole[][2] = {
        { "token_embd.weight", "rwkv.embeddings.weight" },
        { "token_embd_norm.weight", "rwkv.blocks.0.pre_ln.weight" },
        { "token_embd_norm.bias", "rwkv.blocks.0.pre_ln.bias" },
        { "output_norm.weight", "rwkv.ln_out.weight" },
        { "output_norm.bias", "rwkv.ln_out.bias" },
        { "output.weight", "head.weight" },
    };
    char full[96];
    int il, n = 0;
    for (size_t i = 0; i < sizeof whole / sizeof whole[0]; i++)
        if (strcmp(t->name, whole[i][0]) == 0) put_hf(f, t, whole[i][1], SAME);
    if (sscanf(t->name, "blk.%d.%n", &il, &n) != 1) return;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(t->name + n, names[i].gguf) != 0) continue;
        snprintf(full, sizeof full, "rwkv.blocks.%d.%s", il, names[i].hf);
        put_hf(f, t, full, names[i].as);
    }
}

#define FINCH(members)                                                                             \
    CONFIG("Rwkv6ForCausalLM", "'hidden_size':32,'num_hidden_layers':3,'head_size':8,"             \
           "'num_attention_heads':64,'rescale_every':6,'intermediate_size':64,"                    \
           "'layer_norm_epsilon':1e-5," members)

TEST(rwkv_6_of_a_folder_gives_the_reference_logits)
{
    static made_model m;
    static double want[N * V];
    char out[500];
    gguf g;
    buf notes = { 0 };
    lory_err err = { 0 };
    hf_test f = hf_begin("rwkv6-folder");
    m.seed = 11;
    run(&m, (variant){ .is_old = true, .n_key_head = NH }, want);
    for (int i = 0; i < m.n; i++) put_tensor(&f, &m.t[i]);
    hf_weights(&f, "model.safetensors");
    hf_json(&f, "config.json", FINCH("'attention_hidden_size':64"));
    CHECK(!hf_make(&f, RETYPE_KEEP, &g, &notes, &err)
              && strstr(err.text, "(attention_hidden_size)"), "%s", err.text);
    hf_json(&f, "config.json", FINCH("'attention_hidden_size':32,'head_size_divisor':8"));
    REQUIRE(hf_make(&f, RETYPE_KEEP, &g, &notes, &err), "%s", err.text);
    CHECK(!notes.data || !strstr(notes.data, "not used"), "%s", notes.data);
    const gguf_tensor *lerps = gguf_find_tensor(&g, "blk.2.time_mix_lerp_fused.weight");
    CHECK(lerps && lerps->ne[0] == E && lerps->ne[3] == N_LERP, "others look for it there");
    gguf_close(&g);
    snprintf(out, sizeof out, "%s.gguf", f.path);
    family_run(out, "rwkv6", want);
    buf_free(&notes);
    made_free(&m);
}

/* Converters gave RWKV files the name of a template. */
TEST(a_name_in_place_of_a_chat_template_is_none)
{
    char path[400];
    size_t n;
    gguf_writer w;
    lory_err err;
    snprintf(path, sizeof path, "%s", test_temp("named.gguf"));
    REQUIRE(gguf_create(&w, path, &err), "%s", err.text);
    gguf_put_str(&w, "general.architecture", "rwkv6");
    gguf_put_str(&w, "tokenizer.chat_template", "rwkv-world");
    gguf_put_str(&w, "tokenizer.chat_template.other", "{{ messages }}");
    REQUIRE(gguf_begin_data(&w, &err) && gguf_commit(&w, &err), "%s", err.text);
    lory_model *m = lory_model_open(path, &err);
    REQUIRE(m, "%s", err.text);
    CHECK(!lory_model_chat_template(m, NULL, &n) && n == 0);
    CHECK(lory_model_chat_template(m, "other", &n) && n == 14);
    lory_model_close(m);
}
