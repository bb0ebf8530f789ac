/* weights.c - see weights.h. */
#include "model/weights.h"
#include "base/err.h"
#include <string.h>

static size_t index_of(int il, lory_role role)
{
    return (size_t)il * W_LAYER_COUNT + role;
}

const weight *weights_get(const weights *w, int il, lory_role role)
{
    return role < W_LAYER_COUNT ? &w->layer[index_of(il % w->n_layer, role)]
                                : &w->global[role - W_LAYER_COUNT];
}

bool weights_has(const weights *w, int il, lory_role role)
{
    const weight *one = weights_get(w, il, role);
    return role_table[role].is_bias ? one->bias != NULL : one->data != NULL;
}

lory_role weights_role_of(const weights *w, int n_layer, const weight *one)
{
    bool is_layers = one >= w->layer && one < w->layer + index_of(n_layer, (lory_role)0);
    return (lory_role)(is_layers ? (one - w->layer) % W_LAYER_COUNT
                                 : one - w->global + W_LAYER_COUNT);
}

/* ---- one tensor ------------------------------------------------------------------------------ */

typedef struct {
    weights *w;
    const gguf *g;
    const hparams *hp;
    role_set wanted;
    lory_err *err;
} binder;

static bool no_memory(const binder *b)
{
    return err_set(b->err, LORY_E_MEMORY, "%s: no memory", gguf_path(b->g));
}

/* slices 1: a matrix. */
static bool check_shape(const binder *b, const gguf_tensor *t, int64_t k, int64_t n_rows,
                        int64_t slices)
{
    if (t->ne[0] == k && t->ne[1] == n_rows && t->ne[2] == slices && t->ne[3] == 1) return true;
    return err_set(b->err, LORY_E_FORMAT,
                   "%s: tensor %.*s has shape [%lld, %lld, %lld, %lld] "
                   "(expected [%lld, %lld, %lld])",
                   gguf_path(b->g), (int)t->name.n, t->name.s, (long long)t->ne[0],
                   (long long)t->ne[1], (long long)t->ne[2], (long long)t->ne[3], (long long)k,
                   (long long)n_rows, (long long)slices);
}

/* Rows of floats may have dimensions of 1 before them: [k, 1, n_rows]. */
static bool is_spread(const gguf_tensor *t, const role_row *row, const weight *w)
{
    int last = t->ne[3] > 1 ? 3 : t->ne[2] > 1 ? 2 : 1;
    for (int i = 1; i < last; i++)
        if (t->ne[i] != 1) return false;
    return row->is_f32 && t->ne[0] == w->k && t->ne[last] == w->n_rows;
}

/* The tensor's values as f32: in place, or converted into the arena. */
static const float *floats_of(const binder *b, const gguf_tensor *t)
{
    if (t->type == QT_F32) return t->data;
    /* as many as the file holds: no overflow */
    int64_t n = t->ne[0] * t->ne[1] * t->ne[2] * t->ne[3];
    float *v = arena_new(&b->w->arena, (size_t)n, sizeof *v);
    if (v) qtypes[t->type].to_f32(n, t->data, v);
    else err_set(b->err, LORY_E_MEMORY, "%s: no memory for tensor %.*s", gguf_path(b->g),
                 (int)t->name.n, t->name.s);
    return v;
}

/* Rows of f32 as columns, in the arena. */
static const float *turned(const binder *b, const weight *rows)
{
    size_t n_rows = (size_t)rows->n_rows, k = (size_t)rows->k;
    const float *from = rows->data;
    float *v = from ? arena_new(&b->w->arena, n_rows * k, sizeof *v) : NULL;
    if (from && !v) no_memory(b);
    for (size_t i = 0; v && i < n_rows * k; i++) v[i % k * n_rows + i / k] = from[i];
    return v;
}

static weight *slot_of(weights *w, int il, lory_role role)
{
    return role < W_LAYER_COUNT ? &w->layer[index_of(il, role)] : &w->global[role - W_LAYER_COUNT];
}

static void set_shape(weight *to, const hparams *hp, int il, lory_role role)
{
    to->n_rows = (int)role_size(hp, il, role_table[role].rows);
    to->k = (int)role_size(hp, il, role_table[role].k);
}

/* Where each expert's rows are, `at` bytes into what the tensor has of it. */
static bool slice_experts(const binder *b, weight *to, const gguf_tensor *t, size_t at)
{
    size_t n = (size_t)t->ne[2], expert_bytes = t->n_bytes / n;
    const void **slice = arena_new(&b->w->arena, n, sizeof *slice);
    if (!slice) return no_memory(b);
    for (size_t i = 0; i < n; i++)
        slice[i] = (const unsigned char *)t->data + i * expert_bytes + at;
    to->slice = slice;
    to->data = slice[0];
    return true;
}

/* Each expert's rows are those of its group. */
static bool slice_chunks(const binder *b, weight *to, const gguf_tensor *t)
{
    size_t n = (size_t)b->hp->n_expert, n_chunk = (size_t)b->hp->n_chunk;
    const void **slice = arena_new(&b->w->arena, n, sizeof *slice);
    if (!slice) return no_memory(b);
    for (size_t i = 0; i < n; i++)
        slice[i] = (const unsigned char *)t->data + i * n_chunk / n * (t->n_bytes / n_chunk);
    to->slice = slice;
    return true;
}

/* Each part is a view of its rows, of every expert. */
static bool bind_fused(const binder *b, const tensor_place *p, const fused_roles *row,
                       const gguf_tensor *t)
{
    const role_row *first = &role_table[row->part[0]];
    const int64_t k = role_size(b->hp, p->il, first->k);
    const int64_t slices = role_size(b->hp, p->il, first->slices);
    size_t at = 0;
    if (!check_shape(b, t, k, t->ne[1], slices)) return false;
    for (int i = 0; i < row->n_parts; i++) {
        weight *to = slot_of(b->w, p->il, row->part[i]);
        set_shape(to, b->hp, p->il, row->part[i]);
        to->type = t->type;
        to->row_bytes = qtype_row_bytes(t->type, to->k);
        to->data = (const unsigned char *)t->data + at;
        if (slices > 1 && !slice_experts(b, to, t, at)) return false;
        at += (size_t)to->n_rows * to->row_bytes;
    }
    return true;
}

static bool bind_fused_bias(const binder *b, const tensor_place *p, const fused_roles *row,
                            const gguf_tensor *t)
{
    const float *bias = floats_of(b, t);
    if (!bias || !check_shape(b, t, t->ne[0], 1, 1)) return false;
    for (int i = 0; i < row->n_parts; i++) {
        weight *to = slot_of(b->w, p->il, row->part[i]);
        set_shape(to, b->hp, p->il, row->part[i]);
        to->bias = bias;
        bias += to->n_rows;
    }
    return true;
}

static bool bind_bias(const binder *b, const tensor_place *p, weight *to, const gguf_tensor *t)
{
    const role_row *row = &role_table[p->role];
    const bool is_rows = row->is_f32 && !row->is_turned, is_vector = row->rows == D_ONE;
    const int64_t k = is_rows || is_vector ? to->k : to->n_rows;
    const int64_t n_rows = is_rows ? to->n_rows : role_size(b->hp, p->il, row->slices);
    return check_shape(b, t, k, n_rows, 1) && (to->bias = floats_of(b, t)) != NULL;
}

static bool bind_values(const binder *b, const tensor_place *p, weight *to, const gguf_tensor *t)
{
    const role_row *row = &role_table[p->role];
    const bool is_f32 = row->rows == D_ONE || row->is_f32;
    if (!is_spread(t, row, to)
        && !check_shape(b, t, to->k, to->n_rows, role_size(b->hp, p->il, row->slices)))
        return false;
    to->type = is_f32 ? QT_F32 : t->type;
    to->row_bytes = qtype_row_bytes(to->type, to->k);
    to->data = is_f32 ? (const void *)floats_of(b, t) : t->data;
    if (row->is_turned) to->data = turned(b, to);
    if (row->slices == D_CHUNKS && !slice_chunks(b, to, t)) return false;
    return to->data != NULL;
}

static bool bind_one(const binder *b, const tensor_place *p, const gguf_tensor *t)
{
    if (p->role == W_NONE || p->il >= b->hp->n_layer
        || (role_table[p->role].is_bias && !p->is_bias))
        return err_set(b->err, LORY_E_UNSUPPORTED,
                       "%s: tensor %.*s is not part of this architecture as lory knows it",
                       gguf_path(b->g), (int)t->name.n, t->name.s);
    weight *to = slot_of(b->w, p->il, p->role);
    if (to->slice)
        return err_set(b->err, LORY_E_FORMAT, "%s: %.*s is there whole and in pieces",
                       gguf_path(b->g), (int)t->name.n, t->name.s);
    set_shape(to, b->hp, p->il, p->role);
    return p->is_bias ? bind_bias(b, p, to, t) : bind_values(b, p, to, t);
}

/* ---- tensors in pieces ----------------------------------------------------------------------- */

/* Files of the first Mixtral have a tensor for each expert: "blk.0.ffn_gate.7.weight". The role,
 * and the expert's number; W_NONE: the name is not of that kind. */
static lory_role role_of_expert(gguf_str base, role_set wanted, int *expert)
{
    static const struct {
        const char *start;
        lory_role role;
    } rows[] = {
        { "ffn_gate.", W_EXP_GATE }, { "ffn_up.", W_EXP_UP }, { "ffn_down.", W_EXP_DOWN },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t n = strlen(rows[i].start);
        if (base.n <= n || base.n > n + 4 || memcmp(base.s, rows[i].start, n) != 0
            || !role_in(wanted, rows[i].role))
            continue;
        for (*expert = 0; n < base.n && base.s[n] >= '0' && base.s[n] <= '9'; n++)
            *expert = *expert * 10 + (base.s[n] - '0');
        if (n == base.n) return rows[i].role;
    }
    return W_NONE;
}

static bool bind_expert(const binder *b, const tensor_place *p, int expert, const gguf_tensor *t)
{
    weight *to = slot_of(b->w, p->il, p->role);
    if (expert >= b->hp->n_expert || p->is_bias || (to->data && !to->slice))
        return err_set(b->err, LORY_E_FORMAT, "%s: tensor %.*s is of no expert of %d",
                       gguf_path(b->g), (int)t->name.n, t->name.s, b->hp->n_expert);
    set_shape(to, b->hp, p->il, p->role);
    if (!check_shape(b, t, to->k, to->n_rows, 1)) return false;
    if (to->slice && to->type != t->type)
        return err_set(b->err, LORY_E_UNSUPPORTED, "%s: tensor %.*s has not the type of its like",
                       gguf_path(b->g), (int)t->name.n, t->name.s);
    const void **slices = to->slice
                              ? (const void **)to->slice
                              : arena_new(&b->w->arena, (size_t)b->hp->n_expert, sizeof *slices);
    if (!slices) return no_memory(b);
    slices[expert] = t->data;
    to->slice = slices;
    to->type = t->type;
    to->row_bytes = qtype_row_bytes(t->type, to->k);
    to->data = t->data;
    return true;
}

/* Every expert's of one tensor. */
static bool check_slices(const binder *b, int il, lory_role role)
{
    const weight *x = weights_get(b->w, il, role);
    for (int i = 0; x->slice && i < b->hp->n_expert; i++)
        if (!x->slice[i])
            return err_set(b->err, LORY_E_FORMAT, "%s: layer %d lacks expert %d of %s",
                           gguf_path(b->g), il, i, role_table[role].name);
    return true;
}

static bool check_experts(const binder *b)
{
    for (int il = 0; il < b->hp->n_layer; il++)
        for (int role = W_EXP_GATE; role <= W_EXP_DOWN; role++)
            if (!check_slices(b, il, (lory_role)role)) return false;
    return true;
}

/* ---- all ------------------------------------------------------------------------------------- */

/* Files may hold keys' and values' products of layers that don't use theirs. */
static bool is_unused_kv(const hparams *hp, const tensor_place *p)
{
    if (p->il < 0 || p->il >= hp->n_layer || hp->layer[p->il].kv_layer == p->il) return false;
    return p->role == W_ATTN_K || p->role == W_ATTN_V || p->role == W_K_NORM;
}

/* Files may hold what the first layer would mix its values by, with others' sizes. */
static bool is_unused_mix(const tensor_place *p)
{
    return p->il == 0 && p->role >= W_TM_V0 && p->role <= W_TM_V2;
}

/* Whether the file may have it, and nothing reads it. */
static bool is_passed_over(const hparams *hp, const tensor_place *p)
{
    bool is_predictor = p->il >= hp->n_layer && p->il < hp->n_layer + hp->n_layer_more;
    return p->is_ignored || is_predictor || is_unused_kv(hp, p) || is_unused_mix(p)
           || roles_is_index(hp, p);
}

static bool bind_tensor(const binder *b, const gguf_tensor *t)
{
    tensor_place p = roles_place(t->name, b->wanted);
    int expert;
    if (p.il >= b->w->n_layer && p.il < b->hp->n_layer)
        return err_set(b->err, LORY_E_FORMAT,
                       "%s: tensor %.*s is of a layer beyond the %d of a loop", gguf_path(b->g),
                       (int)t->name.n, t->name.s, b->w->n_layer);
    if (is_passed_over(b->hp, &p)) return true;
    if (p.il < 0 || p.il >= b->hp->n_layer) return bind_one(b, &p, t);
    int64_t n_rows = t->ne[p.is_bias ? 0 : 1];
    const fused_roles *row = roles_find_fused(b->hp, &p, n_rows, b->wanted);
    if (row) return (p.is_bias ? bind_fused_bias : bind_fused)(b, &p, row, t);
    if (p.role != W_NONE) return bind_one(b, &p, t);
    p.role = role_of_expert(p.base, b->wanted, &expert);
    return p.role == W_NONE ? bind_one(b, &p, t) : bind_expert(b, &p, expert, t);
}

/* The norms of what a scan reads, where all count 1. */
static void use_ones(weights *w, const hparams *hp, const float *ones)
{
    for (int il = 0; il < w->n_layer; il++)
        for (int role = W_STEP_NORM; role <= W_C_NORM; role++) {
            weight *to = slot_of(w, il, (lory_role)role);
            if (to->data) continue;
            set_shape(to, hp, il, (lory_role)role);
            to->data = ones;
        }
}

static bool make_ones(const binder *b)
{
    const hparams *hp = b->hp;
    weight *ones = slot_of(b->w, 0, W_ONES);
    int n = hp->n_embd > hp->head_dim ? hp->n_embd : hp->head_dim;
    if (hp->has_unit_steps && n < hp->rank_decay) n = hp->rank_decay;
    if (hp->has_unit_steps && n < hp->delta_key_dim) n = hp->delta_key_dim;
    float *v = arena_new(&b->w->arena, (size_t)n, sizeof *v);
    if (!v) return no_memory(b);
    for (int i = 0; i < n; i++) v[i] = 1.0f;
    set_shape(ones, hp, 0, W_ONES);
    ones->data = v;
    if (hp->has_unit_steps) use_ones(b->w, hp, v);
    return true;
}

/* An output that the file lacks is tied to the token embedding, but for its bias. */
static void tie_output(weights *w)
{
    weight *output = slot_of(w, 0, W_OUTPUT);
    const float *bias = output->bias;
    if (output->data) return;
    *output = *slot_of(w, 0, W_TOK_EMBD);
    output->bias = bias;
}

bool weights_bind(weights *w, const gguf *g, const hparams *hp, role_set wanted, lory_err *err)
{
    const binder b = { .w = w, .g = g, .hp = hp, .wanted = wanted, .err = err };
    *w = (weights){ .n_layer = hp->n_layer / hp->n_loop };
    w->layer = mem_new(index_of(w->n_layer, 0), sizeof *w->layer);
    bool ok = w->layer || err_set(err, LORY_E_MEMORY, "%s: no memory for %d layers", gguf_path(g),
                                  w->n_layer);
    for (size_t i = 0; ok && i < g->n_tensors; i++) ok = bind_tensor(&b, &g->tensors[i]);
    if (ok) ok = check_experts(&b);
    if (ok && (role_in(wanted, W_ONES) || hp->has_unit_steps)) ok = make_ones(&b);
    if (ok) tie_output(w);
    else weights_free(w);
    return ok;
}

void weights_free(weights *w)
{
    mem_free(w->layer);
    arena_free(&w->arena);
    *w = (weights){ 0 };
}
