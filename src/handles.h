/* handles.h - what the handles of lory.h hold, for the files that implement it.
 * Layer: the library's face. */
#ifndef LORY_HANDLES_H
#define LORY_HANDLES_H

#include "engine/session.h"
#include "model/lora.h"
#include "sample/chain.h"

struct lory_model {
    model m;
    lory_tokens ends; /* the tokens that end a generation */
    lory_lora *loras; /* the adapters opened for it */
};

struct lory_session {
    const lory_model *m;
    session s;
    lory_lora_use *lora; /* [n_lora] the adapters it was made with */
    size_t n_lora;
};

struct lory_sampler {
    chain *c;
};

#endif
