/* test_utf8.c - UTF-8: every code point both ways, every malformed form, where a cut text ends. */
#include "base/utf8.h"
#include "test.h"

TEST(utf8_every_code_point_survives_encode_and_decode)
{
    for (uint32_t cp = 0; cp <= UTF8_MAX + 2; cp++) {
        char s[UTF8_MAX_BYTES];
        uint32_t back = 0;
        size_t n = utf8_encode(cp, s);
        bool is_scalar = cp <= UTF8_MAX && (cp < 0xD800 || cp > 0xDFFF);
        REQUIRE((n > 0) == is_scalar);
        if (!n) continue;
        REQUIRE(utf8_lead_length((unsigned char)s[0]) == n);
        REQUIRE(utf8_decode(s, n, &back) == n && back == cp);
        REQUIRE(utf8_incomplete_tail(s, n) == 0);
        for (size_t cut = 1; cut < n; cut++) {
            REQUIRE(utf8_decode(s, cut, &back) == 1 && back == UTF8_BAD);
            REQUIRE(utf8_incomplete_tail(s, cut) == cut);
        }
    }
}

TEST(utf8_malformed_forms_are_one_bad_byte_each)
{
    /* clang-format off */
    static const struct { const char *s; size_t n, n_bad; } rows[] = {
        { "\x80", 1, 1 },                 /* a continuation byte alone */
        { "\xC0\x80", 2, 2 },             /* overlong NUL */
        { "\xC1\xBF", 2, 2 },             /* overlong, two bytes */
        { "\xE0\x9F\xBF", 3, 3 },         /* overlong, three bytes */
        { "\xF0\x8F\xBF\xBF", 4, 4 },     /* overlong, four bytes */
        { "\xED\xA0\x80", 3, 3 },         /* a surrogate */
        { "\xF4\x90\x80\x80", 4, 4 },     /* U+110000 */
        { "\xF5\x80\x80\x80", 4, 4 },     /* a byte no character starts with */
        { "\xFF\xFE", 2, 2 },
        { "\xE2\x82", 2, 2 },             /* cut */
        { "\xE2\x82" "A", 3, 2 },         /* cut by another character */
        { "\xC3\xA9\xC3", 3, 1 },         /* good, then cut */
    };
    /* clang-format on */
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t n_bad = 0;
        uint32_t cp;
        for (size_t at = 0; at < rows[i].n;) {
            size_t len = utf8_decode(rows[i].s + at, rows[i].n - at, &cp);
            n_bad += cp == UTF8_BAD;
            if (cp == UTF8_BAD) CHECK(len == 1);
            at += len;
        }
        CHECK(n_bad == rows[i].n_bad, "row %zu: %zu bad bytes, want %zu", i, n_bad, rows[i].n_bad);
        CHECK(!utf8_is_valid(rows[i].s, rows[i].n), "row %zu is valid", i);
    }
}

TEST(utf8_counts_characters)
{
    CHECK(utf8_count("", 0) == 0);
    CHECK(utf8_count("a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80", 10) == 4);
    CHECK(utf8_count("a\xFF\xE2\x82", 4) == 4);
    CHECK(utf8_is_valid("", 0) && utf8_is_valid("a\0b\xC3\xA9", 5));
}

TEST(utf8_cut_leaves_no_half_character)
{
    CHECK(utf8_cut("a\xC3\x84", 3, 3) == 3);
    CHECK(utf8_cut("a\xC3\x84", 3, 2) == 1);
    CHECK(utf8_cut("\xF0\x9F\x98\x80z", 5, 4) == 4);
    CHECK(utf8_cut("\xF0\x9F\x98\x80z", 5, 3) == 0);
    CHECK(utf8_cut("abc", 3, 0) == 0);
}

TEST(utf8_incomplete_tail_holds_back_only_what_can_become_whole)
{
    CHECK(utf8_incomplete_tail("", 0) == 0);
    CHECK(utf8_incomplete_tail("abc", 3) == 0);
    CHECK(utf8_incomplete_tail("ab\xF0\x9F\x98", 5) == 3);
    CHECK(utf8_incomplete_tail("ab\xE2\x82", 4) == 2);
    CHECK(utf8_incomplete_tail("\xC3", 1) == 1);
    CHECK(utf8_incomplete_tail("\x80\x80\x80\x80", 4) == 0);
    CHECK(utf8_incomplete_tail("\xC3\xA9\xA9", 3) == 0);
    CHECK(utf8_incomplete_tail("\xC0", 1) == 0);         /* starts nothing */
    CHECK(utf8_incomplete_tail("\xED\xA0", 2) == 0);     /* would be a surrogate */
    CHECK(utf8_incomplete_tail("\xE0\x80", 2) == 0);     /* would be overlong */
    CHECK(utf8_incomplete_tail("\xF4\x90\x80", 3) == 0); /* would be above U+10FFFF */
}
