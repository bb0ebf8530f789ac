/* tokens.h - a growing list of token ids: the lory_tokens of lory.h.
 * Layer: token. The ids lie in mem_* memory; lory_tokens_free gives them back. */
#ifndef LORY_TOKEN_TOKENS_H
#define LORY_TOKEN_TOKENS_H

#include "lory.h"

bool tokens_grow(lory_tokens *t, lory_err *err);

/* Appends one id. */
static inline bool tokens_put(lory_tokens *t, lory_token id, lory_err *err)
{
    if (t->n == t->cap && !tokens_grow(t, err)) return false;
    t->id[t->n++] = id;
    return true;
}

#endif
