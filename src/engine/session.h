/* session.h - one timeline of tokens over an exec and a KV cache of its own.
 * Layer: engine. Belongs to one thread at a time; only `interrupt` may be set from elsewhere. */
#ifndef LORY_ENGINE_SESSION_H
#define LORY_ENGINE_SESSION_H

#include "engine/exec.h"

/* Fills what params leave open and predicts what a session will take. LORY_E_ARGUMENT names a
 * parameter that is out of range; LORY_E_MEMORY when even one page of context does not fit. */
bool session_plan(const model *m, const lory_session_params *params, lory_memory_plan *mp,
                  lory_err *err);

/* Bytes of all parts but the KV cache, and what they leave for it. */
uint64_t session_plan_fixed(const lory_memory_plan *mp);
uint64_t session_plan_left(const lory_memory_plan *mp);
/* Adds the parts up. */
void session_plan_total(lory_memory_plan *mp);

/* What the parameters say, or their defaults. */
int session_n_batch(const lory_session_params *params);
qtype session_cache_type(const lory_session_params *params);

typedef struct {
    const model *m;
    exec e;
    kv_cache kv;
    int n_ctx;
    lory_token *id;      /* [n_ctx] the tokens evaluated so far */
    int *pos, *seq;      /* [n_batch] of the batch at hand */
    int *rows;           /* [n_batch] 0, 1, 2, ... */
    size_t n;            /* tokens evaluated */
    exec_prefix prefix;  /* of those, for models that have one */
    const float *logits; /* [n_vocab] of the last token; NULL before any */
    int n_ahead;         /* guesses behind id[n - 1] that are evaluated and wait to be accepted */
    size_t ld_ahead;     /* floats from one token's logits to those of the next of them */
    atomic_bool interrupt;
} session;

bool session_open(session *s, const model *m, const lory_session_params *params, lory_err *err);
void session_close(session *s); /* accepts a zeroed one */

/* lory_session_eval, lory_session_eval_all (with on_logits), lory_session_set, _truncate. */
bool session_eval(session *s, const lory_token *ids, size_t n, lory_on_logits on_logits, void *user,
                  lory_err *err);
bool session_set(session *s, const lory_token *ids, size_t n, lory_err *err);
void session_truncate(session *s, size_t n);
/* Evaluates id and behind it a guess at what follows, guess[0..n), n up to session_room_ahead, in
 * one step. The session then holds id alone: the guess waits to be accepted. */
bool session_eval_ahead(session *s, lory_token id, const lory_token *guess, int n, lory_err *err);
int session_room_ahead(const session *s);
/* Whether id is the next token of the guess: then the session holds it, as if evaluated now. */
bool session_accept(session *s, lory_token id);
/* Before anything else is done with the session: what was not accepted is gone. */
void session_forget_ahead(session *s);
bool session_make_up(session *s, size_t n, lory_err *err); /* lory_session_make_up */

#endif
