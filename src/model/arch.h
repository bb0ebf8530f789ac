/* arch.h - what an architecture is: three recipes and what the file does not say.
 * Layer: model. Constant data. A new family is one arch_x.c, a declaration here and a row in
 * model.c. */
#ifndef LORY_MODEL_ARCH_H
#define LORY_MODEL_ARCH_H

#include "model/recipe.h"
#include <stdbool.h>

typedef struct {
    const char *name;        /* general.architecture */
    const lory_step *embed;  /* token ids -> X */
    const lory_step *block;  /* one layer */
    const lory_step *head;   /* X -> LOGITS, for the rows that are wanted */
    bool rope_neox;          /* rope pairs are (i, i + n_rot/2); else (2i, 2i+1) */
} lory_arch;

extern const lory_arch arch_llama;  /* LLaMA 1-3, Mistral without window, and what is like them */
extern const lory_arch arch_qwen2;  /* LLaMA with biases on Q, K and V */
extern const lory_arch arch_qwen3;  /* LLaMA with norms on the heads of Q and K */

#endif
