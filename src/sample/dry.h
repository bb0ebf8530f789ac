/* dry.h - where DRY cuts the text: behind a breaker, a text such as a newline, nothing counts as
 * going on with what came before it.
 * Layer: sample. */
#ifndef LORY_SAMPLE_DRY_H
#define LORY_SAMPLE_DRY_H

#include "token/tokenizer.h"

typedef struct {
    const tokenizer *t; /* the caller's; NULL: no token has a text, so there are no breakers */
    char **text;        /* [n] the breakers, none empty */
    size_t n;
} dry_breakers; /* zeroed = none; free with dry_breakers_free */

bool dry_breakers_copy(dry_breakers *b, const char *const *text, size_t n, lory_err *err);
void dry_breakers_free(dry_breakers *b);

/* Whether the token alone holds a breaker. */
bool dry_is_breaker(const dry_breakers *b, lory_token id);
/* How many of the last n tokens come behind all of the breaker that begins last, in whichever
 * tokens its bytes lie; n when there is none. */
size_t dry_count_unbroken(const dry_breakers *b, const lory_token *id, size_t n);

#endif
