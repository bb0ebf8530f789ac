/* jinja_wrap.h - two filters, as rows of jinja_filters.c name them.
 * Layer: chat. */
#ifndef LORY_CHAT_JINJA_WRAP_H
#define LORY_CHAT_JINJA_WRAP_H

#include "chat/jinja_builtin.h"

/* width = 79, break_long_words = true, wrapstring = "\n", break_on_hyphens = true */
bool jfilter_wordwrap(jrun *r, const jval *a, jval *out);
/* One line of at most 80 columns; longer ones fail. */
bool jfilter_pprint(jrun *r, const jval *a, jval *out);

#endif
