/* net.c - layout of the parameters, and one window through the net, there and back. */
#include "net.h"
#include "base/err.h"
#include "base/fmath.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/timer.h"
#include "kernels/kernel.h"
#include <math.h>
#include <string.h>

/* ---- layout ------------------------------------------------------------------------------- */

static bool check(const char *name, int value, int step, int most, lory_err *err)
{
    if (value > 0 && value <= most && value % step == 0) return true;
    return err_set(err, LORY_E_ARGUMENT, "%s is %d, must be a multiple of %d up to %d", name, value,
                   step, most);
}

/* Matrices first, then the norms. */
static void lay_out(net *n)
{
    for (int is_norm = 0; is_norm < 2; is_norm++) {
        n->n_in_matrices = n->n_params;
        n->n_tensor = 0;
        for (int i = 0; llama_tensor_at(&n->s, i, &n->tensor[i]); i++, n->n_tensor++) {
            if ((n->tensor[i].n_rows == 0) != is_norm) continue;
            n->at[i] = n->n_params;
            n->n_params += n->tensor[i].n;
        }
    }
}

bool net_init(net *n, const llama_shape *s, const vec_table *v, lory_err *err)
{
    const int most = 1 << 20, most_heads = 1024;
    *n = (net){ .s = *s, .v = v };
    if (!check("n_layer", s->n_layer, 1, NET_MAX_LAYER, err)
        || !check("n_kv_head", s->n_kv_head, 1, most_heads, err)
        || !check("n_head", s->n_head, s->n_kv_head, most_heads, err)
        || !check("n_embd", s->n_embd, s->n_head * VEC_STEP, most, err)
        || !check("n_ff", s->n_ff, VEC_STEP, most, err)
        || !check("the vocabulary", s->n_vocab, VEC_STEP, most, err)
        || !check("the context", s->n_ctx, VEC_STEP, most, err))
        return false;
    n->head_dim = s->n_embd / s->n_head;
    n->n_kv = s->n_kv_head * n->head_dim;
    n->scale = 1.0f / sqrtf((float)n->head_dim);
    lay_out(n);
    return true;
}

/* A normal number at a place, by Box and Muller. */
static float normal_at(uint64_t seed, uint64_t position)
{
    double u = 1.0 - rng_uniform_at(seed, position, 0), v = rng_uniform_at(seed, position, 1);
    return (float)(sqrt(-2.0 * math_log(u)) * math_cos(6.283185307179586 * v));
}

void net_init_weights(const net *n, uint64_t seed, float *w)
{
    for (int i = 0; i < n->n_tensor; i++) {
        const llama_tensor *t = &n->tensor[i];
        int which = (i - 1) % LLAMA_A_LAYER;
        bool is_added = i > 0 && (which == LLAMA_OUT || which == LLAMA_DOWN); /* to the residual */
        float gain = is_added ? 0.5f / sqrtf(2.0f * (float)n->s.n_layer) : 0.5f;
        float deviation = gain / sqrtf((float)t->n_cols);
        for (size_t at = n->at[i]; at < n->at[i] + t->n; at++)
            w[at] = t->n_rows ? deviation * normal_at(seed, at) : 1.0f;
    }
}

/* ---- memory of a window ------------------------------------------------------------------- */

enum { BLOCK = 96 }; /* rows of attention scores at once */

/* A layer is two halves alike, attention and SwiGLU: what a matrix makes of a norm of x becomes u,
 * from that comes y, and what a matrix makes of it is added to x. */
enum { ATTENTION, SWIGLU };
typedef struct {
    mat x;   /* [n_ctx, n_embd] what enters; of the half after the last: what leaves */
    mat u;   /* [n_ctx, n_embd + 2 n_kv] q, k, v rotated; [n_ctx, 2 n_ff] gate, up */
    mat y;   /* [n_ctx, n_embd]; [n_ctx, n_ff] */
    mat lse; /* [n_head, n_ctx] of attention: log of the sums of the softmax */
} half;

struct net_work {
    const net *n;
    const net_place *win; /* the one at hand, */
    const net_dropout *drop;
    float *grad; /* [n_params] what the way back adds to; NULL = no way back */
    net_sums sums;
    int i; /* the half at hand */
    half half[2 * NET_MAX_LAYER + 1];
    mat h;             /* [n_ctx, n_embd] after a norm, */
    float *r;          /* [n_ctx] with this factor */
    mat logits;        /* [n_ctx, n_vocab] */
    mat score, dscore; /* [BLOCK, n_ctx] */
    mat dx, dh, ds;    /* gradients of x, h, and what is added to x; of u and y: */
    mat du[2], dy[2];
    mat rotation;   /* [2 n_ctx, head_dim] there, and back: cosines of a head's angles, sines */
    float *scratch; /* of products */
};

/* From row to row is an odd number of cache lines, so that a column does not fall into few sets of
 * the cache. */
static mat take(mem_carver *c, int m, int n)
{
    ptrdiff_t row = n + 16;
    return (mat){ mem_carve(c, (size_t)m * (size_t)row, sizeof(float)), m, n, row, 1 };
}

/* The block that begins with *k. */
static net_work *carve(mem_carver *c, net_work *k)
{
    const llama_shape *s = &k->n->s;
    const int t = s->n_ctx, d = s->n_embd, u[2] = { d + 2 * k->n->n_kv, 2 * s->n_ff },
              y[2] = { d, s->n_ff };
    net_work *block = mem_carve(c, 1, sizeof *k);
    for (int i = 0; i < 2 * s->n_layer; i++)
        k->half[i] = (half){ take(c, t, d), take(c, t, u[i % 2]), take(c, t, y[i % 2]),
                             take(c, s->n_head, t) };
    for (int i = 0; i < 2; i++) k->du[i] = take(c, t, u[i]), k->dy[i] = take(c, t, y[i]);
    k->half[2 * s->n_layer].x = take(c, t, d);
    k->h = take(c, t, d), k->r = take(c, 1, t).x;
    k->dx = take(c, t, d), k->dh = take(c, t, d), k->ds = take(c, t, d);
    k->logits = take(c, t, s->n_vocab);
    k->score = take(c, BLOCK, t), k->dscore = take(c, BLOCK, t);
    k->rotation = take(c, 2 * t, k->n->head_dim);
    k->scratch = mem_carve(c, VEC_SCRATCH, sizeof *k->scratch);
    return block;
}

/* The way back is by the angles of the other sign. */
static void make_rotations(net_work *k)
{
    const int n = k->n->s.n_ctx, d = k->n->head_dim;
    for (int it = 0; it < n; it++)
        for (int i = 0; i < d / 2; i++) {
            float *there = mat_row(k->rotation, it) + i, *back = mat_row(k->rotation, n + it) + i;
            double angle = it * math_pow((double)k->n->s.rope_theta, -2.0 * i / d), sine, cosine;
            math_sin_cos(angle, &sine, &cosine);
            there[0] = back[0] = (float)cosine;
            there[d / 2] = (float)sine;
            back[d / 2] = -there[d / 2];
        }
}

net_work *net_work_new(const net *n, lory_err *err)
{
    net_work k = { .n = n };
    mem_carver measured = { 0 };
    carve(&measured, &k);
    mem_carver c = { .at = mem_new(measured.used, 1) };
    if (!c.at) {
        err_set(err, LORY_E_MEMORY, "out of memory for a window: %zu bytes", measured.used);
        return NULL;
    }
    net_work *block = carve(&c, &k);
    make_rotations(&k);
    return memcpy(block, &k, sizeof k);
}

/* ---- products, and their speed ------------------------------------------------------------ */

void net_add_sums(net_sums *to, const net_sums *from)
{
    to->loss += from->loss;
    to->n_targets += from->n_targets;
    to->n_macs += from->n_macs;
    to->seconds += from->seconds;
    to->peak_macs += from->peak_macs;
    to->peak_seconds += from->peak_seconds;
}

static void measure_peak(net_sums *sums)
{
    double began = timer_thread();
    sums->peak_macs += kernels()->peak_f32(1 << 13);
    sums->peak_seconds += timer_thread() - began;
}

static void product(net_work *k, mat c, mat a, mat b, bool add)
{
    double began = timer_thread();
    k->n->v->product(c, a, b, add, k->scratch);
    k->sums.seconds += timer_thread() - began;
    k->sums.n_macs += (double)c.m * c.n * a.n;
}

/* The matrix [m, n] at `at` of the parameters, or of their gradient. */
static mat matrix(float *w, size_t at, int m, int n)
{
    return (mat){ w + at, m, n, n, 1 };
}

/* y = x W^T, with the matrix W at `at`. */
static void linear(net_work *k, size_t at, mat x, mat y)
{
    product(k, y, x, mat_transposed(matrix(k->n->w, at, y.n, x.n)), false);
}

/* dx = dy W, and dW += dy^T x. */
static void linear_back(net_work *k, size_t at, mat x, mat dy, mat dx)
{
    product(k, dx, dy, matrix(k->n->w, at, dy.n, x.n), false);
    product(k, matrix(k->grad, at, dy.n, x.n), mat_transposed(dy), x, true);
}

/* ---- attention, BLOCK queries of a head at once ------------------------------------------- */

/* What a block of queries has of the rows of q, k, v and of what comes of it, and its scores, or of
 * the gradients of these. The keys are those that any of the queries attends to. */
typedef struct {
    mat q, k, v, y, s;
} block;

/* Of head ih, from query i0 on. */
static block block_at(const net_work *k, mat qkv, mat y, mat score, int ih, int i0)
{
    const net *n = k->n;
    int end = n->s.n_ctx - i0 < BLOCK ? n->s.n_ctx : i0 + BLOCK, d = n->head_dim;
    int lo = k->win[i0].start / VEC_STEP * VEC_STEP;
    int at_k = n->s.n_embd + ih / (n->s.n_head / n->s.n_kv_head) * d;
    return (block){ .q = mat_part(qkv, i0, end - i0, ih * d, d),
                    .k = mat_part(qkv, lo, end - lo, at_k, d),
                    .v = mat_part(qkv, lo, end - lo, at_k + n->n_kv, d),
                    .y = mat_part(y, i0, end - i0, ih * d, d),
                    .s = mat_part(score, 0, end - i0, 0, end - lo) };
}

/* Its scores, -INFINITY where a query may not see a key. */
static void score(net_work *k, const block *b, int i0)
{
    int lo = i0 + b->s.m - b->s.n; /* the first key */
    product(k, b->s, b->q, mat_transposed(b->k), false);
    for (int i = 0; i < b->s.m; i++) {
        float *x = mat_row(b->s, i);
        for (int j = lo; j < k->win[i0 + i].start; j++) x[j - lo] = -INFINITY;
        for (int j = i0 + i + 1; j < i0 + b->s.m; j++) x[j - lo] = -INFINITY;
    }
}

/* From h->u to h->y; back, when there is a gradient dy of that, to du. Scores are not kept, but
 * made again. */
static void attend(net_work *k, const half *h, bool back)
{
    const net *n = k->n;
    for (int ih = 0; ih < n->s.n_head; ih++)
        for (int i0 = 0; i0 < n->s.n_ctx; i0 += BLOCK) {
            float *lse = mat_row(h->lse, ih) + i0;
            block b = block_at(k, h->u, h->y, k->score, ih, i0),
                  d = block_at(k, k->du[ATTENTION], k->dy[ATTENTION], k->dscore, ih, i0);
            score(k, &b, i0);
            if (!back) {
                n->v->softmax(b.s, n->scale, lse);
                product(k, b.y, b.s, b.v, false);
                continue;
            }
            n->v->softmax_again(b.s, n->scale, lse);
            product(k, d.v, mat_transposed(b.s), d.y, true);
            product(k, d.s, d.y, mat_transposed(b.v), false);
            n->v->softmax_back(b.s, b.y, d.y, n->scale, d.s);
            product(k, d.q, d.s, b.k, false);
            product(k, d.k, mat_transposed(d.s), b.q, true);
        }
}

/* Rotates Q and K of every token. */
static void rotate(const net_work *k, mat qkv, bool back)
{
    const net *n = k->n;
    for (int it = 0; it < qkv.m; it++)
        kernels()->rope(n->s.n_head + n->s.n_kv_head, n->head_dim, n->head_dim, false,
                        mat_row(k->rotation, back * n->s.n_ctx + it), mat_row(qkv, it));
}

/* ---- rows --------------------------------------------------------------------------------- */

static void clear(mat a)
{
    memset(a.x, 0, (size_t)(a.m * a.row) * sizeof *a.x);
}

/* Each element of what place `site` adds is multiplied by 0 or 1 / (1 - rate): 16 random bits each,
 * a function of window, place, row and column. */
static void drop(const net_work *k, int site, mat from, mat to)
{
    uint32_t limit = (uint32_t)(k->drop->rate * 65536.0f);
    float keep = 65536.0f / (float)(65536 - limit);
    for (int it = 0; it < from.m; it++)
        for (int i = 0; i < from.n; i += 4) {
            uint64_t place = ((uint64_t)site << 48) + ((uint64_t)it << 24) + (uint64_t)i + 1,
                     bits = limit ? rng_at(k->drop->seed, k->drop->position, place) : 0;
            const float *x = mat_row(from, it) + i;
            float *y = mat_row(to, it) + i;
            for (int j = 0; j < 4; j++, bits >>= 16)
                y[j] = x[j] * ((bits & 0xffff) < limit ? 0.0f : keep);
        }
}

static float *embedding(const net_work *k, float *w, int it)
{
    return w + k->n->at[0] + (ptrdiff_t)k->win[it].token * k->n->s.n_embd;
}

/* ---- there, and back ---------------------------------------------------------------------- */

/* The place of a tensor of the half at hand. Behind the last one comes the last norm. */
enum { NORM, IN, OUT };
static size_t at(const net_work *k, int which)
{
    static const int tensor[2][3] = { { LLAMA_ATTN_NORM, LLAMA_Q, LLAMA_OUT },
                                      { LLAMA_FFN_NORM, LLAMA_GATE, LLAMA_DOWN } };
    return k->n->at[1 + k->i / 2 * LLAMA_A_LAYER + tensor[k->i % 2][which]];
}

/* k->h = the norm of the half's x. */
static void norm(net_work *k)
{
    k->n->v->norm(k->half[k->i].x, k->n->w + at(k, NORM), k->n->s.norm_eps, k->h, k->r);
}

/* k->dx += its gradient, from k->dh. */
static void norm_back(net_work *k)
{
    k->n->v->norm_back(k->half[k->i].x, k->n->w + at(k, NORM), k->r, k->dh, k->dx,
                       k->grad + at(k, NORM));
}

static void half_there(net_work *k)
{
    const half *h = &k->half[k->i], *next = h + 1;
    norm(k);
    linear(k, at(k, IN), k->h, h->u);
    if (k->i % 2 == ATTENTION) {
        rotate(k, h->u, false);
        attend(k, h, false);
    } else {
        k->n->v->swiglu(h->u, h->y);
    }
    linear(k, at(k, OUT), h->y, next->x);
    drop(k, k->i + 1, next->x, next->x);
    for (int i = 0; i < h->x.m; i++) kernels()->add(h->x.n, mat_row(h->x, i), mat_row(next->x, i));
}

/* From k->dx of what leaves to that of what enters. */
static void half_back(net_work *k)
{
    const half *h = &k->half[k->i];
    mat du = k->du[k->i % 2], dy = k->dy[k->i % 2];
    drop(k, k->i + 1, k->dx, k->ds);
    linear_back(k, at(k, OUT), h->y, k->ds, dy);
    if (k->i % 2 == ATTENTION) {
        clear(du);
        attend(k, h, true);
        rotate(k, du, true);
    } else {
        k->n->v->swiglu_back(h->u, dy, du);
    }
    norm(k);
    linear_back(k, at(k, IN), k->h, du, k->dh);
    norm_back(k);
}

/* The loss, from k->h. The logits become its gradient; with k->grad also k->dh and the head's part
 * of the gradient. */
static void head(net_work *k)
{
    linear(k, k->n->at[0], k->h, k->logits);
    for (int it = 0; it < k->h.m; it++) {
        int target = k->win[it].target;
        mat row = mat_part(k->logits, it, 1, 0, k->logits.n);
        if (target < 0) {
            clear(row);
            continue;
        }
        float wanted = row.x[target], lse;
        k->n->v->softmax(row, 1.0f, &lse);
        row.x[target] -= 1.0f;
        k->sums.loss += (double)lse - (double)wanted;
        k->sums.n_targets++;
    }
    if (k->grad) linear_back(k, k->n->at[0], k->h, k->logits, k->dh);
}

static void there(net_work *k)
{
    mat x = k->half[0].x;
    for (int it = 0; it < x.m; it++)
        memcpy(mat_row(x, it), embedding(k, k->n->w, it), (size_t)x.n * sizeof *x.x);
    drop(k, 0, x, x);
    for (k->i = 0; k->i < 2 * k->n->s.n_layer; k->i++) half_there(k);
    norm(k);
    head(k);
}

static void back(net_work *k)
{
    clear(k->dx);
    norm_back(k);
    while (k->i-- > 0) half_back(k);
    drop(k, 0, k->dx, k->dx);
    for (int it = 0; it < k->dx.m; it++)
        kernels()->add(k->dx.n, mat_row(k->dx, it), embedding(k, k->grad, it));
}

net_sums net_run(net_work *k, const net_place *win, const net_dropout *rule, float *grad)
{
    k->win = win, k->drop = rule, k->grad = grad;
    k->sums = (net_sums){ 0 };
    there(k);
    measure_peak(&k->sums); /* here, as its registers may take a while to be at full speed */
    if (grad) back(k);
    return k->sums;
}
