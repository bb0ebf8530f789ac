/* test_cli.c - the goldens of the command line: each tests/cli/NAME.sh is the test cli_NAME.
 *
 * A script runs under `sh -eu` in an empty folder of its own, with stdin empty. What it prints must
 * be NAME.out, on stderr NAME.err, and its status the number in NAME.exit; a file that is not there
 * means nothing printed, status 0. Status 77 skips the test.
 *   $LORY     the program            $MODEL    the bundled model
 *   $VECTORS  tests/vectors          $SHARED   ../shared beside the project, or empty
 * With GOLDEN=write in the environment the files are written instead: read them before you trust
 * them. */
#include "base/buf.h"
#include "test.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EXIT_SKIP = 77, SHOWN_MAX = 1500 /* bytes of an output that a failure shows */ };

#define FOLDER "tests/cli/"

static void golden_name(char name[PATH_MAX], const char *suffix)
{
    snprintf(name, PATH_MAX, FOLDER "%s%s", test_name() + strlen("cli_"), suffix);
}

/* A file that is not there is empty. */
static void read_all(const char *path, buf *b)
{
    char block[4096];
    size_t n;
    FILE *f = fopen(path, "rb");
    while (f && (n = fread(block, 1, sizeof block, f)) > 0) buf_put(b, block, n);
    if (f) fclose(f);
    buf_puts(b, "");
}

static void write_all(const char *path, const buf *b)
{
    if (b->len == 0) {
        remove(path);
        return;
    }
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(b->data, 1, b->len, f) != b->len || fclose(f) != 0)
        test_fail(FOLDER, 0, "cannot write %s: %s", path, strerror(errno));
}

static int line_of(const char *text, size_t at)
{
    int line = 1;
    for (size_t i = 0; i < at; i++) line += text[i] == '\n';
    return line;
}

static void compare(const char *what, const buf *got, const char *suffix)
{
    char path[PATH_MAX];
    buf want = { 0 };
    size_t i = 0;
    golden_name(path, suffix);
    const char *golden = getenv("GOLDEN");
    if (golden && strcmp(golden, "write") == 0) {
        write_all(path, got);
        return;
    }
    read_all(path, &want);
    while (i < want.len && i < got->len && want.data[i] == got->data[i]) i++;
    if (want.len != got->len || i < want.len)
        test_fail(path, line_of(want.data, i),
                  "%s differs at byte %zu\n--- got:\n%.*s\n--- want:\n%.*s", what, i, SHOWN_MAX,
                  got->data, SHOWN_MAX, want.data);
    buf_free(&want);
}

static void set_path(const char *name, const char *path)
{
    char full[PATH_MAX];
    setenv(name, path && realpath(path, full) ? full : "", 1);
}

static void redirect(int fd, const char *path, int flags)
{
    int from = open(path, flags, 0600);
    if (from < 0 || dup2(from, fd) < 0) _exit(127);
    close(from);
}

/* In the child: becomes the script. */
static void become(const char *script, const char *out, const char *err, const char *cwd)
{
    char full[PATH_MAX];
    set_path("LORY", getenv("LORY"));
    set_path("VECTORS", "tests/vectors");
    set_path("MODEL", "models/tales-tiny-q8_0.gguf");
    set_path("BUNDLED", "models/tales-3m-q8_0.gguf");
    set_path("SHARED", "../shared");
    setenv("LC_ALL", "C", 1);
    set_path("LORY_MODEL", "models/tales-tiny-q8_0.gguf");
    signal(SIGINT, SIG_DFL); /* whoever runs the tests may ignore them */
    signal(SIGPIPE, SIG_DFL);
    redirect(0, "/dev/null", O_RDONLY);
    redirect(1, out, O_WRONLY | O_CREAT | O_TRUNC);
    redirect(2, err, O_WRONLY | O_CREAT | O_TRUNC);
    if (!realpath(script, full) || chdir(cwd) != 0) _exit(127);
    execl("/bin/sh", "sh", "-eu", full, (char *)NULL);
    _exit(127);
}

/* The script's exit status, as a shell would say it. */
static int run_script(const char *script, const char *out, const char *err, const char *cwd)
{
    int status;
    pid_t pid = fork();
    if (pid == 0) become(script, out, err, cwd);
    if (pid < 0 || waitpid(pid, &status, 0) != pid) return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void run_golden(void)
{
    char script[PATH_MAX];
    buf out = { 0 }, err = { 0 }, status = { 0 };
    const char *out_path = test_temp("out"), *err_path = test_temp("err"), *cwd = test_temp("cwd");
    if (!getenv("LORY")) test_skip("needs the program: --lory PATH");
    golden_name(script, ".sh");
    REQUIRE(mkdir(cwd, 0700) == 0);
    int code = run_script(script, out_path, err_path, cwd);
    if (code == EXIT_SKIP) test_skip("the script skipped itself");
    if (code != 0) buf_printf(&status, "%d\n", code);
    read_all(out_path, &out);
    read_all(err_path, &err);
    buf_puts(&status, "");
    compare("stdout", &out, ".out");
    compare("stderr", &err, ".err");
    compare("exit status", &status, ".exit");
    buf_free(&out), buf_free(&err), buf_free(&status);
}

static int is_script(const struct dirent *e)
{
    size_t n = strlen(e->d_name);
    return n > 3 && strcmp(e->d_name + n - 3, ".sh") == 0;
}

/* One row of the runner's table for each script; names live as long as the program. */
__attribute__((constructor)) static void register_scripts(void)
{
    struct dirent **entry;
    int n = scandir(FOLDER, &entry, is_script, alphasort);
    for (int i = 0; i < n; i++) {
        char name[300], file[300];
        snprintf(name, sizeof name, "cli_%.*s", (int)strlen(entry[i]->d_name) - 3,
                 entry[i]->d_name);
        snprintf(file, sizeof file, FOLDER "%s", entry[i]->d_name);
        test_register(strdup(file), 1, strdup(name), run_golden);
        free(entry[i]);
    }
    if (n >= 0) free(entry);
}
