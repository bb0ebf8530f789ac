/* model.c - see model.h. */
#include "model/model.h"
#include "base/err.h"
#include "model/rope.h"
#include <string.h>

const lory_arch *const archs[] = {
    &arch_llama,
    &arch_qwen2,
    &arch_qwen3,
    NULL,
};

static const lory_arch *find_arch(const char *name)
{
    for (int i = 0; archs[i]; i++)
        if (strcmp(archs[i]->name, name) == 0) return archs[i];
    return NULL;
}

static bool read_text(model *m, const char *key, char **out, lory_err *err)
{
    gguf_str s = { "", 0 };
    if (!gguf_get_str(&m->file, key, &s, err)) return false;
    *out = arena_strndup(&m->arena, s.s, s.n);
    return *out || err_set(err, LORY_E_MEMORY, "%s: no memory for %s", gguf_path(&m->file), key);
}

/* The recipes' steps that are not optional must find their weights in every layer. */
static bool check_recipe(const model *m, const lory_step *steps, int il, lory_err *err)
{
    char name[64];
    for (; steps->op != OP_END; steps++) {
        if (steps->role == W_NONE || steps->flags & OPT) continue;
        if (!weights_get(&m->w, il, steps->role)->data)
            return err_set(err, LORY_E_FORMAT, "%s: tensor %s is missing", gguf_path(&m->file),
                           weights_name(steps->role, il, name, sizeof name));
    }
    return true;
}

static bool check_recipes(const model *m, lory_err *err)
{
    for (int il = 0; il < m->hp.n_layer; il++)
        if (!check_recipe(m, m->arch->block, il, err)) return false;
    return check_recipe(m, m->arch->embed, 0, err) && check_recipe(m, m->arch->head, 0, err);
}

static bool read_weights(model *m, lory_err *err)
{
    if (!hparams_read(&m->hp, &m->file, m->arch->name, err)
        || !weights_bind(&m->w, &m->file, &m->hp, err) || !check_recipes(m, err))
        return false;
    if (m->has_tokenizer && tokenizer_n_vocab(&m->tok) != (size_t)m->hp.n_vocab)
        return err_set(err, LORY_E_FORMAT,
                       "%s: the tokenizer has %zu tokens, token_embd.weight %d rows",
                       gguf_path(&m->file), tokenizer_n_vocab(&m->tok), m->hp.n_vocab);
    m->inv_freq = arena_new(&m->arena, (size_t)m->hp.n_rot / 2, sizeof *m->inv_freq);
    if (!m->inv_freq) return err_set(err, LORY_E_MEMORY, "%s: no memory", gguf_path(&m->file));
    rope_frequencies(&m->hp, weights_get(&m->w, 0, W_ROPE_FREQS)->data, m->inv_freq,
                     &m->rope_magnitude);
    return true;
}

static bool read_model(model *m, lory_err *err)
{
    if (!read_text(m, "general.architecture", &m->arch_name, err)
        || !read_text(m, "general.name", &m->name, err))
        return false;
    m->has_tokenizer = gguf_find(&m->file, "tokenizer.ggml.model") != NULL;
    if (m->has_tokenizer && !tokenizer_init(&m->tok, &m->file, err)) return false;
    if (m->file.n_tensors == 0) {
        err_set(&m->why_not, LORY_E_UNSUPPORTED, "%s: has a vocabulary only, no tensors to run",
                gguf_path(&m->file));
        return true;
    }
    m->arch = find_arch(m->arch_name);
    if (m->arch) return read_weights(m, err);
    err_set(&m->why_not, LORY_E_UNSUPPORTED, "%s: architecture \"%s\" is not one that lory runs",
            gguf_path(&m->file), m->arch_name);
    return true;
}

bool model_open(model *m, const char *path, const lory_model_params *p, lory_err *err)
{
    static const lory_model_params defaults;
    if (!p) p = &defaults;
    *m = (model){ 0 };
    if (!(p->no_mmap ? gguf_open_copy : gguf_open)(&m->file, path, err)) return false;
    if ((!p->lock || file_map_lock(&m->file.map, err)) && read_model(m, err)) return true;
    model_close(m);
    return false;
}

void model_close(model *m)
{
    weights_free(&m->w);
    if (m->has_tokenizer) tokenizer_free(&m->tok);
    arena_free(&m->arena);
    gguf_close(&m->file);
    *m = (model){ 0 };
}
