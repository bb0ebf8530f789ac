/* test_interrupt.c - SIGINT is an exit status of 130, also where a command has nothing to end. */
#include "test.h"
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static pid_t start(const char *lory, const char *const *words, int from)
{
    pid_t pid = fork();
    if (pid != 0) return pid;
    int nowhere = open("/dev/null", O_WRONLY);
    signal(SIGINT, SIG_DFL); /* whoever runs the tests may ignore it */
    if (dup2(from, STDIN_FILENO) < 0 || dup2(nowhere, STDOUT_FILENO) < 0) _exit(127);
    char *argv[8] = { "lory" };
    for (int i = 0; words[i]; i++) argv[i + 1] = (char *)words[i];
    setenv("LORY_MODEL", "models/tales-tiny-q8_0.gguf", 1);
    execv(lory, argv);
    _exit(127);
}

/* Until the program has taken what is in the pipe: it runs, and waits for more. */
static bool is_taken(int fd)
{
    int n = 1;
    for (int i = 0; i < 6000 && n > 0; i++) {
        nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
        if (ioctl(fd, FIONREAD, &n) != 0) return false;
    }
    return n == 0;
}

TEST(an_interrupt_while_input_is_awaited_is_an_exit_of_130)
{
    const char *const words[][6] = {
        { "tokenize" },
        { "tokenize", "--jsonl" },
        { "template" },
        { "run" },
        { "eval" },
        { "eval", "--jsonl" },
        { "chat" },
        { "batch" },
        { "imatrix", "-f", "-", "-o", test_temp("x.imatrix") },
    };
    const char *lory = getenv("LORY");
    if (!lory) test_skip("needs --lory PATH");
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        int ends[2], status = 0;
        REQUIRE(pipe2(ends, O_CLOEXEC) == 0 && write(ends[1], " ", 1) == 1);
        pid_t pid = start(lory, words[i], ends[0]);
        CHECK(is_taken(ends[1]), "%s", words[i][0]);
        kill(pid, SIGINT);
        REQUIRE(waitpid(pid, &status, 0) == pid);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 130, "%s: %x", words[i][0], status);
        close(ends[0]), close(ends[1]);
    }
}
