/* jinja_text.c - see jinja_text.h. */
#include "chat/jinja_text.h"
#include "base/utf8.h"
#include "chat/jinja_float.h"
#include "chat/jinja_run.h"
#include "text/unicode.h"
#include "text/unicode_case.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- builders ---------------------------------------------------------------------------- */

jtext *jtext_open(jrun *r)
{
    jtext *t = r->texts;
    while (t && t->is_open) t = t->next;
    if (!t) {
        if (!(t = mem_new(1, sizeof *t))) {
            jfail_memory(r);
            return NULL;
        }
        t->next = r->texts;
        r->texts = t;
    }
    t->n = 0;
    t->is_open = true;
    t->is_plain = false;
    mem_free(t->plain);
    t->plain = NULL;
    return t;
}

void jtext_close(jtext *t)
{
    t->is_open = false;
}

void jtext_free_all(jrun *r)
{
    for (jtext *t = r->texts, *next; t; t = next) {
        next = t->next;
        mem_free(t->s);
        mem_free(t->plain);
        mem_free(t);
    }
    r->texts = NULL;
}

static bool finish(jrun *r, jtext *t, bool is_whole, jval *out)
{
    bool ok = jnew_str(r, t->s, t->n, t->is_plain, out);
    if (ok && t->plain && t->n && memchr(t->plain, 1, t->n)) {
        jstr *s = (jstr *)out->s; /* just made, nobody else has it */
        uint8_t *plain = is_whole ? NULL : jalloc(r, t->n, 1);
        if (plain)
            memcpy(plain, t->plain, t->n);
        else if (!is_whole)
            ok = false;
        s->plain = plain;
        s->is_plain = true;
    }
    jtext_close(t);
    return ok;
}

bool jtext_finish(jrun *r, jtext *t, jval *out)
{
    return finish(r, t, false, out);
}

bool jtext_finish_whole(jrun *r, jtext *t, jval *out)
{
    return finish(r, t, true, out);
}

/* n times so many more bytes; t->n is at most max_output. */
static bool has_room(jrun *r, const jtext *t, size_t bytes, uint64_t n)
{
    if (bytes == 0 || n <= (r->max_output - t->n) / bytes) return true;
    return jfail(r, "a text grows too long (more than %zu bytes)", r->max_output);
}

static bool grow(jrun *r, jtext *t, size_t n)
{
    if (!has_room(r, t, n, 1)) return false;
    if (t->n + n <= t->cap) return true;
    size_t cap = t->cap ? t->cap : 64;
    while (cap < t->n + n) cap *= 2;
    char *s = mem_resize(t->s, t->cap, cap, 1);
    if (!s) return jfail_memory(r);
    t->s = s;
    uint8_t *plain = t->plain ? mem_resize(t->plain, t->cap, cap, 1) : NULL;
    if (t->plain && !plain) return jfail_memory(r);
    t->plain = plain;
    t->cap = cap;
    return true;
}

/* From here on t tells its bytes apart. */
static bool need_map(jrun *r, jtext *t)
{
    if (t->plain) return true;
    if (!(t->plain = mem_new(t->cap, 1))) return jfail_memory(r);
    memset(t->plain, t->is_plain, t->n);
    return true;
}

bool jtext_put(jrun *r, jtext *t, const char *s, size_t n, bool is_plain)
{
    if (n == 0) return true;
    if (!jspend(r, n / 16) || !grow(r, t, n)) return false;
    if (t->n == 0 && !t->plain) t->is_plain = is_plain;
    if (!t->plain && t->is_plain != is_plain && !need_map(r, t)) return false;
    memcpy(t->s + t->n, s, n);
    if (t->plain) memset(t->plain + t->n, is_plain, n);
    t->n += n;
    return true;
}

bool jtext_puts(jrun *r, jtext *t, const char *s)
{
    return jtext_put(r, t, s, strlen(s), false);
}

bool jtext_put_part(jrun *r, jtext *t, const jstr *s, size_t from, size_t to)
{
    size_t n = to - from;
    if (!s->plain) return jtext_put(r, t, s->s + from, n, s->is_plain);
    if (n == 0) return true;
    if (!jspend(r, n / 16) || !grow(r, t, n) || !need_map(r, t)) return false;
    memcpy(t->s + t->n, s->s + from, n);
    memcpy(t->plain + t->n, s->plain + from, n);
    t->n += n;
    return true;
}

bool jtext_put_str(jrun *r, jtext *t, const jstr *s)
{
    return jtext_put_part(r, t, s, 0, s->n);
}

bool jtext_put_char(jrun *r, jtext *t, uint32_t cp, bool is_plain)
{
    char s[UTF8_MAX_BYTES];
    return jspend(r, 1) && jtext_put(r, t, s, utf8_encode(cp, s), is_plain);
}

bool jtext_put_fill(jrun *r, jtext *t, const jstr *s, int64_t n)
{
    if (n > 0 && !has_room(r, t, s->n, (uint64_t)n)) return false; /* at once, not in a second */
    for (int64_t i = 0; i < n && s->n; i++)
        if (!jspend(r, 1) || !jtext_put_str(r, t, s)) return false;
    return true;
}

bool jtext_put_spaces(jrun *r, jtext *t, int64_t n)
{
    static const char blanks[] = "                                ";
    if (n > 0 && !has_room(r, t, 1, (uint64_t)n)) return false;
    for (int64_t left = n; left > 0; left -= (int64_t)sizeof blanks - 1) {
        size_t some = left < (int64_t)sizeof blanks - 1 ? (size_t)left : sizeof blanks - 1;
        if (!jspend(r, 1) || !jtext_put(r, t, blanks, some, false)) return false;
    }
    return true;
}

/* ---- numbers ----------------------------------------------------------------------------- */

bool jtext_put_float(jrun *r, jtext *t, double f)
{
    char text[JFLOAT_REPR];
    jfloat_repr(f, text);
    return jtext_puts(r, t, text);
}

bool jtext_put_int(jrun *r, jtext *t, int64_t i)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, i);
    return jtext_puts(r, t, text);
}

/* ---- repr -------------------------------------------------------------------------------- */

static bool put_escape(jrun *r, jtext *t, uint32_t cp, bool is_plain)
{
    char text[12];
    if (cp == '\n' || cp == '\r' || cp == '\t')
        snprintf(text, sizeof text, "\\%c", cp == '\n' ? 'n' : cp == '\r' ? 'r' : 't');
    else if (cp < 0x100)
        snprintf(text, sizeof text, "\\x%02x", (unsigned)cp);
    else
        snprintf(text, sizeof text, cp < 0x10000 ? "\\u%04x" : "\\U%08x", (unsigned)cp);
    return jtext_put(r, t, text, strlen(text), is_plain);
}

static bool put_quoted(jrun *r, jtext *t, const jstr *s, bool is_ascii_only)
{
    bool has_single = s->n && memchr(s->s, '\'', s->n),
         has_double = s->n && memchr(s->s, '"', s->n);
    char quote = has_single && !has_double ? '"' : '\'';
    uint32_t cp;
    bool ok = jtext_put(r, t, &quote, 1, false);
    for (size_t i = 0, len; i < s->n && ok; i += len) {
        len = utf8_decode(s->s + i, s->n - i, &cp);
        bool is_plain = s->plain ? s->plain[i] : s->is_plain;
        if (cp == (unsigned char)quote || cp == '\\') {
            ok = jtext_put(r, t, "\\", 1, is_plain) && jtext_put_part(r, t, s, i, i + len);
        } else if (!unicode_is_printable(cp) || (is_ascii_only && cp >= 0x80)) {
            ok = put_escape(r, t, cp, is_plain);
        } else {
            ok = jtext_put_part(r, t, s, i, i + len);
        }
    }
    return ok && jtext_put(r, t, &quote, 1, false);
}

typedef bool (*put_fn)(jrun *r, jtext *t, jval v);

static bool put_items(jrun *r, jtext *t, const jlist *l, put_fn put)
{
    for (size_t i = 0; i < l->n; i++)
        if ((i && !jtext_puts(r, t, ", ")) || !put(r, t, l->item[i])) return false;
    return true;
}

static bool put_dict(jrun *r, jtext *t, const jdict *d, put_fn put)
{
    for (size_t i = 0; i < d->n; i++)
        if ((i && !jtext_puts(r, t, ", ")) || !put(r, t, d->entry[i].key) || !jtext_puts(r, t, ": ")
            || !put(r, t, d->entry[i].value))
            return false;
    return true;
}

static bool put_view(jrun *r, jtext *t, const jview *v, put_fn put)
{
    for (size_t i = 0; i < v->d->n; i++) {
        const jentry *e = &v->d->entry[i];
        bool ok = !i || jtext_puts(r, t, ", ");
        if (v->kind == JVIEW_ITEMS)
            ok = ok && jtext_puts(r, t, "(") && put(r, t, e->key) && jtext_puts(r, t, ", ")
                 && put(r, t, e->value) && jtext_puts(r, t, ")");
        else
            ok = ok && put(r, t, v->kind == JVIEW_KEYS ? e->key : e->value);
        if (!ok) return false;
    }
    return true;
}

static bool put_range(jrun *r, jtext *t, const jrange *range)
{
    char text[96];
    snprintf(text, sizeof text, "range(%" PRId64 ", %" PRId64, range->start, range->stop);
    if (!jtext_puts(r, t, text)) return false;
    snprintf(text, sizeof text, range->step == 1 ? ")" : ", %" PRId64 ")", range->step);
    return jtext_puts(r, t, text);
}

static bool put_loop(jrun *r, jtext *t, jloop *loop)
{
    static const jstr name = { .s = "length", .n = 6, .is_ascii = true };
    jval length = { 0 };
    return jloop_attr(r, loop, &name, &length) && jtext_puts(r, t, "<LoopContext ")
           && jtext_put_int(r, t, loop->index0 + 1) && jtext_puts(r, t, "/")
           && jtext_put_int(r, t, length.i) && jtext_puts(r, t, ">");
}

static bool put_container(jrun *r, jtext *t, jval v, put_fn put)
{
    switch (v.type) {
    case J_LIST: return jtext_puts(r, t, "[") && put_items(r, t, v.l, put) && jtext_puts(r, t, "]");
    case J_TUPLE:
        return jtext_puts(r, t, "(") && put_items(r, t, v.l, put)
               && jtext_puts(r, t, v.l->n == 1 ? ",)" : ")");
    case J_DICT: return jtext_puts(r, t, "{") && put_dict(r, t, v.d, put) && jtext_puts(r, t, "}");
    case J_NAMESPACE:
        return jtext_puts(r, t, "<Namespace {") && put_dict(r, t, v.d, put)
               && jtext_puts(r, t, "}>");
    case J_VIEW:
        return jtext_puts(r, t, jtype_name(v)) && jtext_puts(r, t, "([") && put_view(r, t, v.p, put)
               && jtext_puts(r, t, "])");
    case J_MACRO: {
        const jnode *n = ((const jmacro *)v.p)->node;
        return n->name ? jtext_puts(r, t, "<Macro ") && put_quoted(r, t, n->name, false)
                             && jtext_puts(r, t, ">")
                       : jtext_puts(r, t, "<Macro anonymous>");
    }
    case J_LOOP: return put_loop(r, t, v.p);
    default: /* Python would print where in memory it lies */
        return jfail(r, "a %s has no text of its own", jtype_name(v));
    }
}

static bool put_any(jrun *r, jtext *t, jval v, put_fn put, bool is_ascii_only)
{
    if (!jspend(r, 1)) return false;
    switch (v.type) {
    case J_MISSING:
    case J_UNDEF: return jtext_puts(r, t, "Undefined");
    case J_NONE: return jtext_puts(r, t, "None");
    case J_BOOL: return jtext_puts(r, t, v.b ? "True" : "False");
    case J_INT: return jtext_put_int(r, t, v.i);
    case J_BIG: return jtext_put_str(r, t, v.s);
    case J_FLOAT: return jtext_put_float(r, t, v.f);
    case J_STR:
        if (!v.s->is_safe) return put_quoted(r, t, v.s, is_ascii_only);
        return jtext_puts(r, t, "Markup(") && put_quoted(r, t, v.s, is_ascii_only)
               && jtext_puts(r, t, ")");
    case J_RANGE: return put_range(r, t, v.range);
    default: break;
    }
    if (!jenter(r)) return false;
    bool ok = put_container(r, t, v, put);
    jleave(r);
    return ok;
}

bool jtext_put_repr(jrun *r, jtext *t, jval v)
{
    return put_any(r, t, v, jtext_put_repr, false);
}

bool jtext_put_ascii(jrun *r, jtext *t, jval v)
{
    return put_any(r, t, v, jtext_put_ascii, true);
}

bool jtext_put_value(jrun *r, jtext *t, jval v)
{
    if (v.type == J_STR) return jtext_put_str(r, t, v.s);
    if (v.type == J_UNDEF) return true;
    return jtext_put_repr(r, t, v);
}

bool jto_str(jrun *r, jval v, const jstr **out)
{
    jval s;
    if (v.type == J_STR) {
        *out = v.s;
        return true;
    }
    jtext *t = jtext_open(r);
    if (!t || !jtext_put_value(r, t, v) || !jtext_finish(r, t, &s)) return false;
    *out = s.s;
    return true;
}

/* ---- Markup ------------------------------------------------------------------------------ */

bool jtext_put_html(jrun *r, jtext *t, const jstr *s)
{
    static const char special[] = "&<>\"'";
    static const char *const entities[] = { "&amp;", "&lt;", "&gt;", "&#34;", "&#39;" };
    size_t done = 0;
    for (size_t i = 0; i < s->n; i++) {
        const char *p = s->s[i] ? strchr(special, s->s[i]) : NULL;
        if (!p) continue;
        const char *entity = entities[p - special];
        bool is_plain = s->plain ? s->plain[i] : s->is_plain;
        if (!jtext_put_part(r, t, s, done, i) || !jtext_put(r, t, entity, strlen(entity), is_plain))
            return false;
        done = i + 1;
    }
    return jtext_put_part(r, t, s, done, s->n);
}

bool jmark_safe(jrun *r, const jstr *s, jval *out)
{
    jstr *copy = jalloc(r, 1, sizeof *copy);
    if (!copy) return false;
    *copy = *s;
    copy->home = NULL;
    copy->is_safe = true;
    *out = jstr_value(copy);
    return true;
}

bool jescape(jrun *r, jval v, jval *out)
{
    const jstr *s;
    *out = v;
    if (v.type == J_STR && v.s->is_safe) return true;
    jtext *t = jtext_open(r);
    return t && jto_str(r, v, &s) && jtext_put_html(r, t, s) && jtext_finish(r, t, out)
           && jmark_safe(r, out->s, out);
}
