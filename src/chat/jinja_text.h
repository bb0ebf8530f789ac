/* jinja_text.h - builders of text that remember which bytes came from the context, and Python's
 * str() and repr() of any value.
 * Layer: chat. A builder belongs to its jrun and goes back to it by jtext_close or jtext_finish;
 * one that an error leaves open is freed with the run. */
#ifndef LORY_CHAT_JINJA_TEXT_H
#define LORY_CHAT_JINJA_TEXT_H

#include "chat/jinja_value.h"

struct jtext {
    char *s;        /* [cap], [n] used */
    uint8_t *plain; /* [cap] 1 = from the context; NULL: all bytes are as is_plain says */
    size_t n, cap;
    bool is_plain, is_open;
    jtext *next; /* of the run's builders */
};

jtext *jtext_open(jrun *r); /* empty; NULL with the error set */
void jtext_close(jtext *t);
void jtext_free_all(jrun *r);
/* The text as a string value; closes t whatever happens. */
bool jtext_finish(jrun *r, jtext *t, jval *out);
/* The same; all of it is plain when any of it is. */
bool jtext_finish_whole(jrun *r, jtext *t, jval *out);

/* All return false with the error set: memory, or longer than a text may be. */
bool jtext_put(jrun *r, jtext *t, const char *s, size_t n, bool is_plain);
bool jtext_puts(jrun *r, jtext *t, const char *s); /* the template's own */
bool jtext_put_str(jrun *r, jtext *t, const jstr *s);
bool jtext_put_part(jrun *r, jtext *t, const jstr *s, size_t from, size_t to);
bool jtext_put_char(jrun *r, jtext *t, uint32_t cp, bool is_plain);
bool jtext_put_fill(jrun *r, jtext *t, const jstr *s, int64_t n); /* s, n times */
bool jtext_put_spaces(jrun *r, jtext *t, int64_t n);

bool jtext_put_value(jrun *r, jtext *t, jval v); /* str(v) */
bool jtext_put_repr(jrun *r, jtext *t, jval v);  /* repr(v) */
bool jtext_put_ascii(jrun *r, jtext *t, jval v); /* ascii(v) */
bool jtext_put_int(jrun *r, jtext *t, int64_t i);
bool jtext_put_float(jrun *r, jtext *t, double f);     /* repr of a float */
bool jtext_put_html(jrun *r, jtext *t, const jstr *s); /* & < > " ' escaped */

/* str(v) as a string; a string is itself (without being safe, when `forget`). */
bool jto_str(jrun *r, jval v, const jstr **out);
/* escape(v): v itself when it is safe, else escaped; safe. */
bool jescape(jrun *r, jval v, jval *out);
bool jmark_safe(jrun *r, const jstr *s, jval *out);

#endif
