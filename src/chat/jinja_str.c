/* jinja_str.c - the parts of Python's str that filters and methods share.
 * Layer: chat. */
#include "base/utf8.h"
#include "chat/jinja_builtin.h"
#include "chat/jinja_text.h"
#include "text/unicode_case.h"
#include <string.h>

/* ---- stripping --------------------------------------------------------------------------- */

/* Whether the character at s[at..at+len) is to go: a blank, or one of chars. */
static bool goes(const jstr *s, size_t at, size_t len, const jstr *chars)
{
    uint32_t cp;
    if (chars) return memmem(chars->s, chars->n, s->s + at, len) != NULL;
    utf8_decode(s->s + at, len, &cp);
    return unicode_is_space(cp);
}

bool jstr_strip(jrun *r, const jstr *s, const jstr *chars, int sides, jval *out)
{
    size_t from = 0, to = s->n, cost = chars ? chars->n : 1;
    uint32_t cp;
    while (sides & JSTRIP_LEFT && from < to) {
        size_t len = utf8_decode(s->s + from, to - from, &cp);
        if (!goes(s, from, len, chars)) break;
        from += len;
        if (!jspend(r, 1 + cost / 16)) return false;
    }
    while (sides & JSTRIP_RIGHT && to > from) {
        size_t at = to - 1;
        while (at > from && ((unsigned char)s->s[at] & 0xC0) == 0x80) at--;
        if (!goes(s, at, to - at, chars)) break;
        to = at;
        if (!jspend(r, 1 + cost / 16)) return false;
    }
    return jnew_slice(r, s, from, to, out);
}

/* ---- case -------------------------------------------------------------------------------- */

typedef struct {
    const jstr *s;
    jcase how;
    bool after_cased; /* the character before has a case: titles go on in lower case */
} case_state;

static size_t map_char(case_state *c, size_t at, uint32_t cp, uint32_t out[UNICODE_CASE_MAX])
{
    unsigned flags = unicode_flags_of(cp);
    bool in_word = c->after_cased;
    c->after_cased = flags & UNICODE_IS_CASED;
    switch (c->how) {
    case JCASE_UPPER: return unicode_full_upper(cp, out);
    case JCASE_FOLD: return unicode_full_fold(cp, out);
    case JCASE_LOWER: break;
    case JCASE_CAPITALIZE:
        if (at == 0) return unicode_full_title(cp, out);
        break;
    case JCASE_TITLE:
        if (!in_word) return unicode_full_title(cp, out);
        break;
    case JCASE_SWAP:
        if (flags & UNICODE_IS_LOWER) return unicode_full_upper(cp, out);
        if (flags & UNICODE_IS_UPPER) break;
        out[0] = cp;
        return 1;
    }
    return unicode_full_lower(c->s->s, c->s->n, at, out);
}

bool jstr_case(jrun *r, const jstr *s, jcase how, jval *out)
{
    case_state c = { s, how, false };
    jtext *t = jtext_open(r);
    uint32_t cp, to[UNICODE_CASE_MAX];
    for (size_t at = 0, len; t && at < s->n; at += len) {
        len = utf8_decode(s->s + at, s->n - at, &cp);
        bool is_plain = s->plain ? s->plain[at] : s->is_plain;
        size_t n = map_char(&c, at, cp, to);
        for (size_t i = 0; i < n; i++)
            if (!jtext_put_char(r, t, to[i], is_plain)) return false;
    }
    return t && jtext_finish(r, t, out);
}

bool jstr_is_case(const jstr *s, bool is_upper)
{
    unsigned other = UNICODE_IS_TITLE | (is_upper ? UNICODE_IS_LOWER : UNICODE_IS_UPPER);
    bool has_cased = false;
    uint32_t cp;
    for (size_t at = 0; at < s->n;) {
        at += utf8_decode(s->s + at, s->n - at, &cp);
        unsigned flags = unicode_flags_of(cp);
        if (flags & other) return false;
        has_cased |= flags & (is_upper ? UNICODE_IS_UPPER : UNICODE_IS_LOWER);
    }
    return has_cased;
}

/* ---- replacing and lines ------------------------------------------------------------------- */

/* `to` before each character and at the end. */
static bool replace_nothing(jrun *r, jtext *t, const jstr *s, const jstr *to, int64_t max)
{
    uint32_t cp;
    size_t at = 0;
    for (; at < s->n && max != 0; max--) {
        size_t len = utf8_decode(s->s + at, s->n - at, &cp);
        if (!jspend(r, 1) || !jtext_put_str(r, t, to) || !jtext_put_part(r, t, s, at, at + len))
            return false;
        at += len;
    }
    if (!jtext_put_part(r, t, s, at, s->n)) return false;
    return max == 0 || jtext_put_str(r, t, to);
}

bool jstr_replace(jrun *r, const jstr *s, const jstr *from, const jstr *to, int64_t max, jval *out)
{
    jtext *t = jtext_open(r);
    size_t at = 0;
    if (!t) return false;
    if (from->n == 0) return replace_nothing(r, t, s, to, max) && jtext_finish(r, t, out);
    for (; max != 0; max--) {
        size_t next = jstr_find(s, at, s->n, from);
        if (next == SIZE_MAX) break;
        if (!jspend(r, 1) || !jtext_put_part(r, t, s, at, next) || !jtext_put_str(r, t, to))
            return false;
        at = next + from->n;
    }
    return jtext_put_part(r, t, s, at, s->n) && jtext_finish(r, t, out);
}

static bool ends_line(uint32_t cp)
{
    return (cp >= 0x0A && cp <= 0x0D) || (cp >= 0x1C && cp <= 0x1E) || cp == 0x85 || cp == 0x2028
           || cp == 0x2029;
}

bool jstr_splitlines(jrun *r, const jstr *s, bool keeps_ends, jlist **out)
{
    size_t start = 0;
    uint32_t cp;
    jval line;
    if (!jnew_list(r, 4, out) || !jspend(r, s->n / 8)) return false;
    for (size_t at = 0; at < s->n;) {
        size_t end = at;
        at += utf8_decode(s->s + at, s->n - at, &cp);
        if (!ends_line(cp)) continue;
        if (cp == '\r' && at < s->n && s->s[at] == '\n') at++;
        if (!jnew_slice(r, s, start, keeps_ends ? at : end, &line) || !jlist_put(r, *out, line))
            return false;
        start = at;
    }
    if (start == s->n) return true;
    return jnew_slice(r, s, start, s->n, &line) && jlist_put(r, *out, line);
}
