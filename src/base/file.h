/* file.h - files: a read-only mapping, whole small files, atomic and checked writing.
 * Layer: base; the only place that knows the operating system's files. */
#ifndef LORY_BASE_FILE_H
#define LORY_BASE_FILE_H

#include "base/buf.h"
#include "lory.h"
#include <stdio.h>

typedef struct {
    const unsigned char *data; /* [size] read-only; NULL when closed */
    size_t size;               /* bytes */
    char *path;                /* as given, for errors */
    bool is_mapped;            /* else the bytes are the caller's */
    bool is_of_file;           /* the pages are the file's own: they can leave memory, come back */
} file_map;

/* Maps a regular file of at least one byte. FIFOs, directories, devices and empty files are
 * refused with a line that says what it is, without hanging. On failure *m is closed. */
bool file_map_open(file_map *m, const char *path, lory_err *err);
/* The same file, but read into memory of the process's own: slower to open and not shared, but
 * what happens to the file afterwards does not matter. */
bool file_map_read(file_map *m, const char *path, lory_err *err);
/* Wraps bytes that stay the caller's. */
bool file_map_bytes(file_map *m, const void *bytes, size_t n, const char *name, lory_err *err);
void file_map_close(file_map *m);
/* n_bytes from p on will hardly be read again: their pages may leave memory (reading them brings
 * them back). Nothing happens to bytes that are no pages of a file. */
void file_map_forget(const file_map *m, const void *p, size_t n_bytes);
/* Keeps the bytes in memory (mlock); LORY_E_MEMORY when the limits of the process forbid it. */
bool file_map_lock(const file_map *m, lory_err *err);
/* Tells the kernel that bytes [offset, offset + n) will be read soon, in order. */
void file_map_will_need(const file_map *m, size_t offset, size_t n);
/* n_bytes from p on are about to be read for the first time: their pages enter the address space at
 * once. Prefetches of pages that are not in it are lost, so that faulting in what is read anyway,
 * 16 pages at a time, costs far more than the faults. Bytes outside the file are left alone. */
void file_map_touch(const file_map *m, const void *p, size_t n_bytes);

/* Appends a whole file, or stdin when path is "-", to *out; at most `max` bytes, else
 * LORY_E_FORMAT. Reads pipes too. On failure *out has the text it had. */
bool file_read(const char *path, size_t max, buf *out, lory_err *err);

/* A file that appears whole or not at all: written without a name, or where the file system has no
 * such files under a temporary one in the same directory, then synced and put in its place by
 * file_commit, with the mode of the file that it replaces, and, as far as the user may give them,
 * its owner and group; else with the mode that the umask leaves. file_abandon gives it up; both
 * close, also when they fail, and file_abandon accepts a zeroed or closed one. A path that is there
 * and is no regular file is refused. Where it is a symbolic link, the file that it leads to is
 * replaced, or the link, where it leads to none; one to an open file, such as /dev/stdout, is
 * refused. */
typedef struct {
    FILE *f;
    char *path; /* as it was given, for messages */
    char *place, *temp_path;
    bool has_temp; /* the file is at temp_path */
    char link[32]; /* without one: its name in /proc */
} file_new;
bool file_create(file_new *n, const char *path, lory_err *err);
bool file_write(file_new *n, const void *bytes, size_t n_bytes, lory_err *err);
bool file_commit(file_new *n, lory_err *err);
void file_abandon(file_new *n);
/* A name by which this process can read what is written so far, to check it before file_commit; it
 * ends with the file_new. NULL on failure. */
const char *file_name_so_far(file_new *n, lory_err *err);
/* Whether file_create would do, for what is written after long work; leaves nothing behind. */
bool file_can_create(const char *path, lory_err *err);

bool file_exists(const char *path); /* a readable regular file */
/* Appends the names in a directory that end so, ascending, each with its NUL; none when there is no
 * such directory. */
bool file_list(const char *dir, const char *end, buf *names, lory_err *err);
/* Whether a read of fd finds something, or the end, or is to be tried once more, after a signal;
 * within wait_ms (-1: as long as it takes). */
bool file_is_readable(int fd, int wait_ms);
/* Anything of that name, a link to nothing too: whoever opens it learns why it can't be read. */
bool file_is_named(const char *path);
/* The directory of the running program, without a slash at its end; false when unknown. */
bool file_program_dir(char *dir, size_t cap);

/* Whether both names are of one file that is there, by links too. */
bool file_is_same(const char *a, const char *b);

#endif
