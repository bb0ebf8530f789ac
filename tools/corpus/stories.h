/* stories.h - short stories: reading them, giving their people other names, and what someone
 * might have asked to be told them.
 * Part of tools/make_corpus. */
#ifndef LORY_TOOLS_CORPUS_STORIES_H
#define LORY_TOOLS_CORPUS_STORIES_H

#include "docs.h"
#include <stdint.h>

/* Appends the stories in s[0..n), between which stands DOCUMENT_END. */
void stories_read(docs *out, const char *s, size_t n);

/* The same as they stand there, but for blank lines at both ends. */
void stories_read_raw(docs *out, const char *s, size_t n);

/* Appends each story with its people renamed, by draw: each known name becomes another one of
 * its sex, the same throughout a story. A story that names nobody stays as it is if `keeps_all`,
 * else it is left out. */
void stories_rename(docs *out, const docs *stories, bool keeps_all, uint64_t seed);

/* Appends a conversation (see chats.h) for each story: someone asks for one about what it is
 * about, in one of many phrasings, and is told it. */
void stories_request(docs *out, const docs *stories, uint64_t seed);

#endif
