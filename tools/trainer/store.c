/* store.c - a trainer in files: models, and checkpoints, which are the same files with all that
 * training needs to go on bit by bit. */
#include "base/err.h"
#include "gguf/gguf_write.h"
#include "trainer.h"
#include <string.h>

static const char state_key[] = "train.state"; /* of a checkpoint: the bytes of the state */

/* Of a checkpoint: w, m, v. */
static llama_tensor moments(const net *n)
{
    return (llama_tensor){ "train.moments", 3, (int)n->n_params, 3 * n->n_params };
}

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

bool trainer_write(const trainer *t, const char *path, bool goes_on, lory_err *err)
{
    const net *n = &t->n;
    const llama_tensor rest = moments(n);
    gguf_writer w;
    bool ok = gguf_create(&w, path, err);
    if (!ok) return false;
    gguf_put_str(&w, "general.architecture", "llama");
    for (size_t i = 0; ok && i < t->about.n; i++) ok = put_text(&w, t->about.item[i], err);
    gguf_put_u32(&w, "general.file_type", 0);
    llama_put_keys(&w, &n->s);
    for (size_t i = 0; i < t->vocab.n_kv; i++) {
        const gguf_kv *kv = &t->vocab.kv[i];
        if (kv->key.n > 10 && memcmp(kv->key.s, "tokenizer.", 10) == 0) gguf_put_kv(&w, kv);
    }
    if (goes_on)
        gguf_put_bytes(&w, state_key, (gguf_str){ (const char *)&t->state, sizeof t->state });
    for (const llama_tensor *x = n->tensor; x < n->tensor + n->n_tensor; x++)
        llama_add_tensor(&w, x, QT_F32);
    if (goes_on) llama_add_tensor(&w, &rest, QT_F32);
    ok = ok && gguf_begin_data(&w, err);
    for (int i = 0; ok && i < n->n_tensor; i++)
        ok = gguf_write_data(&w, t->adam.average + n->at[i], n->tensor[i].n * sizeof(float), err);
    if (goes_on) ok = ok && gguf_write_data(&w, t->adam.w, rest.n * sizeof(float), err);
    ok = ok && gguf_commit(&w, err);
    if (!ok) gguf_abandon(&w);
    return ok;
}

static bool take(const gguf *g, const llama_tensor *x, float *to, lory_err *err)
{
    const gguf_tensor *from = gguf_find_tensor(g, x->name);
    size_t n_bytes = x->n * sizeof *to;
    if (!from || from->type != QT_F32 || from->n_bytes != n_bytes || from->ne[0] != x->n_cols)
        return err_set(err, LORY_E_FORMAT, "%s: has no tensor %s of f32 of %d columns",
                       gguf_path(g), x->name, x->n_cols);
    memcpy(to, from->data, n_bytes);
    return true;
}

static bool take_state(trainer *t, const gguf *g, lory_err *err)
{
    gguf_str state = { 0 };
    if (!gguf_get_str(g, state_key, &state, err)) return false;
    if (state.n != sizeof t->state)
        return err_set(err, LORY_E_FORMAT, "%s: is no checkpoint", gguf_path(g));
    memcpy(&t->state, state.s, state.n);
    for (int i = 0; i < DATA_MAX_SOURCES; i++) {
        const data_source *s = &t->data.source[i];
        const data_place *at = &t->state.at[i];
        if (i < t->data.n ? at->i_doc >= s->n_docs || at->offset > s->tokens.n
                          : at->epoch + at->i_doc + at->offset > 0)
            return err_set(err, LORY_E_FORMAT, "%s: is from other texts", gguf_path(g));
    }
    return true;
}

bool trainer_read(trainer *t, const char *path, bool goes_on, lory_err *err)
{
    const net *n = &t->n;
    const llama_tensor rest = moments(n);
    gguf g;
    bool ok = gguf_open(&g, path, err);
    if (!ok) return false;
    for (int i = 0; ok && i < n->n_tensor; i++)
        ok = take(&g, &n->tensor[i], t->adam.average + n->at[i], err);
    if (goes_on)
        ok = ok && take(&g, &rest, t->adam.w, err) && take_state(t, &g, err);
    else
        memcpy(t->adam.w, t->adam.average, n->n_params * sizeof(float));
    gguf_close(&g);
    return ok;
}
