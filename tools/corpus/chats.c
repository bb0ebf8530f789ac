/* chats.c - see chats.h. */
#include "chats.h"
#include "base/hash.h"
#include "clean.h"
#include "names.h"
#include <string.h>

/* ---- writing ------------------------------------------------------------------------------ */

void chat_begin(chat *c)
{
    *c = (chat){ 0 };
    c->json.out = &c->line;
    json_begin_object(&c->json);
    json_open_array(&c->json, "messages");
}

void chat_put(chat *c, const char *s, size_t n)
{
    json_begin_object(&c->json);
    json_put_key(&c->json, "role");
    json_put_str(&c->json, c->n_turns++ % 2 ? "assistant" : "user");
    json_member_bytes(&c->json, "content", s, n);
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
    const char *const *who;      /* [2] what the lines of each speaker begin with */
    buf text;                    /* of all turns */
    size_t start[MAX_TURNS + 1]; /* turn i is text[start[i] .. start[i + 1]) */
    int speaker[MAX_TURNS];
    size_t n;
    const char *name[2]; /* what a speaker is called where a form was not filled in */
} talk;

/* Marks of a form that was not filled in, or of stage directions. */
static bool has_placeholder(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strchr("[]{}*<>|=", s[i])) return true;
    return memmem(s, n, "User 1", 6) || memmem(s, n, "User 2", 6);
}

static bool ends_in(const char *s, size_t n, const char *end)
{
    size_t len = strlen(end);
    return n >= len && memcmp(s + n - len, end, len) == 0;
}

/* Whose name "[user 1's name]", "[name]" and the like in the turn of `speaker` asks for: speaker
 * 0 or 1, -1 when it asks for something else. A name without a number is the speaker's own after
 * "I'm" or "name is". */
static int asked_name(const char *label, size_t n, const buf *before, int speaker)
{
    static const char *const own[] = { "I'm ", "I am ", "name is ", "name's ", "me " };
    bool has_number = memchr(label, '1', n) || memchr(label, '2', n);
    bool is_name = ends_in(label, n, "name") || ends_in(label, n, "Name");
    if (has_number && (is_name || n <= sizeof "user 1" - 1)) return memchr(label, '2', n) != NULL;
    if (!is_name || has_number || n > sizeof "their name" - 1) return -1;
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
        if (ends_in(before->data ? before->data : "", before->len, own[i])) return speaker;
    return 1 - speaker;
}

/* Appends the turn's words with names in place of what asks for them. */
static void put_named(talk *t, buf *out, const char *s, size_t n, int speaker)
{
    for (size_t i = 0; i < n; i++) {
        const char *end = s[i] == '[' ? memchr(s + i, ']', n - i) : NULL;
        size_t len = end ? (size_t)(end - s) - i - 1 : 0;
        int whose = end ? asked_name(s + i + 1, len, out, speaker) : -1;
        if (whose >= 0) {
            buf_puts(out, t->name[whose]);
            i += len + 1;
        } else
            buf_putc(out, s[i]);
    }
}

/* Adds what a line says to the last turn. What was wrong with it, N_DROPS = nothing. */
static drop_reason put_words(talk *t, const char *s, size_t n)
{
    buf words = { 0 };
    size_t from = t->text.len;
    put_named(t, &words, s, n, t->speaker[t->n - 1]);
    bool is_clean = clean_text(&t->text, words.data ? words.data : "", words.len);
    t->text.failed |= words.failed;
    buf_free(&words);
    t->start[t->n] = t->text.len;
    if (!is_clean || t->text.len - t->start[t->n - 1] > MAX_TURN_BYTES) return DROP_BROKEN;
    if (t->text.len == from) return DROP_SHORT;
    return has_placeholder(t->text.data + from, t->text.len - from) ? DROP_PLACEHOLDER : N_DROPS;
}

static drop_reason put_line(talk *t, const char *s, size_t n)
{
    size_t n_label;
    while (n > 0 && strchr("* ", *s)) s++, n--; /* labels may be in bold print */
    int speaker = speaker_of(t->who, s, n, &n_label);
    bool goes_on = t->n > 0 && (speaker < 0 || speaker == t->speaker[t->n - 1]);
    s += n_label;
    n -= n_label;
    while (n > 0 && strchr("* ", *s)) s++, n--;
    if (t->n == 0 && speaker < 0) return DROP_MATTER;
    if (t->n == MAX_TURNS && !goes_on) return DROP_BROKEN;
    if (goes_on)
        buf_putc(&t->text, ' ');
    else
        t->speaker[t->n++] = speaker;
    return put_words(t, s, n);
}

static drop_reason talk_read(talk *t, const char *s, size_t n)
{
    drop_reason reason = N_DROPS;
    for (const char *end = n ? s + n : s; s < end && reason == N_DROPS;) {
        const char *stop = memchr(s, '\n', (size_t)(end - s));
        size_t n_line = (size_t)((stop ? stop : end) - s), n_text = n_line;
        const char *mark = memmem(s, n_line, DOCUMENT_END, sizeof DOCUMENT_END - 1);
        if (mark) n_text = (size_t)(mark - s);
        while (n_text > 0 && strchr("\r ", s[n_text - 1])) n_text--;
        if (n_text > 0) reason = put_line(t, s, n_text);
        s += n_line + (stop ? 1 : 0);
    }
    return reason;
}

/* Names for both, by the talk's text, so that it is always the same. */
static void draw_names(talk *t, const char *s, size_t n)
{
    for (int i = 0; i < 2; i++) {
        sex x = hash64_of(s, n, (uint64_t)i) & 1 ? GIRLS : BOYS;
        size_t n_half = names_count(x) / 2; /* a half for each, so that they differ */
        size_t pick = hash64_of(s, n, (uint64_t)i + 2) % n_half;
        t->name[i] = names_of[x][pick + (i ? n_half : 0)];
    }
}

/* Writes the talk with speaker `user` as the user. */
static void put_talk(docs *out, const char *const who[2], text_view text, int user)
{
    talk t = { .who = who };
    draw_names(&t, text.s, text.n);
    drop_reason reason = talk_read(&t, text.s, text.n);
    size_t first = t.n > 0 && t.speaker[0] != user ? 1 : 0;
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
