/* vocab_file.h - a learnt vocabulary as a GGUF file.
 * Part of tools/train_tokenizer. */
#ifndef LORY_TOOLS_CORPUS_VOCAB_FILE_H
#define LORY_TOOLS_CORPUS_VOCAB_FILE_H

#include "bpe.h"

enum { VOCAB_FILE_EXTRA = 263 }; /* tokens besides the symbols: bytes and special ones */

/* Writes the keys tokenizer.* of a vocabulary of SentencePiece's BPE kind, and no tensors. */
bool vocab_file_write(const bpe *b, const char *path, lory_err *err);

#endif
