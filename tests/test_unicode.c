/* test_unicode.c - categories, lower case and normal forms, on characters chosen by hand. */
#include "base/utf8.h"
#include "test.h"
#include "text/unicode.h"

TEST(unicode_categories_of_known_characters)
{
    /* clang-format off */
    static const struct { uint32_t cp; unicode_category want; } rows[] = {
        { 'A', UNICODE_LU }, { 'z', UNICODE_LL }, { '5', UNICODE_ND }, { '_', UNICODE_PC },
        { '-', UNICODE_PD }, { '(', UNICODE_PS }, { ')', UNICODE_PE }, { '!', UNICODE_PO },
        { '$', UNICODE_SC }, { '+', UNICODE_SM }, { '^', UNICODE_SK }, { ' ', UNICODE_ZS },
        { '\n', UNICODE_CC }, { 0x00AB, UNICODE_PI }, { 0x00BB, UNICODE_PF },
        { 0x00A9, UNICODE_SO }, { 0x00B2, UNICODE_NO }, { 0x01C5, UNICODE_LT },
        { 0x02B0, UNICODE_LM }, { 0x0301, UNICODE_MN }, { 0x0903, UNICODE_MC },
        { 0x20DD, UNICODE_ME }, { 0x2160, UNICODE_NL }, { 0x2028, UNICODE_ZL },
        { 0x2029, UNICODE_ZP }, { 0x200B, UNICODE_CF }, { 0xE000, UNICODE_CO },
        { 0xD800, UNICODE_CS }, { 0x0378, UNICODE_CN }, { 0x4E00, UNICODE_LO },
        { 0x10FFFF, UNICODE_CN }, { UTF8_BAD, UNICODE_CN }, { 0x1F600, UNICODE_SO },
    };
    /* clang-format on */
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        CHECK(unicode_category_of(rows[i].cp) == rows[i].want, "U+%04X is %d, want %d",
              (unsigned)rows[i].cp, (int)unicode_category_of(rows[i].cp), (int)rows[i].want);
}

TEST(unicode_sets_are_what_their_names_say)
{
    static const uint32_t spaces[] = { 9,      10,     11,     12,     13,     32,
                                       0x85,   0xA0,   0x1680, 0x2000, 0x200A, 0x2028,
                                       0x2029, 0x202F, 0x205F, 0x3000 };
    size_t n_spaces = 0, n_bits;
    for (uint32_t cp = 0; cp <= UTF8_MAX; cp++) {
        uint32_t bits = unicode_bits(cp);
        n_spaces += (bits & UNICODE_SPACE) != 0;
        for (n_bits = 0, bits &= 0x3FFFFFFF; bits; bits &= bits - 1) n_bits++;
        if (n_bits != 1) CHECK(n_bits == 1, "U+%04X has %zu categories", (unsigned)cp, n_bits);
    }
    CHECK(n_spaces == 25, "%zu characters of white space", n_spaces);
    for (size_t i = 0; i < sizeof spaces / sizeof spaces[0]; i++)
        CHECK(unicode_bits(spaces[i]) & UNICODE_SPACE, "U+%04X", (unsigned)spaces[i]);
    CHECK(!(unicode_bits(0x200B) & UNICODE_SPACE) && !(unicode_bits(0x180E) & UNICODE_SPACE));
    CHECK(unicode_bits(0x4E00) & UNICODE_HAN && unicode_bits(0x3007) & UNICODE_HAN);
    CHECK(!(unicode_bits(0x3042) & UNICODE_HAN) && !(unicode_bits(0xAC00) & UNICODE_HAN));
    CHECK(unicode_bits('A') & UNICODE_L && unicode_bits(0x0301) & UNICODE_M);
    CHECK(unicode_bits(0x00B2) & UNICODE_N && unicode_bits('_') & UNICODE_P);
    CHECK(unicode_bits('+') & UNICODE_S && unicode_bits(0) & UNICODE_C);
}

TEST(unicode_lower_case)
{
    CHECK(unicode_to_lower('A') == 'a' && unicode_to_lower('a') == 'a');
    CHECK(unicode_to_lower(0x00C9) == 0x00E9 && unicode_to_lower(0x0416) == 0x0436);
    CHECK(unicode_to_lower(0x0130) == 'i' && unicode_to_lower(0x1E9E) == 0x00DF);
    CHECK(unicode_to_lower(0x10400) == 0x10428 && unicode_to_lower(0x4E00) == 0x4E00);
}

static void check_forms(const char *s, const char *nfc, const char *nfd)
{
    buf c = { 0 }, d = { 0 }, again = { 0 };
    CHECK(unicode_nfc(&c, s, strlen(s)) && unicode_nfd(&d, s, strlen(s)));
    CHECK_STR(c.data, nfc);
    CHECK_STR(d.data, nfd);
    CHECK(unicode_nfc(&again, d.data, d.len));
    CHECK_STR(again.data, nfc);
    buf_free(&c), buf_free(&d), buf_free(&again);
}

TEST(unicode_normal_forms)
{
    check_forms("abc", "abc", "abc");
    check_forms("e\xCC\x81", "\xC3\xA9", "e\xCC\x81");
    check_forms("\xC3\xA9", "\xC3\xA9", "e\xCC\x81");
    /* U+1E69 and its marks in the wrong order: s + dot above + dot below */
    check_forms("s\xCC\x87\xCC\xA3", "\xE1\xB9\xA9", "s\xCC\xA3\xCC\x87");
    check_forms("\xE1\xB9\xA9", "\xE1\xB9\xA9", "s\xCC\xA3\xCC\x87");
    /* Hangul: the syllable U+D55C = U+1112 U+1161 U+11AB */
    check_forms("\xED\x95\x9C", "\xED\x95\x9C", "\xE1\x84\x92\xE1\x85\xA1\xE1\x86\xAB");
    check_forms("\xE1\x84\x92\xE1\x85\xA1x", "\xED\x95\x98x", "\xE1\x84\x92\xE1\x85\xA1x");
    /* excluded from composition (U+0958), singletons (U+212B, U+2126) */
    check_forms("\xE0\xA5\x98", "\xE0\xA4\x95\xE0\xA4\xBC", "\xE0\xA4\x95\xE0\xA4\xBC");
    check_forms("\xE2\x84\xAB\xE2\x84\xA6", "\xC3\x85\xCE\xA9", "A\xCC\x8A\xCE\xA9");
    /* a mark without a starter; a blocked mark */
    check_forms("\xCC\x81"
                "a",
                "\xCC\x81"
                "a",
                "\xCC\x81"
                "a");
    check_forms("a\xCC\x8D\xCC\x81", "a\xCC\x8D\xCC\x81", "a\xCC\x8D\xCC\x81");
    /* a starter that composes: U+09C7 U+09BE */
    check_forms("\xE0\xA7\x87\xE0\xA6\xBE", "\xE0\xA7\x8B", "\xE0\xA7\x87\xE0\xA6\xBE");
    /* malformed bytes pass through and stop composition */
    check_forms("e\xFF\xCC\x81", "e\xFF\xCC\x81", "e\xFF\xCC\x81");
    check_forms("\xE2\x82"
                "e\xCC\x81\xC3",
                "\xE2\x82\xC3\xA9\xC3",
                "\xE2\x82"
                "e\xCC\x81\xC3");
}

TEST(unicode_every_character_composes_back_from_its_parts)
{
    buf d = { 0 }, c1 = { 0 }, c2 = { 0 };
    for (uint32_t cp = 1; cp <= UTF8_MAX; cp += (uint32_t)test_stride(7)) {
        char s[UTF8_MAX_BYTES];
        size_t n = utf8_encode(cp, s);
        if (!n) continue;
        buf_clear(&d), buf_clear(&c1), buf_clear(&c2);
        REQUIRE(unicode_nfd(&d, s, n) && unicode_nfc(&c1, s, n));
        REQUIRE(unicode_nfc(&c2, d.data, d.len));
        REQUIRE(c1.len == c2.len && memcmp(c1.data, c2.data, c1.len) == 0, "U+%04X", (unsigned)cp);
    }
    buf_free(&d), buf_free(&c1), buf_free(&c2);
}

TEST(unicode_a_megabyte_of_marks_stays_linear_and_sorted)
{
    enum { N = 300000 };
    buf s = { 0 }, out = { 0 };
    uint32_t cp;
    int last = 0;
    buf_putc(&s, 'x');
    for (int i = 0; i < N; i++) buf_puts(&s, i % 2 ? "\xCC\x81" : "\xCC\xA7"); /* 230, 202 */
    REQUIRE(unicode_nfc(&out, s.data, s.len));
    CHECK(out.len == s.len);
    for (size_t i = 1; i < out.len; i += utf8_decode(out.data + i, out.len - i, &cp)) {
        utf8_decode(out.data + i, out.len - i, &cp);
        REQUIRE(unicode_combining_class(cp) >= last);
        last = unicode_combining_class(cp);
    }
    buf_free(&s), buf_free(&out);
}
