/* test_file.c - mapping, whole reads, writing whole or not at all. */
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "test.h"
#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static void put(const char *path, const char *text)
{
    FILE *f = fopen(path, "wb");
    if (!f || fputs(text, f) < 0 || fclose(f) != 0) test_fail(__FILE__, __LINE__, "%s", path);
}

static void expect_refused(const char *path, lory_status code, const char *why)
{
    char want[LORY_ERR_MAX];
    lory_err err = { 0 };
    file_map m;
    snprintf(want, sizeof want, "%s: %s", path, why);
    CHECK(!file_map_open(&m, path, &err), "%s was mapped", path);
    CHECK_STR(err.text, want);
    CHECK((int)err.code == (int)code, "code %d, want %d", (int)err.code, (int)code);
    CHECK(m.data == NULL && m.path == NULL);
    file_map_close(&m);
}

TEST(file_map_gives_the_bytes_of_the_file)
{
    const char *path = test_temp("a");
    lory_err err;
    file_map m;
    put(path, "hello\nworld");
    REQUIRE(file_map_open(&m, path, &err));
    CHECK(m.size == 11 && m.is_mapped);
    CHECK_SAME(m.data, "hello\nworld", 11, "mapped bytes");
    CHECK_STR(m.path, path);
    file_map_close(&m);
    CHECK(m.data == NULL && m.size == 0);
    file_map_close(&m);
    CHECK(mem_live_bytes() == 0);
}

TEST(file_map_read_gives_a_copy_that_outlives_the_file)
{
    const char *path = test_temp("copied");
    lory_err err;
    file_map m;
    put(path, "hello\nworld");
    REQUIRE(file_map_read(&m, path, &err), "%s", err.text);
    put(path, "");
    CHECK(m.size == 11);
    CHECK_SAME(m.data, "hello\nworld", 11, "copied bytes");
    file_map_will_need(&m, 3, 4);
    file_map_close(&m);
    CHECK(!file_map_read(&m, path, &err) && err.code == LORY_E_FORMAT);
    CHECK(!file_map_read(&m, test_temp("none"), &err) && err.code == LORY_E_IO);
    CHECK(m.data == NULL && m.path == NULL && mem_live_bytes() == 0);
}

TEST(file_map_refuses_what_is_no_regular_file_at_once)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    const char *fifo = test_temp("fifo"), *empty = test_temp("empty"), *sock = test_temp("sock");
    int s = socket(AF_UNIX, SOCK_STREAM, 0);
    REQUIRE(mkfifo(fifo, 0600) == 0);
    put(empty, "");
    snprintf(addr.sun_path, sizeof addr.sun_path, "%s", sock);
    REQUIRE(bind(s, (struct sockaddr *)&addr, sizeof addr) == 0);
    alarm(5); /* a hang is a failure */
    expect_refused(fifo, LORY_E_IO, "is a pipe (expected a regular file)");
    expect_refused(sock, LORY_E_IO, "is a socket (expected a regular file)");
    expect_refused(empty, LORY_E_FORMAT, "the file is empty");
    expect_refused("/tmp", LORY_E_IO, "is a directory (expected a regular file)");
    expect_refused("/dev/zero", LORY_E_IO, "is a device (expected a regular file)");
    expect_refused("/dev/tty0", LORY_E_IO,
                   access("/dev/tty0", R_OK) == 0   ? "is a device (expected a regular file)"
                   : access("/dev/tty0", F_OK) == 0 ? "cannot open: Permission denied"
                                                    : "cannot open: No such file or directory");
    expect_refused("", LORY_E_IO, "cannot open: No such file or directory");
    close(s);
}

TEST(file_map_of_bytes_does_not_copy)
{
    lory_err err = { 0 };
    file_map m;
    REQUIRE(file_map_bytes(&m, "abc", 3, "three", &err));
    CHECK(m.size == 3 && !m.is_mapped);
    CHECK_STR(m.path, "three");
    file_map_close(&m);
    CHECK(!file_map_bytes(&m, "", 0, "none", &err));
    CHECK_STR(err.text, "none: the file is empty");
}

TEST(file_map_says_when_memory_is_out)
{
    const char *path = test_temp("a");
    lory_err err = { 0 };
    file_map m;
    put(path, "x");
    mem_fail_at(1);
    CHECK(!file_map_open(&m, path, &err));
    mem_fail_at(0);
    CHECK(err.code == LORY_E_MEMORY);
}

TEST(file_read_appends_and_keeps_the_limit)
{
    const char *path = test_temp("a");
    lory_err err = { 0 };
    buf b = { 0 };
    put(path, "12345");
    buf_puts(&b, "0");
    REQUIRE(file_read(path, 5, &b, &err));
    CHECK_STR(b.data, "012345");
    CHECK(!file_read(path, 4, &b, &err));
    CHECK(err.code == LORY_E_FORMAT && strstr(err.text, "more than 4 bytes"));
    CHECK_STR(b.data, "012345");
    CHECK(!file_read("/tmp", 4, &b, &err));
    CHECK_STR(err.text, "/tmp: is a directory (expected a regular file)");
    CHECK(!file_read("/dev/zero", 1000000, &b, &err));
    CHECK_STR(err.text, "/dev/zero: more than 1000000 bytes");
    CHECK(b.len == 6 && strlen(b.data) == 6);
    CHECK(file_read("/dev/null", 0, &b, &err));
    CHECK(file_read("/proc/self/stat", SIZE_MAX, &b, &err) && b.len > 6);
    buf_free(&b);
}

static void check_pipe(int flags)
{
    enum { N = 300000 };
    lory_err err = { 0 };
    buf b = { 0 };
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        for (int i = 0; i < N; i++)
            if (write(ends[1], &(char){ (char)(i % 251) }, 1) != 1) _exit(1);
        _exit(0);
    }
    close(ends[1]);
    REQUIRE(dup2(ends[0], STDIN_FILENO) == STDIN_FILENO);
    REQUIRE(fcntl(STDIN_FILENO, F_SETFL, flags) == 0);
    CHECK(file_read("-", N, &b, &err), "%s", err.text);
    CHECK(b.len == N);
    for (size_t i = 0; i < b.len; i++)
        if (b.data[i] != (char)(i % 251)) {
            CHECK(false, "byte %zu differs", i);
            break;
        }
    buf_free(&b);
}

TEST(file_read_reads_pipes_from_standard_input)
{
    check_pipe(0);
}

TEST(file_read_waits_for_a_pipe_that_does_not)
{
    check_pipe(O_NONBLOCK);
}

TEST(file_read_of_standard_input_starts_where_it_stands)
{
    const char *path = test_temp("a");
    lory_err err = { 0 };
    buf b = { 0 };
    put(path, "head tail");
    REQUIRE(freopen(path, "rb", stdin) && lseek(STDIN_FILENO, 5, SEEK_SET) == 5);
    CHECK(file_read("-", 4, &b, &err), "%s", err.text);
    CHECK_STR(b.data, "tail");
    buf_free(&b);
}

static int n_files(const char *dir)
{
    int n = 0;
    DIR *d = opendir(dir);
    for (struct dirent *e; d && (e = readdir(d));)
        n += strcmp(e->d_name, ".") && strcmp(e->d_name, "..");
    if (d) closedir(d);
    return n;
}

static void expect_text(const char *path, const char *want)
{
    lory_err err = { 0 };
    buf b = { 0 };
    CHECK(file_read(path, 1000, &b, &err), "%s", err.text);
    CHECK_STR(b.data, want);
    buf_free(&b);
}

TEST(file_commit_replaces_whole_and_abandon_leaves_nothing)
{
    const char *dir = test_temp("d"), *path = test_temp("d/out");
    lory_err err = { 0 };
    file_new n;
    REQUIRE(mkdir(dir, 0700) == 0);
    put(path, "old");
    REQUIRE(file_create(&n, path, &err));
    CHECK(file_write(&n, "new text", 8, &err));
    fflush(n.f);
    expect_text(path, "old");
    file_abandon(&n);
    file_abandon(&n);
    CHECK(n_files(dir) == 1);
    expect_text(path, "old");

    REQUIRE(file_create(&n, path, &err));
    CHECK(file_write(&n, "new text", 8, &err) && file_write(&n, NULL, 0, &err));
    CHECK(file_commit(&n, &err), "%s", err.text);
    file_abandon(&n);
    CHECK(n_files(dir) == 1);
    expect_text(path, "new text");
    CHECK(mem_live_bytes() == 0);
}

/* Puts a new file there; the mode that it has then. */
static unsigned mode_of_new(const char *path)
{
    struct stat st = { 0 };
    lory_err err = { 0 };
    file_new n;
    CHECK(file_create(&n, path, &err) && file_write(&n, "new", 3, &err) && file_commit(&n, &err),
          "%s", err.text);
    expect_text(path, "new");
    CHECK(stat(path, &st) == 0);
    return st.st_mode & 0777;
}

TEST(file_commit_keeps_the_mode_of_what_it_replaces_and_links_to_it)
{
    const char *path = test_temp("d/out"), *link = test_temp("link"), *lost = test_temp("lost");
    struct stat st;
    REQUIRE(mkdir(test_temp("d"), 0700) == 0);
    umask(027);
    CHECK(mode_of_new(path) == 0640);
    REQUIRE(chmod(path, 0600) == 0 && symlink("d/out", link) == 0);
    CHECK(mode_of_new(path) == 0600);
    put(path, "old");
    CHECK(mode_of_new(link) == 0600);
    CHECK(lstat(link, &st) == 0 && S_ISLNK(st.st_mode));
    expect_text(path, "new");
    CHECK(n_files(test_temp("d")) == 1);
    REQUIRE(symlink("nowhere/at/all", lost) == 0);
    CHECK(mode_of_new(lost) == 0640);
    CHECK(lstat(lost, &st) == 0 && S_ISREG(st.st_mode));
    CHECK(mem_live_bytes() == 0);
}

TEST(file_commit_keeps_the_owner_and_the_group_where_it_may)
{
    enum { OWNER = 12345, GROUP = 54321 };
    const char *path = test_temp("out");
    struct stat st;
    put(path, "old");
    if (chown(path, OWNER, GROUP) != 0) return; /* only root may */
    REQUIRE(chmod(path, 0640) == 0);
    CHECK(mode_of_new(path) == 0640);
    CHECK(stat(path, &st) == 0 && st.st_uid == OWNER && st.st_gid == GROUP);
}

/* As a user whose file has a group that is not the user's: that of the new one gets no more than
 * all get. */
TEST(file_commit_opens_the_file_to_no_other_group)
{
    enum { OWNER = 12345, GROUP = 54321 };
    const char *dir = test_temp("d"), *path = test_temp("d/out");
    struct stat st;
    REQUIRE(mkdir(dir, 0755) == 0);
    put(path, "old");
    REQUIRE(chmod(path, 0664) == 0 && chdir(dir) == 0);
    if (chown(".", OWNER, OWNER) != 0 || chown("out", OWNER, GROUP) != 0
        || setgroups(0, NULL) != 0 || setegid(OWNER) != 0 || seteuid(OWNER) != 0)
        return; /* only root may */
    CHECK(mode_of_new("out") == 0644);
    CHECK(stat("out", &st) == 0 && st.st_uid == OWNER && st.st_gid == OWNER);
    CHECK(seteuid(0) == 0);
}

/* How a process of its own, with the folder it is given, ends. */
static int status_of_child(void (*child)(const char *dir), const char *dir)
{
    int status = -1;
    pid_t pid = fork();
    if (pid == 0) {
        child(dir);
        _exit(0);
    }
    waitpid(pid, &status, 0);
    return status;
}

static void write_and_be_killed(const char *dir)
{
    file_new n;
    lory_err err;
    int fd = chdir(dir) == 0 ? open(".", O_TMPFILE | O_WRONLY, 0600) : -1;
    if (fd < 0) _exit(77); /* the file system has no files without a name */
    if (file_create(&n, "out", &err) && file_write(&n, "half", 4, &err)) fflush(n.f);
    raise(SIGKILL);
}

TEST(file_new_leaves_nothing_when_its_process_is_killed)
{
    const char *dir = test_temp("d");
    REQUIRE(mkdir(dir, 0700) == 0);
    int status = status_of_child(write_and_be_killed, dir);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) test_skip("O_TMPFILE");
    CHECK(WIFSIGNALED(status) && n_files(dir) == 0);
}

/* Whether what is written so far can be read before the file is put in its place. */
static bool reads_so_far(file_new *n, const char *want)
{
    lory_err err;
    buf b = { 0 };
    const char *name = file_name_so_far(n, &err);
    bool ok = name && file_read(name, 100, &b, &err) && strcmp(b.data, want) == 0;
    buf_free(&b);
    return ok;
}

TEST(file_new_can_be_read_before_it_is_committed)
{
    const char *path = test_temp("new");
    lory_err err;
    file_new n;
    put(path, "old");
    REQUIRE(file_create(&n, path, &err) && file_write(&n, "half", 4, &err));
    CHECK(reads_so_far(&n, "half"));
    REQUIRE(file_write(&n, " and half", 9, &err));
    CHECK(reads_so_far(&n, "half and half"));
    expect_text(path, "old");
    CHECK(file_commit(&n, &err));
    expect_text(path, "half and half");
}

/* Where there is no /proc, nothing gives a nameless file its name. */
static void write_without_proc(const char *dir)
{
    file_new n;
    lory_err err;
    if (chdir(dir) != 0 || (chroot(".") != 0 && (unshare(CLONE_NEWUSER) != 0 || chroot(".") != 0)))
        _exit(77);
    bool ok = file_create(&n, "out", &err) && file_write(&n, "whole", 5, &err) && n.has_temp
              && reads_so_far(&n, "whole");
    _exit(!(ok && file_commit(&n, &err)));
}

TEST(file_new_has_a_temporary_name_where_it_must)
{
    const char *dir = test_temp("d");
    REQUIRE(mkdir(dir, 0700) == 0);
    put(test_temp("d/out"), "old");
    int status = status_of_child(write_without_proc, dir);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) test_skip("chroot");
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0 && n_files(dir) == 1);
    expect_text(test_temp("d/out"), "whole");
}

TEST(file_create_works_without_a_directory_in_the_name_and_side_by_side)
{
    const char *dir = test_temp("");
    lory_err err = { 0 };
    file_new a, b;
    REQUIRE(chdir(dir) == 0);
    REQUIRE(file_create(&a, "a", &err) && file_create(&b, "b", &err));
    CHECK(file_write(&a, "A", 1, &err) && file_write(&b, "B", 1, &err));
    CHECK(file_commit(&a, &err) && file_commit(&b, &err));
    expect_text("a", "A");
    expect_text("b", "B");
    CHECK(n_files(".") == 2);
}

TEST(file_create_refuses_what_cannot_be_replaced)
{
    static char long_name[300];
    memset(long_name, 'x', sizeof long_name - 1);
    lory_err err = { 0 };
    file_new n;
    CHECK(!file_create(&n, "/tmp", &err));
    CHECK_STR(err.text, "/tmp: is a directory (expected a regular file)");
    CHECK(!file_create(&n, "/dev/null", &err));
    CHECK_STR(err.text, "/dev/null: is a device (expected a regular file)");
    CHECK(!file_create(&n, "/nowhere/at/all", &err));
    CHECK_STR(err.text, "/nowhere/at/all: cannot create: No such file or directory");
    CHECK(!file_create(&n, "", &err));
    CHECK_STR(err.text, ": cannot create: No such file or directory");
    CHECK(!file_create(&n, long_name, &err));
    CHECK(strstr(err.text, ": cannot create: File name too long"), "%s", err.text);
    CHECK(mem_live_bytes() == 0);
}

/* A file size limit stands in for the full disk: both are a write that fails half way. */
TEST(file_write_errors_name_the_file_and_leave_nothing)
{
    static char block[100000];
    const char *dir = test_temp("d"), *path = test_temp("d/out");
    char want[LORY_ERR_MAX];
    lory_err err = { 0 };
    file_new n;
    REQUIRE(mkdir(dir, 0700) == 0);
    snprintf(want, sizeof want, "%s: cannot write: File too large", path);
    signal(SIGXFSZ, SIG_IGN);
    REQUIRE(setrlimit(RLIMIT_FSIZE, &(struct rlimit){ 1000, RLIM_INFINITY }) == 0);
    REQUIRE(file_create(&n, path, &err));
    CHECK(!file_write(&n, block, sizeof block, &err));
    CHECK_STR(err.text, want);
    CHECK(!file_commit(&n, &err)); /* an error the caller missed is not lost */
    CHECK(n_files(dir) == 0);

    REQUIRE(file_create(&n, path, &err));
    CHECK(file_write(&n, block, 1001, &err)); /* in the stdio buffer until the commit */
    CHECK(!file_commit(&n, &err));
    CHECK_STR(err.text, want);
    CHECK(n_files(dir) == 0);
    CHECK(mem_live_bytes() == 0);
    /* gcov writes its counts when the test ends */
    CHECK(setrlimit(RLIMIT_FSIZE, &(struct rlimit){ RLIM_INFINITY, RLIM_INFINITY }) == 0);
}

TEST(file_write_to_a_full_disk_says_so)
{
    const char *path = "/dev/full";
    lory_err err = { 0 };
    file_new n = { .f = fopen(path, "wb"), .path = mem_new(10, 1) };
    REQUIRE(n.f && n.path);
    strcpy(n.path, path);
    CHECK(file_write(&n, "x", 1, &err));
    CHECK(!file_commit(&n, &err));
    CHECK_STR(err.text, "/dev/full: cannot write: No space left on device");
}

TEST(file_exists_is_true_for_readable_regular_files_only)
{
    const char *path = test_temp("a");
    CHECK(!file_exists(path));
    put(path, "");
    CHECK(file_exists(path));
    CHECK(!file_exists("/tmp") && !file_exists("/dev/null"));
}

TEST(file_program_dir_holds_the_program)
{
    char dir[1024], exe[1100];
    REQUIRE(file_program_dir(dir, sizeof dir));
    snprintf(exe, sizeof exe, "%s/lory-test", dir);
    CHECK(dir[0] == '/' && file_exists(exe), "%s", exe);
    CHECK(!file_program_dir(dir, 3) && !file_program_dir(dir, 0));
}

TEST(pages_that_are_touched_or_forgotten_stay_what_they_were)
{
    static char bytes[3 * 4096];
    file_map m;
    lory_err err = { 0 };
    const char *path = test_temp("pages");
    memset(bytes, 'x', sizeof bytes);
    FILE *f = fopen(path, "wb");
    REQUIRE(f);
    fwrite(bytes, 1, sizeof bytes, f);
    fclose(f);
    REQUIRE(file_map_open(&m, path, &err), "%s", err.text);
    file_map_forget(&m, m.data, m.size), file_map_forget(&m, m.data + 1, 1);
    file_map_touch(&m, m.data + 5000, 100), file_map_touch(&m, m.data, m.size);
    file_map_touch(&m, m.data, m.size + 1), file_map_touch(&m, bytes, 1); /* not of the file */
    CHECK_SAME(m.data, bytes, sizeof bytes, "the mapping");
    file_map_close(&m);
    REQUIRE(file_map_read(&m, path, &err), "%s", err.text);
    file_map_forget(&m, m.data, m.size);
    CHECK_SAME(m.data, bytes, sizeof bytes, "the copy");
    file_map_close(&m);
    REQUIRE(file_map_bytes(&m, bytes, sizeof bytes, "bytes", &err), "%s", err.text);
    file_map_forget(&m, bytes, sizeof bytes);
    CHECK(bytes[5000] == 'x');
    file_map_close(&m);
}

TEST(file_is_same_by_links_too)
{
    const char *path = test_temp("here"), *link_path = test_temp("link");
    FILE *f = fopen(path, "w");
    REQUIRE(f && fclose(f) == 0);
    REQUIRE(symlink(path, link_path) == 0);
    CHECK(file_is_same(path, path) && file_is_same(path, link_path));
    CHECK(!file_is_same(path, "tests/test_file.c"));
    CHECK(!file_is_same(path, test_temp("gone")) && !file_is_same("", ""));
}
