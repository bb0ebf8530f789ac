/* chats.c - see chats.h. */
#include "chats.h"
#include "clean.h"
#include <string.h>

/* ---- writing ------------------------------------------------------------------------------ */

void chat_begin(chat *c)
{
    *c = (chat){ 0 };
    c->json.out = &c->line;
    json_begin_object(&c->json);
    json_put_key(&c->json, "messages");
    json_begin_array(&c->json);
}

void chat_put(chat *c, const char *s, size_t n)
{
    json_begin_object(&c->json);
    json_put_key(&c->json, "role");
    json_put_str(&c->json, c->n_turns++ % 2 ? "assistant" : "user");
    json_put_key(&c->json, "content");
    json_put_bytes(&c->json, s, n);
    json_end_object(&c->json);
}

void chat_puts(chat *c, const char *s)
{
    chat_put(c, s, strlen(s));
}

void chat_end(chat *c, docs *out)
{
    json_end_array(&c->json);
    json_end_object(&c->json);
    out->failed |= c->line.failed;
    if (!c->line.failed) docs_put(out, c->line.data, c->line.len);
    buf_free(&c->line);
}

/* ---- conversations from lines -------------------------------------------------------------- */

enum { MAX_TURNS = 256, MIN_TURNS = 2, MAX_TURN_BYTES = 1000 };

/* Whose turn a line "WHO: text" begins, 0 or 1; -1: it goes on with the turn before. */
static int speaker_of(const char *const who[2], const char *s, size_t n, size_t *n_label)
{
    for (int i = 0; i < 2; i++) {
        *n_label = strlen(who[i]);
        if (n >= *n_label && memcmp(s, who[i], *n_label) == 0) return i;
    }
    *n_label = 0;
    return -1;
}

typedef struct {
    buf text;                    /* of all turns */
    size_t start[MAX_TURNS + 1]; /* turn i is text[start[i] .. start[i + 1]) */
    int who[MAX_TURNS];
    size_t n;
} talk;

/* Marks of a form that was not filled in, or of stage directions. */
static bool has_placeholder(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strchr("[]{}*<>|=", s[i])) return true;
    return memmem(s, n, "User 1", 6) || memmem(s, n, "User 2", 6);
}

/* Adds a line to the talk. What was wrong with it, N_DROPS = nothing. */
static drop_reason talk_put(talk *t, const char *const who[2], const char *s, size_t n)
{
    size_t n_label;
    int speaker = speaker_of(who, s, n, &n_label);
    bool goes_on = t->n > 0 && (speaker < 0 || speaker == t->who[t->n - 1]);
    if (t->n == 0 && speaker < 0) return DROP_BROKEN;
    if (t->n == MAX_TURNS && !goes_on) return DROP_BROKEN;
    if (goes_on)
        buf_putc(&t->text, ' ');
    else
        t->who[t->n++] = speaker;
    size_t from = t->text.len;
    if (!clean_text(&t->text, s + n_label, n - n_label)) return DROP_BROKEN;
    t->start[t->n] = t->text.len;
    if (t->text.len == from) return DROP_SHORT;
    if (t->text.len - t->start[t->n - 1] > MAX_TURN_BYTES) return DROP_BROKEN;
    return has_placeholder(t->text.data + from, t->text.len - from) ? DROP_PLACEHOLDER : N_DROPS;
}

static drop_reason talk_read(talk *t, const char *const who[2], const char *s, size_t n)
{
    drop_reason reason = N_DROPS;
    for (const char *end = s + n; s < end && reason == N_DROPS;) {
        const char *stop = memchr(s, '\n', (size_t)(end - s));
        size_t n_line = (size_t)((stop ? stop : end) - s), n_text = n_line;
        const char *mark = memmem(s, n_line, DOCUMENT_END, sizeof DOCUMENT_END - 1);
        if (mark) n_text = (size_t)(mark - s);
        while (n_text > 0 && strchr("\r ", s[n_text - 1])) n_text--;
        if (n_text > 0) reason = talk_put(t, who, s, n_text);
        s += n_line + (stop ? 1 : 0);
    }
    return reason;
}

/* Writes the talk with speaker `user` as the user. */
static void put_talk(docs *out, const char *const who[2], text_view text, int user)
{
    talk t = { 0 };
    drop_reason reason = talk_read(&t, who, text.s, text.n);
    size_t first = t.n > 0 && t.who[0] != user ? 1 : 0;
    size_t n = t.n > first ? (t.n - first) / 2 * 2 : 0; /* an assistant's turn is the last */
    if (reason == N_DROPS && n < MIN_TURNS) reason = DROP_SHORT;
    if (reason == N_DROPS) {
        chat c;
        chat_begin(&c);
        for (size_t i = first; i < first + n; i++)
            chat_put(&c, t.text.data + t.start[i], t.start[i + 1] - t.start[i]);
        chat_end(&c, out);
    } else
        out->n_dropped[reason]++;
    out->failed |= t.text.failed;
    buf_free(&t.text);
}

/* ---- CSV ---------------------------------------------------------------------------------- */

enum { N_FIELDS = 3 };

/* Appends the field at s[*at] to *out and moves *at to what follows it: a comma, a line break, or
 * the end. False when its quote is never closed. (RFC 4180) */
static bool take_field(text_view csv, size_t *at, buf *out)
{
    size_t i = *at;
    bool is_quoted = i < csv.n && csv.s[i] == '"';
    if (is_quoted) i++;
    for (; i < csv.n; i++) {
        char c = csv.s[i];
        if (is_quoted && c == '"') {
            if (i + 1 >= csv.n || csv.s[i + 1] != '"') break;
            i++;
        } else if (!is_quoted && (c == ',' || c == '\n' || c == '\r'))
            break;
        buf_putc(out, c);
    }
    bool is_closed = !is_quoted || i < csv.n;
    *at = i + (is_quoted && is_closed);
    return is_closed;
}

/* Reads the record at s[*at] and moves *at to the next. False: it has not N_FIELDS fields. */
static bool take_record(text_view csv, size_t *at, buf fields[N_FIELDS])
{
    size_t n = 0;
    bool is_good = true;
    for (bool more = true; more;) {
        buf spare = { 0 };
        is_good &= take_field(csv, at, n < N_FIELDS ? &fields[n] : &spare);
        buf_free(&spare);
        n++;
        more = *at < csv.n && csv.s[*at] == ',';
        *at += more;
    }
    const char *stop = *at < csv.n ? memchr(csv.s + *at, '\n', csv.n - *at) : NULL;
    size_t next = stop ? (size_t)(stop - csv.s) + 1 : csv.n;
    for (size_t i = *at; i < next; i++) is_good &= csv.s[i] == '\r' || csv.s[i] == '\n';
    *at = next;
    return is_good && n == N_FIELDS;
}

void chats_read_personas(docs *out, text_view csv, chat_range range, bool is_swapped)
{
    static const char *const who[2] = { "User 1:", "User 2:" };
    bool is_header = true;
    for (size_t at = 0; at < csv.n; is_header = false) {
        buf fields[N_FIELDS] = { 0 };
        size_t start = at;
        bool is_good = take_record(csv, &at, fields),
             is_wanted = start >= range.from && start < range.to && !is_header;
        const buf *talk_text = &fields[N_FIELDS - 1];
        if (is_wanted && !is_good) out->n_dropped[DROP_BROKEN]++;
        if (is_wanted && is_good)
            put_talk(out, who, (text_view){ talk_text->data, talk_text->len }, is_swapped);
        for (int i = 0; i < N_FIELDS; i++) {
            out->failed |= fields[i].failed;
            buf_free(&fields[i]);
        }
    }
}

/* ---- soda --------------------------------------------------------------------------------- */

void chats_read_soda(docs *out, text_view text, chat_range range)
{
    static const char *const who[2] = { "User:", "Bot:" };
    for (size_t at = 0; at < text.n;) {
        const char *s = text.s + at, *stop = memmem(s, text.n - at, "\n\n", 2);
        size_t n = stop ? (size_t)(stop - s) + 2 : text.n - at;
        if (at >= range.from && at < range.to) put_talk(out, who, (text_view){ s, n }, 0);
        at += n;
    }
}
