/* clean.c - see clean.h. */
#include "base/utf8.h"
#include "clean.h"
#include "text/unicode.h"
#include <string.h>

bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_alnum(char c)
{
    return is_letter(c) || (c >= '0' && c <= '9');
}

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

bool is_sentence_end(const char *s, size_t n)
{
    while (n > 0 && strchr("\"')", s[n - 1])) n--;
    return n > 0 && strchr(".!?", s[n - 1]);
}

/* ---- characters --------------------------------------------------------------------------- */

static const struct {
    uint32_t cp;
    const char *to;
} replacements[] = {
    { 0x09, " " },     { 0x0D, "" },     { 0xA0, " " },    { 0xAB, "\"" },   { 0xBB, "\"" },
    { 0xA1, "" },      { 0xBF, "" },     { 0xAD, "" },     { 0xB4, "'" },    { 0xC6, "Ae" },
    { 0xE6, "ae" },    { 0xD8, "O" },    { 0xF8, "o" },    { 0xDF, "ss" },   { 0x152, "Oe" },
    { 0x153, "oe" },   { 0x2009, " " },  { 0x200B, "" },   { 0x2010, "-" },  { 0x2011, "-" },
    { 0x2012, "--" },  { 0x2013, "--" }, { 0x2014, "--" }, { 0x2015, "--" }, { 0x2018, "\x01" },
    { 0x2019, "'" },   { 0x201A, "'" },  { 0x201C, "\"" }, { 0x201D, "\"" }, { 0x201E, "\"" },
    { 0x2026, "..." }, { 0x202F, " " },  { 0x60, "\x01" }, { 0xFEFF, "" },
};
enum { OPENING = '\x01' }; /* a single quote that is known to open, until quotes are settled */

/* Appends the character in ASCII; false when it has no such form. */
static bool put_ascii(buf *out, uint32_t cp)
{
    for (size_t i = 0; i < sizeof replacements / sizeof replacements[0]; i++)
        if (replacements[i].cp == cp) return buf_puts(out, replacements[i].to);
    if (cp == '\n' || (cp >= ' ' && cp <= '~')) return buf_putc(out, (char)cp);
    uint32_t parts[4];
    if (cp == UTF8_BAD || unicode_decompose(cp, parts) < 2 || parts[0] > '~' || parts[0] < ' ')
        return false;
    return buf_putc(out, (char)parts[0]);
}

/* ---- quotes and dashes -------------------------------------------------------------------- */

/* Words that begin with an apostrophe, so that it opens no speech. */
static bool begins_clipped_word(const char *s, size_t n)
{
    static const char *const words[] = { "tis",    "twas",  "em",  "ere",  "til",   "twill",
                                         "twould", "cause", "Tis", "Twas", "Twill", "Twould" };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        size_t len = strlen(words[i]);
        if (len < n && memcmp(s, words[i], len) == 0 && !is_letter(s[len])) return true;
    }
    return false;
}

/* What the single quote at s[i] is: '"' where it opens or closes speech, else an apostrophe.
 * Speech closes after a punctuation mark or, while it is open, after a word that is no plural
 * possessive. */
static char settle_quote(const char *s, size_t n, size_t i, bool *is_open)
{
    char before = i > 0 ? s[i - 1] : ' ', after = i + 1 < n ? s[i + 1] : ' ';
    bool begins = strchr(" \n(-\"", before) && (is_alnum(after) || after == '"');
    if (s[i] == OPENING || (begins && !*is_open)) {
        if (begins_clipped_word(s + i + 1, n - i - 1)) return '\'';
        *is_open = true;
        return '"';
    }
    if (is_alnum(after)) return '\'';
    if (strchr(",.!?;:-", before) || (*is_open && before != 's' && before != ' ')) {
        *is_open = false;
        return '"';
    }
    return '\'';
}

/* Appends " - " for a dash before s[0..n); no blank after an opening quote or before a closing
 * one. */
static void put_dash(buf *out, const char *s, size_t n)
{
    while (out->len > 0 && out->data[out->len - 1] == ' ') out->len--;
    char last = out->len > 0 ? out->data[out->len - 1] : '\n';
    while (n > 0 && *s == ' ') s++, n--;
    bool closes = n == 0 || *s == '\n' || (strchr("\"'", *s) && (n == 1 || !is_alnum(s[1])));
    if (last != '\n' && last != '"' && !closes) buf_putc(out, ' ');
    buf_puts(out, closes ? "-" : "- ");
}

static bool ends_with(const buf *out, char c)
{
    return out->len > 0 && out->data[out->len - 1] == c;
}

static void put_plain(buf *out, char c)
{
    bool is_empty = out->len == 0 || ends_with(out, '\n');
    if (c == ' ' && (is_empty || ends_with(out, ' '))) return;
    if (c == '"' && ends_with(out, '"')) return; /* speech in speech */
    if (c == '\n') {
        while (ends_with(out, ' ')) out->len--;
        if (out->len == 0 || ends_with(out, '\n')) return;
    }
    buf_putc(out, c);
}

bool clean_text(buf *out, const char *s, size_t n)
{
    buf ascii = { 0 }, flat = { 0 };
    bool ok = true, is_open = false;
    for (size_t at = 0; ok && at < n;) {
        uint32_t cp;
        at += utf8_decode(s + at, n - at, &cp);
        ok = put_ascii(&ascii, cp);
    }
    for (size_t i = 0; ok && i < ascii.len; i++) {
        char c = ascii.data[i];
        size_t n_dashes = 0;
        while (c == '-' && i + n_dashes < ascii.len && ascii.data[i + n_dashes] == '-') n_dashes++;
        if (n_dashes > 1) {
            i += n_dashes - 1;
            put_dash(&flat, ascii.data + i + 1, ascii.len - i - 1);
            continue;
        }
        if (c == '\n') is_open = false;
        if (c == '\'' || c == OPENING) c = settle_quote(ascii.data, ascii.len, i, &is_open);
        put_plain(&flat, c);
    }
    while (flat.len > 0 && strchr(" \n", flat.data[flat.len - 1])) flat.len--;
    ok = ok && !ascii.failed && (flat.len == 0 || buf_put(out, flat.data, flat.len));
    buf_free(&ascii);
    buf_free(&flat);
    return ok;
}

/* ---- what only print has ------------------------------------------------------------------ */

/* The length of "[...]" or "(12)" at s[0], 0 when there is none. */
static size_t note_length(const char *s, size_t n)
{
    const char *end = n > 0 && *s == '[' ? memchr(s, ']', n) : NULL;
    if (end) return (size_t)(end - s) + 1;
    size_t i = 1;
    if (n > 0 && *s == '(')
        while (i < n && s[i] >= '0' && s[i] <= '9') i++;
    return i > 1 && i < n && s[i] == ')' ? i + 1 : 0;
}

static bool is_roman(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!strchr("IVXLC", s[i])) return false;
    return true;
}

/* Words of capitals become small, but for a first letter that begins a sentence. */
static void lower_capitals(buf *text)
{
    char *s = text->data;
    for (size_t i = 0, len; i < text->len; i += len ? len : 1) {
        for (len = 0; i + len < text->len && is_upper(s[i + len]); len++) continue;
        bool is_word = len > 1 && (i + len == text->len || !is_letter(s[i + len]))
                       && (i == 0 || !is_letter(s[i - 1]));
        if (!is_word || is_roman(s + i, len)) continue;
        size_t k = i;
        while (k > 0 && strchr(" \"", s[k - 1])) k--;
        bool begins = k == 0 || strchr(".!?\n", s[k - 1]);
        for (k = begins ? 1 : 0; k < len; k++) s[i + k] = (char)(s[i + k] - 'A' + 'a');
    }
}

void clean_print(buf *text)
{
    size_t n = 0;
    for (size_t i = 0; i < text->len;) {
        char c = text->data[i];
        size_t len = note_length(text->data + i, text->len - i);
        bool is_dropped = len > 0 || strchr("_*=|", c);
        i += len ? len : 1;
        if (is_dropped && n > 0 && text->data[n - 1] == ' '
            && (i >= text->len || !is_alnum(text->data[i])))
            n--; /* the blank before a note */
        if (!is_dropped) text->data[n++] = c;
    }
    if (text->len > 0) text->data[text->len = n] = '\0';
    lower_capitals(text);
}
