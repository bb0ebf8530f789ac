/* handles.h - what the handles of lory.h hold, for the files that implement it.
 * Layer: the library's face. */
#ifndef LORY_HANDLES_H
#define LORY_HANDLES_H

#include "base/lock.h"
#include "speculate.h"
#include "model/lora.h"
#include "sample/chain.h"

struct lory_model {
    model m;
    lory_tokens ends; /* the tokens that end a generation */
    struct model_trie *trie;
    lory_lora *loras; /* the adapters opened for it */
};

/* The trie of a model's tokens, made when a grammar first needs it. Under a lock of its own, since
 * a model is shared and otherwise never changes. */
typedef struct model_trie model_trie;
struct model_trie {
    lock lock;
    token_trie *t;
};
/* NULL on failure. */
const token_trie *model_trie_of(const lory_model *m, lory_err *err);

/* A chain that holds to the grammar of *p, if it has one; is_small: for a desk of others. */
chain *model_chain_new(const lory_model *m, const lory_sampler_params *p, bool is_small,
                       lory_err *err);

struct lory_session {
    const lory_model *m;
    session s;
    speculation ahead;
    lory_lora_use *lora; /* [n_lora] the adapters it was made with */
    size_t n_lora;
};

struct lory_sampler {
    chain *c;
};

#endif
