/* file.c - see file.h. */
#include "base/file.h"
#include "base/err.h"
#include "base/mem.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static char *copy_text(const char *s)
{
    size_t n_bytes = strlen(s) + 1;
    char *copy = mem_new(n_bytes, 1);
    if (copy) memcpy(copy, s, n_bytes);
    return copy;
}

static const char *kind(mode_t mode)
{
    if (S_ISDIR(mode)) return "a directory";
    if (S_ISFIFO(mode)) return "a pipe";
    if (S_ISSOCK(mode)) return "a socket";
    if (S_ISCHR(mode) || S_ISBLK(mode)) return "a device";
    return "no regular file";
}

static bool refuse(const char *path, mode_t mode, lory_err *err)
{
    return err_set(err, LORY_E_IO, "%s: is %s (expected a regular file)", path, kind(mode));
}

/* ---- mapping ------------------------------------------------------------------------------- */

/* O_NONBLOCK: the open of a FIFO without a writer returns, and is then refused by its kind. */
static int open_regular(const char *path, struct stat *st, lory_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        int saved = errno;
        if (saved == ENXIO && stat(path, st) == 0) { /* a socket cannot even be opened */
            refuse(path, st->st_mode, err);
            return -1;
        }
        errno = saved;
        err_set_errno(err, LORY_E_IO, "%s: cannot open", path);
        return -1;
    }
    if (fstat(fd, st) != 0)
        err_set_errno(err, LORY_E_IO, "%s: cannot read its size", path);
    else if (!S_ISREG(st->st_mode))
        refuse(path, st->st_mode, err);
    else
        return fd;
    close(fd);
    return -1;
}

static bool map_fd(file_map *m, int fd, off_t size, const char *path, lory_err *err)
{
    if (size <= 0) return err_set(err, LORY_E_FORMAT, "%s: the file is empty", path);
    if ((uintmax_t)size > SIZE_MAX)
        return err_set(err, LORY_E_IO, "%s: too large for this machine's addresses", path);
    m->path = copy_text(path);
    if (!m->path) return err_set(err, LORY_E_MEMORY, "%s: out of memory", path);
    void *data = mmap(NULL, (size_t)size, PROT_READ, MAP_SHARED, fd, 0);
    if (data == MAP_FAILED) {
        err_set_errno(err, LORY_E_IO, "%s: cannot map %jd bytes", path, (intmax_t)size);
        file_map_close(m);
        return false;
    }
    m->data = data;
    m->size = (size_t)size;
    m->is_mapped = m->is_of_file = true;
    return true;
}

void file_map_forget(const file_map *m, const void *p, size_t n_bytes)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), begin = (uintptr_t)p;
    uintptr_t first = (begin + page - 1) / page * page, end = (begin + n_bytes) / page * page;
    if (m->is_of_file && first < end) madvise((void *)first, end - first, MADV_DONTNEED);
}

bool file_map_open(file_map *m, const char *path, lory_err *err)
{
    struct stat st;
    *m = (file_map){ 0 };
    int fd = open_regular(path, &st, err);
    if (fd < 0) return false;
    bool ok = map_fd(m, fd, st.st_size, path, err);
    close(fd); /* the mapping keeps the file */
    return ok;
}

static bool copy_fd(file_map *m, int fd, off_t size, const char *path, lory_err *err)
{
    if (size <= 0) return err_set(err, LORY_E_FORMAT, "%s: the file is empty", path);
    m->path = copy_text(path);
    void *copy = m->path && (uintmax_t)size <= SIZE_MAX ? mem_new_lazy((size_t)size) : NULL;
    if (!copy)
        return err_set(err, LORY_E_MEMORY, "%s: no memory for %jd bytes", path, (intmax_t)size);
    m->data = copy;
    m->size = (size_t)size;
    m->is_mapped = true;
    for (size_t done = 0; done < m->size;) {
        ssize_t n = read(fd, (char *)copy + done, m->size - done);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return err_set_errno(err, LORY_E_IO, "%s: cannot read", path);
        if (n == 0) return err_set(err, LORY_E_IO, "%s: became shorter while it was read", path);
        done += (size_t)n;
    }
    return true;
}

bool file_map_read(file_map *m, const char *path, lory_err *err)
{
    struct stat st;
    *m = (file_map){ 0 };
    int fd = open_regular(path, &st, err);
    if (fd < 0) return false;
    bool ok = copy_fd(m, fd, st.st_size, path, err);
    close(fd);
    if (!ok) file_map_close(m);
    return ok;
}

bool file_map_lock(const file_map *m, lory_err *err)
{
    if (mlock(m->data, m->size) == 0) return true;
    return err_set_errno(err, LORY_E_MEMORY,
                         "%s: cannot lock %zu MB in memory (ulimit -l sets how much may be)",
                         m->path, m->size >> 20);
}

void file_map_will_need(const file_map *m, size_t offset, size_t n)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), first = offset - offset % page;
    if (m->is_mapped) madvise((void *)(m->data + first), n + (offset - first), MADV_WILLNEED);
}

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22 /* Linux 5.14; refused before, which does no harm */
#endif

void file_map_touch(const file_map *m, const void *p, size_t n_bytes)
{
    size_t offset = (uintptr_t)p - (uintptr_t)m->data, size = (size_t)sysconf(_SC_PAGESIZE);
    if (!m->is_of_file || offset >= m->size || n_bytes > m->size - offset) return;
    size_t first = offset - offset % size;
    madvise((void *)(m->data + first), n_bytes + (offset - first), MADV_POPULATE_READ);
}

bool file_map_bytes(file_map *m, const void *bytes, size_t n, const char *name, lory_err *err)
{
    *m = (file_map){ 0 };
    if (n == 0) return err_set(err, LORY_E_FORMAT, "%s: the file is empty", name);
    m->path = copy_text(name);
    if (!m->path) return err_set(err, LORY_E_MEMORY, "%s: out of memory", name);
    m->data = bytes;
    m->size = n;
    return true;
}

void file_map_close(file_map *m)
{
    if (m->is_mapped) munmap((void *)m->data, m->size);
    mem_free(m->path);
    *m = (file_map){ 0 };
}

/* ---- reading whole ------------------------------------------------------------------------- */

static bool too_long(const char *name, size_t max, lory_err *err)
{
    return err_set(err, LORY_E_FORMAT, "%s: more than %zu bytes", name, max);
}

bool file_is_readable(int fd, int wait_ms)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    int n = poll(&p, 1, wait_ms);
    return n > 0 || (n < 0 && errno == EINTR);
}

/* Appends until the end of fd. Reads one byte past the limit to know that there is more. */
static bool read_fd(int fd, const char *name, size_t max, buf *out, lory_err *err)
{
    enum { STEP_BYTES = 64 * 1024 };
    size_t n_read = 0;
    for (;;) {
        size_t want = max - n_read < STEP_BYTES ? max - n_read + 1 : STEP_BYTES;
        if (!buf_reserve(out, want)) return err_set(err, LORY_E_MEMORY, "%s: out of memory", name);
        ssize_t n = read(fd, out->data + out->len, want);
        if (n < 0 && errno == EINTR) continue;
        /* Somebody who shares the open file wants no call to wait. */
        if (n < 0 && errno == EAGAIN && file_is_readable(fd, -1)) continue;
        if (n < 0) return err_set_errno(err, LORY_E_IO, "%s: cannot read", name);
        if (n == 0) return true;
        n_read += (size_t)n;
        if (n_read > max) return too_long(name, max, err);
        out->len += (size_t)n;
    }
}

static bool read_open(int fd, const char *name, size_t max, buf *out, lory_err *err)
{
    struct stat st;
    size_t len = out->len;
    if (fstat(fd, &st) != 0) return err_set_errno(err, LORY_E_IO, "%s: cannot read", name);
    if (S_ISDIR(st.st_mode)) return refuse(name, st.st_mode, err);
    if (S_ISREG(st.st_mode)) {
        off_t at = fd == STDIN_FILENO ? lseek(fd, 0, SEEK_CUR) : 0;
        off_t left = at >= 0 && at < st.st_size ? st.st_size - at : 0;
        if ((uintmax_t)left > max) return too_long(name, max, err);
        if (!buf_reserve(out, (size_t)left))
            return err_set(err, LORY_E_MEMORY, "%s: out of memory", name);
    }
    bool ok = read_fd(fd, name, max, out, err);
    if (!ok) out->len = len;
    if (out->data) out->data[out->len] = '\0';
    return ok;
}

bool file_read(const char *path, size_t max, buf *out, lory_err *err)
{
    if (strcmp(path, "-") == 0) return read_open(STDIN_FILENO, "stdin", max, out, err);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) return err_set_errno(err, LORY_E_IO, "%s: cannot open", path);
    bool ok = read_open(fd, path, max, out, err);
    close(fd);
    return ok;
}

/* ---- writing whole or not at all ----------------------------------------------------------- */

enum { TEMP_NAME_BYTES = 64 };

/* A file without a name: of one that is never finished nothing is left, however the process ends.
 * -1: the file system has none, or there is no /proc, by which it is given its name. */
static int open_nameless(file_new *n, const char *dir)
{
    int fd = open(dir, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666);
    snprintf(n->link, sizeof n->link, "/proc/self/fd/%d", fd);
    if (fd < 0 || access(n->link, F_OK) == 0) return fd;
    close(fd);
    return -1;
}

/* Finds a name that nobody has in the directory, n->temp_path[0 .. dir_bytes), and gives it to fd;
 * -1: to a new file. Plain open, not mkstemp: the file gets the mode that the umask leaves, as any
 * other file. Returns the open file, or -1 with errno. */
static int name_temp(file_new *n, size_t dir_bytes, int fd)
{
    enum { N_TRIES = 1000 };
    for (int i = 0; i < N_TRIES; i++) {
        snprintf(n->temp_path + dir_bytes, TEMP_NAME_BYTES, ".lory-%ld-%d.tmp", (long)getpid(), i);
        int got = fd < 0 ? open(n->temp_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY,
                                0666)
                         : linkat(AT_FDCWD, n->link, AT_FDCWD, n->temp_path, AT_SYMLINK_FOLLOW);
        n->has_temp = got >= 0;
        if (n->has_temp) return fd < 0 ? got : fd;
        if (errno != EEXIST) break;
    }
    return -1;
}

static size_t dir_bytes_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? (size_t)(slash - path) + 1 : 0;
}

static bool is_link(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0 && S_ISLNK(st.st_mode);
}

static int open_temp(file_new *n, lory_err *err)
{
    size_t dir_bytes = dir_bytes_of(n->place);
    n->temp_path = mem_new(dir_bytes + TEMP_NAME_BYTES, 1);
    if (!n->temp_path) {
        err_set(err, LORY_E_MEMORY, "%s: out of memory", n->path);
        return -1;
    }
    memcpy(n->temp_path, n->place, dir_bytes);
    int fd = open_nameless(n, dir_bytes ? n->temp_path : ".");
    if (fd < 0) fd = name_temp(n, dir_bytes, -1);
    if (fd < 0) err_set_errno(err, LORY_E_IO, "%s: cannot create", n->path);
    return fd;
}

/* Keeps the names: what was given, and of the file to be replaced, where that is a link that the
 * system follows, too: in a directory that all may write to, it may not follow those of others. */
static bool set_names(file_new *n, const char *path, lory_err *err)
{
    char to[PATH_MAX];
    bool leads = is_link(path) && realpath(path, to) && file_is_same(path, to);
    n->path = copy_text(path);
    n->place = copy_text(leads ? to : path);
    return (n->path && n->place) || err_set(err, LORY_E_MEMORY, "%s: out of memory", path);
}

/* Makes the new file as open as the one that it replaces, for the same. Where it can't have that
 * one's group, another gets what all get. Not all file systems have owners and modes. */
static void keep_access(int fd, const struct stat *old)
{
    mode_t mode = old->st_mode & 0777;
    bool has_group = fchown(fd, old->st_uid, old->st_gid) == 0
                     || fchown(fd, (uid_t)-1, old->st_gid) == 0;
    if (!has_group) mode = (mode & 0707) | (mode & 07) << 3;
    fchmod(fd, mode);
}

/* /dev/stdout and its like, which all programs go by. */
static bool is_link_to_open(const char *path)
{
    static const char open_files[] = "/proc/";
    const size_t n = sizeof open_files - 1;
    char to[sizeof open_files];
    return readlink(path, to, n) == (ssize_t)n && memcmp(to, open_files, n) == 0;
}

bool file_create(file_new *n, const char *path, lory_err *err)
{
    struct stat st;
    *n = (file_new){ 0 };
    bool is_there = stat(path, &st) == 0;
    if (is_there && !S_ISREG(st.st_mode)) return refuse(path, st.st_mode, err);
    if (is_link_to_open(path))
        return err_set(err, LORY_E_IO, "%s: is a link to an open file (expected a regular file)",
                       path);
    if (!*path || (!is_there && errno == ENAMETOOLONG)) /* say it before the work, not after */
        return err_set_errno(err, LORY_E_IO, "%s: cannot create", path);
    int fd = set_names(n, path, err) ? open_temp(n, err) : -1;
    if (fd >= 0) {
        if (is_there) keep_access(fd, &st);
        n->f = fdopen(fd, "wb");
        if (n->f) return true;
        err_set_errno(err, LORY_E_IO, "%s: cannot create", path);
        close(fd);
    }
    file_abandon(n);
    return false;
}

bool file_write(file_new *n, const void *bytes, size_t n_bytes, lory_err *err)
{
    if (n_bytes == 0 || fwrite(bytes, 1, n_bytes, n->f) == n_bytes) return true;
    return err_set_errno(err, LORY_E_IO, "%s: cannot write", n->path);
}

/* Makes the new name itself survive a power cut. The file is there and whole by now, and some
 * file systems cannot sync a directory, so a failure is not one of the caller's. */
static void sync_dir(char *path)
{
    char *slash = strrchr(path, '/');
    if (slash) slash[1] = '\0';
    int fd = open(slash ? path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return;
    fsync(fd);
    close(fd);
}

/* An error of an earlier fwrite that the caller missed is found here too. */
static bool flush(file_new *n)
{
    return !ferror(n->f) && fflush(n->f) == 0 && fsync(fileno(n->f)) == 0;
}

/* Puts the whole file in its place. One without a name takes the place itself when it is free;
 * what is there is replaced only by a rename, from a name. */
static bool put_in_place(file_new *n)
{
    if (!n->has_temp) {
        if (linkat(AT_FDCWD, n->link, AT_FDCWD, n->place, AT_SYMLINK_FOLLOW) == 0) return true;
        if (errno != EEXIST || name_temp(n, dir_bytes_of(n->place), fileno(n->f)) < 0)
            return false;
    }
    if (rename(n->temp_path, n->place) != 0) return false;
    n->has_temp = false;
    return true;
}

bool file_commit(file_new *n, lory_err *err)
{
    bool ok = true;
    if (!flush(n))
        ok = err_set_errno(err, LORY_E_IO, "%s: cannot write", n->path);
    else if (!put_in_place(n))
        ok = err_set_errno(err, LORY_E_IO, "%s: cannot put the new file in its place", n->path);
    else
        sync_dir(n->temp_path);
    file_abandon(n);
    return ok;
}

const char *file_name_so_far(file_new *n, lory_err *err)
{
    if (!ferror(n->f) && fflush(n->f) == 0) return n->has_temp ? n->temp_path : n->link;
    err_set_errno(err, LORY_E_IO, "%s: cannot write", n->path);
    return NULL;
}

void file_abandon(file_new *n)
{
    if (n->f) fclose(n->f);
    if (n->has_temp) unlink(n->temp_path);
    mem_free(n->temp_path);
    mem_free(n->place);
    mem_free(n->path);
    *n = (file_new){ 0 };
}

bool file_can_create(const char *path, lory_err *err)
{
    file_new n;
    bool ok = file_create(&n, path, err);
    file_abandon(&n);
    return ok;
}

/* ---- places -------------------------------------------------------------------------------- */

bool file_exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, R_OK) == 0;
}

static bool ends_with(const char *s, size_t n, const char *end)
{
    size_t n_end = strlen(end);
    return n >= n_end && memcmp(s + n - n_end, end, n_end) == 0;
}

bool file_list(const char *dir, const char *end, buf *names, lory_err *err)
{
    struct dirent **entry = NULL;
    bool ok = true;
    int n = scandir(dir, &entry, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        const char *name = entry[i]->d_name;
        size_t n_name = strlen(name);
        if (ends_with(name, n_name, end)) ok = buf_put(names, name, n_name + 1) && ok;
        free(entry[i]);
    }
    free(entry);
    return ok || err_set(err, LORY_E_MEMORY, "%s: out of memory", dir);
}

bool file_is_named(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

bool file_program_dir(char *dir, size_t cap)
{
    if (cap == 0) return false;
    ssize_t n = readlink("/proc/self/exe", dir, cap);
    if (n <= 0 || (size_t)n >= cap) return false; /* unknown, or perhaps cut */
    dir[n] = '\0';
    char *slash = strrchr(dir, '/');
    if (!slash) return false;
    slash[slash == dir] = '\0'; /* the root keeps its slash */
    return true;
}

bool file_is_same(const char *a, const char *b)
{
    struct stat x, y;
    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}
