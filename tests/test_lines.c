/* test_lines.c - lines of a file whatever their length and the way they come. */
#include "cli/lines.h"
#include "test.h"
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static int file_of(const void *text, size_t n)
{
    int fd = open(test_temp("lines"), O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || write(fd, text, n) != (ssize_t)n || lseek(fd, 0, SEEK_SET) != 0) abort();
    return fd;
}

static lines_result next(lines *l, const char **text, size_t *n)
{
    lory_err err;
    return lines_next(l, true, text, n, &err);
}

TEST(lines_of_any_bytes_are_read_with_and_without_a_last_newline)
{
    static const char text[] = "one\n\n\0two\r\nlast";
    static const char *const want[] = { "one", "", "\0two\r", "last" };
    static const size_t n_want[] = { 3, 0, 5, 4 };
    const char *s;
    size_t n;
    lines l = { .fd = file_of(text, sizeof text - 1), .name = "x", .max = 100 };
    for (int i = 0; i < 4; i++) {
        REQUIRE(next(&l, &s, &n) == LINES_LINE && l.n_line == (uint64_t)i + 1);
        CHECK(n == n_want[i] && memcmp(s, want[i], n) == 0, "line %d", i);
    }
    CHECK(next(&l, &s, &n) == LINES_END && next(&l, &s, &n) == LINES_END);
    close(l.fd);
    lines_close(&l);
}

TEST(a_line_that_is_too_long_is_passed_by_without_holding_it)
{
    enum { N = 5 << 20, MAX = 1000 };
    char *text = malloc(N + 8);
    const char *s;
    size_t n;
    memset(text, 'x', N);
    text[10] = '\n';
    memcpy(text + N, "\nend\n", 5);
    lines l = { .fd = file_of(text, N + 5), .name = "x", .max = MAX };
    CHECK(next(&l, &s, &n) == LINES_LINE && n == 10);
    CHECK(next(&l, &s, &n) == LINES_TOO_LONG && l.n_line == 2);
    CHECK(next(&l, &s, &n) == LINES_LINE && n == 3 && memcmp(s, "end", 3) == 0);
    CHECK(next(&l, &s, &n) == LINES_END && l.held.cap < (1 << 20), "holds %zu bytes", l.held.cap);
    close(l.fd);
    lines_close(&l);
    for (n = MAX - 1; n <= MAX + 1; n++) { /* the limit itself */
        size_t got;
        l = (lines){ .fd = file_of(text + 11, n), .name = "x", .max = MAX };
        CHECK(next(&l, &s, &got) == (n > MAX ? LINES_TOO_LONG : LINES_LINE), "%zu bytes", n);
        close(l.fd);
        lines_close(&l);
    }
    free(text);
}

TEST(a_slow_pipe_is_not_waited_for_unless_asked)
{
    int fd[2];
    const char *s;
    size_t n;
    lory_err err;
    REQUIRE(pipe(fd) == 0);
    lines l = { .fd = fd[0], .name = "x", .max = 100 };
    CHECK(lines_next(&l, false, &s, &n, &err) == LINES_NOT_YET);
    CHECK(write(fd[1], "ab", 2) == 2 && lines_next(&l, false, &s, &n, &err) == LINES_NOT_YET);
    CHECK(write(fd[1], "c\nd", 3) == 3 && lines_next(&l, false, &s, &n, &err) == LINES_LINE);
    CHECK(n == 3 && memcmp(s, "abc", 3) == 0);
    CHECK(lines_next(&l, false, &s, &n, &err) == LINES_NOT_YET);
    close(fd[1]);
    CHECK(lines_next(&l, false, &s, &n, &err) == LINES_LINE && n == 1 && *s == 'd');
    CHECK(lines_next(&l, false, &s, &n, &err) == LINES_END);
    close(fd[0]);
    lines_close(&l);
}

TEST(a_pipe_that_does_not_wait_is_waited_for)
{
    int fd[2];
    const char *s;
    size_t n;
    REQUIRE(pipe(fd) == 0 && fcntl(fd[0], F_SETFL, O_NONBLOCK) == 0);
    if (fork() == 0) {
        usleep(20000);
        _exit(write(fd[1], "a\n", 2) != 2);
    }
    close(fd[1]);
    lines l = { .fd = fd[0], .name = "x", .max = 100 };
    CHECK(next(&l, &s, &n) == LINES_LINE && n == 1 && *s == 'a');
    CHECK(next(&l, &s, &n) == LINES_END);
    close(fd[0]);
    lines_close(&l);
}

TEST(a_file_of_lines_is_measured_and_skipped)
{
    lory_err err;
    lines_summary s;
    int fd = file_of("a\nbc\n\nd", 7);
    CHECK(lines_measure(fd, "x", UINT64_MAX, &s, &err) && s.n_lines == 4 && s.n_bytes == 7);
    CHECK(lseek(fd, 0, SEEK_CUR) == 0);
    CHECK(lines_measure(fd, "x", 3, &s, &err) && s.n_bytes == 3 && lseek(fd, 0, SEEK_CUR) == 0);
    CHECK(lines_skip(fd, "x", 0, &err) && lseek(fd, 0, SEEK_CUR) == 0);
    CHECK(lines_skip(fd, "x", 2, &err) && lseek(fd, 0, SEEK_CUR) == 5);
    CHECK(lines_skip(fd, "x", 1, &err) && lseek(fd, 0, SEEK_CUR) == 6);
    CHECK(lines_skip(fd, "x", 1, &err) && lseek(fd, 0, SEEK_CUR) == 7, "the last has no newline");
    CHECK(!lines_skip(fd, "x", 1, &err) && err.code == LORY_E_FORMAT);
    close(fd);
    fd = file_of("", 0);
    CHECK(lines_measure(fd, "x", UINT64_MAX, &s, &err) && s.n_lines == 0);
    close(fd);
}
