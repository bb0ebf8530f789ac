/* jinja_value.c - see jinja_value.h: strings, lists, and what can be asked of any value. */
#include "chat/jinja_value.h"
#include "base/utf8.h"
#include <string.h>

/* ---- strings ----------------------------------------------------------------------------- */

static bool is_ascii(const char *s, size_t n)
{
    uint64_t eight;
    size_t i = 0;
    for (; i + sizeof eight <= n; i += sizeof eight) {
        memcpy(&eight, s + i, sizeof eight);
        if (eight & 0x8080808080808080u) return false;
    }
    for (; i < n; i++)
        if ((unsigned char)s[i] >= 0x80) return false;
    return true;
}

static jstr *new_str(jrun *r, const char *s, size_t n)
{
    jstr *str = jalloc(r, 1, sizeof *str);
    if (str) *str = (jstr){ .s = s, .n = n, .is_ascii = is_ascii(s, n) };
    return str;
}

bool jnew_text(jrun *r, const char *s, jval *out)
{
    jstr *str = new_str(r, s, strlen(s));
    *out = jstr_value(str);
    return str;
}

bool jnew_str(jrun *r, const char *s, size_t n, bool is_plain, jval *out)
{
    char *copy = jalloc(r, n + 1, 1);
    if (!copy) return false;
    if (n) memcpy(copy, s, n);
    jstr *str = new_str(r, copy, n);
    if (!str) return false;
    str->is_plain = is_plain;
    *out = jstr_value(str);
    return true;
}

bool jnew_slice(jrun *r, const jstr *s, size_t from, size_t to, jval *out)
{
    if (from == 0 && to == s->n && !s->is_safe) {
        *out = jstr_value(s);
        return true;
    }
    jstr *str = new_str(r, s->s + from, to - from);
    if (!str) return false;
    str->plain = s->plain ? s->plain + from : NULL;
    str->is_plain = s->is_plain;
    *out = jstr_value(str);
    return true;
}

static bool is_uniform(const jstr *s)
{
    return !s->plain || s->n == 0;
}

/* Both are plain or neither is, byte for byte, so that no map is needed. */
static bool are_alike(const jstr *a, const jstr *b)
{
    return is_uniform(a) && is_uniform(b) && (a->n == 0 || b->n == 0 || a->is_plain == b->is_plain);
}

static void copy_plain(uint8_t *to, const jstr *s)
{
    if (s->plain)
        memcpy(to, s->plain, s->n);
    else
        memset(to, s->is_plain, s->n);
}

/* A home for a and what follows, with room to grow when a already came from appending. */
static jbytes *new_home(jrun *r, const jstr *a, const jstr *b)
{
    size_t n = a->n + b->n;
    jbytes *home = jalloc(r, 1, sizeof *home);
    if (!home) return NULL;
    home->cap = a->home ? n + n / 2 + 64 : n + 16;
    home->data = jalloc(r, home->cap, 1);
    if (!home->data) return NULL;
    if (!are_alike(a, b) && !(home->plain = jalloc(r, home->cap, 1))) return NULL;
    if (a->n) memcpy(home->data, a->s, a->n);
    if (home->plain) copy_plain(home->plain, a);
    home->used = a->n;
    return home;
}

static bool can_grow(const jstr *a, const jstr *b)
{
    const jbytes *h = a->home;
    return h && a->s + a->n == h->data + h->used && b->n <= h->cap - h->used
           && (h->plain || are_alike(a, b));
}

bool jconcat(jrun *r, const jstr *a, const jstr *b, jval *out)
{
    if (a->n > r->max_output || b->n > r->max_output - a->n)
        return jfail(r, "a text grows too long (more than %zu bytes)", r->max_output);
    if (!jspend(r, b->n / 16)) return false;
    bool grows = can_grow(a, b);
    jbytes *home = grows ? a->home : new_home(r, a, b);
    jstr *s = home ? jalloc(r, 1, sizeof *s) : NULL;
    if (!s) return false;
    const char *start = grows ? a->s : home->data;
    if (b->n) memcpy(home->data + home->used, b->s, b->n);
    if (home->plain) copy_plain(home->plain + home->used, b);
    home->used += b->n;
    *s = (jstr){ .s = start,
                 .n = a->n + b->n,
                 .home = home,
                 .is_plain = a->n ? a->is_plain : b->is_plain,
                 .is_ascii = a->is_ascii && b->is_ascii };
    if (home->plain) s->plain = home->plain + (start - home->data);
    *out = jstr_value(s);
    return true;
}

bool jstr_is(const jstr *s, const char *text)
{
    size_t n = strlen(text);
    return s->n == n && memcmp(s->s, text, n) == 0;
}

size_t jstr_count(const jstr *s)
{
    return s->is_ascii ? s->n : utf8_count(s->s, s->n);
}

size_t jstr_offset(const jstr *s, size_t i)
{
    if (s->is_ascii) return i < s->n ? i : s->n;
    size_t at = 0;
    uint32_t cp;
    while (i-- > 0 && at < s->n) at += utf8_decode(s->s + at, s->n - at, &cp);
    return at;
}

size_t jstr_find(const jstr *s, size_t from, size_t to, const jstr *part)
{
    if (part->n > to - from) return SIZE_MAX;
    if (part->n == 0) return from;
    const char *p = memmem(s->s + from, to - from, part->s, part->n);
    return p ? (size_t)(p - s->s) : SIZE_MAX;
}

size_t jstr_rfind(const jstr *s, size_t from, size_t to, const jstr *part)
{
    if (part->n > to - from) return SIZE_MAX;
    if (part->n == 0) return to;
    for (size_t at = to - part->n + 1; at-- > from;)
        if (memcmp(s->s + at, part->s, part->n) == 0) return at;
    return SIZE_MAX;
}

bool jstr_has_plain(const jstr *s)
{
    if (s->n == 0) return false;
    return s->plain ? memchr(s->plain, 1, s->n) != NULL : s->is_plain;
}

/* ---- lists, pairs, undefined --------------------------------------------------------------- */

bool jnew_list(jrun *r, size_t cap, jlist **out)
{
    jlist *l = jalloc(r, 1, sizeof *l);
    if (!l || (cap && !(l->item = jalloc(r, cap, sizeof *l->item)))) return false;
    l->cap = cap;
    *out = l;
    return true;
}

bool jlist_put(jrun *r, jlist *l, jval v)
{
    if (l->n == l->cap) {
        size_t cap = l->cap ? 2 * l->cap : 4;
        jval *item = jalloc(r, cap, sizeof *item);
        if (!item) return false;
        if (l->n) memcpy(item, l->item, l->n * sizeof *item);
        l->item = item;
        l->cap = cap;
    }
    l->item[l->n++] = v;
    return true;
}

bool jnew_pair(jrun *r, jval a, jval b, jval *out)
{
    jlist *l;
    if (!jnew_list(r, 2, &l)) return false;
    l->item[l->n++] = a;
    l->item[l->n++] = b;
    *out = jtuple_value(l);
    return true;
}

static bool new_undef(jrun *r, jundef u, jval *out)
{
    jundef *p = jalloc(r, 1, sizeof *p);
    if (!p) return false;
    *p = u;
    *out = (jval){ .type = J_UNDEF, .u = p };
    return true;
}

bool jnew_undef(jrun *r, jval obj, jval name, jval *out)
{
    return new_undef(r, (jundef){ .obj = obj, .name = name }, out);
}

bool jnew_undef_hint(jrun *r, const char *hint, jval *out)
{
    return new_undef(r, (jundef){ .hint = hint }, out);
}

bool jnew_view(jrun *r, const jdict *d, jview_kind kind, jval *out)
{
    jview *v = jalloc(r, 1, sizeof *v);
    if (!v) return false;
    *v = (jview){ kind, d };
    *out = (jval){ .type = J_VIEW, .p = v };
    return true;
}

/* ---- asking ------------------------------------------------------------------------------ */

const char *jtype_name(jval v)
{
    static const char *const views[] = { "dict_keys", "dict_values", "dict_items" };
    switch (v.type) {
    case J_MISSING:
    case J_UNDEF: return "Undefined";
    case J_NONE: return "NoneType";
    case J_BOOL: return "bool";
    case J_INT:
    case J_BIG: return "int";
    case J_FLOAT: return "float";
    case J_STR: return v.s->is_safe ? "Markup" : "str";
    case J_LIST: return "list";
    case J_TUPLE: return "tuple";
    case J_DICT: return "dict";
    case J_RANGE: return "range";
    case J_VIEW: return views[((const jview *)v.p)->kind];
    case J_ITER: return v.iter->type_name;
    case J_NAMESPACE: return "Namespace";
    case J_FUNC: return "function";
    case J_METHOD: return "builtin_function_or_method";
    case J_MACRO: return "Macro";
    case J_LOOP: return "LoopContext";
    case J_CYCLER: return "Cycler";
    case J_JOINER: return "Joiner";
    }
    return "object";
}

bool jlength(jval v, size_t *n)
{
    switch (v.type) {
    case J_UNDEF: *n = 0; return true;
    case J_STR: *n = jstr_count(v.s); return true;
    case J_LIST:
    case J_TUPLE: *n = v.l->n; return true;
    case J_DICT: *n = v.d->n; return true;
    case J_RANGE: *n = (size_t)v.range->n; return true;
    case J_VIEW: *n = ((const jview *)v.p)->d->n; return true;
    default: return false;
    }
}

bool jtruth(jval v)
{
    switch (v.type) {
    case J_MISSING:
    case J_UNDEF:
    case J_NONE: return false;
    case J_BOOL: return v.b;
    case J_INT: return v.i != 0;
    case J_FLOAT: return v.f != 0;
    case J_STR: return v.s->n > 0;
    case J_LIST:
    case J_TUPLE: return v.l->n > 0;
    case J_DICT: return v.d->n > 0;
    case J_RANGE: return v.range->n > 0;
    case J_VIEW: return ((const jview *)v.p)->d->n > 0;
    default: return true;
    }
}
