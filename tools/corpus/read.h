/* read.h - the files that vocabularies and models are trained on, one text or conversation after
 * another.
 * Part of tools/train_tokenizer and tools/train. */
#ifndef LORY_TOOLS_CORPUS_READ_H
#define LORY_TOOLS_CORPUS_READ_H

#include "text/json.h"

typedef bool (*read_text)(void *to, const char *s, size_t n, lory_err *err);
typedef bool (*read_chat)(void *to, const json *messages, lory_err *err);

/* Calls put for each text of a file, without the blanks around it. Texts end at DOCUMENT_END, or
 * with the file when that is one running text. False when put is. */
bool read_texts(const char *path, bool is_running, read_text put, void *to, lory_err *err);
/* The same for the array {"messages": [...]} of each line. Errors of put get the place in front. */
bool read_chats(const char *path, read_chat put, void *to, lory_err *err);

#endif
