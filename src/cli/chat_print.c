/* chat_print.c - see chat_print.h. */
#include "cli/chat_print.h"
#include "base/utf8.h"
#include "cli/cli.h"
#include <string.h>

static const char *const marks[][2] = {
    { "<think>", "</think>" },
    { "<thinking>", "</thinking>" },
    { "<reasoning>", "</reasoning>" },
    { "<thought>", "</thought>" },                     /* EXAONE Deep */
    { "[THINK]", "[/THINK]" },                         /* Magistral, Ministral 3 */
    { "<seed:think>", "</seed:think>" },               /* Seed-OSS */
    { "<mm:think>", "</mm:think>" },                   /* MiniMax-M3 */
    { "<think:opensource>", "</think:opensource>" },   /* Hunyuan 3 */
    { "<|START_THINKING|>", "<|END_THINKING|>" },      /* Command A */
    { "<|inner_prefix|>", "<|inner_suffix|>" },        /* Apertus */
    { "<|channel>thought", "<channel|>" }, /* Gemma 4 */
};
enum { N_MARKS = sizeof marks / sizeof marks[0], NO_MARK = -1, CALL = -2, HEAD = -3 };

/* Of channels; the first is where thinking begins, the second where it ends. */
static const char *const channel_marks[] = {
    "<|channel|>analysis<|message|>",
    "<|end|>",
    "<|start|>assistant",
    "<|channel|>final<|message|>",
    "<|channel|>commentary<|message|>",
};
enum { N_CHANNEL_MARKS = sizeof channel_marks / sizeof channel_marks[0], CHANNEL = N_MARKS };

static bool is_blank(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

static bool put(chat_printer *p, const char *s, size_t n)
{
    for (size_t i = 0; i < n && !p->is_thinking && !p->has_content; i++)
        p->has_content = !is_blank(s[i]);
    while (p->skips_blanks && n > 0 && (*s == '\n' || *s == ' ')) s++, n--;
    if (n == 0 || p->is_quiet || (p->hides && p->is_thinking)) return true;
    p->skips_blanks = false;
    p->last = s[n - 1];
    if (!p->is_terminal) return out_put(s, n);
    for (size_t i = 0; i < n;) {
        uint32_t cp;
        size_t n_char = utf8_decode(s + i, n - i, &cp);
        bool is_hidden = utf8_is_control(cp) && cp != '\n' && cp != '\t';
        bool ok = cp == UTF8_BAD ? out_put("\xEF\xBF\xBD", 3)
                                 : is_hidden || out_put(s + i, n_char);
        if (!ok) return false;
        i += n_char;
    }
    return true;
}

static bool colour(const chat_printer *p)
{
    if (!p->has_colour || p->hides) return true;
    return p->is_thinking ? out_put("\033[2m", 4) : out_put("\033[22m", 5);
}

static bool begins_with(const char *s, size_t n, const char *mark)
{
    size_t n_mark = strlen(mark);
    return memcmp(s, mark, n_mark < n ? n_mark : n) == 0;
}

/* Whether blanks and a call begin at s: CALL; whether they may: NO_MARK with *may. */
static int call_at(const chat_printer *p, const char *s, size_t n, bool *may)
{
    size_t n_blank = 0;
    if (!p->tools || p->is_thinking) return NO_MARK;
    while (n_blank < n && is_blank(s[n_blank])) n_blank++;
    s += n_blank, n -= n_blank;
    if (n == 0) {
        *may = true;
        return NO_MARK;
    }
    if (p->tools->is_bare && !p->has_content && (*s == '{' || *s == '[')) return CALL;
    for (size_t k = 0; k < p->tools->n_mark; k++) {
        if (!begins_with(s, n, p->tools->mark[k])) continue;
        if (strlen(p->tools->mark[k]) <= n) return CALL;
        *may = true;
    }
    return NO_MARK;
}

static int channel_mark_at(const chat_printer *p, const char *s, size_t n, bool *may)
{
    for (int k = 0; p->has_channels && k < N_CHANNEL_MARKS; k++) {
        if (!begins_with(s, n, channel_marks[k])) continue;
        if (strlen(channel_marks[k]) <= n) return CHANNEL + k;
        *may = true;
    }
    return NO_MARK;
}

/* Whether a part for all or the model itself begins at s: HEAD; one for a tool: CALL; whether they
 * may: NO_MARK with *may. */
static int head_at(const chat_printer *p, const char *s, size_t n, bool is_first, bool *may)
{
    size_t n_head;
    if (!p->recipients || (p->is_thinking && p->i_mark != NO_MARK)) return NO_MARK;
    recipient_kind k = recipient_at(p->recipients, s, n, is_first, &n_head);
    *may |= k == RECIPIENT_PERHAPS;
    if (k == RECIPIENT_TOOL) return p->tools ? CALL : NO_MARK;
    return k >= RECIPIENT_ALL ? HEAD : NO_MARK;
}

/* How many bytes of s a mark is found at or may begin at: *i_mark is its kind, NO_MARK when it is
 * only perhaps one. */
static size_t find_mark(const chat_printer *p, const char *s, size_t n, int *i_mark)
{
    bool may = false;
    for (size_t i = 0; i < n; i++) {
        for (int k = 0; k < N_MARKS; k++) {
            if (p->is_thinking && k != p->i_mark) continue;
            const char *mark = marks[k][p->is_thinking];
            if (!begins_with(s + i, n - i, mark)) continue;
            *i_mark = strlen(mark) <= n - i ? k : NO_MARK;
            return i;
        }
        *i_mark = head_at(p, s + i, n - i, i == 0 && !p->is_under_way, &may);
        if (*i_mark == NO_MARK && !may) *i_mark = channel_mark_at(p, s + i, n - i, &may);
        if (*i_mark != NO_MARK || may) return i;
        if (i > 0 && is_blank(s[i - 1])) continue; /* then nothing began at the blanks */
        *i_mark = call_at(p, s + i, n - i, &may);
        if (*i_mark == CALL || may) return i;
    }
    *i_mark = NO_MARK;
    return n;
}

/* Thinking that no mark is shown of: it begins or ends. */
static bool set_thinking(chat_printer *p, bool is_thinking)
{
    if (p->is_thinking == is_thinking) return true;
    bool ok = is_thinking || p->hides || put(p, "\n", 1);
    p->is_thinking = is_thinking;
    p->i_mark = NO_MARK; /* no other mark ends it */
    return ok && colour(p);
}

/* Marks of channels are not shown. */
static bool pass_channel_mark(chat_printer *p, int k)
{
    return k > 1 || set_thinking(p, k == 0);
}

/* Heads of parts are not shown either. */
static bool pass_head(chat_printer *p, const char *s, size_t n, bool is_first, size_t *n_head)
{
    return set_thinking(p, recipient_at(p->recipients, s, n, is_first, n_head) == RECIPIENT_SELF);
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

void chat_show_marks(lory_generate_params *p)
{
    p->marks = &marks[0][0];
    p->n_marks = 2 * N_MARKS;
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
    while (ok && !p->is_in_call && at < p->held.len) {
        int k;
        const char *s = p->held.data + at;
        size_t n_free = find_mark(p, s, p->held.len - at, &k);
        ok = put(p, s, n_free);
        at += n_free;
        p->is_in_call = k == CALL;
        if (k == HEAD) {
            bool is_first = n_free == 0 && !p->is_under_way;
            ok = pass_head(p, s + n_free, p->held.len - at, is_first, &n_free) && ok;
            at += n_free;
        }
        p->is_under_way |= n_free > 0 || k != NO_MARK;
        if (k == HEAD) continue;
        if (k < 0) break;
        if (k >= CHANNEL) {
            at += strlen(channel_marks[k - CHANNEL]);
            ok = ok && pass_channel_mark(p, k - CHANNEL);
            continue;
        }
        const char *mark = marks[k][p->is_thinking];
        at += strlen(mark);
        ok = ok && pass_mark(p, mark, k);
    }
    if (at > 0) {
        memmove(p->held.data, p->held.data + at, p->held.len - at);
        p->held.len -= at;
    }
    return ok && (p->is_quiet || out_flush());
}

bool chat_print_end(chat_printer *p)
{
    bool ok = put(p, p->held.data, p->held.len);
    if (p->is_thinking && p->has_colour && !p->hides) ok = out_put("\033[22m", 5) && ok;
    buf_free(&p->held);
    return ok;
}

/* ---- channels ---------------------------------------------------------------------------- */

bool chat_has_channels(const char *template_text, size_t n)
{
    return cli_find_text(template_text, n, "<|channel|>analysis<|message|>")
           && cli_find_text(template_text, n, "<|channel|>final<|message|>");
}

void chat_put_final(const char *answer, size_t n, buf *out)
{
    const char *end = answer + n, *s = answer, *mark;
    while ((mark = cli_find_text(s, (size_t)(end - s), channel_marks[3])))
        s = mark + strlen(channel_marks[3]);
    if (s == answer) { /* no final channel: what comes after the analysis, if that has ended */
        const char *analysis = cli_find_text(s, n, channel_marks[0]);
        const char *over =
            analysis ? cli_find_text(analysis, (size_t)(end - analysis), channel_marks[1]) : NULL;
        s = over ? over + strlen(channel_marks[1]) : analysis ? end : s;
    }
    chat_printer p = { .has_channels = true };
    while (s < end) { /* without the marks that are left */
        int k;
        size_t n_free = find_mark(&p, s, (size_t)(end - s), &k);
        buf_put(out, s, n_free);
        s += n_free;
        if (k < CHANNEL) {
            if (s < end) buf_putc(out, *s++);
        } else {
            s += strlen(channel_marks[k - CHANNEL]);
        }
    }
}
