/* plan.c - see plan.h. Lowering is a few passes over the step array, each a page at most. */
#include "engine/plan.h"
#include "base/err.h"
#include "base/mem.h"
#include <string.h>

static const char *const op_names[OP_COUNT] = {
    [OP_END] = "end",           [OP_EMBED] = "embed",   [OP_RMS_NORM] = "rms_norm",
    [OP_HEAD_NORM] = "head_norm", [OP_MATMUL] = "matmul", [OP_ROPE] = "rope",
    [OP_ATTEND] = "attend",     [OP_ADD] = "add",       [OP_SILU_MUL] = "silu_mul",
    [OP_PICK] = "pick",         [OP_INPUT] = "input",   [OP_STORE] = "store",
};

static const char *const slot_names[SLOT_COUNT] = { "x", "h", "q", "k", "v",      "a",
                                                    "g", "u", "f", "logits", "picked" };

const char *plan_op_name(lory_op op)
{
    return op_names[op];
}

const char *plan_slot_name(lory_slot slot)
{
    return slot_names[slot];
}

/* ---- pass 1: the recipes' steps, one by one ------------------------------------------------ */

static int count(const lory_step *s)
{
    int n = 0;
    while (s[n].op != OP_END) n++;
    return n;
}

static plan_step *append(plan *p, lory_op op, lory_slot dst, lory_slot src, int il)
{
    plan_step *s = &p->step[p->n_step++];
    *s = (plan_step){ .op = (uint8_t)op, .dst = { (uint8_t)dst }, .src = (uint8_t)src,
                      .il = (int16_t)il };
    return s;
}

/* A matmul reads its f32 input from the slot, or int8 activations that a step before prepares. */
static void append_matmul(plan *p, const lory_step *r, const weight *w, int il)
{
    if (qtypes[w->type].n_sub > 0) append(p, OP_INPUT, r->src, r->src, il)->want_i8 = true;
    plan_step *s = append(p, OP_MATMUL, r->dst, r->src, il);
    s->n_matmul = 1;
    s->w[0] = w;
    s->prepared = qtypes[w->type].n_sub > 0;
}

static void append_recipe(plan *p, const model *m, const lory_step *r, int il)
{
    for (; r->op != OP_END; r++) {
        const weight *w = r->role == W_NONE ? NULL : weights_get(&m->w, il, r->role);
        if (r->flags & OPT && !w->data) continue;
        if (r->op == OP_MATMUL) {
            append_matmul(p, r, w, il);
            continue;
        }
        if (r->op == OP_ATTEND) append(p, OP_STORE, K, K, il);
        append(p, r->op, r->dst, r->src, il)->w[0] = w;
    }
}

/* ---- pass 2: patterns ----------------------------------------------------------------------- */

/* Whether a later step reads `slot` as it is after step i. */
static bool is_read_later(const plan *p, int i, int slot)
{
    for (i++; i < p->n_step; i++) {
        const plan_step *s = &p->step[i];
        bool reads_dst = s->op == OP_ADD || s->op == OP_SILU_MUL || s->op == OP_ROPE
                         || s->op == OP_HEAD_NORM;
        if (s->src == slot && s->op != OP_EMBED && !(s->op == OP_MATMUL && s->prepared))
            return true;
        if (s->op == OP_STORE && (slot == K || slot == V)) return true;
        for (int j = 0; j < (s->op == OP_MATMUL ? s->n_matmul : 1); j++)
            if (s->dst[j] == slot) return reads_dst;
    }
    return false;
}

static void remove_step(plan *p, int i)
{
    memmove(&p->step[i], &p->step[i + 1], (size_t)(p->n_step - i - 1) * sizeof p->step[0]);
    p->n_step--;
}

/* matmul, input, matmul of the same source -> one step: Q, K, V; gate, up. */
static void merge_matmuls(plan *p)
{
    for (int i = 0; i < p->n_step; i++) {
        plan_step *s = &p->step[i];
        while (s->op == OP_MATMUL && s->n_matmul < PLAN_MAX_FUSED && i + 1 < p->n_step) {
            bool has_input = s[1].op == OP_INPUT && i + 2 < p->n_step;
            plan_step *next = has_input ? &s[2] : &s[1];
            if (next->op != OP_MATMUL || next->src != s->src || s->dst[0] == s->src) break;
            if (has_input && !s->prepared) { /* the first one read floats: prepare for both */
                plan_step input = s[1], first = *s;
                s[0] = input;
                s[1] = first;
                s[0].want_f32 = s[1].prepared = true;
                s = &p->step[++i];
                next = &s[1];
                has_input = false;
            }
            s->w[s->n_matmul] = next->w[0];
            s->dst[s->n_matmul++] = next->dst[0];
            bool reads_floats = !next->prepared;
            if (reads_floats && s->prepared) s[-1].want_f32 = true;
            remove_step(p, i + 1);
            if (has_input) remove_step(p, i + 1);
        }
    }
}

/* norm -> (input) matmul: the input is prepared straight from the norm, without the slot. */
static void merge_norms(plan *p)
{
    for (int i = 0; i + 1 < p->n_step; i++) {
        plan_step *norm = &p->step[i];
        if (norm->op != OP_RMS_NORM) continue;
        plan_step *next = norm + 1;
        bool has_input = next->op == OP_INPUT && i + 2 < p->n_step;
        plan_step *product = has_input ? next + 1 : next;
        int slot = norm->dst[0];
        if (product->op != OP_MATMUL || product->src != slot || next->src != slot
            || is_read_later(p, (int)(product - p->step), slot))
            continue;
        plan_step merged = *norm;
        merged.op = OP_INPUT;
        merged.dst[0] = merged.src;
        merged.want_i8 = has_input && next->want_i8;
        merged.want_f32 = !has_input || next->want_f32;
        product->prepared = true;
        product->src = merged.src;
        *norm = merged;
        if (has_input) remove_step(p, i + 1);
    }
}

/* matmul of gate and up, then silu_mul -> one step. */
static void merge_silu(plan *p)
{
    for (int i = 0; i + 1 < p->n_step; i++) {
        plan_step *s = &p->step[i];
        if (s->op != OP_MATMUL || s->n_matmul != 2 || s[1].op != OP_SILU_MUL
            || s[1].dst[0] != s->dst[0] || s[1].src != s->dst[1] || s->w[0]->n_rows != s->w[1]->n_rows)
            continue;
        s->silu_mul = true;
        remove_step(p, i + 1);
    }
}

/* matmul to a slot that only X += reads -> one step. */
static void merge_adds(plan *p)
{
    for (int i = 0; i + 1 < p->n_step; i++) {
        plan_step *s = &p->step[i];
        if (s->op != OP_MATMUL || s->n_matmul != 1 || s[1].op != OP_ADD || s[1].dst[0] != X
            || s[1].src != s->dst[0])
            continue;
        s->add = true;
        remove_step(p, i + 1);
    }
}

/* ---- pass 3: where the team meets ------------------------------------------------------------ */

/* How an op's threads share its work: by tokens, by heads (of the one token; by tokens when there
 * are more), by columns of the output, all of it each (of the one token; by tokens when more), or
 * by any unit. */
typedef enum { BY_TOKENS, BY_HEADS, BY_COLUMNS, BY_ALL, BY_UNITS } share;

static const share shares[OP_COUNT] = {
    [OP_EMBED] = BY_TOKENS, [OP_RMS_NORM] = BY_TOKENS, [OP_HEAD_NORM] = BY_HEADS,
    [OP_MATMUL] = BY_COLUMNS, [OP_ROPE] = BY_HEADS, [OP_ATTEND] = BY_UNITS,
    [OP_ADD] = BY_TOKENS, [OP_SILU_MUL] = BY_TOKENS, [OP_PICK] = BY_TOKENS,
    [OP_INPUT] = BY_ALL, [OP_STORE] = BY_HEADS,
};

static plan_sync sync_after(const plan_step *s)
{
    const plan_step *next = s + 1;
    share a = shares[s->op], b = shares[next->op];
    if (a == BY_TOKENS && b == BY_TOKENS) return SYNC_NONE;
    if (a == BY_HEADS && b == BY_HEADS) return SYNC_NONE;
    if (a == BY_HEADS && next->op == OP_ATTEND) return SYNC_MANY; /* one token: its heads stay */
    if (a == BY_ALL && next->op == OP_MATMUL) {
        /* a thread that is still reading the source must not see it written */
        bool overwrites = next->add && s->src == X;
        for (int i = 0; i < next->n_matmul; i++) overwrites |= next->dst[i] == s->src;
        return overwrites ? SYNC_ALL : SYNC_MANY;
    }
    return SYNC_ALL;
}

static void mark_syncs(plan *p)
{
    for (int i = 0; i + 1 < p->n_step; i++) p->step[i].sync = (uint8_t)sync_after(&p->step[i]);
    p->step[p->n_body - 1].sync = SYNC_ALL;
    p->step[p->n_step - 1].sync = SYNC_ALL;
}

/* ---- pass 4: sizes ---------------------------------------------------------------------------- */

static void find_sizes(plan *p, const model *m)
{
    const hparams *hp = &m->hp;
    const int width[SLOT_COUNT] = {
        [X] = hp->n_embd, [H] = hp->n_embd, [PICKED] = hp->n_embd, [F] = hp->n_embd,
        [Q] = hp->n_head * hp->head_dim, [A] = hp->n_head * hp->head_dim,
        [K] = hp->n_kv_head * hp->head_dim, [V] = hp->n_kv_head * hp->head_dim,
        [G] = hp->n_ff, [U] = hp->n_ff, [LOGITS] = hp->n_vocab,
    };
    for (int i = 0; i < p->n_step; i++) {
        const plan_step *s = &p->step[i];
        p->width[s->src] = width[s->src];
        for (int j = 0; j < (s->op == OP_MATMUL ? s->n_matmul : 1); j++)
            p->width[s->dst[j]] = width[s->dst[j]];
        if (s->op == OP_STORE) p->width[V] = width[V];
        if (s->op == OP_INPUT && width[s->src] > p->max_input) p->max_input = width[s->src];
    }
}

/* ---- the whole -------------------------------------------------------------------------------- */

/* The head reads the picked rows wherever its recipe says X. */
static void append_head(plan *p, const model *m)
{
    p->n_body = p->n_step;
    append(p, OP_PICK, PICKED, X, 0);
    append_recipe(p, m, m->arch->head, 0);
    for (int i = p->n_body + 1; i < p->n_step; i++)
        if (p->step[i].src == X) p->step[i].src = PICKED;
}

static void fuse_steps(plan *p)
{
    merge_matmuls(p);
    merge_norms(p);
    merge_silu(p);
    merge_adds(p);
    for (p->n_body = 0; p->step[p->n_body].op != OP_PICK;) p->n_body++;
}

bool plan_make(plan *p, const model *m, bool fuse, lory_err *err)
{
    const lory_arch *a = m->arch;
    size_t n_block = (size_t)count(a->block), n_layer = (size_t)m->hp.n_layer;
    /* a matmul makes two steps at most, so does attention, and the head is preceded by one */
    size_t n_max = 2 * ((size_t)count(a->embed) + n_block * n_layer + (size_t)count(a->head)) + 1;
    *p = (plan){ .step = mem_new(n_max, sizeof(plan_step)) };
    if (!p->step) return err_set(err, LORY_E_MEMORY, "no memory for a plan of %zu steps", n_max);
    append_recipe(p, m, a->embed, 0);
    for (int il = 0; il < m->hp.n_layer; il++) append_recipe(p, m, a->block, il);
    append_head(p, m);
    if (fuse) fuse_steps(p);
    mark_syncs(p);
    find_sizes(p, m);
    return true;
}

void plan_free(plan *p)
{
    mem_free(p->step);
    *p = (plan){ 0 };
}
