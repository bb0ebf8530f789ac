/* jinja_eval.h - renders a parsed template: a sandbox that nothing a template does can leave, hang
 * or exhaust.
 * Layer: chat. A rendering has no state but its arguments; any number of threads may render. */
#ifndef LORY_CHAT_JINJA_EVAL_H
#define LORY_CHAT_JINJA_EVAL_H

#include "base/buf.h"
#include "chat/jinja_parse.h"
#include "text/json.h"

typedef enum { JINJA_TEXT, JINJA_NONE, JINJA_FALSE } jinja_kind;
typedef struct {
    const char *name;
    jinja_kind kind;
    const char *text; /* JINJA_TEXT: NUL-terminated UTF-8 */
} jinja_own;

typedef struct {
    const json *vars;     /* an object: the variables; their text is plain. NULL = none */
    const jinja_own *own; /* [n_own] variables that are the template's own, as bos_token is; those
                             of the same name in vars count */
    size_t n_own;
    /* Says which strings of vars are not plain, NULL: none; depth 0 = a variable itself. */
    bool (*is_own)(const json *string, int depth);
    int64_t now; /* seconds since 1970, UTC: what strftime_now tells */
} jinja_input;

/* Part [start, end) of a text. */
typedef struct {
    size_t start, end;
} jinja_range;

typedef struct {
    buf text;
    jinja_range *plain; /* [n_plain] ascending and apart: what came from vars, and so must never be
                           read as control tokens */
    size_t n_plain;
} jinja_output; /* zeroed = empty; free with jinja_output_free */

/* What one rendering may take. */
enum {
    JINJA_MAX_STEPS = 50 * 1000 * 1000, /* nodes evaluated, items gone through: about a second */
    JINJA_MAX_MEMORY = 512 << 20,       /* bytes */
    JINJA_MAX_OUTPUT = 64 << 20,        /* bytes of any one text */
    JINJA_MAX_DEPTH = 1000,             /* nested evaluation */
};

/* Appends to *out. On failure *out is empty; LORY_E_FORMAT: what the template raised, or what is
 * wrong at which line and column; LORY_E_MEMORY. */
bool jinja_render(const jinja *t, const jinja_input *in, jinja_output *out, lory_err *err);
void jinja_output_free(jinja_output *out);

#endif
