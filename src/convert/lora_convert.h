/* lora_convert.h - makes a LoRA adapter in GGUF's form from a PEFT adapter folder.
 * Layer: convert. The output appears whole or not at all.
 *
 * What is read: adapter_config.json and adapter_model.safetensors; of the base model what its
 * tensors are called and how many heads it has, from a Hugging Face folder's config.json or from a
 * GGUF file. Rows of B are permuted, split and stacked as convert does it with the weight's own. */
#ifndef LORY_CONVERT_LORA_CONVERT_H
#define LORY_CONVERT_LORA_CONVERT_H

#include "gguf/convert.h"

/* `base`: a folder or a GGUF file; NULL: where the adapter says, if that is here. p->type
 * RETYPE_KEEP: as most of the source. Errors name what is wrong: a tensor that is no half of a pair
 * or of no weight of the family, a setting that would change the maths (peft.h). */
bool lora_convert(const char *folder, const char *base, const convert_params *p, lory_err *err);

#endif
