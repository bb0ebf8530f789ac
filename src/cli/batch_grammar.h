/* batch_grammar.h - "response_format" of a line of lory batch, and the grammars of the last ones.
 * Layer: cli. */
#ifndef LORY_CLI_BATCH_GRAMMAR_H
#define LORY_CLI_BATCH_GRAMMAR_H

#include "base/buf.h"
#include "lory.h"
#include "text/json.h"

enum { BATCH_MAX_GRAMMARS = 16 };

/* Lines often have the same schema: it is compiled once, and what it learns is kept. A zeroed one
 * is empty; free it with batch_grammars_free. One thread. */
typedef struct {
    struct {
        buf schema; /* its text, compact */
        lory_grammar *g;
        uint64_t last_use;
    } kept[BATCH_MAX_GRAMMARS];
    size_t n;
    uint64_t n_uses;
} batch_grammars;

void batch_grammars_free(batch_grammars *all);

/* Sets *g to what {"type": "text" | "json_object" | "json_schema", ...} asks for: NULL, or a
 * grammar that the caller frees. LORY_E_ARGUMENT and what lory_grammar_from_schema gives: *err is
 * about the line. */
bool batch_read_format(batch_grammars *all, const json *format, lory_grammar **g, lory_err *err);

#endif
