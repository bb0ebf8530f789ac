/* jinja_methods.c - the methods of str, and of the other types: a table for each.
 * Layer: chat. Those that change a list or dictionary are refused by the sandbox (jinja_get.c). */
#include "base/utf8.h"
#include "chat/jinja_run.h"
#include "text/unicode_case.h"
#include <string.h>

/* ---- arguments --------------------------------------------------------------------------- */

bool jget_int(jrun *r, jval v, const char *what, int64_t *out)
{
    if (v.type == J_MISSING) return true;
    if (v.type == J_UNDEF) return jfail_undef(r, v);
    if (!jis_int(v))
        return jfail(r, "%s: '%s' object cannot be interpreted as an integer", what, jtype_name(v));
    *out = jint_of(v);
    return true;
}

static bool get_str(jrun *r, jval v, const char *what, const jstr **out)
{
    *out = v.type == J_STR ? v.s : NULL;
    return *out || jfail(r, "%s: must be str, not %s", what, jtype_name(v));
}

/* None counts as not given. */
static bool is_given(jval v)
{
    return v.type != J_MISSING && v.type != J_NONE;
}

/* Optional start and end, in characters, as bytes of s; false without error: an empty stretch that
 * lies behind the end, where nothing is found. */
static bool get_stretch(jrun *r, const jstr *s, const jval bound[2], size_t *from, size_t *to,
                        bool *ok)
{
    int64_t n = (int64_t)jstr_count(s), low = 0, high = n;
    *from = *to = 0;
    *ok = (!is_given(bound[0]) || jget_int(r, bound[0], "start", &low))
          && (!is_given(bound[1]) || jget_int(r, bound[1], "end", &high))
          && jspend(r, s->is_ascii ? 0 : s->n / 8);
    if (low < 0) low = low + n < 0 ? 0 : low + n;
    if (high < 0) high = high + n < 0 ? 0 : high + n;
    if (high > n) high = n;
    if (!*ok || low > high) return false;
    *from = jstr_offset(s, (size_t)low);
    *to = jstr_offset(s, (size_t)high);
    return true;
}

/* ---- case and characters ------------------------------------------------------------------- */

static bool str_upper(jrun *r, const jval *a, jval *out)
{
    return jstr_case(r, a[0].s, JCASE_UPPER, out);
}

static bool str_lower(jrun *r, const jval *a, jval *out)
{
    return jstr_case(r, a[0].s, JCASE_LOWER, out);
}

static bool str_title(jrun *r, const jval *a, jval *out)
{
    return jstr_case(r, a[0].s, JCASE_TITLE, out);
}

static bool str_fold(jrun *r, const jval *a, jval *out)
{
    return jstr_case(r, a[0].s, JCASE_FOLD, out);
}

static bool str_swap(jrun *r, const jval *a, jval *out)
{
    return jstr_case(r, a[0].s, JCASE_SWAP, out);
}

static bool str_capitalize(jrun *r, const jval *a, jval *out)
{
    return jstr_case(r, a[0].s, JCASE_CAPITALIZE, out);
}

typedef bool (*char_test)(uint32_t cp);

static bool is_digit(uint32_t cp)
{
    return unicode_flags_of(cp) & UNICODE_IS_DIGIT;
}

static bool is_numeric(uint32_t cp)
{
    return unicode_flags_of(cp) & UNICODE_IS_NUMERIC;
}

static bool is_ascii(uint32_t cp)
{
    return cp < 0x80;
}

/* All characters pass; an empty text only where `of_empty`. */
static bool all_are(jrun *r, const jstr *s, char_test test, bool of_empty, jval *out)
{
    uint32_t cp;
    bool all = s->n > 0 || of_empty;
    for (size_t at = 0; at < s->n && all;) {
        at += utf8_decode(s->s + at, s->n - at, &cp);
        all = test(cp);
    }
    *out = jbool(all);
    return jspend(r, s->n / 8);
}

static bool str_isalpha(jrun *r, const jval *a, jval *out)
{
    return all_are(r, a[0].s, unicode_is_alpha, false, out);
}

static bool str_isalnum(jrun *r, const jval *a, jval *out)
{
    return all_are(r, a[0].s, unicode_is_alnum, false, out);
}

static bool str_isascii(jrun *r, const jval *a, jval *out)
{
    return all_are(r, a[0].s, is_ascii, true, out);
}

static bool str_isspace(jrun *r, const jval *a, jval *out)
{
    return all_are(r, a[0].s, unicode_is_space, false, out);
}

static bool str_isdigit(jrun *r, const jval *a, jval *out)
{
    return all_are(r, a[0].s, is_digit, false, out);
}

static bool str_isnumeric(jrun *r, const jval *a, jval *out)
{
    return all_are(r, a[0].s, is_numeric, false, out);
}

static bool str_isdecimal(jrun *r, const jval *a, jval *out)
{
    return all_are(r, a[0].s, unicode_is_decimal, false, out);
}

static bool str_isprintable(jrun *r, const jval *a, jval *out)
{
    return all_are(r, a[0].s, unicode_is_printable, true, out);
}

static bool str_isupper(jrun *r, const jval *a, jval *out)
{
    *out = jbool(jstr_is_case(a[0].s, true));
    return jspend(r, a[0].s->n / 8);
}

static bool str_islower(jrun *r, const jval *a, jval *out)
{
    *out = jbool(jstr_is_case(a[0].s, false));
    return jspend(r, a[0].s->n / 8);
}

static bool str_istitle(jrun *r, const jval *a, jval *out)
{
    const jstr *s = a[0].s;
    bool after_cased = false, has_cased = false, ok = true;
    uint32_t cp;
    for (size_t at = 0; at < s->n && ok;) {
        at += utf8_decode(s->s + at, s->n - at, &cp);
        unsigned flags = unicode_flags_of(cp);
        if (flags & (UNICODE_IS_UPPER | UNICODE_IS_TITLE))
            ok = !after_cased;
        else if (flags & UNICODE_IS_LOWER)
            ok = after_cased;
        after_cased = flags & UNICODE_IS_CASED;
        has_cased |= after_cased;
    }
    *out = jbool(ok && has_cased);
    return jspend(r, s->n / 8);
}

static bool str_isidentifier(jrun *r, const jval *a, jval *out)
{
    const jstr *s = a[0].s;
    uint32_t cp;
    bool ok = s->n > 0;
    for (size_t at = 0; at < s->n && ok;) {
        unsigned wanted = at == 0 ? UNICODE_ID_START : UNICODE_ID_PART;
        at += utf8_decode(s->s + at, s->n - at, &cp);
        ok = unicode_flags_of(cp) & wanted;
    }
    *out = jbool(ok);
    return jspend(r, s->n / 8);
}

/* ---- stripping and filling ----------------------------------------------------------------- */

static bool strip(jrun *r, const jval *a, int sides, jval *out)
{
    const jstr *chars = NULL;
    if (is_given(a[1]) && !get_str(r, a[1], "strip arg", &chars)) return false;
    return jstr_strip(r, a[0].s, chars, sides, out);
}

static bool str_strip(jrun *r, const jval *a, jval *out)
{
    return strip(r, a, JSTRIP_LEFT | JSTRIP_RIGHT, out);
}

static bool str_lstrip(jrun *r, const jval *a, jval *out)
{
    return strip(r, a, JSTRIP_LEFT, out);
}

static bool str_rstrip(jrun *r, const jval *a, jval *out)
{
    return strip(r, a, JSTRIP_RIGHT, out);
}

static bool starts_with(const jstr *s, size_t from, size_t to, const jstr *part)
{
    return part->n <= to - from && memcmp(s->s + from, part->s, part->n) == 0;
}

static bool ends_with(const jstr *s, size_t from, size_t to, const jstr *part)
{
    return part->n <= to - from && memcmp(s->s + to - part->n, part->s, part->n) == 0;
}

/* startswith, endswith: one text or a tuple of them. */
static bool test_affix(jrun *r, const jval *a, const char *name,
                       bool (*test)(const jstr *, size_t, size_t, const jstr *), jval *out)
{
    size_t from, to;
    bool ok, found = get_stretch(r, a[0].s, a + 2, &from, &to, &ok), any = false;
    if (!ok) return false;
    const jval *item = a[1].type == J_TUPLE ? a[1].l->item : &a[1];
    size_t n = a[1].type == J_TUPLE ? a[1].l->n : 1;
    for (size_t i = 0; i < n && !any; i++) {
        if (item[i].type != J_STR)
            return jfail(r, "%s first arg must be str or a tuple of str, not %s", name,
                         jtype_name(item[i]));
        any = found && test(a[0].s, from, to, item[i].s);
    }
    *out = jbool(any);
    return true;
}

static bool str_startswith(jrun *r, const jval *a, jval *out)
{
    return test_affix(r, a, "startswith", starts_with, out);
}

static bool str_endswith(jrun *r, const jval *a, jval *out)
{
    return test_affix(r, a, "endswith", ends_with, out);
}

static bool str_removeprefix(jrun *r, const jval *a, jval *out)
{
    const jstr *s = a[0].s, *part;
    if (!get_str(r, a[1], "removeprefix() argument", &part)) return false;
    return jnew_slice(r, s, starts_with(s, 0, s->n, part) ? part->n : 0, s->n, out);
}

static bool str_removesuffix(jrun *r, const jval *a, jval *out)
{
    const jstr *s = a[0].s, *part;
    if (!get_str(r, a[1], "removesuffix() argument", &part)) return false;
    return jnew_slice(r, s, 0, s->n - (ends_with(s, 0, s->n, part) ? part->n : 0), out);
}

/* s between so many fill characters. */
static bool fill(jrun *r, const jval *a, int64_t left, int64_t right, jval *out)
{
    static const jstr blank = { .s = " ", .n = 1, .is_ascii = true };
    const jstr *c = &blank;
    if (a[2].type != J_MISSING) {
        if (!get_str(r, a[2], "The fill character", &c)) return false;
        if (jstr_count(c) != 1)
            return jfail(r, "The fill character must be exactly one character long");
    }
    jtext *t = jtext_open(r);
    return t && jtext_put_fill(r, t, c, left) && jtext_put_str(r, t, a[0].s)
           && jtext_put_fill(r, t, c, right) && jtext_finish(r, t, out);
}

static bool get_pad(jrun *r, const jval *a, int64_t *width, int64_t *pad)
{
    *width = 0;
    if (!jget_int(r, a[1], "width", width)) return false;
    int64_t n = (int64_t)jstr_count(a[0].s);
    *pad = *width > n ? *width - n : 0;
    return true;
}

static bool str_center(jrun *r, const jval *a, jval *out)
{
    int64_t width, pad;
    if (!get_pad(r, a, &width, &pad)) return false;
    int64_t left = pad / 2 + (pad & width & 1); /* as CPython rounds */
    return fill(r, a, left, pad - left, out);
}

static bool str_ljust(jrun *r, const jval *a, jval *out)
{
    int64_t width, pad;
    return get_pad(r, a, &width, &pad) && fill(r, a, 0, pad, out);
}

static bool str_rjust(jrun *r, const jval *a, jval *out)
{
    int64_t width, pad;
    return get_pad(r, a, &width, &pad) && fill(r, a, pad, 0, out);
}

static bool str_zfill(jrun *r, const jval *a, jval *out)
{
    static const jstr zero = { .s = "0", .n = 1, .is_ascii = true };
    const jstr *s = a[0].s;
    int64_t width, pad;
    size_t sign = s->n && (s->s[0] == '-' || s->s[0] == '+');
    jtext *t = jtext_open(r);
    return t && get_pad(r, a, &width, &pad) && jtext_put_part(r, t, s, 0, sign)
           && jtext_put_fill(r, t, &zero, pad) && jtext_put_part(r, t, s, sign, s->n)
           && jtext_finish(r, t, out);
}

static bool str_expandtabs(jrun *r, const jval *a, jval *out)
{
    const jstr *s = a[0].s;
    int64_t size = 8, column = 0;
    uint32_t cp;
    jtext *t = jtext_open(r);
    if (!t || !jget_int(r, a[1], "tabsize", &size)) return false;
    for (size_t at = 0, len; at < s->n; at += len) {
        len = utf8_decode(s->s + at, s->n - at, &cp);
        int64_t blanks = cp == '\t' && size > 0 ? size - column % size : 0;
        bool ok =
            cp == '\t' ? jtext_put_spaces(r, t, blanks) : jtext_put_part(r, t, s, at, at + len);
        if (!ok) return false;
        column = cp == '\n' || cp == '\r' ? 0 : column + (cp == '\t' ? blanks : 1);
    }
    return jtext_finish(r, t, out);
}

/* ---- finding ----------------------------------------------------------------------------- */

typedef size_t (*finder)(const jstr *, size_t, size_t, const jstr *);

static bool find(jrun *r, const jval *a, finder f, bool must, jval *out)
{
    size_t from, to, at = SIZE_MAX;
    const jstr *part;
    bool ok;
    if (!get_str(r, a[1], "find arg", &part)) return false;
    if (get_stretch(r, a[0].s, a + 2, &from, &to, &ok)) at = f(a[0].s, from, to, part);
    if (!ok || !jspend(r, a[0].s->n / 8)) return false;
    if (at == SIZE_MAX && must) return jfail(r, "substring not found");
    *out = jint(at == SIZE_MAX     ? -1
                : a[0].s->is_ascii ? (int64_t)at
                                   : (int64_t)utf8_count(a[0].s->s, at));
    return true;
}

static bool str_find(jrun *r, const jval *a, jval *out)
{
    return find(r, a, jstr_find, false, out);
}

static bool str_rfind(jrun *r, const jval *a, jval *out)
{
    return find(r, a, jstr_rfind, false, out);
}

static bool str_index(jrun *r, const jval *a, jval *out)
{
    return find(r, a, jstr_find, true, out);
}

static bool str_rindex(jrun *r, const jval *a, jval *out)
{
    return find(r, a, jstr_rfind, true, out);
}

static bool str_count(jrun *r, const jval *a, jval *out)
{
    size_t from, to;
    const jstr *s = a[0].s, *part;
    bool ok;
    *out = jint(0);
    if (!get_str(r, a[1], "count arg", &part)) return false;
    if (!get_stretch(r, s, a + 2, &from, &to, &ok)) return ok;
    if (part->n == 0) {
        *out = jint((int64_t)utf8_count(s->s + from, to - from) + 1);
        return true;
    }
    for (; (from = jstr_find(s, from, to, part)) != SIZE_MAX; from += part->n) out->i++;
    return jspend(r, s->n / 8 + (size_t)out->i);
}

static bool str_replace(jrun *r, const jval *a, jval *out)
{
    int64_t max = -1;
    const jstr *from, *to;
    return get_str(r, a[1], "replace() argument 1", &from)
           && get_str(r, a[2], "replace() argument 2", &to) && jget_int(r, a[3], "count", &max)
           && jstr_replace(r, a[0].s, from, to, max, out);
}

/* ---- splitting and joining ------------------------------------------------------------------ */

static bool put_slice(jrun *r, jlist *l, const jstr *s, size_t from, size_t to)
{
    jval v;
    return jnew_slice(r, s, from, to, &v) && jlist_put(r, l, v) && jspend(r, 1);
}

static size_t skip(const jstr *s, size_t at, bool over_spaces)
{
    uint32_t cp;
    while (at < s->n) {
        size_t len = utf8_decode(s->s + at, s->n - at, &cp);
        if (unicode_is_space(cp) != over_spaces) break;
        at += len;
    }
    return at;
}

/* The same, backwards: where the run that ends at `end` begins. */
static size_t skip_back(const jstr *s, size_t end, bool over_spaces)
{
    uint32_t cp;
    while (end > 0) {
        size_t at = end - 1;
        while (at > 0 && ((unsigned char)s->s[at] & 0xC0) == 0x80) at--;
        utf8_decode(s->s + at, end - at, &cp);
        if (unicode_is_space(cp) != over_spaces) break;
        end = at;
    }
    return end;
}

/* At runs of blanks; the last part, when max is reached, keeps the blanks at its end. */
static bool split_words(jrun *r, const jstr *s, int64_t max, jlist *l)
{
    for (size_t at = skip(s, 0, true); at < s->n; max--) {
        size_t end = max == 0 ? s->n : skip(s, at, false);
        if (!put_slice(r, l, s, at, end)) return false;
        at = skip(s, end, true);
    }
    return true;
}

static bool rsplit_words(jrun *r, const jstr *s, int64_t max, jlist *l)
{
    for (size_t end = skip_back(s, s->n, true); end > 0; max--) {
        size_t at = max == 0 ? 0 : skip_back(s, end, false);
        if (!put_slice(r, l, s, at, end)) return false;
        end = skip_back(s, at, true);
    }
    return true;
}

static bool split_at(jrun *r, const jstr *s, const jstr *sep, int64_t max, jlist *l)
{
    size_t at = 0, next;
    for (; max != 0 && (next = jstr_find(s, at, s->n, sep)) != SIZE_MAX; max--) {
        if (!put_slice(r, l, s, at, next)) return false;
        at = next + sep->n;
    }
    return put_slice(r, l, s, at, s->n);
}

static bool rsplit_at(jrun *r, const jstr *s, const jstr *sep, int64_t max, jlist *l)
{
    size_t end = s->n, at;
    for (; max != 0 && (at = jstr_rfind(s, 0, end, sep)) != SIZE_MAX; max--) {
        if (!put_slice(r, l, s, at + sep->n, end)) return false;
        end = at;
    }
    return put_slice(r, l, s, 0, end);
}

static void turn_around(jlist *l)
{
    for (size_t i = 0; i < l->n / 2; i++) {
        jval v = l->item[i];
        l->item[i] = l->item[l->n - 1 - i];
        l->item[l->n - 1 - i] = v;
    }
}

static bool split(jrun *r, const jval *a, bool from_right, jval *out)
{
    const jstr *s = a[0].s, *sep = NULL;
    int64_t max = -1;
    jlist *l;
    if (is_given(a[1]) && !get_str(r, a[1], "split arg", &sep)) return false;
    if (!jget_int(r, a[2], "maxsplit", &max)) return false;
    if (sep && sep->n == 0) return jfail(r, "empty separator");
    if (!jnew_list(r, 4, &l) || !jspend(r, s->n / 8)) return false;
    bool ok = from_right ? (sep ? rsplit_at(r, s, sep, max, l) : rsplit_words(r, s, max, l))
                         : (sep ? split_at(r, s, sep, max, l) : split_words(r, s, max, l));
    if (!ok) return false;
    if (from_right) turn_around(l);
    *out = jlist_value(l);
    return true;
}

static bool str_split(jrun *r, const jval *a, jval *out)
{
    return split(r, a, false, out);
}

static bool str_rsplit(jrun *r, const jval *a, jval *out)
{
    return split(r, a, true, out);
}

static bool str_splitlines(jrun *r, const jval *a, jval *out)
{
    jlist *l;
    if (!jstr_splitlines(r, a[0].s, a[1].type != J_MISSING && jtruth(a[1]), &l)) return false;
    *out = jlist_value(l);
    return true;
}

static bool partition(jrun *r, const jval *a, bool from_right, jval *out)
{
    const jstr *s = a[0].s, *sep;
    jlist *l;
    if (!get_str(r, a[1], "partition arg", &sep)) return false;
    if (sep->n == 0) return jfail(r, "empty separator");
    size_t at = from_right ? jstr_rfind(s, 0, s->n, sep) : jstr_find(s, 0, s->n, sep);
    size_t from = at == SIZE_MAX ? (from_right ? 0 : s->n) : at,
           to = at == SIZE_MAX ? from : at + sep->n;
    if (!jspend(r, s->n / 8) || !jnew_list(r, 3, &l) || !put_slice(r, l, s, 0, from)
        || !put_slice(r, l, s, from, to) || !put_slice(r, l, s, to, s->n))
        return false;
    *out = jtuple_value(l);
    return true;
}

static bool str_partition(jrun *r, const jval *a, jval *out)
{
    return partition(r, a, false, out);
}

static bool str_rpartition(jrun *r, const jval *a, jval *out)
{
    return partition(r, a, true, out);
}

static bool str_join(jrun *r, const jval *a, jval *out)
{
    jlist *l;
    jtext *t = jtext_open(r);
    if (!t || !jto_list(r, a[1], &l)) return false;
    for (size_t i = 0; i < l->n; i++) {
        if (l->item[i].type != J_STR)
            return jfail(r, "sequence item %zu: expected str instance, %s found", i,
                         jtype_name(l->item[i]));
        jval item = l->item[i];
        if (a[0].s->is_safe && !jescape(r, item, &item)) return false;
        if ((i && !jtext_put_str(r, t, a[0].s)) || !jtext_put_str(r, t, item.s)) return false;
    }
    return jtext_finish(r, t, out) && (!a[0].s->is_safe || jmark_safe(r, out->s, out));
}

static bool str_format(jrun *r, jval self, const jargs *args, jval *out)
{
    return jformat(r, self.s, args, out);
}

static bool str_format_map(jrun *r, const jval *a, jval *out)
{
    if (a[1].type != J_DICT) return jfail(r, "format_map() needs a dictionary");
    jargs args = { .kw = a[1].d->entry, .n_kw = a[1].d->n };
    return jformat(r, a[0].s, &args, out);
}

const jbuiltin jstr_methods[] = {
    { "strip", str_strip, "/chars", 0, NULL, NULL },
    { "lstrip", str_lstrip, "/chars", 0, NULL, NULL },
    { "rstrip", str_rstrip, "/chars", 0, NULL, NULL },
    { "split", str_split, "sep,maxsplit", 0, NULL, NULL },
    { "rsplit", str_rsplit, "sep,maxsplit", 0, NULL, NULL },
    { "splitlines", str_splitlines, "keepends", 0, NULL, NULL },
    { "startswith", str_startswith, "/prefix,start,end", 1, NULL, NULL },
    { "endswith", str_endswith, "/suffix,start,end", 1, NULL, NULL },
    { "replace", str_replace, "/old,new,count", 2, NULL, NULL },
    { "upper", str_upper, "/", 0, NULL, NULL },
    { "lower", str_lower, "/", 0, NULL, NULL },
    { "title", str_title, "/", 0, NULL, NULL },
    { "capitalize", str_capitalize, "/", 0, NULL, NULL },
    { "casefold", str_fold, "/", 0, NULL, NULL },
    { "swapcase", str_swap, "/", 0, NULL, NULL },
    { "join", str_join, "/iterable", 1, NULL, NULL },
    { "format", NULL, NULL, 0, str_format, NULL },
    { "format_map", str_format_map, "/mapping", 1, NULL, NULL },
    { "find", str_find, "/sub,start,end", 1, NULL, NULL },
    { "rfind", str_rfind, "/sub,start,end", 1, NULL, NULL },
    { "index", str_index, "/sub,start,end", 1, NULL, NULL },
    { "rindex", str_rindex, "/sub,start,end", 1, NULL, NULL },
    { "count", str_count, "/sub,start,end", 1, NULL, NULL },
    { "center", str_center, "/width,fillchar", 1, NULL, NULL },
    { "ljust", str_ljust, "/width,fillchar", 1, NULL, NULL },
    { "rjust", str_rjust, "/width,fillchar", 1, NULL, NULL },
    { "zfill", str_zfill, "/width", 1, NULL, NULL },
    { "expandtabs", str_expandtabs, "tabsize", 0, NULL, NULL },
    { "partition", str_partition, "/sep", 1, NULL, NULL },
    { "rpartition", str_rpartition, "/sep", 1, NULL, NULL },
    { "removeprefix", str_removeprefix, "/prefix", 1, NULL, NULL },
    { "removesuffix", str_removesuffix, "/suffix", 1, NULL, NULL },
    { "isalpha", str_isalpha, "/", 0, NULL, NULL },
    { "isalnum", str_isalnum, "/", 0, NULL, NULL },
    { "isascii", str_isascii, "/", 0, NULL, NULL },
    { "isdigit", str_isdigit, "/", 0, NULL, NULL },
    { "isdecimal", str_isdecimal, "/", 0, NULL, NULL },
    { "isnumeric", str_isnumeric, "/", 0, NULL, NULL },
    { "isspace", str_isspace, "/", 0, NULL, NULL },
    { "isprintable", str_isprintable, "/", 0, NULL, NULL },
    { "isupper", str_isupper, "/", 0, NULL, NULL },
    { "islower", str_islower, "/", 0, NULL, NULL },
    { "istitle", str_istitle, "/", 0, NULL, NULL },
    { "isidentifier", str_isidentifier, "/", 0, NULL, NULL },
    { "encode", NULL, NULL, 0, NULL, "it gives bytes" },
    { "translate", jstr_translate, "/table", 1, NULL, NULL },
    { "maketrans", jstr_maketrans, "/x,y,z", 1, NULL, NULL },
    { NULL, NULL, NULL, 0, NULL, NULL },
};
