/* jinja_dict.c - see jinja_value.h: which values are equal, and dictionaries, which ask that of
 * their keys. */
#include "chat/jinja_value.h"
#include "base/bytes.h"
#include <math.h>
#include <string.h>

enum { SMALL_DICT = 8 }; /* entries that are looked through one by one */

/* ---- equality ---------------------------------------------------------------------------- */

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

int jcompare_numbers(jval a, jval b)
{
    if (jis_int(a) && jis_int(b)) return (jint_of(a) > jint_of(b)) - (jint_of(a) < jint_of(b));
    if (jis_int(b)) return -jcompare_numbers(b, a);
    if (jis_int(a)) {
        if (b.f >= 0x1p63) return -1;
        if (b.f < -0x1p63) return 1;
        int64_t i = jint_of(a), whole = (int64_t)b.f;
        if (i != whole) return i > whole ? 1 : -1;
        return (b.f < (double)whole) - (b.f > (double)whole);
    }
    return (a.f > b.f) - (a.f < b.f);
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
        *out = !jis_nan(a) && !jis_nan(b) && jcompare_numbers(a, b) == 0;
        return true;
    }
    if (a.type != b.type) return true;
    if (a.type <= J_STR) return equal_same_type(r, a, b, out);
    if (!jenter(r)) return false;
    bool ok = equal_same_type(r, a, b, out);
    jleave(r);
    return ok;
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
    if (f >= -0x1p63 && f < 0x1p63 && f == floor(f)) return mix((uint64_t)(int64_t)f);
    return mix(f64_bits(f));
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
