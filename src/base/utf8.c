/* utf8.c - see utf8.h. */
#include "base/utf8.h"
#include <string.h>

static bool is_continuation(unsigned char c)
{
    return (c & 0xC0) == 0x80;
}

/* The second byte is where overlong forms (E0, F0), surrogates (ED) and values above U+10FFFF
 * (F4) show: Unicode 15, table 3-7. */
static bool is_second(unsigned char lead, unsigned char c)
{
    switch (lead) {
    case 0xE0: return c >= 0xA0 && c <= 0xBF;
    case 0xED: return c >= 0x80 && c <= 0x9F;
    case 0xF0: return c >= 0x90 && c <= 0xBF;
    case 0xF4: return c >= 0x80 && c <= 0x8F;
    default: return is_continuation(c);
    }
}

size_t utf8_lead_length(unsigned char c)
{
    if (c < 0x80) return 1;
    if (c >= 0xC2 && c <= 0xDF) return 2;
    if (c >= 0xE0 && c <= 0xEF) return 3;
    if (c >= 0xF0 && c <= 0xF4) return 4;
    return 0;
}

size_t utf8_decode_long(const char *s, size_t n, uint32_t *cp)
{
    const unsigned char *u = (const unsigned char *)s;
    size_t len = utf8_lead_length(u[0]);
    *cp = UTF8_BAD;
    if (len == 0 || len > n) return 1;
    if (len == 1) {
        *cp = u[0];
        return 1;
    }
    if (!is_second(u[0], u[1])) return 1;
    uint32_t value = u[0] & (0x7Fu >> len);
    for (size_t i = 1; i < len; i++) {
        if (!is_continuation(u[i])) return 1;
        value = value << 6 | (u[i] & 0x3Fu);
    }
    *cp = value;
    return len;
}

size_t utf8_mark(const char *s, size_t n)
{
    return n >= 3 && memcmp(s, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
}

size_t utf8_encode(uint32_t cp, char out[UTF8_MAX_BYTES])
{
    if (cp < 0x80) {
        out[0] = (char)cp;
        return 1;
    }
    if (cp < 0x800) {
        out[0] = (char)(0xC0 | cp >> 6);
        out[1] = (char)(0x80 | (cp & 0x3F));
        return 2;
    }
    if (cp < 0x10000) {
        if (cp >= 0xD800 && cp <= 0xDFFF) return 0;
        out[0] = (char)(0xE0 | cp >> 12);
        out[1] = (char)(0x80 | (cp >> 6 & 0x3F));
        out[2] = (char)(0x80 | (cp & 0x3F));
        return 3;
    }
    if (cp > UTF8_MAX) return 0;
    out[0] = (char)(0xF0 | cp >> 18);
    out[1] = (char)(0x80 | (cp >> 12 & 0x3F));
    out[2] = (char)(0x80 | (cp >> 6 & 0x3F));
    out[3] = (char)(0x80 | (cp & 0x3F));
    return 4;
}

size_t utf8_count(const char *s, size_t n)
{
    size_t count = 0;
    uint32_t cp;
    for (size_t i = 0; i < n; i += utf8_decode(s + i, n - i, &cp)) count++;
    return count;
}

bool utf8_is_valid(const char *s, size_t n)
{
    uint32_t cp;
    for (size_t i = 0; i < n;) {
        i += utf8_decode(s + i, n - i, &cp);
        if (cp == UTF8_BAD) return false;
    }
    return true;
}

size_t utf8_incomplete_tail(const char *s, size_t n)
{
    const unsigned char *u = (const unsigned char *)s;
    for (size_t back = 1; back < UTF8_MAX_BYTES && back <= n; back++) {
        unsigned char c = u[n - back];
        if (is_continuation(c)) continue;
        if (utf8_lead_length(c) <= back) return 0;
        return back == 1 || is_second(c, u[n - back + 1]) ? back : 0;
    }
    return 0;
}

size_t utf8_cut(const char *s, size_t n, size_t max)
{
    return n <= max ? n : max - utf8_incomplete_tail(s, max);
}
