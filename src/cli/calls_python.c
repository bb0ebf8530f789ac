/* calls_python.c - see calls_python.h. */
#include "cli/calls_python.h"
#include "base/utf8.h"
#include "text/json.h"
#include <string.h>

enum { MAX_DEPTH = 32 };

static void skip_blanks(python_text *p)
{
    while (p->at < p->n && memchr(" \t\r\n", p->s[p->at], 4)) p->at++;
}

/* Whether the next character is c, which then is taken. */
static bool take(python_text *p, char c)
{
    skip_blanks(p);
    if (p->at == p->n || p->s[p->at] != c) return false;
    p->at++;
    return true;
}

/* A word of letters, digits and _ at p->at. */
static size_t word_end(const python_text *p)
{
    size_t at = p->at;
    while (at < p->n && ((p->s[at] | 32) >= 'a' && (p->s[at] | 32) <= 'z')) at++;
    while (at > p->at && at < p->n
           && (((p->s[at] | 32) >= 'a' && (p->s[at] | 32) <= 'z') || p->s[at] == '_'
               || (p->s[at] >= '0' && p->s[at] <= '9')))
        at++;
    return at;
}

static bool put_code_point(buf *out, python_text *p, int n_digits)
{
    uint32_t cp = 0;
    for (int i = 0; i < n_digits; i++, p->at++) {
        const char *digits = "0123456789abcdef";
        char c = p->at < p->n ? p->s[p->at] : 0;
        const char *d = c ? strchr(digits, c >= 'A' && c <= 'F' ? c + 32 : c) : NULL;
        if (!d) return false;
        cp = cp * 16 + (uint32_t)(d - digits);
    }
    char bytes[4];
    size_t n = cp <= 0x10FFFF && (cp < 0xD800 || cp > 0xDFFF) ? utf8_encode(cp, bytes) : 0;
    return n > 0 && buf_put(out, bytes, n);
}

static bool put_escape(buf *out, python_text *p)
{
    static const char from[] = "nrtbfav0\\'\"", to[] = "\n\r\t\b\f\a\v\0\\'\"";
    if (p->at == p->n) return false;
    char c = p->s[p->at++];
    const char *found = c ? strchr(from, c) : NULL;
    if (found) return buf_putc(out, to[found - from]);
    if (c == 'x') return put_code_point(out, p, 2);
    if (c == 'u') return put_code_point(out, p, 4);
    if (c == 'U') return put_code_point(out, p, 8);
    return buf_putc(out, '\\') && buf_putc(out, c); /* as Python leaves it */
}

/* Whether the quote at p->at ends its string: not if something else comes behind it than what can,
 * since some models do not escape quotes within. */
static bool is_end_quote(const python_text *p, bool is_key)
{
    size_t at = p->at + 1;
    while (at < p->n && memchr(" \t\r\n", p->s[at], 4)) at++;
    if (at == p->n) return true;
    return is_key ? p->s[at] == ':' : p->s[at] == ',' || p->s[at] == p->close;
}

/* The string whose quote is at p->at. */
static bool read_string(python_text *p, bool is_key, buf *out)
{
    char quote = p->s[p->at++];
    while (p->at < p->n && !(p->s[p->at] == quote && is_end_quote(p, is_key))) {
        char c = p->s[p->at++];
        if (c == '\\' ? !put_escape(out, p) : !buf_putc(out, c)) return false;
    }
    if (p->at == p->n) return false;
    p->at++;
    return true;
}

/* Gemma's, between which nothing is escaped: 4's, FunctionGemma's. */
static const char *const quote_marks[] = { "<|\"|>", "<escape>" };
enum { N_QUOTE_MARKS = sizeof quote_marks / sizeof quote_marks[0] };

/* The one at `at`; NULL: none. */
static const char *quote_at(const python_text *p, size_t at)
{
    for (int i = 0; p->is_gemma && i < N_QUOTE_MARKS; i++) {
        size_t n = strlen(quote_marks[i]);
        if (at + n <= p->n && memcmp(p->s + at, quote_marks[i], n) == 0) return quote_marks[i];
    }
    return NULL;
}

static bool put_between(python_text *p, json_writer *w, const char *quote, bool is_key)
{
    size_t n = strlen(quote), begin = p->at + n, end = begin;
    while (end < p->n && quote_at(p, end) != quote) end++;
    if (end >= p->n) return false;
    if (is_key) json_put_key_bytes(w, p->s + begin, end - begin);
    if (!is_key) json_put_bytes(w, p->s + begin, end - begin);
    p->at = end + n;
    return true;
}

static bool put_bare_key(python_text *p, json_writer *w)
{
    size_t begin = p->at;
    while (p->at < p->n && !memchr(":,{}", p->s[p->at], 4)) p->at++;
    if (p->at == begin) return false;
    json_put_key_bytes(w, p->s + begin, p->at - begin);
    return true;
}

static bool put_string(python_text *p, json_writer *w, bool is_key)
{
    buf text = { 0 };
    bool ok = read_string(p, is_key, &text);
    const char *s = text.len ? text.data : "";
    if (ok && is_key) json_put_key_bytes(w, s, text.len);
    if (ok && !is_key) json_put_bytes(w, s, text.len);
    buf_free(&text);
    return ok;
}

static bool put_word(python_text *p, json_writer *w)
{
    static const struct {
        const char *word, *json;
    } words[] = { { "True", "true" }, { "False", "false" }, { "None", "null" },
                  { "true", "true" }, { "false", "false" }, { "null", "null" } };
    size_t n = word_end(p) - p->at;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strlen(words[i].word) == n && memcmp(p->s + p->at, words[i].word, n) == 0) {
            json_put_raw(w, words[i].json, strlen(words[i].json));
            p->at += n;
            return true;
        }
    return false;
}

static bool put_number(python_text *p, json_writer *w)
{
    json_doc d;
    size_t end = p->at;
    while (end < p->n && memchr("+-.eE0123456789", p->s[end], 15)) end++;
    if (!json_read(&d, p->s + p->at, end - p->at, "", NULL)) return false;
    json_put_value(w, d.root);
    json_close(&d);
    p->at = end;
    return true;
}

static bool put_value(python_text *p, json_writer *w, int depth);

static bool put_list(python_text *p, json_writer *w, char close, int depth)
{
    char outer = p->close;
    p->close = close;
    json_begin_array(w);
    while (!take(p, close)) {
        if (!put_value(p, w, depth)) return false;
        if (!take(p, ',')) {
            if (!take(p, close)) return false;
            break;
        }
    }
    json_end_array(w);
    p->close = outer;
    return true;
}

static bool put_key(python_text *p, json_writer *w)
{
    skip_blanks(p);
    if (p->at == p->n) return false;
    const char *quote = quote_at(p, p->at);
    if (quote) return put_between(p, w, quote, true);
    if (p->s[p->at] == '\'' || p->s[p->at] == '"') return put_string(p, w, true);
    return p->is_gemma && put_bare_key(p, w);
}

static bool put_dict(python_text *p, json_writer *w, int depth)
{
    char outer = p->close;
    p->close = '}';
    json_begin_object(w);
    while (!take(p, '}')) {
        if (!put_key(p, w)) return false;
        if (!take(p, ':') || !put_value(p, w, depth)) return false;
        if (!take(p, ',')) {
            if (!take(p, '}')) return false;
            break;
        }
    }
    json_end_object(w);
    p->close = outer;
    return true;
}

static bool put_value(python_text *p, json_writer *w, int depth)
{
    skip_blanks(p);
    char c = p->at < p->n ? p->s[p->at] : 0;
    const char *quote = quote_at(p, p->at);
    if (depth == MAX_DEPTH) return false;
    if (quote) return put_between(p, w, quote, false);
    if (c == '\'' || c == '"') return put_string(p, w, false);
    if (take(p, '[')) return put_list(p, w, ']', depth + 1);
    if (take(p, '(')) return put_list(p, w, ')', depth + 1);
    if (take(p, '{')) return put_dict(p, w, depth + 1);
    return put_word(p, w) || put_number(p, w);
}

bool python_arguments(python_text *p, buf *out)
{
    json_writer w = { out, false };
    p->close = ')';
    json_begin_object(&w);
    while (!take(p, ')')) {
        skip_blanks(p);
        size_t begin = p->at, end = word_end(p);
        if (end == begin) return false;
        p->at = end;
        if (!take(p, '=')) return false;
        json_put_key_bytes(&w, p->s + begin, end - begin);
        if (!put_value(p, &w, 0)) return false;
        if (!take(p, ',')) {
            if (!take(p, ')')) return false;
            break;
        }
    }
    json_end_object(&w);
    return true;
}

bool gemma_arguments(python_text *p, buf *out)
{
    json_writer w = { out, false };
    p->is_gemma = true;
    return take(p, '{') && put_dict(p, &w, 0);
}

bool python_literal(const char *s, size_t n, buf *out)
{
    python_text p = { .s = s, .n = n };
    json_writer w = { out, false };
    bool ok = put_value(&p, &w, 0);
    skip_blanks(&p);
    return ok && p.at == n;
}
