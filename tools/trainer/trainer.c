/* trainer.c - steps of training on a team of threads. */
#include "trainer.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/rng.h"
#include "kernels/kernel.h"
#include <math.h>
#include <string.h>

enum { CHUNK = 1 << 14 }; /* parameters: what threads share of the update */

/* What the draws are for. */
enum { FOR_SOURCE = 1, FOR_ORDER = 1000 };

/* The cosine's end as a share of the rate, the longest gradient, and how much of the average of the
 * weights a step keeps. */
static const float lr_end = 0.02f, clip = 1.0f, average_keep = 0.98f;

/* The source of a window, by the weights. */
static int pick_source(const trainer *t, uint64_t window)
{
    double total = 0.0, u = rng_uniform_at(t->p.seed, window, FOR_SOURCE);
    for (int i = 0; i < t->data.n; i++) total += t->data.source[i].weight;
    u *= total;
    int is = 0;
    while (is + 1 < t->data.n && u >= t->data.source[is].weight) u -= t->data.source[is++].weight;
    return is;
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
    t->rule.split = t->p.split * (float)learning_rate(&t->p, t->state.step) / t->p.lr;
    for (int i = 0; i < t->p.n_batch; i++) {
        int is = pick_source(t, t->state.window + (uint64_t)i);
        t->rule.order_seed = rng_at(t->p.seed, (uint64_t)is, FOR_ORDER);
        data_next(&t->data.source[is], &t->state.at[is], &t->rule, &t->win[i * t->n.s.n_ctx]);
    }
}

static float *lane(const trainer *t, int il)
{
    return t->adam.g + (size_t)il * t->n.n_params;
}

static void run_lanes(void *arg, int ith, int nth)
{
    trainer *t = arg;
    net_dropout d = { t->is_learning ? t->p.dropout : 0.0f, t->p.seed, 0 };
    (void)nth;
    for (int il; (il = atomic_fetch_add(&t->next, 1)) < t->n_lanes;) {
        float *grad = t->is_learning ? lane(t, il) : NULL;
        if (grad) memset(grad, 0, t->n.n_params * sizeof *grad);
        for (int i = il; i < t->n_windows; i += t->n_lanes) {
            d.position = t->state.window + (uint64_t)i;
            t->sums[i] = net_run(t->work[ith], &t->win[i * t->n.s.n_ctx], &d, grad);
        }
    }
}

/* The first n windows, by the weights w. */
static net_sums run(trainer *t, int n_windows, float *w, bool is_learning)
{
    net_sums sum = { 0 };
    t->n_windows = n_windows;
    t->n.w = w;
    t->is_learning = is_learning;
    atomic_store(&t->next, 0);
    team_run(t->team, run_lanes, t);
    for (int i = 0; i < n_windows; i++) net_add_sums(&sum, &t->sums[i]);
    return sum;
}

static size_t chunk_size(const trainer *t, size_t at)
{
    return t->n.n_params - at < CHUNK ? t->n.n_params - at : CHUNK;
}

static void add_lanes(void *arg, int ith, int nth)
{
    const trainer *t = arg;
    for (size_t at = (size_t)ith * CHUNK; at < t->n.n_params; at += (size_t)nth * CHUNK)
        for (int il = 1; il < t->n_lanes; il++)
            kernels()->add((int)chunk_size(t, at), lane(t, il) + at, t->adam.g + at);
}

static void prepare_update(trainer *t, double n_targets)
{
    double squares = 0.0, keep = average_keep, n = (double)t->state.step + 1.0;
    for (size_t at = 0; at < t->n.n_params; at += CHUNK)
        squares += t->n.v->sum_squares(chunk_size(t, at), t->adam.g + at);
    double scale = n_targets > 0 ? 1.0 / n_targets : 0.0;
    t->norm = sqrt(squares) * scale;
    if (t->norm > clip) scale *= clip / t->norm;
    if (keep > n / (n + 9.0)) keep = n / (n + 9.0); /* the first weights are not worth much */
    t->adam.lr = (float)learning_rate(&t->p, t->state.step);
    t->adam.bias1 = (float)(1.0 / (1.0 - pow(t->adam.beta1, n)));
    t->adam.bias2 = (float)(1.0 / (1.0 - pow(t->adam.beta2, n)));
    t->adam.scale = (float)scale;
    t->adam.average_keep = (float)keep;
}

static void update(void *arg, int ith, int nth)
{
    const trainer *t = arg;
    for (size_t at = (size_t)ith * CHUNK; at < t->n.n_params; at += (size_t)nth * CHUNK)
        t->n.v->adam(&t->adam, at, at + chunk_size(t, at));
}

net_sums trainer_step(trainer *t)
{
    take_windows(t);
    net_sums sum = run(t, t->p.n_batch, t->adam.w, true);
    team_run(t->team, add_lanes, t);
    prepare_update(t, sum.n_targets);
    team_run(t->team, update, t);
    t->state.step++;
    t->state.window += (uint64_t)t->p.n_batch;
    return sum;
}

net_sums trainer_eval(trainer *t, data_source *s)
{
    net_sums sum = { 0 };
    data_rule r = { .n_ctx = t->n.s.n_ctx, .bos = t->rule.bos, .in_order = true };
    data_place at = { 0 };
    int n;
    do {
        for (n = 0; n < t->p.n_batch && data_next(s, &at, &r, &t->win[n * t->n.s.n_ctx]);) n++;
        net_sums more = run(t, n, t->adam.average, false);
        net_add_sums(&sum, &more);
    } while (n == t->p.n_batch);
    return sum;
}

static bool take_memory(trainer *t, lory_err *err)
{
    size_t n = t->n.n_params;
    float *w = mem_new(4 + (size_t)t->n_lanes, n * sizeof *w);
    t->win = mem_new((size_t)t->p.n_batch, (size_t)t->n.s.n_ctx * sizeof *t->win);
    t->adam = (vec_adam){ .w = w, .n_decayed = t->n.n_in_matrices, .decay = t->p.decay };
    t->adam.beta1 = 0.9f, t->adam.beta2 = 0.99f, t->adam.eps = 1e-8f;
    if (!w || !t->win) return err_set(err, LORY_E_MEMORY, "out of memory for %zu parameters", n);
    t->adam.m = w + n, t->adam.v = w + 2 * n, t->adam.average = w + 3 * n, t->adam.g = w + 4 * n;
    return true;
}

static bool init(trainer *t, const llama_shape *s, int n_threads, lory_err *err)
{
    const char *isa = kernels_isa(err);
    if (t->rule.bos < 0) return err_set(err, LORY_E_FORMAT, "the vocabulary has no begin token");
    bool ok = isa && net_init(&t->n, s, vec_for(isa), err) && take_memory(t, err)
              && (t->team = team_new(n_threads, err)) != NULL;
    for (int i = 0; ok && i < n_threads; i++) ok = (t->work[i] = net_work_new(&t->n, err)) != NULL;
    if (ok) net_init_weights(&t->n, t->p.seed, t->adam.w);
    return ok;
}

trainer *trainer_new(const llama_shape *s, const trainer_params *p, lory_token bos, int n_threads,
                     lory_err *err)
{
    trainer *t = mem_new(1, sizeof *t);
    if (t) {
        t->p = *p;
        t->rule = (data_rule){ .n_ctx = s->n_ctx, .bos = bos, .split_seed = p->seed };
        t->n_lanes = p->n_batch < N_LANES ? p->n_batch : N_LANES;
    }
    if (t ? init(t, s, n_threads, err) : err_set(err, LORY_E_MEMORY, "out of memory")) return t;
    trainer_free(t);
    return NULL;
}

void trainer_free(trainer *t)
{
    if (!t) return;
    team_free(t->team);
    for (int i = 0; i < TEAM_MAX; i++) mem_free(t->work[i]);
    for (int i = 0; i < t->data.n; i++) data_free(&t->data.source[i]);
    for (int i = 0; i < t->held.n; i++) data_free(&t->held.source[i]);
    data_free_pieces(&t->rule);
    gguf_close(&t->vocab);
    mem_free(t->win);
    mem_free(t->adam.w);
    mem_free(t);
}
