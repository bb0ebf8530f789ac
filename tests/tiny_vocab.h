/* tiny_vocab.h - a small vocabulary of each tokenizer, written so that what it does to a text can
 * be followed by hand. Ids are places in the lists of tiny_vocab.c. */
#ifndef LORY_TESTS_TINY_VOCAB_H
#define LORY_TESTS_TINY_VOCAB_H

#include "tiny_gguf.h"
#include "token/tokenizer.h"

typedef struct {
    tiny_gguf file;
    gguf g;
    tokenizer t;
} tiny_vocab;

typedef enum {
    TINY_SPM,       /* scores, byte pieces, a user-defined piece */
    TINY_SPM_PLAIN, /* no byte pieces: unknowns; no blank before */
    TINY_BPE,       /* pre "gpt-2" */
    TINY_BPE_NFC,   /* pre "qwen2" */
    TINY_LLAMA3,    /* pre "llama-bpe": whole words first */
    TINY_UNIGRAM,
    TINY_WPM,
    TINY_RWKV,
    TINY_GPT1,
    TINY_GEMMA4, /* says that it wants no begin token, and gets one */
    TINY_PLAMO2,
    TINY_COUNT
} tiny_kind;

/* The keys of a vocabulary, for a test to add to before tiny_finish. */
void tiny_vocab_keys(tiny_gguf *g, tiny_kind kind);
bool tiny_vocab_open(tiny_vocab *v, tiny_kind kind, lory_err *err);
void tiny_vocab_close(tiny_vocab *v);

#endif
