/* plan.c - see plan.h. Lowering is a few passes over the step array, each a page at most. */
#include "engine/plan.h"
#include "base/err.h"
#include "base/mem.h"
#include "kernels/kernel.h"
#include <string.h>

/* How an op's threads share its work: by tokens, by heads (of the one token; by tokens when there
 * are more), by columns of the output, all of it each (of the one token; by tokens when more), or
 * by any unit. */
typedef enum { BY_TOKENS, BY_HEADS, BY_COLUMNS, BY_ALL, BY_UNITS } share;

typedef struct {
    const char *name;
    share by;
    bool reads_dst; /* besides src */
} op_row;

static const op_row op_rows[OP_COUNT] = {
    [OP_END]             = { "end",             BY_UNITS,   false },
    [OP_EMBED]           = { "embed",           BY_TOKENS,  false },
    [OP_LAYER_MIX]       = { "layer_mix",       BY_UNITS,   true  },
    [OP_POSITION]        = { "position",        BY_TOKENS,  true  },
    [OP_RMS_NORM]        = { "rms_norm",        BY_TOKENS,  false },
    [OP_LAYER_NORM]      = { "layer_norm",      BY_TOKENS,  false },
    [OP_HEAD_NORM]       = { "head_norm",       BY_HEADS,   true  },
    [OP_HEAD_LAYER_NORM] = { "head_layer_norm", BY_HEADS,   true  },
    [OP_MATMUL]          = { "matmul",          BY_COLUMNS, false },
    [OP_HEAD_MATMUL]     = { "head_matmul",     BY_UNITS,   false },
    [OP_COPY_HEADS]      = { "copy_heads",      BY_HEADS,   false },
    [OP_SPLIT_HEADS]     = { "split_heads",     BY_HEADS,   false },
    [OP_CLAMP]           = { "clamp",           BY_TOKENS,  true  },
    [OP_ROPE]            = { "rope",            BY_HEADS,   true  },
    [OP_TEMPERATURE]     = { "temperature",     BY_HEADS,   true  },
    [OP_MLA_KV]          = { "mla_kv",          BY_TOKENS,  false },
    [OP_MLA_LATENT]      = { "mla_latent",      BY_TOKENS,  false },
    [OP_ATTEND]          = { "attend",          BY_UNITS,   false },
    [OP_GATE]            = { "gate",            BY_TOKENS,  true  },
    [OP_GATE_HEADS]      = { "gate_heads",      BY_TOKENS,  true  },
    [OP_GATE_VALUES]     = { "gate_values",     BY_TOKENS,  true  },
    [OP_SILU_MUL]        = { "silu_mul",        BY_TOKENS,  true  },
    [OP_GELU_MUL]        = { "gelu_mul",        BY_TOKENS,  true  },
    [OP_RELU_MUL]        = { "relu_mul",        BY_TOKENS,  true  },
    [OP_CLIP_SWIGLU]     = { "clip_swiglu",     BY_TOKENS,  true  },
    [OP_GELU]            = { "gelu",            BY_TOKENS,  true  },
    [OP_GELU_ERF]        = { "gelu_erf",        BY_TOKENS,  true  },
    [OP_RELU]            = { "relu",            BY_TOKENS,  true  },
    [OP_RELU_SQR]        = { "relu_sqr",        BY_TOKENS,  true  },
    [OP_XIELU]           = { "xielu",           BY_TOKENS,  true  },
    [OP_SPARSIFY]        = { "sparsify",        BY_TOKENS,  true  },
    [OP_ADD]             = { "add",             BY_TOKENS,  true  },
    [OP_RESTART]         = { "restart",         BY_TOKENS,  false },
    [OP_WEIGH]           = { "weigh",           BY_TOKENS,  false },
    [OP_LAYER_SCALE]     = { "layer_scale",     BY_TOKENS,  true  },
    [OP_ROUTE]           = { "route",           BY_TOKENS,  true  },
    [OP_EXPERTS]         = { "experts",         BY_COLUMNS, false },
    [OP_EXPERT_WEIGH]    = { "expert_weigh",    BY_UNITS,   false },
    [OP_EXPERT_SUM]      = { "expert_sum",      BY_TOKENS,  false },
    [OP_SHORT_CONV]      = { "short_conv",      BY_UNITS,   false },
    [OP_CONV]            = { "conv",            BY_UNITS,   true  },
    [OP_CONV_OF]         = { "conv_of",         BY_UNITS,   true  },
    [OP_DECAY]           = { "decay",           BY_TOKENS,  true  },
    [OP_SOFTPLUS]        = { "softplus",        BY_UNITS,   true  },
    [OP_BIAS]            = { "bias",            BY_UNITS,   true  },
    [OP_DELTA]           = { "delta",           BY_UNITS,   false },
    [OP_KDA]             = { "kda",             BY_UNITS,   false },
    [OP_NORM_GATE]       = { "norm_gate",       BY_UNITS,   true  },
    [OP_NORM_SIGMOID]    = { "norm_sigmoid",    BY_UNITS,   true  },
    [OP_SPLIT_INNER]     = { "split_inner",     BY_UNITS,   false },
    [OP_SCAN]            = { "scan",            BY_UNITS,   false },
    [OP_SCAN_CHANNELS]   = { "scan_channels",   BY_UNITS,   false },
    [OP_SCAN_OF]         = { "scan_of",         BY_UNITS,   false },
    [OP_GATE_NORM]       = { "gate_norm",       BY_UNITS,   true  },
    [OP_TOKEN_MIX]       = { "token_mix",       BY_UNITS,   false },
    [OP_TOKEN_MIX_BY]    = { "token_mix_by",    BY_UNITS,   false },
    [OP_TANH]            = { "tanh",            BY_UNITS,   true  },
    [OP_SIGMOID]         = { "sigmoid",         BY_UNITS,   true  },
    [OP_FIRST_VALUES]    = { "first_values",    BY_UNITS,   false },
    [OP_VALUE_MIX]       = { "value_mix",       BY_UNITS,   true  },
    [OP_WKV6]            = { "wkv6",            BY_UNITS,   false },
    [OP_GLA]             = { "gla",             BY_UNITS,   false },
    [OP_WKV7]            = { "wkv7",            BY_UNITS,   false },
    [OP_PREDICT]         = { "predict",         BY_UNITS,   true  },
    [OP_CORRECT]         = { "correct",         BY_UNITS,   true  },
    [OP_SPREAD]          = { "spread",          BY_TOKENS,  true  },
    [OP_LEVEL]           = { "level",           BY_TOKENS,  true  },
    [OP_MERGE]           = { "merge",           BY_TOKENS,  true  },
    [OP_SCALE]           = { "scale",           BY_COLUMNS, true  },
    [OP_SOFT_CAP]        = { "soft_cap",        BY_COLUMNS, true  },
    [OP_HIDE]            = { "hide",            BY_COLUMNS, true  },
    [OP_ALSO]            = { "also",            BY_UNITS,   false },
    [OP_PICK]            = { "pick",            BY_TOKENS,  false },
    [OP_INPUT]           = { "input",           BY_ALL,     false },
    [OP_STORE]           = { "store",           BY_HEADS,   true  },
    [OP_GROUP]           = { "group",           BY_UNITS,   true  },
    [OP_EXPERT_INPUT]    = { "expert_input",    BY_UNITS,   true  },
    [OP_LORA]            = { "lora",            BY_UNITS,   false },
    [OP_EXPERT_LORA]     = { "expert_lora",     BY_UNITS,   false },
};

/* Slots that ops read besides src and dst; X, which is 0, is none of them. */
enum { MAX_ALSO = 5 };
static const uint8_t also_reads[OP_COUNT][MAX_ALSO] = {
    [OP_MLA_KV]       = { KVA },
    [OP_MLA_LATENT]   = { KVA },
    [OP_DELTA]        = { MA, MB },
    [OP_KDA]          = { MK, MV, MD, MB },
    [OP_TOKEN_MIX_BY] = { H, XD },
    [OP_VALUE_MIX]    = { VF },
    [OP_WKV6]         = { MD, MK, MV },
    [OP_GLA]          = { MD, MK, MV },
    [OP_WKV7]         = { MD, MK, MV, MR, MZ },
    [OP_STORE]        = { K, V },
};

static const char *const slot_names[SLOT_COUNT] = {
    [X] = "x", [H] = "h", [H2] = "h2", [Q] = "q", [K] = "k", [V] = "v", [A] = "a", [AG] = "ag",
    [AV] = "av", [MI] = "mi", [MO] = "mo",
    [MZ] = "mz", [MA] = "ma", [MB] = "mb", [MQ] = "mq", [MK] = "mk",
    [MV] = "mv", [MD] = "md", [MF] = "mf", [MG] = "mg", [MR] = "mr", [MRR] = "mrr", [MS] = "ms",
    [MSR] = "msr", [VF] = "vf", [ML] = "ml", [MLR] = "mlr", [XD] = "xd", [XR] = "xr", [XW] = "xw",
    [XK] = "xk", [XV] = "xv", [XI] = "xi", [XG] = "xg", [QG] = "qg",
    [G] = "g", [U] = "u", [F] = "f", [QA] = "qa", [KVA] = "kva", [KVN] = "kvn", [KVB] = "kvb",
    [QL] = "ql", [AL] = "al", [RT] = "rt",
    [EX] = "ex", [EG] = "eg", [EU] = "eu", [ED] = "ed", [CG] = "cg", [CU] = "cu",
    [SG] = "sg", [SU] = "su", [SS] = "ss",
    [LE] = "le", [LP] = "lp", [LG] = "lg", [XA] = "xa", [XS] = "xs", [XO] = "xo", [SM] = "sm",
    [LL] = "ll",
    [LOGITS] = "logits", [PICKED] = "picked", [LR] = "lr", [ELR] = "elr",
};

const char *plan_op_name(lory_op op)
{
    return op_rows[op].name;
}

const char *plan_slot_name(lory_slot slot)
{
    return slot_names[slot];
}

int plan_input_width(const plan_step *s)
{
    bool is_norm = s->op == OP_RMS_NORM || s->op == OP_LAYER_NORM || s->norm != OP_END;
    return is_norm ? s->w[0]->k : s->src_width;
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

/* A step before the matmul prepares int8 activations, or tiles of floats when the tokens are many.
 * It reads f32 rows from the slot. */
static void append_matmul(plan *p, const lory_step *r, const weight *w, int il)
{
    bool is_i8 = qtypes[w->type].n_sub > 0;
    plan_step *input = append(p, OP_INPUT, r->src, r->src, il);
    input->want_i8 = is_i8;
    input->want_tiles = !is_i8;
    plan_step *s = append(p, OP_MATMUL, r->dst, r->src, il);
    s->n_matmul = 1;
    s->w[0] = w;
    s->prepared = is_i8;
}

/* The experts' input is gathered, unless it lies in their order and is read as floats. */
static void append_experts(plan *p, const lory_step *r, const weight *w, int il)
{
    bool is_i8 = qtypes[w->type].n_sub > 0, is_prepared = is_i8 || !plan_is_expert_slot(r->src);
    if (is_prepared) {
        plan_step *input = append(p, OP_EXPERT_INPUT, r->src, r->src, il);
        input->want_i8 = is_i8;
        input->want_f32 = !is_i8;
    }
    plan_step *s = append(p, OP_EXPERTS, r->dst, r->src, il);
    s->w[0] = w;
    s->prepared = is_prepared;
}

/* Norms behind a sub-layer, before the sum, and of what a scan reads. */
static bool is_post_norm(int role)
{
    return role == W_ATTN_POST_NORM || role == W_FFN_POST_NORM
           || (role >= W_STEP_NORM && role <= W_C_NORM);
}

/* Another weight of the last step. */
static void append_weight(plan *p, const weight *w)
{
    plan_step *s = &p->step[p->n_step - 1];
    int i = 1;
    while (s->w[i]) i++;
    s->w[i] = w;
}

static void append_recipe(plan *p, const model *m, const lory_step *r, int il)
{
    for (; r->op != OP_END; r++) {
        bool has_weight = r->role != W_NONE && !(r->flags & WITHOUT);
        const weight *w = has_weight ? weights_get(&m->w, il, r->role) : NULL;
        if (!model_has_step(m, il, r)) continue;
        if (r->op == OP_ALSO) {
            append_weight(p, w);
            continue;
        }
        if (r->op == OP_MATMUL || r->op == OP_EXPERTS) {
            (r->op == OP_MATMUL ? append_matmul : append_experts)(p, r, w, il);
            continue;
        }
        if (r->op == OP_ATTEND && m->hp.layer[il].kv_layer == il) append(p, OP_STORE, K, K, il);
        plan_step *s = append(p, r->op, r->dst, r->src, il);
        s->w[0] = w;
        s->norm_eps = is_post_norm(r->role) && m->hp.norm_eps_post > 0.0f ? m->hp.norm_eps_post
                                                                          : m->hp.norm_eps;
        if (r->op == OP_ROUTE) append(p, OP_GROUP, RT, RT, il);
    }
}

/* ---- pass 2: patterns ----------------------------------------------------------------------- */

/* Whether a step reads a slot, other than as what it overwrites. */
static bool reads(const plan_step *s, int slot)
{
    const uint8_t *also = also_reads[s->op];
    if (s->src == slot && s->op != OP_EMBED && !(s->op == OP_MATMUL && s->prepared)) return true;
    for (int i = 0; i < MAX_ALSO && also[i]; i++)
        if (also[i] == slot) return true;
    return false;
}

/* Whether a later step reads `slot` as it is after step i. */
static bool is_read_later(const plan *p, int i, int slot)
{
    for (i++; i < p->n_step; i++) {
        const plan_step *s = &p->step[i];
        if (reads(s, slot)) return true;
        for (int j = 0; j < (s->op == OP_MATMUL ? s->n_matmul : 1); j++)
            if (s->dst[j] == slot) return op_rows[s->op].reads_dst;
    }
    return false;
}

static void remove_step(plan *p, int i)
{
    memmove(&p->step[i], &p->step[i + 1], (size_t)(p->n_step - i - 1) * sizeof p->step[0]);
    p->n_step--;
}

/* input, matmul, input, matmul of the same source -> one input, one step: Q, K, V; gate, up. */
static void merge_matmuls(plan *p)
{
    for (int i = 1; i < p->n_step; i++) {
        plan_step *s = &p->step[i], *input = s - 1, *next = s + 2;
        while (s->op == OP_MATMUL && s->n_matmul < PLAN_MAX_FUSED && i + 2 < p->n_step) {
            if (next->op != OP_MATMUL || next->src != s->src || s->dst[0] == s->src) break;
            input->want_i8 |= next[-1].want_i8;
            input->want_tiles |= next[-1].want_tiles;
            if (next->prepared != s->prepared) input->want_f32 = s->prepared = true;
            s->w[s->n_matmul] = next->w[0];
            s->dst[s->n_matmul++] = next->dst[0];
            remove_step(p, i + 1);
            remove_step(p, i + 1);
        }
    }
}

/* norm, input, matmul: the input is prepared straight from the norm, without the slot. */
static void merge_norms(plan *p)
{
    for (int i = 0; i + 2 < p->n_step; i++) {
        plan_step *norm = &p->step[i], *input = norm + 1, *product = norm + 2;
        if (norm->op != OP_RMS_NORM && norm->op != OP_LAYER_NORM) continue;
        int slot = norm->dst[0];
        if (input->op != OP_INPUT || product->op != OP_MATMUL || input->src != slot
            || is_read_later(p, (int)(product - p->step), slot))
            continue;
        plan_step merged = *norm;
        merged.op = OP_INPUT;
        merged.norm = norm->op;
        merged.dst[0] = merged.src;
        merged.want_i8 = input->want_i8;
        merged.want_f32 = input->want_f32;
        merged.want_tiles = input->want_tiles;
        product->prepared = true;
        product->src = merged.src;
        *norm = merged;
        remove_step(p, i + 1);
    }
}

static bool is_gated(int op)
{
    return op == OP_SILU_MUL || op == OP_GELU_MUL || op == OP_RELU_MUL || op == OP_CLIP_SWIGLU;
}

static bool is_plain(int op)
{
    return op == OP_GELU || op == OP_GELU_ERF || op == OP_RELU || op == OP_RELU_SQR
           || op == OP_XIELU;
}

/* matmul, then an activation of its output; of gate and up, then gate times up -> one step. */
static void merge_activations(plan *p)
{
    for (int i = 0; i + 1 < p->n_step; i++) {
        plan_step *s = &p->step[i];
        if (s->op != OP_MATMUL || s[1].dst[0] != s->dst[0]) continue;
        if (is_plain(s[1].op) && s->n_matmul != 1) continue;
        if (!is_plain(s[1].op)
            && !(is_gated(s[1].op) && s->n_matmul == 2 && s[1].src == s->dst[1]
                 && s->w[0]->n_rows == s->w[1]->n_rows))
            continue;
        s->then = s[1].op;
        remove_step(p, i + 1);
    }
}

/* expert_input, experts, expert_input, experts of the same source -> one input. */
static void merge_expert_inputs(plan *p)
{
    for (int i = 0; i + 2 < p->n_step; i++) {
        plan_step *s = &p->step[i];
        if (s->op != OP_EXPERT_INPUT || s[1].op != OP_EXPERTS || s[2].op != OP_EXPERT_INPUT
            || s[2].src != s->src)
            continue;
        s->want_f32 |= s[2].want_f32;
        s->want_i8 |= s[2].want_i8;
        remove_step(p, i + 2);
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

/* ---- pass 3: adapters ---------------------------------------------------------------------- */

static int n_products(const plan_step *s)
{
    if (s->op == OP_MATMUL) return s->n_matmul;
    return s->op == OP_EXPERTS || s->op == OP_EMBED;
}

/* How many parts adapters have in all steps. */
static int count_loras(const plan *p, const plan_params *par)
{
    int n = 0;
    for (int i = 0; i < p->n_step; i++)
        for (int j = 0; j < n_products(&p->step[i]); j++)
            for (size_t k = 0; k < par->n_lora; k++)
                n += par->lora[k].scale != 0.0f && lora_find(par->lora[k].lora, p->step[i].w[j]);
    return n;
}

/* Where an earlier part of the step makes the same t: parts of one tensor (Q, K, V) share a. */
static bool find_same(const plan_step *s, int n_product, plan_lora *l)
{
    for (int j = 0; j < n_product; j++)
        for (const plan_lora *o = s->lora[j]; o; o = o->next) {
            if (o->pair->a.data != l->pair->a.data || o->scale != l->scale) continue;
            l->at = o->at;
            return l->is_made = true;
        }
    return false;
}

/* Links the parts of one step's products. Returns the width of its row of t, 0 without adapters. */
static int link_loras(plan *p, const plan_params *par, plan_step *s)
{
    int width = 0;
    for (int j = 0; j < n_products(s); j++) {
        const plan_lora **end = &s->lora[j];
        for (size_t k = 0; k < par->n_lora; k++) {
            const lora_pair *pair = lora_find(par->lora[k].lora, s->w[j]);
            if (!pair || par->lora[k].scale == 0.0f) continue;
            plan_lora *l = &p->lora[p->n_lora++];
            *l = (plan_lora){ pair, .scale = pair->scale * par->lora[k].scale, .at = width };
            if (!find_same(s, j, l)) width += pair->b.k;
            *end = l;
            end = &l->next;
        }
    }
    return width;
}

/* The step that makes t goes before the products, whose input it reads as floats. */
static void insert_lora(plan *p, int i, int width)
{
    bool is_expert = p->step[i].op == OP_EXPERTS;
    int slot = is_expert ? ELR : LR;
    memmove(&p->step[i + 1], &p->step[i], (size_t)(p->n_step++ - i) * sizeof p->step[0]);
    plan_step *s = &p->step[i];
    s->op = is_expert ? OP_EXPERT_LORA : OP_LORA;
    s->dst[0] = (uint8_t)slot;
    s->then = OP_END;
    s->add = false;
    if (width > p->width[slot]) p->width[slot] = width;
    if (!s->prepared) return;
    while (p->step[i].op != (is_expert ? OP_EXPERT_INPUT : OP_INPUT)) i--;
    p->step[i].want_f32 = true;
}

static bool add_loras(plan *p, const plan_params *par, lory_err *err)
{
    int n = count_loras(p, par);
    if (n == 0) return true;
    size_t n_step = (size_t)p->n_step;
    plan_step *step = mem_resize(p->step, n_step, n_step + (size_t)n, sizeof *step);
    if (step) p->step = step;
    p->lora = mem_new((size_t)n, sizeof *p->lora);
    if (!step || !p->lora) return err_set(err, LORY_E_MEMORY, "plan: no memory for adapters");
    for (int i = 0; i < p->n_step; i++) {
        int width = link_loras(p, par, &p->step[i]);
        if (width > 0 && p->step[i].op != OP_EMBED) insert_lora(p, i++, width);
    }
    return true;
}

/* ---- pass 4: where the team meets ------------------------------------------------------------ */

static plan_sync sync_after(const plan_step *s)
{
    const plan_step *next = s + 1;
    share a = op_rows[s->op].by, b = op_rows[next->op].by;
    if (a == BY_TOKENS && b == BY_TOKENS) return SYNC_NONE;
    if (a == BY_HEADS && b == BY_HEADS) return SYNC_NONE;
    if (a == BY_HEADS && next->op == OP_ATTEND && next->src == Q)
        return SYNC_HEADS; /* one token: its heads stay */
    if (a == BY_ALL && next->op == OP_MATMUL) {
        /* a thread that is still reading the source must not see it written */
        bool overwrites = next->add && s->src == X;
        for (int i = 0; i < next->n_matmul; i++) overwrites |= next->dst[i] == s->src;
        return overwrites ? SYNC_ALL : SYNC_MANY;
    }
    if (a == BY_ALL && next->op == OP_LORA) return SYNC_NONE; /* the same share, or copy */
    if (s->op == OP_EXPERTS && next->op == OP_EXPERTS && next->src == s->src) return SYNC_NONE;
    return SYNC_ALL;
}

static void mark_syncs(plan *p)
{
    for (int i = 0; i + 1 < p->n_step; i++) p->step[i].sync = (uint8_t)sync_after(&p->step[i]);
    p->step[p->n_body - 1].sync = SYNC_ALL;
    p->step[p->n_body].sync = SYNC_MANY; /* a lone row is picked by its place */
}

/* ---- pass 5: sizes ------------------------------------------------------------------------- */

/* Floats of a slot's row in layer il. */
static int width_of(const plan *p, const hparams *hp, int slot, int il)
{
    const hparams_layer *l = &hp->layer[il < 0 ? 0 : il];
    switch ((lory_slot)slot) {
    case X: case H: case H2: case F: case EX: case ED: case XA: case PICKED: return hp->n_embd;
    case Q: return l->n_head * l->head_dim;
    case K: return l->n_kv_head * l->kv_dim;
    case V: return l->n_kv_head * l->value_dim;
    case A: return l->n_head * l->value_dim;
    case AV: return l->n_head * l->value_dim;
    case AG: return l->n_head;
    case MI: return hp->n_mix_in;
    case MO: case MZ: case MQ: case MK: case MV: case MD: return hp->n_inner;
    case MR: case MS: case VF: return hp->n_inner;
    case MF: return hp->rank_decay;
    case MG: return hp->rank_gate;
    case MRR: return hp->rank_rate;
    case MSR: return hp->rank_value;
    case ML: return hp->n_lerp * hp->n_embd;
    case MLR: return hp->n_lerp * hp->rank_lerp;
    case XD: case XR: case XW: case XK: case XV: case XI: case XG: return hp->n_embd;
    case MA: return hp->n_value_head;
    case MB: return (hp->is_grouped ? 2 : 1) * hp->n_value_head;
    case QG: return l->n_head * 2 * l->head_dim;
    case G: case U: return l->n_ff;
    case QA: return hp->q_lora_rank;
    case KVA: return hp->kv_lora_rank + hp->n_rot;
    case KVN: return hp->kv_lora_rank;
    case KVB: return l->n_head * (l->head_dim - hp->n_rot + l->value_dim);
    case QL: return l->n_head * l->kv_dim;
    case AL: return l->n_head * l->kv_value_dim;
    case RT: return hp->n_expert;
    case EG: case EU: return hp->n_ff_exp;
    case CG: case CU: return hp->n_ff_chunk;
    case SG: case SU: return hp->n_ff_shexp;
    case SS: return 1;
    case LE: case LP: return hp->n_layer * hp->n_embd_layer;
    case LG: return hp->n_embd_layer;
    case XS: case XO: return (hp->n_stream - 1) * hp->n_embd;
    case SM: return hp->n_stream;
    case LL: return hp->laurel_rank;
    case LOGITS: return hp->n_vocab;
    case LR: case ELR: return p->width[slot]; /* by the adapters */
    case SLOT_COUNT: break;
    }
    return 0;
}

static int use_slot(plan *p, const hparams *hp, int slot, int il)
{
    int width = width_of(p, hp, slot, il);
    if (width > p->width[slot]) p->width[slot] = width;
    return width;
}

/* Floats in a slot are read there, or put into tiles. */
static bool is_input_buffered(const plan_step *s)
{
    return s->op == OP_INPUT && (s->norm || s->want_f32 || s->want_i8);
}

static void find_sizes(plan *p, const model *m)
{
    const hparams *hp = &m->hp;
    for (int i = 0; i < p->n_step; i++) {
        plan_step *s = &p->step[i];
        s->src_width = use_slot(p, hp, s->src, s->il);
        for (int j = s->op == OP_MATMUL ? s->n_matmul - 1 : 0; j >= 0; j--)
            s->dst_width = use_slot(p, hp, s->dst[j], s->il);
        if (s->op == OP_STORE) use_slot(p, hp, V, s->il);
        int width = plan_input_width(s);
        if (is_input_buffered(s) && width > p->max_input) p->max_input = width;
        if (s->want_tiles && width <= X_MOST_K && width > p->max_tiles) p->max_tiles = width;
        if (s->op == OP_EXPERT_INPUT && width > p->max_pair_input) p->max_pair_input = width;
    }
}

/* ---- the whole ----------------------------------------------------------------------------- */

/* The head reads the picked rows wherever its recipe says X. */
static void append_head(plan *p, const model *m)
{
    p->n_body = p->n_step;
    append(p, OP_PICK, PICKED, X, -1);
    append_recipe(p, m, m->arch->head, -1);
    for (int i = p->n_body + 1; i < p->n_step; i++)
        if (p->step[i].src == X) p->step[i].src = PICKED;
}

static void fuse_steps(plan *p)
{
    merge_matmuls(p);
    merge_norms(p);
    merge_activations(p);
    merge_adds(p);
    merge_expert_inputs(p);
}

bool plan_make(plan *p, const model *m, const plan_params *par, lory_err *err)
{
    const lory_arch *a = m->arch;
    const lory_step *block = model_block(m);
    size_t n_block = (size_t)count(block), n_layer = (size_t)m->hp.n_layer;
    /* a step makes two at most, and the head is preceded by one */
    size_t n_max = 2 * ((size_t)count(a->embed) + n_block * n_layer + (size_t)count(a->head)) + 1;
    *p = (plan){ .step = mem_new(n_max, sizeof(plan_step)) };
    if (!p->step) return err_set(err, LORY_E_MEMORY, "plan: no memory for %zu steps", n_max);
    append_recipe(p, m, a->embed, -1);
    for (int il = 0; il < m->hp.n_layer; il++) append_recipe(p, m, block, il);
    append_head(p, m);
    if (par->fuse) fuse_steps(p);
    if (!add_loras(p, par, err)) {
        plan_free(p);
        return false;
    }
    for (p->n_body = 0; p->step[p->n_body].op != OP_PICK;) p->n_body++;
    mark_syncs(p);
    find_sizes(p, m);
    return true;
}

void plan_free(plan *p)
{
    mem_free(p->step);
    mem_free(p->lora);
    *p = (plan){ 0 };
}
