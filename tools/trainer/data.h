/* data.h - texts and conversations as tokens, and the windows that training takes from them.
 *
 * A source is a file as documents of tokens. Training goes through each source's documents in a
 * random order, new each epoch; what a window can't hold goes on in the next one of that source.
 * Where in that order it is, is all the state there is (data_place). */
#ifndef LORY_TRAINER_DATA_H
#define LORY_TRAINER_DATA_H

#include "lory.h"
#include "net.h"

typedef struct {
    uint64_t epoch, i_doc, offset; /* of the next token in the order of this epoch */
} data_place;

typedef struct {
    const char *name;  /* path of the file */
    double weight;     /* of windows, beside the other sources */
    lory_token *token; /* [n]; those that are no targets are stored as -1 - id */
    size_t n, cap;
    size_t *doc; /* [n_docs + 1] first token of each */
    size_t n_docs, docs_cap;
    uint64_t n_bytes; /* of the text, for bits per byte */
    uint32_t *order;  /* [n_docs] of the epoch at hand */
    uint64_t ordered; /* that epoch + 1; 0 = none yet */
    data_place at;
} data_source;

typedef enum {
    DATA_HELD,    /* texts between lines "<|endoftext|>", each by itself */
    DATA_TEXTS,   /* the same, and how they end is to be predicted too */
    DATA_RUNNING, /* one text, those lines included */
} data_text;
/* Appends the text of a file as documents. */
bool data_read_text(data_source *s, const char *path, const lory_model *m, data_text kind,
                    lory_err *err);
/* Appends conversations, {"messages": [...]} a line, as the chat template of m writes them; only
 * what the assistant says is to be predicted, with what the template has after it. */
bool data_read_chat(data_source *s, const char *path, const lory_model *m, lory_err *err);
void data_free(data_source *s);

/* Memory of windows of n_ctx tokens. */
typedef struct {
    lory_token *token, *target; /* [n_ctx] */
    int *start;                 /* [n_ctx] */
} data_window;

/* Tokens by the pieces that make them up: BPE dropout (Provilkov et al. 2020), one level deep. */
typedef struct {
    float share;      /* of the tokens that are split */
    uint64_t seed;    /* of the draws */
    uint32_t *first;  /* [n_vocab + 1] pair of each token */
    lory_token *half; /* [first[n_vocab], 2] */
} data_split;
bool data_split_init(data_split *x, const lory_model *m, int n_vocab, lory_err *err);
void data_split_free(data_split *x);

/* Fills the next window for training and moves s->at; split may be NULL. */
void data_next(data_source *s, int n_ctx, lory_token bos, uint64_t seed, const data_split *split,
               const data_window *w);
/* Fills a window with whole documents from *i_doc, *offset on, in file order; false when there is
 * nothing left. Only documents longer than a window are cut. */
bool data_next_in_order(const data_source *s, int n_ctx, lory_token bos, size_t *i_doc,
                        size_t *offset, const data_window *w);

#endif
