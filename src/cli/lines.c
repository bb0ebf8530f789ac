/* lines.c - see lines.h. */
#include "cli/lines.h"
#include "base/err.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "cli/cli.h"
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

enum { READ_BYTES = 256 * 1024 };

static bool cannot_read(const char *name, lory_err *err)
{
    return err_set_errno(err, LORY_E_IO, "%s: cannot read", name);
}

/* read() that goes on after signals other than the user's wish to end, and where somebody wants no
 * call to wait; -1 with *err. */
static ssize_t read_some(int fd, const char *name, void *to, size_t n, lory_err *err)
{
    while (cli_wait_to_read(fd)) {
        ssize_t got = read(fd, to, n);
        if (got >= 0) return got;
        if (errno != EINTR && errno != EAGAIN) {
            cannot_read(name, err);
            return -1;
        }
    }
    err_set(err, LORY_E_INTERRUPTED, "%s: interrupted", name);
    return -1;
}

/* Forgets what was handed out, and of a line that is too long what was read of it. */
static void make_room(lines *l)
{
    buf *b = &l->held;
    b->len -= l->at;
    if (l->at && b->len) memmove(b->data, b->data + l->at, b->len);
    l->at = 0;
    if (b->len <= l->max && !l->n_dropped) return;
    l->n_dropped += b->len;
    b->len = l->n_seen = 0;
}

static bool fill(lines *l, lory_err *err)
{
    make_room(l);
    if (!buf_reserve(&l->held, READ_BYTES))
        return err_set(err, LORY_E_MEMORY, "%s: no memory for a line", l->name);
    size_t n_want = READ_BYTES;
    if (l->limit && l->limit - l->n_read < n_want) n_want = (size_t)(l->limit - l->n_read);
    ssize_t n = n_want ? read_some(l->fd, l->name, l->held.data + l->held.len, n_want, err) : 0;
    if (n < 0) return false;
    l->held.len += (size_t)n;
    l->n_read += (uint64_t)n;
    l->at_end = n == 0;
    return true;
}

/* The line of n bytes at `at` is complete, and its newline too unless it is the last. */
static lines_result hand_out(lines *l, size_t n, size_t n_newline, const char **text,
                             size_t *n_text)
{
    bool too_long = l->n_dropped + n > l->max;
    *text = n ? l->held.data + l->at : "";
    *n_text = n;
    l->at += n + n_newline;
    l->n_seen = l->n_dropped = 0;
    l->n_line++;
    return too_long ? LINES_TOO_LONG : LINES_LINE;
}

lines_result lines_next(lines *l, bool waits, const char **text, size_t *n, lory_err *err)
{
    for (;;) {
        size_t n_left = l->held.len - l->at;
        const char *from = l->held.data ? l->held.data + l->at : "";
        const char *newline = memchr(from + l->n_seen, '\n', n_left - l->n_seen);
        if (newline) return hand_out(l, (size_t)(newline - from), 1, text, n);
        l->n_seen = n_left;
        if (l->at_end && n_left + l->n_dropped == 0) return LINES_END;
        if (l->at_end) return hand_out(l, n_left, 0, text, n);
        if (!waits && !file_is_readable(l->fd, 0)) return LINES_NOT_YET;
        if (!fill(l, err)) return LINES_FAILED;
    }
}

void lines_close(lines *l)
{
    buf_free(&l->held);
    *l = (lines){ .fd = -1 };
}

/* ---- whole files ----------------------------------------------------------------------------- */

static uint64_t count_newlines(const char *s, size_t n)
{
    uint64_t count = 0;
    for (size_t i = 0; i < n; i++) count += s[i] == '\n';
    return count;
}

static bool measure(int fd, const char *name, uint64_t n_max, char *block, lines_summary *s,
                    lory_err *err)
{
    hash64 h;
    ssize_t n = 0;
    char last = '\n';
    hash64_begin(&h, 0);
    while (s->n_bytes < n_max) {
        uint64_t n_left = n_max - s->n_bytes;
        n = read_some(fd, name, block, n_left < READ_BYTES ? (size_t)n_left : READ_BYTES, err);
        if (n <= 0) break;
        hash64_put(&h, block, (size_t)n);
        s->n_bytes += (uint64_t)n;
        s->n_lines += count_newlines(block, (size_t)n);
        last = block[n - 1];
    }
    if (last != '\n') s->n_lines++;
    s->hash = hash64_end(&h);
    return n >= 0;
}

bool lines_measure(int fd, const char *name, uint64_t n_max, lines_summary *s, lory_err *err)
{
    off_t start = lseek(fd, 0, SEEK_CUR);
    char *block = mem_new(READ_BYTES, 1);
    *s = (lines_summary){ 0 };
    if (!block) return err_set(err, LORY_E_MEMORY, "%s: no memory", name);
    bool ok = start >= 0 || cannot_read(name, err);
    ok = ok && measure(fd, name, n_max, block, s, err);
    if (ok && lseek(fd, start, SEEK_SET) < 0) ok = cannot_read(name, err);
    mem_free(block);
    return ok;
}

/* Bytes of s[0..n) up to the end of the *n_lines-th line, or all of them, with *n_lines left. */
static size_t skip_in(const char *s, size_t n, uint64_t *n_lines)
{
    size_t at = 0;
    while (*n_lines > 0) {
        const char *newline = memchr(s + at, '\n', n - at);
        if (!newline) return n;
        at = (size_t)(newline - s) + 1;
        --*n_lines;
    }
    return at;
}

bool lines_skip(int fd, const char *name, uint64_t n_lines, lory_err *err)
{
    off_t at = lseek(fd, 0, SEEK_CUR);
    uint64_t n_left = n_lines;
    char last = '\n', *block = n_lines ? mem_new(READ_BYTES, 1) : NULL;
    bool ok = at >= 0 || cannot_read(name, err);
    if (n_lines && !block) ok = err_set(err, LORY_E_MEMORY, "%s: no memory", name);
    while (ok && n_left > 0) {
        ssize_t n = read_some(fd, name, block, READ_BYTES, err);
        if (n == 0 && n_left == 1 && last != '\n') break; /* the last line has no newline */
        if (n == 0)
            err_set(err, LORY_E_FORMAT, "%s: has fewer than %" PRIu64 " line%s", name, n_lines,
                    plural(n_lines));
        ok = n > 0;
        if (!ok) break;
        last = block[n - 1];
        at += (off_t)skip_in(block, (size_t)n, &n_left);
    }
    mem_free(block);
    if (ok && lseek(fd, at, SEEK_SET) < 0) ok = cannot_read(name, err);
    return ok;
}
