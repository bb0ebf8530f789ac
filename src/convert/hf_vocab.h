/* hf_vocab.h - the vocabulary of a Hugging Face folder, in whichever of its forms, as GGUF's keys.
 * Layer: convert. Owned by one conversion. */
#ifndef LORY_CONVERT_HF_VOCAB_H
#define LORY_CONVERT_HF_VOCAB_H

#include "convert/folder.h"
#include "convert/vocab_tokens.h"
#include "gguf/gguf_write.h"

/* n_rows of the embedding; `arch`: general.architecture. Tokens that the files do not name become
 * "[PAD7]", unused. A form that is not known is an error; a folder without any form is not.
 * On failure *v is freed. */
bool hf_vocab_read(hf_vocab *v, const hf_folder *f, int64_t n_rows, const char *arch,
                   lory_err *err);
void hf_vocab_put(const hf_vocab *v, gguf_writer *w);

#endif
