/* json.h - JSON (RFC 8259): a strict reader into a tree, and a writer.
 * Layer: text. A json_doc owns every node and string of its tree; nothing points into the text
 * it was read from. Immutable once read, so any number of threads may use it.
 *
 *     json_doc d;
 *     if (!json_read(&d, text, n, "config.json", err)) return false;
 *     int64_t n_layer;
 *     if (!json_get_int(json_get(d.root, "num_hidden_layers"), &n_layer)) ...
 *     json_close(&d);
 */
#ifndef LORY_TEXT_JSON_H
#define LORY_TEXT_JSON_H

#include "base/buf.h"
#include "base/mem.h"
#include "lory.h"

enum { JSON_MAX_DEPTH = 256 }; /* nested arrays and objects; deeper text is refused */

typedef enum {
    JSON_NULL,
    JSON_FALSE,
    JSON_TRUE,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT
} json_type;

typedef struct json json;
struct json {
    json_type type;
    bool is_int;     /* a number without fraction or exponent that fits an int64 */
    const char *key; /* [n_key] + NUL, the name of an object's member; else NULL */
    const char *str; /* [n] + NUL: a string's bytes (valid UTF-8, may hold NULs), or a number as
                         it was written; else NULL */
    size_t n_key;
    size_t n;          /* bytes of str; elements of an array; members of an object */
    double num;        /* a number, rounded to nearest; out of range is an error of the reader */
    int64_t i;         /* the same, exactly, when is_int */
    const json *first; /* element or member; NULL when there is none */
    const json *next;  /* the one after this in its array or object */
};

typedef struct {
    const json *root;
    mem_arena arena;
} json_doc;

/* Reads one JSON text, all of text[0..n), white space around it and a byte order mark before it
 * allowed. Strict: UTF-8 must be well-formed, surrogate escapes paired, numbers finite. Time and
 * memory are linear in n.
 * On failure *d is empty and err is "NAME: line L, byte B: what is wrong", LORY_E_FORMAT or
 * LORY_E_MEMORY. */
bool json_read(json_doc *d, const char *text, size_t n, const char *name, lory_err *err);
void json_close(json_doc *d);

/* The member of that name, the last one if it is there twice; NULL when `j` is NULL, no object or
 * has none. Linear in the members. */
const json *json_get(const json *j, const char *key);
const json *json_get_bytes(const json *j, const char *key, size_t n); /* names may hold NULs */
/* Typed values: false, *value untouched, when j is NULL or of another type. */
bool json_get_bool(const json *j, bool *value);
bool json_get_int(const json *j, int64_t *value); /* also 1e3 and 2.0: whatever is a whole number */
bool json_get_num(const json *j, double *value);
bool json_get_str(const json *j, const char **s, size_t *n);
bool json_str_is(const json *j, const char *s);

/* ---- writer ------------------------------------------------------------------------------ */

/* Appends values to a buf, with the commas; compact, one line. Whoever calls keeps the nesting
 * right. Failure to get memory shows in out->failed. */
typedef struct {
    buf *out;
    bool needs_comma;
} json_writer;

void json_begin_object(json_writer *w);
void json_end_object(json_writer *w);
void json_begin_array(json_writer *w);
void json_end_array(json_writer *w);
void json_put_key(json_writer *w, const char *key);
void json_put_key_bytes(json_writer *w, const char *key, size_t n); /* as json_put_bytes */
void json_put_null(json_writer *w);
void json_put_bool(json_writer *w, bool value);
void json_put_int(json_writer *w, int64_t value);
void json_put_str(json_writer *w, const char *s); /* NUL-terminated */
/* A malformed UTF-8 byte becomes U+FFFD: JSON text must be valid. Without bytes s may be NULL. */
void json_put_bytes(json_writer *w, const char *s, size_t n);
/* The fewest digits that read back as the same value; NaN and infinities, which JSON can't say,
 * become null. */
void json_put_f32(json_writer *w, float value);
void json_put_f64(json_writer *w, double value);
void json_put_raw(json_writer *w, const char *text, size_t n); /* a value that is JSON already */
/* A value that was read, numbers as they were written. */
void json_put_value(json_writer *w, const json *j);

/* A key and its value at once. */
void json_member_bool(json_writer *w, const char *key, bool value);
void json_member_int(json_writer *w, const char *key, int64_t value);
void json_member_f64(json_writer *w, const char *key, double value);
void json_member_str(json_writer *w, const char *key, const char *s);
void json_member_bytes(json_writer *w, const char *key, const char *s, size_t n);
void json_member_raw(json_writer *w, const char *key, const char *text, size_t n);
/* A key, and its value begun; json_end_object or json_end_array ends it. */
void json_open_object(json_writer *w, const char *key);
void json_open_array(json_writer *w, const char *key);

#endif
