/* q_iq_write.c - writes the codebook formats, IQ1 to IQ3: iq_book.h finds the codes, this packs
 * them. Layer: quant. Layouts: block.h. */
#include "quant/block.h"
#include "quant/format.h"
#include "quant/iq_book.h"
#include "quant/iq_grid.h"
#include <string.h>

enum { N_SUB = QB_SUPER / 32 }; /* sub-blocks of 32; each is four runs of eight weights */

/* clang-format off */
/* sub-block, scales, unit; signs, even; shifts, of how many weights; levels: rms, values */
static const iq_form iq2_xxs = { 32, 16, 0.125f, true,  true,  1, 32, 20, { { 8, 25, 43, 1e9f } } };
static const iq_form iq2_xs  = { 16, 16, 0.125f, true,  true,  1, 16, 20, { { 8, 25, 43, 1e9f } } };
static const iq_form iq2_s   = { 16, 16, 0.125f, true,  false, 1, 16, 20, { { 8, 25, 43, 1e9f } } };
static const iq_form iq3_xxs = { 32, 16, 0.25f,  true,  true,  1, 32, 24,
                                 { { 4, 12, 20, 28, 36, 44, 52, 62 } } };
static const iq_form iq3_s   = { 32, 16, 1.0f,   true,  false, 1, 32, 6,
                                 { { 1, 3, 5, 7, 9, 11, 13, 15 } } };
/* Levels are 8 * (code - 1 +- 1/8), as in iq1_expand. */
static const iq_form iq1_s   = { 32, 8,  0.125f, false, false, 2, 32, 6,
                                 { { -7, 1, 9, 1e9f }, { -9, -1, 7, 1e9f } } };
static const iq_form iq1_m   = { 16, 8,  0.125f, false, false, 2, 8,  6,
                                 { { -7, 1, 9, 1e9f }, { -9, -1, 7, 1e9f } } };
/* clang-format on */

/* ---- two bits ------------------------------------------------------------------------------- */

void iq2_xxs_write(int64_t n, const float *in, const float *importance, void *row)
{
    block_iq2_xxs *b = row;
    iq_book book;
    iq_codes c;
    iq_book_open(&book, iq2_xxs_grid, 256, 2);
    for (int64_t i = 0; i < n; i += QB_SUPER, b++) {
        iq_fit(&book, &iq2_xxs, fit_data_at(QB_SUPER, in, importance, i), &c);
        b->d = c.d;
        for (int s = 0; s < N_SUB; s++) {
            uint32_t sign = (uint32_t)c.scale[s] << 28;
            for (int l = 0; l < 4; l++) {
                b->sub[s].index[l] = (uint8_t)c.index[4 * s + l];
                sign |= (uint32_t)(c.sign[4 * s + l] & 127) << 7 * l;
            }
            b->sub[s].sign = sign;
        }
    }
}

/* The scales of IQ2_XS and IQ2_S, two to a byte. */
static void put_scales(const uint8_t *scale, int n, uint8_t *packed)
{
    for (int i = 0; i < n; i++) packed[i] = (uint8_t)(scale[2 * i] | scale[2 * i + 1] << 4);
}

void iq2_xs_write(int64_t n, const float *in, const float *importance, void *row)
{
    block_iq2_xs *b = row;
    iq_book book;
    iq_codes c;
    iq_book_open(&book, iq2_xs_grid, 512, 2);
    for (int64_t i = 0; i < n; i += QB_SUPER, b++) {
        iq_fit(&book, &iq2_xs, fit_data_at(QB_SUPER, in, importance, i), &c);
        b->d = c.d;
        put_scales(c.scale, N_SUB, b->scale);
        for (int k = 0; k < 32; k++) b->q[k] = (uint16_t)(c.index[k] | (c.sign[k] & 127) << 9);
    }
}

void iq2_s_write(int64_t n, const float *in, const float *importance, void *row)
{
    block_iq2_s *b = row;
    iq_book book;
    iq_codes c;
    iq_book_open(&book, iq2_s_grid, 1024, 2);
    for (int64_t i = 0; i < n; i += QB_SUPER, b++) {
        iq_fit(&book, &iq2_s, fit_data_at(QB_SUPER, in, importance, i), &c);
        b->d = c.d;
        put_scales(c.scale, N_SUB, b->scale);
        memcpy(b->sign, c.sign, sizeof b->sign);
        for (int s = 0; s < N_SUB; s++) {
            int high = 0;
            for (int l = 0; l < 4; l++) {
                b->index[4 * s + l] = (uint8_t)c.index[4 * s + l];
                high |= c.index[4 * s + l] >> 8 << 2 * l;
            }
            b->index_h[s] = (uint8_t)high;
        }
    }
}

/* ---- three bits ----------------------------------------------------------------------------- */

void iq3_xxs_write(int64_t n, const float *in, const float *importance, void *row)
{
    block_iq3_xxs *b = row;
    iq_book book;
    iq_codes c;
    iq_book_open(&book, iq3_xxs_grid, 256, 3);
    for (int64_t i = 0; i < n; i += QB_SUPER, b++) {
        iq_fit(&book, &iq3_xxs, fit_data_at(QB_SUPER, in, importance, i), &c);
        b->d = c.d;
        for (int k = 0; k < 64; k++) b->index[k] = (uint8_t)c.index[k];
        for (int s = 0; s < N_SUB; s++) {
            uint32_t sign = (uint32_t)c.scale[s] << 28;
            for (int l = 0; l < 4; l++) sign |= (uint32_t)(c.sign[4 * s + l] & 127) << 7 * l;
            b->sign[s] = sign;
        }
    }
}

void iq3_s_write(int64_t n, const float *in, const float *importance, void *row)
{
    block_iq3_s *b = row;
    iq_book book;
    iq_codes c;
    iq_book_open(&book, iq3_s_grid, 512, 3);
    for (int64_t i = 0; i < n; i += QB_SUPER, b++) {
        iq_fit(&book, &iq3_s, fit_data_at(QB_SUPER, in, importance, i), &c);
        b->d = c.d;
        put_scales(c.scale, N_SUB / 2, b->scale);
        memcpy(b->sign, c.sign, sizeof b->sign);
        for (int s = 0; s < N_SUB; s++) {
            int high = 0;
            for (int k = 0; k < 8; k++) {
                b->index[8 * s + k] = (uint8_t)c.index[8 * s + k];
                high |= c.index[8 * s + k] >> 8 << k;
            }
            b->index_h[s] = (uint8_t)high;
        }
    }
}

/* ---- one bit -------------------------------------------------------------------------------- */

void iq1_s_write(int64_t n, const float *in, const float *importance, void *row)
{
    block_iq1_s *b = row;
    iq_book book;
    iq_codes c;
    iq_book_open(&book, iq1_grid, 2048, 2);
    for (int64_t i = 0; i < n; i += QB_SUPER, b++) {
        iq_fit(&book, &iq1_s, fit_data_at(QB_SUPER, in, importance, i), &c);
        b->d = c.d;
        for (int s = 0; s < N_SUB; s++) {
            int head = c.scale[s] << 12 | c.shift[4 * s] << 15;
            for (int l = 0; l < 4; l++) {
                b->index[4 * s + l] = (uint8_t)c.index[4 * s + l];
                head |= c.index[4 * s + l] >> 8 << 3 * l;
            }
            b->head[s] = (uint16_t)head;
        }
    }
}

void iq1_m_write(int64_t n, const float *in, const float *importance, void *row)
{
    block_iq1_m *b = row;
    iq_book book;
    iq_codes c;
    iq_book_open(&book, iq1_grid, 2048, 2);
    for (int64_t i = 0; i < n; i += QB_SUPER, b++) {
        iq_fit(&book, &iq1_m, fit_data_at(QB_SUPER, in, importance, i), &c);
        for (int k = 0; k < 4; k++) {
            int word = (c.d >> 4 * k & 15) << 12;
            for (int s = 0; s < 4; s++) word |= c.scale[4 * k + s] << 3 * s;
            b->scale[k] = (uint16_t)word;
        }
        for (int k = 0; k < 32; k++) b->index[k] = (uint8_t)c.index[k];
        for (int k = 0; k < 16; k++) {
            int low = c.index[2 * k] >> 8 | c.shift[2 * k] << 3;
            int high = c.index[2 * k + 1] >> 8 | c.shift[2 * k + 1] << 3;
            b->head[k] = (uint8_t)(low | high << 4);
        }
    }
}
