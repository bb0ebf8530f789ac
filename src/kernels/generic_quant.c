/* generic_quant.c - the meaning of the integer matmul, in portable C: activations to int8, rows
 * to panels by way of the format's own unpack, panels against activations.
 * Layer: kernels. Compiled for the baseline; the ISA files give the same bits. No state. */
#include "kernels/generic.h"
#include "quant/q_float.h"
#include <math.h>
#include <string.h>

/* ---- activations ---------------------------------------------------------------------------- */

/* max|x| with NaN above everything: as integers, the bits of |x| are in order. */
static float max_abs(const float *x)
{
    uint32_t top = 0;
    for (int i = 0; i < QT_GROUP; i++) {
        uint32_t bits;
        memcpy(&bits, &x[i], sizeof bits);
        bits &= 0x7fffffff;
        top = bits > top ? bits : top;
    }
    float m;
    memcpy(&m, &top, sizeof m);
    return m;
}

/* Nearest-even of v within -127..127; NaN gives -127. Adding and taking off 1.5 * 2^23 rounds. */
static int code_of(float v)
{
    const float magic = 12582912.0f;
    v = v > -127.0f ? v : -127.0f;
    v = v < 127.0f ? v : 127.0f;
    return (int)((v + magic) - magic);
}

static void quant_group(const float *x, act_group *g)
{
    float m = max_abs(x);
    *g = (act_group){ 0 };
    if (m < 0x1p-100f) return;
    float to_code = 127.0f / m;
    int sum[2] = { 0, 0 };
    for (int i = 0; i < QT_GROUP; i++) {
        int q = code_of(x[i] * to_code);
        g->q[i] = (int8_t)q;
        sum[i / 16] += q;
    }
    g->dx = m / 127.0f;
    act_set_sums(g, sum[0], sum[1]);
}

static void quant_act(const act_args *a)
{
    for (int it = a->it0; it < a->it1; it++)
        for (int ig = a->ig0; ig < a->ig1; ig++)
            quant_group(a->x + (size_t)it * a->ld_x + (size_t)ig * QT_GROUP,
                        &a->act[act_index(it, ig, a->n_tok, a->n_group)]);
}

/* ---- panels --------------------------------------------------------------------------------- */

enum { BLOCK_MAX = 256, GROUPS_MAX = BLOCK_MAX / QT_GROUP };

/* A block of a row, unpacked. */
typedef struct {
    int8_t codes[BLOCK_MAX];
    float scales[GROUPS_MAX * 2], mins[GROUPS_MAX * 2]; /* [group][sub-block] */
} row_block;

/* Its groups into their places of the panel: r is the row within it. */
static void place_row(const pack_args *a, int r, const row_block *b, uint8_t *panel)
{
    const int n_sub = qtypes[a->type].n_sub, n_group = qtypes[a->type].block_elems / QT_GROUP;
    for (int ig = 0; ig < n_group; ig++, panel += panel_group_bytes(a->type)) {
        for (int i = 0; i < QT_GROUP; i++)
            panel[i / 4 * 64 + r * 4 + i % 4] = (uint8_t)(b->codes[ig * QT_GROUP + i] + a->zero);
        float *scale = (float *)(void *)(panel + QT_GROUP * PANEL_ROWS);
        for (int s = 0; s < n_sub; s++) scale[s * PANEL_ROWS + r] = b->scales[ig * n_sub + s];
        float *min = scale + n_sub * PANEL_ROWS;
        if (!qtypes[a->type].has_min) continue;
        for (int s = 0; s < n_sub; s++) min[s * PANEL_ROWS + r] = b->mins[ig * n_sub + s];
    }
}

static void pack(const pack_args *a)
{
    const qtype_row *type = &qtypes[a->type];
    const int n_group = type->block_elems / QT_GROUP;
    uint8_t *panel = a->panel;
    for (int ig = a->ig0; ig < a->ig1; ig += n_group) {
        size_t at = (size_t)(ig / n_group) * (size_t)type->block_bytes;
        for (int r = 0; r < PANEL_ROWS; r++) {
            row_block b = { 0 };
            if (r < a->n_rows)
                type->unpack(type->block_elems, (const char *)a->w + (size_t)r * a->row_bytes + at,
                             b.codes, b.scales, b.mins);
            place_row(a, r, &b, panel);
        }
        panel += (size_t)n_group * panel_group_bytes(a->type);
    }
}

/* ---- panels x activations ------------------------------------------------------------------- */

static uint8_t panel_zero(qtype type)
{
    (void)type;
    return 0; /* codes stay signed */
}

/* Exact sums of 16 rows over the steps (4 codes each) [j0, j1) of a group. */
static void int_sums(const int8_t *q, const int8_t *x, int j0, int j1, float *f)
{
    int32_t sum[PANEL_ROWS] = { 0 };
    for (int j = j0; j < j1; j++)
        for (int r = 0; r < PANEL_ROWS; r++)
            for (int c = 0; c < 4; c++) sum[r] += q[64 * j + 4 * r + c] * x[4 * j + c];
    for (int r = 0; r < PANEL_ROWS; r++) f[r] = (float)sum[r];
}

/* acc += the products of one group of a panel with one of a token */
static void group_i8(const qtype_row *type, const uint8_t *panel, const act_group *x, float *acc)
{
    const int8_t *q = (const int8_t *)panel;
    const float *scale = (const float *)(const void *)(panel + QT_GROUP * PANEL_ROWS);
    const float *min = scale + type->n_sub * PANEL_ROWS;
    const bool halves = type->n_sub == 2;
    float u[PANEL_ROWS], f[PANEL_ROWS];
    int_sums(q, x->q, 0, halves ? 4 : 8, f);
    for (int r = 0; r < PANEL_ROWS; r++) u[r] = scale[r] * f[r];
    if (halves) {
        int_sums(q, x->q, 4, 8, f);
        for (int r = 0; r < PANEL_ROWS; r++) u[r] = fmaf(scale[PANEL_ROWS + r], f[r], u[r]);
    }
    for (int s = 0; type->has_min && s < type->n_sub; s++) {
        float xsum = halves ? act_half_sum(x, s) : x->sum_all;
        for (int r = 0; r < PANEL_ROWS; r++) u[r] = fmaf(-min[s * PANEL_ROWS + r], xsum, u[r]);
    }
    for (int r = 0; r < PANEL_ROWS; r++) acc[r] = fmaf(x->dx, u[r], acc[r]);
}

static void gemm_i8(const gemm_args *a)
{
    const qtype_row *type = &qtypes[a->type];
    const size_t group_bytes = panel_group_bytes(a->type);
    const uint8_t *panel = a->panels;
    for (int ir = 0; ir < a->n_rows; ir += PANEL_ROWS) {
        int n = a->n_rows - ir < PANEL_ROWS ? a->n_rows - ir : PANEL_ROWS;
        for (int it = 0; it < a->n_tok; it++) {
            float acc[PANEL_ROWS] = { 0 }, *out = a->out + (size_t)it * a->ld_out + ir;
            if (a->ig0 > 0) memcpy(acc, out, (size_t)n * sizeof *acc);
            for (int ig = a->ig0; ig < a->ig1; ig++)
                group_i8(type, panel + (size_t)(ig - a->ig0) * group_bytes,
                         &a->act[act_index(it, ig, a->n_tok, a->n_group)], acc);
            memcpy(out, acc, (size_t)n * sizeof *acc);
        }
        panel += (size_t)(a->ig1 - a->ig0) * group_bytes;
    }
}

/* ---- conversion, peak ----------------------------------------------------------------------- */

static void to_f16(int64_t n, const float *in, uint16_t *out)
{
    for (int64_t i = 0; i < n; i++) out[i] = f32_to_f16(in[i]);
}

static double peak_i8(int64_t n)
{
    uint32_t lane[PANEL_ROWS] = { 0 }, all = 0;
    for (int64_t i = 0; i < n; i++)
        for (int j = 0; j < PANEL_ROWS; j++) lane[j] += (uint32_t)((int8_t)(i ^ j) * (int8_t)n);
    for (int j = 0; j < PANEL_ROWS; j++) all |= lane[j];
    return all != 1 ? (double)n * PANEL_ROWS : 0.0; /* the use keeps the loop from going */
}

const lory_kernels kernels_generic_quant = {
    .quant_act = quant_act,
    .panel_zero = panel_zero,
    .pack = { [QT_Q4_0] = pack,    [QT_Q4_1] = pack,   [QT_Q5_0] = pack,   [QT_Q5_1] = pack,
              [QT_Q8_0] = pack,    [QT_Q2_K] = pack,   [QT_Q3_K] = pack,   [QT_Q4_K] = pack,
              [QT_Q5_K] = pack,    [QT_Q6_K] = pack,   [QT_IQ1_S] = pack,  [QT_IQ1_M] = pack,
              [QT_IQ2_XXS] = pack, [QT_IQ2_XS] = pack, [QT_IQ2_S] = pack,  [QT_IQ3_XXS] = pack,
              [QT_IQ3_S] = pack,   [QT_IQ4_NL] = pack, [QT_IQ4_XS] = pack, [QT_TQ1_0] = pack,
              [QT_TQ2_0] = pack,   [QT_MXFP4] = pack,  [QT_NVFP4] = pack,  [QT_Q1_0] = pack,
              [QT_Q2_0] = pack },
    .gemm_i8 = gemm_i8,
    .f32_to_f16 = to_f16,
    .peak_i8 = peak_i8,
};
