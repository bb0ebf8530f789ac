/* test_out.c - stdout: all of it arrives, also while signals come and the reader is slow. */
#include "cli/cli.h"
#include "test.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

enum { N_BYTES = 300000, N_SIGNALS = 20 }; /* more than pipes hold */

static void on_signal(int sig)
{
    (void)sig;
}

static char byte_at(int i)
{
    return (char)('a' + i % 23);
}

/* In a process of its own, whose stdout is `fd`: writes end early where a signal comes. */
static _Noreturn void write_all(int fd)
{
    struct sigaction on = { .sa_handler = on_signal };
    bool ok = dup2(fd, 1) == 1 && sigaction(SIGUSR1, &on, NULL) == 0;
    for (int i = 0; ok && i < N_BYTES; i++) {
        char c = byte_at(i);
        ok = out_put(&c, 1);
    }
    _exit(ok && out_flush() ? 0 : 1);
}

/* Until the pipe is full: nothing is read, and nothing more comes. */
static void interrupt_it(pid_t child, int fd)
{
    struct pollfd in = { .fd = fd, .events = POLLIN };
    poll(&in, 1, -1);
    for (int i = 0; i < N_SIGNALS; i++) {
        usleep(2000);
        kill(child, SIGUSR1);
    }
}

TEST(out_comes_whole_whatever_signals_come)
{
    int fd[2], n = 0, status = -1;
    char got[4096];
    REQUIRE(pipe(fd) == 0);
    pid_t child = fork();
    if (child == 0) write_all(fd[1]);
    REQUIRE(child > 0);
    close(fd[1]);
    interrupt_it(child, fd[0]);
    bool same = true;
    for (ssize_t r; (r = read(fd[0], got, sizeof got)) > 0 || (r < 0 && errno == EINTR);)
        for (int i = 0; i < r; i++) same = same && got[i] == byte_at(n++);
    close(fd[0]);
    CHECK(same && n == N_BYTES, "%d bytes", n);
    CHECK(waitpid(child, &status, 0) == child && status == 0, "%d", status);
}
