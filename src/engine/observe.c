/* observe.c - shows what enters the products with weights to whoever asked for it (on_input of
 * lory_session_params). Plans with an observer are not fused, so every input is a slot.
 * Layer: engine. */
#include "engine/ops.h"

/* The tensor of the file in which a weight lies; NULL: it is made up of others. */
static const gguf_tensor *tensor_of(const gguf *g, const void *data)
{
    for (size_t i = 0; i < g->n_tensors; i++) {
        const gguf_tensor *t = &g->tensors[i];
        const char *begin = t->data, *at = data;
        if (at >= begin && at < begin + t->n_bytes) return t;
    }
    return NULL;
}

/* Each expert gets the tokens that chose it, one at a time, as they may lie apart. */
static void show_experts(const op_ctx *c, const plan_step *s, const gguf_tensor *t,
                         lory_matmul_input *in)
{
    const exec *e = c->e;
    bool by_pair = plan_is_expert_slot(s->src);
    in->n_rows = 1;
    for (int i = 0; i < e->m->hp.n_expert; i++) {
        in->i_matrix = (int)(i * t->ne[2] / e->m->hp.n_expert); /* groups may have one together */
        for (int row = e->expert_row[i]; row < e->expert_row[i + 1]; row++) {
            in->x = op_row(e, s->src, by_pair ? row : e->pair_token[row]);
            e->par.on_input(e->par.on_input_user, in, c->ith, c->nth);
        }
    }
}

void op_show_input(const op_ctx *c, const plan_step *s)
{
    const exec *e = c->e;
    if (s->op != OP_MATMUL && s->op != OP_EXPERTS) return;
    const gguf_tensor *t = tensor_of(&e->m->file, s->w[0]->data);
    if (!t) return;
    lory_matmul_input in = { .name = t->name.s,
                             .n_name = t->name.n,
                             .n_rows = e->n_row,
                             .n_cols = s->w[0]->k,
                             .x = op_row(e, s->src, 0),
                             .ld = e->ld[s->src] };
    if (s->op == OP_EXPERTS)
        show_experts(c, s, t, &in);
    else
        e->par.on_input(e->par.on_input_user, &in, c->ith, c->nth);
}
