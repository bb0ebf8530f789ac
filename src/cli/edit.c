/* edit.c - see edit.h. */
#include "cli/edit.h"
#include "base/err.h"
#include "base/utf8.h"
#include "cli/cli.h"
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

enum { ESCAPE_WAIT_MS = 50 /* for the rest of a sequence */, TEXT_MAX = 16 << 20 /* bytes */ };

static struct termios found_mode; /* of the terminal, before */
static volatile sig_atomic_t is_taken, was_changed, was_stopped;

/* ---- the terminal ------------------------------------------------------------------------ */

static void put_bytes(const char *s, size_t n)
{
    (void)cli_write(1, s, n); /* a terminal that is gone: the next read says so */
}

static void put_string(const char *s)
{
    put_bytes(s, strlen(s));
}

/* While a text is edited every key is a byte; between, Ctrl-C and Ctrl-Z are signals. */
static void set_mode(bool is_editing)
{
    struct termios t = found_mode;
    t.c_lflag &= ~(tcflag_t)(ICANON | ECHO | IEXTEN);
    if (is_editing) {
        t.c_lflag &= ~(tcflag_t)ISIG;
        t.c_iflag &= ~(tcflag_t)(ICRNL | INLCR | IXON);
    }
    t.c_cc[VMIN] = 1;
    t.c_cc[VTIME] = 0;
    while (tcsetattr(0, TCSADRAIN, &t) != 0 && errno == EINTR) {
    }
}

/* Also from signal handlers. */
static void give_back(void)
{
    if (!is_taken) return;
    is_taken = 0;
    put_string("\033[?2004l");
    tcsetattr(0, TCSADRAIN, &found_mode);
}

static void on_end(int sig)
{
    give_back();
    signal(sig, SIG_DFL);
    raise(sig);
}

static void on_change(int sig)
{
    if (sig == SIGCONT) was_stopped = 1;
    was_changed = 1;
}

static void catch_signals(void)
{
    static const int ends[] = { SIGTERM, SIGHUP, SIGQUIT };
    struct sigaction end = { .sa_handler = on_end, .sa_flags = SA_NODEFER },
                     change = { .sa_handler = on_change, .sa_flags = SA_RESTART }, now;
    sigemptyset(&end.sa_mask);
    sigemptyset(&change.sa_mask);
    sigaction(SIGWINCH, &change, NULL);
    sigaction(SIGCONT, &change, NULL);
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        if (sigaction(ends[i], NULL, &now) == 0 && now.sa_handler == SIG_DFL)
            sigaction(ends[i], &end, NULL);
}

void edit_open(editor *e, history *h)
{
    static bool is_registered;
    const char *term = getenv("TERM");
    *e = (editor){ .text = { .history = h },
                   .in = { .fd = STDIN_FILENO, .name = "stdin", .max = TEXT_MAX } };
    if (!in_is_terminal() || !out_is_terminal() || !term || strcmp(term, "dumb") == 0) return;
    if (tcgetattr(0, &found_mode) != 0) return;
    e->is_terminal = true;
    if (!is_registered) atexit(give_back);
    cli_before_sudden_end(give_back);
    is_registered = true;
    is_taken = 1;
    catch_signals();
    set_mode(false);
}

void edit_close(editor *e)
{
    give_back();
    edit_text_free(&e->text);
    buf_free(&e->shown.row_columns);
    buf_free(&e->pending);
    lines_close(&e->in);
    *e = (editor){ 0 };
}

/* ---- reading keys ------------------------------------------------------------------------ */

typedef enum { GOT_BYTES, GOT_NOTHING, GOT_CHANGE, GOT_INTERRUPT, GOT_END } got;

/* The signals that end the wait for a key: `each` adds them to a set, or takes them out. */
static void for_news(sigset_t *set, int (*each)(sigset_t *, int))
{
    static const int news[] = { SIGWINCH, SIGCONT, SIGINT };
    for (size_t i = 0; i < sizeof news / sizeof news[0]; i++) each(set, news[i]);
}

/* Waits for bytes, at most wait_ms (-1: as long as it takes). */
static got read_more(editor *e, int wait_ms)
{
    char block[4096];
    struct pollfd p = { .fd = 0, .events = POLLIN };
    struct timespec wait = { 0, (long)wait_ms * 1000000 };
    sigset_t news, before;
    sigemptyset(&news);
    for_news(&news, sigaddset);
    pthread_sigmask(SIG_BLOCK, &news, &before); /* so that none comes between look and wait */
    for_news(&before, sigdelset);
    bool is_news = was_changed || cli_interrupted();
    int n_ready = is_news ? 0 : ppoll(&p, 1, wait_ms < 0 ? NULL : &wait, &before);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (cli_interrupted()) return GOT_INTERRUPT;
    if (was_changed) return GOT_CHANGE;
    if (n_ready == 0 || (n_ready < 0 && errno == EINTR)) return GOT_NOTHING;
    ssize_t n = n_ready < 0 ? -1 : read(0, block, sizeof block);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) return GOT_NOTHING;
    if (n <= 0) return GOT_END;
    return buf_put(&e->pending, block, (size_t)n) ? GOT_BYTES : GOT_END;
}

/* Lets the text take all whole keys that are there, up to one that ends the editing. */
static edit_result take_keys(editor *e, bool is_all)
{
    size_t at = 0;
    edit_result r = EDIT_MORE;
    while (at < e->pending.len && r == EDIT_MORE) {
        edit_event event;
        size_t n =
            edit_decode(e->pending.data + at, e->pending.len - at, is_all, &e->in_paste, &event);
        if (n == 0) break;
        bool is_too_long = event.key == KEY_TEXT && e->text.text.len + event.n > TEXT_MAX;
        if (is_too_long)
            put_string("\a");
        else
            r = edit_text_key(&e->text, &event);
        at += n;
    }
    if (at > 0) {
        memmove(e->pending.data, e->pending.data + at, e->pending.len - at);
        e->pending.len -= at;
    }
    return r;
}

/* ---- showing ----------------------------------------------------------------------------- */

static void measure(edit_frame *f)
{
    struct winsize w;
    bool ok = ioctl(1, TIOCGWINSZ, &w) == 0 && w.ws_col > 0 && w.ws_row > 0;
    f->n_columns = ok ? w.ws_col : 80;
    f->n_rows = ok ? w.ws_row : 24;
    if (f->n_columns < 2) f->n_columns = 2;
}

/* Then a picture of the text would be out of date before it is seen: a paste, or keys held down. */
static bool has_more_keys(void)
{
    struct pollfd p = { .fd = 0, .events = POLLIN };
    return poll(&p, 1, 0) > 0 && (p.revents & POLLIN);
}

static void draw(editor *e, const edit_frame *f)
{
    buf out = { 0 };
    edit_draw(&e->text, f, &e->shown, &out);
    put_bytes(out.data, out.len);
    buf_free(&out);
}

/* For a text that is drawn where the cursor is: at first, and after the program was stopped, since
 * the terminal is as the shell had it then. */
static void take(editor *e, edit_frame *f)
{
    was_stopped = was_changed = 0;
    set_mode(true);
    put_string("\033[?2004h");
    e->shown.row = 0;
    measure(f);
}

static void resize(editor *e, edit_frame *f)
{
    was_changed = 0;
    measure(f);
    e->shown.row = edit_rows_above(&e->shown, f->n_columns);
    if (e->shown.row >= f->n_rows) e->shown.row = f->n_rows - 1;
}

static void suspend(editor *e, edit_frame *f)
{
    put_string("\r\n\033[?2004l");
    tcsetattr(0, TCSADRAIN, &found_mode);
    raise(SIGTSTP);
    take(e, f);
}

static edit_result no_memory(editor *e)
{
    err_set(&e->err, LORY_E_MEMORY, "chat: no memory for what is entered");
    return EDIT_END;
}

/* The whole text, the cursor behind it, and then a new line. */
static void leave(editor *e, const edit_frame *f, edit_result r)
{
    e->text.at = e->text.text.len;
    e->text.is_searching = false;
    draw(e, f);
    put_string(r == EDIT_CANCEL ? "^C\r\n\033[?2004l" : "\r\n\033[?2004l");
}

static edit_result edit(editor *e, edit_frame *f)
{
    edit_result r = take_keys(e, false); /* typed before */
    draw(e, f);
    while (r == EDIT_MORE || r == EDIT_CLEAR || r == EDIT_SUSPEND) {
        got g = GOT_BYTES;
        if (r == EDIT_MORE) g = read_more(e, e->pending.len ? ESCAPE_WAIT_MS : -1);
        if (g == GOT_END) return EDIT_END;
        if (g == GOT_INTERRUPT) return EDIT_CANCEL; /* as by the key, not a later answer's end */
        if (g == GOT_CHANGE) was_stopped ? take(e, f) : resize(e, f);
        if (r == EDIT_CLEAR) put_string("\033[H\033[2J"), e->shown.row = 0;
        if (r == EDIT_SUSPEND) suspend(e, f);
        r = take_keys(e, g == GOT_NOTHING);
        if (r != EDIT_MORE || !has_more_keys()) draw(e, f);
    }
    return r;
}

static edit_result read_terminal(editor *e, edit_frame *f, buf *line)
{
    out_flush();
    take(e, f);
    edit_text_begin(&e->text);
    edit_result r = edit(e, f);
    leave(e, f, r);
    set_mode(false);
    if (r == EDIT_LINE) buf_put(line, e->text.text.data, e->text.text.len);
    return e->text.text.failed || line->failed ? no_memory(e) : r;
}

/* ---- without a terminal ------------------------------------------------------------------ */

static void put_valid(buf *out, const char *s, size_t n)
{
    for (size_t i = 0; i < n;) {
        uint32_t cp;
        size_t n_char = utf8_decode(s + i, n - i, &cp);
        if (cp == UTF8_BAD || cp == 0)
            buf_puts(out, "\xEF\xBF\xBD");
        else
            buf_put(out, s + i, n_char);
        i += n_char;
    }
}

static edit_result read_line(editor *e, buf *line)
{
    const char *text;
    size_t n;
    lines_result r = lines_next(&e->in, true, &text, &n, &e->err);
    if (r == LINES_TOO_LONG)
        err_set(&e->err, LORY_E_FORMAT, "stdin: line %" PRIu64 ": more than %d bytes",
                e->in.n_line, TEXT_MAX);
    if (r != LINES_LINE) return EDIT_END;
    size_t n_mark = e->in.n_line == 1 ? utf8_mark(text, n) : 0;
    if (n > n_mark && text[n - 1] == '\r') n--;
    put_valid(line, text + n_mark, n - n_mark);
    return line->failed ? no_memory(e) : EDIT_LINE;
}

/* A terminal that cannot move its cursor, or answers that go elsewhere: it edits lines itself. */
static edit_result ask_line(editor *e, const char *prompt, buf *line)
{
    bool is_seen = err_is_terminal();
    out_flush();
    if (is_seen) fputs(prompt, stderr);
    edit_result r = read_line(e, line);
    if (is_seen && r == EDIT_END) fputs("\n", stderr);
    if (r != EDIT_END || e->err.code != LORY_E_INTERRUPTED) return r;
    e->err = (lory_err){ 0 };
    return EDIT_CANCEL;
}

edit_result edit_read(editor *e, const char *prompt, int n_columns, buf *line)
{
    edit_frame f = { .prompt = prompt, .n_prompt_columns = n_columns };
    buf_clear(line);
    if (e->is_terminal) return read_terminal(e, &f, line);
    return in_is_terminal() ? ask_line(e, prompt, line) : read_line(e, line);
}
