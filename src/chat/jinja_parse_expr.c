/* jinja_parse_expr.c - the parser of expressions, by recursive descent with jinja2's grammar.
 * Layer: chat. */
#include "chat/jinja_parser.h"
#include <string.h>

/* ---- nodes ----------------------------------------------------------------------------- */

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

/* ---- literals -------------------------------------------------------------------------- */

static jnode *parse_constant_name(jparser *p, const jtoken *t)
{
    if (jtoken_is(t, "true") || jtoken_is(t, "True"))
        return new_const(p, t->at, jbool(true));
    if (jtoken_is(t, "false") || jtoken_is(t, "False"))
        return new_const(p, t->at, jbool(false));
    if (jtoken_is(t, "none") || jtoken_is(t, "None")) return new_const(p, t->at, jnone());
    return NULL;
}

/* One string or several side by side, which are one. */
static jnode *parse_string(jparser *p)
{
    const jtoken *first = p->token;
    size_t n = 0;
    for (; jis(p, TK_STRING); p->token++) n += p->token->n;
    if (p->token == first + 1) return new_str(p, first->at, first->s, first->n);
    char *s = jparse_alloc(p, n + 1);
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

/* ---- what follows a value -------------------------------------------------------------- */

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

/* ---- filters and tests ----------------------------------------------------------------- */

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
    jnode *negated = jnode_new(p, N_NOT, at);
    if (negated) negated->a = n;
    return negated;
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

/* ---- operators, the closest first ------------------------------------------------------ */

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

static bool is_any(const jparser *p, const jtoken_kind *kinds)
{
    while (*kinds != TK_EOF && !jis(p, *kinds)) kinds++;
    return *kinds != TK_EOF;
}

/* Operands with operators of one rank between them, from the left; ops ends with TK_EOF. */
static jnode *parse_binary(jparser *p, jnode *(*parse_operand)(jparser *), const jtoken_kind *ops)
{
    jnode *n = parse_operand(p);
    for (int run = 0; n && is_any(p, ops);) {
        const jtoken *op = jnext(p);
        n = count_run(p, &run) ? new_binary(p, op, n, parse_operand(p)) : NULL;
    }
    return n;
}

static jnode *parse_factor(jparser *p)
{
    return parse_unary(p, true);
}

static jnode *parse_pow(jparser *p)
{
    return parse_binary(p, parse_factor, (jtoken_kind[]){ TK_POW, TK_EOF });
}

static jnode *parse_product(jparser *p)
{
    return parse_binary(p, parse_pow,
                        (jtoken_kind[]){ TK_MUL, TK_DIV, TK_FLOORDIV, TK_MOD, TK_EOF });
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
    return parse_binary(p, parse_concat, (jtoken_kind[]){ TK_ADD, TK_SUB, TK_EOF });
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
    if (!jis_word(p, "not") || !jtoken_is(p->token + 1, "in")) return 0;
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

/* ---- tuples ---------------------------------------------------------------------------- */

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
