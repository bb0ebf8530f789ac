/* vec_body.h - the functions of vec.h, for the instruction set of the file that includes this:
 * VEC_WIDTH floats a vector, TILE_ROWS rows of a product in registers, VEC_TABLE its table.
 * gcc's vector extension, so no intrinsics; fused multiply-adds where the set has them. */
#include "base/fmath.h"
#include "kernels/unroll.h"
#include "vec.h"
#include <math.h>
#include <string.h>

enum {
    W = VEC_WIDTH,
    TILE_COLS = 2 * W,
    DEPTH = 128, /* columns of a product's a at once: what they meet of b fits the first cache */
};
typedef float vf __attribute__((vector_size(4 * W)));
typedef int32_t vi __attribute__((vector_size(4 * W)));
typedef uint32_t vu __attribute__((vector_size(4 * W)));

INLINE vf load(const float *p)
{
    vf v;
    memcpy(&v, p, sizeof v);
    return v;
}
INLINE void store(float *p, vf v)
{
    memcpy(p, &v, sizeof v);
}
INLINE vf all(float x)
{
    return x - (vf){ 0 };
}
INLINE vf pick(vi mask, vf a, vf b)
{
    return (vf)(((vi)a & mask) | ((vi)b & ~mask));
}
INLINE float sum(vf v)
{
    float s = 0.0f;
    for (int i = 0; i < W; i++) s += v[i];
    return s;
}

/* math_expf of base/fmath.h, lane by lane. */
INLINE vf vexp(vf x)
{
    x = pick(x > all(MATH_EXP_MIN), x, all(MATH_EXP_MIN));
    x = pick(x < all(MATH_EXP_MAX), x, all(MATH_EXP_MAX));
    vf t = x * MATH_EXP_LOG2E + MATH_EXP_MAGIC, n = t - MATH_EXP_MAGIC;
    vf r = n * -MATH_LN2_LO + (n * -MATH_LN2_HI + x);
    vf h = (vf)((vu)t << 23);
    vf c = MATH_EXP_C7 * r + MATH_EXP_C6;
    c = c * r + MATH_EXP_C5;
    c = c * r + MATH_EXP_C4;
    c = c * r + MATH_EXP_C3;
    c = c * r + MATH_EXP_C2;
    vf m = (r * r) * c + r;
    return (m * 2.0f + 2.0f) * h;
}

/* ---- products ---------------------------------------------------------------------------- */

/* c = or += a b for TILE_ROWS x TILE_COLS of c; rows of b are VEC_STEP apart. Rows of a are reached
 * from every fourth one, so that the addresses need few registers. */
static __attribute__((noinline)) void tile(mat c, mat a, const float *b, bool add)
{
    vf acc[TILE_ROWS][2];
    const float *p[TILE_ROWS / 4];
    UNROLL
    for (int i = 0; i < TILE_ROWS; i++) UNROLL
    for (int j = 0; j < 2; j++) acc[i][j] = add ? load(mat_row(c, i) + j * W) : (vf){ 0 };
    UNROLL
    for (int i = 0; i < TILE_ROWS / 4; i++) p[i] = mat_row(a, 4 * i);
    ptrdiff_t row3 = 3 * a.row;
    for (int l = 0; l < a.n; l++, b += VEC_STEP) {
        vf b0 = load(b), b1 = load(b + W);
        UNROLL
        for (int i = 0; i < TILE_ROWS; i++) {
            float x = i % 4 == 3 ? p[i / 4][row3] : p[i / 4][(i % 4) * a.row];
            acc[i][0] += x * b0;
            acc[i][1] += x * b1;
        }
        UNROLL
        for (int i = 0; i < TILE_ROWS / 4; i++) p[i] += a.col;
    }
    UNROLL
    for (int i = 0; i < TILE_ROWS; i++) UNROLL
    for (int j = 0; j < 2; j++) store(mat_row(c, i) + j * W, acc[i][j]);
}

/* [DEPTH, VEC_STEP] of b, one row after another. */
static void pack(mat b, float *out)
{
    if (b.col == 1)
        for (int l = 0; l < b.m; l++)
            memcpy(out + l * VEC_STEP, mat_row(b, l), VEC_STEP * sizeof *out);
    else
        for (int l = 0; l < b.m; l += 8)
            for (int j = 0; j < VEC_STEP; j++)
                for (int i = l; i < l + 8; i++) out[i * VEC_STEP + j] = b.x[i + j * b.col];
}

static void product(mat c, mat a, mat b, bool add)
{
    float packed[DEPTH * VEC_STEP];
    for (int l = 0; l < a.n; l += DEPTH) {
        int k = a.n - l < DEPTH ? a.n - l : DEPTH;
        for (int j = 0; j < c.n; j += VEC_STEP) {
            pack(mat_part(b, l, k, j, VEC_STEP), packed);
            for (int i = 0; i < c.m; i += TILE_ROWS)
                for (int jt = 0; jt < VEC_STEP; jt += TILE_COLS)
                    tile(mat_part(c, i, TILE_ROWS, j + jt, TILE_COLS),
                         mat_part(a, i, TILE_ROWS, l, k), packed + jt, add || l > 0);
        }
    }
}

static double spin(int n, float *out)
{
    vf acc[16], a = all(0.999f), b = all(0.001f);
    UNROLL
    for (int i = 0; i < 16; i++) acc[i] = all((float)i);
    for (int l = 0; l < n; l++) {
        UNROLL
        for (int i = 0; i < 16; i++) acc[i] = acc[i] * a + b;
    }
    UNROLL
    for (int i = 0; i < 16; i++) b += acc[i];
    *out = b[0];
    return 16.0 * W * n;
}

/* ---- rows --------------------------------------------------------------------------------- */

INLINE float dot(size_t n, const float *a, const float *b)
{
    vf s = { 0 }, t = { 0 };
    for (size_t i = 0; i < n; i += 2 * W) {
        s += load(a + i) * load(b + i);
        t += load(a + i + W) * load(b + i + W);
    }
    return sum(s + t);
}

static void add(mat x, mat y, mat sum_)
{
    for (int i = 0; i < x.m; i++)
        for (int j = 0; j < x.n; j += W)
            store(mat_row(sum_, i) + j, load(mat_row(x, i) + j) + load(mat_row(y, i) + j));
}

static void norm(mat x_, const float *w, float eps, mat y_, float *r)
{
    for (int i = 0; i < x_.m; i++, r++) {
        float *x = mat_row(x_, i), *y = mat_row(y_, i);
        *r = 1.0f / sqrtf(dot((size_t)x_.n, x, x) / (float)x_.n + eps);
        for (int j = 0; j < x_.n; j += W) store(y + j, load(x + j) * *r * load(w + j));
    }
}

static void norm_back(mat x_, const float *w, const float *r_, mat dy_, mat dx_, float *dw)
{
    for (int i = 0; i < x_.m; i++) {
        float *x = mat_row(x_, i), *dy = mat_row(dy_, i), *dx = mat_row(dx_, i), r = r_[i];
        vf s = { 0 };
        for (int j = 0; j < x_.n; j += W) s += load(x + j) * load(w + j) * load(dy + j);
        float mean = sum(s) * r * r * r / (float)x_.n;
        for (int j = 0; j < x_.n; j += W) {
            vf xj = load(x + j), d = load(dy + j);
            store(dx + j, load(dx + j) + (d * load(w + j) * r - xj * mean));
            store(dw + j, load(dw + j) + d * xj * r);
        }
    }
}

static void swiglu(mat gu, mat y)
{
    for (int i = 0; i < y.m; i++)
        for (int j = 0; j < y.n; j += W) {
            const float *g = mat_row(gu, i) + j;
            vf x = load(g);
            store(mat_row(y, i) + j, x / (1.0f + vexp(-x)) * load(g + y.n));
        }
}

static void swiglu_back(mat gu, mat dy, mat dgu)
{
    for (int i = 0; i < dy.m; i++)
        for (int j = 0; j < dy.n; j += W) {
            const float *g = mat_row(gu, i) + j;
            float *dg = mat_row(dgu, i) + j;
            vf x = load(g), d = load(mat_row(dy, i) + j), s = 1.0f / (1.0f + vexp(-x));
            vf silu = x * s;
            store(dg, d * load(g + dy.n) * (s + silu * (1.0f - s)));
            store(dg + dy.n, d * silu);
        }
}

static void softmax(mat s_, float scale, float *lse)
{
    for (int i = 0; i < s_.m; i++) {
        float *s = mat_row(s_, i);
        vf top = load(s), total = { 0 };
        for (int j = W; j < s_.n; j += W) top = pick(load(s + j) > top, load(s + j), top);
        float max = top[0];
        for (int j = 1; j < W; j++) max = top[j] > max ? top[j] : max;
        max *= scale;
        for (int j = 0; j < s_.n; j += W) {
            vf e = vexp(load(s + j) * scale - max);
            store(s + j, e);
            total += e;
        }
        float whole = sum(total), inverse = 1.0f / whole;
        for (int j = 0; j < s_.n; j += W) store(s + j, load(s + j) * inverse);
        lse[i] = max + math_logf(whole);
    }
}

static void softmax_again(mat s, float scale, const float *lse)
{
    for (int i = 0; i < s.m; i++)
        for (int j = 0; j < s.n; j += W)
            store(mat_row(s, i) + j, vexp(load(mat_row(s, i) + j) * scale - lse[i]));
}

static void softmax_back(mat s, mat y, mat dy, float scale, mat ds)
{
    for (int i = 0; i < s.m; i++) {
        float *d = mat_row(ds, i), mean = dot((size_t)y.n, mat_row(dy, i), mat_row(y, i));
        for (int j = 0; j < s.n; j += W)
            store(d + j, load(mat_row(s, i) + j) * (load(d + j) - mean) * scale);
    }
}

/* ---- parameters --------------------------------------------------------------------------- */

static double sum_squares(size_t n, const float *x)
{
    double total = 0.0;
    for (size_t i = 0; i < n; i += 1024)
        total += (double)dot(n - i < 1024 ? n - i : 1024, x + i, x + i);
    return total;
}

INLINE vf vsqrt(vf x)
{
    UNROLL
    for (int i = 0; i < W; i++) x[i] = sqrtf(x[i]);
    return x;
}

static void adam(const vec_adam *s, size_t from, size_t to)
{
    for (size_t i = from; i < to; i += W) {
        float decay = i < s->n_decayed ? s->lr * s->decay : 0.0f;
        vf g = load(s->g + i) * s->scale, w = load(s->w + i);
        vf m = load(s->m + i) * s->beta1 + g * (1.0f - s->beta1);
        vf v = load(s->v + i) * s->beta2 + g * g * (1.0f - s->beta2);
        w = w - w * decay - s->lr * (m * s->bias1) / (vsqrt(v * s->bias2) + s->eps);
        store(s->m + i, m);
        store(s->v + i, v);
        store(s->w + i, w);
        vf average = load(s->average + i) * s->average_keep + w * (1.0f - s->average_keep);
        store(s->average + i, average);
    }
}

const vec_table VEC_TABLE = {
    VEC_NAME,    product, spin,          add,          norm,        norm_back, swiglu,
    swiglu_back, softmax, softmax_again, softmax_back, sum_squares, adam,
};
