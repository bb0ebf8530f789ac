/* jinja_time.h - strftime in UTC and in English, whatever the locale.
 * Layer: chat. */
#ifndef LORY_CHAT_JINJA_TIME_H
#define LORY_CHAT_JINJA_TIME_H

#include "chat/jinja_text.h"

/* Appends the moment `now` (seconds since 1970, UTC) as the format says: the directives of C and
 * those of Python and glibc, with glibc's flags - _ 0 ^. An unknown one is an error. */
bool jtime_format(jrun *r, jtext *t, int64_t now, const jstr *format);

#endif
