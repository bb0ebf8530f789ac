/* chain.h - the sampler chain: logits in, one token out, through the stages that are on.
 * Layer: sample. A chain belongs to one thread at a time. chain_new takes all the memory there
 * will be (24 bytes a token of the vocabulary, in a desk); a draw allocates nothing, except for
 * what a grammar learns (automaton.h bounds it), and 8 bytes a token of the history for DRY.
 *
 * The order of the stages is the table in chain.c. A draw depends on the logits, the history and
 * (seed, position) only: not on earlier draws, so any position can be drawn again. */
#ifndef LORY_SAMPLE_CHAIN_H
#define LORY_SAMPLE_CHAIN_H

#include "sample/grammar.h"

typedef struct chain chain;

/* The arrays that a draw works in, 24 bytes a token of the vocabulary. Nothing stays in them from
 * one draw to the next, so many chains may use one desk, one after the other. */
typedef struct chain_desk chain_desk;
chain_desk *chain_desk_new(int n_vocab, lory_err *err); /* n_vocab > 0; NULL: LORY_E_MEMORY */
void chain_desk_free(chain_desk *d);                    /* accepts NULL */

/* ---- parameters ---------------------------------------------------------------------------- */

typedef enum { CHAIN_INT, CHAIN_FLOAT } chain_kind;

/* One numeric field of lory_sampler_params. */
typedef struct {
    const char *name; /* of the field */
    size_t offset;    /* in lory_sampler_params */
    const char *key;  /* GGUF metadata that sets it, any numeric type; NULL = none */
    chain_kind kind;
    double min, max; /* both allowed */
    double value;    /* default */
} chain_field;

extern const chain_field chain_fields[];
extern const int n_chain_fields;

/* lory's own defaults, seed 0, no logit bias. */
void chain_defaults(lory_sampler_params *p);

/* Sets the field; false, and *p as it was, when the value is out of its range. For metadata:
 *     for (i < n_chain_fields) if (key && the file has it) chain_field_set(p, f, number); */
bool chain_field_set(lory_sampler_params *p, const chain_field *f, double value);

/* ---- chain --------------------------------------------------------------------------------- */

/* Copies *p with its logit bias. LORY_E_ARGUMENT names the parameter, its value and its range. */
chain *chain_new(int n_vocab, const lory_sampler_params *p, lory_err *err);
/* The same without a desk of its own: for chain_draw_at only. */
chain *chain_new_small(int n_vocab, const lory_sampler_params *p, lory_err *err);
void chain_free(chain *s);

/* The texts of tokens are those of t, which outlives the chain: without, DRY has no breakers. */
void chain_read_breakers(chain *s, const tokenizer *t);
/* Holds what is drawn to a grammar (kept), over the tokens of t, which outlives the chain. */
bool chain_hold(chain *s, grammar *g, const token_trie *t, lory_err *err);
/* The text that the grammar holds begins behind n tokens of history (0 before the first call);
 * at_start: nothing stands before it, so a first blank may be lost. */
void chain_begin_text(chain *s, size_t n_history, bool at_start);

typedef struct {
    const float *logits;       /* [n_vocab], stay as they are */
    const lory_token *history; /* [n_history] the tokens before, for penalties and the grammar */
    size_t n_history;
    size_t pos;               /* of the token to draw */
    const lory_token *banned; /* [n_banned] not to be drawn this time */
    size_t n_banned;
} chain_input;

/* Draws one token. *id is -1 when the grammar's text is complete, nothing may follow, and there is
 * no end token to say so that is not banned. LORY_E_NAN: a logit is NaN or +inf (a sum that
 * overflowed has no softmax), or all are -inf. LORY_E_ARGUMENT: bias, bans and grammar leave no
 * token, an id is not in the vocabulary, or the history behind where the text began is no text of
 * the grammar. */
bool chain_draw(chain *s, const chain_input *in, lory_token *id, lory_err *err);
/* The same at a desk for the chain's vocabulary that nobody else uses meanwhile. */
bool chain_draw_at(chain *s, chain_desk *desk, const chain_input *in, lory_token *id,
                   lory_err *err);

#endif
