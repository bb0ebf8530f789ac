/* survey.h - what lory lacks to run a file: all of it, where opening a model ends at the first.
 * Layer: model. */
#ifndef LORY_MODEL_SURVEY_H
#define LORY_MODEL_SURVEY_H

#include "gguf/gguf.h"

/* Reports what is there and not known: the architecture, types of tensors, tensors that no role of
 * the architecture claims (of an unknown one: that no role of any has), the tokenizer, keys that
 * nothing reads. g from gguf_open_any. False only when memory can't be had. */
bool survey(const gguf *g, lory_on_finding on_finding, void *user, lory_err *err);

#endif
