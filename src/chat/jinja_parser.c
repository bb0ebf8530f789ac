/* jinja_parser.c - see jinja_parser.h: going through the tokens, and new nodes.
 * Layer: chat. */
#include "chat/jinja_parser.h"
#include "base/utf8.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- tokens ------------------------------------------------------------------------------ */

void *jfail_parse(jparser *p, size_t at, const char *fmt, ...)
{
    char what[LORY_ERR_MAX];
    size_t line, column;
    va_list ap;
    if (p->has_failed) return NULL; /* the first error is the one to tell */
    p->has_failed = true;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    jinja_place(p->t, at, &line, &column);
    err_set(p->err, LORY_E_FORMAT, "%s: line %zu, column %zu: %s", p->t->name, line, column, what);
    return NULL;
}

bool jis(const jparser *p, jtoken_kind kind)
{
    return p->token->kind == kind;
}

bool jtoken_is(const jtoken *t, const char *word)
{
    return t->kind == TK_NAME && t->n == strlen(word) && memcmp(t->s, word, t->n) == 0;
}

bool jis_word(const jparser *p, const char *word)
{
    return jtoken_is(p->token, word);
}

const jtoken *jnext(jparser *p)
{
    const jtoken *t = p->token;
    if (t->kind != TK_EOF) p->token++;
    return t;
}

bool jskip(jparser *p, jtoken_kind kind)
{
    if (!jis(p, kind)) return false;
    p->token++;
    return true;
}

bool jskip_word(jparser *p, const char *word)
{
    if (!jis_word(p, word)) return false;
    p->token++;
    return true;
}

static const char *kind_name(jtoken_kind kind)
{
    static const char *const names[] = {
        [TK_EOF] = "the end of the template",
        [TK_DATA] = "text",
        [TK_VAR_BEGIN] = "'{{'",
        [TK_VAR_END] = "'}}'",
        [TK_BLOCK_BEGIN] = "'{%'",
        [TK_BLOCK_END] = "'%}'",
        [TK_NAME] = "a name",
        [TK_STRING] = "a string",
        [TK_INT] = "an integer",
        [TK_BIG] = "an integer",
        [TK_FLOAT] = "a number",
        [TK_RBRACKET] = "']'",
        [TK_LPAREN] = "'('",
        [TK_RPAREN] = "')'",
        [TK_RBRACE] = "'}'",
        [TK_ASSIGN] = "'='",
        [TK_COLON] = "':'",
        [TK_COMMA] = "','",
    };
    size_t n = sizeof names / sizeof names[0];
    return (size_t)kind < n && names[kind] ? names[kind] : "an operator";
}

void *jfail_unexpected(jparser *p, const char *wanted)
{
    const jtoken *t = p->token;
    if (t->kind < TK_NAME)
        return jfail_parse(p, t->at, "unexpected %s, expected %s", kind_name(t->kind), wanted);
    int n = jshown(t->s, t->n);
    if (t->kind == TK_STRING || t->kind == TK_FLOAT || n == 0)
        return jfail_parse(p, t->at, "unexpected %s, expected %s", kind_name(t->kind), wanted);
    return jfail_parse(p, t->at, "unexpected '%.*s', expected %s", n, t->s, wanted);
}

const jtoken *jexpect(jparser *p, jtoken_kind kind)
{
    if (jis(p, kind)) return jnext(p);
    return jfail_unexpected(p, kind_name(kind));
}

/* ---- nodes ------------------------------------------------------------------------------- */

void *jparse_alloc(jparser *p, size_t size)
{
    void *a = arena_new(&p->t->arena, 1, size);
    if (!a && !p->has_failed) {
        p->has_failed = true;
        err_set(p->err, LORY_E_MEMORY, "%s: no memory to read it", p->t->name);
    }
    return a;
}

jnode *jnode_new(jparser *p, jnode_kind kind, size_t at)
{
    jnode *n = jparse_alloc(p, sizeof *n);
    if (!n) return NULL;
    n->kind = kind;
    n->escapes = p->escapes;
    n->at = (uint32_t)at;
    p->t->n_nodes++;
    return n;
}

const jstr *jtoken_str(jparser *p, const char *s, size_t n)
{
    jstr *str = jparse_alloc(p, sizeof *str);
    if (!str) return NULL;
    *str = (jstr){ .s = s, .n = n, .is_ascii = utf8_count(s, n) == n };
    return str;
}
