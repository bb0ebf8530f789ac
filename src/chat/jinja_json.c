/* jinja_json.c - the filter tojson: Python's json.dumps as Hugging Face calls it, non-ASCII kept
 * and nothing escaped for HTML.
 * Layer: chat. */
#include "base/utf8.h"
#include "chat/jinja_builtin.h"
#include "chat/jinja_text.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct {
    jtext *t;
    const jstr *item_separator, *key_separator;
    const jstr *indent; /* of one level; NULL: all on one line */
    bool is_ascii, sorts_keys;
    int level;
} writer;

static bool put_value(jrun *r, writer *w, jval v);

static bool put_escape(jrun *r, jtext *t, uint32_t cp, bool is_plain)
{
    static const char values[] = "\"\\\n\r\t\f\b", names[] = "\"\\nrtfb";
    char text[16];
    const char *p = cp && cp < 0x80 ? strchr(values, (int)cp) : NULL;
    if (p)
        snprintf(text, sizeof text, "\\%c", names[p - values]);
    else if (cp < 0x10000)
        snprintf(text, sizeof text, "\\u%04x", (unsigned)cp);
    else
        snprintf(text, sizeof text, "\\u%04x\\u%04x", 0xD800 + (unsigned)((cp - 0x10000) >> 10),
                 0xDC00 + (unsigned)((cp - 0x10000) & 0x3FF));
    return jtext_put(r, t, text, strlen(text), is_plain);
}

static bool put_str(jrun *r, const writer *w, const jstr *s)
{
    size_t done = 0, len;
    uint32_t cp;
    if (!jtext_puts(r, w->t, "\"")) return false;
    for (size_t i = 0; i < s->n; i += len) {
        len = utf8_decode(s->s + i, s->n - i, &cp);
        bool stays = w->is_ascii ? cp >= 0x20 && cp < 0x7F : cp >= 0x20;
        if (w->is_ascii && cp == 0x7F) stays = true;
        if (stays && cp != '"' && cp != '\\') continue;
        bool is_plain = s->plain ? s->plain[i] : s->is_plain;
        if (!jtext_put_part(r, w->t, s, done, i) || !put_escape(r, w->t, cp, is_plain))
            return false;
        done = i + len;
    }
    return jtext_put_part(r, w->t, s, done, s->n) && jtext_puts(r, w->t, "\"");
}

static bool put_float(jrun *r, jtext *t, double f)
{
    if (isfinite(f)) return jtext_put_float(r, t, f);
    return jtext_puts(r, t, f != f ? "NaN" : f > 0 ? "Infinity" : "-Infinity");
}

static bool new_line(jrun *r, const writer *w)
{
    if (!w->indent) return true;
    return jtext_puts(r, w->t, "\n") && jtext_put_fill(r, w->t, w->indent, w->level);
}

/* Before item i of a container. */
static bool begin_item(jrun *r, const writer *w, size_t i)
{
    return (i == 0 || jtext_put_str(r, w->t, w->item_separator)) && new_line(r, w);
}

static bool put_list(jrun *r, writer *w, const jlist *l)
{
    if (l->n == 0) return jtext_puts(r, w->t, "[]");
    if (!jtext_puts(r, w->t, "[")) return false;
    w->level++;
    for (size_t i = 0; i < l->n; i++)
        if (!begin_item(r, w, i) || !put_value(r, w, l->item[i])) return false;
    w->level--;
    return new_line(r, w) && jtext_puts(r, w->t, "]");
}

/* Keys are strings; numbers, booleans and None become some. */
static bool put_key(jrun *r, writer *w, jval key)
{
    if (key.type == J_STR) return put_str(r, w, key.s);
    if (!jis_number(key) && key.type != J_NONE && key.type != J_BIG)
        return jfail(r, "keys must be str, int, float, bool or None, not %s", jtype_name(key));
    return jtext_puts(r, w->t, "\"") && put_value(r, w, key) && jtext_puts(r, w->t, "\"");
}

/* The entries, sorted by key when that is asked for. */
static bool list_entries(jrun *r, const writer *w, const jdict *d, jlist **out)
{
    jval *key = jalloc(r, d->n, sizeof *key);
    if (!key || !jnew_list(r, d->n, out)) return false;
    for (size_t i = 0; i < d->n; i++) {
        key[i] = d->entry[i].key;
        if (!jnew_pair(r, key[i], d->entry[i].value, &(*out)->item[i])) return false;
    }
    (*out)->n = d->n;
    return !w->sorts_keys || jsort(r, (*out)->item, key, d->n, false);
}

static bool put_dict(jrun *r, writer *w, const jdict *d)
{
    jlist *entries;
    if (d->n == 0) return jtext_puts(r, w->t, "{}");
    if (!jtext_puts(r, w->t, "{") || !list_entries(r, w, d, &entries)) return false;
    w->level++;
    for (size_t i = 0; i < d->n; i++) {
        const jval *pair = entries->item[i].l->item;
        if (!begin_item(r, w, i) || !put_key(r, w, pair[0])
            || !jtext_put_str(r, w->t, w->key_separator) || !put_value(r, w, pair[1]))
            return false;
    }
    w->level--;
    return new_line(r, w) && jtext_puts(r, w->t, "}");
}

static bool put_value(jrun *r, writer *w, jval v)
{
    bool ok = true;
    if (!jspend(r, 1)) return false;
    switch (v.type) {
    case J_NONE: return jtext_puts(r, w->t, "null");
    case J_BOOL: return jtext_puts(r, w->t, v.b ? "true" : "false");
    case J_INT: return jtext_put_int(r, w->t, v.i);
    case J_BIG: return jtext_put_str(r, w->t, v.s);
    case J_FLOAT: return put_float(r, w->t, v.f);
    case J_STR: return put_str(r, w, v.s);
    case J_LIST:
    case J_TUPLE:
    case J_DICT: break;
    default: return jfail(r, "Object of type %s is not JSON serializable", jtype_name(v));
    }
    if (!jenter(r)) return false;
    ok = v.type == J_DICT ? put_dict(r, w, v.d) : put_list(r, w, v.l);
    jleave(r);
    return ok;
}

static bool literal(jrun *r, const char *s, const jstr **out)
{
    jval v;
    if (!jnew_text(r, s, &v)) return false;
    *out = v.s;
    return true;
}

/* indent: None, a number of blanks, or the text of one level. */
static bool get_indent(jrun *r, jval v, const jstr **out)
{
    jval s;
    if (v.type == J_MISSING || v.type == J_NONE) return true;
    if (v.type == J_STR) {
        *out = v.s;
        return true;
    }
    if (!jis_int(v))
        return jfail(r, "can't multiply sequence by non-int of type '%s'", jtype_name(v));
    jtext *t = jtext_open(r);
    if (!t || !jtext_put_spaces(r, t, jint_of(v)) || !jtext_finish(r, t, &s)) return false;
    *out = s.s;
    return true;
}

static bool get_separators(jrun *r, jval v, writer *w)
{
    jlist *l;
    if (v.type == J_MISSING || v.type == J_NONE)
        return literal(r, w->indent ? "," : ", ", &w->item_separator)
               && literal(r, ": ", &w->key_separator);
    if (!jto_list(r, v, &l)) return false;
    if (l->n != 2 || l->item[0].type != J_STR || l->item[1].type != J_STR)
        return jfail(r, "tojson: separators must be two texts");
    w->item_separator = l->item[0].s;
    w->key_separator = l->item[1].s;
    return true;
}

bool jto_json(jrun *r, const jval *a, jval *out)
{
    writer w = { .is_ascii = a[1].type != J_MISSING && jtruth(a[1]),
                 .sorts_keys = a[4].type != J_MISSING && jtruth(a[4]) };
    return get_indent(r, a[2], &w.indent) && get_separators(r, a[3], &w) && (w.t = jtext_open(r))
           && put_value(r, &w, a[0]) && jtext_finish_whole(r, w.t, out);
}
