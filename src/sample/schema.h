/* schema.h - reads a JSON Schema (draft 2020-12, and what drafts 4 to 7 name otherwise) as a
 * grammar whose texts are JSON that is valid by it.
 * Layer: sample.
 *
 * How the JSON is written: a blank may stand behind each : and , and nowhere else; the properties
 * of an object come in the order in which the schema declares them, those that are not required may
 * be left out; constants are compact; whole numbers have up to 16 digits, fractions up to 16 more,
 * exponents up to two.
 *
 * Known: type (lists too), enum, const, properties, required, additionalProperties,
 * patternProperties (one pattern), minProperties, maxProperties, items, prefixItems, minItems,
 * maxItems, minLength, maxLength, pattern (regex.h), format, minimum, maximum, exclusiveMinimum,
 * exclusiveMaximum, multipleOf (of whole numbers), anyOf, oneOf (of schemas that can be seen to
 * exclude each other), allOf (merged), $ref within the schema (recursive too), $defs, true, false.
 * Annotations (title, description, default, examples, $comment) have no effect, nor have words that
 * no draft of JSON Schema knows; any other keyword is an error, never left out, and so is a word
 * that is nearly a known one. Properties that are not declared are written only where
 * additionalProperties or patternProperties asks for them, or no property is declared. Nothing
 * keeps such a name from coming twice; minProperties counts it twice then. */
#ifndef LORY_SAMPLE_SCHEMA_H
#define LORY_SAMPLE_SCHEMA_H

#include "sample/syntax.h"

enum { SCHEMA_MAX_BYTES = 8 << 20 };

/* Fills the zeroed *s; free it with syntax_free, also on failure. *err is then "NAME: #/a/JSON
 * pointer: what is wrong", LORY_E_FORMAT, LORY_E_UNSUPPORTED or LORY_E_MEMORY. */
bool schema_read(syntax *s, const char *text, size_t n, const char *name, lory_err *err);

#endif
