/* jinja_order.c - see jinja_value.h and jinja_builtin.h: which value is less, and sorting by that.
 * Layer: chat. */
#include "chat/jinja_big.h"
#include "chat/jinja_builtin.h"
#include <string.h>

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
        *out = !jis_nan(a) && !jis_nan(b) && jcompare_numbers(a, b) < 0;
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

/* ---- sorting ----------------------------------------------------------------------------- */

typedef struct {
    jval item, key;
} sort_row;

/* Merges two sorted halves of rows[0..n); on ties the left one goes first. */
static bool merge(jrun *r, sort_row *rows, size_t half, size_t n, sort_row *space, bool is_reversed)
{
    size_t a = 0, b = half, at = 0;
    while (a < half && b < n) {
        bool takes_b;
        const jval *left = &rows[a].key, *right = &rows[b].key;
        bool ok = is_reversed ? jless(r, *left, *right, "<", &takes_b)
                              : jless(r, *right, *left, "<", &takes_b);
        if (!ok) return false;
        space[at++] = takes_b ? rows[b++] : rows[a++];
    }
    while (a < half) space[at++] = rows[a++];
    while (b < n) space[at++] = rows[b++];
    memcpy(rows, space, n * sizeof *rows);
    return true;
}

static bool sort_rows(jrun *r, sort_row *rows, size_t n, sort_row *space, bool is_reversed)
{
    size_t half = n / 2;
    if (n < 2) return true;
    return jspend(r, n) && sort_rows(r, rows, half, space, is_reversed)
           && sort_rows(r, rows + half, n - half, space, is_reversed)
           && merge(r, rows, half, n, space, is_reversed);
}

bool jsort(jrun *r, jval *item, const jval *key, size_t n, bool is_reversed)
{
    sort_row *rows = jalloc(r, n, sizeof *rows), *space = jalloc(r, n, sizeof *space);
    if (!rows || !space) return false;
    for (size_t i = 0; i < n; i++) rows[i] = (sort_row){ item[i], key[i] };
    if (!sort_rows(r, rows, n, space, is_reversed)) return false;
    for (size_t i = 0; i < n; i++) item[i] = rows[i].item;
    return true;
}
