/* jinja_big.h - integers beyond 64 bits, as Python has them, up to the digits that it prints.
 * Layer: chat. Operands are ints of any size; what fits 64 bits comes back as J_INT. */
#ifndef LORY_CHAT_JINJA_BIG_H
#define LORY_CHAT_JINJA_BIG_H

#include "chat/jinja_value.h"

enum { JBIG_MAX_DIGITS = 4300 }; /* sys.int_info.default_max_str_digits; beyond is an error */

static inline bool jis_any_int(jval v)
{
    return jis_int(v) || v.type == J_BIG;
}
/* + - * // % or **, by its token; b is not 0 where it divides. */
bool jbig_binary(jrun *r, int op, jval a, jval b, jval *out);
bool jbig_negate(jrun *r, jval v, jval *out);
int jbig_compare(jval a, jval b);                   /* < 0, 0, > 0 */
bool jtruncate_float(jrun *r, double f, jval *out); /* int(f) of any float */
bool jbig_to_float(jrun *r, jval v, double *out);   /* fails for what no float holds */
bool jbig_from_digits(jrun *r, const char *s, size_t n, bool is_negative, jval *out); /* 0-9 only */

#endif
