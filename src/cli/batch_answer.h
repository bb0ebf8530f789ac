/* batch_answer.h - what came of a line of `lory batch`, and its output line.
 * Layer: cli. One thread. */
#ifndef LORY_CLI_BATCH_ANSWER_H
#define LORY_CLI_BATCH_ANSWER_H

#include "cli/batch_tools.h"

/* A generated token, for log-probabilities. */
typedef struct {
    lory_token id;
    float logprob;
    size_t text_end; /* bytes of the choice's text up to and with this token */
} batch_token;

typedef struct {
    buf text;
    lory_stop_reason reason;
    size_t n_tokens;
    void *owner; /* whatever its user likes */
    batch_reply reply; /* what the whole text says */
    /* with log-probabilities only: */
    batch_token *token; /* [n] */
    size_t n, cap;
    lory_token *top;    /* [n][n_top] likeliest first */
    float *top_logprob; /* [n][n_top] */
} batch_choice; /* zeroed = empty */

void batch_choice_free(batch_choice *c);

/* Takes a piece as lory_batch hands it on. */
bool batch_choice_put(batch_choice *c, const batch_request *r, const lory_model *m,
                      const lory_piece *piece, lory_err *err);

/* Appends the answer of a line with its choices, and a newline. False when memory can't be
 * had. */
bool batch_put_answer(const batch_request *r, const batch_defaults *d, batch_choice *choice,
                      buf *out);
/* The same for a line that can't be answered. */
bool batch_put_error(const batch_request *r, const lory_err *why, buf *out);

/* Whether an output line is one of batch_put_error. */
bool batch_is_error(const char *line, size_t n);

#endif
