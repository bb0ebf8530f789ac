/* chats.h - conversations as JSON lines {"messages": [{"role": ..., "content": ...}, ...]}, user
 * and assistant in turn, the user first and the assistant last.
 * Part of tools/make_corpus. */
#ifndef LORY_TOOLS_CORPUS_CHATS_H
#define LORY_TOOLS_CORPUS_CHATS_H

#include "docs.h"
#include "text/json.h"
#include <stdint.h>

/* One conversation being written. */
typedef struct {
    buf line;
    json_writer json;
    size_t n_turns;
} chat;

void chat_begin(chat *c);
/* The next turn: the user's when n_turns is even. */
void chat_put(chat *c, const char *s, size_t n);
void chat_puts(chat *c, const char *s);
/* Appends the conversation to *out and frees it. */
void chat_end(chat *c, docs *out);

/* Where a source is cut in two, and which part is wanted. */
typedef struct {
    size_t from, to; /* only what begins at bytes [from, to) of the source */
} chat_range;

/* Synthetic-Persona-Chat: CSV of two personas and a conversation of "User 1:" and "User 2:".
 * `is_swapped`: User 2 is the user, so that what User 1 said first is left out. */
void chats_read_personas(docs *out, text_view csv, chat_range range, bool is_swapped);

/* Soda: blocks of lines "User:" and "Bot:", an empty line between them. */
void chats_read_soda(docs *out, text_view text, chat_range range);

/* Appends n conversations about who is talking, from a table of questions and answers. */
void chats_make_smalltalk(docs *out, size_t n, uint64_t seed);

/* Adds one exchange by draw: hello at the beginning, thanks at the end of a talk. */
void chat_put_hello(chat *c, uint64_t draw);
void chat_put_thanks(chat *c, uint64_t draw);

/* Puts what a user said, at times without capital and full stop. */
void chat_put_typed(chat *c, const char *s, uint64_t draw);

#endif
