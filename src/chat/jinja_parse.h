/* jinja_parse.h - reads a chat template: Jinja as Hugging Face sets jinja2 up (trim_blocks,
 * lstrip_blocks, break and continue, generation blocks).
 * Layer: chat. A template is immutable: any number of threads may render it. */
#ifndef LORY_CHAT_JINJA_PARSE_H
#define LORY_CHAT_JINJA_PARSE_H

#include "lory.h"

typedef struct jinja jinja;

enum { JINJA_MAX_BYTES = 1 << 20 }; /* of a template */

/* Reads text[0..n). `name` begins every message about it. NULL on failure: LORY_E_FORMAT with line
 * and column, LORY_E_MEMORY. Time and memory are linear in n. Free with jinja_free. */
jinja *jinja_parse(const char *text, size_t n, const char *name, lory_err *err);
void jinja_free(jinja *t);

#endif
