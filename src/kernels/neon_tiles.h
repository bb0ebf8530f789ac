/* neon_tiles.h - NEON: the integer matmul, over one operation on 16 bytes of codes.
 * Layer: kernels. Not a header: neon_quant.c and neon_dot.c include it once, after they have
 * defined add_step(sum, w, x, k), which adds to the 4 sums of `isum` the products of 4 rows x 4
 * signed codes with the activations 4k..4k+3 of x, and sums_of(isum), those sums as int32.
 *
 * A tile is a panel, 16 rows, x TOKENS tokens: 4 registers of sums and 4 of results for each. */
#include "kernels/ahead.h"
#include <arm_neon.h>

enum { TOKENS = 2 };

typedef struct {
    const uint8_t *panel; /* at its first group */
    const act_group *x;   /* the first token, at the first group */
    size_t width;         /* tokens of the tile: from group to group */
    int n_group;
    bool is_first; /* else out holds the sums so far */
    int n_rows;    /* that are there, 1..16 */
    float *out;
    size_t ld_out;
} tile_args;

/* Half a group: the exact sums of 16 rows with n tokens, as floats. */
INLINE void add_half(const int n, const uint8_t *p, const act_group *x, const int iq, isum s[][4])
{
    int8x16_t xv[TOKENS];
    UNROLL
    for (int j = 0; j < n; j++) xv[j] = vld1q_s8(x[j].q + iq);
#define STEP(k)                                                                                    \
    UNROLL                                                                                         \
    for (int r = 0; r < 4; r++) {                                                                  \
        int8x16_t w = vreinterpretq_s8_u8(vld1q_u8(p + 64 * k + 16 * r));                          \
        UNROLL                                                                                     \
        for (int j = 0; j < n; j++) s[j][r] = ADD_STEP(s[j][r], w, xv[j], k);                      \
    }
    STEP(0)
    STEP(1)
    STEP(2)
    STEP(3)
#undef STEP
}

INLINE void tile(const int n_sub, const bool has_min, const int n, const tile_args *t)
{
    const size_t group_bytes = 512 + (size_t)(n_sub * (has_min ? 2 : 1)) * 64;
    const uint8_t *p = t->panel;
    const act_group *x = t->x;
    float32x4_t acc[TOKENS][4];
    float part[PANEL_ROWS] = { 0 };
    for (int j = 0; j < n; j++) {
        if (!t->is_first)
            memcpy(part, t->out + (size_t)j * t->ld_out, (size_t)t->n_rows * sizeof *part);
        for (int r = 0; r < 4; r++) acc[j][r] = vld1q_f32(part + 4 * r);
    }
    for (int ig = 0; ig < t->n_group; ig++, x += t->width, p += group_bytes) {
        const float *scale = (const float *)(const void *)(p + 512), *min = scale + 16 * n_sub;
        float32x4_t u[TOKENS][4];
        UNROLL
        for (int s = 0; s < n_sub; s++) {
            isum sum[TOKENS][4];
            UNROLL
            for (int j = 0; j < n; j++) {
                UNROLL
                for (int r = 0; r < 4; r++) sum[j][r] = isum_zero();
            }
            add_half(n, p + 256 * s, x, 16 * s, sum);
            if (n_sub == 1) add_half(n, p + 256, x, 16, sum);
            UNROLL
            for (int r = 0; r < 4; r++) {
                float32x4_t d = vld1q_f32(scale + 16 * s + 4 * r);
                UNROLL
                for (int j = 0; j < n; j++) {
                    float32x4_t f = vcvtq_f32_s32(sums_of(sum[j][r]));
                    u[j][r] = s == 0 ? vmulq_f32(d, f) : vfmaq_f32(u[j][r], d, f);
                }
            }
        }
        UNROLL
        for (int s = 0; s < n_sub && has_min; s++) {
            UNROLL
            for (int r = 0; r < 4; r++) {
                float32x4_t m = vld1q_f32(min + 16 * s + 4 * r);
                UNROLL
                for (int j = 0; j < n; j++) {
                    float xsum = n_sub == 1 ? x[j].sum_all : act_half_sum(&x[j], s);
                    u[j][r] = vfmsq_f32(u[j][r], m, vdupq_n_f32(xsum));
                }
            }
        }
        UNROLL
        for (int r = 0; r < 4; r++) {
            UNROLL
            for (int j = 0; j < n; j++)
                acc[j][r] = vfmaq_f32(acc[j][r], vdupq_n_f32(x[j].dx), u[j][r]);
        }
    }
    for (int j = 0; j < n; j++) {
        for (int r = 0; r < 4; r++) vst1q_f32(part + 4 * r, acc[j][r]);
        memcpy(t->out + (size_t)j * t->ld_out, part, (size_t)t->n_rows * sizeof *part);
    }
}

INLINE void tile_of(const int n_sub, const bool has_min, int n, const tile_args *t)
{
    if (n == 2)
        tile(n_sub, has_min, 2, t);
    else
        tile(n_sub, has_min, 1, t);
}

static void any_tile(const qtype_row *type, int n, const tile_args *t)
{
    if (type->n_sub == 1 && !type->has_min)
        tile_of(1, false, n, t);
    else if (type->n_sub == 1)
        tile_of(1, true, n, t);
    else if (!type->has_min)
        tile_of(2, false, n, t);
    else
        tile_of(2, true, n, t);
}

/* The panel of row ir, groups [ig0, ig1), against all tokens; a part of what comes is asked for
 * with each tile. */
static void panel_x_tokens(const gemm_args *a, int ir, int ig0, int ig1, ahead_parts *later)
{
    const size_t group_bytes = panel_group_bytes(a->type);
    const size_t panel_bytes = (size_t)(a->ig1 - a->ig0) * group_bytes;
    tile_args t = { .n_group = ig1 - ig0,
                    .is_first = ig0 == 0,
                    .n_rows = a->n_rows - ir < PANEL_ROWS ? a->n_rows - ir : PANEL_ROWS,
                    .ld_out = a->ld_out };
    t.panel = (const uint8_t *)a->panels + (size_t)(ir / PANEL_ROWS) * panel_bytes
              + (size_t)(ig0 - a->ig0) * group_bytes;
    for (int first = 0; first < a->n_tok; first += ACT_TILE) {
        int width = a->n_tok - first < ACT_TILE ? a->n_tok - first : ACT_TILE;
        const act_group *x = a->act + act_index(first, ig0, a->n_tok, a->n_group);
        t.width = (size_t)width;
        for (int it = 0; it < width; it += TOKENS) {
            t.x = x + it;
            t.out = a->out + (size_t)(first + it) * a->ld_out + ir;
            any_tile(&qtypes[a->type], width - it < TOKENS ? width - it : TOKENS, &t);
            prefetch_part(later);
        }
    }
}

static void gemm_i8(const gemm_args *a)
{
    const int n_panel = (a->n_rows + PANEL_ROWS - 1) / PANEL_ROWS;
    const int n_slice = (a->ig1 - a->ig0 + GEMM_SLICE - 1) / GEMM_SLICE;
    const int n_tile = n_panel * ((a->n_tok + TOKENS - 1) / TOKENS) * n_slice;
    ahead_parts later = ahead_in_parts(a->ahead, a->n_ahead, n_tile);
    for (int ig0 = a->ig0, ig1; ig0 < a->ig1; ig0 = ig1) {
        ig1 = gemm_slice_end(a, ig0);
        for (int ir = 0; ir < a->n_rows; ir += PANEL_ROWS)
            panel_x_tokens(a, ir, ig0, ig1, &later);
    }
}

static uint8_t panel_zero(qtype type)
{
    (void)type;
    return 0; /* both multiply signed by signed */
}

/* Arithmetic of the tiles' own kind: 16 products a step. */
static double peak_i8(int64_t n)
{
    enum { CHAINS = 8, MACS = 16 };
    isum a[CHAINS];
    int8x16_t w = vdupq_n_s8(1), x = vdupq_n_s8(1);
    UNROLL
    for (int i = 0; i < CHAINS; i++) {
        a[i] = isum_zero();
        HIDE(a[i]); /* chains the compiler can't see to be one */
    }
    for (int64_t r = 0; r < n; r++) {
        UNROLL
        for (int i = 0; i < CHAINS; i++) a[i] = ADD_STEP(a[i], w, x, 0);
        __asm__ volatile("" : "+w"(w), "+w"(x));
    }
    UNROLL
    for (int i = 0; i < CHAINS; i++) HIDE(a[i]);
    return (double)n * CHAINS * MACS;
}
