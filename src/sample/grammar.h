/* grammar.h - a grammar that constrains text: compiled once, shared by all who read with it.
 * Layer: sample. A grammar is counted: whoever keeps it gives it back. What it learns about its
 * states while texts are read is kept for all readers, behind a lock; what a reader gets does not
 * depend on the others. */
#ifndef LORY_SAMPLE_GRAMMAR_H
#define LORY_SAMPLE_GRAMMAR_H

#include "sample/token_trie.h"

typedef struct lory_grammar grammar;

/* From GBNF (gbnf.h). NULL on failure; *err is then "NAME: ...". */
grammar *grammar_from_gbnf(const char *text, size_t n, const char *name, lory_err *err);

/* From a JSON Schema (schema.h). */
grammar *grammar_from_schema(const char *text, size_t n, const char *name, lory_err *err);

/* Binds it to the vocabulary whose tokens grammar_allowed tells; once for each model that uses it.
 * LORY_E_ARGUMENT: it is bound to another, which it keeps, or names a token that is not there;
 * LORY_E_MEMORY. */
bool grammar_bind(grammar *g, const token_trie *t, lory_err *err);

grammar *grammar_keep(grammar *g);
void grammar_give(grammar *g); /* accepts NULL */

/* How far one text has been read. Belongs to one thread at a time. */
typedef struct grammar_reader grammar_reader;
struct grammar_reader {
    grammar *g;                    /* kept; NULL: not open */
    uint32_t state;                /* of g's automaton */
    grammar_reader *next, *before; /* all readers of g */
};

void grammar_open(grammar_reader *r, grammar *g); /* at the beginning; it may not be moved */
void grammar_close(grammar_reader *r);            /* accepts a zeroed one */
void grammar_rewind(grammar_reader *r);           /* back to the beginning */

/* Reads bytes up to the first that can't follow; *n_read gets how many. On failure the reader is
 * somewhere between: LORY_E_UNSUPPORTED names a limit, LORY_E_MEMORY. */
bool grammar_read(grammar_reader *r, const char *bytes, size_t n, size_t *n_read, lory_err *err);

/* Reads a token, whose text is bytes[0..n), as that text or as the token. *fits: it may follow; if
 * not, the reader is somewhere between. In a grammar without tokens one without text always may. */
bool grammar_read_token(grammar_reader *r, lory_token id, const char *bytes, size_t n, bool *fits,
                        lory_err *err);

/* grammar_read of a text in which tokens stand as they do in the grammar, which need not be bound:
 * where it has some, each character that is no part of one is a token too. */
bool grammar_read_text(grammar_reader *r, const char *text, size_t n, size_t *n_read,
                       lory_err *err);

bool grammar_accepts(const grammar_reader *r); /* what was read is a text of the grammar */

/* The tokens that may follow, as bits of mask[n_words] (token_trie.h); at_start: as the first of a
 * text. Of a bound grammar only. Fails as grammar_read does. */
bool grammar_allowed(grammar_reader *r, bool at_start, uint64_t *mask, lory_err *err);

#endif
