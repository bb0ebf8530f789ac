/* The trainer of tools/train.c: gradients against finite differences, sums that do not depend on
 * threads, training that goes on where it stopped. */
#include "../tools/trainer/store.h"
#include "base/mem.h"
#include "base/rng.h"
#include "test.h"
#include <math.h>
#include <stdlib.h>

enum { N_CTX = 64, N_VOCAB = 64 };

static const net_shape small = { .n_embd = 64, .n_layer = 2, .n_head = 2, .n_kv_head = 1,
                                 .n_ff = 96, .n_vocab = N_VOCAB, .n_ctx = N_CTX,
                                 .rope_theta = 10000.0f, .norm_eps = 1e-5f };

/* A window of two texts, some tokens without a target. */
typedef struct {
    lory_token token[N_CTX], target[N_CTX];
    int start[N_CTX];
    net_window win;
} window;

static void make_window(window *w, uint64_t seed)
{
    for (int i = 0; i < N_CTX; i++) {
        w->token[i] = (lory_token)(rng_at(seed, (uint64_t)i, 1) % N_VOCAB);
        w->target[i] = i % 7 == 3 ? -1 : (lory_token)(rng_at(seed, (uint64_t)i, 2) % N_VOCAB);
        w->start[i] = i < 37 ? 0 : 37;
    }
    w->win = (net_window){ w->token, w->target, w->start };
}

typedef struct {
    net n;
    net_work *work;
    float *w, *grad;
} bench;

static bool bench_open(bench *b, const vec_table *v)
{
    lory_err err;
    if (!net_init(&b->n, &small, v, &err)) return false;
    b->work = net_work_new(&b->n, true, &err);
    b->w = mem_new(b->n.n_params, sizeof *b->w);
    b->grad = mem_new(b->n.n_params, sizeof *b->grad);
    net_init_weights(&b->n, 7, b->w);
    for (size_t i = 0; i < b->n.n_params; i++) /* larger than usual, so that all of it matters */
        b->w[i] = i < b->n.n_matrix ? 2.0f * b->w[i]
                                    : 1.0f + 0.3f * (float)rng_uniform_at(3, i, 0);
    net_pack(&b->n, b->w, 0, 1);
    return b->work && b->w && b->grad;
}

static void bench_close(bench *b)
{
    net_work_free(b->work);
    mem_free(b->w);
    mem_free(b->grad);
    net_free(&b->n);
}

/* The loss at w + step * direction, where the direction is +-1 in one tensor and 0 elsewhere. */
static double loss_beside(bench *b, const net_tensor *t, float step, const window *win,
                          const net_dropout *d)
{
    size_t n = (size_t)t->n_cols * (size_t)(t->n_rows ? t->n_rows : 1);
    float *w = mem_new(b->n.n_params, sizeof *w);
    memcpy(w, b->w, b->n.n_params * sizeof *w);
    for (size_t i = t->at; i < t->at + n; i++) w[i] += rng_at(5, i, 0) & 1 ? step : -step;
    net_pack(&b->n, w, 0, 1);
    double loss = net_forward(&b->n, b->work, &win->win, d).loss;
    net_pack(&b->n, b->w, 0, 1);
    mem_free(w);
    return loss;
}

static void check_gradients(const vec_table *v, float dropout)
{
    bench b = { 0 };
    window win;
    net_tensor t;
    net_dropout d = { dropout, 11, 5 };
    make_window(&win, 1);
    REQUIRE(bench_open(&b, v));
    net_gradient(&b.n, b.work, &win.win, &d, b.grad, true);
    for (int i = 0; net_tensor_at(&b.n, i, &t); i++) {
        size_t n = (size_t)t.n_cols * (size_t)(t.n_rows ? t.n_rows : 1);
        float step = 0.05f / sqrtf((float)n);
        double along = 0.0, size = 0.0;
        for (size_t k = t.at; k < t.at + n; k++) {
            along += rng_at(5, k, 0) & 1 ? b.grad[k] : -b.grad[k];
            size += (double)b.grad[k] * b.grad[k];
        }
        double slope = (loss_beside(&b, &t, step, &win, &d) - loss_beside(&b, &t, -step, &win, &d))
                       / (2.0 * step);
        CHECK(fabs(slope - along) < 2e-3 * sqrt(size * (double)n) / sqrt((double)n) + 2e-3 * fabs(slope),
              "%s, %s: %g along the gradient, %g by differences, norm %g", v->name, t.name, along,
              slope, sqrt(size));
    }
    bench_close(&b);
}

TEST(gradients_are_the_slopes_of_the_loss)
{
    check_gradients(vec_select(), 0.0f);
}

TEST(gradients_are_the_slopes_under_dropout)
{
    check_gradients(vec_select(), 0.25f);
}

TEST(gradients_are_the_slopes_in_the_baseline)
{
    check_gradients(&vec_baseline, 0.0f);
}
