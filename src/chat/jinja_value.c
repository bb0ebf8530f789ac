/* jinja_value.c - see jinja_value.h. */
#include "chat/jinja_value.h"
#include "chat/jinja_big.h"
#include "chat/jinja_parse.h"
#include "chat/jinja_text.h"
#include "text/utf8.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { SMALL_DICT = 8 }; /* entries that are looked through one by one */

/* ---- errors and budgets ------------------------------------------------------------------ */

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
    return err_set(r->err, LORY_E_FORMAT, "%s: line %zu, column %zu: %s", jinja_name(r->t), line,
                   column, what);
}

bool jfail_memory(jrun *r)
{
    if (r->is_stopped) return false;
    r->is_stopped = true;
    return err_set(r->err, LORY_E_MEMORY, "%s: no memory to render it", jinja_name(r->t));
}

bool jfail_raised(jrun *r, const jstr *message)
{
    if (r->is_stopped) return false;
    r->is_stopped = true;
    int n = message->n < LORY_ERR_MAX ? (int)message->n : LORY_ERR_MAX;
    return err_set(r->err, LORY_E_FORMAT, "%s: %.*s", jinja_name(r->t), n, message->s);
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

/* ---- dictionaries ------------------------------------------------------------------------ */

bool jnew_dict(jrun *r, jdict **out)
{
    *out = jalloc(r, 1, sizeof **out);
    return *out;
}

static uint64_t mix(uint64_t h)
{
    h = (h ^ h >> 32) * 0x9e3779b97f4a7c15u;
    return h ^ h >> 29;
}

static uint64_t hash_bytes(const char *s, size_t n)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < n; i++) h = (h ^ (unsigned char)s[i]) * 0x100000001b3u;
    return mix(h);
}

/* Whole numbers hash alike whatever their type, because they are equal. */
static uint64_t hash_float(double f)
{
    uint64_t bits;
    if (f >= -0x1p63 && f < 0x1p63 && f == floor(f)) return mix((uint64_t)(int64_t)f);
    memcpy(&bits, &f, sizeof bits);
    return mix(bits);
}

static bool hash_of(jrun *r, jval v, uint64_t *h)
{
    switch (v.type) {
    case J_STR:
    case J_BIG: *h = hash_bytes(v.s->s, v.s->n); return true;
    case J_BOOL:
    case J_INT: *h = mix((uint64_t)jint_of(v)); return true;
    case J_FLOAT: *h = hash_float(v.f); return true;
    case J_NONE:
    case J_UNDEF: *h = (uint64_t)v.type; return true;
    case J_LIST:
    case J_DICT: return jfail(r, "unhashable type: '%s'", jtype_name(v));
    case J_TUPLE: break;
    default: *h = mix((uint64_t)(uintptr_t)v.p); return true;
    }
    uint64_t one;
    *h = 0x345678;
    for (size_t i = 0; i < v.l->n; i++) {
        if (!jspend(r, 1) || !jenter(r)) return false;
        bool ok = hash_of(r, v.l->item[i], &one);
        jleave(r);
        if (!ok) return false;
        *h = mix(*h ^ one);
    }
    return true;
}

/* The entry of a key, or d->n. */
static bool find_entry(jrun *r, const jdict *d, jval key, uint64_t hash, size_t *at)
{
    bool same = false;
    for (*at = 0; !d->index && *at < d->n; ++*at) {
        if (d->entry[*at].hash != hash) continue;
        if (!jequal(r, d->entry[*at].key, key, &same)) return false;
        if (same) return true;
    }
    for (size_t i = hash; d->index; i++) {
        uint32_t e = d->index[i & (d->n_index - 1)];
        *at = e ? e - 1 : d->n;
        if (!e) return true;
        if (d->entry[*at].hash != hash) continue;
        if (!jequal(r, d->entry[*at].key, key, &same)) return false;
        if (same) return true;
    }
    return true;
}

static void put_index(jdict *d, size_t at)
{
    size_t i = d->entry[at].hash;
    while (d->index[i & (d->n_index - 1)]) i++;
    d->index[i & (d->n_index - 1)] = (uint32_t)at + 1;
}

static bool grow_dict(jrun *r, jdict *d)
{
    size_t cap = d->cap ? 2 * d->cap : 4;
    jentry *entry = jalloc(r, cap, sizeof *entry);
    if (!entry) return false;
    if (d->n) memcpy(entry, d->entry, d->n * sizeof *entry);
    d->entry = entry;
    d->cap = cap;
    if (cap <= SMALL_DICT) return true;
    if (!(d->index = jalloc(r, 2 * cap, sizeof *d->index))) return false;
    d->n_index = 2 * cap;
    for (size_t i = 0; i < d->n; i++) put_index(d, i);
    return true;
}

bool jdict_put(jrun *r, jdict *d, jval key, jval value)
{
    uint64_t hash;
    size_t at;
    if (!hash_of(r, key, &hash) || !find_entry(r, d, key, hash, &at)) return false;
    if (at < d->n) {
        d->entry[at].value = value;
        return true;
    }
    if (d->n == d->cap && !grow_dict(r, d)) return false;
    d->entry[d->n++] = (jentry){ key, value, hash };
    if (d->index) put_index(d, d->n - 1);
    return true;
}

bool jdict_get(jrun *r, const jdict *d, jval key, const jval **found)
{
    uint64_t hash;
    size_t at;
    if (!hash_of(r, key, &hash) || !find_entry(r, d, key, hash, &at)) return false;
    *found = at < d->n ? &d->entry[at].value : NULL;
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

bool jsame(jval a, jval b)
{
    if (a.type != b.type) return false;
    switch (a.type) {
    case J_MISSING:
    case J_NONE: return true;
    case J_BOOL: return a.b == b.b;
    case J_INT: return a.i == b.i && a.i >= -5 && a.i <= 256; /* CPython's shared ints */
    case J_FLOAT: return false;
    default: return a.p == b.p;
    }
}

/* Exact for any int against any float. */
static int compare_numbers(jval a, jval b)
{
    if (jis_int(a) && jis_int(b)) return (jint_of(a) > jint_of(b)) - (jint_of(a) < jint_of(b));
    if (jis_int(b)) return -compare_numbers(b, a);
    if (jis_int(a)) {
        if (b.f >= 0x1p63) return -1;
        if (b.f < -0x1p63) return 1;
        int64_t i = jint_of(a), whole = (int64_t)b.f;
        if (i != whole) return i > whole ? 1 : -1;
        return (b.f < (double)whole) - (b.f > (double)whole);
    }
    return (a.f > b.f) - (a.f < b.f);
}

static bool is_nan(jval v)
{
    return v.type == J_FLOAT && v.f != v.f;
}

static bool equal_items(jrun *r, const jlist *a, const jlist *b, bool *out)
{
    *out = a->n == b->n;
    for (size_t i = 0; *out && i < a->n; i++)
        if (!jequal(r, a->item[i], b->item[i], out)) return false;
    return true;
}

static bool equal_dicts(jrun *r, const jdict *a, const jdict *b, bool *out)
{
    const jval *other;
    *out = a->n == b->n;
    for (size_t i = 0; *out && i < a->n; i++) {
        if (!jdict_get(r, b, a->entry[i].key, &other)) return false;
        if (!other)
            *out = false;
        else if (!jequal(r, a->entry[i].value, *other, out))
            return false;
    }
    return true;
}

static bool equal_same_type(jrun *r, jval a, jval b, bool *out)
{
    switch (a.type) {
    case J_UNDEF:
    case J_NONE: *out = true; return true;
    case J_STR:
    case J_BIG: *out = a.s->n == b.s->n && memcmp(a.s->s, b.s->s, a.s->n) == 0; return true;
    case J_LIST:
    case J_TUPLE: return equal_items(r, a.l, b.l, out);
    case J_DICT: return equal_dicts(r, a.d, b.d, out);
    case J_RANGE:
        *out = a.range->n == b.range->n && (a.range->n == 0 || a.range->start == b.range->start)
               && (a.range->n <= 1 || a.range->step == b.range->step);
        return true;
    default: *out = a.p == b.p; return true;
    }
}

bool jequal(jrun *r, jval a, jval b, bool *out)
{
    *out = false;
    if (!jspend(r, 1)) return false;
    if (jis_number(a) && jis_number(b)) {
        *out = !is_nan(a) && !is_nan(b) && compare_numbers(a, b) == 0;
        return true;
    }
    if (a.type != b.type) return true;
    if (a.type <= J_STR) return equal_same_type(r, a, b, out);
    if (!jenter(r)) return false;
    bool ok = equal_same_type(r, a, b, out);
    jleave(r);
    return ok;
}

static bool less_items(jrun *r, const jlist *a, const jlist *b, const char *op, bool *out)
{
    bool same;
    for (size_t i = 0; i < a->n && i < b->n; i++) {
        if (!jequal(r, a->item[i], b->item[i], &same)) return false;
        if (!same) return jless(r, a->item[i], b->item[i], op, out);
    }
    *out = a->n < b->n;
    return true;
}

static bool less_str(const jstr *a, const jstr *b)
{
    int c = memcmp(a->s, b->s, a->n < b->n ? a->n : b->n); /* UTF-8 sorts as its characters do */
    return c ? c < 0 : a->n < b->n;
}

bool jless(jrun *r, jval a, jval b, const char *op, bool *out)
{
    if (!jspend(r, 1)) return false;
    if (a.type == J_UNDEF) return jfail_undef(r, a);
    if (b.type == J_UNDEF) return jfail_undef(r, b);
    if (jis_number(a) && jis_number(b)) {
        *out = !is_nan(a) && !is_nan(b) && compare_numbers(a, b) < 0;
        return true;
    }
    if (jis_any_int(a) && jis_any_int(b)) {
        *out = jbig_compare(a, b) < 0;
        return true;
    }
    if ((a.type == J_BIG && b.type == J_FLOAT) || (a.type == J_FLOAT && b.type == J_BIG)) {
        double x, y;
        if (!jbig_to_float(r, a, &x) || !jbig_to_float(r, b, &y)) return false;
        *out = x < y;
        return true;
    }
    if (a.type == J_STR && b.type == J_STR) {
        *out = less_str(a.s, b.s);
        return true;
    }
    if (a.type == b.type && jis_seq(a)) {
        if (!jenter(r)) return false;
        bool ok = less_items(r, a.l, b.l, op, out);
        jleave(r);
        return ok;
    }
    return jfail(r, "'%s' not supported between instances of '%s' and '%s'", op, jtype_name(a),
                 jtype_name(b));
}

/* ---- undefined --------------------------------------------------------------------------- */

/* What jinja2 calls the owner of a missing attribute. */
static void put_owner(jval obj, char *name, size_t n)
{
    const char *module = obj.type == J_NAMESPACE || obj.type == J_CYCLER || obj.type == J_JOINER
                             ? "jinja2.utils."
                         : obj.type == J_MACRO || obj.type == J_LOOP ? "jinja2.runtime."
                         : obj.type == J_STR && obj.s->is_safe       ? "markupsafe."
                                                                     : "";
    if (obj.type == J_NONE)
        snprintf(name, n, "None");
    else
        snprintf(name, n, "%s%s object", module, jtype_name(obj));
}

bool jfail_undef(jrun *r, jval v)
{
    char owner[64];
    const jundef *u = v.u;
    jtext *name;
    if (u->hint) return jfail(r, "%s", u->hint);
    if (!(name = jtext_open(r)) || !jtext_put_repr(r, name, u->name)) return false;
    int n = name->n < LORY_ERR_MAX ? (int)name->n : LORY_ERR_MAX;
    const char *s = name->s ? name->s : "";
    if (u->obj.type == J_MISSING) return jfail(r, "%.*s is undefined", n, s);
    put_owner(u->obj, owner, sizeof owner);
    if (u->name.type != J_STR) return jfail(r, "%s has no element %.*s", owner, n, s);
    return jfail(r, "'%s' has no attribute %.*s", owner, n, s);
}
