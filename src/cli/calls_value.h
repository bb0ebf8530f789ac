/* calls_value.h - an argument that a model wrote as plain text, between tags: whether it is a text
 * or JSON says the schema of its tool. Layer: cli; no state. */
#ifndef LORY_CLI_CALLS_VALUE_H
#define LORY_CLI_CALLS_VALUE_H

#include "text/json.h"

/* The schema of a property of an object's schema; NULL when that has none, or is NULL. */
const json *calls_property(const json *schema, const char *key, size_t n);
/* Whether a schema, which may be NULL, allows texts. */
bool calls_may_be_text(const json *schema);

/* Writes text[0..n): as JSON where it is JSON, blanks around it aside, of a type that the schema
 * allows; as the literal of Python that it is where the schema allows no texts; else as a text. */
void calls_put_value(json_writer *w, const json *schema, const char *text, size_t n);

#endif
