/* recur.h - the states of recurrent layers: what sequences have of them, not keys and values.
 * Layer: engine. Owned by a KV cache, whose sequences these are; the team updates states that go
 * on, one thread at a time does the rest. Never allocates but in recur_open.
 *
 * A state is a cell of floats, a stretch for each recurrent layer, which every token overwrites. So
 * a sequence can't be cut back to any position, but to those whose states were kept: cells that the
 * team copies on its way, and that sequences which begin alike have in common. */
#ifndef LORY_ENGINE_RECUR_H
#define LORY_ENGINE_RECUR_H

#include "lory.h"
#include "model/hparams.h"

enum { RECUR_MAX_KEPT = 16 }; /* states kept of one sequence */

typedef struct {
    int pos;       /* kept: tokens that it has seen */
    int n_user;    /* sequences that keep it, or that it goes on with; 0: free */
    uint64_t used; /* when it was last of use */
} recur_cell;

typedef struct {
    int live;   /* the cell that goes on; -1: none, and the last one kept is where it would */
    int n_kept;
    int kept[RECUR_MAX_KEPT]; /* cells, by ascending position */
    int first;  /* where the tokens begin that are in the run at hand, or were in the last one */
} recur_seq;

typedef struct {
    size_t cell_bytes; /* 0: the model has no recurrent layers, and nothing below is set */
    size_t data_bytes;
    size_t *layer_at;    /* [n_layer] where the layer's stretch begins in a cell, floats */
    int n_cell, n_seq;
    int most_kept; /* by one sequence */
    recur_cell *cell;    /* [n_cell] */
    recur_seq *seq;      /* [n_seq] */
    float *data;         /* [n_cell][cell_bytes], lazily committed */
    uint64_t clock;      /* of `used` */
} recur;

/* Of n_seq sequences, of which n_live go on at once; besides those, states are kept. */
typedef struct {
    const hparams *hp; /* NULL: no recurrent layers */
    int n_layer, n_seq, n_live;
} recur_shape;

/* Bytes of data; false when they overflow. */
bool recur_bytes(const recur_shape *shape, size_t *n_bytes);
bool recur_open(recur *r, const recur_shape *shape, lory_err *err); /* LORY_E_MEMORY */
void recur_close(recur *r); /* accepts a zeroed one */

/* A free cell; -1: there is none, and recur_oldest says which may give way. */
int recur_find_free(const recur *r);
/* The kept cell that was of use the longest time ago, `but` excepted. */
int recur_oldest(const recur *r, int but);
/* Whether the sequence keeps the cell, which it then no longer does. */
bool recur_forget(recur *r, int seq, int cell);

/* The last kept position up to n_tok; 0: none. n_tok itself where there are no recurrent layers. */
int recur_last_kept(const recur *r, int seq, int n_tok);
/* What a sequence cut to n_tok tokens, fewer than it has, can really have: its last kept position
 * up to there. */
int recur_cut(recur *r, int seq, int n_tok);
/* The sequence `to`, which has none, goes on from the state that `from` keeps at pos. */
void recur_share(recur *r, int from, int to, int pos);

/* The free cell becomes what the sequence goes on with from `pos`, where it has no live one. */
void recur_go_on(recur *r, int seq, int pos, int cell);
/* The live cell itself becomes a kept one, of the sequence's n_tok tokens: it rests. */
void recur_rest(recur *r, int seq, int n_tok);
/* Makes sure that the sequence may keep another state, of `end` tokens at most; for that it may
 * forget one. */
void recur_make_place(recur *r, int seq, int end);
/* The state after `pos` tokens of the sequence, which has a place, is kept in the free cell: copied
 * now if pos is where the live one stands, else by the team when it comes to that token. */
void recur_keep(recur *r, int seq, int pos, int cell, bool is_there);
bool recur_is_kept(const recur *r, int seq, int pos);

/* Layer il of the state that goes on, and of the one to keep before the token at `pos` of the run
 * at hand; NULL: none is. */
float *recur_state(const recur *r, int seq, int il);
float *recur_to_keep(const recur *r, int seq, int pos, int il);
/* The whole state after n_tok > 0 tokens, of which the sequence has n_all: cell_bytes; NULL: it is
 * not there. */
const float *recur_whole(const recur *r, int seq, int n_tok, int n_all);
/* The live one, to be filled in: cell_bytes. */
float *recur_to_fill(const recur *r, int seq);

#endif
