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

static bool check_dim(const char *name, int value, lory_err *err)
{
    if (value > 0 && value <= 1 << 20 && value % VEC_STEP == 0) return true;
    return err_set(err, LORY_E_ARGUMENT, "%s is %d, must be a multiple of %d up to %d", name, value,
                   VEC_STEP, 1 << 20);
}

bool net_shape_check(const llama_shape *s, lory_err *err)
{
    if (s->n_layer < 1 || s->n_layer > NET_MAX_LAYER)
        return err_set(err, LORY_E_ARGUMENT, "n_layer is %d, must be 1 .. %d", s->n_layer,
                       NET_MAX_LAYER);
    if (s->n_head < 1 || s->n_kv_head < 1 || s->n_head % s->n_kv_head != 0)
        return err_set(err, LORY_E_ARGUMENT, "%d heads can't share %d KV heads", s->n_head,
                       s->n_kv_head);
    if (s->n_embd % s->n_head != 0)
        return err_set(err, LORY_E_ARGUMENT, "n_embd %d is no multiple of %d heads", s->n_embd,
                       s->n_head);
    return check_dim("n_embd", s->n_embd, err)
           && check_dim("the width of a head", s->n_embd / s->n_head, err)
           && check_dim("n_ff", s->n_ff, err) && check_dim("the vocabulary", s->n_vocab, err)
           && check_dim("the context", s->n_ctx, err);
}

/* Matrices first, then the norms. */
static void lay_out(net *n)
{
    for (; llama_tensor_at(&n->s, n->n_tensor, &n->tensor[n->n_tensor]); n->n_tensor++) {
    }
    for (int is_norm = 0; is_norm < 2; is_norm++) {
        n->n_in_matrices = n->n_params;
        for (int i = 0; i < n->n_tensor; i++) {
            if ((n->tensor[i].n_rows == 0) != is_norm) continue;
            n->at[i] = n->n_params;
            n->n_params += n->tensor[i].n;
        }
    }
}

static void make_rotations(const net *n)
{
    float *cs = n->cos_sin;
    for (int it = 0; it < n->s.n_ctx; it++)
        for (int i = 0; i < n->head_dim; i += 2) {
            double angle = it * math_pow((double)n->s.rope_theta, -(double)i / n->head_dim);
            double sine, cosine;
            math_sin_cos(angle, &sine, &cosine);
            *cs++ = (float)cosine;
            *cs++ = (float)sine;
        }
}

bool net_init(net *n, const llama_shape *s, const vec_table *v, lory_err *err)
{
    *n = (net){ .s = *s, .v = v };
    if (!net_shape_check(s, err)) return false;
    n->head_dim = s->n_embd / s->n_head;
    n->n_kv = s->n_kv_head * n->head_dim;
    n->scale = 1.0f / sqrtf((float)n->head_dim);
    lay_out(n);
    n->cos_sin = mem_new((size_t)s->n_ctx * (size_t)n->head_dim, sizeof *n->cos_sin);
    if (!n->cos_sin) return err_set(err, LORY_E_MEMORY, "out of memory for the rotations");
    make_rotations(n);
    return true;
}

void net_free(net *n)
{
    mem_free(n->cos_sin);
    *n = (net){ 0 };
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

enum { BLOCK = 96, HEAD_BLOCK = 256 }; /* rows of attention scores, of logits, at once */

typedef struct {
    mat x;      /* [n_ctx, n_embd] what enters; of the layer after the last: what leaves */
    mat qkv;    /* [n_ctx, n_embd + 2 n_kv] rotated */
    mat a;      /* [n_ctx, n_embd] of attention */
    mat mid;    /* [n_ctx, n_embd] after attention */
    mat gu;     /* [n_ctx, 2 n_ff] gate, up */
    float *lse; /* [n_head, n_ctx] log of the sums of the softmax */
} layer_work;

struct net_work {
    const net *n;
    const net_place *win; /* the one at hand, */
    const net_dropout *drop;
    float *grad; /* [n_params] what the way back adds to; NULL = no way back */
    int il;      /* the layer at hand */
    void *block; /* all of the below */
    layer_work layer[NET_MAX_LAYER + 1];
    mat h;                     /* [n_ctx, n_embd] after a norm, */
    float *r;                  /* [n_ctx] with this factor */
    mat y;                     /* [n_ctx, n_embd] what a layer adds */
    mat s;                     /* [n_ctx, n_ff] after SwiGLU */
    mat logits;                /* [HEAD_BLOCK, n_vocab] */
    mat score, dscore;         /* [BLOCK, n_ctx] */
    mat dx, dh, dqkv, dgu, ds; /* gradients of x, h, qkv, gu, s */
    float *scratch;            /* of products */
    net_speed speed;
};

/* From row to row is an odd number of cache lines, so that a column does not fall into few sets of
 * the cache. */
static mat take(mem_carver *c, int m, int n)
{
    ptrdiff_t row = n + 16;
    return (mat){ mem_carve(c, (size_t)m * (size_t)row, sizeof(float)), m, n, row, 1 };
}

static void carve_work(mem_carver *c, net_work *k)
{
    const llama_shape *s = &k->n->s;
    int t = s->n_ctx, d = s->n_embd, qkv = d + 2 * k->n->n_kv, gu = 2 * s->n_ff;
    for (int il = 0; il < s->n_layer; il++)
        k->layer[il] = (layer_work){ .x = take(c, t, d),
                                     .qkv = take(c, t, qkv),
                                     .a = take(c, t, d),
                                     .mid = take(c, t, d),
                                     .gu = take(c, t, gu),
                                     .lse = take(c, s->n_head, t).x };
    k->layer[s->n_layer].x = take(c, t, d), k->dx = take(c, t, d), k->y = take(c, t, d);
    k->h = take(c, t, d), k->dh = take(c, t, d), k->r = take(c, 1, t).x;
    k->s = take(c, t, s->n_ff), k->ds = take(c, t, s->n_ff);
    k->dqkv = take(c, t, qkv), k->dgu = take(c, t, gu);
    k->logits = take(c, HEAD_BLOCK, s->n_vocab);
    k->score = take(c, BLOCK, t), k->dscore = take(c, BLOCK, t);
    k->scratch = mem_carve(c, VEC_SCRATCH, sizeof *k->scratch);
}

net_work *net_work_new(const net *n, lory_err *err)
{
    net_work *k = mem_new(1, sizeof *k);
    mem_carver c = { 0 };
    if (k) {
        k->n = n;
        carve_work(&c, k);
        k->block = c.at = mem_new(c.used, 1);
    }
    if (!k || !k->block) {
        err_set(err, LORY_E_MEMORY, "out of memory for a window: %zu bytes", c.used);
        mem_free(k);
        return NULL;
    }
    c.used = 0;
    carve_work(&c, k);
    return k;
}

void net_work_free(net_work *k)
{
    if (k) mem_free(k->block);
    mem_free(k);
}

/* ---- products, and their speed ------------------------------------------------------------ */

void net_take_speed(net_work *k, net_speed *sum)
{
    sum->n_macs += k->speed.n_macs;
    sum->seconds += k->speed.seconds;
    sum->peak_macs += k->speed.peak_macs;
    sum->peak_seconds += k->speed.peak_seconds;
    k->speed = (net_speed){ 0 };
}

static void measure_peak(net_work *k)
{
    double began = timer_thread();
    k->speed.peak_macs += kernels()->peak_f32(1 << 13);
    k->speed.peak_seconds += timer_thread() - began;
}

static void product(net_work *k, mat c, mat a, mat b, bool add)
{
    double began = timer_thread();
    k->n->v->product(c, a, b, add, k->scratch);
    k->speed.seconds += timer_thread() - began;
    k->speed.n_macs += (double)c.m * c.n * a.n;
}

/* The place of a tensor of the layer at hand; the last norm is the first tensor of the layer after
 * the last. */
static size_t at(const net_work *k, int which)
{
    return k->n->at[1 + k->il * LLAMA_A_LAYER + which];
}

/* y = x W^T, with the matrix W at `at`. */
static void linear(net_work *k, size_t w_at, mat x, mat y)
{
    const mat w = { k->n->w + w_at, y.n, x.n, x.n, 1 };
    product(k, y, x, mat_transposed(w), false);
}

/* dx = dy W, and dW += dy^T x. */
static void linear_back(net_work *k, size_t w_at, mat x, mat dy, mat dx)
{
    const mat w = { k->n->w + w_at, dy.n, x.n, x.n, 1 }, dw = { k->grad + w_at, dy.n, x.n, x.n, 1 };
    product(k, dx, dy, w, false);
    product(k, dw, mat_transposed(dy), x, true);
}

/* ---- attention, BLOCK queries of a head at once ------------------------------------------- */

/* What a block of queries has of the rows of q, k, v and of what comes of it, and its scores, or of
 * the gradients of these. The keys are those that any of the queries attends to. */
typedef struct {
    mat q, k, v, a, s;
} attention;

/* Of head ih, from query i0 on. */
static attention attention_at(const net_work *k, mat qkv, mat a, mat score, int ih, int i0)
{
    const net *n = k->n;
    int end = n->s.n_ctx - i0 < BLOCK ? n->s.n_ctx : i0 + BLOCK, d = n->head_dim;
    int lo = k->win[i0].start / VEC_STEP * VEC_STEP;
    int at_k = n->s.n_embd + ih / (n->s.n_head / n->s.n_kv_head) * d;
    return (attention){ .q = mat_part(qkv, i0, end - i0, ih * d, d),
                        .k = mat_part(qkv, lo, end - lo, at_k, d),
                        .v = mat_part(qkv, lo, end - lo, at_k + n->n_kv, d),
                        .a = mat_part(a, i0, end - i0, ih * d, d),
                        .s = mat_part(score, 0, end - i0, 0, end - lo) };
}

/* Sets what the queries from i0 on may not see of their keys. */
static void mask(const net_place *win, mat s, int i0, float value)
{
    int lo = i0 + s.m - s.n; /* the first key */
    for (int i = 0; i < s.m; i++) {
        float *x = mat_row(s, i);
        for (int j = lo; j < win[i0 + i].start; j++) x[j - lo] = value;
        for (int j = i0 + i + 1; j < i0 + s.m; j++) x[j - lo] = value;
    }
}

static void attend(net_work *k)
{
    const net *n = k->n;
    layer_work *l = &k->layer[k->il];
    for (int ih = 0; ih < n->s.n_head; ih++)
        for (int i0 = 0; i0 < n->s.n_ctx; i0 += BLOCK) {
            attention b = attention_at(k, l->qkv, l->a, k->score, ih, i0);
            product(k, b.s, b.q, mat_transposed(b.k), false);
            mask(k->win, b.s, i0, -INFINITY);
            n->v->softmax(b.s, n->scale, l->lse + ih * n->s.n_ctx + i0);
            product(k, b.a, b.s, b.v, false);
        }
}

/* From k->dh to k->dqkv; scores are not kept, but made again. */
static void attend_back(net_work *k)
{
    const net *n = k->n;
    const layer_work *l = &k->layer[k->il];
    memset(k->dqkv.x, 0, (size_t)(k->dqkv.m * k->dqkv.row) * sizeof(float));
    for (int ih = 0; ih < n->s.n_head; ih++)
        for (int i0 = 0; i0 < n->s.n_ctx; i0 += BLOCK) {
            attention b = attention_at(k, l->qkv, l->a, k->score, ih, i0),
                      d = attention_at(k, k->dqkv, k->dh, k->dscore, ih, i0);
            product(k, b.s, b.q, mat_transposed(b.k), false);
            n->v->softmax_again(b.s, n->scale, l->lse + ih * n->s.n_ctx + i0);
            mask(k->win, b.s, i0, 0.0f);
            product(k, d.v, mat_transposed(b.s), d.a, true);
            product(k, d.s, d.a, mat_transposed(b.v), false);
            n->v->softmax_back(b.s, b.a, d.a, n->scale, d.s);
            product(k, d.q, d.s, b.k, false);
            product(k, d.k, mat_transposed(d.s), b.q, true);
        }
}

/* ---- rotation, dropout -------------------------------------------------------------------- */

/* Rotates Q and K of every token; direction -1 is the way back. */
static void rotate(const net *n, mat qkv, float direction)
{
    for (int it = 0; it < qkv.m; it++)
        for (int j = 0; j < n->s.n_embd + n->n_kv; j += n->head_dim) {
            const float *cs = n->cos_sin + it * n->head_dim;
            float *x = mat_row(qkv, it) + j;
            for (int i = 0; i < n->head_dim; i += 2) {
                float a = x[i], b = x[i + 1], c = cs[i], s = direction * cs[i + 1];
                x[i] = a * c - b * s;
                x[i + 1] = a * s + b * c;
            }
        }
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

/* ---- there -------------------------------------------------------------------------------- */

static float *embedding(const net *n, float *w, lory_token id)
{
    return w + n->at[0] + (size_t)id * (size_t)n->s.n_embd;
}

static void embed(net_work *k)
{
    mat x = k->layer[0].x;
    for (int it = 0; it < x.m; it++)
        memcpy(mat_row(x, it), embedding(k->n, k->n->w, k->win[it].token),
               (size_t)x.n * sizeof *x.x);
    drop(k, 0, x, x);
}

/* k->h = the norm of x, whose weights are tensor `which`. */
static void norm(net_work *k, int which, mat x)
{
    k->n->v->norm(x, k->n->w + at(k, which), k->n->s.norm_eps, k->h, k->r);
}

/* to = from + what a matrix makes of x, some of it dropped: there are two in a layer. */
static void add_linear(net_work *k, int which, mat x, mat from, mat to)
{
    linear(k, at(k, which), x, k->y);
    drop(k, 2 * k->il + 1 + (which == LLAMA_DOWN), k->y, to);
    for (int i = 0; i < to.m; i++) kernels()->add(to.n, mat_row(from, i), mat_row(to, i));
}

static void layer_there(net_work *k)
{
    layer_work *l = &k->layer[k->il];
    norm(k, LLAMA_ATTN_NORM, l->x);
    linear(k, at(k, LLAMA_Q), k->h, l->qkv);
    rotate(k->n, l->qkv, 1.0f);
    attend(k);
    add_linear(k, LLAMA_OUT, l->a, l->x, l->mid);
    norm(k, LLAMA_FFN_NORM, l->mid);
    linear(k, at(k, LLAMA_GATE), k->h, l->gu);
    k->n->v->swiglu(l->gu, k->s);
    add_linear(k, LLAMA_DOWN, k->s, l->mid, l[1].x);
}

/* The logits of places become the gradient of their loss, which is added up. */
static void head_rows(const net *n, mat logits, const net_place *p, net_loss *sum)
{
    for (int i = 0; i < logits.m; i++, p++) {
        float *x = mat_row(logits, i), lse;
        if (p->target < 0) {
            memset(x, 0, (size_t)logits.n * sizeof *x);
            continue;
        }
        double wanted = x[p->target];
        n->v->softmax(mat_part(logits, i, 1, 0, logits.n), 1.0f, &lse);
        x[p->target] -= 1.0f;
        sum->loss += (double)lse - wanted;
        sum->n_targets++;
    }
}

/* Loss of all targets, from k->h; with k->grad also k->dh and the head's part of the gradient. */
static net_loss head(net_work *k)
{
    net_loss sum = { 0 };
    for (int i = 0; i < k->h.m; i += HEAD_BLOCK) {
        int m = k->h.m - i < HEAD_BLOCK ? k->h.m - i : HEAD_BLOCK;
        mat logits = mat_part(k->logits, 0, m, 0, k->logits.n), h = mat_part(k->h, i, m, 0, k->h.n),
            dh = mat_part(k->dh, i, m, 0, k->dh.n);
        linear(k, k->n->at[0], h, logits);
        head_rows(k->n, logits, k->win + i, &sum);
        if (k->grad) linear_back(k, k->n->at[0], h, logits, dh);
    }
    return sum;
}

/* ---- and back ----------------------------------------------------------------------------- */

/* k->dx += the gradient of a norm of x, from k->dh. */
static void norm_back(net_work *k, int which, mat x)
{
    k->n->v->norm_back(x, k->n->w + at(k, which), k->r, k->dh, k->dx, k->grad + at(k, which));
}

/* The gradient of x, which a matrix made something of that was added, from k->dx. */
static void add_linear_back(net_work *k, int which, mat x, mat dx)
{
    drop(k, 2 * k->il + 1 + (which == LLAMA_DOWN), k->dx, k->y);
    linear_back(k, at(k, which), x, k->y, dx);
}

/* From dy, of what the matrix `which` made of a norm of x, to k->dx. */
static void norm_linear_back(net_work *k, int norm_which, int which, mat x, mat dy)
{
    norm(k, norm_which, x);
    linear_back(k, at(k, which), k->h, dy, k->dh);
    norm_back(k, norm_which, x);
}

static void layer_back(net_work *k)
{
    const layer_work *l = &k->layer[k->il];
    k->n->v->swiglu(l->gu, k->s);
    add_linear_back(k, LLAMA_DOWN, k->s, k->ds);
    k->n->v->swiglu_back(l->gu, k->ds, k->dgu);
    norm_linear_back(k, LLAMA_FFN_NORM, LLAMA_GATE, l->mid, k->dgu);
    add_linear_back(k, LLAMA_OUT, l->a, k->dh);
    attend_back(k);
    rotate(k->n, k->dqkv, -1.0f);
    norm_linear_back(k, LLAMA_ATTN_NORM, LLAMA_Q, l->x, k->dqkv);
}

static void embed_back(net_work *k)
{
    drop(k, 0, k->dx, k->dx);
    for (int it = 0; it < k->dx.m; it++)
        kernels()->add(k->dx.n, mat_row(k->dx, it), embedding(k->n, k->grad, k->win[it].token));
}

net_loss net_run(net_work *k, const net_place *win, const net_dropout *rule, float *grad)
{
    const mat *last = &k->layer[k->n->s.n_layer].x;
    k->win = win, k->drop = rule, k->grad = grad;
    embed(k);
    for (k->il = 0; k->il < k->n->s.n_layer; k->il++) layer_there(k);
    norm(k, LLAMA_ATTN_NORM, *last);
    net_loss out = head(k);
    measure_peak(k); /* here, as its registers may take a while to be at full speed */
    if (!grad) return out;
    memset(k->dx.x, 0, (size_t)(k->dx.m * k->dx.row) * sizeof(float));
    norm_back(k, LLAMA_ATTN_NORM, *last);
    while (k->il-- > 0) layer_back(k);
    embed_back(k);
    return out;
}
