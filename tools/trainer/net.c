/* net.c - layout of the parameters, and one window through the net, there and back. */
#include "net.h"
#include "base/err.h"
#include "base/fmath.h"
#include "base/mem.h"
#include "base/rng.h"
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* ---- layout ------------------------------------------------------------------------------- */

static bool check_dim(const char *name, int value, int multiple, lory_err *err)
{
    if (value > 0 && value <= 1 << 20 && value % multiple == 0) return true;
    return err_set(err, LORY_E_ARGUMENT, "%s is %d, must be a multiple of %d up to %d", name, value,
                   multiple, 1 << 20);
}

bool net_shape_check(const net_shape *s, lory_err *err)
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
    return check_dim("n_embd", s->n_embd, VEC_PANEL, err)
           && check_dim("the width of a head", s->n_embd / s->n_head, VEC_PANEL, err)
           && check_dim("n_ff", s->n_ff, VEC_PANEL, err)
           && check_dim("the vocabulary", s->n_vocab, VEC_PANEL, err)
           && check_dim("the context", s->n_ctx, VEC_PANEL, err);
}

static net_matrix take_matrix(net *n, int n_rows, int n_cols)
{
    net_matrix m = { n->n_params, n_rows, n_cols };
    n->n_params += (size_t)n_rows * (size_t)n_cols;
    return m;
}

static void lay_out(net *n)
{
    const net_shape *s = &n->s;
    n->head_dim = s->n_embd / s->n_head;
    n->n_q = s->n_embd;
    n->n_kv = s->n_kv_head * n->head_dim;
    n->embd = take_matrix(n, s->n_vocab, s->n_embd);
    for (int il = 0; il < s->n_layer; il++) {
        net_matrix *m = n->layer[il];
        m[NET_QKV] = take_matrix(n, n->n_q + 2 * n->n_kv, s->n_embd);
        m[NET_OUT] = take_matrix(n, s->n_embd, n->n_q);
        m[NET_GATE_UP] = take_matrix(n, 2 * s->n_ff, s->n_embd);
        m[NET_DOWN] = take_matrix(n, s->n_embd, s->n_ff);
    }
    n->n_in_matrices = n->n_params;
    n->n_params += (size_t)(2 * s->n_layer + 1) * (size_t)s->n_embd;
}

/* Norms: two a layer, before attention and before the feed-forward layer; the last one. */
static size_t norm_at(const net *n, int i)
{
    return n->n_in_matrices + (size_t)i * (size_t)n->s.n_embd;
}

/* Matrix i = 0, 1 ... in the order of the parameters; NULL at the end. */
static const net_matrix *matrix_at(const net *n, int i)
{
    int il = (i - 1) / NET_A_LAYER;
    if (i == 0) return &n->embd;
    return il < n->s.n_layer ? &n->layer[il][(i - 1) % NET_A_LAYER] : NULL;
}

bool net_tensor_at(const net *n, int i, net_tensor *t)
{
    int d = n->s.n_embd, f = n->s.n_ff, il = (i - 1) / 9;
    const net_matrix *m = n->layer[il < n->s.n_layer ? il : 0];
    size_t q = m[NET_QKV].at, k = q + (size_t)n->n_q * (size_t)d,
           v = k + (size_t)n->n_kv * (size_t)d, gate = m[NET_GATE_UP].at,
           up = gate + (size_t)f * (size_t)d;
    const net_tensor embd = { "token_embd", n->embd.at, 0, n->s.n_vocab, d },
                     last = { "output_norm", norm_at(n, 2 * n->s.n_layer), 0, 0, d },
                     of_layer[9] = {
                         { "attn_norm", norm_at(n, 2 * il), 0, 0, d },
                         { "attn_q", q, 0, n->n_q, d },
                         { "attn_k", k, 0, n->n_kv, d },
                         { "attn_v", v, 0, n->n_kv, d },
                         { "attn_output", m[NET_OUT].at, 0, d, n->n_q },
                         { "ffn_norm", norm_at(n, 2 * il + 1), 0, 0, d },
                         { "ffn_gate", gate, 0, f, d },
                         { "ffn_up", up, 0, f, d },
                         { "ffn_down", m[NET_DOWN].at, 0, d, f },
                     };
    if (i > n->s.n_layer * 9 + 1) return false;
    bool is_layer = i > 0 && il < n->s.n_layer;
    *t = i == 0 ? embd : is_layer ? of_layer[(i - 1) % 9] : last;
    t->n = (size_t)t->n_cols * (size_t)(t->n_rows ? t->n_rows : 1);
    char name[sizeof t->name];
    if (is_layer)
        snprintf(name, sizeof name, "blk.%d.%.32s.weight", il, t->name);
    else
        snprintf(name, sizeof name, "%.32s.weight", t->name);
    memcpy(t->name, name, sizeof name);
    return true;
}

static void make_rotations(const net *n)
{
    int half = n->head_dim / 2;
    for (int it = 0; it < n->s.n_ctx; it++)
        for (int i = 0; i < half; i++) {
            double angle = it * math_pow((double)n->s.rope_theta, -(double)i / half);
            n->cos_sin[(it * half + i) * 2] = (float)math_cos(angle);
            n->cos_sin[(it * half + i) * 2 + 1] = (float)math_sin(angle);
        }
}

bool net_init(net *n, const net_shape *s, const vec_table *v, lory_err *err)
{
    *n = (net){ .s = *s, .v = v };
    if (!net_shape_check(s, err)) return false;
    lay_out(n);
    n->by_out = mem_new(n->n_in_matrices, sizeof *n->by_out);
    n->by_in = mem_new(n->n_in_matrices, sizeof *n->by_in);
    n->cos_sin = mem_new((size_t)s->n_ctx * (size_t)n->head_dim, sizeof *n->cos_sin);
    if (!n->by_out || !n->by_in || !n->cos_sin) {
        net_free(n);
        return err_set(err, LORY_E_MEMORY, "out of memory for %zu parameters", n->n_params);
    }
    make_rotations(n);
    return true;
}

void net_free(net *n)
{
    mem_free(n->by_out);
    mem_free(n->by_in);
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
    const net_matrix *m;
    size_t at = 0;
    for (int i = 0; (m = matrix_at(n, i)); i++) {
        int which = (i - 1) % NET_A_LAYER;
        bool is_added = i > 0 && (which == NET_OUT || which == NET_DOWN); /* to the residual */
        float gain = is_added ? 0.5f / sqrtf(2.0f * (float)n->s.n_layer) : 0.5f;
        float deviation = gain / sqrtf((float)m->n_cols);
        size_t end = m->at + (size_t)m->n_rows * (size_t)m->n_cols;
        for (; at < end; at++) w[at] = deviation * normal_at(seed, at);
    }
    for (; at < n->n_params; at++) w[at] = 1.0f;
}

/* ---- packing ------------------------------------------------------------------------------ */

static void pack_matrix(const net *n, const net_matrix *m, int ith, int nth)
{
    const float *w = n->w + m->at;
    size_t n_cols = (size_t)m->n_cols, n_rows = (size_t)m->n_rows;
    for (size_t p = (size_t)ith; p < n_rows / VEC_PANEL; p += (size_t)nth) {
        float *out = n->by_out + m->at + p * VEC_PANEL * n_cols;
        for (size_t j = 0; j < VEC_PANEL; j++)
            for (size_t i = 0; i < n_cols; i++)
                out[i * VEC_PANEL + j] = w[(p * VEC_PANEL + j) * n_cols + i];
    }
    for (size_t p = (size_t)ith; p < n_cols / VEC_PANEL; p += (size_t)nth) {
        float *out = n->by_in + m->at + p * VEC_PANEL * n_rows;
        for (size_t i = 0; i < n_rows; i++)
            memcpy(out + i * VEC_PANEL, w + i * n_cols + p * VEC_PANEL, VEC_PANEL * sizeof *w);
    }
}

void net_pack(const net *n, int ith, int nth)
{
    const net_matrix *m;
    for (int i = 0; (m = matrix_at(n, i)); i++) pack_matrix(n, m, ith, nth);
}

/* ---- memory ------------------------------------------------------------------------------- */

static float *take(mem_carver *c, int n_rows, ptrdiff_t row)
{
    return mem_carve(c, (size_t)n_rows * (size_t)row, sizeof(float));
}

static void carve_work(const net *n, mem_carver *c, net_work *k)
{
    const net_shape *s = &n->s;
    int t = s->n_ctx;
    ptrdiff_t d = row_of(s->n_embd), qkv = row_of(n->n_q + 2 * n->n_kv), f = row_of(s->n_ff),
              gu = row_of(2 * s->n_ff);
    k->layer = mem_carve(c, (size_t)s->n_layer, sizeof *k->layer);
    for (int il = 0; il < s->n_layer; il++) {
        net_layer_work l = { .x = take(c, t, d),
                             .qkv = take(c, t, qkv),
                             .a = take(c, t, row_of(n->n_q)),
                             .lse = take(c, s->n_head, t),
                             .mid = take(c, t, d),
                             .gu = take(c, t, gu),
                             .r_attn = take(c, 1, t),
                             .r_ffn = take(c, 1, t) };
        if (k->layer) k->layer[il] = l;
    }
    k->x = take(c, t, d), k->dx = take(c, t, d);
    k->h = take(c, t, d), k->dh = take(c, t, d);
    k->s = take(c, t, f), k->ds = take(c, t, f);
    k->y = take(c, t, d), k->r_out = take(c, 1, t);
    k->dqkv = take(c, t, qkv), k->dgu = take(c, t, gu);
    k->logits = take(c, HEAD_BLOCK, row_of(s->n_vocab));
    k->kt = take(c, n->head_dim, row_of(t)), k->vt = take(c, n->head_dim, row_of(t));
    k->score = take(c, QUERY_BLOCK, row_of(t)), k->dscore = take(c, QUERY_BLOCK, row_of(t));
}

net_work *net_work_new(const net *n, lory_err *err)
{
    net_work *k = mem_new(1, sizeof *k);
    mem_carver c = { 0 };
    if (k) {
        carve_work(n, &c, k);
        k->block = c.at = mem_new(c.used, 1);
    }
    if (!k || !k->block) {
        err_set(err, LORY_E_MEMORY, "out of memory for a window: %zu bytes", c.used);
        mem_free(k);
        return NULL;
    }
    c.used = 0;
    k->n = n;
    carve_work(n, &c, k);
    return k;
}

void net_work_free(net_work *k)
{
    if (k) mem_free(k->block);
    mem_free(k);
}

/* Seconds of processor time that this thread took: what others take does not count. */
static double processor_time(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void measure_peak(net_work *k)
{
    double began = processor_time();
    k->speed.peak_macs += k->n->v->spin(1 << 13, &k->spun);
    k->speed.peak_seconds += processor_time() - began;
}

void net_product(net_work *k, const vec_product *p)
{
    double began = processor_time();
    k->n->v->product(p);
    k->speed.seconds += processor_time() - began;
    k->speed.n_macs += (double)p->m * p->n * p->k;
}

/* ---- parts of a layer --------------------------------------------------------------------- */

/* y = x W^T for m rows. */
static void linear(net_work *k, const net_matrix *w, int m, const float *x, float *y)
{
    const vec_rows a = { x, row_of(w->n_cols), 1 };
    const vec_panels b = { k->n->by_out + w->at, (ptrdiff_t)w->n_cols * VEC_PANEL, VEC_PANEL };
    net_product(k, &(vec_product){ m, w->n_rows, w->n_cols, a, b, y, row_of(w->n_rows), false });
}

/* dx = dy W, and dW = or += dy^T x. */
static void linear_back(net_work *k, const net_matrix *w, int m, const float *x, const float *dy,
                        float *dx)
{
    ptrdiff_t x_row = row_of(w->n_cols), y_row = row_of(w->n_rows);
    const vec_panels b = { k->n->by_in + w->at, (ptrdiff_t)w->n_rows * VEC_PANEL, VEC_PANEL };
    const vec_rows by_rows = { dy, y_row, 1 }, by_cols = { dy, 1, y_row };
    const vec_panels bx = { x, VEC_PANEL, x_row };
    float *dw = k->grad + w->at;
    net_product(k, &(vec_product){ m, w->n_cols, w->n_rows, by_rows, b, dx, x_row, false });
    net_product(
        k, &(vec_product){ w->n_rows, w->n_cols, m, by_cols, bx, dw, w->n_cols, !k->is_first });
}

/* k->h = the norm whose weights are at `at`, of x. */
static void norm(net_work *k, const float *x, size_t at, float *r)
{
    const net *n = k->n;
    ptrdiff_t d = row_of(n->s.n_embd);
    for (int it = 0; it < n->s.n_ctx; it++)
        r[it] = n->v->rms_norm(n->s.n_embd, x + it * d, n->w + at, k->h + it * d, n->s.norm_eps);
}

/* k->dx += its gradient, from k->dh. */
static void norm_back(net_work *k, const float *x, size_t at, const float *r)
{
    const net *n = k->n;
    ptrdiff_t d = row_of(n->s.n_embd);
    for (int it = 0; it < n->s.n_ctx; it++)
        n->v->rms_norm_back(n->s.n_embd, x + it * d, n->w + at, r[it], k->dh + it * d,
                            k->dx + it * d, k->grad + at);
}

/* Rotates Q and K of every token; direction -1 is the way back. */
static void rotate(const net *n, float *qkv, float direction)
{
    int half = n->head_dim / 2, n_heads = n->s.n_head + n->s.n_kv_head;
    ptrdiff_t row = row_of(n->n_q + 2 * n->n_kv);
    for (int it = 0; it < n->s.n_ctx; it++)
        for (int ih = 0; ih < n_heads; ih++) {
            const float *cs = n->cos_sin + it * n->head_dim;
            float *x = qkv + it * row + ih * n->head_dim;
            for (int i = 0; i < half; i++) {
                float c = cs[2 * i], s = direction * cs[2 * i + 1], a = x[2 * i], b = x[2 * i + 1];
                x[2 * i] = a * c - b * s;
                x[2 * i + 1] = a * s + b * c;
            }
        }
}

/* k->s from the gate and up of l. */
static void swiglu(net_work *k, const net_layer_work *l)
{
    int n_ff = k->n->s.n_ff;
    for (int it = 0; it < k->n->s.n_ctx; it++) {
        const float *gate = l->gu + it * row_of(2 * n_ff);
        k->n->v->swiglu(n_ff, gate, gate + n_ff, k->s + it * row_of(n_ff));
    }
}

/* k->dgu from k->ds. */
static void swiglu_back(net_work *k, const net_layer_work *l)
{
    int n_ff = k->n->s.n_ff;
    for (int it = 0; it < k->n->s.n_ctx; it++) {
        const float *gate = l->gu + it * row_of(2 * n_ff);
        float *dgate = k->dgu + it * row_of(2 * n_ff);
        k->n->v->swiglu_back(n_ff, gate, gate + n_ff, k->ds + it * row_of(n_ff), dgate,
                             dgate + n_ff);
    }
}

/* Multiplies row `it` of what place `site` adds by 0 or 1 / (1 - rate): 16 random bits an element,
 * a function of window, place, row and column. */
static void drop_row(const net_work *k, int site, int it, float *x)
{
    const net_dropout *d = k->drop;
    uint32_t limit = (uint32_t)(d->rate * 65536.0f);
    float keep = 65536.0f / (float)(65536 - limit);
    for (int i = 0; limit > 0 && i < k->n->s.n_embd; i += 4) {
        uint64_t bits = rng_at(d->seed, d->position,
                               ((uint64_t)site << 48) + ((uint64_t)it << 24) + (uint64_t)i + 1);
        for (int j = 0; j < 4; j++, bits >>= 16) x[i + j] *= (bits & 0xffff) < limit ? 0.0f : keep;
    }
}

/* to = from + k->y, with some of k->y dropped. */
static void add_dropped(net_work *k, int site, const float *from, float *to)
{
    const net *n = k->n;
    ptrdiff_t d = row_of(n->s.n_embd);
    for (int it = 0; it < n->s.n_ctx; it++) {
        drop_row(k, site, it, k->y + it * d);
        memcpy(to + it * d, from + it * d, (size_t)n->s.n_embd * sizeof *to);
        n->v->add(n->s.n_embd, k->y + it * d, to + it * d);
    }
}

/* k->y = the gradient of what was added, from k->dx. */
static void dropped_back(net_work *k, int site)
{
    ptrdiff_t d = row_of(k->n->s.n_embd);
    for (int it = 0; it < k->n->s.n_ctx; it++) {
        memcpy(k->y + it * d, k->dx + it * d, (size_t)k->n->s.n_embd * sizeof *k->y);
        drop_row(k, site, it, k->y + it * d);
    }
}

/* ---- there -------------------------------------------------------------------------------- */

static void embed(net_work *k)
{
    size_t d = (size_t)k->n->s.n_embd;
    for (int it = 0; it < k->n->s.n_ctx; it++) {
        float *x = k->layer[0].x + it * row_of(k->n->s.n_embd);
        memcpy(x, k->n->w + k->n->embd.at + (size_t)k->win->token[it] * d, d * sizeof *x);
        drop_row(k, 0, it, x);
    }
}

static void layer_there(net_work *k, int il)
{
    const net *n = k->n;
    const net_matrix *m = n->layer[il];
    net_layer_work *l = &k->layer[il];
    norm(k, l->x, norm_at(n, 2 * il), l->r_attn);
    linear(k, &m[NET_QKV], n->s.n_ctx, k->h, l->qkv);
    rotate(n, l->qkv, 1.0f);
    net_attend(k, l);
    linear(k, &m[NET_OUT], n->s.n_ctx, l->a, k->y);
    add_dropped(k, 2 * il + 1, l->x, l->mid);
    norm(k, l->mid, norm_at(n, 2 * il + 1), l->r_ffn);
    linear(k, &m[NET_GATE_UP], n->s.n_ctx, k->h, l->gu);
    swiglu(k, l);
    linear(k, &m[NET_DOWN], n->s.n_ctx, k->s, k->y);
    add_dropped(k, 2 * il + 2, l->mid, il + 1 < n->s.n_layer ? k->layer[il + 1].x : k->x);
}

/* A row of logits becomes the gradient of its loss, which is returned. */
static double head_row(const net *n, float *logits, lory_token target)
{
    if (target < 0) {
        memset(logits, 0, (size_t)n->s.n_vocab * sizeof *logits);
        return 0.0;
    }
    float wanted = logits[target], lse = n->v->softmax(n->s.n_vocab, logits, 1.0f);
    logits[target] -= 1.0f;
    return (double)lse - (double)wanted;
}

/* Loss of all targets, from k->h; with k->grad also k->dh and the head's part of the gradient. */
static net_loss head(net_work *k)
{
    const net *n = k->n;
    net_loss out = { 0 };
    ptrdiff_t d = row_of(n->s.n_embd);
    bool is_first = k->is_first;
    for (int i0 = 0; i0 < n->s.n_ctx; i0 += HEAD_BLOCK) {
        int m = n->s.n_ctx - i0 < HEAD_BLOCK ? n->s.n_ctx - i0 : HEAD_BLOCK;
        linear(k, &n->embd, m, k->h + i0 * d, k->logits);
        for (int i = 0; i < m; i++) {
            out.loss += head_row(n, k->logits + i * row_of(n->s.n_vocab), k->win->target[i0 + i]);
            out.n_targets += k->win->target[i0 + i] >= 0;
        }
        if (!k->grad) continue;
        linear_back(k, &n->embd, m, k->h + i0 * d, k->logits, k->dh + i0 * d);
        k->is_first = false; /* for the next rows */
    }
    k->is_first = is_first;
    return out;
}

/* ---- and back ----------------------------------------------------------------------------- */

static void layer_back(net_work *k, int il)
{
    const net *n = k->n;
    const net_matrix *m = n->layer[il];
    net_layer_work *l = &k->layer[il];
    dropped_back(k, 2 * il + 2);
    swiglu(k, l);
    linear_back(k, &m[NET_DOWN], n->s.n_ctx, k->s, k->y, k->ds);
    swiglu_back(k, l);
    norm(k, l->mid, norm_at(n, 2 * il + 1), l->r_ffn);
    linear_back(k, &m[NET_GATE_UP], n->s.n_ctx, k->h, k->dgu, k->dh);
    norm_back(k, l->mid, norm_at(n, 2 * il + 1), l->r_ffn);

    dropped_back(k, 2 * il + 1);
    linear_back(k, &m[NET_OUT], n->s.n_ctx, l->a, k->y, k->dh);
    net_attend_back(k, l);
    rotate(n, k->dqkv, -1.0f);
    norm(k, l->x, norm_at(n, 2 * il), l->r_attn);
    linear_back(k, &m[NET_QKV], n->s.n_ctx, k->h, k->dqkv, k->dh);
    norm_back(k, l->x, norm_at(n, 2 * il), l->r_attn);
}

static void embed_back(net_work *k)
{
    const net *n = k->n;
    for (int it = 0; it < n->s.n_ctx; it++) {
        float *dx = k->dx + it * row_of(n->s.n_embd);
        drop_row(k, 0, it, dx);
        n->v->add(n->s.n_embd, dx,
                  k->grad + n->embd.at + (size_t)k->win->token[it] * (size_t)n->s.n_embd);
    }
}

net_loss net_run(net_work *k, const net_window *win, const net_dropout *drop, float *grad,
                 bool is_first)
{
    const net *n = k->n;
    size_t last = norm_at(n, 2 * n->s.n_layer);
    k->win = win, k->drop = drop, k->grad = grad, k->is_first = is_first;
    measure_peak(k);
    embed(k);
    for (int il = 0; il < n->s.n_layer; il++) layer_there(k, il);
    norm(k, k->x, last, k->r_out);
    if (grad && is_first)
        memset(grad + n->n_in_matrices, 0, (n->n_params - n->n_in_matrices) * sizeof *grad);
    net_loss out = head(k);
    if (!grad) return out;
    memset(k->dx, 0, (size_t)n->s.n_ctx * (size_t)row_of(n->s.n_embd) * sizeof *k->dx);
    norm_back(k, k->x, last, k->r_out);
    for (int il = n->s.n_layer; il-- > 0;) layer_back(k, il);
    embed_back(k);
    return out;
}
