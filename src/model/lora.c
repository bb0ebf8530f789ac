/* lora.c - see lora.h. */
#include "model/lora.h"
#include "base/err.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { MAX_NAME = 128 };

/* ---- keys ---------------------------------------------------------------------------------- */

static bool check_text(const gguf *g, const char *key, const char *want, lory_err *err)
{
    gguf_str s = { "", 0 };
    if (!gguf_get_str(g, key, &s, err)) return false;
    if (gguf_str_is(s, want)) return true;
    return err_set(err, LORY_E_FORMAT,
                   "%s: %s is \"%.*s\" (expected \"%s\", as in a LoRA adapter%s)", gguf_path(g),
                   key, s.n < 64 ? (int)s.n : 64, s.s, want,
                   strcmp(key, "general.architecture") == 0 ? " of this model" : "");
}

/* What else such a file says of itself could change what it means. */
static bool check_other_keys(const gguf *g, lory_err *err)
{
    static const char *const known[] = { "adapter.type", "adapter.lora.alpha",
                                         "adapter.lora.task_name", "adapter.lora.prompt_prefix" };
    for (size_t i = 0; i < g->n_kv; i++) {
        gguf_str key = g->kv[i].key;
        bool is_known = key.n < 8 || memcmp(key.s, "adapter.", 8) != 0;
        for (size_t j = 0; j < sizeof known / sizeof known[0]; j++)
            is_known |= gguf_str_is(key, known[j]);
        if (!is_known)
            return err_set(err, LORY_E_UNSUPPORTED, "%s: the key %.*s of an adapter is not known",
                           gguf_path(g), key.n < 64 ? (int)key.n : 64, key.s);
    }
    return true;
}

static bool read_keys(const lory_lora *l, const model *m, float *alpha, lory_err *err)
{
    const gguf *g = &l->file;
    *alpha = 0.0f;
    if (!check_text(g, "general.type", "adapter", err)
        || !check_text(g, "adapter.type", "lora", err)
        || !check_text(g, "general.architecture", m->arch_name, err) || !check_other_keys(g, err)
        || !gguf_get_f32(g, "adapter.lora.alpha", alpha, err))
        return false;
    if (*alpha >= 0.0f && *alpha < 1e30f) return true;
    return err_set(err, LORY_E_FORMAT, "%s: adapter.lora.alpha is %g (expected 0 or more)",
                   gguf_path(g), (double)*alpha);
}

/* ---- tensors ------------------------------------------------------------------------------- */

/* Two tensors and what they change. */
typedef struct {
    const gguf_tensor *a, *b;
    gguf_str name; /* of the weight, "blk.3.attn_q.weight" */
    lory_op op;    /* what the model does with it */
    int il, n_parts;
    lory_role part[ROLES_MAX_PARTS];
} found;

static int shown(gguf_str s)
{
    return s.n < MAX_NAME ? (int)s.n : MAX_NAME;
}

/* The other half of a pair: NAME.lora_b of NAME.lora_a, or the reverse. */
static const gguf_tensor *find_other(const gguf *g, gguf_str name, const char *end)
{
    char other[MAX_NAME];
    size_t n = name.n - strlen(end);
    if (name.n >= MAX_NAME) return NULL;
    snprintf(other, sizeof other, "%.*s%s", (int)n, name.s, end);
    return gguf_find_tensor(g, other);
}

/* Finds the pair that tensor t begins; its other half (found->a NULL) needs nothing done. */
static bool find_pair(const gguf *g, const gguf_tensor *t, found *f, lory_err *err)
{
    bool is_a = gguf_str_ends(t->name, ".weight.lora_a");
    bool is_b = gguf_str_ends(t->name, ".weight.lora_b");
    *f = (found){ 0 };
    if (!is_a && !is_b)
        return err_set(err, LORY_E_UNSUPPORTED,
                       "%s: tensor %.*s is no half of a pair (.weight.lora_a, .weight.lora_b), and "
                       "replacing a weight is not known",
                       gguf_path(g), shown(t->name), t->name.s);
    const gguf_tensor *other = find_other(g, t->name, is_a ? ".lora_b" : ".lora_a");
    if (!other)
        return err_set(err, LORY_E_FORMAT, "%s: tensor %.*s is there without its %s", gguf_path(g),
                       shown(t->name), t->name.s, is_a ? "lora_b" : "lora_a");
    if (is_b) return true;
    f->a = t;
    f->b = other;
    f->name = (gguf_str){ t->name.s, t->name.n - strlen(".lora_a") };
    return true;
}

static bool find_roles(const gguf *g, const model *m, found *f, lory_err *err)
{
    f->n_parts = roles_of_tensor(&m->hp, model_products(m), f->name, f->b->ne[1], &f->il, f->part);
    for (int i = 0; i < f->n_parts; i++)
        if (!weights_get(&m->w, f->il, f->part[i])->data) f->n_parts = 0;
    if (f->n_parts == 0)
        return err_set(err, LORY_E_FORMAT,
                       "%s: %.*s is no matrix of %s that an adapter can change", gguf_path(g),
                       shown(f->name), f->name.s, gguf_path(&m->file));
    f->op = model_op_of(m, f->part[0]);
    return true;
}

static bool check_shape(const gguf *g, const gguf_tensor *t, int64_t k, int64_t n_rows,
                        int64_t slices, lory_err *err)
{
    if (t->ne[0] == k && t->ne[1] == n_rows && t->ne[2] == slices && t->ne[3] == 1) return true;
    return err_set(err, LORY_E_FORMAT,
                   "%s: tensor %.*s has shape [%" PRId64 ", %" PRId64 ", %" PRId64 ", %" PRId64
                   "] (expected [%" PRId64 ", %" PRId64 ", %" PRId64 "]; of another model?)",
                   gguf_path(g), shown(t->name), t->name.s, t->ne[0], t->ne[1], t->ne[2], t->ne[3],
                   k, n_rows, slices);
}

static bool check_shapes(const gguf *g, const model *m, const found *f, int64_t *rank,
                         lory_err *err)
{
    const weight *w = weights_get(&m->w, f->il, f->part[0]);
    int64_t slices = f->op == OP_EXPERTS ? m->hp.n_expert : 1, n_rows = 0;
    for (int i = 0; i < f->n_parts; i++) n_rows += weights_get(&m->w, f->il, f->part[i])->n_rows;
    *rank = f->b->ne[0];
    if (*rank > LORA_MAX_RANK)
        return err_set(err, LORY_E_UNSUPPORTED, "%s: tensor %.*s is of rank %" PRId64
                       " (expected at most %d)", gguf_path(g), shown(f->b->name), f->b->name.s,
                       *rank, LORA_MAX_RANK);
    if (f->op == OP_EMBED) /* a holds a row for each token, as the embedding does */
        return check_shape(g, f->a, *rank, n_rows, 1, err)
               && check_shape(g, f->b, *rank, w->k, 1, err);
    return check_shape(g, f->a, w->k, *rank, slices, err)
           && check_shape(g, f->b, *rank, n_rows, slices, err);
}

/* The tensor as a weight that the float kernels read. */
static bool view(lory_lora *l, const gguf_tensor *t, weight *w, lory_err *err)
{
    int64_t n = t->ne[0] * t->ne[1] * t->ne[2]; /* as many as the file holds: no overflow */
    *w = (weight){ .data = t->data, .type = t->type, .k = (int)t->ne[0], .n_rows = (int)t->ne[1] };
    l->size_bytes += t->n_bytes;
    if (t->type > QT_BF16) { /* quantised */
        float *v = arena_new(&l->arena, (size_t)n, sizeof *v);
        if (!v)
            return err_set(err, LORY_E_MEMORY, "%s: no memory for tensor %.*s", gguf_path(&l->file),
                           shown(t->name), t->name.s);
        qtypes[t->type].to_f32(n, t->data, v);
        w->data = v;
        w->type = QT_F32;
        l->size_bytes += (uint64_t)n * sizeof *v;
    }
    w->row_bytes = qtype_row_bytes(w->type, w->k);
    return true;
}

static lora_pair *pair_at(lory_lora *l, int il, lory_role role)
{
    return role < W_LAYER_COUNT ? &l->layer[(size_t)il * W_LAYER_COUNT + role]
                                : &l->global[role - W_LAYER_COUNT];
}

/* Each part of a weight that holds several gets its rows of b, and the same a. */
static bool bind(lory_lora *l, const model *m, const found *f, float alpha, lory_err *err)
{
    int64_t rank;
    lora_pair all;
    if (!check_shapes(&l->file, m, f, &rank, err) || !view(l, f->a, &all.a, err)
        || !view(l, f->b, &all.b, err))
        return false;
    all.scale = alpha > 0.0f ? alpha / (float)rank : 1.0f;
    all.b_step = all.b.n_rows;
    for (int i = 0; i < f->n_parts; i++) {
        lora_pair *p = pair_at(l, f->il, f->part[i]);
        if (p->a.data)
            return err_set(err, LORY_E_FORMAT, "%s: %.*s is also part of another tensor of it",
                           gguf_path(&l->file), shown(f->name), f->name.s);
        *p = all;
        if (f->n_parts > 1) p->b.n_rows = weights_get(&m->w, f->il, f->part[i])->n_rows;
        all.b.data = (const unsigned char *)all.b.data + (size_t)p->b.n_rows * all.b.row_bytes;
        l->n_pairs++;
    }
    return true;
}

static bool bind_all(lory_lora *l, const model *m, float alpha, lory_err *err)
{
    found f;
    for (size_t i = 0; i < l->file.n_tensors; i++) {
        if (!find_pair(&l->file, &l->file.tensors[i], &f, err)) return false;
        if (f.a && (!find_roles(&l->file, m, &f, err) || !bind(l, m, &f, alpha, err))) return false;
    }
    return l->n_pairs > 0
           || err_set(err, LORY_E_FORMAT, "%s: has no tensors", gguf_path(&l->file));
}

bool lora_open(lory_lora *l, const model *m, const char *path, lory_err *err)
{
    float alpha;
    *l = (lory_lora){ .m = m };
    if (!m->arch) return err_set(err, m->why_not.code, "%s", m->why_not.text);
    if (!gguf_open(&l->file, path, err)) return false;
    l->layer = mem_new((size_t)m->hp.n_layer * W_LAYER_COUNT, sizeof *l->layer);
    bool ok = l->layer || err_set(err, LORY_E_MEMORY, "%s: no memory", path);
    if (ok && read_keys(l, m, &alpha, err) && bind_all(l, m, alpha, err)) return true;
    lora_close(l);
    return false;
}

void lora_close(lory_lora *l)
{
    mem_free(l->layer);
    arena_free(&l->arena);
    gguf_close(&l->file);
    *l = (lory_lora){ 0 };
}

const lora_pair *lora_find(const lory_lora *l, const weight *w)
{
    const weights *all = &l->m->w;
    size_t n = (size_t)l->m->hp.n_layer * W_LAYER_COUNT;
    const lora_pair *p = w >= all->layer && w < all->layer + n ? &l->layer[w - all->layer]
                                                               : &l->global[w - all->global];
    return p->a.data ? p : NULL;
}
