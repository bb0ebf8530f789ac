/* jinja_scope.c - which variable a name means, settled before the template runs.
 *
 * jinja2 compiles scopes to Python variables, and what a name means follows from where it is
 * mentioned, not from what ran before. Each scope is gone through twice: first its names are
 * collected (a name that is only read belongs to the nearest scope that has it, one that is stored
 * to gets a variable here, which starts as a copy of the outer one), then its nodes are bound and
 * the scopes inside are done.
 * Layer: chat. */
#include "chat/jinja_ast.h"
#include "chat/jinja_builtin.h"
#include "chat/jinja_parse.h"
#include <string.h>

enum {
    MAX_DEPTH = 2000, /* of nodes within nodes; the C stack holds that */
    MAX_NAMES = 1024, /* of one scope, looked through one by one */
};

typedef struct {
    jinja *t;
    lory_err *err;
    bool has_failed;
    int depth;
    int n_branches; /* ifs around, in the scope that is collected */
    bool is_soft;   /* inside an if: unknown filters are an error only when they are reached */
} binder;

static void bind_list(binder *b, jscope *s, jnode *list);
static void bind_node(binder *b, jscope *s, jnode *n);

static void fail_memory(binder *b)
{
    if (!b->has_failed) err_set(b->err, LORY_E_MEMORY, "%s: no memory to read it", b->t->name);
    b->has_failed = true;
}

static void fail_at(binder *b, const jnode *n, const char *what, const jstr *name)
{
    size_t line, column;
    if (b->has_failed) return;
    b->has_failed = true;
    jinja_place(b->t, n->at, &line, &column);
    int n_name = name ? jshown(name->s, name->n) : 0;
    err_set(b->err, LORY_E_FORMAT, "%s: line %zu, column %zu: %s%s%.*s%s", b->t->name, line, column,
            what, name ? " '" : "", n_name, name ? name->s : "", name ? "'" : "");
}

static bool enter(binder *b, const jnode *n)
{
    if (b->has_failed) return false;
    if (b->depth >= MAX_DEPTH) {
        fail_at(b, n, "nested too deeply", NULL);
        return false;
    }
    b->depth++;
    return true;
}

/* ---- scopes ------------------------------------------------------------------------------ */

static jfunction *new_function(binder *b, jfunction *parent)
{
    jfunction *f = arena_new(&b->t->arena, 1, sizeof *f);
    if (f)
        f->parent = parent;
    else
        fail_memory(b);
    return f;
}

static jscope *new_scope(binder *b, jscope *parent, jfunction *function)
{
    jscope *s = arena_new(&b->t->arena, 1, sizeof *s);
    if (!s) {
        fail_memory(b);
        return NULL;
    }
    *s = (jscope){ .parent = parent,
                   .function = function,
                   .loop_slot = -1,
                   .caller_slot = -1,
                   .kwargs_slot = -1,
                   .varargs_slot = -1 };
    return s;
}

static bool same_name(const jstr *a, const jstr *b)
{
    return a->n == b->n && memcmp(a->s, b->s, a->n) == 0;
}

static jsymbol *find_own(const jscope *s, const jstr *name)
{
    for (int i = 0; i < s->n; i++)
        if (same_name(s->symbol[i].name, name)) return &s->symbol[i];
    return NULL;
}

/* Where the name lives, seen from function `from`; false when no scope has it. */
static bool find_ref(const jscope *s, const jfunction *from, const jstr *name, jref *ref)
{
    for (; s; s = s->parent) {
        const jsymbol *own = find_own(s, name);
        if (!own) continue;
        *ref = (jref){ 0, own->slot };
        for (const jfunction *f = from; f != s->function; f = f->parent) ref->up++;
        return true;
    }
    return false;
}

static jsymbol *define(binder *b, jscope *s, const jstr *name, jload load)
{
    if (s->n == MAX_NAMES) {
        if (!b->has_failed)
            err_set(b->err, LORY_E_FORMAT, "%s: more than %d variables in one scope", b->t->name,
                    MAX_NAMES);
        b->has_failed = true;
        return NULL;
    }
    if (s->n == s->cap) {
        int cap = s->cap ? 2 * s->cap : 8;
        jsymbol *symbol = arena_new(&b->t->arena, (size_t)cap, sizeof *symbol);
        if (!symbol) {
            fail_memory(b);
            return NULL;
        }
        if (s->n) memcpy(symbol, s->symbol, (size_t)s->n * sizeof *symbol);
        s->symbol = symbol;
        s->cap = cap;
    }
    jsymbol *own = &s->symbol[s->n++];
    *own = (jsymbol){ .name = name, .load = load, .slot = s->function->n_slots++ };
    return own;
}

static int declare_parameter(binder *b, jscope *s, const jstr *name)
{
    jsymbol *own = find_own(s, name);
    if (!own) own = define(b, s, name, LOAD_PARAMETER);
    if (!own) return -1;
    own->load = LOAD_PARAMETER;
    own->is_stored = true;
    return own->slot;
}

static void note_load(binder *b, jscope *s, const jstr *name)
{
    jref ref;
    if (!find_ref(s, s->function, name, &ref)) define(b, s, name, LOAD_RESOLVE);
}

static void note_store(binder *b, jscope *s, const jstr *name)
{
    jref ref;
    jsymbol *own = find_own(s, name);
    if (!own) {
        bool has_outer = find_ref(s->parent, s->function, name, &ref);
        jload load = has_outer ? LOAD_ALIAS : b->n_branches ? LOAD_RESOLVE : LOAD_UNDEFINED;
        if (!(own = define(b, s, name, load))) return;
        if (has_outer) own->source = ref;
    }
    own->is_stored = true;
}

/* ---- collecting the names of a scope ------------------------------------------------------- */

static void collect_node(binder *b, jscope *s, jnode *n);

static void collect_list(binder *b, jscope *s, jnode *list)
{
    for (jnode *n = list; n && !b->has_failed; n = n->next) collect_node(b, s, n);
}

static void collect_if(binder *b, jscope *s, jnode *n)
{
    collect_node(b, s, n->a);
    b->n_branches++;
    collect_list(b, s, n->list);
    collect_list(b, s, n->b);
    collect_list(b, s, n->args);
    b->n_branches--;
}

static void collect_inside(binder *b, jscope *s, jnode *n)
{
    switch (n->kind) {
    case N_NAME:
        if (n->flag)
            note_store(b, s, n->name);
        else
            note_load(b, s, n->name);
        return;
    case N_NSREF: note_load(b, s, n->name); return;
    case N_FOR: collect_node(b, s, n->b); return;
    case N_IF: collect_if(b, s, n); return;
    case N_SET:
        collect_node(b, s, n->b);
        collect_node(b, s, n->a);
        return;
    case N_SET_BLOCK: collect_node(b, s, n->a); return;
    case N_MACRO: note_store(b, s, n->name); return;
    case N_CALL_BLOCK:
    case N_FILTER_BLOCK: collect_node(b, s, n->a); return;
    case N_WITH:
    case N_AUTOESCAPE:
        for (jnode *pair = n->args; pair; pair = pair->next) collect_node(b, s, pair->b);
        return;
    case N_BLOCK: return;
    default: break;
    }
    collect_node(b, s, n->a);
    collect_node(b, s, n->b);
    collect_node(b, s, n->c);
    collect_list(b, s, n->list);
    collect_list(b, s, n->args);
}

static void collect_node(binder *b, jscope *s, jnode *n)
{
    if (!n || !enter(b, n)) return;
    collect_inside(b, s, n);
    b->depth--;
}

/* The names of a target as parameters: a loop sets them. */
static void declare_target(binder *b, jscope *s, jnode *n)
{
    if (n->kind == N_NAME) declare_parameter(b, s, n->name);
    for (jnode *i = n->kind == N_TUPLE ? n->list : NULL; i; i = i->next) declare_target(b, s, i);
}

/* A body in a scope of its own that no `if` around has a say in. */
static void collect_body(binder *b, jscope *s, jnode *list)
{
    int n_branches = b->n_branches;
    b->n_branches = 0;
    collect_list(b, s, list);
    b->n_branches = n_branches;
}

/* ---- who is asked for ---------------------------------------------------------------------- */

typedef enum { NOT_MENTIONED, IS_READ, IS_STORED } mention;

static mention find_mention(binder *b, const jnode *n, const char *name);

static mention mention_in(binder *b, const jnode *list, const char *name)
{
    mention m = NOT_MENTIONED;
    for (const jnode *n = list; n && !m; n = n->next) m = find_mention(b, n, name);
    return m;
}

/* How the name is first met in n and all inside. */
static mention find_mention(binder *b, const jnode *n, const char *name)
{
    if (!n || !enter(b, n)) return NOT_MENTIONED;
    mention m = NOT_MENTIONED;
    if (n->kind == N_NAME && jstr_is(n->name, name)) m = n->flag ? IS_STORED : IS_READ;
    if (!m && n->kind != N_BLOCK) {
        m = find_mention(b, n->a, name);
        if (!m) m = mention_in(b, n->b, name); /* the elifs of an if are a list */
        if (!m) m = find_mention(b, n->c, name);
        if (!m) m = mention_in(b, n->list, name);
        if (!m) m = mention_in(b, n->args, name);
    }
    b->depth--;
    return m;
}

/* ---- binding ------------------------------------------------------------------------------- */

static const jstr *text_of(binder *b, const char *s)
{
    jstr *str = arena_new(&b->t->arena, 1, sizeof *str);
    if (str)
        *str = (jstr){ .s = s, .n = strlen(s), .is_ascii = true };
    else
        fail_memory(b);
    return str;
}

/* The slot of a name that the body asks for and nobody declared; -1 when it does not ask. */
static int declare_if_read(binder *b, jscope *s, jnode *list, const char *name)
{
    if (mention_in(b, list, name) != IS_READ) return -1;
    const jstr *text = text_of(b, name);
    return text ? declare_parameter(b, s, text) : -1;
}

static void bind_scope(binder *b, jscope *s, jnode *list)
{
    bool is_soft = b->is_soft;
    b->is_soft = false;
    if (s) bind_list(b, s, list);
    b->is_soft = is_soft;
}

/* Nobody may store to `loop` inside a loop. */
static void refuse_loop_target(binder *b, const jnode *n, const jnode *loop)
{
    if (!n || !enter(b, n)) return;
    if (n->kind == N_NAME && n->flag && jstr_is(n->name, "loop"))
        fail_at(b, loop, "Can't assign to special loop variable in for-loop target", NULL);
    refuse_loop_target(b, n->a, loop);
    for (const jnode *i = n->b; i; i = i->next) refuse_loop_target(b, i, loop);
    refuse_loop_target(b, n->c, loop);
    for (const jnode *i = n->list; i; i = i->next) refuse_loop_target(b, i, loop);
    for (const jnode *i = n->args; i; i = i->next) refuse_loop_target(b, i, loop);
    b->depth--;
}

/* The names of a target once more: what is tested may be ahead of what runs. */
static jnode *copy_target(binder *b, const jnode *n)
{
    jnode *copy = arena_new(&b->t->arena, 1, sizeof *copy);
    if (!copy) {
        fail_memory(b);
        return NULL;
    }
    *copy = *n;
    copy->list = NULL;
    jnode **end = &copy->list;
    for (const jnode *i = n->list; i && !b->has_failed; i = i->next) {
        if ((*end = copy_target(b, i))) end = &(*end)->next;
    }
    if (end != &copy->list) *end = NULL;
    return copy;
}

static void bind_for_test(binder *b, jscope *s, jnode *n)
{
    if (!(n->test_scope = new_scope(b, s, s->function))) return;
    if (!(n->test_target = copy_target(b, n->a))) return;
    declare_target(b, n->test_scope, n->a);
    collect_node(b, n->test_scope, n->c);
    bind_node(b, n->test_scope, n->test_target);
    bool is_soft = b->is_soft;
    b->is_soft = false;
    bind_node(b, n->test_scope, n->c);
    b->is_soft = is_soft;
}

static void bind_for(binder *b, jscope *s, jnode *n)
{
    jfunction *f = n->flag ? new_function(b, s->function) : s->function;
    refuse_loop_target(b, n->a, n);
    for (jnode *i = n->list; i; i = i->next) refuse_loop_target(b, i, n);
    bind_node(b, s, n->b);
    if (n->c) bind_for_test(b, s, n);
    if (!f || !(n->scope = new_scope(b, s, f))) return;
    n->scope->loop_slot = declare_if_read(b, n->scope, n->list, "loop");
    declare_target(b, n->scope, n->a);
    collect_body(b, n->scope, n->list);
    bind_node(b, n->scope, n->a);
    bind_scope(b, n->scope, n->list);
    if (!n->args || !(n->else_scope = new_scope(b, s, f))) return;
    collect_body(b, n->else_scope, n->args);
    bind_scope(b, n->else_scope, n->args);
}

/* A macro or call block. */
static void bind_function(binder *b, jscope *s, jnode *n)
{
    jfunction *f = new_function(b, s->function);
    if (!f || !(n->scope = new_scope(b, s, f))) return;
    bool has_caller = false, has_kwargs = false, has_varargs = false;
    for (jnode *p = n->args; p; p = p->next) {
        declare_parameter(b, n->scope, p->name);
        has_caller |= jstr_is(p->name, "caller");
        has_kwargs |= jstr_is(p->name, "kwargs");
        has_varargs |= jstr_is(p->name, "varargs");
    }
    if (!has_caller) n->scope->caller_slot = declare_if_read(b, n->scope, n->list, "caller");
    if (!has_kwargs) n->scope->kwargs_slot = declare_if_read(b, n->scope, n->list, "kwargs");
    if (!has_varargs) n->scope->varargs_slot = declare_if_read(b, n->scope, n->list, "varargs");
    for (jnode *p = n->args; p; p = p->next) collect_node(b, n->scope, p->a);
    collect_body(b, n->scope, n->list);
    bind_scope(b, n->scope, n->args);
    bind_scope(b, n->scope, n->list);
}

/* A body in a scope of the same function: set and filter blocks, with. */
static void bind_inner(binder *b, jscope *s, jnode *n)
{
    if (!(n->scope = new_scope(b, s, s->function))) return;
    for (jnode *pair = n->kind == N_WITH ? n->args : NULL; pair; pair = pair->next) {
        bind_node(b, s, pair->b);
        collect_node(b, n->scope, pair->a);
    }
    collect_body(b, n->scope, n->list);
    jnode *filter = n->kind == N_SET_BLOCK ? n->b : n->kind == N_FILTER_BLOCK ? n->a : NULL;
    collect_node(b, n->scope, filter);
    if (filter) bind_node(b, n->scope, filter);
    for (jnode *pair = n->kind == N_WITH ? n->args : NULL; pair; pair = pair->next)
        bind_node(b, n->scope, pair->a);
    bind_scope(b, n->scope, n->list);
}

/* A block is a function of its own that sees the context only. */
static void bind_block(binder *b, jnode *n)
{
    jfunction *f = new_function(b, NULL);
    if (!f || !(n->scope = new_scope(b, NULL, f))) return;
    collect_body(b, n->scope, n->list);
    bind_scope(b, n->scope, n->list);
}

static void bind_builtin(binder *b, jnode *n)
{
    bool is_filter = n->kind == N_FILTER;
    n->row = is_filter ? jfilter_find(n->name) : jtest_find(n->name);
    if (!n->row && !b->is_soft)
        fail_at(b, n, is_filter ? "No filter named" : "No test named", n->name);
}

static void bind_children(binder *b, jscope *s, jnode *n)
{
    bool is_soft = b->is_soft;
    if (n->kind == N_IF || n->kind == N_COND) b->is_soft = true;
    if (n->a) bind_node(b, s, n->a);
    if (n->kind == N_IF)
        bind_list(b, s, n->b);
    else if (n->b)
        bind_node(b, s, n->b);
    if (n->c) bind_node(b, s, n->c);
    bind_list(b, s, n->list);
    bind_list(b, s, n->args);
    b->is_soft = is_soft;
}

static void bind_inside(binder *b, jscope *s, jnode *n)
{
    switch (n->kind) {
    case N_FOR: bind_for(b, s, n); return;
    case N_MACRO:
        find_ref(s, s->function, n->name, &n->ref);
        bind_function(b, s, n);
        return;
    case N_CALL_BLOCK:
        if (n->a) bind_node(b, s, n->a);
        bind_function(b, s, n);
        return;
    case N_SET_BLOCK:
        bind_inner(b, s, n);
        bind_node(b, s, n->a);
        return;
    case N_FILTER_BLOCK:
    case N_AUTOESCAPE:
    case N_WITH: bind_inner(b, s, n); return;
    case N_BLOCK: bind_block(b, n); return;
    case N_NAME:
    case N_NSREF: find_ref(s, s->function, n->name, &n->ref); break;
    case N_FILTER:
    case N_TEST: bind_builtin(b, n); break;
    default: break;
    }
    bind_children(b, s, n);
}

static void bind_node(binder *b, jscope *s, jnode *n)
{
    if (!enter(b, n)) return;
    bind_inside(b, s, n);
    b->depth--;
}

static void bind_list(binder *b, jscope *s, jnode *list)
{
    for (jnode *n = list; n && !b->has_failed; n = n->next) bind_node(b, s, n);
}

bool jinja_bind(jinja *t, lory_err *err)
{
    binder b = { .t = t, .err = err };
    jfunction *f = new_function(&b, NULL);
    t->root = f ? new_scope(&b, NULL, f) : NULL;
    if (!t->root) return false;
    collect_list(&b, t->root, t->body);
    bind_list(&b, t->root, t->body);
    return !b.has_failed;
}
