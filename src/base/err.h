/* err.h - an error is a code and one sentence.
 * Layer: base. A lory_err is owned by the caller; nothing in it points elsewhere. */
#ifndef LORY_BASE_ERR_H
#define LORY_BASE_ERR_H

#include "lory.h"

#if defined(__GNUC__)
#define ERR_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define ERR_PRINTF(fmt, args)
#endif

/* Fills *err (which may be NULL) with a code and a formatted sentence, cut to LORY_ERR_MAX bytes
 * at a whole UTF-8 character; control characters and malformed bytes become '?', so that a hostile
 * or cut file name or key can't break the one line. err->text itself may be an argument. Always
 * returns false, so that failing is one line. */
bool err_set(lory_err *err, lory_status code, const char *fmt, ...) ERR_PRINTF(3, 4);

/* The same, with ": " and the text of errno at the end. */
bool err_set_errno(lory_err *err, lory_status code, const char *fmt, ...) ERR_PRINTF(3, 4);

/* What a noun ends with behind the number n: "1 token", "2 tokens". */
static inline const char *plural(uint64_t n)
{
    return n == 1 ? "" : "s";
}

#endif
