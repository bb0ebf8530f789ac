/* calls_python.h - the arguments of a call that is written as in Python: a="x", b=[1, True]), or as
 * Gemma does: {a:<|"|>x<|"|>,b:[1,true]} (4), {a:<escape>x<escape>} (FunctionGemma).
 * Layer: cli; no state. */
#ifndef LORY_CLI_CALLS_PYTHON_H
#define LORY_CLI_CALLS_PYTHON_H

#include "base/buf.h"

typedef struct {
    const char *s; /* [n] */
    size_t n, at;
    bool is_gemma; /* keys of dicts are bare, and strings may be between its marks */
    char close;    /* what ends the list or dict that is read */
} python_text;

/* Reads KEY=VALUE, ... from p->at, which is behind the parenthesis, to the one that closes it, and
 * appends them as a JSON object. Values are literals: strings, numbers, True, False, None, lists,
 * dicts. False when they are not; p->at is then where. */
bool python_arguments(python_text *p, buf *out);

/* Likewise for the dict that begins at p->at. */
bool gemma_arguments(python_text *p, buf *out);

/* Appends the literal that s[0..n) is, blanks around it aside, as JSON. False when it is none. */
bool python_literal(const char *s, size_t n, buf *out);

#endif
