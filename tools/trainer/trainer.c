/* trainer.c - steps of training on a team of threads. */
#include "trainer.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/rng.h"
#include <math.h>

enum { CHUNK = 1 << 14 }; /* parameters: what threads share of the update */

/* What the draws are for. */
enum { FOR_SOURCE = 1, FOR_ORDER = 1000 };

/* AdamW's constants, the cosine's end as a share of the rate, the longest gradient, and how much
 * of the average of the weights a step keeps. */
static const float beta1 = 0.9f, beta2 = 0.99f, adam_eps = 1e-8f, lr_end = 0.02f, clip = 1.0f,
                   average_keep = 0.98f;

/* ---- windows ------------------------------------------------------------------------------ */

/* The source of a window, by the weights. */
static int pick_source(const trainer *t, uint64_t window)
{
    double total = 0.0, u = rng_uniform_at(t->p.seed, window, FOR_SOURCE);
    for (int i = 0; i < t->data.n; i++) total += t->data.source[i].weight;
    u *= total;
    for (int i = 0; i + 1 < t->data.n; i++) {
        if (u < t->data.source[i].weight) return i;
        u -= t->data.source[i].weight;
    }
    return t->data.n - 1;
}

static double learning_rate(const trainer_params *p, uint64_t step)
{
    if (step < (uint64_t)p->n_warmup) return p->lr * (double)(step + 1) / p->n_warmup;
    double left = (double)p->n_steps - p->n_warmup, done = (double)step - p->n_warmup;
    double share = left > 0 && done < left ? done / left : 1.0;
    return p->lr * (lr_end + (1.0 - lr_end) * 0.5 * (1.0 + cos(3.141592653589793 * share)));
}

static void take_windows(trainer *t)
{
    data_rule r = { .n_ctx = t->n.s.n_ctx, .bos = t->bos, .split_seed = t->p.seed };
    if (t->p.split > 0.0f) {
        r.pieces = &t->pieces;
        r.split = t->p.split * (float)learning_rate(&t->p, t->step) / t->p.lr;
    }
    for (int i = 0; i < t->p.n_batch; i++) {
        int is = pick_source(t, t->window + (uint64_t)i);
        r.order_seed = rng_at(t->p.seed, (uint64_t)is, FOR_ORDER);
        data_next(&t->data.source[is], &r, &t->win[i]);
    }
}

/* ---- a step ------------------------------------------------------------------------------- */

static void run_lanes(trainer *t, int ith)
{
    for (int il; (il = atomic_fetch_add(&t->next, 1)) < t->n_lanes;)
        for (int i = il; i < t->p.n_batch; i += t->n_lanes) {
            net_dropout d = { t->p.dropout, t->p.seed, t->window + (uint64_t)i };
            t->loss[i] = net_run(t->work[ith], &t->win[i], &d, t->lane[il], i == il);
        }
}

static int chunk_size(const trainer *t, size_t i)
{
    size_t left = t->n.n_params - i * CHUNK;
    return left < CHUNK ? (int)left : CHUNK;
}

static void add_lanes(trainer *t, int ith, int nth)
{
    for (size_t i = (size_t)ith; i < t->n_chunks; i += (size_t)nth) {
        int n = chunk_size(t, i);
        for (int il = 1; il < t->n_lanes; il++)
            t->n.v->add(n, t->lane[il] + i * CHUNK, t->lane[0] + i * CHUNK);
        t->squares[i] = t->n.v->sum_squares(n, t->lane[0] + i * CHUNK);
    }
}

static net_loss sum_losses(const trainer *t, int n_windows)
{
    net_loss sum = { 0 };
    for (int i = 0; i < n_windows; i++) {
        sum.loss += t->loss[i].loss;
        sum.n_targets += t->loss[i].n_targets;
    }
    return sum;
}

static void prepare_update(trainer *t)
{
    double squares = 0.0, keep = average_keep, n = (double)t->step + 1.0;
    int64_t n_targets = sum_losses(t, t->p.n_batch).n_targets;
    for (size_t i = 0; i < t->n_chunks; i++) squares += t->squares[i];
    double scale = n_targets > 0 ? 1.0 / (double)n_targets : 0.0;
    t->norm = sqrt(squares) * scale;
    if (t->norm > clip) scale *= clip / t->norm;
    if (keep > n / (n + 9.0)) keep = n / (n + 9.0); /* the first weights are not worth much */
    t->adam = (vec_adam_step){
        .lr = (float)learning_rate(&t->p, t->step),
        .beta1 = beta1,
        .beta2 = beta2,
        .eps = adam_eps,
        .bias1 = (float)(1.0 / (1.0 - pow(beta1, n))),
        .bias2 = (float)(1.0 / (1.0 - pow(beta2, n))),
        .decay = t->p.decay,
        .scale = (float)scale,
        .average_keep = (float)keep,
    };
}

static void update_range(trainer *t, size_t from, size_t to, bool is_matrix)
{
    t->n.v->adam((int)(to - from), &t->adam, is_matrix, t->lane[0] + from, t->w + from, t->m + from,
                 t->v + from, t->average + from);
}

static void update(trainer *t, int ith, int nth)
{
    for (size_t i = (size_t)ith; i < t->n_chunks; i += (size_t)nth) {
        size_t from = i * CHUNK, to = from + (size_t)chunk_size(t, i), cut = t->n.n_in_matrices;
        cut = cut < from ? from : cut > to ? to : cut;
        update_range(t, from, cut, true);
        update_range(t, cut, to, false);
    }
}

static void step_on_team(void *arg, int ith, int nth)
{
    trainer *t = arg;
    net_pack(&t->n, ith, nth);
    team_barrier(t->team);
    run_lanes(t, ith);
    team_barrier(t->team);
    add_lanes(t, ith, nth);
    team_barrier(t->team);
    if (ith == 0) prepare_update(t);
    team_barrier(t->team);
    update(t, ith, nth);
}

double trainer_step(trainer *t)
{
    take_windows(t);
    t->n.w = t->w;
    atomic_store(&t->next, 0);
    team_run(t->team, step_on_team, t);
    t->step++;
    t->window += (uint64_t)t->p.n_batch;
    net_loss sum = sum_losses(t, t->p.n_batch);
    return sum.n_targets > 0 ? sum.loss / (double)sum.n_targets : 0.0;
}

/* ---- evaluation --------------------------------------------------------------------------- */

static void pack(void *arg, int ith, int nth)
{
    net_pack(&((trainer *)arg)->n, ith, nth);
}

static void eval_windows(void *arg, int ith, int nth)
{
    trainer *t = arg;
    const net_dropout none = { 0 };
    (void)nth;
    for (int i; (i = atomic_fetch_add(&t->next, 1)) < t->n_windows;)
        t->loss[i] = net_run(t->work[ith], &t->win[i], &none, NULL, false);
}

trainer_score trainer_eval(trainer *t, const data_source *source)
{
    net_loss sum = { 0 };
    data_rule r = { .n_ctx = t->n.s.n_ctx, .bos = t->bos, .in_order = true };
    data_source s = *source; /* with a place of its own; the rest is only read */
    s.at = (data_place){ 0 };
    t->n.w = t->average;
    team_run(t->team, pack, t);
    do {
        t->n_windows = 0;
        while (t->n_windows < t->p.n_batch && data_next(&s, &r, &t->win[t->n_windows]))
            t->n_windows++;
        atomic_store(&t->next, 0);
        team_run(t->team, eval_windows, t);
        net_loss more = sum_losses(t, t->n_windows);
        sum.loss += more.loss;
        sum.n_targets += more.n_targets;
    } while (t->n_windows == t->p.n_batch);
    trainer_score score = { .n_targets = sum.n_targets };
    if (sum.n_targets > 0) score.loss = sum.loss / (double)sum.n_targets;
    if (s.n_bytes > 0) score.bits_per_byte = sum.loss / log(2.0) / (double)s.n_bytes;
    return score;
}

/* ---- beginning and end -------------------------------------------------------------------- */

static bool take_memory(trainer *t, lory_err *err)
{
    size_t n = t->n.n_params, n_ctx = (size_t)t->n.s.n_ctx, n_batch = (size_t)t->p.n_batch;
    t->n_chunks = (n + CHUNK - 1) / CHUNK;
    t->n_lanes = t->p.n_batch < N_LANES ? t->p.n_batch : N_LANES;
    t->win = mem_new(n_batch, sizeof *t->win);
    t->loss = mem_new(n_batch, sizeof *t->loss);
    t->tokens = mem_new(2 * n_batch * n_ctx, sizeof *t->tokens);
    t->starts = mem_new(n_batch * n_ctx, sizeof *t->starts);
    t->squares = mem_new(t->n_chunks, sizeof *t->squares);
    t->w = mem_new(4 * n, sizeof *t->w);
    bool ok = t->win && t->loss && t->tokens && t->starts && t->squares && t->w;
    for (int il = 0; ok && il < t->n_lanes; il++)
        ok = (t->lane[il] = mem_new(n, sizeof(float))) != NULL;
    if (!ok) return err_set(err, LORY_E_MEMORY, "out of memory for %zu parameters", n);
    t->m = t->w + n, t->v = t->m + n, t->average = t->v + n;
    for (size_t i = 0; i < n_batch; i++)
        t->win[i] = (net_window){ t->tokens + 2 * i * n_ctx, t->tokens + (2 * i + 1) * n_ctx,
                                  t->starts + i * n_ctx };
    return true;
}

trainer *trainer_new(const net_shape *s, const trainer_params *p, lory_token bos, int n_threads,
                     lory_err *err)
{
    trainer *t = mem_new(1, sizeof *t);
    if (!t) {
        err_set(err, LORY_E_MEMORY, "out of memory");
        return NULL;
    }
    t->p = *p;
    t->bos = bos;
    bool ok = net_init(&t->n, s, vec_select(), err) && take_memory(t, err)
              && (t->team = team_new(n_threads, err)) != NULL;
    for (int i = 0; ok && i < n_threads; i++) ok = (t->work[i] = net_work_new(&t->n, err)) != NULL;
    if (!ok) {
        trainer_free(t);
        return NULL;
    }
    net_init_weights(&t->n, p->seed, t->w);
    return t;
}

void trainer_free(trainer *t)
{
    if (!t) return;
    team_free(t->team);
    for (int i = 0; i < TEAM_MAX; i++) net_work_free(t->work[i]);
    for (int i = 0; i < N_LANES; i++) mem_free(t->lane[i]);
    for (int i = 0; i < t->data.n; i++) data_free(&t->data.source[i]);
    data_pieces_free(&t->pieces);
    mem_free(t->win);
    mem_free(t->loss);
    mem_free(t->tokens);
    mem_free(t->starts);
    mem_free(t->squares);
    mem_free(t->w);
    net_free(&t->n);
    mem_free(t);
}

net_speed trainer_speed(const trainer *t)
{
    net_speed all = { 0 };
    for (int i = 0; i < TEAM_MAX && t->work[i]; i++) {
        const net_speed *s = &t->work[i]->speed;
        all.n_macs += s->n_macs;
        all.seconds += s->seconds;
        all.peak_macs += s->peak_macs;
        all.peak_seconds += s->peak_seconds;
    }
    return all;
}
