/* test_ids.c - token ids as people and programs write them. */
#include "base/mem.h"
#include "cli/cli.h"
#include "test.h"

static bool read(const char *text, lory_tokens *t, lory_err *err)
{
    return cli_read_ids("-p", text, strlen(text), 1000, t, err);
}

TEST(ids_are_read_in_every_form)
{
    static const char *const forms[] = { "1,20,300",    "1 20 300",       "[1,20,300]",
                                         "[1 20 300]",  "1\n20\n300\n",   " [ 1 ,\t20 , 300 ] \n",
                                         "1, 20, 300 ", "\r\n1 ,20 ,300", "001,020,300" };
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        lory_tokens t = { 0 };
        lory_err err = { 0 };
        CHECK(read(forms[i], &t, &err), "form %zu: %s", i, err.text);
        CHECK(t.n == 3 && t.id[0] == 1 && t.id[1] == 20 && t.id[2] == 300, "form %zu", i);
        mem_free(t.id);
    }
}

TEST(no_ids_are_no_ids)
{
    static const char *const forms[] = { "", " \n", "[]", " [ ] " };
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        lory_tokens t = { 0 };
        CHECK(read(forms[i], &t, NULL) && t.n == 0, "form %zu", i);
        mem_free(t.id);
    }
}

TEST(wrong_ids_say_which_and_why)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        { "1 x", "-p: id 2 is not a token id (found \"x\", expected 0 to 999)" },
        { "1.5", "-p: id 1 is not a token id (found \"1.5\", expected 0 to 999)" },
        { "-1", "-p: id 1 is not a token id (found \"-1\", expected 0 to 999)" },
        { "1000", "-p: id 1 is not in the vocabulary (found \"1000\", expected 0 to 999)" },
        { "5 99999999999999999999999", "-p: id 2 is not in the vocabulary (found "
                                       "\"99999999999999999999999\", expected 0 to 999)" },
        { "1,,2", "-p: id 2 is not a token id (found \"\", expected 0 to 999)" },
        { "1,2,", "-p: no id after the last comma" },
        { "[1,2", "-p: the array of ids does not end" },
        { "[1] 2", "-p: text after the array of ids" },
        { "1 2]", "-p: id 2 is not a token id (found \"2]\", expected 0 to 999)" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        lory_tokens t = { 0 };
        lory_err err = { 0 };
        CHECK(!read(cases[i].text, &t, &err), "case %zu", i);
        CHECK_STR(err.text, cases[i].want);
        mem_free(t.id);
    }
}
