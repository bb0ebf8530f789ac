/* jinja_translate.c - str.translate, and str.maketrans, which makes its tables.
 * Layer: chat. */
#include "base/utf8.h"
#include "chat/jinja_run.h"

/* What the table has for a character; J_MISSING: nothing. Sequences are tables by their index. */
static bool look_up(jrun *r, jval table, uint32_t cp, jval *out)
{
    const jval *found;
    size_t n = 0;
    *out = (jval){ .type = J_MISSING };
    if (table.type == J_DICT) {
        if (!jdict_get(r, table.d, jint(cp), &found)) return false;
        if (found) *out = *found;
        return true;
    }
    if (table.type != J_STR && table.type != J_RANGE && !jis_seq(table))
        return jfail(r, "'%s' object is not subscriptable", jtype_name(table));
    return !jlength(table, &n) || cp >= n || jget_item(r, table, jint(cp), out);
}

/* A number is a character, which is the user's where the one in its place was. */
static bool put_mapped(jrun *r, jtext *t, jval v, bool is_plain)
{
    if (v.type == J_NONE) return true;
    if (v.type == J_STR) return jtext_put_str(r, t, v.s);
    if (!jis_int(v)) return jfail(r, "character mapping must return integer, None or str");
    int64_t cp = jint_of(v);
    if (cp < 0 || cp > 0x10FFFF) return jfail(r, "character mapping must be in range(0x110000)");
    if (cp >= 0xD800 && cp <= 0xDFFF) return jfail(r, "a number that stands for no character");
    return jtext_put_char(r, t, (uint32_t)cp, is_plain);
}

bool jstr_translate(jrun *r, const jval *a, jval *out)
{
    const jstr *s = a[0].s;
    jtext *t = jtext_open(r);
    uint32_t cp;
    jval v;
    for (size_t at = 0, len; t && at < s->n; at += len) {
        len = utf8_decode(s->s + at, s->n - at, &cp);
        if (!look_up(r, a[1], cp, &v)) return false;
        bool ok = v.type == J_MISSING
                      ? jtext_put_part(r, t, s, at, at + len)
                      : put_mapped(r, t, v, s->plain ? s->plain[at] : s->is_plain);
        if (!ok || !jspend(r, 1)) return false;
    }
    return t && jtext_finish(r, t, out);
}

/* ---- tables ------------------------------------------------------------------------------ */

static bool put_entry(jrun *r, jdict *table, jval key, jval value)
{
    uint32_t cp;
    if (key.type == J_STR) {
        if (jstr_count(key.s) != 1)
            return jfail(r, "string keys in translate table must be of length 1");
        utf8_decode(key.s->s, key.s->n, &cp);
        key = jint(cp);
    }
    if (!jis_int(key)) return jfail(r, "keys in translate table must be strings or integers");
    return jdict_put(r, table, key, value);
}

static bool from_dict(jrun *r, jdict *table, jval from)
{
    if (from.type != J_DICT)
        return jfail(r, "if you give only one argument to maketrans it must be a dict");
    for (size_t i = 0; i < from.d->n; i++)
        if (!put_entry(r, table, from.d->entry[i].key, from.d->entry[i].value)) return false;
    return true;
}

/* Each character of `from` becomes that of `to` in its place; none where there is no `to`. */
static bool from_texts(jrun *r, jdict *table, const jstr *from, const jstr *to)
{
    uint32_t key, value;
    for (size_t at = 0, at_to = 0; at < from->n;) {
        jval v = jnone();
        at += utf8_decode(from->s + at, from->n - at, &key);
        if (to) {
            at_to += utf8_decode(to->s + at_to, to->n - at_to, &value);
            v = jint(value);
        }
        if (!jspend(r, 1) || !jdict_put(r, table, jint(key), v)) return false;
    }
    return true;
}

bool jstr_maketrans(jrun *r, const jval *a, jval *out)
{
    jdict *table;
    if (!jnew_dict(r, &table)) return false;
    *out = jdict_value(table);
    if (a[2].type == J_MISSING) return from_dict(r, table, a[1]);
    for (int i = 1; i <= 3; i++)
        if (a[i].type != J_STR && a[i].type != J_MISSING)
            return jfail(r, "maketrans() argument %d must be str, not %s", i, jtype_name(a[i]));
    if (jstr_count(a[1].s) != jstr_count(a[2].s))
        return jfail(r, "the first two maketrans arguments must have equal length");
    return from_texts(r, table, a[1].s, a[2].s)
           && (a[3].type == J_MISSING || from_texts(r, table, a[3].s, NULL));
}
