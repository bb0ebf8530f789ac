/* store.c - checkpoints and models in files. */
#include "store.h"
#include "base/err.h"
#include "base/file.h"
#include "gguf/gguf_write.h"
#include <inttypes.h>
#include <string.h>

/* ---- checkpoints -------------------------------------------------------------------------- */

/* A checkpoint: this, the place of each source, then w, m, v, average; native byte order. */
typedef struct {
    char magic[8];
    uint64_t n_params, n_sources, step, window;
    net_shape shape;
} checkpoint_head;
static const char magic[8] = "LORYTRN1";

enum { N_VECTORS = 4 };
static void vectors_of(const trainer_state *s, float *out[N_VECTORS])
{
    float *v[N_VECTORS] = { s->w, s->m, s->v, s->average };
    memcpy(out, v, sizeof v);
}

bool store_checkpoint(trainer *t, const char *path, lory_err *err)
{
    const net *n = trainer_net(t);
    const trainer_state *s = trainer_get_state(t);
    checkpoint_head head;
    memset(&head, 0, sizeof head);
    memcpy(head.magic, magic, sizeof magic);
    head.n_params = n->n_params;
    head.n_sources = (uint64_t)s->n_sources;
    head.step = s->step;
    head.window = s->window;
    head.shape = n->s;
    float *vector[N_VECTORS];
    vectors_of(s, vector);
    file_new f;
    if (!file_create(&f, path, err)) return false;
    bool ok = file_write(&f, &head, sizeof head, err);
    for (int i = 0; ok && i < s->n_sources; i++)
        ok = file_write(&f, &s->source[i].at, sizeof s->source[i].at, err);
    for (int i = 0; ok && i < N_VECTORS; i++)
        ok = file_write(&f, vector[i], n->n_params * sizeof(float), err);
    ok = ok && file_commit(&f, err);
    if (!ok) file_abandon(&f);
    return ok;
}

static bool check_head(const trainer *t, const checkpoint_head *head, const net *n,
                       const trainer_state *s, const char *path, lory_err *err)
{
    (void)t;
    if (memcmp(head->magic, magic, sizeof magic) != 0)
        return err_set(err, LORY_E_FORMAT, "%s: is no checkpoint", path);
    if (memcmp(&head->shape, &n->s, sizeof n->s) != 0 || head->n_params != n->n_params)
        return err_set(err, LORY_E_FORMAT, "%s: is of a model of another shape", path);
    if (head->n_sources != (uint64_t)s->n_sources)
        return err_set(err, LORY_E_FORMAT, "%s: has %" PRIu64 " sources of text, not %d", path,
                       head->n_sources, s->n_sources);
    return true;
}

static bool check_place(const data_source *s, const data_place *p, const char *path, lory_err *err)
{
    if (p->i_doc < s->n_docs && p->offset <= s->n) return true;
    return err_set(err, LORY_E_FORMAT, "%s: is beyond the end of %s", path, s->name);
}

bool store_resume(trainer *t, const char *path, lory_err *err)
{
    const net *n = trainer_net(t);
    trainer_state *s = trainer_get_state(t);
    file_map f;
    if (!file_map_open(&f, path, err)) return false;
    checkpoint_head head = { 0 };
    size_t places = (size_t)s->n_sources * sizeof(data_place),
           n_bytes = n->n_params * sizeof(float);
    if (f.size >= sizeof head) memcpy(&head, f.data, sizeof head);
    bool ok = check_head(t, &head, n, s, path, err);
    if (ok && f.size != sizeof head + places + N_VECTORS * n_bytes)
        ok = err_set(err, LORY_E_FORMAT, "%s: has %zu bytes, not %zu", path, f.size,
                     sizeof head + places + N_VECTORS * n_bytes);
    const unsigned char *at = f.data + sizeof head;
    for (int i = 0; ok && i < s->n_sources; i++, at += sizeof(data_place)) {
        memcpy(&s->source[i].at, at, sizeof(data_place));
        s->source[i].ordered = 0;
        ok = check_place(&s->source[i], &s->source[i].at, path, err);
    }
    float *vector[N_VECTORS];
    vectors_of(s, vector);
    for (int i = 0; ok && i < N_VECTORS; i++, at += n_bytes) memcpy(vector[i], at, n_bytes);
    s->step = head.step;
    s->window = head.window;
    trainer_changed(t);
    file_map_close(&f);
    return ok;
}

/* ---- models ------------------------------------------------------------------------------- */

static void put_text(gguf_writer *w, const char *key, const char *value)
{
    if (value && *value) gguf_put_str(w, key, value);
}

static void put_keys(gguf_writer *w, const net *n, const gguf *vocab, const store_about *about)
{
    const net_shape *s = &n->s;
    gguf_put_str(w, "general.architecture", "llama");
    put_text(w, "general.name", about->name);
    put_text(w, "general.author", about->author);
    put_text(w, "general.license", about->licence);
    put_text(w, "general.description", about->description);
    gguf_put_u32(w, "general.file_type", 0);
    gguf_put_u32(w, "llama.context_length", (uint32_t)s->n_ctx);
    gguf_put_u32(w, "llama.embedding_length", (uint32_t)s->n_embd);
    gguf_put_u32(w, "llama.block_count", (uint32_t)s->n_layer);
    gguf_put_u32(w, "llama.feed_forward_length", (uint32_t)s->n_ff);
    gguf_put_u32(w, "llama.attention.head_count", (uint32_t)s->n_head);
    gguf_put_u32(w, "llama.attention.head_count_kv", (uint32_t)s->n_kv_head);
    gguf_put_f32(w, "llama.attention.layer_norm_rms_epsilon", s->norm_eps);
    gguf_put_u32(w, "llama.rope.dimension_count", (uint32_t)n->head_dim);
    gguf_put_f32(w, "llama.rope.freq_base", s->rope_theta);
    gguf_put_u32(w, "llama.vocab_size", (uint32_t)s->n_vocab);
    for (size_t i = 0; i < vocab->n_kv; i++)
        if (vocab->kv[i].key.n > 10 && memcmp(vocab->kv[i].key.s, "tokenizer.", 10) == 0)
            gguf_put_kv(w, &vocab->kv[i]);
}

static size_t tensor_size(const net_tensor *t)
{
    return (size_t)t->n_cols * (size_t)(t->n_rows ? t->n_rows : 1);
}

bool store_model(trainer *t, bool with_average, const gguf *vocab, const store_about *about,
                 const char *path, lory_err *err)
{
    const net *n = trainer_net(t);
    const float *weights = with_average ? trainer_get_state(t)->average : trainer_get_state(t)->w;
    gguf_writer w;
    net_tensor x;
    if (!gguf_create(&w, path, err)) return false;
    put_keys(&w, n, vocab, about);
    for (int i = 0; net_tensor_at(n, i, &x); i++) {
        int64_t ne[2] = { x.n_cols, x.n_rows };
        gguf_add_tensor(&w, (gguf_str){ x.name, strlen(x.name) }, QT_F32, x.n_rows ? 2 : 1, ne);
    }
    bool ok = gguf_begin_data(&w, err);
    for (int i = 0; ok && net_tensor_at(n, i, &x); i++)
        ok = gguf_write_data(&w, weights + x.at, tensor_size(&x) * sizeof(float), err);
    ok = ok && gguf_commit(&w, err);
    if (!ok) gguf_abandon(&w);
    return ok;
}

bool store_read_weights(trainer *t, const char *path, lory_err *err)
{
    const net *n = trainer_net(t);
    trainer_state *s = trainer_get_state(t);
    gguf g;
    net_tensor x;
    if (!gguf_open(&g, path, err)) return false;
    bool ok = true;
    for (int i = 0; ok && net_tensor_at(n, i, &x); i++) {
        const gguf_tensor *from = gguf_find_tensor(&g, x.name);
        size_t n_bytes = tensor_size(&x) * sizeof(float);
        if (!from || from->type != QT_F32 || from->n_bytes != n_bytes || from->ne[0] != x.n_cols)
            ok = err_set(err, LORY_E_FORMAT, "%s: has no tensor %s of f32 of %d columns", path,
                         x.name, x.n_cols);
        else
            memcpy(s->w + x.at, from->data, n_bytes);
    }
    memcpy(s->average, s->w, n->n_params * sizeof(float));
    trainer_changed(t);
    gguf_close(&g);
    return ok;
}
