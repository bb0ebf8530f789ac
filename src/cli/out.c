/* out.c - stdout whose every write is checked, and the lines on stderr; see cli.h. */
#include "base/err.h"
#include "cli/cli.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

const char *cli_program = "lory";

static int out_errno; /* of the first write to stdout that failed; 0 = none did */

/* What stdout will get. Not stdio's: where Ctrl-C comes while a slow reader is waited for, that
 * gives up what it holds. */
static struct {
    char bytes[1 << 14];
    size_t n;
    bool by_line; /* a terminal: whole lines don't wait */
} waiting;

void cli_begin(void)
{
    signal(SIGPIPE, SIG_IGN); /* a write says EPIPE instead */
    signal(SIGXFSZ, SIG_IGN); /* and EFBIG */
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) != fd)
            _exit(EXIT_FAILED);
    waiting.by_line = out_is_terminal();
}

static bool out_failed(void)
{
    if (out_errno == 0) out_errno = errno ? errno : EIO;
    return false;
}

size_t cli_write(int fd, const void *bytes, size_t n)
{
    size_t done = 0;
    while (done < n) {
        ssize_t more = write(fd, (const char *)bytes + done, n - done);
        if (more > 0) {
            done += (size_t)more;
        } else if (more < 0 && errno == EAGAIN) { /* somebody wants no call to wait */
            struct pollfd room = { .fd = fd, .events = POLLOUT };
            poll(&room, 1, -1);
        } else if (more == 0 || errno != EINTR) {
            break;
        }
    }
    return done;
}

static bool write_all(const char *bytes, size_t n)
{
    return cli_write(1, bytes, n) == n || out_failed();
}

bool out_put(const void *bytes, size_t n)
{
    if (out_errno || n == 0) return out_errno == 0;
    if (n > sizeof waiting.bytes - waiting.n && !out_flush()) return false;
    if (n > sizeof waiting.bytes) return write_all(bytes, n);
    memcpy(waiting.bytes + waiting.n, bytes, n);
    waiting.n += n;
    return !waiting.by_line || !memchr(bytes, '\n', n) || out_flush();
}

bool out_buf(buf *b)
{
    if (b->failed && out_errno == 0) out_errno = ENOMEM;
    bool ok = out_put(b->data, b->len);
    buf_clear(b);
    return ok;
}

bool out_last(buf *b)
{
    bool ok = out_buf(b);
    buf_free(b);
    return ok;
}

bool out_flush(void)
{
    const size_t n = waiting.n;
    waiting.n = 0;
    return !out_errno && write_all(waiting.bytes, n);
}

int cli_end(int status)
{
    out_flush();
    if (close(1) != 0) out_failed(); /* some file systems tell only now that there is no room */
    if (out_errno == 0) return status;
    if (out_errno != EPIPE)
        fprintf(stderr, "%s: stdout: cannot write: %s\n", cli_program, strerror(out_errno));
    return EXIT_FAILED;
}

static bool is_terminal(int fd)
{
    return isatty(fd) == 1;
}

bool out_is_terminal(void)
{
    return is_terminal(1);
}

bool in_is_terminal(void)
{
    return is_terminal(0);
}

bool err_is_terminal(void)
{
    return is_terminal(2);
}

static bool may_style(void)
{
    const char *term = getenv("TERM");
    return term && *term && strcmp(term, "dumb") != 0 && !getenv("NO_COLOR");
}

bool out_is_styled(void)
{
    return out_is_terminal() && may_style();
}

bool err_is_styled(void)
{
    return err_is_terminal() && may_style();
}

int err_columns(void)
{
    struct winsize w;
    if (ioctl(2, TIOCGWINSZ, &w) != 0) return 0;
    return w.ws_col ? w.ws_col : 80;
}

int cli_fail(const lory_err *err)
{
    if (err->code == LORY_E_INTERRUPTED) return EXIT_INTERRUPTED;
    static const char clock[] = "SOURCE_DATE_EPOCH:";
    bool is_given = err->text[0] == '-' || strncmp(err->text, clock, sizeof clock - 1) == 0;
    fprintf(stderr, "%s: %s\n", cli_program, err->text);
    return err->code == LORY_E_ARGUMENT && is_given ? EXIT_USAGE : EXIT_FAILED;
}

/* Through lory_err, whose text is one clean line whatever was typed. */
static void put_line(const char *fmt, va_list ap)
{
    char text[LORY_ERR_MAX];
    lory_err err;
    vsnprintf(text, sizeof text, fmt, ap);
    err_set(&err, LORY_OK, "%s", text);
    fprintf(stderr, "%s: %s\n", cli_program, err.text);
}

int cli_usage(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    put_line(fmt, ap);
    va_end(ap);
    return EXIT_USAGE;
}

void cli_note(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    put_line(fmt, ap);
    va_end(ap);
}

bool cli_parse(const opts_page *page, void *o, int argc, char **argv, int *status)
{
    lory_err err;
    buf text = { 0 };
    switch (opts_parse(page, o, argc, argv, &err)) {
    case OPTS_OK:
        if (lory_isa(&err)) return true;
        *status = cli_usage("%s", err.text);
        opts_free(page, o);
        return false;
    case OPTS_HELP:
        opts_help(page, o, out_is_styled(), &text);
        *status = out_last(&text) ? EXIT_OK : EXIT_FAILED;
        return false;
    default: *status = err.code == LORY_E_ARGUMENT ? cli_usage("%s", err.text) : cli_fail(&err);
    }
    return false;
}
