/* store.c - a trainer in files: checkpoints that go on bit by bit, weights to and from GGUF. */
#include "base/err.h"
#include "base/file.h"
#include "gguf/gguf_write.h"
#include "trainer.h"
#include <string.h>

/* ---- checkpoints -------------------------------------------------------------------------- */

/* A checkpoint: this, then w, m, v, average; native byte order. */
typedef struct {
    char magic[8];
    llama_shape shape;
    int n_sources;
    trainer_state state;
} checkpoint;

static void fill(const trainer *t, checkpoint *c)
{
    memset(c, 0, sizeof *c);
    memcpy(c->magic, "LORYTRN3", sizeof c->magic);
    c->shape = t->n.s;
    c->n_sources = t->data.n;
    c->state = t->state;
}

static size_t weight_bytes(const trainer *t)
{
    return 4 * t->n.n_params * sizeof(float);
}

bool trainer_save(const trainer *t, const char *path, lory_err *err)
{
    checkpoint c;
    file_new f;
    fill(t, &c);
    if (!file_create(&f, path, err)) return false;
    bool ok = file_write(&f, &c, sizeof c, err) && file_write(&f, t->adam.w, weight_bytes(t), err)
              && file_commit(&f, err);
    if (!ok) file_abandon(&f);
    return ok;
}

bool trainer_resume(trainer *t, const char *path, lory_err *err)
{
    file_map f;
    checkpoint c;
    fill(t, &c);
    if (!file_map_open(&f, path, err)) return false;
    bool ok = f.size == sizeof c + weight_bytes(t)
              && memcmp(f.data, &c, offsetof(checkpoint, state)) == 0;
    if (ok) {
        memcpy(&t->state, f.data + offsetof(checkpoint, state), sizeof t->state);
        memcpy(t->adam.w, f.data + sizeof c, weight_bytes(t));
    } else {
        err_set(err, LORY_E_FORMAT, "%s: is no checkpoint of a model of this shape, from %d texts",
                path, t->data.n);
    }
    file_map_close(&f);
    for (int i = 0; ok && i < t->data.n; i++)
        if (t->state.at[i].i_doc >= t->data.source[i].n_docs
            || t->state.at[i].offset > t->data.source[i].tokens.n)
            ok = err_set(err, LORY_E_FORMAT, "%s: is beyond the end of %s", path,
                         t->data.source[i].name);
    return ok;
}

/* ---- models ------------------------------------------------------------------------------- */

/* "KEY=VALUE" as the key general.KEY. */
static bool put_text(gguf_writer *w, const char *text, lory_err *err)
{
    char key[64];
    const char *value = strchr(text, '=');
    if (!value || value == text || value - text > 32)
        return err_set(err, LORY_E_ARGUMENT, "%s: is no KEY=VALUE", text);
    snprintf(key, sizeof key, "general.%.*s", (int)(value - text), text);
    gguf_put_str(w, key, value + 1);
    return true;
}

bool trainer_write_model(const trainer *t, const gguf *vocab, const char *const *texts,
                         size_t n_texts, const char *path, lory_err *err)
{
    gguf_writer w;
    bool ok = gguf_create(&w, path, err);
    if (!ok) return false;
    gguf_put_str(&w, "general.architecture", "llama");
    for (size_t i = 0; ok && i < n_texts; i++) ok = put_text(&w, texts[i], err);
    gguf_put_u32(&w, "general.file_type", 0);
    llama_put_keys(&w, &t->n.s);
    for (const gguf_kv *kv = vocab->kv; kv < vocab->kv + vocab->n_kv; kv++)
        if (kv->key.n > 10 && memcmp(kv->key.s, "tokenizer.", 10) == 0) gguf_put_kv(&w, kv);
    for (int i = 0; i < t->n.n_tensor; i++) {
        const llama_tensor *x = &t->n.tensor[i];
        int64_t ne[2] = { x->n_cols, x->n_rows };
        gguf_add_tensor(&w, (gguf_str){ x->name, strlen(x->name) }, QT_F32, x->n_rows ? 2 : 1, ne);
    }
    ok = ok && gguf_begin_data(&w, err);
    for (int i = 0; ok && i < t->n.n_tensor; i++)
        ok = gguf_write_data(&w, t->adam.average + t->n.at[i], t->n.tensor[i].n * sizeof(float),
                             err);
    ok = ok && gguf_commit(&w, err);
    if (!ok) gguf_abandon(&w);
    return ok;
}

bool trainer_read_model(trainer *t, const char *path, lory_err *err)
{
    gguf g;
    bool ok = gguf_open(&g, path, err);
    if (!ok) return false;
    for (int i = 0; ok && i < t->n.n_tensor; i++) {
        const llama_tensor *x = &t->n.tensor[i];
        const gguf_tensor *from = gguf_find_tensor(&g, x->name);
        size_t n_bytes = x->n * sizeof(float);
        if (!from || from->type != QT_F32 || from->n_bytes != n_bytes || from->ne[0] != x->n_cols)
            ok = err_set(err, LORY_E_FORMAT, "%s: has no tensor %s of f32 of %d columns", path,
                         x->name, x->n_cols);
        else
            memcpy(t->adam.w + t->n.at[i], from->data, n_bytes);
    }
    memcpy(t->adam.average, t->adam.w, t->n.n_params * sizeof(float));
    gguf_close(&g);
    return ok;
}
