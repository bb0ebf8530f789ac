/* batch_in.c - see batch_in.h. */
#include "cli/batch_in.h"
#include "base/err.h"
#include "cli/batch_request.h"
#include "cli/cli.h"
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

bool batch_in_open(batch_in *in, const char *path, lory_err *err)
{
    bool is_stdin = strcmp(path, "-") == 0;
    const char *name = is_stdin ? "stdin" : path;
    int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    *in = (batch_in){ .name = name,
                      .lines = { .fd = fd, .name = name, .max = BATCH_MAX_LINE_BYTES } };
    if (fd < 0 && cli_interrupted()) return err_set(err, LORY_E_INTERRUPTED, "interrupted");
    if (fd < 0 || fstat(fd, &in->stat) != 0)
        return err_set_errno(err, LORY_E_IO, "%s: cannot open", name);
    if (S_ISDIR(in->stat.st_mode))
        return err_set(err, LORY_E_IO, "%s: is a directory (expected a file)", name);
    if (is_stdin) cli_tell_stdin("the requests");
    in->is_file = S_ISREG(in->stat.st_mode);
    return true;
}

void batch_in_close(batch_in *in)
{
    int fd = in->lines.fd;
    lines_close(&in->lines);
    if (fd > STDIN_FILENO) close(fd);
}

bool batch_in_choose(batch_in *in, uint64_t k, uint64_t n, lory_err *err)
{
    int fd = in->lines.fd;
    in->first = in->line = 1;
    in->end = UINT64_MAX;
    if (!in->is_file) return true;
    in->start = lseek(fd, 0, SEEK_CUR);
    if (!lines_measure(fd, in->name, UINT64_MAX, &in->all, err)) return false;
    uint64_t each = in->all.n_lines / n;
    uint64_t rest = in->all.n_lines % n; /* the first stretches have a line more */
    in->first = in->line = 1 + (k - 1) * each + (k - 1 < rest ? k - 1 : rest);
    in->end = in->first + each + (k - 1 < rest);
    return lines_skip(fd, in->name, in->first - 1, err);
}

bool batch_in_begin(batch_in *in, uint64_t n_old, lory_err *err)
{
    if (!in->is_file) return true;
    if (!lines_skip(in->lines.fd, in->name, n_old, err)) return false;
    in->line += n_old;
    off_t at = lseek(in->lines.fd, 0, SEEK_CUR);
    if (at < 0) return err_set_errno(err, LORY_E_IO, "%s: cannot read", in->name);
    in->lines.limit = in->all.n_bytes - (uint64_t)(at - in->start);
    return true;
}

lines_result batch_in_next(batch_in *in, bool waits, const char **text, size_t *n, lory_err *err)
{
    lines_result got = lines_next(&in->lines, waits, text, n, err);
    if (got == LINES_LINE || got == LINES_TOO_LONG) in->line++;
    if (got != LINES_END) return got;
    if (!in->is_file) {
        in->end = in->line;
        return got;
    }
    err_set(err, LORY_E_FORMAT,
            "%s: was cut short while it was answered (found %" PRIu64 " lines, expected %" PRIu64
            ")",
            in->name, in->line - 1, in->all.n_lines);
    return LINES_FAILED;
}

/* By what the file is now: where neither size nor time has changed nothing has. */
static bool is_untouched(const batch_in *in, struct stat *is)
{
    const struct stat *was = &in->stat;
    return fstat(in->lines.fd, is) != 0
           || (is->st_size == was->st_size && is->st_mtim.tv_sec == was->st_mtim.tv_sec
               && is->st_mtim.tv_nsec == was->st_mtim.tv_nsec);
}

bool batch_in_check(const batch_in *in, lory_err *err)
{
    lines_summary now;
    struct stat is;
    if (!in->is_file || is_untouched(in, &is)) return true;
    if (lseek(in->lines.fd, in->start, SEEK_SET) < 0
        || !lines_measure(in->lines.fd, in->name, in->all.n_bytes, &now, err))
        return false;
    if (now.hash != in->all.hash)
        return err_set(err, LORY_E_IO, "%s: was changed while it was answered", in->name);
    if (is.st_size > in->stat.st_size)
        cli_note("%s: has grown: the first %" PRIu64 " line%s, which it had in the beginning, %s "
                 "answered",
                 in->name, in->all.n_lines, plural(in->all.n_lines),
                 in->all.n_lines == 1 ? "is" : "are");
    return true;
}
