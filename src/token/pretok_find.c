/* pretok_find.c - see pretok_find.h. Each finder is the regular expression in its comment, with
 * the meaning of a leftmost, first-alternative, backtracking matcher. */
#include "token/pretok_find.h"
#include "base/utf8.h"
#include "text/unicode.h"
#include <string.h>

/* A character and where the next one starts. At the end of the text bits is 0: no class, not even
 * a negated one, has it. */
typedef struct {
    uint32_t cp, bits;
    size_t next;
} chr;

static inline chr chr_at(const pretok_text *t, size_t at)
{
    chr c = { UTF8_BAD, 0, t->n };
    if (at >= t->n) return c;
    c.next = at + utf8_decode(t->s + at, t->n - at, &c.cp);
    c.bits = unicode_bits(c.cp);
    return c;
}

static bool is_newline(chr c)
{
    return c.cp == '\n' || c.cp == '\r';
}

static bool is_ascii_letter(chr c)
{
    return (c.cp | 32) >= 'a' && (c.cp | 32) <= 'z';
}

static bool is_ascii_punct(chr c)
{
    return c.cp > ' ' && c.cp < 0x7F && !is_ascii_letter(c) && (c.cp < '0' || c.cp > '9');
}

/* ---- words ------------------------------------------------------------------------------- */

/* The letters of a contraction without regard to case; U+017F is a long s. */
static uint32_t folded(chr c, int contraction)
{
    if (contraction == CONTRACTION_LOWER) return c.cp;
    return c.cp == 0x17F ? 's' : is_ascii_letter(c) ? c.cp | 32 : c.cp;
}

/* 's|'t|'re|'ve|'m|'ll|'d at `at`: its end, or `at`. */
static size_t match_contraction(const pretok_text *t, size_t at, int contraction)
{
    chr quote = chr_at(t, at);
    if (quote.cp != '\'') return at;
    chr c1 = chr_at(t, quote.next), c2 = chr_at(t, c1.next);
    uint32_t a = folded(c1, contraction), b = folded(c2, contraction);
    if (a == 's' || a == 't' || a == 'm' || a == 'd') return c1.next;
    if ((a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l')) return c2.next;
    return at;
}

static size_t skip_bits(const pretok_text *t, size_t at, uint32_t bits)
{
    chr c;
    while ((c = chr_at(t, at)).bits & bits) at = c.next;
    return at;
}

/* The same for the characters of `bits` that are not Han. */
static size_t skip_cased(const pretok_text *t, size_t at, uint32_t bits, uint32_t except)
{
    chr c;
    while ((c = chr_at(t, at)).bits & bits && !(c.bits & except)) at = c.next;
    return at;
}

#define BOTH_CASES (UNICODE_BIT(UNICODE_LM) | UNICODE_BIT(UNICODE_LO) | UNICODE_M)
#define UPPER      (UNICODE_BIT(UNICODE_LU) | UNICODE_BIT(UNICODE_LT) | BOTH_CASES)
#define LOWER      (UNICODE_BIT(UNICODE_LL) | BOTH_CASES)

/* [Lu Lt Lm Lo M]*[Ll Lm Lo M]+ : the first part gives back characters until the second has one,
 * so without a lower-case letter behind it the match ends at the last character of both sets. */
static size_t match_upper_lower(const pretok_text *t, size_t at, uint32_t except)
{
    size_t both_end = at, i = at;
    chr c;
    while ((c = chr_at(t, i)).bits & UPPER && !(c.bits & except)) {
        i = c.next;
        if (c.bits & BOTH_CASES) both_end = i;
    }
    size_t end = skip_cased(t, i, LOWER, except);
    return end > i ? end : both_end;
}

/* [Lu Lt Lm Lo M]+[Ll Lm Lo M]* */
static size_t match_upper(const pretok_text *t, size_t at, uint32_t except)
{
    size_t end = skip_cased(t, at, UPPER, except);
    return end > at ? skip_cased(t, end, LOWER, except) : at;
}

/* Both with the optional character before them, which is given back when nothing follows it. */
static size_t match_cased(const pretok_text *t, size_t at, size_t lead_end, const words_rule *r)
{
    uint32_t except = r->han_word ? UNICODE_HAN : 0;
    size_t end;
    if (lead_end > at && (end = match_upper_lower(t, lead_end, except)) > lead_end) return end;
    if ((end = match_upper_lower(t, at, except)) > at) return end;
    if (lead_end > at && (end = match_upper(t, lead_end, except)) > lead_end) return end;
    return match_upper(t, at, except);
}

/* (?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+ */
static size_t match_phrase(const pretok_text *t, size_t at)
{
    chr c = chr_at(t, at);
    if (!(c.bits & UNICODE_L)) return at;
    for (;;) {
        at = skip_bits(t, at, UNICODE_L | UNICODE_M);
        c = chr_at(t, at);
        if (c.cp != ' ' || !(chr_at(t, c.next).bits & UNICODE_L)) return at;
        at = c.next;
    }
}

static size_t match_letters(const pretok_text *t, size_t at, const words_rule *r)
{
    return r->word == WORD_PHRASE ? match_phrase(t, at) : skip_bits(t, at, r->letters);
}

/* Where the optional character before a word ends: `at` when c is not one. */
static size_t lead_end_at(size_t at, chr c, const words_rule *r)
{
    if (!r->lead_any) return c.cp == ' ' ? c.next : at;
    return c.bits && !(c.bits & r->lead_not) && !is_newline(c) ? c.next : at;
}

static size_t match_word(const pretok_text *t, size_t at, chr c, const words_rule *r)
{
    size_t lead_end = lead_end_at(at, c, r), end;
    if (r->word == WORD_CASED) {
        end = match_cased(t, at, lead_end, r);
    } else {
        end = match_letters(t, lead_end, r);
        if (end == lead_end && lead_end > at) end = match_letters(t, at, r);
    }
    return r->suffix && end > at ? match_contraction(t, end, CONTRACTION_ANY_CASE) : end;
}

static size_t match_number(const pretok_text *t, size_t at, chr c, const words_rule *r)
{
    size_t start = r->blank_number && c.cp == ' ' ? c.next : at, end = start;
    for (int n = 0; r->max_digits == 0 || n < r->max_digits; n++) {
        c = chr_at(t, end);
        if (!(c.bits & UNICODE_N)) break;
        end = c.next;
    }
    return end > start ? end : at;
}

static bool is_symbol(chr c, const words_rule *r)
{
    return c.bits && !(c.bits & r->symbols_not);
}

static size_t match_symbols(const pretok_text *t, size_t at, chr c, const words_rule *r)
{
    size_t start = c.cp == ' ' ? c.next : at, end = start;
    while (c = chr_at(t, end), is_symbol(c, r)) end = c.next;
    if (end == start) return at;
    for (int n = 0; r->max_tail == 0 || n < r->max_tail; n++) {
        if (end == t->n || !strchr(r->tail, t->s[end]) || t->s[end] == '\0') break;
        end++;
    }
    return end;
}

/* Looks at the whole run of white space that `at` is in, once. */
static void scan_space(pretok_text *t, size_t at)
{
    chr c;
    if (at < t->space_end) return;
    t->space_end = at;
    t->newline_end = 0;
    while ((c = chr_at(t, t->space_end)).bits & UNICODE_SPACE) {
        t->last_space = t->space_end;
        t->space_end = c.next;
        if (is_newline(c)) t->newline_end = c.next;
    }
}

/* \s{512}(?!\S)|\s{256}(?!\S)| ... |\s{4}(?!\S)|\s{1,2}(?!\S)|\s{1} */
static size_t match_space_powers(const pretok_text *t, size_t at)
{
    enum { LONGEST = 512 };
    size_t ends[LONGEST + 2], n = 0; /* ends[i] = where i characters end */
    ends[0] = at;
    for (; n <= LONGEST && ends[n] < t->space_end; n++) ends[n + 1] = chr_at(t, ends[n]).next;
    if (t->space_end < t->n) n--; /* the last one is before something else */
    for (size_t k = LONGEST; k > 0; k /= 2)
        if (k <= n) return ends[k];
    return ends[1];
}

/* \s*[\r\n]+|\s+(?!\S)|\s+ */
static size_t match_space(pretok_text *t, size_t at, const words_rule *r)
{
    scan_space(t, at);
    if (t->space_end <= at) return at;
    if (r->newlines && t->newline_end > at) return t->newline_end;
    if (r->space_powers) return match_space_powers(t, at);
    if (t->space_end == t->n || t->last_space == at) return t->space_end;
    return t->last_space;
}

static size_t match_words(pretok_text *t, size_t at, const words_rule *r)
{
    chr c = chr_at(t, at);
    size_t end;
    if (r->han_word && (end = skip_bits(t, at, UNICODE_HAN)) > at) return end;
    if (r->contraction && (end = match_contraction(t, at, r->contraction)) > at) return end;
    if (r->punct_word && is_ascii_punct(c)) {
        for (end = c.next; is_ascii_letter(c = chr_at(t, end));) end = c.next;
        if (end > at + 1) return end;
        c = chr_at(t, at);
    }
    if ((end = match_word(t, at, c, r)) > at) return end;
    if ((end = match_number(t, at, c, r)) > at) return end;
    if ((end = match_symbols(t, at, c, r)) > at) return end;
    return match_space(t, at, r);
}

bool find_words(pretok_text *t, size_t from, const void *rule, size_t *start, size_t *end)
{
    while (from < t->n) {
        *start = from;
        *end = match_words(t, from, rule);
        if (*end > from) return true;
        from = chr_at(t, from).next;
    }
    return false;
}

/* ---- runs -------------------------------------------------------------------------------- */

static bool in_ranges(uint32_t cp, const char_set *set)
{
    size_t lo = 0, hi = set->n_ranges;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (set->ranges[mid].last < cp)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < set->n_ranges && set->ranges[lo].first <= cp;
}

static bool in_set(chr c, const char_set *set)
{
    if (!c.bits) return false;
    return ((c.bits & set->bits) || in_ranges(c.cp, set)) != set->negated;
}

static size_t match_set(const pretok_text *t, size_t at, const char_set *set, const run_rule *r)
{
    size_t end = at;
    int n = 0;
    for (; end < t->n && (r->n_max == 0 || n < r->n_max); n++) {
        unsigned char byte = (unsigned char)t->s[end];
        chr c = { byte, 0, end + 1 };
        if (byte < 0x80 && r->n_sets == 1) { /* of the only set `starts` says it all */
            if (!t->starts[byte]) break;
        } else if (!in_set(c = chr_at(t, end), set)) {
            break;
        }
        end = c.next;
    }
    return n >= r->n_min ? end : at;
}

/* Where a match whose set part starts at `at` starts: one character before, if that may lead. */
static size_t lead_start(const pretok_text *t, size_t from, size_t at, const run_rule *r)
{
    size_t start = at;
    if (r->lead == LEAD_NONE || at == from) return at;
    do start--;
    while (start > from && ((unsigned char)t->s[start] & 0xC0) == 0x80);
    chr c = chr_at(t, start);
    bool leads = r->lead == LEAD_BLANK ? c.cp == ' ' : (c.bits & UNICODE_SPACE) != 0;
    return leads && c.next == at ? start : at;
}

bool find_run(pretok_text *t, size_t from, const void *rule, size_t *start, size_t *end)
{
    const run_rule *r = rule;
    for (size_t at = from;;) {
        while (at < t->n && !t->starts[(unsigned char)t->s[at]]) at++;
        if (at == t->n) return false;
        for (int i = 0; i < r->n_sets; i++) {
            *end = match_set(t, at, &r->sets[i], r);
            if (*end == at) continue;
            *start = lead_start(t, from, at, r);
            return true;
        }
        at = chr_at(t, at).next;
    }
}

/* Of ASCII characters this is known; other bytes may start one of the set if it has any. */
static bool set_may_start(const char_set *set, unsigned char c)
{
    if (c < 0x80) return in_set((chr){ c, unicode_bits(c), 0 }, set);
    return set->negated || set->bits
           || (set->n_ranges && set->ranges[set->n_ranges - 1].last >= 0x80);
}

bool pass_may_start(const struct pretok_pass *pass, unsigned char c)
{
    const run_rule *r = pass->rule;
    if (pass->find == find_space_at_end) return c >= 0x80 || unicode_bits(c) & UNICODE_SPACE;
    if (pass->find == find_lines) return c == '\n' || c == '\r';
    if (pass->find != find_run) return true;
    for (int i = 0; i < r->n_sets; i++)
        if (set_may_start(&r->sets[i], c)) return true;
    return false;
}

/* \s+$ */
bool find_space_at_end(pretok_text *t, size_t from, const void *rule, size_t *start, size_t *end)
{
    (void)rule;
    unsigned char last = (unsigned char)t->s[t->n - 1];
    if (last < 0x80 && !(unicode_bits(last) & UNICODE_SPACE)) return false;
    while (from < t->n) {
        scan_space(t, from);
        if (t->space_end == t->n) {
            *start = from;
            *end = t->n;
            return true;
        }
        from = t->space_end > from ? t->space_end : chr_at(t, from).next;
    }
    return false;
}

/* Bytes of the \r?\n at i; 0: there is none. */
static size_t newline_at(const pretok_text *t, size_t i)
{
    if (i < t->n && t->s[i] == '\n') return 1;
    return i + 1 < t->n && t->s[i] == '\r' && t->s[i + 1] == '\n' ? 2 : 0;
}

/* (?:\r?\n)+(?!\r?\n), merged with what follows it */
bool find_lines(pretok_text *t, size_t from, const void *rule, size_t *start, size_t *end)
{
    (void)rule;
    while (from < t->n && !newline_at(t, from)) from++;
    *start = from;
    for (size_t n; (n = newline_at(t, from)) > 0;) from += n;
    while (from < t->n && !newline_at(t, from)) from++;
    *end = from;
    return *end > *start;
}

/* ---- groups of digits -------------------------------------------------------------------- */

/* Letters in circles and squares, which are symbols by category: alphabetic all the same. */
static bool is_enclosed_letter(uint32_t cp)
{
    return (cp >= 0x24B6 && cp <= 0x24E9) || (cp >= 0x1F130 && cp <= 0x1F149)
           || (cp >= 0x1F150 && cp <= 0x1F169) || (cp >= 0x1F170 && cp <= 0x1F189);
}

/* Whether the character can't go on a word: \b after a digit. Of the numbers that are neither
 * digits nor letters (No) Oniguruma lets those of Latin-1 go on. */
static bool is_word_end(chr c)
{
    const uint32_t word = UNICODE_L | UNICODE_M | UNICODE_BIT(UNICODE_ND) | UNICODE_BIT(UNICODE_NL)
                          | UNICODE_BIT(UNICODE_PC);
    return !(c.bits & (c.cp < 0x100 ? word | UNICODE_N : word)) && !is_enclosed_letter(c.cp);
}

static void scan_digits(pretok_text *t, size_t at, uint32_t bits)
{
    chr c;
    if (at < t->digits_end) return;
    t->digits_end = at;
    t->n_digits = 0;
    for (; (c = chr_at(t, t->digits_end)).bits & bits; t->n_digits++) t->digits_end = c.next;
}

/* The end of the n digits at `at`. */
static size_t skip_chars(const pretok_text *t, size_t at, size_t n)
{
    while (n-- > 0) at = chr_at(t, at).next;
    return at;
}

/* (?=(\d{3})+(?!\d)) has no width: a cut before each three of a run. What follows the last three
 * of a run belongs to them, up to the next cut. */
static size_t skip_to_cut(pretok_text *t, size_t at, uint32_t bits)
{
    while (at < t->n) {
        scan_digits(t, at, bits);
        if (at == t->digits_end) {
            at = chr_at(t, at).next;
            continue;
        }
        if (t->n_digits % 3 == 0) return at;
        at = skip_chars(t, at, t->n_digits % 3);
        t->n_digits -= t->n_digits % 3;
        if (t->n_digits > 0) return at;
    }
    return at;
}

bool find_cuts(pretok_text *t, size_t from, const void *rule, size_t *start, size_t *end)
{
    const group_rule *r = rule;
    *start = skip_to_cut(t, from, r->bits);
    if (*start >= t->n) return false;
    *end = skip_chars(t, *start, 3);
    t->n_digits -= 3;
    *end = skip_to_cut(t, *end, r->bits);
    return true;
}

/* \d{1,3}(?=(?:\d{3})*\b) */
bool find_groups(pretok_text *t, size_t from, const void *rule, size_t *start, size_t *end)
{
    const group_rule *r = rule;
    while (from < t->n) {
        scan_digits(t, from, r->bits);
        if (from == t->digits_end) {
            from = chr_at(t, from).next;
            continue;
        }
        if (r->at_word_end && !is_word_end(chr_at(t, t->digits_end))) {
            from = t->digits_end;
            continue;
        }
        size_t n = t->n_digits % 3 ? t->n_digits % 3 : 3;
        *start = from;
        *end = skip_chars(t, from, n);
        t->n_digits -= n;
        return true;
    }
    return false;
}

/* ---- chameleon --------------------------------------------------------------------------- */

/* A prefix, then 1 to n_max bytes of first..last, then `end`. */
typedef struct {
    const char *prefix;
    size_t n_max;
    char first, last, end;
} tag;

static bool find_tag(const pretok_text *t, size_t from, tag g, size_t *start, size_t *end)
{
    size_t n_prefix = strlen(g.prefix);
    const char *p;
    while (from < t->n && (p = memmem(t->s + from, t->n - from, g.prefix, n_prefix))) {
        size_t body = (size_t)(p - t->s) + n_prefix, i = body;
        while (i < t->n && i - body < g.n_max && t->s[i] >= g.first && t->s[i] <= g.last) i++;
        *start = (size_t)(p - t->s);
        *end = i + 1;
        if (i > body && i < t->n && t->s[i] == g.end) return true;
        from = *start + 1;
    }
    return false;
}

bool find_sentinel(pretok_text *t, size_t from, const void *rule, size_t *start, size_t *end)
{
    (void)rule;
    return find_tag(t, from, (tag){ "<sentinel:", SIZE_MAX, '0', '9', '>' }, start, end);
}

bool find_image(pretok_text *t, size_t from, const void *rule, size_t *start, size_t *end)
{
    (void)rule;
    return find_tag(t, from, (tag){ "IMGIMG", 4, 'A', 'I', 'Z' }, start, end);
}

bool find_indent(pretok_text *t, size_t from, const void *rule, size_t *start, size_t *end)
{
    (void)rule;
    for (; from < t->n; from++) {
        size_t n = 0;
        while (n < 4 && from + n < t->n && t->s[from + n] == ' ') n++;
        if (t->s[from] == '\t' || t->s[from] == '\n')
            n = 1;
        else
            n = n == 4 ? 4 : n >= 2 ? 2 : 0;
        *start = from;
        *end = from + n;
        if (n) return true;
    }
    return false;
}
