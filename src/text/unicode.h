/* unicode.h - what tokenizers ask of a character: general category, white space, Han script,
 * lower case, and the normal forms C and D of a text.
 * Layer: text. Pure functions over generated constant tables (tools/gen_unicode.py). */
#ifndef LORY_TEXT_UNICODE_H
#define LORY_TEXT_UNICODE_H

#include "base/buf.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum { /* general categories, in the order of the table */
               UNICODE_CN,
               UNICODE_LU,
               UNICODE_LL,
               UNICODE_LT,
               UNICODE_LM,
               UNICODE_LO,
               UNICODE_MN,
               UNICODE_MC,
               UNICODE_ME,
               UNICODE_ND,
               UNICODE_NL,
               UNICODE_NO,
               UNICODE_PC,
               UNICODE_PD,
               UNICODE_PS,
               UNICODE_PE,
               UNICODE_PI,
               UNICODE_PF,
               UNICODE_PO,
               UNICODE_SM,
               UNICODE_SC,
               UNICODE_SK,
               UNICODE_SO,
               UNICODE_ZS,
               UNICODE_ZL,
               UNICODE_ZP,
               UNICODE_CC,
               UNICODE_CF,
               UNICODE_CS,
               UNICODE_CO,
               UNICODE_CATEGORY_COUNT
} unicode_category;

/* Sets of characters, to test unicode_bits against. Every character has exactly one category. */
#define UNICODE_BIT(category) (1u << (category))
#define UNICODE_L             0x3Eu    /* Lu Ll Lt Lm Lo */
#define UNICODE_M             0x1C0u   /* Mn Mc Me */
#define UNICODE_N             0xE00u   /* Nd Nl No */
#define UNICODE_P             0x7F000u /* Pc Pd Ps Pe Pi Pf Po */
#define UNICODE_S             0x780000u
#define UNICODE_C             0x3C000000u /* Cc Cf Cs Co; Cn is apart */
#define UNICODE_SPACE         (1u << 30)  /* White_Space */
#define UNICODE_HAN           (1u << 31)  /* Script=Han */

/* Tables of unicode_tab.c. Two stages of 128; a byte of the second is category | white space << 5
 * | Han << 6 | "form C may change it" << 7. */
enum { UNICODE_BLOCK_BITS = 7, UNICODE_CATEGORY_MASK = 0x1F, UNICODE_MAY_COMPOSE = 0x80 };
extern const uint16_t unicode_stage1[];
extern const uint8_t unicode_stage2[];

typedef struct {
    uint32_t first, last, ccc;
} unicode_class_range; /* canonical combining class */
typedef struct {
    uint32_t cp, a, b;
} unicode_decomposition; /* one step; b may be 0 */
typedef struct {
    uint32_t a, b, cp;
} unicode_composition;
typedef struct {
    uint32_t cp, lower;
} unicode_pair;
extern const unicode_class_range unicode_ccc[];
extern const unicode_decomposition unicode_decomp[];
extern const unicode_composition unicode_comp[];
extern const unicode_pair unicode_lower[];
extern const size_t unicode_n_ccc, unicode_n_decomp, unicode_n_comp, unicode_n_lower;

/* The table byte of a character; anything above U+10FFFF (UTF8_BAD too) is unassigned. */
static inline uint8_t unicode_props(uint32_t cp)
{
    if (cp > 0x10FFFF) return UNICODE_CN;
    return unicode_stage2[(size_t)unicode_stage1[cp >> UNICODE_BLOCK_BITS] << UNICODE_BLOCK_BITS
                          | (cp & ((1u << UNICODE_BLOCK_BITS) - 1))];
}

static inline uint32_t unicode_bits(uint32_t cp)
{
    uint32_t p = unicode_props(cp);
    return 1u << (p & UNICODE_CATEGORY_MASK) | (p & 0x60u) << 25;
}

static inline unicode_category unicode_category_of(uint32_t cp)
{
    return (unicode_category)(unicode_props(cp) & UNICODE_CATEGORY_MASK);
}

uint32_t unicode_to_lower(uint32_t cp); /* simple mapping; cp itself when it has none */
int unicode_combining_class(uint32_t cp);

/* Writes the canonical decomposition of cp, fully resolved, and returns its length (1..4). */
size_t unicode_decompose(uint32_t cp, uint32_t out[4]);

/* True when no character of the text could be changed by form C: then it is in form C. False says
 * nothing. */
bool unicode_is_surely_nfc(const char *s, size_t n);

/* Append the normal form C or D of a text to *out; malformed bytes pass through. Linear in n.
 * False when memory can't be had. */
bool unicode_nfc(buf *out, const char *s, size_t n);
bool unicode_nfd(buf *out, const char *s, size_t n);

#endif
