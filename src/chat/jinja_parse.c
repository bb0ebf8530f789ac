/* jinja_parse.c - see jinja_parse.h. Recursive descent with jinja2's grammar: expressions here,
 * tags in jinja_tags.c. */
#include "chat/jinja_parse.h"
#include "chat/jinja_parser.h"
#include "text/utf8.h"
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

static bool is_word_token(const jtoken *t, const char *word)
{
    return t->kind == TK_NAME && t->n == strlen(word) && memcmp(t->s, word, t->n) == 0;
}

bool jis_word(const jparser *p, const char *word)
{
    return is_word_token(p->token, word);
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

/* Zeroed. */
static void *alloc(jparser *p, size_t size)
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
    jnode *n = alloc(p, sizeof *n);
    if (!n) return NULL;
    n->kind = kind;
    n->escapes = p->escapes;
    n->at = (uint32_t)at;
    p->t->n_nodes++;
    return n;
}

const jstr *jtoken_str(jparser *p, const char *s, size_t n)
{
    jstr *str = alloc(p, sizeof *str);
    if (!str) return NULL;
    *str = (jstr){ .s = s, .n = n, .is_ascii = utf8_count(s, n) == n };
    return str;
}

static jnode *new_const(jparser *p, size_t at, jval value)
{
    jnode *n = jnode_new(p, N_CONST, at);
    if (n) n->value = value;
    return n;
}

static jnode *new_str(jparser *p, size_t at, const char *s, size_t n)
{
    const jstr *str = jtoken_str(p, s, n);
    return str ? new_const(p, at, jstr_value(str)) : NULL;
}

static jnode *new_name(jparser *p, const jtoken *t)
{
    jnode *n = jnode_new(p, N_NAME, t->at);
    return n && (n->name = jtoken_str(p, t->s, t->n)) ? n : NULL;
}

/* kind(a, b); NULL when one of them is. */
static jnode *new_with(jparser *p, jnode_kind kind, size_t at, jnode *a, jnode *b)
{
    jnode *n = a && b ? jnode_new(p, kind, at) : NULL;
    if (!n) return NULL;
    n->a = a;
    n->b = b;
    return n;
}

/* ---- expressions ------------------------------------------------------------------------- */

static jnode *parse_unary(jparser *p, bool with_filter);
static jnode *parse_or(jparser *p);

static bool enter(jparser *p)
{
    if (p->depth >= JPARSE_MAX_DEPTH) {
        jfail_parse(p, p->token->at, "nested too deeply");
        return false;
    }
    p->depth++;
    return true;
}

/* A run of operators of one rank makes a tree as deep as it is long. */
static bool count_run(jparser *p, int *n)
{
    if (++*n <= JPARSE_MAX_RUN) return true;
    jfail_parse(p, p->token->at, "too many operators in a row");
    return false;
}

static jnode *parse_constant_name(jparser *p, const jtoken *t)
{
    if (is_word_token(t, "true") || is_word_token(t, "True"))
        return new_const(p, t->at, jbool(true));
    if (is_word_token(t, "false") || is_word_token(t, "False"))
        return new_const(p, t->at, jbool(false));
    if (is_word_token(t, "none") || is_word_token(t, "None")) return new_const(p, t->at, jnone());
    return NULL;
}

/* One string or several side by side, which are one. */
static jnode *parse_string(jparser *p)
{
    const jtoken *first = p->token;
    size_t n = 0;
    for (; jis(p, TK_STRING); p->token++) n += p->token->n;
    if (p->token == first + 1) return new_str(p, first->at, first->s, first->n);
    char *s = alloc(p, n + 1);
    if (!s) return NULL;
    size_t at = 0;
    for (const jtoken *t = first; t < p->token; t++) {
        memcpy(s + at, t->s, t->n);
        at += t->n;
    }
    return new_str(p, first->at, s, n);
}

static jnode *parse_number(jparser *p)
{
    const jtoken *t = jnext(p);
    if (t->kind == TK_INT) return new_const(p, t->at, jint(t->i));
    if (t->kind == TK_FLOAT) return new_const(p, t->at, jfloat(t->f));
    jnode *n = new_str(p, t->at, t->s, t->n);
    if (n) n->value.type = J_BIG;
    return n;
}

/* Expressions between commas, up to `close`; the bracket before is taken already. */
static bool parse_items(jparser *p, jtoken_kind close, jnode **list)
{
    jnode **end = list;
    while (!jis(p, close)) {
        if (*list && !jexpect(p, TK_COMMA)) return false;
        if (jis(p, close)) break;
        if (!(*end = jparse_expression(p))) return false;
        end = &(*end)->next;
    }
    return jexpect(p, close);
}

static jnode *parse_list(jparser *p)
{
    const jtoken *t = jnext(p);
    jnode *n = jnode_new(p, N_LIST, t->at);
    return n && parse_items(p, TK_RBRACKET, &n->list) ? n : NULL;
}

static jnode *parse_dict(jparser *p)
{
    const jtoken *t = jnext(p);
    jnode *n = jnode_new(p, N_DICT, t->at);
    if (!n) return NULL;
    for (jnode **end = &n->list; !jis(p, TK_RBRACE); end = &(*end)->next) {
        if (n->list && !jexpect(p, TK_COMMA)) return NULL;
        if (jis(p, TK_RBRACE)) break;
        jnode *key = jparse_expression(p);
        jnode *value = key && jexpect(p, TK_COLON) ? jparse_expression(p) : NULL;
        if (!(*end = new_with(p, N_PAIR, key ? key->at : 0, key, value))) return NULL;
    }
    return jexpect(p, TK_RBRACE) ? n : NULL;
}

static jnode *parse_parenthesis(jparser *p)
{
    jnext(p);
    jnode *n = jparse_tuple(p, JTUPLE_PARENS);
    return n && jexpect(p, TK_RPAREN) ? n : NULL;
}

/* with_namespace: `ns.name` is a target of its own kind. */
static jnode *parse_primary(jparser *p, bool with_namespace)
{
    const jtoken *t = p->token;
    switch (t->kind) {
    case TK_NAME: break;
    case TK_STRING: return parse_string(p);
    case TK_INT:
    case TK_BIG:
    case TK_FLOAT: return parse_number(p);
    case TK_LPAREN: return parse_parenthesis(p);
    case TK_LBRACKET: return parse_list(p);
    case TK_LBRACE: return parse_dict(p);
    default: return jfail_unexpected(p, "an expression");
    }
    jnext(p);
    jnode *n = parse_constant_name(p, t);
    if (n || !(n = new_name(p, t)) || !with_namespace || !jskip(p, TK_DOT)) return n;
    const jtoken *attr = jexpect(p, TK_NAME);
    const jstr *s = attr ? jtoken_str(p, attr->s, attr->n) : NULL;
    if (!s) return NULL;
    n->kind = N_NSREF;
    n->value = jstr_value(s);
    return n;
}

/* What stands between the brackets of a subscript: an expression or a slice. */
static jnode *parse_subscribed(jparser *p)
{
    size_t at = p->token->at;
    jnode *start = NULL;
    if (!jis(p, TK_COLON)) {
        start = jparse_expression(p);
        if (!start || !jis(p, TK_COLON)) return start;
    }
    jnode *n = jnode_new(p, N_SLICE, at);
    if (!n) return NULL;
    n->a = start;
    jnext(p);
    bool is_end = jis(p, TK_RBRACKET) || jis(p, TK_COMMA);
    if (!is_end && !jis(p, TK_COLON) && !(n->b = jparse_expression(p))) return NULL;
    if (!jskip(p, TK_COLON)) return n;
    is_end = jis(p, TK_RBRACKET) || jis(p, TK_COMMA);
    return is_end || (n->c = jparse_expression(p)) ? n : NULL;
}

/* a[...]: several subscripts make a tuple, as does none. */
static jnode *parse_item(jparser *p, jnode *a)
{
    size_t at = jnext(p)->at;
    jnode *list = NULL, **end = &list;
    for (; !jis(p, TK_RBRACKET); end = &(*end)->next) {
        if (list && !jexpect(p, TK_COMMA)) return NULL;
        if (!(*end = parse_subscribed(p))) return NULL;
    }
    jnext(p);
    jnode *arg = list;
    if (!list || list->next) {
        if (!(arg = jnode_new(p, N_TUPLE, at))) return NULL;
        arg->list = list;
        for (jnode *i = list; i; i = i->next)
            if (i->kind == N_SLICE) return jfail_parse(p, i->at, "a slice among subscripts");
    }
    return new_with(p, N_GETITEM, at, a, arg);
}

static jnode *parse_attribute(jparser *p, jnode *a)
{
    size_t at = jnext(p)->at;
    const jtoken *t = jnext(p);
    if (t->kind == TK_INT) return new_with(p, N_GETITEM, at, a, new_const(p, t->at, jint(t->i)));
    if (t->kind != TK_NAME) {
        p->token = t;
        return jfail_unexpected(p, "a name or number");
    }
    jnode *n = jnode_new(p, N_GETATTR, at);
    const jstr *name = n ? jtoken_str(p, t->s, t->n) : NULL;
    if (!name) return NULL;
    n->a = a;
    n->value = jstr_value(name);
    return n;
}

/* What arguments there were already: bits. */
enum { SEEN_KEYWORD = 1, SEEN_STAR = 2, SEEN_STAR_STAR = 4 };

/* Whether an argument of this kind may still come. */
static bool in_order(jparser *p, size_t at, jnode_kind kind, int *seen)
{
    int before = *seen;
    bool ok = before == 0; /* a positional one */
    if (kind == N_KEYWORD) ok = !(before & SEEN_STAR_STAR), *seen |= SEEN_KEYWORD;
    if (kind == N_STAR) ok = !(before & (SEEN_STAR | SEEN_STAR_STAR)), *seen |= SEEN_STAR;
    if (kind == N_STAR_STAR) ok = !(before & SEEN_STAR_STAR), *seen |= SEEN_STAR_STAR;
    if (!ok) jfail_parse(p, at, "invalid syntax for function call expression");
    return ok;
}

static jnode *parse_argument(jparser *p, int *seen)
{
    size_t at = p->token->at;
    jnode_kind kind = N_CONST;
    const jtoken *name = NULL;
    if (jskip(p, TK_MUL))
        kind = N_STAR;
    else if (jskip(p, TK_POW))
        kind = N_STAR_STAR;
    else if (jis(p, TK_NAME) && p->token[1].kind == TK_ASSIGN) {
        kind = N_KEYWORD;
        name = jnext(p);
        jnext(p);
    }
    if (!in_order(p, at, kind, seen)) return NULL;
    jnode *value = jparse_expression(p);
    if (!value || kind == N_CONST) return value;
    jnode *n = jnode_new(p, kind, at);
    if (!n || (name && !(n->name = jtoken_str(p, name->s, name->n)))) return NULL;
    n->a = value;
    return n;
}

static bool parse_arguments(jparser *p, jnode **list)
{
    int seen = 0;
    jnext(p);
    for (jnode **end = list; !jis(p, TK_RPAREN); end = &(*end)->next) {
        if (*list && !jexpect(p, TK_COMMA)) return false;
        if (jis(p, TK_RPAREN)) break;
        if (!(*end = parse_argument(p, &seen))) return false;
    }
    return jexpect(p, TK_RPAREN);
}

static jnode *parse_call(jparser *p, jnode *a)
{
    jnode *n = jnode_new(p, N_CALL, p->token->at);
    if (!n || !parse_arguments(p, &n->args)) return NULL;
    n->a = a;
    return n;
}

static jnode *parse_postfix(jparser *p, jnode *n)
{
    for (int run = 0; n && count_run(p, &run);) {
        if (jis(p, TK_DOT))
            n = parse_attribute(p, n);
        else if (jis(p, TK_LBRACKET))
            n = parse_item(p, n);
        else if (jis(p, TK_LPAREN))
            n = parse_call(p, n);
        else
            return n;
    }
    return NULL;
}

/* A dotted name, as filters and tests may have. */
static const jstr *parse_dotted(jparser *p)
{
    const jtoken *first = jexpect(p, TK_NAME), *last = first;
    while (last && jskip(p, TK_DOT)) last = jexpect(p, TK_NAME);
    if (!last) return NULL;
    return jtoken_str(p, first->s, (size_t)(last->s + last->n - first->s));
}

/* name(args) behind a bar; a: what it is applied to. */
static jnode *parse_filter(jparser *p, jnode *a)
{
    jnode *n = jnode_new(p, N_FILTER, p->token->at);
    if (!n || !(n->name = parse_dotted(p))) return NULL;
    n->a = a;
    return !jis(p, TK_LPAREN) || parse_arguments(p, &n->args) ? n : NULL;
}

jnode *jparse_filters(jparser *p, bool starts_here)
{
    jnode *n = NULL;
    if (starts_here && !(n = parse_filter(p, NULL))) return NULL;
    for (int run = 0; jskip(p, TK_PIPE);)
        if (!count_run(p, &run) || !(n = parse_filter(p, n))) return NULL;
    return n;
}

/* Whether what follows a test's name without brackets is its argument. */
static bool begins_test_argument(const jparser *p)
{
    switch (p->token->kind) {
    case TK_STRING:
    case TK_INT:
    case TK_BIG:
    case TK_FLOAT:
    case TK_LBRACKET:
    case TK_LBRACE: return true;
    case TK_NAME: return !jis_word(p, "else") && !jis_word(p, "or") && !jis_word(p, "and");
    default: return false;
    }
}

static jnode *parse_test(jparser *p, jnode *a)
{
    size_t at = jnext(p)->at;
    bool is_negated = jskip_word(p, "not");
    jnode *n = jnode_new(p, N_TEST, at);
    if (!n || !(n->name = parse_dotted(p))) return NULL;
    n->a = a;
    if (jis(p, TK_LPAREN)) {
        if (!parse_arguments(p, &n->args)) return NULL;
    } else if (begins_test_argument(p)) {
        if (jis_word(p, "is"))
            return jfail_parse(p, p->token->at, "You cannot chain multiple tests with is");
        jnode *arg = parse_primary(p, false);
        if (!arg || !(n->args = parse_postfix(p, arg))) return NULL;
    }
    if (!is_negated) return n;
    jnode *not = jnode_new(p, N_NOT, at);
    if (not ) not ->a = n;
    return not ;
}

static jnode *parse_filters_and_tests(jparser *p, jnode *n)
{
    for (int run = 0; n && count_run(p, &run);) {
        if (jskip(p, TK_PIPE))
            n = parse_filter(p, n);
        else if (jis_word(p, "is"))
            n = parse_test(p, n);
        else if (jis(p, TK_LPAREN))
            n = parse_call(p, n);
        else
            return n;
    }
    return NULL;
}

static jnode *parse_sign(jparser *p)
{
    const jtoken *t = jnext(p);
    jnode *n = jnode_new(p, t->kind == TK_SUB ? N_NEG : N_POS, t->at);
    if (!n || !enter(p)) return NULL;
    n->a = parse_unary(p, false);
    p->depth--;
    return n->a ? n : NULL;
}

static jnode *parse_unary(jparser *p, bool with_filter)
{
    bool has_sign = jis(p, TK_SUB) || jis(p, TK_ADD);
    jnode *n = has_sign ? parse_sign(p) : parse_primary(p, false);
    if (n) n = parse_postfix(p, n);
    return n && with_filter ? parse_filters_and_tests(p, n) : n;
}

static jnode *new_binary(jparser *p, const jtoken *op, jnode *a, jnode *b)
{
    jnode *n = new_with(p, N_BINARY, op->at, a, b);
    if (n) n->op = (int)op->kind;
    return n;
}

static jnode *parse_pow(jparser *p)
{
    jnode *n = parse_unary(p, true);
    for (int run = 0; n && jis(p, TK_POW);) {
        const jtoken *op = jnext(p);
        n = count_run(p, &run) ? new_binary(p, op, n, parse_unary(p, true)) : NULL;
    }
    return n;
}

static jnode *parse_product(jparser *p)
{
    jnode *n = parse_pow(p);
    for (int run = 0;
         n && (jis(p, TK_MUL) || jis(p, TK_DIV) || jis(p, TK_FLOORDIV) || jis(p, TK_MOD));) {
        const jtoken *op = jnext(p);
        n = count_run(p, &run) ? new_binary(p, op, n, parse_pow(p)) : NULL;
    }
    return n;
}

static jnode *parse_concat(jparser *p)
{
    size_t at = p->token->at;
    jnode *first = parse_product(p), *n;
    if (!first || !jis(p, TK_TILDE)) return first;
    if (!(n = jnode_new(p, N_CONCAT, at))) return NULL;
    n->list = first;
    for (jnode *last = first; jskip(p, TK_TILDE); last = last->next)
        if (!(last->next = parse_product(p))) return NULL;
    return n;
}

static jnode *parse_sum(jparser *p)
{
    jnode *n = parse_concat(p);
    for (int run = 0; n && (jis(p, TK_ADD) || jis(p, TK_SUB));) {
        const jtoken *op = jnext(p);
        n = count_run(p, &run) ? new_binary(p, op, n, parse_concat(p)) : NULL;
    }
    return n;
}

/* The comparison that stands here, taken; 0 = none. */
static int take_comparison(jparser *p)
{
    jtoken_kind kind = p->token->kind;
    if (kind >= TK_EQ && kind <= TK_LE) {
        jnext(p);
        return (int)kind;
    }
    if (jskip_word(p, "in")) return OP_IN;
    if (!jis_word(p, "not") || !is_word_token(p->token + 1, "in")) return 0;
    jnext(p);
    jnext(p);
    return OP_NOT_IN;
}

static jnode *parse_compare(jparser *p)
{
    size_t at = p->token->at;
    jnode *first = parse_sum(p), *n = NULL, **end = NULL;
    for (int op; first && (at = p->token->at, op = take_comparison(p)) != 0; end = &(*end)->next) {
        if (!n) {
            if (!(n = jnode_new(p, N_COMPARE, at))) return NULL;
            n->a = first;
            end = &n->list;
        }
        if (!(*end = jnode_new(p, N_OPERAND, at)) || !((*end)->a = parse_sum(p))) return NULL;
        (*end)->op = op;
    }
    return n ? n : first;
}

static jnode *parse_not(jparser *p)
{
    if (!jis_word(p, "not")) return parse_compare(p);
    jnode *n = jnode_new(p, N_NOT, jnext(p)->at);
    if (!n || !enter(p)) return NULL;
    n->a = parse_not(p);
    p->depth--;
    return n->a ? n : NULL;
}

static jnode *parse_and(jparser *p)
{
    jnode *n = parse_not(p);
    for (int run = 0; n && jis_word(p, "and");) {
        size_t at = jnext(p)->at;
        n = count_run(p, &run) ? new_with(p, N_AND, at, n, parse_not(p)) : NULL;
    }
    return n;
}

static jnode *parse_or(jparser *p)
{
    jnode *n = parse_and(p);
    for (int run = 0; n && jis_word(p, "or");) {
        size_t at = jnext(p)->at;
        n = count_run(p, &run) ? new_with(p, N_OR, at, n, parse_and(p)) : NULL;
    }
    return n;
}

static jnode *parse_condition(jparser *p)
{
    jnode *n = parse_or(p);
    for (int run = 0; n && jis_word(p, "if");) {
        size_t at = jnext(p)->at;
        n = count_run(p, &run) ? new_with(p, N_COND, at, n, parse_or(p)) : NULL;
        if (n && jskip_word(p, "else") && !(n->c = jparse_expression(p))) return NULL;
    }
    return n;
}

jnode *jparse_expression(jparser *p)
{
    if (!enter(p)) return NULL;
    jnode *n = parse_condition(p);
    p->depth--;
    return n;
}

static bool is_tuple_end(const jparser *p, jtuple_mode mode)
{
    if (jis(p, TK_VAR_END) || jis(p, TK_BLOCK_END) || jis(p, TK_RPAREN)) return true;
    return (mode == JTUPLE_FOR_TARGET && jis_word(p, "in"))
           || (mode == JTUPLE_FOR_ITER && jis_word(p, "recursive"));
}

static jnode *parse_tuple_item(jparser *p, jtuple_mode mode)
{
    if (mode == JTUPLE_FOR_TARGET) return parse_primary(p, false);
    if (mode == JTUPLE_SET_TARGET) return parse_primary(p, true);
    if (mode == JTUPLE_PLAIN || mode == JTUPLE_PARENS) return jparse_expression(p);
    return parse_or(p);
}

static jnode *parse_tuple(jparser *p, jtuple_mode mode)
{
    size_t at = p->token->at;
    jnode *list = NULL, **end = &list;
    bool is_tuple = false;
    for (; !is_tuple_end(p, mode); end = &(*end)->next) {
        if (!(*end = parse_tuple_item(p, mode))) return NULL;
        if (!jskip(p, TK_COMMA)) break;
        is_tuple = true;
    }
    if (!is_tuple && list) return list;
    if (!is_tuple && mode != JTUPLE_PARENS) return jfail_unexpected(p, "an expression");
    jnode *n = jnode_new(p, N_TUPLE, at);
    if (n) n->list = list;
    return n;
}

jnode *jparse_tuple(jparser *p, jtuple_mode mode)
{
    if (!enter(p)) return NULL;
    jnode *n = parse_tuple(p, mode);
    p->depth--;
    return n;
}

/* ---- templates --------------------------------------------------------------------------- */

/* Line ends become \n, and the last one goes. */
static void normalize(jinja *t, const char *text, size_t n)
{
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        bool is_cr = text[i] == '\r';
        t->source[at++] = is_cr ? '\n' : text[i];
        if (is_cr && i + 1 < n && text[i + 1] == '\n') i++;
    }
    if (at > 0 && t->source[at - 1] == '\n') at--;
    t->n_source = at;
}

static bool parse(jinja *t, lory_err *err)
{
    jlexer lx = {
        .s = t->source, .n = t->n_source, .name = t->name, .arena = &t->arena, .err = err
    };
    if (!jinja_lex(&lx)) return false;
    jparser p = { .t = t, .token = lx.token, .err = err };
    t->body = jparse_body(&p, NULL);
    return !p.has_failed && jinja_bind(t, err);
}

jinja *jinja_parse(const char *text, size_t n, const char *name, lory_err *err)
{
    if (n > JINJA_MAX_BYTES || !utf8_is_valid(text, n)) {
        err_set(err, LORY_E_FORMAT, "%s: %s", name,
                n > JINJA_MAX_BYTES ? "the template is too large" : "the template is not UTF-8");
        return NULL;
    }
    jinja *t = mem_new(1, sizeof *t);
    if (t && (t->source = arena_new(&t->arena, n + 1, 1))
        && (t->name = arena_strndup(&t->arena, name, strlen(name)))) {
        normalize(t, text, n);
        if (parse(t, err)) return t;
    } else {
        err_set(err, LORY_E_MEMORY, "%s: no memory to read it", name);
    }
    jinja_free(t);
    return NULL;
}

void jinja_free(jinja *t)
{
    if (t) arena_free(&t->arena);
    mem_free(t);
}
