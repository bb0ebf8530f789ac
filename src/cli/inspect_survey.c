/* inspect_survey.c - what the library says of a file: what it does not know, and its plan; see
 * inspect.h. */
#include "base/err.h"
#include "cli/inspect.h"
#include <string.h>

typedef struct {
    inspection *x;
    size_t cap;
    bool has_failed; /* no memory */
} collector;

static bool grow(void **items, size_t n, size_t *cap, size_t size)
{
    if (n < *cap) return true;
    void *more = mem_resize(*items, *cap, 2 * *cap + 16, size);
    if (!more) return false;
    *items = more;
    *cap = 2 * *cap + 16;
    return true;
}

/* Quadratic in the patterns, which are few but in a file that means harm: those are cut off. */
static void on_finding(void *user, const lory_finding *f)
{
    enum { MAX_FINDINGS = 1000 };
    collector *c = user;
    inspection *x = c->x;
    void *items = x->finding;
    if (x->n_finding == MAX_FINDINGS || c->has_failed) return;
    char *name = arena_new(&x->arena, f->n_name + 1, 1);
    const char *text = arena_strndup(&x->arena, f->text, strlen(f->text));
    c->has_failed = !name || !text || !grow(&items, x->n_finding, &c->cap, sizeof *x->finding);
    x->finding = items;
    if (c->has_failed) return;
    name[gguf_name_pattern((gguf_str){ f->name, f->n_name }, name)] = '\0';
    for (size_t i = 0; i < x->n_finding; i++) {
        inspect_finding *o = &x->finding[i];
        if (o->kind != f->kind || strcmp(o->name, name) != 0 || strcmp(o->text, text) != 0)
            continue;
        o->n++;
        return;
    }
    x->finding[x->n_finding++] = (inspect_finding){ f->kind, name, text, 1 };
}

bool inspect_survey(inspection *x, lory_err *err)
{
    collector c = { .x = x };
    if (!lory_survey(x->path, on_finding, &c, err)) return false;
    return !c.has_failed || err_set(err, LORY_E_MEMORY, "%s: no memory", x->path);
}

static void on_step(void *user, const lory_plan_step *s)
{
    collector *c = user;
    inspection *x = c->x;
    void *items = x->step;
    const char *text = arena_strndup(&x->arena, s->text, strlen(s->text));
    c->has_failed |= !text || !grow(&items, x->n_step, &c->cap, sizeof *x->step);
    x->step = items;
    if (!c->has_failed)
        x->step[x->n_step++] = (inspect_step){ s->first_layer, s->last_layer, text };
}

bool inspect_plan(inspection *x, const lory_model *m, const lory_session_params *p, lory_err *err)
{
    collector c = { .x = x };
    if (!lory_describe_plan(m, p, on_step, &c, err)) return false;
    return !c.has_failed || err_set(err, LORY_E_MEMORY, "%s: no memory", x->path);
}

void inspect_free(inspection *x)
{
    mem_free(x->finding);
    mem_free(x->step);
    arena_free(&x->arena);
    gguf_close(&x->g);
}

bool inspect_runs(const inspection *x)
{
    for (size_t i = 0; i < x->n_finding; i++)
        if (x->finding[i].kind != LORY_UNUSED_KEY) return false;
    return x->has_plan || x->plan_err.code == LORY_E_MEMORY;
}
