/* tokens.c - see tokens.h. */
#include "token/tokens.h"
#include "base/err.h"
#include "base/mem.h"

bool tokens_grow(lory_tokens *t, lory_err *err)
{
    size_t cap = t->cap ? t->cap * 2 : 64;
    lory_token *p = mem_resize(t->id, t->cap, cap, sizeof *p);
    if (!p) return err_set(err, LORY_E_MEMORY, "no memory for %zu tokens", cap);
    t->id = p;
    t->cap = cap;
    return true;
}
