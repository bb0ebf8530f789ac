/* trainer.c - steps of training on a team of threads. */
#include "trainer.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/rng.h"
#include <math.h>
#include <stdatomic.h>
#include <string.h>

enum { CHUNK = 1 << 14 }; /* parameters: what threads share of the update */

/* What the draws are for. */
enum { FOR_SOURCE = 1, FOR_ORDER = 1000 };

struct trainer {
    net n;
    trainer_params p;
    trainer_state s;
    lory_token bos;
    team *team;
    net_work *work[TEAM_MAX];
    float *lane[N_LANES]; /* [n_params] gradients; lane 0 then holds the sum of all */
    int n_lanes;
    lory_token *tokens; /* [n_batch, 2, n_ctx] of the batch */
    int *starts;        /* [n_batch, n_ctx] */
    net_loss *loss;     /* [n_batch] */
    double *squares;    /* [n_chunks] of the gradient */
    size_t n_chunks;
    atomic_int next; /* lane, or window, to be worked on */
    bool is_changed; /* the packed copies are not of w */
    int n_windows;   /* of an evaluation's batch */
    vec_adam_step adam;
    double norm;
};

/* ---- windows ------------------------------------------------------------------------------ */

static data_window window_at(const trainer *t, int i)
{
    size_t n = (size_t)t->n.s.n_ctx, at = (size_t)i * n;
    return (data_window){ t->tokens + 2 * at, t->tokens + 2 * at + n, t->starts + at };
}

static net_window net_window_at(const trainer *t, int i)
{
    data_window w = window_at(t, i);
    return (net_window){ w.token, w.target, w.start };
}

/* The source of a window, by the weights. */
static int pick_source(const trainer *t, uint64_t window)
{
    double total = 0.0, u = rng_uniform_at(t->p.seed, window, FOR_SOURCE);
    for (int i = 0; i < t->s.n_sources; i++) total += t->s.source[i].weight;
    u *= total;
    for (int i = 0; i + 1 < t->s.n_sources; i++) {
        if (u < t->s.source[i].weight) return i;
        u -= t->s.source[i].weight;
    }
    return t->s.n_sources - 1;
}

static double learning_rate(const trainer_params *p, uint64_t step)
{
    if (step < (uint64_t)p->n_warmup) return p->lr * (double)(step + 1) / p->n_warmup;
    double left = (double)p->n_steps - p->n_warmup, done = (double)step - p->n_warmup;
    double share = left > 0 && done < left ? done / left : 1.0;
    return p->lr * (p->lr_end + (1.0 - p->lr_end) * 0.5 * (1.0 + cos(3.141592653589793 * share)));
}

static void take_windows(trainer *t)
{
    t->s.split.share = t->p.split * (float)learning_rate(&t->p, t->s.step) / t->p.lr;
    t->s.split.seed = t->p.seed;
    for (int i = 0; i < t->p.n_batch; i++) {
        int is = pick_source(t, t->s.window + (uint64_t)i);
        data_window w = window_at(t, i);
        data_next(&t->s.source[is], t->n.s.n_ctx, t->bos,
                  rng_at(t->p.seed, (uint64_t)is, FOR_ORDER),
                  t->p.split > 0.0f ? &t->s.split : NULL, &w);
    }
}

/* ---- a step ------------------------------------------------------------------------------- */

static void run_lanes(trainer *t, int ith)
{
    for (int il; (il = atomic_fetch_add(&t->next, 1)) < t->n_lanes;)
        for (int i = il; i < t->p.n_batch; i += t->n_lanes) {
            net_window win = net_window_at(t, i);
            net_dropout d = { t->p.dropout, t->p.drop_tokens, t->p.seed,
                              t->s.window + (uint64_t)i };
            t->loss[i] = net_gradient(&t->n, t->work[ith], &win, &d, t->lane[il], i == il);
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

static void prepare_update(trainer *t)
{
    int64_t n_targets = 0;
    double squares = 0.0, keep = t->p.average, n = (double)t->s.step + 1.0;
    for (int i = 0; i < t->p.n_batch; i++) n_targets += t->loss[i].n_targets;
    for (size_t i = 0; i < t->n_chunks; i++) squares += t->squares[i];
    double scale = n_targets > 0 ? 1.0 / (double)n_targets : 0.0;
    t->norm = sqrt(squares) * scale;
    if (t->p.clip > 0.0f && t->norm > t->p.clip) scale *= t->p.clip / t->norm;
    if (keep > n / (n + 9.0)) keep = n / (n + 9.0); /* the first weights are not worth much */
    t->adam = (vec_adam_step){
        .lr = (float)learning_rate(&t->p, t->s.step),
        .beta1 = t->p.beta1,
        .beta2 = t->p.beta2,
        .eps = t->p.eps,
        .bias1 = (float)(1.0 / (1.0 - pow(t->p.beta1, n))),
        .bias2 = (float)(1.0 / (1.0 - pow(t->p.beta2, n))),
        .decay = t->p.decay,
        .scale = (float)scale,
        .average_keep = t->p.average > 0.0f ? (float)keep : 0.0f,
    };
}

static void update(trainer *t, int ith, int nth)
{
    trainer_state *s = &t->s;
    for (size_t i = (size_t)ith; i < t->n_chunks; i += (size_t)nth) {
        size_t at = i * CHUNK;
        int n = chunk_size(t, i), n_matrix = at + (size_t)n <= t->n.n_matrix ? n
                                             : at < t->n.n_matrix ? (int)(t->n.n_matrix - at)
                                                                  : 0;
        t->n.v->adam(n_matrix, &t->adam, true, t->lane[0] + at, s->w + at, s->m + at, s->v + at,
                     s->average + at);
        at += (size_t)n_matrix;
        t->n.v->adam(n - n_matrix, &t->adam, false, t->lane[0] + at, s->w + at, s->m + at,
                     s->v + at, s->average + at);
    }
}

static void step_on_team(void *arg, int ith, int nth)
{
    trainer *t = arg;
    if (t->is_changed) {
        net_pack(&t->n, ith, nth);
        team_barrier(t->team);
    }
    run_lanes(t, ith);
    team_barrier(t->team);
    add_lanes(t, ith, nth);
    team_barrier(t->team);
    if (ith == 0) prepare_update(t);
    team_barrier(t->team);
    update(t, ith, nth);
    team_barrier(t->team);
    net_pack(&t->n, ith, nth);
}

void trainer_step(trainer *t, trainer_report *report)
{
    take_windows(t);
    t->n.w = t->s.w;
    atomic_store(&t->next, 0);
    team_run(t->team, step_on_team, t);
    t->is_changed = false;
    *report = (trainer_report){ .norm = t->norm, .lr = (double)t->adam.lr };
    for (int i = 0; i < t->p.n_batch; i++) {
        report->loss += t->loss[i].loss;
        report->n_targets += t->loss[i].n_targets;
    }
    if (report->n_targets > 0) report->loss /= (double)report->n_targets;
    t->s.step++;
    t->s.window += (uint64_t)t->p.n_batch;
}

/* ---- evaluation --------------------------------------------------------------------------- */

static void pack(void *arg, int ith, int nth)
{
    trainer *t = arg;
    net_pack(&t->n, ith, nth);
}

static void eval_windows(void *arg, int ith, int nth)
{
    trainer *t = arg;
    net_dropout none = { 0 };
    (void)nth;
    for (int i; (i = atomic_fetch_add(&t->next, 1)) < t->n_windows;) {
        net_window win = net_window_at(t, i);
        t->loss[i] = net_forward(&t->n, t->work[ith], &win, &none);
    }
}

void trainer_eval(trainer *t, const data_source *s, trainer_score *score)
{
    net_loss sum = { 0 };
    size_t i_doc = 0, offset = 0;
    t->n.w = t->p.average > 0.0f ? t->s.average : t->s.w;
    team_run(t->team, pack, t);
    do {
        for (t->n_windows = 0; t->n_windows < t->p.n_batch; t->n_windows++) {
            data_window w = window_at(t, t->n_windows);
            if (!data_next_in_order(s, t->n.s.n_ctx, t->bos, &i_doc, &offset, &w)) break;
        }
        atomic_store(&t->next, 0);
        team_run(t->team, eval_windows, t);
        for (int i = 0; i < t->n_windows; i++) {
            sum.loss += t->loss[i].loss;
            sum.n_targets += t->loss[i].n_targets;
        }
    } while (t->n_windows == t->p.n_batch);
    t->is_changed = true;
    *score = (trainer_score){ .n_targets = sum.n_targets };
    if (sum.n_targets > 0) score->loss = sum.loss / (double)sum.n_targets;
    if (s->n_bytes > 0) score->bits_per_byte = sum.loss / log(2.0) / (double)s->n_bytes;
}

/* ---- beginning and end -------------------------------------------------------------------- */

static bool check_params(const trainer_params *p, lory_err *err)
{
    if (p->n_batch < 1 || p->n_batch > MAX_BATCH)
        return err_set(err, LORY_E_ARGUMENT, "a batch of %d windows, must be 1 .. %d", p->n_batch,
                       MAX_BATCH);
    if (!(p->drop_tokens >= 0.0f && p->drop_tokens < 1.0f))
        return err_set(err, LORY_E_ARGUMENT, "the share of tokens dropped is %g, must be below 1",
                       (double)p->drop_tokens);
    if (!(p->dropout >= 0.0f && p->dropout < 1.0f))
        return err_set(err, LORY_E_ARGUMENT, "dropout is %g, must be below 1", (double)p->dropout);
    return true;
}

static bool take_memory(trainer *t, lory_err *err)
{
    size_t n = t->n.n_params, n_tokens = (size_t)t->p.n_batch * (size_t)t->n.s.n_ctx;
    t->n_chunks = (n + CHUNK - 1) / CHUNK;
    t->n_lanes = t->p.n_batch < N_LANES ? t->p.n_batch : N_LANES;
    t->tokens = mem_new(2 * n_tokens, sizeof *t->tokens);
    t->starts = mem_new(n_tokens, sizeof *t->starts);
    t->loss = mem_new((size_t)t->p.n_batch, sizeof *t->loss);
    t->squares = mem_new(t->n_chunks, sizeof *t->squares);
    t->s.w = mem_new(n, sizeof(float));
    t->s.m = mem_new(n, sizeof(float));
    t->s.v = mem_new(n, sizeof(float));
    t->s.average = mem_new(n, sizeof(float));
    bool ok = t->tokens && t->starts && t->loss && t->squares && t->s.w && t->s.m && t->s.v
              && t->s.average;
    for (int il = 0; ok && il < t->n_lanes; il++)
        ok = (t->lane[il] = mem_new(n, sizeof(float))) != NULL;
    return ok || err_set(err, LORY_E_MEMORY, "out of memory for %zu parameters", n);
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
    bool ok = check_params(p, err) && net_init(&t->n, s, vec_select(), err) && take_memory(t, err);
    ok = ok && (t->team = team_new(n_threads, err)) != NULL;
    for (int i = 0; ok && i < n_threads; i++)
        ok = (t->work[i] = net_work_new(&t->n, true, err)) != NULL;
    if (!ok) {
        trainer_free(t);
        return NULL;
    }
    net_init_weights(&t->n, p->seed, t->s.w);
    trainer_changed(t);
    return t;
}

void trainer_free(trainer *t)
{
    if (!t) return;
    team_free(t->team);
    for (int i = 0; i < TEAM_MAX; i++) net_work_free(t->work[i]);
    for (int i = 0; i < N_LANES; i++) mem_free(t->lane[i]);
    for (int i = 0; i < t->s.n_sources; i++) data_free(&t->s.source[i]);
    data_split_free(&t->s.split);
    mem_free(t->tokens);
    mem_free(t->starts);
    mem_free(t->loss);
    mem_free(t->squares);
    mem_free(t->s.w);
    mem_free(t->s.m);
    mem_free(t->s.v);
    mem_free(t->s.average);
    net_free(&t->n);
    mem_free(t);
}

net *trainer_net(trainer *t)
{
    return &t->n;
}

trainer_state *trainer_get_state(trainer *t)
{
    return &t->s;
}

void trainer_changed(trainer *t)
{
    t->is_changed = true;
}

net_speed trainer_speed(const trainer *t)
{
    net_speed all = { 0 };
    for (int i = 0; i < TEAM_MAX && t->work[i]; i++) {
        net_speed s = net_work_speed(t->work[i]);
        all.n_macs += s.n_macs;
        all.seconds += s.seconds;
        all.peak_macs += s.peak_macs;
        all.peak_seconds += s.peak_seconds;
    }
    return all;
}
