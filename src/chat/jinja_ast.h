/* jinja_ast.h - a parsed template: statements, expressions, and where each variable lives.
 * Layer: chat. Everything lies in the template's arena and is immutable once parsed.
 *
 * Variables follow jinja2, which compiles a template to Python functions: a scope is a stretch of
 * the template with names of its own, a function (the template, a macro, a call block, a recursive
 * loop) a set of slots that hold them while it runs. Which slot a name means is settled here. */
#ifndef LORY_CHAT_JINJA_AST_H
#define LORY_CHAT_JINJA_AST_H

#include "chat/jinja_lex.h"
#include "chat/jinja_value.h"

typedef enum { /* a, b, c, list and args of each: what the comment says; NULL where it may be */
               /* statements */
               N_DATA,         /* value */
               N_PRINT,        /* a */
               N_FOR,          /* a target, b over, c if, list body, args else, flag recursive */
               N_IF,           /* a test, list body, b the elifs (N_IF), args else */
               N_SET,          /* a target, b value */
               N_SET_BLOCK,    /* a target, b filter, list body */
               N_MACRO,        /* name, args parameters (N_NAME, a default), list body */
               N_CALL_BLOCK,   /* a call (NULL: generation), args parameters, list body */
               N_FILTER_BLOCK, /* a filter, list body */
               N_WITH,         /* args pairs (a target, b value), list body */
               N_AUTOESCAPE,   /* list body, flag: whether what runs there escapes */
               N_BLOCK,        /* name, list body */
               N_BREAK,
               N_CONTINUE,
               N_REFUSED, /* value: why; include, import, extends: an error when it is reached */
               /* expressions */
               N_CONST, /* value */
               N_NAME,  /* name */
               N_NSREF, /* name, value the attribute: a target only */
               N_TUPLE,
               N_LIST,    /* list */
               N_DICT,    /* list of N_PAIR */
               N_PAIR,    /* a, b */
               N_GETATTR, /* a, value the name */
               N_GETITEM, /* a, b */
               N_SLICE,   /* a, b, c: start, stop, step; only as b of N_GETITEM */
               N_CALL,    /* a, args */
               N_KEYWORD, /* name, a: an argument */
               N_STAR,
               N_STAR_STAR, /* a: arguments from a sequence, from a dictionary */
               N_FILTER,    /* a (NULL: the text of a block), name, args, row */
               N_TEST,      /* a, name, args, row */
               N_COND,      /* a if b else c */
               N_OR,
               N_AND, /* a, b */
               N_NOT,
               N_NEG,
               N_POS,     /* a */
               N_BINARY,  /* op (a token kind), a, b */
               N_CONCAT,  /* list */
               N_COMPARE, /* a, list of N_OPERAND */
               N_OPERAND, /* op (a token kind or one of the two below), a */
} jnode_kind;

enum { OP_IN = 100, OP_NOT_IN = 101 };

typedef struct jnode jnode;
typedef struct jscope jscope;

typedef struct {
    int up; /* functions outwards */
    int slot;
} jref;

struct jnode {
    jnode_kind kind;
    int op;
    bool flag, escapes; /* escapes: it is written within autoescape true */
    uint32_t at; /* byte of the source */
    jnode *next; /* in its list */
    jnode *a, *b, *c, *list, *args;
    const jstr *name;
    jval value;
    jref ref;                        /* of name */
    const jbuiltin *row;             /* of a filter or test; NULL: there is none of that name */
    jscope *scope;                   /* of list; N_FOR: of the body */
    jscope *test_scope, *else_scope; /* N_FOR */
    jnode *test_target;              /* N_FOR: the target again, in test_scope */
};

typedef enum {
    LOAD_PARAMETER, /* whoever enters sets it */
    LOAD_RESOLVE,   /* from the context */
    LOAD_ALIAS,     /* from `source`, a scope further out */
    LOAD_UNDEFINED,
} jload;

typedef struct {
    const jstr *name;
    jload load;
    bool is_stored;
    int slot;
    jref source;
} jsymbol;

typedef struct jfunction {
    struct jfunction *parent;
    int n_slots;
} jfunction;

struct jscope {
    jscope *parent;
    jfunction *function;
    jsymbol *symbol; /* [n] */
    int n, cap;
    int loop_slot; /* of a loop's body: -1 when nobody asks for `loop` */
    /* Of a macro: the slots of what it may be given beyond its parameters, -1 = not asked for. */
    int caller_slot, kwargs_slot, varargs_slot;
};

struct jinja {
    mem_arena arena;
    char *source; /* [n_source] with line ends as \n */
    size_t n_source;
    const char *name;
    jnode *body;
    jscope *root;
    jnode *blocks; /* N_BLOCK by way of c */
    size_t n_nodes;
};

/* Line and column of a byte of the template, from 1. */
static inline void jinja_place(const jinja *t, size_t at, size_t *line, size_t *column)
{
    jlex_place(t->source, t->n_source, at, line, column);
}

/* Settles where each name lives and which filter and test is meant (jinja_scope.c). */
bool jinja_bind(jinja *t, lory_err *err);

#endif
