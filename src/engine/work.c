/* work.c - see work.h. */
#include "engine/work.h"
#include "engine/session.h"

/* How many experts n tokens are expected to reach, when each chooses n_used of n_expert evenly. */
static double experts_reached(const hparams *hp, double n_tok)
{
    double missed = 1.0, spared = 1.0 - (double)hp->n_expert_used / hp->n_expert;
    for (double i = 0; i < n_tok && missed > 1e-6; i++) missed *= spared;
    return hp->n_expert * (1.0 - missed);
}

/* What the adapters of a weight add. */
static void add_loras(const lory_session_params *p, const weight *w, double n_rows, double n_passes,
                      lory_work *work)
{
    for (size_t i = 0; i < p->n_lora; i++) {
        const lora_pair *l = lora_find(p->lora[i].lora, w);
        if (!l || p->lora[i].scale == 0.0f) continue;
        work->f32_macs += n_rows * ((double)l->a.n_rows * l->a.k + (double)l->b.n_rows * l->b.k);
        work->read_bytes += n_passes * (l->a.n_rows * (double)l->a.row_bytes
                                        + l->b.n_rows * (double)l->b.row_bytes);
    }
}

typedef struct {
    const model *m;
    const lory_session_params *p;
    double n_rows, n_steps;
} extent;

/* The products of one recipe, for n_rows rows of input in n_steps passes over the weights. */
static void add_recipe(const extent *x, const lory_step *r, int il, lory_work *work)
{
    const model *m = x->m;
    double n_rows = x->n_rows, n_steps = x->n_steps;
    for (; r->op != OP_END; r++) {
        bool is_expert = r->op == OP_EXPERTS, is_heads = r->op == OP_HEAD_MATMUL;
        if (!(r->op == OP_MATMUL || is_expert || is_heads) || !model_has_step(m, il, r)) continue;
        const weight *w = weights_get(&m->w, il, r->role);
        double n_slices = !is_heads ? 1.0 : m->hp.n_stream ? m->hp.n_stream - 1.0
                                                           : m->hp.layer[il].n_head;
        double n_used = is_expert ? m->hp.n_expert_used : n_slices,
               macs = n_rows * n_used * w->n_rows * w->k;
        double n_read =
            n_steps * (is_expert ? experts_reached(&m->hp, n_rows / n_steps) : n_slices);
        if (qtypes[w->type].n_sub > 0) work->i8_macs += macs;
        else work->f32_macs += macs;
        work->read_bytes += n_read * w->n_rows * (double)w->row_bytes;
        add_loras(x->p, w, n_rows * n_used, n_read, work);
    }
}

/* The mean of n counts of keys, the first of them `first`, each `step` more, none over `most`. */
static double mean_keys(double n, double first, double step, double most)
{
    double n_under = most < first ? 0.0 : (most - first) / step;
    if (n_under > n) n_under = n;
    return (n_under * (first + (n_under - 1.0) * step / 2.0) + (n - n_under) * most) / n;
}

/* Each token against all before it and itself, or those in the layer's window; each step reads the
 * cache as it stands then, of a window as much as its tokens see. */
static void add_attention(const model *m, qtype type, double n_tokens, double depth, double n_steps,
                          lory_work *work)
{
    const hparams *hp = &m->hp;
    double n_step = n_tokens / n_steps;
    for (int il = 0; il < hp->n_layer; il++) {
        const hparams_layer *l = &hp->layer[il];
        double row_bytes = (double)qtype_row_bytes(type, l->kv_dim);
        int window = hparams_window(hp, il);
        work->read_bytes += n_steps * (double)l->n_state * (double)sizeof(float);
        if (l->n_kv_head == 0) continue;
        double most = window > 0 ? window : 1e18;
        double keys = mean_keys(n_tokens, depth + 1.0, 1.0, most);
        double step_keys = mean_keys(n_steps, depth + n_step, n_step, most + n_step - 1.0);
        work->f32_macs += 2.0 * l->n_head * l->kv_dim * n_tokens * keys;
        work->read_bytes +=
            (hp->is_latent ? 1.0 : 2.0) * l->n_kv_head * row_bytes * n_steps * step_keys;
    }
}

void work_count(const model *m, const lory_session_params *p, int n_tokens, int depth,
                lory_work *work)
{
    lory_session_params params = p ? *p : (lory_session_params){ 0 };
    *work = (lory_work){ 0 };
    if (!m->arch || n_tokens < 1) return;
    int n_batch = session_n_batch(&params);
    double n_steps = (n_tokens - 1) / n_batch + 1;
    extent all = { m, &params, n_tokens, n_steps }, last = { m, &params, 1.0, 1.0 };
    for (int il = 0; il < m->hp.n_layer; il++) add_recipe(&all, model_block(m), il, work);
    add_recipe(&last, m->arch->head, 0, work);
    add_attention(m, session_cache_type(&params), n_tokens, depth, n_steps, work);
}
