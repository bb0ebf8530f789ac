/* unicode.c - see unicode.h. Normal forms: Unicode Standard Annex 15. */
#include "text/unicode.h"
#include "base/mem.h"
#include "base/utf8.h"
#include <string.h>

enum { /* Hangul syllables are composed by arithmetic: Unicode 15, section 3.12 */
       HANGUL_S = 0xAC00,
       HANGUL_L = 0x1100,
       HANGUL_V = 0x1161,
       HANGUL_T = 0x11A7,
       HANGUL_N_L = 19,
       HANGUL_N_V = 21,
       HANGUL_N_T = 28,
       HANGUL_N_S = HANGUL_N_L * HANGUL_N_V * HANGUL_N_T
};

/* A growing run of code points: a buf whose bytes are uint32_t. */
static uint32_t *code_points(const buf *b, size_t *n)
{
    *n = b->len / sizeof(uint32_t);
    return (uint32_t *)(void *)b->data;
}

/* The row of a sorted table whose first field is `key`; rows are n_words uint32_t long. */
static const uint32_t *find_row(const uint32_t *rows, size_t n, size_t n_words, uint32_t key)
{
    size_t lo = 0, hi = n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (rows[mid * n_words] < key)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < n && rows[lo * n_words] == key ? rows + lo * n_words : NULL;
}

uint32_t unicode_to_lower(uint32_t cp)
{
    if (cp < 0x80) return cp >= 'A' && cp <= 'Z' ? cp + 32 : cp;
    const uint32_t *row = find_row(&unicode_lower[0].cp, unicode_n_lower, 2, cp);
    return row ? row[1] : cp;
}

int unicode_combining_class(uint32_t cp)
{
    size_t lo = 0, hi = unicode_n_ccc;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (unicode_ccc[mid].last < cp)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < unicode_n_ccc && unicode_ccc[lo].first <= cp ? (int)unicode_ccc[lo].ccc : 0;
}

size_t unicode_decompose(uint32_t cp, uint32_t out[4])
{
    if (cp - HANGUL_S < HANGUL_N_S) {
        uint32_t i = cp - HANGUL_S;
        out[0] = HANGUL_L + i / (HANGUL_N_V * HANGUL_N_T);
        out[1] = HANGUL_V + i / HANGUL_N_T % HANGUL_N_V;
        out[2] = HANGUL_T + i % HANGUL_N_T;
        return out[2] == HANGUL_T ? 2 : 3;
    }
    /* Only the first of the two decomposes further; at most three steps deep. */
    uint32_t tail[3];
    size_t n_tail = 0, n = 0;
    const uint32_t *row;
    while (n_tail < 3 && (row = find_row(&unicode_decomp[0].cp, unicode_n_decomp, 3, cp))) {
        cp = row[1];
        if (row[2]) tail[n_tail++] = row[2];
    }
    out[n++] = cp;
    while (n_tail > 0) out[n++] = tail[--n_tail];
    return n;
}

/* The composition of a pair, or 0. */
static uint32_t compose(uint32_t a, uint32_t b)
{
    if (a - HANGUL_L < HANGUL_N_L && b - HANGUL_V < HANGUL_N_V)
        return HANGUL_S + ((a - HANGUL_L) * HANGUL_N_V + (b - HANGUL_V)) * HANGUL_N_T;
    if (a - HANGUL_S < HANGUL_N_S && (a - HANGUL_S) % HANGUL_N_T == 0 && b > HANGUL_T
        && b < HANGUL_T + HANGUL_N_T)
        return a + (b - HANGUL_T);
    size_t lo = 0, hi = unicode_n_comp;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        const unicode_composition *c = &unicode_comp[mid];
        if (c->a < a || (c->a == a && c->b < b))
            lo = mid + 1;
        else
            hi = mid;
    }
    const unicode_composition *c = &unicode_comp[lo];
    return lo < unicode_n_comp && c->a == a && c->b == b ? c->cp : 0;
}

/* Sorts one run of combining marks by class, keeping the order within a class. Short runs by
 * insertion; hostile ones by counting, so that time stays linear. */
static bool sort_marks(uint32_t *cp, size_t n)
{
    if (n <= 16) {
        for (size_t i = 1; i < n; i++) {
            uint32_t c = cp[i];
            int ccc = unicode_combining_class(c);
            size_t j = i;
            for (; j > 0 && unicode_combining_class(cp[j - 1]) > ccc; j--) cp[j] = cp[j - 1];
            cp[j] = c;
        }
        return true;
    }
    size_t start[257] = { 0 };
    uint32_t *sorted = mem_new(n, sizeof *sorted);
    if (!sorted) return false;
    for (size_t i = 0; i < n; i++) start[unicode_combining_class(cp[i]) + 1]++;
    for (size_t i = 1; i < 257; i++) start[i] += start[i - 1];
    for (size_t i = 0; i < n; i++) sorted[start[unicode_combining_class(cp[i])]++] = cp[i];
    memcpy(cp, sorted, n * sizeof *cp);
    mem_free(sorted);
    return true;
}

/* Puts the marks behind each starter in canonical order. */
static bool sort_canonically(uint32_t *cp, size_t n)
{
    for (size_t i = 0; i < n;) {
        size_t start = i;
        while (i < n && unicode_combining_class(cp[i]) != 0) i++;
        if (i - start > 1 && !sort_marks(cp + start, i - start)) return false;
        if (i == start) i++;
    }
    return true;
}

/* Composes in place and returns the new length. A mark composes with the last starter unless one
 * of its class or above stands between. */
static size_t compose_all(uint32_t *cp, size_t n)
{
    size_t n_out = 0, starter = 0;
    bool has_starter = false;
    int last_class = -1; /* of what stands between starter and here; -1 = nothing */
    for (size_t i = 0; i < n; i++) {
        int ccc = unicode_combining_class(cp[i]);
        uint32_t joined = has_starter && last_class < ccc ? compose(cp[starter], cp[i]) : 0;
        if (joined) {
            cp[starter] = joined;
            continue;
        }
        if (ccc == 0) {
            has_starter = true;
            starter = n_out;
            last_class = -1;
        } else {
            last_class = ccc;
        }
        cp[n_out++] = cp[i];
    }
    return n_out;
}

static bool put_code_point(buf *out, uint32_t cp)
{
    char s[UTF8_MAX_BYTES];
    return buf_put(out, s, utf8_encode(cp, s));
}

/* Normalises what scratch holds, appends it to *out and empties scratch. */
static bool flush_run(buf *out, buf *scratch, bool composes)
{
    size_t n;
    uint32_t *cp = code_points(scratch, &n);
    if (scratch->failed || !sort_canonically(cp, n)) return false;
    if (composes) n = compose_all(cp, n);
    for (size_t i = 0; i < n; i++) put_code_point(out, cp[i]);
    scratch->len = 0;
    return !out->failed;
}

static bool may_compose(uint32_t cp)
{
    return unicode_props(cp) & UNICODE_MAY_COMPOSE;
}

/* The bytes at the start of s that a normal form leaves as they are whatever follows: for form C
 * all characters but the last before one that may change, for form D the ASCII ones. */
static size_t untouched(const char *s, size_t n, bool composes)
{
    size_t i = 0, last = 0;
    uint32_t cp;
    while (i < n) {
        size_t len = utf8_decode(s + i, n - i, &cp);
        if (composes ? may_compose(cp) : cp >= 0x80) return composes ? last : i;
        last = i;
        i += len;
    }
    return n;
}

/* Whether a run that is normalised by itself ends between these: nothing reaches back over it. */
static bool ends_run(uint32_t cp, uint32_t next)
{
    return cp == UTF8_BAD || !may_compose(next);
}

/* Normalises the run at the start of s and returns its length in bytes. */
static size_t normalize_run(buf *out, buf *scratch, const char *s, size_t n)
{
    size_t i = 0;
    uint32_t cp, next;
    do {
        size_t len = utf8_decode(s + i, n - i, &cp);
        next = UTF8_BAD;
        if (i + len < n) utf8_decode(s + i + len, n - i - len, &next);
        if (cp == UTF8_BAD) {
            buf_put(out, s + i, len);
        } else {
            uint32_t parts[4];
            buf_put(scratch, parts, unicode_decompose(cp, parts) * sizeof parts[0]);
        }
        i += len;
    } while (i < n && !ends_run(cp, next));
    return i;
}

static bool normalize(buf *out, const char *s, size_t n, bool composes)
{
    buf scratch = { 0 };
    bool ok = true;
    for (size_t i = 0; i < n && ok;) {
        size_t len = untouched(s + i, n - i, composes);
        buf_put(out, s + i, len);
        i += len;
        if (i < n) i += normalize_run(out, &scratch, s + i, n - i);
        ok = flush_run(out, &scratch, composes);
    }
    buf_free(&scratch);
    return ok;
}

bool unicode_is_surely_nfc(const char *s, size_t n)
{
    uint32_t cp;
    for (size_t i = 0; i < n;) {
        uint64_t eight;
        if (n - i >= sizeof eight) {
            memcpy(&eight, s + i, sizeof eight);
            if (!(eight & 0x8080808080808080u)) {
                i += sizeof eight;
                continue;
            }
        }
        i += utf8_decode(s + i, n - i, &cp);
        if (may_compose(cp)) return false;
    }
    return true;
}

bool unicode_nfc(buf *out, const char *s, size_t n)
{
    if (unicode_is_surely_nfc(s, n)) return buf_put(out, s, n);
    return normalize(out, s, n, true);
}

bool unicode_nfd(buf *out, const char *s, size_t n)
{
    return normalize(out, s, n, false);
}
