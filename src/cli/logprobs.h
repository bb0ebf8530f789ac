/* logprobs.h - JSON lines of generated tokens with their log-probabilities and the likeliest ones.
 * A token's line is held back until its text has been released, so that the tokens of a stop text,
 * which is not printed, are not printed either.
 * Layer: cli. One run's; one thread. */
#ifndef LORY_CLI_LOGPROBS_H
#define LORY_CLI_LOGPROBS_H

#include "base/buf.h"
#include "lory.h"

typedef struct logprobs logprobs;

/* n_top likeliest tokens a line. NULL when memory can't be had. */
logprobs *logprobs_new(const lory_model *m, int n_top);
void logprobs_free(logprobs *l);

/* Takes a piece as lory_generate hands it on; appends the lines that are released to *out. */
bool logprobs_put(logprobs *l, const lory_piece *piece, buf *out, lory_err *err);
/* The lines that are left at the end of the text (not of one that a stop text ended). */
bool logprobs_flush(logprobs *l, buf *out);

/* log sum_i exp(logits_i) of n logits: a token's log-probability is its logit less this. */
double logprobs_log_sum(const float *logits, int n);
/* The n_top likeliest of n_vocab tokens, likeliest first; of equal ones the lower id first. */
void logprobs_find_top(const float *logits, int n_vocab, lory_token *top, int n_top);

#endif
