/* session.h - one timeline of tokens over an exec and a KV cache of its own.
 * Layer: engine. Belongs to one thread at a time;
 * only session_interrupt may come from elsewhere. */
#ifndef LORY_ENGINE_SESSION_H
#define LORY_ENGINE_SESSION_H

#include "engine/exec.h"

/* Fills what params leave open and predicts what a session will take. LORY_E_ARGUMENT names a
 * parameter that is out of range; LORY_E_MEMORY when even one page of context does not fit. */
bool session_plan(const model *m, const lory_session_params *params, lory_memory_plan *mp,
                  lory_err *err);

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
    atomic_bool interrupt;
} session;

bool session_open(session *s, const model *m, const lory_session_params *params, lory_err *err);
void session_close(session *s); /* accepts a zeroed one */

/* lory_session_eval, lory_session_eval_all (with on_logits), lory_session_set, _truncate. */
bool session_eval(session *s, const lory_token *ids, size_t n, lory_on_logits on_logits, void *user,
                  lory_err *err);
bool session_set(session *s, const lory_token *ids, size_t n, lory_err *err);
void session_truncate(session *s, size_t n);
bool session_make_up(session *s, size_t n, lory_err *err); /* lory_session_make_up */

#endif
