/* block.h - the storage formats of quantised tensors, bit by bit.
 * Layer: quant. Source: the ggml block formats of GGUF files. Little-endian throughout; blocks
 * follow each other without padding and may start at any byte, hence packed.
 *
 * Words used below. A block holds 32 to 256 weights, numbered 0 up. "d", "m": half floats, the
 * scale and offset. "nibbles i, i+16" of byte i: the low four bits belong to weight i, the high
 * four to weight i + 16. A sub-block is 16 or 32 consecutive weights with a scale of their own.
 * grid[...]: a codebook of iq_grid.h. sign7: 7 bits that give 8 signs, bit j set = weight j is
 * negative, the eighth chosen so that their number is even. */
#ifndef LORY_QUANT_BLOCK_H
#define LORY_QUANT_BLOCK_H

#include <stdint.h>

enum {
    QB_SMALL = 32, /* weights of a block of the old formats, IQ4_NL and MXFP4 */
    QB_SUPER = 256, /* weights of a block of most others ("super-block") */
    QB_Q1_0 = 128,
    QB_Q2_0 = 64,
    QB_NVFP4 = 64,
};

/* Fields of more than a byte are read in place. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "GGUF blocks need a little-endian CPU");

#define QUANT_PACKED            __attribute__((packed))
#define QUANT_SIZE(type, bytes) _Static_assert(sizeof(type) == (bytes), #type " has a gap")

/* ---- one scale per 32 weights (q_legacy.c) -------------------------------------------------- */

typedef struct QUANT_PACKED {
    uint16_t d;
    uint8_t q[16]; /* nibbles i, i+16; weight = d * (q - 8) */
} block_q4_0;
QUANT_SIZE(block_q4_0, 18);

typedef struct QUANT_PACKED {
    uint16_t d, m;
    uint8_t q[16]; /* nibbles i, i+16; weight = d * q + m */
} block_q4_1;
QUANT_SIZE(block_q4_1, 20);

typedef struct QUANT_PACKED {
    uint16_t d;
    uint32_t qh;   /* bit i: bit 4 of weight i */
    uint8_t q[16]; /* nibbles i, i+16: bits 0-3; weight = d * (q - 16) */
} block_q5_0;
QUANT_SIZE(block_q5_0, 22);

typedef struct QUANT_PACKED {
    uint16_t d, m;
    uint32_t qh;   /* bit i: bit 4 of weight i */
    uint8_t q[16]; /* nibbles i, i+16: bits 0-3; weight = d * q + m */
} block_q5_1;
QUANT_SIZE(block_q5_1, 24);

typedef struct QUANT_PACKED {
    uint16_t d;
    int8_t q[32]; /* weight = d * q */
} block_q8_0;
QUANT_SIZE(block_q8_0, 34);

/* ---- super-blocks of 256 with quantised scales: the K formats (q_k.c) ----------------------- */

/* The 2-bit arrays of Q2_K and Q3_K: byte 32h + i (h = 0, 1; i = 0..31) holds the weights
 * 128h + i, + 32, + 64, + 96 in its bits 0-1, 2-3, 4-5, 6-7. */

typedef struct QUANT_PACKED {
    uint8_t scale[16]; /* sub-block of 16: low nibble scale, high nibble min */
    uint8_t q[64];     /* 2-bit array */
    uint16_t d, dmin;  /* weight = (d * scale) * q - dmin * min */
} block_q2_k;
QUANT_SIZE(block_q2_k, 84);

typedef struct QUANT_PACKED {
    uint8_t qh[32];    /* bit k of byte i: bit 2 of weight 32k + i */
    uint8_t q[64];     /* 2-bit array: bits 0-1 */
    uint8_t scale[12]; /* 16 scales of 6 bits: the low 4 of sub-block s (16 weights) in the low
                          (s < 8) or high nibble of byte s % 8, the high 2 in byte 8 + s % 4 at
                          bit 2 * (s / 4) */
    uint16_t d;        /* weight = (d * (scale - 32)) * (q - 4) */
} block_q3_k;
QUANT_SIZE(block_q3_k, 110);

/* The 12 scale bytes of Q4_K and Q5_K: scale and min of 6 bits for 8 sub-blocks of 32. Of s < 4:
 * scale in bits 0-5 of byte s, min in bits 0-5 of byte s + 4. Of s >= 4: bits 0-3 in the low
 * (scale) and high (min) nibble of byte s + 4, bits 4-5 in bits 6-7 of byte s - 4 (scale) and of
 * byte s (min). */

typedef struct QUANT_PACKED {
    uint16_t d, dmin;
    uint8_t scale[12];
    uint8_t q[128]; /* byte 32h + i (h = 0..3): weights 64h + i (low nibble) and 64h + 32 + i;
                       weight = (d * scale) * q - dmin * min */
} block_q4_k;
QUANT_SIZE(block_q4_k, 144);

typedef struct QUANT_PACKED {
    uint16_t d, dmin;
    uint8_t scale[12];
    uint8_t qh[32]; /* bit s of byte i: bit 4 of weight 32s + i */
    uint8_t q[128]; /* as in Q4_K: bits 0-3 */
} block_q5_k;
QUANT_SIZE(block_q5_k, 176);

typedef struct QUANT_PACKED {
    uint8_t q[128];   /* byte 64h + i (h = 0, 1; i = 0..63): bits 0-3 of the weights 128h + i (low
                       nibble) and 128h + 64 + i */
    uint8_t qh[64];   /* byte 32h + i (i = 0..31): bits 4-5 of the weights 128h + i, + 32, + 64,
                       + 96 in its bits 0-1, 2-3, 4-5, 6-7 */
    int8_t scale[16]; /* per 16 weights */
    uint16_t d;       /* weight = (d * scale) * (q - 32) */
} block_q6_k;
QUANT_SIZE(block_q6_k, 210);

/* ---- codebooks: the IQ formats (q_iq.c); s = sub-block of 32, l = 0..3 eight weights of it --- */

typedef struct QUANT_PACKED {
    uint16_t d;
    struct QUANT_PACKED {
        uint8_t index[4]; /* grid iq2_xxs of l */
        uint32_t sign;    /* bits 7l..: sign7 of l; bits 28-31: scale */
    } sub[8];             /* weight = d * (scale + 1/2) / 4 * +-grid */
} block_iq2_xxs;
QUANT_SIZE(block_iq2_xxs, 66);

typedef struct QUANT_PACKED {
    uint16_t d;
    uint16_t q[32];   /* [s][l]: bits 0-8 grid iq2_xs, bits 9-15 sign7 */
    uint8_t scale[8]; /* of s: low nibble l = 0, 1; high nibble l = 2, 3 */
} block_iq2_xs;       /* weight = d * (scale + 1/2) / 4 * +-grid */
QUANT_SIZE(block_iq2_xs, 74);

typedef struct QUANT_PACKED {
    uint16_t d;
    uint8_t index[32];  /* [s][l]: bits 0-7 of the index into grid iq2_s */
    uint8_t sign[32];   /* [s][l]: the eight signs */
    uint8_t index_h[8]; /* of s, bits 2l, 2l+1: bits 8-9 of the index */
    uint8_t scale[8];   /* as in IQ2_XS */
} block_iq2_s;
QUANT_SIZE(block_iq2_s, 82);

typedef struct QUANT_PACKED {
    uint16_t d;
    uint8_t index[64]; /* [s][l][2]: grid iq3_xxs of the first and last four weights of l */
    uint32_t sign[8];  /* of s: bits 7l..: sign7 of l; bits 28-31: scale */
} block_iq3_xxs;       /* weight = d * (scale + 1/2) / 2 * +-grid */
QUANT_SIZE(block_iq3_xxs, 98);

typedef struct QUANT_PACKED {
    uint16_t d;
    uint8_t index[64];  /* [s][l][2]: bits 0-7 of the index into grid iq3_s */
    uint8_t index_h[8]; /* of s, bit 2l + (0, 1): bit 8 of the index */
    uint8_t sign[32];   /* [s][l]: the eight signs */
    uint8_t scale[4];   /* of s: low nibble of byte s / 2 for even s, high for odd */
} block_iq3_s;          /* weight = d * (2 * scale + 1) * +-grid */
QUANT_SIZE(block_iq3_s, 110);

typedef struct QUANT_PACKED {
    uint16_t d;
    uint8_t index[32]; /* [s][l]: bits 0-7 of the index into grid iq1 */
    uint16_t head[8];  /* of s: bits 3l..3l+2 bits 8-10 of the index, bits 12-14 scale, bit 15
                          set: delta = -1/8, else 1/8 */
} block_iq1_s;         /* weight = d * (2 * scale + 1) * (grid + delta) */
QUANT_SIZE(block_iq1_s, 50);

typedef struct QUANT_PACKED {
    uint8_t index[32]; /* [s][l]: bits 0-7 of the index into grid iq1 */
    uint8_t head[16];  /* [s][l / 2], low nibble l even, high l odd: bits 0-2 bits 8-10 of the
                          index, bit 3 the sign of delta as in IQ1_S */
    uint16_t scale[4]; /* of s / 2: bits 0-2, 3-5 (s even), 6-8, 9-11 (s odd) the scales of l = 0, 1
                          and l = 2, 3; bits 12-15 of the four make up d, lowest first */
} block_iq1_m;         /* weight = d * (2 * scale + 1) * (grid + delta) */
QUANT_SIZE(block_iq1_m, 56);

typedef struct QUANT_PACKED {
    uint16_t d;
    uint8_t q[16]; /* nibbles i, i+16; weight = d * iq4_level[q] */
} block_iq4_nl;
QUANT_SIZE(block_iq4_nl, 18);

typedef struct QUANT_PACKED {
    uint16_t d;
    uint16_t scale_h;   /* bits 2s, 2s+1: bits 4-5 of the scale of s */
    uint8_t scale_l[4]; /* bits 0-3: low nibble of byte s / 2 for even s, high for odd */
    uint8_t q[128];     /* [s][16]: nibbles i, i+16 of s */
} block_iq4_xs;         /* weight = d * (scale - 32) * iq4_level[q] */
QUANT_SIZE(block_iq4_xs, 136);

/* ---- ternary (q_tern.c) --------------------------------------------------------------------- */

/* A byte of TQ1_0 is five digits 0, 1, 2 of a number in base 3, most significant first, read as the
 * fraction 0.t0t1t2t3t4 and stored as ceil(256 * fraction). */
typedef struct QUANT_PACKED {
    uint8_t q[48]; /* byte i < 32: weights i + 32t (t = 0..4); byte 32 + i: weights 160 + i + 16t */
    uint8_t qh[4]; /* byte i: weights 240 + i + 4t (t = 0..3; the fifth digit is 0) */
    uint16_t d;    /* weight = d * (digit - 1) */
} block_tq1_0;
QUANT_SIZE(block_tq1_0, 54);

typedef struct QUANT_PACKED {
    uint8_t q[64]; /* 2-bit array as in Q2_K; weight = d * (q - 1), q = 3 is not written */
    uint16_t d;
} block_tq2_0;
QUANT_SIZE(block_tq2_0, 66);

/* ---- one and two bits with one scale (q_tern.c) ---------------------------------------------- */

typedef struct QUANT_PACKED {
    uint16_t d;
    uint8_t q[16]; /* bit j of byte i: weight 8i + j = d if set, else -d */
} block_q1_0;
QUANT_SIZE(block_q1_0, 18);

typedef struct QUANT_PACKED {
    uint16_t d;
    uint8_t q[16]; /* bits 2j, 2j+1 of byte i: q of weight 4i + j = d * (q - 1) */
} block_q2_0;
QUANT_SIZE(block_q2_0, 18);

/* ---- microscaling (q_mx.c): OCP MX specification 1.0 ----------------------------------------- */

typedef struct QUANT_PACKED {
    uint8_t e;     /* scale 2^(e - 127) */
    uint8_t q[16]; /* nibbles i, i+16: sign, two exponent bits, one mantissa bit (E2M1):
                      0 1/2 1 3/2 2 3 4 6 */
} block_mxfp4;
QUANT_SIZE(block_mxfp4, 17);

/* NVIDIA's format: sub-blocks of 16, whose scales are floats of 8 bits without sign (E4M3): a 0 or
 * 127 is 0; with e in bits 3-6 and m in bits 0-2 it is (1 + m / 8) * 2^(e - 7), or m * 2^-9 where
 * e is 0. */
typedef struct QUANT_PACKED {
    uint8_t scale[4];
    uint8_t q[32]; /* [sub-block][8]: nibbles i, i+8, E2M1 as in MXFP4 */
} block_nvfp4;     /* weight = scale * E2M1 */
QUANT_SIZE(block_nvfp4, 36);

#endif
