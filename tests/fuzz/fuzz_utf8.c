/* fuzz_utf8.c - any bytes: decoding advances, agrees with encoding, and a cut text is whole but for
 * what utf8_incomplete_tail says; normal forms are stable. */
#include "base/buf.h"
#include "base/utf8.h"
#include "fuzz.h"
#include "text/unicode.h"
#include <string.h>

static void check_characters(const char *s, size_t n)
{
    size_t count = 0;
    bool valid = true;
    for (size_t i = 0, len; i < n; i += len, count++) {
        char again[UTF8_MAX_BYTES];
        uint32_t cp;
        len = utf8_decode(s + i, n - i, &cp);
        MUST(len >= 1 && len <= n - i);
        if (cp == UTF8_BAD)
            MUST(len == 1);
        else
            MUST(utf8_encode(cp, again) == len && memcmp(again, s + i, len) == 0);
        valid &= cp != UTF8_BAD;
    }
    MUST(count == utf8_count(s, n) && valid == utf8_is_valid(s, n));
    if (valid) MUST(utf8_incomplete_tail(s, n) == 0);
    MUST(utf8_incomplete_tail(s, n) <= n);
}

static void check_forms(const char *s, size_t n)
{
    buf c = { 0 }, d = { 0 }, c2 = { 0 }, cd = { 0 };
    MUST(unicode_nfc(&c, s, n) && unicode_nfd(&d, s, n));
    MUST(unicode_nfc(&c2, c.data, c.len) && unicode_nfc(&cd, d.data, d.len));
    MUST(c.len == c2.len && (c.len == 0 || memcmp(c.data, c2.data, c.len) == 0));
    MUST(c.len == cd.len && (c.len == 0 || memcmp(c.data, cd.data, c.len) == 0));
    buf_free(&c), buf_free(&d), buf_free(&c2), buf_free(&cd);
}

int fuzz_utf8(const uint8_t *data, size_t n)
{
    check_characters((const char *)data, n);
    check_forms((const char *)data, n);
    return 0;
}

#ifdef LORY_FUZZ
FUZZ_MAIN(fuzz_utf8)
#endif
