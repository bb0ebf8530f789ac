/* jinja_parser.h - the parser's state, and what its parts give each other: jinja_parser.c (tokens,
 * nodes), jinja_parse_expr.c (expressions), jinja_tags.c (tags), jinja_parse.c (templates).
 * Layer: chat. Every function that gives a node gives NULL when an error is set. */
#ifndef LORY_CHAT_JINJA_PARSER_H
#define LORY_CHAT_JINJA_PARSER_H

#include "chat/jinja_ast.h"

enum {
    JPARSE_MAX_DEPTH = 100, /* of nested expressions and blocks */
    JPARSE_MAX_RUN = 500,   /* operators of one rank in a row */
};

typedef struct {
    jinja *t;
    const jtoken *token; /* the current one */
    lory_err *err;
    bool has_failed;
    int depth;
    bool escapes; /* the current place is within autoescape true */
    int n_loops;  /* around the current place, in the same function */
} jparser;

typedef enum {
    JTUPLE_PLAIN,
    JTUPLE_PARENS,
    JTUPLE_IF,         /* without `x if y else z` */
    JTUPLE_FOR_ITER,   /* the same, up to `recursive` */
    JTUPLE_FOR_TARGET, /* names up to `in` */
    JTUPLE_SET_TARGET, /* names and ns.name */
} jtuple_mode;

/* ---- tokens and nodes (jinja_parser.c) --------------------------------------------------- */

void *jfail_parse(jparser *p, size_t at, const char *fmt, ...) ERR_PRINTF(3, 4); /* NULL */
void *jfail_unexpected(jparser *p, const char *wanted);                          /* NULL */
bool jis(const jparser *p, jtoken_kind kind);
bool jis_word(const jparser *p, const char *word);
bool jtoken_is(const jtoken *t, const char *word);
const jtoken *jnext(jparser *p);
bool jskip(jparser *p, jtoken_kind kind); /* true when it stood here */
bool jskip_word(jparser *p, const char *word);
const jtoken *jexpect(jparser *p, jtoken_kind kind);

void *jparse_alloc(jparser *p, size_t size); /* zeroed, of the template's arena */
jnode *jnode_new(jparser *p, jnode_kind kind, size_t at);
const jstr *jtoken_str(jparser *p, const char *s, size_t n); /* shares the bytes */

/* ---- expressions (jinja_parse_expr.c) ---------------------------------------------------- */

jnode *jparse_expression(jparser *p);
jnode *jparse_tuple(jparser *p, jtuple_mode mode); /* one expression, or several by commas */
/* |a|b...; starts_here: the first has no bar. NULL without error when there is none. */
jnode *jparse_filters(jparser *p, bool starts_here);

/* ---- tags (jinja_tags.c) ----------------------------------------------------------------- */

/* Text and tags up to one of the words (NULL at the end), whose tag is left at its name; NULL
 * words: up to the end of the template. An empty body is NULL too: see p->has_failed. */
jnode *jparse_body(jparser *p, const char *const *words);

#endif
