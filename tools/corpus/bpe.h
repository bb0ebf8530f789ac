/* bpe.h - byte-pair encoding learnt from words with counts (Sennrich, Haddow, Birch 2016).
 * Part of tools/train_tokenizer. Memory is linear in the different words; a zeroed result is
 * empty. */
#ifndef LORY_TOOLS_CORPUS_BPE_H
#define LORY_TOOLS_CORPUS_BPE_H

#include "words.h"

typedef struct {
    strings symbols;   /* characters by frequency, then merged pieces as they were made */
    size_t n_alphabet; /* of them characters */
    uint64_t n_pieces; /* that the text becomes */
} bpe;

enum { BPE_MAX_CHARS = 16 }; /* of a piece */

/* Learns n_symbols symbols. The alphabet is the most frequent characters that make up `coverage`
 * of the text, half the symbols at most; then the most frequent pair of neighbours is merged again
 * and again, of equals the one of older parts. LORY_E_ARGUMENT: no pair is left that is there
 * twice. On failure *b is empty. */
bool bpe_learn(bpe *b, const word_list *w, size_t n_symbols, double coverage, lory_err *err);
void bpe_free(bpe *b);

#endif
