/* exec.c - see exec.h. */
#include "engine/exec.h"
#include "base/cpu.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/timer.h"
#include "engine/ops.h"
#include <limits.h>

static op_fn *const ops[OP_COUNT] = {
    [OP_EMBED] = op_embed,
    [OP_LAYER_MIX] = op_layer_mix,
    [OP_POSITION] = op_position,
    [OP_RMS_NORM] = op_norm,
    [OP_LAYER_NORM] = op_norm,
    [OP_HEAD_NORM] = op_head_norm,
    [OP_HEAD_LAYER_NORM] = op_head_layer_norm,
    [OP_MATMUL] = op_matmul,
    [OP_HEAD_MATMUL] = op_head_matmul,
    [OP_COPY_HEADS] = op_copy_heads,
    [OP_SPLIT_HEADS] = op_split_heads,
    [OP_CLAMP] = op_clamp,
    [OP_ROPE] = op_rope,
    [OP_TEMPERATURE] = op_temperature,
    [OP_MLA_KV] = op_mla_kv,
    [OP_MLA_LATENT] = op_mla_latent,
    [OP_ATTEND] = op_attend,
    [OP_GATE] = op_gate,
    [OP_GATE_HEADS] = op_gate_heads,
    [OP_GATE_VALUES] = op_gate_values,
    [OP_SILU_MUL] = op_activate,
    [OP_GELU_MUL] = op_activate,
    [OP_RELU_MUL] = op_activate,
    [OP_CLIP_SWIGLU] = op_activate,
    [OP_GELU] = op_activate,
    [OP_GELU_ERF] = op_activate,
    [OP_RELU] = op_activate,
    [OP_RELU_SQR] = op_activate,
    [OP_XIELU] = op_activate,
    [OP_SPARSIFY] = op_sparsify,
    [OP_ADD] = op_add,
    [OP_RESTART] = op_restart,
    [OP_WEIGH] = op_weigh,
    [OP_LAYER_SCALE] = op_layer_scale,
    [OP_ROUTE] = op_route,
    [OP_EXPERTS] = op_experts,
    [OP_EXPERT_WEIGH] = op_expert_weigh,
    [OP_EXPERT_SUM] = op_expert_sum,
    [OP_SHORT_CONV] = op_short_conv,
    [OP_CONV] = op_conv,
    [OP_CONV_OF] = op_conv_of,
    [OP_DECAY] = op_decay,
    [OP_SOFTPLUS] = op_softplus,
    [OP_BIAS] = op_bias,
    [OP_DELTA] = op_delta,
    [OP_KDA] = op_kda,
    [OP_NORM_GATE] = op_norm_gate,
    [OP_NORM_SIGMOID] = op_norm_sigmoid,
    [OP_SPLIT_INNER] = op_split_inner,
    [OP_SCAN] = op_scan,
    [OP_SCAN_CHANNELS] = op_scan_channels,
    [OP_SCAN_OF] = op_scan,
    [OP_GATE_NORM] = op_gate_norm,
    [OP_TOKEN_MIX] = op_token_mix,
    [OP_TOKEN_MIX_BY] = op_token_mix_by,
    [OP_TANH] = op_tanh,
    [OP_SIGMOID] = op_sigmoid,
    [OP_FIRST_VALUES] = op_first_values,
    [OP_VALUE_MIX] = op_value_mix,
    [OP_WKV6] = op_wkv6,
    [OP_GLA] = op_gla,
    [OP_WKV7] = op_wkv7,
    [OP_PREDICT] = op_predict,
    [OP_CORRECT] = op_correct,
    [OP_SPREAD] = op_spread,
    [OP_LEVEL] = op_level,
    [OP_MERGE] = op_merge,
    [OP_SCALE] = op_scale,
    [OP_SOFT_CAP] = op_soft_cap,
    [OP_HIDE] = op_hide,
    [OP_PICK] = op_pick,
    [OP_INPUT] = op_input,
    [OP_STORE] = op_store,
    [OP_GROUP] = op_group,
    [OP_EXPERT_INPUT] = op_expert_input,
    [OP_LORA] = op_lora,
    [OP_EXPERT_LORA] = op_expert_lora,
};

/* ---- memory ---------------------------------------------------------------------------------- */

static size_t round_up(size_t n, size_t unit)
{
    return (n + unit - 1) / unit * unit;
}

static size_t slot_rows(const exec *e, int slot)
{
    if (slot == PICKED || slot == LOGITS) return (size_t)e->par.n_out;
    return (size_t)e->par.n_batch
           * (size_t)(plan_is_expert_slot(slot) ? e->m->hp.n_expert_used : 1);
}

/* The buffers of OP_INPUT and OP_EXPERT_INPUT, of which one is in use at a time. */
static void lay_out_inputs(exec *e, mem_carver *c)
{
    size_t n_batch = (size_t)e->par.n_batch, n_threads = (size_t)e->par.n_threads;
    size_t n_pair = n_batch * (size_t)e->m->hp.n_expert_used;
    e->ld_input = round_up((size_t)e->plan.max_input, QT_GROUP);
    e->ld_pair = round_up((size_t)e->plan.max_pair_input, QT_GROUP);
    size_t n_input = (n_batch > n_threads ? n_batch : n_threads) * e->ld_input;
    if (n_input < n_pair * e->ld_pair) n_input = n_pair * e->ld_pair;
    e->input_f32 = mem_carve(c, n_input, sizeof(float));
    e->input_i8 = mem_carve(c, n_input / QT_GROUP, sizeof(act_group));
    bool has_tiles = matmul_takes_tiles(kernels(), QT_F32, e->plan.max_tiles, e->par.n_batch);
    size_t n_tiles = 16 * x_sum_floats(e->par.n_batch, e->plan.max_tiles);
    e->input_tiles = mem_carve(c, has_tiles && e->plan.max_tiles > 0 ? n_tiles : 0, sizeof(float));
}

static void lay_out_experts(exec *e, mem_carver *c)
{
    size_t n_pair = (size_t)e->par.n_batch * (size_t)e->m->hp.n_expert_used;
    e->choice = mem_carve(c, n_pair, sizeof *e->choice);
    e->choice_weight = mem_carve(c, n_pair, sizeof *e->choice_weight);
    e->pair_row = mem_carve(c, n_pair, sizeof *e->pair_row);
    e->pair_token = mem_carve(c, n_pair, sizeof *e->pair_token);
    e->expert_row = mem_carve(c, (size_t)e->m->hp.n_expert + 1, sizeof *e->expert_row);
}

/* Of a thread's scratch, for what is no product. */
static size_t op_bytes(const exec *e)
{
    size_t attend = op_attend_scratch_bytes(&e->m->hp), route = op_route_scratch_bytes(&e->m->hp);
    return attend > route ? attend : route;
}

static size_t thread_bytes(const exec *e)
{
    size_t n = op_bytes(e), product = op_matmul_scratch_bytes(&e->m->hp);
    if (n < product) n = product;
    return round_up(n, MEM_ALIGN) + (e->plan.n_lora > 0 ? OP_LORA_SCRATCH_BYTES : 0);
}

/* The structures may only be written when there is a block. */
static void lay_out_parts(exec *e, mem_carver *c)
{
    thread_parts measured;
    e->left = mem_carve(c, 2 * (size_t)e->par.n_threads, sizeof *e->left);
    e->parts = mem_carve(c, (size_t)e->par.n_threads, sizeof *e->parts);
    for (int i = 0; i < e->par.n_threads; i++)
        parts_carve(e->parts ? &e->parts[i] : &measured, &e->plan, c);
}

/* Floats from row to row of a slot: whole cache lines, and an odd number of them. Products write
 * some rows of 12 tokens at a time, and tokens that lie a power of two apart share the sets of the
 * caches. */
static size_t row_floats(int width)
{
    const size_t line = MEM_ALIGN / sizeof(float);
    return width == 0 ? 0 : round_up((size_t)width, line) | line;
}

/* Lays out everything that running takes; the same code measures and assigns. */
static size_t lay_out(exec *e, void *block)
{
    const model *m = e->m;
    mem_carver c = { block, 0 };
    e->ld_cs = (size_t)(m->hp.n_rot > m->hp.n_rot_local ? m->hp.n_rot : m->hp.n_rot_local);
    size_t n_cs = (size_t)e->par.n_batch * e->ld_cs;
    for (int i = 0; i < SLOT_COUNT; i++) {
        e->ld[i] = row_floats(e->plan.width[i]);
        e->slot[i] = mem_carve(&c, slot_rows(e, i) * e->ld[i], sizeof(float));
    }
    e->picked = e->slot[PICKED];
    lay_out_inputs(e, &c);
    e->rope_cs = mem_carve(&c, n_cs, sizeof(float));
    if (m->rope_local.inv_freq || m->hp.rope_2d)
        e->rope_cs_2 = mem_carve(&c, n_cs, sizeof(float));
    lay_out_experts(e, &c);
    e->attend_parts = mem_carve(&c, op_attend_parts_bytes(e), 1);
    lay_out_parts(e, &c);
    e->thread_bytes = thread_bytes(e);
    e->thread_scratch = mem_carve(&c, (size_t)e->par.n_threads, e->thread_bytes);
    return c.used;
}

/* An observer is shown slots, and a fused plan leaves some of them out. */
static bool make_plan(plan *p, const model *m, const exec_params *par, lory_err *err)
{
    plan_params pp = { .fuse = !par->no_fuse && !par->on_input, .lora = par->lora,
                       .n_lora = par->n_lora };
    return plan_make(p, m, &pp, err);
}

/* What a product with w packs: the thread's share of its rows, of an expert's all. */
static size_t packed_bytes(const exec *e, const plan_step *s, const weight *w)
{
    enum { FEW_ROWS = 2 * PANEL_ROWS }; /* packed at a time, where tokens are few */
    const int n_share = s->op == OP_EXPERTS ? 1 : e->par.n_threads;
    size_t rows = round_up((size_t)(w->n_rows / n_share + 1), PANEL_ROWS);
    if (qtypes[w->type].n_sub == 0) return rows * (size_t)w->k * sizeof(float);
    if (e->par.n_batch <= MATMUL_STREAM_TOK && rows > FEW_ROWS) rows = FEW_ROWS;
    return rows * ((size_t)(w->k / QT_GROUP) * panel_group_bytes(w->type) / PANEL_ROWS);
}

/* Of a thread's scratch what is ever written. */
static size_t touched_bytes(const exec *e)
{
    size_t n = op_bytes(e);
    for (int i = 0; i < e->plan.n_step && e->par.n_batch > MATMUL_FEW_TOK; i++) {
        const plan_step *s = &e->plan.step[i];
        int n_matmul = s->op == OP_MATMUL ? s->n_matmul : s->op == OP_EXPERTS;
        if (s->op == OP_HEAD_MATMUL) return e->thread_bytes;
        for (int j = 0; j < n_matmul; j++) {
            size_t packed = packed_bytes(e, s, s->w[j]);
            if (n < packed) n = packed;
        }
    }
    if (e->plan.n_lora > 0) n += OP_LORA_SCRATCH_BYTES;
    return n < e->thread_bytes ? n : e->thread_bytes;
}

bool exec_bytes(const model *m, const exec_params *par, size_t *n_bytes, lory_err *err)
{
    exec e = { .m = m, .par = *par };
    if (!make_plan(&e.plan, m, par, err)) return false;
    *n_bytes = lay_out(&e, NULL);
    *n_bytes -= (size_t)par->n_threads * (e.thread_bytes - touched_bytes(&e));
    plan_free(&e.plan);
    return true;
}

bool exec_open(exec *e, const model *m, kv_cache *kv, const exec_params *par, lory_err *err)
{
    *e = (exec){ .m = m, .kn = kernels(), .kv = kv, .par = *par };
    if (!kernels_isa(err) || !make_plan(&e->plan, m, par, err)) return false;
    e->block_bytes = lay_out(e, NULL);
    e->block = mem_new_lazy(e->block_bytes);
    if (!e->block)
        err_set(err, LORY_E_MEMORY, "scratch: no memory for %zu MB", e->block_bytes >> 20);
    if (!e->block || !(e->team = team_new(par->n_threads, err))) {
        exec_close(e);
        return false;
    }
    lay_out(e, e->block);
    int n_core = cpu_usable_cores();
    for (int i = 0; i < N_PACES; i++) pace_init(&e->pace[i], team_size(e->team), n_core);
    return true;
}

void exec_close(exec *e)
{
    team_free(e->team);
    mem_free_lazy(e->block, e->block_bytes);
    plan_free(&e->plan);
    *e = (exec){ 0 };
}

/* ---- the loop -------------------------------------------------------------------------------- */

/* Thread 0 alone looks at *interrupt, before a meeting, and sets the step after it as the end:
 * every thread then leaves at the same step. The head, which is short, always runs to its end. */
static void look_for_interrupt(exec *e, int i)
{
    if (i < e->plan.n_body && e->interrupt
        && atomic_load_explicit(e->interrupt, memory_order_relaxed))
        atomic_store_explicit(&e->stop_step, i + 1, memory_order_relaxed);
}

/* Whether the team meets after step i; at the end of a run it does anyway. */
static bool is_meeting(const exec *e, int i)
{
    plan_sync sync = e->plan.step[i].sync;
    if (i + 1 == e->end_step) return false;
    if (e->n_row > 1) return sync != SYNC_NONE;
    return sync == SYNC_ALL || (sync == SYNC_HEADS && e->is_cut);
}

/* Step i, until the team has met. */
static void run_step(const op_ctx *c, int i)
{
    exec *e = c->e;
    const plan_step *s = &e->plan.step[i];
    if (e->par.on_input && i < e->plan.n_body) op_show_input(c, s);
    ops[s->op](c, s);
    if (!is_meeting(e, i)) return;
    if (c->ith == 0) look_for_interrupt(e, i);
    team_barrier(e->team);
}

/* Attention's time is that of thread 0, which waits for the others at the end of it. */
static void run_steps(void *arg, int ith, int nth)
{
    exec *e = arg;
    op_ctx c = { e, ith, nth };
    if (e->parts[ith].nth != nth) parts_make(&e->parts[ith], &e->plan, ith, nth);
    for (int i = e->step; i < e->end_step; i++) {
        bool is_timed = ith == 0 && e->attend_s && e->plan.step[i].op == OP_ATTEND;
        double begin = is_timed ? timer_now() : 0.0;
        if (i >= atomic_load_explicit(&e->stop_step, memory_order_relaxed)) return;
        run_step(&c, i);
        if (is_timed) *e->attend_s += timer_now() - begin;
    }
}

/* The pace of runs of as many tokens: few and many cost differently. */
static pace *pace_of(exec *e)
{
    int i = 0;
    for (int n = e->n_row; n > 1 && i < N_PACES - 1; n /= 2) i++;
    return &e->pace[i];
}

/* Runs steps from the first up to `end` with as many threads as have proved good. False when it was
 * interrupted. To know the lost cores costs as much as a small product: once a run, if the last one
 * has just ended. */
static bool run_batch(exec *e, const exec_batch *b, int end, lory_err *err)
{
    e->batch = *b;
    e->n_row = b->n_tok;
    pace *p = pace_of(e);
    e->n_used = p->n;
    e->is_cut = op_attend_is_cut(e);
    e->step = 0;
    e->end_step = end;
    atomic_store(&e->stop_step, INT_MAX);
    team_use(e->team, e->n_used);
    double begin = timer_now();
    if (begin - e->ended > 1e-3) e->n_lost = cpu_preemptions();
    team_run(e->team, run_steps, e);
    if (atomic_load(&e->stop_step) < end) return err_set(err, LORY_E_INTERRUPTED, "interrupted");
    int64_t n_lost = cpu_preemptions();
    e->ended = timer_now();
    pace_record(p, e->ended - begin, e->n_row, n_lost - e->n_lost);
    e->n_lost = n_lost;
    return true;
}

/* The rows that the head reads: a lone one where it stands. */
static void pick_rows(exec *e, const int *rows, int n)
{
    e->pick = rows;
    e->slot[PICKED] = n == 1 ? op_row(e, X, rows[0]) : e->picked;
}

bool exec_body(exec *e, const exec_batch *b, lory_err *err)
{
    return run_batch(e, b, e->plan.n_body, err);
}

const float *exec_token(exec *e, const exec_batch *b, lory_err *err)
{
    static const int first_row = 0;
    pick_rows(e, &first_row, 1);
    return run_batch(e, b, e->plan.n_step, err) ? e->slot[LOGITS] : NULL;
}

const float *exec_head(exec *e, const int *rows, int n, size_t *ld)
{
    pick_rows(e, rows, n);
    e->n_row = n;
    e->step = e->plan.n_body;
    e->end_step = e->plan.n_step;
    atomic_store(&e->stop_step, INT_MAX);
    team_run(e->team, run_steps, e);
    *ld = e->ld[LOGITS];
    return e->slot[LOGITS];
}
