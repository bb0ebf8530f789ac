/* data.h - texts and conversations as tokens, and the windows that training takes from them.
 *
 * A source is a file as documents of tokens. Training goes through each source's documents in a
 * random order, new each epoch; what a window can't hold goes on in the next one of that source.
 * Where in that order it is, is all the state there is (data_place). */
#ifndef LORY_TRAINER_DATA_H
#define LORY_TRAINER_DATA_H

#include "../corpus/strings.h"
#include "lory.h"
#include "net.h"

typedef enum {
    DATA_TEXTS,   /* texts between lines "<|endoftext|>"; how they end is to be predicted too */
    DATA_RUNNING, /* one text, those lines included */
    DATA_CHATS,   /* conversations, {"messages": [...]} a line, as the chat template writes them; to
                     be predicted is what the assistant says, and what the template has after it */
    DATA_HELD,    /* texts, but not how they end: to measure bits per byte */
} data_kind;

typedef struct {
    uint64_t epoch, i_doc, offset; /* of the next token in the order of this epoch */
} data_place;

typedef struct {
    const char *name;   /* path of the file */
    double weight;      /* of windows, beside the other sources */
    lory_tokens tokens; /* those that are no targets as -1 - id */
    size_t *doc;        /* [n_docs + 1] first token of each */
    size_t n_docs, docs_cap;
    uint64_t n_bytes; /* of the text, for bits per byte; 0 for conversations */
    uint32_t *order;  /* [n_docs] of the epoch at hand */
    uint64_t ordered; /* that epoch + 1; 0 = none yet */
} data_source;

enum { DATA_MAX_SOURCES = 64 };
typedef struct {
    data_source source[DATA_MAX_SOURCES];
    int n;
} data_list;

/* Reads a file into a zeroed source. */
bool data_read(data_source *s, const char *path, data_kind kind, const lory_model *m,
               lory_err *err);
void data_free(data_source *s);

/* How windows are filled. */
typedef struct {
    int n_ctx;
    lory_token bos; /* begins each text of a window */
    bool in_order;  /* one epoch, only documents longer than a window are cut */
    uint64_t order_seed, split_seed;
    float split; /* share of the tokens that are split into two pieces: BPE dropout (Provilkov et
                    al. 2020), one level deep; 0 needs none of the below */
    const lory_model *m;
    strings texts;     /* of the tokens; m's */
    lory_token *id_of; /* [texts.n] */
} data_rule;
/* Reads the pieces of m's tokens; to be freed, also on failure. */
bool data_read_pieces(data_rule *r, const lory_model *m, int n_vocab, lory_err *err);
void data_free_pieces(data_rule *r);

/* Fills the window [n_ctx] that comes at a place, and moves that; false when in_order has come to
 * the end. */
bool data_next(data_source *s, data_place *at, const data_rule *r, net_place *w);

#endif
