/* jinja_get.c - attributes, items and slices of values.
 * Layer: chat. The order of jinja2's sandbox: `a.b` asks the attribute first, `a['b']` the item,
 * and each the other next. */
#include "chat/jinja_run.h"
#include <stdio.h>
#include <string.h>

/* ---- attributes -------------------------------------------------------------------------- */

/* Methods that change a list or dictionary are there, but not to be used. */
static bool is_mutator(jval obj, const jstr *name)
{
    static const char *const of_list[] = { "append", "clear", "pop",    "reverse",
                                           "insert", "sort",  "extend", "remove" };
    static const char *const of_dict[] = { "clear", "pop", "popitem", "setdefault", "update" };
    if (obj.type == J_LIST)
        for (size_t i = 0; i < sizeof of_list / sizeof of_list[0]; i++)
            if (jstr_is(name, of_list[i])) return true;
    if (obj.type == J_DICT)
        for (size_t i = 0; i < sizeof of_dict / sizeof of_dict[0]; i++)
            if (jstr_is(name, of_dict[i])) return true;
    return false;
}

/* Undefined in a way that says why when it is used. */
static bool new_unsafe(jrun *r, jval obj, const jstr *name, jval *out)
{
    enum { MAX_HINT = 256 };
    char *hint = jalloc(r, MAX_HINT, 1);
    if (!hint) return false;
    snprintf(hint, MAX_HINT, "access to attribute '%.*s' of '%s' object is unsafe.",
             (int)utf8_cut(name->s, name->n, 100), name->s, jtype_name(obj));
    return jnew_undef_hint(r, hint, out);
}

static bool new_method(jrun *r, const jbuiltin *row, jval self, jval *out)
{
    if (row->refused) return jfail(r, "%s is not supported: %s", row->name, row->refused);
    jmethod *m = jalloc(r, 1, sizeof *m);
    if (!m) return false;
    *m = (jmethod){ row, self };
    *out = (jval){ .type = J_METHOD, .p = m };
    return true;
}

/* Names that every Python object has, like __class__. */
static bool is_dunder(const jstr *name)
{
    return name->n > 4 && memcmp(name->s, "__", 2) == 0
           && memcmp(name->s + name->n - 2, "__", 2) == 0;
}

static bool macro_attr(jrun *r, jval obj, const jstr *name, jval *out)
{
    const jmacro *m = obj.p;
    jlist *l;
    if (jstr_is(name, "name")) {
        *out = m->node->name ? jstr_value(m->node->name) : jnone();
    } else if (jstr_is(name, "arguments")) {
        if (!jnew_list(r, 4, &l)) return false;
        for (const jnode *p = m->node->args; p; p = p->next)
            if (!jlist_put(r, l, jstr_value(p->name))) return false;
        *out = jtuple_value(l);
    } else if (jstr_is(name, "caller")) {
        *out = jbool(m->node->scope->caller_slot >= 0);
    } else if (jstr_is(name, "catch_kwargs")) {
        *out = jbool(m->node->scope->kwargs_slot >= 0);
    } else if (jstr_is(name, "catch_varargs")) {
        *out = jbool(m->node->scope->varargs_slot >= 0);
    }
    return true;
}

static void range_attr(jval obj, const jstr *name, jval *out)
{
    if (jstr_is(name, "start"))
        *out = jint(obj.range->start);
    else if (jstr_is(name, "stop"))
        *out = jint(obj.range->stop);
    else if (jstr_is(name, "step"))
        *out = jint(obj.range->step);
}

static void number_attr(jval obj, const jstr *name, jval *out)
{
    bool is_float = obj.type == J_FLOAT;
    jval whole = obj.type == J_BOOL ? jint(obj.b) : obj;
    if (jstr_is(name, "real"))
        *out = whole;
    else if (jstr_is(name, "imag"))
        *out = is_float ? jfloat(0) : jint(0);
    else if (!is_float && jstr_is(name, "numerator"))
        *out = whole;
    else if (!is_float && jstr_is(name, "denominator"))
        *out = jint(1);
}

static void cycler_attr(jval obj, const jstr *name, jval *out)
{
    const jcycler *c = obj.p;
    if (jstr_is(name, "current"))
        *out = c->item->item[c->at];
    else if (jstr_is(name, "pos"))
        *out = jint((int64_t)c->at);
    else if (jstr_is(name, "items"))
        *out = jtuple_value(c->item);
}

/* getattr(obj, name) of Python; J_MISSING when there is no such attribute. */
static bool get_python_attr(jrun *r, jval obj, jval name, jval *out)
{
    const jval *found;
    *out = (jval){ .type = J_MISSING };
    if (obj.type == J_UNDEF) return is_dunder(name.s) ? true : jfail_undef(r, obj);
    if (obj.type == J_NAMESPACE) {
        if (!jdict_get(r, obj.d, name, &found)) return false;
        if (found) *out = *found;
        return true;
    }
    if (is_dunder(name.s) || is_mutator(obj, name.s)) return new_unsafe(r, obj, name.s, out);
    const jbuiltin *row = jmethod_find(obj, name.s);
    if (row) return new_method(r, row, obj, out);
    if (obj.type == J_LOOP) return jloop_attr(r, obj.p, name.s, out);
    if (obj.type == J_MACRO) return macro_attr(r, obj, name.s, out);
    if (obj.type == J_TUPLE && obj.l->is_group && jstr_is(name.s, "grouper")) *out = obj.l->item[0];
    if (obj.type == J_TUPLE && obj.l->is_group && jstr_is(name.s, "list")) *out = obj.l->item[1];
    if (jis_number(obj) || obj.type == J_BIG) number_attr(obj, name.s, out);
    if (obj.type == J_RANGE) range_attr(obj, name.s, out);
    if (obj.type == J_CYCLER) cycler_attr(obj, name.s, out);
    return true;
}

/* obj[key] of Python; J_MISSING when it has none or can't be asked. */
static bool get_python_item(jrun *r, jval obj, jval key, jval *out)
{
    const jval *found;
    *out = (jval){ .type = J_MISSING };
    if (obj.type == J_UNDEF) return jfail_undef(r, obj);
    if (obj.type == J_DICT) {
        if (key.type == J_LIST || key.type == J_DICT) return true; /* has no hash */
        if (!jdict_get(r, obj.d, key, &found)) return false;
        if (found) *out = *found;
        return true;
    }
    size_t n;
    bool is_indexed = obj.type == J_STR || jis_seq(obj) || obj.type == J_RANGE;
    if (!is_indexed || !jis_int(key) || !jlength(obj, &n)) return true;
    int64_t i = jint_of(key);
    if (i < 0) i += (int64_t)n;
    if (i < 0 || (size_t)i >= n) return true;
    if (jis_seq(obj))
        *out = obj.l->item[i];
    else if (obj.type == J_RANGE)
        *out = jint(obj.range->start + i * obj.range->step);
    else {
        if (!obj.s->is_ascii && !jspend(r, n / 8)) return false;
        return jnew_slice(r, obj.s, jstr_offset(obj.s, (size_t)i),
                          jstr_offset(obj.s, (size_t)i + 1), out);
    }
    return true;
}

bool jget_attr(jrun *r, jval obj, jval name, jval *out)
{
    if (!get_python_attr(r, obj, name, out)) return false;
    if (out->type != J_MISSING) {
        bool is_private = name.s->n && name.s->s[0] == '_' && out->type != J_UNDEF;
        return is_private ? new_unsafe(r, obj, name.s, out) : true;
    }
    if (!get_python_item(r, obj, name, out)) return false;
    return out->type != J_MISSING || jnew_undef(r, obj, name, out);
}

bool jget_item(jrun *r, jval obj, jval key, jval *out)
{
    if (!get_python_item(r, obj, key, out)) return false;
    if (out->type != J_MISSING) return true;
    if (key.type == J_STR) {
        if (!get_python_attr(r, obj, key, out)) return false;
        if (out->type != J_MISSING) return true;
    }
    return jnew_undef(r, obj, key, out);
}

/* ---- slices ------------------------------------------------------------------------------ */

/* A bound as an index into n items, clipped to low .. high. */
static bool clip(jrun *r, jval v, int64_t n, int64_t low, int64_t high, int64_t *i)
{
    if (!jis_int(v))
        return jfail(r, "slice indices must be integers or None or have an __index__ method");
    *i = jint_of(v);
    if (*i < 0) *i += n;
    if (*i < low) *i = low;
    if (*i > high) *i = high;
    return true;
}

/* Python's slice.indices: the items start, start + step, ..., n_items of them. */
static bool resolve_slice(jrun *r, const jval bound[3], int64_t n, int64_t *start, int64_t *step,
                          int64_t *n_items)
{
    *step = 1;
    if (bound[2].type != J_NONE) {
        if (!clip(r, bound[2], 0, -INT32_MAX, INT32_MAX, step)) return false;
        if (*step == 0) return jfail(r, "slice step cannot be zero");
    }
    bool is_back = *step < 0;
    int64_t low = is_back ? -1 : 0, high = is_back ? n - 1 : n;
    int64_t stop = is_back ? -1 : n;
    *start = is_back ? n - 1 : 0;
    if (bound[0].type != J_NONE && !clip(r, bound[0], n, low, high, start)) return false;
    if (bound[1].type != J_NONE && !clip(r, bound[1], n, low, high, &stop)) return false;
    int64_t span = is_back ? *start - stop : stop - *start, size = is_back ? -*step : *step;
    *n_items = span > 0 ? (span + size - 1) / size : 0;
    return true;
}

static bool slice_str(jrun *r, const jstr *s, int64_t start, int64_t step, int64_t n, jval *out)
{
    if (!jspend(r, s->is_ascii ? 1 : s->n / 8)) return false;
    if (step == 1) {
        size_t from = jstr_offset(s, (size_t)start);
        size_t to = s->is_ascii ? from + (size_t)n : jstr_offset(s, (size_t)(start + n));
        return jnew_slice(r, s, from, n ? to : from, out);
    }
    /* Byte offsets of all characters, so that any step costs the same. */
    size_t n_chars = jstr_count(s), at = 0;
    size_t *offset = jalloc(r, n_chars + 1, sizeof *offset);
    jtext *t = jtext_open(r);
    if (!offset || !t || !jspend(r, n_chars)) return false;
    for (size_t i = 0; i < s->n; i++)
        if (((unsigned char)s->s[i] & 0xC0) != 0x80) offset[at++] = i;
    offset[at] = s->n;
    for (int64_t k = 0, i = start; k < n; k++, i += step)
        if (!jtext_put_part(r, t, s, offset[i], offset[i + 1])) return false;
    return jtext_finish(r, t, out);
}

static bool slice_seq(jrun *r, jval obj, int64_t start, int64_t step, int64_t n, jval *out)
{
    jlist *l;
    if (!jspend(r, (size_t)n) || !jnew_list(r, (size_t)n, &l)) return false;
    for (int64_t k = 0; k < n; k++) l->item[l->n++] = obj.l->item[start + k * step];
    *out = (jval){ .type = obj.type, .l = l };
    return true;
}

bool jget_slice(jrun *r, jval obj, const jval bound[3], jval *out)
{
    size_t n;
    int64_t start, step, n_items;
    if (obj.type == J_UNDEF) return jfail_undef(r, obj);
    if (obj.type == J_DICT) return jfail(r, "unhashable type: 'slice'");
    bool can_slice = obj.type == J_STR || jis_seq(obj) || obj.type == J_RANGE;
    if (!can_slice || !jlength(obj, &n))
        return jfail(r, "'%s' object is not subscriptable", jtype_name(obj));
    if (!resolve_slice(r, bound, (int64_t)n, &start, &step, &n_items)) return false;
    if (obj.type == J_STR) {
        if (!slice_str(r, obj.s, start, step, n_items, out)) return false;
        return !obj.s->is_safe || jmark_safe(r, out->s, out);
    }
    if (jis_seq(obj)) return slice_seq(r, obj, start, step, n_items, out);
    jrange *range = jalloc(r, 1, sizeof *range);
    if (!range) return false;
    const jrange *from = obj.range;
    *range = (jrange){ .start = from->start + start * from->step,
                       .step = from->step * step,
                       .n = n_items };
    range->stop = range->start + n_items * range->step;
    *out = (jval){ .type = J_RANGE, .range = range };
    return true;
}
