/* keys.h - the keys of a file's architecture ("llama.*") that nothing has read: which of them would
 * change the maths, and what they all are.
 * Layer: model. Valid once the hyper-parameters were read: read is what was asked for by name. */
#ifndef LORY_MODEL_KEYS_H
#define LORY_MODEL_KEYS_H

#include "gguf/gguf.h"

/* LORY_E_UNSUPPORTED names the first key that was not read, is known to change the maths, and does
 * not have the value with which it changes nothing. */
bool keys_check(const gguf *g, const char *arch, lory_err *err);

/* The keys that were not read, one after the other: *i begins as 0; NULL after the last. Those that
 * only inform (ARCH.vocab_size) are not among them. */
const gguf_kv *keys_next_unused(const gguf *g, const char *arch, size_t *i);

#endif
