/* batch_grammar.h - "response_format" of a line of lory batch, and the grammars of the last ones.
 * Layer: cli. */
#ifndef LORY_CLI_BATCH_GRAMMAR_H
#define LORY_CLI_BATCH_GRAMMAR_H

#include "cli/kept.h"
#include "lory.h"
#include "text/json.h"

/* Lines often have the same schema: it is compiled once, and what it learns is kept, by the
 * schema's text, compact. */
kept batch_grammars(void);

/* Sets *g to the grammar of a schema, whose text is taken; the caller frees it. name begins what
 * is wrong with it. */
bool batch_grammar_of(kept *grammars, buf *schema, const char *name, lory_grammar **g,
                      lory_err *err);

/* Sets *g to what {"type": "text" | "json_object" | "json_schema", ...} asks for: NULL, or a
 * grammar that the caller frees. LORY_E_ARGUMENT and what lory_grammar_from_schema gives: *err is
 * about the line. */
bool batch_read_format(kept *grammars, const json *format, lory_grammar **g, lory_err *err);

#endif
