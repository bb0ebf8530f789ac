/* jinja_filters_seq.c - the filters that work on sequences. Those that Python writes as generators
 * are lazy here too: what is wrong with an item shows when the item is asked for.
 * Layer: chat. */
#include "chat/jinja_run.h"
#include <string.h>

/* ---- attributes of items ------------------------------------------------------------------- */

/* How a filter looks at an item: a path of names and numbers, then perhaps lower case. */
typedef struct {
    jlist *path;   /* NULL: the item itself */
    jval fallback; /* for what is undefined; J_MISSING = none */
    bool ignores_case;
} getter;

/* "a.b.0" as its parts. */
static bool parse_path(jrun *r, jval attribute, jlist **out)
{
    if (!jnew_list(r, 2, out)) return false;
    if (attribute.type != J_STR) return jlist_put(r, *out, attribute);
    const jstr *s = attribute.s;
    for (size_t at = 0, end; at <= s->n; at = end + 1) {
        jval part;
        int64_t i = 0;
        for (end = at; end < s->n && s->s[end] != '.';) end++;
        bool is_number = end > at && end - at < 18;
        for (size_t k = at; k < end && is_number; k++) {
            is_number = s->s[k] >= '0' && s->s[k] <= '9';
            i = i * 10 + (s->s[k] - '0');
        }
        if (!jnew_slice(r, s, at, end, &part) || !jlist_put(r, *out, is_number ? jint(i) : part))
            return false;
    }
    return true;
}

static bool is_given(jval v)
{
    return v.type != J_MISSING && v.type != J_NONE;
}

static bool new_getter(jrun *r, jval attribute, jval fallback, bool ignores_case, getter *g)
{
    *g = (getter){ .ignores_case = ignores_case };
    if (fallback.type != J_NONE) g->fallback = fallback;
    return !is_given(attribute) || parse_path(r, attribute, &g->path);
}

static bool get(jrun *r, const getter *g, jval item, jval *out)
{
    *out = item;
    for (size_t i = 0; g->path && i < g->path->n; i++) {
        if (!jget_item(r, *out, g->path->item[i], out)) return false;
        if (out->type == J_UNDEF && g->fallback.type != J_MISSING) *out = g->fallback;
    }
    if (g->ignores_case && out->type == J_STR) return jstr_case(r, out->s, JCASE_LOWER, out);
    return true;
}

static bool flag(jval v)
{
    return v.type != J_MISSING && jtruth(v);
}

/* ---- map, select and their kin ------------------------------------------------------------- */

typedef struct {
    getter attribute;
    const jbuiltin *row; /* the filter or test; NULL: truth */
    jval name;           /* of the filter or test, when there is none of it */
    jargs args;
    bool rejects, is_map, is_ready;
    jargs given; /* looked at when the first item is asked for, as a generator does */
    bool by_attribute;
} selection;

static bool fail_builtin(jrun *r, const selection *s)
{
    jtext *t = jtext_open(r);
    if (!t || !jtext_put_repr(r, t, s->name)) return false;
    return jfail(r, "No %s named %.*s.", s->is_map ? "filter" : "test",
                 (int)utf8_cut(t->s, t->n, 100), t->s);
}

/* The first argument names a filter or test, the rest go to it. */
static bool take_builtin(jrun *r, selection *s, size_t from)
{
    s->name = s->given.pos[from];
    if (s->name.type == J_STR) s->row = s->is_map ? jfilter_find(s->name.s) : jtest_find(s->name.s);
    if (!s->row) return fail_builtin(r, s);
    s->args =
        (jargs){ s->given.pos + from + 1, s->given.n_pos - from - 1, s->given.kw, s->given.n_kw };
    return true;
}

static bool prepare_map(jrun *r, selection *s)
{
    jval attribute = { .type = J_MISSING }, fallback = { .type = J_MISSING };
    if (s->given.n_pos > 0) return take_builtin(r, s, 0);
    for (size_t i = 0; i < s->given.n_kw; i++) {
        const jentry *kw = &s->given.kw[i];
        if (jstr_is(kw->key.s, "attribute"))
            attribute = kw->value;
        else if (jstr_is(kw->key.s, "default"))
            fallback = kw->value;
        else
            return jfail(r, "Unexpected keyword argument '%.*s'",
                         jshown(kw->key.s->s, kw->key.s->n), kw->key.s->s);
    }
    if (attribute.type == J_MISSING) return jfail(r, "map requires a filter argument");
    return new_getter(r, attribute, fallback, false, &s->attribute);
}

static bool prepare_select(jrun *r, selection *s)
{
    size_t from = 0;
    if (s->by_attribute) {
        if (s->given.n_pos == 0) return jfail(r, "Missing parameter for attribute name");
        if (!new_getter(r, s->given.pos[0], jnone(), false, &s->attribute)) return false;
        from = 1;
    }
    return s->given.n_pos <= from || take_builtin(r, s, from);
}

static bool prepare(jrun *r, jiter *it)
{
    selection *s = it->state;
    if (s->is_ready) return true;
    s->is_ready = true;
    if (!(s->is_map ? prepare_map(r, s) : prepare_select(r, s))) return false;
    return (it->in = jiter_of(r, it->source));
}

static jiter_result next_mapped(jrun *r, jiter *it, jval *out)
{
    const selection *s = it->state;
    jval item;
    if (!jtruth(it->source)) return JITER_END; /* `if value:` of jinja2: None is as good as empty */
    if (!prepare(r, it)) return JITER_ERROR;
    jiter_result got = jiter_next(r, it->in, &item);
    if (got != JITER_VALUE) return got;
    bool ok =
        s->row ? jbuiltin_call(r, s->row, item, &s->args, out) : get(r, &s->attribute, item, out);
    return ok ? got : JITER_ERROR;
}

static jiter_result next_selected(jrun *r, jiter *it, jval *out)
{
    const selection *s = it->state;
    jval seen;
    if (!jtruth(it->source)) return JITER_END;
    if (!prepare(r, it)) return JITER_ERROR;
    for (;;) {
        jiter_result got = jiter_next(r, it->in, out);
        if (got != JITER_VALUE) return got;
        if (!get(r, &s->attribute, *out, &seen)) return JITER_ERROR;
        if (s->row && !jbuiltin_call(r, s->row, seen, &s->args, &seen)) return JITER_ERROR;
        if (jtruth(seen) != s->rejects) return got;
    }
}

static bool new_selection(jrun *r, jval source, const jargs *args, selection how, jval *out)
{
    jiter *it = jiter_new(r, "generator", source);
    selection *s = jalloc(r, 1, sizeof *s);
    if (!it || !s) return false;
    *s = how;
    s->given = *args;
    it->state = s;
    it->next = how.is_map ? next_mapped : next_selected;
    *out = (jval){ .type = J_ITER, .iter = it };
    return true;
}

static bool filter_map(jrun *r, jval self, const jargs *args, jval *out)
{
    return new_selection(r, self, args, (selection){ .is_map = true }, out);
}

static bool filter_select(jrun *r, jval self, const jargs *args, jval *out)
{
    return new_selection(r, self, args, (selection){ 0 }, out);
}

static bool filter_reject(jrun *r, jval self, const jargs *args, jval *out)
{
    return new_selection(r, self, args, (selection){ .rejects = true }, out);
}

static bool filter_selectattr(jrun *r, jval self, const jargs *args, jval *out)
{
    return new_selection(r, self, args, (selection){ .by_attribute = true }, out);
}

static bool filter_rejectattr(jrun *r, jval self, const jargs *args, jval *out)
{
    return new_selection(r, self, args, (selection){ .by_attribute = true, .rejects = true }, out);
}

/* ---- generators that make their list when it is first asked for -------------------------- */

typedef bool (*list_maker)(jrun *r, const jval *a, jlist **out);

typedef struct {
    list_maker make;
    jval a[JPARAMS_MAX + 1];
    jlist *l;
} late_list;

static jiter_result next_late(jrun *r, jiter *it, jval *out)
{
    late_list *late = it->state;
    if (!late->l && !late->make(r, late->a, &late->l)) return JITER_ERROR;
    if ((size_t)it->i >= late->l->n) return JITER_END;
    *out = late->l->item[it->i++];
    return JITER_VALUE;
}

static bool new_late(jrun *r, const jval *a, list_maker make, jval *out)
{
    jiter *it = jiter_new(r, "generator", jnone());
    late_list *late = jalloc(r, 1, sizeof *late);
    if (!it || !late) return false;
    late->make = make;
    memcpy(late->a, a, sizeof late->a);
    it->state = late;
    it->next = next_late;
    *out = (jval){ .type = J_ITER, .iter = it };
    return true;
}

static bool make_items(jrun *r, const jval *a, jlist **out)
{
    jval pair;
    if (a[0].type != J_UNDEF && a[0].type != J_DICT)
        return jfail(r, "Can only get item pairs from a mapping.");
    size_t n = a[0].type == J_DICT ? a[0].d->n : 0;
    if (!jnew_list(r, n, out) || !jspend(r, n)) return false;
    for (size_t i = 0; i < n; i++)
        if (!jnew_pair(r, a[0].d->entry[i].key, a[0].d->entry[i].value, &pair)
            || !jlist_put(r, *out, pair))
            return false;
    return true;
}

static bool filter_items(jrun *r, const jval *a, jval *out)
{
    return new_late(r, a, make_items, out);
}

static bool put_row(jrun *r, jlist *rows, jlist *row, const jval *fill, int64_t n_fill)
{
    for (; fill && n_fill > 0; n_fill--)
        if (!jspend(r, 1) || !jlist_put(r, row, *fill)) return false;
    return jlist_put(r, rows, jlist_value(row));
}

static bool make_batches(jrun *r, const jval *a, jlist **out)
{
    jlist *all, *row;
    int64_t size = 0;
    if (!jget_int(r, a[1], "batch", &size) || !jto_list(r, a[0], &all) || !jnew_list(r, 4, out)
        || !jnew_list(r, 4, &row))
        return false;
    for (size_t i = 0; i < all->n; i++) {
        if ((int64_t)row->n == size
            && (!put_row(r, *out, row, NULL, 0) || !jnew_list(r, 4, &row)))
            return false;
        if (!jlist_put(r, row, all->item[i])) return false;
    }
    const jval *fill = is_given(a[2]) ? &a[2] : NULL;
    return row->n == 0 || put_row(r, *out, row, fill, size - (int64_t)row->n);
}

static bool filter_batch(jrun *r, const jval *a, jval *out)
{
    return new_late(r, a, make_batches, out);
}

static bool make_slices(jrun *r, const jval *a, jlist **out)
{
    jlist *all, *row;
    int64_t n = 0;
    if (!jget_int(r, a[1], "slice", &n) || !jto_list(r, a[0], &all) || !jnew_list(r, 4, out))
        return false;
    if (n == 0) return jfail(r, "integer division or modulo by zero");
    if (n < 0) return true;
    size_t each = all->n / (size_t)n, n_longer = all->n % (size_t)n, at = 0;
    for (size_t i = 0; i < (size_t)n; i++) {
        size_t len = each + (i < n_longer);
        if (!jspend(r, 1) || !jnew_list(r, len, &row)) return false;
        while (row->n < len) row->item[row->n++] = all->item[at++];
        if (!put_row(r, *out, row, is_given(a[2]) ? &a[2] : NULL, i >= n_longer)) return false;
    }
    return true;
}

static bool filter_slice(jrun *r, const jval *a, jval *out)
{
    return new_late(r, a, make_slices, out);
}

static bool make_unique(jrun *r, const jval *a, jlist **out)
{
    jlist *all;
    jdict *seen;
    getter g;
    jval key;
    const jval *found;
    if (!new_getter(r, a[2], jnone(), !flag(a[1]), &g) || !jto_list(r, a[0], &all)
        || !jnew_list(r, 4, out) || !jnew_dict(r, &seen))
        return false;
    for (size_t i = 0; i < all->n; i++) {
        if (!get(r, &g, all->item[i], &key) || !jdict_get(r, seen, key, &found)) return false;
        if (found) continue;
        if (!jdict_put(r, seen, key, jnone()) || !jlist_put(r, *out, all->item[i])) return false;
    }
    return true;
}

static bool filter_unique(jrun *r, const jval *a, jval *out)
{
    return new_late(r, a, make_unique, out);
}

/* ---- ends and order ------------------------------------------------------------------------ */

static bool filter_first(jrun *r, const jval *a, jval *out)
{
    jiter *it = jiter_of(r, a[0]);
    jiter_result got = it ? jiter_next(r, it, out) : JITER_ERROR;
    if (got == JITER_END) return jnew_undef_hint(r, "No first item, sequence was empty.", out);
    return got == JITER_VALUE;
}

static bool filter_last(jrun *r, const jval *a, jval *out)
{
    jiter *it = jiter_reversed(r, a[0]);
    if (!it) return jfail(r, "'%s' object is not reversible", jtype_name(a[0]));
    jiter_result got = jiter_next(r, it, out);
    if (got == JITER_END) return jnew_undef_hint(r, "No last item, sequence was empty.", out);
    return got == JITER_VALUE;
}

static bool filter_reverse(jrun *r, const jval *a, jval *out)
{
    static const jval back[3] = { { .type = J_NONE },
                                  { .type = J_NONE },
                                  { .type = J_INT, .i = -1 } };
    jlist *l;
    if (a[0].type == J_STR) return jget_slice(r, a[0], back, out);
    jiter *it = jiter_reversed(r, a[0]);
    if (it) {
        *out = (jval){ .type = J_ITER, .iter = it };
        return true;
    }
    if (!jis_iterable(a[0])) return jfail(r, "argument must be iterable");
    if (!jto_list(r, a[0], &l)) return false;
    for (size_t i = 0; i < l->n / 2; i++) {
        jval v = l->item[i];
        l->item[i] = l->item[l->n - 1 - i];
        l->item[l->n - 1 - i] = v;
    }
    *out = jlist_value(l);
    return true;
}

static bool filter_list(jrun *r, const jval *a, jval *out)
{
    jlist *l;
    if (!jto_list(r, a[0], &l)) return false;
    *out = jlist_value(l);
    return true;
}

static bool filter_length(jrun *r, const jval *a, jval *out)
{
    size_t n;
    if (!jlength(a[0], &n)) return jfail(r, "object of type '%s' has no len()", jtype_name(a[0]));
    *out = jint((int64_t)n);
    return true;
}

/* The key of sort: a list of what the attributes "a,b.c" give, so that their order counts. */
static bool sort_key(jrun *r, const getter *g, size_t n, jval item, jval *out)
{
    jlist *key;
    jval v;
    if (!jnew_list(r, n, &key)) return false;
    for (size_t i = 0; i < n; i++)
        if (!get(r, &g[i], item, &v) || !jlist_put(r, key, v)) return false;
    *out = jlist_value(key);
    return true;
}

static bool parse_attributes(jrun *r, jval attribute, bool ignores_case, getter **out, size_t *n)
{
    jval part = attribute;
    size_t n_parts = 1;
    const jstr *s = attribute.type == J_STR ? attribute.s : NULL;
    for (size_t i = 0; s && i < s->n; i++) n_parts += s->s[i] == ',';
    if (!(*out = jalloc(r, n_parts, sizeof **out))) return false;
    *n = 0;
    for (size_t at = 0, end; *n < n_parts; at = end + 1) {
        end = at;
        while (s && end < s->n && s->s[end] != ',') end++;
        if (s && !jnew_slice(r, s, at, end, &part)) return false;
        if (!new_getter(r, part, jnone(), ignores_case, &(*out)[(*n)++])) return false;
    }
    return true;
}

static bool filter_sort(jrun *r, const jval *a, jval *out)
{
    jlist *l;
    getter *g;
    size_t n;
    if (a[1].type != J_MISSING && !jis_int(a[1]))
        return jfail(r, "'%s' object cannot be interpreted as an integer", jtype_name(a[1]));
    if (!parse_attributes(r, a[3], !flag(a[2]), &g, &n) || !jto_list(r, a[0], &l)) return false;
    jval *key = jalloc(r, l->n, sizeof *key);
    for (size_t i = 0; key && i < l->n; i++)
        if (!sort_key(r, g, n, l->item[i], &key[i])) return false;
    if (!key || !jsort(r, l->item, key, l->n, flag(a[1]))) return false;
    *out = jlist_value(l);
    return true;
}

/* The keys of all items by one getter. */
static bool all_keys(jrun *r, const getter *g, const jlist *l, jval **key)
{
    if (!(*key = jalloc(r, l->n, sizeof **key))) return false;
    for (size_t i = 0; i < l->n; i++)
        if (!get(r, g, l->item[i], &(*key)[i])) return false;
    return true;
}

static bool filter_dictsort(jrun *r, const jval *a, jval *out)
{
    jlist *l;
    jval *key;
    bool by_value = a[2].type == J_STR && jstr_is(a[2].s, "value");
    bool by_key = a[2].type == J_MISSING || (a[2].type == J_STR && jstr_is(a[2].s, "key"));
    if (!by_value && !by_key) return jfail(r, "You can only sort by either \"key\" or \"value\"");
    if (a[0].type == J_UNDEF) return jfail_undef(r, a[0]);
    if (a[0].type != J_DICT)
        return jfail(r, "'%s' object has no attribute 'items'", jtype_name(a[0]));
    getter g;
    if (!new_getter(r, jint(by_value), jnone(), !flag(a[1]), &g) || !make_items(r, a, &l)
        || !all_keys(r, &g, l, &key) || !jsort(r, l->item, key, l->n, flag(a[3])))
        return false;
    *out = jlist_value(l);
    return true;
}

static bool new_group(jrun *r, jval grouper, jlist *list, jlist *groups)
{
    jval pair;
    if (!jnew_pair(r, grouper, jlist_value(list), &pair)) return false;
    pair.l->is_group = true;
    return jlist_put(r, groups, pair);
}

static bool filter_groupby(jrun *r, const jval *a, jval *out)
{
    getter g, shown;
    jlist *l, *groups, *list = NULL;
    jval *key, grouper, last = { .type = J_MISSING };
    if (!new_getter(r, a[1], a[2], !flag(a[3]), &g) || !jto_list(r, a[0], &l)
        || !all_keys(r, &g, l, &key) || !jsort(r, l->item, key, l->n, false)
        || !jnew_list(r, 4, &groups))
        return false;
    shown = g;
    shown.ignores_case = false;
    for (size_t i = 0; i < l->n; i++) {
        bool same = false;
        if (!get(r, &g, l->item[i], &grouper)) return false;
        if (list && !jequal(r, last, grouper, &same)) return false;
        if (!same) {
            last = grouper;
            if (!jnew_list(r, 4, &list) || !get(r, &shown, l->item[i], &grouper)
                || !new_group(r, grouper, list, groups))
                return false;
        }
        if (!jlist_put(r, list, l->item[i])) return false;
    }
    *out = jlist_value(groups);
    return true;
}

static bool extreme(jrun *r, const jval *a, bool is_max, jval *out)
{
    jlist *l;
    jval *key;
    getter g;
    size_t best = 0;
    if (!new_getter(r, a[2], jnone(), !flag(a[1]), &g) || !jto_list(r, a[0], &l)
        || !all_keys(r, &g, l, &key))
        return false;
    if (l->n == 0) return jnew_undef_hint(r, "No aggregated item, sequence was empty.", out);
    for (size_t i = 1; i < l->n; i++) {
        bool better;
        if (!jcompare(r, is_max ? TK_GT : TK_LT, key[i], key[best], &better)) return false;
        if (better) best = i;
    }
    *out = l->item[best];
    return true;
}

static bool filter_min(jrun *r, const jval *a, jval *out)
{
    return extreme(r, a, false, out);
}

static bool filter_max(jrun *r, const jval *a, jval *out)
{
    return extreme(r, a, true, out);
}

static bool filter_sum(jrun *r, const jval *a, jval *out)
{
    jiter *it = jiter_of(r, a[0]);
    jval item;
    getter g;
    if (!it || !new_getter(r, a[1], jnone(), false, &g)) return false;
    *out = a[2].type == J_MISSING ? jint(0) : a[2];
    if (out->type == J_STR) return jfail(r, "sum() can't sum strings [use ''.join(seq) instead]");
    for (;;) {
        jiter_result got = jiter_next(r, it, &item);
        if (got != JITER_VALUE) return got == JITER_END;
        if (!get(r, &g, item, &item) || !jbinary(r, TK_ADD, *out, item, out)) return false;
    }
}

bool jjoin(jrun *r, const jlist *l, jval between, jval *out)
{
    jtext *t = jtext_open(r);
    bool is_safe = r->autoescape && between.s->is_safe;
    for (size_t i = 0; r->autoescape && i < l->n; i++)
        is_safe = is_safe || (l->item[i].type == J_STR && l->item[i].s->is_safe);
    if (is_safe && !jescape(r, between, &between)) return false;
    for (size_t i = 0; t && i < l->n; i++) {
        jval item = l->item[i];
        if (i > 0 && !jtext_put_str(r, t, between.s)) return false;
        if (is_safe && !jescape(r, item, &item)) return false;
        if (!jtext_put_value(r, t, item)) return false;
    }
    return t && jtext_finish(r, t, out) && (!is_safe || jmark_safe(r, out->s, out));
}

static bool filter_join(jrun *r, const jval *a, jval *out)
{
    const jstr *text;
    jiter *it = jiter_of(r, a[0]);
    jlist *l;
    jval item, between;
    jiter_result got;
    getter g;
    if (!it || !new_getter(r, a[2], jnone(), false, &g) || !jnew_list(r, 4, &l)
        || !jnew_text(r, "", &between))
        return false;
    if (a[1].type != J_MISSING) {
        if (!jto_str(r, a[1], &text)) return false;
        between = jstr_value(text);
    }
    while ((got = jiter_next(r, it, &item)) == JITER_VALUE)
        if (!get(r, &g, item, &item) || !jlist_put(r, l, item)) return false;
    return got == JITER_END && jjoin(r, l, between, out);
}

/* An attribute only: never an item. */
static bool filter_attr(jrun *r, const jval *a, jval *out)
{
    const jval *found;
    if (a[1].type != J_STR)
        return jfail(r, "attribute name must be string, not '%s'", jtype_name(a[1]));
    if (a[0].type == J_DICT && jdict_get(r, a[0].d, a[1], &found) && found
        && !jmethod_find(a[0], a[1].s))
        return jnew_undef(r, a[0], a[1], out);
    return !r->is_stopped && jget_attr(r, a[0], a[1], out);
}

const jbuiltin jfilters_seq[] = {
    { "map", NULL, NULL, 0, filter_map, NULL },
    { "select", NULL, NULL, 0, filter_select, NULL },
    { "reject", NULL, NULL, 0, filter_reject, NULL },
    { "selectattr", NULL, NULL, 0, filter_selectattr, NULL },
    { "rejectattr", NULL, NULL, 0, filter_rejectattr, NULL },
    { "items", filter_items, "", 0, NULL, NULL },
    { "length", filter_length, "/", 0, NULL, NULL },
    { "count", filter_length, "/", 0, NULL, NULL },
    { "list", filter_list, "", 0, NULL, NULL },
    { "join", filter_join, "d,attribute", 0, NULL, NULL },
    { "first", filter_first, "", 0, NULL, NULL },
    { "last", filter_last, "", 0, NULL, NULL },
    { "reverse", filter_reverse, "", 0, NULL, NULL },
    { "sort", filter_sort, "reverse,case_sensitive,attribute", 0, NULL, NULL },
    { "dictsort", filter_dictsort, "case_sensitive,by,reverse", 0, NULL, NULL },
    { "groupby", filter_groupby, "attribute,default,case_sensitive", 1, NULL, NULL },
    { "unique", filter_unique, "case_sensitive,attribute", 0, NULL, NULL },
    { "batch", filter_batch, "linecount,fill_with", 1, NULL, NULL },
    { "slice", filter_slice, "slices,fill_with", 1, NULL, NULL },
    { "min", filter_min, "case_sensitive,attribute", 0, NULL, NULL },
    { "max", filter_max, "case_sensitive,attribute", 0, NULL, NULL },
    { "sum", filter_sum, "attribute,start", 0, NULL, NULL },
    { "attr", filter_attr, "name", 1, NULL, NULL },
    { "random", NULL, NULL, 0, NULL, "the same prompt must always give the same text" },
    { NULL, NULL, NULL, 0, NULL, NULL },
};
