/* trainer.h - steps of training: gradients of a batch, AdamW, an average of the weights, and the
 * files that training begins with and ends in.
 *
 * The windows of a batch belong to N_LANES lanes, window i to lane i % N_LANES. A lane adds up the
 * gradients of its windows in their order, and lanes are added in theirs; threads only take lanes
 * to work on. So every sum is the same for any number of threads. */
#ifndef LORY_TRAINER_TRAINER_H
#define LORY_TRAINER_TRAINER_H

#include "base/team.h"
#include "cli/opts.h"
#include "data.h"
#include <stdatomic.h>

enum { N_LANES = 12, MAX_BATCH = 1024 };

typedef struct {
    int n_steps, n_warmup, n_batch; /* steps; windows of a step */
    float lr, decay;                /* AdamW's; the rate falls by a cosine */
    float dropout;
    float split; /* share of the tokens that come as two pieces; it falls with the rate */
    uint64_t seed;
} trainer_params;

/* Where training is; with the weights and moments, all that it needs to go on. */
typedef struct {
    uint64_t step, window;           /* that are done */
    data_place at[DATA_MAX_SOURCES]; /* of the data */
} trainer_state;

typedef struct {
    trainer_params p;
    trainer_state state;
    net n;
    vec_adam adam; /* with all parameters: w, m, v, average, then the lanes' gradients, [n_params]
                      one after another; lane 0, g, then holds the sum of all */
    data_list data, held; /* to train on; to evaluate on */
    data_rule rule;       /* with pieces, if tokens are to be split */
    gguf vocab;           /* its keys tokenizer.* are models', too */
    opt_list about;       /* what models say of themselves, "KEY=TEXT"; the caller's */

    team *team;
    net_work *work[TEAM_MAX];
    net_place *win;           /* [n_batch, n_ctx] */
    net_sums sums[MAX_BATCH]; /* of windows */
    int n_lanes, n_windows;
    bool is_learning; /* else evaluating */
    atomic_int next;  /* lane to be worked on */
    double norm;      /* of the gradient, before clipping */
} trainer;

/* A trainer with random weights and no data, which the caller adds; it becomes its own. */
trainer *trainer_new(const llama_shape *s, const trainer_params *p, lory_token bos, int n_threads,
                     lory_err *err);
void trainer_free(trainer *t);

/* One step. Allocates nothing. */
net_sums trainer_step(trainer *t);
/* A whole source, by the average of the weights. Changes nothing. */
net_sums trainer_eval(trainer *t, data_source *s);

/* Writes the average of the weights as a model in f32; goes_on: as a checkpoint, with weights,
 * moments and state. It appears whole or not at all. In store.c. */
bool trainer_write(const trainer *t, const char *path, bool goes_on, lory_err *err);
/* Takes the weights of such a model; goes_on: all of a checkpoint. Shape and texts must be t's. On
 * failure t is unusable. */
bool trainer_read(trainer *t, const char *path, bool goes_on, lory_err *err);

#endif
