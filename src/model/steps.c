/* steps.c - which steps of its recipes a model has, layer by layer, and whether recipes and file go
 * together: every step finds its weight, and every weight is of use; see model.h.
 * Layer: model. */
#include "base/err.h"
#include "model/model.h"

const lory_step *model_block(const model *m)
{
    return m->hp.is_parallel && m->arch->parallel ? m->arch->parallel : m->arch->block;
}

/* Whether layer il is one that the flags ask for. */
static bool is_asked_for(const model *m, int il, uint32_t flags)
{
    const hparams *hp = &m->hp;
    const hparams_layer *l = &hp->layer[il < 0 ? 0 : il];
    const bool has_experts = hparams_has_experts(hp, il), is_last = il == hp->n_layer - 1;
    const bool ends_loop = hp->has_loop_norm && (il + 1) % m->w.n_layer == 0 && !is_last;
    if (flags & FIRST && il != 0) return false;
    if (flags & NOT_FIRST && il == 0) return false;
    if (flags & LAST && !is_last) return false;
    if (flags & LOOPS && !ends_loop) return false;
    if (flags & ATTENDS && l->n_kv_head == 0) return false;
    if (flags & KEYLESS && (l->n_head == 0 || l->n_kv_head > 0)) return false;
    if (flags & OWN_KV && l->kv_layer != il) return false;
    if (flags & (hp->is_latent ? JOINED : LATENT)) return false;
    if (flags & TURNS && !hparams_rotates(hp, il)) return false;
    if (flags & STILL && hparams_rotates(hp, il)) return false;
    if (flags & RECURS && l->n_state == 0) return false;
    if (flags & RESTARTS && (!hp->n_restart_step || (il + 1) % hp->n_restart_step)) return false;
    if (flags & GATED && hp->rank_gate == 0) return false;
    if (flags & FEEDS && l->n_ff == 0) return false;
    if (flags & DENSE && has_experts) return false;
    if (flags & (MOE | SHARED) && !has_experts) return false;
    if (flags & SHARED && hp->n_ff_shexp == 0) return false;
    return !(flags & LAYER_IN) || hp->n_embd_layer > 0;
}

/* Whether the op does anything in layer il, by the model's numbers. */
static bool is_of_use(const hparams *hp, int il, const lory_step *s)
{
    switch (s->op) {
    case OP_ROPE: return hparams_rotates(hp, il);
    case OP_HEAD_NORM: return s->role != W_ONES || hp->has_unit_heads;
    case OP_SPARSIFY: return hp->layer[il < 0 ? 0 : il].is_sparse;
    case OP_TEMPERATURE: return hp->temp_scale != 0.0f;
    case OP_CLAMP: return hp->clamp_kqv != 0.0f;
    case OP_SCALE: return hp->logit_scale != 1.0f;
    case OP_SOFT_CAP: return (s->dst == RT ? hp->router_cap : hp->logit_cap) != 0.0f;
    case OP_HIDE: return hp->hidden_end != 0;
    default: return true;
    }
}

bool model_has_step(const model *m, int il, const lory_step *s)
{
    if (!is_asked_for(m, il, s->flags) || !is_of_use(&m->hp, il, s)) return false;
    if (!(s->flags & (OPT | WITHOUT))) return true;
    bool has_weight = weights_get(&m->w, il, s->role)->data != NULL;
    return s->flags & OPT ? has_weight : !has_weight;
}

bool model_has_op(const model *m, lory_op op)
{
    const lory_step *s = model_block(m);
    while (s->op != OP_END && s->op != op) s++;
    return s->op == op;
}

static bool adds_bias(lory_op op)
{
    return op == OP_MATMUL || op == OP_LAYER_NORM || op == OP_HEAD_LAYER_NORM || op == OP_EXPERTS
           || op == OP_ROUTE || op == OP_DECAY || op == OP_SOFTPLUS || op == OP_BIAS
           || op == OP_CONV || op == OP_SCAN || op == OP_WKV6 || op == OP_WKV7;
}

static void add_roles(const lory_step *s, role_set *set)
{
    for (; s->op != OP_END; s++)
        if (s->role != W_NONE) role_add(set, s->role);
}

/* What the file may have: what the recipes use, and the factors of rotary positions. */
role_set model_roles(const model *m)
{
    role_set set = { { 0 } };
    add_roles(m->arch->embed, &set);
    add_roles(model_block(m), &set);
    add_roles(m->arch->head, &set);
    if (m->hp.n_rot > 0)
        for (int role = W_ROPE_FREQS; role <= W_ROPE_SHORT; role++) role_add(&set, role);
    return set;
}

lory_op model_op_of(const model *m, lory_role role)
{
    const lory_step *recipes[] = { m->arch->embed, model_block(m), m->arch->head };
    for (size_t i = 0; i < sizeof recipes / sizeof recipes[0]; i++)
        for (const lory_step *s = recipes[i]; s->op != OP_END; s++)
            if (s->role == role) return (lory_op)s->op;
    return OP_END;
}

role_set model_products(const model *m)
{
    role_set set = { { 0 } };
    for (int role = 0; role < W_COUNT; role++) {
        lory_op op = model_op_of(m, (lory_role)role);
        if (op == OP_MATMUL || op == OP_EXPERTS || op == OP_EMBED) role_add(&set, role);
    }
    return set;
}

bool model_lacks(const model *m, int il, lory_role role, lory_err *err)
{
    char name[64];
    return err_set(err, LORY_E_FORMAT, "%s: tensor %s is missing", gguf_path(&m->file),
                   role_name(role, il, name, sizeof name));
}

/* What step s reads is not written: false if that is for want of an optional step's tensor. */
static bool check_writer(const model *m, const lory_step *recipe, const lory_step *s, int il,
                         lory_err *err)
{
    for (const lory_step *w = recipe; w < s; w++)
        if (w->dst == s->src && w->role != W_NONE) return model_lacks(m, il, w->role, err);
    return true;
}

/* The slots that a step writes. */
static void mark_written(const lory_step *s, bool written[SLOT_COUNT])
{
    written[s->dst] = true;
    if (s->op == OP_MLA_KV) written[V] = true;
    if (s->op == OP_SPLIT_HEADS) written[AV] = true;
    if (s->op == OP_SPLIT_INNER) written[MV] = true;
    if (s->dst == XD) written[XR] = true;
    for (int slot = s->dst; s->role == W_TM_LERP && slot <= XG; slot++) written[slot] = true;
}

/* The steps of one recipe must find their weights, and the slots that they read written before. */
static bool check_steps(const model *m, const lory_step *recipe, int il, lory_err *err)
{
    bool written[SLOT_COUNT] = { [X] = recipe != m->arch->embed };
    for (const lory_step *s = recipe; s->op != OP_END; s++) {
        if (!model_has_step(m, il, s)) continue;
        if (s->role != W_NONE && !(s->flags & (BARE | WITHOUT))
            && !weights_has(&m->w, il, s->role))
            return model_lacks(m, il, s->role, err);
        if (s->op != OP_EMBED && !written[s->src] && !check_writer(m, recipe, s, il, err))
            return false;
        mark_written(s, written);
    }
    return true;
}

/* Every weight that layer il has must be of use there, its bias too. */
static bool check_use(const model *m, int il, lory_err *err)
{
    role_set used = { { 0 } }, biased = { { 0 } };
    char name[64];
    for (const lory_step *s = model_block(m); s->op != OP_END; s++) {
        if (s->role == W_NONE || !model_has_step(m, il, s)) continue;
        role_add(&used, s->role);
        if (adds_bias((lory_op)s->op)) role_add(&biased, s->role);
    }
    for (int role = 0; role < W_LAYER_COUNT; role++) {
        const weight *w = weights_get(&m->w, il, (lory_role)role);
        if ((w->data && !role_in(used, role)) || (w->bias && !role_in(biased, role)))
            return err_set(err, LORY_E_UNSUPPORTED,
                           "%s: %s of tensor %s is not part of layer %d as lory knows it",
                           gguf_path(&m->file),
                           w->data && !role_in(used, role) ? "the use" : "the bias",
                           role_name((lory_role)role, il, name, sizeof name), il);
    }
    return true;
}

/* What a layer lacks its recipe must know of. */
static bool check_shape(const model *m, int il, lory_err *err)
{
    const hparams_layer *l = &m->hp.layer[il];
    int lacks = (l->n_kv_head == 0 && l->n_state == 0 ? ATTENDS : 0)
                | (l->n_ff == 0 && !m->hp.is_feedless ? FEEDS : 0);
    for (const lory_step *s = model_block(m); s->op != OP_END; s++) lacks &= ~s->flags;
    return lacks == 0
           || err_set(err, LORY_E_UNSUPPORTED, "%s: layer %d has no %s, which is not known of %s",
                      gguf_path(&m->file), il, lacks & ATTENDS ? "attention" : "feed-forward",
                      m->arch->name);
}

bool model_check_recipes(const model *m, lory_err *err)
{
    if (m->hp.clamp_kqv > 0.0f && !model_has_op(m, OP_CLAMP))
        return err_set(err, LORY_E_UNSUPPORTED, "%s: %s.attention.clamp_kqv is not known",
                       gguf_path(&m->file), m->arch->name);
    if (m->hp.is_parallel && !m->arch->parallel)
        return err_set(err, LORY_E_UNSUPPORTED, "%s: %s.use_parallel_residual is not known",
                       gguf_path(&m->file), m->arch->name);
    for (int il = 0; il < m->hp.n_layer; il++)
        if (!check_shape(m, il, err) || !check_steps(m, model_block(m), il, err)
            || !check_use(m, il, err))
            return false;
    return check_steps(m, m->arch->embed, 0, err) && check_steps(m, m->arch->head, 0, err);
}
