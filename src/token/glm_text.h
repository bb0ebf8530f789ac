/* glm_text.h - the text preparation of ChatGLM-6B, whose pieces hold no newline, tab or run of
 * blanks: "\n" is "<n>", "\t" is "<|tab|>", a run of 2 to 80 blanks is "<|blank_N|>".
 * Layer: token. Source: ChatGLM-6B tokenization_chatglm.py. */
#ifndef LORY_TOKEN_GLM_TEXT_H
#define LORY_TOKEN_GLM_TEXT_H

#include "base/buf.h"

/* Appends the prepared text; false when memory can't be had. */
bool glm_text_put(buf *out, const char *s, size_t n);

/* Appends what one of those pieces stands for, or the piece itself. */
bool glm_text_put_piece(buf *out, const char *piece, size_t n);

#endif
