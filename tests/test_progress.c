/* test_progress.c - the lines and the bar of long work. The clock is turned back, so that nothing
 * waits; 100000 s make whatever the machine lets pass meanwhile too little to be seen. */
#include "cli/progress.h"
#include "base/buf.h"
#include "base/file.h"
#include "cli/cli.h"
#include "test.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { PAST_MS = 100000000 };

/* What comes to stderr when n_done of `total` are done after PAST_MS, and at the end. */
static const char *shown(progress *p, uint64_t n_done)
{
    static char text[512];
    buf b = { 0 };
    lory_err err;
    const char *path = test_temp("shown");
    int saved = dup(STDERR_FILENO), fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    p->start_ms -= PAST_MS;
    p->next_ms -= PAST_MS;
    dup2(fd, STDERR_FILENO);
    progress_at(p, n_done);
    progress_at(p, n_done); /* too soon after the other to be shown */
    progress_end(p);
    dup2(saved, STDERR_FILENO);
    close(fd), close(saved);
    CHECK(file_read(path, sizeof text - 1, &b, &err), "%s", err.text);
    snprintf(text, sizeof text, "%s", b.data ? b.data : "");
    buf_free(&b);
    return text;
}

/* As on a terminal; the tests have none. */
static const char *drawn(uint64_t total, uint64_t n_done)
{
    progress p;
    progress_begin(&p, "work", "lines", total, false);
    p.in_place = true;
    p.is_silent = false;
    return shown(&p, n_done);
}

static const char *told(const char *unit, uint64_t total, uint64_t n_done)
{
    progress p;
    progress_begin(&p, "work", unit, total, true);
    return shown(&p, n_done);
}

TEST(progress_is_a_line_with_rate_and_remaining_time)
{
    CHECK_STR(told("lines", 1000, 250),
              "lory: work  25%, 250 of 1000 lines, 0.0025 lines/s, 83.3 h left\n");
    CHECK_STR(told("lines", 1000, 990),
              "lory: work  99%, 990 of 1000 lines, 0.0099 lines/s, 17 min left\n");
    CHECK_STR(told("lines", 100050, 100000),
              "lory: work 100%, 100000 of 100050 lines, 1 lines/s, 50 s left\n");
    CHECK_STR(told("bytes", 4000000000, 1000000000),
              "lory: work  25%, 1000 of 4000 MB, 0.01 MB/s, 83.3 h left\n");
}

TEST(progress_of_an_unknown_total_has_no_share)
{
    CHECK_STR(told("lines", 0, 250), "lory: work 250 lines, 0.0025 lines/s\n");
}

TEST(progress_never_says_more_than_all)
{
    CHECK_STR(told("lines", 100, 200),
              "lory: work 100%, 100 of 100 lines, 0.001 lines/s, 0 s left\n");
}

TEST(progress_on_a_terminal_is_a_bar_that_goes_away)
{
    CHECK_STR(drawn(1000, 500), "\rlory: work [============>           ]  50%, 500 of 1000 lines, "
                                "0.005 lines/s, 27.8 h left\033[K\r\033[K");
}

/* On a terminal of so many columns. */
static void check_fits(unsigned short n_columns, uint64_t n_done, const char *want)
{
    char got[512] = "";
    struct winsize w = { .ws_row = 24, .ws_col = n_columns };
    progress p;
    int pty = posix_openpt(O_RDWR | O_NOCTTY), saved = dup(STDERR_FILENO);
    if (pty < 0) test_skip("no terminals here");
    bool ok = grantpt(pty) == 0 && unlockpt(pty) == 0;
    int tty = ok ? open(ptsname(pty), O_RDWR | O_NOCTTY) : -1;
    REQUIRE(tty >= 0 && ioctl(tty, TIOCSWINSZ, &w) == 0);
    progress_begin(&p, "work", "lines", 1000, false);
    p.in_place = true, p.is_silent = false;
    p.start_ms -= PAST_MS, p.next_ms -= PAST_MS;
    dup2(tty, STDERR_FILENO);
    progress_at(&p, n_done);
    dup2(saved, STDERR_FILENO);
    CHECK(read(pty, got, sizeof got - 1) > 0);
    CHECK_STR(got, want);
    close(tty), close(pty), close(saved);
}

TEST(progress_on_a_terminal_fits_its_width)
{
    check_fits(200, 500,
               "\rlory: work [============>           ]  50%, 500 of 1000 lines, 0.005 lines/s, "
               "27.8 h left\033[K");
    check_fits(80, 500, "\rlory: work  50%, 500 of 1000 lines, 0.005 lines/s, 27.8 h left\033[K");
    check_fits(30, 500, "\rlory: work  50%, 500 of 1000 \033[K");
}

/* Who has done nothing yet can't say when it ends. */
TEST(progress_without_a_rate_tells_no_time)
{
    CHECK_STR(told("lines", 1000, 0), "lory: work   0%, 0 of 1000 lines, 0 lines/s\n");
}

TEST(progress_is_silent_unless_it_is_asked_for)
{
    progress p;
    progress_begin(&p, "work", "lines", 1000, false);
    CHECK_STR(shown(&p, 250), "");
}

TEST(progress_of_the_first_seconds_is_not_told)
{
    progress p;
    progress_begin(&p, "work", "lines", 1000, true);
    p.start_ms += PAST_MS; /* shown() turns it back */
    p.next_ms += PAST_MS;
    CHECK_STR(shown(&p, 250), "");
}
