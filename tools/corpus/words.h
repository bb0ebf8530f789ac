/* words.h - text as words with counts, cut where no piece of a vocabulary may reach over.
 * Part of tools/train_tokenizer. A zeroed list is empty. */
#ifndef LORY_TOOLS_CORPUS_WORDS_H
#define LORY_TOOLS_CORPUS_WORDS_H

#include "lory.h"
#include "strings.h"

typedef struct {
    strings text;    /* of the words; a blank is ' ' */
    uint64_t *count; /* [text.n] */
    size_t cap;
    uint64_t n_bytes, n_docs; /* of text that was read */
} word_list;

/* Adds a document: what a tokenizer gets in one piece, so a blank comes first. */
bool words_add(word_list *w, const char *s, size_t n, lory_err *err);
/* Adds the documents of a file. Plain text: they end at DOCUMENT_END. Of a name ending in .jsonl: a
 * conversation a line, {"messages": [{"content": "..."}, ...]}; each message is a document. */
bool words_add_file(word_list *w, const char *path, lory_err *err);
/* Adds a whole file as one document, what stands between documents too. */
bool words_add_running(word_list *w, const char *path, lory_err *err);
void words_free(word_list *w);

#endif
