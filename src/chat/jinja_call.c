/* jinja_call.c - calls: arguments, what they are given to, and the global functions.
 * Layer: chat. */
#include "chat/jinja_run.h"
#include "chat/jinja_time.h"
#include <string.h>

enum { MAX_RANGE = 100000 }; /* of jinja2's sandbox */

/* ---- arguments --------------------------------------------------------------------------- */

static bool put_kw(jrun *r, jargs *args, const jstr *name, jval v)
{
    for (size_t i = 0; i < args->n_kw; i++)
        if (args->kw[i].key.s->n == name->n && memcmp(args->kw[i].key.s->s, name->s, name->n) == 0)
            return jfail(r, "got multiple values for keyword argument '%.*s'",
                         jshown(name->s, name->n), name->s);
    jentry *kw = jalloc(r, args->n_kw + 1, sizeof *kw); /* few: not worth growing by halves */
    if (!kw) return false;
    if (args->n_kw) memcpy(kw, args->kw, args->n_kw * sizeof *kw);
    kw[args->n_kw++] = (jentry){ .key = jstr_value(name), .value = v };
    args->kw = kw;
    return jspend(r, args->n_kw);
}

static bool put_star(jrun *r, jlist *pos, jval v)
{
    jlist *l;
    if (!jis_iterable(v))
        return jfail(r, "argument after * must be an iterable, not %s", jtype_name(v));
    if (!jto_list(r, v, &l)) return false;
    for (size_t i = 0; i < l->n; i++)
        if (!jlist_put(r, pos, l->item[i])) return false;
    return true;
}

static bool put_star_star(jrun *r, jargs *args, jval v)
{
    if (v.type != J_DICT)
        return jfail(r, "argument after ** must be a mapping, not %s", jtype_name(v));
    for (size_t i = 0; i < v.d->n; i++) {
        if (v.d->entry[i].key.type != J_STR) return jfail(r, "keywords must be strings");
        if (!put_kw(r, args, v.d->entry[i].key.s, v.d->entry[i].value)) return false;
    }
    return true;
}

bool jargs_eval(jrun *r, const jnode *list, jargs *args)
{
    jlist *pos;
    jval v;
    *args = (jargs){ 0 };
    if (!list) return true;
    if (!jnew_list(r, 4, &pos)) return false;
    for (const jnode *n = list; n; n = n->next) {
        bool is_special = n->kind == N_KEYWORD || n->kind == N_STAR || n->kind == N_STAR_STAR;
        if (!jeval(r, is_special ? n->a : n, &v)) return false;
        bool ok = n->kind == N_KEYWORD     ? put_kw(r, args, n->name, v)
                  : n->kind == N_STAR      ? put_star(r, pos, v)
                  : n->kind == N_STAR_STAR ? put_star_star(r, args, v)
                                           : jlist_put(r, pos, v);
        if (!ok) return false;
    }
    args->pos = pos->item;
    args->n_pos = pos->n;
    return true;
}

/* ---- what can be called ------------------------------------------------------------------ */

static bool call_method(jrun *r, const jmethod *m, const jargs *args, jval *out)
{
    if (!jbuiltin_call(r, m->row, m->self, args, out)) return false;
    /* What comes from a Markup is one, as are its parts. */
    if (m->self.type != J_STR || !m->self.s->is_safe) return true;
    for (size_t i = 0; jis_seq(*out) && i < out->l->n; i++)
        if (!jmark_safe(r, out->l->item[i].s, &out->l->item[i])) return false;
    return out->type != J_STR || jmark_safe(r, out->s, out);
}

static bool call_loop(jrun *r, jloop *loop, const jargs *args, jval *out)
{
    if (args->n_pos != 1 || args->n_kw) return jfail(r, "loop() takes one argument");
    if (!loop->node->flag)
        return jfail(r, "The loop must have the 'recursive' marker to be called recursively.");
    return jrun_loop(r, loop, args->pos[0], out);
}

static bool call_joiner(jrun *r, jjoiner *j, jval *out)
{
    *out = j->separator;
    if (!j->is_used && !jnew_text(r, "", out)) return false;
    j->is_used = true;
    return true;
}

bool jcall(jrun *r, jval f, const jargs *args, jval *out)
{
    switch (f.type) {
    case J_UNDEF: return jfail_undef(r, f);
    case J_FUNC: return jbuiltin_call(r, f.p, jnone(), args, out);
    case J_METHOD: return call_method(r, f.p, args, out);
    case J_MACRO:
        return jrun_macro(r, f.p, args, out)
               && (!r->autoescape || jmark_safe(r, out->s, out));
    case J_LOOP: return call_loop(r, f.p, args, out);
    case J_JOINER: return call_joiner(r, f.p, out);
    default: return jfail(r, "'%s' object is not callable", jtype_name(f));
    }
}

bool jcall_node(jrun *r, const jnode *n, const jval *caller, jval *out)
{
    static const jstr caller_name = { .s = "caller", .n = 6, .is_ascii = true };
    jval f;
    jargs args;
    if (!jeval(r, n->a, &f) || !jargs_eval(r, n->args, &args)) return false;
    if (caller && !put_kw(r, &args, &caller_name, *caller)) return false;
    r->at = n->at;
    return jcall(r, f, &args, out);
}

/* ---- global functions -------------------------------------------------------------------- */

static bool make_range(jrun *r, int64_t start, int64_t stop, int64_t step, jval *out)
{
    jrange *range = jalloc(r, 1, sizeof *range);
    if (!range) return false;
    *range = (jrange){ .start = start, .stop = stop, .step = step };
    if (step == 0) return jfail(r, "range() arg 3 must not be zero");
    bool has_items = step > 0 ? start < stop : start > stop;
    if (has_items) {
        uint64_t span =
            step > 0 ? (uint64_t)stop - (uint64_t)start : (uint64_t)start - (uint64_t)stop;
        uint64_t size = step > 0 ? (uint64_t)step : 0 - (uint64_t)step, n = (span - 1) / size + 1;
        if (n > MAX_RANGE)
            return jfail(r, "Range too big. The sandbox blocks ranges larger than MAX_RANGE (%d).",
                         MAX_RANGE);
        range->n = (int64_t)n;
    }
    *out = (jval){ .type = J_RANGE, .range = range };
    return true;
}

static bool global_range(jrun *r, const jval *a, jval *out)
{
    int64_t v[3] = { 0, 0, 1 };
    for (int i = 0; i < 3; i++) {
        if (a[i + 1].type == J_MISSING) continue;
        if (a[i + 1].type == J_UNDEF) return jfail_undef(r, a[i + 1]);
        if (!jis_int(a[i + 1]))
            return jfail(r, "'%s' object cannot be interpreted as an integer",
                         jtype_name(a[i + 1]));
        v[i] = jint_of(a[i + 1]);
    }
    if (a[2].type == J_MISSING) return make_range(r, 0, v[0], 1, out);
    return make_range(r, v[0], v[1], v[2], out);
}

/* dict(mapping or pairs, **more) */
static bool fill_dict(jrun *r, jdict *d, const jargs *args)
{
    jlist *pairs, *pair;
    if (args->n_pos > 1) return jfail(r, "dict expected at most 1 argument, got %zu", args->n_pos);
    jval from = args->n_pos ? args->pos[0] : jnone();
    if (from.type == J_UNDEF) return jfail_undef(r, from); /* it is asked for its keys */
    if (from.type == J_DICT && !jnew_view(r, from.d, JVIEW_ITEMS, &from)) return false;
    if (args->n_pos) {
        if (!jto_list(r, from, &pairs)) return false;
        for (size_t i = 0; i < pairs->n; i++) {
            if (!jis_iterable(pairs->item[i]) || !jto_list(r, pairs->item[i], &pair))
                return jfail(
                    r, "cannot convert dictionary update sequence element #%zu to a sequence", i);
            if (pair->n != 2)
                return jfail(
                    r, "dictionary update sequence element #%zu has length %zu; 2 is required", i,
                    pair->n);
            if (!jdict_put(r, d, pair->item[0], pair->item[1])) return false;
        }
    }
    for (size_t i = 0; i < args->n_kw; i++)
        if (!jdict_put(r, d, args->kw[i].key, args->kw[i].value)) return false;
    return true;
}

static bool global_dict(jrun *r, jval self, const jargs *args, jval *out)
{
    jdict *d;
    (void)self;
    if (!jnew_dict(r, &d) || !fill_dict(r, d, args)) return false;
    *out = jdict_value(d);
    return true;
}

static bool global_namespace(jrun *r, jval self, const jargs *args, jval *out)
{
    if (!global_dict(r, self, args, out)) return false;
    out->type = J_NAMESPACE;
    return true;
}

static bool global_raise(jrun *r, const jval *a, jval *out)
{
    const jstr *s;
    (void)out;
    return jto_str(r, a[1], &s) && jfail_raised(r, s);
}

static bool global_strftime_now(jrun *r, const jval *a, jval *out)
{
    if (a[1].type != J_STR)
        return jfail(r, "strftime() argument 1 must be str, not %s", jtype_name(a[1]));
    jtext *t = jtext_open(r);
    return t && jtime_format(r, t, r->now, a[1].s) && jtext_finish_whole(r, t, out);
}

static bool global_cycler(jrun *r, jval self, const jargs *args, jval *out)
{
    jcycler *c = jalloc(r, 1, sizeof *c);
    (void)self;
    if (args->n_kw) return jfail(r, "cycler() takes no keyword arguments");
    if (!args->n_pos) return jfail(r, "at least one item has to be provided");
    if (!c || !jnew_list(r, args->n_pos, &c->item)) return false;
    for (size_t i = 0; i < args->n_pos; i++) c->item->item[c->item->n++] = args->pos[i];
    *out = (jval){ .type = J_CYCLER, .p = c };
    return true;
}

static bool global_joiner(jrun *r, const jval *a, jval *out)
{
    jjoiner *j = jalloc(r, 1, sizeof *j);
    if (!j) return false;
    j->separator = a[1];
    if (a[1].type == J_MISSING && !jnew_text(r, ", ", &j->separator)) return false;
    *out = (jval){ .type = J_JOINER, .p = j };
    return true;
}

static const jbuiltin globals[] = {
    { "range", global_range, "/start,stop,step", 1, NULL, NULL },
    { "dict", NULL, NULL, 0, global_dict, NULL },
    { "namespace", NULL, NULL, 0, global_namespace, NULL },
    { "raise_exception", global_raise, "message", 1, NULL, NULL },
    { "strftime_now", global_strftime_now, "format", 1, NULL, NULL },
    { "cycler", NULL, NULL, 0, global_cycler, NULL },
    { "joiner", global_joiner, "sep", 0, NULL, NULL },
    { "lipsum", NULL, NULL, 0, NULL, "its text is random" },
};

bool jglobals_add(jrun *r, jdict *d)
{
    jval name;
    for (size_t i = 0; i < sizeof globals / sizeof globals[0]; i++) {
        jval f = { .type = J_FUNC, .p = (void *)&globals[i] };
        if (!jnew_text(r, globals[i].name, &name) || !jdict_put(r, d, name, f)) return false;
    }
    return true;
}
