/* jinja_tags.c - the parser of templates: text, {{ expressions }} and {% tags %}.
 * Layer: chat. */
#include "chat/jinja_parser.h"
#include <string.h>

typedef struct {
    const char *tag;
    jnode *(*parse)(jparser *p, size_t at);
} tag_row;

static jnode *parse_tag(jparser *p);

/* ---- bodies ------------------------------------------------------------------------------ */

static bool is_one_of(const jparser *p, const char *const *words)
{
    for (; words && *words; words++)
        if (jis_word(p, *words)) return true;
    return false;
}

static jnode *parse_print(jparser *p)
{
    jnode *n = jnode_new(p, N_PRINT, jnext(p)->at);
    return n && (n->a = jparse_tuple(p, JTUPLE_PLAIN)) && jexpect(p, TK_VAR_END) ? n : NULL;
}

static jnode *parse_data(jparser *p)
{
    const jtoken *t = jnext(p);
    jnode *n = jnode_new(p, N_DATA, t->at);
    const jstr *s = n ? jtoken_str(p, t->s, t->n) : NULL;
    if (!s) return NULL;
    n->value = jstr_value(s);
    return n;
}

jnode *jparse_body(jparser *p, const char *const *words)
{
    jnode *list = NULL, **end = &list;
    while (!p->has_failed) {
        if (jis(p, TK_EOF)) {
            if (words)
                jfail_parse(p, p->token->at,
                            "the template ends inside a block that "
                            "waits for {%% %s %%}",
                            words[0]);
            break;
        }
        if (jskip(p, TK_BLOCK_BEGIN)) {
            if (is_one_of(p, words)) break;
            *end = parse_tag(p);
            if (!*end || !jexpect(p, TK_BLOCK_END)) return NULL;
        } else {
            *end = jis(p, TK_DATA) ? parse_data(p) : parse_print(p);
        }
        while (*end) end = &(*end)->next;
    }
    return p->has_failed ? NULL : list;
}

/* The rest of a tag, and the body behind it up to one of the words. */
static bool parse_block(jparser *p, const char *const *words, jnode **list)
{
    jskip(p, TK_COLON);
    if (!jexpect(p, TK_BLOCK_END)) return false;
    if (p->depth >= JPARSE_MAX_DEPTH) return jfail_parse(p, p->token->at, "nested too deeply");
    p->depth++;
    *list = jparse_body(p, words);
    p->depth--;
    return !p->has_failed;
}

/* The same when only one word can end it; takes the word. */
static bool parse_block_to(jparser *p, const char *word, jnode **list)
{
    const char *const words[] = { word, NULL };
    if (!parse_block(p, words, list)) return false;
    jnext(p);
    return true;
}

/* The body of a function: breaks inside do not reach the loops around. */
static bool parse_function_to(jparser *p, const char *word, jnode **list)
{
    int n_loops = p->n_loops;
    p->n_loops = 0;
    bool ok = parse_block_to(p, word, list);
    p->n_loops = n_loops;
    return ok;
}

/* ---- targets of assignments -------------------------------------------------------------- */

/* Marks the names as stored to; false when n can't be assigned to. */
static bool mark_target(jparser *p, jnode *n)
{
    if (!n) return false;
    if (n->kind == N_NSREF) return true;
    if (n->kind == N_NAME) return n->flag = true;
    if (n->kind != N_TUPLE) return jfail_parse(p, n->at, "this can't be assigned to");
    for (jnode *i = n->list; i; i = i->next)
        if (!mark_target(p, i)) return false;
    return true;
}

static jnode *parse_target(jparser *p, jtuple_mode mode)
{
    jnode *n = jparse_tuple(p, mode);
    return mark_target(p, n) ? n : NULL;
}

/* (a, b=1): parameters with their defaults as a. */
static bool parse_parameters(jparser *p, jnode **list)
{
    bool has_default = false;
    if (!jexpect(p, TK_LPAREN)) return false;
    for (jnode **end = list; !jis(p, TK_RPAREN); end = &(*end)->next) {
        if (*list && !jexpect(p, TK_COMMA)) return false;
        const jtoken *t = jexpect(p, TK_NAME);
        jnode *n = t ? jnode_new(p, N_NAME, t->at) : NULL;
        if (!n || !(n->name = jtoken_str(p, t->s, t->n))) return false;
        n->flag = true;
        for (const jnode *m = *list; m; m = m->next)
            if (m->name->n == n->name->n && memcmp(m->name->s, n->name->s, n->name->n) == 0)
                return jfail_parse(p, t->at, "duplicate argument '%.*s' in function definition",
                                   (int)t->n, t->s);
        if (jskip(p, TK_ASSIGN)) {
            if (!(n->a = jparse_expression(p))) return false;
            has_default = true;
        } else if (has_default) {
            return jfail_parse(p, t->at, "non-default argument follows default argument");
        }
        *end = n;
    }
    return jexpect(p, TK_RPAREN);
}

/* ---- tags -------------------------------------------------------------------------------- */

static bool parse_loop(jparser *p, jnode *n)
{
    static const char *const ends[] = { "endfor", "else", NULL };
    int n_loops = p->n_loops;
    p->n_loops = n->flag ? 1 : n_loops + 1; /* a recursive loop is a function */
    bool ok = parse_block(p, ends, &n->list);
    p->n_loops = n->flag ? 0 : n_loops;
    if (ok && jskip_word(p, "else"))
        ok = parse_block_to(p, "endfor", &n->args);
    else if (ok)
        jnext(p);
    p->n_loops = n_loops;
    return ok;
}

static jnode *parse_for(jparser *p, size_t at)
{
    jnode *n = jnode_new(p, N_FOR, at);
    if (!n || !(n->a = parse_target(p, JTUPLE_FOR_TARGET))) return NULL;
    if (!jskip_word(p, "in")) return jfail_unexpected(p, "'in'");
    if (!(n->b = jparse_tuple(p, JTUPLE_FOR_ITER))) return NULL;
    if (jskip_word(p, "if") && !(n->c = jparse_expression(p))) return NULL;
    n->flag = jskip_word(p, "recursive");
    return parse_loop(p, n) ? n : NULL;
}

static jnode *parse_if(jparser *p, size_t at)
{
    static const char *const ends[] = { "elif", "else", "endif", NULL };
    jnode *n = jnode_new(p, N_IF, at), *branch = n;
    for (jnode **elif = n ? &n->b : NULL; branch; elif = &(*elif)->next) {
        if (!(branch->a = jparse_tuple(p, JTUPLE_IF)) || !parse_block(p, ends, &branch->list))
            return NULL;
        if (!jskip_word(p, "elif")) break;
        branch = *elif = jnode_new(p, N_IF, p->token->at);
    }
    if (!branch) return NULL;
    if (!jskip_word(p, "else")) {
        jnext(p);
        return n;
    }
    return parse_block_to(p, "endif", &n->args) ? n : NULL;
}

static jnode *parse_set(jparser *p, size_t at)
{
    jnode *n = jnode_new(p, N_SET, at);
    if (!n || !(n->a = parse_target(p, JTUPLE_SET_TARGET))) return NULL;
    if (jskip(p, TK_ASSIGN)) return (n->b = jparse_tuple(p, JTUPLE_PLAIN)) ? n : NULL;
    n->kind = N_SET_BLOCK;
    n->b = jparse_filters(p, false);
    return !p->has_failed && parse_block_to(p, "endset", &n->list) ? n : NULL;
}

static jnode *parse_macro(jparser *p, size_t at)
{
    jnode *n = jnode_new(p, N_MACRO, at);
    const jtoken *t = n ? jexpect(p, TK_NAME) : NULL;
    if (!t || !(n->name = jtoken_str(p, t->s, t->n)) || !parse_parameters(p, &n->args)) return NULL;
    return parse_function_to(p, "endmacro", &n->list) ? n : NULL;
}

static jnode *parse_call_block(jparser *p, size_t at)
{
    jnode *n = jnode_new(p, N_CALL_BLOCK, at);
    if (!n || (jis(p, TK_LPAREN) && !parse_parameters(p, &n->args))) return NULL;
    if (!(n->a = jparse_expression(p))) return NULL;
    if (n->a->kind != N_CALL) return jfail_parse(p, n->a->at, "expected call");
    return parse_function_to(p, "endcall", &n->list) ? n : NULL;
}

/* Marks what the model said, for training: its body is rendered as it is. */
static jnode *parse_generation(jparser *p, size_t at)
{
    jnode *n = jnode_new(p, N_CALL_BLOCK, at);
    return n && parse_function_to(p, "endgeneration", &n->list) ? n : NULL;
}

static jnode *parse_filter_block(jparser *p, size_t at)
{
    jnode *n = jnode_new(p, N_FILTER_BLOCK, at);
    if (!n || !(n->a = jparse_filters(p, true))) return NULL;
    return parse_block_to(p, "endfilter", &n->list) ? n : NULL;
}

static jnode *parse_with(jparser *p, size_t at)
{
    jnode *n = jnode_new(p, N_WITH, at);
    if (!n) return NULL;
    for (jnode **end = &n->args; !jis(p, TK_BLOCK_END); end = &(*end)->next) {
        if (n->args && !jexpect(p, TK_COMMA)) return NULL;
        jnode *pair = jnode_new(p, N_PAIR, p->token->at);
        if (!pair || !(pair->a = parse_target(p, JTUPLE_FOR_TARGET)) || !jexpect(p, TK_ASSIGN)
            || !(pair->b = jparse_expression(p)))
            return NULL;
        *end = pair;
    }
    return parse_block_to(p, "endwith", &n->list) ? n : NULL;
}

/* The engine never reads another template. */
static jnode *parse_refused(jparser *p, size_t at)
{
    jnode *n = jnode_new(p, N_REFUSED, at);
    while (!jis(p, TK_BLOCK_END) && !jis(p, TK_EOF)) jnext(p);
    if (n) n->value.p = "no other template can be read from here";
    return n;
}

static jnode *parse_autoescape(jparser *p, size_t at)
{
    bool was = p->escapes;
    jnode *mode = jparse_expression(p), *n = mode ? jnode_new(p, N_AUTOESCAPE, at) : NULL;
    bool is_known = mode && mode->kind == N_CONST && mode->value.type == J_BOOL;
    if (!n) return NULL;
    n->flag = p->escapes = is_known && mode->value.b;
    bool ok = parse_block_to(p, "endautoescape", &n->list);
    p->escapes = was;
    if (ok && is_known) return n;
    n->kind = N_REFUSED;
    n->value.p = "autoescape is not supported but with true or false";
    return ok ? n : NULL;
}

/* A block that a template which extends this one has to give: there is none. */
static bool be_required(jparser *p, jnode *n)
{
    for (const jnode *i = n->list; i; i = i->next) {
        bool is_blank = i->kind == N_DATA;
        for (size_t k = 0; is_blank && k < i->value.s->n; k++)
            is_blank = strchr(" \t\n\r\v\f", i->value.s->s[k]) != NULL;
        if (!is_blank)
            return jfail_parse(p, n->at, "Required blocks can only contain comments or whitespace");
    }
    n->kind = N_REFUSED;
    n->value.p = "a required block is not found: no other template gives it";
    return true;
}

static jnode *parse_named_block(jparser *p, size_t at)
{
    jnode *n = jnode_new(p, N_BLOCK, at);
    const jtoken *t = n ? jexpect(p, TK_NAME) : NULL;
    if (!t || !(n->name = jtoken_str(p, t->s, t->n))) return NULL;
    bool is_scoped = jskip_word(p, "scoped");
    bool is_required = jskip_word(p, "required");
    for (jnode *b = p->t->blocks; b; b = b->c)
        if (b->name->n == t->n && memcmp(b->name->s, t->s, t->n) == 0)
            return jfail_parse(p, at, "block '%.*s' defined twice", (int)t->n, t->s);
    if (is_scoped) { /* it sees the variables around it, and nothing takes its place */
        n->kind = N_WITH;
    } else {
        n->c = p->t->blocks;
        p->t->blocks = n;
    }
    bool was = p->escapes;
    p->escapes = false; /* a block is a function of the template */
    bool ok = parse_function_to(p, "endblock", &n->list);
    p->escapes = was;
    if (!ok) return NULL;
    if (is_required && !be_required(p, n)) return NULL;
    if (jis(p, TK_NAME) && p->token->n == t->n && memcmp(p->token->s, t->s, t->n) == 0) jnext(p);
    return n;
}

/* {% print a, b %} */
static jnode *parse_print_tag(jparser *p, size_t at)
{
    jnode *list = NULL;
    for (jnode **end = &list; !jis(p, TK_BLOCK_END); end = &(*end)->next) {
        if (list && !jexpect(p, TK_COMMA)) return NULL;
        if (!(*end = jnode_new(p, N_PRINT, at)) || !((*end)->a = jparse_expression(p))) return NULL;
    }
    return list ? list : jfail_unexpected(p, "an expression");
}

static jnode *parse_jump(jparser *p, size_t at, jnode_kind kind)
{
    if (p->n_loops == 0) return jfail_parse(p, at, "break or continue outside of a loop");
    return jnode_new(p, kind, at);
}

static jnode *parse_break(jparser *p, size_t at)
{
    return parse_jump(p, at, N_BREAK);
}

static jnode *parse_continue(jparser *p, size_t at)
{
    return parse_jump(p, at, N_CONTINUE);
}

static const tag_row tags[] = {
    { "if", parse_if },
    { "for", parse_for },
    { "set", parse_set },
    { "macro", parse_macro },
    { "generation", parse_generation },
    { "break", parse_break },
    { "continue", parse_continue },
    { "call", parse_call_block },
    { "filter", parse_filter_block },
    { "with", parse_with },
    { "print", parse_print_tag },
    { "block", parse_named_block },
    { "autoescape", parse_autoescape },
    { "include", parse_refused },
    { "import", parse_refused },
    { "from", parse_refused },
    { "extends", parse_refused },
};

static jnode *parse_tag(jparser *p)
{
    const jtoken *t = p->token;
    if (t->kind != TK_NAME) return jfail_unexpected(p, "a tag's name");
    for (size_t i = 0; i < sizeof tags / sizeof tags[0]; i++)
        if (jskip_word(p, tags[i].tag)) return tags[i].parse(p, t->at);
    return jfail_parse(p, t->at, "unknown tag '%.*s'", jshown(t->s, t->n), t->s);
}
