/* test_err.c - one code, one clean line. */
#include "base/err.h"
#include "test.h"
#include <errno.h>

TEST(err_set_formats_and_returns_false)
{
    lory_err err = { 0 };
    CHECK(!err_set(&err, LORY_E_FORMAT, "%s: version %d (expected %d)", "a.gguf", 9, 3));
    CHECK(err.code == LORY_E_FORMAT);
    CHECK_STR(err.text, "a.gguf: version 9 (expected 3)");
    CHECK(!err_set(NULL, LORY_E_FORMAT, "nobody %s", "listens"));
}

TEST(err_text_is_one_line_without_control_characters)
{
    lory_err err = { 0 };
    err_set(&err, LORY_E_IO, "a\nb\tc\x1b[31m\x7f|\xc2\x9b|\xc3\xa9|\xc2\xa0|\xc2");
    CHECK_STR(err.text, "a?b?c?[31m?|??|\xc3\xa9|\xc2\xa0|?");
}

TEST(err_text_is_valid_utf8_whatever_name_is_in_it)
{
    lory_err err = { 0 };
    err_set(&err, LORY_E_FORMAT, "'%.*s' '\x80' '\xff\xf5'", 2, "a\xe6\xbc\xa2"); /* half of one */
    CHECK_STR(err.text, "'a?' '?' '?" "?'");
    err_set(&err, LORY_E_FORMAT,
            "\xc0\xaf \xe0\x80\x80 \xed\xa0\x80 \xf0\x80\x80\x80 \xf4\x90\x80\x80");
    CHECK_STR(err.text, "?? ??? ??? ???? ????");
    err_set(&err, LORY_E_FORMAT, "\xe6\xbc\xa2 \xf0\x9f\x90\xa6 \xf4\x8f\xbf\xbf");
    CHECK_STR(err.text, "\xe6\xbc\xa2 \xf0\x9f\x90\xa6 \xf4\x8f\xbf\xbf");
}

TEST(err_text_is_cut_at_a_whole_character)
{
    char long_text[LORY_ERR_MAX * 2 + 1];
    lory_err err = { 0 };
    for (int shift = 0; shift < 4; shift++) { /* 4-byte characters at every place of the cut */
        memset(long_text, 'x', sizeof long_text);
        for (size_t i = (size_t)shift; i + 4 < sizeof long_text; i += 4)
            memcpy(long_text + i, "\xf0\x9f\x90\xa6", 4);
        long_text[sizeof long_text - 1] = '\0';
        err_set(&err, LORY_E_IO, "%s", long_text);
        size_t n = strlen(err.text);
        CHECK(n < LORY_ERR_MAX && n + 4 >= LORY_ERR_MAX, "%zu bytes; a character more has room", n);
        CHECK((n - (size_t)shift) % 4 == 0, "shift %d: cut after %zu bytes", shift, n);
    }
    memset(long_text, 'x', sizeof long_text - 1);
    err_set(&err, LORY_E_IO, "%s", long_text);
    CHECK(strlen(err.text) == LORY_ERR_MAX - 1);
    memset(long_text, 0x80, sizeof long_text - 1);
    err_set(&err, LORY_E_IO, "%s", long_text); /* no character at all: no crash */
    CHECK(strlen(err.text) < LORY_ERR_MAX);
}

TEST(err_text_may_be_its_own_argument)
{
    lory_err err = { 0 };
    err_set(&err, LORY_E_FORMAT, "key: not a number");
    err_set(&err, err.code, "a.gguf: %s", err.text);
    CHECK_STR(err.text, "a.gguf: key: not a number");
}

TEST(err_set_errno_appends_the_reason)
{
    lory_err err = { 0 };
    errno = ENOENT;
    CHECK(!err_set_errno(&err, LORY_E_IO, "%s: cannot open", "x"));
    CHECK_STR(err.text, "x: cannot open: No such file or directory");
}
