/* chat_print.c - see chat_print.h. */
#include "cli/chat_print.h"
#include "cli/cli.h"
#include <string.h>

static const char *const marks[][2] = {
    { "<think>", "</think>" },
    { "<thinking>", "</thinking>" },
    { "<reasoning>", "</reasoning>" },
    { "[THINK]", "[/THINK]" },
};
enum { N_MARKS = sizeof marks / sizeof marks[0] };

static bool put(chat_printer *p, const char *s, size_t n)
{
    while (p->skips_blanks && n > 0 && (*s == '\n' || *s == ' ')) s++, n--;
    if (n == 0 || (p->hides && p->is_thinking)) return true;
    p->skips_blanks = false;
    p->last = s[n - 1];
    if (!p->is_terminal) return out_put(s, n);
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s[i];
        bool is_shown = (c >= 0x20 && c != 0x7F) || c == '\n' || c == '\t';
        if (is_shown && !out_put(s + i, 1)) return false;
    }
    return true;
}

static bool colour(const chat_printer *p)
{
    if (!p->has_colour || p->hides) return true;
    return p->is_thinking ? out_put("\033[2m", 4) : out_put("\033[22m", 5);
}

/* How many bytes of s a mark is found at or may begin at: *i_mark is its kind, -1 when it is only
 * perhaps one. */
static size_t find_mark(const chat_printer *p, const char *s, size_t n, int *i_mark)
{
    for (size_t i = 0; i < n; i++)
        for (int k = 0; k < N_MARKS; k++) {
            if (p->is_thinking && k != p->i_mark) continue;
            const char *mark = marks[k][p->is_thinking];
            size_t n_mark = strlen(mark), n_left = n - i;
            if (memcmp(s + i, mark, n_mark < n_left ? n_mark : n_left) != 0) continue;
            *i_mark = n_mark <= n_left ? k : -1;
            return i;
        }
    *i_mark = -1;
    return n;
}

/* The mark itself is shown as thinking is. */
static bool pass_mark(chat_printer *p, const char *mark, int k)
{
    bool begins = !p->is_thinking, ok = true;
    if (begins) {
        p->is_thinking = true;
        p->i_mark = k;
        ok = colour(p);
    }
    ok = ok && put(p, mark, strlen(mark));
    if (!begins) {
        p->is_thinking = false;
        p->skips_blanks = p->hides;
        ok = ok && colour(p);
    }
    return ok;
}

void chat_print_begin(chat_printer *p, const char *prompt, size_t n)
{
    while (n > 0 && strchr(" \n", prompt[n - 1])) n--;
    for (int k = 0; k < N_MARKS; k++) {
        size_t n_mark = strlen(marks[k][0]);
        if (n < n_mark || memcmp(prompt + n - n_mark, marks[k][0], n_mark) != 0) continue;
        p->is_thinking = true;
        p->i_mark = k;
        colour(p);
    }
}

bool chat_print(chat_printer *p, const char *text, size_t n)
{
    size_t at = 0;
    bool ok = buf_put(&p->held, text, n);
    while (ok && at < p->held.len) {
        int k;
        const char *s = p->held.data + at;
        size_t n_free = find_mark(p, s, p->held.len - at, &k);
        ok = put(p, s, n_free);
        at += n_free;
        if (k < 0) break;
        const char *mark = marks[k][p->is_thinking];
        at += strlen(mark);
        ok = ok && pass_mark(p, mark, k);
    }
    if (at > 0) {
        memmove(p->held.data, p->held.data + at, p->held.len - at);
        p->held.len -= at;
    }
    return ok && out_flush();
}

bool chat_print_end(chat_printer *p)
{
    bool ok = put(p, p->held.data, p->held.len);
    if (p->is_thinking && p->has_colour && !p->hides) ok = out_put("\033[22m", 5) && ok;
    buf_free(&p->held);
    return ok;
}
