/* bert_words.h - the text preparation of BERT, which GPT-1 uses too: clean, lower-case, strip
 * accents, set Chinese characters apart, cut at white space and punctuation.
 * Layer: token. Source: Devlin et al. 2018, as Hugging Face's BertNormalizer and
 * BertPreTokenizer do it. */
#ifndef LORY_TOKEN_BERT_WORDS_H
#define LORY_TOKEN_BERT_WORDS_H

#include "base/buf.h"
#include "token/word_cache.h"

/* The scratch of a tokenizer of such words, or the first member of it. */
typedef struct {
    word_scratch w;
    struct bert_words {
        buf clean, parts, word;
        uint8_t class_of[256]; /* what ASCII characters are */
    } words;
} bert_scratch;

void *bert_scratch_new(size_t size, const tokenizer *t, size_t n); /* as word_scratch_new */
void bert_scratch_free(bert_scratch *x);

/* Hands every word of s, valid UTF-8 and not empty, to encode_word, whose false stops it. */
bool bert_encode(bert_scratch *x, const char *s, size_t n,
                 bool (*encode_word)(void *scratch, const char *word, size_t n), lory_tokens *out,
                 lory_err *err);

#endif
