/* jinja_eval.c - see jinja_eval.h: statements, macros and loops, and a rendering from its start.
 * Expressions are in jinja_expr.c. */
#include "chat/jinja_eval.h"
#include "chat/jinja_run.h"
#include <stdio.h>
#include <string.h>

/* How a list of statements ended. */
typedef enum { FLOW_ERROR = -1, FLOW_NEXT, FLOW_BREAK, FLOW_CONTINUE } flow_kind;

static flow_kind exec(jrun *r, const jnode *list);

/* ---- scopes ------------------------------------------------------------------------------ */

static jframe *new_frame(jrun *r, const jfunction *f, jframe *parent)
{
    jframe *frame = jalloc(r, 1, sizeof *frame);
    if (!frame || !(frame->slot = jalloc(r, (size_t)f->n_slots, sizeof *frame->slot))) return NULL;
    frame->parent = parent;
    return frame;
}

/* A name that no scope has set: what the top level of a template with blocks set, else what the
 * caller passed, else a global function. */
static bool resolve(jrun *r, const jstr *name, jval *out)
{
    const jval *found = NULL;
    if (r->exported && !jdict_get(r, r->exported, jstr_value(name), &found)) return false;
    if (!found && !jdict_get(r, r->globals, jstr_value(name), &found)) return false;
    *out = found ? *found : (jval){ .type = J_MISSING };
    return true;
}

/* Gives the names of a scope what they start with. */
static bool enter_scope(jrun *r, const jscope *s)
{
    if (!jspend(r, (size_t)s->n)) return false;
    for (int i = 0; i < s->n; i++) {
        const jsymbol *y = &s->symbol[i];
        jval *slot = &r->frame->slot[y->slot];
        switch (y->load) {
        case LOAD_PARAMETER: break;
        case LOAD_RESOLVE:
            if (!resolve(r, y->name, slot)) return false;
            break;
        case LOAD_ALIAS: *slot = *jslot(r, y->source); break;
        case LOAD_UNDEFINED: *slot = (jval){ .type = J_MISSING }; break;
        }
    }
    return true;
}

/* Runs the list with its output in *text, a string. */
static flow_kind capture(jrun *r, const jnode *list, jval *text)
{
    jtext *outer = r->out, *inner = jtext_open(r);
    if (!inner) return FLOW_ERROR;
    r->out = inner;
    flow_kind flow = exec(r, list);
    r->out = outer;
    if (flow == FLOW_ERROR) return flow;
    return jtext_finish(r, inner, text) ? flow : FLOW_ERROR;
}

/* ---- macros ------------------------------------------------------------------------------ */

/* Takes the keyword argument of that name out of *args; J_MISSING when it is not there. */
static jval take_kw(jargs *args, const jstr *name)
{
    for (size_t i = 0; i < args->n_kw; i++) {
        if (args->kw[i].key.s->n != name->n || memcmp(args->kw[i].key.s->s, name->s, name->n) != 0)
            continue;
        jval v = args->kw[i].value;
        args->n_kw--;
        memmove(args->kw + i, args->kw + i + 1, (args->n_kw - i) * sizeof *args->kw);
        return v;
    }
    return (jval){ .type = J_MISSING };
}

/* What is left of the arguments goes to kwargs and varargs, or is too much. */
static bool bind_rest(jrun *r, const jmacro *m, const jscope *s, const jargs *args, size_t n_params)
{
    const jstr *name = m->node->name;
    int n_name = name ? jshown(name->s, name->n) : 0;
    jdict *kwargs;
    jlist *varargs;
    if (s->kwargs_slot >= 0) {
        if (!jnew_dict(r, &kwargs)) return false;
        for (size_t i = 0; i < args->n_kw; i++)
            if (!jdict_put(r, kwargs, args->kw[i].key, args->kw[i].value)) return false;
        r->frame->slot[s->kwargs_slot] = jdict_value(kwargs);
    } else if (args->n_kw) {
        const jstr *kw = args->kw[0].key.s;
        return jfail(r, "macro '%.*s' takes no keyword argument '%.*s'", n_name,
                     name ? name->s : "", jshown(kw->s, kw->n), kw->s);
    }
    if (s->varargs_slot >= 0) {
        if (!jnew_list(r, 4, &varargs)) return false;
        for (size_t i = n_params; i < args->n_pos; i++)
            if (!jlist_put(r, varargs, args->pos[i])) return false;
        r->frame->slot[s->varargs_slot] = jtuple_value(varargs);
    } else if (args->n_pos > n_params) {
        return jfail(r, "macro '%.*s' takes not more than %zu argument(s)", n_name,
                     name ? name->s : "", n_params);
    }
    return true;
}

/* Parameters without argument take their defaults, which may use those before them. */
static bool bind_defaults(jrun *r, const jmacro *m)
{
    for (const jnode *p = m->node->args; p; p = p->next) {
        jval *slot = jslot(r, p->ref), v;
        if (slot->type != J_MISSING) continue;
        if (!p->a) {
            enum { MAX_HINT = 128 };
            char *hint = jalloc(r, MAX_HINT, 1);
            if (!hint) return false;
            snprintf(hint, MAX_HINT, "parameter '%.*s' was not provided",
                     jshown(p->name->s, p->name->n), p->name->s);
            if (!jnew_undef_hint(r, hint, slot)) return false;
        } else {
            if (!jeval(r, p->a, &v)) return false;
            *slot = v;
        }
    }
    return true;
}

static bool bind_macro(jrun *r, const jmacro *m, const jargs *given)
{
    static const jstr caller_name = { .s = "caller", .n = 6, .is_ascii = true };
    const jscope *s = m->node->scope;
    jargs args = *given;
    size_t i = 0;
    if (args.n_kw) { /* taken apart here: a copy */
        if (!(args.kw = jalloc(r, args.n_kw, sizeof *args.kw))) return false;
        memcpy(args.kw, given->kw, args.n_kw * sizeof *args.kw);
    }
    for (const jnode *p = m->node->args; p; p = p->next, i++)
        *jslot(r, p->ref) = i < args.n_pos ? args.pos[i] : take_kw(&args, p->name);
    if (s->caller_slot >= 0) {
        jval caller = take_kw(&args, &caller_name);
        if ((caller.type == J_MISSING || caller.type == J_NONE)
            && !jnew_undef_hint(r, "No caller defined", &caller))
            return false;
        r->frame->slot[s->caller_slot] = caller;
    }
    return bind_rest(r, m, s, &args, i) && enter_scope(r, s) && bind_defaults(r, m);
}

bool jrun_macro(jrun *r, const jmacro *m, const jargs *args, jval *out)
{
    jframe *outer = r->frame;
    jframe *frame = new_frame(r, m->node->scope->function, m->frame);
    if (!frame || !jenter(r)) return false;
    r->frame = frame;
    bool ok = bind_macro(r, m, args) && capture(r, m->node->list, out) != FLOW_ERROR;
    r->frame = outer;
    jleave(r);
    return ok;
}

static bool new_macro(jrun *r, const jnode *n, jval *out)
{
    jmacro *m = jalloc(r, 1, sizeof *m);
    if (!m) return false;
    *m = (jmacro){ n, r->frame };
    *out = (jval){ .type = J_MACRO, .p = m };
    return true;
}

static bool exec_macro(jrun *r, const jnode *n)
{
    jval v;
    if (!new_macro(r, n, &v)) return false;
    *jslot(r, n->ref) = v;
    bool is_top = r->exported && r->frame == r->root_frame && n->ref.slot < r->t->root->n;
    return !is_top || jdict_put(r, r->exported, jstr_value(n->name), v);
}

static bool exec_call_block(jrun *r, const jnode *n)
{
    jval caller, v;
    static const jargs none = { 0 };
    if (!new_macro(r, n, &caller)) return false;
    bool ok = n->a ? jcall_node(r, n->a, &caller, &v) : jcall(r, caller, &none, &v);
    return ok && jtext_put_value(r, r->out, v);
}

/* ---- loops ------------------------------------------------------------------------------- */

typedef struct {
    const jnode *node;
    jframe *frame;
} test_state;

/* The next item that passes the test of `for x in y if test`. */
static jiter_result next_passing(jrun *r, jiter *it, jval *out)
{
    const test_state *state = it->state;
    jframe *outer = r->frame;
    jval passes = jbool(false);
    jiter_result got = JITER_VALUE;
    r->frame = state->frame;
    if (it->i++ == 0 && !enter_scope(r, state->node->test_scope)) got = JITER_ERROR;
    while (got == JITER_VALUE && !jtruth(passes)) {
        got = jiter_next(r, it->in, out);
        if (got == JITER_VALUE
            && (!jassign(r, state->node->test_target, *out) || !jeval(r, state->node->c, &passes)))
            got = JITER_ERROR;
    }
    r->frame = outer;
    return got;
}

static jiter *new_test(jrun *r, const jnode *n, jframe *frame, jiter *in)
{
    jiter *it = jiter_new(r, "generator", jnone());
    test_state *state = jalloc(r, 1, sizeof *state);
    if (!it || !state) return NULL;
    *state = (test_state){ n, frame };
    it->in = in;
    it->next = next_passing;
    it->state = state;
    return it;
}

/* Goes through the items; *is_done: the body ran to its end at least once. */
static flow_kind run_items(jrun *r, const jnode *n, jloop *loop, bool *is_done)
{
    jval item;
    for (;;) {
        r->at = n->at;
        jiter_result got = jloop_next(r, loop, &item);
        if (got == JITER_END) return FLOW_NEXT;
        if (got == JITER_ERROR || !jassign(r, n->a, item) || !enter_scope(r, n->scope))
            return FLOW_ERROR;
        flow_kind flow = exec(r, n->list);
        if (flow == FLOW_ERROR) return flow;
        if (flow == FLOW_BREAK) return FLOW_NEXT;
        if (flow == FLOW_NEXT) *is_done = true; /* as jinja2 has it: `continue` does not count */
    }
}

/* The loop over source in the current frame, which is the one around it unless it is recursive. */
static flow_kind run_for(jrun *r, const jnode *n, jframe *around, jval source, int64_t depth0)
{
    bool is_done = false;
    jloop *loop = jalloc(r, 1, sizeof *loop);
    if (!loop) return FLOW_ERROR;
    *loop = (jloop){
        .node = n, .frame = around, .source = source, .index0 = -1, .length = -1, .depth0 = depth0
    };
    if (!(loop->it = jiter_of(r, source))) return FLOW_ERROR;
    if (n->c && !(loop->it = new_test(r, n, around, loop->it))) return FLOW_ERROR;
    if (n->scope->loop_slot >= 0)
        r->frame->slot[n->scope->loop_slot] = (jval){ .type = J_LOOP, .p = loop };
    flow_kind flow = run_items(r, n, loop, &is_done);
    if (flow == FLOW_ERROR || is_done || !n->else_scope) return flow;
    return enter_scope(r, n->else_scope) ? exec(r, n->args) : FLOW_ERROR;
}

static flow_kind run_recursive(jrun *r, const jnode *n, jframe *around, jval source, int64_t depth0)
{
    jframe *outer = r->frame, *frame = new_frame(r, n->scope->function, around);
    if (!frame || !jenter(r)) return FLOW_ERROR;
    r->frame = frame;
    flow_kind flow = run_for(r, n, around, source, depth0);
    r->frame = outer;
    jleave(r);
    return flow;
}

bool jrun_loop(jrun *r, const jloop *outer, jval items, jval *out)
{
    jtext *before = r->out, *text = jtext_open(r);
    if (!text) return false;
    r->out = text;
    flow_kind flow = run_recursive(r, outer->node, outer->frame, items, outer->depth0 + 1);
    r->out = before;
    return flow != FLOW_ERROR && jtext_finish(r, text, out)
           && (!outer->node->escapes || jmark_safe(r, out->s, out));
}

static flow_kind exec_for(jrun *r, const jnode *n)
{
    jval source;
    if (!jeval(r, n->b, &source)) return FLOW_ERROR;
    r->at = n->b->at;
    if (n->flag) return run_recursive(r, n, r->frame, source, 0);
    return run_for(r, n, r->frame, source, 0);
}

/* ---- statements -------------------------------------------------------------------------- */

static bool exec_print(jrun *r, const jnode *n)
{
    jval v;
    if (!jeval(r, n->a, &v)) return false;
    r->at = n->a->at;
    return (!n->escapes || jescape(r, v, &v)) && jtext_put_value(r, r->out, v);
}

static flow_kind exec_if(jrun *r, const jnode *n)
{
    jval test;
    for (const jnode *branch = n; branch; branch = branch == n ? n->b : branch->next) {
        if (!jeval(r, branch->a, &test)) return FLOW_ERROR;
        if (jtruth(test)) return exec(r, branch->list);
    }
    return exec(r, n->args);
}

/* Every ns of a target must be a namespace before the value is looked at. */
static bool check_targets(jrun *r, const jnode *n)
{
    r->at = n->at;
    if (n->kind == N_NSREF && jslot(r, n->ref)->type != J_NAMESPACE)
        return jfail(r, "cannot assign attribute on non-namespace object");
    for (const jnode *i = n->kind == N_TUPLE ? n->list : NULL; i; i = i->next)
        if (!check_targets(r, i)) return false;
    return true;
}

static bool exec_set(jrun *r, const jnode *n)
{
    jval v;
    return check_targets(r, n->a) && jeval(r, n->b, &v) && jassign(r, n->a, v);
}

/* Through a filter, whose innermost part is applied to the text. */
static bool filter_text(jrun *r, const jnode *filter, jval *text)
{
    jval outer = r->block_text;
    r->block_text = *text;
    bool ok = jeval(r, filter, text);
    r->block_text = outer;
    return ok;
}

/* What is made of text within autoescape true needs no escaping any more. */
static bool mark_made(jrun *r, jval *v)
{
    const jstr *s;
    return !r->autoescape || (jto_str(r, *v, &s) && jmark_safe(r, s, v));
}

static flow_kind exec_autoescape(jrun *r, const jnode *n)
{
    bool outer = r->autoescape;
    if (!enter_scope(r, n->scope)) return FLOW_ERROR;
    r->autoescape = n->flag;
    flow_kind flow = exec(r, n->list);
    r->autoescape = outer;
    return flow;
}

/* jinja2 joins the text of a filter block to the rest as it is: only strings can be. */
static bool put_filtered(jrun *r, jval v)
{
    if (v.type != J_STR)
        return jfail(r, "a filter block must give a str, %s found", jtype_name(v));
    return jtext_put_value(r, r->out, v);
}

static flow_kind exec_capture(jrun *r, const jnode *n)
{
    jval text;
    const jnode *filter = n->kind == N_SET_BLOCK ? n->b : n->a;
    if (!enter_scope(r, n->scope)) return FLOW_ERROR;
    flow_kind flow = capture(r, n->list, &text);
    if (flow != FLOW_NEXT) return flow;
    if (filter && n->escapes && !jmark_safe(r, text.s, &text)) return FLOW_ERROR;
    if (filter && !filter_text(r, filter, &text)) return FLOW_ERROR;
    if (n->kind == N_SET_BLOCK && !mark_made(r, &text)) return FLOW_ERROR;
    bool ok = n->kind == N_SET_BLOCK ? jassign(r, n->a, text) : put_filtered(r, text);
    return ok ? FLOW_NEXT : FLOW_ERROR;
}

static flow_kind exec_with(jrun *r, const jnode *n)
{
    jval v;
    if (!enter_scope(r, n->scope)) return FLOW_ERROR;
    for (const jnode *pair = n->args; pair; pair = pair->next)
        if (!jeval(r, pair->b, &v) || !jassign(r, pair->a, v)) return FLOW_ERROR;
    return exec(r, n->list);
}

static flow_kind exec_block(jrun *r, const jnode *n)
{
    jframe *outer = r->frame, *frame = new_frame(r, n->scope->function, NULL);
    if (!frame) return FLOW_ERROR;
    r->frame = frame;
    flow_kind flow = enter_scope(r, n->scope) ? exec(r, n->list) : FLOW_ERROR;
    r->frame = outer;
    return flow;
}

static flow_kind exec_one(jrun *r, const jnode *n)
{
    bool ok = true;
    switch (n->kind) {
    case N_DATA: ok = jtext_put_str(r, r->out, n->value.s); break;
    case N_PRINT: ok = exec_print(r, n); break;
    case N_SET: ok = exec_set(r, n); break;
    case N_MACRO: ok = exec_macro(r, n); break;
    case N_CALL_BLOCK: ok = exec_call_block(r, n); break;
    case N_FOR: return exec_for(r, n);
    case N_IF: return exec_if(r, n);
    case N_SET_BLOCK:
    case N_FILTER_BLOCK: return exec_capture(r, n);
    case N_WITH: return exec_with(r, n);
    case N_AUTOESCAPE: return exec_autoescape(r, n);
    case N_BLOCK: return exec_block(r, n);
    case N_BREAK: return FLOW_BREAK;
    case N_CONTINUE: return FLOW_CONTINUE;
    default: ok = jfail(r, "%s", (const char *)n->value.p); break;
    }
    return ok ? FLOW_NEXT : FLOW_ERROR;
}

static flow_kind exec(jrun *r, const jnode *list)
{
    flow_kind flow = FLOW_NEXT;
    if (!list) return flow;
    if (!jenter(r)) return FLOW_ERROR;
    for (const jnode *n = list; n && flow == FLOW_NEXT; n = n->next) {
        r->at = n->at;
        flow = jspend(r, 1) ? exec_one(r, n) : FLOW_ERROR;
    }
    jleave(r);
    return flow;
}

/* ---- a rendering --------------------------------------------------------------------------- */

static bool from_json(jrun *r, const jinja_input *in, const json *j, int depth, jval *out);

static bool from_number(jrun *r, const json *j, jval *out)
{
    bool is_whole =
        !memchr(j->str, '.', j->n) && !memchr(j->str, 'e', j->n) && !memchr(j->str, 'E', j->n);
    if (j->is_int && is_whole)
        *out = jint(j->i);
    else if (!is_whole)
        *out = jfloat(j->num);
    else {
        if (!jnew_str(r, j->str, j->n, false, out)) return false;
        out->type = J_BIG;
    }
    return true;
}

static bool from_array(jrun *r, const jinja_input *in, const json *j, int depth, jval *out)
{
    jlist *l;
    if (!jnew_list(r, j->n, &l)) return false;
    for (const json *i = j->first; i; i = i->next, l->n++)
        if (!from_json(r, in, i, depth + 1, &l->item[l->n])) return false;
    *out = jlist_value(l);
    return true;
}

static bool from_object(jrun *r, const jinja_input *in, const json *j, int depth, jval *out)
{
    jdict *d;
    jval key, value;
    if (!jnew_dict(r, &d)) return false;
    for (const json *i = j->first; i; i = i->next)
        if (!jnew_str(r, i->key, i->n_key, true, &key) || !from_json(r, in, i, depth + 1, &value)
            || !jdict_put(r, d, key, value))
            return false;
    *out = jdict_value(d);
    return true;
}

/* Recursion is bounded by the reader's JSON_MAX_DEPTH. */
static bool from_json(jrun *r, const jinja_input *in, const json *j, int depth, jval *out)
{
    switch (j->type) {
    case JSON_NULL: *out = jnone(); return true;
    case JSON_FALSE:
    case JSON_TRUE: *out = jbool(j->type == JSON_TRUE); return true;
    case JSON_NUMBER: return from_number(r, j, out);
    case JSON_STRING: return jnew_str(r, j->str, j->n, !in->is_own || !in->is_own(j, depth), out);
    case JSON_ARRAY: return from_array(r, in, j, depth, out);
    case JSON_OBJECT: return from_object(r, in, j, depth, out);
    }
    return false;
}

static bool set_variables(jrun *r, const jinja_input *in)
{
    jval name, v;
    if (!jnew_dict(r, &r->globals) || !jglobals_add(r, r->globals)) return false;
    for (size_t i = 0; i < in->n_own; i++) {
        v = in->own[i].kind == JINJA_NONE ? jnone() : jbool(false);
        if (in->own[i].kind == JINJA_TEXT && !jnew_text(r, in->own[i].text, &v)) return false;
        if (!jnew_text(r, in->own[i].name, &name) || !jdict_put(r, r->globals, name, v))
            return false;
    }
    for (const json *j = in->vars ? in->vars->first : NULL; j; j = j->next)
        if (!jnew_str(r, j->key, j->n_key, true, &name) || !from_json(r, in, j, 0, &v)
            || !jdict_put(r, r->globals, name, v))
            return false;
    return true;
}

static bool run(jrun *r)
{
    jtext *text = jtext_open(r);
    if (!text || (r->t->blocks && !jnew_dict(r, &r->exported))) return false;
    r->out = text;
    r->frame = r->root_frame = new_frame(r, r->t->root->function, NULL);
    return r->frame && enter_scope(r, r->t->root) && exec(r, r->t->body) != FLOW_ERROR;
}

static bool add_range(jrun *r, jinja_output *out, size_t *cap, jinja_range range)
{
    if (out->n_plain == *cap) {
        size_t more = *cap ? 2 * *cap : 16;
        jinja_range *p = mem_resize(out->plain, *cap, more, sizeof *p);
        if (!p) return jfail_memory(r);
        out->plain = p;
        *cap = more;
    }
    out->plain[out->n_plain++] = range;
    return true;
}

/* Hands out the text and the ranges of it that are plain. */
static bool hand_out(jrun *r, const jtext *t, jinja_output *out)
{
    size_t cap = 0;
    if (!buf_put(&out->text, t->s, t->n)) return jfail_memory(r);
    if (!t->plain)
        return !t->is_plain || t->n == 0 || add_range(r, out, &cap, (jinja_range){ 0, t->n });
    for (size_t i = 0; i < t->n;) {
        size_t start = i;
        while (i < t->n && t->plain[i] == t->plain[start]) i++;
        if (t->plain[start] && !add_range(r, out, &cap, (jinja_range){ start, i })) return false;
    }
    return true;
}

bool jinja_render(const jinja *t, const jinja_input *in, jinja_output *out, lory_err *err)
{
    jrun r = { .t = t,
               .max_bytes = JINJA_MAX_MEMORY,
               .max_steps = JINJA_MAX_STEPS,
               .max_depth = JINJA_MAX_DEPTH,
               .max_output = JINJA_MAX_OUTPUT,
               .now = in->now,
               .err = err };
    *out = (jinja_output){ 0 };
    bool ok = set_variables(&r, in) && run(&r) && hand_out(&r, r.out, out);
    jtext_free_all(&r);
    arena_free(&r.arena);
    if (!ok) jinja_output_free(out);
    return ok;
}

void jinja_output_free(jinja_output *out)
{
    buf_free(&out->text);
    mem_free(out->plain);
    *out = (jinja_output){ 0 };
}
