/* iq_book.h - finds the codes of the codebook formats: points and scales with the least squared
 * error.
 * Layer: quant, private to it. Pure functions in a fixed order of float arithmetic: the same bits
 * on every machine.
 *
 * The search for a point is exact. The error of a point is a sum over its weights, so it is one
 * number for the lower half of the packed point plus one for the upper half; both halves' numbers
 * are tabled, and of the points that share an upper half none is looked at when the upper half's
 * number plus the least of the lower ones is already too much. */
#ifndef LORY_QUANT_IQ_BOOK_H
#define LORY_QUANT_IQ_BOOK_H

#include "quant/block.h"
#include "quant/fit.h"
#include <stdbool.h>
#include <stdint.h>

enum {
    IQ_MAX_RUNS = 96,
    IQ_POINTS = QB_SUPER / 4
}; /* at most: runs of a book, points of a block */

/* A codebook ready for searching: points of n_dim codes of `bits` bits, ascending. */
typedef struct {
    const uint16_t *point; /* [n_point] */
    int n_point, bits, n_dim;
    int half_bits; /* of a half point */
    int n_run;     /* of points with one upper half: run i is point[first[i]] .. first[i + 1] */
    uint16_t high[IQ_MAX_RUNS], first[IQ_MAX_RUNS + 1];
    uint8_t low[2048];   /* the points' lower halves */
    uint8_t run_of[256]; /* the run of an upper half; run 0 where there is none */
} iq_book;

/* Takes no longer than reading the points once. */
void iq_book_open(iq_book *b, const uint16_t *point, int n_point, int bits);

/* How a format uses a codebook. A weight is d * unit * (2 * scale + 1) * +-level[shift][code]. */
typedef struct {
    int n_sub;   /* weights that share a scale: 16 or 32 */
    int n_scale; /* integer scales 0 .. n_scale - 1 */
    float unit;
    bool has_signs;    /* of each weight; else the levels have them */
    bool even_signs;   /* an even number of negative weights in every eight */
    int n_shift;       /* 2: two sets of levels */
    int n_same_shift;  /* weights that share the choice of a set */
    float level_rms;   /* of the levels that weights get, about */
    float level[2][8]; /* what the codes stand for; a code that is not used is far off */
} iq_form;

/* A super-block in codes. */
typedef struct {
    uint16_t d;
    uint8_t scale[QB_SUPER / 16];
    uint8_t sign[QB_SUPER / 8];  /* bit j: weight j of eight is negative */
    uint16_t index[IQ_POINTS];   /* of points */
    uint8_t shift[QB_SUPER / 8]; /* of eight weights: which set of levels */
} iq_codes;

/* f.n is 256. */
void iq_fit(const iq_book *b, const iq_form *form, fit_data f, iq_codes *codes);

#endif
