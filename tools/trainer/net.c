/* net.c - layout of the parameters, and one window through the net, there and back. */
#include "net.h"
#include "base/err.h"
#include "base/fmath.h"
#include "base/mem.h"
#include "base/rng.h"
#include "net_work.h"
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

static size_t take_vector(net *n, int n_cols)
{
    size_t at = n->n_params;
    n->n_params += (size_t)n_cols;
    return at;
}

static void lay_out(net *n)
{
    const net_shape *s = &n->s;
    n->head_dim = s->n_embd / s->n_head;
    n->n_q = s->n_embd;
    n->n_kv = s->n_kv_head * n->head_dim;
    n->embd = take_matrix(n, s->n_vocab, s->n_embd);
    for (int il = 0; il < s->n_layer; il++) {
        net_layer *l = &n->layer[il];
        l->qkv = take_matrix(n, n->n_q + 2 * n->n_kv, s->n_embd);
        l->out = take_matrix(n, s->n_embd, n->n_q);
        l->gate_up = take_matrix(n, 2 * s->n_ff, s->n_embd);
        l->down = take_matrix(n, s->n_embd, s->n_ff);
    }
    n->n_matrix = n->n_params;
    for (int il = 0; il < s->n_layer; il++) {
        n->layer[il].attn_norm = take_vector(n, s->n_embd);
        n->layer[il].ffn_norm = take_vector(n, s->n_embd);
    }
    n->out_norm = take_vector(n, s->n_embd);
}

/* Tensors of a layer: rows [row, row + n_rows) of one of its matrices, or a norm. */
static net_tensor layer_tensor(const net *n, int il, int i)
{
    const net_layer *l = &n->layer[il];
    int d = n->s.n_embd, f = n->s.n_ff;
    size_t kv = (size_t)n->n_kv * (size_t)d, q = (size_t)n->n_q * (size_t)d;
    const struct {
        const char *name;
        size_t at;
        int n_rows, n_cols;
    } t[] = {
        { "attn_norm", l->attn_norm, 0, d },
        { "attn_q", l->qkv.at, n->n_q, d },
        { "attn_k", l->qkv.at + q, n->n_kv, d },
        { "attn_v", l->qkv.at + q + kv, n->n_kv, d },
        { "attn_output", l->out.at, d, n->n_q },
        { "ffn_norm", l->ffn_norm, 0, d },
        { "ffn_gate", l->gate_up.at, f, d },
        { "ffn_up", l->gate_up.at + (size_t)f * (size_t)d, f, d },
        { "ffn_down", l->down.at, d, f },
    };
    net_tensor out = { "", t[i].at, t[i].n_rows, t[i].n_cols };
    snprintf(out.name, sizeof out.name, "blk.%d.%s.weight", il, t[i].name);
    return out;
}

bool net_tensor_at(const net *n, int i, net_tensor *t)
{
    enum { A_LAYER = 9 };
    int i_layer = (i - 1) / A_LAYER;
    if (i == 0)
        *t = (net_tensor){ "token_embd.weight", n->embd.at, n->s.n_vocab, n->s.n_embd };
    else if (i_layer < n->s.n_layer)
        *t = layer_tensor(n, i_layer, (i - 1) % A_LAYER);
    else if (i == 1 + n->s.n_layer * A_LAYER)
        *t = (net_tensor){ "output_norm.weight", n->out_norm, 0, n->s.n_embd };
    else
        return false;
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
    n->by_out = mem_new(n->n_matrix, sizeof *n->by_out);
    n->by_in = mem_new(n->n_matrix, sizeof *n->by_in);
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

static void init_matrix(const net_matrix *m, float gain, uint64_t seed, float *w)
{
    float deviation = gain / sqrtf((float)m->n_cols);
    size_t end = m->at + (size_t)m->n_rows * (size_t)m->n_cols;
    for (size_t i = m->at; i < end; i++) w[i] = deviation * normal_at(seed, i);
}

void net_init_weights(const net *n, uint64_t seed, float *w)
{
    float gain = 0.5f, residual = gain / sqrtf(2.0f * (float)n->s.n_layer);
    init_matrix(&n->embd, gain, seed, w);
    for (int il = 0; il < n->s.n_layer; il++) {
        init_matrix(&n->layer[il].qkv, gain, seed, w);
        init_matrix(&n->layer[il].out, residual, seed, w);
        init_matrix(&n->layer[il].gate_up, gain, seed, w);
        init_matrix(&n->layer[il].down, residual, seed, w);
    }
    for (size_t i = n->n_matrix; i < n->n_params; i++) w[i] = 1.0f;
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
    pack_matrix(n, &n->embd, ith, nth);
    for (int il = 0; il < n->s.n_layer; il++) {
        pack_matrix(n, &n->layer[il].qkv, ith, nth);
        pack_matrix(n, &n->layer[il].out, ith, nth);
        pack_matrix(n, &n->layer[il].gate_up, ith, nth);
        pack_matrix(n, &n->layer[il].down, ith, nth);
    }
}

/* ---- memory ------------------------------------------------------------------------------- */

static float *take(mem_carver *c, int n_rows, ptrdiff_t row)
{
    return mem_carve(c, (size_t)n_rows * (size_t)row, sizeof(float));
}

static void carve_layer(const net *n, mem_carver *c, layer_work *l)
{
    int t = n->s.n_ctx;
    layer_work w = {
        .x = take(c, t, row_of(n->s.n_embd)),
        .qkv = take(c, t, row_of(n->n_q + 2 * n->n_kv)),
        .a = take(c, t, row_of(n->n_q)),
        .lse = take(c, n->s.n_head, t),
        .mid = take(c, t, row_of(n->s.n_embd)),
        .gu = take(c, t, row_of(2 * n->s.n_ff)),
        .r_attn = take(c, 1, t),
        .r_ffn = take(c, 1, t),
    };
    if (l) *l = w;
}

static void carve_work(const net *n, mem_carver *c, bool with_gradient, net_work *k)
{
    int t = n->s.n_ctx, n_kept = with_gradient ? n->s.n_layer : 1;
    ptrdiff_t d = row_of(n->s.n_embd);
    k->layer = mem_carve(c, (size_t)n->s.n_layer, sizeof *k->layer);
    for (int il = 0; il < n_kept; il++) carve_layer(n, c, k->layer ? &k->layer[il] : NULL);
    for (int il = n_kept; k->layer && il < n->s.n_layer; il++) k->layer[il] = k->layer[0];
    k->x = take(c, t, d);
    k->h = take(c, t, d);
    k->y = take(c, t, d);
    k->s = take(c, t, row_of(n->s.n_ff));
    k->r_out = take(c, 1, t);
    k->logits = take(c, HEAD_BLOCK, row_of(n->s.n_vocab));
    k->kt = take(c, n->head_dim, row_of(t));
    k->vt = take(c, n->head_dim, row_of(t));
    k->score = take(c, QUERY_BLOCK, row_of(t));
    k->dscore = take(c, QUERY_BLOCK, row_of(t));
    if (!with_gradient) return;
    k->dx = take(c, t, d);
    k->dh = take(c, t, d);
    k->dqkv = take(c, t, row_of(n->n_q + 2 * n->n_kv));
    k->dgu = take(c, t, row_of(2 * n->s.n_ff));
    k->ds = take(c, t, row_of(n->s.n_ff));
}

net_work *net_work_new(const net *n, bool with_gradient, lory_err *err)
{
    net_work *k = mem_new(1, sizeof *k);
    mem_carver c = { 0 };
    if (k) {
        carve_work(n, &c, with_gradient, k);
        k->block = mem_new(c.used, 1);
    }
    if (!k || !k->block) {
        mem_free(k);
        err_set(err, LORY_E_MEMORY, "out of memory for a window: %zu bytes", c.used);
        return NULL;
    }
    c = (mem_carver){ .at = k->block };
    carve_work(n, &c, with_gradient, k);
    return k;
}

void net_work_free(net_work *k)
{
    if (k) mem_free(k->block);
    mem_free(k);
}

net_speed net_work_speed(const net_work *k)
{
    return k->speed;
}

/* Seconds of processor time that this thread took: what others take does not count. */
static double processor_time(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void measure_peak(const net *n, net_work *k)
{
    double began = processor_time();
    k->speed.peak_macs += n->v->spin(1 << 13, &k->spun);
    k->speed.peak_seconds += processor_time() - began;
}

void work_product(const net *n, net_work *k, const vec_product *p)
{
    double began = processor_time();
    n->v->product(p);
    k->speed.seconds += processor_time() - began;
    k->speed.n_macs += (double)p->m * p->n * p->k;
}

/* ---- parts of a layer --------------------------------------------------------------------- */

/* y = x W^T for m rows. */
static void linear(const net *n, net_work *k, const net_matrix *w, int m, const float *x, float *y)
{
    work_product(n, k,
                 &(vec_product){ .m = m,
                                 .n = w->n_rows,
                                 .k = w->n_cols,
                                 .a = x,
                                 .a_row = row_of(w->n_cols),
                                 .a_col = 1,
                                 .b = n->by_out + w->at,
                                 .b_panel = (ptrdiff_t)w->n_cols * VEC_PANEL,
                                 .b_row = VEC_PANEL,
                                 .c = y,
                                 .c_row = row_of(w->n_rows) });
}

/* dx = dy W, and dW (+)= dy^T x. */
static void linear_back(const net *n, net_work *k, const net_matrix *w, int m, const float *x,
                        const float *dy, float *dx, float *grad, bool is_first)
{
    work_product(n, k,
                 &(vec_product){ .m = m,
                                 .n = w->n_cols,
                                 .k = w->n_rows,
                                 .a = dy,
                                 .a_row = row_of(w->n_rows),
                                 .a_col = 1,
                                 .b = n->by_in + w->at,
                                 .b_panel = (ptrdiff_t)w->n_rows * VEC_PANEL,
                                 .b_row = VEC_PANEL,
                                 .c = dx,
                                 .c_row = row_of(w->n_cols) });
    work_product(n, k,
                 &(vec_product){ .m = w->n_rows,
                                 .n = w->n_cols,
                                 .k = m,
                                 .a = dy,
                                 .a_row = 1,
                                 .a_col = row_of(w->n_rows),
                                 .b = x,
                                 .b_panel = VEC_PANEL,
                                 .b_row = row_of(w->n_cols),
                                 .c = grad + w->at,
                                 .c_row = w->n_cols,
                                 .add = !is_first });
}

static void norm(const net *n, const float *x, size_t at, float *h, float *r)
{
    ptrdiff_t d = row_of(n->s.n_embd);
    for (int it = 0; it < n->s.n_ctx; it++)
        r[it] = n->v->rms_norm(n->s.n_embd, x + it * d, n->w + at, h + it * d, n->s.norm_eps);
}

/* dx += the gradient of the norm, from dh. */
static void norm_back(const net *n, const float *x, size_t at, const float *r, const float *dh,
                      float *dx, float *grad)
{
    ptrdiff_t d = row_of(n->s.n_embd);
    for (int it = 0; it < n->s.n_ctx; it++)
        n->v->rms_norm_back(n->s.n_embd, x + it * d, n->w + at, r[it], dh + it * d, dx + it * d,
                            grad + at);
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

static void swiglu_rows(const net *n, const float *gu, float *s)
{
    ptrdiff_t row = row_of(2 * n->s.n_ff);
    for (int it = 0; it < n->s.n_ctx; it++)
        n->v->swiglu(n->s.n_ff, gu + it * row, gu + it * row + n->s.n_ff,
                     s + it * row_of(n->s.n_ff));
}

/* ---- dropout ------------------------------------------------------------------------------ */

/* Multiplies row `it` of what place `site` adds by 0 or 1 / (1 - rate): 16 random bits an element,
 * a function of window, place, row and column. */
static void drop_row(const net_dropout *d, int site, int it, int n, float *x)
{
    uint32_t limit = (uint32_t)(d->rate * 65536.0f);
    float keep = 65536.0f / (float)(65536 - limit);
    for (int i = 0; i < n; i += 4) {
        uint64_t bits = rng_at(d->seed, d->position,
                               ((uint64_t)site << 48) + ((uint64_t)it << 24) + (uint64_t)i + 1);
        for (int j = 0; j < 4; j++, bits >>= 16) x[i + j] *= (bits & 0xffff) < limit ? 0.0f : keep;
    }
}

/* Row `it` of the embeddings, or of their gradient: a token that is not seen is 0. */
static void drop_embedding(const net_dropout *d, int it, int n, float *x)
{
    if (d->rate > 0.0f) drop_row(d, 0, it, n, x);
    if (d->token > 0.0f
        && rng_uniform_at(d->seed, d->position, (uint64_t)it << 24) < (double)d->token)
        memset(x, 0, (size_t)n * sizeof *x);
}

/* to = from + y, with some of y dropped. */
static void add_dropped(const net *n, const net_dropout *d, int site, const float *from, float *y,
                        float *to)
{
    ptrdiff_t row = row_of(n->s.n_embd);
    for (int it = 0; it < n->s.n_ctx; it++) {
        if (d->rate > 0.0f) drop_row(d, site, it, n->s.n_embd, y + it * row);
        if (to != from) memcpy(to + it * row, from + it * row, (size_t)n->s.n_embd * sizeof *to);
        n->v->add(n->s.n_embd, y + it * row, to + it * row);
    }
}

/* k->y = the gradient of what was added, from k->dx. */
static void dropped_back(const net *n, net_work *k, const net_dropout *d, int site)
{
    ptrdiff_t row = row_of(n->s.n_embd);
    for (int it = 0; it < n->s.n_ctx; it++) {
        memcpy(k->y + it * row, k->dx + it * row, (size_t)n->s.n_embd * sizeof *k->y);
        if (d->rate > 0.0f) drop_row(d, site, it, n->s.n_embd, k->y + it * row);
    }
}

/* ---- there -------------------------------------------------------------------------------- */

static void embed(const net *n, const net_window *win, const net_dropout *d, float *x)
{
    for (int it = 0; it < n->s.n_ctx; it++) {
        float *at = x + it * row_of(n->s.n_embd);
        memcpy(at, n->w + n->embd.at + (size_t)win->token[it] * (size_t)n->s.n_embd,
               (size_t)n->s.n_embd * sizeof *at);
        drop_embedding(d, it, n->s.n_embd, at);
    }
}

static void layer_forward(const net *n, net_work *k, int il, const net_window *win,
                          const net_dropout *d)
{
    const net_layer *p = &n->layer[il];
    layer_work *l = &k->layer[il];
    norm(n, l->x, p->attn_norm, k->h, l->r_attn);
    linear(n, k, &p->qkv, n->s.n_ctx, k->h, l->qkv);
    rotate(n, l->qkv, 1.0f);
    attend(n, k, l, win->start);
    linear(n, k, &p->out, n->s.n_ctx, l->a, k->y);
    add_dropped(n, d, 2 * il + 1, l->x, k->y, l->mid);
    norm(n, l->mid, p->ffn_norm, k->h, l->r_ffn);
    linear(n, k, &p->gate_up, n->s.n_ctx, k->h, l->gu);
    swiglu_rows(n, l->gu, k->s);
    linear(n, k, &p->down, n->s.n_ctx, k->s, k->y);
    float *next = il + 1 < n->s.n_layer ? k->layer[il + 1].x : k->x;
    add_dropped(n, d, 2 * il + 2, l->mid, k->y, next);
}

/* A row of logits becomes the gradient of its loss, which is returned. */
static double head_row(const net *n, float *logits, lory_token target)
{
    if (target < 0) {
        memset(logits, 0, (size_t)n->s.n_vocab * sizeof *logits);
        return 0.0;
    }
    float wanted = logits[target];
    float lse = n->v->softmax(n->s.n_vocab, logits, 1.0f);
    logits[target] -= 1.0f;
    return (double)lse - (double)wanted;
}

/* Loss of all targets, from k->h; with grad also k->dh and the head's part of the gradient. */
static net_loss head_loss(const net *n, net_work *k, const net_window *win, float *grad,
                          bool is_first)
{
    net_loss out = { 0 };
    ptrdiff_t d = row_of(n->s.n_embd);
    for (int i0 = 0; i0 < n->s.n_ctx; i0 += HEAD_BLOCK) {
        int m = n->s.n_ctx - i0 < HEAD_BLOCK ? n->s.n_ctx - i0 : HEAD_BLOCK;
        linear(n, k, &n->embd, m, k->h + i0 * d, k->logits);
        for (int i = 0; i < m; i++) {
            out.loss += head_row(n, k->logits + i * row_of(n->s.n_vocab), win->target[i0 + i]);
            out.n_targets += win->target[i0 + i] >= 0;
        }
        if (grad)
            linear_back(n, k, &n->embd, m, k->h + i0 * d, k->logits, k->dh + i0 * d, grad,
                        is_first && i0 == 0);
    }
    return out;
}

static net_loss run(const net *n, net_work *k, const net_window *win, const net_dropout *d,
                    float *grad, bool is_first)
{
    measure_peak(n, k);
    embed(n, win, d, k->layer[0].x);
    for (int il = 0; il < n->s.n_layer; il++) layer_forward(n, k, il, win, d);
    norm(n, k->x, n->out_norm, k->h, k->r_out);
    return head_loss(n, k, win, grad, is_first);
}

net_loss net_forward(const net *n, net_work *k, const net_window *win, const net_dropout *drop)
{
    return run(n, k, win, drop, NULL, false);
}

/* ---- and back ----------------------------------------------------------------------------- */

static void layer_back(const net *n, net_work *k, int il, const net_window *win,
                       const net_dropout *d, float *grad, bool is_first)
{
    const net_layer *p = &n->layer[il];
    layer_work *l = &k->layer[il];
    int t = n->s.n_ctx;
    dropped_back(n, k, d, 2 * il + 2);
    swiglu_rows(n, l->gu, k->s);
    linear_back(n, k, &p->down, t, k->s, k->y, k->ds, grad, is_first);
    ptrdiff_t row = row_of(2 * n->s.n_ff);
    for (int it = 0; it < t; it++)
        n->v->swiglu_back(n->s.n_ff, l->gu + it * row, l->gu + it * row + n->s.n_ff,
                          k->ds + it * row_of(n->s.n_ff), k->dgu + it * row,
                          k->dgu + it * row + n->s.n_ff);
    norm(n, l->mid, p->ffn_norm, k->h, l->r_ffn);
    linear_back(n, k, &p->gate_up, t, k->h, k->dgu, k->dh, grad, is_first);
    norm_back(n, l->mid, p->ffn_norm, l->r_ffn, k->dh, k->dx, grad);

    dropped_back(n, k, d, 2 * il + 1);
    linear_back(n, k, &p->out, t, l->a, k->y, k->dh, grad, is_first);
    attend_back(n, k, l, win->start);
    rotate(n, k->dqkv, -1.0f);
    norm(n, l->x, p->attn_norm, k->h, l->r_attn);
    linear_back(n, k, &p->qkv, t, k->h, k->dqkv, k->dh, grad, is_first);
    norm_back(n, l->x, p->attn_norm, l->r_attn, k->dh, k->dx, grad);
}

static void embed_back(const net *n, net_work *k, const net_window *win, const net_dropout *d,
                       float *grad)
{
    for (int it = 0; it < n->s.n_ctx; it++) {
        float *dx = k->dx + it * row_of(n->s.n_embd);
        drop_embedding(d, it, n->s.n_embd, dx);
        n->v->add(n->s.n_embd, dx,
                  grad + n->embd.at + (size_t)win->token[it] * (size_t)n->s.n_embd);
    }
}

net_loss net_gradient(const net *n, net_work *k, const net_window *win, const net_dropout *drop,
                      float *grad, bool is_first)
{
    if (is_first) memset(grad + n->n_matrix, 0, (n->n_params - n->n_matrix) * sizeof *grad);
    net_loss out = run(n, k, win, drop, grad, is_first);
    memset(k->dx, 0, (size_t)n->s.n_ctx * (size_t)row_of(n->s.n_embd) * sizeof *k->dx);
    norm_back(n, k->x, n->out_norm, k->r_out, k->dh, k->dx, grad);
    for (int il = n->s.n_layer; il-- > 0;) layer_back(n, k, il, win, drop, grad, is_first);
    embed_back(n, k, win, drop, grad);
    return out;
}
