/* regex.c - see regex.h. By recursive descent. */
#include "sample/regex.h"
#include "base/err.h"
#include "base/utf8.h"
#include "sample/vec.h"
#include "text/digit.h"
#include <string.h>

enum { MAX_DEPTH = 100 };

typedef struct {
    syntax *s;
    const char *at, *end;
    const char *subject;
    regex_chars chars;
    int depth;
    lory_err *err;
} reader;

typedef struct {
    char_range *at; /* [n] */
    size_t n, cap;
} ranges; /* zeroed = empty; free with mem_free(at) */

static bool wrong(reader *r, const char *what)
{
    return err_set(r->err, LORY_E_FORMAT, "%s: the regular expression %s", r->subject, what);
}

static bool unsupported(reader *r, const char *what)
{
    return err_set(r->err, LORY_E_UNSUPPORTED, "%s: %s in a regular expression is not supported",
                   r->subject, what);
}

static bool is_next(const reader *r, const char *word)
{
    size_t n = strlen(word);
    return (size_t)(r->end - r->at) >= n && memcmp(r->at, word, n) == 0;
}

static bool take(reader *r, const char *word)
{
    if (!is_next(r, word)) return false;
    r->at += strlen(word);
    return true;
}

/* ---- characters ----------------------------------------------------------------------------- */

static bool put_range(reader *r, ranges *l, uint32_t lo, uint32_t hi)
{
    char_range *at = vec_room(l->at, l->n, &l->cap, 1, sizeof *at);
    if (!at) return err_set(r->err, LORY_E_MEMORY, "%s: no memory for the grammar", r->subject);
    l->at = at;
    l->at[l->n++] = (char_range){ lo, hi };
    return true;
}

/* White space and line ends of ECMA-262. */
static const char_range digits[] = { { '0', '9' } };
static const char_range word[] = { { '0', '9' }, { 'A', 'Z' }, { '_', '_' }, { 'a', 'z' } };
static const char_range space[] = { { 9, 13 },          { 32, 32 },         { 0xA0, 0xA0 },
                                    { 0x1680, 0x1680 }, { 0x2000, 0x200A }, { 0x2028, 0x2029 },
                                    { 0x202F, 0x202F }, { 0x205F, 0x205F }, { 0x3000, 0x3000 },
                                    { 0xFEFF, 0xFEFF } };
static const char_range line_end[] = { { 10, 10 }, { 13, 13 }, { 0x2028, 0x2029 } };
static const char_range any[] = { { 0, SYNTAX_MAX_CHAR } };

/* \d and the like: all their characters, or (\D) all others. */
static bool put_named(reader *r, ranges *l, char name)
{
    const char_range *from = digits;
    size_t n = 1;
    if ((name | 32) == 'w') from = word, n = sizeof word / sizeof *word;
    if ((name | 32) == 's') from = space, n = sizeof space / sizeof *space;
    if (name & 32) {
        for (size_t i = 0; i < n; i++)
            if (!put_range(r, l, from[i].lo, from[i].hi)) return false;
        return true;
    }
    uint32_t at = 0;
    for (size_t i = 0; i < n; i++) {
        if (!put_range(r, l, at, from[i].lo - 1)) return false;
        at = from[i].hi + 1;
    }
    return put_range(r, l, at, SYNTAX_MAX_CHAR);
}

static bool read_hex(reader *r, int n, uint32_t *cp)
{
    bool braces = n == 4 && take(r, "{");
    *cp = 0;
    for (int i = 0; braces ? !is_next(r, "}") : i < n; i++, r->at++) {
        if (r->at == r->end || digit_value(*r->at) >= 16 || i == 8)
            return wrong(r, "has a bad escape");
        *cp = *cp << 4 | (uint32_t)digit_value(*r->at);
    }
    r->at += braces;
    if (*cp > SYNTAX_MAX_CHAR || (*cp >= 0xD800 && *cp <= 0xDFFF))
        return wrong(r, "has an escape that is no character");
    return true;
}

/* Behind a backslash: one character, or *is_class and the ranges of \d and the like. */
static bool read_escape(reader *r, ranges *l, uint32_t *cp, bool *is_class)
{
    static const char names[] = "nrtfv0", values[] = "\n\r\t\f\v";
    if (r->at == r->end) return wrong(r, "ends with a backslash");
    char c = *r->at++;
    const char *name = c ? strchr(names, c) : NULL;
    *cp = (uint32_t)(unsigned char)c;
    *is_class = c && strchr("dDwWsS", c);
    if (*is_class) return put_named(r, l, c);
    if (name)
        *cp = (uint32_t)values[name - names];
    else if (c == 'x')
        return read_hex(r, 2, cp);
    else if (c == 'u')
        return read_hex(r, 4, cp);
    else if ((c | 32) >= 'a' && (c | 32) <= 'z')
        return unsupported(r, c == 'b' || c == 'B' ? "\\b" : "an escape with this letter");
    else if (c >= '1' && c <= '9')
        return unsupported(r, "a back-reference");
    else if (*cp >= 0x80)
        return wrong(r, "has a bad escape");
    return true;
}

static bool read_char(reader *r, uint32_t *cp)
{
    r->at += utf8_decode(r->at, (size_t)(r->end - r->at), cp);
    return *cp != UTF8_BAD || wrong(r, "is not UTF-8");
}

/* A character of a class or the first of a range, or \d and the like (*is_class). */
static bool read_member(reader *r, ranges *l, uint32_t *cp, bool *is_class)
{
    *is_class = false;
    if (r->at == r->end) return wrong(r, "has a [ that is never closed");
    if (take(r, "\\b")) {
        *cp = 8;
        return true;
    }
    return take(r, "\\") ? read_escape(r, l, cp, is_class) : read_char(r, cp);
}

/* \d and the like, one character, or a range. */
static bool read_range(reader *r, ranges *l)
{
    uint32_t lo, hi;
    bool is_class;
    if (!read_member(r, l, &lo, &is_class)) return false;
    if (is_class) return true;
    hi = lo;
    if (r->end - r->at > 1 && r->at[0] == '-' && r->at[1] != ']') {
        r->at++;
        if (!read_member(r, l, &hi, &is_class)) return false;
        if (is_class || hi < lo) return wrong(r, "has a bad range");
    }
    return put_range(r, l, lo, hi);
}

static bool read_class(reader *r, const expr **e)
{
    ranges l = { 0 };
    bool is_negated = take(r, "^"), ok = true;
    while (ok && !take(r, "]")) ok = read_range(r, &l);
    if (ok) *e = r->chars(r->s, l.at, l.n, is_negated);
    mem_free(l.at);
    return ok;
}

/* One character, or what an escape stands for. */
static bool read_single(reader *r, const expr **e)
{
    ranges l = { 0 };
    uint32_t cp;
    bool is_class = false;
    bool ok = take(r, "\\") ? read_escape(r, &l, &cp, &is_class) : read_char(r, &cp);
    if (ok && !is_class) ok = put_range(r, &l, cp, cp);
    if (ok) *e = r->chars(r->s, l.at, l.n, false);
    mem_free(l.at);
    return ok;
}

/* ---- expressions ---------------------------------------------------------------------------- */

static bool read_alternatives(reader *r, bool is_outermost, const expr **e);

static bool read_group(reader *r, const expr **e)
{
    if (is_next(r, "?") && !is_next(r, "?:")) return unsupported(r, "a group with (?");
    take(r, "?:");
    if (++r->depth > MAX_DEPTH) return unsupported(r, "more than 100 nested groups");
    if (!read_alternatives(r, false, e)) return false;
    r->depth--;
    return take(r, ")") || wrong(r, "has a ( that is never closed");
}

static bool read_atom(reader *r, const expr **e)
{
    if (take(r, "(")) return read_group(r, e);
    if (take(r, "[")) return read_class(r, e);
    if (is_next(r, "^") || is_next(r, "$"))
        return unsupported(r, "an anchor that is not at an end");
    if (is_next(r, "*") || is_next(r, "+") || is_next(r, "?") || is_next(r, "{"))
        return wrong(r, "has a repetition of nothing");
    if (take(r, ".")) {
        *e = r->chars(r->s, line_end, 3, true);
        return true;
    }
    return read_single(r, e);
}

static bool read_number(reader *r, uint32_t *v)
{
    const char *begin = r->at;
    for (*v = 0; r->at < r->end && *r->at >= '0' && *r->at <= '9'; r->at++) {
        *v = *v * 10 + (uint32_t)(*r->at - '0');
        if (*v > SYNTAX_MAX_REPEAT) return unsupported(r, "a number above 100000");
    }
    return r->at > begin || wrong(r, "has a bad repetition");
}

static bool read_repetition(reader *r, const expr **e)
{
    uint32_t min = 0, max = SYNTAX_MANY;
    if (take(r, "*"))
        min = 0;
    else if (take(r, "+"))
        min = 1;
    else if (take(r, "?"))
        max = 1;
    else if (take(r, "{")) {
        if (!read_number(r, &min)) return false;
        max = min;
        if (take(r, ",")) {
            max = SYNTAX_MANY;
            if (!is_next(r, "}") && !read_number(r, &max)) return false;
        }
        if (!take(r, "}") || min > max) return wrong(r, "has a bad repetition");
    } else
        return true;
    take(r, "?"); /* lazy: the same texts */
    *e = syntax_repeat(r->s, *e, min, max);
    return true;
}

static bool read_sequence(reader *r, bool is_outermost, const expr **e)
{
    expr_list l = { 0 };
    bool ok = true, ends_anchored = false;
    const expr *rest = syntax_repeat(r->s, r->chars(r->s, any, 1, false), 0, SYNTAX_MANY);
    if (is_outermost && !take(r, "^")) expr_list_put(r->s, &l, rest);
    while (ok && r->at < r->end && !is_next(r, "|") && !is_next(r, ")") && !ends_anchored) {
        const expr *item = NULL;
        ends_anchored = is_outermost && (r->end - r->at == 1 || is_next(r, "$|")) && take(r, "$");
        if (ends_anchored) break;
        ok = read_atom(r, &item) && read_repetition(r, &item);
        expr_list_put(r->s, &l, item);
    }
    if (is_outermost && !ends_anchored) expr_list_put(r->s, &l, rest);
    if (ok) *e = syntax_seq(r->s, l.item, l.n);
    mem_free(l.item);
    return ok;
}

static bool read_alternatives(reader *r, bool is_outermost, const expr **e)
{
    expr_list l = { 0 };
    bool ok;
    do {
        const expr *one = NULL;
        ok = read_sequence(r, is_outermost, &one);
        expr_list_put(r->s, &l, one);
    } while (ok && take(r, "|"));
    if (ok) *e = syntax_alt(r->s, l.item, l.n);
    mem_free(l.item);
    return ok;
}

const expr *regex_read(syntax *s, const char *text, size_t n, regex_chars chars,
                       const char *subject, lory_err *err)
{
    reader r = {
        .s = s, .at = text, .end = text + n, .subject = subject, .chars = chars, .err = err
    };
    const expr *e = NULL;
    if (!read_alternatives(&r, true, &e)) return NULL;
    if (r.at < r.end) {
        wrong(&r, "has a ) without a (");
        return NULL;
    }
    if (!e || s->failed) err_set(err, LORY_E_MEMORY, "%s: no memory for the grammar", subject);
    return s->failed ? NULL : e;
}
