/* fuzz_files.h - inputs of fuzz entries as files that have a name, which go with the input.
 *
 * An input of several files has a line "==> NAME <==" before each, as head and tail print them, and
 * a newline behind. Only names that the entry expects become files: no input writes elsewhere. */
#ifndef LORY_TESTS_FUZZ_FILES_H
#define LORY_TESTS_FUZZ_FILES_H

#include "fuzz.h"
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- one file, in memory ------------------------------------------------------------------- */

typedef struct {
    int fd;
    char path[64];
} fuzz_file;

static inline fuzz_file fuzz_file_open(const uint8_t *data, size_t n)
{
    fuzz_file f = { .fd = memfd_create("fuzz", 0) };
    MUST(f.fd >= 0 && write(f.fd, data, n) == (ssize_t)n);
    snprintf(f.path, sizeof f.path, "/proc/self/fd/%d", f.fd);
    return f;
}

/* ---- several, in a folder ------------------------------------------------------------------ */

enum { FUZZ_PATH = 300 };

typedef struct {
    char path[FUZZ_PATH - 50];
    const char *const *names; /* of files that may be there, made or not; NULL at the end */
} fuzz_files;

static inline const char *fuzz_path(const fuzz_files *f, const char *name, char path[FUZZ_PATH])
{
    snprintf(path, FUZZ_PATH, "%s/%.40s", f->path, name);
    return path;
}

static inline bool fuzz_has(const fuzz_files *f, const char *name)
{
    char path[FUZZ_PATH];
    return access(fuzz_path(f, name, path), F_OK) == 0;
}

static inline void fuzz_put(const fuzz_files *f, const char *name, const uint8_t *data, size_t n)
{
    char path[FUZZ_PATH];
    int fd = open(fuzz_path(f, name, path), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    MUST(fd >= 0 && write(fd, data, n) == (ssize_t)n && close(fd) == 0);
}

/* The first "==> " that begins a line of data[0..n), or its end. */
static inline const uint8_t *fuzz_mark(const uint8_t *data, size_t n)
{
    const uint8_t *at =
        n >= 4 && memcmp(data, "==> ", 4) == 0 ? data : memmem(data, n, "\n==> ", 5);
    return at ? at : data + n;
}

/* The name in the line at `at`, when it is an expected one; *body is what follows the line. */
static inline const char *fuzz_name(const fuzz_files *f, const uint8_t *at, const uint8_t *end,
                                    const uint8_t **body)
{
    char line[FUZZ_PATH];
    at += *at == '\n';
    for (const char *const *name = f->names; *name; name++) {
        int n = snprintf(line, sizeof line, "==> %s <==\n", *name);
        if (end - at < n || memcmp(at, line, (size_t)n) != 0) continue;
        *body = at + n;
        return *name;
    }
    *body = at + 1;
    return NULL;
}

static inline fuzz_files fuzz_files_open(const char *const *names, const uint8_t *data, size_t n)
{
    const char *tmp = getenv("TMPDIR");
    const uint8_t *end = data + n, *body;
    fuzz_files f = { .names = names };
    snprintf(f.path, sizeof f.path, "%s/lory-fuzz-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    MUST(mkdtemp(f.path));
    for (const uint8_t *at = fuzz_mark(data, n); at < end;) {
        const char *name = fuzz_name(&f, at, end, &body);
        at = fuzz_mark(body, (size_t)(end - body));
        if (name) fuzz_put(&f, name, body, (size_t)(at - body));
    }
    return f;
}

/* Aborts when there is a file that was not expected. */
static inline void fuzz_files_close(const fuzz_files *f)
{
    char path[FUZZ_PATH];
    for (const char *const *name = f->names; *name; name++) unlink(fuzz_path(f, *name, path));
    MUST(rmdir(f->path) == 0);
}

#endif
