/* jinja_float.c - see jinja_float.h. */
#include "chat/jinja_float.h"
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* strtod takes the decimal point of the host program's locale. */
static char locale_point(void)
{
    return localeconv()->decimal_point[0];
}

enum { MAX_DIGITS = 17 };

/* The shortest digits that read back as f, and its decimal exponent: 0.d1d2d3... * 10^exp.
 * Returns their number; f is finite and not negative. */
static int find_digits(double f, char digits[MAX_DIGITS + 1], int *exp)
{
    char text[40];
    int n = 0;
    if (f == 0) {
        strcpy(digits, "0");
        *exp = 1;
        return 1;
    }
    for (int n_digits = 1; n_digits <= MAX_DIGITS; n_digits++) {
        snprintf(text, sizeof text, "%.*e", n_digits - 1, f);
        if (strtod(text, NULL) == f) break;
    }
    char *e = strchr(text, 'e');
    *exp = atoi(e + 1) + 1;
    for (const char *p = text; p < e; p++)
        if (*p >= '0' && *p <= '9') digits[n++] = *p;
    while (n > 1 && digits[n - 1] == '0') n--;
    digits[n] = '\0';
    return n;
}

/* Fixed for 1e-4 <= f < 1e16, else with an exponent of at least two digits. */
void jfloat_repr(double f, char text[JFLOAT_REPR])
{
    char digits[MAX_DIGITS + 1];
    const char *sign = signbit(f) ? "-" : "";
    if (!isfinite(f)) {
        snprintf(text, JFLOAT_REPR, "%s", f != f ? "nan" : f > 0 ? "inf" : "-inf");
        return;
    }
    int exp, n = find_digits(fabs(f), digits, &exp);
    if (exp > 16 || exp <= -4)
        snprintf(text, JFLOAT_REPR, "%s%c%s%se%c%02d", sign, digits[0], n > 1 ? "." : "",
                 digits + 1, exp > 0 ? '+' : '-', abs(exp - 1));
    else if (exp <= 0)
        snprintf(text, JFLOAT_REPR, "%s0.%.*s%s", sign, -exp, "0000", digits);
    else if (exp >= n)
        snprintf(text, JFLOAT_REPR, "%s%s%.*s.0", sign, digits, exp - n, "0000000000000000");
    else
        snprintf(text, JFLOAT_REPR, "%s%.*s.%s", sign, exp, digits, digits + exp);
}

/* "inf", "infinity", "nan" in any case, after a sign. */
static bool parse_special(const char *s, size_t n, double *f)
{
    static const char *const names[] = { "inf", "infinity", "nan" };
    char lower[12];
    bool is_negative = n > 0 && s[0] == '-';
    if (n > 0 && (s[0] == '-' || s[0] == '+')) s++, n--;
    if (n >= sizeof lower) return false;
    for (size_t i = 0; i < n; i++) lower[i] = (char)(s[i] | 0x20);
    lower[n] = '\0';
    for (size_t i = 0; i < 3; i++)
        if (strcmp(lower, names[i]) == 0) {
            *f = i == 2 ? NAN : INFINITY;
            if (is_negative) *f = -*f;
            return true;
        }
    return false;
}

/* Copies decimal digits, each single underscore between two of them left out. */
static size_t take_digits(const char *s, size_t n, size_t *at, char *out)
{
    size_t n_out = 0;
    for (size_t i = *at; i < n; *at = ++i) {
        bool is_joint = s[i] == '_' && n_out && i + 1 < n && s[i + 1] >= '0' && s[i + 1] <= '9';
        if (is_joint) continue;
        if (s[i] < '0' || s[i] > '9') break;
        out[n_out++] = s[i];
    }
    return n_out;
}

bool jparse_float(const char *s, size_t n, double *f)
{
    char text[1100]; /* longer ones are no numbers that people write */
    size_t at = 0, n_text = 0, n_digits;
    if (parse_special(s, n, f)) return true;
    if (n == 0 || n + 2 > sizeof text) return false;
    if (s[0] == '-' || s[0] == '+') text[n_text++] = s[at++];
    n_digits = take_digits(s, n, &at, text + n_text);
    n_text += n_digits;
    if (at < n && s[at] == '.') {
        text[n_text++] = locale_point();
        at++;
        size_t n_more = take_digits(s, n, &at, text + n_text);
        n_text += n_more;
        n_digits += n_more;
    }
    if (n_digits == 0) return false;
    if (at < n && (s[at] == 'e' || s[at] == 'E')) {
        text[n_text++] = s[at++];
        if (at < n && (s[at] == '-' || s[at] == '+')) text[n_text++] = s[at++];
        n_digits = take_digits(s, n, &at, text + n_text);
        n_text += n_digits;
        if (n_digits == 0) return false;
    }
    text[n_text] = '\0';
    *f = strtod(text, NULL);
    return at == n;
}
