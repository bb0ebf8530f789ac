/* draft.h - guesses at the tokens that come next, and how many of them are worth evaluating along
 * with the last token (speculative decoding, Leviathan et al. 2022, arXiv:2211.17192).
 * Layer: engine. No clock and no model of its own: it is told what happened.
 *
 * A guess is what followed where the text's last tokens stood before (prompt lookup decoding,
 * Saxena 2023), or what a smaller model says. How often guesses come true is counted, those from
 * the text by the length of the match and for every token, evaluated or not; what steps take is
 * measured. So many tokens are evaluated as make the most tokens a second of it, perhaps none. */
#ifndef LORY_ENGINE_DRAFT_H
#define LORY_ENGINE_DRAFT_H

#include "lory.h"

enum {
    DRAFT_MAX = 31,  /* most tokens guessed */
    DRAFT_MATCH = 8, /* longer matches count as this long */
};

typedef struct {
    int n_max;                    /* most tokens guessed here; 0 = none */
    lory_token token[DRAFT_MAX];  /* [n] the guess */
    int n, n_met;                 /* of it, tokens that came true so far */
    bool by_model;                /* a smaller model made it, */
    int match;                    /* or a match of this length */
    float hit[DRAFT_MATCH + 1];   /* how often the next token comes true, by length of match; at 0
                                     those of the smaller model */
    double cost[2][DRAFT_MAX + 2]; /* [by_model] seconds of a step of so many tokens, guessing
                                      included, lately; 0 = unknown */
    size_t n_drafted, n_accepted; /* tokens evaluated as guesses, those that came true */
} draft;

/* n_max: up to DRAFT_MAX. */
void draft_init(draft *d, int n_max);

/* A new guess at what follows text[0..n), n > 0, from the text: d->n tokens. */
void draft_from_text(draft *d, const lory_token *text, size_t n);
/* Whether a smaller model's guess is the better one; if so it is begun: d->n is 0. */
bool draft_from_model(draft *d);
/* How many tokens of the guess to evaluate with the last one of the text, up to n_room; of a
 * smaller model's, how many it is to put to d->token. */
int draft_length(draft *d, int n_room);

/* The token that came after the text of the last guess and those told since. */
void draft_tell(draft *d, lory_token id);

/* A step of n_tok tokens (1 and the guess) took so long. */
void draft_record(draft *d, int n_tok, double seconds);

#endif
