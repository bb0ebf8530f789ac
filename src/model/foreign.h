/* foreign.h - why a model of an architecture that lory does not know can't be run: by what its file
 * has, whatever its name.
 * Layer: model. */
#ifndef LORY_MODEL_FOREIGN_H
#define LORY_MODEL_FOREIGN_H

#include "gguf/gguf.h"

/* The rest of a sentence about the model, "it has recurrent layers"; "" when nothing tells. */
const char *foreign_why(const gguf *g, const char *arch);

#endif
