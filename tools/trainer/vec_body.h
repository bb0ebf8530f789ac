/* vec_body.h - the functions of vec.h, for the instruction set of the file that includes this:
 * VEC_WIDTH floats a vector, VEC_TABLE its table.
 * gcc's vector extension, so no intrinsics; fused multiply-adds where the set has them. */
#include "base/fmath.h"
#include "kernels/unroll.h"
#include "vec.h"
#include <math.h>
#include <string.h>

enum {
    W = VEC_WIDTH,
    TILE_ROWS = W == 16 ? 12 : 6, /* of a product in registers: AVX-512 has twice as many */
    /* Of a product at once: rows and columns of a, columns of b; they fit the second cache. Packed
     * rows and panels are apart by an odd number of cache lines. Slower: tiles of 8 rows, of 4 for
     * AVX2 (15 %); a whose columns are rows in memory as it is (3 %). */
    ROWS = 96,
    DEPTH = 256,
    COLS = 256,
    ROWS_APART = ROWS + 16,
    PANEL = DEPTH * VEC_STEP + 16,
};
_Static_assert(COLS / VEC_STEP * PANEL + DEPTH * ROWS_APART <= VEC_SCRATCH, "fits");
typedef float vf __attribute__((vector_size(4 * W), aligned(4), may_alias));
typedef float v4 __attribute__((vector_size(16), aligned(4), may_alias));
typedef int32_t vi __attribute__((vector_size(4 * W)));
typedef uint32_t vu __attribute__((vector_size(4 * W)));

INLINE vf *row_of(mat a, int i)
{
    return (vf *)mat_row(a, i);
}
INLINE int least(int a, int b)
{
    return a < b ? a : b;
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

/* c = or += a b for two vectors of TILE_ROWS rows, the first `skip` of which stay as they are; b is
 * in a panel. Rows of a are reached from every fourth one, so that the addresses need few
 * registers. */
static __attribute__((noinline)) void tile(const mat *c, const mat *a, const float *b, bool add,
                                           int skip)
{
    vf acc[TILE_ROWS][2];
    const float *p[(TILE_ROWS + 3) / 4];
    UNROLL
    for (int r = 0; r < TILE_ROWS; r++) UNROLL
    for (int v = 0; v < 2; v++) acc[r][v] = add ? row_of(*c, r)[v] : (vf){ 0 };
    UNROLL
    for (int r = 0; r < (TILE_ROWS + 3) / 4; r++) p[r] = mat_row(*a, 4 * r);
    const ptrdiff_t row = a->row, row3 = 3 * row, col = a->col;
    const vf *bl = (const vf *)b, *end = bl + a->n * (VEC_STEP / W);
    for (; bl < end; bl += VEC_STEP / W) {
        vf b0 = bl[0], b1 = bl[1];
        UNROLL
        for (int r = 0; r < TILE_ROWS; r++) {
            float x = r % 4 == 3 ? p[r / 4][row3] : p[r / 4][(r % 4) * row];
            acc[r][0] += x * b0;
            acc[r][1] += x * b1;
        }
        UNROLL
        for (int r = 0; r < (TILE_ROWS + 3) / 4; r++) p[r] += col;
    }
    UNROLL
    for (int r = 0; r < TILE_ROWS; r++)
        if (r >= skip) row_of(*c, r)[0] = acc[r][0], row_of(*c, r)[1] = acc[r][1];
}

/* The columns of a matrix, `width` at a time, as panels of rows. It is read along its memory. */
static void pack(mat b, int width, float *to)
{
    if (b.col == 1)
        for (int l = 0; l < b.m; l++)
            for (int j = 0; j < b.n; j += VEC_STEP)
                memcpy(to + j / width * PANEL + l * width + j % width, mat_row(b, l) + j,
                       VEC_STEP * sizeof *to);
    else
        for (int j = 0; j < b.n; j += 4) {
            const float *x = b.x + j * b.col, *end = x + b.m;
            float *y = to + j / width * PANEL + j % width;
            for (ptrdiff_t c = b.col; x < end; x++, y += width)
                *(v4 *)y = (v4){ x[0], x[c], x[2 * c], x[3 * c] };
        }
}

/* c = or += a b, where a is of at most ROWS rows, and b packed. */
static void product_of_rows(mat c, mat a, const float *b, bool add)
{
    for (int j = 0; j < c.n; j += 2 * W)
        for (int i = 0; i < c.m; i += TILE_ROWS) {
            int at = least(i, c.m - TILE_ROWS); /* the last tile has rows of the one before it */
            mat to = mat_part(c, at, TILE_ROWS, j, 2 * W), of = mat_part(a, at, TILE_ROWS, 0, a.n);
            tile(&to, &of, b + j / VEC_STEP * PANEL + j % VEC_STEP, add, i - at);
        }
}

static void product(mat c, mat a, mat b, bool add, float *scratch)
{
    float *packed = scratch + COLS / VEC_STEP * PANEL;
    for (int l = 0; l < a.n; l += DEPTH)
        for (int j = 0; j < c.n; j += COLS) {
            int k = least(DEPTH, a.n - l), n = least(COLS, c.n - j);
            pack(mat_part(b, l, k, j, n), VEC_STEP, scratch);
            for (int i = 0; i < c.m; i += ROWS) {
                int m = least(ROWS, c.m - i);
                mat rows = mat_part(a, i, m, l, k);
                if (a.col != 1) {
                    pack(mat_transposed(rows), ROWS_APART, packed);
                    rows = (mat){ packed, m, k, 1, ROWS_APART };
                }
                product_of_rows(mat_part(c, i, m, j, n), rows, scratch, add || l > 0);
            }
        }
}

INLINE float dot(int n, const vf *a, const vf *b)
{
    vf s = { 0 }, t = { 0 };
    for (int i = 0; i < n / W; i += 2) {
        s += a[i] * b[i];
        t += a[i + 1] * b[i + 1];
    }
    return sum(s + t);
}

static void norm(mat in, const float *weights, float eps, mat out, float *r)
{
    const vf *w = (const vf *)weights;
    for (int i = 0; i < in.m; i++) {
        vf *x = row_of(in, i), *y = row_of(out, i);
        float ri = 1.0f / sqrtf(dot(in.n, x, x) / (float)in.n + eps);
        for (int j = 0; j < in.n / W; j++) y[j] = x[j] * ri * w[j];
        r[i] = ri;
    }
}

static void norm_back(mat in, const float *weights, const float *r, mat dout, mat din,
                      float *dweights)
{
    const vf *w = (const vf *)weights;
    vf *dw = (vf *)dweights;
    for (int i = 0; i < in.m; i++) {
        vf *x = row_of(in, i), *dy = row_of(dout, i), *dx = row_of(din, i), s = { 0 };
        for (int j = 0; j < in.n / W; j++) s += x[j] * w[j] * dy[j];
        float ri = r[i], mean = sum(s) * ri * ri * ri / (float)in.n;
        for (int j = 0; j < in.n / W; j++) {
            vf d = dy[j];
            dx[j] = dx[j] + (d * w[j] * ri - x[j] * mean);
            dw[j] = dw[j] + d * x[j] * ri;
        }
    }
}

static void swiglu(mat gu, mat out)
{
    for (int i = 0; i < out.m; i++) {
        vf *g = row_of(gu, i), *u = g + out.n / W, *y = row_of(out, i);
        for (int j = 0; j < out.n / W; j++) y[j] = g[j] / (1.0f + vexp(-g[j])) * u[j];
    }
}

static void swiglu_back(mat gu, mat dout, mat dgu)
{
    for (int i = 0; i < dout.m; i++) {
        vf *g = row_of(gu, i), *u = g + dout.n / W, *dy = row_of(dout, i);
        vf *dg = row_of(dgu, i), *du = dg + dout.n / W;
        for (int j = 0; j < dout.n / W; j++) {
            vf s = 1.0f / (1.0f + vexp(-g[j])), silu = g[j] * s;
            dg[j] = dy[j] * u[j] * (s + silu * (1.0f - s));
            du[j] = dy[j] * silu;
        }
    }
}

static void softmax(mat a, float scale, float *lse)
{
    for (int i = 0; i < a.m; i++) {
        vf *s = row_of(a, i), top = s[0], total = { 0 };
        for (int j = 1; j < a.n / W; j++) top = pick(s[j] > top, s[j], top);
        float max = top[0];
        for (int j = 1; j < W; j++) max = top[j] > max ? top[j] : max;
        max *= scale;
        for (int j = 0; j < a.n / W; j++) total += s[j] = vexp(s[j] * scale - max);
        float whole = sum(total), inverse = 1.0f / whole;
        for (int j = 0; j < a.n / W; j++) s[j] *= inverse;
        lse[i] = max + math_logf(whole);
    }
}

static void softmax_again(mat a, float scale, const float *lse)
{
    for (int i = 0; i < a.m; i++) {
        vf *s = row_of(a, i);
        for (int j = 0; j < a.n / W; j++) s[j] = vexp(s[j] * scale - lse[i]);
    }
}

static void softmax_back(mat a, mat y, mat dy, float scale, mat da)
{
    for (int i = 0; i < a.m; i++) {
        vf *s = row_of(a, i), *ds = row_of(da, i);
        float mean = dot(y.n, row_of(dy, i), row_of(y, i));
        for (int j = 0; j < a.n / W; j++) ds[j] = s[j] * (ds[j] - mean) * scale;
    }
}

static double sum_squares(size_t n, const float *x)
{
    double total = 0.0;
    for (const float *end = x + n; x < end; x += 1024)
        total += (double)dot(end - x < 1024 ? (int)(end - x) : 1024, (const vf *)x, (const vf *)x);
    return total;
}

static void adam(const vec_adam *s, size_t from, size_t to)
{
    for (size_t i = from; i < to; i += W) {
        vf *w = (vf *)(s->w + i), *m = (vf *)(s->m + i), *v = (vf *)(s->v + i);
        vf *average = (vf *)(s->average + i), g = *(vf *)(s->g + i) * s->scale;
        float decay = i < s->n_decayed ? s->lr * s->decay : 0.0f;
        *m = *m * s->beta1 + g * (1.0f - s->beta1);
        *v = *v * s->beta2 + g * g * (1.0f - s->beta2);
        vf root = *v * s->bias2;
        UNROLL
        for (int k = 0; k < W; k++) root[k] = sqrtf(root[k]);
        *w = *w - *w * decay - s->lr * (*m * s->bias1) / (root + s->eps);
        *average = *average * s->average_keep + *w * (1.0f - s->average_keep);
    }
}

const vec_table VEC_TABLE = {
    product, norm,          norm_back,    swiglu,      swiglu_back,
    softmax, softmax_again, softmax_back, sum_squares, adam,
};
