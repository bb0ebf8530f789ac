/* jinja_iter.c - going through values one by one, and what rests on that.
 * Layer: chat. */
#include "base/utf8.h"
#include "chat/jinja_builtin.h"

jiter *jiter_new(jrun *r, const char *type_name, jval source)
{
    jiter *it = jalloc(r, 1, sizeof *it);
    if (it) *it = (jiter){ .type_name = type_name, .source = source };
    return it;
}

static jiter_result next_item(jrun *r, jiter *it, jval *out)
{
    (void)r;
    const jlist *l = it->source.l;
    if ((size_t)it->i >= l->n) return JITER_END;
    size_t i = (size_t)it->i++;
    *out = l->item[it->is_reversed ? l->n - 1 - i : i];
    return JITER_VALUE;
}

static jiter_result next_char(jrun *r, jiter *it, jval *out)
{
    const jstr *s = it->source.s;
    uint32_t cp;
    size_t at = (size_t)it->i;
    if (at >= s->n) return JITER_END;
    size_t len = utf8_decode(s->s + at, s->n - at, &cp);
    it->i += (int64_t)len;
    return jnew_slice(r, s, at, at + len, out) ? JITER_VALUE : JITER_ERROR;
}

static jiter_result next_char_back(jrun *r, jiter *it, jval *out)
{
    const jstr *s = it->source.s;
    size_t end = s->n - (size_t)it->i, at = end;
    if (end == 0) return JITER_END;
    do at--;
    while (at > 0 && ((unsigned char)s->s[at] & 0xC0) == 0x80);
    it->i += (int64_t)(end - at);
    return jnew_slice(r, s, at, end, out) ? JITER_VALUE : JITER_ERROR;
}

static jiter_result next_number(jrun *r, jiter *it, jval *out)
{
    (void)r;
    const jrange *range = it->source.range;
    if (it->i >= range->n) return JITER_END;
    int64_t i = it->i++;
    *out = jint(range->start + (it->is_reversed ? range->n - 1 - i : i) * range->step);
    return JITER_VALUE;
}

static jiter_result next_entry(jrun *r, jiter *it, jval *out)
{
    const jview view = it->source.type == J_VIEW ? *(const jview *)it->source.p
                                                 : (jview){ JVIEW_KEYS, it->source.d };
    if ((size_t)it->i >= view.d->n) return JITER_END;
    size_t i = (size_t)it->i++;
    const jentry *e = &view.d->entry[it->is_reversed ? view.d->n - 1 - i : i];
    if (view.kind == JVIEW_ITEMS)
        return jnew_pair(r, e->key, e->value, out) ? JITER_VALUE : JITER_ERROR;
    *out = view.kind == JVIEW_KEYS ? e->key : e->value;
    return JITER_VALUE;
}

static jiter_result next_nothing(jrun *r, jiter *it, jval *out)
{
    (void)r, (void)it, (void)out;
    return JITER_END;
}

bool jis_iterable(jval v)
{
    switch (v.type) {
    case J_UNDEF:
    case J_STR:
    case J_LIST:
    case J_TUPLE:
    case J_DICT:
    case J_RANGE:
    case J_VIEW:
    case J_ITER:
    case J_LOOP: return true;
    default: return false;
    }
}

jiter *jiter_of(jrun *r, jval v)
{
    if (v.type == J_ITER) return v.iter;
    jiter *it = jiter_new(r, "iterator", v);
    if (!it) return NULL;
    switch (v.type) {
    case J_UNDEF: it->next = next_nothing; return it;
    case J_STR: it->next = next_char; return it;
    case J_LIST:
    case J_TUPLE: it->next = next_item; return it;
    case J_RANGE: it->next = next_number; return it;
    case J_DICT:
    case J_VIEW: it->next = next_entry; return it;
    case J_LOOP: jfail(r, "going through `loop` itself is not supported"); return NULL;
    default: jfail(r, "'%s' object is not iterable", jtype_name(v)); return NULL;
    }
}

jiter *jiter_reversed(jrun *r, jval v)
{
    static const char *const names[] = {
        [J_UNDEF] = "reversed",
        [J_STR] = "reversed",
        [J_LIST] = "list_reverseiterator",
        [J_TUPLE] = "reversed",
        [J_DICT] = "dict_reversekeyiterator",
        [J_RANGE] = "range_iterator",
        [J_VIEW] = "dict_reverseitemiterator",
    };
    if ((size_t)v.type >= sizeof names / sizeof names[0] || !names[v.type]) return NULL;
    jiter *it = jiter_of(r, v);
    if (!it) return NULL;
    if (v.type == J_STR) it->next = next_char_back;
    it->type_name = names[v.type];
    it->is_reversed = true;
    return it;
}

bool jto_list(jrun *r, jval v, jlist **out)
{
    jval item;
    jiter *it = jiter_of(r, v);
    if (!it || !jnew_list(r, jis_seq(v) ? v.l->n : 0, out)) return false;
    for (;;) {
        jiter_result got = jiter_next(r, it, &item);
        if (got != JITER_VALUE) return got == JITER_END;
        if (!jlist_put(r, *out, item)) return false;
    }
}

static bool find_in(jrun *r, jval box, jval v, bool *out)
{
    jval item;
    *out = false;
    jiter *it = jiter_of(r, box);
    if (!it) return false;
    while (!*out) {
        jiter_result got = jiter_next(r, it, &item);
        if (got != JITER_VALUE) return got == JITER_END;
        if (!jequal(r, item, v, out)) return false;
    }
    return true;
}

bool jcontains(jrun *r, jval box, jval v, bool *out)
{
    const jval *found;
    if (box.type == J_STR) {
        if (v.type != J_STR)
            return jfail(r, "'in <string>' requires string as left operand, not %s", jtype_name(v));
        *out = jstr_find(box.s, 0, box.s->n, v.s) != SIZE_MAX;
        return jspend(r, box.s->n / 16);
    }
    if (box.type == J_DICT || (box.type == J_VIEW && ((jview *)box.p)->kind == JVIEW_KEYS)) {
        const jdict *d = box.type == J_DICT ? box.d : ((jview *)box.p)->d;
        if (!jdict_get(r, d, v, &found)) return false;
        *out = found != NULL;
        return true;
    }
    if (!jis_iterable(box))
        return jfail(r, "argument of type '%s' is not iterable", jtype_name(box));
    return find_in(r, box, v, out);
}
