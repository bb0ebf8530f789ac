/* jinja_ops.c - Python's operators on values of any type.
 * Layer: chat. Integers that do not fit 64 bits are those of jinja_big.h. */
#include "base/fmath.h"
#include "chat/jinja_big.h"
#include "chat/jinja_run.h"
#include <math.h>
#include <string.h>

static const char *op_text(int op)
{
    switch (op) {
    case TK_ADD: return "+";
    case TK_SUB: return "-";
    case TK_MUL: return "*";
    case TK_DIV: return "/";
    case TK_FLOORDIV: return "//";
    case TK_MOD: return "%";
    case TK_POW: return "** or pow()";
    case TK_GT: return ">";
    case TK_GE: return ">=";
    case TK_LT: return "<";
    default: return "<=";
    }
}

static bool fail_types(jrun *r, int op, jval a, jval b)
{
    return jfail(r, "unsupported operand type(s) for %s: '%s' and '%s'", op_text(op), jtype_name(a),
                 jtype_name(b));
}

/* ---- numbers ----------------------------------------------------------------------------- */

/* Rounds towards minus infinity, as Python does. */
static int64_t floor_div(int64_t a, int64_t b)
{
    int64_t q = a / b;
    return q - (a % b != 0 && (a < 0) != (b < 0));
}

static bool int_pow(jrun *r, int64_t base, int64_t exp, jval *out)
{
    const int64_t whole = base, n = exp;
    int64_t v = 1;
    if (exp < 0) {
        if (base == 0) return jfail(r, "0.0 cannot be raised to a negative power");
        *out = jfloat(math_pow((double)base, (double)exp));
        return true;
    }
    while (exp > 0) {
        if (exp & 1 && __builtin_mul_overflow(v, base, &v))
            return jbig_binary(r, TK_POW, jint(whole), jint(n), out);
        exp >>= 1;
        if (exp > 0 && __builtin_mul_overflow(base, base, &base))
            return jbig_binary(r, TK_POW, jint(whole), jint(n), out);
    }
    *out = jint(v);
    return true;
}

static bool int_binary(jrun *r, int op, int64_t a, int64_t b, jval *out)
{
    int64_t v = 0;
    if (b == 0 && op == TK_DIV) return jfail(r, "division by zero");
    if (b == 0 && op == TK_FLOORDIV) return jfail(r, "integer division or modulo by zero");
    if (b == 0 && op == TK_MOD) return jfail(r, "integer modulo by zero");
    switch (op) {
    case TK_ADD:
        if (__builtin_add_overflow(a, b, &v)) return jbig_binary(r, op, jint(a), jint(b), out);
        break;
    case TK_SUB:
        if (__builtin_sub_overflow(a, b, &v)) return jbig_binary(r, op, jint(a), jint(b), out);
        break;
    case TK_MUL:
        if (__builtin_mul_overflow(a, b, &v)) return jbig_binary(r, op, jint(a), jint(b), out);
        break;
    case TK_DIV: *out = jfloat((double)a / (double)b); return true;
    case TK_FLOORDIV:
        if (a == INT64_MIN && b == -1) return jbig_negate(r, jint(a), out);
        v = floor_div(a, b);
        break;
    case TK_MOD: v = b == -1 ? 0 : a - floor_div(a, b) * b; break;
    default: return int_pow(r, a, b, out);
    }
    *out = jint(v);
    return true;
}

/* Takes the sign of b, exactly. */
static double float_mod(double a, double b)
{
    double m = fmod(a, b);
    if (m == 0) return copysign(0.0, b);
    return (m < 0) != (b < 0) ? m + b : m;
}

/* floor(a / b) as CPython computes it: from the remainder, so that both agree. */
static double float_floor_div(double a, double b)
{
    double m = fmod(a, b), div = (a - m) / b;
    if (m != 0 && (b < 0) != (m < 0)) div -= 1.0;
    if (div == 0) return copysign(0.0, a / b);
    double whole = floor(div);
    return div - whole > 0.5 ? whole + 1.0 : whole;
}

static bool float_binary(jrun *r, int op, double a, double b, jval *out)
{
    if (b == 0 && op == TK_DIV) return jfail(r, "float division by zero");
    if (b == 0 && op == TK_FLOORDIV) return jfail(r, "float floor division by zero");
    if (b == 0 && op == TK_MOD) return jfail(r, "float modulo");
    switch (op) {
    case TK_ADD: *out = jfloat(a + b); return true;
    case TK_SUB: *out = jfloat(a - b); return true;
    case TK_MUL: *out = jfloat(a * b); return true;
    case TK_DIV: *out = jfloat(a / b); return true;
    case TK_FLOORDIV: *out = jfloat(float_floor_div(a, b)); return true;
    case TK_MOD: *out = jfloat(float_mod(a, b)); return true;
    default: break;
    }
    if (a == 0 && b < 0) return jfail(r, "0.0 cannot be raised to a negative power");
    if (a < 0 && b != floor(b)) return jfail(r, "complex numbers are not supported");
    *out = jfloat(math_pow(a, b));
    if (isinf(out->f) && isfinite(a) && isfinite(b))
        return jfail(r, "(34, 'Numerical result out of range')");
    return true;
}

/* ---- strings and sequences ------------------------------------------------------------------ */

/* With a Markup the other side is escaped. */
static bool add_strings(jrun *r, jval a, jval b, jval *out)
{
    bool is_safe = a.s->is_safe || b.s->is_safe;
    if (is_safe && (!jescape(r, a, &a) || !jescape(r, b, &b))) return false;
    if (!jconcat(r, a.s, b.s, out)) return false;
    return !is_safe || jmark_safe(r, out->s, out);
}

static bool add_lists(jrun *r, jval a, jval b, jval *out)
{
    jlist *l;
    size_t n = a.l->n + b.l->n;
    if (!jspend(r, n) || !jnew_list(r, n, &l)) return false;
    for (size_t i = 0; i < a.l->n; i++) l->item[l->n++] = a.l->item[i];
    for (size_t i = 0; i < b.l->n; i++) l->item[l->n++] = b.l->item[i];
    *out = (jval){ .type = a.type, .l = l };
    return true;
}

static bool add_any(jrun *r, jval a, jval b, jval *out)
{
    if (a.type == J_STR && b.type == J_STR) return add_strings(r, a, b, out);
    if (a.type == b.type && jis_seq(a)) return add_lists(r, a, b, out);
    bool concats = (a.type == J_STR && !a.s->is_safe) || jis_seq(a);
    if (!concats) return fail_types(r, TK_ADD, a, b);
    return jfail(r, "can only concatenate %s (not \"%s\") to %s", jtype_name(a), jtype_name(b),
                 jtype_name(a));
}

static bool repeat(jrun *r, jval v, int64_t times, jval *out)
{
    if (v.type == J_STR) {
        jtext *t = jtext_open(r);
        if (!t || !jtext_put_fill(r, t, v.s, times) || !jtext_finish(r, t, out)) return false;
        return !v.s->is_safe || jmark_safe(r, out->s, out);
    }
    jlist *l;
    size_t n = v.l->n, total;
    if (!mem_mul(n, times > 0 ? (size_t)times : 0, &total) || total > r->max_output)
        return jfail(r, "a list grows too long (more than %zu items)", r->max_output);
    if (!jspend(r, total) || !jnew_list(r, total, &l)) return false;
    while (l->n < total) {
        l->item[l->n] = v.l->item[l->n % n];
        l->n++;
    }
    *out = (jval){ .type = v.type, .l = l };
    return true;
}

static bool multiply_any(jrun *r, jval a, jval b, jval *out)
{
    bool a_repeats = a.type == J_STR || jis_seq(a), b_repeats = b.type == J_STR || jis_seq(b);
    if (a_repeats && jis_int(b)) return repeat(r, a, jint_of(b), out);
    if (b_repeats && jis_int(a)) return repeat(r, b, jint_of(a), out);
    if (a_repeats)
        return jfail(r, "can't multiply sequence by non-int of type '%s'", jtype_name(b));
    if (b_repeats)
        return jfail(r, "can't multiply sequence by non-int of type '%s'", jtype_name(a));
    return fail_types(r, TK_MUL, a, b);
}

/* One of them is beyond 64 bits. The quotient of two is refused:
 * it would have to be rounded once. */
static bool big_operands(jrun *r, int op, jval a, jval b, jval *out)
{
    double x, y;
    bool are_ints = jis_any_int(a) && jis_any_int(b);
    if (are_ints && jis_int(b) && jint_of(b) == 0 && op != TK_DIV) {
        if (op == TK_FLOORDIV) return jfail(r, "integer division or modulo by zero");
        if (op == TK_MOD) return jfail(r, "integer modulo by zero");
    }
    if (are_ints && op != TK_DIV) return jbig_binary(r, op, a, b, out);
    if (are_ints) return jfail(r, "division of integers beyond 64 bits is not supported");
    return jbig_to_float(r, a, &x) && jbig_to_float(r, b, &y) && float_binary(r, op, x, y, out);
}

/* An undefined operand fails first, but for the values of a format string. */
bool jbinary(jrun *r, int op, jval a, jval b, jval *out)
{
    if (op == TK_MOD && a.type == J_STR) return jpercent(r, a.s, b, out);
    if (a.type == J_UNDEF) return jfail_undef(r, a);
    if (b.type == J_UNDEF) return jfail_undef(r, b);
    if (jis_int(a) && jis_int(b)) return int_binary(r, op, jint_of(a), jint_of(b), out);
    if (jis_number(a) && jis_number(b)) return float_binary(r, op, jfloat_of(a), jfloat_of(b), out);
    bool has_big = a.type == J_BIG || b.type == J_BIG;
    bool are_numbers = (jis_number(a) || a.type == J_BIG) && (jis_number(b) || b.type == J_BIG);
    if (has_big && are_numbers) return big_operands(r, op, a, b, out);
    if (op == TK_ADD) return add_any(r, a, b, out);
    if (op == TK_MUL) return multiply_any(r, a, b, out);
    return fail_types(r, op, a, b);
}

bool jnegate(jrun *r, jval v, jval *out)
{
    if (v.type == J_UNDEF) return jfail_undef(r, v);
    if (v.type == J_FLOAT)
        *out = jfloat(-v.f);
    else if (jis_int(v) && jint_of(v) != INT64_MIN)
        *out = jint(-jint_of(v));
    else if (jis_any_int(v))
        return jbig_negate(r, v, out);
    else
        return jfail(r, "bad operand type for unary -: '%s'", jtype_name(v));
    return true;
}

/* ---- comparisons --------------------------------------------------------------------------- */

/* a <= b as b > a can't be told from not a > b for numbers that are none. */
static bool at_most(jrun *r, jval a, jval b, const char *op, bool *out)
{
    bool same;
    if (!jless(r, a, b, op, out)) return false;
    if (*out) return true;
    if (!jequal(r, a, b, &same)) return false;
    *out = same;
    return true;
}

bool jcompare(jrun *r, int op, jval a, jval b, bool *out)
{
    bool ok = true;
    switch (op) {
    case TK_EQ: return jequal(r, a, b, out);
    case TK_NE:
        ok = jequal(r, a, b, out);
        *out = !*out;
        return ok;
    case OP_IN: return jcontains(r, b, a, out);
    case OP_NOT_IN:
        ok = jcontains(r, b, a, out);
        *out = !*out;
        return ok;
    case TK_LT: return jless(r, a, b, "<", out);
    case TK_LE: return at_most(r, a, b, "<=", out);
    default: break;
    }
    if (a.type == J_UNDEF) return jfail_undef(r, a);
    bool is_ordered =
        ((jis_number(a) || a.type == J_BIG) && (jis_number(b) || b.type == J_BIG))
        || (a.type == b.type && (a.type == J_STR || jis_seq(a)));
    if (!is_ordered && b.type != J_UNDEF)
        return jfail(r, "'%s' not supported between instances of '%s' and '%s'", op_text(op),
                     jtype_name(a), jtype_name(b));
    return op == TK_GT ? jless(r, b, a, ">", out) : at_most(r, b, a, ">=", out);
}
