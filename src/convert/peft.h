/* peft.h - the adapter_config.json of a PEFT LoRA adapter: what it asks of the model, checked.
 * Layer: convert. Immutable once open. */
#ifndef LORY_CONVERT_PEFT_H
#define LORY_CONVERT_PEFT_H

#include "text/json.h"

typedef struct {
    json_doc doc;
    double alpha;        /* lora_alpha */
    int64_t rank;        /* r, as a rule: of a matrix its own rank counts */
    bool by_root;        /* use_rslora: the scale is alpha / sqrt(rank) */
    const json *alphas;  /* alpha_pattern: names of modules and their alpha; may be NULL */
    const char *base;    /* base_model_name_or_path, or "" */
} peft_config;

/* Whether a folder is one of an adapter. */
bool peft_is_adapter(const char *folder);

/* LORY_E_UNSUPPORTED names the setting that lory does not know: DoRA, whole modules that were
 * trained, biases, other kinds of adapter. On failure *p is closed. */
bool peft_open(peft_config *p, const char *folder, lory_err *err);
void peft_close(peft_config *p); /* accepts a zeroed one */

/* What b (a x) of a module ("model.layers.0.self_attn.q_proj") of this rank is multiplied by. */
double peft_scale(const peft_config *p, const char *module, int64_t rank);

#endif
