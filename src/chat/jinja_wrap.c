/* jinja_wrap.c - the filters wordwrap (Python's textwrap.wrap) and pprint (pprint.pformat).
 * Layer: chat. */
#include "chat/jinja_wrap.h"
#include "base/utf8.h"
#include "chat/jinja_text.h"
#include "text/unicode_case.h"
#include <string.h>

/* ---- a line as characters ---------------------------------------------------------------- */

typedef struct {
    const jstr *s;
    uint32_t *cp;  /* [n] */
    size_t *start; /* [n + 1] byte where each begins */
    size_t n;
} chars;

static bool read_chars(jrun *r, const jstr *s, chars *c)
{
    size_t n = jstr_count(s), at = 0;
    *c = (chars){ .s = s, .n = n };
    c->cp = jalloc(r, n + 1, sizeof *c->cp);
    c->start = jalloc(r, n + 1, sizeof *c->start);
    if (!c->cp || !c->start || !jspend(r, n)) return false;
    for (size_t i = 0; i < n; i++) {
        c->start[i] = at;
        at += utf8_decode(s->s + at, s->n - at, &c->cp[i]);
    }
    c->start[n] = at;
    return true;
}

/* 0 beyond the ends, which is in no class. */
static uint32_t char_at(const chars *c, size_t i)
{
    return i < c->n ? c->cp[i] : 0;
}

static bool is_ascii_blank(uint32_t cp)
{
    return cp == ' ' || (cp >= '\t' && cp <= '\r');
}

static bool is_word(uint32_t cp)
{
    return cp && (cp == '_' || unicode_is_alnum(cp));
}

static bool is_letter(uint32_t cp)
{
    return is_word(cp) && !unicode_is_decimal(cp);
}

static bool is_word_or_punctuation(uint32_t cp)
{
    return is_word(cp) || (cp && cp < 0x80 && strchr("!\"'&.,?", (int)cp));
}

/* Where a run of two or more hyphens before a word ends; i when there is none at i. */
static size_t dash_end(const chars *c, size_t i)
{
    size_t end = i;
    while (char_at(c, end) == '-') end++;
    return end - i >= 2 && is_word(char_at(c, end)) ? end : i;
}

/* Whether a word may be cut behind its hyphen at i: "ab-cd", "a-b-cd". */
static bool breaks_behind(const chars *c, size_t i)
{
    bool before =
        i >= 2 && is_letter(c->cp[i - 1])
        && (is_letter(c->cp[i - 2]) || (i >= 3 && c->cp[i - 2] == '-' && is_letter(c->cp[i - 3])));
    size_t next = i + 1;
    if (!before || char_at(c, i) != '-' || !is_letter(char_at(c, next))) return false;
    return is_letter(char_at(c, next + 1))
           || (char_at(c, next + 1) == '-' && is_letter(char_at(c, next + 2)));
}

/* The end of the piece that begins at i: blanks, dashes between words, or a word up to where it may
 * be cut (textwrap's wordsep_re). */
static size_t piece_end(const chars *c, size_t i, bool cuts_hyphens)
{
    size_t end = i;
    while (is_ascii_blank(char_at(c, end))) end++;
    if (end > i) return end;
    if (cuts_hyphens && i > 0 && is_word_or_punctuation(c->cp[i - 1])) end = dash_end(c, i);
    if (end > i) return end;
    for (end = i + 1; end < c->n && !is_ascii_blank(c->cp[end]); end++) {
        if (!cuts_hyphens) continue;
        if (breaks_behind(c, end)) return end + 1;
        if (is_word_or_punctuation(c->cp[end - 1]) && dash_end(c, end) > end) return end;
    }
    return end;
}

/* ---- wordwrap ---------------------------------------------------------------------------- */

typedef struct {
    size_t width;
    bool cuts_words, cuts_hyphens;
    const jstr *between;
    jtext *out;
    bool has_line; /* of any line of the text */
} wrapper;

static bool is_blank_piece(const chars *c, size_t from, size_t to)
{
    while (from < to && unicode_is_space(c->cp[from])) from++;
    return from == to;
}

/* How much of a piece that is longer than a line goes into what is left of one. */
static size_t part_of(const wrapper *w, const chars *c, size_t from, size_t to, size_t n_left)
{
    size_t end = from + n_left;
    if (!w->cuts_hyphens) return end;
    for (size_t i = end < to ? end : to; i > from + 1; i--) {
        if (c->cp[i - 1] != '-') continue;
        for (size_t k = from; k < i - 1; k++)
            if (c->cp[k] != '-') return i;
        break;
    }
    return end;
}

static bool put_line(jrun *r, wrapper *w, const chars *c, size_t from, size_t to)
{
    if (w->has_line && !jtext_put_str(r, w->out, w->between)) return false;
    w->has_line = true;
    return jtext_put_part(r, w->out, c->s, c->start[from], c->start[to]);
}

/* One line of the text as lines of at most the width. */
static bool wrap_line(jrun *r, wrapper *w, const chars *c)
{
    bool has_line = false;
    size_t rest = 0; /* the end of a piece that was cut, which stays one */
    for (size_t at = 0; at < c->n;) {
        size_t end = at < rest ? rest : piece_end(c, at, w->cuts_hyphens);
        if (has_line && is_blank_piece(c, at, end)) at = end;
        size_t begin = at, last = at; /* of the line; where its last piece begins */
        while (at < c->n
               && (end = at < rest ? rest : piece_end(c, at, w->cuts_hyphens)) - begin
                      <= w->width) {
            last = at;
            at = end;
        }
        if (at < c->n && end - at > w->width) {
            size_t cut = part_of(w, c, at, end, w->width - (at - begin));
            if (w->cuts_words || at == begin) { /* an empty part keeps the blanks before it */
                last = at;
                at = w->cuts_words ? cut : end;
                rest = end;
            }
        }
        size_t line_end = is_blank_piece(c, last, at) ? last : at;
        if (!jspend(r, 1 + at - begin)) return false;
        if (line_end > begin && !put_line(r, w, c, begin, line_end)) return false;
        has_line = has_line || line_end > begin;
    }
    /* a line without text is a line */
    return has_line || put_line(r, w, c, 0, 0);
}

bool jfilter_wordwrap(jrun *r, const jval *a, jval *out)
{
    static const jstr newline = { .s = "\n", .n = 1, .is_ascii = true };
    wrapper w = { .between = &newline, .cuts_words = true, .cuts_hyphens = true };
    int64_t width = 79;
    jlist *lines;
    if (a[0].type != J_STR)
        return a[0].type == J_UNDEF
                   ? jfail_undef(r, a[0])
                   : jfail(r, "'%s object' has no attribute 'splitlines'", jtype_name(a[0]));
    if (a[1].type != J_MISSING && !jget_int(r, a[1], "wordwrap", &width)) return false;
    if (a[2].type != J_MISSING) w.cuts_words = jtruth(a[2]);
    if (a[3].type == J_STR) w.between = a[3].s;
    if (a[4].type != J_MISSING) w.cuts_hyphens = jtruth(a[4]);
    if (!jstr_splitlines(r, a[0].s, false, &lines) || !(w.out = jtext_open(r))) return false;
    if (width <= 0 && lines->n > 0)
        return jfail(r, "invalid width %lld (must be > 0)", (long long)width);
    w.width = (size_t)width;
    for (size_t i = 0; i < lines->n; i++) {
        chars c;
        if (!read_chars(r, lines->item[i].s, &c) || !wrap_line(r, &w, &c)) return false;
    }
    return jtext_finish(r, w.out, out);
}

/* ---- pprint ------------------------------------------------------------------------------ */

static bool sort_dict(jrun *r, const jdict *d, jdict **out)
{
    jval *item = jalloc(r, d->n + 1, sizeof *item), *key = jalloc(r, d->n + 1, sizeof *key);
    if (!item || !key || !jnew_dict(r, out)) return false;
    for (size_t i = 0; i < d->n; i++) {
        item[i] = jint((int64_t)i);
        key[i] = d->entry[i].key;
    }
    if (!jsort(r, item, key, d->n, false)) return false;
    for (size_t i = 0; i < d->n; i++) {
        const jentry *e = &d->entry[item[i].i];
        if (!jdict_put(r, *out, e->key, e->value)) return false;
    }
    return true;
}

/* The same value with the keys of all its dicts in order. */
static bool sort_all(jrun *r, jval v, jval *out)
{
    jlist *l;
    jdict *d;
    *out = v;
    if (!jis_seq(v) && v.type != J_DICT) return true;
    if (!jenter(r)) return false;
    bool ok = true;
    if (v.type == J_DICT) {
        ok = sort_dict(r, v.d, &d);
        for (size_t i = 0; ok && i < d->n; i++)
            ok = sort_all(r, d->entry[i].value, &d->entry[i].value);
        if (ok) *out = jdict_value(d);
    } else {
        ok = jnew_list(r, v.l->n, &l);
        for (size_t i = 0; ok && i < v.l->n; i++) {
            jval item;
            ok = sort_all(r, v.l->item[i], &item) && jlist_put(r, l, item);
        }
        if (ok) *out = (jval){ .type = v.type, .l = l };
    }
    jleave(r);
    return ok;
}

bool jfilter_pprint(jrun *r, const jval *a, jval *out)
{
    enum { MAX_WIDTH = 80 };
    jval v;
    jtext *t = jtext_open(r);
    if (!t || !sort_all(r, a[0], &v) || !jtext_put_repr(r, t, v) || !jtext_finish(r, t, out))
        return false;
    bool can_be_cut = jis_seq(v) || v.type == J_DICT || v.type == J_STR;
    if (can_be_cut && jstr_count(out->s) > MAX_WIDTH)
        return jfail(r, "pprint is not supported for what does not fit %d columns", MAX_WIDTH);
    return true;
}
