/* history.c - see history.h. */
#include "cli/history.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "text/json.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char first_line[] = "lory history 1\n";

static char *copy(const char *s, size_t n)
{
    char *c = mem_new(n + 1, 1);
    if (c) memcpy(c, s, n);
    return c;
}

/* ---- in memory --------------------------------------------------------------------------- */

static bool keep(history *h, const char *text, size_t n)
{
    if (!h->entry && !(h->entry = mem_new(HISTORY_MAX, sizeof *h->entry))) return false;
    char *c = copy(text, n);
    if (!c) return false;
    if (h->n == HISTORY_MAX) {
        mem_free(h->entry[0]);
        memmove(h->entry, h->entry + 1, --h->n * sizeof *h->entry);
    }
    h->entry[h->n++] = c;
    return true;
}

void history_close(history *h)
{
    for (size_t i = 0; i < h->n; i++) mem_free(h->entry[i]);
    mem_free(h->entry);
    mem_free(h->path);
    *h = (history){ 0 };
}

/* ---- the file ---------------------------------------------------------------------------- */

static void put_entry(buf *b, const char *text, size_t n)
{
    json_writer w = { b, false };
    json_put_bytes(&w, text, n);
    buf_putc(b, '\n');
}

/* One write, so that two programs do not mix; a part of a line, on a full disk, is taken back. */
static bool append(const char *path, const buf *b, lory_err *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    struct stat before;
    bool ok = fd >= 0 && fstat(fd, &before) == 0;
    ssize_t n = ok ? write(fd, b->data, b->len) : 0;
    if (n > 0 && n < (ssize_t)b->len) {
        n = ftruncate(fd, before.st_size);
        errno = ENOSPC;
    }
    ok = ok && n == (ssize_t)b->len;
    if (!ok) err_set_errno(err, LORY_E_IO, "%s: cannot write: history is not kept", path);
    if (fd < 0 || close(fd) == 0 || !ok) return ok;
    return err_set_errno(err, LORY_E_IO, "%s: cannot write: history is not kept", path);
}

/* The first entry that is kept with all behind it: half of what the file may have. */
static size_t first_kept(const history *h)
{
    size_t i = h->n, n_bytes = 0;
    while (i > 0 && n_bytes < HISTORY_MAX_BYTES / 2) n_bytes += strlen(h->entry[--i]);
    return n_bytes < HISTORY_MAX_BYTES / 2 ? i : i + 1;
}

/* The entries anew, in place of what there is. */
static bool rewrite(const history *h, lory_err *err)
{
    file_new f = { 0 };
    buf b = { 0 };
    buf_puts(&b, first_line);
    for (size_t i = first_kept(h); i < h->n; i++) put_entry(&b, h->entry[i], strlen(h->entry[i]));
    bool ok = !b.failed || err_set(err, LORY_E_MEMORY, "%s: no memory", h->path);
    ok = ok && file_create(&f, h->path, err);
    if (ok && fchmod(fileno(f.f), 0600) != 0)
        ok = err_set_errno(err, LORY_E_IO, "%s: cannot make it private", h->path);
    ok = ok && file_write(&f, b.data, b.len, err) && file_commit(&f, err);
    if (!ok) file_abandon(&f);
    buf_free(&b);
    return ok;
}

static bool read_entry(history *h, const char *line, size_t n, size_t i_line, lory_err *err)
{
    json_doc d;
    const char *s;
    size_t n_text;
    if (!json_read(&d, line, n, "entry", NULL))
        return err_set(err, LORY_E_FORMAT, "%s: line %zu is no JSON string: history is not kept",
                       h->path, i_line);
    bool ok = json_get_str(d.root, &s, &n_text) && !memchr(s, 0, n_text);
    if (!ok)
        err_set(err, LORY_E_FORMAT, "%s: line %zu is no JSON string: history is not kept", h->path,
                i_line);
    else if (!keep(h, s, n_text))
        ok = err_set(err, LORY_E_MEMORY, "%s: no memory", h->path);
    json_close(&d);
    return ok;
}

bool history_read(history *h, const buf *b, bool *is_long, lory_err *err)
{
    size_t n_first = sizeof first_line - 1, i_line = 1;
    if (b->len < n_first || memcmp(b->data, first_line, n_first) != 0)
        return err_set(err, LORY_E_FORMAT,
                       "%s: no history of lory (expected \"lory history 1\" in its first line)",
                       h->path);
    for (size_t at = n_first; at < b->len;) {
        const char *end = memchr(b->data + at, '\n', b->len - at);
        *is_long = !end || i_line > HISTORY_MAX;
        if (!end) return true;
        size_t n = (size_t)(end - (b->data + at));
        if (!read_entry(h, b->data + at, n, ++i_line, err)) return false;
        at += n + 1;
    }
    return true;
}

/* The first line of a file that is too long, and the last whole lines. */
static bool read_last(const char *path, long size, buf *out, lory_err *err)
{
    const size_t n_first = sizeof first_line - 1, n_last = HISTORY_MAX_BYTES - n_first;
    FILE *f = fopen(path, "rb");
    bool ok = f && buf_reserve(out, HISTORY_MAX_BYTES)
              && fread(out->data, 1, n_first, f) == n_first
              && fseek(f, size - (long)n_last, SEEK_SET) == 0
              && fread(out->data + n_first, 1, n_last, f) == n_last;
    if (!ok) err_set_errno(err, LORY_E_IO, "%s: cannot read", path);
    if (f) fclose(f);
    if (!ok) return false;
    const char *end = memchr(out->data + n_first, '\n', n_last);
    size_t n_cut = end ? (size_t)(end + 1 - (out->data + n_first)) : n_last;
    memmove(out->data + n_first, out->data + n_first + n_cut, n_last - n_cut);
    out->len = HISTORY_MAX_BYTES - n_cut;
    return true;
}

static bool load(history *h, lory_err *err)
{
    struct stat st;
    buf b = { 0 };
    bool is_long = false;
    if (stat(h->path, &st) != 0)
        return errno == ENOENT ? rewrite(h, err)
                               : err_set_errno(err, LORY_E_IO, "%s: cannot read", h->path);
    if (!S_ISREG(st.st_mode))
        return err_set(err, LORY_E_IO, "%s: no regular file: history is not kept", h->path);
    bool is_cut = st.st_size > HISTORY_MAX_BYTES;
    bool ok = (is_cut ? read_last(h->path, (long)st.st_size, &b, err)
                      : file_read(h->path, HISTORY_MAX_BYTES, &b, err))
              && history_read(h, &b, &is_long, err);
    is_long |= is_cut;
    buf_free(&b);
    return ok && (!is_long || rewrite(h, err));
}

bool history_open(history *h, const char *path, lory_err *err)
{
    *h = (history){ .path = copy(path, strlen(path)) };
    if (!h->path) return err_set(err, LORY_E_MEMORY, "%s: no memory", path);
    if (load(h, err)) return true;
    history_close(h);
    return false;
}

static bool make_folder(const char *path)
{
    return mkdir(path, 0700) == 0 || errno == EEXIST;
}

bool history_default_path(char *path, size_t cap)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    int n;
    if (state && state[0] == '/')
        n = snprintf(path, cap, "%s", state);
    else if (home && home[0] == '/')
        n = snprintf(path, cap, "%s/.local/state", home);
    else
        return false;
    if (n < 0 || (size_t)n + sizeof "/lory/history" > cap) return false;
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        bool ok = make_folder(path);
        *slash = '/';
        if (!ok) return false;
    }
    if (!make_folder(path)) return false;
    strcpy(path + n, "/lory");
    if (!make_folder(path)) return false;
    strcat(path, "/history");
    return true;
}

static bool is_blank(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!strchr(" \t\n", text[i])) return false;
    return true;
}

bool history_add(history *h, const char *text, size_t n, lory_err *err)
{
    const char *last = h->n ? h->entry[h->n - 1] : "";
    if (is_blank(text, n) || memchr(text, 0, n)) return true;
    if (strlen(last) == n && memcmp(last, text, n) == 0) return true;
    if (!keep(h, text, n)) return err_set(err, LORY_E_MEMORY, "history: no memory");
    if (!h->path) return true;
    buf b = { 0 };
    put_entry(&b, text, n);
    bool ok =
        b.failed ? err_set(err, LORY_E_MEMORY, "history: no memory") : append(h->path, &b, err);
    buf_free(&b);
    if (ok) return true;
    mem_free(h->path); /* it is told once */
    h->path = NULL;
    return false;
}
