/* pretok.h - pre-tokenizers: how a text is cut into words before byte-pair merging, by the name
 * in the key tokenizer.ggml.pre.
 * Layer: token. Constant data and pure functions.
 *
 * Each rule is what the regular expressions of the model's own tokenizer.json say, written by
 * hand: a list of passes, each cutting the pieces of the one before. Time is linear in the text.
 * A malformed UTF-8 byte counts as an unassigned character. */
#ifndef LORY_TOKEN_PRETOK_H
#define LORY_TOKEN_PRETOK_H

#include "lory.h"

typedef struct pretok_pass pretok_pass;

enum { /* what else the name says about a vocabulary; file keys win over PRETOK_ADD_* */
       PRETOK_IGNORE_MERGES = 1, /* a word that is a token as a whole is taken as it is */
       PRETOK_NFC = 2,           /* the text is brought to normal form C first */
       PRETOK_ADD_BOS = 4,
       PRETOK_ADD_SEP = 8,
};

typedef struct {
    const char *name;
    const pretok_pass *passes; /* ends with a zeroed one */
    unsigned flags;
} pretok;

/* A rule made ready for cutting: which bytes a match can start with, of each pass, and of it or
 * any after it. */
enum { PRETOK_MAX_PASSES = 8 };
typedef struct {
    const pretok *rule;
    bool starts[PRETOK_MAX_PASSES][256], starts_later[PRETOK_MAX_PASSES][256];
} pretok_cutter;
void pretok_cutter_init(pretok_cutter *c, const pretok *rule);

/* NULL when the name is not known. */
const pretok *pretok_find(const char *name, size_t n);
/* Fills *err with LORY_E_UNSUPPORTED, naming the name (n = 0: there is none) and those that are
 * known. Returns false. */
bool pretok_unknown(const char *subject, const char *name, size_t n, lory_err *err);

/* Hands every piece of s[0..n), in order and without gaps, to sink; a false return stops. */
typedef bool (*pretok_sink)(void *user, const char *piece, size_t n);
bool pretok_split(const pretok_cutter *c, const char *s, size_t n, pretok_sink sink, void *user);

#endif
