/* jinja_run.h - what the parts of the evaluator share: statements (jinja_eval.c), expressions
 * (jinja_expr.c), operators (jinja_ops.c), attributes and items (jinja_get.c), the
 * variable `loop` (jinja_loop.c), calls (jinja_call.c).
 * Layer: chat. All return false with the error set, unless they say otherwise. */
#ifndef LORY_CHAT_JINJA_RUN_H
#define LORY_CHAT_JINJA_RUN_H

#include "chat/jinja_ast.h"
#include "chat/jinja_builtin.h"
#include "chat/jinja_text.h"

struct jframe {
    jframe *parent; /* of the function around, as it is written */
    jval *slot;     /* [n_slots] */
};

typedef struct {
    const jnode *node; /* N_MACRO or N_CALL_BLOCK */
    jframe *frame;     /* where it was defined */
} jmacro;

typedef struct {
    const jbuiltin *row;
    jval self;
} jmethod;

typedef struct {
    const jnode *node; /* N_FOR */
    jframe *frame;     /* around the loop */
    jval source;       /* what it goes through */
    jiter *it;
    jval before, current, after;
    bool has_after; /* the next item was looked at already */
    int64_t index0; /* -1 before the first */
    int64_t length; /* -1: not asked for yet */
    int64_t depth0;
    jval changed; /* what loop.changed saw last */
} jloop;

typedef struct {
    jlist *item;
    size_t at;
} jcycler;

typedef struct {
    jval separator;
    bool is_used;
} jjoiner;

/* ---- expressions ------------------------------------------------------------------------- */

bool jeval(jrun *r, const jnode *n, jval *out);
/* Gives each name of a target its value. */
bool jassign(jrun *r, const jnode *target, jval v);
jval *jslot(jrun *r, jref ref);

/* ---- operators --------------------------------------------------------------------------- */

bool jbinary(jrun *r, int op, jval a, jval b, jval *out); /* op: a token kind */
bool jnegate(jrun *r, jval v, jval *out);
bool jcompare(jrun *r, int op, jval a, jval b, bool *out);

/* ---- attributes and items ---------------------------------------------------------------- */

bool jget_attr(jrun *r, jval obj, jval name, jval *out);            /* obj.name */
bool jget_item(jrun *r, jval obj, jval key, jval *out);             /* obj[key] */
bool jget_slice(jrun *r, jval obj, const jval bound[3], jval *out); /* J_NONE = left out */
bool jloop_attr(jrun *r, jloop *loop, const jstr *name, jval *out); /* J_MISSING: there is none */
jiter_result jloop_next(jrun *r, jloop *loop, jval *out);

/* ---- calls ------------------------------------------------------------------------------- */

bool jcall(jrun *r, jval f, const jargs *args, jval *out);
bool jcall_node(jrun *r, const jnode *n, const jval *caller, jval *out); /* N_CALL */
bool jargs_eval(jrun *r, const jnode *list, jargs *args);

/* ---- statements -------------------------------------------------------------------------- */

/* The text of a macro or call block. */
bool jrun_macro(jrun *r, const jmacro *m, const jargs *args, jval *out);
/* loop(items) of a recursive loop: its text. */
bool jrun_loop(jrun *r, const jloop *outer, jval items, jval *out);

#endif
