/* op_lora.c - what LoRA adapters add to products: t = scale * (a x) before, out += b t beside.
 * Layer: engine.
 *
 * Both are float products, so their sums have one order whatever the threads and the batch; a
 * quantised weight's own part is as without adapters. */
#include "engine/ops.h"

/* ---- t = scale * (a x) --------------------------------------------------------------------- */

/* Rows [r0, r1) of a, against n_tok rows of x, to columns of t. */
typedef struct {
    const float *x; /* [n_tok, ld_x] */
    size_t ld_x;
    int n_tok, r0, r1;
    size_t i_matrix;
    float *t; /* [n_tok, ld_t] where the part's own begins */
    size_t ld_t;
} down_args;

static void go_down(const op_ctx *c, const plan_lora *l, const down_args *d)
{
    const exec *e = c->e;
    const weight *a = &l->pair->a;
    size_t row = d->i_matrix * (size_t)a->n_rows + (size_t)d->r0;
    if (d->n_tok == 0 || d->r0 == d->r1) return;
    matmul(e->kn, &(matmul_args){
        .w = (const unsigned char *)a->data + row * a->row_bytes, .row_bytes = a->row_bytes,
        .type = a->type, .n_rows = d->r1 - d->r0, .k = a->k, .x = d->x, .ld_x = d->ld_x,
        .n_tok = d->n_tok, .out = d->t + d->r0, .ld_out = d->ld_t, .scratch = op_scratch(c) });
    for (int it = 0; it < d->n_tok; it++)
        e->kn->scale(d->r1 - d->r0, l->scale, d->t + (size_t)it * d->ld_t + d->r0);
}

/* One row: threads share the ranks. More: the tokens, as those who prepared them did. */
void op_lora(const op_ctx *c, const plan_step *s)
{
    exec *e = c->e;
    size_t ld_x;
    const float *x = op_product_input(c, s, &ld_x);
    int it0 = 0, it1 = 1;
    if (e->n_row > 1) op_share_inputs(c, &it0, &it1);
    for (int i = 0; i < s->n_matmul; i++)
        for (const plan_lora *l = s->lora[i]; l; l = l->next) {
            down_args d = { .x = x + (size_t)it0 * ld_x, .ld_x = ld_x, .n_tok = it1 - it0,
                            .r1 = l->pair->a.n_rows, .t = op_row(e, LR, it0) + l->at,
                            .ld_t = e->ld[LR] };
            if (e->n_row == 1) op_share(c, l->pair->a.n_rows, &d.r0, &d.r1);
            if (!l->is_made) go_down(c, l, &d);
        }
}

/* Threads share the pairs (token, expert); each expert's are side by side. */
void op_expert_lora(const op_ctx *c, const plan_step *s)
{
    exec *e = c->e;
    int first, last;
    op_share(c, e->n_row * e->m->hp.n_expert_used, &first, &last);
    for (int i = 0; i < e->m->hp.n_expert; i++) {
        int row0 = e->expert_row[i] > first ? e->expert_row[i] : first;
        int row1 = e->expert_row[i + 1] < last ? e->expert_row[i + 1] : last;
        for (const plan_lora *l = s->lora[0]; l && row0 < row1; l = l->next)
            go_down(c, l, &(down_args){
                .x = s->prepared ? e->input_f32 + (size_t)row0 * e->ld_pair
                                 : op_row(e, s->src, row0),
                .ld_x = s->prepared ? e->ld_pair : e->ld[s->src], .n_tok = row1 - row0,
                .r1 = l->pair->a.n_rows, .i_matrix = (size_t)i,
                .t = op_row(e, ELR, row0) + l->at, .ld_t = e->ld[ELR] });
    }
}

/* ---- out += b t ---------------------------------------------------------------------------- */

_Static_assert(OP_LORA_SCRATCH_BYTES % MEM_ALIGN == 0,
               "the scratch of the next thread stays aligned");

static float *tile_of(const op_ctx *c)
{
    return (float *)((char *)op_scratch(c) + c->e->thread_bytes - OP_LORA_SCRATCH_BYTES);
}

static int at_most(int n, int most)
{
    return n < most ? n : most;
}

/* Columns [ir, ir + n) of the output, which are rows of b. */
static void go_up(const op_ctx *c, const plan_lora *l, const lora_args *a, int ir, int n)
{
    const weight *b = &l->pair->b;
    const lory_kernels *kn = c->e->kn;
    size_t row = a->i_matrix * (size_t)l->pair->b_step + (size_t)ir;
    float *tile = tile_of(c);
    for (int it = 0; it < a->n_tok; it += LORA_TILE_TOKENS) {
        matmul_args m = { .w = (const unsigned char *)b->data + row * b->row_bytes,
                          .row_bytes = b->row_bytes, .type = b->type, .n_rows = n, .k = b->k,
                          .x = a->t + (size_t)it * a->ld_t + l->at, .ld_x = a->ld_t,
                          .n_tok = at_most(a->n_tok - it, LORA_TILE_TOKENS),
                          .out = tile, .ld_out = LORA_TILE_ROWS, .scratch = op_scratch(c) };
        matmul(kn, &m);
        for (int i = 0; i < m.n_tok; i++)
            kn->add(n, tile + i * LORA_TILE_ROWS,
                    a->out + (size_t)(it + i) * a->ld_out + (ir - a->r0));
    }
}

void op_add_lora(const op_ctx *c, const lora_args *a)
{
    for (const plan_lora *l = a->lora; l; l = l->next)
        for (int ir = a->r0; ir < a->r1; ir += LORA_TILE_ROWS)
            go_up(c, l, a, ir, at_most(a->r1 - ir, LORA_TILE_ROWS));
}

void op_embed_lora(const op_ctx *c, const plan_lora *l, lory_token id, float *dst)
{
    for (; l; l = l->next) {
        float *t = tile_of(c) + LORA_TILE;
        const weight *a = &l->pair->a;
        plan_lora only = *l;
        only.next = NULL;
        only.at = 0;
        c->e->kn->to_f32[a->type](a->k, (const unsigned char *)a->data + (size_t)id * a->row_bytes,
                                  t);
        c->e->kn->scale(a->k, l->scale, t);
        op_add_lora(c, &(lora_args){ .lora = &only, .t = t, .n_tok = 1, .r1 = l->pair->b.n_rows,
                                     .out = dst });
    }
}
