/* test_jsonl.c - one JSON value a line. */
#include "cli/jsonl.h"
#include "test.h"
#include <fcntl.h>
#include <unistd.h>

static int stream(const char *text)
{
    FILE *f = fopen(test_temp("lines"), "wb");
    if (f) fputs(text, f), fclose(f);
    return open(test_temp("lines"), O_RDONLY);
}

TEST(values_come_line_by_line_and_blank_lines_count)
{
    lines j = jsonl_of(stream("1\n\n \t\r\n{\"a\": 2}\r\n[3]"), "in");
    json_doc d;
    int64_t v = 0;
    REQUIRE(j.fd >= 0);
    REQUIRE(jsonl_next(&j, &d, NULL) == JSONL_VALUE);
    CHECK(json_get_int(d.root, &v) && v == 1 && j.n_line == 1);
    json_close(&d);
    REQUIRE(jsonl_next(&j, &d, NULL) == JSONL_VALUE);
    CHECK(json_get_int(json_get(d.root, "a"), &v) && v == 2 && j.n_line == 4);
    json_close(&d);
    REQUIRE(jsonl_next(&j, &d, NULL) == JSONL_VALUE);
    CHECK(d.root->type == JSON_ARRAY && j.n_line == 5);
    json_close(&d);
    CHECK(jsonl_next(&j, &d, NULL) == JSONL_END);
    close(j.fd);
    lines_close(&j);
}

TEST(a_wrong_line_is_named_by_its_number)
{
    lines j = jsonl_of(stream("1\n\n{]\n"), "in");
    json_doc d;
    lory_err err = { 0 };
    REQUIRE(j.fd >= 0);
    REQUIRE(jsonl_next(&j, &d, &err) == JSONL_VALUE);
    json_close(&d);
    CHECK(jsonl_next(&j, &d, &err) == JSONL_FAILED);
    CHECK(strncmp(err.text, "in: line 3, byte 2: ", 20) == 0, "%s", err.text);
    jsonl_wrong(&j, &err, "no \"%s\"", "text");
    CHECK_STR(err.text, "in: line 3: no \"text\"");
    close(j.fd);
    lines_close(&j);
}

TEST(a_stream_that_cannot_be_read_is_an_error)
{
    lines j = jsonl_of(open(".", O_RDONLY), "folder");
    json_doc d;
    lory_err err = { 0 };
    REQUIRE(j.fd >= 0);
    CHECK(jsonl_next(&j, &d, &err) == JSONL_FAILED);
    CHECK_STR(err.text, "folder: cannot read: Is a directory");
    close(j.fd);
    lines_close(&j);
}
