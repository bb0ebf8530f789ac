/* json.c - see json.h. The reader keeps the open arrays and objects on a stack of its own, so
 * nesting costs no C stack. */
#include "text/json.h"
#include "base/err.h"
#include "base/utf8.h"
#include "text/digit.h"
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    json *node;
    json *last; /* its newest child, NULL before the first */
} open_node;

typedef struct {
    json_doc *doc;
    const char *s; /* [n] the text */
    size_t n, at;
    const char *name;
    lory_err *err;
    open_node open[JSON_MAX_DEPTH];
    int depth;
} reader;

/* ---- errors ------------------------------------------------------------------------------ */

/* Fails at the reader's position: what was wanted there, and what was found. */
static bool fail_at(reader *r, const char *wanted)
{
    size_t line = 1, start = 0;
    char found[16] = "the end";
    for (size_t i = 0; i < r->at && i < r->n; i++)
        if (r->s[i] == '\n') line++, start = i + 1;
    if (r->at < r->n) {
        unsigned char c = (unsigned char)r->s[r->at];
        snprintf(found, sizeof found, c > 0x20 && c < 0x7F ? "'%c'" : "byte 0x%02x", c);
    }
    return err_set(r->err, LORY_E_FORMAT,
                   "%s: line %zu, byte %zu: not JSON (found %s, expected %s)", r->name, line,
                   r->at - start + 1, found, wanted);
}

static bool fail_memory(reader *r)
{
    return err_set(r->err, LORY_E_MEMORY, "%s: no memory for the JSON tree", r->name);
}

/* ---- reader ------------------------------------------------------------------------------ */

static int peek(const reader *r)
{
    return r->at < r->n ? (unsigned char)r->s[r->at] : -1;
}

static void skip_space(reader *r)
{
    while (r->at < r->n && memchr(" \t\n\r", r->s[r->at], 4)) r->at++;
}

static bool take_literal(reader *r, const char *word)
{
    for (; *word; word++, r->at++)
        if (peek(r) != *word) return fail_at(r, "true, false, null or a value");
    return true;
}

static bool take_hex4(reader *r, uint32_t *value)
{
    *value = 0;
    for (int i = 0; i < 4; i++, r->at++) {
        int digit = digit_value(peek(r));
        if (digit >= 16) return fail_at(r, "four hexadecimal digits after \\u");
        *value = *value << 4 | (uint32_t)digit;
    }
    return true;
}

/* After "\u": one escape, or the two of a surrogate pair. */
static bool take_unicode_escape(reader *r, uint32_t *cp)
{
    size_t start = r->at;
    uint32_t low;
    if (!take_hex4(r, cp)) return false;
    if (*cp < 0xD800 || *cp > 0xDFFF) return true;
    if (*cp <= 0xDBFF && r->n - r->at >= 2 && r->s[r->at] == '\\' && r->s[r->at + 1] == 'u') {
        r->at += 2;
        if (!take_hex4(r, &low)) return false;
        if (low >= 0xDC00 && low <= 0xDFFF) {
            *cp = 0x10000 + ((*cp - 0xD800) << 10 | (low - 0xDC00));
            return true;
        }
    }
    r->at = start;
    return fail_at(r, "a pair of surrogates");
}

/* After a backslash: appends what it stands for to *out. */
static bool take_escape(reader *r, char **out)
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    uint32_t cp;
    int c = peek(r);
    const char *p = c > 0 ? strchr(names, c) : NULL;
    if (p) {
        r->at++;
        *(*out)++ = values[p - names];
        return true;
    }
    if (c != 'u') return fail_at(r, "one of \" \\ / b f n r t u after a backslash");
    r->at++;
    if (!take_unicode_escape(r, &cp)) return false;
    *out += utf8_encode(cp, *out);
    return true;
}

/* The end of the string whose first character is at `from`: its closing quote, or r->n. */
static size_t find_quote(const reader *r, size_t from)
{
    size_t i = from;
    while (i < r->n && r->s[i] != '"') i += r->s[i] == '\\' ? 2 : 1;
    return i < r->n ? i : r->n;
}

/* An unescaped string is never longer than its text: the shortest escape of a character is not. */
static bool take_string(reader *r, const char **str, size_t *n)
{
    uint32_t cp;
    if (peek(r) != '"') return fail_at(r, "a string");
    r->at++;
    char *out = arena_new(&r->doc->arena, find_quote(r, r->at) - r->at + 1, 1);
    if (!out) return fail_memory(r);
    *str = out;
    for (;;) {
        int c = peek(r);
        if (c == '"') break;
        if (c < 0x20) return fail_at(r, "a closing quote");
        if (c == '\\') {
            r->at++;
            if (!take_escape(r, &out)) return false;
            continue;
        }
        size_t len = utf8_decode(r->s + r->at, r->n - r->at, &cp);
        if (cp == UTF8_BAD) return fail_at(r, "valid UTF-8");
        memcpy(out, r->s + r->at, len);
        out += len;
        r->at += len;
    }
    r->at++;
    *n = (size_t)(out - *str);
    return true;
}

static bool take_digits(reader *r)
{
    if (peek(r) < '0' || peek(r) > '9') return fail_at(r, "a digit");
    while (peek(r) >= '0' && peek(r) <= '9') r->at++;
    return true;
}

/* The grammar of RFC 8259, section 6; *is_whole = neither fraction nor exponent. */
static bool take_number_text(reader *r, bool *is_whole)
{
    if (peek(r) == '-') r->at++;
    if (peek(r) == '0')
        r->at++;
    else if (!take_digits(r))
        return false;
    size_t end = r->at;
    if (peek(r) == '.') {
        r->at++;
        if (!take_digits(r)) return false;
    }
    if (peek(r) == 'e' || peek(r) == 'E') {
        r->at++;
        if (peek(r) == '+' || peek(r) == '-') r->at++;
        if (!take_digits(r)) return false;
    }
    *is_whole = r->at == end;
    return true;
}

static bool int_of_text(const char *s, int64_t *value)
{
    bool is_negative = *s == '-';
    uint64_t limit = is_negative ? (uint64_t)INT64_MAX + 1 : INT64_MAX, v = 0;
    for (s += is_negative; *s; s++) {
        uint64_t digit = (uint64_t)(*s - '0');
        if (v > (limit - digit) / 10) return false;
        v = v * 10 + digit;
    }
    *value = is_negative ? (int64_t)(0 - v) : (int64_t)v;
    return true;
}

/* strtod and printf take the decimal point of the host program's locale. */
static void swap_point(char *s, char from, char to)
{
    char *p = from == to ? NULL : strchr(s, from);
    if (p) *p = to;
}

static char locale_point(void)
{
    return localeconv()->decimal_point[0];
}

static bool take_number(reader *r, json *j)
{
    size_t start = r->at;
    bool is_whole;
    if (!take_number_text(r, &is_whole)) return false;
    j->n = r->at - start;
    char *text = arena_strndup(&r->doc->arena, r->s + start, j->n);
    if (!text) return fail_memory(r);
    j->str = text;
    j->is_int = is_whole && int_of_text(text, &j->i);
    swap_point(text, '.', locale_point());
    j->num = strtod(text, NULL);
    swap_point(text, locale_point(), '.');
    if (isfinite(j->num)) return true;
    r->at = start;
    return fail_at(r, "a number in the range of a double");
}

/* A new node at the end of the innermost open array or object, with its key in an object. */
static json *take_slot(reader *r)
{
    json *j = arena_new(&r->doc->arena, 1, sizeof *j);
    if (!j) {
        fail_memory(r);
        return NULL;
    }
    if (r->depth == 0) {
        r->doc->root = j;
        return j;
    }
    open_node *o = &r->open[r->depth - 1];
    if (o->node->type == JSON_OBJECT) {
        if (peek(r) != '"') return fail_at(r, "a key in quotes"), NULL;
        if (!take_string(r, &j->key, &j->n_key)) return NULL;
        skip_space(r);
        if (peek(r) != ':') return fail_at(r, "':' after a key"), NULL;
        r->at++;
        skip_space(r);
    }
    if (o->last)
        o->last->next = j;
    else
        o->node->first = j;
    o->last = j;
    o->node->n++;
    return j;
}

static bool open_container(reader *r, json *j, json_type type)
{
    if (r->depth == JSON_MAX_DEPTH) return fail_at(r, "at most 256 nested arrays and objects");
    j->type = type;
    r->open[r->depth++] = (open_node){ j, NULL };
    r->at++;
    return true;
}

static bool take_value(reader *r, json *j)
{
    switch (peek(r)) {
    case '{': return open_container(r, j, JSON_OBJECT);
    case '[': return open_container(r, j, JSON_ARRAY);
    case '"': j->type = JSON_STRING; return take_string(r, &j->str, &j->n);
    case 't': j->type = JSON_TRUE; return take_literal(r, "true");
    case 'f': j->type = JSON_FALSE; return take_literal(r, "false");
    case 'n': j->type = JSON_NULL; return take_literal(r, "null");
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9': j->type = JSON_NUMBER; return take_number(r, j);
    default: return fail_at(r, "a value");
    }
}

/* After a value: closes what ends here. True with *more when a comma asks for another value,
 * true without when the root is closed. */
static bool close_containers(reader *r, bool *more)
{
    *more = false;
    while (r->depth > 0) {
        const json *j = r->open[r->depth - 1].node;
        bool is_object = j->type == JSON_OBJECT;
        skip_space(r);
        if (peek(r) == (is_object ? '}' : ']')) {
            r->at++;
            r->depth--;
            continue;
        }
        *more = true;
        if (j->n == 0) return true; /* just opened: its first value */
        if (peek(r) != ',') return fail_at(r, is_object ? "',' or '}'" : "',' or ']'");
        r->at++;
        return true;
    }
    return true;
}

static bool read_tree(reader *r)
{
    bool more = true;
    while (more) {
        skip_space(r);
        json *j = take_slot(r);
        if (!j || !take_value(r, j) || !close_containers(r, &more)) return false;
    }
    skip_space(r);
    return r->at == r->n || fail_at(r, "the end of the text");
}

bool json_read(json_doc *d, const char *text, size_t n, const char *name, lory_err *err)
{
    reader r = { .doc = d, .s = text, .n = n, .at = utf8_mark(text, n), .name = name, .err = err };
    *d = (json_doc){ 0 };
    if (read_tree(&r)) return true;
    json_close(d);
    return false;
}

void json_close(json_doc *d)
{
    arena_free(&d->arena);
    *d = (json_doc){ 0 };
}

/* ---- access ------------------------------------------------------------------------------ */

const json *json_get_bytes(const json *j, const char *key, size_t n)
{
    const json *found = NULL;
    if (!j || j->type != JSON_OBJECT) return NULL;
    for (const json *m = j->first; m; m = m->next)
        if (m->n_key == n && memcmp(m->key, key, n) == 0) found = m;
    return found;
}

const json *json_get(const json *j, const char *key)
{
    return json_get_bytes(j, key, strlen(key));
}

bool json_get_bool(const json *j, bool *value)
{
    if (!j || (j->type != JSON_TRUE && j->type != JSON_FALSE)) return false;
    *value = j->type == JSON_TRUE;
    return true;
}

bool json_get_int(const json *j, int64_t *value)
{
    if (!j || j->type != JSON_NUMBER) return false;
    if (j->is_int) {
        *value = j->i;
        return true;
    }
    if (j->num != floor(j->num) || fabs(j->num) > 0x1p53) return false;
    *value = (int64_t)j->num;
    return true;
}

bool json_get_num(const json *j, double *value)
{
    if (!j || j->type != JSON_NUMBER) return false;
    *value = j->num;
    return true;
}

bool json_get_str(const json *j, const char **s, size_t *n)
{
    if (!j || j->type != JSON_STRING) return false;
    *s = j->str;
    *n = j->n;
    return true;
}

bool json_str_is(const json *j, const char *s)
{
    return j && j->type == JSON_STRING && j->n == strlen(s) && memcmp(j->str, s, j->n) == 0;
}

/* ---- writer ------------------------------------------------------------------------------ */

static void begin_value(json_writer *w)
{
    if (w->needs_comma) buf_putc(w->out, ',');
    w->needs_comma = true;
}

static void begin_container(json_writer *w, char c)
{
    begin_value(w);
    buf_putc(w->out, c);
    w->needs_comma = false;
}

static void end_container(json_writer *w, char c)
{
    buf_putc(w->out, c);
    w->needs_comma = true;
}

void json_begin_object(json_writer *w)
{
    begin_container(w, '{');
}

void json_end_object(json_writer *w)
{
    end_container(w, '}');
}

void json_begin_array(json_writer *w)
{
    begin_container(w, '[');
}

void json_end_array(json_writer *w)
{
    end_container(w, ']');
}

/* The escape of an ASCII byte that must not or need not stand as it is. */
static void put_escaped(buf *out, unsigned char c)
{
    static const char values[] = "\"\\\b\f\n\r\t", names[] = "\"\\bfnrt";
    const char *p = c ? strchr(values, c) : NULL;
    if (p)
        buf_printf(out, "\\%c", names[p - values]);
    else
        buf_printf(out, "\\u%04x", c);
}

static void put_quoted(buf *out, const char *s, size_t n)
{
    size_t plain = 0; /* where the bytes not yet copied begin */
    uint32_t cp;
    buf_putc(out, '"');
    for (size_t i = 0; i < n;) {
        size_t len = utf8_decode(s + i, n - i, &cp);
        if (cp == UTF8_BAD || cp < 0x20 || cp == '"' || cp == '\\' || cp == 0x7F) {
            buf_put(out, s + plain, i - plain);
            if (cp == UTF8_BAD)
                buf_puts(out, "\xEF\xBF\xBD");
            else
                put_escaped(out, (unsigned char)cp);
            plain = i + len;
        }
        i += len;
    }
    if (n > plain) buf_put(out, s + plain, n - plain);
    buf_putc(out, '"');
}

void json_put_bytes(json_writer *w, const char *s, size_t n)
{
    begin_value(w);
    put_quoted(w->out, s, n);
}

void json_put_str(json_writer *w, const char *s)
{
    json_put_bytes(w, s, strlen(s));
}

void json_put_key_bytes(json_writer *w, const char *key, size_t n)
{
    json_put_bytes(w, key, n);
    buf_putc(w->out, ':');
    w->needs_comma = false;
}

void json_put_key(json_writer *w, const char *key)
{
    json_put_key_bytes(w, key, strlen(key));
}

void json_put_null(json_writer *w)
{
    begin_value(w);
    buf_puts(w->out, "null");
}

void json_put_bool(json_writer *w, bool value)
{
    begin_value(w);
    buf_puts(w->out, value ? "true" : "false");
}

void json_put_int(json_writer *w, int64_t value)
{
    char text[20]; /* of 2^63, and a sign; by hand: ids are printed by the million */
    size_t at = sizeof text;
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do text[--at] = (char)('0' + rest % 10);
    while ((rest /= 10) > 0);
    if (value < 0) text[--at] = '-';
    begin_value(w);
    buf_put(w->out, text + at, sizeof text - at);
}

void json_put_raw(json_writer *w, const char *text, size_t n)
{
    begin_value(w);
    buf_put(w->out, text, n);
}

static void put_number_text(json_writer *w, char *text)
{
    swap_point(text, locale_point(), '.');
    begin_value(w);
    buf_puts(w->out, text);
}

void json_put_f32(json_writer *w, float value)
{
    char text[32];
    if (!isfinite(value)) {
        json_put_null(w);
        return;
    }
    for (int digits = 6; digits <= 9; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, (double)value);
        if (strtof(text, NULL) == value) break;
    }
    put_number_text(w, text);
}

void json_put_f64(json_writer *w, double value)
{
    char text[40];
    if (!isfinite(value)) {
        json_put_null(w);
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value) break;
    }
    put_number_text(w, text);
}

static void put_children(json_writer *w, const json *j)
{
    for (const json *m = j->first; m; m = m->next) {
        if (m->key) json_put_key_bytes(w, m->key, m->n_key);
        json_put_value(w, m);
    }
}

/* Recursion is bounded by the reader's JSON_MAX_DEPTH. */
void json_put_value(json_writer *w, const json *j)
{
    switch (j->type) {
    case JSON_NULL: json_put_null(w); return;
    case JSON_FALSE:
    case JSON_TRUE: json_put_bool(w, j->type == JSON_TRUE); return;
    case JSON_NUMBER:
        begin_value(w);
        buf_put(w->out, j->str, j->n);
        return;
    case JSON_STRING: json_put_bytes(w, j->str, j->n); return;
    case JSON_ARRAY:
        json_begin_array(w);
        put_children(w, j);
        json_end_array(w);
        return;
    case JSON_OBJECT:
        json_begin_object(w);
        put_children(w, j);
        json_end_object(w);
        return;
    }
}

void json_member_bool(json_writer *w, const char *key, bool value)
{
    json_put_key(w, key);
    json_put_bool(w, value);
}

void json_member_int(json_writer *w, const char *key, int64_t value)
{
    json_put_key(w, key);
    json_put_int(w, value);
}

void json_member_f64(json_writer *w, const char *key, double value)
{
    json_put_key(w, key);
    json_put_f64(w, value);
}

void json_member_str(json_writer *w, const char *key, const char *s)
{
    json_put_key(w, key);
    json_put_str(w, s);
}

void json_member_bytes(json_writer *w, const char *key, const char *s, size_t n)
{
    json_put_key(w, key);
    json_put_bytes(w, s, n);
}

void json_member_raw(json_writer *w, const char *key, const char *text, size_t n)
{
    json_put_key(w, key);
    json_put_raw(w, text, n);
}

void json_open_object(json_writer *w, const char *key)
{
    json_put_key(w, key);
    json_begin_object(w);
}

void json_open_array(json_writer *w, const char *key)
{
    json_put_key(w, key);
    json_begin_array(w);
}
