/* hf_convert.h - makes a GGUF file from a Hugging Face model folder.
 * Layer: convert. The output appears whole or not at all; memory does not grow with the tensors.
 *
 * What is read: config.json, generation_config.json, model.safetensors or its shards, and the
 * tokenizer in any of its forms (hf_vocab.h). The keys and tensors are those that the usual
 * converters write. */
#ifndef LORY_CONVERT_HF_CONVERT_H
#define LORY_CONVERT_HF_CONVERT_H

#include "gguf/convert.h"

/* p->type RETYPE_KEEP: matrices are as most of the source is; weights of MXFP4 stay so with any
 * type. Appends to *notes, a line each, what the user should know: tensors that are not used,
 * tokens without a row, a missing tokenizer; also when p->check refuses what was made of the rest.
 * Errors name the folder or a file of it. */
bool hf_convert(const char *folder, const convert_params *p, buf *notes, lory_err *err);

#endif
