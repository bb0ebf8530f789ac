/* jinja_budget.c - see jinja_value.h: what a rendering may use up, and the error that ends it. */
#include "chat/jinja_ast.h"
#include <stdarg.h>
#include <stdio.h>

bool jfail(jrun *r, const char *fmt, ...)
{
    char what[LORY_ERR_MAX];
    size_t line, column;
    va_list ap;
    if (r->is_stopped) return false; /* the first error is the one to tell */
    r->is_stopped = true;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    jinja_place(r->t, r->at, &line, &column);
    return err_set(r->err, LORY_E_FORMAT, "%s: line %zu, column %zu: %s", r->t->name, line,
                   column, what);
}

bool jfail_memory(jrun *r)
{
    if (r->is_stopped) return false;
    r->is_stopped = true;
    return err_set(r->err, LORY_E_MEMORY, "%s: no memory to render it", r->t->name);
}

bool jfail_raised(jrun *r, const jstr *message)
{
    if (r->is_stopped) return false;
    r->is_stopped = true;
    int n = message->n < LORY_ERR_MAX ? (int)message->n : LORY_ERR_MAX;
    return err_set(r->err, LORY_E_FORMAT, "%s: %.*s", r->t->name, n, message->s);
}

bool jspend(jrun *r, size_t n)
{
    r->n_steps += n;
    return (r->n_steps <= r->max_steps && n <= r->max_steps)
           || jfail(r, "the template takes too long (more than %llu steps)",
                    (unsigned long long)r->max_steps);
}

bool jenter(jrun *r)
{
    if (r->depth >= r->max_depth)
        return jfail(r, "nested too deeply (more than %d levels)", r->max_depth);
    r->depth++;
    return true;
}

void jleave(jrun *r)
{
    r->depth--;
}

void *jalloc(jrun *r, size_t n, size_t size)
{
    size_t n_bytes;
    if (!mem_mul(n, size, &n_bytes) || n_bytes > r->max_bytes - r->n_bytes) {
        jfail(r, "the template takes too much memory (more than %zu bytes)", r->max_bytes);
        return NULL;
    }
    void *p = arena_new(&r->arena, n, size);
    if (p)
        r->n_bytes += n_bytes;
    else
        jfail_memory(r);
    return p;
}
