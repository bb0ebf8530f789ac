/* draft.h - guesses the tokens that come next from what the text has said before (prompt lookup
 * decoding, Saxena 2023), and how many of them are worth evaluating along with the last token.
 * Layer: engine. No clock of its own: it is told what happened. Guesses change no token: only one
 * that is drawn all the same is kept (speculative decoding, Leviathan et al. 2022,
 * arXiv:2211.17192, with the draw itself as the test).
 *
 * Where the text's last tokens stood before, what followed there is the guess. How often such a
 * guess comes true is counted by the length of the match, for every token, evaluated or not; what
 * a step of so many tokens takes is measured. The guess is as long as makes the most tokens a
 * second of it, which may be not at all. */
#ifndef LORY_ENGINE_DRAFT_H
#define LORY_ENGINE_DRAFT_H

#include "lory.h"

enum {
    DRAFT_MAX = 31,  /* most tokens guessed */
    DRAFT_MATCH = 8, /* longer matches count as this long */
};

typedef struct {
    int n_max;                    /* most tokens worth guessing for the caller; 0 = none */
    lory_token token[DRAFT_MAX];  /* [n] the guess */
    int n, n_met;                 /* of it, tokens that came true so far */
    int match;                    /* length of the match it came from */
    float hit[DRAFT_MATCH + 1];   /* by length of match: how often the next token comes true */
    double cost[DRAFT_MAX + 2];   /* seconds of a step of so many tokens, lately; 0 = unknown */
    size_t n_drafted, n_accepted; /* tokens evaluated as guesses, those that came true */
} draft;

/* n_max: up to DRAFT_MAX. */
void draft_init(draft *d, int n_max);

/* Guesses what follows text[0..n), n > 0. Returns how many tokens of d->token to evaluate with the
 * last one of the text: up to n_room, 0 when none is worth it. */
int draft_guess(draft *d, const lory_token *text, size_t n, int n_room);

/* The token that came after the text of the last guess and those told since. */
void draft_tell(draft *d, lory_token id);

/* A step of n_tok tokens (1 and the guess) took so long. */
void draft_record(draft *d, int n_tok, double seconds);

#endif
