/* bert_words.h - the text preparation of BERT, which GPT-1 uses too: clean, lower-case, strip
 * accents, set Chinese characters apart, cut at white space and punctuation.
 * Layer: token. Source: Devlin et al. 2018, as Hugging Face's BertNormalizer and
 * BertPreTokenizer do it. */
#ifndef LORY_TOKEN_BERT_WORDS_H
#define LORY_TOKEN_BERT_WORDS_H

#include "base/buf.h"

typedef struct {
    buf clean, parts, word; /* scratch */
    uint8_t class_of[256];  /* what ASCII characters are */
} bert_words;

void bert_words_init(bert_words *w);

/* Hands every word, valid UTF-8 and not empty, to sink; a false return stops. On a lack of memory
 * returns false with w->clean.failed, w->parts.failed or w->word.failed set. */
typedef bool (*bert_sink)(void *user, const char *word, size_t n);
bool bert_words_split(bert_words *w, const char *s, size_t n, bert_sink sink, void *user);
bool bert_words_failed(const bert_words *w);
void bert_words_free(bert_words *w);

#endif
