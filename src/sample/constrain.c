/* constrain.c - the stage that leaves what a grammar allows.
 * Layer: sample. */
#include "sample/stage.h"
#include "sample/token_trie.h"

void stage_grammar(sample_draw *d)
{
    candidates *c = &d->c;
    int n = 0;
    for (int i = 0; i < c->n; i++) {
        if (!mask_has(d->allowed, c->id[i])) continue;
        c->id[n] = c->id[i];
        c->logit[n++] = c->logit[i];
    }
    c->n = n;
}
