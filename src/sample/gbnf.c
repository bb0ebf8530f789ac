/* gbnf.c - see gbnf.h. By recursive descent; each function leaves the reader behind what it has
 * read. */
#include "sample/gbnf.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/utf8.h"
#include "sample/vec.h"
#include "text/digit.h"
#include <stdio.h>
#include <string.h>

/* A name, and where it was first used or defined. */
typedef struct {
    const char *s; /* [n] in the text */
    size_t n;
} rule_name;

typedef struct {
    syntax *s;
    const char *text, *at, *end;
    const char *name; /* of the grammar, for errors */
    rule_name *rule;  /* [s->n_rules] */
    size_t cap;
    uint32_t *slot; /* [n_slots] open addressing: a rule's number + 1; 0 = free */
    size_t n_slots; /* a power of two */
    int depth;
    lory_err *err;
} reader;

/* ---- errors --------------------------------------------------------------------------------- */

/* The subject of every error: where it is. Always false. */
static bool fail_at(reader *r, const char *at, const char *what)
{
    size_t line = 1;
    const char *begin = r->text;
    for (const char *c = r->text; c < at; c++)
        if (*c == '\n') {
            line++;
            begin = c + 1;
        }
    return err_set(r->err, LORY_E_FORMAT, "%s: line %zu, column %zu: %s", r->name, line,
                   utf8_count(begin, (size_t)(at - begin)) + 1, what);
}

/* "WHAT (found FOUND, expected EXPECTED)" */
static bool unexpected(reader *r, const char *expected)
{
    char what[160];
    uint32_t cp = 0;
    size_t n = r->at < r->end ? utf8_decode(r->at, (size_t)(r->end - r->at), &cp) : 0;
    if (n == 0)
        snprintf(what, sizeof what, "the grammar ends (expected %s)", expected);
    else if (cp == UTF8_BAD)
        snprintf(what, sizeof what, "a byte that is not UTF-8");
    else if (cp == '\n')
        snprintf(what, sizeof what, "the line ends (expected %s)", expected);
    else
        snprintf(what, sizeof what, "unexpected '%.*s' (expected %s)", (int)n, r->at, expected);
    return fail_at(r, r->at, what);
}

static bool no_memory(reader *r)
{
    return err_set(r->err, LORY_E_MEMORY, "%s: no memory for the grammar", r->name);
}

/* ---- rules by name -------------------------------------------------------------------------- */

static size_t slot_of(const reader *r, const char *s, size_t n)
{
    size_t i = hash64_of(s, n, 0) & (r->n_slots - 1);
    for (; r->slot[i]; i = (i + 1) & (r->n_slots - 1)) {
        const rule_name *at = &r->rule[r->slot[i] - 1];
        if (at->n == n && memcmp(at->s, s, n) == 0) break;
    }
    return i;
}

static bool grow_slots(reader *r)
{
    size_t n = r->n_slots ? r->n_slots * 2 : 64;
    uint32_t *slot = mem_new(n, sizeof *slot);
    if (!slot) return no_memory(r);
    mem_free(r->slot);
    r->slot = slot;
    r->n_slots = n;
    for (uint32_t i = 0; i < r->s->n_rules; i++)
        r->slot[slot_of(r, r->rule[i].s, r->rule[i].n)] = i + 1;
    return true;
}

/* The rule of that name, a new one when there is none yet. */
static bool rule_of(reader *r, const char *s, size_t n, uint32_t *rule)
{
    if (r->s->n_rules * 2 >= r->n_slots && !grow_slots(r)) return false;
    size_t i = slot_of(r, s, n);
    if (!r->slot[i]) {
        rule_name *list = vec_room(r->rule, r->s->n_rules, &r->cap, 1, sizeof *list);
        if (!list) return no_memory(r);
        r->rule = list;
        *rule = syntax_add_rule(r->s);
        if (r->s->failed) return no_memory(r);
        r->rule[*rule] = (rule_name){ s, n };
        r->slot[i] = *rule + 1;
    }
    *rule = r->slot[i] - 1;
    return true;
}

/* ---- words ---------------------------------------------------------------------------------- */

static bool is_next(const reader *r, const char *word)
{
    size_t n = strlen(word);
    return (size_t)(r->end - r->at) >= n && memcmp(r->at, word, n) == 0;
}

/* White space and comments, with `lines` those that end a line too. */
static void skip_space(reader *r, bool lines)
{
    for (; r->at < r->end; r->at++) {
        if (*r->at == '#')
            while (r->at < r->end && *r->at != '\n') r->at++;
        if (r->at == r->end || (*r->at == '\n' && !lines)) return;
        if (!strchr(" \t\r\n", *r->at) || *r->at == 0) return;
    }
}

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-'
           || c == '_';
}

static size_t name_length(const reader *r)
{
    size_t n = 0;
    while (r->at + n < r->end && is_name_char(r->at[n])) n++;
    return n;
}

static bool read_number(reader *r, uint32_t *v)
{
    const char *begin = r->at;
    for (*v = 0; r->at < r->end && *r->at >= '0' && *r->at <= '9'; r->at++) {
        *v = *v * 10 + (uint32_t)(*r->at - '0');
        if (*v > SYNTAX_MAX_REPEAT)
            return fail_at(r, begin, "the number is too large (expected at most 100000)");
    }
    return r->at > begin || unexpected(r, "a number");
}

/* ---- characters ----------------------------------------------------------------------------- */

static bool read_hex(reader *r, int n_digits, uint32_t *cp)
{
    const char *begin = r->at - 2; /* of the escape */
    char digits[24];
    snprintf(digits, sizeof digits, "%d hex digits", n_digits);
    *cp = 0;
    for (int i = 0; i < n_digits; i++, r->at++) {
        if (r->at == r->end || digit_value(*r->at) >= 16) return unexpected(r, digits);
        *cp = *cp << 4 | (uint32_t)digit_value(*r->at);
    }
    if (*cp > SYNTAX_MAX_CHAR || (*cp >= 0xD800 && *cp <= 0xDFFF))
        return fail_at(r, begin, "the escape is no Unicode character");
    return true;
}

static bool read_escape(reader *r, uint32_t *cp)
{
    const char *begin = r->at++;
    char c = r->at < r->end ? *r->at++ : 0;
    switch (c) {
    case 'n': *cp = '\n'; return true;
    case 'r': *cp = '\r'; return true;
    case 't': *cp = '\t'; return true;
    case '\\':
    case '"':
    case '[':
    case ']': *cp = (uint32_t)c; return true;
    case 'x': return read_hex(r, 2, cp);
    case 'u': return read_hex(r, 4, cp);
    case 'U': return read_hex(r, 8, cp);
    default:
        return fail_at(r, begin,
                       "unknown escape (expected \\n \\r \\t \\\\ \\\" \\[ \\] \\x \\u or \\U)");
    }
}

static bool read_char(reader *r, uint32_t *cp)
{
    if (*r->at == '\\') return read_escape(r, cp);
    size_t n = utf8_decode(r->at, (size_t)(r->end - r->at), cp);
    if (*cp == UTF8_BAD) return fail_at(r, r->at, "a byte that is not UTF-8");
    r->at += n;
    return true;
}

static bool read_literal(reader *r, const expr **e)
{
    const char *begin = r->at++;
    buf b = { 0 };
    char bytes[UTF8_MAX_BYTES];
    bool ok = true;
    while (ok && r->at < r->end && *r->at != '"') {
        uint32_t cp;
        ok = read_char(r, &cp) && (buf_put(&b, bytes, utf8_encode(cp, bytes)) || no_memory(r));
    }
    if (ok && r->at == r->end) ok = fail_at(r, begin, "the \" is never closed");
    if (ok) *e = syntax_text(r->s, b.data ? b.data : "", b.len);
    r->at += ok;
    buf_free(&b);
    return ok;
}

typedef struct {
    char_range *at; /* [n] */
    size_t n, cap;
} range_list;

static bool read_range(reader *r, range_list *l)
{
    const char *begin = r->at;
    char_range *at = vec_room(l->at, l->n, &l->cap, 1, sizeof *at), c;
    if (!at) return no_memory(r);
    l->at = at;
    if (!read_char(r, &c.lo)) return false;
    c.hi = c.lo;
    if (r->end - r->at > 1 && r->at[0] == '-' && r->at[1] != ']') {
        r->at++;
        if (!read_char(r, &c.hi)) return false;
        if (c.hi < c.lo) return fail_at(r, begin, "the range ends before it begins");
    }
    l->at[l->n++] = c;
    return true;
}

static bool read_class(reader *r, const expr **e)
{
    const char *begin = r->at++;
    range_list l = { 0 };
    bool is_negated = r->at < r->end && *r->at == '^', ok = true;
    r->at += is_negated;
    while (ok && r->at < r->end && *r->at != ']') ok = read_range(r, &l);
    if (ok && r->at == r->end) ok = fail_at(r, begin, "the [ is never closed");
    if (ok && l.n == 0) ok = fail_at(r, begin, "the class has no characters");
    if (ok) *e = syntax_chars(r->s, l.at, l.n, is_negated);
    r->at += ok;
    mem_free(l.at);
    return ok;
}

/* ---- tokens --------------------------------------------------------------------------------- */

/* <[1000]> <think> !<[1000]> !<think> */
static bool read_token(reader *r, const expr **e)
{
    bool is_negated = *r->at == '!';
    r->at += is_negated;
    if (!is_next(r, "<")) return unexpected(r, "'<'");
    syntax_token x = { .text = r->at, .id = -1 };
    x.n = syntax_token_id(r->at, (size_t)(r->end - r->at), &x.id);
    if (x.n == 0 && is_next(r, "<["))
        return fail_at(r, r->at, "the token has no number, or too large a one");
    for (const char *c = r->at; x.n == 0 && c < r->end && *c != '\n'; c++)
        if (*c == '>') x.n = (size_t)(c - r->at) + 1;
    if (x.n == 0) return fail_at(r, r->at, "the < is never closed");
    if (!utf8_is_valid(x.text, x.n) || memchr(x.text, 0, x.n))
        return fail_at(r, r->at, "the token has bytes that are no text");
    *e = syntax_one_token(r->s, &x, is_negated);
    r->at += x.n;
    return r->s->n_tokens <= SYNTAX_MAX_TOKENS
           || fail_at(r, x.text, "more than 256 tokens are not supported");
}

/* ---- expressions ---------------------------------------------------------------------------- */

static bool read_alternatives(reader *r, bool is_nested, const expr **e);

static bool read_group(reader *r, const expr **e)
{
    const char *begin = r->at++;
    if (++r->depth > GBNF_MAX_DEPTH) return fail_at(r, begin, "more than 200 nested ( )");
    skip_space(r, true);
    if (!read_alternatives(r, true, e)) return false;
    r->depth--;
    if (r->at == r->end) return fail_at(r, begin, "the ( is never closed");
    if (*r->at != ')') return unexpected(r, "')' or more of the group");
    r->at++;
    return true;
}

static bool read_reference(reader *r, const expr **e)
{
    size_t n = name_length(r);
    uint32_t rule;
    if (!rule_of(r, r->at, n, &rule)) return false;
    *e = syntax_ref(r->s, rule);
    r->at += n;
    return true;
}

static bool read_item(reader *r, const expr **e)
{
    static const char_range any = { 0, SYNTAX_MAX_CHAR };
    switch (*r->at) {
    case '"': return read_literal(r, e);
    case '[': return read_class(r, e);
    case '(': return read_group(r, e);
    case '<':
    case '!': return read_token(r, e);
    case '.':
        r->at++;
        *e = syntax_chars(r->s, &any, 1, false);
        return true;
    default: return read_reference(r, e);
    }
}

static bool is_item(const reader *r)
{
    return r->at < r->end && *r->at != 0 && (strchr("\"[(.<!", *r->at) || is_name_char(*r->at));
}

static bool is_repetition(const reader *r)
{
    return r->at < r->end && *r->at != 0 && strchr("*+?{", *r->at);
}

/* {m} {m,} {,n} {m,n} */
static bool read_counts(reader *r, bool is_nested, uint32_t *min, uint32_t *max)
{
    const char *begin = r->at++;
    skip_space(r, is_nested);
    *min = 0;
    if (!is_next(r, ",") && !read_number(r, min)) return false;
    bool has_min = r->at > begin + 1;
    skip_space(r, is_nested);
    *max = *min;
    if (is_next(r, ",")) {
        r->at++;
        skip_space(r, is_nested);
        *max = SYNTAX_MANY;
        if ((!has_min || !is_next(r, "}")) && !read_number(r, max)) return false;
        skip_space(r, is_nested);
    }
    if (!is_next(r, "}")) return unexpected(r, "'}'");
    r->at++;
    return *min <= *max || fail_at(r, begin, "the repetition's least is above its most");
}

static bool read_repetitions(reader *r, bool is_nested, const expr **e)
{
    for (int n = 0; is_repetition(r); n++) {
        const char *begin = r->at;
        uint32_t min = *r->at == '+', max = *r->at == '?' ? 1 : SYNTAX_MANY;
        if (n == GBNF_MAX_TIMES) return fail_at(r, begin, "more than 8 repetitions of one item");
        if (*r->at != '{')
            r->at++;
        else if (!read_counts(r, is_nested, &min, &max))
            return false;
        *e = syntax_repeat(r->s, *e, min, max);
        skip_space(r, is_nested);
    }
    return true;
}

static bool read_sequence(reader *r, bool is_nested, const expr **e)
{
    expr_list l = { 0 };
    bool ok = true;
    if (is_repetition(r)) return fail_at(r, r->at, "there is nothing to repeat before it");
    while (ok && is_item(r)) {
        const expr *item = NULL;
        ok = read_item(r, &item);
        skip_space(r, is_nested);
        ok = ok && read_repetitions(r, is_nested, &item);
        expr_list_put(r->s, &l, item);
    }
    if (ok) *e = syntax_seq(r->s, l.item, l.n);
    mem_free(l.item);
    return ok;
}

/* Whether the rule goes on with | , perhaps on a later line. */
static bool take_bar(reader *r)
{
    const char *begin = r->at;
    skip_space(r, true);
    if (is_next(r, "|")) {
        r->at++;
        skip_space(r, true);
        return true;
    }
    r->at = begin;
    return false;
}

static bool read_alternatives(reader *r, bool is_nested, const expr **e)
{
    expr_list l = { 0 };
    bool ok;
    do {
        const expr *one = NULL;
        ok = read_sequence(r, is_nested, &one);
        expr_list_put(r->s, &l, one);
    } while (ok && take_bar(r));
    if (ok) *e = syntax_alt(r->s, l.item, l.n);
    mem_free(l.item);
    return ok;
}

static bool read_rule(reader *r)
{
    const char *begin = r->at;
    size_t n = name_length(r);
    uint32_t rule;
    const expr *e = NULL;
    if (n == 0) return unexpected(r, "the name of a rule");
    if (!rule_of(r, begin, n, &rule)) return false;
    if (r->s->rule[rule]) return fail_at(r, begin, "the rule is defined a second time");
    r->at += n;
    skip_space(r, false);
    if (!is_next(r, "::=")) return unexpected(r, "::=");
    r->at += 3;
    skip_space(r, true);
    if (!read_alternatives(r, false, &e)) return false;
    if (r->at < r->end && *r->at != '\n')
        return unexpected(r, "text, class, name, group, '|' or the end of the line");
    if (r->s->failed) return no_memory(r);
    r->s->rule[rule] = e;
    skip_space(r, true);
    return true;
}

/* Every name that is used is defined, root among them. */
static bool check_rules(reader *r)
{
    char what[160];
    bool has_root = false;
    for (uint32_t i = 0; i < r->s->n_rules; i++) {
        const rule_name *name = &r->rule[i];
        if (!r->s->rule[i]) {
            snprintf(what, sizeof what, "there is no rule '%.*s'",
                     (int)(name->n < 99 ? name->n : 99), name->s);
            return fail_at(r, name->s, what);
        }
        if (name->n != 4 || memcmp(name->s, "root", 4) != 0) continue;
        r->s->root = i;
        has_root = true;
    }
    return has_root
           || err_set(r->err, LORY_E_FORMAT, "%s: there is no rule 'root', where a text begins",
                      r->name);
}

bool gbnf_read(syntax *s, const char *text, size_t n, const char *name, lory_err *err)
{
    reader r = { .s = s, .text = text, .at = text, .end = text + n, .name = name, .err = err };
    bool ok = true;
    r.text = r.at += utf8_mark(text, n);
    if (n > GBNF_MAX_BYTES)
        return err_set(err, LORY_E_FORMAT, "%s: a grammar of %zu bytes (expected at most %d)", name,
                       n, GBNF_MAX_BYTES);
    skip_space(&r, true);
    while (ok && r.at < r.end) ok = read_rule(&r);
    ok = ok && check_rules(&r);
    mem_free(r.rule);
    mem_free(r.slot);
    return ok;
}
