/* runner.c - runs the tests of every tests/test_*.c, each in a process of its own.
 *
 *     lory-test [--lory PATH] [NAME-PART ...]
 *
 * A line for every failure and skip, and at the end "N passed, N failed, N skipped". */
#include "test.h"
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_TESTS = 4096, EXIT_FAILED = 1, EXIT_SKIPPED = 77, TIMEOUT_S = 300 };

typedef struct {
    const char *file, *name;
    int line;
    test_fn fn;
} test_row;

static test_row tests[MAX_TESTS];
static int n_tests;
static bool failed;
static const test_row *running;
static char temp_dir[64];

void test_register(const char *file, int line, const char *name, test_fn fn)
{
    if (n_tests == MAX_TESTS) {
        fprintf(stderr, "runner: more than %d tests\n", MAX_TESTS);
        exit(1);
    }
    tests[n_tests++] = (test_row){ file, name, line, fn };
}

void test_fail(const char *file, int line, const char *fmt, ...)
{
    va_list ap;
    failed = true;
    fprintf(stderr, "FAIL %s\n     %s:%d: ", running->name, file, line);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
}

bool test_failed(void)
{
    return failed;
}

static void remove_temp_dir(void)
{
    char cmd[96];
    if (!temp_dir[0]) return;
    snprintf(cmd, sizeof cmd, "rm -rf '%s'", temp_dir);
    if (system(cmd) != 0) fprintf(stderr, "runner: cannot remove %s\n", temp_dir);
}

static void leave(int status)
{
    remove_temp_dir();
    exit(status);
}

void test_skip(const char *why)
{
    fprintf(stderr, "skip %s: %s\n", running->name, why);
    leave(EXIT_SKIPPED);
}

void test_check_same(const char *file, int line, const void *got, const void *want, size_t n_bytes,
                     const char *fmt, ...)
{
    const unsigned char *g = got, *w = want;
    char text[256];
    va_list ap;
    size_t i = 0;
    if (n_bytes == 0 || memcmp(got, want, n_bytes) == 0) return;
    while (g[i] == w[i]) i++;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    test_fail(file, line, "byte %zu of %zu is %02x, want %02x: %s", i, n_bytes, g[i], w[i], text);
}

static const char *slot(const char *folder, const char *name)
{
    static char paths[8][512];
    static int next;
    char *p = paths[next++ % 8];
    struct stat st;
    snprintf(p, sizeof paths[0], "%s/%s", folder, name);
    return stat(p, &st) == 0 ? p : NULL;
}

const char *test_vector(const char *name)
{
    return slot("tests/vectors", name);
}

const char *test_shared(const char *name)
{
    return slot("../shared", name);
}

const char *test_temp(const char *name)
{
    if (!temp_dir[0]) {
        strcpy(temp_dir, "/tmp/lory-test-XXXXXX");
        if (!mkdtemp(temp_dir)) {
            fprintf(stderr, "runner: cannot make %s: %s\n", temp_dir, strerror(errno));
            exit(EXIT_FAILED);
        }
    }
    slot(temp_dir, name); /* fills the slot whether or not the file is there */
    static char paths[8][512];
    static int next;
    char *p = paths[next++ % 8];
    snprintf(p, sizeof paths[0], "%s/%s", temp_dir, name);
    return p;
}

static int by_place(const void *a_, const void *b_)
{
    const test_row *a = a_, *b = b_;
    int c = strcmp(a->file, b->file);
    return c ? c : a->line - b->line;
}

/* Exit status of the test in its own process, or 128 + signal. */
static int run(const test_row *t)
{
    int status;
    fflush(NULL);
    pid_t pid = fork();
    if (pid < 0) {
        perror("runner: fork");
        exit(1);
    }
    if (pid == 0) {
        running = t;
        alarm(TIMEOUT_S);
        t->fn();
        leave(failed ? EXIT_FAILED : 0);
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
    if (WIFEXITED(status)) return WEXITSTATUS(status);
    fprintf(stderr, "FAIL %s\n     %s:%d: killed by %s\n", t->name, t->file, t->line,
            strsignal(WTERMSIG(status)));
    return 128 + WTERMSIG(status);
}

static bool wanted(const test_row *t, int n_parts, char **parts)
{
    for (int i = 0; i < n_parts; i++)
        if (strstr(t->name, parts[i]) || strstr(t->file, parts[i])) return true;
    return n_parts == 0;
}

int main(int argc, char **argv)
{
    int n_passed = 0, n_failed = 0, n_skipped = 0, first = 1;
    if (argc > 2 && strcmp(argv[1], "--lory") == 0) {
        setenv("LORY", argv[2], 1);
        first = 3;
    }
    qsort(tests, (size_t)n_tests, sizeof tests[0], by_place);
    for (int i = 0; i < n_tests; i++) {
        if (!wanted(&tests[i], argc - first, argv + first)) continue;
        int status = run(&tests[i]);
        if (status == 0) n_passed++;
        else if (status == EXIT_SKIPPED) n_skipped++;
        else n_failed++;
    }
    printf("%d passed, %d failed, %d skipped\n", n_passed, n_failed, n_skipped);
    return n_failed > 0;
}
