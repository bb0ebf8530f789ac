/* test_opts.c - options as rows: every kind, groups, wrong lines, and the help page. */
#include "cli/opts.h"
#include "test.h"
#include <limits.h>

typedef struct {
    int n_threads;
} inner_opts;

typedef struct {
    bool is_on;
    const char *text, *maybe, *first, *second;
    int n, choice, set;
    int64_t seed;
    float x;
    opt_list list;
    opt_ints ints;
    inner_opts inner;
} all_opts;

#define DEFAULTS                                                                                   \
    {                                                                                              \
        .text = "none", .n = 7, .set = -1, .seed = -1, .x = 0.5f                                   \
    }
#define AT(field) offsetof(all_opts, field)

static const char *const colours[] = { "red", "green", "blue", NULL };

static const opt_row inner_rows[] = {
    { 't', "threads", OPT_INT, offsetof(inner_opts, n_threads), "N", .min = 1, .max = 8,
      .help = "threads" },
    { .kind = OPT_END },
};

static const opt_row rows[] = {
    { 0, "FIRST", OPT_ARG, AT(first), .help = "an argument" },
    { 0, "SECOND", OPT_ARG, AT(second), .help = "another", .is_optional = true },
    { 'o', "on", OPT_BOOL, AT(is_on), .help = "a switch" },
    { 0, "yes", OPT_SET, AT(set), .min = 1, .help = "sets 1" },
    { 0, "no", OPT_SET, AT(set), .min = 0, .help = "sets 0" },
    { 'x', "text", OPT_STR, AT(text), "TEXT", .help = "a text" },
    { 0, "maybe", OPT_MAYBE, AT(maybe), "red", .choices = colours, .help = "with or without" },
    { 0, NULL, OPT_GROUP, AT(inner), .rows = inner_rows },
    { 'n', "number", OPT_INT, AT(n), "N", .help = "any int" },
    { 's', "seed", OPT_INT64, AT(seed), "N", .min = -1, .help = "a seed" },
    { 0, "float", OPT_FLOAT, AT(x), "X", .max = 1, .also = "real fraction", .help = "a share" },
    { 0, "colour", OPT_CHOICE, AT(choice), "red|green|blue", .choices = colours,
      .help = "one of three" },
    { 'l', "list", OPT_LIST, AT(list), "TEXT", .help = "many" },
    { 0, "ints", OPT_INTS, AT(ints), "N,N", .min = 1, .max = 100, .help = "numbers" },
    { .kind = OPT_END },
};
static const opts_page page = { "lory test", "FIRST [SECOND] [options]", "Tests.", rows, NULL,
                                NULL };

/* Parses the words after "test", NULL-terminated. */
static opts_result parse(all_opts *o, lory_err *err, const char *const *words)
{
    char *argv[32] = { "test" };
    int argc = 1;
    for (; words[argc - 1]; argc++) argv[argc] = (char *)(uintptr_t)words[argc - 1];
    return opts_parse(&page, o, argc, argv, err);
}
#define PARSE(o, err, ...) parse(o, err, (const char *const[]){ __VA_ARGS__, NULL })

TEST(every_kind_of_option_is_stored)
{
    all_opts o = DEFAULTS;
    lory_err err;
    REQUIRE(PARSE(&o, &err, "a", "-o", "--yes", "--text=t", "--maybe=blue", "-t", "3", "-n", "-12",
                  "-s", "9223372036854775807", "--float", "1e-1", "--colour", "green", "-l", "1",
                  "--list=2", "--ints", "1,20,100", "b")
                == OPTS_OK,
            "%s", err.text);
    CHECK_STR(o.first, "a");
    CHECK_STR(o.second, "b");
    CHECK(o.is_on && o.set == 1 && o.inner.n_threads == 3 && o.n == -12 && o.choice == 1);
    CHECK_STR(o.text, "t");
    CHECK_STR(o.maybe, "blue");
    CHECK(o.seed == INT64_MAX && o.x == 0.1f);
    REQUIRE(o.list.n == 2 && o.ints.n == 3);
    CHECK_STR(o.list.item[1], "2");
    CHECK(o.ints.item[0] == 1 && o.ints.item[1] == 20 && o.ints.item[2] == 100);
    opts_free(&page, &o);
    CHECK(o.list.n == 0 && !o.list.item);
}

TEST(what_is_not_given_keeps_its_default)
{
    all_opts o = DEFAULTS;
    lory_err err;
    REQUIRE(PARSE(&o, &err, "a") == OPTS_OK);
    CHECK(!o.is_on && o.n == 7 && o.set == -1 && o.seed == -1 && o.x == 0.5f && !o.second
          && !o.maybe);
    CHECK_STR(o.text, "none");
}

TEST(an_option_without_its_optional_value_is_empty_and_leaves_the_next_word)
{
    all_opts o = DEFAULTS;
    lory_err err;
    REQUIRE(PARSE(&o, &err, "--maybe", "red") == OPTS_OK);
    CHECK_STR(o.maybe, "");
    CHECK_STR(o.first, "red");
}

TEST(the_last_of_a_repeated_option_counts)
{
    all_opts o = DEFAULTS;
    lory_err err;
    REQUIRE(PARSE(&o, &err, "a", "--yes", "-n", "1", "--no", "-n", "2") == OPTS_OK);
    CHECK(o.set == 0 && o.n == 2);
}

TEST(two_dashes_end_the_options_and_one_is_an_argument)
{
    all_opts o = DEFAULTS;
    lory_err err;
    REQUIRE(PARSE(&o, &err, "-", "--", "--on") == OPTS_OK);
    CHECK_STR(o.first, "-");
    CHECK_STR(o.second, "--on");
    CHECK(!o.is_on);
}

TEST(a_value_may_look_like_an_option)
{
    all_opts o = DEFAULTS;
    lory_err err;
    REQUIRE(PARSE(&o, &err, "a", "-x", "--on", "-l", "--") == OPTS_OK);
    CHECK_STR(o.text, "--on");
    CHECK(!o.is_on && o.list.n == 1);
    opts_free(&page, &o);
}

TEST(wrong_lines_say_what_is_wrong)
{
    static const struct {
        const char *words[4], *want;
    } cases[] = {
        { { "a", "b", "c" },
          "c: an argument that lory test does not expect (nearest option: --on; lory test "
          "--help)" },
        { { "-o" },
          "FIRST: missing (expected lory test FIRST [SECOND] [options]; lory test --help)" },
        { { "a", "--maybe=pink" },
          "--maybe: no such choice (found \"pink\", expected one of red, green, blue; nearest: "
          "red)" },
        { { "a", "--ints", "1,,2" }, "--ints: not a whole number (found \"\", expected 1 to 100)" },
        { { "a", "--ints", "1,2,101" }, "--ints: out of range (found \"101\", expected 1 to 100)" },
        { { "a", "--ints", "1," }, "--ints: not a whole number (found \"\", expected 1 to 100)" },
        { { "a", "-t", "9" }, "-t: out of range (found \"9\", expected 1 to 8)" },
        { { "a", "-n", "2147483648" },
          "-n: out of range (found \"2147483648\", expected at most 2147483647)" },
        { { "a", "-n", "--" }, "-n: not a whole number (found \"--\", expected a number)" },
        { { "a", "--float=.5.5" }, "--float: not a number (found \".5.5\", expected 0 to 1)" },
        { { "a", "--flaot=1" },
          "--flaot=1: no such option of lory test (nearest: --float; lory test --help lists "
          "them)" },
        { { "a", "--fraction", "1" },
          "--fraction: no such option of lory test (nearest: --float; lory test --help lists "
          "them)" },
        { { "a", "--t=1" },
          "--t=1: no such option of lory test (nearest: -t; lory test --help lists them)" },
        { { "a", "-T" },
          "-T: no such option of lory test (nearest: -t; lory test --help lists them)" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        all_opts o = DEFAULTS;
        lory_err err = { 0 };
        CHECK(parse(&o, &err, cases[i].words) == OPTS_WRONG, "case %zu", i);
        CHECK_STR(err.text, cases[i].want);
        CHECK(err.code == LORY_E_ARGUMENT, "case %zu", i);
    }
}

TEST(a_wrong_line_frees_its_lists)
{
    all_opts o = DEFAULTS;
    lory_err err;
    CHECK(PARSE(&o, &err, "a", "-l", "1", "-l", "2", "--nope") == OPTS_WRONG);
    CHECK(!o.list.item && o.list.n == 0);
}

TEST(help_is_seen_anywhere_but_as_a_value_and_stores_nothing)
{
    all_opts o = DEFAULTS;
    lory_err err;
    CHECK(PARSE(&o, &err, "-n", "3", "--help") == OPTS_HELP);
    CHECK(o.n == 7);
    CHECK(PARSE(&o, &err, "-h") == OPTS_HELP);
    REQUIRE(PARSE(&o, &err, "-x", "--help", "a") == OPTS_OK);
    CHECK_STR(o.text, "--help");
    o = (all_opts)DEFAULTS;
    REQUIRE(PARSE(&o, &err, "--", "--help") == OPTS_OK);
    CHECK_STR(o.first, "--help");
}

TEST(help_prints_rows_aligned_with_their_defaults)
{
    all_opts o = DEFAULTS;
    buf b = { 0 };
    opts_help(&page, &o, false, &b);
    CHECK_STR(b.data, "Usage: lory test FIRST [SECOND] [options]\n"
                      "\n"
                      "Tests.\n"
                      "\n"
                      "Options:\n"
                      "  FIRST              an argument\n"
                      "  SECOND             another\n"
                      "  -o, --on           a switch\n"
                      "      --yes          sets 1\n"
                      "      --no           sets 0\n"
                      "  -x, --text TEXT    a text (default: none)\n"
                      "      --maybe[=red]  with or without\n"
                      "  -t, --threads N    threads (default: 0)\n"
                      "  -n, --number N     any int (default: 7)\n"
                      "  -s, --seed N       a seed (default: -1)\n"
                      "      --float X      a share (default: 0.5)\n"
                      "      --colour red|green|blue\n"
                      "                     one of three (default: red)\n"
                      "  -l, --list TEXT    many\n"
                      "      --ints N,N     numbers\n"
                      "  -h, --help         print this page\n");
    buf_free(&b);
}

TEST(distance_counts_edits_and_swaps_once)
{
    CHECK(opts_distance("", "") == 0);
    CHECK(opts_distance("abc", "abc") == 0);
    CHECK(opts_distance("abc", "") == 3);
    CHECK(opts_distance("seed", "sed") == 1);
    CHECK(opts_distance("seed", "esed") == 1);
    CHECK(opts_distance("kitten", "sitting") == 3);
}
