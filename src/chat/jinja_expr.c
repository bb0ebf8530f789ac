/* jinja_expr.c - the value of an expression.
 * Layer: chat. */
#include "chat/jinja_run.h"
#include <string.h>

jval *jslot(jrun *r, jref ref)
{
    jframe *f = r->frame;
    for (int i = 0; i < ref.up; i++) f = f->parent;
    return &f->slot[ref.slot];
}

static bool eval_name(jrun *r, const jnode *n, jval *out)
{
    *out = *jslot(r, n->ref);
    if (out->type != J_MISSING) return true;
    return jnew_undef(r, (jval){ .type = J_MISSING }, jstr_value(n->name), out);
}

static bool eval_list(jrun *r, const jnode *n, jval *out)
{
    jlist *l;
    jval v;
    if (!jnew_list(r, 4, &l)) return false;
    for (const jnode *i = n->list; i; i = i->next)
        if (!jeval(r, i, &v) || !jlist_put(r, l, v)) return false;
    *out = (jval){ .type = n->kind == N_LIST ? J_LIST : J_TUPLE, .l = l };
    return true;
}

static bool eval_dict(jrun *r, const jnode *n, jval *out)
{
    jdict *d;
    jval key, value;
    if (!jnew_dict(r, &d)) return false;
    for (const jnode *i = n->list; i; i = i->next) {
        if (!jeval(r, i->a, &key) || !jeval(r, i->b, &value)) return false;
        r->at = i->at;
        if (!jdict_put(r, d, key, value)) return false;
    }
    *out = jdict_value(d);
    return true;
}

static bool eval_getattr(jrun *r, const jnode *n, jval *out)
{
    jval obj;
    if (!jeval(r, n->a, &obj)) return false;
    r->at = n->at;
    return jget_attr(r, obj, n->value, out);
}

static bool eval_slice(jrun *r, const jnode *n, jval *out)
{
    jval obj, bound[3] = { jnone(), jnone(), jnone() };
    const jnode *part[3] = { n->b->a, n->b->b, n->b->c };
    if (!jeval(r, n->a, &obj)) return false;
    for (int i = 0; i < 3; i++)
        if (part[i] && !jeval(r, part[i], &bound[i])) return false;
    r->at = n->at;
    return jget_slice(r, obj, bound, out);
}

static bool eval_getitem(jrun *r, const jnode *n, jval *out)
{
    jval obj, key;
    if (n->b->kind == N_SLICE) return eval_slice(r, n, out);
    if (!jeval(r, n->a, &obj) || !jeval(r, n->b, &key)) return false;
    r->at = n->at;
    return jget_item(r, obj, key, out);
}

static bool call_row(jrun *r, const jnode *n, jval v, jval *out)
{
    jargs args;
    if (!jargs_eval(r, n->args, &args)) return false;
    r->at = n->at;
    if (!n->row)
        return jfail(r, "No %s named '%.*s' found.", n->kind == N_FILTER ? "filter" : "test",
                     jshown(n->name->s, n->name->n), n->name->s);
    return jbuiltin_call(r, n->row, v, &args, out);
}

static bool eval_filter(jrun *r, const jnode *n, jval *out)
{
    jval v = r->block_text;
    return (!n->a || jeval(r, n->a, &v)) && call_row(r, n, v, out);
}

static bool eval_test(jrun *r, const jnode *n, jval *out)
{
    jval v;
    return jeval(r, n->a, &v) && call_row(r, n, v, out);
}

static bool eval_cond(jrun *r, const jnode *n, jval *out)
{
    jval test;
    if (!jeval(r, n->b, &test)) return false;
    if (jtruth(test)) return jeval(r, n->a, out);
    if (n->c) return jeval(r, n->c, out);
    return jnew_undef_hint(r,
                           "the inline if-expression evaluated to false and no else section was "
                           "defined.",
                           out);
}

/* and, or: the operand that decides. */
static bool eval_logic(jrun *r, const jnode *n, jval *out)
{
    if (!jeval(r, n->a, out)) return false;
    return jtruth(*out) == (n->kind == N_OR) || jeval(r, n->b, out);
}

static bool eval_not(jrun *r, const jnode *n, jval *out)
{
    jval v;
    if (!jeval(r, n->a, &v)) return false;
    *out = jbool(!jtruth(v));
    return true;
}

static bool eval_sign(jrun *r, const jnode *n, jval *out)
{
    jval v;
    if (!jeval(r, n->a, &v)) return false;
    r->at = n->at;
    if (n->kind == N_NEG) return jnegate(r, v, out);
    if (v.type == J_UNDEF) return jfail_undef(r, v);
    if (!jis_number(v) && v.type != J_BIG)
        return jfail(r, "bad operand type for unary +: '%s'", jtype_name(v));
    *out = v.type == J_BOOL ? jint(v.b) : v;
    return true;
}

static bool eval_binary(jrun *r, const jnode *n, jval *out)
{
    jval a, b;
    if (!jeval(r, n->a, &a) || !jeval(r, n->b, &b)) return false;
    r->at = n->at;
    return jbinary(r, n->op, a, b, out);
}

/* The same within autoescape true. */
static bool concat_escaped(jrun *r, const jnode *n, jval *out)
{
    jlist *l;
    jval v, none;
    if (!jnew_list(r, 4, &l) || !jnew_text(r, "", &none)) return false;
    for (const jnode *i = n->list; i; i = i->next)
        if (!jeval(r, i, &v) || !jlist_put(r, l, v)) return false;
    return jjoin(r, l, none, out);
}

static bool eval_concat(jrun *r, const jnode *n, jval *out)
{
    jval v;
    const jstr *s;
    if (n->escapes) return concat_escaped(r, n, out);
    if (!jeval(r, n->list, &v) || !jto_str(r, v, &s)) return false;
    *out = jstr_value(s);
    for (const jnode *i = n->list->next; i; i = i->next) {
        if (!jeval(r, i, &v)) return false;
        r->at = i->at;
        if (!jto_str(r, v, &s) || !jconcat(r, out->s, s, out)) return false;
    }
    return true;
}

/* a < b < c: each is evaluated once, and the first false ends it. */
static bool eval_compare(jrun *r, const jnode *n, jval *out)
{
    jval left, right;
    bool holds = true;
    if (!jeval(r, n->a, &left)) return false;
    for (const jnode *i = n->list; i && holds; i = i->next) {
        if (!jeval(r, i->a, &right)) return false;
        r->at = i->at;
        if (!jcompare(r, i->op, left, right, &holds)) return false;
        left = right;
    }
    *out = jbool(holds);
    return true;
}

static bool eval_inside(jrun *r, const jnode *n, jval *out)
{
    switch (n->kind) {
    case N_TUPLE:
    case N_LIST: return eval_list(r, n, out);
    case N_DICT: return eval_dict(r, n, out);
    case N_GETATTR: return eval_getattr(r, n, out);
    case N_GETITEM: return eval_getitem(r, n, out);
    case N_CALL: return jcall_node(r, n, NULL, out);
    case N_FILTER: return eval_filter(r, n, out);
    case N_TEST: return eval_test(r, n, out);
    case N_COND: return eval_cond(r, n, out);
    case N_OR:
    case N_AND: return eval_logic(r, n, out);
    case N_NOT: return eval_not(r, n, out);
    case N_NEG:
    case N_POS: return eval_sign(r, n, out);
    case N_BINARY: return eval_binary(r, n, out);
    case N_CONCAT: return eval_concat(r, n, out);
    case N_COMPARE: return eval_compare(r, n, out);
    default: return jfail(r, "this can't be evaluated");
    }
}

bool jeval(jrun *r, const jnode *n, jval *out)
{
    r->at = n->at;
    if (!jspend(r, 1)) return false;
    if (n->kind == N_CONST) {
        *out = n->value;
        return true;
    }
    if (n->kind == N_NAME) return eval_name(r, n, out);
    if (!jenter(r)) return false;
    bool ok = eval_inside(r, n, out);
    jleave(r);
    return ok;
}

/* ---- assignment -------------------------------------------------------------------------- */

static bool assign_attr(jrun *r, const jnode *n, jval v)
{
    jval ns = *jslot(r, n->ref);
    if (ns.type != J_NAMESPACE) return jfail(r, "cannot assign attribute on non-namespace object");
    return jdict_put(r, ns.d, n->value, v);
}

static bool assign_name(jrun *r, const jnode *n, jval v)
{
    *jslot(r, n->ref) = v;
    /* Blocks see what the top level has set. */
    bool is_top = r->exported && r->frame == r->root_frame && n->ref.slot < r->t->root->n;
    return !is_top || jdict_put(r, r->exported, jstr_value(n->name), v);
}

static bool assign_tuple(jrun *r, const jnode *n, jval v)
{
    jlist *l;
    size_t n_targets = 0;
    for (const jnode *i = n->list; i; i = i->next) n_targets++;
    if (!jis_iterable(v)) return jfail(r, "cannot unpack non-iterable %s object", jtype_name(v));
    if (jis_seq(v))
        l = v.l;
    else if (!jto_list(r, v, &l))
        return false;
    if (l->n < n_targets)
        return jfail(r, "not enough values to unpack (expected %zu, got %zu)", n_targets, l->n);
    if (l->n > n_targets) return jfail(r, "too many values to unpack (expected %zu)", n_targets);
    size_t i = 0;
    for (const jnode *t = n->list; t; t = t->next)
        if (!jassign(r, t, l->item[i++])) return false;
    return true;
}

bool jassign(jrun *r, const jnode *target, jval v)
{
    r->at = target->at;
    if (target->kind == N_NSREF) return assign_attr(r, target, v);
    if (target->kind == N_NAME) return assign_name(r, target, v);
    if (!jenter(r)) return false;
    bool ok = assign_tuple(r, target, v);
    jleave(r);
    return ok;
}
