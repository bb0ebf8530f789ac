/* speculate.h - goes on from the tokens that are drawn, evaluating guesses at the next ones along
 * with them: those that are drawn then need no step of their own (draft.h).
 * Layer: the library's face. Belongs to the session's thread. */
#ifndef LORY_SPECULATE_H
#define LORY_SPECULATE_H

#include "engine/draft.h"
#include "engine/session.h"
#include "sample/chain.h"

/* How the tokens of a generation are drawn. */
typedef struct {
    chain *c;
    const lory_token *banned; /* [n_banned] */
    size_t n_banned;
} drawer;

/* From the logits of the last token that s holds. */
bool drawer_draw(const drawer *w, const session *s, lory_token *id, lory_err *err);

typedef struct {
    draft draft;
    session *drafter; /* of a smaller model, the caller's, which makes guesses; NULL: none */
    int n_vocab;      /* of the model that it guesses for */
    float *logits;    /* [n_vocab] the drafter's, where it has another number of them */
} speculation;

void speculate_init(speculation *p, int n_max);
void speculate_end(speculation *p); /* accepts a zeroed one */

/* From now on `drafter` guesses for s; NULL: the text alone. LORY_E_ARGUMENT: its tokens have other
 * texts; LORY_E_MEMORY. */
bool speculate_with(speculation *p, const session *s, session *drafter, lory_err *err);

/* Evaluates the token that was drawn last, unless it was guessed and has been, and with it what is
 * guessed to follow. */
bool speculate_go_on(speculation *p, session *s, const drawer *w, lory_token id, lory_err *err);

#endif
