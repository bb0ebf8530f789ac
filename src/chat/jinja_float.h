/* jinja_float.h - floats as Python writes and reads them.
 * Layer: chat. Pure functions. */
#ifndef LORY_CHAT_JINJA_FLOAT_H
#define LORY_CHAT_JINJA_FLOAT_H

#include <stdbool.h>
#include <stddef.h>

enum { JFLOAT_REPR = 48 }; /* bytes that hold any, with the NUL */
void jfloat_repr(double f, char text[JFLOAT_REPR]);

/* The number that text[0..n) is, in Python's syntax without blanks around; false: it is none. */
bool jparse_float(const char *s, size_t n, double *f);

#endif
