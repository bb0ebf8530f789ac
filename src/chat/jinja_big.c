/* jinja_big.c - see jinja_big.h. A number is worked with in limbs of nine decimal digits. */
#include "chat/jinja_big.h"
#include "chat/jinja_ast.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BASE = 1000000000, LIMB_DIGITS = 9, MAX_LIMBS = JBIG_MAX_DIGITS / LIMB_DIGITS + 2 };

typedef struct {
    uint32_t *limb; /* [n] the least first, the last is not 0; n = 0 is zero */
    size_t n;
    bool is_negative;
} big;

static bool big_new(jrun *r, size_t n, big *b)
{
    if (n > 2 * MAX_LIMBS)
        return jfail(r, "Exceeds the limit (%d digits) for integer string conversion",
                     JBIG_MAX_DIGITS);
    *b = (big){ .limb = jalloc(r, n + 1, sizeof *b->limb), .n = n };
    return b->limb && jspend(r, 1 + n);
}

static void trim(big *b)
{
    while (b->n > 0 && b->limb[b->n - 1] == 0) b->n--;
    if (b->n == 0) b->is_negative = false;
}

/* ---- to and from values ------------------------------------------------------------------ */

static bool read_digits(jrun *r, const char *s, size_t n, big *b)
{
    if (!big_new(r, (n + LIMB_DIGITS - 1) / LIMB_DIGITS, b)) return false;
    for (size_t i = 0; i < b->n; i++) {
        size_t end = n - i * LIMB_DIGITS, start = end < LIMB_DIGITS ? 0 : end - LIMB_DIGITS;
        for (size_t k = start; k < end; k++) b->limb[i] = b->limb[i] * 10 + (uint32_t)(s[k] - '0');
    }
    trim(b);
    return true;
}

static bool read_value(jrun *r, jval v, big *b)
{
    char text[24];
    const char *s = text;
    size_t n = 0;
    if (v.type == J_BIG)
        s = v.s->s, n = v.s->n;
    else
        n = (size_t)snprintf(text, sizeof text, "%" PRId64, jint_of(v));
    bool is_negative = *s == '-';
    if (!read_digits(r, s + is_negative, n - is_negative, b)) return false;
    b->is_negative = is_negative && b->n > 0;
    return true;
}

static bool to_int64(const big *b, int64_t *v)
{
    *v = 0;
    for (size_t i = b->n; i-- > 0;) {
        int64_t limb = b->limb[i];
        if (__builtin_mul_overflow(*v, BASE, v)
            || __builtin_add_overflow(*v, b->is_negative ? -limb : limb, v))
            return false;
    }
    return true;
}

static bool to_value(jrun *r, big *b, jval *out)
{
    int64_t v;
    trim(b);
    if (to_int64(b, &v)) {
        *out = jint(v);
        return true;
    }
    char *s = jalloc(r, b->n * LIMB_DIGITS + 2, 1);
    if (!s) return false;
    size_t at = (size_t)sprintf(s, "%s%" PRIu32, b->is_negative ? "-" : "", b->limb[b->n - 1]);
    for (size_t i = b->n - 1; i-- > 0;) at += (size_t)sprintf(s + at, "%09" PRIu32, b->limb[i]);
    if (at - b->is_negative > JBIG_MAX_DIGITS)
        return jfail(r, "Exceeds the limit (%d digits) for integer string conversion",
                     JBIG_MAX_DIGITS);
    if (!jnew_str(r, s, at, false, out)) return false;
    out->type = J_BIG;
    return true;
}

bool jbig_from_digits(jrun *r, const char *s, size_t n, bool is_negative, jval *out)
{
    big b;
    if (!read_digits(r, s, n, &b)) return false;
    b.is_negative = is_negative;
    return to_value(r, &b, out);
}

static bool from_float(jrun *r, double f, jval *out)
{
    char text[400];
    int n = snprintf(text, sizeof text, "%.0f", trunc(fabs(f)));
    return jbig_from_digits(r, text, (size_t)n, f < 0, out);
}

bool jbig_to_float(jrun *r, jval v, double *out)
{
    char text[JBIG_MAX_DIGITS + 8];
    if (v.type != J_BIG) {
        *out = jfloat_of(v);
        return true;
    }
    snprintf(text, sizeof text, "%.*s", (int)v.s->n, v.s->s);
    *out = strtod(text, NULL);
    return isfinite(*out) || jfail(r, "int too large to convert to float");
}

/* ---- magnitudes -------------------------------------------------------------------------- */

static int compare_magnitudes(const big *a, const big *b)
{
    if (a->n != b->n) return a->n < b->n ? -1 : 1;
    for (size_t i = a->n; i-- > 0;)
        if (a->limb[i] != b->limb[i]) return a->limb[i] < b->limb[i] ? -1 : 1;
    return 0;
}

/* |a| + |b| */
static bool add_magnitudes(jrun *r, const big *a, const big *b, big *out)
{
    uint32_t carry = 0;
    if (!big_new(r, (a->n > b->n ? a->n : b->n) + 1, out)) return false;
    for (size_t i = 0; i < out->n; i++) {
        carry += (i < a->n ? a->limb[i] : 0) + (i < b->n ? b->limb[i] : 0);
        out->limb[i] = carry % BASE;
        carry /= BASE;
    }
    trim(out);
    return true;
}

/* a->limb -= b->limb * q, which is no more than a. */
static void subtract_times(big *a, const big *b, uint32_t q)
{
    int64_t borrow = 0;
    for (size_t i = 0; i < a->n; i++) {
        int64_t v = (int64_t)a->limb[i] - borrow - (i < b->n ? (int64_t)b->limb[i] * q : 0);
        borrow = v < 0 ? (-v + BASE - 1) / BASE : 0;
        a->limb[i] = (uint32_t)(v + borrow * BASE);
    }
    trim(a);
}

static bool copy_big(jrun *r, const big *a, big *out)
{
    if (!big_new(r, a->n, out)) return false;
    memcpy(out->limb, a->limb, a->n * sizeof *a->limb);
    out->is_negative = a->is_negative;
    return true;
}

static bool add(jrun *r, const big *a, const big *b, big *out)
{
    if (a->is_negative == b->is_negative) {
        if (!add_magnitudes(r, a, b, out)) return false;
        out->is_negative = a->is_negative;
        return true;
    }
    const big *large = compare_magnitudes(a, b) >= 0 ? a : b;
    if (!copy_big(r, large, out)) return false;
    subtract_times(out, large == a ? b : a, 1);
    return true;
}

static bool multiply(jrun *r, const big *a, const big *b, big *out)
{
    if (!big_new(r, a->n + b->n, out) || !jspend(r, a->n * b->n / 16)) return false;
    for (size_t i = 0; i < a->n; i++) {
        uint64_t carry = 0;
        for (size_t k = 0; k < b->n || carry; k++) {
            carry += out->limb[i + k] + (k < b->n ? (uint64_t)a->limb[i] * b->limb[k] : 0);
            out->limb[i + k] = (uint32_t)(carry % BASE);
            carry /= BASE;
        }
    }
    out->is_negative = a->is_negative != b->is_negative;
    trim(out);
    return true;
}

/* Whether b * q > rest; both positive. */
static bool exceeds(const big *b, uint32_t q, const big *rest)
{
    uint64_t carry = 0;
    bool is_more = false; /* the product so far than as many limbs of rest */
    size_t i = 0;
    for (; i < b->n || carry; i++) {
        carry += i < b->n ? (uint64_t)b->limb[i] * q : 0;
        uint32_t limb = (uint32_t)(carry % BASE), other = i < rest->n ? rest->limb[i] : 0;
        if (limb != other) is_more = limb > other;
        carry /= BASE;
    }
    return is_more && i >= rest->n;
}

/* The greatest number below BASE that b can be multiplied with to be no more than rest. */
static uint32_t times_in(const big *b, const big *rest)
{
    uint32_t low = 0, high = BASE; /* b * low <= rest < b * high */
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (exceeds(b, middle, rest)) high = middle;
        else low = middle;
    }
    return low;
}

/* Rounded towards minus infinity, the remainder has the sign of b. */
static bool divide(jrun *r, const big *a, const big *b, big *q, big *rest)
{
    const big one = { .limb = (uint32_t[]){ 1 }, .n = 1, .is_negative = true };
    big next;
    if (!big_new(r, a->n, q) || !big_new(r, b->n + 1, rest)) return false;
    if (!jspend(r, 2 * a->n * b->n)) return false;
    rest->n = 0;
    for (size_t i = a->n; i-- > 0;) {
        memmove(rest->limb + 1, rest->limb, rest->n * sizeof *rest->limb);
        rest->limb[0] = a->limb[i];
        rest->n++;
        trim(rest);
        q->limb[i] = times_in(b, rest);
        subtract_times(rest, b, q->limb[i]);
    }
    q->is_negative = a->is_negative != b->is_negative;
    trim(q);
    rest->is_negative = a->is_negative && rest->n > 0;
    if (rest->n == 0 || a->is_negative == b->is_negative) return true;
    if (!add(r, rest, b, &next)) return false;
    *rest = next;
    q->is_negative = true; /* also of a zero: then it becomes -1 */
    return add(r, q, &one, &next) && ((*q = next), true);
}

static bool power(jrun *r, big *base, int64_t exp, big *out)
{
    big v;
    if (!read_digits(r, "1", 1, out)) return false;
    for (; exp > 0; exp >>= 1) {
        if (exp & 1) {
            if (!multiply(r, out, base, &v)) return false;
            *out = v;
        }
        if (exp > 1) {
            if (!multiply(r, base, base, &v)) return false;
            *base = v;
        }
    }
    return true;
}

/* ---- operators --------------------------------------------------------------------------- */

bool jbig_binary(jrun *r, int op, jval a, jval b, jval *out)
{
    big x, y, v, rest;
    bool ok = read_value(r, a, &x) && read_value(r, b, &y);
    switch (ok ? op : 0) {
    case 0: return false;
    case TK_SUB: y.is_negative = !y.is_negative && y.n > 0; /* fall through */
    case TK_ADD: ok = add(r, &x, &y, &v); break;
    case TK_MUL: ok = multiply(r, &x, &y, &v); break;
    case TK_FLOORDIV: ok = divide(r, &x, &y, &v, &rest); break;
    case TK_MOD: ok = divide(r, &x, &y, &rest, &v); break;
    default:
        if (b.type == J_BIG || jint_of(b) < 0)
            return jfail(r, "a power of an integer beyond 64 bits is out of range");
        ok = power(r, &x, jint_of(b), &v);
    }
    return ok && to_value(r, &v, out);
}

bool jbig_negate(jrun *r, jval v, jval *out)
{
    big b;
    if (!read_value(r, v, &b)) return false;
    b.is_negative = !b.is_negative && b.n > 0;
    return to_value(r, &b, out);
}

int jbig_compare(jval a, jval b)
{
    bool a_less = a.type == J_BIG ? a.s->s[0] == '-' : jint_of(a) < 0;
    bool b_less = b.type == J_BIG ? b.s->s[0] == '-' : jint_of(b) < 0;
    if (a_less != b_less) return a_less ? -1 : 1;
    int order;
    if (a.type != J_BIG && b.type != J_BIG)
        return (jint_of(a) > jint_of(b)) - (jint_of(a) < jint_of(b));
    if (a.type != b.type)
        order = a.type == J_BIG ? 1 : -1;
    else if (a.s->n != b.s->n)
        order = a.s->n > b.s->n ? 1 : -1;
    else
        order = memcmp(a.s->s, b.s->s, a.s->n);
    return a_less ? -order : order;
}

bool jtruncate_float(jrun *r, double f, jval *out)
{
    if (f != f) return jfail(r, "cannot convert float NaN to integer");
    if (isinf(f)) return jfail(r, "cannot convert float infinity to integer");
    if (f >= 0x1p63 || f < -0x1p63) return from_float(r, f, out);
    *out = jint((int64_t)f);
    return true;
}
