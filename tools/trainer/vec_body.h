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
    ROWS = 8 * TILE_ROWS, /* of a product at once, and */
    DEPTH = 128,          /* its columns: a panel of b then fits the first cache */
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

/* One tile, TILE_ROWS x TILE_COLS, k deep. Rows are reached from every fourth one, so that the
 * addresses need few registers; r is a_row, and a constant 1 when a lies by columns. */
INLINE void tile(int k, const float *a, ptrdiff_t r, ptrdiff_t a_col, const float *b,
                 ptrdiff_t b_row, float *c, ptrdiff_t c_row, bool add)
{
    vf acc[TILE_ROWS][2];
    UNROLL
    for (int i = 0; i < TILE_ROWS; i++) UNROLL
    for (int j = 0; j < 2; j++) acc[i][j] = add ? load(c + i * c_row + j * W) : (vf){ 0 };
    const float *p[(TILE_ROWS + 3) / 4];
    UNROLL
    for (int i = 0; i < (TILE_ROWS + 3) / 4; i++) p[i] = a + 4 * i * r;
    ptrdiff_t r3 = 3 * r;
    for (int l = 0; l < k; l++) {
        vf b0 = load(b), b1 = load(b + W);
        UNROLL
        for (int i = 0; i < TILE_ROWS; i++) {
            float x = i % 4 == 3 ? p[i / 4][r3] : p[i / 4][(i % 4) * r];
            acc[i][0] += x * b0;
            acc[i][1] += x * b1;
        }
        UNROLL
        for (int i = 0; i < (TILE_ROWS + 3) / 4; i++) p[i] += a_col;
        b += b_row;
    }
    UNROLL
    for (int i = 0; i < TILE_ROWS; i++) UNROLL
    for (int j = 0; j < 2; j++) store(c + i * c_row + j * W, acc[i][j]);
}

static __attribute__((noinline)) void tile_by_rows(int k, const float *a, ptrdiff_t a_row,
                                                   const float *b, ptrdiff_t b_row, float *c,
                                                   ptrdiff_t c_row, bool add)
{
    tile(k, a, a_row, 1, b, b_row, c, c_row, add);
}

static __attribute__((noinline)) void tile_by_cols(int k, const float *a, const float *b,
                                                   ptrdiff_t b_row, float *c, ptrdiff_t c_row,
                                                   bool add)
{
    tile(k, a, 1, TILE_ROWS, b, b_row, c, c_row, add);
}

/* Rows [i, i + n), columns [l, l + k) of a by columns, so that tiles read them in one stream; what
 * the last tile has too many becomes 0. */
static void pack_rows(const vec_product *p, int i, int n, int l, int k, float *out)
{
    for (int t = 0; t < n; t += TILE_ROWS) {
        const float *a = p->a.x + (i + t) * p->a.row + l * p->a.col;
        int m = n - t < TILE_ROWS ? n - t : TILE_ROWS;
        for (int c = 0; c < k; c++, out += TILE_ROWS) {
            if (m == TILE_ROWS && p->a.row == 1) {
                memcpy(out, a + c * p->a.col, TILE_ROWS * sizeof *out);
                continue;
            }
            for (int r = 0; r < TILE_ROWS; r++)
                out[r] = r < m ? a[r * p->a.row + c * p->a.col] : 0.0f;
        }
    }
}

/* The last rows, fewer than a tile has: c through a copy. */
static __attribute__((noinline)) void tile_edge(int m, int k, const float *a, const float *b,
                                                ptrdiff_t b_row, float *c, ptrdiff_t c_row,
                                                bool add)
{
    float out[TILE_ROWS * TILE_COLS] = { 0 };
    for (int i = 0; add && i < m; i++)
        memcpy(out + i * TILE_COLS, c + i * c_row, TILE_COLS * sizeof *c);
    tile_by_cols(k, a, b, b_row, out, TILE_COLS, true);
    for (int i = 0; i < m; i++) memcpy(c + i * c_row, out + i * TILE_COLS, TILE_COLS * sizeof *c);
}

/* Rows [i0, i1) by columns [l, l + k) of a: what stays in the caches while b goes by. */
static void product_block(const vec_product *p, int i0, int i1, int l, int k)
{
    float packed[ROWS * DEPTH];
    bool add = p->add || l > 0;
    int whole = p->a.col == 1 ? i0 + (i1 - i0) / TILE_ROWS * TILE_ROWS : i0; /* not packed */
    pack_rows(p, whole, i1 - whole, l, k, packed);
    for (int j = 0; j < p->n; j += TILE_COLS) {
        const float *b = p->b.x + j / VEC_PANEL * p->b.panel + j % VEC_PANEL + l * p->b.row;
        for (int i = i0; i < i1; i += TILE_ROWS) {
            float *c = p->c + i * p->c_row + j;
            const float *a = i < whole ? NULL : packed + (i - whole) * k;
            if (i < whole)
                tile_by_rows(k, p->a.x + i * p->a.row + l, p->a.row, b, p->b.row, c, p->c_row, add);
            else if (i1 - i < TILE_ROWS)
                tile_edge(i1 - i, k, a, b, p->b.row, c, p->c_row, add);
            else
                tile_by_cols(k, a, b, p->b.row, c, p->c_row, add);
        }
    }
}

static void product(const vec_product *p)
{
    for (int i = 0; i < p->m; i += ROWS)
        for (int l = 0; l < p->k; l += DEPTH)
            product_block(p, i, p->m - i < ROWS ? p->m : i + ROWS, l,
                          p->k - l < DEPTH ? p->k - l : DEPTH);
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

/* ---- rows; n is a multiple of 32 ----------------------------------------------------------- */

static float dot(int n, const float *a, const float *b)
{
    vf s = { 0 }, t = { 0 };
    for (int i = 0; i < n; i += 2 * W) {
        s += load(a + i) * load(b + i);
        t += load(a + i + W) * load(b + i + W);
    }
    return sum(s + t);
}

static float rms_norm(int n, const float *x, const float *w, float *y, float eps)
{
    float r = 1.0f / sqrtf(dot(n, x, x) / (float)n + eps);
    for (int i = 0; i < n; i += W) store(y + i, load(x + i) * r * load(w + i));
    return r;
}

static void rms_norm_back(int n, const float *x, const float *w, float r, const float *dy,
                          float *dx, float *dw)
{
    vf s = { 0 };
    for (int i = 0; i < n; i += W) s += load(x + i) * load(w + i) * load(dy + i);
    float mean = sum(s) * r * r * r / (float)n;
    for (int i = 0; i < n; i += W) {
        vf xi = load(x + i), d = load(dy + i);
        store(dx + i, load(dx + i) + (d * load(w + i) * r - xi * mean));
        store(dw + i, load(dw + i) + d * xi * r);
    }
}

static void swiglu(int n, const float *g, const float *u, float *y)
{
    for (int i = 0; i < n; i += W) {
        vf x = load(g + i);
        store(y + i, x / (1.0f + vexp(-x)) * load(u + i));
    }
}

static void swiglu_back(int n, const float *g, const float *u, const float *dy, float *dg,
                        float *du)
{
    for (int i = 0; i < n; i += W) {
        vf x = load(g + i), d = load(dy + i), s = 1.0f / (1.0f + vexp(-x));
        vf silu = x * s;
        store(dg + i, d * load(u + i) * (s + silu * (1.0f - s)));
        store(du + i, d * silu);
    }
}

static float softmax(int n, float *x, float scale)
{
    vf top = load(x);
    for (int i = W; i < n; i += W) {
        vf v = load(x + i);
        top = pick(v > top, v, top);
    }
    float max = top[0];
    for (int i = 1; i < W; i++) max = top[i] > max ? top[i] : max;
    max *= scale;
    vf s = { 0 };
    for (int i = 0; i < n; i += W) {
        vf e = vexp(load(x + i) * scale - max);
        store(x + i, e);
        s += e;
    }
    float total = sum(s), inverse = 1.0f / total;
    for (int i = 0; i < n; i += W) store(x + i, load(x + i) * inverse);
    return max + math_logf(total);
}

static void exp_minus(int n, float *p, float scale, float lse)
{
    for (int i = 0; i < n; i += W) store(p + i, vexp(load(p + i) * scale - lse));
}

static void softmax_back(int n, const float *p, float mean, float scale, float *ds)
{
    for (int i = 0; i < n; i += W) store(ds + i, load(p + i) * (load(ds + i) - mean) * scale);
}

static void add(int n, const float *x, float *y)
{
    for (int i = 0; i < n; i += W) store(y + i, load(y + i) + load(x + i));
}

static double sum_squares(int n, const float *x)
{
    double total = 0.0;
    for (int i = 0; i < n; i += 1024)
        total += (double)dot(n - i < 1024 ? n - i : 1024, x + i, x + i);
    return total;
}

INLINE vf vsqrt(vf x)
{
    UNROLL
    for (int i = 0; i < W; i++) x[i] = sqrtf(x[i]);
    return x;
}

static void adam(int n, const vec_adam_step *s, bool is_matrix, const float *g_, float *w_,
                 float *m_, float *v_, float *average)
{
    float decay = is_matrix ? s->lr * s->decay : 0.0f;
    for (int i = 0; i < n; i += W) {
        vf g = load(g_ + i) * s->scale, w = load(w_ + i);
        vf m = load(m_ + i) * s->beta1 + g * (1.0f - s->beta1);
        vf v = load(v_ + i) * s->beta2 + g * g * (1.0f - s->beta2);
        w = w - w * decay - s->lr * (m * s->bias1) / (vsqrt(v * s->bias2) + s->eps);
        store(m_ + i, m);
        store(v_ + i, v);
        store(w_ + i, w);
        store(average + i, load(average + i) * s->average_keep + w * (1.0f - s->average_keep));
    }
}

const vec_table VEC_TABLE = {
    VEC_NAME, product,   spin,         rms_norm, rms_norm_back, swiglu,      swiglu_back,
    softmax,  exp_minus, softmax_back, dot,      add,           sum_squares, adam,
};
