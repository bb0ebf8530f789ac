/* jinja_float.h - floats as Python writes and reads them.
 * Layer: chat. Pure functions. */
#ifndef LORY_CHAT_JINJA_FLOAT_H
#define LORY_CHAT_JINJA_FLOAT_H

#include <stdbool.h>
#include <stddef.h>

/* The shortest digits that read back as f, and its decimal exponent: 0.d1d2d3... * 10^exp.
 * Returns their number; f is finite and not negative. */
enum { JFLOAT_DIGITS = 17 };
int jfloat_digits(double f, char digits[JFLOAT_DIGITS + 1], int *exp);

enum { JFLOAT_REPR = 48 }; /* bytes that hold any */
void jfloat_repr(double f, char text[JFLOAT_REPR]);

/* The number that text[0..n) is, in Python's syntax without blanks around; false: it is none. */
bool jparse_float(const char *s, size_t n, double *f);

#endif
