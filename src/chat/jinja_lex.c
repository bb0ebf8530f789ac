/* jinja_lex.c - see jinja_lex.h. The rules are those of jinja2 3.1's lexer. */
#include "chat/jinja_lex.h"
#include "base/utf8.h"
#include "chat/jinja_float.h"
#include "text/digit.h"
#include "text/unicode_case.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void jlex_place(const char *s, size_t n, size_t at, size_t *line, size_t *column)
{
    size_t start = 0;
    *line = 1;
    for (size_t i = 0; i < at && i < n; i++)
        if (s[i] == '\n') ++*line, start = i + 1;
    *column = 1 + utf8_count(s + start, (at < n ? at : n) - start);
}

ERR_PRINTF(3, 4) static bool fail_at(jlexer *lx, size_t at, const char *fmt, ...)
{
    char what[LORY_ERR_MAX];
    size_t line, column;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    jlex_place(lx->s, lx->n, at, &line, &column);
    return err_set(lx->err, LORY_E_FORMAT, "%s: line %zu, column %zu: %s", lx->name, line, column,
                   what);
}

static bool fail_memory(jlexer *lx)
{
    return err_set(lx->err, LORY_E_MEMORY, "%s: no memory to read it", lx->name);
}

/* ---- the source -------------------------------------------------------------------------- */

static bool starts(const jlexer *lx, size_t at, const char *text)
{
    size_t n = strlen(text);
    return lx->n - at >= n && memcmp(lx->s + at, text, n) == 0;
}

static int peek(const jlexer *lx, size_t at)
{
    return at < lx->n ? (unsigned char)lx->s[at] : -1;
}

static size_t skip_space(const jlexer *lx, size_t at)
{
    uint32_t cp;
    while (at < lx->n) {
        size_t len = utf8_decode(lx->s + at, lx->n - at, &cp);
        if (!unicode_is_space(cp)) break;
        at += len;
    }
    return at;
}

/* Where the blanks at the end of s[from..to) begin. */
static size_t trim_end(const jlexer *lx, size_t from, size_t to)
{
    uint32_t cp;
    while (to > from) {
        size_t at = to - 1;
        while (at > from && ((unsigned char)lx->s[at] & 0xC0) == 0x80) at--;
        utf8_decode(lx->s + at, to - at, &cp);
        if (!unicode_is_space(cp)) break;
        to = at;
    }
    return to;
}

/* The end of text[from..to) before a tag with this sign: '-' takes the blanks before it; a block
 * or comment that only blanks precede on its line takes those, unless it begins with '+'. */
static size_t strip_before(const jlexer *lx, size_t from, size_t to, int sign, bool is_variable)
{
    if (sign == '-') return trim_end(lx, from, to);
    if (sign == '+' || is_variable) return to;
    size_t start = to;
    while (start > from && lx->s[start - 1] != '\n') start--;
    bool is_line_start = start > from || from == 0 || lx->s[from - 1] == '\n';
    return is_line_start && skip_space(lx, start) >= to ? start : to;
}

/* ---- tokens ------------------------------------------------------------------------------ */

static bool put_token(jlexer *lx, jtoken t)
{
    if (lx->n_token == lx->cap) {
        size_t cap = lx->cap ? 2 * lx->cap : 64;
        jtoken *token = arena_new(lx->arena, cap, sizeof *token);
        if (!token) return fail_memory(lx);
        if (lx->n_token) memcpy(token, lx->token, lx->n_token * sizeof *token);
        lx->token = token;
        lx->cap = cap;
    }
    lx->token[lx->n_token++] = t;
    return true;
}

static bool put_data(jlexer *lx, size_t from, size_t to)
{
    if (from >= to) return true;
    return put_token(
        lx, (jtoken){ .kind = TK_DATA, .at = (uint32_t)from, .s = lx->s + from, .n = to - from });
}

static bool put_simple(jlexer *lx, jtoken_kind kind, size_t n)
{
    jtoken t = { .kind = kind, .at = (uint32_t)lx->at, .s = lx->s + lx->at, .n = n };
    lx->at += n;
    return put_token(lx, t);
}

static bool is_digit(int c)
{
    return c >= '0' && c <= '9';
}

/* The end of digits of a base with single underscores between them. */
static size_t skip_digits(const jlexer *lx, size_t at, int base)
{
    while (at < lx->n) {
        size_t next = lx->s[at] == '_' ? at + 1 : at;
        if (digit_value(peek(lx, next)) >= base) break;
        at = next + 1;
    }
    return at;
}

/* The end of a float at `at`, or `at` when what stands there is none. */
static size_t skip_float(const jlexer *lx, size_t at)
{
    if (at > 0 && lx->s[at - 1] == '.') return at;
    size_t i = skip_digits(lx, at, 10), end = at;
    if (peek(lx, i) == '.' && is_digit(peek(lx, i + 1))) end = i = skip_digits(lx, i + 1, 10);
    int c = peek(lx, i);
    if (c != 'e' && c != 'E') return end;
    i += peek(lx, i + 1) == '+' || peek(lx, i + 1) == '-' ? 2 : 1;
    return is_digit(peek(lx, i)) ? skip_digits(lx, i, 10) : end;
}

static bool take_float(jlexer *lx, size_t end)
{
    jtoken t = { .kind = TK_FLOAT, .at = (uint32_t)lx->at };
    if (!jparse_float(lx->s + lx->at, end - lx->at, &t.f))
        return fail_at(lx, lx->at, "this number is too long");
    lx->at = end;
    return put_token(lx, t);
}

static bool take_int(jlexer *lx)
{
    static const char marks[] = "boxBOX";
    static const int bases[] = { 2, 8, 16, 2, 8, 16 };
    int c = peek(lx, lx->at + 1), base = 10;
    const char *mark = lx->s[lx->at] == '0' && c > 0 ? strchr(marks, c) : NULL;
    size_t from = lx->at, start = from, end;
    if (mark) base = bases[mark - marks], start += 2;
    end = skip_digits(lx, start, base);
    if (mark && end == start) base = 10, start = from, end = from + 1;
    if (!mark && lx->s[from] == '0') /* 007 is 00 and then 7 */
        for (end = from + 1; peek(lx, end) == '0' || starts(lx, end, "_0");)
            end += lx->s[end] == '_' ? 2 : 1;
    jtoken t = { .kind = TK_INT, .at = (uint32_t)from };
    for (size_t i = start; i < end; i++) {
        if (lx->s[i] == '_') continue;
        if (__builtin_mul_overflow(t.i, base, &t.i)
            || __builtin_add_overflow(t.i, digit_value(lx->s[i]), &t.i)) {
            t.kind = TK_BIG;
            break;
        }
    }
    if (t.kind == TK_BIG && (base != 10 || memchr(lx->s + start, '_', end - start)))
        return fail_at(lx, from, "this integer needs more than 64 bits");
    t.s = lx->s + start;
    t.n = end - start;
    lx->at = end;
    return put_token(lx, t);
}

static bool take_name(jlexer *lx)
{
    uint32_t cp;
    size_t at = lx->at, len = utf8_decode(lx->s + at, lx->n - at, &cp);
    if (cp != '_' && !(unicode_flags_of(cp) & UNICODE_ID_START))
        return fail_at(lx, at, "unexpected character '%.*s'", (int)len, lx->s + at);
    do {
        at += len;
        len = at < lx->n ? utf8_decode(lx->s + at, lx->n - at, &cp) : 0;
    } while (len && (unicode_flags_of(cp) & UNICODE_ID_PART));
    return put_simple(lx, TK_NAME, at - lx->at);
}

/* ---- strings ----------------------------------------------------------------------------- */

/* n hexadecimal digits, or false. */
static bool take_hex(jlexer *lx, size_t *at, size_t end, int n, uint32_t *cp)
{
    *cp = 0;
    for (int i = 0; i < n; i++, ++*at) {
        if (*at >= end || digit_value(lx->s[*at]) >= 16) return false;
        *cp = *cp << 4 | (uint32_t)digit_value(lx->s[*at]);
    }
    return true;
}

/* As in Python, the backslash of an unknown escape stands for itself. Jinja has by then written
 * what is not ASCII as an escape, which behind a backslash is none, so its letters stay. */
static void put_no_escape(const jlexer *lx, size_t *at, size_t end, char **out)
{
    uint32_t cp;
    size_t len = utf8_decode(lx->s + *at, end - *at, &cp);
    const char *form = cp < 0x100 ? "\\x%02x" : cp < 0x10000 ? "\\u%04x" : "\\U%08x";
    *at += len;
    *out += sprintf(*out, len == 1 ? "\\%c" : form, cp);
}

/* The escape behind a backslash at *at: appends what it stands for. */
static bool take_escape(jlexer *lx, size_t *at, size_t end, char **out)
{
    static const char names[] = "\\'\"abfnrtv", values[] = "\\'\"\a\b\f\n\r\t\v";
    size_t start = *at - 1;
    int c = lx->s[(*at)++];
    const char *p = strchr(names, c);
    uint32_t cp = 0;
    if (c == '\n') return true;
    if (p) {
        *(*out)++ = values[p - names];
        return true;
    }
    if (c >= '0' && c <= '7') {
        cp = (uint32_t)(c - '0');
        for (int i = 0; i < 2 && *at < end && lx->s[*at] >= '0' && lx->s[*at] <= '7'; i++)
            cp = cp << 3 | (uint32_t)(lx->s[(*at)++] - '0');
    } else if (c == 'x' || c == 'u' || c == 'U') {
        if (!take_hex(lx, at, end, c == 'x' ? 2 : c == 'u' ? 4 : 8, &cp))
            return fail_at(lx, start, "a cut \\%c escape", c);
    } else if (c == 'N') {
        return fail_at(lx, start, "characters by name (\\N{...}) are not supported: write \\uXXXX");
    } else {
        *at = start + 1;
        put_no_escape(lx, at, end, out);
        return true;
    }
    size_t len = utf8_encode(cp, *out);
    if (len == 0) return fail_at(lx, start, "an escape that stands for no character");
    *out += len;
    return true;
}

static bool take_string(jlexer *lx)
{
    char quote = lx->s[lx->at];
    size_t start = lx->at + 1, end = start;
    while (end < lx->n && lx->s[end] != quote) end += lx->s[end] == '\\' ? 2 : 1;
    if (end >= lx->n) return fail_at(lx, lx->at, "this string has no end");
    char *s = arena_new(lx->arena, 2 * (end - start) + UTF8_MAX_BYTES, 1), *out = s;
    if (!s) return fail_memory(lx);
    for (size_t i = start; i < end;) {
        if (lx->s[i] != '\\')
            *out++ = lx->s[i++];
        else if (++i, !take_escape(lx, &i, end, &out))
            return false;
    }
    jtoken t = { .kind = TK_STRING, .at = (uint32_t)lx->at, .s = s, .n = (size_t)(out - s) };
    lx->at = end + 1;
    return put_token(lx, t);
}

/* ---- operators --------------------------------------------------------------------------- */

typedef struct {
    const char *text;
    jtoken_kind kind;
} operator_row;

static const operator_row operators[] = {
    /* the longer ones first */
    { "//", TK_FLOORDIV }, { "**", TK_POW },      { "==", TK_EQ },    { "!=", TK_NE },
    { ">=", TK_GE },       { "<=", TK_LE },       { "+", TK_ADD },    { "-", TK_SUB },
    { "/", TK_DIV },       { "*", TK_MUL },       { "%", TK_MOD },    { "~", TK_TILDE },
    { "[", TK_LBRACKET },  { "]", TK_RBRACKET },  { "(", TK_LPAREN }, { ")", TK_RPAREN },
    { "{", TK_LBRACE },    { "}", TK_RBRACE },    { ">", TK_GT },     { "<", TK_LT },
    { "=", TK_ASSIGN },    { ".", TK_DOT },       { ":", TK_COLON },  { "|", TK_PIPE },
    { ",", TK_COMMA },     { ";", TK_SEMICOLON },
};

/* Inside brackets the end of a tag is not looked for, so they are counted here. */
static bool balance(jlexer *lx, char c)
{
    static const char opening[] = "([{", closing[] = ")]}";
    const char *p = strchr(opening, c);
    if (p) {
        if (lx->n_open == (int)sizeof lx->open)
            return fail_at(lx, lx->at, "brackets nested too deeply");
        lx->open[lx->n_open++] = closing[p - opening];
        return true;
    }
    if (!strchr(closing, c)) return true;
    if (lx->n_open == 0) return fail_at(lx, lx->at, "unexpected '%c'", c);
    char wanted = lx->open[--lx->n_open];
    return c == wanted || fail_at(lx, lx->at, "unexpected '%c', expected '%c'", c, wanted);
}

static bool take_operator(jlexer *lx, bool *found)
{
    *found = false;
    for (size_t i = 0; i < sizeof operators / sizeof operators[0]; i++) {
        if (!starts(lx, lx->at, operators[i].text)) continue;
        *found = true;
        if (!balance(lx, lx->s[lx->at])) return false;
        return put_simple(lx, operators[i].kind, strlen(operators[i].text));
    }
    return true;
}

static bool take_token(jlexer *lx)
{
    int c = peek(lx, lx->at);
    bool found;
    if (is_digit(c)) {
        size_t end = skip_float(lx, lx->at);
        return end > lx->at ? take_float(lx, end) : take_int(lx);
    }
    if (c == '"' || c == '\'') return take_string(lx);
    if (!take_operator(lx, &found)) return false;
    return found || take_name(lx);
}

/* ---- tags -------------------------------------------------------------------------------- */

/* After the end of a block or comment: its sign is before it at `at`. `-` takes all blanks behind,
 * `+` none, and without a sign one line end goes. */
static size_t skip_after(const jlexer *lx, size_t end, int sign)
{
    if (sign == '-') return skip_space(lx, end);
    return sign != '+' && peek(lx, end) == '\n' ? end + 1 : end;
}

/* Whether a tag ends here with `close`, "%}" or "}}"; *next is what follows it. */
static bool ends_tag(const jlexer *lx, const char *close, size_t *next)
{
    bool is_block = close[0] == '%';
    int sign = peek(lx, lx->at);
    if (sign == '-' || (sign == '+' && is_block)) {
        if (!starts(lx, lx->at + 1, close)) return false;
        *next = skip_after(lx, lx->at + 3, sign);
        return true;
    }
    if (!starts(lx, lx->at, close)) return false;
    *next = is_block ? skip_after(lx, lx->at + 2, 0) : lx->at + 2;
    return true;
}

/* What stands between the braces, up to the end of the tag. */
static bool take_tag(jlexer *lx, bool is_block)
{
    size_t start = lx->at, next;
    int sign = peek(lx, start + 2);
    jtoken_kind begin = is_block ? TK_BLOCK_BEGIN : TK_VAR_BEGIN;
    if (!put_simple(lx, begin, sign == '-' || sign == '+' ? 3 : 2)) return false;
    lx->n_open = 0;
    for (;;) {
        lx->at = skip_space(lx, lx->at);
        if (lx->at >= lx->n)
            return fail_at(lx, start, "this %s has no end", is_block ? "block tag" : "expression");
        if (lx->n_open == 0 && ends_tag(lx, is_block ? "%}" : "}}", &next)) break;
        if (!take_token(lx)) return false;
    }
    if (!put_simple(lx, is_block ? TK_BLOCK_END : TK_VAR_END, 2)) return false;
    lx->at = next;
    return true;
}

static bool skip_comment(jlexer *lx)
{
    size_t start = lx->at, i = start + 2;
    if (peek(lx, i) == '-' || peek(lx, i) == '+') i++;
    for (; i < lx->n; i++) {
        bool has_sign = (lx->s[i] == '-' || lx->s[i] == '+') && starts(lx, i + 1, "#}");
        if (!has_sign && !starts(lx, i, "#}")) continue;
        lx->at = skip_after(lx, i + 2 + has_sign, has_sign ? lx->s[i] : 0);
        return true;
    }
    return fail_at(lx, start, "this comment has no end");
}

/* Whether the tag at `at` is {% word %}; *sign is its opening sign, *end what follows its braces
 * and *after the sign that closes it. */
static bool is_word_tag(const jlexer *lx, size_t at, const char *word, int *sign, size_t *end,
                        int *after)
{
    if (!starts(lx, at, "{%")) return false;
    size_t i = at + 2;
    *sign = peek(lx, i);
    if (*sign == '-' || *sign == '+')
        i++;
    else
        *sign = 0;
    i = skip_space(lx, i);
    if (!starts(lx, i, word)) return false;
    i = skip_space(lx, i + strlen(word));
    *after = peek(lx, i);
    if (*after == '-' || *after == '+')
        i++;
    else
        *after = 0;
    *end = i + 2;
    return starts(lx, i, "%}");
}

/* {% raw %} ... {% endraw %}; false without error when what stands here is no such tag. */
static bool take_raw(jlexer *lx, bool *found)
{
    int sign, after;
    size_t start = lx->at, from;
    *found = is_word_tag(lx, start, "raw", &sign, &from, &after) && after != '+';
    if (!*found) return true;
    if (after == '-') from = skip_space(lx, from);
    for (size_t i = from; i < lx->n; i++) {
        size_t end;
        if (!is_word_tag(lx, i, "endraw", &sign, &end, &after)) continue;
        lx->at = skip_after(lx, end, after);
        return put_data(lx, from, strip_before(lx, from, i, sign, false));
    }
    return fail_at(lx, start, "this raw block has no end");
}

/* The next "{{", "{%" or "{#" from `at` on, or the end. */
static size_t find_tag(const jlexer *lx, size_t at)
{
    for (; at + 1 < lx->n; at++) {
        const char *p = memchr(lx->s + at, '{', lx->n - 1 - at);
        if (!p) break;
        at = (size_t)(p - lx->s);
        if (p[1] == '{' || p[1] == '%' || p[1] == '#') return at;
    }
    return lx->n;
}

static bool take_next(jlexer *lx)
{
    size_t tag = find_tag(lx, lx->at);
    bool found;
    if (tag == lx->n) {
        bool ok = put_data(lx, lx->at, lx->n);
        lx->at = lx->n;
        return ok;
    }
    char kind = lx->s[tag + 1];
    size_t end = strip_before(lx, lx->at, tag, peek(lx, tag + 2), kind == '{');
    if (!put_data(lx, lx->at, end)) return false;
    lx->at = tag;
    if (kind == '#') return skip_comment(lx);
    if (kind == '%') {
        if (!take_raw(lx, &found)) return false;
        if (found) return true;
    }
    return take_tag(lx, kind == '%');
}

bool jinja_lex(jlexer *lx)
{
    while (lx->at < lx->n)
        if (!take_next(lx)) return false;
    return put_simple(lx, TK_EOF, 0);
}
