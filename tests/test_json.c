/* test_json.c - the JSON reader takes RFC 8259 and nothing else; the writer's text reads back. */
#include "test.h"
#include "text/json.h"
#include <math.h>
#include <stdlib.h>

static bool reads(const char *s, size_t n)
{
    json_doc d;
    lory_err err = { 0 };
    bool ok = json_read(&d, s, n, "t", &err);
    if (ok)
        json_close(&d);
    else
        CHECK(err.code == LORY_E_FORMAT && strncmp(err.text, "t: line ", 8) == 0, "%s", err.text);
    return ok;
}

/* The text of `s` after one reading and writing; owned by the caller. */
static char *rewritten(const char *s)
{
    json_doc d;
    lory_err err;
    buf out = { 0 };
    json_writer w = { &out, false };
    if (!json_read(&d, s, strlen(s), "t", &err)) return strdup(err.text);
    json_put_value(&w, d.root);
    json_close(&d);
    char *text = strdup(out.data);
    buf_free(&out);
    return text;
}

static void check_rewritten(const char *s, const char *want)
{
    char *got = rewritten(s);
    CHECK_STR(got, want);
    free(got);
}

TEST(json_reads_what_the_rfc_allows)
{
    /* clang-format off */
    static const char *const good[] = {
        "0", "-0", "1e5", "1E+5", "-1.5e-3", "true", "false", "null", "\"\"", "[]", "{}", " [ ] ",
        "\t\r\n{}\n", "[1,2,[3,{\"a\":[]}]]", "{\"a\":1,\"a\":2}", "\"\\u0000\"", "\"\xC3\xA9\"",
        "\"\\ud83d\\ude00\"", "\"\x7F\"", "{\"\":0}", "1e-999", "12345678901234567890123",
        "\xEF\xBB\xBF[]",
    };
    /* clang-format on */
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        CHECK(reads(good[i], strlen(good[i])), "refused: %s", good[i]);
}

TEST(json_refuses_everything_else)
{
    /* clang-format off */
    static const char *const bad[] = {
        "", " ", "[", "]", "{", "}", "[1,]", "[,1]", "[1 2]", "[1,,2]", "{\"a\"}", "{\"a\":}",
        "{\"a\":1,}", "{a:1}", "{'a':1}", "{1:1}", "{\"a\":1 \"b\":2}", "[1}", "{\"a\":1]", "01",
        "-", "+1", ".5", "1.", "1.e3", "1e", "1e+", "0x10", "- 1", "1e999", "-1e999", "NaN",
        "Infinity", "-Infinity", "tru", "True", "nul", "\"", "\"a", "\"\\\"", "\"\\x41\"",
        "\"\\u12\"", "\"\\u12g4\"", "\"\\ud800\"", "\"\\ud800x\"", "\"\\ud800\\u0041\"",
        "\"\\udc00\"", "\"a\nb\"", "\"\t\"", "\"\x01\"", "\"\xFF\"", "\"\xED\xA0\x80\"",
        "\"\xC3", "[1]]", "1 2", "{} x", "// c\n1", "[1/*c*/]", "\f1", "\"\\",
        "\xEF\xBB\xBF", "[\xEF\xBB\xBF]",
    };
    /* clang-format on */
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CHECK(!reads(bad[i], strlen(bad[i])), "taken: %s", bad[i]);
    CHECK(!reads("1\0", 2) && !reads("\0", 1) && !reads("\"a\0b\"", 5));
}

TEST(json_errors_say_line_byte_and_what)
{
    json_doc d;
    lory_err err;
    CHECK(!json_read(&d, "{\n \"a\": [1,\n  2 3]}", 19, "x.json", &err));
    CHECK_STR(err.text, "x.json: line 3, byte 5: not JSON (found '3', expected ',' or ']')");
    CHECK(!d.root);
    CHECK(!json_read(&d, "[1", 2, "x.json", &err));
    CHECK_STR(err.text, "x.json: line 1, byte 3: not JSON (found the end, expected ',' or ']')");
    CHECK(!json_read(&d, "\"\xFF\"", 3, "x.json", NULL));
}

TEST(json_depth_is_bounded_and_costs_no_stack)
{
    enum { N = 1000000 };
    char *s = malloc(2 * N);
    memset(s, '[', N);
    memset(s + N, ']', N);
    CHECK(!reads(s, 2 * N));
    CHECK(!reads(s, N));
    CHECK(reads(s + N - JSON_MAX_DEPTH, 2 * JSON_MAX_DEPTH));
    CHECK(!reads(s + N - JSON_MAX_DEPTH - 1, 2 * JSON_MAX_DEPTH + 2));
    free(s);
}

TEST(json_values_come_out_typed)
{
    static const char text[] = "{\"i\":-9223372036854775808,\"big\":9223372036854775808,\"d\":0.1,"
                               "\"e\":1e3,\"h\":2.5,\"t\":true,\"z\":null,\"s\":\"a\\u0000b\","
                               "\"l\":[1,2,3],\"i2\":1,\"i2\":2}";
    json_doc d;
    lory_err err;
    int64_t i = 7;
    double num = 7;
    bool flag = false;
    const char *s = NULL;
    size_t n = 0;
    REQUIRE(json_read(&d, text, sizeof text - 1, "t", &err));
    CHECK(json_get_int(json_get(d.root, "i"), &i) && i == INT64_MIN);
    CHECK(!json_get_int(json_get(d.root, "big"), &i));
    CHECK(json_get_num(json_get(d.root, "big"), &num) && num == 0x1p63);
    CHECK(json_get_num(json_get(d.root, "d"), &num) && num == 0.1);
    CHECK(json_get_int(json_get(d.root, "e"), &i) && i == 1000);
    CHECK(!json_get_int(json_get(d.root, "h"), &i) && i == 1000);
    CHECK(json_get_int(json_get(d.root, "i2"), &i) && i == 2);
    CHECK(json_get_bool(json_get(d.root, "t"), &flag) && flag);
    CHECK(!json_get_bool(json_get(d.root, "z"), &flag));
    CHECK(json_get_str(json_get(d.root, "s"), &s, &n) && n == 3 && memcmp(s, "a\0b", 3) == 0);
    CHECK(json_get(d.root, "l")->n == 3 && json_get(d.root, "l")->first->next->i == 2);
    CHECK(!json_get(d.root, "none") && !json_get(NULL, "x") && !json_get_num(NULL, &num));
    CHECK(d.root->n == 11);
    json_close(&d);
}

TEST(json_written_text_reads_back_the_same)
{
    check_rewritten(" { \"a\" : [ 1 , 2.50 , \"x\" ] , \"b\" : { } } ",
                    "{\"a\":[1,2.50,\"x\"],\"b\":{}}");
    check_rewritten("\"\\u0000\\u001f\\n\\\"\\\\\\/\\b\\u00e9\\ud83d\\ude00\"",
                    "\"\\u0000\\u001f\\n\\\"\\\\/\\b\xC3\xA9\xF0\x9F\x98\x80\"");
    check_rewritten("[[],[[]],{\"a\":null}]", "[[],[[]],{\"a\":null}]");
    check_rewritten("12345678901234567890123", "12345678901234567890123");
}

TEST(json_writer_puts_commas_and_replaces_bad_utf8)
{
    buf out = { 0 };
    json_writer w = { &out, false };
    json_begin_object(&w);
    json_put_key(&w, "a");
    json_begin_array(&w);
    json_put_int(&w, INT64_MIN);
    json_put_bool(&w, true);
    json_put_null(&w);
    json_put_bytes(&w, "x\xFFy\xE2\x82", 5);
    json_end_array(&w);
    json_put_key(&w, "b\n");
    json_put_f64(&w, -0.1);
    json_end_object(&w);
    CHECK_STR(out.data, "{\"a\":[-9223372036854775808,true,null,"
                        "\"x\xEF\xBF\xBDy\xEF\xBF\xBD\xEF\xBF\xBD\"],\"b\\n\":-0.1}");
    buf_free(&out);
}

TEST(json_integers_of_any_size_read_back_exactly)
{
    for (int shift = 0; shift < 64; shift++)
        for (int add = -1; add <= 1; add++) {
            int64_t want = (int64_t)((UINT64_C(1) << shift) + (uint64_t)add), got = 0;
            buf out = { 0 };
            json_writer w = { &out, false };
            json_doc d;
            json_put_int(&w, want);
            REQUIRE(json_read(&d, out.data, out.len, "number", NULL), "%s", out.data);
            CHECK(json_get_int(d.root, &got) && got == want, "%s", out.data);
            json_close(&d);
            buf_free(&out);
        }
}

TEST(json_floats_are_short_and_read_back_exactly)
{
    static const float values[] = { 0.1f,        1.0f, -2.5f,           3.4028235e38f, 1e-45f,
                                    16777216.0f, 0.3f, 1.17549435e-38f, 123456.789f };
    uint32_t bits = 12345;
    buf out = { 0 };
    for (int i = 0; i < 20000; i++) {
        float v;
        bits = bits * 1664525u + 1013904223u;
        memcpy(&v, &bits, sizeof v);
        if (i < 9) v = values[i];
        json_writer w = { &out, false };
        buf_clear(&out);
        json_put_f32(&w, v);
        if (!isfinite(v))
            CHECK_STR(out.data, "null");
        else
            CHECK(strtof(out.data, NULL) == v && out.len <= 15, "%a is %s", (double)v, out.data);
        if (i == 0) CHECK_STR(out.data, "0.1");
        if (i == 1) CHECK_STR(out.data, "1");
    }
    buf_clear(&out);
    json_writer w = { &out, false };
    json_put_f64(&w, (double)NAN);
    json_put_f64(&w, 0.1);
    json_put_f64(&w, 1.0 / 3);
    CHECK_STR(out.data, "null,0.1,0.3333333333333333");
    buf_free(&out);
}
