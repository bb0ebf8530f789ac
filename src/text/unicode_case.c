/* unicode_case.c - see unicode_case.h. */
#include "text/unicode_case.h"
#include "base/utf8.h"
#include "text/unicode.h"

enum { CAPITAL_SIGMA = 0x3A3, SMALL_SIGMA = 0x3C3, FINAL_SIGMA = 0x3C2, CAPITAL_I_DOT = 0x130 };

/* What the table makes of cp; 0 when it is not in there. */
static size_t map(const unicode_mapping *rows, size_t n, uint32_t cp, uint32_t *out)
{
    size_t lo = 0, hi = n, len = 0;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (rows[mid].cp < cp)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (lo == n || rows[lo].cp != cp) return 0;
    while (len < UNICODE_CASE_MAX && rows[lo].to[len]) out[len] = rows[lo].to[len], len++;
    return len;
}

size_t unicode_full_upper(uint32_t cp, uint32_t out[UNICODE_CASE_MAX])
{
    size_t n = map(unicode_upper, unicode_n_upper, cp, out);
    if (n == 0) out[n++] = cp;
    return n;
}

size_t unicode_full_title(uint32_t cp, uint32_t out[UNICODE_CASE_MAX])
{
    size_t n = map(unicode_title, unicode_n_title, cp, out);
    return n ? n : unicode_full_upper(cp, out);
}

static size_t lower_alone(uint32_t cp, uint32_t out[UNICODE_CASE_MAX])
{
    out[0] = unicode_to_lower(cp);
    out[1] = 0x307; /* combining dot above, of the only one that becomes two */
    return cp == CAPITAL_I_DOT ? 2 : 1;
}

size_t unicode_full_fold(uint32_t cp, uint32_t out[UNICODE_CASE_MAX])
{
    size_t n = map(unicode_fold, unicode_n_fold, cp, out);
    return n ? n : lower_alone(cp, out);
}

/* The start of the character that ends before `at`. */
static size_t step_back(const char *s, size_t at)
{
    do at--;
    while (at > 0 && ((unsigned char)s[at] & 0xC0) == 0x80);
    return at;
}

/* Whether the first character that is not case-ignorable, before or after, is cased. */
static bool is_cased_before(const char *s, size_t n, size_t at)
{
    uint32_t cp;
    while (at > 0) {
        at = step_back(s, at);
        utf8_decode(s + at, n - at, &cp);
        unsigned flags = unicode_flags_of(cp);
        if (!(flags & UNICODE_CASE_IGNORABLE)) return flags & UNICODE_IS_CASED;
    }
    return false;
}

static bool is_cased_after(const char *s, size_t n, size_t at)
{
    uint32_t cp;
    while (at < n) {
        at += utf8_decode(s + at, n - at, &cp);
        unsigned flags = unicode_flags_of(cp);
        if (!(flags & UNICODE_CASE_IGNORABLE)) return flags & UNICODE_IS_CASED;
    }
    return false;
}

size_t unicode_full_lower(const char *s, size_t n, size_t at, uint32_t out[UNICODE_CASE_MAX])
{
    uint32_t cp;
    size_t len = utf8_decode(s + at, n - at, &cp);
    if (cp != CAPITAL_SIGMA) return lower_alone(cp, out);
    bool is_final = is_cased_before(s, n, at) && !is_cased_after(s, n, at + len);
    out[0] = is_final ? FINAL_SIGMA : SMALL_SIGMA;
    return 1;
}

unsigned unicode_flags_of(uint32_t cp)
{
    size_t lo = 0, hi = unicode_n_flags;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (unicode_flags[mid].last < cp)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < unicode_n_flags && unicode_flags[lo].first <= cp ? unicode_flags[lo].flags : 0;
}

bool unicode_is_space(uint32_t cp)
{
    if (cp < 0x80) return cp == ' ' || (cp >= 9 && cp <= 13) || (cp >= 0x1C && cp <= 0x1F);
    return unicode_bits(cp) & UNICODE_SPACE;
}

bool unicode_is_printable(uint32_t cp)
{
    enum {
        SEPARATOR = UNICODE_BIT(UNICODE_ZS) | UNICODE_BIT(UNICODE_ZL) | UNICODE_BIT(UNICODE_ZP)
    };
    if (cp < 0x7F) return cp >= 0x20;
    return !(unicode_bits(cp) & (UNICODE_C | UNICODE_BIT(UNICODE_CN) | SEPARATOR));
}

bool unicode_is_alpha(uint32_t cp)
{
    return unicode_bits(cp) & UNICODE_L;
}

bool unicode_is_decimal(uint32_t cp)
{
    return unicode_bits(cp) & UNICODE_BIT(UNICODE_ND);
}

bool unicode_is_alnum(uint32_t cp)
{
    return unicode_is_alpha(cp) || (unicode_flags_of(cp) & UNICODE_IS_NUMERIC);
}
