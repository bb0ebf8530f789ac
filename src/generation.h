/* generation.h - what becomes of a token once it is drawn: its text, stop texts, the limits.
 * Layer: the library's face. Shared by lory_generate and lory_batch; owned by its caller. */
#ifndef LORY_GENERATION_H
#define LORY_GENERATION_H

#include "lory.h"
#include "text/stop.h"
#include "token/tokenizer.h"

typedef struct {
    const tokenizer *tok; /* NULL: ids only */
    const lory_generate_params *p;
    size_t n_ctx;
    lory_on_piece on_piece; /* NULL: nobody listens */
    void *user;
    lory_generate_result result;
    detok d;
    size_t n_decoded; /* bytes of text that d has handed out */
    stop_finder stop;
} generation; /* set the first five, zero the rest; p stays the caller's */

/* LORY_E_ARGUMENT names what is wrong. */
bool generation_check(const lory_generate_params *p, lory_err *err);

/* Whether what is generated after this history goes on with its text. After a control token a text
 * begins, as when it is encoded: the blank that SentencePiece puts before a text is not shown. */
bool generation_goes_on(const tokenizer *tok, const lory_token *history, size_t n);

/* The n tokens of history are what the text goes on from. */
void generation_begin(generation *g, const lory_token *history, size_t n);

/* Whether not even one token is to be drawn. */
bool generation_wants_none(generation *g);

/* Takes the token that was drawn from `logits` after n_seen tokens (-1: a complete text), and hands
 * on its text. *is_over: it was the last, g->result says why. */
bool generation_take(generation *g, lory_token id, const float *logits, size_t n_seen,
                     bool *is_over, lory_err *err);

/* Hands on the text that was held back, and frees. */
void generation_end(generation *g);

#endif
