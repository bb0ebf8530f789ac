/* json_parts.h - what a tokenizer.json does besides its model: to a text before it is cut
 * (normalizer), in cutting it (pre_tokenizer), and around its tokens (post_processor).
 * Layer: convert.
 *
 * A part that lory's tokenizers don't do as well is an error: without it the same text would have
 * other tokens, and nobody would be told. */
#ifndef LORY_CONVERT_JSON_PARTS_H
#define LORY_CONVERT_JSON_PARTS_H

#include "convert/vocab_tokens.h"

typedef enum { PARTS_BYTES = 1, PARTS_SP = 2, PARTS_UNIGRAM = 4, PARTS_GPT1 = 8 } parts_kind;

/* `j`: a normalizer or the like, which may consist of others. The first part of that type. */
const json *part_of_type(const json *j, const char *type);
/* Calls f with each part that is not made of others, in order; false when f was. */
typedef bool (*part_fn)(void *user, const json *part);
bool parts_each(const json *j, part_fn f, void *user);

bool parts_check_normalizer(const json *root, parts_kind kind, const char *path, lory_err *err);
/* Of models whose pieces have U+2581 for a blank, and of GPT-1. */
bool parts_check_pre(const json *root, parts_kind kind, const char *path, lory_err *err);

/* Of a model that has passed: whether newlines and what stands between them are words apart. */
bool parts_split_lines(const json *root);

/* SentencePiece's blank before the text and whether blanks are joined: by a normaliser or by
 * "Metaspace". */
void parts_read_blanks(hf_vocab *v, const json *root, parts_kind kind);
/* The tokens around a text, into v->before and v->behind. */
void parts_read_around(hf_vocab *v, const json *root);

#endif
